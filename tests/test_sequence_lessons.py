"""The sequence lessons: laws of twins and labs, torch as reference, figures, both pages."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.nn import functional

from regviz import specs
from regviz.figures import sequences as sequence_figures
from regviz.figures.palette import DARK, LIGHT, Palette
from regviz.frames import HISTORY, Frame
from regviz.nn.autograd import AutogradNetwork, Pass
from regviz.nn.sequence import LSTMNetwork, TransformerNetwork, attention_maps
from regviz.nn.shapes import Shape
from regviz.scratch.attention import attention_with_dropout, residual_dropout
from regviz.scratch.recurrent import recurrent_dropout_lstm
from regviz.specs import Experiment
from regviz.training.run import Run, train
from regviz.ui import sequences
from tests.test_labs import run_lab
from tests.test_lessons import ROOT, control, finished, opened, shown, value

LSTM = Experiment.from_dict(
    {
        "data": {"kind": "order", "n_samples": 60, "noise": 0.1},
        "model": {"kind": "lstm", "hidden": [6], "embedding": 4},
        "regularization": {"recurrent_dropout": 0.25, "input_dropout": 0.2, "l2": 0.001},
        "training": {"lr": 0.02, "epochs": 10},
    }
)
TRANSFORMER = Experiment.from_dict(
    {
        "data": {"kind": "order", "n_samples": 60, "noise": 0.0},
        "model": {"kind": "transformer", "hidden": [8], "norm": "layer", "embedding": 8},
        "regularization": {"attention_dropout": 0.25},
        "training": {"lr": 0.02, "epochs": 10},
    }
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


# --- twins -------------------------------------------------------------------------------------


def weights(rng: np.random.Generator) -> dict[str, Any]:
    """Return an LSTM's weights, 3 inputs and 4 units."""
    return {
        "w_input": rng.normal(size=(16, 3)),
        "w_state": rng.normal(size=(16, 4)),
        "bias": rng.normal(size=16),
    }


def test_the_recurrent_twin_is_torchs_lstm_and_the_cores_under_a_mask(
    rng: np.random.Generator,
) -> None:
    w, x = weights(rng), rng.normal(size=(7, 3))
    theirs = nn.LSTM(3, 4, batch_first=True, dtype=torch.float64)
    state = {"weight_ih_l0": w["w_input"], "weight_hh_l0": w["w_state"], "bias_ih_l0": w["bias"]}
    state["bias_hh_l0"] = np.zeros(16)
    theirs.load_state_dict({name: torch.from_numpy(v) for name, v in state.items()})
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)[None])[0][0].numpy()
    np.testing.assert_allclose(recurrent_dropout_lstm(x, **w, mask=np.ones(4)), expected)
    # a unit that never tells the next step anything is one without recurrent weights
    mask = np.array([0, 1.25, 1.25, 0])
    other = {**w, "w_state": w["w_state"] * mask}
    np.testing.assert_allclose(
        recurrent_dropout_lstm(x, **w, mask=mask),
        recurrent_dropout_lstm(x, **other, mask=np.ones(4)),
    )


def test_one_mask_is_the_same_mask_at_every_step(rng: np.random.Generator) -> None:
    w, x = weights(rng), rng.normal(size=(7, 3))
    mask = np.array([0, 2, 0, 2.0])
    one = recurrent_dropout_lstm(x, **w, mask=mask)
    assert np.array_equal(one, recurrent_dropout_lstm(x, **w, mask=np.tile(mask, (7, 1))))
    redrawn = recurrent_dropout_lstm(x, **w, mask=np.where(rng.random((7, 4)) < 0.5, 2.0, 0.0))
    assert not np.allclose(one, redrawn)


