"""A server that is ended while runs go on, and one that may write nowhere."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from regviz import specs
from regviz.ui.live import ensure_plotly_js
from tests.app_server import ROOT, running_app, trainers
from tests.faults.students import SLOW, Record, Student, anew
from tests.faults.system import OURS, end_of
from tests.test_playground_browser import SIZE, SMALL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

SERVE = ("-m", "regviz", "serve")
FULL = """
mount -t tmpfs -o size=64k tmpfs "$TMPDIR" && cat /dev/zero > "$TMPDIR/full" 2>/dev/null
mount --bind "$PWD" "$PWD" && cd "$PWD" && mount -o remount,ro,bind "$PWD" || exit 1
! touch app.py 2>/dev/null || exit 1
! echo more > "$TMPDIR/more" 2>/dev/null || exit 1
exec "$0" "$@"
"""


def _mounting() -> list[str]:
    """Return the command that lets another one mount, seen by nobody else."""
    ways: list[list[str]] = [["--mount"], ["--map-root-user", "--mount"]]
    for way in ways:
        command = ["unshare", *way, "sh", "-c"]
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    [*command, "mount -t tmpfs tmpfs /mnt"], capture_output=True
                ).returncode
                == 0
            ):
                return command
    return []


def test_a_full_disk_and_a_read_only_one(browser: Browser, tmp_path: Path) -> None:
    mounting = _mounting()
    if not mounting:
        pytest.skip("nothing may be mounted here")
    ensure_plotly_js(ROOT / "static")
    command = [*mounting, FULL, sys.executable, *SERVE]
    start = f"import os; os.execvp({command[0]!r}, {command!r})"
    environment = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "REGVIZ_TRAINERS": "1"}
    with running_app(("-c", start), environment=environment) as server:
        context = browser.new_context(viewport=SIZE)
        try:
            student = Student(context, server.url)
            student.open(anew(SMALL))
            student.reaches("finished")
            student.quiet()
            student.page.get_by_role("button", name="Share").click()
            theirs = anew(SMALL)
            upload = specs.experiments_to_json([theirs]).encode()
            student.page.locator("input[type=file]").set_input_files(
                FilePayload(name="a.json", mimeType="application/json", buffer=upload)
            )
            student.page.wait_for_url(lambda url: specs.to_link(theirs) in url)
            student.reaches("finished")
            assert student.complaints == []
        finally:
            context.close()
        assert list(tmp_path.iterdir()) == []  # what it is full of is in the server's own view
    assert OURS.findall("".join(server.output)) == []


def test_sigterm_with_runs_going(browser: Browser, record_property: Record) -> None:
    with running_app(SERVE, environment={"REGVIZ_TRAINERS": "2"}) as server:
        contexts = [browser.new_context(viewport=SIZE) for _ in range(2)]
        try:
            for context in contexts:
                Student(context, server.url).trains(anew(SLOW))
            there = trainers(server)
            assert len(there) == 2
            since = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 0
            record_property("seconds until the server was gone", time.monotonic() - since)
            end_of(there, max(0.0, 5 - (time.monotonic() - since)))
            record_property("seconds until its trainers were gone", time.monotonic() - since)
            page: Page = contexts[0].pages[0]
            expect(page.get_by_role("dialog")).to_contain_text("Connection error")
        finally:
            for context in contexts:
                context.close()
    assert OURS.findall("".join(server.output)) == []
