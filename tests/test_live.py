"""The live charts in a real browser, on a page of synthetic frames that the test controls."""

from __future__ import annotations

import base64
import contextlib
import filecmp
import json
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, TimeoutError, WebSocket, expect

from regviz.figures.palette import DARK, LIGHT
from regviz.ui.live import ensure_plotly_js
from tests.app_server import running_app
from tests.browsing import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
LOSS = ".st-key-loss-curves .rv-gd"
BOUNDARY = ".st-key-decision-boundary .rv-gd"
HISTOGRAM = ".st-key-weight-histogram .rv-gd"


# --- the file that the browser loads ---------------------------------------------------------


def test_plotly_js_is_copied_once_and_a_read_only_copy_is_enough(tmp_path: Path) -> None:
    target = ensure_plotly_js(tmp_path / "static")
    assert target.stat().st_size > 1_000_000
    before = target.stat()
    assert ensure_plotly_js(tmp_path / "static") == target
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    target.write_text("of another version")
    ensure_plotly_js(tmp_path / "static")
    assert target.stat().st_size == before.st_size


def test_the_copy_is_the_installed_file(tmp_path: Path) -> None:
    import plotly

    installed = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert filecmp.cmp(ensure_plotly_js(tmp_path), installed, shallow=False)


# --- a page in a browser ---------------------------------------------------------------------


