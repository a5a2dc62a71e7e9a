"""Plotly figures of sweeps: the validation curve over one field, the plane over two.

Values are evenly spaced on an axis, so that 0 has a place beside a logarithmic range. Nothing here
imports Streamlit or torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures.palette import LIGHT, TRAIN_DASH, VALIDATION_DASH, Palette, rgba, scale
from regviz.figures.style import styled
from regviz.results.sweeps import MEASURES, Axis, Outcome, Sweep, one_standard_error

MOST_LABELS = 12
"""The most values written along an axis: more would overlap."""
PARTS = ("val_accuracy", "gap", "zeros")  # shares, shown in percent
UNITS = {"val_loss": "nats", "train_loss": "nats", "best_epoch": "epoch"}


def _ticks(axis: Axis) -> dict[str, Any]:
    every = -(-len(axis.values) // MOST_LABELS)
    places = list(range(0, len(axis.values), every))
    return {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [axis.texts[i] for i in places],
        "title_text": axis.label,
    }


def _named(measure: str) -> str:
    unit = UNITS.get(measure)
    return MEASURES[measure] + (f" ({unit})" if unit else " (%)")


def _scaled(values: NDArray[np.float64], measure: str) -> NDArray[np.float64]:
    return values * 100 if measure in PARTS else values


def validation_curve(
    sweep: Sweep, seen: Outcome | None, measure: str = "val_loss", palette: Palette = LIGHT
) -> go.Figure:
    """Draw a measure over the values of one field: the mean over seeds, a band of ± one standard
    error, each seed as a faint point; with losses also the training loss, dashed.

    The best value (lowest mean validation loss) is a star, the one-standard-error choice a
    diamond. Without an outcome the axes are there, and nothing on them.
    """
    axis = sweep.axes[0]
    x = np.arange(len(axis.values))
    figure = go.Figure()
    lines = [(measure, palette.lane(1), VALIDATION_DASH, MEASURES[measure])]
    if measure == "val_loss":
        lines.append(("train_loss", palette.lane(0), TRAIN_DASH, MEASURES["train_loss"]))
    for name, color, dash, label in lines:
        empty = np.full(sweep.shape, np.nan)
        values = _scaled(empty if seen is None else getattr(seen, name), name)
        mean = values.mean(axis=-1)
        error = np.zeros_like(mean)
        if sweep.seeds > 1 and seen is not None:
            error = _scaled(seen.standard_error(name), name)
        known = np.isfinite(mean)
        around = np.concatenate([x[known], x[known][::-1]])
        band = np.concatenate([(mean + error)[known], (mean - error)[known][::-1]])
        figure.add_scatter(
            x=around, y=band, mode="lines", fill="toself", fillcolor=rgba(color, 0.16),
            line={"width": 0}, hoverinfo="skip", name=f"± 1 standard error, {sweep.seeds} seeds",
            showlegend=sweep.seeds > 1 and name == measure,
        )  # fmt: skip
        figure.add_scatter(
            x=np.repeat(x, sweep.seeds), y=values.ravel(), mode="markers", showlegend=False,
            marker={"size": 5, "color": rgba(color, 0.45)}, hoverinfo="skip",
            visible=sweep.seeds > 1,
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=mean, mode="lines+markers", name=label,
            line={"color": color, "dash": dash, "width": 2.6}, marker={"size": 7},
            customdata=list(axis.texts),
            hovertemplate=f"{axis.label} %{{customdata}}: %{{y:.3f}}<extra>{label}</extra>",
        )  # fmt: skip
    best = None if seen is None else seen.best()
    choice = None if seen is None else one_standard_error(axis, seen)
    for at, name, symbol, size in (
        (None if best is None else best[0], "lowest validation loss", "star", 17),
        (choice, "one-standard-error choice", "diamond-open", 15),
    ):
        here = [] if at is None or seen is None else [at]
        y = [] if not here or seen is None else [_scaled(seen.mean(measure), measure)[at]]
        figure.add_scatter(
            x=here, y=y, mode="markers", name=name, showlegend=bool(here),
            marker={"symbol": symbol, "size": size, "color": palette.warn,
                    "line": {"color": palette.text, "width": 1.5}},
            hovertemplate=f"{name}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(range=[-0.5, len(x) - 0.5], **_ticks(axis))
    title = "cross-entropy loss (nats)" if measure == "val_loss" else _named(measure)
    figure.update_yaxes(title_text=title, rangemode="tozero")
    figure = styled(figure, f"{MEASURES[measure]} over {axis.label}", palette, 380)
    figure.update_layout(uirevision=f"{axis.path}{measure}", hovermode="closest")
    return figure


def plane(
    sweep: Sweep,
    seen: Outcome | None,
    measure: str = "val_loss",
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a measure over two fields as a heat map, the first field upwards. Cells show their
    numbers if there is room; the best one (lowest mean validation loss) has a star."""
    rows, columns = sweep.axes
    shape = (len(rows.values), len(columns.values))
    mean = np.full(shape, np.nan)
    if seen is not None:
        mean = _scaled(seen.mean(measure), measure)
    digits = 3 if measure.endswith("loss") else 0
    texts = np.where(
        np.isfinite(mean), np.char.mod(f"%.{digits}f", np.nan_to_num(mean).round(digits) + 0.0), ""
    )
    if seen is not None:
        texts = np.where(seen.diverged.any(axis=-1), "×", texts)
    roomy = max(shape) <= 10
    figure = go.Figure()
    low, high = (palette.background, palette.lane(0))
    figure.add_heatmap(
        z=mean,
        text=texts,
        texttemplate="%{text}" if roomy else None,
        textfont={"size": 13},
        customdata=[[f"{r}|{c}" for c in columns.texts] for r in rows.texts],
        hovertemplate=f"{rows.label} | {columns.label}: %{{customdata}}<br>"
        f"{_named(measure)} %{{z:.3f}}<extra></extra>",
        colorscale=scale((low, high)),
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": _named(measure), "side": "right"}, "thickness": 14},
    )
    best = None if seen is None else seen.best()
    figure.add_scatter(  # in the cell's corner: the number stays readable
        x=[] if best is None else [best[1] - 0.4], y=[] if best is None else [best[0] + 0.3],
        mode="markers", name="lowest validation loss", showlegend=best is not None,
        hoverinfo="skip",
        marker={"symbol": "star", "size": 13, "color": palette.warn,
                "line": {"color": palette.text, "width": 1}},
    )  # fmt: skip
    figure.update_xaxes(range=[-0.5, shape[1] - 0.5], showgrid=False, **_ticks(columns))
    figure.update_yaxes(range=[-0.5, shape[0] - 0.5], showgrid=False, **_ticks(rows))
    figure = styled(
        figure, f"{MEASURES[measure]} over {rows.label} and {columns.label}", palette, 460
    )
    figure.update_layout(uirevision="plane", margin={"l": 70})
    return figure
