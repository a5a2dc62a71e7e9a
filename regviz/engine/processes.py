"""One trainer process as the engine sees it: start, messages, memory, waiting time, end.

The process is started with ``subprocess`` (multiprocessing would run the page script again in the
child) and inherits one end of a socket pair, which closes when either process ends, has no name
that other processes could connect to, and leaves no file behind (POSIX only). Two threads serve
it: one writes, so that a request does not wait for a trainer that does not read; one reads, so
that half a message from a stopped trainer does not hold up the other trainers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable

# imported here, not when the first trainer starts: SIGTERM can end an import of the main thread
# while it holds the import lock, for which the engine's thread would then wait without end
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from regviz.engine import wire

_ROOT = str(Path(__file__).resolve().parents[2])  # where the package regviz is found
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

_log = logging.getLogger(__name__)

OnMessage = Callable[["TrainerProcess", dict[str, Any], bytes], None]
OnEnd = Callable[["TrainerProcess"], None]


class TrainerProcess:
    """A started trainer.

    Make it on a thread that outlives the trainer: the kernel ends the process with the thread that
    started it.

    Parameters
    ----------
    device
        ``auto``, ``cpu`` or ``cuda``.
    gpu
        The only GPU that the process sees, as ``CUDA_VISIBLE_DEVICES`` names it.
    on_message
        Called with (self, head, body) on the reading thread.
    on_end
        Called once, on the reading thread, when the process is gone and reaped.
    """

    def __init__(self, device: str, gpu: str | None, on_message: OnMessage, on_end: OnEnd) -> None:
        self.device = device
        self.ready = False
        self.started = self.heard = time.monotonic()
        self.why = ""  # reason why it was ended, or could not start
        self.state = ""  # the system's letter for it, at the last call of waited()
        self._waited = self._spent = 0.0
        self._measured = self.started
        self._on_message, self._on_end = on_message, on_end
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._connection, theirs = Pipe()
        self._marker = os.memfd_create("regviz") if hasattr(os, "memfd_create") else None
        descriptors = [theirs.fileno(), *([self._marker] if self._marker is not None else [])]
        command = [sys.executable, "-m", "regviz.trainer", "--device", device]
        command += ["--channel", str(theirs.fileno()), "--parent", str(os.getpid())]
        if self._marker is not None:
            command += ["--marker", str(self._marker)]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env=_environment(gpu),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        except OSError:
            self._close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        name = f"regviz-trainer-{self.pid}"
        self._writer = threading.Thread(target=self._write, name=name + "-out", daemon=True)
        self._reader = threading.Thread(target=self._read, name=name + "-in", daemon=True)
        self._writer.start()
        self._reader.start()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Queue a message for the writing thread; one that can no longer arrive is dropped."""
        self._outbox.put(wire.pack(head, body))

    def kill(self, why: str = "") -> None:
        """End the process at once; ``on_end`` follows."""
        self.why = self.why or why
        self._process.kill()

    def wait(self, timeout: float) -> bool:
        """Wait until the process is gone and reaped; return whether it is."""
        self._reader.join(timeout)
        return not self._reader.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How the process ended, as the end of a sentence."""
        code = self._process.poll()
        if self.why:
            return self.why
        if code is not None and code < 0:
            return f"it was ended by signal {-code}"
        return f"it ended with exit code {code}"

    def current_job(self) -> int:
        """Return the number of the job that it trained last, 0 where that is not known."""
        if self._marker is None:
            return 0
        return int.from_bytes(os.pread(self._marker, 8, 0), "little")

    def memory(self) -> int:
        """Return the resident memory in bytes, 0 where the system does not report it."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            return 0

    def waited(self) -> float:
        """Return the seconds for which the process waited for a processor or a disk; 0 where the
        system does not report it (Linux does). The time between two calls counts as waiting, less
        the processor time spent in it, if at the second call the process is ready to run or waits
        for a disk."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            self.state = fields[0].decode()
            spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):
            return self._waited
        now = time.monotonic()
        if self.state in ("R", "D"):
            self._waited += max(0.0, now - self._measured - (spent - self._spent))
        self._measured, self._spent = now, spent
        return self._waited

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv_bytes()
                self.heard = time.monotonic()
                self._on_message(self, *wire.unpack(message))
        except (EOFError, OSError):
            pass  # the process closed its end, or ended
        except Exception:
            _log.exception("A message of trainer %d could not be taken in.", self.pid)
        finally:
            self._process.kill()
            self._process.wait()
            # only now: closed while the writer uses it, the descriptor could become another file's
            self._outbox.put(None)
            self._writer.join()
            self._on_end(self)
            self._close()

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)

    def _close(self) -> None:
        self._connection.close()
        if self._marker is not None:
            os.close(self._marker)
            self._marker = None


def _environment(gpu: str | None) -> dict[str, str]:
    """Return the trainer's environment: one thread, and the package found from any folder."""
    path = os.environ.get("PYTHONPATH")
    env = {
        **os.environ,
        **dict.fromkeys(_THREADS, "1"),
        "PYTHONPATH": os.pathsep.join([_ROOT, path] if path else [_ROOT]),
    }
    if gpu is not None:
        env["CUDA_VISIBLE_DEVICES"] = gpu
    return env
