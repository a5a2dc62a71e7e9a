"""A link as a QR code."""

from __future__ import annotations

import numpy as np
import segno
from numpy.typing import NDArray

from regviz.specs import SpecError


def matrix(link: str) -> NDArray[np.uint8]:
    """Return the QR code of a link: 1 is dark; the quiet zone of four modules is in it.

    Raises
    ------
    SpecError
        If the link is longer than a QR code holds.
    """
    try:
        code = segno.make(link, micro=False, error="l", boost_error=True)
    except segno.DataOverflowError:
        raise SpecError(
            f"link: got {len(link)} characters, more than a QR code holds; give a shorter one."
        ) from None
    return np.array([list(row) for row in code.matrix_iter(border=4)], np.uint8)
