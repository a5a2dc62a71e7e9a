"""Every figure of the app on a slide: matplotlib draws the data of the Plotly figure."""

from __future__ import annotations

import functools
import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.image import AxesImage
from PIL import Image
from pptx import Presentation

from regviz import slides
from regviz.figures import images as image_figures
from regviz.figures import labs as lab_figures
from regviz.figures import lessons as lesson_figures
from regviz.figures import sequences as sequence_figures
from regviz.figures import sweeps as sweep_figures
from regviz.figures import theory as theory_figures
from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.frames import Frame
from regviz.labs import LabFrame, start
from regviz.results import metrics, sweeps
from regviz.results.stopping import trace
from regviz.slides import Chart, Runs, Slide, paper, plotted, process, stills
from regviz.specs import EarlyStoppingSpec, Experiment, SpecError
from regviz.training.run import train
from tests.test_slides import _boxes

PLAIN = {"data": {"n_samples": 60}, "model": {"hidden": [6, 6]}}
SELECT = {"data": {"kind": "linear", "n_samples": 60, "irrelevant_features": 4},
          "model": {"hidden": [6]}}  # fmt: skip
DIGITS = {"data": {"kind": "digits"}, "model": {"kind": "cnn", "hidden": [4, 6]}}


@functools.cache
def lab(name: str, **parameters: Any) -> LabFrame:
    *_, frame = start(name, parameters)
    return frame


@functools.cache
def frames(given: str, technique: str, value: float, epochs: int) -> list[Frame]:
    e = Experiment.from_dict(json.loads(given) | {"training": {"epochs": epochs, "lr": 0.01}})
    return [f for f in train((e, e.replace(technique, value))) if f.epoch]


def run() -> list[Frame]:
    return frames(json.dumps(PLAIN), "regularization.label_smoothing", 0.1, 12)


def digits() -> Frame:
    return frames(json.dumps(DIGITS), "regularization.dropout", 0.5, 1)[-1]


@functools.cache
def swept(fields: int, seeds: int) -> tuple[sweeps.Sweep, sweeps.Outcome]:
    base = Experiment.from_dict(PLAIN | {"training": {"epochs": 4, "lr": 0.01}})
    axes = (
        sweeps.spread("regularization.l2", 1e-3, 1, 4),
        sweeps.spread("regularization.dropout", 0, 0.8, 3),
    )
    sweep = sweeps.Sweep(base, axes[:fields], seeds)
    *_, last = train(sweep.experiments)
    return sweep, sweeps.outcome(sweep, last)


def theatre(p: Palette) -> go.Figure:
    losses, rule = run()[-1].lanes[0].curve("val_loss"), EarlyStoppingSpec(patience=2)
    return lesson_figures.stopping_theatre(losses, trace(losses.tolist(), rule), rule, p)


def marked(p: Palette) -> go.Figure:
    lane = run()[-1].lanes[0]
    at = metrics.overfitting_begins(lane.curve("val_loss").tolist())
    return lesson_figures.marked_run(lane, 5, at, [4, 9], p)


def attention(p: Palette) -> go.Figure:
    rng = np.random.default_rng(0)
    quiet = rng.dirichlet(np.ones(12), 12)
    noisy = np.where(rng.random((12, 12)) < 0.2, 0, quiet) / 0.8
    return sequence_figures.attention_modes(quiet, noisy, rng.integers(0, 9, 12), p)


