/* Decision boundaries side by side on canvases under Plotly's axes, their difference, and the
   points on them. */

import { core, guarded, equal } from "./page.js"
import { pointOf } from "./decode.js"
import { ramp } from "./theme.js"
import { turns, blurred, contour } from "./info.js"
import { brief, legendOf, columnsOf, widthOf, write, escaped } from "./words.js"
import { sketchTitles } from "./sketch.js"
import { Chart } from "./chart.js"
import { tile, classTile, paintPanel } from "./tiles.js"
import { FRESH, SEND, REACH, ERASE, Drawing, DrawingTools } from "./drawing.js"

const PANEL_GAP = 26
const LEVELS = SHARED.levels

/* A name in a template of Plotly's, which fills in what is in braces. */
function literal(name) {
  return escaped(name).replaceAll("%{", "%\u200b{")
}

function placeOn({ range }, part) {
  return range[0] + part * (range[1] - range[0])
}

function pixelsOf({ _length, range }) {
  return _length / (range[1] - range[0])
}

/* A bar of colours under panels, from the first to the last of them. */
function putUnder([left], [, right], { marker: { colorbar } }) {
  colorbar.x = (left + right) / 2
  colorbar.len = Math.min(0.75 * (right - left), 0.5)
}

export class Boundary extends Chart {
  constructor(root) {
    super(root)
    this.prompt = true
    this.canvas.style.zIndex = 0
    this.tiles = []
    this.nothing = false
    this.pen = null
    const { signal } = this.abort
    let from = null
    this.gd.addEventListener("pointerdown", (event) => {
      const aside = event.target.closest?.(".modebar, .legend") ?? null
      from = this.pen && event.button === 0 && aside === null ? event : null
    }, { signal, capture: true })
    window.addEventListener("pointercancel", () => { from = null }, { signal }) // the page scrolls
    // Plotly lays something over the page while the pointer is down
    window.addEventListener("pointerup", (event) => {
      const start = from
      from = null
      if (start === null || Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > 5) return
      guarded(() => this.clicked(start))
    }, { signal, capture: true })
  }

  changed() {
    this.response = ramp(this.colors.response, LEVELS + 1)
    this.difference = ramp(this.colors.difference, 2 * LEVELS + 1)
    this.areas = this.colors.areas.map((color) => ramp([this.colors.response[1], color], LEVELS + 1))
    this.same = ramp(this.colors.difference.slice(1), 2)
    this.kinds = this.options.classes?.length ?? 2
    this.nameClasses()
    this.painted = new WeakMap() // picture -> its tiles
    const { drawing: asked } = this.options
    if (asked && !core.drawings.has(asked.id)) core.drawings = new Map([[asked.id, new Drawing(asked)]])
    this.pen = asked ? core.drawings.get(asked.id) : null
    if (this.pen) this.pen.fraction = asked.fraction
    this.skeleton.layout.dragmode = this.pen ? false : "zoom"
    this.gd.classList.toggle("rv-drawing", this.pen !== null)
    this.drawTools()
    if (this.pen?.unsent) this.sendSoon()
  }

  /* Names of the user's classes and columns: short in the legend, in full in tooltips. */
  nameClasses() {
    const { classes, names, whole, columns, lanes } = this.options
    const short = classes ?? names
    const { data } = this.skeleton
    for (let i = 0; i < 2 * lanes * this.kinds; i++) {
      const [trace, k] = [data[i], i % this.kinds]
      const named = (text, name) => text.replace(`class ${k}`, () => name)
      if (short) {
        const rest = classes ? "" : named(trace.name, "")
        trace.name = escaped(short[k]) + rest
        trace.hovertemplate = trace.hovertemplate.replace("%{fullData.name}", () => literal(whole[k]) + rest)
      }
      columns?.forEach((name, axis) => {
        trace.hovertemplate = trace.hovertemplate.replace(SHARED.inputs[axis], () => literal(name))
      })
    }
    for (const { marker } of names ? data.slice(2 * lanes * this.kinds) : []) {
      const title = marker?.colorbar?.title
      if (title?.text) title.text = title.text.replace("class 1", () => escaped(names[1]))
    }
  }

  // --- drawing points

