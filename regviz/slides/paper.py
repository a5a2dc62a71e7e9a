"""Paper to draw slides on with matplotlib: 13.33 x 7.5 inches, its settings, text that fits.

matplotlib draws without a display or a browser. Its own font (DejaVu Sans) has every letter of the
app's words, and :mod:`regviz.slides.fonts` finds others for the names that users give. Nothing
here uses ``pyplot``, whose state is shared by the whole process.
"""

from __future__ import annotations

import io
import math
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regviz.figures.palette import Palette
from regviz.slides import fonts
from regviz.slides.runs import Runs
from regviz.slides.slide import Slide
from regviz.specs.text import is_joined, shortened

WIDTH, HEIGHT = 40 / 3, 7.5
"""A slide in inches, as PowerPoint has it: a point here is a point there."""
PIXELS = (1920, 1080)
DPI = PIXELS[1] / HEIGHT
_LOCK = threading.Lock()  # matplotlib's settings are global


@dataclass(frozen=True)
class Style:
    """Colours, size of the letters in points, and font families in the order of their search."""

    palette: Palette
    size: float
    families: tuple[str, ...] = (fonts.USUAL,)

    @property
    def small(self) -> float:
        """Size of the letters of ticks and legends, in points."""
        return self.size * 0.82

    @property
    def line(self) -> float:
        """Width of a curve, in points."""
        return self.size / 7.5


@contextmanager
def drawing(style: Style) -> Iterator[None]:
    """Draw with these settings, whatever matplotlib's configuration says; one thread at a time."""
    p = style.palette
    with _LOCK, mpl.rc_context(), warnings.catch_warnings():
        # regviz.slides.unseen reports them in one sentence
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": list(style.families),
                "text.parse_math": False,
                "text.color": p.text,
                "axes.labelcolor": p.text,
                "axes.edgecolor": p.muted,
                "axes.facecolor": p.background,
                "axes.grid": True,
                "axes.axisbelow": True,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "grid.color": p.grid,
                "xtick.color": p.muted,
                "ytick.color": p.muted,
                "xtick.labelcolor": p.text,
                "ytick.labelcolor": p.text,
                "legend.frameon": False,
                "legend.columnspacing": 1.4,
                "legend.handletextpad": 0.5,
                "figure.facecolor": p.background,
                # equal slides are equal files: no dates, no random names
                "svg.hashsalt": "regviz",
                "svg.fonttype": "path",
                "pdf.fonttype": 3,
                **sizes(style),
            }
        )
        yield


def style_of(runs: Runs, slide: Slide) -> Style:
    """Return colours, size and fonts for a slide of these runs."""
    families = fonts.families(fonts.used(runs, slide))
    return Style(slide.palette, slide.font_size, families)


def sizes(style: Style) -> Any:
    """Return matplotlib's settings for the sizes of a style's letters."""
    return {
        "font.size": style.size,
        "axes.titlesize": style.size,
        "axes.titlepad": 0.4 * style.size,
        "axes.labelsize": style.size,
        "axes.labelpad": 0.2 * style.size,
        "xtick.labelsize": style.small,
        "ytick.labelsize": style.small,
        "legend.fontsize": style.small,
    }


# --- text that fits ----------------------------------------------------------------------------


class NoRoom(ValueError):
    """A figure does not fit its place; it may with smaller letters."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in inches, in the current fonts."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width, _, _ = _measure.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


_measure = TextToPath()


def wrap(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines no wider than ``width`` inches; a longer word is cut."""

    def wide(line: str) -> float:
        return text_width(line, size, bold=bold)

    width = max(width, 2 * size / 72)  # a letter fits in any case
    lines = [""]
    glued = re.sub(r" (\S) = ", "\u00a0\\1\u00a0=\u00a0", text)  # no break inside dropout p = 0.5
    for word in glued.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer) <= width:
            lines[-1] = longer
            continue
        rest = word
        while wide(rest) > width and len(rest) > 1:
            keep = max(1, int(len(rest) * width / wide(rest)) - 1)
            while keep > 1 and is_joined(rest, keep):
                keep -= 1
            lines.append(rest[:keep])
            rest = rest[keep:]
        lines.append(rest)
    return [line for line in lines if line] or [""]


def fit(text: str, size: float, width: float, most: int, *, bold: bool = False) -> str:
    """Break a text into at most ``most`` lines; a longer one is cut and ends in an ellipsis."""
    width = max(width, 2 * size / 72)
    # cut before measuring: no line holds more than this of the narrowest letters
    text = shortened(text, max(40, int(72 * width * most / (0.2 * size))))
    lines = wrap(text, size, width, bold=bold)
    if len(lines) > most:
        last = lines[most - 1]
        while last and text_width(f"{last}…", size, bold=bold) > width:
            last = _but_one(last)
        lines = [*lines[: most - 1], f"{last.rstrip(' ,·')}…"]
    return "\n".join(lines)


def _but_one(text: str) -> str:
    """Return a text without its last letter and the marks joined to it."""
    at = len(text) - 1
    while at > 0 and is_joined(text, at):
        at -= 1
    return text[:at]


