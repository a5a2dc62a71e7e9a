"""Own data on a page: the user's table or drawn points become the data of the experiment shown.

They are kept in the memory of the session and, during training, of a trainer. They are not written
to disk, are invisible to other sessions, and end with the session.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from regviz.data import own as own_data
from regviz.frames import DataView
from regviz.specs import DataSpec, Experiment, Point, SpecError
from regviz.specs.text import shortened
from regviz.ui import controls, layout, live, own_table, run
from regviz.ui.own_table import Open, arrive

MOST = 12
"""Sets of own data that a session keeps, for its links and the browser's history."""
WHAT = (
    "A table (CSV, text, .xlsx or .ods): columns of numbers, of which two become the inputs, and a "
    "label with 2 to 10 different values, 10 to 2,000 rows; or points that you draw. It stays in "
    "the memory of this session: it is never written to disk, no other visitor sees it, and it is "
    "gone when you close or reload the page."
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
_KEPT = "own-data.kept"
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
"""Ways to start drawing: label, whether the plane starts empty, icon, help."""
MOST_AXIS = 30
"""Characters of a column's name on an axis; a longer name is shortened."""


def kept() -> Mapping[str, DataSpec]:
    """Return the session's own data by fingerprint."""
    found: dict[str, DataSpec] = st.session_state.setdefault(_KEPT, {})
    return found


def keep(data: DataSpec) -> None:
    """Keep own data for this session's links and the browser's history."""
    if data.points is not None:
        others = {mark: of for mark, of in kept().items() if mark != data.fingerprint}
        latest = {**others, data.fingerprint: data}
        st.session_state[_KEPT] = dict(list(latest.items())[-MOST:])


def axes(data: DataSpec) -> tuple[str, str] | None:
    """Return the axis titles of a decision boundary of own data; None for other data."""
    if data.points is None or (data.plane is not None and data.columns is None):
        return None
    zero, one = (shortened(name, MOST_AXIS) for name in data.columns or ("x₀", "x₁"))
    return f"{zero} (standardized)", f"{one} (standardized)"


def named(*of: DataSpec) -> dict[str, Any]:
    """Return the axis and class names shared by all data, as keyword arguments of
    :func:`regviz.ui.live.decision_boundary`."""
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
    """Return the class names of own data with more than two classes; else None.

    Classes are numbered if the data have different names or none.
    """
    own = [data for data in of if data.points is not None and data.n_classes > 2]
    if not own:
        return None
    numbered = tuple(f"class {k}" for k in range(max(data.n_classes for data in own)))
    names = {data.classes for data in own}
    return (names.pop() if len(names) == 1 else None) or numbered


def part(open: Open) -> None:
    """Draw the expander for own data, and a description of the own data in use.

    Parameters
    ----------
    open
        Shows an experiment.
    """
    data = controls.own_data()
    if data is not None:
        st.html(layout.note(_about(data)) + layout.notes(own_table.notes(data)))
        own_table.change_button(data)
    if drawing(data or DataSpec()) is not None:
        st.html(layout.note(DRAW))
        if _DRAWING_REFUSED in st.session_state:
            st.error(layout.plain(st.session_state[_DRAWING_REFUSED]), icon=":material/error:")
    # no popover: it is placed before it has its content, and would extend beyond the screen
    box = st.expander(
        "Your own data", icon=":material/upload_file:", key=own_table.BOX, on_change="rerun"
    )
    if not box.open and not own_table.is_pending():  # a closed expander costs the page nothing
        own_table.forget()
        return
    with box:
        own_table.part(WHAT if data is None else USED if data.plane is None else DRAWN, open)
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
    return text


@dataclass(frozen=True)
class _Begun:
    """A drawing: its start, and the fingerprint of its current data."""

    drawing: live.Drawing
    columns: tuple[str, str] | None
    classes: tuple[str, ...] | None
    mark: str


def drawing(data: DataSpec) -> live.Drawing | None:
    """Return the current drawing, or None. Opening other data ends it."""
    begun: _Begun | None = st.session_state.get(_DRAWING)
    if begun is not None and begun.mark != data.fingerprint:
        begun = None
        _stop()
    return None if begun is None else replace(begun.drawing, fraction=data.val_fraction)


def _stop() -> None:
    for key in (_DRAWING, _DRAWING_REFUSED):
        st.session_state.pop(key, None)


def _draw(open: Open, empty: bool) -> None:
    """Start to draw in the boundary shown, with its points or on an empty plane."""
    shown: Experiment = st.session_state["experiment"]
    if shown.data.n_classes > 2 and shown.data.points is not None:
        own_table.refuse(TWO_ONLY.format(shown.data.n_classes))
        return
    frame, lanes = run.current().observe()
    if frame is None or frame.data is None or lanes[-1].data != shown.data:
        own_table.refuse(NO_PICTURE)
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
            own_table.refuse(str(error))
            return
        open(experiment)
    names = classes or ("class 0", "class 1")
    sketch = live.Drawing(uuid.uuid4().hex, start, view.extent, data.val_fraction, names)
    _stop()
    st.session_state[_DRAWING] = _Begun(sketch, columns, classes, data.fingerprint)
    st.session_state[own_table.BOX] = False


def _points(view: DataView, fraction: float) -> tuple[Point, ...]:
    """Return the points of a view, ordered so that each stays on its side of the split."""
    n = min(len(view.x), own_data.MAX_USED)
    n_val = min(round(n * fraction), int(view.is_val.sum()))

    def side(is_val: bool, count: int) -> list[Point]:
        (of,) = (view.is_val == is_val).nonzero()
        at = [of[round(i * (len(of) - 1) / max(1, count - 1))] for i in range(count)]
        return [(float(view.x[i, 0]), float(view.x[i, 1]), int(view.y[i])) for i in at]

    return own_data.arranged(side(False, n - n_val), side(True, n_val), fraction)


def take(message: Mapping[str, Any], open: Open) -> None:
    """Use the points of the browser's message as the data of the experiment shown."""
    begun: _Begun | None = st.session_state.get(_DRAWING)
    if begun is None or message.get("id") != begun.drawing.id:
        return
    st.session_state.pop(_DRAWING_REFUSED, None)
    shown: Experiment = st.session_state["experiment"]
    names = {"columns": begun.columns, "classes": begun.classes}
    try:
        data = own_data.drawn(message.get("points"), begun.drawing.plane, shown.data, **names)
        experiment = Experiment(data, shown.model, shown.regularization, shown.training)
    except SpecError as error:
        st.session_state[_DRAWING_REFUSED] = str(error)
    else:
        st.session_state[_DRAWING] = replace(begun, mark=data.fingerprint)
        if controls.own_data() is None:
            open(experiment)
        else:  # cheaper: no control is drawn again
            controls.use_own_data(data)
            keep(data)
    if message.get("done") is True:
        _stop()


def _back(open: Open) -> None:
    shown: Experiment = st.session_state["experiment"]
    data = own_data.without(shown.data)
    open(Experiment(data, shown.model, shown.regularization, shown.training))


__all__ = [
    "GONE",
    "NO_LINK",
    "arrive",
    "axes",
    "drawing",
    "keep",
    "kept",
    "part",
    "several",
    "take",
]
