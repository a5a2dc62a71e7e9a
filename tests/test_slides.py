"""Slides: content of each format, equal files for equal runs, a sentence for bad input."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from playwright.sync_api import Browser
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE

from regviz import render as rendering
from regviz import slides
from regviz.cli import main
from regviz.figures.palette import DARK, LIGHT
from regviz.render import Source, obtain
from regviz.results import metrics
from regviz.slides import FIGURES, Runs, Slide, classes, deck, paper, process, qr, stills, words
from regviz.slides.stills.contour import contour
from regviz.specs import Experiment, SpecError, experiments_from_json, from_link
from regviz.training.run import fit

ROOT = Path(__file__).resolve().parents[1]
SMALL: dict[str, Any] = {
    "data": {"n_samples": 60},
    "model": {"hidden": [8]},
    "regularization": {"dropout": 0.2, "l1": 0.05},
    "training": {"epochs": 12, "lr": 0.01},
}
LINK = "https://example.org/regviz/?e=abc"


@pytest.fixture(scope="module")
def twins() -> Runs:
    """Return a small model, without and with regularization, at five moments."""
    e = Experiment.from_dict(SMALL)
    source = Source((e.without_regularization(), e))
    runs, remark = obtain(source, figures=(), formats=("gif",), frames=5)
    assert runs is not None
    assert remark == ""
    return runs


def several(runs: Runs, n: int) -> Runs:
    """Return ``n`` runs: repeated twins with the names of a sweep."""
    es = tuple(runs.experiments[1].replace("regularization.l2", 10.0**-k) for k in range(n))
    last = runs.last
    assert last.data is not None
    frame = dataclasses.replace(
        last,
        lanes=tuple(last.lanes[i % 2] for i in range(n)),
        data=tuple(last.data[0] for _ in range(n)),
    )
    return Runs(es, (frame,))


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def hexadecimal(pixel: Any) -> str:
    return "#" + "".join(f"{value:02x}" for value in pixel[:3])


# --- stills ------------------------------------------------------------------------------------


def test_a_png_has_the_pixels_of_a_slide(twins: Runs) -> None:
    assert picture(slides.render(twins, Slide(figures=("curves",)), "png")).size == (3840, 2160)
    half = Slide(figures=("curves",), scale=0.5)
    assert picture(slides.render(twins, half, "png")).size == (960, 540)


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_a_sure_model_has_the_palettes_colour(theme: str, palette: Any, twins: Runs) -> None:
    last = twins.last
    lanes = [
        dataclasses.replace(lane, boundary=np.full((20, 20), sure, np.uint8))
        for lane, sure in zip(last.lanes, (0, 255), strict=True)
    ]
    sure = dataclasses.replace(twins, frames=(dataclasses.replace(last, lanes=tuple(lanes)),))
    shown = picture(
        slides.render(sure, Slide(figures=("boundary",), theme=theme, scale=0.5), "png")
    )
    assert hexadecimal(shown.getpixel((2, 2))) == palette.background
    colors = {hexadecimal(color) for _, color in shown.getcolors(10**6) or []}
    most = sorted(shown.getcolors(10**6) or [], reverse=True)[:3]
    assert {hexadecimal(color) for _, color in most} == {
        palette.background, palette.response[0], palette.response[2]
    }  # fmt: skip
    assert {palette.classes[0], palette.classes[1]} <= colors  # the points


@pytest.mark.parametrize(
    ("figures", "n"),
    [
        (("boundary",), 6),
        (("histogram",), 2),
        (("boundary", "curves"), 2),
        (("difference", "curves"), 2),
        (("boundary", "curves", "histogram", "numbers"), 3),
        (("accuracy", "numbers"), 6),
    ],
)
def test_no_words_are_cut_or_overlap(figures: tuple[str, ...], n: int, twins: Runs) -> None:
    runs = several(twins, n)
    for size, link in ((18.0, None), (22.0, LINK)):
        slide = Slide(figures=figures, font_size=size, link=link)
        with paper.drawing(paper.Style(slide.palette, size)):
            page = stills.draw(runs, slide, figures)
            page.canvas.draw()
            boxes = list(_boxes(page))
            right, top = page.figure.bbox.width, page.figure.bbox.height
        assert len(boxes) > 5
        for text, box in boxes:
            inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= right and box.y1 <= top
            assert inside, (text, box)
        for i, (text, a) in enumerate(boxes):
            for other, b in boxes[i + 1 :]:
                wide = min(a.x1, b.x1) - max(a.x0, b.x0)
                high = min(a.y1, b.y1) - max(a.y0, b.y0)
                # the two numbers in the corner of the axes may touch
                assert wide < 3 or high < 12, (text, other)


def _boxes(page: stills.Drawn) -> Iterator[tuple[str, Any]]:
    """Yield each visible text and its bounding box in pixels."""
    unseen = set()
    for ax in page.figure.axes:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            slack = 1e-6 * (limits[1] - limits[0])
            for tick in axis.get_major_ticks():
                if not limits[0] - slack <= tick.get_loc() <= limits[1] + slack:
                    unseen |= {tick.label1, tick.label2}
    for text in page.figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            box = text.get_window_extent(page.canvas.get_renderer())
            if box.width >= 1:
                yield text.get_text(), box


def test_the_difference_is_the_second_run_minus_the_first(twins: Runs) -> None:
    with paper.drawing(paper.Style(LIGHT, 18)):
        page = stills.draw(twins, Slide(), ("difference",))
    (shown,) = page.figure.axes[0].get_images()
    first, second = (lane.boundary for lane in twins.last.lanes)
    assert first is not None
    assert second is not None
    assert np.allclose(np.asarray(shown.get_array()), (second.astype(float) - first) / 255)
    assert shown.get_clim() == (-1, 1)
    said = words.describe("difference", twins)
    assert metrics.percent(((first > 127) != (second > 127)).mean()) in said


@pytest.mark.parametrize("seed", range(4))
def test_the_smooth_line_leaves_every_grid_point_on_its_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-1, 1, 24))
    waves = np.zeros((24, 24))
    for k in range(4):
        waves += np.sin(rng.normal(0, 4) * x + rng.normal(0, 4) * y + k)
    sharpness = 10.0 ** rng.integers(0, 4)  # smooth, and as hard as a staircase
    grid = np.round(255 / (1 + np.exp(-sharpness * waves))).astype(np.uint8)
    path = contour(grid, (-1, 1, -1, 1))
    lines = [np.asarray(line) for line in path.to_polygons(closed_only=False)]
    for r in range(1, 23):  # along a row of the grid, the line is crossed where the side changes
        crossed = np.zeros(23, int)
        for line in lines:
            (ax, ay), (bx, by) = line[:-1].T, line[1:].T
            across = (ay > y[r, 0]) != (by > y[r, 0])
            at = ax + (bx - ax) * (y[r, 0] - ay) / np.where(across, by - ay, 1)
            np.add.at(crossed, np.floor((at[across] + 1) / 2 * 23).astype(int), 1)
        assert (crossed % 2 == (np.diff(grid[r] > 127) != 0)).all()


def test_the_line_of_a_straight_rule_lies_on_it() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 80), np.linspace(-1, 1, 80))
    odds = 3 * (y - 0.37 * x - 0.05)
    path = contour(np.round(255 / (1 + np.exp(-odds))).astype(np.uint8), (-2, 2, -1, 1))
    (line,) = path.to_polygons(closed_only=False)
    line = np.asarray(line)
    away = np.abs(line[:, 1] - 0.37 * line[:, 0] - 0.05)
    assert away.max() < 0.005  # a square is 0.025 high; the rest is that of uint8


def test_every_letter_has_a_glyph(twins: Runs) -> None:
    # matplotlib warns of each that has none, and here a warning is an error
    named = dataclasses.replace(twins, labels=("λ‖w‖² é σ ε ½ Δ − ×", "$α_1$ & <b>"))
    slide = Slide(figures=("curves",), title="Fuß über ½λ‖w‖² — naïve?", scale=0.5)
    for format in ("png", "svg", "pdf"):
        assert slides.render(named, slide, format)


def test_runs_differ_in_more_than_colour(twins: Runs) -> None:
    with paper.drawing(paper.Style(LIGHT, 18)):
        page = stills.draw(several(twins, 6), Slide(), ("curves",))
    (ax,) = page.figure.axes
    lines = [line for line in ax.get_lines() if len(np.asarray(line.get_xdata())) == 12]
    train, validation = lines[::2], lines[1::2]
    assert len({line.get_marker() for line in validation}) == 6
    assert {line.get_linestyle() for line in train} == {"--"}
    assert {line.get_linestyle() for line in validation} == {"-"}
    curve = twins.last.lanes[0].curve("val_loss")
    assert np.allclose(np.asarray(validation[0].get_ydata()), curve)


def test_an_svg_is_named_described_and_whole(twins: Runs) -> None:
    text = slides.render(twins, Slide(), "svg").decode()
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert (root.get("width"), root.get("height")) == ("1920", "1080")
    assert root.get("viewBox") == "0 0 960 540"
    assert root.findtext(f"{space}title") == words.title(twins.experiments)
    description = root.findtext(f"{space}desc") or ""
    assert "validation accuracy" in description
    assert "validation loss" in description
    used = [value for e in root.iter() for name, value in e.attrib.items() if name.endswith("href")]
    assert used
    assert all(value.startswith(("#", "data:")) for value in used)


def test_a_pdf_has_a_page_for_what_the_layout_holds(twins: Runs) -> None:
    five = Slide(figures=("boundary", "curves", "accuracy", "histogram", "numbers"), layout="two")
    content = slides.render(twins, five, "pdf")
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b(?!s)", content)) == 3
    assert set(re.findall(rb"/MediaBox \[ ?([\d. ]+?) ?\]", content)) == {b"0 0 960 540"}
    assert b"Date" not in content


def test_a_link_is_a_code_that_says_it(twins: Runs) -> None:
    with_code = slides.render(twins, Slide(figures=("curves",), link=LINK, scale=1), "png")
    corner = np.asarray(picture(with_code).convert("L"))[-160:, -160:]
    matrix = qr.matrix(LINK)
    assert (matrix[:4] == 0).all()  # the quiet zone
    assert 0.25 < (corner < 128).mean() < 0.6
    with pytest.raises(SpecError, match="shorter"):
        qr.matrix("https://example.org/" + "x" * 5000)


# --- animations --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_shows_every_frame_for_its_time(format: str, twins: Runs) -> None:
    shown = picture(slides.render(twins, Slide(seconds=1), format))
    assert shown.size == (960, 540)
    assert getattr(shown, "n_frames", 1) == 5
    assert shown.info["loop"] == 0
    pictures, durations = [], []
    for i in range(5):
        shown.seek(i)
        shown.load()
        durations.append(shown.info["duration"])
        pictures.append(np.asarray(shown.convert("RGB")))
    assert durations == [200, 200, 200, 200, 2200]
    changed = [(a != b).any() for a, b in itertools.pairwise(pictures)]
    assert all(changed)
    background = hexadecimal(pictures[0][2, 2])
    assert background == LIGHT.background


def test_the_last_frame_of_an_animation_is_the_still(twins: Runs) -> None:
    shown = picture(slides.render(twins, Slide(caption=False), "webp"))
    shown.seek(4)
    still = picture(slides.render(twins, Slide(caption=False, scale=0.5), "png")).convert("RGB")
    apart_by = np.abs(np.asarray(shown.convert("RGB"), float) - np.asarray(still, float))
    assert apart_by[60:].mean() < 2.5  # below the title and the clock; WebP loses a little
    assert (apart_by[60:].max(axis=2) > 100).mean() < 0.002


def test_an_animation_takes_even_steps(twins: Runs) -> None:
    frames = [dataclasses.replace(twins.last, epoch=epoch) for epoch in (*range(1, 50), 100)]
    runs = dataclasses.replace(twins, frames=tuple(frames))
    assert [frame.epoch for frame in runs.moments(3)] == [1, 49, 100]
    assert [frame.epoch for frame in runs.moments(60)] == [*range(1, 50), 100]


# --- the page ----------------------------------------------------------------------------------


class Outline(HTMLParser):
    """The content of a page: tags with their attributes, and their words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.tags[-1][0] if self.tags else "", data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_page_is_accessible_and_fetches_nothing(twins: Runs) -> None:
    slide = Slide(figures=tuple(FIGURES), link=LINK, title="</script><b>A & B", theme="dark")
    outline = Outline(slides.render(twins, slide, "html").decode())
    assert outline.of("html") == [{"lang": "en"}]
    assert outline.texts["title"] == "</script><b>A & B"
    assert len(outline.of("main")) == len(outline.of("h1")) == 1
    labels = [figure["aria-label"] for figure in outline.of("figure")]
    assert labels == [words.describe(name, twins) for name in FIGURES if name != "numbers"]
    assert {"play", "step"} <= {a.get("id") for _, a in outline.tags}
    assert all(a.get("aria-label") for tag in ("button", "input") for a in outline.of(tag))
    for tag, attributes in outline.tags:
        assert not {"src", "srcset", "data", "poster"} & set(attributes), tag
        assert "href" not in attributes or (tag, attributes["href"]) == ("a", LINK)
    (policy,) = [a["content"] for a in outline.of("meta") if "http-equiv" in a]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_a_page_plays_and_scrubs_from_a_file_without_a_network(
    twins: Runs, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(slides.render(twins, Slide(figures=tuple(FIGURES), seconds=1), "html"))
    asked, errors = [], []
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.locator('body[data-shown="4"]').wait_for()
    assert page.locator("#epoch").inner_text() == "epoch 12 of 12"
    page.locator("#step").press("Home")
    page.locator('body[data-shown="0"]').wait_for()
    assert page.locator("#epoch").inner_text() == "epoch 1 of 12"
    trained = page.locator('tr:has-text("epochs trained") td').all_inner_texts()
    assert trained == ["1", "1"]
    curves = f"document.getElementById('figure-{list(FIGURES).index('curves')}')"
    drawn = page.evaluate(f"{curves}.data[1].x.length")
    assert drawn == 1
    page.locator("body").press("ArrowRight")
    page.locator('body[data-shown="1"]').wait_for()
    page.locator("body").press(" ")
    page.locator('body[data-shown="4"]').wait_for()
    page.get_by_role("button", name="Play the training").wait_for()
    assert page.evaluate(f"{curves}.data[1].x.length") == 12
    context.close()
    assert asked == [path.as_uri()]
    assert errors == []


# --- decks -------------------------------------------------------------------------------------


def test_a_deck_has_title_alt_text_and_notes(twins: Runs) -> None:
    slide = Slide(figures=("boundary", "curves", "histogram"), link=LINK, scale=0.5)
    shown: Any = Presentation(io.BytesIO(slides.render(twins, slide, "pptx")))
    assert shown.slide_width / shown.slide_height == pytest.approx(16 / 9, abs=1e-4)
    assert len(shown.slides) == 3
    for page, name in zip(shown.slides, slide.figures, strict=True):
        assert page.shapes.title.text_frame.text.startswith(FIGURES[name])
        pictures = [s for s in page.shapes if s.shape_type == MSO_SHAPE_TYPE.PICTURE]
        alt = [picture._element._nvXxPr.cNvPr.get("descr") for picture in pictures]
        assert alt == [words.describe(name, twins), f"QR code of {LINK}"]
        assert pictures[1].click_action.hyperlink.address == LINK
        for shape in page.shapes:
            assert shape.left >= 0
            assert shape.top >= 0
            assert shape.left + shape.width <= shown.slide_width
            assert shape.top + shape.height <= shown.slide_height
        notes = page.notes_slide.notes_text_frame.text
        assert "What to say" in notes
        assert all(sentence in notes for sentence in words.verdicts(twins))
        assert LINK in notes
        assert f"regviz render spec.json -o slide.png --figure {name}" in notes
        assert experiments_from_json(notes.splitlines()[-1]) == twins.experiments


def test_a_deck_is_collected_from_many_runs(twins: Runs) -> None:
    collected = deck.deck_slides(twins, Slide(figures=("curves",), scale=0.5))
    dark = Slide(figures=("curves", "numbers"), layout="two", theme="dark", scale=0.5)
    collected += deck.deck_slides(several(twins, 3), dark)
    shown: Any = Presentation(io.BytesIO(deck.build(collected)))
    assert len(shown.slides) == 2
    colors = [str(page.background.fill.fore_color.rgb) for page in shown.slides]
    assert colors == [LIGHT.background[1:].upper(), DARK.background[1:].upper()]
    with pytest.raises(SpecError, match="deck: got 0 slides"):
        deck.build([])


# --- words -------------------------------------------------------------------------------------


def test_labels_are_what_differs_and_the_caption_is_the_rest() -> None:
    plain = Experiment()
    strong = plain.replace("regularization.dropout", 0.5)
    assert words.labels((plain, strong)) == ("no regularization", "dropout p = 0.5")
    rates = [plain.replace("training.lr", lr) for lr in (0.1, 0.01)]
    assert words.labels(rates) == ("learning rate 0.1", "learning rate 0.01")
    assert words.labels((plain, plain)) == ("run (1)", "run (2)")
    decayed = plain.replace("regularization.weight_decay", 1.0).replace(
        "training.optimizer", "adamw"
    )
    assert words.labels((plain, strong, decayed)) == (
        "no regularization, adam", "dropout p = 0.5, adam", "weight decay 1, adamw"
    )  # fmt: skip
    stopped = plain.replace("regularization.early_stopping.patience", 5)
    assert words.labels((plain, stopped))[1] == "early stopping, patience 5"
    assert words.caption([plain]) == (
        "moons · hidden units 64-64 · data seed 42, seed 0 · all other settings default"
    )
    assert words.caption((plain, strong)) == words.caption([plain])
    assert "dropout p = 0.5" in words.caption([strong])
    assert "L2 λ = 0.25" in words.caption([strong.replace("regularization.l2", 0.25)])


def test_a_caption_names_every_setting_that_is_not_the_default() -> None:
    changed = Experiment.from_dict(
        {
            "data": {"kind": "xor", "n_samples": 77, "noise": 0.11, "label_noise": 0.12,
                     "irrelevant_features": 3, "val_fraction": 0.44, "seed": 55},
            "model": {"hidden": [5, 6], "activation": "tanh", "norm": "batch",
                      "norm_position": "after", "init_scale": 1.7},
            "regularization": {"dropout": [0.21, 0.22], "input_dropout": 0.23, "l1": 0.24,
                               "l2": 0.25, "weight_decay": 0.26, "label_smoothing": 0.27,
                               "input_noise": 0.28,
                               "early_stopping": {"patience": 31, "min_delta": 0.32,
                                                  "restore_best_weights": False}},
            "training": {"optimizer": "sgd", "lr": 0.41, "batch_size": None, "epochs": 42,
                         "seed": 43, "momentum": 0.45},
        }
    )  # fmt: skip
    said = words.caption([changed])
    parts = (
        "xor 77 0.11 0.12 3 0.44 55 5-6 tanh batch after 1.7 0.21 0.22 0.23 0.24 0.25 0.26 0.27 "
        "0.28 31 0.32 last sgd 0.41 full 42 43 0.45"
    )
    for part in re.split(" ", parts):
        assert re.search(rf"(?<![\d.]){re.escape(part)}(?![\d.])", said), part


# --- equal runs, equal files -------------------------------------------------------------------


def test_equal_specs_give_equal_files_in_two_processes(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(SMALL))
    options = ["--twin", "--frames", "3", "--scale", "0.5", "--link", "https://example.org"]
    digests = []
    for folder in ("here", "there"):
        to = tmp_path / folder
        to.mkdir()
        outputs = [a for f in slides.FORMATS for a in ("-o", str(to / f"slide.{f}"))]
        arguments = ["render", str(spec), *outputs, *options]
        done = subprocess.run(
            [sys.executable, "-m", "regviz", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "1" if folder == "here" else "2"},
            check=True,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert "slide.png" in done.stderr
        digests.append(
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in to.iterdir()}
        )
    assert len(digests[0]) == len(slides.FORMATS)  # and nothing else was left there
    assert digests[0] == digests[1]
    page = (tmp_path / "here" / "slide.html").read_text()
    (link,) = re.findall(r'<a href="https://example\.org/\?e=([^"]+)"', page)
    assert from_link(link) == Experiment.from_dict(SMALL)


def test_a_process_of_its_own_draws_the_same(twins: Runs) -> None:
    slide = Slide(figures=("curves", "histogram"), theme="dark")
    assert process.render(twins, slide, "svg") == slides.render(twins, slide, "svg")
    with pytest.raises(SpecError, match="a decision boundary needs two inputs"):
        process.render(without_boundary(twins), Slide(), "svg")
    with pytest.raises(SpecError, match="drawing took over"):
        process.render(twins, slide, "png", timeout=0.01)
    with pytest.raises(SpecError, match='format: got "bmp"'):
        process.render(twins, slide, "bmp")


def without_boundary(runs: Runs) -> Runs:
    lanes = tuple(dataclasses.replace(lane, boundary=None) for lane in runs.last.lanes)
    return dataclasses.replace(runs, frames=(dataclasses.replace(runs.last, lanes=lanes),))


def test_what_draws_is_loaded_when_something_is_drawn() -> None:
    code = (
        "import sys, regviz.slides, regviz.slides.process;"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "regviz" in loaded
    assert not loaded & {"matplotlib", "PIL", "pptx", "segno", "plotly", "torch", "streamlit"}


# --- result files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    spec = folder / "spec.json"
    spec.write_text(json.dumps(SMALL))
    assert main(["run", str(spec), "-o", str(folder / "result.json")]) == 0
    return folder / "result.json"


def test_a_result_file_is_drawn_without_training(
    result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("this trains")

    monkeypatch.setattr(rendering, "_trained", refuse)
    out = tmp_path / "slide.svg"
    assert main(["render", str(result), "-o", str(out)]) == 0
    first = out.read_bytes()
    document = json.loads(result.read_text())
    document["runs"][0]["history"]["val_loss"][3] = 0.123
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document))
    assert main(["render", str(changed), "-o", str(out)]) == 0
    assert out.read_bytes() != first  # what is drawn is what the file says


def test_what_a_result_file_lacks_is_trained_again(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, ours, theirs = (tmp_path / name for name in ("s.json", "ours.svg", "theirs.svg"))
    spec.write_text(json.dumps(SMALL))
    assert main(["render", str(result), "-o", str(ours), "--figure", "histogram"]) == 0
    assert main(["render", str(spec), "-o", str(theirs), "--figure", "histogram"]) == 0
    assert ours.read_bytes() == theirs.read_bytes()
    assert "otherwise" not in capsys.readouterr().err
    document = json.loads(result.read_text())
    document["runs"][0]["history"]["val_loss"][3] *= 2
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    assert main(["render", str(other), "-o", str(ours), "--figure", "histogram"]) == 0
    assert "losses differ from those" in capsys.readouterr().err


def test_an_earlier_epoch_is_what_a_shorter_run_ends_with(tmp_path: Path) -> None:
    e = Experiment.from_dict(SMALL)
    early, _ = obtain(Source((e,)), figures=(), formats=("png",), frames=9, epoch=4)
    short, _ = obtain(
        Source((e.replace("training.epochs", 4),)), figures=(), formats=("png",), frames=9
    )
    assert early is not None
    assert short is not None
    assert early.last.epoch == 4
    lane, other = early.last.lanes[0], short.last.lanes[0]
    assert np.array_equal(lane.history, other.history)
    assert np.array_equal(lane.histogram, other.histogram)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("figures", ()),
        ("layout", "three"),
        ("theme", "sepia"),
        ("font_size", 4),
        ("font_size", float("nan")),
        ("frames", 1),
        ("frames", 10**9),
        ("seconds", 0),
        ("scale", 100),
        ("link", "javascript:alert(1)"),
    ],
)
def test_a_wrong_slide_is_refused_by_name(field: str, value: Any) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(SpecError, match=field.replace("figures", "figure").replace("_", " ")):
        Slide(**changed)


