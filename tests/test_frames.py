"""Frames: round trips through bytes, refusal of other bytes, and the bounded store."""

from __future__ import annotations

import dataclasses
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regviz.frames import (
    HISTOGRAM_BINS,
    HISTORY,
    MAX_STORED_FRAMES,
    DataView,
    Frame,
    FrameStore,
    LaneFrame,
    resample_class_map,
)


def make_view(points: int = 7, seed: int = 0) -> DataView:
    rng = np.random.default_rng(seed)
    return DataView(
        x=rng.normal(size=(points, 2)).astype(np.float32),
        y=rng.integers(0, 2, points).astype(np.uint8),
        is_val=rng.random(points) < 0.3,
        extent=(-1.5, 2.5, -2.0, 3.0),
        n_train=5,
        n_val=2,
        n_features=2,
        n_classes=2,
    )


def make_lane(epoch: int, *, status: str = "running", grid: int | None = 4) -> LaneFrame:
    """Make a lane whose numbers depend on its epoch, so that mixed-up frames are noticed."""
    columns = np.arange(1, epoch + 1, dtype=np.float32)
    return LaneFrame(
        status=status,
        epoch=epoch,
        best_epoch=max(epoch - 1, 0),
        stopped_epoch=0,
        wait=1,
        restored=False,
        history=np.stack([columns + 1000 * row for row in range(len(HISTORY))]),
        layers=("hidden 1", "output"),
        shapes=((2, 3), (3, 1)),
        histogram=np.full((2, HISTOGRAM_BINS), epoch, np.uint32),
        limits=np.array([1, 0.5], np.float32),
        zeros=np.array([epoch, 2**40], np.int64),
        norms=np.array([1.25, epoch]),
        l1_norms=np.array([2.5, epoch]),
        input_mean=np.array([0.1, epoch], np.float32),
        input_std=np.array([1, epoch], np.float32),
        boundary=None if grid is None else np.full((grid, grid), epoch % 256, np.uint8),
        reliability=np.full((3, 15), epoch, np.float32),
        input_norms=np.array([epoch, 0], np.float32),
    )


def make_frame(epoch: int, *, view: DataView | None = None, **lane: Any) -> Frame:
    data = None if view is None else (view, view)
    return Frame(epoch, 500, (make_lane(epoch, **lane), make_lane(max(epoch - 1, 0))), data)


def assert_same(one: Any, other: Any) -> None:
    """Compare frames, lanes and views field by field; NaN equals NaN, dtypes count."""
    assert type(one) is type(other)
    for f in dataclasses.fields(one):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        elif isinstance(a, tuple) and a and dataclasses.is_dataclass(a[0]):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                assert_same(x, y)
        else:
            assert a == b


# --- bytes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, 1, 300])
@pytest.mark.parametrize("grid", [None, 1, 100])
def test_a_frame_travels_as_bytes(epoch: int, grid: int | None) -> None:
    frame = make_frame(epoch, view=make_view(), grid=grid, status="diverged")
    assert_same(Frame.from_bytes(frame.to_bytes()), frame)


@given(
    history=hnp.arrays(
        np.float32,
        st.tuples(st.just(len(HISTORY)), st.integers(0, 20)),
        elements=st.floats(width=32),
    ),
    boundary=hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    zeros=hnp.arrays(np.int64, st.integers(0, 5)),
    names=st.lists(st.text(max_size=5), max_size=5),
)
def test_whatever_the_numbers_they_arrive(
    history: Any, boundary: Any, zeros: Any, names: Any
) -> None:
    lane = dataclasses.replace(
        make_lane(1), history=history, boundary=boundary, zeros=zeros, layers=tuple(names)
    )
    frame = Frame(1, 2, (lane,), None)
    assert_same(Frame.from_bytes(frame.to_bytes()), frame)


def test_images_of_classes_travel_and_cost_others_nothing() -> None:
    frame = make_frame(3)
    image = np.stack([np.arange(16).reshape(4, 4) % 3, np.arange(16).reshape(4, 4) + 85])
    lane = dataclasses.replace(frame.lanes[0], boundary=None, class_map=image.astype(np.uint8))
    both = dataclasses.replace(frame, lanes=(lane, frame.lanes[1]))
    assert_same(Frame.from_bytes(both.to_bytes()), both)
    assert b"winners" not in frame.to_bytes()
    store = FrameStore()
    for _ in range(2):
        store.add(both)
    assert_same(store.frames()[-1], both)


@pytest.mark.parametrize("most", [2, 3, 5, 80])
def test_a_coarser_image_of_classes_holds_nodes_of_the_finer(most: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 200, (2, 5, 7)).astype(np.uint8)
    coarse = resample_class_map(image, most)
    assert coarse.shape == (2, min(5, most), min(7, most))
    np.testing.assert_array_equal(coarse[:, [0, 0, -1, -1], [0, -1, 0, -1]],
                                  image[:, [0, 0, -1, -1], [0, -1, 0, -1]])  # fmt: skip
    nodes = {tuple(node) for node in image.reshape(2, -1).T}
    assert {tuple(node) for node in coarse.reshape(2, -1).T} <= nodes


def test_arrays_that_are_no_plain_block_travel_too() -> None:
    wide = np.arange(40, dtype=np.float32).reshape(10, 4)
    lane = dataclasses.replace(make_lane(10), history=wide.T[:, ::2], boundary=None)
    arrived = Frame.from_bytes(Frame(1, 2, (lane,)).to_bytes()).lanes[0]
    np.testing.assert_array_equal(arrived.history, wide.T[:, ::2])


