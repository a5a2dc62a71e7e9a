"""The app's Plotly figures on a slide: the part of Plotly that they use, drawn by matplotlib.

Traces: scatter (lines, steps, markers, fills, text), bar, heatmap, contour. Axes: linear, log and
categories, shared or reversed, with the ticks that they name. Shapes: lines and rectangles. What
else a figure may hold is refused, so that nothing is lost in silence. Panels keep their order and
proportions; the room between them follows from the letters, which are larger here than in the app.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from regviz.slides.stills import Cell, Style, fit, text_width, ticks

Json = Mapping[str, Any]
_FONT = 13  # of the app's figures: what is as large there is as large as a letter here
_SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "star": "*", "x": "X", "cross": "P",
    "x-thin": "x", "triangle-up": "^", "line-ew": "_", "line-ns": "|",
}  # fmt: skip
_STEPS = {"hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}
_DASHES = {"solid": (), "dot": (3, 3), "dash": (9, 9), "longdash": (15, 15)}  # pixels


class Unknown(ValueError):
    """A figure holds what this module does not draw."""


def title_of(figure: Json) -> str:
    """Return a figure's title without its markup."""
    return _plain((figure["layout"].get("title") or {}).get("text") or "")


def draw(cell: Cell, figure: Json, style: Style) -> None:
    """Draw a figure, parsed from Plotly's JSON, into a cell; its title is the caller's."""
    layout = figure["layout"]
    traces = [t for t in figure["data"] if t.get("visible", True) is True]
    panels = _panels(traces, layout)
    _legend(cell, traces, layout, style)
    for panel in panels:
        panel.ax = cell.axes(0, 0, 1, 1)
        _fill(panel, layout, style)
    _limits(panels, layout)
    _annotate(panels, layout, style)
    _place(cell, panels, style)


# --- reading -----------------------------------------------------------------------------------


def _array(value: Any) -> Any:
    """Return a value of Plotly's JSON, numbers as an array: they may be packed."""
    if isinstance(value, Mapping) and "bdata" in value:
        raw = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
        shape = value.get("shape")
        return raw.reshape([int(n) for n in str(shape).split(",")]) if shape else raw
    return value


def _numbers(value: Any) -> NDArray[np.float64]:
    value = _array(value)
    if isinstance(value, np.ndarray):
        return value.astype(np.float64)
    return np.array(_without_none(value), np.float64)


def _without_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_none(v) for v in value]
    return math.nan if value is None else value


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text.replace("<br>", " ")))


def _color(text: str | None, usual: str) -> tuple[float, float, float, float]:
    text = text or usual
    found = re.fullmatch(r"rgba?\(([^)]*)\)", text)
    if found:
        parts = [float(part) for part in found[1].split(",")]
        red, green, blue = (part / 255 for part in parts[:3])
        return red, green, blue, parts[3] if len(parts) > 3 else 1.0
    return (*to_rgb(text), 1.0)


def _scale(value: Any) -> Colormap:
    import matplotlib as mpl

    if isinstance(value, str):
        return mpl.colormaps[value.lower()]
    stops = [(at, _color(color, "")) for at, color in value]
    return LinearSegmentedColormap.from_list("scale", stops)


@dataclass
class _Axis:
    """One axis: its settings, and its categories if it has names instead of numbers."""

    given: Json
    names: list[str] | None = None

    @property
    def log(self) -> bool:
        return self.given.get("type") == "log"

    def place(self, value: Any) -> NDArray[np.float64]:
        """Return where values lie: numbers as they are, names in the order of their coming."""
        value = _array(value)
        if self.names is None:
            return _numbers(value)
        for name in map(str, value):
            if name not in self.names:
                self.names.append(name)
        return np.array([self.names.index(str(name)) for name in value], np.float64)


