"""The load tool: its report agrees with its sessions on a real server."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from typing import Any

import pytest

from benchmarks import load
from benchmarks.serving import serving
from benchmarks.visitor import Head, Slider, Visitor, read_feed
from regviz.frames.messages import pack_figures, pack_waiting
from regviz.specs import from_link
from tests.app_server import AppServer


@pytest.fixture(scope="module")
def measured(
    app_server: AppServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str]:
    """Let two sessions move sliders for three seconds; return the numbers and the table."""
    file = tmp_path_factory.mktemp("load") / "numbers.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "IDLE", 0.5)
        patch.setattr(load, "CALM", 0.1)
        patch.setattr(load, "FLOOR_REQUESTS", 5)
        patch.setattr(load, "PAUSE", 0.02)  # many answers in three seconds, of a slow server, too
        said: list[str] = []
        patch.setattr("builtins.print", lambda *text, **_: said.append(str(text[0])))
        running = ("--url", app_server.url, "--pid", str(app_server.process.pid))
        short = ("--sessions", "2", "--seconds", "3", "--think", "0.8")
        code = load.main([*running, *short, "--json", str(file)])
    assert code == 0
    (numbers,) = json.loads(file.read_text())
    return numbers, said[-1]


def test_every_move_got_its_first_and_its_final_frame(
    measured: tuple[dict[str, Any], str],
) -> None:
    numbers, _ = measured
    moves = [move for move in numbers["each"] if move["slider"]]
    assert {move["session"] for move in moves} == {0, 1}
    assert len(moves) == numbers["moves"]
    for move in moves:
        assert move["failure"] == ""
        assert 0 < move["first"] <= move["final"] < load.PATIENCE
        assert move["frames"] >= 1
    assert numbers["failures"] == {}
    assert numbers["errors_shown"] == numbers["lost"] == 0
    assert numbers["opened"] == numbers["sessions"] == 2


def test_no_two_moves_ask_for_the_same_run(measured: tuple[dict[str, Any], str]) -> None:
    moves = [move for move in measured[0]["each"] if move["slider"]]
    # one frame is what a run from the cache has
    assert statistics.median(move["frames"] for move in moves) > 1


def test_the_summary_follows_from_the_moves(measured: tuple[dict[str, Any], str]) -> None:
    numbers, table = measured
    firsts = sorted(1000 * move["first"] for move in numbers["each"] if move["slider"])
    assert numbers["first_ms"]["p50"] == pytest.approx(statistics.median(firsts), abs=0.01)
    assert firsts[0] <= numbers["first_ms"]["p50"] <= numbers["first_ms"]["p95"]
    assert numbers["first_ms"]["max"] == pytest.approx(firsts[-1], abs=0.01)
    assert f"{numbers['moves']} of " in table
    assert numbers["percent"]["web"] > 0
    assert numbers["percent"]["trainers"] > 0
    assert numbers["trainers"] >= 1
    memory = numbers["memory_mb"]
    assert min(memory["web_start"], memory["web_before"]) > 30
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_the_loop_lag_is_of_many_answers_above_the_idle_floor(
    measured: tuple[dict[str, Any], str],
) -> None:
    lag = measured[0]["lag_ms"]
    assert 0 <= lag["p50"] <= lag["p95"] <= lag["max"]
    assert measured[0]["lag_answers"] > 10


def test_a_visitor_s_move_reaches_the_page(app_server: AppServer) -> None:
    async def visit() -> Visitor:
        visitor = Visitor(app_server.url)
        await visitor.open(60)
        assert await visitor.settled(20)
        assert visitor.value("Dropout p") != 0.55
        move = await visitor.move("Dropout p", 0.55, 60)
        assert move.failure == ""
        assert await visitor.settled(20)
        again = await visitor.move("L1 λ", "2e-5", 60)
        assert again.run not in ("", move.run)
        await visitor.close()
        return visitor

    visitor = asyncio.run(visit())
    assert visitor.address.startswith("e=")
    wanted = from_link(visitor.address.removeprefix("e=")).regularization
    assert (wanted.dropout, wanted.l1) == (0.55, 2e-5)
    assert visitor.errors == []


def test_a_student_finds_something_new_to_ask_for_however_long_the_lesson_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands: dict[str, float | str] = dict.fromkeys(load.SLIDERS[:3], 0)
    visitor = Visitor("", {name: Slider(name, (0, 1, 2)) for name in stands})
    monkeypatch.setattr(visitor, "value", stands.__getitem__)
    student = load.Student(visitor, random.Random(0), [], apart=1)
    asked: set[tuple[tuple[str, float | str], ...]] = set()
    for move in range(20):  # with one slider away from its start there are six to ask for
        stands.update([student.choose(asked)])
        assert len(asked) == move + 1
        assert move > 1 or sum(map(bool, stands.values())) <= 1


def test_a_server_that_does_not_start_says_what_it_printed() -> None:
    command = ("-c", "print('no room'); raise SystemExit(1)")
    with pytest.raises(RuntimeError, match="did not start:\nno room"), serving(command):
        pass


def test_a_server_that_is_not_there_is_a_failure(free_port: int) -> None:
    visitor = Visitor(f"http://127.0.0.1:{free_port}")
    move = asyncio.run(visitor.open(5))
    assert move.failure.startswith("no connection")
    assert move.final is None


def test_heads_are_read_from_the_app_s_own_messages() -> None:
    assert read_feed(pack_waiting("play", "a-1", state="queued")) == Head(
        "a-1", "queued", None, False
    )
    assert read_feed(pack_figures("play", {"map": ("{}", "{}")})) is None
    assert read_feed(b'{"kind": "loss"}') is None


def test_percentiles_are_values_that_were_measured() -> None:
    assert load.spread([0.1, 0.2, 0.3, 0.4]) == {"p50": 250.0, "p95": 400.0, "max": 400.0}
    assert load.spread([]) is None
