"""Lesson: a transformer block, and the effect of dropout on its attention map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from regviz.figures import sequences as sequence_figures
from regviz.frames import Frame, LaneFrame
from regviz.results import metrics
from regviz.scratch.attention import attention_with_dropout, residual_dropout
from regviz.specs import SEQUENCE_LENGTH, Experiment
from regviz.ui import charts, layout, lesson, live, sequences
from regviz.ui.lesson import Lanes

PAGE = "attention"
START = Experiment.from_dict(
    {
        "data": {"kind": "order", "n_samples": 400, "noise": 0.0},
        "model": {"kind": "transformer", "hidden": [32], "norm": "layer"},
        "regularization": {
            "attention_dropout": 0.1,
            "dropout": 0.1,
            "residual_dropout": 0.1,
            "l2": 0.001,
        },
        "training": {"lr": 0.01, "epochs": 40, "batch_size": 64},
    }
)
NOTHING = START.without_regularization()
USUAL = (
    "**Typical dropout p:** attention 0.1 · feed-forward network 0.1 · residual 0.1; up to 0.3 for "
    "all three on small data sets. **Dropout p** applies to the feed-forward network."
)


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page=PAGE,
        question="What does dropout do to the attention of a transformer?",
        start=START,
        models=("transformer",),
        data=("order",),
        controls=(
            "attention_dropout",
            "residual_dropout",
            "dropout",
            "input_dropout",
            "l2",
            "weight_decay",
            "layer_norm",
            "block_norm_position",
            "blocks",
            "units",
            "token_width",
            "heads",
            "samples",
            "token_noise",
            "lr",
            "epochs",
            "data_seed",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            ("still 1", "1-p", "a different value in each row"),
            outcome,
            expected=2,
        ),
        point=point,
        code=(attention_with_dropout, residual_dropout),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Only attention dropout, p = 0.1.",
                NOTHING.replace("regularization.attention_dropout", 0.1),
                observed,
            ),
            lesson.Task(
                "Attention dropout, p = 0.5: about half of every map is zero in training.",
                NOTHING.replace("regularization.attention_dropout", 0.5),
                observed,
            ),
            lesson.Task(
                "All dropout rates 0. Is there still a difference between train mode and eval "
                "mode?",
                NOTHING,
                observed,
                shows=same_in_both_modes,
            ),
            lesson.Task(
                "Layer norm after each residual sum, as in the 2017 paper, instead of before each "
                "sub-layer.",
                START.replace("model.norm_position", "after"),
                observed,
            ),
        ),
        sources=(
            "Vaswani et al. 2017: attention, and residual dropout 0.1 (section 5.4); their code "
            "also applies dropout to the attention weights, as do BERT and "
            "torch.nn.MultiheadAttention",
            "Xiong et al. 2020, arXiv 2002.04745: layer norm before or after",
            "Plot attention in eval mode: with attention dropout, the rows are not probability "
            "distributions in train mode",
        ),
        checks=(
            lesson.Check(
                "In train mode, the sum of a row has mean 1 and variance p/(1-p)·Σa².",
                "The more a row concentrates on few tokens, the more of it one mask can remove.",
                "attention_row_sums",
                lambda e: {"p": e.regularization.attention_dropout, "seed": e.training.seed},
                sequence_figures.row_sums_check,
                lambda f: (
                    f"Mean of all row sums over {f.number('draws'):.0f} draws: "
                    f"{f.number('mean'):.4f}. Largest gap between measured standard deviation and "
                    f"closed form: {f.number('gap'):.4f}."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    sequences.examples(shown)
    lesson.curves_and_readout(shown, show_train_mode=True)
    done = shown.last_finished
    if done is not None:
        attention(*done, shown.labels)
    live.weight_histogram(
        shown.channel,
        labels=shown.labels,
        layers=4 * len(shown.experiment.model.hidden) + 1,
        height=250,
    )
    st.caption(USUAL)


def maps(lane: LaneFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return a lane's attention in eval mode and in train mode, (6, blocks, heads, time, time)."""
    if lane.attention is None:
        return None
    quiet, noisy = lane.attention.astype(np.float64)
    return quiet, noisy


