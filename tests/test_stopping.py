"""Early stopping as a state machine: scripted losses, counted by hand after Keras' rule."""

from __future__ import annotations

import math

import pytest

from regviz import fit
from regviz.results.stopping import StopState, trace, watch
from regviz.specs import EarlyStoppingSpec, Experiment


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


def test_a_trace_holds_every_epoch_up_to_the_stop() -> None:
    rule = EarlyStoppingSpec(patience=2, min_delta=0.5)
    states = trace([5, 4, 3.8, 3.7, 1.0], rule)
    assert [s.wait for s in states] == [0, 0, 1, 2]
    assert [s.best for s in states] == [5, 4, 4, 4]
    assert states[-1] == feed([5, 4, 3.8, 3.7, 1.0], rule)
    assert trace([], rule) == []


@pytest.mark.parametrize("patience", [1, 4, 12])
def test_a_stored_run_tells_what_another_patience_does(patience: int) -> None:
    # the counterfactual: trained to the end once, and then once more with the rule
    e = Experiment.from_dict(
        {
            "data": {"n_samples": 60},
            "model": {"hidden": [16]},
            "training": {"lr": 0.03, "epochs": 50},
        }
    )
    (full,) = fit([e])
    told = trace(full.frame.curve("val_loss").tolist(), EarlyStoppingSpec(patience=patience))[-1]
    (real,) = fit([e.replace("regularization.early_stopping.patience", patience)])
    assert real.frame.stopped_epoch == told.stopped_epoch > 0
    assert real.frame.best_epoch == told.best_epoch
