"""The controls panel: widgets on one side, one :class:`~regviz.specs.Experiment` on the other.

Most controls are drawn from their row in :data:`regviz.specs.FIELDS`: label, stops, tooltip and
place in the panel. The others have code here: layers and their units, dropout, early stopping, the
data set.

Every value that a file or a link may hold can be shown: a value between the stops of its slider
becomes one more stop, so that what was loaded is what is trained. Values live in a mapping in the
session state, because Streamlit forgets the value of a widget that is not drawn (on another page,
or behind an option that is off).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import streamlit as st

from regviz.specs import (
    FIELDS,
    OWN_FIELDS,
    OWN_KIND,
    AugmentationSpec,
    DataSpec,
    Experiment,
    Field,
    SpecError,
)
from regviz.specs.cautions import cautions
from regviz.specs.fields import ALL, GROUPS
from regviz.specs.rows import Choice, Control, Custom, Number, Slider, Stops, Switch
from regviz.specs.text import compact
from regviz.ui import turns

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CHANNELS = (4, 8, 16, 32)
MOST_LAYERS = 8

DATA_NAMES = {
    "moons": "two moons",
    "circles": "circles",
    "spirals": "spirals",
    "xor": "xor",
    "blobs": "blobs",
    "linear": "linear rule",
}
_EARLY = "regularization.early_stopping"
_AUGMENTATION = "regularization.augmentation"
_CODED = ("model.hidden", "regularization.dropout", _EARLY, _AUGMENTATION)
"""Fields whose values are spread over several widgets."""
_SHAPING = ("layers", "training.epochs")
"""Sliders that decide which controls there are, or how long a chart's axes are."""
_SCOPE, _PANELS = "controls.scope", "controls.panels"
"""Session keys: the panel being drawn, and the panels of all pages."""


@dataclass
class _Panel:
    """A page's controls: the value of each, and the values that were last loaded into them."""

    prefix: str  # of the widgets' keys
    keys: set[str] = field(default_factory=set)  # of the widgets drawn since the last load
    values: dict[str, Any] = field(default_factory=lambda: dict(_DEFAULTS))
    loaded: dict[str, Any] | None = None
    loads: int = 0
    cautions: dict[str, str] = field(default_factory=dict)  # by path
    moved: Callable[[], None] | None = None  # callback of sliders outside _SHAPING


def to_values(experiment: Experiment) -> dict[str, Any]:
    """Return the value of every widget that shows ``experiment``, by path.

    The paths are the experiment's own, except for lists: ``layers`` and ``units.i`` are
    ``model.hidden``; ``per_layer`` says whether dropout is one rate ``p`` or ``p.i`` for each
    layer. ``own`` holds own data unchanged. The number of samples and the noise, which follow from
    own data, are left out: their widgets keep the values for generated data.
    """
    own = experiment.data.points is not None
    fixed = OWN_FIELDS + (("n_samples", "noise") if own else ())
    values = {
        path: experiment.get(path)
        for path, row in FIELDS.items()
        if path.count(".") == 1
        and path not in _CODED
        and not (row.group == "data" and row.tail in fixed)
    }
    if own:
        values["own"] = experiment.data
    values["training.batch_size"] = experiment.training.batch_size or ALL

    stop = experiment.regularization.early_stopping
    changes = experiment.regularization.augmentation or AugmentationSpec()
    values["early"] = stop is not None
    for path, row in FIELDS.items():
        if path.startswith(f"{_EARLY}.") and stop is not None:
            values[path] = getattr(stop, row.tail)
        elif path.startswith(f"{_AUGMENTATION}."):
            values[path] = getattr(changes, row.tail)

    values["layers"] = len(experiment.model.hidden)
    values |= {f"units.{i}": units for i, units in enumerate(experiment.model.hidden)}

    rates = experiment.regularization.dropout
    values["per_layer"] = isinstance(rates, tuple)
    if isinstance(rates, tuple):
        values |= {f"p.{i}": rate for i, rate in enumerate(rates)}
    else:
        values["p"] = rates
    return values