@dataclass
class _Panel:
    """One pair of axes, its place among the others, and what is drawn in it."""

    x: _Axis
    y: _Axis
    names: tuple[str, str]
    row: int
    column: int
    traces: list[Json]
    ax: Axes = field(init=False)
    title: str = ""
    bar: tuple[Any, str] | None = None
    held: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = field(default_factory=list)

    def holds(self, x: Any, y: Any, room: float = 0.0) -> None:
        """Note what must be seen; ``room`` as a share of the axes is left around it."""
        self.held.append((np.asarray(x, np.float64), np.asarray(y, np.float64), room))


def _panels(traces: Sequence[Json], layout: Json) -> list[_Panel]:
    def axis(name: str) -> Json:
        return layout.get(f"{name[0]}axis{name[1:]}") or {}

    pairs: dict[tuple[str, str], list[Json]] = {}
    for trace in traces:
        pairs.setdefault((trace.get("xaxis", "x"), trace.get("yaxis", "y")), []).append(trace)
    if not pairs:
        pairs = {("x", "y"): []}
    lefts = sorted({round((axis(x).get("domain") or [0, 1])[0], 3) for x, _ in pairs})
    tops = sorted({-round((axis(y).get("domain") or [0, 1])[1], 3) for _, y in pairs})
    known: dict[str, _Axis] = {}
    for pair, own in pairs.items():
        for side, name in zip("xy", pair, strict=True):
            if name not in known:
                named = axis(name).get("type") == "category" or any(
                    _is_named(_array(trace.get(side))) for trace in own
                )
                known[name] = _Axis(axis(name), [] if named else None)
    return [
        _Panel(
            known[x], known[y], (x, y),
            tops.index(-round((axis(y).get("domain") or [0, 1])[1], 3)),
            lefts.index(round((axis(x).get("domain") or [0, 1])[0], 3)), own,
        )
        for (x, y), own in pairs.items()
    ]  # fmt: skip


