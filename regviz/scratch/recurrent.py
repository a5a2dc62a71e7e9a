"""An LSTM with recurrent dropout: one mask for a whole sequence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def recurrent_dropout_lstm(
    x: Array, w_input: Array, w_state: Array, bias: Array, mask: Array
) -> Array:
    """An LSTM layer whose state is dropped by the same mask at each step. Returns (time, units).

    i, f, g, o = W·x + U·(h∘mask) + b;  c ← σ(f)·c + σ(i)·tanh(g);  h ← σ(o)·tanh(c).

    Parameters
    ----------
    x
        One sequence, (time, inputs).
    w_input, w_state, bias
        (4·units, inputs), (4·units, units), (4·units,), in torch's order of the gates: i, f, g, o.
    mask
        (units,), drawn once for the sequence: 1/(1-p) where a unit is kept, else 0. A mask
        (time, units) would differ from step to step: that is not recurrent dropout.

    Source: Gal & Ghahramani 2016, arXiv 1512.05287; gates as in torch.nn.LSTM.
    """
    units = mask.shape[-1]
    h = c = np.zeros(units)
    out = np.empty((len(x), units))
    for t, now in enumerate(x):
        kept = mask if mask.ndim == 1 else mask[t]
        i, f, g, o = np.split(w_input @ now + w_state @ (h * kept) + bias, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        out[t] = h
    return out
