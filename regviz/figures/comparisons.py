"""Plotly figures of a comparison: small multiples, one panel for each configuration.

All panels of a figure share their axes, so that they can be compared by eye. Nothing here imports
Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures import info
from regviz.figures.palette import LIGHT, TRAIN_DASH, VALIDATION_DASH, Palette, rgba
from regviz.figures.style import chart_axis, chart_layout, key_line, legend_entry, log_axis
from regviz.frames import LaneFrame
from regviz.frames.messages import pooled_histograms, thin

BANDS = {"range": "lowest to highest", "error": "± 1 standard error"}
"""What a band around the mean over seeds may be, by its name."""
CURVES_HEIGHT, HISTOGRAM_HEIGHT = 235, 205
POINTS = 120
"""Points of a curve at most: more could not be seen in a panel this small."""
GAP = 0.017
"""Share of the figure's width between panels, about as in the row of boundaries above."""
NEVER = 100_000  # pixels: the legend keeps its place at the right, however wide the page


def short(name: str, most: int) -> str:
    """Return a name that fits over a panel: as many whole parts as ``most`` characters hold, so
    that no number is cut."""
    if len(name) <= most:
        return name
    parts = name.split(" + ")
    for count in range(len(parts) - 1, 0, -1):
        if len(kept := " + ".join(parts[:count]) + " + …") <= most:
            return kept
    return name[: most - 1].rstrip() + "…"


def empty(names: Sequence[str], palette: Palette = LIGHT, *, height: int) -> go.Figure:
    """Return panels without curves, shown until the first results arrive."""
    return _panels(names, "", "", "", palette, height)


def _panels(
    names: Sequence[str], title: str, x: str, y: str, palette: Palette, height: int
) -> go.Figure:
    """Return a row of empty panels with common axes, each under its name."""
    n = len(names)
    width = (1 - GAP * (n - 1)) / n
    axes: dict[str, Any] = {}
    annotations = []
    for i, name in enumerate(names):
        k = "" if i == 0 else str(i + 1)
        left = i * (width + GAP)
        shared = {} if i == 0 else {"matches": "x"}
        axes[f"xaxis{k}"] = chart_axis(
            x, palette, domain=[left, left + width], anchor=f"y{k}", nticks=5, **shared
        )
        axes[f"yaxis{k}"] = chart_axis(
            y if i == 0 else None, palette, anchor=f"x{k}", showticklabels=i == 0,
            **({} if i == 0 else {"matches": "y"}),
        )  # fmt: skip
        place = {"x": left + width / 2, "xref": "paper", "yref": "paper", "y": 1,
                 "xanchor": "center", "yanchor": "bottom", "showarrow": False}  # fmt: skip
        text = f"<b>{short(name, 22 if n > 4 else 40)}</b>"
        font = {"size": 14, "color": palette.lane(i)}
        annotations.append(place | {"text": text, "yshift": 3, "font": font})
    layout = chart_layout(
        title,
        height,
        palette,
        beside=(NEVER, 0, 56),
        margin={"l": 54, "r": 14, "t": 56, "b": 42},
        annotations=annotations,
        **axes,
    )
    layout["legend"].update(x=1, xanchor="right", y=1 - 8 / height)
    return go.Figure([], layout)


