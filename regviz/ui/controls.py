"""The controls panel: widgets on one side, one :class:`~regviz.specs.Experiment` on the other.

Every field of an experiment has a widget, and every value that a file or a link may hold can be
shown: one that lies between the stops of its slider becomes a stop of its own, so that what was
loaded is what is trained. Values live in a plain mapping in the session state, because widgets
that are not drawn (another page, a hidden option) lose theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any

import streamlit as st

from regviz.specs import (
    ACTIVATIONS,
    NORM_POSITIONS,
    NORMS,
    OPTIMIZERS,
    OWN_FIELDS,
    OWN_KIND,
    AugmentationSpec,
    DataSpec,
    Experiment,
    SpecError,
)
from regviz.specs.cautions import cautions
from regviz.ui import turns

LAMBDAS = (0.0, *(float(f"{m}e{e}") for e in range(-6, 0) for m in (1, 2, 5)), 1.0)
"""Stops of penalty strengths: 0, then three a decade from 1e-6 to 1."""
LEARNING_RATES = (*(float(f"{m}e{e}") for e in range(-5, 3) for m in (1, 2, 5)), 1000.0)
MIN_DELTAS = (0.0, *(float(f"{m}e{e}") for e in range(-5, -1) for m in (1, 2, 5)), 0.1)
INIT_SCALES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
ALL = "all"
"""The full batch, ``None`` in an experiment."""
BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, ALL)
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MOST_LAYERS = 8

DATA_NAMES = {
    "moons": "two moons",
    "circles": "circles",
    "spirals": "spirals",
    "xor": "xor",
    "blobs": "blobs",
    "linear": "linear rule",
}
_DROPOUT_PLACES = (
    ("regularization.recurrent_dropout", "Recurrent dropout p", "0.2–0.3"),
    ("regularization.attention_dropout", "Attention dropout p", "0.1"),
    ("regularization.residual_dropout", "Residual dropout p", "0.1"),
)
"""Dropout of sequence models: where, the control's label, and the usual range beside it."""
_EARLY = "regularization.early_stopping"
_AUGMENTATION = "regularization.augmentation"
_SHAPING = ("layers", "training.epochs")
"""Sliders that decide which controls there are, or how far a chart's axes go."""
_SCOPE, _PANELS = "controls.scope", "controls.panels"
"""Session keys of the panel that is being drawn, and of each page's own."""


@dataclass
class _Panel:
    """A page's controls: the value of each, and what was last loaded into them."""

    prefix: str  # of its widgets' keys
    keys: set[str] = field(default_factory=set)  # of those drawn since something was loaded
    values: dict[str, Any] = field(default_factory=lambda: dict(_DEFAULTS))
    loaded: dict[str, Any] | None = None
    loads: int = 0
    cautions: dict[str, str] = field(default_factory=dict)  # by path
    moved: Callable[[], None] | None = None  # called when a slider of little consequence is


