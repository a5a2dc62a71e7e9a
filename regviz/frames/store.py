"""The frames of a run that are kept for scrubbing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from regviz.frames.frame import HISTORY, Frame, LaneFrame

MAX_STORED_FRAMES = 100
MAX_STORED_LANES = 800
"""Frames times lanes that are kept of a run."""


class FrameStore:
    """The frames of one run that are kept for scrubbing: a thinned list of bounded length.

    When ``cap`` frames are held, every second one is dropped and from then on only every second
    frame is taken, and so on: the list stays evenly spaced however long the run is. The newest
    frame is always the last entry. A stored frame's history is a slice of the newest one's, so a
    long run does not hold its curves a hundred times. The more lanes, the fewer frames: otherwise
    a sweep of a thousand models would fill the memory.
    """

    def __init__(self, cap: int = MAX_STORED_FRAMES) -> None:
        self._most = cap
        self._kept: list[Frame] = []
        self._every = 1
        self._seen = 0
        self.latest: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Take in the newest frame."""
        if frame.data is None and self.latest is not None:
            frame = dataclasses.replace(frame, data=self.latest.data)
        if self._seen % self._every == 0:
            self._kept.append(_without_history(frame))
            if len(self._kept) >= max(4, min(self._most, MAX_STORED_LANES // len(frame.lanes))):
                self._kept = self._kept[::2]
                self._every *= 2
        self._seen += 1
        self.latest = frame

    def frames(self) -> list[Frame]:
        """Return the kept frames in order, with history and data, the newest last."""
        latest = self.latest
        if latest is None:
            return []
        kept = [_with_history(frame, latest) for frame in self._kept]
        if not kept or kept[-1].epoch != latest.epoch or latest.done:
            kept = [f for f in kept if f.epoch < latest.epoch]
            kept.append(latest)
        return kept

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays of this store hold."""
        frames = [*self._kept, *([self.latest] if self.latest is not None else [])]
        return sum(
            value.nbytes
            for frame in frames
            for lane in frame.lanes
            for value in vars(lane).values()
            if isinstance(value, np.ndarray)
        )


def _without_history(frame: Frame) -> Frame:
    empty = np.empty((len(HISTORY), 0), np.float32)
    # copied: an unpacked frame's arrays are views that would keep all of its bytes in memory
    lanes = []
    for lane in frame.lanes:
        fields: dict[str, Any] = {**vars(lane), "history": empty}
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                fields[name] = value.copy()
        lanes.append(LaneFrame(**fields))
    return dataclasses.replace(frame, lanes=tuple(lanes), data=None)


def _with_history(frame: Frame, latest: Frame) -> Frame:
    lanes = tuple(
        dataclasses.replace(lane, history=newest.history[:, : lane.epoch])
        for lane, newest in zip(frame.lanes, latest.lanes, strict=True)
    )
    return dataclasses.replace(frame, lanes=lanes, data=latest.data)
