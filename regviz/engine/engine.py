"""The engine: experiments go in, frames come out, trained by processes that it keeps alive.

A page submits experiments and gets a :class:`Job`, a handle on a run that may be shared: equal
requests train once (single flight), and a finished run answers equal requests from a cache; where
there is much to do, its lanes also take their places in requests that are equal in part. The
newest job of (owner, slot) replaces its older one.

Trainers (:mod:`regviz.trainer`) are processes of their own, watched by one thread: one that dies,
hangs or takes too much memory is replaced, and its runs start again by themselves. Runs are
deterministic, so the picture goes on where it was. The run in whose slice a trainer was lost
starts again once, then it has failed; the others, who only shared that trainer, may move more
often, so that one bad run does not take its neighbours with it.

Labs (:mod:`regviz.labs`), the small computations beside the runs, take the same way: a
:class:`LabJob` is shared, cached, replaced and restarted as a :class:`Job` is.

All state is kept under one lock, held for microseconds. Frames are unpacked when somebody looks,
on the thread that looks, because a busy thread of ours would starve every session.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import itertools
import json
import logging
import os
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from regviz import labs
from regviz._version import __version__
from regviz.engine import log
from regviz.engine.limits import Limits, available_memory, trainer_memory
from regviz.engine.processes import TrainerProcess
from regviz.frames import Frame, FrameStore, reuse
from regviz.frames.lab import LabFrame
from regviz.frames.reuse import MOST_LANES, TrainedLane
from regviz.specs import Experiment, SpecError, canonical_key

IN_PROGRESS = ("queued", "running", "paused")

_TICK = 0.25  # seconds between two looks at the trainers
_MAX_LOSSES = 2  # trainers that a run may lose in its own slices
_MAX_MOVES = 4  # trainers that it may lose at all
_MAX_FAILURES = 3  # starts of a trainer in a row before those who wait are told
_PATIENCE = 5  # times the usual: how much longer a trainer that is kept waiting may be silent
_SHORT_LIFE = 2.0  # a trainer that dies within these seconds of being ready failed to start
_MAX_LABS = 16  # that a session may have in progress, besides its runs
_OLD_NEWS = 3.0  # seconds after which a trainer's word on when a run will end is not repeated
_CROWDED = 4  # jobs in progress from which on lanes of finished runs are not trained again
_LATELY = 3.0  # seconds
_CROWD = 4  # owners for each trainer who asked for a run lately, from which on more will soon
_PENDING = 64  # packed frames kept of a run at which nobody looks
_MEMORY = {"cpu": 2 << 30, "auto": 8 << 30, "cuda": 8 << 30}  # CUDA alone maps gigabytes

_log = logging.getLogger(__name__)


class _Work:
    """One computation, shared by the jobs that want it: a training run or a lab."""

    def __init__(self, number: int, key: str) -> None:
        self.number = number
        self.key = key  # canonical JSON: what the trainer is to do, and the name in caches
        self.jobs: list[_Handle[Any]] = []
        self.state = "queued"
        self.reason = ""
        self.shown = 0  # epoch, or a lab's step, of the newest frame
        self.pause_at: int | None = None
        self.seat: _Seat | None = None
        self.losses = self.moves = 0
        self.outlook: tuple[int, float, float] | None = None  # others first, seconds, said when
        self._unpacking = threading.Lock()  # taken last; nothing else is taken under it

    trained: Mapping[int, TrainedLane] = {}
    is_lab = False
    is_private = False  # holds somebody's own data: not kept once nobody's job has it

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame as it came."""
        raise NotImplementedError

    @property
    def wanted(self) -> str:
        """What a trainer is to do."""
        return self.key

    @property
    def overdue(self) -> bool:
        """Whether nobody has looked for so long that frames pile up."""
        return False

    def latest(self) -> Any:
        """Unpack what has come; return the newest frame."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes that the frames hold, packed or not."""
        raise NotImplementedError


