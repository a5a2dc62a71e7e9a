"""The web server as one command: ``streamlit run app.py`` with the trainers started before the
first session, which then need not wait for them, and ended with the server.
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
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

from regviz.engine import log
from regviz.engine.engine import shared_engine
from regviz.specs import SpecError
from regviz.ui import place, sockets, streamlit_patches

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_made: dict[CodeType, Any] = {}

DEFAULTS = {
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",  # use streamlit run while editing pages
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
    streamlit_patches.hear_a_run_to_its_end()
    streamlit_patches.lock_once_for_a_visitor()
    streamlit_patches.look_up_one_by_one()
    streamlit_patches.say_the_theme_once()
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
