"""Find the title rows above a table, its header and its first row."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from regviz.specs import MAX_NAME, SpecError, is_name
from regviz.tables import MAX_COLUMNS, in_lines, listed, quoted
from regviz.tables.cells import is_nothing, number, shown
from regviz.tables.text import Row

_TITLES = 20  # rows that may stand above the header
_RULE = re.compile(r":?-+:?")  # below the header of a table in Markdown
_MARKUP = str.maketrans({"<": "‹", ">": "›", "&": "+"})


@dataclass(frozen=True)
class Grid:
    """A table: its columns' names ("" where there is none), its rows, and notes on the reading."""

    names: tuple[str, ...]
    body: tuple[Row, ...]
    ragged: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]


def grid(rows: Sequence[Row]) -> Grid:
    """Find the table in rows of cells.

    Raises
    ------
    SpecError
        If there is no table, it is too wide, or its header and rows differ in width.
    """
    rows, edge = _without_empty_columns([row for row in rows if not _is_rule(row)])
    width = Counter(len(row.cells) for row in rows[:1000]).most_common(1)[0][0]
    if width > MAX_COLUMNS:
        raise SpecError(f"the table has {width:,} columns; give at most {MAX_COLUMNS}.")
    notes: list[str] = []
    titles, rest = _titles(rows, width)
    names: tuple[str, ...] = ("",) * width
    if titles:
        numbers = [row.line for row in titles]
        what = "was" if len(numbers) == 1 else "were"
        notes.append(
            f"{_capital(in_lines(numbers))} {what} skipped, above the table: "
            f"{quoted(' '.join(shown(c) for c in titles[0].cells).strip())}."
        )
    first = rest[0]
    if _is_header(rest, width):
        cells = [shown(cell) for cell in first.cells]
        if cells[0] == "#" and len(cells) == width + 1:  # as numpy.savetxt writes it
            cells = cells[1:]
        elif cells[0].startswith("#") and len(cells[0]) > 1:
            cells[0] = cells[0][1:].strip()
        if len(cells) == width - 1:  # as R's write.table writes it
            cells = ["", *cells]
        if len(cells) != width:
            raise SpecError(
                f"the header in line {first.line} has {_columns(len(cells))} "
                f"({listed([quoted(c) for c in cells])}) and most rows have {width}; give each "
                "column one name, and where commas stand between the columns, write decimals with "
                "a point."
            )
        names, rest = tuple(name(cell) for cell in cells), rest[1:]
        notes += shown_as(cells, names)
        if _has_number(first):
            notes.append(
                f"Line {first.line} was read as the names of the columns: "
                f"{listed([quoted(cell) for cell in cells], 6)}."
            )
        if not rest:
            raise SpecError(
                f"line {first.line} is the only one, and no cell of it is a number; give two "
                "columns of numbers and one label."
            )
        if len(rest) > 1 and _holds_units(rest[0], rest[1], width):
            notes.append(
                f"Line {rest[0].line} was skipped, as it holds units: "
                f"{listed([quoted(str(c)) for c in rest[0].cells if c != ''], 6)}."
            )
            rest = rest[1:]
    others = [r for r in rest if len(r.cells) != width and str(r.cells[0]).startswith("#")]
    while len(rest) > 1 and width > 2 and _is_remark(rest[-1], rest[:-1]):
        others.append(rest[-1])
        rest = rest[:-1]
    if others:
        numbers = sorted(r.line for r in others)
        what = "was" if len(others) == 1 else "were"
        notes.append(f"{_capital(in_lines(numbers))} {what} skipped, as a remark and no row.")
        rest = [r for r in rest if r.line not in numbers]
    body = tuple(row for row in rest if len(row.cells) == width)
    ragged = tuple((row.line, len(row.cells)) for row in rest if len(row.cells) != width)
    keep = [
        k for k in range(width)
        if names[k] or any(str(row.cells[k]) for row in body)
    ]  # fmt: skip
    return Grid(
        tuple(names[k] for k in keep),
        tuple(Row(row.line, tuple(row.cells[k] for k in keep)) for row in body),
        tuple((line, n - edge) for line, n in ragged),
        tuple(notes),
    )


def name(text: str) -> str:
    """Return a cell's text as a name that an experiment accepts, or ""."""
    text = text[:200].translate(_MARKUP)
    plain = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    short = " ".join(plain.split())
    short = short if len(short) <= MAX_NAME else short[: MAX_NAME - 1].rstrip() + "…"
    return short if is_name(short) else ""