def strength(value: float) -> str:
    """Return a number as the stops of a log slider show it: ``0``, ``5e-6``, ``0.02``."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:g}"


def to_values(experiment: Experiment) -> dict[str, Any]:
    """Return the value of every widget that shows ``experiment``, by its path.

    The paths are the experiment's own, except for the lists: ``layers`` and ``units.i`` are
    ``model.hidden``; ``per_layer`` says whether dropout is one rate or ``p.i`` for each layer.
    ``own`` holds somebody's own data as they are; what follows from them has no widget, so that
    it keeps its value for other data.
    """
    mapping = experiment.to_dict()
    own = experiment.data.points is not None
    if own:
        for name in (*OWN_FIELDS, "n_samples", "noise"):
            mapping["data"].pop(name, None)
    values: dict[str, Any] = {}
    for group, parts in mapping.items():
        values |= {f"{group}.{name}": value for name, value in parts.items()}
    if own:
        values["own"] = experiment.data
    values.setdefault("training.momentum", experiment.training.momentum)
    values.setdefault("model.init_scale", experiment.model.init_scale)
    for path in ("model.embedding", "model.heads", *(path for path, *_ in _DROPOUT_PLACES)):
        group, name = path.split(".")
        values.setdefault(path, getattr(getattr(experiment, group), name))
    values["training.batch_size"] = experiment.training.batch_size or ALL

    stop = values.pop(_EARLY)
    values["early"] = stop is not None
    if stop is not None:
        values |= {f"{_EARLY}.{name}": value for name, value in stop.items()}

    values.pop(_AUGMENTATION, None)
    changes = experiment.regularization.augmentation or AugmentationSpec()
    values |= {f"{_AUGMENTATION}.{f.name}": getattr(changes, f.name) for f in fields(changes)}

    hidden = values.pop("model.hidden")
    values["layers"] = len(hidden)
    values |= {f"units.{i}": units for i, units in enumerate(hidden)}

    rates = values.pop("regularization.dropout")
    values["per_layer"] = isinstance(rates, list)
    if isinstance(rates, list):
        values |= {f"p.{i}": rate for i, rate in enumerate(rates)}
    else:
        values["p"] = rates
    return values


def from_values(values: Mapping[str, Any]) -> Experiment:
    """Return the experiment that the widgets' values say; the inverse of :func:`to_values`.

    Raises
    ------
    SpecError
        If the values do not fit together.
    """
    groups: dict[str, dict[str, Any]] = {
        "data": {},
        "model": {},
        "regularization": {},
        "training": {},
    }
    values = dict(values)  # the page's next run may draw its controls already
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
        groups["regularization"]["early_stopping"] = {
            name: values[f"{_EARLY}.{name}"]
            for name in ("patience", "min_delta", "restore_best_weights")
        }
    groups["regularization"]["augmentation"] = {
        path.removeprefix(f"{_AUGMENTATION}."): value
        for path, value in values.items()
        if path.startswith(f"{_AUGMENTATION}.")
    }
    return Experiment.from_dict(groups)


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
    """Return somebody's own data where the controls say that they are used."""
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
    names = list(WIDGETS)
    for group, (first, last) in _GROUPS.items():
        is_open = group == "Regularization"
        with st.expander(group, expanded=is_open, key=f"group-{group.lower()}"):
            for name in names[names.index(first) : names.index(last) + 1]:
                turns.give_way()
                WIDGETS[name]()
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
    show: Callable[[Any], str] = strength,
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


# --- the groups -------------------------------------------------------------------------------


def _dropout() -> None:
    values = _memory()
    layers = values["layers"]
    p_help = (
        "The probability that a hidden unit is dropped in a training step; what stays is scaled "
        "by 1/(1-p), and nothing is dropped when the model is used. Usual: 0.3-0.5 on hidden "
        "layers, the last one (before the output layer) included, 0.1-0.3 on inputs, none on the "
        "output itself."
    )
    if values["per_layer"] and layers:
        for i in range(layers):
            values.setdefault(f"p.{i}", values.get(f"p.{i - 1}", values["p"]))
            _slider(f"Dropout p, layer {i + 1}", f"p.{i}", 0.0, 0.9, 0.05, help=p_help)
    else:
        _slider("Dropout p", "p", 0.0, 0.9, 0.05, help=p_help)
    if values["model.kind"] == "mlp" and layers:
        _usual("0.3–0.5 on hidden layers")
    _caution("regularization.dropout")


def _input_dropout() -> None:
    _slider(
        "Input dropout p",
        "regularization.input_dropout",
        0.0,
        0.9,
        0.05,
        help="Dropout on the input features. Usual: 0.1-0.3, and only with many features.",
    )
    _usual("0.1–0.3, with many features")


def _usual(text: str) -> None:
    """Draw the usual range of the slider above it."""
    st.html(f'<p class="rv-note rv-usual">typical {text}</p>')


def _caution(path: str) -> None:
    """Say below its control where another setting gets in the way of this one."""
    said = _panel().cautions.get(path)
    if said is not None:
        st.html(f'<p class="rv-note rv-caution">{escape(said)}</p>')


def _with_caution(path: str, draw: Callable[[], None]) -> Callable[[], None]:
    def widget() -> None:
        draw()
        _caution(path)

    return widget


def _dropout_per_layer() -> None:
    if not _memory()["layers"]:
        return

    def spread() -> None:
        for i in range(_memory()["layers"]):
            _memory()[f"p.{i}"] = _memory()["p"]

    _switch("A dropout rate for each layer", "per_layer", on_change=spread)


