"""The deck: slides added on other pages, in order."""

from __future__ import annotations

import dataclasses

import streamlit as st

from regviz.slides import FORMATS, process
from regviz.specs import SpecError
from regviz.ui import layout, slides
from regviz.ui.slides import Entry

PREVIEWS = "slides.previews"


def _preview(entry: Entry) -> tuple[bytes, str]:
    """Return a small image of a slide, drawn once per session, and a warning or ""."""
    drawn: dict[tuple[int, str], tuple[bytes, str]] = st.session_state.setdefault(PREVIEWS, {})
    key = entry.number, entry.title
    if key not in drawn:
        small = dataclasses.replace(entry.slide, scale=0.5, title=entry.title)
        drawn[key] = process.drawn(entry.runs, small, "png")
    return drawn[key]


# by number, not by position: the user may press again before the page is drawn


def _move(number: int, by: int) -> None:
    entries = list(slides.tray())
    for place, entry in enumerate(entries):
        if entry.number == number:
            entries.insert(max(0, place + by), entries.pop(place))
            slides.put(entries)
            return


def _remove(number: int) -> None:
    slides.put([entry for entry in slides.tray() if entry.number != number])


def _rename(number: int, key: str) -> None:
    title = st.session_state[key].strip()
    slides.put(
        [dataclasses.replace(e, title=title) if e.number == number else e for e in slides.tray()]
    )


def _deck() -> bytes:
    parts = [(e.runs, dataclasses.replace(e.slide, title=e.title)) for e in entries]
    return process.render_deck(parts)


layout.within_app()
entries = slides.tray()
with st.container(
    key="top", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
):
    st.title("Slides of this session", anchor=False, width="content")
    st.download_button(
        "Download the deck",
        _deck,
        file_name="regviz.pptx",
        mime=FORMATS["pptx"],
        icon=":material/download:",
        on_click="ignore",
        type="primary",
        disabled=not entries,
    )
if not entries:
    st.info(
        "The deck is empty. On any page with a run, open **Export to slides** and press **Add to "
        "the deck**. The slide then appears here. Slides can be reordered, renamed and downloaded "
        "as one PowerPoint file with alt texts and speaker notes.",
        icon=":material/slideshow:",
    )
    st.page_link("pages/playground.py", label="Open the Playground", icon=":material/tune:")
columns = st.columns(2, gap="medium")
places = []
for i, entry in enumerate(entries):
    with columns[i % 2], st.container(border=True, key=f"slide-{i}"):
        name = f"slides.title.{entry.number}"
        st.text_input(
            f"Title of slide {i + 1}",
            entry.title,
            max_chars=120,
            key=name,
            on_change=_rename,
            args=(entry.number, name),
        )
        places.append(st.container(key=f"slide-picture-{i}"))
        with st.container(horizontal=True, gap="small"):
            number, last = entry.number, i == len(entries) - 1
            for label, icon, act, arguments, off in (
                ("Earlier", ":material/arrow_back:", _move, (number, -1), i == 0),
                ("Later", ":material/arrow_forward:", _move, (number, 1), last),
                ("Remove", ":material/delete:", _remove, (number,), False),
            ):
                st.button(
                    label,
                    icon=icon,
                    key=f"slides.{label.lower()}.{entry.number}",
                    on_click=act,
                    args=arguments,
                    disabled=off,
                )

for place, entry in zip(places, entries, strict=True):  # last: each takes a second or two
    with place, st.spinner("Drawing"):
        try:
            picture, warning = _preview(entry)
            st.image(picture, width="stretch")
            if warning:
                st.warning(layout.plain(warning), icon=":material/font_download_off:")
        except SpecError as error:
            st.error(layout.plain(str(error)), icon=":material/error:")