class Stage:
    """The page under test: control its run, await its frames, read its charts."""

    def __init__(self, page: Page, url: str, control: Path) -> None:
        self.page = page
        self.url = url
        self.control = control
        self.complaints: list[str] = []
        self.asked = 0
        page.on(
            "console",
            lambda m: (
                self.complaints.append(m.text) if m.type == "error" or "regviz" in m.text else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("websocket", self._count)

    def _count(self, socket: WebSocket) -> None:
        def look(payload: bytes | str) -> None:
            self.asked += "wanted" in str(payload)

        socket.on("framesent", look)

    def show(self, **control: Any) -> None:
        """Set the page's job; the page reads it ten times a second."""
        whole = json.dumps({"run": "a", "at": 0, "frames": 20} | control)
        partial = self.control.with_suffix(".part")
        partial.write_text(whole)
        partial.replace(self.control)

    def open(self, **control: Any) -> None:
        self.show(**control)
        self.page.goto(self.url)
        self.page.wait_for_function(
            # the weights are drawn last
            "(weights) => window.__regviz?.test?.painted > 0"
            " && (document.querySelector(weights)?.data?.[0].x.length ?? 1) > 0",
            arg=HISTOGRAM,
        )

    def await_epoch(self, epoch: int, run: str = "a") -> None:
        self.page.wait_for_function(
            "([epoch, run]) => window.__regviz.test.epoch === epoch"
            " && window.__regviz.test.run === run",
            arg=[epoch, run],
        )

    def await_curve(self, epochs: int) -> None:
        self.page.wait_for_function(
            "([chart, n]) => document.querySelector(chart).data[1].x.length === n",
            arg=[LOSS, epochs],
        )

    def play(self, first: int, last: int, **control: Any) -> None:
        for at in range(first, last + 1):
            self.show(at=at, **control)
            self.await_epoch(10 * at, control.get("run", "a"))

    def layout(self, chart: str, what: str) -> Any:
        return self.page.eval_on_selector(chart, f"gd => gd._fullLayout.{what}")

    def mark(self) -> None:
        """Mark every chart's element; a chart that is mounted again loses the mark."""
        self.page.evaluate(
            "document.querySelectorAll('.rv-root, .rv-gd, .rv-gd .main-svg')"
            ".forEach((e) => { e.marked = true })"
        )

    def marked(self) -> bool:
        return bool(
            self.page.evaluate(
                "[...document.querySelectorAll('.rv-root, .rv-gd, .rv-gd .main-svg')]"
                ".every((e) => e.marked)"
            )
        )


@pytest.fixture(scope="module")
def live_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Serve tests/live_page.py; give its address and its control file."""
    folder = tmp_path_factory.mktemp("live")
    shutil.copy(ROOT / "tests" / "live_page.py", folder)
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    (folder / "static").mkdir()
    control = folder / "control.json"
    control.write_text("{}")
    environment = {
        "REGVIZ_TEST_CONTROL": str(control),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = ("-m", "streamlit", "run", "live_page.py")
    with running_app(command, cwd=folder, environment=environment) as server:
        yield server.url, control


@pytest.fixture
def stage(live_page: tuple[str, Path], window: BrowserContext) -> Iterator[Stage]:
    """Open a new page; at the end its console must be empty."""
    url, control = live_page
    page = window.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.set_default_timeout(1000 * PATIENCE)
    stage = Stage(page, url, control)
    yield stage
    page.close()
    assert stage.complaints == []


def test_frames_move_the_charts_in_place(stage: Stage) -> None:
    stage.open(at=1)
    stage.mark()
    before = stage.page.evaluate(CANVAS_SUM)
    stage.play(2, 5)
    assert stage.marked()
    assert stage.page.evaluate(CANVAS_SUM) != before
    stage.await_curve(50)
    # the histogram draws a few times a second only
    zeros = stage.page.get_by_text("exact zeros: without 0, with 350 of 500")
    zeros.wait_for()
    assert stage.layout(LOSS, "xaxis.range") == [1, 200]


def test_what_was_there_before_is_not_taken_for_new(stage: Stage) -> None:
    stage.open(at=2, run="a")
    stage.page.evaluate(
        """() => {
            const inbox = window.__regvizInbox, push = inbox.push
            window.handed = []
            inbox.push = (message) => { push(message); window.handed.push(message) }
        }"""
    )
    stage.play(3, 4, run="a")
    stage.play(5, 6, run="b")
    stage.page.wait_for_function("window.handed.length >= 4")
    painted = "window.__regviz.test.paints.map(([, run, at]) => [run, at])"
    before = stage.page.evaluate(painted)
    stage.page.evaluate(
        "[...window.handed].forEach((message) => window.__regvizInbox.push(message))"
    )
    stage.play(7, 7, run="b")
    after = stage.page.evaluate(painted)[len(before) :]
    assert {tuple(paint) for paint in after} <= {("b", 60), ("b", 70)}


def test_a_message_is_drawn_when_it_comes_not_only_when_it_is_handed_over(stage: Stage) -> None:
    stage.open(at=1)
    stage.page.evaluate("window.__regvizInbox.push = () => { window.kept = true }")
    stage.play(2, 3)
    stage.page.wait_for_function("window.kept")


SAY = """(session) => {
  const about = { channel: "test", figures: ["said"], arrays: { light0: ["|u1", [2], 0] } }
  const sent = ["regviz-figures-test", session ?? window.__regvizCore.session, 1]
  const head = new TextEncoder().encode(JSON.stringify({ sent, ...about }))
  const data = new Uint8Array(3 + 8 + head.length + 2)
  data.set(new TextEncoder().encode("a RRVL1"), 0) // not at its beginning
  new DataView(data.buffer).setUint32(7, head.length, true)
  data.set(head, 11)
  const socket = new EventTarget()
  try { WebSocket.prototype.send.call(socket, "") } catch { /* it is no socket */ }
  socket.dispatchEvent(new MessageEvent("message", { data: data.buffer }))
  return window.__regvizCore.channels.get("test").figures.has("said")
}"""


def test_what_only_looks_like_a_message_of_ours_is_not_drawn(stage: Stage) -> None:
    stage.open(at=1)
    assert not stage.page.evaluate(SAY, "somebody else's")
    assert stage.page.evaluate(SAY)


def test_a_full_run_of_the_script_leaves_the_charts_in_place(stage: Stage) -> None:
    stage.open(at=2)
    stage.mark()
    received = stage.page.evaluate("window.__regviz.test.received")
    stage.page.get_by_role("button", name="Again").click()
    stage.show(at=3)
    stage.await_epoch(30)
    assert stage.page.evaluate("window.__regviz.test.received") > received
    assert stage.marked()


def test_what_stands_below_a_fragment_stays_where_the_browser_hears_late(stage: Stage) -> None:
    stage.show(held=True)
    page = stage.page
    page.goto(stage.url)

    def shows(run: int) -> None:
        expect(page.get_by_text("fragment's own")).to_have_text([f"fragment's own in run {run}"])
        expect(page.locator("[class*=st-key-below-]")).to_have_text(
            [f"first below in run {run}", f"second below in run {run}"]
        )

    shows(1)
    # held, the page's run and the fragment's reach the browser as one
    page.get_by_role("button", name="Again, held").click()
    shows(2)


CANVAS_SUM = """() => {
  const c = document.querySelector('.st-key-decision-boundary canvas')
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
  let sum = 0
  for (let i = 0; i < d.length; i += 4) sum = (sum * 31 + d[i] + d[i + 1] + d[i + 2]) % 1e9
  return sum
}"""

WATCH = """() => {
  window.watched = { looks: 0, blanks: [] }
  const look = () => {
    const w = window.watched
    w.looks += 1
    const canvas = document.querySelector('.st-key-decision-boundary canvas')
    const at = canvas && [canvas.width / 6, canvas.height / 2, 1, 1].map(Math.round)
    const pixel = canvas?.getContext('2d').getImageData(...at).data
    if (!pixel || pixel[3] === 0) w.blanks.push('boundary')
    const points = document.querySelectorAll('.st-key-decision-boundary .point')
    if (points.length < 500) w.blanks.push('points')
    const line = document.querySelectorAll('.st-key-loss-curves .js-line')
    if (![...line].some((l) => (l.getAttribute('d') ?? '').length > 20)) w.blanks.push('loss')
    const fills = document.querySelectorAll('.st-key-weight-histogram .js-fill')
    if (fills.length < 4) w.blanks.push('histogram')
    for (const e of document.querySelectorAll('.rv-root')) {
      let opacity = 1
      for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity)
      if (opacity < 1) w.blanks.push(`opacity ${opacity}`)
    }
    requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""


def test_no_chart_is_blank_or_grey_while_runs_come_and_go(stage: Stage) -> None:
    stage.open(at=3)
    stage.page.evaluate(WATCH)

    def play(*epochs: int, run: str) -> None:
        for at in epochs:
            stage.play(at, at, run=run)
            looks = stage.page.evaluate("window.watched.looks")
            stage.page.wait_for_function("(n) => window.watched.looks >= n", arg=looks + 3)

    play(4, 5, 6, run="a")
    stage.show(run="b", at=-1, slow=1.5)  # submitted, no frame yet, and the page takes its time
    stage.page.get_by_role("button", name="Again").click()
    app = stage.page.locator("[data-testid=stApp]")
    app.and_(stage.page.locator("[data-test-script-state=running]")).wait_for()
    app.and_(stage.page.locator("[data-test-script-state=notRunning]")).wait_for()
    assert stage.page.evaluate("window.__regviz.test.run") == "a"  # the old picture still
    play(1, 2, 3, 4, run="b")
    watched = stage.page.evaluate("window.watched")
    assert watched["looks"] > 20
    assert watched["blanks"] == []


def drag(page: Page, chart: str) -> None:
    box = page.locator(f"{chart} .nsewdrag").first.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + 0.3 * width, y + 0.3 * height)
    page.mouse.down()
    page.mouse.move(x + 0.6 * width, y + 0.6 * height, steps=5)
    page.mouse.up()


@pytest.mark.parametrize("chart", [LOSS, BOUNDARY, HISTOGRAM])
def test_a_zoom_survives_frames_and_a_double_click_ends_it(stage: Stage, chart: str) -> None:
    stage.open(at=4)
    home = stage.layout(chart, "xaxis.range")
    stage.page.locator(chart).scroll_into_view_if_needed()
    drag(stage.page, chart)
    stage.page.wait_for_function(
        "([chart, home]) => {const r = document.querySelector(chart)._fullLayout.xaxis.range;"
        "return r[0] !== home[0] && r[1] !== home[1]}",
        arg=[chart, home],
    )
    zoomed = [stage.layout(chart, "xaxis.range"), stage.layout(chart, "yaxis.range")]
    stage.play(5, 7)
    assert [stage.layout(chart, "xaxis.range"), stage.layout(chart, "yaxis.range")] == zoomed
    # presses that a busy browser takes in half a second apart are no double click to Plotly
    for _ in range(10):
        stage.page.locator(f"{chart} .nsewdrag").first.dblclick()
        with contextlib.suppress(TimeoutError):
            stage.page.wait_for_function(
                "([chart, low]) => document.querySelector(chart)._fullLayout.xaxis.range[0] < low",
                arg=[chart, zoomed[0][0]],
                timeout=6_000,
            )
            return
    raise AssertionError(stage.layout(chart, "xaxis.range"))


def test_charts_asked_to_draw_while_they_do_look_as_ever(stage: Stage) -> None:
    stage.page.set_viewport_size({"width": 560, "height": 900})  # legends under their titles
    stage.open(at=4)
    look = """() => [...document.querySelectorAll('.rv-gd .legend, .rv-gd .nsewdrag')]
      .map((e) => Object.values(e.getBoundingClientRect().toJSON()).map(Math.round).join(' '))"""
    before = stage.page.evaluate(look)
    assert len(before) == 3 + 6  # of each chart its legend, and its panels
    stage.page.evaluate("""async () => {
      const c = window.__regvizCore.channels.get('test')
      const charts = [...c.views].filter((view) => view.gd)
      for (let i = 0; i < 3; i++) for (const view of charts) view.render(c, c.picture(), true)
      while (charts.some((view) => view.drawing)) await new Promise(requestAnimationFrame)
    }""")
    assert stage.page.evaluate(look) == before


HEIGHTS = """() => ['loss-curves', 'weight-histogram']
  .map((key) => document.querySelector(`.st-key-${key} .main-svg`).getBoundingClientRect().height)
"""


def test_charts_grow_with_the_window_in_place(stage: Stage) -> None:
    stage.open(at=4)
    loss, histogram = stage.page.evaluate(HEIGHTS)
    drag(stage.page, LOSS)
    stage.page.wait_for_function(f"document.querySelector('{LOSS}')._fullLayout.xaxis.range[0] > 1")
    zoomed = stage.layout(LOSS, "xaxis.range")
    stage.mark()
    for height, growth in ((1080, 1.18), (2000, 1.35), (700, 1)):
        stage.page.set_viewport_size({"width": 1280, "height": height})
        stage.page.wait_for_function(
            f"([a, b]) => {{const [x, y] = ({HEIGHTS})();"
            "return Math.abs(x - a) < 1 && Math.abs(y - b) < 1}",
            arg=[growth * loss, growth * histogram],
        )
        assert stage.layout(LOSS, "height") == pytest.approx(growth * loss, abs=1)
    assert stage.layout(LOSS, "xaxis.range") == zoomed
    assert stage.marked()


def test_the_loss_axis_only_grows_while_a_run_goes_on(stage: Stage) -> None:
    stage.open(at=1)
    tops = []
    for at in range(2, 12):
        stage.play(at, at)
        tops.append(stage.layout(LOSS, "yaxis.range")[1])
    assert tops == sorted(tops)
    assert len(set(tops)) <= 4
    assert {stage.layout(LOSS, "yaxis.range")[0]} == {0}


def test_the_theme_switches_at_once(stage: Stage) -> None:
    stage.open(at=5)

    def colors() -> tuple[str, str]:
        return (
            stage.page.eval_on_selector(LOSS, "gd => gd._fullData[1].line.color"),
            stage.page.eval_on_selector(LOSS, "gd => gd._fullLayout.font.color"),
        )

    assert colors() == (LIGHT.lanes[0], LIGHT.text)
    light = stage.page.evaluate(CANVAS_SUM)
    stage.mark()
    stage.page.emulate_media(color_scheme="dark")
    stage.page.wait_for_function(
        f"document.querySelector('{LOSS}')._fullLayout.font.color === '{DARK.text}'"
    )
    assert colors() == (DARK.lanes[0], DARK.text)
    stage.page.wait_for_function(f"({CANVAS_SUM})() !== {light}")
    assert stage.marked()
    stage.page.emulate_media(color_scheme="light")
    stage.page.wait_for_function(
        f"document.querySelector('{LOSS}')._fullLayout.font.color === '{LIGHT.text}'"
    )
    stage.page.wait_for_function(f"({CANVAS_SUM})() === {light}")


def test_the_scrubber_asks_once_and_then_needs_no_server(stage: Stage) -> None:
    stage.open(at=20)  # finished; the browser has seen its last frame only
    stage.await_epoch(200)
    page = stage.page
    slider = page.get_by_role("slider", name="Epoch")
    newest = page.evaluate(CANVAS_SUM)
    slider.focus()
    slider.press("ArrowLeft")
    page.wait_for_function("window.__regviz.test.stored === 21")
    slider.fill("100")
    stage.await_epoch(100)
    assert page.evaluate(CANVAS_SUM) != newest
    assert "epoch 100 / 200" in page.inner_text(".rv-scrub")
    assert "without: training loss 0.120, validation loss 0.520" in page.inner_text(".rv-scrub")
    assert page.inner_text(".rv-table tbody").split() == ["epoch", "100", "100"]
    assert slider.get_attribute("aria-valuetext") == "epoch 100 of 200"
    assert stage.asked >= 1
    asked = stage.asked
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "epoch 101 of 200, plots of epoch 100")
    for epoch in (10, 60, 0, 150):
        slider.fill(str(epoch))
        stage.await_epoch(epoch)
    slider.press("End")
    stage.await_epoch(200)
    assert page.evaluate(CANVAS_SUM) == newest
    assert stage.asked == asked
    assert page.evaluate("window.__regviz.test.stored") == 21


PATHS = """(selector) => [...document.querySelectorAll(
    ['loss-curves', 'weight-histogram'].map((key) => `.st-key-${key} ${selector}`).join())]
  .map((path) => path.getAttribute('d')).filter((d) => d && d !== 'M0,0Z')"""
REST = "window.__regvizCore.channels.get('test').rest"


def test_a_sweep_is_scrubbed_without_the_server_as_plotly_would_draw_it(stage: Stage) -> None:
    stage.open(sweep="s")
    page = stage.page
    slider = page.get_by_role("slider", name="L2 λ")
    expect(slider).to_have_attribute("aria-valuetext", "L2 λ = 0")
    axes = [stage.layout(chart, "yaxis.range") for chart in (LOSS, HISTOGRAM)]
    first = page.evaluate(CANVAS_SUM)
    page.evaluate(f"window.rest = {REST}; {REST} = () => {{}}")  # stays a sketch
    received, asked = page.evaluate("window.__regviz.test.received"), stage.asked
    slider.focus()
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "L2 λ = 1.6e-06")
    slider.press("End")
    expect(page.locator(".rv-scrub")).to_contain_text("L2 λ = 1.0e-02")
    stage.await_epoch(200, "s")
    slider.fill("7")  # a run that was stopped, its best epoch restored
    stage.await_epoch(135, "s")
    assert page.evaluate(CANVAS_SUM) != first
    assert page.inner_text(".rv-table tbody").split() == ["epoch", "135", "135"]
    expect(page.locator(".rv-scrub")).to_contain_text("with: training loss 0.149")  # epoch 50
    zeros = page.locator(f"{HISTOGRAM} .annotation-text").nth(3)
    expect(zeros).to_have_text("exact zeros: without 0, with 945 of 500")
    assert page.evaluate("window.__regviz.test.received") == received == 1
    assert stage.asked == asked
    sketched = page.evaluate(PATHS, ".rv-sketch path")
    page.evaluate(f"({REST} = window.rest).call(window.__regvizCore.channels.get('test'))")
    page.wait_for_function("document.querySelector('.rv-sketching') === null")
    drawn = page.evaluate(PATHS, ".mlayer path")
    assert len(sketched) == 4 + 3 + 1 + 4 * 4 + 3  # curves, marks, stop, steps and fills, bars
    stop = page.eval_on_selector(LOSS, "gd => gd._fullLayout.xaxis.d2p(135)")
    assert {d.split(",")[0] for d in set(sketched) - set(drawn)} == {f"M{stop:.2f}"}
    assert [stage.layout(chart, "yaxis.range") for chart in (LOSS, HISTOGRAM)] == axes


