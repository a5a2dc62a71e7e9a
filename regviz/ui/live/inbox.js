/* The inbox: messages that Streamlit hands over from the feeds (feed.js), also those that came
   before a chart was there. */

import { core, guarded } from "./page.js"
import { decode } from "./decode.js"
import { channel, forgetSoon } from "./channel.js"

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

export function openInbox() {
  const waiting = Array.isArray(window.__regvizInbox) ? window.__regvizInbox : []
  window.__regvizInbox = { push: take }
  waiting.forEach(take)
}
