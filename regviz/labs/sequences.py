"""Masks of sequence models: recurrent dropout over time steps, attention dropout over rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame
from regviz.nn.layers import dropout_masks
from regviz.specs import SEQUENCE_LENGTH, Experiment
from regviz.training.run import Run

_SHOWN = 3
_FRAMES = 10
_ROWS = 40


def recurrent_masks(p: float, units: int, sequences: int, seed: int) -> Iterator[LabFrame]:
    """Draw an LSTM's recurrent dropout masks: one per sequence, as in training, and one per step.

    With one mask, a unit is kept at all of t steps with probability 1-p; with a new mask at each
    step, with probability (1-p)^t.

    Masks come from a run's random stream. Arrays: ``masks_fixed``, ``masks_redrawn`` (3, 20, units)
    uint8: 1 = kept, of the first three sequences; ``step`` (20,) t; ``measured_fixed``,
    ``measured_redrawn`` (20,): share of units kept at each of the first t steps, over the sequences
    so far; ``closed_form_fixed``, 1-p, and ``closed_form_redrawn``, (1-p)^t, (20,). Values: ``gap``
    = max|measured - closed form|; ``sequences`` so far; ``p``.

    Source: Gal & Ghahramani 2016, arXiv 1512.05287.
    """
    experiment = Experiment.from_dict(
        {
            "data": {"kind": "order", "noise": 0.0},
            "model": {"kind": "lstm", "hidden": [units]},
            "regularization": {"recurrent_dropout": p},
            "training": {"seed": seed},
        }
    )
    # the masks that a run of this size and seed draws; the first are those of its first batch
    stack = Run([experiment])._parts[0].stack
    place = [site.rate for site in stack.network.sites].index("recurrent_dropout")

    def drawn(rows: int) -> NDArray[np.bool_]:
        draws, rate = stack.mask_draws[place], stack.rates[place]
        return draws.masks(rows, [0], None, rate, "standard")[0][0].numpy() > 0

    time = SEQUENCE_LENGTH
    fixed = drawn(sequences)[:, None, :].repeat(time, axis=1)  # (sequences, time, units)
    redrawn = drawn(sequences * time).reshape(sequences, time, units)
    step = np.arange(1, time + 1)
    closed = {"fixed": np.full(time, 1 - p), "redrawn": (1 - p) ** step}
    kept = {
        name: np.logical_and.accumulate(masks, axis=1).mean(axis=2)  # (sequences, time)
        for name, masks in (("fixed", fixed), ("redrawn", redrawn))
    }
    for frame in range(1, _FRAMES + 1):
        seen = -(-sequences * frame // _FRAMES)
        share = {name: values[:seen].mean(axis=0) for name, values in kept.items()}
        yield LabFrame(
            frame,
            _FRAMES,
            {
                "masks_fixed": fixed[:_SHOWN].astype(np.uint8),
                "masks_redrawn": redrawn[:_SHOWN].astype(np.uint8),
                "step": step,
                **{f"measured_{name}": values for name, values in share.items()},
                **{f"closed_form_{name}": values for name, values in closed.items()},
            },
            {
                "p": p,
                "sequences": float(seen),
                "gap": max(float(np.abs(share[n] - closed[n]).max()) for n in closed),
            },
        )


def attention_row_sums(p: float, draws: int, seed: int) -> Iterator[LabFrame]:
    """Sums of softmax rows under attention dropout: 40 rows over 20 tokens, from uniform to sharp.

    With a the softmax, m the mask: s = Σ a_j·m_j/(1-p) has mean 1 and variance p/(1-p)·Σ a_j².

    Arrays, (40,): ``focus`` Σa²; ``measured``, the rms of (row sum - 1) over the draws so far;
    ``closed_form`` √(p/(1-p)·Σa²); ``sums``, the row sums of the last draw. Values: ``gap`` =
    max|measured - closed form|; ``mean`` of all row sums; ``draws`` so far; ``p``.

    Source: the moments of a Bernoulli mask; dropout on attention as in Vaswani et al. 2017.
    """
    rng, time = stream(seed, 11), SEQUENCE_LENGTH
    sharpness = np.linspace(0, 8, _ROWS)[:, None]
    scores = sharpness * rng.standard_normal((_ROWS, time))
    a = np.exp(scores - scores.max(axis=1, keepdims=True))
    a /= a.sum(axis=1, keepdims=True)
    focus = np.square(a).sum(axis=1)
    closed = np.sqrt(p / (1 - p) * focus)
    generator = torch.Generator().manual_seed(seed)
    sums = np.empty((draws, _ROWS))
    seen = 0
    for frame in range(1, _FRAMES + 1):
        until = -(-draws * frame // _FRAMES)
        uniform = torch.rand((1, (until - seen) * _ROWS, time), generator=generator)
        mask = dropout_masks(uniform, torch.tensor([p]), "standard")[0].numpy()
        sums[seen:until] = (mask.reshape(-1, _ROWS, time) * a).sum(axis=2)
        seen = until
        measured = np.sqrt(np.square(sums[:seen] - 1).mean(axis=0))
        yield LabFrame(
            frame,
            _FRAMES,
            {
                "focus": focus,
                "measured": measured,
                "closed_form": closed,
                "sums": sums[:seen][-1],
            },
            {
                "p": p,
                "draws": float(seen),
                "mean": float(sums[:seen].mean()),
                "gap": float(np.abs(measured - closed).max()),
            },
        )
