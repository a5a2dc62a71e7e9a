"""Stacked CNN, LSTM and transformer: torch's own modules on equal weights, and the invariants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from regviz.data.datasets import make_dataset
from regviz.frames import Frame
from regviz.nn.autograd import AutogradNetwork, Pass
from regviz.nn.convolution import ConvNetwork, feature_maps
from regviz.nn.layers import dropout_masks
from regviz.nn.sequence import LSTMNetwork, TransformerNetwork, attention_maps
from regviz.nn.shapes import Shape, map_sides
from regviz.specs import DataSpec, Experiment
from regviz.training.run import Run, fit

CNN = Experiment.from_dict(
    {
        "data": {"kind": "digits", "n_samples": 200, "noise": 0.1},
        "model": {"kind": "cnn", "hidden": [4, 6]},
        "training": {"epochs": 3, "lr": 0.01},
    }
)
LSTM = Experiment.from_dict(
    {
        "data": {"kind": "order", "n_samples": 120, "noise": 0.0},
        "model": {"kind": "lstm", "hidden": [8], "embedding": 6},
        "training": {"epochs": 3, "lr": 0.01},
    }
)
TRANSFORMER = LSTM.replace("model.kind", "lstm").to_dict()
TRANSFORMER["model"] = {
    "kind": "transformer",
    "hidden": [12],
    "norm": "layer",
    "embedding": 8,
    "heads": 2,
}
KINDS = {"cnn": CNN, "lstm": LSTM, "transformer": Experiment.from_dict(TRANSFORMER)}


def filled(network: AutogradNetwork, seed: int = 1) -> None:
    """Give every lane different weights."""
    flat = network.parameters.flat
    flat.add_(0.4 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(seed)))


def close(a: torch.Tensor, b: torch.Tensor | None) -> None:
    assert b is not None
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


# --- CNN --------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [None, "batch"])
def test_every_lane_of_a_cnn_is_torchs_own_modules(norm: str | None) -> None:
    shape = Shape(64, (4, 6), 10, "relu", norm, "before", kind="cnn", dropout_kind="spatial")
    with torch.no_grad():
        network = ConvNetwork(shape, 2, "cpu")
        filled(network)
    p = network.parameters
    x = torch.rand((2, 5, 64), generator=torch.Generator().manual_seed(3))
    u = [torch.rand((1, 5, c), generator=torch.Generator().manual_seed(c)) for c in (4, 6)]
    with torch.no_grad():
        for drop, draws in zip(network.dropouts, u, strict=True):
            drop.scale, drop.shift = dropout_masks(draws, torch.tensor([0.0, 0.5]), "standard")
        dlogits = torch.randn((2, 5, 10), generator=torch.Generator().manual_seed(4))
        logits = network.forward(x, train=True)
        network.backward(dlogits)
    for lane in range(2):
        h = x[lane].view(5, 1, 8, 8)
        modules = []
        for i, (a, b) in enumerate(((1, 4), (4, 6)), start=1):
            conv = nn.Conv2d(a, b, 3, padding=1, bias=norm is None)
            conv.weight.data = p[f"conv {i}"][lane].T.reshape(b, a, 3, 3).clone()
            if conv.bias is not None:
                conv.bias.data = p[f"conv {i}.bias"][lane, 0].clone()
            h = conv(h)
            if norm is not None:
                batch_norm = nn.BatchNorm2d(b)
                batch_norm.weight.data = p[f"conv {i}.gamma"][lane, 0].clone()
                batch_norm.bias.data = p[f"conv {i}.beta"][lane, 0].clone()
                h = batch_norm(h)
                close(network.running[2 * (i - 1)][lane], batch_norm.running_mean)
                close(network.running[2 * (i - 1) + 1][lane], batch_norm.running_var)
            h = nn.functional.max_pool2d(torch.relu(h), 2)
            scale = network.dropouts[i - 1].scale
            assert scale is not None
            h = h * scale[lane].view(5, b, 1, 1)
            modules.append(conv)
        head = nn.Linear(24, 10)
        head.weight.data = p["output"][lane].T.clone()
        head.bias.data = p["output.bias"][lane, 0].clone()
        out = head(h.flatten(1))
        close(logits[lane], out.detach())
        out.backward(dlogits[lane])
        for i, conv in enumerate(modules, start=1):
            assert conv.weight.grad is not None
            b = conv.out_channels
            close(p.grad(f"conv {i}")[lane].T, conv.weight.grad.view(b, -1))
        assert head.weight.grad is not None
        close(p.grad("output")[lane], head.weight.grad.T)


def test_spatial_dropout_drops_whole_maps_in_training_and_none_in_evaluation() -> None:
    with torch.no_grad():
        shape = Shape(64, (5,), 10, "relu", None, "before", kind="cnn", dropout_kind="spatial")
        network = ConvNetwork(shape, 1, "cpu")
        filled(network)
        image = make_dataset(DataSpec(kind="digits", n_samples=200)).x_val[0]
    images = np.stack([image, image[::-1]])
    whole = feature_maps(network, 0, images)
    draws = torch.Generator().manual_seed(3)
    masked = feature_maps(network, 0, images, rates=[0.0, 0.4], generator=draws)
    kept = masked.kept[0]
    assert set(np.unique(kept).tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(
        masked.maps[0], whole.maps[0] * kept[:, :, None, None] / 0.6, rtol=1e-5
    )
    np.testing.assert_array_equal(whole.kept[0], 1)
    np.testing.assert_allclose(whole.probabilities.sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match=r"^images: got shape \(64,\)"):
        feature_maps(network, 0, image)
    with pytest.raises(ValueError, match=r"^rates: got 1; give 2"):
        feature_maps(network, 0, images, rates=[0.5])


def last_frame(experiments: list[Experiment]) -> Frame:
    """Train to the end; return the last frame after a round trip through bytes."""
    run = Run(experiments)
    for _ in run.steps():
        pass
    return Frame.from_bytes(run.frame().to_bytes())


def test_a_last_frame_holds_the_maps_of_few_lanes_and_the_images_they_are_of() -> None:
    spatial = CNN.replace("regularization.dropout_kind", "spatial")
    frame = last_frame([spatial, spatial.replace("regularization.dropout", 0.5)])
    assert frame.data is not None
    view = frame.data[0]
    assert view.images is not None
    assert view.image_labels is not None
    assert view.image_labels.tolist() == list(range(10))
    plain, dropping = frame.lanes
    for lane in frame.lanes:
        assert lane.map_shapes == ((4, 4), (6, 2))
        assert lane.probabilities is not None
        np.testing.assert_allclose(lane.probabilities.sum(axis=2), 1, atol=1e-5)
    calm, shaken = plain.feature_maps(1)
    np.testing.assert_array_equal(calm, shaken)  # it drops nothing
    assert dropping.map_kept is not None
    kept = dropping.map_kept[:, :4, None, None]
    calm, shaken = dropping.feature_maps(0)
    np.testing.assert_allclose(shaken, calm * kept / 0.5, rtol=1e-5)
    many = [CNN.replace("training.epochs", 1).replace("training.seed", s) for s in range(7)]
    assert all(lane.maps is None for lane in last_frame(many).lanes)


def test_maps_are_halved_as_torch_halves_them_in_both_modes() -> None:
    with torch.no_grad():
        shape = Shape(64, (3,), 10, "relu", None, "before", kind="cnn")
        network = ConvNetwork(shape, 2, "cpu")
        filled(network)
        x = torch.rand((2, 5, 64), generator=torch.Generator().manual_seed(3))
        assert torch.equal(network.forward(x, train=True), network.forward(x, train=False))


def test_maps_are_halved_down_to_two() -> None:
    assert map_sides(4) == (8, 4, 2, 2, 2)


# --- LSTM -------------------------------------------------------------------------------------


def test_every_lane_of_an_lstm_is_torchs() -> None:
    shape = Shape(20, (7,), 1, "relu", None, "before", kind="lstm", embedding=5)
    with torch.no_grad():
        network = LSTMNetwork(shape, 2, "cpu")
        filled(network)
    p = network.parameters
    tokens = torch.randint(0, 10, (2, 6, 20), generator=torch.Generator().manual_seed(5))
    dlogits = torch.randn((2, 6, 1), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        logits = network.forward(tokens.float(), train=True)
        network.backward(dlogits)
    for lane in range(2):
        theirs: Any = nn.LSTM(5, 7, batch_first=True)
        theirs.weight_ih_l0.data = p["kernel"][lane].T.clone()
        theirs.weight_hh_l0.data = p["recurrent"][lane].T.clone()
        theirs.bias_ih_l0.data = p["kernel.bias"][lane, 0].clone()
        theirs.bias_hh_l0.data.zero_()
        table = p["embedding"][lane].clone().requires_grad_()
        states, _ = theirs(table[tokens[lane]])
        out = states[:, -1] @ p["output"][lane] + p["output.bias"][lane]
        close(logits[lane], out.detach())
        out.backward(dlogits[lane])
        close(p.grad("kernel")[lane].T, theirs.weight_ih_l0.grad)
        close(p.grad("recurrent")[lane].T, theirs.weight_hh_l0.grad)
        close(p.grad("embedding")[lane], table.grad)


def test_recurrent_dropout_is_one_mask_for_the_whole_sequence() -> None:
    with torch.no_grad():
        shape = Shape(20, (6,), 1, "relu", None, "before", kind="lstm", embedding=5)
        network = LSTMNetwork(shape, 1, "cpu")
        filled(network)
        tokens = torch.randint(0, 10, (1, 4, 20), generator=torch.Generator().manual_seed(5))
        dropped = torch.ones(1, 4, 6)
        dropped[:, :, 2] = 0
        network.recurrent_dropout.scale = dropped
        how = Pass(masked=True)
        one = network.compute(network.values, tokens.float(), how)
        # the same as an LSTM whose unit 2 never tells the next step anything
        network.recurrent_dropout.scale = None
        network.values["recurrent"][:, 2] = 0
        other = network.compute(network.values, tokens.float(), Pass())
    close(one, other)


# --- transformer ------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["before", "after"])
def test_every_lane_of_a_transformer_is_torchs_encoder_layer(position: str) -> None:
    shape = Shape(20, (12,), 1, "relu", "layer", position, kind="transformer", embedding=8, heads=2)
    with torch.no_grad():
        network = TransformerNetwork(shape, 2, "cpu")
        filled(network)
    p = network.parameters
    tokens = torch.randint(0, 10, (2, 6, 20), generator=torch.Generator().manual_seed(5))
    dlogits = torch.randn((2, 6, 1), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        logits = network.forward(tokens.float(), train=True)
        network.backward(dlogits)
    for lane in range(2):
        theirs = nn.TransformerEncoderLayer(
            8, 2, 12, dropout=0.0, batch_first=True, norm_first=position == "before"
        )
        attention = theirs.self_attn
        assert attention.in_proj_weight is not None
        pairs = {
            "attention 1": (attention.in_proj_weight, attention.in_proj_bias),
            "projection 1": (attention.out_proj.weight, attention.out_proj.bias),
            "expansion 1": (theirs.linear1.weight, theirs.linear1.bias),
            "contraction 1": (theirs.linear2.weight, theirs.linear2.bias),
        }
        for name, (weight, bias) in pairs.items():
            weight.data = p[name][lane].T.clone()
            bias.data = p[name + ".bias"][lane, 0].clone()
        for name, norm in (("attention 1", theirs.norm1), ("expansion 1", theirs.norm2)):
            norm.weight.data = p[name + ".gamma"][lane, 0].clone()
            norm.bias.data = p[name + ".beta"][lane, 0].clone()
        h = theirs(p["embedding"][lane][tokens[lane]] + p["position"][lane])
        out = h.mean(dim=1) @ p["output"][lane] + p["output.bias"][lane]
        close(logits[lane], out.detach())
        out.backward(dlogits[lane])
        for name, (weight, _) in pairs.items():
            close(p.grad(name)[lane].T, weight.grad)


def test_attention_rows_are_distributions_in_evaluation_only() -> None:
    with torch.no_grad():
        shape = Shape(
            20, (12,), 1, "relu", "layer", "before", kind="transformer", embedding=8, heads=2
        )
        network = TransformerNetwork(shape, 1, "cpu")
        filled(network)
    tokens = make_dataset(DataSpec(kind="order", n_samples=20)).x_val[:3]
    calm = attention_maps(network, 0, tokens)
    assert calm.shape == (3, 1, 2, 20, 20)
    np.testing.assert_allclose(calm.sum(axis=-1), 1, rtol=1e-5)
    generator = torch.Generator().manual_seed(0)
    shaken = attention_maps(network, 0, tokens, p=0.3, generator=generator)
    sums = shaken.sum(axis=-1)
    assert np.abs(sums - 1).max() > 0.05
    assert sums.mean() == pytest.approx(1, abs=0.05)


# --- the invariants of a stack ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_does_not_know_its_neighbours(kind: str) -> None:
    e = KINDS[kind]
    own = {
        "cnn": ("regularization.dropout_kind", "spatial"),
        "lstm": ("regularization.recurrent_dropout", 0.3),
        "transformer": ("regularization.attention_dropout", 0.3),
    }[kind]
    experiments = [
        e,
        e.replace("regularization.dropout", 0.4),
        e.replace(*own).replace("regularization.dropout", 0.2),
        e.replace("regularization.l2", 0.1),
        e.replace("training.seed", 5),
        e.replace("regularization.early_stopping.patience", 1),
        e.replace("training.lr", 0.05),
    ]
    together = fit(experiments)
    for one, result in zip(experiments, together, strict=True):
        (alone,) = fit([one])
        assert alone.status == result.status
        np.testing.assert_allclose(alone.frame.history, result.frame.history, rtol=5e-3, atol=1e-3)
    losses = [r.frame.curve("train_loss")[-1] for r in together]
    assert len({round(float(v), 5) for v in losses[:5]}) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_equal_experiments_give_equal_results(kind: str) -> None:
    e = KINDS[kind].replace("regularization.dropout", 0.3)
    one, two = (fit([e])[0].to_dict() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("kind", KINDS)
def test_a_diverged_lane_leaves_its_neighbour_alone(kind: str) -> None:
    e = KINDS[kind].replace("training.optimizer", "sgd")
    ours, wild = fit([e, e.replace("training.lr", 1e6)])
    (alone,) = fit([e])
    assert (ours.status, wild.status) == ("finished", "diverged")
    np.testing.assert_allclose(alone.frame.history, ours.frame.history, rtol=5e-3, atol=1e-3)
    assert np.isfinite(wild.frame.norms).all()


def test_the_models_learn_their_tasks() -> None:
    cnn = CNN.replace("data.n_samples", 800).replace("training.epochs", 25)
    (result,) = fit([cnn])
    assert result.frame.curve("val_accuracy")[-1] > 0.85
    lstm = LSTM.replace("data.n_samples", 600).replace("training.epochs", 30)
    (result,) = fit([lstm.replace("model.hidden", [16])])
    assert result.frame.curve("train_accuracy")[-1] > 0.8


def test_the_order_data_follow_their_rule() -> None:
    data = make_dataset(DataSpec(kind="order", n_samples=300, noise=0.0))
    x = np.concatenate([data.x_train, data.x_val, data.x_test])
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    assert (np.argmax(x == 0, axis=1) < np.argmax(x == 1, axis=1)).astype(
        int
    ).tolist() == y.tolist()
    assert ((x == 0).sum(axis=1) == 1).all()
