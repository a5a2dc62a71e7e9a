"""Self-check: questions answered by experiment. Predict, run, compare, explain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from regviz.frames import Frame, LaneFrame
from regviz.results import metrics, uncertainty
from regviz.scratch.attention import attention_with_dropout
from regviz.scratch.augmentation import affine
from regviz.scratch.dropout import dropout_forward, spatial_dropout_forward
from regviz.scratch.early_stopping import early_stopping
from regviz.scratch.label_smoothing import logit_gap, soft_targets
from regviz.scratch.noise import noisy_inputs
from regviz.scratch.normalization import batch_norm, layer_norm
from regviz.scratch.penalties import elastic_net_update, l1_penalty, l2_penalty, soft_threshold
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.scratch.weight_decay import sgd_step
from regviz.slides import words
from regviz.specs import FIELDS, Experiment, SpecError, batch_ends, from_link
from regviz.specs.cautions import L1_MEASURED
from regviz.ui import layout, lesson, live, notice
from regviz.ui.lesson import Lanes

MOONS = {
    "data": {"n_samples": 300},
    "model": {"hidden": [64, 64]},
    "training": {"lr": 0.01, "epochs": 80},
}
FEATURES = {
    "data": {"kind": "linear", "n_samples": 150, "noise": 0.3, "irrelevant_features": 18},
    "model": {"hidden": [32]},
    "training": {"lr": 0.01, "epochs": 120},
}
DEEP = {**MOONS, "model": {"hidden": [64, 64, 64, 64]}, "training": {"lr": 0.005, "epochs": 80}}
CLEAN = {**MOONS, "data": {"n_samples": 300, "noise": 0.05}}
DIGITS = {
    "data": {"kind": "digits", "n_samples": 600, "val_fraction": 0.5, "noise": 0.0},
    "model": {"kind": "cnn", "hidden": [8, 16]},
    "training": {"lr": 0.01, "epochs": 10},
}
FEW_DIGITS = {
    "data": {"kind": "digits", "n_samples": 360, "val_fraction": 5 / 6, "noise": 0.1},
    "model": {"kind": "cnn", "hidden": [8]},
    "training": {"lr": 0.01, "batch_size": 25, "epochs": 40},
}
PAIRS = {
    "data": {"n_samples": 120, "noise": 0.2},
    "model": {"hidden": [16, 16, 16]},
    "training": {"lr": 0.01, "batch_size": 2, "epochs": 8},
}
ORDER = {
    "data": {"kind": "order", "n_samples": 200, "noise": 0.1},
    "model": {"kind": "lstm", "hidden": [16], "embedding": 8},
    "training": {"lr": 0.02, "epochs": 80},
}
LOOKING = {
    "data": {"kind": "order", "n_samples": 200, "noise": 0.0},
    "model": {"kind": "transformer", "hidden": [32], "norm": "layer"},
    "training": {"lr": 0.01, "epochs": 30, "batch_size": 64},
}
Outcome = Callable[[Frame, Lanes], tuple[int, str]]
Ran = Callable[[Frame, Lanes], str]
Code = tuple[tuple[Callable[..., Any], ...], Ran]  # twins, and the function that runs them
TINY = 1e-5
# fields that a control changes; in all others a link must equal the question's experiment
MOVES = {
    **{
        name: (row.path,)
        for row in FIELDS.values()
        for name in (row.control_name, *(control.name for control in row.variants))
    },
    # the task "Is it luck?" draws other points on every page
    "seed": ("training.seed", "data.seed"),
}


def questions() -> dict[str, lesson.Lesson]:
    """Return every question by its name; the functions that they name follow below."""
    return {
        "L1 or L2": _question(
            "zeros",
            "Most inputs are noise. L1 or L2: which sets weights to exactly 0?",
            ("L1", "L2", "both equally"),
            0,
            zeros,
            ONE_STEP,
            FEATURES,
            (("L1", {"l1": 0.02}), ("L2", {"l2": 0.02})),
            "Tibshirani 1996; Parikh & Boyd 2014, section 6.5.2",
            ("irrelevant_features", "samples", "noise", "lr", "epochs", "seed"),
        ),
        "Weight decay": _question(
            "decay",
            "Does a larger weight decay give larger or smaller weights?",
            ("larger", "smaller", "no clear order"),
            1,
            smaller,
            SHRINKING,
            MOONS,
            (
                ("no regularization", {}),
                ("0.001", {"weight_decay": 0.001}),
                ("0.1", {"weight_decay": 0.1}),
            ),
            "Krogh & Hertz 1991; Loshchilov & Hutter 2019",
        ),
        "Dropout": _question(
            "active",
            "When is dropout active?",
            ("in training only", "at test time only", "always"),
            0,
            active,
            DROPPING,
            MOONS,
            (("no regularization", {}), ("dropout", {"dropout": 0.5})),
            "Srivastava et al. 2014; torch.nn.Dropout",
        ),
        "Normalization": _question(
            "pairs",
            "Batches of two points: which norm gives the lower training loss?",
            ("batch norm", "layer norm", "no difference"),
            1,
            pairs,
            OF_TWO,
            PAIRS,
            (
                ("no regularization", {}),
                ("batch norm", {"norm": "batch"}),
                ("layer norm", {"norm": "layer"}),
            ),
            "Ioffe & Szegedy 2015; Ba et al. 2016; Wu & He 2018, arXiv 1803.08494 (small batches)",
        ),
        "Augmentation": _question(
            "changed",
            "Few training digits. Mirror half of them, or rotate and shift all of them a little: "
            "which gives the lower validation loss?",
            ("mirroring", "rotating and shifting", "no difference"),
            1,
            changed,
            TRANSFORMED,
            FEW_DIGITS,
            (
                ("no regularization", {}),
                ("mirrored", {"augmentation": {"horizontal_flip": 0.5}}),
                ("rotated, shifted", {"augmentation": {"degrees": 15, "translate": 0.05}}),
            ),
            "Simard et al. 2003; Shorten & Khoshgoftaar 2019",
            ("images", "pixel_noise", "lr", "epochs", "seed"),
        ),
        "Noise": _question(
            "noise",
            "Which losses does noise of σ = 0.2 on the training inputs lower?",
            ("the training loss only", "the validation loss only", "both", "neither"),
            1,
            slopes,
            MOVED,
            {**MOONS, "training": {"lr": 0.01, "epochs": 160}},
            (("no regularization", {}), ("σ = 0.2", {"input_noise": 0.2})),
            "Bishop 1995",
        ),
        "Boundary": _question(
            "boundary",
            "With L2, is the network more or less confident across the plane?",
            ("less confident", "more confident", "no difference"),
            0,
            boundary,
            PENALTIES,
            MOONS,
            (("no regularization", {}), ("L2", {"l2": 0.01})),
            "Bishop 2006, *Pattern Recognition and Machine Learning*, section 5.5",
        ),
        "Both losses high": _question(
            "both",
            "At L2 λ = 0.1, training and validation loss are both high. What should you change?",
            ("more regularization", "less regularization", "leave it as it is"),
            1,
            both_high,
            PENALTIES,
            MOONS,
            (("L2 0.001", {"l2": 0.001}), ("L2 0.1", {"l2": 0.1}), ("L2 0.3", {"l2": 0.3})),
            "Goodfellow et al. 2016, *Deep Learning*, section 5.2",
        ),
        "Early stopping": _question(
            "stopping",
            "Early stopping adds no term to the loss. Is it regularization?",
            ("yes: smaller weights, smaller gap", "no"),
            0,
            stopping,
            STOPPER,
            MOONS,
            (("no regularization", {}), ("early stopping", {"early_stopping": {"patience": 10}})),
            "Goodfellow et al. 2016, *Deep Learning*, section 7.8",
        ),
        "Convolutions": _question(
            "convolution",
            "Dropout is rare in convolutional layers. Does it help this small network on 8x8 "
            "digits?",
            ("yes, validation accuracy is clearly higher", "no"),
            1,
            convolution,
            HOLES,
            DIGITS,
            (
                ("no regularization", {}),
                ("dropout 0.3", {"dropout": 0.3}),
                ("spatial dropout 0.3", {"dropout": 0.3, "dropout_kind": "spatial"}),
            ),
            "Tompson et al. 2015 (spatial dropout)",
            ("lr", "epochs", "data_seed", "seed"),
        ),
        "Sequences": _question(
            "memory",
            "An LSTM is trained on few sequences. Where does dropout lower the validation loss "
            "most?",
            ("on its input or its state, one mask per sequence", "before its output", "nowhere"),
            0,
            memory,
            OVER_TIME,
            ORDER,
            (
                ("no regularization", {}),
                ("input 0.25", {"input_dropout": 0.25}),
                ("state 0.25", {"recurrent_dropout": 0.25}),
                ("output 0.25", {"dropout": 0.25}),
            ),
            "Gal & Ghahramani 2016, arXiv 1512.05287",
            ("samples", "token_noise", "lr", "epochs", "data_seed", "seed"),
        ),
        "Attention": _question(
            "looking",
            "A transformer was trained with attention dropout. In which mode should its attention "
            "maps be plotted?",
            ("in eval mode", "in train mode", "no difference"),
            0,
            looking,
            ROW_SUMS,
            LOOKING,
            (("no regularization", {}), ("attention 0.3", {"attention_dropout": 0.3})),
            "Vaswani et al. 2017; torch.nn.MultiheadAttention",
            ("samples", "token_noise", "lr", "epochs", "data_seed", "seed"),
        ),
        "Deep nets": _question(
            "deep",
            "A network with four hidden layers, λ = 0.003 for both: does L1 or L2 end with the "
            "lower validation loss?",
            ("L1", "L2", "no difference"),
            1,
            deep,
            PENALTIES,
            DEEP,
            (("L1", {"l1": 0.003}), ("L2", {"l2": 0.003})),
            "Goodfellow et al. 2016, *Deep Learning*, section 7.1",
        ),
        "Smoothing": _question(
            "hurts",
            "Can label smoothing hurt on clean, well separated data?",
            ("yes: worse calibration", "no"),
            0,
            hurts,
            TARGETS,
            CLEAN,
            (("hard labels", {}), ("ε = 0.4", {"label_smoothing": 0.4})),
            "Müller et al. 2019; Shen et al. 2021; Guo et al. 2017 for the ECE",
        ),
    }


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    if shown.experiment.data.kind == "moons":
        live.decision_boundary(shown.channel, labels=shown.labels, height=310)
    lesson.curves_and_readout(shown, show_train_mode=shown.lesson.page.endswith("active"))


def sure(lane: LaneFrame) -> float:
    """Return the share of the plane where the model is more than 95% confident."""
    if lane.boundary is None:
        return float("nan")
    return float(((lane.boundary < 13) | (lane.boundary > 242)).mean())


def zeros(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “L1 or L2: which sets inputs to exactly 0?”."""
    l1, l2 = (metrics.read(lane) for lane in frame.lanes)
    right = 0 if l1.zeros > l2.zeros else 1 if l2.zeros > l1.zeros else 2
    first, second = map(metrics.size, frame.lanes)
    return right, (
        f"{l1.zeros:,} of {l1.weights:,} weights are exactly 0 with L1, {l2.zeros:,} with L2; ‖w‖ "
        f"is {first:.2f} and {second:.2f}. L1 pulls a small weight "
        "as hard as a large one, L2 in proportion to its size. This run uses Adam. With mini-batch "
        f"SGD most of these weights end only near 0: {L1_MEASURED}."
    )


