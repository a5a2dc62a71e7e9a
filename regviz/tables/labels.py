"""The labels of a column: which spellings are one label, the order of the classes, their names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from regviz.data.own import OTHERS
from regviz.specs import MAX_CLASSES, SpecError
from regviz.tables import Column, Sheet, listed, quoted
from regviz.tables.cells import is_no_label
from regviz.tables.header import name as plain_name

MAX_LABELS = MAX_CLASSES
"""Different labels of a table; with more than two, the user may choose which to separate."""


def distinct(column: Column) -> set[str | float]:
    """Return the different labels of a column, with spellings merged."""
    if column.kind == "number" and not (column.question or column.bad):
        return {value for value in column.values if value is not None}
    return {key for key, text in keys(column, merge=True) if not is_no_label(text)}


def keys(column: Column, *, merge: bool) -> list[tuple[str | float, str]]:
    """Return each row's label as (key, text); rows with equal keys have the same label."""
    out: list[tuple[str | float, str]] = []
    for i, raw in enumerate(column.texts):
        text = " ".join(unicodedata.normalize("NFC", raw).split())
        value = column.values[i] if column.values and not column.question else None
        if merge and value is not None:
            out.append((value, text))
        else:
            out.append((_plain(text) if merge else text, text))
    return out


def _plain(text: str) -> str:
    """Return a label without differences of case, wide letters and invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return " ".join(seen.split()) or text


def classes_of(
    column: Column, kept: Sequence[int], *, merge: bool
) -> tuple[list[str], list[int], list[str]]:
    """Return the labels, class 0 first, the class of each kept row, and notes on merged spellings.

    Labels that are all numbers are sorted by value, others alphabetically.

    Raises
    ------
    SpecError
        If there are fewer than 2 or more than ``MAX_LABELS`` labels.
    """
    keyed = keys(column, merge=merge)
    spellings: dict[str | float, Counter[str]] = {}
    for i in kept:
        key, text = keyed[i]
        spellings.setdefault(key, Counter())[text] += 1
    where = f"the label column{f' {quoted(column.name)}' if column.is_named else ''}"
    if len(spellings) > MAX_LABELS:
        if sum(isinstance(key, float) for key in spellings) > len(spellings) / 2:
            raise SpecError(regression(column, len(spellings)))
        some = listed([quoted(next(iter(own))) for own in spellings.values()])
        raise SpecError(
            f"{where} holds {len(spellings):,} different labels ({some}); give 2 to {MAX_LABELS}."
        )
    if len(spellings) < 2:
        only = quoted(next(iter(next(iter(spellings.values()))))) if spellings else "nothing"
        raise SpecError(f"{where} holds only {only}; give rows with two different labels.")
    numbers = all(isinstance(key, float) for key in spellings)
    name = {
        key: min(own, key=len) if isinstance(key, float) else own.most_common(1)[0][0]
        for key, own in spellings.items()
    }
    ordered = sorted(spellings, key=lambda key: key if numbers else name[key])
    place = {key: k for k, key in enumerate(ordered)}
    several = [
        f"{quoted(name[key])} (also {', '.join(quoted(t) for t in own if t != name[key])})"
        for key, own in spellings.items()
        if len(own) > 1
    ]
    notes = []
    if several:
        how = "are one number" if numbers else "differ only by capitals or spaces"
        notes.append(f"Labels that {how} were read as one: {', '.join(several)}.")
    return [name[key] for key in ordered], [place[keyed[i][0]] for i in kept], notes


def has_spellings(column: Column) -> bool:
    """Whether some labels differ only by capitals or spaces, or are the same number."""
    plain = {key for key, text in keys(column, merge=False) if not is_no_label(text)}
    return len(distinct(column)) <= MAX_LABELS and len(plain) > len(distinct(column))


def labels(sheet: Sheet, label: str, *, merge: bool = True) -> tuple[str, ...]:
    """Return the labels of a column in class order; none if they are too few or too many."""
    column = sheet.column(label)
    kept = [i for i, text in enumerate(column.texts) if not is_no_label(text)]
    try:
        return tuple(classes_of(column, kept, merge=merge)[0])
    except SpecError:
        return ()


def separate(
    names: Sequence[str],
    kept: Sequence[int],
    classes: Sequence[int],
    pair: tuple[str, str | None],
) -> tuple[list[str], list[int], list[int]]:
    """Reduce several classes to two; return their labels, and the rows and classes that remain.

    Raises
    ------
    SpecError
        If the pair does not name two different labels of the table.
    """
    one, zero = pair
    if one == zero or one not in names or not (zero is None or zero in names):
        some = listed([quoted(name) for name in names])
        raise SpecError(
            f"the table has {len(names)} different labels ({some}); choose which is to be told "
            "from which."
        )
    pick = [j for j, k in enumerate(classes) if zero is None or names[k] in (one, zero)]
    return (
        [OTHERS if zero is None else zero, one],
        [kept[j] for j in pick],
        [int(names[classes[j]] == one) for j in pick],
    )


def class_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return unique class names that an experiment accepts."""
    out: list[str] = []
    for k, label in enumerate(labels):
        plain = plain_name(label) or f"class {k}"
        own, again = plain, 2
        while own in out:
            own, again = f"{plain[:24]} ({again})", again + 1
        out.append(own)
    return tuple(out)


def regression(column: Column, count: int) -> str:
    """Return the error sentence for a label that is a continuous number."""
    return (
        f"the label column {quoted(column.name)} holds {count:,} different numbers: predicting a "
        f"number is regression, which comes later; choose a label with 2 to {MAX_LABELS} "
        "different values."
    )
