"""The feeds of a channel: frames of a run, a sweep, or whole figures, as messages of raw bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import streamlit as st

from regviz.frames import Frame
from regviz.frames.messages import (
    Table,
    pack_bundle,
    pack_figures,
    pack_frame,
    pack_waiting,
    unpack,
)
from regviz.slides import words
from regviz.specs import Experiment, canonical_key
from regviz.ui.live.mount import FigurePair, both, feed_component
from regviz.ui.live.stamping import stamped

POINTS_FRAMES = 3
"""How many messages of a run carry its points; the browser asks again where all were lost."""


class LiveJob(Protocol):
    """What the feed needs of a job: :class:`regviz.engine.engine.Job` is one."""

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``finished``, ..."""

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """One for each lane."""

    def latest(self) -> Frame | None:
        """Return the newest frame, or None before the first."""

    def frames(self) -> list[Frame]:
        """Return the stored frames, oldest first."""


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
    shown = st.session_state.setdefault(
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
        if of is None:  # hashed from both experiments in full: once for a job
            of = shown["of"] if shown["job"] is job else _run_id(job)
        if shown["of"] != of:
            name_of_run = words.run_name(channel, job.experiments)
            shown.update(of=of, job=job, points=POINTS_FRAMES, stored=False, name=name_of_run)
            shown["turn"] += 1  # a job that is shown again is another run to the browser
            shown["run"] = of if run is not None else f"{of}~{shown['turn']}"
        run = shown["run"]
        frame = job.latest()
        if frame is None:
            data = pack_waiting(channel, run, state=state)
        elif shown["stored"]:
            shown["stored"] = False
            data = pack_bundle(
                channel,
                run,
                job.frames(),
                state=state,
                table=table,
                name=shown["name"],
                pooled=pooled,
            )
        else:
            points = shown["points"] > 0 or frame.done
            shown["points"] = max(0, shown["points"] - 1)
            data = pack_frame(
                channel,
                run,
                frame,
                state=state,
                table=table,
                with_points=points,
                name=shown["name"],
                pooled=pooled,
            )

    def note() -> None:
        """Remember what the browser asked for, until the feed is packed next time."""
        asked = st.session_state[name].wanted
        if not isinstance(asked, dict) or asked.get("run") != shown["run"]:
            return
        if asked.get("what") == "stored":
            shown["stored"] = True
        elif asked.get("what") == "points":
            shown["points"] = POINTS_FRAMES

    _send(name, data, note)


def sweep_feed(channel: str, message: bytes | None) -> None:
    """Send a sweep (:func:`regviz.frames.messages.pack_sweep`) to the charts of ``channel``, once.

    Call it in each run of the script, in a fragment or outside: what has been sent is not sent
    again, unless the message is another one or the browser says that it has none (another page was
    open meanwhile). With None, the charts keep what they show. At most one for a channel.
    """
    name = f"regviz-sweep-{channel}"
    shown = st.session_state.setdefault(f"{name}-sent", {"id": ""})
    known = "" if message is None else str(unpack(message)[0]["id"])
    if message is None or shown["id"] == known:
        data = pack_waiting(channel, known, state="sweep" if known else "none")
    else:
        data = message
    shown["id"] = known

    def note() -> None:
        """The browser has no such message: send it below."""
        asked = st.session_state[name].wanted
        if isinstance(asked, dict) and asked.get("what") == "sweep":
            shown["id"] = ""

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
    data = pack_figures(channel, {key: both(pair) for key, pair in shown.items()})
    _send(name, data, lambda: None)


def _send(name: str, data: bytes, asked: Callable[[], None]) -> None:
    """Send a feed's message; ``asked`` is called when the browser asks for another."""
    feed_component()(key=name, data=stamped(data, name), height="content", on_wanted_change=asked)


def _run_id(job: LiveJob) -> str:
    return f"{hash(canonical_key(job.experiments)) & 0xFFFFFFFF:08x}-{id(job):x}"
