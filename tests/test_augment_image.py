"""Image augmentation: its laws, its limits, torch and the twin as references, and the lanes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from regviz.data.datasets import make_dataset
from regviz.nn.augmentation import DRAWS, affine, augment, strengths
from regviz.scratch import augmentation as scratch
from regviz.specs import AugmentationSpec, DataSpec, Experiment
from regviz.training.run import fit

ALL = {
    "degrees": 20,
    "translate": 0.15,
    "scale": 0.2,
    "horizontal_flip": 0.5,
    "brightness": 0.3,
    "contrast": 0.4,
}
BASE = Experiment.from_dict(
    {
        "data": {"kind": "digits", "n_samples": 120, "noise": 0.1},
        "model": {"kind": "cnn", "hidden": [4]},
        "training": {"epochs": 3, "lr": 0.01},
    }
)


def images(n: int = 6) -> torch.Tensor:
    x = make_dataset(DataSpec(kind="digits", n_samples=100, noise=0.0)).x_train[:n]
    return torch.from_numpy(x).unsqueeze(0)  # (1, n, 64)


def draws(n: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.rand((1, n, DRAWS), generator=torch.Generator().manual_seed(seed))


def changed(x: torch.Tensor, u: torch.Tensor, *specs: AugmentationSpec | None) -> torch.Tensor:
    return augment(x.expand(len(specs), -1, -1), u, strengths(specs))


def one(name: str, value: float) -> AugmentationSpec:
    return AugmentationSpec(**{name: value})


# --- laws and limits --------------------------------------------------------------------------


def test_strength_zero_is_the_identity_bit_for_bit_also_beside_others() -> None:
    x, u = images(), draws()
    alone = changed(x, u, None)
    beside = changed(x, u, AugmentationSpec(**ALL), None)
    assert torch.equal(alone[0], x[0])
    assert torch.equal(beside[1], x[0])
    assert not torch.allclose(beside[0], x[0], atol=0.1)


@pytest.mark.parametrize("name", ALL)
def test_each_strength_acts_and_a_tiny_one_only_a_little(name: str) -> None:
    x, u = images(), draws()
    assert (changed(x, u, one(name, ALL[name])) - x).abs().max() > 0.01
    if name != "horizontal_flip":  # that one happens or not
        assert (changed(x, u, one(name, 1e-4)) - x).abs().max() < 1e-2


def test_a_mirrored_image_mirrored_again_is_itself() -> None:
    x, u = images(), draws()
    flip = one("horizontal_flip", 1.0)
    once = changed(x, u, flip)
    assert torch.equal(once.view(6, 8, 8), x.view(6, 8, 8).flip(2))
    assert torch.equal(changed(once, u, flip), x)


def test_a_share_of_the_images_is_mirrored_and_more_for_a_higher_probability() -> None:
    x = images(60).repeat(1, 20, 1)
    u = draws(1200)
    low, high = ((changed(x, u, one("horizontal_flip", p)) != x).any(dim=2)[0] for p in (0.2, 0.5))
    assert low.float().mean() == pytest.approx(0.2, abs=0.04)
    assert high.float().mean() == pytest.approx(0.5, abs=0.05)
    assert bool((high | ~low).all())  # nested: what is mirrored at 0.2 is so at 0.5


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_rot90(turns: int) -> None:
    x = images().view(1, 6, 8, 8)
    nothing = torch.zeros(1, 6)
    out = affine(x, nothing + 90.0 * turns, torch.zeros(1, 6, 2), nothing + 1)
    torch.testing.assert_close(out, x.rot90(turns, (2, 3)), rtol=0, atol=1e-5)


def test_a_shift_by_whole_pixels_moves_them_and_zeros_come_in() -> None:
    x = images().view(1, 6, 8, 8)
    shift = torch.tensor([2 / 8, -1 / 8]).expand(1, 6, 2)
    out = affine(x, torch.zeros(1, 6), shift, torch.ones(1, 6))
    torch.testing.assert_close(out[..., :7, 2:], x[..., 1:, :6], rtol=0, atol=1e-5)
    assert out[..., :2].abs().max() < 1e-5
    assert out[..., 7, :].abs().max() < 1e-5


def test_brightness_and_contrast_keep_their_laws() -> None:
    x, u = images(), draws()
    v = 2 * u - 1
    torch.testing.assert_close(changed(x, u, one("brightness", 0.3)), x * (1 + 0.3 * v[..., 5:6]))
    out = changed(x, u, one("contrast", 0.4))
    torch.testing.assert_close(out.mean(2), x.mean(2))
    torch.testing.assert_close(out.std(2), x.std(2) * (1 + 0.4 * v[..., 6]))


# --- references -------------------------------------------------------------------------------


def test_the_geometry_is_torchs_grid_and_the_twins() -> None:
    generator = torch.Generator().manual_seed(3)
    x = images(5).view(1, 5, 8, 8)
    degrees = torch.rand((1, 5), generator=generator) * 360 - 180
    shift = torch.rand((1, 5, 2), generator=generator) * 0.6 - 0.3
    factor = torch.rand((1, 5), generator=generator) + 0.5
    ours = affine(x, degrees, shift, factor)
    for i in range(5):
        angle, s = np.radians(float(degrees[0, i])), float(factor[0, i])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / s
        theta = np.column_stack([turn, -turn @ (2 * shift[0, i].numpy())])
        grid = functional.affine_grid(
            torch.tensor(theta, dtype=torch.float32)[None], [1, 1, 8, 8], align_corners=False
        )
        theirs = functional.grid_sample(x[:, i : i + 1], grid, align_corners=False)
        torch.testing.assert_close(ours[0, i], theirs[0, 0], rtol=0, atol=1e-5)
        twin = scratch.affine(
            x[0, i].numpy().astype(np.float64),
            float(degrees[0, i]),
            (8 * float(shift[0, i, 0]), 8 * float(shift[0, i, 1])),
            s,
        )
        np.testing.assert_allclose(ours[0, i].numpy(), twin, atol=1e-4)


def test_the_twin_of_the_colours_is_the_core() -> None:
    x, u = images(3), draws(3)
    out = changed(x, u, AugmentationSpec(brightness=0.5, contrast=0.5))
    for i in range(3):
        b, c = (1 + 0.5 * float(2 * u[0, i, k] - 1) for k in (5, 6))
        twin = scratch.color_jitter(x[0, i].numpy().astype(np.float64).reshape(8, 8), b, c)
        np.testing.assert_allclose(out[0, i].numpy(), twin.ravel(), atol=1e-5)


# --- in training ------------------------------------------------------------------------------


def vary(**augmentation: float) -> Experiment:
    return BASE.replace("regularization.augmentation", augmentation)


def test_a_lane_does_not_know_its_neighbours() -> None:
    experiments = [
        BASE,
        vary(**ALL),
        vary(degrees=30),
        vary(brightness=0.5, contrast=0.5),
        vary(**ALL).replace("training.seed", 4),
        vary(translate=0.2).replace("regularization.input_noise", 0.2),
    ]
    for e, lane in zip(experiments, fit(experiments), strict=True):
        (alone,) = fit([e])
        np.testing.assert_allclose(alone.frame.history, lane.frame.history, rtol=5e-3, atol=1e-3)


def test_a_lane_without_is_what_it_is_beside_one_that_differs_otherwise() -> None:
    plain, _ = fit([BASE, vary(**ALL)])
    same, _ = fit([BASE, BASE.replace("regularization.l2", 0.1)])
    np.testing.assert_array_equal(plain.frame.history, same.frame.history)


def test_equal_experiments_are_equal_and_every_epoch_draws_anew() -> None:
    e = vary(**ALL).replace("training.lr", 0.0)
    one, two = (fit([e])[0].frame for _ in range(2))
    np.testing.assert_array_equal(one.history, two.history)
    # the weights stand still: only the draws move the loss in train mode
    train_mode, val = one.curve("train_loss_train_mode"), one.curve("val_loss")
    assert len(set(train_mode.tolist())) == 3
    assert len(set(val.tolist())) == 1


def test_only_the_training_images_are_changed() -> None:
    still = BASE.replace("training.lr", 0.0)
    plain, wild = (r.frame for r in fit([still, vary(**ALL).replace("training.lr", 0.0)]))
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        np.testing.assert_array_equal(plain.curve(name), wild.curve(name))
    assert np.abs(plain.curve("train_loss") - plain.curve("train_loss_train_mode")).max() < 1e-5
    assert np.abs(wild.curve("train_loss") - wild.curve("train_loss_train_mode")).max() > 1e-3


def test_a_multilayer_perceptron_on_images_is_augmented_too() -> None:
    e = BASE.replace("model.kind", "mlp").replace("model.hidden", [8])
    plain, turned = fit([e, e.replace("regularization.augmentation.degrees", 40)])
    assert plain.frame.curve("val_loss")[-1] != turned.frame.curve("val_loss")[-1]
