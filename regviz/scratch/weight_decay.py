"""Weight decay from scratch, and why it is an L2 penalty under SGD but not under Adam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sgd_step(w: Array, gradient: Array, lr: float, weight_decay: float) -> Array:
    """SGD with weight decay: w ← (1 - η·λ)·w - η·g.

    That is w - η·(g + λw), the step on the loss with ½·λ·Σw² added: under plain SGD the two are
    one. Source: Krogh & Hertz 1991; torch.optim.SGD.
    """
    return (1 - lr * weight_decay) * w - lr * gradient


def adam_step(
    w: Array,
    gradient: Array,
    m: Array,
    v: Array,
    t: int,
    *,
    lr: float,
    weight_decay: float,
    decoupled: bool,
) -> tuple[Array, Array, Array]:
    """Step t (from 1) of Adam or, ``decoupled``, AdamW. Returns w, m, v.

    Adam: g ← g + λw goes through the division by √v̂, so weights with large gradients are decayed
    *less*. AdamW: w ← (1 - η·λ)·w first, the same share for all.

    Source: Kingma & Ba 2015; Loshchilov & Hutter 2019, arXiv 1711.05101.
    """
    if decoupled:
        w = (1 - lr * weight_decay) * w
    else:
        gradient = gradient + weight_decay * w
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + 1e-8), m, v
