"""Load of a class: many sessions on one server, each moving sliders, and their waiting times.

``python -m benchmarks.load``, from the root, starts ``python -m regviz serve`` on a free port (of
another checkout with ``--root``), lets 1, 10, 30 and 60 students (``--sessions``) open the
Playground and move sliders for ``--seconds``, and prints one table with the goals. Sessions speak
the websocket protocol (:mod:`benchmarks.visitor`); a real browser beside them (``--browser``)
measures paints. The tool ends all processes that it starts.

- A *student* opens the page, waits for the first run's final frame, and then moves one of eight
  sliders to a random other value. No two moves of all students request the same experiment, so no
  run comes from the cache. The next move follows 0.5 to 1.5 times ``--think`` seconds after the
  last one, but not before its final frame: fewer moves than planned mean that students waited.
  After minutes without a reset, all eight sliders differ from their start and a run costs several
  times as much as the first; with ``--apart 2`` at most two differ.
- *first new frame*: from sending the move until the first frame of the new run arrives, of a run
  not shown before and after the page's address holds the new value. *final picture*: until the last
  frame of that run.
- *loop lag*: a GET of the health route every 0.1 s on an open connection, minus its median on the
  idle server. It includes everything that keeps the event loop or its core busy. The tool's lag,
  the delay of its timers, is beside it.
- *processor*: percent of one core, from ``/proc``. Web: the process that answers requests;
  trainers: its descendants that have loaded torch.
- *memory*: resident size; the trainers' is a sum, so shared pages count once per trainer. Per
  session: the growth of the web process while sessions opened, divided by their number.
- *starved*: the largest median of a session divided by the median of all moves.
- *idle*: all sessions open without moves, processor time over ten seconds.
- ``--class-start``: all students press at the same moment, each with another λ, until all have
  their final frame. ``--hold N``: N sessions are open and do nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import math
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.browser import cpu_seconds, descendants, has_torch, resident_mb
from benchmarks.serving import ROOT, serving
from benchmarks.visitor import Move, Visitor

SLIDERS = (
    "Dropout p",
    "L1 λ",
    "L2 λ",
    "Weight decay",
    "Label smoothing ε",
    "Input noise σ",
    "Noise",
    "Label noise",
)
LAMBDAS = ("L2 λ", "L1 λ", "Weight decay")
OPENING = 0.25
"""Seconds between two students' opening of the page."""
TRIES = 1000
"""Draws without a new experiment after which ``--apart`` is relaxed."""
PATIENCE = 60.0
"""Seconds after which a move without a final frame has failed."""
IDLE = 10.0
"""Seconds over which the processor time of idle sessions is measured."""
CALM = 2.0
"""Seconds for the clean-up after a run, before idle sessions are measured."""
PAUSE = 0.1
"""Seconds between two measurements of the event loop's lag."""
BUSY = 0.5
"""Load average before the first session from which the machine counts as busy with other work."""
FLOOR_REQUESTS = 30
"""Requests to the idle server before the first session; their median is the floor of the lag."""


# --- the server -------------------------------------------------------------------------------


@dataclass
class Server:
    """A running app: its address, its web process if known, and its output."""

    url: str
    pid: int | None
    log: Path | None = None

    def trainers(self) -> list[int]:
        """Return the trainers' process ids."""
        if self.pid is None:
            return []
        out = []
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):  # the process has just ended
                if has_torch(pid):
                    out.append(pid)
        return out

    def tracebacks(self) -> int:
        """Return how many exceptions the server has printed."""
        return 0 if self.log is None else self.log.read_text(errors="replace").count("Traceback")


@contextmanager
def started(root: Path) -> Iterator[Server]:
    """Run ``python -m regviz serve`` in ``root`` on a free port, and end it."""
    environment = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    with serving(cwd=root, environment=environment) as server:
        yield Server(server.url, server.process.pid, server.log)


