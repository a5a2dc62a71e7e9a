"""The lessons without a browser: each runs, its controls set the experiment, its code is real."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from regviz import fit, specs
from regviz.figures import lessons as lesson_figures
from regviz.figures import theory as theory_figures
from regviz.figures.palette import DARK, LIGHT
from regviz.frames import RELIABILITY_BINS, Frame, LaneFrame
from regviz.labs import LABS, LabFrame, start
from regviz.results.stopping import trace
from regviz.specs import EarlyStoppingSpec, Experiment
from regviz.training.run import train
from regviz.ui import lesson as lessons
from regviz.ui import run
from tests.app_pages import await_jobs
from tests.browsing import PATIENCE
from tests.charts import charts, titles

ROOT = Path(__file__).resolve().parents[1]
ENDED = ("<b>finished</b>", "<b>stopped</b>", "<b>diverged</b>")
SHORT = {"data": {"n_samples": 100}, "model": {"hidden": [8, 8]}, "training": {"epochs": 10}}

LESSONS: dict[str, tuple[dict[str, Any], tuple[str, Any, str, Any]]] = {
    "overfitting": ({}, ("Hidden layers", 1, "model.hidden", (8,))),
    "dropout": (
        {"regularization": {"dropout": 0.5}},
        ("Dropout p", 0.3, "regularization.dropout", 0.3),
    ),
    "penalties": (
        {"regularization": {"l1": 0.01, "l2": 0.01}},
        ("L2 λ", 0.1, "regularization.l2", 0.1),
    ),
    "early_stopping": (
        {"regularization": {"early_stopping": {"patience": 3}}},
        ("Patience", 7, "regularization.early_stopping.patience", 7),
    ),
    "normalization": (
        {"model": {"hidden": [8, 8], "norm": "batch"}},
        ("Learning rate", 0.1, "training.lr", 0.1),
    ),
    "noise": (
        {"regularization": {"input_noise": 0.2}},
        ("Input noise σ", 0.4, "regularization.input_noise", 0.4),
    ),
    "label_smoothing": (
        {"regularization": {"label_smoothing": 0.1}},
        ("Label smoothing ε", 0.3, "regularization.label_smoothing", 0.3),
    ),
    "images": (
        {
            "data": {"kind": "digits", "n_samples": 100, "noise": 0.1},
            "model": {"kind": "cnn", "hidden": [4]},
            "regularization": {"dropout": 0.3, "dropout_kind": "spatial"},
        },
        ("Dropout p", 0.5, "regularization.dropout", 0.5),
    ),
    "image_augmentation": (
        {
            "data": {"kind": "digits", "n_samples": 100, "noise": 0.1},
            "model": {"kind": "cnn", "hidden": [4]},
            "regularization": {"augmentation": {"degrees": 10}},
        },
        ("Translate", 0.1, "regularization.augmentation.translate", 0.1),
    ),
    "sequences": (
        {
            "data": {"kind": "order", "n_samples": 60, "noise": 0.1},
            "model": {"kind": "lstm", "hidden": [6], "embedding": 4},
            "regularization": {"recurrent_dropout": 0.2},
        },
        ("Recurrent dropout p", 0.3, "regularization.recurrent_dropout", 0.3),
    ),
    "attention": (
        {
            "data": {"kind": "order", "n_samples": 60, "noise": 0.0},
            "model": {"kind": "transformer", "hidden": [8], "embedding": 8, "norm": "layer"},
            "regularization": {"attention_dropout": 0.1},
        },
        ("Attention dropout p", 0.3, "regularization.attention_dropout", 0.3),
    ),
    "combining": (
        {
            "model": {"hidden": [8, 8], "norm": "batch"},
            "regularization": {"dropout": 0.3, "l2": 0.001},
        },
        ("Weight decay", 0.01, "regularization.weight_decay", 0.01),
    ),
}
every_lesson = pytest.mark.parametrize("page", LESSONS)
CONTROLS = ("slider", "select_slider", "selectbox", "toggle", "number_input")


def short(page: str) -> Experiment:
    return Experiment.from_dict({**SHORT, **LESSONS[page][0]})


def opened(page: str, experiment: Experiment | None = None, **state: Any) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page(f"pages/{page}.py")
    if experiment is not None:
        at.query_params["e"] = specs.to_link(experiment)
    for key, value in state.items():
        at.session_state[key.replace("__", ".")] = value
    at.run()
    assert not at.exception
    return at


def finished(at: AppTest, also: Callable[[AppTest], bool] = lambda at: True) -> AppTest:
    """Run the page until its run has ended and ``also`` is true."""
    until = time.monotonic() + PATIENCE
    while True:
        found = [h.value for h in at.html if "rv-status" in h.value and "<style" not in h.value]
        done = any(word in text for text in found for word in ENDED)
        if (done and also(at)) or time.monotonic() > until:
            assert done, found
            assert also(at)
            return at
        await_jobs(at)
        at.run()
        assert not at.exception


def control(at: AppTest, label: str) -> Any:
    every: list[Any] = [w for kind in CONTROLS for w in at.get(kind)]
    (found,) = [w for w in every if w.label == label]
    return found


def shown(at: AppTest) -> Experiment:
    link = at.query_params["e"]
    return specs.from_link(link[0] if isinstance(link, list) else link)


def value(experiment: Experiment, path: str) -> Any:
    found: Any = experiment
    for name in path.split("."):
        found = getattr(found, name)
    return found


def twins(page: str) -> list[Callable[..., Any]]:
    """Return the functions that a page lists as its code, by their names in its file."""
    text = (ROOT / "pages" / f"{page}.py").read_text(encoding="utf-8")
    places = {
        alias.name: node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("regviz.scratch")
        for alias in node.names
    }
    return [getattr(importlib.import_module(str(places[name])), name) for name in places]


@every_lesson
def test_a_lesson_runs_and_says_what_it_measured(page: str) -> None:
    at = finished(opened(page, short(page)))
    point = next(h.value for h in at.html if "rv-point" in h.value and "<style" not in h.value)
    assert re.search(r"\d\.\d\d", point)
    assert "nan" not in point
    assert any(re.search(r"\d", s.value) for s in at.success)  # what the twins gave
    assert not at.error
    assert not [b for b in at.button if b.label == "Retry"]


def test_the_table_judges_a_frame_by_the_experiments_it_is_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[tuple[Experiment, ...]] = []
    table = lessons._table

    def noting(of: Any, labels: Any, frame: Frame, lanes: tuple[Experiment, ...]) -> Any:
        judged.append(lanes)
        return table(of, labels, frame, lanes)

    monkeypatch.setattr(lessons, "_table", noting)
    at = finished(opened("overfitting", short("overfitting")))
    newest = judged[-1]
    observe = run.PageRun.observe

    def before(
        page_run: run.PageRun,
    ) -> Any:  # the old run's, just before the new one's first frame
        frame, lanes = observe(page_run)
        return frame, tuple(e.replace("data.noise", 1.0) for e in lanes)

    monkeypatch.setattr(run.PageRun, "observe", before)
    judged.clear()
    at.run()
    assert judged
    assert set(judged) == {newest}


@every_lesson
def test_a_control_reaches_the_experiment(page: str) -> None:
    label, moved, path, becomes = LESSONS[page][1]
    at = opened(page, short(page))
    assert shown(at) == short(page)
    assert value(shown(at), path) != becomes
    control(at, label).set_value(moved).run()
    assert not at.exception
    assert value(shown(at), path) == becomes


def test_a_browser_that_missed_a_message_starts_from_the_right_values() -> None:
    experiment = short("label_smoothing").replace("data.seed", 42).replace("training.lr", 0.05)
    at = opened("label_smoothing", experiment)
    assert control(at, "Data seed").proto.default == 42
    assert list(control(at, "Label smoothing ε").proto.default) == [0.1]
    rate = control(at, "Learning rate").proto
    assert [rate.options[int(i)] for i in rate.default] == ["0.05"]


@every_lesson
def test_the_code_shown_is_the_source_and_the_whole_of_it(page: str) -> None:
    at = opened(page, short(page))
    code = [c.value.rstrip() for c in at.code]
    assert {inspect.getsource(twin).rstrip() for twin in twins(page)} <= set(code)


@every_lesson
def test_the_prediction_is_kept_and_compared(page: str) -> None:
    at = finished(opened(page, short(page)))
    before = len(at.success) + len(at.info)
    (question,) = at.radio
    question.set_value(question.options[0]).run()
    finished(at)
    assert len(at.success) + len(at.info) == before + 1
    assert any("predicted" in e.value for e in (*at.success, *at.info))
    (question,) = at.radio
    assert question.value == question.options[0]


@every_lesson
def test_a_task_sets_its_experiment_up(page: str) -> None:
    at = opened(page, short(page))
    buttons = [b for b in at.button if b.label == "Load this experiment"]
    assert len(buttons) >= 2
    shown_before = shown(at)
    buttons[1].click().run()
    assert not at.exception
    assert shown(at) != shown_before


def test_a_task_tells_what_was_to_be_seen_after_its_run_only() -> None:
    at = opened("dropout", Experiment.from_dict({**SHORT, "training": {"epochs": 10}}))
    finished(at)
    assert not [i for i in at.info if "predicted" not in i.value]
    next(b for b in at.button if b.label == "Load this experiment").click().run()
    finished(at)
    (seen,) = [i.value for i in at.info if "predicted" not in i.value]
    assert "train mode" in seen


@pytest.mark.parametrize(
    "page", ["dropout", "penalties", "early_stopping", "noise", "label_smoothing", "normalization"]
)
def test_the_theory_checks_end_with_a_gap(page: str) -> None:
    name = page.replace("_", "-")
    checks = {"dropout": 2, "penalties": 3, "noise": 2}.get(page, 1)

    def told(at: AppTest) -> list[str]:
        (tab,) = [tab for tab in at.tabs if tab.label == "Theory check"]
        return [h.value for h in tab.html if "rv-point" in h.value]

    at = finished(
        opened(page, short(page), **{f"{name}.tabs": "Theory check"}),
        lambda at: len(told(at)) == checks,
    )
    points = told(at)
    assert len(charts(at)) >= checks
    assert all(re.search(r"\d\.\d", text) for text in points)


def test_a_link_that_is_none_is_one_sentence() -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/dropout.py")
    at.query_params["e"] = "nonsense"
    at.run()
    assert not at.exception
    (error,) = at.error
    assert "The lesson's default is shown instead." in error.value


@pytest.mark.parametrize(
    ("page", "changes", "field"),
    [
        # the lesson compares it with batch norm, which one point has no variance for
        ("normalization", {"training": {"batch_size": 1, "epochs": 2}}, "training.batch_size"),
        # the lesson compares it with ten times of it
        (
            "penalties",
            {"regularization": {"weight_decay": 1e6}, "training": {"epochs": 2}},
            "regularization.weight_decay",
        ),
    ],
)
def test_a_link_whose_comparison_does_not_fit_is_one_sentence(
    page: str, changes: dict[str, Any], field: str
) -> None:
    at = opened(page, Experiment.from_dict({**SHORT, **changes}))
    (error,) = at.error
    assert error.value.startswith(f"{field}: got 1")
    assert "The lesson's default is shown instead." in error.value
    assert shown(at) != Experiment.from_dict({**SHORT, **changes})


def test_a_run_that_outlasts_its_patience_says_what_its_weights_are() -> None:
    patient = {"early_stopping": {"patience": 1000}}
    noisy = {"n_samples": 60, "noise": 0.4}
    training = {"epochs": 40, "lr": 0.05}
    for restore in (True, False):
        patient["early_stopping"]["restore_best_weights"] = restore
        e = Experiment.from_dict(
            {**SHORT, "data": noisy, "regularization": patient, "training": training}
        )
        at = finished(opened("early_stopping", e))
        (said,) = [h.value for h in at.html if "before 1000 epochs" in h.value]
        assert ("were restored" in said) == restore
        assert ("last weights are kept" in said) == (not restore)
        cautions = [h.value for h in at.html if "rv-caution" in h.value and "<style" not in h.value]
        (caution,) = cautions
        assert ("weights of the best epoch are restored" in caution) == restore


def test_the_self_check_trains_only_after_the_answer() -> None:
    at = opened("self_check")
    assert "Answer first" in "".join(h.value for h in at.html)
    assert not at.code
    (question,) = at.radio
    question.set_value("L2").run()
    finished(at)
    assert any("L1" in e.value and "weights are exactly 0" in e.value for e in at.info)


def self_check() -> Any:
    """Return the page's questions without running the page."""
    text = (ROOT / "pages" / "self_check.py").read_text(encoding="utf-8")
    code = text[: text.index("layout.within_app()")]
    names: dict[str, Any] = {"__name__": "self_check"}
    exec(compile(code, "self_check.py", "exec"), names)
    return names["QUESTIONS"]


