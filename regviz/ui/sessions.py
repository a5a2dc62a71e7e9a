"""How many sessions are open, for the log: numbers, and nobody's name."""

from __future__ import annotations

import logging
import threading
import time

from regviz import log

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_open = 0


def started() -> float:
    """Count a session in; return when it began, for :func:`ended`."""
    log.event(_log, "session started", sessions=_count(1))
    return time.monotonic()


def ended(began: float) -> None:
    """Count a session out: its tab was closed or reloaded, or its connection dropped."""
    seconds = round(time.monotonic() - began)
    log.event(_log, "session ended", sessions=_count(-1), seconds=seconds)


def _count(change: int) -> int:
    global _open
    with _lock:
        _open += change
        return _open
