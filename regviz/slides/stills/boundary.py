"""Decision boundaries on a still: a panel for each run, or the difference of two runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from numpy.typing import NDArray

from regviz.frames import Frame
from regviz.slides import classes
from regviz.slides.paper import Cell, Style, fit
from regviz.slides.runs import Runs
from regviz.slides.stills.contour import contour
from regviz.slides.stills.marks import (
    CLASS_MARKERS,
    SLENDER,
    TRAINING,
    VALIDATION,
    Update,
    axis_names,
    first_that_fits,
    point_kinds,
    point_look,
    say,
    short_labels,
)


def boundary(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw a panel for each run: P(class 1) as colour, its ½ line, training and validation points.

    With more than two classes the colour is the most probable one, and lines run between them.
    """
    p, data = style.palette, runs.last.data
    assert data is not None
    kinds = runs.kinds
    extent = np.array([view.extent for view in data])
    aspect = float(np.mean((extent[:, 1] - extent[:, 0]) / (extent[:, 3] - extent[:, 2])))
    axes = cell.panels(
        len(data), aspect=aspect, titles=runs.labels, shared=True, right=4.2 * style.small / 72,
        xlabels=axis_names(runs, 0), ylabels=axis_names(runs, 1),
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
        for look, of in point_kinds(view, p, kinds):
            size = dot * 1.8 if kinds > 2 and look["marker"] in SLENDER else dot
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
        named = first_that_fits(("P(most probable class)", "P(class)"), style.size, high - low)
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
                say(ax, "no boundary to draw", style)
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


def boundary_key(runs: Runs, style: Style) -> list[Any]:
    """Return the entries that explain classes, points and lines in the legend."""
    p, size = style.palette, 0.55 * style.size
    grey: dict[str, Any] = {"linestyle": "", "markersize": size}
    if runs.kinds > 2:
        return [
            Line2D(
                [], [], label=name, **grey,
                **point_look(p.classes[k], validation=False, outline=p.outline)
                | {"marker": CLASS_MARKERS[k]},
            )
            for k, name in enumerate(runs.class_names)
        ] + [
            Line2D(
                [], [], label=name, **grey,
                **point_look(p.muted, validation=val, outline=p.outline) | {"marker": "o"},
            )
            for name, val in (("training (full)", False), ("validation (open)", True))
        ]  # fmt: skip
    classes = [Patch(facecolor=p.classes[k], label=name) for k, name in enumerate(runs.class_names)]
    points = [
        Line2D([], [], label=name, **grey, **point_look(p.muted, validation=val, outline=p.outline))
        for name, val in (("training points", False), ("validation points", True))
    ]
    line = Line2D([], [], color=p.contour, linewidth=1.5 * style.line, label=f"P({runs.one}) = ½")
    return [*classes, *points, line]


def difference(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw the second run's P(class 1) minus the first's as colour, and both ½ lines over it."""
    p, data = style.palette, runs.last.data
    assert data is not None
    a, b, c, d = data[0].extent
    (ax,) = cell.panels(
        1, aspect=(b - a) / (d - c), titles=(), shared=True, right=5.2 * style.small / 72,
        xlabels=axis_names(runs, 0), ylabels=axis_names(runs, 1),
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
    bar.set_label(first_that_fits(named, style.size, place.height * up), labelpad=6)
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
            look = {
                "linestyle": (TRAINING, VALIDATION)[i],
                "linewidth": style.line * (1.0, 1.35)[i],
            }
            patch = PathPatch(line, facecolor="none", edgecolor=p.lane(i), zorder=2, **look)
            lines.append(ax.add_patch(patch))
        return [picture, *lines]

    return update


def difference_key(runs: Runs, style: Style) -> list[Any]:
    """Return the entries that explain the two ½ lines in the legend."""
    return [
        Line2D(
            [], [], color=style.palette.lane(i), linestyle=(TRAINING, VALIDATION)[i],
            linewidth=1.35 * style.line, label=f"{label}: P({runs.one}) = ½",
        )
        for i, label in enumerate(short_labels(runs, style))
    ]  # fmt: skip
