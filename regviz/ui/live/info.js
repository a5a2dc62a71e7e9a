/* Values that a picture follows from, each computed here once; a test holds them equal to those
   that Python computes for slides and figures. */

export function roundTop(value) {
  const top = Math.max(value, 1e-6) * SHARED.headroom
  const ten = 10 ** Math.floor(Math.log10(top))
  return (SHARED.round.find((s) => top <= s * ten * (1 + 1e-9)) ?? 10) * ten
}

/* Bins from the middle outwards until at most the given part of all counts lies outside: on a
   linear scale a few stray weights are too few to see, and would squeeze the rest. */
export function reachOf(counts, outside) {
  const half = counts.length / 2
  const total = counts.reduce((a, b) => a + b, 0)
  let beyond = 0
  let reach = half
  while (reach > 1) {
    beyond += counts[half - reach] + counts[half + reach - 1]
    if (beyond > outside * total) break
    reach -= 1
  }
  return reach
}

/* As Python rounds: halves to the even side. */
function rounded(v) {
  const low = Math.floor(v)
  const rest = v - low
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1
}

/* Which of n points are for validation, and an order in which they stay so: turns() and arranged()
   of regviz/data/own.py. */
export function turns(n, fraction) {
  return Array.from({ length: n }, (_, i) => rounded((i + 1) * fraction) > rounded(i * fraction))
}

export function arranged(train, validation, fraction) {
  const n = train.length + validation.length
  while (validation.length > rounded(n * fraction)) train.push(validation.pop())
  while (validation.length < rounded(n * fraction)) validation.push(train.pop())
  let [t, v] = [0, 0]
  return turns(n, fraction).map((turn) => (turn ? validation[v++] : train[t++]))
}

/* Each node with its neighbours, weights 1-2-1: where the response jumps from 0 to 1 between two
   nodes, the line between them would otherwise be a staircase. */
export function blurred(values, [rows, columns]) {
  const across = new Float32Array(values.length)
  const out = new Float32Array(values.length)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) {
      const at = r * columns + k
      const [left, right] = [k > 0 ? at - 1 : at, k < columns - 1 ? at + 1 : at]
      across[at] = (values[left] + 2 * values[at] + values[right]) / 4
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) {
      const at = r * columns + k
      const [below, above] = [r > 0 ? at - columns : at, r < rows - 1 ? at + columns : at]
      out[at] = (across[below] + 2 * across[at] + across[above]) / 4
    }
  }
  return out
}

/* Line pieces where the values cross the level (marching squares), in grid units. */
export function contour(values, [rows, columns], level) {
  const pieces = []
  for (let r = 0; r < rows - 1; r++) {
    for (let k = 0; k < columns - 1; k++) {
      const at = r * columns + k
      const [a, b, c, d] = [values[at], values[at + 1], values[at + columns + 1], values[at + columns]]
      const cut = []
      if (a > level !== b > level) cut.push(k + (level - a) / (b - a), r)
      if (b > level !== c > level) cut.push(k + 1, r + (level - b) / (c - b))
      if (c > level !== d > level) cut.push(k + (level - d) / (c - d), r + 1)
      if (d > level !== a > level) cut.push(k, r + (level - a) / (d - a))
      for (let i = 0; i + 3 < cut.length; i += 4) pieces.push(cut[i], cut[i + 1], cut[i + 2], cut[i + 3])
    }
  }
  return pieces
}

/* As high as the bars of a panel are taken to be, where exact zeros have one of their own: more of
   them than fit leave through the top, and a number above the panel tells. */
export function histogramTop(top, most) {
  return Math.max(top, Math.min(most, SHARED.tallestZeros * top))
}

/* Marks on a lane's validation curve: [epoch, kind, what it says], best before stopped. */
export function marksOf({ best, stopped }) {
  const events = []
  if (best > 0) events.push([best, "best", `best epoch ${best}`])
  if (stopped > 0) events.push([stopped, "stop", `stopped after epoch ${stopped}`])
  return events
}
