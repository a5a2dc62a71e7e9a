"""Labs: small computations beside the training runs, one table row and one generator each.

A lab is a generator ``function(**parameters) -> Iterator[LabFrame]`` that a trainer process runs in
short slices beside the runs. Pages request one by name with ``engine.submit_lab(name, parameters,
owner, slot=...)`` and read ``job.latest()``. Every number in a frame was measured in that run, or
is the closed form beside it, and is named accordingly. Equal parameters give equal frames: all
randomness comes from ``seed``.

This module and :mod:`regviz.frames.lab` are light; the generators' modules are imported only in the
trainer. Each generator's docstring describes the arrays and values of its frames, with n samples, d
features and t steps so far. Arrays are float64 unless noted; ``nan`` means not known yet. Labs
named ``wrong_…`` compare a common mistake (:mod:`regviz.wrong`) with the correct version on the
same numbers; their value ``measured`` is the number that shows the difference, ``says`` its name in
words.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from regviz.frames.lab import LabFrame, Value
from regviz.specs import SpecError

__all__ = ["LABS", "Choice", "Lab", "LabFrame", "Number", "Value", "Whole", "canonical_json"]


@dataclass(frozen=True)
class Number:
    """A parameter that is a real number with ``low <= value <= high``."""

    default: float
    low: float
    high: float

    def check(self, name: str, value: Any) -> float:
        """Return ``value`` in its canonical form, or raise :class:`SpecError`."""
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (good and self.low <= value <= self.high):
            raise SpecError(
                f"{name}: got {_shown(value)}; give a number from {self.low:g} to {self.high:g}."
            )
        return float(value) + 0.0


@dataclass(frozen=True)
class Whole:
    """A parameter that is a whole number with ``low <= value <= high``."""

    default: int
    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        """Return ``value``, or raise :class:`SpecError`."""
        good = isinstance(value, int) and not isinstance(value, bool)
        if not (good and self.low <= value <= self.high):
            raise SpecError(
                f"{name}: got {_shown(value)}; give a whole number from {self.low} to {self.high}."
            )
        return value


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of several words."""

    default: str
    options: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        """Return ``value``, or raise :class:`SpecError`."""
        if value not in self.options:
            raise SpecError(
                f"{name}: got {_shown(value)}; choose one of {', '.join(self.options)}."
            )
        return value


@dataclass(frozen=True)
class Lab:
    """A lab: the module and name of its generator, and its parameters."""

    module: str
    function: str
    parameters: Mapping[str, Number | Whole | Choice]


_SEED = Whole(0, 0, 2**31 - 1)

_REGRESSION: dict[str, Number | Whole | Choice] = {
    "n_samples": Whole(100, 20, 500),
    "n_features": Whole(8, 2, 20),
    "steps": Whole(20_000, 100, 50_000),
    "seed": _SEED,
}

