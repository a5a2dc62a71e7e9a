"""The dropout microscope: masks, sub-networks, their mean and spread, and single units."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from regviz.figures import labs as lab_figures
from regviz.figures.palette import Palette
from regviz.frames.lab import LabFrame
from regviz.ui import charts, lab, layout

PAGE = "microscope"
# the array that a view needs, and its figure, in the order of the page
VIEWS = (
    ("masks", lab_figures.masked_networks),
    ("train_output", lab_figures.train_and_eval),
    ("sub_networks", lab_figures.sub_networks),
    ("error_eval", lab_figures.masked_mean),
    ("mc_mean", lab_figures.monte_carlo),
    ("ablation", lab_figures.ablation),
    ("history", lab_figures.twin_losses),
)


def sentence(view: str, f: LabFrame) -> str:
    """Return a sentence on a view with its numbers."""
    if view == "masks":
        return (
            f"Share of hidden units kept in this batch: {f.number('kept'):.1%}; expected 1-p = "
            f"{1 - f.number('p'):.0%}. Each sample has its own mask."
        )
    if view == "train_output":
        return (
            f"Loss on this batch of {len(f.arrays['label'])} samples, with the same weights: "
            f"{f.number('loss_train'):.3f} in train mode, {f.number('loss_eval'):.3f} in eval mode."
        )
    if view == "sub_networks":
        out, networks = f.arrays["sub_network_output"], np.unique(f.arrays["sub_networks"], axis=0)
        n = len(networks)
        kinds = "the same network" if n == 1 else f"{n} different sub-networks"
        return (
            f"{len(out)} masks give {kinds}. P(class 1) of one point ranges from {out.min():.2f} "
            f"to {out.max():.2f}."
        )
    if view == "error_eval" and not f.number("p"):
        return "With p = 0, nothing is dropped: every pass gives the eval output, at distance 0."
    if view == "error_eval":
        return (
            f"One masked pass has a spread (standard deviation) of {f.number('spread'):.2f} "
            "logits; the mean of k passes has spread/√k. The mean does not converge exactly to "
            "the eval output, because the network is not linear: a distance of "
            f"{f.number('floor'):.2f} (floor) remains."
        )
    if view == "mc_mean":
        return (
            "Monte-Carlo dropout measures how much the sub-networks disagree. Gal & Ghahramani "
            "(2016) interpret this as the uncertainty of the model. Osband (2016) objects that it "
            "depends on p and does not shrink with more data, as uncertainty about the weights "
            "should. Here, the standard deviation of P(class 1) is at most "
            f"{f.arrays['mc_std'].max():.2f}."
        )
    if view == "ablation":
        mean, largest = f.numbers("ablation_mean"), f.numbers("ablation_max")
        return (
            f"Setting one hidden unit to 0 raises the training loss by {mean[0]:.3f} on average "
            f"(at most {largest[0]:.3f}) with no dropout, and by {mean[1]:.3f} (at most "
            f"{largest[1]:.3f}) with dropout."
        )
    history = f.arrays["history"]
    return (
        f"Epoch {history.shape[2]}: validation loss {history[0, 2, -1]:.3f} with no dropout and "
        f"{history[1, 2, -1]:.3f} with dropout. Training loss with dropout: "
        f"{history[1, 1, -1]:.3f} in train mode, {history[1, 0, -1]:.3f} in eval mode."
    )


def _view(figure: Callable[..., go.Figure], frame: LabFrame, colors: Palette) -> go.Figure:
    return figure(frame, palette=colors)


def draw(frame: LabFrame) -> None:
    """Draw the views whose arrays the frame holds, two in a row."""
    known = [(need, figure) for need, figure in VIEWS if need in frame.arrays]
    for pair in (known[i : i + 2] for i in range(0, len(known), 2)):
        for column, (need, figure) in zip(st.columns(2), pair, strict=False):
            with column:
                text = sentence(need, frame)
                charts.chart(
                    functools.partial(_view, figure, frame),
                    key=need,
                    alt=text,
                    about=charts.of_lab("microscope", asked),
                )
                st.html(layout.point(text))


lab.begin(PAGE, "Dropout under the microscope")
with st.sidebar:
    st.caption(
        "Two small networks are trained, one without and one with dropout. Then the one with "
        "dropout is examined."
    )
    p = st.slider(
        "Dropout p", 0.0, 0.9, 0.3, 0.05, key=f"{PAGE}.p", persist_state="session",
        help="Probability of dropping a hidden unit, in both hidden layers.",
    )  # fmt: skip
    seed = lab.seed(PAGE)
asked = {"p": round(p, 2), "seed": seed}
lab.follow(PAGE, "microscope", asked, draw)
st.caption(
    "Sources: Srivastava et al. 2014 (dropout as an average of sub-networks); Gal & Ghahramani "
    "2016, arXiv 1506.02142 (Monte-Carlo dropout as approximate Bayesian inference); Osband 2016, "
    "“Risk versus uncertainty in deep learning” (against this interpretation). p is the "
    "probability of dropping."
)
