"""Early stopping as a state machine: scripted losses, counted by hand after Keras' rule."""

from __future__ import annotations

import math

import pytest

from regviz.specs import EarlyStoppingSpec
from regviz.stopping import StopState, watch


def feed(losses: list[float], rule: EarlyStoppingSpec | None) -> StopState:
    """Feed losses until the machine stops."""
    state = StopState()
    for epoch, loss in enumerate(losses, start=1):
        state = watch(state, epoch, loss, rule)
        if state.stopped_epoch:
            break
    return state


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "best_epoch", "stopped_epoch"),
    [
        ([5, 4, 3, 2, 1], 2, 0.0, 5, 0),
        ([5, 4, 4, 4], 2, 0.0, 2, 4),
        ([5, 4, 4.5, 3, 3.5, 3.2], 2, 0.0, 4, 6),
        ([5, 4, 4, 3.9, 4, 4], 2, 0.0, 4, 6),
        # 0.5 better is not better by more than 0.5; 0.6 is
        ([5, 4.5, 4.5], 2, 0.5, 1, 3),
        ([5, 4.4, 4.4], 2, 0.5, 2, 0),
        # NaN is never an improvement, and inf neither
        ([math.nan, math.nan], 2, 0.0, 0, 2),
        ([5, math.nan, 4, math.inf], 2, 0.0, 3, 0),
        # patience 0 and 1 both stop at the first epoch without an improvement
        ([5, 5], 0, 0.0, 1, 2),
        ([5, 5], 1, 0.0, 1, 2),
    ],
)
def test_scripts(
    losses: list[float], patience: int, min_delta: float, best_epoch: int, stopped_epoch: int
) -> None:
    state = feed(losses, EarlyStoppingSpec(patience=patience, min_delta=min_delta))
    assert (state.best_epoch, state.stopped_epoch) == (best_epoch, stopped_epoch)


def test_slow_improvements_below_min_delta_are_measured_from_the_last_best() -> None:
    # Keras compares with the best loss so far, not with the epoch before
    state = feed([1.0, 0.7, 0.4], EarlyStoppingSpec(patience=5, min_delta=0.5))
    assert (state.best, state.best_epoch, state.wait) == (0.4, 3, 0)


def test_without_a_rule_the_best_epoch_is_followed_and_nothing_stops() -> None:
    state = feed([3.0, 1.0, *[2.0] * 500], None)
    assert (state.best_epoch, state.stopped_epoch, state.wait) == (2, 0, 500)
