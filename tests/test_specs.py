"""Experiments: round trips, and refusal of invalid ones in one sentence."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regviz.specs import (
    ACTIVATIONS,
    DATA_KINDS,
    NORM_POSITIONS,
    NORMS,
    OPTIMIZERS,
    SEQUENCE_KINDS,
    AugmentationSpec,
    Experiment,
    SpecError,
    batch_ends,
    canonical_key,
    experiments_from_json,
    experiments_to_json,
    field_names,
    from_link,
    to_link,
)

CONTRACT = json.loads(
    """
{"data": {"kind": "moons", "n_samples": 500, "noise": 0.3, "label_noise": 0.0,
          "irrelevant_features": 0, "val_fraction": 0.3, "seed": 42},
 "model": {"kind": "mlp", "hidden": [64, 64], "activation": "relu", "norm": null,
           "norm_position": "before"},
 "regularization": {"dropout": 0.0, "dropout_kind": "standard", "input_dropout": 0.0, "l1": 0.0,
           "l2": 0.0, "weight_decay": 0.0, "label_smoothing": 0.0, "input_noise": 0.0,
           "early_stopping": null},
 "training": {"optimizer": "adam", "lr": 0.001, "batch_size": 32, "epochs": 300, "seed": 0}}
"""
)


def assert_one_sentence(text: str, field: str) -> None:
    """Check that a text is one line that ends in a full stop and names the field."""
    assert field in text
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 400


# --- strategies --------------------------------------------------------------------------------


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """Draw any valid experiment."""

    def real(low: float, high: float, *, below: bool = False) -> float:
        return draw(st.floats(low, high, exclude_max=below))

    hidden = draw(st.lists(st.integers(1, 4096), max_size=8))
    rate = st.floats(0, 1, exclude_max=True)
    rates = st.lists(rate, min_size=len(hidden), max_size=len(hidden))
    stopping = st.fixed_dictionaries(
        {},
        optional={
            "patience": st.integers(0, 100_000),
            "min_delta": st.floats(0, 1000),
            "restore_best_weights": st.booleans(),
        },
    )
    norm = draw(st.none() | st.sampled_from(NORMS))
    # what goes with which network is a table of its own, below
    kind = draw(st.sampled_from([k for k in DATA_KINDS if k not in SEQUENCE_KINDS]))
    return Experiment.from_dict(
        {
            "data": {
                "kind": kind,
                "n_samples": draw(st.integers(20, 1700 if kind == "digits" else 20_000)),
                "noise": real(0, 10),
                "label_noise": real(0, 0.5),
                "irrelevant_features": draw(st.integers(0, 200)),
                "val_fraction": real(0.05, 0.9),
                "seed": draw(st.integers(0, 2**31 - 1)),
            },
            "model": {
                "hidden": hidden,
                "activation": draw(st.sampled_from(ACTIVATIONS)),
                "norm": norm,
                "norm_position": draw(st.sampled_from(NORM_POSITIONS)),
                "init_scale": real(0, 1000),
            },
            "regularization": {
                "dropout": draw(rate | rates),
                "dropout_kind": draw(st.sampled_from(["standard", "alpha"])),
                "input_dropout": draw(rate),
                "l1": real(0, 1e6),
                "l2": real(0, 1e6),
                "weight_decay": real(0, 1e6),
                "label_smoothing": draw(rate),
                "input_noise": real(0, 100),
                "early_stopping": draw(st.none() | stopping),
            },
            "training": {
                "optimizer": draw(st.sampled_from(OPTIMIZERS)),
                "lr": real(0, 1e6),
                "batch_size": draw(st.none() | st.integers(2 if norm == "batch" else 1, 100_000)),
                "epochs": draw(st.integers(1, 100_000)),
                "seed": draw(st.integers(0, 2**31 - 1)),
                "momentum": draw(rate),
            },
        }
    )


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0, 1, 2**63])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*DATA_KINDS, *ACTIVATIONS, *OPTIMIZERS])
)
names = st.sampled_from([part for name in field_names() for part in name.split(".")])
keys = names | st.text(max_size=10)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@st.composite
def almost_experiments(draw: st.DrawFn) -> Any:
    """Draw the contract's file with one field (or group) replaced by any value."""
    document = json.loads(json.dumps(CONTRACT))
    path = draw(st.sampled_from([*field_names(), *CONTRACT])).split(".")
    at = document
    for name in path[:-1]:
        if at.get(name) is None:
            at[name] = {}
        at = at[name]
    at[path[-1]] = draw(json_values)
    return document


