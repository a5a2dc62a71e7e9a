"""Slides that stand still: figures laid out on 13.33 x 7.5 inches, as PNG, SVG or PDF.

matplotlib draws, without a display or a browser; its own font (DejaVu Sans) has every letter of
the app's words, and :mod:`regviz.slides.fonts` finds others for the names of users. Nothing here
touches ``pyplot``, which is for one user at a time. What moves in an animation is handed back by
the functions that draw it: each returns an ``update(frame)``.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import math
import re
import threading
import warnings
import xml.sax.saxutils
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports on building its caches

import matplotlib as mpl  # noqa: E402
import numpy as np  # noqa: E402
import segno  # noqa: E402
from matplotlib.artist import Artist  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.backends.backend_pdf import PdfPages  # noqa: E402
from matplotlib.cm import ScalarMappable  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import FontProperties  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch, PathPatch, Rectangle  # noqa: E402
from matplotlib.path import Path  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.textpath import TextToPath  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter  # noqa: E402
from matplotlib.transforms import Bbox  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from regviz.figures.palette import Palette  # noqa: E402
from regviz.frames import DataView, Frame, LaneFrame  # noqa: E402
from regviz.results import metrics  # noqa: E402
from regviz.slides import Chart, Runs, Slide, classes, fonts, words  # noqa: E402
from regviz.specs import SpecError  # noqa: E402
from regviz.specs.text import is_joined, shortened  # noqa: E402

WIDTH, HEIGHT = 40 / 3, 7.5
"""A slide in inches, as PowerPoint has it: a point here is a point there."""
PIXELS = (1920, 1080)
_DPI = PIXELS[1] / HEIGHT

CLASS_MARKERS: tuple[Any, ...] = ("o", "s", "^", "D", "P", "v", "X", "*", "p", (6, 1, 0))
"""Of each class's points, as :data:`regviz.figures.palette.CLASS_SYMBOLS` has them."""
_SLENDER = CLASS_MARKERS[2:3] + CLASS_MARKERS[4:]
"""Those that cover less than a disc of their size."""
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Of the runs' curves: colours may be lost in print."""
_TRAIN: Any = (0, (5, 3))
_VALIDATION: Any = "-"
_MARKS = 9  # markers along a curve
_LOCK = threading.Lock()  # matplotlib's settings are global

Update = Callable[[Frame], list[Artist]]
"""Brings a figure to a frame and returns what it changed."""


@dataclass(frozen=True)
class Style:
    """Colours, text sizes in points, and the families of fonts, first to last."""

    palette: Palette
    size: float
    families: tuple[str, ...] = (fonts.USUAL,)

    @property
    def small(self) -> float:
        """Of ticks and legends."""
        return self.size * 0.82

    @property
    def line(self) -> float:
        """Width of a curve."""
        return self.size / 7.5


@contextmanager
def drawing(style: Style) -> Iterator[None]:
    """Draw with these settings alone, whatever the user's own are; one drawing at a time."""
    p = style.palette
    with _LOCK, mpl.rc_context(), warnings.catch_warnings():
        # said in one sentence of our own: regviz.slides.unseen
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
                **_sizes(style),
            }
        )
        yield


def style_of(runs: Runs, slide: Slide) -> Style:
    """Return colours, size and fonts for a slide of these runs."""
    families = fonts.families(fonts.used(runs, slide))
    return Style(slide.palette, slide.font_size, families)


def _sizes(style: Style) -> Any:
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
    """What is to be drawn does not fit its place: smaller letters may."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is, in inches, in the fonts that are set."""
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
    """Break a text into at most so many lines; what is left over ends in an ellipsis."""
    width = max(width, 2 * size / 72)
    # no line holds more than this of the narrowest letters; the rest need not be measured
    text = shortened(text, max(40, int(72 * width * most / (0.2 * size))))
    lines = wrap(text, size, width, bold=bold)
    if len(lines) > most:
        last = lines[most - 1]
        while last and text_width(f"{last}…", size, bold=bold) > width:
            last = _but_one(last)
        lines = [*lines[: most - 1], f"{last.rstrip(' ,·')}…"]
    return "\n".join(lines)


def _but_one(text: str) -> str:
    """Return a text without its last letter, and what is joined to it."""
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
        """Write a title at the top; the cell is what remains below it."""
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
            What an axis shows, and shorter ones for where that does not fit.
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
    """Return where numbers stand on an axis with room for so many, at most ``most``."""
    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    return MaxNLocator(max(1, min(most, int(room))), steps=steps, integer=whole)


