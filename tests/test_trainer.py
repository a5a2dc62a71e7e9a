from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from regviz.engine import wire
from regviz.frames import Frame
from regviz.specs import Experiment, canonical_key
from regviz.trainer.policy import Policy
from regviz.trainer.scheduler import Scheduler
from regviz.training.run import Run

ROOT = Path(__file__).resolve().parents[1]
SMALL = Experiment.from_dict(
    {"data": {"n_samples": 60}, "model": {"hidden": [8]}, "training": {"epochs": 40}}
)


class Desk:
    """A scheduler of real runs and the messages that it has sent."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.sent: list[tuple[dict[str, Any], bytes, float]] = []
        self.scheduler = Scheduler(Run, self._send, policy=policy)

    def _send(self, head: dict[str, Any], body: bytes) -> None:
        self.sent.append((head, body, time.perf_counter()))

    def start(self, job: int, experiments: Sequence[Experiment], **more: object) -> None:
        head = {"kind": "start", "job": job, "pause_at": None, "after": 0, "max_seconds": 60.0}
        self.scheduler.command({**head, **more}, canonical_key(experiments).encode())

    def turn(self) -> int | None:
        job = self.scheduler.next_job()
        if job is not None:
            self.scheduler.slice(job)
        return job

    def until_idle(self) -> None:
        while self.turn() is not None:
            pass

    def states(self, job: int) -> list[str]:
        return [head["state"] for head, _, _ in self.sent if head["job"] == job]

    def frames(self, job: int) -> list[Frame]:
        return [Frame.from_bytes(b) for head, b, _ in self.sent if head["job"] == job and b]


def test_messages_go_there_and_back() -> None:
    head = {"kind": "state", "reason": "a line\nand λ"}
    body = b"\n\x00{}\n"
    assert wire.unpack(wire.pack(head, body)) == (head, body)
    assert wire.unpack(wire.pack(head)) == (head, b"")


def test_first_frame_comes_with_the_first_epoch_and_alone_carries_the_data() -> None:
    desk = Desk()
    desk.start(1, [SMALL])
    while not desk.frames(1):
        desk.turn()
    first = desk.frames(1)[0]
    assert first.epoch == 1
    assert first.data is not None
    desk.until_idle()
    frames = desk.frames(1)
    assert desk.states(1)[-1] == "finished"
    assert frames[-1].epoch == 40
    assert frames[-1].done
    assert all(frame.data is None for frame in frames[1:])
    assert desk.scheduler.next_job() is None


def test_frames_are_ends_of_epochs_at_a_pace_that_slows_down() -> None:
    desk = Desk()
    desk.start(1, [SMALL.replace("training.epochs", 20_000)])
    while len(desk.frames(1)) < Policy.early_frames + 5:
        desk.turn()
    times = [at for _, body, at in desk.sent if body]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) > Policy.early_frame_seconds
    assert min(gaps[Policy.early_frames :]) > Policy.frame_seconds
    epochs = [frame.epoch for frame in desk.frames(1)]
    assert epochs == sorted(set(epochs))


def test_a_new_run_comes_first_and_a_short_one_ends_behind_long_ones() -> None:
    desk = Desk()
    for job in (1, 2, 3):
        desk.start(job, [SMALL.replace("training.epochs", 20_000)])
    for _ in range(40):
        desk.turn()
    desk.start(4, [SMALL.replace("training.epochs", 5)])
    turns = []
    while "finished" not in desk.states(4):
        turns.append(desk.turn())
    assert 4 in turns[:2]  # every eighth slice is the eldest's
    assert len([job for job in turns if job != 4]) <= len(turns) // 8 + 1
    assert all("finished" not in desk.states(job) for job in (1, 2, 3))


def test_of_equal_short_runs_one_ends_after_the_other_and_long_ones_go_on_side_by_side() -> None:
    def turns(seconds: float) -> list[int | None]:
        desk = Desk(Policy(soon=seconds))
        for job in (1, 2, 3):
            desk.start(job, [SMALL.replace("training.epochs", 400)])
        taken = []
        while not any("finished" in desk.states(job) for job in (1, 2, 3)):
            taken.append(desk.turn())
        return taken

    short, long = ([taken.count(job) for job in (1, 2, 3)] for taken in map(turns, (60.0, 0.0)))
    assert sum(short) - max(short) < 0.5 * max(short)  # all but first frames and every eighth slice
    assert min(long) > 0.5 * max(long)


def test_newcomers_do_not_stop_a_long_run() -> None:
    desk = Desk()
    desk.start(1, [SMALL.replace("training.epochs", 20_000)])
    for _ in range(30):
        desk.turn()
    turns = []
    for job in range(2, 62):  # somebody new again and again
        desk.start(job, [SMALL.replace("training.epochs", 1)])
        while "finished" not in desk.states(job):
            turns.append(desk.turn())
    assert turns.count(1) >= len(turns) // 8 - 1


def test_pause_steps_and_going_on_do_not_change_the_run() -> None:
    desk = Desk()
    desk.start(1, [SMALL])
    desk.start(2, [SMALL], pause_at=1)
    desk.until_idle()
    assert desk.states(2)[-1] == "paused"
    assert [frame.epoch for frame in desk.frames(2)] == [1]
    for epoch in (2, 3):
        desk.scheduler.command({"kind": "pause_at", "job": 2, "epoch": epoch})
        desk.until_idle()
        assert desk.frames(2)[-1].epoch == epoch
        assert desk.states(2)[-1] == "paused"
    desk.scheduler.command({"kind": "pause_at", "job": 2, "epoch": None})
    desk.until_idle()
    assert desk.frames(2)[-1].to_bytes() == desk.frames(1)[-1].to_bytes()


def test_a_run_that_starts_again_is_silent_up_to_what_was_seen() -> None:
    desk = Desk()
    desk.start(1, [SMALL], after=30)
    desk.until_idle()
    assert min(frame.epoch for frame in desk.frames(1)) > 30
    desk.start(2, [SMALL], after=30, pause_at=30)
    desk.until_idle()
    assert desk.states(2)[-1] == "paused"
    assert desk.frames(2) == []
    assert desk.sent[-1][0]["epoch"] == 30


def test_cancel_takes_effect_before_the_next_slice() -> None:
    desk = Desk()
    desk.start(1, [SMALL.replace("training.epochs", 20_000)])
    desk.turn()
    desk.scheduler.command({"kind": "cancel", "job": 1})
    assert desk.turn() is None
    desk.scheduler.command({"kind": "cancel", "job": 1})
    desk.scheduler.command({"kind": "pause_at", "job": 1, "epoch": 1})
    assert desk.turn() is None


def test_time_is_up() -> None:
    desk = Desk()
    # as a trainer does when it starts: the first run of a process pays for what torch loads
    desk.start(0, [SMALL.replace("training.epochs", 3)])
    desk.until_idle()
    desk.start(1, [SMALL.replace("training.epochs", 20_000)], max_seconds=0.3)
    desk.until_idle()
    head = desk.sent[-1][0]
    assert head["state"] == "failed"
    assert "limit of 0.3 seconds" in head["reason"]
    assert 1 < desk.frames(1)[-1].epoch < 20_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'[{"data": {"kind": "bananas"}}]', "data.kind"),
        (b"[]", "give at least one"),
        (b"no json", "JSONDecodeError (reference"),
    ],
)
def test_a_bad_run_fails_alone(text: bytes, words: str, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.start(1, [SMALL])
    head = {"kind": "start", "job": 2, "pause_at": None, "after": 0, "max_seconds": 60.0}
    desk.scheduler.command(head, text)
    desk.until_idle()
    assert desk.states(1)[-1] == "finished"
    assert desk.states(2) == ["failed"]
    failed = next(head for head, _, _ in desk.sent if head["job"] == 2)
    assert words in failed["reason"]
    if "reference" in failed["reason"]:
        assert f"{os.getpid()}-2" in failed["reason"]
        assert f"reference {os.getpid()}-2" in caplog.text


# --- the process ---------------------------------------------------------------------------------


def _process(device: str) -> tuple[subprocess.Popen[str], Connection]:
    ours, theirs = multiprocessing.Pipe()
    command = [sys.executable, "-m", "regviz.trainer", "--parent", str(os.getpid())]
    process = subprocess.Popen(
        [*command, "--channel", str(theirs.fileno()), "--device", device],
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    return process, ours


def test_the_process_ends_when_its_connection_does() -> None:
    process, connection = _process("cpu")
    assert connection.poll(150)
    assert wire.unpack(connection.recv_bytes())[0] == {"kind": "ready", "device": "cpu"}
    # in the middle of a run: the main thread is busy
    head = {"kind": "start", "job": 7, "pause_at": None, "after": 0, "max_seconds": 60.0}
    key = canonical_key([Experiment().replace("training.epochs", 5000)])
    connection.send_bytes(wire.pack(head, key.encode()))
    assert wire.unpack(connection.recv_bytes())[0]["kind"] in ("state", "beat")
    connection.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_trainer_that_cannot_work_says_why() -> None:
    process, connection = _process("abacus")
    assert connection.poll(150)
    head, _ = wire.unpack(connection.recv_bytes())
    assert head["kind"] == "unable"
    assert "abacus" in head["reason"]
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "SpecError" in errors
    connection.close()
