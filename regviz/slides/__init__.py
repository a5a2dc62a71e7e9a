"""Slides: finished runs as pictures, animations, pages and decks to be shown in a lecture.

``render(runs, slide, "png")`` is all there is to know: :class:`Runs` is what was trained,
:class:`Slide` says what of it is shown and how, and the answer is the file's bytes. Equal runs and
equal slides give equal bytes. Beside runs, or alone, stand charts (:class:`Chart`): any Plotly
figure of the app, such as a sweep's curve or that of a theory check.

========== ============================================ =========================
format     what it is                                   where it is made
========== ============================================ =========================
png        3840 x 2160 pixels (1920 x 1080, scale 2)    :mod:`regviz.slides.stills`
svg, pdf   vector; a PDF has as many pages as needed    :mod:`regviz.slides.stills`
gif, webp  the training, 960 x 540 pixels               :mod:`regviz.slides.animation`
html       plays and scrubs, from a file, offline       :mod:`regviz.slides.page`
pptx       a deck, 16:9, one figure a slide             :mod:`regviz.slides.deck`
========== ============================================ =========================

All of them are made without a browser. What draws (matplotlib, Pillow, python-pptx) is imported
when something is drawn and not before; :func:`regviz.slides.process.render` draws in a process of
its own, for a server that has better things to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.frames import Frame
from regviz.results.verdict import Verdict
from regviz.specs import Experiment, SpecError, did_you_mean
from regviz.specs.text import clean, told_apart

__all__ = [
    "FIGURES",
    "FORMATS",
    "LAYOUTS",
    "MOVING",
    "THEMES",
    "Chart",
    "Runs",
    "Slide",
    "check_figures",
    "render",
    "unseen",
]

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
"""What of runs can stand on a slide, and its title there."""

SWEEP = "sweep"
"""The chart of a sweep, among the names of figures."""

LAYOUTS = {"one": (1, 1), "two": (1, 2), "grid": (2, 2)}
"""Rows and columns of figures."""

THEMES: dict[str, Palette] = {"light": LIGHT, "dark": DARK}
MAX_RUNS = 6
MOST_FRAMES = 200
MOST_NAME = 24
"""Characters of a column's or class's name in a figure; alt texts hold it whole."""


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
        Pictures of an animation, at most.
    seconds
        How long an animation runs, without the pause at its end.
    scale
        Of a PNG: its pixels are 1920 x 1080 times this.

    Raises
    ------
    SpecError
        For anything out of range, by name.
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
            _choose("layout", self.layout, LAYOUTS)
        _choose("theme", self.theme, THEMES)
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

        ``layout`` is taken where the slide leaves it open; without either, all figures stand on
        one page if a page holds so many.
        """
        rows, columns = LAYOUTS[self.layout or layout or _smallest(len(self.figures))]
        most = rows * columns
        return [self.figures[i : i + most] for i in range(0, len(self.figures), most)]

    def shape(self, figures: int) -> tuple[int, int]:
        """Return the (rows, columns) of a page with so many figures."""
        return LAYOUTS[self.layout or _smallest(figures)]


def _smallest(figures: int) -> str:
    return "one" if figures == 1 else "two" if figures == 2 else "grid"


def _choose(name: str, value: object, options: Any) -> None:
    if value not in options:
        meant = did_you_mean(str(value), tuple(options))
        raise SpecError(f'{name}: got "{value}"{meant}; choose one of {", ".join(options)}.')


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SpecError(f"{name}: got {value:g}; give a number from {low:g} to {high:g}.")


def check_figures(names: Sequence[str], charts: Sequence[str] = ()) -> None:
    """Refuse a figure that is neither one of runs nor one of the charts, by name."""
    for name in names:
        _choose("figure", name, (*FIGURES, *charts))


@dataclass(frozen=True)
class Chart:
    """A Plotly figure of the app, and the words that go with it.

    Attributes
    ----------
    name
        What :attr:`Slide.figures` calls it.
    title
        Over the figure.
    figure
        Plotly's JSON, in the colours of the slide's theme.
    alt
        What is to be seen, for those who do not see it.
    caption
        The settings and seeds it was made with.
    notes
        For the speaker: what to say, and how to make it again.
    """

    name: str
    title: str
    figure: str
    alt: str
    caption: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "alt", "caption"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        object.__setattr__(self, "notes", clean(self.notes, lines=True))
        figure = json.dumps(_cleaned(json.loads(self.figure)), separators=(",", ":"))
        object.__setattr__(self, "figure", figure)


