"""Parts of a page that run by themselves, with what Streamlit needs for that to be safe."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from regviz.ui import errors, turns

_SETTLED = "layout.settled"  # when the page was drawn to its end
DELIVERED = 0.5
"""Seconds after which a browser has what the server has drawn: it is sent every 10 ms, but a run
that begins before drops what is left, and where many are at work the sending is late."""


def fragment(
    *, run_every: float | None = None, key: str | None = None
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Like :func:`streamlit.fragment`, for a part of a page that other things stand below.

    Where a run of the fragment begins before the browser has got all of the page's run before it,
    Streamlit's server drops what that one said of the fragment, though not that it has ended. The
    browser then takes the fragment off the page, everything below moves up a place, and the
    fragment's own run is drawn over what is now in its place. So it gets a place within another
    that nothing else is in.

    Where a button elsewhere is pressed in the moment in which something in the fragment asks for
    something, the browser sends both as a run of the fragment alone: the button's callback is
    called, and the page is then run anew, as it would have been. (Only what a script does with
    ``if st.button(...)`` is lost: give buttons callbacks.)

    One within another that is drawn anew may change its ``run_every``, or end it with None.

    With a ``key`` a widget's callback can have it run instead of the page (:func:`run_alone`).

    Errors in it are told in a sentence (:func:`regviz.ui.errors.told`).
    """

    def placed(body: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(body)  # Streamlit knows a fragment by its name and place
        def run() -> None:
            if _pressed_elsewhere():
                st.rerun()
            if run_every is None:
                _stop_timer()
            elif _by_itself():
                turns.look()
            body()

        part = st.fragment(run_every=run_every, key=key)(errors.reported()(run))

        def draw() -> None:
            with st.container():
                part()

        return draw

    return placed


def part() -> str:
    """Return the name by which the fragment that is being drawn can be run anew."""
    return ThreadState.get().fragment_id or ""


def rerun(name: str) -> None:
    """Have a fragment (see :func:`part`) run anew after this one; the page, where it is being run.

    Streamlit's own ``st.rerun`` can do that from a callback only, as it would end this run.
    """
    context = get_script_run_ctx()
    if context is None or context.script_requests is None or not context.fragment_ids_this_run:
        st.rerun()
    context.script_requests.request_rerun(
        RerunData(
            query_string=context.query_string,
            page_script_hash=context.page_script_hash,
            fragment_id_queue=[name],
            cached_message_hashes=context.cached_message_hashes,
            context_info=context.context_info,
        )
    )


def may_run_alone(key: str) -> bool:
    """Whether the fragment with this key can run instead of the page for what was just done;
    asked in the callback of a widget.

    Not where the page was not drawn to its end, or only now: what the browser has not got yet of
    it would be lost. Not where anything else is new than that one widget. And not where a look at
    a run brings the news: it may come from a browser that has not drawn yet what was loaded.
    """
    drawn, context = st.session_state.get(_SETTLED), get_script_run_ctx()
    if drawn is None or time.monotonic() - drawn < DELIVERED:
        return False
    if context is None or context.fragment_ids_this_run:
        return False
    try:
        context.fragment_storage.resolve_target(key)
    except StreamlitAPIException:
        return False
    state = context.session_state._state
    return sum(state._widget_changed(widget) for widget in state._new_widget_state) == 1


def run_alone(key: str) -> NoReturn:
    """Have only the fragment with this key run, not the page; in a callback, which ends here."""
    st.rerun(key)


def unsettle() -> None:
    """Take note that a page is being drawn; its first call, where it calls :func:`settle`."""
    st.session_state[_SETTLED] = None


def settle() -> None:
    """Take note that a page has been drawn to its end (see :func:`may_run_alone`)."""
    st.session_state[_SETTLED] = time.monotonic()


def _stop_timer() -> None:
    """Have the browser no longer run this fragment by itself."""
    context, fragment = get_script_run_ctx(), ThreadState.get().fragment_id
    if context is not None and context.fragment_ids_this_run and fragment is not None:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment)
        context.enqueue(message)


def _by_itself() -> bool:
    """Whether this fragment alone is run, as its timer has it (and what it shows may ask)."""
    context = get_script_run_ctx()
    asked = None if context is None else context.fragment_ids_this_run
    return asked is not None and ThreadState.get().fragment_id in asked


def _pressed_elsewhere() -> bool:
    """Whether this run of a fragment alone brings with it a press outside of the fragment."""
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run:
        return False
    news = context.session_state._state._new_widget_state
    return any(
        bool(news.get(widget))
        for widget, about in news.widget_metadata.items()
        if about.value_type in ("trigger_value", "json_trigger_value")
        and about.fragment_id not in context.fragment_ids_this_run
    )
