"""The scheduler: trains many runs in turns, and those that fit one stack together.

Training is a generator, so a trainer is a scheduler of generators; labs are generators, too, and
take their turns among the runs. What to do next is decided by :mod:`regviz.trainer.policy`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from regviz.frames.lab import LabFrame
from regviz.specs import Experiment, SpecError
from regviz.trainer.policy import Policy
from regviz.trainer.tasks import Group, Meter, Task, Together, Trainable

_log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any], bytes], None]

_END = object()


class Scheduler:
    """Train many runs in turns, and those that fit one stack together.

    A run that is paused leaves its group and goes on alone; of one that is cancelled the lanes are
    dropped. Where training together fails, each run starts again by itself.

    Parameters
    ----------
    make
        Makes a run of experiments: ``lambda e: Run(e, device=device)``.
    send
        Takes (head, body) of a message for the engine.
    join
        Makes one training of several runs. None: every run is trained by itself.
    policy
        Decides whose turn it is, and so on.
    """

    def __init__(
        self,
        make: Callable[[Sequence[Experiment]], Trainable],
        send: Send,
        join: Callable[[Sequence[Any]], Together] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self._make = make
        self._send = send
        self._join = join
        self._tasks: dict[int, Task] = {}
        self._turn = self._slices = 0
        self._meter = Meter()

    # --- for the process ------------------------------------------------------------------------

    def command(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Carry out the engine's command; one about a run that has ended is ignored."""
        kind = head["kind"]
        if kind == "start":
            self._turn += 1
            self._tasks[head["job"]] = Task(head, body, self._turn)
            return
        if kind == "cancel":
            task = self._tasks.pop(head["job"], None)
            if task is not None and task.group is not None:
                self._leave(task, task.group, goes_on=False)
            return
        task = self._tasks.get(head["job"])
        if task is not None:  # pause_at
            task.pause_at = head["epoch"]
            if task.group is None:
                self._update_pause(task)
            elif task.pause_at is not None:
                self._leave(task, task.group, goes_on=True)

    def next_job(self) -> int | None:
        """Return whose turn it is, one job of a group; None where there is nothing to do."""
        tasks = self._tasks.values()
        for group in self.policy.released(tasks, time.perf_counter()):
            for member in group:
                member.held_since = None
            self._bring_together(group)
        task = self.policy.next_task(tasks, self._slices, self._meter.typical)
        return None if task is None else task.job

    def is_shared(self, job: int) -> bool:
        """Return whether a job's next slice trains others, too."""
        task = self._tasks.get(job)
        return task is not None and task.group is not None

    def rest(self) -> float:
        """Return the seconds until a held run goes on, where no other has anything to do."""
        return self.policy.seconds_until_release(self._tasks.values(), time.perf_counter())

    def outlook(self) -> list[tuple[int, int, float]]:
        """Return, of each run whose end can be estimated, its job, the number of runs that end
        before it, and the seconds until it ends."""
        tasks = self._tasks.values()
        return self.policy.outlook(tasks, self._meter.typical, self._meter.pace)

    def slice(self, job: int) -> None:
        """Train a run for one slice. An error in a run ends that run, and only that."""
        task = self._tasks[job]
        self._turn += 1
        self._slices += 1
        together = [task] if task.group is None else list(task.group.tasks)
        for each in together:
            each.turn = self._turn
        self._meter.begin_slice()
        if task.group is not None:
            self._advance_group(task.group)
        elif self._advance_or_fail(task):
            self._tasks.pop(job, None)
        self._meter.end_slice(together)
        for each in together:
            if each.job not in self._tasks and not each.is_lab:
                self._meter.note_end(each)

    # --- one by itself --------------------------------------------------------------------------

    def _advance_or_fail(self, task: Task) -> bool:
        """Train until the slice is over or there is an error; return whether the run has ended."""
        try:
            return self._advance(task)
        except SpecError as error:
            self._report(task, "failed", reason=str(error))
        except (BrokenPipeError, ConnectionResetError):
            raise  # the engine is gone
        except (Exception, RecursionError) as error:
            reference = f"{os.getpid()}-{task.job}"
            _log.exception("A run failed, reference %s.", reference)
            self._report(
                task,
                "failed",
                reason=f"The run failed with {_in_words(error)} (reference {reference} in the "
                "server's log).",
            )
        return True

    def _advance(self, task: Task) -> bool:
        """Train until the slice is over; return whether the run has ended."""
        begin = time.perf_counter()
        length = self.policy.slice_seconds(task)
        run = task.begin(self._make)
        while True:
            epoch = run.epoch
            ended = next(task.steps, _END) is _END
            now = time.perf_counter()
            task.at_epoch = ended or run.epoch != epoch
            if ended:
                self._report(task, "finished", frame=True)
                return True
            if self._update_pause(task):
                return False
            if self._is_due(task, now):
                self._report(task, "running", frame=True)
                now = time.perf_counter()
            if self._meter.given(task) > task.max_seconds:
                self._report(task, "failed", frame=task.has_news, reason=task.too_long())
                return True
            held = self._join is not None and self.policy.should_hold(task, self._tasks.values())
            if held:
                task.held_since = now
            if held or now - begin > length:
                if not task.announced:
                    self._report(task, "running")
                return False

    def _is_due(self, task: Task, now: float) -> bool:
        return self.policy.is_due(task, now, self._meter.given(task), len(self._tasks))

    def _update_pause(self, task: Task) -> bool:
        """Pause a run that has come to its epoch, or let a paused one go on; return whether it is
        paused."""
        arrived = self.policy.should_pause(task, time.perf_counter())
        if arrived and not task.paused:
            self._report(task, "paused", frame=task.has_news)
            task.held_since = None
        task.paused = arrived
        return arrived

    # --- together -------------------------------------------------------------------------------

    def _bring_together(self, tasks: list[Task]) -> None:
        """Make one stack of several runs; a single run goes on as it is."""
        if len(tasks) < 2 or self._join is None:
            return
        try:
            shared = self._join([task.run for task in tasks])
        except Exception:
            _log.exception("Runs could not be trained together.")
            for task in tasks:
                task.restart_alone()
            return
        group = Group(shared, tasks)
        for task in tasks:
            task.group, task.steps = group, iter(())

    def _leave(self, task: Task, group: Group, *, goes_on: bool) -> None:
        """Take a run out of its group at the end of this epoch."""
        group.leaving[task] = goes_on
        if not goes_on:
            group.tasks.remove(task)
        if group.at_epoch:
            self._part(group)

    def _part(self, group: Group) -> None:
        """Take the leaving runs out of a group, between two epochs."""
        leaving, group.leaving = group.leaving, {}
        for task, goes_on in leaving.items():
            if task.run is None or (goes_on and task not in group.tasks):
                continue  # it has ended in the meantime
            group.shared.leave(task.run, goes_on=goes_on)
            if goes_on:
                group.tasks.remove(task)
                task.group, task.steps = None, task.run.steps()
                self._update_pause(task)

    def _advance_group(self, group: Group) -> None:
        """Train a group until the slice is over."""
        begin = time.perf_counter()
        try:
            while group.tasks:
                epoch = group.shared.epoch
                ended = not group.unseen and next(group.steps, _END) is _END
                group.at_epoch = ended or group.unseen or group.shared.epoch != epoch
                if group.at_epoch:
                    group.unseen = not self._observe(group, begin)
                if ended or time.perf_counter() - begin > self.policy.slice:
                    return
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception:
            _log.exception("Runs that were trained together failed; each starts again alone.")
            for task in group.tasks:
                task.restart_alone()

    def _observe(self, group: Group, begin: float) -> bool:
        """Between two epochs, send the frames that are due, and take out the runs that end or
        leave; return whether all were observed.

        Where many end at a time their last frames take more than a slice, and a new run should not
        wait for all of them.
        """
        for task in list(group.tasks):
            run, now = task.run, time.perf_counter()
            if run is None:
                continue
            if now - begin > self.policy.slice + self.policy.first_slice:
                return False
            over = self._meter.given(task) > task.max_seconds
            if run.done:
                self._report(task, "finished", frame=True)
            elif over:
                self._report(task, "failed", frame=task.has_news, reason=task.too_long())
            elif self._is_due(task, now):
                self._report(task, "running", frame=True)
            if run.done or over:
                self._tasks.pop(task.job, None)
                group.tasks.remove(task)
                group.shared.leave(run, goes_on=False)
        self._part(group)
        return True

    # --- messages -------------------------------------------------------------------------------

    def _report(self, task: Task, state: str, *, frame: bool = False, reason: str = "") -> None:
        """Send a run's state, with a frame or without one."""
        body = b""
        since = time.thread_time()
        if frame and task.run is not None:
            seen = task.run.frame()
            if isinstance(seen, LabFrame):
                body = seen.to_bytes()
            else:
                body = seen.to_bytes(with_data=task.sent == 0)
            task.sent += 1
            task.sent_epoch = task.epoch
        task.announced = True
        head = {"kind": "state", "job": task.job, "state": state, "epoch": task.epoch}
        self._send({**head, "reason": reason}, body)
        if body:
            task.sent_at, task.sent_spent = time.perf_counter(), self._meter.given(task)
            task.frame_cost = time.thread_time() - since


def _in_words(error: BaseException) -> str:
    if isinstance(error, MemoryError) or "alloc" in str(error).lower():
        return "too little memory; ask for fewer or smaller models"
    return type(error).__name__
