"""Values of Plotly's JSON as Python has them: arrays, colours, colour scales, plain text."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from numpy.typing import NDArray

from regviz.slides.paper import Style

Json = Mapping[str, Any]
FONT = 13
"""Size of the letters in the app's figures: what is as large there is as large as a letter here."""


class Unknown(ValueError):
    """A figure holds something that cannot be drawn here."""


def array_of(value: Any) -> Any:
    """Return a value of Plotly's JSON; numbers packed as base64 become an array."""
    if isinstance(value, Mapping) and "bdata" in value:
        raw = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
        shape = value.get("shape")
        return raw.reshape([int(n) for n in str(shape).split(",")]) if shape else raw
    return value


def numbers_of(value: Any) -> NDArray[np.float64]:
    """Return a value of Plotly's JSON as numbers, NaN where it holds none."""
    value = array_of(value)
    if isinstance(value, np.ndarray):
        return value.astype(np.float64)
    return np.array(_without_none(value), np.float64)


def _without_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_none(v) for v in value]
    return math.nan if value is None else value


def plain_text(text: str) -> str:
    """Return a text without its markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", text.replace("<br>", " ")))


def color_of(text: str | None, usual: str) -> tuple[float, float, float, float]:
    """Return a CSS colour as (red, green, blue, opacity) from 0 to 1; None: the usual one."""
    text = text or usual
    found = re.fullmatch(r"rgba?\(([^)]*)\)", text)
    if found:
        parts = [float(part) for part in found[1].split(",")]
        red, green, blue = (part / 255 for part in parts[:3])
        return red, green, blue, parts[3] if len(parts) > 3 else 1.0
    return (*to_rgb(text), 1.0)


def color_map(value: Any) -> Colormap:
    """Return a colour scale, given by name or by its stops."""
    if isinstance(value, str):
        return mpl.colormaps[value.lower()]
    stops = [(at, color_of(color, "")) for at, color in value]
    return LinearSegmentedColormap.from_list("scale", stops)


def points_of(pixels: float, style: Style) -> float:
    """Return a length in the app's figures (pixels) as one on the slide (points)."""
    return float(pixels) * style.size / FONT


def short_number(value: float, _: Any = None) -> str:
    """Return a number as a tick shows it; the second argument is matplotlib's, and unused."""
    return f"{value:.10g}".replace("-", "−")
