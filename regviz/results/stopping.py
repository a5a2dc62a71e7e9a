"""Early stopping as a pure state machine: fed one validation loss after another, it says whether
to go on. It knows nothing of networks, so it can be tested with a list of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from regviz.specs import EarlyStoppingSpec


@dataclass(frozen=True)
class StopState:
    """What early stopping remembers: lowest loss, its epoch, epochs since (``wait``), and the
    epoch after which it stopped (0 while it has not)."""

    best: float = math.inf
    best_epoch: int = 0
    wait: int = 0
    stopped_epoch: int = 0


def watch(
    state: StopState, epoch: int, val_loss: float, rule: EarlyStoppingSpec | None
) -> StopState:
    """Take in one epoch: stop after ``patience`` epochs in a row without an improvement.

    An improvement is ``val_loss < best - min_delta``; NaN never is one. Without a ``rule`` only
    the best epoch is followed. ``patience`` 0 and 1 both stop at the first epoch without one.

    Source: Keras, ``keras.callbacks.EarlyStopping``.
    """
    if val_loss < state.best - (rule.min_delta if rule else 0.0):
        return replace(state, best=val_loss, best_epoch=epoch, wait=0)
    wait = state.wait + 1
    stop = rule is not None and wait >= rule.patience
    return replace(state, wait=wait, stopped_epoch=epoch if stop else 0)


def trace(val_losses: Sequence[float], rule: EarlyStoppingSpec | None) -> list[StopState]:
    """Return the state after each epoch of a stored run, up to the stop that ``rule`` says.

    What a rule does depends on the losses alone: so one run that was trained to its last epoch
    tells what every patience would have done, without training again.
    """
    states, state = [], StopState()
    for epoch, loss in enumerate(val_losses, start=1):
        state = watch(state, epoch, loss, rule)
        states.append(state)
        if state.stopped_epoch:
            break
    return states