LABS: dict[str, Lab] = {
    "dropout_ridge": Lab(
        "regviz.labs.ridge", "dropout_ridge", {"p": Number(0.3, 0.0, 0.9), **_REGRESSION}
    ),
    "noise_ridge": Lab(
        "regviz.labs.ridge", "noise_ridge", {"sigma": Number(0.5, 0.0, 3.0), **_REGRESSION}
    ),
    "noise_tikhonov": Lab(
        "regviz.labs.noise",
        "noise_tikhonov",
        {
            "sigma": Number(0.2, 0.0, 1.0),
            "width": Whole(16, 2, 32),
            "epochs": Whole(100, 1, 300),
            "n_samples": Whole(150, 20, 500),
            "noise": Number(0.25, 0.0, 1.0),
            "seed": _SEED,
        },
    ),
    "early_stopping_ridge": Lab(
        "regviz.labs.early_stopping",
        "early_stopping_ridge",
        {
            "lr": Number(0.01, 0.0001, 0.5),
            "steps": Whole(20_000, 10, 50_000),
            "n_eigenvalues": Whole(60, 10, 120),
            "seed": _SEED,
        },
    ),
    "l1_path": Lab(
        "regviz.labs.lasso",
        "l1_path",
        {
            "strength": Number(0.4, 0.0, 1.0),
            "correlation": Number(0.5, 0.0, 0.9),
            "n_samples": Whole(60, 20, 500),
            "n_features": Whole(10, 2, 20),
            "steps": Whole(1500, 10, 10_000),
            "seed": _SEED,
        },
    ),
    "decay_equivalence": Lab(
        "regviz.labs.weight_decay",
        "decay_equivalence",
        {
            "weight_decay": Number(0.5, 0.0, 5.0),
            "lr": Number(0.05, 0.0001, 0.1),
            "steps": Whole(400, 10, 2000),
            "seed": _SEED,
        },
    ),
    "alpha_dropout_depth": Lab(
        "regviz.labs.alpha_dropout",
        "alpha_dropout_depth",
        {
            "p": Number(0.1, 0.0, 0.9),
            "layers": Whole(16, 1, 64),
            "width": Whole(256, 16, 512),
            "batch": Whole(256, 16, 1024),
            "seed": _SEED,
        },
    ),
    "label_smoothing_gap": Lab(
        "regviz.labs.label_smoothing",
        "label_smoothing_gap",
        {
            "epsilon": Number(0.1, 0.0, 0.9),
            "n_classes": Whole(10, 2, 100),
            "lr": Number(2.0, 0.01, 4.0),
            "steps": Whole(3000, 10, 20_000),
            "seed": _SEED,
        },
    ),
    "batch_norm_scale": Lab(
        "regviz.labs.batch_norm",
        "batch_norm_scale",
        {"width": Whole(64, 2, 512), "batch": Whole(64, 2, 1024), "seed": _SEED},
    ),
    "recurrent_masks": Lab(
        "regviz.labs.sequences",
        "recurrent_masks",
        {
            "p": Number(0.25, 0.0, 0.9),
            "units": Whole(16, 1, 512),
            "sequences": Whole(1000, 10, 2000),
            "seed": _SEED,
        },
    ),
    "attention_row_sums": Lab(
        "regviz.labs.sequences",
        "attention_row_sums",
        {"p": Number(0.1, 0.0, 0.9), "draws": Whole(5000, 10, 10_000), "seed": _SEED},
    ),
    "microscope": Lab(
        "regviz.labs.microscope",
        "microscope",
        {
            "p": Number(0.3, 0.0, 0.9),
            "width": Whole(8, 2, 16),
            "passes": Whole(200, 1, 400),
            "epochs": Whole(150, 1, 500),
            "n_samples": Whole(200, 20, 1000),
            "noise": Number(0.2, 0.0, 1.0),
            "seed": _SEED,
        },
    ),
    "wrong_dropout_at_test": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_at_test",
        {"p": Number(0.5, 0.0, 0.9), "repeats": Whole(50, 1, 500), "seed": _SEED},
    ),
    "wrong_dropout_scaling": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_scaling",
        {
            "p": Number(0.3, 0.0, 0.9),
            "units": Whole(100, 1, 1000),
            "repeats": Whole(300, 1, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_l1_subgradient": Lab(
        "regviz.labs.misconceptions",
        "wrong_l1_subgradient",
        {
            "l1": Number(0.3, 0.0, 5.0),
            "n_features": Whole(12, 2, 40),
            "steps": Whole(300, 10, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_l1_kill": Lab(
        "regviz.labs.misconceptions",
        "wrong_l1_kill",
        {"l1": Number(0.5, 0.0, 5.0), "steps": Whole(300, 10, 2000), "seed": _SEED},
    ),
    "wrong_adam_decay": Lab(
        "regviz.labs.misconceptions",
        "wrong_adam_decay",
        {
            "weight_decay": Number(0.5, 0.0, 5.0),
            "lr": Number(0.01, 0.0001, 0.1),
            "steps": Whole(300, 10, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_early_stopping": Lab(
        "regviz.labs.misconceptions",
        "wrong_early_stopping",
        {"patience": Whole(10, 1, 500), "epochs": Whole(250, 2, 500), "seed": _SEED},
    ),
    "wrong_dropout_before_batch_norm": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_before_batch_norm",
        {
            "p": Number(0.5, 0.0, 0.9),
            "width": Whole(64, 2, 512),
            "batch": Whole(64, 2, 512),
            "steps": Whole(200, 1, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_lstm_dropout": Lab(
        "regviz.labs.misconceptions",
        "wrong_lstm_dropout",
        {"p": Number(0.5, 0.0, 0.9), "passes": Whole(10, 2, 50), "seed": _SEED},
    ),
    "audio": Lab(
        "regviz.labs.gallery",
        "audio",
        {
            "sound": Choice("plucked", ("tone", "chirp", "plucked")),
            "transform": Choice("time_stretch", ("none", "time_stretch", "pitch_shift", "noise")),
            "rate": Number(1.5, 0.5, 2.0),
            "semitones": Number(4.0, -12.0, 12.0),
            "snr": Number(10.0, -10.0, 40.0),
            "seed": _SEED,
        },
    ),
    "text": Lab(
        "regviz.labs.gallery",
        "text",
        {
            "sentence": Whole(0, 0, 5),
            "transform": Choice(
                "synonym_replacement",
                (
                    "synonym_replacement",
                    "random_insertion",
                    "random_deletion",
                    "random_swap",
                    "back_translation",
                ),
            ),
            "strength": Number(0.2, 0.0, 0.9),
            "count": Whole(5, 1, 20),
            "seed": _SEED,
        },
    ),
    "image": Lab(
        "regviz.labs.images",
        "image",
        {
            "digit": Whole(3, 0, 9),
            "degrees": Number(20.0, 0.0, 180.0),
            "translate": Number(0.1, 0.0, 1.0),
            "scale": Number(0.1, 0.0, 0.99),
            "horizontal_flip": Number(0.0, 0.0, 1.0),
            "brightness": Number(0.2, 0.0, 1.0),
            "contrast": Number(0.2, 0.0, 1.0),
            "noise": Number(0.0, 0.0, 100.0),
            "count": Whole(13, 1, 100),
            "seed": _SEED,
        },
    ),
    "dropout_shapes": Lab(
        "regviz.labs.images",
        "dropout_shapes",
        {"dimensions": Whole(2, 1, 3), "p": Number(0.5, 0.0, 0.9), "seed": _SEED},
    ),
}
"""Every lab by its name; its generator's docstring describes its frames."""


def canonical_json(name: str, parameters: Mapping[str, Any]) -> str:
    """Return a lab's name and parameters, with defaults, as text that is equal for equal requests.

    Raises
    ------
    SpecError
        If there is no such lab, or a parameter is unknown or out of range.
    """
    lab = LABS.get(name)
    if lab is None:
        raise SpecError(f"lab: got {_shown(name)}; choose one of {', '.join(LABS)}.")
    known = lab.parameters
    for key in parameters:
        if key not in known:
            raise SpecError(
                f"{name}.{str(key)[:60]}: unknown parameter; known here are {', '.join(known)}."
            )
    checked = {
        key: rule.check(f"{name}.{key}", parameters.get(key, rule.default))
        for key, rule in known.items()
    }
    wanted = {"lab": name, "parameters": checked}
    return json.dumps(wanted, sort_keys=True, separators=(",", ":"))


def start(name: str, parameters: Mapping[str, Any]) -> Iterator[LabFrame]:
    """Import a lab's module and return the iterator of its frames."""
    wanted = json.loads(canonical_json(name, parameters))
    lab = LABS[name]
    function = getattr(importlib.import_module(lab.module), lab.function)
    return iter(function(**wanted["parameters"]))


def _shown(value: object) -> str:
    text = "nan" if isinstance(value, float) and math.isnan(value) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
