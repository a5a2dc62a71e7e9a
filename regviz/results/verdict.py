"""Does a run over-fit, under-fit, or fit well? A verdict, with its reason in a sentence.

The verdict compares with the best possible accuracy on the data, because 88% can be a perfect fit
of noisy moons and a poor one of clean blobs. If that accuracy is not known, or if too few
validation points measure the model, the verdict is "undecided", with the reason. A lane's verdict
depends on its own experiment and numbers alone, so that page, slides, command line and result file
agree.

All functions are pure: frames and points in, values and sentences out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regviz.frames import DataView, Frame, LaneFrame
from regviz.results.bayes import bayes_rate
from regviz.results.metrics import Reading, interval, percent, read, score
from regviz.results.neighbours import neighbour_accuracy
from regviz.specs import OWN_KIND, DataSpec

UNDER, GOOD, OVER = "under-fitting", "good fit", "over-fitting"
UNDECIDED, DIVERGED = "undecided", "diverged"
TONES = {GOOD: "good", UNDER: "warn", OVER: "bad", DIVERGED: "bad", UNDECIDED: "neutral"}
"""Colour of each kind of verdict in a table."""

GAP = 0.06
"""Accuracy by which training may exceed validation before a run counts as over-fitting."""
SHORTFALL = 0.06
"""Accuracy by which a run may miss the best possible one before it counts as under-fitting."""
RISE = 0.55
"""Share by which the validation loss may rise above its best before a run counts as over-fitting.
The best of many noisy epochs is a little lucky, and dropout drifts. Of the reference experiment
(256-512-256, two moons, 350 training points) on 21 seeds and data sets, 21 runs without
regularization exceed this and :data:`LEAST_RISE`, 11 with weight decay 1e-4, 3 with dropout 0.5."""
LEAST_RISE = 0.08
"""Nats by which it must have risen as well."""
RISE_OF_FEW, MOST_RISE = 1.0, 0.2
"""With n validation points it must also have risen by the first number over √n nats, but by no
more than the second. It is one standard error: from the best epoch to the last the loss of one
point changes by about 1.0 nats (standard deviation), because few large losses decide."""
TOO_WIDE = 0.15
"""Accuracy by which the lower end of the 95% interval may miss the best possible accuracy. Further
below there are too few validation points to call a fit good."""
FEW = 8
"""Validation points below which training and validation are not compared."""
FEW_FOR_LOSSES = 20
"""Validation points below which one wrong point makes the loss rise."""
LOPSIDED = 0.1
"""Share by which the most frequent class may exceed 1/K before each class counts the same."""


@dataclass(frozen=True)
class Verdict:
    """One of under-fitting, good fit, over-fitting, undecided, diverged, and the reason."""

    kind: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Return it for a result file, where ``status`` already says that a run diverged."""
        kind = UNDECIDED if self.kind == DIVERGED else self.kind
        return {"kind": kind, "reason": self.reason}


@dataclass(frozen=True)
class Known:
    """What is known about a data set before any model is trained on it.

    Attributes
    ----------
    accuracy
        The best possible accuracy on new points with true labels, balanced if the classes are
        lopsided; nan if unknown.
    measured_on
        Rows on which nearest neighbours measured it; for a balanced accuracy their effective
        number. Infinite if it follows from the generator.
    share
        Share of the most frequent class.
    lopsided
        Whether that share is so large that each class must count the same.
    n_classes
        Number of classes.
    rows, different
        Points, and how many of them differ in their inputs.
    copied
        Number of validation points with an exact copy among the training points.
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


def rights(lane: LaneFrame, view: DataView) -> NDArray[np.integer]:
    """Return :attr:`regviz.frames.LaneFrame.rights`. For a lane without it (an older file) make one
    from the accuracies: all points in one class, and none known to be new."""
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
        A frame with its data.
    data
        The data set of each lane.
    about
        What :func:`known` has returned for a data set before.

    Raises
    ------
    ValueError
        If the frame has no data.
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


# --- the rules ------------------------------------------------------------------------------------


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

    With label noise η only training labels are flipped. A model that is right on a share v of the
    true labels matches v(1-η) + (1-v)η/(K-1) of the flipped ones, K being the number of classes;
    training accuracy is compared with that.

    Parameters
    ----------
    reading
        The lane's numbers.
    rights
        (3, 2, classes) as in :attr:`regviz.frames.LaneFrame.rights`: for training points,
        validation points, and validation points that are no copies of a training point, the number
        of right answers and of points.
    known
        About the data set.
    label_noise
        Share η of flipped training labels.

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
    """One lane, with the values that the rules share."""

    def __init__(
        self, reading: Reading, rights: NDArray[np.integer], known: Known, label_noise: float
    ) -> None:
        self.reading, self.known, self.noise = reading, known, label_noise
        new = rights[2 if known.copied else 1]
        # labels flipped from a frequent class swamp a rare one: no balanced accuracy among them
        self.balanced = known.lopsided and not label_noise
        self.train = score(rights[0], balanced=self.balanced)
        self.seen = score(rights[1], balanced=self.balanced)
        self.val = score(new, balanced=known.lopsided)
        self.n_val, self.n_new = int(rights[1, 1].sum()), int(new[1].sum())
        self.rarest = int(new[1].min())
        self.constant = rights.shape[2] > 1 and _is_constant(rights[0]) and _is_constant(rights[1])
        # an older file has no counts: then all points are in one class
        self.has_classes = self.val.classes > 1 or (rights.shape[2] == 1 and not known.lopsided)
        k = known.n_classes
        self.scale, self.offset = 1 - label_noise * k / (k - 1), label_noise / (k - 1)
        self.best = known.accuracy
        self.chance = 1 / k if known.lopsided else known.share

    def flipped(self, accuracy: float) -> float:
        """Return the share of noisy labels matched by a model with this accuracy on true ones."""
        return accuracy * self.scale + self.offset

    @property
    def ahead(self) -> float:
        """Training accuracy minus the one that validation accuracy predicts."""
        return self.train.value - self.flipped(self.seen.value)

    @property
    def beats_guessing(self) -> bool:
        """Whether validation accuracy is certainly better than one answer for all points."""
        return interval(self.val.value, self.val.n, z=3)[0] > self.chance

    @property
    def wide(self) -> float:
        """The largest value of :attr:`ahead` that chance can explain."""
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
        """Return that there are too few points, as the end of a sentence."""
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
        """Return a sentence on the most frequent class; ``""`` unless it dominates."""
        if not self.known.lopsided:
            return ""
        share = percent(self.known.share)
        return f" {share} of the points belong to one class, so plain accuracy says little."

    def copies(self) -> str:
        """Return a sentence on copies among the validation points; ``""`` if there are none."""
        k = self.known
        if not k.copied:
            return ""
        return (
            f" {k.different} different rows of {k.rows}: copies are on both sides of the split "
            f"({k.copied} of {_counted(self.n_val, 'validation point')})."
        )

    def remarks(self) -> str:
        """Return both sentences that follow any reason."""
        return self.share() + self.copies()


def _counted(n: int, what: str = "point") -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _is_constant(rights: NDArray[np.integer]) -> bool:
    """Whether a model always answers one class; ``rights`` is (2, classes): right, and in all."""
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
    # the best of several k is a little lucky
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
    if val.n < FEW or not case.has_classes or not case.beats_guessing:
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
    """Return "undecided" with the reason; with label noise perhaps under-fitting of true labels."""
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
    elif not case.has_classes:
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
