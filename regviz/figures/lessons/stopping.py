"""When to stop: the rule of early stopping at work, and where over-fitting begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import LIGHT, TRAIN_DASH, VALIDATION_DASH, Palette, rgba
from regviz.figures.style import stroke, styled
from regviz.frames import LaneFrame
from regviz.results.metrics import Beginning
from regviz.results.stopping import StopState
from regviz.specs import EarlyStoppingSpec


def stopping_theatre(
    val_loss: NDArray[Any],
    states: Sequence[StopState],
    rule: EarlyStoppingSpec,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a rule of early stopping at work: its best loss, its threshold, and its counter.

    ``val_loss`` holds all epochs of a run without the rule, ``states`` the rule's states up to its
    stop.
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.05
    )
    losses = np.where(np.isfinite(val_loss), val_loss, np.nan)
    epochs = np.arange(1, len(losses) + 1)
    seen, last = epochs[: len(states)], states[-1]
    best = np.array([state.best for state in states])
    asked = best - rule.min_delta
    figure.add_scatter(
        x=np.concatenate([seen, seen[::-1]]),
        y=np.concatenate([best, asked[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=rgba(palette.warn, 0.3),
        line={"width": 0},
        name=f"min delta {rule.min_delta:g} below the best",
        hoverinfo="skip",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=epochs[len(seen) - 1 :],
        y=losses[len(seen) - 1 :],
        mode="lines",
        name="if training had continued",
        line=stroke(palette.lane(0), "dot", 1.6),
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=seen,
        y=losses[: len(seen)],
        mode="lines",
        name="validation loss",
        line=stroke(palette.lane(1)),
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=seen,
        y=asked,
        mode="lines",
        name="improvement threshold",
        hoverinfo="skip",
        line={**stroke(palette.warn, "solid", 1.4), "shape": "hv"},
        row=1,
        col=1,
    )
    for name, symbol, size, epoch, color in (
        ("best weights", "star", 17, last.best_epoch, palette.good),
        ("stop", "square", 11, last.stopped_epoch, palette.bad),
    ):
        if epoch:
            figure.add_scatter(
                x=[epoch],
                y=[losses[epoch - 1]],
                mode="markers",
                name=f"{name}: epoch {epoch}",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": color,
                    "line": {"color": palette.outline, "width": 1},
                },
                hovertemplate=f"{name}: epoch %{{x}}, %{{y:.3f}}<extra></extra>",
                row=1,
                col=1,
            )
    waits = [state.wait for state in states]
    figure.add_bar(
        x=seen,
        y=waits,
        name="epochs without an improvement",
        showlegend=False,
        row=2,
        col=1,
        marker={"color": [palette.bad if w >= rule.patience else palette.lane(1) for w in waits]},
        hovertemplate="epoch %{x}: %{y} without an improvement<extra></extra>",
    )
    figure.add_hline(
        y=rule.patience, line={"color": palette.bad, "dash": "dot", "width": 1.5}, row=2, col=1
    )
    figure.update_xaxes(range=[0.5, len(losses) + 0.5])
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    # the epochs up to the stop fill the picture; the rest of the run may leave it
    low = np.nanmin([*losses, *asked])
    high = np.nanmax(losses[len(seen) // 6 : len(seen)])  # the first steep epochs hide the rest
    room = 0.08 * (high - low) + 1e-3
    figure.update_yaxes(title_text="loss", range=[low - room, high + room], row=1, col=1)
    top = max(rule.patience, *waits) * 1.15 + 0.5
    figure.update_yaxes(title_text="counter", range=[0, top], nticks=4, row=2, col=1)
    figure = styled(figure, f"Early stopping with patience {rule.patience}", palette, 400)
    return figure.update_layout(bargap=0, margin={"t": 98})


def marked_run(
    lane: LaneFrame,
    mark: int | None,
    answer: Beginning | None = None,
    others: Sequence[int] = (),
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw the losses of a run and the user's mark.

    With ``answer`` also the solution: a star at the lowest validation loss, the stretch within the
    tolerance, and the best epochs of ``others``, the same run from other initial weights.
    """
    figure = go.Figure()
    for name, curve, dash in (
        ("training", "train_loss", TRAIN_DASH),
        ("validation", "val_loss", VALIDATION_DASH),
    ):
        values = lane.curve(curve)
        figure.add_scatter(
            x=np.arange(1, len(values) + 1), y=values, mode="lines", name=name,
            line=stroke(palette.lane(1), dash), hovertemplate="epoch %{x}: %{y:.3f}",
        )  # fmt: skip
    if answer is not None:
        figure.add_vrect(
            x0=answer.first - 0.5, x1=answer.last + 0.5, line_width=0,
            fillcolor=rgba(palette.good, 0.15), layer="below",
        )  # fmt: skip
        figure.add_scatter(
            x=[answer.epoch], y=[answer.loss], mode="markers", name=f"lowest: epoch {answer.epoch}",
            marker={
                "symbol": "star", "size": 17, "color": palette.good,
                "line": {"color": palette.outline, "width": 1},
            },
        )  # fmt: skip
        figure.add_scatter(
            x=list(others), y=[0.0] * len(others), mode="markers", cliponaxis=False,
            name="lowest with other initial weights",
            marker={"symbol": "triangle-up", "size": 11, "color": palette.lane(2)},
        )  # fmt: skip
    if mark is not None:
        figure.add_vline(x=mark, line={"color": palette.bad, "width": 2})
        figure.add_annotation(
            x=mark, y=1, yref="y domain", text="your mark", showarrow=False, xanchor="left",
            yanchor="top", xshift=4, font={"color": palette.bad},
        )  # fmt: skip
    figure.update_xaxes(title_text="epoch", range=[0, lane.epoch + 1])
    figure.update_yaxes(title_text="loss", rangemode="tozero")
    figure = styled(figure, "Where does over-fitting begin?", palette, 340)
    return figure.update_annotations(font={"color": palette.bad})


def patience_curve(
    patience: Sequence[int],
    kept: Sequence[float],
    spent: Sequence[int],
    chosen: int,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw for each patience the validation loss of the kept weights and the epochs trained."""
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.05
    )
    for row, (name, values, color) in enumerate(
        (("validation loss", kept, palette.good), ("epochs trained", spent, palette.bad)), start=1
    ):
        figure.add_scatter(
            x=patience,
            y=values,
            mode="lines",
            showlegend=False,
            row=row,
            col=1,
            line={**stroke(color), "shape": "hvh"},
            hovertemplate=f"patience %{{x}}: {name} %{{y:.4g}}<extra></extra>",
        )
        at = list(patience).index(chosen)
        figure.add_scatter(
            x=[chosen],
            y=[values[at]],
            mode="markers",
            showlegend=False,
            hoverinfo="skip",
            marker={"color": color, "size": 11, "line": {"color": palette.outline, "width": 1}},
            row=row,
            col=1,
        )
    figure.update_xaxes(title_text="patience", row=2, col=1)
    figure.update_yaxes(title_text="validation loss", minallowed=0, row=1, col=1)
    figure.update_yaxes(title_text="epochs trained", rangemode="tozero", row=2, col=1)
    figure = styled(figure, "Other values of patience, same run", palette, 400)
    return figure.update_layout(margin={"t": 50})