def test_every_question_is_answered_by_its_own_run() -> None:
    for name, lesson in self_check().items():
        lanes = lesson.lanes(lesson.start)
        assert len(lanes) == len(lesson.labels)
        assert len({lane.data for lane in lanes}) == 1, "on the same points"
        frame = last_frame(lanes)
        right, text = lesson.prediction.outcome(frame, lanes)
        assert right in range(len(lesson.prediction.options)), name
        assert re.search(r"\d", text)
        assert "nan" not in text
        assert re.search(r"\d", lesson.code_ran(frame, lanes)), "the twins run on this run"


def last_frame(lanes: tuple[Experiment, ...]) -> Frame:
    *_, frame = train(lanes)
    return frame


# --- early stopping -----------------------------------------------------------------------------


def test_another_patience_is_read_off_the_stored_run() -> None:
    at = finished(opened("early_stopping", short("early_stopping")))
    job = at.session_state["early-stopping.experiment"]
    what_if = control(at, "What if the patience had been …")
    assert what_if.value == 3
    before = [p for p in lesson_points(at) if p.startswith("Patience 3")]
    assert len(before) == 1
    what_if.set_value(1).run()
    finished(at)
    assert at.session_state["early-stopping.experiment"] == job, "nothing is trained again"
    (told,) = [p for p in lesson_points(at) if p.startswith("Patience 1")]
    assert told != before[0]


