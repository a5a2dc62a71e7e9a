"""Screenshots of the real app in a real browser: sizes x themes x moments.

::

    python -m docs.screenshots [FOLDER]          # default ./shots
    python -m docs.screenshots --readme          # writes docs/playground.png
    python -m docs.screenshots --only finished --size 1440x900 --theme light

Each moment is a function in ``MOMENTS`` that brings a page into a state.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import ROOT, STREAMLIT, serving, trainers
from regviz import specs
from regviz.results import presets
from regviz.specs import Experiment

SIZES = {"1440x900": (1440, 900), "1920x1080": (1920, 1080)}
THEMES = ("light", "dark")
ENDED = ("finished", "stopped", "diverged", "failed")


# --- moments: (page, address of the app, its process id) -> the page stands there --------------

Moment = Callable[[Page, str, int], None]


def status(page: Page, *words: str, timeout: float = 30_000) -> None:
    """Wait until the run's status holds one of ``words``."""
    page.wait_for_function(
        """(words) => {
            const box = document.querySelector('.st-key-run-status')
            return box && words.some((word) => box.textContent.includes(word))
        }""",
        arg=list(words),
        timeout=timeout,
    )


def drawn(page: Page) -> None:
    """Wait until the page has drawn its last messages."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector('.stApp')
            const charts = [...document.querySelectorAll('.st-key-decision-boundary canvas')]
            const painted = Object.values(window.__regviz ?? {}).some((c) => c.painted > 0)
            return app?.dataset.testScriptState === 'notRunning' && charts.length > 0 && painted
                && document.querySelectorAll('.stSkeleton').length === 0
        }""",
        timeout=60_000,
    )
    page.wait_for_timeout(600)  # ms, for the transitions of Plotly and Streamlit


def first_load(page: Page, url: str, server: int) -> None:
    """The page as soon as it shows a boundary."""
    page.goto(url)
    drawn(page)


def training(page: Page, url: str, server: int) -> None:
    """The reference experiment after some epochs."""
    page.goto(_address(url, presets.by_name("Reference: dropout 0.5").experiment))
    page.wait_for_function(
        """() => {
            const text = document.querySelector('.st-key-run-status')?.textContent ?? ''
            return Number(text.match(/epoch (\\d+)/)?.[1] ?? 0) >= 40
        }""",
        timeout=60_000,
    )
    drawn(page)


def finished(page: Page, url: str, server: int) -> None:
    """The default experiment at its end."""
    page.goto(url)
    status(page, *ENDED)
    drawn(page)


def diverged(page: Page, url: str, server: int) -> None:
    """The default experiment with a learning rate of 1000, which makes models diverge."""
    page.goto(_address(url, presets.DEFAULT.experiment.replace("training.lr", 1000.0)))
    status(page, *ENDED)
    drawn(page)


def worker_killed(page: Page, url: str, server: int) -> None:
    """A trainer is killed during a run, and the run restarts automatically."""
    training(page, url, server)
    for pid in trainers(server):
        os.kill(pid, signal.SIGKILL)
    page.wait_for_timeout(700)  # ms: the screenshot shows the state before the restart
    drawn(page)


def failed(page: Page, url: str, server: int) -> None:
    """Trainers are killed until the engine gives up the run."""
    training(page, url, server)
    until = time.monotonic() + 60
    text = ""
    while time.monotonic() < until and "failed" not in text:
        for pid in trainers(server):
            os.kill(pid, signal.SIGKILL)
        page.wait_for_timeout(300)
        text = page.locator(".st-key-run-status").inner_text()
    drawn(page)


MOMENTS: dict[str, Moment] = {
    "first-load": first_load,
    "training": training,
    "finished": finished,
    "diverged": diverged,
    "worker-killed": worker_killed,
    "failed": failed,
}


def _address(url: str, experiment: Experiment) -> str:
    return f"{url}/?e={specs.to_link(experiment)}"


# --- taking them -----------------------------------------------------------------------------


def shoot(
    browser: Browser,
    moment: Moment,
    url: str,
    server: int,
    *,
    size: tuple[int, int],
    theme: str,
    to: Path,
    scale: float = 1,
) -> None:
    """Bring a new page to ``moment`` and save a screenshot of the window."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=scale,
    )
    try:
        page = context.new_page()
        moment(page, url, server)
        to.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=to)
        print(to)
    finally:
        context.close()


def main(arguments: list[str] | None = None) -> None:
    """Take the screenshots that the command line names."""
    parser = argparse.ArgumentParser(description="Take pictures of the app.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "shots")
    parser.add_argument("--readme", action="store_true", help="write docs/playground.png only")
    parser.add_argument("--only", action="append", choices=sorted(MOMENTS))
    parser.add_argument("--size", action="append", choices=sorted(SIZES))
    parser.add_argument("--theme", action="append", choices=THEMES)
    options = parser.parse_args(arguments)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with serving(STREAMLIT) as app:
            url, server = app.url, app.process.pid
            if options.readme:
                shoot(
                    *(browser, finished, url, server),
                    size=SIZES["1440x900"],
                    theme="light",
                    to=ROOT / "docs" / "playground.png",
                )
                return
            for name in options.only or MOMENTS:
                for size in options.size or SIZES:
                    for theme in options.theme or THEMES:
                        shoot(
                            *(browser, MOMENTS[name], url, server),
                            size=SIZES[size],
                            theme=theme,
                            to=options.folder / f"{name}-{size}-{theme}.png",
                        )


if __name__ == "__main__":
    main()
