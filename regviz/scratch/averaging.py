"""Weight averaging from scratch: an exponential moving average of the weights over the steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def average_weights(path: Array, decay: float) -> Array:
    """Return the averages ā₁ = w₁, āₜ = decay·āₜ₋₁ + (1 - decay)·wₜ of weights over the steps.

    ``path`` is (steps, weights), the weights after each optimizer step. Training goes on from the
    last weights, not from the average: the average is only used to predict. It forgets a step
    after about 1/(1 - decay) further ones. Source: Polyak & Juditsky 1992 (the plain mean);
    Tarvainen & Valpola 2017; ``torch.optim.swa_utils.get_ema_multi_avg_fn``.
    """
    averages = np.array(path, np.float64)
    for t in range(1, len(path)):
        averages[t] = decay * averages[t - 1] + (1 - decay) * path[t]
    return averages
