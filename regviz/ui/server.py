"""The web server as one command: ``streamlit run app.py`` with the trainers started before the
first visitor, who then need not wait for them, and ended with the server.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import signal
import socket
import ssl
import stat
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

from regviz.engine import log
from regviz.engine.engine import shared_engine
from regviz.specs import SpecError
from regviz.ui import place, sockets

if TYPE_CHECKING:
    from streamlit.runtime.state.safe_session_state import SafeSessionState

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_made: dict[CodeType, Any] = {}

DEFAULTS = {
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",  # who edits pages uses streamlit run
    "STREAMLIT_SERVER_HEADLESS": "true",  # or it asks a person on a terminal for an e-mail address
    "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",  # or it asks an outside host for its own
}


def once(make: Callable[[], _T]) -> Callable[[], _T]:
    """Like :func:`functools.cache` for a function of a page or of the entry point, which each of
    their runs defines anew: it is called if none with the same code has been called before.

    Streamlit's own caches read the function's source each time, a tenth of a page's time.
    """

    @functools.wraps(make)
    def made() -> _T:
        if make.__code__ not in _made:
            _made[make.__code__] = make()
        value: _T = _made[make.__code__]
        return value

    return made


@functools.cache
def prepare() -> None:
    """Have this process serve many at once; called by the entry point, when all is imported.

    Streamlit collects garbage after every run; over a heap with all that the imports have left
    on it that costs more than the run, so that is put out of the collector's sight.
    """
    sockets.raise_descriptor_limit()  # as serve does; streamlit run comes here first
    send_at_once()
    hear_a_run_to_its_end()
    lock_once_for_a_visitor()
    look_up_one_by_one()
    say_the_theme_once()
    # a thread that wants the interpreter waits so long for one that computes: 5 ms by default, on
    # each of the dozen steps from a slider's message to the first frame
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()


def send_at_once() -> None:
    """Have the server's sockets send small messages at once, also those of visitors to come.

    Streamlit opens its socket without naming TCP, and asyncio then leaves Nagle's algorithm on: a
    message waits until the one before it is acknowledged, which takes a round trip or, where
    acknowledgements are delayed, 40 ms. An accepted socket has what the listening one has.
    """
    with contextlib.suppress(OSError):  # a system that does not list them sends as it likes
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError, ValueError):
                _send_at_once(int(name))


def _send_at_once(descriptor: int) -> None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return
    with socket.socket(fileno=os.dup(descriptor)) as one:
        if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


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


def _end(*_: object) -> None:
    raise SystemExit(0)


def serve(*, port: int | None = None, address: str | None = None) -> None:
    """Serve the app until SIGINT or SIGTERM; the trainers end with it.

    Parameters
    ----------
    port, address
        Where to listen; ``None`` leaves it to Streamlit's settings (``STREAMLIT_SERVER_PORT``,
        ``.streamlit/config.toml``).

    Raises
    ------
    SpecError
        If a setting of the environment is wrong, nothing can listen at that place, or the app's
        files cannot be found or linked to (:func:`regviz.ui.place.entry_point`).
    """
    if os.name == "nt":
        raise SpecError("serve: needs Linux or macOS; on Windows use WSL 2, or the Docker image.")
    log.setup()
    sockets.check_place(port, address)
    limit = sockets.raise_descriptor_limit()
    # a container's first process ends by no signal that it does not handle; Streamlit does so only
    # once it listens
    signal.signal(signal.SIGTERM, _end)
    engine = shared_engine()
    watch = sockets.DescriptorWatch(limit)
    try:
        # half a second, while the trainers start
        from streamlit.web import cli

        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        _check_settings(port, address)
        options = {"server.port": port, "server.address": address}
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        watch.start()
        try:
            cli.main(["run", str(place.entry_point()), *given], standalone_mode=False)
        except Exception as error:
            sentence = getattr(error, "format_message", None)  # click's: a wrong STREAMLIT_...
            if sentence is None:
                raise
            raise SpecError(" ".join(sentence().split())) from None
    finally:
        watch.stop()
        engine.close()
        log.event(_log, "stopped")


def _check_settings(port: int | None, address: str | None) -> None:
    """Refuse what no server can start with, once Streamlit has read all its settings: its files
    may name a place, too."""
    from streamlit import config

    def check() -> None:
        stop()  # a file that changes later is read anew, and then this server holds the port
        set_here = {n: config.get_option(n) for n in _CHECKED if config.is_manually_set(n)}
        certificate, key = (set_here.get(n) for n in _CHECKED[2:])
        if bool(certificate) != bool(key):
            raise SpecError(f"{_CHECKED[2]} and {_CHECKED[3]} go together; give both or none.")
        if certificate:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
            except (OSError, ValueError) as error:
                raise SpecError(
                    f"{_CHECKED[2]}: got {str(certificate)[:200]!r}, which cannot be used "
                    f"({getattr(error, 'strerror', None) or error}); give a certificate and its "
                    "key."
                ) from None
        # what the command line or a variable says was looked at before anything was started
        named = [n for n, given in zip(_CHECKED, (port, address), strict=False) if given is None]
        if any(n in set_here and _variable(n) not in os.environ for n in named):
            sockets.check_place(
                set_here.get(_CHECKED[0]), set_here.get(_CHECKED[1]), names=_CHECKED[:2]
            )

    stop = config.on_config_parsed(check, force_connect=True)


_CHECKED = ("server.port", "server.address", "server.sslCertFile", "server.sslKeyFile")


def _variable(name: str) -> str:
    return "STREAMLIT_" + name.replace(".", "_").upper()
