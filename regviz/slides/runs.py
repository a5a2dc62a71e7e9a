"""What stands on a slide: trained runs (:class:`Runs`), and charts of the app (:class:`Chart`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from regviz.frames import Frame
from regviz.results.verdict import Verdict
from regviz.slides import words
from regviz.slides.slide import FIGURES
from regviz.specs import Experiment, SpecError
from regviz.specs.text import clean, told_apart

MAX_RUNS = 6
MOST_NAME = 24
"""Characters of a column's or class's name in a figure; alt texts hold the whole name."""


@dataclass(frozen=True)
class Chart:
    """A Plotly figure of the app, and the text that goes with it.

    Attributes
    ----------
    name
        Its name in :attr:`regviz.slides.slide.Slide.figures`.
    title
        Over the figure.
    figure
        Plotly's JSON, in the colours of the slide's theme.
    alt
        Alternative text: what the figure shows.
    caption
        The settings and seeds it was made with.
    notes
        For the speaker: what to say, and how to reproduce the figure.
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
    """Trained runs: experiments, their labels, and frames of their training; and charts, beside
    them or alone.

    Attributes
    ----------
    experiments
        At most six, in the order of the frames' lanes; none where there are charts only.
    frames
        Oldest first. A still shows the last one, which holds the data; an animation shows all.
    labels
        Name of each run; left out, the settings in which the runs differ.
    has_weights
        Whether the frames hold the weights' histograms; what a result file holds does not.
    charts
        Further figures, each with a different name.
    verdicts
        Each run's verdict from a result file; None: judged from the last frame.

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
        """Return the title of a figure."""
        chart = self.chart(figure)
        return FIGURES[figure] if chart is None else chart.title

    def shown_alone(self, figures: Sequence[str]) -> Chart | None:
        """Return the first chart if all figures are charts, so that no run is shown."""
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
        """Number of classes that the boundaries show; over two if any is an image of classes."""
        views = self.last.data or ()
        shown = zip(self.last.lanes, views, strict=False)
        return max((v.n_classes for lane, v in shown if lane.class_map is not None), default=2)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of these classes, cut to fit a legend; :attr:`whole_class_names` has them whole."""
        return told_apart(self.whole_class_names, MOST_NAME)

    @property
    def whole_class_names(self) -> tuple[str, ...]:
        """Names of these classes; numbers if the runs differ in them or have none."""
        named = {e.data.classes for e in self.experiments if e.data.n_classes == self.kinds}
        known = named.pop() if len(named) == 1 else None
        return tuple(map(clean, known or (f"class {k}" for k in range(self.kinds))))

    @property
    def column_names(self) -> tuple[str, str] | None:
        """Names of the two inputs; None if the runs differ in them or have none."""
        named = {e.data.columns for e in self.experiments}
        known = named.pop() if len(named) == 1 else None
        if known is None:
            return None
        first, second = map(clean, known)
        return first or "x₀", second or "x₁"

    @property
    def one(self) -> str:
        """Name of the class whose probability a picture of two classes shows."""
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
