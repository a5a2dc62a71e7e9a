"""What the system tells of a server's trainers, and waits for what happens to them."""

from __future__ import annotations

import contextlib
import os
import re
import select
import time
from pathlib import Path

from tests.app_server import AppServer, trainers
from tests.browsing import PATIENCE

# lines of a traceback in our own code: the web server has one of its own where a connection breaks
OURS = re.compile(r'File "[^"]*/(?:regviz|pages)/[^"]*\.py", line')


def ready_trainers(server: AppServer, count: int = 2) -> list[int]:
    """Return the trainers once there are ``count`` that have loaded torch."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        pids = trainers(server)
        with contextlib.suppress(OSError):
            if len(pids) == count and all(memory(pid) > 200 << 20 for pid in pids):
                return pids
        time.sleep(0.05)
    raise AssertionError(f"{len(trainers(server))} trainers")


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busiest(server: AppServer) -> int:
    """Return the trainer that works most."""
    pids = ready_trainers(server)
    before = {pid: cpu(pid) for pid in pids}
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        spent = sorted((cpu(pid) - before[pid], pid) for pid in pids)
        if spent[-1][0] - spent[0][0] >= 0.1:
            return spent[-1][1]
        time.sleep(0.05)
    raise AssertionError("no trainer works more than the other")


def until_idle(server: AppServer, seconds: float = PATIENCE) -> float:
    """Wait until no trainer works any more; return how long that took."""
    pids = trainers(server)
    begin = time.monotonic()
    spent: list[tuple[float, float]] = []
    while time.monotonic() - begin < seconds:
        spent.append((time.monotonic(), sum(map(cpu, pids))))
        since = next((when, used) for when, used in spent if used > spent[-1][1] - 0.035)
        if spent[-1][0] - since[0] > 1.5:  # signs of life only
            return since[0] - begin
        time.sleep(0.05)
    raise AssertionError("the trainers still work")


def end_of(pids: list[int], seconds: float) -> None:
    """Wait until processes that need not be ours have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # gone already
            descriptor = os.pidfd_open(pid)
            try:
                assert select.select([descriptor], [], [], seconds)[0], f"{pid} is still there"
            finally:
                os.close(descriptor)
