"""Links, files and refusals stay equal on every machine: see ``benchmarks/pinned.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import pinned
from regviz import specs
from regviz.specs import Experiment

PINNED: dict[str, Any] = json.loads((Path(__file__).parent / "pinned.json").read_text("utf-8"))
NAMES = tuple(pinned.EXPERIMENTS)


def test_every_experiment_is_pinned() -> None:
    assert tuple(PINNED["experiments"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_old_file_and_an_old_link_open_the_same_experiment(name: str) -> None:
    old = PINNED["experiments"][name]
    e = Experiment.from_dict(pinned.EXPERIMENTS[name])
    assert e.canonical_json() == old["canonical"]
    assert specs.experiments_from_json(old["canonical"]) == (e,)
    assert e.data.fingerprint == old["fingerprint"]
    assert specs.from_link(old["link"], {old["fingerprint"]: e.data}) == e
    # what is in it: another zlib may pack the same to other letters
    assert specs.unpack_link(specs.to_link(e)) == specs.unpack_link(old["link"])


@pytest.mark.parametrize("name", [key for key in PINNED if key not in ("experiments", "losses")])
def test_names_axes_and_refusals_are_as_they_were(name: str) -> None:
    assert _opened(pinned.texts()[name]) == _opened(PINNED[name])


def _opened(value: Any) -> Any:
    """Return a value with each link replaced by its content."""
    if isinstance(value, dict):
        return {key: _opened(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_opened(entry) for entry in value]
    return specs.unpack_link(value) if value.startswith("eN") else value


@pytest.mark.parametrize("name", pinned.LOSSES)
def test_a_run_comes_to_the_same_loss(name: str) -> None:
    assert pinned.last_loss(name) == pytest.approx(PINNED["losses"][name], abs=1e-3)
