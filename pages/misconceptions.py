"""Common mistakes: each wrong version runs live beside the correct one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from regviz.figures import labs as lab_figures
from regviz.frames.lab import LabFrame
from regviz.scratch.dropout import dropout_forward
from regviz.scratch.early_stopping import early_stopping
from regviz.scratch.normalization import batch_norm
from regviz.scratch.penalties import elastic_net_update, soft_threshold
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.scratch.weight_decay import adam_step
from regviz.ui import charts, lab, layout
from regviz.wrong.adam_decay import wrong_adam_decay_step
from regviz.wrong.batch_norm import wrong_input_of_batch_norm
from regviz.wrong.dropout import wrong_dropout_at_test, wrong_scaling_by_p, wrong_scaling_twice
from regviz.wrong.early_stopping import wrong_early_stopping
from regviz.wrong.l1 import wrong_l1_kill_step, wrong_l1_subgradient_step
from regviz.wrong.lstm_dropout import wrong_lstm_with_dropout

PAGE = "misconceptions"


@dataclass(frozen=True)
class Misconception:
    """A common mistake and the lab that refutes it.

    ``claim`` is the wrong belief, ``correct`` its correction. ``sentence`` returns the numbers of a
    frame in words, ``shows`` whether they refute the claim in this run. ``wrong`` and ``right`` are
    the functions whose source is shown.
    """

    lab: str
    short: str
    claim: str
    correct: str
    sentence: Callable[[LabFrame], str]
    shows: Callable[[LabFrame], bool]
    wrong: tuple[Callable[..., Any], ...]
    right: tuple[Callable[..., Any], ...]
    source: str


def at_test(f: LabFrame) -> str:
    """Compare repeated predictions for one point."""
    if "measured" not in f.values:
        return "The network is being trained with dropout."
    return (
        f"Standard deviation of P(class 1) of one point over {len(f.arrays['wrong_output'])} "
        f"predictions: {f.number('measured'):.3f} with dropout left on, "
        f"{f.number('right_spread'):.3f} with dropout off. Validation accuracy: "
        f"{f.number('accuracy_wrong'):.1%} on average with dropout left on, "
        f"{f.number('accuracy_right'):.1%} with dropout off."
    )


def scaling(f: LabFrame) -> str:
    """Compare the mean output in training with that at test time."""
    return (
        f"Mean output in training divided by mean output at test time (1 is correct): "
        f"{f.number('measured'):.2f} if scaled by p, {f.number('measured_twice'):.2f} if scaled "
        f"twice, {f.number('measured_right'):.2f} if scaled by 1/(1-p) in training only."
    )


def subgradient(f: LabFrame) -> str:
    """Count the exact zeros."""
    return (
        f"Weights that are exactly 0, of {f.arrays['right'].shape[1]}: "
        f"{f.number('zeros_wrong'):.0f} with subgradient steps, {f.number('zeros_right'):.0f} with "
        f"soft-thresholding. The smallest |w| with subgradient steps is "
        f"{f.number('smallest_wrong'):.1e}."
    )


def kill(f: LabFrame) -> str:
    """Count the weights set to 0 permanently, and compare the objectives."""
    return (
        f"Dead weights: {f.number('dead'):.0f}; the solution needs "
        f"{f.number('dead_but_needed'):.0f} of them. The objective ends "
        f"{f.number('measured'):.3f} higher than with soft-thresholding, whose weights differ from "
        f"the solution by at most {f.number('gap_right'):.1e}."
    )


def adam_decay(f: LabFrame) -> str:
    """Compare the remaining shares of two weights."""
    (large, small), (right, other) = f.numbers("left_wrong"), f.numbers("left_right")
    return (
        f"Weight / initial weight under Adam with L2: {large:.1%} with large gradients, "
        f"{small:.1%} with small gradients. Under AdamW: {right:.1%} and {other:.1%}; the formula "
        f"gives {f.number('closed_form'):.1%} for both."
    )


def stopping(f: LabFrame) -> str:
    """Compare the epochs at which both rules stopped, and the losses of the weights kept."""

    def stopped(name: str) -> str:
        epoch = f.number(f"stopped_{name}")
        end = f"stopped at epoch {epoch:.0f}" if epoch else f"not stopped by epoch {f.step}"
        return (
            f"{end}, keeps the weights of epoch {f.number(f'best_{name}'):.0f}, validation loss "
            f"{f.number(f'val_loss_{name}'):.3f}"
        )

    apart = round(f.number("val_loss_wrong"), 3) - round(f.number("val_loss_right"), 3)
    return (
        f"Monitoring the training loss: {stopped('wrong')}. Monitoring the validation loss: "
        f"{stopped('right')}. Difference in validation loss: {apart:+.3f}."
    )


def before_norm(f: LabFrame) -> str:
    """Compare the variance at test time with the running variance."""
    return (
        f"Variance at test time divided by the running variance (1 is correct): "
        f"{f.number('measured'):.2f} with dropout before batch norm (the formula gives "
        f"{f.number('expected'):.2f}), {f.number('right'):.2f} with dropout after it."
    )


def lstm(f: LabFrame) -> str:
    """Compare passes in train mode."""
    warning = f.values["warning"]
    return (
        f"Largest difference between {len(f.arrays['wrong'])} passes in train mode: "
        f"{f.number('measured'):.3f} with nn.LSTM(dropout=p), so nothing was dropped; "
        f"{f.number('right_spread'):.3f} with one mask per sequence."
        + (f" The warning of torch: “{warning}”." if warning else "")
    )


def off(f: LabFrame, name: str) -> bool:
    """Whether a ratio that should be 1 clearly is not."""
    return abs(f.number(name) - 1) > 0.1


def unequal(f: LabFrame) -> bool:
    """Whether one weight decays far less than the other, but equally with decoupled decay."""
    (large, small), (right, other) = f.numbers("left_wrong"), f.numbers("left_right")
    return abs(large - small) > 0.1 and abs(right - other) < 0.05


WALL = (
    Misconception(
        "wrong_dropout_at_test",
        "Dropout left on at test time",
        "A network trained with dropout also drops units when it makes predictions.",
        "At test time, inverted dropout is the identity: it drops nothing. Use model.eval().",
        at_test,
        lambda f: f.number("measured") > 10 * f.number("right_spread") + 0.01,
        (wrong_dropout_at_test,),
        (dropout_forward,),
        "Srivastava et al. 2014; torch.nn.Module.eval; Gal & Ghahramani 2016 for the case where "
        "it is intended",
    ),
    Misconception(
        "wrong_dropout_scaling",
        "Dropout scaled wrongly",
        "Dropout multiplies the kept units by p, or scales both in training and at test time.",
        "Inverted dropout divides by 1-p in training and does nothing at test time.",
        scaling,
        lambda f: off(f, "measured") and off(f, "measured_twice") and not off(f, "measured_right"),
        (wrong_scaling_by_p, wrong_scaling_twice),
        (dropout_forward,),
        "Srivastava et al. 2014, section 10 (p of keeping); torch.nn.Dropout (p of dropping)",
    ),
    Misconception(
        "wrong_l1_subgradient",
        "L1 as a term in the loss",
        "Adding λ·sum|w| to the loss gives weights that are exactly 0.",
        "A subgradient step jumps across 0; soft-thresholding sets the weight to exactly 0.",
        subgradient,
        lambda f: f.number("zeros_wrong") == 0 < f.number("zeros_right"),
        (wrong_l1_subgradient_step,),
        (elastic_net_update, soft_threshold),
        "Parikh & Boyd 2014, “Proximal Algorithms”, section 4.2",
    ),
    Misconception(
        "wrong_l1_kill",
        "L1 that kills weights",
        "A weight that the L1 penalty moves across 0 can be set to 0 permanently.",
        "The solution may need the other sign. With soft-thresholding, a weight can leave 0 again.",
        kill,
        lambda f: f.number("dead_but_needed") > 0 and f.number("measured") > 0,
        (wrong_l1_kill_step,),
        (elastic_net_update, soft_threshold),
        "TensorFlow Playground, src/nn.ts (isDead); Parikh & Boyd 2014",
    ),
    Misconception(
        "wrong_adam_decay",
        "Weight decay inside Adam",
        "Adam(weight_decay=λ) is weight decay.",
        "It adds the L2 term to the gradient, and Adam divides by the size of the gradients. AdamW "
        "shrinks the weights separately from the gradient.",
        adam_decay,
        unequal,
        (wrong_adam_decay_step,),
        (adam_step,),
        "Loshchilov & Hutter 2019, arXiv 1711.05101",
    ),
    Misconception(
        "wrong_early_stopping",
        "Stopping on training loss",
        "Early stopping monitors the training loss.",
        "It monitors the validation loss: the training loss can keep falling while a network "
        "over-fits.",
        stopping,
        lambda f: f.number("val_loss_wrong") > f.number("val_loss_right") + 0.01,
        (wrong_early_stopping,),
        (early_stopping,),
        "Prechelt 1998, “Early stopping – but when?”",
    ),
    Misconception(
        "wrong_dropout_before_batch_norm",
        "Dropout before batch norm",
        "Dropout and batch norm can be placed in any order.",
        "Dropout directly before batch norm changes the variance in training only, and batch norm "
        "learns that variance. Dropout after the last batch norm causes no shift. With dropout and "
        "batch norm in every layer, the shift occurs in all layers but the last; dropout may still "
        "be worth it. The page Combining measures that.",
        before_norm,
        lambda f: off(f, "measured") and not off(f, "right"),
        (wrong_input_of_batch_norm,),
        (batch_norm,),
        "Li et al. 2019, arXiv 1801.05134",
    ),
    Misconception(
        "wrong_lstm_dropout",
        "nn.LSTM(dropout=p)",
        "nn.LSTM(dropout=p) with one layer is recurrent dropout.",
        "It acts between layers only, so it has no effect with one layer. Recurrent dropout uses "
        "one mask for a whole sequence.",
        lstm,
        lambda f: f.number("measured") == 0 < f.number("right_spread"),
        (wrong_lstm_with_dropout,),
        (recurrent_dropout_lstm,),
        "torch.nn.LSTM; Gal & Ghahramani 2016, arXiv 1512.05287",
    ),
)


def source(side: str, functions: tuple[Callable[..., Any], ...], *, good: bool) -> None:
    """Show the unedited source of functions."""
    st.html(lab.label(side, "the code that ran", good=good))
    for function in functions:
        st.code(inspect.getsource(function), language="python", wrap_lines=True)


lab.begin(PAGE, "What often goes wrong?")
with st.sidebar:
    st.caption("Pick a common mistake; it runs beside the correct version.")
    short = st.radio(
        "Misconception",
        [m.short for m in WALL],
        key=f"{PAGE}.which",
        persist_state="session",
    )
    seed = lab.seed(PAGE)
chosen = next(m for m in WALL if m.short == short)
st.html(
    lab.label("WRONG", chosen.claim, good=False) + lab.label("RIGHT", chosen.correct, good=True)
)


def draw(frame: LabFrame) -> None:
    """Draw both curves, with the measured number in a sentence."""
    sentence = chosen.sentence(frame)
    st.html(layout.point(sentence))
    charts.chart(
        lambda colors: lab_figures.misconception(chosen.lab, frame, colors),
        key=chosen.lab,
        alt=f"{chosen.claim} {sentence}",
        about=charts.of_lab(chosen.lab, {"seed": seed}),
    )


lab.follow(PAGE, chosen.lab, {"seed": seed}, draw)
with st.expander("The wrong code and the right code"):
    left, right = st.columns(2)
    with left:
        source("WRONG", chosen.wrong, good=False)
    with right:
        source("RIGHT", chosen.right, good=True)
st.caption(f"Source: {layout.plain(chosen.source)}")
