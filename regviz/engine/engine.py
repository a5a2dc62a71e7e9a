"""The engine: experiments go in, frames come out; trainer processes do the work.

A page submits experiments and gets a :class:`Job`, a handle on a run that may be shared: equal
requests train once (single flight), and a finished run answers equal requests from a cache. On a
busy server its lanes also take their places in requests that are equal in part. The newest job of
(owner, slot) replaces its older one.

Labs (:mod:`regviz.labs`), the small computations beside the runs, take the same way: a
:class:`LabJob` is shared, cached, replaced and restarted as a :class:`Job` is.

The state of jobs (:mod:`regviz.engine.jobs`) and of trainers (:mod:`regviz.engine.fleet`) is kept
under one lock, held for microseconds.
"""

from __future__ import annotations

import atexit
import dataclasses
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regviz import labs
from regviz._version import __version__
from regviz.engine import log
from regviz.engine.cache import Cache
from regviz.engine.fleet import Fleet, TrainerInfo
from regviz.engine.jobs import (
    IN_PROGRESS,
    Handle,
    Job,
    JobState,
    LabJob,
    LabWork,
    RunWork,
    Work,
)
from regviz.engine.settings import Settings
from regviz.frames.reuse import MOST_LANES, TrainedLane
from regviz.specs import Experiment, SpecError, canonical_key

__all__ = ["IN_PROGRESS", "Engine", "Job", "LabJob", "TrainerInfo", "shared_engine"]

_log = logging.getLogger(__name__)


