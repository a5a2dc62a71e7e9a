"""Stacked convolutional networks: the lanes are the groups of one grouped convolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from regviz.nn.autograd import AutogradNetwork, Pass, normal_, uniform_
from regviz.nn.layers import (
    ACTIVATIONS,
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Dropout,
    Site,
    dropout_masks,
)
from regviz.nn.shapes import KERNEL, map_sides
from regviz.specs import IMAGE_SIDE


class ConvNetwork(AutogradNetwork):
    """A stack of small CNNs on 8x8 images: 3x3 convolution (padding 1) → [batch norm] →
    activation → [batch norm] → 2x2 max-pooling while the map is larger than 2x2 → dropout, for
    each entry of ``hidden``; then a linear output over all remaining activations.

    Inside, all lanes' channels lie side by side, (batch, lanes·channels, side, side), and one
    ``conv2d`` with ``groups=lanes`` computes them all. Weights are (9·inputs, channels), inputs
    slowest: torch's (channels, inputs, 3, 3) flattened and transposed. ``dropout_kind`` spatial
    drops whole maps.

    Source: LeCun et al. 1998; spatial dropout: Tompson et al. 2015; ``torch.nn.Conv2d``,
    ``BatchNorm2d``, ``Dropout2d``.
    """

    def build(self) -> None:
        """Set up input dropout (pixel by pixel), one dropout per layer, and running statistics."""
        shape, lanes = self.shape, self.parameters.lanes
        self.sides = map_sides(len(shape.hidden))
        self.input_dropout = Dropout()
        self.dropouts = [Dropout() for _ in shape.hidden]
        self.sites = [Site(self.input_dropout, "input_dropout", 0, shape.inputs)]
        spatial = shape.dropout_kind == "spatial"
        kind = "standard" if spatial else shape.dropout_kind
        for i, (drop, channels) in enumerate(zip(self.dropouts, shape.hidden, strict=True)):
            units = channels if spatial else channels * self.sides[i + 1] ** 2
            self.sites.append(Site(drop, "dropout", i, units, kind))
            if shape.norm is not None:
                zeros = torch.zeros(lanes, channels, device=self.parameters.device)
                self.running += [zeros, torch.ones_like(zeros)]

    @property
    def widest(self) -> int:
        """The largest number of activations that one image has in one layer."""
        sides = self.sides[:-1]
        maps = [c * side**2 for c, side in zip(self.shape.hidden, sides, strict=True)]
        return max(self.shape.inputs, *maps)

    def initialize(self, lane: int, generator: Callable[[int], torch.Generator]) -> None:
        """Draw one lane's weights as torch does: W and b uniform in ±1/√inputs, inputs = 9·maps;
        for SELU LeCun's normal distribution and b = 0."""
        for i, name in enumerate(self.parameters.weight_names):
            weight, stream = self.values[name][lane], generator(i)
            bound = 1 / math.sqrt(weight.shape[0])
            if self.shape.activation == "selu":
                normal_(weight, bound, stream)
                continue
            uniform_(weight, bound, stream)
            if name + ".bias" in self.values:
                uniform_(self.values[name + ".bias"][lane], bound, stream)

    def compute(
        self, w: Mapping[str, Tensor], x: Float[Tensor, "lanes batch pixels"], how: Pass
    ) -> Tensor:
        """Return the logits, (lanes, batch, classes); shows the maps after each layer."""
        shape, (lanes, n, _) = self.shape, x.shape
        x = self.input_dropout.forward(x, how.masked)
        h = x.transpose(0, 1).reshape(n, lanes, IMAGE_SIDE, IMAGE_SIDE)
        activation = ACTIVATIONS[shape.activation]
        channels = 1
        for i, units in enumerate(shape.hidden):
            name = f"conv {i + 1}"
            how.inputs.append(_apart(h, lanes))
            kernel = w[name].transpose(1, 2)  # (lanes, units, 9·channels)
            kernel = kernel.reshape(lanes * units, channels, KERNEL, KERNEL)
            bias = w[name + ".bias"].reshape(-1) if name + ".bias" in w else None
            h = functional.conv2d(h, kernel, bias, padding=KERNEL // 2, groups=lanes)
            if shape.norm_position == "before":
                h = activation(self._norm(w, h, i, how.train))
            else:
                h = self._norm(w, activation(h), i, how.train)
            if self.sides[i + 1] < self.sides[i]:
                h = functional.max_pool2d(h, 2) if how.train else _halved(h)
            h = self._drop(h, i, lanes, how.masked)
            how.shown.append(_apart(h, lanes))
            channels = units
        h = _apart(h, lanes)
        how.inputs.append(h)
        return torch.baddbmm(w["output.bias"], h, w["output"])

    def _norm(self, w: Mapping[str, Tensor], h: Tensor, i: int, train: bool) -> Tensor:
        """Batch norm over batch and pixels; all lanes' channels are channels of one batch norm."""
        if self.shape.norm is None:
            return h
        mean, variance = (r.view(-1) for r in self.running[2 * i : 2 * i + 2])
        name = f"conv {i + 1}"
        gamma, beta = (w[f"{name}.{part}"].reshape(-1) for part in ("gamma", "beta"))
        return functional.batch_norm(
            h, mean, variance, gamma, beta, train, BATCH_NORM_MOMENTUM, BATCH_NORM_EPS
        )

    def _drop(self, h: Tensor, i: int, lanes: int, masked: bool) -> Tensor:
        drop = self.dropouts[i]
        if not masked or drop.scale is None:
            return h
        side = 1 if self.shape.dropout_kind == "spatial" else self.sides[i + 1]

        def spread(mask: Tensor) -> Tensor:  # (lanes, batch, units) -> as h is laid out
            together = mask.transpose(0, 1)
            return together.reshape(h.shape[0], h.shape[1], side, side)

        h = h * spread(drop.scale)
        return h if drop.shift is None else h + spread(drop.shift)


def _halved(h: Tensor) -> Tensor:
    """Max-pool 2x2 without a gradient: equal to ``max_pool2d`` and ten times as fast, since the
    places of the maxima are not stored."""
    rows = torch.maximum(h[:, :, 0::2], h[:, :, 1::2])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def _apart(h: Tensor, lanes: int) -> Tensor:
    """Turn (batch, lanes·channels, side, side) into (lanes, batch, channels·side·side)."""
    return h.reshape(h.shape[0], lanes, -1).transpose(0, 1)


@dataclass(frozen=True)
class FeatureMaps:
    """Activations and predictions of a CNN on n images.

    ``maps``: the output of each layer, float32 (n, channels, side, side). ``kept``: for each
    layer, the share of each map's units that dropout kept, float32 (n, channels).
    ``probabilities``: float32 (n, classes).
    """

    maps: tuple[NDArray[np.float32], ...]
    kept: tuple[NDArray[np.float32], ...]
    probabilities: NDArray[np.float32]


def feature_maps(
    network: ConvNetwork,
    lane: int,
    images: NDArray[np.float32],
    *,
    rates: Sequence[float] | None = None,
    generator: torch.Generator | None = None,
) -> FeatureMaps:
    """Return feature maps and class probabilities of images, (n, 64).

    ``rates`` holds p of each of the network's ``sites``, the input's first; masks are drawn from
    ``generator`` as in training. None drops nothing. Batch norm uses its running statistics in
    both cases, so that the two differ in dropout alone.

    Raises
    ------
    ValueError
        If the images or the rates do not fit the network.
    """
    if np.ndim(images) != 2 or np.shape(images)[1] != IMAGE_SIDE**2:
        raise ValueError(f"images: got shape {np.shape(images)}; give (n, 64).")
    if rates is not None and len(rates) != len(network.sites):
        raise ValueError(f"rates: got {len(rates)}; give {len(network.sites)}, the input's first.")
    n, hidden, device = len(images), network.shape.hidden, network.parameters.device
    with torch.no_grad():
        one = network.select([lane])
        for site, p in zip(one.sites, rates or (), strict=False):
            uniform = torch.rand((1, n, site.units), generator=generator).to(device)
            rate = torch.tensor([p], dtype=torch.float32, device=device)
            site.drop.scale, site.drop.shift = dropout_masks(uniform, rate, site.kind)
        x = torch.as_tensor(np.asarray(images, np.float32)).to(device)
        how = Pass(masked=rates is not None)
        logits = one.compute(one.values, x.unsqueeze(0), how)[0]
    maps, kept = [], []
    for i, channels in enumerate(hidden):
        side, scale = one.sides[i + 1], one.dropouts[i].scale
        maps.append(how.shown[i].reshape(n, channels, side, side).cpu().numpy())
        on = torch.ones(n, channels, 1) if scale is None else scale > 0
        kept.append(on.reshape(n, channels, -1).float().mean(2).cpu().numpy())
    return FeatureMaps(tuple(maps), tuple(kept), torch.softmax(logits, 1).cpu().numpy())
