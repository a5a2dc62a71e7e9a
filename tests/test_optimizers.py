"""Stacked optimizers and penalties: torch.optim on the same numbers, and the laws of L1 and L2."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regviz.nn.layers import Parameters
from regviz.nn.optimizers import OPTIMIZERS, Optimizer, Strengths
from regviz.nn.penalties import l1_penalty, l2_penalty, soft_threshold_
from regviz.specs import Experiment

SHAPE, BIAS = (4, 3), (1, 3)


def make(lanes: int, kind: str, **strengths: list[float]) -> Optimizer:
    parameters = Parameters(lanes, [("w", SHAPE, True), ("w.bias", BIAS, False)], "cpu")
    parameters.flat.copy_(
        torch.randn(parameters.flat.shape, generator=torch.Generator().manual_seed(3))
    )
    zeros = [0.0] * lanes
    values = dict.fromkeys(("lr", "l1", "l2", "weight_decay", "momentum"), zeros)
    return OPTIMIZERS[kind](parameters, Strengths(**{**values, **strengths}))


def gradients(steps: int, optimizer: Optimizer) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    shape = optimizer.parameters.flat.shape
    return [torch.randn(shape, generator=generator) for _ in range(steps)]


THEIRS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("lrs", [[0.01, 0.01, 0.01], [0.001, 0.01, 0.1]], ids=["equal", "each"])
@pytest.mark.parametrize("decays", [[0.0] * 3, [0.1] * 3, [0.0, 0.01, 0.3]])
@pytest.mark.parametrize(
    ("kind", "momentum"),
    [
        ("sgd", [0.0] * 3),
        ("sgd", [0.9] * 3),
        ("sgd", [0.0, 0.5, 0.9]),
        ("adam", [0.0] * 3),
        ("adamw", [0.0] * 3),
    ],
)
def test_every_lane_moves_as_torchs_optimizer(
    kind: str, decays: list[float], momentum: list[float], lrs: list[float]
) -> None:
    ours = make(3, kind, lr=lrs, weight_decay=decays, momentum=momentum)
    parameters = ours.parameters
    theirs, leaves = [], []
    for lane in range(3):
        w = parameters["w"][lane].clone().requires_grad_()
        b = parameters["w.bias"][lane].clone().requires_grad_()
        extra = {"momentum": momentum[lane]} if kind == "sgd" else {}
        # decay acts on weights only: in torch's terms, biases are a group without it
        groups = [
            {"params": [w], "weight_decay": decays[lane]},
            {"params": [b], "weight_decay": 0.0},
        ]
        theirs.append(THEIRS[kind](groups, lr=lrs[lane], **extra))
        leaves.append((w, b))
    for gradient in gradients(25, ours):
        parameters.gradient.copy_(gradient)
        ours.step()
        for lane, (w, b) in enumerate(leaves):
            w.grad = parameters.view(gradient, "w")[lane].clone()
            b.grad = parameters.view(gradient, "w.bias")[lane].clone()
            theirs[lane].step()
    for lane, (w, b) in enumerate(leaves):
        torch.testing.assert_close(parameters["w"][lane], w.detach(), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(parameters["w.bias"][lane], b.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_l2_penalty_is_coupled_weight_decay(kind: str) -> None:
    one = make(2, kind, lr=[0.1, 0.1], l2=[0.3, 0.0])
    two = make(2, kind, lr=[0.1, 0.1], weight_decay=[0.3, 0.0])
    for gradient in gradients(10, one):
        for optimizer in (one, two):
            optimizer.parameters.gradient.copy_(gradient)
            optimizer.step()
    assert torch.equal(one.parameters.flat, two.parameters.flat)


def test_sgd_with_l2_shrinks_by_one_minus_lr_lambda() -> None:
    optimizer = make(1, "sgd", lr=[0.1], l2=[0.5])
    before = optimizer.parameters["w"].clone()
    gradient = gradients(1, optimizer)[0]
    optimizer.parameters.gradient.copy_(gradient)
    optimizer.step()
    expected = (1 - 0.1 * 0.5) * before - 0.1 * optimizer.parameters.view(gradient, "w")
    torch.testing.assert_close(optimizer.parameters["w"], expected)


def test_adam_with_decay_is_not_adamw() -> None:
    moved = []
    for kind in ("adam", "adamw"):
        optimizer = make(1, kind, lr=[0.01], weight_decay=[0.5])
        for gradient in gradients(20, optimizer):
            optimizer.parameters.gradient.copy_(gradient)
            optimizer.step()
        moved.append(optimizer.parameters["w"].clone())
    assert float((moved[0] - moved[1]).abs().max()) > 0.01


def test_no_penalty_touches_a_bias() -> None:
    for kind in OPTIMIZERS:
        plain = make(1, kind, lr=[0.1])
        pushed = make(1, kind, lr=[0.1], l1=[0.5], l2=[0.5], weight_decay=[0.5])
        for gradient in gradients(5, plain):
            for optimizer in (plain, pushed):
                optimizer.parameters.gradient.copy_(gradient)
                optimizer.step()
        assert torch.equal(plain.parameters["w.bias"], pushed.parameters["w.bias"])
        assert not torch.equal(plain.parameters["w"], pushed.parameters["w"])


# --- L1 ---------------------------------------------------------------------------------------


def lasso(kind: str, lam: float, momentum: float, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Minimize ½‖w - c‖² + λ‖w‖₁ for twelve entries of c; the solution is S(c, λ)."""
    lr = 0.02 if kind == "sgd" else 0.003
    optimizer = make(1, kind, lr=[lr], l1=[lam], momentum=[momentum])
    parameters = optimizer.parameters
    c = torch.linspace(-1.2, 1.3, 12).view(1, *SHAPE)
    for _ in range(steps):
        parameters.grad("w").copy_(parameters["w"] - c)
        parameters.grad("w.bias").zero_()
        optimizer.step()
    return parameters["w"].clone(), torch.sign(c) * torch.clamp(c.abs() - lam, min=0)


