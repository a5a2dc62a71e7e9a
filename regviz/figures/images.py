"""Plotly figures of the image lessons: finished frames and frames of labs in, ``go.Figure`` out.

They have the look of :mod:`regviz.figures.style`. Nothing here imports Streamlit or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from regviz.figures.palette import LIGHT, Palette, rgba, scale
from regviz.figures.style import stroke, styled
from regviz.frames import Frame, LaneFrame
from regviz.frames.lab import LabFrame

EVAL, TRAIN = 0, 1


def _tile(
    figure: go.Figure, z: NDArray[Any], palette: Palette, *, low: float, high: float, **place: int
) -> None:
    """Draw an image: row 0 at the top, square pixels, no axes."""
    figure.add_heatmap(
        z=z, zmin=low, zmax=high, showscale=False,
        colorscale=scale((palette.background, palette.text)),
        hovertemplate="row %{y}, column %{x}: %{z:.2f}<extra></extra>", **place,
    )  # fmt: skip


def _bare(figure: go.Figure, height: int) -> None:
    """Take away the axes of all panels and keep their pixels square."""
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for axis in figure.select_yaxes():
        axis.update(scaleanchor=axis.anchor, scaleratio=1)
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "b": 8})


def _mosaic(maps: NDArray[Any], columns: int) -> NDArray[np.float64]:
    """Lay (maps, side, side) out in rows of ``columns``, a gap of one pixel between them."""
    n, side, _ = maps.shape
    rows = -(-n // columns)
    out = np.full((rows * (side + 1) - 1, columns * (side + 1) - 1), np.nan)
    for i, one in enumerate(maps):
        y, x = divmod(i, columns)
        out[y * (side + 1) : y * (side + 1) + side, x * (side + 1) : x * (side + 1) + side] = one
    return out


def feature_maps(frame: Frame, lane: int, image: int, palette: Palette = LIGHT) -> go.Figure:
    """Draw an image and each layer's output, eval mode above train mode; maps that are dropped
    whole are crossed out."""
    one = frame.lanes[lane]
    shapes = one.map_shapes
    assert frame.data is not None
    pixels = frame.data[lane].images
    assert pixels is not None
    assert one.map_kept is not None
    columns = [max(1, -(-channels // 2)) if channels > 4 else channels for channels, _ in shapes]
    figure = make_subplots(
        rows=2, cols=1 + len(shapes), vertical_spacing=0.12, horizontal_spacing=0.03,
        column_widths=[1.0, *(max(2.0, 0.42 * c) for c in columns)],
        subplot_titles=[
            "eval mode", *(f"after layer {i + 1}: {c} maps" for i, (c, _) in enumerate(shapes)),
            "train mode", *[""] * len(shapes),
        ],
    )  # fmt: skip
    start = 0
    for row in (EVAL, TRAIN):
        _tile(figure, pixels[image].reshape(8, 8), palette, low=0, high=1, row=row + 1, col=1)
    for i, (channels, side) in enumerate(shapes):
        both = one.feature_maps(i)[:, image]
        high = max(float(both.max()), 1e-6)
        low = min(0.0, float(both.min()))
        gone = np.flatnonzero(one.map_kept[image, start : start + channels] == 0)
        start += channels
        for row in (EVAL, TRAIN):
            z = _mosaic(both[row], columns[i])
            _tile(figure, z, palette, low=low, high=high, row=row + 1, col=i + 2)
        y, x = np.divmod(gone, columns[i])
        figure.add_scatter(
            x=x * (side + 1) + (side - 1) / 2, y=y * (side + 1) + (side - 1) / 2, mode="markers",
            name="whole map dropped", legendgroup="gone", showlegend=i == 0,
            marker={"symbol": "x-thin", "size": 17, "line": {"width": 2.5, "color": palette.bad}},
            hoverinfo="skip", row=2, col=i + 2,
        )  # fmt: skip
    styled(figure, "Feature maps of each layer", palette, 360)
    _bare(figure, 360)
    return figure


def class_probabilities(
    frame: Frame, labels: Sequence[str], image: int, palette: Palette = LIGHT
) -> go.Figure:
    """Draw the class probabilities of one image: each model in eval mode, the last in train mode
    too."""
    figure = go.Figure()
    bars = [(i, EVAL, labels[i]) for i in range(len(frame.lanes))]
    bars.append((len(frame.lanes) - 1, TRAIN, f"{labels[-1]}, in train mode"))
    for i, mode, name in bars:
        probabilities = frame.lanes[i].probabilities
        assert probabilities is not None
        color = palette.lane(i)
        figure.add_bar(
            x=np.arange(probabilities.shape[2]), y=probabilities[mode, image], name=name,
            marker={
                "color": color if mode == EVAL else rgba(color, 0.25),
                "line": {"color": color, "width": 1.2},
            },
            hovertemplate="%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="class", dtick=1)
    figure.update_yaxes(title_text="probability", range=[0, 1.02])
    return styled(figure, "Which digit is it?", palette, 360)


def dropout_shapes(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw what dropout drops, what its spatial form drops, and what batch norm averages, as one:
    a row for each sample, a column for each channel."""
    a = frame.arrays
    module, norm = str(frame.values["module"]), str(frame.values["norm"])
    panels = (
        ("Dropout: single entries", a["element"] == 0, palette.bad),
        (f"{module}: whole channels of a sample", a["whole"] == 0, palette.bad),
        (f"{norm}: shares its statistics with the first entry", a["averaged"] > 0, palette.lane(1)),
    )
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=[title for title, *_ in panels], horizontal_spacing=0.05
    )
    for i, (title, marked, color) in enumerate(panels):
        samples, channels, rows, columns = marked.shape
        gap = 1
        z = np.full((samples * (rows + gap) - gap, channels * (columns + gap) - gap), np.nan)
        for n in range(samples):
            for c in range(channels):
                top, left = n * (rows + gap), c * (columns + gap)
                z[top : top + rows, left : left + columns] = marked[n, c]
        figure.add_heatmap(
            z=z, zmin=0, zmax=1, showscale=False, xgap=1.5, ygap=1.5, name=title,
            colorscale=scale((rgba(palette.muted, 0.22), color)), hoverinfo="skip",
            row=1, col=i + 1,
        )  # fmt: skip
    styled(figure, "Rows are samples, columns are channels", palette, 260)
    _bare(figure, 260)
    return figure


