"""Sweeps: values, cells, outcomes, the one-standard-error choice, figures."""

from __future__ import annotations

import csv
import io
import itertools
import math
import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regviz import cli
from regviz.figures import sweeps as sweep_figures
from regviz.results import sweeps
from regviz.results.sweeps import FIELDS, MEASURES, Axis, Outcome, Sweep, spread
from regviz.specs import Experiment, SpecError
from regviz.training.run import Run

SMALL = Experiment.from_dict(
    {
        "data": {"n_samples": 60},
        "model": {"hidden": [4]},
        "training": {"epochs": 4, "batch_size": None},
    }
)
L2, P = "regularization.l2", "regularization.dropout"


def trained(sweep: Sweep) -> Outcome:
    run = Run(sweep.experiments)
    for _ in run.steps():
        pass
    return sweeps.outcome(sweep, run.frame())


def made(mean: list[float], error: float) -> Outcome:
    """Return an outcome of two seeds with these means and standard errors of validation loss."""
    values = np.array([[m - error, m + error] for m in mean])  # s/√2 of m ± e is e
    nothing = np.zeros_like(values)
    return Outcome(values, nothing, nothing, nothing, nothing, nothing, values > np.inf)


# --- values -----------------------------------------------------------------------------------


@given(st.sampled_from(sorted(FIELDS)), st.integers(2, sweeps.MAX_VALUES))
def test_a_field_s_usual_range_gives_values_that_read_back(path: str, count: int) -> None:
    field = FIELDS[path]
    axis = spread(path, field.low, field.high, count)
    assert list(axis.values) == sorted(set(axis.values))
    assert len(axis.values) <= count
    assert [float(text) for text in axis.texts] == list(axis.values)
    assert (axis.values[0] == 0) == (field.zero or field.low == 0)
    for value in axis.values:
        SMALL.replace(path, value)  # every one is a valid experiment
    stops = field.stops
    assert {field.low, field.high} <= set(stops)
    spread(path, stops[0], stops[-1], count)


