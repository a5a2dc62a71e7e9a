"""Own data: what a table becomes, what is refused and how, and where it may not go."""

from __future__ import annotations

import codecs
import gc
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from regviz import data, fit, metrics, own_data, specs, train
from regviz.data import make_dataset, make_view, standardize
from regviz.engine import Engine
from regviz.limits import Limits
from regviz.own_data import EXAMPLE, MAX_BYTES, MAX_ROWS, MAX_USED, arranged, turns
from regviz.specs import MAX_POINTS, DataSpec, Experiment, OwnDataGone, SpecError
from regviz.training import Run


def points(n: int = 40, seed: int = 0, scale: float = 1.0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) * scale
    return [[float(a), float(b), i % 2] for i, (a, b) in enumerate(x)]


def own(n: int = 40, seed: int = 0, scale: float = 1.0, **more: object) -> Experiment:
    """An experiment on own data, short to train."""
    return Experiment.from_dict(
        {
            "data": {"kind": "csv", "points": points(n, seed, scale), **more},
            "model": {"hidden": [8]},
            "training": {"epochs": 5, "lr": 0.01},
        }
    )


def several(kinds: int, n: int = 60, seed: int = 0, **more: object) -> Experiment:
    """An experiment on own data of several classes, round about, short to train."""
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


def refused(content: bytes | str) -> str:
    """Return the sentence that refuses a table, having checked that it is one."""
    with pytest.raises(SpecError) as caught:
        own_data.read(content)
    return one_sentence(str(caught.value))


def one_sentence(text: str) -> str:
    assert text.isprintable()
    assert text.endswith(".")
    assert len(text) < 400
    return text


# --- the experiment that holds it ---------------------------------------------------------------

coordinates = st.floats(-999_999, 999_999)
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


def test_coordinates_keep_six_digits_and_their_units() -> None:
    e = own(scale=1234.56789)
    assert e.data.points is not None
    for kept, given_ in zip(e.data.points, points(scale=1234.56789), strict=True):
        assert kept[:2] == pytest.approx(given_[:2], rel=5e-6)
    largest = specs.experiments_to_json([own(MAX_POINTS, scale=1e5)])
    assert len(largest) < 30_000


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
        (wrong(points=[*points(), [1, 1e6, 0]]), "data.points[40]"),
        (wrong(points=[*points(), [1, 999_999.9, 0]]), "data.points[40]"),
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
    data = own_data.read(EXAMPLE).data(DataSpec())
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
        assert frame_of.winners is not None
        best, level, sure = frame_of.winners[0] & 15, frame_of.winners[0] >> 4, frame_of.winners[1]
        n = len(best)
        xx0, xx1 = np.meshgrid(np.linspace(a, b, n), np.linspace(c, d, n))
        x = np.zeros((2, n * n, 2 + irrelevant), np.float32)
        x[:, :, 0], x[:, :, 1] = xx0.ravel(), xx1.ravel()
        network, place = stack.one(lane)
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
    seen, wanted = (metrics.known(spec, make_view(spec)) for spec in (e.data, clean_of(e)))
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
        """Whether a run is started for this, and it is not answered from the cache."""
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


# --- tables -------------------------------------------------------------------------------------

ROWS = [(f"{0.5 * i:.2f}", f"{i * i % 7:.1f}", ("no", "yes")[i % 2]) for i in range(30)]


def table(
    delimiter: str = ",",
    header: tuple[str, ...] | None = ("a", "b", "label"),
    rows: list[tuple[str, str, str]] | None = None,
    end: str = "\n",
) -> str:
    lines = [*([] if header is None else [header]), *(ROWS if rows is None else rows)]
    return end.join(delimiter.join(line) for line in lines) + end


def decimal_commas(text: str) -> str:
    return text.replace(".", ",")


USUAL = own_data.read(table())