def _mean_and_band(
    group: Sequence[NDArray[Any]], band: str
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return mean, lower and upper edge over the seeds, until the first of them stopped."""
    length = min(len(curve) for curve in group)
    curves = np.array([curve[:length] for curve in group], np.float64)
    curves[~np.isfinite(curves)] = np.nan
    mean = curves.mean(axis=0)
    if band == "range":
        return mean, curves.min(axis=0), curves.max(axis=0)
    error = curves.std(axis=0, ddof=1) / np.sqrt(len(curves)) if len(curves) > 1 else 0 * mean
    return mean, mean - error, mean + error


def said_of_band(seeds: int, band: str) -> str:
    """Return what lines and band show, as part of a title."""
    return "one seed" if seeds == 1 else f"mean of {seeds} seeds, band: {BANDS[band]}"


def curves(
    lanes: Sequence[LaneFrame],
    names: Sequence[str],
    palette: Palette = LIGHT,
    *,
    band: str = "range",
    epochs: int,
    show_accuracy: bool = False,
    log_scale: bool = False,
    height: int = CURVES_HEIGHT,
) -> go.Figure:
    """Draw loss (or accuracy) against epochs in one panel each, train dashed, validation solid.

    ``lanes`` holds the seeds of the first configuration, then those of the second, and so on.
    Lines are means over the seeds until the first of them stopped; stars are the best epochs.
    Traces, for each configuration: the bands of train and validation, train, validation, stars;
    then entries for the legend alone.
    """
    seeds = len(lanes) // len(names)
    what = "Accuracy" if show_accuracy else "Loss"
    figure = _panels(
        names, f"{what} curves: {said_of_band(seeds, band)}", "epoch",
        "right" if show_accuracy else "loss (nats)", palette, height,
    )  # fmt: skip
    kind = "accuracy" if show_accuracy else "loss"
    tops: list[NDArray[Any]] = []
    lows: list[NDArray[Any]] = []
    for i, name in enumerate(names):
        group = lanes[i * seeds : (i + 1) * seeds]
        color, k = palette.lane(i), "" if i == 0 else str(i + 1)
        at = {"xaxis": f"x{k}", "yaxis": f"y{k}", "showlegend": False}
        lines: list[Any] = []
        for split, dash, word in (
            ("train", TRAIN_DASH, "training"),
            ("val", VALIDATION_DASH, "validation"),
        ):
            mean, low, high = _mean_and_band(
                [lane.curve(f"{split}_{kind}") for lane in group], band
            )
            some = thin(len(mean), POINTS)
            x = some + 1
            tops.append(high)
            lows.append(mean)
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]), y=np.concatenate([high[some], low[some][::-1]]),
                mode="lines", fill="toself", fillcolor=rgba(color, 0.2), line={"width": 0},
                hoverinfo="skip", visible=seeds > 1, **at,
            )  # fmt: skip
            lines.append(
                go.Scatter(
                    x=x, y=mean[some], mode=info.line_mode(mean), name=name,
                    line={"color": color, "dash": dash, "width": 1.8 if split == "train" else 2.6},
                    hovertemplate=f"{word}: %{{y:.3g}}<extra></extra>", **at,
                )
            )  # fmt: skip
        figure.add_traces(lines)
        gone = [lane.epoch for lane in group if lane.status == "diverged"]
        if gone:
            figure.add_annotation(
                text=f"{len(gone)} of {seeds} diverged" if seeds > 1 else "diverged",
                hovertext=f"in epoch {', '.join(map(str, gone))}",
                xref=f"x{k} domain", yref=f"y{k} domain", x=0.5, y=0.9, showarrow=False,
                font={"size": 14, "color": palette.bad},
            )  # fmt: skip
        best = [
            (lane.best_epoch, lane.curve(f"val_{kind}")[lane.best_epoch - 1])
            for lane in group
            if lane.best_epoch
        ]
        figure.add_scatter(
            x=[e for e, _ in best], y=[v for _, v in best], mode="markers",
            marker={"symbol": "star", "size": 9, "color": color,
                    "line": {"color": palette.outline, "width": 0.8}},
            hovertemplate="best epoch %{x}: %{y:.3g}<extra></extra>", **at,
        )  # fmt: skip
    for word, dash in (("training", TRAIN_DASH), ("validation", VALIDATION_DASH)):
        figure.add_trace(legend_entry(word, mode="lines", line=key_line(dash, palette)))
    star = {"symbol": "star", "size": 9, "color": palette.muted}
    figure.add_trace(legend_entry("best epoch", mode="markers", marker=star))
    y: dict[str, Any] = {"range": [0, info.curve_top(tops)]}
    if show_accuracy:
        y = {"range": [0.4, 1.01], "tickformat": ".0%"}
    elif log_scale:
        y = _log_axis_of([*lows, *tops])
    figure.update_xaxes(range=[1, max(2, epochs)], hoverformat="d")
    figure.update_yaxes(**y)
    figure.update_layout(hovermode="x unified")
    return figure


def _log_axis_of(values: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """Return a logarithmic axis that shows all positive values."""
    known = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in values])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.1, 1.0)
    return log_axis(np.log10(low) - 0.05, np.log10(high) + 0.05)


def histograms(
    lanes: Sequence[LaneFrame],
    names: Sequence[str],
    palette: Palette = LIGHT,
    *,
    log_scale: bool = False,
    height: int = HISTOGRAM_HEIGHT,
) -> go.Figure:
    """Draw the weights of all layers of each model as one histogram, one panel each.

    ``lanes`` holds one model for each name. Exact zeros are counted apart: a bar at 0, and a number
    in the panel. Traces, for each model: the non-zero weights, the bar of zeros.
    """
    figure = _panels(
        names, "Weights of all layers, first seed", "weight", "weights per bin", palette, height
    )
    pooled, limit = pooled_histograms(lanes)
    edges = np.linspace(-limit, limit, pooled.shape[1] + 1)
    step = edges[1] - edges[0]
    reach = info.LEAST_BINS * step
    for i, (lane, row, name) in enumerate(zip(lanes, pooled, names, strict=True)):
        color, k = palette.lane(i), "" if i == 0 else str(i + 1)
        at = {"xaxis": f"x{k}", "yaxis": f"y{k}", "showlegend": False}
        zeros = int(lane.zeros.sum())
        size = sum(a * b for a, b in lane.shapes)
        reach = max(reach, info.histogram_reach(row, limit, info.OUTSIDE))
        figure.add_scatter(
            x=edges, y=[*row.tolist(), 0], mode="lines", name=name, fill="tozeroy",
            line={"color": color, "width": 1.8, "shape": "hv"}, fillcolor=rgba(color, 0.28),
            hovertemplate="%{y} near %{x:.3f}<extra></extra>", **at,
        )  # fmt: skip
        figure.add_bar(
            x=[0.0], y=[zeros], width=[0.0], marker={"color": color,
            "line": {"color": palette.text, "width": 1.5}},
            hovertemplate="%{y} weights are exactly 0<extra></extra>", **at,
        )  # fmt: skip
        share = f" ({100 * zeros / size:.0f} %)" if zeros else ""
        figure.add_annotation(
            text=f"exact zeros: {zeros:,}{share}", xref=f"x{k} domain", yref=f"y{k} domain",
            x=0.98, y=0.98, xanchor="right", yanchor="top", showarrow=False,
            font={"size": 12, "color": palette.muted},
        )  # fmt: skip
    for trace in figure.data:
        if trace.type == "bar":
            trace.width = [reach / info.ZEROS_BAR]
    tallest = info.histogram_top(list(pooled), [int(lane.zeros.sum()) for lane in lanes])
    top = info.WEIGHTS_ROOM * tallest
    span = [info.WEIGHTS_FLOOR, np.log10(2 * top)]
    y = {"type": "log", "range": span, "dtick": 1} if log_scale else {}
    figure.update_xaxes(range=[-reach, reach])
    figure.update_yaxes(**(y or {"range": [0, top], "nticks": 4}))
    figure.update_layout(barmode="overlay", hovermode="closest")
    return figure
