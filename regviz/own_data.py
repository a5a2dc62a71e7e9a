"""A table that somebody brings, as CSV, or points that are drawn, become an experiment's data.

Two columns of numbers and a label with two different values, or with up to ten, which are told
apart all at once, or one of them from another or from all others; delimiter, header, decimal
comma and encoding are found by looking. Every kind of damage ends in one
:class:`~regviz.specs.SpecError` sentence that names the line. The work
is linear in the size of the file, which is bounded: files are cut into lines and lines into cells
before anything looks closer.

This module needs only the standard library: the web process imports it.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from regviz.specs import (
    MAX_CLASSES,
    MAX_COORDINATE,
    MAX_NAME,
    MIN_POINTS,
    OWN_KIND,
    DataSpec,
    Point,
    SpecError,
    is_name,
    rounded,
)

MAX_BYTES = 1_000_000
MAX_ROWS = 2_000
"""Rows that are read; of more than an experiment holds, an even selection is taken."""
MAX_USED = 500
"""Rows of a table that are used; an experiment holds more, so that points can be drawn to them."""
MAX_LABELS = MAX_CLASSES
"""Different labels of a table; of more than two, somebody chooses what is told from what."""
OTHERS = "all others"
MAX_LINE = 1_000
"""Characters of a line."""
_MAX_CELL = 100
_LOOKED_AT = 50  # lines that the delimiter is judged by

DELIMITERS = {";": "semicolons", "\t": "tabs", ",": "commas", " ": "spaces"}
"""What may stand between columns. Where several fit equally well the first is meant: a comma may
be a decimal one, and a space may be part of a name."""
LABEL_NAMES = ("label", "class", "target", "y")
"""How a label column may be called, the surest first; else it is the last one."""

# cells are short, so what this backtracks over a long row of digits is bounded
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

EXAMPLE = """\
height (cm),weight (kg),species
23.1,3.9,cat
25.4,4.6,cat
24.2,4.1,cat
22.0,3.2,cat
26.3,5.4,cat
24.9,5.0,cat
23.7,4.4,cat
21.4,3.0,cat
27.2,6.1,cat
25.9,4.2,cat
30.5,8.8,cat
24.0,3.6,cat
38.2,12.4,dog
29.1,7.3,dog
45.6,20.8,dog
33.4,9.1,dog
52.3,25.7,dog
41.0,17.2,dog
26.8,5.9,dog
48.7,22.9,dog
36.5,10.6,dog
57.1,29.8,dog
31.2,6.6,dog
43.9,15.4,dog
"""
"""A table as it may be, to be downloaded: made up, with two of each kind where the other lives."""


@dataclass(frozen=True)
class Table:
    """What a file holds: points, the names it gives them, and what was done to it on the way."""

    points: tuple[Point, ...]
    columns: tuple[str, str] | None
    classes: tuple[str, ...] | None
    said: str = ""

    def data(self, like: DataSpec) -> DataSpec:
        """Return these data, with the split, label noise and irrelevant features of ``like``."""
        return replace(
            like,
            kind=OWN_KIND,
            n_samples=len(self.points),
            noise=0.0,
            points=self.points,
            columns=self.columns,
            classes=self.classes,
            plane=None,
        )


def without(data: DataSpec) -> DataSpec:
    """Return the usual data, with the split, label noise and irrelevant features of ``data``."""
    usual = DataSpec()
    return replace(
        data,
        kind=usual.kind,
        n_samples=usual.n_samples,
        noise=usual.noise,
        points=None,
        columns=None,
        classes=None,
        plane=None,
    )


# --- points that are drawn ----------------------------------------------------------------------


def turns(n: int, fraction: float) -> list[bool]:
    """Return which of ``n`` drawn points are for validation: they take turns, in their order.

    Point i is where round((i + 1)·fraction) is more than round(i·fraction). So a point that is
    drawn after the others changes nothing about them, and round(n·fraction) are for validation,
    as of any other data.
    """
    return [round((i + 1) * fraction) > round(i * fraction) for i in range(n)]


def arranged(
    train: Sequence[Point], validation: Sequence[Point], fraction: float
) -> tuple[Point, ...]:
    """Bring points into an order in which :func:`turns` leaves them on their side, as far as the
    fraction allows: the last ones change it."""
    sides = [list(train), list(validation)]
    n = len(train) + len(validation)
    while len(sides[1]) > round(n * fraction):
        sides[0].append(sides[1].pop())
    while len(sides[1]) < round(n * fraction):
        sides[1].append(sides[0].pop())
    left = [iter(side) for side in sides]
    return tuple(next(left[turn]) for turn in turns(n, fraction))


def drawn(
    points: Any, plane: tuple[float, float, float, float], like: DataSpec, **names: object
) -> DataSpec:
    """Return data that were drawn in a part of the plane, with the split and irrelevant features
    of ``like``, and its label noise where those were drawn too.

    Points that were shown before anything was drawn had their labels flipped already.

    Raises
    ------
    SpecError
        If the points do not make up data, or not enough of them.
    """
    mapping: dict[str, Any] = {"columns": like.columns, "classes": like.classes, **names}
    return replace(
        like,
        kind=OWN_KIND,
        n_samples=DataSpec.n_samples,
        noise=DataSpec.noise,
        label_noise=like.label_noise if like.plane is not None else 0.0,
        points=points,
        plane=plane,
        **mapping,
    )


class SeveralLabels(SpecError):
    """A table is sound, but has more than two labels, and nobody said what is told from what.

    ``labels`` are all of them, in their order.
    """

    def __init__(self, text: str, labels: Sequence[str]) -> None:
        super().__init__(text)
        self.labels = tuple(labels)


def read(
    content: bytes | str,
    pair: tuple[str, str | None] | None = None,
    *,
    all_classes: bool = False,
) -> Table:
    """Read a table.

    Parameters
    ----------
    content
        A file's bytes (UTF-8, UTF-16 with its mark, else Windows-1252), or pasted text.
    pair
        Of a table with more than two labels: the label that becomes class 1, and the one that
        becomes class 0, or None for all others.
    all_classes
        Of such a table, each label becomes a class, in their order; ``pair`` is not looked at.

    Raises
    ------
    SpecError
        One sentence that says what is wrong, and in which line; :class:`SeveralLabels` where
        ``pair`` or ``all_classes`` is wanted.
    """
    rows = _rows(_text(content))
    header, body = _split_header(rows)
    width = len((header or body[0]).cells)
    if width != 3:
        shown = f" ({_listed([_name(c) or '?' for c in header.cells])})" if header else ""
        raise SpecError(
            f"the table has {width} column{'s' if width != 1 else ''}{shown}; give two columns of "
            "numbers and one label, with commas, semicolons, tabs or spaces between them."
        )
    if len(body) > MAX_ROWS:
        raise SpecError(_TOO_MANY.format(len(body)))
    label = _label_column([] if header is None else header.cells)
    features = [i for i in range(3) if i != label]
    names = [_name(c) for c in header.cells] if header else [""] * 3
    x = _numbers(body, features, names)
    labels, y = _labels(body, label, names[label])
    what = "of numbers"
    if len(labels) > 2 and not all_classes:
        labels, x, y = _told_apart(labels, x, y, pair)
        what = "with these labels"
    if len(x) < MIN_POINTS:
        raise SpecError(f"the table has {len(x)} rows {what}; give at least {MIN_POINTS} of them.")
    for k in range(len(labels)):
        if y.count(k) < 2:
            raise SpecError(
                f"the table has one row with the label {_quoted(labels[k])}; give at least 2 of "
                "each label."
            )
    kept = thinned(y)
    first, second = (names[i] for i in features)
    return Table(
        points=tuple((*x[i], y[i]) for i in kept),
        columns=(first or "x₀", second or "x₁") if first or second else None,
        classes=_class_names(labels),
        said=(
            f"Of {len(y):,} rows, {len(kept)} are used, spread evenly over the table."
            if len(kept) < len(y)
            else ""
        ),
    )


def thinned(y: Sequence[int], most: int = MAX_USED) -> list[int]:
    """Return which of the rows are kept: evenly, with the same shares of all classes, at most
    ``most``, and of each class at least two."""
    if len(y) <= most:
        return list(range(len(y)))
    rows = [[i for i, label in enumerate(y) if label == k] for k in range(1 + max(y))]
    kept: list[int] = []
    for own, count in zip(rows, _shares([len(own) for own in rows], most), strict=True):
        kept += [own[round(i * (len(own) - 1) / (count - 1))] for i in range(count)]
    return sorted(kept)


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """Return how many of each class are kept, ``most`` in all, none less than two of it."""
    if len(sizes) == 2:
        share = min(max(2, round(most * sizes[0] / sum(sizes))), most - 2)
        return [share, most - share]
    due = [most * size / sum(sizes) for size in sizes]
    counts = [max(2, int(part)) for part in due]
    while sum(counts) < most:  # a few steps: none was short of its due by one
        counts[max(range(len(due)), key=lambda k: due[k] - counts[k])] += 1
    while sum(counts) > most:  # small classes have got more than was due to them
        counts[max(range(len(due)), key=lambda k: (counts[k] > 2, counts[k] - due[k]))] -= 1
    return counts


# --- from bytes to rows -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    line: int
    cells: list[str]


def _text(content: bytes | str) -> str:
    size = len(content) if isinstance(content, bytes) else len(content.encode(errors="replace"))
    if size > MAX_BYTES:
        raise SpecError(
            f"the table has {size:,} bytes; give at most {MAX_BYTES:,}, say only some of its rows."
        )
    if isinstance(content, bytes):
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        for encoding in ("utf-16",) if utf16 else ("utf-8", "cp1252", "latin-1"):
            try:
                text = content.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
        else:
            raise SpecError(_NO_TEXT)
    else:
        text = content
    text = text.removeprefix("\ufeff")
    if "\0" in text or text.startswith("PK\x03\x04"):
        raise SpecError(_NO_TEXT)
    return text


_NO_TEXT = (
    "the file is not a table in plain text; in a spreadsheet program choose Save as, and there CSV."
)


_TOO_MANY = f"the table has {{:,}} rows; give at most {MAX_ROWS:,} of them."


def _rows(text: str) -> list[_Row]:
    """Cut the text into rows of cells, empty ones left out."""
    lines = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if len(line) > MAX_LINE:
            raise SpecError(
                f"line {number} has {len(line):,} characters; give one row to a line, of at most "
                f"{MAX_LINE:,}."
            )
        if line.strip(" \t,;"):
            lines.append((number, line))
    if not lines:
        raise SpecError("the table is empty; give two columns of numbers and one label.")
    if len(lines) > MAX_ROWS + 1:  # a header may be among them
        raise SpecError(_TOO_MANY.format(len(lines)))
    sample = [line for _, line in lines[:_LOOKED_AT]]
    delimiter = max(DELIMITERS, key=lambda d: _fit(sample, d))  # of equals, the first
    return [_Row(number, _cells(line, delimiter)) for number, line in lines]


def _cells(line: str, delimiter: str) -> list[str]:
    """Cut one line; a quote that is never closed reaches to its end, not into the next line."""
    if delimiter == " ":
        line, delimiter = re.sub(r"[ \t]+", " ", line.strip()), " "
    try:
        row = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        row = line.split(delimiter)
    cells = [cell.strip() for cell in row]
    while len(cells) > 3 and not cells[-1]:  # spreadsheets leave empty columns behind
        cells.pop()
    return cells


def _fit(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """Return how well a delimiter fits: lines of three cells with two numbers among them, then
    lines of more than one cell."""
    rows = [_cells(line, delimiter) for line in lines]
    comma = delimiter != ","
    good = sum(
        len(row) == 3 and sum(_number(cell, comma) is not None for cell in row) >= 2 for row in rows
    )
    return good, sum(len(row) > 1 for row in rows)


def _split_header(rows: list[_Row]) -> tuple[_Row | None, list[_Row]]:
    """Take the first row for a header where no cell of it is a number, but some later are."""
    first, *others = rows
    if any(_number(cell) is not None for cell in first.cells):
        return None, rows
    if not others:
        raise SpecError(
            f"line {first.line} is the only one, and no cell of it is a number; give two columns "
            "of numbers and one label."
        )
    return first, others


# --- from cells to points ---------------------------------------------------------------------


def _number(cell: str, comma: bool = True) -> float | None:
    """Return the number that a cell holds, with a decimal point or comma; else None."""
    if len(cell) > _MAX_CELL:
        return None
    if comma and "." not in cell:
        cell = cell.replace(",", ".", 1)
    return float(cell) if _NUMBER.fullmatch(cell) else None


def _label_column(header: Sequence[str]) -> int:
    names = [name.casefold() for name in header]
    for name in LABEL_NAMES:
        if names.count(name) == 1 and not (name == "y" and "x" in names):  # x and y are a plane
            return names.index(name)
    return 2


def _numbers(
    rows: Sequence[_Row], features: Sequence[int], names: Sequence[str]
) -> list[tuple[float, float]]:
    """Read both feature columns; what is wrong in the first bad line is said of all of them."""
    out: list[tuple[float, float]] = []
    bad: list[tuple[int, str]] = []
    for row in rows:
        wrong = ""
        values = []
        if len(row.cells) != 3:
            n = len(row.cells)
            wrong = f"has {n} column{'s' if n != 1 else ''} where the table has 3"
        else:
            for i in features:
                value = _number(row.cells[i])
                if value is None:
                    where = f" in the column {_quoted(names[i])}" if names[i] else ""
                    held = f"holds {_quoted(row.cells[i])}" if row.cells[i] else "holds nothing"
                    wrong = wrong or f"{held}{where} where a number is wanted"
                elif not abs(rounded(value)) < MAX_COORDINATE:
                    wrong = wrong or (
                        f"holds {_quoted(row.cells[i])}, but numbers must be below "
                        f"{MAX_COORDINATE:,.0f} in size"
                    )
                else:
                    values.append(rounded(value))
            if not wrong and not row.cells[3 - sum(features)]:
                wrong = "has no label"
        if wrong:
            bad.append((row.line, wrong))
        else:
            out.append((values[0], values[1]))
    if bad:
        (line, wrong), *others = bad
        more = ""
        if others:
            shown = ", ".join(str(number) for number, _ in others[:5])
            rest = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
            more = (
                f" (something is wrong in line{'s' if len(others) > 1 else ''} {shown}{rest} too)"
            )
        raise SpecError(f"line {line} {wrong}{more}; mend or remove it.")
    return out


def _labels(rows: Sequence[_Row], label: int, name: str) -> tuple[list[str], list[int]]:
    """Return the labels, class 0 first, and the class of each row.

    Numbers are compared as numbers and class 0 is the smallest one; of words it is the first in
    the alphabet.
    """
    cells = [row.cells[label] for row in rows]
    values = [_number(cell) for cell in cells]
    by_number = all(value is not None for value in values)
    keys: list[float | str] = [v for v in values if v is not None] if by_number else [*cells]
    found: dict[float | str, str] = {}
    for key, cell in zip(keys, cells, strict=True):
        found.setdefault(key, cell)
    if not 2 <= len(found) <= MAX_LABELS:
        where = f"the label column{f' {_quoted(name)}' if name else ''}"
        if len(found) == 1:
            raise SpecError(
                f"{where} holds only {_quoted(cells[0])}; give rows with two different labels."
            )
        some = _listed([_quoted(cell) for cell in found.values()])
        raise SpecError(
            f"{where} holds {len(found):,} different labels ({some}); give 2 to {MAX_LABELS}."
        )
    ordered = sorted(found)
    return [found[key] for key in ordered], [ordered.index(key) for key in keys]


def _told_apart(
    labels: Sequence[str],
    x: Sequence[tuple[float, float]],
    y: Sequence[int],
    pair: tuple[str, str | None] | None,
) -> tuple[list[str], list[tuple[float, float]], list[int]]:
    """Make two classes of several: labels, points and classes of the rows that are in either."""
    one, zero = pair or ("", "")
    if one == zero or one not in labels or not (zero is None or zero in labels):
        some = _listed([_quoted(label) for label in labels])
        raise SeveralLabels(
            f"the table has {len(labels)} different labels ({some}); choose which is to be told "
            "from which.",
            labels,
        )
    rows = [i for i, k in enumerate(y) if zero is None or labels[k] in (one, zero)]
    classes = [int(labels[y[i]] == one) for i in rows]
    return [OTHERS if zero is None else zero, one], [x[i] for i in rows], classes


# --- names ------------------------------------------------------------------------------------


def _name(text: str) -> str:
    """Return what a cell says as a name that an experiment may hold, or nothing."""
    plain = "".join(c if c.isprintable() and c not in "<>&" else " " for c in text[:200])
    name = " ".join(unicodedata.normalize("NFC", plain).split())[:MAX_NAME].strip()
    return name if is_name(name) else ""


def _class_names(labels: Sequence[str]) -> tuple[str, ...] | None:
    names = tuple(_name(label) for label in labels)
    return names if all(names) and len(set(names)) == len(names) else None


def _quoted(text: str) -> str:
    """Return what a cell holds, in quotes, on one line and short."""
    plain = "".join(c if c.isprintable() else "�" for c in text[:40])
    return f"“{plain if len(text) <= 25 else plain[:24] + '…'}”"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:4]) + (", …" if len(texts) > 4 else "")


__all__ = [
    "EXAMPLE",
    "MAX_BYTES",
    "MAX_LABELS",
    "MAX_ROWS",
    "MAX_USED",
    "OTHERS",
    "SeveralLabels",
    "Table",
    "arranged",
    "drawn",
    "read",
    "thinned",
    "turns",
    "without",
]