def test_the_attention_twin_is_torchs_and_its_rows_are_distributions(
    rng: np.random.Generator,
) -> None:
    q, k, v = rng.normal(size=(3, 9, 4))
    y, a = attention_with_dropout(q, k, v, 0.3, training=False, rng=rng)
    expected = functional.scaled_dot_product_attention(
        torch.from_numpy(q), torch.from_numpy(k), torch.from_numpy(v)
    )
    np.testing.assert_allclose(y, expected.numpy())
    np.testing.assert_allclose(a.sum(axis=1), 1)
    same, also = attention_with_dropout(q, k, v, 0.0, training=True, rng=rng)
    assert np.array_equal(same, y)
    assert np.array_equal(also, a)


def test_dropped_attention_is_zero_and_the_rest_is_scaled(rng: np.random.Generator) -> None:
    q, k, v = rng.normal(size=(3, 9, 4))
    _, a = attention_with_dropout(q, k, v, 0.25, training=False, rng=rng)
    draws = np.stack(
        [attention_with_dropout(q, k, v, 0.25, training=True, rng=rng)[1] for _ in range(2000)]
    )
    dropped = draws == 0
    np.testing.assert_allclose(np.where(dropped, 0, a / 0.75), draws)
    assert dropped.mean() == pytest.approx(0.25, abs=0.005)
    # mean and variance of a row's sum, to four standard errors of 2000 draws
    sums, spread = draws.sum(axis=2), np.sqrt(0.25 / 0.75 * np.square(a).sum(axis=1))
    np.testing.assert_allclose(sums.mean(axis=0), 1, atol=4 * spread.max() / np.sqrt(2000))
    np.testing.assert_allclose(sums.std(axis=0), spread, rtol=0.1)


def test_the_residual_twin_leaves_x_where_it_drops(rng: np.random.Generator) -> None:
    x, w = rng.normal(size=(40, 30)), rng.normal(size=(30, 30))

    def sublayer(h: np.ndarray) -> np.ndarray:
        return h @ w

    whole = residual_dropout(x, sublayer, 0.2, training=False, rng=rng)
    norm = nn.LayerNorm(30, dtype=torch.float64)
    with torch.no_grad():
        np.testing.assert_allclose(whole, x + norm(torch.from_numpy(x)).numpy() @ w)
    y = residual_dropout(x, sublayer, 0.2, training=True, rng=rng)
    dropped = y == x
    assert dropped.mean() == pytest.approx(0.2, abs=0.05)
    np.testing.assert_allclose((y - x)[~dropped], (whole - x)[~dropped] / 0.8)
    assert np.array_equal(residual_dropout(x, sublayer, 0.0, training=True, rng=rng), whole)


# --- the core ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_without_dropout_train_mode_is_eval_mode_bit_for_bit(kind: str) -> None:
    norm = "layer" if kind == "transformer" else None
    shape = Shape(20, (8,), 1, "relu", norm, "before", kind=kind, embedding=8, heads=2)
    made: type[AutogradNetwork] = LSTMNetwork if kind == "lstm" else TransformerNetwork
    with torch.no_grad():
        network = made(shape, 1, "cpu")
        network.parameters.flat.normal_(generator=torch.Generator().manual_seed(1))
        x = torch.randint(0, 10, (1, 5, 20), generator=torch.Generator().manual_seed(2)).float()
        for site in network.sites:
            units = (1, 5, site.units)
            site.drop.scale = torch.ones(units)  # p = 0: everything is kept, times 1/(1-0)
        masked = network.compute(network.values, x, Pass(train=True, masked=True))
        assert torch.equal(masked, network.evaluate(x))


def last_frame(*experiments: Experiment) -> Frame:
    *_, frame = train(experiments)
    return Frame.from_bytes(frame.to_bytes())


def test_the_last_frame_holds_both_modes_of_the_same_weights() -> None:
    plain = TRANSFORMER.without_regularization()
    first, *_, frame = train([plain, TRANSFORMER])
    assert first.lanes[1].attention is None
    assert first.lanes[1].answers is None
    without, with_ = Frame.from_bytes(frame.to_bytes()).lanes
    assert without.attention is not None
    assert with_.attention is not None
    assert with_.attention.shape == (2, 6, 1, 2, 20, 20)
    assert np.array_equal(*without.attention)
    quiet, noisy = with_.attention
    np.testing.assert_allclose(quiet.sum(axis=-1), 1, rtol=1e-6)
    dropped = noisy == 0
    assert dropped.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(noisy[~dropped], quiet[~dropped] / 0.75, rtol=1e-6)
    assert np.abs(noisy.sum(axis=-1) - 1).max() > 0.1


