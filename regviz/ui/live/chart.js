/* What all charts of Plotly have in common: they are drawn once, and then changed in place, at any
   size and in both themes. */

import { core, guarded, element } from "./page.js"
import { themeOf, growth, enlarged, enlarge } from "./theme.js"
import { brief, legendOf, SMALL } from "./words.js"
import { savePicture } from "./save.js"
import { sketchTraces, sketchTitles } from "./sketch.js"

function loadPlotly() {
  core.plotly ??= new Promise((resolve, reject) => {
    if (window.Plotly) {
      resolve(window.Plotly)
      return
    }
    const script = document.createElement("script")
    script.src = new URL("app/static/plotly.min.js", document.baseURI).href
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      core.plotly = null
      script.remove()
      reject(new Error(`${script.src} could not be loaded`))
    }
    document.head.appendChild(script)
  })
  return core.plotly
}

const RESET_ICON = {
  width: 24, height: 24,
  path: "M12 5V1L7 6l5 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
}

export class Chart {
  constructor(root) {
    this.root = root
    this.frame = element("div", "rv-plot", root)
    this.canvas = element("canvas", "", this.frame)
    this.gd = element("div", "rv-gd", this.frame)
    this.cursor = element("div", "rv-cursor", this.frame)
    this.notes = []
    this.summary = element("p", "rv-sr", this.frame)
    this.signature = null
    this.Plotly = null
    this.ready = false
    this.drawing = false
    this.again = false
    this.held = false // the pointer is down: a redraw would break the gesture
    this.sketched = false // shows what the scrubber points at; Plotly has not drawn it yet
    this.zoomed = {}
    this.legendRows = Infinity // for which its figure has room under the title
    this.abort = new AbortController()
    const { signal } = this.abort
    this.gd.addEventListener("pointerdown", () => { this.held = true }, { signal })
    const release = () => {
      if (!this.held) return
      this.held = false
      // after Plotly's own handlers
      setTimeout(() => this.channel?.schedule(), 0)
    }
    window.addEventListener("pointerup", release, { signal })
    window.addEventListener("pointercancel", release, { signal }) // the page scrolls under a finger
    // A finger scrolls and pinches the page: Plotly, which would zoom instead, sees no touch. A tap
    // still comes to it as the click of a mouse, with tooltips and all.
    this.gd.addEventListener("touchstart", (event) => event.stopPropagation(), { capture: true, passive: true, signal })
    this.resizer = new ResizeObserver(() => this.resize())
    this.resizer.observe(this.frame)
    window.addEventListener("resize", () => this.resize(), { signal })
  }

  apply(data, c, words) {
    this.channel = c
    this.given = [data, c, words]
    const theme = themeOf(this.root)
    const k = enlarged()
    const signature = `${theme}${k}${words}`
    if (signature === this.signature) return
    this.signature = signature
    this.data = data
    this.theme = theme
    this.enlarged = k
    this.colors = data.palette[theme]
    this.options = data.options
    this.skeleton = this.enlarge(data.figure[theme], k)
    const font = getComputedStyle(this.root).getPropertyValue("--st-font").trim()
    this.skeleton.layout.font ??= {}
    if (font) this.skeleton.layout.font.family = font
    this.changed()
    this.frame.style.height = `${this.height()}px`
    this.start()
  }

  changed() {}

  enlarge({ data, layout }, k) {
    if (k === 1) return { data, layout }
    const { legend, ...rest } = enlarge(layout, k)
    // under the title, which has grown too
    if (legend) legend.y = 1 - (1 - legend.y) * k
    return { data: enlarge(data, k), layout: { ...rest, legend, height: layout.height } }
  }

  height() {
    return Math.round(this.data.height * growth())
  }

  async start() {
    try {
      this.Plotly = await loadPlotly()
      this.note("load", null)
    } catch {
      this.signature = null // so that the next call tries again
      this.note("load", "The plotting library could not be loaded. Reload the page.", { left: 0, top: 0, width: "100%", height: "100%" })
      return
    }
    if (this.abort.signal.aborted) return
    guarded(() => this.draw(this.channel, this.channel.picture(), true))
  }

