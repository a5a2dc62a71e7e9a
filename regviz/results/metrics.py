"""What a run says about its fit: numbers of one lane, the gap, and a verdict with its reason.

All of it is pure: frames and points in, values and sentences out. The verdict compares with the
best possible accuracy on the data, because 88% can be a perfect fit of noisy moons and a poor one
of clean blobs. Where that accuracy is not known, or where too few validation points measure the
model, the verdict is "undecided", with the reason. A lane's verdict depends on its own experiment
and numbers alone, so that page, slides, command line and result file all say the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regviz.frames import DataView, Frame, LaneFrame
from regviz.results.bayes import bayes_rate
from regviz.specs import OWN_KIND, DataSpec

UNDER, GOOD, OVER = "under-fitting", "good fit", "over-fitting"
UNDECIDED, DIVERGED = "undecided", "diverged"
TONES = {GOOD: "good", UNDER: "warn", OVER: "bad", DIVERGED: "bad", UNDECIDED: "neutral"}
"""How a table colours each kind of verdict."""

GAP = 0.06
"""Accuracy by which training may be ahead of validation before it counts as over-fitting."""
SHORTFALL = 0.06
"""Accuracy by which a model may miss the best possible one before it counts as under-fitting."""
RISE = 0.55
"""Share by which the validation loss may have risen from its best, as over-fitting goes. The best
of many noisy epochs is a little lucky, and dropout drifts: of the reference experiment
(256-512-256, two moons, 350 training points) on 21 seeds and data sets, 21 runs without
regularization are beyond this and :data:`LEAST_RISE`, 11 with weight decay 1e-4, 3 with dropout
0.5."""
LEAST_RISE = 0.08
"""And by how many nats it must have risen at least."""
RISE_OF_FEW, MOST_RISE = 1.0, 0.2
"""And by how many nats times √n at least, of n validation points, but not more than so many nats.
One standard error: from the best epoch to the last, the loss of one point changes by about 1.0
(standard deviation), as few large losses decide."""
TOO_WIDE = 0.15
"""Accuracy by which the lower end of the 95% interval may miss the best possible accuracy: if it
is lower, there are too few validation points to call a fit good."""
FEW = 8
"""Validation points below which they are not compared with the training points at all."""
FEW_FOR_LOSSES = 20
"""Validation points below which one wrong point makes the loss rise."""
LOPSIDED = 0.1
"""Share by which the most frequent class may exceed 1/K before each class counts the same."""
LEAST_ROWS, LEAST_OF_CLASS = 40, 10
"""Different rows, in all and of the rarest class, below which nearest neighbours say nothing."""
_LOOKED_AT = 600  # points whose neighbours are looked up: enough for +-2 % and a few milliseconds
_Z = 1.96  # a normal number is within +-1.96 with probability 95%


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
    """One of under-fitting, good fit, over-fitting, undecided, diverged, and why."""

    kind: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return it as a result file holds it: its ``status`` says already what diverged."""
        kind = UNDECIDED if self.kind == DIVERGED else self.kind
        return {"kind": kind, "reason": self.reason}


@dataclass(frozen=True)
class Known:
    """What is known about a data set before any model is trained on it.

    Attributes
    ----------
    accuracy
        The best possible accuracy on new points with true labels; nan where nothing is known.
        Where the classes are lopsided, the balanced accuracy.
    measured_on
        Rows that it was measured on, by their nearest neighbours; of a balanced accuracy, what
        so many rows of each class are worth. Infinite where it follows from the generator.
    share
        Share of the most frequent class.
    lopsided
        Whether it is so large that accuracy says little, and each class counts the same.
    n_classes
        Number of classes.
    rows, different
        Points, and how many of them differ in their inputs.
    copied
        How many validation points have an exact copy among the training points.
    """

    accuracy: float
    measured_on: float
    share: float
    lopsided: bool
    n_classes: int
    rows: int
    different: int
    copied: int

    @property
    def exact(self) -> bool:
        """Whether the best possible accuracy follows from the generator."""
        return math.isinf(self.measured_on)