def smaller(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Does a larger weight decay give larger or smaller weights?”."""
    none, little, much = (metrics.size(lane) for lane in frame.lanes)
    right = 1 if much < little < none else 0 if much > little > none else 2
    return (
        right,
        f"‖w‖ is {none:.2f} without weight decay, {little:.2f} at 0.001 and {much:.2f} at 0.1.",
    )


def active(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “When is dropout active?”."""
    noisy, quiet = (
        float(frame.lanes[1].curve(name)[-1]) for name in ("train_loss_train_mode", "train_loss")
    )
    again = float(frame.lanes[0].curve("train_loss_train_mode")[-1])
    return 0 if noisy > quiet + 0.01 else 2, (
        f"the model with dropout has training loss {noisy:.3f} in train mode and {quiet:.3f} in "
        f"eval mode; the model without dropout {again:.3f} and "
        f"{frame.lanes[0].curve('train_loss')[-1]:.3f}. In eval mode no unit is dropped, so the "
        "outputs are not random."
    )


def slopes(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Which losses does noise on the inputs lower?”."""
    plain, noisy = (metrics.read(lane) for lane in frame.lanes)
    lower_train, lower_val = (
        noisy.train_loss < plain.train_loss,
        noisy.val_loss < plain.val_loss,
    )
    right = 3 if not (lower_train or lower_val) else 2 if lower_train and lower_val else 0
    right = 1 if lower_val and not lower_train else right
    return right, (
        f"training loss {plain.train_loss:.3f} without and {noisy.train_loss:.3f} with noise, "
        f"validation loss {plain.val_loss:.3f} and {noisy.val_loss:.3f}, all measured on inputs "
        "without noise. Small noise acts much like a penalty on the slope (Bishop 1995), and a "
        "penalty usually raises the training loss."
    )


def boundary(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “How does a regularized boundary differ?”."""
    plain, held = (sure(lane) for lane in frame.lanes)
    right = 0 if held < plain - 0.01 else 1 if held > plain + 0.01 else 2
    return right, (
        f"confidence is above 95% on {plain:.0%} of the plane with no regularization and on "
        f"{held:.0%} with L2; validation loss {metrics.read(frame.lanes[0]).val_loss:.3f} and "
        f"{metrics.read(frame.lanes[1]).val_loss:.3f}."
    )


def both_high(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Both losses are high: more regularization, or less?”."""
    less, now, more = (metrics.read(lane) for lane in frame.lanes)
    losses = [more.val_loss, less.val_loss, now.val_loss]
    return int(np.argmin(losses)), (
        f"training and validation loss are {now.train_loss:.3f} and {now.val_loss:.3f} at L2 0.1, "
        f"{more.train_loss:.3f} and {more.val_loss:.3f} at L2 0.3, and {less.train_loss:.3f} and "
        f"{less.val_loss:.3f} at L2 0.001."
    )


def stopping(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Is early stopping regularization?”."""
    full, stopped = frame.lanes
    a, b = metrics.read(full), metrics.read(stopped)
    norm, norm_stopped = metrics.size(full), metrics.size(stopped)
    smaller_weights = norm_stopped < norm
    yes = smaller_weights and b.loss_gap < a.loss_gap
    return 0 if yes else 1, (
        f"stopped at epoch {b.epoch}, ‖w‖ is {norm_stopped:.2f} instead of {norm:.2f}, and "
        f"the gap between validation and training loss {b.loss_gap:.3f} instead of "
        f"{a.loss_gap:.3f}. No term was added to the loss. On a quadratic loss early stopping acts "
        f"much like an L2 penalty{', and here too the weights stay smaller' * smaller_weights}."
    )


def convolution(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Does dropout help a small convolutional network?”."""
    none, drop, spatial = (metrics.read(lane) for lane in frame.lanes)
    best = max(drop.val_accuracy, spatial.val_accuracy)
    luck = uncertainty.accuracy_margin(lanes[0].n_val, none.val_accuracy, best)
    return 0 if best > none.val_accuracy + luck else 1, (
        f"validation accuracy {metrics.percent(none.val_accuracy)} with no regularization, "
        f"{metrics.percent(drop.val_accuracy)} with dropout and "
        f"{metrics.percent(spatial.val_accuracy)} with spatial dropout (whole maps), after "
        f"{frame.epoch} epochs. On {lanes[0].n_val} images a difference below {100 * luck:.1f} "
        "points can be luck. A convolution shares few weights across all positions, so it has "
        "fewer parameters to over-fit with."
    )


def deep(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “L1 or L2 in a deep network, at the same λ?”."""
    l1, l2 = (metrics.read(lane) for lane in frame.lanes)
    right = 0 if l1.val_loss < l2.val_loss - 0.01 else 1 if l2.val_loss < l1.val_loss - 0.01 else 2
    return right, (
        f"at λ = {lanes[0].regularization.l1:g} the validation loss is {l1.val_loss:.3f} with L1 "
        f"and {l2.val_loss:.3f} with L2; L1 sets {l1.zeros:,} of {l1.weights:,} weights to 0. But "
        "equal λ is not equal strength: λ·Σ|w| and ½·λ·Σw² are different sums, and at another λ "
        "the order may reverse. Compare each at its own best λ on the page Sweep."
    )


def hurts(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Can label smoothing hurt?”."""
    right = 0 if uncertainty.ece_difference(*frame.lanes).sign > 0 else 1
    means = [uncertainty.mean_confidence(lane) for lane in frame.lanes]
    accuracies = [metrics.read(lane).val_accuracy for lane in frame.lanes]
    text = (
        f"with hard labels and with ε = {lanes[1].regularization.label_smoothing:g}, "
        f"{uncertainty.calibration_said(*frame.lanes)}. Validation accuracy "
        f"{metrics.percent(accuracies[0])} and {metrics.percent(accuracies[1])}, mean confidence "
        f"{metrics.percent(means[0])} and {metrics.percent(means[1])}."
    )
    if right == 0 and means[1] < accuracies[1]:
        text += " The smoothed model is under-confident: its accuracy is above its mean confidence."
    return right, text


def memory(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Where in an LSTM does dropout help most?”."""
    none, *places = (metrics.read(lane).val_loss for lane in frame.lanes)
    best = int(np.argmin(places))
    right = 2 if places[best] >= none else 1 if best == 2 else 0
    return right, (
        f"validation loss {none:.3f} with no regularization; with dropout {places[0]:.3f} on the "
        f"input, {places[1]:.3f} on the state and {places[2]:.3f} before the output. The first two "
        "use one mask for the whole sequence; the third acts on the last state only."
    )


def looking(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “In which mode is an attention map plotted?”."""
    maps = frame.lanes[1].attention
    assert maps is not None
    quiet, noisy = maps.sum(axis=-1)
    right = 0 if np.abs(noisy - 1).max() > np.abs(quiet - 1).max() + 1e-3 else 2
    return right, (
        f"with attention dropout the row sums range from {noisy.min():.2f} to {noisy.max():.2f} in "
        f"train mode and from {quiet.min():.4f} to {quiet.max():.4f} in eval mode. Only in eval "
        "mode is each row a distribution."
    )


def pairs(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Batches of two: which norm gives the lower training loss?”."""
    none, batch, layer = (metrics.read(lane) for lane in frame.lanes)
    apart = batch.train_loss - layer.train_loss
    right = 1 if apart > 0.02 else 0 if apart < -0.02 else 2
    return right, (
        f"training loss {none.train_loss:.3f} without a norm, {batch.train_loss:.3f} with batch "
        f"norm and {layer.train_loss:.3f} with layer norm; validation loss {none.val_loss:.3f}, "
        f"{batch.val_loss:.3f} and {layer.val_loss:.3f}. Batch norm computes mean and variance "
        "over the two points of a batch, layer norm over the units of one point."
    )


def changed(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Answer “Mirror digits or rotate them: which is better?”."""
    none, mirrored, turned = (metrics.read(lane) for lane in frame.lanes)
    ahead = mirrored.val_loss - turned.val_loss
    return 1 if ahead > 0.02 else 0 if ahead < -0.02 else 2, (
        f"validation loss {none.val_loss:.3f} without augmentation, {mirrored.val_loss:.3f} with "
        f"mirroring and {turned.val_loss:.3f} with rotation and shift; validation accuracy "
        f"{metrics.percent(none.val_accuracy)}, {metrics.percent(mirrored.val_accuracy)} and "
        f"{metrics.percent(turned.val_accuracy)}. "
        "Augmentation must keep the label: a mirrored 2 is no longer a 2; a 2 rotated by a few "
        "degrees still is."
    )


def _question(
    name: str,
    question: str,
    options: tuple[str, ...],
    expected: int,
    outcome: Outcome,
    code: Code,
    base: dict[str, Any],
    variants: tuple[tuple[str, dict[str, Any]], ...],
    source: str,
    controls: tuple[str, ...] = ("samples", "noise", "lr", "epochs", "data_seed", "seed"),
) -> lesson.Lesson:
    def lanes(e: Experiment) -> Lanes:
        mapping = e.to_dict()
        found = []
        for _, changes in variants:
            model = {**mapping["model"], "norm": changes.get("norm", mapping["model"]["norm"])}
            regularization = {name: value for name, value in changes.items() if name != "norm"}
            found.append({**mapping, "model": model, "regularization": regularization})
        return tuple(map(Experiment.from_dict, found))

    def point(frame: Frame, shown_lanes: Lanes) -> str:
        return "Validation loss – " + "; ".join(
            f"{label}: {metrics.read(lane).val_loss:.3f}"
            for (label, _), lane in zip(variants, frame.lanes, strict=True)
        )

    start = Experiment.from_dict(base)
    fields = {path for name in controls for path in MOVES[name]}

    def fits(e: Experiment) -> str:
        """Return which field without a control differs from the question's experiment, or ""."""
        mine, other = words.flat(start), words.flat(e)
        for path, value in mine.items():
            free = path.startswith("regularization.") or path in fields
            if not free and other.get(path) != value:
                return f"{path}: got {other.get(path)}, but this question is about {value}."
        return ""

    return lesson.Lesson(
        page=f"self-check-{name}",
        question=question,
        start=start,
        controls=controls,
        prediction=lesson.Prediction("what do you expect?", options, outcome, expected),
        point=point,
        code=code[0],
        code_ran=code[1],
        tasks=(
            lesson.Task(
                "Is it luck? Train with another seed on other points.",
                start.replace("training.seed", 1).replace("data.seed", 1),
                lambda frame, of: outcome(frame, of)[1],
            ),
        ),
        sources=(source,),
        lanes=lanes,
        labels=tuple(label for label, _ in variants),
        answer_first=True,
        models=(start.model.kind,),
        data=(start.data.kind,),
        also_fits=fits,
    )


def one_step(frame: Frame, lanes: Lanes) -> str:
    """Run one step of each penalty on a tiny weight."""
    w, g, lr = np.array([TINY]), np.zeros(1), lanes[0].training.lr
    l1 = elastic_net_update(w, g, lr, lanes[0].regularization.l1, 0.0)[0]
    l2 = elastic_net_update(w, g, lr, 0.0, lanes[1].regularization.l2)[0]
    return (
        f"A weight of {TINY:g} whose data gradient is 0, after one step of proximal SGD at this "
        f"run's λ and learning rate: {l1:.4g} with L1, {l2:.4g} with L2."
    )


def shrinking(frame: Frame, lanes: Lanes) -> str:
    """Shrink a weight of 1 by plain SGD for the run's number of steps."""
    left, e = [], lanes[0]
    steps = frame.epoch * len(batch_ends(e.n_train, e.training.batch_size))
    for lane in lanes:
        w = np.ones(1)
        for _ in range(steps):
            w = sgd_step(w, np.zeros(1), lane.training.lr, lane.regularization.weight_decay)
        left.append(f"{w[0]:.3f} at {lane.regularization.weight_decay:g}")
    return (
        f"A weight of 1 whose data gradient is 0, after {steps:,} steps of SGD at this learning "
        f"rate: {', '.join(left)}."
        + (
            ""
            if e.training.optimizer == "sgd"
            else f" This run uses {e.training.optimizer}, which shrinks weights by other "
            "amounts; the lesson Weight penalties compares them."
        )
    )


def dropping(frame: Frame, lanes: Lanes) -> str:
    """Run dropout in both modes on an array of ones, (training points, hidden units)."""
    p, rng = max(lanes[1].dropout_rates), np.random.default_rng(lanes[1].training.seed)
    x = np.ones((lanes[1].n_train, lanes[1].model.hidden[0]))
    noisy, _ = dropout_forward(x, p, training=True, rng=rng)
    quiet, _ = dropout_forward(x, p, training=False, rng=rng)
    return (
        f"On {x.size:,} ones at p = {p:g}: in training {np.mean(noisy == 0):.1%} become 0 and the "
        f"others {noisy.max():g}, mean {noisy.mean():.3f}; at test time (eval mode) "
        f"{np.mean(quiet == 1):.0%} stay 1."
    )


def moved(frame: Frame, lanes: Lanes) -> str:
    """Move this run's points, in training and at test time."""
    assert frame.data is not None
    x, sigma = frame.data[0].x.astype(np.float64), lanes[1].regularization.input_noise
    rng = np.random.default_rng(lanes[1].training.seed)
    noisy = noisy_inputs(x, sigma, training=True, rng=rng)
    quiet = noisy_inputs(x, sigma, training=False, rng=rng)
    return (
        f"The {len(x)} points of this run at σ = {sigma:g}: in training they move by "
        f"{np.std(noisy - x):.3f} (standard deviation), at test time (eval mode) by "
        f"{np.std(quiet - x):g}."
    )


def penalties(frame: Frame, lanes: Lanes) -> str:
    """Compute each model's penalty from the norms of its layers."""
    parts = []
    for e, lane in zip(lanes, frame.lanes, strict=True):
        r = e.regularization
        # Σ|w| and Σw² over all weights are sums over the layers of Σ|w| and ‖w‖²
        value = l1_penalty(lane.l1_norms, r.l1) + l2_penalty(lane.norms, r.l2)
        parts.append(f"{value:.4f} ({metrics.read(lane).penalty:.4f} in the table)")
    return f"Penalty of each model, computed from Σ|w| and ‖w‖ of its layers: {'; '.join(parts)}."


def best_epochs(frame: Frame, lanes: Lanes) -> str:
    """Run early stopping on the stored losses of every model."""
    bests = [early_stopping(lane.curve("val_loss").tolist(), 10)[0] for lane in frame.lanes]
    found = ", ".join(map(str, bests))
    return f"Best epochs on the recorded validation losses, with patience 10: {found}."


def holes(frame: Frame, lanes: Lanes) -> str:
    """Apply dropout and spatial dropout to ones with the shape of this run's feature maps."""
    p, rng = max(lanes[1].dropout_rates), np.random.default_rng(lanes[1].training.seed)
    maps = np.ones_like(frame.lanes[1].feature_maps(0)[0], np.float64)
    units, _ = dropout_forward(maps, p, training=True, rng=rng)
    whole, _ = spatial_dropout_forward(maps, p, training=True, rng=rng)

    def counts(y: NDArray[np.float64]) -> str:
        flat = (y > 0).reshape(-1, maps.shape[2] * maps.shape[3])
        gone, full = (~flat.any(axis=1)).sum(), flat.all(axis=1).sum()
        return f"{gone} all zero, {full} intact, {len(flat) - gone - full} with holes"

    return (
        f"On {maps.shape[0] * maps.shape[1]} maps of {maps.shape[2]}x{maps.shape[3]} at "
        f"p = {p:g}. Dropout: {counts(units)}. Spatial dropout: {counts(whole)}."
    )


def over_time(frame: Frame, lanes: Lanes) -> str:
    """Run the LSTM twin without and with one mask for the sequence, and compare the last states."""
    e = lanes[2]
    p, units, width = e.regularization.recurrent_dropout, e.model.hidden[0], e.model.embedding
    rng = np.random.default_rng(e.training.seed)
    w_input, w_state, bias = (
        rng.uniform(-1, 1, size) / np.sqrt(units)
        for size in ((4 * units, width), (4 * units, units), 4 * units)
    )
    assert frame.data is not None
    assert frame.data[0].sequences is not None
    x = rng.standard_normal((10, width))[frame.data[0].sequences[0]]
    mask = (rng.random(units) >= p) / (1 - p)
    whole = recurrent_dropout_lstm(x, w_input, w_state, bias, np.ones(units))
    masked = recurrent_dropout_lstm(x, w_input, w_state, bias, mask)
    return (
        f"One sequence of {len(x)} steps through an LSTM with {units} units and initial weights: "
        f"one mask with p = {p:g} drops the same {np.count_nonzero(mask == 0)} units at every "
        f"step. The last state changes by {np.abs(masked - whole)[-1].mean():.4f} (mean absolute "
        f"difference); its mean absolute value without the mask is {np.abs(whole)[-1].mean():.4f}."
    )


def row_sums(frame: Frame, lanes: Lanes) -> str:
    """Run the attention twin in both modes on a map of this run."""
    maps, p = frame.lanes[1].attention, lanes[1].regularization.attention_dropout
    assert maps is not None
    a = maps[0][0, 0, 0].astype(np.float64)
    time, rng = len(a), np.random.default_rng(lanes[1].training.seed)
    # queries and keys whose softmax is exactly this map: q·kᵀ/√d = log a
    q, k = np.log(np.maximum(a, 1e-30)), np.sqrt(time) * np.eye(time)
    sums = [
        attention_with_dropout(q, k, np.eye(time), p, training=on, rng=rng)[1].sum(axis=1)
        for on in (False, True)
    ]
    return (
        f"An attention map of this run at p = {p:g}: row sums from {sums[0].min():.4f} to "
        f"{sums[0].max():.4f} in eval mode, from {sums[1].min():.2f} to {sums[1].max():.2f} in "
        "train mode."
    )


def targets(frame: Frame, lanes: Lanes) -> str:
    """Smooth a label, and compute the optimal gap between the logits."""
    epsilon = lanes[1].regularization.label_smoothing
    wrong, right = soft_targets(np.array([1]), 2, epsilon)[0]
    return (
        f"At ε = {epsilon:g} the targets are {wrong:.2f} and {right:.2f}: the best logits are "
        f"{logit_gap(2, epsilon):.2f} apart, and a confidence above {right:.0%} raises the loss."
    )


def of_two(frame: Frame, lanes: Lanes) -> str:
    """Apply both norms to two points with the width of a hidden layer."""
    units = lanes[0].model.hidden[0]
    x = np.random.default_rng(lanes[0].training.seed).standard_normal((2, units))
    one, zero = np.ones(units), np.zeros(units)
    y, *_ = batch_norm(x, one, zero, zero, one, training=True)
    z = layer_norm(x, one, zero)
    return (
        f"Two points with {units} values each. Batch norm maps {np.mean(np.abs(y) > 0.9):.0%} of "
        f"the values to -1 or +1 (to within 0.1): only which of the two is larger remains. Layer "
        f"norm does so with {np.mean(np.abs(np.abs(z) - 1) < 0.1):.0%}."
    )


def transformed(frame: Frame, lanes: Lanes) -> str:
    """Mirror and rotate an image of this run, and measure the distance from it."""
    assert frame.data is not None
    assert frame.data[1].images is not None
    x = frame.data[1].images[0].astype(np.float64).reshape(8, 8)
    rule = lanes[2].regularization.augmentation
    assert rule is not None
    turned = affine(x, rule.degrees, (0.0, 0.0), 1.0)
    return (
        f"Root mean square difference from a training image: "
        f"{np.sqrt(np.mean((turned - x) ** 2)):.3f} when it is rotated by {rule.degrees:g}°, "
        f"{np.sqrt(np.mean((x[:, ::-1] - x) ** 2)):.3f} when it is mirrored; its "
        f"pixels have a standard deviation of {x.std():.3f}."
    )


ONE_STEP: Code = (elastic_net_update, soft_threshold), one_step
SHRINKING: Code = (sgd_step,), shrinking
DROPPING: Code = (dropout_forward,), dropping
MOVED: Code = (noisy_inputs,), moved
PENALTIES: Code = (l1_penalty, l2_penalty), penalties
STOPPER: Code = (early_stopping,), best_epochs
HOLES: Code = (dropout_forward, spatial_dropout_forward), holes
OVER_TIME: Code = (recurrent_dropout_lstm,), over_time
ROW_SUMS: Code = (attention_with_dropout,), row_sums
TARGETS: Code = (soft_targets, logit_gap), targets
OF_TWO: Code = (batch_norm, layer_norm), of_two
TRANSFORMED: Code = (affine,), transformed

QUESTIONS = questions()


def asked_by_link() -> str:
    """Return the question in the address; without one, the first question that the address's
    experiment fits, with a notice."""
    first = next(iter(QUESTIONS))
    name, link = st.query_params.get("q"), st.query_params.get("e")
    if name in QUESTIONS:
        return name
    if name is None and link is None:
        return first
    fitting = None
    try:
        experiment = from_link(link or "")
        fitting = next((n for n, q in QUESTIONS.items() if not q.refusal(experiment)), None)
    except SpecError:
        pass  # the question reports the broken link itself
    if name is not None or fitting is not None:
        which = (
            "does not name its question"
            if name is None
            else f"names an unknown question: “{name[:40]}”"
        )
        found = QUESTIONS[fitting or first]
        notice.say(found.page, f"The link {which}. Shown is the first one that its rest fits.")
    return fitting or first


layout.within_app()
names = list(QUESTIONS)
if "self-check.question" not in st.session_state:
    st.session_state["self-check.question"] = asked_by_link()
chosen = st.pills(
    "Question",
    names,
    key="self-check.question",
    label_visibility="collapsed",
    on_change=lambda: st.query_params.clear(),
    required=True,
)
LESSON = QUESTIONS[chosen or names[0]]
st.query_params["q"] = chosen or names[0]
lesson.show(LESSON, views)
