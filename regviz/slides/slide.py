"""What a slide shows and how: :class:`Slide`, and the names that its fields may have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.specs import SpecError, did_you_mean
from regviz.specs.text import clean

FORMATS = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "gif": "image/gif",
    "webp": "image/webp",
    "html": "text/html",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""Each format, by its file extension, and its media type."""

MOVING = ("gif", "webp", "html")
"""Formats that show the training itself, and so need frames of it, not only the last."""

FIGURES = {
    "boundary": "Decision boundary",
    "difference": "Difference, second minus first",
    "curves": "Loss curves",
    "accuracy": "Accuracy curves",
    "histogram": "Weights per layer",
    "numbers": "Numbers",
}
"""The figures of runs by name, and the title of each on a slide."""

SWEEP = "sweep"
"""Name of the chart of a sweep, among the names of figures."""

LAYOUTS = {"one": (1, 1), "two": (1, 2), "grid": (2, 2)}
"""Rows and columns of figures."""

THEMES: dict[str, Palette] = {"light": LIGHT, "dark": DARK}
MOST_FRAMES = 200


@dataclass(frozen=True)
class Slide:
    """What a slide shows and how; equal values give equal slides.

    Attributes
    ----------
    figures
        Names from :data:`FIGURES`, or of charts, in order.
    layout
        A name from :data:`LAYOUTS`, or None: the smallest that holds all figures (in a deck,
        one figure a slide).
    theme
        ``light`` or ``dark``.
    font_size
        In points on a slide of 13.33 x 7.5 inches, as PowerPoint counts them; titles are larger,
        the caption smaller.
    title
        None: made from what was trained. ``""``: none.
    caption
        Whether the settings, all that differ from the defaults and the seeds, stand below.
    link
        An address shown as a QR code; None: none.
    frames
        The most pictures of an animation.
    seconds
        Length of an animation, without the pause at its end.
    scale
        Size of a PNG: 1920 x 1080 pixels times this.

    Raises
    ------
    SpecError
        If a field is out of range: one sentence that names it.
    """

    figures: tuple[str, ...] = ("boundary", "curves")
    layout: str | None = None
    theme: str = "light"
    font_size: float = 18.0
    title: str | None = None
    caption: bool = True
    link: str | None = None
    frames: int = 60
    seconds: float = 6.0
    scale: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", tuple(self.figures))
        if self.title is not None:
            object.__setattr__(self, "title", clean(self.title))
        if not self.figures:
            raise SpecError("figures: got none; give at least one.")
        if self.layout is not None:
            choose("layout", self.layout, LAYOUTS)
        choose("theme", self.theme, THEMES)
        _within("font size", self.font_size, 10, 32)
        _within("frames", self.frames, 2, MOST_FRAMES)
        _within("seconds", self.seconds, 1, 60)
        _within("scale", self.scale, 0.5, 4)
        if self.link is not None and not (
            re.fullmatch(r"https?://\S+", self.link) and clean(self.link) == self.link
        ):
            raise SpecError(
                f'link: got "{clean(self.link)[:60]}"; give an address that starts with https://, '
                "without spaces and control characters."
            )

    @property
    def palette(self) -> Palette:
        """The colours of the theme."""
        return THEMES[self.theme]

    def pages(self, layout: str | None = None) -> list[tuple[str, ...]]:
        """Return the figures page by page, as many on each as the layout holds.

        ``layout`` is used if the slide leaves its own open. Without either, all figures stand on
        one page, if a page holds so many.
        """
        rows, columns = LAYOUTS[self.layout or layout or _smallest(len(self.figures))]
        most = rows * columns
        return [self.figures[i : i + most] for i in range(0, len(self.figures), most)]

    def shape(self, figures: int) -> tuple[int, int]:
        """Return (rows, columns) of a page with this many figures."""
        return LAYOUTS[self.layout or _smallest(figures)]


def _smallest(figures: int) -> str:
    return "one" if figures == 1 else "two" if figures == 2 else "grid"


def choose(name: str, value: object, options: Any) -> None:
    """Refuse a value that is not among the options, in one sentence that starts with ``name``."""
    if value not in options:
        meant = did_you_mean(str(value), tuple(options))
        raise SpecError(f'{name}: got "{value}"{meant}; choose one of {", ".join(options)}.')


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SpecError(f"{name}: got {value:g}; give a number from {low:g} to {high:g}.")


def check_figures(names: Sequence[str], charts: Sequence[str] = ()) -> None:
    """Refuse a name that is neither in :data:`FIGURES` nor among the charts."""
    for name in names:
        choose("figure", name, (*FIGURES, *charts))
