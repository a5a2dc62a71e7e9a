"""The trainer's decisions alone: no runs, no clock, no connection."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regviz.trainer import policy as policy_module
from regviz.trainer.policy import Policy, may_join
from tests.test_layout import loaded_by

POLICY = Policy()
SHAPE = ("mlp", 8)


@dataclass
class Known:
    """What is known of a task: a run of twins that has trained some epochs and shown them."""

    job: int = 1
    is_lab: bool = False
    turn: int = 0
    spent: float = 1.0
    pause_at: int | None = None
    paused: bool = False
    after: int = 0
    at_epoch: bool = True
    sent: int = 5
    sent_at: float = 0.0
    sent_spent: float = 0.0
    frame_cost: float = 0.0
    frame_epochs: frozenset[int] = frozenset()
    crowded: bool = False
    held_since: float | None = None
    has_begun: bool = True
    epoch: int = 10
    epochs: int = 1000
    lanes: int = 2
    is_whole: bool = True
    shape: Hashable | None = SHAPE


def new(job: int, **more: object) -> Known:
    """Return a task that has just come."""
    fresh = Known(
        job, spent=0.0, sent=0, has_begun=False, epoch=0, epochs=0, lanes=0, is_whole=False
    )
    return replace(fresh, shape=None, **more)  # type: ignore[arg-type]


def served(tasks: list[Known], slices: int) -> list[int]:
    """Give slices as the policy decides, each of a time unit in which a task trains one epoch;
    return whose they were."""
    turns = []
    for n in range(slices):
        task = POLICY.next_task(tasks, n, typical=0.0)
        assert task is not None
        task.turn, task.epoch, task.has_begun = n + 1000, task.epoch + 1, True
        task.spent += 1.0
        task.sent += 1
        turns.append(task.job)
    return turns


# --- whose turn ----------------------------------------------------------------------------------


def test_with_nothing_to_do_it_is_nobody_s_turn() -> None:
    assert POLICY.next_task([], 0, 0.0) is None
    assert POLICY.next_task([Known(paused=True), Known(2, held_since=1.0)], 0, 0.0) is None


def test_a_task_without_a_frame_comes_first() -> None:
    ready = [Known(1, spent=0.0), new(2), Known(3, sent=0, spent=0.5)]
    assert POLICY.next_task(ready, 0, 0.0) is ready[1]
    assert POLICY.next_task([ready[0], ready[2]], 0, 0.0) is ready[2]


def test_then_the_run_that_ends_first_if_that_is_soon() -> None:
    # one second for 10 epochs: 0.5, 2 and 99 s are left
    tasks = [Known(1, epochs=30), Known(2, epochs=15), Known(3, epochs=1000, spent=0.001)]
    tasks[2] = replace(tasks[2], spent=1.0)
    assert POLICY.next_task(tasks, 0, 0.0) is tasks[1]
    assert POLICY.next_task([tasks[0], tasks[2]], 0, 0.0) is tasks[0]


@given(st.lists(st.floats(1.0, 100.0), min_size=1, max_size=8, unique=True))
def test_of_long_runs_the_least_advanced_is_first(spent: list[float]) -> None:
    tasks = [Known(job, spent=s, epochs=10**6) for job, s in enumerate(spent)]
    task = POLICY.next_task(tasks, 0, 0.0)
    assert task is not None
    assert task.spent == min(spent)


@given(st.integers(2, 9), st.integers(0, 50))
def test_long_runs_are_given_equal_time(count: int, rounds: int) -> None:
    tasks = [Known(job, epochs=10**9) for job in range(count)]
    turns = served(tasks, count * rounds)
    counts = [turns.count(job) for job in range(count)]
    assert max(counts) - min(counts) <= 1 + len(turns) // POLICY.oldest_every


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.booleans(), st.floats(0, 100)), min_size=1, max_size=10
    )
)
def test_no_task_starves(kinds: list[tuple[int, bool, float]]) -> None:
    tasks = [
        Known(job, epochs=epochs, is_lab=is_lab, spent=spent, turn=job)
        for job, (epochs, is_lab, spent) in enumerate(kinds)
    ]
    # whoever is new or ends soon, in so many slices each task has had one
    slices = POLICY.oldest_every * len(tasks)
    assert set(served(tasks, slices)) == {task.job for task in tasks}


def test_a_task_with_newcomers_in_every_slice_still_has_its_eighth() -> None:
    old, turns = Known(0, spent=100.0, epochs=10**6), []
    for n in range(80):
        newcomer = new(n + 1, turn=n)
        task = POLICY.next_task([old, newcomer], n, 0.0)
        assert task is not None
        task.turn = n
        turns.append(task.job)
    assert turns.count(0) == 80 // POLICY.oldest_every


def test_a_slice_is_short_at_first() -> None:
    assert POLICY.slice_seconds(new(1)) == POLICY.first_slice < POLICY.slice
    assert POLICY.slice_seconds(Known()) == POLICY.slice


# --- how long a run will take --------------------------------------------------------------------


def test_what_is_left_follows_from_a_run_s_own_epochs_or_from_others() -> None:
    assert POLICY.time_left(Known(spent=2.0, epoch=10, epochs=40), 0.0) == pytest.approx(6.0)
    assert POLICY.time_left(Known(epoch=2), 0.0) is None
    assert POLICY.time_left(Known(epoch=2, spent=1.0), 3.0) == 2.0
    assert POLICY.time_left(Known(epoch=2, spent=5.0), 3.0) == 0.0
    assert POLICY.time_left(Known(is_lab=True), 3.0) is None
    assert POLICY.time_left(Known(spent=2.0, epoch=50, epochs=40), 0.0) == 0.0


def test_short_runs_wait_for_shorter_ones_and_long_ones_share() -> None:
    # 1, 2, 20 and 30 seconds are left
    tasks = [Known(i, spent=1.0, epoch=10, epochs=e) for i, e in enumerate((20, 30, 210, 310))]
    outlook = {job: (ahead, s) for job, ahead, s in POLICY.outlook(tasks, 0.0, pace=2.0)}
    assert [outlook[job][0] for job in range(4)] == [0, 1, 2, 3]
    assert outlook[0][1] == pytest.approx(2 * 1)
    assert outlook[1][1] == pytest.approx(2 * 3)
    assert outlook[2][1] == pytest.approx(2 * (1 + 2 + 20 + 20))
    assert outlook[3][1] == pytest.approx(2 * 53)
    assert POLICY.outlook([Known(paused=True), Known(2, is_lab=True)], 1.0, 1.0) == []


# --- frames and pauses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "now", "due"),
    [
        (new(1), 100.0, False),
        (Known(sent=0), 0.0, True),
        (Known(sent=0, after=10), 100.0, False),
        (Known(sent_at=1.0), 1.02, False),
        (Known(sent_at=1.0), 1.04, True),
        (Known(sent=32, sent_at=1.0), 1.04, False),
        (Known(sent=32, sent_at=1.0), 1.08, True),
        (Known(at_epoch=False), 0.9, False),
        (Known(at_epoch=False), 1.1, True),
        (Known(at_epoch=False, sent=0), 1.1, False),
        (Known(frame_epochs=frozenset({9, 11})), 100.0, False),
        (Known(frame_epochs=frozenset({9, 10})), 100.0, True),
        (Known(frame_cost=0.3, sent_spent=0.0), 100.0, False),
        (Known(frame_cost=0.1, sent_spent=0.0), 100.0, True),
    ],
)
def test_when_a_frame_is_due(task: Known, now: float, due: bool) -> None:
    assert POLICY.is_due(task, now, given=1.0, tasks=1) is due


def test_of_many_runs_each_has_its_frames_more_seldom() -> None:
    task = Known(sent=50)
    assert POLICY.is_due(task, 0.1, 1.0, tasks=POLICY.crowd_of)
    assert not POLICY.is_due(task, 0.1, 1.0, tasks=2 * POLICY.crowd_of)
    assert POLICY.is_due(task, 0.15, 1.0, tasks=2 * POLICY.crowd_of)


@pytest.mark.parametrize(
    ("task", "pauses"),
    [
        (Known(), False),
        (Known(pause_at=11), False),
        (Known(pause_at=10), True),
        (Known(pause_at=0, epoch=0), False),
        (Known(pause_at=3, at_epoch=False, sent_at=0.0), False),
        (Known(pause_at=3, at_epoch=False, sent_at=-1.0), True),
        (Known(pause_at=3, at_epoch=False, paused=True), True),
        (new(1, pause_at=0), False),
    ],
)
def test_a_pause_is_at_the_end_of_an_epoch_unless_that_is_long(task: Known, pauses: bool) -> None:
    assert POLICY.should_pause(task, now=0.5) is pauses


# --- together ------------------------------------------------------------------------------------


def first_epoch(job: int, **more: object) -> Known:
    return replace(Known(job, epoch=1, sent=1), **more)  # type: ignore[arg-type]


def test_a_run_is_held_after_its_first_epoch_while_others_may_join() -> None:
    task = first_epoch(1)
    alike, other = Known(2), Known(3, shape=("mlp", 9))
    assert not POLICY.should_hold(task, [task])
    assert not POLICY.should_hold(task, [task, other])
    assert POLICY.should_hold(task, [task, alike])
    assert POLICY.should_hold(task, [task, new(4)])  # its shape is not known yet
    assert not POLICY.should_hold(task, [task, new(4, is_lab=True)])
    assert not POLICY.should_hold(task, [task, replace(alike, paused=True)])
    for never in ({"epoch": 2}, {"pause_at": 5}, {"shape": None}, {"is_whole": False}):
        assert not POLICY.should_hold(replace(task, **never), [alike])


def test_in_crowd_mode_a_run_is_held_without_others() -> None:
    task = first_epoch(1, crowded=True)
    assert POLICY.should_hold(task, [task])
    held = replace(task, held_since=10.0)
    assert POLICY.held_until([held]) == {SHAPE: 10.0 + POLICY.crowd_hold_seconds}
    assert POLICY.held_until([replace(held, crowded=False)]) == {SHAPE: 10.0}


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=8))
def test_a_hold_is_bounded(held: list[tuple[float, bool]]) -> None:
    tasks = [first_epoch(i, held_since=at, crowded=c) for i, (at, c) in enumerate(held)]
    tasks += [new(100 + i) for i in range(20)]
    (until,) = POLICY.held_until(tasks).values()
    assert until == min(at for at, _ in held) + POLICY.max_hold_seconds
    assert POLICY.seconds_until_release(tasks, now=until) == 0
    assert POLICY.seconds_until_release([Known()], now=0.0) == math.inf


def test_a_hold_lasts_longer_the_more_there_is_to_join() -> None:
    tasks = [first_epoch(1, held_since=0.0), new(2)]
    assert POLICY.held_until(tasks) == {SHAPE: 2 * POLICY.hold_seconds}
    tasks.append(new(3))
    assert POLICY.held_until(tasks) == {SHAPE: 3 * POLICY.hold_seconds}


def test_runs_of_one_shape_go_on_together_and_those_of_another_by_themselves() -> None:
    held = [first_epoch(i, held_since=0.0) for i in range(3)]
    other = first_epoch(9, held_since=0.0, shape=("mlp", 9))
    groups = POLICY.released([*held, other], now=1.0)
    assert [[task.job for task in group] for group in groups] == [[0, 1, 2], [9]]
    waiting = [*held, other, replace(Known(10), shape=("mlp", 9))]
    assert POLICY.released(waiting, now=1.0) == [held]


@given(st.lists(st.integers(1, 64), max_size=30))
def test_a_group_has_at_most_so_many_models(lanes: list[int]) -> None:
    tasks = [first_epoch(i, lanes=n) for i, n in enumerate(lanes)]
    groups = POLICY.batches(tasks)
    assert [task for group in groups for task in group] == tasks
    assert all(0 < sum(t.lanes for t in group) <= POLICY.max_lanes for group in groups)
    for group, following in itertools.pairwise(groups):  # none is split for nothing
        assert sum(t.lanes for t in group) + following[0].lanes > POLICY.max_lanes


def test_what_may_join() -> None:
    assert may_join(Known(), SHAPE)
    assert may_join(new(1), SHAPE)
    assert not may_join(new(1, is_lab=True), SHAPE)
    assert not may_join(Known(shape=None), SHAPE)


def test_the_policy_loads_the_standard_library_only() -> None:
    assert not loaded_by("import regviz.trainer.policy") & {"torch", "numpy", "multiprocessing"}
    source = Path(policy_module.__file__ or "").read_text()
    assert "import time" not in source
