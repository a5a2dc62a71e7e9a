"""Curves of loss or accuracy on a still."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from regviz.figures import info
from regviz.frames import Frame
from regviz.slides.paper import Cell, Style
from regviz.slides.runs import Runs
from regviz.slides.stills.marks import MARKERS, TRAINING, VALIDATION, Update, short_labels

_MARKS = 9  # markers along a curve


_LOSS = ("cross-entropy loss (nats)", "loss (nats)")
_RIGHT = ("accuracy",)


def curves(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw losses over epochs: training dashed, validation solid, best epochs and stops marked."""
    return _curves(cell, runs, style, ("train_loss", "val_loss"), _LOSS)


def accuracy(cell: Cell, runs: Runs, style: Style) -> Update:
    """Draw accuracies over epochs, in the look of the losses."""
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
        calm = [lane for lane in lanes if lane.status != "diverged"]
        if calm:
            top = info.highest([lane.curve(name) for lane in calm for name in names])
        else:
            top = float(np.percentile(values, 90)) if len(values) else 1.0
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
        (train,) = ax.plot([], [], linestyle=TRAINING, linewidth=width, fillstyle="none", **common)
        (val,) = ax.plot([], [], linestyle=VALIDATION, linewidth=width, **common)
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
            marks = info.marks(lane, lane.curve(names[1]))
            stars = [mark for mark in marks if mark.kind == "best"]
            best.set_data([mark.epoch for mark in stars], [mark.value for mark in stars])
            ends = [mark for mark in marks if mark.kind != "best"][-1:]
            line.set_visible(bool(ends))
            line.set_xdata([mark.epoch for mark in ends] * 2 or [0, 0])
            stop.set_data(
                [mark.epoch for mark in ends],
                [min(m.value, 0.97 * top) if math.isfinite(m.value) else 0.97 * top for m in ends],
            )
        return [part for parts in drawn for part in parts]

    return update


def curves_key(runs: Runs, style: Style) -> list[Any]:
    """Return the entries that explain curves and marks in the legend."""
    p, lanes = style.palette, runs.last.lanes
    handles: list[Any] = [
        Line2D(
            [], [], color=p.lane(i), linewidth=style.line * 1.35, label=label,
            marker=MARKERS[i % len(MARKERS)], markersize=0.5 * style.size,
        )
        for i, label in enumerate(short_labels(runs, style))
    ]  # fmt: skip
    key: dict[str, Any] = {"color": p.muted, "linewidth": style.line}
    handles += [
        Line2D([], [], linestyle=TRAINING, label="training curve", **key),
        Line2D([], [], linestyle=VALIDATION, label="validation curve", **key),
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
