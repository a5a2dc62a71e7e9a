"""Compare: up to six configurations side by side, on the same data, with several seeds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from html import escape

import numpy as np
import streamlit as st

from regviz.engine.engine import Job
from regviz.figures import comparisons as compare_figures
from regviz.figures.comparisons import BANDS
from regviz.figures.palette import DARK, LIGHT
from regviz.frames import Frame
from regviz.nn.shapes import Shape, parameter_count
from regviz.results import comparison, metrics, presets
from regviz.results.comparison import Comparison, Scores
from regviz.specs import Experiment, SpecError, to_link
from regviz.ui import (
    address,
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

PAGE = "compare"
TICK = 0.4  # seconds between two updates: curves and histograms are sent as whole figures
MAX_UPLOAD_MB = 1
WHY_ONCE = (
    "The test set has not been used so far. Reveal it once, after you have chosen. If you look, "
    "change something and look again, you are selecting on the test set, and its best number tends "
    "to be too good by luck, as the best validation number is now."
)

# --- the comparison ----------------------------------------------------------------------------


def _notify(text: str) -> None:
    """Show a message until the comparison changes."""
    st.session_state[f"{PAGE}.notice"] = (text, compare.current())


def _do(make: Callable[[], Comparison]) -> None:
    """Change the comparison, or show why it is refused."""
    _notify(compare.change(make))


def _open_link() -> None:
    """Open the comparison in the address: on arrival, and after *Back* in the browser."""
    link = address.asked(PAGE, "c")
    if link is None:
        return
    try:
        compare.put(comparison.from_link(link))
        notice.clear(PAGE)
    except SpecError as error:
        notice.say(PAGE, f"{_sentence(error)} The previous comparison is still shown.")


def _open_upload() -> None:
    upload = st.session_state[f"{PAGE}.upload"]
    if upload is None:
        return
    seeds = compare.current().seeds
    _do(lambda: comparison.from_json(upload.getvalue(), seeds))


def _sentence(error: SpecError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] if text.startswith("the ") else text


def _rename(i: int, key: str) -> None:
    _do(lambda: compare.current().rename(i, st.session_state[key]))


def _edit(i: int | None) -> None:
    st.session_state[f"{PAGE}.editing"] = i


def _to_playground(experiment: Experiment) -> None:
    st.switch_page("pages/playground.py", query_params={"e": to_link(experiment)})


def _editor() -> str:
    """Draw the controls of the configuration being edited; return their error sentence, or ""."""
    now = compare.current()
    i = st.session_state.get(f"{PAGE}.editing")
    if i is None or i >= len(now.entries):
        return ""
    with st.sidebar:
        st.caption("Change a setting; the models train again.")
        st.session_state[f"{PAGE}.which"] = i
        st.selectbox(
            "Configuration",
            range(len(now.entries)),
            format_func=lambda k: f"{k + 1} · {now.names[k]}",
            key=f"{PAGE}.which",
            on_change=lambda: _edit(st.session_state[f"{PAGE}.which"]),
        )
        st.button("Done", icon=":material/check:", on_click=_edit, args=(None,), width="stretch")
        before = now.entries[i].experiment
        controls.scope(PAGE)
        if st.session_state.get(f"{PAGE}.in-controls") != (i, before):
            controls.load(before)
        try:
            after = controls.panel()
        except SpecError as error:
            return _sentence(error)
    st.session_state[f"{PAGE}.in-controls"] = (i, after)
    if after != before:
        compare.put(now.change(i, after))
    return ""


def _add_preset() -> None:
    name = st.session_state[f"{PAGE}.preset"]
    if name is not None:
        _do(lambda: compare.current().add(presets.by_name(name).experiment))
    st.session_state[f"{PAGE}.preset"] = None


# --- parts of the page ------------------------------------------------------------------------


def _first_seeds(job: Job, now: Comparison) -> run.Part:
    """Return the job's models of the first seed, which the boundaries and histograms show."""
    return run.Part(job, range(0, len(job.experiments), now.seeds))


