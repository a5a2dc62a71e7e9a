"""Comparisons: up to six configurations, each trained with several seeds, and their ranking.

A :class:`Comparison` holds what is compared; :attr:`Comparison.lanes` are its experiments, in the
order (configuration, seed) with the seed fastest; :func:`scores` turns a frame of them into
arrays of that shape. The functions are pure; none needs torch or a page.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz import specs
from regviz.frames import Frame
from regviz.results import metrics
from regviz.specs import FIELDS, OWN_FIELDS, Experiment, Field, SpecError
from regviz.specs.fields import GROUPS, OPTIMIZER_NAMES, SEEDS
from regviz.specs.text import compact, listed

MOST = 6
MAX_SEEDS = 10
MAX_NAME = 40
MOST_SETTINGS = 3
"""Most settings in a name; techniques are all in it."""


@dataclass(frozen=True)
class Entry:
    """One configuration; without a ``name`` it is named by the settings that differ.

    Raises
    ------
    SpecError
        If the name is too long, or holds < or >, which a figure or a page could read as markup.
    """

    experiment: Experiment
    name: str = ""

    def __post_init__(self) -> None:
        name = " ".join(self.name.split())
        if len(name) > MAX_NAME or not name.isprintable() or set(name) & set("<>"):
            raise SpecError(
                f"name: got {json.dumps(self.name[:60], ensure_ascii=False)}; give at most "
                f"{MAX_NAME} characters, and neither < nor >."
            )
        object.__setattr__(self, "name", name)


@dataclass(frozen=True)
class Comparison:
    """Up to :data:`MOST` configurations and how many seeds each is trained with.

    Raises
    ------
    SpecError
        If there are none or too many.
    """

    entries: tuple[Entry, ...]
    seeds: int = 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= MOST:
            raise SpecError(
                f"comparison: got {len(self.entries)} configurations; give 1 to {MOST}."
            )
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise SpecError(f"seeds: got {self.seeds}; give 1 to {MAX_SEEDS}.")

    @classmethod
    def of(cls, experiments: Sequence[Experiment], seeds: int = 1) -> Comparison:
        """Return a comparison of configurations without given names."""
        return cls(tuple(Entry(e) for e in experiments), seeds)

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The configurations, each with its first seed."""
        return tuple(entry.experiment for entry in self.entries)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each configuration: the given one, else the settings that differ."""
        return _unique(
            [
                entry.name or name
                for entry, name in zip(self.entries, names_of(self.experiments), strict=True)
            ]
        )

    @functools.cached_property
    def lanes(self) -> tuple[Experiment, ...]:
        """Every configuration with every seed, the seed fastest."""
        return tuple(
            e if not k else e.replace("training.seed", (e.training.seed + k) % SEEDS)
            for e in self.experiments
            for k in range(self.seeds)
        )

    @property
    def apart(self) -> tuple[int, ...]:
        """Indices of configurations whose data or seed differ from those of the first."""
        first = _draws(self.experiments[0])
        return tuple(i for i, e in enumerate(self.experiments) if _draws(e) != first)

    @property
    def key(self) -> frozenset[str]:
        """The same for comparisons of the same experiments, whatever their names and order."""
        return frozenset(e.canonical_json() for e in self.experiments)

    @property
    def conditions(self) -> str:
        """One sentence on what all configurations share, and in what they differ."""
        first = self.experiments[0]
        if len(self.entries) == 1:
            return "There is one configuration: add another to compare them."
        if self.apart:
            others = ", ".join(f"“{self.names[i]}”" for i in self.apart)
            return (
                f"Not a fair comparison yet: {others} and “{self.names[0]}” differ in data or seed."
            )
        data = first.data

        def count(of: Callable[[Experiment], object]) -> int:
            return len({of(e) for e in self.experiments})

        shape = count(
            lambda e: (e.model.kind, e.model.hidden, e.model.init_scale, e.model.embedding)
        )
        batches = count(lambda e: e.training.batch_size)
        same = ["split"]
        same += ["initial weights"] * (shape == 1) + ["batches"] * (batches == 1)
        other = ["initial weights from the same seed"] * (shape > 1)
        other += ["the same order in batches of different size"] * (batches > 1)
        more = f"; {', '.join(other)}" if other else ""
        first_seed = first.training.seed
        seeds = f"seed {first_seed}"
        if self.seeds > 1:
            seeds = f"seeds {first_seed}–{first_seed + self.seeds - 1}, plots show the first"
        return (
            f"All on the same {data.n_samples} samples ({data.kind}, data seed {data.seed}), "
            f"{listed(same)}{more}; {seeds}."
        )

    # --- changes: each returns another comparison -----------------------------------------------

    def add(self, experiment: Experiment) -> Comparison:
        """Return the comparison with one configuration more.

        Raises
        ------
        SpecError
            If it is full, or holds this very configuration.
        """
        if experiment in self.experiments:
            name = self.names[self.experiments.index(experiment)]
            raise SpecError(f"The comparison already has this configuration, as “{name}”.")
        if len(self.entries) >= MOST:
            raise SpecError(
                f"The comparison already has {MOST} configurations; remove one there first."
            )
        return dataclasses.replace(self, entries=(*self.entries, Entry(experiment)))

    def remove(self, i: int) -> Comparison:
        """Return the comparison without one configuration."""
        return self._with([*self.entries[:i], *self.entries[i + 1 :]])

    def duplicate(self, i: int) -> Comparison:
        """Return the comparison with a configuration twice, the second to be changed."""
        twin = Entry(self.entries[i].experiment)
        return self._with([*self.entries[: i + 1], twin, *self.entries[i + 1 :]])

    def move(self, i: int, to: int) -> Comparison:
        """Return the comparison with a configuration in another place."""
        entries = [*self.entries[:i], *self.entries[i + 1 :]]
        entries.insert(to, self.entries[i])
        return self._with(entries)

    def rename(self, i: int, name: str) -> Comparison:
        """Return the comparison with a configuration called ``name``; empty: by what differs."""
        return self._put(i, dataclasses.replace(self.entries[i], name=name))

    def change(self, i: int, experiment: Experiment) -> Comparison:
        """Return the comparison with another experiment in one place."""
        return self._put(i, dataclasses.replace(self.entries[i], experiment=experiment))

    def alike(self) -> Comparison:
        """Return the comparison with all on the first one's data and seed.

        Raises
        ------
        SpecError
            If a model cannot be trained on these data.
        """
        first = self.experiments[0]
        entries = []
        for entry, name in zip(self.entries, self.names, strict=True):
            training = dataclasses.replace(entry.experiment.training, seed=first.training.seed)
            try:
                e = dataclasses.replace(entry.experiment, data=first.data, training=training)
            except SpecError as error:
                raise SpecError(f"“{name}” cannot be trained on these data: {error}") from None
            entries.append(dataclasses.replace(entry, experiment=e))
        return self._with(entries)

    def _put(self, i: int, entry: Entry) -> Comparison:
        return self._with([*self.entries[:i], entry, *self.entries[i + 1 :]])

    def _with(self, entries: Sequence[Entry]) -> Comparison:
        return dataclasses.replace(self, entries=tuple(entries))


def _draws(e: Experiment) -> tuple[object, int]:
    return e.data, e.training.seed


_BASE: dict[str, Any] = {
    "data": {"n_samples": 300, "noise": 0.35},
    "model": {"hidden": [64, 64]},
    "training": {"lr": 0.005, "epochs": 300},
}


def _start(regularization: Mapping[str, Any], **training: Any) -> Experiment:
    return Experiment.from_dict(
        {
            **_BASE,
            "regularization": regularization,
            "training": {**_BASE["training"], **training},
        }
    )


START = Comparison.of(
    (
        _start({}),
        _start({"dropout": 0.5}),
        _start({"l2": 0.01}),
        _start({"weight_decay": 1.0}, optimizer="adamw"),
        _start({"early_stopping": {"patience": 10}}),
        _start({"dropout": 0.3, "l2": 0.003, "early_stopping": {"patience": 30}}),
    ),
    seeds=5,
)
"""The comparison that the page opens with."""


# --- names: by what differs -------------------------------------------------------------------


def _dropout(e: Experiment) -> str:
    r = e.regularization
    rates = r.dropout if isinstance(r.dropout, tuple) else (r.dropout,)
    kind = "" if r.dropout_kind == "standard" else f"{r.dropout_kind} "
    return f"{kind}dropout {'/'.join(map(compact, rates))}" if any(e.dropout_rates) else ""


def _early(e: Experiment) -> str:
    rule = e.regularization.early_stopping
    if rule is None:
        return ""
    more = f" Δ{compact(rule.min_delta)}" if rule.min_delta else ""
    kept = "" if rule.restore_best_weights else ", last weights"
    return f"early stopping {rule.patience}{more}{kept}"


def _augmented(e: Experiment) -> str:
    values = {
        row: e.get(row.path)
        for row in FIELDS.values()
        if row.path.startswith("regularization.augmentation.")
    }
    return " ".join(row.named(value) for row, value in values.items() if value)


_SPECIAL: dict[str, Callable[[Experiment], str]] = {
    "regularization.dropout": _dropout,
    "regularization.early_stopping": _early,
    "regularization.augmentation": _augmented,
    "model.hidden": lambda e: "–".join(map(str, e.model.hidden)) or "linear",
    "model.norm_position": lambda e: f"norm {e.model.norm_position}" if e.model.norm else "",
    "training.optimizer": lambda e: OPTIMIZER_NAMES[e.training.optimizer],
    "data.val_fraction": lambda e: f"{compact(100 * e.data.val_fraction)} % validation",
}
"""Fields whose names need other fields, or more than a pattern; a dropout kind is part of its
dropout."""


def _say(row: Field, e: Experiment) -> str:
    """Return a field as the name of a run has it; "" if it is off or the run does not use it."""
    if row.path in _SPECIAL:
        return _SPECIAL[row.path](e)
    value = e.get(row.path)
    if row.can_be_off and not row.is_on(value):
        return ""
    if row.models and e.model.kind not in row.models and not row.can_be_off:
        return ""
    if row.only_with and e.get(row.only_with[0]) not in row.only_with[1]:
        return ""
    return row.named(value)


_ALONE = [
    row
    for row in FIELDS.values()
    if row.path.rpartition(".")[0] in GROUPS and row.tail not in (*OWN_FIELDS, "dropout_kind")
]
"""The fields that get a part of a name."""
_TECHNIQUES = sorted(
    (row for row in _ALONE if row.can_be_off), key=lambda row: row.group != "regularization"
)
"""What may be on or off: the techniques that regularize, then the others."""
_ORDER = ("model", "training", "data")
_SETTINGS = sorted(
    (row for row in _ALONE if not row.can_be_off),
    key=lambda row: (
        (2, 0) if row.tail == "seed" else
        (0, 0) if row.path == "data.kind" else
        (1, _ORDER.index(row.group))
    ),
)  # fmt: skip
"""What every experiment has one way or another: data set, model, training, data, seeds."""


def names_of(experiments: Sequence[Experiment]) -> list[str]:
    """Return a name for each experiment: the techniques that it has and another has not, or not
    so strongly, then the settings in which it differs from most.

    Equal experiments get equal names. One alone, or all alike, are called by all they have.
    """
    on = {row.short_name: [_say(row, e) for e in experiments] for row in _TECHNIQUES}
    kinds = {text for text in on["norm"] if text}
    if len(kinds) == 1:  # there is one kind of norm: its name says nothing
        on["norm"] = ["norm" if text else "" for text in on["norm"]]
    differing = {name: texts for name, texts in on.items() if len(set(texts)) > 1}
    said = [[_say(row, e) for e in experiments] for row in _SETTINGS]
    settings = [texts for texts in said if len(set(texts) - {""}) > 1]
    names = []
    for i, e in enumerate(experiments):
        parts = [texts[i] for texts in differing.values() if texts[i]]
        if differing and not parts:
            nothing = not e.regularized
            parts = ["no regularization"] if nothing else [f"no {', no '.join(differing)}"]
        others = []
        for texts in settings:
            usual = Counter(filter(None, texts)).most_common(1)[0][0]
            if texts[i] and (not differing or texts[i] != usual):
                others.append(texts[i])
        parts += others[:MOST_SETTINGS] + ["…"] * (len(others) > MOST_SETTINGS)
        if not parts:
            parts = [texts[i] for texts in on.values() if texts[i]] or ["no regularization"]
        if len(parts) > 1 and parts[0] == "no regularization":
            parts = parts[1:]
        names.append(" + ".join(parts))
    return names


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Number those that are there already: ``L1 0.1``, ``L1 0.1 (2)``."""
    out: list[str] = []
    for name in names:
        numbered = (f"{name} ({k})" for k in itertools.count(2))
        out.append(name if name not in out else next(n for n in numbered if n not in out))
    return tuple(out)


