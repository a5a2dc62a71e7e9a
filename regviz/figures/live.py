"""Plotly figures of a run: arrays in, ``go.Figure`` out; nothing here knows Streamlit or torch.

Each chart is made in two steps. The skeleton functions (:func:`loss_curves`,
:func:`decision_boundary`, :func:`weight_histogram`) lay out titles, axes, legend and empty
traces; the page sends that to the browser once, where ``regviz/ui/live/*.js`` fill the same traces
with each frame. The ``fill_*`` functions do the filling here, for stills.

The order of traces is the agreement between the two: it is documented at each function.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from regviz.figures.palette import (
    CLASS_SYMBOLS,
    FONT,
    LIGHT,
    TRAIN_DASH,
    TRAIN_MODE_DASH,
    VALIDATION_DASH,
    Palette,
    mixed,
    rgba,
    scale,
)
from regviz.frames import DataView, LaneFrame

CLEAR = "rgba(0,0,0,0)"
PANELS_PER_ROW = 5
FEW = 3
"""A curve of fewer points than that shows them: a line of one point cannot be seen."""

LOSS_RANGE = (0, 0.8)
LOG_LOSS_RANGE = (-2, 0)
ACCURACY_RANGE = (0.4, 1.01)
"""What the axes of curves span before there is a value; of a logarithmic one powers of ten."""
LOG_LOSS_TICKS = (-7, 3)
"""Powers of ten that have ticks on a logarithmic loss axis; it shows nothing below the first."""
ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
HEADROOM = 1.04
"""An axis ends at one of the steps times a power of ten, with so much room over the values."""
SYMBOLS = {"best": "star", "stop": "square", "diverged": "x"}
TALLEST_ZEROS = 2.5
"""A bar of exact zeros makes its panel at most so many times as high as the other bars do."""
ZEROS_BAR = 24
"""The bar of exact zeros is as wide as half the axis, divided by this."""
INPUTS = ("x₀", "x₁")
"""What two inputs are called that have no names."""

DASHES = ("solid", "dash", "dot", "dashdot")


def _layout(
    title: str,
    height: int,
    palette: Palette,
    *,
    legend_top: int = 36,
    beside: tuple[int, int, int],
    **more: Any,
) -> dict[str, Any]:
    """Return what all charts share: title at the top left, legend in a row under it.

    ``legend_top`` is in pixels from the top. ``beside`` is a hint for the browser, which knows the
    width: from the first number on (pixels) the legend stands beside the title, starting at the
    second, and the top margin shrinks to the third.
    """
    layout: dict[str, Any] = {
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
    layout.update(more)
    return layout


def _axis(title: str | None, palette: Palette, **more: Any) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "gridcolor": palette.grid,
        "zeroline": False,
        "linecolor": palette.border,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": palette.border,
        "tickfont": {"size": 13, "color": palette.muted},
        "automargin": False,
        "ticklabeloverflow": "allow",  # else each label is measured at each frame
    }
    if title is not None:
        axis["title"] = {
            "text": title,
            "standoff": 8,
            "font": {"size": 14, "color": palette.text},
        }
    axis.update(more)
    return axis


# --- loss curves -----------------------------------------------------------------------------


def loss_curves(
    labels: Sequence[str],
    *,
    epochs: int,
    show_accuracy: bool = False,
    log_scale: bool = False,
    show_train_mode: bool = False,
    height: int = 420,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out the curves of loss (or accuracy) against epochs, train dashed, validation solid.

    Traces, for each lane: train, validation, train mode, events (star: best epoch, square:
    stopped, cross: diverged); after all lanes entries for the legend alone, the last two for
    stops and divergence. Shapes: for each lane the vertical line at its stop. Curves have markers
    ready, for as long as there are too few points for a line.
    """
    quantity = "Accuracy" if show_accuracy else "Loss"
    unit = "accuracy" if show_accuracy else "cross-entropy loss (nats)"
    traces: list[Any] = []
    for i, label in enumerate(labels):
        color, width = palette.lane(i), 2.0 if i == 0 else 3.0
        shown = "%{y:.1%}" if show_accuracy else "%{y:.3g}"
        for split, dash, name in (
            ("train", TRAIN_DASH, f"{label} · training"),
            ("validation", VALIDATION_DASH, f"{label} · validation"),
            ("train mode", TRAIN_MODE_DASH, f"{label} · train mode"),
        ):
            extra = split == "train mode"
            traces.append(
                go.Scatter(
                    x=[],
                    y=[],
                    mode="lines",
                    name=name,
                    line={
                        "color": rgba(color, 0.7) if extra else color,
                        "dash": dash,
                        "width": 1.6 if extra else width,
                    },
                    marker={
                        "color": color,
                        "size": 5 if extra else 8,
                        "symbol": "circle" if split == "validation" else "circle-open",
                    },
                    visible=show_train_mode and not show_accuracy if extra else True,
                    legendgroup=str(i),
                    showlegend=False,
                    hovertemplate=f"{name}: {shown}<extra></extra>",
                )
            )
        traces[-2].update(name=label, showlegend=True)
        traces.append(
            go.Scatter(
                x=[],
                y=[],
                text=[],
                mode="markers",
                marker={
                    "color": color,
                    "size": 14,
                    "symbol": "star",
                    "line": {"color": palette.outline, "width": 1.2},
                },
                name=f"{label} · events",
                legendgroup=str(i),
                showlegend=False,
                hovertemplate="%{text}<extra></extra>",
                cliponaxis=False,
            )
        )
    traces += [
        _legend_entry("training", mode="lines", line=_key_line(TRAIN_DASH, palette)),
        _legend_entry("validation", mode="lines", line=_key_line(VALIDATION_DASH, palette)),
    ]
    if show_train_mode and not show_accuracy:
        line = _key_line(TRAIN_MODE_DASH, palette)
        traces.append(_legend_entry("train mode", mode="lines", line=line))
    names = ("best epoch", "early stopping", "diverged")
    for name, symbol in zip(names, SYMBOLS.values(), strict=True):
        marker = {"color": palette.muted, "symbol": symbol, "size": 11}
        traces.append(_legend_entry(name, mode="markers", marker=marker))
    y: dict[str, Any] = {"range": list(LOSS_RANGE)}
    if show_accuracy:
        y = {"range": list(ACCURACY_RANGE), "tickformat": ".0%"}
    elif log_scale:
        low, high = LOG_LOSS_TICKS
        ticks = [m * 10.0**e for e in range(low, high + 1) for m in (1, 2, 5)]
        y = {
            "type": "log",
            "range": list(LOG_LOSS_RANGE),
            "tickvals": ticks,
            "ticktext": [f"{t:g}" for t in ticks],
        }
    layout = _layout(
        f"{quantity} curves",
        height,
        palette,
        beside=(800, 150, 54),
        margin={"l": 62, "r": 16, "t": 86, "b": 48},
        hovermode="x unified",
        xaxis=_axis("epoch", palette, range=[1, max(2, epochs)], hoverformat="d"),
        yaxis=_axis(unit, palette, **y),
        shapes=[
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": 1,
                "x1": 1,
                "y0": 0,
                "y1": 1,
                "line": {"color": palette.lane(i), "width": 1.5, "dash": "dot"},
                "visible": False,
            }
            for i in range(len(labels))
        ],
    )
    return go.Figure(traces, layout)


