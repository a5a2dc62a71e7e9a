"""A still as the bytes of a PNG, SVG or PDF."""

from __future__ import annotations

import io
import re
import xml.sax.saxutils
from collections.abc import Sequence

from matplotlib.backends.backend_pdf import PdfPages

from regviz.slides import words
from regviz.slides.paper import DPI, PIXELS, drawing, png, style_of
from regviz.slides.runs import Runs
from regviz.slides.slide import Slide
from regviz.slides.stills.layout import draw
from regviz.specs import SpecError


def still(runs: Runs, slide: Slide, format: str) -> bytes:
    """Return the slide as ``png``, ``svg`` or ``pdf``.

    Raises
    ------
    SpecError
        If there are more figures than the layout holds, except in a PDF, which has pages.
    """
    pages = slide.pages("grid") if format == "pdf" else slide.pages()
    if len(pages) > 1 and format != "pdf":
        raise SpecError(
            f"layout: {slide.layout or 'grid'} holds {len(pages[0])} and there are "
            f"{len(slide.figures)} figures; give a larger layout, fewer figures, or pdf or pptx."
        )
    out = io.BytesIO()
    with drawing(style_of(runs, slide)):
        if format == "pdf":
            # without dates, and the producer's version
            nothing = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None}
            info = {**nothing, "Title": words.slide_title(runs, slide, slide.figures, named=True)}
            with PdfPages(out, metadata=info) as pdf:
                for figures in pages:
                    pdf.savefig(draw(runs, slide, figures).figure, dpi=DPI)
            return out.getvalue()
        figure = draw(runs, slide, pages[0]).figure
        if format == "png":
            return png(figure, slide.scale)
        figure.savefig(out, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    return _named(out.getvalue().decode(), runs, slide, pages[0]).encode()


def _named(svg: str, runs: Runs, slide: Slide, figures: Sequence[str]) -> str:
    """Give an SVG its size in pixels, and a title and description for screen readers."""
    escape = xml.sax.saxutils.escape
    said = " ".join(words.describe(name, runs) for name in figures)
    start = svg.index("<svg ")
    end = svg.index(">", start)
    tag = re.sub(r' (width|height)="[^"]*"', "", svg[start:end])
    tag += f' width="{PIXELS[0]}" height="{PIXELS[1]}" role="img"'
    title = words.slide_title(runs, slide, figures, named=True)
    head = f"<title>{escape(title)}</title><desc>{escape(said)}</desc>"
    return f"{svg[:start]}{tag}>\n{head}{svg[end + 1 :]}"
