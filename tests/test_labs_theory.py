"""The theory labs: measurements against the closed form, its limits, and a reference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from regviz.labs import LABS, noise
from regviz.labs.early_stopping import BOUND, BOUND_AT
from regviz.labs.lasso import kkt
from regviz.labs.microscope import Weights
from tests.test_labs import run_lab

THEORY = [
    "dropout_ridge",
    "noise_ridge",
    "noise_tikhonov",
    "early_stopping_ridge",
    "l1_path",
    "decay_equivalence",
    "alpha_dropout_depth",
    "label_smoothing_gap",
    "batch_norm_scale",
]


@pytest.mark.parametrize("name", THEORY)
def test_equal_parameters_give_equal_frames_and_another_seed_others(name: str) -> None:
    small: dict[str, Any] = {"steps": 100} if "steps" in LABS[name].parameters else {}
    first = run_lab(name, **small)
    assert first.to_bytes() == run_lab(name, **small).to_bytes()
    other = run_lab(name, **small, seed=1)
    # the turn of the axes is all that chance decides here: it shows in the last digits only
    assert other.to_bytes() != first.to_bytes()


# --- noise on the inputs is ridge ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "strength"),
    [("dropout_ridge", {"p": p}) for p in (0.1, 0.5, 0.9)]
    + [("noise_ridge", {"sigma": s}) for s in (0.2, 1.0, 3.0)],
)
def test_noisy_inputs_are_ridge(name: str, strength: dict[str, float]) -> None:
    frame = run_lab(name, **strength)
    assert frame.number("gap") < 0.03
    # and it is this penalty that explains it: without, the distance is many times as large
    assert frame.number("gap_least_squares") > 4 * frame.number("gap")
    assert frame.arrays["gap"][-1] == frame.number("gap")
    assert frame.arrays["gap"][-1] < frame.arrays["gap"][0] / 10


@pytest.mark.parametrize(("name", "off"), [("dropout_ridge", "p"), ("noise_ridge", "sigma")])
def test_without_noise_it_is_least_squares(name: str, off: str) -> None:
    frame = run_lab(name, **{off: 0.0})
    assert np.array_equal(frame.arrays["closed_form"], frame.arrays["least_squares"])
    assert frame.number("gap") < 1e-6


def test_the_closed_form_is_the_minimum_of_the_expected_loss() -> None:
    from regviz.labs.ridge import regression, ridge

    x, y, _ = regression(30, 4, seed=3)
    p, q = 0.4, 0.6
    # every mask there is, with its probability: the expectation itself, no formula
    masks = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    chance = np.prod(np.where(masks == 1, q, p), axis=1)

    def expected(w: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        # samples have masks of their own, and the loss is a sum over them
        out = (x[:, None, :] * masks[None] / q) @ w  # (samples, masks)
        return float((chance * (y[:, None] - out) ** 2).sum())

    w = ridge(x, y, p / q * np.square(x).sum(axis=0))
    for j in range(4):
        for h in (-0.01, 0.01):
            assert expected(w + h * np.eye(4)[j]) > expected(w)
            slope = (expected(w + 1e-5 * np.eye(4)[j]) - expected(w - 1e-5 * np.eye(4)[j])) / 2e-5
    assert abs(slope) < 1e-3


# --- early stopping is nearly ridge --------------------------------------------------------------


def test_early_stopping_is_nearly_ridge() -> None:
    frame = run_lab("early_stopping_ridge", lr=0.001, steps=20_000)
    assert frame.number("error") < 1e-9
    assert 0.2 < frame.number("largest_gap") <= BOUND + 2e-4
    assert frame.arrays["gap"].max() <= frame.number("largest_bound") + 1e-9
    assert np.allclose(frame.arrays["alpha"] * frame.arrays["step"], 1 / 0.001)


def test_a_large_step_exceeds_the_small_step_bound_and_says_so() -> None:
    frame = run_lab("early_stopping_ridge", lr=0.5, steps=1000)
    largest = frame.number("largest_gap")
    assert BOUND < largest <= frame.number("largest_bound") + 1e-9


def test_the_bound_is_the_largest_gap_of_small_steps() -> None:
    x = np.linspace(0, 50, 1_000_001)
    gap = np.abs(1 - np.exp(-x) - x / (1 + x))
    assert abs(gap.max() - BOUND) < 1e-4
    # where it is met: e⁻ˣ = 1/(1 + x)², so that the gap's slope is 0
    assert np.exp(-BOUND_AT) == pytest.approx(1 / (1 + BOUND_AT) ** 2, rel=1e-3)
    assert abs(x[gap.argmax()] - BOUND_AT) < 0.02


# --- the lasso -----------------------------------------------------------------------------------


def test_the_path_is_the_soft_threshold() -> None:
    frame = run_lab("l1_path")
    assert frame.number("gap") < 1e-5
    measured, lam = frame.arrays["measured"], frame.arrays["lambda"]
    largest = frame.number("lambda_max")
    assert (measured[lam >= largest] == 0).all()
    assert (measured[lam < 0.999 * largest] != 0).any(axis=1).all()
    # zeros are exact, and just where the closed form has them
    assert np.array_equal(measured == 0, frame.arrays["closed_form"] == 0)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_correlated_path_is_optimal_and_scikit_learn_s(correlation: float) -> None:
    from sklearn.linear_model import lasso_path

    frame = run_lab("l1_path", correlation=correlation, steps=6000)
    assert frame.number("kkt") < 1e-5
    assert frame.number("kkt_active") < 1e-4
    lam, path = frame.arrays["lambda_correlated"], frame.arrays["lasso"]
    assert frame.arrays["zeros"].tolist() == (path == 0).sum(axis=1).tolist()
    d = path.shape[1]
    # scikit-learn minimizes ‖y - Xw‖²/(2n) + α‖w‖₁; the same problem, by its own data
    rng_problem = _correlated(correlation)
    alphas = lam[:-1] / d  # λ = 0 is no lasso; n = d rows of the Cholesky factor
    _, coefficients, _ = lasso_path(*rng_problem, alphas=alphas, tol=1e-10, max_iter=100_000)
    assert np.abs(coefficients.T - path[:-1]).max() < 2e-3
    least_squares = frame.arrays["ridge"][-1]
    assert np.allclose(path[-1], least_squares, atol=2e-2)


def _correlated(correlation: float) -> tuple[Any, Any]:
    """Return a square problem with the same XᵀX and Xᵀy as the lab's correlated problem."""
    from regviz.data.datasets import stream

    d, n = 10, 60
    rng = stream(0, 1)
    true = np.where(np.arange(d) % 2 == 0, 3.0, 0.0) * (1 - 0.8 * np.arange(d) / d)
    true *= np.where(np.arange(d) % 4 == 0, 1.0, -1.0)
    x = np.sqrt(1 - correlation) * rng.standard_normal((n, d))
    x += np.sqrt(correlation) * rng.standard_normal((n, 1))
    x, noise = x / np.sqrt(n), rng.standard_normal(n)
    y = x @ true + noise / np.sqrt(n)
    upper = np.linalg.cholesky(x.T @ x).T
    return upper, np.linalg.solve(upper.T, x.T @ y)


