"""The look that figures of what has ended share: titles, axes, panels and lines, for Plotly.

Nothing here knows Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import FONT, Palette

CLEAR = "rgba(0,0,0,0)"
HEIGHT = 320
CLOSED = "closed form"
MANY_POINTS = 400
"""Of a curve at most: more would not be seen."""


def styled(figure: go.Figure, title: str, palette: Palette, height: int = HEIGHT) -> go.Figure:
    """Return the figure in the pages' own look, title at the top left, legend under it."""
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
    axis = {
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
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_annotations(font={"size": 13, "color": palette.text})
    return figure


def panel_row(titles: Sequence[str], **more: Any) -> go.Figure:
    """Return a row of empty panels, each under its title."""
    return make_subplots(rows=1, cols=len(titles), subplot_titles=list(titles), **more)


def thinned(n: int) -> NDArray[np.int64]:
    """Return which of n points of a curve are drawn: all, or evenly many and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, MANY_POINTS)).astype(np.int64))


def stroke(color: str, dash: str = "solid", width: float = 2.2) -> dict[str, Any]:
    """Return the look of a line, as Plotly wants it."""
    return {"color": color, "dash": dash, "width": width}
