"""WRONG order: dropout directly before batch norm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regviz.scratch.dropout import dropout_forward

Array = NDArray[np.float64]


def wrong_input_of_batch_norm(
    x: Array, p: float, *, training: bool, rng: np.random.Generator
) -> Array:
    """WRONG: the input of batch norm when dropout is placed directly before it.

    Dropout keeps the mean but not the variance: Var[y] = Var[x] + E[x²]·p/(1-p) in training, Var[x]
    in eval mode. Batch norm learns the first as its running variance but is applied to the second:
    a variance shift. Correct: dropout after the last batch norm.

    Source: Li et al. 2019, arXiv 1801.05134.
    """
    return dropout_forward(x, p, training=training, rng=rng)[0]
