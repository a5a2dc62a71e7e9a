"""Attacks: input from outside must not reach code, files, markup or other sessions."""

from __future__ import annotations

import ast
import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.testing.v1 import AppTest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from regviz import specs
from regviz.specs import Experiment
from tests.app_server import AppServer

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "regviz").rglob("*.py")]
)
SHORT = Experiment.from_dict(
    {"data": {"n_samples": 60}, "model": {"hidden": [8]}, "training": {"epochs": 5}}
)
MARKUP = "<img src=x onerror='window.hacked=1'>"

# --- what is never written here ----------------------------------------------------------------

DANGEROUS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "torch.load",
    "torch.save",
    "numpy.load",
    "np.load",
    "yaml.load",
    "marshal.loads",
    "shelve.open",
}
DANGEROUS_ARGUMENTS = {"unsafe_allow_html", "allow_pickle", "shell"}


def dangers(source: str) -> list[str]:
    """Return the calls in a source that could turn text into code, a command or markup."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg for k in node.keywords if k.arg in DANGEROUS_ARGUMENTS}
        on = [k for k in given if ast.unparse(_argument(node, k)) != "False"]
        if name in DANGEROUS or on:
            found.append(f"line {node.lineno}: {name} {' '.join(sorted(map(str, on)))}".rstrip())
    return found


def _argument(call: ast.Call, name: str | None) -> ast.expr:
    return next(k.value for k in call.keywords if k.arg == name)


def test_the_search_finds_what_it_is_for() -> None:
    assert dangers("eval(text)") == ["line 1: eval"]
    assert dangers("st.markdown(text, unsafe_allow_html=True)") == [
        "line 1: st.markdown unsafe_allow_html"
    ]
    assert dangers("subprocess.run(command, shell=False)") == []
    assert dangers("pattern = re.compile(text)") == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_text_becomes_code_a_command_or_markup(path: Path) -> None:
    assert dangers(path.read_text(encoding="utf-8")) == []


# --- the server --------------------------------------------------------------------------------


def websocket(server: AppServer, origin: str) -> None:
    address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(address, origin=Origin(origin), subprotocols=[Subprotocol("streamlit")]):
        pass


def test_another_site_s_page_cannot_talk_to_this_server(app_server: AppServer) -> None:
    websocket(app_server, app_server.url)  # its own can
    with pytest.raises(InvalidStatus) as refused:
        websocket(app_server, "https://elsewhere.example")
    assert refused.value.response.status_code == 403


def test_no_page_that_frames_this_one_may_steer_it(app_server: AppServer) -> None:
    with urllib.request.urlopen(f"{app_server.url}/_stcore/host-config") as answer:
        assert json.load(answer)["allowedOrigins"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_files_are_not_taken_from_who_has_no_session(app_server: AppServer, method: str) -> None:
    request = urllib.request.Request(
        f"{app_server.url}/_stcore/upload_file/somebody/something", b"x", method=method
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    with refused.value as answer:
        assert answer.code in (400, 403, 405)


@pytest.mark.parametrize(
    "path",
    [
        "app/static/../app.py",
        "app/static/%2e%2e/app.py",
        "app/static/..%2f..%2fetc/passwd",
        "app/static//etc/passwd",
        "media/..%2f..%2fapp.py",
    ],
)
def test_no_path_leads_out_of_what_is_served(app_server: AppServer, path: str) -> None:
    secret = (ROOT / "app.py").read_bytes()[:60]
    try:
        body = app_server.get(path)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
    assert secret not in body
    assert b"root:" not in body


# --- a page ------------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def assert_unharmed(page: Page, server: AppServer) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x'], script[src*='elsewhere'], a[href*='elsewhere']").count() == 0
    page_text = page.locator("body").inner_text()
    assert "Traceback" not in page_text
    assert str(ROOT) not in page_text


HOSTILE_LINKS = {
    "no link at all": MARKUP,
    "base64 of markup": base64.urlsafe_b64encode(MARKUP.encode()).decode(),
    "an unknown field": specs.pack_link({"data": {MARKUP: 1}}),
    "a value": specs.pack_link({"data": {"kind": MARKUP}}),
    "Markdown": specs.pack_link({"data": {"kind": "![x](https://elsewhere.example/p.png)"}}),
    "formula and link": specs.pack_link(
        {"model": {"activation": "$x$ [here](https://elsewhere.example)"}}
    ),
    "too much": specs.pack_link({"training": {"epochs": 10**9}, "model": {"hidden": [4096] * 3}}),
}


@pytest.mark.parametrize("what", HOSTILE_LINKS)
def test_a_hostile_link_is_told_of_in_words(page: Page, app_server: AppServer, what: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{app_server.url}/?{urllib.parse.urlencode({'e': HOSTILE_LINKS[what]})}")
    alert = page.locator(".st-key-notices [data-testid=stAlert]").first
    expect(alert).to_be_visible(timeout=30_000)
    assert_unharmed(page, app_server)
    assert not [url for url in asked if "elsewhere" in url]


def test_a_hostile_table_is_told_of_in_words(page: Page, app_server: AppServer) -> None:
    page.goto(f"{app_server.url}/?e={specs.to_link(SHORT)}")
    expect(page.locator(".st-key-run-status")).to_contain_text("finished")
    page.locator(".st-key-group-data summary").first.click()
    page.locator(".st-key-own-data summary").click()
    chooser = page.locator(".st-key-own-data-upload input[type=file]")
    rows = "\n".join(f"{i},{i % 7},{MARKUP if i % 2 else 'b'}" for i in range(30))
    name = f"{MARKUP}.csv"
    table = f"{MARKUP},<a href='https://elsewhere.example'>y</a>,class\n{rows}".encode()
    chooser.set_input_files({"name": name, "mimeType": "text/csv", "buffer": table})
    expect(page.locator(".st-key-group-data")).to_contain_text("30 points", timeout=30_000)
    expect(page.locator(".st-key-run-status")).to_contain_text("finished")
    assert_unharmed(page, app_server)


# --- a page that fails -------------------------------------------------------------------------


@pytest.mark.fails_on_purpose
def test_an_error_of_a_page_s_own_is_one_sentence_and_the_log_has_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from regviz.ui import run

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(run, "status_text", fail)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params["e"] = specs.to_link(SHORT)
    at.run()
    assert not at.exception
    (said,) = [e.value for e in at.error]
    found = re.search(r"\(reference ([0-9a-f]{8}) in the server's log\)", said)
    assert found is not None
    assert "secret" not in said
    (record,) = [r for r in caplog.records if found[1] in r.getMessage()]
    assert record.exc_info is not None
    assert "secret of the house" in str(record.exc_info[1])


def test_a_visitor_who_clears_the_server_s_caches_stops_nobody_s_run(
    page: Page, app_server: AppServer
) -> None:
    long = SHORT.replace("training.epochs", 3000).replace("model.hidden", [64, 64])
    page.goto(f"{app_server.url}/?e={specs.to_link(long)}")
    status = page.locator(".st-key-run-status")
    expect(status).to_contain_text("running")
    page.evaluate(
        """() => {
          window.epochs = []
          new MutationObserver(() => {
            const said = document.querySelector('.st-key-run-status')?.innerText ?? ''
            const epoch = /epoch (\\d+)/.exec(said)
            if (epoch) window.epochs.push(epoch[1])
          }).observe(document.body, { childList: true, subtree: true, characterData: true })
        }"""
    )
    before = "".join(app_server.output).count("session started")
    address = app_server.url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(
        address, origin=Origin(app_server.url), subprotocols=[Subprotocol("streamlit")]
    ) as stranger:
        stranger.send(BackMsg(clear_cache=True).SerializeToString())
        stranger.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        while "".join(app_server.output).count("session started") <= before:
            stranger.recv(timeout=30)  # its own page comes after the caches are cleared
    expect(status).to_contain_text("epoch 3000/3000", timeout=120_000)
    epochs = [int(epoch) for epoch in page.evaluate("window.epochs")]
    assert epochs == sorted(epochs)
