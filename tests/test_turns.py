"""Urgent runs of a page go first, and polling of runs never takes the whole server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.visitor import Visitor
from regviz.ui import turns
from tests.app_server import AppServer, running_app, trainers

ENDLESS = 600.0


OVER = threading.Event()


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(turns, "_urgent", {})
    monkeypatch.setattr(turns, "_next_look", 0.0)
    OVER.clear()
    yield
    OVER.set()
    turns.calm()


def begun(what: Callable[[], object]) -> threading.Event:
    """Run something in a thread that then stays alive; return the event of its completion."""
    done = threading.Event()

    def thread() -> None:
        what()
        done.set()
        OVER.wait(60)

    threading.Thread(target=thread, daemon=True).start()
    return done


def test_what_can_wait_waits_until_nobody_is_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST", ENDLESS)
    monkeypatch.setattr(turns, "PATIENCE", ENDLESS)
    turns.hurry()
    done = begun(turns.give_way)
    assert not done.wait(0.2)
    assert turns.calm()
    assert done.wait(60)
    assert not turns.calm()  # once


def test_who_is_urgent_gives_way_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST", ENDLESS)
    monkeypatch.setattr(turns, "PATIENCE", ENDLESS)
    begun(turns.hurry).wait(60)
    turns.hurry()
    turns.give_way()  # returns


def test_a_page_that_has_failed_is_urgent_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "LONGEST", 0.1)
    monkeypatch.setattr(turns, "PATIENCE", ENDLESS)
    begun(turns.hurry).wait(60)  # and never calm
    turns.give_way()  # returns


def test_one_run_waits_for_others_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST", ENDLESS)
    monkeypatch.setattr(turns, "PATIENCE", 0.2)
    begun(turns.hurry).wait(60)
    waited: list[float] = []

    def page() -> None:
        start = time.monotonic()
        for _ in range(50):  # as many controls
            turns.give_way()
        waited.append(time.monotonic() - start)

    assert begun(page).wait(60)
    assert waited[0] >= 0.2
    assert begun(turns.hurry).wait(60)  # a second one is urgent as well


def test_a_few_are_urgent_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST", ENDLESS)
    monkeypatch.setattr(turns, "IN_LINE", ENDLESS)
    first = [begun(turns.hurry) for _ in range(turns.AT_ONCE - 1)]
    assert all(done.wait(60) for done in first)
    turns.hurry()
    late = begun(turns.hurry)
    assert not late.wait(0.2)
    turns.calm()
    assert late.wait(60)


def test_nobody_stands_in_line_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST", ENDLESS)
    monkeypatch.setattr(turns, "IN_LINE", 0.1)
    for _ in range(turns.AT_ONCE + 2):
        assert begun(turns.hurry).wait(60)


def test_so_many_looks_a_second_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_LOOKS", 50)
    start = time.monotonic()
    looks = [begun(turns.look) for _ in range(26)]
    assert all(done.wait(60) for done in looks)
    assert time.monotonic() - start >= 25 / 50


def test_a_look_after_a_pause_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_LOOKS", 1)
    monkeypatch.setattr(turns, "IN_LINE", ENDLESS)
    turns.look()
    monkeypatch.setattr(turns, "_next_look", time.monotonic())
    done = begun(turns.look)
    assert done.wait(60)
    second = begun(turns.look)
    assert not second.wait(0.3)


# --- a whole class that waits for one run -----------------------------------------------------

# a trainer that stands still is not taken for hung
PATIENT = """
import regviz.engine.engine as engine
from regviz.ui.server import serve

engine._the_engine = engine.Engine(trainers=1, hang_seconds=300.0)
serve()
"""
STUDENTS = 24


class Counting(Visitor):
    """A client that counts the runs of a page and of its fragments."""

    runs = 0

    def _take(self, message: ForwardMsg) -> None:
        self.runs += message.WhichOneof("type") == "new_session"
        super()._take(message)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_class_that_opens_the_page_before_a_trainer_is_there() -> None:
    # all of them wait for one and the same run; ten looks a second each once took the server's
    # whole time, so that it never came to tell their browsers of a longer interval
    with running_app(("-c", PATIENT)) as server:
        asyncio.run(_arrive(server))
    assert not [line for line in server.output if "Traceback" in line]


async def _arrive(server: AppServer) -> None:
    while not any("trainer ready" in line for line in server.output):
        await asyncio.sleep(0.05)
    (trainer,) = trainers(server)
    os.kill(trainer, signal.SIGSTOP)
    try:
        students = [Counting(server.url) for _ in range(STUDENTS)]
        opened = [asyncio.create_task(student.open(120)) for student in students]
        while not all(student._timers for student in students):
            await asyncio.sleep(0.05)
        before, start = [student.runs for student in students], time.monotonic()
        while not all(s.runs >= had + 3 for s, had in zip(students, before, strict=True)):
            await asyncio.sleep(0.05)  # nobody is left out
        looks, seconds = sum(s.runs for s in students) - sum(before), time.monotonic() - start
    finally:
        os.kill(trainer, signal.SIGCONT)
    assert looks <= 1.2 * turns.MOST_LOOKS * seconds
    for task in opened:
        move = await task
        assert move.failure == ""
    assert all([await student.settled(120) for student in students])
    for student in students:
        await student.close()