@dataclass
class Cell:
    """A rectangle of the page for one figure, in inches from the page's lower left corner."""

    paper: Figure
    left: float
    bottom: float
    width: float
    height: float
    style: Style

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes, placed in inches from the cell's lower left corner."""
        across, up = self.paper.get_size_inches()
        return self.paper.add_axes(
            ((self.left + x) / across, (self.bottom + y) / up, width / across, height / up)
        )

    def heading(self, text: str) -> None:
        """Write a title at the top and shrink the cell to the part below it."""
        size = 1.1 * self.style.size
        across, up = self.paper.get_size_inches()
        self.height -= 1.7 * size / 72
        y = self.bottom + self.height + 0.25 * size / 72
        self.paper.text(
            (self.left + self.width / 2) / across, y / up,
            fit(text, size, self.width, 1, bold=True),
            ha="center", va="bottom", fontsize=size, fontweight="bold",
        )  # fmt: skip

    def panels(
        self,
        n: int,
        *,
        aspect: float | None,
        titles: Sequence[str],
        under: int = 0,
        shared: bool,
        right: float = 0.0,
        xlabels: Sequence[str],
        ylabels: Sequence[str],
    ) -> list[Axes]:
        """Add ``n`` axes in the rows and columns in which they come out largest, and label them.

        Parameters
        ----------
        aspect
            Width by height of each; None: as there is room.
        titles
            Of the panels; broken into two lines where that is needed.
        under
            Lines of small text that follow under each title.
        shared
            Whether panels share their scales, so that only the outer ones need numbers.
        right
            Inches left free to the right of all.
        xlabels, ylabels
            The title of an axis, followed by shorter ones to use where it does not fit.
        """
        style = self.style
        small = style.small / 72
        left, foot = 4.4 * small, 3.3 * small
        gap_x = 2.0 * small if shared else 4.2 * small  # the outermost numbers stand out
        gap_y = 0.4 * small if shared else 1.6 * small

        def sizes(columns: int) -> tuple[float, float, float]:
            rows = math.ceil(n / columns)
            wide = (self.width - left - right - (columns - 1) * gap_x - 0.05) / columns
            for lines in (1, 2):
                above = (1.25 * (lines * bool(titles) + under) + 0.5) * small
                tall = (self.height - foot - rows * above - (rows - 1) * gap_y) / rows
                w = wide if aspect is None else min(wide, tall * aspect)
                h = tall if aspect is None else min(tall, wide / aspect)
                if all(len(wrap(t, style.small, w, bold=True)) <= lines for t in titles):
                    break
            return w, h, above

        def size_of(columns: int) -> float:
            w, h, _ = sizes(columns)
            return min(w, 1.5 * h) if aspect is None else w

        columns = max(range(1, n + 1), key=size_of)
        rows = math.ceil(n / columns)
        w, h, above = sizes(columns)
        if w < 3 * small or h < 3 * small:
            raise NoRoom
        spare = self.width - left - right - columns * w - (columns - 1) * gap_x - 0.05
        high = self.height - foot - rows * (h + above) - (rows - 1) * gap_y
        out = []
        for i in range(n):
            row, column = divmod(i, columns)
            ax = self.axes(
                left + spare / 2 + column * (w + gap_x),
                foot + high / 2 + (rows - 1 - row) * (h + gap_y + above),
                w,
                h,
            )
            if titles:
                text = fit(titles[i], style.small, w, 2, bold=True)
                ax.set_title(text, fontweight="bold", fontsize=style.small)
            lowest, first = i + columns >= n, column == 0
            if lowest:
                fitting = [t for t in xlabels if text_width(t, style.size) < w]
                ax.set_xlabel(fitting[0] if fitting else xlabels[-1])
            if first:
                fitting = [t for t in ylabels if text_width(t, style.size) < h + 0.4 * above]
                ax.set_ylabel(fitting[0] if fitting else ylabels[-1])
            ax.tick_params(labelbottom=lowest or not shared, labelleft=first or not shared)
            ax.xaxis.set_major_locator(ticks(w / (4.4 * small), 7))
            ax.yaxis.set_major_locator(ticks(h / (2.4 * small), 6))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
            out.append(ax)
        return out


def ticks(room: float, most: int, *, whole: bool = False) -> MaxNLocator:
    """Return a locator for an axis with room for ``room`` numbers; it uses at most ``most``."""
    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    return MaxNLocator(max(1, min(most, int(room))), steps=steps, integer=whole)


def legend(
    figure: Figure,
    handles: Sequence[Any],
    size: float,
    *,
    longest: float,
    swatch: float,
    room: float,
    loc: Literal["lower center", "upper center"],
    anchor: tuple[float, float],
) -> tuple[float, float]:
    """Put a legend on the page, in as few rows as it needs.

    Parameters
    ----------
    handles
        The entries, with their labels.
    size
        Of the letters, in points.
    longest
        Inches that a label may be long; a longer one is cut.
    swatch
        Width of the mark before a label and of the gap behind it, in letters.
    room
        Inches that a row may be long.
    loc, anchor
        Which point of the legend stands where, in shares of the page.

    Returns
    -------
    rows, drawn
        Inches of its height: of so many rows of letters, and as it was drawn, which is more in
        scripts with taller letters.
    """
    names = [fit(str(h.get_label()), size, longest, 1) for h in handles]
    widths = [text_width(name, size) + swatch * size / 72 for name in names]

    def taken(columns: int) -> float:
        rows = math.ceil(len(widths) / columns)
        return sum(max(widths[i : i + rows]) for i in range(0, len(widths), rows))

    columns = next((c for c in range(len(widths), 0, -1) if taken(c) < room), 1)
    rows = math.ceil(len(handles) / columns)
    drawn = figure.legend(
        handles=handles, labels=[f"{i}" for i in range(len(handles))],
        loc=loc, ncols=math.ceil(len(handles) / rows), bbox_to_anchor=anchor,
        borderaxespad=0, borderpad=0, labelspacing=0.4,
    )  # fmt: skip
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)  # afterwards: one that starts with "_" would not be shown
    return rows * 1.65 * size / 72, drawn.get_window_extent().height / figure.dpi


def png(figure: Figure, scale: float) -> bytes:
    """Return a drawn page as PNG, its pixels times ``scale``."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=figure.dpi * scale, metadata={"Software": None})
    return out.getvalue()
