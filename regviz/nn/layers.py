"""Layers for a stack of lanes, each with its forward and backward pass written out.

Every parameter has a leading lane axis and every layer is a batched product, so K small networks
cost little more than one. The backward passes are by hand because autograd's bookkeeping costs
as much as the arithmetic of networks this small; tests hold each of them against autograd.

A layer keeps from ``forward`` what its ``backward`` needs. ``backward`` takes dL/d(output),
writes the gradients of its parameters into :attr:`Parameters.gradient` and returns dL/d(input).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from regviz.nn.shapes import Shape, blocks, layer_names

BATCH_NORM_EPS = 1e-5
BATCH_NORM_MOMENTUM = 0.1
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
PIECE = 2**17  # activations of one layer that `Network.evaluate` computes at a time
ALPHA_PRIME = -SELU_SCALE * SELU_ALPHA  # the limit of SELU for very negative inputs


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "selu": torch.selu,
    "identity": lambda x: x,
}
"""The activations as functions, for networks whose backward pass is autograd's."""


class Parameters:
    """All parameters of a stack in one flat vector, and their gradients in another.

    Each named block is a contiguous (lanes, *shape) tensor; weight matrices come first, so that
    penalties act on ``flat[:n_weights]`` and optimizers on all of it in a handful of operations.
    Layers hold views of both vectors, which must therefore be changed in place.
    """

    def __init__(
        self, lanes: int, blocks: Sequence[tuple[str, tuple[int, ...], bool]], device: str
    ) -> None:
        """Lay out blocks, as :func:`regviz.nn.shapes.blocks` returns them, for so many lanes."""
        ordered = [b for b in blocks if b[2]] + [b for b in blocks if not b[2]]
        self.lanes = lanes
        self.device = device
        self.blocks = blocks
        self.slices: dict[str, tuple[slice, tuple[int, ...]]] = {}
        at = 0
        for name, shape, is_weight in ordered:
            size = lanes * math.prod(shape)
            self.slices[name] = (slice(at, at + size), (lanes, *shape))
            at += size
            if is_weight:
                self.n_weights = at
        self.flat = torch.zeros(at, device=device)
        self.gradient = torch.zeros(at, device=device)
        self.weights = self.flat[: self.n_weights]
        self.weight_names = [name for name, _, is_weight in blocks if is_weight]

    @property
    def lane_of(self) -> Int[Tensor, " n"]:
        """The lane that each entry of ``flat`` belongs to."""
        lanes = torch.arange(self.lanes, device=self.device)
        parts = [lanes.repeat_interleave(math.prod(s[1:])) for _, s in self.slices.values()]
        return torch.cat(parts)

    def spread(self, values: Sequence[float], *, weights: bool = False) -> Tensor | float:
        """Return one number where all lanes agree, else each lane's value at each of its entries,
        laid out like ``flat``, or like ``weights``."""
        if len(set(values)) == 1:
            return float(values[0])
        lane_of = self.lane_of[: self.n_weights] if weights else self.lane_of
        return torch.tensor(values, dtype=torch.float32, device=self.device)[lane_of]

    def view(self, flat: Tensor, name: str) -> Tensor:
        """Return one block of a vector that is laid out like ``flat``, as (lanes, *shape)."""
        where, shape = self.slices[name]
        return flat[where].view(shape)

    def __getitem__(self, name: str) -> Tensor:
        """Return a block of the parameters, (lanes, *shape), sharing memory."""
        return self.view(self.flat, name)

    def grad(self, name: str) -> Tensor:
        """Return a block of the gradients, (lanes, *shape), sharing memory."""
        return self.view(self.gradient, name)

    def take(self, flat: Tensor, lanes: Sequence[int]) -> Tensor:
        """Return the entries of some lanes of a vector laid out like ``flat``."""
        index = torch.tensor(lanes, device=flat.device)
        parts = [self.view(flat, name)[index].reshape(-1) for name in self.slices]
        return torch.cat(parts)

    @classmethod
    def join(cls, parts: Sequence[tuple[Parameters, Sequence[int]]]) -> Parameters:
        """Return copies of some lanes of several stacks, part after part."""
        first = parts[0][0]
        other = cls(sum(len(lanes) for _, lanes in parts), first.blocks, first.device)
        other.flat.copy_(other.join_flat([(p, p.flat, lanes) for p, lanes in parts]))
        return other

    def join_flat(self, parts: Sequence[tuple[Parameters, Tensor, Sequence[int]]]) -> Tensor:
        """Return entries of some lanes of several vectors, laid out like this ``flat``.

        Each part is (layout, vector, lanes): a vector laid out like that layout's ``flat``.
        """
        taken = [(p, torch.tensor(lanes, device=flat.device), flat) for p, flat, lanes in parts]
        blocks = [p.view(flat, name)[at] for name in self.slices for p, at, flat in taken]
        return torch.cat([block.reshape(-1) for block in blocks])


