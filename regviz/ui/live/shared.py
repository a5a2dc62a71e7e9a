"""The constants that the JavaScript has from Python, each written in one place.

In the scripts they are the fields of ``SHARED``.
"""

from __future__ import annotations

from typing import Any

from regviz.figures import info
from regviz.figures.live import PANELS_PER_ROW
from regviz.figures.style import LOG_LOSS_TICKS
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
    "few": info.FEW,
    "symbols": info.SYMBOLS,
    "lossRange": info.LOSS_RANGE,
    "logLossRange": info.LOG_LOSS_RANGE,
    "accuracyRange": info.ACCURACY_RANGE,
    "leastLogLoss": LOG_LOSS_TICKS[0],
    "round": info.ROUND,
    "headroom": info.HEADROOM,
    # boundaries
    "inputs": info.INPUTS,
    "leastLead": classes.LEAST_LEAD,
    # histograms
    "panelsPerRow": PANELS_PER_ROW,
    "tallestZeros": info.TALLEST_ZEROS,
    "zerosBar": info.ZEROS_BAR,
    "outside": info.OUTSIDE,
    "weightsRoom": info.WEIGHTS_ROOM,
    "weightsFloor": info.WEIGHTS_FLOOR,
    "leastBins": info.LEAST_BINS,
}
"""For the scripts of the live charts."""
