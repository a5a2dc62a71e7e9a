"""Texts: what users type, on its way into files and figures; numbers and lists in sentences.

Pasted text holds line breaks of PowerPoint (U+000B), halves of emoji (surrogates), direction marks
and markup. XML cannot hold some of these, Plotly reads some as HTML, and for some no font has a
glyph. :func:`clean` is the one rule for all formats; it is for titles, run labels and the names of
columns and classes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

MOST_MARKS = 4
"""Combining marks on one letter: more are left out, or they would cover the lines above."""
_LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # they shape Persian, the scripts of India, and emoji


def clean(text: str, *, lines: bool = False) -> str:
    """Return text that every format can hold and every renderer draws as it stands.

    The rule: the text is composed (NFC); every run of white space, line breaks among it, becomes
    one space; characters without a glyph are left out (control characters, surrogates,
    noncharacters, direction marks and other format characters, except the two joiners). Markup
    stays, as text.

    Parameters
    ----------
    lines
        Keep line breaks (as line feeds) and spaces as they are: for speaker notes.
    """
    text = "".join(c if c.isspace() else _seen(c) for c in text)
    text = _few_marks(unicodedata.normalize("NFC", text))
    if not lines:
        return " ".join(text.split())
    # not splitlines: it forgets whether the last line was ended, and cleaning twice would differ
    return "\n".join(
        "".join(" " if c.isspace() else c for c in line) for line in _LINE_END.split(text)
    )


def _seen(character: str) -> str:
    code = ord(character)
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return ""
    if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in _JOINERS:
        return ""
    return character


def _few_marks(text: str) -> str:
    out, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            out.append(character)
    return "".join(out)


def is_joined(text: str, at: int) -> bool:
    """Return whether the character at this place belongs to the one before it.

    A text is not cut there: combining marks, joiners, variation selectors and skin tones.
    """
    if not 0 < at < len(text):
        return False
    here = text[at]
    return (
        unicodedata.category(here).startswith("M")
        or here in _JOINERS
        or text[at - 1] == _JOINERS[1]
        or "\U0001f3fb" <= here <= "\U0001f3ff"
    )


def shortened(text: str, most: int) -> str:
    """Return at most ``most`` characters of a text; what is left out is an ellipsis."""
    if len(text) <= most:
        return text
    at = max(1, most - 1)
    while at > 1 and is_joined(text, at):
        at -= 1
    return f"{text[:at].rstrip()}…"


def told_apart(names: Sequence[str], most: int) -> tuple[str, ...]:
    """Return names that are clean, shortened, and still different from each other.

    Names that only differ behind the ellipsis, or are equal, get their number behind them.
    """
    short = [shortened(clean(name), most) or "–" for name in names]
    return tuple(
        f"{shortened(name, most - 4)} ({i + 1})" if short.count(name) > 1 else name
        for i, name in enumerate(short)
    )


def listed(parts: Sequence[str]) -> str:
    """Return parts as one text: ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def escaped(text: str) -> str:
    """Return text for a figure of Plotly's, which takes ``<``, ``>`` and ``&`` for HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def compact(value: Any) -> str:
    """Return a value as short text that reads back: ``0``, ``5e-6``, ``0.02``, ``all``.

    Numbers have six significant digits, whole numbers all of theirs. Other values are written as
    the command line takes them, in JSON.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, float):
        return json.dumps(value)
    text = f"{value:e}" if 0 < abs(value) < 1e-3 else f"{value:g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"
