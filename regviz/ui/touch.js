/* A finger that scrolls the page over a slider does not change its value. Streamlit's slider takes the
   value under a finger on touch, before it is known whether the finger will scroll. So the touch is
   held back here until it moves sideways or ends. page.css leaves swipes up and down to the browser
   (touch-action: pan-y), which then cancels the touch. */

let held = null // the touch on a slider that is held back

function slides(event) {
  return event.target instanceof Element && event.target.closest(".stSlider [role=group]") !== null
}

function handOver() {
  const { target, pointerId, clientX, clientY, screenX, screenY } = held
  held = null
  const like = new PointerEvent("pointerdown", {
    bubbles: true, cancelable: true, composed: true, view: window, isPrimary: true,
    pointerId, pointerType: "touch", button: 0, buttons: 1, clientX, clientY, screenX, screenY,
  })
  like.rvHanded = true
  target.dispatchEvent(like)
}

function onTouch(event) {
  if (event.rvHanded || event.pointerType !== "touch" || !event.isPrimary || !slides(event)) return
  held = event
  event.stopPropagation()
}

function onMove(event) {
  if (held === null || event.pointerId !== held.pointerId) return
  if (Math.abs(event.clientX - held.clientX) >= SHARED.sideways) handOver()
}

function onLift(event) {
  if (held !== null && event.pointerId === held.pointerId) handOver() // a tap
}

function onCancel(event) {
  if (held !== null && event.pointerId === held.pointerId) held = null // the page scrolls
}

export function listenToTouches() {
  if (window.__regvizTouches) return
  window.__regvizTouches = true
  const first = { capture: true, passive: true }
  window.addEventListener("pointerdown", onTouch, first)
  window.addEventListener("pointermove", onMove, first)
  window.addEventListener("pointerup", onLift, first)
  window.addEventListener("pointercancel", onCancel, first)
  window.addEventListener("touchstart", (event) => { if (slides(event)) event.stopPropagation() }, first)
}
