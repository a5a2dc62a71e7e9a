"""Streamlit's sign-in, if the deployment configures it: no page is shown before.

Without ``[auth]`` in ``.streamlit/secrets.toml`` there is no sign-in. The app neither stores nor
shows names; it only checks that the user has signed in.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st


def required() -> None:
    """Stop the script unless the user has signed in or no sign-in is configured."""
    if not _is_set_up() or st.user.get("is_logged_in"):
        return
    st.title("regviz")
    st.button("Sign in", on_click=st.login, type="primary")
    st.stop()


@st.cache_resource(show_spinner=False)
def _is_set_up() -> bool:
    # an unreadable file raises: it must not turn the sign-in off
    return any(Path(name).exists() for name in st.get_option("secrets.files")) and (
        "auth" in st.secrets
    )