def _is_named(values: Any) -> bool:
    """Whether values are names: words, not numbers written as text."""
    if not isinstance(values, list) or not values or not isinstance(values[0], str):
        return False
    return not all(re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", str(v)) for v in values)


# --- traces ------------------------------------------------------------------------------------


def _fill(panel: _Panel, layout: Json, style: Style) -> None:
    ax, p = panel.ax, style.palette
    ax.set_zorder(1)
    for axis, letter in ((panel.x, "x"), (panel.y, "y")):
        if axis.log:
            getattr(ax, f"set_{letter}scale")("log")
        if axis.given.get("showgrid") is False:
            ax.grid(visible=False, axis=letter)  # type: ignore[arg-type]
        if axis.given.get("visible") is False:
            getattr(ax, f"{letter}axis").set_visible(False)
    if panel.y.given.get("visible") is False:
        ax.grid(visible=False)
        for spine in ax.spines.values():
            spine.set_visible(False)
    if panel.y.given.get("scaleanchor"):
        ax.set_aspect("equal", adjustable="box")
    bars = [t for t in panel.traces if t["type"] == "bar"]
    for shape in layout.get("shapes") or []:
        _shape(panel, shape, style)
    for number, trace in enumerate(panel.traces):
        kind = trace["type"]
        if kind == "scatter":
            _scatter(panel, trace, style, 2 + 0.01 * number)
        elif kind == "bar":
            _bars(panel, trace, bars, layout, style)
        elif kind == "heatmap":
            _heatmap(panel, trace, style)
        elif kind == "contour":
            z = _numbers(trace["z"])
            x, y = _numbers(trace["x"]), _numbers(trace["y"])
            levels = np.linspace(z.min(), z.max(), int(trace.get("ncontours", 10)) + 2)[1:-1]
            width = _pt(trace["line"]["width"], style)
            ax.contour(x, y, z, levels=levels, cmap=_scale(trace["colorscale"]), linewidths=width)
            panel.holds([x.min(), x.max()], [y.min(), y.max()])
        else:
            raise Unknown(f"a trace of type {kind}")
    ax.spines[["left", "bottom"]].set_color(p.muted)


def _pt(pixels: float, style: Style) -> float:
    return float(pixels) * style.size / _FONT


def _dash(line: Json, style: Style) -> Any:
    """Return a line's style as matplotlib has it, in units of its width."""
    name = line.get("dash") or "solid"
    width = max(float(line.get("width", 2)), 1.0)
    if name in _DASHES:
        scaled = [length * max(1.0, width / 2.2) for length in _DASHES[name]]
    else:
        scaled = [float(part.removesuffix("px")) for part in name.split(",")]
    return (0, [length / width for length in scaled]) if scaled else "-"


def _look(trace: Json, style: Style) -> dict[str, Any]:
    """Return colour, dash and width of a trace's line."""
    line = trace.get("line") or {}
    return {
        "color": _color(line.get("color"), style.palette.lane(0)),
        "linewidth": _pt(line.get("width", 2), style),
        "linestyle": _dash(line, style),
    }


def _mark(trace: Json, symbol: str, style: Style, color: Any = None) -> dict[str, Any]:
    """Return how one symbol of a trace looks, as :func:`matplotlib.axes.Axes.scatter` has it."""
    marker = trace.get("marker") or {}
    usual = (trace.get("line") or {}).get("color") or style.palette.lane(0)
    is_open, thin = symbol.endswith("-open"), "thin" in symbol or symbol.startswith("line")
    own = color or marker.get("color")
    face = _color(own if isinstance(own, str) else None, usual)
    edge = marker.get("line") or {}
    edged = _color(edge.get("color"), style.palette.muted)
    name = _SYMBOLS.get(symbol.removesuffix("-open"))
    if name is None:
        raise Unknown(f"a symbol called {symbol}")
    if thin:
        stroke = edged if edge.get("color") else face
        return {"marker": name, "color": stroke, "linewidths": _pt(edge.get("width", 1), style)}
    return {
        "marker": name,
        "facecolors": "none" if is_open else face,
        "edgecolors": face if is_open else edged if edge.get("width") else "none",
        "linewidths": _pt(edge.get("width", 1 if is_open else 0), style),
    }


def _scatter(panel: _Panel, trace: Json, style: Style, order: float) -> None:
    ax, mode = panel.ax, trace.get("mode") or "lines"
    x, y = panel.x.place(trace.get("x") or []), panel.y.place(trace.get("y") or [])
    clip = trace.get("cliponaxis", True)
    if not len(x):
        return
    panel.holds(x, y, 0.04 if "markers" in mode or "text" in mode else 0.0)
    line = trace.get("line") or {}
    if trace.get("fill") == "toself":
        color = _color(trace.get("fillcolor"), style.palette.grid)
        ax.fill(x, y, facecolor=color, edgecolor="none", zorder=order)
    elif trace.get("fill") == "tozeroy":
        color = _color(trace.get("fillcolor"), style.palette.grid)
        step = {"hv": "post", "vh": "pre", "hvh": "mid"}.get(line.get("shape", ""))
        ax.fill_between(x, y, facecolor=color, edgecolor="none", step=step, zorder=order)  # type: ignore[arg-type]
    elif trace.get("fill"):
        raise Unknown(f"a fill called {trace['fill']}")
    if "lines" in mode and line.get("width", 2):
        drawn = _STEPS.get(line.get("shape", ""), "default")
        ax.plot(x, y, drawstyle=drawn, zorder=order, clip_on=clip, **_look(trace, style))
    if "markers" in mode:
        _markers(ax, trace, x, y, style, order, clip=clip)
    if "text" in mode:
        across = str(trace.get("textposition", "middle center")).split()[-1]
        for text, at, up in zip(trace["text"], x, y, strict=True):
            ax.text(
                at, up, _plain(text), va="center", zorder=order + 1, fontsize=0.9 * style.small,
                ha={"left": "right", "right": "left"}.get(across, "center"),
            )  # fmt: skip


def _markers(
    ax: Axes,
    trace: Json,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    style: Style,
    order: float,
    *,
    clip: bool,
) -> None:
    marker = trace.get("marker") or {}
    sizes = np.broadcast_to(_numbers(marker.get("size", 6)), x.shape)
    symbol, color = marker.get("symbol", "circle"), _array(marker.get("color"))
    symbols = list(symbol) if isinstance(symbol, list) else [symbol] * len(x)
    colors = list(color) if isinstance(color, list) else [color] * len(x)
    for kind, tint in dict.fromkeys(zip(symbols, colors, strict=True)):
        of = [pair == (kind, tint) for pair in zip(symbols, colors, strict=True)]
        area = (_pt(1, style) * sizes[of] * (1.3 if "star" in kind else 1)) ** 2
        look = _mark(trace, kind, style, tint)
        ax.scatter(x[of], y[of], s=area, zorder=order + 0.005, clip_on=clip, **look)


def _bars(panel: _Panel, trace: Json, bars: Sequence[Json], layout: Json, style: Style) -> None:
    x, y = panel.x.place(trace.get("x") or []), _numbers(trace.get("y") or [])
    if not len(x):
        return
    apart = np.diff(np.unique(x))
    step = float(apart.min()) if len(apart) else 1.0
    overlay = layout.get("barmode") == "overlay"
    count = 1 if overlay else len(bars)
    group = step * (1 - float(layout.get("bargap", 0.2)))
    width = np.broadcast_to(_numbers(trace.get("width", group / count)), x.shape)
    at = 0 if overlay else bars.index(trace)
    left = x - group / 2 + at * group / count
    if trace.get("width") is not None:
        left = x - width / 2
    if trace.get("offset") is not None:
        left = x + _numbers(trace["offset"])
    look = _bar_look(trace, style)
    panel.ax.bar(left, y, width, align="edge", zorder=2, **look)
    panel.holds([*left, *(left + width)], [*y, *y])
    panel.holds(left[:1], [0.0])
    for i, text in enumerate(trace.get("text") or []):
        panel.ax.text(
            left[i] + width[i] / 2, y[i], f"{_plain(text)}", ha="center", va="bottom",
            fontsize=style.small,
        )  # fmt: skip


def _bar_look(trace: Json, style: Style) -> dict[str, Any]:
    marker = trace.get("marker") or {}
    line, color = marker.get("line") or {}, _array(marker.get("color"))
    usual = style.palette.lane(0)
    many = [_color(c, usual) for c in color] if isinstance(color, list) else _color(color, usual)
    hatch = (marker.get("pattern") or {}).get("shape") or None
    edge = _color(line.get("color"), style.palette.background)
    if hatch and not line.get("width"):
        edge = _color(style.palette.background, "")
    return {
        "facecolor": many,
        "edgecolor": edge if line.get("width") or hatch else "none",
        "linewidth": _pt(line.get("width", 0), style),
        "hatch": hatch,
    }


def _heatmap(panel: _Panel, trace: Json, style: Style) -> None:
    z, ax = _numbers(trace["z"]), panel.ax
    rows, columns = z.shape

    def edges(axis: _Axis, given: Any, count: int) -> NDArray[np.float64]:
        at = axis.place(given) if given is not None else np.arange(count, dtype=np.float64)
        half = (at[1:] - at[:-1]) / 2 if count > 1 else np.array([0.5])
        return np.array([at[0] - half[0], *(at[:-1] + half)[: count - 1], at[-1] + half[-1]])

    x, y = edges(panel.x, trace.get("x"), columns), edges(panel.y, trace.get("y"), rows)
    finite = z[np.isfinite(z)]
    low = trace.get("zmin", float(finite.min()) if len(finite) else 0.0)
    high = trace.get("zmax", float(finite.max()) if len(finite) else 1.0)
    colors, norm = _scale(trace["colorscale"]), Normalize(low, max(high, low + 1e-12))
    gap = float(trace.get("xgap", 0))
    if gap:
        picture: Any = ax.pcolormesh(
            x, y, np.ma.masked_invalid(z), cmap=colors, norm=norm, zorder=1,
            edgecolors=style.palette.background, linewidth=_pt(gap, style) * 0.6,
        )  # fmt: skip
    else:
        box = (x[0], x[-1], y[0], y[-1])
        aspect = ax.get_aspect()
        picture = ax.imshow(
            np.ma.masked_invalid(z), cmap=colors, norm=norm, extent=box, origin="lower",
            interpolation="nearest", aspect=aspect, zorder=1,
        )  # fmt: skip
    ax.grid(visible=False)
    panel.holds([x[0], x[-1]], [y[0], y[-1]])
    if trace.get("showscale") is not False:
        named = ((trace.get("colorbar") or {}).get("title") or {}).get("text") or ""
        panel.bar = picture, _plain(named)
    if trace.get("texttemplate"):
        size = style.small * min(1.0, 11 / max(rows, columns))
        for i, j in np.ndindex(rows, columns):
            text = str(_array(trace["text"])[i][j])
            shade = np.array(colors(norm(z[i, j]))) if np.isfinite(z[i, j]) else np.zeros(4)
            back = np.array(to_rgb(style.palette.background))
            seen = shade[3] * shade[:3] + (1 - shade[3]) * back
            dark = float(seen @ (0.299, 0.587, 0.114)) < 0.5
            ax.text(
                (x[j] + x[j + 1]) / 2, (y[i] + y[i + 1]) / 2, text, ha="center", va="center",
                fontsize=size, color="#ffffff" if dark else "#1b2430", zorder=4,
            )  # fmt: skip


# --- shapes, words, limits ---------------------------------------------------------------------


def _where(panel: _Panel, given: Json) -> Any | None:
    """Return the transform for something with an ``xref`` and a ``yref``; None: elsewhere."""
    ax, parts = panel.ax, []
    for name, ref in zip(panel.names, (given.get("xref"), given.get("yref")), strict=True):
        ref = ref or name[0]
        if ref == name:
            parts.append(ax.transData)
        elif ref in (f"{name} domain", "paper"):
            parts.append(ax.transAxes)
        else:
            return None
    return blended_transform_factory(*parts)


def _shape(panel: _Panel, shape: Json, style: Style) -> None:
    transform = _where(panel, shape)
    if transform is None or shape.get("visible") is False:
        return
    line = shape.get("line") or {}
    x0, x1, y0, y1 = (float(shape[side]) for side in ("x0", "x1", "y0", "y1"))
    if shape["type"] == "line":
        look = _look({"line": line}, style)
        panel.ax.add_line(Line2D([x0, x1], [y0, y1], transform=transform, zorder=1.8, **look))
    elif shape["type"] == "rect":
        color = _color(shape.get("fillcolor"), style.palette.grid)
        panel.ax.fill(
            [x0, x1, x1, x0], [y0, y0, y1, y1], facecolor=color, edgecolor="none",
            transform=transform, zorder=1.5,
        )  # fmt: skip
    else:
        raise Unknown(f"a shape of type {shape['type']}")
    ends = {"x": [x0, x1], "y": [y0, y1]}
    x, y = (
        ends[n[0]] if (shape.get(f"{n[0]}ref") or n[0]) == n else [math.nan] * 2
        for n in panel.names
    )
    panel.holds(x, y)


def _annotate(panels: Sequence[_Panel], layout: Json, style: Style) -> None:
    for given in layout.get("annotations") or []:
        text = _plain(given.get("text") or "")
        if not text:
            continue
        if given.get("xref") == given.get("yref") == "paper":
            for panel in panels:
                left, right = panel.x.given.get("domain") or [0, 1]
                top = (panel.y.given.get("domain") or [0, 1])[1]
                if abs((left + right) / 2 - given["x"]) < 0.01 and abs(top - given["y"]) < 0.01:
                    panel.title = text
            continue
        for panel in panels:
            transform = _where(panel, given)
            if transform is None:
                continue
            x, y = given["x"], given["y"]
            refs = (given.get("xref") or "x", given.get("yref") or "y")
            if panel.x.log and refs[0] == panel.names[0]:
                x = 10**x
            if panel.y.log and refs[1] == panel.names[1]:
                y = 10**y
            across = _anchor(given.get("xanchor"), x, refs[0], ("left", "right"))
            above = _anchor(given.get("yanchor"), y, refs[1], ("bottom", "top"))
            aside = {"left": f" {text}", "right": f"{text} "}.get(across, text)  # of a line
            panel.ax.text(
                x, y, aside, transform=transform, fontsize=style.small, zorder=5, ha=across,
                va=above, color=_color((given.get("font") or {}).get("color"), style.palette.text),
            )  # fmt: skip
            break


def _anchor(given: str | None, at: float, ref: str, sides: tuple[str, str]) -> str:
    """Return which side of a text stands at its place: in a part of the axes the nearer one."""
    if given not in (None, "auto"):
        return "center" if given == "middle" else str(given)
    if not ref.endswith("domain"):
        return "center"
    return sides[0] if at < 1 / 3 else sides[1] if at > 2 / 3 else "center"


def _limits(panels: Sequence[_Panel], layout: Json) -> None:
    """Give axes their ranges: those they name, else what their data need, those that match
    together."""
    for side in (0, 1):
        groups: dict[str, list[_Panel]] = {}
        for panel in panels:
            axis = (panel.x, panel.y)[side]
            groups.setdefault(axis.given.get("matches") or panel.names[side], []).append(panel)
        for group in groups.values():
            axis = (group[0].x, group[0].y)[side]
            low, high = _range(group, axis, side)
            for panel in group:
                getattr(panel.ax, ("set_xlim", "set_ylim")[side])(low, high)


def _range(group: Sequence[_Panel], axis: _Axis, side: int) -> tuple[float, float]:
    given = axis.given.get("range")
    if given is not None and None not in given:
        low, high = (float(v) for v in given)
        return (10**low, 10**high) if axis.log else (low, high)
    held = [h for panel in group for h in panel.held]
    values = np.concatenate([h[side] for h in held]) if held else np.zeros(0)
    values = values[np.isfinite(values) & ((values > 0) | (not axis.log))]
    if not len(values):
        return (0.1, 1.0) if axis.log else (0.0, 1.0)
    if axis.log:
        values = np.log10(values)
    low, high = float(values.min()), float(values.max())
    if axis.names is not None and side == 0:
        low, high = min(low, -0.4), max(high, len(axis.names) - 0.6)
    boxed = any(t["type"] in ("heatmap", "contour") for p in group for t in p.traces)
    room = 0.06 if side == 1 else max((h[2] for h in held), default=0.0)
    spread = (high - low) or abs(high) or 1.0
    floor = axis.given.get("rangemode") == "tozero" or (
        side == 1 and low == 0 and any(t["type"] == "bar" for p in group for t in p.traces)
    )
    below = 0.0 if boxed or (floor and low >= 0) else room * spread
    above = 0.0 if boxed else room * spread
    if floor and low >= 0 and not axis.log:
        low = 0.0
    low, high = low - below, high + above
    if low == high:
        low, high = low - 0.5, high + 0.5
    if axis.log:
        low, high = 10**low, 10**high
    return (high, low) if axis.given.get("autorange") == "reversed" else (low, high)


# --- places ------------------------------------------------------------------------------------


def _place(cell: Cell, panels: Sequence[_Panel], style: Style) -> None:
    """Put the panels where their letters have room: placed, measured, and placed again."""
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
            _words(panel, float(widths[c]), float(heights[r]), style)
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


def _bar_room(panel: _Panel, style: Style) -> float:
    assert panel.bar is not None
    named = 1.6 if panel.bar[1] else 0.2
    return (0.6 + 0.9 + 3.2 + named) * style.small / 72


def _colorbar(cell: Cell, panel: _Panel, style: Style) -> None:
    assert panel.bar is not None
    picture, named = panel.bar
    across, up = cell.paper.get_size_inches()
    panel.ax.apply_aspect()
    at, small = panel.ax.get_position(), style.small / 72
    beside = cell.paper.add_axes(
        (at.x1 + 0.6 * small / across, at.y0, 0.9 * small / across, at.height)
    )
    locator = ticks(at.height * up / (2.4 * small), 6)
    bar = cell.paper.colorbar(picture, cax=beside, ticks=locator, format=FuncFormatter(_short))
    bar.outline.set_edgecolor(style.palette.muted)
    beside.grid(visible=False)
    if named:
        bar.set_label(named, labelpad=3)


def _short(value: float, _: Any = None) -> str:
    return f"{value:.10g}".replace("-", "−")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**exponent)
    power = {0: "1", 1: "10"}.get(exponent, f"10{str(exponent).translate(_RAISED)}")
    return power if factor == 1 else f"{factor}·{power}"


