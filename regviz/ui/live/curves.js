/* The curves of loss or accuracy, with marks of best epochs, stops and divergence, and the epoch
   that the scrubber points at. */

import { CURVE } from "./decode.js"
import { roundTop, marksOf } from "./info.js"
import { shown, describeLanes } from "./words.js"
import { Chart } from "./chart.js"

const SIZES = { best: 15, stop: 10, diverged: 13 } // pixels of a mark

export class LossCurves extends Chart {
  constructor(root) {
    super(root)
    this.legendRows = 2
    this.top = SHARED.lossRange[1]
    this.bottom = SHARED.logLossRange[0]
    this.floor = SHARED.accuracyRange[0]
  }

  changed() {
    const axes = `${this.options.accuracy}${this.options.log}`
    if (axes !== this.axes) delete this.zoomed.yaxis
    this.axes = axes
  }

  /* Rows of a curve that are drawn. */
  rows() {
    const { accuracy, trainMode } = this.options
    if (accuracy) return [CURVE.train_accuracy, CURVE.val_accuracy]
    const losses = [CURVE.train_loss, CURVE.val_loss]
    return trainMode ? [...losses, CURVE.train_loss_train_mode] : losses
  }

  draws(v) {
    return Number.isFinite(v) && (!this.options.log || v > 0)
  }

  /* Least and largest of what is drawn; a diverged lane leaves through the top instead of
     flattening its neighbours. */
  span(lanes, curves) {
    let [low, high, highest] = [Infinity, 0, 0]
    lanes.slice(0, this.options.lanes).forEach((lane, i) => {
      for (const row of this.rows()) {
        for (const v of curves[i].rows[row]) {
          if (!this.draws(v)) continue
          low = Math.min(low, v)
          highest = Math.max(highest, v)
          if (lane.status !== "diverged") high = Math.max(high, v)
        }
      }
    })
    return { low, high, highest }
  }

  /* The same over all that the scrubber can show. */
  spanOf(c) {
    const { accuracy, log, trainMode, lanes } = this.options
    if (!c.sweep) {
      const { low, high, highest } = this.span(c.head.lanes, c.curves)
      const anyAlive = c.head.lanes.some((lane) => lane.status !== "diverged")
      return { low, high: anyAlive ? high : highest }
    }
    const { sweep } = c
    const asked = `${accuracy}${log}${trainMode}${lanes}`
    if (this.swept?.sweep !== sweep.entries || this.swept.asked !== asked) {
      const spans = sweep.entries.map(({ head, curves }) => this.span(head.lanes, curves))
      const high = Math.max(...spans.map((span) => span.high)) || Math.max(...spans.map((span) => span.highest))
      this.swept = { sweep: sweep.entries, asked, low: Math.min(...spans.map((span) => span.low)), high }
    }
    return this.swept
  }

  fill(figure, c) {
    const { accuracy } = this.options
    const rows = accuracy ? this.rows() : [CURVE.train_loss, CURVE.val_loss, CURVE.train_loss_train_mode]
    c.head.lanes.slice(0, this.options.lanes).forEach((lane, i) => {
      const { epochs, rows: values } = c.curves[i]
      rows.forEach((row, k) => {
        const y = Array.from(values[row], (v) => (this.draws(v) ? v : null))
        const mode = y.filter((v) => v !== null).length < SHARED.few ? "lines+markers" : "lines"
        Object.assign(figure.data[4 * i + k], { x: epochs, y, mode })
        figure.data[4 * i + k].line.simplify = false // as sketches are drawn
      })
      const validation = figure.data[4 * i + 1].y
      const events = []
      const name = this.options.labels[i]
      for (const [epoch, kind, says] of marksOf(lane)) {
        const at = epochs.indexOf(epoch)
        if (at < 0 || validation[at] === null) continue
        events.push([epoch, validation[at], SHARED.symbols[kind], SIZES[kind], `${name}: ${says}`])
      }
      if (lane.stopped > 0) {
        Object.assign(figure.layout.shapes[i], { x0: lane.stopped, x1: lane.stopped, visible: true })
      }
      if (lane.status === "diverged") {
        const [train, other] = lane.end.map((v) => (v === null ? "not finite" : v < 1000 ? shown(v) : v.toExponential(1)))
        const words = `${name}: diverged in epoch ${lane.epoch}, training loss ${train}, validation loss ${other}`
        events.push([lane.epoch, accuracy ? validation.at(-1) ?? null : null, SHARED.symbols.diverged, SIZES.diverged, words])
      }
      const marks = figure.data[4 * i + 3]
      marks.x = events.map((e) => e[0])
      marks.y = events.map((e) => e[1])
      marks.marker.symbol = events.map((e) => e[2])
      marks.marker.size = events.map((e) => e[3])
      marks.text = events.map((e) => e[4])
    })
    const all = c.sweep ? c.sweep.entries.flatMap((entry) => entry.head.lanes) : c.head.lanes
    figure.data.at(-2).showlegend = all.some((lane) => lane.stopped > 0)
    figure.data.at(-1).showlegend = all.some((lane) => lane.status === "diverged")
    const { low, high } = this.spanOf(c)
    this.range(figure.layout.yaxis, c, high, low)
  }

