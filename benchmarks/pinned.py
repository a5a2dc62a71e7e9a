"""Write all outputs that a user gets to files, to compare two commits.

    python -m benchmarks.pinned write DIR [--only PART ...]
    python -m benchmarks.pinned compare DIR_A DIR_B

``write`` trains, draws and packs fixed inputs (among them :data:`EXPERIMENTS` and the files of
``docs/specs``) and writes each output to a file in ``DIR``. ``compare`` prints each file that
differs, with the first difference, and exits with 1 if there is one. A change that only moves code
leaves every byte equal: write before it, write after it, compare.

Outputs are equal on one machine with the same packages. Another processor or another torch may
round differently, so ``compare`` also prints if the two were written by different ones.

========== ===================================================================================
part       what it writes
========== ===================================================================================
texts      canonical JSON, links, names, refusals: what follows from no training (``pinned.json``)
commands   what the command line prints: help, refusals, a table, a result on standard output
results    result files of ``run`` and ``sweep``, and the summaries printed beside them
slides     slides of ``render`` in every format, of runs, of a sweep and of several runs
messages   frames as a trainer sends them, and the messages that the browser draws
labs       the frames of each lab at its defaults
figures    Plotly's JSON of each function that returns a figure, light and dark
========== ===================================================================================

Left out, because they differ between runs: ``seconds`` of a result file and of its summary; the
number and epochs of a live run's frames (they follow the clock; here each epoch has a frame); the
run numbers of messages (random in each session).

``tests/test_pinned.py`` compares ``tests/pinned.json`` with this commit, so that links and
sentences stay equal on every machine. To change it on purpose, copy the new ``pinned.json`` there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import json
import multiprocessing
import os
import platform
import re
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "docs" / "specs"
ABOUT = "about.json"
"""The machine and the packages: written beside the outputs, but not compared as an output."""


# --- modules: drop the second name when all of them have moved ---------------------------------

_MOVES = {
    "figures.live": "figures",
    "figures.lessons": "lesson_figures",
    "figures.labs": "lab_figures",
    "figures.images": "image_figures",
    "figures.sequences": "sequence_figures",
    "figures.sweeps": "sweep_figures",
    "figures.comparisons": "compare_figures",
    "figures.palette": "palette",
    "frames.messages": "packing",
    "results.comparison": "comparison",
    "results.metrics": "metrics",
    "results.presets": "presets",
    "results.stopping": "stopping",
    "results.sweeps": "sweeps",
    "specs.cautions": "cautions",
    "training.run": "training",
}


def _module(name: str) -> Any:
    """Return ``regviz.NAME``, or its module in the flat layout of older commits."""
    try:
        return importlib.import_module(f"regviz.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(f"regviz.{_MOVES[name]}")


# --- inputs ------------------------------------------------------------------------------------


def _table_points() -> list[list[float]]:
    """Return 60 points of three classes like a table's: far from 0, with many digits."""
    return [
        [5 + 7 * (i % 3) + (37 * i % 101) / 17, 1000 - 40 * (i % 3) + (53 * i % 97) / 3, i % 3]
        for i in range(60)
    ]


def _drawn_points() -> list[list[float]]:
    """Return 40 points of two classes in a square of the plane, split along a parabola."""
    places = [((29 * i % 41) / 20 - 1, (17 * i % 43) / 21 - 1) for i in range(40)]
    return [[a, b, int(b > a * a - 0.4)] for a, b in places]


_SMALL = {"n_samples": 80}
_IMAGES = {"kind": "digits", "n_samples": 120, "noise": 0.1}
_ORDER = {"kind": "order", "n_samples": 80, "noise": 0.1}
_STOPPED = {
    "data": {"n_samples": 60, "noise": 0.4, "seed": 3},
    "model": {"hidden": [32, 32]},
    "training": {"lr": 0.02, "epochs": 60},
}