  drawTools() {
    this.tools?.remove()
    this.tools = null
    if (!this.pen) return
    const redraw = () => this.redraw()
    const done = () => this.send(true)
    this.tools = new DrawingTools(this.pen, this.options.drawing, this.colors.classes, { redraw, done })
    this.root.insertBefore(this.tools.box, this.frame)
  }

  /* The panel under a place on the page, and the place in its coordinates. */
  panelAt({ clientX, clientY }) {
    const { left, top } = this.frame.getBoundingClientRect()
    const layout = this.gd._fullLayout
    for (let i = 0; i < this.panels(); i++) {
      const n = i === 0 ? "" : i + 1
      const [x, y] = [layout?.[`xaxis${n}`], layout?.[`yaxis${n}`]]
      if (!x || !y) continue
      const [u, v] = [(clientX - left - x._offset) / x._length, 1 - (clientY - top - y._offset) / y._length]
      if (u < 0 || u > 1 || v < 0 || v > 1) continue
      return { x, y, place: [placeOn(x, u), placeOn(y, v)] }
    }
    return null
  }

  clicked(event) {
    const found = this.pen && this.panelAt(event)
    if (!found) return
    const drawing = this.pen
    const [u, v] = found.place
    if (drawing.tool === ERASE || event.shiftKey) {
      const [kx, ky] = [pixelsOf(found.x), pixelsOf(found.y)]
      const far = drawing.points.map((p) => Math.hypot((p[0] - u) * kx, (p[1] - v) * ky))
      const nearest = far.indexOf(Math.min(...far))
      if (nearest < 0 || far[nearest] > REACH) return
      drawing.erase(nearest)
    } else {
      if (drawing.points.length >= this.options.drawing.most) return
      drawing.change([...drawing.points, [...[u, v].map((at) => Number(at.toPrecision(5))), drawing.tool]])
    }
    this.tools.tell()
    this.redraw()
  }

  redraw() {
    this.render(this.channel, this.channel.picture(), false)
    clearTimeout(this.settling)
    const settle = () => this.draw(this.channel, this.channel.picture())
    this.settling = setTimeout(() => guarded(settle), FRESH + 10)
    this.sendSoon()
  }

  sendSoon() {
    clearTimeout(this.sending)
    this.sending = setTimeout(() => this.send(false), SEND)
  }

  send(done) {
    const drawing = this.pen
    clearTimeout(this.sending)
    if (!drawing || !(done || drawing.complete)) return
    drawing.unsent = false
    this.tell?.("drawn", { id: this.options.drawing.id, points: drawing.points, done })
  }

  destroy() {
    clearTimeout(this.sending)
    clearTimeout(this.settling)
    this.tools?.remove()
    super.destroy()
  }

  panels() {
    return this.options.lanes + (this.options.difference ? 1 : 0)
  }

  render(c, picture, skeleton) {
    this.shown = picture
    if (picture !== null) this.paintTiles(c, picture)
    const nothing = picture !== null && picture.boundaries.slice(0, this.options.lanes).every((b) => !b)
    if (nothing !== this.nothing) {
      this.nothing = nothing
      this.frame.style.height = `${this.height()}px`
      this.points = null
    }
    const drawing = this.pen
    this.theirs = drawing === null || drawing.trained(c)
    if (drawing !== null && drawing.blank && drawing.complete && this.theirs) drawing.blank = false
    const points = JSON.stringify([c.points?.version, c.extents, c.viewOf, drawing?.version, drawing?.blank, this.theirs])
    if (!skeleton && picture !== null && points === this.points) {
      // the points stay: only the picture under them is new, and perhaps a title
      const titles = structuredClone(this.skeleton.layout.annotations)
      this.headings(titles, c, picture)
      sketchTitles(this.gd, titles)
      this.gd.classList.remove("rv-sketching")
      this.sketched = false
      this.placed()
      return
    }
    if (!skeleton && drawing?.fresh && picture !== null) {
      const figure = structuredClone(this.skeleton)
      this.fill(figure, c, picture)
      if (guarded(() => this.sketch(figure))) {
        this.placed()
        return
      }
    }
    super.render(c, picture, skeleton)
    if (this.sketched) this.placed()
    else this.points = points
  }

