"""Slides without a server: a spec is trained, a result file is drawn as it is.

What a result file does not hold (weights' histograms, the frames of an animation or an earlier
epoch, boundaries of more than two inputs) is trained again from its experiments; runs are
deterministic, and where the numbers come out differently after all (another device, another
version), that is said.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz import sweeps
from regviz.frames import HISTOGRAM_BINS, HISTORY, Frame, LaneFrame
from regviz.metrics import DIVERGED, GOOD, OVER, UNDECIDED, UNDER, Verdict
from regviz.palette import Palette
from regviz.slides import MOVING, Runs
from regviz.specs import MAX_LANES, Experiment, SpecError, experiments_from_value

STATUSES = ("finished", "stopped", "diverged", "cancelled")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """What a file describes: experiments and, from a result file, how they ended."""

    experiments: tuple[Experiment, ...]
    lanes: tuple[LaneFrame, ...] | None = None
    verdicts: tuple[Verdict, ...] | None = None  # None also of a file without them

    def only(self, numbers: Sequence[int]) -> Source:
        """Return the runs with these numbers, counted from 1."""
        for number in numbers:
            if not 1 <= number <= len(self.experiments):
                raise SpecError(
                    f"--runs: got {number}; the file holds runs 1 to {len(self.experiments)}."
                )
        at = [number - 1 for number in numbers]
        lanes = None if self.lanes is None else tuple(self.lanes[i] for i in at)
        said = None if self.verdicts is None else tuple(self.verdicts[i] for i in at)
        return Source(tuple(self.experiments[i] for i in at), lanes, said)


# --- files -------------------------------------------------------------------------------------


def source_from_value(value: object) -> Source:
    """Read a spec or a result file from its parsed JSON.

    Raises
    ------
    SpecError
        If it is neither, with what is wrong about it.
    """
    if not (isinstance(value, Mapping) and "runs" in value):
        return Source(experiments_from_value(value))
    entries = value["runs"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_LANES:
        raise SpecError(f"runs: this is no result file; give a list of 1 to {MAX_LANES} runs.")
    experiments, lanes, verdicts = [], [], []
    for i, entry in enumerate(entries):
        where = f"runs[{i}]"
        if not isinstance(entry, Mapping):
            raise _foreign(where)
        try:
            experiments.append(Experiment.from_dict(entry.get("experiment")))
        except SpecError as error:
            raise SpecError(f"{where}.{error}") from None
        lanes.append(_lane(entry, experiments[-1], where))
        verdicts.append(_verdict(entry, f"{where}.verdict"))
    said = [verdict for verdict in verdicts if verdict is not None]
    whole = len(said) == len(verdicts)
    return Source(tuple(experiments), tuple(lanes), tuple(said) if whole else None)


def _foreign(where: str) -> SpecError:
    return SpecError(f"{where}: this is not what regviz writes; give a result of run or sweep.")


def _lane(entry: Mapping[str, Any], experiment: Experiment, where: str) -> LaneFrame:
    """Return a run's last frame as far as a result file holds it."""
    history = entry.get("history")
    if not isinstance(history, Mapping) or entry.get("status") not in STATUSES:
        raise _foreign(f"{where}.history" if "status" in entry else where)
    rows = [_numbers(history.get(name), f"{where}.history.{name}") for name in HISTORY]
    epochs = len(rows[0])
    if any(len(row) != epochs for row in rows):
        raise SpecError(f"{where}.history: its lists differ in length; give a whole result file.")
    if not epochs:
        raise SpecError(f"{where}: it was never trained, so there is nothing to draw.")
    weights = entry.get("weights")
    try:
        names = tuple(str(w["layer"]) for w in weights)  # type: ignore[union-attr]
        shapes = tuple((int(w["shape"][0]), int(w["shape"][1])) for w in weights)  # type: ignore[union-attr]
        zeros = np.array([int(w["zeros"]) for w in weights], np.int64)  # type: ignore[union-attr]
        norms = np.array([_float(w["norm"]) for w in weights], np.float64)  # type: ignore[union-attr]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        raise _foreign(f"{where}.weights") from None
    stopping, status = experiment.regularization.early_stopping, entry["status"]
    asked = stopping is not None and stopping.restore_best_weights
    # files from before the field was there restored at the end of whatever did not diverge
    restored = entry.get("restored_best_weights", asked and status in ("finished", "stopped"))
    if not isinstance(restored, bool):
        raise _foreign(f"{where}.restored_best_weights")
    layers = len(names)
    return LaneFrame(
        status="running" if status == "cancelled" else status,
        epoch=epochs,
        best_epoch=_epoch(entry.get("best_epoch"), epochs, f"{where}.best_epoch"),
        stopped_epoch=_epoch(entry.get("stopped_epoch"), epochs, f"{where}.stopped_epoch"),
        wait=0,
        restored=restored,
        history=np.array(rows, np.float32),
        layers=names,
        shapes=shapes,
        histogram=np.zeros((layers, HISTOGRAM_BINS), np.uint32),
        limits=np.ones(layers, np.float32),
        zeros=zeros,
        norms=norms,
        l1_norms=np.full(layers, math.nan),
        input_mean=np.full(layers, math.nan, np.float32),
        input_std=np.full(layers, math.nan, np.float32),
        boundary=_boundary(entry.get("boundary"), f"{where}.boundary"),
    )


