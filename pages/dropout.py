"""Lesson: dropout in training, and its absence at test time."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz.figures import theory as theory_figures
from regviz.frames import Frame
from regviz.results import metrics, verdict
from regviz.scratch.dropout import (
    alpha_dropout_forward,
    classic_dropout,
    dropout_backward,
    dropout_forward,
)
from regviz.scratch.max_norm import max_norm
from regviz.specs import Experiment
from regviz.ui import lesson, live
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
LIMITS = (0.25, 0.5, 1.0, 2.0, 4.0)
USUAL = (
    "**Typical dropout p:** inputs 0.1–0.3, with many features · hidden layers 0.3–0.5, including "
    "the last one, before the output layer · none on the model's output · attention 0.1 · "
    "recurrent layers 0.2–0.3 · rarely in convolutional layers, where neighbouring activations are "
    "correlated: whole feature maps are dropped instead"
)


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="dropout",
        question="What does a network learn when half of its units are dropped?",
        start=START,
        controls=(
            "dropout",
            "dropout_per_layer",
            "input_dropout",
            "dropout_kind",
            "max_norm",
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
            question_about,
            (
                "training loss higher, validation loss lower",
                "both lower",
                "validation loss not lower",
            ),
            outcome,
            expected=0,
        ),
        point=point,
        code=(
            dropout_forward,
            dropout_backward,
            classic_dropout,
            alpha_dropout_forward,
            max_norm,
        ),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "p = 0.9 on hidden layers of 16 units, and less noisy data: too much dropout. "
                "Does the model still fit its training points?",
                START.replace("regularization.dropout", 0.9)
                .replace("model.hidden", [16, 16])
                .replace("data.noise", 0.15),
                observed,
                shows=too_much,
            ),
            lesson.Task(
                "A rate for each hidden layer: 0.2 in the first, 0.5 in the last.",
                START.replace("regularization.dropout", [0.2, 0.5]),
                observed,
            ),
            lesson.Task(
                "Dropout 0.3 on the inputs, of which there are only two: does it help here?",
                START.replace("regularization.dropout", 0.0).replace(
                    "regularization.input_dropout", 0.3
                ),
                observed,
            ),
            lesson.Task(
                "SELU with alpha dropout 0.1, which preserves mean and variance.",
                START.replace("model.activation", "selu")
                .replace("regularization.dropout_kind", "alpha")
                .replace("regularization.dropout", 0.1),
                observed,
            ),
        ),
        sources=(
            "Srivastava et al. 2014: the classic convention, where p is the probability of "
            "*keeping*",
            "torch.nn.Dropout, Keras: inverted dropout, where p is the probability of *dropping*, "
            "as everywhere in this app; the factor 1/(1-p) in training, the identity at test time "
            "(eval mode)",
            "Klambauer et al. 2017: SELU and alpha dropout, with its affine correction",
            "Srivastava et al. 2014, section 9.1: in linear regression dropout is, on average, a "
            "ridge penalty scaled by the data; Wager et al. 2013: to second order this also holds "
            "for generalized linear models",
        ),
        rows=mode_rows,
        subject=lesson.Subject(
            "Dropout", lambda e: any((*e.dropout_rates, e.regularization.input_dropout))
        ),
        checks=(
            lesson.Check(
                "For a linear model with squared error, dropout is, on average, ridge regression "
                "scaled by the data.",
                "The minimizer is (XᵀX + p/(1-p)·diag XᵀX)⁻¹Xᵀy; the measured weights are averaged "
                "over the steps.",
                "dropout_ridge",
                lambda e: {"p": max((*e.dropout_rates, 0.0)), "seed": e.training.seed},
                theory_figures.ridge_check,
                lambda f: (
                    f"After {f.arrays['step'][-1]:.0f} steps the gap to the closed form is "
                    f"{f.number('gap'):.2%} of the largest weight; the gap to least squares (no "
                    f"dropout) is {f.number('gap_least_squares'):.1%}."
                ),
            ),
            lesson.Check(
                "Alpha dropout nearly preserves mean 0 and variance 1 through 16 SELU layers.",
                "Dropped units are set to α'; then a·x + b restores mean and variance. Here p ≤ "
                "0.3.",
                "alpha_dropout_depth",
                lambda e: {"p": min(max((*e.dropout_rates, 0.05)), 0.3), "seed": e.training.seed},
                theory_figures.alpha_check,
                lambda f: (
                    "Largest distance from mean 0 and variance 1 over "
                    f"{len(f.arrays['layer']) - 1} layers: alpha dropout "
                    f"{f.number('gap_alpha'):.3f}, standard dropout "
                    f"{f.number('gap_standard'):.3f}, no dropout {f.number('gap_none'):.3f}."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=310)
    lesson.curves_and_readout(shown, show_train_mode=True)
    st.caption(USUAL)
    with st.expander("Two conventions, and two meanings of p", icon=":material/compare_arrows:"):
        st.markdown(
            conventions(
                max(shown.experiment.dropout_rates, default=0.0), shown.experiment.training.seed
            )
        )
        st.caption(
            "In each convention the mean output in training equals the output at test time. The "
            "two differ by the factor 1-p, which the next layer can compensate for. Scaling in "
            "both modes, or in neither, is wrong."
        )
    with st.container(horizontal=True):
        st.page_link(
            "pages/microscope.py",
            label="Microscope: dropout in detail",
            icon=":material/biotech:",
        )
        st.page_link(
            "pages/images.py",
            label="Images: dropout of whole feature maps",
            icon=":material/image:",
        )
    with st.expander(
        "How much is too much? The validation curve over p", icon=":material/show_chart:"
    ):
        st.caption(
            "The experiment in the controls with one rate for all hidden layers, for p from 0 to "
            "0.9. All models see the same batches; a larger p drops the same units and more."
        )
        lesson.further_run(
            "dropout-sweep",
            "Train the sweep",
            tuple(shown.experiment.replace("regularization.dropout", p) for p in SWEEP),
            draw_sweep,
        )
    with st.expander("A limit beside dropout: max-norm", icon=":material/straighten:"):
        st.caption(
            "Max-norm is often used with dropout (Srivastava et al. 2014). After every step, the "
            "weights into each unit are scaled back to a norm of at most c where they exceed it. "
            "The experiment in the controls without a limit, and with c = "
            f"{', '.join(f'{c:g}' for c in LIMITS)}."
        )
        lesson.further_run(
            "dropout-max-norm",
            "Train with limits",
            tuple(shown.experiment.replace("regularization.max_norm", c) for c in (0.0, *LIMITS)),
            draw_limits,
        )


def rates(e: Experiment) -> str:
    """Return the dropout rates as text."""
    alike = len(set(e.dropout_rates)) == 1
    each = e.dropout_rates[:1] if alike else e.dropout_rates
    hidden = ", ".join(f"{p:g}" for p in each)
    p = e.regularization.input_dropout
    return ", ".join(part for part in (hidden, f"inputs {p:g}" if p else "") if part)


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the two modes of one model."""
    noisy, quiet = lesson.mode_losses(frame)
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"The model with dropout ({rates(lanes[1])}) has two training losses: {noisy:.3f} in train "
        f"mode, with units dropped (dotted), and {quiet:.3f} in eval mode, with all units "
        f"(dashed). Its validation loss is {with_.val_loss:.3f}; with no regularization it is "
        f"{plain.val_loss:.3f}."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the training losses of the two models, in eval mode."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    text = (
        f"training loss {plain.train_loss:.3f} with no regularization and {with_.train_loss:.3f} "
        f"with dropout; validation loss {plain.val_loss:.3f} and {with_.val_loss:.3f}."
    )
    higher = with_.train_loss > plain.train_loss
    lower = with_.val_loss < plain.val_loss - lesson.HARDLY
    return (0 if higher and lower else 1 if lower else 2), text


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's dropout rates."""
    return (
        f"dropout p = {rates(e)}. Both losses are measured in eval mode, with all units present. "
        "How do they compare with those of the model with no regularization?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run both conventions with the experiment's p on one layer, over many masks."""
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
    w = rng.standard_normal((4, 3))
    c = lanes[1].regularization.max_norm or 1.0
    limited = max_norm(w, c)
    return (
        f"x = {row(x)}, p = {p:g}, means over {REPEATS} masks. Inverted dropout: "
        f"{row(inverted.mean(0))} in training, {row(ran['inverted_use'])} at test time; variance "
        f"{row(inverted.var(0))}, by the formula x²p/(1-p) {row(x**2 * p / (1 - p))}. Classic "
        f"dropout: {row(classic.mean(0))} in training, {row(ran['classic_use'])} at test time. In "
        "each convention the mean in training agrees with the output at test time; the classic one "
        f"is smaller by the factor 1-p = {1 - p:g}. A gradient of 1 is passed back as "
        f"{ran['back'].mean():.2f} on average. Alpha dropout at this p, before → after: SELU "
        f"outputs, mean {means[0]}, variance {variances[0]}; ReLU outputs, mean {means[1]}, "
        f"variance {variances[1]}. Max-norm c = {c:g} on random weights into three units: norms "
        f"{row(np.linalg.norm(w, axis=0))} become {row(np.linalg.norm(limited, axis=0))}."
    )


def both_conventions(p: float, seed: int) -> dict[str, np.ndarray]:
    """Return the outputs of both conventions with this p on a small layer, over many masks."""
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
    """Return numbers as text with two decimals."""
    return ", ".join(f"{v:.2f}" for v in np.ravel(values))


def conventions(p: float, seed: int) -> str:
    """Return the Markdown table of both conventions with their outputs for this p."""
    ran = both_conventions(p, seed)
    return lesson.markdown_table(
        (
            f"x = {row(ran['x'])}",
            "one mask in training",
            f"mean of {REPEATS} masks",
            "at test time (eval mode)",
            "meaning of p",
        ),
        [
            (
                "**inverted**: torch, Keras, this app",
                f"x·m/(1-p): {row(ran['inverted'][0])}",
                row(ran["inverted"].mean(axis=0)),
                f"x: {row(ran['inverted_use'])}",
                f"probability of *dropping*: {p:g}",
            ),
            (
                "**classic**: Srivastava et al. 2014",
                f"x·m: {row(ran['classic'][0])}",
                row(ran["classic"].mean(axis=0)),
                f"(1-p)·x: {row(ran['classic_use'])}",
                f"probability of *keeping*: {1 - p:g}",
            ),
        ],
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    found = lesson.verdicts(frame, lanes)[1]
    noisy, quiet = lesson.mode_losses(frame)
    return (
        f"Validation loss {with_.val_loss:.3f} with dropout and {plain.val_loss:.3f} with no "
        f"regularization. Training loss with dropout {noisy:.3f} in train mode, {quiet:.3f} in "
        f"eval mode. No regularization: {found[0].kind}. With dropout: {found[1].kind}. "
        f"{found[1].reason}"
    )


def too_much(frame: Frame, lanes: Lanes) -> bool:
    """Whether the model with dropout is clearly worse on its training points."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return with_.train_accuracy < plain.train_accuracy - 0.05


def mode_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return a row with the train-mode loss of the weights, beside the table's eval-mode loss."""
    return [
        (
            "Training loss, train mode",
            *(f"{lane.curve('train_loss_train_mode')[-1]:.3f}" for lane in frame.lanes),
        )
    ]


def draw_limits(frame: Frame, lanes: Lanes) -> None:
    """Draw the losses over max-norm's limit c, and compare them with those without a limit."""
    free, *limited = (metrics.read(lane) for lane in frame.lanes)
    losses = [r.val_loss for r in limited]
    best = lesson.lowest(losses)
    text = (
        f"Validation loss without a limit: {free.val_loss:.3f}. With a limit it is lowest at c = "
        f"{LIMITS[best]:g}: {losses[best]:.3f}. Training accuracy: "
        f"{metrics.percent(free.train_accuracy)} without a limit, "
        f"{metrics.percent(limited[0].train_accuracy)} at c = {LIMITS[0]:g}."
    )
    lesson.validation_curve("max-norm c", LIMITS, limited, lanes, text, key="max-norm-curve")


def draw_sweep(frame: Frame, lanes: Lanes) -> None:
    """Draw the validation curve over p, and name the p at which the model over- and underfits."""
    readings, found = lesson.verdicts(frame, lanes)
    losses = [r.val_loss for r in readings]
    best = lesson.lowest(losses)
    by_kind = "; ".join(
        f"{kind} at p = "
        + ", ".join(f"{p:g}" for p, v in zip(SWEEP, found, strict=True) if v.kind == kind)
        for kind in dict.fromkeys(v.kind for v in found)
    )
    text = (
        f"Lowest validation loss {losses[best]:.3f} at p = {SWEEP[best]:g}; without dropout it is "
        f"{losses[0]:.3f}. Verdicts: {by_kind}. Training accuracy: "
        f"{metrics.percent(readings[0].train_accuracy)} without dropout, "
        f"{metrics.percent(readings[-1].train_accuracy)} at p = {SWEEP[-1]:g}."
    )
    if not any(v.kind == verdict.UNDER for v in found):
        text += " This run does not show that a very large p under-fits."
    lesson.validation_curve("dropout p", SWEEP, readings, lanes, text, key="dropout-curve")


LESSON = contents()
lesson.show(LESSON, views)
