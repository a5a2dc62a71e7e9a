/* Keys for a presenter: space plays and pauses, R restarts, the arrows move the scrubber, P switches
   the projector's view, C shows the controls in it. They press the page's buttons, so a key does
   nothing that a mouse could not do. */

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
  // a focused control keeps its keys: a slider the arrows, a button the space bar, a field letters
  if (event.target instanceof Element && event.target.closest(OWN_KEYS)) return
  const does = DOES[event.key.length === 1 ? event.key.toLowerCase() : event.key]
  if (does?.()) event.preventDefault()
}

export default function ({ data }) {
  listenToTouches()
  const asked = JSON.parse(new TextDecoder().decode(data))
  const last = window.__regvizProjector
  // when script runs follow each other quickly, Streamlit may deliver an older value again
  if (last?.session !== asked.session || asked.moves >= last.moves) {
    window.__regvizProjector = asked
    document.documentElement.classList.toggle("rv-projector", asked.on)
  }
  window.removeEventListener("keydown", window.__regvizKeys ?? onKey)
  window.__regvizKeys = onKey
  window.addEventListener("keydown", onKey)
  window.dispatchEvent(new Event("resize")) // charts adopt the new font size
}
