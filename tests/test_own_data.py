"""Own data: from a table to an experiment, refusals, and where own data must not appear."""

from __future__ import annotations

import gc
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regviz import fit, specs, train
from regviz.data import datasets as data
from regviz.data import own as own_data
from regviz.data.datasets import make_dataset, make_view, standardize
from regviz.data.own import EXAMPLE, arranged, turns
from regviz.engine.engine import Engine
from regviz.engine.limits import Limits
from regviz.results import verdict
from regviz.specs import MAX_POINTS, DataSpec, Experiment, OwnDataGone, SpecError
from regviz.tables.choice import choose
from regviz.tables.reading import read
from regviz.training.run import Run


def points(n: int = 40, seed: int = 0, scale: float = 1.0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) * scale
    return [[float(a), float(b), i % 2] for i, (a, b) in enumerate(x)]


def own(n: int = 40, seed: int = 0, scale: float = 1.0, **more: object) -> Experiment:
    """Return an experiment on own data that trains quickly."""
    return Experiment.from_dict(
        {
            "data": {"kind": "csv", "points": points(n, seed, scale), **more},
            "model": {"hidden": [8]},
            "training": {"epochs": 5, "lr": 0.01},
        }
    )


def several(kinds: int, n: int = 60, seed: int = 0, **more: object) -> Experiment:
    """Return an experiment on own data of several classes in a circle that trains quickly."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(n) / kinds
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(scale=0.2, size=(n, 2))
    table = [[float(a), float(b), i % kinds] for i, (a, b) in enumerate(x)]
    return Experiment.from_dict(
        {
            "data": {"kind": "csv", "points": table, **more},
            "model": {"hidden": [8]},
            "training": {"epochs": 5, "lr": 0.01},
        }
    )


def one_sentence(text: str) -> str:
    assert text.isprintable()
    assert text.endswith(".")
    assert len(text) < 400
    return text


# --- the experiment that holds it ---------------------------------------------------------------

coordinates = st.floats(-1e12, 1e12)
own_points = st.lists(st.tuples(coordinates, coordinates), min_size=10, max_size=60)
names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="<>&"), min_size=1)
pairs = st.none() | st.tuples(names.map(lambda t: t[:30]), names.map(lambda t: t[:30]))


@given(own_points, pairs, pairs)
@settings(max_examples=60)
def test_it_round_trips_through_files_and_has_one_text(
    xs: list[tuple[float, float]],
    columns: tuple[str, str] | None,
    classes: tuple[str, str] | None,
) -> None:
    e = Experiment(
        DataSpec(
            kind="csv",
            points=tuple((*x, i % 2) for i, x in enumerate(xs)),
            columns=columns,
            classes=classes,
        )
    )
    assert e.data.n_samples == len(xs)
    assert e.data.noise == 0
    for text in (
        e.canonical_json(),
        specs.experiments_to_json([e]),
        specs.experiments_to_json([e], indent=None),
        json.dumps(e.to_dict()),
    ):
        (back,) = specs.experiments_from_json(text)
        assert back == e
        assert hash(back) == hash(e)
        assert back.canonical_json() == e.canonical_json()
    both = [e, Experiment(), e.replace("data.seed", 1)]
    assert specs.experiments_from_json(specs.experiments_to_json(both)) == tuple(both)
    assert e.without_regularization().data == e.data


@pytest.mark.parametrize("scale", [1.0, 1234.56789, 1e-9, 1e11])
def test_coordinates_keep_all_their_digits_and_their_units(scale: float) -> None:
    e = own(scale=scale)
    (back,) = specs.experiments_from_json(specs.experiments_to_json([e]))
    for made in (e.data, back.data):
        assert [list(p) for p in made.points or ()] == points(scale=scale)
    largest = specs.experiments_to_json([own(MAX_POINTS, scale=1e5)])
    assert len(largest) < 40_000


@pytest.mark.parametrize(
    ("offset", "spread"), [(101_325, 0.05), (1e6, 1e-3), (-273.15, 1e-6), (9e11, 50)]
)
def test_small_differences_of_large_numbers_reach_the_training_points(
    offset: float, spread: float
) -> None:
    """They are standardized before anything is rounded."""
    table = points(60, seed=3)
    far = [[offset + spread * a, b, k] for a, b, k in table]
    near, moved = (
        make_dataset(DataSpec(kind="csv", points=tuple((x0, x1, int(k)) for x0, x1, k in made)))
        for made in (table, far)
    )
    assert moved.x_train == pytest.approx(near.x_train, abs=2e-3)
    assert moved.x_val == pytest.approx(near.x_val, abs=2e-3)
    assert len(np.unique(moved.x_train[:, 0])) == len(np.unique(near.x_train[:, 0]))


def test_points_that_were_drawn_keep_six_digits() -> None:
    drawn = own_data.drawn(points(scale=1.23456789), (-9, 9, -9, 9), DataSpec())
    for kept, given_ in zip(drawn.points or (), points(scale=1.23456789), strict=True):
        assert list(kept[:2]) == [specs.rounded(v) for v in given_[:2]]


def test_older_texts_are_as_they_were() -> None:
    assert "points" not in Experiment().canonical_json()
    assert not [name for name in specs.field_names() if name.endswith("points")]


def wrong(**more: object) -> dict[str, object]:
    return {"data": {"kind": "csv", "points": points(), **more}}


@pytest.mark.parametrize(
    ("mapping", "names_it"),
    [
        ({"data": {"kind": "csv"}}, "data.points: got none"),
        ({"data": {"points": points()}}, "data.points: only data.kind csv"),
        ({"data": {"columns": ["a", "b"]}}, "data.columns: only data.kind csv"),
        (wrong(points=points(9)), "data.points: got 9 points"),
        (wrong(points=points(601)), "data.points: got 601 points"),
        (wrong(points="a3f0"), "data.points: own data does not travel in a link"),
        (wrong(points=7), "data.points: got 7"),
        (wrong(points={"a": 1}), "data.points: got"),
        (wrong(points=[*points(), [1, 2]]), "data.points[40]: got [1, 2]"),
        (wrong(points=[*points(), [1, "2", 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, True, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 2, 2]]), "got 1 of class 2; give at least 2"),
        (wrong(points=[*points(), [1, 2, 3], [2, 2, 3]]), "got 0 of class 2; give at least 2"),
        (wrong(points=[*points(), [1, 2, 10]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 2, 0.5]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 2, -1]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 2, True]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 1e15, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 1e6, 0]], plane=[0, 1, 0, 1]), "data.points[40]"),
        (wrong(points=[*points(), [10**400, 1, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [math.nan, 1, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, math.inf, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 1, math.nan]]), "data.points[40]"),
        (wrong(points=[*points(), "abc"]), "data.points[40]"),
        (wrong(points=[[1, 2, 0]] * 20), "got 0 of class 1"),
        (wrong(points=[[1, 2, 0]] * 20 + [[1, 2, 1]]), "got 1 of class 1"),
        (wrong(columns=["a"]), "data.columns: got"),
        (wrong(columns="ab"), "data.columns: got"),
        (wrong(columns=["a", "<b>"]), "data.columns: got"),
        (wrong(classes=["a", "b" * 31]), "data.classes: got"),
        (wrong(classes=["a", "b", "c"]), "data.classes: got 3 names for 2 classes"),
        (wrong(classes=["a"] * 11), "data.classes: got"),
        (wrong(points=[*points(), [1, 2, 2], [2, 2, 2]], plane=[0, 1, 0, 1]), "data.plane: got"),
        (wrong(classes=["a", "b\n"]), "data.classes: got"),
        (wrong(plane=[0, 1, 2]), "data.plane: got [0, 1, 2]"),
        (wrong(plane=[0, 1, 2, 2]), "data.plane: got"),
        (wrong(plane=[0, 1, math.nan, 2]), "data.plane: got"),
        (wrong(plane=[0, 10**400, 0, 2]), "data.plane: got"),
        (wrong(plane="0123"), "data.plane: got"),
        ({"data": {"plane": [0, 1, 0, 1]}}, "data.plane: only data.kind csv"),
        (wrong(n_samples=39), "data.n_samples: got 39"),
        (wrong(noise=0.1), "data.noise: got 0.1"),
    ],
)
def test_what_is_no_own_data_is_named(mapping: dict[str, object], names_it: str) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_dict(mapping)
    assert names_it in one_sentence(str(caught.value))


def test_two_classes_have_the_link_and_the_mark_that_they_had() -> None:
    data = choose(read(EXAMPLE)).data(DataSpec())
    link = specs.to_link(Experiment(data))
    assert link == ("eNqrVkpJLElUsqpWys7MS1GyUkouLlPSUSrIz8wrKQZyDUyTjS1Tk1LNLAwNjQwtU5RqawGfsw94")
    assert data.fingerprint == "05c39ebe6811219d"
    assert Experiment.from_dict(json.loads(Experiment(data).canonical_json())).data == data


@given(st.integers(3, 10), st.integers(0, 2**31 - 1), st.booleans())
@settings(max_examples=25)
def test_several_classes_round_trip(kinds: int, seed: int, named: bool) -> None:
    names = [f"kind {k}" for k in range(kinds)] if named else None
    e = several(kinds, seed=seed, classes=names)
    assert e.data.n_classes == kinds
    assert Experiment.from_dict(json.loads(e.canonical_json())) == e
    assert specs.experiments_from_json(specs.experiments_to_json([e])) == (e,)
    kept = {e.data.fingerprint: e.data}
    assert specs.from_link(specs.to_link(e), kept) == e
    two = replace(e.data, points=tuple((a, b, min(k, 1)) for a, b, k in e.data.points or ()),
                  classes=None)  # fmt: skip
    assert two.fingerprint != e.data.fingerprint


def test_a_link_holds_all_but_the_data() -> None:
    e = own(classes=["cat", "dog"], label_noise=0.1).replace("regularization.l2", 0.02)
    link = specs.to_link(e)
    assert "cat" not in json.dumps(specs.unpack_link(link))
    assert len(link) < 400
    assert specs.from_link(link, {e.data.fingerprint: e.data}) == e
    for at_hand in (None, {}, {"other": e.data}):
        with pytest.raises(OwnDataGone) as caught:
            specs.from_link(link, at_hand)
        assert "own data does not travel in a link" in one_sentence(str(caught.value))
        rest = caught.value.rest
        assert rest.data == DataSpec(label_noise=0.1)
        assert (rest.model, rest.training) == (e.model, e.training)
        assert rest.regularization == e.regularization


def test_a_fingerprint_tells_data_apart_by_all_that_they_are() -> None:
    marks = {
        own().data.fingerprint,
        own(seed=1).data.fingerprint,
        own(columns=["a", "b"]).data.fingerprint,
        own(classes=["a", "b"]).data.fingerprint,
    }
    assert len(marks) == 4
    assert own().data.fingerprint == own(label_noise=0.2).data.fingerprint
    assert DataSpec().fingerprint == ""


# --- points that are drawn ----------------------------------------------------------------------


@given(st.integers(0, 600), st.floats(0.05, 0.9))
def test_turns_never_change_and_are_as_many_as_of_other_data(n: int, fraction: float) -> None:
    assert turns(n, fraction) == turns(601, fraction)[:n]
    assert sum(turns(n, fraction)) == round(n * fraction)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.05, 0.9))
def test_arranged_points_are_all_there_and_stay_on_their_side(
    train: int, validation: int, fraction: float
) -> None:
    made = arranged(
        [(float(i), 0.0, 0) for i in range(train)],
        [(float(i), 1.0, 0) for i in range(validation)],
        fraction,
    )
    assert len(set(made)) == len(made) == train + validation
    moved = abs(round((train + validation) * fraction) - validation)
    sides = zip(made, turns(len(made), fraction), strict=True)
    assert sum(bool(point[1]) != turn for point, turn in sides) == moved


def test_what_was_drawn_stays_where_it_was_drawn() -> None:
    plane = (-2.0, 3.0, -1.5, 2.0)
    all_ = [(round(0.1 * i - 1, 3), round(1.2 - 0.07 * i, 3), i % 3 % 2) for i in range(30)]
    seen = []
    for n in (20, 30):
        spec = own_data.drawn(all_[:n], plane, DataSpec(label_noise=0.2, val_fraction=0.4))
        assert spec.label_noise == 0  # those points had their labels flipped when they were shown
        made = make_dataset(spec)
        assert made.extent == plane
        both = np.concatenate([made.x_train, made.x_val])
        assert {tuple(p) for p in np.array(all_[:n], np.float32)[:, :2]} == {tuple(p) for p in both}
        seen.append({tuple(p) for p in made.x_val})
    assert seen[0] < seen[1]  # who was for validation still is
    far = own_data.drawn([*all_, (2.0, 9.0, 1)], plane, DataSpec())
    assert make_dataset(far).extent == (-2.0, 3.0, -1.5, 9.5)
    noisy = own_data.drawn(all_, plane, replace(far, label_noise=0.5))
    assert noisy.label_noise == 0.5
    (back,) = specs.experiments_from_json(specs.experiments_to_json([Experiment(noisy)]))
    assert back.data == noisy
    assert own_data.without(noisy) == DataSpec(label_noise=0.5)


# --- what the trainer makes of it ---------------------------------------------------------------


@given(st.integers(2, 30), st.integers(8, 60), st.floats(0.1, 0.9), st.integers(0, 2**31 - 1))
@settings(max_examples=40)
def test_all_points_are_used_once_and_both_sides_have_the_same_shares(
    ones: int, zeros: int, fraction: float, seed: int
) -> None:
    xs = [[float(i), float(-i), int(i < ones)] for i in range(ones + zeros)]
    try:
        e = Experiment.from_dict(
            {"data": {"kind": "csv", "points": xs, "val_fraction": fraction, "seed": seed}}
        )
    except SpecError:
        assert round((ones + zeros) * fraction) in (0, ones + zeros - 1)
        return
    made = make_dataset(e.data)
    assert (len(made.x_train), len(made.x_val), len(made.x_test)) == (e.n_train, e.n_val, 0)
    both = np.concatenate([made.x_train, made.x_val])[:, 0]
    assert len(np.unique(both)) == ones + zeros
    if min(e.n_train, e.n_val) >= 2:
        share = ones / (ones + zeros)
        assert abs(made.y_val.sum() - share * e.n_val) <= 1
        assert abs(made.y_train.sum() - share * e.n_train) <= 1


@pytest.mark.parametrize("kinds", [3, 10])
@pytest.mark.parametrize("irrelevant", [0, 3])
def test_the_picture_is_what_the_network_itself_finds_most_probable(
    kinds: int, irrelevant: int
) -> None:
    e = several(kinds, irrelevant_features=irrelevant)
    e = e.replace("training.epochs", 60).replace("training.lr", 0.05)
    run = Run([e.without_regularization(), e.replace("regularization.l2", 0.01)])
    for _ in run.steps():
        pass
    frame = run.frame()
    assert frame.data is not None
    a, b, c, d = frame.data[0].extent
    stack = run._parts[0].stack
    for lane in range(2):
        frame_of = frame.lanes[lane]
        assert frame_of.boundary is None
        assert frame_of.class_map is not None
        best, level = frame_of.class_map[0] & 15, frame_of.class_map[0] >> 4
        sure = frame_of.class_map[1]
        n = len(best)
        xx0, xx1 = np.meshgrid(np.linspace(a, b, n), np.linspace(c, d, n))
        x = np.zeros((2, n * n, 2 + irrelevant), np.float32)
        x[:, :, 0], x[:, :, 1] = xx0.ravel(), xx1.ravel()
        network, place = stack.network_of(lane)
        logits = network.evaluate(torch.from_numpy(x)[: network.parameters.lanes])[place]
        z = logits.detach().double().numpy()
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        assert p.shape == (n * n, kinds)
        top = np.sort(p, axis=1)
        clear = (top[:, -1] - top[:, -2] > 1e-4).reshape(n, n)
        assert clear.mean() > 0.95
        np.testing.assert_array_equal(best[clear], p.argmax(axis=1).reshape(n, n)[clear])
        np.testing.assert_allclose(sure / 255, p.max(axis=1).reshape(n, n), atol=0.51 / 255)
        assert sure.min() >= int(255 / kinds)
        lead = (top[:, -1] - top[:, -2]).reshape(n, n)
        np.testing.assert_allclose(level / 15, np.sqrt(lead), atol=0.51 / 15)
        assert len(np.unique(best)) > 2  # more than any two-class picture could show


def test_several_classes_learn_and_their_results_hold() -> None:
    e = several(4, 120, label_noise=0.2).replace("training.epochs", 60)
    (result,) = fit([e])
    lane = result.frame
    assert lane.curve("val_accuracy")[-1] > 0.9
    grid = result.to_dict()["boundary"]
    assert set(grid) == {"xx0", "xx1", "class", "probability"}
    p, best = np.array(grid["probability"]), np.array(grid["class"])
    assert p.shape == best.shape == np.array(grid["xx0"]).shape
    assert p.min() >= 0.25
    assert p.max() <= 1
    assert set(best.ravel()) == {0, 1, 2, 3}
    made = make_dataset(e.data)
    assert made.n_classes == 4
    clean = make_dataset(replace(e.data, label_noise=0.0))
    flipped = made.y_train != clean.y_train
    assert 0 < flipped.sum() < len(flipped) / 2
    assert set(made.y_train) == set(range(4))
    np.testing.assert_array_equal(made.y_val, clean.y_val)
    assert abs(np.bincount(made.y_val) - len(made.y_val) / 4).max() <= 1
    # what the data allow is found in spite of the flipped labels
    seen, wanted = (verdict.known(spec, make_view(spec)) for spec in (e.data, clean_of(e)))
    assert seen.accuracy == wanted.accuracy > 0.9


def clean_of(e: Experiment) -> DataSpec:
    return replace(e.data, label_noise=0.0)


def test_training_points_have_mean_0_and_deviation_1_and_validation_has_no_say() -> None:
    made = make_dataset(own(200, scale=1e4).data)
    assert made.x_train.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert made.x_train.std(axis=0) == pytest.approx([1, 1], abs=1e-6)
    rng = np.random.default_rng(1)
    x, train = rng.normal(3, 7, (50, 2)), np.arange(30)
    other = x.copy()
    other[30:] *= 1000
    assert np.array_equal(standardize(x, train)[:30], standardize(other, train)[:30])


def test_standardized_points_do_not_know_their_units() -> None:
    x, train = np.random.default_rng(2).normal(size=(40, 2)), np.arange(25)
    moved = standardize(x * [1e5, 1e-5] + [7, -300], train)
    assert moved == pytest.approx(standardize(x, train), abs=1e-6)


def test_a_column_that_is_constant_becomes_0() -> None:
    xs = [[0.1, float(i), i % 2] for i in range(20)]
    made = make_dataset(Experiment.from_dict({"data": {"kind": "csv", "points": xs}}).data)
    assert not made.x_train[:, 0].any()
    assert not made.x_val[:, 0].any()
    assert made.extent[0] < 0 < made.extent[1]


def test_the_picture_s_frame_follows_the_data() -> None:
    for e in (own(300), own(300, scale=1e5), own(300, irrelevant_features=3)):
        view = make_view(e.data)
        low, high = np.array(view.extent[0::2]), np.array(view.extent[1::2])
        assert (low <= view.x.min(axis=0) - 0.1).all()
        assert (high >= view.x.max(axis=0) + 0.1).all()
        assert (high - low < 11).all()
        assert view.n_features == 2 + e.data.irrelevant_features


def test_label_noise_flips_training_labels_only() -> None:
    clean, noisy = (make_dataset(own(300, label_noise=p).data) for p in (0.0, 0.3))
    assert np.array_equal(clean.y_val, noisy.y_val)
    assert 0.15 < (clean.y_train != noisy.y_train).mean() < 0.45


def test_it_trains_beside_other_data_with_the_same_results() -> None:
    mine = own(60)
    moons = Experiment(DataSpec(n_samples=60), model=mine.model, training=mine.training)
    *_, last = train([mine, moons, own(60, seed=3)])
    (alone,) = fit([mine])
    assert last.lanes[0].curve("val_loss") == pytest.approx(alone.frame.curve("val_loss"))
    assert [lane.test is None for lane in last.lanes] == [True, False, True]
    assert alone.boundary is not None
    assert specs.experiments_from_value(alone.to_dict()["experiment"]) == (mine,)


def test_a_trainer_keeps_own_data_no_longer_than_its_run() -> None:
    held = data.make_dataset._own
    make_dataset.cache_clear()
    e = own(50)
    one = make_dataset(e.data)
    assert make_dataset(Experiment.from_dict(e.to_dict()).data) is one  # equal specs share it
    assert len(held) == 1
    del e
    gc.collect()
    assert len(held) == 0


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    started = Engine(trainers=1, device="cpu", limits=Limits())
    yield started
    started.close()


def test_the_server_keeps_no_finished_run_on_own_data(engine: Engine) -> None:
    def trains(e: Experiment, owner: str) -> bool:
        """Whether the engine starts a run for an experiment instead of answering from the cache."""
        with engine._lock:  # what its trainer answers has to wait
            job = engine.submit([e], owner)
            new = job.state != "finished"
        deadline = time.monotonic() + 60
        while job.state != "finished" and time.monotonic() < deadline:
            job.wait(1, after=job.version)
        assert job.state == "finished", job.reason
        engine.release(owner)
        return new

    moons = Experiment(model=own().model, training=own().training)
    assert [trains(moons, "a"), trains(moons, "b")] == [True, False]
    assert [trains(own(), "a"), trains(own(), "b")] == [True, True]