@pytest.mark.parametrize(("kind", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("adam", 0.0)])
def test_l1_finds_the_soft_threshold_with_exact_zeros(kind: str, momentum: float) -> None:
    for lam in (0.0, 0.3, 0.8):
        w, expected = lasso(kind, lam, momentum, 4000)
        torch.testing.assert_close(w, expected, rtol=0, atol=2e-3)
        assert int((w == 0).sum()) == int((expected == 0).sum())


def test_l1_above_lambda_max_kills_every_weight() -> None:
    w, _ = lasso("sgd", 1.31, 0.0, 2000)
    assert not w.any()


def test_a_subgradient_step_would_leave_no_exact_zero() -> None:
    # the misconception that the proximal step is there for
    c = torch.linspace(-1.2, 1.3, 12)
    w = torch.ones(12)
    for _ in range(4000):
        w = w - 0.02 * ((w - c) + 0.3 * torch.sign(w))
    assert not (w == 0).any()


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20),
    st.floats(0, 100, width=32),
)
def test_soft_threshold_is_its_formula(values: list[float], k: float) -> None:
    w = torch.tensor(values, dtype=torch.float32)
    expected = np.sign(w.numpy()) * np.maximum(np.abs(w.numpy()) - np.float32(k), 0)
    soft_threshold_(w, torch.tensor(k))
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-5, atol=1e-4)
    assert np.array_equal(w.numpy() == 0, expected == 0)


def test_strengths_are_read_by_name_and_are_off_where_left_out() -> None:
    sections = {"regularization": {"l1": 0.1, "weight_decay": 0.2}, "training": {"lr": 0.3}}
    some = Experiment.from_dict(sections)
    both = Strengths.of([some, Experiment()])
    assert (list(both.lr), list(both.l1)) == ([0.3, 0.001], [0.1, 0.0])
    assert (list(both.l2), list(both.weight_decay)) == ([0.0, 0.0], [0.2, 0.0])
    assert list(Strengths(lr=[0.1, 0.2]).momentum) == [0.0, 0.0]


def test_penalty_values() -> None:
    w = torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.0, 4.0]])
    strengths = torch.tensor([0.5, 0.25])
    assert l1_penalty(w, strengths).tolist() == [3.0, 1.0]
    assert l2_penalty(w, strengths).tolist() == [3.5, 2.0]


def test_selected_lanes_go_on_as_if_nothing_had_happened() -> None:
    for kind in OPTIMIZERS:
        values = {"lr": [0.01, 0.02, 0.03], "l1": [0.0, 0.01, 0.02], "momentum": [0.0, 0.5, 0.9]}
        whole = make(3, kind, **values)
        first, second = gradients(2, whole)
        whole.parameters.gradient.copy_(first)
        whole.step()
        some = Parameters.join([(whole.parameters, [2, 0])])
        part = type(whole).join(some, [(whole, [2, 0])])
        whole.parameters.gradient.copy_(second)
        part.parameters.gradient.copy_(whole.parameters.take(second, [2, 0]))
        whole.step()
        part.step()
        torch.testing.assert_close(part.parameters["w"], whole.parameters["w"][[2, 0]])
