"""The Playground as a user sees it: the real app, real trainers, a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Locator,
    Route,
    ViewportSize,
    expect,
)

from regviz import fit, specs
from regviz.results import presets
from regviz.specs import Experiment
from regviz.ui import fragments
from tests.app_server import AppServer, running_app
from tests.browsing import PATIENCE, has_ended, settled

SIZE: ViewportSize = {"width": 1440, "height": 900}
SMALL = Experiment.from_dict(
    {
        "data": {"n_samples": 200},
        "model": {"hidden": [16, 16]},
        "regularization": {"dropout": 0.2},
        "training": {"lr": 0.01, "epochs": 60},
    }
)
LONG = SMALL.replace("training.epochs", 5000).replace("model.hidden", [64, 64])

# a canvas that nothing was drawn on yet is 300 wide
DRAWN = """window.__regviz?.playground?.painted > 0
    && (document.querySelector(".st-key-decision-boundary canvas")?.width ?? 300) !== 300"""
# the words come before the picture: a chart is drawn when the browser next paints
UP_TO_DATE = f"""{DRAWN} && window.__regviz.playground.newest
    >= Number(document.querySelector(".st-key-run-status").textContent.match(/epoch (\\d+)/)[1])"""

# each control has its script, but for those of which one is held back
OTHERS_THERE = """() => document.querySelector(".st-key-playground-code")
    && [...document.querySelectorAll(".stMain [data-testid=stSkeleton]")].every((e) =>
        e.closest(".st-key-view, .st-key-transport, .st-key-add-to-comparison, .st-key-projector"))
"""


class Visitor:
    """A page in a new session, with its errors and its requests."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda r: self.hosts.add(urlsplit(r.url).hostname or ""))
        self.page.on("websocket", lambda w: self.hosts.add(urlsplit(w.url).hostname or ""))

    def open(self, experiment: Experiment | None = None) -> None:
        link = "" if experiment is None else f"/?e={specs.to_link(experiment)}"
        self.page.goto(self.url + link)

    @property
    def status(self) -> Locator:
        return self.page.locator(".st-key-run-status")

    def reaches(self, what: str | re.Pattern[str], seconds: float = PATIENCE) -> None:
        expect(self.status).to_contain_text(what, timeout=1000 * seconds)

    @property
    def table(self) -> Locator:
        return self.page.locator(".st-key-readout table")

    def numbers(self) -> str:
        """Return the table's text, once it is drawn."""
        self.page.wait_for_function(UP_TO_DATE)
        return self.table.inner_text()

    def picture(self) -> str:
        """Return the boundaries' pixels, once they are drawn."""
        self.page.wait_for_function(UP_TO_DATE)
        canvas = self.page.locator(".st-key-decision-boundary canvas").first
        return str(canvas.evaluate("(c) => c.toDataURL()"))

    def shows(self, picture: str, *, same: bool = True) -> None:
        """Wait until the boundaries equal ``picture``, or differ from it if not ``same``."""
        self.page.wait_for_function(
            """([picture, same]) => {
                const canvas = document.querySelector('.st-key-decision-boundary canvas')
                return (canvas.toDataURL() === picture) === same
            }""",
            arg=[picture, same],
        )

    def experiment(self) -> Experiment:
        """Return the experiment in the address."""
        return specs.from_link(parse_qs(urlsplit(self.page.url).query)["e"][0])

    def slider(self, label: str) -> Locator:
        """Return a slider's handle (Streamlit repeats its label: "Noise Noise")."""
        box = self.page.locator(".stSlider", has=self.page.get_by_text(label, exact=True))
        return box.get_by_role("slider")

    def press(self, name: str) -> None:
        self.page.locator(".st-key-transport").get_by_role("button", name=name).click()

    def press_as_a_chart_asks(self, key: str) -> None:
        """Press a button at the moment when the scrubber requests stored frames."""
        self.page.evaluate(
            """(key) => {
                const scrubber = document.querySelector('.rv-scrub input[type=range]')
                scrubber.value = 1
                scrubber.dispatchEvent(new Event('input', { bubbles: true }))
                document.querySelector(`.st-key-${key} button`).click()
            }""",
            key,
        )

    def quiet(self) -> None:
        """Wait until the server sends no more messages and the browser has loaded every script."""
        settled(self.page)

    def whole(self) -> None:
        """Wait until the whole page is drawn with every script, even during a run."""
        expect(self.page.locator(".st-key-playground-code")).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    def stands(self) -> None:
        """Wait until the page is drawn for a paused run, and no fragment is due to run."""
        self.reaches("paused")
        transport = self.page.locator(".st-key-transport")
        expect(transport.get_by_role("button", name="Play")).to_be_enabled()
        self.quiet()


