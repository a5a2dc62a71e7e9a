"""Notes on points before training: lopsided classes, constant columns, outliers, copies."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from regviz.specs import Point
from regviz.tables import in_lines, quoted

LOPSIDED = 0.75
"""Share of the largest class from which the classes are called lopsided."""
_RATIO = 5  # largest to smallest class, for more than two classes; from here on lopsided, too
_FEW = 5  # a class with fewer rows than this is noted as too small to judge
_FAR = 10  # interquartile ranges beyond the quartiles


def is_constant(values: Sequence[float | None]) -> bool:
    """Whether all values that are not None are equal."""
    return len({value for value in values if value is not None}) == 1


def of_points(
    points: Sequence[Point],
    lines: Sequence[int],
    classes: Sequence[str],
    inputs: Sequence[str],
) -> list[str]:
    """Return notes on classes that are lopsided or small, constant columns and far outliers."""
    notes = _of_classes([y for *_, y in points], classes)
    for k, name in enumerate(inputs):
        values = [point[k] for point in points]
        if is_constant(values):
            notes.append(
                f"{quoted(name)} is {values[0]:.15g} in every row: it tells nothing, and becomes 0 "
                "when it is standardized."
            )
        elif far := outliers(values):
            some = ", ".join(f"{values[i]:.15g}" for i in far[:3])
            notes.append(
                f"{quoted(name)} lies far from all others in {in_lines([lines[i] for i in far])} "
                f"({some}): an outlier, or a mistake; standardizing squeezes the other rows "
                "together."
            )
    return notes


def _of_classes(y: Sequence[int], names: Sequence[str]) -> list[str]:
    counts = Counter(y)
    (largest, most), *_, (_, least) = counts.most_common()
    share = most / len(y)
    notes = []
    if share >= LOPSIDED or (len(counts) > 2 and most >= _RATIO * least):
        name = quoted(names[largest])
        notes.append(
            f"The classes are lopsided: {most:,} of {len(y):,} rows ({_percent(share)}) are "
            f"{name}, so a model that always says {name} has an accuracy of {_percent(share)}."
        )
    few = [f"{quoted(names[k])} has {n} rows" for k, n in sorted(counts.items()) if n < _FEW]
    if few:
        notes.append(
            f"{', '.join(few)}: too few to judge, as only some of them are for validation."
        )
    return notes


def _percent(share: float) -> str:
    """Return a share in percent, with one decimal if it would otherwise round to 100%."""
    return f"{share:.0%}" if round(share, 2) < 1 else f"{share:.1%}"


def of_copies(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return a note if some rows are equal in all columns."""
    different = len(set(rows))
    if different == len(rows):
        return []
    count = f"{different:,} different rows of {len(rows):,}: "
    if different <= 0.75 * len(rows):
        return [
            f"{count}copies of a row are on both sides of the split into training and validation, "
            "which makes the validation accuracy look better than it is."
        ]
    return [
        f"{count}where copies of a row are on both sides of the split into training and "
        "validation, the validation accuracy looks better than it is."
    ]


def outliers(values: Sequence[float], most: int = 3) -> list[int]:
    """Return the indices of values more than ten interquartile ranges beyond the quartiles.

    If the interquartile range is 0, an outlier is the value farthest from the others, more than
    twenty of their standard deviations away from their mean. More than ``most`` such values are
    part of the distribution, so none is returned.
    """
    low, _, high = statistics.quantiles(values, n=4)
    spread = _FAR * (high - low)
    if spread > 0:
        far = [i for i, v in enumerate(values) if v < low - spread or v > high + spread]
    else:
        at = max(range(len(values)), key=lambda i: abs(values[i] - low))
        others = [v for i, v in enumerate(values) if i != at]
        scale = statistics.pstdev(others)
        off = abs(values[at] - statistics.fmean(others))
        far = [at] if scale > 0 and off > 2 * _FAR * scale else []
    return far if len(far) <= most else []
