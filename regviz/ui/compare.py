"""The session's comparison: every page can add to it, and the Compare page shows it.

It is kept in the session's state, across pages. The first configuration that the user adds replaces
the default comparison.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import streamlit as st

from regviz.results import comparison
from regviz.results.comparison import Comparison
from regviz.specs import DataSpec, Experiment, SpecError
from regviz.ui import layout

_KEPT = "compare.comparison"


def current() -> Comparison:
    """Return the session's comparison."""
    kept: Comparison = st.session_state.get(_KEPT, comparison.START)
    return kept


def put(changed: Comparison) -> None:
    """Make ``changed`` the session's comparison."""
    st.session_state[_KEPT] = changed


def is_untouched() -> bool:
    """Whether the comparison is still the default one."""
    return current() == comparison.START


def change(make: Callable[[], Comparison]) -> str:
    """Store the comparison that ``make`` returns; return its error sentence, or ""."""
    try:
        put(make())
    except SpecError as error:
        return str(error)
    return ""


def add(experiment: Experiment) -> str:
    """Add a configuration and return one sentence: added, or the reason why not.

    The first one replaces the default comparison, with its twin without regularization.
    """
    if is_untouched():
        pair = dict.fromkeys((experiment.without_regularization(), experiment))
        put(Comparison.of(tuple(pair), seeds=comparison.START.seeds))
    else:
        refused = change(lambda: current().add(experiment))
        if refused:
            return refused
    now = current()
    return (
        f"Added to the comparison: “{now.names[-1]}”, {len(now.entries)} of {comparison.MOST}. "
        "The page Compare trains it."
    )


def button(
    experiment: Experiment | Callable[[], Experiment], *, key: str = "add-to-comparison"
) -> None:
    """Draw the button that adds an experiment; a callable is called when the button is pressed."""

    def added() -> None:
        shown = experiment() if callable(experiment) else experiment
        st.toast(layout.plain(add(shown)), icon=":material/compare:")

    st.button(
        "Add to comparison",
        key=key,
        icon=":material/compare:",
        help="Add to comparison: put this configuration beside up to five others on the page "
        "Compare",
        on_click=added,
    )


def has_own_data() -> bool:
    """Whether a configuration uses own data, which have no link and no test set."""
    return any(e.data.points is not None for e in current().experiments)


# --- the locked test set ----------------------------------------------------------------------


def _revealed() -> dict[frozenset[str], frozenset[DataSpec]]:
    seen: dict[frozenset[str], frozenset[DataSpec]] = st.session_state.setdefault(
        "compare.revealed", {}
    )
    return seen


def is_revealed(shown: Comparison) -> bool:
    """Whether the test set was revealed for these configurations, with any seeds."""
    return shown.key in _revealed()


def reveal(shown: Comparison) -> None:
    """Reveal the test set for these configurations, for the rest of the session."""
    _revealed()[shown.key] = frozenset(e.data for e in shown.experiments)


def looks_before(shown: Comparison) -> int:
    """Return how many other comparisons revealed a test set of these data before."""
    data = {e.data for e in shown.experiments}
    earlier = itertools.takewhile(lambda seen: seen[0] != shown.key, _revealed().items())
    return sum(bool(data & of) for _, of in earlier)
