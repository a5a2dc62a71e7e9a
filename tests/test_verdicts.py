"""Verdicts on trained models: no bad model gets a good verdict, and all outputs agree."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pptx import Presentation

from regviz import Experiment, fit
from regviz.cli import main
from regviz.data.datasets import GENERATORS
from regviz.frames import Frame
from regviz.render import source_from_value
from regviz.results import metrics, presets
from regviz.results.verdict import GOOD, OVER, UNDECIDED, UNDER, Verdict
from regviz.slides import Runs, words
from regviz.training.run import Run
from regviz.ui.verdicts import judge

SEEDS = range(20, 30)
CONSTANT = {"l2": 50.0}  # so strong that the model answers one class


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Use one thread, as a trainer does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def experiment(data: dict[str, Any], **groups: Any) -> Experiment:
    usual: dict[str, Any] = {
        "model": {"hidden": [32]},
        "training": {"epochs": 150, "lr": 0.02},
    }
    return Experiment.from_dict({**usual, **groups, "data": data})


def verdicts(experiments: Sequence[Experiment]) -> list[Verdict]:
    return [result.verdict for result in fit(experiments)]


def table(x: NDArray[np.float64], y: NDArray[np.int64], seed: int) -> dict[str, Any]:
    points = [[*row, int(label)] for row, label in zip(x.tolist(), y.tolist(), strict=True)]
    return {"kind": "csv", "points": points, "seed": seed}


def lopsided(seed: int, rare: int = 5, n: int = 100, apart: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [n - rare, rare])
    return table(rng.standard_normal((n, 2)) + apart * y[:, None], y, seed)


# --- what is wrong ------------------------------------------------------------------------------


def test_the_majority_s_share_is_no_merit() -> None:
    some = [experiment(lopsided(s), regularization=CONSTANT) for s in SEEDS]
    some += [experiment(lopsided(s, 20, 400), regularization=CONSTANT) for s in SEEDS]
    for said in verdicts(some):
        assert said.kind in (UNDECIDED, UNDER)
        assert "95%" in said.reason
    told = [experiment(lopsided(s, 20, 400, apart=5), regularization=CONSTANT) for s in SEEDS]
    assert {said.kind for said in verdicts(told)} == {UNDER}


def test_a_good_model_of_lopsided_classes_is_praised_if_enough_points_say_so() -> None:
    enough = verdicts([experiment(lopsided(s, 40, 500, apart=5)) for s in SEEDS])
    assert [said.kind for said in enough].count(GOOD) >= 8
    assert all("belong to one class" in said.reason for said in enough)
    few = verdicts([experiment(lopsided(s, apart=5)) for s in SEEDS])
    assert {said.kind for said in few} == {UNDECIDED}


@pytest.mark.parametrize("n", [10, 12, 16])
def test_a_tiny_table_is_neither_praised_nor_called_hopeless(n: int) -> None:
    some = []
    for seed in SEEDS:
        y = np.arange(n) % 2
        x = 0.1 * np.random.default_rng(seed).standard_normal((n, 2)) + 10 * y[:, None]
        some += [experiment(table(x, y, seed), regularization=r) for r in ({}, CONSTANT)]
    for said in verdicts(some):
        assert said.kind == UNDECIDED
        assert "points" in said.reason or "same class" in said.reason


def test_one_answer_for_all_under_fits_under_label_noise() -> None:
    data = [
        {"kind": kind, "label_noise": 0.4, "seed": seed}
        for seed in SEEDS
        for kind in ("moons", "circles")
    ]
    some = [experiment(d, regularization=CONSTANT, training={"epochs": 40}) for d in data]
    assert {said.kind for said in verdicts(some)} == {UNDER}


@pytest.mark.parametrize("n", [50, 60])
@pytest.mark.parametrize("kind", ["circles", "spirals"])
def test_a_line_through_curved_classes_under_fits(kind: str, n: int) -> None:
    made = [{"kind": kind, "n_samples": n, "noise": 0.1, "seed": seed} for seed in SEEDS]
    own = [table(*GENERATORS[kind](n, 0.1, seed), seed) for seed in SEEDS]
    found = verdicts([experiment(d, model={"hidden": []}) for d in [*made, *own]])
    assert {said.kind for said in found[: len(made)]} == {UNDER}
    assert GOOD not in {said.kind for said in found}
    if n == 60:
        assert {said.kind for said in found} == {UNDER}


def test_hardly_trained_digits_are_not_praised() -> None:
    some = [
        experiment({"kind": "digits", "n_samples": 200, "seed": s}, training={"epochs": 3})
        for s in SEEDS
    ]
    for said in verdicts(some):
        assert said.kind == UNDECIDED
        assert "60 points" in said.reason


def test_an_untrained_lstm_under_fits() -> None:
    some = [
        experiment(
            {"kind": "order", "n_samples": 100, "noise": noise, "seed": seed},
            model={"kind": "lstm", "hidden": [8]},
            training={"epochs": 1, "lr": 1e-4},
        )
        for seed in (1, 2, 3)
        for noise in (0.0, 0.1)
    ]
    assert {said.kind for said in verdicts(some)} == {UNDER}


@pytest.mark.parametrize(("rows", "times"), [(15, 4), (100, 4), (100, 2)])
def test_random_labels_on_copied_rows_are_not_praised(rows: int, times: int) -> None:
    some = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((rows, 2)), rng.permutation(np.arange(rows) % 2)
        data = table(np.repeat(x, times, axis=0), np.repeat(y, times), seed)
        # features drawn on top make nothing new of a copied row
        some += [experiment({**data, "irrelevant_features": k}) for k in (0, 3)]
    for said in verdicts(some):
        assert said.kind != GOOD
        assert f"{rows} different rows of {rows * times}" in said.reason
        assert "both sides of the split" in said.reason


def test_random_labels_are_not_praised() -> None:
    some = []
    for seed in range(100, 140):
        rng = np.random.default_rng(seed)
        data = table(rng.standard_normal((120, 2)), rng.permutation(np.arange(120) % 2), seed)
        some.append(experiment(data, training={"epochs": 30}))
    assert GOOD not in {said.kind for said in verdicts(some)}


def test_one_validation_point_does_not_agree() -> None:
    data = [
        {"n_samples": 10, "val_fraction": 0.1, "noise": 0.05, "kind": kind, "seed": seed}
        for seed in SEEDS
        for kind in ("moons", "blobs")
    ]
    for said in verdicts([experiment(d, training={"epochs": 300, "lr": 0.05}) for d in data]):
        assert said.kind in (UNDECIDED, UNDER)
        if said.kind == UNDECIDED:
            assert "1 point)" in said.reason
            assert "95% interval" in said.reason


# --- what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OVER, GOOD])
def test_good_and_bad_models_are_told_apart_whatever_the_seed(kind: str) -> None:
    if kind == OVER:
        e = experiment(
            {"n_samples": 200}, model={"hidden": [128, 64]}, training={"epochs": 300, "lr": 0.01}
        )
    else:
        e = experiment(
            {"n_samples": 500},
            model={"hidden": [32, 32]},
            regularization={"dropout": 0.2, "l2": 0.003},
            training={"epochs": 60, "lr": 0.01},
        )
    places = [(seed, 42) for seed in SEEDS] + [(0, seed) for seed in SEEDS]
    varied = [e.replace("training.seed", t).replace("data.seed", d) for t, d in places]
    found = [said.kind for said in verdicts(varied)]
    assert found[:10].count(kind) >= 8
    assert found[10:].count(kind) >= 8


# --- one verdict everywhere ---------------------------------------------------------------------


def test_file_page_deck_and_command_line_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = lopsided(3, 30, 120, apart=1.5)
    many = [
        experiment(data, training={"epochs": 25}),
        experiment(data, regularization={"dropout": 0.3}, training={"epochs": 25}),
        experiment({"label_noise": 0.3, "n_samples": 60}, training={"epochs": 25}),
        experiment({}, training={"optimizer": "sgd", "lr": 1e3, "epochs": 25}),
    ]
    spec, out, deck = (tmp_path / name for name in ("spec.json", "result.json", "deck.pptx"))
    spec.write_text(json.dumps({"experiments": [e.to_dict() for e in many]}))
    assert main(["run", str(spec), "-o", str(out), "--device", "cpu"]) == 0
    summary = capsys.readouterr().err
    written = json.loads(out.read_text())
    told = [run["verdict"] for run in written["runs"]]
    assert all(set(one) == {"kind", "reason"} for one in told)
    assert [one["kind"] for one in told][-1] == UNDECIDED
    assert written["runs"][-1]["status"] == "diverged"
    for one in told:
        assert f"{one['kind']}: {one['reason']}" in summary

    run = Run(many)
    for _ in run.steps():
        pass
    frame = Frame.from_bytes(run.frame().to_bytes())  # as it reaches the web process
    assert frame.data is not None
    for i, e in enumerate(many):
        alone = Frame(frame.epoch, frame.epochs, (frame.lanes[i],), (frame.data[i],))
        ((_), (said,)) = judge(alone, e)
        assert said.to_dict() == told[i]

    live = words.verdicts(Runs(tuple(many), (frame,)))
    for sentence, one in zip(live, told, strict=True):
        assert sentence.endswith(one["reason"])

    # of a table of one's own nothing is trained again: the deck is drawn from the file
    assert main(["render", str(out), "-o", str(deck), "--figure", "curves"]) == 0
    notes = Presentation(io.BytesIO(deck.read_bytes())).slides[0].notes_slide
    assert notes.notes_text_frame is not None
    text = notes.notes_text_frame.text
    assert all(sentence in text for sentence in live)


def test_a_verdict_does_not_depend_on_what_else_was_trained() -> None:
    lanes = [presets.DEFAULT.experiment.replace("training.epochs", n) for n in (1, 15)]
    assert verdicts(lanes) == [verdicts([e])[0] for e in lanes]


def test_an_old_result_file_has_no_verdict_and_is_still_drawn() -> None:
    result = fit([experiment({"n_samples": 80}, training={"epochs": 2})])[0].to_dict()
    del result["verdict"]
    assert source_from_value({"runs": [result]}).verdicts is None
    wrongs: list[Any] = [{"kind": "splendid", "reason": "."}, {"kind": GOOD}, "good fit", []]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="verdict"):
            source_from_value({"runs": [{**result, "verdict": wrong}]})


def test_a_lane_counts_what_is_right_in_each_class() -> None:
    e = experiment({"n_samples": 90, "label_noise": 0.2}, training={"epochs": 5})
    run = Run([e, e.replace("training.seed", 5)])
    for _ in run.steps():
        pass
    for lane in run.frame().lanes:
        assert lane.rights is not None
        assert lane.rights[:, 1].sum(axis=1).tolist() == [63, 27, 27]
        seen = lane.rights[:2, 0].sum(axis=1) / [63, 27]
        reading = metrics.read(lane)
        assert seen == pytest.approx([reading.train_accuracy, reading.val_accuracy])
