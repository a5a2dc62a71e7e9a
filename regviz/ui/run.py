"""The runs of one session: submitted on change, followed, controlled, cancelled when it ends.

A page asks :func:`follow` for the lanes it shows; only a change of them starts a new run. When the
tab is closed or the connection drops, the session's runs are cancelled. A session that reconnects
submits them again (a finished run then comes from the engine's cache).
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
"""Seconds between two updates of a page whose run is going on, on a server with few runs."""
LOOKS = 14
"""Page updates a second that the server does for all runs together: one costs its only thread 5 to
10 ms, most of it in Streamlit. More requests than that would queue, and every session would wait.
"""
FIRST_FRAME = 0.35
"""Seconds that a page waits at most for the first frame after a click; Streamlit greys out a page
that waits longer."""
PAINTING = 0.07
"""Seconds without a further message after a first frame: the browser would draw that message before
it has painted the frame, which then takes a quarter longer."""
LONG = 2.5
"""A page says how long a run will still take where that is more than these seconds."""

PLAY, PAUSE, STEP, RESTART, CANCEL = "play", "pause", "step", "restart", "cancel"
ABOUT = {
    PLAY: "Play: continue; when finished, train again",
    PAUSE: "Pause",
    STEP: "Step: train one epoch, then pause",
    CANCEL: "Cancel: stop training and keep what has been trained so far",
    RESTART: "Restart: train again from epoch 1",
}
"""The tooltips of the run buttons, which show only an icon on most screens."""


@dataclass
class PageRun:
    """The run of one page in one session: its job, and the frame that was last observed.

    ``refused``: why the engine refused ``unwanted``, the latest request. ``kept``: the user has
    cancelled the job, and its frames stay on screen.

    Two threads may use it at a time: a script run goes on for a moment beside the next one, which
    ends it.
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

    def observe(self) -> tuple[Frame | None, tuple[Experiment, ...]]:
        """Return the newest frame and its lanes; the old run's until the new one has a frame."""
        job = self.job
        frame = None if job is None else job.latest()
        if job is None or frame is None:
            return self.seen
        self.seen = seen = frame, job.experiments
        return seen


