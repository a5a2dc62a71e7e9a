"""The colours of every picture, light and dark, in this one place.

Chosen so that what must be told apart stays apart for colour-blind eyes: a test simulates
protanopia, deuteranopia and tritanopia. Hue never carries a meaning alone: lanes differ in line
width, train and validation in dash, classes and splits in marker.
``.streamlit/config.toml`` repeats the theme's part of it; a test holds the two together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRAIN_DASH = "5px,4px"
VALIDATION_DASH = "solid"
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
        """Return the colour of lane ``index``; they come round again after the last."""
        return self.lanes[index % len(self.lanes)]

    def to_dict(self) -> dict[str, Any]:
        """Return the colours by name, ready for JSON."""
        return dataclasses.asdict(self)


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
        "#d95f02", "#1d5fbf", "#0b8a5f", "#8e3b9e", "#a68a00",
        "#17808f", "#c2255c", "#5c6b1e", "#6b4f3a", "#5b6676",
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
        "#ffa552", "#74b4ff", "#4ade9f", "#d8a0e6", "#e6d25a",
        "#5fd3e0", "#ff8fb3", "#c3d36a", "#cda98c", "#a0abbb",
    ),
    response=("#8a4d14", "#171d29", "#1f5597"),
    difference=("#a868bd", "#171d29", "#4fa968"),
    contour="#f4f7fb",
    outline="#10151f",
    good="#4ade80",
    warn="#fbbf24",
    bad="#f87171",
)  # fmt: skip


def rgba(color: str, alpha: float) -> str:
    """Return ``#rrggbb`` with an opacity, as CSS writes it."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def scale(colors: Sequence[str]) -> list[list[Any]]:
    """Return evenly spaced colours as a Plotly colour scale."""
    return [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]
