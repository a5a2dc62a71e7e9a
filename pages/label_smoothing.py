"""Lesson: label smoothing, soft targets and calibration."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz.figures import lessons as lesson_figures
from regviz.figures import theory as theory_figures
from regviz.frames import Frame
from regviz.results import metrics, uncertainty
from regviz.results.uncertainty import ece, mean_confidence
from regviz.scratch.calibration import expected_calibration_error, reliability_bins
from regviz.scratch.label_smoothing import (
    cross_entropy,
    logit_gap,
    smoothed_cross_entropy,
    soft_targets,
)
from regviz.specs import Experiment
from regviz.ui import charts, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 600, "val_fraction": 0.7, "noise": 0.35},
        "model": {"hidden": [64, 64]},
        "regularization": {"label_smoothing": 0.1},
        "training": {"lr": 0.01, "epochs": 250},
    }
)
NAMES = ("no regularization", "with regularization")


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="label-smoothing",
        question="How confident should a network be?",
        start=START,
        controls=(
            "label_smoothing",
            "label_noise",
            "data_set",
            "samples",
            "noise",
            "lr",
            "epochs",
            "data_seed",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            ("yes, ECE lower", "no difference", "no, ECE higher"),
            outcome,
            expected=0,
        ),
        point=point,
        code=(
            soft_targets,
            cross_entropy,
            smoothed_cross_entropy,
            logit_gap,
            reliability_bins,
            expected_calibration_error,
        ),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "ε = 0.4. Can too much smoothing make the network underconfident?",
                START.replace("regularization.label_smoothing", 0.4),
                observed,
            ),
            lesson.Task(
                "Every fifth training label is wrong. Does smoothing help the accuracy on true "
                "labels?",
                START.replace("data.label_noise", 0.2).replace("data.noise", 0.15),
                observed,
            ),
            lesson.Task(
                "Clean, well-separated data, where high confidence is justified. Does smoothing "
                "hurt?",
                START.replace("data.noise", 0.05),
                observed,
                shows=worse,
            ),
        ),
        sources=(
            "Szegedy et al. 2016; torch.nn.CrossEntropyLoss(label_smoothing=): the ε/K form",
            "Müller et al. 2019: better calibration, worse teachers for distillation; Shen et al. "
            "2021 contest the second claim",
            "Naeini et al. 2015, Guo et al. 2017: ECE, here of the top label in 15 bins (lo, hi]. "
            "With few points, it is above 0 even for a perfectly calibrated model (Bröcker & "
            "Smith 2007; Vaicenavicius et al. 2019): “ECE if calibrated” is its simulated 5% to "
            "95% range",
        ),
        rows=calibration_rows,
        subject=lesson.Subject("Label smoothing", lambda e: e.regularization.label_smoothing > 0),
        checks=(
            lesson.Check(
                "With smoothing, the optimal logit gap is finite.",
                "It is ln(1 + K(1-ε)/ε). Without smoothing, no finite gap is optimal.",
                "label_smoothing_gap",
                lambda e: {
                    "epsilon": e.regularization.label_smoothing,
                    "seed": e.training.seed,
                },
                theory_figures.smoothing_check,
                lambda f: (
                    f"{len(f.arrays['target'])} classes. Logit gap after "
                    f"{f.arrays['step'][-1]:.0f} steps: {f.arrays['logit_gap'][-1].mean():.3f}; "
                    f"closed form: {f.number('closed_form'):.3f}. Loss minus its minimum: "
                    f"{f.number('gap_loss'):.1e}."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=300)
    lesson.curves_and_readout(shown)
    targets, diagram = st.columns([1, 2], gap="small")
    with targets:
        epsilon = shown.experiment.regularization.label_smoothing
        hard, soft = (soft_targets(np.array([1]), 2, e)[0] for e in (0.0, epsilon))
        charts.chart(
            lambda colors: lesson_figures.smoothed_targets(hard, soft, colors),
            key="targets",
            alt=f"Targets of 0 and 1 become {soft[0]:.3g} and {soft[1]:.3g} at ε = {epsilon:g}.",
            about=charts.of_runs(shown.lesson.lanes(shown.experiment)),
        )
    with diagram:
        if shown.last_finished is not None:
            finished, of = shown.last_finished
            charts.chart(
                lambda colors: lesson_figures.reliability(finished.lanes, shown.labels, colors),
                key="reliability",
                alt="Reliability diagram and confidence histogram of the finished run.",
                about=charts.of_runs(of),
            )


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the mean confidence of the two models with their accuracy."""
    parts = [
        f"{name}: mean confidence {mean_confidence(lane):.0%}, accuracy "
        f"{metrics.percent(metrics.read(lane).val_accuracy)}, ECE {ece(lane):.3f}"
        for name, lane in zip(NAMES, frame.lanes, strict=True)
    ]
    return f"On the validation set: {'; '.join(parts)}."


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the two models' ECE in this run, allowing for chance."""
    plain, smooth = frame.lanes
    right = {-1: 0, 0: 1, 1: 2}[uncertainty.ece_difference(plain, smooth).sign]
    return right, f"{uncertainty.calibration_said(plain, smooth, names=NAMES)}."


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's targets."""
    wrong, right = soft_targets(np.array([1]), 2, e.regularization.label_smoothing)[0]
    return (
        f"the targets are {wrong:.3g} and {right:.3g} instead of 0 and 1. Will the network be "
        "better calibrated (lower ECE), by more than chance?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins with the experiment's ε, and the ECE on predictions rebuilt from the bins."""
    epsilon = lanes[1].regularization.label_smoothing
    targets = soft_targets(np.array([1]), 2, epsilon)[0]
    logits, y = np.array([[0.0, 3.0]]), np.array([1])
    count, confidence, right = np.asarray(frame.lanes[1].reliability, np.float64)
    # the frame holds bins only: each point gets the mean confidence of its bin
    n = count.astype(int)
    some = n > 0
    spread = np.repeat(confidence[some] / n[some], n[some])
    correct = np.concatenate([np.arange(m) < r for m, r in zip(n[some], right[some], strict=True)])
    again = expected_calibration_error(spread, correct)
    filled = int((reliability_bins(spread, correct)[0] > 0).sum())
    gap = f"{logit_gap(2, epsilon):.2f}" if epsilon else "infinite"
    return (
        f"ε = {epsilon:g} turns the targets 0 and 1 into {targets[0]:.3f} and {targets[1]:.3f}. "
        f"With a logit of 3 for the correct class, the loss is "
        f"{smoothed_cross_entropy(logits, y, epsilon):.3f} with smoothing and "
        f"{cross_entropy(logits, soft_targets(y, 2, 0.0)):.3f} without. The optimal logit gap is "
        f"{gap}. ECE of the model with smoothing, computed again from its {filled} non-empty bins: "
        f"{again:.3f}; the table shows {ece(frame.lanes[1]):.3f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    plain, smooth = frame.lanes
    a, b = metrics.read(plain), metrics.read(smooth)
    return (
        f"{uncertainty.calibration_said(plain, smooth, names=NAMES)}. No regularization: "
        f"validation accuracy {metrics.percent(a.val_accuracy)}, validation loss {a.val_loss:.3f}, "
        f"mean confidence {mean_confidence(plain):.0%}. With regularization: validation accuracy "
        f"{metrics.percent(b.val_accuracy)}, validation loss {b.val_loss:.3f}, mean confidence "
        f"{mean_confidence(smooth):.0%}."
    )


def worse(frame: Frame, lanes: Lanes) -> bool:
    """Whether smoothing has increased the ECE."""
    plain, smooth = (ece(lane) for lane in frame.lanes)
    return smooth > plain


def calibration_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return ECE and mean confidence; at the end also the ECE of a calibrated model by chance."""
    lucks = [uncertainty.perfect_ece(lane) for lane in frame.lanes] if frame.done else []
    luck = [f"{one.low:.3f} – {one.high:.3f}" for one in lucks] or ["–"] * len(frame.lanes)
    return [
        ("ECE", *(f"{ece(lane):.3f}" for lane in frame.lanes)),
        ("ECE if calibrated", *luck),
        ("Mean confidence", *(f"{mean_confidence(lane):.0%}" for lane in frame.lanes)),
    ]


LESSON = contents()
lesson.show(LESSON, views)
