"""Noise on the inputs of a linear model is a ridge penalty: dropout and Gaussian noise.

Full-batch gradient steps on ½‖y - X̃w‖²/n with a new noisy X̃ at each step. The iterate itself does
not converge; the mean over its second half converges to the minimizer of the expected loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame, observed_steps
from regviz.scratch.dropout import dropout_forward

Array = NDArray[np.float64]


def regression(
    n: int, d: int, seed: int, *, correlation: float = 0.3
) -> tuple[Array, Array, Array]:
    """Draw X (n, d), y (n,) and the true weights (d,), every second one of them 0.

    Features have scales from 0.5 to 1.5 and share a common component; y has noise of standard
    deviation 1.
    """
    rng = stream(seed, 1)
    common = rng.standard_normal((n, 1))
    x = np.sqrt(1 - correlation) * rng.standard_normal((n, d)) + np.sqrt(correlation) * common
    x *= np.linspace(0.5, 1.5, d)
    true = np.where(np.arange(d) % 2 == 0, 1.0, 0.0) * (2 - np.arange(d) / d)
    return x, x @ true + rng.standard_normal(n), true


def ridge(x: Array, y: Array, strength: Array | float) -> NDArray[Any]:
    """Minimizer of ‖y - Xw‖² + Σⱼ strengthⱼ·wⱼ²: (XᵀX + diag(strength))⁻¹Xᵀy. Returns (d,).

    Source: Hoerl & Kennard 1970, "Ridge regression".
    """
    d = x.shape[1]
    return np.linalg.solve(x.T @ x + np.diag(np.broadcast_to(strength, d)), x.T @ y)


def dropout_ridge(
    p: float, n_samples: int, n_features: int, steps: int, seed: int
) -> Iterator[LabFrame]:
    """Inverted input dropout on a linear model is a ridge penalty scaled by the data.

    With q = 1 - p: E‖y - (M∘X/q)w‖² = ‖y - Xw‖² + p/q·Σⱼ wⱼ²Σᵢ xᵢⱼ², minimized by
    (XᵀX + p/q·diag XᵀX)⁻¹Xᵀy.

    A linear model on y = Xw* + noise, trained by full-batch SGD with a new mask on the inputs at
    each step. Arrays: ``step`` (t,); ``weights`` (t, d), the iterate; ``averaged`` (t, d), the mean
    of its second half so far; ``closed_form`` (d,), the minimizer (XᵀX + diag(strength))⁻¹Xᵀy;
    ``least_squares`` (d,), the same without a penalty; ``true`` (d,); ``strength`` (d,), added to
    the diagonal: p/q·Σᵢxᵢⱼ²; ``gap`` (t,). Values: ``gap`` = max|averaged - closed form|/max|closed
    form|; ``gap_least_squares``, the same against the minimizer without a penalty.

    Source: Srivastava et al. 2014, section 9.1; Wager et al. 2013.
    """
    x, y, true = regression(n_samples, n_features, seed)
    rng = stream(seed, 2)

    def noisy() -> Array:
        return dropout_forward(x, p, training=True, rng=rng)[0]

    strength = p / (1 - p) * np.square(x).sum(axis=0)
    yield from _descend(x, y, true, noisy, strength, steps)


def noise_ridge(
    sigma: float, n_samples: int, n_features: int, steps: int, seed: int
) -> Iterator[LabFrame]:
    """Gaussian noise on the inputs of a linear model is a ridge penalty n·σ²‖w‖².

    E‖y - (X + σE)w‖² = ‖y - Xw‖² + n·σ²‖w‖².

    A linear model on y = Xw* + noise, trained by full-batch SGD with new noise on the inputs at
    each step. Arrays: ``step`` (t,); ``weights`` (t, d), the iterate; ``averaged`` (t, d), the mean
    of its second half so far; ``closed_form`` (d,), the minimizer (XᵀX + diag(strength))⁻¹Xᵀy;
    ``least_squares`` (d,), the same without a penalty; ``true`` (d,); ``strength`` (d,), added to
    the diagonal: n·σ²; ``gap`` (t,). Values: ``gap`` = max|averaged - closed form|/max|closed
    form|; ``gap_least_squares``, the same against the minimizer without a penalty.

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """
    x, y, true = regression(n_samples, n_features, seed)
    rng = stream(seed, 2)

    def noisy() -> Array:
        return x + sigma * rng.standard_normal(x.shape)

    strength = np.full(n_features, n_samples * sigma**2)
    yield from _descend(x, y, true, noisy, strength, steps)


def _descend(
    x: Array, y: Array, true: Array, noisy: Callable[[], Array], strength: Array, steps: int
) -> Iterator[LabFrame]:
    n, d = x.shape
    closed, least_squares = ridge(x, y, strength), ridge(x, y, 0.0)
    # half of the largest stable rate for the expected loss, because a single X̃ may be larger
    lr = 0.5 * n / np.linalg.eigvalsh(x.T @ x + np.diag(strength))[-1]
    w, total = np.zeros(d), np.zeros((steps + 1, d))
    at = observed_steps(steps, 200)
    path, averaged, gap = np.empty((len(at), d)), np.empty((len(at), d)), np.empty(len(at))
    frame = 0
    for t in range(1, steps + 1):
        seen = noisy()
        w -= lr / n * (seen.T @ (seen @ w - y))
        total[t] = total[t - 1] + w
        if t != at[frame]:
            continue
        path[frame] = w
        averaged[frame] = (total[t] - total[t // 2]) / (t - t // 2)
        gap[frame] = _relative(averaged[frame], closed)
        frame += 1
        yield LabFrame(
            step=frame,
            steps=len(at),
            arrays={
                "step": at[:frame],
                "weights": path[:frame],
                "averaged": averaged[:frame],
                "gap": gap[:frame],
                "closed_form": closed,
                "least_squares": least_squares,
                "true": true,
                "strength": strength,
            },
            values={
                "gap": float(gap[frame - 1]),
                "gap_least_squares": _relative(averaged[frame - 1], least_squares),
            },
        )


def _relative(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())
