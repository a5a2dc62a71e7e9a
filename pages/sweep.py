"""Sweep: one or two fields over a range, all values trained at once, with a scrubber over them."""

from __future__ import annotations

import functools
from typing import Any

import streamlit as st

from regviz import specs
from regviz.figures import sweeps as sweep_figures
from regviz.figures.palette import DARK, LIGHT
from regviz.frames import Frame
from regviz.frames.messages import Cell, pack_sweep
from regviz.results import metrics, sweeps
from regviz.results.sweeps import FIELDS, MEASURES, Axis, Outcome, Sweep
from regviz.slides import SWEEP, words
from regviz.slides import sweep as sweep_slide
from regviz.specs import Experiment, SpecError
from regviz.specs.text import compact
from regviz.ui import (
    charts,
    compare,
    controls,
    fragments,
    layout,
    live,
    notice,
    own_data,
    run,
    slides,
)
from regviz.ui.verdicts import loss_text

PAGE = "sweep"
LOOK = "sweep-look"  # channel of the charts under the scrubber
START = Experiment.from_dict(
    {
        "data": {"n_samples": 300, "noise": 0.3},
        "model": {"hidden": [32, 32]},
        "training": {"lr": 0.01, "epochs": 200},
    }
)
CONTROLS = (
    "data_set", "samples", "noise", "label_noise", "irrelevant_features", "hidden_layers", "units",
    "activation", "dropout", "l1", "l2", "weight_decay", "optimizer", "lr", "batch_size", "epochs",
    "seed",
)  # fmt: skip
NO_SECOND = "none"
L2, DECAY, DROPOUT, RATE = (
    "regularization.l2", "regularization.weight_decay", "regularization.dropout", "training.lr",
)  # fmt: skip
Range = tuple[str, float, float, int]
PRESETS: dict[str, tuple[Experiment, tuple[Range, ...], int]] = {
    "L2 λ, 21 values": (START, ((L2, 1e-5, 1.0, 21),), 1),
    "L2 λ × dropout p, 8 × 8": (START, ((L2, 1e-5, 1.0, 8), (DROPOUT, 0.0, 0.7, 8)), 1),
    "Dropout p, 5 seeds": (START, ((DROPOUT, 0.0, 0.9, 10),), 5),
    "Weight decay: the course's grid": (
        START.replace("training.optimizer", "adamw"),
        ((DECAY, 1e-6, 1e-2, 6),),
        3,
    ),
    "Learning rate × L2 λ": (START, ((RATE, 1e-3, 1.0, 7), (L2, 1e-5, 1.0, 8)), 1),
    "Label noise × dropout p": (
        START,
        (("data.label_noise", 0.0, 0.4, 5), (DROPOUT, 0.0, 0.8, 9)),
        1,
    ),
}
SUGGESTED = (21, 8)  # default number of values of a field: alone, and in a plane


# --- the sweep --------------------------------------------------------------------------------


def _show(base: Experiment, ranges: tuple[Range, ...], seeds: int) -> None:
    """Put a sweep into the controls."""
    controls.scope(PAGE)
    controls.load(base)
    fields = [path for path, *_ in ranges]
    state: dict[str, Any] = {"seeds": seeds, "field": fields[0]}
    state["second"] = fields[1] if len(ranges) > 1 else NO_SECOND
    for i, (path, low, high, count) in enumerate(ranges):
        state |= {f"ends.{i}.{path}": (float(low), float(high)), f"count.{i}.{path}": count}
    st.session_state[f"{PAGE}.asked"] = state
    for key in [str(k) for k in st.session_state]:
        if key.startswith(f"{PAGE}.w."):
            del st.session_state[key]


def _asked() -> dict[str, Any]:
    """Return the values of the sweep's controls, which are kept while another page is shown."""
    asked: dict[str, Any] = st.session_state[f"{PAGE}.asked"]
    return asked


def _widget(name: str) -> str:
    """Return the key of a control, after reading its change or else writing its value: a browser
    keeps a widget's value until the server sends another one."""
    key = f"{PAGE}.w.{name}"
    if key in st.session_state:
        _asked()[name] = st.session_state[key]
    else:
        st.session_state[key] = _asked()[name]
    return key


def _range(i: int, path: str, alone: bool) -> Axis:
    """Draw the range of one field and return its values."""
    field, asked = FIELDS[path], _asked()
    ends, count = f"ends.{i}.{path}", f"count.{i}.{path}"
    asked.setdefault(ends, (float(field.low), float(field.high)))
    asked.setdefault(count, SUGGESTED[not alone])
    most = sweeps.MAX_VALUES if alone else sweeps.MAX_SIDE
    if asked[count] > most:
        asked[count] = most
        st.session_state.pop(f"{PAGE}.w.{count}", None)
    stops = sorted({*field.stops, *asked[ends]})
    asked[ends] = st.select_slider(
        f"{field.label}, from and to",
        stops,
        asked[ends],
        format_func=compact,
        key=_widget(ends),
        help="Evenly spaced on a log scale; 0 is added as the first value." if field.zero else None,
    )
    asked[count] = st.slider(
        f"Number of values of {field.label}", 2, most, asked[count], key=_widget(count)
    )
    low, high = asked[ends]
    return sweeps.spread(path, low, high, asked[count])


