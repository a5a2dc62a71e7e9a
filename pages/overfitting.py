"""Lesson: under-fitting, a good fit and over-fitting, three networks on the same data."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz import metrics
from regviz.frames import Frame
from regviz.scratch.early_stopping import early_stopping
from regviz.specs import Experiment
from regviz.ui import lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 300, "noise": 0.25, "seed": 1},
        "model": {"hidden": [16]},
        "training": {"lr": 0.01, "epochs": 120},
    }
)
LARGE = (128, 128, 128)
REFERENCE = Experiment.from_dict(
    {
        "data": {"kind": "moons", "n_samples": 500, "noise": 0.3, "val_fraction": 0.3},
        "model": {"hidden": [256, 512, 256]},
        "training": {"optimizer": "adam", "lr": 0.001, "batch_size": 32, "epochs": 300},
    }
)


def is_reference(e: Experiment) -> bool:
    """Whether the network is the reference experiment's."""
    return e.model.hidden == REFERENCE.model.hidden


def trio(e: Experiment) -> Lanes:
    """Return a linear model, the student's network and a large one, on one data set; with the
    reference network: nothing, weight decay 1e-4 and dropout 0.5."""
    if is_reference(e):
        plain = e.without_regularization()
        return (
            plain,
            plain.replace("regularization.weight_decay", 1e-4),
            plain.replace("regularization.dropout", 0.5),
        )
    return e.replace("model.hidden", []), e, e.replace("model.hidden", LARGE)


def names(e: Experiment) -> tuple[str, ...]:
    """Return the names of the three."""
    if is_reference(e):
        return "nothing", "decay 1e-4", "dropout 0.5"
    return "linear", "yours", "large"


def point(frame: Frame, lanes: Lanes) -> str:
    """Say which of the three is which."""
    three = [metrics.read(lane) for lane in frame.lanes]
    of = names(lanes[1])
    losses = ", ".join(f"{n} {r.val_loss:.3f}" for n, r in zip(of, three, strict=True))
    return f"Same points, three models. Validation loss at epoch {frame.epoch}: {losses}."


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Name the model with the highest validation loss at the end."""
    three = [metrics.read(lane) for lane in frame.lanes]
    of = names(lanes[1])
    text = ", ".join(
        f"{n} {r.train_loss:.3f} in training and {r.val_loss:.3f} in validation"
        for n, r in zip(of, three, strict=True)
    )
    return int(np.argmax([r.val_loss for r in three])), f"the losses are {text}."


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Find each model's best epoch on its stored losses: where over-fitting began."""
    parts = []
    for name, lane in zip(names(lanes[1]), frame.lanes, strict=True):
        losses = lane.curve("val_loss").tolist()
        best, _ = early_stopping(losses, patience=len(losses))
        parts.append(f"{name}: epoch {best} of {len(losses)} ({losses[best - 1]:.3f})")
    return "The twin on the stored validation losses, lowest at – " + "; ".join(parts) + "."


def seen(frame: Frame, lanes: Lanes) -> str:
    """Say what a task's run came to: a verdict for each model."""
    found = lesson.verdicts(frame, lanes)[1]
    return " ".join(
        f"{name}: {v.kind}. {v.reason}" for name, v in zip(names(lanes[1]), found, strict=True)
    )


LESSON = lesson.Lesson(
    page="overfitting",
    question="When does a network learn too little, and when too much?",
    start=START,
    controls=(
        "hidden_layers",
        "units",
        "epochs",
        "data_set",
        "samples",
        "noise",
        "label_noise",
        "irrelevant_features",
        "lr",
        "data_seed",
        "seed",
    ),
    prediction=lesson.Prediction(
        "a linear model, a network of 16 units and one of 128-128-128 learn the same points. "
        "Which has the highest validation loss in the end?",
        ("the linear one", "yours, with 16 units", "the large one"),
        outcome,
    ),
    point=point,
    code=(early_stopping,),
    code_ran=code_ran,
    tasks=(
        lesson.Task(
            "Make *yours* over-fit by capacity: three layers of 256.",
            START.replace("model.hidden", [256, 256, 256]),
            seen,
        ),
        lesson.Task(
            "Make every model over-fit less with data alone: 2000 samples.",
            START.replace("data.n_samples", 2000).replace("training.epochs", 60),
            seen,
        ),
        lesson.Task(
            "Give every fifth training point a wrong label. Who learns the mistakes?",
            START.replace("data.label_noise", 0.2),
            seen,
        ),
        lesson.Task(
            "Add 20 inputs of pure noise to 100 samples: does the linear model stay honest?",
            START.replace("data.irrelevant_features", 20).replace("data.n_samples", 100),
            seen,
        ),
        lesson.Task(
            "Train for 10 epochs only, with small steps: too little of it.",
            START.replace("training.epochs", 10).replace("training.lr", 0.001),
            seen,
        ),
        lesson.Task(
            "The reference experiment: 256-512-256 on 500 points, 300 epochs – nothing, weight "
            "decay 1e-4, dropout 0.5. It trains for a while. A penalty is a constraint, dropout "
            "is noise: two ways to the same end.",
            REFERENCE,
            seen,
        ),
    ),
    sources=(
        "Goodfellow et al. 2016, *Deep Learning*, chapter 5.2 (capacity) and 7 (regularization)",
        "Geman et al. 1992, “Neural networks and the bias/variance dilemma”",
        "Zhang et al. 2017, arXiv 1611.03530: large networks fit even random labels",
        "The verdict compares with what 15 nearest neighbours reach on the same points",
    ),
    lanes=trio,
    labels_for=names,
    judged=True,
)

shown = lesson.begin(LESSON)
live.decision_boundary(shown.channel, labels=shown.labels, height=330)
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
lesson.finish(shown)
