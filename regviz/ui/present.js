/* Keys for who presents: space plays and pauses, R restarts, the arrows move the scrubber, P is the
   projector's view, C brings the controls back there. They press the page's own buttons, so that
   nothing happens here that a mouse could not do. */

import { listenToTouches } from "./touch.js"

const OWN_KEYS = "input, textarea, select, button, a, [contenteditable], [role=slider], [role=combobox], [role=option], [role=tab], [role=switch], .js-plotly-plot"

function press(key) {
  const button = document.querySelector(`.st-key-${key} button`)
  if (button === null || button.disabled) return false
  button.click()
  return true
}

function step(by) {
  const input = document.querySelector(".rv-scrub input[type=range]")
  if (input === null) return false
  const [now, most] = [Number(input.value), Number(input.max)]
  const stride = Math.max(1, Math.round(most / 64))
  input.value = Math.min(Math.max(now + by * stride, Number(input.min)), most)
  input.dispatchEvent(new Event("input", { bubbles: true }))
  return true
}

const DOES = {
  " ": () => press("do-play") || press("do-pause"),
  r: () => press("do-restart"),
  p: () => press("projector"),
  c: () => document.documentElement.classList.toggle("rv-controls") || true,
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  // what has the keyboard keeps it: a slider its arrows, a button its space, a field its letters
  if (event.target instanceof Element && event.target.closest(OWN_KEYS)) return
  const does = DOES[event.key.length === 1 ? event.key.toLowerCase() : event.key]
  if (does?.()) event.preventDefault()
}

export default function ({ data }) {
  listenToTouches()
  const told = JSON.parse(new TextDecoder().decode(data))
  const last = window.__regvizProjector
  // where runs follow each other quickly, Streamlit may hand over once more what was there before
  if (last?.session !== told.session || told.moves >= last.moves) {
    window.__regvizProjector = told
    document.documentElement.classList.toggle("rv-projector", told.on)
  }
  window.removeEventListener("keydown", window.__regvizKeys ?? onKey)
  window.__regvizKeys = onKey
  window.addEventListener("keydown", onKey)
  window.dispatchEvent(new Event("resize")) // charts take the new size of letters
}
