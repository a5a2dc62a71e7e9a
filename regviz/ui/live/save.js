/* Pictures of a chart as files: PNG in three times the size of a slide, or SVG, as the chart stands
   there. */

import { guarded } from "./page.js"

export function savePicture(chart, format) {
  guarded(async () => {
    const [width, height] = [1280, 720]
    const figure = chart.still(width)
    // a chart that needs less height stands in the middle
    const own = Math.min(height, chart.ownHeight(width) ?? height)
    const spare = (height - own) / 2
    chart.arrange(figure, width, own)
    const { data, layout } = figure
    const down = (y) => 1 - ((1 - y) * own + spare) / height
    for (const part of [layout.title, layout.legend]) if (part?.y !== undefined) part.y = down(part.y)
    for (const { marker } of data) if (marker?.colorbar) marker.colorbar.y = spare / height
    layout.margin.t += spare
    layout.margin.b += spare
    layout.paper_bgcolor = chart.colors.background
    // a picture cannot use the page's fonts: measure with the one it will be drawn in
    layout.font.family = "sans-serif"
    layout.images = chart.pictures()
    const url = await chart.Plotly.toImage({ data, layout }, { format, width, height, scale: 3 })
    const link = document.createElement("a")
    link.href = url
    link.download = `${chart.fileName()}.${format}`
    link.click()
  })
}
