"""All pages in a real browser without outside access, and a server without a network."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect

from tests.app_server import ROOT, running_app
from tests.test_lessons_browser import LESSONS, lesson_ends_well

DRAWN = """() => document.querySelector(".stMain h1, .stMain h2, .stMain .main-svg")
    && [...document.querySelectorAll(".js-plotly-plot")].every((p) => p.querySelector(".main-svg"))
    && document.fonts.status === "loaded"
"""

WITHOUT_NETWORK = """
import asyncio, fcntl, socket, struct
from benchmarks.visitor import Visitor
from tests.app_server import running_app

with socket.socket() as s:
    try:
        s.connect(("192.0.2.1", 80))
    except OSError as error:
        assert error.strerror == "Network is unreachable", error
    # SIOCSIFFLAGS: the loopback device up and running, the only one there is
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))
assert [name for _, name in socket.if_nameindex()] == ["lo"]


async def visit(url):
    visitor = Visitor(url)
    move = await visitor.open(150)
    assert (move.failure, visitor.errors) == ("", []), move
    assert move.final is not None
    await visitor.close()


with running_app(("-m", "regviz", "serve")) as server:
    asyncio.run(visit(server.url))
    assert len(server.get("app/static/plotly.min.js")) > 1_000_000
print("trained")
"""


def pages() -> dict[str, list[str]]:
    """Return the sections of the app's header and the titles of their pages."""
    app = ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))
    (made,) = (n for n in app.body if isinstance(n, ast.FunctionDef) and n.name == "_pages")
    (listed,) = (n.value for n in ast.walk(made) if isinstance(n, ast.Return))
    assert isinstance(listed, ast.Dict)
    return {
        ast.literal_eval(name): re.findall(r"title='(.*?)'", ast.unparse(calls))
        for name, calls in zip(listed.keys, listed.values, strict=True)
        if name is not None
    }


TITLES = [title for titles in pages().values() for title in titles]


@dataclass
class Walk:
    """A browser's requests on a walk through all pages, and the server's output."""

    host: str
    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)
    lesson: bool = False  # what the console says counts in lessons, an exception on any page
    log: list[dict[str, Any]] = field(default_factory=list)

    def asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def connected(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)

    def opened(self, page: Page) -> None:
        page.on("websocket", self.connected)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.said)

    def said(self, message: ConsoleMessage) -> None:
        if self.lesson and message.type == "error":
            after = self.visited[-1] if self.visited else "nothing"
            self.complaints.append(f"after {after}: {message.text} {message.location['url']}")

    def refused(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # by the tab that is closed
            self.failed.append(request.url)

    def drawn(self, page: Page, title: str) -> None:
        """Wait until a page is drawn, with its scripts and fonts."""
        expect(page).to_have_title(re.compile(f"^{re.escape(title)} ·"))
        app = page.locator(".stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        page.wait_for_function(DRAWN)
        expect(page.locator(".stException")).to_have_count(0)
        self.visited.append(title)


@pytest.fixture(scope="module")
def walk(browser: Browser) -> Iterator[Walk]:
    with running_app(("-m", "regviz", "serve"), environment={"REGVIZ_LOG": "json"}) as server:
        walk = Walk(urlsplit(server.url).netloc)
        sealed = browser.browser_type.launch(
            executable_path=shutil.which("chromium"),
            # names of hosts lead nowhere: who hangs on an outside file shows it here
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        context = sealed.new_context(viewport={"width": 1440, "height": 900})
        context.on("request", walk.asked)
        context.on("requestfailed", walk.refused)
        context.on("page", walk.opened)
        page = context.new_page()
        page.goto(server.url)
        for section, titles in pages().items():
            for title in titles:
                walk.lesson = title in LESSONS.get(section, ())
                if section:
                    _go(page, section, title)
                    expect(page).to_have_title(re.compile(f"^{re.escape(title)} ·"))
                if walk.lesson:
                    lesson_ends_well(page, section, title)
                walk.drawn(page, title)
        other = context.new_page()
        other.goto(f"{server.url}/slides")
        walk.drawn(other, "Slides")
        other.wait_for_load_state("networkidle")
        sealed.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:  # the last session's end is written soon
            lines = [json.loads(line) for line in server.output if line.startswith("{")]
            if lines[-1]["event"] == "session ended" and lines[-1]["sessions"] == 0:
                break
            time.sleep(0.05)
        walk.log = lines
        yield walk


def _go(page: Page, section: str, title: str) -> None:
    page.locator(".stAppHeader").get_by_role("button", name=section, exact=True).click()
    page.get_by_role("menuitem", name=title, exact=True).click()


def test_no_page_asks_another_host_and_every_lesson_ends_well(walk: Walk) -> None:
    assert walk.visited == [*TITLES, "Slides"]
    assert {title for titles in LESSONS.values() for title in titles} < set(walk.visited)
    outside = {
        url
        for url in walk.requests
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != walk.host
    }
    assert outside == set()
    assert (walk.failed, walk.complaints) == ([], [])
    # all that counts is among what was seen
    for kind in (r"/plotly\.min\.js", r"\.woff2?$", r"\.css$", "^ws://.*/_stcore/stream"):
        assert any(re.search(kind, url) for url in walk.requests), kind


def test_the_log_counts_and_names_nobody(walk: Walk) -> None:
    events = [line["event"] for line in walk.log]
    assert events[0] == "started"
    assert {"trainer ready", "session started", "session ended"} <= set(events)
    assert events.count("session started") == events.count("session ended") == 2
    assert max(line.get("sessions", 0) for line in walk.log) == 2
    assert walk.log[-1]["sessions"] == 0
    text = json.dumps([line for line in walk.log if line["logger"].startswith("regviz")])
    assert not re.search(r"127\.0\.0\.1|Mozilla|[0-9a-f]{16}|moons", text)


def test_our_own_files_name_no_other_host() -> None:
    folders = [ROOT / name for name in ("regviz", "pages", "static", ".streamlit")]
    files = [p for folder in folders for p in folder.rglob("*.*") if p.suffix != ".pyc"]
    files = [p for p in files if p.is_file() and p.name != "plotly.min.js"] + [ROOT / "app.py"]
    assert {".py", ".js", ".css", ".html", ".svg", ".toml"} <= {p.suffix for p in files}
    names = {"http://www.w3.org"}  # of SVG: asked of nobody
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"\w+://[\w-]+(?:\.[\w-]+)+", text)) <= names, file
        assert not re.search(r"""["'(=]//\w+(-\w+)*\.\w""", text), file


def test_a_server_without_a_network_serves_and_trains() -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"]).returncode:
        pytest.skip("this system lets nobody leave its network")
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", WITHOUT_NETWORK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.endswith("trained\n"), done.stderr
