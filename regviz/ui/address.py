"""The address of a page that says what it shows: opened on arrival and on the way back in the
browser's history, and written when something else is shown.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

MOST = 200
"""Links of its own that a page remembers."""
_OPEN = "address.open"


def at(page: str) -> None:
    """Take note of the page that is run; whoever comes back to another one arrives there anew."""
    if st.session_state.get(_OPEN) != page:
        st.session_state.pop(_OPEN, None)


def arriving(page: str) -> bool:
    """Whether this is the first run since another page was shown; until :func:`asked`."""
    return bool(st.session_state.get(_OPEN) != page)


def asked(page: str, name: str) -> str | None:
    """Return what the address asks for in its field ``name``, once; None where that is shown.

    A browser sends the address with each click, and where clicks follow each other quickly, that
    of a moment ago. So a link that the page itself has written counts only on arrival and where
    someone goes through the history.
    """
    link = st.query_params.get(name)
    context = get_script_run_ctx()
    meant = context is not None and context.is_history_navigation
    arrived = arriving(page)
    st.session_state[_OPEN] = page
    written = _written(page)
    if link is None or link == next(reversed(written), None):
        return None
    if link in written and not (arrived or meant):
        return None
    _note(written, link)
    return link


def write(page: str, name: str, link: str) -> None:
    """Have the address say what is shown."""
    _note(_written(page), link)
    if st.query_params.get(name) != link:
        st.query_params[name] = link


def _written(page: str) -> dict[str, None]:
    links: dict[str, None] = st.session_state.setdefault(f"{page}.links", {})
    return links


def _note(links: dict[str, None], link: str) -> None:
    """Put a link last; the oldest of too many is forgotten."""
    links.pop(link, None)
    links[link] = None
    if len(links) > MOST:
        del links[next(iter(links))]