# --- the contract ------------------------------------------------------------------------------


def test_the_defaults_are_the_contracts() -> None:
    assert Experiment().to_dict() == CONTRACT
    assert Experiment.from_dict({}) == Experiment.from_dict(CONTRACT) == Experiment()


def test_every_field_can_be_left_out_alone() -> None:
    for group, fields in CONTRACT.items():
        for name in fields:
            mapping = json.loads(json.dumps(CONTRACT))
            del mapping[group][name]
            assert Experiment.from_dict(mapping) == Experiment()


def test_experiments_are_frozen_and_hashable() -> None:
    experiment = Experiment()
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.data.noise = 1.0  # type: ignore[misc]
    assert {experiment: 1}[Experiment()] == 1


def test_split_sizes_add_up() -> None:
    experiment = Experiment.from_dict({"data": {"n_samples": 500, "val_fraction": 0.3}})
    assert (experiment.n_train, experiment.n_val) == (350, 150)


# --- round trips -------------------------------------------------------------------------------


@given(experiments())
def test_json_brings_back_the_experiment(experiment: Experiment) -> None:
    assert experiments_from_json(experiments_to_json([experiment])) == (experiment,)
    assert experiments_from_json(experiment.canonical_json()) == (experiment,)


@given(st.lists(experiments(), min_size=2, max_size=3))
def test_a_file_holds_several(several: list[Experiment]) -> None:
    text = experiments_to_json(several)
    assert set(json.loads(text)) == {"experiments"}
    assert list(experiments_from_json(text)) == several
    assert list(experiments_from_json(text.encode("utf-8-sig"))) == several


@given(experiments())
def test_a_link_brings_back_the_experiment(experiment: Experiment) -> None:
    link = to_link(experiment)
    assert from_link(link) == experiment
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in link)


@given(experiments(), experiments())
def test_equal_experiments_and_only_they_share_a_canonical_text(
    one: Experiment, other: Experiment
) -> None:
    assert (one == other) == (one.canonical_json() == other.canonical_json())
    copy = Experiment.from_dict(one.to_dict())
    assert copy == one
    assert copy.canonical_json() == one.canonical_json()
    assert canonical_key([one, other]) != canonical_key([one])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"data": {"noise": 1}}, {"data": {"noise": 1.0}}),
        ({"data": {"noise": 0}}, {"data": {"noise": -0.0}}),
        ({"model": {"hidden": [3]}}, {"model": {"hidden": (3,)}}),
        ({}, {"training": {}, "model": {"norm": None}}),
        ({}, {"regularization": {"augmentation": {"degrees": 0}}}),
    ],
)
def test_two_spellings_of_one_experiment_have_one_text(one: Any, other: Any) -> None:
    first, second = Experiment.from_dict(one), Experiment.from_dict(other)
    assert first.canonical_json() == second.canonical_json()
    assert hash(first) == hash(second)


# --- replace, as the command line uses it ------------------------------------------------------


def test_replace_sets_any_field_by_its_path() -> None:
    base = Experiment()
    assert base.replace("data.noise", 0.1).data.noise == 0.1
    assert base.replace("model.hidden", [8]).model.hidden == (8,)
    stopping = base.replace("regularization.early_stopping.patience", 3)
    assert stopping.regularization.early_stopping is not None
    assert stopping.regularization.early_stopping.patience == 3
    turned = base.replace("data.kind", "digits").replace("regularization.augmentation.degrees", 9)
    assert turned.regularization.augmentation == AugmentationSpec(degrees=9)
    upright = turned.replace("regularization.augmentation.degrees", 0)
    assert upright == base.replace("data.kind", "digits")
    assert base == Experiment()


