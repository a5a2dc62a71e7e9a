"""A transformer's dropout: on the attention weights, and on what a sub-layer adds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def attention_with_dropout(
    q: Array, k: Array, v: Array, p: float, *, training: bool, rng: np.random.Generator
) -> tuple[Array, Array]:
    """One head of attention whose weights are dropped. Returns output (time, width) and weights.

    a = softmax(q·kᵀ/√d), each row a distribution. In training a ← a∘m/(1-p), m_ij = 1 with
    probability 1-p, else 0: rows sum to 1 in expectation only. y = a·v.

    Parameters
    ----------
    q, k, v
        Queries, keys and values, (time, width) each.
    p
        Probability of *dropping* an entry of the attention.

    Source: Vaswani et al. 2017; dropout on the weights as in torch.nn.MultiheadAttention.
    """
    scores = q @ k.T / np.sqrt(q.shape[1])
    a = np.exp(scores - scores.max(axis=1, keepdims=True))
    a /= a.sum(axis=1, keepdims=True)
    if training:
        a = a * (rng.random(a.shape) >= p) / (1 - p)
    return a @ v, a


def residual_dropout(
    x: Array,
    sublayer: Callable[[Array], Array],
    p: float,
    *,
    training: bool,
    rng: np.random.Generator,
) -> Array:
    """A sub-layer with layer norm before it, whose output is dropped before it is added to x.

    y = x + dropout(f(LN(x))), LN(x) = (x - mean)/√(var + ε) of each token. What is dropped of f is
    0, so there x goes through unchanged.

    Parameters
    ----------
    x
        (time, width).
    sublayer
        f: attention or the feed-forward network, (time, width) to (time, width).

    Source: Vaswani et al. 2017, section 5.4; norm first as in Xiong et al. 2020.
    """
    spread = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    y = sublayer((x - x.mean(axis=1, keepdims=True)) / spread)
    if training:
        y = y * (rng.random(y.shape) >= p) / (1 - p)
    return x + y
