"""Plotly figures of the labs' own pages: frames of a lab in, ``go.Figure`` out.

They have the look of :mod:`regviz.figures.style`. Nothing here imports Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import LIGHT, Palette, rgba, scale
from regviz.figures.style import panel_row, stroke, styled, thinned
from regviz.frames.lab import LabFrame

WRONG, RIGHT = "WRONG", "right"


# --- the wall: wrong and right in one figure ---------------------------------------------------


def misconception(name: str, frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the frame of a lab of the wall: wrong red and dashed, right green and solid."""
    return WALL[name](frame, palette)


def _add(
    figure: go.Figure, x: Any, y: NDArray[Any], name: str, line: dict[str, Any], **more: Any
) -> None:
    """Add one curve, thinned."""
    some = thinned(len(y))
    figure.add_scatter(
        x=np.asarray(x)[some], y=np.asarray(y)[some], mode="lines", name=name, line=line, **more
    )


def _bundle(
    figure: go.Figure, x: Any, curves: NDArray[Any], name: str, line: dict[str, Any], **more: Any
) -> None:
    """Add several curves, one a column, under one name in the legend."""
    for j in range(curves.shape[1]):
        _add(
            figure, x, curves[:, j], name, line,
            legendgroup=name, showlegend=j == 0, **more,
        )  # fmt: skip


def _wrong(palette: Palette, width: float = 2.2) -> dict[str, Any]:
    return stroke(palette.bad, "6px,4px", width)


def _right(palette: Palette, width: float = 2.2) -> dict[str, Any]:
    return stroke(palette.good, width=width)


