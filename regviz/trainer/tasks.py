"""What a scheduler keeps of each request: its run, its progress, and the group it is trained in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from regviz import labs
from regviz.frames.lab import LabFrame
from regviz.specs import Experiment

if TYPE_CHECKING:
    from regviz.frames import Frame


class Trainable(Protocol):
    """What the scheduler needs of a run: :class:`regviz.training.run.Run` is one."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def steps(self) -> Iterator[None]:
        """Train, yielding after each step."""

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
        """Return what it shows now."""


class Together(Protocol):
    """Several runs trained as one stack, as :mod:`regviz.training.run` does it."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def lanes(self) -> int:
        """Models that are still trained."""

    def steps(self) -> Iterator[None]:
        """Train all of them, yielding after each step."""

    def leave(self, run: Any, *, goes_on: bool) -> None:
        """Take a run out between two epochs; one that goes on is then trained alone."""


class LabRun:
    """A lab as the scheduler sees it: its steps, and the newest frame."""

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
        """Whether that was the last step."""
        return self._frame.done

    def steps(self) -> Iterator[None]:
        """Compute, yielding after each frame."""
        for frame in self._frames:
            self._frame = frame
            yield

    def frame(self) -> LabFrame:
        """Return the newest frame."""
        return self._frame


class Task:
    """One request: what was asked for, how far it is, and what was sent of it.

    It is a :class:`regviz.trainer.policy.Progress`.

    Parameters
    ----------
    head, wanted
        The message ``start``: canonical JSON of experiments or of a lab is in ``wanted``.
    turn
        Number of the slice before which it came.
    """

    def __init__(self, head: dict[str, Any], wanted: bytes, turn: int) -> None:
        self.job: int = head["job"]
        self.is_lab: bool = head.get("lab", False)
        self.pause_at: int | None = head["pause_at"]
        self.after: int = head["after"]
        self.max_seconds: float = head["max_seconds"]
        self.frame_epochs: frozenset[int] = frozenset(head.get("frame_epochs", ()))
        self.alone: bool = head.get("alone", False)  # not to be trained with others
        self.crowded: bool = head.get("crowded", False)
        self.turn = turn
        self.spent = 0.0
        self.run: Trainable | None = None
        self.steps: Iterator[None] = iter(())
        self.at_epoch = True
        self.paused = False
        self.sent = 0
        self.sent_epoch = 0
        self.sent_at = 0.0
        self.sent_spent = 0.0
        self.frame_cost = 0.0
        self.announced = False  # the engine has had a first message
        self.held_since: float | None = None
        self.group: Group | None = None
        self._wanted = wanted

    @property
    def has_begun(self) -> bool:
        """Whether its models are made."""
        return self.run is not None

    @property
    def epoch(self) -> int:
        """Epochs trained."""
        return 0 if self.run is None else self.run.epoch

    @property
    def epochs(self) -> int:
        """Epochs asked for."""
        experiments = () if self.run is None else self.run.experiments
        return max((e.training.epochs for e in experiments), default=0)

    @property
    def lanes(self) -> int:
        """Models; 0 before it has begun."""
        return 0 if self.run is None else len(self.run.experiments)

    @property
    def is_whole(self) -> bool:
        """Whether it has begun and none of its lanes has ended."""
        return self.run is not None and self.run.is_whole

    @property
    def shape(self) -> Hashable | None:
        """Equal for tasks that can be trained together; None where this one cannot be."""
        return None if self.run is None or self.alone else self.run.shape_key

    @property
    def has_news(self) -> bool:
        """Whether a frame would show an epoch that was not shown yet."""
        return self.run is not None and self.run.epoch > max(self.after, self.sent_epoch)

    def begin(self, make: Callable[[Sequence[Experiment]], Trainable]) -> Trainable:
        """Make its run, where that is not done."""
        if self.run is None:
            wanted = json.loads(self._wanted)
            if self.is_lab:
                self.run = LabRun(wanted["lab"], wanted["parameters"])
            else:
                self.run = make([Experiment.from_dict(entry) for entry in wanted])
            self.steps = self.run.steps()
        return self.run

    def restart_alone(self) -> None:
        """Forget the run and start again, not with others. Runs are deterministic: without frames
        up to where it was, the picture goes on from there."""
        self.group = self.run = None
        self.steps, self.alone, self.at_epoch = iter(()), True, True
        self.after = max(self.after, self.sent_epoch)

    def too_long(self) -> str:
        """Return the sentence for a task that has used up its time."""
        limit = f"reached this server's limit of {self.max_seconds:g} seconds at"
        if self.is_lab:
            return f"The computing time {limit} step {self.epoch}; ask for less."
        return (
            f"The training time {limit} epoch {self.epoch}; ask for fewer epochs or a smaller "
            "model."
        )


class Group:
    """Tasks that are trained together."""

    def __init__(self, shared: Together, tasks: Sequence[Task]) -> None:
        self.shared = shared
        self.tasks = list(tasks)
        self.leaving: dict[Task, bool] = {}  # at the end of this epoch; whether it goes on alone
        self.steps = shared.steps()
        self.at_epoch = True  # between two epochs, not within one
        self.unseen = False  # some tasks were not observed since the last epoch


class Meter:
    """Measures processor time: on a busy machine the clock would charge a run for other processes.

    Attributes
    ----------
    typical
        Processor seconds of a whole run, from those that ended lately; 0 where none has.
    """

    _FADE = 0.05  # weight of the newest run or slice in what is remembered

    def __init__(self) -> None:
        self.typical = 0.0
        self._since: float | None = None  # processor time at which this slice began
        self._began = 0.0
        self._worked = self._took = 1e-9  # processor and wall-clock seconds, faded

    def begin_slice(self) -> None:
        """Start to measure a slice."""
        self._since, self._began = time.thread_time(), time.perf_counter()

    def end_slice(self, tasks: Sequence[Task]) -> None:
        """Charge the slice to the tasks that shared it, in equal parts."""
        worked = 0.0 if self._since is None else time.thread_time() - self._since
        self._since = None
        for task in tasks:
            task.spent += worked / len(tasks)
        self._worked += worked - self._FADE * self._worked
        self._took += time.perf_counter() - self._began - self._FADE * self._took

    def note_end(self, task: Task) -> None:
        """Remember what a whole run has cost."""
        self.typical += (task.spent - self.typical) * (self._FADE if self.typical else 1.0)

    @property
    def pace(self) -> float:
        """Seconds on the clock per second of processor time."""
        return self._took / self._worked

    def given(self, task: Task) -> float:
        """Return the processor time that a task was given so far, this slice included."""
        if self._since is None:
            return task.spent
        sharing = 1 if task.group is None else max(1, len(task.group.tasks))
        return task.spent + (time.thread_time() - self._since) / sharing