class _Run(_Work):
    """One training."""

    def __init__(self, number: int, key: str, experiments: tuple[Experiment, ...]) -> None:
        super().__init__(number, key)
        self.experiments = experiments
        self.is_private = any(e.data.points is not None for e in experiments)
        self.trained: dict[int, TrainedLane] = {}  # lanes that a finished run had already
        self.store = FrameStore()
        self._pending: deque[bytes] = deque()

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame as it came."""
        self._pending.append(packed)
        self.shown = max(self.shown, epoch)

    @property
    def overdue(self) -> bool:
        """Whether nobody has looked for so long that frames pile up."""
        return len(self._pending) > _PENDING

    def latest(self) -> Frame | None:
        """Unpack what has come; return the newest frame."""
        with self._unpacking:
            self._unpack()
            return self.store.latest

    def frames(self) -> list[Frame]:
        """Unpack what has come; return the frames kept."""
        with self._unpacking:
            self._unpack()
            return self.store.frames()

    def _unpack(self) -> None:
        while self._pending:
            frame = Frame.from_bytes(self._pending.popleft())
            self.store.add(reuse.completed(frame, self.trained) if self.trained else frame)

    @property
    def wanted(self) -> str:
        """What a trainer is to do."""
        if not self.trained:
            return self.key
        return canonical_key([e for i, e in enumerate(self.experiments) if i not in self.trained])

    @property
    def nbytes(self) -> int:
        """Bytes that the frames hold, packed or not."""
        with self._unpacking:
            return self.store.nbytes + sum(map(len, self._pending)) + len(self.key)


class _LabRun(_Work):
    """One lab. Each of its frames holds everything, so only the newest is kept."""

    is_lab = True

    def __init__(self, number: int, key: str) -> None:
        super().__init__(number, key)
        self._packed = b""
        self._frame: LabFrame | None = None

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame as it came."""
        with self._unpacking:
            self._packed, self._frame = packed, None
        self.shown = max(self.shown, epoch)

    def latest(self) -> LabFrame | None:
        """Return the newest frame, unpacked once."""
        with self._unpacking:
            if self._frame is None and self._packed:
                self._frame = LabFrame.from_bytes(self._packed)
            return self._frame

    @property
    def nbytes(self) -> int:
        """Bytes of the newest frame; its arrays are views of them."""
        return len(self._packed) + len(self.key)


_W = TypeVar("_W", bound=_Work)


