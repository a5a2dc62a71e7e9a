"""The colours of every picture, in a light and a dark theme.

Colours with different meanings stay distinguishable to colour-blind readers: a test simulates
protanopia, deuteranopia and tritanopia. Hue never carries a meaning alone: lanes also differ in
line width, training and validation in dash, classes and splits in marker.
``.streamlit/config.toml`` repeats the colours of the theme; a test keeps the two equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRAIN_DASH = "5px,4px"
VALIDATION_DASH = "solid"
CLASS_SYMBOLS = (
    "circle", "square", "triangle-up", "diamond", "cross",
    "triangle-down", "x", "star", "pentagon", "hexagram",
)  # fmt: skip
"""Marks of the points of each class if there are more than two classes."""
TRAIN_MODE_DASH = "2px,3px"
FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", system-ui, sans-serif'


@dataclass(frozen=True)
class Palette:
    """All colours of one theme, as ``#rrggbb``.

    ``background``, ``surface`` (cards, sidebar), ``text``, ``muted`` (secondary text), ``grid``,
    ``border`` and ``primary`` are the page's; ``lanes`` are the models', the first without and
    the second with regularization; ``classes`` the points'; ``response`` runs from class 0
    through even odds to class 1; ``difference`` from -1 through 0 to 1.
    """

    name: str
    background: str
    surface: str
    text: str
    muted: str
    grid: str
    border: str
    primary: str
    lanes: tuple[str, ...]
    classes: tuple[str, ...]
    response: tuple[str, str, str]
    difference: tuple[str, str, str]
    contour: str
    outline: str
    good: str
    warn: str
    bad: str

    def lane(self, index: int) -> str:
        """Return the colour of lane ``index``; after the last colour the first one follows."""
        return self.lanes[index % len(self.lanes)]

    @property
    def areas(self) -> tuple[str, ...]:
        """The colour of the plane where each class is certain, of more than two: halfway from
        even odds to its points' colour, which stand out from it."""
        return tuple(mixed(self.response[1], color, 0.5) for color in self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the colours by name, ready for JSON."""
        return dataclasses.asdict(self) | {"areas": self.areas}


LIGHT = Palette(
    name="light",
    background="#ffffff",
    surface="#f5f7fa",
    text="#1b2430",
    muted="#5b6676",
    grid="#e8ecf1",
    border="#d5dbe3",
    primary="#0f766e",
    lanes=("#7c3aed", "#0f9d8a", "#b45309", "#0369a1", "#be185d", "#4d7c0f", "#475569", "#a16207"),
    classes=(
        "#d95f02", "#1d5fbf", "#25a78b", "#880afc", "#7b0e4a",
        "#9c643e", "#968ccc", "#342f06", "#2b00a1", "#5c016f",
    ),
    response=("#f6ad6b", "#fdfdfc", "#7db0ee"),
    difference=("#8e4aa3", "#fbfbfb", "#3f9b57"),
    contour="#1b2430",
    outline="#ffffff",
    good="#11734b",
    warn="#9a5b00",
    bad="#b42318",
)  # fmt: skip

DARK = Palette(
    name="dark",
    background="#10151f",
    surface="#19202d",
    text="#e8ecf3",
    muted="#a0abbb",
    grid="#273041",
    border="#334056",
    primary="#0d9488",
    lanes=("#c084fc", "#34d399", "#fbbf24", "#38bdf8", "#f472b6", "#a3e635", "#cbd5e1", "#fb923c"),
    classes=(
        "#ffa552", "#74b4ff", "#f6e316", "#bd3790", "#32ffaa",
        "#811afb", "#bbcbdb", "#197303", "#982fbe", "#9b8871",
    ),
    response=("#8a4d14", "#171d29", "#1f5597"),
    difference=("#a868bd", "#171d29", "#4fa968"),
    contour="#f4f7fb",
    outline="#10151f",
    good="#4ade80",
    warn="#fbbf24",
    bad="#f87171",
)  # fmt: skip


def mixed(one: str, other: str, share: float) -> str:
    """Return a colour between two, ``share`` of the way from one to the other."""
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def rgba(color: str, alpha: float) -> str:
    """Return ``#rrggbb`` with an opacity, as CSS writes it."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def scale(colors: Sequence[str]) -> list[list[Any]]:
    """Return evenly spaced colours as a Plotly colour scale."""
    return [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]
