"""Charts that move while a run trains: drawn once, then fed bytes, never mounted again.

A page calls the chart functions where the charts shall stand, *outside* fragments, and
:func:`feed` once inside its one fragment (:func:`regviz.ui.layout.fragment`). All are tied
together by the name of a ``channel``::

    from regviz.ui import layout, live

    live.loss_curves("play", labels=("no regularization", "with regularization"))
    live.decision_boundary("play", labels=("no regularization", "with regularization"))
    live.weight_histogram("play", labels=("no regularization", "with regularization"))
    live.scrubber("play", labels=("no regularization", "with regularization"))
    live.readout("play")

    @layout.fragment(run_every=0.1 if running else None)
    def tick():
        live.feed("play", job, table=lambda frame: live.Table(("", *labels), ...))

The charts get their empty figure from :mod:`regviz.figures.live` (sent again only when the
configuration changes); the feed gets one message of raw bytes for each frame
(:mod:`regviz.frames.messages`), which the browser hands to every chart of the channel. So one
frame is one small message, however many charts look at it. The charts also take messages from the
page's connection as they come, before Streamlit hands them over; each is numbered, so that none is
drawn twice. Until the first frame of a new run comes, the old picture stays.

A finished sweep goes to the same charts as one message (:func:`sweep_feed`), and the scrubber then
moves over its values in the browser alone. Charts of another kind that change as a whole, as a
heat map that fills, are mounted with :func:`figure` and moved by :func:`feed_figures`.

The browser needs Plotly's JavaScript at ``static/plotly.min.js`` beside the main script
(:func:`ensure_plotly_js` puts it there) and ``server.enableStaticServing``.
"""

from __future__ import annotations

import dataclasses
import filecmp
import functools
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import plotly
import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from regviz.figures import live as figures
from regviz.figures.palette import DARK, LIGHT
from regviz.frames import Frame
from regviz.frames.messages import (
    Table,
    pack_bundle,
    pack_figures,
    pack_frame,
    pack_waiting,
    stamp,
    unpack,
)
from regviz.slides import words
from regviz.specs import MAX_POINTS, MIN_POINTS, Experiment, Point, canonical_key, text
from regviz.ui import turns

__all__ = [
    "Drawing",
    "Table",
    "decision_boundary",
    "ensure_plotly_js",
    "feed",
    "feed_figures",
    "figure",
    "loss_curves",
    "readout",
    "scrubber",
    "sweep_feed",
    "weight_histogram",
]

POINTS_FRAMES = 3
"""How many messages of a run carry its points; the browser asks again where all were lost."""


class LiveJob(Protocol):
    """What the feed needs of a job: :class:`regviz.engine.engine.Job` is one."""

    @property
    def state(self) -> str: ...

    @property
    def experiments(self) -> tuple[Experiment, ...]: ...

    def latest(self) -> Frame | None: ...

    def frames(self) -> list[Frame]: ...