def _words(panel: _Panel, width: float, height: float, style: Style) -> None:
    """Write titles and ticks as panels of this size have room for."""
    ax = panel.ax
    if panel.title:
        text = fit(panel.title, style.small, max(width, 0.5), 2, bold=True)
        ax.set_title(text, fontweight="bold", fontsize=style.small)
    for axis, letter, length in ((panel.x, "x", width), (panel.y, "y", height)):
        if axis.given.get("visible") is False:
            continue
        named = _plain((axis.given.get("title") or {}).get("text") or "")
        if named:
            lines = fit(named, style.size, max(1.15 * length, 0.8), 2)
            getattr(ax, f"set_{letter}label")(lines)
        _ticks(panel, axis, letter, length, style)
        if axis.given.get("showticklabels") is False:
            ax.tick_params(axis=letter, labelleft=False, labelbottom=False)  # type: ignore[arg-type]


def _ticks(panel: _Panel, axis: _Axis, letter: str, length: float, style: Style) -> None:
    ax = panel.ax
    of = getattr(ax, f"{letter}axis")
    low, high = sorted(getattr(ax, f"get_{letter}lim")())
    small = style.small / 72
    places: Sequence[float]
    texts: list[str]
    vals, dtick = axis.given.get("tickvals"), axis.given.get("dtick")
    if vals is not None:
        places = _numbers(vals).tolist()
        given = axis.given.get("ticktext")
        texts = (
            [str(t) for t in _array(given)] if given is not None else [_short(v) for v in places]
        )
    elif axis.names is not None:
        places, texts = list(range(len(axis.names))), axis.names
    elif axis.log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        few = math.log10(high / low) < 2
        places = [m * 10.0**d for d in decades for m in ((1, 2, 5) if few else (1,))]
        raised = not (low >= 1e-3 and high <= 1e3)
        texts = [_power(v) if raised else _short(v) for v in places]
    else:
        most = length / ((4.4 if letter == "x" else 2.4) * small)
        held = np.concatenate([h[letter == "y"] for h in panel.held] or [np.zeros(0)])
        held = held[np.isfinite(held)]
        # of bars it is the middles that are whole
        bars = letter == "x" and any(t["type"] == "bar" for t in panel.traces)
        whole = bool(len(held)) and (bars or bool((held == held.round()).all()))
        whole = whole and high - low > 3
        percent = str(axis.given.get("tickformat") or "").endswith("%")
        if isinstance(dtick, int | float) and (high - low) / dtick <= 1.6 * most:
            first, last = math.ceil(low / dtick), math.floor(high / dtick)
            of.set_major_locator(FixedLocator([k * float(dtick) for k in range(first, last + 1)]))
        else:
            of.set_major_locator(ticks(most, 7 if letter == "x" else 6, whole=whole))
        of.set_major_formatter(
            FuncFormatter(lambda v, _: f"{100 * v:.6g}%" if percent else _short(v))
        )
        return
    longest = max(0.4 * length, 1.0) if letter == "x" else 2.5
    inside = [
        (v, fit(t, style.small, longest, 1))
        for v, t in zip(places, texts, strict=True)
        if low <= v <= high
    ]
    if inside:  # as many as fit, evenly
        room = max(text_width(t, style.small) for _, t in inside) + 0.5 * small
        each = room if letter == "x" else 1.25 * small
        every = max(1, math.ceil(len(inside) * each / max(length, 0.1)))
        inside = inside[::every]
    of.set_major_locator(FixedLocator([v for v, _ in inside]))
    of.set_minor_locator(FixedLocator([]))
    named = dict(inside)
    of.set_major_formatter(FuncFormatter(lambda v, _: named.get(float(v), "")))


