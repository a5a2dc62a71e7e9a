"""WRONG early stopping; the correct one is :mod:`regviz.scratch.early_stopping`."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wrong_early_stopping(
    train_losses: Sequence[float], patience: int, min_delta: float = 0.0
) -> tuple[int, int | None]:
    """WRONG: monitors the *training* loss. Returns (best epoch, stopped epoch or None).

    The training loss keeps falling while the network over-fits. So training stops late or never,
    and the "best" weights are the most over-fitted ones. The rule is correct; its input is wrong.

    Source: Prechelt 1998, "Early stopping - but when?".
    """
    best, best_epoch, wait = math.inf, 0, 0
    for epoch, loss in enumerate(train_losses, start=1):  # correct: the validation losses
        if loss < best - min_delta:
            best, best_epoch, wait = loss, epoch, 0
            continue
        wait += 1
        if wait >= patience:
            return best_epoch, epoch
    return best_epoch, None
