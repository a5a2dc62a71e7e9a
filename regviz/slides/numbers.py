"""The rows of a slide's table of numbers, for stills and the HTML page alike."""

from __future__ import annotations

from collections.abc import Callable

from regviz.results import metrics
from regviz.results.metrics import Reading
from regviz.slides import words

NUMBERS: tuple[tuple[str, Callable[[Reading], str]], ...] = (
    ("training loss", lambda r: words.number(r.train_loss)),
    ("validation loss", lambda r: words.number(r.val_loss)),
    ("training accuracy", lambda r: metrics.percent(r.train_accuracy)),
    ("validation accuracy", lambda r: metrics.percent(r.val_accuracy)),
    ("gap", lambda r: metrics.points(r.gap)),
    ("best epoch", lambda r: str(r.best_epoch or "–")),
    ("epochs trained", lambda r: str(r.trained)),
    ("exact zeros", lambda r: f"{r.zeros:,} of {r.weights:,}"),
)
"""Name of each row, and the text of its cell for one run."""
