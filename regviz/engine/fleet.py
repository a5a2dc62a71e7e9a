"""The trainer processes: started, given work, watched, replaced.

One thread starts and watches them. A trainer that dies, hangs or takes too much memory is
replaced, and its work starts again by itself: runs are deterministic, so the picture goes on where
it was. A run in whose slice a trainer was lost starts again once, then it fails; runs that only
shared the trainer may move more often, so that one bad run does not take its neighbours with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from regviz.engine import log
from regviz.engine.jobs import JobState, Work
from regviz.engine.processes import TrainerProcess
from regviz.engine.settings import Settings
from regviz.frames import reuse

MAX_START_DELAY = 10.0
"""Seconds between two attempts to start a trainer at most; from the second failure on the delay
doubles from 0.5 s."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainerInfo:
    """A trainer as it is now.

    Attributes
    ----------
    pid
        Process id; 0 while there is no process.
    alive
        Whether the process is there.
    ready
        Whether it has loaded everything and takes runs.
    device
        ``cpu`` or ``cuda``; before it is ready, the device that was asked for.
    restarts
        How often a trainer was replaced in this slot.
    memory
        Resident memory in bytes, 0 where the system does not report it.
    """

    pid: int
    alive: bool
    ready: bool
    device: str
    restarts: int
    memory: int


@dataclass(eq=False)
class TrainerSlot:
    """A place for a trainer; its process may be replaced."""

    gpu: str | None
    process: TrainerProcess | None = None
    works: dict[int, Work] = field(default_factory=dict)
    restarts: int = 0
    failures: int = 0  # failed starts in a row
    start_at: float = 0.0
    ready_at: float = 0.0
    heard: float = 0.0  # time of the process's last message
    starved: float = 0.0  # seconds that the process had been starved by then

    @property
    def ready(self) -> bool:
        """Whether the process takes runs."""
        return self.process is not None and self.process.ready

    @property
    def load(self) -> tuple[int, int]:
        """Works that are trained, and works in all."""
        training = sum(work.state != "paused" for work in self.works.values())
        return training, len(self.works)

    def info(self, device: str) -> TrainerInfo:
        """Describe the trainer; ``device`` is the one asked for."""
        process = self.process
        if process is None:
            return TrainerInfo(0, False, False, device, self.restarts, 0)
        return TrainerInfo(
            process.pid,
            process.alive,
            process.ready,
            process.device,
            self.restarts,
            process.memory(),
        )


class Reports(Protocol):
    """What a fleet reports, with the lock held: :class:`regviz.engine.engine.Engine` takes it."""

    def take_state(self, work: Work, head: dict[str, Any], body: bytes) -> None:
        """Take in a message of a trainer on a work's state, with a frame or without one."""

    def end(self, work: Work, state: JobState, reason: str) -> None:
        """End a work that no trainer can do."""

    def release_owners(self) -> None:
        """Let the sessions go that have ended; called at each check of the trainers."""


