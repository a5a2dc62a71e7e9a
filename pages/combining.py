"""Lesson: several techniques together, each one alone, and when to use which."""

from __future__ import annotations

import dataclasses

import numpy as np
import streamlit as st

from regviz import specs
from regviz.figures import lessons as lesson_figures
from regviz.frames import Frame
from regviz.results import metrics, presets
from regviz.scratch.dropout import dropout_forward
from regviz.scratch.normalization import batch_norm
from regviz.specs import FIELDS, Experiment, Field
from regviz.specs.rows import Custom
from regviz.specs.text import listed
from regviz.ui import charts, lesson, live
from regviz.ui.lesson import Lanes

STACK = {
    "model": {"hidden": [512, 256, 128], "norm": "batch"},
    "regularization": {"dropout": [0.3, 0.4, 0.3], "l2": 1e-3},
}
START = Experiment.from_dict(
    {
        **STACK,
        "data": {"n_samples": 250, "noise": 0.35},
        "model": {"hidden": [64, 32, 16], "norm": "batch"},
        "training": {"lr": 0.01, "epochs": 120},
    }
)
LARGE = Experiment.from_dict(
    {**STACK, "data": {"n_samples": 300}, "training": {"lr": 0.003, "epochs": 60}}
)
MOST = 6
DIVERGED = 1e3  # stands for the loss of a diverged model, in nats
CLEARLY = 1.2  # factor on the best single technique's gain from which a gain is clearly larger
SEEDS = 3
TECHNIQUES = [
    row
    for row in FIELDS.values()
    if row.regularizes and row.path.count(".") == 1 and row.applies("mlp", START.data.kind)
]
# the usual pair is trained first: of many techniques only the first few are trained alone
FIRST = ("regularization.dropout", "regularization.l2")
NAMES = {"early stopping": "early stop"}  # shorter in the charts' legends
GUIDE = (
    ("Few samples, a large network", "dropout 0.3–0.5", "Reference: dropout 0.5"),
    ("Any network that over-fits", "weight decay", "Weight decay 0.01 under Adam"),
    ("Decay independent of Adam's step sizes", "AdamW, larger λ", "Weight decay 1 under AdamW"),
    ("Many inputs, few of them relevant", "L1: most weights become 0", "L1: exact zeros"),
    ("No time for tuning", "early stopping", "Early stopping"),
    (
        "Probabilities that must be calibrated",
        "label smoothing",
        "Honest percentages: label smoothing",
    ),
    ("Some labels are wrong", "L2", "Wrong labels: L2"),
    ("Deep network, unstable training", "batch norm", "Normalization"),
    ("Inputs that are noisy in practice", "input noise", "Spirals: noise on the inputs"),
    ("Both losses are high", "less regularization", "Too much of it"),
)
# rows of the guide that link to a lesson, and its address; the others link to presets
LESSONS = {"Normalization": "normalization"}


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="combining",
        question="Do techniques add up?",
        start=START,
        controls=(
            "dropout",
            "dropout_per_layer",
            *strengths(),
            "early_stopping",
            "patience",
            "norm",
            "hidden_layers",
            "units",
            "samples",
            "noise",
            "lr",
            "epochs",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            (
                "yes, clearly more than the best single technique",
                "no, the best single technique does about as well or better",
                "none of them lowers it",
            ),
            outcome,
            expected=1,
        ),
        point=point,
        code=(dropout_forward, batch_norm),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "A common stack: hidden layers 512-256-128, batch norm, dropout 0.3/0.4/0.3, L2 "
                "1e-3. Training takes a while.",
                LARGE,
                observed,
            ),
            lesson.Task(
                "Add early stopping with patience 10: is the rest still needed?",
                START.replace("regularization.early_stopping.patience", 10),
                observed,
            ),
            lesson.Task(
                "Much more of each: dropout 0.7, L2 0.01, label smoothing 0.3. Too much of a good "
                "thing?",
                START.replace("regularization.dropout", 0.7)
                .replace("regularization.l2", 0.01)
                .replace("regularization.label_smoothing", 0.3),
                observed,
            ),
            lesson.Task(
                "2000 samples: is regularization still needed?",
                START.replace("data.n_samples", 2000).replace("training.epochs", 20),
                observed,
            ),
        ),
        sources=(
            "Srivastava et al. 2014; Ioffe & Szegedy 2015; Krogh & Hertz 1991",
            "Li et al. 2019, arXiv 1801.05134: dropout before batch norm shifts the variance "
            "between training and test",
            "Goodfellow et al. 2016, *Deep Learning*, chapter 7: regularizers and their trade-offs",
        ),
        lanes=lanes_of,
        subject=lesson.Subject(
            "Every technique", lambda e: e.regularized or e.model.norm is not None
        ),
        labels_for=names,
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=270)
    lesson.curves_and_readout(shown, split=[5, 6], height=330)
    measured, guide = st.columns([5, 6], gap="medium")
    with measured:
        if shown.last_finished is not None:
            st.markdown(
                "**Ranking of this run**, one seed\n\n"
                + lesson.markdown_table(
                    ("", "model", "val loss", "val accuracy", "train loss", "gap", "verdict"),
                    ranking(*shown.last_finished),
                )
            )
        with st.expander(f"Repeat with {SEEDS} seeds", icon=":material/casino:"):
            st.caption(
                "New initial weights, batches and masks on the same data: is the ranking luck?"
            )
            first = shown.experiment.training.seed
            lesson.further_run(
                "combining-seeds",
                f"Train each model with {SEEDS} seeds",
                tuple(
                    lane.replace("training.seed", (first + k) % 2**31)
                    for lane in lanes_of(shown.experiment)
                    for k in range(SEEDS)
                ),
                draw_seeds,
            )
    with guide:
        st.markdown(
            "**Which technique when?**\n\n"
            + lesson.markdown_table(
                ("when", "try", "see it"),
                [(when, what, f"[{name}]({address_of(name)})") for when, what, name in GUIDE],
            )
        )


