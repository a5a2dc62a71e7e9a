"""Labs: small computations beside the training runs, one table row and one generator each.

A lab is a generator ``function(**parameters) -> Iterator[LabFrame]`` that a trainer process runs
in short slices beside the runs. Pages ask for one by name with
``engine.submit_lab(name, parameters, owner, slot=...)`` and look with ``job.latest()``. Every
number in a frame was measured in that very run, or is the closed form that it is held against,
and is named so. Equal parameters give equal frames: all chance comes from ``seed``.

This module and :mod:`regviz.frames.lab` are light; the labs' own modules are imported where they
run. Names below: n samples, d features, t steps so far. ``nan`` in a value or an array: not known
yet. Arrays are float64 where nothing else is said.

Theory labs: the live curve, the closed form, and the gap
--------------------------------------------------------
``dropout_ridge`` (p, n_samples, n_features, steps, seed) and
``noise_ridge`` (sigma, and the rest as before)
    A linear model on y = Xw* + noise, trained by full-batch SGD with a fresh mask (or fresh
    noise) on the inputs at each step. Arrays: ``step`` (t,); ``weights`` (t, d) the iterate;
    ``averaged`` (t, d) the mean of its second half so far; ``closed_form`` (d,), the minimizer
    (XᵀX + diag(strength))⁻¹Xᵀy; ``least_squares`` (d,), the same without a penalty; ``true``
    (d,); ``strength`` (d,), what is added to the diagonal: p/q·Σᵢxᵢⱼ², or n·σ²; ``gap`` (t,).
    Values: ``gap`` = max|averaged - closed form|/max|closed form|; ``gap_least_squares``, the
    same against the minimizer without a penalty.
``noise_tikhonov`` (sigma, width, epochs, n_samples, noise, seed)
    Tanh twins 2-width-width-1 on moons, without and with input noise ``sigma``; a frame for each
    epoch (``history`` (2, 3, e) float32 as in the microscope), and one at the end, where noise of
    any strength is put on the training points. Arrays: ``sigma`` (25,), from 0.01 to 1;
    ``measured`` (2, 25), E L(x + σε) - L(x) by quadrature; ``tikhonov`` (2, 25), ½σ²·mean
    p(1-p)‖∇z‖²; ``second_order`` (2, 25), that and ½σ²·mean (p - y)Δz. Values: ``phase``;
    ``sigma``; lists (without, with): ``slope``, Tikhonov's penalty over σ²; ``surplus``,
    ``penalty``: measured and Tikhonov's at ``sigma``; ``small``, measured over second order at
    σ = 0.01.
``early_stopping_ridge`` (lr, steps, n_eigenvalues, seed)
    Gradient descent from 0 on a quadratic with eigenvalues λ from 0.001 to 1 (turned, so that the
    descent does not see them apart). Arrays, (n_eigenvalues,): ``eigenvalue``; ``measured``, the
    share of the solution that each direction has after ``step`` steps; ``closed_form`` 1 - (1 -
    ελ)^τ; ``ridge`` λ/(λ + α). (t,): ``step``, ``alpha`` = 1/(τε), ``gap`` = the largest
    |measured - ridge|. Values: ``gap``; ``gap_at``, the eigenvalue where it is; ``alpha``;
    ``error`` = max|measured - closed form|; ``largest_gap`` so far and ``largest_at_step``;
    ``bound`` = 0.2036, the bound for small ελ; ``bound_here``, the bound for this ε at this τ (a
    little more), and ``largest_bound`` over the τ so far.
``l1_path`` (strength, correlation, n_samples, n_features, steps, seed)
    One stack of lasso problems by proximal SGD, a lane for each λ; lanes 0…39 on orthonormal X,
    lanes 40…79 on correlated X. Arrays: ``lambda`` and ``lambda_correlated`` (40,), descending
    from 1.1·λ_max to 0; ``measured``, ``closed_form`` (40, d): S(Xᵀy, λ); ``lasso``, ``ridge``
    (40, d) on correlated X; ``zeros`` (40,) int64: exact zeros of ``lasso``; ``true`` (d,).
    Geometry of two weights at λ = strength·λ_max: ``axis`` (61,), ``loss`` (61, 61) (row w₁,
    column w₀), and the points (2,): ``minimum``, ``point_l1``, ``point_l2``. Values: ``gap`` =
    max|measured - closed form|; ``lambda_max``, ``lambda_max_correlated``; ``kkt`` = max
    violation of |Xⱼᵀr| ≤ λ at zeros, ``kkt_active`` = max|Xⱼᵀr - λ·sign wⱼ| at the others, both
    as a share of λ_max; ``radius_l1`` (Σ|w| of the diamond through ``point_l1``), ``radius_l2``
    (‖w‖ of the disc), ``loss_at_points``, the same for both; ``iterations`` so far.
``decay_equivalence`` (weight_decay, lr, steps, seed)
    One linear regression, features on scales 1 to 8, under four optimizers. Arrays: ``step``
    (t,); ``sgd_l2``, ``sgd_decay``, ``adam_l2``, ``adamw`` (t, 4): the weights; ``norms`` (t, 4):
    their ‖w‖ in this order; ``gap_sgd``, ``gap_adam`` (t,) = max|difference of the pair|;
    ``scale`` (4,): each feature's. Values: ``gap_sgd``, ``gap_adam`` over all steps so far.
``alpha_dropout_depth`` (p, layers, width, batch, seed)
    SELU layers with LeCun weights on standard normal inputs; a frame for each layer. Arrays:
    ``layer`` (l,), 0 = the input; ``mean``, ``variance`` (3, l) of all activations: none,
    standard dropout, alpha dropout. Values: ``gap_none``, ``gap_standard``, ``gap_alpha`` = the
    largest of |mean| and |variance - 1| over the layers so far; ``kinds``, their names.
``label_smoothing_gap`` (epsilon, n_classes, lr, steps, seed)
    Free logits, five samples, gradient descent on the smoothed loss. Arrays: ``step`` (t,);
    ``logit_gap`` (t, 5) = z_right - mean of the others; ``loss`` (t,); ``target`` (K,),
    ``softmax`` (K,) of the first sample, right class first. Values: ``closed_form`` = ln(1 +
    K(1-ε)/ε) (inf for ε = 0), ``smallest_loss`` = H(target), ``gap`` = |mean logit gap - closed
    form|, ``gap_loss`` = loss - H(target).
``batch_norm_scale`` (width, batch, seed)
    All weights before batch norm times k, for k = 1/16…16; a frame for each. Arrays: ``k`` (m,);
    ``output_change``, ``output_change_plain`` (m,) = max|f(kW) - f(W)|/max|f(W)| with batch norm
    and without; ``gradient`` (m,) = ‖∂L/∂W‖ at kW, ``closed_form`` (m,) = ‖∂L/∂W‖ at W, over k.
    Values: ``gap`` = max relative difference of the two; ``gap_output`` = max output_change.

``recurrent_masks`` (p, units, sequences, seed)
    Masks of an LSTM's recurrent dropout, drawn by a run's own stream: one for each sequence, as
    in training, and one for each step. Arrays: ``masks_fixed``, ``masks_redrawn`` (3, 20, units)
    uint8: 1 = kept, of the first three sequences; ``step`` (20,) t; ``measured_fixed``,
    ``measured_redrawn`` (20,): share of units kept at each of the first t steps, over the
    sequences so far; ``closed_form_fixed``, 1-p, and ``closed_form_redrawn``, (1-p)^t, (20,).
    Values: ``gap`` = max|measured - closed form|; ``sequences`` so far; ``p``.
``attention_row_sums`` (p, draws, seed)
    40 softmax rows over 20 tokens, from even to sharp, under attention dropout. Arrays, (40,):
    ``focus`` Σa²; ``measured``, the rms of (row sum - 1) over the draws so far; ``closed_form``
    √(p/(1-p)·Σa²); ``sums``, the row sums of the last draw. Values: ``gap`` = max|measured -
    closed form|; ``mean`` of all row sums; ``draws`` so far; ``p``.

Microscope
----------
``microscope`` (p, width, passes, epochs, n_samples, noise, seed)
    Trains twins 2-width-width-1 on moons, without and with dropout p in both hidden layers; then
    looks at them. ``values["phase"]``: ``training``, then ``looking``, at last ``done``; an array
    is there from the phase on in which it is known. While training: ``history`` (2, 3, e)
    float32: without and with; train loss, train-mode loss, val loss. Then also, all of the net
    with dropout (a batch of 8 training points, H = 2·width hidden units, the first layer's first;
    outputs are logits where nothing else is said): ``widths`` (4,) int64; ``weights_0`` (2,
    width), ``weights_1`` (width, width), ``weights_2`` (width, 1); ``masks`` (8, H) uint8, 1 =
    kept, this batch's; ``eval_output``, ``train_output``, ``label`` (8,); ``sub_networks`` (24,
    H) uint8, one mask a row, and ``sub_network_output`` (24,) P(class 1) by each at ``point``
    (2,), the batch's first; ``k`` (passes,); ``error_eval`` (passes,): rms of (mean of k masked
    passes - eval output) over the batch and 64 repeats; ``error_mean`` (passes,): rms of (that
    mean - the mean of all 64·passes); ``expected`` (passes,): spread/√k, the law for
    ``error_mean``. On a grid over the data (24x24, row x1, column x0): ``xx0``, ``xx1`` (24,),
    P(class 1) over 200 sub-networks ``mc_mean``, ``mc_std``, and of the whole net ``eval`` (24,
    24). ``ablation`` (2, H), without and with dropout: how much the training loss rises when that
    hidden unit is set to 0 (eval mode, nats). Values: ``loss_eval``, ``loss_train`` of the batch,
    same weights; ``kept``, share of 1 in ``masks``; ``spread``, standard deviation of one masked
    pass; ``floor``, rms of (mean of all passes - eval output), which stays because the net is not
    linear; lists (without, with): ``ablation_mean``, ``ablation_max``, ``ablation_largest_share``
    (largest rise over the sum of all rises), ``loss_full`` (train loss, eval mode);
    ``loss_full_train_mode``, that of the net with dropout with masks on (mean of 20 draws).

Wrong wall: wrong and right on the same numbers (wrong code: :mod:`regviz.wrong`)
--------------------------------------------------------------------------------
Values of each: ``measured``, the number that shows the difference; ``says``, what it is, in words.

``wrong_dropout_at_test`` (p, repeats, seed)
    A net 2-64-64-1 trained on moons with dropout predicts the validation points ``repeats``
    times. While it trains ``values["phase"]`` is ``training`` and there is nothing else. Arrays:
    ``wrong``, ``right`` (repeats,): accuracy; ``wrong_output``, ``right_output`` (repeats,):
    P(class 1) of the least certain point. Values: ``accuracy_wrong``, ``accuracy_right`` (means);
    measured = standard deviation of ``wrong_output``; ``right_spread``, of ``right_output`` (0).
``wrong_dropout_scaling`` (p, units, repeats, seed)
    A layer's mean output over its mean input. Arrays, (repeats,), training mode, mean of the
    masks so far: ``wrong`` (scaled by p), ``twice`` (scaled in training and at test), ``right``.
    Values: ``train_wrong``, ``train_twice``, ``train_right`` (their last), ``test_wrong``,
    ``test_twice``, ``test_right`` (test mode); ``expected_wrong`` = p(1-p), ``expected_twice`` =
    1-p (at test); measured = train_wrong/test_wrong, ``measured_twice``, ``measured_right``: 1 is
    right.
``wrong_l1_subgradient`` (l1, n_features, steps, seed)
    The same lasso by subgradient and by proximal steps. Arrays: ``step`` (t,); ``wrong``,
    ``right`` (t, d): weights; ``zeros_wrong``, ``zeros_right`` (t,) int64: exact zeros. Values:
    measured = zeros_right - zeros_wrong at the end; ``zeros_wrong``, ``zeros_right``;
    ``smallest_wrong``: the smallest |w| of the wrong one.
``wrong_l1_kill`` (l1, steps, seed)
    The same lasso; in the wrong one a weight that crosses zero is dead for good. Arrays: ``step``
    (t,); ``wrong``, ``right`` (t, 16); ``solution`` (16,); ``dead`` (t,) int64. Values: measured
    = objective of wrong - objective of right; ``dead``; ``dead_but_needed``: dead weights that
    are not 0 in the solution; ``gap_right`` = max|right - solution|.
``wrong_adam_decay`` (weight_decay, lr, steps, seed)
    A weight with large gradients (first column) and one with small ones, both pure noise, under
    decay; means of 200 copies. Arrays: ``step`` (t,); ``wrong``, ``right`` (t, 2): w over its
    start; ``closed_form`` (t,) = (1-lr·λ)^t. Values: measured = share left of the first minus
    that of the second, wrong; ``right_difference``, the same, right; ``left_wrong``,
    ``left_right`` (lists of 2); ``closed_form``, its last.
``wrong_early_stopping`` (patience, epochs, seed)
    One over-fitting run, two stoppers. Arrays: ``epoch``, ``train_loss``, ``val_loss`` (e,).
    Values: ``stopped_wrong``, ``stopped_right`` (epoch, 0: not yet), ``best_wrong``,
    ``best_right`` (epochs), ``val_loss_wrong``, ``val_loss_right`` (at those); measured = their
    difference.
``wrong_dropout_before_batch_norm`` (p, width, batch, steps, seed)
    Linear → ReLU → dropout → BN against linear → ReLU → BN (→ dropout). Arrays: ``step`` (t,);
    ``wrong``, ``right`` (t,): variance of what BN gets in eval mode over the running variance
    that it has learnt, mean over units; ``expected`` (t,), by the law Var + E[x²]·p/(1-p).
    Values: measured = last ``wrong``; ``right``; ``expected``.
``wrong_lstm_dropout`` (p, passes, seed)
    ``nn.LSTM(dropout=p)`` with one layer in train mode, and recurrent dropout (one mask per
    sequence) with the same weights and input. Arrays: ``wrong``, ``right`` (passes, 30): the
    first unit's output over time, one row a pass. Values: measured = the largest difference
    between passes of the wrong one (0: no dropout at all); ``right_spread``, of the right one;
    ``warning``: what torch says.

Galleries
---------
``audio`` (sound, transform, rate, semitones, snr, seed)
    ``sound``: tone, chirp, plucked; ``transform``: time_stretch (by ``rate``, above 1 is faster),
    pitch_shift (by ``semitones``), noise (``snr`` dB below the sound), none. Arrays:
    ``original``, ``changed`` (samples,) int16 at ``values["rate"]`` = 16000 Hz; to draw:
    ``time_original`` (s), ``wave_original``, ``time_changed``, ``wave_changed`` (800,), lowest
    and highest by turns; ``spectrogram_original``, ``spectrogram_changed`` (129, frames) float32,
    dB below the peak; ``frequency`` (129,) Hz; ``frame_time_original``, ``frame_time_changed``
    (frames,) s. Values: ``seconds_original``, ``seconds_changed``; ``peak_original``,
    ``peak_changed`` (Hz, the strongest frequency); ``snr`` (dB, measured; nan without noise).
``text`` (sentence, transform, strength, count, seed)
    ``sentence``: number of a shipped one; ``transform``: synonym_replacement, random_insertion,
    random_deletion, random_swap, with ``strength`` the share of words to change; or
    back_translation, a stored example that takes no notice of the rest. Values: ``original``;
    ``changed`` (list of texts); ``changes`` (list: words to insert, delete or replace to get
    there); ``stored`` (1 or 0); ``steps`` (back-translation: list of [language, text], else
    empty).
``image`` (digit, the six strengths of ``AugmentationSpec``, noise, count, seed)
    The first digit of its class and ``count`` copies x' = T(x), changed as in training by
    degrees, translate, scale, horizontal_flip, brightness, contrast, and ``noise`` (which is
    ``input_noise`` there). Arrays:
    ``original`` (8, 8), ``changed`` (count, 8, 8) float32; of each copy, (count,): ``degrees``
    (counter-clockwise), ``right``, ``down`` (pixels), ``factor``, ``mirrored`` (0 or 1),
    ``brightness``, ``contrast``. Values: ``distance``, rms of changed - original over all copies,
    and ``spread``, the original's standard deviation over its pixels, to compare.

Shapes
------
``dropout_shapes`` (dimensions, p, seed)
    What dropout drops as one and batch norm averages as one, on (2, 3) samples and channels of
    1, 2 or 3 further dimensions, computed with torch's modules. Arrays, each (samples, channels,
    rows, columns) with the depth of three dimensions laid side by side: ``element``, ``whole``
    float32: the output of ``Dropout`` and ``Dropout1d/2d/3d`` on ones in training mode;
    ``averaged`` uint8: 1 where an entry reaches the mean that ``BatchNorm1d/2d/3d`` subtracts
    from the first one (measured: where a change of the input changes it). Values: ``module``,
    ``norm`` (names); ``shape`` (list); ``entries``; ``decisions_element``, ``decisions_whole``
    (how many keep-or-drop decisions there were, from the formula) and ``dropped_element``,
    ``dropped_whole`` (measured: entries, whole channels of a sample); ``split``: channels that
    are neither whole nor gone in ``whole`` (0); ``shared``: entries that share the mean
    (measured), ``shared_expected`` = entries/channels.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from regviz.frames.lab import LabFrame, Value
from regviz.specs import SpecError

__all__ = ["LABS", "Choice", "Lab", "LabFrame", "Number", "Value", "Whole", "canonical_json"]


@dataclass(frozen=True)
class Number:
    """A parameter that is a real number with ``low <= value <= high``."""

    default: float
    low: float
    high: float

    def check(self, name: str, value: Any) -> float:
        """Return ``value`` in its canonical form, or raise :class:`SpecError`."""
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (good and self.low <= value <= self.high):
            raise SpecError(
                f"{name}: got {_shown(value)}; give a number from {self.low:g} to {self.high:g}."
            )
        return float(value) + 0.0


@dataclass(frozen=True)
class Whole:
    """A parameter that is a whole number with ``low <= value <= high``."""

    default: int
    low: int
    high: int

    def check(self, name: str, value: Any) -> int:
        """Return ``value``, or raise :class:`SpecError`."""
        good = isinstance(value, int) and not isinstance(value, bool)
        if not (good and self.low <= value <= self.high):
            raise SpecError(
                f"{name}: got {_shown(value)}; give a whole number from {self.low} to {self.high}."
            )
        return value


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of several words."""

    default: str
    options: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        """Return ``value``, or raise :class:`SpecError`."""
        if value not in self.options:
            raise SpecError(
                f"{name}: got {_shown(value)}; choose one of {', '.join(self.options)}."
            )
        return value


