"""A trainer: one process that trains many runs, a short slice each (``python -m regviz.trainer``).

Training is a generator, so a trainer is a scheduler of generators; the labs are generators, too,
and take their turns among the runs. Runs that fit one stack are trained together, whoever asked
for them. The engine starts this process
and owns it; it ends by itself as soon as the engine's end of the connection is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import logging
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from regviz import labs
from regviz.engine import log, wire
from regviz.frames.lab import LabFrame
from regviz.specs import Experiment, SpecError

if TYPE_CHECKING:
    from regviz.frames import Frame

_log = logging.getLogger(__name__)

FIRST_SLICE = 0.005
SLICE = 0.008
FRAME_SECONDS = 0.07
EARLY_FRAMES = 32
EARLY_FRAME_SECONDS = 0.03  # the first frames come faster: a short run needs some to scrub over
FRAME_SHARE = 0.15  # part of a run's time that its frames may cost
MID_EPOCH_SECONDS = 1.0  # epochs longer than this are shown, and paused, on their way
ELDEST_EVERY = 8
SOON = 3.0  # processor seconds within which a run ends soon
BEAT_SECONDS = 0.5
NICE = 10  # the web server goes first; but among others who work, a tenth of a core is left
COMPANY_LANES = 64  # models that are trained together at most
HOLD_SECONDS = 0.5  # for each run on its way: how long one waits at most, after its first frame
MOST_HOLD_SECONDS = 2.5
CROWD_HOLD_SECONDS = 0.8  # for those who are yet to come, where so many are at work that some will
FEW = 3  # runs that are looked at as often as one alone; of more each is looked at less often
IN_COMPANY = 2**64 - 1  # what the marker says while no single run is to blame


class Trainable(Protocol):
    """What the scheduler needs of a run: :class:`regviz.training.run.Run` is one."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def steps(self) -> Iterator[None]:
        """Train, handing control back again and again."""

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """What is trained."""

    @property
    def shape_key(self) -> Hashable | None:
        """Equal for runs that can be trained together; None where that cannot be."""

    @property
    def is_whole(self) -> bool:
        """Whether no lane has ended."""

    def frame(self) -> Frame | LabFrame:
        """Look at it."""


