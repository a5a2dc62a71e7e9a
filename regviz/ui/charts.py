"""Figures of finished runs and labs on a page: shown, saved under a descriptive name, and offered
to *Export to slides*.

A page passes a function of the palette, so that the figure can be drawn for a slide of the other
theme, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from regviz import labs
from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.slides import Chart, words
from regviz.specs import Experiment, experiments_to_json
from regviz.ui import live

_SHOWN = "charts.shown"
_NAME = "chart"
_EMPTY = json.dumps(
    {
        "data": [],
        "layout": {
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        },
    }
)


@dataclass(frozen=True)
class About:
    """A figure's settings in words, and how to reproduce its numbers."""

    caption: str
    how: str


def of_runs(lanes: Sequence[Experiment]) -> About:
    """Return caption and reproduction of a figure of finished runs."""
    caption = words.caption(lanes)
    paths = words.varied(lanes)
    if 1 < len(lanes) <= 6:
        caption += f" · models: {'; '.join(words.labels(lanes))}"
    elif len(lanes) > 6:
        fields = [[words.flat(e).get(path) for e in lanes] for path in paths]
        caption += "".join(
            f" · {words.phrase(path, of[0])} to {of[-1]}"
            for path, of in zip(paths, fields, strict=True)
        )
    parts = ["From the command line: save the last line as spec.json, then"]
    parts.append("python -m regviz run spec.json -o result.json")
    few = len(lanes) <= 6
    if not few:
        parts.append(f"It is the first of {len(lanes)} models, which differ as said above:")
    parts.append(experiments_to_json(lanes if few else lanes[:1], indent=None))
    return About(caption, "\n".join(parts))


def of_lab(name: str, parameters: Mapping[str, Any]) -> About:
    """Return caption and reproduction of a figure of a lab's frame."""
    whole = json.loads(labs.canonical_json(name, parameters))["parameters"]
    caption = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in whole.items())
    how = f"In Python:\nfrom regviz import labs\n*_, frame = labs.start({name!r}, {whole!r})"
    return About(caption, how)


def palette() -> Palette:
    """Return the colours of the page's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def begin(page: str) -> None:
    """Start the list of this page's charts for slides, in place of another page's."""
    held = st.session_state.get(_SHOWN)
    if held is None or held[0] != page:
        st.session_state[_SHOWN] = (page, {})


@dataclass(frozen=True)
class Offer:
    """A chart for a slide: title, settings, and the function that draws it in a palette."""

    title: str
    caption: str
    make: Callable[[Palette], Chart]


def offered(page: str) -> dict[str, Offer]:
    """Return the charts that the page has drawn so far, by name."""
    held = st.session_state.get(_SHOWN)
    return held[1] if held is not None and held[0] == page else {}


def offer(name: str, what: Offer) -> None:
    """Add a chart to the current page's list for slides."""
    st.session_state[_SHOWN][1][name] = what


def chart(draw: Callable[[Palette], go.Figure], *, key: str, alt: str, about: About) -> None:
    """Show a figure that changes rarely, such as after a run.

    Its buttons save 3840 x 2160 pixels or SVG, named after page and settings.

    Parameters
    ----------
    draw
        Draws the figure in a palette.
    key
        A name that is unique on the page.
    alt
        Text alternative for screen readers; also the slide's speaker note.
    about
        Settings and reproduction.
    """
    page = st.session_state[_SHOWN][0]
    colors = palette()
    figure = draw(colors)
    title = words.plain(figure.layout.title.text or "")
    file = words.stem(page, title, about.caption)
    figure.update_layout(paper_bgcolor=colors.background, meta={"file": file, "alt": alt})
    text = figure.to_json()

    def make(wanted: Palette) -> Chart:
        say = f"What to say\n{alt}\n\nHow to reproduce\n{about.caption}\n{about.how}"
        return Chart(key, title, draw(wanted).to_json(), alt, about.caption, say)

    offer(key, Offer(title, about.caption, make))
    channel = f"{page}.{key}"
    live.figure(
        channel,
        key=key.replace(".", "-"),
        name=_NAME,
        height=int(figure.layout.height or 320),
        skeleton=(_EMPTY, _EMPTY),
    )
    live.feed_figures(channel, {_NAME: (text, text)})
