"""Lesson: label smoothing, soft targets, and how sure a network may be."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz import lesson_figures, metrics
from regviz.frames import Frame, LaneFrame
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
        "data": {"n_samples": 300},
        "model": {"hidden": [64, 64]},
        "regularization": {"label_smoothing": 0.1},
        "training": {"lr": 0.01, "epochs": 120},
    }
)


def ece(lane: LaneFrame) -> float:
    """Return the ECE of a frame's bins: Σ |right - sum of confidences| / n."""
    count, confidence, right = np.asarray(lane.reliability, np.float64)
    return float(np.abs(right - confidence).sum() / max(count.sum(), 1))


def mean_confidence(lane: LaneFrame) -> float:
    """Return how sure the model is of its answers, on average over the validation set."""
    count, confidence, _ = np.asarray(lane.reliability, np.float64)
    return float(confidence.sum() / max(count.sum(), 1))


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare how sure the two models are with how often they are right."""
    parts = [
        f"{name}: {mean_confidence(lane):.0%} sure and "
        f"{metrics.percent(metrics.read(lane).val_accuracy)} right, ECE {ece(lane):.3f}"
        for name, lane in zip(("without", "with"), frame.lanes, strict=True)
    ]
    return "On the validation set, on average – " + "; ".join(parts) + "."


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the ECE of the two models on this run."""
    plain, smooth = (ece(lane) for lane in frame.lanes)
    n = frame.lanes[0].reliability[0].sum()
    text = f"ECE {plain:.3f} without and {smooth:.3f} with, on {n:.0f} validation points."
    if abs(plain - smooth) < 0.005:
        return 1, text
    return (0 if smooth < plain else 2), text


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
    gap = logit_gap(2, epsilon)
    return (
        f"ε = {epsilon:g} turns the targets 0 and 1 into {targets[0]:.3f} and {targets[1]:.3f}. "
        f"A logit of 3 for the right class costs {smoothed_cross_entropy(logits, y, epsilon):.3f} "
        f"against {cross_entropy(logits, soft_targets(y, 2, 0.0)):.3f} without. The best logits "
        f"are {gap:.2f} apart. ECE of the model with smoothing, from its {filled} filled bins: "
        f"{again:.3f}; the table says {ece(frame.lanes[1]):.3f}."
    )


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to."""
    plain, smooth = (metrics.read(lane) for lane in frame.lanes)
    a, b = (ece(lane) for lane in frame.lanes)
    verdict = "better" if b < a - 0.005 else "worse" if b > a + 0.005 else "about equally"
    return (
        f"ECE {a:.3f} without, {b:.3f} with: {verdict} calibrated. Validation accuracy "
        f"{metrics.percent(plain.val_accuracy)} and {metrics.percent(smooth.val_accuracy)}, loss "
        f"{plain.val_loss:.3f} and {smooth.val_loss:.3f}; mean confidence "
        f"{mean_confidence(frame.lanes[0]):.0%} and {mean_confidence(frame.lanes[1]):.0%}."
    )


def calibration_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return ECE and mean confidence of each model."""
    return [
        ("ECE", *(f"{ece(lane):.3f}" for lane in frame.lanes)),
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
        "targets of 0.05 and 0.95 instead of 0 and 1. Will the network's percentages be more "
        "honest (ECE lower)?",
        ("yes, ECE lower", "no difference", "no, ECE higher"),
        outcome,
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
            "Clean, well separated data: where being sure is right, smoothing can hurt.",
            START.replace("data.noise", 0.05),
            seen,
        ),
    ),
    sources=(
        "Szegedy et al. 2016; torch.nn.CrossEntropyLoss(label_smoothing=): the ε/K form",
        "Müller et al. 2019: better calibration, worse teachers for distillation; Shen et al. "
        "2021 contest the second",
        "Naeini et al. 2015, Guo et al. 2017: ECE, here of the top label in 15 bins (lo, hi]",
    ),
    rows=calibration_rows,
    checks=(
        lesson.Check(
            "The smoothed loss wants a finite gap between logits.",
            "ln(1 + K(1-ε)/ε); without smoothing there is none, and the gap grows for ever.",
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
