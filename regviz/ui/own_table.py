"""A table on a page: it is read, previewed, its inputs and its label are chosen, and it is used.

Reading is another process's (:mod:`regviz.tables.process`). What was read stays in the session's
memory, so that other columns can be chosen, and goes with the session.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import streamlit as st

from regviz.data import own as own_data
from regviz.data.own import EXAMPLE
from regviz.specs import DataSpec, Experiment, SpecError
from regviz.tables import DECIMALS, Sheet, choice, in_lines, labels, process, suggest
from regviz.ui import layout

MAX_UPLOAD_MB = 1
ENDINGS = ["csv", "txt", "tsv", "xlsx", "ods"]
BOX = "own-data"
"""Key of the part of the panel that own data come in by."""
ALL, TWO = "All of them at once", "Two classes"
_ALL = (
    "All at once: each label is a class, and the picture shows the most probable class at each "
    "place. Two classes: the picture shows P(class 1)."
)
_TELL = (
    "This label becomes class 1; all others, or the one beside it, become class 0, and rows with "
    "neither are left out."
)
_DROP, _REFUSE = "Leave out", "Refuse the table"
_MERGE = "Labels that differ only by capitals or spaces, or are one number, are one"
_READING = "own-data.reading"  # what is to be read
_READ = "own-data.read"
_ARRIVED = "own-data.arrived"
_SAID = "own-data.said"
_REFUSED = "own-data.refused"
_UPLOAD, _PASTED = "own-data.upload", "own-data.pasted"
_PREVIEWED = 4
"""Rows of a preview."""

Open = Callable[[Experiment], None]


@dataclass(frozen=True)
class _Chosen:
    """What somebody chose of a table."""

    inputs: tuple[str, ...]
    label: str
    drop: bool = False
    merge: bool = True
    pair: tuple[str, str | None] | None = None


@dataclass(frozen=True)
class _Brought:
    """A file or a pasted text, how it is to be read, and what was read."""

    name: str
    content: bytes | str
    decimal: str | None = None
    wanted: str | None = None  # of a workbook's sheets
    sheet: Sheet | None = None
    chosen: _Chosen | None = None
    mark: str = ""  # fingerprint of the data that were made of it
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def refuse(text: str) -> None:
    """Show a sentence as long as the part of the panel is open."""
    st.session_state[_REFUSED] = text


def forget() -> None:
    """Forget the sentence that was shown."""
    st.session_state.pop(_REFUSED, None)


def arrive(open: Open) -> None:
    """Show what was made of a table; called before the controls are drawn."""
    experiment, stays_open = st.session_state.pop(_ARRIVED, (None, False))
    if experiment is not None:
        # what there is to see now lies beside it, unless there is something to choose
        st.session_state[BOX] = stays_open
        open(experiment)


def notes(data: DataSpec) -> tuple[str, ...]:
    """Return what was said of the table that became these data."""
    said, of = st.session_state.get(_SAID, ((), ""))
    return tuple(said) if of == data.fingerprint else ()


def change_button(data: DataSpec) -> None:
    """Draw the button that opens the choice of columns, where these data are a table's."""
    brought: _Brought | None = st.session_state.get(_READ)
    if brought is None or brought.sheet is None or brought.mark != data.fingerprint:
        return
    if not st.session_state.get(BOX):  # where it is open, the choice is there already
        st.button("Change columns", icon=":material/tune:", on_click=_open_box)


def _open_box() -> None:
    st.session_state[BOX] = True


def is_pending() -> bool:
    """Whether a table is to be read."""
    return _READING in st.session_state


