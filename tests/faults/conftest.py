"""A server with strict limits, and two visitors of it: the one to whom a fault happens and a
bystander, who must not notice.

Each file has a server of its own. What the pages say, and how long things took, is in
docs/faults.md; ``record_property`` puts the seconds into pytest's XML.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.app_server import AppServer, running_app
from tests.faults.students import Student
from tests.faults.system import OURS, ready_trainers
from tests.test_playground_browser import SIZE

# `regviz serve` with limits that a test reaches in seconds. Runs are polled rarely, as where many
# students are: polling is not what these tests are about, and takes half the processor.
STRICT = """
import regviz.engine.engine as engine
import regviz.ui.run as run
from regviz.ui.server import serve

run.LOOKS = 6
engine._the_engine = engine.Engine(trainers=2, hang_seconds=6.0, memory_bytes=430 << 20)
serve()
"""
# a wall clock that is set by writing a number of seconds into a file
CLOCK = """
import os, time

def _shifted(real, unit):
    def now():
        try:
            with open(os.environ["WALL_CLOCK"]) as file:
                return real() + int(file.read() or 0) * unit
        except (OSError, ValueError):
            return real()
    return now

time.time, time.time_ns = _shifted(time.time, 1), _shifted(time.time_ns, 10**9)
"""


@pytest.fixture(scope="module")
def wall_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that sets the wall clock of the server and its trainers."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "sitecustomize.py").write_text(CLOCK)
    return folder / "seconds"


@pytest.fixture(scope="module")
def server(wall_clock: Path) -> Iterator[AppServer]:
    environment = {"PYTHONPATH": str(wall_clock.parent), "WALL_CLOCK": str(wall_clock)}
    with running_app(("-c", STRICT), environment=environment) as running:
        ready_trainers(running)
        yield running


def _student(browser: Browser, server: AppServer) -> Iterator[Student]:
    context = browser.new_context(viewport=SIZE)
    yield Student(context, server.url)
    context.close()


@pytest.fixture(scope="module")
def bystander(browser: Browser, server: AppServer) -> Iterator[Student]:
    yield from _student(browser, server)


@pytest.fixture(scope="module")
def student(browser: Browser, server: AppServer) -> Iterator[Student]:
    yield from _student(browser, server)


@pytest.fixture(autouse=True)
def nobody_complains(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check that neither page had an error of its own in the test, nor the server a traceback;
    their runs end with it."""
    yield
    for name in ("student", "bystander"):
        if name in request.fixturenames:
            visitor = request.getfixturevalue(name)
            visitor.page.goto("about:blank")
            assert visitor.complaints == []
    if "server" in request.fixturenames:
        assert OURS.findall("".join(request.getfixturevalue("server").output)) == []