def _verdict(entry: Mapping[str, Any], where: str) -> Verdict | None:
    """Return a run's verdict; None where an older version wrote none."""
    value = entry.get("verdict")
    if value is None:
        return None
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in (OVER, UNDER, GOOD, UNDECIDED) or not isinstance(value.get("reason"), str):
        raise _foreign(where)
    if entry["status"] == DIVERGED:
        kind = DIVERGED
    return Verdict(kind, value["reason"])


def _float(value: object) -> float:
    if value is None:
        return math.nan  # what is no number is null in JSON
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(value)
    return float(value)


def _numbers(values: object, where: str) -> list[float]:
    try:
        if not isinstance(values, list):
            raise TypeError(values)
        return [_float(value) for value in values]
    except (TypeError, OverflowError):
        raise _foreign(where) from None


def _epoch(value: object, epochs: int, where: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= epochs:
        raise _foreign(where)
    return value


def _boundary(value: object, where: str) -> NDArray[np.uint8] | None:
    if value is None or (isinstance(value, Mapping) and "class" in value):
        return None  # an image of more than two classes is not drawn on a slide
    rows = value.get("response") if isinstance(value, Mapping) else None
    if not isinstance(rows, list) or not 2 <= len(rows) <= 1000:
        raise _foreign(where)
    grid = [_numbers(row, where) for row in rows]
    if any(len(row) != len(grid[0]) for row in grid) or len(grid[0]) < 2:
        raise _foreign(where)
    response = np.array(grid)
    if not ((response >= 0) & (response <= 1)).all():
        return None  # of a diverged run
    return np.round(255 * response).astype(np.uint8)


# --- runs --------------------------------------------------------------------------------------


def obtain(
    source: Source,
    *,
    figures: Sequence[str],
    formats: Sequence[str],
    frames: int,
    epoch: int | None = None,
    labels: Sequence[str] = (),
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[Runs | None, str]:
    """Return the runs to draw, trained where that is needed, and a remark or ``""``.

    Parameters
    ----------
    figures, formats, frames
        What is going to be drawn: it decides what is needed.
    epoch
        Draw the runs as they were after this epoch; None: at their end.

    Returns
    -------
    runs
        None if ``should_stop()`` ended it.
    remark
        A sentence, if training again gave other numbers than the file holds.
    """
    moving = any(name in MOVING for name in formats)
    lanes, experiments = source.lanes, source.experiments
    if epoch is not None and not 1 <= epoch <= max(e.training.epochs for e in experiments):
        most = max(e.training.epochs for e in experiments)
        raise SpecError(f"--epoch: got {epoch}; give a whole number from 1 to {most}.")
    if lanes is not None:
        ended = max(lane.epoch for lane in lanes)
        again = (
            moving
            or "histogram" in figures
            or (epoch is not None and epoch < ended)
            or ("boundary" in figures and all(lane.boundary is None for lane in lanes))
        )
        if not again:
            last = Frame(ended, ended, lanes, _views(experiments))
            runs = Runs(
                experiments, (last,), tuple(labels), has_weights=False, verdicts=source.verdicts
            )
            return runs, ""
        experiments = tuple(
            e.replace("training.epochs", lane.epoch) if lane.status == "running" else e
            for e, lane in zip(experiments, lanes, strict=True)
        )
    trained = _trained(experiments, frames if moving else 0, epoch, device, progress, should_stop)
    if trained is None:
        return None, ""
    remark = ""
    if lanes is not None:
        if not _alike(trained[-1].lanes, lanes):
            remark = (
                "What the file does not hold was trained again and came out otherwise than in it "
                "(another device or version?); the picture shows the new run."
            )
        cancelled = [lane.status == "running" for lane in lanes]
        trained = [_cancelled(frame, cancelled) for frame in trained]
    return Runs(source.experiments, tuple(trained), tuple(labels)), remark


def obtain_sweep(
    source: Source,
    *,
    measure: str,
    palette: Palette,
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Runs | None:
    """Return a sweep's curve or plane to draw, trained where the source is a spec.

    Returns None if ``should_stop()`` ended it.

    Raises
    ------
    SpecError
        If the source is no sweep of one or two fields, or there is no such measure.
    """
    from regviz.slides import swept

    swept.check(measure)
    sweep = sweeps.found_in(source.experiments)
    if source.lanes is not None:
        ended = max(lane.epoch for lane in source.lanes)
        frame = Frame(ended, ended, source.lanes, None)
    else:
        trained = _trained(source.experiments, 0, None, device, progress, should_stop)
        if trained is None:
            return None
        frame = trained[-1]
    seen = sweeps.outcome(sweep, frame)
    return Runs((), (), charts=(swept.chart(sweep, seen, measure, palette),))


def _trained(
    experiments: Sequence[Experiment],
    frames: int,
    epoch: int | None,
    device: str,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> list[Frame] | None:
    """Train to the end, or to an epoch, and return frames at even epochs, the last one last."""
    from regviz.training import Run

    run = Run(experiments, device=device)
    end = run.epochs if epoch is None else epoch
    wanted = {round(1 + (end - 1) * k / max(1, frames - 1)) for k in range(frames)}
    out: list[Frame] = []
    seen = 0
    for _ in run.steps():
        if should_stop is not None and should_stop():
            return None
        if run.epoch == seen:
            continue
        seen = run.epoch
        if progress is not None:
            progress(seen, end)
        if seen == epoch:
            break
        if seen in wanted and not run.done:
            out.append(run.frame())
    return [*out, run.frame()]


def _views(experiments: Sequence[Experiment]) -> tuple[Any, ...]:
    from regviz.data import make_view

    return tuple(make_view(e.data) for e in experiments)


def _alike(ours: Sequence[LaneFrame], theirs: Sequence[LaneFrame]) -> bool:
    """Whether runs have the same curves, as far as both go."""
    for a, b in zip(ours, theirs, strict=True):
        epochs = min(a.epoch, b.epoch)
        x, y = a.curve("val_loss")[:epochs], b.curve("val_loss")[:epochs]
        if not np.allclose(x, y, rtol=1e-3, atol=1e-5, equal_nan=True):
            return False
    return True


def _cancelled(frame: Frame, cancelled: Sequence[bool]) -> Frame:
    lanes = [
        dataclasses.replace(lane, status="running") if was else lane
        for lane, was in zip(frame.lanes, cancelled, strict=True)
    ]
    return dataclasses.replace(frame, lanes=tuple(lanes))
