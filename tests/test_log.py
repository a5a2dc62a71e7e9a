"""The server's log: one line per event, whatever its content."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from regviz.engine import log
from regviz.specs import SpecError


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without a configured log, and restore it afterwards."""
    monkeypatch.delenv("REGVIZ_LOG", raising=False)
    ours = logging.getLogger("regviz")
    before, level = list(ours.handlers), ours.level
    ours.handlers.clear()
    yield
    ours.handlers[:] = before
    ours.setLevel(level)


def write() -> None:
    logger = logging.getLogger("regviz.test")
    log.event(logger, "trainer lost", logging.WARNING, pid=7, reason='two\nlines, "λ"', word="cpu")
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        logger.exception("A run failed, reference %s.", "7-1")


def test_json_is_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGVIZ_LOG", "json")
    log.setup()
    log.setup()  # not twice over
    write()
    log.event(logging.getLogger("regviz.test"), "measured", loss=float("nan"), epochs=3)
    lost, failed, measured = (
        json.loads(line, parse_constant=pytest.fail)
        for line in capsys.readouterr().err.splitlines()
    )
    assert (measured["loss"], measured["epochs"]) == ("nan", 3)
    assert (lost["event"], lost["level"]) == ("trainer lost", "warning")
    assert (lost["pid"], lost["reason"]) == (7, 'two\nlines, "λ"')
    assert failed["event"] == "A run failed, reference 7-1."
    assert failed["traceback"].startswith("Traceback")
    assert failed["traceback"].endswith("ValueError: bad\nthing")
    assert lost["time"].endswith("Z")
    assert "T" in lost["time"]


def test_text_is_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup()
    write()
    first, second, third, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith('WARNING trainer lost pid=7 reason="two\\nlines, \\"\\u03bb\\"" word=cpu')
    assert second.endswith("ERROR A run failed, reference 7-1.")
    assert third == "Traceback (most recent call last):"


def test_what_others_write_becomes_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = io.StringIO()
    other = logging.getLogger("streamlit.regviz_test")
    handler = logging.StreamHandler(lines)
    other.addHandler(handler)
    other.propagate = False
    monkeypatch.setenv("REGVIZ_LOG", "json")
    log.setup()
    other.error("Uncaught %s", "error")
    other.removeHandler(handler)
    assert json.loads(lines.getvalue())["event"] == "Uncaught error"


class Client(logging.Handler):
    """Keeps the records written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def outside() -> Iterator[tuple[logging.Logger, list[str], list[float]]]:
    """Return another package's logger with a filter, its output, and the clock."""
    now = [0.0]
    logger, handler = logging.getLogger("regviz_test.outside"), Client()
    logger.filters[:] = [log.Sparing(lambda: now[0])]
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, handler.lines, now
    logger.removeHandler(handler)


def test_what_clients_cause_is_written_five_times_a_minute(
    outside: tuple[logging.Logger, list[str], list[float]],
) -> None:
    logger, lines, now = outside
    for number in range(1000):
        logger.warning("refused %s", number)
        logger.warning("closed")
    assert lines == [x for number in range(5) for x in (f"refused {number}", "closed")]
    now[0] = 60
    logger.warning("refused %s", "x" * 10_000)
    logger.warning("refused again")
    assert lines[-1] == "refused again"
    assert lines[-2].startswith("refused xxx")
    assert lines[-2].endswith("(995 more lines of this kind were left out.)")
    assert len(lines[-2]) < 600


def test_one_traceback_a_minute_and_none_of_a_damaged_message(
    outside: tuple[logging.Logger, list[str], list[float]],
) -> None:
    logger, lines, _ = outside

    class DecodeError(Exception):
        pass

    def receive_bytes() -> None:  # as Starlette's, which meets text
        raise KeyError("bytes")

    def fail() -> None:
        raise KeyError("a bug of ours")

    def damaged() -> None:
        raise DecodeError("secret things of theirs")

    for cause in (damaged, receive_bytes, fail):
        del lines[:]
        for _ in range(9):
            try:
                cause()
            except Exception:
                logger.exception("met an error")
        assert len(lines) == 5
        tracebacks = [line for line in lines if "Traceback" in line]
        assert tracebacks == (lines[:1] if cause is fail else [])
        assert "secret" not in "".join(lines)
        logger.filters[:] = [log.Sparing(lambda: 0.0)]


def test_the_filter_is_where_others_write_of_clients() -> None:
    log.setup()
    log.setup()
    for name in ("uvicorn.error", "streamlit.web.server.starlette.starlette_websocket"):
        kinds = [type(f) for f in logging.getLogger(name).filters]
        assert kinds.count(log.Sparing) == 1


def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGVIZ_LOG", "yaml")
    with pytest.raises(SpecError, match="REGVIZ_LOG: got 'yaml'; choose one of text, json"):
        log.setup()
