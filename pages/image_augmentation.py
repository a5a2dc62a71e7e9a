"""Lesson: random transformations of training images, when they help and when they hurt."""

from __future__ import annotations

import dataclasses

import numpy as np
import streamlit as st

from regviz.figures import images as image_figures
from regviz.frames import Frame
from regviz.frames.lab import LabFrame
from regviz.results import metrics, uncertainty
from regviz.scratch.augmentation import affine, color_jitter
from regviz.specs import AugmentationSpec, Experiment
from regviz.ui import charts, lesson
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"kind": "digits", "n_samples": 300, "val_fraction": 2 / 3, "noise": 0.1},
        "model": {"kind": "cnn", "hidden": [32]},
        "regularization": {
            "augmentation": {
                "degrees": 10,
                "translate": 0.1,
                "scale": 0.1,
                "brightness": 0.2,
                "contrast": 0.2,
            }
        },
        "training": {"lr": 0.005, "batch_size": 25, "epochs": 200},
    }
)
TOO_MUCH = 4.0
FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
SEEDS = 2
NAMES = ("no augmentation", "with augmentation", f"{TOO_MUCH:g} times as strong")
COPIES = 200
CHANGES = {
    "degrees": "rotates",
    "translate": "shifts",
    "scale": "scales",
    "horizontal_flip": "flips",
    "brightness": "brightens or darkens",
    "contrast": "changes the contrast of",
}


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="image_augmentation",
        question="Is a rotated digit a new training example?",
        start=START,
        controls=(
            "degrees",
            "translate",
            "scale",
            "horizontal_flip",
            "brightness",
            "contrast",
            "input_noise",
            "images",
            "pixel_noise",
            "channels",
            "lr",
            "epochs",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            NAMES,
            outcome,
            expected=1,
        ),
        point=point,
        code=(affine, color_jitter),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Flip half of the images horizontally. Is a mirrored digit still the same digit?",
                START.replace("regularization.augmentation", {"horizontal_flip": 0.5}),
                observed,
            ),
            lesson.Task(
                "Rotate by up to 180°. What happens to 6 and 9?",
                START.replace("regularization.augmentation", {"degrees": 180}),
                six_and_nine,
            ),
            lesson.Task(
                "Only shifts, by up to a tenth of the image size.",
                START.replace("regularization.augmentation", {"translate": 0.1}),
                observed,
            ),
            lesson.Task(
                "More data: 1000 training images. Does augmentation still help?",
                START.replace("data.n_samples", 1300)
                .replace("data.val_fraction", 0.23)
                .replace("training.epochs", 20),
                observed,
            ),
        ),
        sources=(
            "Simard et al. 2003: random distortions of digits; Shorten & Khoshgoftaar 2019: a "
            "survey",
            "torchvision.transforms: RandomAffine (degrees, translate, scale), "
            "RandomHorizontalFlip, ColorJitter (brightness, contrast); here without rounding to "
            "pixels or clamping",
            "Noise on the pixels is the input noise σ of the other lessons",
        ),
        lanes=three,
        labels=NAMES,
        models=("cnn",),
        data=("digits",),
        subject=lesson.Subject("Augmentation", changing),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    lesson.curves_and_readout(shown, show_train_mode=True)
    if shown.last_finished is not None:
        st.markdown(average_loss(*shown.last_finished))
    digit = st.segmented_control(
        "Digit", range(10), default=3, key="image_augmentation.digit", required=True
    )
    lesson.follow_check(
        shown,
        "gallery",
        lesson.Check(
            "x' = T(x).",
            "Training draws a new T for every image in every epoch, with the same function.",
            "image",
            lambda e: gallery_of(e, int(digit or 0)),
            image_figures.gallery,
            gallery_sentence,
        ),
    )
    lesson.further_run(
        "strength",
        f"How much is too much? Train {len(FACTORS)} strengths × {SEEDS} seeds",
        tuple(
            times(shown.experiment, factor).replace(
                "training.seed", (shown.experiment.training.seed + s) % 2**31
            )
            for factor in FACTORS
            for s in range(SEEDS)
        ),
        draw_curve,
    )


def times(e: Experiment, factor: float) -> Experiment:
    """Return the experiment with ``factor`` times its augmentation, noise on pixels included."""
    changes = (e.regularization.augmentation or AugmentationSpec()).scaled(factor)
    noise = e.regularization.input_noise * factor
    return dataclasses.replace(
        e,
        regularization=dataclasses.replace(
            e.regularization, augmentation=changes, input_noise=noise
        ),
    )


