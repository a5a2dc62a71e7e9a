"""The web server as one command: ``streamlit run app.py`` with the trainers started before the
first visitor, who then need not wait for them, and ended with the server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import stat
from pathlib import Path

from regviz import log
from regviz.engine import shared_engine
from regviz.specs import SpecError

_log = logging.getLogger(__name__)

APP = Path(__file__).resolve().parents[2] / "app.py"

DEFAULTS = {
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",  # who edits pages uses streamlit run
    "STREAMLIT_SERVER_HEADLESS": "true",  # or it asks a person on a terminal for an e-mail address
    "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",  # or it asks an outside host for its own
}


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
        If a setting of the environment is wrong, or the pages are not here: they are not part
        of the installed package.
    """
    if not APP.is_file():
        raise SpecError(f"{APP}: not found; start the app from a checkout of the project.")
    log.setup()
    # a container's first process ends by no signal that it does not handle; Streamlit does so only
    # once it listens
    signal.signal(signal.SIGTERM, _end)
    engine = shared_engine()
    try:
        # half a second, while the trainers start
        from streamlit.web import cli

        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        options = {"server.port": port, "server.address": address}
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        cli.main(["run", str(APP), *given], standalone_mode=False)
    finally:
        engine.close()
        log.event(_log, "stopped")
