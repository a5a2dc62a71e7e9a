"""The server's log: one line on standard error for each event.

``REGVIZ_LOG`` is ``text``, for a terminal, or ``json``, one object a line, for a program that
collects logs. No line identifies a user: no address, no session, nothing of an experiment or of
own data. A failure has a reference that the page shows, too.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from regviz.specs import SpecError

FORMATS = ("text", "json")

MOST_A_MINUTE = 5
"""Lines of one kind a minute from the loggers below: a client can cause as many as it likes."""

_FROM_OUTSIDE = (
    "streamlit.net_util",
    "streamlit.runtime.app_session",
    "streamlit.runtime.websocket_session_manager",
    "streamlit.web.server.starlette.starlette_auth_routes",
    "streamlit.web.server.starlette.starlette_routes",
    "streamlit.web.server.starlette.starlette_websocket",
    "uvicorn.error",
    "asyncio",
)
"""Loggers of the libraries that report what a client has sent."""
_LONGEST = 500  # characters of a line of those: some quote what was sent

_OTHERS = ("streamlit", "uvicorn", "websockets")  # other loggers of a server


def setup() -> None:
    """Set the log up; called again, it only sets the format.

    Raises
    ------
    SpecError
        If ``REGVIZ_LOG`` is not one of :data:`FORMATS`.
    """
    name = os.environ.get("REGVIZ_LOG", "").strip() or "text"
    if name not in FORMATS:
        raise SpecError(f"REGVIZ_LOG: got {name[:40]!r}; choose one of {', '.join(FORMATS)}.")
    ours = logging.getLogger("regviz")
    if not any(isinstance(handler, _Handler) for handler in ours.handlers):
        ours.addHandler(_Handler())
        ours.setLevel(logging.INFO)
    for other in _FROM_OUTSIDE:
        logging.getLogger(other).addFilter(_sparing)  # once, however often it is added
    if name == "text":
        return
    for handler in ours.handlers:
        handler.setFormatter(_Json())
    for other in list(logging.root.manager.loggerDict):
        if other.split(".")[0] in _OTHERS:
            for handler in logging.getLogger(other).handlers:
                handler.setFormatter(_Json())


def event(logger: logging.Logger, name: str, /, level: int = logging.INFO, **facts: Any) -> None:
    """Log one event and its facts, numbers or words, as one line."""
    logger.log(level, name, extra={"facts": facts})


class Sparing(logging.Filter):
    """Lets a few lines of one kind through a minute, and counts the rest.

    A damaged message is the client's fault and takes one line; of other errors the first in a
    minute keeps its traceback.

    Parameters
    ----------
    clock
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str, str], tuple[float, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written; it may be shortened."""
        error = record.exc_info[1] if record.exc_info else None
        kind = (record.name, str(record.msg)[:_LONGEST], type(error).__name__)
        now = self._clock()
        with self._lock:
            began, seen, left_out = self._kinds.get(kind, (now, 0, 0))
            if now - began >= 60:
                began, seen = now, 0
            if seen >= MOST_A_MINUTE:
                self._kinds[kind] = (began, seen, left_out + 1)
                return False
            if len(self._kinds) >= 500:  # some libraries format their lines before they log them
                self._kinds.clear()
            self._kinds[kind] = (began, seen + 1, 0)
        text = record.getMessage()
        if error is not None and _is_damaged(error):
            text = f"A client sent a damaged message and was cut off ({type(error).__name__})."
            record.exc_info = record.exc_text = None
        elif error is not None and seen:  # the traceback stands with the first
            text = f"{text}: {type(error).__name__}: {error}"
            record.exc_info = record.exc_text = None
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + "..."
        if left_out:
            text += f" ({left_out:,} more lines of this kind were left out.)"
        record.msg, record.args = text, ()
        return True


def _is_damaged(error: BaseException) -> bool:
    """Whether a client has sent bytes that are no message, or text."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    read_text = at is not None and at.tb_frame.f_code.co_name == "receive_bytes"
    return read_text or type(error).__name__ == "DecodeError"


_sparing = Sparing()


class _Handler(logging.StreamHandler[Any]):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Text())


class _Text(logging.Formatter):
    """``2026-01-31 08:15:00 INFO trainer ready pid=7 device=cpu``; a traceback follows."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        facts = " ".join(f"{k}={_word(v)}" for k, v in _facts(record).items())
        lines = [f"{when} {record.levelname} {record.getMessage()} {facts}".rstrip()]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return json.dumps(line, ensure_ascii=False, default=str, allow_nan=False)
        except ValueError:  # NaN is not JSON, and other programs read these lines
            line = {k: str(v) if isinstance(v, float) else v for k, v in line.items()}
            return json.dumps(line, ensure_ascii=False, default=repr)


def _word(value: object) -> str:
    plain = isinstance(value, str) and value.replace("-", "").replace(".", "").isalnum()
    return str(value) if plain else json.dumps(value, default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})
