/* Messages that are overheard on the page's connection, before Streamlit hands them over: what
   listens to its WebSocket. */

import { core, guarded } from "./page.js"
import { decode } from "./decode.js"

/* Streamlit hands a message over when it has drawn all that came with it and before it, 20 to 150
   ms after it has come: a third of the time that a visitor waits for a new picture. So the page's
   connection is listened to as well, for messages of feeds that are there; what the feed then hands
   over has been had. A socket is known by what it sends: the page sends something with every look. */
export function listenIn() {
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

const FIRST = SHARED.magic.charCodeAt(0)
const BEGINS = new TextEncoder().encode('{"sent":')

function overhear(data) {
  if (!(data instanceof ArrayBuffer)) return
  const bytes = new Uint8Array(data)
  for (let at = bytes.indexOf(FIRST); at >= 0; at = bytes.indexOf(FIRST, at + 1)) {
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