class Shared(Protocol):
    """Runs that are trained together: :class:`regviz.training.run.Company` is one."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def lanes(self) -> int:
        """Models that are still trained."""

    def steps(self) -> Iterator[None]:
        """Train all of them, handing control back again and again."""

    def leave(self, run: Any, *, goes_on: bool) -> None:
        """Take a run out between two epochs; one that goes on is alone then."""


class LabRun:
    """A lab as the scheduler sees it: one step after the other, the newest frame at hand."""

    experiments: tuple[Experiment, ...] = ()
    shape_key = None
    is_whole = False

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        self._frames = labs.start(name, parameters)
        self._frame = LabFrame(0, 1)

    @property
    def epoch(self) -> int:
        """The step that the newest frame shows."""
        return self._frame.step

    @property
    def done(self) -> bool:
        """Whether that was the last one."""
        return self._frame.done

    def steps(self) -> Iterator[None]:
        """Compute, handing control back after each frame."""
        for frame in self._frames:
            self._frame = frame
            yield

    def frame(self) -> LabFrame:
        """Return the newest frame."""
        return self._frame


Send = Callable[[dict[str, Any], bytes], None]


class _Task:
    """One run on its way: what was asked for, how far it is, and what was sent of it."""

    def __init__(self, head: dict[str, Any], wanted: bytes, turn: int) -> None:
        self.job: int = head["job"]
        self.is_lab: bool = head.get("lab", False)
        self.wanted = wanted  # canonical JSON of the experiments, or of the lab
        self.pause_at: int | None = head["pause_at"]
        self.after: int = head["after"]  # the picture up to this epoch is there already
        self.max_seconds: float = head["max_seconds"]
        self.turn = turn  # when it was served last
        self.spent = 0.0
        self.run: Trainable | None = None
        self.steps: Iterator[None] = iter(())
        self.at_epoch = True  # between two epochs, not within one
        self.paused = False
        self.sent = 0  # frames
        self.sent_epoch = 0
        self.sent_at = 0.0  # by the clock
        self.sent_spent = 0.0  # processor time given by then
        self.frame_cost = 0.0  # processor time
        self.announced = False
        self.looks = frozenset(head.get("looks", ()))  # at these epochs only, where there are any
        self.alone: bool = head.get("alone", False)  # not to be trained with others
        self.crowded: bool = head.get("crowded", False)  # others will soon ask for theirs
        self.held_since: float | None = None
        self.group: _Group | None = None

    @property
    def key(self) -> Hashable | None:
        """Equal for tasks that can be trained together; None where this one cannot be."""
        return None if self.run is None or self.alone else self.run.shape_key


class _Group:
    """Tasks that are trained together."""

    def __init__(self, shared: Shared, tasks: list[_Task]) -> None:
        self.shared = shared
        self.tasks = list(tasks)
        self.leaving: dict[_Task, bool] = {}  # at the end of this epoch; whether it goes on
        self.steps = shared.steps()
        self.at_epoch = True  # between two epochs, not within one
        self.unseen = False  # not everybody has been looked at since the last epoch


class Scheduler:
    """Train many runs in turns, and those that fit one stack together.

    Whose turn: a new run's until it has its first frame; then that of the run which will end first,
    if that is soon; else of the one that was given the least time so far. So a short run ends soon
    however many long ones there are, of equal short ones one ends after the other instead of all
    at the end, and long ones go on side by side. That alone would let newcomers stop a long run's
    picture for as long as they keep coming; so every eighth slice goes to the run that has waited
    longest.

    Together: a run trains one epoch and shows it, so that whoever asked sees something at once.
    While others of its shape are on their way it is then held, for some seconds at most, and where
    many are at work (the engine says so) for a moment also for those who are yet to come; whatever
    has been held by then goes on as one. So the more there is to do, the more is done at once, and
    while little is to do nobody waits. A run that is paused leaves the others and goes on alone;
    of one that is cancelled the lanes are dropped. Where training together fails, each starts
    again by itself.

    Parameters
    ----------
    make
        Makes a run of experiments: ``lambda e: Run(e, device=device)``.
    send
        Takes (head, body) of a message for the engine.
    join
        Makes one of several runs: ``Company``. None: every run is trained by itself.
    """

    def __init__(
        self,
        make: Callable[[Sequence[Experiment]], Trainable],
        send: Send,
        join: Callable[[Sequence[Any]], Shared] | None = None,
    ) -> None:
        self._make = make
        self._send = send
        self._join = join
        self._tasks: dict[int, _Task] = {}
        self._turn = self._slices = 0
        self._cost = 0.0  # of a whole run, seconds: of those that ended lately
        self._since: float | None = None  # processor time at which the slice on its way began
        self._worked = self._took = 1e-9  # processor and wall-clock seconds of late

    def command(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Do what the engine asks; what concerns a run that has ended is nothing to do."""
        kind = head["kind"]
        if kind == "start":
            self._turn += 1
            self._tasks[head["job"]] = _Task(head, body, self._turn)
            return
        if kind == "cancel":
            gone = self._tasks.pop(head["job"], None)
            if gone is not None and gone.group is not None:
                self._part_with(gone, goes_on=False)
            return
        task = self._tasks.get(head["job"])
        if task is not None:  # pause_at
            task.pause_at = head["epoch"]
            if task.group is None:
                self._pause_or_go(task)
            elif task.pause_at is not None:
                self._part_with(task, goes_on=True)

    def next_job(self) -> int | None:
        """Return whose turn it is, or None where nothing is to be done. Where runs are trained
        together it is one of them."""
        self._release()
        ready = [t for t in self._tasks.values() if not t.paused and t.held_since is None]
        if not ready:
            return None
        if self._slices % ELDEST_EVERY == ELDEST_EVERY - 1:
            return min(ready, key=lambda task: task.turn).job
        return min(ready, key=self._rank).job

    def _rank(self, task: _Task) -> tuple[int, float, int]:
        """Return what the run whose turn it is has the least of."""
        run = task.run
        if run is None or task.sent == 0:
            return 0, task.spent, task.turn
        left = self._left(task)
        if left is not None and left < SOON:
            return 1, left, task.turn
        return 2, task.spent, task.turn

    def _left(self, task: _Task) -> float | None:
        """Return the processor time that a run will still take; None where that is not known."""
        run, cost = task.run, self._cost
        if task.is_lab:
            return None
        if run is not None and run.epoch >= _KNOWN:
            epochs = max(e.training.epochs for e in run.experiments)
            return task.spent * max(0, epochs / run.epoch - 1)
        return max(0.0, cost - task.spent) if cost else None

    def is_shared(self, job: int) -> bool:
        """Whether a job's next slice is one of others, too."""
        task = self._tasks.get(job)
        return task is not None and task.group is not None

    def slice(self, job: int) -> None:
        """Train a run for one slice. What goes wrong in a run ends that run, and only that."""
        task = self._tasks[job]
        self._turn += 1
        self._slices += 1
        together = [task] if task.group is None else list(task.group.tasks)
        for each in together:
            each.turn = self._turn
        # processor time: on a busy machine the clock would charge a run for others' work
        self._since, began = time.thread_time(), time.perf_counter()
        if task.group is not None:
            self._advance_group(task.group)
        elif self._advance_alone(task):
            self._tasks.pop(job, None)
        worked, self._since = time.thread_time() - self._since, None
        for each in together:
            each.spent += worked / len(together)
            if each.job not in self._tasks and not each.is_lab:
                self._cost += (each.spent - self._cost) * (_FADE if self._cost else 1.0)
        self._worked += worked - _FADE * self._worked
        self._took += time.perf_counter() - began - _FADE * self._took

    def outlook(self) -> list[tuple[int, int, float]]:
        """Return, of each run, its number, how many others will end before it, and the seconds
        until it ends: from what its epochs have cost so far, or, of one that has hardly begun,
        from what the last runs cost in all (the first epoch says little: the models are made in
        it). Who ends soon waits for those who end sooner; long runs share the time.
        """
        left: dict[int, float] = {}
        for task in self._tasks.values():
            mine = None if task.paused else self._left(task)
            if mine is not None:
                left[task.job] = mine
        pace = self._took / self._worked  # others want the processor, too
        return [
            (
                job,
                sum(theirs < mine for theirs in left.values()),
                pace * sum(t if t <= mine else mine * (mine >= SOON) for t in left.values()),
            )
            for job, mine in left.items()
        ]

    def _advance_alone(self, task: _Task) -> bool:
        """Train until the slice is over or something goes wrong; return whether it has ended."""
        try:
            return self._advance(task)
        except SpecError as error:
            self._tell(task, "failed", reason=str(error))
        except (BrokenPipeError, ConnectionResetError):
            raise  # the engine is gone, and with it everybody who asked
        except (Exception, RecursionError) as error:
            reference = f"{os.getpid()}-{task.job}"
            _log.exception("A run failed, reference %s.", reference)
            self._tell(
                task,
                "failed",
                reason=f"The run failed with {_in_words(error)} (reference {reference} in the "
                "server's log).",
            )
        return True

    # --- together -------------------------------------------------------------------------------

    def _is_held(self, task: _Task) -> bool:
        """Whether a run that has trained its first epoch waits for others to go on with."""
        run = task.run
        if self._join is None or run is None or task.key is None or task.pause_at is not None:
            return False
        if not (task.at_epoch and run.epoch == 1 and run.is_whole):
            return False
        others = (t for t in self._tasks.values() if t is not task and not t.paused)
        return task.crowded or any(_may_join(t, task.key) for t in others)

    def _held_until(self) -> dict[Hashable, float]:
        """Return until when those of each shape are held who are: as long as others of it are on
        their way, or as some are to be expected, but for some seconds at most."""
        since = {t: t.held_since for t in self._tasks.values() if t.held_since is not None}
        if not since:
            return {}
        longest = min(MOST_HOLD_SECONDS, HOLD_SECONDS * len(self._tasks))
        others = [t for t in self._tasks.values() if t not in since and not t.paused]
        until: dict[Hashable, float] = {}
        for key in dict.fromkeys(t.key for t in since):
            ahead = any(_may_join(t, key) for t in others)
            until[key] = min(
                at + (longest if ahead else CROWD_HOLD_SECONDS * t.crowded)
                for t, at in since.items()
                if t.key == key
            )
        return until

    def rest(self) -> float:
        """Return the seconds until somebody who is held goes on, where no other does anything."""
        return min(self._held_until().values(), default=math.inf) - time.perf_counter()

    def _release(self) -> None:
        """Let those who were held go on, together."""
        now = time.perf_counter()
        for key, until in self._held_until().items():
            if now < until:
                continue
            mine = [t for t in self._tasks.values() if t.held_since is not None and t.key == key]
            group: list[_Task] = []
            for task in mine:
                task.held_since = None
                if group and _lanes([*group, task]) > COMPANY_LANES:
                    self._bring_together(group)
                    group = []
                group.append(task)
            self._bring_together(group)

    def _bring_together(self, tasks: list[_Task]) -> None:
        """Make one stack of several runs; one run goes on as it is."""
        if len(tasks) < 2 or self._join is None:
            return
        try:
            shared = self._join([task.run for task in tasks])
        except Exception:
            _log.exception("Runs could not be trained together.")
            self._disperse(tasks)
            return
        group = _Group(shared, tasks)
        for task in tasks:
            task.group, task.steps = group, iter(())

    def _disperse(self, tasks: list[_Task]) -> None:
        """Have runs that went wrong together start again, each by itself. They are deterministic:
        unseen up to where they were, the pictures go on from there."""
        for task in tasks:
            task.group = task.run = None
            task.steps, task.alone, task.at_epoch = iter(()), True, True
            task.after = max(task.after, task.sent_epoch)

    def _part_with(self, task: _Task, *, goes_on: bool) -> None:
        """Take a run out of its group, at the end of the epoch that is on its way."""
        group = task.group
        if group is None:
            return
        group.leaving[task] = goes_on
        if not goes_on:
            group.tasks.remove(task)
        if group.at_epoch:
            self._let_leave(group)

    def _let_leave(self, group: _Group) -> None:
        leaving, group.leaving = group.leaving, {}
        for task, goes_on in leaving.items():
            if task.run is None or (goes_on and task not in group.tasks):
                continue  # it has ended on the way
            group.shared.leave(task.run, goes_on=goes_on)
            if goes_on:
                group.tasks.remove(task)
                task.group, task.steps = None, task.run.steps()
                self._pause_or_go(task)

    def _advance_group(self, group: _Group) -> None:
        """Train a group until the slice is over."""
        begin = time.perf_counter()
        try:
            while group.tasks:
                epoch = group.shared.epoch
                ended = not group.unseen and next(group.steps, _END) is _END
                group.at_epoch = ended or group.unseen or group.shared.epoch != epoch
                if group.at_epoch:
                    group.unseen = not self._look_around(group, begin)
                if ended or time.perf_counter() - begin > SLICE:
                    return
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception:
            _log.exception("Runs that were trained together failed; each starts again alone.")
            self._disperse(group.tasks)

    def _look_around(self, group: _Group, begin: float) -> bool:
        """Between two epochs: show what is due, and part with whoever has ended or leaves.

        Return whether that is done. Where many end at a time their last frames take more than a
        slice, and whoever is new should not wait for them all.
        """
        for task in list(group.tasks):
            run, now = task.run, time.perf_counter()
            if run is None:
                continue
            if now - begin > SLICE + FIRST_SLICE:
                return False
            over = self._given(task) > task.max_seconds
            if run.done:
                self._tell(task, "finished", frame=True)
            elif over:
                reason = _too_long(task, run.epoch)
                self._tell(task, "failed", frame=self._has_news(task), reason=reason)
            elif self._is_due(task, now):
                self._tell(task, "running", frame=True)
            if run.done or over:
                self._tasks.pop(task.job, None)
                group.tasks.remove(task)
                group.shared.leave(run, goes_on=False)
        self._let_leave(group)
        return True

    # --- one by itself --------------------------------------------------------------------------

    def _advance(self, task: _Task) -> bool:
        """Train until the slice is over; return whether the run has ended."""
        begin = time.perf_counter()
        length = SLICE if task.spent else FIRST_SLICE
        if task.run is None:
            task.run = self._begin(task)
            task.steps = task.run.steps()
        run = task.run
        while True:
            epoch = run.epoch
            ended = next(task.steps, _END) is _END
            now = time.perf_counter()
            task.at_epoch = ended or run.epoch != epoch
            if ended:
                self._tell(task, "finished", frame=True)
                return True
            if self._pause_or_go(task):
                return False
            if self._is_due(task, now):
                self._tell(task, "running", frame=True)
                now = time.perf_counter()
            if self._given(task) > task.max_seconds:
                self._tell(
                    task, "failed", frame=self._has_news(task), reason=_too_long(task, run.epoch)
                )
                return True
            held = self._is_held(task)
            if held:
                task.held_since = now
            if held or now - begin > length:
                if not task.announced:
                    self._tell(task, "running")
                return False

    def _begin(self, task: _Task) -> Trainable:
        wanted = json.loads(task.wanted)
        if task.is_lab:
            return LabRun(wanted["lab"], wanted["parameters"])
        return self._make([Experiment.from_dict(entry) for entry in wanted])

    def _has_news(self, task: _Task) -> bool:
        """Whether a frame would show an epoch that nobody has seen."""
        return task.run is not None and task.run.epoch > max(task.after, task.sent_epoch)

    def _given(self, task: _Task) -> float:
        """Return the processor time that a run was given so far, in this slice, too."""
        if self._since is None:
            return task.spent
        sharing = 1 if task.group is None else max(1, len(task.group.tasks))
        return task.spent + (time.thread_time() - self._since) / sharing

    def _is_due(self, task: _Task, now: float) -> bool:
        """Whether it is time for a look at a run.

        Its looks take their part of its own processor time: by the clock, many runs on one
        trainer would each have that part of the whole, and leave nothing for training.
        """
        if task.run is None or task.run.epoch <= task.after:
            return False
        if task.looks and task.run.epoch not in task.looks:
            return False  # others' lanes, which are shown beside, were looked at then
        waited = now - task.sent_at
        if self._given(task) - task.sent_spent < task.frame_cost / FRAME_SHARE:
            return False
        if not task.at_epoch:
            return task.sent > 0 and waited > MID_EPOCH_SECONDS
        pace = EARLY_FRAME_SECONDS if task.sent < EARLY_FRAMES else FRAME_SECONDS
        return task.sent == 0 or waited > pace * max(1.0, len(self._tasks) / FEW)

    def _pause_or_go(self, task: _Task) -> bool:
        """Pause a run that has come to where it shall, or let a paused one go on."""
        run, goal = task.run, task.pause_at
        arrived = run is not None and goal is not None and run.epoch >= max(goal, 1)
        if arrived and not (task.at_epoch or task.paused):
            # short epochs are ended first, so that a pause shows a whole one
            arrived = time.perf_counter() - task.sent_at > MID_EPOCH_SECONDS
        if arrived and not task.paused:
            self._tell(task, "paused", frame=self._has_news(task))
            task.held_since = None
        task.paused = arrived
        return arrived

    def _tell(self, task: _Task, state: str, *, frame: bool = False, reason: str = "") -> None:
        """Send a run's state, with a look at it or without."""
        body = b""
        since = time.thread_time()
        epoch = 0 if task.run is None else task.run.epoch
        if frame and task.run is not None:
            look = task.run.frame()
            if isinstance(look, LabFrame):
                body = look.to_bytes()
            else:
                body = look.to_bytes(with_data=task.sent == 0)
            task.sent += 1
            task.sent_epoch = epoch
        task.announced = True
        head = {"kind": "state", "job": task.job, "state": state, "epoch": epoch}
        self._send({**head, "reason": reason}, body)
        if body:
            task.sent_at, task.sent_spent = time.perf_counter(), self._given(task)
            task.frame_cost = time.thread_time() - since


