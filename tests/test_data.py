"""Data sets: determinism, separate random streams, the split, and each kind's rule."""

from __future__ import annotations

import numpy as np
import pytest

from regviz.data.datasets import GENERATORS, N_TEST, make_dataset, make_view
from regviz.specs import DATA_KINDS, DataSpec


@pytest.mark.parametrize("kind", DATA_KINDS)
def test_equal_specs_give_equal_arrays_and_the_asked_sizes(kind: str) -> None:
    spec = DataSpec(kind=kind, n_samples=200, val_fraction=0.25)
    one = make_dataset(spec)
    make_dataset.cache_clear()
    two = make_dataset(spec)
    for name in ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert one.x_train.dtype == np.float32
    assert (len(one.x_train), len(one.x_val), len(one.x_test)) == (150, 50, N_TEST)
    assert set(np.unique(one.y_test)) == set(range(one.n_classes))


def test_every_kind_but_digits_has_a_generator() -> None:
    assert set(GENERATORS) | {"digits"} == set(DATA_KINDS)


@pytest.mark.parametrize("kind", DATA_KINDS)
def test_another_seed_gives_other_points(kind: str) -> None:
    assert not np.array_equal(
        make_dataset(DataSpec(kind=kind, seed=1)).x_train,
        make_dataset(DataSpec(kind=kind, seed=2)).x_train,
    )


def test_the_three_sets_do_not_share_a_point() -> None:
    data = make_dataset(DataSpec())
    rows = [{tuple(p) for p in x} for x in (data.x_train, data.x_val, data.x_test)]
    assert not rows[0] & rows[1]
    assert not (rows[0] | rows[1]) & rows[2]


def test_label_noise_flips_training_labels_only_and_grows_by_supersets() -> None:
    specs = [DataSpec(n_samples=2000, label_noise=p) for p in (0.0, 0.1, 0.3)]
    clean, some, more = (make_dataset(s) for s in specs)
    assert np.array_equal(clean.x_train, more.x_train)
    assert np.array_equal(clean.y_val, more.y_val)
    assert np.array_equal(clean.y_test, more.y_test)
    flipped_some = clean.y_train != some.y_train
    flipped_more = clean.y_train != more.y_train
    assert not (flipped_some & ~flipped_more).any()
    n = len(clean.y_train)
    for flipped, p in ((flipped_some, 0.1), (flipped_more, 0.3)):
        assert abs(flipped.mean() - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_label_noise_on_digits_never_flips_a_label_to_itself() -> None:
    clean = make_dataset(DataSpec(kind="digits", noise=0.0))
    noisy = make_dataset(DataSpec(kind="digits", noise=0.0, label_noise=0.5))
    share = (clean.y_train != noisy.y_train).mean()
    assert abs(share - 0.5) < 0.12
    assert set(np.unique(noisy.y_train)) <= set(range(10))


def test_irrelevant_features_leave_the_relevant_ones_and_their_elders_alone() -> None:
    none, two, five = (
        make_dataset(DataSpec(kind="linear", irrelevant_features=k)) for k in (0, 2, 5)
    )
    assert none.n_features == 2
    assert five.n_features == 7
    assert np.array_equal(none.x_train, five.x_train[:, :2])
    assert np.array_equal(two.x_train, five.x_train[:, :4])
    relation = [abs(np.corrcoef(five.x_test[:, j], five.y_test)[0, 1]) for j in range(7)]
    assert min(relation[:2]) > 0.3
    assert max(relation[2:]) < 0.15


@pytest.mark.parametrize("kind", ["moons", "circles", "spirals", "xor"])
def test_without_noise_the_rule_can_be_read_off_the_points(kind: str) -> None:
    x, y = GENERATORS[kind](400, 0.0, 3)
    if kind == "xor":
        expected = (x[:, 0] * x[:, 1] > 0).astype(int)
    elif kind == "circles":
        expected = (np.hypot(*x.T) < 0.75).astype(int)
    elif kind == "moons":
        # the upper moon is the unit circle's upper half
        expected = (np.abs(np.hypot(*x.T) - 1) > 1e-9).astype(int)
    else:
        turn = np.arctan2(x[:, 1], x[:, 0]) - np.pi * np.hypot(*x.T)
        expected = (np.cos(turn) < 0).astype(int)
    assert np.array_equal(y, expected)


def test_noise_of_the_coordinates_moves_the_same_points_further() -> None:
    quiet, loud = (GENERATORS["spirals"](300, noise, 5)[0] for noise in (0.0, 0.2))
    half = GENERATORS["spirals"](300, 0.1, 5)[0]
    np.testing.assert_allclose(half - quiet, (loud - quiet) / 2, atol=1e-12)


def test_the_view_shows_every_point_of_a_small_set_and_thins_a_large_one() -> None:
    small = make_view(DataSpec(n_samples=100))
    assert small.x.shape == (100, 2)
    assert small.is_val.sum() == small.n_val == 30
    a, b, c, d = small.extent
    assert a < small.x[:, 0].min() <= small.x[:, 0].max() < b
    assert c < small.x[:, 1].min() <= small.x[:, 1].max() < d
    large = make_view(DataSpec(n_samples=20_000))
    assert len(large.x) == 2000
    assert abs(large.is_val.mean() - 0.3) < 0.01
