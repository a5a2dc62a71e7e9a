"""What goes wrong in a page itself: one sentence with a number there, the traceback under that
number in the server's log, and never the other way round."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import FragmentHandledException, StreamlitInvalidLayoutContextError

_log = logging.getLogger(__name__)


@contextmanager
def reported() -> Iterator[None]:
    """Tell of an error in the block, or the decorated function, in one sentence.

    A fragment that finds the page's containers half made, because a next click cut the page's run
    short, is no error: the page is run anew.
    """
    try:
        yield
    except FragmentHandledException:
        raise  # Streamlit has reported of it already
    except StreamlitInvalidLayoutContextError:
        st.rerun()
    except Exception:
        reference = secrets.token_hex(4)
        _log.exception("A page failed, reference %s.", reference)
        st.error(
            f"Something went wrong on this page (reference {reference} in the server's log). "
            "Reload it; if that does not help, remove everything after the question mark from "
            "its address.",
            icon=":material/error:",
        )
