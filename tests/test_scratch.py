"""The twins: each law, the limits, then torch or a closed form as reference."""

from __future__ import annotations

import ast
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from regviz import scratch
from regviz.results.stopping import StopState, watch
from regviz.scratch.calibration import expected_calibration_error, reliability_bins
from regviz.scratch.dropout import (
    alpha_dropout_forward,
    classic_dropout,
    dropout_backward,
    dropout_forward,
)
from regviz.scratch.early_stopping import early_stopping
from regviz.scratch.label_smoothing import logit_gap, smoothed_cross_entropy, soft_targets
from regviz.scratch.noise import flipped_labels, noise_penalty, noisy_inputs
from regviz.scratch.normalization import batch_norm, layer_norm
from regviz.scratch.penalties import (
    elastic_net_penalty,
    elastic_net_update,
    l1_penalty,
    l1_subgradient,
    l2_gradient,
    l2_penalty,
    soft_threshold,
)
from regviz.scratch.weight_decay import adam_step, sgd_step
from regviz.specs import EarlyStoppingSpec


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_twins_import_numpy_and_nothing_else_of_ours_or_theirs() -> None:
    for path in Path(inspect.getfile(scratch)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                assert root in {"numpy", "math", "collections", "__future__"}, (path, name)


# --- dropout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_inverted_dropout_keeps_the_mean(p: float, rng: np.random.Generator) -> None:
    x = np.full((100_000, 2), 3.0)
    y, mask = dropout_forward(x, p, training=True, rng=rng)
    variance = 9 * p / (1 - p)
    assert y.mean() == pytest.approx(3, abs=5 * math.sqrt(variance / y.size))
    assert y.var() == pytest.approx(variance, rel=0.03)
    assert set(np.unique(mask)) == {0.0, 1 / (1 - p)}


def test_dropout_limits_and_eval(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 3))
    assert np.array_equal(dropout_forward(x, 0.0, training=True, rng=rng)[0], x)
    assert dropout_forward(x, 0.9, training=False, rng=rng)[0] is x
    for p in (1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"^p: got"):
            dropout_forward(x, p, training=True, rng=rng)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.6])
def test_alpha_dropout_keeps_mean_0_and_variance_1_and_of_relu_neither(
    p: float, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(200_000, 2))
    y, kept = alpha_dropout_forward(x, p, training=True, rng=rng)
    assert kept.mean() == pytest.approx(1 - p, abs=0.01)
    assert (y.mean(), y.var()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.03))
    relu = np.maximum(x, 0)
    y, _ = alpha_dropout_forward(relu, p, training=True, rng=rng)
    assert abs(y.mean() - relu.mean()) > 0.02
    assert y.var() > 1.2 * relu.var()


def test_alpha_dropout_limits_and_torch(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 4))
    np.testing.assert_allclose(alpha_dropout_forward(x, 0.0, training=True, rng=rng)[0], x)
    assert alpha_dropout_forward(x, 0.9, training=False, rng=rng)[0] is x
    with pytest.raises(ValueError, match=r"^p: got"):
        alpha_dropout_forward(x, 1.0, training=True, rng=rng)
    ours, kept = alpha_dropout_forward(x, 0.4, training=True, rng=rng)
    theirs = torch.nn.functional.alpha_dropout(torch.tensor(x), 0.4, training=True).numpy()
    # what is dropped becomes one value, what is kept a·x + b: the same two in torch
    dropped = np.isclose(theirs, ours[kept == 0][0], atol=1e-5)
    assert 0.2 < dropped.mean() < 0.6
    a, b = np.polyfit(x[kept == 1], ours[kept == 1], 1)
    np.testing.assert_allclose(theirs[~dropped], a * x[~dropped] + b, atol=1e-5)


