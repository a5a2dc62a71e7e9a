"""The messages that the browser draws: what the charts show of frames, reduced in size.

A message has the format of :mod:`regviz.frames.codec` and the magic number ``RVL1``; its header's
``arrays`` gives type, shape and offset of each array by name. A frame of two lanes stays below
20 kB:

- a boundary is uint8, at most 64 x 64 while the run goes on, whole when it is done; with more than
  two classes it is two such images in one array, as :attr:`LaneFrame.class_map` says (two lanes
  then stay below 28 kB);
- curves are float16 (losses to three digits), at most 300 points each;
- histograms have 128 bins over limits that all lanes of a layer share; limits are powers of two,
  so bins add up exactly;
- points are uint16 over the extent of their chart, at most 1,000 of them.

A sweep is one message: a whole frame for each value, with boundaries of at most 80 x 80 and curves
of 200 points; 21 values of two lanes are some 450 kB. Figures that change as a whole are sent as
Plotly's JSON, once for each theme.

The other end of this module is ``regviz/ui/live/decode.js``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.frames import DataView, Frame, LaneFrame, codec, resample_boundary, resample_class_map

MAGIC = b"RVL1"
CURVES = ("train_loss", "val_loss", "train_loss_train_mode", "train_accuracy", "val_accuracy")
"""The curves that are sent, in this order."""

CURVE_POINTS = 300
LIVE_GRID = 64
BINS = 128
MAX_POINTS = 1000
PLACES = 65535
"""Where a point lies along an axis of its picture: 0 at the lower end, this at the upper one."""
VALIDATION = 128
"""Bit of a point's kind that says it is for validation; the others are its class."""
STORED_GRID = 64
LAST_GRID = 256
SWEEP_GRID = 80
SWEEP_NODES = 42 * SWEEP_GRID**2
"""Nodes of all boundaries of a sweep together; more values or lanes get coarser ones."""
SWEEP_POINTS = 200

Cell = str | tuple[str, str]
"""Text, or (text, tone) with the tone ``good``, ``warn``, ``bad`` or ``muted``."""


@dataclass(frozen=True)
class Table:
    """Numbers beside a chart, as text: one heading for each column, then the rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


TableOf = Callable[[Frame], Table]


# --- the parts -------------------------------------------------------------------------------


def thin(n: int, most: int = CURVE_POINTS, keep: Sequence[int] = ()) -> NDArray[np.int64]:
    """Return at most ``most`` indices, evenly over ``range(n)``, the first and the last included.

    Those in ``keep`` (a best epoch, a stop) are included, too.
    """
    if n <= most:
        return np.arange(n)
    even = np.linspace(0, n - 1, most - len(keep)).round().astype(np.int64)
    return np.unique(np.concatenate([even, [k for k in keep if 0 <= k < n]]).astype(np.int64))


def merge_histograms(
    counts: Sequence[NDArray[np.uint32]], limits: Sequence[float], bins: int = BINS
) -> tuple[NDArray[np.uint32], float]:
    """Bring one layer's histograms of several lanes to common bins; no count is lost.

    Parameters
    ----------
    counts
        (128,) each, over ``[-limit, limit]``.
    limits
        Powers of two.

    Returns
    -------
    counts : uint32 (lanes, bins)
    limit
        The largest of ``limits``: the common bins divide ``[-limit, limit]``.
    """
    limit = max((float(own) for own in limits if math.isfinite(own) and own > 0), default=1.0)
    half = bins // 2
    out = np.zeros((len(counts), bins), np.uint32)
    for row, fine, own in zip(out, counts, limits, strict=True):
        if not (math.isfinite(own) and own > 0):
            continue  # a diverged lane: none of its weights is a number
        # fine bins of this lane in a common one: both are powers of two, and 0 is an edge of both
        ratio = (limit / half) / (float(own) / (len(fine) // 2))
        inner = max(1, round(len(fine) // 2 / ratio))
        merged = fine.reshape(2 * inner, -1).sum(axis=1, dtype=np.uint32)
        row[half - inner : half + inner] = merged
    return out, limit


def quantize_points(view: DataView, most: int = MAX_POINTS) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return positions uint16 (points, 2) over the extent, and ``class + 128·is_val`` uint8.

    Points outside the extent lie on its edge.
    """
    at = thin(len(view.x), most)
    low = np.array(view.extent[0::2], np.float64)
    high = np.array(view.extent[1::2], np.float64)
    place = np.clip((view.x[at].astype(np.float64) - low) / (high - low), 0, 1)
    kind = view.y[at].astype(np.uint8) | (view.is_val[at].astype(np.uint8) * np.uint8(VALIDATION))
    return (place * PLACES).round().astype(np.uint16), kind


