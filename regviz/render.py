"""Slides without a server: a spec is trained, a result file is drawn as it is.

A result file does not hold everything: weights' histograms, frames of an animation or of an earlier
epoch, and boundaries of more than two inputs are missing. For those its experiments are trained
again. Runs are deterministic; if the numbers still differ (another device or version), a remark
says so.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.figures.palette import Palette
from regviz.frames import HISTOGRAM_BINS, HISTORY, Frame, LaneFrame
from regviz.results import sweeps
from regviz.results.verdict import DIVERGED, GOOD, OVER, UNDECIDED, UNDER, Verdict
from regviz.slides import MOVING, Runs
from regviz.specs import (
    IMAGE_KINDS,
    IMAGE_SIDE,
    MAX_LANES,
    Experiment,
    SpecError,
    experiments_from_value,
)

STATUSES = ("finished", "stopped", "diverged", "cancelled")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """The contents of a file: experiments and, in a result file, their last frames and verdicts."""

    experiments: tuple[Experiment, ...]
    lanes: tuple[LaneFrame, ...] | None = None
    verdicts: tuple[Verdict, ...] | None = None  # None as well for an older file

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
        If it is neither: one sentence on what is wrong.
    """
    if not (isinstance(value, Mapping) and "runs" in value):
        return Source(experiments_from_value(value))
    entries = value["runs"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_LANES:
        raise SpecError(f"runs: this is not a result file; give a list of 1 to {MAX_LANES} runs.")
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
    return SpecError(
        f"{where}: this was not written by regviz; give a result file of run or sweep."
    )


def _lane(entry: Mapping[str, Any], experiment: Experiment, where: str) -> LaneFrame:
    """Return a run's last frame, with the parts that a result file holds."""
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
    _check_epochs(entry, experiment, rows, norms, where)
    _check_weights(shapes, zeros, norms, experiment, where)
    _check_boundary(entry.get("boundary"), experiment, where)
    stopping, status = experiment.regularization.early_stopping, entry["status"]
    asked = stopping is not None and stopping.restore_best_weights
    # older files lack the field: early stopping then restored the weights unless the run diverged
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
    """Return a run's verdict; None if the file of an older version has none."""
    value = entry.get("verdict")
    if value is None:
        return None
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in (OVER, UNDER, GOOD, UNDECIDED) or not isinstance(value.get("reason"), str):
        raise _foreign(where)
    if entry["status"] == DIVERGED:
        kind = DIVERGED
    return Verdict(kind, value["reason"])


# --- whether numbers are those of their experiment ---------------------------------------------


def _unlike(where: str, what: str) -> SpecError:
    return SpecError(
        f"{where}: {what}; these are not the numbers of this experiment. Give the file as regviz "
        "wrote it, or the experiment alone to train it."
    )


def _check_epochs(
    entry: Mapping[str, Any],
    experiment: Experiment,
    rows: Sequence[list[float]],
    norms: NDArray[np.float64],
    where: str,
) -> None:
    """Refuse a history that training this experiment cannot produce."""
    history, status, most = entry["history"], entry["status"], experiment.training.epochs
    epochs, stopping = len(rows[0]), experiment.regularization.early_stopping
    if history.get("epoch", list(range(1, epochs + 1))) != list(range(1, epochs + 1)):
        raise _unlike(f"{where}.history.epoch", "does not count from 1 to its last epoch")
    if epochs > most or (status == "finished" and epochs != most):
        raise _unlike(f"{where}.history", f"has {epochs} epochs, and training.epochs is {most}")
    stopped, best = entry.get("stopped_epoch"), entry.get("best_epoch")
    if (status == "stopped") != (stopped is not None):
        raise _unlike(f"{where}.stopped_epoch", f"does not go with the status {status}")
    if stopped is not None:
        if stopping is None:
            raise _unlike(f"{where}.status", "is stopped, without early stopping")
        if stopped != epochs or stopped <= stopping.patience:
            raise _unlike(
                f"{where}.stopped_epoch",
                f"is {stopped}, with {epochs} epochs and a patience of {stopping.patience}",
            )
        waited = None if best is None else stopped - best
        if stopping.min_delta == 0 and waited not in (None, stopping.patience):
            raise _unlike(
                f"{where}.stopped_epoch",
                f"is {waited} after the best one, and the patience is {stopping.patience}",
            )
    named = dict(zip(HISTORY, rows, strict=True))
    for name in ("train_accuracy", "val_accuracy"):
        if any(not 0 <= value <= 1 for value in named[name] if math.isfinite(value)):
            raise _unlike(f"{where}.history.{name}", "holds a value outside 0 to 1")
    penalty = max(experiment.regularization.l1, experiment.regularization.l2)
    # a tiny penalty is rounded to 0, and with all weights at 0 it is 0
    lacking = penalty > 1e-12 and bool(norms.any()) and not any(named["penalty"])
    if status != "diverged" and (lacking or (not penalty and any(named["penalty"]))):
        is_not = "is 0" if lacking else "is not 0"
        raise _unlike(
            f"{where}.history.penalty",
            f"{is_not}, with L1 {experiment.regularization.l1:g} and "
            f"L2 {experiment.regularization.l2:g}",
        )
    _check_points(named["val_accuracy"], experiment, where)


def _check_points(accuracies: Sequence[float], experiment: Experiment, where: str) -> None:
    """Refuse accuracies that are impossible with this number of validation points."""
    from regviz.data.datasets import make_view

    count = make_view(experiment.data).n_val
    for value in accuracies:
        if math.isfinite(value) and abs(count * value - round(count * value)) > 1e-3 + 1e-6 * count:
            raise _unlike(
                f"{where}.history.val_accuracy",
                f"holds {value:.6g}, which is not possible with {count} validation points",
            )


def _shapes(experiment: Experiment) -> tuple[tuple[int, int], ...]:
    """Return the shapes of an experiment's weight matrices, (inputs, units)."""
    data, model = experiment.data, experiment.model
    images, hidden, width = data.kind in IMAGE_KINDS, model.hidden, model.embedding
    outputs = data.n_classes if data.n_classes > 2 else 1
    if model.kind == "lstm":
        units = hidden[0]
        return (width, 4 * units), (units, 4 * units), (units, outputs)
    if model.kind == "transformer":
        blocks = (((width, 3 * width), (width, width), (width, f), (f, width)) for f in hidden)
        return *itertools.chain.from_iterable(blocks), (width, outputs)
    if model.kind == "cnn":
        side = IMAGE_SIDE
        for _ in hidden:
            side = side // 2 if side > 2 else side
        kernels = ((9 * a, b) for a, b in itertools.pairwise((1, *hidden)))
        return *kernels, (hidden[-1] * side * side, outputs)
    inputs = (IMAGE_SIDE**2 if images else 2) + data.irrelevant_features
    return tuple(itertools.pairwise((inputs, *hidden, outputs)))


def _check_weights(
    shapes: tuple[tuple[int, int], ...],
    zeros: NDArray[np.int64],
    norms: NDArray[np.float64],
    experiment: Experiment,
    where: str,
) -> None:
    def said(of: Sequence[tuple[int, int]]) -> str:
        return ", ".join(f"{a}×{b}" for a, b in of)

    wanted = _shapes(experiment)
    if shapes != wanted:
        raise _unlike(f"{where}.weights", f"are {said(shapes)}, and its model has {said(wanted)}")
    many = np.array([a * b for a, b in shapes])
    if (zeros < 0).any() or (zeros > many).any() or (norms < 0).any():
        raise _unlike(f"{where}.weights", "count more zeros than weights, or have a norm below 0")


def _check_boundary(value: object, experiment: Experiment, where: str) -> None:
    """Refuse a boundary whose kind, size or part of the plane does not fit the experiment."""
    from regviz.data.datasets import make_view

    where, view = f"{where}.boundary", make_view(experiment.data)
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise _foreign(where)
    several = experiment.data.n_classes > 2
    if ("class" in value) != several or view.n_features != 2:
        raise _unlike(where, f"is not that of {experiment.data.n_classes} classes in a plane")
    names = ("xx0", "xx1", "class" if several else "response")
    grids = []
    for name in names:
        rows = value.get(name)
        if not isinstance(rows, list) or not rows:
            raise _foreign(where)
        grids.append([_numbers(row, where) for row in rows])
    sizes = {(len(grid), *{len(row) for row in grid}) for grid in grids}
    if len(sizes) > 1 or len(next(iter(sizes))) != 2:
        raise _unlike(where, "has grids of different sizes")
    xx0, xx1 = np.array(grids[0]), np.array(grids[1])
    shown = (xx0.min(), xx0.max(), xx1.min(), xx1.max())
    if not np.allclose(shown, view.extent, rtol=1e-4, atol=1e-3):
        raise _unlike(where, "shows another part of the plane than these data lie in")


# --- parts -------------------------------------------------------------------------------------


def _float(value: object) -> float:
    if value is None:
        return math.nan  # JSON has null for nan
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
        return None  # the file's image of classes lacks the leads that a slide draws with
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
    """Return the runs to draw, trained if necessary, and a remark or ``""``.

    Parameters
    ----------
    figures, formats, frames
        What will be drawn; it decides whether training is necessary.
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
                "What the file does not hold was trained again, and the losses differ from those "
                "in the file (another device or version?). The picture shows the new run."
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
    """Return a sweep's curve or plane to draw, trained if the source is a spec.

    Returns None if ``should_stop()`` ended it.

    Raises
    ------
    SpecError
        If the source is no sweep of one or two fields, or there is no such measure.
    """
    from regviz.slides import sweep as sweep_slide

    sweep_slide.check(measure)
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
    return Runs((), (), charts=(sweep_slide.chart(sweep, seen, measure, palette),))


def _trained(
    experiments: Sequence[Experiment],
    frames: int,
    epoch: int | None,
    device: str,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> list[Frame] | None:
    """Train to the end or to ``epoch``; return evenly spaced frames, the last one among them."""
    from regviz.training.run import Run

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
    from regviz.data.datasets import make_view

    return tuple(make_view(e.data) for e in experiments)


def _alike(ours: Sequence[LaneFrame], theirs: Sequence[LaneFrame]) -> bool:
    """Whether runs have the same validation losses, up to the end of the shorter one."""
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
