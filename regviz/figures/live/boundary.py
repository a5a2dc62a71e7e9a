"""The decision boundary: a panel for each lane, and one for the difference between two."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from regviz.figures import info
from regviz.figures.palette import CLASS_SYMBOLS, LIGHT, Palette, mixed, scale
from regviz.figures.style import chart_axis, chart_layout, legend_entry
from regviz.frames import DataView


def decision_boundary(
    labels: Sequence[str],
    *,
    show_difference: bool = True,
    show_points: bool = True,
    height: int = 520,
    extent: tuple[float, float, float, float] = (-2.0, 3.0, -1.5, 2.0),
    classes: int = 2,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out one panel for each lane and, on request, one for the difference of the last two.

    All panels share their ranges and have equal aspect. Traces: for each lane four of points
    (class 0 and 1 train, class 0 and 1 validation), then the colour bar of P(class 1), then that
    of the difference. Annotations: the title of each panel. The response itself is a picture
    under the axes: see :func:`fill_decision_boundary`.

    With K > 2 ``classes`` the picture is an image of classes: 2K traces of points for each lane
    (each class train, each class validation; a mark of its own for each class, full and open),
    the bar of the probability of the most probable class, that of the difference (same class or
    another), and two entries that explain full and open marks.
    """
    several = classes > 2
    panels = len(labels) + (1 if show_difference else 0)
    gap = min(0.06, 0.2 / panels)
    width = (1 - gap * (panels - 1)) / panels
    traces: list[Any] = []
    layout: dict[str, Any] = {}
    annotations = []
    for i in range(panels):
        n = "" if i == 0 else str(i + 1)
        left = i * (width + gap)
        shared_x = {} if i == 0 else {"matches": "x"}
        shared_y = {} if i == 0 else {"matches": "y"}
        layout[f"xaxis{n}"] = chart_axis(
            info.INPUTS[0],
            palette,
            domain=[left, left + width],
            anchor=f"y{n}",
            range=list(extent[:2]),
            constrain="domain",
            showgrid=False,
            **shared_x,
        )
        layout[f"yaxis{n}"] = chart_axis(
            info.INPUTS[1] if i == 0 else None,
            palette,
            anchor=f"x{n}",
            range=list(extent[2:]),
            scaleanchor=f"x{n}",
            constrain="domain",
            constraintoward="top",
            showgrid=False,
            showticklabels=i == 0,
            **shared_y,
        )
        apart = "≠" if several else "−"
        name = labels[i] if i < len(labels) else f"{labels[-1]} {apart} {labels[0]}"
        annotations.append(
            {
                "text": f"<b>{name}</b>",
                "x": left + width / 2,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "yshift": 4,
                "showarrow": False,
                "font": {
                    "size": 15,
                    "color": palette.lane(i) if i < len(labels) else palette.text,
                },
            }
        )
    for i in range(len(labels)):
        n = "" if i == 0 else str(i + 1)
        for validation in (False, True):
            for k in range(classes):
                split = "validation" if validation else "training"
                # of several classes the legend has one entry each; a click on it hides both
                shown = i == 0 and show_points and not (several and validation)
                traces.append(
                    go.Scatter(
                        x=[],
                        y=[],
                        mode="markers",
                        xaxis=f"x{n}",
                        yaxis=f"y{n}",
                        name=f"class {k}" if several else f"class {k} · {split}",
                        legendgroup=f"{k}" if several else f"{k}{validation}",
                        showlegend=shown,
                        visible=show_points,
                        marker=_point_marks(k, validation, several, palette),
                        hovertemplate="x₀ %{x:.2f}, x₁ %{y:.2f}<extra>%{fullData.name}"
                        + (f" · {split}</extra>" if several else "</extra>"),
                    )
                )
    lanes_right = len(labels) * width + (len(labels) - 1) * gap
    if several:
        sure = (palette.response[1], mixed(palette.response[1], palette.muted, 0.75))
        bar = _color_bar(
            "P(most probable class)", sure, 1 / classes, 1, lanes_right / 2, lanes_right, palette
        )
        bar.marker.colorbar.tickformat = ".0%"
    else:
        bar = _color_bar(
            "P(class 1)", palette.response, 0, 1, lanes_right / 2, lanes_right, palette
        )
    traces.append(bar)
    if show_difference and several:
        same, other = palette.difference[1:]
        bar = _color_bar(
            "", (same, same, other, other), 0, 1, 1 - width / 2, width, palette, panel=str(panels)
        )
        bar.marker.colorscale = [[0, same], [0.5, same], [0.5, other], [1, other]]
        bar.marker.colorbar.update(tickvals=[0.25, 0.75], ticktext=["same class", "another class"])
        traces.append(bar)
    elif show_difference:
        traces.append(
            _color_bar(
                "Δ P(class 1)",
                palette.difference,
                -1,
                1,
                1 - width / 2,
                width,
                palette,
                panel=str(panels),
            )
        )
    if several and show_points:
        for name, validation in (("training", False), ("validation", True)):
            marker = _point_marks(0, validation, several, palette) | {"color": palette.muted}
            marker["line"] = marker["line"] | ({"color": palette.muted} if validation else {})
            traces.append(legend_entry(name, mode="markers", marker=marker))
    layout = chart_layout(
        "Decision boundary",
        height,
        palette,
        beside=(760, 190, 62),
        margin={"l": 54, "r": 14, "t": 88, "b": 94},
        hovermode="closest",
        annotations=annotations,
        **layout,
    )
    layout["legend"]["itemsizing"] = "trace"
    return go.Figure(traces, layout)


