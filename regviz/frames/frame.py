"""Frames: a run at one moment, as NumPy arrays, and their bytes.

A frame holds one :class:`LaneFrame` for each experiment, in the order they were given. Frames go
from trainer processes to the web process in the format of :mod:`regviz.frames.codec`, so that
nothing received is ever unpickled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.frames import codec

HISTORY = (
    "train_loss",
    "train_loss_train_mode",
    "val_loss",
    "train_accuracy",
    "val_accuracy",
    "penalty",
)
"""Rows of :attr:`LaneFrame.history`, in this order."""

HISTOGRAM_BINS = 128
RELIABILITY_BINS = 15
LEVELS = 255
"""A boundary's bytes: 0 where P(class 1) is 0, this where it is 1."""
CLASS_CODES = 16
LEAD_LEVELS = 15
"""A byte of an image of classes is k + CLASS_CODES·l, with l from 0 to LEAD_LEVELS."""
_MAGIC = b"RVF1"


@dataclass(frozen=True)
class DataView:
    """The points of a data set, as a picture shows them (at most 2,000, thinned evenly).

    ``x`` is float32 (points, 2): the first two input features; ``y`` uint8 (points,): the labels
    used in training (label noise included); ``is_val`` bool (points,).
    ``extent`` is (x0 low, x0 high, x1 low, x1 high) of the boundary grid. Of data that are
    sequences, ``sequences`` is uint8 (6, time): the first validation sequences' tokens, and
    ``sequence_labels`` uint8 (6,); else None. Of data that are images, ``images`` is float32 (10,
    pixels): the first validation image of each class, and ``image_labels`` uint8 (10,); else None.
    """

    x: NDArray[np.float32]
    y: NDArray[np.uint8]
    is_val: NDArray[np.bool_]
    extent: tuple[float, float, float, float]
    n_train: int
    n_val: int
    n_features: int
    n_classes: int
    sequences: NDArray[np.uint8] | None = None
    sequence_labels: NDArray[np.uint8] | None = None
    images: NDArray[np.float32] | None = None
    image_labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class LaneFrame:
    """One model at one moment.

    Attributes
    ----------
    status
        ``running``, ``finished`` (trained to the last epoch), ``stopped`` (early stopping) or
        ``diverged`` (the loss is no longer a number, or exploded).
    epoch
        Epochs trained so far; the newest column of ``history``.
    best_epoch
        Epoch of the lowest validation loss (by early stopping's rule where it is on); 0 before.
    stopped_epoch
        Epoch after which early stopping ended the lane, else 0.
    wait
        Epochs since the last improvement: early stopping's patience counter.
    restored
        Whether weights, boundary and layer views show the best epoch instead of the last.
    history
        float32 (6, epochs): rows named by :data:`HISTORY`, column ``e - 1`` for epoch ``e``.
    layers
        Name of each weight matrix, first to last.
    shapes
        (inputs, units) of each weight matrix.
    histogram
        uint32 (layers, 128): counts of the non-zero weights in 128 equal bins over
        ``[-limit, limit]``; biases are not in it.
    limits
        float32 (layers,): that limit, a power of two, so that the bins of two lanes merge exactly.
    zeros
        int64 (layers,): weights that are exactly 0.
    norms
        float64 (layers,): Euclidean norm of each weight matrix.
    l1_norms
        float64 (layers,): sum of absolute values of each weight matrix.
    input_mean, input_std
        float32 (layers,): mean and standard deviation of each layer's inputs over the training
        set, eval mode.
    boundary
        uint8 (grid, grid) or None: round(255·P(class 1)) (row = x1 ascending, column = x0); other
        inputs at 0. None without a plane of inputs or with more than two classes.
    class_map
        uint8 (2, grid, grid) or None: on the same grid, with more than two classes, k + 16·l and
        round(255·p), where k is the most probable class, p its probability (at least 1/K) and
        l = round(15·√d) its lead over the second, d = p - p₂: so a line between classes can be
        drawn between nodes. None for images, whose inputs have no plane.
    reliability
        float32 (3, 15): count, sum of confidences and correct count of the validation set in 15
        bins (lo, hi] of the top-label probability; the reliability diagram and the ECE follow.
    input_norms
        float32 (inputs,) or None: Euclidean norm of the weights that leave each input feature, 0
        exactly where all of them are 0. None for networks other than an ``mlp``.
    answers
        float32 (6,) or None: P(class 1) of the view's ``sequences``, eval mode. In a run's last
        frame only, and only of a sequence model.
    attention
        float32 (2, 6, blocks, heads, time, time) or None: attention weights of each token of
        those sequences, in eval mode and in train mode with one draw of the attention dropout's
        masks (other dropout off), by the same weights. In a transformer's last frame only.
    probabilities
        float32 (2, 10, classes) or None: class probabilities of the view's ``images``, in eval
        mode and in train mode with one draw of dropout's masks (batch norm as in eval mode), by
        the same weights. This and the maps: in a CNN's last frame only, in a run of few lanes.
    maps
        float32 (2, 10, numbers) or None: the feature maps of each layer, flattened, one layer
        after the other; ``map_shapes`` are the layers' (channels, side).
    map_kept
        float32 (10, all channels) or None: the share of each map that train mode kept.
    rights
        uint32 (3, 2, classes) or None: of the training points, of the validation points, and of
        those validation points that are neither copies of a training point nor of one another
        (in their own inputs): for each labelled class the number classified correctly in eval
        mode, and the number of points. None for networks other than an ``mlp`` that still train,
        and for lanes that come from a file.
    test
        float32 (2,) or None: loss and accuracy on the locked test set, eval mode, by the weights
        that the frame shows. In the last frame only, in a run of at most 64 lanes. A page asks
        before it shows it: a test set is used once.
    """

    status: str
    epoch: int
    best_epoch: int
    stopped_epoch: int
    wait: int
    restored: bool
    history: NDArray[np.float32]
    layers: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    histogram: NDArray[np.uint32]
    limits: NDArray[np.float32]
    zeros: NDArray[np.int64]
    norms: NDArray[np.float64]
    l1_norms: NDArray[np.float64]
    input_mean: NDArray[np.float32]
    input_std: NDArray[np.float32]
    boundary: NDArray[np.uint8] | None
    reliability: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((3, RELIABILITY_BINS), np.float32)
    )
    input_norms: NDArray[np.float32] | None = None
    answers: NDArray[np.float32] | None = None
    attention: NDArray[np.float32] | None = None
    probabilities: NDArray[np.float32] | None = None
    maps: NDArray[np.float32] | None = None
    map_shapes: tuple[tuple[int, int], ...] = ()
    map_kept: NDArray[np.float32] | None = None
    test: NDArray[np.float32] | None = None
    class_map: NDArray[np.uint8] | None = field(
        default=None, metadata={"extension": True, "name": "winners"}
    )
    rights: NDArray[np.uint32] | None = field(default=None, metadata={"extension": True})

    def curve(self, name: str) -> NDArray[np.float32]:
        """Return one row of the history by its name."""
        return self.history[HISTORY.index(name)]

    def feature_maps(self, layer: int) -> NDArray[np.float32]:
        """Return a layer's feature maps, (2, images, channels, side, side): eval, train."""
        if self.maps is None:
            raise ValueError("feature_maps: got a frame without maps; ask a CNN's last frame.")
        sizes = [channels * side**2 for channels, side in self.map_shapes]
        start, (channels, side) = sum(sizes[:layer]), self.map_shapes[layer]
        flat = self.maps[..., start : start + sizes[layer]]
        return flat.reshape(*flat.shape[:2], channels, side, side)


