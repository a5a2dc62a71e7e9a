"""Named experiments, each there to make one point that can be seen in its run.

A preset is an :class:`~regviz.specs.Experiment`; the page trains it beside its twin without
regularization. Numbers of a run are never written here: the page measures them.
"""

from __future__ import annotations

from dataclasses import dataclass

from regviz.specs import Experiment


@dataclass(frozen=True)
class Preset:
    """An experiment with a name and, in one sentence, what to look for."""

    name: str
    point: str
    experiment: Experiment


def _preset(name: str, point: str, **groups: object) -> Preset:
    return Preset(name, point, Experiment.from_dict(groups))


_MOONS = {"kind": "moons", "n_samples": 200, "noise": 0.3}
_WIDE = {"hidden": [128, 128]}
_REFERENCE = {
    "data": {"kind": "moons", "n_samples": 500, "noise": 0.3, "val_fraction": 0.3},
    "model": {"hidden": [256, 512, 256], "activation": "relu"},
    "training": {"optimizer": "adam", "lr": 0.001, "batch_size": 32, "epochs": 300},
}
_SPIRALS = {
    "data": {"kind": "spirals", "n_samples": 300, "noise": 0.3},
    "training": {"lr": 0.003, "epochs": 200},
}

DEFAULT = _preset(
    "Over-fitting, and what helps",
    "The same network learns a small data set by heart, noise and all, or the rule behind it.",
    data=_MOONS,
    model={"hidden": [48, 48]},  # enough to learn 140 points by heart; trains twice as fast as 128
    regularization={"dropout": 0.2, "l2": 0.01},
    training={"lr": 0.01, "epochs": 250},
)
"""What the page opens with."""

PRESETS: tuple[Preset, ...] = (
    DEFAULT,
    _preset(
        "Reference: weight decay 1e-4",
        "The reference experiment: a little weight decay slows over-fitting but does not end it.",
        regularization={"weight_decay": 1e-4},
        **_REFERENCE,
    ),
    _preset(
        "Reference: dropout 0.5",
        "The reference experiment: with dropout the validation loss stays near its best.",
        regularization={"dropout": 0.5},
        **_REFERENCE,
    ),
    _preset(
        "Reference: nothing",
        "The reference experiment as it is: both models coincide, and both over-fit.",
        **_REFERENCE,
    ),
    _preset(
        "L1 selects features",
        "Two inputs matter and eighteen do not: L1 sets most weights to exactly 0.",
        data={"kind": "linear", "n_samples": 300, "noise": 0.3, "irrelevant_features": 18},
        model={"hidden": [32]},
        regularization={"l1": 0.02},
        training={"lr": 0.01, "epochs": 250},
    ),
    _preset(
        "Early stopping",
        "Stop when the validation loss no longer improves, and go back to the best epoch.",
        data=_MOONS,
        model=_WIDE,
        regularization={"early_stopping": {"patience": 30}},
        training={"lr": 0.001, "epochs": 400},
    ),
    _preset(
        "Too much of it",
        "An L2 penalty this strong leaves only the answer that ignores the input: under-fitting.",
        data=_MOONS,
        model=_WIDE,
        regularization={"l2": 0.2},
        training={"lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Wrong labels: label smoothing",
        "Every fifth training label is wrong. Smoothing does not keep the network from learning "
        "them, but from being sure of them: the validation loss stays lower.",
        data={"kind": "moons", "n_samples": 150, "noise": 0.15, "label_noise": 0.2},
        model={"hidden": [128, 128, 128]},
        regularization={"label_smoothing": 0.3},
        training={"lr": 0.005, "epochs": 300},
    ),
    _preset(
        "Wrong labels: L2",
        "Every fifth training label is wrong. A model held back by L2 contradicts them and is "
        "right more often where it counts.",
        data={"kind": "moons", "n_samples": 200, "noise": 0.15, "label_noise": 0.2},
        model={"hidden": [128, 128, 128]},
        regularization={"l2": 0.005},
        training={"lr": 0.005, "epochs": 300},
    ),
    _preset(
        "Spirals: noise on the inputs",
        "Points that jitter in every step cannot be learnt by heart one by one.",
        model={"hidden": [128, 128, 128]},
        regularization={"input_noise": 0.25},
        **_SPIRALS,
    ),
    _preset(
        "Spirals: batch norm and dropout",
        "Both models have batch norm, which regularizes by itself: dropout on top changes little. "
        "Set Normalization to none and compare.",
        model={"hidden": [128, 128, 128], "norm": "batch"},
        regularization={"dropout": 0.2},
        **_SPIRALS,
    ),
    _preset(
        "Weight decay 0.01 under Adam",
        "Adam adds λ·w to the gradient: 0.01 tames this network.",
        data=_MOONS,
        model=_WIDE,
        regularization={"weight_decay": 0.01},
        training={"optimizer": "adam", "lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Weight decay 0.01 under AdamW",
        "The same number under AdamW does next to nothing, because each step shrinks a weight by "
        "only lr·λ: try 1 or 2.",
        data=_MOONS,
        model=_WIDE,
        regularization={"weight_decay": 0.01},
        training={"optimizer": "adamw", "lr": 0.01, "epochs": 200},
    ),
)
"""All presets, in the order the page lists them."""


def by_name(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises
    ------
    KeyError
        If there is none.
    """
    return {preset.name: preset for preset in PRESETS}[name]


def matching(experiment: Experiment) -> Preset | None:
    """Return the preset that holds exactly this experiment, if any."""
    return next((p for p in PRESETS if p.experiment == experiment), None)
