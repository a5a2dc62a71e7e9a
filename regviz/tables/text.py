"""Turn a text file into rows of cells.

chardet guesses the encoding if the file does not declare it, CleverCSV finds the delimiter from the
file's beginning, and the standard library's ``csv`` splits the rows: linear in the file's size.
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
"""Supported delimiters, with their names in the plural."""
_SAMPLE_LINES, _SAMPLE = 60, 8_000  # lines and characters from which the dialect is found
_MOST = MAX_ROWS + 100  # rows that are split into cells; 100 more for titles and a header
_QUOTE_SPAN = 10  # lines that one quoted cell may span
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
    """The cells of one row and the line of the file where it begins."""

    line: int
    cells: tuple[str | float, ...]


def decoded(content: bytes) -> tuple[str, str]:
    """Return the text of a file, and the name of its encoding if that was guessed, else "".

    Raises
    ------
    SpecError
        If the file is no text.
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
    """Return the byte order of UTF-16 without a mark: one half of each ASCII character is zero."""
    even, odd = content[0::2].count(0), content[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd) or max(even, odd) * 10 < len(content):
        raise SpecError(NO_TEXT)
    return "utf-16-le" if odd > even else "utf-16-be"


def _guessed(content: bytes) -> str:
    import chardet  # slow: loads its models

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
    """Split a text into non-empty rows of cells.

    Return the rows, the delimiter, and the number of further rows that were only counted.

    Raises
    ------
    SpecError
        If there are no rows, or a line is too long.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise SpecError(
                f"line {number} has {len(line):,} characters; give one row to a line, of at most "
                f"{MAX_LINE:,}."
            )
    first = 0
    declared = re.fullmatch(r'\s*"?sep=(.)"?[;,\t]*\s*', lines[0], re.IGNORECASE)
    if declared is not None:
        first, delimiter, quote = 1, declared[1], '"'
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
    """Return the delimiter and the quotation mark that CleverCSV finds."""
    import clevercsv

    filled = [line for line in lines if line.strip(" \t,;|") and not line.startswith("#")]
    sample = "\n".join(filled[:_SAMPLE_LINES])[:_SAMPLE]
    if len(filled) > 1 and len(sample) == _SAMPLE:
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
    """Return the cells of the row that begins at a line, and how many lines it takes.

    A quoted cell may hold line breaks. An unclosed quote ends with its line, so that it does not
    swallow the rest of the file.
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
    """Return a note on the non-ASCII texts of a file whose encoding was guessed, or ""."""
    odd = [text for text in dict.fromkeys(texts) if not text.isascii()]
    if not odd:
        return ""
    return (
        f"The file does not say how its letters are encoded; they were read as {encoding}: "
        f"{', '.join(quoted(text) for text in odd[:3])}. If that is not right, save it as "
        "CSV UTF-8."
    )