def _sweep_controls() -> tuple[tuple[Axis, ...], int]:
    asked = _asked()
    paths = list(FIELDS)
    keys = {name: _widget(name) for name in ("field", "second", "seeds")}
    if asked["second"] == asked["field"]:
        asked["second"] = st.session_state[keys["second"]] = NO_SECOND
    asked["field"] = st.selectbox(
        "Parameter",
        paths,
        paths.index(asked["field"]),
        format_func=lambda p: FIELDS[p].label,
        key=keys["field"],
        help="What the sweep varies. Each value trains one model; all models train at once.",
    )
    others = [NO_SECOND, *(p for p in paths if p != asked["field"])]
    ranges = st.container()
    asked["second"] = st.selectbox(
        "Second parameter",
        others,
        others.index(asked["second"]),
        format_func=lambda p: p if p == NO_SECOND else FIELDS[p].label,
        key=keys["second"],
        help="With a second parameter the sweep becomes a heat map.",
    )
    alone = asked["second"] == NO_SECOND
    axes = []
    with ranges:
        axes.append(_range(0, asked["field"], alone))
    if not alone:
        axes.append(_range(1, asked["second"], alone))
    asked["seeds"] = st.slider(
        "Seeds",
        1,
        sweeps.MAX_SEEDS,
        asked["seeds"],
        key=keys["seeds"],
        help="Each cell is trained this many times, with different initial weights, batches and "
        "masks.",
    )
    return tuple(axes), asked["seeds"]


def _open_preset() -> None:
    name = st.session_state[f"{PAGE}.preset"]
    if name is not None:
        _show(*PRESETS[name])


def _open_link() -> None:
    """Open the sweep in the address on arrival; without an address, the first preset.

    ``e`` is the base experiment, ``over`` one ``path~low~high~count`` per field.
    """
    if f"{PAGE}.asked" in st.session_state:
        return
    base, ranges, seeds = next(iter(PRESETS.values()))
    try:
        if "e" in st.query_params:
            base = specs.from_link(st.query_params["e"])
        over = st.query_params.get_all("over")[:2]
        if over:
            ranges = tuple(_read_range(text) for text in over)
        seeds = _whole("seeds", st.query_params.get("seeds", str(seeds)))
    except SpecError as error:
        notice.say(PAGE, f"{error} The default sweep is shown instead.")
        base, ranges, seeds = next(iter(PRESETS.values()))
    _show(base, ranges, seeds)


def _read_range(text: str) -> Range:
    try:
        path, low, high, count = text.split("~")
        ends = float(low), float(high)
    except ValueError:
        raise SpecError(f"over: got {text[:60]!r}; give FIELD~FROM~TO~COUNT.") from None
    sweeps.spread(path, *ends, _whole("over", count))
    return path, *ends, int(count)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise SpecError(f"{name}: got {text[:20]!r}; give a whole number.")
    return min(max(int(text), 1), sweeps.MAX_SEEDS) if name == "seeds" else int(text)


def _write_link(base: Experiment, axes: tuple[Axis, ...], seeds: int) -> None:
    asked = _asked()
    over = []
    for i, axis in enumerate(axes):
        low, high = asked[f"ends.{i}.{axis.path}"]
        count = asked[f"count.{i}.{axis.path}"]
        over.append(f"{axis.path}~{low:g}~{high:g}~{count}")
    st.query_params.from_dict({"e": specs.to_link(base), "over": over, "seeds": str(seeds)})


# --- texts -------------------------------------------------------------------------------------


def _message(
    sweep: Sweep, row: tuple[int, ...], start: int, labels: tuple[str, ...], frame: Frame
) -> bytes:
    """Return the message of one row of the sweep: each value's model beside the first cell's."""
    name = f"{PAGE}.message"
    known = st.session_state.get(name)
    if known is not None and known[0] is frame and known[1] == row:
        packed: bytes = known[2]
        return packed
    axis = sweep.axes[-1]
    reference = sweep.lane([0] * len(sweep.axes))
    pairs = [
        sweeps.one_lane(frame, [reference, sweep.lane((*row, i))]) for i in range(len(axis.values))
    ]
    message = pack_sweep(
        LOOK,
        f"{hash((sweep, row)) & 0xFFFFFFFF:08x}",
        pairs,
        values=axis.texts,
        name=axis.label,
        table=lambda pair: _table(pair, labels),
        start=start,
        files=[words.run_name(PAGE, [sweep.at((*row, i))]) for i in range(len(axis.values))],
    )
    st.session_state[name] = (frame, row, message)
    return message