@dataclass(frozen=True)
class Usage:
    """Processor seconds and memory of the server, and processor seconds of this tool."""

    at: float
    web: float
    trainers: dict[int, float]
    tool: float
    web_mb: float
    trainers_mb: float

    def share(self, before: Usage, what: str) -> float:
        """Return the share of one core since ``before``, in percent."""
        return 100 * self.seconds(before, what) / (self.at - before.at)

    def seconds(self, before: Usage, what: str) -> float:
        """Return the processor seconds since ``before``."""
        if what == "trainers":
            return sum(t - before.trainers.get(pid, 0.0) for pid, t in self.trainers.items())
        return float(getattr(self, what) - getattr(before, what))


def usage(server: Server) -> Usage:
    """Read the current usage of the server's processes."""
    cpu: dict[int, float] = {}
    memory = 0.0
    for pid in server.trainers():
        with contextlib.suppress(OSError):
            cpu[pid] = cpu_seconds(pid)
            memory += resident_mb(pid)
    web, web_mb = (
        (math.nan, math.nan)
        if server.pid is None
        else (cpu_seconds(server.pid), resident_mb(server.pid))
    )
    return Usage(time.perf_counter(), web, cpu, time.process_time(), web_mb, memory)


# --- loop lag ---------------------------------------------------------------------------------


class Lag:
    """Measures the delay of the server's event loop, and of this tool's timers."""

    def __init__(self, server: Server) -> None:
        host, _, port = server.url.split("://", 1)[1].rstrip("/").partition(":")
        self._host, self._port = host, int(port or 80)
        self.floor = 0.0
        self.times: list[float] = []
        self.own: list[float] = []

    async def ask(self, count: int | None, pause: float) -> list[float]:
        """Request the health route ``count`` times (or for ever); return the seconds of each."""
        out = self.times if count is None else []
        reader, writer = await asyncio.open_connection(self._host, self._port)
        request = (
            f"GET /_stcore/health HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            "Accept-Encoding: identity\r\n\r\n"
        ).encode()
        try:
            while count is None or len(out) < count:
                due = time.perf_counter() + pause
                await asyncio.sleep(pause)
                self.own.append(time.perf_counter() - due)
                begun = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                size = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(size))
                out.append(time.perf_counter() - begun)
        finally:
            writer.close()
        return out

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Measure during the block."""
        self.own.clear()
        task = asyncio.create_task(self.ask(None, PAUSE))
        try:
            yield
        finally:
            task.cancel()
            # a connection that the server closed shows in the number of answers
            with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await task

    def milliseconds(self) -> list[float]:
        """Return the lag of each answer, in milliseconds above the idle server's."""
        return [1000 * max(0.0, t - self.floor) for t in self.times]


# --- students ---------------------------------------------------------------------------------


@dataclass
class Student:
    """A session and its moves: time of the request, slider, result."""

    visitor: Visitor
    rng: random.Random
    moves: list[tuple[float, str, Move]]
    apart: int = len(SLIDERS)
    start: dict[str, float | str] = field(default_factory=dict)

    def choose(self, asked: set[tuple[tuple[str, float | str], ...]]) -> tuple[str, float | str]:
        """Choose a slider and its value.

        No student may have requested the same experiment before, and at most ``apart`` sliders may
        differ from their start: from then on one of these is moved on or, as often, put back. When
        all such experiments are used up, after about a quarter of an hour, more may differ.
        """
        names = [name for name in SLIDERS if name in self.visitor.sliders]
        stands = {name: self.visitor.value(name) for name in names}
        self.start = self.start or stands
        away = [name for name in names if stands[name] != self.start[name]]
        full = self.apart < len(names) and len(away) >= self.apart
        tries = 0
        while True:
            tries += 1
            full = full and tries <= TRIES
            name = self.rng.choice(away if full else names)
            value = self.rng.choice(self.visitor.sliders[name].values)
            if full and self.rng.random() < 0.5:
                value = self.start[name]
            wish = tuple(sorted((stands | {name: value}).items()))
            if value != stands[name] and wish not in asked:
                asked.add(wish)
                return name, value

    async def work(
        self, until: float, think: float, asked: set[tuple[tuple[str, float | str], ...]]
    ) -> None:
        """Move sliders until the time ``until``."""
        await asyncio.sleep(self.rng.uniform(0, think))  # students must not start at the same time
        if not self.visitor.sliders:  # the page has not loaded
            return
        while time.perf_counter() < until and not self.visitor.lost:
            begun = time.perf_counter()
            gone = [name for name in SLIDERS if not self.visitor.has(name)]
            if gone:  # report missing sliders, but let the other sessions continue
                self.visitor.errors.append(f"gone from the page: {', '.join(gone)}")
                await asyncio.sleep(think)
                continue
            name, value = self.choose(asked)
            move = await self.visitor.move(name, value, PATIENCE)
            self.moves.append((begun, name, move))
            pause = self.rng.uniform(0.5, 1.5) * think - (time.perf_counter() - begun)
            if time.perf_counter() + pause > until:
                return
            await asyncio.sleep(max(0.0, pause))


