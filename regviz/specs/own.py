"""Own points: the checks of what a user loads from a table or draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from regviz.specs.checks import SpecError, shown

MIN_POINTS, MAX_POINTS = 10, 600
"""Fewest and most own points in an experiment."""
MAX_CLASSES = 10
"""Most classes among own points."""
MAX_COORDINATE = 1e15
"""Coordinates of own points are smaller than this in absolute value."""
MAX_DRAWN = 1e6
"""The same bound for drawn points and for the plane they were drawn in."""

Point = tuple[float, float, int]
"""One own point: x0, x1 and the class, 0 to K - 1."""

NOT_IN_LINKS = (
    "own data does not travel in a link and is deleted when its session ends; load the table "
    "again, or open the experiment's file"
)


def rounded(coordinate: float) -> float:
    """Return the coordinate of a drawn point with the six significant digits that are kept."""
    return float(f"{coordinate:.6g}") + 0.0


def points(name: str, value: Any) -> tuple[Point, ...]:
    """Check a list of own points ``[x0, x1, class]``; each class 0 to K - 1 occurs at least twice.

    K, from 2 to 10, is one more than the largest class in the list.
    """
    if isinstance(value, str):  # a link holds the fingerprint instead of the points
        raise SpecError(f"{name}: {NOT_IN_LINKS}.")
    if not isinstance(value, Sequence):
        raise SpecError(f"{name}: got {shown(value)}; give a list of points [x0, x1, class].")
    if not MIN_POINTS <= len(value) <= MAX_POINTS:
        raise SpecError(
            f"{name}: got {len(value)} points; give {MIN_POINTS} to {MAX_POINTS} of them."
        )
    out: list[Point] = []
    for i, point in enumerate(value):
        good = isinstance(point, Sequence) and not isinstance(point, str) and len(point) == 3
        if good:
            numbers = (isinstance(v, (int, float)) and not isinstance(v, bool) for v in point)
            # nan is not below anything; a whole number may be too long to become a float
            good = all(numbers) and all(abs(v) < MAX_COORDINATE for v in point[:2])
        if not good or point[2] not in range(MAX_CLASSES):
            raise SpecError(
                f"{name}[{i}]: got {shown(point)}; give [x0, x1, class]: two numbers below "
                f"{MAX_COORDINATE:g} in size, and a whole number from 0 to {MAX_CLASSES - 1}."
            )
        out.append((float(point[0]) + 0.0, float(point[1]) + 0.0, int(point[2])))
    counts = [0] * max(2, 1 + max(y for *_, y in out))
    for *_, y in out:
        counts[y] += 1
    for label, count in enumerate(counts):
        if count < 2:
            raise SpecError(
                f"{name}: got {count} of class {label}; give at least 2 points of each class, "
                "which are numbered from 0 without a gap."
            )
    return tuple(out)


def plane(name: str, value: Any) -> tuple[float, float, float, float]:
    """Check a part of the plane: x0 low and high, x1 low and high."""
    good = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 4
    if good:
        numbers = (isinstance(v, (int, float)) and not isinstance(v, bool) for v in value)
        good = all(numbers) and all(
            abs(v) < MAX_DRAWN and abs(rounded(v)) < MAX_DRAWN for v in value
        )
    if good:
        a, b, c, d = (rounded(v) for v in value)
        if a < b and c < d:
            return a, b, c, d
    raise SpecError(
        f"{name}: got {shown(value)}; give [x0 low, x0 high, x1 low, x1 high], numbers below "
        f"{MAX_DRAWN:,.0f} in size."
    )
