"""Image augmentation from scratch: an image turned, enlarged, shifted, and made brighter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def affine(image: Array, degrees: float, shift: tuple[float, float], factor: float) -> Array:
    """x' = T(x): turned counter-clockwise, enlarged by ``factor``, shifted (right, down) in pixels.

    Each new pixel looks up where it comes from: x'(z) = x(R(z - shift)/factor), with z from the
    centre and R the rotation. Between four pixels it takes their bilinear mean, outside it is 0.

    Source: Simard et al. 2003; torchvision.transforms.RandomAffine (with numbers drawn at random).
    """
    side = len(image)
    centre = (side - 1) / 2
    down, right = np.mgrid[:side, :side] - centre
    right, down = right - shift[0], down - shift[1]
    cos, sin = np.cos(np.radians(degrees)) / factor, np.sin(np.radians(degrees)) / factor
    column = cos * right - sin * down + centre
    row = sin * right + cos * down + centre
    padded = np.pad(image, 1)  # a border of zeros: what lies outside
    out = np.zeros_like(image)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (1 - abs(row - top - i)) * (1 - abs(column - left - j))
        y, x = (np.clip(at + 1, 0, side + 1) for at in (top + i, left + j))
        out += weight * padded[y, x]
    return out


def color_jitter(image: Array, brightness: float, contrast: float) -> Array:
    """x' = c·(b·x) + (1-c)·mean(b·x): factors b of brightness, c of contrast; 1: none.

    Source: torchvision.transforms.ColorJitter (which also clamps to [0, 1]).
    """
    brighter = brightness * image
    return contrast * brighter + (1 - contrast) * brighter.mean()
