"""Lesson: noise on the inputs as a penalty on the slope, and wrong labels, which are no help."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz import lesson_figures, metrics
from regviz.frames import Frame
from regviz.scratch.noise import flipped_labels, noise_penalty, noisy_inputs
from regviz.specs import Experiment
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 200, "noise": 0.3},
        "model": {"hidden": [64, 64]},
        "regularization": {"input_noise": 0.2},
        "training": {"lr": 0.01, "epochs": 250},
    }
)
SIGMAS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
REPEATS = 2000


def surplus(frame: Frame) -> tuple[float, float]:
    """Return the training loss of the model with noise: with noise on its inputs, and without."""
    lane = frame.lanes[1]
    return float(lane.curve("train_loss_train_mode")[-1]), float(lane.curve("train_loss")[-1])


def point(frame: Frame, lanes: Lanes) -> str:
    """Say what the noise costs in training and what it does in validation."""
    noisy, quiet = surplus(frame)
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    e = lanes[1]
    labels = (
        f" About {e.data.label_noise:.0%} of the training labels are wrong, for both models."
        if e.data.label_noise
        else ""
    )
    paid = " is paid like a penalty" if noisy > quiet else ""
    return (
        f"The model that learns with noise of σ = {e.regularization.input_noise:g} has a training "
        f"loss of {quiet:.3f} without it (dashed) and of {noisy:.3f} with it on (dotted): the "
        f"surplus of {noisy - quiet:.3f}{paid}. Validation loss {with_.val_loss:.3f} with "
        f"noise, {plain.val_loss:.3f} without.{labels}"
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the two models' validation losses on this run."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    text = (
        f"validation loss {with_.val_loss:.3f} with noise and {plain.val_loss:.3f} without, "
        f"training loss {with_.train_loss:.3f} and {plain.train_loss:.3f}."
    )
    if abs(with_.val_loss - plain.val_loss) < lesson.HARDLY:
        return 1, text
    return (0 if with_.val_loss < plain.val_loss else 2), text


def asked(e: Experiment) -> str:
    """Return the question about an experiment with its own strength of noise."""
    return (
        f"every training point is moved at random in every step (σ = "
        f"{e.regularization.input_noise:g}). What happens to the validation loss, measured on "
        "points that stay where they are?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on this page's points: a linear model under noise, and labels flipped."""
    assert frame.data is not None
    view, e = frame.data[0], lanes[1]
    sigma, rng = e.regularization.input_noise, np.random.default_rng(e.training.seed)
    train = ~view.is_val
    x = view.x[train].astype(np.float64)
    x -= x.mean(axis=0)
    y = view.y[train] - 0.5
    w = np.linalg.lstsq(x, y, rcond=None)[0]

    def error(seen: np.ndarray) -> float:
        return float(np.square(y - seen @ w).sum())

    noisy = [error(noisy_inputs(x, sigma, training=True, rng=rng)) for _ in range(REPEATS)]
    use = error(noisy_inputs(x, sigma, training=False, rng=rng))
    labels = view.y[train].astype(np.int64)
    share = e.data.label_noise
    wrong = float((flipped_labels(labels, share, view.n_classes, rng) != labels).mean())
    return (
        f"Least squares on this page's {len(x)} training points, σ = {sigma:g}: the squared error "
        f"is {use:.2f} in use and {np.mean(noisy):.2f} in training, the mean of {REPEATS} draws. "
        f"That is {np.mean(noisy) - use:.2f} more; n·σ²·‖w‖² says "
        f"{noise_penalty(w, sigma, len(x)):.2f}. Flipping labels with probability {share:g} makes "
        f"{wrong:.1%} of them differ."
    )


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to."""
    noisy, quiet = surplus(frame)
    found = lesson.verdicts(frame, lanes)
    (plain, with_), (without, regularized) = found
    return (
        f"Validation loss {with_.val_loss:.3f} with and {plain.val_loss:.3f} without noise, "
        f"accuracy {metrics.percent(with_.val_accuracy)} and "
        f"{metrics.percent(plain.val_accuracy)}; the noise adds {noisy - quiet:.3f} to the "
        f"training loss. Without: {without.kind}. With: {regularized.kind}. {regularized.reason}"
    )


def too_much(frame: Frame, lanes: Lanes) -> bool:
    """Say whether the noise hides what is to be learnt: less right even in training."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.train_accuracy < plain.train_accuracy - 0.05


def lower(frame: Frame, lanes: Lanes) -> bool:
    """Say whether the validation loss is lower with noise."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.val_loss < plain.val_loss


def mode_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return the loss of training with noise on, and what that is above the table's own."""
    modes = [lane.curve("train_loss_train_mode")[-1] for lane in frame.lanes]
    quiet = [lane.curve("train_loss")[-1] for lane in frame.lanes]
    return [
        ("Training loss, noise on", *(f"{m:.3f}" for m in modes)),
        (
            "Added by the noise",
            *(
                f"{m - q:.3f}" if e.regularization.input_noise else "–"
                for m, q, e in zip(modes, quiet, lanes, strict=True)
            ),
        ),
    ]


