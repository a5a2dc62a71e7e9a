"""An image of more than two classes for slides: colours of the plane, and the lines between them.

Each place has the colour of its most probable class, paler where the probability is lower. The
live picture in the browser (``regviz/ui/live/tiles.js``) has the same colours, but averages
neighbouring nodes first, so that its lines move smoothly from frame to frame. Slides draw the nodes
as they are.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regviz.figures.palette import Palette
from regviz.frames import LaneFrame
from regviz.frames.frame import CLASS_CODES, LEAD_LEVELS, LEVELS

_FINER = 6
"""Pixels from node to node: lines between classes run between the nodes."""
LEAST_LEAD = 1e-3
"""How far ahead the most probable class counts as at least, where two are as probable."""


def class_map_of(lane: LaneFrame) -> NDArray[np.uint8] | None:
    """Return a lane's image of classes, (2, grid, grid), also of one that has two; else None."""
    if lane.boundary is None:
        return lane.class_map
    one = lane.boundary > LEVELS // 2
    sure = np.where(one, lane.boundary, LEVELS - lane.boundary).astype(float)
    lead = np.round(LEAD_LEVELS * np.sqrt(2 * sure / LEVELS - 1))
    return np.stack([one + CLASS_CODES * lead, sure]).astype(np.uint8)


def leads(class_map: NDArray[np.uint8], kinds: int) -> NDArray[np.float64]:
    """Return how far each class is ahead at each node, (classes, grid, grid); 0 where it is not."""
    best, level = class_map[0] % CLASS_CODES, class_map[0] // CLASS_CODES
    ahead = np.maximum((level / LEAD_LEVELS) ** 2, LEAST_LEAD)
    return np.where(np.arange(kinds)[:, None, None] == best, ahead, 0.0)


def sides(class_map: NDArray[np.uint8], kinds: int) -> list[NDArray[np.float64]]:
    """Return for each present class but the first a response, 0 to 255, that crosses 127.5 at the
    border of the class. Together they hold each line between classes once or twice."""
    fields = leads(class_map, kinds)
    fields = fields[fields.any(axis=(1, 2))]
    out = []
    for i in range(1, len(fields)):
        others = np.delete(fields, i, axis=0).max(axis=0)
        out.append(LEVELS / 2 * (1 + fields[i] - others))
    return out


def image(class_map: NDArray[np.uint8], kinds: int, palette: Palette) -> NDArray[np.float64]:
    """Return the colours of the plane, (rows, columns, 3) from 0 to 1, the first row lowest."""
    best = _finer(leads(class_map, kinds)).argmax(axis=0)
    strength = _finer(class_map[1:] / LEVELS)[0]
    strength = np.clip((strength - 1 / kinds) / (1 - 1 / kinds), 0, 1)[:, :, None]
    pale, areas = _rgb(palette.response[1]), np.array([_rgb(c) for c in palette.areas])
    return pale + strength * (areas[best] - pale)


def png(class_map: NDArray[np.uint8], kinds: int, palette: Palette) -> str:
    """Return the picture with its lines as a PNG in a data URL."""
    best = _finer(leads(class_map, kinds)).argmax(axis=0)
    line = np.zeros(best.shape, bool)
    line[1:] |= best[1:] != best[:-1]
    line[:, 1:] |= best[:, 1:] != best[:, :-1]
    line[:-1] |= line[1:]  # two pixels wide
    line[:, :-1] |= line[:, 1:]
    colors = image(class_map, kinds, palette)
    colors[line] = _rgb(palette.contour)
    pixels = np.round(255 * colors[::-1]).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels).quantize(256).save(packed, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"


def _finer(fields: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return fields on a finer grid of the same extent, linear between the nodes."""
    for axis in (1, 2):
        n = fields.shape[axis]
        at = np.arange((n - 1) * _FINER + 1) / _FINER
        low = np.minimum(at.astype(np.int64), n - 2)
        part = (at - low).reshape((-1, 1) if axis == 1 else (-1,))
        fields = (1 - part) * fields.take(low, axis) + part * fields.take(low + 1, axis)
    return fields


def _rgb(color: str) -> NDArray[np.float64]:
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
