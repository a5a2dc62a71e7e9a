"""The dropout microscope: masks, sub-networks, means of masked passes, ablation."""

from __future__ import annotations

import numpy as np
import pytest

from regviz import labs
from regviz.frames.lab import LabFrame
from regviz.labs.microscope import Weights, ablation, draw_masks, ensemble_error, log_loss
from regviz.specs import Experiment
from regviz.training.run import fit
from tests.test_labs import run_lab


@pytest.fixture(scope="module")
def frame() -> LabFrame:
    return run_lab("microscope", p=0.4, seed=3)


def linear_net() -> Weights:
    """Return a network whose ReLU units are all positive on the data, where it is thus linear."""
    rng = np.random.default_rng(0)
    matrices = (rng.uniform(0, 1, (2, 4)), rng.uniform(0, 1, (4, 4)), rng.uniform(-1, 1, (4, 1)))
    return Weights(matrices, (np.zeros(4), np.zeros(4), np.zeros(1)))


def test_it_trains_the_core_s_twins_and_shows_them_on_the_way() -> None:
    frames = list(labs.start("microscope", {"epochs": 20, "seed": 1}))
    phases = [frame.values["phase"] for frame in frames]
    assert phases == ["training"] * 19 + ["looking"] * 3 + ["done"]
    plain = Experiment.from_dict(
        {
            "data": {"n_samples": 200, "noise": 0.2, "seed": 1},
            "model": {"hidden": [8, 8]},
            "training": {"lr": 0.01, "epochs": 20, "seed": 1},
        }
    )
    results = fit([plain, plain.replace("regularization.dropout", 0.3)])
    for lane, result in enumerate(results):
        assert np.array_equal(frames[-1].arrays["history"][lane], result.frame.history[:3])
        assert result.to_dict()["history"]["train_loss"][-1] == pytest.approx(
            frames[-1].numbers("loss_full")[lane], abs=1e-5
        )
    assert frames[4].arrays["history"].shape == (2, 3, 5)


def test_masks_drop_p_of_the_units(frame: LabFrame) -> None:
    masks = np.concatenate([frame.arrays["masks"], frame.arrays["sub_networks"]])
    assert masks.shape == (32, 16)
    assert set(masks.flat) == {0, 1}
    # 512 draws: four standard deviations are 0.087
    assert masks.mean() == pytest.approx(0.6, abs=0.09)
    assert frame.number("kept") == pytest.approx(frame.arrays["masks"].mean())
    off = run_lab("microscope", p=0.0, epochs=3, passes=5)
    assert (off.arrays["masks"] == 1).all()
    assert np.array_equal(off.arrays["train_output"], off.arrays["eval_output"])
    assert off.arrays["error_mean"].max() < 1e-12
    assert off.number("loss_eval") == off.number("loss_train")


def test_shown_masks_explain_the_shown_outputs(frame: LabFrame) -> None:
    a = frame.arrays
    assert a["widths"].tolist() == [2, 8, 8, 1]
    assert [a[f"weights_{i}"].shape for i in range(3)] == [(2, 8), (8, 8), (8, 1)]
    assert not np.array_equal(a["train_output"], a["eval_output"])
    label = a["label"]
    assert frame.number("loss_eval") == pytest.approx(log_loss(a["eval_output"], label))
    assert frame.number("loss_train") == pytest.approx(log_loss(a["train_output"], label))
    assert a["sub_network_output"].std() > 0


def test_the_mean_of_masked_passes_settles_as_one_over_root_k(frame: LabFrame) -> None:
    a = frame.arrays
    assert np.allclose(a["error_mean"], a["expected"], rtol=0.15)
    assert a["error_mean"][-1] < a["error_mean"][0] / 10
    # it settles beside the eval output, at the floor, because the net is not linear
    floor = frame.number("floor")
    assert floor > 0
    assert np.allclose(a["error_eval"] ** 2, a["error_mean"] ** 2 + floor**2, rtol=0.2)


def test_for_a_linear_net_the_mean_of_masked_passes_is_the_eval_output() -> None:
    net, x = linear_net(), np.random.default_rng(1).uniform(0, 1, (8, 2))
    rng = np.random.default_rng(2)
    to_eval, to_mean, floor, spread = ensemble_error(net, x, 0.4, 200, rng)
    assert floor < 4 * spread / np.sqrt(64 * 200)  # nothing but chance
    assert np.allclose(to_eval[:50], to_mean[:50], rtol=0.05)
    assert to_mean[0] == pytest.approx(spread, rel=0.2)


def test_ablation_is_the_loss_without_that_unit() -> None:
    net, rng = linear_net(), np.random.default_rng(3)
    x, y = rng.uniform(0, 1, (20, 2)), rng.integers(0, 2, 20)
    rises = ablation(net, x, y)
    matrices = [m.copy() for m in net.matrices]
    matrices[1][2] = 0  # nothing comes out of unit 2 of the first hidden layer
    without = Weights((matrices[0], matrices[1], matrices[2]), net.biases)
    assert rises[2] == pytest.approx(log_loss(without.logit(x), y) - log_loss(net.logit(x), y))
    matrices = [m.copy() for m in net.matrices]
    matrices[2][1] = 0  # nor out of unit 1 of the second
    without = Weights((matrices[0], matrices[1], matrices[2]), net.biases)
    assert rises[5] == pytest.approx(log_loss(without.logit(x), y) - log_loss(net.logit(x), y))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_dropout_no_single_unit_matters_so_much(seed: int) -> None:
    frame = run_lab("microscope", seed=seed, p=0.3)
    without, with_dropout = frame.arrays["ablation"].max(axis=1)
    assert frame.values["ablation_max"] == [without, with_dropout]
    assert with_dropout < without / 2
    assert frame.number("loss_full_train_mode") > frame.numbers("loss_full")[1]


def test_the_monte_carlo_band_surrounds_the_boundary(frame: LabFrame) -> None:
    a = frame.arrays
    assert a["mc_mean"].shape == a["mc_std"].shape == a["eval"].shape == (24, 24)
    assert a["mc_std"].min() >= 0
    assert np.abs(a["mc_mean"] - a["eval"]).mean() < 0.15
    unsure = np.abs(a["eval"] - 0.5) < 0.3
    assert a["mc_std"][unsure].mean() > a["mc_std"][~unsure].mean()


def test_masks_are_inverted_dropout_s() -> None:
    one, two = draw_masks(5, 0.25, np.random.default_rng(0), 400)
    for mask in (one, two):
        assert set(mask.flat) == {0.0, 1 / 0.75}
        assert mask.mean() == pytest.approx(1, abs=0.06)
    assert not np.array_equal(one, two)
