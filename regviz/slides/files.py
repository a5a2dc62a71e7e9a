"""A slide as the bytes of a file. What draws it is imported when something is drawn."""

from __future__ import annotations

from regviz.slides.runs import Runs
from regviz.slides.slide import FORMATS, Slide, check_figures, choose
from regviz.specs import SpecError

_WHY_NOT = {
    "boundary": "a decision boundary needs two inputs",
    "difference": "it needs two runs, each with two classes and two inputs",
    "histogram": "these runs do not hold their weights",
}


def render(runs: Runs, slide: Slide, format: str) -> bytes:
    """Return the slide as the bytes of a file in one of :data:`regviz.slides.slide.FORMATS`.

    Raises
    ------
    SpecError
        If the format does not exist or cannot show these runs or figures: one sentence.
    """
    choose("format", format, FORMATS)
    check_figures(slide.figures, [chart.name for chart in runs.charts])
    for name in slide.figures:
        if not runs.has(name):
            reason = _WHY_NOT[name] if runs.frames else "the slide has charts only, no runs"
            raise SpecError(f"figure: {name} cannot be drawn, because {reason}; choose another.")
    try:
        return _draw(runs, slide, format)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"format: {format} needs {error.name}, which is not installed; install the "
            "packages in requirements.txt."
        ) from None


def unseen(runs: Runs, slide: Slide) -> str:
    """Return a sentence on the letters of a slide that no installed font has; ``""`` if none.

    It does not apply to an HTML page, which the reader's browser draws with its fonts.
    """
    from regviz.slides import fonts

    return fonts.remark(fonts.used(runs, slide))


def _draw(runs: Runs, slide: Slide, format: str) -> bytes:
    if format == "pptx":
        from regviz.slides import deck

        return deck.build(deck.deck_slides(runs, slide))
    if format == "html":
        from regviz.slides import page

        return page.html(runs, slide)
    if format in ("gif", "webp"):
        from regviz.slides import animation

        return animation.animation(runs, slide, format)
    from regviz.slides import stills

    return stills.still(runs, slide, format)
