"""Shared by all lessons: question, prediction, controls, live views, code, tasks, sources.

A lesson page fills in a :class:`Lesson` and passes it to :func:`show` with a function that draws
its charts. This module submits, follows and judges the run in the same way for all lessons.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from regviz import specs
from regviz.engine.engine import IN_PROGRESS
from regviz.figures import lessons as lesson_figures
from regviz.figures.palette import Palette
from regviz.frames import Frame
from regviz.frames.lab import LabFrame
from regviz.frames.messages import Cell
from regviz.results import metrics, verdict
from regviz.slides import words
from regviz.specs import Experiment, SpecError
from regviz.specs.text import listed
from regviz.ui import charts, compare, controls, fragments, lab, layout, live, notice, run, slides
from regviz.ui.verdicts import judge, reading_rows, verdict_cells

Lanes = tuple[Experiment, ...]
Rows = list[tuple[Cell, ...]]
CHECK_TICK = 0.4
"""Seconds between two updates of a theory check, each of which draws its chart again."""
HARDLY = 0.02
"""Nats by which two validation losses must differ to count as different."""
STORED = 24
"""Frames of a run that are kept for figures over its epochs."""
THEORY = "Theory check"
BACK = "Reset"
"""The label of the button that restores a lesson's first experiment."""
PLANE = tuple(controls.DATA_NAMES)
"""Two-dimensional data sets of two classes, on which most lessons train."""
MOST_NAMED = 3
"""Settings that are named when an earlier prediction was for another experiment."""


def twins(experiment: Experiment) -> Lanes:
    """Return an experiment without any regularization, and as it is: the lanes of most lessons."""
    return experiment.without_regularization(), experiment


@dataclass(frozen=True)
class Prediction:
    """A question to answer before training, and how the run answers it.

    ``outcome`` takes the finished frame and its lanes; it returns the index of the option that came
    true *in this run* and a sentence with the measurement. A question that names a setting is a
    function of the experiment; it returns "" if it does not apply. A run with a diverged model
    gives no answer, unless ``may_diverge``.

    ``expected`` is the index of the option that the lesson teaches. The default run must show it on
    most seeds; ``python -m benchmarks.lessons`` counts them.
    """

    question: str | Callable[[Experiment], str]
    options: tuple[str, ...]
    outcome: Callable[[Frame, Lanes], tuple[int, str]]
    expected: int
    may_diverge: bool = False

    def of(self, experiment: Experiment) -> str:
        """Return the question about this experiment, or ""."""
        return self.question if isinstance(self.question, str) else self.question(experiment)


@dataclass(frozen=True)
class Subject:
    """The technique that a lesson is about, and whether an experiment has it switched on."""

    name: str
    on: Callable[[Experiment], bool]


@dataclass(frozen=True)
class Task:
    """A task: its words, the experiment that it loads, and the observation of its run.

    If the words make a claim, ``shows`` returns whether a finished run confirms it; else None.
    """

    words: str
    experiment: Experiment
    observed: Callable[[Frame, Lanes], str]
    shows: Callable[[Frame, Lanes], bool] | None = None


@dataclass(frozen=True)
class Check:
    """A theory check: a lab that compares a formula with a measurement.

    ``parameters`` returns the lab's parameters for the experiment in the controls, ``figure`` draws
    a frame of the lab, and ``sentence`` returns its numbers in words.
    """

    title: str
    words: str
    lab: str
    parameters: Callable[[Experiment], Mapping[str, Any]]
    figure: Callable[[LabFrame, Palette], go.Figure]
    sentence: Callable[[LabFrame], str]