def test_figures_change_in_place_tell_of_clicks_and_lost_sweeps_come_again(stage: Stage) -> None:
    stage.open(sweep="s", at=1)
    page = stage.page
    plane = ".st-key-plane .rv-gd"
    title = page.locator(".st-key-plane .gtitle")
    expect(title).to_have_text("level 1")
    page.locator(plane).scroll_into_view_if_needed()
    drag(page, plane)
    zoomed = stage.layout(plane, "xaxis.range")
    assert zoomed[1] - zoomed[0] < 4
    stage.mark()
    stage.show(sweep="s", at=5)
    expect(title).to_have_text("level 5")
    assert page.eval_on_selector(plane, "gd => gd.data[0].z[7][7]") == 19
    assert stage.layout(plane, "xaxis.range") == zoomed
    page.locator(f"{plane} .nsewdrag").first.click()
    expect(page.get_by_text("clicked [{")).to_contain_text("'curveNumber': 0")
    expect(page.get_by_text("clicked [{")).to_contain_text("'customdata': [")
    # the page is left, and the browser lets go: on return it says so, and gets the sweep again
    stage.show(charts=False)
    page.get_by_role("button", name="Again").click()
    page.locator(plane).wait_for(state="detached")
    page.evaluate("const c = window.__regvizCore.channels.get('test'); if (c) c.sweep = null")
    stage.show(sweep="s", at=5)
    page.get_by_role("button", name="Again").click()
    page.wait_for_function("window.__regvizCore.channels.get('test')?.sweep != null")
    stage.mark()
    slider = page.get_by_role("slider", name="L2 λ")
    slider.fill("3")
    expect(slider).to_have_attribute("aria-valuetext", "L2 λ = 4.0e-06")
    stage.show(sweep="t", at=5)  # another sweep over the same values: the place is kept
    page.get_by_role("button", name="Again").click()
    stage.await_epoch(115, "t")
    expect(slider).to_have_attribute("aria-valuetext", "L2 λ = 4.0e-06")
    page.get_by_role("button", name="play").click()
    page.wait_for_function("window.__regviz.test.run === 't' && window.__regviz.test.epoch > 115")
    page.get_by_role("button", name="stop").click()
    expect(page.get_by_role("button", name="play")).to_be_visible()
    assert stage.marked()