def _data_set() -> None:
    kinds = (*DATA_NAMES, *([OWN_KIND] if "own" in _memory() else []))
    names = DATA_NAMES | {OWN_KIND: "own data"}
    _choice("Data set", "data.kind", kinds, show=lambda k: names.get(k, k))


def _of_made_data(
    label: str, path: str, low: float, high: float, step: float, *, help: str
) -> None:
    """A slider for data that are made; own points are as many as they are, where they are."""
    if _memory()["data.kind"] != OWN_KIND:
        _slider(label, path, low, high, step, help=help)


def _turn_on_early_stopping() -> None:
    panel = _panel()
    key = f"{panel.prefix}early:switch"
    if st.session_state.get(key) and panel.moved is not None:
        panel.moved()
        return
    panel.values["early"] = True
    st.session_state[key] = True


def _units() -> None:
    values = _memory()
    columns = st.columns(2, gap="small")
    for i in range(values["layers"]):
        values.setdefault(f"units.{i}", values.get(f"units.{i - 1}", 64))
        with columns[i % 2]:
            _stops(f"Units {i + 1}", f"units.{i}", WIDTHS, show=str)


def _channels() -> None:
    values = _memory()
    for i in range(values["layers"]):
        values.setdefault(f"units.{i}", values.get(f"units.{i - 1}", 16))
        _stops(f"Channels {i + 1}", f"units.{i}", (4, 8, 16, 32), show=str)


def _momentum() -> None:
    if _memory()["training.optimizer"] == "sgd":
        _slider("Momentum", "training.momentum", 0.0, 0.95, 0.05)


def _dropout_place(path: str) -> None:
    """Draw the control of one place where a sequence model drops, its usual range below it."""
    label, usual = next(place[1:] for place in _DROPOUT_PLACES if place[0] == path)
    _slider(label, path, 0.0, 0.9, 0.05, help=_DROPPED[path])
    _usual(usual)


_DROPPED = {
    "regularization.recurrent_dropout": "The probability that a unit's state is dropped on its way "
    "to the next step. One mask for the whole sequence, the same at every step.",
    "regularization.attention_dropout": "The probability that an entry of the attention map is "
    "dropped in a training step; the others are scaled by 1/(1-p).",
    "regularization.residual_dropout": "The probability that an output of a sub-layer is dropped "
    "in a training step, before it is added to the residual stream.",
}