@dataclass(frozen=True)
class Lab:
    """A lab: where its generator is, and what it takes."""

    module: str
    function: str
    parameters: Mapping[str, Number | Whole | Choice]


_SEED = Whole(0, 0, 2**31 - 1)

_REGRESSION: dict[str, Number | Whole | Choice] = {
    "n_samples": Whole(100, 20, 500),
    "n_features": Whole(8, 2, 20),
    "steps": Whole(20_000, 100, 50_000),
    "seed": _SEED,
}

LABS: dict[str, Lab] = {
    "dropout_ridge": Lab(
        "regviz.labs.ridge", "dropout_ridge", {"p": Number(0.3, 0.0, 0.9), **_REGRESSION}
    ),
    "noise_ridge": Lab(
        "regviz.labs.ridge", "noise_ridge", {"sigma": Number(0.5, 0.0, 3.0), **_REGRESSION}
    ),
    "noise_tikhonov": Lab(
        "regviz.labs.noise",
        "noise_tikhonov",
        {
            "sigma": Number(0.2, 0.0, 1.0),
            "width": Whole(16, 2, 32),
            "epochs": Whole(100, 1, 300),
            "n_samples": Whole(150, 20, 500),
            "noise": Number(0.25, 0.0, 1.0),
            "seed": _SEED,
        },
    ),
    "early_stopping_ridge": Lab(
        "regviz.labs.early_stopping",
        "early_stopping_ridge",
        {
            "lr": Number(0.01, 0.0001, 0.5),
            "steps": Whole(20_000, 10, 50_000),
            "n_eigenvalues": Whole(60, 10, 120),
            "seed": _SEED,
        },
    ),
    "l1_path": Lab(
        "regviz.labs.lasso",
        "l1_path",
        {
            "strength": Number(0.4, 0.0, 1.0),
            "correlation": Number(0.5, 0.0, 0.9),
            "n_samples": Whole(60, 20, 500),
            "n_features": Whole(10, 2, 20),
            "steps": Whole(1500, 10, 10_000),
            "seed": _SEED,
        },
    ),
    "decay_equivalence": Lab(
        "regviz.labs.weight_decay",
        "decay_equivalence",
        {
            "weight_decay": Number(0.5, 0.0, 5.0),
            "lr": Number(0.05, 0.0001, 0.1),
            "steps": Whole(400, 10, 2000),
            "seed": _SEED,
        },
    ),
    "alpha_dropout_depth": Lab(
        "regviz.labs.alpha_dropout",
        "alpha_dropout_depth",
        {
            "p": Number(0.1, 0.0, 0.9),
            "layers": Whole(16, 1, 64),
            "width": Whole(256, 16, 512),
            "batch": Whole(256, 16, 1024),
            "seed": _SEED,
        },
    ),
    "label_smoothing_gap": Lab(
        "regviz.labs.label_smoothing",
        "label_smoothing_gap",
        {
            "epsilon": Number(0.1, 0.0, 0.9),
            "n_classes": Whole(10, 2, 100),
            "lr": Number(2.0, 0.01, 4.0),
            "steps": Whole(3000, 10, 20_000),
            "seed": _SEED,
        },
    ),
    "batch_norm_scale": Lab(
        "regviz.labs.batch_norm",
        "batch_norm_scale",
        {"width": Whole(64, 2, 512), "batch": Whole(64, 2, 1024), "seed": _SEED},
    ),
    "recurrent_masks": Lab(
        "regviz.labs.sequences",
        "recurrent_masks",
        {
            "p": Number(0.25, 0.0, 0.9),
            "units": Whole(16, 1, 512),
            "sequences": Whole(1000, 10, 2000),
            "seed": _SEED,
        },
    ),
    "attention_row_sums": Lab(
        "regviz.labs.sequences",
        "attention_row_sums",
        {"p": Number(0.1, 0.0, 0.9), "draws": Whole(5000, 10, 10_000), "seed": _SEED},
    ),
    "microscope": Lab(
        "regviz.labs.microscope",
        "microscope",
        {
            "p": Number(0.3, 0.0, 0.9),
            "width": Whole(8, 2, 16),
            "passes": Whole(200, 1, 400),
            "epochs": Whole(150, 1, 500),
            "n_samples": Whole(200, 20, 1000),
            "noise": Number(0.2, 0.0, 1.0),
            "seed": _SEED,
        },
    ),
    "wrong_dropout_at_test": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_at_test",
        {"p": Number(0.5, 0.0, 0.9), "repeats": Whole(50, 1, 500), "seed": _SEED},
    ),
    "wrong_dropout_scaling": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_scaling",
        {
            "p": Number(0.3, 0.0, 0.9),
            "units": Whole(100, 1, 1000),
            "repeats": Whole(300, 1, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_l1_subgradient": Lab(
        "regviz.labs.misconceptions",
        "wrong_l1_subgradient",
        {
            "l1": Number(0.3, 0.0, 5.0),
            "n_features": Whole(12, 2, 40),
            "steps": Whole(300, 10, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_l1_kill": Lab(
        "regviz.labs.misconceptions",
        "wrong_l1_kill",
        {"l1": Number(0.5, 0.0, 5.0), "steps": Whole(300, 10, 2000), "seed": _SEED},
    ),
    "wrong_adam_decay": Lab(
        "regviz.labs.misconceptions",
        "wrong_adam_decay",
        {
            "weight_decay": Number(0.5, 0.0, 5.0),
            "lr": Number(0.01, 0.0001, 0.1),
            "steps": Whole(300, 10, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_early_stopping": Lab(
        "regviz.labs.misconceptions",
        "wrong_early_stopping",
        {"patience": Whole(10, 1, 500), "epochs": Whole(250, 2, 500), "seed": _SEED},
    ),
    "wrong_dropout_before_batch_norm": Lab(
        "regviz.labs.misconceptions",
        "wrong_dropout_before_batch_norm",
        {
            "p": Number(0.5, 0.0, 0.9),
            "width": Whole(64, 2, 512),
            "batch": Whole(64, 2, 512),
            "steps": Whole(200, 1, 2000),
            "seed": _SEED,
        },
    ),
    "wrong_lstm_dropout": Lab(
        "regviz.labs.misconceptions",
        "wrong_lstm_dropout",
        {"p": Number(0.5, 0.0, 0.9), "passes": Whole(10, 2, 50), "seed": _SEED},
    ),
    "audio": Lab(
        "regviz.labs.gallery",
        "audio",
        {
            "sound": Choice("plucked", ("tone", "chirp", "plucked")),
            "transform": Choice("time_stretch", ("none", "time_stretch", "pitch_shift", "noise")),
            "rate": Number(1.5, 0.5, 2.0),
            "semitones": Number(4.0, -12.0, 12.0),
            "snr": Number(10.0, -10.0, 40.0),
            "seed": _SEED,
        },
    ),
    "text": Lab(
        "regviz.labs.gallery",
        "text",
        {
            "sentence": Whole(0, 0, 5),
            "transform": Choice(
                "synonym_replacement",
                (
                    "synonym_replacement",
                    "random_insertion",
                    "random_deletion",
                    "random_swap",
                    "back_translation",
                ),
            ),
            "strength": Number(0.2, 0.0, 0.9),
            "count": Whole(5, 1, 20),
            "seed": _SEED,
        },
    ),
    "image": Lab(
        "regviz.labs.images",
        "image",
        {
            "digit": Whole(3, 0, 9),
            "degrees": Number(20.0, 0.0, 180.0),
            "translate": Number(0.1, 0.0, 1.0),
            "scale": Number(0.1, 0.0, 0.99),
            "horizontal_flip": Number(0.0, 0.0, 1.0),
            "brightness": Number(0.2, 0.0, 1.0),
            "contrast": Number(0.2, 0.0, 1.0),
            "noise": Number(0.0, 0.0, 100.0),
            "count": Whole(13, 1, 100),
            "seed": _SEED,
        },
    ),
    "dropout_shapes": Lab(
        "regviz.labs.images",
        "dropout_shapes",
        {"dimensions": Whole(2, 1, 3), "p": Number(0.5, 0.0, 0.9), "seed": _SEED},
    ),
}
"""Every lab by its name; the module's first lines say what each takes and yields."""


def canonical_json(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the one text that equal requests for a lab share, defaults filled in.

    Raises
    ------
    SpecError
        One sentence, if there is no such lab or a parameter is unknown or out of range.
    """
    lab = LABS.get(name)
    if lab is None:
        raise SpecError(f"lab: got {_shown(name)}; choose one of {', '.join(LABS)}.")
    known = lab.parameters
    for key in parameters:
        if key not in known:
            raise SpecError(
                f"{name}.{str(key)[:60]}: unknown parameter; known here are {', '.join(known)}."
            )
    checked = {
        key: rule.check(f"{name}.{key}", parameters.get(key, rule.default))
        for key, rule in known.items()
    }
    wanted = {"lab": name, "parameters": checked}
    return json.dumps(wanted, sort_keys=True, separators=(",", ":"))


def start(name: str, parameters: Mapping[str, Any]) -> Iterator[LabFrame]:
    """Return a lab's frames as an iterator; its module is imported now."""
    wanted = json.loads(canonical_json(name, parameters))
    lab = LABS[name]
    function = getattr(importlib.import_module(lab.module), lab.function)
    return iter(function(**wanted["parameters"]))


def _shown(value: object) -> str:
    text = "nan" if isinstance(value, float) and math.isnan(value) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
