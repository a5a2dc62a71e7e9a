"""WRONG dropout, three times; the right one is :mod:`regviz.scratch.dropout`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wrong_dropout_at_test(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: forgets the switch, so predictions are made with units missing, too.

    It is what a forgotten ``model.eval()`` does: the same input gives another answer each time.
    (Done on purpose, many times and averaged, it is Monte-Carlo dropout.)

    Source: torch.nn.Module.eval; Srivastava et al. 2014; Gal & Ghahramani 2016.
    """
    kept = rng.random(x.shape) >= p
    return x * kept / (1 - p)  # whatever ``training`` says


def wrong_scaling_by_p(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: multiplies what is kept by p, the probability of *dropping*.

    E[y] = p·(1-p)·x in training against x at test: the next layer sees another scale. It comes
    from mixing two conventions: the paper's p is of *keeping*, and it scales at test time.

    Source: Srivastava et al. 2014, section 10; torch.nn.Dropout.
    """
    if not training:
        return x
    kept = rng.random(x.shape) >= p
    return x * kept * p  # right: / (1 - p)


def wrong_scaling_twice(x: Array, p: float, *, training: bool, rng: np.random.Generator) -> Array:
    """WRONG: scales in training, as inverted dropout does, and again at test, as classic does.

    E[y] = x in training, (1-p)·x at test. Each convention is right alone, both together are not.

    Source: Srivastava et al. 2014, section 10.
    """
    if not training:
        return (1 - p) * x  # right: x, since training has scaled already
    kept = rng.random(x.shape) >= p
    return x * kept / (1 - p)
