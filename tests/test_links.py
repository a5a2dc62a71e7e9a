"""Links to every page: a link of another kind or a damaged one is refused in a sentence."""

from __future__ import annotations

import ast
import functools
import re
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from regviz import specs
from regviz.specs import Experiment
from regviz.training.run import train
from regviz.ui import run
from regviz.ui.lesson import Lesson
from tests.test_lessons import LESSONS, ROOT, finished, opened, shown

IMAGE = {"kind": "digits", "n_samples": 60, "noise": 0.1}
ORDER = {"kind": "order", "n_samples": 60, "noise": 0.1}
POINTS = {"n_samples": 60}
ALL_OF_IT = {
    "dropout": 0.2,
    "input_dropout": 0.1,
    "l1": 0.001,
    "l2": 0.002,
    "weight_decay": 0.003,
    "label_smoothing": 0.1,
    "input_noise": 0.2,
    "early_stopping": {"patience": 2},
}
KINDS: dict[str, dict[str, Any]] = {
    "moons": {"data": POINTS, "model": {"hidden": [6, 4]}},
    "linear": {"data": {**POINTS, "kind": "circles"}, "model": {"hidden": []}},
    "all of it": {
        "data": {**POINTS, "kind": "linear", "irrelevant_features": 3, "label_noise": 0.1},
        "model": {"hidden": [6, 6], "norm": "batch"},
        "regularization": ALL_OF_IT,
    },
    "norm after": {
        "data": {**POINTS, "kind": "spirals"},
        "model": {"hidden": [6], "norm": "layer", "norm_position": "after"},
        "regularization": {"l2": 0.01},
    },
    "digits": {"data": IMAGE, "model": {"hidden": [6]}, "regularization": {"dropout": 0.2}},
    "cnn": {"data": IMAGE, "model": {"kind": "cnn", "hidden": [4]}},
    "cnn, all": {
        "data": IMAGE,
        "model": {"kind": "cnn", "hidden": [4, 4], "norm": "batch"},
        "regularization": {"dropout": 0.3, "l2": 0.01, "augmentation": {"degrees": 10}},
    },
    "lstm": {"data": ORDER, "model": {"kind": "lstm", "hidden": [6], "embedding": 4}},
    "lstm, all": {
        "data": ORDER,
        "model": {"kind": "lstm", "hidden": [6], "embedding": 4},
        "regularization": {"recurrent_dropout": 0.2, "l1": 0.001, "label_smoothing": 0.1},
    },
    "transformer": {
        "data": ORDER,
        "model": {"kind": "transformer", "hidden": [8], "embedding": 8, "norm": "layer"},
        "regularization": {"attention_dropout": 0.2},
    },
}
FITS = {
    "images": ("cnn", "cnn, all"),
    "image_augmentation": ("cnn", "cnn, all"),
    "sequences": ("lstm", "lstm, all"),
    "attention": ("transformer",),
}
"""The kinds that a page shows; the others show points."""
POINTS_KINDS = ("moons", "linear", "all of it", "norm after")


def experiment(kind: str) -> Experiment:
    return Experiment.from_dict({"training": {"epochs": 4}, **KINDS[kind]})


def fits(page: str) -> tuple[str, ...]:
    return FITS.get(page, POINTS_KINDS)


@functools.cache
def names_of(page: str) -> dict[str, Any]:
    """Return the names that a page's file defines, without running the page."""
    text = (ROOT / "pages" / f"{page}.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": page}
    exec(compile(text[: text.index("\nlesson.show(")], page, "exec"), names)
    return names


def lesson_of(page: str) -> Lesson:
    lesson: Lesson = names_of(page)["LESSON"]
    return lesson


