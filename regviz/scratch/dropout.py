"""Dropout from scratch: mask, scaling, forward and backward, in both conventions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dropout_forward(
    x: Array, p: float, *, training: bool, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Inverted dropout: y = x·m/(1-p) in training, y = x in evaluation.

    m is 0 with probability p (*drop*) and 1 otherwise, so E[y] = x and Var[y] = x²·p/(1-p).
    Returns y and the scaled mask, both shaped like x (batch, units).

    Raises ``ValueError`` unless 0 <= p < 1. Source: Srivastava et al. 2014; torch.nn.Dropout.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p: got {p}; give a probability of dropping from 0 up to below 1.")
    if not training:
        return x, np.ones_like(x)
    kept = rng.random(x.shape) >= p
    mask = kept / (1 - p)
    return x * mask, mask


def dropout_backward(dy: Array, mask: Array) -> Array:
    """dL/dx = dL/dy · mask: what was dropped learns nothing, what was kept is scaled alike."""
    return dy * mask


def classic_dropout(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """Classic dropout (Srivastava et al. 2014): y = x·m in training, y = (1-p)·x at test time.

    The same expectation, (1-p)·x, in both modes: the whole layer just lives at a smaller scale.
    The paper's own p is the probability of *keeping*; here p is of dropping throughout.
    """
    if not training:
        return (1 - p) * x
    kept = rng.random(x.shape) >= p
    return x * kept


def alpha_dropout_forward(
    x: Array, p: float, *, training: bool, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Alpha dropout: y = a·(x where kept, α' where dropped) + b in training, y = x in evaluation.

    α' = -1.7581 is what SELU tends to for very negative inputs. With q = 1 - p,
    a = (q + α'²·q·(1-q))^(-1/2) and b = -a·(1-q)·α' bring back mean 0 and variance 1, if x had
    them: so it is with SELU, and with no other activation here. Returns y and which units were
    kept, both shaped like x (batch, units).

    Raises ``ValueError`` unless 0 <= p < 1. Source: Klambauer et al. 2017; torch.nn.AlphaDropout.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p: got {p}; give a probability of dropping from 0 up to below 1.")
    if not training:
        return x, np.ones_like(x)
    alpha, q = -1.7580993408473766, 1 - p
    kept = rng.random(x.shape) >= p
    a = (q + alpha**2 * q * (1 - q)) ** -0.5
    b = -a * (1 - q) * alpha
    return a * np.where(kept, x, alpha) + b, kept.astype(np.float64)


def spatial_dropout_forward(
    x: Array, p: float, *, training: bool, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Spatial dropout: a map is kept whole, times 1/(1-p), or dropped whole: y = x·m/(1-p).

    One m for all places of a map, 0 with probability p, so E[y] = x as in dropout. x is
    (batch, channels, rows, columns) or of any number of places; m is (batch, channels, 1, 1).

    Raises ``ValueError`` unless 0 <= p < 1. Source: Tompson et al. 2015; torch.nn.Dropout2d.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p: got {p}; give a probability of dropping from 0 up to below 1.")
    places = (1,) * (x.ndim - 2)
    if not training:
        return x, np.ones((*x.shape[:2], *places))
    kept = rng.random(x.shape[:2]) >= p
    mask = kept.reshape(*x.shape[:2], *places) / (1 - p)
    return x * mask, mask
