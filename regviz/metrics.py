"""What a run says about its fit: numbers of one lane, the gap, and a verdict with its reason.

All of it is pure: frames and points in, values and sentences out. The verdict is relative to what
the data allows, because 88% can be a perfect fit of noisy moons and a poor one of clean blobs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regviz.frames import DataView, Frame, LaneFrame

UNDER, GOOD, OVER, DIVERGED = "under-fitting", "good fit", "over-fitting", "diverged"

GAP = 0.06
"""Accuracy by which training may be ahead of validation before it counts as over-fitting."""
SHORTFALL = 0.06
"""Accuracy by which training may miss what the data allows before it counts as under-fitting."""
RISE = 0.3
"""Share by which the validation loss may have risen from its best, as over-fitting goes. The best
of many noisy epochs is a little lucky, so a rise of a tenth or two means nothing."""
LEAST_RISE = 0.08
"""And by how many nats it must have risen at least."""
NEIGHBOURS = 15
_LOOKED_AT = 600  # points whose neighbours are looked up: enough for +-2 % and a few milliseconds


@dataclass(frozen=True)
class Reading:
    """The numbers of one lane at the epoch its weights are of.

    After early stopping has restored the best weights that epoch is ``best_epoch``, not the last
    one trained. Losses are data losses in eval mode, without the penalty. All are nan before the
    first epoch.
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
class Verdict:
    """One of under-fitting, good fit, over-fitting, diverged, and why, in one sentence."""

    kind: str
    reason: str


def read(lane: LaneFrame) -> Reading:
    """Return the numbers of ``lane`` at the epoch that its weights are of."""
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


def neighbour_accuracy(
    x: NDArray[np.floating],
    y: NDArray[np.integer],
    *,
    flipped: NDArray[np.bool_] | None = None,
    label_noise: float = 0.0,
    n_classes: int = 2,
    k: int = NEIGHBOURS,
) -> float:
    """Return the leave-one-out accuracy of k nearest neighbours: what the data allows, roughly.

    Where ``flipped`` says that a label may have been flipped (to any other of K classes alike)
    with probability η = ``label_noise``, the accuracy a against true labels follows from the one
    seen, s = a(1-η) + (1-a)η/(K-1).

    Parameters
    ----------
    x
        (points, features).
    y
        (points,), whole numbers from 0.
    flipped
        (points,), True for points whose labels passed through label noise.
    """
    points = np.asarray(x, np.float64)
    k = min(k, len(points) - 1)
    if k < 1:
        return math.nan
    some = np.unique(np.linspace(0, len(points) - 1, _LOOKED_AT).astype(np.int64))
    square = (points**2).sum(axis=1)
    distance = square[some, None] + square[None, :] - 2 * points[some] @ points.T
    distance[np.arange(len(some)), some] = np.inf
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]  # (looked at, k)
    votes = np.stack([(y[nearest] == c).sum(axis=1) for c in range(int(y.max()) + 1)], axis=1)
    right = votes.argmax(axis=1) == y[some]
    noisy = np.zeros(len(some), bool) if flipped is None else flipped[some]
    true = right.astype(np.float64)
    if label_noise < 0.5:
        wrong = label_noise / (n_classes - 1)  # flipped to just the class that is guessed
        true[noisy] = (true[noisy] - wrong) / (1 - n_classes * wrong)
    return float(np.clip(true.mean(), 0, 1))


def data_accuracy(view: DataView, label_noise: float) -> float:
    """Return what nearest neighbours reach on the points of ``view``; nan for images, where the
    two inputs shown do not tell the classes apart."""
    if view.images is not None:
        return math.nan
    return neighbour_accuracy(
        view.x,
        view.y,
        flipped=~view.is_val,
        label_noise=label_noise,
        n_classes=view.n_classes,
    )


def attainable_accuracy(from_data: float, n_val: int, readings: Sequence[Reading]) -> float:
    """Return the validation accuracy that a good model would reach, roughly.

    The better of ``from_data`` (see :func:`data_accuracy`) and of what the lanes themselves
    reached at their best epochs, less one standard error for the luck in a best of many.
    """
    known = [r.best_val_accuracy for r in readings if math.isfinite(r.best_val_accuracy)]
    best = max(known, default=0.0)
    best -= math.sqrt(best * (1 - best) / max(n_val, 1))
    return best if math.isnan(from_data) else max(best, from_data)