class Part:
    """Some lanes of a job, as a job: charts of a few models show them."""

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
    """A session's runs on all pages."""

    engine: Engine
    id: str = ""  # what Streamlit calls the session
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    page_runs: dict[str, PageRun] = field(default_factory=dict)  # the latest to ask for a run last
    # held where runs are asked for; nothing of Streamlit's is touched under it
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def make_room(self, page_run: PageRun) -> None:
        """Cancel jobs of other pages, least recently used first, where the session has reached its
        limit of jobs; a page resubmits when it is revisited."""
        if self.page_runs.get(page_run.page) is page_run:
            self.page_runs[page_run.page] = self.page_runs.pop(page_run.page)
        others = [
            other.job
            for other in self.page_runs.values()
            if other is not page_run and other.job is not None and other.state in IN_PROGRESS
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
    """Give up the jobs of a session that has ended.

    Any client may ask the server to clear its caches, which all sessions share: that must not
    cancel the jobs of sessions that go on.
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


def current(page: str = "playground") -> PageRun:
    """Return this session's run of one page; each page has its own."""
    session = _session()
    with session.lock:
        if session.engine is not shared_engine():  # that one was closed, and its jobs with it
            session.engine, session.page_runs = shared_engine(), {}
        if page not in session.page_runs:
            session.page_runs[page] = PageRun(session.engine, session.owner, page)
        return session.page_runs[page]


def follow(lanes: Sequence[Experiment], page: str = "playground") -> PageRun:
    """Return the page's run with a job that trains ``lanes``: the present job, or a new one.

    A request that exceeds a limit leaves the old job and one sentence in ``refused``.
    """
    page_run = expect(lanes, page)
    settle(page_run)
    return page_run


def expect(lanes: Sequence[Experiment], page: str = "playground") -> PageRun:
    """Have ``lanes`` trained like :func:`follow`, without waiting for a first frame."""
    _end_if_overtaken()
    page_run = current(page)
    wanted = tuple(lanes)
    job = page_run.job
    lost = job is None or (job.state == "cancelled" and not page_run.kept)
    if lost or page_run.lanes != wanted:
        _submit(page_run, wanted)
    elif page_run.unwanted != wanted:
        page_run.refused = ""  # the request before was refused; this one is the present job
    return page_run


def every(page_run: PageRun, *, least: float = TICK) -> float | None:
    """Return the seconds between a page's updates, for ``st.fragment(run_every=...)``: ``least``,
    or more where many runs go on; None where the run stands still."""
    page_run.interval = pace(least, page_run.engine)
    return page_run.interval if page_run.moving else None


def pace(least: float, engine: Engine | None = None) -> float:
    """Return ``least`` seconds, or more where so many sessions watch a run or lab that updates at
    this rate would take the server's whole time."""
    return max(least, min(1.0, (engine or shared_engine()).watched / LOOKS))


def outdated(page_run: PageRun, moving: bool) -> bool:
    """Whether a page that was drawn while its run was ``moving``, or not, needs a full script run:
    the run has ended, or see :func:`replaced` and :func:`crowded`."""
    return page_run.moving != moving or replaced(page_run, page_run.job) or crowded(page_run)


def replaced(page_run: PageRun, job: Job | None) -> bool:
    """Whether ``job``, for which a page was drawn, is no longer its job: another one was submitted,
    or the connection was lost, which cancels the session's jobs."""
    lost = page_run.state == "cancelled" and not (page_run.kept or page_run.refused)
    return page_run.job is not job or page_run.engine.closed or lost


def crowded(page_run: PageRun) -> bool:
    """Whether so many runs have begun that a page updates far too often."""
    return page_run.moving and pace(TICK, page_run.engine) > 2 * page_run.interval


def press(action: str, page: str = "playground") -> None:
    """Do what a run button says; a callback, so that the script run after it shows the effect."""
    page_run = current(page)
    job = page_run.job
    if job is None:
        return
    over = job.state in ("finished", "failed", "cancelled")
    if action == PAUSE:
        job.pause()
    elif action == CANCEL:
        page_run.kept = True
        job.cancel()
    elif action == RESTART or (action == PLAY and over):
        _submit(page_run, page_run.lanes, fresh=True)
    elif action == PLAY:
        job.resume()
    elif over:  # step
        _submit(page_run, page_run.lanes, fresh=True, paused=True)
    else:
        page_run.step_to = _epoch(job) + 1
        job.step()


def buttons(page_run: PageRun, page: str, *, step: bool = True) -> None:
    """Draw a page's run buttons: play, pause, step one epoch, restart.

    Where one epoch is too small a step to see, *Cancel* stands in the place of *Step*: it ends the
    run and keeps its frames.
    """
    going, no_job = page_run.state in ("queued", "running"), page_run.job is None
    for label, action, icon, off in (
        ("Play", PLAY, ":material/play_arrow:", going or no_job),
        ("Pause", PAUSE, ":material/pause:", not going),
        ("Step", STEP, ":material/skip_next:", no_job),
        ("Cancel", CANCEL, ":material/stop:", not (going or page_run.state == "paused")),
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

    For a run that has ended it is the least expected status among its lanes.
    """
    if state == "cancelled":  # replaced, or about to be submitted again
        return "queued"
    if state != "finished" or frame is None:
        return state
    ways = {lane.status for lane in frame.lanes}
    return next((way for way in ("diverged", "stopped") if way in ways), "finished")


def status_text(page_run: PageRun) -> tuple[str, str, str]:
    """Return ``epoch N/M`` of the page's run, its status word, and its place in the queue."""
    job = page_run.job
    if job is None:
        return "epoch 0/0", "failed" if page_run.refused else "queued", ""
    word = status_word(job.state, job.latest())
    if page_run.kept and job.state == "cancelled":
        word = "stopped"
    return f"epoch {_epoch(job)}/{job.epochs}", word, queue_text(job.outlook)


def queue_text(outlook: tuple[int, float] | None) -> str:
    """Return how long a run will take while others are trained; nothing where that is short.

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
    page_run: PageRun, lanes: tuple[Experiment, ...], *, fresh: bool = False, paused: bool = False
) -> None:
    session = _session()
    with session.lock:
        try:
            session.make_room(page_run)
            page_run.job = page_run.engine.submit(
                lanes, page_run.owner, fresh=fresh, paused=paused, slot=page_run.page
            )
        except SpecError as error:
            page_run.refused, page_run.unwanted = str(error), lanes
            return
        page_run.refused = ""
        page_run.lanes = lanes
        page_run.step_to = 0
        page_run.kept = False
    if runtime.exists():
        _release(session)  # the tab may have been closed while the lanes were checked


def settle(page_run: PageRun) -> None:
    """Wait a moment for what was asked of the job: its first frame, its pause, its step."""
    urgent = turns.calm()  # other sessions go on meanwhile
    _await(page_run)
    if urgent:
        turns.hurry()


def let_paint() -> None:
    """Wait until a browser should have painted its frame, or has sent another request."""
    until = time.monotonic() + PAINTING
    while time.monotonic() < until:
        time.sleep(0.01)
        _end_if_overtaken()


def _end_if_overtaken() -> None:
    """Let Streamlit end this script run, if another one was requested."""
    st.session_state.get("run.session")


def _await(page_run: PageRun) -> None:
    job = page_run.job
    deadline = time.monotonic() + FIRST_FRAME
    while job is not None:
        version = job.version
        waiting = job.latest() is None and job.state in ("queued", "running")
        stepping = job.state == "paused" and page_run.moving
        left = deadline - time.monotonic()
        if not (waiting or stepping) or left <= 0:
            return
        job.wait(left, after=version)
