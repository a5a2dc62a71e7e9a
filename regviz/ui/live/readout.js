/* The table of numbers beside the charts, whose cells change with each frame; it stays within its
   place. */

import { element, setText } from "./page.js"
import { themeOf, growth } from "./theme.js"
import { brief } from "./words.js"

export class Readout {
  constructor(root) {
    this.root = root
    this.prompt = true
    this.table = element("table", "rv-table", root)
    this.shape = ""
    this.abort = new AbortController()
    const grow = () => this.table.style.setProperty("--rv-growth", growth())
    window.addEventListener("resize", grow, { signal: this.abort.signal })
    grow()
    this.resizer = new ResizeObserver(() => this.fit())
    this.resizer.observe(root)
  }

  /* Where the table would be wider than its place, the names of the columns are short ones; where
     that is not enough, all names go over several lines. */
  fit() {
    if (!this.names?.length) return
    const fits = () => this.table.offsetWidth <= this.root.clientWidth
    this.table.classList.remove("rv-tight")
    this.names.forEach(([cell, name]) => setText(cell, name))
    if (fits()) return
    this.names.forEach(([cell, name]) => {
      setText(cell, brief(name))
      if (brief(name) !== name) cell.title = name
    })
    if (fits()) return
    this.names.forEach(([cell, name]) => setText(cell, name))
    this.table.classList.add("rv-tight")
    if (!fits()) this.names.forEach(([cell, name]) => setText(cell, brief(name)))
  }

  apply(data, c) {
    this.channel = c
    const colors = data.palette[themeOf(this.root)]
    for (const tone of ["good", "warn", "bad"]) this.table.style.setProperty(`--rv-${tone}`, colors[tone])
    this.lanes = colors.lanes
    this.shape = ""
    if (c.newest !== null) this.draw(c, c.picture())
  }

  draw(c, picture) {
    const { table } = picture
    if (!table) return
    const shape = JSON.stringify([table.columns, table.rows.length])
    const anew = shape !== this.shape
    if (anew) {
      this.shape = shape
      this.table.replaceChildren()
      const head = element("tr", "", element("thead", "", this.table))
      this.names = table.columns.map((name) => {
        const cell = element("th", "", head)
        cell.scope = "col"
        cell.textContent = name
        return [cell, name]
      })
      const body = element("tbody", "", this.table)
      this.cells = table.rows.map((row) => {
        const line = element("tr", "", body)
        return row.map((_, k) => {
          const cell = element(k === 0 ? "th" : "td", "", line)
          if (k === 0) cell.scope = "row"
          return cell
        })
      })
    }
    table.rows.forEach((row, r) => row.forEach((cell, k) => {
      const [words, tone] = Array.isArray(cell) ? cell : [cell, ""]
      const node = this.cells[r]?.[k]
      if (!node) return
      setText(node, words)
      if ((node.dataset.tone ?? "") !== tone) node.dataset.tone = tone
    }))
    if (anew) this.fit()
  }

  destroy() {
    this.abort.abort()
    this.resizer.disconnect()
    this.table.remove()
  }
}
