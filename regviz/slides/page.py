"""Slides as one HTML file that plays and scrubs the training from a disk, without any network.

The figures are those of the app (:mod:`regviz.figures.live`), filled with the last frame; what
changes from frame to frame lies beside them, boundaries as bytes. Plotly's JavaScript is in the
file, and the file forbids itself to fetch anything.
"""

from __future__ import annotations

import base64
import html as escaping
import json
import math
from collections.abc import Callable, Sequence
from importlib import resources
from string import Template
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from regviz.figures import live as figures
from regviz.figures.palette import scale
from regviz.figures.scripts import joined
from regviz.frames import Frame, LaneFrame
from regviz.results import metrics
from regviz.slides import classes, words
from regviz.slides.numbers import NUMBERS
from regviz.slides.runs import Runs
from regviz.slides.slide import FIGURES, LAYOUTS, Slide
from regviz.specs.text import escaped, shortened

_FONT = 13.0  # font size of a slide at which letters have the size of the app's figures
_ABOVE = {"boundary": 84, "difference": 56, "curves": 56, "accuracy": 56, "histogram": 98}
"""Pixels above a figure's axes, for its legend and its panels' titles."""


def html(runs: Runs, slide: Slide) -> bytes:
    """Return the page, UTF-8."""
    palette, frames = slide.palette, runs.moments(slide.frames)
    described = [_figure(name, runs, slide, frames) for name in slide.figures]
    said = words.slide_title(runs, slide, slide.figures)
    columns = min(len(slide.figures), LAYOUTS[slide.layout or "two"][1])
    footer = []
    if slide.caption:
        footer.append(f"<p>{_safe(words.below(runs, slide.figures))}</p>")
    if slide.link:
        footer.append(f'<p><a href="{_safe(slide.link)}">{_safe(slide.link)}</a></p>')
    data = {
        "epochs": [frame.epoch for frame in frames],
        "interval": round(1000 * slide.seconds / max(1, len(frames))),
        "enlarged": slide.font_size / _FONT,
        "figures": described,
    }
    files = resources.files("regviz.slides")
    template = Template(files.joinpath("page.html").read_text(encoding="utf-8"))
    page = template.substitute(
        title=_safe(words.slide_title(runs, slide, slide.figures, named=True)),
        heading=_safe(said),
        scheme=palette.name,
        base=f"{100 / 1920 * 15 * slide.font_size / _FONT:.3f}",
        background=palette.background,
        text=palette.text,
        muted=palette.muted,
        surface=palette.surface,
        primary=palette.primary,
        grid=palette.grid,
        columns=columns,
        hidden="" if len(frames) > 1 else "hidden",
        last=max(0, len(frames) - 1),
        figures="\n".join(
            _box(i, name, runs, slide, palette.lane) for i, name in enumerate(slide.figures)
        ),
        footer="\n".join(footer),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        script=joined(files, ("page.js",)),
        # "<!--" and "<script" change how a browser reads the rest
        data=json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    )
    return page.encode()


def _safe(text: str) -> str:
    return escaping.escape(text)


