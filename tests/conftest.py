"""Shared by all tests: hypothesis' profile, and the app as a real server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# deadlines measure the machine, and this one is shared
settings.register_profile(
    "regviz", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("regviz")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    return _free_port()


@dataclass(frozen=True)
class AppServer:
    """A running app: where it answers, its process, and what it has printed so far."""

    url: str
    process: subprocess.Popen[str]
    output: list[str]

    def get(self, path: str) -> bytes:
        """Return the body of a GET request."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=20) as response:
            return response.read()


@contextmanager
def running_app(
    command: tuple[str, ...], *, environment: dict[str, str] | None = None, cwd: Path = ROOT
) -> Iterator[AppServer]:
    """Start the app with ``python COMMAND`` on a free port, and end it by SIGTERM."""
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE": "false",
            "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",  # else it asks outside for its own
            "STREAMLIT_SERVER_HEADLESS": "true",
            "STREAMLIT_SERVER_PORT": str(port),
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = AppServer(f"http://127.0.0.1:{port}", process, [])
    announced = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            server.output.append(line)
            if "URL:" in line:  # the port is open from here on
                announced.set()
        announced.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert announced.wait(60), "the app did not start:\n" + "".join(server.output)
        assert process.poll() is None, "the app ended at once:\n" + "".join(server.output)
        assert server.get("_stcore/health") == b"ok"
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        if process.stdout is not None:
            process.stdout.close()


StartApp = Callable[..., AbstractContextManager[AppServer]]


@pytest.fixture(scope="session")
def start_app() -> StartApp:
    """Return :func:`running_app`, for a test that needs a server of its own."""
    return running_app


@pytest.fixture(scope="session")
def app_server() -> Iterator[AppServer]:
    """Give the whole session one server, started as ``streamlit run app.py``."""
    with running_app(("-m", "streamlit", "run", "app.py")) as server:
        yield server