def _legend(
    paper: Figure, handles: Sequence[Any], style: Style, bottom: float, right: float
) -> float:
    """Put one legend for all figures at the bottom of the page; returns the inches it takes.

    ``right`` inches are left free at that side.
    """
    across, up = paper.get_size_inches()
    small = style.small
    handles = list({_looks(handle): handle for handle in reversed(handles)}.values())[::-1]
    names = [fit(str(h.get_label()), small, 6.0, 1) for h in handles]
    widths = [text_width(name, small) + 4.2 * small / 72 for name in names]

    def taken(columns: int) -> float:
        rows = math.ceil(len(widths) / columns)
        return sum(max(widths[i : i + rows]) for i in range(0, len(widths), rows))

    columns = next((c for c in range(len(widths), 0, -1) if taken(c) < across - right - 0.6), 1)
    rows = math.ceil(len(handles) / columns)
    legend = paper.legend(
        handles=handles, labels=[f"{i}" for i in range(len(handles))],
        loc="lower center", ncols=math.ceil(len(handles) / rows),
        bbox_to_anchor=(0.5 - right / across / 2, bottom / up),
        borderaxespad=0, borderpad=0, labelspacing=0.4,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)  # afterwards: one that starts with "_" would not be shown
    high = legend.get_window_extent().height / paper.dpi  # other scripts are taller
    return max(rows * 1.65 * small / 72, high + 0.1) + 0.05


def _looks(handle: Any) -> tuple[str, ...]:
    """Return what tells one entry of a legend from another: what two figures share stands once."""
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


# --- figures: each takes a cell of the slide and returns how it follows a frame -----------------


def boundary(cell: Cell, runs: Runs, style: Style) -> Update:
    """One panel a run: P(class 1) as colour, its ½ contour, training and validation points.

    Of more than two classes, the most probable one as colour, and the lines between them.
    """
    p, data = style.palette, runs.last.data
    assert data is not None
    kinds = runs.kinds
    extent = np.array([view.extent for view in data])
    aspect = float(np.mean((extent[:, 1] - extent[:, 0]) / (extent[:, 3] - extent[:, 2])))
    axes = cell.panels(
        len(data), aspect=aspect, titles=runs.labels, shared=True, right=4.2 * style.small / 72,
        xlabels=_axis_names(runs, 0), ylabels=_axis_names(runs, 1),
    )  # fmt: skip
    across, up = cell.paper.get_size_inches()
    places = [ax.get_position() for ax in axes]
    width = places[0].width * across
    colors = LinearSegmentedColormap.from_list("response", p.response)
    dot = (0.3 * style.size * min(1.0, 0.45 + width / 9)) ** 2
    pictures = []
    for i, ax in enumerate(axes):
        view, (a, b, c, d) = data[i], data[i].extent
        ax.grid(visible=False)
        pictures.append(
            ax.imshow(
                np.zeros((2, 2)), cmap=colors, vmin=0, vmax=1, origin="lower", aspect="auto",
                interpolation="bilinear", zorder=0,
            )
        )  # fmt: skip
        ax.set(xlim=(a, b), ylim=(c, d))
        ax.title.set_color(p.lane(i))
        for look, of in _point_kinds(view, p, kinds):
            size = dot * 1.8 if kinds > 2 and look["marker"] in _SLENDER else dot
            ax.scatter(view.x[of, 0], view.x[of, 1], s=size, zorder=3, **look)
    high = max(place.y1 for place in places) * up - cell.bottom
    low = min(place.y0 for place in places) * up - cell.bottom
    edge = max(place.x1 for place in places) * across - cell.left + 0.8 * style.small / 72
    beside = cell.axes(edge, low, 0.9 * style.small / 72, high - low)
    if kinds > 2:
        sure = LinearSegmentedColormap.from_list("sure", (p.response[1], p.muted))
        bar = cell.paper.colorbar(
            ScalarMappable(Normalize(1 / kinds, 1), sure), cax=beside, ticks=[1 / kinds, 1]
        )
        beside.set_yticklabels([f"{1 / kinds:.0%}", "100%"])
        named = _first_that_fits(("P(most probable class)", "P(class)"), style.size, high - low)
        bar.set_label(named, labelpad=2 - 2 * style.small)
    else:
        bar = cell.paper.colorbar(pictures[0], cax=beside, ticks=[0, 0.5, 1])
        beside.set_yticklabels(["0", "½", "1"])
        bar.set_label(fit(f"P({runs.one})", style.size, high - low, 1), labelpad=2)
    bar.outline.set_edgecolor(p.muted)
    contours: list[Any] = []

    def update(frame: Frame) -> list[Artist]:
        for old in contours:
            old.remove()
        contours.clear()
        changed: list[Artist] = []
        for i, lane in enumerate(frame.lanes):
            ax = axes[i]
            response: NDArray[Any] | None = lane.boundary
            if kinds > 2:
                response = classes.class_map_of(lane)
            pictures[i].set_visible(response is not None)
            if response is None:
                _say(ax, "no boundary to draw", style)
                continue
            a, b, c, d = data[i].extent
            if kinds > 2:
                values = classes.image(response, kinds, p)
                sides: list[NDArray[Any]] = list(classes.sides(response, kinds))
            else:
                values = response / 255.0
                sides = [response] if values.min() < 0.5 < values.max() else []
            rows, columns = values.shape[:2]
            half_x, half_y = (b - a) / (columns - 1) / 2, (d - c) / (rows - 1) / 2
            pictures[i].set_data(values)
            pictures[i].set_extent((a - half_x, b + half_x, c - half_y, d + half_y))
            ax.set(xlim=(a, b), ylim=(c, d))
            changed.append(pictures[i])
            for side in sides:
                line = PathPatch(
                    contour(side, data[i].extent), facecolor="none", edgecolor=p.contour,
                    linewidth=style.line, zorder=2,
                )  # fmt: skip
                contours.append(ax.add_patch(line))
                changed.append(line)
            changed += ax.collections[: 2 * kinds]
        return changed

    return update


