"""The dropout microscope: a small network trained without and with dropout, then analysed.

The core trains the twins; the analysis is NumPy on their weights with the from-scratch dropout,
which exposes each mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import make_dataset, stream
from regviz.frames.lab import LabFrame
from regviz.scratch.dropout import dropout_forward
from regviz.specs import Experiment
from regviz.training.run import Run

Array = NDArray[np.float64]

_BATCH = 8
_SHOWN_SUB_NETWORKS = 24
_SUB_NETWORKS = 200  # for the Monte-Carlo band
_REPEATS = 64  # ensembles of each size, to measure their scatter
_GRID = 24


@dataclass(frozen=True)
class Weights:
    """A trained network 2-width-width-1: a matrix (in, out) and a bias (out,) per layer."""

    matrices: tuple[Array, ...]
    biases: tuple[Array, ...]

    def hidden(self, x: Array, masks: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """Return both hidden layers' ReLU outputs, times their ``masks`` if given."""
        one = np.maximum(x @ self.matrices[0] + self.biases[0], 0)
        one = one if masks is None else one * masks[0]
        two = np.maximum(one @ self.matrices[1] + self.biases[1], 0)
        return one, two if masks is None else two * masks[1]

    def logit(self, x: Array, masks: tuple[Array, Array] | None = None) -> Array:
        """Return the logits of points (…, 2), (…,); ``masks`` (…, units) hold 0 and 1/(1-p)."""
        out = self.hidden(x, masks)[1] @ self.matrices[2] + self.biases[2]
        return out[..., 0]


def draw_masks(width: int, p: float, rng: np.random.Generator, *shape: int) -> tuple[Array, Array]:
    """Draw scaled masks of both hidden layers, (*shape, width) each: 0 or 1/(1-p)."""
    ones = np.ones((*shape, width))
    first = dropout_forward(ones, p, training=True, rng=rng)[1]
    return first, dropout_forward(ones, p, training=True, rng=rng)[1]


def log_loss(logit: Array, y: NDArray[Any]) -> float:
    """Mean of log(1 + e^z) - y·z, in nats: the cross-entropy of two classes."""
    return float((np.logaddexp(0, logit) - y * logit).mean())


def ensemble_error(
    net: Weights, x: Array, p: float, passes: int, rng: np.random.Generator
) -> tuple[Array, Array, float, float]:
    """Compare the mean of k masked passes with its limit and with the eval output.

    Returns, for k = 1…passes, the rms over points and repeats of (mean of k - eval output) and of
    (mean of k - mean of all); then the rms of (mean of all - eval output), and the standard
    deviation of one pass. The second falls as 1/√k. The first levels off at the third, because the
    mean of a ReLU's outputs is not its output at the mean. (For a linear network the third is 0.)
    """
    width = net.matrices[1].shape[0]
    masks = draw_masks(width, p, rng, _REPEATS, passes, len(x))
    out = net.logit(x, masks)  # (repeats, passes, points)
    means = out.cumsum(axis=1) / np.arange(1, passes + 1)[:, None]
    whole, full = out.mean(axis=(0, 1)), net.logit(x)
    to_eval = np.sqrt(np.square(means - full).mean(axis=(0, 2)))
    to_mean = np.sqrt(np.square(means - whole).mean(axis=(0, 2)))
    spread = float(np.sqrt(np.square(out - whole).mean()))
    return to_eval, to_mean, float(np.sqrt(np.square(whole - full).mean())), spread


