"""Lesson: dropout, what it does in training and that it does nothing in use."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz import lesson_figures, metrics
from regviz.frames import Frame
from regviz.scratch.dropout import (
    alpha_dropout_forward,
    classic_dropout,
    dropout_backward,
    dropout_forward,
)
from regviz.specs import Experiment
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 300, "noise": 0.35},
        "model": {"hidden": [64, 64]},
        "regularization": {"dropout": 0.5},
        "training": {"lr": 0.01, "epochs": 200},
    }
)
REPEATS = 2000
SWEEP = tuple(k / 10 for k in range(10))
USUAL = (
    "**Usual p of dropping:** input 0.1–0.3, with many features · hidden 0.3–0.5, also on the last "
    "hidden layer, before the output layer · on the output itself none · attention 0.1 · recurrent "
    "0.2–0.3 · convolution rarely, as neighbours in a map tell the same: whole maps are dropped "
    "instead"
)


def rates(e: Experiment) -> str:
    """Return the dropout rates as text."""
    alike = len(set(e.dropout_rates)) == 1
    each = e.dropout_rates[:1] if alike else e.dropout_rates
    hidden = ", ".join(f"{p:g}" for p in each) or "no hidden layer"
    p = e.regularization.input_dropout
    return f"{hidden}, inputs {p:g}" if p else hidden


def mode_losses(frame: Frame) -> tuple[float, float]:
    """Return the training loss of the model with dropout: in train mode, in eval mode."""
    lane = frame.lanes[1]
    return float(lane.curve("train_loss_train_mode")[-1]), float(lane.curve("train_loss")[-1])


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the two modes of one model."""
    noisy, quiet = mode_losses(frame)
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"The model with dropout ({rates(lanes[1])}) has two training losses: {noisy:.3f} with "
        f"units dropped (dotted) and {quiet:.3f} in use (dashed), when nothing is. Its validation "
        f"loss is {with_.val_loss:.3f}; without dropout it is {plain.val_loss:.3f}."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the training losses of the two models, in eval mode."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    text = (
        f"training loss {plain.train_loss:.3f} without and {with_.train_loss:.3f} with dropout, "
        f"validation loss {plain.val_loss:.3f} and {with_.val_loss:.3f}."
    )
    higher = with_.train_loss > plain.train_loss
    lower = with_.val_loss < plain.val_loss - lesson.HARDLY
    return (0 if higher and lower else 1 if lower else 2), text


