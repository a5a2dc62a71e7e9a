"""Early stopping is nearly ridge: gradient descent after τ steps, compared with ridge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame, observed_steps

Array = NDArray[np.float64]

BOUND, BOUND_AT = 0.2036, 2.513
"""The largest |1 - e⁻ˣ - x/(1 + x)|, which bounds the gap for small steps, and its x = ελτ."""


def descent_share(eigenvalue: Array, lr: float, steps: int) -> NDArray[Any]:
    """1 - (1 - ελ)^τ: share of the solution that gradient descent from 0 has along a direction."""
    return 1 - (1 - lr * eigenvalue) ** steps


def ridge_share(eigenvalue: Array, alpha: float) -> NDArray[Any]:
    """λ/(λ + α): share of the solution that a ridge penalty leaves along a direction."""
    return eigenvalue / (eigenvalue + alpha)


def early_stopping_ridge(
    lr: float, steps: int, n_eigenvalues: int, seed: int
) -> Iterator[LabFrame]:
    """Gradient descent stopped after τ steps against ridge with α = 1/(τε).

    Descent from 0 on ½(w - w*)ᵀH(w - w*) with H = QΛQᵀ, Q a random rotation, Λ from 0.001 to 1; the
    shares of w* are measured along the eigenvectors. For small ελ the two differ by at most 0.2036.
    A larger step exceeds that a little, so the bound for the current ε and τ is computed, too.

    Arrays, (n_eigenvalues,): ``eigenvalue``; ``measured``, the share of the solution in each
    direction after ``step`` steps; ``closed_form`` 1 - (1 - ελ)^τ; ``ridge`` λ/(λ + α). (t,):
    ``step``, ``alpha`` = 1/(τε), ``gap``, the largest |measured - ridge|. Values: ``gap``;
    ``gap_at``, its eigenvalue; ``alpha``; ``error`` = max|measured - closed form|; ``largest_gap``
    so far and ``largest_at_step``; ``bound`` = 0.2036; ``bound_here``, the bound for this ε and τ,
    and ``largest_bound`` over the τ so far.

    Source: Goodfellow et al. 2016, section 7.8; Ali et al. 2019, arXiv 1810.10082.
    """
    rng = stream(seed, 1)
    eigenvalue = np.geomspace(1e-3, 1.0, n_eigenvalues)
    q = np.linalg.qr(rng.standard_normal((n_eigenvalues, n_eigenvalues)))[0]
    hessian = q @ np.diag(eigenvalue) @ q.T
    solution = q @ np.ones(n_eigenvalues)
    w = np.zeros(n_eigenvalues)
    dense = np.geomspace(1e-6, 1.0, 4000)
    at = observed_steps(steps)
    gap, alpha = np.empty(len(at)), np.empty(len(at))
    frame, largest_bound = 0, 0.0
    for t in range(1, steps + 1):
        w -= lr * (hessian @ (w - solution))
        if t != at[frame]:
            continue
        measured = q.T @ w
        closed = descent_share(eigenvalue, lr, t)
        alpha[frame] = 1 / (t * lr)
        ridge = ridge_share(eigenvalue, alpha[frame])
        gap[frame] = np.abs(measured - ridge).max()
        here = np.abs(descent_share(dense, lr, t) - ridge_share(dense, alpha[frame])).max()
        largest_bound = max(largest_bound, float(here))
        worst = int(gap[: frame + 1].argmax())
        frame += 1
        yield LabFrame(
            step=frame,
            steps=len(at),
            arrays={
                "eigenvalue": eigenvalue,
                "measured": measured,
                "closed_form": closed,
                "ridge": ridge,
                "step": at[:frame],
                "alpha": alpha[:frame],
                "gap": gap[:frame],
            },
            values={
                "gap": float(gap[frame - 1]),
                "gap_at": float(eigenvalue[np.abs(measured - ridge).argmax()]),
                "alpha": float(alpha[frame - 1]),
                "error": float(np.abs(measured - closed).max()),
                "largest_gap": float(gap[worst]),
                "largest_at_step": int(at[worst]),
                "bound": BOUND,
                "bound_here": float(here),
                "largest_bound": largest_bound,
            },
        )
