"""Tables that users upload or paste: another process reads them, then two columns become the inputs
and one the label.

``text``, ``workbook``
    bytes become rows of cells: encodings by chardet, dialects by CleverCSV, sheets by calamine.
``header``, ``cells``, ``columns``, ``reading``
    rows become named columns of numbers, dates or words: a :class:`Sheet`.
``process``
    runs the reader in a separate process with limits of time and memory, for a server.
``suggest``, ``labels``, ``choice``, ``remarks``
    a sheet becomes points of an experiment, with notes for the user.

This file needs only the standard library: the web process imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

MAX_BYTES = 1_000_000
MAX_ROWS = 2_000
"""Rows that are read; a longer table is refused. An experiment uses an even selection of them."""
MAX_COLUMNS = 100
MAX_LINE = 10_000
"""Characters per line; a longer line is refused."""
MAX_CELL = 200
"""Characters per cell; a longer cell is cut, and is never a number."""

DECIMALS = (".", ",")

Kind = Literal["number", "date", "words", "nothing"]


@dataclass(frozen=True)
class Column:
    """One column and how its cells were read.

    ``texts`` are the cells of the file. In a column of numbers, ``values`` are the parsed numbers,
    None in rows without a value (``missing``) or with something else than a number (``bad``); both
    hold row indices. ``question`` is a sentence for the user if the decimal sign is ambiguous.
    ``is_index`` is True for a first column that is the only one without a name, as pandas writes
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
    """A table: its columns, the line number of each row in the file, and notes on the reading.

    ``ragged`` holds (line, number of cells) for rows whose number of cells differs from the
    table's; they are in no column. ``sheets`` are the names of a workbook's sheets, ``sheet`` the
    name of the one that was read.
    """

    columns: tuple[Column, ...]
    lines: tuple[int, ...]
    ragged: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    sheet: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The unique names of the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column with this name, which must exist."""
        return next(column for column in self.columns if column.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a mapping of JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Sheet:
        """Build a sheet from :meth:`to_dict`'s mapping after a round trip through JSON."""
        columns = (
            Column(**{name: _tuple(value) for name, value in column.items()})
            for column in mapping["columns"]
        )
        rest = {name: _tuple(value) for name, value in mapping.items() if name != "columns"}
        return cls(columns=tuple(columns), **rest)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(entry) for entry in value) if isinstance(value, list) else value


def quoted(text: str) -> str:
    """Return a cell's text in quotes, on one line, shortened to 25 characters."""
    plain = "".join(c if c.isprintable() else "�" for c in text[:40])
    return f"“{plain if len(text) <= 25 else plain[:24] + '…'}”"


def listed(texts: Sequence[str], most: int = 4) -> str:
    """Return the first ``most`` texts, then an ellipsis if there are more."""
    return ", ".join(texts[:most]) + (", …" if len(texts) > most else "")


def in_lines(numbers: Sequence[int], most: int = 20) -> str:
    """Return ``line 3`` or ``lines 3, 5 and 7``; beyond ``most`` lines, the number of the rest."""
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    if len(numbers) > most:
        shown = ", ".join(str(n) for n in numbers[:most])
        return f"lines {shown} and {len(numbers) - most:,} more"
    return f"lines {', '.join(str(n) for n in numbers[:-1])} and {numbers[-1]}"
