"""The one table of fields: every field of an experiment is declared here, once.

A field is a row of one of the groups below. Its check, its place in files and links, ``--over`` on
the command line, its control, its sweep, its words in captions and in names of runs, and its part
in "without regularization" all follow from the row; :data:`FIELDS` holds the rows by path. A test
walks the table: each row has a control, a caption and a sweep, or gives the reason why not.

The order of the rows is the order of names, and of the Playground's panel unless a row says
``after``. Extensions are written last in files.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from regviz.specs import own
from regviz.specs.checks import (
    Check,
    SpecError,
    choice,
    did_you_mean,
    flag,
    list_of,
    names,
    number,
    one_or_list,
    optional,
    shown,
    whole,
)
from regviz.specs.own import MAX_CLASSES, MAX_DRAWN, MAX_POINTS, MIN_POINTS, Point
from regviz.specs.rows import Choice, Custom, Field, Number, Range, Slider, Stops, Switch, row

DATA_KINDS = ("moons", "circles", "spirals", "xor", "blobs", "linear", "digits", "order")
"""Data sets that can be generated; :mod:`regviz.data.datasets` holds one function for each."""
OWN_KIND = "csv"
"""Own points, which the experiment itself holds."""

IMAGE_KINDS, SEQUENCE_KINDS = ("digits",), ("order",)
IMAGE_SIDE = 8
"""Height and width of an image in pixels."""
ALPHABET, SEQUENCE_LENGTH = 10, 20
"""Number of different tokens (0…9), and tokens in a sequence."""

MODEL_KINDS = ("mlp", "cnn", "lstm", "transformer")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "selu", "identity")
NORMS = ("batch", "layer")
NORM_POSITIONS = ("before", "after")
DROPOUT_KINDS = ("standard", "alpha", "spatial")
OPTIMIZERS = ("sgd", "adam", "adamw")
OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}

ALL = "all"
"""The full batch in the list of batch sizes; ``None`` in an experiment."""
SEEDS = 2**31
"""Seeds are whole numbers from 0 up to, but not including, this one."""


def _per_decade(first: int, last: int) -> tuple[float, ...]:
    """Return 1, 2 and 5 times each power of ten, from 10^first up to 10^last."""
    return (
        *(float(f"{m}e{e}") for e in range(first, last) for m in (1, 2, 5)),
        float(f"1e{last}"),
    )


_LAMBDAS = Stops((0.0, *_per_decade(-6, 0)))
_RATE = Slider(0.0, 0.9, 0.05)
_SHARE = Slider(0.0, 1.0, 0.05)

# why some fields are not on the Sweep page
_BY_COMMAND = "rarely swept, so left to the command line"
_WORDS = "its values are words; the command line sweeps them"
_SHAPE = "it changes the model's shape; the command line sweeps it"
_OTHER_MODEL = "the Sweep page trains an mlp, which does not use it"
_SEED = "seeds are repeated, not swept"
_LOADED = "it comes with the table or the drawing"


class Group:
    """Base of the groups: each field passes its check when the value is made."""

    group = ""

    def __post_init__(self) -> None:
        for f in file_order(type(self)):  # of several wrong values, the same one is always named
            name = f"{self.group}.{f.name}" if self.group else f.name
            object.__setattr__(self, f.name, check_of(f)(name, getattr(self, f.name)))


def check_of(f: dataclasses.Field[Any]) -> Check:
    """Return the check of a dataclass field: its row's, or the one it was declared with."""
    declared = f.metadata.get("row")
    check: Check = f.metadata["check"] if declared is None else declared.check
    return check


def part(cls: type[Any]) -> Check:
    """Check for a group of fields: the group itself, or the mapping that a file holds."""

    def check(name: str, value: Any) -> Any:
        return value if isinstance(value, cls) else from_mapping(cls, name, value)

    return check


