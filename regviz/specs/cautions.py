"""Cautions: pairs of settings that together do not do what each of them promises.

Such experiments are allowed, and worth running. But their result does not show what the technique
does on its own, and a user should know.
"""

from __future__ import annotations

from regviz.specs import Experiment, batch_ends

SMALL_BATCH = 8
"""Batch size below which batch norm's mean and variance are mostly noise."""
AVERAGING = 0.9
"""Least momentum at which SGD with L1 reaches exact zeros on mini-batches."""

L1_MEASURED = (
    "plain SGD switched off 2–7 of 18 irrelevant inputs of a linear model in ten runs; Adam, "
    f"AdamW, momentum {AVERAGING:g} or the full batch 14–18"
)
"""Result of L1 at λ = 0.03 on ``linear`` data: 300 points, noise 0.3, seeds 0–9 of data and
training, learning rates 0.01–0.2, batches of 32. A test measures it again."""


def cautions(e: Experiment) -> dict[str, str]:
    """Return one or two sentences for each setting that another one works against, by path."""
    found: dict[str, str] = {}
    r, model, training = e.regularization, e.model, e.training
    drops = any(e.dropout_rates)
    if model.kind == "mlp" and not model.hidden:
        dropout = r.dropout if isinstance(r.dropout, tuple) else (r.dropout,)
        if any(dropout):
            found["regularization.dropout"] = (
                "A linear model has no hidden layer: dropout has no effect."
            )
        if model.norm is not None:
            found["model.norm"] = (
                "A linear model has no hidden layer: there is nothing to normalize."
            )
    elif drops and r.dropout_kind == "alpha" and model.activation != "selu":
        found["regularization.dropout_kind"] = (
            f"Alpha dropout is made for SELU. With {model.activation} it preserves neither mean "
            "nor variance, and a dropped unit is set to a value far from 0. Choose the activation "
            "selu or standard dropout."
        )
    elif (
        drops
        and r.dropout_kind == "standard"
        and model.activation == "selu"
        and _self_normalizing(e)
    ):
        found["regularization.dropout_kind"] = (
            "SELU preserves mean 0 and variance 1 from layer to layer. Standard dropout changes "
            "the variance; alpha dropout preserves both."
        )
    size = min(training.batch_size or e.n_train, e.n_train)
    if model.norm == "batch" and model.kind == "mlp" and model.hidden and size < SMALL_BATCH:
        found["training.batch_size"] = (
            f"Batch norm computes mean and variance from {size} points: they are mostly noise."
        )
    plain = training.optimizer == "sgd" and training.momentum < AVERAGING
    if r.l1 and plain and len(batch_ends(e.n_train, training.batch_size)) > 1:
        # at any lr, the gradient noise of a batch moves a weight further than lr·λ moves it back
        found["regularization.l1"] = (
            "With SGD on mini-batches, most weights that L1 should set to 0 only come close to 0, "
            f"at any learning rate: {L1_MEASURED}."
        )
    if training.momentum and training.optimizer != "sgd":
        found["training.momentum"] = f"Momentum is for SGD only; {training.optimizer} ignores it."
    stop = r.early_stopping
    if stop is not None and stop.patience >= training.epochs:
        end = (
            "at the end the weights of the best epoch are restored"
            if stop.restore_best_weights
            else "the weights of the last epoch are kept"
        )
        found["regularization.early_stopping.patience"] = (
            f"Patience is not shorter than the run of {training.epochs} epochs, so it cannot stop "
            f"the run; {end}."
        )
    return found


def _self_normalizing(e: Experiment) -> bool:
    """Whether mean and variance from layer to layer depend on the activation alone."""
    return e.model.kind in ("mlp", "cnn") and e.model.norm is None
