"""The best possible accuracy on a table of points, estimated by nearest neighbours.

:mod:`regviz.results.bayes` knows it for generated data; of a user's own data only points are known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regviz.results.metrics import NOTHING, Score, score

LEAST_ROWS, LEAST_OF_CLASS = 40, 10
"""Different rows, in all and of the rarest class, below which nothing is estimated."""
_EVALUATED = 600  # points that are classified: enough for +-2 %, in a few milliseconds


def neighbour_accuracy(
    x: NDArray[np.floating], y: NDArray[np.integer], *, balanced: bool = False
) -> Score:
    """Return the leave-one-out accuracy of k nearest neighbours, a lower estimate of the best
    possible accuracy.

    Each point is classified by a vote of its k nearest others. Exact copies of a row neither vote
    for it nor vote twice. For the balanced accuracy each class has the same weight in the vote. k
    is the best of the odd numbers 1, 3, 5, 9, 15 up to √n, n the size of the rarest class.

    The value is nan if fewer than :data:`LEAST_ROWS` rows are different, or fewer than
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
        return NOTHING
    spread = points.std(axis=0)
    points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    some = np.unique(np.linspace(0, len(points) - 1, _EVALUATED).astype(np.int64))
    distance = ((points[some, None] - points[None]) ** 2).sum(axis=2)
    distance[distance == 0] = np.inf  # the point itself, and equal inputs with another label
    kinds = [k for k in (1, 3, 5, 9, 15) if k * k <= counts.min()]
    most = max(kinds)
    nearest = np.argpartition(distance, most - 1, axis=1)[:, :most]
    order = np.take_along_axis(distance, nearest, axis=1).argsort(axis=1, kind="stable")
    votes_of = labels[np.take_along_axis(nearest, order, axis=1)]  # (evaluated, k), nearest first
    weight = 1 / counts if balanced else np.ones(n_classes)
    votes = np.cumsum(np.eye(n_classes)[votes_of] * weight[votes_of][..., None], axis=1)
    votes += 1e-9 * np.eye(n_classes)[votes_of[:, :1]]  # the nearest breaks ties
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
