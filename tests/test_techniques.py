"""The table of techniques: the page, core, twin and paper of every row exist."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regviz.specs import DROPOUT_KINDS, NORMS, RegularizationSpec, field_names
from regviz.specs.techniques import TECHNIQUES, Technique

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs/techniques.md").read_text(encoding="utf-8")
every_technique = pytest.mark.parametrize("row", TECHNIQUES, ids=lambda row: row.name)


def named(where: str) -> Any:
    module, name = where.split(":")
    return getattr(importlib.import_module(module), name)


def calls(code: str, name: str) -> bool:
    return re.search(rf"\b{name}\(", code) is not None


@every_technique
def test_the_page_is_in_the_app_and_runs_and_shows_the_twin(row: Technique) -> None:
    code = (ROOT / row.page).read_text(encoding="utf-8")
    assert f'"{row.page}"' in (ROOT / "app.py").read_text(encoding="utf-8")
    module, name = row.twin.split(":")
    assert f"from {module} import" in code
    ran = code[code.index("def code_ran(") : code.index("LESSON = ")]
    assert calls(ran, name)
    shown = re.search(r"\n +code=\(([^)]*)\)", code)
    assert shown is not None
    assert name in re.split(r"[\s,]+", shown[1])


@every_technique
def test_the_core_and_the_field_are_there(row: Technique) -> None:
    assert row.field in field_names()
    assert (inspect.getdoc(named(row.core)) or "").strip()


@every_technique
def test_the_twin_is_whole_and_names_its_source(row: Technique) -> None:
    twin: Callable[..., Any] = named(row.twin)
    doc = inspect.getdoc(twin) or ""
    assert re.search(r"Source:", doc), row.name
    assert re.search(r"[=←Σ+·-]", doc), "its formula"
    assert inspect.unwrap(twin) is twin, "undecorated"
    imports = Path(inspect.getfile(twin)).read_text(encoding="utf-8")
    assert not re.search(r"^(import|from) (torch|sklearn|streamlit|regviz)", imports, re.M)


@every_technique
def test_the_paper_is_among_the_pages_or_the_twins_sources(row: Technique) -> None:
    told = (ROOT / row.page).read_text(encoding="utf-8") + (named(row.twin).__doc__ or "")
    told = " ".join(told.split())
    for paper in row.paper.split("; "):
        author, year = re.split(r"[ ,]", paper)[0], paper[-4:]
        assert author in told, paper
        assert year in told, paper


@every_technique
def test_the_twin_is_tested(row: Technique) -> None:
    code = (ROOT / row.test).read_text(encoding="utf-8")
    assert calls(code, row.twin.split(":")[1])


def test_every_field_of_regularization_and_every_kind_of_its_choices_has_a_row() -> None:
    rows: dict[str, list[str]] = {row.field: [] for row in TECHNIQUES}
    for row in TECHNIQUES:
        rows[row.field].append(row.name.lower())
    for f in dataclasses.fields(RegularizationSpec):
        assert rows.get(f"regularization.{f.name}"), f.name
    for kind in set(DROPOUT_KINDS) - {"standard"}:
        assert f"{kind} dropout" in rows["regularization.dropout_kind"]
    assert rows["model.norm"] == [f"{norm} norm" for norm in NORMS]


def test_the_document_holds_the_same_table() -> None:
    lines = re.findall(
        r"^\| ([^|]+) \| `(pages/\w+\.py)` \| `([\w.:]+)` \| `([\w.:]+)` \| ([^|]+) \|$",
        DOCUMENT,
        re.MULTILINE,
    )
    assert lines == [
        (row.name, row.page, short(row.core), short(row.twin), row.paper) for row in TECHNIQUES
    ]


def short(where: str) -> str:
    return where.removeprefix("regviz.").replace(":", ".")
