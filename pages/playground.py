"""The Playground: one network with and without regularization, side by side and live."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.runtime_util import MESSAGE_FLUSH_INTERVAL_SECS

from regviz import specs
from regviz.engine.engine import Job
from regviz.frames import Frame
from regviz.results import presets
from regviz.specs import Experiment, OwnDataGone, SpecError
from regviz.ui import (
    address,
    compare,
    controls,
    fragments,
    layout,
    live,
    notice,
    own_data,
    run,
    slides,
    turns,
)
from regviz.ui.verdicts import judge, reading_rows, verdict_cells

PAGE = CHANNEL = "playground"
RUN = "playground-run"
LABELS = ("no regularization", "with regularization")
MAX_UPLOAD_MB = 1
SAME = (
    "No regularization is switched on, so the two models are identical. Move a slider under "
    "Regularization and see the difference."
)
YOURS = "Your own experiment: the two models differ only in their regularization."


@dataclass(frozen=True)
class _Words:
    """The parts of the page's texts that depend on the experiment, outside controls and run."""

    preset: str | None
    regularized: bool


@dataclass
class _State:
    """The page's state in a session, beside the experiment, its controls and its run."""

    notice: str = ""
    noticed: Experiment | None = None  # the experiment that the notice is about
    preset_number: int = 0
    """Part of the key of the presets' widget; see :func:`_preset`."""
    preset: str | None = ""
    panel_first: bool = False
    """Draw the controls before the run, because the foreseen experiment was wrong."""
    words: _Words | None = None
    """The current texts; None if a moved slider must run the whole page."""
    moved: Job | None = None
    """The job that :func:`_moved` submitted without a script run of the whole page."""
    hurry: bool = False


def _state() -> _State:
    state: _State = st.session_state.setdefault(PAGE, _State())
    return state


# --- the experiment: from a link, a file, a preset or the controls ----------------------------


def _open(experiment: Experiment) -> None:
    """Show an experiment in the controls."""
    notice.clear(PAGE)
    controls.load(experiment)
    own_data.keep(experiment.data)
    st.session_state["experiment"] = experiment
    state = _state()
    state.notice, state.noticed = "", experiment


def _notify(text: str) -> None:
    """Show a message until the experiment changes."""
    state = _state()
    state.notice, state.noticed = text, _shown()


def _open_link() -> None:
    """Open the experiment in the address: on arrival, and after *Back* in the browser."""
    link = address.asked(PAGE, "e")
    if link is not None:
        try:
            _open(specs.from_link(link, own_data.kept()))
        except OwnDataGone as error:
            _open(error.rest)
            notice.say(PAGE, own_data.GONE)
        except SpecError as error:
            _open(presets.DEFAULT.experiment)
            notice.say(PAGE, f"{_sentence(error)} The default experiment is shown instead.")
    elif "experiment" not in st.session_state:
        _open(presets.DEFAULT.experiment)


def _preset(name: str | None) -> str:
    """Return the key of the presets' widget; a new key if the page itself changes its value.

    A browser that has not drawn the new value yet keeps sending the old one. Under a key that is no
    longer used, the old value does not count as the user's choice.
    """
    state = _state()
    if state.preset != name:
        state.preset_number, state.preset = state.preset_number + 1, name
    key = f"preset-{state.preset_number}"
    st.session_state[key] = name
    return key


def _open_preset() -> None:
    state = _state()
    name = st.session_state.get(f"preset-{state.preset_number}")
    if name is not None and name != state.preset:
        state.preset = name
        _open(presets.by_name(name).experiment)


def _open_upload() -> None:
    upload = st.session_state["upload"]
    if upload is None:
        return
    try:
        experiments = specs.experiments_from_json(upload.getvalue())
    except SpecError as error:
        _notify(f"{upload.name}: {error}")
        return
    shown = experiments[-1]
    if len(experiments) == 1 or experiments == _lanes(shown):
        _open(shown)
    else:
        _open(experiments[0])
        _notify(f"{upload.name} holds {len(experiments)} experiments; the first one is shown.")


def _lanes(experiment: Experiment) -> tuple[Experiment, Experiment]:
    return experiment.without_regularization(), experiment


def _sentence(error: SpecError) -> str:
    text = str(error)
    return "The " + text.removeprefix("the ") if text.startswith("the ") else text


# --- texts about a frame ----------------------------------------------------------------------


def _table(frame: Frame, experiment: Experiment) -> live.Table:
    """Return the numbers of a frame as text, one column for each lane."""
    readings, verdicts = judge(frame, experiment)
    rows = (verdict_cells(verdicts), *reading_rows(readings, objective=False))
    return live.Table(("", *LABELS), rows)