def errors(at: AppTest) -> list[str]:
    return [e.value for e in at.error]


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a page before it submits its run; its notice about the link comes earlier."""

    def follow(*_: object) -> None:
        st.stop()

    monkeypatch.setattr(run, "follow", follow)


@pytest.mark.parametrize("page", LESSONS)
def test_a_lesson_refuses_every_kind_that_it_is_not_about(page: str) -> None:
    lesson = lesson_of(page)
    for kind in KINDS:
        refusal = lesson.refusal(experiment(kind))
        assert bool(refusal) == (kind not in fits(page)), (kind, refusal)
        if refusal:
            assert re.match(r"(model|data)\.kind: got \w+, but this lesson is about \w+", refusal)


@pytest.mark.parametrize("page", LESSONS)
def test_a_refused_link_shows_the_start_and_says_so_until_it_is_dismissed(
    page: str, untrained: None
) -> None:
    lesson = lesson_of(page)
    foreign = next(kind for kind in ("lstm", "cnn") if kind not in fits(page))
    at = opened(page, experiment(foreign))
    (error,) = errors(at)
    assert "but this lesson is about" in error
    assert "The lesson's default is shown instead." in error
    assert shown(at) == lesson.start
    for _ in range(3):
        at.run()
        assert errors(at) == [error]
    next(b for b in at.button if b.label == "Dismiss").click().run()
    assert errors(at) == []
    assert shown(at) == lesson.start


@pytest.mark.parametrize("page", LESSONS)
def test_what_a_lesson_says_of_every_kind_it_shows_is_so(page: str) -> None:
    """The words of a page, on each kind that it takes: no crash, no nan, no subject that is off."""
    lesson = lesson_of(page)
    for kind in fits(page):
        e = experiment(kind)
        lanes = lesson.lanes(e)
        *_, frame = train(lanes)
        texts = [lesson.off(e) or lesson.point(frame, lanes), lesson.code_ran(frame, lanes)]
        asked = "" if lesson.off(e) else lesson.prediction.of(e)
        if asked:
            right, text = lesson.prediction.outcome(frame, lanes)
            assert right in range(len(lesson.prediction.options))
            texts.append(text)
        if lesson.rows is not None:
            rows = lesson.rows(frame, lanes)
            assert {len(row) for row in rows} == {1 + len(lanes)}
            texts += [str(row) for row in rows]
        assert len(lesson.labels_of(e)) == len(lanes)
        for text in texts:
            assert not re.search(r"\bnan\b|\binf\b", text), (kind, text)
        others = lesson.uncontrolled(e)
        if kind == "all of it" and page in ("dropout", "early_stopping"):
            assert "weight decay 0.003" in others
        assert not {"weight decay 0.003"} & set(others) or "weight_decay" not in lesson.controls


@pytest.mark.parametrize("page", [p for p in LESSONS if p not in FITS])
@pytest.mark.parametrize("kind", ["linear", "all of it"])
def test_a_page_of_points_runs_to_its_end_on_a_linear_model_and_with_all_of_it(
    page: str, kind: str
) -> None:
    at = finished(opened(page, experiment(kind)))
    assert shown(at) == experiment(kind)
    assert errors(at) == []
    lesson = lesson_of(page)
    said = " ".join(i.value for i in at.info)
    assert ("for which this page has no control" in said) == bool(
        lesson.uncontrolled(experiment(kind))
    )


def test_a_subject_that_is_off_is_said_and_what_is_on_instead() -> None:
    at = finished(opened("dropout", experiment("norm after")))
    text = " ".join(h.value for h in at.html)
    assert "Dropout is switched off; what sets the models apart here is L2 λ = 0.01." in text
    assert "has two training losses" not in text
    off = lesson_of("early_stopping").off(experiment("moons"))
    assert off.startswith("Early stopping is switched off, so the models are identical")


def test_no_page_prints_a_note_of_its_own() -> None:
    """Streamlit writes every bare value of a page, so a docstring below a constant would show."""
    for path in (ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))):
        _, *body = ast.parse(path.read_text(encoding="utf-8")).body
        bare = [n for n in body if isinstance(n, ast.Expr) and not isinstance(n.value, ast.Call)]
        assert bare == [], f"{path.name}:{bare[0].lineno}"


# --- damaged links ------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["nonsense", "", "%%%", specs.to_link(experiment("cnn"))[:-5]])
def test_the_notice_of_a_damaged_link_outlives_the_run(link: str, untrained: None) -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/penalties.py")
    at.query_params["e"] = link
    at.run()
    assert not at.exception
    (error,) = errors(at)
    assert "The lesson's default is shown instead." in error
    at.switch_page("pages/slides.py").run()
    at.switch_page("pages/penalties.py").run()
    assert errors(at) == [error], "also on the way back"
    next(b for b in at.button if b.label == "Dismiss").click().run()
    assert errors(at) == []


@pytest.mark.parametrize(("page", "name"), [("compare", "c"), ("sweep", "e")])
def test_tools_keep_the_notice_too(page: str, name: str) -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page(f"pages/{page}.py")
    at.query_params[name] = "nonsense"
    at.run()
    (error,) = errors(at)
    assert "link" in error
    seeds = next(w for w in at.slider if w.label == "Seeds")
    seeds.set_value(2 if seeds.value != 2 else 3).run()
    assert errors(at) == [error]
    next(b for b in at.button if b.label == "Dismiss").click().run()
    assert errors(at) == []


# --- the self-check: a link names its question ---------------------------------------------------


def questions() -> dict[str, Lesson]:
    text = (ROOT / "pages" / "self_check.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "self_check"}
    exec(compile(text[: text.index("\nlayout.within_app()")], "self_check", "exec"), names)
    found: dict[str, Lesson] = names["QUESTIONS"]
    return found


def self_check(**query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/self_check.py")
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def asked(at: AppTest) -> str:
    groups: list[Any] = list(at.get("button_group"))
    return str(groups[0].value)


def test_a_question_takes_what_its_controls_move_and_nothing_else() -> None:
    for name, lesson in questions().items():
        start = lesson.start
        assert not lesson.refusal(start), name
        assert not lesson.refusal(lesson.tasks[0].experiment), name
        moved = start.replace("training.seed", 5).replace("training.lr", 0.02)
        assert not lesson.refusal(moved), name
        assert "batch_size" in lesson.refusal(start.replace("training.batch_size", 7)), name
        for kind in KINDS:
            refusal = lesson.refusal(experiment(kind))
            assert re.match(r"\w+\.\w+: got .*, but this (lesson|question) is about", refusal), name


def test_a_link_to_a_question_opens_that_question() -> None:
    every = questions()
    e = every["Convolutions"].start.replace("training.seed", 4)
    at = self_check(q="Convolutions", e=specs.to_link(e))
    assert asked(at) == "Convolutions"
    assert shown(at) == e
    assert errors(at) == []
    assert at.query_params["q"] in ("Convolutions", ["Convolutions"])


def test_a_link_without_its_question_finds_one_that_fits_and_says_so() -> None:
    e = questions()["Sequences"].start
    at = self_check(e=specs.to_link(e))
    assert asked(at) == "Sequences"
    assert shown(at) == e
    (error,) = errors(at)
    assert "does not name its question" in error
    at = self_check(q="Nobody", e=specs.to_link(e))
    assert asked(at) == "Sequences"
    (error,) = errors(at)
    assert "names an unknown question: “Nobody”" in error


def test_an_experiment_of_no_question_is_refused() -> None:
    at = self_check(q="Deep nets", e=specs.to_link(experiment("lstm")))
    assert asked(at) == "Deep nets"
    (error,) = errors(at)
    assert "this lesson is about" in error
    assert shown(at) == questions()["Deep nets"].start
