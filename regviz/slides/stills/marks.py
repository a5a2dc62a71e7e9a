"""Marks, lines and words that several figures of a still share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from regviz.figures.palette import Palette
from regviz.frames import DataView, Frame
from regviz.slides.paper import Style, fit, text_width
from regviz.slides.runs import Runs
from regviz.specs.text import shortened

CLASS_MARKERS: tuple[Any, ...] = ("o", "s", "^", "D", "P", "v", "X", "*", "p", (6, 1, 0))
"""matplotlib's markers of each class, as Plotly's in
:data:`regviz.figures.palette.CLASS_SYMBOLS`."""
SLENDER = CLASS_MARKERS[2:3] + CLASS_MARKERS[4:]
"""Markers that cover less than a disc of their size."""
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Markers of the runs' curves: in print colours may be lost."""
TRAINING: Any = (0, (5, 3))
VALIDATION: Any = "-"


Update = Callable[[Frame], list[Artist]]
"""Brings a figure to a frame and returns what it changed."""


def first_that_fits(texts: Sequence[str], size: float, width: float) -> str:
    """Return the first text no wider than ``width`` inches, else the last with an ellipsis."""
    fitting = (text for text in texts if text_width(text, size) < width)
    return next(fitting, fit(texts[-1], size, width, 1))


def axis_names(runs: Runs, which: int) -> tuple[str, ...]:
    """Return the title of an input's axis, followed by shorter ones for where it does not fit."""
    names, usual = runs.column_names, ("x₀", "x₁")[which]
    if names is None:
        return f"input {usual}", usual
    name = names[which]
    cut = (shortened(name, most) for most in (24, 16, 10, 6))
    return tuple(dict.fromkeys((f"{name} (standardized)", name, *cut)))


def point_kinds(
    view: DataView, p: Palette, kinds: int
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    """Yield the look of the points of each class and split, and which points those are."""
    for validation in (False, True):
        for k in range(kinds):
            look = point_look(p.classes[k], validation=validation, outline=p.outline)
            if kinds > 2:
                look["marker"] = CLASS_MARKERS[k]
            kind: dict[str, Any] = {
                "marker": look["marker"],
                "facecolors": look["markerfacecolor"],
                "edgecolors": look["markeredgecolor"],
                "linewidths": look["markeredgewidth"],
            }
            yield kind, (view.y == k) & (view.is_val == validation)


def point_look(color: str, *, validation: bool, outline: str) -> dict[str, Any]:
    """Return the look of a point: a full disc in training, an open diamond in validation."""
    return {
        "marker": "D" if validation else "o",
        "markerfacecolor": "none" if validation else color,
        "markeredgecolor": color if validation else outline,
        "markeredgewidth": 1.6 if validation else 0.6,
    }


def short_labels(runs: Runs, style: Style) -> list[str]:
    """Return the runs' labels, cut to the width of a legend."""
    return [fit(label, style.small, 6.0, 1) for label in runs.labels]


def say(ax: Axes, text: str, style: Style) -> None:
    """Write a text in the middle of axes that stay empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", color=style.palette.muted)
