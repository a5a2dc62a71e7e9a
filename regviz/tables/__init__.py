"""A table as people bring it: read by another process, then two inputs and a label are chosen.

``text``, ``workbook``
    bytes become rows of cells: encodings by chardet, dialects by CleverCSV, sheets by calamine.
``header``, ``cells``, ``columns``, ``reading``
    rows become named columns of numbers, dates or words: a :class:`Sheet`.
``apart``
    the same in a process of its own, with limits of time and memory, for a server.
``suggest``, ``labels``, ``choice``, ``remarks``
    a sheet becomes points of an experiment, and what there is to say about them.

This file needs only the standard library: the web process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

MAX_BYTES = 1_000_000
MAX_ROWS = 2_000
"""Rows that are read; of more than an experiment holds, an even selection is taken."""
MAX_COLUMNS = 100
MAX_LINE = 10_000
"""Characters of a line."""
MAX_CELL = 200
"""Characters of a cell that are looked at; of a longer one, its beginning."""

DECIMALS = (".", ",")

Kind = Literal["number", "date", "words", "nothing"]


@dataclass(frozen=True)
class Column:
    """One column, as it was understood.

    ``texts`` are the cells as they stood; of a column of numbers, ``values`` are what they mean,
    with None where nothing stands (``missing``) or no number does (``bad``, row by row).
    ``question`` is a sentence where the numbers can be read in two ways and nobody has said which.
    ``is_index`` says that it is the first column and the only one without a name, as pandas writes
    its index.
    """

    name: str
    is_named: bool
    kind: Kind
    texts: tuple[str, ...]
    values: tuple[float | None, ...] = ()
    missing: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    question: str = ""
    unit: str = ""
    is_index: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table: its columns, the line of the file that each row stood in, and what was done.

    ``ragged`` names lines with another number of cells than the table has, and that number;
    they are in no column. ``sheets`` are the names of a workbook's sheets, and ``sheet`` the one
    that was read.
    """

    columns: tuple[Column, ...]
    lines: tuple[int, ...]
    ragged: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    sheet: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns; no two are equal."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column of that name, which is there."""
        return next(column for column in self.columns if column.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping of all fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Sheet:
        """Read what :meth:`to_dict` wrote and JSON carried."""
        columns = (
            Column(**{name: _tuple(value) for name, value in column.items()})
            for column in mapping["columns"]
        )
        rest = {name: _tuple(value) for name, value in mapping.items() if name != "columns"}
        return cls(columns=tuple(columns), **rest)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(entry) for entry in value) if isinstance(value, list) else value


def quoted(text: str) -> str:
    """Return what a cell holds, in quotes, on one line and short."""
    plain = "".join(c if c.isprintable() else "�" for c in text[:40])
    return f"“{plain if len(text) <= 25 else plain[:24] + '…'}”"


def listed(texts: Sequence[str], most: int = 4) -> str:
    """Return some of the texts, the others as an ellipsis."""
    return ", ".join(texts[:most]) + (", …" if len(texts) > most else "")


def in_lines(numbers: Sequence[int], most: int = 20) -> str:
    """Return ``line 3`` or ``lines 3, 5 and 7``, of very many the first and their number."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) > most:
        shown = ", ".join(str(n) for n in numbers[:most])
        return f"lines {shown} and {len(numbers) - most:,} more"
    return f"lines {', '.join(str(n) for n in numbers[:-1])} and {numbers[-1]}"
