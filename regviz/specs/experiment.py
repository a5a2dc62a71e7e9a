"""An experiment as one frozen value: everything that decides a run, seeds included.

Equal experiments give equal runs. The value round-trips to JSON, to a canonical JSON text (the
key of caches) and to a short link, and every way in ends in the same checks: what does not fit
raises :class:`SpecError` with one sentence that names the field, the value got and what to do.

This module needs only the standard library: the web process and the command line import it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

DATA_KINDS = ("moons", "circles", "spirals", "xor", "blobs", "linear", "digits", "order")
"""Data sets that can be made here; :mod:`regviz.data.datasets` holds one function for each."""
OWN_KIND = "csv"
"""Somebody's own points: the experiment itself holds them."""

IMAGE_KINDS, SEQUENCE_KINDS = ("digits",), ("order",)
IMAGE_SIDE = 8
"""Height and width of an image in pixels."""
ALPHABET, SEQUENCE_LENGTH = 10, 20
"""Tokens 0…9, and how many of them make a sequence."""

MODEL_KINDS = ("mlp", "cnn", "lstm", "transformer")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "selu", "identity")
NORMS = ("batch", "layer")
NORM_POSITIONS = ("before", "after")
DROPOUT_KINDS = ("standard", "alpha", "spatial")
OPTIMIZERS = ("sgd", "adam", "adamw")

MIN_POINTS, MAX_POINTS = 10, 600
"""How many points of one's own an experiment holds."""
MAX_CLASSES = 10
"""How many classes one's own points have at most."""
MAX_COORDINATE = 1e15
"""Coordinates of one's own points are below this in size."""
MAX_DRAWN = 1e6
"""Those of points that were drawn, and of the plane that they were drawn in, are below this."""
MAX_NAME = 30
"""Characters of the name of a column or a class."""

SMALL_REMAINDER = 0.25
"""A last batch of at most this share of the batch size joins the batch before it."""

MAX_LANES = 1024
_LINK_KEY = "e"
_LINK_LIMIT = 20_000  # characters of a link that are looked at, and bytes it may unpack to


class SpecError(ValueError):
    """What a person wrote does not describe an experiment; the text says what to change."""

    def __init__(self, text: str) -> None:
        # half a surrogate pair, which JSON can spell, goes into no terminal and no page
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


# --- what was meant ---------------------------------------------------------------------------

_OTHER_NAMES = {"learning_rate": "lr", "p": "dropout", "rate": "dropout"}
"""What other libraries call a field, and its name here."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `` (did you mean this?)`` with the name that a mistyped one is closest to, or "".

    Case does not count. A field that stands in the wrong group, or in none, is found by its own
    name.
    """
    if len(word) > 80:
        return ""
    import difflib  # only here: it is needed for a mistake alone

    group, _, last = word.lower().rpartition(".")
    last = _OTHER_NAMES.get(last, last)
    for of_group in (True, False):
        by_last: dict[str, str] = {}
        for name in known:
            its_group, _, its_last = name.lower().rpartition(".")
            if its_group == group or not of_group:
                by_last.setdefault(its_last, name)
        close = difflib.get_close_matches(last, by_last, n=1, cutoff=0.7)
        if close:
            return f" (did you mean {by_last[close[0]]}?)"
    return ""


@functools.cache
def known_paths() -> tuple[str, ...]:
    """Return the paths of all groups and fields, those of own data too."""
    groups = tuple(f.name for f in dataclasses.fields(Experiment))
    return (*groups, *field_names(), *(f"data.{name}" for name in OWN_FIELDS))


# --- checks: each takes (field name, value) and returns the value in its one canonical form ---

Check = Callable[[str, Any], Any]


def _shown(value: object) -> str:
    """Return ``value`` as it stood in the file, short enough for one sentence."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def _number(low: float = -math.inf, high: float = math.inf, *, below: bool = False) -> Check:
    """A finite real number with ``low <= value <= high`` (``value < high`` with ``below``)."""
    if below:
        wanted = f"a number from {low:g} up to, but not including, {high:g}"
    elif high == math.inf:
        wanted = f"a number of at least {low:g}"
    else:
        wanted = f"a number from {low:g} to {high:g}"

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{name}: got {_shown(value)}; give {wanted}.")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        inside = low <= number <= high and not (below and number == high)
        if not (math.isfinite(number) and inside):
            raise SpecError(f"{name}: got {_shown(value)}; give {wanted}.")
        return number + 0.0  # -0.0 becomes 0.0: equal values must have equal texts

    return check


def _whole(low: int, high: int) -> Check:
    """A whole number with ``low <= value <= high``."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SpecError(
                f"{name}: got {_shown(value)}; give a whole number from {low} to {high}."
            )
        return int(value)

    return check