# --- data ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataSpec(Group):
    """Which data: generator, size, noise and the split into training and validation.

    With ``kind="csv"`` they are own data: ``points`` holds ``(x0, x1, class)`` of each point, in
    the units of its table, with all digits, classes from 0 to K - 1 with K from 2 to 10;
    ``columns`` and ``classes`` may name the two inputs and the K classes. Then ``n_samples``
    follows from the points, and ``noise`` is 0: the points are used unchanged. Label noise,
    irrelevant features and the split work as for generated data.

    ``plane`` (x0 low, x0 high, x1 low, x1 high) says that the points, of two classes, were drawn
    in a picture of that part of the plane. Their coordinates, to six significant digits, are used
    as they are, while those of a table are standardized; the picture shows at least that part.
    """

    group = "data"

    kind: str = row(
        "moons",
        choice(*DATA_KINDS, OWN_KIND),
        "data set",
        phrase="kind {}",
        name="{}",
        control=Custom(name="data_set"),
        help="Which points the model is trained on.",
        tooltip=False,
        no_sweep=_WORDS,
    )
    n_samples: int = row(
        500,
        whole(10, 20_000),
        "samples",
        phrase="{} points",
        name="{} samples",
        control=Slider(50, 2000, 50, name="samples"),
        variants=(Slider(100, 1700, 50, name="images", label="Images"),),
        help="Training and validation together.",
        generated=True,
        no_sweep=_BY_COMMAND,
    )
    noise: float = row(
        0.3,
        number(0, 10),
        "noise",
        symbol="σ",
        label="Noise",
        control=_SHARE,
        variants=(
            Slider(
                0.0,
                1.0,
                0.05,
                name="token_noise",
                help="The probability that a token is replaced by one drawn at random.",
            ),
            Slider(
                0.0,
                1.0,
                0.05,
                name="pixel_noise",
                help="Standard deviation of the noise added once to every pixel; pixels are from "
                "0 to 1.",
            ),
        ),
        help="How far the points scatter around their class's shape.",
        generated=True,
        sweep=Range(0.0, 0.6, more=False, most=10),
    )
    label_noise: float = row(
        0.0,
        number(0, 0.5),
        "label noise",
        control=Slider(0.0, 0.5, 0.05),
        help="Probability that a training label is wrong. Validation labels stay true.",
        sweep=Range(0.0, 0.4, more=False, most=0.5),
    )
    irrelevant_features: int = row(
        0,
        whole(0, 200),
        "irrelevant features",
        phrase="{} irrelevant inputs",
        name="{} irrelevant",
        control=Slider(0, 50, 1),
        help="Inputs of pure noise, added to the two relevant ones.",
        no_sweep=_SHAPE,
    )
    val_fraction: float = row(
        0.3,
        number(0.05, 0.9),
        "validation fraction",
        phrase="validation share {}",
        name="{} % validation",
        control=Slider(0.1, 0.9, 0.05),
        help="The share of the samples that is kept for validation.",
        tooltip=False,
        no_sweep=_BY_COMMAND,
    )
    seed: int = row(
        42,
        whole(0, SEEDS - 1),
        "data seed",
        control=Number(0, SEEDS - 1, name="data_seed"),
        help="Another seed draws other points of the same kind; for own data, another split.",
        no_sweep=_SEED,
    )
    points: tuple[Point, ...] | None = row(
        None,
        optional(own.points),
        "points",
        help="Own points [x0, x1, class].",
        extension=True,
        no_control=_LOADED,
        no_sweep=_LOADED,
        no_caption="hundreds of numbers",
    )
    columns: tuple[str, str] | None = row(
        None,
        optional(names(2)),
        "columns",
        help="Names of the two inputs of own data.",
        extension=True,
        no_control=_LOADED,
        no_sweep=_LOADED,
        no_caption="written with the data set",
    )
    classes: tuple[str, ...] | None = row(
        None,
        optional(names(MAX_CLASSES)),
        "classes",
        help="Names of the classes of own data.",
        extension=True,
        no_control=_LOADED,
        no_sweep=_LOADED,
        no_caption="written with the data set",
    )
    plane: tuple[float, float, float, float] | None = row(
        None,
        optional(own.plane),
        "plane",
        help="The part of the plane that own points were drawn in.",
        extension=True,
        no_control=_LOADED,
        no_sweep=_LOADED,
        no_caption="the picture shows it",
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
                        f"data.points[{i}]: got {shown([a, b])}; points that were drawn, as "
                        f"data.plane says, have coordinates below {MAX_DRAWN:,.0f} in size."
                    )
            plain = tuple((own.rounded(a), own.rounded(b), y) for a, b, y in self.points)
            object.__setattr__(self, "points", plain)
        # these two follow from the points and have one spelling; a default counts as not given
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
        """A hash of the own points that stands for them in a link; empty for generated data."""
        if self.points is None:
            return ""
        text = json.dumps([getattr(self, name) for name in OWN_FIELDS])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


