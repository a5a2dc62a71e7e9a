"""What tests of pages without a browser share."""

from __future__ import annotations

import time

from streamlit.testing.v1 import AppTest

from regviz.engine.engine import Job, LabJob
from regviz.ui.run import Session
from tests.browsing import PATIENCE


def await_jobs(at: AppTest, seconds: float = PATIENCE) -> None:
    """Wait until no run or lab of the page's session is queued or running.

    A page that is drawn again and again meanwhile takes a tenth of a second to a second of a
    core each time, which its trainer then lacks.
    """
    jobs: list[Job | LabJob] = []
    for value in at.session_state._state.filtered_state.values():
        if isinstance(value, Session):
            jobs += [
                page_run.job for page_run in value.page_runs.values() if page_run.job is not None
            ]
        elif isinstance(value, tuple) and value and isinstance(value[-1], LabJob):
            jobs.append(value[-1])
    until = time.monotonic() + seconds
    for job in jobs:
        while True:
            version = job.version  # before the state: a change in between ends the wait at once
            left = until - time.monotonic()
            if job.state not in ("queued", "running") or left <= 0:
                break
            job.wait(left, after=version)
