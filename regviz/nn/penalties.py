"""Penalties on weights and limits of them, with one strength per lane.

All of them act on weight matrices only, never on biases or the parameters of norms. The penalties'
values take one strength per lane. Their steps, :func:`add_l2_gradient_` and
:func:`soft_threshold_`, work on all weights in one flat vector and take one number for all lanes
or one per weight.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def l1_penalty(weights: Float[Tensor, "lanes n"], l1: Float[Tensor, " lanes"]) -> Tensor:
    """L1 penalty l1·Σ|w| of each lane. Returns (lanes,).

    Source: Tibshirani 1996, "Regression shrinkage and selection via the lasso".
    """
    return l1 * weights.abs().sum(dim=1)


def l2_penalty(weights: Float[Tensor, "lanes n"], l2: Float[Tensor, " lanes"]) -> Tensor:
    """L2 penalty ½·l2·Σw² of each lane; the ½ makes its gradient l2·w. Returns (lanes,).

    Source: Hoerl & Kennard 1970, "Ridge regression".
    """
    return 0.5 * l2 * weights.square().sum(dim=1)


def add_l2_gradient_(
    gradient: Float[Tensor, " n"], weights: Float[Tensor, " n"], l2: Tensor | float
) -> None:
    """Add the gradient of ½·l2·Σw², which is l2·w, to ``gradient`` in place."""
    if isinstance(l2, float):
        gradient.add_(weights, alpha=l2)
    else:
        gradient.addcmul_(weights, l2)


def soft_threshold_(weights: Float[Tensor, "*n"], threshold: Tensor) -> None:
    """Proximal step of the L1 penalty in place: S(w, k) = sign(w)·max(|w| - k, 0).

    A subgradient step jitters around zero; this one lands on it: where |w| ≤ k the result is
    w - w = 0 exactly, and where k = 0 the weight is left as it is.

    Source: Parikh & Boyd 2014, "Proximal Algorithms", section 6.5.2.
    """
    weights.sub_(torch.clamp(weights, -threshold, threshold))


def limit_norms_(
    weights: Float[Tensor, "lanes inputs units"], limits: Float[Tensor, " lanes"]
) -> None:
    """Max-norm: project the weights into each unit onto a ball, in place.

    w_j ← w_j·min(1, c/‖w_j‖), where column j holds w_j; c = inf sets no limit. Afterwards
    ‖w_j‖ ≤ c exactly: float32 rounds each product by up to 2⁻²⁴ of it, so a vector that is too
    long is scaled to c·(1 - 2⁻²³).

    Source: Srivastava et al. 2014, section 5.1; ``torch.renorm``.
    """
    c = limits.to(torch.float64).view(-1, 1, 1)
    norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True, dtype=torch.float64)
    weights.mul_(torch.where(norms > c, c * (1 - 2**-23) / norms, 1.0))