def from_values(values: Mapping[str, Any]) -> Experiment:
    """Return the experiment that the widgets show; the inverse of :func:`to_values`.

    Raises
    ------
    SpecError
        If the values do not fit together.
    """
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    values = dict(values)  # a copy: the page's next run may already be drawing its controls
    for path, value in values.items():
        group, _, name = path.partition(".")
        if group in groups and "." not in name:
            groups[group][name] = value
    if groups["data"]["kind"] == OWN_KIND:
        own = values["own"]
        groups["data"] |= {name: getattr(own, name) for name in (*OWN_FIELDS, "n_samples", "noise")}
    if groups["training"]["batch_size"] == ALL:
        groups["training"]["batch_size"] = None
    layers = values["layers"]
    groups["model"]["hidden"] = [values[f"units.{i}"] for i in range(layers)]
    groups["regularization"]["dropout"] = (
        [values[f"p.{i}"] for i in range(layers)] if values["per_layer"] and layers else values["p"]
    )
    if values["early"]:
        groups["regularization"]["early_stopping"] = _part(_EARLY, values)
    groups["regularization"]["augmentation"] = _part(_AUGMENTATION, values)
    return Experiment.from_dict(groups)


def _part(path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {at.removeprefix(f"{path}."): values[at] for at in FIELDS if at.startswith(f"{path}.")}


_DEFAULTS: dict[str, Any] = to_values(
    Experiment.from_dict({"regularization": {"early_stopping": {"patience": 10}}})
)


def load(experiment: Experiment) -> None:
    """Show ``experiment`` in the widgets. To be called before they are drawn, or in a callback."""
    panel = _panel()
    values = panel.values
    last_p = values.get("p", 0.0)
    values |= to_values(experiment)
    values.setdefault("p", last_p)
    panel.loaded = dict(values)
    panel.loads += 1
    for key in panel.keys.copy():
        if key in st.session_state:
            del st.session_state[key]
    panel.keys.clear()


def scope(page: str) -> None:
    """Say whose controls all that follows is about; a page's first call, also in its callbacks."""
    panels: dict[str, _Panel] = st.session_state.setdefault(_PANELS, {})
    st.session_state[_SCOPE] = panels.setdefault(page, _Panel(f"c.{page}."))


def is_loaded() -> bool:
    """Whether this scope's controls show something already."""
    return _panel().loaded is not None


def some(names: Sequence[str]) -> Experiment:
    """Draw just the named controls (see :data:`WIDGETS`) and return the experiment they say.

    Raises
    ------
    SpecError
        If the values do not fit together.
    """
    _catch_up()
    _take_care()
    for name in names:
        WIDGETS[name]()
    return from_values(_memory())


def own_data() -> DataSpec | None:
    """Return the user's own data if the controls say that they are used."""
    values = _memory()
    own: DataSpec | None = values.get("own") if values["data.kind"] == OWN_KIND else None
    return own


def use_own_data(data: DataSpec) -> None:
    """Put other own data in the place of those that are used; no control changes by it."""
    _memory()["own"] = data


def foreseen() -> Experiment | None:
    """Return what the controls are about to say, before they are drawn, so that its training can
    begin meanwhile; None where that does not fit together, or needs a control that is yet to come
    (the units of a layer just added)."""
    _catch_up()
    # the browser adds up steps in floating point, and a slider puts that right when it is drawn
    now = _memory().copy()
    near = {k: float(f"{v:.12g}") if isinstance(v, float) else v for k, v in now.items()}
    try:
        return from_values(near)
    except (SpecError, KeyError):
        return None


def panel(
    after: Mapping[str, Callable[[], None]] | None = None,
    *,
    moved: Callable[[], None] | None = None,
) -> Experiment:
    """Draw the controls and return the experiment they say.

    Parameters
    ----------
    after
        What else to draw, by the name of the control that it stands below.
    moved
        The callback of every slider that changes nothing about the controls themselves, nor about
        what the page's charts are laid out for.

    Raises
    ------
    SpecError
        If the values do not fit together (say, a validation fraction that leaves no point).
    """
    _catch_up()
    _take_care()
    _panel().moved = moved
    for group, controls in _GROUPS.items():
        is_open = group == "Regularization"
        with st.expander(group, expanded=is_open, key=f"group-{group.lower()}"):
            for name, draw in controls.items():
                turns.give_way()
                draw()
                if after and name in after:
                    after[name]()
    return from_values(_memory())


def _panel() -> _Panel:
    # one access to the session's state for all: each takes some 20 µs, and a page made hundreds
    try:
        panel: _Panel = st.session_state[_SCOPE]
    except KeyError:
        scope("")
        panel = st.session_state[_SCOPE]
    return panel


def _memory() -> dict[str, Any]:
    return _panel().values


def _catch_up() -> None:
    """Take in what was just moved, because some widgets depend on others further down."""
    panel = _panel()
    # not all of the session's state: to list that takes a millisecond
    for key in panel.keys.copy():
        path, _, kind = key.removeprefix(panel.prefix).rpartition(":")
        if key in st.session_state and (path != "data.kind" or kind == _kind_of_choice(path)):
            panel.values[path] = st.session_state[key]


def _take_care() -> None:
    """Find out once, for all controls, what they are about to say a word of caution about."""
    try:
        found = cautions(from_values(_memory()))
    except (SpecError, KeyError):  # the page says what does not fit
        found = {}
    _panel().cautions = found


# --- one widget each: seeded from the memory when it appears, written back when it answers -----
#
# The value is given twice over, to the session state and as the widget's default: what a script
# run sends that is replaced at once may never reach the browser, which then starts from the
# default, and with the next click would say that this is what the visitor chose.


def _kind_of_choice(path: str) -> str:
    """Return the kind of a choice's widget: of the data set, another one after each load.

    A browser that has not drawn yet what was loaded goes on sending what it shows with every look
    at a run. Of a widget that is gone by then, that does no harm.
    """
    return f"choice{_panel().loads}" if path == "data.kind" else "choice"


def _seed(path: str, kind: str) -> str:
    panel = _panel()
    key = f"{panel.prefix}{path}:{kind}"
    panel.keys.add(key)
    if key not in st.session_state:
        st.session_state[key] = panel.values[path]
    return key


def _on_move(path: str) -> Callable[[], None] | None:
    """Return the callback of a slider that has none of its own."""
    return None if path in _SHAPING else _panel().moved


def _on_grid(value: float, low: float, high: float, step: float) -> bool:
    stops = (value - low) / step
    return low <= value <= high and abs(stops - round(stops)) < 1e-9


def _slider(
    label: str,
    path: str,
    low: float,
    high: float,
    step: float,
    *,
    help: str | None = None,
    on_change: Callable[[], None] | None = None,
) -> None:
    """A slider with equal steps; where the loaded value is not one of them, one of stops."""
    panel = _panel()
    loaded = (panel.loaded or _DEFAULTS).get(path, low)
    count = round((high - low) / step)
    whole = all(isinstance(v, int) for v in (low, high, step))
    grid = [low + i * step if whole else round(low + i * step, 6) for i in range(count + 1)]
    if not _on_grid(loaded, low, high, step):
        _stops(label, path, grid, help=help, on_change=on_change, show=lambda v: f"{v:g}")
        return
    value = st.slider(
        label,
        low,
        high,
        panel.values[path],
        step=step,
        key=_seed(path, "slider"),
        help=help,
        format=None if whole else "%.2f",
        on_change=on_change or _on_move(path),
    )
    # the browser adds up steps in floating point: 0.15000000000000002 is the stop 0.15
    panel.values[path] = min(grid, key=lambda stop: abs(stop - value))


def _stops(
    label: str,
    path: str,
    grid: Iterable[Any],
    *,
    help: str | None = None,
    on_change: Callable[[], None] | None = None,
    show: Callable[[Any], str] = compact,
) -> None:
    """A slider over given stops, and over the loaded value where that is not one of them."""
    panel = _panel()
    loaded = panel.loaded or _DEFAULTS
    stops = {*grid, panel.values[path]} | ({loaded[path]} if path in loaded else set())
    ordered = sorted(stops, key=lambda stop: (stop == ALL, 0 if stop == ALL else stop))
    panel.values[path] = st.select_slider(
        label,
        ordered,
        panel.values[path],
        format_func=show,
        key=_seed(path, "stops"),
        help=help,
        on_change=on_change or _on_move(path),
    )


def _choice(
    label: str,
    path: str,
    options: Sequence[Any],
    *,
    show: Callable[[Any], str] = str,
    help: str | None = None,
) -> None:
    panel = _panel()
    now = panel.values[path]
    every = options if now in options else [*options, now]
    panel.values[path] = st.selectbox(
        label,
        every,
        every.index(now),
        format_func=show,
        key=_seed(path, _kind_of_choice(path)),
        help=help,
        # None is a choice like any other here, but Streamlit takes it for no choice
        placeholder=show(None) if None in options else None,
    )


def _switch(
    label: str, path: str, *, help: str | None = None, on_change: Callable[[], None] | None = None
) -> None:
    _memory()[path] = st.toggle(
        label, _memory()[path], key=_seed(path, "switch"), help=help, on_change=on_change
    )


def _whole(label: str, path: str, low: int, high: int, *, help: str | None = None) -> None:
    now = _memory()[path]
    value = st.number_input(label, low, high, now, step=1, key=_seed(path, "number"), help=help)
    _memory()[path] = int(value)


# --- controls from the table ------------------------------------------------------------------


def _draw(row: Field, control: Control) -> None:
    """Draw one control of a field, with its usual range and a word of caution below it."""
    values = _memory()
    if row.generated and values["data.kind"] == OWN_KIND:
        return
    if row.only_with is not None and values[row.only_with[0]] not in row.only_with[1]:
        return
    label = control.label or row.label
    help = control.help or (row.help if row.tooltip else None)
    on_change = _turn_on_early_stopping if row.path.startswith(f"{_EARLY}.") else None
    if isinstance(control, Slider):
        ends = control.low, control.high, control.step
        _slider(label, row.path, *ends, help=help, on_change=on_change)
    elif isinstance(control, Stops):
        _stops(label, row.path, control.values, help=help, on_change=on_change)
    elif isinstance(control, Choice):
        _choice(label, row.path, control.options, show=control.text, help=help)
    elif isinstance(control, Switch):
        _switch(label, row.path, help=help)
    elif isinstance(control, Number):
        _whole(label, row.path, control.low, control.high, help=help)
    _usual(row)
    _caution(row.path)


def _usual(row: Field) -> None:
    """Draw the usual range of the slider above it, if there is one."""
    if row.usual:
        st.html(f'<p class="rv-note rv-usual">typical {row.usual}</p>')


def _caution(path: str) -> None:
    """Say below a control which other setting conflicts with it."""
    text = _panel().cautions.get(path)
    if text is not None:
        st.html(f'<p class="rv-note rv-caution">{escape(text)}</p>')


# --- controls with code -----------------------------------------------------------------------


def _dropout() -> None:
    values, row = _memory(), FIELDS["regularization.dropout"]
    layers = values["layers"]
    if values["per_layer"] and layers:
        for i in range(layers):
            values.setdefault(f"p.{i}", values.get(f"p.{i - 1}", values["p"]))
            label = f"{row.label}, layer {i + 1}"
            _slider(label, f"p.{i}", 0.0, 0.9, 0.05, help=row.help)
    else:
        _slider(row.label, "p", 0.0, 0.9, 0.05, help=row.help)
    if values["model.kind"] == "mlp" and layers:
        _usual(row)
    _caution(row.path)


def _dropout_per_layer() -> None:
    if not _memory()["layers"]:
        return

    def spread() -> None:
        for i in range(_memory()["layers"]):
            _memory()[f"p.{i}"] = _memory()["p"]

    _switch("A dropout rate for each layer", "per_layer", on_change=spread)


def _early_stopping() -> None:
    row = FIELDS[_EARLY]
    _switch(row.label, "early", help=row.help)


def _turn_on_early_stopping() -> None:
    panel = _panel()
    key = f"{panel.prefix}early:switch"
    if st.session_state.get(key) and panel.moved is not None:
        panel.moved()
        return
    panel.values["early"] = True
    st.session_state[key] = True


def _data_set() -> None:
    kinds = (*DATA_NAMES, *([OWN_KIND] if "own" in _memory() else []))
    names = DATA_NAMES | {OWN_KIND: "own data"}
    _choice(FIELDS["data.kind"].label, "data.kind", kinds, show=lambda k: names.get(k, k))


def _hidden_layers() -> None:
    row, most = FIELDS["model.hidden"], max(MOST_LAYERS, _memory()["layers"])
    _slider(row.label, "layers", 0, most, 1, help=row.help)


def _units() -> None:
    values = _memory()
    columns = st.columns(2, gap="small")
    for i in range(values["layers"]):
        values.setdefault(f"units.{i}", values.get(f"units.{i - 1}", 64))
        with columns[i % 2]:
            _stops(f"Units {i + 1}", f"units.{i}", WIDTHS)


def _channels() -> None:
    values = _memory()
    for i in range(values["layers"]):
        values.setdefault(f"units.{i}", values.get(f"units.{i - 1}", 16))
        _stops(f"Channels {i + 1}", f"units.{i}", CHANNELS)


_OWN_CODE: dict[str, dict[str, Callable[[], None]]] = {
    "data.kind": {"data_set": _data_set},
    "model.hidden": {"hidden_layers": _hidden_layers, "units": _units},
    "regularization.dropout": {"dropout": _dropout},
    "regularization.input_dropout": {"dropout_per_layer": _dropout_per_layer},
    _EARLY: {"early_stopping": _early_stopping},
}
"""Controls of the panel that have code, at the place of this field; those of a field that has a
row's control as well follow it."""
_ELSEWHERE: dict[str, Callable[[], None]] = {
    "channels": _channels,
    "convolutions": lambda: _slider("Convolutions", "layers", 1, 3, 1),
    "blocks": lambda: _slider("Blocks", "layers", 1, 3, 1),
}
"""Controls with code that only lessons on images and sequences draw."""


# --- all controls -----------------------------------------------------------------------------


def _in_order(group: str) -> list[Field]:
    """Return a group's rows in the order of the panel: each row that says so follows another."""
    found: dict[str, list[Field]] = {"": []}  # the rows that follow a path directly
    for row in FIELDS.values():
        if row.group == group:
            found.setdefault(row.after, []).append(row)

    def with_followers(row: Field) -> list[Field]:
        followers = found.get(row.path, [])
        return [row, *(other for first in followers for other in with_followers(first))]

    return [other for row in found[""] for other in with_followers(row)]


def _of_row(row: Field) -> dict[str, Callable[[], None]]:
    """Return the controls that a row has in the panel, by name."""
    drawn = {}
    if row.control is not None and not isinstance(row.control, Custom):
        drawn[row.control_name] = functools.partial(_draw, row, row.control)
    return drawn | _OWN_CODE.get(row.path, {})


def _of_playground(row: Field) -> bool:
    """Whether the Playground, which trains an mlp on points in the plane, uses a field."""
    return any(row.applies("mlp", kind) for kind in DATA_NAMES)


_GROUPS: dict[str, dict[str, Callable[[], None]]] = {
    group.capitalize(): {
        name: draw
        for row in _in_order(group)
        if _of_playground(row)
        for name, draw in _of_row(row).items()
    }
    for group in ("regularization", "data", "model", "training")
}
"""The panel: the controls of each of its groups, by name and in order."""

WIDGETS: dict[str, Callable[[], None]] = {
    **{name: draw for group in _GROUPS.values() for name, draw in group.items()},
    **{
        name: draw
        for row in FIELDS.values()
        if not _of_playground(row)
        for name, draw in _of_row(row).items()
    },
    **{
        control.name: functools.partial(_draw, row, control)
        for row in FIELDS.values()
        for control in row.variants
        if not isinstance(control, Custom)
    },
    **_ELSEWHERE,
}
"""Every control by its name, those of the panel first, in its order."""


__all__ = [
    "WIDGETS",
    "SpecError",
    "foreseen",
    "from_values",
    "is_loaded",
    "load",
    "own_data",
    "panel",
    "scope",
    "some",
    "to_values",
    "use_own_data",
]
