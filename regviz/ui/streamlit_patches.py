"""Functions of Streamlit that this app replaces by others, each with the reason why it must."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlit.runtime.state.safe_session_state import SafeSessionState


class _OneByOne(Mapping[str, Any]):
    """A visitor's session state, of which one entry at a time is looked up."""

    def __init__(self, state: SafeSessionState) -> None:
        self._state = state

    def __getitem__(self, key: str) -> Any:
        with self._state._lock:
            return self._state._state[key]

    def __iter__(self) -> Iterator[str]:
        with self._state._lock:
            return iter(self._state._state.filtered_state)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def lock_once_for_a_visitor() -> None:
    """Have all threads that run a visitor's page share one lock on the visitor's session state.

    After a next click a page runs in a new thread at once (Streamlit's ``runner.fastReruns``),
    while the old one goes on up to its next element. Each had a lock of its own on the same
    state, and a run could end with "dictionary changed size during iteration".
    """
    from streamlit.runtime.state import SessionState
    from streamlit.runtime.state.safe_session_state import SafeSessionState

    made = SafeSessionState.__init__
    if hasattr(made, "__wrapped__"):
        return
    # by the state's identity: who has its lock also holds the state itself
    locks: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    @functools.wraps(made)
    def init(
        self: SafeSessionState, state: SessionState, yield_callback: Callable[[], None]
    ) -> None:
        made(self, state, yield_callback)
        object.__setattr__(self, "_lock", locks.setdefault(id(state), self._lock))

    SafeSessionState.__init__ = init  # type: ignore[method-assign]


def hear_a_run_to_its_end() -> None:
    """Have Streamlit take in all that a run has drawn before a look at what it drew begins.

    What a run draws waits for the server's loop. Where the loop is late, and a browser's timer asks
    for a part of the page meanwhile, Streamlit makes a new runner for that, as the old one has
    ended, and from then on hears no more of the old one: the rest of the page was lost, and with it
    the timers that look at the run. A page stood still until it was touched again.
    """
    from streamlit.proto.ClientState_pb2 import ClientState
    from streamlit.runtime.app_session import AppSession
    from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

    at_once = AppSession.request_rerun
    if hasattr(at_once, "__wrapped__"):
        return

    @functools.wraps(at_once)
    def request_rerun(self: AppSession, client_state: ClientState | None) -> None:
        runner = self._scriptrunner
        by_timer = client_state is not None and client_state.is_auto_rerun
        ended = runner is not None and runner._requests._state == ScriptRequestType.STOP
        if not (by_timer and ended):
            at_once(self, client_state)
            return

        def afterwards() -> None:
            if self._scriptrunner in (None, runner):  # else a newer run looks by itself
                at_once(self, client_state)

        self._event_loop.call_soon(afterwards)

    AppSession.request_rerun = request_rerun  # type: ignore[method-assign]


def look_up_one_by_one() -> None:
    """Have Streamlit's widgets look up their own entry of the session state, not make a dictionary
    of all of it: each select box and each number input does, which took an eighth of the time of
    a page that has nine of them."""
    from streamlit.runtime.state.safe_session_state import SafeSessionState

    SafeSessionState.filtered_state = property(_OneByOne)  # type: ignore[assignment]


def say_the_theme_once() -> None:
    """Have Streamlit put its theme together once, not for each run of a page or of a part of one:
    six sections of it, each looked up among all settings, took a twentieth of the server's time."""
    from streamlit import config
    from streamlit.proto.NewSession_pb2 import CustomThemeConfig
    from streamlit.runtime import app_session

    put_together = app_session._populate_theme_msg
    if hasattr(put_together, "__wrapped__"):  # two first visitors at the same moment
        return
    made: dict[str, CustomThemeConfig] = {}

    @functools.wraps(put_together)
    def populate(message: CustomThemeConfig, section: str = "theme") -> None:
        theme = made.get(section)
        if theme is None:
            theme = CustomThemeConfig()
            put_together(theme, section)
            made[section] = theme
        if theme.ByteSize():  # else the browser would take it for a theme
            message.MergeFrom(theme)

    app_session._populate_theme_msg = populate  # type: ignore[assignment]
    config.on_config_parsed(made.clear, force_connect=True)
