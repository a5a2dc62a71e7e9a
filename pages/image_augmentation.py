"""Lesson: training images changed at random, what it buys, and when it is too much."""

from __future__ import annotations

import dataclasses

import numpy as np
import streamlit as st

from regviz import image_figures, metrics, uncertainty
from regviz.frames import Frame
from regviz.labs.frame import LabFrame
from regviz.scratch.augmentation import affine, color_jitter
from regviz.specs import AugmentationSpec, Experiment
from regviz.ui import charts, lesson, live
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
    "degrees": "turns",
    "translate": "shifts",
    "scale": "scales",
    "horizontal_flip": "mirrors",
    "brightness": "brightens or darkens",
    "contrast": "changes the contrast of",
}


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
    """Return the model without augmentation, with it, and with too much of it."""
    return times(e, 0.0), e, times(e, TOO_MUCH)


def changing(e: Experiment) -> bool:
    """Say whether anything is changed at all."""
    return e.regularization.augmentation is not None or e.regularization.input_noise > 0


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the three, and say whether too much hurts on this run."""
    plain, with_, wild = (metrics.read(lane) for lane in frame.lanes)
    if not changing(lanes[1]):
        return "Nothing is changed: all three models are the same."
    text = (
        f"Validation loss {plain.val_loss:.3f} without, {with_.val_loss:.3f} with and "
        f"{wild.val_loss:.3f} with {TOO_MUCH:g} times as much augmentation; accuracy "
        f"{plain.val_accuracy:.1%}, {with_.val_accuracy:.1%} and {wild.val_accuracy:.1%}. "
    )
    helped = with_.val_loss < plain.val_loss - lesson.HARDLY
    if lanes[1] == lanes[2]:
        end = "lowers" if helped else "does not lower"
        return f"{text}More of it is not possible here, and on this run it {end} the loss."
    best = max(plain.val_accuracy, with_.val_accuracy)
    hurt = best - wild.val_accuracy > uncertainty.accuracy_margin(
        lanes[0].n_val, best, wild.val_accuracy
    )
    if helped and hurt:
        return (
            text + "Some lowers the loss; too much makes the task harder than the one that counts."
        )
    if hurt:
        return text + "On this run it does not lower the loss, and too much of it hurts."
    some = "Some lowers the loss; that" if helped else "That"
    return f"{text}{some} too much hurts does not show on this run."


def average_loss(frame: Frame, lanes: Lanes) -> str:
    """State the objective, with the numbers of the last epoch."""
    lane = frame.lanes[1]
    changed = float(lane.curve("train_loss_train_mode")[-1])
    unchanged = float(lane.curve("train_loss")[-1])
    return (
        "**The average loss over T.** Training now minimizes the mean over changes T of "
        "loss(f(T(x)), y); each epoch sees one draw of T for each image. In the last epoch that "
        f"was {changed:.3f} over {lanes[1].n_train} changed images; the same images unchanged have "
        f"a loss of {unchanged:.3f}. Training images only: the {lanes[1].n_val} of the validation "
        "set stay as they are."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Name the model with the lowest validation loss."""
    losses = [metrics.read(lane).val_loss for lane in frame.lanes]
    text = ", ".join(f"{n} {x:.3f}" for n, x in zip(NAMES, losses, strict=True))
    return int(np.argmin([x if np.isfinite(x) else np.inf for x in losses])), (
        f"validation losses {text}."
    )


