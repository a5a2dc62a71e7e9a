"""Where the result of a command goes: a file, replaced when the new one is whole, or standard
output.

The place is checked before the training starts. What cannot be written after all is kept in
another file, and the error names it: a finished training is never lost to a full disk, a closed
terminal or a pipe whose reader has left.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from regviz.specs import SpecError

if sys.platform != "win32":
    import fcntl

STANDARD = "-"
"""In place of a file name: standard input, or standard output."""

_PROBE = 1 << 16  # bytes; a disk that takes them is taken for one with space
_LONGEST_NAME = 200  # bytes; file systems allow 255, and a part's name is longer than its file's


def open_standard_streams() -> None:
    """Put the null device in place of a standard stream that the caller has closed.

    Otherwise the next file opened gets its number, and what a library prints lands in that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one


def say(text: str) -> None:
    """Print a line on standard error; a closed or broken one is no reason to stop."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Send what is still buffered in a broken stream to the null device, so that the interpreter
    does not fail over it at its end."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


@contextlib.contextmanager
def text_output(path: str | None) -> Iterator[Callable[[str], object]]:
    """Open the place of a result and yield the function that writes it; ``None`` and ``-`` are
    standard output."""
    if path is not None and path != STANDARD:
        with bytes_output(path) as write:
            yield lambda text: write(text.encode())
        return
    _check_standard_output()

    def write_text(text: str) -> None:
        stream = sys.stdout
        try:
            _write_all(stream, text)
        except (OSError, ValueError) as error:
            silence(stream)
            raise _kept("standard output", error, text.encode(), ".json") from None

    yield write_text


@contextlib.contextmanager
def bytes_output(path: str) -> Iterator[Callable[[bytes], object]]:
    """Open a file and yield the function that writes it, whole or not at all.

    Raises
    ------
    SpecError
        At once if the file cannot be written or its disk is full; from the function that is
        yielded if it cannot be written any more, with the name of the file that has the content
        instead.
    """
    target = Path(os.path.realpath(path))
    part = _part_of(target)
    try:
        # a pipe or /dev/null is written to; a file is replaced when the new one is complete
        in_place = target.exists() and not target.is_file()
        if in_place:
            file: BinaryIO = target.open("wb")
        else:
            if target.exists() and not os.access(target, os.W_OK):
                raise PermissionError(0, "Permission denied")
            _remove_stale_parts(target)
            file = part.open("wb")
            with contextlib.suppress(OSError):  # not every file system has locks
                _lock(file)
    except OSError as error:
        raise SpecError(f"{path}: cannot be written: {_reason(error)}.") from None

    def write(content: bytes) -> None:
        try:
            with file:
                file.write(content)
            if not in_place:
                part.replace(target)
        except OSError as error:
            raise _kept(path, error, content, target.suffix) from None

    try:
        reason = _why_not(file.fileno(), ours=not in_place)
        if reason:
            raise SpecError(f"{path}: cannot be written: {reason}.")
        yield write
    finally:
        with contextlib.suppress(OSError):  # it has failed before, and that was said
            file.close()
        if not in_place:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _write_all(stream: TextIO, text: str) -> None:
    """Write a text, or raise. With ``PYTHONUNBUFFERED`` the stream itself hands on as much as a
    pipe or a disk takes at once, and drops the rest without a word."""
    stream.flush()
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # no file at all: a program that calls this reads along
        stream.write(text)
        return
    rest = memoryview(text.encode())
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # made non-blocking by another process; wait until it takes more
            select.select([], [descriptor], [])


def _kept(name: str, error: Exception, content: bytes, suffix: str) -> SpecError:
    """Return the error of a result that could not be written, and keep the result elsewhere."""
    kept = keep(content, suffix)
    if kept is None:
        where = "it could not be saved anywhere else and is lost"
    else:
        where = f"it was saved to {kept} instead"
    return SpecError(f"{name}: the result cannot be written: {_reason(error)}; {where}.")


def keep(content: bytes, suffix: str) -> Path | None:
    """Write content to a new file in the working directory, else in the folder for temporary
    files, else in the user's home; ``None`` where none of them takes it."""
    name = f"regviz-result-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}{suffix}"
    for folder in (Path.cwd, lambda: Path(tempfile.gettempdir()), Path.home):
        with contextlib.suppress(OSError, RuntimeError):
            path = folder() / name
            file = path.open("xb")
            try:
                with file:
                    file.write(content)
            except OSError:
                path.unlink(missing_ok=True)
            else:
                return path
    return None


# --- checks before the training ----------------------------------------------------------------


def _check_standard_output() -> None:
    if sys.stdout is None:
        raise SpecError("standard output: it is closed; give a file with -o.")
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # a program that calls this has put something else there
        return
    reason = _why_not(descriptor)
    if reason:
        raise SpecError(
            f"standard output: cannot be written: {reason}; give a file with -o."
        ) from None


def _why_not(descriptor: int, *, ours: bool = False) -> str:
    """Return why a descriptor will not take a result, "" where nothing speaks against it.

    Only a file of ``ours`` is written to: a process that shares standard output with others
    would lose what they wrote. A device gets a space, which JSON allows in front.
    """
    mode = os.fstat(descriptor).st_mode
    try:
        if ours:
            os.write(descriptor, bytes(_PROBE))
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
        elif stat.S_ISREG(mode) and hasattr(os, "fstatvfs"):
            disk = os.fstatvfs(descriptor)
            free = disk.f_bavail if os.geteuid() else disk.f_bfree
            if disk.f_blocks and not free:
                return "No space left on device"
        elif stat.S_ISCHR(mode) and not os.isatty(descriptor):
            os.write(descriptor, b" ")
        elif (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and hasattr(select, "poll"):
            poll = select.poll()
            poll.register(descriptor, 0)  # errors are told unasked
            if poll.poll(0):
                return "its reader has closed it"
    except OSError as error:
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


# --- parts of files ----------------------------------------------------------------------------


def _stem(target: Path) -> str:
    name = target.name
    raw = os.fsencode(name)
    return name if len(raw) <= _LONGEST_NAME else hashlib.sha256(raw).hexdigest()[:16]


def _part_of(target: Path) -> Path:
    return target.with_name(f".{_stem(target)}.{os.getpid()}.part")


def _remove_stale_parts(target: Path) -> None:
    """Remove what killed runs have left of the same file: the user's own, of a process that is
    gone, and locked by none (on another machine its number says nothing)."""
    if sys.platform == "win32":
        return
    pattern = re.compile(rf"\.{re.escape(_stem(target))}\.(\d{{1,10}})\.part")
    with contextlib.suppress(OSError):
        for name in os.listdir(target.parent):
            found = pattern.fullmatch(name)
            if found and not _alive(int(found[1])):
                with contextlib.suppress(OSError):
                    _remove_stale(target.with_name(name))


def _remove_stale(part: Path) -> None:
    found = part.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        return
    with part.open("rb") as file:
        _lock(file)  # raises where another process holds it
        part.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _lock(file: BinaryIO) -> None:
    if sys.platform != "win32":
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
