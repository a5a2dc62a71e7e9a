"""Numbers of messages, by which the browser knows one that comes twice or late."""

from __future__ import annotations

import secrets

import streamlit as st

from regviz.frames.messages import stamp


def stamped(data: bytes, name: str) -> bytes:
    """Return a feed's message with its number.

    What is the same as before keeps its number: Streamlit then need not send all of it again.
    """
    sent = st.session_state.setdefault(
        "regviz-sent", {"session": secrets.token_hex(8), "number": 0, "last": {}}
    )
    content = hash(data)
    before, number = sent["last"].get(name, (None, 0))
    if before != content:
        number = sent["number"] = sent["number"] + 1
        sent["last"][name] = content, number
    return stamp(data, name, sent["session"], number)
