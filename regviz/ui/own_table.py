"""Load a table on a page: read it, preview it, choose its inputs and label, use it.

Another process reads the table (:mod:`regviz.tables.process`). The result stays in the session's
memory, so that the user can choose other columns, and ends with the session.
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
"""Key of the expander for own data."""
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
_READING = "own-data.reading"  # the table to read in this run
_READ = "own-data.read"
_ARRIVED = "own-data.arrived"
_NOTES = "own-data.said"
_REFUSED = "own-data.refused"
_UPLOAD, _PASTED = "own-data.upload", "own-data.pasted"
_PREVIEWED = 4
"""Rows of the preview."""

Open = Callable[[Experiment], None]


@dataclass(frozen=True)
class _Chosen:
    """The user's choices for a table; the fields are parameters of ``choice.choose``."""

    inputs: tuple[str, ...]
    label: str
    drop: bool = False
    merge: bool = True
    pair: tuple[str, str | None] | None = None


@dataclass(frozen=True)
class _Upload:
    """A file or a pasted text, how to read it, and the result."""

    name: str
    content: bytes | str
    decimal: str | None = None
    wanted: str | None = None  # of a workbook's sheets
    sheet: Sheet | None = None
    chosen: _Chosen | None = None
    mark: str = ""  # fingerprint of the data made from it
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def refuse(text: str) -> None:
    """Show an error while the expander is open."""
    st.session_state[_REFUSED] = text


def forget() -> None:
    """Remove the error."""
    st.session_state.pop(_REFUSED, None)


def arrive(open: Open) -> None:
    """Open the experiment made from a table; called before the controls are drawn."""
    experiment, stays_open = st.session_state.pop(_ARRIVED, (None, False))
    if experiment is not None:
        # the results are beside the expander, so it closes unless there are choices left
        st.session_state[BOX] = stays_open
        open(experiment)


def notes(data: DataSpec) -> tuple[str, ...]:
    """Return the notes on the table that these data were made from."""
    found, mark = st.session_state.get(_NOTES, ((), ""))
    return tuple(found) if mark == data.fingerprint else ()


def change_button(data: DataSpec) -> None:
    """Draw the button that opens the choice of columns, if these data come from a table."""
    upload: _Upload | None = st.session_state.get(_READ)
    if upload is None or upload.sheet is None or upload.mark != data.fingerprint:
        return
    if not st.session_state.get(BOX):  # an open expander shows the choice already
        st.button("Change columns", icon=":material/tune:", on_click=_open_box)


def _open_box() -> None:
    st.session_state[BOX] = True


def is_pending() -> bool:
    """Whether a table is waiting to be read."""
    return _READING in st.session_state


def part(about: str, open: Open) -> None:
    """Draw the upload of a table, and the choices for the table that was read.

    Parameters
    ----------
    about
        Explains own data in a few sentences.
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
        st.session_state[_REFUSED] = refused  # keep it while the expander is open
        st.error(layout.plain(refused), icon=":material/error:")
    upload: _Upload | None = st.session_state.get(_READ)
    if upload is not None and upload.sheet is not None:
        _choose(upload, upload.sheet, open)
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
    file = st.session_state[_UPLOAD]
    if file is not None:
        _queue(_Upload(file.name, file.getvalue()))


def _from_text() -> None:
    _queue(_Upload("The pasted table", st.session_state[_PASTED] or ""))


def _queue(upload: _Upload) -> None:
    st.session_state.pop(_REFUSED, None)
    st.session_state[_READING] = upload


def _read() -> None:
    """Read the waiting table, and use it with suggested columns."""
    upload: _Upload = st.session_state[_READING]
    try:
        sheet = process.read(upload.content, decimal=upload.decimal, sheet=upload.wanted)
    except SpecError as error:
        before: _Upload | None = st.session_state.get(_READ)
        if before is None or before.content != upload.content:  # equal: only the sheet changed
            st.session_state.pop(_READ, None)
        _refuse(upload, error)
    else:
        upload = replace(upload, sheet=sheet)
        st.session_state[_READ] = upload
        _use(upload, sheet, None)
    st.session_state.pop(_READING, None)


def _refuse(upload: _Upload, error: SpecError) -> None:
    plain = re.sub(r" \(--[^)]*\)", "", str(error))  # without options of the command line
    st.session_state[_REFUSED] = f"{upload.name}: {plain}"


def _use(upload: _Upload, sheet: Sheet, chosen: _Chosen | None) -> None:
    """Make an experiment from a table; the page's next run shows it."""
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
            st.session_state[_READ] = replace(upload, chosen=chosen)
        _refuse(upload, error)
        return
    st.session_state.pop(_REFUSED, None)
    st.session_state[_READ] = replace(
        upload,
        chosen=chosen or _Chosen(table.inputs, table.label),
        mark=data.fingerprint,
    )
    st.session_state[_NOTES] = (table.notes, data.fingerprint)
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