def lesson_points(at: AppTest) -> list[str]:
    return re.findall(r'<p class="rv-point">(.*?)</p>', "".join(h.value for h in at.html))


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_the_theatre_counts_and_marks_what_the_rule_does(palette: Any) -> None:
    losses = np.array([0.9, 0.5, 0.48, 0.6, 0.55, 0.3, 0.2], np.float32)
    rule = EarlyStoppingSpec(patience=3, min_delta=0.1)
    states = trace(losses.tolist(), rule)
    figure = lesson_figures.stopping_theatre(losses, states, rule, palette)
    of = {str(t.name).split(":")[0]: t for t in figure.data}
    assert (of["best weights"].x[0], of["stop"].x[0]) == (2, 5)
    assert list(of["epochs without an improvement"].y) == [0, 0, 1, 2, 3]
    np.testing.assert_allclose(of["improvement threshold"].y[-1], 0.5 - 0.1)
    ribbon = np.asarray(of["min delta 0.1 below the best"].y)
    np.testing.assert_allclose(ribbon[:5] - ribbon[5:][::-1], 0.1)
    assert list(of["if training had continued"].x) == [5, 6, 7]


# --- where over-fitting begins ------------------------------------------------------------------


def test_the_answer_is_told_only_after_the_mark() -> None:
    at = opened("overfitting", short("overfitting"))
    next(b for b in at.button if b.label == "Train a run").click().run()
    finished(at, lambda at: any(b.label == "Show the answer" for b in at.button))
    assert "lowest" not in " ".join(lesson_points(at)) + marked_chart(at)
    show = next(b for b in at.button if b.label == "Show the answer")
    assert show.disabled, "first the mark"
    control(at, "Over-fitting begins at epoch").set_value(70).run()
    assert "lowest" not in " ".join(lesson_points(at)) + marked_chart(at)
    assert "your mark" in marked_chart(at)
    next(b for b in at.button if b.label == "Show the answer").click().run()
    assert not at.exception
    (told,) = [p for p in lesson_points(at) if "lowest at epoch" in p]
    best = int(re.findall(r"lowest at epoch (\d+)", told)[0])
    assert f"lowest: epoch {best}" in marked_chart(at)
    if "not begun" not in told:
        assert f"is {abs(70 - best)} epoch" in told or "is exactly right" in told
    next(b for b in at.button if b.label == "Another run").click().run()
    finished(at, lambda at: any(b.label == "Show the answer" for b in at.button))
    assert "lowest" not in " ".join(lesson_points(at)) + marked_chart(at)
    assert control(at, "Over-fitting begins at epoch").value == 1