EXPERIMENTS: dict[str, dict[str, Any]] = {
    "moons-dropout": {
        "data": {"n_samples": 120},
        "model": {"hidden": [16, 16]},
        "regularization": {"dropout": 0.3},
        "training": {"lr": 0.01, "epochs": 20},
    },
    "circles-linear-l1": {
        "data": {**_SMALL, "kind": "circles"},
        "model": {"hidden": []},
        "regularization": {"l1": 0.01},
        "training": {
            "optimizer": "sgd", "momentum": 0.9, "lr": 0.1, "batch_size": None, "epochs": 20,
        },
    },
    "spirals-dropout-list": {
        "data": {**_SMALL, "kind": "spirals", "noise": 0.1},
        "model": {"hidden": [12, 12], "activation": "tanh", "init_scale": 2},
        "regularization": {"dropout": [0.2, 0.4], "weight_decay": 0.05},
        "training": {"optimizer": "adamw", "lr": 0.01, "epochs": 15},
    },
    "xor-alpha-dropout": {
        "data": {**_SMALL, "kind": "xor"},
        "model": {"hidden": [8, 8], "activation": "selu"},
        "regularization": {"dropout": 0.1, "dropout_kind": "alpha", "input_noise": 0.1},
        "training": {"lr": 0.01, "epochs": 15, "batch_size": 20},
    },
    "blobs-layer-norm-after": {
        "data": {**_SMALL, "kind": "blobs", "label_noise": 0.1},
        "model": {
            "hidden": [10], "activation": "sigmoid", "norm": "layer", "norm_position": "after",
        },
        "regularization": {"label_smoothing": 0.1},
        "training": {"lr": 0.02, "epochs": 15},
    },
    "linear-irrelevant-l1-l2": {
        "data": {**_SMALL, "kind": "linear", "irrelevant_features": 6},
        "model": {"hidden": [12]},
        "regularization": {"input_dropout": 0.2, "l1": 0.02, "l2": 0.01},
        "training": {"lr": 0.02, "epochs": 25},
    },
    "moons-batch-norm-before": {
        "data": {**_SMALL, "val_fraction": 0.45},
        "model": {"hidden": [16, 16], "norm": "batch"},
        "regularization": {"dropout": 0.2, "l2": 0.01, "early_stopping": {"patience": 12}},
        "training": {"lr": 0.01, "epochs": 12, "batch_size": 4, "seed": 5},
    },
    "stopping-restored": {
        **_STOPPED, "regularization": {"early_stopping": {"patience": 4, "min_delta": 0.001}},
    },
    "stopping-not-restored": {
        **_STOPPED,
        "regularization": {"early_stopping": {"patience": 4, "restore_best_weights": False}},
    },
    "circles-batch-norm-after": {
        "data": {**_SMALL, "kind": "circles", "label_noise": 0.05},
        "model": {
            "hidden": [12, 8], "activation": "identity", "norm": "batch", "norm_position": "after",
        },
        "regularization": {"weight_decay": 0.01, "l1": 0.001},
        "training": {"optimizer": "sgd", "momentum": 0.5, "lr": 0.05, "epochs": 12},
    },
    "digits-mlp": {
        "data": {**_IMAGES, "irrelevant_features": 5},
        "model": {"hidden": [24], "norm": "layer"},
        "regularization": {"dropout": 0.2, "weight_decay": 0.001},
        "training": {"optimizer": "sgd", "lr": 0.1, "epochs": 6},
    },
    "digits-cnn-augmented": {
        "data": _IMAGES,
        "model": {"kind": "cnn", "hidden": [4, 6], "norm": "batch"},
        "regularization": {
            "dropout": 0.2,
            "dropout_kind": "spatial",
            "augmentation": {
                "degrees": 20, "translate": 0.1, "scale": 0.1, "horizontal_flip": 0.5,
                "brightness": 0.2, "contrast": 0.2,
            },
        },
        "training": {"lr": 0.01, "epochs": 5},
    },
    "digits-cnn": {
        "data": _IMAGES,
        "model": {"kind": "cnn", "hidden": [4], "norm": "batch", "norm_position": "after"},
        "regularization": {"dropout": [0.3], "input_noise": 0.1, "l2": 0.001},
        "training": {"lr": 0.01, "epochs": 5},
    },
    "order-lstm": {
        "data": _ORDER,
        "model": {"kind": "lstm", "hidden": [8], "embedding": 6},
        "regularization": {"recurrent_dropout": 0.2, "l2": 0.001},
        "training": {"lr": 0.02, "epochs": 6},
    },
    "order-lstm-stopping": {
        "data": {**_ORDER, "noise": 0.3, "label_noise": 0.1},
        "model": {"kind": "lstm", "hidden": [6], "embedding": 4},
        "regularization": {
            "dropout": 0.2, "input_dropout": 0.1, "label_smoothing": 0.05, "l1": 0.0001,
            "early_stopping": {"patience": 2},
        },
        "training": {"optimizer": "adamw", "lr": 0.05, "epochs": 12, "momentum": 0.5},
    },
    "order-transformer": {
        "data": _ORDER,
        "model": {
            "kind": "transformer", "hidden": [12, 12], "norm": "layer", "embedding": 8, "heads": 4,
        },
        "regularization": {"attention_dropout": 0.2, "residual_dropout": 0.1},
        "training": {"lr": 0.01, "epochs": 5},
    },
    "order-transformer-post-norm": {
        "data": _ORDER,
        "model": {
            "kind": "transformer", "hidden": [8], "norm": "layer", "norm_position": "after",
            "embedding": 8,
        },
        "regularization": {"dropout": 0.1, "weight_decay": 0.1, "input_dropout": 0.1},
        "training": {"optimizer": "adamw", "lr": 0.01, "epochs": 5},
    },
    "own-table": {
        "data": {
            "kind": "csv", "points": _table_points(), "columns": ["length", "width, mm"],
            "classes": ["setosa", "änder", "other"], "label_noise": 0.05,
        },
        "model": {"hidden": [12]},
        "regularization": {"dropout": 0.1},
        "training": {"lr": 0.02, "epochs": 20},
    },
    "own-drawn": {
        "data": {"kind": "csv", "points": _drawn_points(), "plane": [-1.5, 1.5, -1.5, 1.5]},
        "model": {"hidden": [12, 12]},
        "regularization": {"l2": 0.01},
        "training": {"lr": 0.02, "epochs": 25},
    },
    "diverging": {
        "data": _SMALL,
        "model": {"hidden": [8, 8]},
        "regularization": {"l2": 100},
        "training": {"optimizer": "sgd", "lr": 1000, "epochs": 10},
    },
}  # fmt: skip
"""Every kind of data and model, every technique and every optimizer, in twenty small runs."""

LOSSES = ("moons-dropout", "circles-linear-l1", "digits-cnn", "order-lstm", "order-transformer")
"""Experiments whose last validation loss is in ``pinned.json``."""

