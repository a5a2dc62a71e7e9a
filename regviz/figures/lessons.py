"""Plotly figures of the lessons: finished frames and theory checks in, ``go.Figure`` out.

They are drawn once a run has ended, or a few times while a check is under way; what moves with
every frame is in :mod:`regviz.figures.live`. Nothing here knows Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import LIGHT, Palette, rgba, scale
from regviz.figures.style import CLOSED, panel_row, stroke, styled, thinned
from regviz.frames import Frame, LaneFrame
from regviz.frames.lab import LabFrame
from regviz.results.metrics import Beginning
from regviz.results.stopping import StopState
from regviz.specs import EarlyStoppingSpec

# --- of finished runs --------------------------------------------------------------------------


def reliability(
    lanes: Sequence[LaneFrame], labels: Sequence[str], palette: Palette = LIGHT
) -> go.Figure:
    """Draw the reliability diagram (accuracy against confidence) and the confidence histogram."""
    figure = panel_row(
        ("reliability diagram", "confidence histogram"),
        column_widths=[0.5, 0.5],
        horizontal_spacing=0.15,
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="perfectly calibrated",
        line=stroke(palette.muted, "dot", 1.5), row=1, col=1,
    )  # fmt: skip
    for i, (lane, label) in enumerate(zip(lanes, labels, strict=True)):
        count, confidence, right = (np.asarray(row, np.float64) for row in lane.reliability)
        n_bins, some = len(count), count > 0
        color = palette.lane(i)
        share = count / max(count.sum(), 1)
        figure.add_scatter(
            x=confidence[some] / count[some],
            y=right[some] / count[some],
            mode="lines+markers",
            name=label,
            legendgroup=label,
            line=stroke(color),
            marker={"size": 6 + 22 * np.sqrt(share[some]), "color": rgba(color, 0.55)},
            customdata=count[some],
            hovertemplate="confidence %{x:.2f}, accuracy %{y:.2f}, %{customdata:.0f} points"
            "<extra>%{fullData.name}</extra>",
            row=1,
            col=1,
        )
        figure.add_bar(
            x=(np.arange(n_bins) + 0.5) / n_bins,
            y=share,
            name=label,
            legendgroup=label,
            showlegend=False,
            marker={"color": rgba(color, 0.75), "line": {"color": color, "width": 1}},
            hovertemplate="confidence about %{x:.2f}: %{y:.0%} of points"
            "<extra>%{fullData.name}</extra>",
            row=1,
            col=2,
        )
    figure.update_xaxes(title_text="confidence", range=[0.45, 1.02], dtick=0.1)
    figure.update_yaxes(title_text="accuracy", range=[-0.03, 1.05], row=1, col=1)
    figure.update_yaxes(title_text="share of points", tickformat=".0%", row=1, col=2)
    return styled(figure, "Calibration on validation points", palette, 340)


def smoothed_targets(hard: NDArray[Any], soft: NDArray[Any], palette: Palette = LIGHT) -> go.Figure:
    """Draw one sample's target before and after smoothing, a bar for each class."""
    classes = [f"class {k}" for k in range(len(hard))]
    figure = go.Figure()
    for i, (name, values) in enumerate((("hard target", hard), ("soft target", soft))):
        figure.add_bar(
            x=classes, y=values, name=name, text=[f"{v:.3g}" for v in values],
            textposition="outside", cliponaxis=False, marker={"color": palette.lane(i)},
            hovertemplate=f"{name}, %{{x}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(range=[0, 1.12], title_text="target")
    return styled(figure, "Hard and soft targets", palette, 340)


def input_statistics(
    frames: Sequence[Frame], labels: Sequence[str], palette: Palette = LIGHT
) -> go.Figure:
    """Draw what each layer gets as input over the epochs: its mean, and a band of ± one std."""
    layers = min(len(lane.layers) for lane in frames[-1].lanes)
    figure = panel_row([f"layer {k + 1}" for k in range(layers)], horizontal_spacing=0.16 / layers)
    epochs = np.array([frame.epoch for frame in frames])
    around = np.concatenate([epochs, epochs[::-1]])
    for i, label in enumerate(labels):
        color = palette.lane(i)
        mean = np.array([frame.lanes[i].input_mean[:layers] for frame in frames])
        std = np.array([frame.lanes[i].input_std[:layers] for frame in frames])
        for k in range(layers):
            band = np.concatenate([mean[:, k] + std[:, k], (mean[:, k] - std[:, k])[::-1]])
            shared: dict[str, Any] = {"legendgroup": label, "row": 1, "col": k + 1}
            figure.add_scatter(
                x=around, y=band, mode="lines", fill="toself", fillcolor=rgba(color, 0.16),
                line={"width": 0}, hoverinfo="skip", showlegend=False, **shared,
            )  # fmt: skip
            figure.add_scatter(
                x=epochs, y=mean[:, k], mode="lines", name=label, showlegend=k == 0,
                line=stroke(color), **shared,
            )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    return styled(figure, "Inputs of each layer: mean ± standard deviation", palette)


def merged_bins(
    histogram: NDArray[Any], limit: float, to: float, bins: int = 64
) -> NDArray[np.float64]:
    """Return counts over ``[-limit, limit]`` as counts in ``bins`` over ``[-to, to]``.

    Both limits are powers of two and ``to`` is at least ``limit``: bins merge exactly.
    """
    centres = ((np.arange(len(histogram)) + 0.5) / len(histogram) * 2 - 1) * limit
    place = np.clip(((centres / to + 1) / 2 * bins).astype(np.int64), 0, bins - 1)
    return np.bincount(place, histogram, bins).astype(np.float64)


def weight_ridges(
    frames: Sequence[Frame], labels: Sequence[str], layer: int, palette: Palette = LIGHT
) -> go.Figure:
    """Draw one layer's weights over the epochs as a ridge plot, one panel for each model.

    Each ridge is the share of weights in 64 bins; weights that are exactly 0 are in none of them
    but in a bar of their own at 0, as high as their share (the next ridge's foot is all of them),
    with the share beside it.
    """
    rows = [frames[i] for i in sorted({round(k * (len(frames) - 1) / 11) for k in range(12)})]
    lanes = range(len(labels))
    figure = panel_row(list(labels), shared_yaxes=True, horizontal_spacing=0.03)
    to = float(max(frame.lanes[i].limits[layer] for frame in rows for i in lanes))
    x = (np.arange(64) + 0.5) / 64 * 2 * to - to
    for i in lanes:
        color = palette.lane(i)
        shapes, zeros = [], []
        for frame in rows:
            lane = frame.lanes[i]
            size = float(np.prod(lane.shapes[layer]))
            limit = float(lane.limits[layer])
            shapes.append(merged_bins(lane.histogram[layer], limit, to) / size)
            zeros.append(float(lane.zeros[layer]) / size)
        tallest = max(float(shape.max()) for shape in shapes) or 1.0
        for y in reversed(range(len(rows))):
            ridge = y + 1.7 * shapes[y] / tallest
            figure.add_scatter(
                x=np.concatenate([[-to], x, [to]]), y=np.concatenate([[y], ridge, [y]]),
                mode="lines", fill="toself", fillcolor=rgba(color, 0.35), showlegend=False,
                line=stroke(color, width=1.2), hoverinfo="skip", row=1, col=i + 1,
            )  # fmt: skip
            figure.add_scatter(
                x=[0, 0], y=[y, y + zeros[y]], mode="lines", line=stroke(palette.text, width=5),
                name="exactly 0", legendgroup="zero", showlegend=i == y == 0, row=1, col=i + 1,
                hovertemplate=f"epoch {rows[y].epoch}: {zeros[y]:.0%} exactly 0<extra></extra>",
            )  # fmt: skip
        some = [k for k, share in enumerate(zeros) if share > 0]
        figure.add_scatter(
            x=[0.98 * to] * len(some), y=[k + 0.3 for k in some], mode="text",
            text=[f"{zeros[k]:.0%}" for k in some], textposition="middle left",
            textfont={"size": 11, "color": palette.text}, showlegend=False, hoverinfo="skip",
            row=1, col=i + 1,
        )  # fmt: skip
    figure.update_xaxes(title_text="weight", range=[-to, to], nticks=5)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[str(frame.epoch) for frame in rows],
        range=[-0.2, len(rows) + 1],
    )  # fmt: skip
    figure.update_yaxes(title_text="epoch", row=1, col=1)
    name = frames[-1].lanes[0].layers[layer]
    return styled(figure, f"Weights of layer “{name}” over the epochs", palette, 380)


