"""L1, L2 and elastic net from scratch: value, (sub)gradient, soft-threshold, one update."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def l1_penalty(w: Array, lam: float) -> float:
    """L1 penalty λ·Σ|w|. Source: Tibshirani 1996."""
    return float(lam * np.abs(w).sum())


def l1_subgradient(w: Array, lam: float) -> Array:
    """λ·sign(w): the same pull however small the weight; at 0 anything in [-λ, λ], here 0."""
    return lam * np.sign(w)


def l2_penalty(w: Array, lam: float) -> float:
    """L2 penalty ½·λ·Σw²; the ½ is a convention that makes the gradient λ·w. Source: ridge
    regression, Hoerl & Kennard 1970."""
    return float(0.5 * lam * np.square(w).sum())


def l2_gradient(w: Array, lam: float) -> Array:
    """λ·w: the smaller the weight, the weaker the pull, so it never arrives at 0."""
    return lam * w


def elastic_net_penalty(w: Array, l1: float, l2: float) -> float:
    """λ₁·Σ|w| + ½·λ₂·Σw². Source: Zou & Hastie 2005."""
    return l1_penalty(w, l1) + l2_penalty(w, l2)


def soft_threshold(v: Array, k: float) -> Array:
    """S(v, k) = sign(v)·max(|v| - k, 0): shrink by k, and what is smaller than k becomes 0.

    It minimizes ½(w - v)² + k·|w|. Source: Parikh & Boyd 2014, section 6.5.2.
    """
    return np.sign(v) * np.maximum(np.abs(v) - k, 0.0)


def elastic_net_update(w: Array, gradient: Array, lr: float, l1: float, l2: float) -> Array:
    """One proximal gradient step: w ← S(w - η·g, η·λ₁)/(1 + η·λ₂), weights only, no biases.

    ``gradient`` is that of the data loss alone. l2 = 0 gives the L1 step with its exact zeros,
    l1 = 0 a ridge step. Source: Parikh & Boyd 2014.
    """
    return soft_threshold(w - lr * gradient, lr * l1) / (1 + lr * l2)