def _code(experiment: Experiment) -> None:
    """Show the run as code and as a file."""
    st.caption("Reproduce these two runs without the browser, with the same numbers:")
    if experiment.data.points is None:
        source = f"experiment = Experiment.from_dict({experiment.to_dict()!r})\n"
        uses = "from regviz import Experiment, fit\n\n"
    else:  # hundreds of points would be unreadable
        source = '(experiment,) = experiments_from_json(Path("experiment.json").read_bytes())\n'
        uses = (
            "from pathlib import Path\n\nfrom regviz import fit\n"
            "from regviz.specs import experiments_from_json\n\n"
        )
    st.code(
        f"{uses}{source}without, with_ = fit([experiment.without_regularization(), experiment])\n",
        language="python",
        wrap_lines=True,
    )
    if experiment.data.points is None:
        st.code(specs.experiments_to_json([experiment]), language="json")
    else:
        st.caption(
            "To save the experiment with its points, open Share and choose Download the experiment."
        )


# --- the page ---------------------------------------------------------------------------------


def _moved() -> None:
    """Train the experiment of a moved slider. If only the run changes, the rest of the page is not
    run again: the first frame arrives sooner, and the server has half the work."""
    controls.scope(PAGE)
    state = _state()
    before = state.words
    ahead = controls.foreseen() if before is not None and fragments.may_run_alone(RUN) else None
    if ahead is None or ahead.data.points is not None or before != _words(ahead):
        return
    st.session_state["experiment"] = ahead
    address.write(PAGE, "e", specs.to_link(ahead))
    state.moved = run.expect(_lanes(ahead)).job
    state.hurry = True
    fragments.run_alone(RUN)


def _words(experiment: Experiment) -> _Words:
    preset = presets.matching(experiment)
    return _Words(None if preset is None else preset.name, experiment.regularized)


def _shown() -> Experiment:
    experiment: Experiment = st.session_state["experiment"]
    return experiment


def _panel() -> tuple[Experiment, str]:
    """Draw the controls; return their experiment, and their error sentence or ""."""
    with st.sidebar:
        try:
            after = {"data_set": lambda: own_data.part(_open)}
            return controls.panel(after, moved=_moved), ""
        except SpecError as error:
            return _shown(), _sentence(error)


fragments.unsettle()
controls.scope(PAGE)
state = _state()
drawn = not address.arriving(PAGE) and not state.panel_first
state.panel_first = False
_open_link()
own_data.arrive(_open)
# if the controls are drawn already, the first frame does not wait for thirty of them
ahead = controls.foreseen() if drawn else None
experiment, invalid = _panel() if ahead is None else (ahead, "")
st.session_state["experiment"] = experiment
link = specs.to_link(experiment)
address.write(PAGE, "e", link)

page_run = run.expect(_lanes(experiment))
failed, refused, trained = page_run.state == "failed", page_run.refused, page_run.job
state.moved = None
choosing = False  # whether the export to slides is open
words = _words(experiment)
preset_key = _preset(words.preset)

top = st.container(
    key="top", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
)
running = st.container()
notices = st.container(key="notices")  # always drawn, so that nothing below moves
with st.container(key="words", horizontal=True, gap="small"):
    with st.container(key="verdicts"):
        if not words.regularized:
            point = SAME
        else:
            point = YOURS if words.preset is None else presets.by_name(words.preset).point
        st.html(layout.point(point))
        verdict_box = st.container(key="verdict-lines")
    view = st.container(key="view", width="content")


@fragments.fragment(key=RUN)
def _run() -> None:
    """Draw the run's buttons and all that changes during a run. Pausing, continuing, ending or
    replacing a run (:func:`_moved`) does not run the page again."""
    # the job that the page was drawn for, or the one submitted since
    job = state.moved or trained
    if run.replaced(page_run, job) or page_run.refused != refused:
        st.rerun()  # other parts of the page show the job, too
    experiment, urgent = _shown(), state.hurry
    state.hurry = False
    if urgent:
        turns.hurry()
    if page_run.state == "paused":
        run.settle(page_run)  # a step
    whole = fragments.part()
    # looked up once: what the buttons show and when they are next due must fit together
    moving, live_now = page_run.moving, page_run.state in ("queued", "running")
    with st.container(key="transport", horizontal=True, vertical_alignment="center", gap="small"):
        for label, action, icon, off in (
            ("Play", run.PLAY, ":material/play_arrow:", live_now),
            ("Pause", run.PAUSE, ":material/pause:", not live_now),
            ("Step", run.STEP, ":material/skip_next:", False),
            ("Restart", run.RESTART, ":material/replay:", False),
        ):
            st.button(
                label,
                key=f"do-{action}",
                icon=icon,
                help=run.ABOUT[action],
                on_click=run.press,
                args=(action,),
                disabled=off or job is None,
            )
        status_box = st.container(key="run-status", width="content")
        with st.container(key="scrub"):
            live.scrubber(CHANNEL, labels=LABELS, epochs=experiment.training.epochs)
    run.settle(page_run)  # wait for the first frame

    @fragments.fragment(run_every=run.every(page_run))
    def tick() -> None:
        frame, lanes = page_run.observe()
        of = lanes if job is None else job.experiments  # the table is of the job's next frames, too
        live.feed(CHANNEL, job, table=lambda shown: _table(shown, of[-1]))
        with status_box:
            st.html(layout.status(*run.status_text(page_run)))
        with verdict_box:
            st.html(_said(frame, lanes, job))
        ended = page_run.moving != moving
        if (
            run.replaced(page_run, job)
            or failed != (page_run.state == "failed")
            or (ended and choosing)
        ):
            st.rerun()
        if ended or run.crowded(page_run):
            fragments.rerun(whole)

    tick()
    if urgent:
        _send_off()


