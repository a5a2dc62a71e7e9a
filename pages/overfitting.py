"""Lesson: underfitting, a good fit and overfitting, three networks on the same data."""

from __future__ import annotations

import numpy as np
import streamlit as st

from regviz.figures import lessons as lesson_figures
from regviz.frames import Frame
from regviz.results import metrics, verdict
from regviz.scratch.early_stopping import early_stopping
from regviz.specs import Experiment
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 250, "noise": 0.3},
        "model": {"hidden": [16]},
        "training": {"lr": 0.01, "epochs": 350},
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


MARKED = Experiment.from_dict(
    {
        "data": {"n_samples": 120, "noise": 0.35},
        "model": {"hidden": [64, 64, 64]},
        "training": {"lr": 0.001, "epochs": 200},
    }
)


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="overfitting",
        question="When does a model under-fit, and when does it over-fit?",
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
            question_about,
            ("the linear model", "yours", "the large network"),
            outcome,
            expected=2,
        ),
        point=point,
        code=(early_stopping,),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Make *yours* over-fit by giving it more capacity: three hidden layers of 256 "
                "units.",
                START.replace("model.hidden", [256, 256, 256]),
                observed,
                shows=yours_over_fits,
            ),
            lesson.Task(
                "Make all three models over-fit less, with more data alone: 2000 samples.",
                START.replace("data.n_samples", 2000).replace("training.epochs", 60),
                observed,
                shows=none_over_fits,
            ),
            lesson.Task(
                "About one training label in five is wrong. Which models learn the wrong labels?",
                START.replace("data.label_noise", 0.2),
                observed,
            ),
            lesson.Task(
                "100 samples with 20 irrelevant inputs of pure noise: does even the linear model "
                "over-fit?",
                START.replace("data.irrelevant_features", 20).replace("data.n_samples", 100),
                observed,
            ),
            lesson.Task(
                "Only 10 epochs at a low learning rate: *yours* is undertrained.",
                START.replace("training.epochs", 10).replace("training.lr", 0.001),
                observed,
                shows=too_short,
            ),
            lesson.Task(
                "The reference experiment: a 256-512-256 network on 500 points for 300 epochs, "
                "with no regularization, with weight decay 1e-4 and with dropout 0.5. Training "
                "takes a while. Weight decay pulls weights towards 0; dropout adds noise to the "
                "training. Which of the two reduces over-fitting more at these strengths?",
                REFERENCE,
                observed,
            ),
        ),
        sources=(
            "Goodfellow et al. 2016, *Deep Learning*, section 5.2 (capacity), chapter 7 "
            "(regularization)",
            "Geman et al. 1992, “Neural networks and the bias/variance dilemma”",
            "Zhang et al. 2017, arXiv 1611.03530: large networks fit even random labels",
            "The verdict compares each model with the best possible accuracy on this data (the "
            "Bayes rate), computed from the densities of the classes: Hastie et al. 2009, *The "
            "Elements of Statistical Learning*, section 2.4",
        ),
        lanes=trio,
        labels_for=names,
        judged=True,
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=330)
    lesson.curves_and_readout(shown)
    with st.expander("Where does over-fitting begin? Mark it yourself", icon=":material/flag:"):
        st.caption(
            "A run that you have not seen: two moons, 120 noisy points, a 64-64-64 network and a "
            "low learning rate. Put the mark where you would stop. Then show the answer."
        )
        lesson.further_run(
            "overfitting-mark",
            "Train a run",
            to_mark(st.session_state.get(MARK, 0)),
            marking,
        )


def is_reference(e: Experiment) -> bool:
    """Whether the network is the reference experiment's."""
    return e.model.hidden == REFERENCE.model.hidden


def trio(e: Experiment) -> Lanes:
    """Return a linear model, the user's network and a large one on one data set; for the reference
    network instead no regularization, weight decay 1e-4 and dropout 0.5."""
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
        return "no regularization", "decay 1e-4", "dropout 0.5"
    return "linear", "yours", "large"


def point(frame: Frame, lanes: Lanes) -> str:
    """Return a sentence with the verdict on each of the three."""
    three = [metrics.read(lane) for lane in frame.lanes]
    of = names(lanes[1])
    losses = ", ".join(f"{n} {r.val_loss:.3f}" for n, r in zip(of, three, strict=True))
    return f"Three models, the same points. Validation loss at epoch {frame.epoch}: {losses}."


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Name the model with the highest validation loss at the end."""
    three = [metrics.read(lane) for lane in frame.lanes]
    of = names(lanes[1])
    text = "; ".join(
        f"{n} {r.train_loss:.3f} and {r.val_loss:.3f}" for n, r in zip(of, three, strict=True)
    )
    return int(np.argmax([r.val_loss for r in three])), f"training and validation loss – {text}."


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twin on the stored losses: each model's best epoch, where overfitting began."""
    parts = []
    for name, lane in zip(names(lanes[1]), frame.lanes, strict=True):
        losses = lane.curve("val_loss").tolist()
        best, _ = early_stopping(losses, patience=len(losses))
        parts.append(f"{name}: epoch {best} of {len(losses)} ({losses[best - 1]:.3f})")
    return (
        "This code, run on the stored validation losses, finds the lowest one – "
        + "; ".join(parts)
        + "."
    )


