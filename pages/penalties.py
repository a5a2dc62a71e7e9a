"""Lesson: L1, L2, elastic net and weight decay, as four networks and as formulas."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz.figures import lessons as lesson_figures
from regviz.figures import theory as theory_figures
from regviz.frames import Frame
from regviz.results import metrics
from regviz.scratch.penalties import (
    elastic_net_penalty,
    elastic_net_update,
    l1_penalty,
    l1_subgradient,
    l2_gradient,
    l2_penalty,
    soft_threshold,
)
from regviz.scratch.weight_decay import adam_step, sgd_step
from regviz.specs import Experiment
from regviz.specs.cautions import L1_MEASURED, cautions
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"kind": "linear", "n_samples": 300, "noise": 0.3, "irrelevant_features": 18},
        "model": {"hidden": [32]},
        "regularization": {"l1": 0.02, "l2": 0.01},
        "training": {"lr": 0.01, "epochs": 200},
    }
)
PATH = tuple(float(k) for k in np.geomspace(0.002, 0.08, 20).round(4))
GRID = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="penalties",
        question="What do L1 and L2 do to the weights?",
        start=START,
        controls=(
            "l1",
            "l2",
            "weight_decay",
            "optimizer",
            "irrelevant_features",
            "data_set",
            "samples",
            "noise",
            "lr",
            "epochs",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            ("L1", "L2", "no difference"),
            outcome,
            expected=0,
        ),
        point=point,
        code=(
            l1_penalty,
            l1_subgradient,
            l2_penalty,
            l2_gradient,
            elastic_net_penalty,
            soft_threshold,
            elastic_net_update,
            sgd_step,
            adam_step,
        ),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "L1 and L2 ten times smaller: do the irrelevant inputs come back?",
                START.replace("regularization.l1", 0.002).replace("regularization.l2", 0.001),
                observed,
            ),
            lesson.Task(
                "Far too strong: λ = 0.5 for both. What is left of the model?",
                START.replace("regularization.l1", 0.5).replace("regularization.l2", 0.5),
                observed,
                shows=nothing_left,
            ),
            lesson.Task(
                "L1 alone on a linear model, trained by plain SGD on mini-batches: how many "
                "irrelevant inputs are switched off? And how many with Adam?",
                START.replace("model.hidden", [])
                .replace("regularization.l2", 0.0)
                .replace("training.optimizer", "sgd")
                .replace("training.lr", 0.05),
                observed,
            ),
            lesson.Task(
                "No L1, no L2, but weight decay 0.05 with AdamW: does a larger decay give larger "
                "or smaller weights?",
                START.replace("regularization.l1", 0.0)
                .replace("regularization.l2", 0.0)
                .replace("regularization.weight_decay", 0.05)
                .replace("training.optimizer", "adamw"),
                observed,
                shows=smaller,
            ),
            lesson.Task(
                "The same weight decay with Adam, where it is an L2 penalty.",
                START.replace("regularization.l1", 0.0)
                .replace("regularization.l2", 0.0)
                .replace("regularization.weight_decay", 0.05)
                .replace("training.optimizer", "adam"),
                observed,
                shows=smaller,
            ),
        ),
        sources=(
            "Hoerl & Kennard 1970 (ridge); Tibshirani 1996 (lasso); Zou & Hastie 2005 (elastic "
            "net)",
            "Parikh & Boyd 2014, *Proximal Algorithms*, section 6.5.2: the soft threshold. Adding "
            "λ·Σ|w| to the loss and taking subgradient steps gives no exact zeros",
            "Xiao 2010; Lee & Wright 2012: proximal SGD on mini-batches does not find the zeros "
            "of L1. The noise of a batch moves a weight further than the threshold lr·λ. Measured "
            f"here: {L1_MEASURED}",
            "Loshchilov & Hutter 2019, arXiv 1711.05101: decoupled weight decay (AdamW)",
            "van Laarhoven 2017: before batch norm, L2 changes the effective step size, not the "
            "function",
        ),
        lanes=four,
        labels_for=names,
        rows=norm_rows,
        subject=lesson.Subject(
            "Every weight penalty",
            lambda e: any(
                (e.regularization.l1, e.regularization.l2, e.regularization.weight_decay)
            ),
        ),
        checks=(
            lesson.Check(
                "With orthonormal inputs, the L1 solution is the soft threshold.",
                "w = S(Xᵀy, λ); from λ_max = ‖Xᵀy‖∞ on, every weight is 0 (Tibshirani 1996).",
                "l1_path",
                lambda e: {"seed": e.training.seed},
                theory_figures.l1_path,
                lambda f: (
                    f"Largest gap between measured and closed form: {f.number('gap'):.1e}; λ_max = "
                    f"{f.number('lambda_max'):.2f}. On correlated inputs the condition |Xⱼᵀr| ≤ λ "
                    f"at zeros is violated by at most {f.number('kkt'):.1e} of λ_max."
                ),
            ),
            lesson.Check(
                "Why L1 gives zeros: the contours tend to meet a corner.",
                "Two weights; both penalties as strong as λ = 0.4·λ_max.",
                "l1_path",
                lambda e: {"seed": e.training.seed},
                theory_figures.l1_geometry,
                lambda f: (
                    f"With L1 the weights end at ({f.arrays['point_l1'][0]:.3f}, "
                    f"{f.arrays['point_l1'][1]:.3f}), with L2 at ({f.arrays['point_l2'][0]:.3f}, "
                    f"{f.arrays['point_l2'][1]:.3f})."
                ),
            ),
            lesson.Check(
                "With plain SGD, L2 is weight decay. With Adam it is not.",
                "w ← (1-ηλ)w - ηg is the SGD step on the loss with ½λ‖w‖²; AdamW decouples the "
                "two.",
                "decay_equivalence",
                lambda e: {"seed": e.training.seed},
                theory_figures.decay_check,
                lambda f: (
                    f"Largest difference over {f.arrays['step'][-1]:.0f} steps: SGD "
                    f"{f.number('gap_sgd'):.1e}, Adam against AdamW {f.number('gap_adam'):.3f}."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    lesson.curves_and_readout(shown)
    live.weight_histogram(
        shown.channel,
        labels=shown.labels,
        layers=len(shown.experiment.model.hidden) + 1,
        log_scale=True,
        height=300,
    )
    if shown.stored is not None:
        over_epochs(*shown.stored)
    if shown.experiment.data.irrelevant_features:
        with st.expander(
            "Regularization path: larger λ, fewer inputs", icon=":material/toggle_off:"
        ):
            st.caption(
                f"The experiment in the controls with L1 alone, for λ from {PATH[0]:g} to "
                f"{PATH[-1]:g}: {len(PATH)} models, trained together on the same batches."
            )
            bare = shown.experiment.without_regularization()
            lesson.further_run(
                "penalties-path",
                "Train the path",
                tuple(bare.replace("regularization.l1", value) for value in PATH),
                draw_path,
            )
    with st.expander("Grid search over weight decay", icon=":material/grid_on:"):
        st.caption(
            "The experiment in the controls without L1 and L2, once for each weight decay in "
            f"{', '.join(f'{v:g}' for v in GRID)}. All models are trained together on the same "
            "batches."
        )
        plain = shown.experiment.without_regularization()
        lesson.further_run(
            "penalties-grid",
            "Train the grid",
            tuple(plain.replace("regularization.weight_decay", value) for value in GRID),
            draw_grid,
        )


def only_decay(e: Experiment) -> bool:
    """Whether weight decay is on without L1 and L2: then the lanes compare its strengths."""
    r = e.regularization
    return bool(r.weight_decay) and not r.l1 and not r.l2


def four(e: Experiment) -> Lanes:
    """Return the lanes: none, L1, L2 and both, the last three with the experiment's weight decay;
    for weight decay alone none, a tenth of it, the same and ten times as much."""
    plain = e.without_regularization()
    if only_decay(e):
        decay = e.regularization.weight_decay
        more = (e.replace("regularization.weight_decay", decay * k) for k in (0.1, 1, 10))
        return plain, *more
    return plain, e.replace("regularization.l2", 0.0), e.replace("regularization.l1", 0.0), e


def names(e: Experiment) -> tuple[str, ...]:
    """Return the names of the four."""
    if only_decay(e):
        decay = e.regularization.weight_decay
        return "no regularization", *(f"decay {decay * k:g}" for k in (0.1, 1, 10))
    return "no regularization", "L1", "L2", "elastic net"


def point(frame: Frame, lanes: Lanes) -> str:
    """Return a sentence on the effect of the penalties on the weights."""
    of = names(lanes[2] if only_decay(lanes[2]) else lanes[3])
    readings = [metrics.read(lane) for lane in frame.lanes]
    zeros = ", ".join(f"{n} {r.zeros:,}" for n, r in zip(of, readings, strict=True))
    sizes = ", ".join(
        f"{n} {metrics.size(lane):.2f}" for n, lane in zip(of, frame.lanes, strict=True)
    )
    return (
        f"Weights that are exactly 0, out of {readings[0].weights:,}: {zeros}. Norm ‖w‖ of "
        f"all weights: {sizes}."
    )


def question_about(e: Experiment) -> str:
    """Return the question about an experiment with both penalties, or ""."""
    if not (e.regularization.l1 and e.regularization.l2):
        return ""
    noise = e.data.irrelevant_features
    given = f"two inputs are relevant, {noise} are not. " if noise else ""
    return f"{given}Which penalty sets more weights to exactly 0?"


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the exact zeros of L1 and L2 in this run."""
    _, l1, l2, _ = (metrics.read(lane) for lane in frame.lanes)
    text = f"{l1.zeros:,} exact zeros with L1 and {l2.zeros:,} with L2, of {l1.weights:,} weights."
    if l1.zeros == l2.zeros:
        return 2, text
    return (0 if l1.zeros > l2.zeros else 1), text


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on the layers' norms, and compare the result with the table."""
    r, lane = lanes[3].regularization, frame.lanes[3]
    # Σ|w| and Σw² over all weights are sums over the layers of Σ|w| and ‖w‖²
    value = l1_penalty(lane.l1_norms, r.l1) + l2_penalty(lane.norms, r.l2)
    table = metrics.read(lane).penalty
    w, lr = lane.norms, lanes[3].training.lr
    g = np.zeros_like(w)
    decay = r.weight_decay or r.l2 or 0.01
    by_decay = sgd_step(w, g, lr, decay)
    by_penalty = w - lr * (g + l2_gradient(w, decay))
    noisy = np.array([100.0, 1.0])  # gradients of two equal weights
    shares = []
    for decoupled in (False, True):
        start, m, v = np.ones(2), np.zeros(2), np.zeros(2)
        now = start
        for t in range(1, 51):
            now, m, v = adam_step(
                now,
                noisy * (1 if t % 2 else -1),
                m,
                v,
                t,
                lr=lr,
                weight_decay=1.0,
                decoupled=decoupled,
            )
        shares.append(now)
    step = elastic_net_update(np.array([1e-5]), np.zeros(1), lr, r.l1, r.l2)
    pull = l1_subgradient(np.array([1e-5]), r.l1)
    both = elastic_net_penalty(lane.norms, 0.0, r.l2)
    return (
        f"Penalty of the elastic net, from the layers' Σ|w| and ‖w‖: {value:.4f} (L2 part "
        f"{both:.4f}); the table shows {table:.4f}. A weight of 0.00001 with no gradient from the "
        f"data: the proximal step sets it to {step[0]:.2g}, a subgradient step to "
        f"{1e-5 - lr * pull[0]:.2g}; S(0.3, 0.1) = {soft_threshold(np.array([0.3]), 0.1)[0]:.1f}. "
        f"One SGD step with weight decay and one with L2 differ by at most "
        f"{np.abs(by_decay - by_penalty).max():.1e}. Two weights, one with large and one with "
        f"small gradients, after 50 steps at λ = 1: Adam with L2 "
        f"{shares[0][0]:.3f} and {shares[0][1]:.3f}, AdamW {shares[1][0]:.3f} and "
        f"{shares[1][1]:.3f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    of = names(lanes[2] if only_decay(lanes[2]) else lanes[3])
    readings = [metrics.read(lane) for lane in frame.lanes]
    return "; ".join(
        f"{name}: validation accuracy {metrics.percent(r.val_accuracy)} (loss {r.val_loss:.3f}), "
        f"{r.zeros:,} zeros, largest layer norm {lane.norms.max():.2f}"
        for name, r, lane in zip(of, readings, frame.lanes, strict=True)
    )


def nothing_left(frame: Frame, lanes: Lanes) -> bool:
    """Whether every weight of the elastic net is 0."""
    both = metrics.read(frame.lanes[3])
    return both.zeros == both.weights


def smaller(frame: Frame, lanes: Lanes) -> bool:
    """Whether the weights shrink as weight decay grows."""
    sizes = [float(np.square(lane.norms).sum()) for lane in frame.lanes]
    return sizes == sorted(sizes, reverse=True)


def norm_rows(frame: Frame, lanes: Lanes) -> lesson.Rows:
    """Return rows with both norms, and the zeros in the first layer."""
    return [
        ("‖w‖", *(f"{metrics.size(lane):.2f}" for lane in frame.lanes)),
        ("Σ|w|", *(f"{lane.l1_norms.sum():.1f}" for lane in frame.lanes)),
        (
            "Zeros, first layer",
            *(f"{lane.zeros[0]:,} / {np.prod(lane.shapes[0]):,}" for lane in frame.lanes),
        ),
    ]


def relevant(frame: Frame, lanes: Lanes) -> int:
    """Return the number of relevant inputs; the irrelevant ones come last."""
    assert frame.data is not None
    return frame.data[0].n_features - lanes[0].data.irrelevant_features


def switched_off(norms: np.ndarray, matter: int) -> str:
    """Return how many relevant and irrelevant inputs are switched off, as text."""
    off = norms == 0
    return (
        f"{off[matter:].sum()} of {len(off) - matter} irrelevant inputs and {off[:matter].sum()} "
        f"of {matter} relevant ones"
    )


def by_sgd(e: Experiment) -> str:
    """Return why so few weights are exactly 0 if L1 is trained by SGD on mini-batches, or ""."""
    if "regularization.l1" not in cautions(e):
        return ""
    return (
        " With SGD on mini-batches most weights that L1 should set to 0 only come close to 0, at "
        "any learning rate. With Adam or the full batch far more of them are exactly 0."
    )


def over_epochs(frames: list[Frame], lanes: Lanes) -> None:
    """Draw the ridge plot of a layer, and the weights of each input over the epochs."""
    of = names(lanes[2] if only_decay(lanes[2]) else lanes[3])
    layers = frames[-1].lanes[0].layers
    with st.container(key="ridges"):
        layer = st.segmented_control(
            "Layer", layers, default=layers[0], key="penalties.layer", required=True
        )
        charts.chart(
            lambda colors: lesson_figures.weight_ridges(
                frames, of, layers.index(layer or layers[0]), colors
            ),
            key="weight-ridges",
            alt=f"Weights of layer {layer} over the epochs, with exact zeros shown separately.",
            about=charts.of_runs(lanes),
        )
    matter = relevant(frames[-1], lanes)
    groups = [lane.input_norms for lane in frames[-1].lanes]
    if not lanes[0].data.irrelevant_features or any(g is None for g in groups):
        return
    counts = "; ".join(
        f"{name}: {switched_off(g, matter)}"
        for name, g in zip(of, groups, strict=True)
        if g is not None
    )
    charts.chart(
        lambda colors: lesson_figures.input_groups(frames, of, matter, colors),
        key="input-groups",
        alt=counts,
        about=charts.of_runs(lanes),
    )
    text = f"Inputs switched off (all their weights are exactly 0) – {counts}."
    st.html(layout.point(text + by_sgd(lanes[1])))


def draw_path(frame: Frame, lanes: Lanes) -> None:
    """Draw each input's weights over λ, and name the order in which they become 0."""
    norms = np.array([lane.input_norms for lane in frame.lanes])
    matter = relevant(frame, lanes)
    off = norms == 0
    charts.chart(
        lambda colors: lesson_figures.input_path(PATH, norms, matter, colors),
        key="input-path",
        alt="Norm of each input's weights against λ, and how many are exactly 0.",
        about=charts.of_runs(lanes),
    )
    clean = [i for i in range(len(PATH)) if not off[i, :matter].any()]
    best = lesson.lowest([metrics.read(lane).val_loss for lane in frame.lanes])
    most = max(clean, key=lambda i: off[i, matter:].sum(), default=None)
    text = (
        "At every λ of this path a relevant input is switched off as well."
        if most is None
        else f"At λ = {PATH[most]:g} L1 switches off {switched_off(norms[most], matter)}: the most "
        "without losing a relevant input."
    )
    lost = [PATH[i] for i in range(len(PATH)) if off[i, :matter].any()]
    if lost:
        text += f" At λ = {lost[0]:g} a relevant input is switched off for the first time."
    text += (
        f" The validation loss is lowest ({metrics.read(frame.lanes[best]).val_loss:.3f}) at λ = "
        f"{PATH[best]:g}, with {switched_off(norms[best], matter)} switched off."
    )
    st.html(layout.point(text + by_sgd(lanes[-1])))


def draw_grid(frame: Frame, lanes: Lanes) -> None:
    """Draw the validation curve, and name its minimum."""
    readings = [metrics.read(lane) for lane in frame.lanes]
    losses = [r.val_loss for r in readings]
    charts.chart(
        lambda colors: lesson_figures.validation_curve(
            "weight decay", GRID, [r.train_loss for r in readings], losses, colors
        ),
        key="validation-curve",
        alt="Training and validation loss against weight decay.",
        about=charts.of_runs(lanes),
    )
    best = lesson.lowest(losses)
    st.markdown(
        f"Lowest validation loss {losses[best]:.3f} at weight decay {GRID[best]:g}, against "
        f"{losses[0]:.3f} with no weight decay (optimizer {lanes[0].training.optimizer}, seed "
        f"{lanes[0].training.seed})."
    )


LESSON = contents()
lesson.show(LESSON, views)
