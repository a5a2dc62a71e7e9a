"""WRONG recurrent dropout: ``nn.LSTM(dropout=p)`` with one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def wrong_lstm_with_dropout(inputs: int, units: int, p: float) -> nn.LSTM:
    """WRONG: requests dropout that is never applied.

    ``dropout=`` acts on the outputs of one layer before the *next* layer. With ``num_layers=1``
    there is no next layer, and torch only warns. Even with two layers, it draws a new mask at each
    time step. Recurrent dropout uses one mask for a whole sequence.

    Source: torch.nn.LSTM; Gal & Ghahramani 2016, arXiv 1512.05287.
    """
    from torch import nn

    return nn.LSTM(inputs, units, num_layers=1, dropout=p, batch_first=True)
