"""The decision boundary of a stack's lanes: predictions on a grid over the first two inputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regviz.nn.networks import AnyNetwork
from regviz.specs import IMAGE_KINDS
from regviz.training.stack import Stack

RESULT_GRID = 60  # points along each side of the boundary in a result file
LIVE_WORK, LAST_WORK = 1e8, 4e9  # multiply-adds that a live and a last boundary may cost

Extents = Sequence[tuple[float, ...]]
"""(x0 low, x0 high, x1 low, x1 high) of each lane."""


def has_plane(stack: Stack) -> bool:
    """Whether the first two inputs are a plane to draw in."""
    image = stack.experiments[0].data.kind in IMAGE_KINDS
    return stack.shape.kind == "mlp" and stack.shape.inputs >= 2 and not image


def grid_size(stack: Stack, lanes: int, *, last: bool) -> int:
    """Return how many points a side the boundaries of this many lanes have.

    Their cost stays small beside that of training. Live ones are coarser where many other lanes
    train in the stack.
    """
    widths = (stack.shape.inputs, *stack.shape.hidden, stack.shape.outputs)
    work = sum(a * b for a, b in itertools.pairwise(widths))
    most, budget = (100, LAST_WORK) if last else (64, LIVE_WORK)
    # at least 40 for a few lanes, coarser only in a large sweep
    least = 40 if lanes <= 6 else 24
    sharing = lanes if last else len(stack.experiments)
    return int(min(most, max(least, math.sqrt(budget / (work * sharing)))))


def plane(stack: Stack, extents: Extents, grid: int) -> Tensor:
    """Return the grid's points as inputs, (lanes, grid², inputs); inputs beyond two are 0."""
    x = torch.zeros(len(extents), grid * grid, stack.shape.inputs)
    for i, (a, b, c, d) in enumerate(extents):
        xx1, xx0 = torch.meshgrid(
            torch.linspace(c, d, grid), torch.linspace(a, b, grid), indexing="ij"
        )
        x[i, :, 0], x[i, :, 1] = xx0.flatten(), xx1.flatten()
    return x.to(stack.device)


def boundary(stack: Stack, network: AnyNetwork, extents: Extents, grid: int) -> Tensor:
    """Return P(class 1) on the grid, (lanes, grid, grid): row x1, column x0."""
    logits = network.evaluate(plane(stack, extents, grid))
    return torch.sigmoid(logits).view(len(extents), grid, grid).cpu()


def most_probable(
    stack: Stack, network: AnyNetwork, extents: Extents, grid: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the largest class probability on the grid, its class, and its lead over the second
    largest, (lanes, grid, grid) each.

    All are 0 for a diverged lane, whose outputs are not finite.
    """
    p = torch.softmax(network.evaluate(plane(stack, extents, grid)), 2)
    first, best = p.max(dim=2)
    lead = first - p.scatter(2, best.unsqueeze(2), -1.0).amax(dim=2)
    best = best.where(first.isfinite(), torch.zeros_like(best))
    size = (len(extents), grid, grid)
    return (
        torch.nan_to_num(first).view(size).cpu(),
        best.view(size).cpu(),
        torch.nan_to_num(lead).view(size).cpu(),
    )


def class_map(stack: Stack, network: AnyNetwork, extents: Extents, grid: int) -> NDArray[np.uint8]:
    """Return the most probable classes as a frame holds them in ``class_map``, (lanes, 2, grid,
    grid), of a network with one output per class."""
    p, best, lead = most_probable(stack, network, extents, grid)
    level = (15 * lead.sqrt()).round()
    both = torch.stack([best + 16 * level, (255 * p).round()], dim=1)
    return both.to(torch.uint8).numpy()


def plane_fields(
    stack: Stack, network: AnyNetwork, lanes: Sequence[int], grid: int
) -> list[dict[str, Any]]:
    """Return ``boundary`` or ``class_map`` of each lane, as a frame holds them."""
    if not has_plane(stack):
        return [{"boundary": None} for _ in lanes]
    extents = [stack.extents[lane] for lane in lanes]
    if stack.n_classes > 2:
        maps = class_map(stack, network, extents, grid)
        return [{"boundary": None, "class_map": of_lane} for of_lane in maps]
    response = boundary(stack, network, extents, grid)
    pixels = (response * 255).round().to(torch.uint8).numpy()
    return [{"boundary": of_lane} for of_lane in pixels]


def boundary_lists(stack: Stack, lane: int) -> dict[str, list[list[float]]] | None:
    """Return one lane's boundary as a result file holds it; None without a plane of two inputs.

    On a grid of the inputs ``xx0`` and ``xx1``: the ``response`` P(class 1), or with more than two
    classes the most probable ``class`` and its ``probability``.
    """
    if not has_plane(stack) or stack.shape.inputs != 2:
        return None
    network, i = stack.network_of(lane)
    extent, n = stack.extents[lane], RESULT_GRID
    extents = [extent] * network.parameters.lanes
    if stack.n_classes == 2:
        shown = {"response": boundary(stack, network, extents, n)[i].numpy().astype(np.float64)}
    else:
        p, best, _ = most_probable(stack, network, extents, n)
        shown = {"class": best[i].numpy(), "probability": p[i].numpy().astype(np.float64)}
    axes = np.linspace(extent[0], extent[1], n), np.linspace(extent[2], extent[3], n)
    xx0, xx1 = np.meshgrid(*axes)
    return {
        "xx0": xx0.round(6).tolist(),
        "xx1": xx1.round(6).tolist(),
        **{name: values.round(6).tolist() for name, values in shown.items()},
    }
