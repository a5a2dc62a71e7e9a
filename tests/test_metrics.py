"""Numbers, gap and verdict: scripted curves in, one word and one sentence out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from regviz import metrics
from regviz.data import make_view
from regviz.frames import HISTORY, Frame, LaneFrame
from regviz.metrics import DIVERGED, GOOD, OVER, UNDER, Reading, judge
from regviz.specs import DataSpec


def reading(**changes: object) -> Reading:
    """A good fit of noisy moons; the tests change what they are about."""
    usual = Reading(
        status="finished",
        epoch=100,
        trained=100,
        best_epoch=90,
        stopped_epoch=0,
        train_loss=0.22,
        val_loss=0.25,
        train_accuracy=0.91,
        val_accuracy=0.9,
        penalty=0.0,
        best_val_loss=0.24,
        best_train_loss=0.225,
        best_val_accuracy=0.9,
        zeros=0,
        weights=100,
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def verdict(r: Reading, **changes: float) -> metrics.Verdict:
    known = {"attainable": 0.91, "n_train": 350, "n_val": 150, "label_noise": 0.0} | changes
    return judge(
        r,
        attainable=known["attainable"],
        n_train=int(known["n_train"]),
        n_val=int(known["n_val"]),
        label_noise=known["label_noise"],
    )


def test_a_model_that_does_the_same_on_both_sets_is_a_good_fit() -> None:
    assert verdict(reading()).kind == GOOD


def test_training_far_ahead_of_validation_is_over_fitting() -> None:
    said = verdict(reading(train_accuracy=1.0, val_accuracy=0.86))
    assert said.kind == OVER
    assert "100%" in said.reason
    assert "86%" in said.reason


def test_a_validation_loss_that_rose_while_training_fell_is_over_fitting() -> None:
    said = verdict(reading(train_loss=0.05, val_loss=0.8))
    assert said.kind == OVER
    assert "0.24" in said.reason
    assert "epoch 90" in said.reason
    assert "0.80" in said.reason


def test_losses_that_rise_together_are_not_over_fitting() -> None:
    assert verdict(reading(train_loss=0.7, val_loss=0.8)).kind == GOOD


def test_a_rise_within_the_luck_of_the_best_epoch_is_not_over_fitting() -> None:
    assert verdict(reading(val_loss=0.24 * (1 + metrics.RISE) - 1e-6)).kind == GOOD
    tiny = reading(best_val_loss=0.01, val_loss=0.05, train_loss=0.005, best_train_loss=0.006)
    assert verdict(tiny).kind == GOOD


def test_missing_what_the_data_allow_on_training_is_under_fitting() -> None:
    said = verdict(reading(train_accuracy=0.7, val_accuracy=0.7))
    assert said.kind == UNDER
    assert "70%" in said.reason
    assert "91%" in said.reason


def test_the_same_accuracy_is_a_good_fit_where_the_data_allow_no_more() -> None:
    low = reading(train_accuracy=0.7, val_accuracy=0.7)
    assert verdict(low, attainable=0.71).kind == GOOD


def test_few_points_excuse_a_wider_gap() -> None:
    gap = reading(train_accuracy=0.95, val_accuracy=0.86)
    assert verdict(gap, n_train=2000, n_val=2000).kind == OVER
    assert verdict(gap, n_train=60, n_val=20).kind == GOOD


def test_label_noise_in_training_moves_both_limits() -> None:
    resisted = reading(train_accuracy=0.73, val_accuracy=0.9)
    assert verdict(resisted, label_noise=0.2).kind == GOOD
    memorized = reading(train_accuracy=0.99, val_accuracy=0.9)
    assert verdict(memorized, label_noise=0.2).kind == OVER
    assert verdict(resisted).kind == UNDER


def test_divergence_goes_before_everything_and_says_what_to_do() -> None:
    said = verdict(reading(status="diverged", trained=3, train_loss=math.nan))
    assert said.kind == DIVERGED
    assert "epoch 3" in said.reason
    assert "lower learning rate" in said.reason


@pytest.mark.parametrize("changes", [{}, {"train_accuracy": 1.0, "val_accuracy": 0.5}])
def test_a_reason_is_one_sentence(changes: dict[str, float]) -> None:
    said = verdict(reading(**changes))
    assert said.reason.endswith(".")
    assert not said.reason[0].islower()


def lane(epochs: int, **changes: object) -> LaneFrame:
    """A lane whose row i of the history is i + epoch / 1000."""
    rows = np.arange(len(HISTORY), dtype=np.float32)[:, None]
    history = (rows + np.arange(1, epochs + 1) / 1000).astype(np.float32)
    usual = LaneFrame(
        status="running",
        epoch=epochs,
        best_epoch=0,
        stopped_epoch=0,
        wait=0,
        restored=False,
        history=history,
        layers=("hidden 1", "output"),
        shapes=((2, 3), (3, 1)),
        histogram=np.zeros((2, 128), np.uint32),
        limits=np.ones(2, np.float32),
        zeros=np.array([2, 1]),
        norms=np.ones(2),
        l1_norms=np.ones(2),
        input_mean=np.zeros(2, np.float32),
        input_std=np.ones(2, np.float32),
        boundary=None,
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_a_reading_is_of_the_newest_epoch() -> None:
    r = metrics.read(lane(20, best_epoch=7))
    assert (r.epoch, r.best_epoch) == (20, 7)
    assert r.train_loss == pytest.approx(HISTORY.index("train_loss") + 0.020)
    assert r.best_val_loss == pytest.approx(HISTORY.index("val_loss") + 0.007)
    assert (r.zeros, r.weights) == (3, 9)


def test_a_reading_after_restoring_is_of_the_best_epoch() -> None:
    r = metrics.read(lane(20, best_epoch=7, stopped_epoch=20, restored=True, status="stopped"))
    assert (r.epoch, r.trained) == (7, 20)
    assert r.val_loss == r.best_val_loss
    assert r.rise == 0


def test_a_reading_before_the_first_epoch_has_no_numbers() -> None:
    r = metrics.read(lane(0))
    assert math.isnan(r.train_loss)
    assert math.isnan(r.gap)
    assert verdict(r).kind == UNDER
    assert metrics.percent(r.train_accuracy) == metrics.points(r.gap) == "–"


def test_gaps_have_the_sign_of_over_fitting() -> None:
    r = reading(train_accuracy=1.0, val_accuracy=0.8, train_loss=0.1, val_loss=0.5)
    assert r.gap == pytest.approx(0.2)
    assert r.loss_gap == pytest.approx(0.4)
    assert metrics.points(r.gap) == "20 points"
    assert metrics.points(0.01) == "1 point"


def test_neighbours_see_what_data_allow() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    apart = rng.standard_normal((400, 2)) * 0.1 + y[:, None] * 5
    assert metrics.neighbour_accuracy(apart, y) == 1
    mixed = rng.standard_normal((400, 2))
    assert metrics.neighbour_accuracy(mixed, y) == pytest.approx(0.5, abs=0.1)


def test_neighbours_see_through_label_noise() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(600) % 2
    x = rng.standard_normal((600, 2)) * 0.3 + y[:, None] * 3
    flipped = rng.uniform(size=600) < 0.2
    seen = np.where(flipped, 1 - y, y)
    noisy = np.ones(600, bool)
    plain = metrics.neighbour_accuracy(x, seen)
    assert plain == pytest.approx(0.8, abs=0.05)
    found = metrics.neighbour_accuracy(x, seen, flipped=noisy, label_noise=0.2)
    assert found == pytest.approx(1, abs=0.05)


def test_label_noise_of_several_classes_is_seen_through_too() -> None:
    rng = np.random.default_rng(1)
    kinds, eta = 5, 0.3
    y = np.arange(4000) % kinds
    x = np.stack([10.0 * y, np.zeros(len(y))], axis=1) + rng.normal(size=(len(y), 2))
    noisy = np.ones(len(y), bool)
    flips = rng.random(len(y)) < eta
    seen = np.where(flips, (y + rng.integers(1, kinds, len(y))) % kinds, y)
    found = metrics.neighbour_accuracy(x, seen, n_classes=kinds, flipped=noisy, label_noise=eta)
    assert found > 0.95
    assert metrics.neighbour_accuracy(x, seen) < 0.75
    # who is right half the time is less often right on flipped labels than of two classes
    half = reading(train_accuracy=0.42, val_accuracy=0.5)
    said = [
        judge(half, attainable=0.5, n_train=350, n_val=150, label_noise=eta, n_classes=k).kind
        for k in (kinds, 2)
    ]
    assert said == [GOOD, UNDER]


def test_neighbours_of_one_point_say_nothing() -> None:
    assert math.isnan(metrics.neighbour_accuracy(np.zeros((1, 2)), np.zeros(1, int)))


def test_attainable_is_the_better_of_data_and_lanes() -> None:
    lanes = [reading(best_val_accuracy=0.99)]
    assert metrics.attainable_accuracy(0.9, 10_000, lanes) == pytest.approx(0.99, abs=0.002)
    assert metrics.attainable_accuracy(0.995, 150, lanes) == 0.995
    assert metrics.attainable_accuracy(math.nan, 150, lanes) < 0.99


def test_a_frame_is_judged_lane_by_lane() -> None:
    view = make_view(DataSpec(n_samples=100))
    frame = Frame(20, 20, (lane(20), lane(20, status="diverged")), (view, view))
    readings, verdicts = metrics.judge_frame(frame, from_data=0.9, label_noise=0.0)
    assert len(readings) == len(verdicts) == 2
    assert verdicts[1].kind == DIVERGED


def test_a_frame_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match="data"):
        metrics.judge_frame(Frame(1, 1, (lane(1),)), from_data=0.9, label_noise=0.0)


def test_overfitting_begins_at_the_minimum_and_as_wide_as_the_tolerance() -> None:
    at = metrics.overfitting_begins([0.9, 0.5, 0.405, 0.40, 0.42, 0.408, 0.6], 0.01)
    assert at is not None
    assert (at.epoch, at.loss, at.first, at.last, at.risen) == (4, 0.40, 3, 6, True)


def test_overfitting_has_not_begun_while_the_loss_falls() -> None:
    at = metrics.overfitting_begins([0.9, 0.5, math.nan, 0.4, math.inf, 0.39])
    assert at is not None
    assert (at.epoch, at.first, at.last, at.risen) == (6, 4, 6, False)
    assert metrics.overfitting_begins([math.nan, math.inf]) is None
    assert metrics.overfitting_begins([]) is None
