"""The curves of loss or accuracy over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures import info
from regviz.figures.palette import (
    LIGHT,
    TRAIN_DASH,
    TRAIN_MODE_DASH,
    VALIDATION_DASH,
    Palette,
    rgba,
)
from regviz.figures.style import chart_axis, chart_layout, key_line, legend_entry, log_axis
from regviz.frames import LaneFrame

"""Plotly's symbol for each kind of :class:`regviz.figures.info.Mark`."""


def loss_curves(
    labels: Sequence[str],
    *,
    epochs: int,
    show_accuracy: bool = False,
    log_scale: bool = False,
    show_train_mode: bool = False,
    height: int = 420,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out the curves of loss (or accuracy) against epochs, training dashed, validation solid.

    Traces, for each lane: training, validation, train mode, marks (star: best epoch, square: early
    stop, cross: divergence). After all lanes follow entries for the legend alone, the last two for
    early stops and divergence. Shapes: for each lane the vertical line at its early stop. Curves
    have a marker ready for runs with too few points for a line.
    """
    quantity = "Accuracy" if show_accuracy else "Loss"
    unit = "accuracy" if show_accuracy else "cross-entropy loss (nats)"
    traces: list[Any] = []
    for i, label in enumerate(labels):
        color, width = palette.lane(i), 2.0 if i == 0 else 3.0
        shown = "%{y:.1%}" if show_accuracy else "%{y:.3g}"
        for split, dash, name in (
            ("train", TRAIN_DASH, f"{label} · training"),
            ("validation", VALIDATION_DASH, f"{label} · validation"),
            ("train mode", TRAIN_MODE_DASH, f"{label} · train mode"),
        ):
            extra = split == "train mode"
            traces.append(
                go.Scatter(
                    x=[],
                    y=[],
                    mode="lines",
                    name=name,
                    line={
                        "color": rgba(color, 0.7) if extra else color,
                        "dash": dash,
                        "width": 1.6 if extra else width,
                    },
                    marker={
                        "color": color,
                        "size": 5 if extra else 8,
                        "symbol": "circle" if split == "validation" else "circle-open",
                    },
                    visible=show_train_mode and not show_accuracy if extra else True,
                    legendgroup=str(i),
                    showlegend=False,
                    hovertemplate=f"{name}: {shown}<extra></extra>",
                )
            )
        traces[-2].update(name=label, showlegend=True)
        traces.append(
            go.Scatter(
                x=[],
                y=[],
                text=[],
                mode="markers",
                marker={
                    "color": color,
                    "size": 14,
                    "symbol": "star",
                    "line": {"color": palette.outline, "width": 1.2},
                },
                name=f"{label} · events",
                legendgroup=str(i),
                showlegend=False,
                hovertemplate="%{text}<extra></extra>",
                cliponaxis=False,
            )
        )
    traces += [
        legend_entry("training", mode="lines", line=key_line(TRAIN_DASH, palette)),
        legend_entry("validation", mode="lines", line=key_line(VALIDATION_DASH, palette)),
    ]
    if show_train_mode and not show_accuracy:
        line = key_line(TRAIN_MODE_DASH, palette)
        traces.append(legend_entry("train mode", mode="lines", line=line))
    for kind, name in (("best", "best epoch"), ("stop", "early stopping"), ("diverged",) * 2):
        marker = {"color": palette.muted, "symbol": info.SYMBOLS[kind], "size": 11}
        traces.append(legend_entry(name, mode="markers", marker=marker))
    y: dict[str, Any] = {"range": list(info.LOSS_RANGE)}
    if show_accuracy:
        y = {"range": list(info.ACCURACY_RANGE), "tickformat": ".0%"}
    elif log_scale:
        y = log_axis(*info.LOG_LOSS_RANGE)
    layout = chart_layout(
        f"{quantity} curves",
        height,
        palette,
        beside=(800, 150, 54),
        margin={"l": 62, "r": 16, "t": 86, "b": 48},
        hovermode="x unified",
        xaxis=chart_axis("epoch", palette, range=[1, max(2, epochs)], hoverformat="d"),
        yaxis=chart_axis(unit, palette, **y),
        shapes=[
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": 1,
                "x1": 1,
                "y0": 0,
                "y1": 1,
                "line": {"color": palette.lane(i), "width": 1.5, "dash": "dot"},
                "visible": False,
            }
            for i in range(len(labels))
        ],
    )
    return go.Figure(traces, layout)


def fill_loss_curves(figure: go.Figure, lanes: Sequence[LaneFrame]) -> go.Figure:
    """Put the lanes' histories into a skeleton of :func:`loss_curves` and return it.

    The cross of a diverged lane stands at the top edge (accuracies: at its last value); several
    stand one under the other.
    """
    accuracy = figure.layout.yaxis.tickformat is not None
    names = ("train_accuracy", "val_accuracy") if accuracy else ("train_loss", "val_loss")
    curves: list[NDArray[Any]] = []
    for i, lane in enumerate(lanes):
        epochs = np.arange(1, lane.history.shape[1] + 1)
        for k, name in enumerate((*names, "train_loss_train_mode")):
            values = info.finite(lane.curve(name))
            curves.append(values)
            figure.data[4 * i + k].update(x=epochs, y=values, mode=info.line_mode(values))
    if not accuracy and figure.layout.yaxis.type != "log":
        figure.layout.yaxis.range = [0, info.curve_top(curves)]
    low, high = figure.layout.yaxis.range
    crosses = 0
    for i, lane in enumerate(lanes):
        marks = info.marks(lane, info.finite(lane.curve(names[1])))
        heights, texts = [], []
        for mark in marks:
            height = mark.value
            if mark.kind == "stop":
                figure.layout.shapes[i].update(x0=mark.epoch, x1=mark.epoch, visible=True)
            elif mark.kind == "diverged":
                if not accuracy or not np.isfinite(height):
                    height = high - (0.03 + 0.06 * crosses) * (high - low)
                    height = 10**height if figure.layout.yaxis.type == "log" else height
                crosses += 1
            heights.append(height)
            texts.append(_text(mark, lane))
        figure.data[4 * i + 3].update(
            x=[mark.epoch for mark in marks],
            y=heights,
            text=texts,
            marker={"symbol": [info.SYMBOLS[mark.kind] for mark in marks]},
        )
    figure.data[-2].showlegend = any(lane.stopped_epoch > 0 for lane in lanes)
    figure.data[-1].showlegend = any(lane.status == "diverged" for lane in lanes)
    return figure


def _text(mark: info.Mark, lane: LaneFrame) -> str:
    """Return what the mouse shows at a mark."""
    if mark.kind == "best":
        return f"best epoch {mark.epoch}"
    if mark.kind == "stop":
        return f"stopped at {mark.epoch}"
    losses = ", ".join(
        f"{name} {lane.curve(curve)[-1]:.3g}"
        for name, curve in (("training loss", "train_loss"), ("validation loss", "val_loss"))
    )
    return f"diverged in epoch {mark.epoch}: {losses}"
