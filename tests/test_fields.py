"""The table of fields: every row has its control, caption and sweep, or says why not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from regviz import cli
from regviz.results import comparison, sweeps
from regviz.results.sweeps import Sweep, spread
from regviz.slides import words
from regviz.specs import (
    FIELDS,
    OWN_FIELDS,
    Experiment,
    Field,
    SpecError,
    experiments_from_json,
    experiments_to_json,
    field_names,
    from_link,
    to_link,
)
from regviz.specs.fields import GROUPS, PARTS
from regviz.specs.rows import Custom, Range
from regviz.training.run import fit
from regviz.ui import controls

EARLY = "regularization.early_stopping."
VALUES: tuple[Any, ...] = (
    0.25, 3, 4, 90, True, False, [8], "digits", "tanh", "batch", "after", "spatial", "sgd", "alpha",
    "cnn",
)  # fmt: skip
every_row = pytest.mark.parametrize("row", FIELDS.values(), ids=lambda row: row.path)


def replaceable(wanted: str) -> list[Any]:
    """Return the rows that can be changed on their own and have an entry in the table."""
    rows = [FIELDS[path] for path in field_names()]
    return [pytest.param(row, id=row.path) for row in rows if getattr(row, wanted)]


def base(row: Field) -> Experiment:
    """Return a small experiment of a kind that uses the field, with the field at its default."""
    kind = row.models[0] if row.models else "mlp"
    data = row.data[0] if row.data else "order" if kind in ("lstm", "transformer") else "moons"
    e = Experiment.from_dict(
        {
            "data": {"kind": data, "n_samples": 40, "noise": 0.3},
            "model": {"kind": kind, "hidden": [4]},
            "training": {"epochs": 2, "batch_size": None},
        }
    )
    if row.path == "model.kind":
        e = e.replace("data.kind", "digits")
    if row.path == "model.norm_position":
        e = e.replace("model.norm", "layer")
    if row.path == "regularization.dropout_kind":
        e = e.replace("regularization.dropout", 0.5)
    if row.only_with:
        e = e.replace(row.only_with[0], row.only_with[1][0])
    return e


def others(row: Field, e: Experiment) -> Iterator[Experiment]:
    """Yield experiments that differ from ``e`` in this field."""
    for value in ({"patience": 3}, {"degrees": 9}, *VALUES) if row.path in PARTS else VALUES:
        try:
            found = e.replace(row.path, value)
        except SpecError:
            continue
        if found.get(row.path) not in (row.default, e.get(row.path)):
            yield found


def another(row: Field) -> tuple[Experiment, Experiment]:
    e = base(row)
    return e, next(others(row, e))


# --- the rows -----------------------------------------------------------------------------------


def test_every_field_of_the_groups_has_a_row_with_its_default() -> None:
    found = []
    for group, cls in (GROUPS | PARTS).items():
        for f in dataclasses.fields(cls):
            row = FIELDS[f"{group}.{f.name}"]
            assert row.default == f.default == getattr(cls, f.name)
            found.append(row.path)
    assert sorted(found) == sorted(FIELDS)


@every_row
def test_a_row_says_what_it_is_and_where_it_is_shown_or_why_not(row: Field) -> None:
    assert row.label[0].isupper()
    assert row.help.endswith(".")
    for entry, reason in ((row.control, row.no_control), (row.sweep, row.no_sweep)):
        assert (entry is None) == bool(reason)
    assert "{}" in row.phrase
    assert row.after in ("", *FIELDS)
    assert row.part_of in FIELDS
    if row.can_be_off:
        assert not row.is_on(row.off)


def test_importing_the_table_needs_the_standard_library_only() -> None:
    code = (
        "import sys, regviz.specs, regviz.specs.cautions, regviz.specs.techniques\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(tops - sys.stdlib_module_names - {'regviz', '__main__', 'sitecustomize'}))"
    )
    command = [sys.executable, "-S", "-c", code]  # without what installed packages start up
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


# --- controls -----------------------------------------------------------------------------------


def draw_everything() -> None:
    """A page with the whole panel, and below it the controls of fields that it leaves out."""
    from regviz.specs import FIELDS, Experiment
    from regviz.ui import controls

    controls.scope("test")
    if not controls.is_loaded():
        controls.load(
            Experiment.from_dict(
                {"training": {"optimizer": "sgd"}, "regularization": {"early_stopping": {}}}
            )
        )
    controls.panel()
    for row in FIELDS.values():
        if row.control is not None and not any(row.applies("mlp", k) for k in controls.DATA_NAMES):
            controls.WIDGETS[row.control_name]()


def test_the_panel_draws_every_row_that_has_a_control() -> None:
    at = AppTest.from_function(draw_everything, default_timeout=60).run()
    assert not at.exception
    kinds = (at.slider, at.select_slider, at.selectbox, at.toggle, at.number_input)
    drawn = {widget.label: widget for kind in kinds for widget in kind}
    for row in FIELDS.values():
        if row.control is not None:
            assert row.label in drawn, row.path
            if row.tooltip:
                assert drawn[row.label].help == row.help


def test_controls_have_names_of_their_own() -> None:
    names = [row.control_name for row in FIELDS.values() if row.control]
    names += [control.name for row in FIELDS.values() for control in row.variants]
    assert len(names) == len(set(names))
    assert set(names) <= set(controls.WIDGETS)
    assert all(c.name for row in FIELDS.values() for c in row.variants)


@pytest.mark.parametrize("row", replaceable("control"))
def test_a_control_s_value_reaches_the_experiment(row: Field) -> None:
    e, changed = another(row)
    assert controls.from_values({"p": 0.0} | controls.to_values(changed)) == changed
    if not isinstance(row.control, Custom) and not row.path.startswith(EARLY):
        values = controls.to_values(e)
        values[row.path] = controls.to_values(changed)[row.path]
        assert controls.from_values({"p": 0.0} | values) == changed


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", replaceable("word"))
def test_a_field_that_is_changed_is_in_the_caption_and_in_the_names(row: Field) -> None:
    e, changed = another(row)
    a, b = comparison.names_of([e, changed])
    assert a != b
    first, second = words.labels([e, changed])
    assert first != second
    if row.no_caption:
        return
    value = words.flat(changed).get(row.path)
    text = str(value) if row.path == "data.kind" else words.phrase(row.path, value)
    assert text in words.caption([changed])


# --- files, links, the command line -------------------------------------------------------------


@pytest.mark.parametrize("row", replaceable("word"))
def test_files_links_and_the_command_line_bring_a_value_back(row: Field) -> None:
    e, changed = another(row)
    assert experiments_from_json(experiments_to_json([changed])) == (changed,)
    assert from_link(to_link(changed)) == changed
    if row.path not in PARTS:
        text = experiments_to_json([changed], indent=None)
        value = changed.get(row.path)
        value = list(value) if isinstance(value, tuple) else value
        (over,) = cli.sweep_experiments([e], [(row.path, [value])])
        assert experiments_to_json([over], indent=None) == text


@pytest.mark.parametrize("row", replaceable("can_be_off"))
def test_the_value_that_means_off_is_as_good_as_none(row: Field) -> None:
    e, changed = another(row)
    if row.path == f"{EARLY}patience":
        assert changed.without_regularization() == e
        return
    off = changed.replace(row.path, row.off)
    assert off == e
    assert to_link(off) == to_link(e)
    assert off.canonical_json() == e.canonical_json()
    assert not e.regularized
    assert changed.regularized == row.regularizes
    twin = changed.without_regularization()
    assert twin == (e if row.regularizes else changed)


# --- sweeps -------------------------------------------------------------------------------------


def test_the_sweep_page_offers_the_rows_that_have_a_range() -> None:
    assert set(sweeps.FIELDS) == {path for path, row in FIELDS.items() if row.sweep}
    for path, field in sweeps.FIELDS.items():
        assert field.label == FIELDS[path].label
        plain = {f.name: getattr(field, f.name) for f in dataclasses.fields(Range)}
        assert Range(**plain) == FIELDS[path].sweep


@pytest.mark.parametrize("path", list(sweeps.FIELDS))
def test_the_usual_range_trains(path: str) -> None:
    field = sweeps.FIELDS[path]
    sweep = Sweep(base(FIELDS[path]), (spread(path, field.low, field.high, 3),))
    for result in fit(sweep.experiments):
        assert result.frame.status != "diverged"
        assert np.isfinite(result.frame.curve("val_loss")).all()


def test_own_data_is_not_replaced_in_parts() -> None:
    assert not [path for path in field_names() if path.removeprefix("data.") in OWN_FIELDS]
