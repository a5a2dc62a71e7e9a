"""The pages of labs without a browser: each runs, reports its measurements, shows its code."""

from __future__ import annotations

import inspect
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from regviz.figures import labs as lab_figures
from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.labs import LABS, LabFrame, start
from regviz.labs import audio as augment_audio
from regviz.labs import text as augment_text
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.wrong import l1, lstm_dropout
from tests.app_pages import await_jobs
from tests.browsing import PATIENCE
from tests.charts import charts

ROOT = Path(__file__).resolve().parents[1]
WALL = [name for name in LABS if name.startswith("wrong_")]


def opened(page: str, **state: Any) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page(f"pages/{page}.py")
    for key, value in state.items():
        at.session_state[key.replace("__", ".")] = value
    at.run()
    return finished(at)


def finished(at: AppTest) -> AppTest:
    """Run the page until its lab has ended."""
    until = time.monotonic() + PATIENCE
    while True:
        assert not at.exception
        assert not at.error
        if "<b>finished</b>" in html(at):
            return at
        assert time.monotonic() < until, html(at)
        await_jobs(at)
        at.run()


def html(at: AppTest) -> str:
    return "".join(h.value for h in at.html if "<style" not in h.value)


def points(at: AppTest) -> list[str]:
    return re.findall(r'<p class="rv-point">(.*?)</p>', html(at))


# --- what goes wrong ---------------------------------------------------------------------------


def test_the_wall_has_every_lab_and_shows_the_code_of_both_sides() -> None:
    at = opened("misconceptions")
    (which,) = at.sidebar.radio
    assert len(which.options) == len(WALL)
    found = set()
    for option in which.options:
        (which,) = at.sidebar.radio
        which.set_value(option).run()
        finished(at)
        found.add(str(at.session_state["misconceptions.lab"][1].name))
        assert "rv-diverged" in html(at)
        assert "WRONG" in html(at)
        (said,) = points(at)
        assert re.search(r"\d", said)
        assert "nan" not in said
        assert len(charts(at)) == 1
        code = [c.value for c in at.code]
        assert any("WRONG" in text for text in code)
        assert any("WRONG" not in text for text in code)
    assert found == set(WALL)


@pytest.mark.parametrize(
    ("short", "functions"),
    [
        ("L1 as a term in the loss", [l1.wrong_l1_subgradient_step]),
        ("nn.LSTM(dropout=p)", [lstm_dropout.wrong_lstm_with_dropout, recurrent_dropout_lstm]),
    ],
)
def test_the_code_shown_is_the_source(short: str, functions: list[Any]) -> None:
    at = opened("misconceptions", misconceptions__which=short)
    code = {c.value.rstrip() for c in at.code}
    assert {inspect.getsource(f).rstrip() for f in functions} <= code


def test_the_seed_reaches_the_lab() -> None:
    at = opened("misconceptions")
    before = points(at)
    at.sidebar.number_input[0].set_value(3).run()
    finished(at)
    assert at.session_state["misconceptions.lab"][1].parameters["seed"] == 3
    assert points(at) != before


@pytest.mark.parametrize("name", WALL)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_wrong_is_red_and_right_is_green_in_one_figure(name: str, palette: Palette) -> None:
    *_, frame = start(name, {})
    figure = lab_figures.misconception(name, frame, palette)
    colours = {
        "wrong": {c for t in figure.data if str(t.name).startswith("WRONG") for c in colour(t)},
        "right": {c for t in figure.data if str(t.name).startswith("right") for c in colour(t)},
    }
    assert colours == {"wrong": {palette.bad}, "right": {palette.good}}
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        assert axis.title.text


def colour(trace: Any) -> list[str]:
    return [trace.line.color or trace.marker.color]


# --- microscope --------------------------------------------------------------------------------


def test_the_microscope_shows_all_its_views() -> None:
    at = opened("microscope")
    assert len(charts(at)) == len(points(at)) == 7
    assert "nan" not in "".join(points(at))
    assert any("does not converge exactly" in text for text in points(at))


def test_the_microscope_at_p_zero_drops_nothing() -> None:
    at = opened("microscope", microscope__p=0.0)
    assert any("100.0%; expected 1-p = 100%" in text for text in points(at))
    assert not any("does not converge" in text for text in points(at))


@pytest.fixture(scope="module")
def looked_at() -> LabFrame:
    *_, frame = start("microscope", {"epochs": 20})
    return frame


def test_dropped_units_are_hollow(looked_at: LabFrame) -> None:
    figure = lab_figures.masked_networks(looked_at, 4)
    masks = looked_at.arrays["masks"][:4]
    hollow = sum(len(t.x) for t in figure.data if t.name == "unit dropped")
    filled = sum(len(t.x) for t in figure.data if t.name == "unit kept")
    assert hollow == (masks == 0).sum()
    assert filled == masks.sum() + 4 * 3  # two inputs and the output are never dropped


def test_a_connection_is_cut_at_either_end(looked_at: LabFrame) -> None:
    figure = lab_figures.masked_networks(looked_at, 1)
    first, second = np.split(looked_at.arrays["masks"][0].astype(int), 2)
    alive = sum(len(t.x) // 3 for t in figure.data if t.name == "connection in this step")
    assert alive == 2 * first.sum() + first.sum() * second.sum() + second.sum()


def test_the_law_is_drawn_beside_the_measured(looked_at: LabFrame) -> None:
    measured, law = lab_figures.masked_mean(looked_at).data[1:3]
    np.testing.assert_allclose(law.y, looked_at.number("spread") / np.sqrt(law.x))
    assert measured.name == "to the mean of all passes"


# --- augmentation ------------------------------------------------------------------------------


def test_a_sound_is_drawn_and_can_be_heard() -> None:
    at = opened("augmentation")
    assert len(at.get("audio")) == 2
    assert "1.00 s before, 0.67 s after" in points(at)[0]
    assert [c.value.rstrip() for c in at.code] == [
        inspect.getsource(augment_audio.time_stretch).rstrip()
    ]
    (kind, _) = at.sidebar.selectbox
    kind.set_value("noise").run()
    finished(at)
    assert "Signal-to-noise ratio: 10.0 dB" in points(at)[0]


def test_changed_words_are_marked() -> None:
    at = opened("augmentation", augmentation__kind="Text")
    assert html(at).count("<mark") >= 1
    assert augment_text.SENTENCES[0] in html(at)
    assert [c.value.rstrip() for c in at.code] == [
        inspect.getsource(augment_text.synonym_replacement).rstrip()
    ]
    at.sidebar.selectbox[0].set_value("random deletion").run()
    finished(at)
    assert "<del" in html(at)
    assert "<mark" not in html(at)


def test_back_translation_is_said_to_be_stored() -> None:
    at = opened("augmentation", augmentation__kind="Text")
    at.sidebar.selectbox[0].set_value("back-translation (stored)").run()
    finished(at)
    assert "stored example" in html(at)
    assert not at.code