def input_groups(
    frames: Sequence[Frame], labels: Sequence[str], relevant: int, palette: Palette = LIGHT
) -> go.Figure:
    """Draw how much leaves each input over the epochs, ‖w‖ of its weights, one panel a model.

    The first ``relevant`` inputs are those that matter; a cross on the axis is an input that is
    switched off: all its weights are exactly 0.
    """
    epochs = [frame.epoch for frame in frames]
    norms = np.array([[lane.input_norms for lane in frame.lanes] for frame in frames])
    titles = [
        f"{label}:<br>{(norms[-1, i, relevant:] == 0).sum()} of {norms.shape[2] - relevant} off"
        for i, label in enumerate(labels)
    ]
    figure = panel_row(titles, shared_yaxes=True, horizontal_spacing=0.03)
    explained = False  # a trace without points has no entry in the legend
    for i in range(len(labels)):
        for j in reversed(range(norms.shape[2])):
            matters = j < relevant
            name = "relevant input" if matters else "irrelevant input"
            figure.add_scatter(
                x=epochs, y=norms[:, i, j], mode="lines", name=name, legendgroup=name,
                showlegend=i == 0 and j in (0, relevant), row=1, col=i + 1,
                line=stroke(palette.lane(i) if matters else rgba(palette.muted, 0.6),
                           width=2.6 if matters else 1.1),
                hovertemplate=f"x{j}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
            )  # fmt: skip
        time, which = np.nonzero(norms[:, i] == 0)
        for matters in (True, False):
            some = (which < relevant) == matters
            figure.add_scatter(
                x=np.array(epochs)[time[some]], y=np.zeros(some.sum()), mode="markers",
                name="switched off (exactly 0)", legendgroup="off",
                showlegend=bool(some.any()) and not explained,
                marker={"symbol": "x-thin-open", "size": 7,
                        "color": palette.bad if matters else palette.text},
                customdata=which[some], cliponaxis=False, row=1, col=i + 1,
                hovertemplate="x%{customdata} switched off in epoch %{x}<extra></extra>",
            )  # fmt: skip
            explained = explained or bool(some.any())
    figure.update_xaxes(title_text="epoch", range=[min(epochs), max(epochs)])
    figure.update_yaxes(title_text="outgoing weight norm", row=1, col=1)
    figure = styled(figure, "Outgoing weight norm of each input", palette, 350)
    return figure.update_layout(margin={"t": 96})  # titles of two lines


