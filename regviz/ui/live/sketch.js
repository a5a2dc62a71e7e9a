/* Sketches: traces and titles drawn into Plotly's subplots in Plotly's stead, while the scrubber
   moves. */

/* The traces of a figure as Plotly draws them (scatter with lines, steps, markers and a fill to 0;
   bars), in the subplots that Plotly has drawn before, under the axes that it has. */
const two = (v) => Math.round(v * 100) / 100
const SYMBOLS = {
  circle: (r) => `M${r},0A${r},${r} 0 1,1 0,-${r}A${r},${r} 0 0,1 ${r},0Z`,
  square: (r) => `M${r},${r}H-${r}V-${r}H${r}Z`,
  diamond: (r) => `M${two(1.3 * r)},0L0,${two(1.3 * r)}L-${two(1.3 * r)},0L0,-${two(1.3 * r)}Z`,
  "triangle-up": (r) => `M-${two(1.155 * r)},${two(r / 2)}H${two(1.155 * r)}L0,-${r}Z`,
  "triangle-down": (r) => `M-${two(1.155 * r)},-${two(r / 2)}H${two(1.155 * r)}L0,${r}Z`,
  cross: (r) => {
    const [a, b] = [two(0.4 * r), two(1.2 * r)]
    return `M${b},${a}H${a}V${b}H-${a}V${a}H-${b}V-${a}H-${a}V-${b}H${a}V-${a}H${b}Z`
  },
  pentagon: (r) => {
    const [a, b, c, d] = [0.951, 0.588, 0.309, 0.809].map((part) => two(part * r))
    return `M${a},-${c}L${b},${d}H-${b}L-${a},-${c}L0,-${r}Z`
  },
  hexagram: (r) => {
    const [a, b, c] = [0.38, 0.76, 0.66].map((part) => two(part * r))
    return `M-${b},0l-${a},-${c}h${b}l${a},-${c}l${a},${c}h${b}l-${a},${c}l${a},${c}h-${b}l-${a},${c}l-${a},-${c}h-${b}Z`
  },
  x: (r) => {
    const a = two((0.8 * r) / Math.SQRT2)
    const [n, m, o, s] = [`l${a},${a}`, `l${a},-${a}`, `l-${a},-${a}`, `l-${a},${a}`]
    return `M0,${a}${n}${m}${o}${m}${o}${s}${o}${s}${n}${s}${n}Z`
  },
  star: (r) => {
    const [a, b, d, e, f] = [0.225, 0.951, 0.363, 0.588, 0.809].map((part) => two(part * 1.4 * r))
    const [top, y1, y3, y5] = [two(-1.4 * r), two(-0.309 * 1.4 * r), two(0.118 * 1.4 * r), two(0.382 * 1.4 * r)]
    return `M${a},${y1}H${b}L${d},${y3}L${e},${f}L0,${y5}L-${e},${f}L-${d},${y3}L-${b},${y1}H-${a}L0,${top}Z`
  },
}

function pathOf(xs, ys, steps) {
  const parts = []
  let pen = false
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [xs[i], ys[i]]
    if (y === null || !Number.isFinite(y)) {
      pen = false
      continue
    }
    if (!pen) parts.push("M", two(x), ",", two(y))
    else if (steps) parts.push("H", two(x), "V", two(y))
    else parts.push("L", two(x), ",", two(y))
    pen = true
  }
  return parts.join("")
}

/* Pixels of numbers on an axis of Plotly's, from its left or upper end. */
function scaleOf(axis) {
  const { _m: slope, _b: start } = axis
  if (axis.type === "log") return (v) => (v > 0 ? start + slope * Math.log10(v) : NaN)
  return (v) => start + slope * v
}

class Pencil {
  constructor(group) {
    this.group = group
    this.used = 0
  }

  path(attributes) {
    const { children } = this.group
    const path = children[this.used] ?? this.group.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"))
    this.used += 1
    for (const name of ["d", "style", "transform", "clip-path"]) {
      const value = attributes[name] ?? ""
      if ((path.getAttribute(name) ?? "") === value) continue
      if (value) path.setAttribute(name, value)
      else path.removeAttribute(name)
    }
  }

  done() {
    while (this.group.children.length > this.used) this.group.lastChild.remove()
  }
}

function pencils(gd) {
  const of = new Map()
  return (trace) => {
    const id = `${trace.xaxis ?? "x"}${trace.yaxis ?? "y"}`
    if (of.has(id)) return of.get(id)
    const plot = gd.querySelector(`.cartesianlayer .subplot.${id} .overplot > .${id}`)
    if (plot === null) throw new Error(`no subplot ${id}`)
    let group = plot.querySelector(":scope > .rv-sketch")
    if (group === null) {
      group = document.createElementNS("http://www.w3.org/2000/svg", "g")
      group.setAttribute("class", "rv-sketch")
      group.style.strokeMiterlimit = 2
      plot.appendChild(group)
    }
    const pencil = new Pencil(group)
    // Plotly clips a whole subplot, or each part where marks may stand over its edge
    const part = plot.hasAttribute("clip-path") ? null : plot.querySelector("[clip-path]")
    pencil.clip = part?.getAttribute("clip-path") ?? ""
    of.set(id, pencil)
    return pencil
  }
}