def test_the_course_s_grid_of_weight_decay() -> None:
    axis = spread("regularization.weight_decay", 1e-6, 1e-2, 6)
    assert axis.values == (0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    assert axis.texts == ("0", "1e-6", "1e-5", "1e-4", "0.001", "0.01")


@pytest.mark.parametrize(
    ("path", "low", "high", "count", "words"),
    [
        ("training.epochs", 1, 2, 3, "cannot be swept"),
        (L2, 1e-5, 1.0, 1, "got 1 values"),
        (L2, 1.0, 1e-5, 5, "the smaller one first"),
        (L2, 0.0, 1.0, 5, "must lie above"),
        (P, 0.0, 2.0, 5, "between 0 and 0.95"),
        (P, math.nan, 0.5, 5, "two numbers"),
    ],
)
def test_a_range_that_does_not_exist_is_one_sentence(
    path: str, low: float, high: float, count: int, words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        spread(path, low, high, count)


# --- cells --------------------------------------------------------------------------------------


def test_lanes_are_the_command_line_s() -> None:
    sweep = Sweep(SMALL, (spread(L2, 1e-3, 1.0, 3), spread(P, 0.0, 0.5, 2)), seeds=2)
    arguments = shlex.split(sweep.command)[2:]  # after python -m
    options = dict(zip(arguments[3::2], arguments[4::2], strict=False))
    assert arguments[:3] == ["regviz", "sweep", "experiment.json"]
    assert options["--seeds"] == "2"
    over = [cli._axis(text) for flag, text in itertools.pairwise(arguments) if flag == "--over"]
    assert tuple(cli.sweep_experiments([SMALL], over, seeds=2)) == sweep.experiments
    for cell in np.ndindex(sweep.shape[:-1]):
        for seed in range(2):
            assert sweep.experiments[sweep.lane(cell, seed)] == sweep.at(cell, seed)


def test_too_much_or_twice_is_one_sentence() -> None:
    one = spread(L2, 1e-3, 1.0, 3)
    with pytest.raises(SpecError, match="swept twice"):
        Sweep(SMALL, (one, one))
    with pytest.raises(SpecError, match="got a plane of 64 × 3"):
        Sweep(SMALL, (spread(P, 0, 0.9, 64), one))
    with pytest.raises(SpecError, match="seeds: got 11"):
        Sweep(SMALL, (one,), seeds=11)
    with pytest.raises(SpecError, match="2,560 models"):
        Sweep(SMALL, (spread(P, 0, 0.9, 16), spread("data.noise", 0, 0.6, 16)), seeds=10)


# --- outcomes -----------------------------------------------------------------------------------


def test_an_outcome_is_each_lane_s_own() -> None:
    sweep = Sweep(SMALL, (spread(L2, 1e-3, 1.0, 3),), seeds=2)
    seen = trained(sweep)
    run = Run([sweep.at((2,), 1)])
    for _ in run.steps():
        pass
    alone = run.frame().lanes[0]
    assert seen.val_loss[2, 1] == pytest.approx(alone.curve("val_loss")[-1], abs=1e-5)
    assert seen.val_loss.shape == (3, 2)
    assert np.isfinite(seen.val_loss).all()
    np.testing.assert_allclose(seen.mean("val_loss"), seen.val_loss.mean(axis=1))
    expected = np.abs(seen.val_loss[:, 0] - seen.val_loss[:, 1]) / 2  # |a-b|/√2 over √2
    np.testing.assert_allclose(seen.standard_error("val_loss"), expected)


def test_a_diverged_lane_has_no_numbers_and_is_never_the_best() -> None:
    sweep = Sweep(SMALL.replace("training.optimizer", "sgd"), (Axis("training.lr", (0.1, 1e6)),))
    seen = trained(sweep)
    assert seen.diverged.tolist() == [[False], [True]]
    assert np.isnan(seen.val_loss[1, 0])
    assert seen.best() == (0,)


def test_one_standard_error_takes_the_most_regularized_within_it() -> None:
    axis = Axis(L2, (0.0, 0.1, 0.2, 0.3))
    mean = [0.5, 0.3, 0.35, 0.6]
    assert sweeps.one_standard_error(axis, made(mean, 0.06)) == 2
    assert sweeps.one_standard_error(axis, made(mean, 0.04)) == 1
    assert sweeps.one_standard_error(axis, made(mean, 1.0)) == 3
    # more of a learning rate does not regularize more, and one seed has no standard error
    assert sweeps.one_standard_error(Axis("training.lr", axis.values), made(mean, 0.06)) is None
    one = trained(Sweep(SMALL, (spread(L2, 1e-3, 1.0, 3),)))
    assert sweeps.one_standard_error(axis, one) is None


def test_the_table_holds_every_model() -> None:
    sweep = Sweep(SMALL, (spread(P, 0, 0.5, 2),), seeds=2)
    seen = trained(sweep)
    rows = list(csv.DictReader(io.StringIO(sweeps.to_csv(sweep, seen))))
    assert [(r[P], r["training.seed"]) for r in rows] == [
        ("0", "0"), ("0", "1"), ("0.5", "0"), ("0.5", "1")
    ]  # fmt: skip
    assert float(rows[3]["val_loss"]) == pytest.approx(seen.val_loss[1, 1], rel=1e-5)


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", list(MEASURES))
def test_the_curve_shows_means_band_and_choices(measure: str) -> None:
    axis = Axis(L2, (0.0, 0.1, 0.2, 0.3))
    sweep = Sweep(SMALL, (axis,), seeds=2)
    seen = made([0.5, 0.3, 0.35, 0.6], 0.06)
    figure = sweep_figures.validation_curve(sweep, seen, measure)
    named = {trace.name: trace for trace in figure.data}
    assert figure.layout.xaxis.title.text == "L2 λ"
    assert list(figure.layout.xaxis.ticktext) == ["0", "0.1", "0.2", "0.3"]
    assert list(named["lowest validation loss"].x) == [1]
    assert list(named["one-standard-error choice"].x) == [2]
    factor = 100 if measure in sweep_figures.PARTS else 1
    np.testing.assert_allclose(named[MEASURES[measure]].y, factor * seen.mean(measure))
    empty = sweep_figures.validation_curve(sweep, None, measure)
    assert len(empty.data) == len(figure.data)  # the same traces: it fills without a jump


def test_the_plane_has_the_first_field_upwards_and_a_star_on_the_best() -> None:
    sweep = Sweep(SMALL, (spread(L2, 1e-3, 1.0, 3), spread(P, 0.0, 0.5, 2)))
    seen = trained(sweep)
    figure = sweep_figures.plane(sweep, seen)
    np.testing.assert_allclose(figure.data[0].z, seen.mean("val_loss"))
    best = seen.best()
    assert best is not None
    assert (round(figure.data[1].y[0]), round(figure.data[1].x[0])) == best
    assert (figure.layout.yaxis.title.text, figure.layout.xaxis.title.text) == ("L2 λ", "Dropout p")
    assert len(sweep_figures.plane(sweep, None).data) == len(figure.data)
