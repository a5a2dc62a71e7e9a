"""Runs of several sessions trained as one stack: each equals the same run alone."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from regviz.engine.engine import Engine
from regviz.engine.limits import Limits
from regviz.frames import Frame
from regviz.specs import Experiment, canonical_key
from regviz.trainer.policy import Policy
from regviz.trainer.scheduler import Scheduler
from regviz.training.run import Run, SharedRun

SMALL: dict[str, Any] = {
    "data": {"n_samples": 60},
    "model": {"hidden": [8]},
    "training": {"epochs": 12},
}


def experiment(**sections: dict[str, Any]) -> Experiment:
    return Experiment.from_dict({k: {**v, **sections.get(k, {})} for k, v in SMALL.items()} | {
        k: v for k, v in sections.items() if k not in SMALL
    })  # fmt: skip


def twins(**regularization: Any) -> list[Experiment]:
    return [experiment(), experiment(regularization=regularization)]


def long(**regularization: Any) -> list[Experiment]:
    """Return twins that train for many slices, so that a test can act in between."""
    return [e.replace("training.epochs", 150) for e in twins(**regularization)]


def image(**regularization: Any) -> list[Experiment]:
    model = {"kind": "cnn", "hidden": [4]}
    data = {"kind": "digits", "n_samples": 80}
    sections = {"data": data, "model": model, "regularization": regularization}
    return [Experiment.from_dict({**sections, "training": {"epochs": 3}})]


def sequence(kind: str, **regularization: Any) -> list[Experiment]:
    model = {"kind": kind, "hidden": [8], "embedding": 8}
    data = {"kind": "order", "n_samples": 60}
    sections = {"data": data, "model": model, "regularization": regularization}
    return [Experiment.from_dict({**sections, "training": {"epochs": 3}})]


def to_the_end(run: Run) -> Frame:
    for _ in run.steps():
        pass
    return run.frame()


def train_until(run: Run | SharedRun, epoch: int) -> None:
    steps = run.steps()
    while run.epoch < epoch:
        next(steps)


def together(requests: Sequence[Sequence[Experiment]], after: int = 1) -> list[Run]:
    runs = [Run(r) for r in requests]
    for run in runs:
        train_until(run, after)
    company = SharedRun(runs)
    for _ in company.steps():
        pass
    return runs


def assert_alike(got: Frame, expected: Frame, tolerance: float = 1e-3) -> None:
    assert (got.epoch, got.epochs, len(got.lanes)) == (
        expected.epoch,
        expected.epochs,
        len(expected.lanes),
    )
    for mine, alone in zip(got.lanes, expected.lanes, strict=True):
        assert (mine.status, mine.epoch, mine.best_epoch, mine.stopped_epoch, mine.restored) == (
            alone.status,
            alone.epoch,
            alone.best_epoch,
            alone.stopped_epoch,
            alone.restored,
        )
        np.testing.assert_allclose(mine.history[:3], alone.history[:3], atol=tolerance)
        np.testing.assert_allclose(mine.norms, alone.norms, rtol=tolerance)
        np.testing.assert_array_equal(mine.zeros, alone.zeros)
        if alone.boundary is not None:
            assert mine.boundary is not None
            difference = mine.boundary.astype(int) - alone.boundary.astype(int)
            assert np.abs(difference).max() <= 2


REQUESTS: dict[str, Callable[[], list[list[Experiment]]]] = {
    "strengths": lambda: [twins(l2=0.01), twins(l1=0.003), twins(weight_decay=0.1), twins()],
    "masks for some": lambda: [twins(l2=0.01), twins(dropout=0.5), twins(input_noise=0.3)],
    "seeds and data": lambda: [
        [experiment(training={"seed": s}, data={"noise": n}, regularization={"dropout": 0.3})]
        for s, n in ((0, 0.1), (1, 0.1), (2, 0.4), (1, 0.4))
    ],
    "step sizes": lambda: [[experiment(training={"lr": lr})] for lr in (0.001, 0.01, 0.1)],
    "momentum for some": lambda: [
        [experiment(training={"optimizer": "sgd", "lr": 0.05, "momentum": m})] for m in (0.0, 0.9)
    ],
    "decoupled decay": lambda: [
        [experiment(training={"optimizer": "adamw"}, regularization={"weight_decay": d})]
        for d in (0.0, 0.3)
    ],
    "early stops": lambda: [
        twins(early_stopping={"patience": 1, "restore_best_weights": True}),
        twins(early_stopping={"patience": 3, "restore_best_weights": False}, dropout=0.2),
        twins(dropout=0.2),
    ],
    "batch norm": lambda: [
        [experiment(model={"norm": "batch"}, regularization={"l2": k})] for k in (0.0, 0.02)
    ],
    "images": lambda: [image(), image(dropout=0.3), image(l2=0.01)],
    "LSTM": lambda: [sequence("lstm"), sequence("lstm", recurrent_dropout=0.3)],
    "transformer": lambda: [
        sequence("transformer"),
        sequence("transformer", attention_dropout=0.3),
    ],
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_run_is_the_same_in_company_as_alone(name: str) -> None:
    requests = REQUESTS[name]()
    for run, request in zip(together(requests), requests, strict=True):
        assert_alike(run.frame(), to_the_end(Run(request)))


def test_what_several_ask_for_is_one_lane() -> None:
    runs = [Run(twins(l2=k)) for k in (0.001, 0.01, 0.1)]
    for run in runs:
        train_until(run, 1)
    assert SharedRun(runs).lanes == 4  # one without regularization, and three with


def test_who_leaves_goes_on_as_if_alone_and_so_do_those_who_stay() -> None:
    requests = [twins(dropout=p, early_stopping={"patience": 4}) for p in (0.1, 0.3, 0.5)]
    runs = [Run(r) for r in requests]
    for run in runs:
        train_until(run, 2)
    company = SharedRun(runs)
    train_until(company, 5)
    company.leave(runs[1], goes_on=True)
    company.leave(runs[0], goes_on=False)
    assert company.lanes == 2
    left = to_the_end(runs[1])
    assert_alike(left, to_the_end(Run(requests[1])))
    for _ in company.steps():
        pass
    assert_alike(runs[2].frame(), to_the_end(Run(requests[2])))


def test_runs_that_do_not_fit_are_refused() -> None:
    near, far = Run(twins()), Run(twins(l2=0.1))
    train_until(far, 2)
    with pytest.raises(ValueError, match="equally far"):
        SharedRun([near, far])
    other = Run([experiment(model={"hidden": [9]})])
    with pytest.raises(ValueError, match="one stack"):
        SharedRun([near, other])
    assert Run([experiment(), experiment(model={"hidden": [9]})]).shape_key is None
    assert Run([experiment(model={"hidden": [512, 512]})]).shape_key is None  # bound by arithmetic


# --- the trainer ---------------------------------------------------------------------------------


class Desk:
    """A scheduler that lets runs join, what it has sent, and the companies that came about."""

    def __init__(
        self, join: Callable[[Sequence[Run]], SharedRun] = SharedRun, policy: Policy | None = None
    ) -> None:
        self.companies: list[SharedRun] = []
        self.sent: list[tuple[dict[str, Any], bytes]] = []

        def noting(runs: Sequence[Run]) -> SharedRun:
            self.companies.append(join(runs))
            return self.companies[-1]

        self.scheduler = Scheduler(
            Run, lambda head, body: self.sent.append((head, body)), noting, policy
        )

    def start(self, job: int, experiments: Sequence[Experiment], **more: object) -> None:
        head = {"kind": "start", "job": job, "pause_at": None, "after": 0, "max_seconds": 60.0}
        self.scheduler.command({**head, **more}, canonical_key(experiments).encode())

    def go_on(self, until: Callable[[], bool] = lambda: False) -> None:
        while not until() and (job := self.scheduler.next_job()) is not None:
            self.scheduler.slice(job)

    def epoch(self, job: int) -> int:
        run = self.scheduler._tasks[job].run
        return 0 if run is None else run.epoch

    def states(self, job: int) -> list[str]:
        return [head["state"] for head, _ in self.sent if head["job"] == job]

    def last(self, job: int) -> Frame:
        frames = [Frame.from_bytes(body) for head, body in self.sent if head["job"] == job and body]
        return frames[-1]

    def ended(self, *jobs: int) -> bool:
        return all("finished" in self.states(job) for job in jobs)


def test_requests_of_one_shape_are_trained_together_and_each_is_shown() -> None:
    desk = Desk()
    requests = {i: twins(l2=0.01 * i) for i in range(1, 6)}
    for i, request in requests.items():
        desk.start(i, request)
    desk.go_on()
    assert [c.lanes for c in desk.companies] == [0]  # one company, and it has ended
    for i, request in requests.items():
        assert desk.states(i)[-1] == "finished"
        assert_alike(desk.last(i), to_the_end(Run(request)))


def test_alone_nobody_waits_and_a_late_one_joins_the_next_start() -> None:
    # whatever else this machine does
    desk = Desk(policy=Policy(hold_seconds=60.0, max_hold_seconds=60.0))
    desk.start(1, long(l2=0.01))
    desk.go_on(until=lambda: desk.epoch(1) > 1)
    for late in (2, 3):
        desk.start(late, long(l2=0.01 * late))
    desk.go_on(until=lambda: desk.ended(1))
    # they have shown their first epoch and wait for the one on its way
    assert set(desk.states(2)) == {"running"}  # said before, too, where that took long
    assert desk.last(2).epoch == 1
    desk.go_on()
    assert len(desk.companies) == 1
    assert desk.ended(1, 2, 3)


def test_a_company_has_room_for_so_many() -> None:
    # whatever else this machine does
    desk = Desk(policy=Policy(hold_seconds=60.0, max_hold_seconds=60.0))
    requests = [[experiment(regularization={"l2": 1e-4 * i})] for i in range(Policy.max_lanes + 3)]
    for i, request in enumerate(requests, start=1):
        desk.start(i, request)
    desk.go_on(until=lambda: bool(desk.companies))
    assert max(c.lanes for c in desk.companies) <= Policy.max_lanes
    desk.go_on()
    assert len(desk.companies) == 2
    assert desk.ended(*range(1, len(requests) + 1))


def test_a_cancel_takes_out_one_lane_only() -> None:
    desk = Desk()
    for i in range(1, 5):
        desk.start(i, long(l2=0.01 * i))
    desk.go_on(until=lambda: bool(desk.companies) and desk.companies[0].epoch >= 3)
    assert desk.companies[0].lanes == 5
    desk.scheduler.command({"kind": "cancel", "job": 2})
    desk.go_on(until=lambda: desk.companies[0].lanes != 5)  # at the end of the epoch on its way
    assert desk.companies[0].lanes == 4
    assert not desk.ended(1)
    said = len(desk.states(2))
    desk.go_on()
    assert desk.ended(1, 3, 4)
    assert len(desk.states(2)) == said
    assert_alike(desk.last(3), to_the_end(Run(long(l2=0.03))))


def test_who_pauses_leaves_and_resumes_alone() -> None:
    desk = Desk()
    for i in range(1, 4):
        desk.start(i, long(dropout=0.1 * i))
    desk.go_on(until=lambda: bool(desk.companies) and desk.companies[0].epoch >= 3)
    desk.scheduler.command({"kind": "pause_at", "job": 2, "epoch": 4})
    desk.go_on()
    assert desk.ended(1, 3)
    assert desk.states(2)[-1] == "paused"
    at = desk.last(2).epoch
    assert at >= 3
    desk.scheduler.command({"kind": "pause_at", "job": 2, "epoch": at + 1})
    desk.go_on()
    assert desk.states(2)[-1] == "paused"
    assert desk.last(2).epoch == at + 1
    desk.scheduler.command({"kind": "pause_at", "job": 2, "epoch": None})
    desk.go_on()
    assert_alike(desk.last(2), to_the_end(Run(long(dropout=0.2))))


class Failing(SharedRun):
    """Goes wrong as a whole in its fifth epoch, as where memory runs out."""

    def steps(self) -> Any:
        for step in super().steps():
            if self.epoch == 5:
                raise MemoryError
            yield step


@pytest.mark.parametrize("when", ["at the start", "on the way"])
def test_what_fails_together_is_trained_alone(when: str) -> None:
    def refuse(runs: Sequence[Run]) -> SharedRun:
        raise MemoryError

    desk = Desk(refuse if when == "at the start" else Failing)
    for i in range(1, 4):
        desk.start(i, twins(l2=0.02 * i))
    desk.go_on()
    for i in range(1, 4):
        assert desk.states(i)[-1] == "finished"
        assert "failed" not in desk.states(i)
        assert_alike(desk.last(i), to_the_end(Run(twins(l2=0.02 * i))))


def test_a_diverging_neighbour_changes_nothing() -> None:
    desk = Desk()
    desk.start(1, twins(l2=0.01))
    wild = experiment(training={"optimizer": "sgd", "lr": 1e6})
    calm = experiment(training={"optimizer": "sgd", "lr": 0.05})
    desk.start(2, [wild])
    desk.start(3, [calm])
    desk.go_on()
    assert desk.last(2).lanes[0].status == "diverged"
    assert_alike(desk.last(3), to_the_end(Run([calm])))


def test_a_killed_trainer_loses_nobody_of_a_company() -> None:
    engine = Engine(trainers=1)
    try:
        requests = [
            [experiment(training={"epochs": 5000}, regularization={"l2": 1e-3 * i})]
            for i in range(1, 4)
        ]
        jobs = [engine.submit(r, owner=f"student {i}") for i, r in enumerate(requests)]
        for job in jobs:
            while not (frame := job.latest()) or frame.epoch < 5:
                assert job.wait(120, after=job.version)
        os.kill(engine.trainers()[0].pid, signal.SIGKILL)
        for job in jobs:
            while "started again" not in job.reason:
                assert job.state in ("queued", "running")
                assert job.wait(120, after=job.version), job.state
            at = job.latest()
            while (now := job.latest()) is None or at is None or now.epoch <= at.epoch:
                assert job.state in ("queued", "running")
                assert job.wait(120, after=job.version), job.state
    finally:
        engine.close()


def test_in_a_crowd_the_next_ones_are_waited_for() -> None:
    held = Policy(crowd_hold_seconds=60.0, hold_seconds=60.0, max_hold_seconds=60.0)
    desk = Desk(policy=held)
    assert desk.scheduler.rest() == math.inf
    for job in (1, 2):
        desk.start(job, twins(l2=0.01 * job), crowded=True)
        desk.go_on()
        # it has shown its first epoch; nobody else is there, and yet it waits
        assert set(desk.states(job)) == {"running"}  # said before, too, where that took long
        assert desk.last(job).epoch == 1
        assert 0 < desk.scheduler.rest() <= 60
    desk.start(3, [experiment(model={"hidden": [9]})])  # of another shape, and no crowd said
    desk.go_on(until=lambda: desk.ended(3))
    assert not desk.companies
    desk.scheduler.policy = dataclasses.replace(held, crowd_hold_seconds=0.0)
    desk.go_on()
    assert len(desk.companies) == 1
    for job in (1, 2):
        assert_alike(desk.last(job), to_the_end(Run(twins(l2=0.01 * job))))


def test_many_who_ask_are_a_crowd_and_one_who_asks_often_is_none() -> None:
    engine = Engine(trainers=1, device="cpu", limits=Limits())
    try:
        for i in range(8):
            engine.submit(twins(l2=0.01 * i), "one owner")
        assert not engine.fleet.is_crowded
        jobs = [engine.submit(twins(l1=0.01 * i), f"owner {i}") for i in range(5)]
        assert engine.fleet.is_crowded
        for job in jobs:  # they are waited for, and then trained
            while True:
                version = job.version
                if job.state == "finished":
                    break
                assert job.wait(120, after=version), job.state
    finally:
        engine.close()


def test_nobody_is_held_for_long() -> None:
    desk = Desk(policy=Policy(hold_seconds=0.0))
    first, second = (
        [e.replace("training.epochs", 5000) for e in twins(l2=k)] for k in (0.01, 0.02)
    )
    desk.start(1, first)
    desk.go_on(until=lambda: any(head["epoch"] > 1 for head, _ in desk.sent))
    desk.start(2, second)
    desk.go_on(until=lambda: any(h["job"] == 2 and h["epoch"] > 1 for h, _ in desk.sent))
    assert not desk.ended(1)


# --- what is still to come ----------------------------------------------------------------------


def test_outlook_ranks_runs_by_what_is_left_of_them() -> None:
    desk = Desk()
    for job, epochs in ((1, 2700), (2, 300), (3, 900)):
        wide = experiment(model={"hidden": [8 + job]})  # three shapes: nobody joins anybody
        desk.start(job, [wide.replace("training.epochs", epochs)])
    assert desk.scheduler.outlook() == []  # of runs like these nothing is known yet
    desk.go_on(until=lambda: len(desk.scheduler.outlook()) == 3)
    outlook = {job: (ahead, seconds) for job, ahead, seconds in desk.scheduler.outlook()}
    assert [outlook[job][0] for job in (2, 3, 1)] == [0, 1, 2]
    assert 0 < outlook[2][1] < outlook[3][1] < outlook[1][1]
    desk.go_on(until=lambda: desk.ended(2))
    later = {job: seconds for job, _, seconds in desk.scheduler.outlook()}
    assert later.keys() == {1, 3}
    desk.scheduler.command({"kind": "pause_at", "job": 1, "epoch": 1})
    desk.go_on(until=lambda: "paused" in desk.states(1))  # at an epoch's end, not within one
    assert [job for job, _, _ in desk.scheduler.outlook()] == [3]  # who is paused holds up nobody


def test_who_has_not_begun_is_expected_to_cost_what_the_last_ones_did() -> None:
    desk = Desk()
    desk.start(1, long(l2=0.1))
    desk.go_on()
    assert desk.scheduler.outlook() == []
    desk.start(2, long(l2=0.2))
    ((job, ahead, seconds),) = desk.scheduler.outlook()
    assert (job, ahead) == (2, 0)
    assert seconds > 0
