"""The legend of a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from regviz.slides.paper import Cell, Style, legend
from regviz.slides.plotted.looks import bar_look, line_look, marker_look
from regviz.slides.plotted.values import Json, array_of, color_of, numbers_of, plain_text, points_of


def draw_legend(cell: Cell, traces: Sequence[Json], layout: Json, style: Style) -> None:
    """Put the figure's legend at the top of the cell and shrink the cell to the part below it."""
    entries = [t for t in traces if t["type"] in ("scatter", "bar")]
    shown = [t for t in entries if t.get("showlegend", len(entries) > 1) and t.get("name")]
    if layout.get("showlegend") is False:
        shown = []
    handles = list({t["name"]: _handle(t, style) for t in reversed(shown)}.values())[::-1]
    if not handles:
        return
    across, up = cell.paper.get_size_inches()
    middle = (cell.left + cell.width / 2) / across
    rows, drawn = legend(
        cell.paper, handles, style.small, longest=min(6.0, 0.8 * cell.width), swatch=4.4,
        room=cell.width - 0.2, loc="upper center",
        anchor=(middle, (cell.bottom + cell.height) / up),
    )  # fmt: skip
    cell.height -= max(rows, drawn) + 0.1


def _handle(trace: Json, style: Style) -> Any:
    name = plain_text(trace["name"])
    if trace["type"] == "bar":
        look = bar_look(trace, style)
        if isinstance(look["facecolor"], list):
            look["facecolor"] = look["facecolor"][0]
        return Patch(label=name, **look)
    mode, line = trace.get("mode") or "lines", trace.get("line") or {}
    if trace.get("fill") and not line.get("width", 2):
        return Patch(label=name, facecolor=color_of(trace.get("fillcolor"), style.palette.grid))
    look = line_look(trace, style) if "lines" in mode else {"linestyle": ""}
    if "markers" in mode:
        marker = trace.get("marker") or {}
        symbol = marker.get("symbol", "circle")
        symbol = symbol[0] if isinstance(symbol, list) else symbol
        color = array_of(marker.get("color"))
        mark = marker_look(trace, symbol, style, color[0] if isinstance(color, list) else None)
        size = (
            float(np.max(numbers_of(marker.get("size", 6))))
            if marker.get("size") is not None
            else 6
        )
        edge, face = mark.get("edgecolors", mark.get("color")), mark.get("facecolors", "none")
        look |= {
            "marker": mark["marker"],
            "markersize": min(points_of(size, style), 0.85 * style.size),
            "markerfacecolor": face,
            "markeredgecolor": face if edge == "none" else edge,
            "markeredgewidth": mark["linewidths"],
        }
    return Line2D([], [], label=name, **look)
