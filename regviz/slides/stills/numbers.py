"""The table of numbers on a still."""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist

from regviz.frames import Frame
from regviz.results import metrics
from regviz.slides.numbers import NUMBERS
from regviz.slides.paper import Cell, Style, fit, text_width
from regviz.slides.runs import Runs
from regviz.slides.stills.marks import Update


def numbers(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw the table of each run's numbers, at the epoch of its weights."""
    p = style.palette
    n, width, height = len(runs.labels), cell.width - 0.4, cell.height - 0.1
    ax = cell.axes(0.2, 0.05, width, height)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    rows = [name for name, _ in NUMBERS]
    size = min(style.size, 72 * height / (1.6 * (len(rows) + 2.4)))
    first = min(0.45, (max(text_width(r, size) for r in rows) + 0.25) / width)
    column = (1 - first) / n
    size = min(size, size * column * width / max(text_width("0000000000", size), 1e-9))
    line = 1 / (len(rows) + 2.4)
    for i, label in enumerate(runs.labels):
        x = first + column * (i + 1) - 0.012
        name = fit(label, size * 0.9, 0.9 * column * width, 2, bold=True)
        ax.text(x, 1 - 1.95 * line, name, ha="right", va="bottom", color=p.lane(i),
                fontweight="bold", fontsize=size * 0.9)  # fmt: skip
    ax.axhline(1 - 2.1 * line, color=p.muted, linewidth=1.2)
    cells: list[Any] = []
    for j, name in enumerate(rows):
        y = 1 - (j + 2.7) * line
        ax.text(0.0, y, name, ha="left", va="center", fontsize=size)
        ax.axhline(y - 0.5 * line, color=p.grid, linewidth=0.8)
        cells.append(
            [ax.text(first + column * (i + 1) - 0.012, y, "", ha="right", va="center",
                     fontsize=size) for i in range(n)]
        )  # fmt: skip

    def update(frame: Frame) -> list[Artist]:
        for i, lane in enumerate(frame.lanes):
            reading = metrics.read(lane)
            for j, (_, text) in enumerate(NUMBERS):
                cells[j][i].set_text(text(reading))
        return [text for row in cells for text in row]

    return update
