"""Checks of values from outside: files, links, the command line, settings.

A check takes (field name, value) and returns the value in its one canonical form. A value that does
not fit raises :class:`SpecError` with one sentence: the field, the value got, what to give instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

MAX_NAME = 30
"""Most characters in the name of a column or a class."""

Check = Callable[[str, Any], Any]


class SpecError(ValueError):
    """A text or value from outside is not valid; the message says what to change."""

    def __init__(self, text: str) -> None:
        # JSON can spell half a surrogate pair, which no terminal and no page can show
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


# --- the name that was meant --------------------------------------------------------------------

_OTHER_NAMES = {"learning_rate": "lr", "p": "dropout", "rate": "dropout"}
"""Names of fields in other libraries, and the name here."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `` (did you mean this?)`` with the known name closest to a mistyped one, or "".

    Case does not count. A field in the wrong group, or in none, is found by the last part of its
    name.
    """
    if len(word) > 80:
        return ""
    import difflib  # needed for a mistake only

    group, _, last = word.lower().rpartition(".")
    last = _OTHER_NAMES.get(last, last)
    for in_group in (True, False):
        by_last: dict[str, str] = {}
        for name in known:
            its_group, _, its_last = name.lower().rpartition(".")
            if its_group == group or not in_group:
                by_last.setdefault(its_last, name)
        close = difflib.get_close_matches(last, by_last, n=1, cutoff=0.7)
        if close:
            return f" (did you mean {by_last[close[0]]}?)"
    return ""


def shown(value: object) -> str:
    """Return ``value`` as a JSON file spells it, in at most 60 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


# --- one value ----------------------------------------------------------------------------------


def number(low: float = -math.inf, high: float = math.inf, *, below: bool = False) -> Check:
    """Check for a finite number with ``low <= value <= high``; with ``below``, ``value < high``."""
    if below:
        wanted = f"a number from {low:g} up to, but not including, {high:g}"
    elif high == math.inf:
        wanted = f"a number of at least {low:g}"
    else:
        wanted = f"a number from {low:g} to {high:g}"

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise SpecError(f"{name}: got {shown(value)}; give {wanted}.")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        inside = low <= found <= high and not (below and found == high)
        if not (math.isfinite(found) and inside):
            raise SpecError(f"{name}: got {shown(value)}; give {wanted}.")
        return found + 0.0  # -0.0 becomes 0.0: equal values must have equal texts

    return check


def whole(low: int, high: int) -> Check:
    """Check for a whole number with ``low <= value <= high``."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SpecError(
                f"{name}: got {shown(value)}; give a whole number from {low} to {high}."
            )
        return int(value)

    return check


def choice(*options: str) -> Check:
    """Check for one of a few words."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            meant = did_you_mean(value, options) if isinstance(value, str) else ""
            raise SpecError(
                f"{name}: got {shown(value)}{meant}; choose one of {', '.join(options)}."
            )
        return value

    return check


def flag(name: str, value: Any) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise SpecError(f"{name}: got {shown(value)}; give true or false.")
    return value


# --- combinations -------------------------------------------------------------------------------


def optional(check: Check) -> Check:
    """Check that lets null pass, and hands any other value on."""
    return lambda name, value: None if value is None else check(name, value)


def list_of(check: Check, most: int) -> Check:
    """Check for a list of at most ``most`` entries, each of which passes ``check``."""

    def check_list(name: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SpecError(f"{name}: got {shown(value)}; give a list.")
        if len(value) > most:
            raise SpecError(f"{name}: got {len(value)} entries; give at most {most}.")
        return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))

    return check_list


def one_or_list(check: Check, most: int) -> Check:
    """Check for a single value, or for a list as :func:`list_of` does."""
    many = list_of(check, most)

    def check_either(name: str, value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return many(name, value)
        return check(name, value)

    return check_either


# --- names of columns and classes ---------------------------------------------------------------


def is_name(text: str) -> bool:
    """Whether a text may name a column or a class: short, printable, without markup characters."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not set(text) & set("<>&")


def names(most: int) -> Check:
    """Check for a list of two to ``most`` names."""
    many = "two" if most == 2 else f"two to {most}"

    def check(name: str, value: Any) -> tuple[str, ...]:
        if (
            isinstance(value, str)
            or not isinstance(value, Sequence)
            or not 2 <= len(value) <= most
            or not all(isinstance(entry, str) and is_name(entry) for entry in value)
        ):
            raise SpecError(
                f"{name}: got {shown(value)}; give a list of {many} names of 1 to {MAX_NAME} "
                "printable characters, without <, > and &."
            )
        return tuple(value)

    return check
