/* The browser's half of regviz/ui/live.py: takes frames in, and draws them.

   Streamlit calls the default export for each mount, again whenever its data or the theme
   changes, always with the same parent element. A mount is a chart, the scrubber or the readout of
   a channel. The feed (FEED_JS in live.py) leaves its messages in window.__regvizInbox.
   Message format: regviz/frames/messages.py. Order of traces: regviz/figures/live.py. */

const FEW = 3 // points of a curve that are shown as points, as in regviz/figures/live.py
const LIVE_FRAMES = 300 // kept for scrubbing until the server's own come
const REST = 150 // ms: a scrubber that has not moved for so long has come to rest
const CURVE = { train: 0, validation: 1, trainMode: 2, trainAccuracy: 3, validationAccuracy: 4 }

const core = (window.__regvizCore ??= {
  channels: new Map(),
  mounts: new WeakMap(),
  askers: new Map(),
  session: "", // what the server's messages to this page bear
  listens: false,
  plotly: null,
})

function guarded(work) {
  // a chart that cannot be drawn must not take the page down with it
  try {
    return work()
  } catch (error) {
    console.warn("regviz: a chart could not be drawn", error)
    return undefined
  }
}

// --- messages --------------------------------------------------------------------------------

const TYPES = {
  "|u1": Uint8Array, "<u2": Uint16Array, "<u4": Uint32Array, "<f4": Float32Array,
  "<f2": Uint16Array, "<i8": BigInt64Array,
}
let halves = null

function halfToFloat(bits) {
  if (halves === null) {
    halves = new Float32Array(65536)
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1
      const exponent = (i >> 10) & 31
      const fraction = i & 1023
      if (exponent === 0) halves[i] = sign * fraction * 2 ** -24
      else if (exponent === 31) halves[i] = fraction ? NaN : sign * Infinity
      else halves[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
    }
  }
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i]]
  return out
}

function decode(bytes) {
  if (!(bytes instanceof Uint8Array) || bytes.length < 8) return null
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "RVL1") return null
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  return { header, body: bytes.subarray(8 + length) }
}

function arraysOf({ header, body }) {
  const own = body.slice() // typed arrays want aligned places
  const arrays = {}
  for (const [name, [type, shape, offset]] of Object.entries(header.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1)
    const raw = new TYPES[type](own.buffer, offset, count)
    arrays[name] = { values: type === "<f2" ? halfToFloat(raw) : raw, shape }
  }
  return arrays
}

// --- channels --------------------------------------------------------------------------------

class Channel {
  constructor(name) {
    this.name = name
    this.views = new Set() // charts, scrubbers, readouts
    this.run = ""
    this.head = null // header of the newest frame
    this.curves = [] // for each lane: {epochs, rows}
    this.pictures = new Map() // epoch -> picture
    this.newest = null
    this.points = null
    this.pointsRun = ""
    this.at = null // epoch that the scrubber holds; null follows the newest
    this.asked = { stored: false, points: 0, sweep: 0 }
    this.feeds = new Map() // key of a feed -> how to ask its server
    this.had = new Map() // name of a feed -> its newest message: {session, number}
    this.ask = null // that of the run's feed
    this.waiting = false
    this.sweep = null // {id, name, values, entries, index}
    this.figures = new Map() // name -> JSON of the figure in each theme
    this.scrubbing = false // the scrubber is on the move: charts sketch
    this.scrubbed = false // it has been, in this run: axes hold all of its pictures
    this.stats = { run: "", epoch: 0, painted: 0, received: 0, stored: 0, paints: [] }
    ;(window.__regviz ??= {})[name] = this.stats
  }

  /* `ask` where the feed hands the message over; without, it was overheard (see `listenIn`). */
  receive(message, ask) {
    const { header } = message
    if (header.state === "sweep") {
      // it has been sent; where it was lost, or let go of with the page, it comes again
      if (header.run && this.sweep?.id !== header.run && performance.now() - this.asked.sweep > 1000) {
        this.asked.sweep = performance.now()
        ask({ what: "sweep", run: header.run })
      }
      return
    }
    if (ask && !header.figures && !header.sweep) this.ask = ask
    if (this.hasHad(header.sent)) return
    const arrays = arraysOf(message)
    if (header.figures) {
      header.figures.forEach((name, i) => {
        this.figures.set(name, { light: arrays[`light${i}`].values, dark: (arrays[`dark${i}`] ?? arrays[`light${i}`]).values })
      })
      this.schedule()
      return
    }
    if (header.sweep) {
      this.receiveSweep(header, arrays)
      return
    }
    this.stats.state = header.state
    if (!header.lanes) return // no frame yet: keep the picture
    this.sweep = null
    if (header.run !== this.run) this.begin(header.run)
    this.head = header
    this.curves = curvesOf("", arrays, header.lanes)
    this.takePoints(header, arrays)
    if (header.stored) {
      header.stored.forEach((entry, i) => this.keep(pictureOf(entry, `${i}.`, arrays, header)))
      this.stats.stored = header.stored.length
    } else {
      this.keep(pictureOf(header.frame, "", arrays, header))
    }
    this.newest = this.pictures.get(header.epoch) ?? this.newest
    this.stats.received += 1
    this.schedule()
  }

  /* Where runs of the script follow each other quickly, Streamlit may hand over once more what was
     there before; and what was overheard it hands over as well. */
  hasHad([feed, session, number]) {
    const last = this.had.get(feed)
    if (last?.session === session && number <= last.number) return true
    this.had.set(feed, { session, number })
    return false
  }

  begin(run) {
    this.run = run
    this.pictures.clear()
    this.at = null
    this.asked = { stored: false, points: 0, sweep: 0 }
    this.stats.stored = 0
    this.scrubbed = false
  }

  /* Each value of a sweep is the end of a run of its own; the scrubber chooses whose. */
  receiveSweep(header, arrays) {
    const { name, values, start, entries } = header.sweep
    const old = this.sweep
    const index = old !== null && equal(old.values, values) ? old.index : start
    this.begin(header.run)
    this.stats.state = header.state
    this.sweep = {
      id: header.id, name, values, index,
      entries: entries.map(({ picture, view, ...head }, i) => ({
        head: { ...head, run: header.run },
        view,
        curves: curvesOf(`${i}.`, arrays, head.lanes),
        picture: pictureOf(picture, `${i}.`, arrays, head),
      })),
    }
    this.takePoints(header, arrays)
    this.point(index)
    this.stats.received += 1
    this.stats.stored = entries.length
    this.schedule()
  }

  point(index) {
    const entry = this.sweep.entries[index]
    this.sweep.index = index
    this.head = entry.head
    this.curves = entry.curves
    this.newest = entry.picture
    this.viewOf = entry.view ?? this.viewOf
  }

