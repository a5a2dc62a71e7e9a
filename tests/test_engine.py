"""The engine with real trainer processes, real signals and the real training core."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regviz.engine import settings as settings_module
from regviz.engine.cache import Cache
from regviz.engine.engine import IN_PROGRESS, Engine, Job
from regviz.engine.limits import Limits
from regviz.engine.processes import TrainerProcess
from regviz.engine.settings import Settings
from regviz.frames import Frame, LaneFrame
from regviz.specs import Experiment, SpecError

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0  # seconds; for what comes in one or two on a machine that is not busy
_seeds = itertools.count(1000)


def twins(epochs: int) -> list[Experiment]:
    """Make two lanes that no other test trains, because runs are shared and cached."""
    plain = Experiment.from_dict(
        {
            "data": {"n_samples": 100, "seed": next(_seeds)},
            "model": {"hidden": [16]},
            "training": {"epochs": epochs},
        }
    )
    return [plain, plain.replace("regularization.dropout", 0.5)]


SHORT, LONG = 30, 5000


def until(job: Job, condition: Callable[[], bool], what: str = "") -> None:
    """Wait for a condition that only a change of the job can make true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        version = job.version
        if condition():
            return
        left = deadline - time.monotonic()
        assert left > 0, f"{what}: {job.state}, {job.reason}, {_epoch(job)}"
        job.wait(left, after=version)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition outside any job."""
    deadline, never = time.monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        never.wait(0.02)


def finish(job: Job) -> Frame:
    until(job, lambda: job.state not in IN_PROGRESS, "end")
    assert job.state == "finished", job.reason
    return _shown(job)


def seen(job: Job, epoch: int = 1) -> Frame:
    until(job, lambda: _epoch(job) >= epoch, f"epoch {epoch}")
    return _shown(job)


def _shown(job: Job) -> Frame:
    frame = job.latest()
    assert frame is not None
    return frame


def _epoch(job: Job) -> int:
    frame = job.latest()
    return 0 if frame is None else frame.epoch


def same(a: Frame, b: Frame) -> bool:
    """Whether two frames are equal bit for bit."""

    def equal(left: LaneFrame, right: LaneFrame) -> bool:
        for name, value in vars(left).items():
            other = getattr(right, name)
            if isinstance(value, np.ndarray):
                if value.dtype != other.dtype or value.tobytes() != other.tobytes():
                    return False
            elif value != other:
                return False
        return True

    pairs = zip(a.lanes, b.lanes, strict=True)
    return a.epoch == b.epoch and all(equal(left, right) for left, right in pairs)


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie counts as ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def trainer_pid(engine: Engine) -> int:
    """Return the only trainer's process id, once it is ready."""
    eventually(lambda: engine.trainers()[0].ready)
    return engine.trainers()[0].pid


