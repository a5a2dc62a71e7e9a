"""Students who are not careful, connections that are cut, and a clock that jumps."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from regviz import fit, specs
from tests.app_server import AppServer, find_free_port, trainers
from tests.browsing import PATIENCE
from tests.faults.students import OTHER, SLOW, Record, Student, anew
from tests.faults.system import ready_trainers, until_idle
from tests.test_playground_browser import DRAWN, SIZE, SMALL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def test_a_hundred_quick_moves(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    start = anew(SMALL)
    student.open(start)
    student.reaches("finished")
    student.quiet()
    bystander.trains(anew(SLOW))
    bystander.watch()
    slider = student.slider("Dropout p")
    slider.focus()
    for _ in range(48):
        student.page.keyboard.press("ArrowRight")
        student.page.keyboard.press("ArrowLeft")
    for _ in range(4):
        student.page.keyboard.press("ArrowRight")
    since = time.monotonic()
    last = start.replace("regularization.dropout", 0.4)
    student.page.wait_for_url(lambda url: specs.to_link(last) in url)
    loss = fit([last])[0].to_dict()["history"]["train_loss"][-1]
    expect(student.table).to_contain_text(f"{loss:.3f}")
    record_property("seconds until the last was finished", time.monotonic() - since)
    student.reaches("epoch 60/60 finished")
    student.quiet()
    assert student.experiment() == last
    bystander.goes_on()
    bystander.noticed_nothing()
    bystander.page.goto("about:blank")
    until_idle(server)  # none of the others is trained in secret


def test_a_press_that_comes_together_with_a_question_of_the_charts(student: Student) -> None:
    student.trains(anew(SLOW))
    student.press("Pause")
    student.reaches("paused")
    student.quiet()
    student.press_as_a_chart_asks("do-restart")
    student.reaches("running")
    student.goes_on()


def test_a_tab_that_is_closed(browser: Browser, server: AppServer, record_property: Record) -> None:
    until_idle(server)
    context = browser.new_context(viewport=SIZE)
    try:
        leaving = Student(context, server.url)
        leaving.trains(anew(SLOW))
        leaving.page.close()
        seconds = until_idle(server)
    finally:
        context.close()
    record_property("seconds until its run ended", seconds)
    assert seconds < 5


def test_a_reload(student: Student, record_property: Record) -> None:
    student.trains(anew(SLOW))
    since = time.monotonic()
    student.page.reload()
    student.goes_on(2)
    student.page.wait_for_function(DRAWN)
    record_property("seconds until the picture was back", time.monotonic() - since)
    student.watch()
    student.goes_on()
    student.noticed_nothing()
    # one that is paused
    student.press("Pause")
    student.reaches("paused")


def test_two_tabs_of_one_student(browser: Browser, server: AppServer) -> None:
    context = browser.new_context(viewport=SIZE)
    try:
        experiment = anew(SLOW)
        one = Student(context, server.url)
        begin = time.monotonic()
        one.trains(experiment)
        two = Student(context, server.url)  # in front: the browser has little time for one behind
        two.trains(experiment)
        two.watch()
        one.page.bring_to_front()
        # the tab that pauses leaves the common run: its own starts from the first epoch and is
        # trained, unseen and beside the other, up to where the picture stands
        spent = time.monotonic() - begin
        one.press("Pause")
        one.reaches("paused", seconds=PATIENCE + 4 * spent)
        one.quiet()
        stands = one.epoch()
        two.page.bring_to_front()
        two.goes_on()
        one.page.close()
        two.goes_on()
        two.noticed_nothing()
        assert stands < two.epoch()
        assert one.complaints == two.complaints == []
    finally:
        context.close()


# --- the way between ----------------------------------------------------------------------------


class Wire:
    """A TCP proxy that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = find_free_port()
        self._to = port
        self._cut = False
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._threads: list[threading.Thread] = []
        self._start(self._take)

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._door.accept()
                if self._cut:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [here, there]
                for ends in ((here, there), (there, here)):
                    self._start(self._pass_on, *ends)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self._cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # who waits for a visitor wakes up
        for thread in self._threads:
            thread.join(10)
        for end in (self._door, *self._ends):
            end.close()


def test_a_connection_that_is_lost_and_comes_back(
    browser: Browser, server: AppServer, bystander: Student, record_property: Record
) -> None:
    wire = Wire(server.port)
    context = browser.new_context(viewport=SIZE)
    try:
        student = Student(context, f"http://127.0.0.1:{wire.port}")
        experiment = anew(SLOW)
        student.trains(experiment)
        bystander.trains(anew(OTHER))
        bystander.watch()
        wire.cut()
        dialog = student.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Connection error")
        assert student.picture() != ""
        wire.mend()
        since = time.monotonic()
        student.page.wait_for_function(
            "() => document.querySelector('[role=dialog]') === null", timeout=90_000
        )
        student.goes_on(2)
        record_property("seconds until it went on", time.monotonic() - since)
        assert student.experiment() == experiment
        bystander.goes_on()
        bystander.noticed_nothing()
    finally:
        context.close()
        wire.close()


def test_a_wall_clock_that_jumps(
    server: AppServer, wall_clock: Path, student: Student, bystander: Student
) -> None:
    there = ready_trainers(server)
    student.trains(anew(SLOW))
    student.watch()
    try:
        for jump in (86_400, -86_400):
            wall_clock.write_text(str(jump))
            student.goes_on()
            bystander.open(anew(SMALL))
            bystander.reaches("finished")
            student.goes_on()
    finally:
        wall_clock.write_text("0")
    student.goes_on()
    student.noticed_nothing()
    assert trainers(server) == there
