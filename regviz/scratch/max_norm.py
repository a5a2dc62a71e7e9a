"""Max-norm from scratch: after every step, no unit's incoming weights are longer than c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def max_norm(w: Array, c: float) -> Array:
    """Project w_j, the weights into unit j, onto the ball of radius c: w_j ← w_j·min(1, c/‖w_j‖).

    ``w`` is (inputs, units): column j holds w_j, without the bias. Unlike a penalty, the limit does
    nothing to a unit that is inside the ball, and it holds after every step, whatever the learning
    rate. Source: Srivastava et al. 2014, section 5.1; Srebro & Shraibman 2005.
    """
    length = np.sqrt(np.square(w).sum(axis=0))
    return w * np.minimum(1.0, c / np.maximum(length, 1e-300))
