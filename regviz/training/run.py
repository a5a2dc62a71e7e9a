"""Training: experiments become stacks of lanes, and a loop that the caller drives.

``Run.steps()`` trains and hands control back after every epoch; ``Run.frame()`` observes the run
as it is. To stop a run is to stop iterating.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from regviz.data.datasets import make_view
from regviz.frames import HISTORY, Frame, LaneFrame
from regviz.nn.networks import NETWORKS
from regviz.results import metrics
from regviz.results import verdict as verdicts
from regviz.specs import DataSpec, Experiment, SpecError
from regviz.training.arithmetic import one_epoch, without_graph
from regviz.training.lanes import drop, join
from regviz.training.observe import observe
from regviz.training.planes import boundary_lists
from regviz.training.stack import Stack, stack_key

FRAME_INTERVAL = 0.1  # seconds between frames of `train`
_SMALL = 100_000  # parameters of a run whose time goes into more than its arithmetic


def pick_device(name: str) -> str:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    SpecError
        If the name is none of these, or asks for CUDA where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise SpecError(f"device: got {name!r}; choose one of auto, cpu, cuda.")
    if name != "cpu" and torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise SpecError("device: got 'cuda', but torch finds no CUDA device here; choose cpu.")
    return "cpu"


class Run:
    """Experiments being trained.

    Parameters
    ----------
    experiments
        At least one. Those of equal shapes become lanes of one stack; equal ones become one lane.
    device
        A torch device, from :func:`pick_device`.

    Raises
    ------
    SpecError
        If there is no experiment.
    """

    def __init__(self, experiments: Sequence[Experiment], *, device: str = "cpu") -> None:
        if not experiments:
            raise SpecError("experiments: got none; give at least one.")
        self.experiments = tuple(experiments)
        # equal experiments are one lane: batched products round differently from lane to lane,
        # and a twin with nothing switched on must not drift from its twin
        unique = list(dict.fromkeys(experiments))
        self._lane_of = [unique.index(e) for e in experiments]
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i, e in enumerate(unique):
            groups.setdefault(stack_key(e), []).append(i)
        self._parts: list[_Part] = []
        for places in groups.values():
            chosen = [unique[i] for i in places]
            with without_graph(NETWORKS[chosen[0].model.kind]):
                stack = Stack(chosen, device)
            self._parts.append(_Part(stack, list(range(len(places))), places))
        self.device = device
        self.epochs = max(e.training.epochs for e in experiments)
        small = sum(p.stack.network.parameters.flat.numel() for p in self._parts) <= _SMALL
        self.shape_key = next(iter(groups)) if len(groups) == 1 and small else None

    @property
    def epoch(self) -> int:
        """Epochs that the furthest lane has trained."""
        return max(part.stack.records.epochs[lane] for part in self._parts for lane in part.lanes)

    @property
    def done(self) -> bool:
        """Whether every lane has ended."""
        return not any(part.stack.is_training(part.lanes) for part in self._parts)

    @property
    def is_whole(self) -> bool:
        """Whether no lane has ended."""
        return all(set(part.lanes) <= set(part.stack.lanes) for part in self._parts)

    def steps(self) -> Iterator[None]:
        """Train; hand control back after each epoch and, in a long one, every few milliseconds.

        Of several stacks the one with the fewest epochs trains next, however many it has to
        train. So :attr:`epoch` advances until the last lane ends.
        """
        while not self.done:
            training = [p.stack for p in self._parts if p.stack.lanes]
            yield from one_epoch(min(training, key=lambda s: s.epoch))

    def frame(self) -> Frame:
        """Observe the run as it is now; every lane that ended shows its final weights."""
        lanes: dict[int, LaneFrame] = {}
        with torch.inference_mode():
            for part in self._parts:
                frames = observe(part.stack, part.lanes, last=self.done)
                lanes.update(zip(part.places, frames, strict=True))
        return Frame(
            epoch=self.epoch,
            epochs=self.epochs,
            lanes=tuple(lanes[i] for i in self._lane_of),
            data=tuple(make_view(e.data) for e in self.experiments),
        )

    def results(self) -> list[Result]:
        """Return each lane's result as it stands; a lane still running counts as cancelled."""
        out: dict[int, Result] = {}
        known: dict[DataSpec, verdicts.Known] = {}
        with torch.inference_mode():
            for part in self._parts:
                stack = part.stack
                frames = observe(stack, part.lanes, last=False)
                for place, lane, frame in zip(part.places, part.lanes, frames, strict=True):
                    e = stack.experiments[lane]
                    points = make_view(e.data)
                    if e.data not in known:
                        known[e.data] = verdicts.known(e.data, points)
                    verdict = verdicts.judge(
                        metrics.read(frame),
                        verdicts.rights(frame, points),
                        known[e.data],
                        label_noise=e.data.label_noise,
                    )
                    out[place] = Result(e, frame, boundary_lists(stack, lane), verdict)
        return [out[i] for i in self._lane_of]


@dataclass
class _Part:
    """Where experiments of a run are trained: lanes of a stack, and their places in the run."""

    stack: Stack
    lanes: list[int]
    places: list[int]


