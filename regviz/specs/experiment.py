"""An experiment as one frozen value: everything that decides a run, seeds included.

Equal experiments give equal runs. The value round-trips to JSON and to a canonical JSON text (the
key of caches); :mod:`regviz.specs.links` makes short links of it. Every way in ends in the same
checks: a value that does not fit raises :class:`~regviz.specs.SpecError` with one sentence that
names the field, the value got and what to do.

This package needs only the standard library: the web process and the command line import it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regviz.specs.checks import SpecError, did_you_mean, shown
from regviz.specs.fields import (
    DROPOUT_KINDS,
    FIELDS,
    IMAGE_KINDS,
    NORMS,
    PARTS,
    SEQUENCE_KINDS,
    DataSpec,
    Group,
    ModelSpec,
    RegularizationSpec,
    TrainingSpec,
    field_names,
    from_mapping,
    known_paths,
    part,
    to_mapping,
)

SMALL_REMAINDER = 0.25
"""A last batch of at most this share of the batch size joins the batch before it."""

MAX_LANES = 1024
"""Most experiments in one file or one job."""


def batch_ends(n: int, batch_size: int | None) -> list[int]:
    """Return where each mini-batch of an epoch of ``n`` points ends; ``None`` is the full batch.

    A remainder of one point, or of at most a quarter of the batch size, joins the batch before it:

    >>> batch_ends(70, 32), batch_ends(73, 32)
    ([32, 70], [32, 64, 73])

    A step on a few points is as long as one on a full batch, but mostly noise. Batch norm suffers
    more: the variance of one point is 0, so the running variance, which every evaluation uses,
    settled at 0.47 of the true one (385 points, batches of 32). torch raises an error there,
    fastai drops such a batch; joining it leaves out no point. The rule is the same with and
    without batch norm, so that compared models see the same batches.
    """
    size = min(batch_size or n, n)
    ends = list(range(size, n + 1, size))
    remainder = n - ends[-1]
    if remainder > max(1, SMALL_REMAINDER * size):
        return [*ends, n]
    ends[-1] = n
    return ends


@dataclass(frozen=True)
class Experiment(Group):
    """One run, fully described. Make it with keywords, from a mapping, a file or a link.

    Raises
    ------
    SpecError
        For a value that is out of range, of the wrong type or unknown; it names the field.
    """

    data: DataSpec = field(default_factory=DataSpec, metadata={"check": part(DataSpec)})
    model: ModelSpec = field(default_factory=ModelSpec, metadata={"check": part(ModelSpec)})
    regularization: RegularizationSpec = field(
        default_factory=RegularizationSpec, metadata={"check": part(RegularizationSpec)}
    )
    training: TrainingSpec = field(
        default_factory=TrainingSpec, metadata={"check": part(TrainingSpec)}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        dropout, hidden = self.regularization.dropout, self.model.hidden
        if isinstance(dropout, tuple) and len(dropout) != len(hidden):
            raise SpecError(
                f"regularization.dropout: got {len(dropout)} rates for {len(hidden)} hidden "
                "layers; give one rate, or one for each hidden layer."
            )
        if self.n_val < 1 or self.n_train < 2:
            raise SpecError(
                f"data.val_fraction: got {self.data.val_fraction:g}, which leaves {self.n_train} "
                f"training and {self.n_val} validation points of {self.data.n_samples}; "
                "give more samples or another fraction."
            )
        if self.data.kind == "digits" and self.data.n_samples > 1700:
            raise SpecError(
                f"data.n_samples: got {self.data.n_samples}; the digits hold 1797 images and "
                "some are kept as the test set, so give at most 1700."
            )
        _check_kinds(self)

    @property
    def n_val(self) -> int:
        """Number of validation points."""
        return round(self.data.n_samples * self.data.val_fraction)

    @property
    def n_train(self) -> int:
        """Number of training points."""
        return self.data.n_samples - self.n_val

    @property
    def dropout_rates(self) -> tuple[float, ...]:
        """The dropout rate of each hidden layer."""
        p = self.regularization.dropout
        return p if isinstance(p, tuple) else (p,) * len(self.model.hidden)

    @classmethod
    def from_dict(cls, mapping: object) -> Experiment:
        """Read an experiment from the mapping that its JSON text holds."""
        return from_mapping(cls, "", mapping)

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping of all fields, ready for JSON."""
        return to_mapping(self)

    def canonical_json(self) -> str:
        """Return the one text that equal experiments share."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def get(self, path: str) -> Any:
        """Return the value of the field at ``path``; None for a part that is switched off."""
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name, None)
        return value

    def replace(self, path: str, value: object) -> Experiment:
        """Return this experiment with the field at ``path`` (``"data.noise"``) set to ``value``.

        ``regularization.early_stopping.patience`` and its siblings switch early stopping on;
        ``regularization.augmentation.degrees`` and its siblings work alike.
        """
        mapping = self.to_dict()
        *groups, last = path.split(".")
        at: Any = mapping
        for name in groups:
            if name in _PARTS and isinstance(at, dict) and at.get(name) is None:
                at[name] = to_mapping(_PARTS[name]())
            at = at.get(name) if isinstance(at, dict) else None
        if not isinstance(at, dict) or (last not in at and path not in field_names()):
            meant = did_you_mean(path, known_paths())
            raise SpecError(
                f"{path[:80]}: no such field{meant}; choose one of {', '.join(field_names())}."
            )
        at[last] = value
        return Experiment.from_dict(mapping)

    def without_regularization(self) -> Experiment:
        """Return the twin: the same, with every technique that regularizes switched off."""
        off: dict[str, dict[str, Any]] = {}
        for row in _TECHNIQUES:
            off.setdefault(row.group, {})[row.tail] = row.off
        groups = {
            group: dataclasses.replace(getattr(self, group), **changes)
            for group, changes in off.items()
        }
        return dataclasses.replace(self, **groups)

    @property
    def regularized(self) -> bool:
        """Whether any technique is on that :meth:`without_regularization` switches off."""
        return any(row.is_on(self.get(row.path)) for row in _TECHNIQUES)


_PARTS = {path.rpartition(".")[2]: cls for path, cls in PARTS.items()}
_TECHNIQUES = [row for row in FIELDS.values() if row.regularizes and row.path.count(".") == 1]


def _check_kinds(e: Experiment) -> None:
    """Refuse fields that do not fit this kind of data or of model.

    Raises
    ------
    SpecError
        Names the field to change, its value, and what to do.
    """
    data, model, regularization = e.data, e.model, e.regularization
    image, sequence = data.kind in IMAGE_KINDS, data.kind in SEQUENCE_KINDS

    def refuse(name: str, reason: str) -> None:
        value = e.get(name)
        value = list(value) if isinstance(value, tuple) else value
        value = to_mapping(value) if dataclasses.is_dataclass(value) else value
        raise SpecError(f"{name}: got {shown(value)}; {reason}.")

    fitting = ("lstm", "transformer") if sequence else ("mlp", "cnn") if image else ("mlp",)
    if model.kind not in fitting:
        refuse("model.kind", f"for data.kind {data.kind} choose {' or '.join(fitting)}")
    if sequence:
        if data.noise > 1:
            refuse("data.noise", "in a sequence it is a probability, so give at most 1")
        if data.irrelevant_features:
            refuse("data.irrelevant_features", f"data.kind {data.kind} has none, so give 0")
        if regularization.input_noise:
            refuse("regularization.input_noise", "noise cannot be added to tokens, so give 0")
    if regularization.augmentation is not None:
        if not image:
            refuse("regularization.augmentation", f"data.kind {data.kind} has no images: remove it")
        if data.irrelevant_features:
            refuse("data.irrelevant_features", "only whole images can be augmented, so give 0")
    if model.kind == "cnn":
        if data.irrelevant_features:
            refuse("data.irrelevant_features", "a cnn takes images only, so give 0")
        if not model.hidden:
            refuse("model.hidden", "a cnn needs the channels of at least one convolution")
    if model.kind == "lstm":
        if len(model.hidden) != 1:
            refuse("model.hidden", "an lstm has one layer here, so give one number of units")
        if model.activation != ModelSpec.activation:
            refuse(
                "model.activation",
                f"an lstm always uses sigmoid gates and tanh, so leave {ModelSpec.activation}",
            )
    if model.kind == "transformer":
        if not model.hidden:
            refuse("model.hidden", "give the feed-forward units of at least one block")
        if model.embedding % model.heads:
            refuse("model.heads", f"give a divisor of model.embedding, which is {model.embedding}")
    norms = {"mlp": NORMS, "cnn": ("batch",), "lstm": (), "transformer": ("layer",)}[model.kind]
    if model.norm is not None and model.norm not in norms:
        refuse("model.norm", f"for model.kind {model.kind} choose {' or '.join((*norms, 'null'))}")
    if model.norm == "batch" and e.training.batch_size == 1:
        refuse(
            "training.batch_size",
            "batch norm needs the variance over a batch, and one sample has none, so give at least "
            "2, null for the full batch, or another model.norm",
        )
    kinds = {"mlp": ("standard", "alpha"), "cnn": DROPOUT_KINDS}.get(model.kind, ("standard",))
    if regularization.dropout_kind not in kinds:
        refuse(
            "regularization.dropout_kind",
            f"for model.kind {model.kind} choose {' or '.join(kinds)}",
        )
    for row in _TECHNIQUES:
        if row.models and model.kind not in row.models and row.is_on(e.get(row.path)):
            refuse(row.path, f"only model.kind {' or '.join(row.models)} uses it, so give 0")


# --- files --------------------------------------------------------------------------------------


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise SpecError(f"{key[:80]}: given twice in one object; keep one of them.")
        out[key] = value
    return out


def parse_json(text: str | bytes) -> Any:
    """Parse JSON from outside.

    Raises
    ------
    SpecError
        If it is not JSON, in one sentence.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        # NaN and Infinity, which Python reads as numbers, are refused later, by their field
        return json.loads(text, object_pairs_hook=_refuse_twice)
    except SpecError:
        raise
    except json.JSONDecodeError as error:
        raise SpecError(
            f"the file is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except UnicodeDecodeError:
        raise SpecError("the file is not JSON: it is not UTF-8 text.") from None
    except RecursionError:
        raise SpecError("the file is nested too deeply; give an experiment object.") from None
    except ValueError:  # a whole number of thousands of digits
        raise SpecError("the file holds a number too long to read; give a shorter one.") from None


def experiments_from_json(text: str | bytes) -> tuple[Experiment, ...]:
    """Read one experiment, or ``{"experiments": [...]}``, from JSON text."""
    return experiments_from_value(parse_json(text))


def experiments_from_value(value: object) -> tuple[Experiment, ...]:
    """Read one experiment, or ``{"experiments": [...]}``, from a parsed JSON value."""
    if not (isinstance(value, Mapping) and "experiments" in value):
        return (Experiment.from_dict(value),)
    entries = value["experiments"]
    others = [key for key in value if key != "experiments"]
    if others:
        raise SpecError(f"{str(others[0])[:80]}: unknown field beside 'experiments'; remove it.")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_LANES:
        got = f"{len(entries)} entries" if isinstance(entries, list) else shown(entries)
        raise SpecError(f"experiments: got {got}; give a list of 1 to {MAX_LANES} experiments.")
    out = []
    for i, entry in enumerate(entries):
        try:
            out.append(Experiment.from_dict(entry))
        except SpecError as error:
            raise SpecError(f"experiments[{i}]: {error}") from None
    return tuple(out)


def experiments_to_json(experiments: Sequence[Experiment], *, indent: int | None = 2) -> str:
    """Write experiments as the file that :func:`experiments_from_json` reads."""
    mappings = [e.to_dict() for e in experiments]
    points = [m["data"]["points"] for m in mappings if "points" in m["data"]]
    if indent is not None:  # a point a line, not a number a line
        for mapping in mappings:
            if "points" in mapping["data"]:
                mapping["data"]["points"] = _PLACE
    whole = mappings[0] if len(mappings) == 1 else {"experiments": mappings}
    first, *others = json.dumps(whole, indent=indent).split(json.dumps(_PLACE))
    pad = " " * (indent or 0) * (2 if len(mappings) == 1 else 4)
    text = first
    for own, rest in zip(points, others, strict=False):
        text += "[\n" + ",\n".join(f"{pad}{json.dumps(p)}" for p in own) + "]" + rest
    return text


_PLACE = "<points>"
"""Placeholder in the text; no name may contain < or >."""


def canonical_key(experiments: Iterable[Experiment]) -> str:
    """Return the text that equal lists of experiments share: the key of caches."""
    return "[" + ",".join(e.canonical_json() for e in experiments) + "]"