def judge(
    reading: Reading,
    *,
    attainable: float,
    n_train: int,
    n_val: int,
    label_noise: float = 0.0,
    n_classes: int = 2,
) -> Verdict:
    """Return the verdict on one lane.

    Under-fitting: right on fewer training points than a model that generalizes would be, by more
    than :data:`SHORTFALL` or two standard errors. Over-fitting: training ahead of validation by
    more than :data:`GAP` or two standard errors, or the validation loss more than :data:`RISE`
    and :data:`LEAST_RISE` above its best while the training loss fell. Label noise sits in the
    training labels only, so a good model is right on a(1-η) + (1-a)η/(K-1) of them, K being
    ``n_classes``, and both limits are measured from there.
    """
    if reading.status == "diverged":
        return Verdict(
            DIVERGED,
            f"The loss stopped being a usable number in epoch {reading.trained}: the steps are "
            "too large. Try a lower learning rate.",
        )
    if not math.isfinite(reading.train_loss):
        return Verdict(UNDER, "Nothing is learnt yet.")
    a, eta = attainable, label_noise
    wanted = a * (1 - eta) + (1 - a) * eta / (n_classes - 1)
    spread = math.sqrt(max(wanted * (1 - wanted), 0.0))
    short = max(SHORTFALL, 2 * spread / math.sqrt(n_train))
    wide = max(GAP, 2 * spread * math.sqrt(1 / n_train + 1 / n_val))
    train, val = percent(reading.train_accuracy), percent(reading.val_accuracy)
    ahead = reading.gap - (wanted - a)
    risen = (
        reading.rise > RISE
        and reading.val_loss - reading.best_val_loss > LEAST_RISE
        and reading.train_loss <= reading.best_train_loss
        and reading.val_loss > reading.train_loss
    )
    if reading.train_accuracy < wanted - short:
        return Verdict(
            UNDER,
            f"Only {train} right in training where about {percent(wanted)} is within reach: too "
            "small, too restrained or trained too briefly.",
        )
    rose = (
        f"validation loss rose from {reading.best_val_loss:.2f} "
        f"(epoch {reading.best_epoch}) to {reading.val_loss:.2f}"
    )
    if ahead > wide:
        what = f"{train} right in training but {val} in validation"
        if eta:
            what = f"{train} of the partly wrong training labels matched but {val} in validation"
        return Verdict(OVER, f"{what}, and {rose}." if risen else f"{what}.")
    if risen:
        return Verdict(
            OVER,
            f"V{rose[1:]} while training loss fell to {reading.train_loss:.2f}: ever surer of "
            "its mistakes.",
        )
    if eta:
        return Verdict(
            GOOD,
            f"{val} right in validation; the {train} in training is what wrong labels leave.",
        )
    agree = " as far as so few points can tell" if abs(ahead) > GAP / 2 else ""
    return Verdict(
        GOOD,
        f"Training ({train}) and validation ({val}) agree{agree}; about {percent(a)} is what this "
        "data allows.",
    )


def judge_frame(
    frame: Frame, *, from_data: float, label_noise: float
) -> tuple[list[Reading], list[Verdict]]:
    """Return reading and verdict of every lane of ``frame``, whose lanes share one data set.

    ``from_data`` is :func:`data_accuracy` of that data set.
    """
    if frame.data is None:
        raise ValueError("judge_frame needs a frame with its data; got one without")
    view = frame.data[0]
    readings = [read(lane) for lane in frame.lanes]
    attainable = attainable_accuracy(from_data, view.n_val, readings)
    verdicts = [
        judge(
            reading,
            attainable=attainable,
            n_train=view.n_train,
            n_val=view.n_val,
            label_noise=label_noise,
            n_classes=view.n_classes,
        )
        for reading in readings
    ]
    return readings, verdicts


@dataclass(frozen=True)
class Beginning:
    """Where over-fitting begins: the epoch of the lowest validation loss, that loss, and the first
    and last epoch whose loss is within ``tolerance`` of it (one run's minimum is partly luck).

    ``risen`` says whether the last epoch is above the lowest by more than the tolerance; if not,
    over-fitting has not begun within this run.
    """

    epoch: int
    loss: float
    first: int
    last: int
    tolerance: float
    risen: bool


def overfitting_begins(val_losses: Sequence[float], tolerance: float = 0.01) -> Beginning | None:
    """Return where the validation loss of a stored run is lowest; None if it never is a number."""
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
    """Return a share as people read it: ``0.914`` is ``91%``."""
    return "–" if not math.isfinite(share) else f"{share:.0%}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    if not math.isfinite(share):
        return "–"
    whole = round(100 * share)
    return f"{whole} point" if abs(whole) == 1 else f"{whole} points"
