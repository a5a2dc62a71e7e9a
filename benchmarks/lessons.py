"""Check that the default run of each lesson shows its claim on most seeds.

    python -m benchmarks.lessons [--seeds 0-9] [--page NAME ...] [--json FILE]

Trains the default run of every lesson and self-check question, and of every task, preset and other
page with a claim: once per training seed (on the default data) and once per data seed (with the
default training seed). Prints a table of pages and seeds with the number of confirmations. The
experiments, outcomes and expected answers are imported from the pages, so they cannot diverge.

``--page`` takes the start of a row's name, such as ``early_stopping``, ``self-check`` or
``preset: L1``, and may be given several times. The file written with ``--json`` holds
``{page: {"expected": "...", "seeds": [true, ...], "data_seeds": [true, ...]}}``.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regviz.frames import Frame
from regviz.frames.lab import LabFrame
from regviz.labs import start
from regviz.results import comparison, metrics, presets, sweeps
from regviz.specs import Experiment
from regviz.training.run import Run
from regviz.ui.lesson import Lanes, Lesson, Prediction, twins

PAGES = Path(__file__).resolve().parents[1] / "pages"
SEED, DATA_SEED = "training.seed", "data.seed"


@dataclass(frozen=True)
class Row:
    """A claim and the run that must confirm it.

    ``came_true`` judges the finished run of one seed with the lanes ``lanes(start)``.
    """

    page: str
    expected: str
    start: Experiment
    lanes: Callable[[Experiment], Lanes]
    came_true: Callable[[Frame, Lanes], bool]

    def outcomes(self, field: str, seeds: Sequence[int]) -> list[bool]:
        """Train the run once per value of a seed field, all in one stack, and judge each."""
        runs = [self.lanes(self.start.replace(field, seed)) for seed in seeds]
        run = Run([lane for lanes in runs for lane in lanes])
        for _ in run.steps():
            pass
        frame, at, out = run.frame(), 0, []
        for lanes in runs:
            part = sweeps.one_lane(frame, range(at, at + len(lanes)))
            out.append(bool(self.came_true(part, lanes)))
            at += len(lanes)
        return out


@dataclass(frozen=True)
class LabRow:
    """A claim that a lab must confirm. One seed determines its data, weights and masks, so the runs
    over training seeds and over data seeds are the same."""

    page: str
    expected: str
    lab: str
    came_true: Callable[[LabFrame], bool]

    def outcomes(self, field: str, seeds: Sequence[int]) -> list[bool]:
        """Run the lab once per seed, and judge each run."""
        out = []
        for seed in seeds:
            *_, frame = start(self.lab, {"seed": seed})
            out.append(bool(self.came_true(frame)))
        return out


def definitions(page: str) -> dict[str, Any]:
    """Return the names that ``pages/PAGE.py`` defines, without running its drawing code.

    A page is a script: imports, constants, lesson and functions come first, and drawing starts at
    its first bare call.
    """
    path = PAGES / f"{page}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = tree.body[: next((i for i, s in enumerate(tree.body) if _draws(s)), None)]
    names: dict[str, Any] = {"__name__": f"pages.{page}", "__file__": str(path)}
    sys.modules[names["__name__"]] = type(sys)(names["__name__"])  # dataclasses need the entry
    try:
        exec(compile(tree, str(path), "exec"), names)
    finally:
        del sys.modules[names["__name__"]]
    return names


def _draws(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def lessons() -> Iterator[tuple[str, Lesson]]:
    """Yield row name and lesson: pages by file name, questions by name."""
    for path in sorted(PAGES.glob("*.py")):
        if "lesson.Lesson(" not in path.read_text(encoding="utf-8"):
            continue
        names = definitions(path.stem)
        if "QUESTIONS" in names:
            for name, question in names["QUESTIONS"].items():
                yield f"self-check: {name.lower()}", question
        else:
            yield path.stem, names["LESSON"]


def rows() -> Iterator[Row | LabRow]:
    """Yield every claim of the app that a default run must confirm."""
    for name, lesson in lessons():
        prediction = lesson.prediction
        yield Row(
            name,
            prediction.options[prediction.expected],
            lesson.start,
            lesson.lanes,
            functools.partial(_as_expected, prediction),
        )
        for number, task in enumerate(lesson.tasks, start=1):
            if task.shows is not None:
                yield Row(
                    f"{name}: task {number}", task.words, task.experiment, lesson.lanes, task.shows
                )
    names = definitions("misconceptions")
    for brick in names["WALL"]:
        yield LabRow(f"misconceptions: {brick.short}", brick.correct, brick.lab, brick.shows)
    names = definitions("sweep")
    base, ranges, _ = next(iter(names["PRESETS"].values()))
    axes = tuple(sweeps.spread(*one) for one in ranges)
    yield Row(
        "sweep",
        f"the best {axes[0].label} is neither end of the range",
        base,
        lambda e: sweeps.Sweep(e, axes, 1).experiments,
        lambda frame, lanes: 0 < _lowest(frame) < len(lanes) - 1,
    )
    first, *others = comparison.START.experiments
    yield Row(
        "compare",
        "without regularization the validation loss is highest",
        first,
        lambda e: (e, *(_same_seeds(other, e) for other in others)),
        lambda frame, lanes: _lowest(frame, sign=-1) == 0,
    )
    for preset in presets.PRESETS:
        yield Row(
            f"preset: {preset.name}",
            preset.point,
            preset.experiment,
            twins,
            functools.partial(_shown_by, preset),
        )


def _as_expected(prediction: Prediction, frame: Frame, lanes: Lanes) -> bool:
    return prediction.outcome(frame, lanes)[0] == prediction.expected


def _shown_by(preset: presets.Preset, frame: Frame, lanes: Lanes) -> bool:
    without, with_ = frame.lanes
    return preset.shows(without, with_)


def _lowest(frame: Frame, sign: int = 1) -> int:
    """Return the index of the lane with the lowest (``sign`` 1) or highest (-1) validation loss."""
    losses = [sign * metrics.read(lane).val_loss for lane in frame.lanes]
    return min(range(len(losses)), key=losses.__getitem__)


def _same_seeds(e: Experiment, of: Experiment) -> Experiment:
    return e.replace(SEED, of.training.seed).replace(DATA_SEED, of.data.seed)


def chosen(pages: Sequence[str] | None) -> list[Row | LabRow]:
    """Return the rows whose names start with one of ``pages``; all rows without ``pages``.

    Raises
    ------
    SystemExit
        If one of ``pages`` matches no row.
    """
    every = list(rows())
    if not pages:
        return every
    found = []
    for wanted in pages:
        some = [row for row in every if _plain(row.page).startswith(_plain(wanted))]
        if not some:
            known = ", ".join(row.page for row in every)
            raise SystemExit(f"--page: got {wanted!r}; give the start of one of {known}.")
        found += [row for row in some if row not in found]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip()


def seeds_of(text: str) -> list[int]:
    """Read seeds: ``0-9``, or ``1,5,20-29``."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        ends = (low, high or low)
        if not all(end.isdecimal() for end in ends) or int(ends[0]) > int(ends[1]):
            raise argparse.ArgumentTypeError(f"got {text!r}; give seeds such as 0-9 or 1,5,20-29")
        found += range(int(ends[0]), int(ends[1]) + 1)
    return found


