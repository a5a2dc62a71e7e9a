"""Observing a stack: what a frame holds of its lanes. Nothing here changes them.

Each part of a frame is a function that returns one dictionary per lane: fields of
:class:`~regviz.frames.LaneFrame` by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from regviz.data.datasets import make_dataset, make_view, new_points
from regviz.frames import HISTOGRAM_BINS, RELIABILITY_BINS, LaneFrame
from regviz.nn.convolution import ConvNetwork, feature_maps
from regviz.nn.layers import Parameters
from regviz.nn.losses import loss_and_correct
from regviz.nn.networks import AnyNetwork
from regviz.nn.sequence import TransformerNetwork, attention_maps
from regviz.training.planes import grid_size, plane_fields
from regviz.training.randomness import OBSERVATION, generator
from regviz.training.stack import Stack, dropout_rate

FEW_LANES = 6  # a frame of more holds no feature maps
TESTED_LANES = 64  # a frame of more holds no result on the test set

Fields = list[dict[str, Any]]
"""Some fields of each lane's frame."""


def observe(stack: Stack, wanted: Sequence[int], *, last: bool) -> list[LaneFrame]:
    """Return frames of some lanes, in their order.

    ``last`` adds what only a run's last frame holds: the test set, feature maps, attention.
    """
    frames: dict[int, LaneFrame] = {}
    grid = grid_size(stack, len(wanted), last=last)
    # a slow network is evaluated on its training points once more only when it has ended
    with_training = stack.shape.kind == "mlp" or not stack.is_training(wanted)
    for network, lanes in stack.networks():
        places = [i for i, lane in enumerate(lanes) if lane in wanted]
        if not places:
            continue
        if len(places) < len(lanes):
            network, lanes = network.select(places), [lanes[i] for i in places]
        parts = [
            _progress(stack, lanes),
            _weights(network.parameters),
            _inputs(stack, network, lanes),
            plane_fields(stack, network, lanes, grid),
            _predictions(stack, network, lanes, with_training=with_training),
        ]
        if stack.shape.kind == "mlp":
            parts.append(_input_norms(network.parameters))
        if last and isinstance(network, ConvNetwork):
            if len(wanted) <= FEW_LANES:
                parts.append(_images(stack, network, lanes))
        elif last:
            parts.append(_sequences(stack, network, lanes))
        if last and len(wanted) <= TESTED_LANES:
            parts.append(_tested(stack, network, lanes))
        for i, lane in enumerate(lanes):
            frames[lane] = LaneFrame(**{k: v for part in parts for k, v in part[i].items()})
    return [frames[lane] for lane in wanted]


def _by_lane(arrays: Mapping[str, NDArray[Any]]) -> Fields:
    """Take arrays with a leading lane axis apart."""
    lanes = len(next(iter(arrays.values())))
    return [{name: array[i] for name, array in arrays.items()} for i in range(lanes)]


def _progress(stack: Stack, lanes: Sequence[int]) -> Fields:
    """Status, epochs and curves."""
    records = stack.records
    fields: Fields = []
    for lane in lanes:
        status, epoch, stop = records.status[lane], records.epochs[lane], records.stops[lane]
        fields.append(
            {
                "status": status,
                "epoch": epoch,
                "best_epoch": stop.best_epoch,
                "stopped_epoch": stop.stopped_epoch if status == "stopped" else 0,
                "wait": stop.wait,
                "restored": records.restored[lane],
                "history": records.history[:, lane, :epoch].copy(),
            }
        )
    return fields