@pytest.fixture
def visitor(window: BrowserContext, app_server: AppServer) -> Iterator[Visitor]:
    visitor = Visitor(window, app_server.url)
    yield visitor
    visitor.page.close()


def test_it_opens_runs_to_its_end_and_asks_nobody_else(visitor: Visitor) -> None:
    visitor.open()
    visitor.reaches("epoch 250/250 finished")
    visitor.quiet()
    page = visitor.page
    expect(page.locator("h1")).to_have_count(1)
    expect(visitor.table).to_contain_text("over-fitting")
    expect(visitor.table).to_contain_text("good fit")
    assert visitor.experiment() == presets.DEFAULT.experiment
    assert visitor.complaints == []
    assert visitor.hosts - {""} == {"127.0.0.1"}  # data: and blob: name no host


def test_all_of_it_is_on_the_first_screen(visitor: Visitor) -> None:
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    visitor.page.wait_for_function(DRAWN)
    keys = ("run-status", "decision-boundary", "loss-curves", "weight-histogram", "readout")
    for key in keys:
        box = visitor.page.locator(f".st-key-{key}").bounding_box()
        assert box is not None, key
        assert box["y"] >= 0, key
        assert box["x"] + box["width"] <= SIZE["width"], key
        assert box["y"] + box["height"] <= SIZE["height"], key
    overflow = "() => document.querySelector('.stMain').scrollWidth - window.innerWidth"
    assert visitor.page.evaluate(overflow) <= 0


