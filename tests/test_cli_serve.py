"""``python -m regviz serve`` and ``streamlit run app.py`` as real servers, tested from outside."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.testing.v1 import AppTest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from regviz.specs import SpecError
from regviz.ui import sockets
from regviz.ui.live import ensure_plotly_js
from regviz.ui.server import once, send_at_once
from regviz.ui.streamlit_patches import (
    hear_a_run_to_its_end,
    lock_once_for_a_visitor,
    say_the_theme_once,
)
from tests.app_server import ROOT, AppServer, find_free_port, running_app, trainers

SERVE = ("-m", "regviz", "serve")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def assert_ends(pids: list[int], seconds: float) -> None:
    """Wait for the end of processes, which need not be children of this one."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:  # gone already
            continue
        try:
            ended, _, _ = select.select([descriptor], [], [], seconds)
            assert ended, f"process {pid} outlives its server"
        finally:
            os.close(descriptor)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_trainers_start_before_the_first_visitor_and_end_with_the_server(
    ending: signal.Signals,
) -> None:
    with running_app(SERVE, environment={"REGVIZ_TRAINERS": "2"}) as server:
        running = trainers(server)
        assert len(running) == 2
        server.process.send_signal(ending)
        code = server.process.wait(15)
        assert_ends(running, 15)
    if ending is not signal.SIGKILL:
        assert code == 0
        assert "Traceback" not in "".join(server.output)