def copy_lanes_(layout: Parameters, target: Tensor, source: Tensor, lanes: Tensor) -> None:
    """Copy lanes from one vector into another where the bool vector ``lanes`` is true.

    Both vectors are laid out like ``layout.flat``.
    """
    for name in layout.slices:
        block = layout.view(target, name)
        block[lanes] = layout.view(source, name)[lanes]


class Linear:
    """Affine map y = x·W + b in every lane; W (lanes, in, out), b (lanes, 1, out) or absent.

    Source: ``torch.nn.Linear``, whose weight is the transpose of this one.
    """

    def __init__(self, parameters: Parameters, name: str, *, first: bool = False) -> None:
        self.weight, self.weight_grad = parameters[name], parameters.grad(name)
        self.bias = self.bias_grad = None
        if name + ".bias" in parameters.slices:
            self.bias = parameters[name + ".bias"]
            self.bias_grad = parameters.grad(name + ".bias")
        self.first = first
        # one output: the transposed products take a third of the time
        self.narrow = self.weight.shape[2] == 1

    def forward(self, x: Float[Tensor, "lanes batch inputs"], train: bool) -> Tensor:
        """Return (lanes, batch, outputs)."""
        if train:
            self.x = x
        if self.narrow:
            y = torch.bmm(self.weight.transpose(1, 2), x.transpose(1, 2))  # (lanes, 1, batch)
            y = y.transpose(1, 2)
            return y if self.bias is None else y.add_(self.bias)
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)

    def backward(self, dy: Float[Tensor, "lanes batch outputs"]) -> Tensor:
        """dW = xᵀ·dy, db = Σ dy, dx = dy·Wᵀ (not computed for the first layer)."""
        if self.bias_grad is not None:
            torch.sum(dy, dim=1, keepdim=True, out=self.bias_grad)
        if self.narrow:
            torch.bmm(dy.transpose(1, 2), self.x, out=self.weight_grad.transpose(1, 2))
            return dy if self.first else dy * self.weight.transpose(1, 2)
        torch.bmm(self.x.transpose(1, 2), dy, out=self.weight_grad)
        return dy if self.first else torch.bmm(dy, self.weight.transpose(1, 2))


class Activation:
    """An elementwise nonlinearity; the derivative is written in terms of the output h.

    relu: h = max(x, 0), h' = 1 where h > 0. tanh: 1 - h². sigmoid: h(1 - h). selu:
    h = s·x for x > 0 else s·α(eˣ - 1), h' = s or h + s·α. identity: 1.

    Source: ``torch.nn``; SELU: Klambauer et al. 2017.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def forward(self, x: Float[Tensor, "lanes batch units"], train: bool) -> Tensor:
        """Return (lanes, batch, units); may overwrite ``x``."""
        if self.kind == "relu":
            h = x.relu_()
        elif self.kind == "tanh":
            h = x.tanh_()
        elif self.kind == "sigmoid":
            h = x.sigmoid_()
        elif self.kind == "selu":
            h = torch.selu(x)
        else:
            h = x
        if train:
            self.h = h
        return h

    def backward(self, dh: Float[Tensor, "lanes batch units"]) -> Tensor:
        """Return dh·h'(x)."""
        h = self.h
        if self.kind == "relu":
            # one fused operation; multiplying by (h > 0) takes several times as long
            return torch.ops.aten.threshold_backward(dh, h, 0)
        if self.kind == "tanh":
            return torch.ops.aten.tanh_backward(dh, h)
        if self.kind == "sigmoid":
            return torch.ops.aten.sigmoid_backward(dh, h)
        if self.kind == "selu":
            return dh * torch.where(h > 0, SELU_SCALE, h + SELU_SCALE * SELU_ALPHA)
        return dh


