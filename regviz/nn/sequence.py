"""Stacked sequence classifiers: an LSTM and a transformer that read tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from regviz.nn.autograd import AutogradNetwork, Pass, normal_, uniform_
from regviz.nn.layers import ACTIVATIONS, BATCH_NORM_EPS, Dropout, Site
from regviz.specs import ALPHABET

_POSITION_SPREAD = 0.3  # standard deviation of initial position vectors; token vectors have 1


def embed(
    tokens: Float[Tensor, "lanes batch time"], table: Float[Tensor, "lanes alphabet width"]
) -> Float[Tensor, "lanes batch time width"]:
    """Look up each token's vector in its lane's table: a one-hot row times the table."""
    lanes, n, time = tokens.shape
    hot = functional.one_hot(tokens.long(), ALPHABET).to(table.dtype)
    return torch.bmm(hot.view(lanes, n * time, ALPHABET), table).view(lanes, n, time, -1)


class LSTMNetwork(AutogradNetwork):
    """A stack of classifiers: embedding → LSTM → dropout on its last state → linear output.

    With gates i, f, o and candidate g from a_t = W·(x_t⊙m_x) + U·(h_{t-1}⊙m_h) + b:
    i, f, o = σ(a), g = tanh(a), c_t = f⊙c_{t-1} + i⊙g, h_t = o⊙tanh(c_t).

    Input dropout m_x (on the embedded token) and recurrent dropout m_h are drawn once for each
    sequence and stay the same at every step. Penalties act on W (``kernel``), U (``recurrent``) and
    the output's weights, not on the embedding or b. Gates lie in torch's order i, f, g, o.

    Source: Hochreiter & Schmidhuber 1997; Gal & Ghahramani 2016, arXiv 1512.05287;
    ``torch.nn.LSTM``, whose two biases are one here.
    """

    def build(self) -> None:
        """Set up the three dropout sites."""
        shape = self.shape
        self.input_dropout, self.recurrent_dropout, self.dropout = (Dropout() for _ in range(3))
        self.sites = [
            Site(self.input_dropout, "input_dropout", 0, shape.embedding),
            Site(self.dropout, "dropout", 0, shape.hidden[0]),
            Site(self.recurrent_dropout, "recurrent_dropout", 0, shape.hidden[0]),
        ]

    @property
    def widest(self) -> int:
        """The largest number of activations that one sequence has in one layer."""
        return self.shape.inputs * max(4 * self.shape.hidden[0], self.shape.embedding)

    def initialize(self, lane: int, generator: Callable[[int], torch.Generator]) -> None:
        """Draw one lane's weights as torch does: embedding normal, all else uniform in ±1/√units,
        except the forget gate's bias: it starts at 1, so that the state is kept at first
        (Jozefowicz et al. 2015)."""
        units = self.shape.hidden[0]
        names = ("kernel", "recurrent", "output", "kernel.bias", "output.bias")
        for i, name in enumerate(names):
            uniform_(self.values[name][lane], 1 / math.sqrt(units), generator(i))
        self.values["kernel.bias"][lane, :, units : 2 * units] = 1.0
        normal_(self.values["embedding"][lane], 1.0, generator(len(names)))

    def compute(
        self, w: Mapping[str, Tensor], x: Float[Tensor, "lanes batch time"], how: Pass
    ) -> Tensor:
        """Return the logits, (lanes, batch, outputs); shows states, (lanes, batch, time·units)."""
        lanes, n, time = x.shape
        embedded = embed(x, w["embedding"])
        if how.masked and self.input_dropout.scale is not None:
            embedded = embedded * self.input_dropout.scale.unsqueeze(2)  # the same at every step
        flat = embedded.reshape(lanes, n * time, -1)
        driven = torch.baddbmm(w["kernel.bias"], flat, w["kernel"])
        driven = driven.view(lanes, n, time, -1)
        mask = self.recurrent_dropout.scale if how.masked else None
        states = recur(driven, w["recurrent"], mask)  # (lanes, batch, time, units)
        before = functional.pad(states[:, :, :-1], (0, 0, 1, 0))
        last = self.dropout.forward(states[:, :, -1], how.masked)
        how.inputs += [embedded.flatten(2), before.flatten(2), last]
        how.shown.append(states.flatten(2))
        return torch.baddbmm(w["output.bias"], last, w["output"])


def recur(
    driven: Float[Tensor, "lanes batch time gates"],
    recurrent: Float[Tensor, "lanes units gates"],
    mask: Float[Tensor, "lanes batch units"] | None,
) -> Float[Tensor, "lanes batch time units"]:
    """Run the LSTM's recurrence over ``driven`` = W·x + b and return every state h_t."""
    units = recurrent.shape[1]
    h = c = driven.new_zeros(*driven.shape[:2], units)
    states = []
    for a in driven.unbind(2):
        kept = h if mask is None else h * mask
        a = torch.baddbmm(a, kept, recurrent)
        i_f, g, o = a.split([2 * units, units, units], dim=2)
        i, f = torch.sigmoid(i_f).chunk(2, dim=2)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states, dim=2)