  react(figure) {
    // Plotly would go back to ranges that axes of equal aspect had before these
    const full = this.gd._fullLayout ?? {}
    for (const name of Object.keys(full)) if (/^[xy]axis\d*$/.test(name)) delete full[name]._inputRange
    super.react(figure)
  }

  /* As high as the panels are with equal aspect on this width, the given height at most. */
  height() {
    if (this.nothing) return 160
    return Math.min(Math.max(super.height(), 320), this.ownHeight(this.frame.clientWidth))
  }

  ownHeight(width) {
    const { layout } = this.skeleton
    const { l, r, b } = layout.margin
    const { beside } = layout.meta
    const t = this.manyRows(width)?.top ?? (width >= beside.from ? beside.top : layout.margin.t)
    const [x0, x1, y0, y1] = this.box ?? [...layout.xaxis.range, ...layout.yaxis.range]
    const [left, right] = columnsOf(this.panels(), width - l - r, PANEL_GAP)[0]
    const tall = ((right - left) * (width - l - r) * (y1 - y0)) / (x1 - x0)
    return Math.round(Math.max(tall, 120) + t + b)
  }

  /* Where the legend does not fit beside the title, it stands under it, in as many rows as it
     needs: the margin that this takes, or null. */
  manyRows(width) {
    const { legend, margin, meta } = this.skeleton.layout
    const { all, rows } = legendOf(this.skeleton, width)
    if (width >= meta.beside.from && all <= width - meta.beside.left) return null
    return { top: margin.t + (rows - 1) * 1.5 * legend.font.size }
  }

  /* Above each panel its name, in as many words as there is room for. */
  headings(annotations, c, picture, width = this.frame.clientWidth) {
    const { l, r } = this.skeleton.layout.margin
    const { family } = this.skeleton.layout.font
    const [left, right] = columnsOf(this.panels(), width - l - r, PANEL_GAP)[0]
    const room = (right - left) * (width - l - r) + PANEL_GAP - 6
    const apart = this.options.difference ? this.painted.get(picture)?.apart : undefined
    const names = [...this.laneTitles(c, picture), ...(this.options.difference ? this.apartTitles(apart) : [])]
    const { size } = this.skeleton.layout.annotations[0].font
    const ways = names[0].flatMap((_, way) => [size, 0.8 * size].map((each) => {
      const plain = names.map((name) => name[way])
      return [plain.map((words) => `<b>${escaped(words)}</b>`), plain, each]
    }))
    write(annotations.slice(0, names.length), ways, names.map(() => room), 700, family)
  }

  apartTitles(apart) {
    const { labels, classes } = this.options
    const several = classes !== null && classes !== undefined && classes.length > 2
    const sign = apart === undefined && !several ? "−" : "≠"
    const share = apart > 0 && apart < 0.005 ? "<1" : Math.round(100 * apart)
    const on = apart === undefined ? "" : ` on ${share}%`
    const whole = `${labels.at(-1)} ${sign} ${labels[0]}${on}`
    return [[whole, brief(whole), `difference${on}`]]
  }

  laneTitles(c, picture) {
    return this.options.labels.map((label, i) => {
      const lane = c.head?.lanes[i]
      const gone = lane?.status === "diverged"
      const best = picture?.restored[i] && c.at === null
      const whole = `${label}${gone ? " · diverged" : best ? ` · best epoch ${lane.best}` : ""}`
      return [whole, brief(whole), brief(label)]
    })
  }

  arrange(figure, width, height) {
    super.arrange(figure, width, height)
    const { l, r } = figure.layout.margin
    if (!this.shown) this.headings(figure.layout.annotations, this.channel, null, width)
    const rows = this.manyRows(width)
    if (rows) {
      const { layout } = this.skeleton
      Object.assign(figure.layout.legend, { x: 0, y: 1 - ((1 - layout.legend.y) * layout.height) / height })
      figure.layout.margin.t = rows.top
    }
    const { lanes } = this.options
    const bar = 2 * this.kinds * lanes
    const places = columnsOf(this.panels(), width - l - r, PANEL_GAP)
    places.forEach(([left, right], i) => {
      figure.layout[`xaxis${i === 0 ? "" : i + 1}`].domain = [left, right]
      figure.layout.annotations[i].x = (left + right) / 2
    })
    putUnder(places[0], places[lanes - 1], figure.data[bar])
    this.fitAxisTitles(figure.layout, places, width - l - r)
    if (!this.options.difference) return
    putUnder(places[lanes], places[lanes], figure.data[bar + 1])
    const [left, right] = places[lanes]
    // the full name would leave no room for a short bar
    const { title } = figure.data[bar + 1].marker.colorbar
    if ((right - left) * (width - l - r) < 190 && title.text) title.text = " Δ"
  }