_END = object()
_FADE = 0.05  # how fast older runs and slices are forgotten
_KNOWN = 8  # epochs after which what a run costs is known


def _may_join(task: _Task, key: Hashable) -> bool:
    """Whether a task can, or might, be trained together with those of a shape."""
    return task.key == key or (task.run is None and not task.is_lab)


def _lanes(tasks: Sequence[_Task]) -> int:
    return sum(0 if task.run is None else len(task.run.experiments) for task in tasks)


def _too_long(task: _Task, epoch: int) -> str:
    limit = f"reached this server's limit of {task.max_seconds:g} seconds at"
    if task.is_lab:
        return f"The computing time {limit} step {epoch}; ask for less."
    return f"The training time {limit} epoch {epoch}; ask for fewer epochs or a smaller model."


def _in_words(error: BaseException) -> str:
    if isinstance(error, MemoryError) or "alloc" in str(error).lower():
        return "too little memory; ask for fewer or smaller models"
    return type(error).__name__


# --- the process -----------------------------------------------------------------------------


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, where it can; else the lost connection
    does it, as soon as the interpreter is free."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)


def _listen(connection: Connection, commands: queue.SimpleQueue[bytes | None], parent: int) -> None:
    """Take in commands while the main thread trains; end the process with its engine."""
    try:
        while True:
            while not connection.poll(2.0):
                if os.getppid() != parent:
                    os._exit(0)
            commands.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _load(device: str) -> tuple[Callable[[Send], Scheduler], str]:
    """Import torch and train a moment, so that nobody's first run waits for imports."""
    # scikit-learn imports pandas wherever it is installed: 60 MiB and half a second for nothing
    sys.modules["pandas"] = None  # type: ignore[assignment]
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401

    del sys.modules["pandas"]
    import torch

    from regviz.training.run import Company, Run, pick_device

    torch.set_num_threads(1)
    device = pick_device(device)
    plain = Experiment().replace("training.epochs", 3)
    run = Run([plain, plain.replace("regularization.dropout", 0.5)], device=device)
    for _ in run.steps():
        run.frame().to_bytes()
    # the garbage collector would walk over all of torch again and again, 0.1 s each time
    gc.collect()
    gc.freeze()

    def make(experiments: Sequence[Experiment]) -> Run:
        return Run(experiments, device=device)

    return (lambda send: Scheduler(make, send, Company)), device


