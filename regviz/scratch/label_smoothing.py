"""Label smoothing from scratch: soft targets, the loss, and what it aims at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def soft_targets(y: NDArray[np.int64], n_classes: int, epsilon: float) -> Array:
    """(1 - ε)·one-hot + ε/K: the right class gets 1 - ε + ε/K, each other one ε/K.

    y (n,) of class numbers; returns (n, K). Source: Szegedy et al. 2016;
    torch.nn.CrossEntropyLoss(label_smoothing=ε).
    """
    return (1 - epsilon) * np.eye(n_classes)[y] + epsilon / n_classes


def cross_entropy(logits: Array, targets: Array) -> float:
    """Mean over samples of -Σ t·log softmax(z), in nats; logits and targets (n, K)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(targets * log_p).sum(axis=1).mean())


def smoothed_cross_entropy(logits: Array, y: NDArray[np.int64], epsilon: float) -> float:
    """Cross-entropy against soft targets; ε = 0 is the usual one."""
    return cross_entropy(logits, soft_targets(y, logits.shape[1], epsilon))


def logit_gap(n_classes: int, epsilon: float) -> float:
    """ln(1 + K(1-ε)/ε): how far the best logits stand apart. Without smoothing there is no best:
    the loss keeps falling as the gap grows. Source: Müller et al. 2019."""
    return math.inf if epsilon == 0 else math.log(1 + n_classes * (1 - epsilon) / epsilon)