  /* A column's name along an axis, as long as the panel: one that ran on would lie over the next. */
  fitAxisTitles(layout, places, across) {
    const { axes } = this.options
    if (!axes) return
    const { range: [x0, x1] } = layout.xaxis
    const { range: [y0, y1] } = layout.yaxis
    const wide = (places[0][1] - places[0][0]) * across
    const fitted = (axis, name, room) => {
      if (!axis?.title?.text) return
      const font = `${axis.title.font?.size ?? layout.font.size ?? 14}px ${layout.font.family}`
      const bare = name.replace(/ \(standardized\)$/, "")
      const letters = [...bare]
      const shorter = letters.map((_, k) => `${letters.slice(0, letters.length - 1 - k).join("").trimEnd()}…`)
      const words = [name, bare, ...shorter].find((text) => widthOf(text, font) <= room) ?? "…"
      axis.title.text = escaped(words)
    }
    places.forEach((_, i) => fitted(layout[`xaxis${i === 0 ? "" : i + 1}`], axes[0], wide))
    fitted(layout.yaxis, axes[1], wide * Math.abs((y1 - y0) / (x1 - x0)) + 30)
  }

  fill(figure, c, picture, width) {
    this.headings(figure.layout.annotations, c, picture, width)
    if (!c.extents) return
    const drawing = this.pen
    const shown = drawing ? [...c.extents, this.options.drawing.plane] : c.extents
    const [x0, x1, y0, y1] = shown.reduce((a, e) => [
      Math.min(a[0], e[0]), Math.max(a[1], e[1]), Math.min(a[2], e[2]), Math.max(a[3], e[3])])
    const home = JSON.stringify([x0, x1, y0, y1])
    if (home !== this.home) this.zoomed = {} // other data: an old zoom could show an empty region
    this.home = home
    this.box = [x0, x1, y0, y1]
    this.frame.style.height = `${this.height()}px`
    for (let i = 0; i < this.panels(); i++) {
      const n = i === 0 ? "" : i + 1
      figure.layout[`xaxis${n}`].range = [x0, x1]
      figure.layout[`yaxis${n}`].range = [y0, y1]
    }
    if (!c.points || !this.options.points) return
    const turn = this.theirs ? null : turns(drawing.points.length, drawing.fraction)
    const { kinds } = this
    const put = (i, xs, ys) => xs.forEach((x, k) => Object.assign(figure.data[2 * kinds * i + k], { x, y: ys[k] }))
    for (let i = 0; i < this.options.lanes; i++) {
      const [xs, ys] = [0, 1].map(() => Array.from({ length: 2 * kinds }, () => []))
      if (turn !== null) { // drawn just now: no run has had them yet
        drawing.points.forEach(([x, y, k], at) => {
          xs[k + (turn[at] ? kinds : 0)].push(x)
          ys[k + (turn[at] ? kinds : 0)].push(y)
        })
        put(i, xs, ys)
        continue
      }
      const set = c.points.sets[c.viewOf[i]]
      if (!set) continue
      for (let k = 0; k < set.kind.length; k++) {
        const { x, y, kind, validation } = pointOf(set, k)
        if (kind >= kinds) continue
        const group = kind + (validation ? kinds : 0)
        xs[group].push(x)
        ys[group].push(y)
      }
      put(i, xs, ys)
    }
  }

