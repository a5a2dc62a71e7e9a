"""The app's speed in a real browser.

``python -m benchmarks.browser``, from the root, starts ``streamlit run app.py`` on a free port,
moves the slider *Dropout p* of the Playground twenty times by an arrow key, each time after the
last run has finished, and prints one table of medians with the project's goals. It ends all
processes that it starts.

- *key press to first paint*: from the browser's time stamp of the key event (Playwright sends it 10
  to 30 ms later than requested) until the first painted frame of the new run, which the live
  component records in ``window.__regviz``.
- *painted frames a second*: between the first and the last painted frame of a run.
- *server CPU a painted frame*: user and system time of the web process divided by the painted
  frames, over five seconds of a long run; and over each move's run, which includes the two whole
  runs of the page's script per move, even for few frames.
- *blank looks*: the charts are checked in every animation frame; none may be empty or faded.
- *changes a second under the scrubber*: the slider moves in each animation frame through the 21
  values of a sweep (boundaries of 80 x 80, curves and histograms of two lanes) and through the
  stored epochs of a run. A frame counts only if all three charts have drawn the new position:
  another curve (or cursor), another histogram, another image on the boundary's canvas. The next
  animation frame starts after the browser has painted the last one, so these are real paints.
- *memory*: resident size of the web process with ten sessions, and of a trainer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import STREAMLIT, serving
from regviz.results import presets
from regviz.specs import to_link

ALONE = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}
CHANNEL = "playground"
TICKS = os.sysconf("SC_CLK_TCK")
LIVE = f"window.__regviz?.{CHANNEL}"

WATCH = """() => {
  window.looks = 0
  window.blanks = []
  const look = () => {
    window.looks += 1
    const canvas = document.querySelector('.st-key-decision-boundary canvas')
    const at = canvas && [canvas.width / 6, canvas.height / 2, 1, 1].map(Math.round)
    const pixel = canvas?.getContext('2d').getImageData(...at).data
    if (!pixel || pixel[3] === 0) window.blanks.push('boundary')
    const lines = [...document.querySelectorAll('.st-key-loss-curves .js-line')]
    if (!lines.length) window.blanks.push('loss')
    const fill = document.querySelector('.st-key-weight-histogram .js-fill')
    if (!fill) window.blanks.push('histogram')
    for (const e of document.querySelectorAll('.rv-root')) {
      let opacity = 1
      for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity)
      if (opacity < 1) window.blanks.push('faded')
    }
    requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""


SCRUB = """async ([channel, places]) => {
  const input = document.querySelector('.st-key-epoch-scrubber input')
  const frame = () => new Promise(requestAnimationFrame)
  let drawn = 0
  const { prototype } = CanvasRenderingContext2D
  const { drawImage } = prototype
  prototype.drawImage = function (...given) { drawn += 1; return drawImage.apply(this, given) }
  const paths = (key) => [...document.querySelectorAll(`.st-key-${key} .rv-sketch path`)]
    .map((path) => path.getAttribute('d')).join()
  const looks = () => [
    paths('loss-curves') + document.querySelector('.st-key-loss-curves .rv-cursor').style.left,
    paths('weight-histogram'), drawn]
  const messages = window.__regviz[channel].received
  const pauses = []
  let whole = 0
  await frame()
  let before = looks()
  let at = performance.now()
  const started = at
  for (const place of places) {
    input.value = place
    input.dispatchEvent(new Event('input'))
    await frame()
    const now = looks()
    if (now.every((look, i) => look !== before[i])) whole += 1
    before = now
    pauses.push(performance.now() - at)
    at = performance.now()
  }
  await frame()
  const seconds = (performance.now() - started) / 1000
  prototype.drawImage = drawImage
  pauses.sort((a, b) => a - b)
  return { rate: whole / seconds, whole, asked: places.length,
    p95: pauses[Math.floor(0.95 * (pauses.length - 1))],
    fromServer: window.__regviz[channel].received - messages }
}"""


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    """Return the resident size of a process in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descendants(pid: int) -> list[int]:
    """Return the ids of a process's children and theirs."""
    out = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            for child in (task / "children").read_text().split():
                out += [int(child), *descendants(int(child))]
    return out


def has_torch(pid: int) -> bool:
    """Return whether a process has torch's library in its memory."""
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def state(page: Page) -> dict[str, Any]:
    """Return the counters of the live component."""
    return page.evaluate(f"(({{paints, ...rest}}) => rest)({LIVE})")


def await_done(page: Page, run_not: str = "") -> None:
    """Wait until the newest run has painted its last frame."""
    page.wait_for_function(
        f"(old) => {LIVE}?.run && {LIVE}.run !== old && {LIVE}.done === true",
        arg=run_not,
        timeout=120_000,
        polling=50,  # ms; polling in each animation frame would slow the measured frames
    )


def moves(page: Page, pid: int, count: int, *, weigh: bool = False) -> dict[str, list[float]]:
    """Move the slider ``count`` times; return the measurements of each move.

    With ``weigh`` the browser also reports the size of each message, which costs a share of the two
    cores.
    """
    sizes: list[int] = []
    if weigh:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.webSocketFrameReceived",
            # binary payloads arrive as base64
            lambda event: sizes.append(len(event["response"]["payloadData"]) * 3 // 4),
        )
    slider = page.locator('input[aria-label="Dropout p"]')
    slider.focus()
    page.evaluate(
        "addEventListener('keydown', (event) => { window.pressed = event.timeStamp }, true)"
    )
    out: dict[str, list[float]] = {
        name: [] for name in ("first", "rate", "bytes", "largest", "cpu", "complete", "frames")
    }
    for _ in range(count):
        page.wait_for_timeout(400)  # ms until the server is idle after the last run
        old = state(page)["run"]
        sizes.clear()
        cpu = cpu_seconds(pid)
        slider.press("ArrowRight")
        await_done(page, old)
        pressed = page.evaluate("window.pressed")
        paints = page.evaluate(f"{LIVE}.paints.filter(([, run]) => run !== '{old}')")
        run = state(page)["run"]
        times = [t for t, of, _ in paints if of == run]
        if not times:
            continue
        out["first"].append(times[0] - pressed)
        out["complete"].append(times[-1] - pressed)
        out["frames"].append(len(times))
        out["cpu"].append(1000 * (cpu_seconds(pid) - cpu) / len(times))
        if len(times) > 2:
            out["rate"].append(1000 * (len(times) - 1) / (times[-1] - times[0]))
        if weigh:
            # large messages hold frames
            frames = [size for size in sizes if size > 5000]
            out["bytes"].append(statistics.median(frames) if frames else 0.0)
            out["largest"].append(max(sizes, default=0))
    return out


def steady(page: Page, url: str, pid: int) -> float:
    """Return the server's CPU milliseconds per painted frame in the middle of a long run."""
    long = presets.DEFAULT.experiment.replace("training.epochs", 5000)
    page.goto(f"{url}/?e={to_link(long)}")
    page.wait_for_function(f"{LIVE}?.epoch > 100 && !{LIVE}.done")
    cpu, painted = cpu_seconds(pid), state(page)["painted"]
    page.wait_for_timeout(5000)
    return 1000 * (cpu_seconds(pid) - cpu) / max(1, state(page)["painted"] - painted)


def scrub(page: Page, channel: str, places: Sequence[int]) -> dict[str, float]:
    """Move the scrubber through the positions, four times back and forth after a first round."""
    there_and_back = [*places[1:], *places[-2::-1]]
    page.evaluate(SCRUB, [channel, there_and_back])  # images are created on first use
    return page.evaluate(SCRUB, [channel, 4 * there_and_back])


def scrub_sweep(page: Page, url: str) -> dict[str, float]:
    """Train the Sweep page's first preset, 21 values, and scrub through them."""
    page.goto(url)
    await_done(page)
    # by the menu: a page opened by its address requests a file that Streamlit does not have
    page.locator(".stAppHeader").get_by_role("button", name="Tools", exact=True).click()
    page.get_by_role("menuitem", name="Sweep", exact=True).click()
    page.wait_for_function("window.__regviz?.['sweep-look']?.painted > 0", timeout=180_000)
    # scroll all three charts into view, as a user would
    page.eval_on_selector(".st-key-epoch-scrubber", "(e) => e.scrollIntoView({ block: 'start' })")
    page.wait_for_timeout(1000)
    return scrub(page, "sweep-look", range(21))


def scrub_epochs(page: Page, url: str) -> dict[str, float]:
    """Train the default run and scrub through its stored epochs."""
    page.goto(url)
    await_done(page)
    slider = page.get_by_role("slider", name="Epoch")
    slider.press("ArrowLeft")
    page.wait_for_function(f"{LIVE}.stored > 1")
    page.wait_for_timeout(1000)
    epochs = page.evaluate(
        f"[...window.__regvizCore.channels.get('{CHANNEL}').pictures.keys()].sort((a, b) => a - b)"
    )
    return scrub(page, CHANNEL, epochs[:-1])  # at the last epoch the charts follow the run again


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--visitors", type=int, default=10)
    options = parser.parse_args()
    rows: list[tuple[str, str, str]] = []
    before = os.getloadavg()[0]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with serving(STREAMLIT, environment=ALONE) as app, sync_playwright() as playwright:
        url, process = app.url, app.process
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        opened = 0.0
        blanks: list[str] = []
        looks = 0
        got: dict[str, list[float]] = {}
        # another seed for each half of the moves, so that no run comes from the engine's cache.
        # Blanks and message sizes are measured in separate moves, because that costs time
        default = presets.DEFAULT.experiment
        half = options.moves // 2
        for seed, count in enumerate((half, options.moves - half, half)):
            begun = time.perf_counter()
            page.goto(f"{url}/?e={to_link(default.replace('training.seed', 100 + seed))}")
            await_done(page)
            opened = opened or time.perf_counter() - begun
            if seed == 2:
                page.evaluate(WATCH)
                weighed = moves(page, process.pid, count, weigh=True)
                got |= {name: weighed[name] for name in ("bytes", "largest")}
                blanks += page.evaluate("window.blanks")
                looks += page.evaluate("window.looks")
                continue
            for name, values in moves(page, process.pid, count).items():
                got.setdefault(name, []).extend(values)

        calm = steady(page, url, process.pid)
        sweep, epochs = scrub_sweep(page, url), scrub_epochs(page, url)
        load = f"{before:.1f}, {os.getloadavg()[0]:.1f}"

        others = []
        for _ in range(options.visitors - 1):
            others.append(browser.new_page(viewport={"width": 1440, "height": 900}))
            others[-1].goto(url)
            await_done(others[-1])
        web = resident_mb(process.pid)
        torch_in_web = has_torch(process.pid)
        trainers = [pid for pid in descendants(process.pid) if has_torch(pid)]
        trainer = max((resident_mb(pid) for pid in trainers), default=0.0)
        browser.close()

        def middle(name: str, digits: int = 0) -> str:
            values = got[name]
            if not values:
                return "–"
            worst = sorted(values)[int(0.95 * (len(values) - 1))]
            return f"{statistics.median(values):.{digits}f} (p95 {worst:.{digits}f})"

        def changes(what: dict[str, float]) -> str:
            return (
                f"{what['rate']:.0f} ({what['whole']:.0f} of {what['asked']:.0f}, "
                f"p95 {what['p95']:.0f} ms)"
            )

        rows = [
            ("key press to first paint of the new model, ms", middle("first"), "<= 250"),
            ("key press to the default run complete, ms", middle("complete"), "<= 1500"),
            ("painted frames a second while training", middle("rate", 1), ">= 8"),
            ("painted frames of a run", middle("frames"), ""),
            (
                "bytes of a frame's message, kB",
                f"{statistics.median(got['bytes']) / 1e3:.1f}",
                "<= 20",
            ),
            ("largest message of a move, kB", f"{max(got['largest']) / 1e3:.1f}", ""),
            ("server CPU a painted frame while training, ms", f"{calm:.1f}", "<= 10"),
            ("the same, a move's two script runs counted in", middle("cpu", 1), ""),
            ("changes a second under the scrubber, 21 values", changes(sweep), ">= 20"),
            ("changes a second under the scrubber, epochs", changes(epochs), ">= 20"),
            (
                "messages from the server while scrubbing",
                f"{sweep['fromServer'] + epochs['fromServer']:.0f}",
                "0",
            ),
            (
                "blank, jumped or faded looks",
                f"{len(blanks)} of {looks} {sorted(set(blanks))}",
                "0",
            ),
            ("errors in the browser's console", f"{len(problems)} {problems[:2]}", "0"),
            ("opened (cold server) to complete, s", f"{opened:.1f}", ""),
            (f"web process with {options.visitors} visitors, MB", f"{web:.0f}", "<= 160"),
            ("torch in the web process", "yes" if torch_in_web else "no", "no"),
            (f"largest of {len(trainers)} trainers, MB", f"{trainer:.0f}", "<= 400"),
            ("load average before and while", load, ""),
        ]
    wide = max(len(name) for name, _, _ in rows)
    print(f"{'measured':<{wide}}  {'median':>24}  promised")
    for name, value, promise in rows:
        print(f"{name:<{wide}}  {value:>24}  {promise}")


if __name__ == "__main__":
    main()
