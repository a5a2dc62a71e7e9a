"""The Bayes rate of generated data: the best accuracy that any model can have on new points.

The generators of :mod:`regviz.data.datasets` are known, so their class densities are, too. With
classes equally frequent the best rule answers the class of the larger density, and is right with
probability ½ + ¼ ∫ |p₁ - p₀|. No model is better except by luck. Features that say nothing about
the class do not change it, and label noise does not either: it flips training labels only.

Source: Hastie, Tibshirani & Friedman 2009, *The Elements of Statistical Learning*, 2.4.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from regviz.specs import ALPHABET, SEQUENCE_LENGTH

Curve = NDArray[np.float64]

_NODES = 1500  # points that stand for a curve: 0.01 apart on the longest, a spiral's arm
_SHARE = 5  # nodes of the grid within one standard deviation
_REACH = 5.5  # standard deviations beyond the curves at which the grid ends
_APART = 6.0  # half a distance of so many standard deviations is crossed by one point in 1e9
_DRAWN = 40_000  # sequences that the rate of `order` is averaged over: +-0.001


def bayes_rate(kind: str, noise: float) -> float:
    """Return the best possible accuracy on new points of generated data; nan where none is known.

    Parameters
    ----------
    kind
        A ``data.kind``. For ``digits`` and own data no density is known.
    noise
        Its ``data.noise``.

    Raises
    ------
    ValueError
        If ``noise`` is negative or no finite number.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise: got {noise}; give a finite number of at least 0.")
    return _rate(kind, float(noise))


@functools.lru_cache(maxsize=1024)
def _rate(kind: str, noise: float) -> float:
    if kind in _CURVES:
        return _of_curves(*_curves(kind), noise)
    if kind in _OTHERS:
        return _OTHERS[kind](noise)
    return math.nan


# --- points around curves ----------------------------------------------------------------------


def _moons() -> tuple[Curve, Curve]:
    t = math.pi * _middles()
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    inner = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    return outer, inner


def _circles() -> tuple[Curve, Curve]:
    t = 2 * math.pi * _middles()
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    return outer, 0.5 * outer


def _spirals() -> tuple[Curve, Curve]:
    t = np.sqrt(0.01 + 0.99 * _middles())
    arm = 3 * t[:, None] * np.stack([np.cos(3 * math.pi * t), np.sin(3 * math.pi * t)], axis=1)
    return arm, -arm


_CURVES = {"moons": _moons, "circles": _circles, "spirals": _spirals}


@functools.cache
def _curves(kind: str) -> tuple[Curve, Curve, float]:
    """Return both classes' curves, evenly likely points of each, and their smallest distance."""
    first, second = _CURVES[kind]()
    square = ((first[::5, None] - second[None, ::5]) ** 2).sum(axis=2)
    return first, second, math.sqrt(float(square.min()))


def _middles() -> NDArray[np.float64]:
    """Return the middles of equal parts of [0, 1], the nodes of the midpoint rule."""
    return (np.arange(_NODES) + 0.5) / _NODES


def _of_curves(first: Curve, second: Curve, apart: float, noise: float) -> float:
    """Return ½ + ¼ ∫ |p₁ - p₀| over a grid, for points that are ``noise`` away from a curve.

    A density is the mean of normal densities around the curve's nodes. Each is a product of one
    in x0 and one in x1, so that the whole grid is one matrix product.
    """
    if apart / 2 > _APART * noise:  # and the densities of a noise of 0 are no functions
        return 1.0
    both = np.concatenate([first, second])
    axes = []
    for low, high in zip(both.min(axis=0), both.max(axis=0), strict=True):
        low, high = low - _REACH * noise, high + _REACH * noise
        n = math.ceil((high - low) * _SHARE / noise)
        axes.append(low + (high - low) * (np.arange(n) + 0.5) / n)
    # so many nodes that they are closer than half a standard deviation
    every = max(1, min(15, int(noise / 0.02)))
    signs = []
    for curve in (first, second):
        some = curve[every // 2 :: every]
        x0, x1 = (
            np.exp(-((axis[:, None] - some[None, :, i]) ** 2) / (2 * noise**2))
            for i, axis in enumerate(axes)
        )
        signs.append(x0 @ x1.T / len(some))  # (nodes of x0, nodes of x1)
    cell = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    total = float(np.abs(signs[1] - signs[0]).sum()) * cell / (2 * math.pi * noise**2)
    return float(min(1.0, 0.5 + total / 4))


# --- closed forms ------------------------------------------------------------------------------


def _normal(z: float) -> float:
    """Return Φ(z), the probability that a standard normal number is below z."""
    return math.erfc(-z / math.sqrt(2)) / 2


def _xor(noise: float) -> float:
    """Each coordinate keeps its sign with probability 1 - q; the label survives if both do or
    neither does, and the sign of x0·x1 is the best guess: (1 + (1 - 2q)²) / 2.

    q is the mean of Φ(-u/σ) over u in [0, 2]: (σ/2)·(v·Φ(-v) + φ(0) - φ(v)), v = 2/σ.
    """
    top = 1 / math.sqrt(2 * math.pi)
    if noise < 0.05:  # no point comes from the far side of the square
        flipped = top * noise / 2
    else:
        v = 2 / noise
        flipped = (v * _normal(-v) + top - top * math.exp(-v * v / 2)) / v
    return (1 + (1 - 2 * flipped) ** 2) / 2


def _blobs(noise: float) -> float:
    """Two normal clouds 2√2 apart, of standard deviation s = 0.5 + noise: Φ(√2/s)."""
    return _normal(math.sqrt(2) / (0.5 + noise))


def _linear(noise: float) -> float:
    """The sign of a standard normal u foretells that of u + noise·z: 1 - arctan(noise)/π."""
    return 1 - math.atan(noise) / math.pi


def _order(noise: float) -> float:
    """Return the mean of the larger posterior over sequences drawn with a fixed seed.

    Each pair of places (i, j) of A and B is equally likely beforehand. A sequence changes that by
    the product of two ratios: how likely the token at i is if A was there, against any of the
    other letters, and likewise B at j. Class 1 are the pairs i < j.
    """
    if noise < 1e-6:  # and the ratios below would grow beyond what a float holds
        return 1.0
    if noise >= 1:
        return 0.5
    rng = np.random.default_rng(0)
    n, length = _DRAWN, SEQUENCE_LENGTH
    x = np.full((n, length), 2)  # 0 is A, 1 is B, 2 any other
    first, second = rng.permuted(np.tile(np.arange(length), (n, 1)), axis=1)[:, :2].T
    rows = np.arange(n)
    x[rows, first], x[rows, second] = 0, 1
    replaced = rng.uniform(size=x.shape) < noise
    x = np.where(replaced, np.minimum(rng.integers(0, ALPHABET, x.shape), 2), x)
    drawn = noise / ALPHABET  # a token that was replaced by just this one
    as_other = (1 - noise) / (ALPHABET - 2) + drawn
    # likelihood ratio of a token seen: it was the letter, against it was another token
    kept, absent = 1 + (1 - noise) / drawn, drawn / as_other
    of_a = np.array([kept, 1.0, absent])[x]  # (sequences, places)
    of_b = np.array([1.0, kept, absent])[x]
    before = np.cumsum(of_a, axis=1) - of_a  # Σ over i < j
    one = (before * of_b).sum(axis=1)
    before = np.cumsum(of_b, axis=1) - of_b
    zero = (before * of_a).sum(axis=1)
    return float((np.maximum(one, zero) / (one + zero)).mean())


_OTHERS = {"xor": _xor, "blobs": _blobs, "linear": _linear, "order": _order}