def draw_sweep(frame: Frame, lanes: Lanes) -> None:
    """Draw the validation curve over σ and say where it is lowest."""
    readings = [metrics.read(lane) for lane in frame.lanes]
    losses = [r.val_loss for r in readings]
    best = lesson.lowest(losses)
    where = "the best σ of the grid is an end of it" if best in (0, len(SIGMAS) - 1) else ""
    text = (
        f"Lowest validation loss {losses[best]:.3f} at σ = {SIGMAS[best]:g}, against "
        f"{losses[0]:.3f} without noise and {losses[-1]:.3f} at σ = {SIGMAS[-1]:g}, where the "
        f"training loss is {readings[-1].train_loss:.3f}. "
        + (f"On this run {where}." if where else "On this run less and more of it end higher.")
    )
    charts.chart(
        lambda colors: lesson_figures.validation_curve(
            "input noise σ", SIGMAS, [r.train_loss for r in readings], losses, colors
        ),
        key="noise-curve",
        alt=text,
        about=charts.of_runs(lanes),
    )
    st.html(layout.point(text))


LESSON = lesson.Lesson(
    page="noise",
    question="Can noise be good for a network?",
    start=START,
    controls=(
        "input_noise",
        "label_noise",
        "data_set",
        "noise",
        "samples",
        "hidden_layers",
        "units",
        "activation",
        "lr",
        "epochs",
        "data_seed",
        "seed",
    ),
    prediction=lesson.Prediction(
        asked,
        ("lower with noise", "no difference", "higher with noise"),
        outcome,
        expected=0,
    ),
    point=point,
    code=(noisy_inputs, flipped_labels, noise_penalty),
    code_ran=code_ran,
    tasks=(
        lesson.Task(
            "σ = 0.8, more than the moons are apart: too much of it.",
            START.replace("regularization.input_noise", 0.8),
            seen,
            shows=too_much,
        ),
        lesson.Task(
            "Every fifth label wrong, and the same ones in every epoch: such noise on the *labels* "
            "is no regularizer. Does noise on the inputs still help against it?",
            START.replace("data.label_noise", 0.2),
            seen,
            shows=lower,
        ),
        lesson.Task(
            "2000 points: is there anything left for noise to do?",
            START.replace("data.n_samples", 2000).replace("training.epochs", 30),
            seen,
        ),
        lesson.Task(
            "Spirals, σ = 0.3: the arms are 1 apart.",
            START.replace("data.kind", "spirals")
            .replace("data.n_samples", 300)
            .replace("data.noise", 0.3)
            .replace("regularization.input_noise", 0.3),
            seen,
        ),
    ),
    sources=(
        "Bishop 1995, “Training with noise is equivalent to Tikhonov regularization”: to second "
        "order in σ, and where the model fits the mean of the data",
        "Angluin & Laird 1988: labels wrong at random",
        "Goodfellow et al. 2016, *Deep Learning*, section 7.5: noise robustness",
        "Validation and test labels stay true and their inputs unmoved, in every run",
    ),
    rows=mode_rows,
    subject=lesson.Subject("Noise on the inputs", lambda e: e.regularization.input_noise > 0),
    checks=(
        lesson.Check(
            "On a linear model with squared error noise on the inputs is, on average, ridge "
            "regression.",
            "Its minimizer is (XᵀX + n·σ²·1)⁻¹Xᵀy; the iterate is averaged.",
            "noise_ridge",
            lambda e: {"sigma": min(e.regularization.input_noise, 3.0), "seed": e.training.seed},
            lesson_figures.ridge_check,
            lambda f: (
                f"After {f.arrays['step'][-1]:.0f} steps the gap to the closed form is "
                f"{f.number('gap'):.2%} of the largest weight; to least squares, without noise, "
                f"it is {f.number('gap_least_squares'):.1%}."
            ),
        ),
        lesson.Check(
            "On a network it is nearly Tikhonov's penalty on the slope, while σ is small.",
            "E L(x+σε) - L(x) ≈ ½σ²·mean p(1-p)‖∇z‖², plus ½σ²·mean (p-y)Δz where it does not "
            "fit the data.",
            "noise_tikhonov",
            lambda e: {
                "sigma": min(e.regularization.input_noise, 1.0),
                "noise": min(e.data.noise, 1.0),
                "seed": e.training.seed % 2**31,
            },
            lesson_figures.noise_check,
            lambda f: (
                f"At σ = {f.number('sigma'):g} noise adds {f.numbers('surplus')[0]:.4f} to the "
                f"loss of the network trained without it, where the penalty says "
                f"{f.numbers('penalty')[0]:.4f}, and {f.numbers('surplus')[1]:.4f} to that "
                f"trained with it ({f.numbers('penalty')[1]:.4f}). Its slope: "
                f"{f.numbers('slope')[0]:.2f} without, {f.numbers('slope')[1]:.2f} with noise. At "
                f"σ = 0.01 measured over second order is {f.numbers('small')[0]:.4f}."
                if f.done
                else f"The twins are at epoch {f.step}: validation loss "
                f"{f.arrays['history'][0, 2, -1]:.3f} without and "
                f"{f.arrays['history'][1, 2, -1]:.3f} with noise."
            ),
        ),
    ),
)

shown = lesson.begin(LESSON)
live.decision_boundary(shown.channel, labels=LESSON.labels, height=320)
left, right = st.columns([3, 2], gap="small")
with left:
    live.loss_curves(
        shown.channel,
        labels=LESSON.labels,
        epochs=shown.experiment.training.epochs,
        show_train_mode=True,
        height=325,
    )
with right:
    live.readout(shown.channel)
with st.expander("How much noise? The validation curve over σ", icon=":material/show_chart:"):
    st.caption(
        f"The experiment in the controls, once for each σ in {', '.join(f'{v:g}' for v in SIGMAS)}:"
        " one stack, the same batches and the same draws, only larger."
    )
    lesson.further_run(
        "noise-sweep",
        "Train the sweep",
        tuple(shown.experiment.replace("regularization.input_noise", value) for value in SIGMAS),
        draw_sweep,
    )
lesson.finish(shown)
