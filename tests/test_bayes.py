"""The best possible accuracy on generated data: closed forms, limits, and new points."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from regviz.data.datasets import GENERATORS
from regviz.results import bayes
from regviz.results.bayes import bayes_rate

KINDS = tuple(GENERATORS)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_the_classes_can_be_told_apart(kind: str) -> None:
    # clouds of standard deviation 0.5 overlap a little
    assert bayes_rate(kind, 0) == (pytest.approx(0.99766, abs=1e-4) if kind == "blobs" else 1)
    for tiny in (5e-324, 1e-300, 1e-12, 1e-5):
        assert bayes_rate(kind, tiny) == pytest.approx(bayes_rate(kind, 0), abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_only_takes_away_and_leaves_a_coin_at_last(kind: str) -> None:
    levels = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 2, 5, 10]
    rates = [bayes_rate(kind, noise) for noise in levels]
    assert all(a >= b - 1e-3 for a, b in itertools.pairwise(rates))
    assert 0.5 <= rates[-1] < 0.56
    assert bayes_rate(kind, 300) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.25, 0.7, 3])
def test_circles_agree_with_the_law_of_the_radius(noise: float) -> None:
    # the distance from the middle says all; it has Rice's density
    r = np.linspace(0, 1 + 8 * noise, 200_001)

    def density(radius: float) -> NDArray[np.float64]:
        z = r * radius / noise**2
        scaled = np.where(z > 500, 1 / np.sqrt(2 * np.pi * np.maximum(z, 1)), 0)  # I0(z)·e^-z
        scaled = np.where(z > 500, scaled, np.i0(np.minimum(z, 500)) * np.exp(-np.minimum(z, 500)))
        return r / noise**2 * np.exp(-((r - radius) ** 2) / (2 * noise**2)) * scaled

    total = np.trapezoid(np.abs(density(1) - density(0.5)), r)
    assert bayes_rate("circles", noise) == pytest.approx(0.5 + total / 4, abs=5e-4)


@pytest.mark.parametrize("noise", [0.03, 0.2, 0.9, 4])
def test_xor_agrees_with_its_double_integral(noise: float) -> None:
    x = np.linspace(0, 2 + 9 * noise, 20_001)

    def phi(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in z])

    signed = (2 * phi(x / noise) - phi((x - 2) / noise) - phi((x + 2) / noise)) / 4
    one = np.trapezoid(signed, x)
    assert bayes_rate("xor", noise) == pytest.approx(0.5 + 2 * one**2, abs=1e-6)


def _best_rule(kind: str, noise: float, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether class 1 has the larger density, point by point."""
    if kind == "linear":
        return x[:, 0] > x[:, 1]
    if kind == "xor":
        return x[:, 0] * x[:, 1] > 0
    if kind == "blobs":
        return x.sum(axis=1) > 0
    zero, one = bayes._CURVES[kind]()

    def density(curve: NDArray[np.float64]) -> NDArray[np.float64]:
        some = curve[::6]
        square = ((x[:, None] - some[None]) ** 2).sum(axis=2)
        return np.exp(-square / (2 * noise**2)).mean(axis=1)

    return density(one) > density(zero)


@pytest.mark.parametrize("noise", [0.12, 0.35, 1.1])
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "order"])
def test_the_best_rule_is_right_that_often_on_points_drawn_anew(kind: str, noise: float) -> None:
    x, y = GENERATORS[kind](12_000, noise, 7)
    right = _best_rule(kind, noise, x) == (y == 1)
    assert bayes_rate(kind, noise) == pytest.approx(right.mean(), abs=4 * 0.5 / math.sqrt(len(y)))


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.4])
def test_the_best_reader_of_sequences_weighs_all_pairs_of_places(noise: float) -> None:
    x, y = GENERATORS["order"](3000, noise, 11)
    said = []
    for row in x.astype(int):
        likely = np.empty((3, len(row)))  # of A, of B, of any other letter at each place
        for letter in (0, 1):
            likely[letter] = (1 - noise) * (row == letter) + noise / 10
        likely[2] = (1 - noise) * (row > 1) / 8 + noise / 10
        ratio = likely[:2] / likely[2]
        pairs = np.outer(ratio[0], ratio[1])
        said.append(np.triu(pairs, 1).sum() > np.tril(pairs, -1).sum())
    right = float((np.array(said) == (y == 1)).mean())
    assert bayes_rate("order", noise) == pytest.approx(right, abs=4 * 0.5 / math.sqrt(len(y)))


def test_where_no_density_is_known_there_is_no_rate() -> None:
    assert math.isnan(bayes_rate("digits", 0.1))
    assert math.isnan(bayes_rate("csv", 0))


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_a_noise_that_is_none_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match="noise"):
        bayes_rate("moons", noise)


def test_a_rate_is_worked_out_once() -> None:
    bayes_rate("moons", 0.2987)
    before = bayes._rate.cache_info().misses
    assert bayes_rate("moons", 0.2987) == bayes_rate("moons", 0.2987)
    assert bayes._rate.cache_info().misses == before