def test_the_example_reads_and_can_be_told_apart() -> None:
    read = own_data.read(EXAMPLE)
    assert read.columns == ("height (cm)", "weight (kg)")
    assert read.classes == ("cat", "dog")
    assert [p[2] for p in read.points].count(0) == 12
    assert read.data(DataSpec(label_noise=0.1)).label_noise == 0.1
    assert own_data.without(read.data(DataSpec(label_noise=0.1))) == DataSpec(label_noise=0.1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", ""])
def test_delimiters_line_ends_and_encodings_make_no_difference(
    delimiter: str, end: str, encoding: str
) -> None:
    text = table(delimiter, end=end)
    assert own_data.read(text.encode(encoding) if encoding else text) == USUAL


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_a_decimal_comma_is_a_decimal_point(delimiter: str) -> None:
    assert own_data.read(decimal_commas(table(delimiter))) == USUAL


def test_what_spreadsheets_add_is_left_out() -> None:
    text = table(";")
    assert own_data.read(text.replace("\n", ";;\n") + ";;;;\n\n  \n") == USUAL
    assert own_data.read(text.replace("no", '"no"').replace("a;", '"a";')) == USUAL
    assert own_data.read(" ; ".join(("a", "b", "label")) + text[text.index("\n") :]) == USUAL


def test_a_header_need_not_be_there() -> None:
    read = own_data.read(table(header=None))
    assert read.points == USUAL.points
    assert read.columns is None


@pytest.mark.parametrize(
    ("header", "at"),
    [
        (("a", "b", "c"), 2),
        (("label", "a", "b"), 0),
        (("a", "Class", "b"), 1),
        (("TARGET", "b", "c"), 0),
        (("y", "x1", "x2"), 0),
        (("x", "y", "group"), 2),
        (("y", "class", "b"), 1),
        (("label", "label", "b"), 2),
    ],
)
def test_the_label_column_is_found_by_its_name_or_is_the_last(
    header: tuple[str, str, str], at: int
) -> None:
    rows = []
    for a, b, label in ROWS:
        cells = [a, b]
        cells.insert(at, label)
        rows.append((cells[0], cells[1], cells[2]))
    read = own_data.read(table(header=header, rows=rows))
    assert read.points == USUAL.points
    assert read.columns == tuple(name for i, name in enumerate(header) if i != at)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("0", "1"), ("0", "1")),
        (("1", "0"), ("0", "1")),
        (("-1", "1"), ("-1", "1")),
        (("10", "9"), ("9", "10")),
        (("dog", "cat"), ("cat", "dog")),
        (("größer", "kleiner"), ("größer", "kleiner")),
        (("<b>", "</b>"), ("/b", "b")),
        (("<", ">"), None),
    ],
)
def test_any_two_labels_are_classes_0_and_1(
    labels: tuple[str, str], classes: tuple[str, str] | None
) -> None:
    read = own_data.read(table(rows=[(a, b, labels[i % 2]) for i, (a, b, _) in enumerate(ROWS)]))
    assert read.classes == classes
    first = sorted(labels, key=lambda t: (float(t) if t.strip("-").isdigit() else 0, t))
    assert [p[2] for p in read.points] == [int(first[0] != labels[i % 2]) for i in range(30)]
    assert own_data.read(table()).data(DataSpec()).classes == ("no", "yes")


def test_labels_that_are_one_number_are_one_label() -> None:
    rows = [(a, b, ("1", "0", "1.0")[i % 3]) for i, (a, b, _) in enumerate(ROWS)]
    assert own_data.read(table(rows=rows)).classes == ("0", "1")


