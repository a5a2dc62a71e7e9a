"""Lesson: a small convolutional network on images, spatial dropout, batch norm of feature maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import streamlit as st

from regviz.figures import images as image_figures
from regviz.frames import Frame
from regviz.frames.lab import LabFrame
from regviz.results import metrics, uncertainty
from regviz.scratch.dropout import dropout_forward, spatial_dropout_forward
from regviz.scratch.normalization import batch_norm
from regviz.slides import words
from regviz.specs import Experiment
from regviz.specs.text import listed
from regviz.ui import charts, lesson
from regviz.ui.lesson import Lanes

START = Experiment.from_dict(
    {
        "data": {"kind": "digits", "n_samples": 400, "val_fraction": 0.75, "noise": 0.2},
        "model": {"kind": "cnn", "hidden": [16]},
        "regularization": {"dropout": 0.3, "dropout_kind": "spatial"},
        "training": {"lr": 0.01, "batch_size": 25, "epochs": 60},
    }
)
REPEATS = 400


def contents() -> lesson.Lesson:
    """Return the lesson; the functions that it names follow below."""
    return lesson.Lesson(
        page="images",
        question="What happens when a convolutional network loses whole feature maps?",
        start=START,
        controls=(
            "dropout",
            "map_dropout_kind",
            "map_norm",
            "input_dropout",
            "l2",
            "convolutions",
            "channels",
            "images",
            "pixel_noise",
            "lr",
            "batch_size",
            "epochs",
            "seed",
        ),
        prediction=lesson.Prediction(
            question_about,
            ("higher", "about the same", "lower"),
            outcome,
            expected=1,
        ),
        point=point,
        code=(spatial_dropout_forward, dropout_forward, batch_norm),
        code_ran=code_ran,
        tasks=(
            lesson.Task(
                "Drop single units instead of whole maps, with the same p.",
                START.replace("regularization.dropout_kind", "standard"),
                observed,
            ),
            lesson.Task(
                "Drop whole maps with p = 0.7. Can the network still fit its training images?",
                START.replace("regularization.dropout", 0.7),
                fits,
            ),
            lesson.Task(
                "BatchNorm2d without dropout.",
                START.replace("regularization.dropout", 0.0).replace("model.norm", "batch"),
                observed,
            ),
            lesson.Task(
                "Two convolutional layers. How small are the maps after the second one?",
                START.replace("model.hidden", [16, 16]),
                sizes,
            ),
        ),
        sources=(
            "Tompson et al. 2015: spatial dropout; torch.nn.Dropout1d, Dropout2d, Dropout3d",
            "Ioffe & Szegedy 2015: in convolutional layers, batch norm averages over batch and "
            "positions; torch.nn.BatchNorm2d",
            "Ghiasi et al. 2018, arXiv 1810.12890: why dropping single units of a map is less "
            "effective",
            "The digits are scikit-learn's load_digits, 8x8 pixels from 0 to 1",
        ),
        lanes=twins,
        models=("cnn",),
        data=("digits",),
        subject=lesson.Subject(
            "Every technique", lambda e: e.regularized or e.model.norm is not None
        ),
    )


def views(shown: lesson.Shown) -> None:
    """Draw the charts of this page."""
    lesson.curves_and_readout(shown, show_train_mode=True)
    done = shown.last_finished
    if done is not None:
        frame, lanes = done
        digit = st.segmented_control(
            "Digit", range(10), default=3, key="images.digit", required=True,
            help="The first validation image of this class; if there is none, the first of all.",
        )  # fmt: skip
        assert frame.data is not None
        assert frame.data[0].image_labels is not None
        labels = frame.data[0].image_labels.tolist()
        image = labels.index(digit) if digit in labels else 0
        maps, probabilities = st.columns([3, 2], gap="small")
        sentence, about = one_image(frame, image), charts.of_runs(lanes)
        with maps, st.container(key="feature-maps"):
            charts.chart(
                lambda colors: image_figures.feature_maps(frame, 1, image, colors),
                key="maps",
                alt=sentence,
                about=about,
            )
        with probabilities, st.container(key="class-probabilities"):
            charts.chart(
                lambda colors: image_figures.class_probabilities(
                    frame, shown.labels, image, colors
                ),
                key="probabilities",
                alt=sentence,
                about=about,
            )
        st.markdown(sentence)
        st.markdown(
            f"**Why is dropout less common in convolutional layers?** {why_rarer(frame, lanes)}"
        )
    with st.expander(
        "Dropout1d, 2d, 3d and BatchNorm1d, 2d, 3d: what do they drop or average together?"
    ):
        dimensions = st.segmented_control(
            "Dimensions besides samples and channels",
            (1, 2, 3),
            default=2,
            key="images.dimensions",
            required=True,
            help="1: sequences or sounds, 2: images, 3: videos or volumes.",
        )
        lesson.follow_check(
            shown,
            "shapes",
            lesson.Check(
                "What is dropped together, and what is averaged together?",
                "Computed with the torch modules.",
                "dropout_shapes",
                lambda e: {"dimensions": int(dimensions or 2), "seed": e.training.seed},
                image_figures.dropout_shapes,
                shapes_sentence,
            ),
        )


def twins(e: Experiment) -> Lanes:
    """Return the experiment without any technique, not even batch norm, and as it is."""
    plain = e.without_regularization()
    return dataclasses.replace(plain, model=dataclasses.replace(plain.model, norm=None)), e


def techniques(e: Experiment) -> str:
    """Return the active techniques as text."""
    p = ", ".join(f"{rate:g}" for rate in dict.fromkeys(e.dropout_rates))
    kind = "Dropout2d" if e.regularization.dropout_kind == "spatial" else "Dropout"
    parts = [f"{kind} p = {p}"] if any(e.dropout_rates) else []
    parts += ["BatchNorm2d"] if e.model.norm is not None else []
    parts += [
        words.phrase(path, value)
        for path, value in words.flat(e).items()
        if words.is_on(path, value) and path != "regularization.dropout"
    ]
    return listed(parts) or "no regularization"


def point(frame: Frame, lanes: Lanes) -> str:
    """Compare the twins on the validation images."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"{lanes[0].n_train} training images. No regularization: validation accuracy "
        f"{plain.val_accuracy:.1%}, validation loss {plain.val_loss:.3f}. With "
        f"{techniques(lanes[1])}: validation accuracy {with_.val_accuracy:.1%}, validation loss "
        f"{with_.val_loss:.3f}. {gained(frame, lanes)}"
    )


