"""Turn a file or a pasted text into a :class:`~regviz.tables.Sheet`, in this process."""

from __future__ import annotations

from regviz.specs import SpecError
from regviz.tables import DECIMALS, MAX_BYTES, MAX_ROWS, Sheet, listed, quoted, text, workbook
from regviz.tables.columns import columns
from regviz.tables.header import grid


def read(content: bytes | str, *, decimal: str | None = None, sheet: str | None = None) -> Sheet:
    """Read a table.

    Parameters
    ----------
    content
        The bytes of a text file or workbook, or pasted text.
    decimal
        ``.`` or ``,``; None to find it.
    sheet
        The name of a workbook's sheet; None for the first that may hold a table.

    Raises
    ------
    SpecError
        One sentence: the problem and its line.
    """
    if decimal is not None and decimal not in DECIMALS:
        raise SpecError(f'--decimal: got "{decimal}"; give . or , (a point or a comma).')
    size = len(content) if isinstance(content, bytes) else len(content.encode(errors="replace"))
    if size > MAX_BYTES:
        raise SpecError(
            f"the table has {size:,} bytes; give at most {MAX_BYTES:,}, say only some of its rows."
        )
    sheets: tuple[str, ...] = ()
    name = encoding = delimiter = ""
    more = 0
    notes: list[str] = []
    if isinstance(content, bytes) and workbook.is_workbook(content):
        rows, sheets, name, height = workbook.rows(content, sheet)
        more = max(0, height - rows[-1].line)
        if len(sheets) > 1:
            some = listed([quoted(s) for s in sheets], 10)
            notes.append(f"The sheet {quoted(name)} was read, of {len(sheets)}: {some}.")
    else:
        if sheet is not None:
            raise SpecError("--sheet: the file is no workbook and has no sheets; leave it out.")
        if isinstance(content, bytes):
            plain, encoding = text.decoded(content)
        else:
            plain = content.removeprefix("\ufeff")
            if "\0" in plain:
                raise SpecError(text.NO_TEXT)
        rows, delimiter, more = text.rows(plain)
    found = grid(rows)
    count = len(found.body) + len(found.ragged) + more
    if count > MAX_ROWS:
        raise SpecError(f"the table has {count:,} rows; give at most {MAX_ROWS:,} of them.")
    body = found.body
    cells = [[row.cells[k] for row in body] for k in range(len(found.names))]
    lines = tuple(row.line for row in body)
    made = columns(found.names, cells, lines, delimiter, decimal)
    notes += found.notes
    if encoding:
        texts = [*found.names, *(t for c in made if c.kind == "words" for t in c.texts)]
        notes += filter(None, [text.uncertain(encoding, texts)])
    return Sheet(
        columns=made,
        lines=lines,
        ragged=found.ragged,
        notes=tuple(notes),
        sheets=sheets,
        sheet=name,
    )