def _first_that_fits(texts: Sequence[str], size: float, width: float) -> str:
    """Return the first text no wider than ``width`` inches, else the last with an ellipsis."""
    fitting = (text for text in texts if text_width(text, size) < width)
    return next(fitting, fit(texts[-1], size, width, 1))


def _axis_names(runs: Runs, which: int) -> tuple[str, ...]:
    """Return what the axis of one input is called, and shorter words where those do not fit."""
    names, usual = runs.column_names, ("x₀", "x₁")[which]
    if names is None:
        return f"input {usual}", usual
    name = names[which]
    cut = (shortened(name, most) for most in (24, 16, 10, 6))
    return tuple(dict.fromkeys((f"{name} (standardized)", name, *cut)))


def _point_kinds(
    view: DataView, p: Palette, kinds: int
) -> Iterator[tuple[dict[str, Any], NDArray[np.bool_]]]:
    for validation in (False, True):
        for k in range(kinds):
            look = _look(p.classes[k], validation=validation, outline=p.outline)
            if kinds > 2:
                look["marker"] = CLASS_MARKERS[k]
            kind: dict[str, Any] = {
                "marker": look["marker"],
                "facecolors": look["markerfacecolor"],
                "edgecolors": look["markeredgecolor"],
                "linewidths": look["markeredgewidth"],
            }
            yield kind, (view.y == k) & (view.is_val == validation)


def _look(color: str, *, validation: bool, outline: str) -> dict[str, Any]:
    """Return how a point looks: training points are full discs, validation points open diamonds."""
    return {
        "marker": "D" if validation else "o",
        "markerfacecolor": "none" if validation else color,
        "markeredgecolor": color if validation else outline,
        "markeredgewidth": 1.6 if validation else 0.6,
    }


def _boundary_key(runs: Runs, style: Style) -> list[Any]:
    p, size = style.palette, 0.55 * style.size
    grey: dict[str, Any] = {"linestyle": "", "markersize": size}
    if runs.kinds > 2:
        return [
            Line2D(
                [], [], label=name, **grey,
                **_look(p.classes[k], validation=False, outline=p.outline)
                | {"marker": CLASS_MARKERS[k]},
            )
            for k, name in enumerate(runs.class_names)
        ] + [
            Line2D(
                [], [], label=name, **grey,
                **_look(p.muted, validation=val, outline=p.outline) | {"marker": "o"},
            )
            for name, val in (("training (full)", False), ("validation (open)", True))
        ]  # fmt: skip
    classes = [Patch(facecolor=p.classes[k], label=name) for k, name in enumerate(runs.class_names)]
    points = [
        Line2D([], [], label=name, **grey, **_look(p.muted, validation=val, outline=p.outline))
        for name, val in (("training points", False), ("validation points", True))
    ]
    line = Line2D([], [], color=p.contour, linewidth=1.5 * style.line, label=f"P({runs.one}) = ½")
    return [*classes, *points, line]