def change(patch: pytest.MonkeyPatch, engine: Engine, **settings: Any) -> None:
    """Change settings of an engine's fleet while it runs."""
    patch.setattr(engine.fleet, "settings", dataclasses.replace(engine.fleet.settings, **settings))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Give all tests one engine with one trainer, so that its schedule is deterministic."""
    engine = Engine(trainers=1, device="cpu", limits=Limits())
    yield engine
    engine.close()


@pytest.fixture
def owner(engine: Engine) -> Iterator[Callable[[], str]]:
    """Give new owner names, and release all owners at the end."""
    names: list[str] = []

    def new() -> str:
        names.append(f"owner-{next(_seeds)}")
        return names[-1]

    yield new
    for name in names:
        engine.release(name)


Owner = Callable[[], str]


# --- runs ----------------------------------------------------------------------------------------


def test_first_frame_is_early_and_the_rest_follows(engine: Engine, owner: Owner) -> None:
    trainer_pid(engine)
    experiments = twins(2000)
    job = engine.submit(experiments, owner())
    assert job.state in IN_PROGRESS
    assert job.experiments == tuple(experiments)
    assert job.epochs == 2000
    versions = [job.version]
    first = seen(job)
    assert first.epoch < 1000
    assert job.state == "running"
    assert first.data is not None
    assert [data.n_train + data.n_val for data in first.data] == [100, 100]
    while job.state in IN_PROGRESS:
        assert job.wait(PATIENCE, after=versions[-1])
        versions.append(job.version)
    assert job.state == "finished"
    assert versions == sorted(set(versions))
    frames = job.frames()
    assert frames[0].epoch == 1
    assert frames[-1].epoch == 2000
    assert [frame.epoch for frame in frames] == sorted({frame.epoch for frame in frames})
    assert all(frame.data is not None for frame in frames)
    assert [lane.status for lane in frames[-1].lanes] == ["finished", "finished"]
    assert _shown(job) is frames[-1]


def test_wait_says_whether_something_came(engine: Engine, owner: Owner) -> None:
    job = engine.submit(twins(SHORT), owner())
    finish(job)
    assert job.wait(0)
    assert not job.wait(0.01, after=job.version)


def test_short_jobs_end_behind_long_ones_and_all_have_a_first_frame(
    engine: Engine, owner: Owner
) -> None:
    long = [engine.submit(twins(LONG), owner()) for _ in range(5)]
    for job in long:
        seen(job)
    short = engine.submit(twins(SHORT), owner())
    finish(short)
    assert [job.state for job in long] == ["running"] * 5


def test_cancel_stops_training(engine: Engine, owner: Owner) -> None:
    job = engine.submit(twins(LONG), owner())
    seen(job)
    version = job.version
    job.cancel()
    assert job.state == "cancelled"
    assert job.version > version
    picture = _shown(job)
    finish(engine.submit(twins(SHORT), owner()))  # the trainer has turned to somebody else
    assert _shown(job) is picture
    for command in (job.cancel, job.pause, job.resume, job.step):
        command()
    assert job.state == "cancelled"


def test_the_newest_job_of_a_slot_replaces_the_older(engine: Engine, owner: Owner) -> None:
    me = owner()
    older = engine.submit(twins(LONG), me)
    other_slot = engine.submit(twins(LONG), me, slot="sweep")
    newer = engine.submit(twins(SHORT), me)
    assert older.state == "cancelled"
    assert other_slot.state in IN_PROGRESS
    finish(newer)


def test_equal_requests_share_one_run(engine: Engine, owner: Owner) -> None:
    experiments = twins(1500)
    a = engine.submit(experiments, owner())
    seen(a)
    b = engine.submit(list(experiments), owner())
    assert b.latest() is not None  # it sees at once what there is
    assert b.version > 0
    a.cancel()
    assert a.state == "cancelled"
    final = finish(b)
    # had it trained twice, these would be two equal objects
    assert _shown(a) is final


def test_who_waits_for_one_run_is_counted_each(owner: Owner) -> None:
    own, experiments = Engine(trainers=1), twins(LONG)
    try:
        jobs = [own.submit(experiments, owner()) for _ in range(3)]
        assert (own.busy, own.watched) == (1, 3)
        jobs[0].cancel()
        assert (own.busy, own.watched) == (1, 2)
    finally:
        own.close()
    assert own.closed


def test_the_same_request_again_goes_on_with_its_run(engine: Engine, owner: Owner) -> None:
    me, experiments = owner(), twins(LONG)
    first = engine.submit(experiments, me)
    seen(first, 10)
    again = engine.submit(experiments, me)
    assert first.state == "cancelled"
    assert again.state == "running"
    assert _epoch(again) >= 10


def test_pause_step_and_resume(engine: Engine, owner: Owner) -> None:
    experiments = twins(1500)
    job = engine.submit(experiments, owner())
    seen(job)
    job.pause()
    until(job, lambda: job.state == "paused", "pause")
    paused = _epoch(job)
    assert 1 <= paused < 1500
    for further in (1, 2):
        with engine._lock:  # what its trainer answers has to wait
            job.step()
            assert job.state == "running"
        until(job, lambda: job.state == "paused", "step")
        assert _epoch(job) == paused + further
    job.step()
    job.step()  # twice before the first has happened
    until(job, lambda: job.state == "paused" and _epoch(job) == paused + 4, "two steps")
    with engine._lock:
        job.resume()
        assert job.state == "running"
    final = finish(job)
    assert same(final, finish(engine.submit(experiments, owner(), fresh=True)))


def test_a_job_can_start_paused(engine: Engine, owner: Owner) -> None:
    experiments = twins(LONG)
    job = engine.submit(experiments, owner(), paused=True)
    until(job, lambda: job.state == "paused", "pause")
    assert _epoch(job) == 1
    # nobody else is made to wait with it
    other = engine.submit(experiments, owner())
    seen(other, 2)
    job.step()
    until(job, lambda: job.state == "paused", "step")
    assert _epoch(job) == 2


def test_pausing_a_shared_run_pauses_nobody_else(engine: Engine, owner: Owner) -> None:
    experiments = twins(1500)
    mine, theirs = engine.submit(experiments, owner()), engine.submit(experiments, owner())
    seen(mine, 20)
    mine.pause()
    assert mine.state == "paused"  # at once, though a run of its own trains up to here again
    at_least = _epoch(mine)
    epochs: list[int] = []

    def paused() -> bool:
        epochs.append(_epoch(mine))
        return mine.state == "paused"

    until(mine, paused, "pause")
    assert min(epochs) >= at_least  # the old picture stayed
    assert epochs == sorted(epochs)
    stopped = _epoch(mine)
    assert mine.frames()[0].epoch == 1
    final = finish(theirs)
    assert mine.state == "paused"
    assert _epoch(mine) == stopped < 1500
    mine.step()
    until(mine, lambda: mine.state == "paused", "step")
    assert _epoch(mine) == stopped + 1
    mine.resume()
    assert same(finish(mine), final)


def test_finished_runs_come_from_the_cache(engine: Engine, owner: Owner) -> None:
    experiments = twins(SHORT)
    job = engine.submit(experiments, owner())
    final = finish(job)
    again = engine.submit(experiments, owner())
    assert again.state == "finished"
    assert again.latest() is final
    assert [f.epoch for f in again.frames()] == [f.epoch for f in job.frames()]
    assert again.wait(0, after=0)
    with engine._lock:  # what its trainer answers has to wait
        fresh = engine.submit(experiments, owner(), fresh=True)
        assert fresh.state in IN_PROGRESS
    anew = finish(fresh)
    assert anew is not final
    assert same(anew, final)


def test_the_cache_forgets_the_longest_unused(engine: Engine, owner: Owner) -> None:
    runs = []
    for _ in range(3):
        job = engine.submit(twins(SHORT), owner())
        finish(job)
        runs.append(job.work)
    size = max(run.nbytes for run in runs)
    cache = Cache(2 * size)
    cache.put(runs[0])
    cache.put(runs[1])
    assert cache.get(runs[0].key) is runs[0]  # now the second is the longest unused
    cache.put(runs[2])
    held = [cache.get(run.key) for run in runs]
    assert held == [runs[0], None, runs[2]]
    for _ in range(5):
        cache.put(runs[0])  # the same again takes no more room
    assert cache.get(runs[2].key) is runs[2]
    tiny = Cache(size // 2)
    tiny.put(runs[0])
    assert tiny.get(runs[0].key) is None


def test_a_released_owner_s_jobs_end(engine: Engine, owner: Owner) -> None:
    me = owner()
    job = engine.submit(twins(LONG), me)
    seen(job)
    released = threading.Thread(target=engine.release, args=(me,))
    with engine._lock:  # even while somebody holds everything up
        released.start()
        released.join(10)
        assert not released.is_alive()
    until(job, lambda: job.state == "cancelled", "release")


def test_an_owner_that_comes_back_keeps_its_new_job(engine: Engine, owner: Owner) -> None:
    me = owner()
    old = engine.submit(twins(LONG), me)
    engine.release(me)
    new = engine.submit(twins(SHORT), me)
    assert old.state == "cancelled"
    finish(new)


# --- limits --------------------------------------------------------------------------------------


def test_limits_are_checked_at_the_door(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = owner()
    going = engine.submit(twins(LONG), me)
    with pytest.raises(SpecError, match=r"training\.epochs: got 6,000"):
        engine.submit(twins(6000), me)
    assert going.state in IN_PROGRESS  # what is refused replaces nothing
    monkeypatch.setattr(engine, "limits", Limits(jobs_per_owner=2))
    engine.submit(twins(LONG), me, slot="b")
    with pytest.raises(SpecError, match="jobs: got 3 at a time"):
        engine.submit(twins(LONG), me, slot="c")
    engine.submit(twins(LONG), me, slot="b")
    engine.submit(twins(LONG), owner(), slot="c")


def test_training_time_is_limited(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "limits", Limits(seconds=0.2))
    job = engine.submit(twins(LONG), owner())
    until(job, lambda: job.state not in IN_PROGRESS, "time limit")
    assert job.state == "failed"
    assert "limit of 0.2 seconds" in job.reason
    assert 1 <= _epoch(job) < LONG


@pytest.mark.parametrize(
    ("text", "words"), [("[1]", "experiment: got 1"), ("?", "JSONDecodeError (reference ")]
)
def test_a_bad_run_fails_alone(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    pid = trainer_pid(engine)
    neighbour = engine.submit(twins(300), owner())
    with monkeypatch.context() as patch:
        # on its way to the trainer the experiment turns into something that is none
        patch.setattr("regviz.engine.engine.canonical_key", lambda _: text)
        bad = engine.submit(twins(SHORT), owner())
    until(bad, lambda: bad.state == "failed", "failure")
    assert words in bad.reason
    finish(neighbour)
    assert trainer_pid(engine) == pid


# --- trainers that are lost ----------------------------------------------------------------------


def test_a_killed_trainer_s_run_starts_again_and_ends_the_same(
    engine: Engine, owner: Owner
) -> None:
    experiments = twins(1500)
    job = engine.submit(experiments, owner())
    before = seen(job, 20).epoch
    restarts = engine.trainers()[0].restarts
    os.kill(trainer_pid(engine), signal.SIGKILL)
    epochs: list[int] = []

    def ended() -> bool:
        epochs.append(_epoch(job))
        return job.state not in IN_PROGRESS

    until(job, ended, "end")
    assert min(epochs) >= before
    assert epochs == sorted(epochs)
    assert job.reason == "The trainer was restarted; the run started again."
    assert engine.trainers()[0].restarts == restarts + 1
    frames = [frame.epoch for frame in job.frames()]
    assert frames == sorted(set(frames))
    assert frames[0] == 1
    assert same(finish(job), finish(engine.submit(experiments, owner(), fresh=True)))


def test_a_paused_run_outlives_its_trainer(engine: Engine, owner: Owner) -> None:
    experiments = twins(300)
    job = engine.submit(experiments, owner(), paused=True)
    until(job, lambda: job.state == "paused", "pause")
    os.kill(trainer_pid(engine), signal.SIGKILL)
    until(job, lambda: job.reason != "", "loss")
    assert job.state == "paused"
    job.step()
    until(job, lambda: _epoch(job) == 2, "step")
    job.resume()
    finish(job)


def test_a_run_that_loses_two_trainers_has_failed_and_can_be_retried(
    engine: Engine, owner: Owner
) -> None:
    me, experiments = owner(), twins(LONG)
    job = engine.submit(experiments, me)
    seen(job, 2)
    os.kill(trainer_pid(engine), signal.SIGKILL)
    until(job, lambda: job.state == "queued", "first loss")
    until(job, lambda: job.state == "running", "second start")
    os.kill(trainer_pid(engine), signal.SIGKILL)
    until(job, lambda: job.state not in IN_PROGRESS, "second loss")
    assert job.state == "failed"
    assert "stopped twice" in job.reason
    assert "signal 9" in job.reason
    assert _epoch(job) >= 2  # the picture stays
    again = engine.submit(experiments, me)
    seen(again, 3)
    assert again.state == "running"


def test_a_hung_trainer_is_replaced(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.submit(twins(3000), owner())
    seen(job)
    pid = trainer_pid(engine)
    with monkeypatch.context() as patch:  # the next one may take its time
        change(patch, engine, hang_seconds=3.0)
        os.kill(pid, signal.SIGSTOP)
        until(job, lambda: job.reason != "", "loss")
    assert gone(pid)
    finish(job)
    assert trainer_pid(engine) != pid
    assert "restarted" in job.reason


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell who waits")
def test_a_trainer_that_waits_for_a_processor_is_seen_to(engine: Engine, owner: Owner) -> None:
    pid = trainer_pid(engine)
    seen(engine.submit(twins(LONG), owner()))
    process = engine.fleet.slots[0].process
    assert process is not None
    everywhere = os.sched_getaffinity(pid)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            for each in (other.pid, pid):
                os.sched_setaffinity(each, {min(everywhere)})
            before = process.waited()
            eventually(lambda: process.waited() > before + 2.0)
        finally:
            other.kill()
            os.sched_setaffinity(pid, everywhere)


def test_a_trainer_that_others_keep_from_the_processor_is_not_taken_for_hung(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = engine.submit(twins(LONG), owner())
    seen(job)
    pid = trainer_pid(engine)
    process = engine.fleet.slots[0].process
    assert process is not None
    change(monkeypatch, engine, hang_seconds=2.0)
    monkeypatch.setattr(TrainerProcess, "waited", lambda _: time.monotonic())  # all the time
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: time.monotonic() - process.heard > 4.0)
    assert trainer_pid(engine) == pid
    os.kill(pid, signal.SIGCONT)
    seen(job, _epoch(job) + 1)
    assert trainer_pid(engine) == pid
    assert job.reason == ""


def test_a_run_that_takes_too_much_memory_fails_and_its_neighbour_does_not(
    engine: Engine, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer_pid(engine)
    change(monkeypatch, engine, memory_bytes=engine.trainers()[0].memory + (150 << 20))
    monkeypatch.setattr(engine, "limits", Limits(total_parameters=10**9))
    neighbour = engine.submit(twins(LONG), owner())
    seen(neighbour)
    wide = Experiment().replace("model.hidden", [1024, 1024])
    hog = engine.submit([wide.replace("training.seed", i) for i in range(40)], owner())
    until(hog, lambda: hog.state not in IN_PROGRESS, "memory")
    assert hog.state == "failed"
    assert "MiB of memory" in hog.reason
    seen(neighbour, _epoch(neighbour) + 1)
    assert neighbour.state == "running"


def test_a_trainer_that_cannot_start_is_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        engine = Engine(trainers=2, device="cpu", limits=Limits())
        try:
            job = engine.submit(twins(SHORT), "me")
            until(job, lambda: job.state not in IN_PROGRESS, "crash loop")
            assert job.state == "failed"
            assert "No trainer can be started" in job.reason
            assert "exit code 1" in job.reason
            assert max(info.restarts for info in engine.trainers()) <= 10
            assert not any(info.ready for info in engine.trainers())
        finally:
            engine.close()
    assert job.state == "failed"
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(twins(SHORT), "me")


# --- nothing stays behind ------------------------------------------------------------------------


def test_another_engine_gives_the_same_bits_and_leaves_nothing(
    engine: Engine, owner: Owner
) -> None:
    experiments = twins(60)
    expected = finish(engine.submit(experiments, owner()))
    other = Engine(trainers=1, device="cpu", limits=Limits())
    final = finish(other.submit(experiments, "me"))
    assert same(final, expected)
    assert final.to_bytes() == expected.to_bytes()
    going = other.submit(twins(LONG), "me")
    seen(going)
    pid = trainer_pid(other)
    other.close()
    assert gone(pid)
    assert going.state == "cancelled"
    assert other.trainers()[0].alive is False
    other.close()  # again is nothing


_SERVER = """
import sys
from regviz.engine.engine import Engine
from regviz.specs import Experiment

