"""The Sweep page: controls, lanes, links, and scrubbing in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from regviz import specs
from regviz.results.sweeps import Sweep, spread
from regviz.specs import Experiment
from tests.app_pages import await_jobs
from tests.app_server import AppServer
from tests.browsing import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
SMALL = Experiment.from_dict(
    {"data": {"n_samples": 100}, "model": {"hidden": [8]}, "training": {"epochs": 10, "lr": 0.01}}
)
L2, P = "regularization.l2", "regularization.dropout"


def opened(over: list[str], *, seeds: int = 1, base: Experiment = SMALL) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/sweep.py")
    at.query_params.update({"e": specs.to_link(base), "over": over, "seeds": str(seeds)})
    at.run()
    return at


def finished(at: AppTest) -> AppTest:
    until = time.monotonic() + PATIENCE
    while "<b>finished</b>" not in html(at):
        assert not at.exception
        assert time.monotonic() < until, html(at)
        await_jobs(at)
        at.run()
    return at


def html(at: AppTest) -> str:
    return "".join(h.value for h in at.html if "<style" not in h.value)


def shown(at: AppTest) -> Sweep:
    sweep = at.session_state["sweep.sweep"]
    assert isinstance(sweep, Sweep)
    return sweep


def control(at: AppTest, kind: str, label: str) -> Any:
    (found,) = [w for w in getattr(at.sidebar, kind) if w.label == label]
    return found


def test_it_opens_with_a_sweep_and_says_what_came_of_it() -> None:
    at = finished(opened([f"{L2}~0.001~1~4"], seeds=2))
    assert not at.error
    assert shown(at) == Sweep(SMALL, (spread(L2, 1e-3, 1.0, 4),), 2)
    assert "Lowest validation loss 0." in html(at)
    assert "within one standard error" in html(at)
    (code,) = [c.value for c in at.code]
    assert code == shown(at).command


def test_every_control_reaches_the_lanes_and_the_link() -> None:
    at = finished(opened([f"{L2}~0.001~1~4"]))
    control(at, "selectbox", "Second parameter").select(P).run()
    assert [a.path for a in shown(at).axes] == [L2, P]
    assert shown(at).shape == (4, 8, 1)
    control(at, "slider", "Number of values of Dropout p").set_value(3).run()
    control(at, "select_slider", "Dropout p, from and to").set_value((0.0, 0.5)).run()
    control(at, "slider", "Seeds").set_value(2).run()
    control(at, "slider", "Samples").set_value(150).run()
    sweep = shown(at)
    assert sweep.axes[1].values == (0.0, 0.25, 0.5)
    assert sweep.shape == (4, 3, 2)
    assert sweep.base == SMALL.replace("data.n_samples", 150)
    assert at.session_state["sweep.sweep"] == shown(
        opened(at.query_params["over"], seeds=2, base=sweep.base)
    )


def test_a_preset_sets_all_of_it() -> None:
    at = finished(opened([f"{L2}~0.001~1~4"]))
    (preset,) = [w for w in at.selectbox if w.label == "Preset"]
    preset.select("Weight decay: the course's grid").run()
    (axis,) = shown(at).axes
    assert axis.path == "regularization.weight_decay"
    assert axis.values == (0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    assert shown(at).base.training.optimizer == "adamw"
    assert shown(at).seeds == 3


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("nonsense", "got 'nonsense'; give FIELD"),
        (f"{L2}~0.001~1~4000", "got 4000 values"),
        ("training.epochs~1~2~3", "cannot be swept"),
        (f"{P}~-1~9~5", "must lie between"),
    ],
)
def test_a_bad_link_is_one_sentence_and_the_usual_start(over: str, words: str) -> None:
    at = opened([over])
    assert not at.exception
    (error,) = at.error
    assert words in error.value
    assert "The default sweep is shown" in error.value


def test_a_link_whose_parts_do_not_go_together_is_one_sentence() -> None:
    words = Experiment.from_dict(
        {"data": {"kind": "order"}, "model": {"kind": "lstm", "hidden": [8], "embedding": 4}}
    )
    at = opened(["regularization.input_noise~0~1~5"], base=words)
    assert not at.exception
    (error,) = at.error
    assert "regularization.input_noise" in error.value
    assert "The default sweep is shown" in error.value


def test_what_a_limit_refuses_is_one_sentence_and_the_last_sweep_stays() -> None:
    at = finished(opened([f"{L2}~0.001~1~4"]))
    control(at, "slider", "Number of values of L2 λ").set_value(64).run()
    control(at, "slider", "Seeds").set_value(10).run()
    control(at, "selectbox", "Second parameter").select(P).run()
    assert not at.exception
    (error,) = at.error
    assert "models; give at most 1,024" in error.value


# --- in a browser ---------------------------------------------------------------------------------


def test_cancel_keeps_what_has_been_trained() -> None:
    long = SMALL.replace("training.epochs", 4000)
    at = opened([f"{L2}~0.001~1~4"], base=long)
    until = time.monotonic() + PATIENCE
    while "Lowest validation loss" not in html(at):
        assert time.monotonic() < until
        at.run()
    next(b for b in at.button if b.label == "Cancel").click().run()
    told = html(at)
    (epoch,) = re.findall(r"epoch (\d+)/4000</span> <b>stopped</b>", told)
    assert 0 < int(epoch) < 4000
    assert f"Cancelled in epoch {epoch} of 4000" in told
    assert "Lowest validation loss" in told
    assert at.get("popover")  # to slides, as after the end
    assert at.run().session_state["sweep.sweep"].base == long
    assert f"epoch {epoch}/4000" in html(at), "a further run of the script does not train again"
    next(b for b in at.button if b.label == "Restart").click().run()
    assert "<b>stopped</b>" not in html(at)


@pytest.fixture
def page(browser: Browser, app_server: AppServer) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    over = quote(f"{P}~0~0.5~3")
    page.goto(f"{app_server.url}/?e={specs.to_link(SMALL)}")  # the app, then its page
    expect(page.locator(".st-key-run-status")).to_contain_text("finished")
    page.goto(f"{app_server.url}/sweep?e={specs.to_link(SMALL)}&over={over}&seeds=1")
    yield page
    page.close()


def test_a_finished_sweep_is_scrubbed_without_the_server_and_a_click_opens_a_model(
    page: Page,
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    expect(page.locator(".st-key-run-status")).to_contain_text("finished")
    scrubber = page.get_by_role("slider", name="Dropout p", exact=True).last
    expect(scrubber).to_be_visible()
    table = page.locator(".st-key-readout table")
    expect(table).to_contain_text("selected")
    sent: list[object] = []
    page.on("websocket", lambda socket: sent.append(socket))
    seen = set()
    scrubber.press("Home")
    for value in ("0", "0.25", "0.5"):
        # said when it is drawn
        expect(scrubber).to_have_attribute("aria-valuetext", f"Dropout p = {value}")
        seen.add(table.inner_text())
        scrubber.press("ArrowRight")
    assert len(seen) == 3
    assert sent == []
    # its curve goes to a slide
    page.get_by_role("button", name="Export to slides").click()
    page.get_by_role("button", name="Add to the deck").wait_for(timeout=1000 * PATIENCE)
    with page.expect_download(timeout=1000 * PATIENCE) as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename.startswith("sweep-validation-loss-over-dropout-p-")
    with Image.open(download.value.path()) as picture:
        assert picture.size == (3840, 2160)
    page.keyboard.press("Escape")
    # a click on the last value's point opens that model
    traces = page.locator(".st-key-sweep-figure .scatterlayer .trace")
    point = traces.filter(has=page.locator(".point")).first.locator(".point").nth(2)
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("heading", level=1)).to_have_text("What does regularization change?")
    page.wait_for_url(lambda url: "e=" in url)
    link = parse_qs(urlsplit(page.url).query)["e"][0]
    assert specs.from_link(link) == SMALL.replace(P, 0.5)
    assert complaints == []