def ablation(net: Weights, x: Array, y: NDArray[Any]) -> Array:
    """Return the rise of the eval-mode loss when one hidden unit is set to 0, (units,), in nats."""
    width = net.matrices[1].shape[0]
    ones, base = np.ones(width), log_loss(net.logit(x), y)
    rises = []
    for unit in range(2 * width):
        masks = [ones.copy(), ones.copy()]
        masks[unit // width][unit % width] = 0
        rises.append(log_loss(net.logit(x, (masks[0], masks[1])), y) - base)
    return np.array(rises)


def microscope(
    p: float,
    width: int,
    passes: int,
    epochs: int,
    n_samples: int,
    noise: float,
    seed: int,
) -> Iterator[LabFrame]:
    """Train twins on moons without and with dropout p, then analyse masks and sub-networks.

    The twins are 2-width-width-1 networks with dropout after both hidden layers.
    ``values["phase"]`` is ``training``, then ``looking``, finally ``done``; later frames add arrays
    to the earlier ones. While training: ``history`` (2, 3, e) float32, without and with dropout;
    train loss, train-mode loss, val loss.

    Then, for the network with dropout and a batch of 8 training points (H = 2·width hidden units,
    first layer first; outputs are logits unless noted): ``widths`` (4,) int64; ``weights_0`` (2,
    width), ``weights_1`` (width, width), ``weights_2`` (width, 1); ``masks`` (8, H) uint8, 1 =
    kept; ``eval_output``, ``train_output``, ``label`` (8,); ``sub_networks`` (24, H) uint8, one
    mask per row, and their P(class 1) ``sub_network_output`` (24,) at ``point`` (2,), the first of
    the batch; ``k`` (passes,); ``error_eval`` (passes,): rms of (mean of k masked passes - eval
    output) over the batch and 64 repeats; ``error_mean`` (passes,): rms of (that mean - the mean of
    all 64·passes); ``expected`` (passes,): spread/√k, the law for ``error_mean``.

    On a 24x24 grid over the data (row x1, column x0): ``xx0``, ``xx1`` (24,), P(class 1) over 200
    sub-networks ``mc_mean``, ``mc_std``, and of the whole network ``eval`` (24, 24). ``ablation``
    (2, H), without and with dropout: rise of the training loss when one hidden unit is set to 0
    (eval mode, nats).

    Values: ``loss_eval``, ``loss_train`` of the batch with the same weights; ``kept``, the mean of
    ``masks``; ``spread``, standard deviation of one masked pass; ``floor``, rms of (mean of all
    passes - eval output), not 0 because the network is not linear; lists (without, with):
    ``ablation_mean``, ``ablation_max``, ``ablation_largest_share`` (largest rise over the sum of
    all rises), ``loss_full`` (train loss, eval mode); ``loss_full_train_mode``, that of the network
    with dropout in training mode (mean of 20 draws).

    Source: Srivastava et al. 2014; Gal & Ghahramani 2016 (Monte-Carlo dropout).
    """
    plain = Experiment.from_dict(
        {
            "data": {"n_samples": n_samples, "noise": noise, "seed": seed},
            "model": {"hidden": [width, width]},
            "training": {"lr": 0.01, "epochs": epochs, "seed": seed},
        }
    )
    # for p = 0 the twins are one network
    twins = [plain, plain.replace("regularization.dropout", p)] if p else [plain]
    both = [0, -1]
    steps = epochs + 3
    run = Run(twins)
    for epoch in epochs_of(run):
        if epoch < epochs:
            yield LabFrame(
                epoch, steps, {"history": losses_of(run)[both]}, {"phase": "training", "p": p}
            )
    arrays: dict[str, NDArray[Any]] = {"history": losses_of(run)[both]}
    yield LabFrame(epochs, steps, arrays, {"phase": "looking", "p": p})

    found = weights_of(run)
    nets = [found[i] for i in both]
    net, data = nets[1], make_dataset(plain.data)
    x, y = data.x_train.astype(np.float64), data.y_train
    rng = stream(seed, 7)
    batch, label = x[:_BATCH], y[:_BATCH]
    masks = draw_masks(width, p, rng, _BATCH)
    eval_output, train_output = net.logit(batch), net.logit(batch, masks)
    subs = draw_masks(width, p, rng, _SUB_NETWORKS)
    shown_subs = np.concatenate(subs, axis=1)[:_SHOWN_SUB_NETWORKS] > 0
    one = net.logit(batch[0], subs)[:_SHOWN_SUB_NETWORKS]
    kept = np.concatenate(masks, axis=1) > 0
    arrays |= {
        "widths": np.array([2, width, width, 1]),
        **{f"weights_{i}": w for i, w in enumerate(net.matrices)},
        "masks": kept.astype(np.uint8),
        "sub_networks": shown_subs.astype(np.uint8),
        "sub_network_output": _sigmoid(one),
        "point": batch[0],
        "eval_output": eval_output,
        "train_output": train_output,
        "label": label,
    }
    values: dict[str, Any] = {
        "p": p,
        "loss_eval": log_loss(eval_output, label),
        "loss_train": log_loss(train_output, label),
        "kept": float(kept.mean()),
    }
    yield LabFrame(epochs + 1, steps, arrays, {"phase": "looking", **values})

    to_eval, to_mean, floor, spread = ensemble_error(net, batch, p, passes, rng)
    k = np.arange(1, passes + 1)
    arrays |= {
        "k": k,
        "error_eval": to_eval,
        "error_mean": to_mean,
        "expected": spread / np.sqrt(k),
    }
    values |= {"floor": floor, "spread": spread}
    yield LabFrame(epochs + 2, steps, arrays, {"phase": "looking", **values})

    a, b, c, d = data.extent
    xx0, xx1 = np.linspace(a, b, _GRID), np.linspace(c, d, _GRID)
    points = np.stack(np.meshgrid(xx0, xx1), axis=-1)  # row x1, column x0
    by_sub = _sigmoid(net.logit(points, for_all_points(subs)))
    train_mode = net.logit(x, draw_masks(width, p, rng, 20, len(x)))
    rises = np.stack([ablation(n, x, y) for n in nets])
    arrays |= {
        "xx0": xx0,
        "xx1": xx1,
        "mc_mean": by_sub.mean(axis=0),
        "mc_std": by_sub.std(axis=0),
        "eval": _sigmoid(net.logit(points)),
        "ablation": rises,
    }
    values |= {
        "ablation_mean": rises.mean(axis=1).tolist(),
        "ablation_max": rises.max(axis=1).tolist(),
        "ablation_largest_share": [float(r.max() / max(r.clip(0).sum(), 1e-12)) for r in rises],
        "loss_full_train_mode": log_loss(train_mode, y),
        "loss_full": [log_loss(n.logit(x), y) for n in nets],
    }
    yield LabFrame(steps, steps, arrays, {"phase": "done", **values})


def for_all_points(masks: tuple[Array, Array]) -> tuple[Array, Array]:
    """Shape masks of sub-networks to broadcast over a grid of points: (subs, 1, 1, units) each."""
    return masks[0][:, None, None, :], masks[1][:, None, None, :]


def epochs_of(run: Run) -> Iterator[int]:
    """Train a run; yield the epoch's number after each epoch."""
    shown = 0
    for _ in run.steps():
        if run.epoch > shown:
            shown = run.epoch
            yield shown


def weights_of(run: Run) -> list[Weights]:
    """Return the weights of each lane of a run of one stack, (in, out) and (out,), float64."""
    nets = []
    for lane in range(len(run.experiments)):
        network, place = run._parts[0].stack.network_of(lane)
        block = network.parameters
        names = block.weight_names
        matrices = tuple(block[n][place].numpy().astype(np.float64) for n in names)
        biases = tuple(block[n + ".bias"][place, 0].numpy().astype(np.float64) for n in names)
        nets.append(Weights(matrices, biases))
    return nets


def losses_of(run: Run) -> NDArray[np.float32]:
    """Return the loss curves so far, (lanes, 3, epochs), without computing a whole frame.

    The rows are train loss, train-mode loss and val loss. The run must have one stack.
    """
    stack = run._parts[0].stack
    return stack.records.history[:3, :, : stack.epoch].transpose(1, 0, 2).copy()


def _sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))
