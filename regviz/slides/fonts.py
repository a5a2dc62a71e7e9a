"""Which installed fonts draw the letters of a slide, and what to install where none does.

DejaVu Sans comes with matplotlib and has Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and
Georgian. For what it lacks the installed fonts are searched, and only those that are needed follow
it in matplotlib's list of families: opening all takes seconds.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from matplotlib import font_manager
from matplotlib.font_manager import FontEntry, FontProperties, fontManager
from matplotlib.ft2font import FT2Font

from regviz.slides import words
from regviz.slides.runs import Runs
from regviz.slides.slide import Slide

USUAL = "DejaVu Sans"
_LAST_RESORT = "Last Resort"  # its glyphs are pictures of blocks, not letters
_MOST_SHOWN = 8
_PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "CJK": (("Noto Sans CJK", "fonts-noto-cjk"), ("HanaMin", "fonts-hanazono")),
    "symbols": (("Symbola", "fonts-symbola"), ("Unifont", "fonts-unifont")),
    "scripts": (
        ("Noto Sans Devanagari", "fonts-noto-core"),
        ("Noto Sans Znamenny", "fonts-noto-extra"),
        ("Unifont", "fonts-unifont"),
    ),
}
"""For each kind of character the families, and the packages (Debian, Ubuntu) that have them."""


def families(characters: Iterable[str]) -> tuple[str, ...]:
    """Return the families to draw these characters with, first to last."""
    return _found("".join(sorted(_needed(characters))))[0]


def missing(characters: Iterable[str]) -> str:
    """Return the characters that no installed font has, in order."""
    return _found("".join(sorted(_needed(characters))))[1]


def remark(characters: Iterable[str]) -> str:
    """Return one sentence on what cannot be drawn and which package brings it, or ``""``."""
    lacking = missing(characters)
    if not lacking:
        return ""
    shown = ", ".join(f"{c} (U+{ord(c):04X})" for c in lacking[:_MOST_SHOWN])
    more = len(lacking) - _MOST_SHOWN
    shown += f" and {more} more" if more > 0 else ""
    wanted = [package for package in dict.fromkeys(map(_package, lacking)) if package]
    advice = (
        f"install {' and '.join(wanted)} (the names in Debian and Ubuntu)"
        if wanted
        else "install a font that has them"
    )
    return f"No installed font has {shown}: boxes are drawn instead; {advice} and draw again."


def used(runs: Runs, slide: Slide) -> set[str]:
    """Return every character that a slide of these runs may draw."""
    texts: list[str] = [slide.title or "", *runs.labels]
    for figures in slide.pages("one"):
        texts += [words.slide_title(runs, slide, figures), words.below(runs, figures)]
    if runs.experiments:
        texts += [*runs.class_names, *(runs.column_names or ())]
    for chart in runs.charts:
        texts += [chart.title, chart.caption, *_strings(json.loads(chart.figure))]
    return set("".join(texts))


def _strings(value: object) -> Iterator[str]:
    """Yield the texts of a Plotly figure; what is packed as base64 is ASCII and does no harm."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


# --- searching ---------------------------------------------------------------------------------


def _needed(characters: Iterable[str]) -> set[str]:
    """Return the characters that DejaVu Sans lacks, in its usual weight or in bold."""
    usual, bold = _usual()
    return {
        c
        for c in set(characters)
        if not (ord(c) in usual and ord(c) in bold) and not _is_drawn_as_nothing(c)
    }


def _is_drawn_as_nothing(character: str) -> bool:
    if character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs"):
        return True
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


@functools.cache
def _usual() -> tuple[Mapping[int, int], Mapping[int, int]]:
    plain, bold = (
        font_manager.get_font(font_manager.findfont(FontProperties(family=USUAL, weight=weight)))
        for weight in ("normal", "bold")
    )
    return plain.get_charmap(), bold.get_charmap()


@functools.lru_cache(64)
def _found(needed: str) -> tuple[tuple[str, ...], str]:
    """Return the families for these characters, and those that none of them has."""
    if not needed:
        return (USUAL,), ""
    chosen, left = _choose(needed, fontManager.ttflist)
    if left:  # matplotlib keeps its list of fonts: some may have been installed since
        known = {entry.fname for entry in fontManager.ttflist}
        before = len(fontManager.ttflist)
        for path in sorted(set(font_manager.findSystemFonts()) - known):
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError, ValueError):  # no scalable font
                continue
        more, left = _choose(left, fontManager.ttflist[before:])
        chosen += more
    usual, _ = _usual()
    return (USUAL, *dict.fromkeys(chosen)), "".join(c for c in left if ord(c) not in usual)


def _choose(needed: str, entries: Iterable[FontEntry]) -> tuple[list[str], str]:
    """Return families that have these characters, and the characters that are left."""
    ranked = sorted(
        (
            entry
            for entry in entries
            if entry.style == "normal" and not entry.name.startswith((_LAST_RESORT, USUAL))
        ),
        key=_rank,
    )
    chosen: list[str] = []
    left = needed
    while left:
        wanted = _script(left[0])
        # the script's own fonts first: then few are opened
        for entry in sorted(ranked, key=lambda e: wanted not in e.name.upper()):
            if entry.name not in chosen and ord(left[0]) in _charmap(entry.fname, entry.index):
                chosen.append(entry.name)
                has = _charmap(entry.fname, entry.index)
                left = "".join(c for c in left if ord(c) not in has)
                break
        else:
            lost = left[0]
            some, rest = _choose(left[1:], [e for e in ranked if e.name not in chosen])
            return chosen + some, "".join(sorted(lost + rest))
    return chosen, ""


def _rank(entry: FontEntry) -> tuple[object, ...]:
    name = entry.name
    special = any(word in name for word in ("Mono", "Display", "Looped", "UI", "Unjoined"))
    weight = entry.weight if isinstance(entry.weight, int) else 400
    return (
        special,
        "Sans" not in name,
        not name.startswith("Noto"),
        abs(weight - 400),
        not name.endswith("CJK JP"),
        name,
        entry.fname,
        entry.index,
    )


@functools.lru_cache(512)
def _charmap(path: str, index: int) -> frozenset[int]:
    try:
        font = FT2Font(path, face_index=index)
    except (OSError, RuntimeError):  # gone since matplotlib listed it, or damaged
        return frozenset()
    return frozenset(font.get_charmap())


_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "KANGXI")


def _script(character: str) -> str:
    """Return the word in a font's name that stands for a character's script."""
    first = unicodedata.name(character, "?").split()[0]
    if first in _CJK or "HALFWIDTH" in first:
        return "CJK"
    return "SYMBOL" if unicodedata.category(character).startswith("S") else first


def _package(character: str) -> str:
    """Return the package that brings a character and is not installed yet, or ``""``."""
    script = _script(character)
    kind = "CJK" if script == "CJK" else "symbols" if script == "SYMBOL" else "scripts"
    installed = {entry.name for entry in fontManager.ttflist}
    for family, package in _PACKAGES[kind]:
        if not any(name.startswith(family) for name in installed):
            return package
    return ""
