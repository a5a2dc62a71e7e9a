"""The table of techniques: one row ties a name to its page, its core, its twin and its paper.

The entries are text, so that the web process can name the training code without importing it. A
test walks the table: every page, function and paper that a row names exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Technique:
    """One technique, and where each part of it is.

    ``field`` is the experiment's field that switches it on; ``core`` the layer or function that
    trains with it and ``twin`` the from-scratch function, both as ``module:name``; ``test`` the
    file that holds the twin against torch or a law.
    """

    name: str
    field: str
    page: str
    core: str
    twin: str
    paper: str
    test: str = "tests/test_scratch.py"


TECHNIQUES: tuple[Technique, ...] = (
    Technique(
        "Dropout",
        "regularization.dropout",
        "pages/dropout.py",
        "regviz.nn.layers:Dropout",
        "regviz.scratch.dropout:dropout_forward",
        "Srivastava et al. 2014",
    ),
    Technique(
        "Input dropout",
        "regularization.input_dropout",
        "pages/dropout.py",
        "regviz.nn.layers:Dropout",
        "regviz.scratch.dropout:dropout_forward",
        "Srivastava et al. 2014",
    ),
    Technique(
        "Alpha dropout",
        "regularization.dropout_kind",
        "pages/dropout.py",
        "regviz.nn.layers:dropout_masks",
        "regviz.scratch.dropout:alpha_dropout_forward",
        "Klambauer et al. 2017",
    ),
    Technique(
        "Spatial dropout",
        "regularization.dropout_kind",
        "pages/images.py",
        "regviz.nn.convolution:ConvNetwork",
        "regviz.scratch.dropout:spatial_dropout_forward",
        "Tompson et al. 2015",
        "tests/test_image_lessons.py",
    ),
    Technique(
        "Image augmentation",
        "regularization.augmentation",
        "pages/image_augmentation.py",
        "regviz.nn.augmentation:augment",
        "regviz.scratch.augmentation:affine",
        "Simard et al. 2003",
        "tests/test_augment_image.py",
    ),
    Technique(
        "L1 penalty",
        "regularization.l1",
        "pages/penalties.py",
        "regviz.nn.penalties:soft_threshold_",
        "regviz.scratch.penalties:soft_threshold",
        "Tibshirani 1996; Parikh & Boyd 2014",
    ),
    Technique(
        "L2 penalty",
        "regularization.l2",
        "pages/penalties.py",
        "regviz.nn.penalties:l2_penalty",
        "regviz.scratch.penalties:l2_penalty",
        "Hoerl & Kennard 1970",
    ),
    Technique(
        "Elastic net",
        "regularization.l1",
        "pages/penalties.py",
        "regviz.nn.penalties:l1_penalty",
        "regviz.scratch.penalties:elastic_net_update",
        "Zou & Hastie 2005",
    ),
    Technique(
        "Weight decay",
        "regularization.weight_decay",
        "pages/penalties.py",
        "regviz.nn.optimizers:AdamW",
        "regviz.scratch.weight_decay:adam_step",
        "Loshchilov & Hutter 2019",
    ),
    Technique(
        "Max-norm",
        "regularization.max_norm",
        "pages/dropout.py",
        "regviz.nn.penalties:limit_norms_",
        "regviz.scratch.max_norm:max_norm",
        "Srivastava et al. 2014",
        "tests/test_max_norm.py",
    ),
    Technique(
        "Gradient clipping",
        "training.clip_norm",
        "pages/normalization.py",
        "regviz.nn.optimizers:clip_gradients_",
        "regviz.scratch.clipping:clip_gradients",
        "Pascanu et al. 2013",
        "tests/test_clipping.py",
    ),
    Technique(
        "Early stopping",
        "regularization.early_stopping",
        "pages/early_stopping.py",
        "regviz.results.stopping:watch",
        "regviz.scratch.early_stopping:early_stopping",
        "Prechelt 1998",
    ),
    Technique(
        "Weight averaging",
        "training.ema",
        "pages/early_stopping.py",
        "regviz.nn.averaging:Average",
        "regviz.scratch.averaging:average_weights",
        "Polyak & Juditsky 1992; Tarvainen & Valpola 2017",
        "tests/test_averaging.py",
    ),
    Technique(
        "Batch norm",
        "model.norm",
        "pages/normalization.py",
        "regviz.nn.layers:BatchNorm",
        "regviz.scratch.normalization:batch_norm",
        "Ioffe & Szegedy 2015",
    ),
    Technique(
        "Layer norm",
        "model.norm",
        "pages/normalization.py",
        "regviz.nn.layers:LayerNorm",
        "regviz.scratch.normalization:layer_norm",
        "Ba et al. 2016",
    ),
    Technique(
        "Recurrent dropout",
        "regularization.recurrent_dropout",
        "pages/sequences.py",
        "regviz.nn.sequence:LSTMNetwork",
        "regviz.scratch.recurrent:recurrent_dropout_lstm",
        "Gal & Ghahramani 2016",
        "tests/test_sequence_lessons.py",
    ),
    Technique(
        "Attention dropout",
        "regularization.attention_dropout",
        "pages/attention.py",
        "regviz.nn.sequence:TransformerNetwork",
        "regviz.scratch.attention:attention_with_dropout",
        "Vaswani et al. 2017",
        "tests/test_sequence_lessons.py",
    ),
    Technique(
        "Residual dropout",
        "regularization.residual_dropout",
        "pages/attention.py",
        "regviz.nn.sequence:TransformerNetwork",
        "regviz.scratch.attention:residual_dropout",
        "Vaswani et al. 2017",
        "tests/test_sequence_lessons.py",
    ),
    Technique(
        "Input noise",
        "regularization.input_noise",
        "pages/noise.py",
        "regviz.nn.layers:gaussian_noise",
        "regviz.scratch.noise:noisy_inputs",
        "Bishop 1995",
    ),
    Technique(
        "Label smoothing",
        "regularization.label_smoothing",
        "pages/label_smoothing.py",
        "regviz.nn.losses:cross_entropy",
        "regviz.scratch.label_smoothing:soft_targets",
        "Szegedy et al. 2016",
    ),
    Technique(
        "Calibration (ECE)",
        "regularization.label_smoothing",
        "pages/label_smoothing.py",
        "regviz.training.observe:reliability_bins",
        "regviz.scratch.calibration:expected_calibration_error",
        "Naeini et al. 2015",
    ),
)
"""All of them, in the order of the lessons."""