def _send_off() -> None:
    """Let the messages so far reach the browser before other sessions continue to draw."""
    # the server's event loop, which sends the messages, waits for every drawing session
    time.sleep(2 * MESSAGE_FLUSH_INTERVAL_SECS)
    turns.calm()


def _said(frame: Frame | None, lanes: tuple[Experiment, ...], job: Job | None) -> str:
    """Return the verdicts on a frame, and the job's message, as HTML."""
    if frame is None:
        return layout.note("Waiting for the first epoch.")
    _, verdicts = judge(frame, lanes[-1])
    lines = [
        layout.statement(name, v.kind, v.reason) for name, v in zip(LABELS, verdicts, strict=True)
    ]
    if job is not None and job.reason and not failed:
        lines.append(layout.note(job.reason))
    return "".join(lines)


with running:
    _run()

# after the feed, so that the first frame does not wait for unchanged parts
if ahead is None:
    turns.calm()
else:
    _send_off()
    run.let_paint()
    experiment, invalid = _panel()
    if experiment != ahead:  # the controls hold another experiment than foreseen
        state.panel_first = True
        st.rerun()

with notices:
    notice.draw(PAGE)
    opened = state.notice if state.noticed == experiment else ""
    for text in (opened, invalid, page_run.refused):
        if text:
            st.error(layout.plain(text), icon=":material/error:")
    if failed and trained is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.error(layout.plain(trained.reason), icon=":material/error:")
            st.button("Retry", icon=":material/replay:", on_click=run.press, args=(run.RESTART,))

with view:
    show_accuracy = st.toggle("Accuracy", key="show-accuracy", persist_state="session")
    log_scale = st.toggle("Log scale", key="log-scale", persist_state="session")
    difference = st.toggle("Difference", value=True, key="show-difference", persist_state="session")
with top:
    st.title("What does regularization change?", anchor=False, width="content")
    with st.container(
        key="tools", horizontal=True, vertical_alignment="center", width="content", gap="small"
    ):
        st.selectbox(
            "Preset",
            [p.name for p in presets.PRESETS],
            key=preset_key,
            placeholder="Your own experiment",
            on_change=_open_preset,
            label_visibility="collapsed",
            width=280,
        )
        compare.button(_shown)
        choosing = slides.button(CHANNEL, "With and without regularization", LABELS, trained)
        share = st.popover(
            "Share",
            icon=":material/share:",
            key="share",
            on_change="rerun",
            help="Share: a link to this experiment, or the experiment as a file",
        )
    if share.open:  # a closed popover costs the page nothing
        with share:
            if experiment.data.points is not None:
                st.caption(own_data.NO_LINK)
            else:
                st.caption(
                    "Copy this link. It opens the same experiment and gives the same result."
                )
                here = (st.context.url or "").split("?")[0].rstrip("/")
                st.code(f"{here}/?e={link}", language=None, wrap_lines=True)
            st.download_button(
                "Download the experiment",
                specs.experiments_to_json([experiment]),
                file_name="experiment.json",
                mime="application/json",
                icon=":material/download:",
                on_click="ignore",
            )
            st.file_uploader(
                "Open an experiment",
                type="json",
                key="upload",
                on_change=_open_upload,
                max_upload_size=MAX_UPLOAD_MB,
            )

live.decision_boundary(
    CHANNEL,
    labels=LABELS,
    show_difference=difference,
    **own_data.named(experiment.data),
    drawing=own_data.drawing(experiment.data),
    on_drawn=lambda drawn: own_data.take(drawn, _open),
    height=359,
)
with st.container(key="below"):
    left, middle, right = st.columns([9, 8, 7], gap="small")
    with left:
        live.loss_curves(
            CHANNEL,
            labels=LABELS,
            epochs=experiment.training.epochs,
            show_accuracy=show_accuracy,
            log_scale=log_scale,
            height=276,
        )
    with middle:
        live.weight_histogram(
            CHANNEL,
            labels=LABELS,
            layers=len(experiment.model.hidden) + 1,
            log_scale=log_scale,
            height=276,
        )
    with right:
        live.readout(CHANNEL)

# syntax highlighting costs the browser a quarter of a second at first, and more at each move of a
# slider, so a closed expander is empty
code = st.expander(
    "The experiment as code and as a file",
    key="playground-code",
    icon=":material/code:",
    on_change="rerun",
)
if code.open:
    with code:
        _code(experiment)

# open, these parts show the experiment, too; so do notices
plain = not (choosing or share.open or code.open or opened or invalid or refused or failed)
plain = plain and not notice.is_there(PAGE)
state.words = words if plain else None
fragments.settle()