class _Handle(Generic[_W]):
    """What :class:`Job` and :class:`LabJob` share."""

    def __init__(
        self, engine: Engine, run: _W, lock: threading.RLock, owner: str, slot: str
    ) -> None:
        self.owner, self.slot = owner, slot
        self._engine = engine
        self._run = run
        self._cancelled = False
        self._version = 0
        self._change = threading.Condition(lock)

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``paused``, ``finished`` (every lane ended, whatever way),
        ``failed`` or ``cancelled``."""
        return "cancelled" if self._cancelled else self._run.state

    @property
    def reason(self) -> str:
        """One sentence: why the job has failed, or that its trainer was restarted; or ``""``."""
        return self._run.reason

    @property
    def version(self) -> int:
        """A number that grows with every new frame and every change of the state."""
        return self._version

    def wait(self, timeout: float, after: int = -1) -> bool:
        """Wait at most ``timeout`` seconds until ``version > after``; whether it is."""
        with self._change:
            return self._change.wait_for(lambda: self._version > after, timeout)

    def cancel(self) -> None:
        """Give the job up; its run ends where nobody else wants it. Its frames stay."""
        self._engine._cancel(self)

    def _changed(self) -> None:
        self._version += 1
        self._change.notify_all()


class LabJob(_Handle[_LabRun]):
    """A handle on a lab; made by :meth:`Engine.submit_lab`. It is never ``paused``.

    All of it may be called from any thread.
    """

    @property
    def name(self) -> str:
        """The lab's name in :data:`regviz.labs.LABS`."""
        return json.loads(self._run.key)["lab"]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the lab was given, defaults filled in."""
        return json.loads(self._run.key)["parameters"]

    def latest(self) -> LabFrame | None:
        """Return the newest frame; None before the first. While a lab starts again after the
        loss of its trainer, this is the last one that came before."""
        return self._run.latest()


class Job(_Handle[_Run]):
    """A handle on a run; made by :meth:`Engine.submit`.

    ``latest`` and ``frames`` unpack on the calling thread what has come since the last look;
    everything else takes microseconds. All of it may be called from any thread.
    """

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """What is trained: one lane each."""
        return self._run.experiments

    @property
    def epochs(self) -> int:
        """The most epochs that any lane asks for."""
        return max(e.training.epochs for e in self._run.experiments)

    def latest(self) -> Frame | None:
        """Return the newest frame, with its data; None before the first. While a run starts
        again after the loss of its trainer, this is the last one that came before."""
        return self._run.latest()

    def frames(self) -> list[Frame]:
        """Return the frames kept for scrubbing, evenly thinned, the newest last."""
        return self._run.frames()

    @property
    def outlook(self) -> tuple[int, float] | None:
        """How many other runs will end before this one, and in how many seconds it will: as its
        trainer sees it from what runs have cost so far. None where that is not known."""
        said = self._run.outlook
        if self.state not in ("queued", "running") or said is None:
            return None
        ahead, seconds, when = said
        since = time.monotonic() - when
        return None if since > _OLD_NEWS else (ahead, max(0.0, seconds - since))

    def pause(self) -> None:
        """Pause after the current epoch. Others who share the run go on."""
        self._engine._head_for(self, lambda run: max(1, run.shown))

    def resume(self) -> None:
        """Go on training."""
        self._engine._head_for(self, lambda run: None)

    def step(self) -> None:
        """Train one epoch further, then pause."""
        self._engine._head_for(
            self, lambda run: 1 + (run.shown if run.pause_at is None else run.pause_at)
        )


@dataclass(frozen=True)
class TrainerInfo:
    """A trainer as it is now.

    Attributes
    ----------
    pid
        Process id; 0 while there is none.
    alive
        Whether the process is there.
    ready
        Whether it has loaded everything and takes runs.
    device
        ``cpu`` or ``cuda``; before it is ready, what it was asked to use.
    restarts
        How often a trainer was replaced in this place.
    memory
        Resident memory in bytes, 0 where the system does not tell.
    """

    pid: int
    alive: bool
    ready: bool
    device: str
    restarts: int
    memory: int


@dataclass(eq=False)
class _Seat:
    """A place for a trainer; the process in it may change."""

    gpu: str | None
    process: TrainerProcess | None = None
    runs: dict[int, _Work] = field(default_factory=dict)
    restarts: int = 0
    failures: int = 0  # starts in a row that came to nothing
    start_at: float = 0.0
    ready_at: float = 0.0
    reason: str = ""  # why the last one was lost
    heard: float = 0.0  # when the process last said something,
    waited: float = 0.0  # and how long it had been kept waiting by then

    @property
    def ready(self) -> bool:
        return self.process is not None and self.process.ready

    @property
    def load(self) -> tuple[int, int]:
        training = sum(run.state != "paused" for run in self.runs.values())
        return training, len(self.runs)


class Engine:
    """Train experiments in processes of their own; see the module's first lines.

    Starts its trainers at once and returns at once; what is submitted before they are ready
    waits. Ends with :meth:`close`, with the interpreter, or with the process, however that ends.

    Parameters
    ----------
    trainers
        Number of trainer processes. ``None``: ``REGVIZ_TRAINERS``, else one per GPU with CUDA,
        else one per core, and one less from three cores on: one is then left to the server.
    device
        ``auto``, ``cpu`` or ``cuda``. ``None``: ``REGVIZ_DEVICE``, else ``cpu``, which is the
        fastest for models of this size.
    limits
        What may be asked for. ``None``: :meth:`Limits.from_environment`.
    cache_bytes
        Bytes of frames of finished runs to keep for equal requests.
    hang_seconds
        A trainer that was silent for so long is taken for hung and replaced. Between slices it
        gives a sign of life twice a second; its longest slices, making and drawing a stack of a
        thousand lanes, took 1.6 s on a machine with three times more to do than cores.
    start_seconds
        The same for a trainer that starts: importing torch from a cold disk is slow.
    memory_bytes
        Resident memory above which a trainer is replaced. ``None``: 2 GiB, with CUDA 8 GiB,
        or less where the container or the machine has no room for that.

    Raises
    ------
    SpecError
        If the device or a variable of the environment is not what it should be.
    """

    def __init__(
        self,
        *,
        trainers: int | None = None,
        device: str | None = None,
        limits: Limits | None = None,
        cache_bytes: int = 32 << 20,
        hang_seconds: float = 10.0,
        start_seconds: float = 60.0,
        memory_bytes: int | None = None,
    ) -> None:
        self._device = _device(device)
        self.limits = Limits.from_environment() if limits is None else limits
        gpus = [] if self._device == "cpu" else _gpus()
        count = _count(len(gpus)) if trainers is None else max(1, trainers)
        self._seats = [_Seat(gpus[i % len(gpus)] if gpus else None) for i in range(count)]
        self._hang_seconds, self._start_seconds = hang_seconds, start_seconds
        if memory_bytes is None:
            memory_bytes = trainer_memory(_MEMORY[self._device], count, available_memory())
        self._memory_bytes = memory_bytes
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        # owner -> slot -> its newest job; a run and a lab in slots of one name are two
        self._jobs: dict[str, dict[tuple[type, str], _Handle[Any]]] = {}
        self._shared: dict[str, Any] = {}  # in progress, by key: who asks for them joins
        self._waiting: list[_Work] = []  # for a trainer that is ready
        self._asked: dict[str, float] = {}  # owner -> when for a run, if that was lately
        self._cache = _Cache(cache_bytes)
        self._released: deque[str] = deque()
        self._wake = threading.Event()
        self._closed = False
        # trainers are started on this thread: Linux ends them when the thread ends
        self._supervisor = threading.Thread(
            target=self._supervise, name="regviz-engine", daemon=True
        )
        self._supervisor.start()
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
        """Have experiments trained, one lane each; the owner's older job in ``slot`` is cancelled.

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
        trained = {} if fresh or paused else self._trained(experiments)
        with self._lock:
            self._admit(owner, Job, slot)
            run = None
            if not (fresh or paused):
                run = self._cache.get(key) or self._shared.get(key)
            job = Job(self, run or self._new_run(key, experiments), self._lock, owner, slot)
            if run is None:
                run = job._run
                run.pause_at = 1 if paused else None
                run.trained = trained
                if not paused:
                    self._shared[key] = run
                self._asked[owner] = time.monotonic()
                self._dispatch([run])
            self._seat_job(job)
            return job

    def _trained(self, experiments: Sequence[Experiment]) -> dict[int, TrainedLane]:
        """Return the lanes of a request that finished runs have, where there is much to do; never
        all of them."""
        with self._lock:
            if self.busy < _CROWDED or len(experiments) > MOST_LANES:
                return {}
            places = {i: self._cache.place(e) for i, e in enumerate(experiments)}
        found: dict[int, TrainedLane] = {}
        for i, place in places.items():  # without the lock: this unpacks
            lane = None if place is None else TrainedLane.of(place[0].frames(), place[1])
            if lane is not None:
                found[i] = lane
        return found if len(found) < len(experiments) else {}

    def submit_lab(
        self, name: str, parameters: Mapping[str, Any], owner: str, *, slot: str
    ) -> LabJob:
        """Have a lab computed; the owner's older lab in ``slot`` is cancelled.

        Parameters
        ----------
        name, parameters
            A row of :data:`regviz.labs.LABS` and what it takes; what is not given has its default.
        slot
            One of several places of an owner that each hold one lab. Slots of runs are others.

        Raises
        ------
        SpecError
            If there is no such lab, a parameter is not what it should be, or there are too many
            labs under way: one sentence.
        """
        key = labs.canonical_json(name, parameters)
        with self._lock:
            self._admit(owner, LabJob, slot)
            run = self._cache.get(key) or self._shared.get(key)
            job = LabJob(self, run or _LabRun(next(self._numbers), key), self._lock, owner, slot)
            if run is None:
                self._shared[key] = job._run
                self._dispatch([job._run])
            self._seat_job(job)
            return job

    def _admit(self, owner: str, kind: type[_Handle[Any]], slot: str) -> None:
        """Check that an owner may have one more job; called with the lock held."""
        if self._closed:
            raise RuntimeError("the engine is closed; make a new one")
        self._let_go()
        jobs = self._jobs.setdefault(owner, {}).values()
        others = sum(
            isinstance(j, kind) and j.slot != slot and j.state in IN_PROGRESS for j in jobs
        )
        most = _MAX_LABS if kind is LabJob else self.limits.jobs_per_owner
        if others >= most:
            name = "labs" if kind is LabJob else "jobs"
            raise SpecError(
                f"{name}: got {others + 1} at a time; a session may have at most {most}, so stop "
                "one first."
            )

    def _seat_job(self, job: _Handle[Any]) -> None:
        """Give a new job its owner's slot; called with the lock held."""
        run, slots = job._run, self._jobs[job.owner]
        if run.state in IN_PROGRESS:
            run.jobs.append(job)
        if run.shown:
            job._version = 1  # there is something to see already
        older = slots.get((type(job), job.slot))
        slots[type(job), job.slot] = job
        if older is not None:
            # after the new one has joined: the same request again goes on with its run
            self._cancel(older)

    def release(self, owner: str) -> None:
        """Give up all jobs of an owner whose session is gone; never waits for anything."""
        self._released.append(owner)
        self._wake.set()

    @property
    def busy(self) -> int:
        """How many runs and labs go on or wait."""
        with self._lock:
            return len(self._under_way())

    @property
    def watched(self) -> int:
        """How many jobs go on or wait, those of one and the same run each."""
        with self._lock:
            return sum(len(run.jobs) for run in self._under_way())

    def _under_way(self) -> list[_Work]:
        """Return the runs and labs that go on or wait; called with the lock held."""
        seated = [run for seat in self._seats for run in seat.runs.values()]
        return seated + self._waiting

    def trainers(self) -> list[TrainerInfo]:
        """Return what each trainer is doing."""
        with self._lock:
            return [_info(seat, self._device) for seat in self._seats]

    @property
    def closed(self) -> bool:
        """Whether it has been closed, and takes nothing any more."""
        return self._closed

    def close(self) -> None:
        """Cancel everything and end the trainers; when this returns they are gone."""
        with self._lock:
            closed, self._closed = self._closed, True
            for slots in self._jobs.values():
                for job in slots.values():
                    self._cancel(job)
            processes = [seat.process for seat in self._seats if seat.process is not None]
        if closed:
            return
        atexit.unregister(self.close)
        self._wake.set()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(5)
        self._supervisor.join(5)

    # --- runs; all of these are called with the lock held -----------------------------------------

    def _new_run(self, key: str, experiments: tuple[Experiment, ...]) -> _Run:
        return _Run(next(self._numbers), key, experiments)

    def _changed(self, run: _Work) -> None:
        for job in run.jobs:
            job._changed()

    def _dispatch(self, runs: Iterable[_Work]) -> None:
        """Hand runs to the trainers that have the least to do, or have them wait for one."""
        for run in list(runs):
            seat = min((s for s in self._seats if s.ready), key=lambda s: s.load, default=None)
            if seat is None or seat.process is None:
                self._waiting.append(run)
                continue
            run.seat = seat
            seat.runs[run.number] = run
            head = {"kind": "start", "job": run.number, "pause_at": run.pause_at}
            head |= {"after": run.shown, "max_seconds": self.limits.seconds, "lab": run.is_lab}
            head["alone"] = run.moves > 0  # so that one that brings trainers down is found out
            head["crowded"] = self._is_crowded()
            head["looks"] = reuse.looks(run.trained)
            seat.process.send(head, run.wanted.encode())

    def _is_crowded(self) -> bool:
        """Whether so many owners ask for runs that it is worth a trainer's while to wait for the
        next, and train it together with those that it has."""
        since = time.monotonic() - _LATELY
        self._asked = {owner: at for owner, at in self._asked.items() if at > since}
        return len(self._asked) >= _CROWD * len(self._seats)

    def _tell(self, run: _Work, head: dict[str, Any]) -> None:
        """Send a command about a run to its trainer; one that waits needs none."""
        if run.seat is not None and run.seat.process is not None:
            run.seat.process.send({**head, "job": run.number})

    def _end(self, run: _Work, state: str, reason: str) -> None:
        run.state, run.reason = state, reason
        if run.seat is not None:
            run.seat.runs.pop(run.number, None)
            run.seat = None
        if run in self._waiting:
            self._waiting.remove(run)
        if self._shared.get(run.key) is run:
            del self._shared[run.key]
        self._changed(run)
        run.jobs.clear()

    def _let_go(self) -> None:
        """Cancel the jobs of released owners. Whoever submits does this first, so that a session
        that comes back does not lose its new job to its own old release."""
        while self._released:
            for job in self._jobs.pop(self._released.popleft(), {}).values():
                self._cancel(job)

    def _cancel(self, job: _Handle[Any]) -> None:
        with self._lock:
            run = job._run
            if job.state not in IN_PROGRESS:
                return
            job._cancelled = True
            run.jobs.remove(job)
            job._changed()
            if not run.jobs:
                self._tell(run, {"kind": "cancel"})
                self._end(run, "cancelled", "")

    def _head_for(self, job: Job, goal: Callable[[_Run], int | None]) -> None:
        """Change at which epoch a job's run pauses (None: nowhere)."""
        with self._lock:
            run = job._run
            if job.state not in IN_PROGRESS:
                return
            pause_at = goal(run)
            if pause_at is not None:
                if len(run.jobs) > 1 or run.trained:  # lanes of others stand still nowhere else
                    run = self._own(job)
                elif self._shared.get(run.key) is run:
                    del self._shared[run.key]  # nobody shall join a run that stands still
            elif run.pause_at is None:
                return
            else:
                self._shared.setdefault(run.key, run)
            arrived = run.state == "paused" and pause_at is not None and pause_at <= run.shown
            run.pause_at = pause_at
            if run.state == "paused" and not arrived:
                run.state = "running"
                self._changed(run)
            if run.seat is None and run not in self._waiting:
                self._dispatch([run])  # a run of its own, just made
            else:
                self._tell(run, {"kind": "pause_at", "epoch": pause_at})

    def _own(self, job: Job) -> _Run:
        """Take a job out of a shared run into one of its own that is as far: it trains again,
        unseen, up to the epoch that is shown."""
        shared = job._run
        run = self._new_run(shared.key, shared.experiments)
        for frame in shared.frames():
            run.store.add(frame)
            run.shown = frame.epoch
        run.state, run.reason = shared.state, shared.reason
        shared.jobs.remove(job)
        run.jobs.append(job)
        job._run = run
        if not shared.jobs:
            self._tell(shared, {"kind": "cancel"})
            self._end(shared, "cancelled", "")
        return run

    # --- trainers -------------------------------------------------------------------------------

    def _on_message(self, process: TrainerProcess, head: dict[str, Any], body: bytes) -> None:
        kind = head["kind"]
        with self._lock:
            seat = next((s for s in self._seats if s.process is process), None)
            if seat is None or self._closed:
                return
            if kind == "beat":
                now = time.monotonic()
                for number, ahead, seconds in head["outlook"]:
                    if number in seat.runs:
                        seat.runs[number].outlook = ahead, seconds, now
                return
            if kind == "ready":
                process.ready, process.device = True, head["device"]
                seat.ready_at = time.monotonic()
                log.event(
                    _log,
                    "trainer ready",
                    pid=process.pid,
                    device=process.device,
                    seconds=round(seat.ready_at - process.started, 1),
                )
                waiting, self._waiting = self._waiting, []
                self._dispatch(waiting)
                return
            if kind == "unable":
                process.why = head["reason"]
                return
            run = seat.runs.get(head["job"])
            if run is None:
                return  # cancelled in the meantime
            seat.failures = 0
            self._take(run, head, body)
        if run.overdue:
            run.latest()

    def _take(self, run: _Work, head: dict[str, Any], body: bytes) -> None:
        """Take in what a trainer says about a run."""
        state = head["state"]
        if body:
            run.take(body, head["epoch"])
        if state in ("finished", "failed"):
            self._end(run, state, head["reason"] or run.reason)
            if state == "finished" and not run.is_private:
                self._cache.put(run)
            return
        if state == "paused":
            if run.pause_at is None:
                state = "running"  # it was resumed while this was on its way
            else:
                run.pause_at = max(run.pause_at, head["epoch"])
        run.state = state
        self._changed(run)

    def _on_end(self, process: TrainerProcess) -> None:
        """A trainer is gone: find its runs another one."""
        with self._lock:
            seat = next((s for s in self._seats if s.process is process), None)
            if seat is None or self._closed:
                return
            now = time.monotonic()
            started = process.ready and now - seat.ready_at > _SHORT_LIFE
            seat.failures = 0 if started else seat.failures + 1
            wait = 0.5 * 2 ** (seat.failures - 2) if seat.failures > 1 else 0.0
            seat.start_at = now + min(wait, 10.0)
            seat.process = None
            seat.restarts += 1
            seat.reason = process.ending
            lost, seat.runs = list(seat.runs.values()), {}
            log.event(
                _log,
                "trainer lost",
                logging.WARNING,
                pid=process.pid,
                reason=seat.reason,
                restarts=seat.restarts,
                runs=len(lost),
            )
            current = process.current_job()
            for run in lost:
                run.seat = None
                run.moves += 1
                run.losses += run.number == current or (current == 0 and run.state == "running")
            self._dispatch(run for run in lost if not self._give_up(run, seat.reason))
            if self._waiting and min(s.failures for s in self._seats) >= _MAX_FAILURES:
                for run in list(self._waiting):
                    self._end(
                        run,
                        "failed",
                        f"No trainer can be started on this server ({seat.reason}); see "
                        "the server's log.",
                    )
        self._wake.set()

    def _give_up(self, run: _Work, why: str) -> bool:
        """Fail a run that has lost too many trainers, or note that it starts again."""
        if run.losses >= _MAX_LOSSES or run.moves >= _MAX_MOVES:
            log.event(_log, "run given up", logging.WARNING, run=run.number, moves=run.moves)
            times = "twice" if run.moves == 2 else f"{run.moves} times"
            self._end(
                run,
                "failed",
                f"The trainer process stopped {times} during this run ({why}); start the run "
                "again, or choose a smaller one.",
            )
            return True
        run.reason = "The trainer was restarted; the run started again."
        if run.state != "paused":
            run.state = "queued"
        self._changed(run)
        return False

    def _supervise(self) -> None:
        """Start trainers, watch them, and let released owners go, until the engine is closed."""
        last = time.monotonic()
        while not self._closed:
            now = time.monotonic()
            # this process itself was held up (suspended, starved): that tells nothing of others
            held_up = now - last > max(1.0, 8 * _TICK)
            last = now
            try:
                with self._lock:
                    self._let_go()
                    for seat in self._seats:
                        if not self._closed:
                            self._look_after(seat, now, held_up)
            except Exception:
                _log.exception("The engine could not look after its trainers.")
            self._wake.wait(_TICK)
            self._wake.clear()

    def _look_after(self, seat: _Seat, now: float, held_up: bool) -> None:
        process = seat.process
        if process is None:
            if now >= seat.start_at:
                self._start(seat, now)
            return
        if held_up:
            process.heard = now
        waited = process.waited()  # at each look: two of them tell of a wait that goes on
        if seat.heard != process.heard:
            seat.heard, seat.waited = process.heard, waited
        limit = self._hang_seconds if process.ready else self._start_seconds
        silent = now - process.heard
        # one that others keep from the processor does not hang, though one that hangs may wait, too
        starved = waited - seat.waited
        if silent - min(starved, _PATIENCE * limit) > limit:
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
        elif process.memory() > self._memory_bytes:
            process.kill(f"it took more than {self._memory_bytes >> 20:,} MiB of memory")

    def _start(self, seat: _Seat, now: float) -> None:
        try:
            seat.process = TrainerProcess(self._device, seat.gpu, self._on_message, self._on_end)
        except OSError:
            seat.start_at = now + 10.0
            _log.exception("A trainer could not be started.")


