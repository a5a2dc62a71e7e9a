"""Plotly figures of a run, filled again with every frame: arrays in, ``go.Figure`` out.

Each chart is made in two steps. The skeleton functions (:func:`loss_curves`,
:func:`decision_boundary`, :func:`weight_histogram`) lay out titles, axes, legend and empty
traces. The page sends a skeleton to the browser once, and the JavaScript in ``regviz/ui`` fills its
traces with each frame. The ``fill_*`` functions fill the same traces here, for the slides' HTML
page.

The order of traces is the agreement between the two: each skeleton function documents its own.
Nothing here imports Streamlit or torch.
"""

from __future__ import annotations

from regviz.figures.info import FEW
from regviz.figures.live.boundary import decision_boundary, fill_decision_boundary
from regviz.figures.live.curves import fill_loss_curves, loss_curves
from regviz.figures.live.histogram import (
    PANELS_PER_ROW,
    fill_weight_histogram,
    histogram_rows,
    weight_histogram,
)

__all__ = [
    "FEW",
    "PANELS_PER_ROW",
    "decision_boundary",
    "fill_decision_boundary",
    "fill_loss_curves",
    "fill_weight_histogram",
    "histogram_rows",
    "loss_curves",
    "weight_histogram",
]
