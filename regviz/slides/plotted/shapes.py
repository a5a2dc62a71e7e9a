"""Shapes and annotations of a Plotly figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from regviz.slides.paper import Style
from regviz.slides.plotted.looks import line_look
from regviz.slides.plotted.panels import Panel
from regviz.slides.plotted.values import Json, Unknown, color_of, plain_text


def transform_of(panel: Panel, given: Json) -> Any | None:
    """Return the transform of a shape or annotation; None if it lies in another panel."""
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


def draw_shape(panel: Panel, shape: Json, style: Style) -> None:
    """Draw a line or rectangle, if it lies in this panel."""
    transform = transform_of(panel, shape)
    if transform is None or shape.get("visible") is False:
        return
    line = shape.get("line") or {}
    x0, x1, y0, y1 = (float(shape[side]) for side in ("x0", "x1", "y0", "y1"))
    if shape["type"] == "line":
        look = line_look({"line": line}, style)
        panel.ax.add_line(Line2D([x0, x1], [y0, y1], transform=transform, zorder=1.8, **look))
    elif shape["type"] == "rect":
        color = color_of(shape.get("fillcolor"), style.palette.grid)
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


def annotate(panels: Sequence[Panel], layout: Json, style: Style) -> None:
    """Write the annotations; those over a panel become its title."""
    for given in layout.get("annotations") or []:
        text = plain_text(given.get("text") or "")
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
            transform = transform_of(panel, given)
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
            color = color_of((given.get("font") or {}).get("color"), style.palette.text)
            panel.ax.text(
                x, y, aside, transform=transform, fontsize=style.small, zorder=5, ha=across,
                va=above, color=color,
            )  # fmt: skip
            break


def _anchor(given: str | None, at: float, ref: str, sides: tuple[str, str]) -> str:
    """Return which side of a text stands at its place: with a reference to the axes, the side
    nearer to their edge."""
    if given not in (None, "auto"):
        return "center" if given == "middle" else str(given)
    if not ref.endswith("domain"):
        return "center"
    return sides[0] if at < 1 / 3 else sides[1] if at > 2 / 3 else "center"