def marked_chart(at: AppTest) -> str:
    (chart,) = [f for f in charts(at) if "begin?" in f["layout"]["title"]["text"]]
    return json.dumps(chart)


# --- noise --------------------------------------------------------------------------------------


def test_label_noise_reaches_both_twins_and_the_sentence() -> None:
    at = opened("noise", short("noise"))
    control(at, "Label noise").set_value(0.2).run()
    assert shown(at).data.label_noise == 0.2
    finished(at)
    (told,) = [p for p in lesson_points(at) if "acts like a penalty" in p]
    assert "20% of the training labels are wrong" in told


def test_the_sweep_over_noise_ends_with_its_lowest() -> None:
    at = finished(opened("noise", short("noise")))
    next(b for b in at.button if b.label == "Train the sweep").click().run()
    finished(at, lambda at: "Validation curve" in titles(at))
    assert any("The lowest validation loss" in p for p in lesson_points(at))


# --- label smoothing ------------------------------------------------------------------------------


def test_the_targets_are_drawn_as_they_are_smoothed() -> None:
    at = opened("label_smoothing", short("label_smoothing"))
    for epsilon in (0.1, 0.4):
        control(at, "Label smoothing ε").set_value(epsilon).run()
        (figure,) = [f for f in charts(at) if "soft targets" in f["layout"]["title"]["text"]]
        hard, soft = (trace["text"] for trace in figure["data"])
        assert hard == ["0", "1"]
        assert soft == [f"{epsilon / 2:.3g}", f"{1 - epsilon / 2:.3g}"]