def test_kkt_tells_a_solution_from_another_point() -> None:
    gram, moment = np.eye(2), np.array([2.0, 0.5])
    assert kkt(gram, moment, np.array([1.0, 0.0]), 1.0) == (0.0, 0.0)
    assert kkt(gram, moment, np.array([0.0, 0.0]), 1.0) == (1.0, 0.0)
    assert kkt(gram, moment, np.array([1.5, 0.0]), 1.0) == (0.0, 0.5)


def test_the_geometry_touches() -> None:
    frame = run_lab("l1_path", strength=0.8, steps=10)
    a = frame.arrays
    assert a["point_l1"][0] == 0.0  # the corner of the diamond
    assert (a["point_l2"] != 0).all()
    gram = np.array([[1.0, 0.45], [0.45, 0.8]])

    def loss(w: Any) -> float:
        return float(0.5 * (w - a["minimum"]) @ gram @ (w - a["minimum"]))

    assert loss(a["point_l1"]) == pytest.approx(loss(a["point_l2"]), rel=1e-6)
    # nowhere on the grid inside the diamond, or the disc, is the loss smaller
    w0, w1 = np.meshgrid(a["axis"], a["axis"])
    inside = np.abs(w0) + np.abs(w1) <= frame.number("radius_l1")
    assert a["loss"][inside].min() >= loss(a["point_l1"]) - 1e-9
    disc = np.hypot(w0, w1) <= frame.number("radius_l2")
    assert a["loss"][disc].min() >= loss(a["point_l2"]) - 1e-9
    assert a["loss"][3, 5] == pytest.approx(loss(np.array([a["axis"][5], a["axis"][3]])))


# --- weight decay --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_l2_is_decay_under_sgd_and_not_under_adam(seed: int) -> None:
    frame = run_lab("decay_equivalence", seed=seed)
    assert frame.number("gap_sgd") < 1e-5
    assert frame.number("gap_adam") > 0.02
    off = run_lab("decay_equivalence", seed=seed, weight_decay=0.0)
    assert off.number("gap_adam") == 0.0
    assert not np.array_equal(off.arrays["sgd_l2"], frame.arrays["sgd_l2"])