def part(about: str, open: Open) -> None:
    """Draw where a table comes in, and what can be chosen of the one that did.

    Parameters
    ----------
    about
        What own data are, in a few sentences.
    open
        Shows an experiment.
    """
    refused = st.session_state.pop(_REFUSED, "")
    st.caption(about)
    if is_pending():
        name = st.session_state[_READING].name
        with st.spinner(f"Reading {layout.plain(name)} …"):
            _read()
        st.rerun()
    if refused:
        st.session_state[_REFUSED] = refused  # as long as this is open
        st.error(layout.plain(refused), icon=":material/error:")
    brought: _Brought | None = st.session_state.get(_READ)
    if brought is not None and brought.sheet is not None:
        _choose(brought, brought.sheet, open)
    st.file_uploader(
        "Table file",
        type=ENDINGS,
        key=_UPLOAD,
        on_change=_from_file,
        max_upload_size=MAX_UPLOAD_MB,
    )
    st.text_area(
        "Or paste a table",
        key=_PASTED,
        height=110,
        placeholder="\n".join(EXAMPLE.splitlines()[:4]),
    )
    with st.container(horizontal=True, gap="small"):
        st.button("Use the pasted table", icon=":material/content_paste_go:", on_click=_from_text)
        st.download_button(
            "Example",
            EXAMPLE,
            file_name="example.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


# --- reading ------------------------------------------------------------------------------------


def _from_file() -> None:
    upload = st.session_state[_UPLOAD]
    if upload is not None:
        _bring(_Brought(upload.name, upload.getvalue()))


def _from_text() -> None:
    _bring(_Brought("The pasted table", st.session_state[_PASTED] or ""))


def _bring(brought: _Brought) -> None:
    st.session_state.pop(_REFUSED, None)
    st.session_state[_READING] = brought


def _read() -> None:
    """Read what is to be read, and use it where nothing need be asked."""
    brought: _Brought = st.session_state[_READING]
    try:
        sheet = process.read(brought.content, decimal=brought.decimal, sheet=brought.wanted)
    except SpecError as error:
        before: _Brought | None = st.session_state.get(_READ)
        if before is None or before.content != brought.content:  # else another sheet was chosen
            st.session_state.pop(_READ, None)
        _refuse(brought, error)
    else:
        brought = replace(brought, sheet=sheet)
        st.session_state[_READ] = brought
        _use(brought, sheet, None)
    st.session_state.pop(_READING, None)


def _refuse(brought: _Brought, error: SpecError) -> None:
    plain = re.sub(r" \(--[^)]*\)", "", str(error))  # options of the command line
    st.session_state[_REFUSED] = f"{brought.name}: {plain}"


def _use(brought: _Brought, sheet: Sheet, chosen: _Chosen | None) -> None:
    """Make an experiment of a table, to be shown with the next run of the page."""
    shown: Experiment = st.session_state["experiment"]
    try:
        table = choice.choose(
            sheet,
            inputs=None if chosen is None else chosen.inputs,
            label=None if chosen is None else chosen.label,
            missing="drop" if chosen is not None and chosen.drop else "refuse",
            merge=chosen is None or chosen.merge,
            pair=None if chosen is None else chosen.pair,
        )
        data = table.data(shown.data)
        experiment = Experiment(data, shown.model, shown.regularization, shown.training)
    except SpecError as error:
        if chosen is not None:
            st.session_state[_READ] = replace(brought, chosen=chosen)
        _refuse(brought, error)
        return
    st.session_state.pop(_REFUSED, None)
    st.session_state[_READ] = replace(
        brought,
        chosen=chosen or _Chosen(table.inputs, table.label),
        mark=data.fingerprint,
    )
    st.session_state[_SAID] = (table.notes, data.fingerprint)
    st.session_state[_ARRIVED] = experiment, chosen is None and _is_choice(sheet, table)


def _is_choice(sheet: Sheet, table: choice.Table) -> bool:
    return (
        len(suggest.offered(sheet)) > 2
        or len(sheet.columns) > 3
        or len(table.classes) > 2
        or len(sheet.sheets) > 1
        or labels.has_spellings(sheet.column(table.label))
    )


# --- choosing -----------------------------------------------------------------------------------


def _choose(brought: _Brought, sheet: Sheet, open: Open) -> None:
    """Draw the choice of inputs, label and all that a table leaves open."""

    def key(name: str) -> str:
        return f"own-data.{name}.{brought.id}"

    rows = len(sheet.lines)
    st.markdown(f"**{layout.plain(brought.name)}**: {rows:,} rows, {len(sheet.columns)} columns.")
    found = brought.chosen or _suggested(sheet)
    if len(sheet.sheets) > 1:
        st.selectbox(
            "Sheet",
            sheet.sheets,
            index=sheet.sheets.index(sheet.sheet),
            key=key("sheet"),
            on_change=_read_again,
            args=(brought, key("sheet"), key("decimal")),
        )
    if brought.decimal is not None or any(column.question for column in sheet.columns):
        st.segmented_control(
            "Decimal sign",
            DECIMALS,
            default=brought.decimal,
            format_func=lambda sign: "point: 1.5" if sign == "." else "comma: 1,5",
            key=key("decimal"),
            on_change=_read_again,
            args=(brought, key("sheet"), key("decimal")),
        )
    numbers = suggest.offered(sheet)
    if len(numbers) < 2:
        st.html(_preview(sheet, (), ""))
        return
    inputs = [
        st.selectbox(
            f"Input {k + 1}",
            numbers,
            index=numbers.index(found.inputs[k]) if len(found.inputs) > k else None,
            key=key(f"input{k}"),
        )
        for k in range(2)
    ]
    label = st.selectbox(
        "Label", sheet.names, index=sheet.names.index(found.label), key=key("label")
    )
    st.html(_preview(sheet, inputs, label))
    drop, merge, pair = False, found.merge, None
    lines = choice.missing_lines(sheet, [i for i in inputs if i is not None], label)
    if lines:
        many = f"row{'s' if len(lines) > 1 else ''}"
        ways = (f"{_DROP} {len(lines):,} {many}", _REFUSE)
        way = st.radio(
            "Missing values",
            ways,
            key=key(f"missing-{len(lines)}"),
            horizontal=True,
            help=f"A value is missing in {in_lines(lines)}.",
        )
        drop = way != _REFUSE
    if labels.has_spellings(sheet.column(label)):
        merge = st.checkbox(_MERGE, value=found.merge, key=key("merge"))
    names = labels.labels(sheet, label, merge=merge)
    if len(names) > 2:
        pair = _classes(names, key)
    chosen = _Chosen(tuple(i for i in inputs if i is not None), label, drop, merge, pair)
    st.button(
        "Use this table",
        type="primary",
        icon=":material/check:",
        key=key("use"),
        on_click=_take,
        args=(brought, sheet, chosen, open),
    )


def _suggested(sheet: Sheet) -> _Chosen:
    found = suggest.suggest(sheet)
    return _Chosen(found.inputs, found.label)


def _classes(names: Sequence[str], key: Callable[[str], str]) -> tuple[str, str | None] | None:
    """Draw how several labels become classes."""
    way = st.radio("Tell apart", (ALL, TWO), key=key("way"), horizontal=True, help=_ALL)
    if way != TWO:
        return None
    short = {text: text if len(text) <= 40 else f"{text[:39]}…" for text in names}
    one, zero = st.columns(2, gap="small")
    with one:
        told = st.selectbox(
            "Tell", names, key=key("one"), format_func=lambda t: short.get(t, t), help=_TELL
        )
    with zero:
        others = [None, *(text for text in names if text != told)]
        against = st.selectbox(
            "from",
            others,
            key=key("zero"),
            format_func=lambda t: own_data.OTHERS if t is None else short.get(t, t),
            placeholder=own_data.OTHERS,
        )
    return told, against


def _read_again(brought: _Brought, sheet: str, decimal: str) -> None:
    _bring(
        replace(
            brought,
            wanted=st.session_state.get(sheet, brought.wanted),
            decimal=st.session_state.get(decimal, brought.decimal),
            chosen=None,
            id=uuid.uuid4().hex,
        )
    )


def _take(brought: _Brought, sheet: Sheet, chosen: _Chosen, open: Open) -> None:
    _use(brought, sheet, chosen)
    arrive(open)


def _preview(sheet: Sheet, inputs: Sequence[str | None], label: str) -> str:
    """Return the HTML of the first rows, with what each column holds and what it becomes."""
    kinds = {"number": "numbers", "date": "dates", "words": "words", "nothing": "empty"}

    def used(name: str) -> str:
        if name == label:
            return "label"
        return f"input {inputs.index(name) + 1}" if name in inputs else ""

    columns = sheet.columns[:12]
    head = "".join(
        f'<th class="rv-{"used" if used(c.name) else "unused"}">{escape(c.name)}'
        f"<small>{kinds[c.kind]}{', ' + used(c.name) if used(c.name) else ''}</small></th>"
        for c in columns
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(c.texts[i][:40])}</td>" for c in columns) + "</tr>"
        for i in range(min(_PREVIEWED, len(sheet.lines)))
    )
    more = len(sheet.columns) - len(columns)
    rest = f"<small>and {more} more columns</small>" if more > 0 else ""
    return (
        '<div class="rv-preview" tabindex="0" role="region" aria-label="First rows"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}"
    )


__all__ = ["BOX", "arrive", "change_button", "forget", "is_pending", "notes", "part", "refuse"]