@dataclass(frozen=True)
class Frame:
    """All lanes at one moment. ``epoch`` is the furthest lane's; ``epochs`` the most asked for.

    ``data`` holds each lane's points (equal data sets are one object); on the wire only a run's
    first frame carries it, and the store adds it to the later ones.
    """

    epoch: int
    epochs: int
    lanes: tuple[LaneFrame, ...]
    data: tuple[DataView, ...] | None = None

    @property
    def done(self) -> bool:
        """Whether no lane is training any more."""
        return all(lane.status != "running" for lane in self.lanes)

    def to_bytes(self, *, with_data: bool = True) -> bytes:
        """Pack the frame: magic, header length, JSON header, arrays."""
        arrays: list[NDArray[Any]] = []
        lanes = [_pack(lane, arrays) for lane in self.lanes]
        header: dict[str, Any] = {"epoch": self.epoch, "epochs": self.epochs, "lanes": lanes}
        if with_data and self.data is not None:
            unique = list({id(d): d for d in self.data}.values())
            header["views"] = [_pack(d, arrays) for d in unique]
            place = {id(d): i for i, d in enumerate(unique)}
            header["data"] = [place[id(d)] for d in self.data]
        header["arrays"] = [[a.dtype.str, list(a.shape)] for a in arrays]
        return codec.pack(_MAGIC, header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frame:
        """Unpack what :meth:`to_bytes` wrote; the arrays are read-only views of ``data``.

        Raises
        ------
        ValueError
            If ``data`` is not a whole frame.
        """
        try:
            header, at = codec.unpack(_MAGIC, data)
            arrays = codec.arrays_from(data, at, header["arrays"])
            lanes = tuple(_unpack(LaneFrame, entry, arrays) for entry in header["lanes"])
            views = [_unpack(DataView, entry, arrays) for entry in header.get("views", [])]
            places = header.get("data")
            points = None if places is None else tuple(views[i] for i in places)
            return cls(header["epoch"], header["epochs"], lanes, points)
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"these bytes are not a whole frame: {error!r}") from None


