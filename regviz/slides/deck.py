"""Slides as a PowerPoint deck: 16:9, one figure a slide, with alt text and speaker notes.

:func:`deck_slides` draws the slides of some runs. They are small, so a session can collect them;
:func:`build` makes one deck of them.
"""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE
from pptx.util import Emu, Inches, Pt

from regviz.slides import fonts, paper, qr, stills, words
from regviz.slides.runs import Runs
from regviz.slides.slide import THEMES, Slide
from regviz.specs import SpecError
from regviz.specs.text import clean, shortened

_SCALE = 0.75
"""Factor on the slide's scale for the pictures in a deck; the default is sharp at 2560 pixels."""
_SIDE, _TOP, _FOOT, _CODE = 0.35, 0.95, 0.75, 1.0  # inches
_THEN = datetime.datetime(2000, 1, 1)
MOST_SLIDES = 100
_MOST_TITLE = 255
"""Characters that the properties of a document hold in one field."""


@dataclass(frozen=True)
class DeckSlide:
    """One slide of a deck: picture and texts.

    ``picture`` is a PNG and ``alt`` its alternative text. ``notes`` tell the speaker what to say
    and how to reproduce the picture. ``caption`` stands below it, ``link`` as a QR code beside.
    """

    title: str
    picture: bytes
    alt: str
    caption: str
    notes: str
    link: str | None = None
    theme: str = "light"
    font_size: float = 18.0

    def __post_init__(self) -> None:
        for name in ("title", "alt", "caption"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        object.__setattr__(self, "notes", clean(self.notes, lines=True))


def deck_slides(runs: Runs, slide: Slide) -> list[DeckSlide]:
    """Draw the figures, one on each slide, or as many as the slide's layout holds."""
    out = []
    height = paper.HEIGHT - _TOP - _FOOT
    for figures in slide.pages("one"):
        with paper.drawing(paper.style_of(runs, slide)):
            pixels = (paper.PIXELS[0], round(paper.PIXELS[1] * height / paper.HEIGHT))
            page = stills.draw(runs, slide, figures, pixels=pixels, bare=True, height=height)
            picture = paper.png(page.figure, _SCALE * slide.scale)
        said = words.slide_title(runs, slide, figures)
        named = runs.title_of(figures[0]) if len(figures) == 1 else ""
        parts = dict.fromkeys(part for part in (named, said) if part)  # a chart is its own title
        out.append(
            DeckSlide(
                title=": ".join(parts),
                picture=picture,
                alt=" ".join(words.describe(name, runs) for name in figures),
                caption=words.below(runs, figures) if slide.caption else "",
                notes="\n\n".join(words.notes(name, runs, slide) for name in figures),
                link=slide.link,
                theme=slide.theme,
                font_size=slide.font_size,
            )
        )
    return out


def build(slides: Sequence[DeckSlide]) -> bytes:
    """Return a deck of these slides; equal slides give equal bytes.

    Raises
    ------
    SpecError
        If there are none, or too many.
    """
    if not 1 <= len(slides) <= MOST_SLIDES:
        raise SpecError(f"deck: got {len(slides)} slides; give 1 to {MOST_SLIDES}.")
    deck: Any = Presentation()
    deck.slide_width, deck.slide_height = Inches(paper.WIDTH), Inches(paper.HEIGHT)
    core = deck.core_properties
    core.title = shortened(slides[0].title, _MOST_TITLE)
    core.author, core.last_modified_by = "regviz", "regviz"
    core.created = core.modified = _THEN
    for slide in slides:
        _add(deck, slide)
    out = io.BytesIO()
    deck.save(out)
    return _timeless(out.getvalue())


def _add(deck: Any, slide: DeckSlide) -> None:
    palette = THEMES[slide.theme]
    page = deck.slides.add_slide(deck.slide_layouts[5])
    page.background.fill.solid()
    page.background.fill.fore_color.rgb = _color(palette.background)
    width = Inches(paper.WIDTH - 2 * _SIDE)
    title = page.shapes.title
    title.left, title.top, title.width, title.height = (
        Inches(_SIDE), Inches(0.12), width, Inches(_TOP - 0.15),
    )  # fmt: skip
    families = fonts.families(slide.title + slide.caption)
    with paper.drawing(paper.Style(palette, slide.font_size, families)):
        big, named = _title(slide)
        small, told = _caption(slide)
    _write(title.text_frame, named, big, palette.text, bold=True)
    title.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    with Image.open(io.BytesIO(slide.picture)) as picture:
        across, up = picture.size
    height = min(paper.HEIGHT - _TOP - _FOOT, paper.WIDTH * up / across)
    broad = Inches(height * across / up)
    shape = page.shapes.add_picture(
        io.BytesIO(slide.picture),
        Emu((deck.slide_width - broad) // 2),
        Inches(_TOP),
        width=broad,
    )
    _describe(shape, "Figure", slide.alt)
    code = _CODE if slide.link else 0.0
    if slide.caption:
        box = page.shapes.add_textbox(
            Inches(_SIDE), Inches(paper.HEIGHT - _FOOT), Inches(paper.WIDTH - 2 * _SIDE - code),
            Inches(_FOOT - 0.08),
        )  # fmt: skip
        box.text_frame.word_wrap = True
        _write(box.text_frame, told, small, palette.muted)
        box.text_frame.vertical_anchor = MSO_ANCHOR.BOTTOM
        box.name = "Caption"
    if slide.link:
        code_picture = page.shapes.add_picture(
            io.BytesIO(_qr(slide.link)),
            Inches(paper.WIDTH - code - 0.06),
            Inches(paper.HEIGHT - code - 0.06),
            width=Inches(code),
        )
        _describe(code_picture, "Link", f"QR code of {slide.link}")
        code_picture.click_action.hyperlink.address = slide.link
    page.notes_slide.notes_text_frame.text = slide.notes


def _title(slide: DeckSlide) -> tuple[float, str]:
    """Return the size in points at which a title has one line, or 14 points and two lines."""
    width, size = paper.WIDTH - 2 * _SIDE - 0.5, 1.45 * slide.font_size
    while size > 14 and len(paper.wrap(shortened(slide.title, 300), size, width, bold=True)) > 1:
        size = max(14, size - 1)
    return size, paper.fit(slide.title, size, width, 2, bold=True).replace("\n", " ")


def _caption(slide: DeckSlide) -> tuple[float, str]:
    """Return a caption cut to the place below the picture, after its size in points."""
    code = _CODE if slide.link else 0.0
    width, size = paper.WIDTH - 2 * _SIDE - code - 0.4, max(10.0, 0.62 * slide.font_size)
    while True:
        lines = int(72 * (_FOOT - 0.18) / (1.2 * round(size)))
        told = paper.fit(slide.caption, size, width, lines).replace("\n", " ")
        if size <= 10 or not told.endswith("…"):
            return size, told
        size = max(10.0, size - 1)


def _write(frame: Any, text: str, size: float, color: str, *, bold: bool = False) -> None:
    frame.text = text
    frame.auto_size = MSO_AUTO_SIZE.NONE
    for paragraph in frame.paragraphs:
        for run in paragraph.runs:
            run.font.size, run.font.bold = Pt(round(size)), bold
            run.font.color.rgb = _color(color)


def _describe(shape: Any, name: str, alt: str) -> None:
    """Set the alternative text, which would otherwise be a file name."""
    properties = shape._element._nvXxPr.cNvPr
    properties.set("name", name)
    properties.set("descr", alt)


def _color(color: str) -> RGBColor:
    return RGBColor.from_string(color[1:].upper())


def _qr(link: str) -> bytes:
    matrix = qr.matrix(link)
    picture = Image.fromarray(255 * (1 - matrix)).resize(
        (8 * matrix.shape[1], 8 * matrix.shape[0]), Image.Resampling.NEAREST
    )
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _timeless(deck: bytes) -> bytes:
    """Return the archive with one fixed date, so that equal decks are equal files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(deck)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            entry = zipfile.ZipInfo(info.filename, (2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(info.filename))
    return out.getvalue()