def test_a_run_goes_on_behind_a_scrubber_that_is_held_back(stage: Stage) -> None:
    stage.open(at=8)
    slider = stage.page.get_by_role("slider", name="Epoch")
    slider.fill("40")
    stage.await_epoch(40)
    stage.show(at=9)
    stage.page.wait_for_function("window.__regviz.test.newest === 90")
    assert stage.page.evaluate("window.__regviz.test.epoch") == 40
    stage.await_curve(90)
    stage.page.get_by_role("button", name="newest").click()
    stage.await_epoch(90)
    slider.fill("30")
    stage.await_epoch(30)
    stage.show(run="c", at=2)  # a new run starts at its newest again
    stage.await_epoch(20, "c")
    assert slider.input_value() == "20"


def test_where_there_is_no_boundary_a_sentence_stands(stage: Stage) -> None:
    stage.open(at=2, kind="digits")
    note = stage.page.locator(".st-key-decision-boundary .rv-note:visible")
    assert note.inner_text() == (
        "No boundary: these data have 10 classes, but no plane of two inputs."
    )
    assert not stage.page.locator(BOUNDARY).is_visible()
    stage.show(at=3, kind="digits")
    stage.await_epoch(30)
    assert note.is_visible()
    stage.show(run="b", at=3)
    stage.await_epoch(30, "b")
    stage.page.locator(BOUNDARY).wait_for(state="visible")
    assert note.count() == 0