def _legend_entry(name: str, **look: Any) -> go.Scatter:
    """A trace without points that explains a mark in the legend."""
    return go.Scatter(x=[None], y=[None], name=name, hoverinfo="skip", **look)


def _key_line(dash: str, palette: Palette) -> dict[str, Any]:
    return {"color": palette.muted, "dash": dash, "width": 2}


def curve_top(values: Sequence[NDArray[Any]], least: float = 0.0) -> float:
    """Return a round upper end for a loss axis: it moves in steps, so the axis does not jitter.

    Infinite and missing values do not count.
    """
    tops = [float(v[np.isfinite(v)].max()) for v in values if np.isfinite(v).any()]
    top = max([least, *tops, 1e-6]) * HEADROOM
    ten = 10.0 ** math.floor(math.log10(top))
    for step in ROUND:
        if top <= step * ten * (1 + 1e-9):
            return step * ten
    return 10 * ten


def fill_loss_curves(figure: go.Figure, lanes: Sequence[LaneFrame]) -> go.Figure:
    """Put the lanes' histories into a skeleton of :func:`loss_curves` and return it.

    A diverged lane has its cross at the top edge (accuracies: at its last value), one under the
    other where there are several.
    """
    accuracy = figure.layout.yaxis.tickformat is not None
    names = ("train_accuracy", "val_accuracy") if accuracy else ("train_loss", "val_loss")
    curves = []
    for i, lane in enumerate(lanes):
        epochs = np.arange(1, lane.history.shape[1] + 1)
        for k, name in enumerate((*names, "train_loss_train_mode")):
            values = _gaps(lane.curve(name))
            curves.append(values)
            mode = "lines" if np.isfinite(values).sum() >= FEW else "lines+markers"
            figure.data[4 * i + k].update(x=epochs, y=values, mode=mode)
        validation = _gaps(lane.curve(names[1]))
        events = []
        if 0 < lane.best_epoch <= len(validation):
            events.append((lane.best_epoch, SYMBOLS["best"], f"best epoch {lane.best_epoch}"))
        if 0 < lane.stopped_epoch <= len(validation):
            stop = f"stopped at {lane.stopped_epoch}"
            events.append((lane.stopped_epoch, SYMBOLS["stop"], stop))
            figure.layout.shapes[i].update(
                x0=lane.stopped_epoch, x1=lane.stopped_epoch, visible=True
            )
        figure.data[4 * i + 3].update(
            x=[e for e, _, _ in events],
            y=[validation[e - 1] for e, _, _ in events],
            text=[text for _, _, text in events],
            marker={"symbol": [symbol for _, symbol, _ in events]},
        )
    if not accuracy and figure.layout.yaxis.type != "log":
        figure.layout.yaxis.range = [0, curve_top(curves)]
    _mark_diverged(figure, lanes, accuracy=accuracy)
    figure.data[-2].showlegend = any(lane.stopped_epoch > 0 for lane in lanes)
    figure.data[-1].showlegend = any(lane.status == "diverged" for lane in lanes)
    return figure


