"""How a chart or a feed becomes a component of Streamlit."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from regviz.figures.palette import DARK, LIGHT
from regviz.figures.scripts import joined
from regviz.ui import turns
from regviz.ui.live.plotly_js import ensure_plotly_js_once
from regviz.ui.live.shared import SHARED

Said = tuple[str, Callable[[dict[str, Any]], None]]
"""What a chart may send, and the function called with it."""

FigurePair = tuple[str, str] | tuple[go.Figure, go.Figure]
"""A figure in the light theme and in the dark one, each as Plotly's JSON or as a figure."""

SCRIPTS = (
    "page.js",
    "decode.js",
    "theme.js",
    "info.js",
    "words.js",
    "sketch.js",
    "channel.js",
    "inbox.js",
    "overhear.js",
    "save.js",
    "chart.js",
    "curves.js",
    "tiles.js",
    "drawing.js",
    "boundary.js",
    "histogram.js",
    "figure.js",
    "scrubber.js",
    "readout.js",
    "main.js",
)
"""The browser's half, in the order in which it is joined: each file imports from earlier ones."""


def both(pair: FigurePair) -> tuple[str, str]:
    """Return a pair of figures as JSON."""
    light, dark = (f if isinstance(f, str) else str(f.to_json()) for f in pair)
    return light, dark


# Streamlit sends a component's JavaScript along with each of its messages. The feed gets ten a
# second, so its script is a few lines that hand the bytes over; the drawing code travels with the
# charts only.
@functools.cache
def feed_component() -> Any:
    """Return the component that hands a feed's messages to the charts."""
    return st.components.v2.component(
        "regviz_feed",
        html='<div class="rv-feed" hidden></div>',
        js=joined(resources.files("regviz.ui.live"), ("feed.js",)),
        isolate_styles=False,
    )


def script() -> str:
    """Return the browser's half as one script."""
    return joined(resources.files("regviz.ui.live"), SCRIPTS, SHARED)


@functools.cache
def _plot_component() -> Any:
    return st.components.v2.component(
        "regviz_live",
        html='<div class="rv-root"></div>',
        css=resources.files("regviz.ui.live").joinpath("live.css").read_text(encoding="utf-8"),
        js=script(),
        isolate_styles=False,
    )


def mount(
    kind: str,
    channel: str,
    key: str,
    data: dict[str, Any],
    figure: str = "null",
    says: Said | None = None,
) -> None:
    """Mount a view. Its data goes as bytes of JSON: for a dict, Streamlit would import pandas to
    look for data frames in it, which costs the web process 50 MB."""
    rest = json.dumps({"kind": kind, "channel": channel, **data})
    name = f"regviz-{channel}-{key}"
    listens: dict[str, Any] = {}
    if says is not None:
        what, call = says

        def receive() -> None:
            value = getattr(st.session_state[name], what)
            if isinstance(value, dict):
                call(value)

        listens[f"on_{what}_change"] = receive
    _plot_component()(
        key=name,
        data=f'{{"figure":{figure},"palette":{_palettes()},{rest[1:]}'.encode(),
        # the browser sets the height: that of the boundary follows from width and aspect
        height="content",
        **listens,
    )


def plot(
    kind: str,
    channel: str,
    key: str,
    figure: str,
    *,
    height: int,
    options: dict[str, Any],
    filename: str,
    says: Said | None = None,
) -> None:
    """Mount a chart of Plotly in a container with that key; ``figure`` is its skeleton as JSON."""
    ensure_plotly_js_once()
    turns.give_way()
    with st.container(key=key):
        mount(
            kind,
            channel,
            key,
            {"options": options, "filename": filename, "height": height},
            figure,
            says,
        )


@functools.lru_cache(maxsize=64)
def skeletons(chart: Callable[..., go.Figure], labels: tuple[str, ...], **options: Any) -> str:
    """Return the empty figure in both themes as JSON: a switch of theme needs no server."""
    figures_of = {p.name: chart(labels, palette=p, **options).to_json() for p in (LIGHT, DARK)}
    return "{" + ",".join(f'"{name}":{text}' for name, text in figures_of.items()) + "}"


@functools.cache
def _palettes() -> str:
    """Return the colours of both themes as JSON."""
    return json.dumps({p.name: p.to_dict() for p in (LIGHT, DARK)})
