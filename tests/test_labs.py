"""The labs' frames and table, and labs in the scheduler and in the engine."""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regviz import labs
from regviz.engine.engine import IN_PROGRESS, Engine, Job, LabJob
from regviz.engine.limits import Limits
from regviz.labs import LABS, Choice, LabFrame, Number, Whole
from regviz.specs import Experiment, SpecError
from regviz.trainer.policy import Policy
from regviz.trainer.scheduler import Scheduler
from regviz.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0  # seconds; for what comes in one or two on a machine that is not busy
SMALL = {"n_samples": 40, "n_features": 3, "steps": 300}
LONG = {"n_samples": 500, "n_features": 20, "steps": 50_000}
_seeds = itertools.count(1)


def run_lab(name: str, **parameters: Any) -> LabFrame:
    """Return a lab's last frame; each frame must be one step after the previous one."""
    frame = None
    for at, frame in enumerate(labs.start(name, parameters), start=1):
        assert frame.step == at
    assert frame is not None
    assert frame.step == frame.steps
    return frame


# --- frames --------------------------------------------------------------------------------------


def test_a_frame_goes_there_and_back_bit_by_bit() -> None:
    arrays: dict[str, Any] = {
        "a": np.array([[1.5, np.nan], [np.inf, -0.0]]),
        "empty": np.empty((3, 0), np.float32),
        "odd": np.arange(3, dtype=np.uint8),
        "strided": np.arange(12).reshape(3, 4)[:, ::2],
        "flags": np.array([True, False]),
        "number": np.array(7, np.int64),
    }
    values: dict[str, Any] = {
        "x": 0.1,
        "word": "λ → 0",
        "list": [1.0, ["a", 2.5]],
        "unknown": 1e400,
    }
    frame = LabFrame(3, 9, arrays, values)
    back = LabFrame.from_bytes(frame.to_bytes())
    assert (back.step, back.steps, back.done) == (3, 9, False)
    assert back.values == values
    assert list(back.arrays) == list(arrays)
    for name, array in arrays.items():
        assert back.arrays[name].dtype == array.dtype
        assert back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes()
        assert not back.arrays[name].flags.writeable
    assert back.to_bytes() == frame.to_bytes()
    assert back.number("x") == 0.1
    assert LabFrame(1, 1, {}, {"l": [1, 2]}).numbers("l") == [1.0, 2.0]
    for name in ("word", "list"):
        with pytest.raises(TypeError, match=name):
            back.number(name)
    with pytest.raises(TypeError, match="x is no list"):
        back.numbers("x")


def test_what_is_not_a_whole_frame_is_refused() -> None:
    data = LabFrame(1, 1, {"a": np.arange(100.0)}, {"b": 1.0}).to_bytes()
    for broken in (b"", b"RVF1" + data[4:], data[:4], data[:20], data[:-8]):
        with pytest.raises(ValueError, match="frame of a lab"):
            LabFrame.from_bytes(broken)
    with pytest.raises(TypeError):
        LabFrame(1, 1, {"a": np.array([{}])}).to_bytes()  # Python objects would be pickled


# --- the table -----------------------------------------------------------------------------------


