"""What a row of the table of fields holds; the table itself is :mod:`regviz.specs.fields`.

A row is declared with :func:`row`, as the default of a dataclass field. Everything that shows,
moves, sweeps or names a field reads it from there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regviz.specs.checks import Check
from regviz.specs.text import compact

# --- controls -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a page lets a user change a field.

    ``name`` is what pages call the control, ``label`` and ``help`` (a tooltip) what it shows; each
    that is empty is the field's.
    """

    name: str = ""
    label: str = ""
    help: str = ""


@dataclass(frozen=True)
class Slider(Control):
    """A slider with equal steps; whole numbers if all three numbers are."""

    low: float
    high: float
    step: float


@dataclass(frozen=True)
class Stops(Control):
    """A slider over given values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Choice(Control):
    """A list to choose from; an option is shown by its entry in ``texts``, or by ``pattern``."""

    options: tuple[Any, ...]
    texts: Mapping[Any, str] = field(default_factory=dict)
    pattern: str = "{}"

    def text(self, option: Any) -> str:
        """Return an option as the list shows it."""
        return self.texts.get(option) or self.pattern.format(option)


@dataclass(frozen=True)
class Switch(Control):
    """On or off."""


@dataclass(frozen=True)
class Number(Control):
    """A whole number to type, from ``low`` to ``high``."""

    low: int
    high: int


@dataclass(frozen=True)
class Custom(Control):
    """Controls with code of their own in :mod:`regviz.ui.controls`."""


# --- sweeps -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """The values a sweep of a field usually covers, from ``low`` to ``high``.

    Values are spaced evenly, or evenly in the logarithm if ``log``; ``zero`` puts 0, which no
    logarithmic range holds, before them. ``whole`` values are whole numbers. ``more`` says that a
    larger value regularizes more; the one-standard-error choice needs to know. A range that a user
    sets lies between ``least`` and ``most``.
    """

    low: float
    high: float
    log: bool = False
    zero: bool = False
    whole: bool = False
    more: bool = True
    least: float = 0.0
    most: float = math.inf

    @property
    def stops(self) -> tuple[float, ...]:
        """Where a range may begin and end: 1, 2, 5 in each decade, or even steps."""
        if self.log:
            first = math.floor(math.log10(self.low)) - 1
            last = math.ceil(math.log10(self.high)) + 1
            grid = (float(f"{m}e{e}") for e in range(first, last) for m in (1, 2, 5))
            return tuple(value for value in grid if self.least <= value <= self.most)
        step = 1.0 if self.whole else 0.05
        top = min(self.most, 2 * self.high)
        even = (round(i * step, 2) for i in range(round(top / step) + 1))
        return tuple(value for value in even if value <= self.most)


# --- the row ------------------------------------------------------------------------------------

NEVER = object()
"""``off`` of a field that is a setting: no value of it means that something is switched off."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Field:
    """One field of an experiment: what it may be, what it is called, where it can be changed.

    Attributes
    ----------
    path
        Its name in files and on the command line: ``regularization.l2``.
    default, check
        Value if nothing is given, and the check that every value passes.
    extension
        The field is newer than the file format. It is written only where it differs from the
        default, and last: files, links and cache keys from before it stay as they were.
    word, symbol
        Its name inside a sentence, and the letter for its value: ``input noise``, ``σ``.
    label
        Its name on the screen; word and symbol unless given.
    phrase, phrases
        A value in a caption: a pattern with ``{}``, and the values that read differently.
    name
        A value in the name of a run among others, where there is less room: a pattern with ``{}``.
    help
        What it does, in a sentence or two; the tooltip of its control if ``tooltip``.
    usual
        The range of values in common use, written below the control.
    control, variants, no_control
        The control of the Playground and of the lessons; the controls of lessons on other models
        or data; or the reason why there is none.
    after
        The path of the field above it in the Playground's panel; by default the row before it.
    sweep, no_sweep
        The range of its sweep, or the reason why the Sweep page does not offer it. The command line
        sweeps every field.
    no_caption
        The reason why captions do not show it.
    off
        The value that switches the technique off.
    kept
        Without regularization the field keeps its value, although it can be switched off.
    models, data
        Kinds of models and of data that use it; ``data`` empty: all.
    only_with
        Another field and the values of it that this one needs: ``("training.optimizer",
        ("sgd",))``. With other values the control is not drawn and names leave the field out.
    generated
        Own data has one value of it, so that its control is drawn for generated data only.
    part_of
        The technique that it belongs to where techniques are trained one by one.
    """

    path: str = ""
    default: Any
    check: Check
    extension: bool = False
    word: str
    symbol: str = ""
    label: str = ""
    phrase: str = ""
    phrases: Mapping[Any, str] = field(default_factory=dict)
    name: str = ""
    help: str = ""
    tooltip: bool = True
    usual: str = ""
    control: Control | None = None
    variants: tuple[Control, ...] = ()
    no_control: str = ""
    after: str = ""
    sweep: Range | None = None
    no_sweep: str = ""
    no_caption: str = ""
    off: Any = NEVER
    kept: bool = False
    models: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    only_with: tuple[str, tuple[Any, ...]] | None = None
    generated: bool = False
    part_of: str = ""

    def at(self, path: str) -> Field:
        """Return the row for the field at ``path``, with what follows from other entries."""
        text = f"{self.word} {self.symbol}".strip()
        return dataclasses.replace(
            self,
            path=path,
            label=self.label or text[:1].upper() + text[1:],
            phrase=self.phrase or (f"{text} = {{}}" if self.symbol else f"{text} {{}}"),
            name=self.name or f"{self.word} {{}}",
            part_of=self.part_of or path,
        )

    @property
    def group(self) -> str:
        """The first part of the path: data, model, regularization or training."""
        return self.path.partition(".")[0]

    @property
    def tail(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def control_name(self) -> str:
        """What pages call the field's first control."""
        return (self.control.name if self.control else "") or self.tail

    @property
    def short_name(self) -> str:
        """Its name among runs, without a value: ``input noise``."""
        return self.name.replace("{}", "").strip()

    @property
    def can_be_off(self) -> bool:
        """Whether a value of it switches something off."""
        return self.off is not NEVER

    @property
    def regularizes(self) -> bool:
        """Whether models without regularization have it switched off."""
        return self.can_be_off and not self.kept

    def applies(self, model: str, data: str) -> bool:
        """Whether this kind of model, on this kind of data, uses the field."""
        return (not self.models or model in self.models) and (not self.data or data in self.data)

    def is_on(self, value: Any) -> bool:
        """Whether a value switches the technique on; False for a setting."""
        if not self.can_be_off:
            return False
        if isinstance(value, (tuple, list)):
            return any(entry != self.off for entry in value)
        return bool(value != self.off)

    def caption(self, value: Any) -> str:
        """Return a value as captions show it: ``dropout p = 0.5``."""
        try:
            special = self.phrases.get(value)
        except TypeError:  # a list
            special = None
        return special if special is not None else self.phrase.format(_plain(value))

    def named(self, value: Any) -> str:
        """Return a value as the name of a run shows it: ``dropout 0.5``."""
        special = self.phrases.get(value) if value is None else None
        return special if special is not None else self.name.format(compact(value))


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{entry:g}" for entry in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def row(default: Any, check: Check, word: str, **entries: Any) -> Any:
    """Declare a dataclass field by its row; the entries are those of :class:`Field`."""
    made = Field(default=default, check=check, word=word, **entries)
    return field(default=default, metadata={"row": made})
