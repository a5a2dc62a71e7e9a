"""WRONG weight decay under Adam; the right one is ``decoupled=True`` in
:mod:`regviz.scratch.weight_decay`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wrong_adam_decay_step(
    w: Array, gradient: Array, m: Array, v: Array, t: int, *, lr: float, weight_decay: float
) -> tuple[Array, Array, Array]:
    """WRONG as weight decay: Adam with λw added to the gradient (L2).

    The L2 term is divided by √v̂, too, so a weight with large gradients hardly decays. This is what
    ``torch.optim.Adam(weight_decay=λ)`` does, despite the name. Returns w, m, v.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101.
    """
    gradient = gradient + weight_decay * w  # correct: w ← (1 - lr·λ)·w, separately
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v
