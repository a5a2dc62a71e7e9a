"""The web server as one command: Streamlit with the trainers started before the first visitor.

``streamlit run app.py`` serves the same pages; there the trainers start with the first visitor,
who waits for them.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from regviz.specs import SpecError

APP = Path(__file__).resolve().parents[2] / "app.py"


def serve(*, port: int | None = None, address: str | None = None) -> None:
    """Serve the app until SIGINT or SIGTERM; the trainers end with it.

    Parameters
    ----------
    port, address
        Where to listen; ``None`` leaves it to Streamlit's settings (``STREAMLIT_SERVER_PORT``,
        ``.streamlit/config.toml``).

    Raises
    ------
    SpecError
        If the pages are not here: they are not part of the installed package.
    """
    if not APP.is_file():
        raise SpecError(f"{APP}: not found; start the app from a checkout of the project.")
    import streamlit as st

    # Streamlit takes the launched script's folder for import path, static files and settings,
    # and -m made that regviz/, whose module names must not stand in front of everybody's
    sys.argv[:] = [str(APP)]
    config = {"server.port": port, "server.address": address}
    app = st.App(APP, lifespan=_trainers)
    app.run(config={name: value for name, value in config.items() if value is not None})


@asynccontextmanager
async def _trainers(_: object) -> AsyncIterator[None]:
    """Keep the shared engine's trainer processes for as long as the server runs."""
    from regviz.engine import shared_engine

    engine = shared_engine()
    try:
        yield
    finally:
        engine.close()