def shrink_boundary(boundary: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Return the boundary on at most ``most`` x ``most`` nodes, corners kept."""
    rows, columns = (thin(n, most) for n in boundary.shape)
    return boundary if boundary.shape == (len(rows), len(columns)) else boundary[rows][:, columns]


def half_precision(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Round to float16; too large values become infinite, which is drawn as a gap."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)


def why_no_boundary(views: Sequence[DataView] | None) -> str:
    """Return one sentence on why these data have no decision boundary to draw."""
    if views:
        view = views[0]
        if view.n_classes != 2:
            return (
                f"No boundary: these data have {view.n_classes} classes, but no plane of two "
                "inputs."
            )
        if view.n_features < 2:
            return "No boundary: it is drawn over two input features, and these data have one."
    return "No boundary: this model has none that a plane could show."


# --- messages --------------------------------------------------------------------------------


class _Message:
    """Collects arrays for one message."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def add(self, name: str, array: NDArray[Any]) -> None:
        self._arrays[name] = array

    def to_bytes(self, header: dict[str, Any]) -> bytes:
        """Pack the message; the header gets ``arrays``: of each name type, shape and offset."""
        header["arrays"], offset = {}, 0
        for name, array in self._arrays.items():
            header["arrays"][name] = [array.dtype.str, list(array.shape), offset]
            offset += codec.padded_size(array)
        return codec.pack(MAGIC, header, self._arrays.values(), allow_nan=False)


def pack_waiting(channel: str, run: str, *, state: str) -> bytes:
    """Pack the state of a run without a frame: the charts keep what they show."""
    return _Message().to_bytes({"channel": channel, "run": run, "state": state})


def pack_frame(
    channel: str,
    run: str,
    frame: Frame,
    *,
    state: str = "running",
    table: TableOf | None = None,
    with_points: bool = True,
    name: str = "",
    pooled: bool = False,
) -> bytes:
    """Pack one frame: boundaries, histograms, curves so far, points and numbers.

    ``name`` describes the run in the names of saved pictures; ``pooled`` adds one histogram of all
    layers' weights for each lane.
    """
    message = _Message()
    header = _head(channel, run, frame, state) | {"name": name}
    header["frame"] = _picture(message, "", frame, LAST_GRID if frame.done else LIVE_GRID)
    if pooled:
        header["frame"]["pooled"] = _pooled(message, "", frame.lanes)
    if table is not None:
        header["frame"]["table"] = _table(table(frame))
    _curves(message, frame)
    _views(message, header, frame, with_points=with_points)
    return message.to_bytes(header)


def pack_bundle(
    channel: str,
    run: str,
    frames: Sequence[Frame],
    *,
    state: str = "running",
    table: TableOf | None = None,
    name: str = "",
    pooled: bool = False,
) -> bytes:
    """Pack the stored frames of a run for scrubbing; the last one is the newest."""
    if not frames:
        return pack_waiting(channel, run, state=state)
    newest = frames[-1]
    message = _Message()
    header = _head(channel, run, newest, state) | {"name": name}
    header["stored"] = []
    for i, frame in enumerate(frames):
        last = i == len(frames) - 1 and frame.done
        entry = _picture(message, f"{i}.", frame, LAST_GRID if last else STORED_GRID)
        if table is not None:
            entry["table"] = _table(table(frame))
        if pooled:
            entry["pooled"] = _pooled(message, f"{i}.", frame.lanes)
        header["stored"].append(entry)
    _curves(message, newest)
    _views(message, header, newest, with_points=True)
    return message.to_bytes(header)


def pack_sweep(
    channel: str,
    run: str,
    frames: Sequence[Frame],
    *,
    values: Sequence[str],
    name: str,
    state: str = "finished",
    table: TableOf | None = None,
    start: int = 0,
    files: Sequence[str] | None = None,
) -> bytes:
    """Pack the end of one run for each value of a field, for a slider over the values.

    Parameters
    ----------
    channel, run, state, table
        As for :func:`pack_frame`.
    frames
        One frame for each value, all with the same number of lanes.
    values
        Each value as text, as in ``("0", "1e-6", "1e-4")``.
    name
        The field's label, as in ``"L2 λ"``.
    start
        Which value the slider points at to begin with.
    files
        For each value the beginning of the names of saved pictures.

    Returns
    -------
    bytes
        The message; its header's ``id`` is a digest of all of its content.

    Raises
    ------
    ValueError
        If there is no frame, not one frame for each value, frames of different numbers of lanes,
        or no value at ``start``.
    """
    if not frames or len(frames) != len(values):
        raise ValueError(
            f"pack_sweep: got {len(frames)} frames for {len(values)} values; give one for each."
        )
    counts = sorted({len(frame.lanes) for frame in frames})
    if len(counts) > 1:
        raise ValueError(f"pack_sweep: got frames of {counts} lanes; give equally many to each.")
    if not 0 <= start < len(values):
        raise ValueError(f"pack_sweep: got start={start}; give one of 0 to {len(values) - 1}.")
    pictures = len(frames) * counts[0]
    if any(lane.class_map is not None for frame in frames for lane in frame.lanes):
        pictures *= 2
    grid = int(max(40, min(SWEEP_GRID, math.sqrt(SWEEP_NODES / pictures))))
    message = _Message()
    views: dict[bytes, tuple[int, DataView]] = {}
    entries = []
    for i, frame in enumerate(frames):
        head = _head(channel, run, frame, state)
        entry: dict[str, Any] = {key: head[key] for key in ("epoch", "epochs", "done", "lanes")}
        entry["picture"] = _picture(message, f"{i}.", frame, grid, resample_boundary)
        if table is not None:
            entry["picture"]["table"] = _table(table(frame))
        _curves(message, frame, f"{i}.", SWEEP_POINTS)
        if files is not None:
            entry["name"] = files[i]
        if frame.data is not None:
            own = [views.setdefault(_content(view), (len(views), view)) for view in frame.data]
            entry["view"] = [place for place, _ in own]
        entries.append(entry)
    header = _head(channel, run, frames[start], state)
    header["sweep"] = {"name": name, "values": list(values), "start": start, "entries": entries}
    if views:
        header["views"] = [_described(view) for _, view in views.values()]
        # where the values have different data (a sweep over noise), fewer points of each
        most = MAX_POINTS if len(views) <= 2 else MAX_POINTS // 4
        for i, view in views.values():
            _points(message, i, view, most)
    digest = hashlib.blake2b(message.to_bytes(header), digest_size=12)
    return message.to_bytes(header | {"id": digest.hexdigest()})


def pack_figures(channel: str, figures: Mapping[str, tuple[str, str]]) -> bytes:
    """Pack whole figures as Plotly's JSON: the light one of each name, and the dark one where it
    differs."""
    message = _Message()
    for i, texts in enumerate(figures.values()):
        for theme, text in zip(("light", "dark"), texts, strict=True):
            if theme == "dark" and text == texts[0]:
                continue  # once for both
            message.add(f"{theme}{i}", np.frombuffer(text.encode(), np.uint8))
    return message.to_bytes({"channel": channel, "figures": list(figures)})


def stamp(message: bytes, feed: str, session: str, number: int) -> bytes:
    """Return a message that names its feed, its session and its number in the session: a browser
    may get a message twice or late, and then ignores it."""
    return codec.prepend(message, {"sent": [feed, session, number]})


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays of a message, as the browser reads them; for tests and tools."""
    header, start = codec.unpack(MAGIC, data)
    arrays = {
        name: codec.array_at(data, start + offset, dtype, shape)
        for name, (dtype, shape, offset) in header["arrays"].items()
    }
    return header, arrays


def _head(channel: str, run: str, frame: Frame, state: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "run": run,
        "state": state,
        "epoch": frame.epoch,
        "epochs": frame.epochs,
        "done": frame.done,
        "lanes": [
            {
                "status": lane.status,
                "epoch": lane.epoch,
                "best": lane.best_epoch,
                "stopped": lane.stopped_epoch,
                **({"end": _end(lane)} if lane.status == "diverged" else {}),
            }
            for lane in frame.lanes
        ],
    }


def _end(lane: LaneFrame) -> list[float | None]:
    """Last losses of a diverged lane, train and validation: float16 has no room for them."""
    last = [float(lane.curve(name)[-1]) for name in ("train_loss", "val_loss")]
    return [value if math.isfinite(value) else None for value in last]


def _picture(
    message: _Message,
    prefix: str,
    frame: Frame,
    most: int,
    shrink: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]] = shrink_boundary,
) -> dict[str, Any]:
    """Add what changes with the epoch (boundaries, histograms) and describe it for the header."""
    lanes = frame.lanes
    for i, lane in enumerate(lanes):
        if lane.boundary is not None:
            message.add(f"{prefix}b{i}", shrink(lane.boundary, most))
        elif lane.class_map is not None:
            message.add(f"{prefix}b{i}", resample_class_map(lane.class_map, most))
    entry: dict[str, Any] = {
        "epoch": frame.epoch,
        "restored": [lane.restored for lane in lanes],
        "layers": _layers(message, prefix, lanes),
    }
    if any(lane.boundary is None and lane.class_map is None for lane in lanes):
        entry["none"] = why_no_boundary(frame.data)
    return entry


def _layers(message: _Message, prefix: str, lanes: Sequence[LaneFrame]) -> list[dict[str, Any]]:
    """Add common histograms of each layer that all lanes have, and describe them."""
    out = []
    for layer in range(min(len(lane.layers) for lane in lanes)):
        limits = [float(lane.limits[layer]) for lane in lanes]
        counts, limit = merge_histograms([lane.histogram[layer] for lane in lanes], limits)
        small = counts.max() <= 65535
        message.add(f"{prefix}h{layer}", counts.astype(np.uint16) if small else counts)
        out.append(
            {
                "name": lanes[0].layers[layer],
                "shape": list(lanes[0].shapes[layer]),
                "limit": limit,
                "zeros": [int(lane.zeros[layer]) for lane in lanes],
                "size": [math.prod(lane.shapes[layer]) for lane in lanes],
            }
        )
    return out


def pooled_histograms(
    lanes: Sequence[LaneFrame],
) -> tuple[NDArray[np.int64], float]:
    """Return one histogram of all layers' weights for each lane, (lanes, bins), and their limit.

    Unlike the histograms of layers, these can be compared where the lanes' shapes differ.
    """
    rows = [row for lane in lanes for row in lane.histogram]
    merged, limit = merge_histograms(rows, [float(v) for lane in lanes for v in lane.limits])
    starts = np.cumsum([0, *(len(lane.histogram) for lane in lanes)])[:-1]
    return np.add.reduceat(merged, starts, axis=0, dtype=np.int64), limit


def _pooled(message: _Message, prefix: str, lanes: Sequence[LaneFrame]) -> dict[str, Any]:
    counts, limit = pooled_histograms(lanes)
    message.add(f"{prefix}w", counts.astype(np.uint32))
    return {
        "limit": limit,
        "zeros": [int(lane.zeros.sum()) for lane in lanes],
        "size": [sum(math.prod(shape) for shape in lane.shapes) for lane in lanes],
    }


def _curves(message: _Message, frame: Frame, prefix: str = "", most: int = CURVE_POINTS) -> None:
    for i, lane in enumerate(frame.lanes):
        n = lane.history.shape[1]
        at = thin(n, most, [lane.best_epoch - 1, lane.stopped_epoch - 1])
        if len(at) < n:
            message.add(f"{prefix}e{i}", (at + 1).astype(np.uint16 if n < 65536 else np.uint32))
        rows = np.stack([lane.curve(name)[at] for name in CURVES])
        message.add(f"{prefix}c{i}", half_precision(rows))


def _views(message: _Message, header: dict[str, Any], frame: Frame, *, with_points: bool) -> None:
    if frame.data is None:
        return
    unique = list({id(view): view for view in frame.data}.values())
    place = {id(view): i for i, view in enumerate(unique)}
    header["views"] = [_described(view) for view in unique]
    header["view"] = [place[id(view)] for view in frame.data]
    for i, view in enumerate(unique if with_points else ()):
        _points(message, i, view, MAX_POINTS // len(unique))


def _described(view: DataView) -> dict[str, Any]:
    return {"extent": list(view.extent), "classes": view.n_classes}


def _points(message: _Message, i: int, view: DataView, most: int) -> None:
    positions, kinds = quantize_points(view, most)
    message.add(f"p{i}", positions)
    message.add(f"k{i}", kinds)


def _content(view: DataView) -> bytes:
    """Bytes that are equal for equal data sets: each run of a sweep has its own objects."""
    parts = (view.x, view.y, view.is_val, np.array(view.extent))
    return b"".join(part.tobytes() for part in parts)


def _table(table: Table) -> dict[str, Any]:
    return {"columns": list(table.columns), "rows": [list(row) for row in table.rows]}
