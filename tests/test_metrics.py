"""Numbers, gap and verdict of scripted curves."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from regviz.data.datasets import GENERATORS, make_view
from regviz.frames import HISTORY, Frame, LaneFrame
from regviz.results import metrics
from regviz.results.bayes import bayes_rate
from regviz.results.metrics import Reading
from regviz.results.neighbours import neighbour_accuracy
from regviz.results.verdict import (
    DIVERGED,
    GOOD,
    OVER,
    RISE,
    UNDECIDED,
    UNDER,
    Known,
    Verdict,
    judge,
    judge_frame,
    known,
)
from regviz.specs import DataSpec, Experiment


def reading(**changes: object) -> Reading:
    """Return a reading of a good fit of noisy moons, with changes."""
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


KNOWN = Known(
    accuracy=0.91,
    measured_on=math.inf,
    share=0.5,
    lopsided=False,
    n_classes=2,
    rows=500,
    different=500,
    copied=0,
)


def rights(train: float, val: float, n_train: int = 350, n_val: int = 150) -> NDArray[np.int64]:
    """Return counts of right answers for two equally frequent classes with equal accuracy."""
    out = np.zeros((3, 2, 2), np.int64)
    for i, (share, n) in enumerate(((train, n_train), (val, n_val), (val, n_val))):
        right = round(share * n) if math.isfinite(share) else 0
        out[i] = [(right - right // 2, right // 2), (n - n // 2, n // 2)]
    return out


def verdict(
    r: Reading,
    *,
    n_train: int = 350,
    n_val: int = 150,
    label_noise: float = 0.0,
    **changes: Any,
) -> Verdict:
    known = dataclasses.replace(KNOWN, **changes)
    seen = rights(r.train_accuracy, r.val_accuracy, n_train, n_val)
    return judge(r, seen, known, label_noise=label_noise)


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
    assert verdict(reading(val_loss=0.24 * (1 + RISE) - 1e-6)).kind == GOOD
    tiny = reading(best_val_loss=0.01, val_loss=0.05, train_loss=0.005, best_train_loss=0.006)
    assert verdict(tiny).kind == GOOD


def test_a_rise_must_be_larger_where_fewer_points_measure_it() -> None:
    small = reading(val_loss=0.4, train_loss=0.2)  # by 0.16, two thirds of the best
    assert verdict(small, n_val=30).kind != OVER
    assert verdict(small, n_val=150).kind == OVER
    assert verdict(reading(val_loss=0.45, train_loss=0.2), n_val=30).kind == OVER


def test_missing_what_the_data_allow_on_training_is_under_fitting() -> None:
    said = verdict(reading(train_accuracy=0.7, val_accuracy=0.7))
    assert said.kind == UNDER
    assert "70%" in said.reason
    assert "91%" in said.reason


def test_the_same_accuracy_is_a_good_fit_where_the_data_allow_no_more() -> None:
    low = reading(train_accuracy=0.7, val_accuracy=0.7)
    assert verdict(low, accuracy=0.71).kind == GOOD


def test_the_same_accuracy_is_undecided_where_nobody_knows_what_is_possible() -> None:
    said = verdict(reading(), accuracy=math.nan)
    assert said.kind == UNDECIDED
    assert "not known" in said.reason
    assert "150 points" in said.reason
    sure = verdict(reading(train_accuracy=1.0, val_accuracy=1.0), accuracy=math.nan)
    assert sure.kind == GOOD
    few = verdict(reading(train_accuracy=1.0, val_accuracy=1.0), accuracy=math.nan, n_val=30)
    assert few.kind == UNDECIDED


def test_few_points_excuse_a_wider_gap_but_are_not_praised() -> None:
    gap = reading(train_accuracy=0.95, val_accuracy=0.86)
    assert verdict(gap, n_train=2000, n_val=2000).kind == OVER
    said = verdict(gap, n_train=60, n_val=20)
    assert said.kind == UNDECIDED
    assert "20 points" in said.reason


@pytest.mark.parametrize(("n", "low"), [(1, 21), (2, 34), (4, 51), (7, 65)])
def test_few_points_that_are_all_right_say_little(n: int, low: int) -> None:
    perfect = reading(train_accuracy=1.0, val_accuracy=1.0)
    said = verdict(perfect, n_val=n, accuracy=0.99)
    assert said.kind == UNDECIDED
    assert f"{low}–100%" in said.reason
    assert f"{n} point" in said.reason


def test_the_interval_of_a_share_holds_as_often_as_it_says() -> None:
    assert metrics.interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert metrics.interval(1.0, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert metrics.interval(0.0, 0) == (0.0, 1.0)
    rng = np.random.default_rng(5)
    for n, p in ((10, 0.8), (60, 0.95), (400, 0.5)):
        ends = [metrics.interval(k / n, n) for k in rng.binomial(n, p, 2000)]
        assert np.mean([low <= p <= high for low, high in ends]) > 0.92


def test_no_model_is_praised_for_what_guessing_reaches() -> None:
    said = verdict(reading(train_accuracy=0.53, val_accuracy=0.52), accuracy=0.55)
    assert said.kind == UNDECIDED
    assert "not clearly better" in said.reason


def test_of_lopsided_classes_each_counts_the_same() -> None:
    always = np.array([[(133, 0), (133, 7)], [(57, 0), (57, 3)], [(57, 0), (57, 3)]])
    r = reading(train_accuracy=0.95, val_accuracy=0.95)
    lopsided = dataclasses.replace(KNOWN, share=0.95, lopsided=True, accuracy=0.95)
    assert metrics.score(always[0], balanced=True).value == 0.5
    for accuracy, kind in ((0.95, UNDER), (math.nan, UNDECIDED), (0.52, UNDECIDED)):
        said = judge(r, always, dataclasses.replace(lopsided, accuracy=accuracy))
        assert said.kind == kind
        assert "95%" in said.reason
    half = np.array([[(1330, 35), (1330, 70)], [(570, 15), (570, 30)], [(570, 15), (570, 30)]])
    said = judge(r, half, lopsided)
    assert said.kind == UNDER
    assert "Balanced training accuracy is only 75%" in said.reason


def test_balanced_accuracy_is_as_sure_as_its_rarest_class() -> None:
    rng = np.random.default_rng(0)
    total = np.array([190, 10])
    right = np.stack([rng.binomial(total, 0.8) for _ in range(4000)])
    seen = [metrics.score(np.stack([k, total]), balanced=True) for k in right]
    assert seen[0].n == pytest.approx(4 / (1 / 190 + 1 / 10))
    spread = np.std([s.value for s in seen])
    assert spread == pytest.approx(math.sqrt(0.8 * 0.2 / seen[0].n), rel=0.05)
    assert seen[0].high - seen[0].low > 0.2


def test_copies_are_no_new_data() -> None:
    r = reading(train_accuracy=1.0, val_accuracy=0.97)
    seen = rights(1.0, 0.97, 42, 18)
    copied = dataclasses.replace(KNOWN, rows=60, different=15, copied=18, accuracy=math.nan)
    seen[2] = 0
    said = judge(r, seen, copied)
    assert said.kind == UNDECIDED
    assert "15 different rows of 60" in said.reason
    assert "both sides of the split" in said.reason
    seen[2] = [(30, 31), (31, 31)]
    seen[1] = [(40, 40), (41, 41)]
    some = dataclasses.replace(copied, rows=400, different=380, copied=20, accuracy=0.99)
    said = judge(r, seen, some)
    assert said.kind == GOOD, "judged on the points that are new"
    assert "62 points" in said.reason
    assert "380 different rows of 400" in said.reason


def test_a_model_between_the_kinds_is_undecided() -> None:
    said = verdict(reading(train_accuracy=0.88, val_accuracy=0.83), n_val=1000, n_train=1000)
    assert said.kind == UNDECIDED
    assert "Neither" in said.reason


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
    """Return a lane whose history in row i is i + epoch / 1000."""
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


def test_one_answer_for_all_under_fits_also_under_label_noise() -> None:
    for share in (0.46, 0.5, 0.55):  # of the flipped labels' more frequent class
        n = round(350 * share)
        seen = np.array([[(n, 0), (n, 350 - n)], [(70, 0), (70, 80)], [(70, 0), (70, 80)]])
        r = reading(train_accuracy=share, val_accuracy=70 / 150)
        assert judge(r, seen, KNOWN, label_noise=0.4).kind == UNDER
        nearly = seen + np.array([(-2, 2), (0, 0)])
        assert judge(r, nearly, KNOWN, label_noise=0.4).kind == UNDER


def test_label_noise_of_several_classes_leaves_more_wrong() -> None:
    # who is right half the time is less often right on flipped labels than of two classes
    half = reading(train_accuracy=0.42, val_accuracy=0.5)
    said = [
        verdict(half, accuracy=0.5, share=1 / k, n_classes=k, label_noise=0.3).kind for k in (5, 2)
    ]
    assert said == [GOOD, UNDER]


def test_neighbours_see_what_data_allow() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    apart = rng.standard_normal((400, 2)) * 0.1 + y[:, None] * 5
    assert neighbour_accuracy(apart, y).value == 1
    mixed = rng.standard_normal((400, 2))
    assert neighbour_accuracy(mixed, y).value == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("kind", ["moons", "circles", "spirals"])
@pytest.mark.parametrize("n", [60, 200])
def test_neighbours_come_near_the_bayes_rate(kind: str, n: int) -> None:
    for seed in range(5):
        x, y = GENERATORS[kind](n, 0.15, seed)
        found = neighbour_accuracy(x * [100, 0.01], y)
        # from below, as a point's neighbours in so few are not near
        assert -0.1 < found.value - bayes_rate(kind, 0.15) < 0.05


def test_a_copy_is_no_neighbour_of_its_own() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = np.repeat(rng.standard_normal((100, 2)), 4, axis=0)
        y = np.repeat(rng.integers(0, 2, 100), 4)
        assert neighbour_accuracy(x, y).value < 0.7


def test_each_class_has_the_same_say_where_each_counts_the_same() -> None:
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], [400, 20])
    x = rng.standard_normal((420, 2)) + 2.5 * y[:, None]
    plain, balanced = (neighbour_accuracy(x, y, balanced=b) for b in (False, True))
    assert plain.value > 0.95
    assert balanced.value > 0.85
    assert balanced.n == pytest.approx(4 / (1 / 400 + 1 / 20))


@pytest.mark.parametrize("n", [1, 2, 10, 12, 16, 38])
def test_neighbours_in_a_tiny_table_say_nothing(n: int) -> None:
    y = np.arange(n) % 2
    x = np.random.default_rng(0).standard_normal((n, 2)) * 0.1 + y[:, None] * 10
    assert math.isnan(neighbour_accuracy(x, y).value)
    rare = np.repeat([0, 1], [100, 9])
    assert math.isnan(neighbour_accuracy(np.arange(218.0).reshape(109, 2), rare).value)


def test_label_noise_does_not_blur_what_is_known() -> None:
    x, y = GENERATORS["moons"](200, 0.2, 3)
    table = [[*row, label] for row, label in zip(x.tolist(), y.tolist(), strict=True)]
    specs = [
        Experiment.from_dict({"data": {"kind": "csv", "points": table, "label_noise": noise}}).data
        for noise in (0.0, 0.4)
    ]
    clean, noisy = (known(spec, make_view(spec)) for spec in specs)
    assert clean == noisy
    made = [DataSpec(noise=0.2, label_noise=noise) for noise in (0.0, 0.4)]
    found = [known(spec, make_view(spec)).accuracy for spec in made]
    assert found == [bayes_rate("moons", 0.2)] * 2


def test_a_frame_is_judged_lane_by_lane() -> None:
    view = make_view(DataSpec(n_samples=100))
    frame = Frame(20, 20, (lane(20), lane(20, status="diverged")), (view, view))
    readings, verdicts = judge_frame(frame, [DataSpec(n_samples=100)] * 2)
    assert len(readings) == len(verdicts) == 2
    assert verdicts[1].kind == DIVERGED
    assert verdicts[1].to_dict()["kind"] == UNDECIDED, "its status says already that it diverged"
    alone = Frame(20, 20, frame.lanes[:1], (view,))
    assert judge_frame(alone, [DataSpec(n_samples=100)])[1] == verdicts[:1]


def test_a_frame_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match="data"):
        judge_frame(Frame(1, 1, (lane(1),)), [DataSpec()])


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
