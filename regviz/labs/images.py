"""Galleries and shapes of image models: changed copies of a digit, and what layers take as one."""

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
    """One digit and ``count`` copies, changed by the function that training calls.

    The first digit of its class and ``count`` copies x' = T(x), changed as in training by
    degrees, translate, scale, horizontal_flip, brightness, contrast, and ``noise`` (which is
    ``input_noise`` there). Arrays: ``original`` (8, 8), ``changed`` (count, 8, 8) float32; of
    each copy, (count,): ``degrees`` (counter-clockwise), ``right``, ``down`` (pixels),
    ``factor``, ``mirrored`` (0 or 1), ``brightness``, ``contrast``. Values: ``distance``, rms of
    changed - original over all copies, and ``spread``, the original's standard deviation over its
    pixels, to compare.
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
    """What ``Dropout``, ``Dropout1d/2d/3d`` and ``BatchNorm1d/2d/3d`` take as one.

    What dropout drops as one and batch norm averages as one, on (2, 3) samples and channels of 1,
    2 or 3 further dimensions, computed with torch's modules. Arrays, each (samples, channels,
    rows, columns) with the depth of three dimensions laid side by side: ``element``, ``whole``
    float32: the output of ``Dropout`` and ``Dropout1d/2d/3d`` on ones in training mode;
    ``averaged`` uint8: 1 where an entry reaches the mean that ``BatchNorm1d/2d/3d`` subtracts
    from the first one (measured: where a change of the input changes it). Values: ``module``,
    ``norm`` (names); ``shape`` (list); ``entries``; ``decisions_element``, ``decisions_whole``
    (how many keep-or-drop decisions there were, from the formula) and ``dropped_element``,
    ``dropped_whole`` (measured: entries, whole channels of a sample); ``split``: channels that
    are neither whole nor gone in ``whole`` (0); ``shared``: entries that share the mean
    (measured), ``shared_expected`` = entries/channels.

    Source: Tompson et al. 2015; ``torch.nn``.
    """
    shape = (_SAMPLES, _CHANNELS, *_SPATIAL[dimensions])
    whole_kind, norm_kind = _DROPOUT[dimensions], _NORM[dimensions]
    # torch's modules take their chance from the one generator: it is given back as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        element = nn.Dropout(p)(torch.ones(shape))
        whole = whole_kind(p)(torch.ones(shape))
        x = torch.randn(shape, requires_grad=True)
    with torch.enable_grad():
        normal = norm_kind(_CHANNELS)(x)
        # the first entry itself apart: an entry reaches the mean if it moves the first output
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
