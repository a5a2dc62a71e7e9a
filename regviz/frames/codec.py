"""The binary format of frames, of labs' frames and of the messages to the browser.

A message is a magic number (4 bytes), the length of the header (uint32, little-endian), a JSON
header padded with spaces, and raw little-endian arrays. Header and arrays are padded to multiples
of 8 bytes, so that a browser can lay typed arrays over the message without copying. What the
header says is up to the three formats that use this module; none of them is ever unpickled.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PREFIX = 8  # bytes before the header: magic number and length


def pack(
    magic: bytes,
    header: dict[str, Any],
    arrays: Iterable[NDArray[Any]],
    *,
    allow_nan: bool = True,
) -> bytes:
    """Return the message of a header and arrays.

    Parameters
    ----------
    magic
        Four bytes that name the format.
    header
        Whatever JSON can hold, the arrays' types and shapes among it.
    arrays
        Of any memory layout; they are written in C order.
    allow_nan
        Whether the header may hold NaN and infinity. Python reads them; a browser does not.

    Raises
    ------
    ValueError
        If the header holds NaN or infinity and may not.
    """
    text = json.dumps(header, separators=(",", ":"), allow_nan=allow_nan).encode()
    parts = [_with_prefix(magic, text)]
    for array in arrays:
        raw = np.ascontiguousarray(array).tobytes()
        parts += [raw, b"\0" * _padding(len(raw))]
    return b"".join(parts)


def unpack(magic: bytes, data: bytes) -> tuple[dict[str, Any], int]:
    """Return the header of a message, and the offset at which its arrays begin.

    Raises
    ------
    ValueError
        If ``data`` has another magic number, or no whole header.
    """
    if data[:4] != magic:
        raise ValueError(f"these bytes do not begin with {magic.decode()}")
    try:
        (length,) = struct.unpack_from("<I", data, 4)
    except struct.error as error:
        raise ValueError(f"these bytes have no whole header: {error}") from None
    header = json.loads(data[_PREFIX : _PREFIX + length])
    if not isinstance(header, dict):
        raise ValueError("these bytes have no header")
    return header, _PREFIX + length


def array_at(data: bytes, at: int, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Return the array at an offset, a read-only view of ``data``.

    Raises
    ------
    ValueError
        If ``data`` ends before the array does.
    """
    return np.frombuffer(data, np.dtype(dtype), math.prod(shape), at).reshape(shape)


def arrays_from(
    data: bytes, at: int, described: Iterable[tuple[str, Sequence[int]]]
) -> list[NDArray[Any]]:
    """Return arrays that lie one after the other from an offset on, given as (type, shape)."""
    arrays = []
    for dtype, shape in described:
        arrays.append(array_at(data, at, dtype, shape))
        at += padded_size(arrays[-1])
    return arrays


def padded_size(array: NDArray[Any]) -> int:
    """Return the bytes that an array takes in a message."""
    return array.nbytes + _padding(array.nbytes)


def prepend(data: bytes, entries: dict[str, Any]) -> bytes:
    """Return a message with more entries at the beginning of its header; arrays are not read."""
    (length,) = struct.unpack_from("<I", data, 4)
    more = json.dumps(entries, separators=(",", ":")).encode()
    text = more[:-1] + b"," + data[_PREFIX + 1 : _PREFIX + length]
    return _with_prefix(data[:4], text) + data[_PREFIX + length :]


def _with_prefix(magic: bytes, text: bytes) -> bytes:
    text += b" " * _padding(_PREFIX + len(text))
    return magic + struct.pack("<I", len(text)) + text


def _padding(size: int) -> int:
    return -size % 8
