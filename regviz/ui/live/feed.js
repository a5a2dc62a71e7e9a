/* The feed: hands a message's bytes to the charts (inbox.js), which may not be there yet, and their
   questions to the server. */

export default function ({ data, key, setTriggerValue }) {
  const inbox = (window.__regvizInbox ??= [])
  inbox.push({ key, data, ask: (what) => setTriggerValue("wanted", what) })
  return () => window.__regvizInbox.push({ key, gone: true })
}
