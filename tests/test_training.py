"""Runs: the invariants of a stack, the contract's numbers, and torch's training loop as a check."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from regviz.data.datasets import make_dataset
from regviz.frames import HISTOGRAM_BINS, Frame, LaneFrame
from regviz.scratch.calibration import expected_calibration_error
from regviz.specs import Experiment, SpecError
from regviz.training.observe import reliability_bins
from regviz.training.run import Run, fit, pick_device, train

BASE = Experiment.from_dict(
    {
        "data": {"n_samples": 120},
        "model": {"hidden": [12, 8]},
        "training": {"epochs": 6, "lr": 0.01},
    }
)


def vary(**fields: object) -> Experiment:
    """Return BASE with fields set, ``data__noise`` for ``data.noise``."""
    e = BASE
    for name, value in fields.items():
        e = e.replace(name.replace("__", "."), value)
    return e


def final(*experiments: Experiment) -> list[LaneFrame]:
    return [r.frame for r in fit(experiments)]


VARIED = [
    vary(),
    vary(regularization__dropout=0.5),
    vary(regularization__dropout=[0.2, 0.0]),
    vary(regularization__l1=0.01),
    vary(regularization__l2=0.1, regularization__weight_decay=0.01),
    vary(regularization__label_smoothing=0.2),
    vary(regularization__input_noise=0.5, regularization__input_dropout=0.2),
    vary(regularization__early_stopping={"patience": 1}),
    vary(training__lr=0.1),
    vary(training__seed=7),
    vary(data__seed=1),
    vary(data__noise=0.1, data__label_noise=0.2),
]


# --- invariants -------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_lane_does_not_know_its_neighbours(optimizer: str, norm: str | None) -> None:
    experiments = [
        e.replace("training.optimizer", optimizer).replace("model.norm", norm) for e in VARIED
    ]
    together = final(*experiments)
    for e, lane in zip(experiments, together, strict=True):
        (alone,) = final(e)
        assert (alone.status, alone.epoch, alone.best_epoch) == (
            lane.status,
            lane.epoch,
            lane.best_epoch,
        )
        np.testing.assert_allclose(alone.history, lane.history, rtol=2e-3, atol=2e-4)
        np.testing.assert_allclose(alone.norms, lane.norms, rtol=1e-3)


def test_equal_experiments_give_equal_frames() -> None:
    one, two = (fit([VARIED[1], VARIED[6]]) for _ in range(2))
    assert json.dumps([r.to_dict() for r in one]) == json.dumps([r.to_dict() for r in two])
    a, b = Run(VARIED[:3]), Run(VARIED[:3])
    for _ in a.steps():
        pass
    for _ in b.steps():
        b.frame()  # looking does not change what is seen
    assert a.frame().to_bytes() == b.frame().to_bytes()


def test_equal_lanes_of_one_stack_are_equal() -> None:
    one, two = final(VARIED[1], VARIED[1])
    np.testing.assert_allclose(one.history, two.history, rtol=1e-4)
    np.testing.assert_allclose(one.norms, two.norms, rtol=1e-4)


def test_lanes_of_one_seed_share_weights_order_and_masks() -> None:
    run = Run([vary(), vary(regularization__dropout=0.4), vary(training__seed=1)])
    parameters = run._parts[0].stack.network.parameters
    for name in parameters.weight_names:
        assert torch.equal(parameters[name][0], parameters[name][1])
        assert not torch.equal(parameters[name][0], parameters[name][2])
    stack = run._parts[0].stack
    x, _ = stack.shuffled()
    assert torch.equal(x[0], x[1])
    assert not torch.equal(x[0], x[2])


def test_a_tiny_strength_changes_the_run_only_a_little() -> None:
    """With common random numbers a sweep is smooth: dropout 0.001 is nearly no dropout."""
    none, tiny, other = final(vary(), vary(regularization__dropout=0.001), vary(training__seed=5))
    near = np.abs(none.curve("val_loss") - tiny.curve("val_loss")).max()
    far = np.abs(none.curve("val_loss") - other.curve("val_loss")).max()
    assert near < 0.3 * far


@pytest.mark.parametrize(
    "field",
    [
        "regularization.dropout",
        "regularization.input_dropout",
        "regularization.l1",
        "regularization.l2",
        "regularization.weight_decay",
        "regularization.label_smoothing",
        "regularization.input_noise",
        "training.lr",
    ],
)
def test_every_strength_is_a_vector_over_lanes_and_acts(field: str) -> None:
    values = (0.001, 0.05, 0.4)
    lanes = final(*(BASE.replace(field, v) for v in values))
    assert len(Run([BASE.replace(field, v) for v in values])._parts) == 1
    for a, b in itertools.combinations(lanes, 2):
        assert not np.array_equal(a.curve("train_loss"), b.curve("train_loss"))


def test_the_epoch_goes_on_though_the_run_of_most_epochs_stops_early() -> None:
    stops = BASE.replace("training.epochs", 100)
    stops = stops.replace("regularization.early_stopping.patience", 0)
    stops = stops.replace("regularization.early_stopping.min_delta", 10.0)  # nothing improves
    run = Run([stops, BASE.replace("training.epochs", 6)])
    seen = [run.epoch]
    for _ in run.steps():
        if run.epoch != seen[-1]:
            seen.append(run.epoch)
    assert [lane.epoch for lane in run.frame().lanes][1] == 6
    assert run.frame().lanes[0].status == "stopped"
    assert seen == list(range(7))


def test_different_shapes_go_to_different_stacks_and_come_back_in_order() -> None:
    experiments = [
        vary(model__hidden=[5]),
        vary(),
        vary(training__optimizer="sgd"),
        vary(model__hidden=[]),
        vary(training__epochs=3),
        vary(model__hidden=[5], regularization__l2=0.1),
    ]
    run = Run(experiments)
    assert len(run._parts) == 5
    for _ in run.steps():
        pass
    lanes = run.frame().lanes
    assert [lane.shapes for lane in lanes[:2]] == [((2, 5), (5, 1)), ((2, 12), (12, 8), (8, 1))]
    assert lanes[3].layers == ("output",)
    assert [lane.epoch for lane in lanes] == [6, 6, 6, 6, 3, 6]
    assert {lane.status for lane in lanes} == {"finished"}


# --- the last batch ---------------------------------------------------------------------------


def with_train_points(n: int, **fields: object) -> Experiment:
    """Return an experiment with ``n`` training points."""
    total = next(t for t in range(n, 3 * n) if t - round(t * 0.3) == n)
    e = vary(data__n_samples=total, **fields)
    assert e.n_train == n
    return e


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("n", [385, 386, 72])  # batches of 32 leave one, two, eight
def test_the_running_variance_settles_at_the_true_one(n: int, position: str) -> None:
    e = with_train_points(
        n,
        model__norm="batch",
        model__norm_position=position,
        training__lr=0.0,
        training__epochs=40,
    )
    run = Run([e])
    for _ in run.steps():
        pass
    network, _ = run._parts[0].stack.network_of(0)
    x = torch.from_numpy(make_dataset(e.data).x_train)[None]
    with torch.inference_mode():
        z = (
            torch.baddbmm(network.parameters["hidden 1.bias"], x, network.parameters["hidden 1"])
            if position == "after"
            else torch.bmm(x, network.parameters["hidden 1"])
        )
    z = z.relu() if position == "after" else z
    true = z[0].var(dim=0)
    ratio = (network.running[0][0, 1] / true)[true > 1e-3]
    # it goes on moving by a tenth of each batch's noise: a few percent on average over units
    assert float(ratio.mean()) == pytest.approx(1, abs=0.12)


def test_one_point_more_or_less_changes_little_with_batch_norm() -> None:
    """With a last batch of one point, 33 points once had a median training loss of 1.3, where 32
    points and 33 points with joined batches have 0.04."""
    seen = {}
    for n in (32, 33, 34):
        e = with_train_points(n, model__hidden=[32, 32], model__norm="batch", training__epochs=100)
        lanes = final(*(e.replace("data.seed", seed) for seed in range(12)))
        seen[n] = np.array([lane.curve("train_loss")[-10:].mean() for lane in lanes])
        steady = [np.abs(np.diff(lane.curve("train_loss")[-20:])).max() for lane in lanes]
        assert np.median(steady) < 0.05
    medians = [float(np.median(losses)) for losses in seen.values()]
    assert max(medians) < 0.15
    assert max(losses.max() for losses in seen.values()) < 0.4


def test_batch_norm_trains_as_torch_does_on_the_same_batches() -> None:
    e = with_train_points(
        41,
        model__norm="batch",
        training__batch_size=20,
        training__optimizer="sgd",
        training__momentum=0.9,
        training__lr=0.05,
        training__epochs=5,
    )
    run = Run([e])
    stack = run._parts[0].stack
    p = stack.network.parameters
    model = nn.Sequential(
        nn.Linear(2, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU(),
        nn.Linear(12, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1),
    )  # fmt: skip
    linears = [m for m in model if isinstance(m, nn.Linear)]
    for module, name in zip(linears, ("hidden 1", "hidden 2", "output"), strict=True):
        module.weight.data = p[name][0].T.clone()
    linears[-1].bias.data = p["output.bias"][0, 0].clone()
    order = stack.order[0].clone_state()
    for _ in run.steps():
        pass
    data = make_dataset(e.data)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train).float()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(5):
        shuffled = torch.randperm(41, generator=order)
        for part in (shuffled[:20], shuffled[20:]):  # 20 and 21: none of one
            optimizer.zero_grad()
            logits = model(x[part])[:, 0]
            nn.functional.binary_cross_entropy_with_logits(logits, y[part]).backward()
            optimizer.step()
    network, _ = stack.network_of(0)
    for i, norm in enumerate(m for m in model if isinstance(m, nn.BatchNorm1d)):
        assert norm.running_var is not None
        torch.testing.assert_close(network.running[i][0, 1], norm.running_var, rtol=1e-3, atol=0)
    for module, name in zip(linears, ("hidden 1", "hidden 2", "output"), strict=True):
        ours = network.parameters[name][0].T
        torch.testing.assert_close(ours, module.weight.detach(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("limit", [1, 2**17])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_every_norm_has_the_same_batches_and_masks_fit_them(
    norm: str | None, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "regviz.training.stack.DRAW_LIMIT", limit
    )  # drawn batch by batch, or at once
    e = with_train_points(66, model__norm=norm, regularization__dropout=0.4)
    run = Run([e.replace("regularization.input_noise", 0.2).replace("training.epochs", 2)])
    network = run._parts[0].stack.network
    rows, forward = [], network.forward

    def counted(x: torch.Tensor, *, train: bool) -> torch.Tensor:
        if train:
            rows.append(x.shape[1])
        return forward(x, train=train)

    network.forward = counted  # type: ignore[method-assign]
    for _ in run.steps():
        pass
    assert rows == [32, 34] * 2


def test_a_cnn_with_batch_norm_joins_its_last_batch_too() -> None:
    e = Experiment.from_dict(
        {
            "data": {"kind": "digits", "n_samples": 47},
            "model": {"kind": "cnn", "hidden": [4], "norm": "batch"},
            "regularization": {"dropout": 0.2, "augmentation": {"degrees": 10}},
            "training": {"epochs": 30, "lr": 0.01},
        }
    )
    assert e.n_train == 33
    (lane,) = final(e)
    losses = lane.curve("train_loss")
    assert losses[-1] < 0.7 * losses[0]
    assert np.abs(np.diff(losses[-10:])).max() < 0.3


# --- diverged lanes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "lr"), [("adam", 1e3), ("adam", 1e6), ("sgd", 1e6), ("adamw", 1e3)]
)
def test_a_diverged_lane_is_frozen_and_its_neighbour_goes_on(optimizer: str, lr: float) -> None:
    good = vary(training__optimizer=optimizer)
    bad = good.replace("training.lr", lr)
    ours, wild = final(good, bad)
    (alone,) = final(good)
    assert (ours.status, wild.status) == ("finished", "diverged")
    assert wild.epoch < 6
    np.testing.assert_allclose(ours.history, alone.history, rtol=2e-3, atol=2e-4)
    # what is shown of it is its last sane state
    assert np.isfinite(wild.norms).all()
    assert wild.best_epoch < wild.epoch


def test_a_diverged_result_is_json_without_nan() -> None:
    (result,) = fit([vary(training__optimizer="sgd", training__lr=1e6)])
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["status"] == "diverged"


# --- early stopping ---------------------------------------------------------------------------


def stopping(patience: int, **fields: object) -> Experiment:
    return vary(
        data__noise=0.4,
        data__n_samples=80,
        training__epochs=60,
        training__lr=0.02,
        **fields,
    ).replace("regularization.early_stopping", {"patience": patience})


def test_a_stopped_lane_ends_by_keras_rule_and_keeps_its_best_weights() -> None:
    e = stopping(4)
    run = Run([e, e.without_regularization()])
    for _ in run.steps():
        pass
    stopped, full = run.frame().lanes
    assert (stopped.status, full.status) == ("stopped", "finished")
    assert stopped.stopped_epoch == stopped.epoch == stopped.best_epoch + 4
    assert stopped.restored
    assert not full.restored
    # until it stopped it was the same run
    np.testing.assert_allclose(
        stopped.history, full.history[:, : stopped.epoch], rtol=2e-3, atol=2e-4
    )
    # the kept weights give the best epoch's validation loss
    network, i = run._parts[0].stack.network_of(0)
    with torch.inference_mode():
        data = make_dataset(e.data)
        logits = network.forward(torch.from_numpy(data.x_val)[None], train=False)[i, :, 0]
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(data.y_val).float()
    )
    assert float(loss) == pytest.approx(stopped.curve("val_loss").min(), rel=1e-4)


def test_best_weights_are_restored_also_when_the_last_epoch_is_reached() -> None:
    # Keras issue 12511: patience longer than the run must not lose the best weights
    e = stopping(1000)
    restored, plain = fit([e, e.without_regularization()])
    assert restored.status == "finished"
    assert restored.frame.restored
    assert restored.frame.best_epoch < 60
    assert not np.allclose(restored.frame.norms, plain.frame.norms)


def test_without_restore_the_last_weights_stay() -> None:
    e = stopping(4).replace("regularization.early_stopping.restore_best_weights", False)
    run = Run([e])
    for _ in run.steps():
        pass
    lane = run.frame().lanes[0]
    assert lane.status == "stopped"
    assert not lane.restored


def test_lanes_with_different_patience_stop_one_after_the_other() -> None:
    lanes = final(*(stopping(p) for p in (1, 3, 9)))
    epochs = [lane.stopped_epoch for lane in lanes]
    assert epochs == sorted(epochs)
    assert epochs[0] < epochs[2]


# --- numbers ----------------------------------------------------------------------------------


def test_history_is_what_torch_computes_on_the_same_weights() -> None:
    e = vary(regularization__l1=0.003, regularization__l2=0.02, data__label_noise=0.1)
    run = Run([e])
    for _ in run.steps():
        pass
    lane = run.frame().lanes[0]
    network, _ = run._parts[0].stack.network_of(0)
    model = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))
    weights = []
    linears = [m for m in model if isinstance(m, nn.Linear)]
    for module, name in zip(linears, ("hidden 1", "hidden 2", "output"), strict=True):
        module.weight.data = network.parameters[name][0].T.clone()
        module.bias.data = network.parameters[name + ".bias"][0, 0].clone()
        weights.append(module.weight.detach())
    data = make_dataset(e.data)
    for x, y, part in (
        (data.x_train, data.y_train, "train"),
        (data.x_val, data.y_val, "val"),
    ):
        with torch.no_grad():
            logits = model(torch.from_numpy(x))[:, 0]
        target = torch.from_numpy(y)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target.float())
        accuracy = ((logits > 0) == (target == 1)).float().mean()
        assert lane.curve(f"{part}_loss")[-1] == pytest.approx(float(loss), rel=1e-4)
        assert lane.curve(f"{part}_accuracy")[-1] == pytest.approx(float(accuracy), rel=1e-5)
    penalty = sum(0.003 * w.abs().sum() + 0.5 * 0.02 * (w**2).sum() for w in weights)
    assert lane.curve("penalty")[-1] == pytest.approx(float(penalty), rel=1e-4)
    norms = [float(w.norm()) for w in weights]
    np.testing.assert_allclose(lane.norms, norms, rtol=1e-5)
    np.testing.assert_allclose(lane.l1_norms, [float(w.abs().sum()) for w in weights], rtol=1e-5)
    for i, w in enumerate(weights):
        counts, _ = np.histogram(w, HISTOGRAM_BINS, (-lane.limits[i], lane.limits[i]))
        assert lane.zeros[i] == int((w == 0).sum())
        assert int(lane.histogram[i].sum()) == w.numel() - int(lane.zeros[i])
        # at a bin's edge the two roundings may differ by one neighbour
        assert np.abs(np.cumsum(counts) - np.cumsum(lane.histogram[i])).max() <= lane.zeros[i] + 1


@pytest.mark.parametrize("kind", ["moons", "digits"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_full_batch_run_is_torchs_own_loop(kind: str, optimizer: str) -> None:
    e = vary(
        data__kind=kind,
        training__batch_size=None,
        training__optimizer=optimizer,
        training__epochs=12,
        regularization__label_smoothing=0.1,
        regularization__l2=0.01,
        model__activation="tanh",
    )
    run = Run([e])
    data = make_dataset(e.data)
    parameters = run._parts[0].stack.network.parameters
    outputs = 1 if data.n_classes == 2 else data.n_classes
    model = nn.Sequential(
        nn.Linear(data.n_features, 12), nn.Tanh(), nn.Linear(12, 8), nn.Tanh(),
        nn.Linear(8, outputs),
    )  # fmt: skip
    decayed, free = [], []
    linears = [m for m in model if isinstance(m, nn.Linear)]
    for module, name in zip(linears, ("hidden 1", "hidden 2", "output"), strict=True):
        module.weight.data = parameters[name][0].T.clone()
        module.bias.data = parameters[name + ".bias"][0, 0].clone()
        decayed.append(module.weight)
        free.append(module.bias)
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": free, "weight_decay": 0.0}]
    chosen = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    theirs = chosen(groups, lr=e.training.lr)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    if outputs == 1:
        soft = y.float() * 0.9 + 0.05

        def objective() -> torch.Tensor:
            return nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], soft)

        def plain() -> torch.Tensor:
            return nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y.float())
    else:

        def objective() -> torch.Tensor:
            return nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)

        def plain() -> torch.Tensor:
            return nn.functional.cross_entropy(model(x), y)

    smoothed, hard = [], []
    for _ in range(12):
        theirs.zero_grad()
        loss = objective()
        loss.backward()
        smoothed.append(loss.item())
        theirs.step()
        with torch.no_grad():
            hard.append(float(plain()))
    for _ in run.steps():
        pass
    lane = run.frame().lanes[0]
    np.testing.assert_allclose(lane.curve("train_loss"), hard, rtol=1e-3)
    # the loss in train mode is the smoothed one, before the step
    np.testing.assert_allclose(lane.curve("train_loss_train_mode"), smoothed, rtol=1e-3)


def test_train_mode_and_eval_mode_losses_differ_under_dropout_only() -> None:
    plain, dropped = final(
        vary(training__batch_size=None),
        vary(training__batch_size=None, regularization__dropout=0.6),
    )
    # without dropout the loss in train mode is the loss before the step: the epoch before's
    np.testing.assert_allclose(
        plain.curve("train_loss_train_mode")[1:], plain.curve("train_loss")[:-1], rtol=1e-4
    )
    gap = dropped.curve("train_loss_train_mode")[1:] - dropped.curve("train_loss")[:-1]
    assert np.abs(gap).max() > 1e-3


def test_dropout_on_a_linear_model_is_its_ridge() -> None:
    """Dropout's objective on a linear model is ridge with data-scaled strengths (facts).

    For logistic loss there is no closed form, but the law holds to second order: the averaged
    dropout loss lies above the eval loss by about ½·Σ σ'(z)·p/q·Σ w²x².
    """
    e = vary(model__hidden=[], regularization__input_dropout=0.05, training__epochs=1)
    run = Run([e])
    stack = run._parts[0].stack
    with torch.inference_mode():
        w = torch.tensor([0.8, -0.5])
        stack.network.parameters["output"][0, :, 0] = w
        stack.network.parameters["output.bias"].zero_()
        x = stack.x[0, : e.n_train]
        n = 3000
        total = torch.zeros(len(x))
        for _ in range(n):
            for drop, scale, _ in stack.draw_masks(len(x)):
                drop.scale = scale
            out = stack.network.forward(x[None], train=True)[0, :, 0]
            total += nn.functional.softplus(out)
        z = x @ w
        s = torch.sigmoid(z)
        second = 0.5 * s * (1 - s) * (0.05 / 0.95) * (x**2 @ w**2)
        extra = (total / n - nn.functional.softplus(z)).mean()
    assert float(extra) == pytest.approx(float(second.mean()), rel=0.1)


@pytest.mark.parametrize("kind", ["moons", "digits"])
def test_reliability_gives_the_ece_of_the_models_own_probabilities(kind: str) -> None:
    run = Run([vary(data__kind=kind), vary(data__kind=kind, regularization__label_smoothing=0.3)])
    for _ in run.steps():
        pass
    data = make_dataset(BASE.replace("data.kind", kind).data)
    for lane, shown in enumerate(run.frame().lanes):
        network, i = run._parts[0].stack.network_of(lane)
        with torch.inference_mode():
            x = torch.from_numpy(data.x_val)[None].expand(network.parameters.lanes, -1, -1)
            logits = network.forward(x, train=False)[i]
            p = torch.sigmoid(logits) if data.n_classes == 2 else torch.softmax(logits, 1)
        p = torch.cat([1 - p, p], 1) if data.n_classes == 2 else p
        confidence = p.max(1).values.numpy().astype(np.float64)
        right = p.argmax(1).numpy() == data.y_val
        count, confidences, correct = shown.reliability.astype(np.float64)
        assert count.sum() == len(data.y_val)
        assert correct.sum() / count.sum() == pytest.approx(shown.curve("val_accuracy")[-1])
        ece = np.abs(correct - confidences).sum() / count.sum()
        assert ece == pytest.approx(expected_calibration_error(confidence, right), abs=1e-5)


def test_reliability_bins_hold_their_upper_edge() -> None:
    # P(1) = 2/3 exactly on an edge of 15 bins; sure and right; sure and wrong
    logits = torch.tensor([[[math.log(2.0)], [100.0], [-100.0]]])
    count, confidences, correct = reliability_bins(logits, torch.tensor([[1, 1, 1]]))[0]
    assert count[9] + count[10] == 1  # 2/3 in float32 lies beside the edge
    assert (count[14], confidences[14], correct[14]) == (2, 2, 1)
    # two equal probabilities: confidence 1/2 lies inside the bin (7/15, 8/15]
    assert reliability_bins(torch.zeros(1, 1, 1), torch.tensor([[0]]))[0, 0, 7] == 1


def test_boundary_is_the_probability_on_the_grid() -> None:
    (result,) = fit([BASE])
    boundary = result.to_dict()["boundary"]
    xx0, xx1, response = (np.array(boundary[k]) for k in ("xx0", "xx1", "response"))
    assert xx0.shape == xx1.shape == response.shape
    assert (np.diff(xx0[0]) > 0).all()
    assert (np.diff(xx1[:, 0]) > 0).all()
    run = Run([BASE])
    for _ in run.steps():
        pass
    network, _ = run._parts[0].stack.network_of(0)
    x = torch.tensor(np.stack([xx0.ravel(), xx1.ravel()], axis=1), dtype=torch.float32)
    with torch.inference_mode():
        expected = torch.sigmoid(network.forward(x[None], train=False))[0, :, 0]
    np.testing.assert_allclose(response.ravel(), expected, atol=2e-5)


def test_without_two_inputs_a_result_has_no_boundary() -> None:
    digits, extra = fit(
        [vary(data__kind="digits"), vary(data__kind="linear", data__irrelevant_features=3)]
    )
    assert digits.to_dict()["boundary"] is None
    assert extra.to_dict()["boundary"] is None
    # the picture may still show the plane through the first two inputs
    assert extra.frame.boundary is not None
    assert digits.frame.boundary is None


def test_result_has_the_contracts_shape() -> None:
    (result,) = fit([stopping(3)])
    entry = result.to_dict()
    assert list(entry) == [
        "experiment",
        "status",
        "best_epoch",
        "stopped_epoch",
        "restored_best_weights",
        "history",
        "weights",
        "boundary",
        "verdict",
    ]
    n = len(entry["history"]["epoch"])
    assert entry["history"]["epoch"] == list(range(1, n + 1))
    assert {len(v) for v in entry["history"].values()} == {n}
    assert [w["layer"] for w in entry["weights"]] == ["hidden 1", "hidden 2", "output"]
    assert Experiment.from_dict(entry["experiment"]) == stopping(3)
    assert entry["stopped_epoch"] == n
    json.dumps(entry, allow_nan=False)


# --- driving ----------------------------------------------------------------------------------


def test_train_yields_a_first_and_a_last_frame() -> None:
    frames = list(train([BASE, VARIED[1]]))
    assert frames[0].epoch >= 1
    assert frames[-1].done
    assert frames[-1].epoch == 6
    assert [f.epoch for f in frames] == sorted({f.epoch for f in frames})
    again = Frame.from_bytes(frames[-1].to_bytes())
    assert np.array_equal(again.lanes[1].history, frames[-1].lanes[1].history)


def test_a_run_can_be_looked_at_before_its_first_epoch() -> None:
    frame = Run([BASE]).frame()
    assert frame.epoch == 0
    assert frame.lanes[0].history.shape[1] == 0
    assert frame.lanes[0].boundary is not None
    assert not frame.done


def test_fit_reports_progress_and_stops_when_asked() -> None:
    seen: list[tuple[int, int]] = []
    (result,) = fit(
        [BASE], progress=lambda a, b: seen.append((a, b)), should_stop=lambda: len(seen) >= 3
    )
    assert seen == [(1, 6), (2, 6), (3, 6)]
    assert result.status == "cancelled"
    assert result.frame.epoch == 3


def test_a_long_epoch_hands_control_back_in_the_middle() -> None:
    e = vary(data__n_samples=20_000, model__hidden=[64, 64], training__epochs=1)
    run = Run([e])
    steps = run.steps()
    next(steps)
    assert run.epoch == 0
    assert sum(1 for _ in steps) > 1
    assert run.done


def test_input_statistics_are_those_of_the_inputs() -> None:
    lane = Run([BASE]).frame().lanes[0]
    x = make_dataset(BASE.data).x_train
    assert lane.input_mean[0] == pytest.approx(x.mean(), abs=1e-5)
    assert lane.input_std[0] == pytest.approx(x.std(ddof=1), rel=1e-4)
    assert len(lane.input_mean) == 3


def test_no_experiment_and_unknown_devices_are_refused() -> None:
    with pytest.raises(SpecError, match=r"experiments: got none"):
        Run([])
    with pytest.raises(SpecError, match=r"device: got 'tpu'"):
        pick_device("tpu")
    assert pick_device("cpu") == "cpu"
    if not torch.cuda.is_available():
        assert pick_device("auto") == "cpu"
        with pytest.raises(SpecError, match=r"no CUDA device"):
            pick_device("cuda")


def test_l1_gives_exact_zeros_and_l2_none() -> None:
    e = vary(data__kind="linear", data__irrelevant_features=8, training__epochs=40)
    l1, l2 = final(e.replace("regularization.l1", 0.02), e.replace("regularization.l2", 0.02))
    assert int(l1.zeros.sum()) > 0.5 * sum(a * b for a, b in l1.shapes)
    assert int(l2.zeros.sum()) == 0


def test_the_reference_experiment_overfits_without_and_less_with_regularization() -> None:
    e = Experiment.from_dict({"model": {"hidden": [64, 128, 64]}, "training": {"epochs": 150}})
    without, decay = final(e, e.replace("regularization.weight_decay", 0.01))
    rise = [lane.curve("val_loss")[-1] - lane.curve("val_loss").min() for lane in (without, decay)]
    assert rise[0] > 2 * rise[1]
    assert math.isfinite(rise[0])


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_the_initial_weights_are_scaled_lane_by_lane_in_one_stack(norm: str | None) -> None:
    still = vary(**{"training.lr": 0.0, "training.epochs": 1, "model.norm": norm})
    scales = (1.0, 0.1, 10.0, 0.0)
    run = Run([still.replace("model.init_scale", k) for k in scales])
    assert len(run._parts) == 1
    for _ in run.steps():
        pass
    usual, *others = run.frame().lanes
    for k, lane in zip(scales[1:], others, strict=True):
        np.testing.assert_allclose(lane.norms, k * usual.norms, rtol=1e-5)
    assert others[-1].zeros.sum() == sum(a * b for a, b in usual.shapes)
    alone = final(still.replace("model.init_scale", 10.0))[0]
    np.testing.assert_allclose(alone.history, others[1].history, rtol=1e-4)


def test_input_norms_are_those_of_the_weights_that_leave_each_input() -> None:
    e = vary(
        **{
            "data.kind": "linear",
            "data.irrelevant_features": 6,
            "regularization.l1": 0.05,
            "training.lr": 0.02,
            "training.epochs": 60,
        }
    )
    run = Run([e, e.replace("regularization.l1", 0.0)])
    for _ in run.steps():
        pass
    for lane, at in zip(run.frame().lanes, (0, 1), strict=True):
        assert lane.input_norms is not None
        network, place = run._parts[0].stack.network_of(at)
        w = network.parameters["hidden 1"][place].numpy()
        np.testing.assert_allclose(lane.input_norms, np.linalg.norm(w, axis=1), rtol=1e-5)
        assert ((lane.input_norms == 0) == (w == 0).all(axis=1)).all()
    with_l1, without = run.frame().lanes
    assert with_l1.input_norms is not None
    assert without.input_norms is not None
    assert (with_l1.input_norms[2:] == 0).any()
    assert (without.input_norms > 0).all()


def test_the_last_frame_holds_the_test_set_by_the_weights_it_shows() -> None:
    stops = vary(regularization__early_stopping={"patience": 1}, training__epochs=30)
    digits = vary(data__kind="digits", data__n_samples=200, data__noise=0.0)
    for e in (vary(data__label_noise=0.2), stops, digits):
        run = Run([e, e.replace("training.seed", 1)])
        assert run.frame().lanes[0].test is None  # locked until the end
        for _ in run.steps():
            pass
        data = make_dataset(e.data)
        for at, lane in enumerate(run.frame().lanes):
            network, place = run._parts[0].stack.network_of(at)
            x = torch.from_numpy(data.x_test)
            logits = network.evaluate(x.expand(network.parameters.lanes, -1, -1))[place].numpy()
            if data.n_classes == 2:
                logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
            top = logits.max(axis=1, keepdims=True)
            p = np.exp(logits - top) / np.exp(logits - top).sum(axis=1, keepdims=True)
            loss = -np.log(p[np.arange(len(p)), data.y_test]).mean()
            right = (logits.argmax(axis=1) == data.y_test).mean()
            assert lane.test is not None
            np.testing.assert_allclose(lane.test, [loss, right], rtol=1e-4)
    many = list(train([vary(training__seed=s, training__epochs=1) for s in range(65)]))[-1]
    assert many.lanes[0].test is None
