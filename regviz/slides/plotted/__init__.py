"""The app's Plotly figures on a slide: the part of Plotly that they use, drawn by matplotlib.

Traces: scatter (lines, steps, markers, fills, text), bar, heatmap, contour. Axes: linear, log and
categories, shared or reversed, with the ticks that they name. Shapes: lines and rectangles. A
figure with anything else raises :class:`Unknown`, so that nothing is left out unnoticed. Panels
keep their order and proportions; the room between them follows from the letters, which are larger
on a slide than in the app.
"""

from __future__ import annotations

from regviz.slides.paper import Cell, Style
from regviz.slides.plotted.axes import set_limits
from regviz.slides.plotted.legend import draw_legend
from regviz.slides.plotted.panels import panels_of
from regviz.slides.plotted.places import place_panels
from regviz.slides.plotted.shapes import annotate
from regviz.slides.plotted.traces import fill_panel
from regviz.slides.plotted.values import Json, Unknown, plain_text

__all__ = ["Unknown", "draw", "title_of"]


def title_of(figure: Json) -> str:
    """Return a figure's title without its markup."""
    return plain_text((figure["layout"].get("title") or {}).get("text") or "")


def draw(cell: Cell, figure: Json, style: Style) -> None:
    """Draw a figure, parsed from Plotly's JSON, into a cell; its title is the caller's."""
    layout = figure["layout"]
    traces = [t for t in figure["data"] if t.get("visible", True) is True]
    panels = panels_of(traces, layout)
    draw_legend(cell, traces, layout, style)
    for panel in panels:
        panel.ax = cell.axes(0, 0, 1, 1)
        fill_panel(panel, layout, style)
    set_limits(panels, layout)
    annotate(panels, layout, style)
    place_panels(cell, panels, style)
