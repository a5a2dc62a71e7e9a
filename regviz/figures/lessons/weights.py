"""Inputs and weights of the layers, over the epochs and over the strength of L1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures.palette import LIGHT, Palette, rgba
from regviz.figures.style import panel_row, stroke, styled
from regviz.frames import Frame


def input_statistics(
    frames: Sequence[Frame], labels: Sequence[str], palette: Palette = LIGHT
) -> go.Figure:
    """Draw the inputs of each layer over the epochs: their mean, and a band of ± one std."""
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

    A ridge shows the share of weights in each of 64 bins. Weights that are exactly 0 are in none
    of the bins but in a bar at 0, with their share beside it; a bar that reaches the foot of the
    next ridge means all weights.
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
    """Draw ‖w‖ of each input's outgoing weights over the epochs, one panel for each model.

    The first ``relevant`` inputs carry information about the class. A cross on the axis marks an
    input that is switched off: all its weights are exactly 0.
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
