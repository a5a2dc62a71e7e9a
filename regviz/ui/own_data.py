"""Own data on a page: a table, or points that are drawn, become the data of the experiment shown.

What somebody brings lives in the session's memory and, while it is trained on, in a trainer's: it
is not written to disk, no other session sees it, and it goes with the session.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from regviz import own_data
from regviz.frames import DataView
from regviz.own_data import EXAMPLE
from regviz.specs import DataSpec, Experiment, Point, SpecError
from regviz.text import shortened
from regviz.ui import controls, layout, live, run

MAX_UPLOAD_MB = 1
MOST = 12
"""Sets of own data that a session keeps, for its links and its way back."""
WHAT = (
    "A table as CSV: two columns of numbers and a label with 2 to 10 different values, 10 to 2,000 "
    "rows; or points that you draw. It stays in the memory of this session: it is never written "
    "to disk, no other visitor sees it, and it is gone when you close or reload the page."
)
DRAWN = (
    "These points were drawn: they are used as they are, and take turns in being for training or "
    "validation; there is no test set."
)
DRAW = (
    "Drawing: click in the decision boundary to add a point, with Shift to remove one. The two "
    "models are trained on all points after each click."
)
TWO_ONLY = (
    "Points are drawn for two classes, and this data has {}: tell one label from another, or go "
    "back to two moons, and draw there."
)
NO_PICTURE = "The picture to draw in is on its way; try again in a moment."
USED = (
    "Each column is standardized: less its mean, divided by its standard deviation, both of the "
    "training points. All points are used for training or validation, with the same shares of all "
    "classes; there is no test set."
)
NO_LINK = (
    "Own data does not travel in a link. It does in the experiment's file, which opens here or "
    "with the command line."
)
GONE = (
    "Your own data is gone with the session that loaded it, and it does not travel in a link. "
    "Load the table again, or open the experiment's file; shown is your experiment on two moons."
)
_KEPT, _SAID, _REFUSED = "own-data.kept", "own-data.said", "own-data.refused"
_DRAWING = "own-data.drawing"
_DRAWING_REFUSED = "own-data.drawing-refused"
_WAYS = (
    (
        "Draw into these points",
        False,
        ":material/draw:",
        "The points of the picture become own data, and clicks in it add to them.",
    ),
    (
        "Draw on an empty plane",
        True,
        ":material/check_box_outline_blank:",
        "The picture is emptied, and clicks in it make the points.",
    ),
)
"""Ways to begin to draw: the button, whether all points go, its icon, and what happens."""
_ASKING, _ONE, _ZERO = "own-data.asking", "own-data.one", "own-data.zero"
_WAY = "own-data.way"
MOST_AXIS = 30
"""Characters of a column's name along an axis."""
ALL, TWO = "All of them at once", "Two classes"
_ALL = (
    "All at once: each label is a class, and the picture shows the most probable class at each "
    "place. Two classes: the picture shows P(class 1)."
)
_TELL = (
    "This label becomes class 1; all others, or the one beside it, become class 0, and rows with "
    "neither are left out."
)
_BOX, _UPLOAD, _PASTED = "own-data", "own-data.upload", "own-data.pasted"

Open = Callable[[Experiment], None]


def kept() -> Mapping[str, DataSpec]:
    """Return the session's own data by their fingerprints."""
    found: dict[str, DataSpec] = st.session_state.setdefault(_KEPT, {})
    return found


def keep(data: DataSpec) -> None:
    """Remember own data, so that this session's links and its way back find them."""
    if data.points is not None:
        others = {mark: of for mark, of in kept().items() if mark != data.fingerprint}
        latest = {**others, data.fingerprint: data}
        st.session_state[_KEPT] = dict(list(latest.items())[-MOST:])


def axes(data: DataSpec) -> tuple[str, str] | None:
    """Return the titles of the boundary's axes for own data; None for others."""
    if data.points is None or (data.plane is not None and data.columns is None):
        return None
    zero, one = (shortened(name, MOST_AXIS) for name in data.columns or ("x₀", "x₁"))
    return f"{zero} (standardized)", f"{one} (standardized)"


def named(*of: DataSpec) -> dict[str, Any]:
    """Return the names in a boundary of data that all have the same ones, as
    :func:`regviz.ui.live.decision_boundary` takes them."""
    titles = {axes(data) for data in of}
    pairs = {data.classes for data in of if data.n_classes == 2}
    whole = {data.columns for data in of}
    classes = several(*of)
    return {
        "axes": titles.pop() if len(titles) == 1 else None,
        "classes": classes,
        "names": pairs.pop() if len(pairs) == 1 and classes is None else None,
        "columns": whole.pop() if len(whole) == 1 else None,
    }


