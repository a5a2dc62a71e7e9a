"""What a column holds: numbers, dates or words; and its decimal sign.

The decimal sign follows from an unambiguous cell of the column, else from the other columns. If
both readings remain possible, the column gets a question for the user instead of a guess.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from regviz.tables import DECIMALS, Column, quoted
from regviz.tables.cells import Number, is_date, is_nothing, number, shown

_MOSTLY = 0.6  # share of numbers among the filled cells from which a column is numeric
_SAME = 0.3  # least share of the numbers that must have the column's most frequent unit
_THOUSANDS = 100  # beside whole numbers of this size, 1,050 is hardly 1.05


@dataclass(frozen=True)
class _Read:
    """The cells of a numeric column and the numbers in them."""

    name: str
    is_named: bool
    cells: Sequence[str | float]
    lines: Sequence[int]
    numbers: list[Number | None]
    unit: str
    is_index: bool

    def first(self, decimal: str) -> tuple[int, str] | None:
        """Return the line and text of the first cell that only this decimal sign can read."""
        other = DECIMALS[1 - DECIMALS.index(decimal)]
        for line, cell, n in zip(self.lines, self.cells, self.numbers, strict=True):
            if n is not None and n.value(decimal) is not None and n.value(other) is None:
                return line, shown(cell)
        return None

    @property
    def open(self) -> str:
        """The first ambiguous cell, or ""."""
        for cell, n in zip(self.cells, self.numbers, strict=True):
            if n is not None and n.is_open:
                return shown(cell)
        return ""

    def beside(self, least: float = 0) -> str:
        """The first whole number without point or comma and of at least this size, or ""."""
        for cell, n in zip(self.cells, self.numbers, strict=True):
            if n is not None and n.is_plain and abs(n.point or 0) >= max(least, 1):
                return shown(cell)
        return ""


def columns(
    names: Sequence[str],
    cells: Sequence[Sequence[str | float]],
    lines: Sequence[int],
    delimiter: str,
    decimal: str | None = None,
) -> tuple[Column, ...]:
    """Return the columns of a table with their kinds and values.

    Parameters
    ----------
    names
        One per column, "" where it has none.
    cells
        The cells of each column.
    lines
        The line number of each row in the file.
    delimiter
        The character between the columns; "" for a workbook.
    decimal
        ``.`` or ``,`` if the user chose it; None to find it.
    """
    numeric: dict[int, _Read] = {}
    unique = _unique(names)
    index = 0 if names and not names[0] and all(names[1:]) else None
    for k, column in enumerate(cells):
        read = [None if is_nothing(cell) else number(cell) for cell in column]
        filled = sum(not is_nothing(cell) for cell in column)
        found = [n for n in read if n is not None]
        if not found or len(found) < _MOSTLY * filled or _is_days(column):
            continue
        unit = Counter(n.unit for n in found).most_common(1)[0][0]
        same = [n if n is not None and n.unit == unit else None for n in read]
        if sum(n is not None for n in same) >= _SAME * len(found):
            numeric[k] = _Read(unique[k], bool(names[k]), column, lines, same, unit, k == index)
    signs = {k: [d for d in DECIMALS if read.first(d)] for k, read in numeric.items()}
    shown_signs = {own[0] for own in signs.values() if len(own) == 1}
    out = []
    for k, column in enumerate(cells):
        if k in numeric:
            sign, question = (
                (decimal, "")
                if decimal is not None
                else _sign(numeric[k], signs[k], shown_signs, delimiter)
            )
            is_noted = decimal is not None or not (signs[k] or shown_signs)
            out.append(_numbers(numeric[k], sign, question, is_noted=is_noted))
        else:
            out.append(_words(unique[k], bool(names[k]), column))
    return tuple(out)


def _sign(read: _Read, own: Sequence[str], elsewhere: set[str], delimiter: str) -> tuple[str, str]:
    """Return the decimal sign of a numeric column, and a question if it is ambiguous."""
    if len(own) == 2:
        (one, point), (other, comma) = read.first(".") or (0, ""), read.first(",") or (0, "")
        return ".", (
            f"the column {quoted(read.name)} has decimal points (line {one}: {quoted(point)}) and "
            f"decimal commas (line {other}: {quoted(comma)}); write all of them in one way."
        )
    cell = read.open
    if own or not cell:
        return (own[0] if own else "."), ""
    mark = "," if "," in cell else "."
    beside, large = read.beside(), read.beside(_THOUSANDS)
    if elsewhere == {"," if mark == "." else "."}:  # then ``mark`` separates thousands
        return next(iter(elsewhere)), ""
    if elsewhere == {mark} and not large:
        return mark, ""
    if not elsewhere and delimiter == ",":
        if mark == "," and beside:  # quoted, between commas
            return ".", ""
        if mark == "." and not beside:
            return ".", ""
    both = number(cell)
    assert both is not None
    low, high = sorted(abs(v) for v in (both.point or 0.0, both.comma or 0.0))
    why = f", beside {quoted(beside)}," if beside else ""
    return ".", (
        f"{quoted(cell)} in the column {quoted(read.name)}{why} can mean {high:.15g} or "
        f"{low:.15g}; choose the decimal sign (--decimal {'.' if mark == ',' else ','} for "
        f"{high:.15g}, --decimal {mark} for {low:.15g})."
    )


def _numbers(read: _Read, sign: str, question: str, *, is_noted: bool) -> Column:
    values = tuple(None if n is None else n.value(sign) for n in read.numbers)
    missing = tuple(i for i, cell in enumerate(read.cells) if is_nothing(cell))
    gone = set(missing)
    bad = tuple(i for i, value in enumerate(values) if value is None and i not in gone)
    notes = []
    if read.unit == "%":
        notes.append(f"{quoted(read.name)} is in percent: “23.1%” was read as 23.1.")
    elif read.unit:
        notes.append(f"The unit {quoted(read.unit)} in {quoted(read.name)} was left out.")
    cell = read.open
    if cell and not question:
        value = next(
            v for v, n in zip(values, read.numbers, strict=True) if n is not None and n.is_open
        )
        if is_noted or (value is not None and abs(value) >= 1000):
            notes.append(f"{quoted(cell)} in {quoted(read.name)} was read as {value:.15g}.")
    return Column(
        name=read.name,
        is_named=read.is_named,
        kind="number",
        texts=tuple(shown(cell) for cell in read.cells),
        values=values,
        missing=missing,
        bad=bad,
        notes=tuple(notes),
        question=question,
        unit=read.unit,
        is_index=read.is_index,
    )


def _is_days(cells: Sequence[str | float]) -> bool:
    """Whether all filled cells are dates of the form 20240301."""
    texts = {shown(cell) for cell in cells if not is_nothing(cell)}
    try:
        days = [datetime.datetime.strptime(text, "%Y%m%d") for text in texts if len(text) == 8]
    except ValueError:
        return False
    return len(days) == len(texts) > 1 and all(1900 <= day.year < 2100 for day in days)


def _words(name: str, is_named: bool, cells: Sequence[str | float]) -> Column:
    texts = tuple(shown(cell) for cell in cells)
    filled = [text for text in texts if not is_nothing(text)]
    kinds = list(dict.fromkeys(filled))[:200]
    dates = _is_days(cells) or (
        bool(kinds) and sum(is_date(text) for text in kinds) >= 0.8 * len(kinds)
    )
    return Column(
        name=name,
        is_named=is_named,
        kind="date" if dates else "words" if filled else "nothing",
        texts=texts,
    )


def _unique(names: Sequence[str]) -> list[str]:
    """Return a unique name for each column: a repeated name gets a number."""
    out: list[str] = []
    for k, name in enumerate(names, 1):
        plain = name or f"column {k}"
        own, again = plain, 2
        while own in out or (not name and own in names):
            own, again = f"{plain[:24]} ({again})", again + 1
        out.append(own)
    return out
