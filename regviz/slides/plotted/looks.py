"""Lines, markers and bars of a Plotly trace in the terms of matplotlib."""

from __future__ import annotations

from typing import Any

from regviz.slides.paper import Style
from regviz.slides.plotted.values import Json, Unknown, array_of, color_of, points_of

_SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "star": "*", "x": "X", "cross": "P",
    "x-thin": "x", "triangle-up": "^", "line-ew": "_", "line-ns": "|",
}  # fmt: skip
_DASHES = {"solid": (), "dot": (3, 3), "dash": (9, 9), "longdash": (15, 15)}  # pixels


def _dash(line: Json, style: Style) -> Any:
    """Return a line's style as matplotlib has it, in units of its width."""
    name = line.get("dash") or "solid"
    width = max(float(line.get("width", 2)), 1.0)
    if name in _DASHES:
        scaled = [length * max(1.0, width / 2.2) for length in _DASHES[name]]
    else:
        scaled = [float(part.removesuffix("px")) for part in name.split(",")]
    return (0, [length / width for length in scaled]) if scaled else "-"


def line_look(trace: Json, style: Style) -> dict[str, Any]:
    """Return colour, dash and width of a trace's line."""
    line = trace.get("line") or {}
    return {
        "color": color_of(line.get("color"), style.palette.lane(0)),
        "linewidth": points_of(line.get("width", 2), style),
        "linestyle": _dash(line, style),
    }


def marker_look(trace: Json, symbol: str, style: Style, color: Any = None) -> dict[str, Any]:
    """Return how one symbol of a trace looks, as :func:`matplotlib.axes.Axes.scatter` has it."""
    marker = trace.get("marker") or {}
    usual = (trace.get("line") or {}).get("color") or style.palette.lane(0)
    is_open, thin = symbol.endswith("-open"), "thin" in symbol or symbol.startswith("line")
    own = color or marker.get("color")
    face = color_of(own if isinstance(own, str) else None, usual)
    edge = marker.get("line") or {}
    edged = color_of(edge.get("color"), style.palette.muted)
    name = _SYMBOLS.get(symbol.removesuffix("-open"))
    if name is None:
        raise Unknown(f"a symbol called {symbol}")
    if thin:
        stroke = edged if edge.get("color") else face
        return {
            "marker": name,
            "color": stroke,
            "linewidths": points_of(edge.get("width", 1), style),
        }
    return {
        "marker": name,
        "facecolors": "none" if is_open else face,
        "edgecolors": face if is_open else edged if edge.get("width") else "none",
        "linewidths": points_of(edge.get("width", 1 if is_open else 0), style),
    }


def bar_look(trace: Json, style: Style) -> dict[str, Any]:
    """Return colours, edge and hatch of a trace's bars."""
    marker = trace.get("marker") or {}
    line, color = marker.get("line") or {}, array_of(marker.get("color"))
    usual = style.palette.lane(0)
    many = (
        [color_of(c, usual) for c in color] if isinstance(color, list) else color_of(color, usual)
    )
    hatch = (marker.get("pattern") or {}).get("shape") or None
    edge = color_of(line.get("color"), style.palette.background)
    if hatch and not line.get("width"):
        edge = color_of(style.palette.background, "")
    return {
        "facecolor": many,
        "edgecolor": edge if line.get("width") or hatch else "none",
        "linewidth": points_of(line.get("width", 0), style),
        "hatch": hatch,
    }