def input_path(
    lambdas: Sequence[float], norms: NDArray[Any], relevant: int, palette: Palette = LIGHT
) -> go.Figure:
    """Draw the norm of each input's weights (lanes, inputs) against λ, and how many are off."""
    figure = panel_row(("outgoing weight norm of each input", "inputs switched off"))
    x = list(lambdas)
    for j in reversed(range(norms.shape[1])):
        matters = j < relevant
        name = "relevant input" if matters else "irrelevant input"
        figure.add_scatter(
            x=x, y=norms[:, j], mode="lines+markers", name=name, legendgroup=name,
            showlegend=j in (0, relevant), row=1, col=1,
            line=stroke(palette.lane(1) if matters else rgba(palette.muted, 0.6),
                       width=2.6 if matters else 1.1),
            marker={"size": np.where(norms[:, j] == 0, 7, 3),
                    "symbol": ["x-thin-open" if n == 0 else "circle" for n in norms[:, j]]},
            hovertemplate=f"x{j} at λ = %{{x:.3g}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    for name, part, color in (
        ("relevant input", norms[:, :relevant], palette.lane(1)),
        ("irrelevant input", norms[:, relevant:], palette.muted),
    ):
        figure.add_scatter(
            x=x, y=(part == 0).sum(axis=1), mode="lines+markers", name=name, legendgroup=name,
            showlegend=False, line=stroke(color), row=1, col=2,
            hovertemplate=f"%{{y}} of {part.shape[1]} switched off at λ = %{{x:.3g}}"
            "<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="L1 λ", type="log", exponentformat="power")
    figure.update_yaxes(rangemode="tozero")
    return styled(figure, "Inputs are switched off as λ grows", palette, 340)


def validation_curve(
    name: str,
    values: Sequence[float],
    train_loss: Sequence[float],
    val_loss: Sequence[float],
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw losses against a hyperparameter whose values are shown evenly spaced."""
    figure = go.Figure()
    shown = [f"{value:g}" for value in values]
    figure.add_scatter(
        x=shown, y=train_loss, mode="lines+markers", name="training",
        line=stroke(palette.lane(1), "5px,4px"),
    )  # fmt: skip
    figure.add_scatter(
        x=shown, y=val_loss, mode="lines+markers", name="validation", line=stroke(palette.lane(1))
    )
    best = int(np.nanargmin(val_loss))
    figure.add_scatter(
        x=[shown[best]], y=[val_loss[best]], mode="markers", name="lowest",
        marker={"symbol": "star", "size": 15, "color": palette.good},
    )  # fmt: skip
    figure.update_xaxes(title_text=name, type="category")
    figure.update_yaxes(title_text="loss", rangemode="tozero")
    return styled(figure, f"Validation curve over {name}", palette)


STRESS_TOP = 1.0
"""Training losses from here on (guessing costs 0.69) are drawn at the top edge."""


def stress(
    name: str,
    values: Sequence[str],
    labels: Sequence[str],
    lanes: Sequence[LaneFrame],
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw how each kind of model ends under ever worse conditions: training loss, and validation
    accuracy; a cross at the top is a run that diverged.

    ``lanes`` holds the values of the first label, then those of the second, and so on.
    """
    figure = panel_row(("final training loss", "validation accuracy"), horizontal_spacing=0.09)
    for i, label in enumerate(labels):
        group = lanes[i * len(values) : (i + 1) * len(values)]
        lost = np.array([lane.status == "diverged" for lane in group])
        loss = np.array([float(lane.curve("train_loss")[-1]) for lane in group])
        drawn = np.where(lost | ~(loss < STRESS_TOP), STRESS_TOP, loss)
        right = [float(lane.curve("val_accuracy")[-1]) for lane in group]
        color = palette.lane(i)
        for col, y in ((1, drawn), (2, np.where(lost, np.nan, right))):
            figure.add_scatter(
                x=list(values), y=y, mode="lines+markers", name=label, legendgroup=label,
                showlegend=col == 1, line=stroke(color), row=1, col=col,
                marker={
                    "symbol": np.where(lost, "x", "circle").tolist() if col == 1 else "circle",
                    "size": np.where(lost, 13, 7) if col == 1 else 7, "color": color,
                },
                customdata=loss, hovertemplate=f"{label}, {name} %{{x}}: "
                + ("%{customdata:.3g}" if col == 1 else "%{y:.0%}") + "<extra></extra>",
            )  # fmt: skip
    figure.add_hline(y=np.log(2), line={"color": palette.muted, "dash": "dot"}, row=1, col=1)
    figure.add_annotation(
        x=0, xref="x domain", y=np.log(2), text="guessing", showarrow=False, xanchor="left",
        yanchor="bottom", row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text=name, type="category")
    figure.update_yaxes(range=[0, STRESS_TOP * 1.06], row=1, col=1)
    figure.update_yaxes(range=[0.4, 1.02], tickformat=".0%", row=1, col=2)
    return styled(figure, f"Stress test: {name}", palette, 350)


def seed_bands(
    lanes: Sequence[LaneFrame], labels: Sequence[str], palette: Palette = LIGHT
) -> go.Figure:
    """Draw the validation loss of each label over several seeds: mean, and lowest to highest.

    ``lanes`` holds the seeds of the first label, then those of the second, and so on.
    """
    figure = go.Figure()
    seeds = len(lanes) // len(labels)
    for i, label in enumerate(labels):
        group = [lane.curve("val_loss") for lane in lanes[i * seeds : (i + 1) * seeds]]
        length = min(len(curve) for curve in group)  # until the first of them stopped
        curves = np.array([curve[:length] for curve in group])
        epochs = np.arange(1, length + 1)
        color = palette.lane(i)
        figure.add_scatter(
            x=np.concatenate([epochs, epochs[::-1]]),
            y=np.concatenate([curves.max(axis=0), curves.min(axis=0)[::-1]]),
            mode="lines", fill="toself", fillcolor=rgba(color, 0.14), line={"width": 0},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=epochs, y=curves.mean(axis=0), mode="lines", name=label, line=stroke(color)
        )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="validation loss")
    return styled(figure, f"Validation loss over {seeds} seeds: mean, lowest to highest", palette)


def stopping_theatre(
    val_loss: NDArray[Any],
    states: Sequence[StopState],
    rule: EarlyStoppingSpec,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw how a rule watches a validation loss: what it keeps, what it asks for, its counter.

    ``val_loss`` holds the epochs of a run that trained on; ``states`` those up to the stop.
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
    # what was watched fills the picture; where the rest of the run leaves it, it leaves it
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
    """Draw the losses of a run, a visitor's mark, and only with ``answer`` where the validation
    loss is lowest: a star, the stretch within tolerance, and the minima of ``others``, the same
    run from other initial weights."""
    figure = go.Figure()
    for name, curve, dash in (
        ("training", "train_loss", "5px,4px"),
        ("validation", "val_loss", "solid"),
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
    """Draw, for each patience, the validation loss that it keeps and the epochs that it costs."""
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


# --- of theory checks --------------------------------------------------------------------------


def ridge_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw averaged weights beside their closed form, and how the gap between them closes."""
    figure = panel_row(("weights", "gap to the closed form / largest weight"))
    a = frame.arrays
    names = [f"w{j}" for j in range(len(a["closed_form"]))]
    for name, color, values, symbol in (
        ("no penalty: least squares", palette.lane(0), a["least_squares"], "x-thin-open"),
        (f"{CLOSED} (ridge)", palette.lane(1), a["closed_form"], "line-ew-open"),
        ("measured, averaged", palette.lane(2), a["averaged"][-1], "circle"),
    ):
        figure.add_scatter(
            x=names, y=values, mode="markers", name=name, row=1, col=1,
            marker={
                "symbol": symbol, "color": color, "size": 8 if symbol == "circle" else 20,
                "line": {"width": 2.5 if symbol != "circle" else 0, "color": color},
            },
        )  # fmt: skip
    some = thinned(len(a["step"]))
    figure.add_scatter(
        x=a["step"][some], y=a["gap"][some], mode="lines", name="gap", showlegend=False,
        line=stroke(palette.lane(2)), row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="step", row=1, col=2)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, row=1, col=2)
    return styled(figure, "Averaged weights and ridge regression", palette)


def noise_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw what noise adds to the loss of two networks, beside Tikhonov's penalty on the slope."""
    a, labels = frame.arrays, ("trained without noise", "trained with noise")
    if "measured" not in a:
        figure = go.Figure()
        for i, label in enumerate(labels):
            values = a["history"][i, 2]
            figure.add_scatter(
                x=np.arange(1, len(values) + 1), y=values, mode="lines", name=label,
                line=stroke(palette.lane(i)),
            )  # fmt: skip
        figure.update_xaxes(title_text="epoch")
        figure.update_yaxes(title_text="validation loss", rangemode="tozero")
        return styled(figure, "Training with and without noise", palette)
    figure = panel_row(labels, shared_yaxes=True, horizontal_spacing=0.05)
    for i in range(len(labels)):
        for name, of, dash, color in (
            ("Tikhonov: ½σ²·mean p(1-p)‖∇z‖²", "tikhonov", "solid", palette.lane(1)),
            ("all second-order terms", "second_order", "dash", palette.lane(3)),
        ):
            figure.add_scatter(
                x=a["sigma"], y=np.where(a[of][i] > 0, a[of][i], np.nan), mode="lines", name=name,
                legendgroup=of, showlegend=i == 0, line=stroke(color, dash), row=1, col=i + 1,
            )  # fmt: skip
        figure.add_scatter(
            x=a["sigma"], y=np.where(a["measured"][i] > 0, a["measured"][i], np.nan),
            mode="markers", name="measured", legendgroup="measured", showlegend=i == 0,
            marker={"color": palette.lane(2), "size": 6}, row=1, col=i + 1,
        )  # fmt: skip
        if frame.number("sigma"):
            figure.add_vline(
                x=frame.number("sigma"), line={"color": palette.muted, "dash": "dot"},
                row=1, col=i + 1,
            )  # fmt: skip
    figure.update_xaxes(title_text="σ of the noise", type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title_text="increase of the loss", row=1, col=1)
    return styled(figure, "Increase of the loss by input noise", palette)


def stopping_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw how much of the solution each direction has: by stopping now, and by ridge."""
    figure = panel_row(("fraction of the least-squares solution", "largest gap to ridge"))
    a = frame.arrays
    figure.add_scatter(
        x=a["eigenvalue"], y=a["measured"], mode="markers",
        name=f"stopped after {a['step'][-1]:.0f} steps",
        marker={"color": palette.lane(2), "size": 7}, row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=a["eigenvalue"], y=a["closed_form"], mode="lines", name="1 - (1 - ελ)^τ",
        line=stroke(palette.lane(1)), row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=a["eigenvalue"], y=a["ridge"], mode="lines", name="ridge λ/(λ + α)",
        line=stroke(palette.lane(0), "dash"), row=1, col=1,
    )  # fmt: skip
    some = thinned(len(a["step"]))
    figure.add_scatter(
        x=a["step"][some], y=a["gap"][some], mode="lines", showlegend=False,
        line=stroke(palette.lane(2)), row=1, col=2,
    )  # fmt: skip
    figure.add_hline(
        y=frame.number("bound"), line={"color": palette.muted, "dash": "dot"}, row=1, col=2
    )
    figure.update_xaxes(
        title_text="eigenvalue λ", type="log", exponentformat="power", dtick=1, row=1, col=1
    )
    figure.update_xaxes(
        title_text="step τ", type="log", exponentformat="power", dtick=1, row=1, col=2
    )
    figure.update_yaxes(range=[-0.03, 1.05], row=1, col=1)
    figure.update_yaxes(range=[0, 0.25], row=1, col=2)
    return styled(figure, "Early stopping and ridge regression", palette)


def l1_path(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the regularization path on orthonormal inputs: measured dots on the closed form."""
    figure = panel_row(("orthonormal inputs", "correlated inputs: L1 (solid), L2 (dotted)"))
    a = frame.arrays
    for j in range(a["measured"].shape[1]):
        color = palette.lane(j)
        shared: dict[str, Any] = {"hoverinfo": "skip", "row": 1}
        figure.add_scatter(
            x=a["lambda"], y=a["closed_form"][:, j], mode="lines", name=CLOSED,
            legendgroup="closed", showlegend=j == 0, line=stroke(color, width=1.6), col=1, **shared,
        )  # fmt: skip
        figure.add_scatter(
            x=a["lambda"], y=a["measured"][:, j], mode="markers", name="measured",
            legendgroup="measured", showlegend=j == 0, marker={"color": color, "size": 5.5},
            col=1, **shared,
        )  # fmt: skip
        for kind, dash in (("lasso", "solid"), ("ridge", "dot")):
            figure.add_scatter(
                x=a["lambda_correlated"], y=a[kind][:, j], mode="lines", showlegend=False,
                line=stroke(color, dash, 1.8), col=2, **shared,
            )  # fmt: skip
    figure.add_vline(
        x=frame.number("lambda_max"), line={"color": palette.muted, "dash": "dash"}, row=1, col=1
    )
    figure.add_annotation(
        text="λ_max", x=frame.number("lambda_max"), y=1, yref="y domain", showarrow=False,
        xanchor="right", row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text="λ")
    figure.update_yaxes(title_text="weight", row=1, col=1)
    return styled(figure, "Regularization path", palette)


def l1_geometry(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the loss of two weights, with the diamond of L1 and the disc of L2 it meets."""
    a = frame.arrays
    figure = go.Figure()
    figure.add_contour(
        x=a["axis"], y=a["axis"], z=a["loss"], ncontours=18, showscale=False,
        contours={"coloring": "lines"}, line={"width": 1.2}, hoverinfo="skip",
        colorscale=scale((rgba(palette.muted, 0.9), rgba(palette.muted, 0.35))),
    )  # fmt: skip
    corner, turn = frame.number("radius_l1"), np.linspace(0, 2 * np.pi, 90)
    disc = frame.number("radius_l2")
    shapes = (
        ("L1 diamond", np.array([1, 0, -1, 0, 1]) * corner, np.array([0, 1, 0, -1, 0]) * corner, 0),
        ("L2 disc", np.cos(turn) * disc, np.sin(turn) * disc, 1),
    )
    for name, x, y, i in shapes:
        color = palette.lane(i)
        figure.add_scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=rgba(color, 0.12), name=name,
            line=stroke(color), hoverinfo="skip",
        )  # fmt: skip
    for name, at, color, symbol in (
        ("minimum of the loss", "minimum", palette.text, "cross"),
        ("with L1", "point_l1", palette.lane(0), "diamond"),
        ("with L2", "point_l2", palette.lane(1), "circle"),
    ):
        figure.add_scatter(
            x=[a[at][0]], y=[a[at][1]], mode="markers", name=name,
            marker={"symbol": symbol, "size": 11, "color": color},
            hovertemplate="w₀ %{x:.3f}, w₁ %{y:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    reach = 1.05 * max(corner, disc)
    low, high = min(float(a["axis"][0]), -reach), max(float(a["axis"][-1]), reach)
    figure.update_xaxes(title_text="w₀", range=[low, high], constrain="domain")
    figure.update_yaxes(title_text="w₁", range=[low, high], scaleanchor="x")
    return styled(figure, "Where the contours touch", palette, 420)


def decay_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw how far apart L2 and decay end up, under SGD and under Adam, and all four norms."""
    figure = panel_row(("largest difference of the pair", "‖w‖"))
    a = frame.arrays
    some = thinned(len(a["step"]))
    for i, (name, of) in enumerate(
        (("SGD: L2 and decay", "gap_sgd"), ("Adam with L2 and AdamW", "gap_adam"))
    ):
        figure.add_scatter(
            x=a["step"][some], y=a[of][some], mode="lines", name=name,
            line=stroke(palette.lane(i)), row=1, col=1,
        )  # fmt: skip
    for i, (name, dash) in enumerate(
        (("SGD + L2", "solid"), ("SGD decay", "dash"), ("Adam + L2", "solid"), ("AdamW", "dash"))
    ):
        figure.add_scatter(
            x=a["step"][some], y=a["norms"][some, i], mode="lines", name=name,
            line=stroke(palette.lane(2 + i // 2), dash), row=1, col=2,
        )  # fmt: skip
    figure.update_xaxes(title_text="step")
    return styled(figure, "L2 penalty and weight decay", palette)


def alpha_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw mean and variance of the activations, layer after layer, for three kinds of dropout."""
    figure = panel_row(("mean", "variance"))
    a = frame.arrays
    for i, kind in enumerate(("no dropout", "standard dropout", "alpha dropout")):
        for col, of in ((1, "mean"), (2, "variance")):
            figure.add_scatter(
                x=a["layer"], y=a[of][i], mode="lines+markers", name=kind, legendgroup=kind,
                showlegend=col == 1, line=stroke(palette.lane(i)), row=1, col=col,
            )  # fmt: skip
    for col, target in ((1, 0), (2, 1)):
        figure.add_hline(y=target, line={"color": palette.muted, "dash": "dot"}, row=1, col=col)
    figure.update_xaxes(title_text="layer")
    return styled(figure, "Activations of SELU layers", palette)


def smoothing_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the logit gap as it grows towards its closed form, and the probabilities at the end."""
    figure = panel_row(("logit gap", "softmax and soft target"))
    a = frame.arrays
    some = thinned(len(a["step"]))
    figure.add_scatter(
        x=a["step"][some], y=a["logit_gap"][some].mean(axis=1), mode="lines", name="measured",
        line=stroke(palette.lane(2)), row=1, col=1,
    )  # fmt: skip
    closed = frame.number("closed_form")
    if np.isfinite(closed):
        figure.add_scatter(
            x=[0, a["step"][-1]], y=[closed, closed], mode="lines", name=CLOSED,
            line=stroke(palette.lane(1), "dash"), row=1, col=1,
        )  # fmt: skip
    classes = [f"{k}" for k in range(len(a["target"]))]
    figure.add_bar(
        x=classes, y=a["softmax"], name="softmax", marker={"color": palette.lane(2)}, row=1, col=2
    )
    figure.add_scatter(
        x=classes, y=a["target"], mode="markers", name="soft target", row=1, col=2,
        marker={
            "symbol": "line-ew-open", "size": 20, "color": palette.lane(1),
            "line": {"width": 2.5, "color": palette.lane(1)},
        },
    )  # fmt: skip
    figure.update_xaxes(title_text="step", row=1, col=1)
    figure.update_xaxes(title_text="class (0 is the true class)", row=1, col=2)
    return styled(figure, "Minimum of the smoothed loss", palette)


def scale_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw what a factor k on all weights does: to the output, and to the gradient."""
    figure = panel_row(("change of the output", "norm of the gradient"))
    a = frame.arrays
    for name, of, i in (("plain", "output_change_plain", 0), ("batch norm", "output_change", 1)):
        figure.add_scatter(
            x=a["k"], y=np.maximum(a[of], 1e-16), mode="lines+markers", name=name,
            line=stroke(palette.lane(i)), row=1, col=1,
        )  # fmt: skip
    figure.add_scatter(
        x=a["k"], y=a["closed_form"], mode="lines", name=f"{CLOSED}: 1/k",
        line=stroke(palette.lane(3), "dash"), row=1, col=2,
    )  # fmt: skip
    figure.add_scatter(
        x=a["k"], y=a["gradient"], mode="markers", name="measured",
        marker={"color": palette.lane(2), "size": 8}, row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="all weights × k", type="log")
    figure.update_yaxes(type="log", exponentformat="power", dtick=2)
    return styled(figure, "Scale invariance", palette)