def several(*of: DataSpec) -> tuple[str, ...] | None:
    """Return the names of the classes where own data have more than two; else None.

    Of data with other names, or without any, they are numbered.
    """
    own = [data for data in of if data.points is not None and data.n_classes > 2]
    if not own:
        return None
    numbered = tuple(f"class {k}" for k in range(max(data.n_classes for data in own)))
    names = {data.classes for data in own}
    return (names.pop() if len(names) == 1 else None) or numbered


def part(open: Open) -> None:
    """Draw where own data come in, and what they are while they are used.

    Parameters
    ----------
    open
        Shows an experiment.
    """
    data = controls.own_data()
    if data is not None:
        st.html(layout.note(_about(data)))
    if drawing(data or DataSpec()) is not None:
        st.html(layout.note(DRAW))
        if _DRAWING_REFUSED in st.session_state:
            st.error(layout.plain(st.session_state[_DRAWING_REFUSED]), icon=":material/error:")
    # no popover: it would choose its place before it has its content, and lie off the screen
    box = st.expander("Your own data", icon=":material/upload_file:", key=_BOX, on_change="rerun")
    refused = st.session_state.pop(_REFUSED, "")
    asking: _Asking | None = st.session_state.pop(_ASKING, None)
    if not box.open:  # closed, it costs the page nothing
        return
    with box:
        st.caption(WHAT if data is None else USED if data.plane is None else DRAWN)
        if refused:
            st.session_state[_REFUSED] = refused  # as long as this is open
            st.error(layout.plain(refused), icon=":material/error:")
        if asking is not None:
            st.session_state[_ASKING] = asking
            _ask(asking, open)
        st.file_uploader(
            "CSV file",
            type=["csv", "tsv", "txt"],
            key=_UPLOAD,
            on_change=_from_file,
            args=(open,),
            max_upload_size=MAX_UPLOAD_MB,
        )
        st.text_area(
            "Or paste a table",
            key=_PASTED,
            height=110,
            placeholder="\n".join(EXAMPLE.splitlines()[:4]),
        )
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Use the pasted table",
                icon=":material/content_paste_go:",
                on_click=_from_text,
                args=(open,),
            )
            st.download_button(
                "Example",
                EXAMPLE,
                file_name="example.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
            )
        with st.container(horizontal=True, gap="small"):
            for label, empty, icon, about in _WAYS:
                st.button(
                    label,
                    icon=icon,
                    help=about,
                    on_click=_draw,
                    args=(open, empty),
                )
        if data is not None:
            st.button("Back to two moons", icon=":material/undo:", on_click=_back, args=(open,))


def _about(data: DataSpec) -> str:
    assert data.points is not None
    zero, one = data.columns or ("the first column", "the second")
    text = f"{len(data.points)} points, no test set. "
    if data.plane is None or data.columns is not None:
        text += f"x₀: {zero}, x₁: {one}, standardized. "
    if data.n_classes > 2:
        text += f"{data.n_classes} classes: {', '.join(several(data) or ())}. "
    elif data.classes:
        text += f"Class 0: {data.classes[0]}, class 1: {data.classes[1]}. "
    said, of = st.session_state.get(_SAID, ("", ""))
    return text + (said if of == data.fingerprint else "")


def _from_file(open: Open) -> None:
    upload = st.session_state[_UPLOAD]
    if upload is not None:
        _use(upload.name, upload.getvalue(), open)


def _from_text(open: Open) -> None:
    _use("The pasted table", st.session_state[_PASTED] or "", open)


@dataclass(frozen=True)
class _Asking:
    """A table with more labels than two, until somebody says what is told from what."""

    name: str
    content: bytes | str
    labels: tuple[str, ...]


def _ask(asking: _Asking, open: Open) -> None:
    st.caption(f"{layout.plain(asking.name)}: {len(asking.labels)} different labels.")
    way = st.radio("Tell apart", (ALL, TWO), key=_WAY, horizontal=True, help=_ALL)
    if way == TWO:
        short = {text: text if len(text) <= 40 else f"{text[:39]}…" for text in asking.labels}
        one, zero = st.columns(2, gap="small")
        with one:
            told = st.selectbox(
                "Tell", asking.labels, key=_ONE, format_func=lambda t: short.get(t, t), help=_TELL
            )
        with zero:
            others = [None, *(text for text in asking.labels if text != told)]
            st.selectbox(
                "from",
                others,
                key=_ZERO,
                format_func=lambda t: own_data.OTHERS if t is None else short.get(t, t),
                placeholder=own_data.OTHERS,
            )
    st.button(
        "Use these classes",
        icon=":material/call_split:",
        on_click=_tell_apart,
        args=(asking, open),
    )


def _tell_apart(asking: _Asking, open: Open) -> None:
    if st.session_state[_WAY] == ALL:
        _use(asking.name, asking.content, open, all_classes=True)
    else:
        pair = (st.session_state[_ONE], st.session_state[_ZERO])
        _use(asking.name, asking.content, open, pair)


