"""Alpha dropout keeps the mean 0 and variance 1 of SELU activations at any depth."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from regviz.frames.lab import LabFrame
from regviz.nn.layers import Activation, dropout_masks

KINDS = ("none", "standard", "alpha")


def alpha_dropout_depth(
    p: float, layers: int, width: int, batch: int, seed: int
) -> Iterator[LabFrame]:
    """Stacked SELU layers in training mode: without dropout, with standard and with alpha dropout.

    Weights are normal with standard deviation 1/√width (LeCun), inputs standard normal. The three
    share weights, inputs and the uniform numbers that the masks are drawn from.

    One frame per layer. Arrays: ``layer`` (l,), 0 = the input; ``mean``, ``variance`` (3, l) of all
    activations: none, standard dropout, alpha dropout. Values: ``gap_none``, ``gap_standard``,
    ``gap_alpha``, the largest |mean| or |variance - 1| over the layers so far; ``kinds``, their
    names.

    Source: Klambauer et al. 2017, arXiv 1706.02515.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, width, generator=generator).expand(len(KINDS), -1, -1)
    rate = torch.tensor([p])
    selu = Activation("selu")
    mean = np.empty((len(KINDS), layers + 1))
    variance = np.empty_like(mean)
    for layer in range(layers + 1):
        if layer:
            weight = torch.randn(width, width, generator=generator) / math.sqrt(width)
            uniform = torch.rand(1, batch, width, generator=generator)
            h = selu.forward(x @ weight, False)
            dropped = [h[0]]
            for i, kind in enumerate(KINDS[1:], start=1):
                scale, shift = dropout_masks(uniform, rate, kind, torch.empty_like(uniform))
                y = h[i] * scale[0]
                dropped.append(y if shift is None else y + shift[0])
            x = torch.stack(dropped)
        mean[:, layer] = x.mean(dim=(1, 2)).numpy()
        variance[:, layer] = x.var(dim=(1, 2), correction=0).numpy()
        seen_mean, seen = mean[:, : layer + 1], variance[:, : layer + 1]
        gap = np.maximum(np.abs(seen_mean), np.abs(seen - 1)).max(axis=1)
        yield LabFrame(
            step=layer + 1,
            steps=layers + 1,
            arrays={"layer": np.arange(layer + 1), "mean": seen_mean, "variance": seen},
            values={
                "kinds": list(KINDS),
                **{f"gap_{kind}": float(g) for kind, g in zip(KINDS, gap, strict=True)},
            },
        )
