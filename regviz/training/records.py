"""What a stack records of its lanes: curves and statuses, and copies of their weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regviz.frames import HISTORY
from regviz.nn.layers import copy_lanes_
from regviz.nn.networks import AnyNetwork
from regviz.results.stopping import StopState, watch
from regviz.specs import Experiment

EXPLODED = 1e3
"""A training loss above this (nats per sample; guessing costs 0.7) counts as diverged."""


class Records:
    """Curves, early stopping and status of each lane, by the lane's number.

    Attributes
    ----------
    history
        float32 (6, lanes, epochs), rows as in :data:`regviz.frames.HISTORY`; NaN where a lane
        has not come to.
    stops
        Early stopping's state.
    epochs
        Epochs trained.
    status
        ``running``, ``finished``, ``stopped`` or ``diverged``.
    restored
        Whether the lane ended with its best weights instead of its last.
    """

    def __init__(self, experiments: Sequence[Experiment], epochs: int) -> None:
        n = len(experiments)
        self.experiments = list(experiments)
        self.history: NDArray[np.float32] = np.full((len(HISTORY), n, epochs), np.nan, np.float32)
        self.stops = [StopState() for _ in range(n)]
        self.epochs = [0] * n
        self.status = ["running"] * n
        self.restored = [False] * n

    @classmethod
    def join(cls, parts: Sequence[tuple[Records, Sequence[int]]]) -> Records:
        """Return copies of the records of some lanes of several stacks, part after part."""
        chosen = [(records, lane) for records, lanes in parts for lane in lanes]
        history = np.concatenate([r.history[:, list(lanes)] for r, lanes in parts], axis=1)
        other = cls([r.experiments[lane] for r, lane in chosen], history.shape[2])
        other.history = history
        other.stops = [r.stops[lane] for r, lane in chosen]
        other.epochs = [r.epochs[lane] for r, lane in chosen]
        other.status = [r.status[lane] for r, lane in chosen]
        other.restored = [r.restored[lane] for r, lane in chosen]
        return other

    def add(self, epoch: int, lanes: Sequence[int], seen: NDArray[np.float32]) -> list[bool]:
        """Record one epoch, counted from 1, of some lanes; ``seen`` is (6, lanes).

        Returns which of them improved on their best validation loss.
        """
        self.history[:, lanes, epoch - 1] = seen
        improved = []
        for i, lane in enumerate(lanes):
            diverged = not np.isfinite(seen[:, i]).all() or seen[0, i] > EXPLODED
            if not diverged:  # the losses of an exploded net improve on nothing
                rule = self.experiments[lane].regularization.early_stopping
                self.stops[lane] = watch(self.stops[lane], epoch, float(seen[2, i]), rule)
            self.epochs[lane] = epoch
            improved.append(self.stops[lane].best_epoch == epoch)
            if diverged:
                self.status[lane] = "diverged"
            elif self.stops[lane].stopped_epoch:
                self.status[lane] = "stopped"
            elif epoch == self.history.shape[2]:
                self.status[lane] = "finished"
        return improved

    def restores_best(self, lane: int) -> bool:
        """Whether a lane ends with the weights of its best epoch."""
        rule = self.experiments[lane].regularization.early_stopping
        return rule is not None and rule.restore_best_weights and self.stops[lane].best_epoch > 0


class Snapshot:
    """A copy of a network's parameters and running statistics."""

    def __init__(self, network: AnyNetwork) -> None:
        self.layout = network.parameters
        self.flat = network.parameters.flat.clone()
        self.running = [r.clone() for r in network.running]

    @classmethod
    def join(cls, network: AnyNetwork, parts: Sequence[tuple[Snapshot, Sequence[int]]]) -> Snapshot:
        """Return the snapshots of some places of several, laid out as ``network`` is."""
        other = cls(network)
        other.flat = network.parameters.join_flat([(s.layout, s.flat, at) for s, at in parts])
        rows = [[r[list(at)] for r in s.running] for s, at in parts]
        other.running = [torch.cat(together) for together in zip(*rows, strict=True)]
        return other

    def update(self, flat: Tensor, running: Sequence[Tensor], which: Tensor) -> None:
        """Take over the lanes where the bool vector ``which`` is true, in place."""
        if bool(which.all()):
            self.flat.copy_(flat)
        else:
            copy_lanes_(self.layout, self.flat, flat, which)
        for kept, now in zip(self.running, running, strict=True):
            kept[which] = now[which]
