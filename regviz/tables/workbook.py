"""Turn a workbook (.xlsx, .ods) into rows of cells with calamine.

Numbers stay floats; dates become ISO text.
"""

from __future__ import annotations

import datetime
import io
from typing import Any

from regviz.specs import MIN_POINTS, SpecError
from regviz.tables import MAX_COLUMNS, MAX_ROWS, listed, quoted
from regviz.tables.text import Row

_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MOST = MAX_ROWS + 100  # rows that are read; 100 more for titles and a header


def is_workbook(content: bytes) -> bool:
    """Whether a file begins with the signature of a workbook."""
    return content.startswith(_MARKS)


def rows(content: bytes, wanted: str | None) -> tuple[list[Row], tuple[str, ...], str, int]:
    """Return a sheet's non-empty rows, the names of all sheets, its own name, and its height in
    rows.

    Parameters
    ----------
    content
        The file's bytes.
    wanted
        The sheet's name; None for the first that may hold a table.

    Raises
    ------
    SpecError
        If the file is no workbook or locked, the sheet does not exist, or all sheets are empty.
    """
    import python_calamine as calamine

    try:
        book = calamine.load_workbook(io.BytesIO(content))
        names = tuple(book.sheet_names)
        if wanted is not None and wanted not in names:
            raise SpecError(
                f"the workbook has no sheet {quoted(wanted)}; choose one of "
                f"{listed([quoted(name) for name in names], 10)}."
            )
        shown = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == calamine.SheetVisibleEnum.Visible
            and sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        first: tuple[list[Row], str, int] | None = None
        for name in [wanted] if wanted is not None else shown or names:
            found, height = _sheet(book.get_sheet_by_name(name))
            if found and (wanted is not None or _is_table(found)):
                return found, names, name, height
            first = first or ((found, name, height) if found else None)
        if first is not None:
            return first[0], names, first[1], first[2]
    except SpecError:
        raise
    except calamine.PasswordError:
        raise SpecError("the workbook is locked by a password; save it without one.") from None
    except (calamine.CalamineError, ValueError, OSError):
        raise SpecError(
            "the file is not a workbook that can be read; save it as .xlsx, .ods or CSV."
        ) from None
    raise SpecError("the table is empty; give two columns of numbers and one label.")


def _sheet(sheet: Any) -> tuple[list[Row], int]:
    """Return the non-empty rows of a sheet, and its height in rows."""
    if sheet.width > 10 * MAX_COLUMNS:
        raise SpecError(
            f"the sheet {quoted(sheet.name)} has {sheet.width:,} columns; give at most "
            f"{MAX_COLUMNS}."
        )
    rows = sheet.to_python(skip_empty_area=False, nrows=_MOST)
    found = [Row(number, tuple(map(_cell, row))) for number, row in enumerate(rows, 1)]
    return [row for row in found if any(cell != "" for cell in row.cells)], sheet.total_height


def _is_table(rows: list[Row]) -> bool:
    """Whether rows may be a table: at least ``MIN_POINTS`` of them have three filled cells."""
    return sum(sum(cell != "" for cell in row.cells) >= 3 for row in rows) >= MIN_POINTS


def _cell(value: Any) -> str | float:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    return str(value).strip()
