"""Own data on a page: a file or a pasted table becomes the data of the experiment shown.

What somebody brings lives in the session's memory and, while it is trained on, in a trainer's: it
is not written to disk, no other session sees it, and it goes with the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from regviz import own_data
from regviz.own_data import EXAMPLE
from regviz.specs import DataSpec, Experiment, SpecError
from regviz.ui import controls, layout

MAX_UPLOAD_MB = 1
MOST = 5
"""Sets of own data that a session keeps, for its links and its way back."""
WHAT = (
    "A table as CSV: two columns of numbers and a label with two different values, 10 to 2,000 "
    "rows. It stays in the memory of this session: it is never written to disk, no other visitor "
    "sees it, and it is gone when you close or reload the page."
)
USED = (
    "Each column is standardized: less its mean, divided by its standard deviation, both of the "
    "training points. All points are used for training or validation, with the same shares of both "
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
    if data.points is None:
        return None
    zero, one = data.columns or ("x₀", "x₁")
    return f"{zero} (standardized)", f"{one} (standardized)"


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
    # no popover: it would choose its place before it has its content, and lie off the screen
    box = st.expander("Your own data", icon=":material/upload_file:", key=_BOX, on_change="rerun")
    refused = st.session_state.pop(_REFUSED, "")
    if not box.open:  # closed, it costs the page nothing
        return
    with box:
        st.caption(WHAT if data is None else USED)
        if refused:
            st.session_state[_REFUSED] = refused  # as long as this is open
            st.error(layout.plain(refused), icon=":material/error:")
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
        if data is not None:
            st.button("Back to two moons", icon=":material/undo:", on_click=_back, args=(open,))


def _about(data: DataSpec) -> str:
    assert data.points is not None
    zero, one = data.columns or ("the first column", "the second")
    text = f"{len(data.points)} points, no test set. x₀: {zero}, x₁: {one}, standardized. "
    if data.classes:
        text += f"Class 0: {data.classes[0]}, class 1: {data.classes[1]}. "
    said, of = st.session_state.get(_SAID, ("", ""))
    return text + (said if of == data.fingerprint else "")


def _from_file(open: Open) -> None:
    upload = st.session_state[_UPLOAD]
    if upload is not None:
        _use(upload.name, upload.getvalue(), open)


def _from_text(open: Open) -> None:
    _use("The pasted table", st.session_state[_PASTED] or "", open)


def _use(name: str, content: bytes | str, open: Open) -> None:
    shown: Experiment = st.session_state["experiment"]
    try:
        table = own_data.read(content)
        data = table.data(shown.data)
        experiment = Experiment(data, shown.model, shown.regularization, shown.training)
    except SpecError as error:
        st.session_state[_REFUSED] = f"{name}: {error}"
        return
    st.session_state[_BOX] = False  # what there is to see now lies beside it
    st.session_state[_SAID] = (table.said, data.fingerprint)
    open(experiment)


def _back(open: Open) -> None:
    shown: Experiment = st.session_state["experiment"]
    data = own_data.without(shown.data)
    open(Experiment(data, shown.model, shown.regularization, shown.training))


__all__ = ["GONE", "NO_LINK", "axes", "keep", "kept", "part"]
