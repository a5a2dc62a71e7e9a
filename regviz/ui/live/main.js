/* The entry point: Streamlit calls the default export for each mount, again whenever its data or
   the theme changes, always with the same parent element. */

import { core, guarded } from "./page.js"
import { channel, forgetSoon } from "./channel.js"
import { openInbox } from "./inbox.js"
import { listenIn } from "./overhear.js"
import { LossCurves } from "./curves.js"
import { Boundary } from "./boundary.js"
import { Histogram } from "./histogram.js"
import { Figure } from "./figure.js"
import { Scrubber } from "./scrubber.js"
import { Readout } from "./readout.js"

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
