"""Verdicts on a frame are cached for all sessions, whose threads use the cache concurrently."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from regviz.ui import verdicts


class Thing:
    """Any object that accepts weak references."""


def test_what_was_found_out_is_kept_as_long_as_there_is_room() -> None:
    things = [Thing() for _ in range(5)]
    recent: verdicts._Recent[int] = verdicts._Recent(3)
    for number, thing in enumerate(things):
        recent.keep(thing, number)
    assert [recent.get(thing) for thing in things] == [None, None, 2, 3, 4]


@pytest.mark.usefixtures("restless")
def test_some_look_while_others_keep() -> None:
    things = [Thing() for _ in range(200)]
    recent: verdicts._Recent[int] = verdicts._Recent(64)
    over = threading.Event()

    def keep() -> None:
        while not over.is_set():
            for number, thing in enumerate(things):
                recent.keep(thing, number)

    with ThreadPoolExecutor(1) as pool:
        keeping = pool.submit(keep)
        try:
            for _ in range(10_000):
                assert recent.get(things[7]) in (None, 7)
        finally:
            over.set()
        keeping.result()