# --- legend ------------------------------------------------------------------------------------


def _legend(cell: Cell, traces: Sequence[Json], layout: Json, style: Style) -> None:
    """Put the figure's legend at the top of the cell, which is then what remains below."""
    entries = [t for t in traces if t["type"] in ("scatter", "bar")]
    shown = [t for t in entries if t.get("showlegend", len(entries) > 1) and t.get("name")]
    if layout.get("showlegend") is False:
        shown = []
    handles = list({t["name"]: _handle(t, style) for t in reversed(shown)}.values())[::-1]
    if not handles:
        return
    small = style.small
    names = [fit(h.get_label(), small, min(6.0, 0.8 * cell.width), 1) for h in handles]
    widths = [text_width(name, small) + 4.4 * small / 72 for name in names]

    def taken(columns: int) -> float:
        rows = math.ceil(len(widths) / columns)
        return sum(max(widths[i : i + rows]) for i in range(0, len(widths), rows))

    columns = next((c for c in range(len(widths), 0, -1) if taken(c) < cell.width - 0.2), 1)
    rows = math.ceil(len(handles) / columns)
    across, up = cell.paper.get_size_inches()
    middle = (cell.left + cell.width / 2) / across
    legend = cell.paper.legend(
        handles=handles, labels=[f"{i}" for i in range(len(handles))],
        loc="upper center", ncols=math.ceil(len(handles) / rows),
        bbox_to_anchor=(middle, (cell.bottom + cell.height) / up),
        borderaxespad=0, borderpad=0, labelspacing=0.4,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)  # afterwards: one that starts with "_" would not be shown
    high = legend.get_window_extent().height / cell.paper.dpi  # other scripts are taller
    cell.height -= max(rows * 1.65 * small / 72, high) + 0.1