# --- dropout --------------------------------------------------------------------------------------


def test_the_usual_rates_stand_beside_their_controls() -> None:
    at = opened("dropout", short("dropout"))
    usual = [h.value for h in at.sidebar.html if "rv-usual" in h.value]
    assert ["0.3–0.5" in u for u in usual] == [True, False, False]
    assert ["0.1–0.3" in u for u in usual] == [False, True, False]
    assert ["3–4" in u for u in usual] == [False, False, True]  # max-norm's


def test_both_conventions_agree_with_themselves_for_the_p_in_the_controls() -> None:
    at = opened("dropout", short("dropout"))
    control(at, "Dropout p").set_value(0.2).run()
    (table,) = [m.value for m in at.markdown if "**inverted**" in m.value]
    inverted, classic = table.splitlines()[2:4]
    for line, scale, meaning in (
        (inverted, 1.0, "*dropping*: 0.2"),
        (classic, 0.8, "*keeping*: 0.8"),
    ):
        mean, use = (
            [float(v) for v in re.findall(r"\d\.\d\d", cell)] for cell in line.split("|")[3:5]
        )
        np.testing.assert_allclose(use, scale * np.linspace(0.5, 2.0, 4), atol=0.006)
        np.testing.assert_allclose(mean, use, atol=0.1)
        assert meaning in line


def test_the_sweep_over_p_says_where_it_over_and_under_fits() -> None:
    at = finished(opened("dropout", short("dropout")))
    next(b for b in at.button if b.label == "Train the sweep").click().run()
    finished(at, lambda at: "dropout p" in titles(at))
    (told,) = [p for p in lesson_points(at) if "Lowest validation loss" in p]
    by_kind = re.findall(r"\d\.\d|(?<= )0(?=[,;.])", told[told.index("Verdicts") :].split("Tr")[0])
    assert len(by_kind) == 10, "every p has its verdict"


# --- normalization ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "models", "values"),
    [
        ("Initial weights", 3, ["0.01", "0.1", "0.3", "1", "3", "10", "30"]),
        ("Batch size", 3, ["2", "4", "8", "32", "128"]),
        ("Position", 4, ["0.001", "0.01", "0.03", "0.1", "0.3", "1"]),
    ],
)
def test_a_stress_test_trains_its_models_and_counts_those_that_learned(
    kind: str, models: int, values: list[str]
) -> None:
    at = finished(opened("normalization", short("normalization"), normalization__stress=kind))
    button = next(b for b in at.button if b.label.startswith("Train "))
    button.click().run()
    finished(at, lambda at: "Stress test" in titles(at))
    (told,) = [p for p in lesson_points(at) if p.startswith("Final training loss below")]
    assert re.findall(r" at \d+ of (\d+)", told) == [str(len(values))] * models
    assert button.label == f"Train {models * len(values)} models"
    (figure,) = [f for f in charts(at) if "Stress test" in f["layout"]["title"]["text"]]
    assert figure["data"][0]["x"] == values