# --- alpha dropout, label smoothing, batch norm --------------------------------------------------


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3])
def test_alpha_dropout_keeps_mean_and_variance_and_standard_does_not(p: float) -> None:
    frame = run_lab("alpha_dropout_depth", p=p)
    assert frame.arrays["mean"].shape == (3, 17)
    assert frame.number("gap_none") < 0.15
    assert frame.number("gap_alpha") < 0.15
    assert frame.number("gap_standard") > 2 * frame.number("gap_alpha")


@pytest.mark.parametrize(("epsilon", "k"), [(0.1, 10), (0.3, 3), (0.05, 2)])
def test_logits_settle_at_the_closed_form(epsilon: float, k: int) -> None:
    frame = run_lab("label_smoothing_gap", epsilon=epsilon, n_classes=k, steps=20_000)
    assert frame.number("closed_form") == pytest.approx(math.log(1 + k * (1 - epsilon) / epsilon))
    assert frame.number("gap") < 1e-4
    assert abs(frame.number("gap_loss")) < 1e-6
    assert np.allclose(frame.arrays["softmax"], frame.arrays["target"], atol=1e-4)
    assert (np.diff(frame.arrays["loss"]) <= 1e-12).all()


def test_without_smoothing_the_gap_keeps_growing() -> None:
    frame = run_lab("label_smoothing_gap", epsilon=0.0)
    assert frame.number("closed_form") == math.inf
    assert (np.diff(frame.arrays["logit_gap"], axis=0) > 0).all()


def test_batch_norm_does_not_see_the_scale_of_weights() -> None:
    frame = run_lab("batch_norm_scale")
    k = frame.arrays["k"]
    assert np.allclose(np.log2(k), np.linspace(-4, 4, 17))
    large = k >= 1
    assert frame.arrays["output_change"][large].max() < 1e-4
    assert np.allclose(
        frame.arrays["gradient"][large], frame.arrays["closed_form"][large], rtol=1e-3
    )
    assert frame.number("gap_output") < 0.02  # ε is felt where the weights are small
    assert frame.arrays["output_change_plain"][-1] == pytest.approx(15, rel=1e-3)


@pytest.mark.parametrize("sigma", [0.0, 0.2])
def test_small_noise_adds_what_second_order_says(sigma: float) -> None:
    frame = run_lab("noise_tikhonov", sigma=sigma, epochs=40)
    a = frame.arrays
    ratio = a["measured"] / a["second_order"]
    np.testing.assert_allclose(ratio[:, 0], 1, atol=0.005)
    gap = np.abs(ratio - 1)
    assert (gap[:, -1] > 20 * gap[:, 0]).all(), "and large noise does not"
    np.testing.assert_allclose(frame.numbers("small"), ratio[:, 0])
    without, with_ = frame.numbers("slope")
    assert with_ < without if sigma else with_ == without


def test_the_slope_and_the_mean_over_noise_are_those_of_torch() -> None:
    rng = np.random.default_rng(0)
    net = Weights(
        (rng.normal(size=(2, 5)), rng.normal(size=(5, 4)), rng.normal(size=(4, 1))),
        (rng.normal(size=5), rng.normal(size=4), rng.normal(size=1)),
    )
    x, y = rng.normal(size=(7, 2)), rng.integers(0, 2, 7).astype(float)
    square, bend = noise.slope_and_curvature(net, x)
    layers = [
        (torch.tensor(w), torch.tensor(b)) for w, b in zip(net.matrices, net.biases, strict=True)
    ]

    def logit(point: torch.Tensor) -> torch.Tensor:
        h = point
        for w, b in layers[:-1]:
            h = torch.tanh(h @ w + b)
        return (h @ layers[-1][0] + layers[-1][1])[0]

    for i, point in enumerate(torch.tensor(x)):
        gradient = torch.autograd.functional.jacobian(logit, point)
        hessian = torch.autograd.functional.hessian(logit, point)
        assert square[i] == pytest.approx(float(gradient.square().sum()), rel=1e-4)
        assert bend[i] == pytest.approx(float(hessian.trace()), rel=1e-3, abs=1e-4)
    draws = rng.normal(size=(200_000, 1, 2)) * 0.5
    moved = noise.logit(net, x + draws)
    drawn = (np.logaddexp(0, moved) - y * moved).mean()
    still = noise.logit(net, x)
    base = (np.logaddexp(0, still) - y * still).mean()
    assert noise.surplus(net, x, y, 0.5) == pytest.approx(drawn - base, abs=0.005)