def test_dropout_backward_is_autograds(rng: np.random.Generator) -> None:
    x, dy = rng.normal(size=(2, 6, 5))
    _, mask = dropout_forward(x, 0.4, training=True, rng=rng)
    leaf = torch.tensor(x, requires_grad=True)
    (leaf * torch.tensor(mask)).backward(torch.tensor(dy))
    assert leaf.grad is not None
    np.testing.assert_allclose(dropout_backward(dy, mask), leaf.grad.numpy())


def test_the_two_conventions_agree_up_to_one_factor(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 4))
    seeds = [np.random.default_rng(8) for _ in range(2)]
    inverted, _ = dropout_forward(x, 0.3, training=True, rng=seeds[0])
    classic = classic_dropout(x, 0.3, training=True, rng=seeds[1])
    np.testing.assert_allclose(inverted * 0.7, classic)
    np.testing.assert_allclose(classic_dropout(x, 0.3, training=False, rng=rng), 0.7 * x)


# --- penalties --------------------------------------------------------------------------------


def test_penalties_and_their_gradients_by_finite_differences(rng: np.random.Generator) -> None:
    w = rng.normal(size=7)
    assert l1_penalty(w, 0.3) == pytest.approx(0.3 * np.abs(w).sum())
    assert l2_penalty(w, 0.3) == pytest.approx(0.15 * (w @ w))
    assert elastic_net_penalty(w, 0.1, 0.2) == pytest.approx(
        l1_penalty(w, 0.1) + l2_penalty(w, 0.2)
    )
    for value, gradient in ((l1_penalty, l1_subgradient), (l2_penalty, l2_gradient)):
        for j in range(7):
            step = np.zeros(7)
            step[j] = 1e-6
            slope = (value(w + step, 0.4) - value(w - step, 0.4)) / 2e-6
            assert gradient(w, 0.4)[j] == pytest.approx(slope, abs=1e-6)


def test_soft_threshold_minimizes_its_objective(rng: np.random.Generator) -> None:
    grid = np.linspace(-4, 4, 80_001)
    for v in rng.normal(size=6) * 2:
        best = grid[np.argmin(0.5 * (grid - v) ** 2 + 0.7 * np.abs(grid))]
        assert soft_threshold(np.array([v]), 0.7)[0] == pytest.approx(best, abs=1e-4)
    assert np.array_equal(soft_threshold(np.array([0.5, -0.7, 0.0]), 0.7), [0, 0, 0])
    assert np.array_equal(soft_threshold(np.array([0.5, -0.7]), 0.0), [0.5, -0.7])


def test_elastic_net_update_finds_scikit_learns_solution(rng: np.random.Generator) -> None:
    from sklearn.linear_model import ElasticNet

    x = rng.normal(size=(200, 8))
    y = x @ np.array([2.0, -1, 0, 0, 0.5, 0, 0, 0]) + 0.1 * rng.normal(size=200)
    l1, l2 = 0.3, 0.2
    theirs = ElasticNet(
        alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=False, tol=1e-10, max_iter=100_000
    ).fit(x, y)
    w = np.zeros(8)
    for _ in range(3000):
        w = elastic_net_update(w, x.T @ (x @ w - y) / 200, 0.1, l1, l2)
    np.testing.assert_allclose(w, theirs.coef_, atol=1e-6)
    assert np.array_equal(w == 0, theirs.coef_ == 0)
    assert (w == 0).sum() >= 3


# --- weight decay -----------------------------------------------------------------------------


def test_sgd_weight_decay_is_the_l2_penalty(rng: np.random.Generator) -> None:
    w, g = rng.normal(size=(2, 9))
    np.testing.assert_allclose(sgd_step(w, g, 0.1, 0.5), w - 0.1 * (g + l2_gradient(w, 0.5)))


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_step_is_torchs(decoupled: bool, rng: np.random.Generator) -> None:
    w = rng.normal(size=9)
    leaf = torch.tensor(w, requires_grad=True)
    optimizer = (torch.optim.AdamW if decoupled else torch.optim.Adam)(
        [leaf], lr=0.01, weight_decay=0.3
    )
    m = v = np.zeros(9)
    for t in range(1, 30):
        g = rng.normal(size=9)
        leaf.grad = torch.tensor(g)
        optimizer.step()
        w, m, v = adam_step(w, g, m, v, t, lr=0.01, weight_decay=0.3, decoupled=decoupled)
    np.testing.assert_allclose(w, leaf.detach().numpy(), rtol=1e-9)


