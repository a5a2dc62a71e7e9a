"""A file of text becomes rows of cells.

chardet names the encoding where the file itself does not, CleverCSV finds what stands between the
cells, and the standard library's ``csv`` cuts them. The work is linear in the size of the file:
only its beginning is looked at for the dialect.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from regviz.specs import SpecError
from regviz.tables import MAX_LINE, MAX_ROWS, quoted

DELIMITERS = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    " ": "spaces",
}
"""What may stand between cells."""
_LOOKED_AT, _SAMPLE = 60, 8_000  # lines and characters that the dialect is judged by
_MOST = MAX_ROWS + 100  # rows that are cut into cells: titles and a header may be among them
_QUOTE_SPAN = 10  # lines over which a quoted cell may reach
_NAMES = {
    "windows-1250": "Windows-1250 (Central European)",
    "windows-1251": "Windows-1251 (Cyrillic)",
    "windows-1252": "Windows-1252 (Western European)",
    "windows-1253": "Windows-1253 (Greek)",
    "windows-1254": "Windows-1254 (Turkish)",
    "windows-1255": "Windows-1255 (Hebrew)",
    "windows-1256": "Windows-1256 (Arabic)",
    "macroman": "Mac Roman",
    "cp932": "Shift JIS (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "cp949": "CP949 (Korean)",
}

NO_TEXT = (
    "the file is not a table in plain text or a workbook (.xlsx, .ods); in a spreadsheet program "
    "choose Save as, and there CSV."
)


@dataclass(frozen=True)
class Row:
    """The cells of one row, and the line of the file in which it begins."""

    line: int
    cells: tuple[str | float, ...]


def decoded(content: bytes) -> tuple[str, str]:
    """Return the text of a file, and the name of its encoding where that is not sure.

    Raises
    ------
    SpecError
        If it is no text.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, which begins alike
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _plain(_decode(content, name)), ""
    if b"\0" in content:
        return _plain(_decode(content, _wide(content))), ""
    try:
        return _plain(content.decode("utf-8")), ""
    except UnicodeDecodeError:
        name = _guessed(content)
        return _plain(_decode(content, name)), _NAMES.get(name.lower(), name)


def _wide(content: bytes) -> str:
    """Return which UTF-16 a file without a mark is in: of each ASCII sign one half is zero."""
    even, odd = content[0::2].count(0), content[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd) or max(even, odd) * 10 < len(content):
        raise SpecError(NO_TEXT)
    return "utf-16-le" if odd > even else "utf-16-be"


def _guessed(content: bytes) -> str:
    import chardet  # loads its models

    name = chardet.detect(content[:100_000])["encoding"]
    return name if name and name.lower() not in ("ascii", "utf-8") else "windows-1252"


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode(name)
    except (UnicodeDecodeError, LookupError):
        if name.startswith("utf"):
            raise SpecError(NO_TEXT) from None
        return content.decode("latin-1")


def _plain(text: str) -> str:
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise SpecError(NO_TEXT)
    return text


def rows(text: str) -> tuple[list[Row], str, int]:
    """Cut a text into rows of cells, empty ones left out; say what stands between cells, and how
    many rows there are beyond those that are looked at.

    Raises
    ------
    SpecError
        If there are none, or a line is too long.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise SpecError(
                f"line {number} has {len(line):,} characters; give one row to a line, of at most "
                f"{MAX_LINE:,}."
            )
    first = 0
    said = re.fullmatch(r'\s*"?sep=(.)"?[;,\t]*\s*', lines[0], re.IGNORECASE)
    if said is not None:
        first, delimiter, quote = 1, said[1], '"'
    else:
        delimiter, quote = _dialect(lines)
    out: list[Row] = []
    more = 0
    at = first
    while at < len(lines):
        number = at + 1
        if not lines[at].strip(" \t,;|"):
            at += 1
            continue
        if len(out) >= _MOST:
            at += _record(lines, at, delimiter, quote)[1] if quote in lines[at] else 1
            more += 1
            continue
        cells, used = _record(lines, at, delimiter, quote)
        at += used
        if any(cells):
            out.append(Row(number, tuple(cells)))
    if not out:
        raise SpecError("the table is empty; give two columns of numbers and one label.")
    return out, delimiter, more


def _dialect(lines: Sequence[str]) -> tuple[str, str]:
    """Return the delimiter and the quotation mark, as CleverCSV finds them."""
    import clevercsv

    told = [line for line in lines if line.strip(" \t,;|") and not line.startswith("#")]
    sample = "\n".join(told[:_LOOKED_AT])[:_SAMPLE]
    if len(told) > 1 and len(sample) == _SAMPLE:
        sample = sample[: sample.rfind("\n")] or sample
    try:
        dialect = clevercsv.Detector().detect(sample + "\n", delimiters=list(DELIMITERS))
    except (clevercsv.Error, ValueError, IndexError):
        dialect = None
    if dialect is None or not dialect.delimiter:
        return ",", '"'
    return dialect.delimiter, dialect.quotechar or '"'


def _record(
    lines: Sequence[str], at: int, delimiter: str, quote: str
) -> tuple[list[str | float], int]:
    """Cut the row that begins in a line; and say how many lines it takes.

    A quoted cell may hold line breaks. One that is never closed reaches to the end of its line,
    not into the rest of the file.
    """
    line = lines[at]
    if quote in line:
        for used in range(1, _QUOTE_SPAN + 1):
            joined = "\n".join(lines[at : at + used])
            if len(joined) > MAX_LINE or at + used > len(lines):
                break
            if joined.count(quote) % 2 == 0:
                return _cells(joined, delimiter, quote), used
    return _cells(line, delimiter, quote), 1


def _cells(line: str, delimiter: str, quote: str) -> list[str | float]:
    if delimiter == " ":
        line = re.sub(r"[ \t]+", " ", line.strip())
    if quote not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        row = next(
            csv.reader(
                line.splitlines(keepends=True),
                delimiter=delimiter,
                quotechar=quote,
                skipinitialspace=True,
            ),
            [],
        )
    except csv.Error:
        row = line.split(delimiter)
    return [cell.strip() for cell in row]


def uncertain(encoding: str, texts: Sequence[str]) -> str:
    """Return what to say of names whose encoding was guessed."""
    odd = [text for text in dict.fromkeys(texts) if not text.isascii()]
    if not odd:
        return ""
    return (
        f"The file does not say how its letters are encoded; they were read as {encoding}: "
        f"{', '.join(quoted(text) for text in odd[:3])}. If that is not right, save it as "
        "CSV UTF-8."
    )
