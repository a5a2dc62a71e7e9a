"""Facts of a picture: where marks lie, how far axes reach, where the ½ line runs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regviz.figures import info
from tests.live_page import made_up_frame

COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=16).map(lambda half: half + half[::-1])


@given(COUNTS, st.integers(-4, 4), st.sampled_from([0.0, 0.002, 0.1, 0.5]))
def test_no_more_weights_than_allowed_lie_beyond_the_reach_and_one_bin_less_is_too_little(
    counts: list[int], power: int, outside: float
) -> None:
    limit = 2.0**power
    reach = info.histogram_reach(np.array(counts), limit, outside)
    centers = (np.arange(len(counts)) + 0.5) / len(counts) * 2 * limit - limit
    total = sum(counts)
    assert 0 <= reach <= limit
    assert (reach == 0) == (total == 0)

    def beyond(where: float) -> int:
        return int(np.array(counts)[np.abs(centers) > where].sum())

    assert beyond(reach) <= outside * total + 1e-9
    step = 2 * limit / len(counts)
    assert reach <= step or beyond(reach - step) > outside * total - 1e-9


def test_the_bar_of_zeros_does_not_flatten_the_others() -> None:
    rows = [np.array([1, 4]), np.array([2, 0])]
    assert info.histogram_top(rows, [0, 0]) == 4
    assert info.histogram_top(rows, [0, 7]) == 7
    assert info.histogram_top(rows, [0, 1000]) == 4 * info.TALLEST_ZEROS
    assert info.histogram_top([np.zeros(2)], [0]) == 1


def test_marks_lie_on_the_curve_and_only_where_it_has_come_to() -> None:
    lane = made_up_frame("a", 60).lanes[1]
    losses = lane.curve("val_loss")
    (best,) = info.marks(dataclasses.replace(lane, stopped_epoch=0), losses)
    assert (best.kind, best.epoch, best.value) == ("best", 50, losses[49])
    stopped = dataclasses.replace(lane, stopped_epoch=60)
    assert [mark.kind for mark in info.marks(stopped, losses)] == ["best", "stop"]
    assert info.marks(stopped, losses[:20]) == []


def test_a_run_that_diverged_is_marked_at_its_last_epoch() -> None:
    lane = made_up_frame("a", 4, diverged=(math.inf, math.inf)).lanes[0]
    mark = info.marks(lane, lane.curve("val_loss"))[-1]
    assert (mark.kind, mark.epoch) == ("diverged", 4)
    assert not math.isfinite(mark.value)


def test_log_odds_are_odd_about_one_half_and_finite_at_the_ends() -> None:
    odds = info.log_odds(np.arange(256, dtype=np.uint8))
    assert np.isfinite(odds).all()
    assert (np.diff(odds) > 0).all()
    np.testing.assert_allclose(odds, -odds[::-1], atol=1e-12)
    assert info.log_odds(np.array([127.5]))[0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("points", "mode"), [(1, "lines+markers"), (2, "lines+markers"), (3, "lines")]
)
def test_a_curve_of_few_points_shows_them(points: int, mode: str) -> None:
    assert info.line_mode(np.array([*range(points), np.nan, np.inf])) == mode