# --- links and files --------------------------------------------------------------------------


def to_link(comparison: Comparison) -> str:
    """Return the comparison, names and seeds included, as the value of a query parameter."""
    return specs.pack_link(
        {
            "experiments": [specs.to_small(e) for e in comparison.experiments],
            "names": [entry.name for entry in comparison.entries],
            "seeds": comparison.seeds,
        }
    )


def from_link(link: str) -> Comparison:
    """Read what :func:`to_link` wrote.

    Raises
    ------
    SpecError
        If the text was cut, changed, is too long, or holds something that is no comparison.
    """
    value = specs.unpack_link(link, "comparison")
    wrong = SpecError("the link does not hold a comparison; copy it from the Compare page.")
    if not isinstance(value, dict) or set(value) != {"experiments", "names", "seeds"}:
        raise wrong
    experiments = specs.experiments_from_value({"experiments": value["experiments"]})
    names, seeds = value["names"], value["seeds"]
    if not isinstance(names, list) or len(names) != len(experiments):
        raise wrong
    if not isinstance(seeds, int) or not all(isinstance(name, str) for name in names):
        raise wrong
    return Comparison(tuple(map(Entry, experiments, names)), seeds)


def to_json(comparison: Comparison) -> str:
    """Return the configurations as a file of experiments, which the command line takes too."""
    return json.dumps({"experiments": [e.to_dict() for e in comparison.experiments]}, indent=2)