engine = Engine(trainers=1)
job = engine.submit([Experiment().replace("training.epochs", 5000)], "me")
while job.latest() is None:
    job.wait(60, after=job.version)
print(engine.trainers()[0].pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL", "exit"])
def test_no_trainer_survives_its_server(end: str, tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        cwd=tmp_path,  # the trainer finds the package from anywhere
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server:
        pid = int(server.stdout.readline())
        assert not gone(pid)
        if end == "exit":
            server.stdin.close()
        else:
            server.send_signal(signal.Signals[end])
        server.wait(20)
        eventually(lambda: gone(pid))


_IMPORTS = """
import sys
import regviz.engine.engine, regviz.engine.log
heavy = {"torch", "sklearn", "scipy", "pandas", "streamlit", "plotly"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_web_side_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_trainer_stays_small(engine: Engine, owner: Owner) -> None:
    for _ in range(3):
        finish(engine.submit(twins(SHORT), owner()))
    (info,) = engine.trainers()
    assert info.alive
    assert info.device == "cpu"
    assert 50 << 20 < info.memory < 400 << 20


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("REGVIZ_TRAINERS", "0"), ("REGVIZ_TRAINERS", "two"), ("REGVIZ_DEVICE", "abacus")],
)
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=f"{name}: got '{value}'"):
        Engine()


def test_a_bad_device_is_named() -> None:
    with pytest.raises(SpecError, match="device: got 'abacus'"):
        Engine(device="abacus")


def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"REGVIZ_TRAINERS": "3", "REGVIZ_MAX_EPOCHS": "5"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    engine = Engine()
    try:
        assert len(engine.trainers()) == 3
        assert engine.limits == dataclasses.replace(Limits(), epochs=5)
    finally:
        engine.close()


@pytest.mark.parametrize(("cores", "trainers"), [(1, 1), (2, 2), (3, 2), (8, 7)])
def test_from_three_cores_on_one_is_left_to_the_server(
    monkeypatch: pytest.MonkeyPatch, cores: int, trainers: int
) -> None:
    monkeypatch.setattr(settings_module, "available_cores", lambda: cores)
    assert Settings.from_environment({}).trainers == trainers


def test_there_is_one_trainer_per_visible_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGVIZ_TRAINERS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    monkeypatch.setattr(sys, "executable", "/bin/false")  # none of them shall really start
    engine = Engine(device="cuda", limits=Limits())
    try:
        assert [slot.gpu for slot in engine.fleet.slots] == ["0", "2"]
    finally:
        engine.close()