@asynccontextmanager
async def students(
    server: Server, count: int, seed: int, apart: int = len(SLIDERS)
) -> AsyncIterator[list[Student]]:
    """Open ``count`` sessions one after the other, and wait for the end of their first runs."""
    group = [
        Student(Visitor(server.url), random.Random(1000 * seed + i), [], apart)
        for i in range(count)
    ]

    async def arrive(i: int, student: Student) -> None:
        await asyncio.sleep(OPENING * i)
        begun = time.perf_counter()
        move = await student.visitor.open(PATIENCE)
        student.moves.append((begun, "", move))
        await student.visitor.settled(PATIENCE)

    try:
        await asyncio.gather(*(arrive(i, student) for i, student in enumerate(group)))
        yield group
    finally:
        await asyncio.gather(*(student.visitor.close() for student in group))


async def settle(group: Sequence[Student]) -> int:
    """Wait until every page is idle; return how many did not become idle."""
    calm = await asyncio.gather(*(student.visitor.settled(PATIENCE) for student in group))
    return len(calm) - sum(calm)


# --- a browser beside them --------------------------------------------------------------------


def painted(pipe: Connection, url: str, pid: int, seconds: float, think: float) -> None:
    """Move a slider in a real browser for ``seconds``; send the times (ms) from key press to first
    paint and to completion.

    The first message only reports that the page is open, because a starting browser occupies both
    cores for seconds. Runs in a separate process, with the code of :mod:`benchmarks.browser`.
    """
    from playwright.sync_api import sync_playwright

    from benchmarks import browser as real
    from regviz.results import presets
    from regviz.specs import to_link

    out: dict[str, Any] = {"first": [], "complete": [], "cpu": 0.0}
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        until, cpu, seed = math.inf, 0.0, 500
        while time.monotonic() < until:
            own = presets.DEFAULT.experiment.replace("training.seed", seed)
            seed += 1
            page.goto(f"{url}/?e={to_link(own)}")
            real.await_done(page)
            if until == math.inf:
                cpu = sum(cpu_seconds(child) for child in descendants(os.getpid()))
                until = time.monotonic() + seconds
                pipe.send("open")
            for _ in range(10):  # the slider's range
                if time.monotonic() > until:
                    break
                page.wait_for_timeout(1000 * think)
                for name, values in real.moves(page, pid, 1).items():
                    if name in out:
                        out[name] = [*out[name], *values] if name != "cpu" else 0.0
        out["cpu"] = sum(cpu_seconds(child) for child in descendants(os.getpid())) - cpu
        browser.close()
    pipe.send(out)


# --- what is measured -------------------------------------------------------------------------

Numbers = dict[str, Any]


def spread(values: Sequence[float], factor: float = 1000) -> dict[str, float] | None:
    """Return median, 95th percentile and largest value, times ``factor``; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
    named = {"p50": statistics.median(ordered), "p95": p95, "max": ordered[-1]}
    return {name: round(factor * value, 2) for name, value in named.items()}


def starved(group: Sequence[Student], what: str) -> float | None:
    """Return the largest of the sessions' medians, divided by the median of all moves."""
    each = [
        [getattr(move, what) for _, name, move in student.moves if name and not move.failure]
        for student in group
    ]
    every = [value for values in each for value in values]
    if not every:
        return None
    return max(statistics.median(values) for values in each if values) / statistics.median(every)


