"""The server's log: one line for each event, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from regviz import log
from regviz.specs import SpecError


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing set up before, and nothing left behind."""
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
    lost, failed = (json.loads(line) for line in capsys.readouterr().err.splitlines())
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


def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGVIZ_LOG", "yaml")
    with pytest.raises(SpecError, match="REGVIZ_LOG: got 'yaml'; choose one of text, json"):
        log.setup()
