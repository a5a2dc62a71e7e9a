/* Figures that come whole from the server, as heat maps and comparisons do, and are drawn in
   place. */

import { guarded, equal, element } from "./page.js"
import { reachOf, histogramTop } from "./info.js"
import { legendOf } from "./words.js"
import { Chart } from "./chart.js"

/* A figure that comes whole from the server, and is drawn in place. */
export class Figure extends Chart {
  constructor(root) {
    super(root)
    this.whole = true // it follows no frames
    this.theirs = new WeakMap() // bytes of a figure -> the figure
    this.needed = new WeakMap()
    this.cursors = []
  }

  changed() {
    this.drawn = null
    this.gd.classList.toggle("rv-clickable", this.options.click)
  }

  figure() {
    const bytes = this.channel.figures.get(this.options.name)?.[this.theme]
    if (bytes === undefined) return this.skeleton
    if (!this.theirs.has(bytes)) this.theirs.set(bytes, JSON.parse(new TextDecoder().decode(bytes)))
    const figure = this.theirs.get(bytes)
    const { family } = this.skeleton.layout.font
    figure.layout.font = { ...figure.layout.font, family }
    return figure
  }

  still() {
    const figure = structuredClone(this.figure())
    this.follow(figure)
    return figure
  }

  fileName() {
    return this.figure().layout.meta?.file ?? super.fileName()
  }

  arrange(figure, width, height) {
    for (const axis of Object.keys(this.zoomed)) figure.layout[axis] ??= {} // a server's figure may leave out an axis
    const { layout } = figure
    const { legend } = layout
    if (!layout.meta?.beside && legend?.yref === "container" && layout.height) {
      // as many pixels under the top as in the height it was made for
      legend.y = 1 - ((1 - legend.y) * layout.height) / height
      // Plotly makes room for more rows, but not for the panels' titles between them and the panels
      if (layout.annotations?.some(({ y, yref, yanchor }) => y === 1 && yref === "paper" && yanchor === "bottom")) {
        const { size } = layout.font
        const { rows } = legendOf({ data: figure.data, layout: { ...layout, legend: { itemwidth: 30, font: { size } } } }, width)
        layout.margin.t += (rows - 1) * (1.5 * size + (legend.tracegroupgap ?? 10))
      }
    }
    super.arrange(figure, width, height)
  }

  reset() {
    this.zoomed = {}
    guarded(() => this.render(this.channel, null, true))
  }

  render(c, picture, skeleton) {
    const figure = this.figure()
    const own = c.figures.get(this.options.name)?.[this.theme] ?? null
    const at = this.options.follows === "weights" && c.scrubbed ? c.picture() : null
    if (this.options.follows === "epoch") this.placed()
    const same = own !== null && this.drawn !== null && equal(own, this.drawn) && at === this.at
    if (!skeleton && same && !(this.sketched && !c.scrubbing)) return
    this.drawn = own
    this.at = at
    this.summary.textContent = figure.layout.meta?.alt ?? ""
    const copy = structuredClone(figure)
    delete copy.layout.uirevision // this.zoomed holds what was zoomed
    this.follow(copy)
    if (!skeleton && at !== null && c.scrubbing && guarded(() => this.sketch(copy))) return
    this.react(copy)
  }

  /* What a histogram's axes must hold for a picture. */
  needs(picture) {
    const kept = this.needed.get(picture)
    if (kept) return kept
    const { limit, zeros } = picture.pooled
    const { values, shape: [rows, bins] } = picture.weights
    const step = (2 * limit) / bins
    const lanes = Array.from({ length: rows }, (_, i) => values.subarray(i * bins, (i + 1) * bins))
    const reach = Math.max(SHARED.leastBins * step, ...lanes.map((own) => step * reachOf(own, SHARED.outside)))
    let top = 1
    for (const n of values) top = Math.max(top, n)
    top = SHARED.weightsRoom * histogramTop(top, Math.max(...zeros))
    this.needed.set(picture, { reach, top })
    return this.needed.get(picture)
  }

  /* Put the weights of the picture that the scrubber points at into a figure of histograms, as
     regviz/figures/comparisons.py draws them; its axes hold all pictures and stand still. */
  follow(figure) {
    const c = this.channel
    const picture = this.options.follows === "weights" && c.scrubbed ? c.picture() : null
    if (!picture?.weights) return
    const { limit, zeros, size } = picture.pooled
    const { values, shape: [rows, bins] } = picture.weights
    const all = c.allPictures().filter((one) => one.weights).map((one) => this.needs(one))
    const [reach, top] = ["reach", "top"].map((what) => Math.max(...all.map((need) => need[what])))
    const x = Array.from({ length: bins + 1 }, (_, k) => -limit + (2 * limit * k) / bins)
    for (let i = 0; i < rows; i++) {
      figure.data[2 * i].x = x
      figure.data[2 * i].y = [...values.subarray(i * bins, (i + 1) * bins), 0]
      const width = reach / SHARED.zerosBar
      Object.assign(figure.data[2 * i + 1], { x: [0], y: [zeros[i]], width: [width], offset: [-width / 2] })
      const share = zeros[i] ? ` (${Math.round((100 * zeros[i]) / size[i])} %)` : ""
      figure.layout.annotations[rows + i].text = `exact zeros: ${zeros[i].toLocaleString("en")}${share}`
      const n = i === 0 ? "" : i + 1
      figure.layout[`xaxis${n}`].range = [-reach, reach]
      const log = figure.layout[`yaxis${n}`].type === "log"
      figure.layout[`yaxis${n}`].range = log ? [SHARED.weightsFloor, Math.log10(2 * top)] : [0, top]
    }
  }

  /* The epoch that the scrubber points at, in each panel. */
  placed() {
    const full = this.options?.follows === "epoch" ? this.gd._fullLayout : undefined
    const { at } = this.channel
    const panels = Object.keys(full ?? {}).filter((name) => /^xaxis\d*$/.test(name))
    panels.forEach((name, i) => {
      const cursor = (this.cursors[i] ??= element("div", "rv-cursor rv-low", this.frame))
      const axis = full[name]
      const { _offset: top, _length: height } = full.yaxis
      const inside = at !== null && at >= axis.range[0] && at <= axis.range[1]
      cursor.style.display = inside ? "block" : "none"
      if (!inside) return
      const left = axis._offset + ((at - axis.range[0]) / (axis.range[1] - axis.range[0])) * axis._length - 1
      Object.assign(cursor.style, { left: `${left}px`, top: `${top}px`, height: `${height}px` })
      cursor.dataset.epoch = at
    })
    for (const cursor of this.cursors.slice(panels.length)) cursor.style.display = "none"
  }

  listen() {
    super.listen()
    this.gd.on("plotly_click", ({ points }) => {
      const point = points?.[0]
      if (!point || !this.options.click) return
      const plain = (v) => (ArrayBuffer.isView(v) || Array.isArray(v) ? Array.from(v, plain) : v ?? null)
      this.tell?.("clicked", {
        curveNumber: point.curveNumber,
        pointNumber: plain(point.pointNumber ?? point.pointIndex),
        x: plain(point.x), y: plain(point.y), customdata: plain(point.customdata),
      })
    })
  }
}
