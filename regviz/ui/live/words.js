/* Words and numbers on a chart, in as much room as there is: widths, ticks, legends, short
   names. */

import { CURVE } from "./decode.js"

/* A name where there is little room: the same words, shorter. */
export function brief(words) {
  return words.replaceAll("regularization", "reg.")
}

/* The entries of a figure's legend as Plotly lays them out: their width in one row, and the rows
   that they need where the legend stands under the title. */
export function legendOf({ data, layout: { legend, font, margin } }, width) {
  const words = `${width < SMALL ? 12 : legend.font.size}px ${font.family}`
  const wide = data.filter((trace) => trace.showlegend !== false && trace.visible !== false)
    .map((trace) => widthOf(trace.name ?? "", words) + legend.itemwidth + 15)
  const most = width - margin.l - margin.r
  let [rows, at] = [1, 0]
  for (const each of wide) {
    if (at > 0 && at + each > most) [rows, at] = [rows + 1, 0]
    at += each
  }
  return { all: wide.reduce((a, b) => a + b, 0), rows }
}

export const SMALL = 480 // pixels of a chart that is to be read on a phone

/* Columns of equal width with a gap in pixels: [left, right] of each, in parts of the plot. */
export function columnsOf(count, width, gap) {
  const part = Math.min(gap / Math.max(1, width), 0.6 / count)
  const each = (1 - part * (count - 1)) / count
  return Array.from({ length: count }, (_, i) => [i * (each + part), i * (each + part) + each])
}

const ruler = document.createElement("canvas").getContext("2d")

/* Width of a text in pixels; the font is as in CSS, "600 13px family". */
export function widthOf(words, font) {
  ruler.font = font
  return ruler.measureText(words).width
}

/* The number for an axis whose ticks lie a step apart. */
function tickText(value, step) {
  const size = Math.abs(value)
  if (size < step / 2) return "0"
  const sign = value < 0 ? "−" : ""
  if (size >= 1e5 || step < 1e-4) return sign + size.toExponential(0).replace("+", "")
  return sign + size.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))
}

/* Round places between low and high whose labels stand clear of each other on that many pixels,
   and reach at most ``over`` pixels beyond the ends: the finest of steps 1, 2, 5, 10, ... where
   that gives several; else 0 with one place to both sides, or to its right; else one place. */
export function clearTicks([low, high], pixels, over, font, most) {
  const span = high - low
  const scale = pixels / span
  const place = (values, step) => {
    const labels = values.map((v) => tickText(v, step))
    const halves = labels.map((words) => widthOf(words, font) / 2)
    const clear = values.every((v, i) =>
      (i === 0 || (v - values[i - 1]) * scale >= halves[i] + halves[i - 1] + 5) &&
      halves[i] - Math.min(v - low, high - v) * scale <= over)
    return clear ? { values, labels } : null
  }
  let lone = { values: [], labels: [] }
  for (let k = 3 * Math.floor(Math.log10(span / most)), tries = 0; tries < 12; k++, tries++) {
    const step = [1, 2, 5][((k % 3) + 3) % 3] * 10 ** Math.floor(k / 3)
    const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)]
    if (last - first + 1 > most) continue
    const found = place(Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step), step)
    if (found?.values.length > 1) return found
    if (found?.values.length === 1) lone = found
  }
  const arm = Math.min(-low, high)
  if (!(arm > 0)) return lone
  const ten = 10 ** Math.floor(Math.log10(arm))
  for (const sides of [[-1, 0, 1], [0, 1]]) {
    for (let digit = Math.floor(arm / ten); digit > 0; digit--) {
      const found = place(sides.map((side) => side * digit * ten), ten)
      if (found) return found
    }
  }
  return lone
}

/* Texts for several places in one manner: ways of writing, each [texts, plain texts, font size].
   The first way in which every text is no wider than its place is written into the notes. */
export function write(notes, ways, widths, weight, family) {
  const fits = ([, plain, size]) => plain.every((words, i) => widthOf(words, `${weight} ${size}px ${family}`) <= widths[i])
  const [texts, , size] = ways.find(fits) ?? ways.at(-1)
  notes.forEach((note, i) => {
    note.text = texts[i]
    note.font.size = size
  })
}

export function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;")
}

export function shown(value) {
  return Number.isFinite(value) ? Number(value).toPrecision(3) : "–"
}

export function lossesAt(c, i, epoch) {
  const { epochs, rows } = c.curves[i]
  let at = epochs.length - 1
  if (epoch !== null) while (at > 0 && epochs[at] > epoch) at -= 1
  if (at < 0 || (epoch !== null && epoch < 1)) return [NaN, NaN]
  return [rows[CURVE.train_loss][at], rows[CURVE.val_loss][at]]
}

export function describeLanes(c, labels, epoch) {
  return labels.map((label, i) => {
    if (!c.curves[i]) return ""
    const [train, validation] = lossesAt(c, i, epoch)
    return `${label}: training loss ${shown(train)}, validation loss ${shown(validation)}`
  }).join("; ")
}
