"""What is said about a frame, worked out once: a page says it in its table and in words."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any, Generic, TypeVar

from regviz.frames import Frame
from regviz.results import metrics
from regviz.specs import Experiment

_T = TypeVar("_T")
Judged = tuple[list[metrics.Reading], list[metrics.Verdict]]


class _Recent(Generic[_T]):
    """What was found out about the objects last seen, as long as they are there themselves.

    Shared by all visitors' threads: even copying the deque would let another one append to it
    where the garbage collector comes in.
    """

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[weakref.ref[Any], _T]] = deque(maxlen=most)

    def get(self, about: object) -> _T | None:
        """Return what was kept about this very object."""
        with self._lock:
            return next((found for seen, found in self._kept if seen() is about), None)

    def keep(self, about: object, found: _T) -> None:
        """Keep what was found out about this object."""
        with self._lock:
            self._kept.append((weakref.ref(about), found))


_frames: _Recent[Judged] = _Recent(64)
_views: _Recent[metrics.Known] = _Recent(64)


def judge(frame: Frame, experiment: Experiment) -> Judged:
    """Return reading and verdict of every lane; the lanes share the data set of ``experiment``."""
    found = _frames.get(frame)
    if found is None:
        data = experiment.data
        found = metrics.judge_frame(
            frame, [data] * len(frame.lanes), {data: _known(frame, experiment)}
        )
        _frames.keep(frame, found)
    return found


def best_epoch(reading: metrics.Reading) -> str:
    """Return a lane's best epoch as a table says it: with the epoch at which the run was stopped,
    or, after a run that went to its end, that the weights of the best epoch were restored."""
    if not reading.best_epoch:
        return "–"
    if reading.stopped_epoch:
        return f"{reading.best_epoch} (stop {reading.stopped_epoch})"
    return f"{reading.best_epoch}{' (restored)' if reading.epoch < reading.trained else ''}"


def _known(frame: Frame, experiment: Experiment) -> metrics.Known:
    assert frame.data is not None
    view = frame.data[0]
    known = _views.get(view)
    if known is None:
        known = metrics.known(experiment.data, view)
        _views.keep(view, known)
    return known