@given(experiments())
def test_replacing_a_field_by_its_own_value_changes_nothing(experiment: Experiment) -> None:
    for path in field_names():
        value: Any = experiment
        for name in path.split("."):
            value = getattr(value, name, None)
        if "early_stopping" not in path and "augmentation" not in path:
            value = list(value) if isinstance(value, tuple) else value
            assert experiment.replace(path, value) == experiment


@pytest.mark.parametrize("path", ["", "data", "data.nois", "noise", "data.noise.x", "a.b.c", "."])
def test_replace_refuses_a_wrong_path(path: str) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment().replace(path, 1)
    assert "no such field" in str(caught.value) or "got 1" in str(caught.value)
    assert str(caught.value).startswith(path)


def test_the_twin_has_no_regularization_and_is_else_the_same() -> None:
    mapping = {"regularization": {"l1": 1, "dropout": [0.1, 0.2], "early_stopping": {}}}
    experiment = Experiment.from_dict(mapping)
    twin = experiment.without_regularization()
    assert experiment.regularization.any
    assert not twin.regularization.any
    assert twin == Experiment()


# --- bad input ---------------------------------------------------------------------------------

BAD: list[tuple[Any, str]] = [
    ({"data": {"colour": 1}}, "data.colour"),
    ({"dada": {}}, "dada"),
    ({"regularization": {"early_stopping": {"patients": 3}}},
     "regularization.early_stopping.patients"),
    ({"data": {"noise": "much"}}, "data.noise"),
    ({"data": {"noise": True}}, "data.noise"),
    ({"data": {"noise": None}}, "data.noise"),
    ({"data": {"noise": math.nan}}, "data.noise"),
    ({"data": {"noise": math.inf}}, "data.noise"),
    ({"training": {"lr": math.nan}}, "training.lr"),
    ({"training": {"lr": 10**400}}, "training.lr"),
    ({"training": {"lr": -1}}, "training.lr"),
    ({"regularization": {"dropout": 1}}, "regularization.dropout"),
    ({"regularization": {"dropout": [0.5, 1.0]}}, "regularization.dropout[1]"),
    ({"regularization": {"dropout": [0.5]}}, "regularization.dropout"),
    ({"regularization": {"dropout": "0.5"}}, "regularization.dropout"),
    ({"regularization": {"dropout": {}}}, "regularization.dropout"),
    ({"regularization": {"l1": -0.1}}, "regularization.l1"),
    ({"regularization": {"l2": -1e-9}}, "regularization.l2"),
    ({"regularization": {"weight_decay": -1}}, "regularization.weight_decay"),
    ({"regularization": {"early_stopping": {"patience": 1.5}}},
     "regularization.early_stopping.patience"),
    ({"regularization": {"early_stopping": True}}, "regularization.early_stopping"),
    ({"regularization": {"augmentation": {"degrees": 181}}}, "regularization.augmentation.degrees"),
    ({"regularization": {"augmentation": {"scale": 1}}}, "regularization.augmentation.scale"),
    ({"regularization": {"augmentation": {"turn": 1}}}, "regularization.augmentation.turn"),
    ({"regularization": {"augmentation": {"degrees": 9}}}, "regularization.augmentation"),
    ({"data": {"n_samples": 0}}, "data.n_samples"),
    ({"data": {"n_samples": 500.0}}, "data.n_samples"),
    ({"data": {"n_samples": True}}, "data.n_samples"),
    ({"data": {"n_samples": 10, "val_fraction": 0.9}}, "data.val_fraction"),
    ({"data": {"kind": "digits", "n_samples": 5000}}, "data.n_samples"),
    ({"data": {"kind": "cats"}}, "data.kind"),
    ({"data": {"kind": ["moons"]}}, "data.kind"),
    ({"data": []}, "data"),
    ({"model": {"hidden": [1_000_000]}}, "model.hidden[0]"),
    ({"model": {"hidden": [8] * 1000}}, "model.hidden"),
    ({"model": {"hidden": 64}}, "model.hidden"),
    ({"model": {"hidden": "64"}}, "model.hidden"),
    ({"model": {"hidden": [[64]]}}, "model.hidden[0]"),
    ({"training": {"epochs": 0}}, "training.epochs"),
    ({"training": {"batch_size": 0}}, "training.batch_size"),
    ({"training": {"optimizer": "lion"}}, "training.optimizer"),
    ({"training": {"seed": -1}}, "training.seed"),
    ({"experiments": []}, "experiments"),
    ({"experiments": {}}, "experiments"),
    ({"experiments": [{}] * 5000}, "experiments"),
    ({"experiments": [{}], "data": {}}, "data"),
    ({"experiments": [{}, {"data": {"noise": -1}}]}, "experiments[1]: data.noise"),
    ([], "experiment"),
    (None, "experiment"),
    (3, "experiment"),
    ("moons", "experiment"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "field"), BAD)
