"""Export to slides in a real browser: a file in one click, and a deck from the tray."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pptx import Presentation
from streamlit.testing.v1 import AppTest

from regviz import specs
from regviz.slides import Slide, process
from regviz.specs import Experiment
from regviz.ui import slides
from tests.app_server import ROOT, AppServer
from tests.browsing import PATIENCE, settled

SMALL = Experiment.from_dict(
    {
        "data": {"n_samples": 100},
        "model": {"hidden": [8]},
        "regularization": {"l2": 0.01},
        "training": {"epochs": 20, "lr": 0.01, "seed": 3},
    }
)


@pytest.fixture
def page(browser: Browser, app_server: AppServer) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{app_server.url}/?e={specs.to_link(SMALL)}")
    expect(page.locator(".st-key-run-status")).to_contain_text("finished")
    settled(page)
    yield page
    page.close()


def downloaded(page: Page, button: str) -> tuple[str, bytes]:
    with page.expect_download(timeout=1000 * PATIENCE) as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_a_picture_in_one_click_and_a_deck_from_the_tray(page: Page) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.get_by_role("button", name="Export to slides").click()
    page.get_by_role("button", name="Add to the deck").wait_for(timeout=1000 * PATIENCE)
    name, picture = downloaded(page, "Download")
    assert name == "playground-l2-0.01.png"
    assert Image.open(io.BytesIO(picture)).size == (3840, 2160)
    page.get_by_role("button", name="Add to the deck").click()
    expect(page.get_by_text("1 slide in the deck")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".stAppHeader").get_by_role("button", name="Tools", exact=True).click()
    page.get_by_role("menuitem", name="Slides", exact=True).click()
    picture_of_it = page.locator(".st-key-slide-picture-0 img")
    expect(picture_of_it).to_be_visible()
    untitled = picture_of_it.get_attribute("src") or ""
    title = page.get_by_role("textbox", name="Title of slide 1")
    title.fill("What L2 does")
    title.press("Enter")
    # the server has heard of it
    expect(picture_of_it).not_to_have_attribute("src", untitled)
    app = page.locator(".stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    name, deck = downloaded(page, "Download the deck")
    assert name == "regviz.pptx"
    slides = Presentation(io.BytesIO(deck)).slides
    assert len(slides) >= 1
    texts = [shape.text_frame.text for shape in slides[0].shapes if shape.has_text_frame]
    assert any("What L2 does" in text for text in texts)
    assert "regviz" in slides[0].notes_slide.notes_text_frame.text  # how to make it again
    assert complaints == []


def test_a_second_press_before_the_first_is_drawn_takes_no_other_slide_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "png")
    monkeypatch.setattr(
        process, "drawn", lambda *_: (picture.getvalue(), "No font has 字 (U+5B57).")
    )
    none: Any = None  # what was trained
    entries = tuple(slides.Entry(i, f"slide {i}", none, Slide(("curves",))) for i in (1, 2, 3))

    def pressed(label: str, number: int, meanwhile: tuple[slides.Entry, ...]) -> list[int]:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        at.switch_page("pages/slides.py")
        at.session_state[slides._TRAY] = entries
        at.run()
        assert not at.exception
        assert [said.value for said in at.warning] == ["No font has 字 (U+5B57)."] * len(entries)
        button = at.button(key=f"slides.{label}.{number}")
        at.session_state[slides._TRAY] = meanwhile
        button.click().run()
        assert not at.exception
        return [entry.number for entry in at.session_state[slides._TRAY]]

    assert pressed("remove", 1, entries) == [2, 3]
    assert pressed("remove", 1, entries[1:]) == [2, 3]
    assert pressed("later", 1, entries) == [2, 1, 3]
    assert pressed("later", 1, (*entries[1:], entries[0])) == [2, 3, 1]
    assert pressed("earlier", 3, entries[:2]) == [1, 2]
