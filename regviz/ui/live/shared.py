"""The constants that the JavaScript has from Python, each written in one place.

In the scripts they are the fields of ``SHARED``.
"""

from __future__ import annotations

from typing import Any

from regviz.figures import comparisons
from regviz.figures import live as figures
from regviz.frames import frame, messages
from regviz.slides import classes

TOUCH: dict[str, Any] = {
    "sideways": 6,
}
"""For the scripts that stand on every page. ``sideways``: pixels from which on a finger moves a
slider, and does not scroll the page."""

SHARED: dict[str, Any] = TOUCH | {
    # messages
    "magic": messages.MAGIC.decode(),
    "curves": {name: row for row, name in enumerate(messages.CURVES)},
    "places": messages.PLACES,
    "validation": messages.VALIDATION,
    "levels": frame.LEVELS,
    "classCodes": frame.CLASS_CODES,
    "leadLevels": frame.LEAD_LEVELS,
    # curves
    "few": figures.FEW,
    "symbols": figures.SYMBOLS,
    "lossRange": figures.LOSS_RANGE,
    "logLossRange": figures.LOG_LOSS_RANGE,
    "accuracyRange": figures.ACCURACY_RANGE,
    "leastLogLoss": figures.LOG_LOSS_TICKS[0],
    "round": figures.ROUND,
    "headroom": figures.HEADROOM,
    # boundaries
    "inputs": figures.INPUTS,
    "leastLead": classes.LEAST_LEAD,
    # histograms
    "panelsPerRow": figures.PANELS_PER_ROW,
    "tallestZeros": figures.TALLEST_ZEROS,
    "zerosBar": figures.ZEROS_BAR,
    "outside": comparisons.OUTSIDE,
    "weightsRoom": comparisons.WEIGHTS_ROOM,
    "weightsFloor": comparisons.WEIGHTS_FLOOR,
    "leastBins": comparisons.LEAST_BINS,
}
"""For the scripts of the live charts."""