def three(e: Experiment) -> Lanes:
    """Return the experiment without augmentation, with it, and with too much of it."""
    return times(e, 0.0), e, times(e, TOO_MUCH)


def changing(e: Experiment) -> bool:
    """Whether the experiment changes its training images at all."""
    return e.regularization.augmentation is not None or e.regularization.input_noise > 0


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the three models, and name whether too much augmentation hurts in this run."""
    plain, with_, wild = (metrics.read(lane) for lane in frame.lanes)
    if not changing(lanes[1]):
        return "No augmentation is switched on, so all three models are identical."
    text = (
        f"Validation loss: {plain.val_loss:.3f} with no augmentation, {with_.val_loss:.3f} with "
        f"augmentation, {wild.val_loss:.3f} with {TOO_MUCH:g} times as much. Validation accuracy: "
        f"{plain.val_accuracy:.1%}, {with_.val_accuracy:.1%} and {wild.val_accuracy:.1%}. "
    )
    helped = with_.val_loss < plain.val_loss - lesson.HARDLY
    if lanes[1] == lanes[2]:
        end = "lowers" if helped else "does not lower"
        return (
            f"{text}Stronger augmentation is not possible here. On this run, augmentation {end} "
            "the validation loss."
        )
    best = max(plain.val_accuracy, with_.val_accuracy)
    hurt = best - wild.val_accuracy > uncertainty.accuracy_margin(
        lanes[0].n_val, best, wild.val_accuracy
    )
    if helped and hurt:
        return (
            f"{text}On this run, moderate augmentation lowers the validation loss. Too much makes "
            "the training task harder than the real one."
        )
    if hurt:
        return (
            f"{text}On this run, augmentation does not lower the validation loss, and too much of "
            "it hurts."
        )
    some = "On this run, augmentation lowers the validation loss. " if helped else ""
    return f"{text}{some}This run does not show that too much augmentation hurts."


def average_loss(frame: Frame, lanes: Lanes) -> str:
    """State the objective, with the numbers of the last epoch."""
    lane = frame.lanes[1]
    changed = float(lane.curve("train_loss_train_mode")[-1])
    unchanged = float(lane.curve("train_loss")[-1])
    return (
        "**The average loss over T.** Training now minimizes the mean of loss(f(T(x)), y) over "
        "random transformations T. Each epoch draws one T for each image. In the last epoch, the "
        f"loss was {changed:.3f} on the {lanes[1].n_train} transformed images; on the original "
        f"images it is {unchanged:.3f}. Only training images are transformed: the "
        f"{lanes[1].n_val} validation images stay unchanged."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Name the model with the lowest validation loss."""
    losses = [metrics.read(lane).val_loss for lane in frame.lanes]
    text = ", ".join(f"{x:.3f} ({n})" for n, x in zip(NAMES, losses, strict=True))
    return int(np.argmin([x if np.isfinite(x) else np.inf for x in losses])), (
        f"validation loss {text}."
    )


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's augmentation."""
    spec = e.regularization.augmentation or AugmentationSpec()
    does = [verb for name, verb in CHANGES.items() if getattr(spec, name)]
    does += ["adds noise to"] * (e.regularization.input_noise > 0)
    listed = f"{', '.join(does[:-1])} and {does[-1]}" if len(does) > 1 else does[0]
    return (
        f"every epoch randomly {listed} each training image. Which model has the lowest "
        "validation loss?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Augment one image of the data many times with the experiment's settings."""
    assert frame.data is not None
    images = frame.data[1].images
    assert images is not None
    spec = lanes[1].regularization.augmentation or AugmentationSpec()
    rng = np.random.default_rng(lanes[1].training.seed)
    x = images[0].astype(np.float64).reshape(8, 8)
    copies = []
    for v in rng.uniform(-1, 1, (COPIES, 7)):
        shift = (8 * spec.translate * v[1], 8 * spec.translate * v[2])
        start = x[:, ::-1] if (v[6] + 1) / 2 < spec.horizontal_flip else x
        moved = affine(start, spec.degrees * v[0], shift, 1 + spec.scale * v[3])
        jittered = color_jitter(moved, 1 + spec.brightness * v[4], 1 + spec.contrast * v[5])
        copies.append(jittered)
    apart = np.sqrt(np.square(np.array(copies) - x).mean())
    turned = affine(x, 90.0, (0.0, 0.0), 1.0)
    return (
        f"{COPIES} random transformations of one image at these strengths: their root-mean-square "
        f"distance from the image is {apart:.3f}; the standard deviation of its pixels is "
        f"{x.std():.3f}. For a rotation by 90°, affine differs from np.rot90 by at most "
        f"{np.abs(turned - np.rot90(x)).max():.0e}. With no transformation, it differs from the "
        f"image by at most {np.abs(affine(x, 0.0, (0.0, 0.0), 1.0) - x).max():.0e}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    return point(frame, lanes)


def six_and_nine(frame: Frame, lanes: Lanes) -> str:
    """Return the models' predictions for an upright 6 and an upright 9 in a sentence."""
    assert frame.data is not None
    labels = frame.data[0].image_labels
    plain, with_ = (lane.probabilities for lane in frame.lanes[:2])
    if labels is None or plain is None or with_ is None:
        return point(frame, lanes)
    parts = []
    for digit, other in ((6, 9), (9, 6)):
        image = int(np.flatnonzero(labels == digit)[0]) if digit in labels else None
        if image is not None:
            parts.append(
                f"An upright {digit}: P({digit}) is {plain[0, image, digit]:.2f} with no "
                f"augmentation and {with_[0, image, digit]:.2f} with augmentation; P({other}) is "
                f"{plain[0, image, other]:.2f} and {with_[0, image, other]:.2f}."
            )
    return " ".join((*parts, point(frame, lanes)))


def gallery_sentence(f: LabFrame) -> str:
    """Return a sentence with the copies' distance from the original."""
    return (
        f"{len(f.arrays['changed'])} random draws of x' = T(x). Is each still the same digit to "
        "you? The titles show the counter-clockwise rotation and the shift right and down in "
        f"pixels. Root-mean-square distance from the original: {f.number('distance'):.2f}; "
        f"standard deviation of its pixels: {f.number('spread'):.2f}."
    )


def gallery_of(e: Experiment, digit: int) -> dict[str, float]:
    """Return the gallery lab's parameters for an experiment."""
    spec = e.regularization.augmentation or AugmentationSpec()
    return {
        **dataclasses.asdict(spec),
        "scale": min(spec.scale, 0.99),
        "noise": e.regularization.input_noise,
        "digit": digit,
        "seed": e.training.seed,
    }


def draw_curve(frame: Frame, lanes: Lanes) -> None:
    """Draw accuracy over strength, with a sentence on whether too much hurts."""
    readings = [metrics.read(lane) for lane in frame.lanes]
    shape = (len(FACTORS), SEEDS)
    train = np.array([r.train_accuracy for r in readings]).reshape(shape)
    val = np.array([r.val_accuracy for r in readings]).reshape(shape)
    charts.chart(
        lambda colors: image_figures.strength_curve(FACTORS, train, val, colors),
        key="augmentation-strength",
        alt="Accuracy against the strength of augmentation, mean and band over seeds.",
        about=charts.of_runs(lanes),
    )
    mean = val.mean(axis=1)
    loss = np.array([r.val_loss for r in readings]).reshape(shape).mean(axis=1)
    best, lowest = int(mean.argmax()), int(loss.argmin())
    n = lanes[0].n_val
    luck = uncertainty.accuracy_margin(n, mean[0], mean[best])
    text = (
        f"Mean validation accuracy over {SEEDS} seeds: {mean[0]:.1%} with no augmentation, highest "
        f"{mean[best]:.1%} at ×{FACTORS[best]:g}, {mean[-1]:.1%} at ×{FACTORS[-1]:g}. Mean "
        f"validation loss: {loss[0]:.3f} with no augmentation, lowest {loss[lowest]:.3f} at "
        f"×{FACTORS[lowest]:g}. "
    )
    if mean[best] - mean[0] > luck:
        text += "The best of these strengths helps. "
    else:
        text += f"With {n} images, chance alone can give such a gain in accuracy (±{luck:.1%}). "
    if mean[best] - mean[-1] > luck:
        text += "Too much hurts: the training task became harder than the real one."
    else:
        text += "These strengths do not show that too much hurts."
    st.markdown(text)


LESSON = contents()
lesson.show(LESSON, views)
