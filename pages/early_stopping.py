"""Lesson: early stopping, its count of patience, and the effect of another patience."""

from __future__ import annotations

import dataclasses

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from regviz.figures import lessons as lesson_figures
from regviz.figures import live as live_figures
from regviz.figures import theory as theory_figures
from regviz.figures.palette import Palette
from regviz.frames import Frame, LaneFrame
from regviz.results import metrics, uncertainty
from regviz.results.stopping import trace
from regviz.scratch.averaging import average_weights
from regviz.scratch.early_stopping import early_stopping
from regviz.specs import EarlyStoppingSpec, Experiment
from regviz.ui import charts, layout, lesson, live
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"n_samples": 200},
        "model": {"hidden": [64, 64]},
        "regularization": {"early_stopping": {"patience": 15, "min_delta": 0.003}},
        "training": {"lr": 0.003, "epochs": 300},
    }
)
DECAYS = (0.0, 0.9, 0.98, 0.99)


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="early-stopping",
        question="When should training stop?",
        start=START,
        controls=(
            "early_stopping",
            "patience",
            "min_delta",
            "restore_best_weights",
            "ema",
            "noise",
            "label_noise",
            "samples",
            "lr",
            "epochs",
            "seed",
        ),
        labels=("keeps training", "stops early"),
        labels_for=lambda e: (
            ("keeps training", "stops early")
            if e.regularization.early_stopping is not None
            else ("no regularization", "with regularization")
        ),
        prediction=lesson.Prediction(
            "the two models are identical, but one stops when its validation loss no longer falls. "
            "Which one ends with the lower validation loss?",
            ("the one that stops", "no difference", "the one that keeps training"),
            outcome,
            expected=0,
        ),
        point=point,
        code=(early_stopping, average_weights),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Patience 1: does a single bad epoch end the run?", _with(patience=1), observed
            ),
            lesson.Task(
                "Patience 50: does it cost anything but time?", _with(patience=50), observed
            ),
            lesson.Task(
                "Best weights not restored: what does patience cost now?",
                _with(restore_best_weights=False),
                observed,
            ),
            lesson.Task(
                "Min delta 0.05: only larger improvements count. Which epoch is kept?",
                _with(min_delta=0.05),
                observed,
            ),
        ),
        sources=(
            "Prechelt 1998, “Early stopping – but when?”",
            "Keras, `keras.callbacks.EarlyStopping`: patience and min_delta as used here",
            "Goodfellow et al. 2016, *Deep Learning*, section 7.8",
            "Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv 1703.01780; "
            "torch.optim.swa_utils: averaging the weights over the steps",
        ),
        subject=lesson.Subject(
            "Early stopping", lambda e: e.regularization.early_stopping is not None
        ),
        checks=(
            lesson.Check(
                "On a quadratic loss, stopping after τ steps of size ε is close to ridge "
                "regression with α = 1/(τε).",
                "Along each eigenvector, stopping keeps the fraction 1 - (1 - ελ)^τ of the "
                "least-squares solution, ridge λ/(λ + α). For small steps the two differ by at "
                "most 0.2036.",
                "early_stopping_ridge",
                lambda e: {"lr": min(max(e.training.lr, 0.0001), 0.5), "seed": e.training.seed},
                theory_figures.stopping_check,
                lambda f: (
                    f"After {f.arrays['step'][-1]:.0f} steps the measured fractions differ from "
                    f"their formula by at most {f.number('error'):.1e}, and from ridge by "
                    f"{f.number('gap'):.3f}; the largest gap so far was "
                    f"{f.number('largest_gap'):.4f} at step {f.number('largest_at_step'):.0f}, "
                    f"where theory allows {f.number('largest_bound'):.4f}."
                ),
            ),
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    live.decision_boundary(shown.channel, labels=shown.labels, height=330)
    lesson.curves_and_readout(shown)
    if shown.last_finished is not None:
        theatre(*shown.last_finished)
    with st.expander("Averaging the weights instead of stopping", icon=":material/line_axis:"):
        st.caption(
            "The model that keeps training, used with its last weights and with moving averages of "
            "its weights. Training is the same for all of them: only the weights that predict "
            "differ. The larger the decay, the more steps are averaged, about 1/(1 - decay)."
        )
        going_on = shown.experiment.replace("regularization.early_stopping", None)
        lesson.further_run(
            "early-stopping-averages",
            "Train with averages",
            tuple(going_on.replace("training.ema", decay) for decay in DECAYS),
            draw_averages,
        )
    with st.container(horizontal=True):
        st.page_link(
            "pages/misconceptions.py",
            label="What if it watches the training loss instead?",
            icon=":material/report:",
        )
        st.page_link(
            "pages/overfitting.py",
            label="Where does over-fitting begin? Mark it yourself",
            icon=":material/flag:",
        )


def draw_averages(frame: Frame, lanes: Lanes) -> None:
    """Draw the curves of the last weights and of the averages, and compare where they end."""
    names = [f"decay {decay:g}" if decay else "last weights" for decay in DECAYS]
    readings = [metrics.read(lane) for lane in frame.lanes]
    losses = ", ".join(f"{n} {r.val_loss:.3f}" for n, r in zip(names, readings, strict=True))
    text = f"Validation loss after {readings[0].epoch} epochs: {losses}."

    def draw(colors: Palette) -> go.Figure:
        skeleton = live_figures.loss_curves(names, epochs=frame.epochs, palette=colors)
        return live_figures.fill_loss_curves(skeleton, frame.lanes)

    charts.chart(draw, key="weight-averages", alt=text, about=charts.of_runs(lanes))
    st.html(layout.point(text))


def rule(e: Experiment) -> EarlyStoppingSpec:
    """Return an experiment's rule, or the default rule if it is switched off."""
    return e.regularization.early_stopping or EarlyStoppingSpec()


def point(frame: Frame, lanes: Lanes) -> str:
    """Return the current numbers of both models in a sentence."""
    full, stopped = (metrics.read(lane) for lane in frame.lanes)
    if frame.lanes[1].status == "stopped":
        back = (
            f"restored the weights of epoch {stopped.best_epoch}"
            if frame.lanes[1].restored
            else f"kept its last weights (its best epoch was {stopped.best_epoch})"
        )
        return (
            f"The model with early stopping stopped at epoch {stopped.stopped_epoch} and {back}: "
            f"validation loss {stopped.val_loss:.3f}. The other model has {full.val_loss:.3f} at "
            f"epoch {full.epoch}."
        )
    wait, patience = frame.lanes[1].wait, rule(lanes[1]).patience
    if frame.lanes[1].status == "finished":
        back = (
            f"The best weights, of epoch {stopped.best_epoch}, were restored"
            if frame.lanes[1].restored
            else f"Its last weights are kept (its best epoch was {stopped.best_epoch})"
        )
        return (
            f"The model with early stopping reached its last epoch, {stopped.trained}, before "
            f"{patience} epochs in a row without an improvement. {back}: validation loss "
            f"{stopped.val_loss:.3f}. The other model has {full.val_loss:.3f} at epoch "
            f"{full.epoch}."
        )
    return (
        f"Best validation loss so far: {stopped.best_val_loss:.3f} at epoch {stopped.best_epoch}. "
        f"{wait} of {patience} epochs of patience are used up."
    )


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the two models' validation losses on this run."""
    full, stopped = (metrics.read(lane) for lane in frame.lanes)
    text = (
        f"validation loss {stopped.val_loss:.3f} with early stopping (epoch "
        f"{stopped.best_epoch}) against {full.val_loss:.3f} after {full.epoch} epochs; validation "
        f"accuracy {metrics.percent(stopped.val_accuracy)} against "
        f"{metrics.percent(full.val_accuracy)}."
    )
    n = lanes[0].n_val
    luck = uncertainty.accuracy_margin(n, stopped.val_accuracy, full.val_accuracy)
    if stopped.val_loss < full.val_loss and stopped.val_accuracy < full.val_accuracy:
        text += (
            " Loss and accuracy disagree: the model that keeps training is more accurate, but "
            "overconfident."
            if full.val_accuracy - stopped.val_accuracy > luck
            else f" {n} validation points cannot show so small a difference in accuracy."
        )
    if abs(stopped.val_loss - full.val_loss) < lesson.HARDLY:
        return 1, text
    return (0 if stopped.val_loss < full.val_loss else 2), text


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twin on the stored losses, for this patience and for others without training."""
    losses = frame.lanes[0].curve("val_loss").tolist()
    now = rule(lanes[1])
    best, stop = early_stopping(losses, now.patience, now.min_delta)
    now_end = f"stops at epoch {stop}" if stop else "does not stop"
    others = []
    for patience in (1, 5, 10, 25, 50):
        at, ended = early_stopping(losses, patience, now.min_delta)
        end = f"stops at epoch {ended}" if ended else "does not stop"
        others.append(f"{patience} keeps epoch {at} ({end})")
    return (
        f"{averages(losses)} On the stored losses of the model without early stopping, patience "
        f"{now.patience} keeps epoch {best} and {now_end}. Other values of patience, without "
        "training again: " + "; ".join(others) + "."
    )


def averages(losses: list[float]) -> str:
    """Average a weight that jumps between two values, as late steps do, and say what comes out."""
    path = np.tile([[0.0], [1.0]], (max(2, len(losses) // 2), 1))
    ends = average_weights(path, 0.0)[-1, 0], average_weights(path, 0.9)[-1, 0]
    return (
        f"A weight that jumps between 0 and 1 for {len(path)} steps ends at {ends[0]:.2f}; its "
        f"average with decay 0.9 ends at {ends[1]:.2f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    lane, reading = frame.lanes[1], metrics.read(frame.lanes[1])
    end = f"stopped at epoch {lane.stopped_epoch}" if lane.stopped_epoch else "did not stop"
    return (
        f"The model with early stopping {end}; best epoch {lane.best_epoch}, validation loss "
        f"{reading.val_loss:.3f}, validation accuracy {metrics.percent(reading.val_accuracy)}."
    )


def _with(**fields: object) -> Experiment:
    e = START
    for name, value in fields.items():
        e = e.replace(f"regularization.early_stopping.{name}", value)
    return e


def theatre(frame: Frame, lanes: Lanes) -> None:
    """Draw the rule's state over the stored losses, for any patience that the user chooses."""
    now, losses = rule(lanes[1]), frame.lanes[0].curve("val_loss")
    most = max(100, now.patience)
    patience = st.slider(
        "What if the patience had been …",
        0,
        most,
        now.patience,
        key=f"early-stopping.what-if.{now.patience}",
        help="Read off the stored losses of the model that keeps training. No new training.",
    )
    every = range(most + 1)
    ends = [early_stopping(losses.tolist(), k, now.min_delta) for k in every]
    best, stop = ends[patience]
    if not best:
        st.html(layout.note("No epoch of this run has a usable validation loss."))
        return
    chosen = dataclasses.replace(now, patience=patience)
    left, right = st.columns([3, 2], gap="small")
    about = charts.of_runs(lanes)
    kept = [float(losses[at - 1]) if at else float("nan") for at, _ in ends]
    trained = None if lanes[1].regularization.early_stopping is None else frame.lanes[1]
    text = what_if(losses.tolist(), patience, best, stop, trained)
    with left:
        states = trace(losses.tolist(), chosen)
        charts.chart(
            lambda colors: lesson_figures.stopping_theatre(losses, states, chosen, colors),
            key="stopping-theatre",
            alt=text,
            about=about,
        )
    with right:
        spent = [end or len(losses) for _, end in ends]
        charts.chart(
            lambda colors: lesson_figures.patience_curve(
                list(every), kept, spent, patience, colors
            ),
            key="patience-curve",
            alt="Validation loss kept and epochs trained, against patience.",
            about=about,
        )
    st.html(layout.point(text))


def what_if(
    losses: list[float], patience: int, best: int, stop: int | None, trained: LaneFrame | None
) -> str:
    """Return the outcome of a patience on stored losses, and that of the trained one, if any."""
    lowest = min(x for x in losses if x == x)
    end = f"stops at epoch {stop}" if stop else f"never stops in {len(losses)} epochs"
    away = losses[best - 1] - lowest
    cost = (
        "the lowest of the whole run"
        if away == 0
        else f"{away:.3f} above the lowest of the whole run, in epoch {losses.index(lowest) + 1}"
    )
    text = (
        f"Patience {patience} {end} and keeps epoch {best}: validation loss "
        f"{losses[best - 1]:.3f}, {cost}. "
    )
    if trained is None:
        return f"{text}In the controls early stopping is switched off."
    really = (
        f"stopped at epoch {trained.stopped_epoch}" if trained.stopped_epoch else "did not stop"
    )
    return f"{text}The model trained with the settings in the controls {really}."


LESSON = contents()
lesson.show(LESSON, views)
