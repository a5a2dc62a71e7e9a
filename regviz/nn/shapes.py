"""Shapes and parameter counts of every kind of network, without torch.

The networks lay out their parameters by :func:`blocks`, and the web process counts the same
blocks before it sends an experiment to a trainer. So a limit on the number of parameters cannot
disagree with the network that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from regviz.specs import (
    ALPHABET,
    IMAGE_KINDS,
    IMAGE_SIDE,
    SEQUENCE_KINDS,
    SEQUENCE_LENGTH,
    Experiment,
)

KERNEL = 3
"""Height and width of a convolution's kernel, in pixels."""


class Block(NamedTuple):
    """One named parameter tensor.

    ``shape`` leaves out the lane axis. Penalties act on blocks where ``is_weight`` is true: not on
    biases, the parameters of norms, or embeddings.
    """

    name: str
    shape: tuple[int, ...]
    is_weight: bool


@dataclass(frozen=True)
class Shape:
    """What must be equal for networks to be lanes of one stack.

    ``inputs`` and ``outputs`` are numbers per sample: features, pixels or tokens in; one logit for
    two classes, else one per class, out. The other fields are those of
    :class:`~regviz.specs.ModelSpec` and :class:`~regviz.specs.RegularizationSpec`.
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    activation: str
    norm: str | None
    norm_position: str
    kind: str = "mlp"
    dropout_kind: str = "standard"
    embedding: int = 16
    heads: int = 2

    @classmethod
    def of(cls, experiment: Experiment) -> Shape:
        """Return the shape of an experiment's network."""
        data, model = experiment.data, experiment.model
        features = 2
        if data.kind in IMAGE_KINDS:
            features = IMAGE_SIDE**2
        elif data.kind in SEQUENCE_KINDS:
            features = SEQUENCE_LENGTH
        return cls(
            inputs=features + data.irrelevant_features,
            hidden=model.hidden,
            outputs=1 if data.n_classes == 2 else data.n_classes,
            activation=model.activation,
            norm=model.norm,
            norm_position=model.norm_position,
            kind=model.kind,
            dropout_kind=experiment.regularization.dropout_kind,
            embedding=model.embedding,
            heads=model.heads,
        )

    @property
    def has_hidden_bias(self) -> bool:
        """Whether hidden layers of an ``mlp`` or ``cnn`` have a bias.

        Right before batch normalization there is none: the mean is subtracted again and β takes
        its place (Ioffe & Szegedy 2015, section 3.2). Left in, its gradient would be nothing but
        rounding noise, which Adam scales up to full steps.
        """
        return not (self.norm == "batch" and self.norm_position == "before")


def layer_names(shape: Shape) -> tuple[str, ...]:
    """Return the name of each weight matrix of an ``mlp``, first to last."""
    return (*(f"hidden {i + 1}" for i in range(len(shape.hidden))), "output")


def map_sides(n_layers: int) -> tuple[int, ...]:
    """Return the side, in pixels, of the maps that enter each convolution, and last of those that
    leave the network: halved after each convolution while they are larger than 2x2."""
    sides = [IMAGE_SIDE]
    for _ in range(n_layers):
        sides.append(sides[-1] // 2 if sides[-1] > 2 else sides[-1])
    return tuple(sides)


def blocks(shape: Shape) -> list[Block]:
    """Return every parameter tensor of a network, in the order in which it is laid out."""
    return _BLOCKS[shape.kind](shape)


def parameter_count(shape: Shape) -> int:
    """Return the number of weights, biases, norm parameters and embeddings of one network."""
    return sum(math.prod(block.shape) for block in blocks(shape))


def _affine(name: str, inputs: int, outputs: int) -> list[Block]:
    return [Block(name, (inputs, outputs), True), Block(name + ".bias", (1, outputs), False)]


def _norm(name: str, units: int) -> list[Block]:
    return [Block(name + ".gamma", (1, units), False), Block(name + ".beta", (1, units), False)]


def _hidden(shape: Shape, name: str, inputs: int, units: int) -> list[Block]:
    """Return one hidden layer's weights, its bias where there is one, and its norm's parameters."""
    weight, bias = _affine(name, inputs, units)
    found = [weight, bias] if shape.has_hidden_bias else [weight]
    return found if shape.norm is None else found + _norm(name, units)


def _mlp(shape: Shape) -> list[Block]:
    found: list[Block] = []
    inputs = shape.inputs
    for name, units in zip(layer_names(shape), shape.hidden, strict=False):
        found += _hidden(shape, name, inputs, units)
        inputs = units
    return found + _affine("output", inputs, shape.outputs)


def _cnn(shape: Shape) -> list[Block]:
    found: list[Block] = []
    channels = 1
    for i, units in enumerate(shape.hidden, start=1):
        found += _hidden(shape, f"conv {i}", channels * KERNEL**2, units)
        channels = units
    pixels = map_sides(len(shape.hidden))[-1] ** 2
    return found + _affine("output", channels * pixels, shape.outputs)


def _lstm(shape: Shape) -> list[Block]:
    (units,), width = shape.hidden, shape.embedding
    gates = 4 * units  # input, forget, candidate, output
    return [
        Block("kernel", (width, gates), True),
        Block("recurrent", (units, gates), True),
        Block("output", (units, shape.outputs), True),
        Block("embedding", (ALPHABET, width), False),
        Block("kernel.bias", (1, gates), False),
        Block("output.bias", (1, shape.outputs), False),
    ]


def _transformer(shape: Shape) -> list[Block]:
    width = shape.embedding
    found: list[Block] = []
    for i, units in enumerate(shape.hidden, start=1):
        found += _affine(f"attention {i}", width, 3 * width)  # queries, keys, values
        found += _affine(f"projection {i}", width, width)
        found += _affine(f"expansion {i}", width, units)
        found += _affine(f"contraction {i}", units, width)
        if shape.norm is not None:
            found += _norm(f"attention {i}", width) + _norm(f"expansion {i}", width)
    found += _affine("output", width, shape.outputs)
    found.append(Block("embedding", (ALPHABET, width), False))
    found.append(Block("position", (shape.inputs, width), False))
    return found


_BLOCKS: dict[str, Callable[[Shape], list[Block]]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "lstm": _lstm,
    "transformer": _transformer,
}
