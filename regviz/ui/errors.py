"""Errors in a page's code: the page shows one sentence with a reference, the server's log holds the
traceback under that reference."""

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
    """Report an exception in the block, or in the decorated function, in one sentence.

    A fragment may find the page's containers incomplete because a new click interrupted the page's
    run. That is no error: the page is run again.
    """
    try:
        yield
    except FragmentHandledException:
        raise  # Streamlit has reported it already
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
