"""The panels of a Plotly figure: pairs of axes, their places, and the traces drawn in each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from regviz.slides.plotted.values import Json, array_of, numbers_of


@dataclass
class Axis:
    """One axis: its settings, and its categories if it has names instead of numbers."""

    given: Json
    names: list[str] | None = None

    @property
    def log(self) -> bool:
        """Whether it is logarithmic."""
        return self.given.get("type") == "log"

    def place(self, value: Any) -> NDArray[np.float64]:
        """Return the places of values: numbers are their own, names count from 0 as they come."""
        value = array_of(value)
        if self.names is None:
            return numbers_of(value)
        for name in map(str, value):
            if name not in self.names:
                self.names.append(name)
        return np.array([self.names.index(str(name)) for name in value], np.float64)


@dataclass
class Panel:
    """One pair of axes, its place among the others, and what is drawn in it."""

    x: Axis
    y: Axis
    names: tuple[str, str]
    row: int
    column: int
    traces: list[Json]
    ax: Axes = field(init=False)
    title: str = ""
    bar: tuple[Any, str] | None = None
    held: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = field(default_factory=list)

    def holds(self, x: Any, y: Any, room: float = 0.0) -> None:
        """Note points that the limits must include; ``room`` is the share of the axes left free
        around them."""
        self.held.append((np.asarray(x, np.float64), np.asarray(y, np.float64), room))


def panels_of(traces: Sequence[Json], layout: Json) -> list[Panel]:
    """Return the panels in which traces lie, in the order of their first traces."""

    def axis(name: str) -> Json:
        return layout.get(f"{name[0]}axis{name[1:]}") or {}

    pairs: dict[tuple[str, str], list[Json]] = {}
    for trace in traces:
        pairs.setdefault((trace.get("xaxis", "x"), trace.get("yaxis", "y")), []).append(trace)
    if not pairs:
        pairs = {("x", "y"): []}
    lefts = sorted({round((axis(x).get("domain") or [0, 1])[0], 3) for x, _ in pairs})
    tops = sorted({-round((axis(y).get("domain") or [0, 1])[1], 3) for _, y in pairs})
    known: dict[str, Axis] = {}
    for pair, own in pairs.items():
        for side, name in zip("xy", pair, strict=True):
            if name not in known:
                named = axis(name).get("type") == "category" or any(
                    _is_named(array_of(trace.get(side))) for trace in own
                )
                known[name] = Axis(axis(name), [] if named else None)
    return [
        Panel(
            known[x], known[y], (x, y),
            tops.index(-round((axis(y).get("domain") or [0, 1])[1], 3)),
            lefts.index(round((axis(x).get("domain") or [0, 1])[0], 3)), own,
        )
        for (x, y), own in pairs.items()
    ]  # fmt: skip


def _is_named(values: Any) -> bool:
    """Whether values are names: words, not numbers written as text."""
    if not isinstance(values, list) or not values or not isinstance(values[0], str):
        return False
    return not all(re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", str(v)) for v in values)
