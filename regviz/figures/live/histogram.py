"""The histograms of the weights, a panel for each weight matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from regviz.figures import info
from regviz.figures.palette import LIGHT, Palette, rgba
from regviz.figures.style import chart_axis, chart_layout, legend_entry
from regviz.frames import LaneFrame

PANELS_PER_ROW = 5


def histogram_rows(layers: int) -> int:
    """Return how many rows of panels ``layers`` histograms need."""
    return max(1, math.ceil(layers / PANELS_PER_ROW))


def weight_histogram(
    labels: Sequence[str],
    *,
    layers: int,
    log_scale: bool = False,
    height: int = 330,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out one panel for each weight matrix, the lanes' histograms laid over each other.

    Traces, for each layer and in it for each lane: the non-zero weights as a filled step line,
    and the bar of exact zeros at 0; at the end an entry for the legend alone. Annotations, for
    each layer: its title, and its count of exact zeros.
    """
    rows = histogram_rows(layers)
    columns = max(1, math.ceil(layers / rows))
    gap_x, gap_y = min(0.06, 0.24 / columns), 0.42 / rows if rows > 1 else 0.0
    width = (1 - gap_x * (columns - 1)) / columns
    tall = (1 - gap_y * (rows - 1)) / rows
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    annotations = []
    for layer in range(layers):
        row, column = divmod(layer, columns)
        n = "" if layer == 0 else str(layer + 1)
        left, top = column * (width + gap_x), 1 - row * (tall + gap_y)
        axes[f"xaxis{n}"] = chart_axis(
            "weight",
            palette,
            domain=[left, left + width],
            anchor=f"y{n}",
            range=[-1, 1],
            nticks=5,
            tickangle=0,
            showgrid=False,
        )
        axes[f"yaxis{n}"] = chart_axis(
            "weights per bin" if column == 0 else None,
            palette,
            domain=[max(0.0, top - tall), top],
            anchor=f"x{n}",
            nticks=4,
            **({"type": "log", "range": [-0.3, 2]} if log_scale else {"range": [0, 10]}),
        )
        if log_scale:
            axes[f"yaxis{n}"] |= {"dtick": 1, "tickformat": "~s"}
            del axes[f"yaxis{n}"]["nticks"]
        place = {
            "x": left,
            "xref": "paper",
            "yref": "paper",
            "y": top,
            "xanchor": "left",
            "yanchor": "bottom",
            "align": "left",
            "showarrow": False,
        }
        annotations += [
            place
            | {
                "text": f"<b>layer {layer + 1}</b>",
                "yshift": 22,
                "font": {"size": 14, "color": palette.text},
            },
            place | {"text": " ", "yshift": 4, "font": {"size": 13, "color": palette.muted}},
        ]
        for i, label in enumerate(labels):
            color = palette.lane(i)
            shared = {
                "xaxis": f"x{n}",
                "yaxis": f"y{n}",
                "legendgroup": str(i),
            }
            traces += [
                go.Scatter(
                    x=[],
                    y=[],
                    mode="lines",
                    name=label,
                    showlegend=layer == 0,
                    line={"color": color, "width": 2, "shape": "hv"},
                    fill="tozeroy",
                    fillcolor=rgba(color, 0.28),
                    hovertemplate=f"{label}: %{{y}} weights near %{{x:.3f}}<extra></extra>",
                    **shared,
                ),
                go.Bar(
                    x=[],
                    y=[],
                    width=[],
                    offset=[],
                    name=f"{label} · exactly 0",
                    showlegend=False,
                    marker={"color": color, "line": {"color": palette.text, "width": 1.5}},
                    hovertemplate=f"{label}: %{{y}} weights are exactly 0<extra></extra>",
                    **shared,
                ),
            ]
    marker = {
        "symbol": "square",
        "size": 10,
        "color": rgba(palette.muted, 0.6),
        "line": {"color": palette.text, "width": 1.5},
    }
    traces.append(legend_entry("exactly zero", mode="markers", marker=marker))
    layout = chart_layout(
        "Weights per layer",
        height,
        palette,
        beside=(640, 190, 78),
        margin={"l": 62, "r": 14, "t": 104, "b": 48},
        hovermode="closest",
        barmode="overlay",
        annotations=annotations,
        **axes,
    )
    return go.Figure(traces, layout)


def zeros_text(labels: Sequence[str], zeros: Sequence[int], size: int) -> str:
    """Return the sentence above a panel: how many of its weights are exactly zero."""
    counts = ", ".join(f"{label} {count:,}" for label, count in zip(labels, zeros, strict=True))
    return f"exact zeros: {counts} of {size:,}"


def fill_weight_histogram(
    figure: go.Figure, labels: Sequence[str], lanes: Sequence[LaneFrame]
) -> go.Figure:
    """Put the lanes' histograms into a skeleton of :func:`weight_histogram` and return it."""
    log_scale = figure.layout.yaxis.type == "log"
    for layer in range(len(lanes[0].layers)):
        n = "" if layer == 0 else str(layer + 1)
        limits = [float(lane.limits[layer]) for lane in lanes]
        limit = max(limits)
        reach = limit / 64
        for i, lane in enumerate(lanes):
            counts = lane.histogram[layer]
            edges = np.linspace(-limits[i], limits[i], len(counts) + 1)
            zeros = int(lane.zeros[layer])
            trace = 2 * (len(lanes) * layer + i)
            figure.data[trace].update(x=edges, y=[*counts.tolist(), 0])
            bar = limit / 48
            figure.data[trace + 1].update(
                x=[0.0], y=[zeros], width=[bar], offset=[bar * (i - len(lanes) / 2)]
            )
            reach = max(reach, info.histogram_reach(counts, limits[i]))
        zeros_of = [int(lane.zeros[layer]) for lane in lanes]
        top = 1.06 * info.histogram_top([lane.histogram[layer] for lane in lanes], zeros_of)
        figure.layout[f"xaxis{n}"].range = [-reach, reach]
        figure.layout[f"yaxis{n}"].range = [-0.3, math.log10(top * 2)] if log_scale else [0, top]
        inputs, units = lanes[0].shapes[layer]
        figure.layout.annotations[
            2 * layer
        ].text = f"<b>{lanes[0].layers[layer]}</b> ({inputs}×{units})"
        figure.layout.annotations[2 * layer + 1].text = zeros_text(labels, zeros_of, inputs * units)
    return figure