def _handle(trace: Json, style: Style) -> Any:
    name = _plain(trace["name"])
    if trace["type"] == "bar":
        look = _bar_look(trace, style)
        if isinstance(look["facecolor"], list):
            look["facecolor"] = look["facecolor"][0]
        return Patch(label=name, **look)
    mode, line = trace.get("mode") or "lines", trace.get("line") or {}
    if trace.get("fill") and not line.get("width", 2):
        return Patch(label=name, facecolor=_color(trace.get("fillcolor"), style.palette.grid))
    look = _look(trace, style) if "lines" in mode else {"linestyle": ""}
    if "markers" in mode:
        marker = trace.get("marker") or {}
        symbol = marker.get("symbol", "circle")
        symbol = symbol[0] if isinstance(symbol, list) else symbol
        color = _array(marker.get("color"))
        mark = _mark(trace, symbol, style, color[0] if isinstance(color, list) else None)
        size = (
            float(np.max(_numbers(marker.get("size", 6)))) if marker.get("size") is not None else 6
        )
        edge, face = mark.get("edgecolors", mark.get("color")), mark.get("facecolors", "none")
        look |= {
            "marker": mark["marker"],
            "markersize": min(_pt(size, style), 0.85 * style.size),
            "markerfacecolor": face,
            "markeredgecolor": face if edge == "none" else edge,
            "markeredgewidth": mark["linewidths"],
        }
    return Line2D([], [], label=name, **look)