def test_bad_input_is_refused_in_one_sentence_that_names_the_field(
    document: Any, field: str
) -> None:
    with pytest.raises(SpecError) as caught:
        experiments_from_json(json.dumps(document))
    assert str(caught.value).startswith(f"{field}: ")
    assert_one_sentence(str(caught.value), field)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{'data': {}}", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"PK\x03\x04\x00", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"data": {"seed": ' + "9" * 5000 + "}}", "too long"),
        ('{"data": {"noise": 0, "noise": 1}}', "noise: given twice"),
    ],
)
def test_text_that_is_no_experiment_is_refused_in_one_sentence(text: str | bytes, why: str) -> None:
    with pytest.raises(SpecError) as caught:
        experiments_from_json(text)
    assert_one_sentence(str(caught.value), why)


def read_or_refusal(text: str | bytes) -> tuple[Experiment, ...] | str:
    """Read experiments; return them or the error sentence. Other exceptions propagate."""
    try:
        return experiments_from_json(text)
    except SpecError as error:
        return str(error)


@given(json_values | almost_experiments())
@example({"experiments": [{"experiments": []}]})
@example({"data": {"kind": "\ud800"}})
def test_whatever_the_json_only_the_documented_error_comes_out(document: Any) -> None:
    read = read_or_refusal(json.dumps(document))
    if isinstance(read, str):
        assert_one_sentence(read, ": ")
    else:
        assert experiments_from_json(experiments_to_json(read)) == read


@given(st.text() | st.binary())
def test_whatever_the_text_only_the_documented_error_comes_out(text: str | bytes) -> None:
    read = read_or_refusal(text)
    if isinstance(read, str):
        assert_one_sentence(read, "")
    else:
        assert all(isinstance(experiment, Experiment) for experiment in read)


# --- links that were cut or changed ------------------------------------------------------------


@given(experiments())
def test_a_link_cut_anywhere_is_refused(experiment: Experiment) -> None:
    link = to_link(experiment)
    for length in range(len(link)):
        try:
            read = from_link(link[:length])
        except SpecError:
            continue
        # the last character's spare bits may carry nothing; then nothing is misread
        assert read == experiment


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_a_link_of_anything_is_read_or_refused(link: str) -> None:
    try:
        read = from_link(link)
    except SpecError as error:
        refusal = str(error)
    else:
        assert isinstance(read, Experiment)
        return
    assert_one_sentence(refusal, "")


