"""Weight averaging: a moving average of each lane's weights; training does not depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from regviz.nn.networks import AnyNetwork
from regviz.specs import Experiment


class Average:
    """An exponential moving average of a network's parameters, with one decay per lane.

    ā₁ = w₁ after the first step, then āₜ = decay·āₜ₋₁ + (1 - decay)·wₜ. With decay 0 the average is
    the last weights, exactly. Running statistics of batch norm are not averaged, but copied.

    Parameters
    ----------
    network
        A network of the same lanes; it holds the average from now on.
    decays
        One per lane, from 0 up to, but not including, 1.

    Source: ``torch.optim.swa_utils.AveragedModel`` with ``get_ema_multi_avg_fn``; Polyak &
    Juditsky 1992; Tarvainen & Valpola 2017.
    """

    def __init__(self, network: AnyNetwork, decays: Sequence[float]) -> None:
        self.network = network
        # of the new weights
        self.share = network.parameters.spread([1 - decay for decay in decays])

    @classmethod
    def of(
        cls,
        experiments: Sequence[Experiment],
        parts: Sequence[tuple[AnyNetwork, Sequence[int]]],
    ) -> Average | None:
        """Return the average of these lanes, which starts as a copy of some lanes of networks.

        None if no experiment asks for one.
        """
        decays = [e.training.ema for e in experiments]
        if not any(decays):
            return None
        kind: Any = type(parts[0][0])
        return cls(kind.join(parts), decays)

    def update(self, network: AnyNetwork, step: int) -> None:
        """Take in the weights after an optimizer step; the first step is number 1."""
        average, weights = self.network.parameters.flat, network.parameters.flat
        if step == 1:
            average.copy_(weights)
        else:
            average.lerp_(weights, self.share)
        for kept, now in zip(self.network.running, network.running, strict=True):
            kept.copy_(now)