@given(st.integers(10, 2000), st.floats(0, 1), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_long_table_is_thinned_evenly_and_no_class_is_lost(
    n: int, share: float, rng: random.Random
) -> None:
    y = [int(rng.random() < share) for _ in range(n)]
    y[0:4] = [0, 1, 0, 1]
    kept = own_data.thinned(y)
    assert kept == sorted(set(kept))
    assert len(kept) == min(n, MAX_USED)
    of = [y[i] for i in kept]
    assert min(of.count(0), of.count(1)) >= 2
    assert abs(of.count(1) / len(of) - sum(y) / n) < 2.5 / len(of)
    for label in (0, 1):  # the same number kept in each stretch, to one
        rank = {i: r for r, i in enumerate(i for i in range(n) if y[i] == label)}
        ranks = [rank[i] for i in kept if y[i] == label]
        steps = np.diff(ranks)
        assert steps.max() - steps.min() <= 1


def test_thinning_is_said() -> None:
    rows = [(f"{i}", f"{i % 13}", "ab"[i % 2]) for i in range(1500)]
    read = own_data.read(table(rows=rows))
    assert len(read.points) == 500
    assert one_sentence(read.said) == ("Of 1,500 rows, 500 are used, spread evenly over the table.")
    assert USUAL.said == ""


def broken(line: int, text: str) -> str:
    lines = table().splitlines()
    lines[line - 1] = text
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n \n;;\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a table in plain text"),
        (b"PK\x03\x04 spreadsheet", "not a table in plain text"),
        (codecs.BOM_UTF16_LE + b"a", "not a table in plain text"),
        ("a,b,label", "line 1 is the only one"),
        ("a,b\n" + "1,2\n" * 20, "has 2 columns (a, b)"),
        ("a,b,c,d,e,f\n" + "1,2,3,4,5,6\n" * 20, "has 6 columns (a, b, c, d, …)"),
        ("word\n" * 20, "has 1 column"),
        (broken(4, "1.0,zz,no"), "line 4 holds “zz” in the column “b”"),
        (broken(4, "1.0,,no"), "line 4 holds nothing in the column “b”"),
        (broken(7, "1.0,nan,no"), "line 7 holds “nan”"),
        (broken(7, "inf,2,no"), "line 7 holds “inf”"),
        (broken(7, "1_0,2,no"), "line 7 holds “1_0”"),
        (broken(7, "１,2,no"), "line 7 holds “１”"),
        (broken(7, "1e6,2,no"), "numbers must be below 1,000,000 in size"),
        (broken(7, "999999.9,2,no"), "numbers must be below 1,000,000 in size"),
        (broken(7, "1e999,2,no"), "numbers must be below 1,000,000 in size"),
        (broken(9, "1.0,2"), "line 9 has 2 columns where the table has 3"),
        (broken(9, "1,2,3,no"), "line 9 has 4 columns where the table has 3"),
        (broken(9, '"1.0,2,no'), "line 9 has 1 column where the table has 3"),
        (broken(9, "1.0,2,"), "line 9 has no label"),
        (broken(9, "x" * 1001), "line 9 has 1,001 characters"),
        (broken(9, "1.0,2,maybe"), "3 different labels (“maybe”, “no”, “yes”); choose which"),
        ("\n".join(f"{i},{i},{i}" for i in range(20)), "holds 20 different labels (“0”, “1”, “2”"),
        (table().replace("yes", "no"), "“label” holds only “no”"),
        (table(rows=ROWS[:9]), "has 9 rows"),
        (table(rows=[(a, b, "no") for a, b, _ in ROWS[1:]] + ROWS[1:2]), "one row with the label"),
        (table(rows=ROWS * 100), "has 3,001 rows"),
        ("1,2,a\n" * 400_000, "bytes; give at most 1,000,000"),
    ],
)
def test_each_kind_of_damage_has_its_sentence(content: bytes | str, says: str) -> None:
    assert says in refused(content)


def test_all_bad_lines_are_counted_and_the_first_are_named() -> None:
    lines = table().splitlines()
    for i in range(3, 20, 2):
        lines[i] = "1,?,no"
    assert "in lines 6, 8, 10, 12, 14 and 3 more too" in refused("\n".join(lines))


SPECIES = [(f"{i}", f"{-i}", ("cat", "dog", "eel")[i % 3]) for i in range(60)]


