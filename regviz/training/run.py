"""Training: K experiments become stacks of lanes, and a loop that someone else drives.

``Run.steps()`` trains and hands control back after every epoch; ``Run.frame()`` is one look at
it. Nobody has to look: stopping is not iterating.

Randomness. Every draw comes from a generator of its own for (seed, purpose, layer), and one draw
serves all lanes of that seed. So lanes of one seed share initial weights, batch order, and the
uniform numbers behind masks and noise (common random numbers); twins differ in the regularizer
alone. And because no draw depends on who else is in the stack, a lane does not know its
neighbours.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from regviz.data.datasets import make_dataset, make_view, new_points
from regviz.frames import HISTOGRAM_BINS, HISTORY, RELIABILITY_BINS, Frame, LaneFrame
from regviz.nn import augmentation as augment_image
from regviz.nn.autograd import AutogradNetwork
from regviz.nn.convolution import ConvNetwork, feature_maps
from regviz.nn.layers import (
    Dropout,
    Network,
    Parameters,
    Site,
    copy_lanes_,
    dropout_masks,
    gaussian_noise,
)
from regviz.nn.optimizers import OPTIMIZERS, Optimizer, Strengths
from regviz.nn.penalties import l1_penalty, l2_penalty
from regviz.nn.sequence import LSTMNetwork, TransformerNetwork, attention_maps
from regviz.nn.shapes import Shape
from regviz.results import metrics
from regviz.results.stopping import StopState, watch
from regviz.specs import IMAGE_KINDS, DataSpec, Experiment, SpecError, batch_ends

EXPLODED = 1e3
"""A training loss above this (nats a sample; guessing costs 0.7) counts as diverged."""

FRAME_INTERVAL = 0.1  # seconds between frames of `train`
RESULT_GRID = 60  # points along each side of the boundary in a result file
_SLICE = 0.005  # seconds after which a long epoch hands control back
_DRAW_LIMIT = 2**17  # uniform numbers drawn at a time for one layer; part of the random stream
_SMALL = 100_000  # parameters of a run whose time goes into more than its arithmetic
_FEW_LANES = 6  # a frame of more holds no feature maps
_TESTED_LANES = 64  # a frame of more holds no result on the test set
_LIVE_WORK, _LAST_WORK = 1e8, 4e9  # multiply-adds that a live and a last boundary may cost

_INIT, _ORDER, _DROPOUT, _NOISE, _AUGMENTATION, _LOOK = range(6)

AnyNetwork = Network | AutogradNetwork
NETWORKS: dict[str, type[Network] | type[AutogradNetwork]] = {
    "mlp": Network,
    "cnn": ConvNetwork,
    "lstm": LSTMNetwork,
    "transformer": TransformerNetwork,
}


def pick_device(name: str) -> str:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    SpecError
        If the name is none of these, or asks for CUDA where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise SpecError(f"device: got {name!r}; choose one of auto, cpu, cuda.")
    if name != "cpu" and torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise SpecError("device: got 'cuda', but torch finds no CUDA device here; choose cpu.")
    return "cpu"


def _generator(seed: int, *purpose: int, device: str = "cpu") -> torch.Generator:
    state = np.random.SeedSequence([seed, *purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state) >> 1)


def _stack_key(e: Experiment) -> tuple[Any, ...]:
    """Return what must be equal for experiments to be lanes of one stack."""
    data = make_dataset(e.data)
    return (
        data.n_features,
        data.n_classes,
        e.n_train,
        e.n_val,
        len(data.y_test),
        dataclasses.replace(e.model, init_scale=1.0),  # of each lane's own
        e.training.optimizer,
        e.training.batch_size,
        e.training.epochs,
        e.regularization.dropout_kind,
    )


def _rate(e: Experiment, site: Site) -> float:
    """Return the dropout rate of an experiment at one place of its network."""
    if site.rate == "dropout":
        return e.dropout_rates[site.layer]
    return float(getattr(e.regularization, site.rate))


class _Draws:
    """Uniform or normal numbers for one layer (or the input), shared by the lanes of a seed."""

    def __init__(
        self, seeds: Sequence[int], purpose: int, layer: int, units: int, device: str
    ) -> None:
        self.units, self.device = units, device
        self.room: Tensor | None = None
        self.generators = [_generator(s, purpose, layer, device=device) for s in seeds]
        self.draw = torch.randn if purpose == _NOISE else torch.rand

    def with_streams(self, generators: Sequence[torch.Generator]) -> _Draws:
        """Return draws of the same kind that go on where these generators are."""
        other = copy.copy(self)
        other.room = None
        other.generators = [g.clone_state() for g in generators]
        return other

    def take(self, rows: int, used: Sequence[int], place: Tensor | None) -> Tensor:
        """Draw (seeds or lanes, rows, units); ``used``: seeds that still have lanes."""
        drawn = [
            self.draw((rows, self.units), generator=self.generators[i], device=self.device)
            for i in used
        ]
        stacked = torch.stack(drawn)
        return stacked if place is None else stacked[place]

    def masks(
        self, rows: int, used: Sequence[int], place: Tensor | None, p: Tensor, kind: str
    ) -> tuple[Tensor, Tensor | None]:
        """Draw dropout masks, (lanes, rows, units), into memory that the next call uses again:
        fresh memory of this size would be fetched from the operating system every time."""
        size = (len(p), rows, self.units)
        if self.room is None or self.room.shape != size:
            self.room = torch.empty(size, device=self.device)
        return dropout_masks(self.take(rows, used, place), p, kind, out=self.room)


class _Stack:
    """Lanes of equal shape that train as one tensor program."""

    best: Tensor | None  # weights of each lane's best epoch, where somebody may want them back
    best_running: list[Tensor]

    def __init__(self, experiments: Sequence[Experiment], device: str) -> None:
        first = experiments[0]
        self.experiments = list(experiments)
        self.device = device
        self.lanes = list(range(len(experiments)))  # those still training, by their number
        datasets = [make_dataset(e.data) for e in experiments]
        self.n_classes = datasets[0].n_classes
        self.n_train, self.n_val = first.n_train, first.n_val
        self.epochs = first.training.epochs
        self.ends = batch_ends(self.n_train, first.training.batch_size)
        self.shape = Shape.of(first)
        # equal data sets are held once
        sources = {e.data: d for e, d in zip(experiments, datasets, strict=True)}
        self.data_specs = list(sources)
        x = np.stack([np.concatenate([d.x_train, d.x_val]) for d in sources.values()])
        y = np.stack([np.concatenate([d.y_train, d.y_val]) for d in sources.values()])
        self.x = torch.from_numpy(x).to(device)  # (data sets, n_train + n_val, inputs)
        self.y = torch.from_numpy(y).to(device)  # (data sets, n_train + n_val)
        self.extents = [sources[e.data].extent for e in experiments]

        self.seeds = list(dict.fromkeys(e.training.seed for e in experiments))
        self.network = NETWORKS[self.shape.kind](self.shape, len(experiments), device)
        self._initialize()
        parameters = self.network.parameters
        self.optimizer: Optimizer = OPTIMIZERS[first.training.optimizer](
            parameters,
            Strengths.of(experiments),
        )
        self.order = [_generator(s, _ORDER) for s in self.seeds]
        self.mask_draws = [
            _Draws(self.seeds, _DROPOUT, i, site.units, device)
            for i, site in enumerate(self.network.sites)
        ]
        self.noise_draws = _Draws(self.seeds, _NOISE, 0, self.shape.inputs, device)
        self.augmentation_draws = _Draws(self.seeds, _AUGMENTATION, 0, augment_image.DRAWS, device)

        n = len(experiments)
        self.epoch = 0
        self.history = np.full((len(HISTORY), n, self.epochs), np.nan, np.float32)
        self.stops = [StopState() for _ in range(n)]
        self.lane_epoch = [0] * n
        self.status = ["running"] * n
        self.restored = [False] * n
        rules = [e.regularization.early_stopping for e in experiments]
        self.keeps_best = any(r is not None and r.restore_best_weights for r in rules)
        self.ended: list[
            tuple[AnyNetwork, list[int]]
        ] = []  # lanes that are done, with their weights
        self._arrange()

    @classmethod
    def join(cls, parts: Sequence[tuple[_Stack, Sequence[int]]]) -> _Stack:
        """Return some lanes of stacks that could have been one, part after part, as one stack.

        All of them have trained equally many whole epochs. What each lane goes on to do is what
        it would have done; nothing is shared with the stacks that it comes from.
        """
        first = parts[0][0]
        other = copy.copy(first)
        chosen = [(stack, lane) for stack, lanes in parts for lane in lanes]
        other.experiments = [stack.experiments[lane] for stack, lane in chosen]
        other.extents = [stack.extents[lane] for stack, lane in chosen]
        other.stops = [stack.stops[lane] for stack, lane in chosen]
        other.lane_epoch = [stack.lane_epoch[lane] for stack, lane in chosen]
        other.status = [stack.status[lane] for stack, lane in chosen]
        other.restored = [stack.restored[lane] for stack, lane in chosen]
        histories = [stack.history[:, list(lanes)] for stack, lanes in parts]
        other.history = np.concatenate(histories, axis=1)
        other.epoch = max(stack.epoch for stack, _ in parts)
        other.keeps_best = any(stack.keeps_best for stack, _ in parts)

        points = {
            spec: (stack.x[i], stack.y[i])
            for stack, lanes in parts
            for i, spec in enumerate(stack.data_specs)
            if any(stack.experiments[lane].data == spec for lane in lanes)
        }
        other.data_specs = list(points)
        other.x = torch.stack([x for x, _ in points.values()])
        other.y = torch.stack([y for _, y in points.values()])

        other.seeds = list(dict.fromkeys(e.training.seed for e in other.experiments))
        # a stream has moved where its numbers were asked for: a stack without dropout asks for
        # no masks, and joins one that does
        stacks = [stack for stack, _ in parts]

        def streams(
            draws: Callable[[_Stack], list[torch.Generator]], asked: Callable[[_Stack], bool]
        ) -> list[torch.Generator]:
            found = []
            for seed in other.seeds:
                holders = [s for s in stacks if seed in s.seeds]
                moved = [s for s in holders if asked(s) and s.seeds.index(seed) in s.used_seeds]
                holder = (moved or holders)[0]
                found.append(draws(holder)[holder.seeds.index(seed)])
            return found

        order = streams(lambda s: s.order, lambda s: True)
        other.order = [g.clone_state() for g in order]
        other.mask_draws = [
            draws.with_streams(
                streams(
                    functools.partial(lambda i, s: s.mask_draws[i].generators, i),
                    functools.partial(lambda i, s: s.dropping[i], i),
                )
            )
            for i, draws in enumerate(first.mask_draws)
        ]
        other.noise_draws = first.noise_draws.with_streams(
            streams(lambda s: s.noise_draws.generators, lambda s: s.sigma is not None)
        )
        other.augmentation_draws = first.augmentation_draws.with_streams(
            streams(lambda s: s.augmentation_draws.generators, lambda s: s.augmentation is not None)
        )

        number = {(id(stack), lane): i for i, (stack, lane) in enumerate(chosen)}
        other.lanes, other.ended = [], []
        going: list[tuple[_Stack, list[int]]] = []
        for stack, lanes in parts:
            at = [i for i, lane in enumerate(stack.lanes) if lane in lanes]
            other.lanes += [number[id(stack), stack.lanes[i]] for i in at]
            going.append((stack, at))
            for network, ended in stack.ended:
                over = [i for i, lane in enumerate(ended) if lane in lanes]
                if over:
                    numbers = [number[id(stack), ended[i]] for i in over]
                    other.ended.append((network.select(over), numbers))
        other._go_on_with(going)
        return other

    def _go_on_with(self, parts: Sequence[tuple[_Stack, Sequence[int]]]) -> None:
        """Train from now on the lanes at these places of these stacks' networks."""
        parts = [(stack, at) for stack, at in parts if at]
        if not parts:
            return
        # of this very stack, too, whose own are about to be replaced
        best = [
            (s.network.parameters, s.network.parameters.flat if s.best is None else s.best, at)
            for s, at in parts
        ]
        best_running = [
            [r[list(at)] for r in (s.network.running if s.best is None else s.best_running)]
            for s, at in parts
        ]
        first = parts[0][0]
        optimizer = first.optimizer
        kind: Any = type(first.network)
        network = kind.join([(s.network, at) for s, at in parts])
        self.optimizer = optimizer.join(network.parameters, [(s.optimizer, at) for s, at in parts])
        self.network = network
        self._arrange()
        if self.best is not None:
            self.best = network.parameters.join_flat(best)
            self.best_running = [torch.cat(rows) for rows in zip(*best_running, strict=True)]

    def drop(self, lanes: Sequence[int]) -> None:
        """Train these lanes no further and forget their weights: nobody will look at them."""
        keep = [i for i, lane in enumerate(self.lanes) if lane not in lanes]
        if len(keep) < len(self.lanes):
            self.lanes = [self.lanes[i] for i in keep]
            self._go_on_with([(self, keep)])

    def is_training(self, lanes: Sequence[int]) -> bool:
        """Whether any of these lanes has not ended."""
        return not set(self.lanes).isdisjoint(lanes)

    # --- setting up -------------------------------------------------------------------------

    def _initialize(self) -> None:
        """Draw the initial weights, once for each seed."""
        parameters = self.network.parameters
        drawn: dict[int, int] = {}
        for lane, e in enumerate(self.experiments):
            seed = e.training.seed
            if seed not in drawn:
                drawn[seed] = lane
                self.network.initialize(lane, functools.partial(_generator, seed, _INIT))
            else:
                for name in parameters.slices:
                    parameters[name][lane] = parameters[name][drawn[seed]]
        for lane, e in enumerate(self.experiments):
            for name in parameters.weight_names:
                parameters[name][lane] *= e.model.init_scale

    def _vector(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _arrange(self) -> None:
        """Work out, for the lanes that are still training, what is shared and what is on."""
        active = [self.experiments[i] for i in self.lanes]
        regularization = [e.regularization for e in active]
        # lanes -> (data set, seed) pairs: each pair is shuffled once an epoch
        pairs = [(self.data_specs.index(e.data), self.seeds.index(e.training.seed)) for e in active]
        self.pairs = list(dict.fromkeys(pairs))
        self.used_seeds = sorted({seed for _, seed in pairs})
        self.pair_of = self._places([self.pairs.index(p) for p in pairs])
        self.seed_of = self._places([self.used_seeds.index(s) for _, s in pairs])
        self.data_of = torch.tensor([d for d, _ in pairs], device=self.device)
        one = len({d for d, _ in pairs}) == 1
        x = self.x[pairs[0][0]].unsqueeze(0) if one else self.x[self.data_of]
        y = self.y[pairs[0][0]].unsqueeze(0) if one else self.y[self.data_of]
        self.x_eval = x.expand(len(active), -1, -1)
        self.y_eval = y.expand(len(active), -1)
        rates = [[_rate(e, site) for e in active] for site in self.network.sites]
        self.rates = [self._vector(site) for site in rates]
        self.dropping = [any(site) for site in rates]
        sigma = [r.input_noise for r in regularization]
        self.sigma = self._vector(sigma).view(-1, 1, 1) if any(sigma) else None
        changed = [r.augmentation for r in regularization]
        self.augmentation = (
            augment_image.strengths(changed).to(self.device) if any(changed) else None
        )
        self.smoothing = self._vector([r.label_smoothing for r in regularization])
        self.l1 = self._vector([r.l1 for r in regularization])
        self.l2 = self._vector([r.l2 for r in regularization])
        self.penalized = bool((self.l1 + self.l2).any())
        flat = self.network.parameters.flat
        self.last_good = self._snapshot()
        self.best = flat.clone() if self.keeps_best else None
        self.best_running = [r.clone() for r in self.network.running] if self.keeps_best else []

    def _places(self, places: list[int]) -> Tensor | None:
        """Return an index from lanes to shared things, or None where all share the only one."""
        return None if not any(places) else torch.tensor(places, device=self.device)

    def _snapshot(self) -> tuple[Tensor, list[Tensor]]:
        network = self.network
        return network.parameters.flat.clone(), [r.clone() for r in network.running]

    # --- one epoch --------------------------------------------------------------------------

    def _shuffled(self) -> tuple[Tensor, Tensor]:
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

    def _targets(self, y: Tensor) -> Float[Tensor, "lanes n outputs"]:
        """Return soft targets: (1 - ε)·one-hot + ε/K; for two classes the second one's."""
        epsilon = self.smoothing.view(-1, 1, 1)
        if self.n_classes == 2:
            hard = y.unsqueeze(2).to(torch.float32)
        else:
            hard = functional.one_hot(y, self.n_classes).to(torch.float32)
        return hard * (1 - epsilon) + epsilon / self.n_classes

    def _set_masks(self, rows: int) -> list[tuple[Dropout, Tensor, Tensor | None]]:
        """Draw this block's masks for every layer that drops in any lane."""
        masks = []
        for i, (site, rate) in enumerate(zip(self.network.sites, self.rates, strict=True)):
            if not self.dropping[i]:
                site.drop.scale = site.drop.shift = None
                continue
            draws = self.mask_draws[i]
            drawn = draws.masks(rows, self.used_seeds, self.seed_of, rate, site.kind)
            masks.append((site.drop, *drawn))
        return masks

    def train_epoch(self) -> Iterator[None]:
        """Train one epoch of the lanes still running, then look at all of it in eval mode."""
        ends, network = self.ends, self.network
        x, y = self._shuffled()
        targets = self._targets(y)
        # numbers are drawn for so many batches at a time
        drawn = max(1, _DRAW_LIMIT // (ends[0] * network.widest))
        logits = torch.empty_like(targets)
        softmax = self.n_classes > 2
        backward, forward, step = network.backward, network.forward, self.optimizer.step
        since = time.perf_counter()
        start = 0
        for first in range(0, len(ends), drawn):
            block = ends[first : first + drawn]
            rows = block[-1] - start
            masks = self._set_masks(rows)
            xs = x[:, start : start + rows]
            if self.augmentation is not None:
                uniform = self.augmentation_draws.take(rows, self.used_seeds, self.seed_of)
                xs = augment_image.augment(xs, uniform, self.augmentation)
            if self.sigma is not None:
                noise = self.noise_draws.take(rows, self.used_seeds, self.seed_of)
                xs = gaussian_noise(xs, self.sigma, noise)
            a = 0
            for b in (end - start for end in block):
                for drop, scale, shift in masks:
                    drop.scale = scale[:, a:b]
                    drop.shift = None if shift is None else shift[:, a:b]
                out = forward(xs[:, a:b], train=True)
                at = slice(start + a, start + b)
                logits[:, at] = out
                probability = torch.softmax(out, 2) if softmax else torch.sigmoid(out)
                # d(cross-entropy)/d(logit) = probability - target, for both losses
                backward(probability.sub_(targets[:, at]).mul_(1 / (b - a)))
                step()
                a = b
                if time.perf_counter() - since > _SLICE:
                    yield
                    since = time.perf_counter()
            start = block[-1]
        self._look(cross_entropy(logits, targets).mean(dim=1))

    def _judge(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each point, and 1 where the model is right on it, (lanes, n) each."""
        if self.n_classes == 2:
            targets = y.unsqueeze(2).to(torch.float32)
            right = (logits.squeeze(2) > 0) == (y == 1)
        else:
            targets = functional.one_hot(y, self.n_classes).to(torch.float32)
            right = logits.argmax(dim=2) == y
        return cross_entropy(logits, targets), right.to(torch.float32)

    def _look(self, train_mode_loss: Tensor) -> None:
        """Record the epoch, and take out the lanes that it ends."""
        network, n = self.network, self.n_train
        loss, right = self._judge(network.evaluate(self.x_eval), self.y_eval)
        rows = [
            loss[:, :n].mean(dim=1),
            train_mode_loss,
            loss[:, n:].mean(dim=1),
            right[:, :n].mean(dim=1),
            right[:, n:].mean(dim=1),
            self._penalty(),
        ]
        seen = torch.stack(rows).cpu().numpy()
        self.history[:, self.lanes, self.epoch] = seen
        self.epoch += 1
        improved, over = [], []
        for i, lane in enumerate(self.lanes):
            e, before = self.experiments[lane], self.stops[lane]
            diverged = not np.isfinite(seen[:, i]).all() or seen[0, i] > EXPLODED
            after = before
            if not diverged:  # the losses of an exploded net improve on nothing
                rule = e.regularization.early_stopping
                after = watch(before, self.epoch, float(seen[2, i]), rule)
            self.stops[lane], self.lane_epoch[lane] = after, self.epoch
            improved.append(after.best_epoch == self.epoch)
            if diverged:
                self.status[lane] = "diverged"
            elif after.stopped_epoch:
                self.status[lane] = "stopped"
            elif self.epoch == self.epochs:
                self.status[lane] = "finished"
            over.append(self.status[lane] != "running")
        self._remember(improved)
        if any(over):
            self._take_out(over)

    def _penalty(self) -> Tensor:
        """Return l1·Σ|w| + ½·l2·Σw² of each lane."""
        parameters = self.network.parameters
        total = torch.zeros(len(self.lanes), device=self.device)
        if self.penalized:
            for name in parameters.weight_names:
                weights = parameters[name].flatten(1)
                total += l1_penalty(weights, self.l1) + l2_penalty(weights, self.l2)
        return total

    def _remember(self, improved: list[bool]) -> None:
        """Keep the best weights of lanes that improved, and the last finite ones of all."""
        network = self.network
        parameters = network.parameters
        if self.best is not None and any(improved):
            which = torch.tensor(improved, device=self.device)
            copy_lanes_(parameters, self.best, parameters.flat, which)
            for kept, now in zip(self.best_running, network.running, strict=True):
                kept[which] = now[which]
        good = torch.tensor([self.status[i] != "diverged" for i in self.lanes], device=self.device)
        flat, running = self.last_good
        if bool(good.all()):
            flat.copy_(parameters.flat)
        else:
            copy_lanes_(parameters, flat, parameters.flat, good)
        for kept, now in zip(running, network.running, strict=True):
            kept[good] = now[good]

    def _take_out(self, over: list[bool]) -> None:
        """Freeze the lanes that ended, and go on with a smaller stack."""
        network = self.network
        done = [i for i, is_over in enumerate(over) if is_over]
        flat, running = self.last_good
        if self.best is not None:
            rules = [e.regularization.early_stopping for e in self.experiments]
            which = [
                (rule := rules[lane]) is not None
                and rule.restore_best_weights
                and self.stops[lane].best_epoch > 0
                for lane in self.lanes
            ]
            restore = torch.tensor(which, device=self.device)
            copy_lanes_(network.parameters, flat, self.best, restore)
            for kept, best_one in zip(running, self.best_running, strict=True):
                kept[restore] = best_one[restore]
            for i in done:
                self.restored[self.lanes[i]] = which[i]
        ended = network.select(done)
        ended.parameters.flat.copy_(network.parameters.take(flat, done))
        for mine, theirs in zip(ended.running, running, strict=True):
            mine.copy_(theirs[done])
        self.ended.append((ended, [self.lanes[i] for i in done]))
        keep = [i for i, is_over in enumerate(over) if not is_over]
        self.lanes = [self.lanes[i] for i in keep]
        self._go_on_with([(self, keep)])

    # --- looking ----------------------------------------------------------------------------

    def one(self, lane: int) -> tuple[AnyNetwork, int]:
        """Return the network that holds a lane, and the lane's place in it."""
        for network, lanes in [*self.ended, (self.network, self.lanes)]:
            if lane in lanes:
                return network, lanes.index(lane)
        raise IndexError(lane)

    def boundary(
        self, network: AnyNetwork, extents: Sequence[tuple[float, ...]], grid: int
    ) -> Tensor:
        """Return P(class 1) on the grid, (lanes, grid, grid): row x1, column x0, other inputs 0."""
        logits = network.evaluate(self._plane(extents, grid))
        return torch.sigmoid(logits).view(len(extents), grid, grid).cpu()

    def winners(
        self, network: AnyNetwork, extents: Sequence[tuple[float, ...]], grid: int
    ) -> NDArray[np.uint8]:
        """Return an image of the most probable classes as a frame holds it, (lanes, 2, grid,
        grid), of a network with an output for each class."""
        p, best, lead = self.most_probable(network, extents, grid)
        level = (15 * lead.sqrt()).round()
        both = torch.stack([best + 16 * level, (255 * p).round()], dim=1)
        return both.to(torch.uint8).numpy()

    def most_probable(
        self, network: AnyNetwork, extents: Sequence[tuple[float, ...]], grid: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the greatest probability of a class on the grid, whose it is, and its lead over
        the second greatest, (lanes, grid, grid) each.

        Of a diverged lane, whose outputs are no numbers, all are 0.
        """
        p = torch.softmax(network.evaluate(self._plane(extents, grid)), 2)
        first, best = p.max(dim=2)
        lead = first - p.scatter(2, best.unsqueeze(2), -1.0).amax(dim=2)
        best = best.where(first.isfinite(), torch.zeros_like(best))
        size = (len(extents), grid, grid)
        return (
            torch.nan_to_num(first).view(size).cpu(),
            best.view(size).cpu(),
            torch.nan_to_num(lead).view(size).cpu(),
        )

    def _plane(self, extents: Sequence[tuple[float, ...]], grid: int) -> Tensor:
        """Return the grid's nodes as inputs, (lanes, grid², inputs), those beyond two at 0."""
        x = torch.zeros(len(extents), grid * grid, self.shape.inputs)
        for i, (a, b, c, d) in enumerate(extents):
            xx1, xx0 = torch.meshgrid(
                torch.linspace(c, d, grid), torch.linspace(a, b, grid), indexing="ij"
            )
            x[i, :, 0], x[i, :, 1] = xx0.flatten(), xx1.flatten()
        return x.to(self.device)

    @property
    def has_plane(self) -> bool:
        """Whether the first two inputs are a plane to draw in."""
        image = self.experiments[0].data.kind in IMAGE_KINDS
        return self.shape.kind == "mlp" and self.shape.inputs >= 2 and not image

    @property
    def has_boundary(self) -> bool:
        """Whether there is a plane to draw P(class 1) in."""
        return self.has_plane and self.n_classes == 2

    @property
    def has_winners(self) -> bool:
        """Whether there is a plane to draw an image of more than two classes in."""
        return self.has_plane and self.n_classes > 2

    def grid(self, lanes: int, *, last: bool) -> int:
        """Choose how fine the boundaries of a look at so many lanes may be, so that looking stays
        cheap beside training. Live ones are coarser where many others train in this stack."""
        widths = (self.shape.inputs, *self.shape.hidden, self.shape.outputs)
        work = sum(a * b for a, b in itertools.pairwise(widths))
        most, budget = (100, _LAST_WORK) if last else (64, _LIVE_WORK)
        # at least 40 a lane for a few lanes, coarser only in a large sweep
        least = 40 if lanes <= 6 else 24
        sharing = lanes if last else len(self.experiments)
        return int(min(most, max(least, math.sqrt(budget / (work * sharing)))))

    def image_looks(self, network: ConvNetwork, lanes: Sequence[int]) -> list[dict[str, Any]]:
        """Return ``probabilities`` and feature maps of each lane, as a frame holds them."""
        looks: list[dict[str, Any]] = []
        for i, lane in enumerate(lanes):
            e = self.experiments[lane]
            images = make_view(e.data).images
            assert images is not None
            calm = feature_maps(network, i, images)
            rates = [_rate(e, site) for site in network.sites]
            draws = _generator(e.training.seed, _LOOK)
            shaken = feature_maps(network, i, images, rates=rates, generator=draws)
            flat = [
                np.concatenate([m.reshape(len(images), -1) for m in look.maps], axis=1)
                for look in (calm, shaken)
            ]
            looks.append(
                {
                    "probabilities": np.stack([calm.probabilities, shaken.probabilities]),
                    "maps": np.stack(flat),
                    "map_shapes": tuple((m.shape[1], m.shape[2]) for m in calm.maps),
                    "map_kept": np.concatenate(shaken.kept, axis=1),
                }
            )
        return looks

    def tested(self, network: AnyNetwork, lanes: Sequence[int]) -> NDArray[np.float32]:
        """Return loss and accuracy of each lane on the locked test set, (lanes, 2)."""
        sets = [make_dataset(self.experiments[lane].data) for lane in lanes]
        x = torch.from_numpy(np.stack([d.x_test for d in sets])).to(self.device)
        y = torch.from_numpy(np.stack([d.y_test for d in sets])).to(self.device)
        loss, right = self._judge(network.evaluate(x), y)
        return torch.stack([loss.mean(dim=1), right.mean(dim=1)], dim=1).cpu().numpy()

    def looks(
        self, network: AnyNetwork, lanes: Sequence[int], *, few: bool
    ) -> list[dict[str, Any]]:
        """Return what the last frame holds of each lane beyond the others, by the kind of data."""
        if isinstance(network, ConvNetwork):
            return self.image_looks(network, lanes) if few else [{} for _ in lanes]
        return self.sequence_looks(network, lanes)

    def sequence_looks(self, network: AnyNetwork, lanes: Sequence[int]) -> list[dict[str, Any]]:
        """Return ``answers`` and ``attention`` of each lane, as a frame holds them."""
        looks: list[dict[str, Any]] = []
        for i, lane in enumerate(lanes):
            e = self.experiments[lane]
            tokens = make_view(e.data).sequences
            if tokens is None:
                looks.append({})
                continue
            x = torch.from_numpy(tokens.astype(np.float32)).to(self.device)
            logits = network.evaluate(x.expand(len(lanes), -1, -1))[i, :, 0]
            look = {"answers": torch.sigmoid(logits).cpu().numpy()}
            if isinstance(network, TransformerNetwork):
                p, draws = e.regularization.attention_dropout, _generator(e.training.seed, _LOOK)
                look["attention"] = np.stack(
                    [
                        attention_maps(network, i, tokens),
                        attention_maps(network, i, tokens, p=p, generator=draws),
                    ]
                )
            looks.append(look)
        return looks

    def rights(self, lanes: Sequence[int], right: Tensor, y: Tensor) -> NDArray[np.uint32]:
        """Return how many points of each class are right and how many there are, (lanes, 3, 2,
        classes), of all training and validation points' ``right``, as a frame holds it."""
        n, classes = self.n_train, self.n_classes
        out = np.zeros((len(lanes), 3, 2, classes), np.uint32)
        for i, lane in enumerate(lanes):
            new = new_points(self.experiments[lane].data)
            label, weight = y[i].cpu().numpy(), right[i].cpu().numpy()
            place = np.arange(len(label))
            for j, some in enumerate((place[:n], place[n:], place[n:][new])):
                out[i, j, 0] = np.bincount(label[some], weight[some], classes)
                out[i, j, 1] = np.bincount(label[some], minlength=classes)
        return out

    def views(self, wanted: Sequence[int], *, last: bool) -> list[LaneFrame]:
        """Return the looks at some lanes, in their order."""
        frames: dict[int, LaneFrame] = {}
        grid = self.grid(len(wanted), last=last)
        for network, lanes in [*self.ended, (self.network, self.lanes)]:
            places = [i for i, lane in enumerate(lanes) if lane in wanted]
            if not places:
                continue
            if len(places) < len(lanes):
                network, lanes = network.select(places), [lanes[i] for i in places]
            weights = _describe_weights(network.parameters)
            out_of_input = None
            if self.shape.kind == "mlp":
                first = network.parameters[network.parameters.weight_names[0]]
                out_of_input = torch.linalg.vector_norm(first, dim=2).cpu().numpy()
            if self.has_boundary:
                response = self.boundary(network, [self.extents[i] for i in lanes], grid)
                pixels = (response * 255).round().to(torch.uint8).numpy()
            if self.has_winners:
                winners = self.winners(network, [self.extents[i] for i in lanes], grid)
            data = torch.tensor([self.data_specs.index(self.experiments[i].data) for i in lanes])
            x = self.x[data.to(self.device), : self.n_train]
            inputs = network.layer_inputs(x)
            mean = torch.stack([v.mean(dim=(1, 2)) for v in inputs], dim=1).cpu().numpy()
            std = torch.stack([v.std(dim=(1, 2)) for v in inputs], dim=1).cpu().numpy()
            which = data.to(self.device)
            # of a slow network the training points are looked at once more only when it is done
            rights = None
            start = 0 if self.shape.kind == "mlp" or not self.is_training(wanted) else self.n_train
            x, y = self.x[which, start:], self.y[which, start:]
            logits = network.evaluate(x)
            n_val = slice(self.n_train - start, None)
            reliability = reliability_bins(logits[:, n_val], y[:, n_val])
            if not start:
                rights = self.rights(lanes, self._judge(logits, y)[1], y)
            looks: list[dict[str, Any]] = [{} for _ in lanes]
            if last:
                looks = self.looks(network, lanes, few=len(wanted) <= _FEW_LANES)
            has_test = len(make_dataset(self.experiments[0].data).y_test) > 0
            if last and has_test and len(wanted) <= _TESTED_LANES:
                for look, tested in zip(looks, self.tested(network, lanes), strict=True):
                    look["test"] = tested
            for i, lane in enumerate(lanes):
                stop, at = self.stops[lane], self.lane_epoch[lane]
                frames[lane] = LaneFrame(
                    status=self.status[lane],
                    epoch=at,
                    best_epoch=stop.best_epoch,
                    stopped_epoch=stop.stopped_epoch if self.status[lane] == "stopped" else 0,
                    wait=stop.wait,
                    restored=self.restored[lane],
                    history=self.history[:, lane, :at].copy(),
                    layers=tuple(network.parameters.weight_names),
                    shapes=weights.shapes,
                    histogram=weights.histogram[i],
                    limits=weights.limits[i],
                    zeros=weights.zeros[i],
                    norms=weights.norms[i],
                    l1_norms=weights.l1_norms[i],
                    input_mean=mean[i],
                    input_std=std[i],
                    boundary=pixels[i] if self.has_boundary else None,
                    class_map=winners[i] if self.has_winners else None,
                    reliability=reliability[i],
                    input_norms=None if out_of_input is None else out_of_input[i],
                    rights=None if rights is None else rights[i],
                    **looks[i],
                )
        return [frames[lane] for lane in wanted]


@dataclass(frozen=True)
class _Weights:
    """Weights of a stack in numbers; arrays are (lanes, layers, …)."""

    shapes: tuple[tuple[int, int], ...]
    histogram: NDArray[np.uint32]
    limits: NDArray[np.float32]
    zeros: NDArray[np.int64]
    norms: NDArray[np.float64]
    l1_norms: NDArray[np.float64]


def _describe_weights(parameters: Parameters) -> _Weights:
    lanes, names, bins = parameters.lanes, parameters.weight_names, HISTOGRAM_BINS
    histogram = np.zeros((lanes, len(names), bins), np.uint32)
    limits, zeros, norms, l1_norms, shapes = [], [], [], [], []
    for layer, name in enumerate(names):
        w = parameters[name].flatten(1).cpu().numpy()  # (lanes, weights)
        size = np.abs(w)
        # powers of two: bins of lanes with different limits merge exactly into one another's
        limit = 2.0 ** np.ceil(np.log2(np.maximum(size.max(axis=1), 2.0**-10)))
        at = np.floor((w / limit[:, None] + 1) * (bins / 2)).astype(np.int64)
        at = np.clip(at, 0, bins - 1) + bins * np.arange(lanes)[:, None]
        counts = np.bincount(at[w != 0], minlength=lanes * bins)
        histogram[:, layer] = counts.reshape(lanes, bins)
        limits.append(limit)
        zeros.append((w == 0).sum(axis=1))
        norms.append(np.sqrt(np.square(w, dtype=np.float64).sum(axis=1)))
        l1_norms.append(size.sum(axis=1, dtype=np.float64))
        shapes.append((int(parameters[name].shape[1]), int(parameters[name].shape[2])))
    return _Weights(
        shapes=tuple(shapes),
        histogram=histogram,
        limits=np.stack(limits, axis=1).astype(np.float32),
        zeros=np.stack(zeros, axis=1),
        norms=np.stack(norms, axis=1),
        l1_norms=np.stack(l1_norms, axis=1),
    )


def reliability_bins(
    logits: Float[Tensor, "lanes n outputs"], y: Int[Tensor, "lanes n"]
) -> NDArray[np.float32]:
    """Sort predictions by their confidence, the top-label probability, into bins (lo, hi].

    Returns (lanes, 3, 15): count, sum of confidences and number right in each bin, so that
    ECE = Σ |right - confidences| / Σ count.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    if logits.shape[2] == 1:
        p = torch.sigmoid(logits)
        probability = torch.cat([1 - p, p], dim=2)
    else:
        probability = torch.softmax(logits, 2)
    confidence, said = (v.cpu() for v in probability.max(dim=2))
    right = (said == y.cpu()).numpy()
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    out = np.zeros((len(logits), 3, RELIABILITY_BINS), np.float32)
    for lane, c in enumerate(confidence.numpy().astype(np.float64)):
        place = np.clip(np.searchsorted(edges, c, side="left") - 1, 0, RELIABILITY_BINS - 1)
        for row, amount in enumerate((None, c, right[lane])):
            out[lane, row] = np.bincount(place, amount, RELIABILITY_BINS)
    return out


def cross_entropy(
    logits: Float[Tensor, "lanes n outputs"], targets: Float[Tensor, "lanes n outputs"]
) -> Float[Tensor, "lanes n"]:
    """Cross-entropy of each sample in nats, against hard or soft targets.

    One output: log(1 + e^z) - t·z. Several: logΣe^z - Σ t·z.

    Source: ``torch.nn.BCEWithLogitsLoss`` and ``torch.nn.CrossEntropyLoss``.
    """
    if logits.shape[2] == 1:
        return (functional.softplus(logits) - targets * logits).squeeze(2)
    return torch.logsumexp(logits, 2) - (targets * logits).sum(dim=2)


class Run:
    """Experiments being trained; see the module's first lines.

    Parameters
    ----------
    experiments
        One for each lane. Those of equal shapes become one stack; the caller need not know.
    device
        A torch device, from :func:`pick_device`.

    Raises
    ------
    SpecError
        If there is no experiment.
    """

    def __init__(self, experiments: Sequence[Experiment], *, device: str = "cpu") -> None:
        if not experiments:
            raise SpecError("experiments: got none; give at least one.")
        self.experiments = tuple(experiments)
        # equal experiments are one lane: batched products round differently from lane to lane,
        # and a twin with nothing switched on must not drift from its twin
        unique = list(dict.fromkeys(experiments))
        self._lane_of = [unique.index(e) for e in experiments]
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, e in enumerate(unique):
            groups.setdefault(_stack_key(e), []).append(i)
        self._parts: list[_Part] = []
        for group in groups.values():
            chosen = [unique[i] for i in group]
            with _without_graph(NETWORKS[chosen[0].model.kind]):
                stack = _Stack(chosen, device)
            self._parts.append(_Part(stack, list(range(len(group))), group))
        self.device = device
        self.epochs = max(e.training.epochs for e in experiments)
        small = sum(p.stack.network.parameters.flat.numel() for p in self._parts) <= _SMALL
        self.shape_key = next(iter(groups)) if len(groups) == 1 and small else None

    @property
    def epoch(self) -> int:
        """Epochs that the furthest lane has trained."""
        return max(part.stack.lane_epoch[lane] for part in self._parts for lane in part.lanes)

    @property
    def done(self) -> bool:
        """Whether every lane has ended."""
        return not any(part.stack.is_training(part.lanes) for part in self._parts)

    @property
    def is_whole(self) -> bool:
        """Whether no lane has ended."""
        return all(set(part.lanes) <= set(part.stack.lanes) for part in self._parts)

    def steps(self) -> Iterator[None]:
        """Train; hand control back after each epoch and, in a long one, every few milliseconds.

        Stacks take turns by epochs, not by the part of their own epochs: so :attr:`epoch` goes on
        as long as any lane does, though the one that asks for the most may stop early.
        """
        while not self.done:
            going = [p.stack for p in self._parts if p.stack.lanes]
            yield from _one_epoch(min(going, key=lambda s: s.epoch))

    def frame(self) -> Frame:
        """Look at the run as it is now; every lane that ended shows its final weights."""
        lanes: dict[int, LaneFrame] = {}
        with torch.inference_mode():
            for part in self._parts:
                views = part.stack.views(part.lanes, last=self.done)
                lanes.update(zip(part.places, views, strict=True))
        return Frame(
            epoch=self.epoch,
            epochs=self.epochs,
            lanes=tuple(lanes[i] for i in self._lane_of),
            data=tuple(make_view(e.data) for e in self.experiments),
        )

    def results(self) -> list[Result]:
        """Return each lane's result as it stands; a lane still running counts as cancelled."""
        out: dict[int, Result] = {}
        about: dict[DataSpec, metrics.Known] = {}
        with torch.inference_mode():
            for part in self._parts:
                stack = part.stack
                views = stack.views(part.lanes, last=False)
                for place, lane, view in zip(part.places, part.lanes, views, strict=True):
                    boundary = None
                    if stack.has_plane and stack.shape.inputs == 2:
                        network, i = stack.one(lane)
                        extents = [stack.extents[lane]] * network.parameters.lanes
                        if stack.has_boundary:
                            grid = stack.boundary(network, extents, RESULT_GRID)
                            shown = {"response": grid[i].numpy().astype(np.float64)}
                        else:
                            p, best, _ = stack.most_probable(network, extents, RESULT_GRID)
                            shown = {
                                "class": best[i].numpy(),
                                "probability": p[i].numpy().astype(np.float64),
                            }
                        boundary = _grid_lists(stack.extents[lane], shown)
                    e = stack.experiments[lane]
                    points = make_view(e.data)
                    if e.data not in about:
                        about[e.data] = metrics.known(e.data, points)
                    verdict = metrics.judge(
                        metrics.read(view),
                        metrics.rights(view, points),
                        about[e.data],
                        label_noise=e.data.label_noise,
                    )
                    out[place] = Result(e, view, boundary, verdict)
        return [out[i] for i in self._lane_of]


@dataclass
class _Part:
    """Where a run's experiments are: lanes of a stack, and which experiment each of them is."""

    stack: _Stack
    lanes: list[int]
    places: list[int]


class Company:
    """Runs of several people that are trained as lanes of one stack.

    32 lanes cost little more than one, and an experiment that several ask for, such as the twin
    without regularization, is one lane for all of them. Each run goes on being looked at by its
    own ``epoch``, ``done`` and ``frame()``; only its ``steps()`` must no longer be called.

    Parameters
    ----------
    runs
        Of equal :attr:`Run.shape_key`, equally far at the end of an epoch, and whole.

    Raises
    ------
    ValueError
        If they are not.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        first = runs[0]
        if first.shape_key is None or any(
            run.shape_key != first.shape_key or run.epoch != first.epoch or not run.is_whole
            for run in runs
        ):
            raise ValueError("runs: of one stack, equally far and with no lane ended, or alone.")
        parts = [run._parts[0] for run in runs]
        found: dict[Experiment, tuple[_Stack, int]] = {}
        for part in parts:
            for lane in part.lanes:
                found.setdefault(part.stack.experiments[lane], (part.stack, lane))
        chosen = [(stack, [lane]) for stack, lane in found.values()]
        self._kind = type(parts[0].stack.network)
        with _without_graph(self._kind):
            self._stack = _Stack.join(chosen)
        self._runs = list(runs)
        lane_of = {e: i for i, e in enumerate(found)}
        for part in parts:
            part.lanes = [lane_of[part.stack.experiments[lane]] for lane in part.lanes]
            part.stack = self._stack

    @property
    def epoch(self) -> int:
        """Epochs trained by whoever is still training."""
        return self._stack.epoch

    @property
    def lanes(self) -> int:
        """Models that are still trained."""
        return len(self._stack.lanes)

    def steps(self) -> Iterator[None]:
        """Train all of them, like :meth:`Run.steps`."""
        while self._stack.lanes:
            yield from _one_epoch(self._stack)

    def leave(self, run: Run, *, goes_on: bool) -> None:
        """Take a run out between two epochs. If it goes on, alone, it is a run like any other
        from now on; else its lanes are dropped where nobody else has them."""
        self._runs.remove(run)
        part = run._parts[0]
        with _without_graph(self._kind):
            if goes_on:
                part.stack = _Stack.join([(self._stack, part.lanes)])
            others = {lane for other in self._runs for lane in other._parts[0].lanes}
            self._stack.drop([lane for lane in part.lanes if lane not in others])
        if goes_on:
            part.lanes = list(range(len(part.lanes)))


_END = object()


def _one_epoch(stack: _Stack) -> Iterator[None]:
    epoch = stack.train_epoch()
    while True:
        # entered anew for each piece: the modes belong to the thread, and between two
        # pieces the thread may train somebody else's run or do anything at all
        with _fast_arithmetic(type(stack.network)):
            if next(epoch, _END) is _END:
                break
        yield
    yield


def _without_graph(kind: type[AnyNetwork]) -> contextlib.AbstractContextManager[object]:
    """Compute without autograd; where the network itself asks for a graph in its forward pass,
    so that it can: what inference mode made can never be part of one."""
    return torch.no_grad() if issubclass(kind, AutogradNetwork) else torch.inference_mode()


@contextlib.contextmanager
def _fast_arithmetic(kind: type[AnyNetwork]) -> Iterator[None]:
    """Train without autograd, on one thread, and with denormal numbers taken as 0.

    Models this small are slower on two threads, far slower where others want the cores too, and
    the sums come out differently for each number of them. The moments of dead units sink below
    1e-38, where arithmetic is ten times slower; taking them as 0 is a mode of the one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with _without_graph(kind):
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _grid_lists(
    extent: tuple[float, float, float, float], shown: dict[str, NDArray[Any]]
) -> dict[str, list[list[float]]]:
    n = RESULT_GRID
    axes = np.linspace(extent[0], extent[1], n), np.linspace(extent[2], extent[3], n)
    xx0, xx1 = np.meshgrid(*axes)
    return {
        "xx0": xx0.round(6).tolist(),
        "xx1": xx1.round(6).tolist(),
        **{name: values.round(6).tolist() for name, values in shown.items()},
    }


@dataclass(frozen=True)
class Result:
    """What one experiment came to: its final frame and its boundary as numbers.

    ``boundary`` holds, on a grid of the two inputs ``xx0`` and ``xx1``, the ``response`` P(class
    1), or of more than two classes the most probable ``class`` and its ``probability``.
    ``verdict`` says whether it over-fits, as the app does.
    """

    experiment: Experiment
    frame: LaneFrame
    boundary: dict[str, list[list[float]]] | None
    verdict: metrics.Verdict

    @property
    def status(self) -> str:
        """``finished``, ``stopped``, ``diverged`` or ``cancelled``."""
        return "cancelled" if self.frame.status == "running" else self.frame.status

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of a result file's ``runs``, ready for JSON (no NaN: null)."""
        lane = self.frame
        history: dict[str, list[Any]] = {"epoch": list(range(1, lane.epoch + 1))}
        for name in HISTORY:
            values = lane.curve(name).tolist()
            history[name] = [v if math.isfinite(v) else None for v in values]
        return {
            "experiment": self.experiment.to_dict(),
            "status": self.status,
            "best_epoch": lane.best_epoch or None,
            "stopped_epoch": lane.stopped_epoch or None,
            # then the weights and the boundary are those of best_epoch
            "restored_best_weights": lane.restored,
            "history": history,
            "weights": [
                {"layer": name, "shape": list(shape), "zeros": int(zeros), "norm": float(norm)}
                for name, shape, zeros, norm in zip(
                    lane.layers, lane.shapes, lane.zeros, lane.norms, strict=True
                )
            ],
            "boundary": self.boundary,
            "verdict": self.verdict.to_dict(),
        }


def train(experiments: Sequence[Experiment], *, device: str = "cpu") -> Iterator[Frame]:
    """Train experiments and yield frames: after the first epoch, then about ten a second, and
    the last.

    >>> for frame in train([Experiment()]):
    ...     print(frame.epoch, frame.lanes[0].curve("val_loss")[-1])
    """
    run = Run(experiments, device=device)
    due = 0.0
    shown = 0
    for _ in run.steps():
        if run.epoch > shown and not run.done and time.monotonic() >= due:
            shown = run.epoch
            yield run.frame()
            due = time.monotonic() + FRAME_INTERVAL
    yield run.frame()


def fit(
    experiments: Sequence[Experiment],
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Result]:
    """Train experiments to their end and return their results, in order.

    ``progress(epoch, epochs)`` is called after each epoch; once ``should_stop()`` is true,
    training ends and lanes that were still running are ``cancelled``, with what they have.
    """
    run = Run(experiments, device=device)
    shown = 0
    for _ in run.steps():
        if progress is not None and run.epoch > shown:
            shown = run.epoch
            progress(run.epoch, run.epochs)
        if should_stop is not None and should_stop():
            break
    return run.results()
