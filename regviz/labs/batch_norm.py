"""Batch norm ignores the scale of the weights before it: f(kW) = f(W), with 1/k of the gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from regviz.frames.lab import LabFrame
from regviz.nn.layers import Activation, BatchNorm, Layer, Linear, Parameters

_FACTORS = np.geomspace(1 / 16, 16, 17)


def batch_norm_scale(width: int, batch: int, seed: int) -> Iterator[LabFrame]:
    """Linear → batch norm → ReLU → linear in training mode, with the first weights times k.

    f(kW) = f(W), so ∂L/∂W at kW is 1/k of that at W: an L2 penalty on such weights changes the
    effective step size, not the function. (At small k, ε in √(σ² + ε) disturbs both a little.) The
    same network without batch norm is computed, too. L is the mean of ½·output².

    One frame per k = 1/16…16. Arrays: ``k`` (m,); ``output_change``, ``output_change_plain`` (m,) =
    max|f(kW) - f(W)|/max|f(W)| with and without batch norm; ``gradient`` (m,) = ‖∂L/∂W‖ at kW,
    ``closed_form`` (m,) = ‖∂L/∂W‖ at W, divided by k. Values: ``gap``, the largest relative
    difference of the last two; ``gap_output``, the largest ``output_change``.

    Source: van Laarhoven 2017, arXiv 1706.05350; Ioffe & Szegedy 2015, section 3.3.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, batch, 4, generator=generator)
    weight = torch.randn(1, 4, width, generator=generator)
    out = torch.randn(1, width, 1, generator=generator) / width**0.5
    base, base_gradient = _pass(x, weight, out, norm=True)
    plain, _ = _pass(x, weight, out, norm=False)
    m = len(_FACTORS)
    change, change_plain, gradient = np.empty(m), np.empty(m), np.empty(m)
    for i, k in enumerate(_FACTORS):
        y, gradient[i] = _pass(x, weight * float(k), out, norm=True)
        y_plain, _ = _pass(x, weight * float(k), out, norm=False)
        change[i] = float((y - base).abs().max() / base.abs().max())
        change_plain[i] = float((y_plain - plain).abs().max() / plain.abs().max())
        closed = base_gradient / _FACTORS[: i + 1]
        seen = slice(0, i + 1)
        yield LabFrame(
            step=i + 1,
            steps=m,
            arrays={
                "k": _FACTORS[seen],
                "output_change": change[seen],
                "output_change_plain": change_plain[seen],
                "gradient": gradient[seen],
                "closed_form": closed,
            },
            values={
                "gap": float(np.abs(gradient[seen] / closed - 1).max()),
                "gap_output": float(change[seen].max()),
            },
        )


def _pass(
    x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor, *, norm: bool
) -> tuple[torch.Tensor, float]:
    """Return the output, (1, batch, 1), and ‖∂L/∂W‖ of the first weights."""
    width = weight.shape[2]
    parameters = Parameters(
        1,
        [
            ("hidden", (4, width), True),
            ("output", (width, 1), True),
            ("hidden.gamma", (1, width), False),
            ("hidden.beta", (1, width), False),
        ],
        "cpu",
    )
    parameters["hidden"].copy_(weight)
    parameters["output"].copy_(out)
    parameters["hidden.gamma"].fill_(1.0)
    first, last = Linear(parameters, "hidden", first=True), Linear(parameters, "output")
    steps = [BatchNorm(parameters, "hidden", torch.zeros(1, 2, width))] if norm else []
    layers: list[Layer] = [first, *steps, Activation("relu"), last]
    y = x
    for layer in layers:
        y = layer.forward(y, True)
    dy = y / y.shape[1]
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return y, float(parameters.grad("hidden").norm())
