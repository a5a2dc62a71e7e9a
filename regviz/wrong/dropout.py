"""WRONG dropout, three times; the correct one is :mod:`regviz.scratch.dropout`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wrong_dropout_at_test(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: ignores ``training``, so units are also dropped in predictions.

    This is the effect of a forgotten ``model.eval()``: the same input gives a different output each
    time. (Done on purpose and averaged over many passes, it is Monte-Carlo dropout.)

    Source: torch.nn.Module.eval; Srivastava et al. 2014; Gal & Ghahramani 2016.
    """
    kept = rng.random(x.shape) >= p
    return x * kept / (1 - p)  # correct: x, unless training


def wrong_scaling_by_p(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: multiplies the kept units by p, the probability of *dropping*.

    E[y] = p·(1-p)·x in training but x at test time: the next layer receives inputs on another
    scale. The mistake mixes two conventions: in the paper, p is the probability of *keeping*, and
    the scaling is done at test time.

    Source: Srivastava et al. 2014, section 10; torch.nn.Dropout.
    """
    if not training:
        return x
    kept = rng.random(x.shape) >= p
    return x * kept * p  # correct: / (1 - p)


def wrong_scaling_twice(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: scales in training (inverted dropout) and again at test time (classic dropout).

    E[y] = x in training but (1-p)·x at test time. Each convention is correct alone, but not both
    together.

    Source: Srivastava et al. 2014, section 10.
    """
    if not training:
        return (1 - p) * x  # correct: x, since training has scaled already
    kept = rng.random(x.shape) >= p
    return x * kept / (1 - p)
