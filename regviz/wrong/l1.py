"""WRONG L1, twice; correct: ``elastic_net_update`` in :mod:`regviz.scratch.penalties`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wrong_l1_subgradient_step(w: Array, gradient: Array, lr: float, l1: float) -> Array:
    """WRONG if exact zeros are wanted: adds λ·sign(w) to the gradient, as autograd does for
    ``l1 * w.abs().sum()`` in the loss.

    The step has the same size however small the weight is, so a weight that should be 0 jumps from
    one side of 0 to the other and is never exactly 0. The correct step is soft-thresholding.

    Source: Parikh & Boyd 2014, "Proximal Algorithms", section 4.2.
    """
    return w - lr * (gradient + l1 * np.sign(w))


def wrong_l1_kill_step(
    w: Array, alive: NDArray[np.bool_], gradient: Array, lr: float, l1: float
) -> tuple[Array, NDArray[np.bool_]]:
    """WRONG: sets a weight to 0 permanently when the penalty moves it across zero.

    A weight that starts with the wrong sign has to pass zero. If the penalty causes the crossing,
    the weight dies there, although the solution needs it. Soft-thresholding also gives exact zeros,
    but a weight leaves zero again as soon as its gradient is larger than λ.

    Source: TensorFlow Playground, src/nn.ts (``isDead``).
    """
    moved = w - lr * gradient
    pulled = moved - lr * l1 * np.sign(w)
    alive = alive & (moved * pulled >= 0)
    return pulled * alive, alive
