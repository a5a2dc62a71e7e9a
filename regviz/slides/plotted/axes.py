"""The axes of a Plotly figure: limits, titles, and as many numbers as there is room for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter

from regviz.slides.paper import Style, fit, text_width, ticks
from regviz.slides.plotted.panels import Axis, Panel
from regviz.slides.plotted.values import Json, array_of, numbers_of, plain_text, short_number


def set_limits(panels: Sequence[Panel], layout: Json) -> None:
    """Set the range of each axis: the one it gives, else what its data need. Axes that match share
    theirs."""
    for side in (0, 1):
        groups: dict[str, list[Panel]] = {}
        for panel in panels:
            axis = (panel.x, panel.y)[side]
            groups.setdefault(axis.given.get("matches") or panel.names[side], []).append(panel)
        for group in groups.values():
            axis = (group[0].x, group[0].y)[side]
            low, high = _range(group, axis, side)
            for panel in group:
                getattr(panel.ax, ("set_xlim", "set_ylim")[side])(low, high)


def _range(group: Sequence[Panel], axis: Axis, side: int) -> tuple[float, float]:
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


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**exponent)
    power = {0: "1", 1: "10"}.get(exponent, f"10{str(exponent).translate(_RAISED)}")
    return power if factor == 1 else f"{factor}·{power}"


def label_axes(panel: Panel, width: float, height: float, style: Style) -> None:
    """Write titles and ticks, as many as a panel of this size (inches) has room for."""
    ax = panel.ax
    if panel.title:
        text = fit(panel.title, style.small, max(width, 0.5), 2, bold=True)
        ax.set_title(text, fontweight="bold", fontsize=style.small)
    for axis, letter, length in ((panel.x, "x", width), (panel.y, "y", height)):
        if axis.given.get("visible") is False:
            continue
        named = plain_text((axis.given.get("title") or {}).get("text") or "")
        if named:
            lines = fit(named, style.size, max(1.15 * length, 0.8), 2)
            getattr(ax, f"set_{letter}label")(lines)
        _ticks(panel, axis, letter, length, style)
        if axis.given.get("showticklabels") is False:
            ax.tick_params(axis=letter, labelleft=False, labelbottom=False)  # type: ignore[arg-type]


def _ticks(panel: Panel, axis: Axis, letter: str, length: float, style: Style) -> None:
    ax = panel.ax
    of = getattr(ax, f"{letter}axis")
    low, high = sorted(getattr(ax, f"get_{letter}lim")())
    small = style.small / 72
    places: Sequence[float]
    texts: list[str]
    vals, dtick = axis.given.get("tickvals"), axis.given.get("dtick")
    if vals is not None:
        places = numbers_of(vals).tolist()
        given = axis.given.get("ticktext")
        texts = (
            [str(t) for t in array_of(given)]
            if given is not None
            else [short_number(v) for v in places]
        )
    elif axis.names is not None:
        places, texts = list(range(len(axis.names))), axis.names
    elif axis.log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        few = math.log10(high / low) < 2
        places = [m * 10.0**d for d in decades for m in ((1, 2, 5) if few else (1,))]
        raised = not (low >= 1e-3 and high <= 1e3)
        texts = [_power(v) if raised else short_number(v) for v in places]
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
            FuncFormatter(lambda v, _: f"{100 * v:.6g}%" if percent else short_number(v))
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
