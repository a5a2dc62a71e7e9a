"""Histograms of the weights on a still."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from regviz.figures import info
from regviz.frames import Frame
from regviz.slides.paper import Cell, Style, text_width
from regviz.slides.runs import Runs
from regviz.slides.stills.marks import Update, short_labels
from regviz.specs import SpecError

_HATCHES = ("", "//", "\\\\", "..", "xx", "--")


def histogram(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw a panel for each weight matrix: the runs' histograms over each other, and the number of
    exact zeros above.

    Raises
    ------
    SpecError
        If the runs' models differ in shape.
    """
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
            reach = 0.0
            rows: list[NDArray[Any]] = []
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
                rows.append(counts)
                reach = max(reach, info.histogram_reach(counts, limit))
            reach = reach or 1.0
            zeros = [int(lane.zeros[layer]) for lane in frame.lanes]
            top = 1.06 * info.histogram_top(rows, zeros)
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


def histogram_key(runs: Runs, style: Style) -> list[Any]:
    """Return the entries that explain bars and hatches in the legend."""
    p, lanes = style.palette, runs.last.lanes
    few = len(lanes) <= 3
    handles = [
        Patch(
            facecolor=(*to_rgba(p.lane(i))[:3], 0.3), edgecolor=p.lane(i), linewidth=style.line,
            hatch=_HATCHES[i] if few else None, label=label,
        )
        for i, label in enumerate(short_labels(runs, style))
    ]  # fmt: skip
    zeros_at_all = any(lane.zeros.any() for lane in lanes)
    if zeros_at_all:
        handles.append(Patch(facecolor=p.muted, edgecolor=p.text, label="exactly 0 (bar at 0)"))
    return handles