def test_of_several_labels_one_is_told_from_another_or_from_the_rest() -> None:
    text = table(rows=SPECIES)
    with pytest.raises(own_data.SeveralLabels) as caught:
        own_data.read(text)
    assert caught.value.labels == ("cat", "dog", "eel")
    rest = own_data.read(text, ("eel", None))
    assert rest.classes == ("all others", "eel")
    assert [p[2] for p in rest.points] == [int(i % 3 == 2) for i in range(60)]
    two = own_data.read(text, ("cat", "eel"))
    assert two.classes == ("eel", "cat")
    assert two.points == tuple((i, -i, int(i % 3 == 0)) for i in range(60) if i % 3 != 1)
    for pair in (("cat", "cat"), ("cow", None), ("cat", "cow"), ("", "")):
        with pytest.raises(own_data.SeveralLabels):
            own_data.read(text, pair)
    with pytest.raises(SpecError, match=r"has 6 rows with these labels"):
        own_data.read(table(rows=SPECIES[:9]), ("cat", "dog"))
    numbers = [(a, b, str(SPECIES[i][2] == "cat" or 7 + i % 2)) for i, (a, b, _) in enumerate(ROWS)]
    with pytest.raises(own_data.SeveralLabels):
        own_data.read(table(rows=numbers))
    assert own_data.read(table(), ("whoever", None)) == USUAL  # two need no choice


def test_all_labels_may_be_classes_at_once() -> None:
    text = table(rows=SPECIES)
    read = own_data.read(text, all_classes=True)
    assert read.classes == ("cat", "dog", "eel")
    assert [p[2] for p in read.points] == [i % 3 for i in range(60)]
    assert own_data.read(table(), all_classes=True) == USUAL
    once = [*SPECIES, ("1", "2", "fox")]
    with pytest.raises(SpecError, match="has one row with the label “fox”"):
        own_data.read(table(rows=once), all_classes=True)
    with pytest.raises(SpecError, match="11 different labels"):
        own_data.read(
            table(rows=[(str(i), "1", f"c{i % 11}") for i in range(44)]), all_classes=True
        )
    # names that an experiment cannot hold are left out, all of them
    odd = [(a, b, "<" if c == "cat" else c) for a, b, c in SPECIES]
    assert own_data.read(table(rows=odd), all_classes=True).classes is None


@given(st.lists(st.integers(2, 700), min_size=2, max_size=10), st.integers(40, 500))
def test_of_many_rows_each_class_keeps_its_share(sizes: list[int], most: int) -> None:
    y = [k for k, size in enumerate(sizes) for _ in range(size)]
    kept = own_data.thinned(y, most)
    assert len(kept) == min(len(y), most) == len(set(kept))
    for k, size in enumerate(sizes):
        count = sum(y[i] == k for i in kept)
        assert count >= 2
        if len(y) > most:
            due = most * size / len(y)
            assert count <= max(2, due + 1)
            assert count >= min(size, due - 2 * len(sizes))


# --- 1,000 damaged files ------------------------------------------------------------------------

Damage = Callable[[random.Random, bytes], bytes]


def _somewhere(rng: random.Random, b: bytes) -> int:
    return rng.randrange(len(b) + 1)


def _insert(rng: random.Random, b: bytes, piece: bytes) -> bytes:
    at = _somewhere(rng, b)
    return b[:at] + piece + b[at:]


def _cut(rng: random.Random, b: bytes) -> bytes:
    a, z = sorted((_somewhere(rng, b), _somewhere(rng, b)))
    return b[:a] + b[z:]


PIECES = [
    b'"',
    b"''",
    b",",
    b";",
    b"\t",
    b"\0",
    b"\n",
    b"\r",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-inf",
    b"1e400",
    b"9" * 3000,
    b"1" * 90,
    b"<script>a(1)</script>",
    b"=HYPERLINK(1)",
    b"\\",
    b"%s{}",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80",
    b"\xc3\x28",
    b"\x1b[31m",
    b"#",
    b"1.2.3",
    b"0x10",
    b"1,5",
    b"--1",
    b"PK\x03\x04",
    b"label",
    b"\n\n\n",
    b'"\n"',
    b",,,,,,,,,,",
    b" " * 500,
    b"1e999",
    b"-Infinity",
    b"1_000",
    b"1" * 1_000_000,
    "٣,٤,no\n".encode(),  # digits, but not of this kind of number
    "１,２,no\n".encode(),
    b'=cmd|"/c calc"!A1',
    b"+1+1,@SUM(1),no\n",
    b'"1\n2",3,"no"\n',
    "\ufeff".encode("utf-16"),
    b"1,2,maybe\n",
    b"1,2,\n",
]

