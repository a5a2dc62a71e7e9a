"""The binary format: what is packed comes out again, and no byte changes by accident."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regviz.frames import codec, messages
from regviz.frames.lab import LabFrame
from tests.live_page import made_up_frame
from tests.test_frames import make_frame, make_view

ARRAYS = st.lists(
    st.sampled_from(["u1", "<u2", "<f2", "<f4", "<i8", "?"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=5))
    ),
    max_size=5,
)
JSON = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4)


def described(arrays: list[np.ndarray[Any, Any]]) -> list[tuple[str, list[int]]]:
    return [(a.dtype.str, list(a.shape)) for a in arrays]


@given(JSON, ARRAYS)
def test_header_and_arrays_come_out_again(header: dict[str, Any], arrays: list[Any]) -> None:
    data = codec.pack(b"TEST", header, arrays)
    again, at = codec.unpack(b"TEST", data)
    assert again == header
    assert at % 8 == len(data) % 8 == 0
    for a, b in zip(arrays, codec.arrays_from(data, at, described(arrays)), strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert len(data) == at + sum(map(codec.padded_size, arrays))


@given(JSON, ARRAYS, st.text(max_size=9))
def test_entries_can_be_put_before_a_header(
    header: dict[str, Any], arrays: list[Any], more: str
) -> None:
    plain = codec.pack(b"TEST", header | {"last": 1}, arrays)
    data = codec.prepend(plain, {"first": more})
    again, at = codec.unpack(b"TEST", data)
    assert list(again) == ["first", *(header | {"last": 1})]
    assert at % 8 == 0
    assert data[at:] == plain[codec.unpack(b"TEST", plain)[1] :]


def test_a_browser_gets_no_nan_in_a_header() -> None:
    codec.pack(b"TEST", {"x": float("nan")}, [])
    with pytest.raises(ValueError, match="JSON"):
        codec.pack(b"TEST", {"x": float("nan")}, [], allow_nan=False)


@pytest.mark.parametrize("data", [b"", b"OTHER", b"TEST", b"TEST\4\0\0\0null"])
def test_bytes_without_a_header_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="these bytes"):
        codec.unpack(b"TEST", data)


def _frame() -> bytes:
    return make_frame(300, view=make_view()).to_bytes()


def _lab() -> bytes:
    arrays: dict[str, Any] = {"a": np.arange(7, dtype=np.uint8), "b": np.eye(3)}
    return LabFrame(3, 9, arrays, {"x": 1.5, "unknown": float("nan"), "l": [1, [2]]}).to_bytes()


def _message() -> bytes:
    return messages.pack_frame("c", "r", made_up_frame("a", 40, layers=3), name="n", pooled=True)


def _stamped() -> bytes:
    return messages.stamp(messages.pack_figures("c", {"p": ("{}", "[]")}), "feed", "é", 3)


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (_frame, "a7e8fead0ddddb8b"),
        (_lab, "5aedd9099e4cae50"),
        (_message, "0b6c2daee2b677e0"),
        (_stamped, "651a2ae7c86f69ec"),
    ],
)
def test_the_bytes_are_what_they_were(make: Any, digest: str) -> None:
    # taken before the three formats shared one codec
    assert hashlib.blake2b(make(), digest_size=8).hexdigest() == digest
