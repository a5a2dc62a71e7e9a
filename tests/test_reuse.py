"""Reuse of lanes of finished runs: the same frames for less work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest

from regviz.engine.engine import Engine, Job
from regviz.frames import Frame, reuse
from regviz.frames.reuse import LEAST_FRAMES, TrainedLane
from regviz.specs import Experiment
from regviz.training.run import Run

PLAIN = Experiment.from_dict(
    {"data": {"n_samples": 60}, "model": {"hidden": [8]}, "training": {"epochs": 24}}
)
DROPOUT = PLAIN.replace("regularization.dropout", 0.3)
L2 = PLAIN.replace("regularization.l2", 0.02)
STOPPED = L2.replace("training.lr", 0.05).replace("regularization.early_stopping", {"patience": 2})


def frames_of(experiments: list[Experiment], every: int = 1) -> list[Frame]:
    """Train; return a frame every ``every`` epochs and at the end."""
    run = Run(experiments)
    frames: list[Frame] = []
    for _ in run.steps():
        seen = frames[-1].epoch if frames else 0
        if run.epoch > seen and run.epoch % every == 0 and not run.done:
            frames.append(run.frame())
    return [*frames, run.frame()]


def trained(experiments: list[Experiment], lane: int, every: int = 1) -> TrainedLane:
    found = TrainedLane.of(frames_of(experiments, every), lane)
    assert found is not None
    return found


def assert_alike(got: Frame, expected: Frame) -> None:
    assert (got.epoch, got.epochs, got.done) == (expected.epoch, expected.epochs, expected.done)
    assert got.data is not None
    assert len(got.data) == len(got.lanes) == len(expected.lanes)
    for mine, theirs in zip(got.lanes, expected.lanes, strict=True):
        assert (mine.status, mine.epoch, mine.best_epoch) == (
            theirs.status,
            theirs.epoch,
            theirs.best_epoch,
        )
        np.testing.assert_allclose(mine.history[:3], theirs.history[:3], atol=1e-4)
        assert mine.boundary is not None
        assert theirs.boundary is not None
        assert mine.boundary.shape == theirs.boundary.shape
        assert np.abs(mine.boundary.astype(int) - theirs.boundary.astype(int)).max() <= 2


@pytest.mark.parametrize("new", [L2, STOPPED], ids=["to the last epoch", "stopped early"])
def test_a_frame_is_completed_to_what_training_all_lanes_shows(new: Experiment) -> None:
    lanes = {0: trained([PLAIN, DROPOUT], 0)}
    together = {frame.epoch: frame for frame in frames_of([PLAIN, new])}
    for frame in frames_of([new]):
        whole = reuse.completed(frame, lanes)
        assert_alike(whole, together[24 if frame.done else frame.epoch])


def test_lanes_keep_their_places() -> None:
    lanes = {1: trained([DROPOUT, PLAIN], 0), 2: trained([DROPOUT, PLAIN], 1)}
    whole = reuse.completed(frames_of([L2])[-1], lanes)
    assert_alike(whole, frames_of([L2, DROPOUT, PLAIN])[-1])


def test_a_coarser_boundary_sets_the_nodes_of_all() -> None:
    lane = trained([PLAIN, DROPOUT], 0)
    frame = frames_of([L2])[0]
    (mine,) = frame.lanes
    assert mine.boundary is not None
    coarse = Frame(1, 24, (dataclasses.replace(mine, boundary=mine.boundary[::2, ::2]),))
    sizes = {
        b.boundary.shape for b in reuse.completed(coarse, {0: lane}).lanes if b.boundary is not None
    }
    assert sizes == {mine.boundary[::2, ::2].shape}


def test_images_of_classes_come_to_the_nodes_of_all() -> None:
    table = [[i % 7, i % 5, i % 3] for i in range(60)]
    plain = Experiment.from_dict(
        PLAIN.to_dict() | {"data": {"kind": "csv", "points": table, "seed": 1}}
    )
    lane = trained([plain], 0, every=1)
    (mine,) = frames_of([plain.replace("regularization.l2", 0.1)])[0].lanes
    assert mine.class_map is not None
    coarse = Frame(1, 24, (dataclasses.replace(mine, class_map=mine.class_map[:, ::2, ::2]),))
    theirs, other = reuse.completed(coarse, {0: lane}).lanes
    assert theirs.class_map is not None
    assert other.class_map is not None
    assert theirs.class_map.shape == other.class_map.shape == coarse.lanes[0].class_map.shape  # type: ignore[union-attr]


def test_common_epochs_are_where_each_lane_has_a_frame_or_has_ended() -> None:
    often, seldom = trained([PLAIN], 0, every=1), trained([PLAIN], 0, every=2)
    assert reuse.common_epochs({}) == []
    assert reuse.common_epochs({0: seldom}) == list(range(2, 24, 2))
    assert reuse.common_epochs({0: often, 1: seldom}) == list(range(2, 24, 2))
    ended = trained([STOPPED], 0)
    last = ended.frames[-1].epoch
    assert last < 24
    assert [e for e in reuse.common_epochs({0: ended, 1: seldom}) if e >= last] == [
        e for e in range(2, 24, 2) if e >= last
    ]


def test_too_few_looks_are_no_picture_that_moves() -> None:
    assert TrainedLane.of(frames_of([PLAIN])[: LEAST_FRAMES - 1], 0) is None
    assert TrainedLane.of(frames_of([PLAIN], every=12), 0) is None
    assert TrainedLane.of(frames_of([PLAIN])[:-1], 0) is None  # not finished


# --- the engine ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(trainers=1, reuse_from=0)
    yield engine
    engine.close()


LONG = PLAIN.replace("training.epochs", 600)


def finish(job: Job) -> Frame:
    while True:
        version = job.version
        if job.state == "finished":
            break
        assert job.wait(120, after=version), job.state
    frame = job.latest()
    assert frame is not None
    return frame


def test_a_twin_s_plain_lane_is_not_trained_again(engine: Engine) -> None:
    first = engine.submit([LONG, LONG.replace("regularization.dropout", 0.2)], "a")
    finish(first)
    wanted = [LONG, LONG.replace("regularization.l2", 0.01)]
    second = engine.submit(wanted, "b")
    assert [e["regularization"]["l2"] for e in json.loads(second.work.wanted)] == [0.01]
    assert second.experiments == tuple(wanted)
    assert_alike(finish(second), frames_of(wanted)[-1])
    seen = {frame.epoch for frame in first.frames()}
    assert all(frame.epoch in seen for frame in second.frames())
    assert all(len(frame.lanes) == 2 for frame in second.frames())


def test_who_pauses_trains_all_lanes(engine: Engine) -> None:
    seeded = LONG.replace("training.seed", 5)
    finish(engine.submit([seeded], "a"))
    wanted = [seeded.replace("training.epochs", 600), seeded.replace("regularization.l2", 0.02)]
    job = engine.submit(wanted, "b")
    assert list(job.work.trained) == [0]
    job.pause()
    while True:
        version = job.version
        if job.state in ("paused", "finished"):
            break
        assert job.wait(120, after=version)
    assert not job.work.trained
    job.resume()
    assert_alike(finish(job), frames_of(wanted)[-1])


def test_with_little_to_do_everything_is_trained(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "settings", dataclasses.replace(engine.settings, reuse_from=4))
    seeded = LONG.replace("training.seed", 6)
    finish(engine.submit([seeded], "a"))
    job = engine.submit([seeded, seeded.replace("regularization.l2", 0.02)], "b")
    assert not job.work.trained
    finish(job)