def _pack(value: Any, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """Describe a dataclass for the header; its arrays go into ``arrays``, by number.

    A field marked ``extension`` is written only where it is not None; one with a ``name`` keeps
    that name in the bytes.
    """
    out: dict[str, Any] = {}
    for f in dataclasses.fields(value):
        entry = getattr(value, f.name)
        name = f.metadata.get("name", f.name)
        if isinstance(entry, np.ndarray):
            out[name] = {"array": len(arrays)}
            arrays.append(entry)
        elif entry is None and f.metadata.get("extension"):
            continue
        else:
            out[name] = entry
    return out


def _unpack(cls: type[Any], entry: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> Any:
    out: dict[str, Any] = {}
    names = {f.metadata["name"]: f.name for f in dataclasses.fields(cls) if "name" in f.metadata}
    for key, value in entry.items():
        name = names.get(key, key)
        if isinstance(value, dict):
            out[name] = arrays[value["array"]]
        elif isinstance(value, list):
            out[name] = tuple(tuple(v) if isinstance(v, list) else v for v in value)
        else:
            out[name] = value
    return cls(**out)


def resample_boundary(boundary: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Return the boundary on at most ``most`` x ``most`` nodes, evenly over the same extent.

    Linear between the old nodes: contours stay where they are.
    """
    out = boundary.astype(np.float32)
    for axis, n in enumerate(boundary.shape):
        if n <= most:
            continue
        at = np.linspace(0, n - 1, most)
        low = np.minimum(at.astype(np.int64), n - 2)
        part = (at - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        out = (1 - part) * out.take(low, axis) + part * out.take(low + 1, axis)
    return out.round().astype(np.uint8)


def resample_class_map(class_map: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Return a map of classes on at most ``most`` x ``most`` nodes, evenly over its extent.

    Each takes the nearest old node's value: there is nothing between two classes.
    """
    rows, columns = (
        np.linspace(0, n - 1, min(n, most)).round().astype(np.int64) for n in class_map.shape[1:]
    )
    return class_map[:, rows][:, :, columns]
