"""Read a table in a separate process, ``python -m regviz.tables``.

An uploaded file may be crafted to exhaust memory or to keep its reader busy for ever. Its reader is
therefore a niced process with limits of memory and time; at most two run at once. The file's bytes
go in, JSON comes out, and nothing is written to disk.
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
"""Seconds to read one table before it is refused; a usual one takes a quarter of a second."""
WAIT = 60.0
"""Seconds to wait for a free reader before the table is refused."""
MEMORY = 1 << 29
"""Bytes of address space for the reader; a usual table takes a tenth of it."""
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
    """Run :func:`regviz.tables.reading.read` in another process.

    Raises
    ------
    SpecError
        As there; also if all readers are busy, or if reading fails, takes too long or too much
        memory.
    """
    is_text = isinstance(content, str)
    body = content.encode(errors="replace") if isinstance(content, str) else content
    if len(body) > MAX_BYTES:  # refuse it without starting a process
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
    """Answer one request: write the sheet to ``sink``, or an error sentence to standard error.

    Return the exit code.
    """
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
    """Limit this process's priority, memory, CPU time and files, where the system supports it."""
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