def gained(frame: Frame, lanes: Lanes) -> str:
    """Return a sentence on whether the difference exceeds what chance may give."""
    if lanes[0] == lanes[1]:
        return "The two models are identical."
    gain, luck = gain_and_luck(frame, lanes)
    if abs(gain) <= luck:
        return (
            f"On {lanes[0].n_val} validation images, a difference in accuracy below {luck:.1%} may "
            "be chance."
        )
    return f"On this run, regularization {'raises' if gain > 0 else 'lowers'} the accuracy."


def gain_and_luck(frame: Frame, lanes: Lanes) -> tuple[float, float]:
    """Return the gain in validation accuracy, and the gain that chance alone may give."""
    plain, with_ = (metrics.read(lane).val_accuracy for lane in frame.lanes)
    return with_ - plain, uncertainty.accuracy_margin(lanes[0].n_val, plain, with_)


def outcome(frame: Frame, lanes: Lanes) -> tuple[int, str]:
    """Compare the validation accuracies, with a margin for chance."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    gain, luck = gain_and_luck(frame, lanes)
    text = (
        f"validation accuracy {plain.val_accuracy:.1%} with no regularization and "
        f"{with_.val_accuracy:.1%} with {techniques(lanes[1])}. On {lanes[0].n_val} images, a "
        f"difference of {100 * luck:.1f} percentage points or less counts as about the same."
    )
    return (0 if gain > luck else 2 if gain < -luck else 1), text


def question_about(e: Experiment) -> str:
    """Return the question about an experiment's techniques."""
    p = ", ".join(f"{rate:g}" for rate in dict.fromkeys(e.dropout_rates))
    if not any(e.dropout_rates):
        given = f"one network has {techniques(e)}, the other has no regularization"
    elif e.regularization.dropout_kind == "spatial":
        given = f"in training, each feature map is dropped as a whole with probability {p}"
    else:
        given = f"in training, each unit of a feature map is dropped with probability {p}"
    return f"{given}. What happens to the validation accuracy?"


def code_ran(frame: Frame, lanes: Lanes) -> str:
    """Run the twins on the feature maps of this page's run."""
    p = max(lanes[1].dropout_rates)
    rng = np.random.default_rng(lanes[1].training.seed)
    maps = frame.lanes[1].feature_maps(0)[image_figures.EVAL].astype(np.float64)
    many = np.tile(maps, (REPEATS, 1, 1, 1))
    y, mask = spatial_dropout_forward(many, p, training=True, rng=rng)
    mean = y.reshape(REPEATS, *maps.shape).mean(axis=0)
    places = many[0].reshape(maps.shape[1], -1)
    units = dropout_forward(places, p, training=True, rng=rng)[1] > 0
    split = np.count_nonzero(units.any(axis=1) & ~units.all(axis=1))
    # batch norm of maps: each pixel of each image is one sample of its channel
    flat = maps.transpose(0, 2, 3, 1).reshape(-1, maps.shape[1])
    one, zero = np.ones(flat.shape[1]), np.zeros(flat.shape[1])
    normal, *_ = batch_norm(flat, one, zero, zero, one, training=True)
    alive = flat.std(axis=0) > 1e-3
    return (
        f"On the {maps.shape[1]} maps after this run's first layer, with p = {p:g}: "
        f"spatial_dropout_forward dropped {np.mean(mask == 0):.1%} of "
        f"{REPEATS * maps.shape[0] * maps.shape[1]:,} maps, always as a whole. The mean of "
        f"{REPEATS} draws differs from the maps by {np.abs(mean - maps).mean():.3f} on average; "
        f"the mean of the maps is {maps.mean():.3f}. dropout_forward dropped single units in "
        f"{split} of {len(places)} maps of one image. batch_norm over {len(flat)} positions per "
        f"map: |mean| at most {np.abs(normal.mean(axis=0)).max():.1e}, standard deviation "
        f"{normal[:, alive].std(axis=0).mean():.3f}."
    )


