"""The image lessons: twins against torch, labs, figures of real runs, and the pages."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from regviz.figures import images as image_figures
from regviz.figures.palette import DARK, LIGHT
from regviz.frames import Frame
from regviz.frames.lab import LabFrame
from regviz.labs import start
from regviz.scratch.dropout import spatial_dropout_forward
from regviz.specs import AugmentationSpec, Experiment
from regviz.training.run import Run
from tests.test_lessons import control, finished, opened, shown

CNN = Experiment.from_dict(
    {
        "data": {"kind": "digits", "n_samples": 120, "noise": 0.1},
        "model": {"kind": "cnn", "hidden": [6, 4]},
        "regularization": {"dropout": 0.5, "dropout_kind": "spatial"},
        "training": {"epochs": 4, "lr": 0.01},
    }
)
TURNED = CNN.without_regularization().replace("regularization.augmentation", {"degrees": 20})


@pytest.fixture(scope="module")
def last() -> Frame:
    run = Run([CNN.without_regularization(), CNN])
    for _ in run.steps():
        pass
    return run.frame()


def lab(name: str, **parameters: Any) -> LabFrame:
    *_, frame = start(name, parameters)
    return frame


# --- the twin ---------------------------------------------------------------------------------


def test_spatial_dropout_keeps_or_drops_whole_maps_and_the_mean() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 0.2, (4000, 3, 2, 2))
    y, mask = spatial_dropout_forward(x, 0.3, training=True, rng=rng)
    assert mask.shape == (4000, 3, 1, 1)
    assert set(np.unique(mask)) == {0.0, 1 / 0.7}
    np.testing.assert_array_equal(y, x * mask)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), x.mean(axis=(0, 2, 3)), atol=0.04)
    np.testing.assert_array_equal(spatial_dropout_forward(x, 0.3, training=False, rng=rng)[0], x)
    np.testing.assert_array_equal(spatial_dropout_forward(x, 0.0, training=True, rng=rng)[0], x)
    with pytest.raises(ValueError, match=r"^p: got 1"):
        spatial_dropout_forward(x, 1, training=True, rng=rng)


# --- the labs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_what_is_dropped_and_averaged_as_one_is_what_the_formula_says(dimensions: int) -> None:
    f = lab("dropout_shapes", dimensions=dimensions, seed=1)
    assert f.values["module"] == f"Dropout{dimensions}d"
    assert f.number("split") == 0
    assert f.number("shared") == f.number("shared_expected")
    by_channel = f.arrays["averaged"].sum(axis=(0, 2, 3))
    assert by_channel.tolist() == [f.number("shared"), 0, 0]
    gone = (f.arrays["whole"] == 0).all(axis=(2, 3)).sum()
    assert gone == f.number("dropped_whole")
    assert (f.arrays["element"] == 0).sum() == f.number("dropped_element")


def test_the_gallery_changes_as_asked_and_leaves_alone_where_nothing_is() -> None:
    off = dict.fromkeys(
        ("degrees", "translate", "scale", "horizontal_flip", "brightness", "contrast"), 0.0
    )
    still = lab("image", **off)
    assert still.number("distance") == 0
    assert (still.arrays["changed"] == still.arrays["original"]).all()
    mirrored = lab("image", **{**off, "horizontal_flip": 1.0})
    assert (mirrored.arrays["changed"] == still.arrays["original"][:, ::-1]).all()
    few, many = (lab("image", **{**off, "degrees": d}).arrays["degrees"] for d in (10.0, 20.0))
    np.testing.assert_allclose(2 * few, many, rtol=1e-5)  # the same draws
    noisy = lab("image", **{**off, "noise": 0.3, "count": 100})
    assert noisy.number("distance") == pytest.approx(0.3, abs=0.02)


# --- the figures ------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_dropped_maps_are_crossed_out_and_empty(last: Frame, palette: Any) -> None:
    kept = last.lanes[1].map_kept
    assert kept is not None
    figure = image_figures.feature_maps(last, 1, 2, palette)
    crosses = sum(len(t.x) for t in figure.data if t.type == "scatter")
    assert crosses == (kept[2] == 0).sum() > 0
    for layer in range(2):
        train = last.lanes[1].feature_maps(layer)[image_figures.TRAIN, 2]
        channels = last.lanes[1].map_shapes[0][0]
        gone = kept[2, :channels] == 0 if layer == 0 else kept[2, channels:] == 0
        assert (train[gone] == 0).all()
    assert figure.layout.font.color == palette.text


def test_probabilities_are_those_of_the_frame(last: Frame) -> None:
    figure = image_figures.class_probabilities(last, ("without", "with"), 4)
    probabilities = last.lanes[1].probabilities
    assert probabilities is not None
    np.testing.assert_allclose(figure.data[1].y, probabilities[0, 4])
    np.testing.assert_allclose(figure.data[2].y, probabilities[1, 4])
    assert not np.allclose(probabilities[0], probabilities[1])


def test_the_strength_curve_stars_the_best_mean_and_bands_hold_the_seeds() -> None:
    val = np.array([[0.8, 0.9], [0.9, 0.94], [0.3, 0.5]])
    figure = image_figures.strength_curve((0, 1, 4), val + 0.05, val)
    band, line, star = figure.data[-3:]
    np.testing.assert_allclose(line.y, [0.85, 0.92, 0.4])
    np.testing.assert_allclose(band.y[:3], val.max(axis=1))
    assert (star.x[0], star.y[0]) == ("×1", pytest.approx(0.92))


def test_equal_maps_are_fully_alike_and_noise_is_not(last: Frame) -> None:

    rng = np.random.default_rng(0)
    n = 16
    same = np.tile(rng.normal(size=(2, 10, 1)), (1, 1, n * 16)).astype(np.float32)
    noise = rng.normal(size=(2, 10, n * 16)).astype(np.float32)
    for maps, near, between in ((same, 1.0, 1.0), (noise, 0.0, 0.0)):
        lane = dataclasses.replace(last.lanes[0], maps=maps, map_shapes=((n, 4),))
        found = image_figures.map_correlations(lane)
        np.testing.assert_allclose(found, (near, between), atol=0.05)


# --- the pages --------------------------------------------------------------------------------


def markdown(at: AppTest) -> str:
    return " ".join(m.value for m in at.markdown)


def test_the_image_lesson_shows_maps_and_follows_the_digit_and_the_dimensions() -> None:
    at = finished(opened("images", CNN), lambda at: "P(3), the correct class" in markdown(at))
    assert "maps as a whole" in markdown(at)
    assert "less common in convolutional layers" in markdown(at)
    assert "nan" not in markdown(at)
    groups: list[Any] = list(at.get("button_group"))
    digit, dimensions = groups
    digit.set_value(7).run()
    assert "P(7), the correct class" in markdown(at)
    dimensions.set_value(3).run()
    finished(at, lambda at: any("BatchNorm3d averages over" in h.value for h in at.html))
    for label, value, field in (
        ("Dropout kind", "standard", "dropout_kind"),
        ("Dropout p", 0.2, "dropout"),
    ):
        control(at, label).set_value(value).run()
        assert getattr(shown(at).regularization, field) == value
    control(at, "Normalization").set_value("batch").run()
    assert shown(at).model.norm == "batch"
    finished(at)


def test_each_augmentation_control_reaches_the_experiment() -> None:
    at = opened("image_augmentation", TURNED)
    for label, value in (
        ("Degrees", 45.0),
        ("Translate", 0.2),
        ("Scale", 0.3),
        ("Horizontal flip", 0.5),
        ("Brightness", 0.4),
        ("Contrast", 0.6),
    ):
        control(at, label).set_value(value).run()
        assert not at.exception
    assert shown(at).regularization.augmentation == AugmentationSpec(45, 0.2, 0.3, 0.5, 0.4, 0.6)
    for label in ("Degrees", "Translate", "Scale", "Horizontal flip", "Brightness", "Contrast"):
        control(at, label).set_value(0.0).run()
    assert shown(at).regularization.augmentation is None


def test_the_augmentation_lesson_states_the_average_loss_and_draws_the_curve() -> None:
    at = finished(
        opened("image_augmentation", TURNED), lambda at: "average loss over T" in markdown(at)
    )
    assert "84 transformed images" in markdown(at)
    finished(at, lambda at: any("Is each still the same digit" in h.value for h in at.html))
    (button,) = [b for b in at.button if b.label.startswith("How much is too much?")]
    button.click().run()
    finished(at, lambda at: "Mean validation accuracy over 2 seeds" in markdown(at))


@pytest.mark.parametrize("page", ["images", "image_augmentation"])
def test_a_link_to_steps_too_large_is_shown_without_a_traceback(page: str) -> None:
    at = finished(opened(page, CNN.replace("training.lr", 1e6)))
    assert not at.exception


def test_strengths_times_a_factor_stay_in_range() -> None:
    spec = AugmentationSpec(100, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert spec.scaled(0.5) == AugmentationSpec(50, 0.25, 0.25, 0.25, 0.25, 0.25)
    assert spec.scaled(4) == AugmentationSpec(180, 1, 0.95, 1, 1, 1)
