"""Random changes of the training inputs, drawn anew in every epoch; evaluation uses none.

A technique of this kind is one class in :data:`INPUT_CHANGES`. A stack draws its random numbers,
one set for all lanes of a seed, and skips it while no lane uses it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from regviz.nn.augmentation import DRAWS, augment, strengths
from regviz.nn.layers import gaussian_noise
from regviz.nn.shapes import Shape
from regviz.specs import Experiment
from regviz.training.randomness import AUGMENTATION, NOISE


class InputChange(ABC):
    """One kind of random change.

    Attributes
    ----------
    purpose
        Its random stream, one of :mod:`regviz.training.randomness`.
    draw
        The distribution of its random numbers.
    """

    purpose: int
    draw: Callable[..., Tensor] = staticmethod(torch.rand)

    @abstractmethod
    def units(self, shape: Shape) -> int:
        """Return how many random numbers a sample needs."""

    @abstractmethod
    def strength(self, lanes: Sequence[Experiment]) -> Tensor | None:
        """Return the strength of each lane, lane axis first; None where it is off in all."""

    @abstractmethod
    def __call__(self, x: Tensor, drawn: Tensor, strength: Tensor) -> Tensor:
        """Return changed inputs, (lanes, batch, inputs); a lane of strength 0 keeps its own.

        ``drawn`` is (lanes, batch, units), or has one lane that all share.
        """


class Augmentation(InputChange):
    """Image augmentation, :func:`regviz.nn.augmentation.augment`."""

    purpose = AUGMENTATION

    def units(self, shape: Shape) -> int:
        """Return the numbers that one image's geometry and colour need."""
        return DRAWS

    def strength(self, lanes: Sequence[Experiment]) -> Tensor | None:
        """Return (lanes, strengths)."""
        specs = [e.regularization.augmentation for e in lanes]
        return strengths(specs) if any(specs) else None

    def __call__(self, x: Tensor, drawn: Tensor, strength: Tensor) -> Tensor:
        """Return the images turned, shifted, scaled, mirrored, brightened."""
        return augment(x, drawn, strength)


class InputNoise(InputChange):
    """Gaussian input noise, :func:`regviz.nn.layers.gaussian_noise`."""

    purpose = NOISE
    draw = staticmethod(torch.randn)

    def units(self, shape: Shape) -> int:
        """Return one number per input."""
        return shape.inputs

    def strength(self, lanes: Sequence[Experiment]) -> Tensor | None:
        """Return the standard deviations, (lanes, 1, 1)."""
        sigma = [e.regularization.input_noise for e in lanes]
        return torch.tensor(sigma, dtype=torch.float32).view(-1, 1, 1) if any(sigma) else None

    def __call__(self, x: Tensor, drawn: Tensor, strength: Tensor) -> Tensor:
        """Return x + σ·ε."""
        return gaussian_noise(x, strength, drawn)


INPUT_CHANGES: tuple[InputChange, ...] = (Augmentation(), InputNoise())
"""All of them, in the order in which they act."""