@pytest.mark.parametrize("log", [False, True])
def test_lanes_that_diverge_at_once_are_seen(stage: Stage, log: bool) -> None:
    stage.open(at=1, frames=200, diverged=[2.5e11, 3e10], log=log)
    stage.page.wait_for_selector(f"{LOSS} .point")
    axes = stage.page.locator(f"{LOSS} .nsewdrag").first.bounding_box()
    assert axes is not None
    crosses = stage.page.eval_on_selector_all(
        f"{LOSS} .point",
        "(points) => points.map((p) => [p.style.fill, p.getBoundingClientRect()])"
        ".map(([fill, b]) => [fill, b.x + b.width / 2, b.y + b.height / 2])",
    )
    assert len(crosses) == 2
    (first, x, y), (second, u, v) = crosses
    assert first != second
    for across, down in ((x, y), (u, v)):
        assert abs(across - axes["x"]) < 2
        assert 0 < down - axes["y"] < 40
    assert abs(y - v) > 12
    assert stage.page.locator(f"{LOSS} .legendtext", has_text="diverged").is_visible()
    stage.page.mouse.move(axes["x"] + 2, axes["y"] + 60)
    hover = stage.page.locator(f"{LOSS} .hoverlayer")
    expect(hover).to_contain_text(
        "without: diverged in epoch 1, training loss 2.5e+11, validation loss 2.5e+11"
    )
    expect(hover).to_contain_text("with: diverged in epoch 1, training loss 3.0e+10")