def strengths() -> list[str]:
    """Return the controls of the techniques that one number sets, in the table's order."""
    return [
        row.control_name
        for row in TECHNIQUES
        if row.part_of == row.path and not isinstance(row.control, Custom)
    ]


def parts() -> dict[str, list[Field]]:
    """Return the techniques that are trained alone, by name, with the fields of each."""
    found: dict[str, list[Field]] = {}
    for row in sorted(TECHNIQUES, key=lambda row: row.part_of not in FIRST):
        name = FIELDS[row.part_of].short_name
        found.setdefault(NAMES.get(name, name), []).append(row)
    return found


def configurations(e: Experiment) -> tuple[tuple[str, Experiment], ...]:
    """Return ``e`` without regularization, with its first four techniques one by one, and as is."""
    model = dataclasses.replace(e.model, norm=None)
    nothing = dataclasses.replace(e.without_regularization(), model=model)
    found = [("no regularization", nothing)]
    if e.model.norm is not None:
        found.append(
            (f"{e.model.norm} norm", dataclasses.replace(nothing, model=e.model)),
        )
    for name, rows in parts().items():
        alone = nothing
        for row in rows:
            alone = alone.replace(row.path, e.get(row.path))
        if alone.regularized:
            found.append((name, alone))
    return (*found[: MOST - 1], ("all together", e))


def lanes_of(e: Experiment) -> Lanes:
    """Return the experiments of :func:`configurations`."""
    return tuple(lane for _, lane in configurations(e))


def names(e: Experiment) -> tuple[str, ...]:
    """Return the names of :func:`configurations`."""
    return tuple(name for name, _ in configurations(e))


