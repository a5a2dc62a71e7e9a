"""Noise on a network's inputs: its increase of the loss, compared with Tikhonov's penalty on the
slope.

The core trains the twins; the analysis is NumPy on their weights. Means over Gaussian noise are
computed by quadrature, without random draws.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import make_dataset
from regviz.frames.lab import LabFrame
from regviz.labs.microscope import Weights, epochs_of, losses_of, weights_of
from regviz.specs import Experiment
from regviz.training.run import Run

Array = NDArray[np.float64]

SIGMAS = np.geomspace(0.01, 1.0, 25)
_NODES = 20  # quadrature nodes per input: far more than a smooth loss needs


def logit(net: Weights, x: Array) -> Array:
    """Return the logits of a tanh network at points (…, 2), (…,)."""
    h = x
    for w, b in zip(net.matrices[:-1], net.biases[:-1], strict=True):
        h = np.tanh(h @ w + b)
    return (h @ net.matrices[-1] + net.biases[-1])[..., 0]


def slope_and_curvature(net: Weights, x: Array, step: float = 1e-3) -> tuple[Array, Array]:
    """Return ‖∇z‖² and Δz of the logit at each point (n, 2), by central differences, (n,) each."""
    z, square, bend = logit(net, x), np.zeros(len(x)), np.zeros(len(x))
    for e in np.eye(2) * step:
        up, down = logit(net, x + e), logit(net, x - e)
        square += np.square((up - down) / (2 * step))
        bend += (up - 2 * z + down) / step**2
    return square, bend


def penalties(net: Weights, x: Array, y: Array) -> tuple[float, float]:
    """Return the coefficients of σ² in the added loss: Tikhonov's term, and both terms.

    E L(x + σε) = L(x) + σ²·½·mean[p(1-p)·‖∇z‖² + (p - y)·Δz] + O(σ⁴) for the cross-entropy of two
    classes, p = P(class 1) and z its logit. The first term is Tikhonov's penalty on the slope; the
    second vanishes where p equals the data's P(class 1) (Bishop 1995).
    """
    square, bend = slope_and_curvature(net, x)
    p = np.exp(-np.logaddexp(0, -logit(net, x)))
    tikhonov = 0.5 * float((p * (1 - p) * square).mean())
    return tikhonov, tikhonov + 0.5 * float(((p - y) * bend).mean())


def surplus(net: Weights, x: Array, y: Array, sigma: float) -> float:
    """Return E L(x + σε) - L(x), mean over the points, by Gauss-Hermite quadrature over ε."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()

    def loss(z: Array) -> Array:
        return np.logaddexp(0, z) - y * z

    total = 0.0
    for a, wa in zip(nodes, weights, strict=True):
        moved = np.stack([x + sigma * np.array([a, b]) for b in nodes])  # (nodes, n, 2)
        total += wa * float(weights @ loss(logit(net, moved)).mean(axis=1))
    return total - float(loss(logit(net, x)).mean())


def noise_tikhonov(
    sigma: float, width: int, epochs: int, n_samples: int, noise: float, seed: int
) -> Iterator[LabFrame]:
    """Train tanh twins on moons without and with input noise σ; then measure the training loss that
    noise of any strength adds, beside Tikhonov's penalty.

    The twins are 2-width-width-1 networks. One frame per epoch (``history`` (2, 3, e) float32 as in
    the microscope), and a last one with the measurements. Arrays: ``sigma`` (25,), from 0.01 to 1;
    ``measured`` (2, 25), E L(x + σε) - L(x) by quadrature; ``tikhonov`` (2, 25), ½σ²·mean
    p(1-p)‖∇z‖²; ``second_order`` (2, 25), that plus ½σ²·mean (p - y)Δz. Values: ``phase``;
    ``sigma``; lists (without, with): ``slope``, Tikhonov's penalty over σ²; ``surplus``,
    ``penalty``: measured and Tikhonov's at ``sigma``; ``small``, measured over second order at σ =
    0.01.

    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """
    plain = Experiment.from_dict(
        {
            "data": {"n_samples": n_samples, "noise": noise, "seed": seed},
            "model": {"hidden": [width, width], "activation": "tanh"},
            "training": {"lr": 0.01, "epochs": epochs, "seed": seed},
        }
    )
    twins = [plain, plain.replace("regularization.input_noise", sigma)] if sigma else [plain]
    steps = epochs + 1
    run = Run(twins)
    for epoch in epochs_of(run):
        yield LabFrame(epoch, steps, {"history": losses_of(run)[[0, -1]]}, {"phase": "training"})
    data = make_dataset(plain.data)
    x, y = data.x_train.astype(np.float64), data.y_train.astype(np.float64)
    found = weights_of(run)
    nets = (found[0], found[-1])
    tikhonov, second = np.array([penalties(net, x, y) for net in nets]).T
    measured = np.array([[surplus(net, x, y, float(s)) for s in SIGMAS] for net in nets])
    here = np.array([surplus(net, x, y, sigma) for net in nets])
    yield LabFrame(
        steps,
        steps,
        {
            "history": losses_of(run)[[0, -1]],
            "sigma": SIGMAS,
            "measured": measured,
            "tikhonov": tikhonov[:, None] * SIGMAS**2,
            "second_order": second[:, None] * SIGMAS**2,
        },
        {
            "phase": "done",
            "sigma": sigma,
            "slope": tikhonov.tolist(),
            "surplus": here.tolist(),
            "penalty": (tikhonov * sigma**2).tolist(),
            "small": [
                float(m[0] / (s * SIGMAS[0] ** 2)) for m, s in zip(measured, second, strict=True)
            ],
        },
    )