def _cleaned(value: Any) -> Any:
    """Return a figure with clean texts; arrays packed as base64 are no text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: v if name == "bdata" else _cleaned(v) for name, v in value.items()}
    return [_cleaned(v) for v in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Runs:
    """What was trained: experiments, what they are called, and frames of their training; and
    charts, beside them or alone.

    Attributes
    ----------
    experiments
        At most six, in the order of the frames' lanes; none where there are charts only.
    frames
        Oldest first; a still shows the last one, which holds the data. An animation shows all.
    labels
        Name of each run; left out, the settings in which the runs differ.
    has_weights
        Whether the frames hold the weights' histograms; what a result file holds does not.
    charts
        Figures of another kind, no two of one name.
    verdicts
        Each run's verdict as a result file says it; None: what the last frame says.

    Raises
    ------
    SpecError
        If there are too many runs, or labels do not fit them.
    """

    experiments: tuple[Experiment, ...]
    frames: tuple[Frame, ...]
    labels: tuple[str, ...] = field(default=())
    has_weights: bool = True
    charts: tuple[Chart, ...] = ()
    verdicts: tuple[Verdict, ...] | None = None

    def __post_init__(self) -> None:
        from regviz.slides import words

        count = len(self.experiments)
        if self.charts and not count and not self.frames:
            return
        if not 1 <= count <= MAX_RUNS:
            raise SpecError(
                f"runs: got {count}; a slide holds 1 to {MAX_RUNS}; choose some of them."
            )
        if self.labels and len(self.labels) != count:
            raise SpecError(f"labels: got {len(self.labels)} for {count} runs; give one for each.")
        if not self.frames or any(len(frame.lanes) != count for frame in self.frames):
            raise ValueError("Runs needs at least one frame, with one lane for each experiment")
        if self.frames[-1].data is None:
            raise ValueError("Runs needs the data of its last frame; got a frame without")
        labels = tuple(map(clean, self.labels)) or words.labels(self.experiments)
        labels = tuple(label or f"run {i}" for i, label in enumerate(labels, 1))
        object.__setattr__(self, "labels", labels)

    @property
    def last(self) -> Frame:
        """The newest frame."""
        return self.frames[-1]

    def chart(self, name: str) -> Chart | None:
        """Return the chart of this name; None where there is none."""
        return next((chart for chart in self.charts if chart.name == name), None)

    def title_of(self, figure: str) -> str:
        """Return what stands over a figure."""
        chart = self.chart(figure)
        return FIGURES[figure] if chart is None else chart.title

    def shown_alone(self, figures: Sequence[str]) -> Chart | None:
        """Return the first chart if figures are charts only: nothing of runs is to be told."""
        charts = [self.chart(name) for name in figures]
        return None if None in charts else charts[0]

    def moments(self, most: int) -> list[Frame]:
        """Return at most ``most`` frames, evenly over the epochs, first and last among them."""
        if len(self.frames) <= most:
            return list(self.frames)
        first, last = self.frames[0].epoch, self.last.epoch
        picked = {0, len(self.frames) - 1}
        for k in range(1, most - 1):
            wanted = first + (last - first) * k / (most - 1)
            picked.add(
                min(range(len(self.frames)), key=lambda i: abs(self.frames[i].epoch - wanted))
            )
        return [self.frames[i] for i in sorted(picked)]

    @property
    def kinds(self) -> int:
        """How many classes the boundaries show: more than two where any is an image of them."""
        views = self.last.data or ()
        shown = zip(self.last.lanes, views, strict=False)
        return max((v.n_classes for lane, v in shown if lane.class_map is not None), default=2)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of these classes as a legend holds them: whole ones in :attr:`whole_class_names`.

        Where runs have others, or none, they are numbered.
        """
        return told_apart(self.whole_class_names, MOST_NAME)

    @property
    def whole_class_names(self) -> tuple[str, ...]:
        """Names of these classes, however long; numbered where runs have others, or none."""
        named = {e.data.classes for e in self.experiments if e.data.n_classes == self.kinds}
        known = named.pop() if len(named) == 1 else None
        return tuple(map(clean, known or (f"class {k}" for k in range(self.kinds))))

    @property
    def column_names(self) -> tuple[str, str] | None:
        """Names of the two inputs, where all runs have the same ones; else None."""
        named = {e.data.columns for e in self.experiments}
        known = named.pop() if len(named) == 1 else None
        if known is None:
            return None
        first, second = map(clean, known)
        return first or "x₀", second or "x₁"

    @property
    def one(self) -> str:
        """How the class is called whose probability the picture of two classes shows."""
        return self.class_names[-1] if self.kinds == 2 else "class 1"

    def has(self, figure: str) -> bool:
        """Whether these runs have what a figure shows."""
        if self.chart(figure) is not None:
            return True
        if figure not in FIGURES or not self.frames:
            return False
        bounded = [lane.boundary is not None for lane in self.last.lanes]
        if figure == "boundary":
            return any(bounded) or self.kinds > 2
        if figure == "difference":
            return bounded == [True, True]
        return figure != "histogram" or self.has_weights


_WHY_NOT = {
    "boundary": "a decision boundary needs two inputs",
    "difference": "it needs two runs, each with two classes and two inputs",
    "histogram": "these runs do not hold their weights",
}


def render(runs: Runs, slide: Slide, format: str) -> bytes:
    """Return the slide as a file of one of :data:`FORMATS`.

    Raises
    ------
    SpecError
        If the format does not exist or cannot show these runs or figures: one sentence.
    """
    _choose("format", format, FORMATS)
    check_figures(slide.figures, [chart.name for chart in runs.charts])
    for name in slide.figures:
        if not runs.has(name):
            reason = _WHY_NOT[name] if runs.frames else "the slide has charts only, no runs"
            raise SpecError(f"figure: {name} cannot be drawn, because {reason}; choose another.")
    try:
        return _draw(runs, slide, format)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"format: {format} needs {error.name}, which is not installed; install the "
            "packages in requirements.txt."
        ) from None


def unseen(runs: Runs, slide: Slide) -> str:
    """Return one sentence on letters of a slide that no installed font has, or ``""``.

    An HTML page is drawn by the reader's browser, with the fonts there.
    """
    from regviz.slides import fonts

    return fonts.remark(fonts.used(runs, slide))


def _draw(runs: Runs, slide: Slide, format: str) -> bytes:
    if format == "pptx":
        from regviz.slides import deck

        return deck.build(deck.deck_slides(runs, slide))
    if format == "html":
        from regviz.slides import page

        return page.html(runs, slide)
    if format in ("gif", "webp"):
        from regviz.slides import animation

        return animation.animation(runs, slide, format)
    from regviz.slides import stills

    return stills.still(runs, slide, format)
