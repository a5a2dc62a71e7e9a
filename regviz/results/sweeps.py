"""Sweeps: one or two fields over a range of values, with seeds, as one stack of lanes.

A :class:`Sweep` holds what is varied; :attr:`Sweep.experiments` are its lanes, in the order
(first axis, second axis, seed) with the seed fastest; :func:`outcome` turns a frame of them into
arrays of that shape. The functions are pure; none needs torch or a page.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz import specs
from regviz.frames import Frame
from regviz.results import metrics
from regviz.specs import MAX_LANES, Experiment, SpecError
from regviz.specs.fields import PARTS
from regviz.specs.rows import Range
from regviz.specs.text import compact

MAX_VALUES = 64
MAX_SIDE = 16
MAX_SEEDS = 10


@dataclass(frozen=True, kw_only=True)
class Field(Range):
    """A field that may be swept: its name on the screen and its usual range."""

    path: str
    label: str


_FIRST = ("regularization.l2", "regularization.l1", "regularization.weight_decay")
"""The penalties lead the list: how strong one should be is the question of the Sweep page."""


def _place(row: specs.Field) -> tuple[int, bool]:
    first = _FIRST.index(row.path) if row.path in _FIRST else len(_FIRST)
    return first, row.group != "regularization"


FIELDS: dict[str, Field] = {
    row.path: Field(**dataclasses.asdict(row.sweep), path=row.path, label=row.label)
    for row in sorted(specs.FIELDS.values(), key=_place)
    if row.sweep is not None
}
"""The fields that can be swept, by path, as the table of fields has them: penalties, other
techniques, then settings."""


@dataclass(frozen=True)
class Axis:
    """One swept field and its values, at least one, no two alike."""

    path: str
    values: tuple[float, ...]

    @property
    def field(self) -> Field:
        """The swept field; one that only the command line sweeps has no usual range."""
        name = self.path.rsplit(".", 1)[-1].replace("_", " ").capitalize()
        return FIELDS.get(self.path) or Field(0.0, 1.0, more=False, path=self.path, label=name)

    @property
    def label(self) -> str:
        """The field's name, as its control has it."""
        return self.field.label

    @property
    def texts(self) -> tuple[str, ...]:
        """Each value as text: ``0``, ``1e-6``, ``0.35``."""
        return tuple(compact(value) for value in self.values)


def spread(path: str, low: float, high: float, count: int) -> Axis:
    """Return ``count`` values of a field from ``low`` to ``high``, rounded so that what is
    written is what is trained: to two digits on a logarithmic field, after 0 where it has that.

    Raises
    ------
    SpecError
        If the field cannot be swept, or no such values exist.
    """
    field = FIELDS.get(path)
    if field is None:
        raise SpecError(f"{path}: cannot be swept; choose one of {', '.join(FIELDS)}.")
    if not 2 <= count <= MAX_VALUES:
        raise SpecError(f"{field.label}: got {count} values; give 2 to {MAX_VALUES}.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpecError(
            f"{field.label}: got the range from {low:g} to {high:g}; give two numbers, the "
            "smaller one first."
        )
    least = max(field.least, 1e-12) if field.log else field.least
    if low < least or high > field.most:
        top = "" if math.isinf(field.most) else f" and {field.most:g}"
        word = "above" if math.isinf(field.most) else "between"
        raise SpecError(
            f"{field.label}: got the range from {low:g} to {high:g}; it must lie {word} "
            f"{least:g}{top}."
        )
    if field.log:
        inner = np.geomspace(low, high, count - field.zero) if count > 1 + field.zero else [high]
        values = [float(f"{value:.1e}") for value in inner]
        values = [0.0, *values] if field.zero else values
    else:
        values = [round(float(value), 3) for value in np.linspace(low, high, count)]
    if field.whole:
        values = [round(value) for value in values]
    return Axis(path, tuple(dict.fromkeys(values)))  # rounding may have made two alike


