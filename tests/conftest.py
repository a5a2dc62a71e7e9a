"""Shared by all tests: hypothesis' profile, and the app as a real server."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import time
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.app_server import AppServer, StartApp, find_free_port, running_app
from tests.browsing import PATIENCE

# as the trainers have it, and before anything imports torch: on a busy machine a second thread
# makes small models many times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")
# one does for a single visitor: a second would cost each of the tests' servers seconds of a core
os.environ.setdefault("REGVIZ_TRAINERS", "1")

# the shapes in the signatures are checked at each call, in tests only: the modules are named
# here, before anything imports them
install_import_hook(
    [
        "regviz.nn.layers",
        "regviz.nn.losses",
        "regviz.nn.optimizers",
        "regviz.nn.penalties",
        "regviz.training.observe",
        "regviz.training.stack",
    ],
    "beartype.beartype",
)

# a chart's script is megabytes, and on a busy machine takes a browser far more than the usual 5 s
expect.set_options(timeout=1000 * PATIENCE)

# deadlines measure the machine, and this one is shared
settings.register_profile(
    "regviz", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("regviz")


# from half a minute up on two idle cores; those that mostly wait are among those that compute
LONGEST = (
    "test_faults_of_trainers",
    "test_slides",
    "test_faults_of_students",
    "test_lessons",
    "test_faults_of_the_server",
    "test_engine",
    "test_own_data_page",
    "test_playground_browser",
    "test_cli_serve",
    "test_live",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, or one process works on one at the end while the
    other has nothing to do. Those of faults start browsers, servers and trainers: the files between
    them keep two of them from running at a time, on two cores."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture
def restless() -> Iterator[None]:
    """Have the garbage collector come all the time and let other threads go on, as it may where a
    callback of its own waits for something."""
    before = gc.get_threshold()

    def pause(*_: object) -> None:
        time.sleep(0)

    gc.callbacks.append(pause)
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(pause)


# what stands where on a page, in words that fit a report
OUTLINE = """() => [...document.querySelectorAll('.stMain [class*=st-key-]')].map(part => {
    const box = part.getBoundingClientRect()
    const name = /st-key-(\\S+)/.exec(part.className)[1]
    return `${name}: ${Math.round(box.x)},${Math.round(box.y)} ${box.width.toFixed(1)}x`
        + box.height.toFixed(1)
}).join('\\n')"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say what pages showed and servers said when a test failed: next time they may not."""
    report = yield
    if report.when == "call" and report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            for page in [value, getattr(value, "page", None)]:
                if isinstance(page, Page):
                    with contextlib.suppress(Error):  # a page that is closed has nothing to say
                        text = page.locator("body").inner_text(timeout=5_000)
                        shown = f"{page.url}\n{text}\n\n{page.evaluate(OUTLINE)}"
                        report.sections.append((f"page of {name}", shown))
            if isinstance(value, AppServer):
                report.sections.append((f"end of {name}'s log", "".join(value.output[-40:])))
    return report


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Give a file's tests Playwright, whose event loop other files' tests must not meet."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Give a file's tests one browser, Debian's."""
    started = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"]
    )
    yield started
    started.close()


@pytest.fixture(scope="module")
def window(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """Give a file's tests one browser that keeps what it loads, scripts in compiled form: to open
    a page takes half the processor time. Cookies stay, too; one page at a time."""
    context = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"),
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox"],
        viewport={"width": 1440, "height": 900},
        color_scheme="light",
        accept_downloads=True,
    )
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    return find_free_port()


@pytest.fixture(scope="session")
def start_app() -> StartApp:
    """Return :func:`running_app`, for a test that needs a server of its own."""
    return running_app


@pytest.fixture(scope="session")
def app_server() -> Iterator[AppServer]:
    """Give the whole session one server, started as ``streamlit run app.py``."""
    with running_app(("-m", "streamlit", "run", "app.py")) as server:
        # torch is loaded for the first visitor: no test shall wait for that
        address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
        protocols = [Subprotocol("streamlit")]
        with connect(address, origin=Origin(server.url), subprotocols=protocols) as visitor:
            visitor.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            deadline = time.monotonic() + 150
            while not any("trainer ready" in line for line in server.output):
                assert time.monotonic() < deadline, "".join(server.output)
                with contextlib.suppress(TimeoutError):
                    visitor.recv(timeout=1)
        yield server


@pytest.fixture(autouse=True)
def no_page_fails(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which a page met an error of its own, which it only tells the log."""
    told: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(self.format(record))

    logger, listener = logging.getLogger("regviz.ui.errors"), Listener()
    logger.addHandler(listener)
    yield
    logger.removeHandler(listener)
    if request.node.get_closest_marker("fails_on_purpose") is None:
        assert told == []
