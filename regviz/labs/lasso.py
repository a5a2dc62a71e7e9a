"""The lasso: proximal SGD against soft-thresholding; whole paths as lanes of one stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame, observed_steps
from regviz.labs.ridge import ridge
from regviz.nn.layers import Parameters
from regviz.nn.optimizers import SGD, Strengths
from regviz.scratch.penalties import soft_threshold

Array = NDArray[np.float64]
_LAMBDAS = 40


class LassoStack:
    """Lanes of ½‖y - Xw‖² + λ‖w‖₁, trained with the core's proximal SGD, one λ per lane.

    ``gram`` (lanes, d, d) holds each lane's XᵀX, ``moment`` (lanes, d) its Xᵀy.
    """

    def __init__(self, gram: Array, moment: Array, l1: Array) -> None:
        lanes, d = moment.shape
        self.parameters = Parameters(lanes, [("weight", (d, 1), True)], "cpu")
        self.gram = torch.tensor(gram, dtype=torch.float32)
        self.moment = torch.tensor(moment[:, :, None], dtype=torch.float32)
        rates = [float(1 / np.linalg.eigvalsh(g)[-1]) for g in gram]
        self.optimizer = SGD(self.parameters, Strengths(lr=rates, l1=list(map(float, l1))))

    def step(self) -> None:
        """Take one full-batch step: gradient XᵀXw - Xᵀy, then the soft-threshold."""
        w = self.parameters["weight"]
        torch.baddbmm(self.moment, self.gram, w, beta=-1, out=self.parameters.grad("weight"))
        self.optimizer.step()

    def weights(self) -> Array:
        """Return the weights, (lanes, d)."""
        return self.parameters["weight"].squeeze(2).numpy().astype(np.float64)


def kkt(gram: Array, moment: Array, w: Array, l1: float) -> tuple[float, float]:
    """Return the violation of the lasso's optimality conditions by w, with r = y - Xw.

    The first number is the largest excess of |Xⱼᵀr| over λ where wⱼ = 0, the second the largest
    |Xⱼᵀr - λ·sign wⱼ| elsewhere. Source: Hastie et al. 2015, section 5.2.
    """
    pull = moment - gram @ w
    zero = w == 0
    excess = np.maximum(np.abs(pull[zero]) - l1, 0)
    active = np.abs(pull[~zero] - l1 * np.sign(w[~zero]))
    return float(excess.max(initial=0.0)), float(active.max(initial=0.0))


def l1_path(
    strength: float, correlation: float, n_samples: int, n_features: int, steps: int, seed: int
) -> Iterator[LabFrame]:
    """The path of the lasso over λ: w = S(Xᵀy, λ) for orthonormal X, all zero for λ ≥ ‖Xᵀy‖∞.

    One stack of lasso problems by proximal SGD, one lane per λ; lanes 0…39 on orthonormal X,
    lanes 40…79 on correlated X. Arrays: ``lambda`` and ``lambda_correlated`` (40,), descending
    from 1.1·λ_max to 0; ``measured``, ``closed_form`` (40, d): S(Xᵀy, λ); ``lasso``, ``ridge``
    (40, d) on correlated X; ``zeros`` (40,) int64: exact zeros of ``lasso``; ``true`` (d,).
    Geometry of two weights at λ = strength·λ_max: ``axis`` (61,), ``loss`` (61, 61) (row w₁,
    column w₀), and the points (2,): ``minimum``, ``point_l1``, ``point_l2``. Values: ``gap`` =
    max|measured - closed form|; ``lambda_max``, ``lambda_max_correlated``; ``kkt`` = max
    violation of |Xⱼᵀr| ≤ λ at zeros, ``kkt_active`` = max|Xⱼᵀr - λ·sign wⱼ| at the others, both
    as a share of λ_max; ``radius_l1`` (Σ|w| of the diamond through ``point_l1``), ``radius_l2``
    (‖w‖ of the disc), ``loss_at_points``, the same for both; ``iterations`` so far.

    Source: Tibshirani 1996; Parikh & Boyd 2014.
    """
    d = n_features
    rng = stream(seed, 1)
    true = np.where(np.arange(d) % 2 == 0, 3.0, 0.0) * (1 - 0.8 * np.arange(d) / d)
    true *= np.where(np.arange(d) % 4 == 0, 1.0, -1.0)
    x = np.sqrt(1 - correlation) * rng.standard_normal((n_samples, d))
    x += np.sqrt(correlation) * rng.standard_normal((n_samples, 1))
    noise = rng.standard_normal(n_samples)
    # orthonormal: XᵀX = 1, so Xᵀy is the least-squares solution
    problems = {"orthonormal": np.linalg.qr(x)[0], "correlated": x / np.sqrt(n_samples)}
    moments, grams, lambdas = {}, {}, {}
    for kind, inputs in problems.items():
        y = inputs @ true + noise * (0.3 if kind == "orthonormal" else 1 / np.sqrt(n_samples))
        moments[kind], grams[kind] = inputs.T @ y, inputs.T @ inputs
        lambdas[kind] = np.linspace(1.1, 0, _LAMBDAS) * np.abs(moments[kind]).max()
    stack = LassoStack(
        np.concatenate([np.broadcast_to(g, (_LAMBDAS, d, d)) for g in grams.values()]),
        np.concatenate([np.broadcast_to(m, (_LAMBDAS, d)) for m in moments.values()]),
        np.concatenate(list(lambdas.values())),
    )
    largest = {kind: float(np.abs(m).max()) for kind, m in moments.items()}
    closed = np.stack([soft_threshold(moments["orthonormal"], k) for k in lambdas["orthonormal"]])
    root = np.linalg.cholesky(grams["correlated"] + 1e-12 * np.eye(d))
    target = np.linalg.solve(root, moments["correlated"])
    shrunk = np.stack([ridge(root.T, target, k) for k in lambdas["correlated"]])
    picture, values = _geometry(strength)
    at = observed_steps(steps, 80)
    for t in range(1, steps + 1):
        stack.step()
        if t not in at:
            continue
        w = stack.weights()
        measured, path = w[:_LAMBDAS], w[_LAMBDAS:]
        checks = [
            kkt(grams["correlated"], moments["correlated"], lane, k)
            for lane, k in zip(path, lambdas["correlated"], strict=True)
        ]
        yield LabFrame(
            step=int(np.searchsorted(at, t)) + 1,
            steps=len(at),
            arrays={
                "lambda": lambdas["orthonormal"],
                "lambda_correlated": lambdas["correlated"],
                "measured": measured,
                "closed_form": closed,
                "lasso": path,
                "ridge": shrunk,
                "zeros": (path == 0).sum(axis=1),
                "true": true,
                **picture,
            },
            values={
                "gap": float(np.abs(measured - closed).max()),
                "lambda_max": largest["orthonormal"],
                "lambda_max_correlated": largest["correlated"],
                "kkt": max(c[0] for c in checks) / largest["correlated"],
                "kkt_active": max(c[1] for c in checks) / largest["correlated"],
                "iterations": t,
                **values,
            },
        )


def _geometry(strength: float) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """A quadratic loss of two weights, and the points where the L1 diamond and L2 disc touch it.

    The L1 point minimizes the loss + λ‖w‖₁, λ = strength·λ_max. The L2 point is the ridge solution
    with the same loss, so that both penalties cost equal fit.
    """
    gram, minimum = np.array([[1.0, 0.45], [0.45, 0.8]]), np.array([0.55, 1.5])
    moment = gram @ minimum
    lam = strength * float(np.abs(moment).max())
    w1 = minimum.copy()
    for _ in range(2000):
        w1 = soft_threshold(w1 - 0.6 * (gram @ w1 - moment), 0.6 * lam)

    def loss(w: Array) -> float:
        return float(0.5 * (w - minimum) @ gram @ (w - minimum))

    low, high = 0.0, 1e6  # bisect the ridge's λ for the same loss, which grows with λ
    for _ in range(200):
        middle = (low + high) / 2
        w2 = np.linalg.solve(gram + middle * np.eye(2), moment)
        low, high = (middle, high) if loss(w2) < loss(w1) else (low, middle)
    axis = np.linspace(-1.0, 2.5, 61)
    away = np.stack(np.meshgrid(axis, axis), axis=-1) - minimum  # [..., 0] is w₀
    bowl = 0.5 * np.einsum("rci,ij,rcj->rc", away, gram, away)
    arrays = {"axis": axis, "loss": bowl, "minimum": minimum, "point_l1": w1, "point_l2": w2}
    radii = {
        "radius_l1": float(np.abs(w1).sum()),
        "radius_l2": float(np.linalg.norm(w2)),
        "loss_at_points": loss(w1),
    }
    return arrays, radii