def shown_as(texts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return a note if some names differ from the texts in the file."""
    other = [
        f"{quoted(text)} as {quoted(new)}"
        for text, new in zip(texts, names, strict=True)
        if new and " ".join(unicodedata.normalize("NFC", text).split()) != new
    ]
    if not other:
        return []
    return [
        f"Some names are shown otherwise, as they are long or hold <, > or &: {listed(other, 3)}."
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _columns(n: int) -> str:
    return f"{n} column{'s' if n != 1 else ''}"


def _is_rule(row: Row) -> bool:
    cells = [str(cell) for cell in row.cells if cell != ""]
    rules = len(cells) > 1 and all(_RULE.fullmatch(cell) for cell in cells)
    return rules and any("--" in cell for cell in cells)


def _without_empty_columns(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Cut trailing empty cells, which spreadsheets leave behind, and an empty first column; also
    return whether there was one (0 or 1)."""
    width = Counter(len(row.cells) for row in rows[:1000]).most_common(1)[0][0]
    used = [[bool(str(cell)) for cell in row.cells] for row in rows]
    last = max((k for u in used if len(u) == width for k in range(width) if u[k]), default=0)
    edge = int(width > 1 and not any(u[0] for u in used if len(u) == width))
    out = []
    for row, filled in zip(rows, used, strict=True):
        end = len(row.cells)
        while end > last + 1 and not filled[end - 1]:
            end -= 1
        cells = row.cells[edge:end] if len(row.cells) >= width else row.cells[:end]
        if any(str(cell) for cell in cells):
            out.append(Row(row.line, cells))
    return out, edge


def _has_number(row: Row) -> bool:
    return any(number(cell) is not None for cell in row.cells)


def _filled(row: Row) -> int:
    return sum(bool(str(cell)) for cell in row.cells)


def _titles(rows: Sequence[Row], width: int) -> tuple[list[Row], list[Row]]:
    """Split the rows into titles above the table and the rest.

    In a table of several columns, a row with one filled cell is a title. An incomplete row of
    several cells is a title only if a complete header follows, or if it starts with a comment sign.
    """

    def whole(row: Row) -> bool:
        some = _filled(row) == width - 1 and not str(row.cells[0])  # an index without a name
        return len(row.cells) == width and (_filled(row) == width or some)

    def names_all(row: Row) -> bool:
        return whole(row) and not _has_number(row)

    def is_title(row: Row, later: Sequence[Row]) -> bool:
        follows = any(names_all(other) for other in later)
        start = str(row.cells[0])
        if width > 1 and _filled(row) <= 1:
            return follows or not (len(row.cells) == width and _has_number(row))
        if start.startswith(("#", "//", "%")) and start not in ("#", "%") and not follows:
            return not _has_number(row) and len(row.cells) != width
        return follows and (not whole(row) or start.startswith(("# ", "//")))

    k = 0
    while k < min(_TITLES, len(rows) - 1) and is_title(rows[k], rows[k + 1 : k + _TITLES]):
        k += 1
    return list(rows[:k]), list(rows[k:])


def _is_header(rows: Sequence[Row], width: int) -> bool:
    """Whether the first row names the columns.

    A row without numbers is a header. A header may also hold whole numbers, such as years. Then
    its other cells must not occur in the rest of their columns, and one of two things must hold:
    at least two of them are words, one of these above numbers; or every whole number lies outside
    the range of its column.
    """
    first, rest = rows[0], rows[1:]
    if not _has_number(first):
        return not all(is_nothing(cell) for cell in first.cells) or not rest
    if len(first.cells) != width or not rest:
        return False
    others = [row for row in rest[:500] if len(row.cells) == width]
    votes, strong, outside = 0, False, True
    for k, cell in enumerate(first.cells):
        column = [row.cells[k] for row in others if str(row.cells[k])]
        read = number(cell)
        if read is None:
            is_number = sum(number(c) is not None for c in column) * 2 > len(column)
            if is_nothing(cell) and (is_number or k > 0):
                return False
            if shown(cell).casefold() in {shown(c).casefold() for c in column}:
                return False
            votes, strong = votes + 1, strong or is_number
        elif read.point is None or not read.point.is_integer():
            return False
        else:
            outside = outside and _stands_out(read.point, column)
    return (votes > 1 and strong) or (outside and votes > 0) or _counts(first)


def _stands_out(value: float, column: Sequence[str | float]) -> bool:
    """Whether a number lies outside the range of a column's numbers."""
    read = [n for cell in column if (n := number(cell)) is not None]
    values = [v for n in read if (v := n.comma if n.point is None else n.point) is not None]
    if len(values) * 2 < len(column) or not values:
        return True
    return not min(values) <= value <= max(values)


def _is_remark(row: Row, others: Sequence[Row]) -> bool:
    """Whether the last row is a remark, such as a source: only its first cell is filled, with words
    that are no value of that column."""
    if _filled(row) != 1 or not str(row.cells[0]) or _has_number(row) or is_nothing(row.cells[0]):
        return False
    return shown(row.cells[0]) not in {shown(other.cells[0]) for other in others}


def _holds_units(row: Row, after: Row, width: int) -> bool:
    """Whether the row below a header holds units: words above numbers, and at least one empty
    cell."""
    if len(row.cells) != width or _filled(row) == width or _has_number(row):
        return False
    words = [k for k, cell in enumerate(row.cells) if not is_nothing(cell)]
    return (
        bool(words)
        and len(after.cells) == width
        and all(number(after.cells[k]) is not None for k in words)
    )


def _counts(row: Row) -> bool:
    """Whether a row is 0, 1, 2, …, as pandas names columns that have no names."""
    return [shown(cell) for cell in row.cells] == [str(k) for k in range(len(row.cells))]
