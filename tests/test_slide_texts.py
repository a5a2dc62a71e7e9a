"""Slides with any text: titles, labels, names of columns and classes, in any script."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from PIL import Image
from pptx import Presentation

from regviz import slides
from regviz.cli import main
from regviz.figures.palette import LIGHT
from regviz.render import Source, obtain
from regviz.slides import Chart, Runs, Slide, deck, fonts, paper, stills, words
from regviz.slides.stills.layout import texts_on
from regviz.specs import Experiment, SpecError
from regviz.specs.text import clean, escaped, shortened, told_apart

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(__file__).parent / "cases"


def own(kinds: int, columns: tuple[str, str], classes: tuple[str, ...]) -> Experiment:
    """Return an experiment on own data with unchecked names, in case a reader accepts more."""
    rng = np.random.default_rng(kinds)
    points = [[*xy, i % kinds] for i, xy in enumerate(rng.normal(size=(60, 2)).tolist())]
    e = Experiment.from_dict(
        {
            "data": {"kind": "csv", "points": points},
            "model": {"hidden": [4]},
            "regularization": {"dropout": 0.2},
            "training": {"epochs": 4},
        }
    )
    object.__setattr__(e.data, "columns", columns)
    object.__setattr__(e.data, "classes", classes)
    return e


def named(
    runs: Runs, columns: tuple[str, str], classes: tuple[str, ...], labels: tuple[str, ...] = ()
) -> Runs:
    """Return runs on own data as if the table had these names."""
    es = tuple(own(runs.experiments[0].data.n_classes, columns, classes) for _ in runs.experiments)
    plain, other = es
    es = (plain.without_regularization(), other)
    object.__setattr__(es[0].data, "columns", columns)
    object.__setattr__(es[0].data, "classes", classes)
    return dataclasses.replace(runs, experiments=es, labels=labels)


@pytest.fixture(scope="module")
def tables() -> dict[int, Runs]:
    """Return twins on tables of two, three and ten classes, at two moments."""
    out = {}
    for kinds in (2, 3, 10):
        e = own(kinds, ("a", "b"), tuple(f"k{i}" for i in range(kinds)))
        source = Source((e.without_regularization(), e))
        runs, _ = obtain(source, figures=(), formats=("gif",), frames=2)
        assert runs is not None
        out[kinds] = runs
    return out


# --- the rule ----------------------------------------------------------------------------------

HOSTILE = (
    "PowerPoint\x0bbreak", "\x00\x01\x7f\x85", "\ud83d half \udc00", "\u202eabc\u202c",
    "\ufffe\uffff",
    "a\r\nb\u2028c", "]]> <b>&amp; $x_1^{2}$ 50% {curly} ${title}", "__init__", "_", "👍🏽👨‍👩‍👧",
    "e" + "\u0301" * 200, "العربية 身長 рост", "x" * 400, " ", "</script><!--<script>", "%{x} %{y}",
    '"\'`\\', "=1+1", "\ue000", "\U0010ffff",
)  # fmt: skip
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


@given(st.text())
@example("\x1e\r")
@example("a\n")
def test_clean_text_is_what_xml_can_hold_and_stays_as_it_is(text: str) -> None:
    for lines in (False, True):
        shown = clean(text, lines=lines)
        root = ET.fromstring(f"<a>{escaped(shown)}</a>")
        assert (root.text or "") == shown
        assert clean(shown, lines=lines) == shown
        shown.encode()
    assert not re.search(r"\s\s|[\n\r\t]", clean(text))


def test_what_can_be_read_is_kept() -> None:
    assert clean("Weight\x0bdecay") == "Weight decay"
    assert clean(" a\r\n\tb\u2028c\u00a0d ") == "a b c d"
    assert clean("\u202eevil\u202c\u200f \ud83d!") == "evil !"
    assert clean("<b> & ]]> $x_1$ 50% {y}") == "<b> & ]]> $x_1$ 50% {y}"
    assert clean("نمی\u200cخواهم") == "نمی\u200cخواهم"  # its joiner shapes Persian
    assert clean("e\u0301") == "é"
    assert clean("a\r\nb\x0bc  d", lines=True) == "a\nb\nc  d"


def test_names_stay_different_when_they_are_shortened() -> None:
    long = "a very long name that ends in "
    short = told_apart([f"{long}1", f"{long}2", "cat", "cat", "\u200b"], 16)
    assert len(set(short)) == 5
    assert all(0 < len(name) <= 16 for name in short)
    assert told_apart(["ねこ", "собака"], 16) == ("ねこ", "собака")
    assert shortened("नमस्ते नमस्ते", 6).endswith("…")
    assert shortened("x" * 5 + "e\u0323\u0302" * 5, 9)[-2] != "\u0323"  # no mark loses its letter


# --- every format opens ------------------------------------------------------------------------


class _Parsed(HTMLParser):
    """Collects a page's headings, scripts and open elements."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.at = ""
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.at = tag
        self.texts.setdefault(tag, []).append("")
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.at:
            self.texts[self.at][-1] += data


