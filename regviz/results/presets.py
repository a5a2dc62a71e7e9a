"""Named experiments, each there to make one point that can be seen in its run.

A preset is an :class:`~regviz.specs.Experiment`; the page trains it beside its twin without
regularization. Numbers of a run are never written here: the page measures them. What the sentence
claims is written once more as a function of the finished twins, and
``python -m benchmarks.lessons`` counts on how many seeds it comes true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from regviz.frames import LaneFrame
from regviz.results import metrics, verdict
from regviz.results.uncertainty import ece
from regviz.specs import Experiment

Shows = Callable[[LaneFrame, LaneFrame], bool]


@dataclass(frozen=True)
class Preset:
    """An experiment with a name and, in one or two sentences, what to look for.

    ``shows`` says whether that came true: it gets the finished lanes without and with
    regularization.
    """

    name: str
    point: str
    experiment: Experiment
    shows: Shows


def _preset(name: str, point: str, shows: Shows, **groups: object) -> Preset:
    return Preset(name, point, Experiment.from_dict(groups), shows)


def _over_fits(lane: LaneFrame) -> bool:
    """Whether the validation loss ends well above its best, as the verdict counts it."""
    end = metrics.read(lane)
    risen = end.val_loss - end.best_val_loss
    return end.rise > verdict.RISE and risen > verdict.LEAST_RISE


def _lower(share: float) -> Shows:
    """Whether regularization leaves at most this share of the validation loss."""
    return lambda without, with_: (
        metrics.read(with_).val_loss <= share * metrics.read(without).val_loss
    )


def _good_only_with(without: LaneFrame, with_: LaneFrame) -> bool:
    return _over_fits(without) and not _over_fits(with_) and _lower(0.7)(without, with_)


def _slowed(without: LaneFrame, with_: LaneFrame) -> bool:
    """Whether the validation loss ends lower, and still above its best."""
    return metrics.read(with_).rise > 0.1 and _lower(0.9)(without, with_)


def _both_over_fit(without: LaneFrame, with_: LaneFrame) -> bool:
    return _over_fits(without) and _over_fits(with_)


def _most_zero(without: LaneFrame, with_: LaneFrame) -> bool:
    zeros, norms = metrics.read(with_), with_.input_norms
    matter, rest = (norms[:2], norms[2:]) if norms is not None else ((), ())
    some_off = all(n > 0 for n in matter) and any(n == 0 for n in rest)
    return zeros.zeros > 0.9 * zeros.weights and some_off and _lower(0.9)(without, with_)


def _stopped(without: LaneFrame, with_: LaneFrame) -> bool:
    return with_.status == "stopped" and _lower(0.9)(without, with_)


def _ignores_inputs(without: LaneFrame, with_: LaneFrame) -> bool:
    """Whether the model is no better than the share of the classes, in training too."""
    return metrics.read(with_).train_loss > 0.6 and metrics.read(without).train_loss < 0.3


def _learns_only_with(without: LaneFrame, with_: LaneFrame) -> bool:
    """Whether only the second model learns anything; guessing has a training loss of 0.69."""
    failed = without.status == "diverged" or metrics.read(without).train_loss > 0.6
    return failed and metrics.read(with_).train_loss < 0.3


def _steadier(without: LaneFrame, with_: LaneFrame) -> bool:
    """Whether the validation loss changes at most a third as much from epoch to epoch."""
    jumps = [np.diff(lane.curve("val_loss")[-20:]).std() for lane in (without, with_)]
    return bool(jumps[1] <= jumps[0] / 3)


def _less_sure(without: LaneFrame, with_: LaneFrame) -> bool:
    # one label in five is wrong: a model that matches more than 80% has learned wrong ones
    learned = metrics.read(with_).train_accuracy > 0.85
    return learned and _lower(1.0)(without, with_)


def _more_right(without: LaneFrame, with_: LaneFrame) -> bool:
    plain, held = metrics.read(without), metrics.read(with_)
    return held.train_accuracy < plain.train_accuracy and held.val_accuracy > plain.val_accuracy


def _little_changes(without: LaneFrame, with_: LaneFrame) -> bool:
    return abs(metrics.read(with_).val_loss - metrics.read(without).val_loss) < 0.1


def _little_changes_and_over_fits(without: LaneFrame, with_: LaneFrame) -> bool:
    return _both_over_fit(without, with_) and not _lower(0.7)(without, with_)


def _calibrated(without: LaneFrame, with_: LaneFrame) -> bool:
    """Whether the ECE is clearly lower, and not by a lucky draw of the validation points."""
    return ece(with_) < ece(without) - 0.02


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
    "Without regularization the network memorizes the noise; with dropout and L2 it learns the "
    "pattern.",
    _good_only_with,
    data=_MOONS,
    model={"hidden": [48, 48]},  # enough to memorize 140 points; trains twice as fast as 128
    regularization={"dropout": 0.2, "l2": 0.01},
    training={"lr": 0.01, "epochs": 250},
)
"""What the page opens with."""

PRESETS: tuple[Preset, ...] = (
    DEFAULT,
    _preset(
        "Reference: weight decay 1e-4",
        "The reference experiment: with a little weight decay the validation loss rises less, but "
        "it still ends above its lowest value.",
        _slowed,
        regularization={"weight_decay": 1e-4},
        **_REFERENCE,
    ),
    _preset(
        "Reference: dropout 0.5",
        "The reference experiment: with dropout the validation loss rises less above its lowest "
        "value.",
        _lower(0.9),
        regularization={"dropout": 0.5},
        **_REFERENCE,
    ),
    _preset(
        "Reference: no regularization",
        "The reference experiment with no regularization: the two models are identical, and both "
        "over-fit.",
        _both_over_fit,
        **_REFERENCE,
    ),
    _preset(
        "L1: exact zeros",
        "Two inputs are relevant and eighteen are not. L1 sets most weights to exactly 0. An input "
        "is switched off only if all 32 of its weights are 0: this happens for a few of the "
        "eighteen.",
        _most_zero,
        data={"kind": "linear", "n_samples": 300, "noise": 0.3, "irrelevant_features": 18},
        model={"hidden": [32]},
        regularization={"l1": 0.02},
        training={"lr": 0.01, "epochs": 250},
    ),
    _preset(
        "Early stopping",
        "Training stops when the validation loss no longer improves; then the weights of the best "
        "epoch are restored.",
        _stopped,
        data=_MOONS,
        model=_WIDE,
        regularization={"early_stopping": {"patience": 30}},
        training={"lr": 0.001, "epochs": 400},
    ),
    _preset(
        "Too much of it",
        "The L2 penalty is so strong that the model ignores its inputs: under-fitting.",
        _ignores_inputs,
        data=_MOONS,
        model=_WIDE,
        regularization={"l2": 0.2},
        training={"lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Wrong labels: label smoothing",
        "About one training label in five is wrong. With label smoothing the network still learns "
        "wrong labels, but with less confidence: the validation loss stays lower.",
        _less_sure,
        data={"kind": "moons", "n_samples": 150, "noise": 0.25, "label_noise": 0.2},
        model={"hidden": [128, 128, 128]},
        regularization={"label_smoothing": 0.3},
        training={"lr": 0.005, "epochs": 300},
    ),
    _preset(
        "Wrong labels: L2",
        "About one training label in five is wrong. With L2 the model fits fewer of them: its "
        "training accuracy is lower, its validation accuracy higher.",
        _more_right,
        data={"kind": "moons", "n_samples": 200, "noise": 0.15, "label_noise": 0.2},
        model={"hidden": [128, 128, 128]},
        regularization={"l2": 0.005},
        training={"lr": 0.005, "epochs": 300},
    ),
    _preset(
        "Spirals: noise on the inputs",
        "The inputs get new noise in every training step, so single points are harder to memorize.",
        _lower(0.9),
        model={"hidden": [128, 128, 128]},
        regularization={"input_noise": 0.25},
        **_SPIRALS,
    ),
    _preset(
        "Spirals: batch norm and dropout",
        "Both models have batch norm, which is itself a regularizer (Luo et al. 2019, arXiv "
        "1809.00846): adding dropout changes little. Set Normalization to none and compare.",
        _little_changes,
        model={"hidden": [128, 128, 128], "norm": "batch"},
        regularization={"dropout": 0.2},
        **_SPIRALS,
    ),
    _preset(
        "Weight decay 0.01 under Adam",
        "Adam adds λ·w to the gradient: with λ = 0.01 this network no longer over-fits.",
        _good_only_with,
        data=_MOONS,
        model=_WIDE,
        regularization={"weight_decay": 0.01},
        training={"optimizer": "adam", "lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Weight decay 0.01 under AdamW",
        "With AdamW the same λ has almost no effect, because each step shrinks a weight only by "
        "the fraction lr·λ: try 1 (Loshchilov & Hutter 2019, arXiv 1711.05101).",
        _little_changes_and_over_fits,
        data=_MOONS,
        model=_WIDE,
        regularization={"weight_decay": 0.01},
        training={"optimizer": "adamw", "lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Weight decay 1 under AdamW",
        "In each step AdamW shrinks a weight by the fraction lr·λ, whatever its gradients. Here λ "
        "must be about a hundred times as large as with Adam: with 1 the validation loss is lower.",
        _lower(0.8),
        data=_MOONS,
        model=_WIDE,
        regularization={"weight_decay": 1.0},
        training={"optimizer": "adamw", "lr": 0.01, "epochs": 200},
    ),
    _preset(
        "Max-norm: a limit, not a penalty",
        "After every step, the weights into each unit are scaled back to a norm of at most c = 1. "
        "Small weights are left alone, and the validation loss is lower.",
        _lower(0.8),
        data=_MOONS,
        model=_WIDE,
        regularization={"max_norm": 1.0},
        training={"lr": 0.005, "epochs": 200},
    ),
    _preset(
        "Gradient clipping: a learning rate that is too high",
        "SGD with a learning rate of 3 learns nothing: its steps are too long. With the gradient "
        "clipped to a norm of 0.1 the same learning rate works.",
        _learns_only_with,
        data={"kind": "spirals", "n_samples": 300, "noise": 0.1},
        model={"hidden": [32, 32, 32]},
        training={"optimizer": "sgd", "lr": 3.0, "epochs": 60, "clip_norm": 0.1},
    ),
    _preset(
        "Weight averaging: the same run, steadier",
        "SGD with a learning rate of 1: the last weights jump from epoch to epoch, and so does the "
        "validation loss. The second model is the moving average of the first one's weights: its "
        "curve is smooth.",
        _steadier,
        data={"kind": "moons", "n_samples": 300, "noise": 0.2},
        model={"hidden": [32, 32]},
        training={"optimizer": "sgd", "lr": 1.0, "batch_size": 8, "epochs": 60, "ema": 0.99},
    ),
    _preset(
        "Honest percentages: label smoothing",
        "Without regularization the network is more confident than it is accurate; with label "
        "smoothing ε = 0.1 its confidence is closer to its accuracy (lower ECE).",
        _calibrated,
        data={"kind": "moons", "n_samples": 600, "noise": 0.35, "val_fraction": 0.7},
        regularization={"label_smoothing": 0.1},
        training={"lr": 0.01, "epochs": 250},
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