def _at_test(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    if "wrong_output" in a:
        x = np.arange(1, len(a["wrong_output"]) + 1)
        _add(figure, x, a["wrong_output"], f"{WRONG}: dropout at test time", _wrong(palette))
        _add(figure, x, a["right_output"], f"{RIGHT}: all units at test time", _right(palette))
    figure.update_xaxes(title_text="prediction number")
    figure.update_yaxes(title_text="P(class 1) of one point", range=[-0.03, 1.03])
    return styled(figure, "Repeated predictions for the same point", palette, 400)


def _scaling(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    for name, label, line in (
        ("wrong", f"{WRONG}: times p", _wrong(palette)),
        ("twice", f"{WRONG}: scaled in training and at test", stroke(palette.bad, "2px,3px")),
        ("right", f"{RIGHT}: over 1-p, in training only", _right(palette)),
    ):
        path = frame.arrays[name]
        ratio = path / frame.number(f"test_{name}")
        _add(figure, np.arange(1, len(path) + 1), ratio, label, line)
    figure.update_xaxes(title_text="number of masks averaged")
    figure.update_yaxes(title_text="output, training / test", rangemode="tozero")
    return styled(figure, "Mean output in training / output at test time", palette, 400)


def _subgradient(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = panel_row(("weights that are exactly 0", "weights that should be 0"))
    a = frame.arrays
    wrong, right = f"{WRONG}: subgradient", f"{RIGHT}: soft-threshold"
    for name, label, line in (("wrong", wrong, _wrong), ("right", right, _right)):
        _add(
            figure, a["step"], a[f"zeros_{name}"], label, line(palette),
            legendgroup=label, row=1, col=1,
        )  # fmt: skip
        for j in np.flatnonzero(a["right"][-1] == 0):
            _add(
                figure, a["step"], a[name][:, j], label, line(palette, 1.3),
                legendgroup=label, showlegend=False, row=1, col=2,
            )  # fmt: skip
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text="number of weights", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="weight", row=1, col=2)
    return styled(figure, "Does the penalty give exact zeros?", palette, 400)


def _kill(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    needed = a["solution"] != 0
    _bundle(
        figure, a["step"], a["right"][:, needed], f"{RIGHT}: soft-threshold", _right(palette, 1.6)
    )
    _bundle(
        figure, a["step"], a["wrong"][:, needed], f"{WRONG}: never leaves 0", _wrong(palette, 1.6)
    )
    figure.add_scatter(
        x=np.full(needed.sum(), a["step"][-1]), y=a["solution"][needed], mode="markers",
        name="solution", marker={"symbol": "diamond-open", "size": 9, "color": palette.text},
    )  # fmt: skip
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text="weight")
    return styled(figure, "Weights that should not be 0", palette, 400)


def _adam(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    _add(figure, a["step"], a["right"][:, 0], f"{RIGHT}, large gradients", _right(palette))
    _add(figure, a["step"], a["right"][:, 1], f"{RIGHT}, small gradients", _right(palette, 1.2))
    _add(figure, a["step"], a["wrong"][:, 0], f"{WRONG}, large gradients", _wrong(palette))
    _add(
        figure, a["step"], a["wrong"][:, 1], f"{WRONG}, small gradients",
        stroke(palette.bad, "2px,3px"),
    )  # fmt: skip
    _add(figure, a["step"], a["closed_form"], "(1 - lr·λ)^t", stroke(palette.text, "dot", 1.4))
    figure.update_xaxes(title_text="step t")
    figure.update_yaxes(title_text="weight / initial weight", rangemode="tozero")
    return styled(figure, "Two weights under weight decay", palette, 400)


def _stopping(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    _add(figure, a["epoch"], a["train_loss"], "training", stroke(palette.lane(0), "5px,4px"))
    _add(figure, a["epoch"], a["val_loss"], "validation", stroke(palette.lane(0)))
    for label, name, color, symbol in (
        (f"{WRONG}: by the training loss", "wrong", palette.bad, "x"),
        (f"{RIGHT}: by the validation loss", "right", palette.good, "star"),
    ):
        figure.add_scatter(
            x=[frame.number(f"best_{name}")], y=[frame.number(f"val_loss_{name}")],
            mode="markers", name=f"{label}, weights kept",
            marker={"size": 15, "symbol": symbol, "color": color},
        )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="cross-entropy (nats)", rangemode="tozero")
    return styled(figure, "Which epoch's weights are kept?", palette, 400)


def _before_norm(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    _add(figure, a["step"], a["wrong"], f"{WRONG}: dropout before batch norm", _wrong(palette))
    _add(figure, a["step"], a["right"], f"{RIGHT}: after it", _right(palette))
    _add(figure, a["step"], a["expected"], "law", stroke(palette.text, "dot", 1.4))
    figure.update_xaxes(title_text="training step")
    figure.update_yaxes(title_text="variance ratio", rangemode="tozero")
    return styled(figure, "Variance at test time / running variance", palette, 400)


def _lstm(frame: LabFrame, palette: Palette) -> go.Figure:
    figure = go.Figure()
    a = frame.arrays
    time = np.arange(1, a["wrong"].shape[1] + 1)
    _bundle(figure, time, a["right"].T, f"{RIGHT}: one mask per sequence", _right(palette, 1.3))
    _bundle(figure, time, a["wrong"].T, f"{WRONG}: nn.LSTM(dropout=p)", _wrong(palette, 2.6))
    figure.update_xaxes(title_text="time step")
    figure.update_yaxes(title_text="output of the first unit")
    return styled(figure, "Repeated passes over the same sequence, train mode", palette, 400)


WALL = {
    "wrong_dropout_at_test": _at_test,
    "wrong_dropout_scaling": _scaling,
    "wrong_l1_subgradient": _subgradient,
    "wrong_l1_kill": _kill,
    "wrong_adam_decay": _adam,
    "wrong_early_stopping": _stopping,
    "wrong_dropout_before_batch_norm": _before_norm,
    "wrong_lstm_dropout": _lstm,
}


# --- the microscope ----------------------------------------------------------------------------


def twin_losses(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the losses of the twins while they train: without and with dropout."""
    figure = go.Figure()
    history = frame.arrays["history"]
    epochs = np.arange(1, history.shape[2] + 1)
    for i, label in enumerate(("no dropout", "with dropout")):
        color = palette.lane(i)
        _add(figure, epochs, history[i, 0], f"{label}, training", stroke(color, "5px,4px"))
        _add(figure, epochs, history[i, 2], f"{label}, validation", stroke(color))
    _add(
        figure, epochs, history[1, 1], "with dropout, training, train mode",
        stroke(palette.lane(1), "2px,3px", 1.4),
    )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="cross-entropy (nats)", rangemode="tozero")
    return styled(figure, "Loss with and without dropout", palette, 340)


def masked_networks(frame: LabFrame, samples: int = 4, palette: Palette = LIGHT) -> go.Figure:
    """Draw the network once for each of the batch's first samples, its dropped units hollow."""
    masks, widths = frame.arrays["masks"][:samples], frame.arrays["widths"]
    figure = panel_row(
        [f"{row.sum()} of {len(row)}" for row in masks],
        horizontal_spacing=0.03,
    )
    y = [np.linspace(0, 1, n + 2)[1:-1] for n in widths]
    for i, row in enumerate(masks):
        hidden = np.split(row.astype(bool), np.cumsum(widths[1:-1])[:-1])
        alive = [np.ones(widths[0], bool), *hidden, np.ones(widths[-1], bool)]
        place: dict[str, Any] = {"row": 1, "col": i + 1, "hoverinfo": "skip"}
        for on, color, width in (
            (False, rgba(palette.muted, 0.16), 0.8),
            (True, rgba(palette.lane(1), 0.6), 1.1),
        ):
            xs: list[float | None] = []
            ys: list[float | None] = []
            for k in range(len(widths) - 1):
                for a in range(widths[k]):
                    for b in range(widths[k + 1]):
                        if bool(alive[k][a] and alive[k + 1][b]) is on:
                            xs += [k, k + 1, None]
                            ys += [y[k][a], y[k + 1][b], None]
            figure.add_scatter(
                x=xs, y=ys, mode="lines", line={"color": color, "width": width},
                name="connection in this step" if on else "connection cut",
                legendgroup=f"line{on}", showlegend=False, **place,
            )  # fmt: skip
        for on, label, symbol, color in (
            (True, "unit kept", "circle", palette.lane(1)),
            (False, "unit dropped", "circle-open", palette.muted),
        ):
            at = [(k, y[k][j]) for k in range(len(widths)) for j in np.flatnonzero(alive[k] == on)]
            figure.add_scatter(
                x=[p[0] for p in at], y=[p[1] for p in at], mode="markers", name=label,
                legendgroup=label, showlegend=i == 0,
                marker={"symbol": symbol, "size": 13, "color": color, "line": {"width": 1.6}},
                **place,
            )  # fmt: skip
    styled(figure, "One mask for each sample: units kept", palette, 340)
    names = ["x", *(f"h{k}" for k in range(1, len(widths) - 1)), "y"]
    figure.update_xaxes(
        showgrid=False, showline=False, ticks="", tickvals=list(range(len(widths))),
        ticktext=names, tickangle=0, range=[-0.4, len(widths) - 0.6],
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[0, 1])
    return figure


def sub_networks(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw a strip of sub-networks, one mask a column, and what each says of one point."""
    a = frame.arrays
    n = len(a["sub_network_output"])
    figure = panel_row(
        ("units kept (filled) and dropped", "P(class 1) of one point"),
        horizontal_spacing=0.16,
    )
    number = np.arange(1, n + 1)
    figure.add_heatmap(
        x=number, y=np.arange(1, a["sub_networks"].shape[1] + 1), z=a["sub_networks"].T,
        colorscale=scale((rgba(palette.muted, 0.12), palette.lane(1))), zmin=0, zmax=1,
        showscale=False, xgap=2, ygap=2, name="kept", row=1, col=1,
        hovertemplate="sub-network %{x}, unit %{y}: %{z}<extra></extra>",
    )  # fmt: skip
    figure.add_bar(
        x=number, y=a["sub_network_output"], name="one sub-network", showlegend=False,
        marker={"color": rgba(palette.lane(1), 0.8)}, row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="sub-network")
    figure.update_yaxes(title_text="hidden unit", row=1, col=1)
    figure.update_yaxes(title_text="P(class 1)", range=[0, 1], row=1, col=2)
    return styled(figure, f"{n} sub-networks of this one network", palette, 340)


def masked_mean(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw how far the mean of k masked passes is from its limit, and from the eval output."""
    figure = go.Figure()
    a = frame.arrays
    _add(figure, a["k"], a["error_eval"], "to the eval output", stroke(palette.lane(0)))
    _add(figure, a["k"], a["error_mean"], "to the mean of all passes", stroke(palette.lane(1)))
    _add(figure, a["k"], a["expected"], "spread/√k", stroke(palette.text, "dot", 1.6))
    if frame.number("floor") > 1e-9:  # without dropout it is 0
        figure.add_hline(
            y=frame.number("floor"), line={"color": palette.lane(0), "dash": "dash", "width": 1.2}
        )
        figure.add_annotation(
            text="floor", x=0, xref="paper", y=np.log10(frame.number("floor")),
            xanchor="left", yanchor="bottom", showarrow=False,
        )  # fmt: skip
    figure.update_xaxes(title_text="masked passes k", type="log", dtick=1)
    # Plotly's own labels leave out the decade: 2 and 5 of which?
    ticks = [digit * 10.0**decade for decade in range(-4, 4) for digit in (1, 2, 5)]
    figure.update_yaxes(
        title_text="distance (rms, logits)", type="log", tickvals=ticks,
        ticktext=[f"{tick:g}" for tick in ticks],
    )  # fmt: skip
    return styled(figure, "Mean of k masked passes", palette, 340)


def monte_carlo(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the spread of the sub-networks over the plane, and along one line through it."""
    a = frame.arrays
    row = int(np.abs(a["xx1"] - np.median(a["xx1"])).argmin())
    x, mean, std = a["xx0"], a["mc_mean"][row], a["mc_std"][row]
    figure = panel_row(
        ("standard deviation", f"P(class 1), x₂ = {a['xx1'][row]:.2f}"),
        horizontal_spacing=0.24,
    )
    figure.add_heatmap(
        x=x, y=a["xx1"], z=a["mc_std"], zmin=0,
        colorscale=scale((palette.background, palette.lane(1))),
        colorbar={"thickness": 10, "x": 0.385, "xanchor": "left", "tickfont": {"size": 11}},
        hovertemplate="x₁ %{x:.2f}, x₂ %{y:.2f}: ±%{z:.3f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    color = palette.lane(1)
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]), y=np.concatenate([mean + std, (mean - std)[::-1]]),
        mode="lines", fill="toself", fillcolor=rgba(color, 0.2), line={"width": 0},
        hoverinfo="skip", name="mean ± standard deviation", row=1, col=2,
    )  # fmt: skip
    _add(figure, x, mean, "mean of sub-networks", stroke(color), row=1, col=2)
    _add(
        figure, x, a["eval"][row], "whole network (eval)", stroke(palette.text, "dash", 1.6),
        row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="x₁")
    figure.update_yaxes(title_text="x₂", row=1, col=1)
    figure.update_yaxes(range=[-0.1, 1.1], row=1, col=2)
    return styled(figure, "Monte-Carlo dropout: 200 sub-networks", palette, 340)


def train_and_eval(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw the outputs of a batch with this step's masks and without, same weights."""
    figure = go.Figure()
    a = frame.arrays
    number = np.arange(1, len(a["label"]) + 1)
    for x0, low, high in zip(number, a["train_output"], a["eval_output"], strict=True):
        figure.add_scatter(
            x=[x0, x0], y=[low, high], mode="lines", showlegend=False, hoverinfo="skip",
            line=stroke(palette.border, width=1.5),
        )  # fmt: skip
    for name, label, symbol, color in (
        ("train_output", "train mode (masks on)", "circle-open", palette.lane(0)),
        ("eval_output", "eval mode (all units)", "circle", palette.lane(1)),
    ):
        figure.add_scatter(
            x=number, y=a[name], mode="markers", name=label,
            marker={"symbol": symbol, "size": 12, "color": color, "line": {"width": 2}},
        )  # fmt: skip
    figure.update_xaxes(
        title_text="sample of the batch (its class)", tickvals=number,
        ticktext=[f"{n} ({label:.0f})" for n, label in zip(number, a["label"], strict=True)],
    )  # fmt: skip
    figure.update_yaxes(title_text="output (logit)")
    return styled(figure, "Two modes, same weights", palette, 340)


def ablation(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw what the loss loses when one hidden unit is taken away, for both twins."""
    rise = frame.arrays["ablation"]
    figure = go.Figure()
    for i, label in enumerate(("no dropout", "with dropout")):
        figure.add_bar(
            x=np.arange(1, rise.shape[1] + 1), y=rise[i], name=label,
            marker={"color": palette.lane(i), "pattern": {"shape": ("/", "")[i]}},
        )  # fmt: skip
    figure.update_xaxes(title_text="hidden unit set to 0")
    figure.update_yaxes(title_text="increase of the training loss (nats)")
    return styled(figure, "How much does each unit matter?", palette, 340)


# --- the galleries -----------------------------------------------------------------------------


def sound(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw wave and spectrogram of a sound before and after: the original in the first column."""
    a = frame.arrays
    kinds: Sequence[str] = ("original", "changed")
    figure = make_subplots(
        rows=2, cols=2, row_heights=[0.36, 0.64], vertical_spacing=0.1, horizontal_spacing=0.07,
        subplot_titles=list(kinds), shared_yaxes=True,
    )  # fmt: skip
    longest = max(frame.number(f"seconds_{kind}") for kind in kinds)
    for i, kind in enumerate(kinds):
        figure.add_scatter(
            x=a[f"time_{kind}"], y=a[f"wave_{kind}"], mode="lines", showlegend=False,
            line=stroke(palette.lane(i), width=1), hoverinfo="skip", row=1, col=i + 1,
        )  # fmt: skip
        figure.add_heatmap(
            x=a[f"frame_time_{kind}"], y=a["frequency"], z=a[f"spectrogram_{kind}"],
            zmin=-80, zmax=0, colorscale="Viridis", showscale=i == 1, row=2, col=i + 1,
            colorbar={
                "title": {"text": "dB", "side": "top"}, "thickness": 12, "len": 0.6, "y": 0.28,
            },
            hovertemplate="%{x:.2f} s, %{y:.0f} Hz: %{z:.0f} dB<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(range=[0, longest])
    figure.update_xaxes(title_text="time (s)", row=2)
    figure.update_yaxes(title_text="amplitude", row=1, col=1)
    figure.update_yaxes(title_text="frequency (Hz)", row=2, col=1)
    return styled(figure, "The sound as wave and as spectrogram", palette, 520)