# --- the charts ------------------------------------------------------------------------------


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
        Whose frames to show.
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
    _plot(
        "loss",
        channel,
        key,
        _skeletons(
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
    points there are, as soon as there are enough. What it gets is what a browser says: it is to be
    checked.
    """
    difference = show_difference and len(labels) == 2
    skeletons = _skeletons(
        figures.decision_boundary,
        tuple(labels),
        show_difference=difference,
        show_points=show_points,
        height=height,
        **({} if classes is None else {"classes": len(classes)}),
    )
    # put in here and not kept with the figure, because they may be somebody's own
    for usual, name in zip(("x₀", "x₁"), axes or (), strict=False):
        title = json.dumps(text.escaped(text.clean(name)))
        skeletons = skeletons.replace(f'"text":{json.dumps(usual)}', f'"text":{title}')
    _plot(
        "boundary",
        channel,
        key,
        skeletons,
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
    _plot(
        "histogram",
        channel,
        key,
        _skeletons(
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
        _mount(
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
        _mount("readout", channel, key, {})


Said = tuple[str, Callable[[dict[str, Any]], None]]
"""What a chart may say, and who is called with it."""

FigurePair = tuple[str, str] | tuple[go.Figure, go.Figure]
"""A figure in the light theme and in the dark one, each as Plotly's JSON or as a figure."""


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
    light, dark = _both(skeleton)
    _plot(
        "figure",
        channel,
        key,
        f'{{"light":{light},"dark":{dark}}}',
        height=height,
        options={"name": name, "click": on_click is not None, "follows": follows},
        filename=key,
        says=None if on_click is None else ("clicked", on_click),
    )


def _both(pair: FigurePair) -> tuple[str, str]:
    light, dark = (f if isinstance(f, str) else str(f.to_json()) for f in pair)
    return light, dark


# --- the feed --------------------------------------------------------------------------------


def feed(
    channel: str,
    job: LiveJob | None,
    *,
    table: Callable[[Frame], Table] | None = None,
    run: str | None = None,
    pooled: bool = False,
) -> None:
    """Send the job's newest frame to the charts of ``channel``; call it in the page's fragment.

    It takes no room on the page. With no job, or before its first frame, the charts keep what
    they show.

    Parameters
    ----------
    channel
        As given to the charts; at most one feed for a channel.
    job
        The job shown, or None.
    table
        Makes the numbers of :func:`readout` from a frame; also called for each stored frame, so
        that the numbers follow the scrubber.
    run
        Text that tells runs apart: another one resets the scrubber. By default it follows the
        job object, so a job submitted anew is a new run.
    pooled
        Also send each lane's weights of all layers in one histogram, for a :func:`figure` that
        follows them.
    """
    name = f"regviz-feed-{channel}"
    wanted = f"{name}-wanted"
    told = st.session_state.setdefault(
        wanted,
        {
            "turn": 0,  # runs shown so far
            "of": "",
            "job": None,
            "run": "",
            "points": 0,
            "stored": False,
            "name": "",
        },
    )

    if job is None:
        data = pack_waiting(channel, "", state="none")
    else:
        state = job.state  # before the frame: of a run that is over the last one is shown
        of = run
        if of is None:  # made of both experiments in full: not for each look at the same job
            of = told["of"] if told["job"] is job else _run_id(job)
        if told["of"] != of:
            name_of_run = words.run_name(channel, job.experiments)
            told.update(of=of, job=job, points=POINTS_FRAMES, stored=False, name=name_of_run)
            told["turn"] += 1  # a job that is shown again is another run to the browser
            told["run"] = of if run is not None else f"{of}~{told['turn']}"
        run = told["run"]
        frame = job.latest()
        if frame is None:
            data = pack_waiting(channel, run, state=state)
        elif told["stored"]:
            told["stored"] = False
            data = pack_bundle(
                channel,
                run,
                job.frames(),
                state=state,
                table=table,
                name=told["name"],
                pooled=pooled,
            )
        else:
            points = told["points"] > 0 or frame.done
            told["points"] = max(0, told["points"] - 1)
            data = pack_frame(
                channel,
                run,
                frame,
                state=state,
                table=table,
                with_points=points,
                name=told["name"],
                pooled=pooled,
            )

    def note() -> None:
        """Remember what the browser asked for, until the feed is packed below."""
        asked = st.session_state[name].wanted
        if not isinstance(asked, dict) or asked.get("run") != told["run"]:
            return
        if asked.get("what") == "stored":
            told["stored"] = True
        elif asked.get("what") == "points":
            told["points"] = POINTS_FRAMES

    _send(name, data, note)


def sweep_feed(channel: str, message: bytes | None) -> None:
    """Send a sweep (:func:`regviz.frames.messages.pack_sweep`) to the charts of ``channel``, once.

    Call it in each run of the script, in a fragment or outside: what has been sent is not sent
    again, unless the message is another one or the browser says that it has none (another page was
    open meanwhile). With None, the charts keep what they show. At most one for a channel.
    """
    name = f"regviz-sweep-{channel}"
    told = st.session_state.setdefault(f"{name}-sent", {"id": ""})
    known = "" if message is None else str(unpack(message)[0]["id"])
    if message is None or told["id"] == known:
        data = pack_waiting(channel, known, state="sweep" if known else "none")
    else:
        data = message
    told["id"] = known

    def note() -> None:
        """The browser has no such message: send it below."""
        asked = st.session_state[name].wanted
        if isinstance(asked, dict) and asked.get("what") == "sweep":
            told["id"] = ""

    _send(name, data, note)


def feed_figures(channel: str, shown: Mapping[str, FigurePair]) -> None:
    """Send figures to the charts that :func:`figure` has mounted; call it in the page's fragment.

    They are drawn in place: a zoom stays, and nothing is blank in between. A figure that has not
    changed is not drawn again.

    Parameters
    ----------
    channel
        As given to the charts; at most one feed of figures for a channel.
    shown
        Of each name the figure in the light theme and in the dark one.
    """
    name = f"regviz-figures-{channel}"
    data = pack_figures(channel, {key: _both(pair) for key, pair in shown.items()})
    _send(name, data, lambda: None)


def _send(name: str, data: bytes, asked: Callable[[], None]) -> None:
    """Send a feed's message, numbered; ``asked`` is called when the browser asks for another.

    What is the same as before keeps its number: Streamlit then need not send all of it again.
    """
    sent = st.session_state.setdefault(
        "regviz-sent", {"session": secrets.token_hex(8), "number": 0, "last": {}}
    )
    content = hash(data)
    before, number = sent["last"].get(name, (None, 0))
    if before != content:
        number = sent["number"] = sent["number"] + 1
        sent["last"][name] = content, number
    data = stamp(data, name, sent["session"], number)
    _feed_component()(key=name, data=data, height="content", on_wanted_change=asked)


def _run_id(job: LiveJob) -> str:
    return f"{hash(canonical_key(job.experiments)) & 0xFFFFFFFF:08x}-{id(job):x}"


# --- mounting --------------------------------------------------------------------------------


def _asset(name: str) -> str:
    return resources.files("regviz.ui").joinpath(name).read_text(encoding="utf-8")


# Streamlit sends a component's JavaScript along with each of its messages. So the feed, which
# gets ten a second, has a few lines of its own that hand the bytes over, and the drawing code
# travels with the charts only.
FEED_JS = """
export default function ({ data, key, setTriggerValue }) {
  const inbox = (window.__regvizInbox ??= [])
  inbox.push({ key, data, ask: (what) => setTriggerValue("wanted", what) })
  return () => window.__regvizInbox.push({ key, gone: true })
}
"""


@functools.cache
def _feed_component() -> Any:
    return st.components.v2.component(
        "regviz_feed",
        html='<div class="rv-feed" hidden></div>',
        js=FEED_JS,
        isolate_styles=False,
    )


@functools.cache
def _plot_component() -> Any:
    return st.components.v2.component(
        "regviz_live",
        html='<div class="rv-root"></div>',
        css=_asset("live.css"),
        js=_asset("live.js"),
        isolate_styles=False,
    )


def _mount(
    kind: str,
    channel: str,
    key: str,
    data: dict[str, Any],
    figure: str = "null",
    says: Said | None = None,
) -> None:
    """Mount a view. Its data goes as bytes of JSON: for a dict, Streamlit would import pandas to
    look for data frames in it, which costs the web process 50 MB."""
    rest = json.dumps({"kind": kind, "channel": channel, **data})
    name = f"regviz-{channel}-{key}"
    listens: dict[str, Any] = {}
    if says is not None:
        what, listened = says

        def heard() -> None:
            told = getattr(st.session_state[name], what)
            if isinstance(told, dict):
                listened(told)

        listens[f"on_{what}_change"] = heard
    _plot_component()(
        key=name,
        data=f'{{"figure":{figure},"palette":{_palettes()},{rest[1:]}'.encode(),
        # the browser sets the height: that of the boundary follows from width and aspect
        height="content",
        **listens,
    )


def _plot(
    kind: str,
    channel: str,
    key: str,
    figure: str,
    *,
    height: int,
    options: dict[str, Any],
    filename: str,
    says: Said | None = None,
) -> None:
    _ensure_plotly_js_once()
    turns.give_way()
    with st.container(key=key):
        _mount(
            kind,
            channel,
            key,
            {"options": options, "filename": filename, "height": height},
            figure,
            says,
        )


@functools.lru_cache(maxsize=64)
def _skeletons(chart: Callable[..., go.Figure], labels: tuple[str, ...], **options: Any) -> str:
    """Return the empty figure in both themes as JSON: a switch of theme needs no server."""
    figures_of = {p.name: chart(labels, palette=p, **options).to_json() for p in (LIGHT, DARK)}
    return "{" + ",".join(f'"{name}":{text}' for name, text in figures_of.items()) + "}"


@functools.cache
def _palettes() -> str:
    """Return the colours of both themes as JSON."""
    return json.dumps({p.name: p.to_dict() for p in (LIGHT, DARK)})


def ensure_plotly_js(folder: Path) -> Path:
    """Put the installed Plotly's JavaScript into ``folder`` and return where it lies.

    Nothing is written where an identical file is there already, so a read-only disk that was
    prepared beforehand is fine. It must be a real file: links that leave the folder are not
    served.

    Raises
    ------
    OSError
        If the file is missing or of another version, and ``folder`` cannot be written.
    """
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = folder / "plotly.min.js"
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    # several first visitors may do this at the same moment, each with a file of its own
    descriptor, partial = tempfile.mkstemp(prefix=target.name + ".", dir=folder)
    os.close(descriptor)
    try:
        shutil.copyfile(source, partial)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)  # at once: a browser never gets half a file
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    return target


@functools.cache
def _ensure_plotly_js_once() -> None:
    context = get_script_run_ctx()
    if context is not None:
        ensure_plotly_js(Path(context.main_script_path).parent / "static")
