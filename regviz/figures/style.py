"""The look of every Plotly figure: titles, axes, panels, legends and lines.

There are two kinds of figures. Live charts (:mod:`regviz.figures.live`) and small multiples
(:mod:`regviz.figures.comparisons`) are laid out by hand, panel by panel, with
:func:`chart_layout` and :func:`chart_axis`. All others are built first and get their look at the
end, from :func:`styled`.
Nothing here imports Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import FONT, Palette, rgba

CLEAR = "rgba(0,0,0,0)"
HEIGHT = 320
"""Pixels of a figure from :func:`styled`."""
CLOSED = "closed form"
MANY_POINTS = 400
"""Points of a curve at most: more could not be seen."""
LOG_LOSS_TICKS = (-7, 3)
"""First and last power of ten with numbers on a logarithmic axis of losses."""
LOG_TICKS = tuple(
    m * 10.0**e for e in range(LOG_LOSS_TICKS[0], LOG_LOSS_TICKS[1] + 1) for m in (1, 2, 5)
)
"""Places of the numbers on a logarithmic axis of losses: 1, 2 and 5 of each decade."""


# --- figures laid out by hand ------------------------------------------------------------------


def chart_layout(
    title: str,
    height: int,
    palette: Palette,
    *,
    legend_top: int = 36,
    beside: tuple[int, int, int],
    **more: Any,
) -> dict[str, Any]:
    """Return the layout of a live chart: the title at the top left, the legend in a row under it.

    Parameters
    ----------
    title
        Set in bold.
    height
        Of the figure, in pixels.
    legend_top
        Pixels from the top of the figure to the legend.
    beside
        A hint for the browser, which knows the width: (from, left, top). In a figure at least
        ``from`` pixels wide the legend stands beside the title, ``left`` pixels from the left
        edge, and the top margin shrinks to ``top`` pixels.
    more
        Further entries of the layout.
    """
    out: dict[str, Any] = {
        "title": {
            "text": f"<b>{title}</b>",
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 10, "l": 4},
            "font": {"size": 18, "color": palette.text},
        },
        "template": None,
        "height": height,
        "autosize": True,
        "font": {"family": FONT, "size": 14, "color": palette.text},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.border,
            "font": {"color": palette.text, "size": 13, "family": FONT},
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1 - legend_top / height,
            "yref": "container",
            "yanchor": "top",
            "bgcolor": CLEAR,
            "font": {"size": 13, "color": palette.text},
            "itemwidth": 30,
            "uirevision": "keep",
            "tracegroupgap": 4,
        },
        "modebar": {
            "bgcolor": CLEAR,
            "color": rgba(palette.muted, 0.75),
            "activecolor": palette.primary,
            "uirevision": "keep",
        },
        "dragmode": "zoom",
        "meta": {"beside": dict(zip(("from", "left", "top"), beside, strict=True))},
    }
    out.update(more)
    return out


def chart_axis(title: str | None, palette: Palette, **more: Any) -> dict[str, Any]:
    """Return an axis of a live chart; ``title`` None leaves it without a title."""
    out: dict[str, Any] = {
        "gridcolor": palette.grid,
        "zeroline": False,
        "linecolor": palette.border,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": palette.border,
        "tickfont": {"size": 13, "color": palette.muted},
        "automargin": False,
        "ticklabeloverflow": "allow",  # else Plotly measures each label at each frame
    }
    if title is not None:
        out["title"] = {
            "text": title,
            "standoff": 8,
            "font": {"size": 14, "color": palette.text},
        }
    out.update(more)
    return out


def log_axis(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis of losses from 10^``low`` to 10^``high``."""
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": list(LOG_TICKS),
        "ticktext": [f"{t:g}" for t in LOG_TICKS],
    }


def legend_entry(name: str, **look: Any) -> go.Scatter:
    """Return a trace without points that explains a mark in the legend."""
    return go.Scatter(x=[None], y=[None], name=name, hoverinfo="skip", **look)


def key_line(dash: str, palette: Palette) -> dict[str, Any]:
    """Return the grey line of a legend entry that explains a dash."""
    return {"color": palette.muted, "dash": dash, "width": 2}


# --- figures that get their look at the end ----------------------------------------------------


def styled(figure: go.Figure, title: str, palette: Palette, height: int = HEIGHT) -> go.Figure:
    """Return the figure in the look of the pages: title at the top left, legend under it."""
    figure.update_layout(
        title={
            "text": f"<b>{title}</b>",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 8, "l": 4},
            "font": {"size": 16, "color": palette.text},
        },
        template=None,
        height=height,
        margin={"l": 56, "r": 16, "t": 78, "b": 46},
        font={"family": FONT, "size": 13, "color": palette.text},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1 - 30 / height,
            "yref": "container",
            "yanchor": "top",
            "bgcolor": CLEAR,
        },
        hoverlabel={"bgcolor": palette.surface, "font": {"color": palette.text, "family": FONT}},
        modebar={"bgcolor": CLEAR, "color": palette.muted, "activecolor": palette.primary},
    )
    look = {
        "gridcolor": palette.grid,
        "zeroline": False,
        "showline": True,
        "linecolor": palette.border,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": palette.border,
        "tickfont": {"color": palette.muted},
        "title_standoff": 6,
    }
    figure.update_xaxes(**look)
    figure.update_yaxes(**look)
    figure.update_annotations(font={"size": 13, "color": palette.text})
    return figure


def panel_row(titles: Sequence[str], **more: Any) -> go.Figure:
    """Return a row of empty panels, each under its title."""
    return make_subplots(rows=1, cols=len(titles), subplot_titles=list(titles), **more)


def thinned(n: int) -> NDArray[np.int64]:
    """Return the indices of the points of a curve that are drawn: all n, or at most
    :data:`MANY_POINTS`, evenly spaced, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, MANY_POINTS)).astype(np.int64))


def stroke(color: str, dash: str = "solid", width: float = 2.2) -> dict[str, Any]:
    """Return a line in the form of Plotly's ``line``; ``width`` is in pixels."""
    return {"color": color, "dash": dash, "width": width}
