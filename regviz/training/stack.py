"""A stack: lanes of equal shape that are built and trained as one tensor program."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regviz.data.datasets import make_dataset
from regviz.nn.averaging import Average
from regviz.nn.layers import Dropout, Site
from regviz.nn.losses import (
    cross_entropy,
    cross_entropy_gradient,
    loss_and_correct,
    soft_targets,
)
from regviz.nn.networks import NETWORKS, AnyNetwork
from regviz.nn.optimizers import OPTIMIZERS, Optimizer, Strengths
from regviz.nn.penalties import l1_penalty, l2_penalty
from regviz.nn.shapes import Shape
from regviz.specs import Experiment, batch_ends
from regviz.training.changes import INPUT_CHANGES
from regviz.training.randomness import DROPOUT, INIT, ORDER, Draws, generator
from regviz.training.records import Records, Snapshot

SLICE = 0.005  # seconds after which a long epoch hands control back
DRAW_LIMIT = 2**17  # random numbers drawn at a time for one layer; part of the random stream


def stack_key(e: Experiment) -> tuple[Any, ...]:
    """Return what must be equal for experiments to be lanes of one stack."""
    training = e.training
    return (
        Shape.of(e),
        e.n_train,
        e.n_val,
        len(make_dataset(e.data).y_test),
        training.optimizer,
        training.batch_size,
        training.epochs,
    )


def dropout_rate(e: Experiment, site: Site) -> float:
    """Return an experiment's dropout rate at one place of its network."""
    if site.rate == "dropout":
        return e.dropout_rates[site.layer]
    return float(getattr(e.regularization, site.rate))


