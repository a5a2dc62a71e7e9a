"""The app as a real server on a free port, for benchmarks, pictures of the pages, and tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVE = ("-m", "regviz", "serve")
"""The app as its own command."""
STREAMLIT = ("-m", "streamlit", "run", "app.py")
"""The app as Streamlit starts it."""
QUIET = {
    "PYTHONUNBUFFERED": "1",
    "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",  # else it asks an outside host for its own
    "STREAMLIT_SERVER_HEADLESS": "true",
}
START = 120.0
"""Seconds in which a server must answer its health check; most of it is for a busy machine."""
END = 20.0
"""Seconds after SIGTERM until a server that is still there is killed."""


@dataclass
class AppServer:
    """A running app: its address, its process, and the file that holds what it has printed."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    _last: list[str] | None = field(default=None, init=False)

    @property
    def output(self) -> list[str]:
        """The lines printed so far, whole ones; after the end all lines."""
        if self._last is not None:
            return self._last
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines(keepends=True)
        return lines if text.endswith("\n") else lines[:-1]

    def get(self, path: str) -> bytes:
        """Return the body of a GET request."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=20) as response:
            return response.read()

    def close(self) -> None:
        """End the process by SIGTERM, and keep what it has printed."""
        self.process.terminate()
        try:
            self.process.wait(END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        text = self.log.read_text(encoding="utf-8", errors="replace")
        self._last = text.splitlines(keepends=True)


def find_free_port() -> int:
    """Return a TCP port on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str] = SERVE,
    *,
    program: str | Path = sys.executable,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    path: str = "",
) -> Iterator[AppServer]:
    """Start ``PROGRAM COMMAND`` on a free port, wait until it is healthy, end it with the block.

    Parameters
    ----------
    command
        Arguments of the program; the port comes by Streamlit's environment variable.
    program
        By default this Python; or the ``regviz`` of another environment.
    environment
        Variables besides those of this process.
    cwd
        Working directory: the root of a checkout, or a folder with another script.
    path
        Base path of the app on that port, as in ``"/class"``.

    Raises
    ------
    RuntimeError
        If the process ends, or does not answer within :data:`START` seconds; with its output.
    """
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(program), *command],
                cwd=cwd,
                env={
                    **os.environ,
                    **QUIET,
                    "STREAMLIT_SERVER_PORT": str(port),
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = AppServer(f"http://127.0.0.1:{port}{path}", port, process, log)
        try:
            _await_health(server)
            yield server
        finally:
            server.close()


def _await_health(server: AppServer) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            healthy = server.get("_stcore/health") == b"ok"
        except OSError:  # not listening or answering yet; if it ends meanwhile, say so at once
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(0.1)
                break
        else:
            if healthy:
                return
            raise RuntimeError(f"{server.url} answers, but not as this app does")
    raise RuntimeError("the app did not start:\n" + "".join(server.output))


def trainers(pid: int) -> list[int]:
    """Return the process ids of the trainers that a server's process has started; Linux only."""
    children: list[int] = []
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            children += [int(child) for child in (task / "children").read_text().split()]
    for child in children:
        with contextlib.suppress(OSError):
            if b"regviz.trainer" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found
