"""For a presenter: a projector's view (large letters, controls folded away) and keys.

Space plays and pauses, R restarts, the arrow keys move the scrubber, P switches the projector's
view, C shows the controls in it; a focused control keeps its keys.
"""

from __future__ import annotations

import functools
import json
import uuid
from importlib import resources
from typing import Any

import streamlit as st

from regviz.figures.scripts import joined
from regviz.ui.live.shared import TOUCH

_ON = "projector.on"
_MOVES = "projector.moves"  # (identifier of the session, how often the view was switched)
HELP = (
    "Projector view (P): larger letters, controls folded away (C shows them). Space plays and "
    "pauses, R restarts, the arrow keys move the scrubber."
)


@functools.cache
def _keys() -> Any:
    script = joined(resources.files("regviz.ui"), ("touch.js", "present.js"), TOUCH)
    return st.components.v2.component(
        "regviz_keys", html="<div hidden></div>", js=script, isolate_styles=False
    )


def _switch(on: bool) -> None:
    session, moves = st.session_state[_MOVES]
    st.session_state[_ON], st.session_state[_MOVES] = on, (session, moves + 1)


def presenting() -> None:
    """Draw the switch of the projector view and install the shortcuts; the entry point calls this
    once per run."""
    on = bool(st.session_state.get(_ON, False))
    with st.container(key="projector"):
        st.button(
            "Projector",
            # One button for each state: a busy browser may send one press twice, and the second
            # must not switch back.
            key="projector-off" if on else "projector-on",
            icon=":material/close_fullscreen:" if on else ":material/cast_for_education:",
            help=HELP,
            on_click=_switch,
            args=(not on,),
            type="primary" if on else "tertiary",
        )
    session, moves = st.session_state.setdefault(_MOVES, (uuid.uuid4().hex, 0))
    state = {"on": on, "session": session, "moves": moves}
    with st.container(key="keys"):
        _keys()(key="regviz-keys", data=json.dumps(state).encode(), height="content")