def outcome(server: Server, group: Sequence[Student]) -> Numbers:
    """Return times, failures and starvation of the moves."""
    every = [(i, *entry) for i, student in enumerate(group) for entry in student.moves]
    moved = [(i, at, name, move) for i, at, name, move in every if name]
    good = [move for _, _, _, move in moved if not move.failure]
    failures = Counter(move.failure for _, _, _, move in every if move.failure)
    seen = sum(len(student.visitor.errors) for student in group)
    return {
        "moves": len(moved),
        "first_ms": spread([m.first for m in good if m.first is not None]),
        "first_epoch": spread([float(m.first_epoch or 0) for m in good], 1),
        "final_s": spread([m.final for m in good if m.final is not None], 1),
        "frames": spread([float(m.frames) for m in good], 1),
        "open_s": spread([m.final for _, _, name, m in every if not name and m.final], 1),
        "failures": dict(failures),
        "errors_shown": seen,
        "tracebacks": server.tracebacks(),
        "starved_first": starved(group, "first"),
        "starved_final": starved(group, "final"),
        "received_mb": round(sum(s.visitor.received_bytes for s in group) / 1e6, 2),
        "each": [
            {
                "session": i,
                "at": round(at, 3),
                "slider": name,
                "first": move.first,
                "final": move.final,
                "frames": move.frames,
                "failure": move.failure,
            }
            for i, at, name, move in every
        ],
    }


async def idle(server: Server, group: Sequence[Student]) -> Numbers:
    """Return the server's share of a core with all sessions open and idle."""
    never = await settle(group)
    await asyncio.sleep(CALM)
    before = usage(server)
    await asyncio.sleep(IDLE)
    after = usage(server)
    return {
        "web_percent": after.share(before, "web"),
        "trainers_percent": after.share(before, "trainers"),
        "never_idle": never,
    }


async def measure(server: Server, count: int, options: argparse.Namespace) -> Numbers:
    """Measure ``count`` sessions with the command line's options."""
    gc.collect()
    gc.freeze()
    load = os.getloadavg()[0]
    lag = Lag(server)
    lag.floor = statistics.median(await lag.ask(FLOOR_REQUESTS, PAUSE))
    closed = usage(server)
    async with students(server, count, options.seed, options.apart) as group:
        await settle(group)
        await asyncio.sleep(CALM)
        start = usage(server)
        numbers: Numbers = {
            "sessions": count,
            "lag_floor_ms": round(1000 * lag.floor, 2),
            "load_before": load,
            "opened": sum(not student.moves[0][2].failure for student in group),
            "session_mb": (start.web_mb - closed.web_mb) / count,
        }
        if options.class_start:
            numbers |= await class_start(server, group, lag)
        elif not options.hold:
            numbers |= await lesson(server, group, lag, options)
        numbers["idle"] = await idle(server, group)
        last = usage(server)
        numbers |= outcome(server, group)
        numbers["lost"] = sum(bool(student.visitor.lost) for student in group)
    numbers["lag_answers"] = len(lag.times)
    numbers["lag_ms"] = spread(lag.milliseconds(), 1)
    numbers["own_lag_ms"] = spread(lag.own)
    numbers["memory_mb"] = {
        "web_before": closed.web_mb,
        "web_start": start.web_mb,
        "trainers_start": start.trainers_mb,
        **numbers.get("memory_mb", {}),
        "web_last": last.web_mb,
        "trainers_last": last.trainers_mb,
    }
    return numbers