def question_about(e: Experiment) -> str:
    """Return the question about network sizes, or "" for the reference network."""
    if is_reference(e):
        return ""
    yours = "-".join(map(str, e.model.hidden))
    yours = f"a network with {yours} hidden units (yours)" if yours else "yours (also linear)"
    return (
        f"a linear model, {yours} and a network with {'-'.join(map(str, LARGE))} hidden units are "
        "trained on the same points. Which one has the highest validation loss at the end?"
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the verdict on each model of a task's run."""
    found = lesson.verdicts(frame, lanes)[1]
    return " ".join(
        f"{name}: {v.kind}. {v.reason}" for name, v in zip(names(lanes[1]), found, strict=True)
    )


def yours_over_fits(frame: Frame, lanes: Lanes) -> bool:
    """Whether the user's network ends far above its lowest validation loss."""
    return metrics.read(frame.lanes[1]).rise > verdict.RISE


def none_over_fits(frame: Frame, lanes: Lanes) -> bool:
    """Whether every model is about as good on new points as on its training points."""
    return all(abs(metrics.read(lane).gap) < verdict.GAP for lane in frame.lanes)


def too_short(frame: Frame, lanes: Lanes) -> bool:
    """Whether the user's network was still improving when training ended."""
    yours = metrics.read(frame.lanes[1])
    return yours.best_epoch == yours.epoch and yours.train_loss > 0.4


MARK = "overfitting.mark"  # session key: number of the run to mark

OTHERS = 4


def to_mark(number: int) -> Lanes:
    """Return the lanes of an unseen run: new points, a network that overfits slowly, and the same
    with other initial weights."""
    run = MARKED.replace("data.seed", 101 + number)
    return tuple(run.replace("training.seed", number + k) for k in range(1 + OTHERS))


def next_mark() -> None:
    """Go on to the next run to mark."""
    st.session_state[MARK] = st.session_state.get(MARK, 0) + 1


def show_answer(lanes: Lanes, mark: int) -> None:
    """Store the mark, so that the answer is shown."""
    st.session_state[f"{MARK}.answered"] = lanes, mark


def answer(mark: int, at: metrics.Beginning, others: list[int], epochs: int) -> str:
    """Return the mark's distance from the lowest validation loss, and how certain that is."""
    lowest = f"The validation loss is lowest at epoch {at.epoch} ({at.loss:.3f})"
    if not at.risen:
        return (
            f"{lowest} and ends within {at.tolerance:g} of that. On this run over-fitting has not "
            f"begun in {epochs} epochs, so no mark is right."
        )
    away = mark - at.epoch
    plural = "epoch" if abs(away) == 1 else "epochs"
    how = f"{abs(away)} {plural} too {'late' if away > 0 else 'early'}" if away else "exactly right"
    where = "inside" if at.first <= mark <= at.last else "outside"
    return (
        f"{lowest}; your mark, epoch {mark}, is {how}. The minimum of one run is partly luck: the "
        f"losses within {at.tolerance:g} of it lie in epochs {at.first} to {at.last}. Your mark is "
        f"{where} this range. With {len(others)} other sets of initial weights, on the same "
        f"points, the loss is lowest at epochs {', '.join(map(str, sorted(others)))}."
    )


def marking(frame: Frame, lanes: Lanes) -> None:
    """Let the user mark an epoch on an unmarked curve, then show the answer."""
    if lanes[0].training.seed != st.session_state.get(MARK, 0):
        st.rerun()  # the fragment requested the next run, which only the page submits
    lane = frame.lanes[0]
    at = metrics.overfitting_begins(lane.curve("val_loss").tolist())
    if at is None or lane.epoch < 2:
        st.html(layout.note("This run has no usable validation loss. Try another run."))
        st.button("Another run", icon=":material/casino:", on_click=next_mark)
        return
    kept_lanes, kept_mark = st.session_state.get(f"{MARK}.answered", ((), 1))
    answered = kept_lanes == lanes
    mark = st.slider(
        "Over-fitting begins at epoch",
        1,
        lane.epoch,
        kept_mark if answered else 1,
        key=f"{MARK}.{lanes[0].data.seed}.{lanes[0].training.seed}",
        disabled=answered,
    )
    found = [metrics.overfitting_begins(o.curve("val_loss").tolist()) for o in frame.lanes[1:]]
    others = [b.epoch for b in found if b is not None]
    text = answer(mark, at, others, lane.epoch) if answered else ""
    charts.chart(
        lambda colors: lesson_figures.marked_run(
            lane,
            mark if mark > 1 or answered else None,
            at if answered else None,
            others,
            colors,
        ),
        key="marked-run",
        alt=text or "Training and validation loss of a run, with no mark but yours.",
        about=charts.of_runs(lanes[:1]),
    )
    with st.container(horizontal=True):
        st.button(
            "Show the answer",
            icon=":material/check:",
            disabled=answered or mark == 1,
            help="Move the mark first." if mark == 1 else None,
            on_click=show_answer,
            args=(lanes, mark),
        )
        st.button("Another run", icon=":material/casino:", on_click=next_mark)
    if answered:
        st.html(layout.point(text))


LESSON = contents()
lesson.show(LESSON, views)