def _serve(connection: Connection, *, device: str, marker: int | None, parent: int) -> None:
    commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(head: dict[str, Any], body: bytes = b"") -> None:
        connection.send_bytes(wire.pack(head, body))

    sys.setswitchinterval(0.001)  # what is asked for shall not wait 5 ms for who trains
    threading.Thread(target=_listen, args=(connection, commands, parent), daemon=True).start()
    try:
        scheduler_for, device = _load(device)
    except Exception as error:
        _log.exception("This trainer cannot start.")
        reason = str(error) if isinstance(error, SpecError) else _first_line(error)
        send({"kind": "unable", "reason": reason.rstrip(".")})
        sys.exit(1)
    os.nice(NICE)  # not before: to import torch took a minute where others compute
    send({"kind": "ready", "device": device})
    scheduler = scheduler_for(send)
    beat = time.monotonic() + BEAT_SECONDS
    while True:
        with contextlib.suppress(queue.Empty):
            while True:
                scheduler.command(*wire.unpack(commands.get_nowait()))
        job = scheduler.next_job()
        if job is not None:
            if marker is not None:
                # survives this process, and names the run that brought it down
                culprit = IN_COMPANY if scheduler.is_shared(job) else job
                os.pwrite(marker, culprit.to_bytes(8, "little"), 0)
            scheduler.slice(job)
        now = time.monotonic()
        if now >= beat:
            send({"kind": "beat", "outlook": scheduler.outlook()})
            beat = now + BEAT_SECONDS
        if job is None:
            with contextlib.suppress(queue.Empty):
                wait = min(beat - now, scheduler.rest())
                scheduler.command(*wire.unpack(commands.get(timeout=max(0.0, wait))))


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no message'}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the engine that started this process, until it is gone."""
    parser = argparse.ArgumentParser(prog="regviz.trainer", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="file descriptor, a socket")
    parser.add_argument("--marker", type=int, help="file descriptor; holds the current job")
    parser.add_argument("--parent", type=int, required=True, help="process id of the engine")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    log.setup()
    # Ctrl-C in a terminal reaches the whole group: the server decides, this process follows
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(options.parent)
    connection = Connection(options.channel)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection, device=options.device, marker=options.marker, parent=options.parent)
