"""Noise from scratch: on inputs, on labels, and the penalty that the first one amounts to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noisy_inputs(x: Array, sigma: float, *, training: bool, rng: np.random.Generator) -> Array:
    """x̃ = x + σ·ε in training, ε standard normal and new in every step; x̃ = x in use.

    E[x̃] = x and Var[x̃] = σ². x is (samples, features).

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """
    if not training:
        return x
    return x + sigma * rng.standard_normal(x.shape)


def flipped_labels(
    y: NDArray[np.int64], share: float, n_classes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Each label becomes another class with probability ``share``, all others equally likely.

    Of n labels about share·n are wrong. Source: Angluin & Laird 1988 (random label noise).
    """
    wrong = rng.random(len(y)) < share
    other = (y + rng.integers(1, n_classes, len(y))) % n_classes
    return np.where(wrong, other, y)


def noise_penalty(w: Array, sigma: float, n: int) -> float:
    """What noise on the inputs of a linear model adds to its squared error: n·σ²·‖w‖².

    E‖y - (X + σE)w‖² = ‖y - Xw‖² + n·σ²·‖w‖²: ridge regression with λ = n·σ².

    Source: Bishop 1995.
    """
    return n * sigma**2 * float(np.square(w).sum())
