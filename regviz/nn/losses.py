"""The loss of each sample, its targets, and whether the prediction is correct."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def soft_targets(
    y: Int[Tensor, "lanes n"], n_classes: int, epsilon: Float[Tensor, "lanes 1 1"] | float = 0.0
) -> Float[Tensor, "lanes n outputs"]:
    """Return smoothed targets (1 - ε)·one-hot + ε/K; for two classes the target of class 1 alone.

    ε = 0 gives hard targets.

    Source: Szegedy et al. 2016; ``torch.nn.CrossEntropyLoss(label_smoothing=ε)``.
    """
    if n_classes == 2:
        hard = y.unsqueeze(2).to(torch.float32)
    else:
        hard = functional.one_hot(y, n_classes).to(torch.float32)
    return hard * (1 - epsilon) + epsilon / n_classes


def cross_entropy(
    logits: Float[Tensor, "lanes n outputs"], targets: Float[Tensor, "lanes n outputs"]
) -> Float[Tensor, "lanes n"]:
    """Cross-entropy of each sample in nats, against hard or soft targets.

    One output: log(1 + e^z) - t·z. Several: logΣe^z - Σ t·z.

    Source: ``torch.nn.BCEWithLogitsLoss`` and ``torch.nn.CrossEntropyLoss``.
    """
    if logits.shape[2] == 1:
        return (functional.softplus(logits) - targets * logits).squeeze(2)
    return torch.logsumexp(logits, 2) - (targets * logits).sum(dim=2)


def cross_entropy_gradient(
    logits: Float[Tensor, "lanes n outputs"], targets: Float[Tensor, "lanes n outputs"]
) -> Float[Tensor, "lanes n outputs"]:
    """d(mean cross-entropy)/d(logits) = (p - t)/n, p the sigmoid or softmax of the logits."""
    p = torch.sigmoid(logits) if logits.shape[2] == 1 else torch.softmax(logits, 2)
    return p.sub_(targets).mul_(1 / logits.shape[1])


def loss_and_correct(
    logits: Float[Tensor, "lanes n outputs"], y: Int[Tensor, "lanes n"], n_classes: int
) -> tuple[Float[Tensor, "lanes n"], Float[Tensor, "lanes n"]]:
    """Return the loss of each sample in nats, and 1 where its label is predicted, else 0."""
    predicted = (logits.squeeze(2) > 0).long() if n_classes == 2 else logits.argmax(dim=2)
    correct = (predicted == y).to(torch.float32)
    return cross_entropy(logits, soft_targets(y, n_classes)), correct
