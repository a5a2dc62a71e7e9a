"""One session and its run: submitted on change, followed, steered, let go when the session ends.

A page asks :func:`follow` for the lanes it shows; only a change of them starts a new run. As soon
as the tab is closed or the connection drops, the session's runs are cancelled. A session that comes
back submits them again (a finished run then comes from the engine's cache).
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from regviz.engine.engine import IN_PROGRESS, Engine, Job, shared_engine
from regviz.frames import Frame
from regviz.results import sweeps
from regviz.specs import Experiment, SpecError
from regviz.ui import turns

TICK = 0.1
"""Seconds between two looks at a run that is going on, where few are."""
LOOKS = 14
"""Looks a second that the server takes at all runs together: one costs its only thread 5 to 10 ms,
most of it Streamlit's own. More would be asked for than could be done, and everybody would wait.
"""
FIRST_FRAME = 0.35
"""Seconds that a page waits at most for what its click asked for; more would grey it out."""
PAINTING = 0.07
"""Seconds that a browser is left alone with a first frame: what comes on its heels it would draw
before it has painted that one, which then takes a quarter longer."""
LONG = 2.5
"""Seconds from which on a page says how long a run will still take."""

PLAY, PAUSE, STEP, RESTART, CANCEL = "play", "pause", "step", "restart", "cancel"
ABOUT = {
    PLAY: "Play: continue; when finished, train again",
    PAUSE: "Pause",
    STEP: "Step: train one epoch, then pause",
    CANCEL: "Cancel: stop training and keep what has been trained so far",
    RESTART: "Restart: train again from epoch 1",
}
"""The tooltips of the transport's buttons, which show no more than an icon on most screens."""


@dataclass
class Visit:
    """A session on one page: the name its jobs go by, its job, and what it last saw of it.

    ``refused``: why the engine did not take ``unwanted``, which was asked for last. ``kept``: the
    visitor has cancelled the job, and what it came to stays.

    Two threads may be at it: a page's run goes on for a moment beside the next one, which ends it.
    """

    engine: Engine
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    page: str = "playground"
    job: Job | None = None
    lanes: tuple[Experiment, ...] = ()
    refused: str = ""
    unwanted: tuple[Experiment, ...] = ()
    step_to: int = 0
    kept: bool = False
    seen: tuple[Frame | None, tuple[Experiment, ...]] = (None, ())
    interval: float = TICK

    @property
    def state(self) -> str:
        """The job's state, empty without a job."""
        return "" if self.job is None else self.job.state

    @property
    def moving(self) -> bool:
        """Whether the picture will change by itself."""
        job = self.job
        if job is None:
            return False
        if job.state == "paused":
            return _epoch(job) < self.step_to
        return job.state in ("queued", "running")

    def look(self) -> tuple[Frame | None, tuple[Experiment, ...]]:
        """Return the newest frame and its lanes; the old run's until the new one has a frame."""
        job = self.job
        frame = None if job is None else job.latest()
        if job is None or frame is None:
            return self.seen
        self.seen = seen = frame, job.experiments
        return seen