def test_the_stress_figure_marks_what_diverged_at_the_top() -> None:
    e = Experiment.from_dict({**SHORT, "training": {"epochs": 5, "lr": 0.01, "optimizer": "sgd"}})
    lanes = last_frame((e, e.replace("training.lr", 1e4))).lanes
    figure = lesson_figures.stress("learning rate", ["0.01", "1e4"], ["one"], lanes)
    loss, accuracy = figure.data
    assert list(loss.marker.symbol) == ["circle", "x"]
    assert loss.y[1] == lesson_figures.STRESS_TOP
    assert np.isclose(loss.y[0], lanes[0].curve("train_loss")[-1])
    assert np.isnan(accuracy.y[1])


# --- penalties: weights and inputs over the epochs ------------------------------------------------


def selecting() -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"kind": "linear", "n_samples": 100, "irrelevant_features": 8},
            "model": {"hidden": [8]},
            "regularization": {"l1": 0.04, "l2": 0.05},
            "training": {"lr": 0.02, "epochs": 40},
        }
    )


def test_the_inputs_that_are_off_are_counted_against_the_truth() -> None:
    at = finished(opened("penalties", selecting()), lambda at: len(charts(at)) >= 2)
    (told,) = [p for p in lesson_points(at) if p.startswith("Inputs switched off")]
    (run,) = fit([selecting().replace("regularization.l2", 0.0)])
    norms = run.frame.input_norms
    assert norms is not None
    off = (norms == 0).tolist()
    counted = f"{sum(off[2:])} of 8 irrelevant inputs and {sum(off[:2])} of 2 relevant ones"
    assert f"L1: {counted}" in told
    assert sum(off[2:]) > 0
    assert "no regularization: 0 of 8 irrelevant inputs and 0 of 2" in told
    groups: list[Any] = list(at.get("button_group"))
    (layer,) = [g for g in groups if g.label == "Layer"]
    assert "hidden 1" in titles(at)
    layer.set_value("output").run()
    finished(at)
    assert "Weights of layer “output”" in titles(at)


def test_the_path_says_how_many_inputs_go_at_which_strength() -> None:
    at = finished(opened("penalties", selecting()))
    next(b for b in at.button if b.label == "Train the path").click().run()
    finished(at, lambda at: "as λ grows" in titles(at))
    (told,) = [p for p in lesson_points(at) if "validation loss is lowest" in p]
    assert re.search(r"At λ = 0\.\d+ L1 switches off \d of 8", told)


def test_merged_bins_keep_every_count_in_its_place() -> None:
    counts = np.arange(128)
    same = lesson_figures.merged_bins(counts, 1.0, 1.0)
    np.testing.assert_array_equal(same, counts.reshape(64, 2).sum(axis=1))
    wider = lesson_figures.merged_bins(counts, 1.0, 4.0)
    assert wider.sum() == counts.sum()
    np.testing.assert_array_equal(wider[24:40], counts.reshape(16, 8).sum(axis=1))
    assert not wider[:24].any()
    assert not wider[40:].any()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_ridges_show_the_exact_zeros_apart(palette: Any) -> None:
    frames = [f for f in train((selecting(),)) if f.epoch]
    figure = lesson_figures.weight_ridges(frames, ["L1"], 0, palette)
    last = frames[-1].lanes[0]
    share = last.zeros[0] / np.prod(last.shapes[0])
    bars = [t.y[1] - t.y[0] for t in figure.data if t.name == "exactly 0"]
    assert share > 0
    assert np.isclose(max(bars[0], bars[-1]), share)
    assert f"{share:.0%}" in [text for t in figure.data for text in (t.text or ())]


def test_crosses_are_inputs_without_a_weight() -> None:
    lanes = selecting().without_regularization(), selecting()
    frames = [f for f in train(lanes) if f.epoch]
    figure = lesson_figures.input_groups(frames, ["none", "L1"], 2)
    norms = np.array([[lane.input_norms for lane in f.lanes] for f in frames])
    crosses = [t for t in figure.data if t.name == "switched off (exactly 0)"]
    assert sum(len(t.x) for t in crosses) == (norms == 0).sum() > 0
    (explained,) = [t for t in crosses if t.showlegend]
    assert len(explained.x) > 0, "an empty trace has no entry in the legend"
    path = lesson_figures.input_path([0.1, 0.2], np.array([[1, 1, 0.0], [1, 0, 0.0]]), 2)
    matters, rest = path.data[-2:]
    assert (list(matters.y), list(rest.y)) == ([0, 1], [1, 1])


# --- figures -----------------------------------------------------------------------------------


