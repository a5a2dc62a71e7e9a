"""The ½ line of a response as a smooth path."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from numpy.typing import NDArray

from regviz.figures import info


def contour(response: NDArray[Any], extent: tuple[float, float, float, float]) -> Path:
    """Return the line where P(class 1) = ½ as a smooth curve, with every node on its own side.

    Between two nodes on either side of ½ the line runs where their log-odds cross 0
    (:func:`regviz.figures.info.log_odds`). A quadratic B-spline runs through the middles of the
    pieces from crossing to crossing. It stays within the two squares beside each crossing and
    passes between its two nodes, so no node comes to lie on the wrong side.

    Parameters
    ----------
    response
        (rows, columns), P(class 1) as 0 to 255.
    extent
        Of the grid: lowest and highest x₀, lowest and highest x₁.
    """
    a, b, c, d = extent
    rows, columns = response.shape
    odds = info.log_odds(response)
    x, y = np.linspace(a, b, columns), np.linspace(c, d, rows)
    points: list[NDArray[np.float64]] = []
    codes: list[int] = []
    if odds.min() >= 0 or odds.max() <= 0:
        return Path(np.zeros((0, 2)))
    found = _beside().contour(x, y, odds, levels=[0.0])
    found.remove()
    for line in found.allsegs[0]:
        middles = (line[1:] + line[:-1]) / 2
        closed = len(line) > 3 and bool((line[0] == line[-1]).all())
        if closed:  # through all middles, and back to the first
            middles = np.concatenate([middles, middles[:1]])
            corners, start, end = line[1:], middles[:1], line[:0]
        else:
            corners, start, end = line[1:-1], line[:1], line[-1:]
            if not len(corners):
                points += [line[:1], line[-1:]]
                codes += [_MOVE, _TO]
                continue
            points.append(start)
            codes.append(_MOVE)
            start = middles[:1]
        points.append(start)
        codes.append(_MOVE if closed else _TO)
        bent = np.empty((2 * len(corners), 2))
        bent[0::2], bent[1::2] = corners, middles[1 : len(corners) + 1]
        points += [bent, end]
        codes += [_BEND] * len(bent) + [_TO] * len(end)
    return Path(np.concatenate(points), codes)


@functools.cache
def _beside() -> Axes:
    """Return axes that are never shown: matplotlib traces contours in them."""
    return Figure().add_subplot()


_MOVE, _TO, _BEND = (int(getattr(Path, n)) for n in ("MOVETO", "LINETO", "CURVE3"))
