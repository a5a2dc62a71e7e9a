"""The charts of a channel, its scrubber and its table of numbers: what a page mounts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from regviz.figures import info
from regviz.figures import live as figures
from regviz.specs import MAX_POINTS, MIN_POINTS, Point, text
from regviz.ui.live.mount import FigurePair, both, mount, plot, skeletons


def loss_curves(
    channel: str,
    *,
    labels: Sequence[str],
    epochs: int,
    show_accuracy: bool = False,
    log_scale: bool = False,
    show_train_mode: bool = False,
    height: int = 420,
    key: str = "loss-curves",
) -> None:
    """Mount the loss curves: train dashed, validation solid, one colour for each lane.

    Parameters
    ----------
    channel
        Name of the feed whose frames to show.
    labels
        Name of each lane, as in ``("no regularization", "with regularization")``.
    epochs
        Most epochs that any lane asks for: the x axis runs over ``[1, epochs]`` from the start.
    show_accuracy
        Show accuracies instead of losses.
    log_scale
        Logarithmic loss axis (accuracies stay linear).
    show_train_mode
        Also show, thin and dotted, the training loss with dropout and noise switched on.
    height
        In pixels, in a window 900 pixels high; in a higher one all charts grow, by a third at
        most.
    key
        Key of the ``st.container`` around the chart.
    """
    plot(
        "loss",
        channel,
        key,
        skeletons(
            figures.loss_curves,
            tuple(labels),
            epochs=epochs,
            show_accuracy=show_accuracy,
            log_scale=log_scale,
            show_train_mode=show_train_mode,
            height=height,
        ),
        height=height,
        options={
            "lanes": len(labels),
            "labels": list(labels),
            "epochs": epochs,
            "accuracy": show_accuracy,
            "log": log_scale and not show_accuracy,
            "trainMode": show_train_mode and not show_accuracy,
        },
        filename="accuracy-curves" if show_accuracy else "loss-curves",
    )


MOST_NAME = 20
"""Characters of a class's name in a legend."""


@dataclass(frozen=True)
class Drawing:
    """Points that are being drawn in a boundary, as they are where drawing begins.

    ``plane`` is x0 low, x0 high, x1 low, x1 high; ``fraction`` says which points are for
    validation (:func:`regviz.data.own.turns`). ``least`` points, ``each`` of either class, are
    enough (``about`` says so), ``most`` are possible. Another ``id`` is another drawing.
    """

    id: str
    start: tuple[Point, ...]
    plane: tuple[float, float, float, float]
    fraction: float
    names: tuple[str, ...] = ("class 0", "class 1")
    least: int = MIN_POINTS
    each: int = 2
    most: int = MAX_POINTS
    about: str = f"training starts at {MIN_POINTS} points, at least 2 of each class"


def decision_boundary(
    channel: str,
    *,
    labels: Sequence[str],
    show_difference: bool = True,
    show_points: bool = True,
    axes: tuple[str, str] | None = None,
    classes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    drawing: Drawing | None = None,
    on_drawn: Callable[[dict[str, Any]], None] | None = None,
    height: int = 520,
    key: str = "decision-boundary",
) -> None:
    """Mount the boundaries side by side, with the points; for two lanes also their difference.

    The picture of P(class 1) lies on a canvas under the axes. Where a lane has none (images, one
    input), a sentence stands in its place. ``height`` is the most in pixels:
    panels have equal aspect, so a narrow page needs less. ``axes`` names the two inputs, where
    they have names; ``classes`` the classes, where there are more than two: then the picture is
    an image of the most probable class, and the difference shows where that is another. ``names``
    are those of two classes, where they have any. Legends shorten names; what a pointer shows has
    them whole, and the inputs as ``columns`` has them.

    With a ``drawing``, clicks add and remove points: the browser shows them at once, and
    ``on_drawn`` is called, before the script runs again, with ``{"id", "points", "done"}``, all
    points there are, as soon as there are enough. Its argument comes from a browser and must be
    checked.
    """
    difference = show_difference and len(labels) == 2
    skeleton = skeletons(
        figures.decision_boundary,
        tuple(labels),
        show_difference=difference,
        show_points=show_points,
        height=height,
        **({} if classes is None else {"classes": len(classes)}),
    )
    # put in here and not kept with the figure, because they may be names of the user's own data
    for usual, name in zip(info.INPUTS, axes or (), strict=False):
        title = json.dumps(text.escaped(text.clean(name)))
        skeleton = skeleton.replace(f'"text":{json.dumps(usual)}', f'"text":{title}')
    plot(
        "boundary",
        channel,
        key,
        skeleton,
        height=height,
        options={
            "lanes": len(labels),
            "labels": list(labels),
            "difference": difference,
            "points": show_points,
            "classes": None if classes is None else list(text.told_apart(classes, MOST_NAME)),
            "names": None if names is None else list(text.told_apart(names, MOST_NAME)),
            "whole": [text.clean(name) for name in classes or names or ()],
            "axes": None if axes is None else [text.clean(name) for name in axes],
            "columns": None if columns is None else [text.clean(name) for name in columns],
            "drawing": None if drawing is None else dataclasses.asdict(drawing),
        },
        filename="decision-boundary",
        says=None if drawing is None or on_drawn is None else ("drawn", on_drawn),
    )


