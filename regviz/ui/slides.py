"""Export a page to slides: download its figures as one file, or collect slides for a deck.

Slides are drawn in a separate process (:mod:`regviz.slides.process`), only when the user requests
the file. The collected slides (the tray) belong to the session and end with it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from regviz import specs
from regviz.figures.palette import DARK, LIGHT
from regviz.slides import FIGURES, FORMATS, Runs, Slide, process, words
from regviz.specs import SpecError
from regviz.ui import charts, layout, live

MOST = 20
"""Slides per tray."""
KEPT_FRAMES = 24
"""Frames of a run that the tray keeps for animations."""
NAMES = {
    "png": "PNG, 3840 × 2160",
    "svg": "SVG",
    "pdf": "PDF",
    "gif": "GIF of the training",
    "webp": "WebP of the training",
    "html": "HTML that plays and scrubs",
    "pptx": "PowerPoint",
}
_ARRANGED = {"fit": "automatic", "one": "one", "two": "two side by side", "grid": "2 × 2"}
_TRAY = "slides.tray"


@dataclass(frozen=True)
class Entry:
    """One slide of the tray; ``number`` is unique in the session."""

    number: int
    title: str
    runs: Runs
    slide: Slide


def tray() -> tuple[Entry, ...]:
    """Return the session's slides, in order."""
    held: tuple[Entry, ...] = st.session_state.get(_TRAY, ())
    return held


def put(entries: Sequence[Entry]) -> None:
    """Replace the session's slides."""
    st.session_state[_TRAY] = tuple(entries)


def add(title: str, runs: Runs, slide: Slide) -> None:
    """Append a slide to the tray."""
    number = 1 + st.session_state.get(f"{_TRAY}.last", 0)
    st.session_state[f"{_TRAY}.last"] = number
    put([*tray(), Entry(number, title, runs, slide)])


def button(
    page: str,
    title: str,
    labels: Sequence[str],
    job: live.LiveJob | None,
    first: Sequence[str] = ("boundary", "curves"),
) -> bool:
    """Draw *Export to slides*: choose figures and style, download a file, or add it to the tray.

    The figures are those of the run, and the charts that the page has drawn so far. Return whether
    the popover is open.

    Parameters
    ----------
    page
        The page's name, for the file and the controls.
    title
        The slide's title.
    labels
        Name of each lane.
    job
        The run that is shown, at its current epoch; at most six lanes. None: charts only.
    first
        The figures that are selected by default.
    """
    box = st.popover(
        "Export to slides",
        icon=":material/slideshow:",
        key=f"{page}.to-slides",
        on_change="rerun",
        help="Export to slides: download these figures, or add them to the deck",
    )
    if not box.open:  # a closed popover costs the page nothing
        return False
    with box, st.container(width=420):
        frame = None if job is None else job.latest()
        trained = job if frame is not None and frame.epoch else None
        if trained is None and not charts.offered(page):
            st.caption("There is nothing to export yet; wait for the first epoch.")
            return True
        try:
            _choose(page, title, labels, trained, first)
        except SpecError as error:
            st.error(layout.plain(str(error)), icon=":material/error:")
    return True


def _choose(
    page: str,
    title: str,
    labels: Sequence[str],
    job: live.LiveJob | None,
    first: Sequence[str],
) -> None:
    experiments = () if job is None else job.experiments
    offered = charts.offered(page)

    def runs(most: int) -> Runs | None:
        if job is None:
            return None
        whole = Runs(experiments, tuple(f for f in job.frames() if f.epoch), tuple(labels))
        return dataclasses.replace(whole, frames=tuple(whole.moments(most)))

    now = runs(2)
    known = {} if now is None else {n: text for n, text in FIGURES.items() if now.has(n)}
    known |= {name: chart.title for name, chart in offered.items()}
    key = f"{page}.slide"
    figures = st.pills(
        "Figures",
        list(known),
        selection_mode="multi",
        default=[name for name in first if name in known] or list(known)[:1],
        format_func=known.__getitem__,
        key=f"{key}.figures.{hash(tuple(known))}",  # other options need another widget
    )
    arranged = st.segmented_control(
        "Layout",
        list(_ARRANGED),
        default="fit",
        required=True,
        format_func=_ARRANGED.__getitem__,
        key=f"{key}.layout",
    )
    left, right = st.columns(2)
    with left:
        theme = st.segmented_control(
            "Colours",
            [LIGHT.name, DARK.name],
            default=DARK.name if st.context.theme.type == "dark" else LIGHT.name,
            required=True,
            key=f"{key}.theme",
        )
        caption = st.toggle("Settings and seed below", value=True, key=f"{key}.caption")
    with right:
        size = st.slider("Font size", 12, 28, 18, key=f"{key}.size")
        own = bool(experiments) and experiments[-1].data.points is not None
        code = st.toggle(
            "Link as QR code",
            key=f"{key}.code",
            disabled=own,
            help="Own data does not travel in a link." if own else None,
        )
    slide = Slide(
        figures=tuple(figures),
        layout=None if arranged == "fit" else arranged,
        theme=theme,
        font_size=size,
        title=title,
        caption=caption,
        link=_address(experiments) if code and not own else None,
    )
    still = all(name in offered for name in figures)  # charts only: nothing to animate
    if still:
        slide = dataclasses.replace(slide, title=None if len(figures) == 1 else title)
    formats = [name for name in NAMES if not (still and name in ("gif", "webp"))]
    format = st.selectbox(
        "Format",
        formats,
        format_func=NAMES.__getitem__,
        key=f"{key}.format.{still}",
        help="These figures have no animation." if still else None,
    )

    def chosen(most: int) -> Runs:
        made = tuple(offered[name].make(slide.palette) for name in figures if name in offered)
        run = None if still else runs(most)
        return Runs((), (), charts=made) if run is None else dataclasses.replace(run, charts=made)

    if still:
        stem = words.stem(page, *(known[name] for name in figures), offered[figures[0]].caption)
    else:
        stem = words.run_name(page, experiments)
    save, more = st.columns(2)
    with save:
        st.download_button(
            "Download",
            lambda: process.render(chosen(slide.frames), slide, format),
            file_name=f"{stem}.{format}",
            mime=FORMATS[format],
            icon=":material/download:",
            on_click="ignore",
            type="primary",
            width="stretch",
            key=f"{key}.save",
        )
    with more:
        full = len(tray()) >= MOST
        st.button(
            "Add to the deck",
            icon=":material/add:",
            on_click=lambda: add(slide.title or known[figures[0]], chosen(KEPT_FRAMES), slide),
            disabled=full,
            help=f"A deck has at most {MOST} slides." if full else None,
            width="stretch",
            key=f"{key}.add",
        )
    count = len(tray())
    if count:
        st.caption(
            f"{count} slide{'s' if count > 1 else ''} in the deck; open it with Tools, Slides."
        )


def _address(experiments: Sequence[specs.Experiment]) -> str:
    """Return the link that opens the last model in the Playground; without a model, the page's."""
    here = re.match(r"https?://[^/?#]+", st.context.url or "")
    start = here[0] if here else "http://localhost:8501"
    if experiments:
        return f"{start}/?e={specs.to_link(experiments[-1])}"
    return st.context.url or start


__all__ = ["MOST", "Entry", "add", "button", "put", "tray"]