def test_a_server_that_still_starts_can_be_ended() -> None:
    with subprocess.Popen(
        [sys.executable, *SERVE], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b" started " in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        # 0, not -15: as the first process of a container it would not hear what it does not handle
        assert process.wait(15) == 0


def test_the_server_hands_out_plotly_and_its_health_below_any_path(tmp_path: Path) -> None:
    script = ensure_plotly_js(ROOT / "static").read_bytes()
    assert len(script) > 1_000_000
    # from another folder: nothing may depend on where it was started
    with running_app(
        SERVE,
        environment={"STREAMLIT_SERVER_BASE_URL_PATH": "class/one", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        path="/class/one",
    ) as server:
        assert server.get("app/static/plotly.min.js") == script
        assert b"<title>" in server.get("")
        assert health_check_of_the_image(server, "/class/one/") == 0
        assert health_check_of_the_image(server, "/other") != 0
    assert health_check_of_the_image(server, "/class/one") != 0  # it has ended


def health_check_of_the_image(server: AppServer, base: str) -> int:
    """Run the Dockerfile's HEALTHCHECK against a server and return its exit code."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    command = json.loads(found[1])
    assert command[0] == "python"
    environment = {
        **os.environ,
        "STREAMLIT_SERVER_PORT": str(server.port),
        "STREAMLIT_SERVER_BASE_URL_PATH": base,
    }
    return subprocess.run(
        [sys.executable, *command[1:]], env=environment, capture_output=True, timeout=30
    ).returncode


def test_streamlit_run_serves_the_same(app_server: AppServer) -> None:
    assert b"<title>" in app_server.get("")
    assert app_server.get("_stcore/health") == b"ok"


def test_a_port_in_use_is_said() -> None:
    with running_app(SERVE) as server:
        done = subprocess.run(
            [sys.executable, *SERVE, "--port", str(server.port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"Port {server.port} is not available" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGVIZ_TRAINERS", "many"),
        ("REGVIZ_DEVICE", "tpu"),
        ("REGVIZ_MAX_EPOCHS", "-1"),
        ("REGVIZ_LOG", "xml"),
        ("STREAMLIT_SERVER_PORT", "abc"),
        ("STREAMLIT_SERVER_PORT", "99999"),
        ("STREAMLIT_SERVER_PORT", "-1"),
        ("STREAMLIT_SERVER_PORT", "8e3"),
        ("STREAMLIT_SERVER_ADDRESS", "203.0.113.5"),
        ("STREAMLIT_SERVER_ADDRESS", "no such name"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, *SERVE],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{name}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (["--port", "99999"], {}, "--port: got 99999"),
        (["--port", "-1"], {}, "--port: got -1"),
        (["--address", "203.0.113.5"], {}, "203.0.113.5"),
        (["--address", "203.0.113.5", "--port", "8501"], {}, "203.0.113.5"),
        (["--address", "2001:db8::1"], {}, "2001:db8::1"),
        (["--address", ""], {}, "--address: got ''"),
        (["--address", "unix:///tmp/x"], {}, "--address: got 'unix"),
        (["--address", "0.0.0.0.0"], {}, "0.0.0.0.0"),
        # what is given counts, and not what the variable says
        (["--port", "99999"], {"STREAMLIT_SERVER_PORT": "8501"}, "--port: got 99999"),
        ([], {"STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "big"}, "STREAMLIT_SERVER_MAX_UPLOAD_SIZE"),
        ([], {"STREAMLIT_SERVER_SSL_CERT_FILE": "/none"}, "server.sslKeyFile"),
        ([], {"STREAMLIT_SERVER_SSL_CERT_FILE": "/none", "STREAMLIT_SERVER_SSL_KEY_FILE": "/none"},
         "server.sslCertFile: got '/none'"),
    ],
)  # fmt: skip
def test_a_place_where_nothing_can_listen_is_refused_in_one_sentence(
    options: list[str], environment: dict[str, str], named: str
) -> None:
    done = subprocess.run(
        [sys.executable, *SERVE, *options],
        cwd=ROOT,
        env={**os.environ, "REGVIZ_TRAINERS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert len(said) == 1
    assert named in said[0]
    if not environment:
        assert done.stderr.count("\n") == 1


def test_a_port_in_a_file_of_settings_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit/config.toml").write_text("[server]\nport = 99999\n")
    done = subprocess.run(
        [sys.executable, *SERVE],
        cwd=ROOT,
        env={**os.environ, "REGVIZ_TRAINERS": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("server.port: got 99999")
    assert "Traceback" not in done.stderr


def test_a_port_that_needs_rights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(sockets, "_bind", refuse)
    with pytest.raises(SpecError, match=r"^--port: Port 80 is not available: .*above 1023\.$"):
        sockets.check_place(80, None, {})


def test_a_free_place_is_not_refused() -> None:
    for address in (None, "127.0.0.1", "localhost", "0.0.0.0"):
        sockets.check_place(find_free_port(), address, {})
        sockets.check_place(0, address, {})
        sockets.check_place(None, address, {"STREAMLIT_SERVER_PORT": str(find_free_port())})
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        for address in (None, "127.0.0.1"):
            with pytest.raises(SpecError, match=f"Port {taken} is not available"):
                sockets.check_place(taken, address, {})


# --- many connections --------------------------------------------------------------------------


def under_a_limit(soft: int, hard: int) -> tuple[str, ...]:
    """Return Python arguments that run ``regviz serve`` under a limit of descriptors."""
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        "from regviz.cli import main; sys.exit(main(['serve']))"
    )
    return ("-c", code)


def test_idle_connections_do_not_keep_the_health_check_from_answering() -> None:
    quiet = {"REGVIZ_TRAINERS": "1"}
    with running_app(under_a_limit(256, 4096), environment=quiet) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(700)]
        try:
            for _ in range(3):
                assert server.get("_stcore/health") == b"ok"
            open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            assert open_now > 700  # they are all taken in, none waits or was refused
        finally:
            for one in idle:
                one.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="asks the Linux kernel")
def test_who_never_asks_is_cut_off_and_nobody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:
        place = listening.getsockname()
        clients, accepted = {}, {}
        for name in ("silent", "half", "answered", "greeted"):
            clients[name] = stack.enter_context(socket.create_connection(place))
            accepted[name] = stack.enter_context(listening.accept()[0])
        clients["half"].sendall(b"GET / HT")
        clients["answered"].sendall(b"GET")
        accepted["answered"].sendall(b"200")
        accepted["greeted"].sendall(b"hello")  # whom the server speaks to it knows
        for name in ("answered", "greeted"):
            clients[name].recv(8)
        assert sockets.close_idle(60) == 0
        closed = 0
        while closed < 2:  # until they have been silent for so long
            closed += sockets.close_idle(0.05)
        assert closed == 2
        for name, one in clients.items():
            one.settimeout(20 if name in ("silent", "half") else 0.05)
            if name in ("silent", "half"):
                assert one.recv(1) == b""
            else:
                with pytest.raises(TimeoutError):
                    one.recv(1)
        assert sockets.close_idle(0.0) == 0
        with socket.create_connection(place), listening.accept()[0]:  # it still listens
            pass


def test_the_limit_goes_up_as_far_as_the_system_allows() -> None:
    code = (
        "import resource; from regviz.ui import sockets; "
        "limit = resource.RLIMIT_NOFILE; resource.setrlimit(limit, (100, {hard})); "
        "print(sockets.raise_descriptor_limit(), *resource.getrlimit(limit))"
    )
    for hard in (100, 300):
        done = subprocess.run(
            [sys.executable, "-c", code.format(hard=hard)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.stdout.split() == [str(hard)] * 3


def test_descriptors_that_run_out_are_in_the_log_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "regviz")
    used = iter([10, 81, 90, 70, 81, 59, 60, 100])
    monkeypatch.setattr(sockets, "open_descriptors", lambda: next(used))
    watch = sockets.DescriptorWatch(100)
    for _ in range(8):
        watch.check()
    scarce, free = "descriptors nearly used up", "descriptors free again"
    assert [r.getMessage() for r in caplog.records] == [scarce, free, scarce]
    assert caplog.records[0].__dict__["facts"] == {"open": 81, "limit": 100}
    with ThreadPoolExecutor(1):
        monkeypatch.undo()
        opened = sockets.open_descriptors()
        assert opened is not None
        assert opened > 2


def hear_out(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=20)


def test_damaged_messages_fill_no_log_and_stop_nobody() -> None:
    quiet = {"REGVIZ_TRAINERS": "1"}
    with running_app(SERVE, environment=quiet) as server:
        address = f"ws://127.0.0.1:{server.port}/_stcore/stream"
        garbage = random.Random(5)
        bytes_of_nothing = BackMsg(debug_shutdown_runtime=True).SerializeToString()

        def refused(message: bytes | str) -> None:
            with connect(address, subprotocols=[Subprotocol("streamlit")]) as client:
                client.send(message)
                with pytest.raises(ConnectionClosed):
                    hear_out(client)

        with connect(address, subprotocols=[Subprotocol("streamlit")]) as other:
            started = len(server.output)
            for _ in range(1000):
                refused(b"\xff" + garbage.randbytes(60))
            for _ in range(100):
                refused("some text")
            for _ in range(1000):
                other.send(bytes_of_nothing)  # no damage, but a warning each
            other.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            assert isinstance(other.recv(timeout=60), bytes)  # the page is drawn for them
        assert server.get("_stcore/health") == b"ok"
        written = "".join(server.output[started:])
    assert 3 <= written.count("\n") < 100
    assert "A client sent a damaged message" in written
    assert "Traceback" not in written


def test_small_messages_are_sent_at_once() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        send_at_once()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as visitor:
            assert visitor.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_the_theme_put_together_once_is_the_one_of_every_time() -> None:
    say_the_theme_once()
    populate = app_session._populate_theme_msg

    def theme(section_of: Callable[..., None]) -> CustomThemeConfig:
        whole = CustomThemeConfig()
        section_of(whole)
        for part, name in (
            (whole.light, "theme.light"),
            (whole.dark, "theme.dark"),
            (whole.sidebar, "theme.sidebar"),
            (whole.light.sidebar, "theme.light.sidebar"),
            (whole.dark.sidebar, "theme.dark.sidebar"),
        ):
            section_of(part, name)
        return whole

    always = theme(populate.__wrapped__)  # type: ignore[attr-defined]
    assert always.light.primary_color != always.dark.primary_color != ""
    assert not always.HasField("sidebar")
    for _ in range(2):
        assert theme(populate) == always


def test_what_is_made_once_is_made_once_though_it_is_defined_anew() -> None:
    made: list[int] = []

    def page(number: int) -> int:
        @once
        def costly() -> int:
            made.append(number)
            return number

        return costly()

    assert [page(1), page(2)] == [1, 1]
    assert made == [1]


def test_what_a_run_has_drawn_is_taken_in_before_the_look_that_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []

    def at_once(session: Any, asked: ClientState | None) -> None:
        heard.append("full" if asked is None or not asked.fragment_id else asked.fragment_id)

    monkeypatch.setattr(AppSession, "request_rerun", at_once)
    hear_a_run_to_its_end()
    request: Callable[..., None] = AppSession.request_rerun
    timer = ClientState(fragment_id="look", is_auto_rerun=True)
    button = ClientState(fragment_id="button")

    async def late(
        state: ScriptRequestType, asked: ClientState | None, next_run: bool
    ) -> list[str]:
        """Simulate a request that arrives while a run's drawing still waits for the loop."""
        heard.clear()
        loop = asyncio.get_running_loop()
        runner = SimpleNamespace(_requests=SimpleNamespace(_state=state))
        session = SimpleNamespace(_scriptrunner=runner, _event_loop=loop)
        loop.call_soon(heard.append, "drawn")
        request(session, asked)
        if next_run:
            session._scriptrunner = SimpleNamespace()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return list(heard)

    ended, going_on = ScriptRequestType.STOP, ScriptRequestType.CONTINUE
    assert asyncio.run(late(ended, timer, next_run=False)) == ["drawn", "look"]
    assert asyncio.run(late(ended, timer, next_run=True)) == ["drawn"]
    assert asyncio.run(late(going_on, timer, next_run=False)) == ["look", "drawn"]
    assert asyncio.run(late(ended, button, next_run=False)) == ["button", "drawn"]
    assert asyncio.run(late(ended, None, next_run=False)) == ["full", "drawn"]


@pytest.mark.usefixtures("restless")
def test_a_page_s_next_run_and_the_one_it_ends_take_turns_at_the_session_s_state() -> None:
    lock_once_for_a_visitor()
    state, of_somebody_else = SessionState(), SafeSessionState(SessionState(), lambda: None)
    old, new = (SafeSessionState(state, lambda: None) for _ in range(2))
    assert old._lock is new._lock is not of_somebody_else._lock
    over = threading.Event()

    def draw() -> None:
        for number in itertools.cycle(range(500)):
            if over.is_set():
                return
            old[f"control {number}"] = number

    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(draw)
        try:
            for _ in range(200):
                new.on_script_will_rerun(None)
        finally:
            over.set()
        drawing.result()


def test_a_widget_that_looks_up_its_own_entry_finds_what_all_of_them_say() -> None:
    def page() -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

        from regviz.ui.streamlit_patches import look_up_one_by_one

        look_up_one_by_one()
        st.session_state.setdefault("plain", 1)
        st.session_state.setdefault("set before", 3.0)
        st.number_input("Set before", key="set before", value=None)
        st.selectbox("Choice", ["a", "b"], key="choice", index=None)
        st.selectbox("Without a key", ["a", "b"])
        context = get_script_run_ctx()
        assert context is not None
        state = context.session_state
        st.text(repr(dict(state.filtered_state) == state._state.filtered_state))
        st.text(repr([state.filtered_state[key] for key in ("plain", "set before", "choice")]))
        st.text(repr("absent" in state.filtered_state))

    app = AppTest.from_function(page, default_timeout=60).run()
    assert [text.value for text in app.text] == ["True", "[1, 3.0, None]", "False"]
    app.selectbox[0].set_value("b").run()
    assert [text.value for text in app.text] == ["True", "[1, 3.0, 'b']", "False"]
