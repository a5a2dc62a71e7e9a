"""A trainer: one process that trains many runs, a short slice each (``python -m regviz.trainer``).

Training is a generator, so a trainer is a scheduler of generators; the labs are generators, too,
and take their turns among the runs. The engine starts this process
and owns it; it ends by itself as soon as the engine's end of the connection is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from regviz import labs, wire
from regviz.labs.frame import LabFrame
from regviz.specs import Experiment, SpecError

if TYPE_CHECKING:
    from regviz.frames import Frame

_log = logging.getLogger(__name__)

FIRST_SLICE = 0.005
SLICE = 0.015
FRAME_SECONDS = 0.07
EARLY_FRAMES = 32
EARLY_FRAME_SECONDS = 0.03  # the first frames come faster: a short run needs some to scrub over
FRAME_SHARE = 0.15  # part of a run's time that its frames may cost
MID_EPOCH_SECONDS = 1.0  # epochs longer than this are shown, and paused, on their way
ELDEST_EVERY = 8
BEAT_SECONDS = 0.5
NICE = 5


class Trainable(Protocol):
    """What the scheduler needs of a run: :class:`regviz.training.Run` is one."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def steps(self) -> Iterator[None]:
        """Train, handing control back again and again."""

    def frame(self) -> Frame | LabFrame:
        """Look at it."""


class LabRun:
    """A lab as the scheduler sees it: one step after the other, the newest frame at hand."""

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
        self.sent_at = 0.0
        self.frame_cost = 0.0
        self.announced = False


