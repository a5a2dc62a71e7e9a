"""The controls panel: widgets on one side, one :class:`~regviz.specs.Experiment` on the other.

Every field of an experiment has a widget, and every value that a file or a link may hold can be
shown: one that lies between the stops of its slider becomes a stop of its own, so that what was
loaded is what is trained. Values live in a plain mapping in the session state, because widgets
that are not drawn (another page, a hidden option) lose theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from regviz.specs import ACTIVATIONS, NORM_POSITIONS, NORMS, OPTIMIZERS, Experiment, SpecError

LAMBDAS = (0.0, *(float(f"{m}e{e}") for e in range(-6, 0) for m in (1, 2, 5)), 1.0)
"""Stops of penalty strengths: 0, then three a decade from 1e-6 to 1."""
LEARNING_RATES = (*(float(f"{m}e{e}") for e in range(-5, 3) for m in (1, 2, 5)), 1000.0)
MIN_DELTAS = (0.0, *(float(f"{m}e{e}") for e in range(-5, -1) for m in (1, 2, 5)), 0.1)
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
_EARLY = "regularization.early_stopping"
_MEMORY, _LOADED = "controls.values", "controls.loaded"


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
    """
    mapping = experiment.to_dict()
    values: dict[str, Any] = {}
    for group, fields in mapping.items():
        values |= {f"{group}.{name}": value for name, value in fields.items()}
    values.setdefault("training.momentum", experiment.training.momentum)
    values["training.batch_size"] = experiment.training.batch_size or ALL

    stop = values.pop(_EARLY)
    values["early"] = stop is not None
    if stop is not None:
        values |= {f"{_EARLY}.{name}": value for name, value in stop.items()}

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
    for path, value in values.items():
        group, _, name = path.partition(".")
        if group in groups and "." not in name:
            groups[group][name] = value
    if groups["training"]["batch_size"] == ALL:
        groups["training"]["batch_size"] = None
    layers = values["layers"]
    groups["model"]["hidden"] = [values[f"units.{i}"] for i in range(layers)]
    groups["regularization"]["dropout"] = (
        [values[f"p.{i}"] for i in range(layers)]
        if values["per_layer"] and layers
        else values["p"]
    )
    if values["early"]:
        groups["regularization"]["early_stopping"] = {
            name: values[f"{_EARLY}.{name}"]
            for name in ("patience", "min_delta", "restore_best_weights")
        }
    return Experiment.from_dict(groups)


_DEFAULTS = to_values(
    Experiment.from_dict({"regularization": {"early_stopping": {"patience": 10}}})
)


def load(experiment: Experiment) -> None:
    """Show ``experiment`` in the widgets. To be called before they are drawn, or in a callback."""
    values = _memory()
    last_p = values.get("p", 0.0)
    values |= to_values(experiment)
    values.setdefault("p", last_p)
    st.session_state[_LOADED] = dict(values)
    for key in [str(k) for k in st.session_state]:
        if key.startswith("c."):
            del st.session_state[key]


def panel() -> Experiment:
    """Draw the controls and return the experiment they say.

    Raises
    ------
    SpecError
        If the values do not fit together (say, a validation fraction that leaves no point).
    """
    _catch_up()
    with st.expander("Regularization", expanded=True, key="group-regularization"):
        _regularization()
    with st.expander("Data", key="group-data"):
        _data()
    with st.expander("Model", key="group-model"):
        _model()
    with st.expander("Training", key="group-training"):
        _training()
    return from_values(_memory())


def _memory() -> dict[str, Any]:
    values: dict[str, Any] = st.session_state.setdefault(_MEMORY, dict(_DEFAULTS))
    return values


def _catch_up() -> None:
    """Take in what was just moved, because some widgets depend on others further down."""
    for key in [str(k) for k in st.session_state]:
        if key.startswith("c."):
            _memory()[key[2:].rpartition(":")[0]] = st.session_state[key]


# --- one widget each: seeded from the memory when it appears, written back when it answers -----