def compared(plain: metrics.Reading, with_: metrics.Reading) -> str:
    """Return the twins' losses and accuracies as text."""
    return (
        f"No regularization: training loss {plain.train_loss:.3f}, validation loss "
        f"{plain.val_loss:.3f}, validation accuracy {metrics.percent(plain.val_accuracy)}. With "
        f"regularization: training loss {with_.train_loss:.3f}, validation loss "
        f"{with_.val_loss:.3f}, validation accuracy {metrics.percent(with_.val_accuracy)}."
    )


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the twins, and the two modes once they are known."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    end, found = sequences.verdict(frame, lanes), maps(frame.lanes[1])
    if found is not None and np.array_equal(*found):
        end += " Attention dropout is 0, so the attention maps of both modes are identical."
    elif found is not None and lesson.predicted(LESSON, lanes[1]) is None:
        end += " The attention maps in eval mode and in train mode are below."
    elif found is not None:
        sums = found[1].sum(axis=-1)
        end += (
            f" In the attention maps, each row sums to 1 in eval mode. In train mode, the row sums "
            f"range from {sums.min():.2f} to {sums.max():.2f}."
        )
    return f"{lanes[0].n_train} training sequences. {compared(plain, with_)} {end}"


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer with the row sums of the model with dropout in train mode."""
    found = maps(frame.lanes[1])
    assert found is not None
    quiet, noisy = (one.sum(axis=-1) for one in found)
    p = lanes[1].regularization.attention_dropout
    text = (
        f"in train mode, the row sums range from {noisy.min():.2f} to {noisy.max():.2f}, with mean "
        f"{noisy.mean():.3f}; in eval mode they are 1, with a largest deviation of "
        f"{np.abs(quiet - 1).max():.0e}."
    )
    if np.abs(noisy - 1).max() < 1e-3:
        return 0, text
    return (1 if np.abs(noisy - (1 - p)).max() < 1e-3 else 2), text


def question_about(e: Experiment) -> str:
    """Return the question about an experiment that drops attention."""
    p = e.regularization.attention_dropout
    if not p:
        return ""
    return (
        "each row of an attention map is a softmax and sums to 1. What does a row sum to in train "
        f"mode, with attention dropout p = {p:g}?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on the trained model's attention map of the first sequence."""
    found, e = maps(frame.lanes[1]), lanes[1]
    assert found is not None
    a = found[0][0, 0, 0]
    rng = np.random.default_rng(e.training.seed)
    # queries and keys whose softmax is exactly this map: q·kᵀ/√d = log a
    time = len(a)
    q, k = np.log(np.maximum(a, 1e-30)), np.sqrt(time) * np.eye(time)
    p, r = e.regularization.attention_dropout, e.regularization.residual_dropout
    _, quiet = attention_with_dropout(q, k, np.eye(time), p, training=False, rng=rng)
    _, noisy = attention_with_dropout(q, k, np.eye(time), p, training=True, rng=rng)
    x = rng.standard_normal((time, e.model.embedding))

    def attend(h: NDArray[np.float64]) -> NDArray[np.float64]:
        return attention_with_dropout(q, k, h, p, training=False, rng=rng)[0]

    once = residual_dropout(x, attend, r, training=True, rng=rng)
    never = residual_dropout(x, attend, r, training=False, rng=rng)
    return (
        f"attention_with_dropout reproduces the map of the first sequence (head 1 of the model "
        f"with regularization) with a largest difference of {np.abs(quiet - a).max():.0e}. In "
        f"train mode with p = {p:g}, {(noisy == 0).mean():.1%} of the entries are 0 and the row "
        f"sums range from {noisy.sum(axis=1).min():.2f} to {noisy.sum(axis=1).max():.2f}. With "
        f"residual dropout p = {r:g}, x is unchanged at {(once == x).mean():.1%} of the positions "
        f"in train mode and at {(never == x).mean():.1%} in eval mode."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    found = maps(frame.lanes[1])
    assert found is not None
    sums = found[1].sum(axis=-1)
    modes = (
        "Train mode and eval mode give the same map, bit for bit."
        if np.array_equal(*found)
        else f"In train mode, the row sums range from {sums.min():.2f} to {sums.max():.2f}."
    )
    return f"{compared(plain, with_)} {modes}"


def same_in_both_modes(frame: Frame, lanes: Lanes) -> bool:
    """Whether a map is the same in train mode and in eval mode."""
    found = maps(frame.lanes[1])
    return found is not None and np.array_equal(*found)


def map_sentence(
    quiet: NDArray[np.float64], noisy: NDArray[np.float64], p: float, on: Sequence[float]
) -> str:
    """Return a sentence on the effect of dropout on one map; ``on`` is each head's share of
    attention on A and B."""
    even = 2 / SEQUENCE_LENGTH
    heads = ", ".join(f"head {i} {share:.0%}" for i, share in enumerate(on, start=1))
    where = f"Share of the attention on A and B: {heads}; uniform attention would give {even:.0%}."
    if np.array_equal(quiet, noisy):
        return (
            f"Attention dropout is {p:g} for this model: both modes are equal, bit for bit. {where}"
        )
    kept = (noisy != 0) & (quiet != 0)
    factor = noisy[kept] / quiet[kept]
    dropped = (noisy == 0).mean()
    return (
        f"Eval mode: every row sums to 1 (largest deviation {np.abs(quiet.sum(-1) - 1).max():.0e})."
        f" Train mode: {dropped:.1%} of the entries are 0 (p = {p:g}). The others are multiplied "
        f"by {factor.mean():.3f}; 1/(1-p) = {1 / (1 - p):.3f}. So the row sums range from "
        f"{noisy.sum(-1).min():.2f} to {noisy.sum(-1).max():.2f}. {where}"
    )


def pick(column: Any, title: str, options: Sequence[str], start: int = 0) -> int:
    """Draw a select box and return the index of the choice; its key depends on the number of
    options."""
    key = f"{PAGE}.{title}.{len(options)}"
    with column:
        return st.selectbox(
            title, range(len(options)), start, key=key, format_func=options.__getitem__
        )


def attention(frame: Frame, lanes: Lanes, labels: tuple[str, ...]) -> None:
    """Draw the map of a chosen sequence in both modes."""
    assert frame.data is not None
    tokens = frame.data[0].sequences
    if tokens is None:
        return
    names = ["".join(sequence_figures.token_names(row)) for row in tokens]
    blocks, heads = len(lanes[0].model.hidden), lanes[0].model.heads
    columns = st.columns([3, 2, 1, 1], gap="small")
    which = pick(columns[0], "Sequence", names)
    model = pick(columns[1], "Model", labels, len(labels) - 1)
    block = pick(columns[2], "Block", [str(i + 1) for i in range(blocks)])
    head = pick(columns[3], "Head", [str(i + 1) for i in range(heads)])
    found = maps(frame.lanes[model])
    if found is None:
        return
    quiet, noisy = (one[which, block, head] for one in found)
    p = lanes[model].regularization.attention_dropout
    decides = found[0][which, block][:, :, tokens[which] < 2]  # (heads, time, A and B)
    on = decides.sum(axis=2).mean(axis=1).tolist()
    sentence = map_sentence(quiet, noisy, p, on)
    charts.chart(
        lambda colors: sequence_figures.attention_modes(quiet, noisy, tokens[which], colors),
        key="attention-maps",
        alt=sentence,
        about=charts.of_runs(lanes),
    )
    st.html(layout.point(sentence))


LESSON = contents()
lesson.show(LESSON, views)
