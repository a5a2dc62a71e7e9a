"""Batch and layer normalization from scratch, running statistics included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    running_mean: Array,
    running_var: Array,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """y = γ·(x - μ)/√(σ² + ε) + β over the batch; x (batch, units), the rest (units,).

    Training takes μ, σ² from this batch and moves the running ones by ``momentum`` (torch's
    convention: the weight of the *new* batch); evaluation uses the running ones. The biased
    variance normalizes, the unbiased one is remembered. One sample has no variance: y is β, and
    the running statistics stay as they are (torch raises an error). Returns y, running mean,
    running var.

    Source: Ioffe & Szegedy 2015; torch.nn.BatchNorm1d.
    """
    if not training:
        y = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
        return y, running_mean, running_var
    n = len(x)
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = gamma * (x - mean) / np.sqrt(var + eps) + beta
    if n > 1:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    return y, running_mean, running_var


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    """y = γ·(x - μ)/√(σ² + ε) + β over the units of each sample: no batch, no running
    statistics, the same in training and evaluation. x (batch, units), γ and β (units,).

    Source: Ba et al. 2016, arXiv 1607.06450; torch.nn.LayerNorm.
    """
    mean = x.mean(axis=1, keepdims=True)
    var = x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta
