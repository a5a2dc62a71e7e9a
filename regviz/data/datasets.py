"""Data sets, determined by a :class:`~regviz.specs.DataSpec` and its seed.

Each draw (points, split, flipped labels, irrelevant features) has a separate random stream, so
moving one control does not redraw the rest: label noise flips labels of the same points, and more
label noise flips a superset of them.

scikit-learn is imported only by the functions that need it, because its import is slow.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from regviz.data.own import turns
from regviz.frames import DataView
from regviz.specs import (
    ALPHABET,
    IMAGE_KINDS,
    OWN_KIND,
    SEQUENCE_KINDS,
    SEQUENCE_LENGTH,
    DataSpec,
)

Points = tuple[NDArray[np.float64], NDArray[np.int64]]
N_TEST = 1000
_SHOWN = 2000
_SHOWN_SEQUENCES = 6
_SPLIT, _TEST, _FLIP, _IRRELEVANT, _TEST_IRRELEVANT = range(1, 6)


@dataclass(frozen=True)
class Dataset:
    """Training, validation and locked test set of one :class:`~regviz.specs.DataSpec`.

    ``x_*`` are float32 (points, features), ``y_*`` int64 (points,). ``y_train`` may hold flipped
    labels (label noise); validation and test keep the true ones, because they measure the rule, not
    the noise. ``extent`` is (x0 low, x0 high, x1 low, x1 high) around all points shown. The
    test set of own data is empty.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_val: NDArray[np.float32]
    y_val: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    n_classes: int
    extent: tuple[float, float, float, float]

    @property
    def n_features(self) -> int:
        """Number of input features."""
        return self.x_train.shape[1]


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """Return the random stream for one purpose of one seed."""
    return np.random.default_rng(np.random.SeedSequence([seed, *purpose]))


def _seed_of(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])


def moons(n: int, noise: float, seed: int) -> Points:
    """Two interleaving half circles; ``noise`` is the standard deviation of the points around
    them (scikit-learn's ``make_moons``)."""
    from sklearn.datasets import make_moons

    x, y = make_moons(n, noise=noise, random_state=seed)
    return x, y


def circles(n: int, noise: float, seed: int) -> Points:
    """A circle of half the radius inside another; ``noise`` as in :func:`moons` (scikit-learn's
    ``make_circles``)."""
    from sklearn.datasets import make_circles

    x, y = make_circles(n, noise=noise, factor=0.5, random_state=seed)
    return x, y