def asked(e: Experiment) -> str:
    """Return the question about an experiment with its own rates."""
    return (
        f"with dropout {rates(e)}, and both measured with all units present: what happens to the "
        "losses?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run both conventions with this page's p on one layer, many times over."""
    p = max((*lanes[1].dropout_rates, lanes[1].regularization.input_dropout))
    ran = both_conventions(p, lanes[1].training.seed)
    x, inverted, classic = ran["x"], ran["inverted"], ran["classic"]
    rng = np.random.default_rng(lanes[1].training.seed)
    z = rng.standard_normal((REPEATS, 4))
    selu = 1.0507 * np.where(z > 0, z, 1.67326 * np.expm1(z))
    means, variances = [], []
    for h in (selu, np.maximum(z, 0)):
        dropped, _ = alpha_dropout_forward(h, p, training=True, rng=rng)
        means.append(f"{h.mean():.2f} → {dropped.mean():.2f}")
        variances.append(f"{h.var():.2f} → {dropped.var():.2f}")
    return (
        f"x = {row(x)} at p = {p:g}, mean of {REPEATS} masks. Inverted: {row(inverted.mean(0))} in "
        f"training, {row(ran['inverted_use'])} in use; variance {row(inverted.var(0))}, where "
        f"x²p/(1-p) says {row(x**2 * p / (1 - p))}. Classic: {row(classic.mean(0))} in training, "
        f"{row(ran['classic_use'])} in use. Each convention agrees with itself, the classic one at "
        f"the scale 1-p = {1 - p:g}. A gradient of 1 comes back as {ran['back'].mean():.2f} on "
        f"average. Alpha dropout at this p, before → after: of SELU's outputs mean {means[0]}, "
        f"variance {variances[0]}; of ReLU's mean {means[1]}, variance {variances[1]}."
    )


def both_conventions(p: float, seed: int) -> dict[str, np.ndarray]:
    """Run both conventions with this p on one small layer, over many masks."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0.5, 2.0, 4)
    many = np.tile(x, (REPEATS, 1))
    inverted, mask = dropout_forward(many, p, training=True, rng=rng)
    return {
        "x": x,
        "inverted": inverted,
        "inverted_use": dropout_forward(x[None], p, training=False, rng=rng)[0],
        "classic": classic_dropout(many, p, training=True, rng=rng),
        "classic_use": classic_dropout(x[None], p, training=False, rng=rng),
        "back": dropout_backward(np.ones_like(mask), mask),
    }


def row(values: np.ndarray) -> str:
    """Return numbers as text."""
    return ", ".join(f"{v:.2f}" for v in np.ravel(values))


def conventions(p: float, seed: int) -> str:
    """Return the table of both conventions, with what came out for this p."""
    ran = both_conventions(p, seed)
    return lesson.markdown_table(
        (
            f"x = {row(ran['x'])}",
            "one mask in training",
            f"mean of {REPEATS} masks",
            "in use",
            "what its p means",
        ),
        [
            (
                "**inverted**: torch, Keras, this app",
                f"x·m/(1-p): {row(ran['inverted'][0])}",
                row(ran["inverted"].mean(axis=0)),
                f"x: {row(ran['inverted_use'])}",
                f"p of *dropping*, here {p:g}",
            ),
            (
                "**classic**: Srivastava et al. 2014",
                f"x·m: {row(ran['classic'][0])}",
                row(ran["classic"].mean(axis=0)),
                f"(1-p)·x: {row(ran['classic_use'])}",
                f"theirs is of *keeping*: {1 - p:g}",
            ),
        ],
    )


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    found = lesson.verdicts(frame, lanes)[1]
    noisy, quiet = mode_losses(frame)
    return (
        f"Validation loss {with_.val_loss:.3f} with and {plain.val_loss:.3f} without; training "
        f"loss {noisy:.3f} in train mode, {quiet:.3f} in eval mode. Without: {found[0].kind}. "
        f"With: {found[1].kind}. {found[1].reason}"
    )


def too_much(frame: Frame, lanes: Lanes) -> bool:
    """Say whether the model with dropout is clearly worse on its own training points."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.train_accuracy < plain.train_accuracy - 0.05


def mode_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return the loss of the same weights in train mode, beside the table's own in eval mode."""
    return [
        (
            "Training loss, train mode",
            *(f"{lane.curve('train_loss_train_mode')[-1]:.3f}" for lane in frame.lanes),
        )
    ]


LESSON = lesson.Lesson(
    page="dropout",
    question="What does a network learn when half of it is missing?",
    start=START,
    controls=(
        "dropout",
        "dropout_per_layer",
        "input_dropout",
        "dropout_kind",
        "activation",
        "hidden_layers",
        "units",
        "samples",
        "noise",
        "lr",
        "epochs",
        "seed",
    ),
    prediction=lesson.Prediction(
        asked,
        (
            "training loss higher, validation loss lower",
            "both lower",
            "validation loss not lower",
        ),
        outcome,
        expected=0,
    ),
    point=point,
    code=(dropout_forward, dropout_backward, classic_dropout, alpha_dropout_forward),
    code_ran=code_ran,
    tasks=(
        lesson.Task(
            "p = 0.9 on layers of 16, and points that are easier to tell apart: too much of it. "
            "Does the model still fit its training points?",
            START.replace("regularization.dropout", 0.9)
            .replace("model.hidden", [16, 16])
            .replace("data.noise", 0.15),
            seen,
            shows=too_much,
        ),
        lesson.Task(
            "Rates of their own: 0.2 in the first, 0.5 in the last hidden layer.",
            START.replace("regularization.dropout", [0.2, 0.5]),
            seen,
        ),
        lesson.Task(
            "Dropout 0.3 on the inputs. There are only two: is that a good place?",
            START.replace("regularization.dropout", 0.0).replace(
                "regularization.input_dropout", 0.3
            ),
            seen,
        ),
        lesson.Task(
            "SELU with alpha dropout 0.1, which keeps mean and variance.",
            START.replace("model.activation", "selu")
            .replace("regularization.dropout_kind", "alpha")
            .replace("regularization.dropout", 0.1),
            seen,
        ),
    ),
    sources=(
        "Srivastava et al. 2014: the classic convention, where p is the probability of *keeping*",
        "torch.nn.Dropout, Keras: inverted dropout, where p is the probability of *dropping*, as "
        "everywhere in this app; 1/(1-p) in training, the identity in use",
        "Klambauer et al. 2017: SELU and alpha dropout, with its affine correction",
        "Srivastava et al. 2014, section 9.1: on linear regression dropout is, on average, a ridge "
        "penalty scaled by the data; Wager et al. 2013: to second order on generalized linear "
        "models, too",
    ),
    rows=mode_rows,
    subject=lesson.Subject(
        "Dropout", lambda e: any((*e.dropout_rates, e.regularization.input_dropout))
    ),
    checks=(
        lesson.Check(
            "On a linear model with squared error dropout is, on average, ridge regression scaled "
            "by the data.",
            "Its minimizer is (XᵀX + p/(1-p)·diag XᵀX)⁻¹Xᵀy; the iterate is averaged.",
            "dropout_ridge",
            lambda e: {"p": max((*e.dropout_rates, 0.0)), "seed": e.training.seed},
            lesson_figures.ridge_check,
            lambda f: (
                f"After {f.arrays['step'][-1]:.0f} steps the gap to the closed form is "
                f"{f.number('gap'):.2%} of the largest weight; to least "
                f"squares, without dropout, it is {f.number('gap_least_squares'):.1%}."
            ),
        ),
        lesson.Check(
            "Alpha dropout nearly keeps mean 0 and variance 1 through 16 SELU layers.",
            "Dropped units go to α', then a·x + b restores both moments; p is at most 0.3 here.",
            "alpha_dropout_depth",
            lambda e: {"p": min(max((*e.dropout_rates, 0.05)), 0.3), "seed": e.training.seed},
            lesson_figures.alpha_check,
            lambda f: (
                f"Largest distance from mean 0 and variance 1 over {len(f.arrays['layer']) - 1} "
                f"layers: alpha dropout {f.number('gap_alpha'):.3f}, standard dropout "
                f"{f.number('gap_standard'):.3f}, none {f.number('gap_none'):.3f}."
            ),
        ),
    ),
)


def draw_sweep(frame: Frame, lanes: Lanes) -> None:
    """Draw the validation curve over p and say at which p the model over- and under-fits."""
    readings, found = lesson.verdicts(frame, lanes)
    losses = [r.val_loss for r in readings]
    best = lesson.lowest(losses)
    by_kind = "; ".join(
        f"{kind} at p = "
        + ", ".join(f"{p:g}" for p, v in zip(SWEEP, found, strict=True) if v.kind == kind)
        for kind in dict.fromkeys(v.kind for v in found)
    )
    text = (
        f"Lowest validation loss {losses[best]:.3f} at p = {SWEEP[best]:g}, {losses[0]:.3f} "
        f"without dropout. Verdicts: {by_kind}. Training accuracy: "
        f"{metrics.percent(readings[0].train_accuracy)} without dropout, "
        f"{metrics.percent(readings[-1].train_accuracy)} at p = {SWEEP[-1]:g}."
    )
    if not any(v.kind == metrics.UNDER for v in found):
        text += " That too large a p under-fits does not show on this run."
    charts.chart(
        lambda colors: lesson_figures.validation_curve(
            "dropout p", SWEEP, [r.train_loss for r in readings], losses, colors
        ),
        key="dropout-curve",
        alt=text,
        about=charts.of_runs(lanes),
    )
    st.html(layout.point(text))


shown = lesson.begin(LESSON)
live.decision_boundary(shown.channel, labels=shown.labels, height=310)
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
st.caption(USUAL)
with st.expander("Two conventions, and two meanings of p", icon=":material/compare_arrows:"):
    st.markdown(
        conventions(
            max(shown.experiment.dropout_rates, default=0.0), shown.experiment.training.seed
        )
    )
    st.caption(
        "In each convention this layer's mean in training is what comes out in use; they differ by "
        "the "
        "factor 1-p, which the next layer can make up for. Both at once, or neither, is wrong."
    )
with st.container(horizontal=True):
    st.page_link(
        "pages/microscope.py",
        label="Both modes on one batch, sub-networks, the Monte-Carlo band, co-adaptation",
        icon=":material/biotech:",
    )
    st.page_link(
        "pages/images.py",
        label="Whole maps dropped, in one, two and three dimensions",
        icon=":material/image:",
    )
with st.expander("How much is too much? The validation curve over p", icon=":material/show_chart:"):
    st.caption(
        "The experiment in the controls with one rate for all hidden layers, p from 0 to 0.9: one "
        "stack, the same batches; a larger p drops the same units and more."
    )
    lesson.further_run(
        "dropout-sweep",
        "Train the sweep",
        tuple(shown.experiment.replace("regularization.dropout", p) for p in SWEEP),
        draw_sweep,
    )
lesson.finish(shown)