# --- early stopping ---------------------------------------------------------------------------


def test_early_stopping_is_the_cores_state_machine(rng: np.random.Generator) -> None:
    for patience in (0, 1, 3, 10):
        for min_delta in (0.0, 0.1):
            losses = [*rng.normal(size=40), math.nan, *rng.normal(size=5)]
            rule = EarlyStoppingSpec(patience=patience, min_delta=min_delta)
            state = StopState()
            for epoch, loss in enumerate(losses, start=1):
                state = watch(state, epoch, loss, rule)
                if state.stopped_epoch:
                    break
            assert early_stopping(losses, patience, min_delta) == (
                state.best_epoch,
                state.stopped_epoch or None,
            )


# --- normalization ----------------------------------------------------------------------------


def test_batch_norm_is_torchs(rng: np.random.Generator) -> None:
    gamma, beta = rng.normal(size=(2, 5))
    module = torch.nn.BatchNorm1d(5).double()
    module.weight.data, module.bias.data = torch.tensor(gamma), torch.tensor(beta)
    mean, var = np.zeros(5), np.ones(5)
    for _ in range(4):
        x = rng.normal(2, 3, size=(8, 5))
        y, mean, var = batch_norm(x, gamma, beta, mean, var, training=True)
        np.testing.assert_allclose(y, module(torch.tensor(x)).detach().numpy())
    assert module.running_mean is not None
    assert module.running_var is not None
    np.testing.assert_allclose(mean, module.running_mean.numpy())
    np.testing.assert_allclose(var, module.running_var.numpy())
    y, *_ = batch_norm(x, gamma, beta, mean, var, training=False)
    np.testing.assert_allclose(y, module.eval()(torch.tensor(x)).detach().numpy())


def test_batch_norm_learns_nothing_from_one_sample(rng: np.random.Generator) -> None:
    gamma, beta, mean = rng.normal(size=(3, 5))
    var = rng.uniform(1, 2, 5)
    y, new_mean, new_var = batch_norm(
        rng.normal(size=(1, 5)), gamma, beta, mean, var, training=True
    )
    np.testing.assert_allclose(y[0], beta)
    assert np.array_equal(new_mean, mean)
    assert np.array_equal(new_var, var)
    with pytest.raises(ValueError, match="more than 1 value"):  # what the lesson says of torch
        torch.nn.BatchNorm1d(5)(torch.zeros(1, 5))


def test_layer_norm_is_torchs(rng: np.random.Generator) -> None:
    gamma, beta = rng.normal(size=(2, 5))
    module = torch.nn.LayerNorm(5).double()
    module.weight.data, module.bias.data = torch.tensor(gamma), torch.tensor(beta)
    x = rng.normal(2, 3, size=(1, 5))
    np.testing.assert_allclose(layer_norm(x, gamma, beta), module(torch.tensor(x)).detach().numpy())


def test_batch_norm_does_not_see_the_scale_of_the_weights(rng: np.random.Generator) -> None:
    x, w = rng.normal(size=(64, 3)), rng.normal(size=(3, 5))
    state = np.ones(5), np.zeros(5), np.zeros(5), np.ones(5)
    one, *_ = batch_norm(x @ w, *state, training=True, eps=0)
    seven, *_ = batch_norm(x @ (7 * w), *state, training=True, eps=0)
    np.testing.assert_allclose(one, seven)


