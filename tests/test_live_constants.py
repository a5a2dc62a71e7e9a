"""The JavaScript of the pages: files that join, constants from Python, and values that are the same
when Python computes them."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

import regviz
from regviz.data import own
from regviz.figures import comparisons, info
from regviz.figures import live as figures
from regviz.frames import messages
from regviz.ui.live.mount import SCRIPTS, script
from regviz.ui.live.shared import SHARED, TOUCH
from tests.live_page import LABELS, made_up_frame

FOLDER = Path(regviz.__file__).parent
LIVE = FOLDER / "ui" / "live"
IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./([\w.]+)"$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async |)(?:function|class|const|let) (\w+)", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", re.DOTALL)
SUBJECT = re.compile(r"/\* [A-Z][^\n]*\n   \S[^\n]* \*/\n\n")


def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code(path: Path) -> str:
    return COMMENT.sub("", source(path))


# --- files that join ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.js")), ids=lambda path: path.name)
def test_a_file_begins_with_its_subject_in_two_lines(path: Path) -> None:
    if path.name not in ("touch.js", "present.js"):  # which say more
        assert SUBJECT.match(source(path))


def test_every_file_is_joined_after_those_that_it_imports_from() -> None:
    assert sorted({*SCRIPTS, "feed.js"}) == sorted(path.name for path in LIVE.glob("*.js"))
    exported: dict[str, set[str]] = {}
    imported: set[tuple[str, str]] = set()
    for name in SCRIPTS:
        text = source(LIVE / name)
        assert len(IMPORT.findall(text)) == text.count("\nimport ")
        for names, home in IMPORT.findall(text):
            assert set(names.split(", ")) <= exported[home], (name, home)
            imported |= {(home, each) for each in names.split(", ")}
        exported[name] = set(EXPORT.findall(text))
    unused = {(home, each) for home, names in exported.items() for each in names} - imported
    assert unused == set()


def test_the_joined_script_imports_nothing_and_declares_no_name_twice() -> None:
    text = script()
    assert not re.search(r"^import |\bimport\(", text, re.MULTILINE)
    assert re.findall(r"^export .*? ", text, re.MULTILINE) == ["export default "]
    names = re.findall(r"^(?:async |)(?:function|class|const|let) (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))


# --- constants from Python ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "paths"),
    [(SHARED, [LIVE / name for name in SCRIPTS]), (TOUCH, [FOLDER / "ui" / "touch.js"])],
    ids=["live", "touch"],
)
def test_every_shared_constant_is_used_and_every_used_one_is_shared(
    table: dict[str, Any], paths: list[Path]
) -> None:
    used = {name for path in paths for name in re.findall(r"\bSHARED\.(\w+)", code(path))}
    assert used == set(table)


def test_no_shared_constant_is_written_again() -> None:
    # numbers that mean many things, such as 3, cannot be told by their value
    shared = [
        SHARED[name] for name in ("magic", "places", "validation", "headroom", "outside", "levels")
    ]
    shared += [SHARED["levels"] / 2, SHARED["accuracyRange"][1], *SHARED["inputs"]]
    shared += ["1e-3", "1.2, 1.5, 2, 2.5"]
    colours = {SHARED["levels"], SHARED["validation"]}  # theme.js: white, and half as bright
    for path in [*(LIVE / name for name in SCRIPTS), FOLDER / "ui" / "touch.js"]:
        text = code(path)
        for value in shared:
            if path.name != "theme.js" or value not in colours:
                again = re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w.])", text)
                assert again is None, (path.name, value)
        if path.name != "sketch.js":  # where a mark's shape is drawn by its name
            assert not set(re.findall(r'"(\w+)"', text)) & {*SHARED["symbols"].values()} - {"x"}


# --- in the browser -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    """Open an empty page that has the joined script's functions in ``window.live``."""
    page = browser.new_page()
    names = [each for name in SCRIPTS for each in EXPORT.findall(source(LIVE / name))]
    text = script() + f"\nexport {{ {', '.join(names)} }}\n"
    address = "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()
    page.evaluate("async (address) => { window.live = await import(address) }", address)
    yield page
    page.close()


def test_the_browser_has_the_constants(scripts: Page) -> None:
    assert scripts.evaluate("window.__regvizCore.shared") == json.loads(json.dumps(SHARED))


def test_a_message_is_read_as_python_reads_it(scripts: Page) -> None:
    frame = made_up_frame("a", 40, diverged=(1e9, 5.0))
    data = messages.stamp(messages.pack_frame("c", "r", frame), "feed", "session", 1)
    header, arrays = messages.unpack(data)
    read = scripts.evaluate(
        """(text) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
            const message = live.decode(bytes)
            const arrays = live.arraysOf(message)
            const set = { place: arrays.p0.values, kind: arrays.k0.values,
                extent: message.header.views[0].extent }
            return {
                header: message.header,
                values: Object.fromEntries(Object.entries(arrays).map(([name, { values }]) =>
                    [name, Array.from(values, (v) => Number.isFinite(v) ? Number(v) : null)])),
                points: Array.from(set.kind, (_, k) => live.pointOf(set, k)),
            }
        }""",
        base64.b64encode(data).decode(),
    )
    assert read["header"] == header
    for name, array in arrays.items():
        finite = [float(v) if np.isfinite(v) else None for v in array.ravel()]
        assert read["values"][name] == finite, name
    assert frame.data is not None
    view = frame.data[0]
    low, high = np.array(view.extent[0::2]), np.array(view.extent[1::2])
    places = np.array([[point["x"], point["y"]] for point in read["points"]])
    inside = np.clip(view.x, low, high)
    np.testing.assert_allclose(places, inside, atol=float((high - low).max()) / 65535)
    assert [point["kind"] for point in read["points"]] == view.y.tolist()
    assert [point["validation"] for point in read["points"]] == view.is_val.tolist()