class BatchNorm:
    """Batch normalization y = γ·(x - μ)/√(σ² + ε) + β, statistics over the batch in training and
    running ones in evaluation.

    The biased variance normalizes, the unbiased one feeds the running variance; a running
    statistic moves by 0.1 of the way to each new batch's (torch's momentum).

    A batch of one has no variance: its output is β, no gradient passes to x, and the running
    statistics stay as they are, where torch raises an error. Training has no such batch:
    :func:`regviz.specs.batch_ends` makes none, and experiments with ``batch_size`` 1 are refused.

    Source: Ioffe & Szegedy 2015; ``torch.nn.BatchNorm1d``.
    """

    def __init__(self, parameters: Parameters, name: str, running: Tensor) -> None:
        self.gamma, self.beta = parameters[name + ".gamma"], parameters[name + ".beta"]
        self.gamma_grad = parameters.grad(name + ".gamma")
        self.beta_grad = parameters.grad(name + ".beta")
        self.running = running  # (lanes, 2, units): running mean, running variance

    def forward(self, x: Float[Tensor, "lanes batch units"], train: bool) -> Tensor:
        """Return (lanes, batch, units); in training also moves the running statistics."""
        if not train:
            scale = self.gamma * torch.rsqrt(self.running[:, 1:] + BATCH_NORM_EPS)
            return torch.addcmul(self.beta - scale * self.running[:, :1], x, scale)
        n = x.shape[1]
        mean = x.mean(dim=1, keepdim=True)
        centred = x - mean
        variance = centred.square().mean(dim=1, keepdim=True)
        self.inverse = torch.rsqrt(variance + BATCH_NORM_EPS)
        self.normal = centred.mul_(self.inverse)
        if n > 1:
            seen = torch.cat([mean, variance * (n / (n - 1))], dim=1)
            self.running.lerp_(seen, BATCH_NORM_MOMENTUM)
        return torch.addcmul(self.beta, self.normal, self.gamma)

    def backward(self, dy: Float[Tensor, "lanes batch units"]) -> Tensor:
        """dx = γ/√(σ²+ε)·(dy - mean(dy) - x̂·mean(dy·x̂)), means over the batch."""
        normal, n = self.normal, dy.shape[1]
        torch.sum(dy, dim=1, keepdim=True, out=self.beta_grad)
        torch.sum(dy * normal, dim=1, keepdim=True, out=self.gamma_grad)
        dx = dy - self.beta_grad / n
        dx.addcmul_(normal, self.gamma_grad, value=-1 / n)
        return dx.mul_(self.gamma * self.inverse)


class LayerNorm:
    """Layer normalization y = γ·(x - μ)/√(σ² + ε) + β, statistics over the units of each sample,
    the same in training and evaluation.

    Source: Ba et al. 2016, arXiv 1607.06450; ``torch.nn.LayerNorm``.
    """

    def __init__(self, parameters: Parameters, name: str) -> None:
        self.gamma, self.beta = parameters[name + ".gamma"], parameters[name + ".beta"]
        self.gamma_grad = parameters.grad(name + ".gamma")
        self.beta_grad = parameters.grad(name + ".beta")

    def forward(self, x: Float[Tensor, "lanes batch units"], train: bool) -> Tensor:
        """Return (lanes, batch, units)."""
        centred = x - x.mean(dim=2, keepdim=True)
        inverse = torch.rsqrt(centred.square().mean(dim=2, keepdim=True) + BATCH_NORM_EPS)
        normal = centred.mul_(inverse)
        if train:
            self.inverse, self.normal = inverse, normal
        return torch.addcmul(self.beta, normal, self.gamma)

    def backward(self, dy: Float[Tensor, "lanes batch units"]) -> Tensor:
        """dx = (g - mean(g) - x̂·mean(g·x̂))/√(σ²+ε) with g = γ·dy, means over the units."""
        normal = self.normal
        torch.sum(dy, dim=1, keepdim=True, out=self.beta_grad)
        torch.sum(dy * normal, dim=1, keepdim=True, out=self.gamma_grad)
        g = dy * self.gamma
        dx = g - g.mean(dim=2, keepdim=True)
        dx -= normal * (g * normal).mean(dim=2, keepdim=True)
        return dx.mul_(self.inverse)


