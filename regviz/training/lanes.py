"""Moving lanes between stacks: take out those that ended, join several stacks, drop lanes.

A lane that moves takes its weights, its optimizer's state and its random streams along, so it goes
on to do exactly what it would have done where it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from regviz.nn.averaging import Average
from regviz.training.randomness import Draws
from regviz.training.records import Records, Snapshot
from regviz.training.stack import Stack

Part = tuple[Stack, Sequence[int]]
"""A stack and some of its lanes, by their numbers."""


def take_out(stack: Stack) -> None:
    """Freeze the lanes that ended, with their best weights where early stopping restores them.

    The stack goes on with the others. A lane that diverged keeps its last finite weights.
    """
    records = stack.records
    done = [i for i, lane in enumerate(stack.lanes) if records.status[lane] != "running"]
    if not done:
        return
    final = stack.last_good
    if stack.best is not None:
        which = [records.restores_best(lane) for lane in stack.lanes]
        restore = torch.tensor(which, device=stack.device)
        final.update(stack.best.flat, stack.best.running, restore)
        for i in done:
            records.restored[stack.lanes[i]] = which[i]
    ended = stack.observed.select(done)
    ended.parameters.flat.copy_(final.layout.take(final.flat, done))
    for to, values in zip(ended.running, final.running, strict=True):
        to.copy_(values[done])
    stack.ended.append((ended, [stack.lanes[i] for i in done]))
    keep = [i for i in range(len(stack.lanes)) if i not in done]
    stack.lanes = [stack.lanes[i] for i in keep]
    _train_on(stack, [(stack, keep)])


def drop(stack: Stack, lanes: Sequence[int]) -> None:
    """Stop training these lanes and forget their weights: no run observes them any more."""
    keep = [i for i, lane in enumerate(stack.lanes) if lane not in lanes]
    if len(keep) < len(stack.lanes):
        stack.lanes = [stack.lanes[i] for i in keep]
        _train_on(stack, [(stack, keep)])


def join(parts: Sequence[Part]) -> Stack:
    """Return some lanes of several stacks, part after part, as one new stack.

    The stacks have equal :func:`~regviz.training.stack.stack_key` and have trained equally many
    whole epochs. Everything that changes is copied: the stacks can go on by themselves.
    """
    first = parts[0][0]
    other = copy.copy(first)
    chosen = [(stack, lane) for stack, lanes in parts for lane in lanes]
    other.experiments = [stack.experiments[lane] for stack, lane in chosen]
    other.extents = [stack.extents[lane] for stack, lane in chosen]
    other.records = Records.join([(stack.records, lanes) for stack, lanes in parts])
    other.epoch = max(stack.epoch for stack, _ in parts)
    other.keeps_best = any(stack.keeps_best for stack, _ in parts)
    _join_data(other, parts)
    _join_streams(other, [stack for stack, _ in parts])

    number = {(id(stack), lane): i for i, (stack, lane) in enumerate(chosen)}
    other.lanes, other.ended = [], []
    training: list[Part] = []
    for stack, lanes in parts:
        places = [i for i, lane in enumerate(stack.lanes) if lane in lanes]
        other.lanes += [number[id(stack), stack.lanes[i]] for i in places]
        training.append((stack, places))
        for network, ended in stack.ended:
            places = [i for i, lane in enumerate(ended) if lane in lanes]
            if places:
                numbers = [number[id(stack), ended[i]] for i in places]
                other.ended.append((network.select(places), numbers))
    _train_on(other, training)
    return other


def _join_data(other: Stack, parts: Sequence[Part]) -> None:
    """Give a stack the data sets of these lanes, each once."""
    points = {
        spec: (stack.x[i], stack.y[i])
        for stack, lanes in parts
        for i, spec in enumerate(stack.data_specs)
        if any(stack.experiments[lane].data == spec for lane in lanes)
    }
    other.data_specs = list(points)
    other.x = torch.stack([x for x, _ in points.values()])
    other.y = torch.stack([y for _, y in points.values()])


def _join_streams(other: Stack, stacks: Sequence[Stack]) -> None:
    """Give a stack copies of the random streams of its lanes' seeds.

    A stream has advanced only where its numbers were drawn: a stack without dropout draws no
    masks, and joins one that does. Of several copies the advanced one is taken.
    """
    other.seeds = list(dict.fromkeys(e.training.seed for e in other.experiments))

    def streams(
        of: Callable[[Stack], Sequence[torch.Generator]], advanced: Callable[[Stack], bool]
    ) -> list[torch.Generator]:
        found = []
        for seed in other.seeds:
            holders = [s for s in stacks if seed in s.seeds]
            moved = [s for s in holders if advanced(s) and s.seeds.index(seed) in s.used_seeds]
            holder = (moved or holders)[0]
            found.append(of(holder)[holder.seeds.index(seed)])
        return found

    def mask_draws(i: int) -> Draws:
        found = streams(lambda s: s.mask_draws[i].generators, lambda s: s.dropping[i])
        return stacks[0].mask_draws[i].with_streams(found)

    def change_draws(i: int) -> Draws:
        found = streams(
            lambda s: s.change_draws[i].generators, lambda s: s.change_strengths[i] is not None
        )
        return stacks[0].change_draws[i].with_streams(found)

    other.order = [g.clone_state() for g in streams(lambda s: s.order, lambda s: True)]
    other.mask_draws = [mask_draws(i) for i in range(len(stacks[0].mask_draws))]
    other.change_draws = [change_draws(i) for i in range(len(stacks[0].change_draws))]


def _train_on(stack: Stack, parts: Sequence[Part]) -> None:
    """Make a stack train, from now on, the lanes at these places of these stacks' networks.

    ``stack`` may be one of those stacks itself.
    """
    parts = [(s, places) for s, places in parts if places]
    if not parts:
        return
    # before anything of this stack is replaced
    best = [(Snapshot(s.observed) if s.best is None else s.best, places) for s, places in parts]
    first = parts[0][0]
    kind: Any = type(first.network)
    network = kind.join([(s.network, places) for s, places in parts])
    stack.optimizer = first.optimizer.join(
        network.parameters, [(s.optimizer, places) for s, places in parts]
    )
    stack.average = Average.of(
        [stack.experiments[lane] for lane in stack.lanes],
        [(s.observed, places) for s, places in parts],
    )
    stack.network = network
    stack.arrange()
    if stack.best is not None:
        stack.best = Snapshot.join(network, best)