def opened(content: bytes, format: str) -> str:
    """Open a file as its readers do; return its texts, if any."""
    if format == "svg":
        root = ET.fromstring(content)
        return " ".join(root.itertext())
    if format == "pdf":
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")
        at = int(re.findall(rb"startxref\s+(\d+)", content)[-1])
        assert content[at:].startswith(b"xref")
        return ""
    if format == "html":
        parser = _Parsed()
        parser.feed(content.decode())
        parser.close()
        (data,) = (text for text in parser.texts["script"] if text.startswith('{"epochs"'))
        json.loads(data)
        assert len(parser.texts["script"]) == 3  # none was begun or ended by a name
        assert len(parser.texts["h1"]) == 1
        return " ".join(itertools.chain(*parser.texts.values()))
    if format == "pptx":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith((".xml", ".rels")):
                    ET.fromstring(archive.read(name))
        shown = Presentation(io.BytesIO(content))
        texts = [shown.core_properties.title]
        for page in shown.slides:
            texts += [s.text_frame.text for s in page.shapes if s.has_text_frame]
            texts.append(page.notes_slide.notes_text_frame.text)
        return " ".join(texts)
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
    return ""


@pytest.mark.parametrize("format", list(slides.FORMATS))
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(texts=HOSTILE[:8])
@example(texts=HOSTILE[8:16])
@example(texts=HOSTILE[12:])
@given(texts=st.lists(TEXT, min_size=8, max_size=8).map(tuple))
def test_any_text_in_every_format_opens(
    texts: tuple[str, ...], format: str, tables: dict[int, Runs]
) -> None:
    title, first, second, x, y, *classes = texts
    kinds = 2 if len(title) % 2 else 3
    runs = named(tables[kinds], (x, y), tuple(classes[:kinds]), (first, second))
    figures = ("boundary",) if format in ("gif", "webp", "pptx") else ("boundary", "numbers")
    slide = Slide(figures=figures, title=title, frames=2, scale=0.5)
    content = slides.render(runs, slide, format)
    shown = opened(content, format)
    if format in ("svg", "html", "pptx"):
        assert clean(title)[:20].split(" ")[0] in shown
    name = words.stem(words.slide_title(runs, slide, figures), *figures)
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,99}", name)


@pytest.mark.parametrize("format", ["png", "svg", "pdf", "html", "pptx"])
def test_any_text_in_a_chart_of_the_page(format: str) -> None:
    bad = " ".join(HOSTILE)
    figure = {
        "data": [
            {"type": "bar", "x": list(HOSTILE), "y": list(range(len(HOSTILE))), "name": bad},
            {"type": "scatter", "x": [HOSTILE[0]], "y": [1], "name": "_other", "mode": "markers"},
        ],
        "layout": {"title": {"text": bad}, "xaxis": {"title": {"text": bad}}, "yaxis": {}},
    }
    chart = Chart("any", bad, json.dumps(figure), bad, bad, bad)
    opened(
        slides.render(Runs((), (), charts=(chart,)), Slide(figures=("any",), scale=0.5), format),
        format,
    )


def test_a_title_made_of_two_unlike_runs_fits_every_format(tmp_path: Path) -> None:
    # reported elsewhere: a title of over 255 characters is refused by the properties of a deck
    spec = json.loads((CASES / "two-unlike-runs.json").read_text())
    for one in spec["experiments"]:
        one["training"]["epochs"] = 3
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    files = [tmp_path / f"slide.{format}" for format in slides.FORMATS]
    arguments = list(itertools.chain(*(("-o", str(file)) for file in files)))
    command = ["render", str(tmp_path / "spec.json"), *arguments, "--frames", "2", "--scale", ".5"]
    assert main(command) == 0
    for file in files:
        opened(file.read_bytes(), file.suffix[1:])