def observed(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run in a sentence."""
    plain, with_ = (metrics.read(lane) for lane in frame.lanes)
    return (
        f"With {techniques(lanes[1])}: training loss {with_.train_loss:.3f}, validation loss "
        f"{with_.val_loss:.3f}, validation accuracy {with_.val_accuracy:.1%}. No regularization: "
        f"training loss {plain.train_loss:.3f}, validation loss {plain.val_loss:.3f}, validation "
        f"accuracy {plain.val_accuracy:.1%}."
    )


def fits(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run, and whether the model fits its training images."""
    share = metrics.read(frame.lanes[1]).train_accuracy
    end = "still fits its training images" if share > 0.99 else "no longer fits all training images"
    return f"{observed(frame, lanes)} Training accuracy {share:.1%}: the regularized model {end}."


def sizes(frame: Frame, lanes: Lanes) -> str:
    """Return the outcome of a task's run, and the size of the maps after each layer."""
    shapes = [frame.lanes[1].feature_maps(i).shape[-2:] for i in range(len(lanes[1].model.hidden))]
    maps = ", ".join(f"{h}x{w} after layer {i}" for i, (h, w) in enumerate(shapes, start=1))
    return f"Map size: {maps}. {observed(frame, lanes)}"


def one_image(frame: Frame, image: int) -> str:
    """Return both models' predictions for one image, and the effect of one draw of masks."""
    plain, with_ = (lane.probabilities for lane in frame.lanes)
    kept = frame.lanes[1].map_kept
    assert plain is not None
    assert with_ is not None
    assert kept is not None
    assert frame.data is not None
    labels = frame.data[0].image_labels
    assert labels is not None
    right = int(labels[image])
    gone = int((kept[image] == 0).sum())
    if np.array_equal(*with_):
        return (
            f"P({right}), the correct class: {plain[0, image, right]:.2f} with no regularization, "
            f"{with_[0, image, right]:.2f} with regularization. Nothing is dropped, so train mode "
            "and eval mode give the same output."
        )
    return (
        f"P({right}), the correct class: {plain[0, image, right]:.2f} with no regularization; with "
        f"regularization {with_[0, image, right]:.2f} in eval mode and "
        f"{with_[1, image, right]:.2f} in train mode. This draw dropped {gone} of {kept.shape[1]} "
        "maps as a whole. The weights are the same; only the masks differ."
    )


def why_rarer(frame: Frame, lanes: Lanes) -> str:
    """Explain with this run's numbers why dropout is less common in convolutional layers."""
    lane = frame.lanes[0]
    near, between = image_figures.map_correlations(lane)
    weights = [inputs * units for inputs, units in lane.shapes]
    share = sum(weights[:-1]) / sum(weights)
    text = (
        f"Convolutions share their weights across all positions. Here they have {share:.0%} of "
        f"the {sum(weights):,} weights, so there are fewer parameters to over-fit with. "
    )
    if not np.isfinite(near):
        return text
    text += (
        "Also, where neighbouring activations are correlated, the neighbours of a dropped unit "
        "still carry its information. Measured after layer 1: the correlation is "
        f"{near:.2f} between neighbours in a map and {between:.2f} between two maps at the same "
        "position. "
    )
    if near > max(between, 0.0) + 0.2:
        return text + "So this holds here, and dropping whole maps removes more information."
    return text + "On maps as small as these, the second reason is weak."


def shapes_sentence(f: LabFrame) -> str:
    """Return the number of entries dropped and averaged together, counted and by formula."""
    shape = f.values["shape"]
    return (
        f"Input of shape {tuple(shape) if isinstance(shape, list) else shape}. Dropout makes "
        f"{f.number('decisions_element'):.0f} random decisions and dropped "
        f"{f.number('dropped_element'):.0f} entries. {f.values['module']} makes "
        f"{f.number('decisions_whole'):.0f}, one per channel of each sample, and dropped "
        f"{f.number('dropped_whole'):.0f} channels, {f.number('split'):.0f} of the others in part. "
        f"{f.values['norm']} averages over {f.number('shared'):.0f} entries (measured; "
        f"entries/channels = {f.number('shared_expected'):.0f}): all samples and positions of a "
        "channel."
    )


LESSON = contents()
lesson.show(LESSON, views)