  /* One small picture for each panel: a pixel for each grid node, the first row at the bottom. */
  paintTiles(c, picture) {
    const where = JSON.stringify([c.extents, c.viewOf])
    const kept = this.painted.get(picture)
    if (kept?.where === where) {
      this.tiles = kept.tiles
      return
    }
    const { boundaries } = picture
    const smoothed = []
    const tiles = []
    for (let i = 0; i < this.options.lanes; i++) {
      const b = boundaries[i]
      if (!b) continue
      if (b.shape.length === 3) {
        tiles[i] = classTile(b, c.classes?.[c.viewOf[i]] ?? 2, this.areas)
        tiles[i].extent = c.extents?.[c.viewOf[i]]
        continue
      }
      const smooth = (smoothed[i] = blurred(b.values, b.shape))
      tiles[i] = tile(b.shape, (k) => this.response[Math.round(smooth[k])])
      tiles[i].contour = contour(smooth, b.shape, LEVELS / 2)
      tiles[i].extent = c.extents?.[c.viewOf[i]]
    }
    const { lanes } = this.options
    const [first, last] = [boundaries[0], boundaries[lanes - 1]]
    let apart // share of the nodes at which the most probable classes differ
    if (this.options.difference && first && last && equal(first.shape, last.shape) && c.viewOf?.[0] === c.viewOf?.[1]) {
      if (first.shape.length === 3) {
        const [one, other] = [tiles[0], tiles[lanes - 1]]
        tiles[lanes] = tile([one.rows, one.columns], (k) => this.same[one.winner[k] === other.winner[k] ? 0 : 1])
        const nodes = first.values.length / 2
        apart = 0
        for (let k = 0; k < nodes; k++) if (first.values[k] % SHARED.classCodes !== last.values[k] % SHARED.classCodes) apart += 1 / nodes
      } else {
        tiles[lanes] = tile(first.shape, (k) => this.difference[LEVELS + Math.round(smoothed[lanes - 1][k] - smoothed[0][k])])
      }
      tiles[lanes].extent = c.extents?.[c.viewOf[0]]
    }
    this.tiles = tiles
    this.painted.set(picture, { where, tiles, apart })
  }

  placed() {
    const layout = this.gd._fullLayout
    if (!layout) return
    const scale = window.devicePixelRatio || 1
    const { clientWidth: width, clientHeight: height } = this.frame
    const { canvas } = this
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale)
      canvas.height = Math.round(height * scale)
    }
    const context = canvas.getContext("2d")
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, width, height)
    const { nothing } = this
    this.gd.style.visibility = nothing ? "hidden" : ""
    this.note("all", nothing ? this.shown.none : null, { left: 0, top: 0, width: "100%", height: "100%" })
    if (nothing) return
    const blank = this.pen?.blank === true
    for (let i = 0; i < this.panels(); i++) {
      const n = i === 0 ? "" : i + 1
      const [x, y] = [layout[`xaxis${n}`], layout[`yaxis${n}`]]
      if (!x || !y) continue
      if (blank) {
        this.note(`panel${i}`, null)
        continue
      }
      const box = { left: x._offset, top: y._offset, width: x._length, height: y._length }
      const missing = this.shown && !this.tiles[i]
        ? i < this.options.lanes ? this.shown.none : "No difference plot: the two models were not evaluated on the same grid."
        : null
      this.note(`panel${i}`, missing, box)
      if (this.tiles[i]?.extent) paintPanel(context, this.tiles[i], box, x.range, y.range, this.colors)
    }
  }

  pictures() {
    return this.tiles.filter((t) => t?.extent).map((t) => {
      const n = this.tiles.indexOf(t) === 0 ? "" : this.tiles.indexOf(t) + 1
      const canvas = document.createElement("canvas")
      const [x0, x1, y0, y1] = t.extent
      canvas.width = 1200
      canvas.height = Math.round((1200 * (y1 - y0)) / (x1 - x0))
      const context = canvas.getContext("2d")
      context.scale(2, 2)
      const box = { left: 0, top: 0, width: canvas.width / 2, height: canvas.height / 2 }
      paintPanel(context, t, box, [x0, x1], [y0, y1], this.colors)
      return {
        source: canvas.toDataURL(), xref: `x${n}`, yref: `y${n}`, x: x0, y: y1,
        sizex: x1 - x0, sizey: y1 - y0, sizing: "stretch", layer: "below",
      }
    })
  }
}
