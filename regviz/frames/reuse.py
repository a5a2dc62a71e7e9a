"""Lanes that are trained already: half of a request is often there.

A user who moves a strength asks for a new twin beside the same plain model as before. On a busy
server the plain lane is taken from a finished run, and only the other is trained. Runs are
deterministic, so it is what training again would give. Its frames exist at some epochs only; the
new lanes get theirs at the same epochs, so that a frame shows all lanes at one epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from regviz.frames import DataView, Frame, LaneFrame, resample_boundary, resample_class_map

LEAST_FRAMES = 6
"""Frames that a lane must have: with fewer, the picture of the lane beside it would hardly move."""
MOST_LANES = 6
"""Lanes of a run that gives or takes lanes: frames of larger runs hold less of each lane."""


@dataclass(frozen=True)
class TrainedLane:
    """One lane of a finished run: its frames in order, the last one final, and its points."""

    frames: tuple[LaneFrame, ...]
    view: DataView
    epochs: int

    @classmethod
    def of(cls, frames: list[Frame], lane: int) -> TrainedLane | None:
        """Return a lane of a run's stored frames; None where they are too few."""
        if len(frames) < LEAST_FRAMES:
            return None
        last = frames[-1]
        if len(last.lanes) > MOST_LANES or not last.done or last.data is None:
            return None
        return cls(tuple(f.lanes[lane] for f in frames), last.data[lane], last.epochs)

    @property
    def frame_epochs(self) -> list[int]:
        """Epochs of its frames while it was trained."""
        return [frame.epoch for frame in self.frames[:-1]]

    def at(self, epoch: int) -> LaneFrame:
        """Return the lane's newest frame up to an epoch, or its first; its last frame from the
        epoch on at which it ended."""
        if epoch >= self.frames[-1].epoch:
            return self.frames[-1]
        return next((f for f in reversed(self.frames) if f.epoch <= epoch), self.frames[0])


def common_epochs(lanes: Mapping[int, TrainedLane]) -> list[int]:
    """Return the epochs at which each lane has a frame, or has ended."""
    if not lanes:
        return []
    every = set().union(*(lane.frame_epochs for lane in lanes.values()))
    ends = [(lane, set(lane.frame_epochs)) for lane in lanes.values()]
    return sorted(
        epoch
        for epoch in every
        if all(epoch in seen or epoch >= lane.frames[-1].epoch for lane, seen in ends)
    )


def completed(frame: Frame, lanes: Mapping[int, TrainedLane]) -> Frame:
    """Return a frame of new lanes with the trained ones in their places.

    Boundaries are resampled to the coarsest one's nodes, so that they can be compared.
    """
    if frame.done:
        trained = {i: lane.frames[-1] for i, lane in lanes.items()}
    else:
        trained = {i: lane.at(frame.epoch) for i, lane in lanes.items()}
    new, points = iter(frame.lanes), iter(frame.data or ())
    count = len(frame.lanes) + len(lanes)
    together = [trained[i] if i in trained else next(new) for i in range(count)]
    data = None
    if frame.data is not None:
        data = tuple(lanes[i].view if i in lanes else next(points) for i in range(count))
    sizes = {lane.boundary.shape[0] for lane in together if lane.boundary is not None}
    if len(sizes) > 1:
        together = [
            lane
            if lane.boundary is None
            else dataclasses.replace(lane, boundary=resample_boundary(lane.boundary, min(sizes)))
            for lane in together
        ]
    sizes = {lane.class_map.shape[1] for lane in together if lane.class_map is not None}
    if len(sizes) > 1:
        together = [
            lane
            if lane.class_map is None
            else dataclasses.replace(lane, class_map=resample_class_map(lane.class_map, min(sizes)))
            for lane in together
        ]
    return Frame(
        max(lane.epoch for lane in together) if frame.done else frame.epoch,
        max(frame.epochs, *(lane.epochs for lane in lanes.values())),
        tuple(together),
        data,
    )