  /* What the scrubber can show: axes that hold all of it stand still. */
  allPictures() {
    return this.sweep ? this.sweep.entries.map((entry) => entry.picture) : [...this.pictures.values()]
  }

  keep(picture) {
    this.pictures.set(picture.epoch, picture)
    if (this.pictures.size > LIVE_FRAMES) {
      const epochs = [...this.pictures.keys()].sort((a, b) => a - b)
      epochs.filter((_, i) => i % 2 === 1 && i < epochs.length - 1).forEach((e) => this.pictures.delete(e))
    }
  }

  takePoints(header, arrays) {
    this.extents = header.views?.map((view) => view.extent) ?? this.extents
    this.classes = header.views?.map((view) => view.classes) ?? this.classes
    this.viewOf = header.view ?? this.viewOf
    if (arrays.p0 === undefined) {
      if (header.views && this.pointsRun !== this.run && performance.now() - this.asked.points > 1000) {
        this.asked.points = performance.now()
        this.ask?.({ what: "points", run: this.run })
      }
      return
    }
    this.pointsRun = this.run
    const sets = header.views.map((view, i) => ({
      place: arrays[`p${i}`].values, kind: arrays[`k${i}`].values, extent: view.extent,
    }))
    const same = this.points !== null && this.points.sets.length === sets.length &&
      sets.every((set, i) => equal(set.place, this.points.sets[i].place) &&
        equal(set.kind, this.points.sets[i].kind) && equal(set.extent, this.points.sets[i].extent))
    if (!same) this.points = { sets, version: (this.points?.version ?? 0) + 1 }
  }

  picture() {
    if (this.at === null) return this.newest
    let best = null
    let first = this.newest // where none is so early
    for (const picture of this.pictures.values()) {
      if (picture.epoch <= this.at && (best === null || picture.epoch > best.epoch)) best = picture
      if (picture.epoch < first.epoch) first = picture
    }
    return best ?? first
  }

  /* Where the scrubber points: an epoch (Infinity: the newest), or the place of a sweep's value. */
  scrubTo(place) {
    if (this.head === null && this.sweep === null) return
    this.scrubbing = true
    this.scrubbed = true
    clearTimeout(this.resting)
    if (this.sweep) this.point(Math.min(Math.max(0, place), this.sweep.entries.length - 1))
    else this.scrubToEpoch(place)
    this.schedule()
  }

  restSoon() {
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.rest(), REST)
  }

  /* Now what was sketched is drawn in full, a chart at a time: the scrubber may move again. */
  rest() {
    this.scrubbing = false
    const left = [...this.views].filter((view) => view.sketched)
    const next = () => {
      const view = left.shift()
      if (view === undefined || this.scrubbing) return
      if (this.views.has(view)) guarded(() => view.draw(this, this.picture()))
      setTimeout(next, 0)
    }
    next()
  }

  scrubToEpoch(epoch) {
    this.at = this.head === null || epoch >= this.head.epoch ? null : epoch
    if (!this.asked.stored && this.head !== null) {
      this.asked.stored = true
      this.askForStored(this.run, 4)
    }
  }

  /* A question can be lost where the script starts anew just then: ask again for a while. */
  askForStored(run, times) {
    if (this.run !== run || this.stats.stored > 0 || times === 0) return
    this.ask?.({ what: "stored", run })
    setTimeout(() => this.askForStored(run, times - 1), 1500)
  }

  schedule() {
    if (this.waiting) return
    this.waiting = true
    requestAnimationFrame(() => {
      this.waiting = false
      for (const view of this.views) if (view.whole) guarded(() => view.draw(this, null))
      if (this.newest === null) return
      const picture = this.picture()
      const { run } = this
      // a new model's boundary first; the charts that take longer follow in the next frame
      const first = run !== this.shown && !this.sweep
      this.shown = run
      for (const view of this.views) {
        if (!view.whole && (view.prompt || !first)) guarded(() => view.draw(this, picture))
      }
      if ([...this.views].every((view) => view.ready !== false)) this.count(picture)
      else if (this.scrubbing) this.restSoon() // counted when it is drawn
      // after the count, which is of this frame: what is drawn in the next one comes after its paint
      if (first) this.schedule()
    })
  }

  /* The next animation frame begins when this one has been painted. */
  count(picture) {
    const { run, stats } = this
    const place = this.sweep ? this.sweep.index : picture.epoch
    const newest = this.head.epoch
    requestAnimationFrame(() => {
      // from the paint on, not from the move: a slow browser is not a scrubber at rest
      if (this.scrubbing && !this.waiting) this.restSoon()
      stats.run = run
      stats.epoch = picture.epoch
      stats.newest = newest
      stats.done = this.head.done
      stats.live = this.at === null
      stats.painted += 1
      stats.paints.push([performance.now(), run, place])
      if (stats.paints.length > 2000) stats.paints.splice(0, 1000)
    })
  }
}

function curvesOf(prefix, arrays, lanes) {
  return lanes.map((_, i) => {
    const { values, shape } = arrays[`${prefix}c${i}`]
    const n = shape[1]
    const epochs = arrays[`${prefix}e${i}`]
      ? Array.from(arrays[`${prefix}e${i}`].values)
      : Array.from({ length: n }, (__, k) => k + 1)
    return { epochs, rows: Array.from({ length: shape[0] }, (__, k) => values.subarray(k * n, (k + 1) * n)) }
  })
}

function pictureOf(entry, prefix, arrays, header) {
  return {
    ...entry,
    boundaries: header.lanes.map((_, i) => arrays[`${prefix}b${i}`] ?? null),
    counts: entry.layers.map((_, i) => arrays[`${prefix}h${i}`]),
    weights: arrays[`${prefix}w`] ?? null,
  }
}