def from_json(text: str | bytes, seeds: int) -> Comparison:
    """Read a file of experiments.

    Raises
    ------
    SpecError
        If it is none, or holds more than a comparison does.
    """
    experiments = specs.experiments_from_json(text)
    if len(experiments) > MOST:
        raise SpecError(
            f"experiments: got {len(experiments)}; a comparison takes at most {MOST}, so keep "
            "those in the file."
        )
    return Comparison.of(experiments, seeds)


# --- results ----------------------------------------------------------------------------------

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Results of the lanes; every array is float64 (configurations, seeds).

    Losses are nats without the penalty, accuracies parts of 1, ``gap`` is train minus validation
    accuracy, ``zeros`` weights that are exactly 0. nan: no epoch yet, or the lane diverged;
    ``test_*`` also before the run has ended.
    """

    val_loss: Array
    train_loss: Array
    val_accuracy: Array
    train_accuracy: Array
    gap: Array
    best_epoch: Array
    zeros: Array
    weights: Array
    test_loss: Array
    test_accuracy: Array
    diverged: NDArray[np.bool_]

    def order(self, measure: str = "val_loss") -> list[int]:
        """Return the configurations by a loss's mean over seeds, the lowest first; those without
        one come last, as they stand."""
        mean = getattr(self, measure).mean(axis=1)
        return sorted(range(len(mean)), key=lambda i: (not np.isfinite(mean[i]), mean[i], i))


MEASURES = tuple(f.name for f in dataclasses.fields(Scores) if f.name != "diverged")


def scores(comparison: Comparison, frame: Frame) -> Scores:
    """Return the results of the lanes of ``frame``, a frame of ``comparison.lanes``.

    A lane's numbers are those of the epoch its weights come from: the best epoch if early stopping
    restored them.
    """
    rows = []
    for lane in frame.lanes:
        r = metrics.read(lane)
        test = (math.nan, math.nan) if lane.test is None else tuple(map(float, lane.test))
        seen = (r.val_loss, r.train_loss, r.val_accuracy, r.train_accuracy, r.gap)
        best = float(r.best_epoch) if r.best_epoch else math.nan
        known = (*seen, best, float(r.zeros), float(r.weights), *test)
        rows.append([math.nan] * len(known) if lane.status == "diverged" else known)
    shape = len(comparison.entries), comparison.seeds
    columns = np.array(rows, np.float64).T.reshape(-1, *shape)
    columns[~np.isfinite(columns)] = np.nan
    diverged = np.array([lane.status == "diverged" for lane in frame.lanes]).reshape(shape)
    named = dict(zip(MEASURES, columns, strict=True))
    return Scores(**named, diverged=diverged)


def mean_and_error(values: Array) -> tuple[float, float]:
    """Return the mean over the seeds and its standard error s/√n, with the n-1 in s²; the error
    is nan for a single seed."""
    n = len(values)
    error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return float(values.mean()), error


def written(values: Array) -> str:
    """Return mean ± standard error as text."""
    mean, error = mean_and_error(values)
    if not math.isfinite(mean):
        return "–"
    return f"{mean:.3f}" if math.isnan(error) else f"{mean:.3f} ± {error:.3f}"


def difference(a: Array, b: Array) -> tuple[float, float]:
    """Return the mean of b - a, seed by seed, and its standard error.

    Both share each seed, so the effect of the seed itself cancels in the difference.
    """
    return mean_and_error(b - a)


def said(shown: Comparison, seen: Scores) -> str:
    """Return which configuration leads on validation, and whether the next is clearly behind."""
    names = shown.names
    order = [i for i in seen.order() if np.isfinite(seen.val_loss[i]).all()]
    if not order:
        return "No configuration has a validation loss: all of them diverged."
    first = order[0]
    text = f"Lowest validation loss: “{names[first]}”, {written(seen.val_loss[first])}"
    rule = shown.experiments[first].regularization.early_stopping
    if rule is not None and rule.restore_best_weights:
        text += " (its best epoch was chosen by this loss)"
    if len(order) < 2:
        return f"{text}."
    second = order[1]
    text += f"; next: “{names[second]}”, {written(seen.val_loss[second])}."
    if shown.apart:
        return f"{text} But they are not all on the same data and seed."
    if shown.seeds == 1:
        return f"{text} One seed only: that may be luck."
    ahead, error = difference(seen.val_loss[first], seen.val_loss[second])
    verdict = (
        "more than two standard errors"
        if ahead > 2 * error
        else "not more than two standard errors, so these seeds cannot separate them"
    )
    return f"{text} Paired difference over seeds: {ahead:.3f} ± {error:.3f}, {verdict}."


def holds(shown: Comparison, seen: Scores) -> str:
    """Return whether the ranking by validation loss holds on the test set."""
    names = shown.names
    known = [i for i in seen.order() if np.isfinite([seen.val_loss[i], seen.test_loss[i]]).all()]
    if len(known) < 2:
        return "There is no ranking to check: fewer than two configurations have a test loss."
    test = seen.test_loss.mean(axis=1)
    pairs = list(itertools.combinations(known, 2))  # the first one ahead on validation
    turned = [(a, b) for a, b in pairs if test[a] > test[b]]
    best, winner = known[0], min(known, key=lambda i: test[i])
    if not turned:
        text = f"The ranking holds: the order of all {len(known)} is the same on the test set."
    else:
        text = (
            f"The ranking does not hold in full: {len(turned)} of {len(pairs)} pairs are in "
            "the opposite order on the test set"
        )
        if shown.seeds > 1:
            gaps = (difference(seen.val_loss[a], seen.val_loss[b]) for a, b in turned)
            near = sum(mean <= 2 * error for mean, error in gaps)
            text += f", {near} of them within two standard errors on validation"
        place = sorted(known, key=lambda i: test[i]).index(best) + 1
        stays = f"“{names[best]}” stays first"
        falls = f"“{names[best]}” is number {place} there, “{names[winner]}” is first"
        text += f"; {stays if winner == best else falls}."
    return (
        f"{text} The first on validation has validation loss {written(seen.val_loss[best])} and "
        f"test loss {written(seen.test_loss[best])}."
    )