async def lesson(
    server: Server, group: Sequence[Student], lag: Lag, options: argparse.Namespace
) -> Numbers:
    """Let all sessions move sliders for ``options.seconds``."""
    asked: set[tuple[tuple[str, float | str], ...]] = set()
    loop = asyncio.get_running_loop()
    samples = []
    here, there = multiprocessing.Pipe(duplex=False)
    if options.browser:
        given = (there, server.url, server.pid or os.getpid(), options.seconds, options.think)
        spawn = multiprocessing.get_context("spawn")
        spawn.Process(target=painted, args=given, daemon=True).start()
        there.close()  # in this process, so that a failed child ends the wait
        await loop.run_in_executor(None, here.recv)
    begun = time.perf_counter()
    until = begun + options.seconds
    tasks = [asyncio.create_task(student.work(until, options.think, asked)) for student in group]
    async with lag.watched():
        samples.append(usage(server))
        for part in (1, 2):
            due = begun + part * options.seconds / 2
            await asyncio.sleep(due - time.perf_counter())
            samples.append(usage(server))
    load = os.getloadavg()[0]
    await asyncio.gather(*tasks)
    shown = await loop.run_in_executor(None, here.recv) if options.browser else None
    start, half, end = samples
    out: Numbers = {
        "seconds": options.seconds,
        "planned_moves": round(len(group) * (options.seconds / options.think - 0.5)),
        "percent": {what: end.share(start, what) for what in ("web", "trainers", "tool")},
        "trainers": len(end.trainers),
        "trainers_new": len(end.trainers.keys() - start.trainers.keys()),
        "load_while": load,
        "memory_mb": {
            "web_half": half.web_mb,
            "web_end": end.web_mb,
            "trainers_half": half.trainers_mb,
            "trainers_end": end.trainers_mb,
        },
    }
    if shown is not None:
        out["painted_ms"] = spread(shown["first"], 1)
        out["painted_complete_ms"] = spread(shown["complete"], 1)
        out["percent"]["browser"] = 100 * shown["cpu"] / options.seconds
    return out


async def class_start(server: Server, group: Sequence[Student], lag: Lag) -> Numbers:
    """Let all sessions press at the same moment, each with another λ."""
    group = [student for student in group if student.visitor.sliders]  # whose page has loaded
    wishes = []
    for name in LAMBDAS if group else ():
        slider = group[0].visitor.sliders[name]
        stands = group[0].visitor.value(name)
        wishes += [(name, value) for value in slider.values if value != stands]
    if len(wishes) < len(group):
        raise ValueError(f"--class-start: at most {len(wishes)} sessions, one for each λ")

    async def press(student: Student, wish: tuple[str, float | str]) -> None:
        begun = time.perf_counter()
        move = await student.visitor.move(*wish, PATIENCE)
        student.moves.append((begun, wish[0], move))

    async with lag.watched():
        before = usage(server)
        await asyncio.gather(*(press(s, wish) for s, wish in zip(group, wishes, strict=False)))
        after = usage(server)
    return {
        "seconds": after.at - before.at,
        "cpu_s": {what: after.seconds(before, what) for what in ("web", "trainers", "tool")},
        "load_while": os.getloadavg()[0],
    }


# --- the table --------------------------------------------------------------------------------


def both(value: dict[str, float] | None, digits: int = 0) -> str:
    """Return ``p50 / p95``."""
    return "–" if value is None else f"{value['p50']:.{digits}f} / {value['p95']:.{digits}f}"


def judged(text: str, kept: bool) -> str:
    """Mark a value that misses its goal."""
    return text if kept or text == "–" else f"**{text}**"


