"""What can go wrong on a school's server, done to the real one: signals to its trainers, cut
connections, a full disk, a clock that jumps, and students who are not careful.

Two visitors are there all the time, the one to whom it happens and a bystander, who must not
notice. What the pages say, and how long things took, is in docs/faults.md; ``record_property``
puts the seconds into pytest's XML.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from regviz import fit, specs
from regviz.specs import Experiment
from regviz.ui.live import ensure_plotly_js
from tests.app_server import ROOT, AppServer, find_free_port, running_app, trainers
from tests.test_playground_browser import DRAWN, LONG, SIZE, SMALL, Visitor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

SERVE = ("-m", "regviz", "serve")
# the same with limits that a test comes up against in seconds, and with fewer looks at runs, as
# where many students are: they are not what these tests are about, and take half the processor
STRICT = """
import regviz.engine.engine as engine
import regviz.ui.run as run
from regviz.ui.server import serve

run.LOOKS = 6
engine._the_engine = engine.Engine(trainers=2, hang_seconds=6.0, memory_bytes=430 << 20)
serve()
"""
# a wall clock that is set by writing a number of seconds into a file
CLOCK = """
import os, time

def _shifted(real, unit):
    def now():
        try:
            with open(os.environ["WALL_CLOCK"]) as file:
                return real() + int(file.read() or 0) * unit
        except (OSError, ValueError):
            return real()
    return now

time.time, time.time_ns = _shifted(time.time, 1), _shifted(time.time_ns, 10**9)
"""
WATCH = """() => {
    window.watched = []
    clearInterval(window.watching)
    window.watching = setInterval(() => {
        const words = document.querySelector('.st-key-run-status')?.textContent ?? ''
        const [, epoch] = words.match(/epoch (\\d+)/) ?? []
        const [word] = words.match(/queued|running|paused|finished|failed/) ?? []
        const notes = document.querySelector('.st-key-verdicts')?.textContent ?? ''
        const canvas = document.querySelector('.st-key-decision-boundary canvas')
        watched.push([Number(epoch ?? -1), word ?? '', notes.includes('restarted'),
            document.querySelectorAll('.stAlert, .stException').length,
            canvas?.width ?? -1])
    }, 40)
}"""
RESTARTED = "The trainer was restarted; the run started again."
Record = Callable[[str, object], None]
# lines of a traceback in our own code: the web server has one of its own where a connection breaks
OURS = re.compile(r'File "[^"]*/(?:regviz|pages)/[^"]*\.py", line')
_seeds = itertools.count(7000)


# some minutes, if nobody stopped it
SLOW = LONG.replace("model.hidden", [128, 128]).replace("data.n_samples", 500)
OTHER = SLOW.replace("model.hidden", [96, 96, 96])


def anew(experiment: Experiment) -> Experiment:
    """Return the experiment with a seed of its own: runs are shared and cached."""
    return experiment.replace("training.seed", next(_seeds))


class Student(Visitor):
    """A visitor whose page writes down what it shows while something happens."""

    def goes_on(self, past: int | None = None, seconds: float = 120) -> int:
        """Wait until the page shows an epoch past ``past`` (default: the one it shows now)."""
        self.page.wait_for_function(
            """(past) => {
                const words = document.querySelector('.st-key-run-status')?.textContent ?? ''
                return Number(words.match(/epoch (\\d+)/)?.[1] ?? -1) > past
            }""",
            arg=self.epoch() if past is None else past,
            timeout=1000 * seconds,
        )
        return self.epoch()

    def epoch(self) -> int:
        found = re.search(r"epoch (\d+)/", self.status.inner_text())
        assert found is not None
        return int(found[1])

    def trains(self, experiment: Experiment) -> None:
        """Open an experiment and see it run."""
        self.open(experiment)
        self.goes_on(2)
        self.page.wait_for_function(DRAWN)

    def is_told_of_a_restart(self) -> None:
        expect(self.page.locator(".st-key-verdicts")).to_contain_text(RESTARTED, timeout=60_000)

    def watch(self) -> None:
        self.page.evaluate(WATCH)

    def saw(self) -> list[tuple[int, str, bool, int, int]]:
        """Return what the page showed since: epoch, word, whether a restart was told, alerts,
        the width of the picture."""
        return [tuple(seen) for seen in self.page.evaluate("() => watched")]

    def noticed_nothing(self, *, but_a_restart: bool = False) -> None:
        """Check that the picture never was gone, went back or stopped with an error."""
        saw = self.saw()
        assert saw
        epochs = [epoch for epoch, *_ in saw]
        assert epochs == sorted(epochs)
        assert {word for _, word, *_ in saw} <= {"running", "finished"} | (
            {"queued"} if but_a_restart else set()
        )
        assert but_a_restart or not any(told for _, _, told, *_ in saw)
        assert not any(alerts for *_, alerts, _ in saw)
        assert len({width for *_, width in saw}) == 1, [k for k, _ in itertools.groupby(saw)]


@pytest.fixture(scope="module")
def wall_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that sets the wall clock of the server and its trainers."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "sitecustomize.py").write_text(CLOCK)
    return folder / "seconds"


@pytest.fixture(scope="module")
def server(wall_clock: Path) -> Iterator[AppServer]:
    environment = {"PYTHONPATH": str(wall_clock.parent), "WALL_CLOCK": str(wall_clock)}
    with running_app(("-c", STRICT), environment=environment) as running:
        ready_trainers(running)
        yield running


def _student(browser: Browser, server: AppServer) -> Iterator[Student]:
    context = browser.new_context(viewport=SIZE)
    yield Student(context, server.url)
    context.close()


@pytest.fixture(scope="module")
def bystander(browser: Browser, server: AppServer) -> Iterator[Student]:
    yield from _student(browser, server)


@pytest.fixture(scope="module")
def student(browser: Browser, server: AppServer) -> Iterator[Student]:
    yield from _student(browser, server)


@pytest.fixture(autouse=True)
def nobody_complains(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check that neither page had an error of its own in the test, nor the server a traceback;
    their runs end with it."""
    yield
    for name in ("student", "bystander"):
        if name in request.fixturenames:
            visitor = request.getfixturevalue(name)
            visitor.page.goto("about:blank")
            assert visitor.complaints == []
    if "server" in request.fixturenames:
        assert OURS.findall("".join(request.getfixturevalue("server").output)) == []


