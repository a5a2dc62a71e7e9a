"""What so few points can show: how far luck alone moves an ECE or an accuracy.

A validation set of 90 points gives even a perfectly calibrated model an ECE of about 0.05, because
the share of right answers in a bin scatters. So a difference counts only where it is larger than
luck would make it; every page that calls one model better than another asks here.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regviz.frames import LaneFrame

DRAWS = 2000
LEVELS = (0.05, 0.95)
"""Quantiles between which luck is taken to lie."""


@dataclass(frozen=True)
class Luck:
    """A value, and where luck alone would put it: mean, 5% and 95% quantile."""

    value: float
    mean: float
    low: float
    high: float
    n: int

    @property
    def sign(self) -> int:
        """-1 where a difference is below what luck gives and below 0, 1 above both, else 0."""
        if self.value < min(self.low, 0.0):
            return -1
        return 1 if self.value > max(self.high, 0.0) else 0


def ece(lane: LaneFrame) -> float:
    """Return the expected calibration error of a frame's bins: Σ |right - Σ confidence| / n."""
    count, confidence, right = np.asarray(lane.reliability, np.float64)
    return float(np.abs(right - confidence).sum() / max(count.sum(), 1))


def mean_confidence(lane: LaneFrame) -> float:
    """Return a model's mean confidence in its answers on the validation set."""
    count, confidence, _ = np.asarray(lane.reliability, np.float64)
    return float(confidence.sum() / max(count.sum(), 1))


def perfect_ece(lane: LaneFrame) -> Luck:
    """Return a lane's ECE, and that of a perfectly calibrated model with the same confidences.

    Such a model is right with just the probability that it says, so the right answers in a bin of
    n points with mean confidence c are Binomial(n, c). Simulated, always from one seed.
    """
    drawn = _perfect(*_bins(lane), 0)
    low, high = np.quantile(drawn, LEVELS)
    n = round(float(np.sum(lane.reliability[0])))
    return Luck(ece(lane), float(drawn.mean()), float(low), float(high), n)


def ece_difference(before: LaneFrame, after: LaneFrame) -> Luck:
    """Return the ECE of ``after`` minus that of ``before``, and the difference that two perfectly
    calibrated models with their confidences would show on as many points.

    The two are drawn independently. On the same points they are right and wrong together, as a
    rule, so the interval is rather too wide than too narrow.
    """
    drawn = _perfect(*_bins(after), 1) - _perfect(*_bins(before), 0)
    low, high = np.quantile(drawn, LEVELS)
    n = round(float(np.sum(after.reliability[0])))
    value = ece(after) - ece(before)
    return Luck(value, float(drawn.mean()), float(low), float(high), n)


def calibration_said(before: LaneFrame, after: LaneFrame, *, names: tuple[str, ...] = ()) -> str:
    """Say which of two models is better calibrated, if these points can show it.

    With ``names`` each ECE is followed by its model's name.
    """
    luck = ece_difference(before, after)
    verdict = {
        -1: "the second model is better calibrated",
        1: "the second model is worse calibrated",
        0: f"no difference that {luck.n} points can show",
    }[luck.sign]
    first, second = (f" ({name})" for name in names) if names else ("", "")
    return (
        f"ECE {ece(before):.3f}{first} and {ece(after):.3f}{second}, a difference of "
        f"{luck.value:+.3f}. By chance, two perfectly calibrated models would differ by "
        f"{luck.low:+.3f} to {luck.high:+.3f} on {luck.n} points, nine times out of ten. Result: "
        f"{verdict}"
    )


def accuracy_margin(n: int, *accuracies: float) -> float:
    """Return by how much two accuracies on n points must differ to be more than luck: two
    standard errors, 2·√(Σ a(1-a)/n), as if the two sets of points were independent.

    No accuracy is taken as nearer to 0 or 1 than half a point, where the formula would be 0.
    """
    least = 0.5 / n
    known = (min(max(a, least), 1 - least) for a in accuracies)
    return 2 * math.sqrt(sum(a * (1 - a) for a in known) / n)


def _bins(lane: LaneFrame) -> tuple[bytes, bytes]:
    count, confidence, _ = np.asarray(lane.reliability, np.float64)
    return count.tobytes(), confidence.tobytes()


@functools.lru_cache(maxsize=256)
def _perfect(counts: bytes, confidences: bytes, seed: int) -> NDArray[np.float64]:
    """Simulate the ECE of a perfectly calibrated model, (DRAWS,)."""
    count = np.frombuffer(counts)
    confidence = np.frombuffer(confidences)
    n = count.round().astype(np.int64)
    mean = np.divide(confidence, count, out=np.zeros_like(count), where=n > 0)
    rng = np.random.default_rng(seed)
    right = rng.binomial(n, np.clip(mean, 0, 1), (DRAWS, len(n)))
    return np.abs(right - n * mean).sum(axis=1) / max(n.sum(), 1)
