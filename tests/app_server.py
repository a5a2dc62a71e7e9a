"""The app as a real server, started and ended as a person would."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class AppServer:
    """A running app: where it answers, its process, and what it has printed so far."""

    url: str
    port: int
    process: subprocess.Popen[str]
    output: list[str]

    def get(self, path: str) -> bytes:
        """Return the body of a GET request."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=20) as response:
            return response.read()


@contextmanager
def running_app(
    command: tuple[str, ...],
    *,
    program: str | Path = sys.executable,
    environment: dict[str, str] | None = None,
    cwd: Path = ROOT,
    path: str = "",
) -> Iterator[AppServer]:
    """Start the app with ``PROGRAM COMMAND`` on a free port, and end it by SIGTERM.

    ``path`` is where it lies on that port.
    """
    port = find_free_port()
    process = subprocess.Popen(
        [str(program), *command],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
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
    server = AppServer(f"http://127.0.0.1:{port}{path}", port, process, [])
    assert process.stdout is not None
    reader = threading.Thread(target=server.output.extend, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        _await_health(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        process.stdout.close()


def _await_health(server: AppServer, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            assert server.get("_stcore/health") == b"ok"
        except OSError:  # not listening or answering yet; if it ends meanwhile, say so at once
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(0.1)
                break
        else:
            return
    raise RuntimeError("the app did not start:\n" + "".join(server.output))


def trainers(server: AppServer) -> list[int]:
    """Return the process ids of the server's trainers."""
    children: list[int] = []
    found: list[int] = []
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            children += [int(pid) for pid in (task / "children").read_text().split()]
    for pid in children:
        with contextlib.suppress(OSError):
            if b"regviz.trainer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


StartApp = Callable[..., AbstractContextManager[AppServer]]
