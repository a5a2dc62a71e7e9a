"""What a server tells about itself: one line on standard error for each event.

``REGVIZ_LOG`` is ``text``, for a person who reads along, or ``json``, one object a line, for a
program that collects them. No line names a visitor: no address, no session, nothing of an
experiment or of somebody's data. What failed carries a number that the page shows, too.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

from regviz.specs import SpecError

FORMATS = ("text", "json")

_OTHERS = ("streamlit", "uvicorn", "websockets")  # who also writes where the server runs


def setup() -> None:
    """Have the lines written; what is written already changes its form only.

    Raises
    ------
    SpecError
        If ``REGVIZ_LOG`` is neither of :data:`FORMATS`.
    """
    name = os.environ.get("REGVIZ_LOG", "").strip() or "text"
    if name not in FORMATS:
        raise SpecError(f"REGVIZ_LOG: got {name[:40]!r}; choose one of {', '.join(FORMATS)}.")
    ours = logging.getLogger("regviz")
    if not any(isinstance(handler, _Handler) for handler in ours.handlers):
        ours.addHandler(_Handler())
        ours.setLevel(logging.INFO)
    if name == "text":
        return
    for handler in ours.handlers:
        handler.setFormatter(_Json())
    for other in list(logging.root.manager.loggerDict):
        if other.split(".")[0] in _OTHERS:
            for handler in logging.getLogger(other).handlers:
                handler.setFormatter(_Json())


def event(logger: logging.Logger, name: str, /, level: int = logging.INFO, **facts: Any) -> None:
    """Write one line: what happened, and numbers or words that belong to it."""
    logger.log(level, name, extra={"facts": facts})


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
        return json.dumps(line, ensure_ascii=False, default=str)


def _word(value: object) -> str:
    plain = isinstance(value, str) and value.replace("-", "").replace(".", "").isalnum()
    return str(value) if plain else json.dumps(value, default=str)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})
