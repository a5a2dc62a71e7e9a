"""For who presents: a projector's view (large letters, controls folded away) and keys.

Space plays and pauses, R restarts, the arrow keys move the scrubber, P switches the projector's
view, C shows the controls in it; a control that has the keyboard keeps its own keys.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import streamlit as st

_ON = "projector.on"
HELP = (
    "Projector view (P): larger letters, controls folded away (C shows them). Space plays and "
    "pauses, R restarts, the arrow keys move the scrubber."
)


@functools.cache
def _keys() -> Any:
    script = resources.files("regviz.ui").joinpath("present.js").read_text(encoding="utf-8")
    return st.components.v2.component(
        "regviz_keys", html="<div hidden></div>", js=script, isolate_styles=False
    )


def _switch() -> None:
    st.session_state[_ON] = not st.session_state.get(_ON, False)


def presenting() -> None:
    """Draw the switch of the projector's view and have the page listen to the keys; called once
    in each run, by the entry point."""
    on = bool(st.session_state.get(_ON, False))
    st.button(
        "Projector",
        key="projector",
        icon=":material/close_fullscreen:" if on else ":material/cast_for_education:",
        help=HELP,
        on_click=_switch,
        type="primary" if on else "tertiary",
    )
    with st.container(key="keys"):
        _keys()(key="regviz-keys", data=b"on" if on else b"off", height="content")
