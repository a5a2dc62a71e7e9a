/* Points that are drawn by hand into a boundary, with what can be taken back, and the tools for
   it. */

import { element, setText } from "./page.js"
import { pointOf } from "./decode.js"
import { turns, arranged } from "./info.js"

export const FRESH = 150 // ms: points that were drawn so lately are sketched
export const SEND = 100 // ms: what is drawn in quick succession goes to the server at once
export const REACH = 14 // pixels around a point in which it is erased
export const ERASE = 2

/* Points that are being drawn. They are here before the server has them; with another page in
   between they are kept. */
export class Drawing {
  constructor({ start, least, each }) {
    this.points = start
    this.past = []
    this.version = 0
    this.tool = 0
    this.at = -Infinity
    this.limits = [least, each]
    this.unsent = false
    this.blank = !this.complete // no run has been on them: nothing may stand under them
  }

  get complete() {
    const [least, each] = this.limits
    const ones = this.points.filter((p) => p[2] === 1).length
    return this.points.length >= least && Math.min(ones, this.points.length - ones) >= each
  }

  change(points) {
    this.past.push(this.points)
    if (this.past.length > 500) this.past.shift()
    this.become(points)
  }

  undo() {
    if (this.past.length > 0) this.become(this.past.pop())
  }

  become(points) {
    this.points = points
    this.version += 1
    this.at = performance.now()
    this.unsent = true
    this.blank ||= !this.complete
  }

  erase(i) {
    const sides = [[], []]
    turns(this.points.length, this.fraction).forEach((turn, k) => {
      if (k !== i) sides[turn ? 1 : 0].push(this.points[k])
    })
    this.change(arranged(...sides, this.fraction))
  }

  get fresh() {
    return performance.now() - this.at < FRESH
  }

  /* Whether these are the points that the run shown is on. */
  trained(c) {
    const set = c.points?.sets[c.viewOf?.[0] ?? 0]
    if (!set || set.kind.length !== this.points.length) return false
    const [a, b, d, e] = set.extent
    const [x, y] = this.points.reduce((s, p) => [s[0] + p[0], s[1] + p[1]], [0, 0])
    let [u, v] = [0, 0]
    for (let k = 0; k < set.kind.length; k++) {
      const point = pointOf(set, k)
      u += point.x
      v += point.y
    }
    const near = (one, other, span) => Math.abs(one - other) <= (set.kind.length * span) / SHARED.places
    return near(x, u, b - a) && near(y, v, e - d)
  }
}

/* The tools over a boundary: what a click does, what can be taken back, and how many points there
   are. */
export class DrawingTools {
  constructor(drawing, { names, about, most }, colors, { redraw, done }) {
    Object.assign(this, { drawing, about, most })
    this.box = element("div", "rv-tools")
    Object.assign(this.box, { role: "toolbar", ariaLabel: "Draw points" })
    const pick = (tool) => { drawing.tool = tool }
    this.picks = [
      ...names.map((name, k) => this.button(name, `Click in the plot to add a point of ${name}`, () => pick(k))),
      this.button("Erase", "Click a point to remove it, or Shift-click with any tool", () => pick(ERASE)),
    ]
    names.forEach((_, k) => {
      const dot = element("i", "")
      dot.style.background = colors[k]
      this.picks[k].prepend(dot)
    })
    element("span", "rv-tools-gap", this.box)
    this.undoing = this.button("Undo", "Undo the last change", () => { drawing.undo(); redraw() })
    this.clearing = this.button("Clear", "Remove all points", () => { drawing.change([]); redraw() })
    this.button("Done", "Finish drawing and keep the points", done)
    this.count = element("span", "rv-tools-count", this.box)
    this.count.setAttribute("role", "status")
    this.tell()
  }

  button(words, title, press) {
    const made = element("button", "", this.box)
    Object.assign(made, { type: "button", title, onclick: () => { press(); this.tell() } })
    made.append(words)
    return made
  }

  tell() {
    const { points, tool, past, complete } = this.drawing
    this.picks.forEach((button, k) => { button.ariaPressed = String(k === tool) })
    this.undoing.disabled = past.length === 0
    this.clearing.disabled = points.length === 0
    const n = `${points.length} point${points.length === 1 ? "" : "s"}`
    setText(this.count, complete ? `${n}${points.length >= this.most ? ", the maximum" : ""}` : `${n}: ${this.about}`)
  }

  remove() {
    this.box.remove()
  }
}