WIDGETS: dict[str, Callable[[], None]] = {
    "dropout": _dropout,
    "l1": _with_caution(
        "regularization.l1",
        lambda: _stops(
            "L1 λ",
            "regularization.l1",
            LAMBDAS,
            help="Adds λ·Σ|w| to the objective, by a proximal step, so weights become exactly 0 – "
            "with Adam, AdamW or the full batch. Plain SGD on mini-batches leaves most of them "
            "only near 0. Biases are not penalized.",
        ),
    ),
    "l2": lambda: _stops(
        "L2 λ",
        "regularization.l2",
        LAMBDAS,
        help="Adds ½·λ·Σw² to the objective (with the ½, so the gradient is λ·w). Biases are not "
        "penalized. With L1 as well it is the elastic net.",
    ),
    "weight_decay": lambda: _stops(
        "Weight decay",
        "regularization.weight_decay",
        LAMBDAS,
        help="What the optimizer of this run does under that name. SGD and Adam: λ·w is added to "
        "the gradient (for SGD the same as L2, for Adam scaled like any gradient). AdamW: "
        "decoupled, w shrinks by lr·λ·w each step. Biases are not decayed.",
    ),
    "label_smoothing": lambda: _slider(
        "Label smoothing ε",
        "regularization.label_smoothing",
        0.0,
        0.5,
        0.05,
        help="Targets 0 and 1 become ε/2 and 1-ε/2 (in general ε/K and 1-ε+ε/K).",
    ),
    "input_noise": lambda: _slider(
        "Input noise σ",
        "regularization.input_noise",
        0.0,
        1.0,
        0.05,
        help="Gaussian noise of this standard deviation on the inputs of every training step.",
    ),
    "early_stopping": lambda: _switch(
        "Early stopping",
        "early",
        help="Stop when the validation loss has not improved for a while. Moving a slider below "
        "switches it on.",
    ),
    "patience": _with_caution(
        f"{_EARLY}.patience",
        lambda: _slider(
            "Patience",
            f"{_EARLY}.patience",
            0,
            100,
            1,
            help="Epochs in a row without an improvement before the run stops.",
            on_change=_turn_on_early_stopping,
        ),
    ),
    "min_delta": lambda: _stops(
        "Min delta",
        f"{_EARLY}.min_delta",
        MIN_DELTAS,
        help="The validation loss must fall by more than this to count as an improvement.",
        on_change=_turn_on_early_stopping,
    ),
    "restore_best_weights": lambda: _switch(
        "Restore best weights",
        f"{_EARLY}.restore_best_weights",
        help="At the end of the run, go back to the weights of the best epoch; also where the run "
        "reaches its last epoch without stopping.",
    ),
    "input_dropout": _input_dropout,
    "dropout_per_layer": _dropout_per_layer,
    "dropout_kind": _with_caution(
        "regularization.dropout_kind",
        lambda: _choice(
            "Dropout kind",
            "regularization.dropout_kind",
            ("standard", "alpha"),
            help="Alpha dropout keeps mean and variance of SELU networks, and of no others.",
        ),
    ),
    "data_set": _data_set,
    "samples": lambda: _of_made_data(
        "Samples", "data.n_samples", 50, 2000, 50, help="Training and validation together."
    ),
    "noise": lambda: _of_made_data(
        "Noise",
        "data.noise",
        0.0,
        1.0,
        0.05,
        help="How far the points scatter around their class's shape.",
    ),
    "label_noise": lambda: _slider(
        "Label noise",
        "data.label_noise",
        0.0,
        0.5,
        0.05,
        help="Probability that a training label is wrong. Validation labels stay true.",
    ),
    "irrelevant_features": lambda: _slider(
        "Irrelevant features",
        "data.irrelevant_features",
        0,
        50,
        1,
        help="Inputs of pure noise, added to the two relevant ones.",
    ),
    "val_fraction": lambda: _slider("Validation fraction", "data.val_fraction", 0.1, 0.9, 0.05),
    "data_seed": lambda: _whole(
        "Data seed",
        "data.seed",
        0,
        2**31 - 1,
        help="Another seed draws other points of the same kind; for own data, another split.",
    ),
    "hidden_layers": lambda: _slider(
        "Hidden layers",
        "layers",
        0,
        max(MOST_LAYERS, _memory()["layers"]),
        1,
        help="0 is a linear model.",
    ),
    "units": _units,
    "activation": lambda: _choice("Activation", "model.activation", ACTIVATIONS),
    "init_scale": lambda: _stops(
        "Initial weights ×",
        "model.init_scale",
        INIT_SCALES,
        help="Multiplies the usual initial weights, not the biases. Far from 1 is usually a bad "
        "start.",
    ),
    "norm": _with_caution(
        "model.norm",
        lambda: _choice(
            "Normalization",
            "model.norm",
            (None, *NORMS),
            show=lambda v: "none" if v is None else f"{v} norm",
        ),
    ),
    "norm_position": lambda: _choice(
        "Normalization position",
        "model.norm_position",
        NORM_POSITIONS,
        show=lambda v: f"{v} the activation",
    ),
    "optimizer": lambda: _choice(
        "Optimizer", "training.optimizer", OPTIMIZERS, show=_optimizer_name
    ),
    "lr": lambda: _stops(
        "Learning rate",
        "training.lr",
        LEARNING_RATES,
        help="The step size. If it is far too large, the run may diverge.",
    ),
    "momentum": _momentum,
    "batch_size": _with_caution(
        "training.batch_size",
        lambda: _stops(
            "Batch size",
            "training.batch_size",
            BATCH_SIZES,
            show=str,
            help="Training points in one step. A remainder of one point, or of at most a quarter "
            "of the batch size, joins the last batch.",
        ),
    ),
    "epochs": lambda: _slider("Epochs", "training.epochs", 10, 1000, 10),
    "seed": lambda: _whole(
        "Seed",
        "training.seed",
        0,
        2**31 - 1,
        help="Initial weights, batch order and dropout masks; the same for both models.",
    ),
    # of sequence models, beyond the panel's groups
    **{path.partition(".")[2]: functools.partial(_dropout_place, path) for path in _DROPPED},
    "token_noise": lambda: _slider(
        "Noise",
        "data.noise",
        0.0,
        1.0,
        0.05,
        help="The probability that a token is replaced by one drawn at random.",
    ),
    "token_width": lambda: _stops(
        "Token width",
        "model.embedding",
        (4, 8, 16, 32),
        show=str,
        help="Length of each token's embedding.",
    ),
    "heads": lambda: _stops(
        "Heads",
        "model.heads",
        (1, 2, 4),
        show=str,
        help="The heads split the token's width between them.",
    ),
    "blocks": lambda: _slider("Blocks", "layers", 1, 3, 1),
    "layer_norm": lambda: _choice(
        "Normalization",
        "model.norm",
        (None, "layer"),
        show=lambda v: "none" if v is None else f"{v} norm",
    ),
    "block_norm_position": lambda: _choice(
        "Normalization position",
        "model.norm_position",
        NORM_POSITIONS,
        show=lambda v: {"before": "before a sub-layer", "after": "after its sum"}[v],
    ),
    # of images, beyond the panel's groups
    "map_dropout_kind": _with_caution(
        "regularization.dropout_kind",
        lambda: _choice(
            "Dropout kind",
            "regularization.dropout_kind",
            ("spatial", "standard"),
            show=lambda v: {
                "spatial": "whole maps (Dropout2d)",
                "standard": "single units (Dropout)",
            }.get(v, v),
            help="Spatial dropout drops whole feature maps.",
        ),
    ),
    "map_norm": lambda: _choice(
        "Normalization",
        "model.norm",
        (None, "batch"),
        show=lambda v: "none" if v is None else "batch norm (BatchNorm2d)",
        help="Each map is normalized over the batch and all its positions.",
    ),
    "convolutions": lambda: _slider("Convolutions", "layers", 1, 3, 1),
    "channels": _channels,
    "images": lambda: _slider(
        "Images", "data.n_samples", 100, 1700, 50, help="Training and validation together."
    ),
    "pixel_noise": lambda: _slider(
        "Noise",
        "data.noise",
        0.0,
        1.0,
        0.05,
        help="Standard deviation of the noise added once to every pixel; pixels are from 0 to 1.",
    ),
    "degrees": lambda: _stops(
        "Degrees",
        f"{_AUGMENTATION}.degrees",
        (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0),
        show=lambda v: f"{v:g}",
        help="Each training image is rotated by up to this angle, in either direction.",
    ),
    "translate": lambda: _slider(
        "Translate",
        f"{_AUGMENTATION}.translate",
        0.0,
        0.5,
        0.05,
        help="Shifted by up to this fraction of a side in both directions; the rest is cropped.",
    ),
    "scale": lambda: _slider(
        "Scale",
        f"{_AUGMENTATION}.scale",
        0.0,
        0.9,
        0.05,
        help="Enlarged by a factor from 1-scale to 1+scale.",
    ),
    "horizontal_flip": lambda: _slider(
        "Horizontal flip",
        f"{_AUGMENTATION}.horizontal_flip",
        0.0,
        1.0,
        0.05,
        help="The probability of a mirror image. A mirrored digit may no longer be a digit.",
    ),
    "brightness": lambda: _slider(
        "Brightness",
        f"{_AUGMENTATION}.brightness",
        0.0,
        1.0,
        0.05,
        help="Multiplied by a factor from 1-strength to 1+strength.",
    ),
    "contrast": lambda: _slider(
        "Contrast",
        f"{_AUGMENTATION}.contrast",
        0.0,
        1.0,
        0.05,
        help="Differences from the image's mean are multiplied by a factor from 1-strength to "
        "1+strength.",
    ),
}
"""Every control by its name, in the order of the panel."""

_GROUPS = {
    "Regularization": ("dropout", "dropout_kind"),
    "Data": ("data_set", "data_seed"),
    "Model": ("hidden_layers", "norm_position"),
    "Training": ("optimizer", "seed"),
}
"""The panel's groups: first and last control of each."""


def _optimizer_name(kind: str) -> str:
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(kind, kind)


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
    "strength",
    "to_values",
    "use_own_data",
]