def test_one_epoch_is_seen_as_points_and_three_as_lines(stage: Stage) -> None:
    def modes() -> list[str]:
        return stage.page.eval_on_selector(LOSS, "gd => [0, 1].map((i) => gd._fullData[i].mode)")

    stage.open(at=1, frames=200)
    assert modes() == ["lines+markers"] * 2
    stage.show(at=3, frames=200)
    stage.await_curve(3)
    assert modes() == ["lines"] * 2
    assert not stage.page.locator(f"{LOSS} .legendtext", has_text="diverged").is_visible()


OVERLAPS = """(chart) => {
  const of = (selector) => [...document.querySelectorAll(`${chart} ${selector}`)]
    .map((e) => [e.textContent, e.getBoundingClientRect()])
    .filter(([text, box]) => text.trim() && box.width > 0)
  const found = []
  const check = (boxes) => boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left)
    const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top)
    if (across > 0.5 && down > 2) found.push([a, b, across, down])
  }))
  check(of('g[class$="tick"] text'))
  check(of('.annotation-text'))
  return found
}"""


@pytest.mark.parametrize("width", [420, 560])  # that of the chart: some 350 and 490 pixels
@pytest.mark.parametrize("layers", [1, 3, 4, 5, 9])
def test_no_labels_of_the_histograms_overlap(stage: Stage, layers: int, width: int) -> None:
    stage.page.set_viewport_size({"width": width, "height": 900})
    stage.open(at=20, layers=layers)
    stage.page.wait_for_function(
        "([chart, n]) => document.querySelectorAll(`${chart} .annotation-text`).length === 2 * n",
        arg=[HISTOGRAM, layers],
    )
    stage.page.locator(HISTOGRAM).scroll_into_view_if_needed()
    assert stage.page.evaluate(OVERLAPS, HISTOGRAM) == []
    ticks = stage.page.eval_on_selector(
        HISTOGRAM,
        "gd => Object.keys(gd._fullLayout).filter((k) => k.startsWith('xaxis'))"
        ".map((k) => gd._fullLayout[k].tickvals.length)",
    )
    assert len(ticks) == layers
    assert min(ticks) >= (3 if layers < 4 else 1)


