"""Early stopping from scratch: a counter, a best value, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence


def early_stopping(
    val_losses: Sequence[float], patience: int, min_delta: float = 0.0
) -> tuple[int, int | None]:
    """Return (best epoch, stopped epoch or None) for one validation loss an epoch.

    An epoch improves if loss < best - ``min_delta``, best being the lowest so far; stop after
    ``patience`` epochs in a row that do not. NaN never is an improvement. Epochs count from 1;
    the best weights are those of the best epoch, also when the run ends without stopping.

    Source: Prechelt 1998; keras.callbacks.EarlyStopping.
    """
    best, best_epoch, wait = math.inf, 0, 0
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best - min_delta:
            best, best_epoch, wait = loss, epoch, 0
            continue
        wait += 1
        if wait >= patience:
            return best_epoch, epoch
    return best_epoch, None
