"""Weight averaging: the law, its limits, torch's AveragedModel and the twin as references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from regviz.scratch.averaging import average_weights
from regviz.specs import Experiment
from regviz.training.run import Run, SharedRun, fit
from regviz.training.stack import Stack

MODELS: dict[str, dict[str, Any]] = {
    "mlp": {"model": {"hidden": [8, 8], "norm": "batch"}},
    "cnn": {"data": {"kind": "digits", "n_samples": 100}, "model": {"kind": "cnn", "hidden": [4]}},
    "transformer": {
        "data": {"kind": "order", "n_samples": 60},
        "model": {"kind": "transformer", "hidden": [16]},
    },
}


def experiment(decay: float, kind: str = "mlp", epochs: int = 4) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"n_samples": 60},
            **MODELS[kind],
            "training": {"lr": 0.05, "epochs": epochs, "ema": decay},
        }
    )


def recorded(
    experiments: list[Experiment], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Train; return the trained and the observed weights of all lanes after each step."""
    trained: list[torch.Tensor] = []
    observed: list[torch.Tensor] = []
    update = Stack._update

    def noting(stack: Stack) -> None:
        update(stack)
        for kept, network in ((trained, stack.network), (observed, stack.observed)):
            parameters = network.parameters
            lanes = range(parameters.lanes)
            kept.append(torch.stack([parameters.take(parameters.flat, [i]) for i in lanes]))

    monkeypatch.setattr(Stack, "_update", noting)
    fit(experiments)
    return trained, observed


@pytest.mark.parametrize("kind", MODELS)
def test_torch_and_the_twin_agree_after_every_step(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decays = (0.0, 0.9, 0.99)
    trained, observed = recorded([experiment(d, kind) for d in decays], monkeypatch)
    assert len(trained) > 3
    assert all(torch.equal(a[0], b[0]) for a, b in zip(trained, observed, strict=True))
    for lane, decay in enumerate(decays[1:], start=1):
        model = nn.ParameterList([nn.Parameter(trained[0][lane].clone())])
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        twin = average_weights(torch.stack([w[lane] for w in trained]).double().numpy(), decay)
        for step, weights in enumerate(trained):
            model[0].data.copy_(weights[lane])
            average.update_parameters(model)
            theirs = average.module[0]  # type: ignore[index]
            assert torch.allclose(observed[step][lane], theirs, rtol=1e-4, atol=1e-6)
            assert np.allclose(observed[step][lane].numpy(), twin[step], rtol=1e-4, atol=1e-6)


def test_training_is_that_of_the_twin_without(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, _ = recorded([experiment(0.0), experiment(0.99)], monkeypatch)
    # to rounding: a batched product rounds differently from lane to lane
    assert all(torch.allclose(weights[0], weights[1], atol=1e-5) for weights in trained)


def test_the_average_is_what_a_frame_shows() -> None:
    last, average = fit([experiment(0.0, epochs=20), experiment(0.95, epochs=20)])
    mode = "train_loss_train_mode"  # measured while training, on the trained weights
    assert np.allclose(last.frame.curve(mode), average.frame.curve(mode), atol=1e-5)
    assert not np.array_equal(last.frame.curve("val_loss"), average.frame.curve("val_loss"))
    assert not np.array_equal(last.frame.norms, average.frame.norms)
    assert last.boundary != average.boundary


def test_neighbours_that_end_or_join_change_nothing() -> None:
    averaged = experiment(0.95, epochs=12)
    stopping = averaged.replace("regularization.early_stopping.patience", 1)
    (alone,) = fit([averaged])
    beside = fit([stopping, averaged, averaged.replace("training.ema", 0.0)])[1]
    assert np.allclose(alone.frame.history, beside.frame.history, atol=1e-4, equal_nan=True)
    runs = [Run([averaged]), Run([averaged.replace("training.ema", 0.0)])]
    for _ in SharedRun(runs).steps():
        pass
    shared = runs[0].frame().lanes[0]
    assert np.allclose(alone.frame.history, shared.history, atol=1e-4, equal_nan=True)


def test_early_stopping_watches_and_restores_the_average() -> None:
    e = experiment(0.9, epochs=60).replace("regularization.early_stopping.patience", 2)
    (result,) = fit([e])
    lane = result.frame
    assert lane.restored
    assert lane.curve("val_loss")[lane.best_epoch - 1] == np.nanmin(lane.curve("val_loss"))