def lane() -> LaneFrame:
    return last_frame((Experiment.from_dict({**SHORT, "training": {"epochs": 3}}),)).lanes[0]


CHECKS = {
    "dropout_ridge": (theory_figures.ridge_check, {"steps": 400}),
    "noise_ridge": (theory_figures.ridge_check, {"steps": 400}),
    "noise_tikhonov": (theory_figures.noise_check, {"epochs": 5}),
    "early_stopping_ridge": (theory_figures.stopping_check, {"steps": 400}),
    "l1_path": (theory_figures.l1_path, {"steps": 100}),
    "decay_equivalence": (theory_figures.decay_check, {"steps": 50}),
    "alpha_dropout_depth": (theory_figures.alpha_check, {"layers": 3, "width": 32, "batch": 64}),
    "label_smoothing_gap": (theory_figures.smoothing_check, {"steps": 60}),
    "batch_norm_scale": (theory_figures.scale_check, {"width": 16, "batch": 16}),
}


def lab_frame(name: str, parameters: dict[str, Any]) -> LabFrame:
    assert name in LABS
    *_, frame = start(name, parameters)
    return frame


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_a_check_draws_the_measured_and_the_closed_form(name: str, palette: Any) -> None:
    draw, parameters = CHECKS[name]
    frame = lab_frame(name, parameters)
    figure = draw(frame, palette)
    drawn = np.concatenate([np.ravel(np.asarray(t.y, float)) for t in figure.data])
    for array in ("measured", "closed_form", "averaged", "gap", "logit_gap", "variance"):
        if array in frame.arrays:
            values = np.asarray(frame.arrays[array], float)
            last = values.ravel()[-1] if array != "logit_gap" else values[-1].mean()
            assert np.isclose(drawn, last).any(), array
    assert figure.layout.font.color == palette.text


def test_the_geometry_puts_the_points_on_their_shapes() -> None:
    frame = lab_frame("l1_path", {"steps": 1500})
    figure = theory_figures.l1_geometry(frame)
    of = {t.name: t for t in figure.data}
    assert np.isclose(np.abs(of["L1 diamond"].x).max(), frame.number("radius_l1"))
    point = of["with L1"]
    assert np.isclose(abs(point.x[0]) + abs(point.y[0]), frame.number("radius_l1"), rtol=1e-3)


def test_the_reliability_diagram_shows_bins_that_hold_points() -> None:
    one = lane()
    figure = lesson_figures.reliability([one], ["one"])
    diagonal, curve, bars = figure.data
    count, confidence, right = one.reliability
    some = count > 0
    np.testing.assert_allclose(curve.x, confidence[some] / count[some], rtol=1e-6)
    np.testing.assert_allclose(curve.y, right[some] / count[some], rtol=1e-6)
    assert len(bars.y) == RELIABILITY_BINS
    assert np.isclose(sum(bars.y), 1)
    assert list(diagonal.x) == list(diagonal.y)


def test_the_bands_hold_their_seeds() -> None:
    lanes = last_frame(
        tuple(
            Experiment.from_dict({**SHORT, "training": {"epochs": 4, "seed": seed}})
            for seed in (0, 1)
        )
    ).lanes
    figure: go.Figure = lesson_figures.seed_bands(lanes, ["only"])
    band, mean = figure.data
    curves = np.array([one.curve("val_loss") for one in lanes])
    np.testing.assert_allclose(mean.y, curves.mean(axis=0))
    np.testing.assert_allclose(band.y[:4], curves.max(axis=0))
    np.testing.assert_allclose(band.y[4:][::-1], curves.min(axis=0))


def test_the_validation_curve_stars_the_lowest() -> None:
    figure = lesson_figures.validation_curve("λ", [0, 0.1, 1], [0.1, 0.2, 0.9], [0.5, 0.3, 1.0])
    star = figure.data[-1]
    assert (list(star.x), list(star.y)) == (["0.1"], [0.3])


def test_the_statistics_hold_every_layer_and_epoch() -> None:
    experiment = Experiment.from_dict(SHORT)
    frames = [frame for frame in train((experiment,)) if frame.epoch]
    figure = lesson_figures.input_statistics(frames, ["one"])
    means = [t for t in figure.data if t.fill is None]
    assert len(means) == len(frames[-1].lanes[0].layers)
    np.testing.assert_allclose(means[1].y[-1], frames[-1].lanes[0].input_mean[1], rtol=1e-6)