@dataclass(frozen=True)
class Sweep:
    """A base experiment, one or two axes, and how many seeds each cell is trained with.

    Raises
    ------
    SpecError
        If an axis is there twice, there are too many cells, or a value does not fit the base.
    """

    base: Experiment
    axes: tuple[Axis, ...]
    seeds: int = 1

    def __post_init__(self) -> None:
        if len(self.axes) not in (1, 2):
            raise SpecError(f"sweep: got {len(self.axes)} fields; give one or two.")
        if len({axis.path for axis in self.axes}) < len(self.axes):
            raise SpecError(f"{self.axes[0].label}: is swept twice; choose another second field.")
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise SpecError(f"seeds: got {self.seeds}; give 1 to {MAX_SEEDS}.")
        if len(self.axes) == 2 and max(self.shape[:-1]) > MAX_SIDE:
            raise SpecError(
                f"sweep: got a plane of {self.shape[0]} × {self.shape[1]}; each side may have at "
                f"most {MAX_SIDE} values."
            )
        count = math.prod(self.shape)
        if count > MAX_LANES:
            raise SpecError(
                f"sweep: asks for {count:,} models; give at most {MAX_LANES:,}, so fewer values "
                "or seeds."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """(values of each axis, ..., seeds)."""
        return (*(len(axis.values) for axis in self.axes), self.seeds)

    @property
    def name(self) -> str:
        """What is swept, from where to where: ``L2 λ 0 to 1``."""
        return " and ".join(f"{a.label} {a.texts[0]} to {a.texts[-1]}" for a in self.axes)

    @functools.cached_property
    def experiments(self) -> tuple[Experiment, ...]:
        """One lane for each cell and seed, the seed fastest."""
        return tuple(
            self.at(indices[:-1], indices[-1])
            for indices in itertools.product(*(range(n) for n in self.shape))
        )

    def at(self, cell: Sequence[int], seed: int = 0) -> Experiment:
        """Return the experiment of one cell, with the ``seed``-th of its seeds."""
        experiment = self.base
        for axis, i in zip(self.axes, cell, strict=True):
            experiment = experiment.replace(axis.path, axis.values[i])
        if seed:
            experiment = experiment.replace("training.seed", self.base.training.seed + seed)
        return experiment

    def lane(self, cell: Sequence[int], seed: int = 0) -> int:
        """Return the number of a cell's lane."""
        return int(np.ravel_multi_index((*cell, seed), self.shape))

    @property
    def command(self) -> str:
        """The command line that trains the same, number for number."""
        over = " ".join(f"--over {a.path}={','.join(a.texts)}" for a in self.axes)
        seeds = f" --seeds {self.seeds}" if self.seeds > 1 else ""
        return f"python -m regviz sweep experiment.json {over}{seeds} -o result.json"


def found_in(experiments: Sequence[Experiment]) -> Sweep:
    """Return the sweep whose lanes these experiments are, as in the result file of one.

    Raises
    ------
    SpecError
        If they are not all values of one or two fields, with the same seeds each.
    """
    flat = [_flat(e.to_dict()) for e in experiments]
    paths = [p for p in dict.fromkeys(itertools.chain(*flat)) if p not in PARTS]
    columns = {p: [of.get(p) for of in flat] for p in paths}
    columns = {p: c for p, c in columns.items() if any(value != c[0] for value in c)}
    seeds = len(dict.fromkeys(columns.pop("training.seed", [0])))
    # the slower a field changes, the further outside is its axis
    changes = {p: sum(a != b for a, b in itertools.pairwise(c)) for p, c in columns.items()}
    axes = []
    for path in sorted(columns, key=changes.__getitem__):
        values: list[Any] = []
        for value in columns[path]:
            if value not in values:
                values.append(value)
        axes.append(Axis(path, tuple(values)))
    if len(axes) in (1, 2):
        sweep = Sweep(experiments[0], tuple(axes), seeds)
        if sweep.experiments == tuple(experiments):
            return sweep
    raise SpecError(
        "sweep: these runs are not all values of one or two fields, each with the same seeds; give "
        "what `regviz sweep` writes for one spec."
    )


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = value
    return out


def sentence(sweep: Sweep, seen: Outcome) -> str:
    """Return the result of a sweep in sentences: the best value, its loss, what to mind."""
    best = seen.best()
    if best is None:
        return "No model of this sweep has a validation loss yet."
    mean = seen.mean("val_loss")
    cell = " and ".join(f"{a.label} = {a.texts[i]}" for a, i in zip(sweep.axes, best, strict=True))
    seeds = f" (mean of {sweep.seeds} seeds)" if sweep.seeds > 1 else ""
    text = f"Lowest validation loss {mean[best]:.3f}{seeds} at {cell}"
    zero = tuple(0 for _ in sweep.axes)
    if all(axis.values[0] == 0 for axis in sweep.axes) and best != zero:
        none = " and ".join(f"{axis.label} = 0" for axis in sweep.axes)
        text += f"; at {none} it is {mean[zero]:.3f}"
    text += "."
    choice = one_standard_error(sweep.axes[0], seen) if len(best) == 1 else None
    if choice is not None:
        axis = sweep.axes[0]
        same = "the same value" if choice == best[0] else f"{axis.texts[choice]}"
        text += f" The most regularized value within one standard error of it: {same}."
    ends = zip(sweep.axes, best, strict=True)
    numeric = [(i, a) for a, i in ends if all(isinstance(v, int | float) for v in a.values)]
    if any(i == len(a.values) - 1 or (i == 0 and a.values[0] > 0) for i, a in numeric):
        text += " The best lies at the edge of the range: widen it to be sure."
    gone = int(seen.diverged.sum())
    if gone:
        text += f" {gone} model{'s' if gone > 1 else ''} diverged."
    return text


MEASURES: Mapping[str, str] = {
    "val_loss": "Validation loss",
    "train_loss": "Training loss",
    "val_accuracy": "Validation accuracy",
    "gap": "Gap",
    "zeros": "Exact zeros",
    "best_epoch": "Best epoch",
}
"""Labels of what can be plotted, by its name in :class:`Outcome`."""


@dataclass(frozen=True)
class Outcome:
    """Results of the lanes of a sweep; every array is float64 of :attr:`Sweep.shape`.

    Losses are nats without the penalty, accuracies and ``gap`` (train minus validation accuracy)
    parts of 1, ``zeros`` the part of the weights that are exactly 0. nan: no epoch yet, or the
    lane diverged.
    """

    val_loss: NDArray[np.float64]
    train_loss: NDArray[np.float64]
    val_accuracy: NDArray[np.float64]
    gap: NDArray[np.float64]
    zeros: NDArray[np.float64]
    best_epoch: NDArray[np.float64]
    diverged: NDArray[np.bool_]

    def mean(self, measure: str) -> NDArray[np.float64]:
        """Return a measure's mean over the seeds, of the cells' shape; nan where any is."""
        mean: NDArray[np.float64] = getattr(self, measure).mean(axis=-1)
        return mean

    def standard_error(self, measure: str) -> NDArray[np.float64]:
        """Return s/√n over the seeds, with the n-1 in s²; nan for a single seed."""
        values = getattr(self, measure)
        n = values.shape[-1]
        if n < 2:
            return np.full(values.shape[:-1], np.nan)
        error: NDArray[np.float64] = values.std(axis=-1, ddof=1) / math.sqrt(n)
        return error

    def best(self) -> tuple[int, ...] | None:
        """Return the cell of the lowest mean validation loss; None while there is none."""
        mean = self.mean("val_loss")
        if not np.isfinite(mean).any():
            return None
        return tuple(int(i) for i in np.unravel_index(np.nanargmin(mean), mean.shape))


def outcome(sweep: Sweep, frame: Frame) -> Outcome:
    """Return the results of the lanes of ``frame``, a frame of ``sweep.experiments``.

    A lane's numbers are those of the epoch its weights come from: the best epoch if early stopping
    restored them.
    """
    rows = []
    for lane in frame.lanes:
        r = metrics.read(lane)
        seen = [r.val_loss, r.train_loss, r.val_accuracy, r.gap, r.zeros / max(1, r.weights)]
        best = float(r.best_epoch) if r.best_epoch else math.nan
        rows.append([math.nan] * 6 if lane.status == "diverged" else [*seen, best])
    columns = np.array(rows, np.float64).T.reshape(6, *sweep.shape)
    columns[~np.isfinite(columns)] = np.nan
    diverged = np.array([lane.status == "diverged" for lane in frame.lanes]).reshape(sweep.shape)
    val_loss, train_loss, val_accuracy, gap, zeros, best_epoch = columns
    return Outcome(val_loss, train_loss, val_accuracy, gap, zeros, best_epoch, diverged)


def one_standard_error(axis: Axis, seen: Outcome) -> int | None:
    """Return the one-standard-error choice on a sweep of one field: the most regularized value
    whose mean validation loss is at most one standard error of the best value's above the best.

    None with a single seed, and for a field of which more does not mean more regularization.
    Source: Breiman et al., Classification and Regression Trees (1984), section 3.4.3; Hastie,
    Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10.
    """
    best = seen.best()
    if best is None or not axis.field.more:
        return None
    mean, error = seen.mean("val_loss"), seen.standard_error("val_loss")
    if not np.isfinite(error[best]):
        return None
    within = np.flatnonzero(mean <= mean[best] + error[best])
    return int(max(within, key=lambda i: axis.values[i]))


def one_lane(frame: Frame, lanes: Sequence[int]) -> Frame:
    """Return the frame of some of its lanes, as if only those had been trained."""
    data = None if frame.data is None else tuple(frame.data[i] for i in lanes)
    return Frame(frame.epoch, frame.epochs, tuple(frame.lanes[i] for i in lanes), data)


def to_csv(sweep: Sweep, seen: Outcome) -> str:
    """Return the outcome as a table: a line for each model, a column for each field and measure."""
    lines = [",".join([*(a.path for a in sweep.axes), "training.seed", *MEASURES])]
    for indices in itertools.product(*(range(n) for n in sweep.shape)):
        cell = [a.texts[i] for a, i in zip(sweep.axes, indices[:-1], strict=True)]
        values = [getattr(seen, name)[indices] for name in MEASURES]
        numbers = ["" if math.isnan(v) else f"{v:.6g}" for v in values]
        lines.append(",".join([*cell, str(sweep.base.training.seed + indices[-1]), *numbers]))
    return "\n".join(lines) + "\n"
