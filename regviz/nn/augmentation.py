"""Image augmentation: a label-keeping change of each training image, drawn anew in each epoch.

The objective becomes the average loss over the changes, E_T[loss(f(T(x)), y)]; each epoch uses one
draw per image. The caller passes uniform numbers, one row per image, and every change has its
columns. So lanes that share a row differ only in their strengths, and moving one strength does
not redraw the others.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from regviz.specs import IMAGE_SIDE, AugmentationSpec

DRAWS = 7
"""Uniform numbers per image: angle, shift right, shift down, scale, flip, brightness, contrast."""

_FIELDS = tuple(f.name for f in dataclasses.fields(AugmentationSpec))


def strengths(specs: Sequence[AugmentationSpec | None]) -> Float[Tensor, "lanes strengths"]:
    """Return the strengths of each lane, columns in the order of the spec's fields; None is 0."""
    rows = [[getattr(spec or AugmentationSpec(), name) for name in _FIELDS] for spec in specs]
    return torch.tensor(rows, dtype=torch.float32)


class Amounts(NamedTuple):
    """How much each image is changed, each (lanes, batch): see :func:`augment`."""

    degrees: Tensor
    shift: Tensor  # (lanes, batch, 2): right and down, in shares of a side
    factor: Tensor
    mirrored: Tensor  # bool
    brightness: Tensor
    contrast: Tensor


def amounts(
    uniform: Float[Tensor, "#lanes batch draws"], strength: Float[Tensor, "lanes strengths"]
) -> Amounts:
    """Turn uniform draws u into amounts; v = 2u - 1 is in [-1, 1).

    degrees·v, translate·v (right and down), 1 + scale·v, u < horizontal_flip, 1 + brightness·v,
    1 + contrast·v.
    """
    v = 2 * uniform - 1
    degrees, translate, scale, flip, brightness, contrast = strength.unsqueeze(2).unbind(1)
    return Amounts(
        degrees=degrees * v[..., 0],
        shift=translate.unsqueeze(2) * v[..., 1:3],
        factor=1 + scale * v[..., 3],
        mirrored=uniform[..., 4] < flip,
        brightness=1 + brightness * v[..., 5],
        contrast=1 + contrast * v[..., 6],
    )


def augment(
    x: Float[Tensor, "lanes batch pixels"],
    uniform: Float[Tensor, "#lanes batch draws"],
    strength: Float[Tensor, "lanes strengths"],
) -> Float[Tensor, "lanes batch pixels"]:
    """Return x' = T(x), image by image: mirrored, then turned, enlarged and shifted
    (:func:`affine`), then brightness b·x, then contrast c·x + (1-c)·mean(x).

    A strength of 0 leaves every bit as it is. Values are not clamped: pixels are floats here and
    may carry noise.

    Source: Simard et al. 2003; torchvision's RandomHorizontalFlip, RandomAffine, ColorJitter.
    """
    lanes, batch, _ = x.shape
    by = amounts(uniform, strength)
    images = x.reshape(lanes, batch, IMAGE_SIDE, IMAGE_SIDE)
    images = torch.where(by.mirrored[..., None, None], images.flip(3), images)
    # interpolation rounds even where nothing moves: lanes without motion are left out
    moved = (strength[:, :3] > 0).any(dim=1)
    if bool(moved.any()):
        images[moved] = affine(images[moved], by.degrees[moved], by.shift[moved], by.factor[moved])
    images = images * by.brightness[..., None, None]
    c = by.contrast[..., None, None]
    images = c * images + (1 - c) * images.mean(dim=(2, 3), keepdim=True)
    return images.reshape(lanes, batch, -1)


def affine(
    images: Float[Tensor, "lanes batch side side"],
    degrees: Float[Tensor, "lanes batch"],
    shift: Float[Tensor, "lanes batch 2"],
    factor: Float[Tensor, "lanes batch"],
) -> Float[Tensor, "lanes batch side side"]:
    """Turn images counter-clockwise about their centre, enlarge them and shift them.

    out(z) = in(R(z - shift)/factor) with z = (right, down) from the centre and R the rotation by
    ``degrees``; between pixels bilinear, outside 0. ``shift`` is in shares of a side.

    Source: ``torch.nn.functional.affine_grid`` and ``grid_sample``; torchvision's RandomAffine.
    """
    lanes, batch, side, _ = images.shape
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos() / factor, angle.sin() / factor
    right, down = (2 * shift).unbind(dim=2)  # the grid runs from -1 to 1
    rows = [cos, -sin, sin * down - cos * right, sin, cos, -sin * right - cos * down]
    theta = torch.stack(rows, dim=2).view(lanes * batch, 2, 3)
    grid = functional.affine_grid(theta, [lanes * batch, 1, side, side], align_corners=False)
    flat = images.reshape(lanes * batch, 1, side, side)
    return functional.grid_sample(flat, grid, align_corners=False).view(images.shape)