def _choice(*options: str) -> Check:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            meant = did_you_mean(value, options) if isinstance(value, str) else ""
            raise SpecError(
                f"{name}: got {_shown(value)}{meant}; choose one of {', '.join(options)}."
            )
        return value

    return check


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{name}: got {_shown(value)}; give true or false.")
    return value


def _optional(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _list_of(check: Check, most: int) -> Check:
    def check_list(name: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SpecError(f"{name}: got {_shown(value)}; give a list.")
        if len(value) > most:
            raise SpecError(f"{name}: got {len(value)} entries; give at most {most}.")
        return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))

    return check_list


def _one_or_list(check: Check, most: int) -> Check:
    many = _list_of(check, most)

    def check_either(name: str, value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return many(name, value)
        return check(name, value)

    return check_either


def is_name(text: str) -> bool:
    """Whether a text may name a column or a class: short, printable, nothing of markup in it."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not set(text) & set("<>&")


def _names(most: int) -> Check:
    """A list of two to ``most`` names."""
    many = "two" if most == 2 else f"two to {most}"

    def check(name: str, value: Any) -> tuple[str, ...]:
        if (
            isinstance(value, str)
            or not isinstance(value, Sequence)
            or not 2 <= len(value) <= most
            or not all(isinstance(entry, str) and is_name(entry) for entry in value)
        ):
            raise SpecError(
                f"{name}: got {_shown(value)}; give a list of {many} names of 1 to {MAX_NAME} "
                "printable characters, without <, > and &."
            )
        return tuple(value)

    return check


Point = tuple[float, float, int]
"""One point of one's own: x0, x1 and the class, 0 to K - 1."""


def rounded(coordinate: float) -> float:
    """Return the coordinate of a point that was drawn as an experiment holds it: six digits."""
    return float(f"{coordinate:.6g}") + 0.0


def _points(name: str, value: Any) -> tuple[Point, ...]:
    """Points ``[x0, x1, class]`` of one's own; classes 0 to K - 1, each of them at least twice.

    K, from 2 to 10, is one more than the largest class among them.
    """
    if isinstance(value, str):  # what a link holds in their place
        raise SpecError(f"{name}: {_NOT_IN_LINKS}.")
    if not isinstance(value, Sequence):
        raise SpecError(f"{name}: got {_shown(value)}; give a list of points [x0, x1, class].")
    if not MIN_POINTS <= len(value) <= MAX_POINTS:
        raise SpecError(
            f"{name}: got {len(value)} points; give {MIN_POINTS} to {MAX_POINTS} of them."
        )
    out: list[Point] = []
    for i, point in enumerate(value):
        good = isinstance(point, Sequence) and not isinstance(point, str) and len(point) == 3
        if good:
            numbers = (isinstance(v, (int, float)) and not isinstance(v, bool) for v in point)
            # nan is not below anything; a whole number may be too long to become a float
            good = all(numbers) and all(abs(v) < MAX_COORDINATE for v in point[:2])
        if not good or point[2] not in range(MAX_CLASSES):
            raise SpecError(
                f"{name}[{i}]: got {_shown(point)}; give [x0, x1, class]: two numbers below "
                f"{MAX_COORDINATE:g} in size, and a whole number from 0 to {MAX_CLASSES - 1}."
            )
        out.append((float(point[0]) + 0.0, float(point[1]) + 0.0, int(point[2])))
    counts = [0] * max(2, 1 + max(y for *_, y in out))
    for *_, y in out:
        counts[y] += 1
    for label, count in enumerate(counts):
        if count < 2:
            raise SpecError(
                f"{name}: got {count} of class {label}; give at least 2 points of each class, "
                "which are numbered from 0 without a gap."
            )
    return tuple(out)


def _plane(name: str, value: Any) -> tuple[float, float, float, float]:
    """Part of the plane: x0 low and high, x1 low and high."""
    good = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 4
    if good:
        numbers = (isinstance(v, (int, float)) and not isinstance(v, bool) for v in value)
        good = all(numbers) and all(
            abs(v) < MAX_DRAWN and abs(rounded(v)) < MAX_DRAWN for v in value
        )
    if good:
        a, b, c, d = (rounded(v) for v in value)
        if a < b and c < d:
            return a, b, c, d
    raise SpecError(
        f"{name}: got {_shown(value)}; give [x0 low, x0 high, x1 low, x1 high], numbers below "
        f"{MAX_DRAWN:,.0f} in size."
    )


_NOT_IN_LINKS = (
    "own data does not travel in a link and is deleted when its session ends; load the table "
    "again, or open the experiment's file"
)


def _part(cls: type[Any]) -> Check:
    """A nested group of fields: the group itself, or the mapping it is written as."""

    def check(name: str, value: Any) -> Any:
        return value if isinstance(value, cls) else _from_mapping(cls, name, value)

    return check


def _field(default: Any, check: Check, *, extension: bool = False) -> Any:
    """A spec field. An ``extension`` came after the contract: it is written only when it is set,
    so that files, links and cache keys from before it stay what they were."""
    return field(default=default, metadata={"check": check, "extension": extension})


class _Checked:
    """Base of the groups: each field passes its check when the value is made."""

    _group = ""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            name = f"{self._group}.{f.name}" if self._group else f.name
            object.__setattr__(self, f.name, f.metadata["check"](name, getattr(self, f.name)))


@dataclass(frozen=True)
class DataSpec(_Checked):
    """Which data: generator, size, noise and the split into train and validation.

    With ``kind="csv"`` they are somebody's own: ``points`` holds ``(x0, x1, class)`` of each, in
    the units of its table, with all their digits, classes from 0 to K - 1 with K from 2 to
    10; ``columns`` and ``classes`` may name the two inputs and the K classes. Then ``n_samples``
    follows from the points, and ``noise`` is 0: they are taken as they are. Label noise,
    irrelevant features and the split work as ever.
    ``plane`` (x0 low, x0 high, x1 low, x1 high) says that the points, of two classes, were drawn
    in a picture of that part of the plane: their coordinates, to six significant digits, are used
    as they are, where those of a table are standardized, and the picture goes on to show at least
    that part.
    """

    _group = "data"

    kind: str = _field("moons", _choice(*DATA_KINDS, OWN_KIND))
    n_samples: int = _field(500, _whole(10, 20_000))
    noise: float = _field(0.3, _number(0, 10))
    label_noise: float = _field(0.0, _number(0, 0.5))
    irrelevant_features: int = _field(0, _whole(0, 200))
    val_fraction: float = _field(0.3, _number(0.05, 0.9))
    seed: int = _field(42, _whole(0, 2**31 - 1))
    points: tuple[Point, ...] | None = _field(None, _optional(_points), extension=True)
    columns: tuple[str, str] | None = _field(None, _optional(_names(2)), extension=True)
    classes: tuple[str, ...] | None = _field(None, _optional(_names(MAX_CLASSES)), extension=True)
    plane: tuple[float, float, float, float] | None = _field(
        None, _optional(_plane), extension=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind != OWN_KIND:
            for name in OWN_FIELDS:
                if getattr(self, name) is not None:
                    raise SpecError(
                        f"data.{name}: only data.kind {OWN_KIND} uses it, and the kind is "
                        f"{self.kind}; remove one of them."
                    )
            return
        if self.points is None:
            raise SpecError(
                f"data.points: got none; data.kind {OWN_KIND} needs {MIN_POINTS} to {MAX_POINTS} "
                "points [x0, x1, class]."
            )
        if self.classes is not None and len(self.classes) != self.n_classes:
            raise SpecError(
                f"data.classes: got {len(self.classes)} names for {self.n_classes} classes; give "
                "one for each."
            )
        if self.plane is not None and self.n_classes > 2:
            raise SpecError(
                f"data.plane: got one, and points of {self.n_classes} classes; only points of two "
                "classes are drawn, so remove it."
            )
        if self.plane is not None:
            for i, (a, b, _) in enumerate(self.points):
                if not max(abs(a), abs(b)) < MAX_DRAWN:
                    raise SpecError(
                        f"data.points[{i}]: got {_shown([a, b])}; points that were drawn, as "
                        f"data.plane says, have coordinates below {MAX_DRAWN:,.0f} in size."
                    )
            plain = tuple((rounded(a), rounded(b), y) for a, b, y in self.points)
            object.__setattr__(self, "points", plain)
        # what follows from the points has one spelling; a default means it was not given
        for name, follows in (("n_samples", len(self.points)), ("noise", 0.0)):
            value = getattr(self, name)
            if value not in (follows, getattr(DataSpec, name)):
                raise SpecError(
                    f"data.{name}: got {value:g}; own data are used unchanged, so leave it "
                    f"out or give {follows:g}."
                )
            object.__setattr__(self, name, follows)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        if self.points is not None:
            return 1 + max(y for *_, y in self.points)
        return 10 if self.kind == "digits" else 2

    @property
    def fingerprint(self) -> str:
        """What stands for one's own points in a link: it tells them from others, not what they
        are. Empty for data that are made."""
        if self.points is None:
            return ""
        text = json.dumps([getattr(self, name) for name in OWN_FIELDS])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


OWN_FIELDS = ("points", "columns", "classes", "plane")
"""Fields of :class:`DataSpec` that make up somebody's own data."""


@dataclass(frozen=True)
class ModelSpec(_Checked):
    """Which network.

    ``hidden`` holds, first to last, the units of each hidden layer of an ``mlp`` (``()`` is a
    linear model), the channels of each convolution of a ``cnn``, the units of an ``lstm``, or the
    feed-forward units of each block of a ``transformer``. ``embedding`` is the width of a token
    in a sequence model, ``heads`` the attention heads that share it. ``init_scale`` multiplies
    the initial weights, not the biases. ``norm_position`` says
    whether a norm stands before or after the activation; in a transformer, before each sub-layer
    (pre-norm) or after its sum (post-norm).
    """

    _group = "model"

    kind: str = _field("mlp", _choice(*MODEL_KINDS))
    hidden: tuple[int, ...] = _field((64, 64), _list_of(_whole(1, 4096), 8))
    activation: str = _field("relu", _choice(*ACTIVATIONS))
    norm: str | None = _field(None, _optional(_choice(*NORMS)))
    norm_position: str = _field("before", _choice(*NORM_POSITIONS))
    init_scale: float = _field(1.0, _number(0, 1000), extension=True)
    embedding: int = _field(16, _whole(1, 1024), extension=True)
    heads: int = _field(2, _whole(1, 64), extension=True)


@dataclass(frozen=True)
class EarlyStoppingSpec(_Checked):
    """Stop after ``patience`` epochs in a row without an improvement of the validation loss of
    more than ``min_delta`` (Keras' rule)."""

    _group = "regularization.early_stopping"

    patience: int = _field(10, _whole(0, 100_000))
    min_delta: float = _field(0.0, _number(0, 1000))
    restore_best_weights: bool = _field(True, _flag)


@dataclass(frozen=True)
class AugmentationSpec(_Checked):
    """How far training images are changed at random, anew in every epoch; 0 leaves them alone.

    ``degrees``: turned by up to so many, either way. ``translate``: shifted by up to this share
    of a side, both ways, 0 moving in (a crop of the padded image). ``scale``: enlarged by a
    factor from 1-scale to 1+scale. ``horizontal_flip``: the probability of being mirrored.
    ``brightness``, ``contrast``: by a factor from 1-strength to 1+strength.

    Noise on pixels is ``input_noise``. Names: torchvision's RandomAffine, RandomHorizontalFlip
    and ColorJitter.
    """

    _group = "regularization.augmentation"

    degrees: float = _field(0.0, _number(0, 180), extension=True)
    translate: float = _field(0.0, _number(0, 1), extension=True)
    scale: float = _field(0.0, _number(0, 1, below=True), extension=True)
    horizontal_flip: float = _field(0.0, _number(0, 1), extension=True)
    brightness: float = _field(0.0, _number(0, 1), extension=True)
    contrast: float = _field(0.0, _number(0, 1), extension=True)

    def scaled(self, factor: float) -> AugmentationSpec:
        """Return these strengths times ``factor``, each as far as it goes."""
        most = {"degrees": 180.0, "scale": 0.95}
        return AugmentationSpec(
            **{
                f.name: min(getattr(self, f.name) * factor, most.get(f.name, 1.0))
                for f in dataclasses.fields(self)
            }
        )


@dataclass(frozen=True)
class RegularizationSpec(_Checked):
    """How strongly each technique works; the defaults are all off.

    ``dropout`` is the probability of *dropping* a hidden unit, one for all hidden layers or one
    each. ``l1`` adds l1·Σ|w| and ``l2`` adds ½·l2·Σw² to the objective; ``weight_decay`` is what
    the torch optimizer of the run does under that name. All three act on weights, not on biases
    or normalization parameters, nor on embeddings.

    ``recurrent_dropout`` drops units of an LSTM's state on their way to the next step, with one
    mask for the whole sequence; ``attention_dropout`` drops attention weights and
    ``residual_dropout`` the outputs of a transformer's sub-layers before they are added.
    ``augmentation`` changes the images that are trained on, and only those.
    """

    _group = "regularization"

    dropout: float | tuple[float, ...] = _field(0.0, _one_or_list(_number(0, 1, below=True), 8))
    dropout_kind: str = _field("standard", _choice(*DROPOUT_KINDS))
    input_dropout: float = _field(0.0, _number(0, 1, below=True))
    l1: float = _field(0.0, _number(0, 1e6))
    l2: float = _field(0.0, _number(0, 1e6))
    weight_decay: float = _field(0.0, _number(0, 1e6))
    label_smoothing: float = _field(0.0, _number(0, 1, below=True))
    input_noise: float = _field(0.0, _number(0, 100))
    early_stopping: EarlyStoppingSpec | None = _field(None, _optional(_part(EarlyStoppingSpec)))
    recurrent_dropout: float = _field(0.0, _number(0, 1, below=True), extension=True)
    attention_dropout: float = _field(0.0, _number(0, 1, below=True), extension=True)
    residual_dropout: float = _field(0.0, _number(0, 1, below=True), extension=True)
    augmentation: AugmentationSpec | None = _field(
        None, _optional(_part(AugmentationSpec)), extension=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augmentation == AugmentationSpec():  # all off has one spelling
            object.__setattr__(self, "augmentation", None)

    @property
    def any(self) -> bool:
        """Whether anything at all is switched on."""
        off = RegularizationSpec(dropout_kind=self.dropout_kind)
        dropout = self.dropout if isinstance(self.dropout, tuple) else (self.dropout,)
        return any(dropout) or dataclasses.replace(self, dropout=0.0) != off


_NESTED: dict[str, type[Any]] = {
    "early_stopping": EarlyStoppingSpec,
    "augmentation": AugmentationSpec,
}
"""Fields of :class:`RegularizationSpec` that are groups of their own, off while None."""


def batch_ends(n: int, batch_size: int | None) -> list[int]:
    """Return where each mini-batch of an epoch of ``n`` points ends; ``None`` is the full batch.

    A remainder of one point, or of at most a quarter of the batch size, joins the batch before it:

    >>> batch_ends(70, 32), batch_ends(73, 32)
    ([32, 70], [32, 64, 73])

    A step on a few points is as long as one on a full batch, but mostly chance, and batch norm's
    statistics of them are worse: of one point the variance is 0, so the running variance, which
    every evaluation uses, settled at 0.47 of the true one (385 points, batches of 32). torch
    raises an error there, fastai drops such a batch; joining it leaves out no point. The rule is
    the same with and without batch norm, so that models to be compared see the same batches.
    """
    size = min(batch_size or n, n)
    ends = list(range(size, n + 1, size))
    remainder = n - ends[-1]
    if remainder > max(1, SMALL_REMAINDER * size):
        return [*ends, n]
    ends[-1] = n
    return ends


@dataclass(frozen=True)
class TrainingSpec(_Checked):
    """Optimizer, step size, batches, length and the seed of weights, batch order and masks.

    ``batch_size=None`` is the full batch; what becomes of a remainder is :func:`batch_ends`.
    ``momentum`` is SGD's (torch's convention).
    """

    _group = "training"

    optimizer: str = _field("adam", _choice(*OPTIMIZERS))
    lr: float = _field(0.001, _number(0, 1e6))
    batch_size: int | None = _field(32, _optional(_whole(1, 100_000)))
    epochs: int = _field(300, _whole(1, 100_000))
    seed: int = _field(0, _whole(0, 2**31 - 1))
    momentum: float = _field(0.0, _number(0, 1, below=True), extension=True)


@dataclass(frozen=True)
class Experiment(_Checked):
    """One run, wholly described. Make it with keywords, from a mapping, a file or a link.

    Raises
    ------
    SpecError
        For anything out of range, of the wrong type or unknown, by name.
    """

    data: DataSpec = field(default_factory=DataSpec, metadata={"check": _part(DataSpec)})
    model: ModelSpec = field(default_factory=ModelSpec, metadata={"check": _part(ModelSpec)})
    regularization: RegularizationSpec = field(
        default_factory=RegularizationSpec, metadata={"check": _part(RegularizationSpec)}
    )
    training: TrainingSpec = field(
        default_factory=TrainingSpec, metadata={"check": _part(TrainingSpec)}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        dropout, hidden = self.regularization.dropout, self.model.hidden
        if isinstance(dropout, tuple) and len(dropout) != len(hidden):
            raise SpecError(
                f"regularization.dropout: got {len(dropout)} rates for {len(hidden)} hidden "
                "layers; give one rate, or one for each hidden layer."
            )
        if self.n_val < 1 or self.n_train < 2:
            raise SpecError(
                f"data.val_fraction: got {self.data.val_fraction:g}, which leaves {self.n_train} "
                f"training and {self.n_val} validation points of {self.data.n_samples}; "
                "give more samples or another fraction."
            )
        if self.data.kind == "digits" and self.data.n_samples > 1700:
            raise SpecError(
                f"data.n_samples: got {self.data.n_samples}; the digits hold 1797 images and "
                "some are kept as the test set, so give at most 1700."
            )
        _check_kinds(self)

    @property
    def n_val(self) -> int:
        """Number of validation points."""
        return round(self.data.n_samples * self.data.val_fraction)

    @property
    def n_train(self) -> int:
        """Number of training points."""
        return self.data.n_samples - self.n_val

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """The dropout rate of each hidden layer."""
        p = self.regularization.dropout
        return p if isinstance(p, tuple) else (p,) * len(self.model.hidden)

    @classmethod
    def from_dict(cls, mapping: object) -> Experiment:
        """Read an experiment from the mapping that its JSON text holds."""
        return _from_mapping(cls, "", mapping)

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping of all fields, ready for JSON."""
        return _to_mapping(self)

    def canonical_json(self) -> str:
        """Return the one text that equal experiments share."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def replace(self, path: str, value: object) -> Experiment:
        """Return this experiment with the field at ``path`` (``"data.noise"``) set to ``value``.

        ``regularization.early_stopping.patience`` and its siblings switch early stopping on;
        ``regularization.augmentation.degrees`` and its siblings work alike.
        """
        mapping = self.to_dict()
        *groups, last = path.split(".")
        at: Any = mapping
        for name in groups:
            if name in _NESTED and isinstance(at, dict) and at.get(name) is None:
                at[name] = _to_mapping(_NESTED[name]())
            at = at.get(name) if isinstance(at, dict) else None
        if not isinstance(at, dict) or (last not in at and path not in field_names()):
            meant = did_you_mean(path, known_paths())
            raise SpecError(
                f"{path[:80]}: no such field{meant}; choose one of {', '.join(field_names())}."
            )
        at[last] = value
        return Experiment.from_dict(mapping)

    def without_regularization(self) -> Experiment:
        """Return the twin: the same in everything but with every technique switched off."""
        plain = RegularizationSpec(dropout_kind=self.regularization.dropout_kind)
        return dataclasses.replace(self, regularization=plain)


def _check_kinds(e: Experiment) -> None:
    """Refuse what does not go together, for one data set or one network.

    Raises
    ------
    SpecError
        With the field that should be another one, its value, and what to do.
    """
    data, model, regularization = e.data, e.model, e.regularization
    image, sequence = data.kind in IMAGE_KINDS, data.kind in SEQUENCE_KINDS

    def refuse(name: str, reason: str) -> None:
        value: Any = e
        for part in name.split("."):
            value = getattr(value, part)
        value = list(value) if isinstance(value, tuple) else value
        value = _to_mapping(value) if dataclasses.is_dataclass(value) else value
        raise SpecError(f"{name}: got {_shown(value)}; {reason}.")

    fitting = ("lstm", "transformer") if sequence else ("mlp", "cnn") if image else ("mlp",)
    if model.kind not in fitting:
        refuse("model.kind", f"for data.kind {data.kind} choose {' or '.join(fitting)}")
    if sequence:
        if data.noise > 1:
            refuse("data.noise", "in a sequence it is a probability, so give at most 1")
        if data.irrelevant_features:
            refuse("data.irrelevant_features", f"data.kind {data.kind} has none, so give 0")
        if regularization.input_noise:
            refuse("regularization.input_noise", "noise cannot be added to tokens, so give 0")
    if regularization.augmentation is not None:
        if not image:
            refuse("regularization.augmentation", f"data.kind {data.kind} has no images: remove it")
        if data.irrelevant_features:
            refuse("data.irrelevant_features", "only whole images can be augmented, so give 0")
    if model.kind == "cnn":
        if data.irrelevant_features:
            refuse("data.irrelevant_features", "a cnn takes images only, so give 0")
        if not model.hidden:
            refuse("model.hidden", "a cnn needs the channels of at least one convolution")
    if model.kind == "lstm":
        if len(model.hidden) != 1:
            refuse("model.hidden", "an lstm has one layer here, so give one number of units")
        if model.activation != ModelSpec.activation:
            refuse(
                "model.activation",
                f"an lstm always uses sigmoid gates and tanh, so leave {ModelSpec.activation}",
            )
    if model.kind == "transformer":
        if not model.hidden:
            refuse("model.hidden", "give the feed-forward units of at least one block")
        if model.embedding % model.heads:
            refuse("model.heads", f"give a divisor of model.embedding, which is {model.embedding}")
    norms = {"mlp": NORMS, "cnn": ("batch",), "lstm": (), "transformer": ("layer",)}[model.kind]
    if model.norm is not None and model.norm not in norms:
        refuse("model.norm", f"for model.kind {model.kind} choose {' or '.join((*norms, 'null'))}")
    if model.norm == "batch" and e.training.batch_size == 1:
        refuse(
            "training.batch_size",
            "batch norm needs the variance over a batch, and one sample has none, so give at least "
            "2, null for the full batch, or another model.norm",
        )
    kinds = {"mlp": ("standard", "alpha"), "cnn": DROPOUT_KINDS}.get(model.kind, ("standard",))
    if regularization.dropout_kind not in kinds:
        refuse(
            "regularization.dropout_kind",
            f"for model.kind {model.kind} choose {' or '.join(kinds)}",
        )
    for name, owner in (
        ("recurrent_dropout", "lstm"),
        ("attention_dropout", "transformer"),
        ("residual_dropout", "transformer"),
    ):
        if getattr(regularization, name) and model.kind != owner:
            refuse(f"regularization.{name}", f"only model.kind {owner} uses it, so give 0")


_S = TypeVar("_S")


def _from_mapping(cls: type[_S], name: str, mapping: object) -> _S:
    if not isinstance(mapping, Mapping):
        raise SpecError(
            f"{name or 'experiment'}: got {_shown(mapping)}; give an object with named fields."
        )
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in mapping:
        if key not in known:
            path = f"{name}.{key}" if name else str(key)
            meant = did_you_mean(path, known_paths())
            raise SpecError(
                f"{path[:80]}: unknown field{meant}; the fields here are {', '.join(known)}."
            )
    return cls(**mapping)


def _to_mapping(spec: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for f in dataclasses.fields(spec):
        value = getattr(spec, f.name)
        if f.metadata.get("extension") and value == f.default:
            continue
        if dataclasses.is_dataclass(value):
            value = _to_mapping(value)
        out[f.name] = _listed(value)
    return out


def _listed(value: Any) -> Any:
    return [_listed(entry) for entry in value] if isinstance(value, tuple) else value


@functools.cache
def field_names() -> tuple[str, ...]:
    """Return the path of every field of an experiment, as ``replace`` takes them.

    Own data is none of them: its fields belong together, and there is nothing to vary in them.
    """
    names: list[str] = []
    for group, cls in get_type_hints(Experiment).items():
        for f in dataclasses.fields(cls):
            if f.name in OWN_FIELDS:
                continue
            names.append(f"{group}.{f.name}")
            if f.name in _NESTED:
                nested = dataclasses.fields(_NESTED[f.name])
                names.extend(f"{group}.{f.name}.{g.name}" for g in nested)
    return tuple(names)


# --- texts, files and links ------------------------------------------------------------------


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise SpecError(f"{key[:80]}: given twice in one object; keep one of them.")
        out[key] = value
    return out


def parse_json(text: str | bytes) -> Any:
    """Parse JSON from outside; :class:`SpecError` in one sentence where it is none."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        # NaN and Infinity, which Python reads as numbers, are refused later, by their field
        return json.loads(text, object_pairs_hook=_refuse_twice)
    except SpecError:
        raise
    except json.JSONDecodeError as error:
        raise SpecError(
            f"the file is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except UnicodeDecodeError:
        raise SpecError("the file is not JSON: it is not UTF-8 text.") from None
    except RecursionError:
        raise SpecError("the file is nested too deeply; give an experiment object.") from None
    except ValueError:  # a whole number of thousands of digits
        raise SpecError("the file holds a number too long to read; give a shorter one.") from None


def experiments_from_json(text: str | bytes) -> tuple[Experiment, ...]:
    """Read one experiment, or ``{"experiments": [...]}``, from JSON text."""
    return experiments_from_value(parse_json(text))


def experiments_from_value(value: object) -> tuple[Experiment, ...]:
    """Read one experiment, or ``{"experiments": [...]}``, from a parsed JSON value."""
    if not (isinstance(value, Mapping) and "experiments" in value):
        return (Experiment.from_dict(value),)
    entries = value["experiments"]
    others = [key for key in value if key != "experiments"]
    if others:
        raise SpecError(f"{str(others[0])[:80]}: unknown field beside 'experiments'; remove it.")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_LANES:
        got = f"{len(entries)} entries" if isinstance(entries, list) else _shown(entries)
        raise SpecError(f"experiments: got {got}; give a list of 1 to {MAX_LANES} experiments.")
    out = []
    for i, entry in enumerate(entries):
        try:
            out.append(Experiment.from_dict(entry))
        except SpecError as error:
            raise SpecError(f"experiments[{i}]: {error}") from None
    return tuple(out)


def experiments_to_json(experiments: Sequence[Experiment], *, indent: int | None = 2) -> str:
    """Write experiments as the file that :func:`experiments_from_json` reads."""
    mappings = [e.to_dict() for e in experiments]
    points = [m["data"]["points"] for m in mappings if "points" in m["data"]]
    if indent is not None:  # of points, one to a line is enough
        for mapping in mappings:
            if "points" in mapping["data"]:
                mapping["data"]["points"] = _PLACE
    whole = mappings[0] if len(mappings) == 1 else {"experiments": mappings}
    first, *others = json.dumps(whole, indent=indent).split(json.dumps(_PLACE))
    pad = " " * (indent or 0) * (2 if len(mappings) == 1 else 4)
    text = first
    for own, rest in zip(points, others, strict=False):
        text += "[\n" + ",\n".join(f"{pad}{json.dumps(p)}" for p in own) + "]" + rest
    return text


_PLACE = "<points>"  # no name may hold such signs


def canonical_key(experiments: Iterable[Experiment]) -> str:
    """Return the text that equal lists of experiments share: the key of caches."""
    return "[" + ",".join(e.canonical_json() for e in experiments) + "]"


def _difference(mapping: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            inner = _difference(value, base[key])
            if inner:
                out[key] = inner
        elif key not in base or value != base[key]:
            out[key] = value
    return out


def pack_link(value: object) -> str:
    """Return a JSON value as the value of a link's query parameter: deflated, in URL-safe base64.

    The deflate stream ends in a checksum, so a link that lost its tail is refused, never misread.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    packed = zlib.compress(text.encode(), 9)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def unpack_link(link: str, what: str = "experiment") -> Any:
    """Read what :func:`pack_link` wrote.

    Raises
    ------
    SpecError
        If the text is too long, was cut or changed, or unpacks to something other than JSON.
    """
    broken = f"the link does not hold a whole {what} (was it cut off?); copy it again in full."
    if len(link) > _LINK_LIMIT:
        raise SpecError(broken)
    try:
        raw = link.encode("ascii")
        packed = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
        unpack = zlib.decompressobj()
        text = unpack.decompress(packed, _LINK_LIMIT)
    except (UnicodeEncodeError, binascii.Error, zlib.error):
        raise SpecError(broken) from None
    if not unpack.eof or unpack.unused_data:
        raise SpecError(broken)
    return parse_json(text)


def to_small(experiment: Experiment) -> dict[str, Any]:
    """Return what differs from the defaults: what a link holds of an experiment. Own data stays
    where it is: a link holds no more than its fingerprint."""
    mapping = experiment.to_dict()
    if experiment.data.points is not None:
        data = mapping["data"]
        for name in (*OWN_FIELDS, "n_samples", "noise"):
            data.pop(name, None)
        data["points"] = experiment.data.fingerprint
    return _difference(mapping, Experiment().to_dict())


def to_link(experiment: Experiment) -> str:
    """Return the experiment as the value of a link's query parameter: what differs from the
    defaults, packed."""
    return pack_link(to_small(experiment))


class OwnDataGone(SpecError):
    """A link is to an experiment on somebody's own data, which is not at hand.

    ``rest`` is the experiment in all else, on the usual data.
    """

    def __init__(self, text: str, rest: Experiment) -> None:
        super().__init__(text)
        self.rest = rest


def from_link(link: str, own: Mapping[str, DataSpec] | None = None) -> Experiment:
    """Read what :func:`to_link` wrote.

    Parameters
    ----------
    link
        The value of the query parameter.
    own
        Own data at hand, by its fingerprint.

    Raises
    ------
    SpecError
        If the text was cut, changed, or holds something that is not an experiment;
        :class:`OwnDataGone` if it is one on own data that is not at hand.
    """
    value = unpack_link(link)
    data = value.get("data") if isinstance(value, dict) else None
    mark = data.get("points") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(mark, str) or data.get("kind") != OWN_KIND:
        return Experiment.from_dict(value)
    kept = (own or {}).get(mark)
    if kept is not None:
        data |= {name: getattr(kept, name) for name in OWN_FIELDS}
        return Experiment.from_dict(value)
    del data["kind"], data["points"]
    raise OwnDataGone(f"data.points: {_NOT_IN_LINKS}.", Experiment.from_dict(value))
