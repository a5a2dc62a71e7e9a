"""A table read in a process of its own; ``python -m regviz.tables`` is that one.

What strangers bring may be made to take all memory or never to end. So it is read elsewhere,
within a limit of memory and of time, niced, at most two at a time, and what reads it is ended with
what it was given: nothing is written to disk. What crosses over is the file's own bytes and JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from regviz.specs import SpecError
from regviz.tables import MAX_BYTES, Sheet

TIMEOUT = 20.0
"""Seconds for which one table may be read; a usual one takes a quarter of a second."""
WAIT = 60.0
"""Seconds for which others may be read first."""
MEMORY = 1 << 29
"""Bytes of address space; a usual table takes a tenth of it."""
_ROOT = Path(__file__).resolve().parents[2]
_PLACES = threading.BoundedSemaphore(2)
_REFUSED = 2


def read(
    content: bytes | str,
    *,
    decimal: str | None = None,
    sheet: str | None = None,
    timeout: float = TIMEOUT,
) -> Sheet:
    """Return what :func:`regviz.tables.reading.read` returns, read by another process.

    Raises
    ------
    SpecError
        As there; and if reading takes too long, too much memory, or fails, in one sentence.
    """
    is_text = isinstance(content, str)
    body = content.encode(errors="replace") if isinstance(content, str) else content
    if len(body) > MAX_BYTES:  # it need not be sent
        raise SpecError(
            f"the table has {len(body):,} bytes; give at most {MAX_BYTES:,}, say only some of its "
            "rows."
        )
    head = json.dumps({"decimal": decimal, "sheet": sheet, "is_text": is_text}).encode()
    if not _PLACES.acquire(timeout=WAIT):
        raise SpecError("many tables are being read at this moment; try again in a minute.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "regviz.tables"],
            input=b"".join([struct.pack("<I", len(head)), head, body]),
            capture_output=True,
            timeout=timeout,
            check=False,
            cwd=_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise SpecError(
            f"the table could not be read in {timeout:g} seconds; save it as CSV, with only the "
            "columns that are wanted."
        ) from None
    except OSError as error:
        raise SpecError(f"the table could not be read: {error.strerror}.") from None
    finally:
        _PLACES.release()
    if done.returncode == _REFUSED and done.stderr:
        raise SpecError(done.stderr.decode(errors="replace").strip())
    if done.returncode:
        raise SpecError(
            "the table could not be read; save it as CSV, with only the columns that are wanted."
        )
    return Sheet.from_dict(json.loads(done.stdout))


def answer(source: IO[bytes], sink: IO[bytes]) -> int:
    """Read one request, write the sheet; the exit code, and one sentence on standard error."""
    _limit()
    (length,) = struct.unpack("<I", source.read(4))
    head: dict[str, Any] = json.loads(source.read(length))
    body = source.read()
    from regviz.tables.reading import read as read_here

    try:
        found = read_here(
            body.decode() if head["is_text"] else body,
            decimal=head["decimal"],
            sheet=head["sheet"],
        )
    except SpecError as error:
        sys.stderr.buffer.write(f"{error}\n".encode(errors="replace"))
        return _REFUSED
    sink.write(json.dumps(found.to_dict()).encode())
    sink.flush()
    return 0


def _limit() -> None:
    """Take what this process may use from the system, as far as the system knows such limits."""
    with contextlib.suppress(OSError):
        os.nice(5)
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, int(TIMEOUT)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


__all__ = ["TIMEOUT", "answer", "read"]