def test_the_table_needs_no_torch() -> None:
    script = (
        "import sys; from regviz import labs; import regviz.engine.engine; "
        "print(len(labs.LABS), *{'torch', 'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == [str(len(LABS))]


@pytest.mark.parametrize("name", LABS)
def test_defaults_are_in_range_and_documented(name: str) -> None:
    lab = LABS[name]
    for key, rule in lab.parameters.items():
        assert rule.check(key, rule.default) == rule.default
    assert _described(name)


def test_equal_requests_have_one_text() -> None:
    plain = labs.canonical_json("dropout_ridge", {})
    assert labs.canonical_json("dropout_ridge", {"p": 0.3, "seed": 0}) == plain
    assert labs.canonical_json("dropout_ridge", {"seed": 0, "p": 0.3}) == plain
    assert labs.canonical_json("dropout_ridge", {"p": 0.4}) != plain
    zero = labs.canonical_json("dropout_ridge", {"p": 0})
    assert labs.canonical_json("dropout_ridge", {"p": -0.0}) == zero


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("bananas", {}, "choose one of dropout_ridge"),
        ("dropout_ridge", {"q": 1}, "dropout_ridge.q: unknown parameter; known here are p,"),
        ("dropout_ridge", {"p": 0.95}, "dropout_ridge.p: got 0.95; give a number from 0 to 0.9"),
        ("dropout_ridge", {"p": float("nan")}, "got nan"),
        ("dropout_ridge", {"p": "0.5"}, "give a number"),
        ("dropout_ridge", {"p": True}, "give a number"),
        ("dropout_ridge", {"steps": 10**6}, "give a whole number from 100 to"),
        ("dropout_ridge", {"steps": 200.0}, "give a whole number"),
    ],
)
def test_bad_requests_are_refused_in_one_sentence(
    name: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        labs.canonical_json(name, parameters)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rules() -> None:
    assert Number(0.5, 0, 1).check("p", 1) == 1.0
    assert Whole(1, 0, 3).check("n", 3) == 3
    assert Choice("a", ("a", "b")).check("c", "b") == "b"
    with pytest.raises(SpecError, match="choose one of a, b"):
        Choice("a", ("a", "b")).check("c", ["a"])


# --- the scheduler -------------------------------------------------------------------------------


class Desk:
    """A scheduler and the messages that it has sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], bytes, float]] = []
        self.scheduler = Scheduler(Run, self._send)

    def _send(self, head: dict[str, Any], body: bytes) -> None:
        self.sent.append((head, body, time.perf_counter()))

    def start(self, job: int, key: str, *, lab: bool, **more: object) -> None:
        head = {"kind": "start", "job": job, "pause_at": None, "after": 0, "max_seconds": 60.0}
        self.scheduler.command({**head, "lab": lab, **more}, key.encode())

    def turn(self) -> int | None:
        job = self.scheduler.next_job()
        if job is not None:
            self.scheduler.slice(job)
        return job

    def until_idle(self) -> None:
        while self.turn() is not None:
            pass

    def frames(self, job: int) -> list[LabFrame]:
        return [LabFrame.from_bytes(b) for head, b, _ in self.sent if head["job"] == job and b]


def test_a_lab_shares_the_trainer_with_runs() -> None:
    desk = Desk()
    long_run = Experiment.from_dict({"data": {"n_samples": 60}, "model": {"hidden": [8]}})
    desk.start(
        1, "[" + long_run.replace("training.epochs", 20_000).canonical_json() + "]", lab=False
    )
    for _ in range(20):
        desk.turn()
    desk.start(2, labs.canonical_json("dropout_ridge", SMALL), lab=True)
    turns = []
    while desk.sent[-1][0]["state"] != "finished":
        turns.append(desk.turn())
    assert 2 in turns[:2]
    frames = desk.frames(2)
    assert frames[0].step < frames[-1].step or len(frames) == 1
    assert frames[-1].done
    assert frames[-1].to_bytes() == run_lab("dropout_ridge", **SMALL).to_bytes()
    assert desk.turn() == 1  # the run goes on


def test_frames_of_a_lab_come_early_and_at_most_ten_a_second() -> None:
    desk = Desk()
    desk.start(1, labs.canonical_json("noise_ridge", LONG), lab=True)
    while not desk.frames(1):
        desk.turn()
    assert desk.frames(1)[0].step == 1
    desk.until_idle()
    times = [at for head, body, at in desk.sent if body and head["state"] == "running"]
    assert all(b - a > Policy.early_frame_seconds for a, b in itertools.pairwise(times))
    assert desk.frames(1)[-1].done


def test_a_lab_that_starts_again_is_silent_up_to_what_was_seen() -> None:
    desk = Desk()
    desk.start(1, labs.canonical_json("dropout_ridge", SMALL), lab=True, after=40)
    desk.until_idle()
    assert min(frame.step for frame in desk.frames(1)) > 40


def test_a_lab_s_time_is_limited() -> None:
    desk = Desk()
    desk.start(1, labs.canonical_json("noise_ridge", LONG), lab=True, max_seconds=0.05)
    desk.until_idle()
    head = desk.sent[-1][0]
    assert head["state"] == "failed"
    assert "computing time reached this server's limit of 0.05 seconds at step" in head["reason"]


def test_a_bad_lab_fails_alone() -> None:
    desk = Desk()
    desk.start(1, '{"lab": "bananas", "parameters": {}}', lab=True)
    desk.start(2, labs.canonical_json("dropout_ridge", SMALL), lab=True)
    desk.until_idle()
    states = {job: [h["state"] for h, _, _ in desk.sent if h["job"] == job] for job in (1, 2)}
    assert states[1] == ["failed"]
    assert states[2][-1] == "finished"


# --- the engine ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Give all tests one engine with one trainer."""
    engine = Engine(trainers=1, device="cpu", limits=Limits())
    yield engine
    engine.close()


@pytest.fixture
def owner(engine: Engine) -> Iterator[str]:
    name = f"lab-owner-{next(_seeds)}"
    yield name
    engine.release(name)


def until(job: LabJob | Job, condition: Callable[[], bool]) -> None:
    """Wait for a condition that only a change of the job can make true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        version = job.version
        if condition():
            return
        left = deadline - time.monotonic()
        assert left > 0, f"{job.state}, {job.reason}"
        job.wait(left, after=version)


def finish(job: LabJob) -> LabFrame:
    until(job, lambda: job.state not in IN_PROGRESS)
    assert job.state == "finished", job.reason
    frame = job.latest()
    assert frame is not None
    return frame


def test_a_lab_s_frames_arrive_and_a_finished_one_is_kept(engine: Engine, owner: str) -> None:
    parameters = {**SMALL, "seed": next(_seeds)}
    job = engine.submit_lab("dropout_ridge", parameters, owner, slot="theory")
    assert job.name == "dropout_ridge"
    assert job.parameters["p"] == 0.3
    final = finish(job)
    assert final.done
    assert final.to_bytes() == run_lab("dropout_ridge", **parameters).to_bytes()
    again = engine.submit_lab("dropout_ridge", parameters, owner, slot="theory")
    assert again.state == "finished"
    assert again.version == 1
    assert again.latest() is final


def test_equal_labs_share_one_run(engine: Engine, owner: str) -> None:
    parameters = {**LONG, "steps": 10_000, "seed": next(_seeds)}
    first = engine.submit_lab("noise_ridge", parameters, owner, slot="a")
    second = engine.submit_lab("noise_ridge", parameters, owner, slot="b")
    assert first.work is second.work
    first.cancel()
    assert first.state == "cancelled"
    assert finish(second).done


def test_the_newest_lab_of_a_slot_wins_and_runs_have_slots_of_their_own(
    engine: Engine, owner: str
) -> None:
    run = engine.submit([Experiment().replace("training.epochs", 5000)], owner, slot="main")
    old = engine.submit_lab("noise_ridge", {**LONG, "seed": next(_seeds)}, owner, slot="main")
    new = engine.submit_lab("noise_ridge", {**SMALL, "seed": next(_seeds)}, owner, slot="main")
    assert old.state == "cancelled"
    assert run.state in IN_PROGRESS
    finish(new)
    engine.release(owner)
    until(run, lambda: run.state == "cancelled")


def test_bad_and_too_many_labs_are_refused_before_anything_is_asked(
    engine: Engine, owner: str
) -> None:
    with pytest.raises(SpecError, match=r"noise_ridge\.sigma: got -1"):
        engine.submit_lab("noise_ridge", {"sigma": -1}, owner, slot="a")
    wanted = [{**LONG, "seed": next(_seeds)} for _ in range(17)]
    jobs = [
        engine.submit_lab("noise_ridge", parameters, owner, slot=f"{i}")
        for i, parameters in enumerate(wanted[:16])
    ]
    with pytest.raises(SpecError, match="labs: got 17 at a time; a session may have at most 16"):
        engine.submit_lab("noise_ridge", wanted[16], owner, slot="16")
    engine.release(owner)
    until(jobs[0], lambda: jobs[0].state == "cancelled")


def test_a_lab_goes_on_after_the_loss_of_its_trainer(engine: Engine, owner: str) -> None:
    parameters = {**LONG, "steps": 20_000, "seed": next(_seeds)}
    job = engine.submit_lab("noise_ridge", parameters, owner, slot="a")
    until(job, lambda: job.latest() is not None)
    before = job.latest()
    assert before is not None
    os.kill(engine.trainers()[0].pid, signal.SIGKILL)
    until(job, lambda: job.reason != "")
    assert "started again" in job.reason
    frame = finish(job)
    assert frame.step > before.step
    name = "weights"
    shown = before.arrays[name]
    assert np.array_equal(frame.arrays[name][: len(shown)], shown)


def test_a_closed_engine_takes_no_labs() -> None:
    engine = Engine(trainers=1, device="cpu", limits=Limits())
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit_lab("noise_ridge", SMALL, "me", slot="a")


# --- what is written about them ------------------------------------------------------------------


def _described(name: str) -> str:
    """Return the signature and docstring of a lab's generator."""
    lab = LABS[name]
    function = getattr(importlib.import_module(lab.module), lab.function)
    assert inspect.getdoc(function)
    return f"{inspect.signature(function)}\n{inspect.getdoc(function)}"


@pytest.mark.parametrize("name", LABS)
def test_every_parameter_array_and_value_is_described(name: str) -> None:
    words = set(re.findall(r"\w+", _described(name)))
    frame = None
    small = {"epochs": 20} if "epochs" in LABS[name].parameters else {}
    for frame in labs.start(name, small):
        assert set(frame.arrays) | set(frame.values) <= words | {"measured", "says"}
        sizes = {key: a.size for key, a in frame.arrays.items()}
        assert sum(sizes.values()) < 300_000, sizes
    assert frame is not None
    assert set(LABS[name].parameters) <= words
    for key, array in frame.arrays.items():
        assert np.isfinite(array).all(), key