def _weights(parameters: Parameters) -> Fields:
    """Histogram, exact zeros and norms of each weight matrix."""
    lanes, names, bins = parameters.lanes, parameters.weight_names, HISTOGRAM_BINS
    histogram = np.zeros((lanes, len(names), bins), np.uint32)
    limits, zeros, norms, l1_norms, shapes = [], [], [], [], []
    for layer, name in enumerate(names):
        w = parameters[name].flatten(1).cpu().numpy()  # (lanes, weights)
        size = np.abs(w)
        # powers of two: bins of lanes with different limits merge exactly into one another's
        limit = 2.0 ** np.ceil(np.log2(np.maximum(size.max(axis=1), 2.0**-10)))
        at = np.floor((w / limit[:, None] + 1) * (bins / 2)).astype(np.int64)
        at = np.clip(at, 0, bins - 1) + bins * np.arange(lanes)[:, None]
        counts = np.bincount(at[w != 0], minlength=lanes * bins)
        histogram[:, layer] = counts.reshape(lanes, bins)
        limits.append(limit)
        zeros.append((w == 0).sum(axis=1))
        norms.append(np.sqrt(np.square(w, dtype=np.float64).sum(axis=1)))
        l1_norms.append(size.sum(axis=1, dtype=np.float64))
        shapes.append((int(parameters[name].shape[1]), int(parameters[name].shape[2])))
    fields = _by_lane(
        {
            "histogram": histogram,
            "limits": np.stack(limits, axis=1).astype(np.float32),
            "zeros": np.stack(zeros, axis=1),
            "norms": np.stack(norms, axis=1),
            "l1_norms": np.stack(l1_norms, axis=1),
        }
    )
    return [{"layers": tuple(names), "shapes": tuple(shapes), **of_lane} for of_lane in fields]


def _input_norms(parameters: Parameters) -> Fields:
    """Norm of the weights that leave each input feature."""
    first = parameters[parameters.weight_names[0]]
    return _by_lane({"input_norms": torch.linalg.vector_norm(first, dim=2).cpu().numpy()})


def _data_of(stack: Stack, lanes: Sequence[int]) -> Tensor:
    """Return the place of each lane's data set among the stack's."""
    places = [stack.data_specs.index(stack.experiments[lane].data) for lane in lanes]
    return torch.tensor(places).to(stack.device)


def _inputs(stack: Stack, network: AnyNetwork, lanes: Sequence[int]) -> Fields:
    """Mean and standard deviation of what each layer gets as input, over the training set."""
    inputs = network.layer_inputs(stack.x[_data_of(stack, lanes), : stack.n_train])
    mean = torch.stack([v.mean(dim=(1, 2)) for v in inputs], dim=1)
    std = torch.stack([v.std(dim=(1, 2)) for v in inputs], dim=1)
    return _by_lane({"input_mean": mean.cpu().numpy(), "input_std": std.cpu().numpy()})


def _predictions(
    stack: Stack, network: AnyNetwork, lanes: Sequence[int], *, with_training: bool
) -> Fields:
    """Reliability on the validation set, and with the training points too the counts of correct
    predictions."""
    data, start = _data_of(stack, lanes), 0 if with_training else stack.n_train
    x, y = stack.x[data, start:], stack.y[data, start:]
    logits = network.evaluate(x)
    val = slice(stack.n_train - start, None)
    fields = _by_lane({"reliability": reliability_bins(logits[:, val], y[:, val])})
    if with_training:
        correct = loss_and_correct(logits, y, stack.n_classes)[1]
        for of_lane, counts in zip(fields, _correct_counts(stack, lanes, correct, y), strict=True):
            of_lane["rights"] = counts
    return fields


def _correct_counts(
    stack: Stack, lanes: Sequence[int], correct: Tensor, y: Tensor
) -> NDArray[np.uint32]:
    """Return the correct predictions and the points of each class, (lanes, 3, 2, classes): of the
    training points, the validation points, and the validation points that are new."""
    n, classes = stack.n_train, stack.n_classes
    out = np.zeros((len(lanes), 3, 2, classes), np.uint32)
    for i, lane in enumerate(lanes):
        new = new_points(stack.experiments[lane].data)
        label, weight = y[i].cpu().numpy(), correct[i].cpu().numpy()
        place = np.arange(len(label))
        for j, some in enumerate((place[:n], place[n:], place[n:][new])):
            out[i, j, 0] = np.bincount(label[some], weight[some], classes)
            out[i, j, 1] = np.bincount(label[some], minlength=classes)
    return out


