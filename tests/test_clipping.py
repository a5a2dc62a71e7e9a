"""Gradient clipping: the law, its limits, torch's clip_grad_norm_ and the twin as references."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from regviz.nn.layers import Parameters
from regviz.nn.optimizers import OPTIMIZERS, Strengths, clip_gradients_
from regviz.nn.shapes import Block
from regviz.scratch.clipping import clip_gradients, global_norm
from regviz.specs import Experiment
from regviz.training.run import fit

SIZES = [Block("w", (4, 3), True), Block("v", (3, 1), True), Block("w.bias", (1, 3), False)]
LIMITS = (0.5, 2.0, 1000.0)


def random_parameters(lanes: int = 3) -> Parameters:
    parameters = Parameters(lanes, SIZES, "cpu")
    draw = torch.Generator().manual_seed(3)
    parameters.flat.normal_(generator=draw)
    parameters.gradient.normal_(generator=draw)
    return parameters


def test_a_gradient_keeps_its_direction_and_is_at_most_as_long_as_the_limit() -> None:
    parameters = random_parameters()
    before = [parameters.take(parameters.gradient, [lane]).clone() for lane in range(3)]
    clip_gradients_(parameters, torch.tensor(LIMITS))
    for lane, c in enumerate(LIMITS):
        after = parameters.take(parameters.gradient, [lane])
        assert after.norm() <= c * (1 + 1e-6)
        cosine = torch.nn.functional.cosine_similarity(after, before[lane], dim=0)
        assert cosine == pytest.approx(1, abs=1e-6)
    assert torch.equal(after, before[2])  # short enough: left alone


@pytest.mark.parametrize("lane", range(3))
def test_torch_and_the_twin_agree(lane: int) -> None:
    parameters = random_parameters()
    tensors = [torch.nn.Parameter(parameters[name][lane].clone()) for name in parameters.slices]
    for tensor, name in zip(tensors, parameters.slices, strict=True):
        tensor.grad = parameters.grad(name)[lane].clone()
    gradients = [tensor.grad.double().numpy() for tensor in tensors if tensor.grad is not None]
    clip_gradients_(parameters, torch.tensor(LIMITS))
    torch.nn.utils.clip_grad_norm_(tensors, LIMITS[lane])
    twin = clip_gradients(gradients, LIMITS[lane])
    assert global_norm(twin) <= LIMITS[lane]
    for tensor, name, ours in zip(tensors, parameters.slices, twin, strict=True):
        assert tensor.grad is not None
        assert torch.allclose(parameters.grad(name)[lane], tensor.grad, rtol=1e-5, atol=1e-7)
        assert np.allclose(parameters.grad(name)[lane].numpy(), ours, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_a_step_is_loss_with_l2_then_clipping_then_the_optimizer_with_decay(
    kind: str, reference: type[torch.optim.Optimizer]
) -> None:
    lr, l2, decay, c = 0.1, 0.3, 0.2, 0.7
    parameters = random_parameters(lanes=1)
    tensors = {name: torch.nn.Parameter(parameters[name][0].clone()) for name in parameters.slices}
    strengths = Strengths(lr=[lr], l2=[l2], weight_decay=[decay], clip_norm=[c])
    ours = OPTIMIZERS[kind](parameters, strengths)
    weights = [t for name, t in tensors.items() if not name.endswith("bias")]
    others = [t for name, t in tensors.items() if name.endswith("bias")]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    theirs = reference(groups, lr=lr)  # type: ignore[call-arg]
    draw = torch.Generator().manual_seed(5)
    for _ in range(4):
        parameters.gradient.normal_(generator=draw)
        for name, tensor in tensors.items():
            tensor.grad = parameters.grad(name)[0].clone()
            if not name.endswith("bias"):
                tensor.grad += l2 * tensor.detach()
        torch.nn.utils.clip_grad_norm_(list(tensors.values()), c)
        theirs.step()
        ours.step()
    for name, tensor in tensors.items():
        assert torch.allclose(parameters[name][0], tensor, rtol=1e-4, atol=1e-6), name


def test_lanes_have_limits_of_their_own_and_none_is_the_run_without() -> None:
    base = Experiment.from_dict(
        {"data": {"n_samples": 60}, "model": {"hidden": [8]}, "training": {"lr": 0.05, "epochs": 3}}
    ).replace("training.optimizer", "sgd")
    free, loose, tight = fit([base.replace("training.clip_norm", c) for c in (0.0, 1e6, 0.1)])
    assert np.allclose(free.frame.history, loose.frame.history, atol=1e-6, equal_nan=True)
    assert tight.frame.curve("train_loss")[-1] > free.frame.curve("train_loss")[-1]
    (alone,) = fit([base])
    assert np.allclose(alone.frame.history, free.frame.history, atol=1e-6, equal_nan=True)
