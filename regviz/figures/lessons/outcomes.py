"""How finished runs end: over the values of a setting, under worse conditions, over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from regviz.figures.palette import LIGHT, TRAIN_DASH, Palette, rgba
from regviz.figures.style import panel_row, stroke, styled
from regviz.frames import LaneFrame


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
        line=stroke(palette.lane(1), TRAIN_DASH),
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
    """Draw final training loss and validation accuracy of each kind of model under ever worse
    conditions; a cross at the top is a run that diverged.

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
