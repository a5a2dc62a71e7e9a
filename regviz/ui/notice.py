"""What a page says of the link it was opened by: a sentence that stays until it is dismissed."""

from __future__ import annotations

import streamlit as st

from regviz.ui import layout


def say(page: str, text: str) -> None:
    """Have a page say ``text`` from now on, until it is dismissed or says something else."""
    st.session_state[_key(page)] = text[:1].upper() + text[1:] if text[:4] == "the " else text


def clear(page: str) -> None:
    """Have a page say nothing more; the callback of its button, and of what opens another thing."""
    st.session_state.pop(_key(page), None)


def is_there(page: str) -> bool:
    """Whether a page says something."""
    return _key(page) in st.session_state


def draw(page: str) -> None:
    """Draw what a page says, with the button that dismisses it; nothing where it says nothing."""
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
