/* The script of slides as an HTML file: plays the frames that lie in the file, and draws what changes
   from one to the next. */

"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const play = document.getElementById("play");
  const slider = document.getElementById("step");
  const shown = document.getElementById("epoch");
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" };
  const range = (a, b, n) => Array.from({ length: n }, (_, i) => a + (b - a) * i / (n - 1));
  const pictures = new Map();

  // P(class 1) as uint8 and base64, rows upward; between two grid points its log-odds are linear
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const odds = (v) => Math.log(Math.max(v, 0.5) / Math.max(255 - v, 0.5));
  const crossing = (a, b) => odds(a) / (odds(a) - odds(b));

  function outline(pen, p, rows, columns, x, y) {
    const level = 127.5;
    pen.beginPath();
    for (let r = 0; r + 1 < rows; r += 1) {
      for (let c = 0; c + 1 < columns; c += 1) {
        const [sw, se] = [p[r * columns + c], p[r * columns + c + 1]];
        const [nw, ne] = [p[(r + 1) * columns + c], p[(r + 1) * columns + c + 1]];
        const cross = [];  // where the line enters or leaves this square
        if (sw > level !== se > level) cross.push([c + crossing(sw, se), r]);
        if (se > level !== ne > level) cross.push([c + 1, r + crossing(se, ne)]);
        if (nw > level !== ne > level) cross.push([c + crossing(nw, ne), r + 1]);
        if (sw > level !== nw > level) cross.push([c, r + crossing(sw, nw)]);
        for (let k = 0; k + 1 < cross.length; k += 2) {
          pen.moveTo(x(cross[k][0]), y(cross[k][1]));
          pen.lineTo(x(cross[k + 1][0]), y(cross[k + 1][1]));
        }
      }
    }
    pen.stroke();
  }

  // a response with its 0.5 line; of two grids the second minus the first, with both lines
  function picture(grids, colors) {
    const name = grids.map(([, , text]) => text).join(" ");
    if (pictures.has(name)) return pictures.get(name);
    const [rows, columns] = grids[0];
    const values = grids.map(([, , text]) => bytes(text));
    const small = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const pixels = new ImageData(columns, rows);
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < columns; c += 1) {
        const i = r * columns + c;
        const at = grids.length === 2 ? (values[1][i] - values[0][i]) / 255 + 1 : values[0][i] / 255 * 2;
        const low = Math.min(1, Math.floor(at)), to = 4 * ((rows - 1 - r) * columns + c);
        for (let k = 0; k < 3; k += 1) {
          pixels.data[to + k] = colors.response[low][k] * (1 + low - at)
            + colors.response[low + 1][k] * (at - low);
        }
        pixels.data[to + 3] = 255;
      }
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    const [width, height] = [1080, 810];
    const large = Object.assign(document.createElement("canvas"), { width, height });
    const pen = large.getContext("2d");
    // the outer nodes lie on the picture's edges
    pen.drawImage(small, 0.5, 0.5, columns - 1, rows - 1, 0, 0, width, height);
    pen.lineWidth = colors.width * 1.5;
    pen.lineCap = "round";
    const x = (c) => c * width / (columns - 1), y = (r) => height - r * height / (rows - 1);
    values.forEach((p, i) => {
      pen.strokeStyle = grids.length === 2 ? colors.lines[i] : colors.contour;
      outline(pen, p, rows, columns, x, y);
    });
    pictures.set(name, large.toDataURL());
    return pictures.get(name);
  }

  // figures are made for a small window: letters, lines and margins grow with this one
  const factor = data.enlarged * Math.min(3, Math.max(0.6, window.innerWidth / 1920));
  function larger(part, key) {
    if (Array.isArray(part)) return part.map((inner) => larger(inner, ""));
    if (part === null || typeof part !== "object") return part;
    const out = Object.fromEntries(Object.entries(part).map(([name, v]) => [name, larger(v, name)]));
    const grows = key === "margin" ? Object.keys(out)
      : key.endsWith("font") ? ["size"] : key === "line" || key === "marker" ? ["size", "width"] : [];
    for (const name of grows) if (typeof out[name] === "number") out[name] *= factor;
    return out;
  }

  const update = {
    boundary(div, figure, k) {
      const change = {};
      figure.steps[k].forEach((grid, i) => {
        change["images[" + i + "].visible"] = grid !== null;
        if (grid !== null) change["images[" + i + "].source"] = typeof grid === "string" ? grid : picture([grid], figure.colors);
      });
      return Plotly.relayout(div, change);
    },
    difference(div, figure, k) {
      const known = figure.steps[k].every((grid) => grid !== null);
      const source = known ? picture(figure.steps[k], figure.colors) : undefined;
      return Plotly.relayout(div, { "images[0].visible": known, "images[0].source": source });
    },
    chart() {},  // stands still
    curves(div, figure, k) {
      const x = [], y = [], text = [], symbol = [], traces = [], shapes = {};
      figure.steps[k].forEach(({ epoch, best, stopped, diverged }, i) => {
        const epochs = Array.from({ length: epoch }, (_, e) => e + 1);
        for (const [n, curve] of figure.curves[i].entries()) {
          x.push(epochs);
          y.push(curve.slice(0, epoch));
          text.push(null);
          symbol.push(n === 1 ? "circle" : "circle-open");
          traces.push(4 * i + n);
        }
        const marks = [];
        const validation = figure.curves[i][1];
        if (best) marks.push([best, validation[best - 1], "star", "best epoch " + best]);
        if (stopped) marks.push([stopped, validation[stopped - 1], "square", "stopped at " + stopped]);
        if (diverged) marks.push([epoch, figure.top * 0.97, "x", "diverged in epoch " + epoch]);
        x.push(marks.map((m) => m[0]));
        y.push(marks.map((m) => m[1]));
        symbol.push(marks.map((m) => m[2]));
        text.push(marks.map((m) => m[3]));
        traces.push(4 * i + 3);
        shapes["shapes[" + i + "].visible"] = stopped > 0;
      });
      return Plotly.update(div, { x, y, text, "marker.symbol": symbol }, shapes, traces);
    },
    histogram(div, figure, k) {
      const x = [], y = [], width = [], offset = [], traces = [], layout = {};
      figure.steps[k].forEach((lanes, layer) => {
        const n = layer === 0 ? "" : layer + 1;
        const limit = Math.max(...lanes.map((lane) => lane.limit));
        const bins = lanes.map((lane) => lane.counts.length);
        let reach = limit / 64, top = 1;
        lanes.forEach((lane, i) => {
          const edges = range(-lane.limit, lane.limit, bins[i] + 1);
          const filled = lane.counts.flatMap((count, b) => (count ? [b] : []));
          if (filled.length) {
            reach = Math.max(reach, -edges[filled[0]], edges[filled[filled.length - 1] + 1]);
          }
          top = Math.max(top, ...lane.counts);
          x.push(edges, [0]);
          y.push([...lane.counts, 0], [lane.zeros]);
          width.push(null, [limit / 48]);
          offset.push(null, [(limit / 48) * (i - lanes.length / 2)]);
          traces.push(2 * (lanes.length * layer + i), 2 * (lanes.length * layer + i) + 1);
        });
        top = 1.06 * Math.max(top, Math.min(Math.max(...lanes.map((lane) => lane.zeros)), 2.5 * top));
        layout["xaxis" + n + ".range"] = [-reach, reach];
        layout["yaxis" + n + ".range"] = [0, top];
        layout["annotations[" + (2 * layer + 1) + "].text"] =
          "exact zeros " + lanes.map((lane) => lane.zeros.toLocaleString("en")).join(" · ");
      });
      return Plotly.update(div, { x, y, width, offset }, layout, traces);
    },
    numbers(table, figure, k) {
      const cells = table.querySelectorAll("tbody td");
      figure.steps[k].flat().forEach((text, i) => { cells[i].textContent = text; });
    },
  };
  update.accuracy = update.curves;

  const figures = data.figures.map((figure, i) => [document.getElementById("figure-" + i), figure]);
  let busy = false, wanted = null;
  async function show(k) {
    shown.textContent = "epoch " + data.epochs[k] + " of " + data.epochs[data.epochs.length - 1];
    slider.setAttribute("aria-valuetext", shown.textContent);
    slider.value = k;
    wanted = k;
    if (busy) return;  // a fast hand is answered with the newest, not with all
    busy = true;
    while (wanted !== null) {
      const next = wanted;
      wanted = null;
      await Promise.all(figures.map(([box, figure]) => update[figure.kind](box, figure, next)));
      await new Promise(requestAnimationFrame);
      document.body.dataset.shown = next;
    }
    busy = false;
  }

  const last = data.epochs.length - 1;
  let timer = null;
  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-label", "Play the training");
  }
  function start() {
    let k = Number(slider.value) >= last ? 0 : Number(slider.value);
    show(k);
    play.textContent = "Pause";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      if (busy) return;
      k += 1;
      show(k);
      if (k >= last) pause();
    }, data.interval);
  }
  play.addEventListener("click", () => (timer === null ? start() : pause()));
  slider.addEventListener("input", () => { pause(); show(Number(slider.value)); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const on = event.target;
    if (event.key === " " && on !== play) { event.preventDefault(); play.click(); }
    if (event.key === "r" || event.key === "R") { pause(); show(0); start(); }
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && on !== slider) {
      pause();
      show(Math.min(last, Math.max(0, Number(slider.value) + by)));
    }
  });

  Promise.all(figures.map(([box, figure]) =>
    figure.figure && Plotly.newPlot(
      box, larger(figure.figure.data, ""), larger(figure.figure.layout, ""), config)))
    .then(() => (last >= 0 ? show(last) : (document.body.dataset.shown = 0)));
})();
