/* What all views of one browser page share: its channels, what goes wrong, and elements of the
   document. */

export const core = (window.__regvizCore ??= {
  channels: new Map(),
  mounts: new WeakMap(),
  askers: new Map(),
  session: "", // what the server's messages to this page bear
  listens: false,
  plotly: null,
  shared: SHARED,
  drawings: new Map(), // id -> points that are being drawn
})

export function guarded(work) {
  // a chart that cannot be drawn must not take the page down with it
  try {
    return work()
  } catch (error) {
    console.warn("regviz: a chart could not be drawn", error)
    return undefined
  }
}

export function equal(a, b) {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function element(tag, className, parent) {
  const made = document.createElement(tag)
  if (className) made.className = className
  parent?.appendChild(made)
  return made
}

export function setText(node, words) {
  if (node.textContent !== words) node.textContent = words
}