def _use(
    name: str,
    content: bytes | str,
    open: Open,
    pair: tuple[str, str | None] | None = None,
    *,
    all_classes: bool = False,
) -> None:
    shown: Experiment = st.session_state["experiment"]
    if pair is None and not all_classes:
        st.session_state.pop(_ASKING, None)
    try:
        table = own_data.read(content, pair, all_classes=all_classes)
        data = table.data(shown.data)
        experiment = Experiment(data, shown.model, shown.regularization, shown.training)
    except own_data.SeveralLabels as error:
        st.session_state[_ASKING] = _Asking(name, content, error.labels)
        return
    except SpecError as error:
        st.session_state[_REFUSED] = f"{name}: {error}"
        return
    st.session_state.pop(_ASKING, None)
    st.session_state[_BOX] = False  # what there is to see now lies beside it
    st.session_state[_SAID] = (table.said, data.fingerprint)
    open(experiment)


@dataclass(frozen=True)
class _Begun:
    """A drawing: how it began, and the fingerprint of the data that it has come to."""

    drawing: live.Drawing
    columns: tuple[str, str] | None
    classes: tuple[str, ...] | None
    mark: str


def drawing(data: DataSpec) -> live.Drawing | None:
    """Return the drawing that goes on, or None. It ends where other data are opened."""
    begun: _Begun | None = st.session_state.get(_DRAWING)
    if begun is not None and begun.mark != data.fingerprint:
        begun = None
        _stop()
    return None if begun is None else replace(begun.drawing, fraction=data.val_fraction)


def _stop() -> None:
    for key in (_DRAWING, _DRAWING_REFUSED):
        st.session_state.pop(key, None)


def _draw(open: Open, empty: bool) -> None:
    """Begin to draw in the picture shown, in its points or without them."""
    shown: Experiment = st.session_state["experiment"]
    if shown.data.n_classes > 2 and shown.data.points is not None:
        st.session_state[_REFUSED] = TWO_ONLY.format(shown.data.n_classes)
        return
    frame, lanes = run.current().look()
    if frame is None or frame.data is None or lanes[-1].data != shown.data:
        st.session_state[_REFUSED] = NO_PICTURE
        return
    view = frame.data[-1]
    start: tuple[Point, ...] = ()
    data = shown.data
    columns, classes = (None, None) if empty else (data.columns, data.classes)
    if not empty:
        start = data.points if data.points and data.plane else _points(view, data.val_fraction)
        try:
            data = own_data.drawn(start, view.extent, data)
            experiment = Experiment(data, shown.model, shown.regularization, shown.training)
        except SpecError as error:
            st.session_state[_REFUSED] = str(error)
            return
        open(experiment)
    names = classes or ("class 0", "class 1")
    sketch = live.Drawing(uuid.uuid4().hex, start, view.extent, data.val_fraction, names)
    _stop()
    st.session_state[_DRAWING] = _Begun(sketch, columns, classes, data.fingerprint)
    st.session_state[_BOX] = False


def _points(view: DataView, fraction: float) -> tuple[Point, ...]:
    """Return the points of a picture, in an order that leaves each on its side."""
    n = min(len(view.x), own_data.MAX_USED)
    n_val = min(round(n * fraction), int(view.is_val.sum()))

    def side(is_val: bool, count: int) -> list[Point]:
        (of,) = (view.is_val == is_val).nonzero()
        at = [of[round(i * (len(of) - 1) / max(1, count - 1))] for i in range(count)]
        return [(float(view.x[i, 0]), float(view.x[i, 1]), int(view.y[i])) for i in at]

    return own_data.arranged(side(False, n - n_val), side(True, n_val), fraction)


def take(told: Mapping[str, Any], open: Open) -> None:
    """Make what the browser says was drawn the data of the experiment shown."""
    begun: _Begun | None = st.session_state.get(_DRAWING)
    if begun is None or told.get("id") != begun.drawing.id:
        return
    st.session_state.pop(_DRAWING_REFUSED, None)
    shown: Experiment = st.session_state["experiment"]
    names = {"columns": begun.columns, "classes": begun.classes}
    try:
        data = own_data.drawn(told.get("points"), begun.drawing.plane, shown.data, **names)
        experiment = Experiment(data, shown.model, shown.regularization, shown.training)
    except SpecError as error:
        st.session_state[_DRAWING_REFUSED] = str(error)
    else:
        st.session_state[_DRAWING] = replace(begun, mark=data.fingerprint)
        if controls.own_data() is None:
            open(experiment)
        else:  # lighter: no control is drawn anew
            controls.use_own_data(data)
            keep(data)
    if told.get("done") is True:
        _stop()


def _back(open: Open) -> None:
    shown: Experiment = st.session_state["experiment"]
    data = own_data.without(shown.data)
    open(Experiment(data, shown.model, shown.regularization, shown.training))


__all__ = [
    "GONE",
    "NO_LINK",
    "axes",
    "drawing",
    "keep",
    "kept",
    "part",
    "several",
    "take",
]
