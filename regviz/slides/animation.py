"""Slides that move: the training, frame by frame, as an animated GIF or WebP.

The page is drawn once; for each frame only the changing parts are drawn again, over the same
background. A GIF has one palette for all its pictures, so that colours do not flicker.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from regviz.frames import Frame
from regviz.slides import paper, stills
from regviz.slides.runs import Runs
from regviz.slides.slide import Slide
from regviz.specs import SpecError

PIXELS = (960, 540)
HOLD = 2.0
"""Seconds for which the last picture is shown."""
_COLORS = 192


def animation(runs: Runs, slide: Slide, format: str) -> bytes:
    """Return the training as ``gif`` or ``webp`` in an endless loop.

    Raises
    ------
    SpecError
        If there are more figures than the layout holds, or nothing moves.
    """
    if runs.shown_alone(slide.figures):
        raise SpecError(
            "animation: these figures do not change during training; choose png, svg, pdf, html or "
            "pptx instead."
        )
    frames = runs.moments(slide.frames)
    if len(frames) < 2:
        raise SpecError("animation: got one frame; give at least two.")
    pages = slide.pages()
    if len(pages) > 1:
        raise SpecError(
            f"layout: holds {len(pages[0])} and there are {len(slide.figures)} figures; give a "
            "larger layout or fewer figures."
        )
    pictures = [Image.fromarray(p) for p in _pictures(runs, slide, pages[0], frames)]
    step = max(20, round(1000 * slide.seconds / len(pictures) / 10) * 10)
    durations = [step] * (len(pictures) - 1) + [step + int(1000 * HOLD)]
    p, out = slide.palette, io.BytesIO()
    if format == "gif":
        pictures = _one_palette(pictures, (p.background, p.text, *p.lanes))
        settings: dict[str, object] = {"optimize": False, "disposal": 1}
    else:
        settings = {"quality": 80, "method": 3, "minimize_size": False}
    pictures[0].save(
        out,
        format,
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        **settings,
    )
    return out.getvalue()


def _pictures(
    runs: Runs, slide: Slide, figures: tuple[str, ...], frames: list[Frame]
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Yield each frame's picture, uint8 (height, width, 3)."""
    style = paper.style_of(runs, slide)
    with paper.drawing(style):
        width = len(str(runs.last.epoch))
        beside = paper.text_width("m" * (width + 7), slide.font_size)
        page = stills.draw(runs, slide, figures, pixels=PIXELS, beside=beside)
        canvas = page.canvas
        clock = page.figure.text(
            1 - 0.35 / paper.WIDTH, 1 - 0.3 / paper.HEIGHT, "", ha="right", va="top",
            fontsize=slide.font_size, family="DejaVu Sans Mono", color=style.palette.muted,
        )  # fmt: skip
        moving = [*page.update(runs.last), clock]
        for artist in moving:
            artist.set_animated(True)
        canvas.draw()
        background = canvas.copy_from_bbox(page.figure.bbox)
        for frame in frames:
            canvas.restore_region(background)
            clock.set_text(f"epoch {frame.epoch:>{width}}")
            changed = [*page.update(frame), clock]
            for artist in changed:
                artist.set_animated(True)
            for artist in sorted(changed, key=lambda a: a.get_zorder()):
                if artist.axes is None:
                    page.figure.draw_artist(artist)
                else:
                    artist.axes.draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _one_palette(pictures: list[Image.Image], exactly: tuple[str, ...]) -> list[Image.Image]:
    """Reduce pictures to one palette, made from a sample of them; colours ``exactly`` are kept."""
    some = [*pictures[:: max(1, len(pictures) // 4)][:4], pictures[-1]]
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(some)))
    for i, picture in enumerate(some):
        sheet.paste(picture, (0, i * height))
    palette = sheet.quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    # the theme's colours stay exact, most of all the background; Pillow looks colours up with six
    # bits, so no other colour may be near them
    kept = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in exactly])
    found = np.array((palette.getpalette() or [])[: 3 * _COLORS]).reshape(-1, 3)
    near = np.abs(found[:, None] - kept[None]).max(axis=2).min(axis=1) < 8
    palette.putpalette(np.concatenate([kept, found[~near]]).ravel().tolist())
    return [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
