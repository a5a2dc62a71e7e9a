"""Own data of an experiment: rows of the user's table, or points drawn by the user.

:mod:`regviz.tables` reads the tables. This module needs only the standard library, because the web
process imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from regviz.specs import OWN_KIND, DataSpec, Point

MAX_USED = 500
"""Rows of a table that are used; an experiment holds more, so that the user can add points."""
OTHERS = "all others"

EXAMPLE = """\
height (cm),weight (kg),species
23.1,3.9,cat
25.4,4.6,cat
24.2,4.1,cat
22.0,3.2,cat
26.3,5.4,cat
24.9,5.0,cat
23.7,4.4,cat
21.4,3.0,cat
27.2,6.1,cat
25.9,4.2,cat
30.5,8.8,cat
24.0,3.6,cat
38.2,12.4,dog
29.1,7.3,dog
45.6,20.8,dog
33.4,9.1,dog
52.3,25.7,dog
41.0,17.2,dog
26.8,5.9,dog
48.7,22.9,dog
36.5,10.6,dog
57.1,29.8,dog
31.2,6.6,dog
43.9,15.4,dog
"""
"""An example table to download: invented, with two points of each class among the other class."""


def without(data: DataSpec) -> DataSpec:
    """Return the default data, with the split, label noise and irrelevant features of ``data``."""
    usual = DataSpec()
    return replace(
        data,
        kind=usual.kind,
        n_samples=usual.n_samples,
        noise=usual.noise,
        points=None,
        columns=None,
        classes=None,
        plane=None,
    )


# --- points that are drawn ----------------------------------------------------------------------


def turns(n: int, fraction: float) -> list[bool]:
    """Return which of ``n`` drawn points are validation points: they take turns, in their order.

    Point i is one if round((i + 1)·fraction) > round(i·fraction). So a new point does not move
    earlier ones to the other side, and round(n·fraction) are for validation, as in other data.
    """
    return [round((i + 1) * fraction) > round(i * fraction) for i in range(n)]


def arranged(
    train: Sequence[Point], validation: Sequence[Point], fraction: float
) -> tuple[Point, ...]:
    """Order points so that :func:`turns` leaves them on their side of the split; if the fraction
    does not allow that, the last points of a side change it."""
    sides = [list(train), list(validation)]
    n = len(train) + len(validation)
    while len(sides[1]) > round(n * fraction):
        sides[0].append(sides[1].pop())
    while len(sides[1]) < round(n * fraction):
        sides[1].append(sides[0].pop())
    left = [iter(side) for side in sides]
    return tuple(next(left[turn]) for turn in turns(n, fraction))


def drawn(
    points: Any, plane: tuple[float, float, float, float], like: DataSpec, **names: object
) -> DataSpec:
    """Return the spec of points drawn in ``plane``, with ``like``'s split and irrelevant features.

    ``like``'s label noise is kept only if its points were drawn, too: the labels of other points
    were already flipped when they were shown.

    Raises
    ------
    SpecError
        If the points are invalid or too few.
    """
    mapping: dict[str, Any] = {"columns": like.columns, "classes": like.classes, **names}
    return replace(
        like,
        kind=OWN_KIND,
        n_samples=DataSpec.n_samples,
        noise=DataSpec.noise,
        label_noise=like.label_noise if like.plane is not None else 0.0,
        points=points,
        plane=plane,
        **mapping,
    )


# --- a table that is too long --------------------------------------------------------------------


def thinned(y: Sequence[int], most: int = MAX_USED) -> list[int]:
    """Return the indices of at most ``most`` rows, spread evenly, with the same class shares and
    at least two rows per class."""
    if len(y) <= most:
        return list(range(len(y)))
    rows = [[i for i, label in enumerate(y) if label == k] for k in range(1 + max(y))]
    kept: list[int] = []
    for own, count in zip(rows, _shares([len(own) for own in rows], most), strict=True):
        kept += [own[round(i * (len(own) - 1) / (count - 1))] for i in range(count)]
    return sorted(kept)


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """Return how many rows of each class to keep: ``most`` in all, at least two of each."""
    if len(sizes) == 2:
        share = min(max(2, round(most * sizes[0] / sum(sizes))), most - 2)
        return [share, most - share]
    due = [most * size / sum(sizes) for size in sizes]
    counts = [max(2, int(part)) for part in due]
    while sum(counts) < most:  # a few steps: each count is less than 1 below its due
        counts[max(range(len(due)), key=lambda k: due[k] - counts[k])] += 1
    while sum(counts) > most:  # small classes were raised above their due
        counts[max(range(len(due)), key=lambda k: (counts[k] > 2, counts[k] - due[k]))] -= 1
    return counts


__all__ = [
    "EXAMPLE",
    "MAX_USED",
    "OTHERS",
    "arranged",
    "drawn",
    "thinned",
    "turns",
    "without",
]
