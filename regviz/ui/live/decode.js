/* Messages as arrays, pictures and points: the browser's end of the format that
   regviz/frames/messages.py describes. */

export const CURVE = SHARED.curves // row of each curve in a message

const TYPES = {
  "|u1": Uint8Array, "<u2": Uint16Array, "<u4": Uint32Array, "<f4": Float32Array,
  "<f2": Uint16Array, "<i8": BigInt64Array,
}
let halves = null

function halfToFloat(bits) {
  if (halves === null) {
    halves = new Float32Array(65536)
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1
      const exponent = (i >> 10) & 31
      const fraction = i & 1023
      if (exponent === 0) halves[i] = sign * fraction * 2 ** -24
      else if (exponent === 31) halves[i] = fraction ? NaN : sign * Infinity
      else halves[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
    }
  }
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i]]
  return out
}

export function decode(bytes) {
  if (!(bytes instanceof Uint8Array) || bytes.length < 8) return null
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== SHARED.magic) return null
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
  return { header, body: bytes.subarray(8 + length) }
}

export function arraysOf({ header, body }) {
  const own = body.slice() // typed arrays want aligned places
  const arrays = {}
  for (const [name, [type, shape, offset]] of Object.entries(header.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1)
    const raw = new TYPES[type](own.buffer, offset, count)
    arrays[name] = { values: type === "<f2" ? halfToFloat(raw) : raw, shape }
  }
  return arrays
}

export function curvesOf(prefix, arrays, lanes) {
  return lanes.map((_, i) => {
    const { values, shape } = arrays[`${prefix}c${i}`]
    const n = shape[1]
    const epochs = arrays[`${prefix}e${i}`]
      ? Array.from(arrays[`${prefix}e${i}`].values)
      : Array.from({ length: n }, (__, k) => k + 1)
    return { epochs, rows: Array.from({ length: shape[0] }, (__, k) => values.subarray(k * n, (k + 1) * n)) }
  })
}

export function pictureOf(entry, prefix, arrays, header) {
  return {
    ...entry,
    boundaries: header.lanes.map((_, i) => arrays[`${prefix}b${i}`] ?? null),
    counts: entry.layers.map((_, i) => arrays[`${prefix}h${i}`]),
    weights: arrays[`${prefix}w`] ?? null,
  }
}

/* Place and class of a point of a data set, and whether it is for validation. */
export function pointOf({ place, kind, extent: [a, b, c, d] }, k) {
  return {
    x: a + (place[2 * k] / SHARED.places) * (b - a),
    y: c + (place[2 * k + 1] / SHARED.places) * (d - c),
    kind: kind[k] % SHARED.validation,
    validation: kind[k] >= SHARED.validation,
  }
}