def _marks(outcomes: Iterable[bool]) -> str:
    return "".join("+" if came_true else "." for came_true in outcomes)


def main() -> None:
    """Train, print the table, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seeds_of, default="0-9", help="such as 0-9 or 1,5,20-29")
    parser.add_argument("--page", action="append", help="start of a row's name; several allowed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the outcomes")
    args = parser.parse_args()
    some, seeds = chosen(args.page), args.seeds
    wide, n = max(len(row.page) for row in some), len(seeds)
    mark = max(n, len("data seeds"))
    print(f"+ what is taught came true, . it did not; seeds {seeds[0]} … {seeds[-1]}\n")
    print(f"{'page':{wide}}  {'seeds':{mark}}  {'':>5}  {'data seeds':{mark}}  {'':>5}  expected")
    found: dict[str, dict[str, object]] = {}
    began = time.monotonic()
    for row in some:
        trained, drawn = (row.outcomes(field, seeds) for field in (SEED, DATA_SEED))
        found[row.page] = {"expected": row.expected, "seeds": trained, "data_seeds": drawn}
        print(
            f"{row.page:{wide}}  {_marks(trained):{mark}}  {sum(trained):>2}/{n:<2}  "
            f"{_marks(drawn):{mark}}  {sum(drawn):>2}/{n:<2}  {row.expected[:60]}",
            flush=True,
        )
    print(f"\n{len(some)} rows in {time.monotonic() - began:.0f} s")
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