class Dropout:
    """Dropout with given masks: y = x·scale + shift, entry by entry, in training; the identity in
    evaluation.

    The stack sets ``scale`` and ``shift``, (lanes, batch, units), for each batch, from
    :func:`dropout_masks`. With ``scale`` None the layer is off.
    """

    def __init__(self) -> None:
        self.scale: Tensor | None = None
        self.shift: Tensor | None = None

    def forward(self, x: Float[Tensor, "lanes batch units"], train: bool) -> Tensor:
        """Return (lanes, batch, units)."""
        if not train or self.scale is None:
            return x
        y = x * self.scale
        return y if self.shift is None else y.add_(self.shift)

    def backward(self, dy: Float[Tensor, "lanes batch units"]) -> Tensor:
        """dx = dy·scale."""
        return dy if self.scale is None else dy * self.scale


def dropout_masks(
    uniform: Float[Tensor, "#lanes batch units"],
    p: Float[Tensor, " lanes"],
    kind: str,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Turn uniform draws u into the scale and shift of :class:`Dropout`.

    A unit is dropped where u < p, so lanes that share u drop nested sets: a larger p drops the
    same units and more.

    - ``standard`` (inverted dropout): kept units times 1/(1-p), dropped ones 0; E[y] = x,
      Var[y] = x²·p/(1-p). Source: Srivastava et al. 2014; ``torch.nn.Dropout``.
    - ``alpha``: dropped units become α' = -1.7581, then y ← a·y + b with q = 1-p,
      a = (q + α'²·q·(1-q))^(-1/2), b = -a·(1-q)·α', which keeps mean 0 and variance 1.
      Source: Klambauer et al. 2017; ``torch.nn.AlphaDropout``.

    Returns
    -------
    (scale, shift)
        Each (lanes, batch, units); shift is None for ``standard``. ``scale`` is written into
        ``out`` where that is given.
    """
    p = p.view(-1, 1, 1)
    if out is None:
        out = torch.empty(torch.broadcast_shapes(uniform.shape, p.shape), device=p.device)
    kept = torch.ge(uniform, p, out=out)  # straight to float: far faster than bool and a cast
    q = 1 - p
    if kind == "standard":
        return kept.mul_(1 / q), None
    a = (q + ALPHA_PRIME**2 * q * p).rsqrt()
    shift = (1 - kept).mul_(ALPHA_PRIME * a).add_(-a * p * ALPHA_PRIME)
    return kept.mul_(a), shift


def gaussian_noise(
    x: Float[Tensor, "lanes batch inputs"],
    sigma: Float[Tensor, "lanes 1 1"],
    normal: Float[Tensor, "#lanes batch inputs"],
) -> Tensor:
    """Return x + σ·ε with standard normal draws ε; in training only, new ones in every step.

    Lanes that share ε get the same noise, each scaled by its σ.

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """
    return x + sigma * normal


@dataclass(frozen=True)
class Site:
    """A place in a network where a dropout mask acts.

    ``rate`` names its field of :class:`~regviz.specs.RegularizationSpec`; ``layer`` is the number
    of the hidden layer, counted from 0, for a field with one rate per layer. ``units`` is the
    number of draws per sample, ``kind`` as in :func:`dropout_masks`.
    """

    drop: Dropout
    rate: str
    layer: int
    units: int
    kind: str = "standard"


Layer = Linear | Activation | BatchNorm | LayerNorm | Dropout


class Network:
    """A stack of multilayer perceptrons: linear → [norm] → activation → [norm] → dropout for each
    entry of ``hidden``, then a linear output (one logit for two classes, else one per class).

    A linear layer right before batch normalization has no bias (:attr:`Shape.has_hidden_bias`).
    """

    def __init__(self, shape: Shape, lanes: int, device: str) -> None:
        self.shape = shape
        self._build(Parameters(lanes, blocks(shape), device))
        for name in self.parameters.slices:
            if name.endswith(".gamma"):
                self.parameters[name].fill_(1.0)

    def _build(self, parameters: Parameters) -> None:
        shape = self.shape
        self.parameters = parameters
        self.running: list[Tensor] = []
        self.input_dropout = Dropout()
        self.dropouts: list[Dropout] = []
        self.layers: list[Layer] = [self.input_dropout]
        for i, name in enumerate(layer_names(shape)):
            self.layers.append(Linear(parameters, name, first=i == 0))
            if name == "output":
                break
            steps: list[Layer] = [Activation(shape.activation)]
            if shape.norm == "batch":
                running = torch.zeros(parameters.lanes, 2, shape.hidden[i])
                running[:, 1] = 1.0
                self.running.append(running.to(parameters.device))
                steps.append(BatchNorm(parameters, name, self.running[-1]))
            elif shape.norm == "layer":
                steps.append(LayerNorm(parameters, name))
            if shape.norm_position == "before":
                steps.reverse()
            self.dropouts.append(Dropout())
            self.layers += [*steps, self.dropouts[-1]]
        self.sites = [Site(self.input_dropout, "input_dropout", 0, shape.inputs)]
        for i, (drop, units) in enumerate(zip(self.dropouts, shape.hidden, strict=True)):
            self.sites.append(Site(drop, "dropout", i, units, shape.dropout_kind))

    @property
    def widest(self) -> int:
        """The largest number of activations that one sample has in one layer."""
        return max(self.shape.inputs, *self.shape.hidden, 1)

    def initialize(self, lane: int, generator: Callable[[int], torch.Generator]) -> None:
        """Draw one lane's initial weights; ``generator(i)`` is the stream of layer i."""
        layers = range(len(self.shape.hidden) + 1)
        initialize(self.parameters, lane, self.shape, [generator(i) for i in layers])

    def forward(self, x: Float[Tensor, "lanes batch inputs"], *, train: bool) -> Tensor:
        """Return the logits, (lanes, batch, outputs)."""
        for layer in self.layers:
            x = layer.forward(x, train)
        return x

    def backward(self, dlogits: Float[Tensor, "lanes batch outputs"]) -> None:
        """Fill ``parameters.gradient`` from dL/dlogits of the last training forward pass."""
        for layer in reversed(self.layers):
            if layer is self.input_dropout:
                break  # the gradient of the data is not needed
            dlogits = layer.backward(dlogits)

    def evaluate(self, x: Float[Tensor, "lanes points inputs"]) -> Tensor:
        """Return the logits in evaluation mode, (lanes, points, outputs).

        It runs in pieces that fit in the cache: memory for the activations of all points at once
        would be fetched from the operating system each time, which takes longer than the
        arithmetic.
        """
        rows = max(32, PIECE // (x.shape[0] * self.widest))
        pieces = [self.forward(piece, train=False) for piece in x.split(rows, dim=1)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)

    def layer_inputs(self, x: Float[Tensor, "lanes batch inputs"]) -> list[Tensor]:
        """Return what each linear layer gets as its input, in evaluation mode."""
        inputs = []
        for layer in self.layers:
            if isinstance(layer, Linear):
                inputs.append(x)
            x = layer.forward(x, False)
        return inputs

    @classmethod
    def join(cls, parts: Sequence[tuple[Network, Sequence[int]]]) -> Network:
        """Return a network with copies of some lanes of several, part after part."""
        other = cls.__new__(cls)
        other.shape = parts[0][0].shape
        other._build(Parameters.join([(n.parameters, lanes) for n, lanes in parts]))
        for i, joined in enumerate(other.running):
            joined.copy_(torch.cat([n.running[i][list(lanes)] for n, lanes in parts]))
        return other

    def select(self, lanes: Sequence[int]) -> Network:
        """Return a network with copies of some of the lanes."""
        return self.join([(self, lanes)])


def initialize(
    parameters: Parameters, lane: int, shape: Shape, generators: Sequence[torch.Generator]
) -> None:
    """Draw one lane's initial weights, one generator per layer.

    torch's default for a linear layer: W and b uniform in ±1/√inputs. For SELU LeCun's normal
    distribution (standard deviation 1/√inputs, bias 0), which self-normalization requires.

    Source: ``torch.nn.Linear.reset_parameters``; Klambauer et al. 2017.
    """
    for name, generator in zip(layer_names(shape), generators, strict=True):
        weight = parameters[name][lane]
        bound = 1 / math.sqrt(weight.shape[0])
        if shape.activation == "selu":
            weight.copy_(torch.randn(weight.shape, generator=generator) * bound)
            continue
        weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)
        if name + ".bias" in parameters.slices:
            bias = parameters[name + ".bias"][lane]
            bias.copy_((torch.rand(bias.shape, generator=generator) * 2 - 1) * bound)
