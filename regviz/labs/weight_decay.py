"""Weight decay and the L2 penalty: the same under SGD, different under Adam."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame
from regviz.nn.layers import Parameters
from regviz.nn.optimizers import OPTIMIZERS, Strengths
from regviz.scratch.weight_decay import sgd_step

_SCALES = (1.0, 2.0, 4.0, 8.0)
_SAMPLES = 64


def decay_equivalence(weight_decay: float, lr: float, steps: int, seed: int) -> Iterator[LabFrame]:
    """½·λ‖w‖² in the loss against w ← (1 - η·λ)·w: one path under SGD, two under Adam.

    One linear regression with features on scales 1 to 8, the same mini-batches of 16 for all four
    optimizers. The L2 runs and AdamW are the core's optimizers; ``sgd_decay`` is the NumPy twin,
    which shrinks the weights directly (decoupled decay).

    Arrays: ``step`` (t,); ``sgd_l2``, ``sgd_decay``, ``adam_l2``, ``adamw`` (t, 4): the weights;
    ``norms`` (t, 4): their ‖w‖ in this order; ``gap_sgd``, ``gap_adam`` (t,) = max|difference of
    the pair|; ``scale`` (4,) of the features. Values: ``gap_sgd``, ``gap_adam``, the largest so
    far.

    Source: Loshchilov & Hutter 2019, arXiv 1711.05101.
    """
    d = len(_SCALES)
    rng = stream(seed, 1)
    x = rng.standard_normal((_SAMPLES, d)) * np.array(_SCALES)
    y = x @ (1.5 / np.array(_SCALES)) + 0.5 * rng.standard_normal(_SAMPLES)
    start = rng.standard_normal(d) * 0.5

    def core(kind: str, *, l2: float = 0.0, decay: float = 0.0, rate: float) -> _Descent:
        return _Descent(kind, start, Strengths([rate], l2=[l2], weight_decay=[decay]))

    # SGD's step must be stable along the largest feature; Adam's does not depend on the scale
    slow = lr * 0.2
    core_runs = {
        "sgd_l2": core("sgd", l2=weight_decay, rate=slow),
        "adam_l2": core("adam", l2=weight_decay, rate=lr),
        "adamw": core("adamw", decay=weight_decay, rate=lr),
    }
    decayed = start.copy()
    names = ("sgd_l2", "sgd_decay", "adam_l2", "adamw")
    paths = {name: np.empty((steps + 1, d)) for name in names}
    for path in paths.values():
        path[0] = start
    for t in range(1, steps + 1):
        batch = rng.permutation(_SAMPLES)[:16]
        gram, moment = x[batch].T @ x[batch] / 16, x[batch].T @ y[batch] / 16
        for name, run in core_runs.items():
            paths[name][t] = run.step(gram, moment)
        decayed = sgd_step(decayed, gram @ decayed - moment, slow, weight_decay)
        paths["sgd_decay"][t] = decayed
        if t % 5 and t != steps:
            continue
        seen = {name: path[: t + 1] for name, path in paths.items()}
        gap_sgd = np.abs(seen["sgd_l2"] - seen["sgd_decay"]).max(axis=1)
        gap_adam = np.abs(seen["adam_l2"] - seen["adamw"]).max(axis=1)
        yield LabFrame(
            step=-(-t // 5),
            steps=-(-steps // 5),
            arrays={
                "step": np.arange(t + 1),
                **seen,
                "norms": np.stack([np.linalg.norm(p, axis=1) for p in seen.values()], axis=1),
                "gap_sgd": gap_sgd,
                "gap_adam": gap_adam,
                "scale": np.array(_SCALES),
            },
            values={"gap_sgd": float(gap_sgd.max()), "gap_adam": float(gap_adam.max())},
        )


class _Descent:
    """One lane of the core's optimizer on a quadratic."""

    def __init__(self, kind: str, start: NDArray[np.float64], strengths: Strengths) -> None:
        self.parameters = Parameters(1, [("weight", (len(start), 1), True)], "cpu")
        self.parameters["weight"][0, :, 0] = torch.from_numpy(start)
        self.optimizer = OPTIMIZERS[kind](self.parameters, strengths)

    def step(self, gram: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float32]:
        """Take one step on ½wᵀGw - mᵀw; return the weights, (d,)."""
        w = self.parameters["weight"][0, :, 0]
        gradient = gram @ w.numpy().astype(np.float64) - moment
        self.parameters.grad("weight")[0, :, 0] = torch.from_numpy(gradient)
        self.optimizer.step()
        return w.numpy()
