"""The address of a page, which holds what the page shows.

A page reads it when the user opens the page or goes through the browser's history, and writes it
when it shows something else.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

MOST = 200
"""Links that a page remembers having written."""
_OPEN = "address.open"


def at(page: str) -> None:
    """Note which page runs, so that a return to another page counts as an arrival there."""
    if st.session_state.get(_OPEN) != page:
        st.session_state.pop(_OPEN, None)


def arriving(page: str) -> bool:
    """Whether this is the page's first run since another page was shown; until :func:`asked`."""
    return bool(st.session_state.get(_OPEN) != page)


def asked(page: str, name: str) -> str | None:
    """Return the link in the address's field ``name``, once; None if the page shows it already.

    A browser sends the address with each click, and with quick clicks an outdated one. So a link
    that the page has written itself counts only on arrival and on navigation through the history.
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
    """Write a link into the address's field ``name``."""
    _note(_written(page), link)
    if st.query_params.get(name) != link:
        st.query_params[name] = link


def _written(page: str) -> dict[str, None]:
    links: dict[str, None] = st.session_state.setdefault(f"{page}.links", {})
    return links


def _note(links: dict[str, None], link: str) -> None:
    """Put a link last; drop the oldest beyond :data:`MOST`."""
    links.pop(link, None)
    links[link] = None
    if len(links) > MOST:
        del links[next(iter(links))]
