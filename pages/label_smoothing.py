"""Lesson: label smoothing, soft targets, and how sure a network may be."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz import lesson_figures, metrics, uncertainty
from regviz.frames import Frame
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
from regviz.uncertainty import ece, mean_confidence

START = Experiment.from_dict(
    {
        "data": {"n_samples": 600, "val_fraction": 0.7, "noise": 0.35},
        "model": {"hidden": [64, 64]},
        "regularization": {"label_smoothing": 0.1},
        "training": {"lr": 0.01, "epochs": 250},
    }
)


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare how sure the two models are with how often they are right."""
    parts = [
        f"{name}: {mean_confidence(lane):.0%} sure and "
        f"{metrics.percent(metrics.read(lane).val_accuracy)} right, ECE {ece(lane):.3f}"
        for name, lane in zip(("without", "with"), frame.lanes, strict=True)
    ]
    return "On the validation set, on average – " + "; ".join(parts) + "."


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the ECE of the two models on this run, with what luck alone would give."""
    plain, smooth = frame.lanes
    right = {-1: 0, 0: 1, 1: 2}[uncertainty.ece_difference(plain, smooth).sign]
    return (
        right,
        f"without and with label smoothing, {uncertainty.calibration_said(plain, smooth)}.",
    )


def asked(e: Experiment) -> str:
    """Return the question about an experiment with its own targets."""
    wrong, right = soft_targets(np.array([1]), 2, e.regularization.label_smoothing)[0]
    return (
        f"targets of {wrong:.3g} and {right:.3g} instead of 0 and 1. Will the network's "
        "percentages be more honest (ECE lower), by more than luck?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins with this page's ε, and the ECE on one prediction for each filled bin."""
    epsilon = lanes[1].regularization.label_smoothing
    targets = soft_targets(np.array([1]), 2, epsilon)[0]
    logits, y = np.array([[0.0, 3.0]]), np.array([1])
    count, confidence, right = np.asarray(frame.lanes[1].reliability, np.float64)
    # the bins hold sums: each point of a bin is given its mean confidence
    n = count.astype(int)
    some = n > 0
    spread = np.repeat(confidence[some] / n[some], n[some])
    correct = np.concatenate([np.arange(m) < r for m, r in zip(n[some], right[some], strict=True)])
    again = expected_calibration_error(spread, correct)
    filled = int((reliability_bins(spread, correct)[0] > 0).sum())
    gap = f"{logit_gap(2, epsilon):.2f}" if epsilon else "infinitely far"
    return (
        f"ε = {epsilon:g} turns the targets 0 and 1 into {targets[0]:.3f} and {targets[1]:.3f}. "
        f"A logit of 3 for the right class costs {smoothed_cross_entropy(logits, y, epsilon):.3f} "
        f"against {cross_entropy(logits, soft_targets(y, 2, 0.0)):.3f} without. The best logits "
        f"are {gap} apart. ECE of the model with smoothing, from its {filled} filled bins: "
        f"{again:.3f}; the table says {ece(frame.lanes[1]):.3f}."
    )


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to."""
    plain, smooth = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"Without and with: {uncertainty.calibration_said(*frame.lanes)}. Validation accuracy "
        f"{metrics.percent(plain.val_accuracy)} and {metrics.percent(smooth.val_accuracy)}, loss "
        f"{plain.val_loss:.3f} and {smooth.val_loss:.3f}; mean confidence "
        f"{mean_confidence(frame.lanes[0]):.0%} and {mean_confidence(frame.lanes[1]):.0%}."
    )


def worse(frame: Frame, lanes: Lanes) -> bool:
    """Say whether smoothing has made the percentages less honest."""
    plain, smooth = (ece(lane) for lane in frame.lanes)
    return smooth > plain


def calibration_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return ECE and mean confidence of each model, and at the end the ECE that luck would give."""
    lucks = [uncertainty.perfect_ece(lane) for lane in frame.lanes] if frame.done else []
    luck = [f"{one.low:.3f} – {one.high:.3f}" for one in lucks] or ["–"] * len(frame.lanes)
    return [
        ("ECE", *(f"{ece(lane):.3f}" for lane in frame.lanes)),
        ("ECE if perfect", *luck),
        ("Mean confidence", *(f"{mean_confidence(lane):.0%}" for lane in frame.lanes)),
    ]


LESSON = lesson.Lesson(
    page="label-smoothing",
    question="How sure may a network be?",
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
        asked,
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
            "ε = 0.4: can one be too modest?",
            START.replace("regularization.label_smoothing", 0.4),
            seen,
        ),
        lesson.Task(
            "Every fifth training label is wrong. Does smoothing help the accuracy on true labels?",
            START.replace("data.label_noise", 0.2).replace("data.noise", 0.15),
            seen,
        ),
        lesson.Task(
            "Clean, well separated data, where high confidence is right: does smoothing hurt?",
            START.replace("data.noise", 0.05),
            seen,
            shows=worse,
        ),
    ),
    sources=(
        "Szegedy et al. 2016; torch.nn.CrossEntropyLoss(label_smoothing=): the ε/K form",
        "Müller et al. 2019: better calibration, worse teachers for distillation; Shen et al. "
        "2021 contest the second",
        "Naeini et al. 2015, Guo et al. 2017: ECE, here of the top label in 15 bins (lo, hi]. "
        "On few points it is above 0 even for a perfectly calibrated model (Bröcker & Smith 2007; "
        "Vaicenavicius et al. 2019): “ECE if perfect” is its 5% to 95% range, simulated",
    ),
    rows=calibration_rows,
    subject=lesson.Subject("Label smoothing", lambda e: e.regularization.label_smoothing > 0),
    checks=(
        lesson.Check(
            "The smoothed loss wants a finite gap between logits.",
            "ln(1 + K(1-ε)/ε); without smoothing no finite gap is the best one.",
            "label_smoothing_gap",
            lambda e: {
                "epsilon": e.regularization.label_smoothing,
                "seed": e.training.seed,
            },
            lesson_figures.smoothing_check,
            lambda f: (
                f"{len(f.arrays['target'])} classes: logit gap after "
                f"{f.arrays['step'][-1]:.0f} steps "
                f"{f.arrays['logit_gap'][-1].mean():.3f}, closed form "
                f"{f.number('closed_form'):.3f}; loss above the smallest possible one: "
                f"{f.number('gap_loss'):.1e}."
            ),
        ),
    ),
)

shown = lesson.begin(LESSON)
live.decision_boundary(shown.channel, labels=shown.labels, height=300)
left, right = st.columns([3, 2], gap="small")
with left:
    live.loss_curves(
        shown.channel,
        labels=shown.labels,
        epochs=shown.experiment.training.epochs,
        height=325,
    )
with right:
    live.readout(shown.channel)
targets, diagram = st.columns([1, 3], gap="small")
with targets:
    epsilon = shown.experiment.regularization.label_smoothing
    hard, soft = (soft_targets(np.array([1]), 2, e)[0] for e in (0.0, epsilon))
    charts.chart(
        lambda colors: lesson_figures.smoothed_targets(hard, soft, colors),
        key="targets",
        alt=f"A target of 0 and 1 becomes {soft[0]:.3g} and {soft[1]:.3g} at ε = {epsilon:g}.",
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
lesson.finish(shown)