def _tools(now: Comparison, link: str, job: Job | None) -> None:
    st.selectbox(
        "Add a preset",
        [p.name for p in presets.PRESETS],
        index=None,
        key=f"{PAGE}.preset",
        placeholder="Add a preset",
        on_change=_add_preset,
        label_visibility="collapsed",
        disabled=len(now.entries) >= comparison.MOST,
        width=230,
    )
    first = None if job is None else _first_seeds(job, now)
    slides.button(PAGE, "Side by side", now.names, first)
    with st.popover(
        "Share",
        icon=":material/share:",
        help="Share: a link to this comparison, or a file of it",
    ):
        if compare.has_own_data():
            st.caption("Own data does not travel in a link. The comparison's file holds it.")
        else:
            st.caption("Copy this link: it opens the same comparison with the same results.")
            here = (st.context.url or "").split("?")[0].rstrip("/")
            st.code(f"{here}?c={link}", language=None, wrap_lines=True)
        st.download_button(
            "Download the comparison",
            comparison.to_json(now),
            file_name="comparison.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.file_uploader(
            "Open a comparison",
            type="json",
            key=f"{PAGE}.upload",
            on_change=_open_upload,
            max_upload_size=MAX_UPLOAD_MB,
        )
    st.button(
        "Reset",
        icon=":material/undo:",
        help="Reset: six ways to train one network, from no regularization to several techniques "
        "together.",
        on_click=_do,
        args=(lambda: comparison.START,),
    )


def _cards(now: Comparison) -> None:
    """Draw each configuration's name above its column, with its buttons."""
    n = len(now.entries)
    st.html(
        "<style>"
        + "".join(
            f".st-key-card-{i} button {{ border-top: 4px solid "
            f"light-dark({LIGHT.lane(i)}, {DARK.lane(i)}); }}"
            for i in range(n)
        )
        + "</style>"
    )
    for i, (column, entry, name) in enumerate(
        zip(st.columns(n, gap="small"), now.entries, now.names, strict=True)
    ):
        with (
            column,
            st.container(key=f"card-{i}"),
            st.popover(layout.plain(f"{i + 1} · {name}"), width="stretch"),
        ):
            key = f"{PAGE}.name.{i}"
            st.session_state[key] = entry.name
            st.text_input(
                "Name",
                key=key,
                placeholder=name,
                max_chars=comparison.MAX_NAME,
                help="Leave it empty to use the settings that differ as the name.",
                on_change=_rename,
                args=(i, key),
            )
            acts: tuple[tuple[str, str, Callable[[], Comparison], bool], ...] = (
                (
                    "Duplicate",
                    ":material/content_copy:",
                    functools.partial(now.duplicate, i),
                    n == comparison.MOST,
                ),
                (
                    "To the left",
                    ":material/arrow_back:",
                    functools.partial(now.move, i, i - 1),
                    i == 0,
                ),
                (
                    "To the right",
                    ":material/arrow_forward:",
                    functools.partial(now.move, i, i + 1),
                    i == n - 1,
                ),
                ("Remove", ":material/delete:", functools.partial(now.remove, i), n == 1),
            )
            st.button(
                "Edit", key=f"{PAGE}.edit.{i}", icon=":material/tune:", on_click=_edit, args=(i,),
                width="stretch",
            )  # fmt: skip
            for label, icon, make, off in acts:
                st.button(
                    label, key=f"{PAGE}.{label}.{i}", icon=icon, on_click=_do, args=(make,),
                    disabled=off, width="stretch",
                )  # fmt: skip
            st.button(
                "Open in the Playground", key=f"{PAGE}.open.{i}", icon=":material/open_in_new:",
                on_click=_to_playground, args=(entry.experiment,), width="stretch",
            )  # fmt: skip


def _count(values: np.ndarray) -> str:
    """Return the mean over seeds of a count, and its range, as text."""
    if not np.isfinite(values).all():
        return "–"
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{values.mean():,.0f} ({low:,}–{high:,})"


