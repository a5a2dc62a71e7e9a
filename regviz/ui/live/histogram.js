/* One histogram of weights for each layer, the lanes laid over each other, with a bar of exact
   zeros. */

import { guarded } from "./page.js"
import { roundTop, reachOf, histogramTop } from "./info.js"
import { brief, SMALL, columnsOf, clearTicks, write, escaped } from "./words.js"
import { Chart } from "./chart.js"

const HISTOGRAM_PAUSE = 250 // ms
const NARROW = 150 // pixels of a panel

function fewest(ticks) {
  return Math.min(...ticks.map((axis) => axis.values.length))
}

export class Histogram extends Chart {
  constructor(root) {
    super(root)
    this.legendRows = 1
    this.last = 0
    this.reach = []
    this.tops = []
  }

  /* The chart that takes longest to draw and changes least: it is drawn at most four times a second. */
  render(c, picture, skeleton) {
    clearTimeout(this.later)
    const wait = this.last + HISTOGRAM_PAUSE - performance.now()
    if (!skeleton && wait > 0 && !c.scrubbing && !this.sketched && !(c.head?.done && c.at === null)) {
      this.later = setTimeout(() => guarded(() => this.draw(c, c.picture())), wait)
      return
    }
    super.render(c, picture, skeleton)
    if (!this.sketched) this.last = performance.now()
  }

  destroy() {
    clearTimeout(this.later)
    super.destroy()
  }

  /* Panels in a row: how many, where, and their width and gap in pixels. */
  grid(width) {
    const { l, r } = this.skeleton.layout.margin
    const { layers } = this.options
    const inner = width - l - r
    const count = Math.ceil(layers / Math.ceil(layers / SHARED.panelsPerRow))
    const places = columnsOf(count, inner, inner / count < 130 ? 33 : 48)
    const room = (places[0][1] - places[0][0]) * inner
    const gap = count > 1 ? (places[1][0] - places[0][1]) * inner : 48
    return { count, places, room, gap }
  }

  arrange(figure, width, height) {
    if (width < SMALL) figure.data.at(-1).showlegend = false
    super.arrange(figure, width, height)
    const { layout } = figure
    const { layers, log } = this.options
    const { count, places, room, gap } = this.grid(width)
    const narrow = room < NARROW
    const axes = Array.from({ length: layers }, (_, i) => layout[`xaxis${i === 0 ? "" : i + 1}`])
    const { family } = layout.font
    const ticksOf = (size) => axes.map(({ range }) => clearTicks(range, room, Math.min(gap / 2 - 3, 13), `${size}px ${family}`, 5))
    let [size, ticks] = [13, ticksOf(13)]
    if (fewest(ticks) < 3) {
      const small = ticksOf(11)
      if (fewest(small) > fewest(ticks) || room < 60) [size, ticks] = [11, small]
    }
    for (let layer = 0; layer < layers; layer++) {
      const [left, right] = places[layer % count]
      const axis = axes[layer]
      axis.domain = [left, right]
      Object.assign(axis, { tickmode: "array", tickvals: ticks[layer].values, ticktext: ticks[layer].labels })
      axis.tickfont.size = size
      layout.annotations[2 * layer].x = left
      layout.annotations[2 * layer + 1].x = left
      if (!narrow) continue
      const counts = layout[`yaxis${layer === 0 ? "" : layer + 1}`]
      if (gap < 40) counts.tickfont.size = 11
      if (!log && counts.range[1] > 1000) counts.tickformat = "~s" // 5k, as narrow as it gets
    }
  }

  detail(figure, width) {
    if (this.grid(width).room >= NARROW) return
    for (const { type, line, marker } of figure.data.slice(0, 2 * this.options.lanes * this.options.layers)) {
      if (type === "bar") marker.line.width = 0.5
      else line.width = 1.2
    }
  }

  /* Other ranges want other ticks. */
  onZoom() {
    guarded(() => this.render(this.channel, this.channel.picture(), true))
  }

  changed() {
    this.needed = new WeakMap()
  }

  /* The axes that each panel of a picture asks for. */
  needs(picture) {
    const kept = this.needed.get(picture)
    if (kept) return kept
    const { lanes, layers, log } = this.options
    const needs = picture.layers.slice(0, layers).map(({ limit, zeros }, layer) => {
      const { values, shape: [rows, bins] } = picture.counts[layer]
      const step = (2 * limit) / bins
      let top = 1
      let reach = step
      for (let i = 0; i < Math.min(lanes, rows); i++) {
        const own = values.subarray(i * bins, (i + 1) * bins)
        for (const n of own) top = Math.max(top, n)
        reach = Math.max(reach, step * reachOf(own, log ? 0 : 0.003))
      }
      const most = Math.max(...zeros)
      return { reach: reach * SHARED.headroom, top: roundTop(histogramTop(top, most)), most }
    })
    this.needed.set(picture, needs)
    return needs
  }