@dataclass(frozen=True)
class Score:
    """An accuracy, the number of points it was measured on, and its 95% interval.

    Of a balanced accuracy ``n`` is what so many points of each class are worth.
    """

    value: float
    n: float
    low: float
    high: float
    classes: int


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


_NOTHING = Score(math.nan, 0.0, 0.0, 1.0, 0)


def interval(value: float, n: float, z: float = _Z) -> tuple[float, float]:
    """Return the interval of a share that was measured on n points, 95% of them with z = 1.96.

    It is (s + z²/2n ± z √(s(1-s)/n + z²/4n²)) / (1 + z²/n). It stays within 0 and 1
    and holds for few points, too.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n <= 0:
        return 0.0, 1.0
    middle = value + z**2 / (2 * n)
    half = z * math.sqrt(max(value * (1 - value), 0) / n + z**2 / (4 * n * n))
    scale = 1 + z**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def score(rights: NDArray[np.integer], *, balanced: bool) -> Score:
    """Return the accuracy, or the balanced accuracy: the mean over the classes of the share of
    each class's points that is right.

    Parameters
    ----------
    rights
        (2, classes): of each class how many points are right, and how many there are.
    balanced
        Whether each class counts the same. Points worth n = K² / Σ 1/n_c then measure it as
        exactly as they do. A class without points does not count.
    """
    right, total = np.asarray(rights, np.float64)
    there = total > 0
    classes = int(there.sum())
    if not classes:
        return _NOTHING
    if balanced:
        value = float((right[there] / total[there]).mean())
        n = classes**2 / float((1 / total[there]).sum())
    else:
        value, n = float(right.sum() / total.sum()), float(total.sum())
    return Score(value, n, *interval(value, n), classes)


def neighbour_accuracy(
    x: NDArray[np.floating], y: NDArray[np.integer], *, balanced: bool = False
) -> Score:
    """Return the accuracy that nearest neighbours reach on points they do not hold themselves.

    An estimate from below of the best possible accuracy, by leave-one-out: each point is guessed
    from the k nearest others. Exact copies of a row neither vote for it nor vote twice. Each class
    has the same weight in the vote where each counts the same in the accuracy. k is the best of
    odd numbers up to √n, n the size of the rarest class.

    Its value is nan where fewer than :data:`LEAST_ROWS` rows are different, or fewer than
    :data:`LEAST_OF_CLASS` of a class.

    Parameters
    ----------
    x
        (points, features).
    y
        (points,), whole numbers from 0.
    balanced
        Whether to return the balanced accuracy.

    Source: Cover & Hart 1967, "Nearest neighbor pattern classification".
    """
    table = np.unique(np.column_stack([np.asarray(x, np.float64), y]), axis=0)
    points, labels = table[:, :-1], table[:, -1].astype(np.int64)
    n_classes = int(np.max(y)) + 1 if len(y) else 0
    counts = np.bincount(labels, minlength=n_classes)
    if len(table) < LEAST_ROWS or counts.min() < LEAST_OF_CLASS:
        return _NOTHING
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    some = np.unique(np.linspace(0, len(points) - 1, _LOOKED_AT).astype(np.int64))
    distance = ((points[some, None] - points[None]) ** 2).sum(axis=2)
    distance[distance == 0] = np.inf  # itself, and the same inputs with another label
    kinds = [k for k in (1, 3, 5, 9, 15) if k * k <= counts.min()]
    most = max(kinds)
    nearest = np.argpartition(distance, most - 1, axis=1)[:, :most]
    order = np.take_along_axis(distance, nearest, axis=1).argsort(axis=1, kind="stable")
    told = labels[np.take_along_axis(nearest, order, axis=1)]  # (looked at, k), nearest first
    weight = 1 / counts if balanced else np.ones(n_classes)
    votes = np.cumsum(np.eye(n_classes)[told] * weight[told][..., None], axis=1)
    votes += 1e-9 * np.eye(n_classes)[told[:, :1]]  # of equals, the nearest decides
    found = []
    for k in kinds:
        right = votes[:, k - 1].argmax(axis=1) == labels[some]
        rights = np.stack(
            [
                np.bincount(labels[some], right, n_classes),
                np.bincount(labels[some], minlength=n_classes),
            ]
        )
        found.append(score(rights, balanced=balanced))
    return max(found, key=lambda s: s.value)


def known(data: DataSpec, view: DataView) -> Known:
    """Return what is known about a data set, from its spec and its points."""
    own = data.kind == OWN_KIND and data.points is not None
    y = np.array([point[2] for point in data.points or ()]) if own else view.y
    share = float(np.bincount(y, minlength=view.n_classes).max() / max(len(y), 1))
    lopsided = share > 1 / view.n_classes + LOPSIDED
    rows = view.n_train + view.n_val
    if not own:
        accuracy = bayes_rate(data.kind, data.noise)
        return Known(accuracy, math.inf, share, lopsided, view.n_classes, rows, rows, 0)
    x = np.array([point[:2] for point in data.points or ()], np.float64)
    rows_of = [
        {tuple(row) for row in view.x[part].tolist()} for part in (~view.is_val, view.is_val)
    ]
    copied = sum(tuple(row) in rows_of[0] for row in view.x[view.is_val].tolist())
    found = neighbour_accuracy(x, y, balanced=lopsided)
    return Known(
        accuracy=found.value,
        measured_on=found.n,
        share=share,
        lopsided=lopsided,
        n_classes=view.n_classes,
        rows=rows,
        different=len(rows_of[0] | rows_of[1]),
        copied=copied,
    )


def judge(
    reading: Reading,
    rights: NDArray[np.integer],
    known: Known,
    *,
    label_noise: float = 0.0,
) -> Verdict:
    """Return the verdict on one lane.

    In this order. *Under-fitting*: training accuracy misses the best possible accuracy a by more
    than :data:`SHORTFALL` and two standard errors, or the model answers one class whatever the
    input. *Over-fitting*: training accuracy is ahead of validation accuracy by more than
    :data:`GAP` and the 95% interval of the difference, or the validation loss is more than
    :data:`RISE`, :data:`LEAST_RISE` and :data:`RISE_OF_FEW` above its best while the training loss
    fell. *Good fit*: validation accuracy is within :data:`SHORTFALL`, or two standard errors, of a
    known best possible accuracy, it is beyond doubt (three of them) better than always answering
    the most frequent class, and the 95% interval is not wider than :data:`TOO_WIDE`; or that
    interval lies within :data:`SHORTFALL` of 100%. All else is *undecided*.

    With label noise η, flips sit in the training labels only. Who is right on a share v of true
    labels matches v(1-η) + (1-v)η/(K-1) of the flipped ones, K being the number of classes;
    training accuracy is compared with that.

    Parameters
    ----------
    reading
        The lane's numbers.
    rights
        (3, 2, classes) as in :attr:`regviz.frames.LaneFrame.rights`: training points, validation
        points, and those of them that are no copies of a training point; right, and in all.
    known
        What is known about the data.

    Source of the interval of a difference: Newcombe 1998, "Interval estimation for the difference
    between independent proportions".
    """
    if reading.status == "diverged":
        return Verdict(
            DIVERGED,
            f"In epoch {reading.trained} the training loss exploded or was no longer a finite "
            "number. Usually the steps are too large. Try a lower learning rate.",
        )
    if not math.isfinite(reading.train_loss):
        return Verdict(UNDER, "The first epoch is not finished yet.")
    case = _Case(reading, np.asarray(rights), known, label_noise)
    return _under(case) or _over(case) or _good(case) or _undecided(case)


class _Case:
    """One lane, with what all rules ask for."""

    def __init__(
        self, reading: Reading, rights: NDArray[np.integer], known: Known, label_noise: float
    ) -> None:
        self.reading, self.known, self.noise = reading, known, label_noise
        new = rights[2 if known.copied else 1]
        # labels flipped from a frequent class swamp a rare one: nothing is balanced among them
        self.balanced = known.lopsided and not label_noise
        self.train = score(rights[0], balanced=self.balanced)
        self.seen = score(rights[1], balanced=self.balanced)
        self.val = score(new, balanced=known.lopsided)
        self.n_val, self.n_new = int(rights[1, 1].sum()), int(new[1].sum())
        self.rarest = int(new[1].min())
        self.constant = rights.shape[2] > 1 and _is_constant(rights[0]) and _is_constant(rights[1])
        # counts may be missing (a file written by an older version): then all is one class
        self.told = self.val.classes > 1 or (rights.shape[2] == 1 and not known.lopsided)
        k = known.n_classes
        self.scale, self.offset = 1 - label_noise * k / (k - 1), label_noise / (k - 1)
        self.best = known.accuracy
        self.chance = 1 / k if known.lopsided else known.share

    def flipped(self, accuracy: float) -> float:
        """Return how often labels with label noise are matched by who is right so often."""
        return accuracy * self.scale + self.offset

    @property
    def ahead(self) -> float:
        """How far training accuracy is above what validation accuracy foretells."""
        return self.train.value - self.flipped(self.seen.value)

    @property
    def beats_guessing(self) -> bool:
        """Whether validation accuracy is beyond doubt better than one answer for all."""
        return interval(self.val.value, self.val.n, z=3)[0] > self.chance

    @property
    def wide(self) -> float:
        """How far it may be."""
        up = self.scale * (self.seen.high - self.seen.value)
        return max(GAP, math.hypot(self.train.value - self.train.low, up))

    # --- words

    def both(self) -> str:
        """Return both accuracies, as the beginning of a sentence."""
        flips = " on partly wrong labels" if self.noise else ""
        of = "Balanced training accuracy" if self.balanced else "Training accuracy"
        return f"{of} {percent(self.train.value)}{flips}, {self.validation()}"

    def validation(self) -> str:
        """Return validation accuracy, within a sentence."""
        of = "balanced validation accuracy" if self.known.lopsided else "validation accuracy"
        new = ""
        if self.known.copied:
            if not self.n_new:
                return (
                    f"{of} {percent(self.seen.value)}, measured only on copies of training points"
                )
            new = f" on the {_counted(self.n_new)} that have no copy among the training points"
        return f"{of} {percent(self.val.value)}{new}"

    def span(self) -> str:
        """Return the interval, in brackets."""
        low, high = percent(self.val.low).removesuffix("%"), percent(self.val.high)
        points = f", {_counted(self.n_new)}" if not self.known.copied else ""
        if self.known.lopsided and self.n_new:
            points += f", {self.rarest} of the rarest class"
        return f"(95% interval {low}–{high}{points})"

    @property
    def too_few(self) -> str:
        """Return what is missing, as the end of a sentence."""
        return f"too few {'new' if self.known.copied else 'validation'} points to tell"

    def achievable(self) -> str:
        """Return the best possible accuracy, as the end of a sentence."""
        if self.known.exact:
            of = "balanced accuracy" if self.known.lopsided else "accuracy"
            return f"the best possible {of} on this data is about {percent(self.best)}"
        of = " balanced accuracy" if self.known.lopsided else ""
        return f"nearest neighbours reach about {percent(self.best)}{of} on this data"

    def reachable(self, accuracy: float) -> str:
        """Return an accuracy that is achievable, within a sentence."""
        of = " balanced accuracy" if self.known.lopsided else ""
        if self.known.exact or self.noise:
            return f"about {percent(accuracy)}{of} is achievable here"
        return f"nearest neighbours reach about {percent(accuracy)}{of} here"

    def share(self) -> str:
        """Return that one class is far more frequent, as a sentence."""
        if not self.known.lopsided:
            return ""
        share = percent(self.known.share)
        return f" {share} of the points belong to one class, so plain accuracy says little."

    def copies(self) -> str:
        """Return that the validation points are not all new, as a sentence."""
        k = self.known
        if not k.copied:
            return ""
        return (
            f" {k.different} different rows of {k.rows}: copies are on both sides of the split "
            f"({k.copied} of {_counted(self.n_val, 'validation point')})."
        )

    def remarks(self) -> str:
        """Return what else must be known, as sentences of their own."""
        return self.share() + self.copies()


def _counted(n: int, what: str = "point") -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _is_constant(rights: NDArray[np.integer]) -> bool:
    """Whether one class is always answered, of (2, classes): right, and in all."""
    right, total = rights
    there = total > 0
    always, never = (right == total) & there, (right == 0) & there
    return bool(there.sum() > 1 and always.sum() == 1 and never.sum() == there.sum() - 1)


_CAUSES = "the model is too small, too strongly regularized, or undertrained"


def _under(case: _Case) -> Verdict | None:
    if math.isnan(case.best):
        return None
    a, train = case.best, case.train
    wanted, comparable = case.flipped(a), case.balanced or not case.known.lopsided
    unsure = 1 / train.n + 1 / case.known.measured_on
    short = max(SHORTFALL, 2 * math.sqrt(max(wanted * (1 - wanted), 0) * unsure))
    # the best k of several is a little lucky
    luck = 3 * math.sqrt(max(a * (1 - a), 0) / case.known.measured_on)
    if case.constant and a > case.chance + max(SHORTFALL, luck):
        return Verdict(
            UNDER,
            f"The model predicts the same class for every point; {case.reachable(a)}: "
            f"{_CAUSES}.{case.remarks()}",
        )
    if comparable and train.value < wanted - short:
        of = "Balanced training accuracy" if case.balanced else "Training accuracy"
        flips = " even with these wrong labels" if case.noise else ""
        return Verdict(
            UNDER,
            f"{of} is only {percent(train.value)}; {case.reachable(wanted)}{flips}: "
            f"{_CAUSES}.{case.remarks()}",
        )
    return None


def _over(case: _Case) -> Verdict | None:
    r = case.reading
    least = max(LEAST_RISE, min(MOST_RISE, RISE_OF_FEW / math.sqrt(max(case.n_val, 1))))
    risen = (
        case.n_val >= FEW_FOR_LOSSES
        and r.rise > RISE
        and r.val_loss - r.best_val_loss > least
        and r.train_loss <= r.best_train_loss
        and r.val_loss > r.train_loss
    )
    rose = (
        f"validation loss rose from {r.best_val_loss:.2f} (epoch {r.best_epoch}) to "
        f"{r.val_loss:.2f}"
    )
    if case.seen.n >= FEW and case.ahead > case.wide:
        what = case.both()
        if case.known.copied:  # copies only hide a gap
            what = f"Training accuracy {percent(case.train.value)}, {_seen(case)}"
        return Verdict(OVER, f"{what}{', and ' + rose if risen else ''}.{case.remarks()}")
    if risen:
        return Verdict(
            OVER,
            f"V{rose[1:]} while training loss fell to {r.train_loss:.2f}: the model is more and "
            f"more confident in wrong predictions.{case.remarks()}",
        )
    return None


def _seen(case: _Case) -> str:
    of = "balanced validation accuracy" if case.balanced else "validation accuracy"
    return f"{of} {percent(case.seen.value)}"


def _good(case: _Case) -> Verdict | None:
    val, a = case.val, case.best
    if val.n < FEW or not case.told or not case.beats_guessing:
        return None
    close = False
    if not math.isnan(a):
        luck = 2 * math.sqrt(a * (1 - a) / val.n)
        close = val.value >= a - max(SHORTFALL, luck) and val.low >= a - TOO_WIDE
    if not close and val.low < 1 - SHORTFALL:
        return None
    why = (
        f"; {case.achievable()}"
        if close
        else f" {case.span()}: there is little room for improvement"
    )
    return Verdict(GOOD, f"{case.both()}{why}.{case.remarks()}")


def _undecided(case: _Case) -> Verdict:
    """Return what is missing for a verdict; with label noise, also under-fitting of true labels."""
    val, a, both = case.val, case.best, case.both()
    enough = val.n >= FEW
    below = enough and not math.isnan(a) and val.value < a - SHORTFALL and val.high < a
    if below and case.noise:
        said = case.validation()
        said = f"{said[:1].upper()}{said[1:]}; {case.reachable(a)}"
        return Verdict(UNDER, f"{said}: {_CAUSES}.{case.remarks()}")
    if case.constant:
        why = (
            "The model predicts the same class for every point, which is right for "
            f"{percent(case.known.share)} of them; balanced accuracy is only "
            f"{percent(1 / case.known.n_classes)}"
        )
        if math.isnan(a):
            why += ". Whether the inputs allow a better model is not known"
        else:
            why += f", and {case.achievable()}"
        return Verdict(UNDECIDED, f"{why}.{case.copies()}")
    if case.known.copied and not case.n_new:
        why = f"{both}: this says nothing about new data"
    elif not enough:
        why = f"{both} {case.span()}: {case.too_few}"
    elif not case.told:
        why = f"{both}, but all validation points belong to one class"
        if case.rarest:
            why = f"{both}; how many points of each class are right is not known"
    elif val.low <= case.chance:
        guess = (
            "guessing"
            if case.known.lopsided
            else f"always predicting the most frequent class, {percent(case.chance)}"
        )
        why = f"{both} {case.span()}: that is not clearly better than {guess}"
    elif not case.beats_guessing or (val.low < a - TOO_WIDE and not below):
        why = f"{both} {case.span()}: {case.too_few}"
    elif math.isnan(a):
        why = (
            f"{both} {case.span()}; the best possible accuracy on this data is not known, so this "
            "may be a good fit or under-fitting"
        )
    else:
        why = (
            f"{both} {case.span()}; {case.achievable()}. Neither under-fitting nor over-fitting is "
            "clearly visible"
        )
    return Verdict(UNDECIDED, f"{why}.{case.remarks()}")


def rights(lane: LaneFrame, view: DataView) -> NDArray[np.integer]:
    """Return :attr:`regviz.frames.LaneFrame.rights`, or what stands for it where a lane has none:
    all points as one class, without any that are no copies."""
    if lane.rights is not None:
        return lane.rights
    r = read(lane)
    out = np.zeros((3, 2, 1), np.int64)
    for i, (share, n) in enumerate(
        ((r.train_accuracy, view.n_train), (r.val_accuracy, view.n_val))
    ):
        out[i, :, 0] = round(share * n) if math.isfinite(share) else 0, n
    return out


def judge_frame(
    frame: Frame, data: Sequence[DataSpec], about: Mapping[DataSpec, Known] | None = None
) -> tuple[list[Reading], list[Verdict]]:
    """Return reading and verdict of every lane of ``frame``.

    Parameters
    ----------
    frame
        With its data.
    data
        The data set of each lane.
    about
        What :func:`known` says of each data set, where it was asked before.
    """
    if frame.data is None:
        raise ValueError("judge_frame needs a frame with its data; got one without")
    found = dict(about or {})
    readings, verdicts = [], []
    for lane, spec, view in zip(frame.lanes, data, frame.data, strict=True):
        if spec not in found:
            found[spec] = known(spec, view)
        reading = read(lane)
        readings.append(reading)
        verdicts.append(
            judge(reading, rights(lane, view), found[spec], label_noise=spec.label_noise)
        )
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