  /* The cross of a lane that left through the top stands at the top edge; where crosses would lie
     on each other, one under the other. */
  detail(figure, width, height) {
    const { xaxis, yaxis, margin } = figure.layout
    const perEpoch = (width - margin.l - margin.r) / (xaxis.range[1] - xaxis.range[0])
    const perPixel = (yaxis.range[1] - yaxis.range[0]) / Math.max(1, height - margin.t - margin.b)
    const above = []
    for (let i = 0; i < this.options.lanes; i++) {
      const { x, y } = figure.data[4 * i + 3]
      y.forEach((v, k) => {
        if (v !== null) return
        const row = above.filter((epoch) => Math.abs(epoch - x[k]) * perEpoch < 16).length
        above.push(x[k])
        const at = yaxis.range[1] - (8 + 15 * row) * perPixel
        y[k] = this.options.log ? 10 ** at : at
      })
    }
  }

  range(axis, c, high, low) {
    if (this.options.accuracy) {
      const [usual, end] = SHARED.accuracyRange
      this.floor = Number.isFinite(low) ? Math.min(c.run === this.floorRun ? this.floor : usual, Math.floor(low * 10) / 10) : usual
      this.floorRun = c.run
      axis.range = [Math.max(0, this.floor), end]
      return
    }
    // The end moves in steps, and only outwards while a run goes on, so that nothing jitters.
    const need = roundTop(Math.min(high || 1, 1000))
    this.top = Math.max(this.top, need)
    if (c.sweep) this.top = need
    if (c.head.done && need < 0.7 * this.top) this.top = need
    if (!this.options.log) {
      axis.range = [0, this.top]
      return
    }
    const down = Number.isFinite(low) ? Math.floor(Math.log10(low) * 2) / 2 : SHARED.logLossRange[0]
    this.bottom = c.run === this.bottomRun && !c.sweep ? Math.min(this.bottom, down) : Math.min(-1, down)
    this.bottomRun = c.run
    axis.range = [Math.max(SHARED.leastLogLoss, this.bottom), Math.log10(this.top)]
  }

  placed() {
    const { at } = this.channel
    const { xaxis, yaxis } = this.gd._fullLayout ?? {}
    const [a, b] = xaxis?.range ?? [0, 0]
    if (!xaxis || at === null || at < a || at > b) {
      this.cursor.style.display = "none"
      return
    }
    Object.assign(this.cursor.style, {
      display: "block",
      left: `${xaxis._offset + ((at - a) / (b - a)) * xaxis._length - 1}px`,
      top: `${yaxis._offset}px`,
      height: `${yaxis._length}px`,
    })
    this.cursor.dataset.epoch = at
  }

  render(c, picture, skeleton) {
    // moving the scrubber over epochs moves the cursor only; the curves stay as they are
    if (!skeleton && c.head === this.drawn && !(this.sketched && !c.scrubbing)) {
      this.placed()
      return
    }
    this.drawn = c.head
    super.render(c, picture, skeleton)
    if (c.head?.done && !this.sketched) this.summary.textContent = describeLanes(c, this.options.labels, null)
  }
}
