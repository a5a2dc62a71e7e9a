"""From a page to slides: what is shown as a file in one click, and a tray that becomes a deck.

Drawing happens in a process of its own (:mod:`regviz.slides.apart`) and only when somebody asks
for the file. The tray belongs to the session and goes with it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from regviz import specs
from regviz.frames import Frame
from regviz.palette import DARK, LIGHT
from regviz.slides import FIGURES, FORMATS, Runs, Slide, apart, words
from regviz.specs import SpecError
from regviz.ui import layout, live

MOST = 20
"""Slides that a tray holds."""
KEPT_FRAMES = 24
"""Frames of a run that the tray keeps, for its pictures to move."""
NAMES = {
    "png": "PNG, 3840 × 2160",
    "svg": "SVG",
    "pdf": "PDF",
    "gif": "GIF of the training",
    "webp": "WebP of the training",
    "html": "HTML that plays and scrubs",
    "pptx": "PowerPoint",
}
_ARRANGED = {"fit": "as they fit", "one": "one", "two": "two side by side", "grid": "2 × 2"}
_TRAY = "slides.tray"


@dataclass(frozen=True)
class Entry:
    """One slide of the tray; ``number`` tells it from all others of the session."""

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
    """Put one more slide at the end of the tray."""
    number = 1 + st.session_state.get(f"{_TRAY}.last", 0)
    st.session_state[f"{_TRAY}.last"] = number
    put([*tray(), Entry(number, title, runs, slide)])


def button(page: str, title: str, labels: Sequence[str], job: live.LiveJob | None) -> None:
    """Draw *To slides*: choose figures and look, get a file, or add it to the tray.

    Parameters
    ----------
    page
        Its name: of the file and of the controls.
    title
        What a slide is called unless somebody says otherwise.
    labels
        Name of each lane.
    job
        The run that is shown, at the epoch it has come to; at most six lanes.
    """
    box = st.popover(
        "To slides", icon=":material/slideshow:", key=f"{page}.to-slides", on_change="rerun"
    )
    if not box.open:  # closed, it costs the page nothing
        return
    with box, st.container(width=420):
        frame = None if job is None else job.latest()
        if job is None or frame is None or not frame.epoch:
            st.caption("There is nothing to show yet; wait for the first epoch.")
            return
        try:
            _choose(page, title, labels, job.experiments, job.frames)
        except SpecError as error:
            st.error(layout.plain(str(error)), icon=":material/error:")


def _choose(
    page: str,
    title: str,
    labels: Sequence[str],
    experiments: tuple[specs.Experiment, ...],
    frames: Callable[[], list[Frame]],
) -> None:
    def runs(most: int) -> Runs:
        whole = Runs(experiments, tuple(f for f in frames() if f.epoch), tuple(labels))
        return dataclasses.replace(whole, frames=tuple(whole.moments(most)))

    now = runs(2)
    key = f"{page}.slide"
    figures = st.pills(
        "Figures",
        [name for name in FIGURES if now.has(name)],
        selection_mode="multi",
        default=[name for name in ("boundary", "curves") if now.has(name)],
        format_func=FIGURES.__getitem__,
        key=f"{key}.figures",
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
        own = experiments[-1].data.points is not None
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
        link=_address(experiments[-1]) if code and not own else None,
    )
    format = st.selectbox("Format", list(NAMES), format_func=NAMES.__getitem__, key=f"{key}.format")
    save, more = st.columns(2)
    with save:
        st.download_button(
            "Download",
            lambda: apart.render(runs(slide.frames), slide, format),
            file_name=f"{words.run_name(page, experiments)}.{format}",
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
            on_click=lambda: add(title, runs(KEPT_FRAMES), slide),
            disabled=full,
            help=f"A deck has at most {MOST} slides." if full else None,
            width="stretch",
            key=f"{key}.add",
        )
    count = len(tray())
    if count:
        st.caption(f"{count} slide{'s' if count > 1 else ''} in the deck: Tools, Slides.")


def _address(experiment: specs.Experiment) -> str:
    here = re.match(r"https?://[^/?#]+", st.context.url or "")
    start = here[0] if here else "http://localhost:8501"
    return f"{start}/?e={specs.to_link(experiment)}"


__all__ = ["MOST", "Entry", "add", "button", "put", "tray"]