def _seed(path: str, kind: str) -> str:
    key = f"c.{path}:{kind}"
    if key not in st.session_state:
        st.session_state[key] = _memory()[path]
    return key


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
    loaded = st.session_state.get(_LOADED, _DEFAULTS).get(path, low)
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
        step=step,
        key=_seed(path, "slider"),
        help=help,
        format=None if whole else "%.2f",
        on_change=on_change,
    )
    # the browser adds up steps in floating point: 0.15000000000000002 is the stop 0.15
    _memory()[path] = min(grid, key=lambda stop: abs(stop - value))


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
    loaded = st.session_state.get(_LOADED, _DEFAULTS)
    stops = {*grid, loaded[path]} if path in loaded else set(grid)
    ordered = sorted(stops, key=lambda stop: (stop == ALL, 0 if stop == ALL else stop))
    _memory()[path] = st.select_slider(
        label,
        ordered,
        format_func=show,
        key=_seed(path, "stops"),
        help=help,
        on_change=on_change,
    )


def _choice(
    label: str,
    path: str,
    options: Sequence[Any],
    *,
    show: Callable[[Any], str] = str,
    help: str | None = None,
) -> None:
    now = _memory()[path]
    every = options if now in options else [*options, now]
    _memory()[path] = st.selectbox(
        label, every, format_func=show, key=_seed(path, "choice"), help=help
    )


def _switch(
    label: str, path: str, *, help: str | None = None, on_change: Callable[[], None] | None = None
) -> None:
    _memory()[path] = st.toggle(
        label, key=_seed(path, "switch"), help=help, on_change=on_change
    )


def _whole(label: str, path: str, low: int, high: int, *, help: str | None = None) -> None:
    value = st.number_input(label, low, high, step=1, key=_seed(path, "number"), help=help)
    _memory()[path] = int(value)


# --- the groups -------------------------------------------------------------------------------


def _regularization() -> None:
    values = _memory()
    layers = values["layers"]
    p_help = (
        "The probability that a hidden unit is dropped in a training step; what stays is scaled "
        "by 1/(1-p), and nothing is dropped when the model is used. Usual: 0.3-0.5 on hidden "
        "layers, 0.1-0.3 on inputs, none before the output."
    )
    if values["per_layer"] and layers:
        for i in range(layers):
            values.setdefault(f"p.{i}", values.get(f"p.{i - 1}", values["p"]))
            _slider(f"Dropout p, layer {i + 1}", f"p.{i}", 0.0, 0.9, 0.05, help=p_help)
    else:
        _slider("Dropout p", "p", 0.0, 0.9, 0.05, help=p_help)
    _stops(
        "L1 λ",
        "regularization.l1",
        LAMBDAS,
        help="Adds λ·Σ|w| to the objective, by a proximal step, so weights become exactly 0. "
        "Biases are not penalized.",
    )
    _stops(
        "L2 λ",
        "regularization.l2",
        LAMBDAS,
        help="Adds ½·λ·Σw² to the objective (with the ½, so the gradient is λ·w). Biases are not "
        "penalized. With L1 as well it is the elastic net.",
    )
    _stops(
        "Weight decay",
        "regularization.weight_decay",
        LAMBDAS,
        help="What the optimizer of this run does under that name. SGD and Adam: λ·w is added to "
        "the gradient (for SGD the same as L2, for Adam scaled like any gradient). AdamW: "
        "decoupled, w shrinks by lr·λ·w each step. Biases are not decayed.",
    )
    _slider(
        "Label smoothing ε",
        "regularization.label_smoothing",
        0.0,
        0.5,
        0.05,
        help="Targets 0 and 1 become ε/2 and 1-ε/2 (in general ε/K and 1-ε+ε/K).",
    )
    _slider(
        "Input noise σ",
        "regularization.input_noise",
        0.0,
        1.0,
        0.05,
        help="Gaussian noise of this standard deviation on the inputs of every training step.",
    )

    def turn_on() -> None:
        _memory()["early"] = True
        st.session_state["c.early:switch"] = True

    _switch(
        "Early stopping",
        "early",
        help="Stop when the validation loss has not improved for a while. Moving a slider below "
        "switches it on.",
    )
    _slider(
        "Patience",
        f"{_EARLY}.patience",
        0,
        100,
        1,
        help="Epochs in a row without an improvement before the run stops.",
        on_change=turn_on,
    )
    _stops(
        "Min delta",
        f"{_EARLY}.min_delta",
        MIN_DELTAS,
        help="The validation loss must fall by more than this to count as an improvement.",
        on_change=turn_on,
    )
    _switch(
        "Restore best weights",
        f"{_EARLY}.restore_best_weights",
        help="After stopping, go back to the weights of the best epoch.",
    )
    _slider(
        "Input dropout p",
        "regularization.input_dropout",
        0.0,
        0.9,
        0.05,
        help="Dropout on the input features. Usual: 0.1-0.3, and only with many features.",
    )
    if layers:

        def spread() -> None:
            for i in range(_memory()["layers"]):
                _memory()[f"p.{i}"] = _memory()["p"]

        _switch("A dropout rate for each layer", "per_layer", on_change=spread)
    _choice(
        "Dropout kind",
        "regularization.dropout_kind",
        ("standard", "alpha"),
        help="Alpha dropout keeps mean and variance of SELU networks.",
    )


