"""Each stacked layer against torch's module and autograd, and against its laws."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from regviz.nn.layers import (
    ALPHA_PRIME,
    Activation,
    BatchNorm,
    Dropout,
    LayerNorm,
    Linear,
    Network,
    Parameters,
    dropout_masks,
    initialize,
)
from regviz.nn.shapes import Shape, layer_names

LANES, BATCH, UNITS = 3, 7, 5


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def random(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator)


def close(a: torch.Tensor, b: torch.Tensor | None) -> None:
    torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("lanes", [1, 3])
def test_linear_is_torchs(lanes: int, outputs: int, generator: torch.Generator) -> None:
    blocks = [("w", (UNITS, outputs), True), ("w.bias", (1, outputs), False)]
    parameters = Parameters(lanes, blocks, "cpu")
    parameters.flat.copy_(random(len(parameters.flat), generator=generator))
    layer = Linear(parameters, "w")
    x = random(lanes, BATCH, UNITS, generator=generator)
    dy = random(lanes, BATCH, outputs, generator=generator)
    y, dx = layer.forward(x, True), layer.backward(dy)
    for lane in range(lanes):
        theirs = nn.Linear(UNITS, outputs)
        theirs.weight.data = parameters["w"][lane].T.clone()
        theirs.bias.data = parameters["w.bias"][lane, 0].clone()
        xt = x[lane].clone().requires_grad_()
        out = theirs(xt)
        out.backward(dy[lane])
        close(y[lane], out.detach())
        close(dx[lane], xt.grad)
        assert theirs.weight.grad is not None
        close(parameters.grad("w")[lane], theirs.weight.grad.T)
        close(parameters.grad("w.bias")[lane, 0], theirs.bias.grad)


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("relu", nn.ReLU()),
        ("tanh", nn.Tanh()),
        ("sigmoid", nn.Sigmoid()),
        ("selu", nn.SELU()),
        ("identity", nn.Identity()),
    ],
)
def test_activations_are_torchs(kind: str, module: nn.Module, generator: torch.Generator) -> None:
    x = 2 * random(LANES, BATCH, UNITS, generator=generator)
    dy = random(LANES, BATCH, UNITS, generator=generator)
    xt = x.clone().requires_grad_()
    out = module(xt)
    out.backward(dy)
    layer = Activation(kind)
    close(layer.forward(x.clone(), True), out.detach())
    close(layer.backward(dy), xt.grad)


@pytest.mark.parametrize("batch", [2, BATCH])
def test_batch_norm_is_torchs_in_training_and_evaluation(
    batch: int, generator: torch.Generator
) -> None:
    blocks = [("h.gamma", (1, UNITS), False), ("h.beta", (1, UNITS), False)]
    parameters = Parameters(LANES, [("w", (1, 1), True), *blocks], "cpu")
    parameters.flat.copy_(random(len(parameters.flat), generator=generator))
    running = torch.zeros(LANES, 2, UNITS)
    running[:, 1] = 1
    layer = BatchNorm(parameters, "h", running)
    theirs = []
    for lane in range(LANES):
        module = nn.BatchNorm1d(UNITS)
        module.weight.data = parameters["h.gamma"][lane, 0].clone()
        module.bias.data = parameters["h.beta"][lane, 0].clone()
        theirs.append(module)
    for _ in range(3):  # running statistics build up over batches
        x = 1 + 2 * random(LANES, batch, UNITS, generator=generator)
        dy = random(LANES, batch, UNITS, generator=generator)
        y, dx = layer.forward(x, True), layer.backward(dy)
        for lane, module in enumerate(theirs):
            module.zero_grad()
            xt = x[lane].clone().requires_grad_()
            out = module(xt)
            out.backward(dy[lane])
            close(y[lane], out.detach())
            torch.testing.assert_close(dx[lane], xt.grad, rtol=1e-3, atol=1e-4)
            close(parameters.grad("h.gamma")[lane, 0], module.weight.grad)
            close(parameters.grad("h.beta")[lane, 0], module.bias.grad)
            close(running[lane, 0], module.running_mean)
            close(running[lane, 1], module.running_var)
    x = random(LANES, BATCH, UNITS, generator=generator)
    y = layer.forward(x, False)
    for lane, module in enumerate(theirs):
        close(y[lane], module.eval()(x[lane]).detach())


def test_batch_norm_of_one_sample_is_beta_and_teaches_nothing() -> None:
    network = Network(Shape(2, (4,), 1, "identity", "batch", "before"), 1, "cpu")
    norm = next(layer for layer in network.layers if isinstance(layer, BatchNorm))
    norm.beta.fill_(0.7)
    before = norm.running.clone()
    y = norm.forward(torch.randn(1, 1, 4, generator=torch.Generator().manual_seed(1)), True)
    close(y, torch.full_like(y, 0.7))
    assert torch.equal(norm.running, before)  # one sample has no variance to remember
    assert not norm.backward(torch.ones_like(y)).any()


def test_layer_norm_is_torchs(generator: torch.Generator) -> None:
    blocks = [("h.gamma", (1, UNITS), False), ("h.beta", (1, UNITS), False)]
    parameters = Parameters(LANES, [("w", (1, 1), True), *blocks], "cpu")
    parameters.flat.copy_(random(len(parameters.flat), generator=generator))
    layer = LayerNorm(parameters, "h")
    x = random(LANES, BATCH, UNITS, generator=generator)
    dy = random(LANES, BATCH, UNITS, generator=generator)
    y, dx = layer.forward(x, True), layer.backward(dy)
    for lane in range(LANES):
        module = nn.LayerNorm(UNITS)
        module.weight.data = parameters["h.gamma"][lane, 0].clone()
        module.bias.data = parameters["h.beta"][lane, 0].clone()
        xt = x[lane].clone().requires_grad_()
        out = module(xt)
        out.backward(dy[lane])
        close(y[lane], out.detach())
        torch.testing.assert_close(dx[lane], xt.grad, rtol=1e-3, atol=1e-5)
        close(parameters.grad("h.gamma")[lane, 0], module.weight.grad)
        close(parameters.grad("h.beta")[lane, 0], module.bias.grad)
    close(layer.forward(x, False), y)


# --- dropout ----------------------------------------------------------------------------------


def test_inverted_dropout_keeps_the_mean_and_has_the_known_variance(
    generator: torch.Generator,
) -> None:
    n = 400_000
    x = 1.7
    for p in (0.1, 0.5, 0.8):
        u = torch.rand(1, n, 1, generator=generator)
        scale, shift = dropout_masks(u, torch.tensor([p]), "standard")
        assert shift is None
        y = x * scale
        variance = x**2 * p / (1 - p)
        assert abs(float(y.mean()) - x) < 5 * math.sqrt(variance / n)
        assert abs(float(y.var()) / variance - 1) < 0.02
        kept = scale[scale != 0]
        close(kept, torch.full_like(kept, 1 / (1 - p)))


def test_dropout_of_zero_is_the_identity_exactly(generator: torch.Generator) -> None:
    u = torch.rand(1, 1000, 3, generator=generator)
    for kind in ("standard", "alpha"):
        scale, shift = dropout_masks(u, torch.tensor([0.0]), kind)
        assert bool((scale == 1).all())
        assert shift is None or bool((shift == 0).all())


def test_more_dropout_drops_a_superset(generator: torch.Generator) -> None:
    u = torch.rand(1, 50, 8, generator=generator)
    scale, _ = dropout_masks(u, torch.tensor([0.2, 0.5, 0.9]), "standard")
    dropped = scale == 0
    for less, more in itertools.pairwise(dropped):
        assert not (less & ~more).any()


def test_alpha_dropout_keeps_mean_0_and_variance_1(generator: torch.Generator) -> None:
    n = 400_000
    x = torch.selu(torch.randn(1, n, 1, generator=generator))
    for p in (0.1, 0.5):
        u = torch.rand(1, n, 1, generator=generator)
        scale, shift = dropout_masks(u, torch.tensor([p]), "alpha")
        assert shift is not None
        y = x * scale + shift
        assert abs(float(y.mean())) < 0.01
        assert abs(float(y.var()) - 1) < 0.02
    # the affine correction as torch's AlphaDropout has it: two values for a constant input
    q = 1 - 0.5
    a = (q + ALPHA_PRIME**2 * q * (1 - q)) ** -0.5
    b = -a * (1 - q) * ALPHA_PRIME
    scale, shift = dropout_masks(torch.tensor([[[0.1], [0.9]]]), torch.tensor([0.5]), "alpha")
    assert shift is not None
    close((3.0 * scale + shift).flatten(), torch.tensor([a * ALPHA_PRIME + b, a * 3.0 + b]))
    module = nn.AlphaDropout(0.5)
    seen = module(torch.full((2000,), 3.0)).unique()
    close(seen, torch.tensor(sorted([a * ALPHA_PRIME + b, a * 3.0 + b])))


def test_dropout_is_off_in_evaluation_and_backward_uses_the_same_mask(
    generator: torch.Generator,
) -> None:
    drop = Dropout()
    x = random(LANES, BATCH, UNITS, generator=generator)
    u = torch.rand(LANES, BATCH, UNITS, generator=generator)
    for kind in ("standard", "alpha"):
        drop.scale, drop.shift = dropout_masks(u, torch.full((LANES,), 0.5), kind)
        assert drop.forward(x, False) is x
        xt = x.clone().requires_grad_()
        drop.forward(xt, True).backward(x)
        close(drop.backward(x), xt.grad)


# --- whole networks ---------------------------------------------------------------------------


def autograd_twin(network: Network, lane: int, x: torch.Tensor) -> torch.Tensor:
    """Compute one lane's logits with torch's functions from leaf copies of its parameters."""
    shape = network.shape
    f = torch.nn.functional
    h = x
    leaves = {}
    for name in network.parameters.slices:
        leaves[name] = network.parameters[name][lane].clone().requires_grad_()
    activations = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "selu": torch.selu,
        "identity": lambda v: v,
    }

    def norm(v: torch.Tensor, name: str) -> torch.Tensor:
        gamma, beta = leaves[name + ".gamma"][0], leaves[name + ".beta"][0]
        if shape.norm == "batch":
            return f.batch_norm(v, None, None, gamma, beta, training=True)
        return f.layer_norm(v, (v.shape[1],), gamma, beta)

    for name, drop in zip(layer_names(shape)[:-1], network.dropouts, strict=True):
        h = h @ leaves[name]
        if name + ".bias" in leaves:
            h = h + leaves[name + ".bias"]
        if shape.norm and shape.norm_position == "before":
            h = norm(h, name)
        h = activations[shape.activation](h)
        if shape.norm and shape.norm_position == "after":
            h = norm(h, name)
        if drop.scale is not None:
            h = h * drop.scale[lane]
    out = h @ leaves["output"] + leaves["output.bias"]
    network.leaves = leaves  # type: ignore[attr-defined]
    return out


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 4, 5)])
def test_whole_backward_pass_against_autograd(
    norm: str | None,
    position: str,
    activation: str,
    hidden: tuple[int, ...],
    generator: torch.Generator,
) -> None:
    network = Network(Shape(2, hidden, 3, activation, norm, position), LANES, "cpu")
    flat = network.parameters.flat
    flat.add_(0.5 * random(len(flat), generator=generator))
    for drop in network.dropouts:
        width = hidden[network.dropouts.index(drop)]
        u = torch.rand(1, BATCH, width, generator=generator)
        drop.scale, _ = dropout_masks(u, torch.tensor([0.0, 0.3, 0.6]), "standard")
    x = random(LANES, BATCH, 2, generator=generator)
    dlogits = random(LANES, BATCH, 3, generator=generator)
    logits = network.forward(x, train=True)
    network.backward(dlogits)
    for lane in range(LANES):
        expected = autograd_twin(network, lane, x[lane])
        torch.testing.assert_close(logits[lane], expected.detach(), rtol=1e-4, atol=1e-5)
        expected.backward(dlogits[lane])
        for name, leaf in network.leaves.items():  # type: ignore[attr-defined]
            got = network.parameters.grad(name)[lane]
            torch.testing.assert_close(got, leaf.grad, rtol=1e-3, atol=2e-4)


def test_only_a_layer_right_before_batch_norm_has_no_bias() -> None:
    for norm, position, biases in (
        ("batch", "before", 1),
        ("batch", "after", 3),
        ("layer", "before", 3),
        (None, "before", 3),
    ):
        network = Network(Shape(2, (3, 3), 1, "relu", norm, position), 1, "cpu")
        assert sum(name.endswith(".bias") for name in network.parameters.slices) == biases


def test_batch_norm_makes_the_function_blind_to_the_scale_of_the_weights() -> None:
    shape = Shape(2, (8,), 1, "relu", "batch", "before")
    network = Network(shape, 2, "cpu")
    generators = [torch.Generator().manual_seed(i) for i in range(2)]
    initialize(network.parameters, 0, shape, generators)
    for name in network.parameters.slices:
        network.parameters[name][1] = network.parameters[name][0]
    network.parameters["hidden 1"][1] *= 7
    x = torch.randn(1, 64, 2, generator=generators[0]).expand(2, -1, -1)
    y = network.forward(x, train=True)
    torch.testing.assert_close(y[0], y[1], rtol=1e-3, atol=1e-3)


def test_pieces_of_an_evaluation_are_the_whole(generator: torch.Generator) -> None:
    network = Network(Shape(2, (512,), 1, "tanh", None, "before"), 4, "cpu")
    network.parameters.flat.copy_(random(len(network.parameters.flat), generator=generator))
    x = random(4, 300, 2, generator=generator)
    close(network.evaluate(x), network.forward(x, train=False))


@pytest.mark.parametrize("activation", ["relu", "selu"])
def test_initial_weights_have_the_stated_spread(activation: str) -> None:
    shape = Shape(100, (400,), 1, activation, None, "before")
    network = Network(shape, 1, "cpu")
    initialize(network.parameters, 0, shape, [torch.Generator().manual_seed(i) for i in (1, 2)])
    w = network.parameters["hidden 1"]
    if activation == "selu":
        assert abs(float(w.std()) - 0.1) < 0.003
        assert not network.parameters["hidden 1.bias"].any()
    else:
        assert float(w.abs().max()) <= 0.1
        assert abs(float(w.std()) - 0.1 / math.sqrt(3)) < 0.002
        assert float(network.parameters["hidden 1.bias"].abs().max()) <= 0.1


def test_selected_lanes_are_copies() -> None:
    network = Network(Shape(2, (3,), 1, "relu", "batch", "before"), 4, "cpu")
    network.parameters.flat.copy_(torch.arange(float(len(network.parameters.flat))))
    network.running[0].copy_(torch.arange(24.0).view(4, 2, 3))
    some = network.select([3, 1])
    for name in network.parameters.slices:
        assert torch.equal(some.parameters[name], network.parameters[name][[3, 1]])
    assert torch.equal(some.running[0], network.running[0][[3, 1]])
    some.parameters.flat.zero_()
    assert float(network.parameters["hidden 1"].sum()) > 0
