"""Lessons in a real browser: they train to their end, draw, and nothing complains."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

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
    """Go to a page by its section of the header, as a visitor does."""
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
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)


def lesson_ends_well(page: Page, section: str, title: str) -> None:
    """Wait until the lesson that a page shows has trained, and check that all of it is there.

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
    expect(question).to_be_visible(timeout=60_000)
    expect(page.locator(".st-key-run-status")).to_have_count(0)
    question.get_by_text("L2", exact=True).click()
    ended(page)
    expect(page.get_by_text("this run says")).to_be_visible(timeout=60_000)
    page.get_by_role("radio", name="Smoothing").click()
    expect(page.get_by_text("Answer first")).to_be_visible(timeout=60_000)
    assert complaints == []


def test_the_sequence_lesson_leads_to_the_wrong_lstm(page: Page, complaints: list[str]) -> None:
    go(page, "Networks", "Sequences")
    ended(page)  # what that puts in stands above the button
    page.get_by_role("button", name="nn.LSTM(dropout=p): what goes wrong").click()
    wanted = page.get_by_role("radio", name="nn.LSTM(dropout=p)")
    expect(wanted).to_be_checked(timeout=60_000)
    assert complaints == []
