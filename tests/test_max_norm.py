"""Max-norm: the law after every step, its limits, torch's renorm and the twin as references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from regviz.nn.penalties import limit_norms_
from regviz.scratch.max_norm import max_norm
from regviz.specs import Experiment
from regviz.training.run import Run, fit
from regviz.training.stack import Stack

MODELS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": {"data": {"kind": "digits", "n_samples": 100}, "model": {"kind": "cnn", "hidden": [4]}},
    "lstm": {"data": {"kind": "order", "n_samples": 60}, "model": {"kind": "lstm", "hidden": [8]}},
}


def experiment(c: float, kind: str = "mlp", **training: object) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"n_samples": 60},
            "model": {"hidden": [16, 16]},
            **MODELS[kind],
            "regularization": {"max_norm": c},
            "training": {"lr": 0.05, "epochs": 3, **training},
        }
    )


def longest(stack: Stack, lane: int) -> float:
    """Return the largest norm of the weights into one unit, in float64."""
    parameters = stack.network.parameters
    columns = [parameters[name][lane].double() for name in parameters.weight_names]
    return max(float(w.square().sum(dim=0).sqrt().max()) for w in columns)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("kind", MODELS)
def test_no_unit_exceeds_the_limit_after_any_step(
    kind: str, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = (0.3, 1.0)
    lengths: list[tuple[float, ...]] = []
    update = Stack._update

    def noting(stack: Stack) -> None:
        update(stack)
        lengths.append(tuple(longest(stack, lane) for lane in range(2)))

    monkeypatch.setattr(Stack, "_update", noting)
    fit([experiment(c, kind, optimizer=optimizer, lr=0.3) for c in limits])
    assert len(lengths) > 3
    for lane, c in enumerate(limits):
        assert max(length[lane] for length in lengths) <= c  # exactly, not to rounding
    assert max(length[0] for length in lengths) > 0.999 * limits[0]  # it was reached


def test_lanes_have_limits_of_their_own_and_none_is_the_run_without() -> None:
    free, loose, tight = fit([experiment(c) for c in (0.0, 1000.0, 0.5)])
    assert np.array_equal(free.frame.history, loose.frame.history)
    assert np.array_equal(free.frame.norms, loose.frame.norms)
    assert tight.frame.norms.max() < free.frame.norms.max()
    (alone,) = fit([experiment(0.5)])
    assert np.allclose(alone.frame.history, tight.frame.history, atol=1e-5, equal_nan=True)


def test_a_limit_survives_when_a_neighbour_ends() -> None:
    stopping = experiment(0.5).replace("regularization.early_stopping.patience", 0)
    run = Run([stopping.replace("training.epochs", 30), experiment(0.5, epochs=30)])
    for _ in run.steps():
        pass
    assert run.frame().lanes[1].norms[0] <= 0.5 * np.sqrt(16)


def test_torch_and_the_twin_agree() -> None:
    w = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1))
    limits = torch.tensor([0.5, 2.0, torch.inf])
    ours = w.clone()
    limit_norms_(ours, limits)
    for lane, c in enumerate(limits.tolist()):
        twin = max_norm(w[lane].double().numpy(), c)
        assert np.allclose(ours[lane].numpy(), twin, rtol=1e-6, atol=0)
        if np.isfinite(c):
            renormed = torch.renorm(w[lane], p=2, dim=1, maxnorm=c)
            assert torch.allclose(ours[lane], renormed, rtol=1e-5, atol=1e-7)
    assert torch.equal(ours[2], w[2])


def test_the_twin_keeps_short_and_zero_columns() -> None:
    w = np.array([[0.0, 3.0, 0.1], [0.0, 4.0, 0.1]])
    assert np.allclose(max_norm(w, 1.0), [[0.0, 0.6, 0.1], [0.0, 0.8, 0.1]])
