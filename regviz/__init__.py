"""regviz: see what regularization does to a neural network, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regviz._version import __version__
from regviz.specs import Experiment

if TYPE_CHECKING:
    from regviz.training.run import fit, train

__all__ = ["Experiment", "__version__", "fit", "train"]


def __getattr__(name: str) -> Any:
    # torch costs a second and 300 MiB: a process that only describes or draws runs loads none of it
    if name in ("fit", "train"):
        from regviz.training import run as training

        return getattr(training, name)
    raise AttributeError(f"module 'regviz' has no attribute {name!r}")