  draw(c, picture, skeleton = false) {
    if (this.Plotly === null || this.skeleton === undefined) return
    if (this.held && !skeleton) return
    this.render(c, picture, skeleton)
  }

  render(c, picture, skeleton) {
    const figure = structuredClone(this.skeleton)
    if (picture !== null) this.fill(figure, c, picture)
    if (!skeleton && picture !== null && c.scrubbing && guarded(() => this.sketch(figure))) return
    this.react(figure)
  }

  /* Draw the figure's traces and titles into Plotly's own subplots, in Plotly's stead: some
     twenty times as fast. False where its axes are to be others. */
  sketch(figure) {
    const full = this.gd._fullLayout
    if (!this.ready || this.drawing || !full) return false
    const { layout } = figure
    for (const [axis, range] of Object.entries(this.zoomed)) if (layout[axis]) layout[axis].range = range
    const moved = (name) => {
      const [want, have] = [layout[name].range, full[name]?.range]
      const near = Math.abs(want[1] - want[0]) * 1e-6
      return !have || Math.abs(want[0] - have[0]) > near || Math.abs(want[1] - have[1]) > near
    }
    if (Object.keys(layout).some((name) => /^[xy]axis\d*$/.test(name) && moved(name))) return false
    this.detail(figure, this.frame.clientWidth, this.frame.clientHeight)
    sketchTraces(this.gd, figure)
    this.gd.classList.add("rv-sketching")
    sketchTitles(this.gd, layout.annotations ?? [])
    this.sketched = true
    return true
  }

  /* What of a figure depends on its size besides its layout. */
  detail() {}

  /* Names in a legend with little room are short ones; their tooltips keep the long. */
  shorten(data) {
    for (const trace of data) if (trace.showlegend !== false && trace.name) trace.name = brief(trace.name)
  }

  /* Places what depends on the size of the chart, in pixels. */
  arrange(figure, width, height) {
    for (const [axis, range] of Object.entries(this.zoomed)) {
      if (figure.layout[axis]) Object.assign(figure.layout[axis], { range, autorange: false })
    }
    const { layout } = figure
    const beside = layout.meta?.beside
    if (beside && (width >= beside.from ? legendOf(figure, width).all > width - beside.left - 100 : legendOf(figure, width).rows > 1)) {
      this.shorten(figure.data)
    }
    if (!beside) {
      // a figure without a legend that could stand beside its title
    } else if (width >= beside.from) {
      layout.legend.x = beside.left / width
      layout.legend.y = 1 - 9 / height
      layout.margin.t = beside.top
    } else {
      // what stood some pixels under the top still does
      layout.legend.y = 1 - ((1 - layout.legend.y) * layout.height) / height
      layout.margin.t += Math.max(0, legendOf(figure, width).rows - this.legendRows) * 1.5 * layout.legend.font.size
    }
    if (width < SMALL) {
      if (layout.legend?.font) layout.legend.font.size = 12
      layout.hovermode = "closest" // a box of all values would hide a small chart
    }
    delete layout.height // the frame's
    this.detail(figure, width, height)
  }

  react(figure) {
    if (this.drawing) {
      this.figure = figure
      this.again = true
      return
    }
    this.arrange(figure, this.frame.clientWidth, this.frame.clientHeight) // once for each figure
    this.drawing = true
    this.sketched = false
    const first = !this.gd.classList.contains("js-plotly-plot")
    // Plotly draws a moment of nonsense into panels that a chart has not had before
    const panels = Object.keys(figure.layout).filter((name) => /^xaxis\d*$/.test(name)).length
    const anew = panels !== (this.drawnPanels ?? panels)
    const draw = anew ? this.Plotly.newPlot : this.Plotly.react
    this.drawnPanels = panels
    Promise.resolve(draw(this.gd, figure.data, figure.layout, this.config()))
      .then(() => {
        if (first || anew) this.listen() // drawn anew, a chart has lost its listeners
        if (first) {
          this.ready = true
          this.channel.schedule()
        }
        if (!this.sketched) this.gd.classList.remove("rv-sketching")
        this.placed()
      })
      .catch((error) => {
        // a chart that is destroyed while Plotly draws it has lost its listeners
        if (!this.abort.signal.aborted) console.warn("regviz: Plotly", error)
      })
      .finally(() => {
        this.drawing = false
        if (this.again && !this.abort.signal.aborted) {
          this.again = false
          this.react(this.figure)
        }
      })
  }

