"""Lesson: batch norm and layer norm, and the inputs of each layer."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import streamlit as st

from regviz.figures import lessons as lesson_figures
from regviz.figures import theory as theory_figures
from regviz.frames import Frame
from regviz.results import metrics
from regviz.scratch.clipping import clip_gradients, global_norm
from regviz.scratch.normalization import batch_norm, layer_norm
from regviz.specs import Experiment
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 300, "noise": 0.2},
        "model": {"hidden": [32, 32, 32, 32, 32], "norm": "batch"},
        "training": {"lr": 0.3, "epochs": 60},
    }
)
NAMES = ("no normalization", "batch norm", "layer norm")
LEARNED = 0.35  # training loss (nats) that counts as learned: half of guessing's ln 2
USUAL_RATE = 0.001  # the default of torch.optim.Adam
RATES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
SCALES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
BATCHES = (2, 4, 8, 32, 128)
CLIPS = (0.0, 1.0, 0.1)
CLIPPED_RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
STRESSES = {
    "Learning rate": (
        "learning rate",
        "The experiment in the controls at higher and higher learning rates.",
    ),
    "Initial weights": (
        "initial weights ×",
        "The experiment in the controls at learning rate 0.01, with its initial weights multiplied "
        "by a factor, from far too small to far too large.",
    ),
    "Batch size": (
        "batch size",
        "At learning rate 0.01, for 15 epochs. Batch norm computes mean and variance over the "
        "batch: with two points they are mostly noise. Layer norm computes them over the units of "
        "one point. A last batch of one point has no variance: torch raises an error, fastai drops "
        "the batch. Here a remainder of one point, or of at most a quarter of the batch size, "
        "joins the batch before it.",
    ),
    "Gradient clipping": (
        "learning rate",
        "Another way to survive a high learning rate: the experiment with SGD and no "
        "normalization, its gradients clipped to a norm of at most 1 or 0.1, or not at all. A "
        "clipped gradient keeps its direction.",
    ),
    "Position": (
        "learning rate",
        "Each norm before and after the activation, at higher and higher learning rates.",
    ),
}


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="normalization",
        question="What inputs does each layer receive, and does normalizing them help?",
        start=START,
        controls=(
            "lr",
            "init_scale",
            "clip_norm",
            "batch_size",
            "norm_position",
            "activation",
            "hidden_layers",
            "units",
            "optimizer",
            "dropout",
            "l2",
            "samples",
            "noise",
            "epochs",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            NAMES,
            outcome,
            may_diverge=True,
            expected=1,
        ),
        point=point,
        code=(batch_norm, layer_norm, clip_gradients, global_norm),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Learning rate 0.5: which models still learn?",
                START.replace("training.lr", 0.5),
                observed,
            ),
            lesson.Task(
                "Learning rate 0.003: is there still a difference?",
                START.replace("training.lr", 0.003),
                observed,
            ),
            lesson.Task(
                "Batch size 2: mean and variance of two points. Which norm is affected?",
                START.replace("training.batch_size", 2)
                .replace("training.lr", 0.01)
                .replace("training.epochs", 20)
                .replace("data.n_samples", 200),
                observed,
            ),
            lesson.Task(
                "The norm after the activation instead of before it.",
                START.replace("model.norm_position", "after"),
                observed,
            ),
        ),
        sources=(
            "Ioffe & Szegedy 2015: batch norm, meant to remove “covariate shift”",
            "Santurkar et al. 2018: later evidence that it smooths the loss landscape instead. The "
            "chart here shows the layers' inputs; it does not decide between the two explanations",
            "torch.nn.BatchNorm1d: raises an error for one sample in training, and torch's "
            "DataLoader keeps a small last batch unless `drop_last=True`, which fastai sets in "
            "training. Here such a remainder joins the batch before it, with and without a norm",
            "Ba et al. 2016, arXiv 1607.06450: layer norm, without batch or running statistics",
            "Li et al. 2019, arXiv 1801.05134: dropout *before* batch norm shifts the variance "
            "between training and test time",
            "van Laarhoven 2017: L2 before batch norm changes the effective step size",
            "Pascanu et al. 2013; torch.nn.utils.clip_grad_norm_: gradient clipping by the global "
            "norm",
        ),
        lanes=three,
        labels=NAMES,
        checks=(
            lesson.Check(
                "Batch norm removes the scale of the weights before it.",
                "f(kW) = f(W), and the gradient at kW is that at W divided by k (van Laarhoven "
                "2017).",
                "batch_norm_scale",
                lambda e: {
                    "batch": min(max(e.training.batch_size or e.n_train, 2), 1024),
                    "seed": e.training.seed,
                },
                theory_figures.scale_check,
                lambda f: (
                    f"With batch norm the output changes by at most {f.number('gap_output'):.1e}; "
                    f"the gradient differs from this law by at most {f.number('gap'):.1e} "
                    "(relative)."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    lesson.curves_and_readout(shown)
    stored = shown.stored
    if stored is not None:
        frames = stored[0]
        charts.chart(
            lambda colors: lesson_figures.input_statistics(frames, shown.labels, colors),
            key="input-statistics",
            alt="Mean and standard deviation of each layer's inputs over the epochs.",
            about=charts.of_runs(stored[1]),
        )
    with st.expander(
        "Stress test: learning rate, initial weights, batch size, position", icon=":material/bolt:"
    ):
        which = st.segmented_control(
            "Stress test",
            list(STRESSES),
            default="Learning rate",
            key="normalization.stress",
            required=True,
        )
        kind = which or "Learning rate"
        st.caption(STRESSES[kind][1])
        values, models, lanes = under_stress(kind, shown.experiment)
        lesson.further_run(
            f"normalization-{kind.lower().replace(' ', '-')}",
            f"Train {len(lanes)} models",
            lanes,
            functools.partial(draw_stress, kind, values, models),
        )
    live.decision_boundary(shown.channel, labels=shown.labels, height=300)
    st.page_link(
        "pages/images.py",
        label="Images: batch norm in one, two and three dimensions",
        icon=":material/image:",
    )


def three(e: Experiment) -> Lanes:
    """Return the experiment without normalization, with batch norm and with layer norm."""
    return tuple(
        dataclasses.replace(e, model=dataclasses.replace(e.model, norm=norm))
        for norm in (None, "batch", "layer")
    )


def widest(frame: Frame) -> list[float]:
    """Return the largest standard deviation among the inputs of each model's later layers."""
    return [float(lane.input_std[1:].max(initial=0.0)) for lane in frame.lanes]


