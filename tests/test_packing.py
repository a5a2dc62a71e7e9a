"""Sweeps and whole figures as messages: they carry the runs' numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regviz.frames import Frame, resample_boundary
from regviz.frames import messages as packing
from tests.live_page import EPOCHS, made_up_frame, sweep_message

VALUES = ("0", "1e-4", "1e-2")


def frames_of(names: Sequence[str] = ("a", "a", "a")) -> list[Frame]:
    return [made_up_frame(name, 40 + 50 * i, layers=3) for i, name in enumerate(names)]


def pack(frames: Sequence[Frame], values: Sequence[str] = VALUES, start: int = 0) -> bytes:
    return packing.pack_sweep("c", "r", frames, values=values, name="L2 λ", start=start)


def test_each_value_of_a_sweep_keeps_its_own_run() -> None:
    frames = frames_of()
    header, arrays = packing.unpack(pack(frames, start=1))
    sweep = header["sweep"]
    assert (sweep["name"], sweep["values"], sweep["start"]) == ("L2 λ", list(VALUES), 1)
    for i, (frame, entry) in enumerate(zip(frames, sweep["entries"], strict=True)):
        assert (entry["epoch"], entry["epochs"]) == (frame.epoch, EPOCHS)
        assert entry["view"] == [0, 0]
        for k, lane in enumerate(frame.lanes):
            assert entry["lanes"][k]["status"] == lane.status
            assert entry["lanes"][k]["best"] == lane.best_epoch
            np.testing.assert_array_equal(arrays[f"{i}.b{k}"], lane.boundary)
            for row, name in zip(arrays[f"{i}.c{k}"], packing.CURVES, strict=True):
                np.testing.assert_allclose(row, lane.curve(name), rtol=1e-3, atol=1e-6)
            zeros = [layer["zeros"][k] for layer in entry["picture"]["layers"]]
            assert zeros == lane.zeros.tolist()
            for layer in range(3):
                kept = arrays[f"{i}.h{layer}"][k].sum()
                assert kept == lane.histogram[layer].sum()
    assert len(header["views"]) == 1


def test_points_travel_once_unless_each_value_has_its_own() -> None:
    shared, own = (packing.unpack(pack(frames_of(names))) for names in ("aaa", "abc"))
    assert [name for name in shared[1] if name[0] == "p"] == ["p0"]
    assert [entry["view"] for entry in own[0]["sweep"]["entries"]] == [[0, 0], [1, 1], [2, 2]]
    assert len(shared[1]["p0"]) == 300
    assert [len(own[1][f"p{i}"]) for i in range(3)] == [packing.MAX_POINTS // 4] * 3


@pytest.mark.parametrize(("lanes", "values"), [(1, 21), (2, 21), (3, 21), (2, 41)])
def test_a_sweep_is_at_most_600_kB(lanes: int, values: int) -> None:
    frame = made_up_frame("a", EPOCHS, layers=4)
    lane = dataclasses.replace(
        frame.lanes[0],
        history=np.resize(frame.lanes[0].history, (6, 1000)),
        boundary=np.resize(np.asarray(frame.lanes[0].boundary), (100, 100)),
        epoch=1000,
    )
    whole = dataclasses.replace(frame, lanes=(lane,) * lanes, data=frame.data and frame.data[:1])
    data = pack([whole] * values, [str(i) for i in range(values)])
    assert len(data) <= 600_000
    side = packing.unpack(data)[1]["0.b0"].shape[0]
    assert side == (80 if lanes * values <= 42 else int(80 * (42 / (lanes * values)) ** 0.5))


def test_a_message_is_known_by_all_that_it_holds() -> None:
    ids = {
        packing.unpack(data)[0]["id"]
        for data in (
            pack(frames_of()),
            pack(frames_of(), start=2),
            pack(frames_of(), ("0", "1e-4", "1e-3")),
            pack(frames_of("aab")),
            sweep_message("a"),
        )
    }
    assert len(ids) == 5
    assert packing.unpack(pack(frames_of()))[0]["id"] in ids


@pytest.mark.parametrize(
    ("frames", "values", "start", "said"),
    [
        ([], (), 0, "0 frames for 0 values"),
        (frames_of(), ("0", "1"), 0, "3 frames for 2 values"),
        (frames_of(), VALUES, 3, "start=3; give one of 0 to 2"),
    ],
)
def test_what_is_no_sweep_is_refused(
    frames: list[Frame], values: tuple[str, ...], start: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        pack(frames, values, start)


def test_frames_of_other_lanes_are_refused() -> None:
    frames = frames_of()
    frames[1] = dataclasses.replace(frames[1], lanes=frames[1].lanes[:1])
    with pytest.raises(ValueError, match=r"frames of \[1, 2\] lanes"):
        pack(frames)


@given(st.integers(40, 80), st.integers(41, 120), st.floats(0, 6))
def test_a_coarser_boundary_lies_where_the_fine_one_does(most: int, n: int, tilt: float) -> None:
    x0, x1 = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    fine = np.asarray((x0 * 20 + x1 * 20 * tilt + 40).round(), np.uint8)
    coarse = resample_boundary(fine, most)
    side = min(n, most)
    assert coarse.shape == (side, side)
    y0, y1 = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    np.testing.assert_allclose(coarse, y0 * 20 + y1 * 20 * tilt + 40, atol=1.01)


def test_whole_figures_travel_as_they_are() -> None:
    light, dark = json.dumps({"data": ["λ"]}), json.dumps({"data": []})
    header, arrays = packing.unpack(packing.pack_figures("c", {"plane": (light, dark)}))
    assert (header["channel"], header["figures"]) == ("c", ["plane"])
    assert arrays["light0"].tobytes().decode() == light
    assert arrays["dark0"].tobytes().decode() == dark


@given(st.text("a-é~ ", min_size=1, max_size=30), st.integers(1, 10**9))
def test_a_stamped_message_is_the_same_message(feed: str, number: int) -> None:
    plain = packing.pack_figures("c", {"a": ('{"data": [1]}', '{"data": [2]}')})
    header, arrays = packing.unpack(plain)
    message = packing.stamp(plain, feed, "s", number)
    stamped, same = packing.unpack(message)
    assert stamped == header | {"sent": [feed, "s", number]}
    assert {n: a.tobytes() for n, a in same.items()} == {n: a.tobytes() for n, a in arrays.items()}
    assert message.index(b'{"sent":') == 8  # by which a browser knows it among other bytes
