"""Lesson: input noise as a penalty on the slope, and label noise, which is no regularizer."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz.figures import theory as theory_figures
from regviz.frames import Frame
from regviz.results import metrics
from regviz.scratch.noise import flipped_labels, noise_penalty, noisy_inputs
from regviz.specs import Experiment
from regviz.ui import lesson, live
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


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="noise",
        question="Can noise help a network generalize?",
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
            question_about,
            ("lower with noise", "no difference", "higher with noise"),
            outcome,
            expected=0,
        ),
        point=point,
        code=(noisy_inputs, flipped_labels, noise_penalty),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Too much noise: σ = 0.8 is larger than the distance between the moons.",
                START.replace("regularization.input_noise", 0.8),
                observed,
                shows=too_much,
            ),
            lesson.Task(
                "Every fifth label is wrong, and it stays wrong in every epoch. Such *label* "
                "noise is not a regularizer. Does input noise still help?",
                START.replace("data.label_noise", 0.2),
                observed,
                shows=lower,
            ),
            lesson.Task(
                "2000 points. Does noise still help when there is plenty of data?",
                START.replace("data.n_samples", 2000).replace("training.epochs", 30),
                observed,
            ),
            lesson.Task(
                "Spirals with σ = 0.3. The distance between the arms is 1. Does the noise help?",
                START.replace("data.kind", "spirals")
                .replace("data.n_samples", 300)
                .replace("data.noise", 0.3)
                .replace("regularization.input_noise", 0.3),
                observed,
            ),
        ),
        sources=(
            "Bishop 1995, “Training with noise is equivalent to Tikhonov regularization”: to "
            "second order in σ, and where the model fits the conditional mean of the targets",
            "Angluin & Laird 1988: learning from labels that are wrong at random",
            "Goodfellow et al. 2016, *Deep Learning*, section 7.5: noise robustness",
            "In every run, validation and test sets keep their true labels and clean inputs",
        ),
        rows=mode_rows,
        subject=lesson.Subject("Input noise", lambda e: e.regularization.input_noise > 0),
        checks=(
            lesson.Check(
                "For a linear model with squared error, input noise is ridge regression on "
                "average.",
                "The minimizer is (XᵀX + n·σ²·I)⁻¹Xᵀy. The weights shown are averaged over steps.",
                "noise_ridge",
                lambda e: {
                    "sigma": min(e.regularization.input_noise, 3.0),
                    "seed": e.training.seed,
                },
                theory_figures.ridge_check,
                lambda f: (
                    f"After {f.arrays['step'][-1]:.0f} steps, the averaged weights differ from the "
                    f"closed form by {f.number('gap'):.2%} of the largest weight. They differ from "
                    f"least squares without noise by {f.number('gap_least_squares'):.1%}."
                ),
            ),
            lesson.Check(
                "For a network and small σ, input noise is approximately a Tikhonov penalty on the "
                "slope.",
                "E L(x+σε) - L(x) ≈ ½σ²·mean p(1-p)‖∇z‖², plus ½σ²·mean (p-y)Δz where the network "
                "does not fit the data.",
                "noise_tikhonov",
                lambda e: {
                    "sigma": min(e.regularization.input_noise, 1.0),
                    "noise": min(e.data.noise, 1.0),
                    "seed": e.training.seed % 2**31,
                },
                theory_figures.noise_check,
                lambda f: (
                    f"Noise of σ = {f.number('sigma'):g} raises the loss of the network trained "
                    f"without noise by {f.numbers('surplus')[0]:.4f}; the penalty predicts "
                    f"{f.numbers('penalty')[0]:.4f}. For the network trained with noise it is "
                    f"{f.numbers('surplus')[1]:.4f}; the penalty predicts "
                    f"{f.numbers('penalty')[1]:.4f}. Penalty divided by σ²: "
                    f"{f.numbers('slope')[0]:.2f} without noise, {f.numbers('slope')[1]:.2f} with "
                    "noise. At σ = 0.01, the measured increase divided by the second-order term is "
                    f"{f.numbers('small')[0]:.4f}."
                    if f.done
                    else f"Epoch {f.step}: validation loss {f.arrays['history'][0, 2, -1]:.3f} "
                    f"without noise, {f.arrays['history'][1, 2, -1]:.3f} with noise."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=320)
    lesson.curves_and_readout(shown, show_train_mode=True)
    with st.expander("How much noise? The validation curve for σ", icon=":material/show_chart:"):
        st.caption(
            f"Trains the experiment in the controls once for each σ in "
            f"{', '.join(f'{v:g}' for v in SIGMAS)}. All runs share the same batches and the same "
            "random draws, scaled by σ."
        )
        lesson.further_run(
            "noise-sweep",
            "Train the sweep",
            tuple(
                shown.experiment.replace("regularization.input_noise", value) for value in SIGMAS
            ),
            draw_sweep,
        )


def point(frame: Frame, lanes: Lanes) -> str:
    """Return the noise's increase of the training loss and its effect on the validation loss."""
    noisy, quiet = lesson.mode_losses(frame)
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    e = lanes[1]
    labels = (
        f" About {e.data.label_noise:.0%} of the training labels are wrong, for both models."
        if e.data.label_noise
        else ""
    )
    acts = "acts like a penalty" if noisy > quiet else "does not act like a penalty on this run"
    return (
        f"The model with input noise of σ = {e.regularization.input_noise:g} has a training loss "
        f"of {quiet:.3f} on clean inputs (dashed) and {noisy:.3f} on noisy inputs (dotted). The "
        f"difference of {noisy - quiet:.3f} {acts}. Validation loss: {plain.val_loss:.3f} with no "
        f"regularization, {with_.val_loss:.3f} with regularization.{labels}"
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the two models' validation losses on this run."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    text = (
        f"validation loss {plain.val_loss:.3f} with no regularization and {with_.val_loss:.3f} "
        f"with regularization; training loss {plain.train_loss:.3f} and {with_.train_loss:.3f}."
    )
    if abs(with_.val_loss - plain.val_loss) < lesson.HARDLY:
        return 1, text
    return (0 if with_.val_loss < plain.val_loss else 2), text


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's input noise."""
    return (
        f"in every training step, each input gets new random noise (σ = "
        f"{e.regularization.input_noise:g}). What happens to the validation loss, which is "
        "measured on clean inputs?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on the data: a linear model with noisy inputs, and flipped labels."""
    assert frame.data is not None
    view, e = frame.data[0], lanes[1]
    sigma, rng = e.regularization.input_noise, np.random.default_rng(e.training.seed)
    train = ~view.is_val
    x = view.x[train].astype(np.float64)
    x -= x.mean(axis=0)
    y = view.y[train] - 0.5
    w = np.linalg.lstsq(x, y, rcond=None)[0]

    def error(inputs: np.ndarray) -> float:
        return float(np.square(y - inputs @ w).sum())

    noisy = [error(noisy_inputs(x, sigma, training=True, rng=rng)) for _ in range(REPEATS)]
    use = error(noisy_inputs(x, sigma, training=False, rng=rng))
    labels = view.y[train].astype(np.int64)
    share = e.data.label_noise
    wrong = float((flipped_labels(labels, share, view.n_classes, rng) != labels).mean())
    return (
        f"Least squares on this page's {len(x)} training points, σ = {sigma:g}: the squared error "
        f"is {use:.2f} on clean inputs and {np.mean(noisy):.2f} on noisy inputs (mean of {REPEATS} "
        f"draws). The difference is {np.mean(noisy) - use:.2f}; the formula n·σ²·‖w‖² gives "
        f"{noise_penalty(w, sigma, len(x)):.2f}. A flip probability of {share:g} changes "
        f"{wrong:.1%} of the labels."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    noisy, quiet = lesson.mode_losses(frame)
    found = lesson.verdicts(frame, lanes)
    (plain, with_), (without, regularized) = found
    return (
        f"No regularization: validation loss {plain.val_loss:.3f}, validation accuracy "
        f"{metrics.percent(plain.val_accuracy)}, {without.kind}. With regularization: validation "
        f"loss {with_.val_loss:.3f}, validation accuracy {metrics.percent(with_.val_accuracy)}, "
        f"{regularized.kind}. The noise adds {noisy - quiet:.3f} to the training loss. "
        f"{regularized.reason}"
    )


def too_much(frame: Frame, lanes: Lanes) -> bool:
    """Whether the noise hides the pattern, so that training accuracy is lower, too."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.train_accuracy < plain.train_accuracy - 0.05


def lower(frame: Frame, lanes: Lanes) -> bool:
    """Whether the validation loss is lower with noise."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.val_loss < plain.val_loss


def mode_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return the training loss on noisy inputs and its difference from that on clean inputs."""
    modes = [lane.curve("train_loss_train_mode")[-1] for lane in frame.lanes]
    quiet = [lane.curve("train_loss")[-1] for lane in frame.lanes]
    return [
        ("Training loss (train mode)", *(f"{m:.3f}" for m in modes)),
        (
            "Added by the noise",
            *(
                f"{m - q:.3f}" if e.regularization.input_noise else "–"
                for m, q, e in zip(modes, quiet, lanes, strict=True)
            ),
        ),
    ]


def draw_sweep(frame: Frame, lanes: Lanes) -> None:
    """Draw the validation curve over σ, and name its minimum."""
    readings = [metrics.read(lane) for lane in frame.lanes]
    losses = [r.val_loss for r in readings]
    best = lesson.lowest(losses)
    at_edge = best in (0, len(SIGMAS) - 1)
    text = (
        f"The lowest validation loss is {losses[best]:.3f}, at σ = {SIGMAS[best]:g}. Without noise "
        f"it is {losses[0]:.3f}; at σ = {SIGMAS[-1]:g} it is {losses[-1]:.3f}, with a training "
        f"loss of {readings[-1].train_loss:.3f}. "
        + (
            "On this run, the best σ is at the edge of the grid."
            if at_edge
            else "On this run, both less noise and more noise end with a higher validation loss."
        )
    )
    lesson.validation_curve("input noise σ", SIGMAS, readings, lanes, text, key="noise-curve")


LESSON = contents()
lesson.show(LESSON, views)