def spirals(n: int, noise: float, seed: int) -> Points:
    """Two Archimedean spirals of 1.5 turns and radius 3 (arms 1 apart), class 1 turned by half a
    circle; ``noise`` is the standard deviation added to both coordinates."""
    rng = stream(seed)
    y = np.arange(n) % 2
    t = np.sqrt(rng.uniform(0.01, 1, n))  # the square root spreads points evenly along the arm
    angle = 3 * np.pi * t + np.pi * y
    x = 3 * t[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + noise * rng.standard_normal((n, 2)), y


def xor(n: int, noise: float, seed: int) -> Points:
    """Points uniform on [-2, 2]², class 1 where both coordinates have one sign; ``noise`` is the
    standard deviation added to the coordinates after they were labelled."""
    rng = stream(seed)
    x = rng.uniform(-2, 2, (n, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    return x + noise * rng.standard_normal((n, 2)), y


def blobs(n: int, noise: float, seed: int) -> Points:
    """Two round Gaussian clouds at (-1, -1) and (1, 1), standard deviation 0.5 + ``noise``
    (scikit-learn's ``make_blobs``)."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(
        n, centers=[(-1.0, -1.0), (1.0, 1.0)], cluster_std=0.5 + noise, random_state=seed
    )
    return x, y


def linear(n: int, noise: float, seed: int) -> Points:
    """A linear rule on standard normal inputs: class 1 where (x0 - x1)/√2 + noise·z > 0, z
    standard normal. With irrelevant features it asks which inputs matter."""
    rng = stream(seed)
    x = rng.standard_normal((n, 2))
    score = (x[:, 0] - x[:, 1]) / math.sqrt(2) + noise * rng.standard_normal(n)
    return x, (score > 0).astype(np.int64)


def order(n: int, noise: float, seed: int) -> Points:
    """Sequences of 20 tokens from an alphabet of 10: class 1 if and only if token 0 (A) comes
    before token 1 (B).

    Each sequence holds A once and B once, at two uniformly drawn positions; the other 18 tokens are
    uniform on 2…9 and carry no information. ``noise`` is the probability that any token is then
    replaced by one drawn uniformly from all ten: A or B may be missing or repeated, but the label
    stays. Tokens are stored as whole numbers in floats.
    """
    rng = stream(seed)
    x = rng.integers(2, ALPHABET, (n, SEQUENCE_LENGTH))
    first, second = rng.permuted(np.tile(np.arange(SEQUENCE_LENGTH), (n, 1)), axis=1)[:, :2].T
    rows = np.arange(n)
    x[rows, first], x[rows, second] = 0, 1
    replaced = rng.uniform(size=x.shape) < noise
    x = np.where(replaced, rng.integers(0, ALPHABET, x.shape), x)
    return x.astype(np.float64), (first < second).astype(np.int64)


GENERATORS: dict[str, Callable[[int, float, int], Points]] = {
    "moons": moons,
    "circles": circles,
    "spirals": spirals,
    "xor": xor,
    "blobs": blobs,
    "linear": linear,
    "order": order,
}


def _digits(spec: DataSpec) -> tuple[Points, Points]:
    """Handwritten digits, 8x8 pixels in [0, 1] (scikit-learn's ``load_digits``); ``noise`` is the
    standard deviation added to each pixel. The test set is taken from the images left over."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rng = stream(spec.seed)
    order = rng.permutation(len(x))
    x = x[order] / 16 + spec.noise * rng.standard_normal(x.shape)
    y = y[order].astype(np.int64)
    n = spec.n_samples
    return (x[:n], y[:n]), (x[n : n + N_TEST], y[n : n + N_TEST])


def standardize(x: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shift and scale each column, (x - μ)/σ, by mean and standard deviation of its training rows.

    Validation rows do not count, because they stand for unseen points. If a column's training rows
    are all equal, σ is 1 and they become 0 (scikit-learn's ``StandardScaler``).
    """
    mean, std = x[train].mean(axis=0), x[train].std(axis=0)
    # the mean of equal numbers may differ from them by rounding; then std is not exactly 0
    constant = np.ptp(x[train], axis=0) == 0
    return (x - np.where(constant, x[train[0]], mean)) / np.where(constant, 1.0, std)


_T = TypeVar("_T")


class _Kept(Generic[_T]):
    """Cache the last 16 results; results of own data only while a run holds their spec."""

    def __init__(self, make: Callable[[DataSpec], _T]) -> None:
        self._make = make
        self._made = functools.lru_cache(maxsize=16)(make)
        self._own: weakref.WeakKeyDictionary[DataSpec, _T] = weakref.WeakKeyDictionary()
        functools.update_wrapper(self, make)

    def __call__(self, spec: DataSpec) -> _T:
        if spec.kind != OWN_KIND:
            return self._made(spec)
        value = self._own.get(spec)
        if value is None:
            value = self._own[spec] = self._make(spec)
        return value

    def cache_clear(self) -> None:
        """Clear the cache."""
        self._made.cache_clear()
        self._own.clear()


@_Kept
def make_dataset(spec: DataSpec) -> Dataset:
    """Make the data set that ``spec`` describes; equal specs give equal arrays.

    The ``n_samples`` points are split into train and validation (scikit-learn's
    ``train_test_split``); the locked test set is drawn in addition. A table's points are split with
    equal class shares where that is possible, standardized (see :func:`standardize`), and all used:
    there is no test set. Points drawn by the user are not standardized, and take turns in being
    used for validation (:func:`regviz.data.own.turns`).
    """
    from sklearn.model_selection import train_test_split

    n, seed, n_classes = spec.n_samples, spec.seed, spec.n_classes
    if spec.kind == "digits":
        (x, y), (x_test, y_test) = _digits(spec)
    elif spec.points is not None:
        table = np.array(spec.points, np.float64)
        x, y = table[:, :2], table[:, 2].astype(np.int64)
        x_test, y_test = np.zeros((0, 2)), np.zeros(0, np.int64)
    else:
        make = GENERATORS[spec.kind]
        x, y = make(n, spec.noise, seed)
        x_test, y_test = make(N_TEST, spec.noise, _seed_of(seed, _TEST))
    k = spec.irrelevant_features
    if k:
        # one row of draws per feature: adding features does not redraw the first ones
        extra = stream(seed, _IRRELEVANT).standard_normal((k, n)).T
        x = np.hstack([x, extra])
        extra = stream(seed, _TEST_IRRELEVANT).standard_normal((k, len(x_test))).T
        x_test = np.hstack([x_test, extra])
    n_val = round(n * spec.val_fraction)
    own = spec.kind == OWN_KIND
    if spec.plane is not None:
        turn = np.array(turns(n, spec.val_fraction))
        train, val = np.flatnonzero(~turn), np.flatnonzero(turn)
    else:
        train, val = train_test_split(
            np.arange(n),
            test_size=n_val,
            random_state=_seed_of(seed, _SPLIT),
            stratify=y if own and min(n_val, n - n_val) >= n_classes else None,
        )
    if own and spec.plane is None:
        x = np.hstack([standardize(x[:, :2], train), x[:, 2:]])
    y_train = y[train].astype(np.int64)
    rng = stream(seed, _FLIP)
    flipped = rng.uniform(size=len(train)) < spec.label_noise
    other = (y_train + rng.integers(1, n_classes, len(train))) % n_classes
    y_train = np.where(flipped, other, y_train)
    # rounded to 0.5, so that the axes do not move with every change of the noise
    low = np.floor((x[:, :2].min(axis=0) - 0.15) * 2) / 2
    high = np.ceil((x[:, :2].max(axis=0) + 0.15) * 2) / 2
    if spec.plane is not None:  # the axes of the drawing stay, unless a point lies outside
        drawn_low, drawn_high = np.array(spec.plane[0::2]), np.array(spec.plane[1::2])
        low = np.where(x[:, :2].min(axis=0) < drawn_low, low, drawn_low)
        high = np.where(x[:, :2].max(axis=0) > drawn_high, high, drawn_high)
    return Dataset(
        x_train=x[train].astype(np.float32),
        y_train=y_train,
        x_val=x[val].astype(np.float32),
        y_val=y[val].astype(np.int64),
        x_test=x_test.astype(np.float32),
        y_test=y_test.astype(np.int64),
        n_classes=n_classes,
        extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
    )


@_Kept
def new_points(spec: DataSpec) -> NDArray[np.bool_]:
    """Return which validation points have no exact copy among the training points or earlier
    validation points, (n_val,): only these measure a model on new data.

    A table may hold a row several times. Rows are compared by the table's two inputs only, because
    irrelevant features do not make a copy new. Generated points are all new.
    """
    data = make_dataset(spec)
    if spec.kind != OWN_KIND:
        return np.ones(len(data.x_val), np.bool_)
    known = set(map(tuple, data.x_train[:, :2].tolist()))
    out = np.zeros(len(data.x_val), np.bool_)
    for i, row in enumerate(map(tuple, data.x_val[:, :2].tolist())):
        out[i] = row not in known
        known.add(row)
    return out


@_Kept
def make_view(spec: DataSpec) -> DataView:
    """Return the points to plot, thinned evenly to 2,000.

    Also the first 6 sequences of a sequence set's validation set, and the first validation image
    of each class of an image set.
    """
    data = make_dataset(spec)
    x = np.concatenate([data.x_train[:, :2], data.x_val[:, :2]])
    y = np.concatenate([data.y_train, data.y_val])
    is_val = np.arange(len(x)) >= len(data.x_train)
    if len(x) > _SHOWN:
        keep = np.linspace(0, len(x) - 1, _SHOWN).round().astype(np.int64)
        x, y, is_val = x[keep], y[keep], is_val[keep]
    sequences = labels = None
    if spec.kind in SEQUENCE_KINDS:
        sequences = data.x_val[:_SHOWN_SEQUENCES].astype(np.uint8)
        labels = data.y_val[:_SHOWN_SEQUENCES].astype(np.uint8)
    images = image_labels = None
    if spec.kind in IMAGE_KINDS:
        classes, first = np.unique(data.y_val, return_index=True)
        images, image_labels = data.x_val[first], classes.astype(np.uint8)
    return DataView(
        x=x.astype(np.float32),
        y=y.astype(np.uint8),
        is_val=is_val,
        extent=data.extent,
        n_train=len(data.x_train),
        n_val=len(data.x_val),
        n_features=data.n_features,
        n_classes=data.n_classes,
        sequences=sequences,
        sequence_labels=labels,
        images=images,
        image_labels=image_labels,
    )
