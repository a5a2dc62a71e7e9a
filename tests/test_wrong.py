"""The misconceptions: each wrong version fails as its docstring says, the right one does not."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
import torch

from regviz.labs import LABS
from regviz.scratch.dropout import dropout_forward
from regviz.scratch.early_stopping import early_stopping
from regviz.wrong.adam_decay import wrong_adam_decay_step
from regviz.wrong.batch_norm import wrong_input_of_batch_norm
from regviz.wrong.dropout import wrong_dropout_at_test, wrong_scaling_by_p, wrong_scaling_twice
from regviz.wrong.early_stopping import wrong_early_stopping
from regviz.wrong.l1 import wrong_l1_kill_step, wrong_l1_subgradient_step
from regviz.wrong.lstm_dropout import wrong_lstm_with_dropout
from tests.test_labs import run_lab

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p.stem for p in (ROOT / "regviz" / "wrong").glob("*.py") if p.stem != "__init__")
WALL = [name for name in LABS if name.startswith("wrong_")]
SEEDS = [0, 1, 2]


# --- the package ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", MODULES)
def test_wrong_code_is_marked_whole_short_and_sourced(stem: str) -> None:
    module = importlib.import_module(f"regviz.wrong.{stem}")
    assert (module.__doc__ or "").startswith("WRONG")
    functions = [f for f in vars(module).values() if isinstance(f, FunctionType)]
    own = [f for f in functions if f.__module__ == module.__name__]
    assert own
    for function in own:
        assert function.__name__.startswith("wrong_")
        assert (function.__doc__ or "").startswith("WRONG")
        assert "Source: " in (function.__doc__ or "")
        source = inspect.getsource(function)
        assert not source.startswith("@")
        assert len(source.splitlines()) <= 30


def test_nothing_but_the_wall_uses_wrong_code() -> None:
    users = set()
    for path in [*ROOT.glob("regviz/**/*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.startswith("regviz.wrong") for name in names):
                users.add(path.relative_to(ROOT).as_posix())
    assert users == {"regviz/labs/misconceptions.py"}


def test_wrong_code_can_be_shown_without_torch() -> None:
    script = "import sys\n" + "".join(f"import regviz.wrong.{m}\n" for m in MODULES)
    script += "print('torch' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize("name", WALL)
def test_each_lab_is_deterministic_and_says_what_it_measures(name: str) -> None:
    frame = run_lab(name)
    assert isinstance(frame.values["says"], str)
    assert frame.number("measured") == frame.number("measured")  # not NaN
    assert run_lab(name).to_bytes() == frame.to_bytes()
    assert run_lab(name, seed=5).to_bytes() != frame.to_bytes()


# --- dropout -------------------------------------------------------------------------------------


def test_dropout_left_on_answers_differently_each_time() -> None:
    rng = np.random.default_rng(0)
    x = np.ones((1, 50))
    one, other = (wrong_dropout_at_test(x, 0.5, training=False, rng=rng) for _ in range(2))
    assert not np.array_equal(one, other)
    assert np.array_equal(dropout_forward(x, 0.5, training=False, rng=rng)[0], x)


@pytest.mark.parametrize("seed", SEEDS)
def test_dropout_at_test_on_the_wall(seed: int) -> None:
    frame = run_lab("wrong_dropout_at_test", seed=seed)
    assert frame.number("measured") > 0.05
    assert frame.number("right_spread") == 0.0
    assert len(set(frame.arrays["right"])) == 1
    assert len(set(frame.arrays["wrong"])) > 1
    off = run_lab("wrong_dropout_at_test", seed=seed, p=0.0, repeats=3)
    assert off.number("measured") < 1e-12


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_wrong_scalings_miss_the_expectation_by_their_factor(p: float) -> None:
    rng = np.random.default_rng(1)
    x = np.full((1, 200_000), 2.0)

    def ratio(y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(y.mean() / 2)

    assert ratio(wrong_scaling_by_p(x, p, training=True, rng=rng)) == pytest.approx(
        p * (1 - p), rel=0.02
    )
    assert ratio(wrong_scaling_by_p(x, p, training=False, rng=rng)) == 1
    assert ratio(wrong_scaling_twice(x, p, training=True, rng=rng)) == pytest.approx(1, rel=0.02)
    assert ratio(wrong_scaling_twice(x, p, training=False, rng=rng)) == pytest.approx(1 - p)
    assert ratio(dropout_forward(x, p, training=True, rng=rng)[0]) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_scaling_on_the_wall(p: float) -> None:
    frame = run_lab("wrong_dropout_scaling", p=p)
    assert frame.number("measured") == pytest.approx(p * (1 - p), rel=0.1)
    assert frame.number("measured_twice") == pytest.approx(1 / (1 - p), rel=0.1)
    assert frame.number("measured_right") == pytest.approx(1, rel=0.1)


# --- L1 ------------------------------------------------------------------------------------------


def test_a_subgradient_step_jumps_over_zero_and_the_proximal_step_lands_on_it() -> None:
    w = np.array([0.01])
    assert wrong_l1_subgradient_step(w, np.zeros(1), 0.1, 1.0)[0] == pytest.approx(-0.09)


@pytest.mark.parametrize("seed", SEEDS)
def test_l1_subgradient_on_the_wall(seed: int) -> None:
    frame = run_lab("wrong_l1_subgradient", seed=seed)
    assert frame.number("zeros_wrong") == 0
    assert frame.number("zeros_right") >= 3
    assert frame.number("smallest_wrong") > 0
    # but for the zeros they agree: the objective is the same
    assert np.abs(frame.arrays["wrong"][-1] - frame.arrays["right"][-1]).max() < 0.05


def test_a_killed_weight_does_not_come_back() -> None:
    w, alive = np.array([0.01, 0.5]), np.array([True, True])
    w, alive = wrong_l1_kill_step(w, alive, np.zeros(2), 0.1, 1.0)
    assert w[0] == 0.0
    assert alive.tolist() == [False, True]
    for _ in range(5):
        w, alive = wrong_l1_kill_step(w, alive, np.array([-100.0, 0.0]), 0.1, 1.0)
    assert w[0] == 0.0  # however strongly the data pull
    # the data's own step across zero kills nothing
    w, alive = wrong_l1_kill_step(np.array([-0.01]), np.array([True]), np.array([-9.0]), 0.1, 0.1)
    assert alive.all()
    assert w[0] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_l1_kill_on_the_wall(seed: int) -> None:
    frame = run_lab("wrong_l1_kill", seed=seed)
    assert frame.number("gap_right") < 1e-3
    assert frame.number("measured") > 0.1
    assert frame.number("dead_but_needed") >= 1
    assert (np.diff(frame.arrays["dead"]) >= 0).all()
    assert run_lab("wrong_l1_kill", seed=seed, l1=0.0).number("dead") == 0


# --- Adam's L2 -----------------------------------------------------------------------------------


def test_the_wrong_decay_is_torch_s_adam() -> None:
    w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1, weight_decay=0.3)
    ours, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for t in range(1, 6):
        gradient = np.array([0.5, 4.0]) * t
        w.grad = torch.from_numpy(gradient)
        optimizer.step()
        ours, m, v = wrong_adam_decay_step(ours, gradient, m, v, t, lr=0.1, weight_decay=0.3)
    assert np.allclose(ours, w.detach().numpy(), atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_adam_decay_on_the_wall(seed: int) -> None:
    frame = run_lab("wrong_adam_decay", seed=seed)
    assert frame.number("measured") > 0.3
    assert frame.number("right_difference") == pytest.approx(0, abs=0.02)
    closed = frame.number("closed_form")
    assert np.allclose(frame.arrays["right"][-1], closed, atol=0.02)


# --- early stopping, batch norm, LSTM ------------------------------------------------------------


def test_watching_the_training_loss_never_stops_while_it_falls() -> None:
    train = [1.0, 0.8, 0.6, 0.4, 0.2, 0.1]
    val = [1.0, 0.9, 1.0, 1.1, 1.2, 1.3]
    assert wrong_early_stopping(train, 2) == (6, None)
    assert early_stopping(val, 2) == (2, 4)
    assert wrong_early_stopping(val, 2) == (2, 4)  # the rule itself is right


@pytest.mark.parametrize("seed", SEEDS)
def test_early_stopping_on_the_wall(seed: int) -> None:
    frame = run_lab("wrong_early_stopping", seed=seed)
    assert frame.number("stopped_wrong") == 0 or (
        frame.number("stopped_wrong") > frame.number("stopped_right")
    )
    assert frame.number("best_wrong") > frame.number("best_right")
    assert frame.number("measured") > 0
    assert frame.number("stopped_right") == frame.number("best_right") + 10


def test_dropout_before_batch_norm_shifts_the_variance_as_the_law_says() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 1.0, (200_000, 1))
    y = wrong_input_of_batch_norm(x, 0.5, training=True, rng=rng)
    assert y.mean() == pytest.approx(2, rel=0.02)
    assert y.var() == pytest.approx(1 + 5 * 1.0, rel=0.03)  # Var + E[x²]·p/(1-p)
    assert wrong_input_of_batch_norm(x, 0.5, training=False, rng=rng).var() == x.var()


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7])
def test_dropout_before_batch_norm_on_the_wall(p: float) -> None:
    frame = run_lab("wrong_dropout_before_batch_norm", p=p)
    assert frame.number("right") == pytest.approx(1, abs=0.1)
    assert frame.number("measured") == pytest.approx(frame.number("expected"), abs=0.1)
    if p == 0:
        assert frame.number("expected") == 1
    else:
        assert frame.number("measured") < 0.8


def test_lstm_dropout_on_the_wall() -> None:
    frame = run_lab("wrong_lstm_dropout")
    assert frame.number("measured") == 0.0
    assert frame.number("right_spread") > 0.01
    assert "num_layers" in str(frame.values["warning"])
    off = run_lab("wrong_lstm_dropout", p=0.0)
    assert off.number("right_spread") == 0.0
    # without dropout the hand-written recurrence is torch's
    assert np.allclose(off.arrays["right"], off.arrays["wrong"], atol=1e-6)


def test_torch_does_drop_between_two_layers() -> None:
    with pytest.warns(UserWarning, match="num_layers"):
        wrong_lstm_with_dropout(3, 4, 0.5)
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(3, 4, num_layers=2, dropout=0.5, batch_first=True)
    x = torch.ones(1, 5, 3)
    with torch.no_grad():
        assert not torch.equal(lstm(x)[0], lstm(x)[0])