def weight_histogram(
    channel: str,
    *,
    labels: Sequence[str],
    layers: int,
    log_scale: bool = False,
    height: int = 330,
    key: str = "weight-histogram",
) -> None:
    """Mount one small histogram for each of the ``layers`` weight matrices, lanes overlaid.

    ``layers`` is ``len(hidden) + 1``. Weights that are exactly 0 are a bar of their own and a
    number above the panel. ``height`` is that of one row of up to five panels.
    """
    rows = figures.histogram_rows(layers)
    plot(
        "histogram",
        channel,
        key,
        skeletons(
            figures.weight_histogram,
            tuple(labels),
            layers=layers,
            log_scale=log_scale,
            height=height * rows,
        ),
        height=height * rows,
        options={
            "lanes": len(labels),
            "labels": list(labels),
            "layers": layers,
            "log": log_scale,
        },
        filename="weight-histogram",
    )


def scrubber(
    channel: str,
    *,
    labels: Sequence[str],
    epochs: int,
    values: Sequence[str] | None = None,
    name: str = "Epoch",
    key: str = "epoch-scrubber",
) -> None:
    """Mount the slider over the epochs of the run, or a sweep's values; all in the browser alone.

    Over epochs: while the run goes on it follows the newest frame. Moved back, it shows the stored
    frame of that epoch in every chart of the channel, and both losses of each lane there; moved to
    the far right (or with the key End) it follows again. On its first use in a run it asks the
    server, through the feed, for all stored frames.

    Over ``values``, those of the message that :func:`sweep_feed` brings: each place shows the run
    with that value; a button runs through them.

    Parameters
    ----------
    channel, labels, epochs, key
        As for the charts.
    values
        The swept values as text, or None for the epochs.
    name
        What the slider is over, as in ``"L2 λ"``: its accessible name.
    """
    with st.container(key=key):
        mount(
            "scrubber",
            channel,
            key,
            {
                "labels": list(labels),
                "epochs": epochs,
                "values": None if values is None else list(values),
                "name": name,
            },
        )


def readout(channel: str, *, key: str = "readout") -> None:
    """Mount the table of numbers that :func:`feed` brings with each frame (its ``table``)."""
    with st.container(key=key):
        mount("readout", channel, key, {})


def figure(
    channel: str,
    *,
    key: str,
    name: str,
    height: int,
    skeleton: FigurePair,
    on_click: Callable[[dict[str, Any]], None] | None = None,
    follows: str | None = None,
) -> None:
    """Mount a Plotly figure that :func:`feed_figures` changes in place.

    Parameters
    ----------
    channel
        Whose figures to show.
    key
        Key of the ``st.container`` around the chart; also the file name of its saved picture.
    name
        The name that the feed gives the figure.
    height
        In pixels, in a window 900 pixels high, as for the other charts.
    skeleton
        What to show until the feed brings a figure of that name.
    on_click
        Called, before the script runs again, with the point or cell that was clicked:
        ``{"curveNumber", "pointNumber", "x", "y", "customdata"}``, what a trace has of them.
    follows
        What of it moves with the channel's scrubber: ``"epoch"`` marks the epoch in each panel,
        ``"weights"`` shows its histograms, as :func:`regviz.figures.comparisons.histograms` draws
        them.
    """
    light, dark = both(skeleton)
    plot(
        "figure",
        channel,
        key,
        f'{{"light":{light},"dark":{dark}}}',
        height=height,
        options={"name": name, "click": on_click is not None, "follows": follows},
        filename=key,
        says=None if on_click is None else ("clicked", on_click),
    )
