"""Plotly figures of the theory checks: what a lab has measured, beside its closed form.

Frames of a lab in, ``go.Figure`` out. A check draws several frames while it runs. Nothing here
imports Streamlit or torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from regviz.figures.palette import LIGHT, Palette, rgba, scale
from regviz.figures.style import CLOSED, panel_row, stroke, styled, thinned
from regviz.frames.lab import LabFrame


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