def _choose(upload: _Upload, sheet: Sheet, open: Open) -> None:
    """Draw the choices of sheet, decimal sign, inputs, label, missing values and classes."""

    def key(name: str) -> str:
        return f"own-data.{name}.{upload.id}"

    rows = len(sheet.lines)
    st.markdown(f"**{layout.plain(upload.name)}**: {rows:,} rows, {len(sheet.columns)} columns.")
    found = upload.chosen or _suggested(sheet)
    if len(sheet.sheets) > 1:
        st.selectbox(
            "Sheet",
            sheet.sheets,
            index=sheet.sheets.index(sheet.sheet),
            key=key("sheet"),
            on_change=_read_again,
            args=(upload, key("sheet"), key("decimal")),
        )
    if upload.decimal is not None or any(column.question for column in sheet.columns):
        st.segmented_control(
            "Decimal sign",
            DECIMALS,
            default=upload.decimal,
            format_func=lambda sign: "point: 1.5" if sign == "." else "comma: 1,5",
            key=key("decimal"),
            on_change=_read_again,
            args=(upload, key("sheet"), key("decimal")),
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
        args=(upload, sheet, chosen, open),
    )


def _suggested(sheet: Sheet) -> _Chosen:
    found = suggest.suggest(sheet)
    return _Chosen(found.inputs, found.label)


def _classes(names: Sequence[str], key: Callable[[str], str]) -> tuple[str, str | None] | None:
    """Draw the choice of classes for more than two labels."""
    way = st.radio("Tell apart", (ALL, TWO), key=key("way"), horizontal=True, help=_ALL)
    if way != TWO:
        return None
    short = {text: text if len(text) <= 40 else f"{text[:39]}…" for text in names}
    one, zero = st.columns(2, gap="small")
    with one:
        chosen = st.selectbox(
            "Tell", names, key=key("one"), format_func=lambda t: short.get(t, t), help=_TELL
        )
    with zero:
        others = [None, *(text for text in names if text != chosen)]
        against = st.selectbox(
            "from",
            others,
            key=key("zero"),
            format_func=lambda t: own_data.OTHERS if t is None else short.get(t, t),
            placeholder=own_data.OTHERS,
        )
    return chosen, against


def _read_again(upload: _Upload, sheet: str, decimal: str) -> None:
    _queue(
        replace(
            upload,
            wanted=st.session_state.get(sheet, upload.wanted),
            decimal=st.session_state.get(decimal, upload.decimal),
            chosen=None,
            id=uuid.uuid4().hex,
        )
    )


def _take(upload: _Upload, sheet: Sheet, chosen: _Chosen, open: Open) -> None:
    _use(upload, sheet, chosen)
    arrive(open)


def _preview(sheet: Sheet, inputs: Sequence[str | None], label: str) -> str:
    """Return the HTML of the first rows, with each column's kind and role."""
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