def test_the_looks_are_of_the_run_s_own_weights_and_sequences() -> None:
    run = Run([TRANSFORMER])
    for _ in run.steps():
        pass
    frame = run.frame()
    assert frame.data is not None
    tokens, labels = frame.data[0].sequences, frame.data[0].sequence_labels
    assert tokens is not None
    assert labels is not None
    before = [row.tolist().index(0) < row.tolist().index(1) for row in tokens]  # A before B
    assert labels.tolist() == [int(b) for b in before]
    network, place = run._parts[0].stack.network_of(0)
    assert isinstance(network, TransformerNetwork)
    lane = frame.lanes[0]
    assert lane.attention is not None
    np.testing.assert_allclose(lane.attention[0], attention_maps(network, place, tokens))
    x = torch.from_numpy(tokens.astype(np.float32))[None]
    assert lane.answers is not None
    np.testing.assert_allclose(lane.answers, torch.sigmoid(network.evaluate(x))[0, :, 0])


def test_an_lstm_answers_and_points_have_no_sequences() -> None:
    frame = last_frame(LSTM)
    assert frame.lanes[0].attention is None
    assert frame.lanes[0].answers is not None
    assert frame.lanes[0].answers.shape == (6,)
    frame = last_frame(Experiment.from_dict({"training": {"epochs": 1}}))
    assert frame.data is not None
    assert frame.data[0].sequences is None
    assert frame.lanes[0].answers is None


# --- labs --------------------------------------------------------------------------------------


def test_the_masks_shown_are_those_of_the_first_batch() -> None:
    e = LSTM.replace("training.batch_size", None).replace("training.epochs", 1)
    e = e.replace("training.seed", 3)
    run = Run([e])
    network = run._parts[0].stack.network
    assert isinstance(network, LSTMNetwork)
    for _ in run.steps():
        pass
    scale = network.recurrent_dropout.scale
    assert scale is not None
    assert scale.shape == (1, e.n_train, 6)  # none for the steps: the same at each
    frame = run_lab("recurrent_masks", p=0.25, units=6, seed=3)
    fixed = frame.arrays["masks_fixed"]
    assert np.array_equal(fixed[:, 0], scale[0, :3].numpy() > 0)
    assert (fixed == fixed[:, :1]).all()
    redrawn = frame.arrays["masks_redrawn"]
    assert not (redrawn == redrawn[:, :1]).all()


def test_the_masks_follow_their_laws() -> None:
    a = run_lab("recurrent_masks", p=0.3, units=20).arrays
    np.testing.assert_allclose(a["closed_form_redrawn"], 0.7 ** np.arange(1, 21))
    for name in ("fixed", "redrawn"):  # four standard errors of 20,000 units are 0.013
        np.testing.assert_allclose(a[f"measured_{name}"], a[f"closed_form_{name}"], atol=0.013)
    assert len(set(a["measured_fixed"])) == 1
    off = run_lab("recurrent_masks", p=0.0).arrays
    assert (off["masks_fixed"] == 1).all()
    assert (off["masks_redrawn"] == 1).all()


def test_row_sums_scatter_as_the_law_says() -> None:
    frame = run_lab("attention_row_sums", p=0.2)
    a = frame.arrays
    assert a["focus"].min() == pytest.approx(1 / 20)
    np.testing.assert_allclose(a["closed_form"], np.sqrt(0.25 * a["focus"]))
    np.testing.assert_allclose(a["measured"], a["closed_form"], rtol=0.08)
    assert frame.number("gap") == np.abs(a["measured"] - a["closed_form"]).max()
    assert frame.number("mean") == pytest.approx(1, abs=0.01)
    assert run_lab("attention_row_sums", p=0.0).number("gap") < 1e-6