class Stack:
    """Lanes of equal shape that train as one tensor program.

    Parameters
    ----------
    experiments
        One per lane, of equal :func:`stack_key`.
    device
        A torch device.

    Attributes
    ----------
    lanes
        Numbers of the lanes that still train, in the order in which ``network`` holds them.
    ended
        Networks with the final weights of the lanes that ended, and those lanes' numbers.
    x, y
        Training points and, behind them, validation points of each data set, (data sets, n_train
        + n_val, inputs) and (data sets, n_train + n_val); lanes of equal data share one.
    """

    def __init__(self, experiments: Sequence[Experiment], device: str) -> None:
        first = experiments[0]
        self.experiments = list(experiments)
        self.device = device
        self.lanes = list(range(len(experiments)))
        self.ended: list[tuple[AnyNetwork, list[int]]] = []
        self.shape = Shape.of(first)
        self.n_classes = first.data.n_classes
        self.n_train, self.n_val = first.n_train, first.n_val
        self.batch_ends = batch_ends(self.n_train, first.training.batch_size)
        self.epoch = 0
        self.records = Records(experiments, first.training.epochs)
        self._load_data()

        self.seeds = list(dict.fromkeys(e.training.seed for e in experiments))
        self.network: AnyNetwork = NETWORKS[self.shape.kind](self.shape, len(experiments), device)
        self._initialize()
        self.optimizer: Optimizer = OPTIMIZERS[first.training.optimizer](
            self.network.parameters, Strengths.of(experiments)
        )
        every_lane = range(len(experiments))
        self.average = Average.of(experiments, [(self.network, every_lane)])
        self.order = [generator(s, ORDER) for s in self.seeds]
        self.mask_draws = [
            Draws(self.seeds, DROPOUT, i, site.units, device)
            for i, site in enumerate(self.network.sites)
        ]
        self.change_draws = [
            Draws(self.seeds, change.purpose, 0, change.units(self.shape), device, change.draw)
            for change in INPUT_CHANGES
        ]
        rules = [e.regularization.early_stopping for e in experiments]
        self.keeps_best = any(r is not None and r.restore_best_weights for r in rules)
        self.arrange()

    def _load_data(self) -> None:
        sources = {e.data: make_dataset(e.data) for e in self.experiments}
        self.data_specs = list(sources)
        x = np.stack([np.concatenate([d.x_train, d.x_val]) for d in sources.values()])
        y = np.stack([np.concatenate([d.y_train, d.y_val]) for d in sources.values()])
        self.x = torch.from_numpy(x).to(self.device)
        self.y = torch.from_numpy(y).to(self.device)
        self.extents = [sources[e.data].extent for e in self.experiments]

    def _initialize(self) -> None:
        """Draw the initial weights, once for each seed."""
        parameters = self.network.parameters
        drawn: dict[int, int] = {}
        for lane, e in enumerate(self.experiments):
            seed = e.training.seed
            if seed not in drawn:
                drawn[seed] = lane
                self.network.initialize(lane, functools.partial(generator, seed, INIT))
            else:
                for name in parameters.slices:
                    parameters[name][lane] = parameters[name][drawn[seed]]
        for lane, e in enumerate(self.experiments):
            for name in parameters.weight_names:
                parameters[name][lane] *= e.model.init_scale

    def arrange(self) -> None:
        """Work out, for the lanes that still train, what they share and which techniques are on.

        To be called whenever ``lanes`` and ``network`` have changed.
        """
        active = [self.experiments[i] for i in self.lanes]
        regularization = [e.regularization for e in active]
        # lanes -> (data set, seed) pairs: each pair is shuffled once per epoch
        pairs = [(self.data_specs.index(e.data), self.seeds.index(e.training.seed)) for e in active]
        self.pairs = list(dict.fromkeys(pairs))
        self.used_seeds = sorted({seed for _, seed in pairs})
        self.pair_of = self._places([self.pairs.index(p) for p in pairs])
        self.seed_of = self._places([self.used_seeds.index(s) for _, s in pairs])
        data_of = torch.tensor([d for d, _ in pairs], device=self.device)
        one = len({d for d, _ in pairs}) == 1
        x = self.x[pairs[0][0]].unsqueeze(0) if one else self.x[data_of]
        y = self.y[pairs[0][0]].unsqueeze(0) if one else self.y[data_of]
        self.x_eval = x.expand(len(active), -1, -1)
        self.y_eval = y.expand(len(active), -1)
        rates = [[dropout_rate(e, site) for e in active] for site in self.network.sites]
        self.rates = [self._vector(site) for site in rates]
        self.dropping = [any(site) for site in rates]
        strengths = [change.strength(active) for change in INPUT_CHANGES]
        self.change_strengths = [None if s is None else s.to(self.device) for s in strengths]
        self.smoothing = self._vector([r.label_smoothing for r in regularization])
        self.l1 = self._vector([r.l1 for r in regularization])
        self.l2 = self._vector([r.l2 for r in regularization])
        self.penalized = bool((self.l1 + self.l2).any())
        self.last_good = Snapshot(self.observed)
        self.best = Snapshot(self.observed) if self.keeps_best else None

    def _vector(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _places(self, places: list[int]) -> Tensor | None:
        """Return an index from lanes to shared things, or None where all lanes share one."""
        return None if not any(places) else torch.tensor(places, device=self.device)

    # --- which lanes, which weights ---------------------------------------------------------

    @property
    def observed(self) -> AnyNetwork:
        """The network whose weights are evaluated, kept as best and shown in frames.

        If any lane averages its weights, it holds the averages, and the last weights of the others.
        """
        return self.network if self.average is None else self.average.network

    def networks(self) -> list[tuple[AnyNetwork, list[int]]]:
        """Return every observed network and the numbers of its lanes: ended ones, then training."""
        return [*self.ended, (self.observed, self.lanes)]

    def network_of(self, lane: int) -> tuple[AnyNetwork, int]:
        """Return the observed network that holds a lane, and the lane's place in it."""
        for network, lanes in self.networks():
            if lane in lanes:
                return network, lanes.index(lane)
        raise IndexError(lane)

    def is_training(self, lanes: Sequence[int]) -> bool:
        """Whether any of these lanes has not ended."""
        return not set(self.lanes).isdisjoint(lanes)

    # --- one epoch --------------------------------------------------------------------------

    def shuffled(self) -> tuple[Tensor, Tensor]:
        """Return this epoch's training points in order, (lanes, n_train, inputs), and labels."""
        n = self.n_train
        orders = {
            seed: torch.randperm(n, generator=self.order[seed]).to(self.device)
            for seed in self.used_seeds
        }
        x = torch.stack([self.x[data, :n][orders[seed]] for data, seed in self.pairs])
        y = torch.stack([self.y[data, :n][orders[seed]] for data, seed in self.pairs])
        if self.pair_of is None:
            lanes = len(self.lanes)
            return x.expand(lanes, -1, -1), y.expand(lanes, -1)
        return x[self.pair_of], y[self.pair_of]

    def draw_masks(self, rows: int) -> list[tuple[Dropout, Tensor, Tensor | None]]:
        """Draw masks of this many samples for every layer that drops in any lane.

        Returns each such layer with its scale and shift, as :class:`Dropout` takes them.
        """
        masks = []
        for i, (site, rate) in enumerate(zip(self.network.sites, self.rates, strict=True)):
            if not self.dropping[i]:
                site.drop.scale = site.drop.shift = None
                continue
            draws = self.mask_draws[i]
            drawn = draws.masks(rows, self.used_seeds, self.seed_of, rate, site.kind)
            masks.append((site.drop, *drawn))
        return masks

    def _changed(self, x: Tensor) -> Tensor:
        """Return inputs, (lanes, rows, inputs), after all random changes that are on."""
        changes = zip(INPUT_CHANGES, self.change_draws, self.change_strengths, strict=True)
        for change, draws, strength in changes:
            if strength is not None:
                x = change(x, draws.take(x.shape[1], self.used_seeds, self.seed_of), strength)
        return x

    def train_epoch(self) -> Iterator[None]:
        """Train one epoch of the lanes that still train, evaluate them and record the result.

        Hands control back within the epoch every few milliseconds.
        """
        ends, network = self.batch_ends, self.network
        x, y = self.shuffled()
        targets = soft_targets(y, self.n_classes, self.smoothing.view(-1, 1, 1))
        # random numbers are drawn for this many batches at a time
        drawn = max(1, DRAW_LIMIT // (ends[0] * network.widest))
        logits = torch.empty_like(targets)
        since = time.perf_counter()
        start = 0
        for first in range(0, len(ends), drawn):
            block = ends[first : first + drawn]
            masks = self.draw_masks(block[-1] - start)
            xs = self._changed(x[:, start : block[-1]])
            a = 0
            for b in (end - start for end in block):
                for drop, scale, shift in masks:
                    drop.scale = scale[:, a:b]
                    drop.shift = None if shift is None else shift[:, a:b]
                out = network.forward(xs[:, a:b], train=True)
                at = slice(start + a, start + b)
                logits[:, at] = out
                network.backward(cross_entropy_gradient(out, targets[:, at]))
                self._update()
                a = b
                if time.perf_counter() - since > SLICE:
                    yield
                    since = time.perf_counter()
            start = block[-1]
        self._record(cross_entropy(logits, targets).mean(dim=1))

    def _update(self) -> None:
        """Change the weights by the gradient of one batch; called once after each."""
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network, self.optimizer.steps)

    # --- after it ---------------------------------------------------------------------------

    def _record(self, train_mode_loss: Tensor) -> None:
        """Evaluate the epoch in eval mode, record it, and keep the weights worth keeping."""
        n = self.n_train
        logits = self.observed.evaluate(self.x_eval)
        loss, correct = loss_and_correct(logits, self.y_eval, self.n_classes)
        rows = [
            loss[:, :n].mean(dim=1),
            train_mode_loss,
            loss[:, n:].mean(dim=1),
            correct[:, :n].mean(dim=1),
            correct[:, n:].mean(dim=1),
            self._penalty(),
        ]
        self.epoch += 1
        improved = self.records.add(self.epoch, self.lanes, torch.stack(rows).cpu().numpy())
        self._keep(improved)

    def _penalty(self) -> Tensor:
        """Return l1·Σ|w| + ½·l2·Σw² of each lane."""
        parameters = self.observed.parameters
        total = torch.zeros(len(self.lanes), device=self.device)
        if self.penalized:
            for name in parameters.weight_names:
                weights = parameters[name].flatten(1)
                total += l1_penalty(weights, self.l1) + l2_penalty(weights, self.l2)
        return total

    def _keep(self, improved: list[bool]) -> None:
        """Copy the weights of lanes that improved, and the last finite weights of all lanes."""
        flat, running = self.observed.parameters.flat, self.observed.running
        if self.best is not None and any(improved):
            self.best.update(flat, running, torch.tensor(improved, device=self.device))
        good = [self.records.status[lane] != "diverged" for lane in self.lanes]
        self.last_good.update(flat, running, torch.tensor(good, device=self.device))
