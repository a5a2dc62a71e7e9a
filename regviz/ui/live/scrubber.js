/* The slider over the epochs of a run or the values of a sweep, and both losses of each lane
   there. */

import { element, setText } from "./page.js"
import { themeOf } from "./theme.js"
import { widthOf, shown, lossesAt } from "./words.js"

const STEP = 450 // ms at each value while a sweep plays

export class Scrubber {
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
      if (this.finger && Math.abs(clientX - this.finger.from) >= SHARED.sideways) go()
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
    setText(this.name, words)
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
    setText(this.name, `epoch ${epoch} / ${c.head.epochs}`)
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
    setText(this.button, "stop")
  }

  stop() {
    clearInterval(this.playing)
    this.playing = null
    setText(this.button, this.data.values ? "play" : "newest")
  }

  destroy() {
    clearInterval(this.playing)
    this.box.remove()
  }
}
