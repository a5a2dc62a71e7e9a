"""What a cell means: a number, nothing, a date, or words.

A number may have a sign (also the typographic minus), thousands separators, a decimal point or
comma, an exponent, and a unit. One cell such as ``1,050`` is ambiguous (1050 or 1.05): the column
decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from regviz.tables import MAX_CELL

_SPACES = " \u00a0\u202f\u2009\u2007"
_SIGNS = "-−–﹣－"  # the hyphen must come first: elsewhere in a character class it means a range
_MONEY = "$€£¥₹₽"

_CELL = re.compile(
    rf"(?P<sign>[{_SIGNS}+]?)\s?(?P<before>[{_MONEY}]?)\s?"
    rf"(?P<body>[0-9.,'’{_SPACES}]*[0-9][.,]?)(?P<exponent>[eE][{_SIGNS}+]?[0-9]{{1,3}})?\s?"
    rf"(?P<unit>(?:[^\W\d_]|[%‰°µ″{_MONEY}])[^\d\s]{{0,10}}[23]?)?"
)
_WHOLE = r"[1-9][0-9]{{0,2}}(?:{0}[0-9]{{3}})+"


def _grammar(decimal: str, group: str) -> re.Pattern[str]:
    """Return the grammar of digits, with or without thousands separators, and of decimals."""
    grouped = "|".join(_WHOLE.format(sign) for sign in (group, f"[{_SPACES}]", "['’]"))
    indian = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if group == "," else ""
    return re.compile(rf"(?P<whole>[0-9]*|{grouped}{indian})(?:{decimal}(?P<part>[0-9]*))?")


_POINT, _COMMA = _grammar(r"\.", ","), _grammar(",", r"\.")
_NOT_DIGITS = re.compile(r"[^0-9]")

_NOTHING = frozenset(
    (
        "", "na", "n/a", "n.a.", "nan", "-nan", "<na>", "#na", "#n/a", "#n/a n/a", "null",
        "(null)", "none", "nil", "missing", "nd", "n.d.", "k.a.", "k. a.", "-", "--", "---", "–",
        "—", "?", "??", ".", "..", "...", "…", "*", "#div/0!", "#value!", "#ref!", "#num!",
        "#name?", "#null!", "1.#qnan", "1.#ind",
    )
)  # fmt: skip
_NO_LABEL = frozenset(
    ("", "na", "n/a", "nan", "<na>", "#na", "#n/a", "null", "(null)", "#value!", "#ref!", "#name?")
)


@dataclass(frozen=True)
class Number:
    """A number in a cell.

    ``point`` and ``comma`` are its values read with a decimal point and with a decimal comma, None
    where that reading is no number. ``is_plain`` is True if it has neither sign.
    """

    point: float | None
    comma: float | None
    unit: str = ""
    is_plain: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the two readings differ."""
        return self.point is not None and self.comma is not None and self.point != self.comma

    def value(self, decimal: str) -> float | None:
        """Return the value read with this decimal sign, or None."""
        return self.point if decimal == "." else self.comma


def shown(cell: str | float) -> str:
    """Return a cell as text; a whole number has no decimal point."""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return cell[:MAX_CELL]


def number(cell: str | float) -> Number | None:
    """Return the number that a cell holds, or None."""
    if isinstance(cell, float):
        return Number(cell, cell, is_plain=cell.is_integer())
    if len(cell) > MAX_CELL:
        return None
    match = _CELL.fullmatch(cell.strip())
    if match is None:
        return None
    body = match["body"].strip(_SPACES)
    sign = "-" if match["sign"] and match["sign"] in _SIGNS else ""
    exponent = match["exponent"] or ""
    for minus in _SIGNS:
        exponent = exponent.replace(minus, "-")
    point, comma = (_value(body, grammar, sign, exponent) for grammar in (_POINT, _COMMA))
    if point is None and comma is None:
        return None
    unit = (match["before"] + (match["unit"] or "")).strip()
    return Number(point, comma, unit, "." not in body and "," not in body)


def _value(body: str, grammar: re.Pattern[str], sign: str, exponent: str) -> float | None:
    match = grammar.fullmatch(body)
    if match is None:
        return None
    whole, part = _NOT_DIGITS.sub("", match["whole"]), match["part"] or ""
    if not whole and not part:
        return None
    return float(f"{sign}{whole or '0'}.{part or '0'}{exponent}") + 0.0


def is_nothing(cell: str | float) -> bool:
    """Whether a cell is empty or marks a missing number."""
    return isinstance(cell, str) and cell.strip().casefold() in _NOTHING


def is_no_label(text: str) -> bool:
    """Whether a cell is empty or marks a missing label; ``none`` and ``-`` may be labels."""
    return text.strip().casefold() in _NO_LABEL


def is_date(cell: str | float) -> bool:
    """Whether a cell holds a date or a time of day."""
    if not isinstance(cell, str) or not 4 <= len(cell) <= 40 or not re.search(r"[0-9]", cell):
        return False
    from dateutil import parser

    try:
        parser.parse(cell)
    except (ValueError, OverflowError, TypeError):
        return False
    return True
