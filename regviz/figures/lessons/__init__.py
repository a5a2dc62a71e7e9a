"""Plotly figures of the lessons: finished frames in, ``go.Figure`` out.

They are drawn once, after a run has ended. Figures that move with every frame are in
:mod:`regviz.figures.live`, those of theory checks in :mod:`regviz.figures.theory`. Nothing here
imports Streamlit or torch.
"""

from __future__ import annotations

from regviz.figures.lessons.calibration import reliability, smoothed_targets
from regviz.figures.lessons.outcomes import STRESS_TOP, seed_bands, stress, validation_curve
from regviz.figures.lessons.stopping import marked_run, patience_curve, stopping_theatre
from regviz.figures.lessons.weights import (
    input_groups,
    input_path,
    input_statistics,
    merged_bins,
    weight_ridges,
)

__all__ = [
    "STRESS_TOP",
    "input_groups",
    "input_path",
    "input_statistics",
    "marked_run",
    "merged_bins",
    "patience_curve",
    "reliability",
    "seed_bands",
    "smoothed_targets",
    "stopping_theatre",
    "stress",
    "validation_curve",
    "weight_ridges",
]
