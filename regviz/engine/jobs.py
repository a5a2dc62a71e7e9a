"""Jobs and what they share: a :class:`Work` is one computation, a job a session's handle on it.

Frames are unpacked when a session asks for them, on the asking thread: a busy thread of the engine
would starve every session.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

from regviz.frames import Frame, FrameStore, reuse
from regviz.frames.lab import LabFrame
from regviz.frames.reuse import TrainedLane
from regviz.specs import Experiment, canonical_key

JobState = Literal["queued", "running", "paused", "finished", "failed", "cancelled"]
"""``finished``: every lane has ended, by its last epoch, early stopping or divergence."""

IN_PROGRESS: tuple[str, ...] = ("queued", "running", "paused")
"""The states of jobs that are not over."""

OUTLOOK_SECONDS = 3.0
"""Age at which a trainer's estimate of a run's end is no longer shown."""
_MAX_PACKED = 64  # frames kept packed while no session asks for them; then they are thinned


class Work:
    """One computation, a training run or a lab, shared by the jobs that asked for it.

    Parameters
    ----------
    number
        Names the work in messages to trainers.
    key
        Canonical JSON of the request; equal requests share one work.
    max_seconds
        Processor seconds that a trainer may spend on it.
    """

    trained: Mapping[int, TrainedLane] = {}
    is_lab = False
    is_private = False  # holds a user's own data: not kept once no job has it

    def __init__(self, number: int, key: str, max_seconds: float) -> None:
        self.number = number
        self.key = key
        self.max_seconds = max_seconds
        self.jobs: list[Handle[Any]] = []
        self.state: JobState = "queued"
        self.reason = ""
        self.shown = 0  # epoch, or a lab's step, of the newest frame
        self.pause_at: int | None = None
        self.losses = 0  # trainers lost in a slice of this work
        self.moves = 0  # trainers lost while they had this work
        self.outlook: tuple[int, float, float] | None = None  # runs before, seconds, received at
        self._unpacking = threading.Lock()  # taken last; no other lock is taken under it

    def has_shown(self, epoch: int | None) -> bool:
        """Whether a frame of this epoch or of a later one has come; False for None."""
        return epoch is not None and epoch <= self.shown

    def changed(self) -> None:
        """Wake the threads that wait for a change of one of the jobs."""
        for job in self.jobs:
            job.changed()

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame, still packed."""
        raise NotImplementedError

    @property
    def wanted(self) -> str:
        """The request to the trainer, as JSON."""
        return self.key

    @property
    def overdue(self) -> bool:
        """Whether packed frames pile up because no session asks for them."""
        return False

    def latest(self) -> Any:
        """Unpack what has come; return the newest frame."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Bytes that the frames hold, packed or not."""
        raise NotImplementedError


class RunWork(Work):
    """A training run."""

    def __init__(
        self, number: int, key: str, max_seconds: float, experiments: tuple[Experiment, ...]
    ) -> None:
        super().__init__(number, key, max_seconds)
        self.experiments = experiments
        self.is_private = any(e.data.points is not None for e in experiments)
        self.trained: dict[int, TrainedLane] = {}  # lanes taken from finished runs
        self.store = FrameStore()
        self._packed: deque[bytes] = deque()

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame, still packed."""
        self._packed.append(packed)
        self.shown = max(self.shown, epoch)

    @property
    def overdue(self) -> bool:
        """Whether packed frames pile up because no session asks for them."""
        return len(self._packed) > _MAX_PACKED

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
        while self._packed:
            frame = Frame.from_bytes(self._packed.popleft())
            self.store.add(reuse.completed(frame, self.trained) if self.trained else frame)

    @property
    def wanted(self) -> str:
        """The lanes to train, as JSON."""
        if not self.trained:
            return self.key
        return canonical_key([e for i, e in enumerate(self.experiments) if i not in self.trained])

    @property
    def nbytes(self) -> int:
        """Bytes that the frames hold, packed or not."""
        with self._unpacking:
            return self.store.nbytes + sum(map(len, self._packed)) + len(self.key)


class LabWork(Work):
    """A lab. Each of its frames holds everything, so only the newest is kept."""

    is_lab = True

    def __init__(self, number: int, key: str, max_seconds: float) -> None:
        super().__init__(number, key, max_seconds)
        self._packed = b""
        self._frame: LabFrame | None = None

    def take(self, packed: bytes, epoch: int) -> None:
        """Take in a frame, still packed."""
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


class Commands(Protocol):
    """What a job asks of its engine: :class:`regviz.engine.engine.Engine` is one."""

    def cancel(self, job: Handle[Any]) -> None:
        """Cancel a job, and its work where no other job wants it."""

    def pause_at(self, job: Job, goal: Callable[[RunWork], int | None]) -> None:
        """Change the epoch at which a job's run pauses (None: it does not pause)."""


