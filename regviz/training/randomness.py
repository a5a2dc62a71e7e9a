"""Random streams of a run: one for each (seed, purpose, layer).

Common random numbers: one draw serves all lanes of a seed. So lanes of one seed share initial
weights, batch order, and the uniform numbers behind masks and noise, and twins differ in the
regularizer alone. A sweep over a rate is smooth for the same reason. And because no draw depends
on the other lanes of the stack, a lane gets the same numbers alone and among 63 others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from regviz.nn.layers import dropout_masks

INIT, ORDER, DROPOUT, NOISE, AUGMENTATION, OBSERVATION = range(6)
"""Purposes of random streams. The numbers are part of every result: append, do not reorder."""


def generator(seed: int, *purpose: int, device: str = "cpu") -> torch.Generator:
    """Return the random stream of a seed for one purpose, and one layer where that is given."""
    state = np.random.SeedSequence([seed, *purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state) >> 1)


class Draws:
    """Random numbers for one layer (or the input), one stream per seed.

    Parameters
    ----------
    seeds
        The seeds of a stack, each once.
    purpose, layer
        Which stream of each seed.
    units
        Numbers drawn for each sample.
    draw
        ``torch.rand`` for uniform numbers in [0, 1), ``torch.randn`` for standard normal ones.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        purpose: int,
        layer: int,
        units: int,
        device: str,
        draw: Callable[..., Tensor] = torch.rand,
    ) -> None:
        self.units, self.device, self.draw = units, device, draw
        self.buffer: Tensor | None = None
        self.generators = [generator(s, purpose, layer, device=device) for s in seeds]

    def with_streams(self, generators: Sequence[torch.Generator]) -> Draws:
        """Return draws of the same kind that continue copies of these streams."""
        other = copy.copy(self)
        other.buffer = None
        other.generators = [g.clone_state() for g in generators]
        return other

    def take(self, rows: int, used: Sequence[int], place: Tensor | None) -> Tensor:
        """Draw (seeds or lanes, rows, units).

        ``used`` are the places of the seeds that still have lanes; ``place`` maps each lane to
        its seed among them, or is None where all lanes share one.
        """
        drawn = [
            self.draw((rows, self.units), generator=self.generators[i], device=self.device)
            for i in used
        ]
        stacked = torch.stack(drawn)
        return stacked if place is None else stacked[place]

    def masks(
        self, rows: int, used: Sequence[int], place: Tensor | None, p: Tensor, kind: str
    ) -> tuple[Tensor, Tensor | None]:
        """Draw dropout masks, (lanes, rows, units), with rate ``p`` of each lane.

        The next call overwrites them: fresh memory of this size would be fetched from the
        operating system every time.
        """
        size = (len(p), rows, self.units)
        if self.buffer is None or self.buffer.shape != size:
            self.buffer = torch.empty(size, device=self.device)
        return dropout_masks(self.take(rows, used, place), p, kind, out=self.buffer)
