"""Slides drawn in a separate process (``python -m regviz.slides``), for a server.

Drawing takes a second or two and 150 MB, and would block the pages of all users meanwhile. So a
child process draws, at lower priority, and is given up after a minute; at most two run at a time.
It receives a JSON header and the frames as bytes (:meth:`regviz.frames.Frame.to_bytes`); nothing
is unpickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from regviz import slides
from regviz.frames import Frame
from regviz.results.verdict import Verdict
from regviz.slides.runs import Chart, Runs
from regviz.slides.slide import FORMATS, MOVING, Slide
from regviz.specs import Experiment, SpecError

TIMEOUT = 60.0
DECK = "deck"
_ROOT = Path(__file__).resolve().parents[2]
_PLACES = threading.BoundedSemaphore(2)
_REFUSED = 2
_REMARK = "remark: "  # begins a line on standard error


def render(runs: Runs, slide: Slide, format: str, *, timeout: float = TIMEOUT) -> bytes:
    """Return the slide as :func:`regviz.slides.render` does, drawn by another process.

    Raises
    ------
    SpecError
        As there, and also if drawing takes too long or fails.
    """
    return drawn(runs, slide, format, timeout=timeout)[0]


def drawn(runs: Runs, slide: Slide, format: str, *, timeout: float = TIMEOUT) -> tuple[bytes, str]:
    """Return the bytes of :func:`render`, and the sentence of :func:`regviz.slides.unseen`."""
    if format not in FORMATS:
        raise SpecError(f'format: got "{format}"; choose one of {", ".join(FORMATS)}.')
    return _ask(_request([(runs, slide)], format), timeout)


def render_deck(parts: Sequence[tuple[Runs, Slide]], *, timeout: float = TIMEOUT) -> bytes:
    """Return one deck (PPTX) of the slides of several runs, drawn by another process.

    Raises
    ------
    SpecError
        If there is nothing to show, or as :func:`render`.
    """
    if not parts:
        raise SpecError("deck: got no slides; give at least one.")
    return _ask(_request(parts, DECK), timeout)[0]


def _request(parts: Sequence[tuple[Runs, Slide]], format: str) -> bytes:
    """Pack a request: a header, and the frames that the format needs."""
    bodies: list[bytes] = []
    entries = []
    for runs, slide in parts:
        # only the last frame holds the data; a still needs no other frame
        frames = runs.moments(slide.frames) if format in MOVING else list(runs.frames[-1:])
        own = [frame.to_bytes(with_data=frame is runs.last) for frame in frames]
        entries.append(
            {
                "experiments": [e.to_dict() for e in runs.experiments],
                "labels": runs.labels,
                "has_weights": runs.has_weights,
                "charts": [dataclasses.asdict(chart) for chart in runs.charts],
                "verdicts": runs.verdicts and [dataclasses.asdict(v) for v in runs.verdicts],
                "slide": dataclasses.asdict(slide),
                "frames": [len(body) for body in own],
            }
        )
        bodies += own
    head = json.dumps({"format": format, "parts": entries}).encode()
    return b"".join([struct.pack("<I", len(head)), head, *bodies])


def _ask(message: bytes, timeout: float) -> tuple[bytes, str]:
    with _PLACES:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "regviz.slides"],
                input=message,
                capture_output=True,
                timeout=timeout,
                check=False,
                cwd=_ROOT,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "PYTHONIOENCODING": "utf-8:backslashreplace",
                    **_cache(),
                },
            )
        except subprocess.TimeoutExpired:
            raise SpecError(
                f"slide: drawing took over {timeout:g} seconds; choose fewer frames or figures."
            ) from None
        except OSError as error:
            raise SpecError(f"slide: nothing could be drawn: {error.strerror}.") from None
    if done.returncode == _REFUSED and done.stderr:
        raise SpecError(done.stderr.decode().strip())
    if done.returncode:
        raise SpecError("slide: drawing failed; choose another format or fewer figures.")
    said = done.stderr.decode(errors="replace").splitlines()
    remarks = [line.removeprefix(_REMARK) for line in said if line.startswith(_REMARK)]
    return done.stdout, " ".join(remarks)


def _cache() -> dict[str, str]:
    """Return where matplotlib stores its list of fonts if the home folder is not writable."""
    if "MPLCONFIGDIR" in os.environ or os.access(Path.home(), os.W_OK):
        return {}
    return {"MPLCONFIGDIR": str(Path(tempfile.gettempdir()) / "regviz-matplotlib")}


def answer(source: IO[bytes], sink: IO[bytes]) -> int:
    """Read one request, write the file, and return the exit code.

    Standard error holds one sentence: why the request is refused, or a remark after ``remark: ``.
    """
    with contextlib.suppress(OSError):
        os.nice(5)
    (length,) = struct.unpack("<I", source.read(4))
    head = json.loads(source.read(length))
    try:
        parts = [_part(source, entry) for entry in head["parts"]]
        if head["format"] == DECK:
            from regviz.slides import deck

            made = [one for runs, slide in parts for one in deck.deck_slides(runs, slide)]
            sink.write(deck.build(made))
        else:
            ((runs, slide),) = parts
            sink.write(slides.render(runs, slide, head["format"]))
            if head["format"] != "html" and (remark := slides.unseen(runs, slide)):
                sys.stderr.write(f"{_REMARK}{remark}\n")
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED
    return 0


def _part(source: IO[bytes], entry: dict[str, Any]) -> tuple[Runs, Slide]:
    frames = [Frame.from_bytes(source.read(size)) for size in entry["frames"]]
    runs = Runs(
        tuple(Experiment.from_dict(e) for e in entry["experiments"]),
        tuple(frames),
        tuple(entry["labels"]),
        entry["has_weights"],
        tuple(Chart(**chart) for chart in entry["charts"]),
        entry["verdicts"] and tuple(Verdict(**v) for v in entry["verdicts"]),
    )
    return runs, Slide(**entry["slide"])
