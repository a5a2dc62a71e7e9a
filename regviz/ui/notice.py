"""A page's notice about the link that opened it: one sentence until the user dismisses it."""

from __future__ import annotations

import streamlit as st

from regviz.ui import layout


def say(page: str, text: str) -> None:
    """Set a page's notice, until it is dismissed or replaced."""
    st.session_state[_key(page)] = text[:1].upper() + text[1:] if text[:4] == "the " else text


def clear(page: str) -> None:
    """Remove a page's notice; also the callback of *Dismiss*."""
    st.session_state.pop(_key(page), None)


def is_there(page: str) -> bool:
    """Whether a page has a notice."""
    return _key(page) in st.session_state


def draw(page: str) -> None:
    """Draw a page's notice, if any, with the button that dismisses it."""
    text = st.session_state.get(_key(page))
    if text is None:
        return
    with st.container(key="link-notice", horizontal=True, vertical_alignment="center", gap="small"):
        st.error(layout.plain(text), icon=":material/link_off:")
        st.button(
            "Dismiss",
            key=f"{page}.dismiss",
            icon=":material/close:",
            on_click=clear,
            args=(page,),
        )


def _key(page: str) -> str:
    return f"{page}.link-notice"
