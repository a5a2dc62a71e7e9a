"""Is the confidence right? Reliability of finished runs, and the targets of label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures.palette import LIGHT, Palette, rgba
from regviz.figures.style import panel_row, stroke, styled
from regviz.frames import LaneFrame


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
