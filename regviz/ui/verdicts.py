"""Readings and verdicts of a frame, computed once for a page's table and its sentences."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from regviz.frames import Frame
from regviz.frames.messages import Cell
from regviz.results import metrics, verdict
from regviz.specs import Experiment

_T = TypeVar("_T")
Judged = tuple[list[metrics.Reading], list[verdict.Verdict]]


class _Recent(Generic[_T]):
    """A cache of results for the latest objects; an entry ends with its object.

    The threads of all sessions share it. The lock is needed even for reading: the garbage collector
    can switch threads while the deque is copied, and another thread appends to it.
    """

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[weakref.ref[Any], _T]] = deque(maxlen=most)

    def get(self, about: object) -> _T | None:
        """Return the result for this object (by identity), or None."""
        with self._lock:
            return next((found for seen, found in self._kept if seen() is about), None)

    def keep(self, about: object, found: _T) -> None:
        """Keep the result for this object."""
        with self._lock:
            self._kept.append((weakref.ref(about), found))


_frames: _Recent[Judged] = _Recent(64)
_views: _Recent[verdict.Known] = _Recent(64)


def judge(frame: Frame, experiment: Experiment) -> Judged:
    """Return each lane's reading and verdict; the lanes share ``experiment``'s data set."""
    found = _frames.get(frame)
    if found is None:
        data = experiment.data
        found = verdict.judge_frame(
            frame, [data] * len(frame.lanes), {data: _known(frame, experiment)}
        )
        _frames.keep(frame, found)
    return found


def verdict_cells(verdicts: Sequence[verdict.Verdict]) -> tuple[Cell, ...]:
    """Return the verdicts as a row of the table of numbers."""
    return ("Verdict", *((v.kind, verdict.TONES[v.kind]) for v in verdicts))


def reading_rows(
    readings: Sequence[metrics.Reading], *, objective: bool = True
) -> list[tuple[Cell, ...]]:
    """Return the lanes' numbers as rows of text for :func:`regviz.ui.live.readout`.

    Without ``objective`` the row *Objective* (training loss + penalty) is left out.
    """
    rows: list[tuple[Cell, ...]] = [
        ("Training accuracy", *(metrics.percent(r.train_accuracy) for r in readings)),
        ("Validation accuracy", *(metrics.percent(r.val_accuracy) for r in readings)),
        ("Gap", *(metrics.points(r.gap) for r in readings)),
        ("Training loss", *(loss_text(r.train_loss) for r in readings)),
        ("Validation loss", *(loss_text(r.val_loss) for r in readings)),
        ("Penalty", *(loss_text(r.penalty) for r in readings)),
    ]
    if objective:
        rows.append(("Objective", *(loss_text(r.train_loss + r.penalty) for r in readings)))
    rows += [
        ("Exact zeros", *(f"{r.zeros:,} / {r.weights:,}" for r in readings)),
        ("Best epoch", *(best_epoch(r) for r in readings)),
    ]
    return rows


def loss_text(value: float) -> str:
    """Return a loss (nats) with three decimals; from 1000 on in powers of ten, nan as a dash."""
    if value != value:
        return "–"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.1e}"


def best_epoch(reading: metrics.Reading) -> str:
    """Return a lane's best epoch as text, with the epoch at which early stopping ended the run or
    a mark that the best weights were restored after its last epoch."""
    if not reading.best_epoch:
        return "–"
    if reading.stopped_epoch:
        return f"{reading.best_epoch} (stop {reading.stopped_epoch})"
    return f"{reading.best_epoch}{' (restored)' if reading.epoch < reading.trained else ''}"


def _known(frame: Frame, experiment: Experiment) -> verdict.Known:
    assert frame.data is not None
    view = frame.data[0]
    known = _views.get(view)
    if known is None:
        known = verdict.known(experiment.data, view)
        _views.keep(view, known)
    return known
