from __future__ import annotations

import pytest

from regviz.layers import Network, Shape
from regviz.limits import Limits, parameter_count
from regviz.specs import Experiment, SpecError


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
    count = parameter_count(e)
    limits = Limits(epochs=7, parameters=count, lanes=2, total_parameters=2 * count)
    limits.check([e, e])
    with pytest.raises(SpecError, match=r"training\.epochs"):
        limits.check([e.replace("training.epochs", 8)])
    with pytest.raises(SpecError, match="model"):
        limits.check([e.replace("model.hidden", [64, 65])])


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("hidden", [(), (5,), (7, 3)])
@pytest.mark.parametrize(("kind", "inputs", "outputs"), [("moons", 2, 1), ("digits", 64, 10)])
def test_parameter_count_is_the_network_s(
    norm: str | None, position: str, hidden: tuple[int, ...], kind: str, inputs: int, outputs: int
) -> None:
    e = Experiment.from_dict(
        {
            "data": {"kind": kind, "irrelevant_features": 4},
            "model": {"hidden": list(hidden), "norm": norm, "norm_position": position},
        }
    )
    network = Network(Shape(inputs + 4, hidden, outputs, "relu", norm, position), 1, "cpu")
    assert parameter_count(e) == network.parameters.flat.numel()


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