class _Cache:
    """Finished runs by their key; the longest unused go first when they hold too many bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[str, tuple[_Work, int]] = OrderedDict()
        self._lanes: dict[Experiment, tuple[str, int]] = {}  # in which run, and where
        self._nbytes = 0

    def get(self, key: str) -> Any:
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def place(self, experiment: Experiment) -> tuple[_Run, int] | None:
        """Return a run that has trained an experiment, and in which lane."""
        key, lane = self._lanes.get(experiment, ("", 0))
        run = self.get(key)
        return (run, lane) if isinstance(run, _Run) else None

    def put(self, run: _Work) -> None:
        if isinstance(run, _Run) and len(run.experiments) <= MOST_LANES:
            for i, e in enumerate(run.experiments):
                self._lanes.setdefault(e, (run.key, i))  # the first had the most looks
        size = run.nbytes
        _, old = self._held.pop(run.key, (None, 0))
        self._held[run.key] = run, size
        self._nbytes += size - old
        while self._nbytes > self._limit:
            _, (gone, freed) = self._held.popitem(last=False)
            self._nbytes -= freed
            for e in gone.experiments if isinstance(gone, _Run) else ():
                if self._lanes.get(e, ("", 0))[0] == gone.key:
                    del self._lanes[e]


# --- settings ------------------------------------------------------------------------------------


def _info(seat: _Seat, device: str) -> TrainerInfo:
    process = seat.process
    if process is None:
        return TrainerInfo(0, False, False, device, seat.restarts, 0)
    return TrainerInfo(
        process.pid,
        process.alive,
        process.ready,
        process.device,
        seat.restarts,
        process.memory(),
    )


def _device(name: str | None) -> str:
    device = name or os.environ.get("REGVIZ_DEVICE", "").strip() or "cpu"
    if device not in _MEMORY:
        field = "device" if name else "REGVIZ_DEVICE"
        raise SpecError(f"{field}: got {device[:40]!r}; choose one of auto, cpu, cuda.")
    return device


def _count(gpus: int) -> int:
    text = os.environ.get("REGVIZ_TRAINERS", "").strip()
    if not text:
        return gpus or max(min(_cores(), 2), _cores() - 1)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1024):
        raise SpecError(f"REGVIZ_TRAINERS: got {text[:40]!r}; give a whole number from 1 to 1024.")
    return int(text)


def _cores() -> int:
    """Return how many cores this process may use: a container's quota counts, too."""
    cores = float(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, float(quota) / float(period))  # ValueError where it says "max"
    return max(1, int(cores))


def _gpus() -> list[str]:
    """Return the GPUs as ``CUDA_VISIBLE_DEVICES`` names them, without asking torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    nodes = Path("/dev").glob("nvidia*")
    return [str(i) for i in range(sum(bool(re.fullmatch(r"nvidia\d+", n.name)) for n in nodes))]


_the_engine: Engine | None = None
_making = threading.Lock()


def shared_engine() -> Engine:
    """Return this process's engine, made on the first call and closed with the process."""
    global _the_engine
    with _making:
        if _the_engine is None or _the_engine._closed:
            _the_engine = engine = Engine()
            log.event(
                _log,
                "started",
                version=__version__,
                trainers=len(engine.trainers()),
                device=engine._device,
                trainer_mib=engine._memory_bytes >> 20,
                limits=dataclasses.asdict(engine.limits),
            )
        return _the_engine