class Engine:
    """Train experiments in trainer processes; see the module's first lines.

    Starts its trainers at once and returns at once; requests from before they are ready wait.
    Ends with :meth:`close`, with the interpreter, or with the process, however that ends.

    Parameters
    ----------
    settings
        Number of trainers, limits and so on. ``None``: :meth:`Settings.from_environment`.
    changes
        Fields of :class:`Settings` that take precedence over the environment: ``trainers=1``.

    Raises
    ------
    SpecError
        If the device or a variable of the environment has a wrong value.
    """

    def __init__(self, settings: Settings | None = None, **changes: Any) -> None:
        if settings is None:
            settings = Settings.from_environment(**changes)
        elif changes:
            settings = dataclasses.replace(settings, **changes)
        self.settings = settings
        self.limits = settings.limits
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        # owner -> slot -> its newest job; a run and a lab may have slots of one name
        self._jobs: dict[str, dict[tuple[type, str], Handle[Any]]] = {}
        self._shared: dict[str, Any] = {}  # work in progress by key, joined by equal requests
        self._cache = Cache(settings.cache_bytes)
        self._released: deque[str] = deque()
        self._closed = False
        self.fleet = Fleet(settings, self._lock, self)
        self.fleet.start()
        atexit.register(self.close)

    # --- for pages ------------------------------------------------------------------------------

    def submit(
        self,
        experiments: Sequence[Experiment],
        owner: str,
        *,
        fresh: bool = False,
        paused: bool = False,
        slot: str = "main",
    ) -> Job:
        """Train experiments, one lane each; the owner's older job in ``slot`` is cancelled.

        Parameters
        ----------
        owner
            The session that asks; see :meth:`release`.
        fresh
            Train from the first epoch though an equal run is finished or under way.
        paused
            Pause after the first epoch.
        slot
            One of several places of an owner that each hold one job.

        Raises
        ------
        SpecError
            If a limit is exceeded: one sentence.
        """
        experiments = tuple(experiments)
        self.limits.check(experiments)
        key = canonical_key(experiments)
        trained = {} if fresh or paused else self._trained_lanes(experiments)
        with self._lock:
            self._admit(owner, Job, slot)
            run = None
            if not (fresh or paused):
                run = self._cache.get(key) or self._shared.get(key)
            job = Job(self, run or self._new_run(key, experiments), self._lock, owner, slot)
            if run is None:
                run = job.work
                run.pause_at = 1 if paused else None
                run.trained = trained
                if not paused:
                    self._shared[key] = run
                self.fleet.note_request(owner)
                self.fleet.dispatch([run])
            self._assign_slot(job)
            return job

    def submit_lab(
        self, name: str, parameters: Mapping[str, Any], owner: str, *, slot: str
    ) -> LabJob:
        """Compute a lab; the owner's older lab in ``slot`` is cancelled.

        Parameters
        ----------
        name, parameters
            A row of :data:`regviz.labs.LABS` and its parameters; those not given have defaults.
        slot
            One of several places of an owner that each hold one lab. Slots of runs are others.

        Raises
        ------
        SpecError
            If there is no such lab, a parameter is wrong, or too many labs are under way: one
            sentence.
        """
        key = labs.canonical_json(name, parameters)
        with self._lock:
            self._admit(owner, LabJob, slot)
            work = self._cache.get(key) or self._shared.get(key)
            if work is None:
                work = LabWork(next(self._numbers), key, self.limits.seconds)
                self._shared[key] = work
                self.fleet.dispatch([work])
            job = LabJob(self, work, self._lock, owner, slot)
            self._assign_slot(job)
            return job

    def release(self, owner: str) -> None:
        """Cancel all jobs of an owner whose session has ended; returns without waiting."""
        self._released.append(owner)
        self.fleet.wake()

    @property
    def busy(self) -> int:
        """How many runs and labs go on or wait."""
        with self._lock:
            return len(self.fleet.works)

    @property
    def watched(self) -> int:
        """How many jobs go on or wait; jobs that share a run count each."""
        with self._lock:
            return sum(len(work.jobs) for work in self.fleet.works)

    def trainers(self) -> list[TrainerInfo]:
        """Return the state of each trainer."""
        with self._lock:
            return [slot.info(self.settings.device) for slot in self.fleet.slots]

    @property
    def closed(self) -> bool:
        """Whether it has been closed and takes no more requests."""
        return self._closed

    def close(self) -> None:
        """Cancel everything and end the trainers; when this returns they are gone."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for slots in self._jobs.values():
                for job in slots.values():
                    self.cancel(job)
        atexit.unregister(self.close)
        self.fleet.close()

    # --- for jobs -------------------------------------------------------------------------------

    def cancel(self, job: Handle[Any]) -> None:
        """Cancel a job, and its work where no other job wants it."""
        with self._lock:
            work = job.work
            if job.state not in IN_PROGRESS:
                return
            job.cancelled = True
            work.jobs.remove(job)
            job.changed()
            self._end_unwanted(work)

    def pause_at(self, job: Job, goal: Callable[[RunWork], int | None]) -> None:
        """Change the epoch at which a job's run pauses (None: it does not pause)."""
        with self._lock:
            run = job.work
            if job.state not in IN_PROGRESS:
                return
            epoch = goal(run)
            if epoch is not None:
                if len(run.jobs) > 1 or run.trained:  # lanes from a finished run cannot pause
                    run = self._separate(job)
                    if run.has_shown(epoch):  # a busy trainer takes minutes to get there again
                        run.state = "paused"
                elif self._shared.get(run.key) is run:
                    del self._shared[run.key]  # no other job shall join a run that pauses
            elif run.pause_at is None:
                return
            else:
                self._shared.setdefault(run.key, run)
            arrived = run.state == "paused" and run.has_shown(epoch)
            run.pause_at = epoch
            if run.state == "paused" and not arrived:
                run.state = "running"
                run.changed()
            if run not in self.fleet.works:
                self.fleet.dispatch([run])  # separated just now
            else:
                self.fleet.send(run, {"kind": "pause_at", "epoch": epoch})

    # --- for the fleet; called with the lock held -------------------------------------------------

    def take_state(self, work: Work, head: dict[str, Any], body: bytes) -> None:
        """Take in a message of a trainer on a work's state, with a frame or without one."""
        state = head["state"]
        if body:
            work.take(body, head["epoch"])
        if state in ("finished", "failed"):
            self.end(work, state, head["reason"] or work.reason)
            if state == "finished" and not work.is_private:
                self._cache.put(work)
            return
        if state == "paused":
            if work.pause_at is None:
                state = "running"  # it was resumed while this message was on its way
            else:
                work.pause_at = max(work.pause_at, head["epoch"])
        elif work.state == "paused" and work.has_shown(work.pause_at):
            state = "paused"  # it trains again, unseen, up to the epoch that is shown
        work.state = state
        work.changed()

    def end(self, work: Work, state: JobState, reason: str) -> None:
        """End a work; its jobs keep its frames."""
        work.state, work.reason = state, reason
        self.fleet.forget(work)
        if self._shared.get(work.key) is work:
            del self._shared[work.key]
        work.changed()
        work.jobs.clear()

    def release_owners(self) -> None:
        """Cancel the jobs of released owners. A submission does this first, so that a session that
        comes back does not lose its new job to its own old release."""
        while self._released:
            for job in self._jobs.pop(self._released.popleft(), {}).values():
                self.cancel(job)

    # --- steps of the above; called with the lock held --------------------------------------------

    def _admit(self, owner: str, kind: type[Handle[Any]], slot: str) -> None:
        """Check that an owner may have one more job."""
        if self._closed:
            raise RuntimeError("the engine is closed; make a new one")
        self.release_owners()
        jobs = self._jobs.setdefault(owner, {}).values()
        others = sum(
            isinstance(j, kind) and j.slot != slot and j.state in IN_PROGRESS for j in jobs
        )
        is_lab = kind is LabJob
        most = self.settings.labs_per_owner if is_lab else self.limits.jobs_per_owner
        if others >= most:
            raise SpecError(
                f"{'labs' if is_lab else 'jobs'}: got {others + 1} at a time; a session may have "
                f"at most {most}, so stop one first."
            )

    def _assign_slot(self, job: Handle[Any]) -> None:
        """Put a new job into its owner's slot, in the place of the older one."""
        work, slots = job.work, self._jobs[job.owner]
        if work.state in IN_PROGRESS:
            work.jobs.append(job)
        if work.shown:
            job.changed()  # there is a frame to show already
        older = slots.get((type(job), job.slot))
        slots[type(job), job.slot] = job
        if older is not None:
            # after the new one has joined: the same request again goes on with its run
            self.cancel(older)

    def _trained_lanes(self, experiments: Sequence[Experiment]) -> dict[int, TrainedLane]:
        """Return the lanes of a request that finished runs have, on a busy server; never all of
        them. Called without the lock: it unpacks frames."""
        if self.busy < self.settings.reuse_from or len(experiments) > MOST_LANES:
            return {}
        with self._lock:
            places = {i: self._cache.find_lane(e) for i, e in enumerate(experiments)}
        found: dict[int, TrainedLane] = {}
        for i, place in places.items():
            lane = None if place is None else TrainedLane.of(place[0].frames(), place[1])
            if lane is not None:
                found[i] = lane
        return found if len(found) < len(experiments) else {}

    def _new_run(self, key: str, experiments: tuple[Experiment, ...]) -> RunWork:
        return RunWork(next(self._numbers), key, self.limits.seconds, experiments)

    def _separate(self, job: Job) -> RunWork:
        """Move a job from a shared run to a new one that is as far: it trains again, without
        frames, up to the epoch that is shown."""
        shared = job.work
        run = self._new_run(shared.key, shared.experiments)
        for frame in shared.frames():
            run.store.add(frame)
            run.shown = frame.epoch
        run.state, run.reason = shared.state, shared.reason
        shared.jobs.remove(job)
        run.jobs.append(job)
        job.work = run
        self._end_unwanted(shared)
        return run

    def _end_unwanted(self, work: Work) -> None:
        """Cancel work that no job wants any more."""
        if not work.jobs:
            self.fleet.send(work, {"kind": "cancel"})
            self.end(work, "cancelled", "")


_the_engine: Engine | None = None
_making = threading.Lock()


def shared_engine() -> Engine:
    """Return this process's engine, made on the first call and closed with the process."""
    global _the_engine
    with _making:
        if _the_engine is None or _the_engine.closed:
            _the_engine = engine = Engine()
            log.event(
                _log,
                "started",
                version=__version__,
                trainers=engine.settings.trainers,
                device=engine.settings.device,
                trainer_mib=engine.settings.memory_bytes >> 20,
                limits=dataclasses.asdict(engine.limits),
            )
        return _the_engine