def _box(number: int, name: str, runs: Runs, slide: Slide, color: Callable[[int], str]) -> str:
    """Return the HTML element of one figure."""
    said, chart = _safe(words.describe(name, runs)), runs.chart(name)
    if chart is not None and len(slide.figures) == 1 and slide.title in (None, chart.title):
        # the page has the same title
        return f'<figure aria-label="{said}"><div><div id="figure-{number}"></div></div></figure>'
    if name != "numbers":
        return (
            f'<figure aria-label="{said}"><h2>{_safe(runs.title_of(name))}</h2>'
            f'<div><div id="figure-{number}"></div></div></figure>'
        )
    heads = "".join(
        f'<th scope="col" style="color: {color(i)}">{_safe(label)}</th>'
        for i, label in enumerate(runs.labels)
    )
    cells = "<td></td>" * len(runs.labels)
    rows = "".join(f'<tr><th scope="row">{row}</th>{cells}</tr>' for row, _ in NUMBERS)
    return (
        f'<div class="numbers"><table id="figure-{number}"><caption>{FIGURES[name]}</caption>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _figure(name: str, runs: Runs, slide: Slide, frames: Sequence[Frame]) -> dict[str, Any]:
    """Return one figure at the last frame, and the values that change with each frame."""
    chart = runs.chart(name)
    if chart is not None:
        return {"kind": "chart", "figure": _chart(json.loads(chart.figure), slide)}
    lanes, data = runs.last.lanes, runs.last.data
    assert data is not None
    labels = [escaped(shortened(label, 60)) for label in runs.labels]
    out: dict[str, Any] = {"kind": name}
    if name == "numbers":
        out["steps"] = [
            [[text(metrics.read(lane)) for lane in frame.lanes] for _, text in NUMBERS]
            for frame in frames
        ]
        return out
    if name == "difference":
        figure = _difference_axes(data[0].extent, labels, runs, slide)
        out["colors"] = {"response": [_rgb(c) for c in slide.palette.difference], "width": 3.5,
                         "lines": [slide.palette.lane(i) for i in range(2)]}  # fmt: skip
        out["steps"] = [[_pixels(lane) for lane in frame.lanes] for frame in frames]
    elif name == "boundary":
        kinds = runs.kinds
        figure = figures.decision_boundary(
            labels, show_difference=False, classes=kinds, palette=slide.palette
        )
        figures.fill_decision_boundary(figure, data, classes=kinds)
        shown = [lane.boundary is not None or lane.class_map is not None for lane in lanes]
        drawn = [i for i, is_shown in enumerate(shown) if is_shown]
        _name(figure, len(lanes), runs)
        out["colors"] = {
            "response": [_rgb(c) for c in slide.palette.response],
            "contour": slide.palette.contour,
            "width": 3.5 if len(lanes) <= 2 else 6,  # more pictures are drawn smaller
        }
        _arrange(figure, len(lanes), data[0].extent, runs, slide)
        figure.layout.images = [_picture(i, data[i].extent) for i in drawn]
        out["steps"] = [
            [_pixels(frame.lanes[i]) if kinds == 2 else _image(frame.lanes[i], kinds, slide)
             for i in drawn]
            for frame in frames
        ]  # fmt: skip
    elif name == "histogram":
        layers = len(lanes[0].layers)
        figure = figures.weight_histogram(labels, layers=layers, palette=slide.palette)
        figures.fill_weight_histogram(figure, labels, lanes)
        out["steps"] = [
            [[_weights(lane, layer) for lane in frame.lanes] for layer in range(layers)]
            for frame in frames
        ]
    else:
        accuracy = name == "accuracy"
        longest = max(2, *(lane.history.shape[1] for lane in lanes))
        figure = figures.loss_curves(
            labels, epochs=longest, show_accuracy=accuracy, palette=slide.palette
        )
        figures.fill_loss_curves(figure, lanes)
        names = ("train_accuracy", "val_accuracy") if accuracy else ("train_loss", "val_loss")
        out["curves"] = [[_finite(lane, curve) for curve in names] for lane in lanes]
        out["top"] = float(figure.layout.yaxis.range[1])
        out["steps"] = [
            [
                {
                    "epoch": lane.history.shape[1],
                    "best": lane.best_epoch,
                    "stopped": lane.stopped_epoch,
                    "diverged": lane.status == "diverged",
                }
                for lane in frame.lanes
            ]
            for frame in frames
        ]
    out["figure"] = _for_browser(figure, name)
    return out


def _rgb(color: str) -> list[int]:
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def _chart(figure: dict[str, Any], slide: Slide) -> dict[str, Any]:
    """Return a chart without its title, which the page shows, and with room for its legend."""
    layout = figure["layout"]
    for name in ("title", "height", "width", "meta", "uirevision"):
        layout.pop(name, None)
    legend = layout.setdefault("legend", {})
    legend |= {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "top"}
    legend["yref"] = "container"
    layout["margin"] = {"l": 70, "r": 24, "t": 84, "b": 60} | {
        side: room for side, room in layout.get("margin", {}).items() if side in "r"
    }
    layout |= {"paper_bgcolor": slide.palette.background, "autosize": True}
    return {"data": figure["data"], "layout": layout}


def _name(figure: go.Figure, lanes: int, runs: Runs) -> None:
    """Put the names of classes and columns into the traces of a boundary."""
    kinds = runs.kinds
    short, whole = map(escaped, runs.class_names), map(escaped, runs.whole_class_names)
    names = [(a, b.replace("%{", "%\u200b{")) for a, b in zip(short, whole, strict=True)]
    for i, trace in enumerate(figure.data):
        if i < 2 * kinds * lanes:
            k = i % kinds
            rest = trace.name.removeprefix(f"class {k}")
            hover = trace.hovertemplate.replace("%{fullData.name}", names[k][1] + rest)
            for usual, name in zip(("x₀", "x₁"), runs.column_names or (), strict=False):
                hover = hover.replace(usual, escaped(name).replace("%{", "%\u200b{"), 1)
            trace.update(name=names[k][0] + rest, hovertemplate=hover)
        elif trace.marker.showscale:
            title = trace.marker.colorbar.title
            title.text = title.text.replace("class 1", escaped(runs.one))


def _columns(runs: Runs) -> tuple[str, str]:
    """Return the titles of both axes."""
    if runs.column_names is None:
        return "x₀", "x₁"
    first, second = (escaped(shortened(name, 30)) for name in runs.column_names)
    return f"{first} (standardized)", f"{second} (standardized)"


def _difference_axes(
    extent: tuple[float, float, float, float], labels: Sequence[str], runs: Runs, slide: Slide
) -> go.Figure:
    """Return axes, the scale of colours, and the place of the picture of the difference."""
    palette, one, (x0, x1) = slide.palette, escaped(runs.one), _columns(runs)
    figure = figures.decision_boundary(["", ""], show_difference=False, palette=palette)
    drawn = figure.layout.xaxis.to_plotly_json()
    look = {name: drawn[name] for name in ("linecolor", "tickfont") if name in drawn}
    low, high, bottom, top = extent
    figure = go.Figure(layout={"font": figure.layout.font, "template": None})
    figure.add_scatter(
        x=[None], y=[None], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"color": [0], "cmin": -1, "cmax": 1, "showscale": True,
                "colorscale": scale(palette.difference),
                "colorbar": {"title": {"text": f"change of P({one})", "side": "right"},
                             "tickvals": [-1, -0.5, 0, 0.5, 1],
                             "ticktext": ["−1", "−½", "0", "½", "1"], "thickness": 16}},
    )  # fmt: skip
    for i, label in enumerate(labels):
        figure.add_scatter(
            x=[None], y=[None], mode="lines", name=f"{label}: P({one}) = ½",
            line={"color": palette.lane(i), "width": 2.5},
        )  # fmt: skip
    common = {**look, "showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(range=[low, high], title_text=x0, constrain="domain", **common)
    figure.update_yaxes(
        range=[bottom, top], title_text=x1, scaleanchor="x", constrain="domain", **common
    )
    figure.update_layout(
        images=[_picture(0, extent)], paper_bgcolor=palette.background,
        plot_bgcolor=palette.background, margin={"l": 54, "r": 84, "b": 50},
        legend={"orientation": "h", "x": 0, "yref": "container", "yanchor": "top"},
    )  # fmt: skip
    return figure


def _arrange(
    figure: go.Figure, n: int, extent: tuple[float, float, float, float], runs: Runs, slide: Slide
) -> None:
    """Put the panels of a boundary into the rows in which they come out largest."""
    rows_of, columns_of = LAYOUTS[slide.layout or ("one", "two", "grid", "grid")[_few(slide)]]
    width, height = 1750 / columns_of - 160, 800 / rows_of - 110
    aspect = (extent[1] - extent[0]) / (extent[3] - extent[2])
    columns = max(
        range(1, n + 1),
        key=lambda c: min(width / c - 30, (height / math.ceil(n / c) - 50) * aspect),
    )
    rows, (x0, x1) = math.ceil(n / columns), _columns(runs)
    gap_x, gap_y = 30 / width, 75 / height
    w, h = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (rows - 1)) / rows
    for i in range(n):
        row, column = divmod(i, columns)
        left, top = column * (w + gap_x), 1 - row * (h + gap_y)
        number = "" if i == 0 else str(i + 1)
        x, y = figure.layout[f"xaxis{number}"], figure.layout[f"yaxis{number}"]
        x.update(domain=[left, left + w], title={"text": x0 if i + columns >= n else ""})
        y.update(domain=[max(0.0, top - h), top], showticklabels=column == 0)
        y.title = {"text": x1 if column == 0 else "", "standoff": 8}
        if i:
            y.scaleanchor = None  # it follows from sharing both ranges with the first panel
        named = figure.layout.annotations[i]
        long = 0.62 * len(named.text) * 15 * slide.font_size / _FONT  # pixels, roughly
        named.update(x=left + w / 2, y=top)
        named.font.size = 15 * min(1.0, w * width / long)
    marks = [trace.marker for trace in figure.data if trace.marker.showscale]
    bar = marks[-1].colorbar
    bar.update(
        orientation="v", x=1.02, xanchor="left", y=0.5, yref="paper", yanchor="middle", len=0.8
    )
    bar.update(title={"text": bar.title.text.strip(), "side": "right"}, thickness=16)
    figure.layout.margin = {"l": 54, "r": 84, "b": 50}


