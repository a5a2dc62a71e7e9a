"""Slides: finished runs as pictures, animations, pages and decks to be shown in a lecture.

``render(runs, slide, "png")`` returns the bytes of a file: :class:`Runs` holds what was trained,
:class:`Slide` which figures of it are shown, and how. Equal runs and equal slides give equal bytes.
Beside runs, or alone, stand charts (:class:`Chart`): any Plotly figure of the app, such as the
curve of a sweep or of a theory check.

========== ============================================ =========================
format     what it is                                   where it is made
========== ============================================ =========================
png        3840 x 2160 pixels (1920 x 1080, scale 2)    :mod:`regviz.slides.stills`
svg, pdf   vector; a PDF has as many pages as needed    :mod:`regviz.slides.stills`
gif, webp  the training, 960 x 540 pixels               :mod:`regviz.slides.animation`
html       plays and scrubs, from a file, offline       :mod:`regviz.slides.page`
pptx       a deck, 16:9, one figure a slide             :mod:`regviz.slides.deck`
========== ============================================ =========================

No browser is needed. The libraries that draw (matplotlib, Pillow, python-pptx) are imported only
when something is drawn. A server calls :func:`regviz.slides.process.render`, which draws in a
separate process.
"""

from __future__ import annotations

import logging

from regviz.slides.files import render, unseen
from regviz.slides.runs import MAX_RUNS, Chart, Runs
from regviz.slides.slide import (
    FIGURES,
    FORMATS,
    LAYOUTS,
    MOVING,
    SWEEP,
    THEMES,
    Slide,
    check_figures,
)

__all__ = [
    "FIGURES",
    "FORMATS",
    "LAYOUTS",
    "MAX_RUNS",
    "MOVING",
    "SWEEP",
    "THEMES",
    "Chart",
    "Runs",
    "Slide",
    "check_figures",
    "render",
    "unseen",
]

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports on building its font cache
