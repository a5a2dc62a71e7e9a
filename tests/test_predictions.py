"""Predictions: each is judged only by the run of its experiment."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from regviz.specs import Experiment
from regviz.training.run import train
from regviz.ui import lesson as lessons
from tests.test_lessons import control, every_lesson, finished, opened, short, shown
from tests.test_links import lesson_of

JUDGED = ("As you predicted", "You predicted “", "this run shows")


def judgment(at: AppTest) -> str:
    return " ".join(e.value for e in (*at.success, *at.info) if e.value.startswith(JUDGED[:2]))


def question(at: AppTest) -> Any:
    (radio,) = at.radio
    return radio


def said(at: AppTest) -> str:
    return " ".join(h.value for h in at.html if "<style" not in h.value)


def predict(at: AppTest, option: int) -> str:
    chosen = question(at).options[option]
    question(at).set_value(chosen).run()
    finished(at, lambda at: bool(judgment(at)))
    return str(chosen)


def test_another_experiment_is_asked_anew_and_the_first_one_keeps_its_judgment() -> None:
    at = finished(opened("dropout", short("dropout")))
    chosen = predict(at, 1)
    first = judgment(at)
    assert chosen in first or "As you predicted" in first

    control(at, "Dropout p").set_value(0.9).run()
    finished(at, lambda at: shown(at).regularization.dropout == 0.9)
    assert not judgment(at), "neither right nor wrong"
    assert question(at).value is None
    assert f"You predicted “{chosen}” for another experiment (dropout p = 0.5)" in said(at)
    assert "dropout p = 0.9" in question(at).label

    predict(at, 2)
    assert "for another experiment" not in said(at)
    control(at, "Dropout p").set_value(0.5).run()
    finished(at, lambda at: bool(judgment(at)))
    assert judgment(at) == first
    assert question(at).value == chosen


@pytest.mark.parametrize(("label", "words"), [("Seed", "seed 0"), ("Noise", "noise σ = 0.3")])
def test_another_seed_or_other_points_are_another_experiment(label: str, words: str) -> None:
    at = finished(opened("dropout", short("dropout")))
    predict(at, 0)
    control(at, label).set_value(1 if label == "Seed" else 0.1).run()
    finished(at)
    assert not judgment(at)
    assert words in said(at)


def test_the_task_of_a_lesson_is_another_experiment_and_so_is_its_way_back() -> None:
    at = finished(opened("noise", short("noise")))
    predict(at, 0)
    next(b for b in at.button if b.label == "Load this experiment").click().run()
    finished(at, lambda at: shown(at).regularization.input_noise == 0.8)
    assert not judgment(at)
    assert "for another experiment" in said(at)
    assert "σ = 0.8" in question(at).label


def test_the_answer_stands_in_the_box_of_the_question() -> None:
    at = finished(opened("penalties", short("penalties")))
    predict(at, 0)
    (box,) = [c for c in containers(at.main) if c.proto.id.endswith("-prediction")]
    inside = [e for e in walked(box) if e.type in ("success", "info")]
    assert [e.value for e in inside] == [judgment(at)]


def walked(block: Any) -> list[Any]:
    found = []
    for child in block.children.values():
        found.append(child)
        if hasattr(child, "children"):
            found += walked(child)
    return found


def containers(block: Any) -> list[Any]:
    return [c for c in walked(block) if getattr(getattr(c, "proto", None), "id", "")]


def test_the_self_check_asks_anew_but_goes_on_training() -> None:
    at = opened("self_check")
    question(at).set_value("L2").run()
    finished(at, lambda at: bool(judgment(at)))
    control(at, "Seed").set_value(3).run()
    finished(at, lambda at: shown(at).training.seed == 3)
    assert not judgment(at)
    assert question(at).value is None
    assert "You predicted “L2” for another experiment (seed 0)" in said(at)


def test_a_question_that_an_experiment_does_not_ask_is_not_asked() -> None:
    for page, off in (
        ("dropout", short("dropout").replace("regularization.dropout", 0.0)),
        ("penalties", short("penalties").replace("regularization.l2", 0.0)),
        ("early_stopping", short("early_stopping").replace("regularization.early_stopping", None)),
    ):
        at = finished(opened(page, off))
        assert not at.radio, page
        assert "question is not about the experiment shown" in said(at), page


@every_lesson
def test_the_question_names_what_is_shown(page: str) -> None:
    lesson = lesson_of(page)
    assert lesson.prediction.of(lesson.start), "the first experiment asks it"
    assert not lesson.refusal(lesson.start)
    assert not lesson.off(lesson.start)
    assert not lesson.uncontrolled(lesson.start)
    for task in lesson.tasks:
        assert not lesson.refusal(task.experiment)
        assert not lesson.uncontrolled(task.experiment) or page == "combining", task.words


def test_a_diverged_run_answers_nothing() -> None:
    at = finished(opened("dropout", short("dropout").replace("training.lr", 1000.0)))
    question(at).set_value(question(at).options[0]).run()
    finished(at, lambda at: any("diverged" in w.value for w in at.warning))
    assert not judgment(at)


def test_what_an_earlier_prediction_was_for_is_named_by_what_differs() -> None:
    e = short("dropout")
    other = e.replace("training.seed", 7).replace("regularization.dropout", 0.25)
    assert lessons._differences(other, e) == "dropout p = 0.25, seed 7"
    many = other.replace("data.noise", 0.1).replace("model.hidden", [4])
    assert lessons._differences(many, e) == "dropout p = 0.25, noise σ = 0.1, hidden units 4, …"
    stopped = e.replace("regularization.early_stopping", {"patience": 4})
    assert "early stopping, patience 4" in lessons._differences(stopped, e)
    assert lessons._differences(e, stopped) == "other settings"


def test_the_reference_run_is_not_asked_about_sizes() -> None:
    lesson = lesson_of("overfitting")
    (reference,) = [t.experiment for t in lesson.tasks if t.experiment.model.hidden[1:2] == (512,)]
    assert lesson.prediction.of(reference) == ""


@pytest.mark.parametrize("l1", [0.0, 0.03])
def test_penalties_ask_of_zeros_only_where_both_are_on(l1: float) -> None:
    lesson = lesson_of("penalties")
    e = lesson.start.replace("regularization.l1", l1).replace("data.irrelevant_features", 5)
    assert ("two inputs are relevant, 5 are not" in lesson.prediction.of(e)) == bool(l1)


def test_equal_runs_are_called_no_difference() -> None:
    e = Experiment.from_dict({"data": {"n_samples": 100}, "training": {"epochs": 2}})
    *_, frame = train((e, e))
    frame = dataclasses.replace(frame, lanes=(frame.lanes[0], frame.lanes[0]))
    assert lesson_of("label_smoothing").prediction.outcome(frame, (e, e))[0] == 1
    assert np.isfinite(frame.lanes[0].reliability).all()