def _mark_diverged(figure: go.Figure, lanes: Sequence[LaneFrame], *, accuracy: bool) -> None:
    axis = figure.layout.yaxis
    low, high = axis.range
    for row, i in enumerate(k for k, lane in enumerate(lanes) if lane.status == "diverged"):
        lane = lanes[i]
        at = high - (0.03 + 0.06 * row) * (high - low)
        if accuracy and np.isfinite(lane.curve("val_accuracy")[-1]):
            at = float(lane.curve("val_accuracy")[-1])
        losses = ", ".join(
            f"{name} {lane.curve(curve)[-1]:.3g}"
            for name, curve in (("training loss", "train_loss"), ("validation loss", "val_loss"))
        )
        marks = figure.data[4 * i + 3]
        marks.update(
            x=[*marks.x, lane.epoch],
            y=[*marks.y, 10**at if axis.type == "log" else at],
            text=[*marks.text, f"diverged in epoch {lane.epoch}: {losses}"],
            marker={"symbol": [*marks.marker.symbol, SYMBOLS["diverged"]]},
        )


def _gaps(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with NaN for whatever is not finite: Plotly leaves a gap there."""
    return np.where(np.isfinite(values), values, np.nan)


# --- decision boundary -----------------------------------------------------------------------


def decision_boundary(
    labels: Sequence[str],
    *,
    show_difference: bool = True,
    show_points: bool = True,
    height: int = 520,
    extent: tuple[float, float, float, float] = (-2.0, 3.0, -1.5, 2.0),
    classes: int = 2,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out one panel for each lane and, on request, one for the difference of the last two.

    All panels share their ranges and have equal aspect. Traces: for each lane four of points
    (class 0 and 1 train, class 0 and 1 validation), then the colour bar of P(class 1), then that
    of the difference. Annotations: the title of each panel. The response itself is a picture
    under the axes: see :func:`fill_decision_boundary`.

    With K > 2 ``classes`` the picture is an image of classes: 2K traces of points for each lane
    (each class train, each class validation; a mark of its own for each class, full and open),
    the bar of the probability of the most probable class, that of the difference (same class or
    another), and two entries that explain full and open marks.
    """
    several = classes > 2
    panels = len(labels) + (1 if show_difference else 0)
    gap = min(0.06, 0.2 / panels)
    width = (1 - gap * (panels - 1)) / panels
    traces: list[Any] = []
    layout: dict[str, Any] = {}
    annotations = []
    for i in range(panels):
        n = "" if i == 0 else str(i + 1)
        left = i * (width + gap)
        shared_x = {} if i == 0 else {"matches": "x"}
        shared_y = {} if i == 0 else {"matches": "y"}
        layout[f"xaxis{n}"] = _axis(
            INPUTS[0],
            palette,
            domain=[left, left + width],
            anchor=f"y{n}",
            range=list(extent[:2]),
            constrain="domain",
            showgrid=False,
            **shared_x,
        )
        layout[f"yaxis{n}"] = _axis(
            INPUTS[1] if i == 0 else None,
            palette,
            anchor=f"x{n}",
            range=list(extent[2:]),
            scaleanchor=f"x{n}",
            constrain="domain",
            constraintoward="top",
            showgrid=False,
            showticklabels=i == 0,
            **shared_y,
        )
        apart = "≠" if several else "−"
        name = labels[i] if i < len(labels) else f"{labels[-1]} {apart} {labels[0]}"
        annotations.append(
            {
                "text": f"<b>{name}</b>",
                "x": left + width / 2,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "yshift": 4,
                "showarrow": False,
                "font": {
                    "size": 15,
                    "color": palette.lane(i) if i < len(labels) else palette.text,
                },
            }
        )
    for i in range(len(labels)):
        n = "" if i == 0 else str(i + 1)
        for validation in (False, True):
            for k in range(classes):
                split = "validation" if validation else "training"
                # of several classes the legend has one entry each; a click on it hides both
                shown = i == 0 and show_points and not (several and validation)
                traces.append(
                    go.Scatter(
                        x=[],
                        y=[],
                        mode="markers",
                        xaxis=f"x{n}",
                        yaxis=f"y{n}",
                        name=f"class {k}" if several else f"class {k} · {split}",
                        legendgroup=f"{k}" if several else f"{k}{validation}",
                        showlegend=shown,
                        visible=show_points,
                        marker=_point_marks(k, validation, several, palette),
                        hovertemplate="x₀ %{x:.2f}, x₁ %{y:.2f}<extra>%{fullData.name}"
                        + (f" · {split}</extra>" if several else "</extra>"),
                    )
                )
    lanes_right = len(labels) * width + (len(labels) - 1) * gap
    if several:
        sure = (palette.response[1], mixed(palette.response[1], palette.muted, 0.75))
        bar = _color_bar(
            "P(most probable class)", sure, 1 / classes, 1, lanes_right / 2, lanes_right, palette
        )
        bar.marker.colorbar.tickformat = ".0%"
    else:
        bar = _color_bar(
            "P(class 1)", palette.response, 0, 1, lanes_right / 2, lanes_right, palette
        )
    traces.append(bar)
    if show_difference and several:
        same, other = palette.difference[1:]
        bar = _color_bar(
            "", (same, same, other, other), 0, 1, 1 - width / 2, width, palette, panel=str(panels)
        )
        bar.marker.colorscale = [[0, same], [0.5, same], [0.5, other], [1, other]]
        bar.marker.colorbar.update(tickvals=[0.25, 0.75], ticktext=["same class", "another class"])
        traces.append(bar)
    elif show_difference:
        traces.append(
            _color_bar(
                "Δ P(class 1)",
                palette.difference,
                -1,
                1,
                1 - width / 2,
                width,
                palette,
                panel=str(panels),
            )
        )
    if several and show_points:
        for name, validation in (("training", False), ("validation", True)):
            marker = _point_marks(0, validation, several, palette) | {"color": palette.muted}
            marker["line"] = marker["line"] | ({"color": palette.muted} if validation else {})
            traces.append(_legend_entry(name, mode="markers", marker=marker))
    layout = _layout(
        "Decision boundary",
        height,
        palette,
        beside=(760, 190, 62),
        margin={"l": 54, "r": 14, "t": 88, "b": 94},
        hovermode="closest",
        annotations=annotations,
        **layout,
    )
    layout["legend"]["itemsizing"] = "trace"
    return go.Figure(traces, layout)


def _point_marks(k: int, validation: bool, several: bool, palette: Palette) -> dict[str, Any]:
    """Return the look of a class's points: full in training, open in validation.

    Of two classes all have one shape; of several each has its own, as ten hues are too many to
    be told apart alone.
    """
    color = palette.classes[k]
    symbol, open_symbol = "circle", "diamond"
    sizes = 6.5, 7.5
    if several:
        symbol = open_symbol = CLASS_SYMBOLS[k]
        sizes = (8.5, 8.5) if symbol in _SLENDER else (7.0, 7.0)
    if validation:
        return {
            "symbol": f"{open_symbol}-open",
            "size": sizes[1],
            "color": color,
            "line": {"color": color, "width": 1.8},
        }
    return {
        "symbol": symbol,
        "size": sizes[0],
        "color": color,
        "line": {"color": palette.outline, "width": 0.9},
    }


_SLENDER = ("triangle-up", "triangle-down", "cross", "x", "star", "hexagram")
"""Marks that cover less than a disc of their size."""


def _color_bar(
    title: str,
    colors: Sequence[str],
    low: float,
    high: float,
    center: float,
    length: float,
    palette: Palette,
    panel: str = "",
) -> go.Scatter:
    """A trace without points whose only use is its colour bar, lying under the panels."""
    return go.Scatter(
        x=[None],
        y=[None],
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={
            "color": [low],
            "cmin": low,
            "cmax": high,
            "colorscale": scale(colors),
            "showscale": True,
            "colorbar": {
                "orientation": "h",
                "title": {
                    "text": f" {title}",
                    "side": "right",
                    "font": {"size": 14, "color": palette.text},
                },
                "thickness": 11,
                "len": max(0.16, length * 0.72),
                "x": center,
                "xanchor": "center",
                "y": 0,
                "yref": "container",
                "yanchor": "bottom",
                "ypad": 2,
                "outlinewidth": 1,
                "outlinecolor": palette.border,
                "tickvals": [low, (low + high) / 2, high],
                "tickfont": {"size": 13, "color": palette.muted},
                "ticks": "outside",
                "ticklen": 3,
                "tickcolor": palette.border,
            },
        },
    )


def fill_decision_boundary(
    figure: go.Figure,
    lanes: Sequence[LaneFrame],
    data: Sequence[DataView],
    *,
    classes: int = 2,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Put points and responses into a skeleton of :func:`decision_boundary` and return it.

    The response is a heat map with its 0.5 contour, added behind the points. Lanes without a
    boundary keep an empty panel, and so do those with an image of ``classes``.
    """
    low_high = np.array([view.extent for view in data])
    low, high = low_high[:, 0::2].min(axis=0), low_high[:, 1::2].max(axis=0)
    pictures: list[Any] = []
    for i, (lane, view) in enumerate(zip(lanes, data, strict=True)):
        n = "" if i == 0 else str(i + 1)
        figure.layout[f"xaxis{n}"].range = [low[0], high[0]]
        figure.layout[f"yaxis{n}"].range = [low[1], high[1]]
        for j, (validation, k) in enumerate(itertools.product((False, True), range(classes))):
            of = (view.y == k) & (view.is_val == validation)
            figure.data[2 * classes * i + j].update(x=view.x[of, 0], y=view.x[of, 1])
        if lane.boundary is not None:
            pictures += _picture(
                lane.boundary / 255.0, view.extent, n, palette.response, (0, 1), 0.5, palette
            )
    panels = sum(1 for name in figure.layout if str(name).startswith("xaxis"))
    if panels > len(lanes) and lanes[0].boundary is not None and lanes[-1].boundary is not None:
        n = str(panels)
        figure.layout[f"xaxis{n}"].range = [low[0], high[0]]
        figure.layout[f"yaxis{n}"].range = [low[1], high[1]]
        change = lanes[-1].boundary / 255.0 - lanes[0].boundary / 255.0
        pictures += _picture(change, data[0].extent, n, palette.difference, (-1, 1), None, palette)
    points = figure.data
    figure.add_traces(pictures)
    figure.data = figure.data[len(points) :] + points  # the pictures lie under the points
    return figure


def _picture(
    values: NDArray[Any],
    extent: tuple[float, float, float, float],
    n: str,
    colors: Sequence[str],
    limits: tuple[float, float],
    contour: float | None,
    palette: Palette,
) -> list[Any]:
    rows, columns = values.shape
    place = {
        "x": np.linspace(extent[0], extent[1], columns),
        "y": np.linspace(extent[2], extent[3], rows),
        "xaxis": f"x{n}",
        "yaxis": f"y{n}",
        "showscale": False,
        "hoverinfo": "skip",
    }
    out: list[Any] = [
        go.Heatmap(
            z=values,
            zmin=limits[0],
            zmax=limits[1],
            colorscale=scale(colors),
            zsmooth="best",
            **place,
        )
    ]
    if contour is not None:
        out.append(
            go.Contour(
                z=values,
                contours={"start": contour, "end": contour, "size": 1, "coloring": "none"},
                line={"color": palette.contour, "width": 2},
                **place,
            )
        )
    return out


# --- weight histograms -----------------------------------------------------------------------


def histogram_rows(layers: int) -> int:
    """Return how many rows of panels ``layers`` histograms need."""
    return max(1, math.ceil(layers / PANELS_PER_ROW))


def weight_histogram(
    labels: Sequence[str],
    *,
    layers: int,
    log_scale: bool = False,
    height: int = 330,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Lay out one panel for each weight matrix, the lanes' histograms laid over each other.

    Traces, for each layer and in it for each lane: the non-zero weights as a filled step line,
    and the bar of exact zeros at 0; at the end an entry for the legend alone. Annotations, for
    each layer: its title, and its count of exact zeros.
    """
    rows = histogram_rows(layers)
    columns = max(1, math.ceil(layers / rows))
    gap_x, gap_y = min(0.06, 0.24 / columns), 0.42 / rows if rows > 1 else 0.0
    width = (1 - gap_x * (columns - 1)) / columns
    tall = (1 - gap_y * (rows - 1)) / rows
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    annotations = []
    for layer in range(layers):
        row, column = divmod(layer, columns)
        n = "" if layer == 0 else str(layer + 1)
        left, top = column * (width + gap_x), 1 - row * (tall + gap_y)
        axes[f"xaxis{n}"] = _axis(
            "weight",
            palette,
            domain=[left, left + width],
            anchor=f"y{n}",
            range=[-1, 1],
            nticks=5,
            tickangle=0,
            showgrid=False,
        )
        axes[f"yaxis{n}"] = _axis(
            "weights per bin" if column == 0 else None,
            palette,
            domain=[max(0.0, top - tall), top],
            anchor=f"x{n}",
            nticks=4,
            **({"type": "log", "range": [-0.3, 2]} if log_scale else {"range": [0, 10]}),
        )
        if log_scale:
            axes[f"yaxis{n}"] |= {"dtick": 1, "tickformat": "~s"}
            del axes[f"yaxis{n}"]["nticks"]
        place = {
            "x": left,
            "xref": "paper",
            "yref": "paper",
            "y": top,
            "xanchor": "left",
            "yanchor": "bottom",
            "align": "left",
            "showarrow": False,
        }
        annotations += [
            place
            | {
                "text": f"<b>layer {layer + 1}</b>",
                "yshift": 22,
                "font": {"size": 14, "color": palette.text},
            },
            place | {"text": " ", "yshift": 4, "font": {"size": 13, "color": palette.muted}},
        ]
        for i, label in enumerate(labels):
            color = palette.lane(i)
            shared = {
                "xaxis": f"x{n}",
                "yaxis": f"y{n}",
                "legendgroup": str(i),
            }
            traces += [
                go.Scatter(
                    x=[],
                    y=[],
                    mode="lines",
                    name=label,
                    showlegend=layer == 0,
                    line={"color": color, "width": 2, "shape": "hv"},
                    fill="tozeroy",
                    fillcolor=rgba(color, 0.28),
                    hovertemplate=f"{label}: %{{y}} weights near %{{x:.3f}}<extra></extra>",
                    **shared,
                ),
                go.Bar(
                    x=[],
                    y=[],
                    width=[],
                    offset=[],
                    name=f"{label} · exactly 0",
                    showlegend=False,
                    marker={"color": color, "line": {"color": palette.text, "width": 1.5}},
                    hovertemplate=f"{label}: %{{y}} weights are exactly 0<extra></extra>",
                    **shared,
                ),
            ]
    marker = {
        "symbol": "square",
        "size": 10,
        "color": rgba(palette.muted, 0.6),
        "line": {"color": palette.text, "width": 1.5},
    }
    traces.append(_legend_entry("exactly zero", mode="markers", marker=marker))
    layout = _layout(
        "Weights per layer",
        height,
        palette,
        beside=(640, 190, 78),
        margin={"l": 62, "r": 14, "t": 104, "b": 48},
        hovermode="closest",
        barmode="overlay",
        annotations=annotations,
        **axes,
    )
    return go.Figure(traces, layout)


def zeros_text(labels: Sequence[str], zeros: Sequence[int], size: int) -> str:
    """Return the sentence above a panel: how many of its weights are exactly zero."""
    counts = ", ".join(f"{label} {count:,}" for label, count in zip(labels, zeros, strict=True))
    return f"exact zeros: {counts} of {size:,}"


def fill_weight_histogram(
    figure: go.Figure, labels: Sequence[str], lanes: Sequence[LaneFrame]
) -> go.Figure:
    """Put the lanes' histograms into a skeleton of :func:`weight_histogram` and return it."""
    log_scale = figure.layout.yaxis.type == "log"
    for layer in range(len(lanes[0].layers)):
        n = "" if layer == 0 else str(layer + 1)
        limits = [float(lane.limits[layer]) for lane in lanes]
        limit = max(limits)
        top, reach = 1.0, limit / 64
        for i, lane in enumerate(lanes):
            counts = lane.histogram[layer]
            edges = np.linspace(-limits[i], limits[i], len(counts) + 1)
            zeros = int(lane.zeros[layer])
            trace = 2 * (len(lanes) * layer + i)
            figure.data[trace].update(x=edges, y=[*counts.tolist(), 0])
            bar = limit / 48
            figure.data[trace + 1].update(
                x=[0.0], y=[zeros], width=[bar], offset=[bar * (i - len(lanes) / 2)]
            )
            top = max(top, float(counts.max()))
            if counts.any():
                filled = np.flatnonzero(counts)
                reach = max(reach, -float(edges[filled[0]]), float(edges[filled[-1] + 1]))
        zeros_of = [int(lane.zeros[layer]) for lane in lanes]
        top = max(top, min(max(zeros_of), TALLEST_ZEROS * top)) * 1.06
        figure.layout[f"xaxis{n}"].range = [-reach, reach]
        figure.layout[f"yaxis{n}"].range = [-0.3, math.log10(top * 2)] if log_scale else [0, top]
        inputs, units = lanes[0].shapes[layer]
        figure.layout.annotations[
            2 * layer
        ].text = f"<b>{lanes[0].layers[layer]}</b> ({inputs}×{units})"
        figure.layout.annotations[2 * layer + 1].text = zeros_text(labels, zeros_of, inputs * units)
    return figure