def difference(cell: Cell, runs: Runs, style: Style) -> Update:
    """The second run's P(class 1) minus the first's as colour, and both ½ contours over it."""
    p, data = style.palette, runs.last.data
    assert data is not None
    a, b, c, d = data[0].extent
    (ax,) = cell.panels(
        1, aspect=(b - a) / (d - c), titles=(), shared=True, right=5.2 * style.small / 72,
        xlabels=_axis_names(runs, 0), ylabels=_axis_names(runs, 1),
    )  # fmt: skip
    ax.grid(visible=False)
    colors = LinearSegmentedColormap.from_list("difference", p.difference)
    picture = ax.imshow(
        np.zeros((2, 2)), cmap=colors, vmin=-1, vmax=1, origin="lower", aspect="auto",
        interpolation="bilinear", zorder=0,
    )  # fmt: skip
    ax.set(xlim=(a, b), ylim=(c, d))
    across, up = cell.paper.get_size_inches()
    place, small = ax.get_position(), style.small / 72
    edge, low = place.x1 * across - cell.left + 0.8 * small, place.y0 * up - cell.bottom
    beside = cell.axes(edge, low, 0.9 * small, place.height * up)
    bar = cell.paper.colorbar(picture, cax=beside, ticks=[-1, -0.5, 0, 0.5, 1])
    beside.set_yticklabels(["−1", "−½", "0", "½", "1"])
    named = (f"change of P({runs.one})", f"Δ P({runs.one})")
    bar.set_label(_first_that_fits(named, style.size, place.height * up), labelpad=6)
    bar.outline.set_edgecolor(p.muted)
    lines: list[Any] = []

    def update(frame: Frame) -> list[Artist]:
        for old in lines:
            old.remove()
        lines.clear()
        plain, other = (lane.boundary for lane in frame.lanes)
        picture.set_visible(plain is not None and other is not None)
        if plain is None or other is None:
            return [picture]
        rows, columns = other.shape
        half_x, half_y = (b - a) / (columns - 1) / 2, (d - c) / (rows - 1) / 2
        picture.set_data((other.astype(float) - plain) / 255)
        picture.set_extent((a - half_x, b + half_x, c - half_y, d + half_y))
        ax.set(xlim=(a, b), ylim=(c, d))
        for i, grid in enumerate((plain, other)):
            line = contour(grid, data[0].extent)
            look = {"linestyle": (_TRAIN, _VALIDATION)[i], "linewidth": style.line * (1.0, 1.35)[i]}
            patch = PathPatch(line, facecolor="none", edgecolor=p.lane(i), zorder=2, **look)
            lines.append(ax.add_patch(patch))
        return [picture, *lines]

    return update


def _difference_key(runs: Runs, style: Style) -> list[Any]:
    return [
        Line2D(
            [], [], color=style.palette.lane(i), linestyle=(_TRAIN, _VALIDATION)[i],
            linewidth=1.35 * style.line, label=f"{label}: P({runs.one}) = ½",
        )
        for i, label in enumerate(_short(runs, style))
    ]  # fmt: skip


def contour(response: NDArray[Any], extent: tuple[float, float, float, float]) -> Path:
    """Return the line where P(class 1) = ½ as a smooth curve that lies where it must.

    The response is known at the points of a grid, as uint8. Between two of them on either side of
    ½ the line is put where their log-odds, which a network is nearly linear in, cross 0. Through
    the middles of the pieces from crossing to crossing runs a quadratic B-spline: it stays within
    the two squares of each crossing and passes between its two points, so no point of the grid
    ever comes to lie on the wrong side.
    """
    a, b, c, d = extent
    rows, columns = response.shape
    part = np.clip(response.astype(float), 0.5, 254.5) / 255
    odds = np.log(part / (1 - part))
    x, y = np.linspace(a, b, columns), np.linspace(c, d, rows)
    points: list[NDArray[np.float64]] = []
    codes: list[int] = []
    if odds.min() >= 0 or odds.max() <= 0:
        return Path(np.zeros((0, 2)))
    found = _beside().contour(x, y, odds, levels=[0.0])
    found.remove()
    for line in found.allsegs[0]:
        middles = (line[1:] + line[:-1]) / 2
        closed = len(line) > 3 and bool((line[0] == line[-1]).all())
        if closed:  # through all middles, and back to the first
            middles = np.concatenate([middles, middles[:1]])
            corners, start, end = line[1:], middles[:1], line[:0]
        else:
            corners, start, end = line[1:-1], line[:1], line[-1:]
            if not len(corners):
                points += [line[:1], line[-1:]]
                codes += [_MOVE, _TO]
                continue
            points.append(start)
            codes.append(_MOVE)
            start = middles[:1]
        points.append(start)
        codes.append(_MOVE if closed else _TO)
        bent = np.empty((2 * len(corners), 2))
        bent[0::2], bent[1::2] = corners, middles[1 : len(corners) + 1]
        points += [bent, end]
        codes += [_BEND] * len(bent) + [_TO] * len(end)
    return Path(np.concatenate(points), codes)


@functools.cache
def _beside() -> Axes:
    """Return axes that are never shown, in which contours are found."""
    return Figure().add_subplot()