class Scheduler:
    """Train many runs in turns.

    Whose turn: the run that was given the least time so far. So a new run comes first and has
    its first frame early, and a short one ends soon however many long ones there are. Least time
    alone would let newcomers stop a long run's picture for as long as they keep coming; so every
    eighth slice goes to the run that has waited longest. (Least *fraction* trained would hand
    everything to a new long run until it has overtaken an old one that is nearly done.)

    Parameters
    ----------
    make
        Makes a run of experiments: ``lambda e: Run(e, device=device)``.
    send
        Takes (head, body) of a message for the engine.
    """

    def __init__(self, make: Callable[[Sequence[Experiment]], Trainable], send: Send) -> None:
        self._make = make
        self._send = send
        self._tasks: dict[int, _Task] = {}
        self._turn = self._slices = 0

    def command(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Do what the engine asks; what concerns a run that has ended is nothing to do."""
        kind = head["kind"]
        if kind == "start":
            self._turn += 1
            self._tasks[head["job"]] = _Task(head, body, self._turn)
            return
        if kind == "cancel":
            self._tasks.pop(head["job"], None)
            return
        task = self._tasks.get(head["job"])
        if task is not None:  # pause_at
            task.pause_at = head["epoch"]
            self._pause_or_go(task)

    def next_job(self) -> int | None:
        """Return whose turn it is, or None where nothing is to be done."""
        ready = [task for task in self._tasks.values() if not task.paused]
        if not ready:
            return None
        if self._slices % ELDEST_EVERY == ELDEST_EVERY - 1:
            return min(ready, key=lambda task: task.turn).job
        return min(ready, key=lambda task: (task.spent, task.turn)).job

    def slice(self, job: int) -> None:
        """Train a run for one slice. What goes wrong in a run ends that run, and only that."""
        task = self._tasks[job]
        self._turn += 1
        self._slices += 1
        task.turn = self._turn
        # processor time: on a busy machine the clock would charge a run for others' work
        since = time.thread_time()
        try:
            ended = self._advance(task, since)
        except SpecError as error:
            ended = True
            self._tell(task, "failed", reason=str(error))
        except (Exception, RecursionError) as error:
            ended = True
            reference = f"{os.getpid()}-{task.job}"
            _log.exception("A run failed, reference %s.", reference)
            self._tell(
                task,
                "failed",
                reason=f"The run failed with {_in_words(error)} (reference {reference} in the "
                "server's log).",
            )
        task.spent += time.thread_time() - since
        if ended:
            self._tasks.pop(job, None)

    def _advance(self, task: _Task, since: float) -> bool:
        """Train until the slice is over; return whether the run has ended.

        ``since`` is the processor time at which the slice began.
        """
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
            if task.spent + time.thread_time() - since > task.max_seconds:
                self._tell(
                    task, "failed", frame=self._has_news(task), reason=_too_long(task, run.epoch)
                )
                return True
            if now - begin > length:
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

    def _is_due(self, task: _Task, now: float) -> bool:
        if task.run is None or task.run.epoch <= task.after:
            return False
        waited = now - task.sent_at
        if not task.at_epoch:
            return task.sent > 0 and waited > max(MID_EPOCH_SECONDS, task.frame_cost / FRAME_SHARE)
        pace = EARLY_FRAME_SECONDS if task.sent < EARLY_FRAMES else FRAME_SECONDS
        return task.sent == 0 or waited > max(pace, task.frame_cost / FRAME_SHARE)

    def _pause_or_go(self, task: _Task) -> bool:
        """Pause a run that has come to where it shall, or let a paused one go on."""
        run, goal = task.run, task.pause_at
        arrived = run is not None and goal is not None and run.epoch >= max(goal, 1)
        if arrived and not (task.at_epoch or task.paused):
            # short epochs are ended first, so that a pause shows a whole one
            arrived = time.perf_counter() - task.sent_at > MID_EPOCH_SECONDS
        if arrived and not task.paused:
            self._tell(task, "paused", frame=self._has_news(task))
        task.paused = arrived
        return arrived

    def _tell(self, task: _Task, state: str, *, frame: bool = False, reason: str = "") -> None:
        """Send a run's state, with a look at it or without."""
        body = b""
        since = time.perf_counter()
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
            task.sent_at = time.perf_counter()
            task.frame_cost = task.sent_at - since


_END = object()


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


def _load(device: str) -> tuple[Callable[[Sequence[Experiment]], Trainable], str]:
    """Import torch and train a moment, so that nobody's first run waits for imports."""
    # scikit-learn imports pandas wherever it is installed: 60 MiB and half a second for nothing
    sys.modules["pandas"] = None  # type: ignore[assignment]
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401

    del sys.modules["pandas"]
    import torch

    from regviz.training import Run, pick_device

    torch.set_num_threads(1)
    device = pick_device(device)
    plain = Experiment().replace("training.epochs", 3)
    run = Run([plain, plain.replace("regularization.dropout", 0.5)], device=device)
    for _ in run.steps():
        run.frame().to_bytes()
    # the garbage collector would walk over all of torch again and again, 0.1 s each time
    gc.collect()
    gc.freeze()
    return (lambda experiments: Run(experiments, device=device)), device


def _serve(connection: Connection, *, device: str, marker: int | None, parent: int) -> None:
    commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(head: dict[str, Any], body: bytes = b"") -> None:
        connection.send_bytes(wire.pack(head, body))

    threading.Thread(target=_listen, args=(connection, commands, parent), daemon=True).start()
    try:
        make, device = _load(device)
    except Exception as error:
        _log.exception("This trainer cannot start.")
        reason = str(error) if isinstance(error, SpecError) else _first_line(error)
        send({"kind": "unable", "reason": reason.rstrip(".")})
        sys.exit(1)
    send({"kind": "ready", "device": device})
    scheduler = Scheduler(make, send)
    beat = time.monotonic() + BEAT_SECONDS
    while True:
        with contextlib.suppress(queue.Empty):
            while True:
                scheduler.command(*wire.unpack(commands.get_nowait()))
        job = scheduler.next_job()
        if job is not None:
            if marker is not None:
                # survives this process, and names the run that brought it down
                os.pwrite(marker, job.to_bytes(8, "little"), 0)
            scheduler.slice(job)
        now = time.monotonic()
        if now >= beat:
            send({"kind": "beat"})
            beat = now + BEAT_SECONDS
        if job is None:
            with contextlib.suppress(queue.Empty):
                scheduler.command(*wire.unpack(commands.get(timeout=max(0.0, beat - now))))


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
    logging.basicConfig(format="%(asctime)s regviz trainer %(process)d: %(message)s")
    # Ctrl-C in a terminal reaches the whole group: the server decides, this process follows
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(options.parent)
    os.nice(NICE)
    connection = Connection(options.channel)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection, device=options.device, marker=options.marker, parent=options.parent)


if __name__ == "__main__":
    main()