# --- what the system tells -----------------------------------------------------------------------


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


def until_idle(server: AppServer, seconds: float = 60) -> float:
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


def two_at_work(server: AppServer, student: Student, bystander: Student) -> int:
    """Have both visitors' runs trained, and watched, by a trainer of their own; the student's."""
    there = ready_trainers(server)
    until_idle(server)  # one that has just started works, too
    bystander.trains(anew(OTHER))
    theirs = busiest(server)
    student.trains(anew(SLOW))
    student.watch()
    bystander.watch()
    return next(pid for pid in there if pid != theirs)


# --- trainers ------------------------------------------------------------------------------------


def test_kill_9_of_one_trainer(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    killed = two_at_work(server, student, bystander)
    os.kill(killed, signal.SIGKILL)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    bystander.noticed_nothing()


def test_kill_9_of_all_trainers_twice_and_retry(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    finished = anew(SMALL)
    bystander.open(finished)
    bystander.reaches("finished")
    bystander.quiet()
    numbers = bystander.numbers()
    student.trains(anew(SLOW))
    student.watch()
    for pid in ready_trainers(server):
        os.kill(pid, signal.SIGKILL)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    for pid in trainers(server):
        os.kill(pid, signal.SIGKILL)
    bystander.page.reload()  # what is finished is there without any trainer
    bystander.watch()
    bystander.reaches("finished")
    assert {word for _, word, *_ in bystander.saw()} <= {"", "finished"}
    bystander.quiet()
    expect(bystander.table).to_have_text(numbers, use_inner_text=True)
    student.reaches("failed")
    expect(student.page.locator(".stAlert")).to_contain_text(
        re.compile(
            r"The trainer process stopped (twice|\d times) during this run \(it was ended by "
            r"signal 9\); start the run again, or choose a smaller one\.$"
        )
    )
    at = student.epoch()
    student.page.get_by_role("button", name="Retry").click()
    student.reaches("running")
    expect(student.page.locator(".stAlert")).to_have_count(0)
    assert at > 0


def test_a_trainer_that_hangs(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    hung = two_at_work(server, student, bystander)
    os.kill(hung, signal.SIGSTOP)
    since = time.monotonic()
    student.is_told_of_a_restart()
    record_property("seconds until it was told", time.monotonic() - since)
    student.reaches("running")
    student.goes_on()
    record_property("seconds until it went on", time.monotonic() - since)
    student.noticed_nothing(but_a_restart=True)
    bystander.noticed_nothing()
    end_of([hung], 5)


def test_a_run_that_takes_too_much_memory(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    ready_trainers(server)
    bystander.trains(anew(OTHER))
    bystander.watch()
    since = time.monotonic()
    student.open(anew(SLOW.replace("model.hidden", [1400, 1400])))
    student.reaches("failed", seconds=60)
    record_property("seconds until it was given up", time.monotonic() - since)
    expect(student.page.locator(".stAlert")).to_contain_text(
        re.compile(
            r"The trainer process stopped (twice|\d times) during this run \(it took more than 430 "
            r"MiB of memory\); start the run again, or choose a smaller one\."
        )
    )
    expect(student.page.get_by_role("button", name="Retry")).to_be_visible()
    bystander.goes_on()
    bystander.noticed_nothing(but_a_restart=True)


def test_a_run_whose_numbers_leave_all_bounds(
    server: AppServer, student: Student, bystander: Student
) -> None:
    ready_trainers(server)
    bystander.trains(anew(SLOW))
    bystander.watch()
    student.open(anew(SLOW).replace("training.lr", 1e3))  # the same shape: they may share a stack
    student.reaches("diverged")
    expect(student.page.locator(".st-key-verdicts")).to_contain_text("Try a lower learning rate")
    bystander.goes_on()
    bystander.noticed_nothing()


# --- students ------------------------------------------------------------------------------------


def test_a_hundred_quick_moves(
    server: AppServer, student: Student, bystander: Student, record_property: Record
) -> None:
    start = anew(SMALL)
    student.open(start)
    student.reaches("finished")
    student.quiet()
    bystander.trains(anew(SLOW))
    bystander.watch()
    slider = student.slider("Dropout p")
    slider.focus()
    for _ in range(48):
        student.page.keyboard.press("ArrowRight")
        student.page.keyboard.press("ArrowLeft")
    for _ in range(4):
        student.page.keyboard.press("ArrowRight")
    since = time.monotonic()
    last = start.replace("regularization.dropout", 0.4)
    student.page.wait_for_url(lambda url: specs.to_link(last) in url)
    loss = fit([last])[0].to_dict()["history"]["train_loss"][-1]
    expect(student.table).to_contain_text(f"{loss:.3f}", timeout=60_000)
    record_property("seconds until the last was finished", time.monotonic() - since)
    student.reaches("epoch 60/60 finished")
    student.quiet()
    assert student.experiment() == last
    bystander.goes_on()
    bystander.noticed_nothing()
    bystander.page.goto("about:blank")
    until_idle(server)  # none of the others is trained in secret


def test_a_press_that_comes_together_with_a_question_of_the_charts(student: Student) -> None:
    student.trains(anew(SLOW))
    student.press("Pause")
    student.reaches("paused")
    student.quiet()
    student.press_as_a_chart_asks("do-restart")
    student.reaches("running")
    student.goes_on()


def test_a_tab_that_is_closed(browser: Browser, server: AppServer, record_property: Record) -> None:
    until_idle(server)
    context = browser.new_context(viewport=SIZE)
    try:
        leaving = Student(context, server.url)
        leaving.trains(anew(SLOW))
        leaving.page.close()
        seconds = until_idle(server)
    finally:
        context.close()
    record_property("seconds until its run ended", seconds)
    assert seconds < 5


def test_a_reload(student: Student, record_property: Record) -> None:
    student.trains(anew(SLOW))
    since = time.monotonic()
    student.page.reload()
    student.goes_on(2)
    student.page.wait_for_function(DRAWN)
    record_property("seconds until the picture was back", time.monotonic() - since)
    student.watch()
    student.goes_on()
    student.noticed_nothing()
    # one that is paused
    student.press("Pause")
    student.reaches("paused")


def test_two_tabs_of_one_student(browser: Browser, server: AppServer) -> None:
    context = browser.new_context(viewport=SIZE)
    try:
        experiment = anew(SLOW)
        one = Student(context, server.url)
        one.trains(experiment)
        two = Student(context, server.url)  # in front: the browser has little time for one behind
        two.trains(experiment)
        two.watch()
        one.page.bring_to_front()
        one.press("Pause")
        one.reaches("paused")
        one.quiet()
        stands = one.epoch()
        two.page.bring_to_front()
        two.goes_on()
        one.page.close()
        two.goes_on()
        two.noticed_nothing()
        assert stands < two.epoch()
        assert one.complaints == two.complaints == []
    finally:
        context.close()


# --- the way between -----------------------------------------------------------------------------


class Wire:
    """A TCP proxy that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = find_free_port()
        self._to = port
        self._cut = False
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._threads: list[threading.Thread] = []
        self._start(self._take)

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._door.accept()
                if self._cut:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [here, there]
                for ends in ((here, there), (there, here)):
                    self._start(self._pass_on, *ends)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self._cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # who waits for a visitor wakes up
        for thread in self._threads:
            thread.join(10)
        for end in (self._door, *self._ends):
            end.close()


def test_a_connection_that_is_lost_and_comes_back(
    browser: Browser, server: AppServer, bystander: Student, record_property: Record
) -> None:
    wire = Wire(server.port)
    context = browser.new_context(viewport=SIZE)
    try:
        student = Student(context, f"http://127.0.0.1:{wire.port}")
        experiment = anew(SLOW)
        student.trains(experiment)
        bystander.trains(anew(OTHER))
        bystander.watch()
        wire.cut()
        dialog = student.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Connection error", timeout=60_000)
        assert student.picture() != ""
        wire.mend()
        since = time.monotonic()
        student.page.wait_for_function(
            "() => document.querySelector('[role=dialog]') === null", timeout=90_000
        )
        student.goes_on(2)
        record_property("seconds until it went on", time.monotonic() - since)
        assert student.experiment() == experiment
        bystander.goes_on()
        bystander.noticed_nothing()
    finally:
        context.close()
        wire.close()


def test_a_wall_clock_that_jumps(
    server: AppServer, wall_clock: Path, student: Student, bystander: Student
) -> None:
    there = ready_trainers(server)
    student.trains(anew(SLOW))
    student.watch()
    try:
        for jump in (86_400, -86_400):
            wall_clock.write_text(str(jump))
            student.goes_on()
            bystander.open(anew(SMALL))
            bystander.reaches("finished")
            student.goes_on()
    finally:
        wall_clock.write_text("0")
    student.goes_on()
    student.noticed_nothing()
    assert trainers(server) == there


# --- the server ----------------------------------------------------------------------------------

FULL = """
mount -t tmpfs -o size=64k tmpfs "$TMPDIR" && cat /dev/zero > "$TMPDIR/full" 2>/dev/null
mount --bind "$PWD" "$PWD" && cd "$PWD" && mount -o remount,ro,bind "$PWD" || exit 1
! touch app.py 2>/dev/null || exit 1
! echo more > "$TMPDIR/more" 2>/dev/null || exit 1
exec "$0" "$@"
"""


def _mounting() -> list[str]:
    """Return the command that lets another one mount, seen by nobody else."""
    ways: list[list[str]] = [["--mount"], ["--map-root-user", "--mount"]]
    for way in ways:
        command = ["unshare", *way, "sh", "-c"]
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    [*command, "mount -t tmpfs tmpfs /mnt"], capture_output=True
                ).returncode
                == 0
            ):
                return command
    return []


def test_a_full_disk_and_a_read_only_one(browser: Browser, tmp_path: Path) -> None:
    mounting = _mounting()
    if not mounting:
        pytest.skip("nothing may be mounted here")
    ensure_plotly_js(ROOT / "static")
    command = [*mounting, FULL, sys.executable, *SERVE]
    start = f"import os; os.execvp({command[0]!r}, {command!r})"
    environment = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "REGVIZ_TRAINERS": "1"}
    with running_app(("-c", start), environment=environment) as server:
        context = browser.new_context(viewport=SIZE)
        try:
            student = Student(context, server.url)
            student.open(anew(SMALL))
            student.reaches("finished")
            student.quiet()
            student.page.get_by_role("button", name="Share").click()
            theirs = anew(SMALL)
            upload = specs.experiments_to_json([theirs]).encode()
            student.page.locator("input[type=file]").set_input_files(
                FilePayload(name="a.json", mimeType="application/json", buffer=upload)
            )
            student.page.wait_for_url(lambda url: specs.to_link(theirs) in url)
            student.reaches("finished")
            assert student.complaints == []
        finally:
            context.close()
        assert list(tmp_path.iterdir()) == []  # what it is full of is in the server's own view
    assert OURS.findall("".join(server.output)) == []


def test_sigterm_with_runs_going(browser: Browser, record_property: Record) -> None:
    with running_app(SERVE, environment={"REGVIZ_TRAINERS": "2"}) as server:
        contexts = [browser.new_context(viewport=SIZE) for _ in range(2)]
        try:
            for context in contexts:
                Student(context, server.url).trains(anew(SLOW))
            there = trainers(server)
            assert len(there) == 2
            since = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 0
            record_property("seconds until the server was gone", time.monotonic() - since)
            end_of(there, max(0.0, 5 - (time.monotonic() - since)))
            record_property("seconds until its trainers were gone", time.monotonic() - since)
            page: Page = contexts[0].pages[0]
            expect(page.get_by_role("dialog")).to_contain_text("Connection error", timeout=60_000)
        finally:
            for context in contexts:
                context.close()
    assert OURS.findall("".join(server.output)) == []
