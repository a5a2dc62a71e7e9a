"""What a picture of a run shows, as plain values: computed here once, drawn by every renderer.

Like the ``_get_..._info`` functions of optuna.visualization: a renderer decides on colours, letters
and margins, never on where a mark lies or how far an axis must reach. NumPy in, values out.

======================== =========================================== ==============================
function                 what                                        the same in the browser's code
======================== =========================================== ==============================
:func:`line_mode`        whether a curve shows its points            ``FEW`` in live.js
:func:`round_top`        round end of an axis that grows in steps    ``niceTop`` in live.js
:func:`curve_top`        that end for curves of losses               ``niceTop`` of the highest
:func:`marks`            best epoch, early stop, divergence          ``fill`` of the curves in
                                                                     live.js; ``curves`` in
                                                                     slides/page.html
:func:`log_odds`         the ½ line runs where this crosses 0        ``odds``, ``crossing`` in
                                                                     slides/page.html
:func:`histogram_reach`  how far from 0 the weights lie              ``reachOf`` in live.js, times
                                                                     the width of a bin
:func:`histogram_top`    how high the bars of a histogram go         ``top`` of the histogram in
                                                                     live.js; slides/page.html
======================== =========================================== ==============================

The live boundary in the browser is the one picture that differs by intent: it averages each node
with its neighbours (weights 1-2-1) before it draws colours and the ½ line, so that the line moves
smoothly from frame to frame. Slides draw the response as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from regviz.frames import LaneFrame

FEW = 3
"""A curve with fewer points than this shows them: a line of one point cannot be seen."""
ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""Leading digits of a round end of an axis."""
HEADROOM = 1.04
"""Factor by which an axis of losses ends above the highest loss, before rounding."""
LOSS_RANGE = (0, 0.8)
LOG_LOSS_RANGE = (-2, 0)
ACCURACY_RANGE = (0.4, 1.01)
"""Range of a curve's axis before there is a value; of a logarithmic one in powers of ten."""
SYMBOLS = {"best": "star", "stop": "square", "diverged": "x"}
"""Plotly's symbol for each kind of mark."""
INPUTS = ("x₀", "x₁")
"""Names of two inputs that have none of their own."""
OUTSIDE = 0.002
"""Share of a model's weights that may lie outside the common axis of histograms."""
ZEROS_BAR = 24
"""Half the axis of a histogram over the width of the bar of exact zeros."""
WEIGHTS_ROOM = 1.25
"""Height of a panel of weights over its tallest bar, for the number above it."""
WEIGHTS_FLOOR = -0.3
"""Lower end of a logarithmic axis of weights per bin, as a power of ten."""
LEAST_BINS = 4
"""Bins that an axis of weights shows at least on either side of 0."""
TALLEST_ZEROS = 2.5
"""Factor by which the bar of exact zeros may be taller than the tallest other bar. A taller one
leaves the panel through its top, and the number above tells its height."""


# --- curves ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """A mark on a validation curve.

    Attributes
    ----------
    kind
        ``best`` (lowest validation loss), ``stop`` (early stopping) or ``diverged``.
    epoch
        Counted from 1.
    value
        The curve's value there; not finite where the run diverged.
    """

    kind: Literal["best", "stop", "diverged"]
    epoch: int
    value: float


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with NaN in place of each that is not finite: a gap in the curve."""
    return np.where(np.isfinite(values), values, np.nan)


def line_mode(values: NDArray[Any]) -> str:
    """Return Plotly's mode for a curve: with its points while they are fewer than :data:`FEW`."""
    return "lines" if np.isfinite(values).sum() >= FEW else "lines+markers"


def highest(curves: Sequence[NDArray[Any]]) -> float:
    """Return the highest finite value of some curves; 0 where there is none above it."""
    return max([0.0, *(float(v[np.isfinite(v)].max()) for v in curves if np.isfinite(v).any())])


def round_top(value: float) -> float:
    """Return a round number above ``value``, 4% above it or more.

    It grows in steps (:data:`ROUND`), so that an axis does not jitter while a value grows.
    """
    top = max(value, 1e-6) * HEADROOM
    ten = 10.0 ** math.floor(math.log10(top))
    return next((step * ten for step in ROUND if top <= step * ten * (1 + 1e-9)), 10 * ten)


def curve_top(curves: Sequence[NDArray[Any]]) -> float:
    """Return a round upper end for an axis of losses; values that are not finite do not count."""
    return round_top(highest(curves))


def marks(lane: LaneFrame, validation: NDArray[Any]) -> list[Mark]:
    """Return the marks on a lane's validation curve: best epoch, early stop, divergence, in this
    order, each only if it has happened within the curve.

    Parameters
    ----------
    lane
        Where the marks are.
    validation
        (epochs,), the losses or accuracies that the marks lie on.
    """
    n = len(validation)
    found: list[tuple[Literal["best", "stop", "diverged"], int]] = [
        ("best", lane.best_epoch),
        ("stop", lane.stopped_epoch),
    ]
    if lane.status == "diverged":
        found.append(("diverged", min(lane.epoch, n)))
    return [
        Mark(kind, epoch, float(validation[epoch - 1])) for kind, epoch in found if 0 < epoch <= n
    ]


# --- boundaries --------------------------------------------------------------------------------


def log_odds(response: NDArray[Any]) -> NDArray[np.float64]:
    """Return log(p / (1-p)) of a response, P(class 1) as 0 to 255.

    The ½ line runs where it crosses 0: between two neighbouring nodes of the grid a network's
    log-odds are nearly linear, its probabilities are not. Responses are clipped by half a step, so
    that 0 and 255 stay finite.
    """
    part = np.clip(response.astype(float), 0.5, 254.5) / 255
    odds: NDArray[np.float64] = np.log(part / (1 - part))
    return odds


# --- histograms --------------------------------------------------------------------------------


def histogram_reach(counts: NDArray[Any], limit: float, outside: float = 0.0) -> float:
    """Return how far from 0 the weights of a histogram lie; 0 where it holds none.

    Parameters
    ----------
    counts
        (bins,), an even number of equal bins from -``limit`` to ``limit``.
    limit
        The outer edge of the outermost bins.
    outside
        Share of the weights that may lie further out: on a linear axis a few stray ones are too
        few to see, and would squeeze the rest.
    """
    whole = np.asarray(counts, np.int64)
    total, half = int(whole.sum()), len(whole) // 2
    if not total:
        return 0.0
    rings = whole[half:] + whole[:half][::-1]  # from the middle outwards
    ring = int(np.searchsorted(rings.cumsum(), (1 - outside) * total))
    edges = np.linspace(-limit, limit, len(whole) + 1)
    return float(edges[half + 1 + min(ring, half - 1)])


def histogram_top(counts: Sequence[NDArray[Any]], zeros: Sequence[int]) -> float:
    """Return how high the bars of histograms that share a panel go, at least 1.

    Parameters
    ----------
    counts
        Of each histogram its bins, exact zeros not among them.
    zeros
        Of each its exact zeros, which have a bar of their own (:data:`TALLEST_ZEROS`).
    """
    top = max([1.0, *(float(row.max()) for row in counts)])
    return max(top, min(max(zeros), TALLEST_ZEROS * top))