def _table(frame: Frame, labels: tuple[str, ...]) -> live.Table:
    readings = [metrics.read(lane) for lane in frame.lanes]
    rows: list[tuple[Cell, ...]] = [
        ("Training accuracy", *(metrics.percent(r.train_accuracy) for r in readings)),
        ("Validation accuracy", *(metrics.percent(r.val_accuracy) for r in readings)),
        ("Gap", *(metrics.points(r.gap) for r in readings)),
        ("Training loss", *(loss_text(r.train_loss) for r in readings)),
        ("Validation loss", *(loss_text(r.val_loss) for r in readings)),
        ("Exact zeros", *(f"{r.zeros:,} / {r.weights:,}" for r in readings)),
        ("Best epoch", *(str(r.best_epoch or "–") for r in readings)),
    ]
    return live.Table(("", *labels), tuple(rows))


def _pictures(sweep: Sweep, seen: Outcome | None, measure: str) -> tuple[Any, Any]:
    draw = sweep_figures.validation_curve if len(sweep.axes) == 1 else sweep_figures.plane
    both = [draw(sweep, seen, measure, palette) for palette in (LIGHT, DARK)]
    sentence = "" if seen is None else sweeps.sentence(sweep, seen)
    file = words.stem(PAGE, measure, sweep.name, words.caption(sweep.experiments))
    for figure in both:
        figure.update_layout(meta={"file": file, "alt": sentence})
    return both[0], both[1]


def _clicked(point: dict[str, Any]) -> None:
    """Store the clicked cell; the next run of the page opens it in the Playground."""
    st.session_state[f"{PAGE}.clicked"] = point


def _cell_of(sweep: Sweep, point: dict[str, Any]) -> tuple[int, ...] | None:
    places = (point.get("x"),) if len(sweep.axes) == 1 else (point.get("y"), point.get("x"))
    if not all(isinstance(p, int | float) for p in places):
        return None
    cell = tuple(round(float(p)) for p in places if p is not None)
    inside = all(0 <= i < n for i, n in zip(cell, sweep.shape, strict=False))
    return cell if inside else None


# --- the page ----------------------------------------------------------------------------------

layout.within_app()
charts.begin(PAGE)
controls.scope(PAGE)
_open_link()
invalid = ""
kept = st.session_state.get(f"{PAGE}.sweep")
with st.sidebar:
    try:
        with st.expander("Sweep", expanded=True, key="group-sweep"):
            axes, seeds = _sweep_controls()
        with st.expander("Experiment", expanded=True, key="group-experiment"):
            base = controls.some(CONTROLS)
        sweep = Sweep(base, axes, seeds)
        sweep.experiments  # noqa: B018  raises if the values do not fit the base
        _write_link(base, axes, seeds)
    except SpecError as error:
        if kept is None:  # the parts of the link do not fit together
            _show(*next(iter(PRESETS.values())))
            notice.say(PAGE, f"{error} The default sweep is shown instead.")
            st.rerun()
        sweep, invalid = kept, str(error)
st.session_state[f"{PAGE}.sweep"] = sweep

clicked = st.session_state.pop(f"{PAGE}.clicked", None)
cell = None if clicked is None else _cell_of(sweep, clicked)
if cell is not None:
    st.switch_page("pages/playground.py", query_params={"e": specs.to_link(sweep.at(cell))})

page_run = run.follow(sweep.experiments, PAGE)
moving, state, job = page_run.moving, page_run.state, page_run.job
plane = len(sweep.axes) == 2

with st.container(
    key="top", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
):
    st.title("How much regularization is enough?", anchor=False, width="content")
    st.selectbox(
        "Preset",
        list(PRESETS),
        index=None,
        key=f"{PAGE}.preset",
        placeholder="Ready-made sweeps",
        on_change=_open_preset,
        label_visibility="collapsed",
        width=300,
    )
with st.container(key="transport", horizontal=True, vertical_alignment="center", gap="small"):
    run.buttons(page_run, PAGE, step=False)
    status_box = st.container(key="run-status", width="content")
    measure = st.segmented_control(
        "Measure",
        list(MEASURES),
        default="val_loss",
        format_func=MEASURES.__getitem__,
        key=f"{PAGE}.measure",
        label_visibility="collapsed",
        required=True,
    )
    slides_box = st.container(key="sweep-slides", width="content")