def test_the_camera_saves_the_boundary_with_its_picture(stage: Stage) -> None:
    stage.open(at=10)
    stage.page.locator(BOUNDARY).hover()
    with stage.page.expect_download() as saved:
        stage.page.locator(f"{BOUNDARY} .modebar-btn").first.click()
    path = saved.value.path()
    assert saved.value.suggested_filename.endswith("-decision-boundary.png")
    png = path.read_bytes()
    assert struct.unpack(">II", png[16:24]) == (3840, 2160)
    # where class 1 is sure, the picture has its colour: decoded by the browser itself
    pixels = stage.page.evaluate(
        """async (url) => {
          const image = await createImageBitmap(await (await fetch(url)).blob())
          const canvas = new OffscreenCanvas(image.width, image.height)
          const context = canvas.getContext('2d')
          context.drawImage(image, 0, 0)
          const { data } = context.getImageData(0, image.height / 2, image.width, 1)
          const seen = {}
          for (let i = 0; i < data.length; i += 4) {
            const hex = [0, 1, 2].map((k) => data[i + k].toString(16).padStart(2, '0'))
            const name = '#' + hex.join('')
            seen[name] = (seen[name] ?? 0) + 1
          }
          return seen
        }""",
        "data:image/png;base64," + base64.b64encode(png).decode(),
    )
    assert pixels.get(LIGHT.response[2], 0) > 50
    assert pixels.get(LIGHT.response[0], 0) > 50


def test_a_chart_that_is_left_lets_go(stage: Stage) -> None:
    stage.open(at=3)
    stage.show(at=3, charts=False)
    stage.page.get_by_role("button", name="Again").click()
    stage.page.locator(LOSS).wait_for(state="detached")
    stage.page.wait_for_function("!window.__regvizCore.channels.has('test')")
    stage.show(at=4)
    stage.page.get_by_role("button", name="Again").click()
    stage.page.wait_for_function("window.__regviz?.test?.epoch === 40")


def test_the_accuracy_toggle_keeps_the_curves(stage: Stage) -> None:
    stage.open(at=6)
    stage.mark()
    stage.page.get_by_text("Accuracy", exact=True).click()
    stage.page.wait_for_function(
        f"document.querySelector('{LOSS}')._fullLayout.yaxis.tickformat === '.0%'"
    )
    stage.await_curve(60)
    assert stage.marked()
