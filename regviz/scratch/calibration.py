"""Calibration from scratch: the reliability diagram's bins and the ECE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def reliability_bins(
    confidence: Array, correct: NDArray[np.bool_], n_bins: int = 15
) -> tuple[NDArray[np.int64], Array, Array]:
    """Sort predictions by confidence into bins (lo, hi]; compare it with accuracy.

    ``confidence`` (n,) is the top-label probability, ``correct`` (n,) whether it was right.
    Returns count, mean confidence and accuracy of each bin, (n_bins,); NaN in an empty one.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    count = np.bincount(place, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, n_bins) / count
        accuracy = np.bincount(place, correct, n_bins) / count
    return count, mean_confidence, accuracy


def expected_calibration_error(
    confidence: Array, correct: NDArray[np.bool_], n_bins: int = 15
) -> float:
    """ECE = Σ |B|/n·|accuracy(B) - confidence(B)|: by how much its percentages are off.

    Source: Naeini et al. 2015; Guo et al. 2017.
    """
    count, mean_confidence, accuracy = reliability_bins(confidence, correct, n_bins)
    gap = np.abs(accuracy - mean_confidence)
    return float(np.nansum(count / count.sum() * gap))
