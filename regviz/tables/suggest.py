"""Suggest the inputs and the label where the user has not chosen them.

The label is found by its name, else it is the one column of words, else the last column. The
inputs are the first two columns of numbers that are no counter, identifier or constant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from regviz.tables import Column, Sheet, listed, quoted, remarks
from regviz.tables.labels import MAX_LABELS, distinct

LABEL_NAMES = ("label", "class", "target", "y")
"""Usual names of a label column, the surest first."""
_MAY_BE = (
    "labels", "classes", "species", "category", "outcome", "diagnosis", "survived", "variety",
    "kind", "type", "group", "klasse", "etikett", "gruppe", "art", "classe", "étiquette", "espèce",
    "clase", "etiqueta", "especie", "класс", "метка", "類別", "类别", "标签", "種類", "ラベル",
)  # fmt: skip
"""Names that suggest a label only if the column also holds few different values."""
_ID = re.compile(
    r"(?:.*[\s_.-])?(?:id|ids|idx|index|nr|no|num|number|row|row ?names|key|code|uuid|rank)\.?|#|№"
    r"|unnamed: \d+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Suggestion:
    """The suggested columns: up to two inputs, and the label."""

    inputs: tuple[str, ...]
    label: str


def suggest(sheet: Sheet, inputs: Sequence[str] = (), label: str | None = None) -> Suggestion:
    """Return the user's choices, completed by suggestions."""
    chosen = label if label is not None else _label(sheet, inputs)
    if inputs:
        return Suggestion(tuple(inputs), chosen)
    able = [c for c in sheet.columns if c.name != chosen and rank(c) is not None]
    best = sorted(able, key=lambda c: rank(c) or 0)[:2]
    return Suggestion(tuple(c.name for c in able if c in best), chosen)


def offered(sheet: Sheet) -> tuple[str, ...]:
    """Return the names of the numeric columns, which can be inputs."""
    return tuple(c.name for c in sheet.columns if c.kind == "number")


def _label(sheet: Sheet, inputs: Sequence[str]) -> str:
    left = [c for c in sheet.columns if c.name not in inputs and c.kind != "nothing"]
    names = [re.sub(r" \(\d+\)$", "", c.name).casefold() for c in left]  # as in the file
    for name in (*LABEL_NAMES, *_MAY_BE):
        plane = name == "y" and "x" in names  # columns x and y are two coordinates
        if names.count(name) == 1 and not plane:
            column = left[names.index(name)]
            if name in LABEL_NAMES or 2 <= len(distinct(column)) <= MAX_LABELS:
                return column.name
    if not left:
        return sheet.columns[-1].name
    few = [c for c in left if 2 <= len(distinct(c)) <= MAX_LABELS]
    words = [c for c in few if c.kind == "words"]
    two = [c for c in few if len(distinct(c)) == 2]
    if words:
        return words[-1].name
    if left[-1] not in few:
        if len(two) == 1:
            return two[0].name
        if left[0] in few and not left[0].is_named:  # as in many tables without a header
            return left[0].name
    return left[-1].name


def rank(column: Column) -> int | None:
    """Return how suitable a column is as an input, 0 is best; None if it is never suggested."""
    if column.kind != "number" or names_rows(column):
        return None
    if len(column.missing) * 2 > len(column.texts):
        return 1
    return 2 if remarks.is_constant(column.values) else 3 if counts_rows(column) else 0


def counts_rows(column: Column) -> bool:
    """Whether a column holds each whole number of a range once, as a counter does."""
    values = [v for v in column.values if v is not None]
    return (
        len(values) == len(column.texts) > 2
        and all(abs(v) < 1e15 and v.is_integer() for v in values)
        and len(set(values)) == len(values)
        and max(values) - min(values) == len(values) - 1
    )


def names_rows(column: Column) -> bool:
    """Whether a column identifies rows: an unnamed counter or index, or a named identifier."""
    values = [v for v in column.values if v is not None]
    different = (
        len(values) == len(column.texts) > 2
        and len(set(values)) == len(values)
        and all(v.is_integer() for v in values)
    )
    if column.is_named:
        named = _ID.fullmatch(column.name) or re.search(r"[a-z]I[dD]$", column.name)
        return bool(named) and different
    return different and (column.is_index or counts_rows(column))


def not_chosen(sheet: Sheet, found: Suggestion, *, automatic: bool) -> list[str]:
    """Return notes on the columns that were not chosen, with the reason."""
    notes = []
    rest = [c for c in sheet.columns if c.name not in (*found.inputs, found.label)]
    for column in rest:
        if not automatic:
            break
        name = quoted(column.name)
        if column.kind == "date":
            notes.append(f"{of_dates(column).replace('the column', 'The column', 1)}.")
        elif column.kind == "number" and names_rows(column):
            does = "counts" if counts_rows(column) else "names"
            notes.append(f"{name} only {does} the rows and was not chosen as an input.")
        elif column.kind == "number" and remarks.is_constant(column.values):
            notes.append(f"{name} is the same in every row and was not chosen as an input.")
    words = [quoted(c.name) for c in rest if c.kind == "words"]
    if words and automatic:
        notes.append(f"No inputs, as they hold words: {listed(words, 6)}.")
    last, label = sheet.columns[-1], sheet.column(found.label)
    number = last.kind == "number" and len(distinct(last)) > MAX_LABELS
    if automatic and number and label.kind == "number" and label is not last:
        notes.append(
            f"{quoted(label.name)} is the label, as it has few different values; to predict a "
            f"number such as {quoted(last.name)} is regression, which comes later."
        )
    more = [quoted(c.name) for c in rest if rank(c) == 0]
    if more and automatic:
        chosen = " and ".join(quoted(name) for name in found.inputs)
        notes.append(f"The inputs are {chosen}; others can be chosen: {listed(more, 8)}.")
    return notes


def of_dates(column: Column) -> str:
    """Return the sentence on a column of dates, without the full stop."""
    return (
        f"the column {quoted(column.name)} holds dates or times, which are not numbers here, so "
        "it is not an input; to use it, write it as a number, such as the day of the year"
    )
