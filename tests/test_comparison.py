"""Comparisons: names from differing settings, links, shared settings, the ranking."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from regviz import specs
from regviz.figures.comparisons import curves, empty, histograms, short
from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.frames import Frame
from regviz.results import comparison
from regviz.results.comparison import Comparison, Scores, mean_and_error, names_of
from regviz.specs import Experiment, SpecError
from regviz.training.run import train

SMALL = Experiment.from_dict(
    {
        "data": {"n_samples": 80},
        "model": {"hidden": [8]},
        "training": {"epochs": 6, "lr": 0.02},
    }
)


def vary(**fields: Any) -> Experiment:
    e = SMALL
    for name, value in fields.items():
        e = e.replace(name.replace("__", "."), value)
    return e


DROPOUT = vary(regularization__dropout=0.5)
L2 = vary(regularization__l2=0.01)
STOPS = vary(regularization__early_stopping={"patience": 1}, training__lr=0.1)
TRIO = Comparison.of((SMALL, DROPOUT, STOPS), seeds=3)


@pytest.fixture(scope="module")
def frame() -> Frame:
    return list(train(TRIO.lanes))[-1]


# --- names ------------------------------------------------------------------------------------


def test_names_say_what_differs_and_nothing_else() -> None:
    both = vary(regularization__l2=0.01, model__norm="batch")
    assert names_of([SMALL, DROPOUT, both]) == [
        "no regularization",
        "dropout 0.5",
        "L2 0.01 + norm",
    ]
    layer = vary(model__norm="layer")
    assert names_of([layer, both]) == ["layer norm", "L2 0.01 + batch norm"]
    # what all have is not said, and who lacks the rest has not nothing
    shared = [L2, L2.replace("regularization.dropout", [0.25])]
    assert names_of(shared) == ["no dropout", "dropout 0.25"]
    rates = [vary(training__lr=r) for r in (0.001, 0.1)]
    assert names_of(rates) == ["lr 0.001", "lr 0.1"]
    decay = vary(regularization__weight_decay=1e-4, training__optimizer="adamw")
    assert names_of([SMALL, L2, decay]) == [
        "no regularization",
        "L2 0.01",
        "weight decay 1e-4 + AdamW",
    ]
    far = names_of([SMALL, BASES["order"]])  # in nearly everything: not all of it is said
    assert far[0].startswith("moons + mlp + ")
    assert far[0].endswith(" + …")
    assert names_of([SMALL]) == ["no regularization"]
    assert names_of([DROPOUT]) == ["dropout 0.5"]
    assert names_of(comparison.START.experiments)[:3] == [
        "no regularization",
        "dropout 0.5",
        "L2 0.01",
    ]


NAMED = {
    "model.kind": ("digits", "cnn"),
    "model.embedding": ("order", 8),
    "model.heads": ("transformer", 4),
    "regularization.recurrent_dropout": ("order", 0.2),
    "regularization.attention_dropout": ("transformer", 0.2),
    "regularization.residual_dropout": ("transformer", 0.2),
    "regularization.dropout_kind": ("drops", "alpha"),
    "model.norm_position": ("norm", "after"),
    "training.momentum": ("sgd", 0.9),
    "data.kind": ("moons", "circles"),
    "model.activation": ("moons", "tanh"),
    "training.optimizer": ("moons", "sgd"),
    "model.norm": ("moons", "batch"),
    "model.hidden": ("moons", [4, 4]),
    "training.batch_size": ("moons", None),
    "regularization.early_stopping.restore_best_weights": ("stops", False),
}
BASES = {
    "moons": SMALL,
    "drops": DROPOUT,
    "norm": vary(model__norm="batch"),
    "sgd": vary(training__optimizer="sgd"),
    "stops": STOPS,
    "digits": Experiment.from_dict({"data": {"kind": "digits", "noise": 0.1}}),
    "order": Experiment.from_dict(
        {"data": {"kind": "order"}, "model": {"kind": "lstm", "hidden": [8]}}
    ),
    "transformer": Experiment.from_dict(
        {"data": {"kind": "order"}, "model": {"kind": "transformer", "hidden": [8]}}
    ),
}


def another(path: str) -> tuple[Experiment, Experiment]:
    """Return two experiments that differ in one field."""
    base, value = NAMED.get(path, ("moons", None))
    if path.startswith("regularization.augmentation."):
        base = "digits"
    e = BASES[base]
    if path in NAMED:
        return e, e.replace(path, value)
    for value in (0.25, 3, 7, 90):
        try:
            if (found := e.replace(path, value)) != e:
                return e, found
        except SpecError:
            continue
    raise AssertionError(path)


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in specs.field_names()
        if p not in ("regularization.early_stopping", "regularization.augmentation")
    ],
)
def test_no_field_can_differ_without_being_named(path: str) -> None:
    a, b = names_of(another(path))
    assert a != b


def test_equal_ones_are_numbered_and_given_names_stay() -> None:
    twice = TRIO.duplicate(1)
    assert twice.names[1:3] == ("dropout 0.5", "dropout 0.5 (2)")
    mine = twice.rename(2, "  mine   own ")
    assert mine.names[2] == "mine own"
    assert mine.rename(2, "").names == twice.names
    for bad in ("<b>x</b>", "a" * 41, "a\u202eb"):
        with pytest.raises(SpecError, match=r"^name: got"):
            TRIO.rename(0, bad)


# --- changes ----------------------------------------------------------------------------------


def test_a_comparison_is_changed_in_copies() -> None:
    assert TRIO.move(0, 2).experiments == (DROPOUT, STOPS, SMALL)
    assert TRIO.remove(1).experiments == (SMALL, STOPS)
    assert TRIO.add(L2).experiments == (SMALL, DROPOUT, STOPS, L2)
    with pytest.raises(SpecError, match=r"already has this configuration, as “dropout 0\.5”"):
        TRIO.add(DROPOUT)
    full = comparison.START
    with pytest.raises(SpecError, match="already has 6 configurations"):
        full.add(SMALL)
    with pytest.raises(SpecError, match="got 0 configurations"):
        Comparison.of([SMALL]).remove(0)
    with pytest.raises(SpecError, match="got 11; give 1 to 10"):
        Comparison.of([SMALL], seeds=11)


def test_lanes_have_the_seeds_fastest_and_share_them() -> None:
    assert TRIO.lanes[:3] == tuple(SMALL.replace("training.seed", s) for s in range(3))
    assert [e.training.seed for e in TRIO.lanes] == [0, 1, 2] * 3
    last = Comparison.of([SMALL.replace("training.seed", 2**31 - 1)], seeds=2)
    assert [e.training.seed for e in last.lanes] == [2**31 - 1, 0]


def test_other_data_and_other_seeds_are_told_and_brought_together() -> None:
    mixed = Comparison.of((SMALL, vary(data__noise=0.1, regularization__l2=0.1), DROPOUT))
    mixed = mixed.change(2, DROPOUT.replace("training.seed", 4))
    assert mixed.apart == (1, 2)
    assert mixed.conditions.startswith("Not a fair comparison")
    together = mixed.alike()
    assert together.apart == ()
    assert together.experiments == (SMALL, vary(regularization__l2=0.1), DROPOUT)
    assert "split, initial weights and batches; seed 0." in together.conditions
    with pytest.raises(SpecError, match=r"cannot be trained on these data: model\.kind"):
        Comparison.of((SMALL, BASES["order"])).alike()
    other = together.change(1, vary(model__hidden=[4], training__batch_size=8))
    assert "initial weights from the same seed" in other.conditions
    assert "batches of different size" in other.conditions


# --- links and files --------------------------------------------------------------------------


@given(
    some.lists(some.sampled_from([*BASES.values(), DROPOUT, L2]), min_size=1, max_size=6),
    some.integers(1, 10),
    some.text("abcλ +0.5()", max_size=12),
)
def test_a_link_brings_the_comparison_back(e: list[Experiment], seeds: int, name: str) -> None:
    there = Comparison.of(e, seeds).rename(0, name)
    assert comparison.from_link(comparison.to_link(there)) == there


@pytest.mark.parametrize(
    "value",
    [
        {"experiments": [], "names": [], "seeds": 1},
        {"experiments": [{}] * 7, "names": [""] * 7, "seeds": 1},
        {"experiments": [{}], "names": [], "seeds": 1},
        {"experiments": [{}], "names": ["<a>"], "seeds": 1},
        {"experiments": [{}], "names": [1], "seeds": 1},
        {"experiments": [{}], "names": [""], "seeds": "3"},
        {"experiments": [{}], "names": [""], "seeds": 99},
        {"experiments": [{"data": {"noise": -1}}], "names": [""], "seeds": 1},
        {"experiments": [{}], "seeds": 1},
        [1],
    ],
)
def test_a_link_that_holds_something_else_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(SpecError) as error:
        comparison.from_link(specs.pack_link(value))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_a_cut_or_endless_link_is_refused() -> None:
    link = comparison.to_link(TRIO)
    bomb = specs.pack_link({"experiments": [{}], "names": ["a" * 10**6], "seeds": 1})
    for bad in (link[:-4], link[4:], "x" * 20_001, "ä", "", bomb):
        with pytest.raises(SpecError, match="does not hold a whole comparison"):
            comparison.from_link(bad)


def test_the_file_is_one_of_experiments_and_names_its_excess() -> None:
    text = comparison.to_json(TRIO)
    assert list(json.loads(text)) == ["experiments"]
    assert specs.experiments_from_json(text) == TRIO.experiments
    assert comparison.from_json(text, 3) == TRIO
    seven = json.dumps({"experiments": [{}] * 7})
    with pytest.raises(SpecError, match="got 7; a comparison takes at most 6"):
        comparison.from_json(seven, 1)


# --- the ranking ------------------------------------------------------------------------------


def test_mean_and_standard_error_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 5, 10):
        values = rng.normal(size=n)
        mean, error = mean_and_error(values)
        assert mean == pytest.approx(np.mean(values))
        assert error == pytest.approx(np.sqrt(np.var(values, ddof=1) / n))
    assert math.isnan(mean_and_error(np.ones(1))[1])
    assert comparison.written(np.array([0.2, 0.4])) == "0.300 ± 0.100"


def test_scores_are_those_of_the_weights_shown(frame: Frame) -> None:
    seen = comparison.scores(TRIO, frame)
    assert seen.val_loss.shape == (3, 3)
    for i in range(3):
        for k in range(3):
            lane = frame.lanes[3 * i + k]
            at = lane.best_epoch if lane.restored else lane.epoch
            assert seen.val_loss[i, k] == pytest.approx(lane.curve("val_loss")[at - 1])
            assert lane.test is not None
            assert seen.test_loss[i, k] == pytest.approx(lane.test[0])
    assert seen.order() == sorted(range(3), key=lambda i: seen.val_loss[i].mean())
    assert (seen.zeros == 0).all()


def made_up(val: list[list[float]], test: list[list[float]]) -> Scores:
    a = np.array(val)
    values = dict.fromkeys(comparison.MEASURES, a)
    return Scores(**{**values, "test_loss": np.array(test)}, diverged=np.isnan(a))


def test_the_sentences_follow_the_numbers() -> None:
    val = [[0.5, 0.6], [0.2, 0.3], [0.21, 0.29]]
    seen = made_up(val, [[0.9, 0.9], [0.3, 0.3], [0.4, 0.4]])
    assert seen.order() == [1, 2, 0]
    two = Comparison.of((SMALL, DROPOUT, L2), seeds=2)
    said = comparison.said(two, seen)
    assert "“dropout 0.5”, 0.250 ± 0.050; next: “L2 0.01”, 0.250 ± 0.040" in said
    assert "cannot separate them" in said
    assert comparison.holds(two, seen).startswith("The ranking holds: the order of all 3")
    turned = made_up(val, [[0.9, 0.9], [0.4, 0.4], [0.3, 0.3]])
    text = comparison.holds(two, turned)
    assert "1 of 3 pairs are in the opposite order on the test set, 1 of them within two" in text
    assert "“dropout 0.5” is number 2 there, “L2 0.01” is first" in text
    assert "validation loss 0.250 ± 0.050 and test loss 0.400 ± 0.000" in text
    one = made_up([[0.5], [0.2], [0.3]], [[0.5], [0.2], [0.3]])
    assert "may be luck" in comparison.said(dataclasses.replace(two, seeds=1), one)
    stops = Comparison.of((DROPOUT, STOPS, L2), seeds=2)
    assert "its best epoch was chosen by this loss" in comparison.said(stops, seen)


def test_the_diverged_come_last_and_are_not_averaged_away() -> None:
    nan = math.nan
    seen = made_up([[nan, 0.1], [0.5, 0.5], [0.4, 0.4]], [[nan, 0.1], [0.5, 0.5], [0.4, 0.4]])
    two = Comparison.of((SMALL, DROPOUT, L2), seeds=2)
    assert seen.order() == [2, 1, 0]
    assert comparison.written(seen.val_loss[0]) == "–"
    assert comparison.said(two, seen).startswith("Lowest validation loss: “L2 0.01”")
    assert "the order of all 2 is the same" in comparison.holds(two, seen)
    none = made_up([[nan, nan]] * 3, [[nan, nan]] * 3)
    assert "all of them diverged" in comparison.said(two, none)
    assert "no ranking" in comparison.holds(two, none)


# --- figures ----------------------------------------------------------------------------------


def test_names_are_cut_between_their_parts() -> None:
    assert short("dropout 0.3 + L2 0.003 + norm", 20) == "dropout 0.3 + …"
    assert short("dropout 0.3", 20) == "dropout 0.3"
    assert len(short("x" * 60, 20)) == 20


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("band", ["range", "error"])
def test_curves_are_means_with_the_band_that_the_title_says(
    frame: Frame, palette: Palette, band: str
) -> None:
    figure = curves(frame.lanes, TRIO.names, palette, band=band, epochs=6)
    words = "lowest to highest" if band == "range" else "± 1 standard error"
    assert f"mean of 3 seeds, band: {words}" in figure.layout.title.text
    for i in range(3):
        group = frame.lanes[3 * i : 3 * i + 3]
        length = min(lane.epoch for lane in group)  # until the first stopped
        losses = np.array([lane.curve("val_loss")[:length] for lane in group])
        bands, line, stars = figure.data[5 * i + 1], figure.data[5 * i + 3], figure.data[5 * i + 4]
        np.testing.assert_allclose(line.y, losses.mean(axis=0), rtol=1e-6)
        assert line.line.color == palette.lane(i)
        error = losses.std(axis=0, ddof=1) / np.sqrt(3)
        high = losses.max(axis=0) if band == "range" else losses.mean(axis=0) + error
        np.testing.assert_allclose(bands.y[:length], high, rtol=1e-5)
        assert list(stars.x) == [lane.best_epoch for lane in group]
    log = curves(frame.lanes, TRIO.names, palette, band=band, epochs=6, log_scale=True)
    low, high = 10 ** np.array(log.layout.yaxis.range)
    ends = [v for k in range(15) for v in log.data[k].y if k % 5 in (2, 3)]
    assert low < min(ends)
    assert max(ends) < high < 2 * max(max(t.y) for t in log.data[:15])
    one = curves(frame.lanes[::3], TRIO.names, palette, band=band, epochs=6)
    assert "one seed" in one.layout.title.text
    assert not one.data[1].visible


def test_histograms_hold_every_weight_once(frame: Frame) -> None:
    lanes = frame.lanes[::3]
    figure = histograms(lanes, TRIO.names)
    for i, lane in enumerate(lanes):
        total = sum(a * b for a, b in lane.shapes)
        assert sum(figure.data[2 * i].y) + figure.data[2 * i + 1].y[0] == total
    assert len(empty(TRIO.names, height=200).layout.annotations) == 3