def test_a_long_title_is_cut_on_a_slide_and_whole_beside_it(tables: dict[int, Runs]) -> None:
    long = " ".join(f"word{i}" for i in range(200))
    slide = Slide(figures=("curves",), title=long, scale=0.5)
    svg = slides.render(tables[2], slide, "svg").decode()
    assert f"<title>{long}</title>" in svg
    (made,) = deck.deck_slides(tables[2], slide)
    shown = Presentation(io.BytesIO(deck.build([made])))
    title = shown.slides[0].shapes.title.text_frame.text
    assert title.startswith("Loss curves: word0 word1")
    assert title.endswith("…")
    assert len(shown.core_properties.title) == 255


# --- names of the user's own -------------------------------------------------------------------

COLUMNS = ("Körpergröße (cm)", "Gewicht")
ANIMALS = ("Hund", "_Katze", "a very long name of a class of animals")


@pytest.mark.parametrize("kinds", [2, 3])
def test_names_of_columns_and_classes_stand_where_they_were_numbered(
    kinds: int, tables: dict[int, Runs]
) -> None:
    runs = named(tables[kinds], COLUMNS, ANIMALS[-kinds:])
    slide = Slide(figures=("boundary",))
    with paper.drawing(paper.style_of(runs, slide)):
        page = stills.draw(runs, slide, slide.figures)
        texts = [text.get_text() for text, _ in texts_on(page.figure)]
    said = "\n".join(texts)
    assert "Körpergröße (cm)" in said
    assert "Gewicht" in said
    assert "_Katze" in said  # matplotlib leaves out what begins so
    assert "a very long name of a c…" in texts  # as long as a legend holds
    assert not re.search(r"class [01]|x[₀₁]", said)
    assert f"P({ANIMALS[-1][:20]}" in said or kinds > 2
    alt, below = words.describe("boundary", runs), words.caption(runs.experiments)
    assert ANIMALS[-1] in alt  # whole
    assert "Körpergröße (cm) and Gewicht; classes" in alt
    assert "classes" in below
    assert "noise" not in below
    shown = slides.render(runs, dataclasses.replace(slide, frames=2), "html").decode()
    data = json.loads(re.findall(r'type="application/json" id="data">(.*?)</script>', shown)[0])
    figure = json.dumps(data["figures"][0]["figure"], ensure_ascii=False)
    assert "Körpergröße (cm) (standardized)" in figure
    assert ANIMALS[-1] in figure  # where the pointer is
    assert not re.search(r"class [01]|x[₀₁]", figure)
    if kinds == 2:
        notes = words.notes("boundary", runs, slide)
        assert "P(a very long name of a c…)" in notes


def test_data_of_two_tables_are_numbered_and_generated_ones_too(tables: dict[int, Runs]) -> None:
    runs = named(tables[2], COLUMNS, ANIMALS[:2])
    object.__setattr__(runs.experiments[0].data, "classes", ("x", "y"))
    object.__setattr__(runs.experiments[0].data, "columns", ("x", "y"))
    assert runs.class_names == ("class 0", "class 1")
    assert runs.column_names is None


def test_two_classes_of_one_name_keep_an_entry_each(tables: dict[int, Runs]) -> None:
    runs = named(tables[3], COLUMNS, ("same", "same", "validation (open)"))
    slide = Slide(figures=("boundary",))
    with paper.drawing(paper.style_of(runs, slide)):
        page = stills.draw(runs, slide, slide.figures)
    (legend,) = page.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "same (1)", "same (2)", "validation (open)", "training (full)", "validation (open)",
    ]  # fmt: skip


# --- fonts -------------------------------------------------------------------------------------