export function sketchTraces(gd, figure) {
  const pencilOf = pencils(gd)
  const used = new Set()
  const full = gd._fullLayout
  // to Plotly a trace that was empty is not visible, either
  const on = (trace, i) => trace.visible !== false && gd._fullData[i]?.visible !== "legendonly"
  const draw = (type, one) => figure.data.forEach((trace, i) => {
    if (trace.type !== type) return
    const pencil = pencilOf(trace)
    used.add(pencil)
    if (!on(trace, i) || trace.x.every((v) => v === null)) return // traces for the legend alone
    const [xaxis, yaxis] = [trace.xaxis ?? "x", trace.yaxis ?? "y"].map((id) => full[`${id[0]}axis${id.slice(1)}`])
    one(trace, pencil, scaleOf(xaxis), scaleOf(yaxis), yaxis)
  })
  draw("bar", sketchBars)
  draw("scatter", sketchScatter)
  // lines that stand on an epoch, as where a run was stopped
  const shapes = figure.layout.shapes ?? []
  for (const { visible, x0, line } of shapes) {
    if (!visible) continue
    const pencil = pencilOf({})
    const x = two(scaleOf(full.xaxis)(x0))
    const style = `fill:none;stroke:${line.color};stroke-width:${line.width}px;stroke-dasharray:${dashes(line)}`
    pencil.path({ d: `M${x},${full.yaxis._length}V0`, style, "clip-path": pencil.clip })
  }
  for (const pencil of used) pencil.done()
}

/* Lengths of dashes and gaps as Plotly has them. */
function dashes({ dash, width }) {
  const w = Math.max(width, 3)
  const named = { solid: "none", dot: [1, 1], dash: [3, 3], longdash: [5, 5], dashdot: [3, 1, 1, 1] }[dash ?? "solid"]
  if (Array.isArray(named)) return named.map((part) => `${part * w}px`).join(" ")
  return named ?? dash
}

function sketchScatter(trace, pencil, px, py, yaxis) {
  const xs = Array.from(trace.x, px)
  const ys = Array.from(trace.y, (v) => (v === null ? null : py(v)))
  const clip = trace.cliponaxis === false ? "" : pencil.clip
  const { line, marker } = trace
  if (trace.mode.includes("lines")) {
    const d = pathOf(xs, ys, line.shape === "hv")
    if (trace.fill === "tozeroy" && d) {
      const floor = two(yaxis.type === "log" ? yaxis._length : py(0))
      const whole = `M${two(xs.at(-1))},${floor}L${two(xs[0])},${floor}L${d.slice(1)}`
      pencil.path({ d: whole, style: `fill:${trace.fillcolor};stroke:none`, "clip-path": clip })
    }
    const style = `fill:none;stroke:${line.color};stroke-width:${line.width}px;stroke-dasharray:${dashes(line)}`
    if (d) pencil.path({ d, style, "clip-path": clip })
  }
  if (!trace.mode.includes("markers")) return
  const many = Array.isArray(marker.size)
  const lookOf = (symbol, size) => {
    const open = symbol.endsWith("-open")
    const edge = open ? { color: marker.color, width: marker.line?.width || 1 } : marker.line ?? { color: "none", width: 0 }
    return {
      shape: SYMBOLS[symbol.replace("-open", "")](size / 2),
      style: `fill:${open ? "none" : marker.color};stroke:${edge.color};stroke-width:${edge.width}px` +
        (many ? ";opacity:0.7" : ""), // as Plotly draws marks of several sizes
    }
  }
  const same = many ? null : lookOf(marker.symbol ?? "circle", marker.size)
  xs.forEach((x, i) => {
    if (ys[i] === null || !Number.isFinite(ys[i])) return
    const { shape, style } = many ? lookOf(marker.symbol[i], marker.size[i]) : same
    pencil.path({ d: shape, style, transform: `translate(${two(x)},${two(ys[i])})`, "clip-path": clip })
  })
}

function sketchBars(trace, pencil, px, py, yaxis) {
  const edge = trace.marker.line
  trace.y.forEach((v, i) => {
    if (v === null || v === undefined) return
    const [left, right] = [trace.x[i] + trace.offset[i], trace.x[i] + trace.offset[i] + trace.width[i]].map(px).map(two)
    const [floor, top] = [yaxis.type === "log" ? yaxis._length * 2 : py(0), py(v)].map(two)
    const style = `fill:${trace.marker.color};stroke:${edge.color};stroke-width:${edge.width}px`
    pencil.path({ d: `M${left},${floor}V${top}H${right}V${floor}Z`, style, "clip-path": pencil.clip })
  })
}

/* Texts of annotations that changed, in the elements that Plotly made for them. */
export function sketchTitles(gd, annotations) {
  annotations.forEach(({ text: words, font }, i) => {
    const node = gd.querySelector(`.infolayer .annotation[data-index="${i}"] text`)
    if (node === null || node.dataset.unformatted === words) return
    node.dataset.unformatted = words
    // what Plotly writes where it draws by itself, as after a zoom
    Object.assign(gd.layout.annotations[i], { text: words, font: { ...font } })
    node.style.fontSize = `${font.size}px`
    const from = document.createElement("template")
    from.innerHTML = words
    node.replaceChildren(...[...from.content.childNodes].map(tspans))
  })
}

function tspans(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data)
  const made = document.createElementNS("http://www.w3.org/2000/svg", "tspan")
  if (node.localName === "b") made.style.fontWeight = "bold"
  else made.style.fill = node.style.color
  made.append(...[...node.childNodes].map(tspans))
  return made
}
