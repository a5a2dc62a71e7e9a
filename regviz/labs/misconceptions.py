"""The misconceptions: wrong and right versions on the same numbers, and their measured difference.

Wrong code comes from :mod:`regviz.wrong`, right code from :mod:`regviz.scratch` or the core.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from regviz.data.datasets import make_dataset, stream
from regviz.frames.lab import LabFrame
from regviz.labs.microscope import epochs_of, losses_of, weights_of
from regviz.scratch.dropout import dropout_forward
from regviz.scratch.early_stopping import early_stopping
from regviz.scratch.normalization import batch_norm
from regviz.scratch.penalties import elastic_net_update, soft_threshold
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.scratch.weight_decay import adam_step
from regviz.specs import Experiment
from regviz.training.run import Run
from regviz.wrong.adam_decay import wrong_adam_decay_step
from regviz.wrong.batch_norm import wrong_input_of_batch_norm
from regviz.wrong.dropout import wrong_dropout_at_test as _wrong_dropout_at_test
from regviz.wrong.dropout import wrong_scaling_by_p, wrong_scaling_twice
from regviz.wrong.early_stopping import wrong_early_stopping as _wrong_early_stopping
from regviz.wrong.l1 import wrong_l1_kill_step, wrong_l1_subgradient_step
from regviz.wrong.lstm_dropout import wrong_lstm_with_dropout

Array = NDArray[np.float64]


def wrong_dropout_at_test(p: float, repeats: int, seed: int) -> Iterator[LabFrame]:
    """A network trained with dropout predicts the validation points ``repeats`` times.

    The network is 2-64-64-1, trained on moons; the wrong version leaves dropout on. While it
    trains, ``values["phase"]`` is ``training`` and frames hold nothing else. Arrays: ``wrong``,
    ``right`` (repeats,): accuracy; ``wrong_output``, ``right_output`` (repeats,): P(class 1) of the
    least certain point. Values: ``accuracy_wrong``, ``accuracy_right`` (means); measured = standard
    deviation of ``wrong_output``; ``right_spread``, the range of ``right_output`` (0).
    """
    plain = Experiment.from_dict(
        {
            "data": {"n_samples": 300, "seed": seed},
            "model": {"hidden": [64, 64]},
            "training": {"lr": 0.01, "epochs": 40, "seed": seed},
        }
    )
    run = Run([plain.replace("regularization.dropout", p)])
    for _ in epochs_of(run):
        yield LabFrame(run.epoch, repeats + plain.training.epochs, {}, {"phase": "training"})
    [net] = weights_of(run)
    data = make_dataset(plain.data)
    x, y = data.x_val.astype(np.float64), data.y_val
    wrong, right = np.empty((repeats, 2)), np.empty((repeats, 2))
    rng = stream(seed, 7)

    def predict(dropout: Any) -> tuple[float, float]:
        h = x
        for weight, bias in zip(net.matrices[:-1], net.biases[:-1], strict=True):
            h = dropout(np.maximum(h @ weight + bias, 0))
        logit = (h @ net.matrices[-1] + net.biases[-1])[:, 0]
        probability = np.exp(-np.logaddexp(0, -logit))
        return float(((logit > 0) == (y == 1)).mean()), float(probability[point])

    # the least certain point shows the difference best
    point = int(np.abs(net.logit(x)).argmin())
    for i in range(repeats):
        wrong[i] = predict(lambda h: _wrong_dropout_at_test(h, p, training=False, rng=rng))
        right[i] = predict(lambda h: dropout_forward(h, p, training=False, rng=rng)[0])
        seen = slice(0, i + 1)
        yield LabFrame(
            step=plain.training.epochs + i + 1,
            steps=plain.training.epochs + repeats,
            arrays={
                "wrong": wrong[seen, 0],
                "right": right[seen, 0],
                "wrong_output": wrong[seen, 1],
                "right_output": right[seen, 1],
            },
            values={
                "phase": "looking",
                "accuracy_wrong": float(wrong[seen, 0].mean()),
                "accuracy_right": float(right[seen, 0].mean()),
                "measured": float(wrong[seen, 1].std()),
                "right_spread": float(np.ptp(right[seen, 1])),
                "says": "standard deviation of P(class 1) of one point over repeated predictions",
            },
        )


def wrong_dropout_scaling(p: float, units: int, repeats: int, seed: int) -> Iterator[LabFrame]:
    """Mean output of a layer over its mean input, in training and at test time, scaled in 3 ways.

    Arrays, (repeats,), training mode, mean over the masks so far: ``wrong`` (scaled by p),
    ``twice`` (scaled in training and at test time), ``right``. Values: ``train_wrong``,
    ``train_twice``, ``train_right`` (their last entries), ``test_wrong``, ``test_twice``,
    ``test_right`` (test mode); ``expected_wrong`` = p(1-p) in training, ``expected_twice`` = 1-p at
    test time; measured = train_wrong/test_wrong, ``measured_twice``, ``measured_right``: 1 is
    correct.
    """
    rng = stream(seed, 1)
    x = np.abs(rng.standard_normal((1, units)))
    ways = {
        "wrong": wrong_scaling_by_p,
        "twice": wrong_scaling_twice,
        "right": lambda *a, **k: dropout_forward(*a, **k)[0],
    }
    total = dict.fromkeys(ways, 0.0)
    paths = {name: np.empty(repeats) for name in ways}
    test = {n: float(f(x, p, training=False, rng=rng).mean() / x.mean()) for n, f in ways.items()}
    for i in range(repeats):
        for name, dropout in ways.items():
            # equal masks for all three
            y = dropout(x, p, training=True, rng=stream(seed, 2, i))
            total[name] += float(y.mean() / x.mean())
            paths[name][i] = total[name] / (i + 1)
        last = {name: float(path[i]) for name, path in paths.items()}
        yield LabFrame(
            step=i + 1,
            steps=repeats,
            arrays={name: path[: i + 1] for name, path in paths.items()},
            values={
                **{f"train_{name}": value for name, value in last.items()},
                **{f"test_{name}": value for name, value in test.items()},
                "expected_wrong": p * (1 - p),
                "expected_twice": 1 - p,
                "measured": last["wrong"] / test["wrong"],
                "measured_twice": last["twice"] / test["twice"],
                "measured_right": last["right"] / test["right"],
                "says": "mean output in training / mean output at test time; 1 is correct",
            },
        )


def _lasso(d: int, seed: int) -> tuple[Array, Array]:
    """Return XᵀX/n and Xᵀy/n of a regression where every second true weight is 0."""
    rng = stream(seed, 1)
    n = 100
    x = rng.standard_normal((n, d))
    true = np.where(np.arange(d) % 2 == 0, 1.5, 0.0)
    y = x @ true + 0.5 * rng.standard_normal(n)
    return x.T @ x / n, x.T @ y / n


def _lasso_objective(gram: Array, moment: Array, w: Array, l1: float) -> float:
    return float(0.5 * w @ gram @ w - moment @ w + l1 * np.abs(w).sum())


def wrong_l1_subgradient(l1: float, n_features: int, steps: int, seed: int) -> Iterator[LabFrame]:
    """One lasso by subgradient steps and by proximal steps, step size 0.05.

    Arrays: ``step`` (t,); ``wrong``, ``right`` (t, d): weights; ``zeros_wrong``, ``zeros_right``
    (t,) int64: exact zeros. Values: measured = zeros_right - zeros_wrong at the end;
    ``zeros_wrong``, ``zeros_right``; ``smallest_wrong``, the smallest |w| of the wrong version.
    """
    gram, moment = _lasso(n_features, seed)
    start = 0.3 * stream(seed, 2).standard_normal(n_features)
    wrong, right = np.empty((steps + 1, n_features)), np.empty((steps + 1, n_features))
    wrong[0] = right[0] = start
    lr = 0.05
    for t in range(1, steps + 1):
        w = wrong[t - 1]
        wrong[t] = wrong_l1_subgradient_step(w, gram @ w - moment, lr, l1)
        w = right[t - 1]
        right[t] = elastic_net_update(w, gram @ w - moment, lr, l1, 0.0)
        if t % 5 and t != steps:
            continue
        zeros_wrong, zeros_right = ((p[: t + 1] == 0).sum(axis=1) for p in (wrong, right))
        yield LabFrame(
            step=-(-t // 5),
            steps=-(-steps // 5),
            arrays={
                "step": np.arange(t + 1),
                "wrong": wrong[: t + 1],
                "right": right[: t + 1],
                "zeros_wrong": zeros_wrong,
                "zeros_right": zeros_right,
            },
            values={
                "measured": int(zeros_right[-1] - zeros_wrong[-1]),
                "zeros_wrong": int(zeros_wrong[-1]),
                "zeros_right": int(zeros_right[-1]),
                "smallest_wrong": float(np.abs(wrong[t]).min()),
                "says": "additional exact zeros with the proximal step",
            },
        )


def wrong_l1_kill(l1: float, steps: int, seed: int) -> Iterator[LabFrame]:
    """One lasso by proximal steps and by steps that kill a weight when it crosses zero.

    Arrays: ``step`` (t,); ``wrong``, ``right`` (t, 16); ``solution`` (16,); ``dead`` (t,) int64.
    Values: measured = objective of wrong - objective of right; ``dead``; ``dead_but_needed``, the
    dead weights that are not 0 in the solution; ``gap_right`` = max|right - solution|.
    """
    d = 16
    gram, moment = _lasso(d, seed)
    # all weights start with the wrong sign: those that matter must cross zero
    start = -stream(seed, 2).uniform(0.2, 1.0, d)
    solution = start.copy()
    for _ in range(5000):
        solution = soft_threshold(solution - 0.3 * (gram @ solution - moment), 0.3 * l1)
    wrong, right = np.empty((steps + 1, d)), np.empty((steps + 1, d))
    wrong[0] = right[0] = start
    alive, dead = np.ones(d, bool), np.zeros(steps + 1, np.int64)
    lr = 0.05
    for t in range(1, steps + 1):
        w = wrong[t - 1]
        wrong[t], alive = wrong_l1_kill_step(w, alive, gram @ w - moment, lr, l1)
        dead[t] = (~alive).sum()
        w = right[t - 1]
        right[t] = elastic_net_update(w, gram @ w - moment, lr, l1, 0.0)
        if t % 5 and t != steps:
            continue
        objective = [_lasso_objective(gram, moment, path[t], l1) for path in (wrong, right)]
        yield LabFrame(
            step=-(-t // 5),
            steps=-(-steps // 5),
            arrays={
                "step": np.arange(t + 1),
                "wrong": wrong[: t + 1],
                "right": right[: t + 1],
                "solution": solution,
                "dead": dead[: t + 1],
            },
            values={
                "measured": objective[0] - objective[1],
                "dead": int(dead[t]),
                "dead_but_needed": int((~alive & (solution != 0)).sum()),
                "gap_right": float(np.abs(right[t] - solution).max()),
                "says": "objective of the wrong version minus that of the correct one",
            },
        )


def wrong_adam_decay(weight_decay: float, lr: float, steps: int, seed: int) -> Iterator[LabFrame]:
    """Decay of two equal weights whose gradients are pure noise of scale 10 and 0.1.

    The noise has mean 0, so only decay shrinks the weights. Means over 200 copies, because single
    ones scatter.

    Arrays: ``step`` (t,); ``wrong``, ``right`` (t, 2): w relative to its start, large gradients
    first; ``closed_form`` (t,) = (1-lr·λ)^t. Values: measured = remaining share of the first minus
    that of the second, wrong version; ``right_difference``, the same, right version;
    ``left_wrong``, ``left_right``, the remaining shares (lists of 2); ``closed_form``, its last
    entry.
    """
    copies, scale = 200, np.array([10.0, 0.1])
    rng = stream(seed, 1)
    states = {
        name: (np.ones((copies, 2)), *np.zeros((2, copies, 2))) for name in ("wrong", "right")
    }
    paths = {name: np.ones((steps + 1, 2)) for name in states}
    closed = (1 - lr * weight_decay) ** np.arange(steps + 1)
    for t in range(1, steps + 1):
        gradient = scale * rng.standard_normal((copies, 2))
        w, m, v = states["wrong"]
        states["wrong"] = wrong_adam_decay_step(
            w, gradient, m, v, t, lr=lr, weight_decay=weight_decay
        )
        w, m, v = states["right"]
        states["right"] = adam_step(
            w, gradient, m, v, t, lr=lr, weight_decay=weight_decay, decoupled=True
        )
        for name, path in paths.items():
            path[t] = states[name][0].mean(axis=0)
        if t % 5 and t != steps:
            continue
        difference = {name: float(path[t, 0] - path[t, 1]) for name, path in paths.items()}
        yield LabFrame(
            step=-(-t // 5),
            steps=-(-steps // 5),
            arrays={
                "step": np.arange(t + 1),
                **{name: path[: t + 1] for name, path in paths.items()},
                "closed_form": closed[: t + 1],
            },
            values={
                "measured": difference["wrong"],
                "right_difference": difference["right"],
                "left_wrong": paths["wrong"][t].tolist(),
                "left_right": paths["right"][t].tolist(),
                "closed_form": float(closed[t]),
                "says": "remaining share under large gradients minus small ones; 0 is correct",
            },
        )


def wrong_early_stopping(patience: int, epochs: int, seed: int) -> Iterator[LabFrame]:
    """One overfitting run, with early stopping on the training loss and on the validation loss.

    Arrays: ``epoch``, ``train_loss``, ``val_loss`` (e,). Values: ``stopped_wrong``,
    ``stopped_right`` (epoch, 0: not yet), ``best_wrong``, ``best_right`` (epochs),
    ``val_loss_wrong``, ``val_loss_right`` (at the best epochs); measured = their difference.
    """
    experiment = Experiment.from_dict(
        {
            "data": {"n_samples": 120, "noise": 0.35, "label_noise": 0.2, "seed": seed},
            "model": {"hidden": [64, 64]},
            "training": {"lr": 0.005, "epochs": epochs, "seed": seed},
        }
    )
    run = Run([experiment])
    for _ in epochs_of(run):
        history = losses_of(run)[0]  # rows: train loss, train-mode loss, val loss
        train, val = history[0], history[2]
        wrong = _wrong_early_stopping(train.tolist(), patience)
        right = early_stopping(val.tolist(), patience)
        best = [float(val[max(epoch, 1) - 1]) for epoch, _ in (wrong, right)]
        yield LabFrame(
            step=run.epoch,
            steps=epochs,
            arrays={"epoch": np.arange(1, run.epoch + 1), "train_loss": train, "val_loss": val},
            values={
                "stopped_wrong": wrong[1] or 0,
                "stopped_right": right[1] or 0,
                "best_wrong": wrong[0],
                "best_right": right[0],
                "val_loss_wrong": best[0],
                "val_loss_right": best[1],
                "measured": best[0] - best[1],
                "says": "validation loss of the weights kept, wrong minus right",
            },
        )


def wrong_dropout_before_batch_norm(
    p: float, width: int, batch: int, steps: int, seed: int
) -> Iterator[LabFrame]:
    """Variance of batch norm's input in eval mode over its running variance from training.

    ``wrong``: linear → ReLU → dropout → BN; ``right``: linear → ReLU → BN (→ dropout), where BN's
    input is the same in both modes. Arrays: ``step`` (t,); ``wrong``, ``right`` (t,): the ratio,
    mean over units; ``expected`` (t,), by the law Var + E[x²]·p/(1-p). Values: measured = last
    ``wrong``; ``right``; ``expected``.
    """
    rng = stream(seed, 1)
    weight = rng.standard_normal((8, width)) / math.sqrt(8)
    gamma, beta = np.ones(width), np.zeros(width)
    states = {name: (np.zeros(width), np.ones(width)) for name in ("wrong", "right")}
    test = np.maximum(rng.standard_normal((4000, 8)) @ weight, 0)
    mean, variance = test.mean(axis=0), test.var(axis=0)
    # Var[y] = Var[x] + E[x²]·p/(1-p)
    law = variance / (variance + (variance + mean**2) * p / (1 - p))
    at = np.arange(1, steps + 1)
    paths = {name: np.empty(steps) for name in states}
    for t in range(steps):
        x = np.maximum(rng.standard_normal((batch, 8)) @ weight, 0)
        inputs = {
            "wrong": wrong_input_of_batch_norm(x, p, training=True, rng=rng),
            "right": x,
        }
        for name, (running_mean, running_var) in states.items():
            _, running_mean, running_var = batch_norm(
                inputs[name], gamma, beta, running_mean, running_var, training=True
            )
            states[name] = running_mean, running_var
            paths[name][t] = (variance / running_var).mean()
        yield LabFrame(
            step=t + 1,
            steps=steps,
            arrays={
                "step": at[: t + 1],
                **{name: path[: t + 1] for name, path in paths.items()},
                "expected": np.full(t + 1, law.mean()),
            },
            values={
                "measured": float(paths["wrong"][t]),
                "right": float(paths["right"][t]),
                "expected": float(law.mean()),
                "says": "variance at test time / running variance; 1 is correct",
            },
        )


def wrong_lstm_dropout(p: float, passes: int, seed: int) -> Iterator[LabFrame]:
    """One LSTM layer in train mode, repeated passes of the same input.

    Wrong: ``nn.LSTM(dropout=p)``. Right: the same weights, one mask per sequence on the hidden
    state between steps (recurrent dropout). Arrays: ``wrong``, ``right`` (passes, 30): the first
    unit's output over time, one row per pass. Values: measured = the largest difference between
    passes of the wrong version (0: no dropout at all); ``right_spread``, of the right version;
    ``warning``, torch's warning.
    """
    units, time = 16, 30
    generator = torch.Generator().manual_seed(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lstm = wrong_lstm_with_dropout(3, units, p)
    with torch.no_grad():
        for parameter in lstm.parameters():
            bound = 1 / math.sqrt(units)
            drawn = torch.rand(parameter.shape, generator=generator)
            parameter.copy_((2 * drawn - 1) * bound)
    lstm.train()
    x = torch.randn(1, time, 3, generator=generator)
    w_input, w_state, bias_input, bias_state = (
        w.detach().numpy().astype(np.float64) for w in lstm.all_weights[0]
    )
    sequence = x[0].numpy().astype(np.float64)
    wrong, right = np.empty((passes, time)), np.empty((passes, time))
    for i in range(passes):
        with torch.no_grad():
            wrong[i] = lstm(x)[0][0, :, 0].numpy()
            kept = torch.rand(units, generator=generator) >= p
        right[i] = recurrent_dropout_lstm(
            sequence, w_input, w_state, bias_input + bias_state, kept.numpy() / (1 - p)
        )[:, 0]
        seen_wrong, seen_right = wrong[: i + 1], right[: i + 1]
        yield LabFrame(
            step=i + 1,
            steps=passes,
            arrays={"wrong": seen_wrong, "right": seen_right},
            values={
                "measured": float(np.ptp(seen_wrong, axis=0).max()),
                "right_spread": float(np.ptp(seen_right, axis=0).max()),
                "warning": str(caught[0].message) if caught else "",
                "says": "largest difference between passes in train mode; 0: no dropout at all",
            },
        )
