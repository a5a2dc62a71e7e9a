"""Uncertainty from few points: the ECE of a perfectly calibrated model, margins of accuracy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from regviz import fit
from regviz.frames import RELIABILITY_BINS, LaneFrame
from regviz.results import uncertainty
from regviz.scratch.calibration import expected_calibration_error
from regviz.specs import Experiment

TINY = Experiment.from_dict(
    {"data": {"n_samples": 40}, "model": {"hidden": [4]}, "training": {"epochs": 1}}
)


@pytest.fixture(scope="module")
def lane() -> LaneFrame:
    return fit([TINY])[0].frame


def binned(lane: LaneFrame, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> LaneFrame:
    """Return a lane with these answers in the twin's bins, (lo, hi]."""
    at = np.ceil(confidence * RELIABILITY_BINS).astype(int).clip(1, RELIABILITY_BINS) - 1
    bins = [
        np.bincount(at, weights, RELIABILITY_BINS)
        for weights in (np.ones_like(confidence), confidence, right.astype(float))
    ]
    return dataclasses.replace(lane, reliability=np.array(bins, np.float32))


def confidences(n: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0.5, 1, n)


def test_the_ece_is_the_twin_s(lane: LaneFrame) -> None:
    c = confidences(90, 3)
    right = np.random.default_rng(4).random(90) < 0.8
    got = uncertainty.ece(binned(lane, c, right))
    assert got == pytest.approx(expected_calibration_error(c, right, RELIABILITY_BINS), abs=1e-6)
    assert uncertainty.mean_confidence(binned(lane, c, right)) == pytest.approx(c.mean(), abs=1e-6)


@pytest.mark.parametrize("n", [40, 90, 400])
def test_a_perfect_model_is_within_its_range_nine_times_of_ten(lane: LaneFrame, n: int) -> None:
    """A calibrated model is right with its stated probability, point by point, not bin by bin."""
    c, rng = confidences(n, n), np.random.default_rng(7)
    drawn = [binned(lane, c, rng.random(n) < c) for _ in range(400)]
    luck = uncertainty.perfect_ece(drawn[0])
    found = np.array([uncertainty.ece(one) for one in drawn])
    assert luck.n == n
    assert np.mean((luck.low <= found) & (found <= luck.high)) == pytest.approx(0.9, abs=0.05)
    assert found.mean() == pytest.approx(luck.mean, abs=0.1 * luck.mean)


def test_on_ninety_points_a_perfect_model_has_an_ece_of_about_a_twentieth(lane: LaneFrame) -> None:
    # confidences as those of a trained network: most of them high
    c = 0.5 + 0.5 * np.random.default_rng(1).beta(5, 1, 90)
    luck = uncertainty.perfect_ece(binned(lane, c, c > 0))
    assert 0.03 < luck.mean < 0.07
    assert luck.low < 0.035
    assert luck.high > 0.065


def test_the_range_shrinks_with_the_root_of_the_points(lane: LaneFrame) -> None:
    few, many = (
        uncertainty.perfect_ece(binned(lane, confidences(n, 0), np.ones(n, bool))).mean
        for n in (100, 10_000)
    )
    assert few / many == pytest.approx(10, rel=0.15)


def test_two_perfect_models_seldom_differ(lane: LaneFrame) -> None:
    rng, found = np.random.default_rng(5), []
    a, b = confidences(90, 1), confidences(90, 2)
    for _ in range(200):
        before = binned(lane, a, rng.random(90) < a)
        after = binned(lane, b, rng.random(90) < b)
        found.append(uncertainty.ece_difference(before, after).sign)
    assert np.mean(np.array(found) != 0) < 0.15
    assert "no difference that 90 points can show" in uncertainty.calibration_said(before, before)


def test_a_model_too_sure_by_far_is_told_from_a_calibrated_one(lane: LaneFrame) -> None:
    n = 90
    right = np.arange(n) < 0.75 * n
    sure, honest = (binned(lane, np.full(n, c), right) for c in (0.99, 0.75))
    assert uncertainty.ece_difference(sure, honest).sign == -1
    assert uncertainty.ece_difference(honest, sure).sign == 1
    said = uncertainty.calibration_said(sure, honest)
    assert said.endswith("better calibrated")
    assert f"ECE {0.99 - 68 / 90:.3f} and {68 / 90 - 0.75:.3f}" in said
    assert uncertainty.calibration_said(honest, sure).endswith("worse calibrated")


def test_a_lower_ece_that_luck_explains_is_not_called_worse(lane: LaneFrame) -> None:
    """A more confident model has a smaller range, so the difference is compared with 0, too."""
    luck = uncertainty.Luck(value=0.01, mean=0.04, low=0.015, high=0.06, n=90)
    assert luck.sign == 0
    assert dataclasses.replace(luck, value=-0.001).sign == -1
    assert dataclasses.replace(luck, value=0.07).sign == 1


def test_equal_bins_give_equal_ranges(lane: LaneFrame) -> None:
    c = confidences(60, 9)
    one, other = (binned(lane, c, np.arange(60) % 3 > 0) for _ in range(2))
    assert uncertainty.perfect_ece(one) == uncertainty.perfect_ece(other)


def test_two_accuracies_need_two_standard_errors() -> None:
    assert uncertainty.accuracy_margin(300, 0.9, 0.9) == pytest.approx(
        2 * np.sqrt(2 * 0.9 * 0.1 / 300)
    )
    assert uncertainty.accuracy_margin(90, 1.0, 1.0) > 0, "nothing is certain on 90 points"
    rng = np.random.default_rng(0)
    a, b = (rng.binomial(90, 0.9, 4000) / 90 for _ in range(2))
    margin = [uncertainty.accuracy_margin(90, x, y) for x, y in zip(a, b, strict=True)]
    assert np.mean(np.abs(a - b) > margin) < 0.06
