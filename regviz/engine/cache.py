"""Finished work by its key, for equal requests and for lanes that requests have in common."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from regviz.engine.jobs import RunWork, Work
from regviz.frames.reuse import MOST_LANES
from regviz.specs import Experiment


class Cache:
    """A least-recently-used cache of finished runs and labs, bounded by their bytes.

    Not locked: the engine calls it under its own lock.

    Parameters
    ----------
    limit
        Bytes of frames that it holds at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[str, tuple[Work, int]] = OrderedDict()
        self._lanes: dict[Experiment, tuple[str, int]] = {}  # key of the run, and which lane
        self._nbytes = 0

    def get(self, key: str) -> Any:
        """Return the work of a key, now the last to be dropped; None where there is none."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def find_lane(self, experiment: Experiment) -> tuple[RunWork, int] | None:
        """Return a run that has trained an experiment, and in which lane."""
        key, lane = self._lanes.get(experiment, ("", 0))
        run = self.get(key)
        return (run, lane) if isinstance(run, RunWork) else None

    def put(self, work: Work) -> None:
        """Keep finished work; drop the longest unused until the bytes fit."""
        if isinstance(work, RunWork) and len(work.experiments) <= MOST_LANES:
            for i, e in enumerate(work.experiments):
                self._lanes.setdefault(e, (work.key, i))  # the first has the most frames
        size = work.nbytes
        _, old = self._held.pop(work.key, (None, 0))
        self._held[work.key] = work, size
        self._nbytes += size - old
        while self._nbytes > self._limit:
            _, (dropped, freed) = self._held.popitem(last=False)
            self._nbytes -= freed
            for e in dropped.experiments if isinstance(dropped, RunWork) else ():
                if self._lanes.get(e, ("", 0))[0] == dropped.key:
                    del self._lanes[e]
