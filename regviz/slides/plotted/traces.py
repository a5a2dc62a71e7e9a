"""The traces of a Plotly figure, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from numpy.typing import NDArray

from regviz.slides.paper import Style
from regviz.slides.plotted.looks import bar_look, line_look, marker_look
from regviz.slides.plotted.panels import Axis, Panel
from regviz.slides.plotted.shapes import draw_shape
from regviz.slides.plotted.values import (
    Json,
    Unknown,
    array_of,
    color_map,
    color_of,
    numbers_of,
    plain_text,
    points_of,
)

_STEPS = {"hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}


def fill_panel(panel: Panel, layout: Json, style: Style) -> None:
    """Draw all traces and shapes of a panel."""
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
        draw_shape(panel, shape, style)
    for number, trace in enumerate(panel.traces):
        kind = trace["type"]
        if kind == "scatter":
            _scatter(panel, trace, style, 2 + 0.01 * number)
        elif kind == "bar":
            _bars(panel, trace, bars, layout, style)
        elif kind == "heatmap":
            _heatmap(panel, trace, style)
        elif kind == "contour":
            z = numbers_of(trace["z"])
            x, y = numbers_of(trace["x"]), numbers_of(trace["y"])
            levels = np.linspace(z.min(), z.max(), int(trace.get("ncontours", 10)) + 2)[1:-1]
            width = points_of(trace["line"]["width"], style)
            ax.contour(
                x, y, z, levels=levels, cmap=color_map(trace["colorscale"]), linewidths=width
            )
            panel.holds([x.min(), x.max()], [y.min(), y.max()])
        else:
            raise Unknown(f"a trace of type {kind}")
    ax.spines[["left", "bottom"]].set_color(p.muted)


def _scatter(panel: Panel, trace: Json, style: Style, order: float) -> None:
    ax, mode = panel.ax, trace.get("mode") or "lines"
    x, y = panel.x.place(trace.get("x") or []), panel.y.place(trace.get("y") or [])
    clip = trace.get("cliponaxis", True)
    if not len(x):
        return
    panel.holds(x, y, 0.04 if "markers" in mode or "text" in mode else 0.0)
    line = trace.get("line") or {}
    if trace.get("fill") == "toself":
        color = color_of(trace.get("fillcolor"), style.palette.grid)
        ax.fill(x, y, facecolor=color, edgecolor="none", zorder=order)
    elif trace.get("fill") == "tozeroy":
        color = color_of(trace.get("fillcolor"), style.palette.grid)
        step = {"hv": "post", "vh": "pre", "hvh": "mid"}.get(line.get("shape", ""))
        ax.fill_between(x, y, facecolor=color, edgecolor="none", step=step, zorder=order)  # type: ignore[arg-type]
    elif trace.get("fill"):
        raise Unknown(f"a fill called {trace['fill']}")
    if "lines" in mode and line.get("width", 2):
        drawn = _STEPS.get(line.get("shape", ""), "default")
        ax.plot(x, y, drawstyle=drawn, zorder=order, clip_on=clip, **line_look(trace, style))
    if "markers" in mode:
        _markers(ax, trace, x, y, style, order, clip=clip)
    if "text" in mode:
        across = str(trace.get("textposition", "middle center")).split()[-1]
        for text, at, up in zip(trace["text"], x, y, strict=True):
            ax.text(
                at, up, plain_text(text), va="center", zorder=order + 1, fontsize=0.9 * style.small,
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
    sizes = np.broadcast_to(numbers_of(marker.get("size", 6)), x.shape)
    symbol, color = marker.get("symbol", "circle"), array_of(marker.get("color"))
    symbols = list(symbol) if isinstance(symbol, list) else [symbol] * len(x)
    colors = list(color) if isinstance(color, list) else [color] * len(x)
    for kind, tint in dict.fromkeys(zip(symbols, colors, strict=True)):
        of = [pair == (kind, tint) for pair in zip(symbols, colors, strict=True)]
        area = (points_of(1, style) * sizes[of] * (1.3 if "star" in kind else 1)) ** 2
        look = marker_look(trace, kind, style, tint)
        ax.scatter(x[of], y[of], s=area, zorder=order + 0.005, clip_on=clip, **look)


def _bars(panel: Panel, trace: Json, bars: Sequence[Json], layout: Json, style: Style) -> None:
    x, y = panel.x.place(trace.get("x") or []), numbers_of(trace.get("y") or [])
    if not len(x):
        return
    apart = np.diff(np.unique(x))
    step = float(apart.min()) if len(apart) else 1.0
    overlay = layout.get("barmode") == "overlay"
    count = 1 if overlay else len(bars)
    group = step * (1 - float(layout.get("bargap", 0.2)))
    width = np.broadcast_to(numbers_of(trace.get("width", group / count)), x.shape)
    at = 0 if overlay else bars.index(trace)
    left = x - group / 2 + at * group / count
    if trace.get("width") is not None:
        left = x - width / 2
    if trace.get("offset") is not None:
        left = x + numbers_of(trace["offset"])
    look = bar_look(trace, style)
    panel.ax.bar(left, y, width, align="edge", zorder=2, **look)
    panel.holds([*left, *(left + width)], [*y, *y])
    panel.holds(left[:1], [0.0])
    for i, text in enumerate(trace.get("text") or []):
        panel.ax.text(
            left[i] + width[i] / 2, y[i], f"{plain_text(text)}", ha="center", va="bottom",
            fontsize=style.small,
        )  # fmt: skip


def _heatmap(panel: Panel, trace: Json, style: Style) -> None:
    z, ax = numbers_of(trace["z"]), panel.ax
    rows, columns = z.shape

    def edges(axis: Axis, given: Any, count: int) -> NDArray[np.float64]:
        at = axis.place(given) if given is not None else np.arange(count, dtype=np.float64)
        half = (at[1:] - at[:-1]) / 2 if count > 1 else np.array([0.5])
        return np.array([at[0] - half[0], *(at[:-1] + half)[: count - 1], at[-1] + half[-1]])

    x, y = edges(panel.x, trace.get("x"), columns), edges(panel.y, trace.get("y"), rows)
    finite = z[np.isfinite(z)]
    low = trace.get("zmin", float(finite.min()) if len(finite) else 0.0)
    high = trace.get("zmax", float(finite.max()) if len(finite) else 1.0)
    colors, norm = color_map(trace["colorscale"]), Normalize(low, max(high, low + 1e-12))
    gap = float(trace.get("xgap", 0))
    if gap:
        picture: Any = ax.pcolormesh(
            x, y, np.ma.masked_invalid(z), cmap=colors, norm=norm, zorder=1,
            edgecolors=style.palette.background, linewidth=points_of(gap, style) * 0.6,
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
        panel.bar = picture, plain_text(named)
    if trace.get("texttemplate"):
        size = style.small * min(1.0, 11 / max(rows, columns))
        for i, j in np.ndindex(rows, columns):
            text = str(array_of(trace["text"])[i][j])
            shade = np.array(colors(norm(z[i, j]))) if np.isfinite(z[i, j]) else np.zeros(4)
            back = np.array(to_rgb(style.palette.background))
            seen = shade[3] * shade[:3] + (1 - shade[3]) * back
            dark = float(seen @ (0.299, 0.587, 0.114)) < 0.5
            ax.text(
                (x[j] + x[j + 1]) / 2, (y[i] + y[i + 1]) / 2, text, ha="center", va="center",
                fontsize=size, color="#ffffff" if dark else "#1b2430", zorder=4,
            )  # fmt: skip
