"""The numbers of a run: losses, accuracies and gaps of one lane, and how exactly they are measured.

All functions are pure: frames in, values and short texts out. What the numbers mean is judged in
:mod:`regviz.results.verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regviz.frames import LaneFrame

_Z = 1.96  # a normal number is within +-1.96 with probability 95%


@dataclass(frozen=True)
class Reading:
    """The numbers of one lane at the epoch of its weights.

    That epoch is the last one trained, or ``best_epoch`` after early stopping has restored the best
    weights. Losses are data losses in eval mode (nats), without the penalty. Before the first
    epoch all numbers are nan.
    """

    status: str
    epoch: int
    trained: int
    best_epoch: int
    stopped_epoch: int
    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    penalty: float
    best_val_loss: float
    best_train_loss: float
    best_val_accuracy: float
    zeros: int
    weights: int

    @property
    def gap(self) -> float:
        """Generalization gap in accuracy: training minus validation."""
        return self.train_accuracy - self.val_accuracy

    @property
    def loss_gap(self) -> float:
        """Generalization gap in loss: validation minus training."""
        return self.val_loss - self.train_loss

    @property
    def rise(self) -> float:
        """Share by which the validation loss lies above its best."""
        return self.val_loss / self.best_val_loss - 1 if self.best_val_loss > 0 else 0.0


@dataclass(frozen=True)
class Score:
    """An accuracy, the number of points it was measured on, and its 95% interval.

    For a balanced accuracy ``n`` is the effective number of points (:func:`score`).
    """

    value: float
    n: float
    low: float
    high: float
    classes: int


def read(lane: LaneFrame) -> Reading:
    """Return the numbers of ``lane`` at the epoch of its weights."""
    trained = lane.history.shape[1]
    at = min(lane.best_epoch, trained) if lane.restored and lane.best_epoch else trained
    best = min(lane.best_epoch, trained)

    def value(name: str, epoch: int) -> float:
        return float(lane.curve(name)[epoch - 1]) if epoch > 0 else math.nan

    return Reading(
        status=lane.status,
        epoch=at,
        trained=trained,
        best_epoch=lane.best_epoch,
        stopped_epoch=lane.stopped_epoch,
        train_loss=value("train_loss", at),
        val_loss=value("val_loss", at),
        train_accuracy=value("train_accuracy", at),
        val_accuracy=value("val_accuracy", at),
        penalty=value("penalty", at),
        best_val_loss=value("val_loss", best),
        best_train_loss=value("train_loss", best),
        best_val_accuracy=value("val_accuracy", best),
        zeros=int(lane.zeros.sum()),
        weights=sum(inputs * units for inputs, units in lane.shapes),
    )


def size(lane: LaneFrame) -> float:
    """Return ‖w‖, the norm of all weights of a lane's network, biases not among them."""
    return float(np.sqrt(np.square(lane.norms).sum()))


NOTHING = Score(math.nan, 0.0, 0.0, 1.0, 0)
"""The score of no points: nan, anywhere from 0 to 1."""


def interval(value: float, n: float, z: float = _Z) -> tuple[float, float]:
    """Return the confidence interval of a share measured on n points; z = 1.96 gives 95%.

    It is (s + z²/2n ± z √(s(1-s)/n + z²/4n²)) / (1 + z²/n). It stays within 0 and 1 and holds for
    few points, too. For n = 0 it is (0, 1).

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n <= 0:
        return 0.0, 1.0
    middle = value + z**2 / (2 * n)
    half = z * math.sqrt(max(value * (1 - value), 0) / n + z**2 / (4 * n * n))
    scale = 1 + z**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def score(rights: NDArray[np.integer], *, balanced: bool) -> Score:
    """Return the accuracy, or the balanced accuracy: the mean over the classes of each class's
    share of right answers.

    Parameters
    ----------
    rights
        (2, classes): for each class the number of right answers and the number of points.
    balanced
        Whether each class counts the same. The effective number of points is then
        n = K² / Σ 1/n_c; a class without points is left out.
    """
    right, total = np.asarray(rights, np.float64)
    there = total > 0
    classes = int(there.sum())
    if not classes:
        return NOTHING
    if balanced:
        value = float((right[there] / total[there]).mean())
        n = classes**2 / float((1 / total[there]).sum())
    else:
        value, n = float(right.sum() / total.sum()), float(total.sum())
    return Score(value, n, *interval(value, n), classes)


@dataclass(frozen=True)
class Beginning:
    """Where over-fitting begins in a run: at its lowest validation loss.

    One run's minimum is partly luck, so the epochs near it count as well.

    Attributes
    ----------
    epoch, loss
        Of the lowest validation loss (nats).
    first, last
        First and last epoch with a loss within ``tolerance`` of the lowest.
    tolerance
        In nats.
    risen
        Whether the last epoch's loss is above the lowest by more than the tolerance. If not,
        over-fitting has not begun within this run.
    """

    epoch: int
    loss: float
    first: int
    last: int
    tolerance: float
    risen: bool


def overfitting_begins(val_losses: Sequence[float], tolerance: float = 0.01) -> Beginning | None:
    """Return where the validation loss of a run is lowest; None if it is never finite."""
    losses = np.asarray(val_losses, np.float64)
    losses = np.where(np.isfinite(losses), losses, np.inf)
    if not np.isfinite(losses).any():
        return None
    best = int(losses.argmin())
    near = np.flatnonzero(losses <= losses[best] + tolerance) + 1
    return Beginning(
        epoch=best + 1,
        loss=float(losses[best]),
        first=int(near[0]),
        last=int(near[-1]),
        tolerance=tolerance,
        risen=bool(losses[-1] > losses[best] + tolerance),
    )


def percent(share: float) -> str:
    """Return a share in percent, such as ``91%`` for 0.914; a dash if it is not finite."""
    return "–" if not math.isfinite(share) else f"{share:.0%}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points; a dash if it is not finite."""
    if not math.isfinite(share):
        return "–"
    whole = round(100 * share)
    return f"{whole} point" if abs(whole) == 1 else f"{whole} points"
