/* Colours of the page's theme, and how much larger charts are in a high window or on a
   projector. */

function rgb(color) {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16))
}

export function themeOf(element) {
  const probe = getComputedStyle(element).getPropertyValue("--st-background-color").trim()
  const context = document.createElement("canvas").getContext("2d")
  context.fillStyle = probe || "#ffffff" // any CSS colour comes back as #rrggbb
  const [r, g, b] = /^#[0-9a-f]{6}$/i.test(context.fillStyle) ? rgb(context.fillStyle) : [255, 255, 255]
  return 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light"
}

export function ramp(colors, n) {
  const stops = colors.map(rgb)
  const out = new Uint32Array(n) // little-endian RGBA
  for (let i = 0; i < n; i++) {
    const t = (i / (n - 1)) * (stops.length - 1)
    const k = Math.min(stops.length - 2, Math.floor(t))
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[k][c] + (t - k) * (stops[k + 1][c] - stops[k][c])))
    out[i] = (255 << 24) | (b << 16) | (g << 8) | r
  }
  return out
}

/* Heights are given for a window of 900 pixels. In a higher one charts and tables grow, a little
   less than the window does, so that what stands under them comes into view as well. */
export function growth() {
  return Math.min(Math.max(1 + 0.9 * (window.innerHeight / 900 - 1), 1), 1.35) * (enlarged() > 1 ? 1.15 : 1)
}

/* How much larger letters and lines are: in the projector's view (present.js) they are read from
   the last row. */
export function enlarged() {
  return document.documentElement.classList.contains("rv-projector") ? 1.25 : 1
}

const ENLARGED = new Set(["size", "width", "l", "r", "t", "b", "standoff", "xshift", "yshift", "left", "top", "from", "itemwidth"])

/* A figure with all its letters, lines, symbols and the room around them k times as large. */
export function enlarge(value, k) {
  if (Array.isArray(value)) return value.map((each) => enlarge(each, k))
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [
    key, ENLARGED.has(key) && typeof each === "number" ? each * k : enlarge(each, k),
  ]))
}