function equal(a, b) {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function channel(name) {
  if (!core.channels.has(name)) core.channels.set(name, new Channel(name))
  return core.channels.get(name)
}

function forgetSoon(name) {
  // a page that is left lets go of its frames; a chart mounted again at once finds them still
  setTimeout(() => {
    const c = core.channels.get(name)
    if (c && c.views.size === 0 && c.feeds.size === 0) {
      core.channels.delete(name)
      delete window.__regviz?.[name]
    }
  }, 5000)
}

function take({ key, data, ask, gone }) {
  if (gone) {
    const name = core.askers.get(key)
    core.askers.delete(key)
    const c = core.channels.get(name)
    if (c) {
      if (c.ask === c.feeds.get(key)) c.ask = null
      c.feeds.delete(key)
    }
    forgetSoon(name)
    return
  }
  guarded(() => {
    const message = decode(data)
    if (message === null) return
    const { header } = message
    const c = channel(header.channel)
    core.session = header.sent[1]
    core.askers.set(key, c.name)
    c.feeds.set(key, ask)
    c.receive(message, ask)
  })
}

/* Streamlit hands a message over when it has drawn all that came with it and before it, 20 to 150
   ms after it has come: a third of the time that a visitor waits for a new picture. So the page's
   connection is listened to as well, for messages of feeds that are there; what the feed then hands
   over has been had. A socket is known by what it sends: the page sends something with every look. */
function listenIn() {
  if (core.listens) return
  core.listens = true
  const known = new WeakSet()
  const { send } = WebSocket.prototype
  WebSocket.prototype.send = function (...given) {
    if (!known.has(this)) {
      known.add(this)
      this.addEventListener("message", ({ data }) => guarded(() => overhear(data)))
    }
    return send.apply(this, given)
  }
}

const BEGINS = new TextEncoder().encode('{"sent":')

function overhear(data) {
  if (!(data instanceof ArrayBuffer)) return
  const bytes = new Uint8Array(data)
  for (let at = bytes.indexOf(82); at >= 0; at = bytes.indexOf(82, at + 1)) { // an R
    if (!BEGINS.every((byte, i) => bytes[at + 8 + i] === byte)) continue
    const message = decode(bytes.subarray(at))
    if (message === null) continue
    const { header } = message
    const c = core.channels.get(header.channel)
    // of this visitor's session only: text on the page may look like a message, but not know that
    if (header.sent[1] === core.session && (header.lanes || header.figures)) c?.receive(message)
    return
  }
}

function openInbox() {
  const waiting = Array.isArray(window.__regvizInbox) ? window.__regvizInbox : []
  window.__regvizInbox = { push: take }
  waiting.forEach(take)
}

// --- colours and theme -----------------------------------------------------------------------

function rgb(color) {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16))
}

function themeOf(element) {
  const probe = getComputedStyle(element).getPropertyValue("--st-background-color").trim()
  const context = document.createElement("canvas").getContext("2d")
  context.fillStyle = probe || "#ffffff" // any CSS colour comes back as #rrggbb
  const [r, g, b] = /^#[0-9a-f]{6}$/i.test(context.fillStyle) ? rgb(context.fillStyle) : [255, 255, 255]
  return 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light"
}

function ramp(colors, n) {
  const stops = colors.map(rgb)
  const out = new Uint32Array(n) // little-endian RGBA
  for (let i = 0; i < n; i++) {
    const t = (i / (n - 1)) * (stops.length - 1)
    const k = Math.min(stops.length - 2, Math.floor(t))
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[k][c] + (t - k) * (stops[k + 1][c] - stops[k][c])))
    out[i] = (255 << 24) | (b << 16) | (g << 8) | r
  }
  return out
}

function niceTop(value) {
  const top = Math.max(value, 1e-6) * 1.04
  const ten = 10 ** Math.floor(Math.log10(top))
  return ([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((s) => top <= s * ten * (1 + 1e-9)) ?? 10) * ten
}

/* Heights are given for a window of 900 pixels. In a higher one charts and tables grow, a little
   less than the window does, so that what stands under them comes into view as well. */
function growth() {
  return Math.min(Math.max(1 + 0.9 * (window.innerHeight / 900 - 1), 1), 1.35) * (enlarged() > 1 ? 1.15 : 1)
}

/* How much larger letters and lines are: in the projector's view (present.js) they are read from
   the last row. */
function enlarged() {
  return document.documentElement.classList.contains("rv-projector") ? 1.25 : 1
}

const ENLARGED = new Set(["size", "width", "l", "r", "t", "b", "standoff", "xshift", "yshift", "left", "top", "from", "itemwidth"])

/* A figure with all its letters, lines, symbols and the room around them k times as large. */
function enlarge(value, k) {
  if (Array.isArray(value)) return value.map((each) => enlarge(each, k))
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [
    key, ENLARGED.has(key) && typeof each === "number" ? each * k : enlarge(each, k),
  ]))
}

// --- charts ----------------------------------------------------------------------------------

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

/* A name where there is little room: the same words, shorter. */
function brief(words) {
  return words.replaceAll("regularization", "reg.")
}

/* The entries of a figure's legend as Plotly lays them out: their width in one row, and the rows
   that they need where the legend stands under the title. */