def number(value: float | None, digits: int = 0) -> str:
    """Return a number as text, a dash for none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def within(value: dict[str, float] | None, p50: float, p95: float) -> bool:
    """Return whether both percentiles meet their goals."""
    return value is not None and value["p50"] <= p50 and value["p95"] <= p95


def rows(n: Numbers) -> list[tuple[str, str, str]]:
    """Return name, value and goal of every measurement made."""
    out: list[tuple[str, str, str]] = []
    memory = n["memory_mb"]
    failed = sum(n["failures"].values()) + n["errors_shown"] + n["tracebacks"] + n["lost"]
    if "percent" in n:
        made = f"{n['moves']} of {n['planned_moves']}"
        out.append(("moves made, of those planned", made, ""))
    if "cpu_s" in n:
        used = n["cpu_s"]
        out += [
            ("all pressed until all final, s", number(n["seconds"], 2), ""),
            ("trainers' processor time for it, s", number(used["trainers"], 2), ""),
            ("web's processor time for it, s", number(used["web"], 2), ""),
        ]
    if n["moves"]:
        first, final = n["first_ms"], n["final_s"]
        kept = within(first, 60, 150)
        out += [
            ("first new frame, ms", judged(both(first), kept), "60 / 150"),
            ("final picture, s", judged(both(final, 2), within(final, 3, 8)), "3 / 8"),
            ("frames of a run", both(n["frames"]), ""),
        ]
        for name, what in (("first frame", "starved_first"), ("final", "starved_final")):
            worst = n[what]
            text = number(worst, 2)
            kept = worst is not None and worst <= 2
            out.append((f"starved: worst session, {name}", judged(text, kept), "2"))
    if "painted_ms" in n:
        shown = n["painted_ms"]
        out += [
            ("painted in a browser, ms", judged(both(shown), within(shown, 300, 300)), "300"),
            ("complete in a browser, ms", both(n["painted_complete_ms"]), ""),
        ]
    parts = ", ".join(f"{why}: {count}" for why, count in n["failures"].items())
    text = f"{failed} ({parts})" if parts else str(failed)
    out.append(("failures", judged(text, failed == 0), "0"))
    if n["lag_ms"] is not None:
        lag = n["lag_ms"]
        out += [
            ("loop lag, ms", judged(both(lag), lag["p95"] <= 100), "– / 100"),
            ("the tool's own timers late, ms", both(n["own_lag_ms"], 1), ""),
        ]
    for what, share in n.get("percent", {}).items():
        out.append((f"processor of {what}, % of a core", number(share), ""))
    calm = n["idle"]
    out += [
        (
            "idle: web, trainers, % of a core",
            f"{number(calm['web_percent'], 1)}, {number(calm['trainers_percent'], 1)}",
            "0",
        ),
        ("sessions held", f"{n['opened'] - n['lost']} of {n['sessions']}", "all"),
        ("open until the first run is complete, s", both(n["open_s"], 1), ""),
    ]
    for what in ("web", "trainers"):
        names = [name for name in memory if name.startswith(what)]
        out.append(
            (
                f"memory of {what}: {', '.join(name.partition('_')[2] for name in names)}, MB",
                ", ".join(number(memory[name]) for name in names),
                "",
            )
        )
    if "web_half" in memory:
        for what in ("web", "trainers"):
            grown = memory[f"{what}_end"] - memory[f"{what}_half"]
            out.append((f"{what} grew in the last half by, MB", number(grown, 1), "0"))
    out.append(("memory of a session, MB", number(n["session_mb"], 2), ""))
    out.append(("received from the server, MB", number(n["received_mb"], 1), ""))
    load = [n["load_before"], n.get("load_while")]
    out.append(("load average before, while", ", ".join(number(v, 1) for v in load), ""))
    return out


def table(every: Sequence[Numbers]) -> str:
    """Return one Markdown table with a column per number of sessions."""
    columns = [{name: value for name, value, _ in rows(n)} for n in every]
    goals = {name: goal for n in every for name, _, goal in rows(n)}
    head = ["p50 / p95", *(f"{n['sessions']} sessions" for n in every), "goal"]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *(c.get(name, "–") for c in columns), goal] for name, goal in goals.items()]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if every[0]["load_before"] > BUSY:
        text += "\n\nOthers were at work on this machine, as the load average before says."
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 if something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", default="1,10,30,60", help="how many, as in 1,10,30")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=6.0, help="mean seconds between moves")
    parser.add_argument(
        "--apart", type=int, default=len(SLIDERS), help="sliders away from their start, at most"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to serve")
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--pid", type=int, help="its web process, for processor and memory")
    parser.add_argument("--hold", type=int, metavar="N", help="open N sessions, do nothing")
    parser.add_argument("--class-start", action="store_true", help="all press at once")
    parser.add_argument("--browser", action="store_true", help="one real browser beside them")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args(argv)
    counts = [options.hold] if options.hold else [int(n) for n in options.sessions.split(",")]
    every = []
    for count in counts:
        with contextlib.ExitStack() as stack:
            if options.url:
                server = Server(options.url.rstrip("/"), options.pid)
            else:
                server = stack.enter_context(started(options.root))
            numbers = asyncio.run(measure(server, count, options))
        every.append(numbers)
        print(f"{count} sessions: {numbers['moves']} moves", file=sys.stderr, flush=True)
        if options.json:  # after each measurement, in case the next one fails
            options.json.write_text(json.dumps(every, indent=1) + "\n")
    print(table(every))
    return 1 if any(n["failures"] or n["lost"] for n in every) else 0


if __name__ == "__main__":
    sys.exit(main())
