"""Who goes first where many pages are drawn at once: what somebody is waiting for.

All pages are drawn by threads of one interpreter, which they share in equal parts. But until the
first new frame after a click is on its way, a student waits; what is drawn after that (controls
that stand there already, another look at a run) nobody misses for some milliseconds. So a page is
*urgent* from its beginning to its frame; of those a few are drawn at a time, and what can wait
gives way to all of them.

Looks at runs are asked for by the browsers, at an interval that the server has told them. Where it
has no time to tell them a longer one it would have less and less: so it also takes its time.
"""

from __future__ import annotations

import threading
import time

AT_ONCE = 3
"""Urgent pages drawn at a time: each more would make all of them later."""
LONGEST = 0.25
"""Seconds after which a page is urgent no longer, whatever has become of it."""
PATIENCE = 0.15
"""Seconds that one run of a page or of a fragment gives way to others at most, all in all."""
IN_LINE = 1.0
"""Seconds that an urgent page waits for others at most, and a look for its turn."""
MOST_LOOKS = 40
"""Looks a second at most, by all sessions."""

_changed = threading.Condition()
_urgent: dict[int, float] = {}  # threads, and until when
_own = threading.local()
_next_look = 0.0


def hurry() -> None:
    """Let what this thread draws from here on be urgent, until :func:`calm`; in turn with others
    that are."""
    me, until = threading.get_ident(), time.monotonic() + IN_LINE
    _own.left = PATIENCE
    with _changed:
        while len(_urgent) >= AT_ONCE and me not in _urgent and _wait(until):
            pass
        _urgent[me] = time.monotonic() + LONGEST


def calm() -> bool:
    """Let what this thread draws from here on be able to wait; return whether it was urgent."""
    if threading.get_ident() not in _urgent:
        return False
    with _changed:
        was = _urgent.pop(threading.get_ident(), None) is not None
        _changed.notify_all()
    return was


def give_way() -> None:
    """Wait while others are urgent, unless this thread is, or has waited long enough."""
    if not _urgent or threading.get_ident() in _urgent:
        return
    until = time.monotonic() + getattr(_own, "left", PATIENCE)
    with _changed:
        while _urgent and _wait(until):
            pass
    _own.left = until - time.monotonic()


def look() -> None:
    """Wait for this thread's turn to look at its run, and then for those who are urgent."""
    global _next_look
    _own.left = PATIENCE
    with _changed:
        now = time.monotonic()
        turn = min(max(now, _next_look), now + IN_LINE)
        _next_look = turn + 1 / MOST_LOOKS
    time.sleep(turn - now)
    give_way()


def _wait(until: float) -> bool:
    """Wait for a change; called with the lock held. Return whether there is time left."""
    now = time.monotonic()
    for thread in [thread for thread, end in _urgent.items() if end <= now]:
        del _urgent[thread]
    left = until - now
    if _urgent and left > 0:
        _changed.wait(min(left, min(_urgent.values()) - now))
    return left > 0