class Part:
    """A job as if only some of its lanes had been trained: what charts of a few models show."""

    def __init__(self, job: Job, lanes: Sequence[int]) -> None:
        self._job, self._lanes = job, lanes

    @property
    def state(self) -> str:
        """The job's."""
        return self._job.state

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The experiments of these lanes."""
        return tuple(self._job.experiments[i] for i in self._lanes)

    def latest(self) -> Frame | None:
        """Return these lanes of the newest frame."""
        frame = self._job.latest()
        return None if frame is None else sweeps.one_lane(frame, self._lanes)

    def frames(self) -> list[Frame]:
        """Return these lanes of the frames kept."""
        return [sweeps.one_lane(frame, self._lanes) for frame in self._job.frames()]


@dataclass
class Session:
    """A visitor on all pages."""

    engine: Engine
    id: str = ""  # what Streamlit calls the session
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    visits: dict[str, Visit] = field(default_factory=dict)  # the latest to ask for a run last
    # held where runs are asked for; nothing of Streamlit's is touched under it
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def make_room(self, visit: Visit) -> None:
        """Cancel what other pages, the longest left first, still have trained where the session
        may have no further job; a page that is come back to asks again."""
        if self.visits.get(visit.page) is visit:
            self.visits[visit.page] = self.visits.pop(visit.page)
        others = [
            other.job
            for other in self.visits.values()
            if other is not visit and other.job is not None and other.state in IN_PROGRESS
        ]
        for job in others[: max(0, len(others) + 1 - self.engine.limits.jobs_per_owner)]:
            job.cancel()


_GONE = 0.1  # seconds after which a session that has lost its caches is gone, or is not


def _let_go(session: Session) -> None:
    # on the event-loop thread, as a rule: nothing here may wait
    try:
        asyncio.get_running_loop().call_later(_GONE, _release, session)
    except RuntimeError:
        _release(session)


def _release(session: Session) -> None:
    """Give up the jobs of a session that is gone.

    Any visitor's browser may ask the server to clear its caches, which are everybody's: that is
    no reason to cancel what others have trained.
    """
    if not (runtime.exists() and runtime.get_instance().is_active_session(session.id)):
        session.engine.release(session.owner)  # only leaves word


@st.cache_resource(scope="session", on_release=_let_go, show_spinner=False)
def _session() -> Session:
    context = get_script_run_ctx()
    assert context is not None
    fresh = Session(shared_engine(), context.session_id)
    held: Session = st.session_state.setdefault("run.session", fresh)
    return held


def current(page: str = "playground") -> Visit:
    """Return this session's visit of one page; each page follows a run of its own."""
    session = _session()
    with session.lock:
        if session.engine is not shared_engine():  # that one was closed, and its jobs with it
            session.engine, session.visits = shared_engine(), {}
        if page not in session.visits:
            session.visits[page] = Visit(session.engine, session.owner, page)
        return session.visits[page]


def follow(lanes: Sequence[Experiment], page: str = "playground") -> Visit:
    """Return the visit with a job that trains ``lanes``: the one it has, or a new one.

    What exceeds a limit leaves the old job and one sentence in ``refused``.
    """
    visit = expect(lanes, page)
    settle(visit)
    return visit


def expect(lanes: Sequence[Experiment], page: str = "playground") -> Visit:
    """Have ``lanes`` trained like :func:`follow`, without waiting for a first frame."""
    _end_if_overtaken()
    visit = current(page)
    wanted = tuple(lanes)
    job = visit.job
    lost = job is None or (job.state == "cancelled" and not visit.kept)
    if lost or visit.lanes != wanted:
        _submit(visit, wanted)
    elif visit.unwanted != wanted:
        visit.refused = ""  # that was something else, and its old run is what is wanted again
    return visit


def every(visit: Visit, *, least: float = TICK) -> float | None:
    """Return the seconds between a page's looks at its run, for ``st.fragment(run_every=...)``:
    ``least``, or more where many runs go on; None where nothing moves."""
    visit.interval = pace(least, visit.engine)
    return visit.interval if visit.moving else None


def pace(least: float, engine: Engine | None = None) -> float:
    """Return ``least`` seconds, or more where so many look at their runs and labs (of which many
    may be one and the same) that it would take the server's whole time."""
    return max(least, min(1.0, (engine or shared_engine()).watched / LOOKS))


def outdated(visit: Visit, moving: bool) -> bool:
    """Whether a page that was drawn while its run was ``moving``, or not, needs a full run: the
    run has ended, or see :func:`replaced` and :func:`crowded`."""
    return visit.moving != moving or replaced(visit, visit.job) or crowded(visit)


def replaced(visit: Visit, job: Job | None) -> bool:
    """Whether ``job``, for which a page was drawn, is no longer its run: another one was asked for,
    or the connection was lost, and the jobs with it."""
    lost = visit.state == "cancelled" and not (visit.kept or visit.refused)
    return visit.job is not job or visit.engine.closed or lost


def crowded(visit: Visit) -> bool:
    """Whether so many runs have begun that a page looks at its own far too often."""
    return visit.moving and pace(TICK, visit.engine) > 2 * visit.interval


def press(action: str, page: str = "playground") -> None:
    """Do what a button of the transport says; a callback, so the page that follows shows it."""
    visit = current(page)
    job = visit.job
    if job is None:
        return
    over = job.state in ("finished", "failed", "cancelled")
    if action == PAUSE:
        job.pause()
    elif action == CANCEL:
        visit.kept = True
        job.cancel()
    elif action == RESTART or (action == PLAY and over):
        _submit(visit, visit.lanes, fresh=True)
    elif action == PLAY:
        job.resume()
    elif over:  # step
        _submit(visit, visit.lanes, fresh=True, paused=True)
    else:
        visit.step_to = _epoch(job) + 1
        job.step()


