"""The app as a real server, for the tests, and the trainers that it has started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks import serving
from benchmarks.serving import ROOT, AppServer, find_free_port

running_app = serving.serving

__all__ = ["ROOT", "AppServer", "StartApp", "find_free_port", "running_app", "trainers"]


def trainers(server: AppServer) -> list[int]:
    """Return the process ids of the server's trainers."""
    return serving.trainers(server.process.pid)


StartApp = Callable[..., AbstractContextManager[AppServer]]
