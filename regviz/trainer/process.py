"""The trainer process (``python -m regviz.trainer``): its connection, its signals, its main loop.

The engine starts this process and owns it; it ends by itself as soon as the engine's end of the
connection is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from regviz.engine import log, wire
from regviz.specs import Experiment, SpecError
from regviz.trainer.scheduler import Scheduler, Send

BEAT_SECONDS = 0.5
"""Time between two messages that say that this process is alive, and when its runs will end."""
NICE = 10
"""The web server goes first; but beside other processes a tenth of a core is left for training."""
GROUP = 2**64 - 1
"""The marker's value while a group is trained: no single run is to blame if the process dies."""

_log = logging.getLogger(__name__)


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, where it can; elsewhere the closed
    connection does it, as soon as the interpreter is free."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)


def _listen(connection: Connection, commands: queue.SimpleQueue[bytes | None], parent: int) -> None:
    """Take in commands while the main thread trains; end the process with its engine."""
    try:
        while True:
            while not connection.poll(2.0):
                if os.getppid() != parent:
                    os._exit(0)
            commands.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _load(device: str) -> tuple[Callable[[Send], Scheduler], str]:
    """Import torch and train a little, so that no user's first run waits for imports."""
    # scikit-learn imports pandas wherever it is installed: 60 MiB and half a second for nothing
    sys.modules["pandas"] = None  # type: ignore[assignment]
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401

    del sys.modules["pandas"]
    import torch

    from regviz.training.run import Run, SharedRun, pick_device

    torch.set_num_threads(1)
    device = pick_device(device)
    plain = Experiment().replace("training.epochs", 3)
    run = Run([plain, plain.replace("regularization.dropout", 0.5)], device=device)
    for _ in run.steps():
        run.frame().to_bytes()
    # else the garbage collector walks over all of torch again and again, 0.1 s each time
    gc.collect()
    gc.freeze()

    def make(experiments: Sequence[Experiment]) -> Run:
        return Run(experiments, device=device)

    return (lambda send: Scheduler(make, send, SharedRun)), device


def _serve(connection: Connection, *, device: str, marker: int | None, parent: int) -> None:
    commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(head: dict[str, Any], body: bytes = b"") -> None:
        connection.send_bytes(wire.pack(head, body))

    sys.setswitchinterval(0.001)  # commands shall not wait 5 ms for the training thread
    threading.Thread(target=_listen, args=(connection, commands, parent), daemon=True).start()
    try:
        scheduler_for, device = _load(device)
    except Exception as error:
        _log.exception("This trainer cannot start.")
        reason = str(error) if isinstance(error, SpecError) else _first_line(error)
        send({"kind": "unable", "reason": reason.rstrip(".")})
        sys.exit(1)
    os.nice(NICE)  # not before: importing torch then took a minute on a busy machine
    send({"kind": "ready", "device": device})
    scheduler = scheduler_for(send)
    beat = time.monotonic() + BEAT_SECONDS
    while True:
        with contextlib.suppress(queue.Empty):
            while True:
                scheduler.command(*wire.unpack(commands.get_nowait()))
        job = scheduler.next_job()
        if job is not None:
            if marker is not None:
                # survives this process, and names the run that ended it
                culprit = GROUP if scheduler.is_shared(job) else job
                os.pwrite(marker, culprit.to_bytes(8, "little"), 0)
            scheduler.slice(job)
        now = time.monotonic()
        if now >= beat:
            send({"kind": "beat", "outlook": scheduler.outlook()})
            beat = now + BEAT_SECONDS
        if job is None:
            with contextlib.suppress(queue.Empty):
                wait = min(beat - now, scheduler.rest())
                scheduler.command(*wire.unpack(commands.get(timeout=max(0.0, wait))))


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no message'}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the engine that started this process, until it is gone."""
    parser = argparse.ArgumentParser(prog="regviz.trainer", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="file descriptor, a socket")
    parser.add_argument("--marker", type=int, help="file descriptor; holds the current job")
    parser.add_argument("--parent", type=int, required=True, help="process id of the engine")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)
    log.setup()
    # Ctrl-C in a terminal reaches the whole group: the server decides, this process follows
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(options.parent)
    connection = Connection(options.channel)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection, device=options.device, marker=options.marker, parent=options.parent)