def reliability_bins(
    logits: Float[Tensor, "lanes n outputs"], y: Int[Tensor, "lanes n"]
) -> NDArray[np.float32]:
    """Sort predictions by their confidence, the top-label probability, into bins (low, high].

    Returns (lanes, 3, 15): count, sum of confidences and number of correct predictions in each
    bin, so that ECE = Σ |correct - confidences| / Σ count.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    if logits.shape[2] == 1:
        p = torch.sigmoid(logits)
        probability = torch.cat([1 - p, p], dim=2)
    else:
        probability = torch.softmax(logits, 2)
    confidence, predicted = (v.cpu() for v in probability.max(dim=2))
    correct = (predicted == y.cpu()).numpy()
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    out = np.zeros((len(logits), 3, RELIABILITY_BINS), np.float32)
    for lane, c in enumerate(confidence.numpy().astype(np.float64)):
        place = np.clip(np.searchsorted(edges, c, side="left") - 1, 0, RELIABILITY_BINS - 1)
        for row, amount in enumerate((None, c, correct[lane])):
            out[lane, row] = np.bincount(place, amount, RELIABILITY_BINS)
    return out


# --- only in a run's last frame ----------------------------------------------------------------


def _tested(stack: Stack, network: AnyNetwork, lanes: Sequence[int]) -> Fields:
    """Loss and accuracy on the locked test set, where there is one."""
    sets = [make_dataset(stack.experiments[lane].data) for lane in lanes]
    if not len(sets[0].y_test):
        return [{} for _ in lanes]
    x = torch.from_numpy(np.stack([d.x_test for d in sets])).to(stack.device)
    y = torch.from_numpy(np.stack([d.y_test for d in sets])).to(stack.device)
    loss, correct = loss_and_correct(network.evaluate(x), y, stack.n_classes)
    test = torch.stack([loss.mean(dim=1), correct.mean(dim=1)], dim=1)
    return _by_lane({"test": test.cpu().numpy()})


def _images(stack: Stack, network: ConvNetwork, lanes: Sequence[int]) -> Fields:
    """Class probabilities and feature maps of the view's images, in eval and in train mode."""
    fields: Fields = []
    for i, lane in enumerate(lanes):
        e = stack.experiments[lane]
        images = make_view(e.data).images
        assert images is not None  # the data of a CNN are images
        rates = [dropout_rate(e, site) for site in network.sites]
        draws = generator(e.training.seed, OBSERVATION)
        evaluated = feature_maps(network, i, images)
        dropped = feature_maps(network, i, images, rates=rates, generator=draws)
        flat = [
            np.concatenate([m.reshape(len(images), -1) for m in seen.maps], axis=1)
            for seen in (evaluated, dropped)
        ]
        fields.append(
            {
                "probabilities": np.stack([evaluated.probabilities, dropped.probabilities]),
                "maps": np.stack(flat),
                "map_shapes": tuple((m.shape[1], m.shape[2]) for m in evaluated.maps),
                "map_kept": np.concatenate(dropped.kept, axis=1),
            }
        )
    return fields


def _sequences(stack: Stack, network: AnyNetwork, lanes: Sequence[int]) -> Fields:
    """Answers to the view's sequences, and a transformer's attention, in eval and in train mode;
    nothing for data that are not sequences."""
    fields: Fields = []
    for i, lane in enumerate(lanes):
        e = stack.experiments[lane]
        tokens = make_view(e.data).sequences
        if tokens is None:
            fields.append({})
            continue
        x = torch.from_numpy(tokens.astype(np.float32)).to(stack.device)
        logits = network.evaluate(x.expand(len(lanes), -1, -1))[i, :, 0]
        of_lane = {"answers": torch.sigmoid(logits).cpu().numpy()}
        if isinstance(network, TransformerNetwork):
            p, draws = e.regularization.attention_dropout, generator(e.training.seed, OBSERVATION)
            evaluated = attention_maps(network, i, tokens)
            dropped = attention_maps(network, i, tokens, p=p, generator=draws)
            of_lane["attention"] = np.stack([evaluated, dropped])
        fields.append(of_lane)
    return fields