def test_equal_data_travels_once_and_stays_one_object() -> None:
    view, other = make_view(1000), make_view(1000, seed=1)
    lane = make_lane(1)
    shared = Frame(1, 2, (lane,) * 3, (view, other, view))
    apart = Frame(1, 2, (lane,) * 3, (view, other, make_view(1000)))
    assert len(shared.to_bytes()) < len(apart.to_bytes()) - 8000
    arrived = Frame.from_bytes(shared.to_bytes()).data
    assert arrived is not None
    assert arrived[0] is arrived[2]
    assert_same(arrived[1], other)


def test_data_can_stay_behind() -> None:
    frame = make_frame(3, view=make_view(1000))
    small = frame.to_bytes(with_data=False)
    assert len(small) < len(frame.to_bytes()) - 8000
    assert Frame.from_bytes(small).data is None


def test_what_arrives_cannot_be_changed_by_accident() -> None:
    arrived = Frame.from_bytes(make_frame(3).to_bytes())
    with pytest.raises(ValueError, match="read-only"):
        arrived.lanes[0].history[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        arrived.epoch = 4  # type: ignore[misc]


@given(st.data())
def test_a_frame_cut_anywhere_is_refused(data: st.DataObject) -> None:
    whole = make_frame(5, view=make_view()).to_bytes()
    # the last array may be followed by up to 7 filler bytes
    cut = data.draw(st.integers(0, len(whole) - 8))
    with pytest.raises(ValueError):  # noqa: PT011 - the words are json's or numpy's
        Frame.from_bytes(whole[:cut])


@pytest.mark.parametrize(
    "noise",
    [b"", b"RVF1", b"RVF2" + bytes(100), b"\x80\x04K\x01.", b"RVF1" + struct.pack("<I", 2) + b"{}",
     b"RVF1" + struct.pack("<I", 2**31) + b"{}", b"RVF1" + struct.pack("<I", 4) + b"null"],
)  # fmt: skip
def test_bytes_that_are_no_frame_are_refused(noise: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are json's or numpy's
        Frame.from_bytes(noise)


def test_frames_need_no_torch() -> None:
    code = "import regviz.frames, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- reading a frame ---------------------------------------------------------------------------


def test_a_curve_is_found_by_its_name() -> None:
    lane = make_lane(3)
    np.testing.assert_array_equal(lane.curve("train_loss"), [1, 2, 3])
    np.testing.assert_array_equal(lane.curve("val_loss"), [2001, 2002, 2003])
    with pytest.raises(ValueError, match="not in tuple"):
        lane.curve("test_loss")


@pytest.mark.parametrize("status", ["finished", "stopped", "diverged"])
def test_a_frame_is_done_when_no_lane_runs(status: str) -> None:
    lanes = (make_lane(2, status=status), make_lane(2, status="finished"))
    assert Frame(2, 2, lanes).done
    assert not Frame(2, 2, (*lanes, make_lane(1))).done


# --- the store ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 250, 1000, 2000])
def test_the_store_keeps_an_evenly_spaced_list_with_the_newest_last(count: int) -> None:
    store = FrameStore()
    for epoch in range(1, count + 1):
        store.add(make_frame(epoch))
        if epoch % 10 == 0:
            assert len(store.frames()) <= MAX_STORED_FRAMES + 1
    epochs = [frame.epoch for frame in store.frames()]
    assert epochs[0] == 1
    assert epochs[-1] == count
    gaps = set(np.diff(epochs[:-1]).tolist())
    assert len(gaps) <= 1  # evenly
    if count >= MAX_STORED_FRAMES:
        assert len(epochs) >= MAX_STORED_FRAMES // 2
    else:
        assert epochs == list(range(1, count + 1))


def test_stored_frames_come_back_whole() -> None:
    store, view = FrameStore(), make_view()
    store.add(make_frame(1, view=view))
    for epoch in range(2, 31):
        store.add(Frame.from_bytes(make_frame(epoch).to_bytes()))
    for frame in store.frames():
        assert_same(frame, make_frame(frame.epoch, view=view))
        assert frame.data is not None
        assert frame.data[0] is view


def test_the_last_frame_replaces_a_stored_one_of_the_same_epoch() -> None:
    store = FrameStore()
    store.add(make_frame(1))
    store.add(make_frame(2))
    ended = (make_lane(2, status="stopped"), make_lane(1, status="finished"))
    store.add(Frame(2, 500, ended))
    assert [frame.epoch for frame in store.frames()] == [1, 2]
    assert store.frames()[-1].lanes[0].status == "stopped"


def test_an_empty_store_has_no_frames() -> None:
    store = FrameStore()
    assert store.frames() == []
    assert store.latest is None
    assert store.nbytes == 0


def test_a_long_run_does_not_hold_its_curves_a_hundred_times() -> None:
    store = FrameStore()
    for epoch in range(100, 5100, 50):
        store.add(make_frame(epoch))
    lanes = store.frames()[-1].lanes
    one_history = lanes[0].history.nbytes
    views = sum(
        value.nbytes
        for lane in lanes
        for name, value in vars(lane).items()
        if isinstance(value, np.ndarray) and name != "history"
    )
    assert store.nbytes < 3 * one_history + (MAX_STORED_FRAMES + 1) * views


def test_stored_arrays_do_not_keep_the_message_alive() -> None:
    store = FrameStore()
    for epoch in range(1, 4):
        store.add(Frame.from_bytes(make_frame(epoch).to_bytes()))
    for frame in store.frames()[:-1]:
        boundary = frame.lanes[0].boundary
        assert boundary is not None
        assert boundary.base is None