@given(experiments(), st.data())
def test_a_link_with_one_character_changed_is_never_misread(
    experiment: Experiment, data: st.DataObject
) -> None:
    link = to_link(experiment)
    place = data.draw(st.integers(0, len(link) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_"))
    try:
        read = from_link(link[:place] + other + link[place + 1 :])
    except SpecError:
        return
    assert read == experiment


def test_a_link_that_would_unpack_to_a_bomb_is_refused() -> None:
    import base64
    import zlib

    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000)).decode().rstrip("=")
    with pytest.raises(SpecError):
        from_link(bomb)
    with pytest.raises(SpecError):
        from_link("A" * 1_000_000)


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"model": {"kind": "cnn"}}, "model.kind"),
        ({"data": {"kind": "digits"}, "model": {"kind": "lstm"}}, "model.kind"),
        ({"data": {"kind": "order"}}, "model.kind"),
        ({"regularization": {"dropout_kind": "spatial"}}, "regularization.dropout_kind"),
        ({"regularization": {"recurrent_dropout": 0.2}}, "regularization.recurrent_dropout"),
        ({"regularization": {"attention_dropout": 0.2}}, "regularization.attention_dropout"),
        ({"regularization": {"augmentation": {"degrees": 9}}}, "regularization.augmentation"),
        (
            {
                "data": {"kind": "digits", "irrelevant_features": 3},
                "regularization": {"augmentation": {"horizontal_flip": 0.5}},
            },
            "data.irrelevant_features",
        ),
        (
            {"data": {"kind": "digits"}, "model": {"kind": "cnn", "norm": "layer"}},
            "model.norm",
        ),
        ({"data": {"kind": "digits"}, "model": {"kind": "cnn", "hidden": []}}, "model.hidden"),
        ({"data": {"kind": "order"}, "model": {"kind": "lstm", "hidden": [8, 8]}}, "model.hidden"),
        (
            {"data": {"kind": "order"}, "model": {"kind": "transformer", "heads": 3}},
            "model.heads",
        ),
        (
            {
                "data": {"kind": "order", "noise": 2},
                "model": {"kind": "transformer", "hidden": [8]},
            },
            "data.noise",
        ),
        ({"model": {"norm": "batch"}, "training": {"batch_size": 1}}, "training.batch_size"),
        (
            {
                "data": {"kind": "digits"},
                "model": {"kind": "cnn", "norm": "batch"},
                "training": {"batch_size": 1},
            },
            "training.batch_size",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_field(
    mapping: dict[str, Any], field: str
) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_dict(mapping)
    assert str(caught.value).startswith(f"{field}: got ")
    assert_one_sentence(str(caught.value), field)


# --- mini-batches -----------------------------------------------------------------------------


@given(n=st.integers(2, 5000), size=st.integers(1, 6000))
@example(n=385, size=32)
@example(n=33, size=32)
@example(n=3, size=2)
@example(n=2, size=2)
def test_batches_hold_all_points_and_none_is_small(n: int, size: int) -> None:
    ends = batch_ends(n, size)
    sizes = [b - a for a, b in itertools.pairwise([0, *ends])]
    assert ends[-1] == n
    assert all(s == size for s in sizes[:-1])
    if size > 1:
        assert sizes[-1] > 1
    assert sizes[-1] == n or size / 4 < sizes[-1] <= max(size + 1, 1.25 * size)


@pytest.mark.parametrize(
    ("n", "size", "ends"),
    [
        (64, 32, [32, 64]),
        (65, 32, [32, 65]),  # one
        (66, 32, [32, 66]),  # two
        (72, 32, [32, 72]),  # a quarter
        (73, 32, [32, 64, 73]),
        (33, 32, [33]),
        (31, 32, [31]),
        (3, 2, [3]),
        (4, 2, [2, 4]),
        (3, 1, [1, 2, 3]),
        (7, None, [7]),
    ],
)
def test_a_small_remainder_joins_the_batch_before_it(
    n: int, size: int | None, ends: list[int]
) -> None:
    assert batch_ends(n, size) == ends


@pytest.mark.parametrize(
    "mapping",
    [
        {"data": {"kind": "digits"}, "model": {"kind": "cnn", "hidden": [8], "norm": "batch"}},
        {
            "data": {"kind": "digits"},
            "regularization": {"augmentation": {"degrees": 15, "brightness": 0.2}},
        },
        {
            "data": {"kind": "order"},
            "model": {"kind": "lstm", "hidden": [16], "embedding": 8},
            "regularization": {"recurrent_dropout": 0.2},
        },
        {
            "data": {"kind": "order"},
            "model": {"kind": "transformer", "hidden": [16], "heads": 4, "norm": "layer"},
            "regularization": {"attention_dropout": 0.1, "residual_dropout": 0.1},
        },
    ],
)
def test_image_and_sequence_experiments_make_the_round_trip(mapping: dict[str, Any]) -> None:
    e = Experiment.from_dict(mapping)
    assert Experiment.from_dict(json.loads(e.canonical_json())) == e
    assert from_link(to_link(e)) == e