with st.container(key="notices"):
    notice.draw(PAGE)
    for text in (invalid, page_run.refused):
        if text:
            st.error(layout.plain(text), icon=":material/error:")
    if state == "failed" and job is not None:
        st.error(layout.plain(job.reason), icon=":material/error:")
        st.button("Retry", icon=":material/replay:", on_click=run.press, args=(run.RESTART, PAGE))
point_box = st.container(key="verdict-lines")
live.figure(
    PAGE,
    key="sweep-figure",
    name="sweep",
    height=430 if plane else 370,
    skeleton=_pictures(sweep, None, measure),
    on_click=_clicked,
)
st.caption("Each point is one trained model; click to open it in the Playground.")


@fragments.fragment(run_every=run.every(page_run, least=2 * run.TICK))
def _tick() -> None:
    frame, lanes = page_run.observe()
    with status_box:
        st.html(layout.status(*run.status_text(page_run)))
    fits = frame is not None and lanes == sweep.experiments
    seen = sweeps.outcome(sweep, frame) if fits and frame is not None and frame.epoch else None
    with point_box:
        if seen is None:
            st.html(layout.note(f"{len(sweep.experiments)} models are about to train."))
        else:
            st.html(layout.point(sweeps.sentence(sweep, seen)))
    live.feed_figures(PAGE, {"sweep": _pictures(sweep, seen, measure)})
    if run.outdated(page_run, moving):
        st.rerun()


_tick()

# --- one value after the other, in the browser --------------------------------------------------

ended = job is not None and (
    job.state == "finished" or (job.state == "cancelled" and page_run.kept)
)
frame, lanes = page_run.observe()
if ended and lanes == sweep.experiments and frame is not None and frame.epoch:
    if not frame.done:
        text = (
            f"Cancelled in epoch {frame.epoch} of {frame.epochs}; the results are from that epoch."
        )
        st.html(layout.note(text))
    seen = sweeps.outcome(sweep, frame)
    best = seen.best() or tuple(0 for _ in sweep.axes)
    scrubbed = sweep.axes[-1]
    row: tuple[int, ...] = ()
    if plane:
        first = sweep.axes[0]
        row = (
            st.select_slider(
                f"{first.label} in the plots below",
                range(len(first.values)),
                best[0],
                format_func=lambda i: first.texts[i],
                key=f"{PAGE}.row.{hash(sweep)}",  # another sweep starts at its best value
            ),
        )
    labels = (f"{scrubbed.label} = {scrubbed.texts[0]}", "selected")
    if plane:
        zero = all(axis.values[0] == 0 for axis in sweep.axes)
        labels = ("both at 0" if zero else "both at their first value", "selected")
    live.sweep_feed(LOOK, _message(sweep, row, best[-1], labels, frame))
    live.scrubber(
        LOOK,
        labels=labels,
        epochs=sweep.base.training.epochs,
        values=scrubbed.texts,
        name=scrubbed.label,
    )
    live.decision_boundary(
        LOOK, labels=labels, height=362, **own_data.named(sweep.base.data) | {"classes": None}
    )
    left, middle, right = st.columns([9, 8, 7], gap="small")
    with left:
        live.loss_curves(LOOK, labels=labels, epochs=sweep.base.training.epochs, height=305)
    with middle:
        live.weight_histogram(
            LOOK, labels=labels, layers=len(sweep.base.model.hidden) + 1, height=305
        )
    with right:
        live.readout(LOOK)

    with st.container(horizontal=True, key="sweep-tools", vertical_alignment="center"):
        st.caption("The best model:")
        compare.button(sweep.at(best))
        pair = (
            None if job is None else run.Part(job, [sweep.lane([0] * len(best)), sweep.lane(best)])
        )
        chart = functools.partial(sweep_slide.chart, sweep, seen, measure)
        charts.offer(
            SWEEP,
            charts.Offer(
                sweep_slide.title(sweep, measure), sweep_slide.caption(sweep, seen), chart
            ),
        )
        title = f"{sweep.name}: first and best model"
        with slides_box:
            slides.button(PAGE, title, ("first", "best"), pair, (SWEEP,))
    with st.expander("The sweep as a file and as a command", icon=":material/code:"):
        st.download_button(
            "Download the table",
            sweeps.to_csv(sweep, seen),
            file_name="sweep.csv",
            mime="text/csv",
            icon=":material/download:",
            help="A CSV file: one row for each trained model.",
            on_click="ignore",
        )
        st.download_button(
            "Download the base experiment",
            specs.experiments_to_json([sweep.base]),
            file_name="experiment.json",
            mime="application/json",
            icon=":material/download:",
            help="A JSON file for the command below.",
            on_click="ignore",
        )
        st.caption("Train the same models without the browser, with identical numbers:")
        st.code(sweep.command, language="bash", wrap_lines=True)
