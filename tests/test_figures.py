"""Figures, palette, and the messages that carry them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from regviz.figures import info
from regviz.figures import live as figures
from regviz.figures.palette import CLASS_SYMBOLS, DARK, LIGHT, Palette
from regviz.frames import Frame
from regviz.frames import messages as packing
from regviz.specs import MAX_CLASSES
from tests.live_page import EPOCHS, LABELS, made_up_frame

ROOT = Path(__file__).resolve().parents[1]
SKELETONS: dict[str, Any] = {
    "loss": lambda p: figures.loss_curves(LABELS, epochs=300, palette=p),
    "loss, log": lambda p: figures.loss_curves(LABELS, epochs=300, log_scale=True, palette=p),
    "accuracy": lambda p: figures.loss_curves(LABELS, epochs=300, show_accuracy=True, palette=p),
    "boundary": lambda p: figures.decision_boundary(LABELS, palette=p),
    "boundary of one": lambda p: figures.decision_boundary(
        ("only",), show_difference=False, palette=p
    ),
    "boundary of five": lambda p: figures.decision_boundary(
        "abcde", show_difference=False, palette=p
    ),
    "three classes": lambda p: figures.decision_boundary(LABELS, classes=3, palette=p),
    "histogram": lambda p: figures.weight_histogram(LABELS, layers=3, palette=p),
    "histogram of nine": lambda p: figures.weight_histogram(LABELS, layers=9, palette=p),
}


# --- figures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
@pytest.mark.parametrize("name", SKELETONS)
def test_skeletons_have_titles_named_axes_and_a_legend_off_the_data(
    name: str, palette: Palette
) -> None:
    figure: go.Figure = SKELETONS[name](palette)
    layout = figure.layout
    assert layout.title.text
    first = [axis for axis in (layout.xaxis, layout.yaxis) if axis.title.text]
    assert len(first) == 2
    for key in layout:
        if key.startswith("xaxis"):
            assert layout[key].title.text, key
    # the legend hangs from the top of the container, above the top margin's end
    assert (layout.legend.yref, layout.legend.yanchor) == ("container", "top")
    assert (1 - layout.legend.y) * layout.height < layout.margin.t
    assert any(trace.showlegend is not False and trace.name for trace in figure.data)


def test_units_stand_at_the_axes() -> None:
    assert "nats" in SKELETONS["loss"](LIGHT).layout.yaxis.title.text
    assert SKELETONS["loss"](LIGHT).layout.xaxis.title.text == "epoch"
    assert SKELETONS["accuracy"](LIGHT).layout.yaxis.tickformat == ".0%"
    assert "P(class 1)" in SKELETONS["boundary"](LIGHT).to_json()


def test_curves_run_over_all_epochs_from_the_start() -> None:
    assert list(SKELETONS["loss"](LIGHT).layout.xaxis.range) == [1, 300]


def test_train_and_validation_differ_in_dash_and_lanes_in_colour_and_width() -> None:
    figure = SKELETONS["loss"](LIGHT)
    train, validation, _, _ = figure.data[:4]
    other = figure.data[5]
    assert train.line.dash != validation.line.dash
    assert train.line.color == validation.line.color != other.line.color
    assert validation.line.width != other.line.width


def test_filled_figures_hold_the_frame() -> None:
    frame = made_up_frame("a", EPOCHS)
    assert frame.data is not None
    curves = figures.fill_loss_curves(SKELETONS["loss"](LIGHT), frame.lanes)
    np.testing.assert_array_equal(curves.data[5].y, frame.lanes[1].curve("val_loss"))
    star = curves.data[7]
    assert list(star.x) == [50]
    assert star.y[0] == frame.lanes[1].curve("val_loss")[49]
    assert curves.layout.yaxis.range[1] >= max(curves.data[1].y)

    boundary = figures.fill_decision_boundary(SKELETONS["boundary"](LIGHT), frame.data)
    left, right, bottom, top = frame.data[0].extent
    assert boundary.layout.xaxis.range == boundary.layout.xaxis3.range == (left, right)
    assert boundary.layout.yaxis.range == (bottom, top)
    assert sum(len(t.x) for t in boundary.data if t.type == "scatter" and t.xaxis == "x2") == 300

    figure = figures.weight_histogram(LABELS, layers=2)
    weights = figures.fill_weight_histogram(figure, LABELS, frame.lanes)
    assert weights.data[4 + 3].y[0] == 7 * EPOCHS
    assert "with 1,400 of 500" in weights.layout.annotations[3].text


def test_a_diverged_loss_leaves_a_gap_and_no_nan_reaches_the_browser() -> None:
    frame = made_up_frame("a", 10)
    frame.lanes[0].history[:, 6:] = np.nan
    frame.lanes[0].history[0, 5] = np.inf
    figure = figures.fill_loss_curves(SKELETONS["loss"](LIGHT), frame.lanes)
    text = figure.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert np.isfinite(figure.layout.yaxis.range).all()


@pytest.mark.parametrize("name", ["loss", "loss, log", "accuracy"])
def test_lanes_that_diverge_have_crosses_within_the_axes(name: str) -> None:
    frame = made_up_frame("a", 1, diverged=(2e11, np.inf))
    figure = SKELETONS[name](LIGHT)
    figures.fill_loss_curves(figure, frame.lanes)
    low, high = figure.layout.yaxis.range
    crosses = [figure.data[3], figure.data[7]]
    for cross, loss in zip(crosses, ("2e+11", "inf"), strict=True):
        assert list(cross.x) == [1]
        assert list(cross.marker.symbol) == ["x"]
        y = np.log10(cross.y[0]) if figure.layout.yaxis.type == "log" else cross.y[0]
        assert low < y < high
        assert f"diverged in epoch 1: training loss {loss}" in cross.text[0]
    assert name == "accuracy" or crosses[0].y[0] != crosses[1].y[0]
    assert figure.data[-1].showlegend
    assert figure.data[1].mode == "lines+markers"


def test_a_message_tells_the_last_losses_of_a_lane_that_diverged() -> None:
    frame = made_up_frame("a", 4, diverged=(2.5e11, np.nan))
    header, arrays = packing.unpack(packing.pack_frame("c", "r", frame))
    assert header["lanes"][0]["end"] == pytest.approx([2.5e11, 2.5e11])
    assert header["lanes"][1]["end"] == [None, None]
    assert np.isfinite(arrays["c0"][0]).tolist() == [True, True, True, False]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_the_loss_axis_ends_a_little_above_all_values_and_moves_in_steps(
    values: list[float],
) -> None:
    top = info.curve_top([np.array([*values, np.nan, np.inf])])
    assert max(values) < top <= 2.1 * max(values)
    lead = top / 10 ** np.floor(np.log10(top))
    assert min(abs(lead - s) for s in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)) < 1e-6


# --- palette ---------------------------------------------------------------------------------

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(color: str) -> NDArray[np.float64]:
    c = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(c)) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
@pytest.mark.parametrize("eyes", DEFICIENCIES)
def test_what_must_be_told_apart_stays_apart_for_colour_blind_eyes(
    eyes: str, palette: Palette
) -> None:
    pairs = [
        palette.lanes[:2],
        palette.classes[:2],
        (palette.response[0], palette.response[2]),
        (palette.difference[0], palette.difference[2]),
        (palette.classes[0], palette.response[0]),  # a point on its own side
        (palette.classes[1], palette.response[2]),
    ]
    for a, b in pairs:
        seen = [lab(DEFICIENCIES[eyes] @ linear(color)) for color in (a, b)]
        assert np.linalg.norm(seen[0] - seen[1]) > 20, (a, b)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
@pytest.mark.parametrize("eyes", DEFICIENCIES)
def test_ten_classes_stay_apart_as_far_as_ten_can(eyes: str, palette: Palette) -> None:
    def seen(color: str) -> NDArray[np.float64]:
        return lab(DEFICIENCIES[eyes] @ linear(color))

    points, areas = [[seen(c) for c in of] for of in (palette.classes, palette.areas)]
    for (a, area_a), (b, area_b) in itertools.combinations(zip(points, areas, strict=True), 2):
        assert np.linalg.norm(a - b) > 25
        assert np.linalg.norm(area_a - area_b) > 9
    for point, area, color in zip(points, areas, palette.classes, strict=True):
        assert np.linalg.norm(point - area) > 15  # a point on its own side
        assert contrast(color, palette.background) >= 2.9
    # and hue is not alone: each has a mark of its own
    assert len(set(CLASS_SYMBOLS)) == len(palette.classes) == MAX_CLASSES


@pytest.mark.parametrize("kinds", [3, 10])
def test_of_several_classes_each_has_its_mark_and_validation_is_open(kinds: int) -> None:
    figure = figures.decision_boundary(LABELS, classes=kinds)
    points = figure.data[: 2 * kinds]
    for k in range(kinds):
        train, validation = points[k], points[kinds + k]
        assert train.name == validation.name == f"class {k}"
        assert train.marker.symbol == CLASS_SYMBOLS[k]
        assert validation.marker.symbol == f"{CLASS_SYMBOLS[k]}-open"
        assert (train.showlegend, validation.showlegend) == (True, False)
    shown = [t.name for t in figure.data if t.showlegend is not False]
    assert shown == [*(f"class {k}" for k in range(kinds)), "training", "validation"]
    bar, difference = figure.data[4 * kinds : 4 * kinds + 2]
    assert bar.marker.cmin == pytest.approx(1 / kinds)
    assert difference.marker.colorbar.ticktext == ("same class", "another class")
    assert figure.layout.annotations[2].text == "<b>with ≠ without</b>"


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_words_and_lines_stand_out_from_the_page(palette: Palette) -> None:
    for surface in (palette.background, palette.surface):
        for color in (palette.text, palette.muted, palette.good, palette.warn, palette.bad):
            assert contrast(color, surface) >= 4.5, (color, surface)
    for color in palette.lanes:
        assert contrast(color, palette.background) >= 3, color


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_the_pages_theme_is_the_palette(palette: Palette) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    theme = config["theme"][palette.name]
    assert theme["backgroundColor"] == palette.background
    assert theme["secondaryBackgroundColor"] == palette.surface
    assert theme["textColor"] == palette.text
    assert theme["borderColor"] == palette.border
    assert theme["primaryColor"] == palette.primary
    assert theme["chartCategoricalColors"] == list(palette.lanes)


# --- messages --------------------------------------------------------------------------------


def frames_of(size: int) -> Frame:
    return made_up_frame("a", size)


@given(st.integers(0, 5000), st.integers(4, 500))
def test_thinning_keeps_first_last_and_what_it_is_told(n: int, most: int) -> None:
    keep = [n // 2] if n else []
    at = packing.thin(n, most, keep)
    assert len(at) <= most
    assert (np.diff(at) > 0).all()
    if n:
        assert at[0] == 0
        assert at[-1] == n - 1
        assert n // 2 in at
    if n > 2 * most:
        assert np.diff(at).max() <= 2 * n / most + 2


@given(st.lists(st.tuples(st.integers(-8, 3), st.integers(0, 2**32 - 1)), min_size=1, max_size=4))
def test_merged_histograms_count_the_same_weights_on_common_bins(
    lanes: list[tuple[int, int]],
) -> None:
    limits = [2.0**power for power, _ in lanes]
    weights = [
        np.random.default_rng(seed).uniform(-limit, limit, 300)
        for limit, (_, seed) in zip(limits, lanes, strict=True)
    ]
    fine = [
        np.histogram(w, 128, (-limit, limit))[0].astype(np.uint32)
        for w, limit in zip(weights, limits, strict=True)
    ]
    merged, limit = packing.merge_histograms(fine, limits)
    assert limit == max(limits)
    for row, w in zip(merged, weights, strict=True):
        expected = np.histogram(w, packing.BINS, (-limit, limit))[0]
        if max(limits) / min(limits) <= 64:
            np.testing.assert_array_equal(row, expected)
        assert row.sum() == 300


def test_a_lane_whose_weights_are_no_numbers_does_not_spoil_the_others() -> None:
    counts = np.ones(128, np.uint32)
    merged, limit = packing.merge_histograms([counts, counts], [float("nan"), 2.0])
    assert limit == 2
    assert merged.sum(axis=1).tolist() == [0, 128]


@given(st.lists(st.floats(width=16, allow_nan=False), max_size=50))
def test_curves_travel_as_numpy_rounds_them(values: list[float]) -> None:
    array = np.array(values, np.float32)
    np.testing.assert_array_equal(packing.half_precision(array).astype(np.float32), array)


def test_losses_too_large_for_half_precision_become_gaps_without_a_warning() -> None:
    assert packing.half_precision(np.array([1e6, 2.0], np.float32)).tolist() == [np.inf, 2.0]


def test_points_keep_their_place_and_their_kind() -> None:
    frame = frames_of(3)
    assert frame.data is not None
    view = frame.data[0]
    place, kind = packing.quantize_points(view)
    low, high = np.array(view.extent[::2]), np.array(view.extent[1::2])
    inside = ((view.x >= low) & (view.x <= high)).all(axis=1)
    np.testing.assert_allclose(
        (low + place / 65535 * (high - low))[inside], view.x[inside], atol=1e-4
    )
    np.testing.assert_array_equal(kind & 127, view.y)
    np.testing.assert_array_equal(kind >> 7 == 1, view.is_val)


def test_a_frame_on_the_way_is_what_the_run_showed() -> None:
    frame = frames_of(150)
    header, arrays = packing.unpack(packing.pack_frame("c", "r", frame))
    assert (header["channel"], header["run"]) == ("c", "r")
    assert (header["epoch"], header["epochs"], header["done"]) == (150, EPOCHS, False)
    for i, lane in enumerate(frame.lanes):
        np.testing.assert_array_equal(arrays[f"b{i}"], lane.boundary)
        for row, name in zip(arrays[f"c{i}"], packing.CURVES, strict=True):
            np.testing.assert_allclose(row, lane.curve(name), rtol=1e-3, atol=1e-6)
    assert header["frame"]["layers"][1]["zeros"] == [0, 7 * 150]


@pytest.mark.parametrize("epochs", [1, 300, 5000])
def test_a_live_frame_of_two_lanes_is_at_most_20_kB(epochs: int) -> None:
    frame = frames_of(min(epochs, EPOCHS - 1))
    lanes = []
    for lane in frame.lanes:
        history = np.resize(lane.history, (6, epochs))
        boundary = np.resize(np.asarray(lane.boundary), (100, 100))
        vars(lane).update(history=history, epoch=epochs, boundary=boundary, status="running")
        lanes.append(lane)
    data = packing.pack_frame("c", "r", frame, with_points=epochs < 10)
    assert len(data) <= 20_000


def test_an_image_of_classes_travels_as_it_is_and_stays_small() -> None:
    rng = np.random.default_rng(0)
    frame = frames_of(EPOCHS - 1)
    lanes = tuple(
        dataclasses.replace(
            lane, boundary=None, class_map=rng.integers(0, 10, (2, 64, 64)).astype(np.uint8)
        )
        for lane in frame.lanes
    )
    frame = dataclasses.replace(frame, lanes=lanes)
    packed = packing.pack_frame("c", "r", frame, with_points=False)
    header, arrays = packing.unpack(packed)
    for i, lane in enumerate(lanes):
        np.testing.assert_array_equal(arrays[f"b{i}"], lane.class_map)
    assert "none" not in header["frame"]
    assert len(packed) <= 28_000
    _, arrays = packing.unpack(packing.pack_bundle("c", "r", [frame, frame]))
    np.testing.assert_array_equal(arrays["1.b0"], lanes[0].class_map)
    sweep = packing.pack_sweep("c", "r", [frame] * 21, values=["1"] * 21, name="x")
    assert len(sweep) <= 600_000


def test_the_bundle_holds_every_stored_frame() -> None:
    frames = [frames_of(n) for n in (0, 10, 20, EPOCHS)]
    header, arrays = packing.unpack(packing.pack_bundle("c", "r", frames, state="finished"))
    assert [entry["epoch"] for entry in header["stored"]] == [0, 10, 20, EPOCHS]
    for n, (i, lane) in itertools.product(range(4), enumerate(frames[0].lanes)):
        assert lane.boundary is not None
        np.testing.assert_array_equal(arrays[f"{n}.b{i}"], frames[n].lanes[i].boundary)


def test_where_there_is_no_boundary_a_sentence_says_why() -> None:
    header, arrays = packing.unpack(packing.pack_frame("c", "r", made_up_frame("a", 1, "digits")))
    assert "b0" not in arrays
    assert "these data have 10" in header["frame"]["none"]


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(ValueError, match="do not begin with RVL1"):
        packing.unpack(b"RVF1....")