function legendOf({ data, layout: { legend, font, margin } }, width) {
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

const SMALL = 480 // pixels of a chart that is to be read on a phone

const RESET_ICON = {
  width: 24, height: 24,
  path: "M12 5V1L7 6l5 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
}

class Chart {
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
    } catch (error) {
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
        // one that is let go of while it is being drawn has lost its listeners on the way
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
          click: () => this.save("png") },
        { name: "svg", title: "Save as SVG", icon: this.Plotly.Icons.disk, click: () => this.save("svg") },
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

  save(format) {
    guarded(async () => {
      const [width, height] = [1280, 720]
      const figure = this.still(width)
      // a chart that needs less height stands in the middle
      const own = Math.min(height, this.ownHeight(width) ?? height)
      const spare = (height - own) / 2
      this.arrange(figure, width, own)
      const { data, layout } = figure
      const down = (y) => 1 - ((1 - y) * own + spare) / height
      for (const part of [layout.title, layout.legend]) if (part?.y !== undefined) part.y = down(part.y)
      for (const { marker } of data) if (marker?.colorbar) marker.colorbar.y = spare / height
      layout.margin.t += spare
      layout.margin.b += spare
      layout.paper_bgcolor = this.colors.background
      // a picture cannot use the page's fonts: measure with the one it will be drawn in
      layout.font.family = "sans-serif"
      layout.images = this.pictures()
      const url = await this.Plotly.toImage({ data, layout }, { format, width, height, scale: 3 })
      const link = document.createElement("a")
      link.href = url
      link.download = `${this.fileName()}.${format}`
      link.click()
    })
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

// --- sketches --------------------------------------------------------------------------------

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

function sketchTraces(gd, figure) {
  const pencilOf = pencils(gd)
  const used = new Set()
  const full = gd._fullLayout
  // to Plotly a trace that was empty is not visible, either
  const on = (trace, i) => trace.visible !== false && gd._fullData[i]?.visible !== "legendonly"
  const draw = (type, one) => figure.data.forEach((trace, i) => {
    if (trace.type !== type) return
    const pencil = pencilOf(trace)
    used.add(pencil)
    if (!on(trace, i) || trace.x.every((v) => v === null)) return // such as are in the legend alone
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
function sketchTitles(gd, annotations) {
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

/* Columns of equal width with a gap in pixels: [left, right] of each, in parts of the plot. */
function columns(count, width, gap) {
  const part = Math.min(gap / Math.max(1, width), 0.6 / count)
  const each = (1 - part * (count - 1)) / count
  return Array.from({ length: count }, (_, i) => [i * (each + part), i * (each + part) + each])
}

const ruler = document.createElement("canvas").getContext("2d")

/* Width of a text in pixels; the font is as in CSS, "600 13px family". */
function widthOf(words, font) {
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
function clearTicks([low, high], pixels, over, font, most) {
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
function write(notes, ways, widths, weight, family) {
  const fits = ([, plain, size]) => plain.every((words, i) => widthOf(words, `${weight} ${size}px ${family}`) <= widths[i])
  const [texts, , size] = ways.find(fits) ?? ways.at(-1)
  notes.forEach((note, i) => {
    note.text = texts[i]
    note.font.size = size
  })
}

function element(tag, className, parent) {
  const made = document.createElement(tag)
  if (className) made.className = className
  parent?.appendChild(made)
  return made
}

class LossCurves extends Chart {
  constructor(root) {
    super(root)
    this.legendRows = 2
    this.top = 0.8
    this.bottom = -2
    this.floor = 0.4
  }

  changed() {
    const axes = `${this.options.accuracy}${this.options.log}`
    if (axes !== this.axes) delete this.zoomed.yaxis
    this.axes = axes
  }

  /* Rows of a curve that are drawn. */
  rows() {
    const { accuracy, trainMode } = this.options
    if (accuracy) return [CURVE.trainAccuracy, CURVE.validationAccuracy]
    return trainMode ? [CURVE.train, CURVE.validation, CURVE.trainMode] : [CURVE.train, CURVE.validation]
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
    const rows = accuracy ? this.rows() : [CURVE.train, CURVE.validation, CURVE.trainMode]
    c.head.lanes.slice(0, this.options.lanes).forEach((lane, i) => {
      const { epochs, rows: values } = c.curves[i]
      rows.forEach((row, k) => {
        const y = Array.from(values[row], (v) => (this.draws(v) ? v : null))
        const mode = y.filter((v) => v !== null).length < FEW ? "lines+markers" : "lines"
        Object.assign(figure.data[4 * i + k], { x: epochs, y, mode })
        figure.data[4 * i + k].line.simplify = false // as sketches are drawn
      })
      const validation = figure.data[4 * i + 1].y
      const events = []
      const mark = (epoch, symbol, size, text) => {
        const at = epochs.indexOf(epoch)
        if (at >= 0 && validation[at] !== null) events.push([epoch, validation[at], symbol, size, text])
      }
      const name = this.options.labels[i]
      if (lane.best > 0) mark(lane.best, "star", 15, `${name}: best epoch ${lane.best}`)
      if (lane.stopped > 0) {
        mark(lane.stopped, "square", 10, `${name}: stopped after epoch ${lane.stopped}`)
        Object.assign(figure.layout.shapes[i], { x0: lane.stopped, x1: lane.stopped, visible: true })
      }
      if (lane.status === "diverged") {
        const [train, other] = lane.end.map((v) => (v === null ? "not finite" : v < 1000 ? shown(v) : v.toExponential(1)))
        const words = `${name}: diverged in epoch ${lane.epoch}, training loss ${train}, validation loss ${other}`
        events.push([lane.epoch, accuracy ? validation.at(-1) ?? null : null, "x", 13, words])
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
      this.floor = Number.isFinite(low) ? Math.min(c.run === this.floorRun ? this.floor : 0.4, Math.floor(low * 10) / 10) : 0.4
      this.floorRun = c.run
      axis.range = [Math.max(0, this.floor), 1.01]
      return
    }
    // The end moves in steps, and only outwards while a run goes on, so that nothing jitters.
    const need = niceTop(Math.min(high || 1, 1000))
    this.top = Math.max(this.top, need)
    if (c.sweep) this.top = need
    if (c.head.done && need < 0.7 * this.top) this.top = need
    if (!this.options.log) {
      axis.range = [0, this.top]
      return
    }
    const down = Number.isFinite(low) ? Math.floor(Math.log10(low) * 2) / 2 : -2
    this.bottom = c.run === this.bottomRun && !c.sweep ? Math.min(this.bottom, down) : Math.min(-1, down)
    this.bottomRun = c.run
    axis.range = [Math.max(-7, this.bottom), Math.log10(this.top)]
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

const PANEL_GAP = 26
const FRESH = 150 // ms: points that were drawn so lately are sketched
const SEND = 100 // ms: what is drawn in quick succession goes to the server at once
const REACH = 14 // pixels around a point in which it is erased
const ERASE = 2

/* As Python rounds: halves to the even side. */
function rounded(v) {
  const low = Math.floor(v)
  const rest = v - low
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1
}

/* Which of n points are for validation, and an order in which they stay so: turns() and arranged()
   of regviz/data/own.py. */
function turns(n, fraction) {
  return Array.from({ length: n }, (_, i) => rounded((i + 1) * fraction) > rounded(i * fraction))
}

function arranged(train, validation, fraction) {
  const n = train.length + validation.length
  while (validation.length > rounded(n * fraction)) train.push(validation.pop())
  while (validation.length < rounded(n * fraction)) validation.push(train.pop())
  let [t, v] = [0, 0]
  return turns(n, fraction).map((turn) => (turn ? validation[v++] : train[t++]))
}

/* Points that are being drawn. They are here before the server has them; with another page in
   between they are kept. */
class Drawing {
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
      u += a + (set.place[2 * k] / 65535) * (b - a)
      v += d + (set.place[2 * k + 1] / 65535) * (e - d)
    }
    const near = (one, other, span) => Math.abs(one - other) <= (set.kind.length * span) / 65535
    return near(x, u, b - a) && near(y, v, e - d)
  }
}

class Boundary extends Chart {
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
    this.response = ramp(this.colors.response, 256)
    this.difference = ramp(this.colors.difference, 511)
    this.areas = this.colors.areas.map((color) => ramp([this.colors.response[1], color], 256))
    this.same = ramp(this.colors.difference.slice(1), 2)
    this.kinds = this.options.classes?.length ?? 2
    this.nameClasses()
    this.painted = new WeakMap() // picture -> its tiles
    const { drawing: asked } = this.options
    core.drawings ??= new Map()
    if (asked && !core.drawings.has(asked.id)) core.drawings = new Map([[asked.id, new Drawing(asked)]])
    this.pen = asked ? core.drawings.get(asked.id) : null
    if (this.pen) this.pen.fraction = asked.fraction
    this.skeleton.layout.dragmode = this.pen ? false : "zoom"
    this.gd.classList.toggle("rv-drawing", this.pen !== null)
    this.drawTools()
    if (this.pen?.unsent) this.sendSoon()
  }

  /* Names of somebody's classes and columns: short in the legend, whole where the pointer is. */
  nameClasses() {
    const { classes, names, whole, columns, lanes } = this.options
    const short = classes ?? names
    const literal = (name) => escaped(name).replaceAll("%{", "%\u200b{") // Plotly fills in what is in braces
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
        trace.hovertemplate = trace.hovertemplate.replace(["x₀", "x₁"][axis], () => literal(name))
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
    const { names, about } = this.options.drawing
    this.tools = element("div", "rv-tools")
    this.root.insertBefore(this.tools, this.frame)
    Object.assign(this.tools, { role: "toolbar", ariaLabel: "Draw points" })
    const button = (words, title, press) => {
      const made = element("button", "", this.tools)
      Object.assign(made, { type: "button", title, onclick: () => { press(); this.told() } })
      made.append(words)
      return made
    }
    const pick = (tool) => { this.pen.tool = tool }
    this.picks = [
      ...names.map((name, k) => button(name, `Click in the plot to add a point of ${name}`, () => pick(k))),
      button("Erase", "Click a point to remove it, or Shift-click with any tool", () => pick(ERASE)),
    ]
    names.forEach((_, k) => {
      const dot = element("i", "")
      dot.style.background = this.colors.classes[k]
      this.picks[k].prepend(dot)
    })
    element("span", "rv-tools-gap", this.tools)
    this.undoing = button("Undo", "Undo the last change", () => { this.pen.undo(); this.redraw() })
    this.clearing = button("Clear", "Remove all points", () => { this.pen.change([]); this.redraw() })
    button("Done", "Finish drawing and keep the points", () => this.send(true))
    this.count = element("span", "rv-tools-count", this.tools)
    this.count.setAttribute("role", "status")
    this.about = about
    this.told()
  }

  told() {
    const { points, tool, past, complete } = this.pen
    this.picks.forEach((button, k) => { button.ariaPressed = String(k === tool) })
    this.undoing.disabled = past.length === 0
    this.clearing.disabled = points.length === 0
    const n = `${points.length} point${points.length === 1 ? "" : "s"}`
    const most = this.options.drawing.most
    text(this.count, complete ? `${n}${points.length >= most ? ", the maximum" : ""}` : `${n}: ${this.about}`)
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
      const at = (axis, part) => axis.range[0] + part * (axis.range[1] - axis.range[0])
      return { x, y, place: [at(x, u), at(y, v)] }
    }
    return null
  }

  clicked(event) {
    const found = this.pen && this.panelAt(event)
    if (!found) return
    const drawing = this.pen
    const [u, v] = found.place
    if (drawing.tool === ERASE || event.shiftKey) {
      const pixels = ({ _length, range }) => _length / (range[1] - range[0])
      const [kx, ky] = [pixels(found.x), pixels(found.y)]
      const far = drawing.points.map((p) => Math.hypot((p[0] - u) * kx, (p[1] - v) * ky))
      const nearest = far.indexOf(Math.min(...far))
      if (nearest < 0 || far[nearest] > REACH) return
      drawing.erase(nearest)
    } else {
      if (drawing.points.length >= this.options.drawing.most) return
      const plain = (value) => Number(value.toPrecision(5))
      drawing.change([...drawing.points, [plain(u), plain(v), drawing.tool]])
    }
    this.told()
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
    const [left, right] = columns(this.panels(), width - l - r, PANEL_GAP)[0]
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
    const [left, right] = columns(this.panels(), width - l - r, PANEL_GAP)[0]
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
    const places = columns(this.panels(), width - l - r, PANEL_GAP)
    places.forEach(([left, right], i) => {
      figure.layout[`xaxis${i === 0 ? "" : i + 1}`].domain = [left, right]
      figure.layout.annotations[i].x = (left + right) / 2
    })
    const under = ([left], [, right], trace) => {
      trace.marker.colorbar.x = (left + right) / 2
      trace.marker.colorbar.len = Math.min(0.75 * (right - left), 0.5)
    }
    under(places[0], places[lanes - 1], figure.data[bar])
    this.fitAxisTitles(figure.layout, places, width - l - r)
    if (!this.options.difference) return
    under(places[lanes], places[lanes], figure.data[bar + 1])
    const [left, right] = places[lanes]
    // the whole name would leave nothing of a short bar
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
    if (home !== this.home) this.zoomed = {} // other data: an old zoom would look at nothing
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
      const [a, b, d, e] = set.extent
      for (let k = 0; k < set.kind.length; k++) {
        const kind = set.kind[k] & 127
        if (kind >= kinds) continue
        const group = kind + (set.kind[k] & 128 ? kinds : 0)
        xs[group].push(a + (set.place[2 * k] / 65535) * (b - a))
        ys[group].push(d + (set.place[2 * k + 1] / 65535) * (e - d))
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
      tiles[i].contour = contour(smooth, b.shape, 127.5)
      tiles[i].extent = c.extents?.[c.viewOf[i]]
    }
    const { lanes } = this.options
    const [first, last] = [boundaries[0], boundaries[lanes - 1]]
    let apart // share of the nodes whose most probable class is another
    if (this.options.difference && first && last && equal(first.shape, last.shape) && c.viewOf?.[0] === c.viewOf?.[1]) {
      if (first.shape.length === 3) {
        const [one, other] = [tiles[0], tiles[lanes - 1]]
        tiles[lanes] = tile([one.rows, one.columns], (k) => this.same[one.winner[k] === other.winner[k] ? 0 : 1])
        const nodes = first.values.length / 2
        apart = 0
        for (let k = 0; k < nodes; k++) if ((first.values[k] & 15) !== (last.values[k] & 15)) apart += 1 / nodes
      } else {
        tiles[lanes] = tile(first.shape, (k) => this.difference[255 + Math.round(smoothed[lanes - 1][k] - smoothed[0][k])])
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

function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;")
}

function tile(shape, color) {
  const [rows, columns] = shape
  const canvas = document.createElement("canvas")
  canvas.width = columns
  canvas.height = rows
  const context = canvas.getContext("2d")
  const image = context.createImageData(columns, rows)
  const pixels = new Uint32Array(image.data.buffer)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) pixels[(rows - 1 - r) * columns + k] = color(r * columns + k)
  }
  context.putImageData(image, 0, 0)
  return { canvas, rows, columns }
}

const FINER = 4 // pixels to a node in an image of classes: its lines run between the nodes

/* The most probable class of each node in its colour, paler where its probability is lower. The line
   between two classes runs where the linear way from one's lead to the other's passes 0. */
function classTile({ values, shape: [, rows, columns] }, kinds, areas) {
  const n = rows * columns
  const classes = values.slice(0, n).map((code) => code & 15)
  const present = [...new Set(classes)]
  const sure = blurred(values.subarray(n), [rows, columns])
  const leads = present.map((k) => {
    const lead = new Float32Array(n)
    for (let i = 0; i < n; i++) if (classes[i] === k) lead[i] = Math.max(((values[i] >> 4) / 15) ** 2, 1e-3)
    return blurred(lead, [rows, columns])
  })
  const owners = new Uint16Array(n) // bit i: the class at place i of those present leads there, or near
  leads.forEach((lead, i) => { for (let at = 0; at < n; at++) if (lead[at] > 0) owners[at] |= 1 << i })
  const shape = [(rows - 1) * FINER + 1, (columns - 1) * FINER + 1]
  const winner = new Uint8Array(shape[0] * shape[1])
  const paleness = new Uint8ClampedArray(winner.length)
  const least = 255 / Math.max(kinds, 2)
  const strength = sure.map((p) => ((p - least) / (255 - least)) * 255)
  const most = new Float32Array(FINER + 1)
  for (let r = 0; r < rows - 1; r++) {
    const down = FINER + (r === rows - 2 ? 1 : 0)
    for (let q = 0; q < columns - 1; q++) {
      const across = FINER + (q === columns - 2 ? 1 : 0)
      const [a, c] = [r * columns + q, (r + 1) * columns + q]
      const near = owners[a] | owners[a + 1] | owners[c] | owners[c + 1]
      const alone = (near & (near - 1)) === 0
      for (let v = 0; v < down; v++) {
        const s = v / FINER
        const start = (r * FINER + v) * shape[1] + q * FINER
        // what lies between four nodes: linear along this row of pixels
        const left = strength[a] + s * (strength[c] - strength[a])
        const step = (strength[a + 1] + s * (strength[c + 1] - strength[a + 1]) - left) / FINER
        for (let u = 0; u < across; u++) paleness[start + u] = left + u * step
        most.fill(-1)
        for (let i = 0; i < present.length; i++) {
          if (!(near & (1 << i))) continue
          if (alone) {
            winner.fill(present[i], start, start + across)
            break
          }
          const lead = leads[i]
          const from = lead[a] + s * (lead[c] - lead[a])
          const by = (lead[a + 1] + s * (lead[c + 1] - lead[a + 1]) - from) / FINER
          for (let u = 0; u < across; u++) {
            if (from + u * by <= most[u]) continue
            most[u] = from + u * by
            winner[start + u] = present[i]
          }
        }
      }
    }
  }
  const made = tile(shape, (k) => areas[winner[k] % areas.length][paleness[k]])
  // each line is found from either of its sides, so all classes but one find them all
  const [first, second] = [new Float32Array(n), new Float32Array(n)]
  for (const lead of leads) {
    for (let i = 0; i < n; i++) {
      second[i] = Math.max(second[i], Math.min(lead[i], first[i]))
      first[i] = Math.max(first[i], lead[i])
    }
  }
  made.contour = leads.slice(1).flatMap((lead) => {
    const ahead = lead.map((own, i) => own - (own === first[i] ? second[i] : first[i]))
    return contour(ahead, [rows, columns], 0).map((place) => place * FINER)
  })
  made.winner = winner
  return made
}

/* Each node with its neighbours, weights 1-2-1: where the response jumps from 0 to 1 between two
   nodes, the line between them would otherwise be a staircase. */
function blurred(values, [rows, columns]) {
  const across = new Float32Array(values.length)
  const out = new Float32Array(values.length)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) {
      const at = r * columns + k
      const [left, right] = [k > 0 ? at - 1 : at, k < columns - 1 ? at + 1 : at]
      across[at] = (values[left] + 2 * values[at] + values[right]) / 4
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) {
      const at = r * columns + k
      const [below, above] = [r > 0 ? at - columns : at, r < rows - 1 ? at + columns : at]
      out[at] = (across[below] + 2 * across[at] + across[above]) / 4
    }
  }
  return out
}

/* Line pieces where the values cross the level (marching squares), in grid units. */
function contour(values, [rows, columns], level) {
  const pieces = []
  for (let r = 0; r < rows - 1; r++) {
    for (let k = 0; k < columns - 1; k++) {
      const at = r * columns + k
      const [a, b, c, d] = [values[at], values[at + 1], values[at + columns + 1], values[at + columns]]
      const cut = []
      if (a > level !== b > level) cut.push(k + (level - a) / (b - a), r)
      if (b > level !== c > level) cut.push(k + 1, r + (level - b) / (c - b))
      if (c > level !== d > level) cut.push(k + (level - d) / (c - d), r + 1)
      if (d > level !== a > level) cut.push(k, r + (level - a) / (d - a))
      for (let i = 0; i + 3 < cut.length; i += 4) pieces.push(cut[i], cut[i + 1], cut[i + 2], cut[i + 3])
    }
  }
  return pieces
}

function paintPanel(context, t, box, [x0, x1], [y0, y1], colors) {
  const [a, b, c, d] = t.extent
  const px = (x) => box.left + ((x - x0) / (x1 - x0)) * box.width
  const py = (y) => box.top + ((y1 - y) / (y1 - y0)) * box.height
  const stepX = (b - a) / (t.columns - 1)
  const stepY = (d - c) / (t.rows - 1)
  context.save()
  context.beginPath()
  context.rect(box.left, box.top, box.width, box.height)
  context.clip()
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = "high"
  // nodes lie at pixel centres, so the picture reaches half a step further
  const [left, top] = [px(a - stepX / 2), py(d + stepY / 2)]
  context.drawImage(t.canvas, left, top, px(b + stepX / 2) - left, py(c - stepY / 2) - top)
  if (t.contour) {
    context.beginPath()
    for (let i = 0; i < t.contour.length; i += 4) {
      context.moveTo(px(a + t.contour[i] * stepX), py(c + t.contour[i + 1] * stepY))
      context.lineTo(px(a + t.contour[i + 2] * stepX), py(c + t.contour[i + 3] * stepY))
    }
    context.lineCap = "round"
    context.strokeStyle = colors.background
    context.globalAlpha = 0.7
    context.lineWidth = 4.5
    context.stroke()
    context.globalAlpha = 1
    context.strokeStyle = colors.contour
    context.lineWidth = 2
    context.stroke()
  }
  context.restore()
}

/* Bins from the middle outwards until at most the given part of all counts lies outside: on a
   linear scale a few stray weights are too few to see, and would squeeze the rest. */
function reachOf(counts, outside) {
  const half = counts.length / 2
  const total = counts.reduce((a, b) => a + b, 0)
  let beyond = 0
  let reach = half
  while (reach > 1) {
    beyond += counts[half - reach] + counts[half + reach - 1]
    if (beyond > outside * total) break
    reach -= 1
  }
  return reach
}

const HISTOGRAM_PAUSE = 250 // ms
const PER_ROW = 5 // panels, as in regviz/figures/live.py
const NARROW = 150 // pixels of a panel

class Histogram extends Chart {
  constructor(root) {
    super(root)
    this.legendRows = 1
    this.last = 0
    this.reach = []
    this.tops = []
  }

  /* The dearest chart to draw, and the one that moves least: a few times a second will do. */
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
    const count = Math.ceil(layers / Math.ceil(layers / PER_ROW))
    const places = columns(count, inner, inner / count < 130 ? 33 : 48)
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
    const least = (ticks) => Math.min(...ticks.map((t) => t.values.length))
    let [size, ticks] = [13, ticksOf(13)]
    if (least(ticks) < 3) {
      const small = ticksOf(11)
      if (least(small) > least(ticks) || room < 60) [size, ticks] = [11, small]
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
      // more exact zeros than fit: their bar leaves through the top, the number above tells
      return { reach: reach * 1.04, top: niceTop(Math.max(top, Math.min(most, 2.5 * top))), most }
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
      const bar = this.reach[layer] / 24
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

/* A figure that comes whole from the server, and is drawn in place. */
class Figure extends Chart {
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
    for (const axis of Object.keys(this.zoomed)) figure.layout[axis] ??= {} // theirs may go unsaid
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
    const reach = Math.max(4 * step, ...lanes.map((own) => step * reachOf(own, 0.002)))
    let top = 1
    for (const n of values) top = Math.max(top, n)
    top = 1.25 * Math.max(top, Math.min(Math.max(...zeros), 2.5 * top))
    this.needed.set(picture, { reach, top })
    return this.needed.get(picture)
  }

  /* Put the weights of the picture that the scrubber points at into a figure of histograms, as
     regviz/compare_figures.py draws them; its axes hold all pictures and stand still. */
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
      const width = reach / 24
      Object.assign(figure.data[2 * i + 1], { x: [0], y: [zeros[i]], width: [width], offset: [-width / 2] })
      const share = zeros[i] ? ` (${Math.round((100 * zeros[i]) / size[i])} %)` : ""
      figure.layout.annotations[rows + i].text = `exact zeros: ${zeros[i].toLocaleString("en")}${share}`
      const n = i === 0 ? "" : i + 1
      figure.layout[`xaxis${n}`].range = [-reach, reach]
      const log = figure.layout[`yaxis${n}`].type === "log"
      figure.layout[`yaxis${n}`].range = log ? [-0.3, Math.log10(2 * top)] : [0, top]
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

// --- scrubber and readout --------------------------------------------------------------------

function shown(value) {
  return Number.isFinite(value) ? Number(value).toPrecision(3) : "–"
}

function lossesAt(c, i, epoch) {
  const { epochs, rows } = c.curves[i]
  let at = epochs.length - 1
  if (epoch !== null) while (at > 0 && epochs[at] > epoch) at -= 1
  if (at < 0 || (epoch !== null && epoch < 1)) return [NaN, NaN]
  return [rows[CURVE.train][at], rows[CURVE.validation][at]]
}

function describeLanes(c, labels, epoch) {
  return labels.map((label, i) => {
    if (!c.curves[i]) return ""
    const [train, validation] = lossesAt(c, i, epoch)
    return `${label}: training loss ${shown(train)}, validation loss ${shown(validation)}`
  }).join("; ")
}

const STEP = 450 // ms at each value while a sweep plays
const SIDEWAYS = 6 // pixels from which on a finger moves the scrubber, as in touch.js

class Scrubber {
  constructor(root) {
    this.root = root
    this.prompt = true
    this.box = element("div", "rv-scrub", root)
    this.name = element("span", "rv-scrub-name", this.box)
    this.input = element("input", "", this.box)
    Object.assign(this.input, { type: "range", min: 0, max: 1, step: 1, value: 0 })
    this.button = element("button", "", this.box)
    this.button.type = "button"
    this.lanes = element("div", "rv-scrub-lanes", this.box)
    this.input.oninput = () => {
      const place = Number(this.input.value)
      if (this.finger && !this.finger.slides) {
        this.finger.place = place
        this.input.value = this.finger.before
      } else this.scrub(place)
    }
    this.feel()
    this.button.onclick = () => (this.data.values ? this.play() : this.channel.scrubTo(Infinity))
  }

  scrub(place) {
    this.stop()
    this.channel.scrubTo(place)
  }

  /* A browser moves a slider as soon as a finger touches it. The finger may be about to scroll the
     page: the browser cancels the touch then, and the scrubber has not moved. */
  feel() {
    const go = () => {
      if (this.finger.slides) return
      this.finger.slides = true
      if (this.finger.place !== null) this.scrub(this.finger.place)
    }
    this.input.onpointerdown = ({ pointerType, clientX }) => {
      this.finger = pointerType === "touch" ? { from: clientX, before: this.input.value, place: null, slides: false } : null
    }
    this.input.onpointermove = ({ clientX }) => {
      if (this.finger && Math.abs(clientX - this.finger.from) >= SIDEWAYS) go()
    }
    this.input.onpointerup = () => {
      if (this.finger) go()
      this.finger = null
    }
    this.input.onpointercancel = () => { this.finger = null }
  }

  apply(data, c, words) {
    this.channel = c
    const theme = themeOf(this.root)
    const signature = `${theme}${words}`
    if (signature === this.signature) return
    this.signature = signature
    this.data = data
    this.colors = data.palette[theme]
    this.input.setAttribute("aria-label", data.name)
    this.stop()
    this.button.title = data.values ? "Step through the values one by one" : "Follow the newest epoch"
    this.lanes.replaceChildren()
    this.texts = data.labels.map((label, i) => {
      const item = element("span", "", this.lanes)
      element("i", "", item).style.background = this.colors.lanes[i % this.colors.lanes.length]
      return item.appendChild(document.createTextNode(label))
    })
    if (this.shows(c)) {
      this.draw(c, c.picture())
    } else {
      this.name.textContent = data.values ? data.name : `epoch 0 / ${data.epochs}`
      this.button.disabled = true
      this.input.max = data.values ? data.values.length - 1 : data.epochs
    }
  }

  /* Whether the channel has what this scrubber is over. */
  shows(c) {
    return c.newest !== null && (c.sweep !== null) === Boolean(this.data.values)
  }

  draw(c, picture) {
    if (!this.shows(c)) return
    if (c.sweep) this.drawValues(c)
    else this.drawEpochs(c, picture)
  }

  set(value, max, filled) {
    this.input.max = max
    this.input.value = value
    this.input.style.setProperty("--rv-at", `${(100 * value) / max}%`)
    this.input.style.setProperty("--rv-fill", `${(100 * filled) / max}%`)
  }

  drawValues(c) {
    const { name, values, index } = c.sweep
    this.set(index, Math.max(1, values.length - 1), index)
    const words = `${name} = ${values[index]}`
    text(this.name, words)
    // as wide as the widest, so that the slider stays where it is
    const font = getComputedStyle(this.name).font
    this.name.style.minWidth = `${Math.ceil(Math.max(...values.map((v) => widthOf(`${name} = ${v}`, font))))}px`
    this.input.setAttribute("aria-valuetext", words)
    this.button.disabled = values.length < 2
    this.tellLosses(c, (i) => (c.newest.restored[i] && c.head.lanes[i].best > 0 ? c.head.lanes[i].best : null))
  }

  drawEpochs(c, picture) {
    const live = c.at === null
    const epoch = live ? c.head.epoch : c.at
    this.set(epoch, Math.max(1, c.head.done ? c.head.epoch : c.head.epochs), c.head.epoch)
    const other = !live && picture.epoch !== epoch ? `, plots of epoch ${picture.epoch}` : ""
    text(this.name, `epoch ${epoch} / ${c.head.epochs}`)
    this.name.title = other && `Plots are stored for some epochs only; shown is epoch ${picture.epoch}.`
    this.input.setAttribute("aria-valuetext", `epoch ${epoch} of ${c.head.epochs}${other}`)
    this.button.disabled = live
    this.tellLosses(c, () => (live ? null : epoch))
  }

  tellLosses(c, epochOf) {
    this.data.labels.forEach((label, i) => {
      if (!c.curves[i]) return
      const [train, validation] = lossesAt(c, i, epochOf(i))
      const gone = c.head.lanes[i].status === "diverged" && !Number.isFinite(train)
      const words = gone ? `${label}: diverged` : `${label}: training loss ${shown(train)}, validation loss ${shown(validation)}`
      if (this.texts[i].data !== words) this.texts[i].data = words
    })
  }

  /* From value to value; at the last one it ends, and then begins anew. */
  play() {
    if (this.playing) {
      this.stop()
      return
    }
    const { sweep } = this.channel
    if (!sweep) return
    if (sweep.index === sweep.entries.length - 1) this.channel.scrubTo(0)
    this.playing = setInterval(() => {
      const { sweep: now } = this.channel
      if (!now || now.index >= now.entries.length - 1) this.stop()
      else this.channel.scrubTo(now.index + 1)
    }, STEP)
    text(this.button, "stop")
  }

  stop() {
    clearInterval(this.playing)
    this.playing = null
    text(this.button, this.data.values ? "play" : "newest")
  }

  destroy() {
    clearInterval(this.playing)
    this.box.remove()
  }
}

function text(node, words) {
  if (node.textContent !== words) node.textContent = words
}

class Readout {
  constructor(root) {
    this.root = root
    this.prompt = true
    this.table = element("table", "rv-table", root)
    this.shape = ""
    this.abort = new AbortController()
    const grow = () => this.table.style.setProperty("--rv-growth", growth())
    window.addEventListener("resize", grow, { signal: this.abort.signal })
    grow()
    this.resizer = new ResizeObserver(() => this.fit())
    this.resizer.observe(root)
  }

  /* Where the table would be wider than its place, the names of the columns are short ones; where
     that is not enough, all names go over several lines. */
  fit() {
    if (!this.names?.length) return
    const fits = () => this.table.offsetWidth <= this.root.clientWidth
    this.table.classList.remove("rv-tight")
    this.names.forEach(([cell, name]) => text(cell, name))
    if (fits()) return
    this.names.forEach(([cell, name]) => {
      text(cell, brief(name))
      if (brief(name) !== name) cell.title = name
    })
    if (fits()) return
    this.names.forEach(([cell, name]) => text(cell, name))
    this.table.classList.add("rv-tight")
    if (!fits()) this.names.forEach(([cell, name]) => text(cell, brief(name)))
  }

  apply(data, c) {
    this.channel = c
    const colors = data.palette[themeOf(this.root)]
    for (const tone of ["good", "warn", "bad"]) this.table.style.setProperty(`--rv-${tone}`, colors[tone])
    this.lanes = colors.lanes
    this.shape = ""
    if (c.newest !== null) this.draw(c, c.picture())
  }

  draw(c, picture) {
    const { table } = picture
    if (!table) return
    const shape = JSON.stringify([table.columns, table.rows.length])
    const anew = shape !== this.shape
    if (anew) {
      this.shape = shape
      this.table.replaceChildren()
      const head = element("tr", "", element("thead", "", this.table))
      this.names = table.columns.map((name) => {
        const cell = element("th", "", head)
        cell.scope = "col"
        cell.textContent = name
        return [cell, name]
      })
      const body = element("tbody", "", this.table)
      this.cells = table.rows.map((row) => {
        const line = element("tr", "", body)
        return row.map((_, k) => {
          const cell = element(k === 0 ? "th" : "td", "", line)
          if (k === 0) cell.scope = "row"
          return cell
        })
      })
    }
    table.rows.forEach((row, r) => row.forEach((cell, k) => {
      const [words, tone] = Array.isArray(cell) ? cell : [cell, ""]
      const node = this.cells[r]?.[k]
      if (!node) return
      text(node, words)
      if ((node.dataset.tone ?? "") !== tone) node.dataset.tone = tone
    }))
    if (anew) this.fit()
  }

  destroy() {
    this.abort.abort()
    this.resizer.disconnect()
    this.table.remove()
  }
}

// --- mounts ----------------------------------------------------------------------------------

const KINDS = { loss: LossCurves, boundary: Boundary, histogram: Histogram, figure: Figure, scrubber: Scrubber, readout: Readout }

export default function ({ data: packed, parentElement, setTriggerValue }) {
  openInbox()
  listenIn()
  const root = parentElement.querySelector(".rv-root")
  if (root === null || !packed) return undefined
  const words = new TextDecoder().decode(packed)
  const data = JSON.parse(words)
  let view = core.mounts.get(parentElement)
  if (view && view.kind !== data.kind) {
    view.leave()
    view = undefined
  }
  if (view === undefined) {
    view = new KINDS[data.kind](root)
    view.kind = data.kind
    view.leave = () => {
      core.mounts.delete(parentElement)
      view.channel?.views.delete(view)
      guarded(() => view.destroy())
      if (view.channel) forgetSoon(view.channel.name)
    }
    core.mounts.set(parentElement, view)
  }
  const c = channel(data.channel)
  if (view.channel && view.channel !== c) view.channel.views.delete(view)
  c.views.add(view)
  view.tell = setTriggerValue
  guarded(() => view.apply(data, c, words))
  return () => view.leave()
}
