/* The state of a channel: the frames of a run or a sweep, and the one that is shown; it
   schedules the drawing of the channel's views. */

import { core, guarded, equal } from "./page.js"
import { arraysOf, curvesOf, pictureOf } from "./decode.js"

const LIVE_FRAMES = 300 // kept for scrubbing until the server's own come
const REST = 150 // ms: a scrubber that has not moved for so long has come to rest

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
      // the server has sent it; if it was lost, or dropped with the page, ask for it again
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

  /* Each value of a sweep is one finished run; the scrubber chooses the run to show. */
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

export function channel(name) {
  if (!core.channels.has(name)) core.channels.set(name, new Channel(name))
  return core.channels.get(name)
}

export function forgetSoon(name) {
  // a page that is left lets go of its frames; a chart mounted again at once finds them still
  setTimeout(() => {
    const c = core.channels.get(name)
    if (c && c.views.size === 0 && c.feeds.size === 0) {
      core.channels.delete(name)
      delete window.__regviz?.[name]
    }
  }, 5000)
}