def asked(e: Experiment) -> str:
    """Return the question about an experiment with what it changes in the images."""
    spec = e.regularization.augmentation or AugmentationSpec()
    does = [verb for name, verb in CHANGES.items() if getattr(spec, name)]
    does += ["adds noise to"] * (e.regularization.input_noise > 0)
    listed = f"{', '.join(does[:-1])} and {does[-1]}" if len(does) > 1 else does[0]
    return (
        f"every epoch {listed} each training image, at random. Which model has the lowest "
        "validation loss?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Change one image of this page's data many times over, as the controls say."""
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
        f"{COPIES} changes of one image at these strengths are {apart:.3f} from it (root mean "
        f"square), where its pixels have a standard deviation of {x.std():.3f}. Turned by 90°, "
        f"affine is {np.abs(turned - np.rot90(x)).max():.0e} from np.rot90; with no change it is "
        f"{np.abs(affine(x, 0.0, (0.0, 0.0), 1.0) - x).max():.0e} from the image."
    )


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to."""
    return point(frame, lanes)


def six_and_nine(frame: Frame, lanes: Lanes) -> str:
    """Say what the models make of a 6 and of a 9 that are not turned."""
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
                f"An upright {digit}: P({digit}) {plain[0, image, digit]:.2f} without turning and "
                f"{with_[0, image, digit]:.2f} with, P({other}) {plain[0, image, other]:.2f} and "
                f"{with_[0, image, other]:.2f}."
            )
    return " ".join((*parts, point(frame, lanes)))


def gallery_said(f: LabFrame) -> str:
    """Say how far the copies are from the original."""
    return (
        f"{len(f.arrays['changed'])} draws of x' = T(x): is each still the same digit to you? "
        "Above it, by how much it is turned counter-clockwise, and shifted right and down "
        f"(pixels). They are {f.number('distance'):.2f} from the original (root mean square); its "
        f"pixels have a standard deviation of {f.number('spread'):.2f}."
    )


def gallery_of(e: Experiment, digit: int) -> dict[str, float]:
    """Return what the gallery gets from the experiment."""
    spec = e.regularization.augmentation or AugmentationSpec()
    return {
        **dataclasses.asdict(spec),
        "scale": min(spec.scale, 0.99),
        "noise": e.regularization.input_noise,
        "digit": digit,
        "seed": e.training.seed,
    }


def draw_curve(frame: Frame, lanes: Lanes) -> None:
    """Draw accuracy over strength and say, with the numbers, whether too much hurts."""
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
        f"Mean validation accuracy of {SEEDS} seeds: {mean[0]:.1%} without, best {mean[best]:.1%} "
        f"at ×{FACTORS[best]:g}, {mean[-1]:.1%} at ×{FACTORS[-1]:g}; validation loss "
        f"{loss[0]:.3f} without, lowest {loss[lowest]:.3f} at ×{FACTORS[lowest]:g}. "
    )
    if mean[best] - mean[0] > luck:
        text += "The best of these strengths helps. "
    else:
        text += (
            f"The gain in accuracy is no more than luck may give with {n} images (±{luck:.1%}). "
        )
    if mean[best] - mean[-1] > luck:
        text += "Too much hurts: the task became harder than the one that counts."
    else:
        text += "That too much hurts does not show up to this strength."
    st.markdown(text)


LESSON = lesson.Lesson(
    page="image_augmentation",
    question="Is a turned digit a new example?",
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
        asked,
        NAMES,
        outcome,
        expected=1,
    ),
    point=point,
    code=(affine, color_jitter),
    code_ran=code_ran,
    tasks=(
        lesson.Task(
            "Mirror half of the images. Is a mirrored digit still that digit?",
            START.replace("regularization.augmentation", {"horizontal_flip": 0.5}),
            seen,
        ),
        lesson.Task(
            "Turn by up to 180°: what becomes of 6 and 9?",
            START.replace("regularization.augmentation", {"degrees": 180}),
            six_and_nine,
        ),
        lesson.Task(
            "Shift only, by up to a tenth of a side.",
            START.replace("regularization.augmentation", {"translate": 0.1}),
            seen,
        ),
        lesson.Task(
            "Many images: 1000 to train on. Does augmentation still help?",
            START.replace("data.n_samples", 1300)
            .replace("data.val_fraction", 0.23)
            .replace("training.epochs", 20),
            seen,
        ),
    ),
    sources=(
        "Simard et al. 2003: digits distorted at random; Shorten & Khoshgoftaar 2019: a survey",
        "torchvision.transforms: RandomAffine (degrees, translate, scale), RandomHorizontalFlip, "
        "ColorJitter (brightness, contrast); here without rounding to pixels or clamping",
        "Noise on pixels is the input noise σ of the other lessons",
    ),
    lanes=three,
    labels=NAMES,
    models=("cnn",),
    data=("digits",),
    subject=lesson.Subject("Augmentation", changing),
)

shown = lesson.begin(LESSON)
left, right = st.columns([3, 2], gap="small")
with left:
    live.loss_curves(
        shown.channel,
        labels=shown.labels,
        epochs=shown.experiment.training.epochs,
        show_train_mode=True,
        height=325,
    )
with right:
    live.readout(shown.channel)
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
        "Drawn anew for every image in every epoch, by the function that training calls.",
        "image",
        lambda e: gallery_of(e, int(digit or 0)),
        image_figures.gallery,
        gallery_said,
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
lesson.finish(shown)
