"""Frames: a run at one moment, as NumPy arrays, and their bytes."""

from regviz.frames.frame import (
    HISTOGRAM_BINS,
    HISTORY,
    RELIABILITY_BINS,
    DataView,
    Frame,
    LaneFrame,
    resample_boundary,
    resample_class_map,
)
from regviz.frames.store import MAX_STORED_FRAMES, MAX_STORED_LANES, FrameStore

__all__ = [
    "HISTOGRAM_BINS",
    "HISTORY",
    "MAX_STORED_FRAMES",
    "MAX_STORED_LANES",
    "RELIABILITY_BINS",
    "DataView",
    "Frame",
    "FrameStore",
    "LaneFrame",
    "resample_boundary",
    "resample_class_map",
]