def test_a_figure_that_is_not_there_is_refused_by_name(twins: Runs) -> None:
    with pytest.raises(SpecError, match=r'figure: got "pie"; choose one of boundary, difference'):
        slides.render(twins, Slide(figures=("boundary", "pie")), "png")
    with pytest.raises(SpecError, match="two runs"):
        slides.render(several(twins, 3), Slide(figures=("difference",)), "png")


def test_too_many_runs_and_figures_are_refused(twins: Runs) -> None:
    with pytest.raises(SpecError, match="got 7"):
        several(twins, 7)
    with pytest.raises(SpecError, match="labels"):
        dataclasses.replace(twins, labels=("one",))
    crowded = Slide(figures=("curves", "accuracy", "numbers"), layout="two")
    for format in ("png", "gif"):
        with pytest.raises(SpecError, match="layout"):
            slides.render(twins, crowded, format)
    still = dataclasses.replace(twins, frames=(twins.last,))
    with pytest.raises(SpecError, match="got one frame"):
        slides.render(still, Slide(), "gif")


def test_a_format_without_its_library_is_refused(
    twins: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pptx", None)
    monkeypatch.delitem(sys.modules, "regviz.slides.deck")
    monkeypatch.delattr(slides, "deck")
    with pytest.raises(SpecError, match="pptx needs pptx"):
        slides.render(twins, Slide(), "pptx")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error sentence for these arguments."""
    code: object
    try:
        code = main(["render", *arguments])
    except SystemExit as ended:  # argparse
        code = ended.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["-o", "slide.bmp"], ".bmp"),
        (["-o", "slide"], "slide"),
        ([], "-o"),
        (["-o", "none/slide.png"], "cannot be written"),
        (["-o", "a.png", "--theme", "sepia"], "sepia"),
        (["-o", "a.png", "--figure", "pie"], "pie"),
        (["-o", "a.png", "--layout", "six"], "six"),
        (["-o", "a.png", "--layout", "one"], "layout"),
        (["-o", "a.png", "--font-size", "200"], "200"),
        (["-o", "a.png", "--font-size", "big"], "big"),
        (["-o", "a.png", "--epoch", "13"], "--epoch"),
        (["-o", "a.png", "--epoch", "0"], "--epoch"),
        (["-o", "a.png", "--runs", "2"], "--runs"),
        (["-o", "a.png", "--runs", "x"], "--runs"),
        (["-o", "a.png", "--label", "a", "--label", "b"], "--label"),
        (["-o", "a.png", "--link", "example.org"], "--link"),
        (["-o", "a.gif", "--frames", "1"], "frames"),
        (["-o", "a.png", "-o", "b.gif", "--layout", "one"], "layout"),
    ],
)
def test_bad_options_are_refused_and_leave_nothing_behind(
    options: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text(json.dumps(SMALL))
    Path("a.png").write_bytes(b"old")
    assert named in refused(["spec.json", *options], capsys)
    assert sorted(os.listdir()) == ["a.png", "spec.json"]
    assert Path("a.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(runs=[]), "runs"),
        (lambda d: d.update(runs=7), "runs"),
        (lambda d: d.update(runs=[7]), "runs[0]"),
        (lambda d: d["runs"][0].pop("experiment"), "runs[0].experiment"),
        (lambda d: d["runs"][0]["experiment"]["data"].update(kind="cats"), "runs[0].data.kind"),
        (lambda d: d["runs"][0].update(status="great"), "runs[0]"),
        (lambda d: d["runs"][0].pop("history"), "runs[0].history"),
        (lambda d: d["runs"][0]["history"].pop("val_loss"), "runs[0].history.val_loss"),
        (lambda d: d["runs"][0]["history"].update(penalty=[1.0]), "runs[0].history"),
        (lambda d: d["runs"][0]["history"].update(penalty="x"), "runs[0].history.penalty"),
        (lambda d: d["runs"][0].update(weights=[{}]), "runs[0].weights"),
        (lambda d: d["runs"][0].update(best_epoch=99), "runs[0].best_epoch"),
        (lambda d: d["runs"][0]["boundary"].update(response=[[1]]), "runs[0].boundary"),
        (lambda d: d["runs"].extend(d["runs"] * 6), "--runs"),
    ],
)
def test_a_result_file_from_somewhere_else_is_refused(
    change: Any, named: str, result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(result.read_text())
    change(document)
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps(document))
    out = tmp_path / "slide.png"
    capsys.readouterr()
    assert named in refused([str(path), "-o", str(out)], capsys)
    assert not out.exists()


def _run(document: Any) -> Any:
    return document["runs"][0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda r: r["experiment"]["training"].update(epochs=300),
            "runs[0].history: has 12 epochs",
        ),
        (lambda r: r["experiment"]["training"].update(epochs=7), "runs[0].history: has 12 epochs"),
        (lambda r: r["experiment"]["model"].update(hidden=[16]), "weights: are 2×8, 8×1, and"),
        (lambda r: r["experiment"]["model"].update(hidden=[8, 8]), "runs[0].weights"),
        (lambda r: r["experiment"]["data"].update(irrelevant_features=2), "runs[0]"),
        (lambda r: r["experiment"]["data"].update(n_samples=70), "not possible with 21 validation"),
        (lambda r: r["experiment"]["data"].update(kind="circles"), "another part of the plane"),
        (lambda r: r["experiment"]["data"].update(kind="digits"), "runs[0]"),
        (lambda r: r["experiment"]["regularization"].update(l1=0.0), "penalty: is not 0"),
        (lambda r: r.update(status="stopped"), "runs[0].stopped_epoch"),
        (lambda r: r.update(stopped_epoch=9), "runs[0].stopped_epoch"),
        (lambda r: r.update(status="stopped", stopped_epoch=12), "without early stopping"),
        (lambda r: r["history"].update(epoch=list(range(12))), "runs[0].history.epoch"),
        (lambda r: r["history"]["val_accuracy"].__setitem__(3, 1.5), "history.val_accuracy"),
        (lambda r: r["weights"][0].update(zeros=99), "more zeros than weights"),
        (lambda r: r["weights"].pop(), "runs[0].weights"),
        (lambda r: [r["boundary"][n].pop() for n in ("xx0", "xx1")], "runs[0].boundary"),
        (lambda r: r["boundary"].pop("xx0"), "runs[0].boundary"),
        (lambda r: r.update(verdict={"kind": "splendid", "reason": "."}), "runs[0].verdict"),
    ],
)
def test_numbers_of_another_experiment_are_refused(change: Any, named: str, result: Path) -> None:
    document = json.loads(result.read_text())
    change(_run(document))
    with pytest.raises(SpecError) as refusal:
        rendering.source_from_value(document)
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_early_stopping_that_does_not_fit_is_refused() -> None:
    stopping = {"patience": 3}
    e = Experiment.from_dict(
        SMALL
        | {"regularization": {"early_stopping": stopping}, "training": {"epochs": 80, "lr": 0.1}}
    )
    (result,) = fit([e])
    document = json.loads(json.dumps({"runs": [result.to_dict()]}))
    assert _run(document)["status"] == "stopped"
    assert rendering.source_from_value(document).lanes is not None
    _run(document)["experiment"]["regularization"]["early_stopping"]["patience"] = 5
    with pytest.raises(SpecError, match="patience is 5"):
        rendering.source_from_value(document)
    _run(document)["experiment"]["regularization"]["early_stopping"] = None
    with pytest.raises(SpecError, match="without early stopping"):
        rendering.source_from_value(document)


@pytest.mark.parametrize(
    ("data", "model", "regularization"),
    [
        ({"kind": "digits"}, {"kind": "cnn", "hidden": [2, 3]}, {}),
        ({"kind": "digits", "irrelevant_features": 2}, {"hidden": [3]}, {"l2": 0.1}),
        ({"kind": "order", "n_samples": 40}, {"kind": "lstm", "hidden": [3]}, {}),
        ({"kind": "order", "n_samples": 40}, {"kind": "transformer", "hidden": [3, 2]}, {}),
        ({"kind": "linear", "n_samples": 40, "irrelevant_features": 3}, {"hidden": []}, {}),
        ({"n_samples": 40}, {"hidden": [3]}, {"l1": 50.0}),  # all weights 0
        (
            {"kind": "csv", "points": [[i % 7, i % 5 + i / 9, i % 3] for i in range(30)]},
            {"hidden": [3]},
            {},
        ),
    ],
)
def test_what_was_trained_fits_its_experiment(data: Any, model: Any, regularization: Any) -> None:
    spec = {"data": data, "model": model, "regularization": regularization}
    (result,) = fit([Experiment.from_dict(spec | {"training": {"epochs": 2}})])
    document = json.loads(json.dumps({"runs": [result.to_dict()]}))
    assert rendering.source_from_value(document).lanes is not None


def test_a_path_that_cannot_be_read_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nope, out = tmp_path / "nope.json", tmp_path / "a.png"
    said = refused([str(nope), "-o", str(out)], capsys)
    assert said.count("nope.json") == 1
    nope.write_text("{")
    said = refused([str(nope), "-o", str(out)], capsys)
    assert said.count("nope.json") == 1


def test_a_twin_of_a_result_file_is_refused(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert "--twin" in refused([str(result), "-o", str(tmp_path / "a.png"), "--twin"], capsys)


# --- the figure of a sweep ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the result file of a sweep of four values with two seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    spec = folder / "spec.json"
    spec.write_text(json.dumps(SMALL | {"training": {"epochs": 3}}))
    out = folder / "result.json"
    over = "regularization.l2=0,0.01,0.1,1"
    assert main(["sweep", str(spec), "--over", over, "--seeds", "2", "-o", str(out)]) == 0
    return out


def test_a_sweep_file_is_drawn_as_its_curve(swept: Path, tmp_path: Path) -> None:
    out = tmp_path / "curve.svg"
    assert main(["render", str(swept), "--figure", "sweep", "-o", str(out)]) == 0
    text = out.read_text()
    assert "<title>Validation loss over L2 λ</title>" in text
    assert "8 models" in text
    held = json.loads(swept.read_text())["runs"]
    ends = np.array([run["history"]["val_loss"][-1] for run in held]).reshape(4, 2).mean(axis=1)
    assert f"Lowest validation loss {ends.min():.3f}" in text
    again = tmp_path / "again.svg"
    main(["render", str(swept), "--figure", "sweep", "--measure", "val_loss", "-o", str(again)])
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--figure", "sweep", "--figure", "curves"], "sweep cannot be combined"),
        (["--figure", "sweep", "--measure", "luck"], "luck"),
        (["--figure", "sweep", "--twin"], "--twin"),
        (["--figure", "sweep", "--runs", "1,2"], "not all values of one or two fields"),
        (["--figure", "sweep", "-o", "a.gif"], "cannot be animated"),
        (["--measure", "gap"], "--measure"),
    ],
)
def test_what_does_not_go_with_a_sweep_is_one_sentence(
    options: list[str], named: str, swept: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert named in refused([str(swept), "-o", "slide.png", *options], capsys)
    assert list(tmp_path.iterdir()) == []


# --- more than two classes ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def three() -> Runs:
    """Return two finished runs on three classes."""
    corners = ((0, 0), (4, 0), (2, 4))
    table = [[x + i % 3, y + i // 3, k] for k, (x, y) in enumerate(corners) for i in range(9)]
    own = {"kind": "csv", "points": table, "classes": ["ash", "elm", "oak"]}
    training = {"epochs": 60, "lr": 0.05}
    e = Experiment.from_dict(SMALL | {"data": own, "training": training})
    source = Source((e.without_regularization(), e))
    runs, _ = obtain(source, figures=(), formats=("gif",), frames=2)
    assert runs is not None
    return runs


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_a_slide_of_three_classes_has_their_colours_and_names(three: Runs, palette: Any) -> None:
    theme = Slide(figures=("boundary",), theme=palette.name)
    image = picture(slides.render(three, theme, "png")).convert("RGB")
    pixels = np.asarray(image, float).reshape(-1, 3)
    for area in palette.areas[:3]:
        want = np.array([int(area[i : i + 2], 16) for i in (1, 3, 5)])
        assert (np.abs(pixels - want).max(axis=1) < 12).mean() > 0.005, area
    svg = slides.render(three, theme, "svg").decode()
    for name in ("ash", "elm", "oak"):
        assert name in svg
    html = slides.render(three, theme, "html").decode()
    assert html.count("data:image/png;base64,") >= 2
    assert '"ash"' in html
    for name in ("gif", "pptx", "pdf"):
        assert slides.render(three, theme, name)
    assert "most probable class" in words.notes("boundary", three, theme)


def test_the_difference_of_three_classes_is_refused_in_one_sentence(three: Runs) -> None:
    with pytest.raises(SpecError, match="each with two classes and two inputs; choose another"):
        slides.render(three, Slide(figures=("difference",)), "png")


def test_the_plane_is_coloured_by_the_class_at_each_node(three: Runs) -> None:
    class_map = three.last.lanes[0].class_map
    assert class_map is not None
    image = classes.image(class_map, 3, LIGHT)
    nodes = image[::6, ::6]
    assert nodes.shape == (*class_map.shape[1:], 3)
    best, sure = class_map[0] & 15, class_map[1] / 255
    certain = sure > 0.99
    assert certain.any()
    areas = np.array([[int(a[i : i + 2], 16) for i in (1, 3, 5)] for a in LIGHT.areas]) / 255
    np.testing.assert_allclose(nodes[certain], areas[best[certain]], atol=0.02)
    assert len(classes.sides(class_map, 3)) == len(np.unique(best)) - 1


def test_a_run_of_two_classes_stands_beside_one_of_three(three: Runs, twins: Runs) -> None:
    boundary = twins.last.lanes[0].boundary
    assert boundary is not None
    class_map = classes.class_map_of(twins.last.lanes[0])
    assert class_map is not None
    np.testing.assert_array_equal(class_map[0] & 15, boundary > 127)
    np.testing.assert_array_equal(class_map[1], np.maximum(boundary, 255 - boundary))
    assert twins.kinds == 2
    assert three.kinds == 3