BOTH = ("without", "with")
CHECKS: dict[str, tuple[Callable[..., go.Figure], dict[str, Any]]] = {
    "dropout_ridge": (theory_figures.ridge_check, {"steps": 200}),
    "noise_tikhonov": (theory_figures.noise_check, {"epochs": 5}),
    "early_stopping_ridge": (theory_figures.stopping_check, {"steps": 200}),
    "l1_path": (theory_figures.l1_path, {"steps": 60}),
    "decay_equivalence": (theory_figures.decay_check, {"steps": 40}),
    "alpha_dropout_depth": (theory_figures.alpha_check, {"layers": 3, "width": 16, "batch": 32}),
    "label_smoothing_gap": (theory_figures.smoothing_check, {"steps": 40}),
    "batch_norm_scale": (theory_figures.scale_check, {"width": 8, "batch": 16}),
    "attention_row_sums": (sequence_figures.row_sums_check, {"draws": 50}),
    "recurrent_masks": (sequence_figures.masks_over_time, {"sequences": 20}),
    "dropout_shapes": (image_figures.dropout_shapes, {}),
    "image": (image_figures.gallery, {}),
    "audio": (lab_figures.sound, {}),
}
VIEWS = (
    lab_figures.masked_networks, lab_figures.train_and_eval, lab_figures.sub_networks,
    lab_figures.masked_mean, lab_figures.monte_carlo, lab_figures.ablation,
    lab_figures.twin_losses,
)  # fmt: skip
FIGURES: dict[str, Callable[[Palette], go.Figure]] = {
    **{
        name: lambda p, name=name, of=of: of[0](lab(name, **of[1]), p)  # type: ignore[misc]
        for name, of in CHECKS.items()
    },
    **{
        view.__name__: lambda p, view=view: view(  # type: ignore[misc]
            lab("microscope", epochs=20, passes=40), palette=p
        )
        for view in VIEWS
    },
    **{
        name: lambda p, name=name: lab_figures.misconception(name, lab(name), p)  # type: ignore[misc]
        for name in lab_figures.WALL
    },
    "geometry": lambda p: theory_figures.l1_geometry(lab("l1_path", steps=60), p),
    "reliability": lambda p: lesson_figures.reliability(run()[-1].lanes, BOTH, p),
    "targets": lambda p: lesson_figures.smoothed_targets(
        np.array([0, 1]), np.array([0.05, 0.95]), p
    ),
    "statistics": lambda p: lesson_figures.input_statistics(run(), BOTH, p),
    "ridges": lambda p: lesson_figures.weight_ridges(
        frames(json.dumps(SELECT), "regularization.l1", 0.1, 20), BOTH, 0, p
    ),
    "groups": lambda p: lesson_figures.input_groups(
        frames(json.dumps(SELECT), "regularization.l1", 0.1, 20), BOTH, 2, p
    ),
    "path": lambda p: lesson_figures.input_path(
        [0.01, 0.03, 0.1], np.array([[1, 1, 0.4], [1, 0.9, 0], [0.8, 0, 0]]), 2, p
    ),
    "curve": lambda p: lesson_figures.validation_curve(
        "dropout p", [0, 0.1, 0.5], [0.1, 0.2, 0.4], [0.5, 0.3, 0.6], p
    ),
    "stress": lambda p: lesson_figures.stress(
        "learning rate", ["0.001", "0.1"], ["plain", "norm"], run()[-1].lanes * 2, p
    ),
    "bands": lambda p: lesson_figures.seed_bands(run()[-1].lanes * 2, BOTH, p),
    "theatre": theatre,
    "patience": lambda p: lesson_figures.patience_curve(
        [0, 1, 2, 3], [0.5, 0.4, 0.4, 0.3], [3, 9, 9, 12], 2, p
    ),
    "marked": marked,
    "attention": attention,
    "maps": lambda p: image_figures.feature_maps(digits(), 1, 0, p),
    "probabilities": lambda p: image_figures.class_probabilities(digits(), BOTH, 0, p),
    "strength": lambda p: image_figures.strength_curve(
        [0, 1, 2], np.array([[0.9, 0.8]] * 3), np.array([[0.7, 0.6], [0.8, 0.6], [0.5, 0.4]]), p
    ),
    "sweep": lambda p: sweep_figures.validation_curve(*swept(1, 2), "val_loss", p),
    "plane": lambda p: sweep_figures.plane(*swept(2, 1), "gap", p),
}  # fmt: skip


