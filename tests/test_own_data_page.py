"""Own data on the page: upload, choices, experiment, and isolation from other sessions."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page, WebSocket, expect
from streamlit.testing.v1 import AppTest

from regviz import specs
from regviz.data.datasets import make_dataset
from regviz.data.own import EXAMPLE
from regviz.figures.palette import LIGHT
from regviz.results import presets
from regviz.specs import DataSpec, Experiment
from regviz.tables.choice import choose
from regviz.tables.reading import read
from regviz.ui import controls
from regviz.ui import own_data as own_data_part
from regviz.ui.own_data import GONE
from tests.app_pages import await_jobs
from tests.app_server import AppServer
from tests.browsing import has_ended, settled
from tests.test_playground import SHORT, control, in_the_history, open_app, shows_code, texts
from tests.workbooks import xlsx

TABLE = choose(read(EXAMPLE))
SHORT_EXTENT = make_dataset(SHORT.data).extent
OWN = Experiment(TABLE.data(SHORT.data), SHORT.model, SHORT.regularization, SHORT.training)


def shown(at: AppTest) -> Experiment:
    """Return the experiment that the page shows, after checking its address."""
    value = at.session_state["experiment"]
    assert isinstance(value, Experiment)
    link = at.query_params["e"]
    assert specs.to_link(value) == (link[0] if isinstance(link, list) else link)
    return value


def opened(at: AppTest) -> AppTest:
    """Open the expander for own data, as a click does."""
    at.session_state["own-data"] = True
    return at.run()


def paste(at: AppTest, text: str) -> AppTest:
    opened(at)
    (area,) = at.text_area
    area.set_value(text)
    next(b for b in at.button if b.label == "Use the pasted table").click()
    at.run()
    assert not at.exception
    return at


def upload(at: AppTest, content: bytes, name: str = "mine.csv") -> AppTest:
    opened(at)
    next(u for u in at.file_uploader if u.label == "Table file").upload(name, content)
    at.run()
    assert not at.exception
    return at


def errors(at: AppTest) -> list[str]:
    return [e.value for e in at.error]


def finish(at: AppTest) -> None:
    for _ in range(100):
        if "<b>finished</b>" in texts(at):
            return
        await_jobs(at)
        at.run()
    raise AssertionError(texts(at))


def test_closed_it_draws_nothing() -> None:
    at = open_app()
    assert not at.text_area
    assert not at.file_uploader
    assert control(at, "Data set").options == list(controls.DATA_NAMES.values())


@pytest.mark.parametrize("bring", [paste, lambda at, text: upload(at, text.encode())])
def test_a_table_reaches_the_lanes(bring: Any) -> None:
    at = bring(open_app(), EXAMPLE)
    assert shown(at) == OWN
    assert errors(at) == []
    assert not at.text_area  # it has closed
    assert control(at, "Data set").value == "csv"
    assert "own data" in control(at, "Data set").options
    said = texts(at)
    assert "24 points, no test set. x₀: height (cm), x₁: weight (kg)" in said
    assert "Class 0: cat, class 1: dog" in said
    finish(at)
    assert "epoch 10/10" in texts(at)


def test_names_of_columns_and_classes_reach_the_picture() -> None:
    at = paste(open_app(), "身長 (cm),100 %{x},kind\n" + "\n".join(EXAMPLE.splitlines()[1:]))
    (sent,) = (
        json.loads(data)
        for data in (element.proto.bytes for element in at.get("bidi_component"))
        if data[:1] == b"{" and b'"whole"' in data
    )
    options = sent["options"]
    assert options["names"] == ["cat", "dog"]
    assert options["whole"] == ["cat", "dog"]
    assert options["columns"] == ["身長 (cm)", "100 %{x}"]
    assert options["axes"] == ["身長 (cm) (standardized)", "100 %{x} (standardized)"]
    assert options["classes"] is None


def test_names_that_differ_between_data_are_left_to_their_numbers() -> None:
    other = dataclasses.replace(OWN.data, classes=("x", "y"))
    named = own_data_part.named(OWN.data, other)
    assert named["names"] is None
    assert named["classes"] is None
    assert named["columns"] == OWN.data.columns
    assert own_data_part.named(DataSpec()) == dict.fromkeys(("axes", "classes", "names", "columns"))


def test_a_bad_table_is_one_sentence_and_the_old_run_stays() -> None:
    at = open_app()
    finish(at)
    upload(at, EXAMPLE.replace("24.2", "oops").encode(), "w[o]rk.csv")
    (said,) = errors(at)
    assert said.startswith(r"w\[o\]rk.csv: line 4 holds “oops” in the column “height (cm)”")
    assert shown(at) == SHORT
    assert "epoch 10/10" in texts(at)
    paste(at, "")
    (said,) = errors(at)
    assert said.startswith("The pasted table: the table is empty")
    at.session_state["own-data"] = False
    at.run()
    assert errors(at) == []
    paste(at, EXAMPLE)
    assert errors(at) == []
    assert shown(at) == OWN


THREE = "\n".join(
    f"{line.rsplit(',', 1)[0]},{'abc'[i % 3]}" for i, line in enumerate(EXAMPLE.splitlines()[1:])
)


def press(at: AppTest, label: str) -> AppTest:
    next(b for b in at.button if b.label == label).click()
    at.run()
    assert not at.exception
    return at


def selects(at: AppTest) -> dict[str, Any]:
    return {w.label: w for w in at.selectbox}


def test_of_three_labels_all_are_told_apart_at_once_unless_somebody_wants_two() -> None:
    at = paste(open_app(), THREE)
    assert errors(at) == []
    now = shown(at)
    assert now.data.classes == ("a", "b", "c")
    assert "3 classes: a, b, c" in texts(at)
    # two can be chosen from the three: the part has stayed open
    (way,) = at.radio
    assert way.value == way.options[0] == "All of them at once"
    assert "Tell" not in selects(at)
    press(at, "Use this table")
    assert shown(at) == now
    assert not at.text_area
    finish(at)
    assert errors(at) == []
    # points are drawn for two classes: no picture is emptied, and a sentence says so
    press(opened(at), "Draw on an empty plane")
    (said,) = errors(at)
    assert said.startswith("Points are drawn for two classes, and this data has 3")
    assert shown(at) == now


def test_of_three_labels_one_may_be_told_from_another_or_from_the_rest() -> None:
    at = paste(open_app(), THREE)
    (way,) = at.radio
    way.set_value("Two classes").run()
    assert selects(at)["Tell"].options == ["a", "b", "c"]
    assert selects(at)["from"].options == ["all others", "b", "c"]
    selects(at)["Tell"].set_value("c").run()
    press(at, "Use this table")
    assert shown(at).data.classes == ("all others", "c")
    assert "Class 0: all others, class 1: c" in texts(at)
    assert "Tell" not in selects(opened(at)) or selects(at)["Tell"].value == "c"


IRIS = "sepal length,sepal width,petal length,petal width,species\n" + "\n".join(
    f"{5 + i % 7 / 10},{3 + i % 5 / 10},{1 + i % 3 * 2 + i % 4 / 10},{0.2 + i % 3},{'svr'[i % 3]}"
    for i in range(30)
)


def test_of_five_columns_two_are_used_at_once_and_all_are_offered() -> None:
    at = upload(open_app(), IRIS.encode(), "iris.csv")
    assert errors(at) == []
    assert shown(at).data.columns == ("sepal length", "sepal width")
    for k in (1, 2):
        assert selects(at)[f"Input {k}"].options == IRIS.splitlines()[0].split(",")[:4]
    assert selects(at)["Label"].value == "species"
    assert "others can be chosen: “petal length”, “petal width”" in texts(at)
    selects(at)["Input 1"].set_value("petal length").run()
    selects(at)["Input 2"].set_value("petal width").run()
    press(at, "Use this table")
    now = shown(at)
    assert now.data.columns == ("petal length", "petal width")
    assert now.data.points is not None
    assert now.data.points[0] == (1.0, 0.2, 1)
    assert "Input 1" not in selects(at)  # it has closed
    press(at, "Change columns")
    assert selects(at)["Input 1"].value == "petal length"
    selects(at)["Input 2"].set_value("petal length").run()
    press(at, "Use this table")
    assert len(errors(at)) == 1
    assert shown(at) == now


def test_missing_values_are_left_out_where_somebody_chooses_so() -> None:
    lines = EXAMPLE.splitlines()
    lines[3] = lines[3].replace("24.2", "NA")
    lines[7] = lines[7].replace("4.4", "")
    at = paste(open_app(), "\n".join(lines))
    (said,) = errors(at)
    assert said == (
        "The pasted table: values are missing in 2 rows (lines 4 and 8); fill them in, or leave "
        "such rows out."
    )
    assert shown(at) == SHORT
    (way,) = at.radio
    assert way.options == ["Leave out 2 rows", "Refuse the table"]
    press(at, "Use this table")
    assert errors(at) == []
    assert shown(at).data.n_samples == 22
    assert "2 rows were left out, because a value is missing: lines 4 and 8." in texts(at)


def test_a_number_that_can_be_read_in_two_ways_is_asked_about() -> None:
    rows = [("950", "50"), ("1.050", "60"), ("1.180", "61"), ("870", "44")]
    table = "rent;area;kind\n" + "".join(f"{a};{b};{'xy'[i % 2]}\n" for i, (a, b) in
                                         enumerate(rows * 5))  # fmt: skip
    at = paste(open_app(), table)
    (said,) = errors(at)
    assert "“1.050” in the column “rent”, beside “950”, can mean 1050 or 1.05" in said
    assert said.endswith("choose the decimal sign.")
    (sign,) = at.segmented_control
    sign.set_value(",").run()
    assert not at.exception
    assert errors(at) == []
    points = shown(at).data.points
    assert points is not None
    assert points[1][:2] == (1050.0, 60.0)


def test_the_sheet_of_a_workbook_can_be_chosen() -> None:
    rows: list[list[Any]] = [["p", "q", "kind"], *[[i + 0.5, i * i % 7, "xy"[i % 2]]
                                                   for i in range(20)]]  # fmt: skip
    other: list[list[Any]] = [["r", "s", "kind"], *rows[1:13]]
    book = xlsx({"About": [["Nothing here"]], "One": rows, "Two": other})
    at = upload(open_app(), book, "mine.xlsx")
    assert errors(at) == []
    assert shown(at).data.columns == ("p", "q")
    assert selects(at)["Sheet"].options == ["About", "One", "Two"]
    selects(at)["Sheet"].set_value("About").run()
    assert len(errors(at)) == 1
    assert shown(at).data.columns == ("p", "q")
    selects(at)["Sheet"].set_value("Two").run()
    assert errors(at) == []
    assert shown(at).data.columns == ("r", "s")
    assert shown(at).data.n_samples == 12


def test_labels_that_differ_by_case_are_offered_as_one() -> None:
    lines = EXAMPLE.splitlines()
    lines[1:4] = [line.replace("cat", name) for line, name in
                  zip(lines[1:4], ("Cat", "CAT", "Cat "), strict=True)]  # fmt: skip
    at = paste(open_app(), "\n".join(lines))
    assert shown(at).data.classes == ("cat", "dog")
    assert "“cat” (also “Cat”, “CAT”)" in texts(at)
    (box,) = [c for c in at.checkbox if c.label.startswith("Labels that differ")]
    box.uncheck().run()
    press(at, "Use this table")
    (said,) = errors(at)
    assert "one row with the label “CAT”" in said


def test_a_table_that_was_mended_under_the_same_name_counts() -> None:
    at = upload(open_app(), EXAMPLE.replace("22.0,3.2", "22.0,oops").encode())
    (said,) = errors(at)
    assert "line 5 holds “oops”" in said
    upload(at, EXAMPLE.encode())
    assert errors(at) == []
    assert shown(at) == OWN


def test_a_split_that_leaves_nothing_is_one_sentence() -> None:
    at = open_app(SHORT.replace("data.val_fraction", 0.9))
    rows = EXAMPLE.splitlines()
    paste(at, "\n".join([*rows[1:7], *rows[15:19]]))
    (said,) = errors(at)
    assert "data.val_fraction: got 0.9, which leaves 1 training" in said
    assert shown(at).data.kind == "moons"


def test_controls_work_on_it_and_those_of_made_data_rest() -> None:
    at = paste(open_app(), EXAMPLE)
    labels = {w.label for kind in (at.slider, at.select_slider) for w in kind}
    assert not labels & {"Samples", "Noise"}
    control(at, "Label noise").set_value(0.1).run()
    control(at, "Validation fraction").set_value(0.5).run()
    control(at, "Dropout p").set_value(0.5).run()
    now = shown(at)
    assert now.data == TABLE.data(DataSpec(n_samples=100, label_noise=0.1, val_fraction=0.5))
    assert now.regularization.dropout == 0.5
    # away and back: what made data had is still there, and so are the points
    control(at, "Data set").set_value("xor").run()
    assert shown(at).data == DataSpec(kind="xor", n_samples=100, label_noise=0.1, val_fraction=0.5)
    control(at, "Data set").set_value("csv").run()
    assert shown(at) == now
    opened(at)
    next(b for b in at.button if b.label == "Back to two moons").click().run()
    assert shown(at).data == DataSpec(label_noise=0.1, val_fraction=0.5)
    assert shown(at).regularization.dropout == 0.5
    control(at, "Preset").set_value(presets.DEFAULT.name).run()
    assert shown(at) == presets.DEFAULT.experiment
    assert errors(at) == []


def test_in_its_session_the_way_back_finds_it_again() -> None:
    at = open_app()
    first = at.query_params["e"]
    paste(at, EXAMPLE)
    own = at.query_params["e"]
    in_the_history(at, first)
    assert shown(at) == SHORT
    in_the_history(at, own)
    assert shown(at) == OWN
    assert errors(at) == []


def test_after_a_reload_it_says_that_the_data_is_gone_and_keeps_the_rest() -> None:
    at = open_app(OWN.replace("regularization.l2", 0.02))
    assert errors(at) == [GONE]
    now = shown(at)
    assert now == SHORT.replace("data.n_samples", 500).replace("regularization.l2", 0.02)
    control(at, "Dropout p").set_value(0.5).run()
    assert errors(at) == [GONE]  # until it is dismissed, or the table is loaded again
    paste(at, EXAMPLE)
    assert errors(at) == []


def test_it_travels_in_the_experiment_s_file() -> None:
    at = open_app()
    at.session_state["share"] = True  # opened
    at.run()
    text = specs.experiments_to_json([OWN])
    at.file_uploader[0].upload("mine.json", text.encode())
    at.run()
    assert not at.exception
    assert shown(at) == OWN
    shows_code(at)
    captions = "\n".join(c.value for c in at.caption)
    assert "does not travel in a link" in captions
    assert at.code
    assert not [c for c in at.code if "?e=" in c.value or "23.1" in c.value]


def test_it_can_be_compared_but_has_no_test_set_to_reveal() -> None:
    at = paste(open_app(), EXAMPLE)
    next(b for b in at.button if b.label == "Add to comparison").click().run()
    at.switch_page("pages/compare.py").run()
    assert not at.exception
    assert not [b for b in at.button if b.label == "Reveal the test set"]
    assert "Own data has no test set" in texts(at)
    assert not [c for c in at.code if "?c=" in c.value or "23.1" in c.value]


def test_a_run_of_the_page_that_was_cut_short_is_no_error() -> None:
    """Clicks that follow each other quickly end runs of the script anywhere: what a fragment then
    finds half made, the next whole run makes."""

    def page() -> None:
        import streamlit as st
        from streamlit.errors import StreamlitInvalidLayoutContextError

        from regviz.ui import errors

        with errors.reported():
            st.session_state["runs"] = st.session_state.get("runs", 0) + 1
            if st.session_state["runs"] == 1:
                raise StreamlitInvalidLayoutContextError("half made")
            st.caption("whole")

    at = AppTest.from_function(page, default_timeout=60).run()
    assert [c.value for c in at.caption] == ["whole"]
    assert not at.error
    assert not at.exception


# --- in real browsers ---------------------------------------------------------------------------


class Guest:
    """A session in a separate browser, with all messages that the server has sent."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page: Page = self.context.new_page()
        self.received: list[bytes] = []
        self.sockets: list[WebSocket] = []
        self.complaints: list[str] = []
        self.page.on("websocket", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on(
            "framereceived",
            lambda p: self.received.append(p if isinstance(p, bytes) else p.encode()),
        )

    def finishes(self, points: int | None = None) -> None:
        status = self.page.locator(".st-key-run-status")
        expect(status).to_contain_text("finished")
        if points is not None:
            expect(self.page.locator(".st-key-group-data")).to_contain_text(f"{points} points")

    def brings(self, table: str) -> None:
        page = self.page
        page.locator(".st-key-group-data summary").first.click()
        page.locator(".st-key-own-data summary").click()
        chooser = page.locator(".st-key-own-data-upload input[type=file]")
        chooser.set_input_files({"name": "t.csv", "mimeType": "text/csv", "buffer": table.encode()})
        expect(chooser).to_have_count(0)  # it closes when the table is taken

    def saw(self, text: str) -> bool:
        return any(text.encode() in message for message in self.received)


def test_points_are_drawn_where_one_clicks_and_trained_on(
    browser: Browser, app_server: AppServer
) -> None:
    guest = Guest(browser)
    page = guest.page
    page.goto(f"{app_server.url}/?e={specs.to_link(SHORT)}")
    guest.finishes()
    page.locator(".st-key-group-data summary").first.click()
    page.locator(".st-key-own-data summary").click()
    draw = page.get_by_role("button", name="Draw on an empty plane")
    expect(draw).to_be_visible()
    settled(page)
    chart = page.locator(".st-key-decision-boundary")
    chart.locator(".js-plotly-plot").evaluate("gd => { gd.first = true }")
    draw.click()
    tools, count = chart.locator(".rv-tools"), chart.locator(".rv-tools-count")
    expect(count).to_have_text("0 points: training starts at 10 points, at least 2 of each class")
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None

    def click(u: float, v: float) -> None:
        page.mouse.move(box["x"] + u * box["width"], box["y"] + v * box["height"])
        page.mouse.down()
        page.mouse.up()

    def drawn() -> int:
        """Return the number of points in the first panel, sketched or drawn by Plotly."""
        return int(
            chart.evaluate(
                """chart => {
                  const sketched = chart.querySelector(".rv-sketching") !== null
                  const marks = sketched ? ".rv-sketch > path" : ".points > path"
                  return chart.querySelectorAll(`.subplot.xy ${marks}`).length
                }"""
            )
        )

    for i in range(6):
        click(0.1 + 0.05 * i, 0.2)
        assert drawn() == i + 1  # at once, before anything came from the server
    tools.get_by_role("button", name="class 1").focus()
    page.keyboard.press("Enter")
    for i in range(6):
        click(0.6 + 0.05 * i, 0.7)
    guest.finishes(12)
    settled(page)  # the file to download is made after the controls
    extent = SHORT_EXTENT
    wide, tall = extent[1] - extent[0], extent[3] - extent[2]

    def data() -> DataSpec:
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the experiment").click()
        (experiment,) = specs.experiments_from_json(Path(download.value.path()).read_bytes())
        return experiment.data

    page.get_by_role("button", name="Share").click()
    now = data()
    assert now.points is not None
    assert now.plane == extent
    for i, (x, y, k) in enumerate(now.points):
        assert k == int(i > 5)
        assert x == pytest.approx(extent[0] + wide * (0.1 + 0.05 * i + 0.2 * k), abs=wide / 100)
        assert y == pytest.approx(extent[3] - tall * (0.7 if k else 0.2), abs=tall / 100)
    page.keyboard.press("Escape")
    # retrained, they stand where they were put, in the same chart
    shown_x = chart.locator(".js-plotly-plot").evaluate(
        "gd => [gd.first === true, ...gd.data.slice(0, 4).flatMap(t => Array.from(t.x))]"
    )
    assert shown_x[0] is True
    assert sorted(shown_x[1:]) == pytest.approx(sorted(p[0] for p in now.points), abs=wide / 1000)
    page.keyboard.down("Shift")
    click(0.1, 0.2)
    page.keyboard.up("Shift")
    guest.finishes(11)
    tools.get_by_role("button", name="Undo").click()
    guest.finishes(12)
    tools.get_by_role("button", name="Done").click()
    expect(tools).to_have_count(0)
    guest.finishes(12)
    assert guest.complaints == []
    guest.context.close()


def test_three_classes_have_three_colours_and_their_names(
    browser: Browser, app_server: AppServer
) -> None:
    guest = Guest(browser)
    page = guest.page
    page.goto(f"{app_server.url}/?e={specs.to_link(SHORT.replace('training.lr', 0.05))}")
    guest.finishes()
    page.locator(".st-key-group-data summary").first.click()
    page.locator(".st-key-own-data summary").click()
    corners = {"ash": (0, 0), "elm": (4, 0), "oak": (2, 4)}
    rows = "\n".join(
        f"{x + i % 3},{y + i // 3},{name}" for name, (x, y) in corners.items() for i in range(9)
    )
    area = page.get_by_label("Or paste a table")
    expect(area).to_be_visible()
    settled(page)
    area.fill(rows)
    with guest.sockets[-1].expect_event("framereceived", has_ended):
        area.press("Control+Enter")
    settled(page)
    page.wait_for_function("window.__regviz?.playground?.done")
    before = page.evaluate("window.__regviz.playground.run")
    page.get_by_role("button", name="Use the pasted table").click()
    expect(page.get_by_role("button", name="Use this table")).to_be_visible()
    guest.finishes(27)
    page.wait_for_function(
        """(before) => {
            const { run, done } = window.__regviz.playground
            return run !== before && done
        }""",
        arg=before,
    )
    chart = page.locator(".st-key-decision-boundary")
    expect(chart.locator(".legendtext").first).to_have_text("ash")
    assert chart.locator(".legendtext").all_text_contents() == [*corners, "training", "validation"]
    apart = "with regularization ≠ no regularization on "
    expect(chart.locator(".annotation-text").last).to_contain_text(apart)
    shapes = chart.locator(".js-plotly-plot").evaluate(
        "gd => gd.data.slice(0, 6).map(t => [t.name, t.marker.symbol, t.x.length])"
    )
    assert [name for name, *_ in shapes] == [*corners, *corners]
    assert len({symbol for _, symbol, _ in shapes}) == 6
    assert sum(n for *_, n in shapes) == 27
    url = chart.locator("canvas").evaluate("c => c.toDataURL('image/png')")
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
    pixels = np.asarray(image, np.float64).reshape(-1, 4)
    pixels = pixels[pixels[:, 3] == 255, :3]
    pale = np.array(ImageColor.getrgb(LIGHT.response[1]), np.float64)
    for color in LIGHT.areas[:3]:
        way = np.array(ImageColor.getrgb(color)) - pale
        share = (pixels - pale) @ way / (way @ way)
        near = np.linalg.norm(pixels - pale - share[:, None] * way, axis=1) < 3
        assert (near & (share > 0.3)).sum() > 0.02 * len(pixels), color
    assert guest.complaints == []
    guest.context.close()


def test_a_table_is_chosen_from_mended_and_taken_on_a_phone(
    browser: Browser, app_server: AppServer
) -> None:
    guest = Guest(browser)
    page = guest.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app_server.url}/?e={specs.to_link(SHORT)}")
    guest.finishes()
    expand = page.get_by_test_id("stExpandSidebarButton")
    if expand.count():
        expand.click()
    page.locator(".st-key-group-data summary").first.click()
    page.locator(".st-key-own-data summary").click()
    chooser = page.locator(".st-key-own-data-upload input[type=file]")
    lines = IRIS.splitlines()
    lines[4] = lines[4].replace(",", ",oops", 1)
    for text in ("\n".join(lines), IRIS):  # under the same name
        file = {"name": "iris.csv", "mimeType": "text/csv", "buffer": text.encode()}
        chooser.set_input_files(file)  # type: ignore[arg-type]
        if text is not IRIS:
            expect(page.get_by_text("line 5 holds “oops")).to_be_visible()
    guest.finishes(30)
    expect(page.get_by_text("line 5 holds “oops")).to_have_count(0)
    preview = page.locator(".rv-preview")
    expect(preview.locator("th")).to_have_count(5)
    expect(preview.locator("th").first).to_contain_text("numbers, input 1")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    use = page.get_by_role("button", name="Use this table")
    use.scroll_into_view_if_needed()
    settled(page)
    use.click()
    expect(page.get_by_role("button", name="Change columns")).to_be_visible()
    assert guest.complaints == []
    guest.context.close()