@pytest.fixture
def only_dejavu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Allow only the fonts that come with matplotlib."""
    bundled = [e for e in font_manager.fontManager.ttflist if e.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bundled)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    fonts._found.cache_clear()
    yield
    fonts._found.cache_clear()


@pytest.mark.usefixtures("only_dejavu")
def test_letters_that_no_font_has_are_named_with_their_package() -> None:
    assert fonts.remark("Größe рост الطول גובה Ժ ₀ ½") == ""
    said = fonts.remark("Größe 身長 नम")
    assert "長 (U+9577)" in said
    assert "न (U+0928)" in said
    assert "fonts-noto-cjk" in said
    assert "fonts-noto-core" in said
    assert "Gr" not in said.split(":")[0].replace("No installed font has", "")
    assert fonts.families("Größe 身長") == ("DejaVu Sans",)
    many = fonts.remark("".join(chr(0x4E00 + i) for i in range(50)))
    assert "and 42 more" in many
    assert len(many) < 400


@pytest.mark.usefixtures("only_dejavu")
@pytest.mark.parametrize("format", ["png", "svg", "pdf", "gif", "pptx"])
def test_what_has_no_glyph_is_drawn_without_a_warning(format: str, tables: dict[int, Runs]) -> None:
    runs = named(tables[2], ("身長", "体重"), ("ねこ", "いぬ"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        content = slides.render(
            runs, Slide(figures=("boundary",), frames=2, scale=0.5, title="身長"), format
        )
    assert not caught
    opened(content, format)


def test_fonts_that_are_needed_follow_and_no_others() -> None:
    assert fonts.families("abc рост الطول") == ("DejaVu Sans",)
    for letters in ("身長かな", "नमस्ते", "ส่วนสูง", "한국어"):
        chosen, lacking = fonts.families(letters), fonts.missing(letters)
        assert len(chosen) <= 3
        assert chosen[0] == "DejaVu Sans"
        assert bool(lacking) != (len(chosen) > 1)  # with and without such fonts


def test_the_command_line_says_it_and_nothing_else(tmp_path: Path) -> None:
    e = own(2, ("a", "b"), ("c", "d"))
    document = e.to_dict()
    document["data"] |= {"columns": ["\U0002a6d5", "b"], "classes": ["c", "d"]}
    spec, out = tmp_path / "spec.json", tmp_path / "slide.svg"
    spec.write_text(json.dumps(document))
    done = subprocess.run(
        [sys.executable, "-m", "regviz", "render", str(spec), "-o", str(out), "--figure=boundary"],
        cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    lines = done.stderr.splitlines()
    lacking = fonts.missing("\U0002a6d5")
    assert len(lines) == 1 + bool(lacking)
    if lacking:
        assert "U+2A6D5" in lines[0]
        assert "fonts-" in lines[0]


def test_arabic_is_joined_and_runs_from_right_to_left() -> None:
    # U+0644 U+0627 become one ligature, and joined letters are narrower than single ones
    with paper.drawing(paper.Style(LIGHT, 18)):
        joined = paper.text_width("الطول", 40)
        apart = paper.text_width("\u200c".join("الطول"), 40)
    assert joined < 0.9 * apart


# --- letters that fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "figures", "layout", "size", "link"),
    [
        (2, ("boundary", "curves"), "grid", 30, None),
        (10, ("boundary",), None, 28, "https://example.org/?e=abc"),
        (10, ("boundary", "curves", "histogram", "numbers"), None, 32, None),
        (3, ("boundary", "numbers"), None, 10, None),
        (2, ("difference", "accuracy"), None, 32, None),
    ],
)
def test_letters_shrink_until_nothing_overlaps(
    kinds: int,
    figures: tuple[str, ...],
    layout: str | None,
    size: float,
    link: str | None,
    tables: dict[int, Runs],
) -> None:
    classes = tuple(f"Klasse mit langem Namen {k}" for k in range(kinds))
    runs = named(tables[kinds], COLUMNS, classes)
    slide = Slide(figures=figures, layout=layout, font_size=size, link=link, theme="dark")
    with paper.drawing(paper.style_of(runs, slide)):
        page = stills.draw(runs, slide, figures)
        page.canvas.draw()
        placed = texts_on(page.figure)
        boxes = [(t.get_text(), float(t.get_fontsize()), b) for t, b in placed]
        width, height = page.figure.bbox.width, page.figure.bbox.height
        axes = [ax for ax in page.figure.axes if ax.axison]
        for ax in axes:
            assert min(ax.get_window_extent().size) > 8
    assert len(boxes) > 8
    for text, points, box in boxes:
        assert points >= 5
        assert box.x0 > -4, text
        assert box.y0 > -4, text
        assert box.x1 < width + 4, text
        assert box.y1 < height + 4, text
    for (text, _, a), (other, _, b) in itertools.combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide < 4 or high < 4 + 0.3 * min(a.height, b.height), (text, other)


def test_what_never_fits_is_refused_in_one_sentence(tables: dict[int, Runs]) -> None:
    with (
        pytest.raises(SpecError, match=r"^figures: .* do not fit on one page; choose fewer"),
        paper.drawing(paper.Style(LIGHT, 18)),
    ):
        stills.draw(tables[10], Slide(font_size=32), ("boundary",) * 4, height=1.2)