_MOVE, _TO, _BEND = (int(getattr(Path, n)) for n in ("MOVETO", "LINETO", "CURVE3"))

_LOSS = ("cross-entropy loss (nats)", "loss (nats)")
_RIGHT = ("accuracy",)


def curves(cell: Cell, runs: Runs, style: Style) -> Update:
    """Losses over epochs: training dashed, validation solid, best epochs and stops marked."""
    return _curves(cell, runs, style, ("train_loss", "val_loss"), _LOSS)


def accuracy(cell: Cell, runs: Runs, style: Style) -> Update:
    """Accuracies over epochs, drawn as the losses are."""
    names = ("train_accuracy", "val_accuracy")
    update = _curves(cell, runs, style, names, _RIGHT)
    ax = cell.paper.axes[-1]
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return update


def _curves(
    cell: Cell, runs: Runs, style: Style, names: tuple[str, str], quantity: tuple[str, ...]
) -> Update:
    p, lanes = style.palette, runs.last.lanes
    (ax,) = cell.panels(
        1, aspect=None, titles=(), shared=False, xlabels=("epoch",), ylabels=quantity
    )
    longest = max(2, *(lane.history.shape[1] for lane in lanes))
    values = np.concatenate([lane.curve(name) for lane in lanes for name in names])
    values = values[np.isfinite(values)]
    if "accuracy" in names[0]:
        low, high = (float(values.min()), 1.0) if len(values) else (0.5, 1.0)
        ax.set_ylim(max(0.0, low - 0.03), high + 0.01)
    else:
        # a run that diverged must not flatten the others
        calm = [
            float(np.nanmax(lane.curve(name)[np.isfinite(lane.curve(name))], initial=0.0))
            for lane in lanes
            for name in names
            if lane.status != "diverged"
        ]
        top = max(calm) if calm else float(np.percentile(values, 90)) if len(values) else 1.0
        ax.set_ylim(0, max(top, 1e-3) * 1.06)
    ax.set_xlim(1, longest)
    ax.margins(x=0)
    drawn: list[tuple[Line2D, Line2D, Line2D, Line2D, Line2D]] = []
    for i, _ in enumerate(lanes):
        color, width = p.lane(i), style.line * (1.0 if i == 0 else 1.35)
        common: dict[str, Any] = {
            "color": color,
            "marker": MARKERS[i % len(MARKERS)],
            "markersize": 0.42 * style.size,
        }
        (train,) = ax.plot([], [], linestyle=_TRAIN, linewidth=width, fillstyle="none", **common)
        (val,) = ax.plot([], [], linestyle=_VALIDATION, linewidth=width, **common)
        mark: dict[str, Any] = {
            "color": color,
            "markeredgecolor": p.text,
            "linestyle": "",
            "zorder": 5,
        }
        (best,) = ax.plot([], [], marker="*", markersize=1.1 * style.size, **mark)
        (stop,) = ax.plot([], [], marker="X", markersize=0.75 * style.size, **mark)
        best.set_clip_on(False)
        stop.set_clip_on(False)
        line = ax.axvline(1, color=color, linestyle=":", linewidth=style.line, visible=False)
        drawn.append((train, val, best, stop, line))

    def update(frame: Frame) -> list[Artist]:
        top = ax.get_ylim()[1]
        for i, (lane, parts) in enumerate(zip(frame.lanes, drawn, strict=True)):
            train, val, best, stop, line = parts
            epochs = np.arange(1, lane.history.shape[1] + 1)
            for artist, name in zip((train, val), names, strict=True):
                shown = np.where(np.isfinite(lane.curve(name)), lane.curve(name), np.nan)
                artist.set_data(epochs, shown)
                # at fixed epochs, so that markers do not slide along as a run goes on; each
                # run's a little apart from the others'
                step = max(1, longest // _MARKS)
                first = (i * step // max(1, len(drawn))) % step
                artist.set_markevery((first, step))
            validation = lane.curve(names[1])
            at = lane.best_epoch
            seen = 0 < at <= len(validation)
            best.set_data([at] if seen else [], [validation[at - 1]] if seen else [])
            ended = _end(lane)
            line.set_visible(ended > 0)
            line.set_xdata([ended, ended])
            if ended:
                height = float(validation[ended - 1])
                height = min(height, 0.97 * top) if math.isfinite(height) else 0.97 * top
                stop.set_data([ended], [height])
            else:
                stop.set_data([], [])
        return [part for parts in drawn for part in parts]

    return update


def _curves_key(runs: Runs, style: Style) -> list[Any]:
    p, lanes = style.palette, runs.last.lanes
    handles: list[Any] = [
        Line2D(
            [], [], color=p.lane(i), linewidth=style.line * 1.35, label=label,
            marker=MARKERS[i % len(MARKERS)], markersize=0.5 * style.size,
        )
        for i, label in enumerate(_short(runs, style))
    ]  # fmt: skip
    key: dict[str, Any] = {"color": p.muted, "linewidth": style.line}
    handles += [
        Line2D([], [], linestyle=_TRAIN, label="training curve", **key),
        Line2D([], [], linestyle=_VALIDATION, label="validation curve", **key),
    ]
    star: dict[str, Any] = {"color": p.muted, "markeredgecolor": p.text, "linestyle": ""}
    if any(lane.best_epoch for lane in lanes):
        what = "lowest validation loss"
        handles.append(Line2D([], [], marker="*", markersize=style.size, label=what, **star))
    if any(lane.stopped_epoch for lane in lanes):
        what = "early stop"
        handles.append(Line2D([], [], marker="X", markersize=0.7 * style.size, label=what, **star))
    if any(lane.status == "diverged" for lane in lanes):
        what = "diverged"
        handles.append(Line2D([], [], marker="X", markersize=0.7 * style.size, label=what, **star))
    return handles


def _short(runs: Runs, style: Style) -> list[str]:
    """Return the labels as a legend can hold them."""
    return [fit(label, style.small, 6.0, 1) for label in runs.labels]


def _end(lane: LaneFrame) -> int:
    """Return the epoch at which a run ended before its time, else 0."""
    if lane.status == "diverged":
        return min(lane.epoch, lane.history.shape[1])
    return lane.stopped_epoch if lane.stopped_epoch <= lane.history.shape[1] else 0


_HATCHES = ("", "//", "\\\\", "..", "xx", "--")


def histogram(cell: Cell, runs: Runs, style: Style) -> Update:
    """One panel a weight matrix, the runs' histograms over each other; exact zeros counted."""
    p, lanes = style.palette, runs.last.lanes
    shapes = {lane.shapes for lane in lanes}
    if len(shapes) > 1:
        raise SpecError("figure: histogram needs runs of one model's shape; choose such runs.")
    layers = len(lanes[0].layers)
    few = len(lanes) <= 3
    titles = [
        f"{name} ({inputs}×{units})"
        for name, (inputs, units) in zip(lanes[0].layers, lanes[0].shapes, strict=True)
    ]
    axes = cell.panels(
        layers, aspect=None, titles=titles, under=1, shared=False, xlabels=("weight",),
        ylabels=("weights per bin", "weights"),
    )  # fmt: skip
    panel = axes[0].get_position().width * cell.paper.get_size_inches()[0]
    counted = [
        ax.text(
            0.5, 1.0, "", transform=ax.transAxes, ha="center", va="bottom", fontsize=style.small
        )
        for ax in axes
    ]
    for ax in axes:
        ax.title.set_position((0.5, 1.0))
        ax.set_title(ax.get_title(), fontweight="bold", fontsize=style.small, pad=1.6 * style.small)
    drawn: list[Any] = []

    def update(frame: Frame) -> list[Artist]:
        for old in drawn:
            old.remove()
        drawn.clear()
        for layer in range(layers):
            ax = axes[layer]
            top, reach = 1.0, 0.0
            for i, lane in enumerate(frame.lanes):
                counts, limit = lane.histogram[layer], float(lane.limits[layer])
                if not math.isfinite(limit):
                    continue  # diverged: no weight is a number
                edges = np.linspace(-limit, limit, len(counts) + 1)
                step = ax.stairs(
                    counts, edges, fill=True, facecolor=(*to_rgba(p.lane(i))[:3], 0.3),
                    edgecolor=p.lane(i), linewidth=style.line * 0.8,
                    hatch=_HATCHES[i] if few else None,
                )  # fmt: skip
                drawn.append(step)
                top = max(top, float(counts.max()))
                filled = np.flatnonzero(counts)
                if len(filled):
                    reach = max(reach, -float(edges[filled[0]]), float(edges[filled[-1] + 1]))
            reach = reach or 1.0
            zeros = [int(lane.zeros[layer]) for lane in frame.lanes]
            top = max(top, min(max(zeros), 2.5 * top)) * 1.06
            for i, count in enumerate(zeros):
                if count:
                    wide = reach / 24
                    left = wide * (i - len(zeros) / 2)
                    bar = Rectangle((left, 0), wide, count, facecolor=p.lane(i),
                                    edgecolor=p.text, linewidth=1.0, zorder=4)  # fmt: skip
                    drawn.append(ax.add_patch(bar))
            ax.set(xlim=(-reach, reach), ylim=(0, top))
            shown = "exact zeros " + " · ".join(f"{count:,}" for count in zeros)
            shown = shown if any(zeros) else "no exact zeros"
            fitting = 1.08 * panel / text_width(shown, style.small)
            counted[layer].set(text=shown, fontsize=style.small * min(1.0, fitting))
        return [*drawn, *counted]

    return update


def _histogram_key(runs: Runs, style: Style) -> list[Any]:
    p, lanes = style.palette, runs.last.lanes
    few = len(lanes) <= 3
    handles = [
        Patch(
            facecolor=(*to_rgba(p.lane(i))[:3], 0.3), edgecolor=p.lane(i), linewidth=style.line,
            hatch=_HATCHES[i] if few else None, label=label,
        )
        for i, label in enumerate(_short(runs, style))
    ]  # fmt: skip
    zeros_at_all = any(lane.zeros.any() for lane in lanes)
    if zeros_at_all:
        handles.append(Patch(facecolor=p.muted, edgecolor=p.text, label="exactly 0 (bar at 0)"))
    return handles


def numbers(cell: Cell, runs: Runs, style: Style) -> Update:
    """The numbers of each run at the epoch its weights are of, as a table."""
    p = style.palette
    n, width, height = len(runs.labels), cell.width - 0.4, cell.height - 0.1
    ax = cell.axes(0.2, 0.05, width, height)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    rows = ("training loss", "validation loss", "training accuracy", "validation accuracy",
            "gap", "best epoch", "epochs trained", "exact zeros")  # fmt: skip
    size = min(style.size, 72 * height / (1.6 * (len(rows) + 2.4)))
    first = min(0.45, (max(text_width(r, size) for r in rows) + 0.25) / width)
    column = (1 - first) / n
    size = min(size, size * column * width / max(text_width("0000000000", size), 1e-9))
    line = 1 / (len(rows) + 2.4)
    for i, label in enumerate(runs.labels):
        x = first + column * (i + 1) - 0.012
        text = fit(label, size * 0.9, 0.9 * column * width, 2, bold=True)
        ax.text(x, 1 - 1.95 * line, text, ha="right", va="bottom", color=p.lane(i),
                fontweight="bold", fontsize=size * 0.9)  # fmt: skip
    ax.axhline(1 - 2.1 * line, color=p.muted, linewidth=1.2)
    cells: list[Any] = []
    for j, name in enumerate(rows):
        y = 1 - (j + 2.7) * line
        ax.text(0.0, y, name, ha="left", va="center", fontsize=size)
        ax.axhline(y - 0.5 * line, color=p.grid, linewidth=0.8)
        cells.append(
            [ax.text(first + column * (i + 1) - 0.012, y, "", ha="right", va="center",
                     fontsize=size) for i in range(n)]
        )  # fmt: skip

    def update(frame: Frame) -> list[Artist]:
        for i, lane in enumerate(frame.lanes):
            r = metrics.read(lane)
            shown = (
                words.number(r.train_loss), words.number(r.val_loss),
                metrics.percent(r.train_accuracy), metrics.percent(r.val_accuracy),
                metrics.points(r.gap), str(r.best_epoch or "–"), str(r.trained),
                f"{r.zeros:,} of {r.weights:,}",
            )  # fmt: skip
            for j, text in enumerate(shown):
                cells[j][i].set_text(text)
        return [text for row in cells for text in row]

    return update


def _chart(cell: Cell, chart: Chart, style: Style) -> None:
    from regviz.slides import plotted

    plotted.draw(cell, json.loads(chart.figure), style)


def _say(ax: Axes, text: str, style: Style) -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", color=style.palette.muted)


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
    "boundary": _boundary_key,
    "difference": _difference_key,
    "curves": _curves_key,
    "accuracy": _curves_key,
    "histogram": _histogram_key,
    "numbers": lambda runs, style: [],
}
"""What the legend explains for each."""


# --- a slide -----------------------------------------------------------------------------------


@dataclass
class Drawn:
    """A slide on paper, and what brings its figures to a frame."""

    figure: Figure
    canvas: FigureCanvasAgg
    updates: list[Update]

    def update(self, frame: Frame) -> list[Artist]:
        """Bring every figure to a frame; returns what changed."""
        return [artist for update in self.updates for artist in update(frame)]


_CAPTION_LINES = 5
_SMALLER = 0.88
_LEAST = 9.0
"""Points to which the font size may come down for what stands on a page to fit."""


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

    Letters are as large as asked for, or smaller where they would not fit.

    Parameters
    ----------
    figures
        Those of this page.
    pixels
        Of the whole page, in which its resolution is given.
    bare
        Without title, caption and code: a deck has its own.
    beside
        Inches left free beside the title, for what an animation writes there.
    height
        In inches; a bare figure may be less high than a slide.

    Raises
    ------
    SpecError
        If it does not fit with letters of 9 points either.
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
    with mpl.rc_context(_sizes(style)):
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
    # smaller where there are more, but not in proportion: a slide is read from afar
    style = Style(p, style.size * (1.0, 0.86, 0.72)[(rows > 1) + (columns > 1)])
    side, gap = 0.3, 0.3
    handles = [handle for name in figures if name in KEYS for handle in KEYS[name](runs, style)]
    if handles:
        with mpl.rc_context(_sizes(style)):
            foot += _legend(paper, handles, style, foot, code)
    foot = max(foot, code + 0.16)
    wide = (WIDTH - 2 * side - (columns - 1) * gap) / columns
    tall = (height - top - foot - (rows - 1) * 0.15) / rows
    if tall < 4 * style.small / 72:
        raise NoRoom
    updates = []
    with mpl.rc_context(_sizes(style)):
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
                _chart(cell, chart, style)
    drawn = Drawn(paper, canvas, updates)
    if updates:
        drawn.update(runs.last)
    return drawn


def _crowded(paper: Figure) -> bool:
    """Return whether a text leaves the page, lies over another or over axes that are not its."""
    paper.draw_without_rendering()
    placed = list(_texts(paper))
    width, height = paper.bbox.width, paper.bbox.height
    near = 0.02 * paper.dpi  # what is that near may be the roundings of a renderer
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
    # a text's box holds room for letters that hang: a quarter of it may be another's
    return wide > near and high > near + 0.25 * min(a.height, b.height)


def _texts(paper: Figure) -> Iterator[tuple[Text, Bbox]]:
    """Yield each text that is seen on a page that was laid out, and its place in pixels."""
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
    matrix = qr_matrix(link)
    ax = paper.add_axes(((WIDTH - side - 0.08) / WIDTH, 0.08 / height, side / WIDTH, side / height))
    ax.imshow(matrix, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    ax.set_url(link)


def qr_matrix(link: str) -> NDArray[np.uint8]:
    """Return the QR code of a link: 1 is dark; the quiet zone of four modules is in it.

    Raises
    ------
    SpecError
        If the link is longer than a QR code holds.
    """
    try:
        code = segno.make(link, micro=False, error="l", boost_error=True)
    except segno.DataOverflowError:
        raise SpecError(
            f"link: got {len(link)} characters, more than a QR code holds; give a shorter one."
        ) from None
    return np.array([list(row) for row in code.matrix_iter(border=4)], np.uint8)


# --- files -------------------------------------------------------------------------------------


def still(runs: Runs, slide: Slide, format: str) -> bytes:
    """Return the slide as ``png``, ``svg`` or ``pdf``.

    Raises
    ------
    SpecError
        If there are more figures than the layout holds, except in a PDF, which has pages.
    """
    pages = slide.pages("grid") if format == "pdf" else slide.pages()
    if len(pages) > 1 and format != "pdf":
        raise SpecError(
            f"layout: {slide.layout or 'grid'} holds {len(pages[0])} and there are "
            f"{len(slide.figures)} figures; give a larger layout, fewer figures, or pdf or pptx."
        )
    out = io.BytesIO()
    with drawing(style_of(runs, slide)):
        if format == "pdf":
            # without dates, and the producer's version
            nothing = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None}
            info = {**nothing, "Title": words.slide_title(runs, slide, slide.figures, named=True)}
            with PdfPages(out, metadata=info) as pdf:
                for figures in pages:
                    pdf.savefig(draw(runs, slide, figures).figure, dpi=_DPI)
            return out.getvalue()
        figure = draw(runs, slide, pages[0]).figure
        if format == "png":
            return png(figure, slide.scale)
        figure.savefig(out, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    return _named(out.getvalue().decode(), runs, slide, pages[0]).encode()


def png(figure: Figure, scale: float) -> bytes:
    """Return a drawn page as PNG, its pixels times ``scale``."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=figure.dpi * scale, metadata={"Software": None})
    return out.getvalue()


def _named(svg: str, runs: Runs, slide: Slide, figures: Sequence[str]) -> str:
    """Give an SVG its size in pixels, and a title and description for who does not see it."""
    escape = xml.sax.saxutils.escape
    said = " ".join(words.describe(name, runs) for name in figures)
    start = svg.index("<svg ")
    end = svg.index(">", start)
    tag = re.sub(r' (width|height)="[^"]*"', "", svg[start:end])
    tag += f' width="{PIXELS[0]}" height="{PIXELS[1]}" role="img"'
    title = words.slide_title(runs, slide, figures, named=True)
    head = f"<title>{escape(title)}</title><desc>{escape(said)}</desc>"
    return f"{svg[:start]}{tag}>\n{head}{svg[end + 1 :]}"