def test_of_two_visitors_neither_meets_the_other_s_data(
    browser: Browser, app_server: AppServer
) -> None:
    small = SHORT.replace("training.epochs", 30)
    one, two = Guest(browser), Guest(browser)
    tables = [
        "Quokka,Wombat,kind\n" + "\n".join(EXAMPLE.splitlines()[1:]),
        "Axolotl,Olm,kind\n" + "\n".join(EXAMPLE.splitlines()[3:]),
    ]
    for guest, table, points in ((one, tables[0], 24), (two, tables[1], 22)):
        guest.page.goto(f"{app_server.url}/?e={specs.to_link(small)}")
        guest.finishes()
        guest.brings(table)
        guest.finishes(points)
    axis = one.page.locator(".st-key-decision-boundary .xtitle").first
    expect(axis).to_have_text("Quokka (standardized)")
    expect(two.page.locator(".st-key-decision-boundary .xtitle").first).to_have_text(
        "Axolotl (standardized)"
    )
    # the one's address opens nothing of the one's data for the other
    address = one.page.url
    two.page.goto(address)
    expect(two.page.get_by_text("Your own data is gone")).to_be_visible()
    two.finishes()
    assert one.saw("Quokka")
    assert not one.saw("Axolotl")
    assert two.saw("Axolotl")
    assert not two.saw("Quokka")
    log = "".join(app_server.output)
    assert "Quokka" not in log
    assert "Axolotl" not in log
    assert "Quokka" not in str(specs.unpack_link(parse_qs(urlsplit(address).query)["e"][0]))
    assert one.complaints + two.complaints == []
    for guest in (one, two):
        guest.context.close()
