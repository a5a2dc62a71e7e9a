from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import torch
from torch import nn

from regviz.data.datasets import make_dataset
from regviz.engine.limits import Limits
from regviz.nn.shapes import Shape, parameter_count
from regviz.specs import (
    DATA_KINDS,
    MODEL_KINDS,
    NORM_POSITIONS,
    NORMS,
    OWN_KIND,
    Experiment,
    SpecError,
)
from regviz.training.run import Run


def test_defaults_allow_what_the_pages_offer() -> None:
    plain = Experiment()
    Limits().check([plain] * 64)
    Limits().check([plain.replace("model.hidden", [256, 512, 256])] * 2)


@pytest.mark.parametrize(
    ("experiments", "words"),
    [
        ([], ("experiments", "got 0", "1,024")),
        ([Experiment()] * 1025, ("experiments", "got 1025", "1,024")),
        ([Experiment().replace("training.epochs", 5001)], ("training.epochs", "5,001", "5,000")),
        (
            [Experiment(), Experiment().replace("model.hidden", [4096, 4096])],
            ("model.hidden", "[4096, 4096]", "16,797,697", "2,000,000"),
        ),
        (
            [Experiment().replace("model.hidden", [1024, 1024])] * 10,
            ("experiments", "10 models", "10,536,970", "10,000,000"),
        ),
    ],
)
def test_each_limit_is_one_sentence_with_field_value_and_limit(
    experiments: list[Experiment], words: tuple[str, ...]
) -> None:
    with pytest.raises(SpecError) as caught:
        Limits().check(experiments)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.endswith(".")
    assert "\n" not in message


def test_exactly_the_limit_is_allowed() -> None:
    e = Experiment().replace("training.epochs", 7)
    count = parameter_count(Shape.of(e))
    limits = Limits(epochs=7, parameters=count, lanes=2, total_parameters=2 * count)
    limits.check([e, e])
    with pytest.raises(SpecError, match=r"training\.epochs"):
        limits.check([e.replace("training.epochs", 8)])
    with pytest.raises(SpecError, match="model"):
        limits.check([e.replace("model.hidden", [64, 65])])


def own(classes: int) -> dict[str, Any]:
    """Return own data of ``classes`` classes, four points each."""
    return {"kind": "csv", "points": [[i, i % 3, i % classes] for i in range(max(4 * classes, 10))]}


MODELS: list[dict[str, Any]] = [
    *({"hidden": hidden} for hidden in ([], [5], [7, 3])),
    *({"kind": "cnn", "hidden": hidden} for hidden in ([4], [3, 5], [2, 3, 4, 5])),
    *({"kind": "lstm", "hidden": [6], "embedding": width} for width in (4, 8)),
    *({"kind": "transformer", "hidden": hidden, "embedding": 6} for hidden in ([5], [4, 7])),
]
DATA: list[dict[str, Any]] = [
    *({"kind": kind} for kind in DATA_KINDS),
    *({"kind": kind, "irrelevant_features": 4} for kind in ("linear", "digits")),
    *(own(classes) for classes in (2, 3, 7, 10)),
    own(3) | {"irrelevant_features": 4},
]


def every_network() -> list[Experiment]:
    """Return an experiment for each data set, kind of model, norm and position that go together."""
    found = []
    for data, model, norm, position in itertools.product(
        DATA, MODELS, (None, *NORMS), NORM_POSITIONS
    ):
        whole = {"data": data, "model": model | {"norm": norm, "norm_position": position}}
        with contextlib.suppress(SpecError):
            found.append(Experiment.from_dict(whole))
    return found