class Fleet:
    """The trainer processes of one engine, and the works that they have or that wait for one.

    Methods are called with the lock held, but for :meth:`wake` and :meth:`close`.

    Parameters
    ----------
    settings
        How many trainers, and when one is replaced.
    lock
        The engine's only lock.
    reports
        The engine.
    """

    def __init__(self, settings: Settings, lock: threading.RLock, reports: Reports) -> None:
        self.settings = settings
        gpus = settings.gpus
        self.slots = [
            TrainerSlot(gpus[i % len(gpus)] if gpus else None) for i in range(settings.trainers)
        ]
        self._lock = lock
        self._reports = reports
        self._waiting: list[Work] = []  # until a trainer is ready
        self._requested: dict[str, float] = {}  # owner -> time of its last request, if recent
        self._wake = threading.Event()
        self._closed = False
        # trainers are started on this thread: Linux ends them when the thread ends
        self._supervisor = threading.Thread(
            target=self._supervise, name="regviz-engine", daemon=True
        )

    def start(self) -> None:
        """Start the thread that starts and watches the trainers."""
        self._supervisor.start()

    def wake(self) -> None:
        """Have the trainers checked, and released owners let go, now."""
        self._wake.set()

    def close(self) -> None:
        """End the trainers; when this returns they are gone."""
        with self._lock:
            self._closed = True
            processes = [slot.process for slot in self.slots if slot.process is not None]
        self._wake.set()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(5)
        self._supervisor.join(5)

    # --- work -----------------------------------------------------------------------------------

    @property
    def works(self) -> list[Work]:
        """What trainers have, and what waits for one."""
        return [work for slot in self.slots for work in slot.works.values()] + self._waiting

    def note_request(self, owner: str) -> None:
        """Count an owner among the recent requesters."""
        self._requested[owner] = time.monotonic()

    @property
    def is_crowded(self) -> bool:
        """Whether so many owners request runs that a trainer should hold those it has for the
        next ones, and train them together."""
        since = time.monotonic() - self.settings.crowd_seconds
        self._requested = {owner: at for owner, at in self._requested.items() if at > since}
        return len(self._requested) >= self.settings.crowd_requesters * len(self.slots)

    def dispatch(self, works: Iterable[Work]) -> None:
        """Hand works to the least loaded trainers, or keep them until one is ready."""
        for work in list(works):
            slot = min((s for s in self.slots if s.ready), key=lambda s: s.load, default=None)
            if slot is None or slot.process is None:
                self._waiting.append(work)
                continue
            slot.works[work.number] = work
            head = {
                "kind": "start",
                "job": work.number,
                "pause_at": work.pause_at,
                "after": work.shown,
                "max_seconds": work.max_seconds,
                "lab": work.is_lab,
                "alone": work.moves > 0,  # so that the run that loses trainers can be blamed
                "crowded": self.is_crowded,
                "frame_epochs": reuse.common_epochs(work.trained),
            }
            slot.process.send(head, work.wanted.encode())

    def send(self, work: Work, head: dict[str, Any]) -> None:
        """Send a command about a work to its trainer; one that waits needs none."""
        for slot in self.slots:
            if work.number in slot.works and slot.process is not None:
                slot.process.send({**head, "job": work.number})

    def forget(self, work: Work) -> None:
        """Drop a work that has ended."""
        for slot in self.slots:
            slot.works.pop(work.number, None)
        if work in self._waiting:
            self._waiting.remove(work)

    # --- messages and ends of trainers, on their reading threads ----------------------------------

    def _slot_of(self, process: TrainerProcess) -> TrainerSlot | None:
        """Return a process's slot; None where it was replaced or the fleet is closed."""
        if self._closed:
            return None
        return next((slot for slot in self.slots if slot.process is process), None)

    def _on_message(self, process: TrainerProcess, head: dict[str, Any], body: bytes) -> None:
        with self._lock:
            slot = self._slot_of(process)
            if slot is None:
                return
            kind = head["kind"]
            if kind == "beat":
                now = time.monotonic()
                for number, ahead, seconds in head["outlook"]:
                    if number in slot.works:
                        slot.works[number].outlook = ahead, seconds, now
                return
            if kind == "ready":
                self._on_ready(slot, process, head["device"])
                return
            if kind == "unable":
                process.why = head["reason"]
                return
            work = slot.works.get(head["job"])
            if work is None:
                return  # cancelled in the meantime
            slot.failures = 0
            self._reports.take_state(work, head, body)
        if work.overdue:
            work.latest()

    def _on_ready(self, slot: TrainerSlot, process: TrainerProcess, device: str) -> None:
        process.ready, process.device = True, device
        slot.ready_at = time.monotonic()
        log.event(
            _log,
            "trainer ready",
            pid=process.pid,
            device=device,
            seconds=round(slot.ready_at - process.started, 1),
        )
        waiting, self._waiting = self._waiting, []
        self.dispatch(waiting)

    def _on_end(self, process: TrainerProcess) -> None:
        """Find other trainers for the works of one that is gone."""
        with self._lock:
            slot = self._slot_of(process)
            if slot is None:
                return
            reason = process.ending
            self._empty(slot, process)
            lost, slot.works = list(slot.works.values()), {}
            log.event(
                _log,
                "trainer lost",
                logging.WARNING,
                pid=process.pid,
                reason=reason,
                restarts=slot.restarts,
                runs=len(lost),
            )
            _blame(lost, process.current_job())
            self.dispatch([work for work in lost if not self._give_up(work, reason)])
            failures = min(s.failures for s in self.slots)
            if self._waiting and failures >= self.settings.start_failures:
                for work in list(self._waiting):
                    self._reports.end(
                        work,
                        "failed",
                        f"No trainer can be started on this server ({reason}); see the server's "
                        "log.",
                    )
        self._wake.set()

    def _empty(self, slot: TrainerSlot, process: TrainerProcess) -> None:
        """Take a process that is gone out of its slot, and set when the next one starts."""
        now = time.monotonic()
        started = process.ready and now - slot.ready_at > self.settings.short_life_seconds
        slot.failures = 0 if started else slot.failures + 1
        delay = 0.5 * 2 ** (slot.failures - 2) if slot.failures > 1 else 0.0
        slot.start_at = now + min(delay, MAX_START_DELAY)
        slot.process = None
        slot.restarts += 1

    def _give_up(self, work: Work, why: str) -> bool:
        """Fail a work that has lost too many trainers, or note that it starts again."""
        if work.losses >= self.settings.losses or work.moves >= self.settings.moves:
            log.event(_log, "run given up", logging.WARNING, run=work.number, moves=work.moves)
            times = "twice" if work.moves == 2 else f"{work.moves} times"
            self._reports.end(
                work,
                "failed",
                f"The trainer process stopped {times} during this run ({why}); start the run "
                "again, or choose a smaller one.",
            )
            return True
        work.reason = "The trainer was restarted; the run started again."
        if work.state != "paused":
            work.state = "queued"
        work.changed()
        return False

    # --- the thread that starts and watches them --------------------------------------------------

    def _supervise(self) -> None:
        """Start trainers, check them, and let released owners go, until the fleet is closed."""
        last = time.monotonic()
        while not self._closed:
            now = time.monotonic()
            # this process was itself suspended or starved: the trainers' silence means nothing
            held_up = now - last > max(1.0, 8 * self.settings.watch_seconds)
            last = now
            try:
                with self._lock:
                    self._reports.release_owners()
                    for slot in self.slots:
                        if not self._closed:
                            self._check(slot, now, held_up)
            except Exception:
                _log.exception("The engine could not look after its trainers.")
            self._wake.wait(self.settings.watch_seconds)
            self._wake.clear()

    def _check(self, slot: TrainerSlot, now: float, held_up: bool) -> None:
        """Start a slot's process, or end one that hangs or takes too much memory."""
        process = slot.process
        if process is None:
            if now >= slot.start_at:
                self._start(slot, now)
            return
        if held_up:
            process.heard = now
        starved = process.waited()  # at each check: it takes two to see a wait that goes on
        if slot.heard != process.heard:
            slot.heard, slot.starved = process.heard, starved
        limit = self.settings.hang_seconds if process.ready else self.settings.start_seconds
        silent = now - process.heard
        # a trainer that others keep from the processor does not hang; one that hangs may be
        # starved, too, so this excuse is limited
        starved -= slot.starved
        if silent - min(starved, self.settings.starvation * limit) > limit:
            if process.alive:
                log.event(
                    _log,
                    "trainer silent",
                    logging.WARNING,
                    pid=process.pid,
                    seconds=round(silent, 1),
                    starved=round(starved, 1),
                    state=process.state,
                )
            process.kill(f"it did not answer for {limit:g} seconds")
        elif process.memory() > self.settings.memory_bytes:
            mebibytes = self.settings.memory_bytes >> 20
            process.kill(f"it took more than {mebibytes:,} MiB of memory")

    def _start(self, slot: TrainerSlot, now: float) -> None:
        try:
            slot.process = TrainerProcess(
                self.settings.device, slot.gpu, self._on_message, self._on_end
            )
        except OSError:
            slot.start_at = now + MAX_START_DELAY
            _log.exception("A trainer could not be started.")


def _blame(lost: Iterable[Work], current: int) -> None:
    """Count the loss of a trainer against the work that it was doing, or, where that is not
    known, against all that were running."""
    for work in lost:
        work.moves += 1
        work.losses += work.number == current or (current == 0 and work.state == "running")
