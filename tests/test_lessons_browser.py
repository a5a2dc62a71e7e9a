"""Lessons in a real browser: they train to their end and draw, without errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from regviz.specs import Experiment, to_link
from tests.app_server import AppServer

ENDED = re.compile("finished|stopped")
LESSONS = {
    "Basics": ("Over-fitting", "Dropout", "Weight penalties", "Early stopping"),
    "Techniques": ("Normalization", "Noise", "Label smoothing", "Image augmentation", "Combining"),
    "Networks": ("Images", "Sequences", "Attention"),
}

DRAWN = {
    "Weight penalties": ("weight-ridges", "input-groups"),
    "Early stopping": ("stopping-theatre", "patience-curve"),
    "Normalization": ("input-statistics",),
    "Label smoothing": ("targets", "reliability"),
    "Sequences": ("sequences-masks",),
    "Attention": ("attention-maps",),
}
"""Charts of the finished run, by their keys."""


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(browser: Browser, app_server: AppServer, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(app_server.url)
    expect(page.locator(".st-key-run-status")).to_contain_text("epoch", timeout=30_000)
    yield page
    context.close()


def go(page: Page, section: str, title: str) -> None:
    """Go to a page by its section of the header, as a user does."""
    page.locator(".stAppHeader").get_by_role("button", name=section, exact=True).click()
    page.get_by_role("menuitem", name=title, exact=True).click()
    # else what is said of the page before is taken for this one's
    expect(page).to_have_title(re.compile(f"^{re.escape(title)} ·"))


def ended(page: Page) -> None:
    # the trainer is niced: an LSTM takes more than a minute where other work fills the machine
    expect(page.locator(".st-key-run-status")).to_contain_text(ENDED, timeout=180_000)
    settled(page)


def settled(page: Page) -> None:
    app = page.locator(".stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def lesson_ends_well(page: Page, section: str, title: str) -> None:
    """Wait until a page's lesson has trained, and check that all its parts are drawn.

    Called for each lesson on the one walk through all pages (tests/test_offline.py).
    """
    expect(page.locator(".st-key-prediction")).to_be_visible()
    ended(page)
    here = page.locator(".stAppHeader").get_by_role("button", name=section, exact=True)
    expect(here).to_have_css("font-weight", "600")
    expect(page.locator(".rv-point").first).to_contain_text(re.compile(r"\d"))
    expect(page.locator(".st-key-readout table")).to_contain_text("Validation loss")
    for chart in ("loss-curves", *DRAWN.get(title, ())):
        expect(page.locator(f".st-key-{chart} .main-svg").first).to_be_visible()
    if title == "Label smoothing":
        settled(page)  # the end of a run puts in what stands above the tabs
        page.get_by_role("tab", name="Theory check").click()
        expect(page.locator(".st-key-label-smoothing-check-0 .main-svg").first).to_be_visible()
    expect(page.locator(".stException")).to_have_count(0)


def test_the_self_check_waits_for_the_answer_and_compares(
    page: Page, complaints: list[str]
) -> None:
    go(page, "Workshop", "Self-check")
    question = page.locator(".st-key-prediction")
    expect(question).to_be_visible()
    expect(page.locator(".st-key-run-status")).to_have_count(0)
    question.get_by_text("L2", exact=True).click()
    ended(page)
    expect(page.get_by_text("this run shows")).to_be_visible()
    page.get_by_role("radio", name="Smoothing").click()
    expect(page.get_by_text("Answer first")).to_be_visible()
    assert complaints == []


def test_the_sequence_lesson_leads_to_the_wrong_lstm(page: Page, complaints: list[str]) -> None:
    go(page, "Networks", "Sequences")
    ended(page)  # what that puts in stands above the button
    page.get_by_role("button", name="nn.LSTM(dropout=p): what goes wrong").click()
    wanted = page.get_by_role("radio", name="nn.LSTM(dropout=p)")
    expect(wanted).to_be_checked()
    assert complaints == []


@pytest.mark.parametrize(
    "size", [(1280, 720), (390, 844)], ids=lambda size: "x".join(map(str, size))
)
def test_the_answer_is_seen_where_the_question_is_and_only_for_its_experiment(
    browser: Browser, app_server: AppServer, size: tuple[int, int]
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    e = Experiment.from_dict(
        {
            "data": {"n_samples": 100},
            "model": {"hidden": [8, 8]},
            "regularization": {"dropout": 0.5},
            "training": {"epochs": 10},
        }
    )
    page.goto(f"{app_server.url}/dropout?e={to_link(e)}")
    ended(page)
    question, answer = page.locator(".st-key-prediction"), page.locator(".st-key-prediction-answer")
    # not by the mouse: a phone's menu may lie above
    question.locator("label", has_text=re.compile("^both lower$")).dispatch_event("click")
    expect(answer).to_contain_text(re.compile("As you predicted|this run shows"))
    page.evaluate("document.querySelector('.stMain').scrollTo(0, 0)")
    box = answer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < size[1], "without scrolling"
    judged = answer.inner_text()

    other = page.get_by_role("button", name="Load this experiment").first
    other.dispatch_event("click")
    expect(question).to_contain_text("for another experiment")
    ended(page)
    expect(question).not_to_contain_text(re.compile("As you predicted|this run shows"))
    assert judged not in question.inner_text()
    context.close()


def test_a_damaged_link_s_notice_outlives_the_run_and_goes_when_dismissed(
    browser: Browser, app_server: AppServer
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(f"{app_server.url}/dropout?e=nonsense")
    notice = page.locator(".st-key-link-notice")
    expect(notice).to_contain_text("was it cut off?")
    ended(page)
    expect(notice).to_contain_text("was it cut off?")
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    context.close()