def buttons(visit: Visit, page: str, *, step: bool = True) -> None:
    """Draw a page's transport: play, pause, one epoch further, and from the beginning.

    Where a step would be too small to see, there is a button to cancel instead: it ends the run
    and keeps what has come of it.
    """
    going, no_job = visit.state in ("queued", "running"), visit.job is None
    for label, action, icon, off in (
        ("Play", PLAY, ":material/play_arrow:", going or no_job),
        ("Pause", PAUSE, ":material/pause:", not going),
        ("Step", STEP, ":material/skip_next:", no_job),
        ("Cancel", CANCEL, ":material/stop:", not (going or visit.state == "paused")),
        ("Restart", RESTART, ":material/replay:", no_job),
    ):
        if action == (CANCEL if step else STEP):
            continue
        st.button(
            label,
            key=f"do-{action}",
            icon=icon,
            help=ABOUT[action],
            on_click=press,
            args=(action, page),
            disabled=off,
        )


def status_word(state: str, frame: Frame | None) -> str:
    """Return the one word for a run: failed, queued, paused, running, diverged, stopped, finished.

    The word of a run that has ended is the least expected of its lanes'.
    """
    if state == "cancelled":  # replaced, or about to be submitted again
        return "queued"
    if state != "finished" or frame is None:
        return state
    ways = {lane.status for lane in frame.lanes}
    return next((way for way in ("diverged", "stopped") if way in ways), "finished")


def status_text(visit: Visit) -> tuple[str, str, str]:
    """Return ``epoch N/M`` and the status word of the visit's run, and what it waits for."""
    job = visit.job
    if job is None:
        return "epoch 0/0", "failed" if visit.refused else "queued", ""
    word = status_word(job.state, job.latest())
    if visit.kept and job.state == "cancelled":
        word = "stopped"
    return f"epoch {_epoch(job)}/{job.epochs}", word, queue_text(job.outlook)


def queue_text(outlook: tuple[int, float] | None) -> str:
    """Return how long a run will take where others are trained, too; nothing where it is short.

    >>> queue_text((12, 6.4))
    '12 runs are ahead of yours, about 6 s left'
    """
    if outlook is None or outlook[1] < LONG:
        return ""
    ahead, seconds = outlook
    how_long = f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
    if ahead == 0:
        return f"{how_long} left"
    return f"{ahead} {'run is' if ahead == 1 else 'runs are'} ahead of yours, {how_long} left"


def _epoch(job: Job) -> int:
    frame = job.latest()
    return 0 if frame is None else frame.epoch


def _submit(
    visit: Visit, lanes: tuple[Experiment, ...], *, fresh: bool = False, paused: bool = False
) -> None:
    session = _session()
    with session.lock:
        try:
            session.make_room(visit)
            visit.job = visit.engine.submit(
                lanes, visit.owner, fresh=fresh, paused=paused, slot=visit.page
            )
        except SpecError as error:
            visit.refused, visit.unwanted = str(error), lanes
            return
        visit.refused = ""
        visit.lanes = lanes
        visit.step_to = 0
        visit.kept = False
    if runtime.exists():
        _release(session)  # the tab may have been closed while the lanes were looked at


def settle(visit: Visit) -> None:
    """Give the job a moment to show what was asked of it: its first frame, its pause, its step."""
    urgent = turns.calm()  # others can go on meanwhile
    _await(visit)
    if urgent:
        turns.hurry()


def let_paint() -> None:
    """Wait until a browser should have painted the frame it has got, or asks for something else."""
    until = time.monotonic() + PAINTING
    while time.monotonic() < until:
        time.sleep(0.01)
        _end_if_overtaken()


def _end_if_overtaken() -> None:
    """Have Streamlit end this run of the page, if another one is asked for."""
    st.session_state.get("run.session")


def _await(visit: Visit) -> None:
    job = visit.job
    deadline = time.monotonic() + FIRST_FRAME
    while job is not None:
        version = job.version
        waiting = job.latest() is None and job.state in ("queued", "running")
        stepping = job.state == "paused" and visit.moving
        left = deadline - time.monotonic()
        if not (waiting or stepping) or left <= 0:
            return
        job.wait(left, after=version)
