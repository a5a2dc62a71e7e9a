"""Where the panels of a Plotly figure stand: the room between them follows from their letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import FuncFormatter

from regviz.slides.paper import Cell, Style, ticks
from regviz.slides.plotted.axes import label_axes
from regviz.slides.plotted.panels import Panel
from regviz.slides.plotted.values import short_number


def place_panels(cell: Cell, panels: Sequence[Panel], style: Style) -> None:
    """Put the panels where their letters have room: place them, measure, and place them again."""
    rows, columns = 1 + max(p.row for p in panels), 1 + max(p.column for p in panels)
    wide, tall = np.ones(columns), np.ones(rows)
    for panel in panels:
        left, right = panel.x.given.get("domain") or [0, 1]
        bottom, top = panel.y.given.get("domain") or [0, 1]
        wide[panel.column], tall[panel.row] = right - left, top - bottom
    small = style.small / 72
    room = np.zeros((4, max(rows, columns))) + 1.5 * small  # left, right, above, below
    across, up = cell.paper.get_size_inches()
    canvas = cell.paper.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    for _ in range(3):
        spare_x = cell.width - 0.1 - room[0, :columns].sum() - room[1, :columns].sum()
        spare_y = cell.height - 0.1 - room[2, :rows].sum() - room[3, :rows].sum()
        widths, heights = spare_x * wide / wide.sum(), spare_y * tall / tall.sum()
        needed = np.zeros_like(room)
        for panel in panels:
            r, c = panel.row, panel.column
            x = 0.05 + room[0, : c + 1].sum() + room[1, :c].sum() + widths[:c].sum()
            y = 0.05 + room[3, r:rows].sum() + room[2, r + 1 : rows].sum() + heights[r + 1 :].sum()
            panel.ax.set_position(
                (
                    (cell.left + x) / across,
                    (cell.bottom + y) / up,
                    max(widths[c], 0.1) / across,
                    max(heights[r], 0.1) / up,
                )
            )
            label_axes(panel, float(widths[c]), float(heights[r]), style)
            box = panel.ax.get_tightbbox(canvas.get_renderer())
            own = panel.ax.get_position(original=True)
            assert box is not None
            dpi = cell.paper.dpi
            over = (
                own.x0 * across - box.x0 / dpi,
                box.x1 / dpi - own.x1 * across,
                box.y1 / dpi - own.y1 * up,
                own.y0 * up - box.y0 / dpi,
            )
            if panel.bar is not None:
                over = (over[0], max(over[1], 0) + _bar_room(panel, style), *over[2:])
            for side, at in enumerate((c, c, r, r)):
                needed[side, at] = max(needed[side, at], over[side] + 0.45 * small)
                if panel.y.given.get("visible") is False:  # pictures: no letters keep them apart
                    needed[side, at] = max(needed[side, at], small)
        room = needed
    for panel in panels:
        if panel.bar is not None:
            _colorbar(cell, panel, style)


def _bar_room(panel: Panel, style: Style) -> float:
    assert panel.bar is not None
    named = 1.6 if panel.bar[1] else 0.2
    return (0.6 + 0.9 + 3.2 + named) * style.small / 72


def _colorbar(cell: Cell, panel: Panel, style: Style) -> None:
    assert panel.bar is not None
    picture, named = panel.bar
    across, up = cell.paper.get_size_inches()
    panel.ax.apply_aspect()
    at, small = panel.ax.get_position(), style.small / 72
    beside = cell.paper.add_axes(
        (at.x1 + 0.6 * small / across, at.y0, 0.9 * small / across, at.height)
    )
    locator = ticks(at.height * up / (2.4 * small), 6)
    bar = cell.paper.colorbar(
        picture, cax=beside, ticks=locator, format=FuncFormatter(short_number)
    )
    bar.outline.set_edgecolor(style.palette.muted)
    beside.grid(visible=False)
    if named:
        bar.set_label(named, labelpad=3)