DAMAGES: list[Damage] = [
    lambda rng, b: _insert(rng, b, rng.choice(PIECES)),
    lambda rng, b: _cut(rng, b),
    lambda rng, b: b[: _somewhere(rng, b)],
    lambda rng, b: _insert(rng, b, rng.randbytes(rng.randrange(1, 40))),
    lambda rng, b: b.replace(rng.choice([b",", b"\n", b"."]), rng.choice(PIECES)),
    lambda rng, b: b.replace(rng.choice([b",", b"\n", b".", b"no"]), rng.choice(PIECES), 1),
    lambda rng, b: bytes(c ^ (1 << rng.randrange(8)) if rng.random() < 0.01 else c for c in b),
    lambda rng, b: b * rng.choice([0, 2, 30]),
    lambda rng, b: b"\n".join(rng.sample(b.split(b"\n"), b.count(b"\n"))),
    lambda rng, b: b.decode("latin-1").encode(rng.choice(["utf-16", "utf-16-le", "utf-32"])),
    lambda rng, b: b.replace(b"\n", b"\r\n"),
    lambda rng, b: b.replace(b"\n", rng.choice([b"\r", b"\v", b"\x85", b"\xe2\x80\xa8"])),
    lambda rng, b: b[: b.find(b"\n") + 1],  # the header alone
    lambda rng, b: b.replace(b",", rng.choice([b";", b"|", b"\t"]), rng.randrange(1, 40)),
    lambda rng, b: b"".join(bytes([c, 0]) for c in b),
    lambda rng, b: b.replace(b"yes", rng.choice([b"a", b"no", b"1", b""]), rng.randrange(1, 9)),
    lambda rng, b: b + rng.randbytes(5000),
]  # fmt: skip


def check(content: bytes | str, pair: tuple[str, str | None] | None = None) -> bool:
    """Read a table; whether it could be. Everything else must be one sentence."""
    try:
        read = own_data.read(content, pair)
    except own_data.SeveralLabels as error:
        assert pair is None
        one_sentence(str(error))
        try:
            e = Experiment(own_data.read(content, all_classes=True).data(DataSpec()))
        except SpecError as other:
            one_sentence(str(other))
        else:
            assert Experiment.from_dict(json.loads(e.canonical_json())) == e
        return check(content, (error.labels[0], None))
    except SpecError as error:
        one_sentence(str(error))
        return False
    e = Experiment(read.data(DataSpec()))  # what was read is always an experiment
    assert Experiment.from_dict(json.loads(e.canonical_json())) == e
    return True


def test_a_thousand_damaged_files_read_or_say_one_sentence() -> None:
    rng = random.Random(5)
    sound = [table(d, h).encode() for d in ",;\t " for h in (("a", "b", "label"), None)]
    sound += [EXAMPLE.encode(), table(rows=SPECIES).encode()]
    good = 0
    started = time.process_time()
    for _ in range(1000):
        content = rng.choice(sound)
        for _ in range(rng.randrange(1, 4)):
            content = rng.choice(DAMAGES)(rng, content)
        good += check(content)
    assert 50 < good < 950  # both happen
    assert time.process_time() - started < 10


@given(st.binary(max_size=300) | st.text(max_size=300))
@example("1,2,\ud800\n")
def test_any_bytes_and_any_text_read_or_say_one_sentence(content: bytes | str) -> None:
    check(content)


@pytest.mark.parametrize(
    "unit",
    ["1,2,a\n", "1" * 99 + ",", '"', '"\n', ",", ";" * 999 + "\n", "\n", " ", "9" * 999 + "\n"],
)
def test_the_work_is_bounded_by_the_size(unit: str) -> None:
    """The largest file of any such stuff, in far less than quadratic time would take."""
    whole = (unit * (MAX_BYTES // len(unit) + 1))[:MAX_BYTES]
    in_rows = ("".join(unit * 1000)[:990].replace("\n", "") + "\n") * MAX_ROWS
    for content in (whole, in_rows[:MAX_BYTES]):
        started = time.process_time()
        check(content)
        assert time.process_time() - started < 3