W = TypeVar("W", bound=Work)


class Handle(Generic[W]):
    """What :class:`Job` and :class:`LabJob` share."""

    def __init__(
        self, engine: Commands, work: W, lock: threading.RLock, owner: str, slot: str
    ) -> None:
        self.owner, self.slot = owner, slot
        self.work = work
        self.cancelled = False
        self._engine = engine
        self._version = 0
        self._change = threading.Condition(lock)

    @property
    def state(self) -> str:
        """The :data:`JobState` now. Typed as text: other threads change it, so a comparison must
        not narrow it."""
        return "cancelled" if self.cancelled else self.work.state

    @property
    def reason(self) -> str:
        """One sentence: why the job failed, or that its trainer was restarted; else ``""``."""
        return self.work.reason

    @property
    def version(self) -> int:
        """A number that grows with every new frame and every change of the state."""
        return self._version

    def wait(self, timeout: float, after: int = -1) -> bool:
        """Wait at most ``timeout`` seconds until ``version > after``; return whether it is."""
        with self._change:
            return self._change.wait_for(lambda: self._version > after, timeout)

    def cancel(self) -> None:
        """Cancel the job; its run ends unless another job wants it. Its frames stay."""
        self._engine.cancel(self)

    def changed(self) -> None:
        """Raise the version; called by the engine with its lock held."""
        self._version += 1
        self._change.notify_all()


class LabJob(Handle[LabWork]):
    """A handle on a lab; made by :meth:`Engine.submit_lab`. It is never ``paused``.

    All of it may be called from any thread.
    """

    @property
    def name(self) -> str:
        """The lab's name in :data:`regviz.labs.LABS`."""
        return json.loads(self.work.key)["lab"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The lab's parameters, defaults filled in."""
        return json.loads(self.work.key)["parameters"]

    def latest(self) -> LabFrame | None:
        """Return the newest frame; None before the first. While a lab starts again after the
        loss of its trainer, this is the last frame from before."""
        return self.work.latest()


class Job(Handle[RunWork]):
    """A handle on a run; made by :meth:`Engine.submit`.

    ``latest`` and ``frames`` unpack new frames on the calling thread; everything else takes
    microseconds. All of it may be called from any thread.
    """

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The experiments, one lane each."""
        return self.work.experiments

    @property
    def epochs(self) -> int:
        """The most epochs that any lane asks for."""
        return max(e.training.epochs for e in self.work.experiments)

    def latest(self) -> Frame | None:
        """Return the newest frame, with its data; None before the first. While a run starts
        again after the loss of its trainer, this is the last frame from before."""
        return self.work.latest()

    def frames(self) -> list[Frame]:
        """Return the frames kept for scrubbing, evenly thinned, the newest last."""
        return self.work.frames()

    @property
    def outlook(self) -> tuple[int, float] | None:
        """The number of runs that will end before this one, and the seconds until it ends, as its
        trainer estimates from the cost of runs so far; None where there is no estimate."""
        estimate = self.work.outlook
        if self.state not in ("queued", "running") or estimate is None:
            return None
        ahead, seconds, received = estimate
        age = time.monotonic() - received
        return None if age > OUTLOOK_SECONDS else (ahead, max(0.0, seconds - age))

    def pause(self) -> None:
        """Pause after the current epoch. Other jobs of the same run go on."""
        self._engine.pause_at(self, lambda run: max(1, run.shown))

    def resume(self) -> None:
        """Go on training."""
        self._engine.pause_at(self, lambda run: None)

    def step(self) -> None:
        """Train one epoch further, then pause."""
        self._engine.pause_at(
            self, lambda run: 1 + (run.shown if run.pause_at is None else run.pause_at)
        )
