"""A page of a still: figures in their cells, title, caption, legend and QR code around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from regviz.frames import Frame
from regviz.slides import plotted, qr, words
from regviz.slides.paper import HEIGHT, PIXELS, WIDTH, Cell, NoRoom, Style, fit, legend, sizes
from regviz.slides.runs import Runs
from regviz.slides.slide import Slide
from regviz.slides.stills.boundary import boundary, boundary_key, difference, difference_key
from regviz.slides.stills.curves import accuracy, curves, curves_key
from regviz.slides.stills.histogram import histogram, histogram_key
from regviz.slides.stills.marks import Update
from regviz.slides.stills.numbers import numbers
from regviz.specs import SpecError
from regviz.specs.text import shortened

DRAW: dict[str, Callable[[Cell, Runs, Style], Update]] = {
    "boundary": boundary,
    "difference": difference,
    "curves": curves,
    "accuracy": accuracy,
    "histogram": histogram,
    "numbers": numbers,
}
"""How each of :data:`regviz.slides.FIGURES` is drawn."""

KEYS: dict[str, Callable[[Runs, Style], list[Any]]] = {
    "boundary": boundary_key,
    "difference": difference_key,
    "curves": curves_key,
    "accuracy": curves_key,
    "histogram": histogram_key,
    "numbers": lambda runs, style: [],
}
"""What the legend explains for each."""


@dataclass
class Drawn:
    """A page, and the functions that bring its figures to a frame."""

    figure: Figure
    canvas: FigureCanvasAgg
    updates: list[Update]

    def update(self, frame: Frame) -> list[Artist]:
        """Bring every figure to a frame; return the artists that changed."""
        return [artist for update in self.updates for artist in update(frame)]


_CAPTION_LINES = 5
_SMALLER = 0.88
_LEAST = 9.0
"""The smallest font size, in points, that is tried to make a page fit."""


def draw(
    runs: Runs,
    slide: Slide,
    figures: Sequence[str],
    *,
    pixels: tuple[int, int] = PIXELS,
    bare: bool = False,
    beside: float = 0.0,
    height: float = HEIGHT,
) -> Drawn:
    """Lay out one page and draw it at the runs' last frame. Call it within :func:`drawing`.

    Letters have the slide's size, or a smaller one if they would not fit.

    Parameters
    ----------
    figures
        The figures of this page.
    pixels
        Size of the whole page; it gives the resolution.
    bare
        Leave out title, caption and QR code: a deck has its own.
    beside
        Inches left free beside the title, for the epoch of an animation.
    height
        In inches; a bare figure may be lower than a slide.

    Raises
    ------
    SpecError
        If the figures do not fit with letters of 9 points either.
    """
    size = slide.font_size
    while True:
        try:
            drawn = _laid_out(runs, slide, figures, size, pixels, bare, beside, height)
        except NoRoom:
            pass
        else:
            if not _crowded(drawn.figure):
                return drawn
        if size <= _LEAST:
            named = " and ".join(shortened(runs.title_of(name), 40) for name in figures)
            of = f" of {len(runs.labels)} runs" if runs.labels else ""
            raise SpecError(
                f"figures: {named}{of} do not fit on one page; choose fewer figures or runs, "
                "shorter names, or a layout with fewer figures on a page."
            )
        size = max(_LEAST, _SMALLER * size)


def _laid_out(
    runs: Runs,
    slide: Slide,
    figures: Sequence[str],
    size: float,
    pixels: tuple[int, int],
    bare: bool,
    beside: float,
    height: float,
) -> Drawn:
    """Draw a page with letters of a size; raise :class:`NoRoom` where there is no room for axes."""
    style = Style(slide.palette, size)
    with mpl.rc_context(sizes(style)):
        return _page(runs, slide, figures, style, pixels, bare, beside, height)


def _page(
    runs: Runs,
    slide: Slide,
    figures: Sequence[str],
    style: Style,
    pixels: tuple[int, int],
    bare: bool,
    beside: float,
    height: float,
) -> Drawn:
    p = style.palette
    paper = Figure((WIDTH, height), dpi=pixels[1] / height)
    canvas = FigureCanvasAgg(paper)
    said = words.slide_title(runs, slide, figures)
    link = None if bare else slide.link
    small = max(9.0, 0.62 * style.size)
    code = 1.1 if link else 0.0
    below = fit(words.below(runs, figures), small, WIDTH - 0.7 - code, _CAPTION_LINES)
    told = below.split("\n") if slide.caption else []
    big = 1.45 * style.size
    heading = fit(said, big, WIDTH - 0.7 - beside, 2, bold=True).split("\n") if said else []
    if bare:
        told, heading = [], []
    top = (1.3 * big * len(heading) + 0.5 * big) / 72 if heading else 0.15
    foot = 1.4 * small * len(told) / 72 + 0.25 if told else 0.12
    # measured too: other scripts are taller
    if heading:
        written = paper.text(
            0.35 / WIDTH, 1 - 0.35 * big / 72 / height, "\n".join(heading),
            fontsize=big, fontweight="bold", va="top", ha="left",
        )  # fmt: skip
        top = max(top, height - written.get_window_extent().y0 / paper.dpi + 0.2 * big / 72)
    if told:
        written = paper.text(
            0.35 / WIDTH, 0.14 / height, "\n".join(told),
            fontsize=small, va="bottom", ha="left", color=p.muted, linespacing=1.35,
        )  # fmt: skip
        foot = max(foot, written.get_window_extent().y1 / paper.dpi + 0.1)
    if link:
        _qr(paper, link, code, height)
    rows, columns = slide.shape(len(figures))
    # smaller letters for more figures, but not in proportion: a slide is read from afar
    style = Style(p, style.size * (1.0, 0.86, 0.72)[(rows > 1) + (columns > 1)])
    side, gap = 0.3, 0.3
    handles = [handle for name in figures if name in KEYS for handle in KEYS[name](runs, style)]
    if handles:
        with mpl.rc_context(sizes(style)):
            foot += _legend(paper, handles, style, foot, code)
    foot = max(foot, code + 0.16)
    wide = (WIDTH - 2 * side - (columns - 1) * gap) / columns
    tall = (height - top - foot - (rows - 1) * 0.15) / rows
    if tall < 4 * style.small / 72:
        raise NoRoom
    updates = []
    with mpl.rc_context(sizes(style)):
        for i, name in enumerate(figures):
            row, column = divmod(i, columns)
            cell = Cell(
                paper,
                side + column * (wide + gap),
                foot + (rows - 1 - row) * (tall + 0.15),
                wide,
                tall,
                style,
            )
            alone = len(figures) == 1 and (bare or words.title_of_chart(runs, name) == said)
            if not alone:
                cell.heading(runs.title_of(name))
            chart = runs.chart(name)
            if chart is None:
                updates.append(DRAW[name](cell, runs, style))
            else:
                plotted.draw(cell, json.loads(chart.figure), style)
    drawn = Drawn(paper, canvas, updates)
    if updates:
        drawn.update(runs.last)
    return drawn


def _crowded(paper: Figure) -> bool:
    """Return whether a text leaves the page, or lies over another text or over other axes."""
    paper.draw_without_rendering()
    placed = list(texts_on(paper))
    width, height = paper.bbox.width, paper.bbox.height
    near = 0.02 * paper.dpi  # renderers round differently by as much
    for _, box in placed:
        if box.x0 < -near or box.y0 < -near or box.x1 > width + near or box.y1 > height + near:
            return True
    boxes = [box for _, box in placed]
    frames = [(ax, ax.get_window_extent()) for ax in paper.axes if ax.axison]
    for i, (text, a) in enumerate(placed):
        if text.axes is not None and text in text.axes.texts:
            continue  # at a point of the data
        if any(_lap(a, b, near) for b in boxes[i + 1 :]):
            return True
        if any(ax is not text.axes and _lap(a, frame, near) for ax, frame in frames):
            return True
    return False


def _lap(a: Bbox, b: Bbox, near: float) -> bool:
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    high = min(a.y1, b.y1) - max(a.y0, b.y0)
    # the box of a text has room for descenders: a quarter of it may overlap another
    return wide > near and high > near + 0.25 * min(a.height, b.height)


def texts_on(paper: Figure) -> Iterator[tuple[Text, Bbox]]:
    """Yield each visible text of a drawn page and its box in pixels."""
    unseen = set()
    for ax in paper.axes:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            slack = 1e-6 * abs(limits[1] - limits[0])
            low, high = min(limits) - slack, max(limits) + slack
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high or not ax.axison:
                    unseen |= {tick.label1, tick.label2}
    for text in paper.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            box = text.get_window_extent()
            if box.width >= 1:
                yield text, box


def _qr(paper: Figure, link: str, side: float, height: float) -> None:
    """Draw a link as a QR code in the lower right corner, dark on light in both themes."""
    matrix = qr.matrix(link)
    ax = paper.add_axes(((WIDTH - side - 0.08) / WIDTH, 0.08 / height, side / WIDTH, side / height))
    ax.imshow(matrix, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    ax.set_url(link)


def _legend(
    paper: Figure, handles: Sequence[Any], style: Style, bottom: float, right: float
) -> float:
    """Put one legend for all figures at the bottom of the page; return the inches it takes.

    ``right`` inches are left free at that side.
    """
    across, up = paper.get_size_inches()
    handles = list({_looks(handle): handle for handle in reversed(handles)}.values())[::-1]
    rows, drawn = legend(
        paper, handles, style.small, longest=6.0, swatch=4.2, room=across - right - 0.6,
        loc="lower center", anchor=(0.5 - right / across / 2, bottom / up),
    )  # fmt: skip
    return max(rows, drawn + 0.1) + 0.05


def _looks(handle: Any) -> tuple[str, ...]:
    """Return the look of a legend entry; of entries that look the same one is shown."""
    parts = (
        "label",
        "color",
        "facecolor",
        "edgecolor",
        "linestyle",
        "marker",
        "hatch",
        "fillstyle",
    )
    seen = (getattr(handle, f"get_{part}", None) for part in parts)
    return type(handle).__name__, *(str(get()) for get in seen if get is not None)
