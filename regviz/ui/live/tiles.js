/* Pictures of a response or of classes, a pixel for each grid node, and the line between the
   classes. */

import { blurred, contour } from "./info.js"

export function tile(shape, color) {
  const [rows, columns] = shape
  const canvas = document.createElement("canvas")
  canvas.width = columns
  canvas.height = rows
  const context = canvas.getContext("2d")
  const image = context.createImageData(columns, rows)
  const pixels = new Uint32Array(image.data.buffer)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) pixels[(rows - 1 - r) * columns + k] = color(r * columns + k)
  }
  context.putImageData(image, 0, 0)
  return { canvas, rows, columns }
}

const FINER = 4 // pixels to a node in an image of classes: its lines run between the nodes

/* How far the most probable class of a node is ahead of the second. */
function leadOf(code) {
  return Math.max((Math.floor(code / SHARED.classCodes) / SHARED.leadLevels) ** 2, SHARED.leastLead)
}

/* The most probable class of each node in its colour, paler where its probability is lower. The line
   between two classes runs where the linear way from one's lead to the other's passes 0. */
export function classTile({ values, shape: [, rows, columns] }, kinds, areas) {
  const n = rows * columns
  const classes = values.slice(0, n).map((code) => code % SHARED.classCodes)
  const present = [...new Set(classes)]
  const sure = blurred(values.subarray(n), [rows, columns])
  const leads = present.map((k) => {
    const lead = new Float32Array(n)
    for (let i = 0; i < n; i++) if (classes[i] === k) lead[i] = leadOf(values[i])
    return blurred(lead, [rows, columns])
  })
  const owners = new Uint16Array(n) // bit i: the class at place i of those present leads there, or near
  leads.forEach((lead, i) => { for (let at = 0; at < n; at++) if (lead[at] > 0) owners[at] |= 1 << i })
  const shape = [(rows - 1) * FINER + 1, (columns - 1) * FINER + 1]
  const winner = new Uint8Array(shape[0] * shape[1])
  const paleness = new Uint8ClampedArray(winner.length)
  const least = SHARED.levels / Math.max(kinds, 2)
  const strength = sure.map((p) => ((p - least) / (SHARED.levels - least)) * SHARED.levels)
  const most = new Float32Array(FINER + 1)
  for (let r = 0; r < rows - 1; r++) {
    const down = FINER + (r === rows - 2 ? 1 : 0)
    for (let q = 0; q < columns - 1; q++) {
      const across = FINER + (q === columns - 2 ? 1 : 0)
      const [a, c] = [r * columns + q, (r + 1) * columns + q]
      const near = owners[a] | owners[a + 1] | owners[c] | owners[c + 1]
      const alone = (near & (near - 1)) === 0
      for (let v = 0; v < down; v++) {
        const s = v / FINER
        const start = (r * FINER + v) * shape[1] + q * FINER
        // what lies between four nodes: linear along this row of pixels
        const left = strength[a] + s * (strength[c] - strength[a])
        const step = (strength[a + 1] + s * (strength[c + 1] - strength[a + 1]) - left) / FINER
        for (let u = 0; u < across; u++) paleness[start + u] = left + u * step
        most.fill(-1)
        for (let i = 0; i < present.length; i++) {
          if (!(near & (1 << i))) continue
          if (alone) {
            winner.fill(present[i], start, start + across)
            break
          }
          const lead = leads[i]
          const from = lead[a] + s * (lead[c] - lead[a])
          const by = (lead[a + 1] + s * (lead[c + 1] - lead[a + 1]) - from) / FINER
          for (let u = 0; u < across; u++) {
            if (from + u * by <= most[u]) continue
            most[u] = from + u * by
            winner[start + u] = present[i]
          }
        }
      }
    }
  }
  const made = tile(shape, (k) => areas[winner[k] % areas.length][paleness[k]])
  // each line is found from either of its sides, so all classes but one find them all
  const [first, second] = [new Float32Array(n), new Float32Array(n)]
  for (const lead of leads) {
    for (let i = 0; i < n; i++) {
      second[i] = Math.max(second[i], Math.min(lead[i], first[i]))
      first[i] = Math.max(first[i], lead[i])
    }
  }
  made.contour = leads.slice(1).flatMap((lead) => {
    const ahead = lead.map((own, i) => own - (own === first[i] ? second[i] : first[i]))
    return contour(ahead, [rows, columns], 0).map((place) => place * FINER)
  })
  made.winner = winner
  return made
}

export function paintPanel(context, t, box, [x0, x1], [y0, y1], colors) {
  const [a, b, c, d] = t.extent
  const px = (x) => box.left + ((x - x0) / (x1 - x0)) * box.width
  const py = (y) => box.top + ((y1 - y) / (y1 - y0)) * box.height
  const stepX = (b - a) / (t.columns - 1)
  const stepY = (d - c) / (t.rows - 1)
  context.save()
  context.beginPath()
  context.rect(box.left, box.top, box.width, box.height)
  context.clip()
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = "high"
  // nodes lie at pixel centres, so the picture reaches half a step further
  const [left, top] = [px(a - stepX / 2), py(d + stepY / 2)]
  context.drawImage(t.canvas, left, top, px(b + stepX / 2) - left, py(c - stepY / 2) - top)
  if (t.contour) {
    context.beginPath()
    for (let i = 0; i < t.contour.length; i += 4) {
      context.moveTo(px(a + t.contour[i] * stepX), py(c + t.contour[i + 1] * stepY))
      context.lineTo(px(a + t.contour[i + 2] * stepX), py(c + t.contour[i + 3] * stepY))
    }
    context.lineCap = "round"
    context.strokeStyle = colors.background
    context.globalAlpha = 0.7
    context.lineWidth = 4.5
    context.stroke()
    context.globalAlpha = 1
    context.strokeStyle = colors.contour
    context.lineWidth = 2
    context.stroke()
  }
  context.restore()
}