  /* One object for good: Plotly draws everything anew where the configuration is another. */
  config() {
    return (this.configuration ??= {
      displaylogo: false,
      doubleClick: false,
      responsive: false,
      modeBarButtons: [[
        { name: "save", title: "Save as PNG (3840 × 2160)", icon: this.Plotly.Icons.camera,
          click: () => savePicture(this, "png") },
        { name: "svg", title: "Save as SVG", icon: this.Plotly.Icons.disk, click: () => savePicture(this, "svg") },
        "zoom2d", "pan2d",
        { name: "reset", title: "Reset view (double click)", icon: RESET_ICON,
          click: () => this.reset() },
      ]],
    })
  }

  listen() {
    this.gd.on("plotly_relayout", (changes) => {
      const axes = Object.keys(changes ?? {}).map((key) => /^([xy]axis\d*)\.range/.exec(key)?.[1])
      for (const axis of axes) if (axis) this.zoomed[axis] = [...this.gd._fullLayout[axis].range]
      if (axes.some(Boolean)) this.onZoom()
      this.placed()
    })
    this.gd.on("plotly_relayouting", () => this.placed())
    this.gd.on("plotly_afterplot", () => this.placed())
    this.gd.on("plotly_doubleclick", () => { if (!this.pen) this.reset() })
  }

  reset() {
    this.zoomed = {}
    if (this.channel.newest !== null) guarded(() => this.render(this.channel, this.channel.picture(), true))
  }

  resize() {
    if (this.data === undefined || this.frame.clientWidth === 0) return
    if (this.enlarged !== enlarged()) this.apply(...this.given)
    const height = `${this.height()}px`
    const size = `${this.frame.clientWidth}`
    const other = this.frame.style.height !== height || this.width !== size
    this.frame.style.height = height
    this.width = size
    if (!this.gd.classList.contains("js-plotly-plot")) return
    cancelAnimationFrame(this.resizing)
    this.resizing = requestAnimationFrame(() => guarded(() => {
      if (other) this.draw(this.channel, this.channel.picture(), true)
      // Plotly waits a moment, and refuses one that is no longer on the page then
      this.Plotly.Plots.resize(this.gd).catch(() => {})
    }))
  }

  placed() {}

  onZoom() {}

  note(name, text, place = {}) {
    let note = this.notes[name]
    if (!text) {
      if (note) note.style.display = "none"
      return
    }
    note ??= this.notes[name] = element("div", "rv-note", this.frame)
    if (note.textContent !== text) note.textContent = text
    note.style.display = "flex"
    for (const [side, value] of Object.entries(place)) {
      note.style[side] = typeof value === "number" ? `${value}px` : value
    }
  }

  /* The chart's own height at this width; null where any height will do. */
  ownHeight() {
    return null
  }

  pictures() {
    return []
  }

  still(width) {
    const figure = structuredClone(this.skeleton)
    this.fill(figure, this.channel, this.channel.picture(), width)
    return figure
  }

  /* Of a saved picture: the page, the settings, and what it shows. */
  fileName() {
    const name = this.channel.head?.name
    return `${name ? `${name}-` : ""}${this.data.filename}`
  }

  destroy() {
    this.abort.abort()
    this.resizer.disconnect()
    cancelAnimationFrame(this.resizing)
    if (this.Plotly !== null) guarded(() => this.Plotly.purge(this.gd))
    this.frame.remove()
  }
}