def point(frame: Frame, lanes: Lanes) -> str:
    """Return a sentence on the inputs of the layers and on the losses."""
    readings = [metrics.read(lane) for lane in frame.lanes]
    wide = ", ".join(f"{n} {w:.2f}" for n, w in zip(NAMES, widest(frame), strict=True))
    losses = ", ".join(f"{n} {r.val_loss:.3f}" for n, r in zip(NAMES, readings, strict=True))
    return (
        f"Largest standard deviation of a hidden layer's outputs: {wide}. Validation loss at "
        f"learning rate {lanes[0].training.lr:g}: {losses}."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Name the model with the lowest training loss on this run."""
    losses = [metrics.read(lane).train_loss for lane in frame.lanes]
    text = ", ".join(f"{n} {x:.3f}" for n, x in zip(NAMES, losses, strict=True))
    finite = [x if np.isfinite(x) else np.inf for x in losses]
    return int(np.argmin(finite)), f"training losses – {text}."


def question_about(e: Experiment) -> str:
    """Return the question about an experiment; a linear model has nothing to normalize."""
    if not e.model.hidden:
        return ""
    layers = len(e.model.hidden)
    return (
        f"{layers} hidden layer{'s' * (layers > 1)} and a learning rate of {e.training.lr:g}, "
        f"{e.training.lr / USUAL_RATE:.3g} times Adam's default. Which model reaches the lowest "
        "training loss?"
        if e.training.optimizer != "sgd"
        else f"{layers} hidden layer{'s' * (layers > 1)} and SGD at a learning rate of "
        f"{e.training.lr:g}. Which model reaches the lowest training loss?"
    )


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run both norms on random numbers like the inputs of this run's second layer."""
    lane, size = frame.lanes[0], lanes[0].training.batch_size or lanes[0].n_train
    last = min(1, len(lane.input_mean) - 1)
    mean, std = float(lane.input_mean[last]), float(lane.input_std[last])
    rng = np.random.default_rng(lanes[0].training.seed)
    units = lane.shapes[last][0]
    x = rng.normal(mean, std, (max(size, 2), units))
    one, zero = np.ones(units), np.zeros(units)
    running_mean, running_var = zero, one
    for _ in range(100):
        batch = rng.normal(mean, std, x.shape)
        y, running_mean, running_var = batch_norm(
            batch, one, zero, running_mean, running_var, training=True
        )
    used, *_ = batch_norm(x, one, zero, running_mean, running_var, training=False)
    layered = layer_norm(x, one, zero)
    alone, _, var = batch_norm(x[:1], one, zero, running_mean, running_var, training=True)
    kept = "does not change" if np.array_equal(var, running_var) else "changes"
    gradients = [rng.normal(size=(units, 4)), rng.normal(size=4)]
    clipped = clip_gradients(gradients, 1.0)
    return (
        f"Random numbers with the mean {mean:.2f} and standard deviation {std:.2f} of layer "
        f"{last + 1}'s inputs with no normalization, in batches of {len(x)}. Batch norm in train "
        f"mode: mean {y.mean():.1e}, std {y.std():.3f}. After 100 batches its running mean is "
        f"{running_mean.mean():.2f} and its running variance {running_var.mean():.2f}; in eval "
        f"mode it then gives mean {used.mean():.2f}, std {used.std():.3f}. Layer norm: mean "
        f"{layered.mean():.1e}, std {layered.std():.3f}, the same in both modes. For a batch of "
        f"one sample, batch norm returns {np.abs(alone).max():g} everywhere and {kept} its running "
        "statistics; torch.nn.BatchNorm1d raises an error. Clipped at 1, random gradients of norm "
        f"{global_norm(gradients):.2f} have norm {global_norm(clipped):.2f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    parts = []
    for name, lane, wide in zip(NAMES, frame.lanes, widest(frame), strict=True):
        r = metrics.read(lane)
        end = "diverged" if lane.status == "diverged" else f"training loss {r.train_loss:.3f}"
        parts.append(
            f"{name}: {end}, validation loss {r.val_loss:.3f}, largest output std {wide:.2f}"
        )
    return "; ".join(parts) + "."


def under_stress(kind: str, e: Experiment) -> tuple[tuple[str, ...], tuple[str, ...], Lanes]:
    """Return a stress test's values, the names of its models, and its lanes, ordered by model."""
    models = dict(zip(NAMES, three(e), strict=True))
    path = "training.lr"
    values: tuple[float, ...] = RATES
    if kind == "Initial weights":
        models = {name: m.replace("training.lr", 0.01) for name, m in models.items()}
        path, values = "model.init_scale", SCALES
    elif kind == "Batch size":
        calm = {"training.lr": 0.01, "training.epochs": 15}
        for field, value in calm.items():
            models = {name: m.replace(field, value) for name, m in models.items()}
        path, values = "training.batch_size", BATCHES
    elif kind == "Gradient clipping":
        plain = models[NAMES[0]].replace("training.optimizer", "sgd")
        models = {
            f"clip norm {c:g}" if c else "no clipping": plain.replace("training.clip_norm", c)
            for c in CLIPS
        }
        values = CLIPPED_RATES
    elif kind == "Position":
        models = {
            f"{name}, {where}": models[name].replace("model.norm_position", where)
            for name in NAMES[1:]
            for where in ("before", "after")
        }
    lanes = tuple(model.replace(path, v) for model in models.values() for v in values)
    return tuple(f"{v:g}" for v in values), tuple(models), lanes


def draw_stress(
    kind: str, values: tuple[str, ...], models: tuple[str, ...], frame: Frame, lanes: Lanes
) -> None:
    """Draw a stress test, and name the values at which each kind of model has learned."""
    name = STRESSES[kind][0]
    parts = []
    for i, model in enumerate(models):
        group = frame.lanes[i * len(values) : (i + 1) * len(values)]
        losses = [np.inf if g.status == "diverged" else g.curve("train_loss")[-1] for g in group]
        good = [v for v, loss in zip(values, losses, strict=True) if loss < LEARNED]
        lost = sum(g.status == "diverged" for g in group)
        parts.append(
            f"{model} at {len(good)} of {len(values)} values"
            + (f" ({', '.join(good)})" if good else "")
            + (f", diverged at {lost}" if lost else "")
        )
    text = (
        f"Final training loss below {LEARNED:g}, for {name} {values[0]} to {values[-1]} – "
        + "; ".join(parts)
        + "."
    )
    charts.chart(
        lambda colors: lesson_figures.stress(name, values, models, frame.lanes, colors),
        key="stress",
        alt=text,
        about=charts.of_runs(lanes),
    )
    st.html(layout.point(text))


LESSON = contents()
lesson.show(LESSON, views)