def drawn(figure: go.Figure, palette: Palette = LIGHT) -> stills.Drawn:
    chart = Chart("chart", plotted.title_of(json.loads(figure.to_json())), figure.to_json(), "")
    runs = Runs((), (), charts=(chart,))
    with paper.drawing(paper.Style(palette, 18)):
        page = stills.draw(runs, Slide(figures=("chart",), theme=palette.name), ("chart",))
        page.figure.draw_without_rendering()
    return page


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_the_app_is_drawn_whole_and_readable(name: str) -> None:
    figure = FIGURES[name](LIGHT)
    page = drawn(figure)
    lines = [
        np.asarray(line.get_ydata(), float) for ax in page.figure.axes for line in ax.get_lines()
    ]
    pictures: list[Any] = [
        np.ma.filled(np.ma.asarray(picture.get_array()), np.nan).ravel()
        for ax in page.figure.axes
        for picture in (*ax.get_images(), *ax.collections)
        if isinstance(picture, AxesImage | QuadMesh)
    ]
    marks = [np.asarray(c.get_offsets()) for ax in page.figure.axes for c in ax.collections]
    bars = [patch for ax in page.figure.axes for patch in ax.patches]

    def among(values: Any, held: list[Any]) -> bool:
        wanted = np.array(values, float).ravel()
        return any(
            len(one) == len(wanted) and np.allclose(one, wanted, equal_nan=True) for one in held
        )

    for t in figure.data:
        if t.visible is False or (t.type != "heatmap" and (t.y is None or not len(t.y))):
            continue
        if t.type == "heatmap":
            assert among(t.z, pictures), t.name
        elif t.type == "bar":
            heights = [bar.get_height() for bar in bars if hasattr(bar, "get_height")]
            assert all(any(math.isclose(h, y) for h in heights) for y in t.y), t.name
        elif t.type == "scatter" and "lines" in (t.mode or "lines") and t.line.width != 0:
            assert among(t.y, lines), t.name
        elif t.type == "scatter" and "markers" in t.mode:
            ys = np.concatenate([m[:, 1] for m in marks])
            assert all(np.isclose(ys, y).any() for y in t.y if np.isfinite(y)), t.name
    boxes = list(_boxes(page))
    words = " ".join(text for text, _ in boxes)
    shown = {t.name for t in figure.data if t.showlegend and t.name and t.visible is not False}
    for legend in shown:
        assert legend in words
    right, top = page.figure.bbox.width, page.figure.bbox.height
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= right, text
        assert box.y1 <= top, text
    for i, (text, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert wide < 4 or high < 12, (text, other)


def test_the_dark_theme_has_its_own_colours() -> None:
    chart = Chart("c", "t", FIGURES["curve"](DARK).to_json(), "")
    slide = Slide(figures=("c",), theme="dark", scale=0.5)
    shown = Image.open(io.BytesIO(slides.render(Runs((), (), charts=(chart,)), slide, "png")))
    colors = {"#%02x%02x%02x" % c[:3] for _, c in shown.getcolors(10**6) or []}  # type: ignore[index]  # noqa: UP031
    assert {DARK.background, DARK.lane(1), DARK.good} <= colors


def test_what_cannot_be_drawn_is_refused_and_not_left_out() -> None:
    for figure in (
        go.Figure(go.Pie(values=[1, 2])),
        go.Figure(go.Scatter(x=[1], y=[1], mode="markers", marker={"symbol": "hash"})),
        go.Figure(go.Scatter(x=[1, 2], y=[1, 2], fill="tonexty")),
        go.Figure(layout={"shapes": [{"type": "circle", "x0": 0, "x1": 1, "y0": 0, "y1": 1}]}),
    ):
        with pytest.raises(plotted.Unknown):
            drawn(figure)


# --- a sweep on a slide --------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "seeds"), [(1, 2), (2, 1)])
def test_a_sweep_is_found_in_its_experiments(fields: int, seeds: int) -> None:
    sweep, _ = swept(fields, seeds)
    assert sweeps.found_in(sweep.experiments) == sweep
    for wrong in (sweep.experiments[:-1], sweep.experiments[::-1][:5], sweep.experiments[:1]):
        if wrong != sweep.experiments:
            with pytest.raises(SpecError, match="not all values of one or two fields"):
                sweeps.found_in(wrong)


def test_a_field_that_only_the_command_line_sweeps_is_one_too() -> None:
    e = Experiment()
    found = sweeps.found_in([e.replace("model.activation", a) for a in ("relu", "tanh")])
    assert found.axes[0].label == "Activation"
    assert found.axes[0].texts == ("relu", "tanh")


def test_a_sweep_goes_through_every_still_format_and_says_why_not_the_others() -> None:
    from regviz.slides.sweep import chart

    sweep, seen = swept(1, 2)
    runs = Runs((), (), charts=(chart(sweep, seen, "val_loss", LIGHT),))
    slide = Slide(figures=("sweep",), scale=0.5)
    assert Image.open(io.BytesIO(slides.render(runs, slide, "png"))).size == (960, 540)
    assert slides.render(runs, slide, "png") == process.render(runs, slide, "png")
    svg = slides.render(runs, slide, "svg").decode()
    (told,) = re.findall("<desc>(.*?)</desc>", svg)
    assert sweeps.sentence(sweep, seen) in told
    assert slides.render(runs, slide, "pdf").startswith(b"%PDF")
    assert b"Plotly.newPlot" in slides.render(runs, slide, "html")
    (page,) = Presentation(io.BytesIO(slides.render(runs, slide, "pptx"))).slides
    assert page.shapes.title.text_frame.text == "Validation loss over L2 λ"
    notes = page.notes_slide.notes_text_frame.text
    assert sweep.command in notes
    assert "± 1 standard error" in notes
    assert "seeds 0 to 1" in notes
    for format in ("gif", "webp"):
        with pytest.raises(SpecError, match=r"do not change during training; choose .*\.$"):
            slides.render(runs, slide, format)
    with pytest.raises(SpecError, match="charts only, no runs"):
        slides.render(runs, Slide(figures=("curves",)), "png")
    with pytest.raises(SpecError, match="measure"):
        chart(sweep, seen, "luck", LIGHT)