@pytest.mark.parametrize("script", ["Checkbox", "Button"])
def test_nothing_jumps_when_a_control_is_late(
    browser: Browser, app_server: AppServer, script: str
) -> None:
    """Each kind of control has a separate script, and any of them may load last."""
    context = browser.new_context(viewport=SIZE)  # it has none of them yet
    late: list[Route] = []
    context.route(f"**/{script}.*.js", lambda route: late.append(route))
    visitor = Visitor(context, app_server.url)
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.page.wait_for_function(DRAWN)
    visitor.page.wait_for_function(OTHERS_THERE)
    app = visitor.page.locator(".stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    assert late
    below = visitor.page.locator(".st-key-below")
    before = below.bounding_box()
    for route in late:
        route.continue_()
    visitor.quiet()
    assert below.bounding_box() == before
    context.close()


def test_an_arrow_key_on_a_slider_starts_a_new_run(visitor: Visitor) -> None:
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    before = visitor.numbers()
    visitor.slider("Dropout p").press("ArrowRight")
    expect(visitor.table).not_to_have_text(before, use_inner_text=True)
    visitor.reaches("epoch 60/60 finished")
    assert visitor.experiment() == SMALL.replace("regularization.dropout", 0.25)
    visitor.quiet()
    here = visitor.page.url
    visitor.slider("L2 λ").press("ArrowRight")
    visitor.page.wait_for_url(lambda url: url != here)
    visitor.reaches("epoch 60/60 finished")
    assert visitor.experiment().regularization.l2 == 1e-6


def test_pause_step_play_and_restart(visitor: Visitor) -> None:
    visitor.open(LONG)
    visitor.reaches("running")
    visitor.whole()
    visitor.press("Pause")
    visitor.stands()
    at = _epoch(visitor)
    visitor.press("Step")
    visitor.reaches(f"epoch {at + 1}/5000 paused")
    visitor.stands()
    visitor.press("Step")
    visitor.reaches(f"epoch {at + 2}/5000 paused")
    visitor.stands()
    visitor.press("Play")
    visitor.reaches("running")
    visitor.page.wait_for_function(
        """(at) => Number((document.querySelector('.st-key-run-status')?.textContent ?? '')
            .match(/epoch (\\d+)/)?.[1]) > at""",
        arg=at + 50,
    )
    visitor.press("Pause")
    visitor.stands()
    at = _epoch(visitor)
    visitor.press("Restart")
    visitor.reaches("running")
    visitor.press("Pause")
    visitor.reaches("paused")


def _epoch(visitor: Visitor) -> int:
    found = re.search(r"epoch (\d+)/", visitor.status.inner_text())
    assert found is not None
    return int(found[1])


def test_keys_for_who_presents(visitor: Visitor) -> None:
    visitor.open(LONG)
    visitor.reaches("running")
    visitor.page.wait_for_function("window.__regvizKeys !== undefined")
    visitor.whole()
    keys = visitor.page.keyboard
    keys.press(" ")
    visitor.stands()
    at = _epoch(visitor)
    scrubber = visitor.page.get_by_role("slider", name="Epoch", exact=True)
    expect(scrubber).to_have_value(str(at))
    keys.press("ArrowLeft")
    expect(scrubber).not_to_have_value(str(at))
    keys.press("r")
    visitor.reaches("running")
    keys.press("p")
    sidebar = visitor.page.locator(".stSidebar")
    expect(sidebar).to_be_hidden()
    keys.press("c")
    expect(sidebar).to_be_visible()
    # what has the keyboard keeps its own keys
    here = visitor.page.url
    visitor.slider("L1 λ").press("ArrowRight")
    visitor.page.wait_for_url(lambda url: url != here)
    assert visitor.experiment().regularization.l1 == 1e-6
    keys.press("p")
    expect(sidebar).to_be_visible()
    assert visitor.complaints == []


def test_the_end_of_a_run_leaves_the_rest_of_the_page_alone(visitor: Visitor) -> None:
    whole: list[bytes | str] = []  # the ends of the whole page's runs

    def hear(payload: bytes | str) -> None:
        if has_ended(payload):
            whole.append(payload)

    visitor.page.on("websocket", lambda socket: socket.on("framereceived", hear))
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    opened = len(whole)
    visitor.page.wait_for_function(DRAWN)  # the charts' code may come after the run's end
    shown = visitor.page.evaluate("window.__regviz.playground.run")
    visitor.slider("L2 λ").press("ArrowRight")
    visitor.page.wait_for_function(
        """(before) => {
            const { run, done } = window.__regviz.playground
            return run !== before && done
        }""",
        arg=shown,
    )
    button = visitor.page.locator(".st-key-transport").get_by_role("button")
    expect(button.filter(has_text="Play").first).to_be_enabled()
    visitor.quiet()
    assert len(whole) <= opened + 1  # by the slider, where that came right after the page
    assert visitor.complaints == []


@pytest.fixture
def delivered(visitor: Visitor) -> Visitor:
    """Open a page with a finished run, long enough ago that a slider reruns only the run."""
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    visitor.page.wait_for_function(DRAWN)
    visitor.page.wait_for_timeout(1000 * fragments.DELIVERED)  # the rule is one of time
    return visitor


def another(visitor: Visitor, label: str, key: str = "ArrowRight") -> Experiment:
    """Move a slider and wait for the end of its run; return the experiment in the address."""
    shown = visitor.page.evaluate("window.__regviz.playground.run")
    visitor.slider(label).press(key)
    visitor.page.wait_for_function(
        """(before) => {
            const { run, done } = window.__regviz.playground
            return run !== before && done
        }""",
        arg=shown,
    )
    visitor.quiet()
    return visitor.experiment()


def test_a_slider_has_only_the_run_drawn_anew(delivered: Visitor) -> None:
    page = delivered.page
    page.evaluate(
        """() => {
            window.touched = []
            const parts = [".stSidebar", ".st-key-tools", ".st-key-view", ".st-key-below"]
            new MutationObserver((all) => window.touched.push(...all.filter(({ target }) =>
                parts.some((part) => target.parentElement?.closest(part))
                && !target.parentElement.closest(".stSlider, .rv-plot, table")
            ).map(({ target }) => target.parentElement.outerHTML.slice(0, 200))))
                .observe(document.querySelector(".stApp"), { childList: true, subtree: true })
        }"""
    )
    moved = another(delivered, "L2 λ")
    assert moved.regularization.l2 > 0
    assert another(delivered, "Dropout p") == moved.replace("regularization.dropout", 0.25)
    assert page.evaluate("window.touched") == []
    picture, numbers = delivered.picture(), delivered.numbers()

    # what is drawn only now, or by the next run of the page, knows of it
    page.get_by_role("button", name="Share").click()
    said = page.locator(".stPopover, [data-testid=stPopoverBody]").get_by_text("/?e=")
    expect(said).to_contain_text(specs.to_link(delivered.experiment()))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add to comparison").click()
    expect(page.locator(".stToast")).to_contain_text("dropout 0.25")
    delivered.quiet()
    assert delivered.slider("Dropout p").input_value() == "0.25"

    # and it is what the same address shows
    page.goto(page.url)
    delivered.reaches("finished")
    assert delivered.numbers() == numbers
    delivered.shows(picture)
    assert delivered.complaints == []


def test_what_is_said_of_the_experiment_follows_the_sliders(delivered: Visitor) -> None:
    page = delivered.page
    point = page.locator(".rv-point")
    delivered.slider("Dropout p").press("Home")
    expect(point).to_contain_text("No regularization is switched on")
    delivered.quiet()
    page.wait_for_timeout(1000 * fragments.DELIVERED)
    assert another(delivered, "L1 λ").regularization.l1 > 0
    expect(point).to_contain_text("Your own experiment")
    page.get_by_role("button", name="Share").click()
    link = page.locator("[data-testid=stPopoverBody]").get_by_text("/?e=")
    before = link.inner_text()
    page.wait_for_timeout(1000 * fragments.DELIVERED)
    another(delivered, "L1 λ")
    expect(link).not_to_have_text(before)  # open, it follows
    expect(link).to_contain_text(specs.to_link(delivered.experiment()))
    assert delivered.complaints == []


def test_a_slider_moved_with_another_control_loses_neither(delivered: Visitor) -> None:
    page = delivered.page
    page.evaluate(
        """() => {  // in one moment, so that the server may get both at once
            document.querySelector('.st-key-show-accuracy input').click()
            const slider = document.querySelector('input[aria-label="Dropout p"]')
            slider.focus()
            slider.dispatchEvent(
                new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))
            document.querySelector('.st-key-do-restart button').click()
        }"""
    )
    expect(page.locator(".st-key-loss-curves")).to_contain_text("Accuracy curves")
    page.wait_for_function("() => window.__regviz.playground.done")
    delivered.quiet()
    assert delivered.experiment().regularization.dropout == 0.25
    expect(page.locator(".st-key-loss-curves")).to_contain_text("Accuracy curves")
    assert delivered.complaints == []


def test_a_button_pressed_as_a_chart_asks_for_something_is_not_lost(visitor: Visitor) -> None:
    # the browser sends both in one message, as a run of the fragment that the chart's feed is in
    visitor.open(LONG)
    visitor.reaches("running")
    visitor.whole()
    visitor.press("Pause")  # so that nothing else has the page drawn anew
    visitor.stands()
    visitor.page.wait_for_function(DRAWN)
    visitor.press_as_a_chart_asks("projector")
    expect(visitor.page.locator(".stSidebar")).to_be_hidden()
    assert visitor.complaints == []


def test_the_projector_is_switched_once_where_the_browser_says_so_twice(visitor: Visitor) -> None:
    # a look at the run that is due already takes the press along, which then goes out by itself
    visitor.open(LONG)
    visitor.reaches("running")
    visitor.whole()
    visitor.page.wait_for_function("window.__regvizKeys !== undefined")
    visitor.page.evaluate(
        """() => {
            const since = performance.now()
            while (performance.now() - since < 500);
            document.querySelector('.st-key-projector button').click()
        }"""
    )
    expect(visitor.page.locator("html.rv-projector")).to_have_count(1)
    visitor.press("Pause")
    visitor.stands()
    expect(visitor.page.locator("html.rv-projector")).to_have_count(1)
    assert visitor.complaints == []


def test_the_scrubber_shows_an_earlier_epoch_and_comes_back(visitor: Visitor) -> None:
    visitor.open(LONG.replace("training.epochs", 500))  # long enough for some frames on the way
    visitor.reaches("finished")
    visitor.quiet()
    last, said = visitor.picture(), visitor.numbers()
    scrubber = visitor.page.get_by_role("slider", name="Epoch", exact=True)
    scrubber.fill("250")
    expect(visitor.table).not_to_have_text(said, use_inner_text=True)
    visitor.shows(last, same=False)
    first = visitor.picture()
    scrubber.press("End")
    expect(visitor.table).to_have_text(said, use_inner_text=True)
    visitor.shows(first, same=False)


def test_a_learning_rate_of_1000_diverges_and_the_page_says_so(visitor: Visitor) -> None:
    visitor.open(SMALL.replace("training.lr", 1e3))
    visitor.reaches("diverged")
    verdicts = visitor.page.locator(".st-key-verdicts")
    expect(verdicts).to_contain_text("Try a lower learning rate")
    expect(visitor.page.get_by_role("button", name="Pause")).to_be_disabled()
    assert visitor.complaints == []


def test_a_link_gives_another_visitor_the_same_picture(
    visitor: Visitor, browser: Browser, app_server: AppServer
) -> None:
    visitor.open(SMALL.replace("regularization.input_noise", 0.2))
    visitor.reaches("finished")
    visitor.quiet()
    context = browser.new_context(viewport=SIZE)
    try:
        other = Visitor(context, app_server.url)
        other.page.goto(visitor.page.url)
        other.reaches("finished")
        other.quiet()
        expect(other.table).to_have_text(visitor.numbers(), use_inner_text=True)
        other.shows(visitor.picture())
    finally:
        context.close()


def test_going_back_brings_the_experiment_before(visitor: Visitor) -> None:
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    visitor.slider("Dropout p").press("ArrowRight")
    visitor.page.wait_for_url(lambda url: specs.to_link(SMALL) not in url)
    visitor.quiet()
    visitor.page.go_back()
    expect(visitor.slider("Dropout p")).to_have_value("0.2")
    visitor.quiet()
    assert visitor.experiment() == SMALL


def test_another_page_and_back_finds_everything_as_it_was(visitor: Visitor) -> None:
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    visitor.slider("Dropout p").press("ArrowRight")
    moved = SMALL.replace("regularization.dropout", 0.25)
    # by its own numbers: "finished" may still be said of the run before
    loss = fit([moved])[0].to_dict()["history"]["train_loss"][-1]
    expect(visitor.table).to_contain_text(f"{loss:.3f}")
    visitor.reaches("epoch 60/60 finished")
    visitor.quiet()
    numbers, picture = visitor.numbers(), visitor.picture()
    header = visitor.page.locator(".stAppHeader")
    header.get_by_role("button", name="Basics", exact=True).click()
    visitor.page.get_by_role("menuitem").first.click()
    expect(visitor.page.get_by_role("heading", level=1)).not_to_have_text(
        "What does regularization change?"
    )
    visitor.quiet()
    header.get_by_role("link", name="Playground", exact=True).click()
    visitor.reaches("epoch 60/60 finished")
    visitor.quiet()
    visitor.shows(picture)
    expect(visitor.table).to_have_text(numbers, use_inner_text=True)
    assert visitor.experiment() == moved
    assert visitor.complaints == []


def test_an_upload_that_is_no_json_is_one_sentence(visitor: Visitor) -> None:
    visitor.open(SMALL)
    visitor.reaches("finished")
    visitor.quiet()
    visitor.page.get_by_role("button", name="Share").click()
    files = visitor.page.locator("input[type=file]")
    files.set_input_files(FilePayload(name="a.json", mimeType="application/json", buffer=b"no"))
    expect(visitor.page.locator(".stAlert")).to_contain_text("a.json: the file is not JSON")
    good = specs.experiments_to_json([SMALL.replace("training.seed", 5)]).encode()
    files.set_input_files(FilePayload(name="b.json", mimeType="application/json", buffer=good))
    expect(visitor.page.locator(".stAlert")).to_have_count(0)
    visitor.quiet()
    assert visitor.experiment().training.seed == 5
    assert visitor.complaints == []


@pytest.fixture
def own_server() -> Iterator[AppServer]:
    """Give a separate server to a test that kills its trainers."""
    with running_app(("-m", "streamlit", "run", "app.py")) as server:
        yield server