def _data() -> None:
    _choice("Data set", "data.kind", tuple(DATA_NAMES), show=lambda k: DATA_NAMES.get(k, k))
    _slider("Samples", "data.n_samples", 50, 2000, 50, help="Training and validation together.")
    _slider("Noise", "data.noise", 0.0, 1.0, 0.05, help="How far the points scatter.")
    _slider(
        "Label noise",
        "data.label_noise",
        0.0,
        0.5,
        0.05,
        help="Probability that a training label is wrong. Validation labels stay true.",
    )
    _slider(
        "Irrelevant features",
        "data.irrelevant_features",
        0,
        50,
        1,
        help="Inputs of pure noise beside the two that matter.",
    )
    _slider("Validation fraction", "data.val_fraction", 0.1, 0.9, 0.05)
    _whole("Data seed", "data.seed", 0, 2**31 - 1, help="Draws other points of the same kind.")


def _model() -> None:
    values = _memory()
    most = max(MOST_LAYERS, values["layers"])
    _slider("Hidden layers", "layers", 0, most, 1, help="0 is a linear model.")
    columns = st.columns(2, gap="small")
    for i in range(values["layers"]):
        values.setdefault(f"units.{i}", values.get(f"units.{i - 1}", 64))
        with columns[i % 2]:
            _stops(f"Units {i + 1}", f"units.{i}", WIDTHS, show=str)
    _choice("Activation", "model.activation", ACTIVATIONS)
    _choice(
        "Normalization",
        "model.norm",
        (None, *NORMS),
        show=lambda v: "none" if v is None else f"{v} norm",
    )
    _choice(
        "Normalization position",
        "model.norm_position",
        NORM_POSITIONS,
        show=lambda v: f"{v} the activation",
    )


def _training() -> None:
    _choice("Optimizer", "training.optimizer", OPTIMIZERS, show=_optimizer_name)
    _stops(
        "Learning rate",
        "training.lr",
        LEARNING_RATES,
        help="The step size. Far too large and the run diverges.",
    )
    if _memory()["training.optimizer"] == "sgd":
        _slider("Momentum", "training.momentum", 0.0, 0.95, 0.05)
    _stops(
        "Batch size",
        "training.batch_size",
        BATCH_SIZES,
        show=str,
    )
    _slider("Epochs", "training.epochs", 10, 1000, 10)
    _whole(
        "Seed",
        "training.seed",
        0,
        2**31 - 1,
        help="Initial weights, batch order and dropout masks; the same for both models.",
    )


def _optimizer_name(kind: str) -> str:
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(kind, kind)


__all__ = ["SpecError", "from_values", "load", "panel", "strength", "to_values"]