class SharedRun:
    """Runs of several sessions, trained as lanes of one stack.

    32 lanes cost little more than one, and an experiment that several runs hold, such as the twin
    without regularization, is one lane for all of them. Each run is still observed by its own
    ``epoch``, ``done`` and ``frame()``; only its ``steps()`` must no longer be called.

    Parameters
    ----------
    runs
        Of equal :attr:`Run.shape_key`, after equally many whole epochs, with no lane ended.

    Raises
    ------
    ValueError
        If they are not.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        first = runs[0]
        if first.shape_key is None or any(
            run.shape_key != first.shape_key or run.epoch != first.epoch or not run.is_whole
            for run in runs
        ):
            raise ValueError("runs: give runs of one stack, equally far and with no lane ended.")
        parts = [run._parts[0] for run in runs]
        found: dict[Experiment, tuple[Stack, int]] = {}
        for part in parts:
            for lane in part.lanes:
                found.setdefault(part.stack.experiments[lane], (part.stack, lane))
        chosen = [(stack, [lane]) for stack, lane in found.values()]
        self._kind = type(parts[0].stack.network)
        with without_graph(self._kind):
            self._stack = join(chosen)
        self._runs = list(runs)
        lane_of = {e: i for i, e in enumerate(found)}
        for part in parts:
            part.lanes = [lane_of[part.stack.experiments[lane]] for lane in part.lanes]
            part.stack = self._stack

    @property
    def epoch(self) -> int:
        """Epochs that the lanes that still train have trained."""
        return self._stack.epoch

    @property
    def lanes(self) -> int:
        """Number of lanes that still train."""
        return len(self._stack.lanes)

    def steps(self) -> Iterator[None]:
        """Train all of them, like :meth:`Run.steps`."""
        while self._stack.lanes:
            yield from one_epoch(self._stack)

    def leave(self, run: Run, *, goes_on: bool) -> None:
        """Take a run out between two epochs.

        With ``goes_on`` it trains alone again; without, its lanes are dropped unless another run
        holds them too.
        """
        self._runs.remove(run)
        part = run._parts[0]
        with without_graph(self._kind):
            if goes_on:
                part.stack = join([(self._stack, part.lanes)])
            others = {lane for other in self._runs for lane in other._parts[0].lanes}
            drop(self._stack, [lane for lane in part.lanes if lane not in others])
        if goes_on:
            part.lanes = list(range(len(part.lanes)))


@dataclass(frozen=True)
class Result:
    """The outcome of one experiment: its final frame, its boundary as numbers and its verdict.

    ``boundary`` is :func:`regviz.training.planes.boundary_lists`; ``verdict`` says whether the
    model over-fits, as in the app.
    """

    experiment: Experiment
    frame: LaneFrame
    boundary: dict[str, list[list[float]]] | None
    verdict: verdicts.Verdict

    @property
    def status(self) -> str:
        """``finished``, ``stopped``, ``diverged`` or ``cancelled``."""
        return "cancelled" if self.frame.status == "running" else self.frame.status

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of a result file's ``runs``, ready for JSON (no NaN: null)."""
        lane = self.frame
        history: dict[str, list[Any]] = {"epoch": list(range(1, lane.epoch + 1))}
        for name in HISTORY:
            values = lane.curve(name).tolist()
            history[name] = [v if math.isfinite(v) else None for v in values]
        return {
            "experiment": self.experiment.to_dict(),
            "status": self.status,
            "best_epoch": lane.best_epoch or None,
            "stopped_epoch": lane.stopped_epoch or None,
            # then the weights and the boundary are those of best_epoch
            "restored_best_weights": lane.restored,
            "history": history,
            "weights": [
                {"layer": name, "shape": list(shape), "zeros": int(zeros), "norm": float(norm)}
                for name, shape, zeros, norm in zip(
                    lane.layers, lane.shapes, lane.zeros, lane.norms, strict=True
                )
            ],
            "boundary": self.boundary,
            "verdict": self.verdict.to_dict(),
        }


def train(experiments: Sequence[Experiment], *, device: str = "cpu") -> Iterator[Frame]:
    """Train experiments and yield frames: after the first epoch, then about ten a second, and
    the last.

    >>> for frame in train([Experiment()]):
    ...     print(frame.epoch, frame.lanes[0].curve("val_loss")[-1])
    """
    run = Run(experiments, device=device)
    due = 0.0
    shown = 0
    for _ in run.steps():
        if run.epoch > shown and not run.done and time.monotonic() >= due:
            shown = run.epoch
            yield run.frame()
            due = time.monotonic() + FRAME_INTERVAL
    yield run.frame()


def fit(
    experiments: Sequence[Experiment],
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Result]:
    """Train experiments to their end and return their results, in order.

    ``progress(epoch, epochs)`` is called after each epoch; once ``should_stop()`` is true,
    training ends, and lanes that were still running are ``cancelled`` and keep their result so
    far.
    """
    run = Run(experiments, device=device)
    shown = 0
    for _ in run.steps():
        if progress is not None and run.epoch > shown:
            shown = run.epoch
            progress(run.epoch, run.epochs)
        if should_stop is not None and should_stop():
            break
    return run.results()
