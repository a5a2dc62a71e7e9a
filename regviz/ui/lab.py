"""Shared by the pages of labs: request a lab, follow it while it runs, draw its frames.

A page calls :func:`begin`, draws its controls, and passes their values to :func:`follow` with a
function that draws a frame. The lab runs in a trainer; the page does not wait for its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import streamlit as st

from regviz import labs
from regviz.engine.engine import IN_PROGRESS, LabJob
from regviz.frames.lab import LabFrame
from regviz.specs import SpecError
from regviz.ui import charts, fragments, layout, run, slides

TICK = 0.4
"""Seconds between two updates of a running lab."""


def begin(page: str, question: str) -> None:
    """Draw the title of a lab's page."""
    layout.within_app()
    charts.begin(page)
    with st.container(
        key="top", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.title(question, anchor=False, width="content")
        slides.button(page, question, (), None)
    st.html('<div style="height:0.5rem"></div>')


def seed(page: str) -> int:
    """Draw the control for the lab's seed."""
    return int(
        st.number_input(
            "Seed", 0, 2**31 - 1, 0, key=f"{page}.seed", persist_state="session",
            help="The same seed gives the same numbers.",
        )
    )  # fmt: skip


def label(word: str, text: str, *, good: bool) -> str:
    """Return the HTML of a labelled statement, green if ``good``, else red."""
    tone = "rv-good-fit" if good else "rv-diverged"
    return (
        f'<p class="rv-verdict {tone}"><span class="rv-kind">{escape(word)}</span> '
        f"{escape(text)}</p>"
    )


def follow(
    page: str, name: str, parameters: Mapping[str, Any], draw: Callable[[LabFrame], None]
) -> None:
    """Request a lab and call ``draw`` with its newest frame until it ends.

    Only changed ``parameters`` start a new lab; a page keeps its latest one.
    """
    try:
        job = asked(run.current(page), page, name, parameters)
    except SpecError as error:
        st.error(layout.plain(str(error)), icon=":material/error:")
        return
    if job.latest() is None:
        job.wait(run.FIRST_FRAME, after=job.version)
    moving = job.state in IN_PROGRESS

    @fragments.fragment(run_every=run.pace(TICK) if moving else None)
    def tick() -> None:
        state, frame = job.state, job.latest()
        if frame is None:
            st.html(layout.note(job.reason or "Waiting for the first numbers."))
        else:
            st.html(layout.status(f"step {frame.step}/{frame.steps}", state))
            draw(frame)
        if state == "failed":
            retry(page, job)
        if moving and state not in IN_PROGRESS:
            st.rerun()

    tick()


def asked(page_run: run.PageRun, slot: str, name: str, parameters: Mapping[str, Any]) -> LabJob:
    """Return the slot's job if it computes this lab, else a new one.

    A failed job stays until the user retries: otherwise each run of the page would start a lab that
    always fails.
    """
    key = labs.canonical_json(name, parameters)
    kept: tuple[str, LabJob] | None = st.session_state.get(f"{slot}.lab")
    if kept is not None and kept[0] == key:
        job = kept[1]
        if job.owner == page_run.owner and job.state != "cancelled":
            return job
    job = page_run.engine.submit_lab(name, parameters, page_run.owner, slot=slot)
    st.session_state[f"{slot}.lab"] = key, job
    return job


def retry(slot: str, job: LabJob) -> None:
    """Show why a lab failed, with a button to compute it again."""
    st.error(layout.plain(job.reason), icon=":material/error:")
    st.button(
        "Retry", key=f"{slot}.retry", icon=":material/replay:", on_click=_forget, args=(slot,)
    )


def _forget(slot: str) -> None:
    st.session_state.pop(f"{slot}.lab", None)
