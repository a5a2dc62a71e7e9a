"""Labs of image models: augmented copies of a digit, and the units that layers drop or average."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from regviz.frames.lab import LabFrame
from regviz.nn.augmentation import DRAWS, amounts, augment, strengths
from regviz.specs import IMAGE_SIDE, AugmentationSpec

_SAMPLES, _CHANNELS = 2, 3
_SPATIAL = {1: (8,), 2: (4, 4), 3: (2, 4, 4)}
_DROPOUT: dict[int, type[nn.Module]] = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}
_NORM: dict[int, type[nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def image(
    digit: int,
    degrees: float,
    translate: float,
    scale: float,
    horizontal_flip: float,
    brightness: float,
    contrast: float,
    noise: float,
    count: int,
    seed: int,
) -> Iterator[LabFrame]:
    """The first image of a digit and ``count`` augmented copies x' = T(x).

    T is the function that training calls, with the same parameters; ``noise`` is its
    ``input_noise``. Arrays: ``original`` (8, 8), ``changed`` (count, 8, 8) float32; per copy,
    (count,): ``degrees`` (counter-clockwise), ``right``, ``down`` (pixels), ``factor``,
    ``mirrored`` (0 or 1), ``brightness``, ``contrast``. Values: ``distance``, rms of changed -
    original over all copies; for comparison ``spread``, the standard deviation of the original's
    pixels.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    original = torch.tensor(x[np.argmax(y == digit)] / 16, dtype=torch.float32)
    spec = AugmentationSpec(degrees, translate, scale, horizontal_flip, brightness, contrast)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand((1, count, DRAWS), generator=generator)
    strength = strengths([spec])
    changed = augment(original.expand(1, count, -1), uniform, strength)
    changed = changed + noise * torch.randn(changed.shape, generator=generator)
    by = amounts(uniform, strength)
    right, down = (IMAGE_SIDE * by.shift[0]).unbind(1)
    side = (IMAGE_SIDE, IMAGE_SIDE)
    arrays: dict[str, NDArray[Any]] = {
        "original": original.view(side).numpy(),
        "changed": changed[0].view(count, *side).numpy(),
        "degrees": by.degrees[0].numpy(),
        "right": right.numpy(),
        "down": down.numpy(),
        "factor": by.factor[0].numpy(),
        "mirrored": by.mirrored[0].numpy().astype(np.uint8),
        "brightness": by.brightness[0].numpy(),
        "contrast": by.contrast[0].numpy(),
    }
    values: dict[str, Any] = {
        "distance": float((changed - original).square().mean().sqrt()),
        "spread": float(original.std()),
    }
    yield LabFrame(1, 1, arrays, values)


def dropout_shapes(dimensions: int, p: float, seed: int) -> Iterator[LabFrame]:
    """Which entries ``Dropout1d/2d/3d`` drops and ``BatchNorm1d/2d/3d`` averages together.

    Computed with torch's modules on 2 samples of 3 channels with 1, 2 or 3 further dimensions.
    Arrays, each (samples, channels, rows, columns), a third dimension laid side by side:
    ``element``, ``whole`` float32: the output of ``Dropout`` and ``Dropout1d/2d/3d`` on ones in
    training mode; ``averaged`` uint8: 1 for entries in the mean that ``BatchNorm1d/2d/3d``
    subtracts from the first entry (measured: its gradient is not 0). Values: ``module``, ``norm``
    (names); ``shape`` (list); ``entries``; ``decisions_element``, ``decisions_whole`` (number of
    independent decisions, by formula); ``dropped_element``, ``dropped_whole`` (measured: entries,
    whole channels of a sample); ``split``: channels dropped in part in ``whole`` (0); ``shared``:
    entries in one mean (measured), ``shared_expected`` = entries/channels.

    Source: Tompson et al. 2015; ``torch.nn``.
    """
    shape = (_SAMPLES, _CHANNELS, *_SPATIAL[dimensions])
    whole_kind, norm_kind = _DROPOUT[dimensions], _NORM[dimensions]
    # torch's dropout modules draw from the global generator, whose state is restored afterwards
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        element = nn.Dropout(p)(torch.ones(shape))
        whole = whole_kind(p)(torch.ones(shape))
        x = torch.randn(shape, requires_grad=True)
    with torch.enable_grad():
        normal = norm_kind(_CHANNELS)(x)
        # the gradient of the first output is not 0 for the first entry and all others in its mean
        (gradient,) = torch.autograd.grad(normal.flatten()[0], x)
    averaged = (gradient != 0).to(torch.uint8)
    kept = (whole != 0).flatten(2)
    all_kept, none_kept = kept.all(dim=2), ~kept.any(dim=2)
    values: dict[str, Any] = {
        "module": whole_kind.__name__,
        "norm": norm_kind.__name__,
        "shape": list(shape),
        "entries": element.numel(),
        "decisions_element": element.numel(),
        "decisions_whole": _SAMPLES * _CHANNELS,
        "dropped_element": int((element == 0).sum()),
        "dropped_whole": int(none_kept.sum()),
        "split": int((~all_kept & ~none_kept).sum()),
        "shared": int(averaged.sum()),
        "shared_expected": element.numel() // _CHANNELS,
    }
    arrays = {
        name: _flat(tensor).numpy()
        for name, tensor in (("element", element), ("whole", whole), ("averaged", averaged))
    }
    yield LabFrame(1, 1, arrays, values)


def _flat(x: Tensor) -> Tensor:
    """Lay (samples, channels, …) out as (samples, channels, rows, columns)."""
    if x.dim() == 3:
        return x.unsqueeze(2)
    if x.dim() == 4:
        return x
    return torch.cat(list(x.unbind(2)), dim=3)  # depth side by side