# --- figures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_the_mask_picture_holds_the_masks_and_the_laws(palette: Palette) -> None:
    frame = run_lab("recurrent_masks", p=0.25, units=5)
    figure = sequence_figures.masks_over_time(frame, palette)
    one, two, redrawn = (t for t in figure.data if t.type == "heatmap")
    assert np.array_equal(one.z, frame.arrays["masks_fixed"][0].T)
    assert np.array_equal(two.z, frame.arrays["masks_fixed"][1].T)
    assert np.array_equal(redrawn.z, frame.arrays["masks_redrawn"][0].T)
    drawn = {t.name: t.y for t in figure.data if t.type == "scatter"}
    assert np.array_equal(drawn["one mask: measured"], frame.arrays["measured_fixed"])
    assert np.array_equal(drawn["redrawn: closed form"], frame.arrays["closed_form_redrawn"])
    assert figure.layout.font.color == palette.text


def test_the_maps_show_what_was_dropped_and_what_rows_sum_to() -> None:
    quiet = np.array([[0.5, 0.5], [0.9, 0.1]])
    noisy = np.array([[1.0, 0.0], [1.8, 0.2]])
    figure = sequence_figures.attention_modes(quiet, noisy, np.array([1, 7]))
    left, right, crosses, calm, shaken = figure.data
    assert np.array_equal(left.z, quiet)
    assert np.array_equal(right.z, noisy)
    assert (left.zmin, left.zmax) == (right.zmin, right.zmax) == (0, 1.8)
    assert (list(crosses.x), list(crosses.y)) == ([2], [1])
    np.testing.assert_allclose(calm.x, 1)
    np.testing.assert_allclose(shaken.x, [1, 2])
    assert list(figure.layout.xaxis.ticktext) == ["B", "7"]


def test_only_the_tokens_that_decide_have_letters() -> None:
    assert sequence_figures.token_names(np.arange(10)) == [*"AB23456789"]


# --- pages -------------------------------------------------------------------------------------

CONTROLS: dict[str, tuple[Experiment, dict[str, tuple[str, Any]]]] = {
    "sequences": (
        LSTM,
        {
            "Input dropout p": ("regularization.input_dropout", 0.3),
            "Recurrent dropout p": ("regularization.recurrent_dropout", 0.4),
            "Dropout p": ("regularization.dropout", 0.1),
            "L2 λ": ("regularization.l2", 0.01),
            "Weight decay": ("regularization.weight_decay", 0.02),
            "Token width": ("model.embedding", 8),
            "Samples": ("data.n_samples", 100),
            "Noise": ("data.noise", 0.2),
            "Label noise": ("data.label_noise", 0.1),
            "Learning rate": ("training.lr", 0.01),
            "Epochs": ("training.epochs", 20),
            "Data seed": ("data.seed", 5),
            "Seed": ("training.seed", 2),
        },
    ),
    "attention": (
        TRANSFORMER.replace("model.norm", None),
        {
            "Attention dropout p": ("regularization.attention_dropout", 0.4),
            "Residual dropout p": ("regularization.residual_dropout", 0.1),
            "Dropout p": ("regularization.dropout", 0.2),
            "Input dropout p": ("regularization.input_dropout", 0.1),
            "Normalization": ("model.norm", "layer"),
            "Normalization position": ("model.norm_position", "after"),
            "Heads": ("model.heads", 4),
            "Token width": ("model.embedding", 16),
            "Noise": ("data.noise", 0.2),
            "Units 1": ("model.hidden", (16,)),
            "Blocks": ("model.hidden", (16, 64)),
        },
    ),
}


def text(at: AppTest) -> str:
    return " ".join(h.value for h in at.html if "<style" not in h.value)


