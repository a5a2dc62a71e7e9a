"""Decisions of a trainer: whose turn it is, how long, together with whom, which frames to send.

Pure functions of what is known about its tasks: no torch, no clock, no connection. The scheduler
(:mod:`regviz.trainer.scheduler`) carries the decisions out.

**Whose turn.** A new run's until it has its first frame; then that of the run which will end first,
if that is soon; else of the run that was given the least processor time so far. So a short run ends
soon however many long ones there are, equal short ones end one after the other instead of all at
the end, and long ones go on side by side. That alone would let new runs stop a long run's picture
for as long as they keep coming, so every eighth slice goes to the run that has waited longest.

**Together.** A run trains one epoch and shows it, so that its user sees something at once. While
other runs that may have its shape are under way it is then held, for some seconds at most; in crowd
mode (the engine starts it) also for runs that are yet to come. All that are held go on as one
stack. So the more there is to do, the more is done at once, and with little to do no run waits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Progress(Protocol):
    """What the policy knows of a task; times are seconds, epochs of a lab are its steps."""

    job: int
    is_lab: bool
    turn: int  # number of the slice in which it was served last
    spent: float  # processor time given so far
    pause_at: int | None  # epoch
    paused: bool
    after: int  # frames up to this epoch are there already
    at_epoch: bool  # between two epochs, not within one
    sent: int  # frames
    sent_at: float  # by the clock
    sent_spent: float  # processor time given by then
    frame_cost: float  # processor time of the last frame
    frame_epochs: frozenset[int]  # frames at these epochs only, where there are any
    crowded: bool  # crowd mode: other requests will follow soon
    held_since: float | None  # by the clock

    @property
    def has_begun(self) -> bool:
        """Whether its models are made."""

    @property
    def epoch(self) -> int:
        """Epochs trained."""

    @property
    def epochs(self) -> int:
        """Epochs asked for."""

    @property
    def lanes(self) -> int:
        """Models; 0 before it has begun."""

    @property
    def is_whole(self) -> bool:
        """Whether it has begun and none of its lanes has ended."""

    @property
    def shape(self) -> Hashable | None:
        """Equal for tasks that can be trained together; None where this one cannot be."""


T = TypeVar("T", bound=Progress)


@dataclass(frozen=True)
class Policy:
    """The decisions, and the numbers that they depend on; seconds.

    Attributes
    ----------
    first_slice, slice
        Length of a task's first slice, and of the later ones.
    frame_seconds, early_frame_seconds, early_frames
        Time between two frames of a run, and between its first so many: a short run needs some
        frames to scrub over.
    frame_share
        Part of a run's processor time that its frames may cost.
    mid_epoch_seconds
        Epochs longer than this are shown, and paused, before they end.
    crowd_of
        Runs on a trainer above which each gets its frames more seldom.
    oldest_every
        Every so many slices one goes to the task that has waited longest.
    soon
        Processor time within which a run ends soon.
    known_after
        Epochs after which a run's cost is estimated from its own.
    max_lanes
        Models that are trained together at most.
    hold_seconds, max_hold_seconds
        How long a run is held after its first frame: at most so long for each run under way, and
        at most so long in all.
    crowd_hold_seconds
        Extra hold in crowd mode, so that late requests join the batch.
    """

    first_slice: float = 0.005
    slice: float = 0.008
    frame_seconds: float = 0.07
    early_frame_seconds: float = 0.03
    early_frames: int = 32
    frame_share: float = 0.15
    mid_epoch_seconds: float = 1.0
    crowd_of: int = 3
    oldest_every: int = 8
    soon: float = 3.0
    known_after: int = 8
    max_lanes: int = 64
    hold_seconds: float = 0.5
    max_hold_seconds: float = 2.5
    crowd_hold_seconds: float = 0.8

    # --- whose turn, and for how long -------------------------------------------------------------

    def next_task(self, tasks: Iterable[T], slices: int, typical: float) -> T | None:
        """Return whose turn it is; None where all tasks are paused or held.

        Parameters
        ----------
        slices
            Slices so far.
        typical
            Processor time of a whole run, from those that ended lately; 0 where none has.
        """
        ready = [t for t in tasks if not t.paused and t.held_since is None]
        if not ready:
            return None
        if slices % self.oldest_every == self.oldest_every - 1:
            return min(ready, key=lambda task: task.turn)
        return min(ready, key=lambda task: self._rank(task, typical))

    def _rank(self, task: Progress, typical: float) -> tuple[int, float, int]:
        """Return a key whose minimum is the task whose turn it is."""
        if not task.has_begun or task.sent == 0:
            return 0, task.spent, task.turn
        left = self.time_left(task, typical)
        if left is not None and left < self.soon:
            return 1, left, task.turn
        return 2, task.spent, task.turn

    def time_left(self, task: Progress, typical: float) -> float | None:
        """Return the processor time that a run will still take; None where that is not known.

        It follows from its own epochs, or, at the beginning, from whole runs before it: the first
        epoch is no measure, since the models are made in it.
        """
        if task.is_lab:
            return None
        if task.epoch >= self.known_after:
            return task.spent * max(0, task.epochs / task.epoch - 1)
        return max(0.0, typical - task.spent) if typical else None

    def slice_seconds(self, task: Progress) -> float:
        """Return how long a task's next slice is."""
        return self.slice if task.spent else self.first_slice

    def outlook(
        self, tasks: Iterable[Progress], typical: float, pace: float
    ) -> list[tuple[int, int, float]]:
        """Return, of each run whose end can be estimated, (job, runs that end before it, seconds).

        A run that ends soon waits for those that end sooner; long runs share the time.

        Parameters
        ----------
        pace
            Seconds on the clock per second of processor time: other processes want it, too.
        """
        left: dict[int, float] = {}
        for task in tasks:
            own = None if task.paused else self.time_left(task, typical)
            if own is not None:
                left[task.job] = own
        return [
            (
                job,
                sum(other < own for other in left.values()),
                pace * sum(t if t <= own else own * (own >= self.soon) for t in left.values()),
            )
            for job, own in left.items()
        ]

    # --- frames and pauses ------------------------------------------------------------------------

    def is_due(self, task: Progress, now: float, given: float, tasks: int) -> bool:
        """Return whether to send a frame of a task now.

        Its frames take their share of its own processor time: by the clock, many runs on one
        trainer would each have that share of the whole, and leave nothing for training.

        Parameters
        ----------
        given
            Processor time that the task was given so far, this slice included.
        tasks
            Tasks of this trainer.
        """
        if not task.has_begun or task.epoch <= task.after:
            return False
        if task.frame_epochs and task.epoch not in task.frame_epochs:
            return False  # the lanes shown beside it have frames at those epochs only
        if given - task.sent_spent < task.frame_cost / self.frame_share:
            return False
        waited = now - task.sent_at
        if not task.at_epoch:
            return task.sent > 0 and waited > self.mid_epoch_seconds
        early = task.sent < self.early_frames
        pace = self.early_frame_seconds if early else self.frame_seconds
        return task.sent == 0 or waited > pace * max(1.0, tasks / self.crowd_of)

    def should_pause(self, task: Progress, now: float) -> bool:
        """Return whether a task has come to the epoch at which it pauses.

        Short epochs are ended first, so that a pause shows a whole one.
        """
        if not task.has_begun or task.pause_at is None:
            return False
        if task.epoch < max(task.pause_at, 1):
            return False
        return task.at_epoch or task.paused or now - task.sent_at > self.mid_epoch_seconds

    # --- together ---------------------------------------------------------------------------------

    def should_hold(self, task: Progress, tasks: Iterable[Progress]) -> bool:
        """Return whether a run that has trained its first epoch is held for others."""
        if task.shape is None or task.pause_at is not None:
            return False
        if not (task.at_epoch and task.epoch == 1 and task.is_whole):
            return False
        others = (t for t in tasks if t is not task and not t.paused)
        return task.crowded or any(may_join(t, task.shape) for t in others)

    def held_until(self, tasks: Collection[Progress]) -> dict[Hashable, float]:
        """Return, for each shape, the time until which its held runs wait: as long as other runs
        that may have it are under way, or are expected, but some seconds at most."""
        held = {t.job: t.held_since for t in tasks if t.held_since is not None}
        if not held:
            return {}
        longest = min(self.max_hold_seconds, self.hold_seconds * len(tasks))
        others = [t for t in tasks if t.job not in held and not t.paused]
        until: dict[Hashable, float] = {}
        for shape in dict.fromkeys(t.shape for t in tasks if t.job in held):
            ahead = any(may_join(t, shape) for t in others)
            until[shape] = min(
                t.held_since + (longest if ahead else self.crowd_hold_seconds * t.crowded)
                for t in tasks
                if t.held_since is not None and t.shape == shape
            )
        return until

    def seconds_until_release(self, tasks: Collection[Progress], now: float) -> float:
        """Return the seconds until a held run goes on; infinite where none is held."""
        return min(self.held_until(tasks).values(), default=math.inf) - now

    def released(self, tasks: Collection[T], now: float) -> list[list[T]]:
        """Return the held runs whose time is over, in the groups in which they go on."""
        groups: list[list[T]] = []
        for shape, until in self.held_until(tasks).items():
            if now >= until:
                held = [t for t in tasks if t.held_since is not None and t.shape == shape]
                groups += self.batches(held)
        return groups

    def batches(self, tasks: Sequence[T]) -> list[list[T]]:
        """Split runs of one shape into groups of at most ``max_lanes`` models, in their order."""
        groups: list[list[T]] = []
        lanes = 0
        for task in tasks:
            lanes += task.lanes
            if not groups or lanes > self.max_lanes:
                groups.append([])
                lanes = task.lanes
            groups[-1].append(task)
        return groups


def may_join(task: Progress, shape: Hashable) -> bool:
    """Return whether a task can, or might once it has begun, be trained with those of a shape."""
    return task.shape == shape or (not task.has_begun and not task.is_lab)