class TransformerNetwork(AutogradNetwork):
    """A stack of classifiers: token + position vectors → blocks → mean over time → linear output.

    A block is multi-head attention and a feed-forward network, each added to its input:
    x + drop(attend(x)), x + drop(W₂·drop(φ(W₁x))). With layer norm before each sub-layer
    (``norm_position`` before: pre-norm, x + f(LN(x))) or after each sum (post-norm,
    LN(x + f(x)), the original), or without any. Attention is softmax(q·kᵀ/√d)·v for each head;
    attention dropout multiplies the softmax, so in training its rows do not sum to 1.

    Position vectors are learned. Penalties act on the weights of attention, feed-forward network
    and output, not on token and position vectors.

    Source: Vaswani et al. 2017; pre-norm: Xiong et al. 2020; ``torch.nn.TransformerEncoderLayer``.
    """

    def build(self) -> None:
        """Set up the dropout sites: the sum of the embeddings, and four per block."""
        shape = self.shape
        time, width = shape.inputs, shape.embedding
        self.input_dropout = Dropout()
        self.sites = [Site(self.input_dropout, "input_dropout", 0, time * width)]
        self.drops: list[tuple[Dropout, Dropout, Dropout, Dropout]] = []
        for i, units in enumerate(shape.hidden):
            attention, first, inner, second = drops = (Dropout(), Dropout(), Dropout(), Dropout())
            self.drops.append(drops)
            self.sites += [
                Site(attention, "attention_dropout", i, shape.heads * time * time),
                Site(first, "residual_dropout", i, time * width),
                Site(inner, "dropout", i, time * units),
                Site(second, "residual_dropout", i, time * width),
            ]

    @property
    def widest(self) -> int:
        """The largest number of activations that one sequence has in one layer."""
        shape = self.shape
        time = shape.inputs
        return time * max(3 * shape.embedding, shape.heads * time, *shape.hidden)

    def initialize(self, lane: int, generator: Callable[[int], torch.Generator]) -> None:
        """Draw one lane's weights: matrices and their biases uniform in ±1/√inputs, token vectors
        normal, position vectors normal with standard deviation 0.3."""
        names = self.parameters.weight_names
        for i, name in enumerate(names):
            weight, stream = self.values[name][lane], generator(i)
            bound = 1 / math.sqrt(weight.shape[0])
            uniform_(weight, bound, stream)
            uniform_(self.values[name + ".bias"][lane], bound, stream)
        normal_(self.values["embedding"][lane], 1.0, generator(len(names)))
        normal_(self.values["position"][lane], _POSITION_SPREAD, generator(len(names) + 1))

    def compute(
        self, w: Mapping[str, Tensor], x: Float[Tensor, "lanes batch time"], how: Pass
    ) -> Tensor:
        """Return the logits, (lanes, batch, outputs); shows each block's attention, (lanes, batch,
        heads, time, time)."""
        lanes, n, time = x.shape
        h = embed(x, w["embedding"]) + w["position"].unsqueeze(1)
        h = _dropped(self.input_dropout, h, how).reshape(lanes, n * time, -1)
        activation = ACTIVATIONS[self.shape.activation]
        pre = self.shape.norm_position == "before"
        for i, (attention, first, inner, second) in enumerate(self.drops, start=1):
            name = f"attention {i}"
            given = self._norm(w, h, name) if pre else h
            y = self._attend(w, given.view(lanes, n, time, -1), i, attention, how)
            h = h + _dropped(first, y, how)
            h = h if pre else self._norm(w, h, name)
            name = f"expansion {i}"
            given = self._norm(w, h, name) if pre else h
            y = activation(_affine(w, given, name, how, n))
            y = _affine(w, _dropped(inner, y, how), f"contraction {i}", how, n)
            h = h + _dropped(second, y, how)
            h = h if pre else self._norm(w, h, name)
        mean = h.view(lanes, n, time, -1).mean(dim=2)
        how.inputs.append(mean)
        return torch.baddbmm(w["output.bias"], mean, w["output"])

    def _attend(
        self,
        w: Mapping[str, Tensor],
        x: Float[Tensor, "lanes batch time width"],
        i: int,
        drop: Dropout,
        how: Pass,
    ) -> Tensor:
        lanes, n, time, width = x.shape
        heads = self.shape.heads
        qkv = _affine(w, x.reshape(lanes, n * time, width), f"attention {i}", how, n)
        # (3, lanes, batch, heads, time, width/heads)
        q, k, v = qkv.view(lanes, n, time, 3, heads, -1).permute(3, 0, 1, 4, 2, 5)
        scores = torch.matmul(q, k.transpose(3, 4)) / math.sqrt(width // heads)
        attention = _dropped(drop, torch.softmax(scores, dim=4), how)
        how.shown.append(attention)
        y = torch.matmul(attention, v).transpose(2, 3).reshape(lanes, n * time, width)
        return _affine(w, y, f"projection {i}", how, n)

    def _norm(self, w: Mapping[str, Tensor], h: Tensor, name: str) -> Tensor:
        """Layer norm of each token; ``name`` is the sub-layer it belongs to."""
        if self.shape.norm is None:
            return h
        normal = functional.layer_norm(h, h.shape[-1:], eps=BATCH_NORM_EPS)
        return torch.addcmul(w[name + ".beta"], normal, w[name + ".gamma"])


def _affine(w: Mapping[str, Tensor], x: Tensor, name: str, how: Pass, n: int) -> Tensor:
    """x·W + b over (lanes, batch·time, inputs); the input is noted in ``how``."""
    how.inputs.append(x.reshape(len(x), n, -1))
    return torch.baddbmm(w[name + ".bias"], x, w[name])


def _dropped(drop: Dropout, x: Tensor, how: Pass) -> Tensor:
    """Dropout with a mask that is reshaped to ``x``."""
    if not how.masked or drop.scale is None:
        return x
    return x * drop.scale.reshape(x.shape)


def attention_maps(
    network: TransformerNetwork,
    lane: int,
    tokens: NDArray[Any],
    *,
    p: float = 0.0,
    generator: torch.Generator | None = None,
) -> NDArray[np.float32]:
    """Return the attention weights on sequences (n, time), (n, blocks, heads, time, time).

    Row t holds the weights that token t gives to all tokens. With a ``generator`` they are those
    of train mode with attention dropout ``p`` (other dropout stays off): entries are dropped at
    random and the rest multiplied by 1/(1-p), so rows no longer sum to 1. Without one they are
    those of eval mode, where rows do.
    """
    with torch.no_grad():
        one = network.select([lane])
        device = one.parameters.device
        x = torch.as_tensor(np.asarray(tokens, np.float32), device=device)[None]
        if generator is not None:
            for attention, *_ in one.drops:
                units = one.shape.heads * x.shape[2] ** 2
                kept = torch.rand((1, x.shape[1], units), generator=generator) >= p
                attention.scale = (kept.to(torch.float32) / (1 - p)).to(device)
        how = Pass(masked=generator is not None)
        one.compute(one.values, x, how)
    return torch.stack([shown[0] for shown in how.shown], dim=1).cpu().numpy()