OWN_FIELDS = ("points", "columns", "classes", "plane")
"""Fields of :class:`DataSpec` that make up own data."""


# --- model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelSpec(Group):
    """Which network.

    ``hidden`` holds, first to last, the units of each hidden layer of an ``mlp`` (``()`` is a
    linear model), the channels of each convolution of a ``cnn``, the units of an ``lstm``, or the
    feed-forward units of each block of a ``transformer``. ``embedding`` is the width of a token
    in a sequence model, ``heads`` the number of attention heads that share it. ``init_scale``
    multiplies the initial weights, not the biases. ``norm_position`` says whether a norm stands
    before or after the activation; in a transformer, before each sub-layer (pre-norm) or after its
    sum (post-norm).
    """

    group = "model"

    kind: str = row(
        "mlp",
        choice(*MODEL_KINDS),
        "model",
        phrase="{}",
        name="{}",
        help="Which kind of network.",
        no_control="each page trains one kind",
        no_sweep=_WORDS,
    )
    hidden: tuple[int, ...] = row(
        (64, 64),
        list_of(whole(1, 4096), 8),
        "hidden",
        label="Hidden layers",
        name="{}",
        control=Custom(name="hidden_layers"),
        variants=(
            Custom(name="units"),
            Custom(name="channels"),
            Custom(name="convolutions"),
            Custom(name="blocks"),
        ),
        help="0 is a linear model.",
        no_sweep=_SHAPE,
    )
    activation: str = row(
        "relu",
        choice(*ACTIVATIONS),
        "activation",
        phrase="{}",
        name="{}",
        control=Choice(ACTIVATIONS),
        help="The nonlinear function behind each hidden layer.",
        tooltip=False,
        no_sweep=_WORDS,
    )
    norm: str | None = row(
        None,
        optional(choice(*NORMS)),
        "normalization",
        phrase="{} norm",
        phrases={None: "no norm"},
        name="{} norm",
        control=Choice((None, *NORMS), {None: "none"}, "{} norm"),
        variants=(
            Choice((None, "layer"), {None: "none"}, "{} norm", name="layer_norm"),
            Choice(
                (None, "batch"),
                {None: "none"},
                "batch norm (BatchNorm2d)",
                name="map_norm",
                help="Each map is normalized over the batch and all its positions.",
            ),
        ),
        help="Each layer's values are scaled to mean 0 and variance 1, over the batch or over the "
        "layer.",
        tooltip=False,
        no_sweep=_WORDS,
        off=None,
        kept=True,
    )
    norm_position: str = row(
        "before",
        choice(*NORM_POSITIONS),
        "normalization position",
        phrase="norm {} the activation",
        name="norm {}",
        control=Choice(NORM_POSITIONS, pattern="{} the activation"),
        variants=(
            Choice(
                NORM_POSITIONS,
                {"before": "before a sub-layer", "after": "after its sum"},
                name="block_norm_position",
            ),
        ),
        help="Where a layer is normalized.",
        tooltip=False,
        no_sweep=_WORDS,
    )
    init_scale: float = row(
        1.0,
        number(0, 1000),
        "initial weights",
        symbol="×",
        phrase="initial weights × {}",
        name="weights × {}",
        control=Stops((0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
        after="model.activation",
        help="Multiplies the usual initial weights, not the biases. Far from 1 is usually a bad "
        "start.",
        extension=True,
        no_sweep=_BY_COMMAND,
    )
    embedding: int = row(
        16,
        whole(1, 1024),
        "embedding",
        label="Token width",
        name="tokens {}",
        control=Stops((4, 8, 16, 32), name="token_width"),
        help="Length of each token's embedding.",
        extension=True,
        models=("lstm", "transformer"),
        data=SEQUENCE_KINDS,
        no_sweep=_OTHER_MODEL,
    )
    heads: int = row(
        2,
        whole(1, 64),
        "heads",
        name="{} heads",
        control=Stops((1, 2, 4)),
        help="The heads split the token's width between them.",
        extension=True,
        models=("transformer",),
        data=SEQUENCE_KINDS,
        no_sweep=_OTHER_MODEL,
    )


# --- regularization -----------------------------------------------------------------------------


@dataclass(frozen=True)
class EarlyStoppingSpec(Group):
    """Stop after ``patience`` epochs in a row without an improvement of the validation loss of
    more than ``min_delta`` (Keras' rule)."""

    group = "regularization.early_stopping"

    patience: int = row(
        10,
        whole(0, 100_000),
        "patience",
        phrase="early stopping, patience {}",
        control=Slider(0, 100, 1),
        help="Epochs in a row without an improvement before the run stops.",
        sweep=Range(0, 40, whole=True, more=False, most=1000),
        off=None,  # where it has a value, early stopping is on
    )
    min_delta: float = row(
        0.0,
        number(0, 1000),
        "min delta",
        control=Stops((0.0, *_per_decade(-5, -1))),
        help="The validation loss must fall by more than this to count as an improvement.",
        no_sweep=_BY_COMMAND,
    )
    restore_best_weights: bool = row(
        True,
        flag,
        "restore best weights",
        phrases={False: "last weights kept", True: "best weights restored"},
        control=Switch(),
        help="At the end of the run, go back to the weights of the best epoch; also where the run "
        "reaches its last epoch without stopping.",
        no_sweep=_WORDS,
    )


@dataclass(frozen=True)
class AugmentationSpec(Group):
    """How far training images are changed at random, anew in every epoch; 0 leaves them alone.

    ``degrees``: rotated by up to this angle, either way. ``translate``: shifted by up to this share
    of a side, both ways, with 0 moving in (a crop of the padded image). ``scale``: enlarged by a
    factor from 1-scale to 1+scale. ``horizontal_flip``: the probability of a mirror image.
    ``brightness``, ``contrast``: multiplied by a factor from 1-strength to 1+strength.

    Noise on pixels is ``input_noise``. Names: torchvision's RandomAffine, RandomHorizontalFlip
    and ColorJitter.
    """

    group = "regularization.augmentation"

    degrees: float = row(
        0.0,
        number(0, 180),
        "degrees",
        name="turn {}",
        control=Stops((0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0)),
        help="Each training image is rotated by up to this angle, in either direction.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )
    translate: float = row(
        0.0,
        number(0, 1),
        "translate",
        name="shift {}",
        control=Slider(0.0, 0.5, 0.05),
        help="Shifted by up to this fraction of a side in both directions; the rest is cropped.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )
    scale: float = row(
        0.0,
        number(0, 1, below=True),
        "scale",
        control=_RATE,
        help="Enlarged by a factor from 1-scale to 1+scale.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )
    horizontal_flip: float = row(
        0.0,
        number(0, 1),
        "horizontal flip",
        name="flip {}",
        control=_SHARE,
        help="The probability of a mirror image. A mirrored digit may no longer be a digit.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )
    brightness: float = row(
        0.0,
        number(0, 1),
        "brightness",
        control=_SHARE,
        help="Multiplied by a factor from 1-strength to 1+strength.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )
    contrast: float = row(
        0.0,
        number(0, 1),
        "contrast",
        control=_SHARE,
        help="Differences from the image's mean are multiplied by a factor from 1-strength to "
        "1+strength.",
        extension=True,
        data=IMAGE_KINDS,
        off=0.0,
        no_sweep=_BY_COMMAND,
    )

    def scaled(self, factor: float) -> AugmentationSpec:
        """Return these strengths times ``factor``, each at most its largest value."""
        most = {"degrees": 180.0, "scale": 0.95}
        return AugmentationSpec(
            **{
                f.name: min(getattr(self, f.name) * factor, most.get(f.name, 1.0))
                for f in dataclasses.fields(self)
            }
        )


@dataclass(frozen=True)
class RegularizationSpec(Group):
    """How strongly each technique acts; the defaults are all off.

    ``dropout`` is the probability of *dropping* a hidden unit, one for all hidden layers or one
    each. ``l1`` adds l1·Σ|w| and ``l2`` adds ½·l2·Σw² to the objective; ``weight_decay`` is what
    the torch optimizer of the run does under that name. All three act on weights, not on biases
    or normalization parameters, nor on embeddings.

    ``max_norm`` limits the norm of the weights into each unit, after every step.

    ``recurrent_dropout`` drops units of an LSTM's state on their way to the next step, with one
    mask for the whole sequence; ``attention_dropout`` drops attention weights and
    ``residual_dropout`` the outputs of a transformer's sub-layers before they are added.
    ``augmentation`` changes training images only.
    """

    group = "regularization"

    dropout: float | tuple[float, ...] = row(
        0.0,
        one_or_list(number(0, 1, below=True), 8),
        "dropout",
        symbol="p",
        control=Custom(),
        help="The probability that a hidden unit is dropped in a training step; what stays is "
        "scaled by 1/(1-p), and nothing is dropped when the model is used. Usual: 0.3-0.5 on "
        "hidden layers, the last one (before the output layer) included, 0.1-0.3 on inputs, none "
        "on the output itself.",
        usual="0.3–0.5 on hidden layers",
        sweep=Range(0.0, 0.9, most=0.95),
        off=0.0,
    )
    dropout_kind: str = row(
        "standard",
        choice(*DROPOUT_KINDS),
        "dropout kind",
        phrase="{} dropout",
        control=Choice(("standard", "alpha")),
        variants=(
            Choice(
                ("spatial", "standard"),
                {"spatial": "whole maps (Dropout2d)", "standard": "single units (Dropout)"},
                name="map_dropout_kind",
                help="Spatial dropout drops whole feature maps.",
            ),
        ),
        after="regularization.input_dropout",
        help="Alpha dropout keeps mean and variance of SELU networks, and of no others.",
        no_sweep=_WORDS,
    )
    input_dropout: float = row(
        0.0,
        number(0, 1, below=True),
        "input dropout",
        symbol="p",
        control=_RATE,
        after="regularization.early_stopping.restore_best_weights",
        help="Dropout on the input features. Usual: 0.1-0.3, and only with many features.",
        usual="0.1–0.3, with many features",
        no_sweep=_BY_COMMAND,
        off=0.0,
        part_of="regularization.dropout",
    )
    recurrent_dropout: float = row(
        0.0,
        number(0, 1, below=True),
        "recurrent dropout",
        symbol="p",
        control=_RATE,
        help="The probability that a unit's state is dropped on its way to the next step. One mask "
        "for the whole sequence, the same at every step.",
        usual="0.2–0.3",
        extension=True,
        models=("lstm",),
        no_sweep=_OTHER_MODEL,
        off=0.0,
    )
    attention_dropout: float = row(
        0.0,
        number(0, 1, below=True),
        "attention dropout",
        symbol="p",
        control=_RATE,
        help="The probability that an entry of the attention map is dropped in a training step; "
        "the others are scaled by 1/(1-p).",
        usual="0.1",
        extension=True,
        models=("transformer",),
        no_sweep=_OTHER_MODEL,
        off=0.0,
    )
    residual_dropout: float = row(
        0.0,
        number(0, 1, below=True),
        "residual dropout",
        symbol="p",
        control=_RATE,
        help="The probability that an output of a sub-layer is dropped in a training step, before "
        "it is added to the residual stream.",
        usual="0.1",
        extension=True,
        models=("transformer",),
        no_sweep=_OTHER_MODEL,
        off=0.0,
    )
    l1: float = row(
        0.0,
        number(0, 1e6),
        "L1",
        symbol="λ",
        control=_LAMBDAS,
        help="Adds λ·Σ|w| to the objective, by a proximal step, so weights become exactly 0 – with "
        "Adam, AdamW or the full batch. Plain SGD on mini-batches leaves most of them only near 0. "
        "Biases are not penalized.",
        sweep=Range(1e-6, 0.1, log=True, zero=True),
        off=0.0,
    )
    l2: float = row(
        0.0,
        number(0, 1e6),
        "L2",
        symbol="λ",
        control=_LAMBDAS,
        help="Adds ½·λ·Σw² to the objective (with the ½, so the gradient is λ·w). Biases are not "
        "penalized. With L1 as well it is the elastic net.",
        sweep=Range(1e-5, 1.0, log=True, zero=True),
        off=0.0,
    )
    weight_decay: float = row(
        0.0,
        number(0, 1e6),
        "weight decay",
        control=_LAMBDAS,
        help="What the optimizer of this run does under that name. SGD and Adam: λ·w is added to "
        "the gradient (for SGD the same as L2, for Adam scaled like any gradient). AdamW: "
        "decoupled, w shrinks by lr·λ·w each step. Biases are not decayed.",
        sweep=Range(1e-6, 1e-2, log=True, zero=True),
        off=0.0,
    )
    max_norm: float = row(
        0.0,
        number(0, 1000),
        "max-norm",
        symbol="c",
        control=Stops((0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0)),
        help="After every step, the weights into each unit are scaled back to a norm of at most c "
        "where they exceed it. 0 sets no limit. Biases are not limited.",
        usual="3–4, with dropout",
        sweep=Range(0.2, 10.0, log=True, more=False, least=0.01, most=1000),
        extension=True,
        off=0.0,
    )
    label_smoothing: float = row(
        0.0,
        number(0, 1, below=True),
        "label smoothing",
        symbol="ε",
        name="smoothing {}",
        control=Slider(0.0, 0.5, 0.05),
        help="Targets 0 and 1 become ε/2 and 1-ε/2 (in general ε/K and 1-ε+ε/K).",
        sweep=Range(0.0, 0.5, most=0.9),
        off=0.0,
    )
    input_noise: float = row(
        0.0,
        number(0, 100),
        "input noise",
        symbol="σ",
        control=_SHARE,
        help="Gaussian noise of this standard deviation on the inputs of every training step.",
        data=tuple(kind for kind in DATA_KINDS if kind not in SEQUENCE_KINDS),
        sweep=Range(0.0, 1.0, most=10),
        off=0.0,
    )
    augmentation: AugmentationSpec | None = row(
        None,
        optional(part(AugmentationSpec)),
        "augmentation",
        help="Random changes of the training images.",
        extension=True,
        data=IMAGE_KINDS,
        no_control="its parts have one each",
        no_caption="its parts are shown",
        no_sweep="its parts are numbers, and it is not",
        off=None,
    )
    early_stopping: EarlyStoppingSpec | None = row(
        None,
        optional(part(EarlyStoppingSpec)),
        "early stopping",
        control=Custom(),
        help="Stop when the validation loss has not improved for a while. Moving a slider below "
        "switches it on.",
        no_caption="its patience stands for it",
        no_sweep="its patience is swept",
        off=None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augmentation == AugmentationSpec():  # all off has one spelling
            object.__setattr__(self, "augmentation", None)

    @property
    def any(self) -> bool:
        """Whether a technique of this group is switched on."""
        return any(
            FIELDS[f"regularization.{f.name}"].is_on(getattr(self, f.name))
            for f in dataclasses.fields(self)
        )


# --- training -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingSpec(Group):
    """Optimizer, step size, batches, length and the seed of weights, batch order and masks.

    ``batch_size=None`` is the full batch; :func:`~regviz.specs.experiment.batch_ends` says how a
    remainder is handled. ``momentum`` is SGD's (torch's convention). ``clip_norm`` limits the norm
    of the gradient in each step. ``ema`` is the decay of the weights' moving average, with which
    the model is evaluated.
    """

    group = "training"

    optimizer: str = row(
        "adam",
        choice(*OPTIMIZERS),
        "optimizer",
        phrase="{}",
        name="{}",
        control=Choice(OPTIMIZERS, OPTIMIZER_NAMES),
        help="The rule that turns gradients into steps.",
        tooltip=False,
        no_sweep=_WORDS,
    )
    momentum: float = row(
        0.0,
        number(0, 1, below=True),
        "momentum",
        control=Slider(0.0, 0.95, 0.05),
        after="training.lr",
        help="The share of the last step that the next one keeps.",
        tooltip=False,
        only_with=("training.optimizer", ("sgd",)),
        extension=True,
        no_sweep=_BY_COMMAND,
    )
    lr: float = row(
        0.001,
        number(0, 1e6),
        "learning rate",
        name="lr {}",
        control=Stops(_per_decade(-5, 3)),
        help="The step size. If it is far too large, the run may diverge.",
        sweep=Range(1e-4, 0.1, log=True, more=False, least=1e-9),
    )
    clip_norm: float = row(
        0.0,
        number(0, 1e6),
        "clip norm",
        name="clip {}",
        control=Stops((0.0, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0)),
        help="In every step, a gradient with a norm above this value is scaled down to it. The "
        "norm is taken over all parameters together. 0 clips nothing.",
        usual="0.5–5",
        sweep=Range(0.01, 10.0, log=True, more=False, least=1e-6, most=1e6),
        extension=True,
        off=0.0,
    )
    ema: float = row(
        0.0,
        number(0, 1, below=True),
        "weight averaging",
        name="averaging {}",
        control=Stops((0.0, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)),
        help="The model predicts with a moving average of its weights. In every step the average "
        "keeps this share of itself; the rest comes from the new weights. Training goes on from "
        "the last weights, so it is not changed. 0 averages nothing.",
        usual="0.99–0.999",
        sweep=Range(0.0, 0.95, most=0.9999),
        extension=True,
        off=0.0,
    )
    batch_size: int | None = row(
        32,
        optional(whole(1, 100_000)),
        "batch size",
        phrases={None: "full batch"},
        name="batch {}",
        control=Stops((2, 4, 8, 16, 32, 64, 128, 256, ALL)),
        help="Training points in one step. A remainder of one point, or of at most a quarter of "
        "the batch size, joins the last batch.",
        no_sweep=_BY_COMMAND,
    )
    epochs: int = row(
        300,
        whole(1, 100_000),
        "epochs",
        phrase="{} epochs",
        name="{} epochs",
        control=Slider(10, 1000, 10),
        help="How often training goes through all training points.",
        tooltip=False,
        no_sweep="curves show every epoch of one run",
    )
    seed: int = row(
        0,
        whole(0, SEEDS - 1),
        "seed",
        control=Number(0, SEEDS - 1),
        help="Initial weights, batch order and dropout masks; the same for both models.",
        no_sweep=_SEED,
    )


# --- the table ----------------------------------------------------------------------------------

GROUPS: dict[str, type[Any]] = {
    "data": DataSpec,
    "model": ModelSpec,
    "regularization": RegularizationSpec,
    "training": TrainingSpec,
}
"""The groups of an experiment, in the order of its file."""
PARTS: dict[str, type[Any]] = {
    "regularization.early_stopping": EarlyStoppingSpec,
    "regularization.augmentation": AugmentationSpec,
}
"""Fields that are groups themselves, off while None."""


def _rows(path: str, cls: type[Any]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for f in dataclasses.fields(cls):
        at = f"{path}.{f.name}"
        found[at] = f.metadata["row"].at(at)
        if at in PARTS:
            found |= _rows(at, PARTS[at])
    return found


FIELDS: dict[str, Field] = {
    path: made for group, cls in GROUPS.items() for path, made in _rows(group, cls).items()
}
"""Every field by its path, in the order of the table."""


def file_order(cls: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    """Return a group's dataclass fields as files hold them: extensions last."""
    if cls not in _ORDERS:
        _ORDERS[cls] = tuple(sorted(dataclasses.fields(cls), key=_is_extension))
    return _ORDERS[cls]


_ORDERS: dict[type[Any], tuple[dataclasses.Field[Any], ...]] = {}


def _is_extension(f: dataclasses.Field[Any]) -> bool:
    declared = f.metadata.get("row")
    return declared is not None and declared.extension


@functools.cache
def field_names() -> tuple[str, ...]:
    """Return the path of every field that can be replaced on its own, in the order of files.

    The fields of own data are left out: they belong together, and there is nothing to vary.
    """
    found: list[str] = []

    def walk(path: str, cls: type[Any]) -> None:
        for f in file_order(cls):
            at = f"{path}.{f.name}"
            if path == "data" and f.name in OWN_FIELDS:
                continue
            found.append(at)
            if at in PARTS:
                walk(at, PARTS[at])

    for group, cls in GROUPS.items():
        walk(group, cls)
    return tuple(found)


@functools.cache
def known_paths() -> tuple[str, ...]:
    """Return the paths of all groups and fields, own data included."""
    return (*GROUPS, *field_names(), *(f"data.{name}" for name in OWN_FIELDS))


# --- mappings -----------------------------------------------------------------------------------

_S = TypeVar("_S")


def from_mapping(cls: type[_S], name: str, mapping: object) -> _S:
    """Return a group from the mapping that a file holds; ``name`` is the group's path.

    Raises
    ------
    SpecError
        If it is no mapping, has an unknown key, or a value that does not pass its check.
    """
    if not isinstance(mapping, Mapping):
        raise SpecError(
            f"{name or 'experiment'}: got {shown(mapping)}; give an object with named fields."
        )
    known = [f.name for f in file_order(cls)]
    for key in mapping:
        if key not in known:
            path = f"{name}.{key}" if name else str(key)
            meant = did_you_mean(path, known_paths())
            raise SpecError(
                f"{path[:80]}: unknown field{meant}; the fields here are {', '.join(known)}."
            )
    return cls(**mapping)


def to_mapping(group: Any) -> dict[str, Any]:
    """Return a group as the mapping that a file holds, ready for JSON."""
    out: dict[str, Any] = {}
    for f in file_order(type(group)):
        value = getattr(group, f.name)
        if _is_extension(f) and value == f.default:
            continue
        out[f.name] = to_mapping(value) if dataclasses.is_dataclass(value) else _listed(value)
    return out


def _listed(value: Any) -> Any:
    return [_listed(entry) for entry in value] if isinstance(value, tuple) else value
