"""Streamlit's own sign-in, where a school has set it up: before that no page is shown.

Without ``[auth]`` in ``.streamlit/secrets.toml`` nobody is asked. The app keeps and shows no name:
all it wants to know is whether somebody has signed in.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st


def required() -> None:
    """End the script here for a visitor who has to sign in and has not."""
    if not _is_set_up() or st.user.get("is_logged_in"):
        return
    st.title("regviz")
    st.button("Sign in", on_click=st.login, type="primary")
    st.stop()


@st.cache_resource(show_spinner=False)
def _is_set_up() -> bool:
    # a file that cannot be read raises: it must not let everybody in
    return any(Path(name).exists() for name in st.get_option("secrets.files")) and (
        "auth" in st.secrets
    )
