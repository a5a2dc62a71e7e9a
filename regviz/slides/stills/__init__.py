"""Slides that stand still: figures laid out on one page, as PNG, SVG or PDF, drawn by matplotlib.

A figure is drawn at one frame, and what moves in an animation is handed back: each function that
draws a figure returns an ``update(frame)``.

================ ==============================================================
layout           a page: figures in their cells, title, caption, legend, code
boundary         decision boundaries, and the difference of two
curves           loss and accuracy over the epochs
histogram        the weights of each layer
numbers          the table of losses, accuracies and counts
contour          the ½ line as a smooth path
marks            marks, lines and words that figures share
files            the page as PNG, SVG or PDF
================ ==============================================================
"""

from __future__ import annotations

from regviz.slides.stills.files import still
from regviz.slides.stills.layout import Drawn, draw

__all__ = ["Drawn", "draw", "still"]
