"""Count the open sessions for the log, without names."""

from __future__ import annotations

import logging
import threading
import time

import streamlit as st

from regviz.engine import log

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_open = 0


def _ended(began: float) -> None:
    # the tab was closed or reloaded, or the connection dropped
    seconds = round(time.monotonic() - began)
    log.event(_log, "session ended", sessions=_count(-1), seconds=seconds)


@st.cache_resource(scope="session", on_release=_ended, show_spinner=False)
def present() -> float:
    """Count this session once, until it ends; return its start time (monotonic seconds)."""
    log.event(_log, "session started", sessions=_count(1))
    return time.monotonic()


def _count(change: int) -> int:
    global _open
    with _lock:
        _open += change
        return _open
