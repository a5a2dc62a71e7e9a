"""A stack of networks whose backward pass is autograd's, with the interface of
:class:`~regviz.nn.layers.Network`.

Convolutions and recurrences spend their time in arithmetic. So autograd's bookkeeping costs little
beside it, and the backward pass need not be written by hand. Parameters stay in one flat vector:
the leaves of the graph are views of it, and gradients are copied into the vector of gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from regviz.nn.layers import PIECE, Parameters, Site
from regviz.nn.shapes import Shape, blocks

_N = TypeVar("_N", bound="AutogradNetwork")


@dataclass
class Pass:
    """The mode of one forward pass, and the intermediate values it collects.

    ``train`` uses statistics of the batch (and moves the running ones); ``masked`` lets dropout
    act. ``inputs`` collects the input of each weight matrix, ``shown`` what a frame shows of the
    network (feature maps, LSTM states, attention).
    """

    train: bool = False
    masked: bool = False
    inputs: list[Tensor] = field(default_factory=list)
    shown: list[Tensor] = field(default_factory=list)


class AutogradNetwork:
    """Base of stacked networks with autograd's backward pass.

    A subclass defines its dropout sites and running statistics (:meth:`build`), its initial
    weights (:meth:`initialize`) and its forward pass (:meth:`compute`); its parameters are
    :func:`regviz.nn.shapes.blocks`. Create it, train it and take lanes out of it under
    ``torch.no_grad()``, not in inference mode.
    """

    sites: list[Site]
    running: list[Tensor]

    def __init__(self, shape: Shape, lanes: int, device: str) -> None:
        self.shape = shape
        self._take(Parameters(lanes, blocks(shape), device))
        for name in self.parameters.slices:
            if name.endswith(".gamma"):
                self.parameters[name].fill_(1.0)

    def _take(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.values = {name: parameters[name] for name in parameters.slices}
        # detached views share memory with the flat vector: optimizer steps reach the leaves
        self.leaves = {name: v.detach().requires_grad_() for name, v in self.values.items()}
        self.logits: Tensor | None = None
        self.sites, self.running = [], []
        self.build()

    # --- defined by each kind of network ------------------------------------------------------

    def build(self) -> None:
        """Set up ``sites`` and ``running`` (tensors with a leading lane axis)."""
        raise NotImplementedError

    def initialize(self, lane: int, generator: Callable[[int], torch.Generator]) -> None:
        """Draw one lane's initial weights; ``generator(i)`` is the stream of layer i."""
        raise NotImplementedError

    def compute(
        self, w: Mapping[str, Tensor], x: Float[Tensor, "lanes batch inputs"], how: Pass
    ) -> Tensor:
        """Return the logits, (lanes, batch, outputs), from parameters ``w`` by name."""
        raise NotImplementedError

    @property
    def widest(self) -> int:
        """The largest number of activations that one sample has in one layer."""
        raise NotImplementedError

    # --- the interface that training uses -----------------------------------------------------

    def forward(self, x: Float[Tensor, "lanes batch inputs"], *, train: bool) -> Tensor:
        """Return the logits, (lanes, batch, outputs), detached from their graph."""
        if not train:
            return self.compute(self.values, x, Pass())
        with torch.enable_grad():
            self.logits = self.compute(self.leaves, x, Pass(train=True, masked=True))
        return self.logits.detach()

    def backward(self, dlogits: Float[Tensor, "lanes batch outputs"]) -> None:
        """Fill ``parameters.gradient`` from dL/dlogits of the last training forward pass."""
        if self.logits is None:
            raise RuntimeError("backward: call forward(x, train=True) first.")
        gradients = torch.autograd.grad(self.logits, list(self.leaves.values()), dlogits)
        self.logits = None
        for name, gradient in zip(self.leaves, gradients, strict=True):
            self.parameters.grad(name).copy_(gradient)

    def _pieces(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(max(32, PIECE // (x.shape[0] * self.widest)), dim=1)

    def evaluate(self, x: Float[Tensor, "lanes points inputs"]) -> Tensor:
        """Return the logits in evaluation mode, (lanes, points, outputs), in pieces that fit in
        the cache."""
        return torch.cat([self.forward(piece, train=False) for piece in self._pieces(x)], dim=1)

    def layer_inputs(self, x: Float[Tensor, "lanes batch inputs"]) -> list[Tensor]:
        """Return the input of each weight matrix in evaluation mode, each (lanes, batch, all
        numbers of one sample)."""
        seen = []
        for piece in self._pieces(x):
            how = Pass()
            self.compute(self.values, piece, how)
            seen.append(how.inputs)
        return [torch.cat(parts, dim=1) for parts in zip(*seen, strict=True)]

    @classmethod
    def join(cls: type[_N], parts: Sequence[tuple[_N, Sequence[int]]]) -> _N:
        """Return a network with copies of some lanes of several, part after part."""
        other = cls.__new__(cls)
        other.shape = parts[0][0].shape
        other._take(Parameters.join([(n.parameters, lanes) for n, lanes in parts]))
        for i, joined in enumerate(other.running):
            joined.copy_(torch.cat([n.running[i][list(lanes)] for n, lanes in parts]))
        return other

    def select(self: _N, lanes: Sequence[int]) -> _N:
        """Return a network with copies of some of the lanes."""
        return self.join([(self, lanes)])


def uniform_(weight: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill with uniform draws in ±``bound``, made on the CPU so that all devices agree."""
    weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)


def normal_(weight: Tensor, spread: float, generator: torch.Generator) -> None:
    """Fill with normal draws of standard deviation ``spread``, made on the CPU."""
    weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