@dataclass(frozen=True)
class Lesson:
    """A lesson in words and values.

    Attributes
    ----------
    page
        Name of the page; prefix of its controls, its run and its charts.
    question
        The title.
    start
        The experiment that is shown first.
    controls
        Names of the controls in the sidebar (:data:`regviz.ui.controls.WIDGETS`).
    point
        Returns what to observe, in one or two sentences with the numbers of a frame.
    code
        From-scratch twins whose source is shown.
    code_ran
        Runs the twins on the numbers of a finished frame and returns the result in a sentence.
    checks
        Theory checks; they run when their tab is opened.
    rows
        Returns further rows of the table of numbers.
    labels_for
        Returns the names of the lanes if they depend on the experiment; else ``labels`` counts.
    judged
        Show for each lane whether it underfits, fits or overfits, and why.
    answer_first
        Train only after the user has made a prediction.
    models, data
        The lesson's kinds of models and data; a link to another kind is refused.
    subject
        The technique that must be on for the lesson to show anything.
    also_fits
        Returns why an experiment of the right kinds does not fit the lesson, or "".
    """

    page: str
    question: str
    start: Experiment
    controls: tuple[str, ...]
    prediction: Prediction
    point: Callable[[Frame, Lanes], str]
    code: tuple[Callable[..., Any], ...]
    code_ran: Callable[[Frame, Lanes], str]
    tasks: tuple[Task, ...]
    sources: tuple[str, ...]
    lanes: Callable[[Experiment], Lanes] = twins
    labels: tuple[str, ...] = ("no regularization", "with regularization")
    checks: tuple[Check, ...] = ()
    rows: Callable[[Frame, Lanes], Rows] | None = None
    labels_for: Callable[[Experiment], tuple[str, ...]] | None = None
    judged: bool = False
    answer_first: bool = False
    models: tuple[str, ...] = ("mlp",)
    data: tuple[str, ...] = PLANE
    subject: Subject | None = None
    also_fits: Callable[[Experiment], str] | None = None

    def refusal(self, experiment: Experiment) -> str:
        """Return why this lesson cannot show an experiment, in a sentence, or ""."""
        kinds = (
            ("model", experiment.model.kind, self.models),
            ("data", experiment.data.kind, self.data),
        )
        for group, got, fitting in kinds:
            if got not in fitting:
                return f"{group}.kind: got {got}, but this lesson is about {' or '.join(fitting)}."
        return "" if self.also_fits is None else self.also_fits(experiment)

    def off(self, experiment: Experiment) -> str:
        """Return that the lesson's subject is off in an experiment, in a sentence, or ""."""
        if self.subject is None or self.subject.on(experiment):
            return ""
        name = self.subject.name
        if len(set(self.lanes(experiment))) == 1:
            return (
                f"{name} is switched off, so the models are identical: move its slider and watch "
                "them separate."
            )
        others = listed(words.techniques(experiment)) or "another setting"
        return f"{name} is switched off; what sets the models apart here is {others}."

    def uncontrolled(self, experiment: Experiment) -> list[str]:
        """Return the techniques that are on in an experiment without a control on this page."""
        if self.answer_first:  # the lanes of such a lesson add techniques themselves
            return []
        return [
            words.phrase(path, value)
            for path, value in words.flat(experiment).items()
            if words.is_on(path, value) and path.rsplit(".", 1)[-1] not in self.controls
        ]

    def labels_of(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the names of the lanes that show ``experiment``."""
        return self.labels if self.labels_for is None else self.labels_for(experiment)


@dataclass
class Shown:
    """The state of a lesson during one script run."""

    lesson: Lesson
    experiment: Experiment
    page_run: run.PageRun
    moving: bool
    status: Any
    point: Any

    @property
    def channel(self) -> str:
        """The channel of this lesson's charts."""
        return self.lesson.page

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the lanes shown."""
        return self.lesson.labels_of(self.experiment)

    @property
    def finished(self) -> tuple[Frame, Lanes] | None:
        """The finished run's last frame and its lanes; None before the run has finished."""
        job = self.page_run.job
        if job is None or job.state != "finished":
            return None
        frame = job.latest()
        return None if frame is None else (frame, job.experiments)

    @property
    def last_finished(self) -> tuple[Frame, Lanes] | None:
        """As :attr:`finished`; during a new run the result of the previous one, so that its figures
        keep their place."""
        key = f"{self.lesson.page}.finished"
        done = self.finished
        if done is not None:
            st.session_state[key] = done
        return st.session_state.get(key)

    @property
    def stored(self) -> tuple[list[Frame], Lanes] | None:
        """Up to :data:`STORED` frames of the finished run, evenly spaced and without boundaries,
        and its lanes; during a new run, those of the previous one."""
        key = f"{self.lesson.page}.stored"
        done, job = self.finished, self.page_run.job
        if done is None or job is None:
            return st.session_state.get(key)
        frames = [frame for frame in job.frames() if frame.epoch]
        places = sorted({round(i * (len(frames) - 1) / (STORED - 1)) for i in range(STORED)})
        kept = [
            dataclasses.replace(
                frames[i],
                lanes=tuple(
                    dataclasses.replace(lane, boundary=None, class_map=None)
                    for lane in frames[i].lanes
                ),
            )
            for i in places
        ]
        st.session_state[key] = kept, done[1]
        return st.session_state[key]


def show(lesson: Lesson, views: Callable[[Shown], None]) -> None:
    """Draw a whole lesson: question and controls, the page's ``views``, then the tabs."""
    shown = begin(lesson)
    views(shown)
    finish(shown)


def curves_and_readout(
    shown: Shown,
    *,
    split: Sequence[int] = (3, 2),
    show_train_mode: bool = False,
    height: int = 325,
) -> None:
    """Draw the loss curves on the left and the table of numbers on the right.

    ``split`` is the ratio of their widths, ``height`` that of the curves in pixels.
    """
    left, right = st.columns(split, gap="small")
    with left:
        live.loss_curves(
            shown.channel,
            labels=shown.labels,
            epochs=shown.experiment.training.epochs,
            show_train_mode=show_train_mode,
            height=height,
        )
    with right:
        live.readout(shown.channel)


def begin(lesson: Lesson) -> Shown:
    """Draw the top of a lesson and submit its run; the page draws its views afterwards."""
    layout.within_app()
    page = lesson.page
    charts.begin(page)
    controls.scope(page)
    if not controls.is_loaded():
        controls.load(_from_link(lesson))
    invalid = ""
    kept = f"{page}.experiment"
    with st.sidebar:
        st.caption("Move a control; the models train again.")
        try:
            experiment = controls.some(lesson.controls)
            lesson.lanes(experiment)  # the lanes change the experiment and may be invalid
        except SpecError as error:
            experiment, invalid = st.session_state.get(kept, lesson.start), str(error)
        st.button(
            BACK,
            icon=":material/undo:",
            key=f"{page}.reset",
            on_click=_load,
            args=(page, lesson.start),
        )
    st.session_state[kept] = experiment
    st.query_params["e"] = specs.to_link(experiment)
    with st.container(key="top"):
        st.title(lesson.question, anchor=False)
    notice.draw(page)
    answer = _ask(lesson, experiment)
    if lesson.answer_first and not _predictions(lesson):
        st.html(layout.note("Answer first; then the models train."))
        st.stop()
    page_run = run.follow(lesson.lanes(experiment), page)
    status = _transport(lesson, page_run, experiment)
    with st.container(key="notices"):
        for text in (invalid, page_run.refused):
            if text:
                st.error(layout.plain(text), icon=":material/error:")
        if page_run.state == "failed" and page_run.job is not None:
            st.error(layout.plain(page_run.job.reason), icon=":material/error:")
            st.button(
                "Retry", icon=":material/replay:", on_click=run.press, args=(run.RESTART, page)
            )
        others = lesson.uncontrolled(experiment)
        if others:
            st.info(
                layout.plain(
                    f"This experiment also has {listed(others)}, for which this page has no "
                    f"control. {BACK} removes it."
                ),
                icon=":material/info:",
            )
    point = st.container(key="verdict-lines")
    shown = Shown(lesson, experiment, page_run, page_run.moving, status, point)
    with answer:
        _answer(shown)
    return shown


def finish(shown: Shown) -> None:
    """Draw the live parts, then the tabs: tasks, theory checks, code, sources."""
    lesson, page_run = shown.lesson, shown.page_run
    moving = shown.moving

    @fragments.fragment(run_every=run.every(page_run))
    def tick() -> None:
        now = run.current(lesson.page)
        job = now.job
        frame, lanes = now.observe()
        of = lanes if job is None else job.experiments  # the table also shows the job's next frames
        with shown.status:
            st.html(layout.status(*run.status_text(now)))
        with shown.point:
            off = lesson.off(shown.experiment)
            if off:
                st.html(layout.point(off))
            if frame is None or not frame.epoch:
                st.html(layout.note("Waiting for the first epoch."))
            else:
                if not off:
                    st.html(layout.point(lesson.point(frame, lanes)))
                if lesson.judged:
                    st.html(_statements(shown.labels, frame, lanes))
        live.feed(shown.channel, job, table=lambda look: _table(lesson, shown.labels, look, of))
        if run.outdated(page_run, moving):
            st.rerun()

    tick()
    done = shown.finished
    names = ["Try this", "The code that ran", "Sources"]
    if lesson.checks:
        names.insert(1, THEORY)
    tabs = dict(
        zip(names, st.tabs(names, key=f"{lesson.page}.tabs", on_change="rerun"), strict=True)
    )
    trying, code, sources = (tabs[n] for n in names if n != THEORY)
    with trying:
        for i, task in enumerate(lesson.tasks):
            _task(lesson, i, task, shown.experiment, done)
    with code:
        st.caption("From scratch in NumPy; this is the unedited source.")
        if done is not None:
            st.success(layout.plain(lesson.code_ran(*done)), icon=":material/function:")
        for twin in lesson.code:
            st.code(inspect.getsource(twin), language="python")
        st.caption("Reproduce the runs of this page without the browser:")
        listed = ",\n    ".join(
            f"Experiment.from_dict({e.to_dict()!r})" for e in lesson.lanes(shown.experiment)
        )
        st.code(
            f"from regviz import Experiment, fit\n\nresults = fit([\n    {listed},\n])\n",
            language="python",
            wrap_lines=True,
        )
    with sources:
        st.markdown("\n".join(f"- {source}" for source in lesson.sources))
    if lesson.checks and tabs[THEORY].open:
        with tabs[THEORY]:
            for i, check in enumerate(lesson.checks):
                follow_check(shown, f"check-{i}", check)
    if not lesson.answer_first:
        st.page_link(
            "pages/self_check.py",
            label="Check yourself: questions that an experiment answers",
            icon=":material/quiz:",
        )
    if page_run.job is not None and page_run.job.reason and page_run.job.state != "failed":
        st.html(layout.note(page_run.job.reason))


def further_run(name: str, button: str, lanes: Lanes, draw: Callable[[Frame, Lanes], None]) -> None:
    """Train further models beside the page's run when the user presses ``button``.

    ``name`` identifies the run and its button; ``draw`` receives the finished frame. Once started,
    the run follows the controls like any other.
    """
    asked = f"{name}.asked"
    st.button(button, key=name, on_click=st.session_state.__setitem__, args=(asked, True))
    if not st.session_state.get(asked):
        return
    page_run = run.follow(lanes, name)
    moving = page_run.moving
    if page_run.refused:
        st.error(layout.plain(page_run.refused), icon=":material/error:")
        return

    @fragments.fragment(run_every=run.every(page_run, least=CHECK_TICK))
    def look() -> None:
        job = page_run.job
        # read the state before the frame: then the frame of a finished run is its last one
        state = "" if job is None else job.state
        frame = None if job is None else job.latest()
        if job is not None and state in ("failed", "cancelled"):
            st.html(layout.note(job.reason or "It was cancelled; start it again."))
        elif job is None or frame is None or state != "finished":
            st.progress(0.0 if frame is None else frame.epoch / frame.epochs, "Training")
        else:
            draw(frame, job.experiments)
        if run.outdated(page_run, moving):
            st.rerun()

    look()


def predicted(lesson: Lesson, experiment: Experiment) -> str | None:
    """Return the option chosen for exactly this experiment, seeds included, or None."""
    made = _predictions(lesson).get(experiment.canonical_json())
    return None if made is None else made[1]


def mode_losses(frame: Frame) -> tuple[float, float]:
    """Return the second lane's training loss in train mode and in eval mode, in nats."""
    lane = frame.lanes[1]
    return float(lane.curve("train_loss_train_mode")[-1]), float(lane.curve("train_loss")[-1])


def validation_curve(
    name: str,
    values: Sequence[float],
    readings: Sequence[metrics.Reading],
    lanes: Lanes,
    text: str,
    *,
    key: str,
) -> None:
    """Draw the losses of a sweep over ``values`` of the setting ``name``, and below it ``text``,
    which says what came of it."""
    train, val = [r.train_loss for r in readings], [r.val_loss for r in readings]
    charts.chart(
        lambda colors: lesson_figures.validation_curve(name, values, train, val, colors),
        key=key,
        alt=text,
        about=charts.of_runs(lanes),
    )
    st.html(layout.point(text))


def lowest(losses: Sequence[float]) -> int:
    """Return the index of the lowest finite loss; 0 if there is none."""
    known = [loss if math.isfinite(loss) else math.inf for loss in losses]
    return known.index(min(known))


def verdicts(frame: Frame, lanes: Lanes) -> tuple[list[metrics.Reading], list[verdict.Verdict]]:
    """Return reading and verdict of every lane; the lanes share one data set."""
    return judge(frame, lanes[0])


def verdict_row(frame: Frame, lanes: Lanes) -> Rows:
    """Return the verdicts as a row of the table."""
    return [verdict_cells(verdicts(frame, lanes)[1])]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, because Streamlit's tables would load pandas."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _statements(labels: Sequence[str], frame: Frame, lanes: Lanes) -> str:
    found = verdicts(frame, lanes)[1]
    return "".join(
        layout.statement(name, v.kind, v.reason) for name, v in zip(labels, found, strict=False)
    )


def _table(lesson: Lesson, labels: Sequence[str], frame: Frame, lanes: Lanes) -> live.Table:
    rows = reading_rows([metrics.read(lane) for lane in frame.lanes])
    if frame.epoch:
        first = verdict_row(frame, lanes) if lesson.judged else []
        more = lesson.rows(frame, lanes) if lesson.rows is not None else []
        rows = [*first, *rows, *more]
    return live.Table(("", *labels), tuple(rows))


def follow_check(shown: Shown, slot: str, check: Check) -> None:
    """Run a theory check beside the page's run and draw its frames.

    ``slot`` is its name on the page; a new request for a slot replaces the old one.
    """
    st.markdown(f"**{check.title}** {check.words}")
    parameters = check.parameters(shown.experiment)
    name = f"{shown.lesson.page}.{slot}"
    try:
        job = lab.asked(shown.page_run, name, check.lab, parameters)
    except SpecError as error:
        st.error(layout.plain(str(error)), icon=":material/error:")
        return
    moving = job.state in IN_PROGRESS
    about = charts.of_lab(check.lab, parameters)

    @fragments.fragment(run_every=run.pace(CHECK_TICK) if moving else None)
    def tick() -> None:
        frame = job.latest()
        if frame is None:
            st.html(layout.note(job.reason or "The check is running."))
        else:
            alt = f"{check.title} {check.sentence(frame)}"
            charts.chart(lambda colors: check.figure(frame, colors), key=name, alt=alt, about=about)
            st.html(layout.point(check.sentence(frame)))
        if job.state == "failed":
            lab.retry(name, job)
        if moving and job.state not in IN_PROGRESS:
            st.rerun()

    tick()


def _from_link(lesson: Lesson) -> Experiment:
    link = st.query_params.get("e")
    if link is None:
        return lesson.start
    try:
        experiment = specs.from_link(link)
        refused = lesson.refusal(experiment)
        if not refused:
            lesson.lanes(experiment)
    except SpecError as error:
        refused = str(error)
    if not refused:
        return experiment
    notice.say(lesson.page, f"{refused} The lesson's default is shown instead.")
    return lesson.start


def _load(page: str, experiment: Experiment) -> None:
    controls.scope(page)
    controls.load(experiment)


def _predictions(lesson: Lesson) -> dict[str, tuple[Experiment, str]]:
    """Return this session's predictions by experiment: the experiment and the chosen option."""
    made: dict[str, tuple[Experiment, str]] = st.session_state.setdefault(
        f"{lesson.page}.predictions", {}
    )
    return made


def _predict(lesson: Lesson, experiment: Experiment, key: str) -> None:
    """Store the chosen option for this experiment."""
    made, name = _predictions(lesson), experiment.canonical_json()
    made.pop(name, None)  # the latest prediction goes last
    if st.session_state[key] is not None:
        made[name] = experiment, st.session_state[key]


def _ask(lesson: Lesson, experiment: Experiment) -> Any:
    """Draw the question about the experiment shown; return the container for its answer.

    The session keeps predictions by experiment, seeds included. If the last prediction was for
    another experiment, the page names it and asks again.
    """
    prediction, made = lesson.prediction, _predictions(lesson)
    choice = predicted(lesson, experiment)
    with st.container(key="prediction", border=True):
        question = "" if lesson.off(experiment) else prediction.of(experiment)
        if not question:
            st.html(
                layout.note(
                    "The lesson's question is not about the experiment shown. "
                    f"{BACK} brings the one that it is about."
                )
            )
            return st.container()
        if choice is None and made:
            other, option = next(reversed(made.values()))
            st.html(
                layout.note(
                    f"You predicted “{option}” for another experiment "
                    f"({_differences(other, experiment)}). Predict again for this one."
                )
            )
        lead = "Before you move anything" if experiment == lesson.start else "For what is shown now"
        # one widget per experiment: a browser that has not drawn the new question yet keeps sending
        # the old choice, which Streamlit ignores for a widget that no longer exists
        key = f"{lesson.page}.prediction.{_short(experiment)}"
        st.radio(
            f"**{lead}:** {question}",
            prediction.options,
            index=None if choice is None else prediction.options.index(choice),
            key=key,
            horizontal=True,
            on_change=_predict,
            args=(lesson, experiment, key),
        )
        return st.container(key="prediction-answer")


def _short(experiment: Experiment) -> str:
    return hashlib.sha256(experiment.canonical_json().encode()).hexdigest()[:12]


def _differences(other: Experiment, shown: Experiment) -> str:
    """Return as text the settings of ``other`` that differ from ``shown``."""
    fields = words.flat(other)
    groups = ("regularization", "data", "model", "training")  # the lesson's subject first
    paths = sorted(words.varied([other, shown]), key=lambda p: groups.index(p.split(".")[0]))
    named = [words.phrase(path, fields[path]) for path in paths if fields.get(path) is not None]
    if len(named) < len(paths) and not named:
        named = ["other settings"]
    return ", ".join(named[:MOST_NAMED]) + (", …" if len(named) > MOST_NAMED else "")


def _answer(shown: Shown) -> None:
    """Compare the prediction for the experiment shown with its finished run."""
    lesson, experiment = shown.lesson, shown.experiment
    choice, done = predicted(lesson, experiment), shown.finished
    if choice is None:
        return
    if done is None or done[1] != lesson.lanes(experiment):
        if not shown.page_run.refused:
            st.html(layout.note("The answer comes here when the run has ended."))
        return
    frame, lanes = done
    if not lesson.prediction.may_diverge and any(lane.status == "diverged" for lane in frame.lanes):
        text = "A model diverged, so this run does not answer: take a smaller learning rate."
        st.warning(text, icon=":material/warning:")
        return
    right, measured = lesson.prediction.outcome(frame, lanes)
    options = lesson.prediction.options
    if choice == options[right]:
        st.success(layout.plain(f"As you predicted: {measured}"), icon=":material/check:")
    else:
        text = f"You predicted “{choice}”, this run shows “{options[right]}”: {measured}"
        st.info(layout.plain(text), icon=":material/lightbulb:")


def _transport(lesson: Lesson, page_run: run.PageRun, experiment: Experiment) -> Any:
    with st.container(key="transport", horizontal=True, vertical_alignment="center", gap="small"):
        run.buttons(page_run, lesson.page)
        status = st.container(key="run-status", width="content")
        with st.container(key="scrub"):
            live.scrubber(
                lesson.page,
                labels=lesson.labels_of(experiment),
                epochs=experiment.training.epochs,
            )
        compare.button(experiment)
        slides.button(lesson.page, lesson.question, lesson.labels_of(experiment), page_run.job)
    return status


def _task(
    lesson: Lesson,
    number: int,
    task: Task,
    experiment: Experiment,
    done: tuple[Frame, Lanes] | None,
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{number + 1}.** {task.words}", width="stretch")
        st.button(
            "Load this experiment",
            key=f"{lesson.page}.task.{number}",
            on_click=_load,
            args=(lesson.page, task.experiment),
        )
    if experiment == task.experiment and done is not None and done[1] == lesson.lanes(experiment):
        st.info(layout.plain(task.observed(*done)), icon=":material/visibility:")