def _ranking(shown: Comparison, seen: Scores, *, with_test: bool) -> str:
    """Return the HTML table of the configurations, ranked by validation loss."""
    head = ["", "configuration", "validation loss", "gap", "training accuracy",
            "validation accuracy", "best epoch", "exact zeros", "parameters"]  # fmt: skip
    if with_test:
        head += ["test loss", "test accuracy", "test rank"]
    test_order = seen.order("test_loss")
    rows = []
    for rank, i in enumerate(seen.order(), start=1):
        wrong = int(seen.diverged[i].sum())
        loss = comparison.written(seen.val_loss[i])
        if wrong:
            loss = f"diverged ({wrong} of {shown.seeds})" if shown.seeds > 1 else "diverged"
        row = [
            str(rank),
            shown.names[i],
            loss,
            metrics.points(float(seen.gap[i].mean())),
            metrics.percent(float(seen.train_accuracy[i].mean())),
            metrics.percent(float(seen.val_accuracy[i].mean())),
            _count(seen.best_epoch[i]),
            _count(seen.zeros[i]),
            f"{parameter_count(Shape.of(shown.experiments[i])):,}",
        ]
        if with_test:
            row += [
                comparison.written(seen.test_loss[i]),
                metrics.percent(float(seen.test_accuracy[i].mean())),
                str(test_order.index(i) + 1),
            ]
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        color = f"light-dark({LIGHT.lane(i)}, {DARK.lane(i)})"
        rows.append(f'<tr style="--lane: {color}">{cells}</tr>')
    title = "".join(f"<th>{escape(text)}</th>" for text in head)
    return (
        f'<table class="rv-ranking"><thead><tr>{title}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _over_panels(now: Comparison) -> tuple[str, ...]:
    """Return the title of each boundary; in narrow panels only the number for a model that restores
    its best epoch, because the panel adds that epoch."""
    labels = []
    for i, (e, name) in enumerate(zip(now.experiments, now.names, strict=True), start=1):
        rule = e.regularization.early_stopping
        goes_back = rule is not None and rule.restore_best_weights
        room = 40 if len(now.names) < 4 else 24
        labels.append(
            f"{i}" if goes_back and room < 30 else compare_figures.short(f"{i} · {name}", room)
        )
    return tuple(labels)


def _of(lanes: tuple[Experiment, ...], now: Comparison) -> Comparison | None:
    """Return the comparison of these lanes, which is the current or the previous one, or None."""
    if lanes == now.lanes:
        st.session_state[f"{PAGE}.shown"] = now
        return now
    kept: Comparison | None = st.session_state.get(f"{PAGE}.shown")
    return kept if kept is not None and kept.lanes == lanes else None


@functools.lru_cache(maxsize=16)
def _empty(names: tuple[str, ...], height: int) -> tuple[str, str]:
    light, dark = (compare_figures.empty(names, p, height=height).to_json() for p in (LIGHT, DARK))
    return light, dark


# --- the page ---------------------------------------------------------------------------------

layout.within_app()
_open_link()
invalid = _editor()
now = compare.current()
link = comparison.to_link(now)
address.write(PAGE, "c", link)
page_run = run.follow(now.lanes, PAGE)
moving, state = page_run.moving, page_run.state
fits = page_run.lanes == now.lanes  # False if the run was refused

with st.container(
    key="top", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
):
    st.title("Which one is best, and is it luck?", anchor=False, width="content")
    with st.container(
        key="tools", horizontal=True, vertical_alignment="center", width="content", gap="small"
    ):
        _tools(now, link, page_run.job if fits else None)
with st.container(key="transport", horizontal=True, vertical_alignment="center", gap="small"):
    run.buttons(page_run, PAGE)
    status_box = st.container(key="run-status", width="content")
    with st.container(key="scrub"):
        live.scrubber(
            PAGE, labels=now.names, epochs=max(e.training.epochs for e in now.experiments)
        )
with st.container(key="notices"):
    notice.draw(PAGE)
    message, noticed = st.session_state.get(f"{PAGE}.notice", ("", None))
    for text in (message if noticed == now else "", invalid, page_run.refused):
        if text:
            st.error(layout.plain(text), icon=":material/error:")
    if now.apart:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(layout.plain(now.conditions), icon=":material/warning:")
            st.button(
                f"Use the data and seed of “{layout.plain(now.names[0])}” for all",
                key=f"{PAGE}.alike",
                on_click=_do,
                args=(now.alike,),
            )
    if state == "failed" and page_run.job is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.error(layout.plain(page_run.job.reason), icon=":material/error:")
            st.button(
                "Retry", icon=":material/replay:", on_click=run.press, args=(run.RESTART, PAGE)
            )
with st.container(key="words", horizontal=True, gap="medium", vertical_alignment="center"):
    with st.container():
        point_box = st.container(key="verdict-lines")
        if not now.apart:
            st.html(layout.note(now.conditions))
    with st.container(key="compare-view", horizontal=True, width="content", gap="medium"):
        st.session_state[f"{PAGE}.seeds"] = now.seeds
        st.slider(
            "Seeds",
            1,
            comparison.MAX_SEEDS,
            key=f"{PAGE}.seeds",
            help="Each configuration is trained this many times, with different initial "
            "weights, batches and masks.",
            on_change=lambda: _do(
                lambda: Comparison(compare.current().entries, st.session_state[f"{PAGE}.seeds"])
            ),
            width=150,
        )
        band = st.segmented_control(
            "Band",
            list(BANDS),
            default="range",
            required=True,
            format_func=lambda name: BANDS[name],
            key=f"{PAGE}.band",
            persist_state="session",
            disabled=now.seeds == 1,
        )
        with st.container(key="view", width="content"):
            show_accuracy = st.toggle("Accuracy", key=f"{PAGE}.accuracy", persist_state="session")
            log_scale = st.toggle("Log scale", key=f"{PAGE}.log", persist_state="session")
with st.container(key="compare-cards"):
    _cards(now)
live.decision_boundary(
    PAGE,
    labels=_over_panels(now),
    show_difference=False,
    **own_data.named(*(e.data for e in now.experiments)),
    height=400,
)
live.figure(
    PAGE, key="loss-curves", name="curves", height=compare_figures.CURVES_HEIGHT,
    skeleton=_empty(now.names, compare_figures.CURVES_HEIGHT), follows="epoch",
)  # fmt: skip
live.figure(
    PAGE, key="weight-histogram", name="weights", height=compare_figures.HISTOGRAM_HEIGHT,
    skeleton=_empty(now.names, compare_figures.HISTOGRAM_HEIGHT), follows="weights",
)  # fmt: skip


def _pictures(frame: Frame, of: Comparison) -> dict[str, tuple[str, str]]:
    """Return a frame's curves and histograms by name, in the theme shown only, because a change of
    theme runs the page again."""
    colors = charts.palette()
    curves = compare_figures.curves(
        frame.lanes,
        of.names,
        colors,
        band=band or "range",
        epochs=max(e.training.epochs for e in of.experiments),
        show_accuracy=show_accuracy,
        log_scale=log_scale,
    ).to_json()
    weights = compare_figures.histograms(
        frame.lanes[:: of.seeds], of.names, colors, log_scale=log_scale
    ).to_json()
    return {"curves": (curves, curves), "weights": (weights, weights)}


@fragments.fragment(run_every=run.every(page_run, least=TICK))
def _tick() -> None:
    """Update all that changes during a run; run the whole page again at its end."""
    frame, lanes = page_run.observe()
    of = _of(lanes, now)
    with status_box:
        st.html(layout.status(*run.status_text(page_run)))
    known = frame is not None and frame.epoch > 0 and of is not None
    if known:
        assert frame is not None
        assert of is not None
        seen = comparison.scores(of, frame)
        with point_box:
            st.html(layout.point(comparison.said(of, seen)))
        live.feed_figures(PAGE, _pictures(frame, of))
        open_now = frame.done and compare.is_revealed(of) and not compare.has_own_data()
        st.html(_ranking(of, seen, with_test=open_now))
        if open_now:
            st.html(layout.point(comparison.holds(of, seen)))
    else:
        with point_box:
            st.html(layout.note("" if page_run.refused else "Waiting for the first epoch."))
        live.feed_figures(PAGE, {})
    job = page_run.job if fits else None
    first = None if job is None else _first_seeds(job, now)
    live.feed(PAGE, first, run=f"{id(job):x}", pooled=True)
    if run.outdated(page_run, moving):
        st.rerun()


_tick()
with st.container(key="test-set", horizontal=True, vertical_alignment="center", gap="medium"):
    before = compare.looks_before(now)
    if compare.has_own_data():
        st.html(
            layout.note("Own data has no test set: every point is used for training or validation.")
        )
    elif not compare.is_revealed(now):
        text = WHY_ONCE
        if before:
            text = (
                f"You have already seen the test set of these data for {before} other "
                f"comparison{'s' if before > 1 else ''}. If you choose by it, you are selecting on "
                "the test set. For an unbiased number, first give all configurations another data "
                "seed."
            )
        st.button(
            "Reveal the test set",
            icon=":material/lock_open:",
            on_click=compare.reveal,
            args=(now,),
            disabled=state != "finished" or not fits,
        )
        st.html(layout.note(text))
    else:
        st.html(
            layout.note(
                "The test set is revealed: points that were not used for training or selection "
                "(for generated data, a thousand new points). "
                + (
                    "You had looked at it before."
                    if before
                    else "If you now change something because of it, you are selecting on the test "
                    "set."
                )
            )
        )
with st.expander("The comparison as code and as a file", icon=":material/code:"):
    st.caption(
        "The same runs without the browser, with identical numbers. The downloaded file also works "
        "with `python -m regviz run`."
    )
    listed = ",\n    ".join(
        f"Experiment.from_dict({e.to_dict()!r})"
        if e.data.points is None
        else f'experiments_from_json(Path("comparison.json").read_bytes())[{i}]'
        for i, e in enumerate(now.lanes[:: now.seeds])
    )
    uses = ""
    if compare.has_own_data():
        uses = "from pathlib import Path\n\nfrom regviz.specs import experiments_from_json\n"
    st.code(
        f"{uses}from regviz import Experiment, fit\n\nconfigurations = [\n    {listed},\n]\n"
        'results = fit([\n    e.replace("training.seed", e.training.seed + k)\n'
        f"    for e in configurations\n    for k in range({now.seeds})\n])\n",
        language="python",
        wrap_lines=True,
    )