def gallery(frame: LabFrame, palette: Palette = LIGHT) -> go.Figure:
    """Draw a digit and its changed copies, each with what was done to it."""
    a = frame.arrays
    changed = a["changed"]
    titles = ["<b>original</b>"]
    for i in range(len(changed)):
        turn = f"{a['degrees'][i].round() + 0.0:+.0f}°" if a["degrees"].any() else ""
        mirror = "mirrored" if a["mirrored"][i] else ""
        moved = a["right"].any() or a["down"].any()
        shift = f"{a['right'][i]:+.1f} {a['down'][i]:+.1f}" if moved else ""
        titles.append("<br>".join(word for word in (turn, shift, mirror) if word))
    columns = -(-len(titles) // 2)
    figure = make_subplots(
        rows=2, cols=columns, subplot_titles=titles, vertical_spacing=0.18, horizontal_spacing=0.012
    )
    images = [a["original"], *changed]
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        _tile(figure, image, palette, low=0, high=1, row=row + 1, col=column + 1)
    styled(figure, "One image, and how an epoch may see it", palette, 330)
    figure.update_annotations(font={"size": 12, "color": palette.text})
    _bare(figure, 330)
    figure.update_layout(margin={"t": 70})
    return figure


def strength_curve(
    factors: Sequence[float],
    train: NDArray[np.float64],
    val: NDArray[np.float64],
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw accuracy against the strength of augmentation, (strengths, seeds): mean, and a band
    from the worst seed to the best."""
    figure = go.Figure()
    ticks = [f"×{factor:g}" for factor in factors]
    for name, values, color, dash in (
        ("training, original images", train, palette.lane(0), "5px,4px"),
        ("validation", val, palette.lane(1), "solid"),
    ):
        figure.add_scatter(
            x=[*ticks, *ticks[::-1]], y=[*values.max(axis=1), *values.min(axis=1)[::-1]],
            mode="lines", fill="toself", fillcolor=rgba(color, 0.15), line={"width": 0},
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=ticks, y=values.mean(axis=1), mode="lines+markers", name=name,
            line=stroke(color, dash),
        )  # fmt: skip
    best = int(val.mean(axis=1).argmax())
    figure.add_scatter(
        x=[ticks[best]], y=[val.mean(axis=1)[best]], mode="markers",
        name="highest validation accuracy",
        marker={"symbol": "star", "size": 14, "color": palette.lane(1)},
    )  # fmt: skip
    figure.update_xaxes(title_text="strength relative to the controls", type="category")
    figure.update_yaxes(title_text="accuracy", tickformat=".0%")
    return styled(figure, "How much is too much?", palette, 340)


def map_correlations(lane: LaneFrame, layer: int = 0) -> tuple[float, float]:
    """Return how alike neighbours in a map are, and two maps at one place: mean correlations.

    Over the view's images and all places, of the maps that leave a layer in eval mode; maps that
    are the same everywhere say nothing and are left out. nan where there is nothing to compare.
    """
    maps = lane.feature_maps(layer)[EVAL].astype(np.float64)  # (images, channels, side, side)
    centred = maps - maps.mean(axis=(0, 2, 3), keepdims=True)
    spread = centred.std(axis=(0, 2, 3))
    z = centred[:, spread > 1e-9] / spread[spread > 1e-9][:, None, None]
    n = z.shape[1]
    if n < 2 or z.shape[3] < 2:
        return float("nan"), float("nan")
    across = (z[..., 1:] * z[..., :-1]).mean()
    along = (z[:, :, 1:] * z[:, :, :-1]).mean()
    by_map = z.transpose(1, 0, 2, 3).reshape(n, -1)
    between = by_map @ by_map.T / by_map.shape[1]
    return float((across + along) / 2), float(between[~np.eye(n, dtype=bool)].mean())
