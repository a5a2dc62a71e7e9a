"""The Compare page: its controls change the comparison; and once in a real browser."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from regviz import specs
from regviz.results import comparison
from regviz.results.comparison import Comparison
from regviz.specs import Experiment
from tests.app_server import AppServer
from tests.test_lessons import ROOT, control, finished

SMALL = Experiment.from_dict(
    {
        "data": {"n_samples": 100},
        "model": {"hidden": [8]},
        "training": {"epochs": 10, "lr": 0.02},
    }
)
DROPOUT = SMALL.replace("regularization.dropout", 0.5)
L1 = SMALL.replace("regularization.l1", 0.1)
TRIO = Comparison.of((SMALL, DROPOUT, L1), seeds=2)


def opened(shown: Comparison | str = TRIO) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/compare.py")
    at.query_params["c"] = shown if isinstance(shown, str) else comparison.to_link(shown)
    at.run()
    assert not at.exception
    return at


def now(at: AppTest) -> Comparison:
    link = at.query_params["c"]
    return comparison.from_link(link[0] if isinstance(link, list) else link)


def button(at: AppTest, label: str) -> Any:
    return next(b for b in at.button if b.label == label)


def ranking(at: AppTest) -> list[list[str]]:
    table = next(h.value for h in at.html if "rv-ranking" in h.value and "<style" not in h.value)
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table)
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


def words(at: AppTest) -> str:
    return " ".join(h.value for h in at.html if "<style" not in h.value)


def test_what_is_done_to_a_configuration_reaches_the_link_and_the_lanes() -> None:
    at = opened()
    assert now(at) == TRIO
    at.button(key="compare.edit.1").click().run()
    control(at, "Dropout p").set_value(0.3).run()
    assert now(at).experiments[1] == DROPOUT.replace("regularization.dropout", 0.3)
    control(at, "Configuration").set_value(2).run()
    control(at, "L1 λ").set_value(0.01).run()
    assert now(at).experiments[2] == L1.replace("regularization.l1", 0.01)
    assert now(at).experiments[1].regularization.dropout == 0.3
    button(at, "Done").click().run()
    assert not [w for w in at.selectbox if w.label == "Configuration"]
    at.text_input(key="compare.name.0").set_value("as it is").run()
    assert now(at).names == ("as it is", "dropout 0.3", "L1 0.01")
    control(at, "Seeds").set_value(1).run()
    assert now(at).seeds == 1
    at.button(key="compare.To the left.2").click().run()
    at.button(key="compare.Duplicate.0").click().run()
    assert now(at).names == ("as it is", "no regularization", "L1 0.01", "dropout 0.3")
    at.button(key="compare.Remove.1").click().run()
    assert now(at).names == ("as it is", "L1 0.01", "dropout 0.3")
    assert not at.error
    job = finished(at)
    assert [row[1] for row in ranking(job)[1:]]


def test_the_test_set_is_locked_until_it_is_revealed_and_then_known() -> None:
    at = finished(opened())
    head, *rows = ranking(at)
    assert "test loss" not in head
    assert {row[1] for row in rows} == {"no regularization", "dropout 0.5", "L1 0.1"}
    losses = [float(row[2].split()[0]) for row in rows]
    assert losses == sorted(losses)
    assert all("±" in row[2] for row in rows)
    zeros = {row[1]: row[7] for row in rows}
    assert zeros["L1 0.1"] != "0"
    assert zeros["no regularization"] == "0"
    assert "has not been used so far" in words(at)
    button(at, "Reveal the test set").click().run()
    head, *rows = ranking(at)
    assert head[-3:] == ["test loss", "test accuracy", "test rank"]
    assert {row[-1] for row in rows} == {"1", "2", "3"}
    assert re.search(r"The ranking (holds|does not hold)", words(at))
    assert not [b for b in at.button if b.label == "Reveal the test set"]
    # another comparison on the same data: locked again, and said that it is not the first look
    at.button(key="compare.Remove.2").click().run()
    finished(at)
    assert "test loss" not in ranking(at)[0]
    assert "for 1 other comparison." in words(at)


def test_other_data_is_said_and_mended_with_a_button() -> None:
    at = opened(Comparison.of((SMALL, DROPOUT.replace("data.noise", 0.1))))
    assert "Not a fair comparison" in at.warning[0].value
    at.button(key="compare.alike").click().run()
    assert now(at).experiments == (SMALL, DROPOUT)
    assert not at.warning


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("xyz", "does not hold a whole comparison"),
        ("a" * 30_000, "does not hold a whole comparison"),
        (specs.to_link(SMALL), "does not hold a comparison"),
        (
            comparison.to_link(Comparison.of([SMALL.replace("training.epochs", 99_999)])),
            "this server trains at most",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(link: str, said: str) -> None:
    at = opened(link)
    assert [e.value for e in at.error if said in e.value], [e.value for e in at.error]
    assert len(at.error) == 1


def test_a_refusal_ends_with_what_was_refused() -> None:
    too_long = Comparison.of([SMALL.replace("training.epochs", 99_999)])
    # one session: AppTest has but one, and the page its visit
    for shown, told in ((TRIO, 0), (too_long, 1), (TRIO, 0), (too_long, 1)):
        assert len(opened(shown).error) == told


def test_a_file_is_opened_or_refused() -> None:
    at = opened()
    there = comparison.to_json(Comparison.of((DROPOUT, L1)))
    at.file_uploader[0].set_value([("mine.json", there.encode(), "application/json")])
    at.run()
    assert now(at).experiments == (DROPOUT, L1)
    assert now(at).seeds == TRIO.seeds
    at.file_uploader[0].set_value([("no.json", b"[1", "application/json")])
    at.run()
    assert "not JSON" in at.error[0].value
    assert now(at).experiments == (DROPOUT, L1)


def test_pages_add_to_the_comparison_and_say_so() -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params["e"] = specs.to_link(DROPOUT)
    at.run()
    button(at, "Add to comparison").click().run()
    assert "2 of 6" in at.toast[0].value
    button(at, "Add to comparison").click().run()
    assert "already" in at.toast[0].value
    at.switch_page("pages/penalties.py")
    at.query_params["e"] = specs.to_link(L1)
    at.run()
    button(at, "Add to comparison").click().run()
    at.switch_page("pages/compare.py").run()
    assert now(at).experiments == (SMALL, DROPOUT, L1)
    assert not at.exception


# --- in a browser -----------------------------------------------------------------------------


def test_six_are_drawn_renamed_and_ranked(browser: Browser, app_server: AppServer) -> None:
    complaints: list[str] = []
    six = comparison.START.experiments
    shown = Comparison.of([e.replace("training.epochs", 20) for e in six], seeds=2)
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{app_server.url}/compare?c={comparison.to_link(shown)}")
    status = page.locator(".st-key-run-status")
    expect(status).to_contain_text(re.compile("finished|stopped"))
    for key in ("decision-boundary", "loss-curves", "weight-histogram"):
        expect(page.locator(f".st-key-{key} .main-svg").first).to_be_visible()
    expect(page.locator(".st-key-loss-curves .cartesianlayer .subplot")).to_have_count(6)
    expect(page.locator(".rv-ranking tbody tr")).to_have_count(6)
    # the scrubber marks the epoch in every panel and shows the weights of that moment
    # "finished" is said before the last figures are made; the last of them comes after that
    page.wait_for_function("window.__regviz?.compare?.done === true")
    app = page.locator(".stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    drawn = "Array.from(document.querySelector('.st-key-weight-histogram .rv-gd').data[10].y)"
    ended = page.evaluate(drawn)
    page.get_by_role("slider", name="Epoch", exact=True).press("Home")
    page.get_by_role("slider", name="Epoch", exact=True).press("ArrowRight")
    page.wait_for_function(f"JSON.stringify({drawn}) !== '{json.dumps(ended)}'.replaceAll(' ', '')")
    first = page.evaluate(drawn)
    assert sum(first) == sum(ended), "none is exactly 0 without L1: as many weights as at the end"
    assert first.index(max(first)) != ended.index(max(ended)) or max(first) != max(ended)
    expect(page.locator(".st-key-loss-curves .rv-cursor[data-epoch='1']")).to_have_count(6)
    page.get_by_role("slider", name="Epoch", exact=True).press("End")
    expect(page.locator(".st-key-loss-curves .rv-cursor:visible")).to_have_count(0)
    page.wait_for_function(f"Math.max(...{drawn}) === {max(ended)}")
    page.get_by_role("button", name="1 · no regularization").click()
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("button", name="1 · plain")).to_be_visible()
    expect(page.locator(".rv-ranking")).to_contain_text("plain")
    expect(page.locator(".st-key-loss-curves .annotation").first).to_contain_text("plain")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reveal the test set").click()
    expect(page.locator(".rv-ranking")).to_contain_text("test rank")
    assert complaints == []
    page.close()
