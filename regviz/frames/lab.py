"""Frames of labs: named arrays and named values, and their bytes.

NumPy only. As with :class:`regviz.frames.Frame`, nothing received is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.frames import codec

Value = float | str | list[Any]
"""A number, a word, or a list (of lists) of them."""

_MAGIC = b"RVL1"
_PLAIN = "biuf"  # kinds of NumPy's numbers: bool, signed, unsigned, floating


@dataclass(frozen=True)
class LabFrame:
    """A lab at one moment.

    Attributes
    ----------
    step, steps
        The current step, from 1, and the last one. Each lab has its own unit of a step.
    arrays
        The arrays to draw, by name. After :meth:`from_bytes` they are read-only.
    values
        The values to state, by name; a number that is not known yet is NaN.
    """

    step: int
    steps: int
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """Return the value ``name`` as a number."""
        value = self.values[name]
        if isinstance(value, (str, list)):
            raise TypeError(f"{name} is no number")
        return float(value)

    def numbers(self, name: str) -> list[float]:
        """Return the value ``name`` as a list of numbers."""
        value = self.values[name]
        if not isinstance(value, list):
            raise TypeError(f"{name} is no list")
        return [float(v) for v in value]

    @property
    def done(self) -> bool:
        """Whether this is the last frame."""
        return self.step >= self.steps

    def to_bytes(self) -> bytes:
        """Pack the frame: magic, header length, JSON header, arrays."""
        header = {
            "step": self.step,
            "steps": self.steps,
            "values": dict(self.values),
            "arrays": [[k, a.dtype.str, list(a.shape)] for k, a in self.arrays.items()],
        }
        for a in self.arrays.values():
            if a.dtype.kind not in _PLAIN:
                raise TypeError(f"a lab's array is of numbers, not of {a.dtype}")
        return codec.pack(_MAGIC, header, self.arrays.values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LabFrame:
        """Unpack what :meth:`to_bytes` wrote; the arrays are read-only views of ``data``.

        Raises
        ------
        ValueError
            If ``data`` is not a whole frame.
        """
        try:
            header, at = codec.unpack(_MAGIC, data)
            names = [name for name, _, _ in header["arrays"]]
            found = codec.arrays_from(data, at, [entry[1:] for entry in header["arrays"]])
            arrays = dict(zip(names, found, strict=True))
            return cls(header["step"], header["steps"], arrays, header["values"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"these bytes are not a whole frame of a lab: {error!r}") from None


def observed_steps(steps: int, most: int = 150) -> NDArray[np.int64]:
    """Return at which of the steps 1…``steps`` a lab makes frames: densely at first.

    At most about twice ``most``: evenly on a log axis, since curves are steep at first, and evenly
    on a linear one, so that the time between two frames is short.
    """
    even = np.linspace(1, steps, most)
    return np.unique(np.concatenate([np.geomspace(1, steps, most), even]).round().astype(np.int64))