def _point_marks(k: int, validation: bool, several: bool, palette: Palette) -> dict[str, Any]:
    """Return the look of a class's points: full in training, open in validation.

    Of two classes all have one shape; of several each has its own, as ten hues are too many to
    be told apart alone.
    """
    color = palette.classes[k]
    symbol, open_symbol = "circle", "diamond"
    sizes = 6.5, 7.5
    if several:
        symbol = open_symbol = CLASS_SYMBOLS[k]
        sizes = (8.5, 8.5) if symbol in _SLENDER else (7.0, 7.0)
    if validation:
        return {
            "symbol": f"{open_symbol}-open",
            "size": sizes[1],
            "color": color,
            "line": {"color": color, "width": 1.8},
        }
    return {
        "symbol": symbol,
        "size": sizes[0],
        "color": color,
        "line": {"color": palette.outline, "width": 0.9},
    }


_SLENDER = ("triangle-up", "triangle-down", "cross", "x", "star", "hexagram")
"""Marks that cover less than a disc of their size."""


def _color_bar(
    title: str,
    colors: Sequence[str],
    low: float,
    high: float,
    center: float,
    length: float,
    palette: Palette,
    panel: str = "",
) -> go.Scatter:
    """A trace without points whose only use is its colour bar, lying under the panels."""
    return go.Scatter(
        x=[None],
        y=[None],
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={
            "color": [low],
            "cmin": low,
            "cmax": high,
            "colorscale": scale(colors),
            "showscale": True,
            "colorbar": {
                "orientation": "h",
                "title": {
                    "text": f" {title}",
                    "side": "right",
                    "font": {"size": 14, "color": palette.text},
                },
                "thickness": 11,
                "len": max(0.16, length * 0.72),
                "x": center,
                "xanchor": "center",
                "y": 0,
                "yref": "container",
                "yanchor": "bottom",
                "ypad": 2,
                "outlinewidth": 1,
                "outlinecolor": palette.border,
                "tickvals": [low, (low + high) / 2, high],
                "tickfont": {"size": 13, "color": palette.muted},
                "ticks": "outside",
                "ticklen": 3,
                "tickcolor": palette.border,
            },
        },
    )


def fill_decision_boundary(
    figure: go.Figure,
    data: Sequence[DataView],
    *,
    classes: int = 2,
) -> go.Figure:
    """Put points and ranges into a skeleton of :func:`decision_boundary` and return it.

    The response is not a trace: the browser and the slides' HTML page lay it under the points as a
    picture.
    """
    low_high = np.array([view.extent for view in data])
    low, high = low_high[:, 0::2].min(axis=0), low_high[:, 1::2].max(axis=0)
    figure.update_xaxes(range=[low[0], high[0]])
    figure.update_yaxes(range=[low[1], high[1]])
    for i, view in enumerate(data):
        for j, (validation, k) in enumerate(itertools.product((False, True), range(classes))):
            of = (view.y == k) & (view.is_val == validation)
            figure.data[2 * classes * i + j].update(x=view.x[of, 0], y=view.x[of, 1])
    return figure