def point(frame: Frame, lanes: Lanes) -> str:
    """Name the best and the worst model, and the rank of the combination."""
    of = names(lanes[-1])
    losses = [metrics.read(lane).val_loss for lane in frame.lanes]
    order = np.argsort(losses)
    place = int(np.flatnonzero(order == len(of) - 1)[0]) + 1
    return (
        f"Lowest validation loss so far: {of[order[0]]} ({losses[order[0]]:.3f}); highest: "
        f"{of[order[-1]]} ({losses[order[-1]]:.3f}). All together: rank {place} of {len(of)}, "
        f"validation loss {losses[-1]:.3f}."
    )


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's techniques, or "" for fewer than two."""
    single = names(e)[1:-1]
    if len(single) < 2:
        return ""
    return (
        f"{listed(single)}: each is trained alone, and all are trained together. Does the "
        "combination lower the validation loss by clearly more (at least a fifth more) than the "
        "best single technique?"
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the gain in validation loss of all techniques with that of the best one alone."""
    of = names(lanes[-1])
    losses = [metrics.read(lane).val_loss for lane in frame.lanes]
    text = ", ".join(f"{n} {x:.3f}" for n, x in zip(of, losses, strict=True))
    if len(of) < 3:
        return 2, f"there is nothing to combine here; validation losses: {text}."
    known = np.nan_to_num(losses, nan=DIVERGED, posinf=DIVERGED)
    gains = known[0] - known[1:]
    alone, together = int(np.argmax(gains[:-1])), float(gains[-1])
    right = 0 if together > CLEARLY * gains[alone] else 1
    return 2 if gains.max() <= 0 else right, (
        f"validation losses: {text}. Gain over no regularization: {together:.3f} all together, "
        f"{gains[alone]:.3f} with {of[1 + alone]} alone; the gains of the single techniques add up "
        f"to {gains[:-1].sum():.3f}."
    )


def order_of(e: Experiment) -> str:
    """Return a sentence on the order of dropout and batch norm in an experiment."""
    if e.model.norm != "batch" or not any((*e.dropout_rates, e.regularization.input_dropout)):
        return "This experiment does not use both."
    if not any((*e.dropout_rates[:-1], e.regularization.input_dropout)):
        return "In this experiment dropout comes only after the last batch norm."
    return (
        "In this experiment each layer applies batch norm before dropout. But the next layer's "
        "batch norm receives inputs that dropout has changed, so the variance still shifts there. "
        "Only dropout after the last batch norm avoids this shift (Li et al. 2019). The validation "
        "loss shows whether it costs more than dropout gains."
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on one batch with dropout before batch norm, and after it."""
    e = lanes[-1]
    p = max(e.dropout_rates, default=0.0)
    rng = np.random.default_rng(e.training.seed)
    x = rng.normal(1.0, 1.0, (4096, 8))
    one, zero = np.ones(8), np.zeros(8)
    dropped, _ = dropout_forward(x, p, training=True, rng=rng)
    _, mean, var = batch_norm(dropped, one, zero, zero, one, training=True, momentum=1.0)
    used, *_ = batch_norm(x, one, zero, mean, var, training=False)
    y, mean, var = batch_norm(x, one, zero, zero, one, training=True, momentum=1.0)
    after, _ = dropout_forward(y, p, training=False, rng=rng)
    return (
        f"Dropout p = {p:g} before batch norm: the running variance is estimated with dropout on, "
        f"so at test time (eval mode) the output variance is {used.var():.2f} instead of 1. Batch "
        f"norm first, then dropout: {after.var():.2f}. {order_of(e)}"
    )


def address_of(name: str) -> str:
    """Return the address of the lesson with this name, or of the preset in the Playground."""
    if name in LESSONS:
        return f"./{LESSONS[name]}"
    return f"./?e={specs.to_link(presets.by_name(name).experiment)}"


def ranking(frame: Frame, lanes: Lanes) -> list[tuple[str, ...]]:
    """Return the models and their measurements, lowest validation loss first."""
    found = lesson.verdicts(frame, lanes)
    rows = sorted(
        zip(names(lanes[-1]), *found, strict=True),
        key=lambda row: row[1].val_loss if np.isfinite(row[1].val_loss) else np.inf,
    )
    return [
        (
            str(i),
            name,
            f"{r.val_loss:.3f}",
            metrics.percent(r.val_accuracy),
            f"{r.train_loss:.3f}",
            metrics.points(r.gap),
            v.kind,
        )
        for i, (name, r, v) in enumerate(rows, start=1)
    ]


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return a sentence on the ranking of the models."""
    rows = ranking(frame, lanes)
    order = "; ".join(
        f"{place}. {name}: {loss}, {right}, {verdict}"
        for place, name, loss, right, _, _, verdict in rows
    )
    return f"By validation loss (with validation accuracy and verdict): {order}."


def draw_seeds(frame: Frame, lanes: Lanes) -> None:
    """Draw the bands over seeds, and rank the models by their means."""
    of = names(lanes[-1])
    charts.chart(
        lambda colors: lesson_figures.seed_bands(frame.lanes, of, colors),
        key="seed-bands",
        alt="Validation loss of each configuration over several seeds.",
        about=charts.of_runs(lanes),
    )
    losses = np.array([metrics.read(lane).val_loss for lane in frame.lanes]).reshape(len(of), -1)
    order = np.argsort(losses.mean(axis=1))
    rows = [
        (of[i], f"{losses[i].mean():.3f}", f"{losses[i].min():.3f} … {losses[i].max():.3f}")
        for i in order
    ]
    st.markdown(lesson.markdown_table(("model", "mean validation loss", "lowest … highest"), rows))


LESSON = contents()
lesson.show(LESSON, views)
