"""The labels of a column: which of them are one, in which order they are classes, their names."""

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
"""Different labels of a table; of more than two, some may be told from others."""


def distinct(column: Column) -> set[str | float]:
    """Return what the labels of a column are, if those that may be one are one."""
    if column.kind == "number" and not (column.question or column.bad):
        return {value for value in column.values if value is not None}
    return {key for key, text in keys(column, merge=True) if not is_no_label(text)}


def keys(column: Column, *, merge: bool) -> list[tuple[str | float, str]]:
    """Return what tells the labels of a column apart, and each as it stands."""
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
    """Return a label without what nobody sees: its capitals, wide letters and invisible signs."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return " ".join(seen.split()) or text


def classes_of(
    column: Column, kept: Sequence[int], *, merge: bool
) -> tuple[list[str], list[int], list[str]]:
    """Return the labels, class 0 first, the class of each row, and what was read as one.

    Numbers are compared as numbers and class 0 is the smallest one; of words it is the first in
    the alphabet.
    """
    told = keys(column, merge=merge)
    spellings: dict[str | float, Counter[str]] = {}
    for i in kept:
        key, text = told[i]
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
    return [name[key] for key in ordered], [place[told[i][0]] for i in kept], notes


def has_spellings(column: Column) -> bool:
    """Whether some labels of a column differ by capitals or spaces only, or are one number."""
    plain = {key for key, text in keys(column, merge=False) if not is_no_label(text)}
    return len(distinct(column)) <= MAX_LABELS and len(plain) > len(distinct(column))


def labels(sheet: Sheet, label: str, *, merge: bool = True) -> tuple[str, ...]:
    """Return the labels of a column, in their order; none where they are too many or too few."""
    column = sheet.column(label)
    kept = [i for i, text in enumerate(column.texts) if not is_no_label(text)]
    try:
        return tuple(classes_of(column, kept, merge=merge)[0])
    except SpecError:
        return ()


def told_apart(
    names: Sequence[str],
    kept: Sequence[int],
    classes: Sequence[int],
    pair: tuple[str, str | None],
) -> tuple[list[str], list[int], list[int]]:
    """Make two classes of several: labels, rows and classes of the rows that are in either."""
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
    """Return names that an experiment may hold, no two equal."""
    out: list[str] = []
    for k, label in enumerate(labels):
        plain = plain_name(label) or f"class {k}"
        own, again = plain, 2
        while own in out:
            own, again = f"{plain[:24]} ({again})", again + 1
        out.append(own)
    return tuple(out)


def regression(column: Column, count: int) -> str:
    """Return what to say of a label that is a number."""
    return (
        f"the label column {quoted(column.name)} holds {count:,} different numbers: predicting a "
        f"number is regression, which comes later; choose a label with 2 to {MAX_LABELS} "
        "different values."
    )