REFUSED: list[Any] = [
    [], 3, "moons", {"date": {}}, {"data": []},
    {"data": {"colour": 1}}, {"data": {"l2": 1}}, {"training": {"learning_rate": 1}},
    {"regularization": {"droput": 0.1}}, {"data": {"kind": "cats"}}, {"data": {"kind": "moon"}},
    {"data": {"n_samples": 9}}, {"data": {"n_samples": "many"}}, {"data": {"n_samples": 60.0}},
    {"data": {"noise": -1}}, {"data": {"noise": True}}, {"data": {"noise": None}},
    {"data": {"kind": "digits", "n_samples": 1701}},
    {"data": {"n_samples": 10, "val_fraction": 0.9}}, {"data": {"points": [[0, 0, 0]]}},
    {"data": {"kind": "csv"}}, {"data": {"kind": "csv", "points": [[0, 0, 0]] * 9}},
    {"data": {"kind": "csv", "points": [[0, 0, 0]] * 10}},
    {"data": {"kind": "csv", "points": [[0, 0, 0]] * 9 + [[0, "x", 1]]}},
    {"data": {"kind": "csv", "points": [[0, 0, 0], [1, 1, 1]] * 5, "noise": 0.1}},
    {"data": {"kind": "csv", "points": [[0, 0, 0], [1, 1, 1]] * 5, "classes": ["a", "b", "c"]}},
    {"data": {"kind": "csv", "points": [[0, 0, 0], [1, 1, 1]] * 5, "columns": ["<b>", "b"]}},
    {"data": {"kind": "csv", "points": [[0, 0, 0], [1, 1, 1]] * 5, "plane": [1, 0, 0, 1]}},
    {"model": {"hidden": 8}}, {"model": {"hidden": [0]}}, {"model": {"hidden": [1] * 9}},
    {"model": {"kind": "cnn"}}, {"model": {"norm": "group"}}, {"model": {"activation": "gelu"}},
    {"data": {"kind": "order"}}, {"data": {"kind": "digits"}, "model": {"kind": "lstm"}},
    {"data": {"kind": "order"}, "model": {"kind": "lstm"}},
    {"data": {"kind": "order"},
     "model": {"kind": "transformer", "embedding": 9}},
    {"data": {"kind": "digits"}, "model": {"kind": "cnn", "norm": "layer"}},
    {"regularization": {"dropout": 1}}, {"regularization": {"dropout": [0.1]}},
    {"regularization": {"dropout_kind": "spatial"}}, {"regularization": {"recurrent_dropout": 0.1}},
    {"regularization": {"early_stopping": 3}},
    {"regularization": {"early_stopping": {"patience": -1}}},
    {"regularization": {"augmentation": {"degrees": 10}}},
    {"model": {"norm": "batch"}, "training": {"batch_size": 1}},
    {"training": {"epochs": 0}}, {"training": {"optimizer": "rmsprop"}},
    {"training": {"seed": 2**31}},
    {"experiments": []}, {"experiments": [{}], "name": 1}, {"experiments": [{}, {"data": 1}]},
]  # fmt: skip
"""Invalid experiments: unknown names, wrong types, values out of range, kinds that do not fit."""

BAD_LINKS = {
    "empty": "",
    "no link": "abc",
    "letters": "ä",
    "cut": "eNqrVsrNT0nNUbKqVsrITElJzVOyii",
    "changed": "eNqrVsrNT0nNUbKqVsrITElJzVOyiraIrb0FAGflCFo",
    "long": "a" * 20_001,
    "a number": "eNozBgAANAA0",
    "unknown field": "eNqrVkpJLElUsqpWSs7PyS8tUrIyrK0FAE8tB0w",
    "own data": "eNqrVkpJLElUsqpWys7MS1GyUkouLlPSUSrIz8wrKQZyDQyNjE1MzcwtLBOTklNS05RqawGboA-q",
}
"""Links without an experiment; a link to own data holds only a fingerprint."""

_FILES = {
    "spec.json": json.dumps(
        {"data": {"n_samples": 60}, "model": {"hidden": [8]}, "training": {"epochs": 3}}
    ),
    "broken.json": '{"data": {',
    "twice.json": '{"data": {}, "data": {}}',
    "deep.json": "[" * 100_000,
    "nan.json": '{"data": {"noise": NaN}}',
    "misfit.json": '{"model": {"kind": "lstm"}}',
    "none.json": '{"runs": []}',
    "foreign.json": '{"runs": [{"experiment": {}}]}',
    "table.csv": "a;b;kind\n"
    + "".join(f"{i},5;{i * 7 % 11};{'xy'[i * 7 % 11 > 5]}\n" for i in range(24)),
    "letters.csv": "a,b,c\n" + "x,y,z\n" * 12,
}
"""Files in the working directory of :data:`COMMANDS`."""

COMMANDS: dict[str, str] = {
    "help": "--help",
    "help-run": "run --help",
    "help-sweep": "sweep --help",
    "help-render": "render --help",
    "help-table": "table --help",
    "help-serve": "serve --help",
    "mistyped-command": "swep spec.json",
    "no-spec": "run",
    "mistyped-option": "run spec.json --outptu a.json",
    "device-unknown": "run spec.json --device tpu",
    "device-of-the-environment": "run spec.json",
    "no-file": "run absent.json",
    "broken": "run broken.json",
    "twice": "run twice.json",
    "deep": "run deep.json",
    "nan": "run nan.json",
    "misfit": "run misfit.json",
    "onto-itself": "run spec.json -o spec.json",
    "over-missing": "sweep spec.json",
    "over-no-values": "sweep spec.json --over data.noise",
    "over-unknown": "sweep spec.json --over data.nois=0",
    "over-group": "sweep spec.json --over data=1",
    "over-twice": "sweep spec.json --over data.noise=0 --over data.noise=1",
    "over-word": "sweep spec.json --over data.noise=loud",
    "over-seeds": "sweep spec.json --over training.seed=0,1 --seeds 2",
    "over-too-many": "sweep spec.json --over data.noise=0,1 --seeds 600",
    "render-format": "render spec.json -o slide.bmp",
    "render-figure": "render spec.json -o slide.png --figure curve",
    "render-theme": "render spec.json -o slide.png --theme blue",
    "render-animated-sweep": "render spec.json -o slide.gif --figure sweep",
    "render-no-sweep": "render spec.json -o slide.png --figure sweep",
    "render-measure": "render spec.json -o slide.png --measure gap",
    "render-empty": "render none.json -o slide.png",
    "render-foreign": "render foreign.json -o slide.png",
    "render-runs": "render spec.json -o slide.png --runs 2",
    "render-labels": "render spec.json -o slide.png --label a --label b",
    "table": "table table.csv -o own.json",
    "table-label": "table table.csv --label a",
    "table-inputs": "table table.csv --inputs a,d",
    "table-letters": "table letters.csv",
}
"""Command lines whose output and exit code are written."""


def environment(name: str) -> dict[str, str]:
    """Return the environment variables for a command of :data:`COMMANDS`."""
    device = "tpu" if name == "device-of-the-environment" else "cpu"
    return {"COLUMNS": "80", "OMP_NUM_THREADS": "1", "REGVIZ_DEVICE": device}


