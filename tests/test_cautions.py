"""Cautions: conflicting settings give a warning, and the warning on L1 is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regviz.specs import Experiment, field_names
from regviz.specs.cautions import L1_MEASURED, cautions
from regviz.training.run import fit

L1 = {
    "data": {"kind": "linear", "n_samples": 300, "noise": 0.3, "irrelevant_features": 18},
    "model": {"hidden": []},
    "regularization": {"l1": 0.03},
    "training": {"optimizer": "sgd", "lr": 0.05, "epochs": 200},
}
ALPHA = {"regularization": {"dropout": 0.2, "dropout_kind": "alpha"}}
BN = {"model": {"norm": "batch"}}
PATIENT = {"regularization": {"early_stopping": {"patience": 300}}}


def changed(mapping: dict[str, Any], path: str | None, value: Any) -> Experiment:
    e = Experiment.from_dict(mapping)
    return e if path is None else e.replace(path, value)


@pytest.mark.parametrize(
    ("mapping", "field", "cures"),
    [
        (
            L1,
            "regularization.l1",
            [
                ("training.optimizer", "adam"),
                ("training.optimizer", "adamw"),
                ("training.momentum", 0.9),
                ("training.batch_size", None),
                ("training.batch_size", 250),
                ("regularization.l1", 0.0),
            ],
        ),
        (
            ALPHA,
            "regularization.dropout_kind",
            [("model.activation", "selu"), ("regularization.dropout", 0.0)],
        ),
        (
            {"model": {"activation": "selu"}, "regularization": {"dropout": [0.0, 0.1]}},
            "regularization.dropout_kind",
            [
                ("regularization.dropout_kind", "alpha"),
                ("model.activation", "relu"),
                ("model.norm", "layer"),
            ],
        ),
        (
            {"model": {"hidden": []}, "regularization": {"dropout": 0.1}},
            "regularization.dropout",
            [("model.hidden", [4]), ("regularization.dropout", 0.0)],
        ),
        (
            {"model": {"hidden": [], "norm": "layer"}},
            "model.norm",
            [("model.hidden", [4]), ("model.norm", None)],
        ),
        (
            BN | {"training": {"batch_size": 2}},
            "training.batch_size",
            [("training.batch_size", 32), ("model.norm", "layer")],
        ),
        (
            BN | {"data": {"n_samples": 10}, "training": {"batch_size": None}},
            "training.batch_size",
            [("data.n_samples", 20)],
        ),
        (
            {"training": {"optimizer": "adam", "momentum": 0.9}},
            "training.momentum",
            [("training.optimizer", "sgd"), ("training.momentum", 0.0)],
        ),
        (
            PATIENT,
            "regularization.early_stopping.patience",
            [("training.epochs", 301), ("regularization.early_stopping", None)],
        ),
    ],
)
def test_a_caution_is_one_text_for_its_field_and_goes_with_its_cause(
    mapping: dict[str, Any], field: str, cures: list[tuple[str, Any]]
) -> None:
    found = cautions(Experiment.from_dict(mapping))
    assert list(found) == [field]
    assert field in field_names()
    assert found[field].endswith(".")
    assert "\n" not in found[field]
    for path, value in cures:
        assert field not in cautions(changed(mapping, path, value)), path


def test_the_usual_experiment_needs_none() -> None:
    assert cautions(Experiment()) == {}


def test_what_is_said_of_patience_is_what_happens_to_the_weights() -> None:
    for restore, words in ((True, "best epoch are restored"), (False, "last epoch are kept")):
        e = changed(PATIENT, "regularization.early_stopping.restore_best_weights", restore)
        (said,) = cautions(e).values()
        assert words in said


def test_what_is_told_of_l1_is_measured() -> None:
    """2-7 of 18 zeros by plain SGD at any learning rate, 14-18 by what averages gradients."""
    base = Experiment.from_dict(L1)
    plain = [base.replace("training.lr", lr) for lr in (0.01, 0.05, 0.2)]
    whole = base.replace("training.batch_size", None).replace("training.epochs", 2000)
    better = [
        base.replace("training.momentum", 0.9),
        base.replace("training.optimizer", "adam"),
        whole.replace("training.lr", 0.1),
    ]
    kinds = [*plain, *better]
    lanes = [
        e.replace("training.seed", s).replace("data.seed", s) for e in kinds for s in range(10)
    ]
    norms = np.array([r.frame.input_norms for r in fit(lanes)]).reshape(len(kinds), 10, 20)
    assert (norms[:, :, :2] > 0).all()  # those that matter stay
    off = (norms[:, :, 2:] == 0).sum(axis=2)
    assert (off[:3].min(), off[:3].max()) == (2, 7)
    assert (off[3:].min(), off[3:].max()) == (14, 18)
    assert "2–7" in L1_MEASURED
    assert "14–18" in L1_MEASURED