  fill(figure, c, picture, width = this.frame.clientWidth) {
    const { lanes, layers, log } = this.options
    // scrubbing must not move the axes
    const held = c.sweep !== null || c.scrubbed
    const all = (held ? c.allPictures() : [picture]).map((one) => this.needs(one))
    const calm = c.head.done && !held
    const settle = (old, need) => (c.sweep || (calm && need < 0.6 * old) ? need : Math.max(old ?? 0, need))
    for (let layer = 0; layer < Math.min(layers, picture.layers.length); layer++) {
      const { values, shape: [rows, bins] } = picture.counts[layer]
      const { limit, zeros } = picture.layers[layer]
      const step = (2 * limit) / bins
      for (let i = 0; i < Math.min(lanes, rows); i++) {
        const x = []
        const y = []
        for (let k = 0; k < bins; k++) {
          x.push(-limit + k * step)
          y.push(log ? Math.max(values[i * bins + k], 0.5) : values[i * bins + k])
        }
        x.push(limit)
        y.push(log ? 0.5 : 0)
        Object.assign(figure.data[2 * (lanes * layer + i)], { x, y })
      }
      const [reach, top, most] = ["reach", "top", "most"].map((what) => Math.max(...all.map((needs) => needs[layer]?.[what] ?? 0)))
      this.reach[layer] = settle(this.reach[layer], reach)
      this.tops[layer] = settle(this.tops[layer], top)
      const bar = this.reach[layer] / SHARED.zerosBar
      for (let i = 0; i < lanes; i++) {
        Object.assign(figure.data[2 * (lanes * layer + i) + 1], {
          x: [0], y: [zeros[i] || null], width: [bar], offset: [bar * (i - lanes / 2)],
        })
      }
      const n = layer === 0 ? "" : layer + 1
      figure.layout[`xaxis${n}`].range = [-this.reach[layer], this.reach[layer]]
      figure.layout[`yaxis${n}`].range = log
        ? [Math.log10(0.5), Math.log10(Math.max(this.tops[layer], most) * 1.5)]
        : [0, this.tops[layer]]
    }
    this.headings(figure, picture.layers.slice(0, layers), width)
  }

  /* Above each panel its name and its exact zeros, in as many words as there is room for. */
  headings(figure, layers, width) {
    const { labels } = this.options
    const { count, room, gap } = this.grid(width)
    const { font: { family }, annotations, margin } = figure.layout
    const widths = layers.map((_, i) => room + (i % count === count - 1 ? margin.r - 2 : gap - 8))
    const notes = (k) => layers.map((_, i) => annotations[2 * i + k])
    const names = layers.map(({ name }) => name)
    const bold = names.map((name) => `<b>${escaped(name)}</b>`)
    const sizes = layers.map(({ shape: [inputs, units] }) => `  ${inputs}×${units}`)
    write(notes(0), [
      [bold.map((b, i) => b + sizes[i]), names.map((n, i) => n + sizes[i]), 14],
      [bold, names, 14],
      [bold, names, 11],
    ], widths, 700, family)
    const tint = (i) => this.colors.lanes[i % this.colors.lanes.length]
    const zeros = (before, size, { named = null, of = false, ...style } = {}) => {
      const tell = (n) => n.toLocaleString("en", style)
      const written = layers.map((layer) => {
        const each = layer.zeros.slice(0, labels.length).map((n, i) => [named ? `${named(labels[i])} ` : "", tell(n)])
        const after = of ? ` of ${tell(layer.size[0])}` : ""
        return [
          before + each.map(([who, n], i) => `<span style="color:${tint(i)}">${escaped(who)}<b>${n}</b></span>`).join(", ") + after,
          before + each.map((words) => words.join("")).join(", ") + after,
        ]
      })
      return [written.map(([html]) => html), written.map(([, plain]) => plain), size]
    }
    write(notes(1), [
      zeros("exact zeros: ", 13, { named: String, of: true }),
      zeros("exact zeros: ", 13, { named: brief, of: true }),
      zeros("exact zeros: ", 13, { of: true }),
      zeros("zeros ", 13),
      zeros("zeros ", 13, { notation: "compact" }),
      zeros("zeros ", 11, { notation: "compact" }),
      zeros("", 11, { notation: "compact" }),
    ], widths, 600, family)
  }
}
