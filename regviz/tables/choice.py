"""Choose two inputs and a label of a sheet; its rows become points of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from regviz.data.own import thinned
from regviz.specs import MAX_COORDINATE, MIN_POINTS, OWN_KIND, DataSpec, Point, SpecError
from regviz.tables import Column, Sheet, in_lines, listed, quoted, remarks
from regviz.tables.cells import is_no_label
from regviz.tables.header import name as plain_name
from regviz.tables.header import shown_as
from regviz.tables.labels import (
    MAX_LABELS,
    class_names,
    classes_of,
    distinct,
    regression,
    separate,
)
from regviz.tables.suggest import Suggestion, names_rows, not_chosen, of_dates, suggest

Missing = Literal["refuse", "drop"]
MISSING: tuple[Missing, ...] = ("refuse", "drop")


@dataclass(frozen=True)
class Table:
    """The points chosen from a sheet, the names of their columns and classes, and notes.

    ``rows`` counts the rows that became points before thinning, ``dropped`` those left out because
    a value was missing; ``first`` and ``last`` are the first and the last of these points.
    """

    points: tuple[Point, ...]
    columns: tuple[str, str] | None
    classes: tuple[str, ...]
    inputs: tuple[str, str]
    label: str
    rows: int
    dropped: int
    notes: tuple[str, ...]
    first: tuple[float, float, str]
    last: tuple[float, float, str]

    def data(self, like: DataSpec) -> DataSpec:
        """Return the spec of these points, with ``like``'s split, label noise and irrelevant
        features."""
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


def choose(
    sheet: Sheet,
    *,
    inputs: Sequence[str] | None = None,
    label: str | None = None,
    missing: str = "refuse",
    merge: bool = True,
    pair: tuple[str, str | None] | None = None,
) -> Table:
    """Turn the rows of a sheet into points.

    Parameters
    ----------
    sheet
        The table that was read.
    inputs
        Two columns of numbers; None for the first two suitable ones.
    label
        The column of the classes; None to find it.
    missing
        ``refuse`` a table where a chosen column lacks a value, or ``drop`` those rows.
    merge
        Treat labels as one if they differ only by capitals or spaces, or are the same number.
    pair
        With more than two labels: the label of class 1, and the label of class 0 or None for all
        others. Without a pair, each label is a class, in their order.

    Raises
    ------
    SpecError
        One sentence: the problem, its line, and what to do.
    """
    if missing not in MISSING:
        raise SpecError(f'--missing: got "{missing}"; choose one of {", ".join(MISSING)}.')
    if len(sheet.columns) < 3:
        n = len(sheet.columns)
        raise SpecError(
            f"the table has {n} column{'s' if n != 1 else ''} ({listed(_named(sheet))}); give two "
            "columns of numbers and one label, with commas, semicolons, tabs or spaces between "
            "them."
        )
    found = suggest(sheet, _checked(sheet, inputs, "--inputs"), _one(sheet, label))
    if found.label in found.inputs:
        raise SpecError(
            f"the column {quoted(found.label)} cannot be an input and the label; choose another."
        )
    if len(found.inputs) != 2:
        raise SpecError(_too_few(sheet, found))
    features = [sheet.column(name) for name in found.inputs]
    target = sheet.column(found.label)
    for column in features:
        _check_input(column)
    _check_cells(sheet, features)
    gone = _missing(features, target)
    lines = [sheet.lines[i] for i in gone]
    if gone and missing == "refuse":
        raise SpecError(
            f"{'a value is' if len(gone) == 1 else 'values are'} missing in "
            f"{len(gone):,} row{'s' if len(gone) > 1 else ''} ({in_lines(lines)}); fill "
            f"{'it' if len(gone) == 1 else 'them'} in, or leave such rows out (--missing drop)."
        )
    kept = sorted(set(range(len(sheet.lines))) - set(gone))
    names, classes, spelled = classes_of(target, kept, merge=merge)
    what = "of numbers"
    if len(names) > 2 and pair is not None:
        names, kept, classes = separate(names, kept, classes, pair)
        what = "with these labels"
    if len(kept) < MIN_POINTS:
        raise SpecError(
            f"the table has {len(kept)} rows {what}; give at least {MIN_POINTS} of them."
        )
    for k, name in enumerate(names):
        if classes.count(k) < 2:
            line = sheet.lines[kept[classes.index(k)]]
            raise SpecError(
                f"the table has one row with the label {quoted(name)} (line {line}); give at "
                "least 2 of each label, or remove that row."
            )
    a, b = ([c.values[i] or 0.0 for i in kept] for c in features)
    points = tuple(zip(a, b, classes, strict=True))
    used = thinned(classes)
    shown = class_names(names)
    notes = [
        *sheet.notes,
        *not_chosen(sheet, found, automatic=not inputs),
        *(note for column in features for note in column.notes),
        *spelled,
        *shown_as(names, shown),
    ]
    if gone:
        notes.append(
            f"{len(gone):,} row{'s were' if len(gone) > 1 else ' was'} left out, because a value "
            f"is missing: {in_lines(lines)}."
        )
    if pair is not None and len(kept) + len(gone) < len(sheet.lines):
        notes.append(f"{len(kept):,} rows have one of these two labels; the others were left out.")
    where = [sheet.lines[i] for i in kept]
    others = [
        c for c in sheet.columns if c not in features and c is not target and not names_rows(c)
    ]
    rows = [
        (*points[j], *((c.values[i] if c.values else None) or c.texts[i] for c in others))
        for j, i in enumerate(kept)
    ]
    notes += remarks.of_points(points, where, shown, found.inputs)
    notes += remarks.of_copies(rows)
    if len(used) < len(points):
        notes.append(
            f"Of {len(points):,} rows, {len(used)} are used, spread evenly over the table."
        )
    columns = (found.inputs[0], found.inputs[1])
    return Table(
        points=tuple(points[i] for i in used),
        columns=columns if any(c.is_named for c in features) else None,
        classes=shown,
        inputs=columns,
        label=found.label,
        rows=len(points),
        dropped=len(gone),
        notes=tuple(notes),
        first=(*points[0][:2], shown[points[0][2]]),
        last=(*points[-1][:2], shown[points[-1][2]]),
    )


def missing_lines(sheet: Sheet, inputs: Sequence[str], label: str) -> list[int]:
    """Return the lines where one of these columns lacks a value."""
    gone = _missing([sheet.column(name) for name in inputs], sheet.column(label))
    return [sheet.lines[i] for i in gone]


def _missing(features: Sequence[Column], label: Column) -> list[int]:
    return sorted(
        {i for column in features for i in column.missing}
        | {i for i, text in enumerate(label.texts) if is_no_label(text)}
    )


def _named(sheet: Sheet) -> list[str]:
    return [c.name if c.is_named else "?" for c in sheet.columns]


def _one(sheet: Sheet, name: str | None) -> str | None:
    return None if name is None else _checked(sheet, [name], "--label")[0]


def _checked(sheet: Sheet, names: Sequence[str] | None, flag: str) -> list[str]:
    """Return columns by their names, in the app's or in the file's spelling."""
    out = []
    for name in names or ():
        plain = plain_name(name)
        same = [n for n in sheet.names if n in (name, plain)] or [
            n for n in sheet.names if n.casefold() == plain.casefold()
        ]
        if len(same) != 1:
            raise SpecError(
                f"{flag}: the table has no column {quoted(name)}; choose from "
                f"{listed([quoted(n) for n in sheet.names], 12)}."
            )
        out.append(same[0])
    if names and flag == "--inputs" and (len(out) != 2 or out[0] == out[1]):
        count = len(set(out))
        raise SpecError(
            f"--inputs: got {count} column{'s' if count > 1 else ''}; give two, as in a,b."
        )
    return out


def _check_input(column: Column) -> None:
    if column.kind == "date":
        raise SpecError(f"{of_dates(column)}.")
    if column.kind != "number":
        held = "nothing" if column.kind == "nothing" else "words"
        raise SpecError(
            f"the column {quoted(column.name)} holds {held} and cannot be an input; choose a "
            "column of numbers."
        )
    if column.question:
        raise SpecError(column.question)


def _too_few(sheet: Sheet, found: Suggestion) -> str:
    label = sheet.column(found.label)
    if label.kind == "number" and len(distinct(label)) > MAX_LABELS and not label.question:
        return regression(label, len(distinct(label)))
    left = f"one input is left, {quoted(found.inputs[0])}" if found.inputs else "no input is left"
    why = []
    for column in sheet.columns:
        if column.name in found.inputs:
            continue
        if column is label:
            why.append(f"{quoted(column.name)} is the label")
        elif column.kind == "date":
            day = "to be written as numbers, such as the day of the year"
            why.append(f"{quoted(column.name)} holds dates, {day}")
        elif column.kind == "number":
            why.append(f"{quoted(column.name)} only counts or names the rows")
        elif column.kind == "words":
            why.append(f"{quoted(column.name)} holds words")
    return (
        f"{left}, and two are needed ({listed(why, 5)}); give two columns of numbers and one label."
    )


def _check_cells(sheet: Sheet, features: Sequence[Column]) -> None:
    """Refuse cells that are no numbers; the error explains the first bad line and counts others."""
    width = len(sheet.columns)
    bad = {
        line: f"has {n} column{'s' if n != 1 else ''} where the table has {width}"
        for line, n in sheet.ragged
    }
    for column in features:
        where = f" in the column {quoted(column.name)}" if column.is_named else ""
        for i in column.bad:
            held = quoted(column.texts[i])
            unit = f" with the unit {quoted(column.unit)}" if column.unit else ""
            bad.setdefault(sheet.lines[i], f"holds {held}{where} where a number{unit} is wanted")
        for i, value in enumerate(column.values):
            if value is not None and not abs(value) < MAX_COORDINATE:
                bad.setdefault(
                    sheet.lines[i],
                    f"holds {quoted(column.texts[i])}{where}, but numbers must be below "
                    f"{MAX_COORDINATE:g} in size",
                )
    if bad:
        (line, wrong), *others = sorted(bad.items())
        more = (
            f" (something is wrong in {in_lines([n for n, _ in others], 5)} too)" if others else ""
        )
        raise SpecError(f"line {line} {wrong}{more}; mend or remove it.")


__all__ = ["MISSING", "Table", "choose", "missing_lines"]