# --- label smoothing and calibration ----------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy_is_torchs(epsilon: float, rng: np.random.Generator) -> None:
    logits, y = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(y), label_smoothing=epsilon
    )
    assert smoothed_cross_entropy(logits, y, epsilon) == pytest.approx(float(theirs))
    np.testing.assert_allclose(soft_targets(y, 4, epsilon).sum(axis=1), 1)


def test_the_logit_gap_is_where_the_smoothed_loss_is_least() -> None:
    y = np.array([0])
    gaps = np.linspace(0, 10, 100_001)
    for k, epsilon in ((2, 0.1), (10, 0.1), (3, 0.4)):
        logits = np.zeros((1, k))
        losses = []
        for gap in gaps[::50]:
            logits[0, 0] = gap
            losses.append(smoothed_cross_entropy(logits, y, epsilon))
        assert gaps[::50][int(np.argmin(losses))] == pytest.approx(logit_gap(k, epsilon), abs=6e-3)
        q = soft_targets(y, k, epsilon)[0]
        assert min(losses) == pytest.approx(-(q * np.log(q)).sum(), abs=1e-4)
    assert logit_gap(3, 0.0) == math.inf


def test_ece_of_honest_and_of_boastful_predictions(rng: np.random.Generator) -> None:
    confidence = rng.uniform(0.5, 1, 200_000)
    honest = rng.uniform(size=200_000) < confidence
    assert expected_calibration_error(confidence, honest) < 0.01
    always = np.ones(200_000, bool)
    boast = expected_calibration_error(np.full(1000, 0.99), rng.uniform(size=1000) < 0.6)
    assert boast == pytest.approx(0.39, abs=0.05)
    assert expected_calibration_error(np.ones(10), always[:10]) == 0


def test_reliability_bins_are_open_below_and_closed_above() -> None:
    confidence = np.array([0.0, 0.1, 0.2, 0.2000001, 1.0])
    correct = np.array([True, False, True, True, False])
    count, mean, accuracy = reliability_bins(confidence, correct, n_bins=10)
    assert count.tolist() == [2, 1, 1, 0, 0, 0, 0, 0, 0, 1]
    assert mean[0] == pytest.approx(0.05)
    assert accuracy[:3].tolist() == [0.5, 1.0, 1.0]
    assert math.isnan(accuracy[5])


# --- noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0])
def test_noisy_inputs_keep_the_mean_and_add_the_variance(sigma: float) -> None:
    x = np.linspace(-2, 2, 5)[None].repeat(40_000, axis=0)
    y = noisy_inputs(x, sigma, training=True, rng=np.random.default_rng(1))
    np.testing.assert_allclose(y.mean(axis=0), x[0], atol=5 * sigma / 200)
    np.testing.assert_allclose(y.var(axis=0), sigma**2, rtol=0.05, atol=1e-12)
    np.testing.assert_array_equal(
        noisy_inputs(x, sigma, training=False, rng=np.random.default_rng(1)), x
    )


def test_noise_on_a_linear_model_adds_the_ridge_penalty() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(50, 3)), rng.normal(size=50), np.array([1.0, -2.0, 0.5])
    added = [
        np.square(y - noisy_inputs(x, 0.4, training=True, rng=rng) @ w).sum()
        - np.square(y - x @ w).sum()
        for _ in range(20_000)
    ]
    assert noise_penalty(w, 0.4, 50) == pytest.approx(50 * 0.16 * 5.25)
    assert np.mean(added) == pytest.approx(50 * 0.16 * 5.25, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_flipped_labels_are_other_classes_in_that_share(share: float) -> None:
    y = np.arange(30_000) % 3
    found = flipped_labels(y, share, 3, np.random.default_rng(2))
    assert set(found) <= {0, 1, 2}
    assert (found != y).mean() == pytest.approx(share, abs=0.01)
    if share == 1:
        np.testing.assert_allclose(np.bincount((found - y) % 3)[1:] / len(y), 0.5, atol=0.02)
