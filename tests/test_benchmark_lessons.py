"""The benchmark of the lessons: it reads the pages' values and counts confirmed claims."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import pytest

from benchmarks import lessons
from regviz.results import presets
from regviz.specs import Experiment


def test_every_lesson_and_question_declares_which_answer_its_run_shows() -> None:
    found = dict(lessons.lessons())
    pages = {path.stem for path in lessons.PAGES.glob("*.py")}
    assert {name for name in found if not name.startswith("self-check: ")} <= pages
    assert {"early_stopping", "combining", "self-check: convolutions"} <= set(found)
    for name, lesson in found.items():
        assert lesson.prediction.expected in range(len(lesson.prediction.options)), name


def test_a_page_is_read_up_to_where_it_draws() -> None:
    names = lessons.definitions("sequences")
    assert names["LESSON"].start == names["START"]
    assert "shown" not in names


def test_rows_have_names_of_their_own_and_every_preset_is_one() -> None:
    names = [row.page for row in lessons.rows()]
    assert len(set(names)) == len(names)
    assert {f"preset: {p.name}" for p in presets.PRESETS} <= set(names)


def test_an_outcome_is_that_of_the_same_run_alone() -> None:
    (row,) = (r for r in lessons.chosen(["noise"]) if r.page == "noise")
    assert isinstance(row, lessons.Row)
    row = dataclasses.replace(row, start=row.start.replace("training.epochs", 40))
    seeds = [3, 12]
    together = row.outcomes(lessons.DATA_SEED, seeds)
    assert together == [row.outcomes(lessons.DATA_SEED, [seed])[0] for seed in seeds]


def test_a_claim_that_is_false_is_counted_as_such() -> None:
    plain = Experiment.from_dict({"data": {"n_samples": 60}, "training": {"epochs": 2}})
    row = lessons.Row(
        "page", "the first seed only", plain, lambda e: (e,), lambda f, of: of[0].training.seed == 4
    )
    assert row.outcomes(lessons.SEED, [4, 5]) == [True, False]
    assert row.outcomes(lessons.DATA_SEED, [4, 5]) == [False, False]


def test_the_command_writes_what_it_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "outcomes.json"
    asked = ["lessons", "--seeds", "0,21", "--page", "self-check: L1 or L2", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", asked)
    lessons.main()
    name = "self-check: l1 or l2"
    assert json.loads(file.read_text(encoding="utf-8")) == {
        name: {"expected": "L1", "seeds": [True, True], "data_seeds": [True, True]}
    }
    assert name in capsys.readouterr().out


def test_seeds_are_read_and_nonsense_is_refused() -> None:
    assert lessons.seeds_of("0-3") == [0, 1, 2, 3]
    assert lessons.seeds_of("7,20-21") == [7, 20, 21]
    for text in ("", "3-1", "a", "1-b", "-4"):
        with pytest.raises(argparse.ArgumentTypeError):
            lessons.seeds_of(text)
    with pytest.raises(SystemExit, match="--page"):
        lessons.chosen(["no such page"])
