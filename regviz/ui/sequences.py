"""Shared by the lessons on sequences: the rule that generates the data, and examples."""

from __future__ import annotations

from html import escape

import streamlit as st

from regviz.figures.sequences import token_names
from regviz.frames import Frame
from regviz.results import metrics
from regviz.specs import ALPHABET, SEQUENCE_LENGTH, Experiment
from regviz.ui import layout, lesson
from regviz.ui.lesson import Lanes, Shown

UNLEARNT = 0.2
"""Training accuracy by which a model must be behind the other to count as not having learned."""


def rule(experiment: Experiment) -> str:
    """Return the rule that generates the sequences, as text."""
    noise = experiment.data.noise
    replaced = (
        f" Then each token is replaced by a random one with probability {noise:.0%}, and the "
        "label stays: A or B may be missing or come twice."
        if noise
        else ""
    )
    return (
        f"**The rule.** {SEQUENCE_LENGTH} tokens. A and B stand once each, at two random places; "
        f"the other {SEQUENCE_LENGTH - 2} are drawn from {ALPHABET - 2} digits and do not matter. "
        f"**Class 1 if A comes before B, else 0.**{replaced}"
    )


def verdict(frame: Frame, lanes: Lanes) -> str:
    """Return one sentence: whether regularization helped on new sequences in this run."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    if "diverged" in (plain.status, with_.status):
        return "A model diverged: try a lower learning rate."
    if not lanes[1].regularized:
        return "No regularization is switched on, so the two models are identical."
    if abs(with_.val_loss - plain.val_loss) < lesson.HARDLY:
        return "On new sequences the two models hardly differ so far."
    if with_.train_accuracy < plain.train_accuracy - UNLEARNT:
        return "Regularized this strongly, it has not learned even the training sequences."
    if with_.val_loss > plain.val_loss:
        return "On this run, regularization does not help on new sequences."
    if with_.val_accuracy < plain.val_accuracy:
        return (
            "Regularized, it is less confident where it is wrong: lower loss, but lower accuracy."
        )
    if with_.train_loss > plain.train_loss + 5e-4:  # a difference visible at three decimals
        return "Regularized, it fits the training sequences worse and new ones better."
    return "Regularized, it is better on new sequences."


def examples(shown: Shown) -> None:
    """Draw the rule, and validation sequences with their labels and the models' predictions."""
    st.markdown(rule(shown.experiment))
    frame, _ = shown.page_run.observe()
    if frame is None or frame.data is None or frame.data[0].sequences is None:
        st.html(layout.note("Waiting for the first sequences."))
        return
    st.html(_table(frame, shown.labels))


def _table(frame: Frame, labels: tuple[str, ...]) -> str:
    assert frame.data is not None
    view = frame.data[0]
    assert view.sequences is not None
    assert view.sequence_labels is not None
    rows = []
    for i, (tokens, label) in enumerate(zip(view.sequences, view.sequence_labels, strict=True)):
        written = "".join(
            f"<b>{name}</b>" if token < 2 else f"<span>{name}</span>"
            for name, token in zip(token_names(tokens), tokens, strict=True)
        )
        answers = []
        for lane in frame.lanes:
            if lane.answers is None:
                answers.append("<td>–</td>")
                continue
            right = (lane.answers[i] > 0.5) == (label == 1)
            mark = "" if right else ' class="rv-wrong" title="wrong"'
            answers.append(f"<td{mark}>{lane.answers[i]:.2f}{'' if right else ' ✗'}</td>")
        cells = f'<td class="rv-tokens">{written}</td><td>{label}</td>{"".join(answers)}'
        rows.append(f"<tr>{cells}</tr>")
    head = "<tr><th>sequence</th><th>label</th>"
    # break long names, so that two tables fit side by side
    short = (escape(name).replace(" regularization", "<br>regularization") for name in labels)
    head += "".join(f"<th>{name}</th>" for name in short) + "</tr>"
    half = -(-len(rows) // 2)
    tables = "".join(
        f'<table class="rv-sequences">{head}{"".join(some)}</table>'
        for some in (rows[:half], rows[half:])
        if some
    )
    return (
        f'<div class="rv-examples">{tables}</div><p class="rv-note">New sequences (validation), '
        "and P(class 1) by each model once it is trained.</p>"
    )
