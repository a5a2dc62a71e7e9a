"""Lesson: an LSTM on sequences, and dropout with one mask for all time steps."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from regviz.figures import sequences as sequence_figures
from regviz.frames import Frame, LaneFrame
from regviz.results import metrics
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.slides import words
from regviz.specs import SEQUENCE_LENGTH, Experiment
from regviz.specs.text import listed
from regviz.ui import lesson, live, sequences
from regviz.ui.lesson import Lanes

PAGE = "sequences"
START = Experiment.from_dict(
    {
        "data": {"kind": "order", "n_samples": 200, "noise": 0.1},
        "model": {"kind": "lstm", "hidden": [16], "embedding": 8},
        "regularization": {"input_dropout": 0.2, "recurrent_dropout": 0.25, "l2": 0.001},
        "training": {"lr": 0.02, "epochs": 40},
    }
)
NOTHING = START.without_regularization()
REPEATS = 40
USUAL = (
    "**Typical dropout p:** recurrent 0.2–0.3 · input 0.1–0.3 · before the output 0.2–0.5. "
    "`nn.LSTM(dropout=p)` is none of these: it acts between layers only, so it has no effect with "
    "one layer."
)
WALL = "nn.LSTM(dropout=p)"


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page=PAGE,
        question="How should dropout be applied in a recurrent network?",
        start=START,
        controls=(
            "input_dropout",
            "recurrent_dropout",
            "dropout",
            "l2",
            "weight_decay",
            "units",
            "token_width",
            "samples",
            "token_noise",
            "label_noise",
            "lr",
            "epochs",
            "data_seed",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            ("both", "kernel only", "recurrent only", "neither"),
            outcome,
            expected=0,
        ),
        point=point,
        code=(recurrent_dropout_lstm,),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Only recurrent dropout, p = 0.25.",
                NOTHING.replace("regularization.recurrent_dropout", 0.25),
                observed,
            ),
            lesson.Task(
                "Only input dropout, p = 0.2. The same components of each token's vector are "
                "dropped at every step.",
                NOTHING.replace("regularization.input_dropout", 0.2),
                observed,
            ),
            lesson.Task(
                "Only L2, λ = 0.005. What happens to the kernel and recurrent weights?",
                NOTHING.replace("regularization.l2", 0.005),
                observed,
            ),
            lesson.Task(
                "Recurrent dropout, p = 0.8. On average, four of five units are dropped for a "
                "whole sequence. Is that too much?",
                NOTHING.replace("regularization.recurrent_dropout", 0.8),
                observed,
            ),
        ),
        sources=(
            "Gal & Ghahramani 2016, arXiv 1512.05287: one mask per sequence, on input and state",
            "Hochreiter & Schmidhuber 1997: the LSTM; Jozefowicz et al. 2015: forget-gate bias of "
            "1",
            "Keras LSTM: `dropout` and `recurrent_dropout`, `kernel_regularizer` and "
            "`recurrent_regularizer`, which this page sets together as L2 λ",
            "torch.nn.LSTM: its `dropout` acts between layers only",
        ),
        rows=norm_rows,
        models=("lstm",),
        data=("order",),
        subject=lesson.Subject("Every technique", lambda e: e.regularized),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    sequences.examples(shown)
    lesson.curves_and_readout(shown, show_train_mode=True)
    lesson.follow_check(
        shown,
        "masks",
        lesson.Check(
            "The mask over time.",
            "Sequences 1 and 2: one mask per sequence, as in training. Redrawn: a new mask at each "
            "step.",
            "recurrent_masks",
            lambda e: {
                "p": e.regularization.recurrent_dropout,
                "units": min(e.model.hidden[0], 512),
                "seed": e.training.seed,
            },
            sequence_figures.masks_over_time,
            lambda f: masks_sentence(f.number("p"), f.number("gap"), f.number("sequences")),
        ),
    )
    live.weight_histogram(shown.channel, labels=shown.labels, layers=3, height=250)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(USUAL)
        st.button(
            "nn.LSTM(dropout=p): what goes wrong",
            icon=":material/report:",
            key=f"{PAGE}.wall",
            on_click=_to_the_wall,
        )


def norms(lane: LaneFrame) -> dict[str, float]:
    """Return the Euclidean norm of each weight matrix by its name."""
    return dict(zip(lane.layers, lane.norms.tolist(), strict=True))


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the twins on the training sequences and on new ones."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"{lanes[0].n_train} training sequences. No regularization: training loss "
        f"{plain.train_loss:.3f}, validation loss {plain.val_loss:.3f}, validation accuracy "
        f"{metrics.percent(plain.val_accuracy)}. With regularization: training loss "
        f"{with_.train_loss:.3f}, validation loss {with_.val_loss:.3f}, validation accuracy "
        f"{metrics.percent(with_.val_accuracy)}. {sequences.verdict(frame, lanes)}"
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the norms of both weight matrices."""
    plain, with_ = (norms(lane) for lane in frame.lanes)
    kernel, recurrent = (with_[name] < plain[name] for name in ("kernel", "recurrent"))
    text = (
        f"‖kernel‖ is {plain['kernel']:.2f} with no regularization and {with_['kernel']:.2f} with "
        f"regularization; ‖recurrent‖ is {plain['recurrent']:.2f} and {with_['recurrent']:.2f}. L2 "
        "penalizes both matrices, but not the biases and the embedding."
    )
    return (0 if kernel and recurrent else 1 if kernel else 2 if recurrent else 3), text


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's techniques."""
    return (
        "an LSTM has two weight matrices: kernel (token → gates) and recurrent (state → gates). "
        f"Which ends up with a smaller norm with {listed(words.techniques(e))} than with no "
        "regularization?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twin on one sequence of the data, with a fixed and with a redrawn mask."""
    e = lanes[1]
    p, units, width = e.regularization.recurrent_dropout, e.model.hidden[0], e.model.embedding
    rng = np.random.default_rng(e.training.seed)
    bound = 1 / np.sqrt(units)
    w_input, w_state, bias = (
        rng.uniform(-bound, bound, size)
        for size in ((4 * units, width), (4 * units, units), 4 * units)
    )
    assert frame.data is not None
    assert frame.data[0].sequences is not None
    x = rng.standard_normal((10, width))[frame.data[0].sequences[0]]

    def last(*shape: int) -> tuple[NDArray[np.float64], float]:
        masks = (rng.random((REPEATS, *shape)) >= p) / (1 - p)
        every = [recurrent_dropout_lstm(x, w_input, w_state, bias, mask) for mask in masks]
        lasting = (masks > 0).reshape(REPEATS, -1, units).all(axis=1).mean()
        return np.stack(every)[:, -1], float(lasting)

    whole = recurrent_dropout_lstm(x, w_input, w_state, bias, np.ones(units))[-1]
    fixed, kept_fixed = last(units)
    redrawn, kept_redrawn = last(len(x), units)
    return (
        f"The first sequence of the table through {units} units with initial weights, under "
        f"{REPEATS} masks with p = {p:g}. One mask per sequence: {kept_fixed:.0%} of the units are "
        f"kept at all {len(x)} steps, and the last state has a standard deviation of "
        f"{fixed.std(axis=0).mean():.4f}. A new mask at each step: {kept_redrawn:.0%}, and a "
        f"standard deviation of {redrawn.std(axis=0).mean():.4f}. Without dropout, the mean "
        f"absolute value of the last state is {np.abs(whole).mean():.4f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    noisy = float(frame.lanes[1].curve("train_loss_train_mode")[-1])
    before, after = (norms(lane) for lane in frame.lanes)
    return (
        f"No regularization: training loss {plain.train_loss:.3f}, validation loss "
        f"{plain.val_loss:.3f}, validation accuracy {plain.val_accuracy:.0%}, ‖kernel‖ "
        f"{before['kernel']:.2f}, ‖recurrent‖ {before['recurrent']:.2f}. With regularization: "
        f"training loss {with_.train_loss:.3f} ({noisy:.3f} in train mode), validation loss "
        f"{with_.val_loss:.3f}, validation accuracy {with_.val_accuracy:.0%}, ‖kernel‖ "
        f"{after['kernel']:.2f}, ‖recurrent‖ {after['recurrent']:.2f}."
    )


def norm_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return rows with the norms of the two weight matrices that L2 penalizes."""
    every = [norms(lane) for lane in frame.lanes]
    return [
        (f"‖{name}‖", *(f"{one[name]:.2f}" if name in one else "–" for one in every))
        for name in ("kernel", "recurrent")
    ]


def _to_the_wall() -> None:
    st.session_state["misconceptions.which"] = WALL
    st.switch_page("pages/misconceptions.py")


def masks_sentence(p: float, gap: float, sequences_seen: float) -> str:
    """Return a sentence on the masks."""
    if not p:
        return "With recurrent dropout p = 0, nothing is dropped in either case."
    steps = SEQUENCE_LENGTH
    return (
        f"Each stripe is a unit that is kept or dropped for the whole sequence; the next sequence "
        f"has other stripes. With a new mask at each step, a unit would be kept at all {steps} "
        f"steps with probability (1-p)^{steps} = {(1 - p) ** steps:.4f} instead of 1-p = "
        f"{1 - p:g}. Largest gap to these formulas over {sequences_seen:.0f} sequences: {gap:.3f}."
    )


LESSON = contents()
lesson.show(LESSON, views)