def torchs_count(e: Experiment) -> int:
    """Return the parameters of the same network made of torch's own modules, for its data set."""
    data, model = make_dataset(e.data), e.model
    inputs, outputs = data.x_train.shape[1], 1 if data.n_classes == 2 else data.n_classes
    hidden, width = model.hidden, model.embedding
    bias = (model.norm, model.norm_position) != ("batch", "before")
    layers: list[nn.Module] = []
    if model.kind == "mlp":
        for units in hidden:
            layers.append(nn.Linear(inputs, units, bias))
            if model.norm is not None:
                layers.append(nn.BatchNorm1d(units))
            inputs = units
        layers.append(nn.Linear(inputs, outputs))
    elif model.kind == "cnn":
        x = torch.zeros(1, 1, 8, 8)
        for channels in hidden:
            conv = nn.Conv2d(x.shape[1], channels, 3, padding=1, bias=bias)
            layers.append(conv)
            if model.norm is not None:
                layers.append(nn.BatchNorm2d(channels))
            x = conv(x)
            x = nn.functional.max_pool2d(x, 2) if x.shape[2] > 2 else x
        layers.append(nn.Linear(x.numel(), outputs))
    elif model.kind == "lstm":
        lstm = nn.LSTM(width, hidden[0])
        lstm.bias_hh_l0 = None  # one bias here
        layers = [nn.Embedding(10, width), lstm, nn.Linear(hidden[0], outputs)]
    else:
        layers = [nn.Embedding(10, width), nn.Embedding(inputs, width)]
        for units in hidden:
            block = nn.TransformerEncoderLayer(width, model.heads, units)
            if model.norm is None:
                del block.norm1, block.norm2
            layers.append(block)
        layers.append(nn.Linear(width, outputs))
    return sum(p.numel() for layer in layers for p in layer.parameters())


def test_parameter_count_is_the_trained_network_s_and_torchs() -> None:
    walked = every_network()
    assert {e.model.kind for e in walked} == set(MODEL_KINDS)
    assert {e.data.kind for e in walked} == {*DATA_KINDS, OWN_KIND}
    assert {e.data.n_classes for e in walked} == {2, 3, 7, 10}
    for e in walked:
        network = Run([e])._parts[0].stack.network
        count = parameter_count(Shape.of(e))
        assert count == network.parameters.flat.numel(), (e.model, e.data.kind)
        assert count == torchs_count(e), (e.model, e.data.kind)


def test_own_data_has_an_output_for_each_of_more_than_two_classes() -> None:
    three = Experiment.from_dict({"data": own(3), "model": {"hidden": [8]}})
    two = Experiment.from_dict({"data": own(2), "model": {"hidden": [8]}})
    assert (parameter_count(Shape.of(three)), parameter_count(Shape.of(two))) == (51, 33)
    # in one job, too, where equal shapes are counted once
    with pytest.raises(SpecError, match="84"):
        Limits(total_parameters=83).check([two, three])
    Limits(total_parameters=84).check([two, three])


def test_the_environment_sets_limits() -> None:
    limits = Limits.from_environment(
        {
            "REGVIZ_MAX_EPOCHS": "12",
            "REGVIZ_MAX_PARAMETERS": "30000000",
            "REGVIZ_MAX_SECONDS": "1.5",
        }
    )
    assert (limits.epochs, limits.parameters, limits.seconds) == (12, 30_000_000, 1.5)
    assert limits.total_parameters == 60_000_000
    assert Limits.from_environment({}) == Limits.from_environment({"REGVIZ_MAX_EPOCHS": " "})
    assert Limits.from_environment({}) == Limits()


@pytest.mark.parametrize("text", ["many", "0", "-3", "1.5", "1e3"])
def test_a_bad_variable_is_named(text: str) -> None:
    with pytest.raises(SpecError, match="REGVIZ_MAX_EPOCHS: got"):
        Limits.from_environment({"REGVIZ_MAX_EPOCHS": text})


@pytest.mark.parametrize("text", ["nan", "inf", "0", "soon"])
def test_seconds_are_a_finite_number(text: str) -> None:
    with pytest.raises(SpecError, match="REGVIZ_MAX_SECONDS: got"):
        Limits.from_environment({"REGVIZ_MAX_SECONDS": text})