def test_the_end_of_a_loss_axis_is_python_s(scripts: Page) -> None:
    rng = np.random.default_rng(0)
    values = [0.0, 1e-9, 0.96, 1.0, 999.0, *np.exp(rng.uniform(-12, 12, 500)).tolist()]
    tops = scripts.evaluate("(values) => values.map((v) => live.roundTop(v))", values)
    assert tops == [info.curve_top([np.array([value])]) for value in values]


@pytest.mark.parametrize("run", ["a", "b", "c"])
def test_a_histogram_reaches_as_far_and_as_high_as_python_s(scripts: Page, run: str) -> None:
    for zeros in (0, 7, 10_000):
        lanes = [
            dataclasses.replace(lane, zeros=np.array([zeros, 0], np.int64))
            for lane in made_up_frame(run, 30).lanes
        ]
        layout = comparisons.histograms(lanes, LABELS).layout
        counts, limit = messages.pooled_histograms(lanes)
        reach, top = scripts.evaluate(
            """([rows, step, zeros]) => {
                const { outside, leastBins, weightsRoom } = __regvizCore.shared
                const bins = rows.map((row) => live.reachOf(row, outside))
                const most = Math.max(...rows.flat())
                return [step * Math.max(leastBins, ...bins),
                    weightsRoom * live.histogramTop(most, zeros)]
            }""",
            [counts.tolist(), 2 * limit / counts.shape[1], zeros],
        )
        assert reach == pytest.approx(layout.xaxis.range[1], rel=1e-12)
        assert top == pytest.approx(layout.yaxis.range[1], rel=1e-12)


def test_marks_lie_where_python_puts_them(scripts: Page) -> None:
    for best, stopped in ((0, 0), (20, 0), (20, 35), (1, 1)):
        lanes = [
            dataclasses.replace(lane, best_epoch=best, stopped_epoch=stopped)
            for lane in made_up_frame("a", 40).lanes
        ]
        drawn = figures.fill_loss_curves(figures.loss_curves(LABELS, epochs=200), lanes).data[3]
        marks = scripts.evaluate(
            """(lane) => live.marksOf(lane)
                .map(([epoch, kind]) => [epoch, __regvizCore.shared.symbols[kind]])""",
            {"best": best, "stopped": stopped},
        )
        symbols = drawn.marker.symbol or ()
        assert [tuple(mark) for mark in marks] == list(zip(drawn.x, symbols, strict=True))


def test_the_half_line_crosses_each_edge_of_the_grid_where_numpy_says(scripts: Page) -> None:
    rng = np.random.default_rng(1)
    response = rng.integers(0, 256, (9, 12)).astype(np.uint8)
    blurred, pieces = scripts.evaluate(
        """([values, shape]) => {
            const smooth = live.blurred(values, shape)
            return [Array.from(smooth), live.contour(smooth, shape, 127.5)]
        }""",
        [response.ravel().tolist(), list(response.shape)],
    )
    padded = np.pad(response.astype(float), 1, mode="edge")
    across = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    smooth = (across[:-2] + 2 * across[1:-1] + across[2:]) / 4
    np.testing.assert_allclose(np.array(blurred).reshape(smooth.shape), smooth, rtol=1e-6)
    crossings = set()
    for (row, column), value in np.ndenumerate(smooth):
        for down, right in ((0, 1), (1, 0)):
            if row + down < smooth.shape[0] and column + right < smooth.shape[1]:
                other = smooth[row + down, column + right]
                if (value > 127.5) != (other > 127.5):
                    part = (127.5 - value) / (other - value)
                    crossings.add((round(column + part * right, 4), round(row + part * down, 4)))
    ends = np.array(pieces).reshape(-1, 2)
    assert {(round(float(x), 4), round(float(y), 4)) for x, y in ends} == crossings


FRACTIONS = st.floats(0.1, 0.5)


@given(st.integers(0, 60), FRACTIONS)
def test_drawn_points_take_the_same_turns(scripts: Page, n: int, fraction: float) -> None:
    turns = scripts.evaluate("([n, fraction]) => live.turns(n, fraction)", [n, fraction])
    assert turns == own.turns(n, fraction)


@given(st.integers(0, 20), st.integers(0, 20), FRACTIONS)
def test_drawn_points_are_arranged_alike(scripts: Page, a: int, b: int, fraction: float) -> None:
    points: list[Any] = [(float(i), 0.5, i % 2) for i in range(a + b)]
    arranged = scripts.evaluate(
        "([train, validation, fraction]) => live.arranged(train, validation, fraction)",
        [points[:a], points[a:], fraction],
    )
    assert [tuple(p) for p in arranged] == list(own.arranged(points[:a], points[a:], fraction))
