"""Gradient clipping from scratch: a gradient that is too long keeps its direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def global_norm(gradients: list[Array]) -> float:
    """‖g‖ = √Σg² over all parameters of the model together, weights and biases."""
    return float(np.sqrt(sum(np.square(g).sum() for g in gradients)))


def clip_gradients(gradients: list[Array], c: float) -> list[Array]:
    """g ← g·min(1, c/(‖g‖ + 10⁻⁶)): the step is shorter, its direction is the same.

    The 10⁻⁶ is torch's. Source: Pascanu et al. 2013, "On the difficulty of training recurrent
    neural networks"; ``torch.nn.utils.clip_grad_norm_``.
    """
    scale = min(1.0, c / (global_norm(gradients) + 1e-6))
    return [g * scale for g in gradients]
