"""Label smoothing sets a finite target for the gap between logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame, observed_steps
from regviz.scratch.label_smoothing import cross_entropy, logit_gap, soft_targets

Array = NDArray[np.float64]
_SAMPLES = 5


def label_smoothing_gap(
    epsilon: float, n_classes: int, lr: float, steps: int, seed: int
) -> Iterator[LabFrame]:
    """Free logits of five samples, trained on soft targets; their gap tends to ln(1 + K(1-ε)/ε).

    Gradient of the cross-entropy: softmax(z) - target. Its minimum is the entropy of the targets,
    H(t) = -Σ t·log t. Without smoothing the minimum is not reached: the gap keeps growing.

    Arrays: ``step`` (t,); ``logit_gap`` (t, 5) = z_true - mean of the others; ``loss`` (t,);
    ``target`` (K,), ``softmax`` (K,) of the first sample, true class first. Values: ``closed_form``
    = ln(1 + K(1-ε)/ε) (inf for ε = 0), ``smallest_loss`` = H(target), ``gap`` = |mean logit gap -
    closed form|, ``gap_loss`` = loss - H(target).

    Source: Szegedy et al. 2016; Müller et al. 2019, arXiv 1906.02629.
    """
    z = stream(seed, 1).standard_normal((_SAMPLES, n_classes))
    y = np.zeros(_SAMPLES, np.int64)  # the true class comes first
    target = soft_targets(y, n_classes, epsilon)
    positive = target[0][target[0] > 0]
    smallest = float(-(positive * np.log(positive)).sum())
    closed = logit_gap(n_classes, epsilon)
    at = observed_steps(steps)
    gaps, losses = np.empty((len(at), _SAMPLES)), np.empty(len(at))
    frame = 0
    for t in range(1, steps + 1):
        z = z - lr * (_softmax(z) - target)
        if t != at[frame]:
            continue
        gaps[frame] = z[:, 0] - z[:, 1:].mean(axis=1)
        losses[frame] = cross_entropy(z, target)
        frame += 1
        yield LabFrame(
            step=frame,
            steps=len(at),
            arrays={
                "step": at[:frame],
                "logit_gap": gaps[:frame],
                "loss": losses[:frame],
                "target": target[0],
                "softmax": _softmax(z)[0],
            },
            values={
                "closed_form": closed,
                "smallest_loss": smallest,
                "gap": float(abs(gaps[frame - 1].mean() - closed)),
                "gap_loss": float(losses[frame - 1] - smallest),
            },
        )


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