def _few(slide: Slide) -> int:
    return min(len(slide.figures), 4) - 1


def _picture(panel: int, extent: tuple[float, float, float, float]) -> dict[str, Any]:
    """Return the place of a picture under the points of a panel."""
    low, high, bottom, top = extent
    n = "" if panel == 0 else str(panel + 1)
    place = {"x": low, "y": top, "sizex": high - low, "sizey": top - bottom}
    return {"xref": f"x{n}", "yref": f"y{n}", "sizing": "stretch", "layer": "below", **place}


def _pixels(lane: LaneFrame) -> list[Any] | None:
    if lane.boundary is None:
        return None
    return [*lane.boundary.shape, base64.b64encode(lane.boundary.tobytes()).decode()]


def _image(lane: LaneFrame, kinds: int, slide: Slide) -> str | None:
    class_map = classes.class_map_of(lane)
    return None if class_map is None else classes.png(class_map, kinds, slide.palette)


def _weights(lane: LaneFrame, layer: int) -> dict[str, Any]:
    limit = float(lane.limits[layer])
    return {
        "counts": lane.histogram[layer].tolist(),
        "limit": limit if math.isfinite(limit) else 1.0,
        "zeros": int(lane.zeros[layer]),
    }


def _finite(lane: LaneFrame, name: str) -> list[float | None]:
    return [
        float(f"{value:.4g}") if math.isfinite(value) else None
        for value in lane.curve(name).tolist()
    ]


def _for_browser(figure: go.Figure, name: str) -> dict[str, Any]:
    """Return a figure as JSON values, as high as its place."""
    value = json.loads(figure.to_json())
    layout = value["layout"]
    layout.pop("height", None)
    layout.pop("meta", None)  # hints to the app
    layout.pop("title", None)  # the page has headings
    layout["margin"]["t"] = _ABOVE[name]
    layout["legend"] = layout.get("legend", {}) | {"y": 1}
    return {"data": value["data"], "layout": layout}