@pytest.mark.parametrize("page", CONTROLS)
def test_every_control_reaches_the_experiment(page: str) -> None:
    start, controls = CONTROLS[page]
    at = opened(page, start)
    assert shown(at) == start
    for label, (path, becomes) in controls.items():
        assert value(shown(at), path) != becomes
        moved = becomes if not isinstance(becomes, tuple) else becomes[0]
        if label == "Blocks":
            moved = len(becomes)
        control(at, label).set_value(moved).run()
        assert not at.exception
        assert not at.error
        assert value(shown(at), path) == becomes


def test_the_usual_ranges_stand_beside_the_controls() -> None:
    assert "typical 0.2–0.3" in text(opened("sequences", LSTM))
    attention = text(opened("attention", TRANSFORMER))
    assert attention.count("typical 0.1<") == 2


def masks_drawn(at: AppTest) -> bool:
    return "Largest gap to these formulas" in text(at)


def test_the_rule_its_examples_and_the_masks_are_shown() -> None:
    at = finished(opened("sequences", LSTM), masks_drawn)
    assert any("Class 1 if A comes before B" in m.value for m in at.markdown)
    assert any("probability 10%" in m.value for m in at.markdown)
    table = text(at)
    assert table.count('class="rv-tokens"') == 6
    assert len(re.findall(r"<td[^>]*>[01]\.\d\d", table)) == 12  # what both models say
    assert "other stripes" in table
    still = finished(opened("sequences", LSTM.replace("regularization.recurrent_dropout", 0.0)))
    finished(still, lambda at: "nothing is dropped in either case" in text(at))


@pytest.mark.parametrize(
    ("with_", "words"),
    [
        (
            {"val_loss": 0.4, "train_loss": 0.2},
            "fits the training sequences worse and new ones better",
        ),
        ({"val_loss": 0.4, "train_loss": 0.0}, "it is better on new sequences"),
        ({"val_loss": 0.9}, "does not help on new sequences"),
        ({"val_loss": 0.41, "val_accuracy": 0.6}, "but lower accuracy"),
        ({"val_loss": 0.51}, "hardly differ"),
        ({"val_loss": 0.4, "train_accuracy": 0.5}, "not learned even the training sequences"),
    ],
)
def test_the_sentence_says_what_this_run_measured(with_: dict[str, float], words: str) -> None:
    same = {"train_loss": 0.1, "val_loss": 0.5, "train_accuracy": 0.9, "val_accuracy": 0.8}
    frame = last_frame(LSTM)
    lanes = []
    for numbers in (same, same | with_):
        history = np.zeros((len(HISTORY), 3), np.float32)
        for name, number in numbers.items():
            history[HISTORY.index(name)] = number
        lanes.append(dataclasses.replace(frame.lanes[0], history=history))
    pair = (LSTM.without_regularization(), LSTM)
    frame = dataclasses.replace(frame, lanes=tuple(lanes))
    assert words in sequences.verdict(frame, pair)
    assert "the two models are identical" in sequences.verdict(frame, (pair[0], pair[0]))
    gone = tuple(dataclasses.replace(lane, status="diverged") for lane in lanes)
    assert "diverged" in sequences.verdict(dataclasses.replace(frame, lanes=gone), pair)


def test_the_maps_are_of_the_chosen_sequence_and_model() -> None:
    at = finished(opened("attention", TRANSFORMER))
    (said,) = re.findall(r"Eval mode: every row sums to 1.*?%\.", text(at))
    assert "p = 0.25" in said
    assert "1/(1-p) = 1.333" in said
    assert re.search(r"multiplied by 1\.333", said)
    control(at, "Sequence").set_value(3).run()
    (other,) = re.findall(r"Eval mode: every row sums to 1.*?%\.", text(at))
    assert other != said
    control(at, "Model").set_value(0).run()
    assert "both modes are equal, bit for bit" in text(at)
    assert not at.exception


def test_a_link_to_another_kind_of_model_is_one_sentence() -> None:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page("pages/attention.py")
    at.query_params["e"] = specs.to_link(LSTM)
    at.run()
    assert not at.exception
    (error,) = at.error
    assert "got lstm, but this lesson is about transformer" in error.value
    assert shown(at).model.kind == "transformer"
