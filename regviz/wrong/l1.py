"""WRONG L1, twice; the right step is ``elastic_net_update`` in :mod:`regviz.scratch.penalties`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wrong_l1_subgradient_step(w: Array, gradient: Array, lr: float, l1: float) -> Array:
    """WRONG where zeros are wanted: adds λ·sign(w) to the gradient, as autograd does with
    ``l1 * w.abs().sum()`` in the loss.

    The pull has the same size however small the weight, so a weight that should be 0 jumps from
    one side of it to the other and never is 0. The right step is the soft-threshold.

    Source: Parikh & Boyd 2014, "Proximal Algorithms", section 4.2.
    """
    return w - lr * (gradient + l1 * np.sign(w))


def wrong_l1_kill_step(
    w: Array, alive: NDArray[np.bool_], gradient: Array, lr: float, l1: float
) -> tuple[Array, NDArray[np.bool_]]:
    """WRONG: sets a weight to 0 for good when the penalty's pull takes it across zero.

    A weight that starts on the wrong side has to pass zero on its way; where the penalty happens
    to give it the last push, it dies there, though the data want it. The soft-threshold gives
    exact zeros, too, but a weight leaves zero again as soon as its gradient is larger than λ.

    Source: TensorFlow Playground, src/nn.ts (``isDead``).
    """
    moved = w - lr * gradient
    pulled = moved - lr * l1 * np.sign(w)
    alive = alive & (moved * pulled >= 0)
    return pulled * alive, alive
