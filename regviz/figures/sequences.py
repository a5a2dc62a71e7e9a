"""Plotly figures of the sequence lessons: masks over time and attention maps.

They have the look of :mod:`regviz.figures.style`. Nothing here imports Streamlit or torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures.palette import LIGHT, Palette, rgba, scale
from regviz.figures.style import CLOSED, panel_row, stroke, styled
from regviz.frames.lab import LabFrame

_UNITS = 32  # of a mask that are drawn: more could not be seen


def token_names(tokens: NDArray[Any]) -> list[str]:
    """Return the names of tokens: A and B for 0 and 1, which decide the class, else digits."""
    return [("A", "B")[int(t)] if t < 2 else str(int(t)) for t in tokens]


def masks_over_time(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw recurrent dropout's mask over the steps, one a sequence beside one a step, and how
    many units are kept at every step so far."""
    a = frame.arrays
    figure = panel_row(
        (
            "sequence 1",
            "sequence 2",
            "redrawn",
            "share kept at every step",
        ),
        column_widths=[0.2, 0.2, 0.2, 0.4],
        horizontal_spacing=0.05,
    )
    pictures = (a["masks_fixed"][0], a["masks_fixed"][1], a["masks_redrawn"][0])
    for column, mask in enumerate(pictures, start=1):
        shown = mask[:, :_UNITS].T  # (units, time)
        figure.add_heatmap(
            x=a["step"], y=np.arange(1, len(shown) + 1), z=shown, zmin=0, zmax=1,
            colorscale=scale((rgba(palette.muted, 0.14), palette.lane(0 if column == 3 else 1))),
            showscale=False, xgap=1, ygap=1, name="kept",
            hovertemplate="step %{x}, unit %{y}: %{z}<extra></extra>", row=1, col=column,
        )  # fmt: skip
    for i, (name, label) in enumerate((("redrawn", "redrawn"), ("fixed", "one mask"))):
        figure.add_scatter(
            x=a["step"], y=a[f"closed_form_{name}"], mode="lines", name=f"{label}: {CLOSED}",
            line=stroke(palette.lane(i), width=1.4), row=1, col=4,
        )  # fmt: skip
        figure.add_scatter(
            x=a["step"], y=a[f"measured_{name}"], mode="markers", name=f"{label}: measured",
            marker={"color": palette.lane(i), "size": 7, "symbol": ("x", "circle")[i]},
            row=1, col=4,
        )  # fmt: skip
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text="unit", row=1, col=1)
    figure.update_yaxes(range=[-0.03, 1.05], row=1, col=4)
    return styled(figure, "Recurrent dropout masks (filled: kept)", palette, 320)


def attention_modes(
    eval_map: NDArray[Any],
    train_map: NDArray[Any],
    tokens: NDArray[Any],
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw where the tokens of one sequence look in both modes, and what each row sums to.

    Parameters
    ----------
    eval_map, train_map
        (time, time) each: row = the token that looks, column = the one looked at.
    tokens
        (time,), whole numbers.
    """
    figure = panel_row(
        ("eval mode", "train mode", "row sums"),
        column_widths=[0.38, 0.38, 0.24],
        horizontal_spacing=0.05,
    )
    names, place = token_names(tokens), np.arange(1, len(tokens) + 1)
    top = float(max(eval_map.max(), train_map.max()))
    for column, values in enumerate((eval_map, train_map), start=1):
        figure.add_heatmap(
            x=place, y=place, z=values, zmin=0, zmax=top, showscale=False, xgap=1, ygap=1,
            colorscale=scale((rgba(palette.muted, 0.10), palette.lane(1))),
            customdata=np.array([[[q, k] for k in names] for q in names]),
            hovertemplate="%{customdata[0]} (%{y}) attends to %{customdata[1]} (%{x}): %{z:.3f}"
            "<extra></extra>", row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(
            title_text="attends to", tickvals=place, ticktext=names, tickangle=0,
            range=[0.5, len(tokens) + 0.5], row=1, col=column,
        )  # fmt: skip
    row, column_at = np.nonzero((train_map == 0) & (eval_map > 0))
    figure.add_scatter(
        x=column_at + 1, y=row + 1, mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "x-thin", "size": 7, "line": {"width": 1.6, "color": palette.bad}},
        row=1, col=2,
    )  # fmt: skip
    for label, values, symbol, color in (
        ("row in eval mode", eval_map, "line-ns-open", palette.text),
        ("row in train mode", train_map, "circle", palette.lane(0)),
    ):
        figure.add_scatter(
            x=values.sum(axis=1), y=place, mode="markers", name=label,
            marker={
                "symbol": symbol, "size": 9, "color": color, "line": {"width": 2, "color": color},
            },
            hovertemplate="row %{y}: %{x:.4f}<extra>" + label + "</extra>", row=1, col=3,
        )  # fmt: skip
    figure.update_xaxes(title_text="sum", rangemode="tozero", row=1, col=3)
    figure.update_yaxes(
        range=[len(tokens) + 0.5, 0.5], tickvals=place, ticktext=names, showticklabels=True
    )
    figure.update_yaxes(title_text="token", row=1, col=1)
    return styled(figure, "Attention maps, same weights (×: dropped)", palette, 460)


def row_sums_check(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw how far row sums scatter about 1, against how sharply a row looks."""
    a = frame.arrays
    order = np.argsort(a["focus"])
    figure = go.Figure()
    figure.add_scatter(
        x=a["focus"][order], y=a["closed_form"][order], mode="lines",
        name=f"{CLOSED}: √(p/(1-p)·Σa²)", line=stroke(palette.lane(1), width=1.6),
    )  # fmt: skip
    figure.add_scatter(
        x=a["focus"], y=a["measured"], mode="markers", name="measured",
        marker={"color": palette.lane(2), "size": 8},
    )  # fmt: skip
    figure.update_xaxes(title_text="Σa² of the row: 1/20 attends to all tokens equally, 1 to one")
    figure.update_yaxes(title_text="standard deviation of the row sum", rangemode="tozero")
    return styled(figure, "Row sums scatter around 1 in train mode", palette)
