"""Trainers that die, hang or take too much memory, and runs that leave all bounds."""

from __future__ import annotations

import os
import re
import signal
import sys
import time

import pytest
from playwright.sync_api import expect

from tests.app_server import AppServer, trainers
from tests.faults.students import OTHER, SLOW, Record, Student, anew
from tests.faults.system import busiest, end_of, ready_trainers, until_idle
from tests.test_playground_browser import SMALL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def two_at_work(server: AppServer, student: Student, bystander: Student) -> int:
    """Have both visitors' runs trained, and watched, by a trainer of their own; the student's."""
    there = ready_trainers(server)
    until_idle(server)  # one that has just started works, too
    bystander.trains(anew(OTHER))
    theirs = busiest(server)
    student.trains(anew(SLOW))
    student.watch()
    bystander.watch()
    return next(pid for pid in there if pid != theirs)


def test_kill_9_of_one_trainer(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    killed = two_at_work(server, student, bystander)
    os.kill(killed, signal.SIGKILL)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    bystander.noticed_nothing()


def test_kill_9_of_all_trainers_twice_and_retry(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    finished = anew(SMALL)
    bystander.open(finished)
    bystander.reaches("finished")
    bystander.quiet()
    numbers = bystander.numbers()
    student.trains(anew(SLOW))
    student.watch()
    for pid in ready_trainers(server):
        os.kill(pid, signal.SIGKILL)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    for pid in trainers(server):
        os.kill(pid, signal.SIGKILL)
    bystander.page.reload()  # what is finished is there without any trainer
    bystander.watch()
    bystander.reaches("finished")
    assert {word for _, word, *_ in bystander.saw()} <= {"", "finished"}
    bystander.quiet()
    expect(bystander.table).to_have_text(numbers, use_inner_text=True)
    student.reaches("failed")
    expect(student.page.locator(".stAlert")).to_contain_text(
        re.compile(
            r"The trainer process stopped (twice|\d times) during this run \(it was ended by "
            r"signal 9\); start the run again, or choose a smaller one\.$"
        )
    )
    at = student.epoch()
    student.page.get_by_role("button", name="Retry").click()
    student.reaches("running")
    expect(student.page.locator(".stAlert")).to_have_count(0)
    assert at > 0


def test_a_trainer_that_hangs(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    hung = two_at_work(server, student, bystander)
    os.kill(hung, signal.SIGSTOP)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    bystander.noticed_nothing()
    end_of([hung], 5)


def test_a_run_that_takes_too_much_memory(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    ready_trainers(server)
    bystander.trains(anew(OTHER))
    bystander.watch()
    since = time.monotonic()
    student.open(anew(SLOW.replace("model.hidden", [1400, 1400])))
    student.reaches("failed")
    record_property("seconds until it was given up", time.monotonic() - since)
    expect(student.page.locator(".stAlert")).to_contain_text(
        re.compile(
            r"The trainer process stopped (twice|\d times) during this run \(it took more than 430 "
            r"MiB of memory\); start the run again, or choose a smaller one\."
        )
    )
    expect(student.page.get_by_role("button", name="Retry")).to_be_visible()
    bystander.goes_on()
    bystander.noticed_nothing(but_a_restart=True)


def test_a_run_whose_numbers_leave_all_bounds(
    server: AppServer, student: Student, bystander: Student
) -> None:
    ready_trainers(server)
    bystander.trains(anew(SLOW))
    bystander.watch()
    student.open(anew(SLOW).replace("training.lr", 1e3))  # the same shape: they may share a stack
    student.reaches("diverged")
    expect(student.page.locator(".st-key-verdicts")).to_contain_text("Try a lower learning rate")
    bystander.goes_on()
    bystander.noticed_nothing()