def write_inputs(folder: Path) -> None:
    """Write the input files of :data:`COMMANDS`."""
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def experiment(name: str) -> Any:
    """Return an experiment of :data:`EXPERIMENTS`."""
    return _module("specs").Experiment.from_dict(EXPERIMENTS[name])


# --- writing -----------------------------------------------------------------------------------


def _save(path: Path, content: bytes | str | dict[str, Any] | list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    if not isinstance(content, str):
        content = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    path.write_text(content, encoding="utf-8")


def _command(arguments: Sequence[str], folder: Path, name: str = "") -> dict[str, Any]:
    """Run a command line in a folder and return its output.

    It runs in this process, because a new one takes two seconds to import torch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= environment(name)
    with contextlib.chdir(folder), _captured() as captured:
        code: object
        try:
            code = _module("cli").main(arguments)
        except SystemExit as ended:  # argparse
            code = ended.code
    output, errors = captured
    return {"code": code, "output": output, "errors": without_times(errors)}


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """Capture the descriptors of standard output and standard error during the block."""
    printed: list[str] = []
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        kept = os.dup(1), os.dup(2)
        _point(output.fileno(), errors.fileno())
        try:
            yield printed
        finally:
            _point(*kept)
            for descriptor in kept:
                os.close(descriptor)
            for file in (output, errors):
                file.seek(0)
                printed.append(file.read().decode())


def _point(output: int, errors: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output, 1)
    os.dup2(errors, 2)


def without_times(printed: str) -> str:
    """Return a command's output with ``T`` in place of the training's seconds."""
    return re.sub(r"(?m)(models? in )[\d.]+ s$", r"\1T s", printed)


def _refusal(ask: Callable[[], Any]) -> str:
    specs = _module("specs")
    try:
        ask()
    except specs.SpecError as error:
        return str(error)
    return "accepted"


def texts() -> dict[str, Any]:
    """Return outputs that are equal on all processors: canonical JSON, links, names, refusals."""
    specs, comparison = _module("specs"), _module("results.comparison")
    sweeps, presets = _module("results.sweeps"), _module("results.presets")
    all_of_them = [experiment(name) for name in EXPERIMENTS]
    compared = comparison.Comparison.of(all_of_them[:3], 2)
    swept = sweeps.Sweep(
        all_of_them[0],
        (
            sweeps.spread("regularization.l2", 1e-4, 1, 5),
            sweeps.spread("regularization.dropout", 0, 0.8, 3),
        ),
        2,
    )
    return {
        "experiments": {
            name: {
                "canonical": e.canonical_json(),
                "link": specs.to_link(e),
                "fingerprint": e.data.fingerprint,
            }
            for name, e in zip(EXPERIMENTS, all_of_them, strict=True)
        },
        "names": comparison.names_of(all_of_them),
        "comparison": {
            "link": comparison.to_link(compared),
            "names": list(compared.names),
            "lanes": [e.canonical_json() for e in compared.lanes],
        },
        "sweep": {
            "axes": [[axis.path, axis.label, *axis.texts] for axis in swept.axes],
            "lanes": [specs.to_link(e) for e in swept.experiments],
        },
        "presets": {p.name: specs.to_link(p.experiment) for p in presets.PRESETS},
        "fields": list(specs.field_names()),
        "refused": {
            json.dumps(value): _refusal(functools.partial(specs.experiments_from_value, value))
            for value in REFUSED
        },
        "refused links": {
            name: _refusal(functools.partial(specs.from_link, link))
            for name, link in BAD_LINKS.items()
        },
    }


def last_loss(name: str) -> float:
    """Train an experiment of :data:`EXPERIMENTS` and return its last validation loss."""
    (result,) = _module("training.run").fit([experiment(name)])
    return float(result.frame.curve("val_loss")[-1])


def _write_texts(folder: Path) -> None:
    losses = {name: last_loss(name) for name in LOSSES}
    _save(folder / "pinned.json", {**texts(), "losses": losses})
    comparison, cautions = _module("results.comparison"), _module("specs.cautions").cautions
    all_of_them = [experiment(name) for name in EXPERIMENTS]
    words = {
        "cautions": [cautions(e) for e in all_of_them],
        "conditions": comparison.Comparison.of(all_of_them[:3]).conditions,
        "presets": {p.name: p.point for p in _module("results.presets").PRESETS},
    }
    _save(folder / "words.json", words)
    _save(
        folder / "files.json",
        {name: _module("specs").experiments_to_json([experiment(name)]) for name in EXPERIMENTS},
    )


def _write_commands(folder: Path) -> None:
    at = folder / "commands" / "files"
    at.mkdir(parents=True, exist_ok=True)
    write_inputs(at)
    for name, arguments in COMMANDS.items():
        _save(folder / "commands" / f"{name}.json", _command(arguments.split(), at, name))
    printed = _command(["run", "spec.json"], at)
    printed["output"] = without_seconds(printed["output"])
    _save(folder / "commands" / "standard-output.json", printed)


def without_seconds(result: str) -> str:
    """Return the text of a result file without its last field ``seconds``."""
    text, found = re.subn(r', "seconds": [\d.e-]+\}', "}", result)
    if found != 1:
        raise ValueError(f"a result file has one field 'seconds', this one {found}")
    return text


_SWEEPS = {
    "sweep-seeds": (
        "docs-sweep.json",
        "--over regularization.weight_decay=0,1e-6,1e-4 --seeds 3",
    ),
    "sweep-plane": (
        "spec.json",
        "--over regularization.l2=0,0.01,0.1 --over regularization.dropout=0,0.2",
    ),
    "sweep-kinds": ("spec.json", "--over data.kind=moons,xor --over training.optimizer=sgd,adamw"),
    "sweep-patience": ("spec.json", "--over regularization.early_stopping.patience=0,1"),
}


def _write_results(folder: Path) -> None:
    at = folder / "results"
    at.mkdir(parents=True, exist_ok=True)
    jobs = {}
    for path in sorted(SPECS.glob("*.json")):
        _save(at / "specs" / f"docs-{path.name}", path.read_text("utf-8"))
        jobs[f"docs-{path.stem}"] = ["run", f"specs/docs-{path.name}"]
    for name, given in {**EXPERIMENTS, "all": {"experiments": [*EXPERIMENTS.values()]}}.items():
        _save(at / "specs" / f"{name}.json", json.dumps(given))
        jobs[name] = ["run", f"specs/{name}.json"]
    write_inputs(at / "specs")
    for name, (spec, over) in _SWEEPS.items():
        jobs[name] = ["sweep", f"specs/{spec}", *over.split()]
    for name, arguments in jobs.items():
        printed = _command([*arguments, "-o", f"{name}.json"], at)
        result = at / f"{name}.json"
        _save(result, without_seconds(result.read_text("utf-8")))
        _save(at / f"{name}-printed.json", printed)


_MOVING = "--frames 8 --seconds 2 --scale 1"
_SLIDES = {
    "early-stopping": (
        "stopping-restored.json",
        f"--figure boundary --figure curves --figure histogram --figure numbers {_MOVING}",
        "png svg pdf gif webp html pptx",
    ),
    "three-classes": (
        "own-table.json",
        f"--theme dark --title Three --no-caption --font-size 20 {_MOVING}",
        "png svg pdf gif webp html pptx",
    ),
    "cnn": ("digits-cnn-augmented.json", _MOVING, "png svg pdf gif webp html pptx"),
    "twin": (
        "specs/moons-dropout.json",
        "--twin --figure boundary --figure difference --figure accuracy --epoch 12 "
        f"--link https://example.org {_MOVING}",
        "png svg pptx",
    ),
    "comparison": (
        "docs-l2-from-none-to-too-much.json",
        f"--figure curves --figure numbers --runs 1,3,6 --label a --label b --label c {_MOVING}",
        "png svg pdf html pptx",
    ),
    "sweep": ("sweep-seeds.json", "--figure sweep --scale 1", "png svg pdf html pptx"),
    "plane": ("sweep-plane.json", "--figure sweep --measure gap --theme dark --scale 1", "svg png"),
}


def _write_slides(folder: Path) -> None:
    """Draw slides of the result files, which :func:`_write_results` must have written."""
    for name, (source, options, formats) in _SLIDES.items():
        outputs = [f"../slides/{name}.{format}" for format in formats.split()]
        (folder / "slides").mkdir(parents=True, exist_ok=True)
        arguments = ["render", source, *options.split()]
        printed = _command([*arguments, *(f"-o{output}" for output in outputs)], folder / "results")
        _save(folder / "slides" / f"{name}-printed.json", printed)


# --- messages and figures ----------------------------------------------------------------------


@functools.cache
def _frames(*names: str, twin: bool = False) -> list[Any]:
    """Return a frame after each epoch of a run of several experiments, as a trainer sends it."""
    experiments = [experiment(name) for name in names]
    if twin:
        experiments = [experiments[0].without_regularization(), *experiments]
    return frames_of(tuple(experiments))


@functools.cache
def frames_of(experiments: tuple[Any, ...]) -> list[Any]:
    """Return a frame after each epoch; the app's frames follow the clock instead."""
    run = _module("training.run").Run(experiments)
    frames, shown = [], 0
    for _ in run.steps():
        if run.epoch > shown and not run.done:
            shown = run.epoch
            frames.append(run.frame())
    frames.append(run.frame())
    read = _module("frames").Frame.from_bytes
    return [read(frame.to_bytes()) for frame in frames]


def _runs() -> dict[str, list[Any]]:
    return {
        "twins": _frames("moons-dropout", twin=True),
        "restored": _frames("stopping-restored", "stopping-not-restored"),
        "selection": _frames("linear-irrelevant-l1-l2", twin=True),
        "three-classes": _frames("own-table"),
        "drawn": _frames("own-drawn", twin=True),
        "digits": _frames("digits-mlp"),
        "cnn": _frames("digits-cnn-augmented", twin=True),
        "lstm": _frames("order-lstm", "order-lstm-stopping"),
        "transformer": _frames("order-transformer", twin=True),
        "diverging": _frames("diverging", "moons-batch-norm-before"),
        "shapes": _frames("moons-dropout", "circles-linear-l1", "own-table"),
    }


def _comparison() -> tuple[Any, list[Any]]:
    names = ("moons-dropout", "moons-batch-norm-before", "spirals-dropout-list")
    compared = _module("results.comparison").Comparison.of([experiment(n) for n in names], 2)
    return compared, frames_of(compared.lanes)


@functools.cache
def _swept(fields: int, seeds: int) -> tuple[Any, Any]:
    sweeps, specs = _module("results.sweeps"), _module("specs")
    base = specs.Experiment.from_dict(json.loads(_FILES["spec.json"]))
    axes = (
        sweeps.spread("regularization.l2", 1e-3, 1, 4),
        sweeps.spread("regularization.dropout", 0, 0.8, 3),
    )
    sweep = sweeps.Sweep(base, axes[:fields], seeds)
    return sweep, frames_of(sweep.experiments)[-1]


def _write_messages(folder: Path) -> None:
    packing, sweeps = _module("frames.messages"), _module("results.sweeps")
    comparison, metrics = _module("results.comparison"), _module("results.metrics")
    at = folder / "messages"

    def table(frame: Any) -> Any:
        reads = [metrics.read(lane) for lane in frame.lanes]
        rows = [("accuracy", *((metrics.percent(r.val_accuracy), "good") for r in reads))]
        return packing.Table(("", *(str(i) for i in range(len(reads)))), tuple(rows))

    for name, frames in _runs().items():
        for frame in (frames[0], frames[len(frames) // 2], frames[-1]):
            to = at / name / f"{frame.epoch:03}"
            _save(to.with_suffix(".frame"), frame.to_bytes())
            _save(to.with_suffix(".bare"), frame.to_bytes(with_data=False))
            _save(to.with_suffix(".live"), packing.pack_frame("look", "1", frame))
            _save(
                to.with_suffix(".more"),
                packing.pack_frame(
                    "look", "1", frame, state="finished", table=table, with_points=False,
                    name="some run", pooled=True,
                ),
            )  # fmt: skip
        digests = [hashlib.sha256(frame.to_bytes()).hexdigest() for frame in frames]
        _save(at / name / "frames.json", digests)
        store = _module("frames").FrameStore(8)
        for frame in frames:
            store.add(frame)
        bundle = packing.pack_bundle(
            "look", "1", store.frames(), state="finished", table=table, name="n", pooled=True
        )
        _save(at / name / "bundle.stored", bundle)
    _save(at / "waiting.live", packing.pack_waiting("look", "1", state="queued"))
    _save(at / "empty.stored", packing.pack_bundle("look", "1", [], state="queued"))
    stamped = packing.stamp(packing.pack_waiting("look", "1", state="queued"), "feed", "s", 7)
    _save(at / "stamped.live", stamped)
    figures = {"curves": ("{}", "{}"), "weights": ('{"a": 1}', '{"b": 2}')}
    _save(at / "figures.live", packing.pack_figures("look", figures))

    for name, sweep_and_frame in (("sweep", _swept(1, 2)), ("plane", _swept(2, 1))):
        sweep, frame = sweep_and_frame
        axis, row = sweep.axes[-1], [0] * (len(sweep.axes) - 1)
        first = sweep.lane([0] * len(sweep.axes))
        pairs = [
            sweeps.one_lane(frame, [first, sweep.lane((*row, i))]) for i in range(len(axis.values))
        ]
        message = packing.pack_sweep(
            "look", "1", pairs, values=axis.texts, name=axis.label, table=table, start=1,
            files=[f"file-{text}" for text in axis.texts],
        )  # fmt: skip
        _save(at / f"{name}.live", message)
        seen = sweeps.outcome(sweep, frame)
        _save(at / f"{name}.csv", sweeps.to_csv(sweep, seen))
        _save(at / f"{name}.txt", sweeps.sentence(sweep, seen))

    compared, frames = _comparison()
    message = packing.pack_frame("compare", "1", frames[-1], pooled=True, table=table, name="c")
    _save(at / "comparison.live", message)
    scores = comparison.scores(compared, frames[-1])
    sentences = [comparison.said(compared, scores), comparison.holds(compared, scores)]
    _save(at / "comparison.txt", "\n".join(sentences))


def _write_labs(folder: Path) -> None:
    labs = _module("labs")
    for name in labs.LABS:
        frames = [frame.to_bytes() for frame in labs.start(name, {})]
        at = folder / "labs" / name
        _save(at / "last.frame", frames[-1])
        _save(at / "asked.json", labs.canonical_json(name, {}))
        _save(at / "frames.json", [hashlib.sha256(frame).hexdigest() for frame in frames])


@functools.cache
def _lab(name: str, **parameters: Any) -> Any:
    *_, frame = _module("labs").start(name, parameters)
    return frame


def _figures() -> dict[str, Callable[[Any], Any]]:
    """Return the figures to draw, as functions of a palette: ``module.function variant``."""
    import numpy as np

    live, lessons, labs = (_module(f"figures.{n}") for n in ("live", "lessons", "labs"))
    images, sequences = _module("figures.images"), _module("figures.sequences")
    sweeps, comparisons = _module("figures.sweeps"), _module("figures.comparisons")
    metrics, stopping = _module("results.metrics"), _module("results.stopping")
    outcome = _module("results.sweeps").outcome
    both = ("without", "with")
    twins, restored = _frames("moons-dropout", twin=True), _frames("stopping-restored")
    selected = _frames("linear-irrelevant-l1-l2", twin=True)
    digits = _frames("digits-cnn-augmented", twin=True)[-1]
    transformer = _frames("order-transformer", twin=True)[-1]
    losses = restored[-1].lanes[0].curve("val_loss")
    rule = _module("specs").EarlyStoppingSpec(patience=2)
    sweep, plane = _swept(1, 2), _swept(2, 1)
    compared, frames = _comparison()
    checks = {
        "lessons.ridge_check": ("dropout_ridge", {"steps": 200}),
        "lessons.noise_check": ("noise_tikhonov", {"epochs": 5}),
        "lessons.stopping_check": ("early_stopping_ridge", {"steps": 200}),
        "lessons.l1_path": ("l1_path", {"steps": 60}),
        "lessons.l1_geometry": ("l1_path", {"steps": 60}),
        "lessons.decay_check": ("decay_equivalence", {"steps": 40}),
        "lessons.alpha_check": ("alpha_dropout_depth", {"layers": 3, "width": 16, "batch": 32}),
        "lessons.smoothing_check": ("label_smoothing_gap", {"steps": 40}),
        "lessons.scale_check": ("batch_norm_scale", {"width": 8, "batch": 16}),
        "sequences.row_sums_check": ("attention_row_sums", {"draws": 50}),
        "sequences.masks_over_time": ("recurrent_masks", {"sequences": 20}),
        "images.dropout_shapes": ("dropout_shapes", {}),
        "images.gallery": ("image", {}),
        "labs.sound": ("audio", {}),
        **{
            f"labs.{name}": ("microscope", {"epochs": 20, "passes": 40})
            for name in (
                "masked_networks", "train_and_eval", "sub_networks", "masked_mean", "monte_carlo",
                "ablation", "twin_losses",
            )
        },
    }  # fmt: skip
    out: dict[str, Callable[[Any], Any]] = {}
    for name, (lab, parameters) in checks.items():
        room, function = name.split(".")
        out[name] = functools.partial(_of_lab, f"figures.{room}", function, lab, parameters)
    for name in labs.WALL:
        out[f"labs.misconception {name}"] = functools.partial(_misconception, name)
    quiet, noisy = transformer.lanes[1].attention[:, 0, 0, 0]
    tokens = transformer.data[0].sequences[0]
    mark = metrics.overfitting_begins(losses.tolist())
    lanes, points = twins[-1].lanes, twins[-1].data
    classes = _frames("own-table")[-1]
    return out | {
        "live.loss_curves": lambda p: live.loss_curves(both, epochs=20, palette=p),
        "live.loss_curves log": lambda p: live.loss_curves(
            both, epochs=20, log_scale=True, show_train_mode=True, palette=p
        ),
        "live.fill_loss_curves": lambda p: live.fill_loss_curves(
            live.loss_curves(both, epochs=20, palette=p), lanes
        ),
        "live.fill_loss_curves accuracy": lambda p: live.fill_loss_curves(
            live.loss_curves(both, epochs=20, show_accuracy=True, palette=p), lanes
        ),
        "live.fill_loss_curves diverged": lambda p: live.fill_loss_curves(
            live.loss_curves(both, epochs=10, palette=p),
            _frames("diverging", "moons-batch-norm-before")[-1].lanes,
        ),
        "live.decision_boundary": lambda p: live.decision_boundary(both, palette=p),
        "live.decision_boundary three": lambda p: live.decision_boundary(
            both, classes=3, palette=p
        ),
        "live.decision_boundary five": lambda p: live.decision_boundary(
            "abcde", show_difference=False, show_points=False, palette=p
        ),
        "live.fill_decision_boundary": lambda p: _filled(
            live.decision_boundary(both, palette=p), lanes, points, classes=2
        ),
        "live.fill_decision_boundary three": lambda p: _filled(
            live.decision_boundary(("one",), classes=3, show_difference=False, palette=p),
            classes.lanes, classes.data, classes=3,
        ),
        "live.weight_histogram": lambda p: live.weight_histogram(both, layers=9, palette=p),
        "live.fill_weight_histogram": lambda p: live.fill_weight_histogram(
            live.weight_histogram(both, layers=3, log_scale=True, palette=p), both, lanes
        ),
        "lessons.reliability": lambda p: lessons.reliability(lanes, both, p),
        "lessons.smoothed_targets": lambda p: lessons.smoothed_targets(
            np.array([0, 1]), np.array([0.05, 0.95]), p
        ),
        "lessons.input_statistics": lambda p: lessons.input_statistics(twins, both, p),
        "lessons.weight_ridges": lambda p: lessons.weight_ridges(selected, both, 0, p),
        "lessons.input_groups": lambda p: lessons.input_groups(selected, both, 2, p),
        "lessons.input_path": lambda p: lessons.input_path(
            [0.01, 0.03, 0.1], np.array([[1, 1, 0.4], [1, 0.9, 0], [0.8, 0, 0]]), 2, p
        ),
        "lessons.validation_curve": lambda p: lessons.validation_curve(
            "dropout p", [0, 0.1, 0.5], [0.1, 0.2, 0.4], [0.5, 0.3, 0.6], p
        ),
        "lessons.stress": lambda p: lessons.stress(
            "learning rate", ["0.001", "0.1"], ["plain", "norm"], lanes * 2, p
        ),
        "lessons.seed_bands": lambda p: lessons.seed_bands(lanes * 2, both, p),
        "lessons.stopping_theatre": lambda p: lessons.stopping_theatre(
            losses, stopping.trace(losses.tolist(), rule), rule, p
        ),
        "lessons.marked_run": lambda p: lessons.marked_run(
            restored[-1].lanes[0], 5, mark, [4, 9], p
        ),
        "lessons.patience_curve": lambda p: lessons.patience_curve(
            [0, 1, 2, 3], [0.5, 0.4, 0.4, 0.3], [3, 9, 9, 12], 2, p
        ),
        "sequences.attention_modes": lambda p: sequences.attention_modes(quiet, noisy, tokens, p),
        "images.feature_maps": lambda p: images.feature_maps(digits, 1, 0, p),
        "images.class_probabilities": lambda p: images.class_probabilities(digits, both, 0, p),
        "images.strength_curve": lambda p: images.strength_curve(
            [0, 1, 2], np.array([[0.9, 0.8]] * 3), np.array([[0.7, 0.6], [0.8, 0.6], [0.5, 0.4]]), p
        ),
        "sweeps.validation_curve": lambda p: sweeps.validation_curve(
            sweep[0], outcome(*sweep), "val_loss", p
        ),
        "sweeps.validation_curve empty": lambda p: sweeps.validation_curve(
            sweep[0], None, "gap", p
        ),
        "sweeps.plane": lambda p: sweeps.plane(plane[0], outcome(*plane), "gap", p),
        "comparisons.empty": lambda p: comparisons.empty(compared.names, p, height=400),
        "comparisons.curves": lambda p: comparisons.curves(
            frames[-1].lanes, compared.names, p, epochs=20
        ),
        "comparisons.curves log": lambda p: comparisons.curves(
            frames[-1].lanes, compared.names, p, band="error", epochs=20,
            show_accuracy=True, log_scale=True,
        ),
        "comparisons.histograms": lambda p: comparisons.histograms(
            frames[-1].lanes[::2], compared.names, p
        ),
    }  # fmt: skip


def _of_lab(module: str, function: str, lab: str, parameters: dict[str, Any], palette: Any) -> Any:
    drawn_by = _module(module)
    if not hasattr(drawn_by, function):  # the theory checks have left the lessons
        drawn_by = importlib.import_module("regviz.figures.theory")
    return getattr(drawn_by, function)(_lab(lab, **parameters), palette=palette)


def _filled(skeleton: Any, lanes: Any, data: Any, *, classes: int) -> Any:
    """Return a boundary with its points. The heat maps that were drawn under them are left out: no
    page and no slide has ever shown them."""
    fill = _module("figures.live").fill_decision_boundary
    given = (lanes, data) if "lanes" in inspect.signature(fill).parameters else (data,)
    figure = fill(skeleton, *given, classes=classes)
    figure.data = [trace for trace in figure.data if trace.type == "scatter"]
    return figure


def _misconception(name: str, palette: Any) -> Any:
    return _module("figures.labs").misconception(name, _lab(name), palette)


def _write_figures(folder: Path) -> None:
    palette, drawn = _module("figures.palette"), _figures()
    missing = set(_figure_functions()) - {name.split()[0] for name in drawn}
    if missing:
        raise ValueError(f"figures of no example here: {', '.join(sorted(missing))}")
    for name, draw in drawn.items():
        for theme in (palette.LIGHT, palette.DARK):
            path = folder / "figures" / f"{name.replace(' ', '-')}-{theme.name}.json"
            # keep the order of the keys, as sent to the browser
            _save(path, json.loads(draw(theme).to_json()))


def _figure_functions() -> Iterator[str]:
    """Yield each public function that returns a figure, as ``module.function``."""
    for new in _MOVES:
        room, _, name = new.partition(".")
        if room != "figures":
            continue
        module = _module(new)
        for function, value in inspect.getmembers(module, inspect.isfunction):
            own = value.__module__.startswith(module.__name__) and not function.startswith("_")
            if own and "Figure" in str(inspect.signature(value).return_annotation):
                yield f"{name}.{function}"
    if importlib.util.find_spec("regviz.figures.theory"):
        for function, _ in inspect.getmembers(_module("figures.theory"), inspect.isfunction):
            if function.endswith("_check") or function.startswith("l1_"):
                yield f"lessons.{function}"


# --- write and compare -------------------------------------------------------------------------

PARTS: dict[str, Callable[[Path], None]] = {
    "labs": _write_labs,  # first, because it takes longest
    "results": _write_results,
    "slides": _write_slides,
    "commands": _write_commands,
    "figures": _write_figures,
    "messages": _write_messages,
    "texts": _write_texts,
}


def _about() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    packages = ("matplotlib", "numpy", "pillow", "plotly", "scikit-learn", "torch")
    return {
        "commit": commit.stdout.strip(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def _write_parts(folder: Path, parts: Sequence[str]) -> dict[str, float]:
    seconds = {}
    for part in parts:
        start = time.monotonic()
        PARTS[part](folder)
        seconds[part] = time.monotonic() - start
    return seconds


def write(folder: Path, parts: Sequence[str]) -> None:
    """Write the outputs of some parts; two processes share the work."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / ABOUT, _about())
    os.environ |= {"OMP_NUM_THREADS": "1", "REGVIZ_DEVICE": "cpu"}
    # slides need results; messages and figures share their runs
    groups = [("results", "slides"), ("labs",), ("figures", "messages"), ("commands", "texts")]
    start = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(
        2, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        chosen = [[part for part in group if part in parts] for group in groups]
        for took in pool.map(_write_parts, [folder] * len(groups), chosen):
            for part, seconds in took.items():
                print(f"{part:<10} {seconds:6.1f} s")
    print(f"{len(_outputs(folder))} files in {time.monotonic() - start:.0f} s")


def _outputs(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ABOUT
    }


def compare(a: Path, b: Path) -> int:
    """Print each file that differs, and return how many do."""
    here, there = _outputs(a), _outputs(b)
    about = [json.loads((folder / ABOUT).read_text()) for folder in (a, b)]
    for name, value in about[0].items():
        if name != "commit" and value != about[1].get(name):
            print(f"note: {name} is {value} in {a} and {about[1].get(name)} in {b}")
    differing = 0
    for name in sorted({*here, *there}):
        if name not in here or name not in there:
            text = f"only in {a if name in here else b}"
        else:
            one, other = here[name].read_bytes(), there[name].read_bytes()
            if one == other:
                continue
            text = difference(one, other)
        differing += 1
        print(f"{name}: {text}")
    if not here or not there:
        print("nothing to compare")
        return 1
    print(f"{len({*here, *there})} files, {differing or 'none'} of them different")
    return differing


def difference(a: bytes, b: bytes) -> str:
    """Return the first difference of two unequal contents: a path in JSON, a name in a message or
    an archive, a line of text, or a byte."""
    for read in (_json_of, _message_of, _archive_of, _lines_of):
        with contextlib.suppress(ValueError, KeyError, struct.error, zipfile.BadZipFile):
            found = _first(read(a), read(b), "")
            if found:
                return found
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    return f"byte {at} of {len(a)} and {len(b)}: {a[at : at + 8].hex()} and {b[at : at + 8].hex()}"


def _json_of(content: bytes) -> Any:
    return json.loads(content)


def _message_of(content: bytes) -> Any:
    """Read a frame or a message: four letters, length of the header, header, arrays."""
    if content[:2] != b"RV":
        raise ValueError("no message")
    (length,) = struct.unpack_from("<I", content, 4)
    body = content[8 + length :]
    return {"header": json.loads(content[8 : 8 + length]), "arrays": list(body)}


def _archive_of(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode("latin-1") for name in archive.namelist()}


def _lines_of(content: bytes) -> Any:
    return content.decode("utf-8").splitlines()


def _first(a: Any, b: Any, path: str) -> str:
    """Return the path of the first difference of two parsed values, "" if they are equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            if key not in a or key not in b:
                return f"{path}/{key}: only in the {'first' if key in a else 'second'}"
            found = _first(a[key], b[key], f"{path}/{key}")
            if found:
                return found
        return "" if list(a) == list(b) else f"{path}/: keys in another order"
    if isinstance(a, list) and isinstance(b, list):
        for i, (one, other) in enumerate(zip(a, b, strict=False)):
            found = _first(one, other, f"{path}/{i}")
            if found:
                return found
        return "" if len(a) == len(b) else f"{path}: {len(a)} and {len(b)} entries"
    if type(a) is type(b) and repr(a) == repr(b):
        return ""
    shown = [repr(a), repr(b)]
    if isinstance(a, str) and isinstance(b, str):
        at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        shown = [repr(text[max(0, at - 20) : at + 60]) for text in (a, b)]
    return f"{path}: {' and '.join(text[:120] for text in shown)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pinned")
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="write all outputs to a folder")
    writing.add_argument("folder", type=Path)
    writing.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    comparing = commands.add_parser("compare", help="compare two folders")
    comparing.add_argument("a", type=Path)
    comparing.add_argument("b", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.command == "write":
        write(arguments.folder.resolve(), arguments.only)
        return 0
    return 1 if compare(arguments.a, arguments.b) else 0


if __name__ == "__main__":
    sys.exit(main())
