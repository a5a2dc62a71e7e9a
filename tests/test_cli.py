"""The command line, as users and scripts call it."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regviz._version import __version__
from regviz.cli import main, sweep_experiments
from regviz.frames import HISTORY
from regviz.results import output as outputs
from regviz.specs import MAX_LANES, Experiment, SpecError

ROOT = Path(__file__).resolve().parents[1]
SMALL: dict[str, Any] = {
    "data": {"n_samples": 60},
    "model": {"hidden": [8]},
    "training": {"epochs": 3},
}


def write(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    return write(tmp_path / "spec.json", SMALL)


def strict_json(text: str) -> Any:
    """Parse JSON as other languages do: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


# --- run ---------------------------------------------------------------------------------------


def ran(tmp_path: Path, *experiments: dict[str, Any]) -> list[dict[str, Any]]:
    """Run experiments from a file; return the result's runs, parsed as strict JSON."""
    spec, out = tmp_path / "several.json", tmp_path / "result.json"
    assert main(["run", write(spec, {"experiments": experiments}), "-o", str(out)]) == 0
    runs = strict_json(out.read_text())["runs"]
    assert isinstance(runs, list)
    return runs


def test_nothing_moves_at_learning_rate_0(tmp_path: Path) -> None:
    still = {
        **SMALL,
        "regularization": {"dropout": 0.7, "input_noise": 0.5},
        "training": {"epochs": 5, "lr": 0.0, "seed": 3},
    }
    one, two = ran(tmp_path, still, still)
    (again,) = ran(tmp_path, still)
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        assert len(set(one["history"][name])) == 1, name
    # in train mode masks and noise are drawn anew
    assert len(set(one["history"]["train_loss_train_mode"])) == 5
    assert one == two == again


def test_a_lane_that_diverges_is_named_and_its_neighbours_do_not_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {**SMALL, "training": {"optimizer": "sgd", "lr": 0.1, "epochs": 20}}
    wild = {**SMALL, "training": {"optimizer": "sgd", "lr": 1000.0, "epochs": 20}}
    first, bad, third = ran(tmp_path, good, wild, good)
    said = capsys.readouterr().err
    assert [r["status"] for r in (first, bad, third)] == ["finished", "diverged", "finished"]
    assert re.search(r"2  diverged .* lr=1000\.0$", said, re.MULTILINE)
    assert first == third
    (alone,) = ran(tmp_path, good)
    for name in HISTORY:
        assert first["history"][name] == pytest.approx(alone["history"][name], rel=1e-4), name


def test_a_run_that_reaches_its_end_says_that_the_best_weights_were_restored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def patient(restore: bool) -> dict[str, Any]:
        return {
            "data": {"n_samples": 60, "noise": 0.4},
            "model": {"hidden": [32]},
            "regularization": {
                "early_stopping": {"patience": 1000, "restore_best_weights": restore}
            },
            "training": {"epochs": 60, "lr": 0.05},
        }

    back, stays = ran(tmp_path, patient(True), patient(False))
    said = capsys.readouterr().err
    assert (back["status"], back["stopped_epoch"]) == ("finished", None)
    assert back["best_epoch"] == stays["best_epoch"] < 60
    assert (back["restored_best_weights"], stays["restored_best_weights"]) == (True, False)
    norms = [[w["norm"] for w in run["weights"]] for run in (back, stays)]
    assert norms[0] != pytest.approx(norms[1], rel=1e-2)
    assert "best weights restored: run 1;" in said
    assert (
        said.count("regularization.early_stopping.patience: Patience is not shorter than the run")
        == 2
    )
    assert said.count("(in 1 of 2 runs)") == 2


def test_run_writes_the_result_of_the_contract(spec: str, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    assert main(["run", spec, "-o", str(out), "--device", "cpu"]) == 0
    result = strict_json(out.read_text())
    assert set(result) == {"runs", "device", "seconds"}
    assert result["device"] == "cpu"
    assert result["seconds"] > 0
    (run,) = result["runs"]
    assert set(run) == {
        "experiment", "status", "best_epoch", "stopped_epoch", "restored_best_weights", "history",
        "weights", "boundary", "verdict",
    }  # fmt: skip
    assert run["experiment"] == Experiment.from_dict(SMALL).to_dict()
    assert run["status"] == "finished"
    assert 1 <= run["best_epoch"] <= 3
    assert run["stopped_epoch"] is None
    assert set(run["history"]) == {"epoch", *HISTORY}
    assert run["history"]["epoch"] == [1, 2, 3]
    assert all(len(values) == 3 for values in run["history"].values())
    assert [w["shape"] for w in run["weights"]] == [[2, 8], [8, 1]]
    assert all(w["zeros"] == 0 and w["norm"] > 0 for w in run["weights"])
    grid = run["boundary"]
    assert set(grid) == {"xx0", "xx1", "response"}
    assert all(0 <= value <= 1 for row in grid["response"] for value in row)
    assert len(grid["xx0"]) == len(grid["xx1"]) == len(grid["response"])
    assert sorted(os.listdir(tmp_path)) == ["result.json", "spec.json"]


def test_without_a_file_the_result_goes_to_standard_output(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", spec]) == 0
    out, err = capsys.readouterr()
    assert strict_json(out)["runs"][0]["status"] == "finished"
    assert "finished" in err
    assert "1 model" in err
    assert "\r" not in err  # no bar where nobody watches


def test_equal_files_give_equal_results(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = []
    for _ in range(2):
        main(["run", spec, "--device", "cpu"])
        results.append(json.loads(capsys.readouterr().out)["runs"])
    assert results[0] == results[1]


def test_several_experiments_of_different_shapes_keep_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [
        {**SMALL, "model": {"hidden": [width]}, "training": {"epochs": epochs}}
        for width, epochs in ((4, 2), (8, 1), (4, 2), (16, 3))
    ]
    assert main(["run", write(tmp_path / "s.json", {"experiments": several})]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["weights"][0]["shape"][1] for run in runs] == [4, 8, 4, 16]
    assert [len(run["history"]["epoch"]) for run in runs] == [2, 1, 2, 3]


def test_a_diverged_run_is_said_so_in_json_that_others_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = {**SMALL, "training": {"optimizer": "sgd", "lr": 1e3, "epochs": 30}}
    calm = {**SMALL, "training": {"optimizer": "sgd", "lr": 0.1, "epochs": 30}}
    assert main(["run", write(tmp_path / "s.json", {"experiments": [wild, calm]})]) == 0
    out, err = capsys.readouterr()
    runs = strict_json(out)["runs"]
    assert [run["status"] for run in runs] == ["diverged", "finished"]
    assert len(runs[1]["history"]["epoch"]) == 30
    assert "diverged" in err


def test_whatever_becomes_of_a_run_its_result_is_json_that_others_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = [
        {"data": {"n_samples": 40, "noise": noise}, "model": {"hidden": hidden, "norm": norm,
         "init_scale": scale}, "regularization": regularization,
         "training": {"optimizer": "sgd", "lr": lr, "epochs": 3}}
        for noise, hidden, norm, scale, regularization, lr in (
            (0.3, [8], None, 1, {}, 1e6), (0.3, [8], "batch", 1, {}, 1e6),
            (0.3, [8], "layer", 1, {}, 1e6), (0.3, [8], None, 0, {}, 0.0),
            (10, [8], None, 1000, {}, 1.0), (0.3, [], None, 1, {}, 1e6),
            (0.3, [8], None, 1, {"l1": 1e6}, 0.1), (0.3, [8], None, 1, {"l2": 1e6}, 0.1),
            (0.3, [8], None, 1, {"dropout": 0.999999, "input_noise": 100}, 1.0),
            (0.3, [8], None, 1, {"label_smoothing": 0.9999}, 1e3),
            (0.3, [8], None, 1, {"early_stopping": {"patience": 0, "min_delta": 1000}}, 1e6),
        )
    ]  # fmt: skip
    assert main(["run", write(tmp_path / "s.json", {"experiments": wild})]) == 0
    runs = strict_json(capsys.readouterr().out)["runs"]
    assert {run["status"] for run in runs} >= {"diverged", "finished"}


def test_early_stopping_is_in_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = {"early_stopping": {"patience": 2, "min_delta": 1000}}
    document = {**SMALL, "regularization": stopping, "training": {"epochs": 50}}
    assert main(["run", write(tmp_path / "s.json", document)]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["status"] == "stopped"
    assert run["stopped_epoch"] == len(run["history"]["epoch"]) < 50


def test_no_boundary_without_two_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {**SMALL, "data": {"n_samples": 60, "irrelevant_features": 3}}
    assert main(["run", write(tmp_path / "s.json", document)]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["boundary"] is None


# --- sweep -------------------------------------------------------------------------------------


def test_sweep_trains_the_product_with_the_last_axis_fastest(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    code = main(
        ["sweep", spec, "--over", "regularization.weight_decay=0,1e-4", "--over",
         "data.kind=moons,xor", "--seeds", "3", "-o", str(out)]
    )  # fmt: skip
    assert code == 0
    experiments = [run["experiment"] for run in json.loads(out.read_text())["runs"]]
    got = [
        (e["regularization"]["weight_decay"], e["data"]["kind"], e["training"]["seed"])
        for e in experiments
    ]
    assert got == [
        (decay, kind, seed) for decay in (0, 1e-4) for kind in ("moons", "xor") for seed in range(3)
    ]
    table = capsys.readouterr().err
    assert "weight_decay=0.0001 seed=2" in table
    assert "12 models" in table


def test_values_are_json_and_bare_words_are_strings(
    spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    over = ["training.batch_size=null,16", "model.hidden=[4],[8,8]", "model.norm=null"]
    assert main(["sweep", spec, *(part for o in over for part in ("--over", o))]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    got = [(r["experiment"]["training"]["batch_size"], r["experiment"]["model"]) for r in runs]
    assert [(batch, model["hidden"], model["norm"]) for batch, model in got] == [
        (batch, hidden, None) for batch in (None, 16) for hidden in ([4], [8, 8])
    ]


def test_seeds_count_up_from_the_files_own() -> None:
    base = Experiment().replace("training.seed", 7)
    seeds = [e.training.seed for e in sweep_experiments([base], [], seeds=3)]
    assert seeds == [7, 8, 9]
    assert sweep_experiments([base], [], seeds=1) == [base]


def test_a_sweep_over_early_stopping_switches_it_on() -> None:
    axes = [("regularization.early_stopping.patience", [2, 4])]
    swept = [e.regularization.early_stopping for e in sweep_experiments([Experiment()], axes)]
    assert [s.patience for s in swept if s is not None] == [2, 4]


def test_the_largest_sweep_is_accepted_and_one_more_refused() -> None:
    assert len(sweep_experiments([Experiment()], [], seeds=MAX_LANES)) == MAX_LANES
    with pytest.raises(SpecError, match="1025"):
        sweep_experiments([Experiment()], [], seeds=MAX_LANES + 1)


# --- what is refused ---------------------------------------------------------------------------


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error sentence for these arguments."""
    code: object
    try:
        code = main(arguments)
    except SystemExit as ended:  # argparse
        code = ended.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"data": {"colour": 1}}, "data.colour"),
        ({"data": {"noise": float("nan")}}, "data.noise"),
        ({"regularization": {"dropout": 1}}, "regularization.dropout"),
        ({"regularization": {"l2": -1}}, "regularization.l2"),
        ({"data": {"n_samples": 0}}, "data.n_samples"),
        ({"model": {"hidden": [1_000_000]}}, "model.hidden[0]"),
        ({"data": {"kind": "cats"}}, "data.kind"),
        ([], "experiment"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(
    document: Any, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "bad.json", document)
    for command in (["run", path], ["sweep", path, "--over", "data.noise=0"]):
        assert f"bad.json: {field}: " in refused(command, capsys)


def test_a_wrong_device_is_refused(
    spec: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--device" in refused(["run", spec, "--device", "tpu"], capsys)
    monkeypatch.setenv("REGVIZ_DEVICE", "tpu")
    assert "tpu" in refused(["run", spec], capsys)
    assert main(["run", spec, "--device", "cpu"]) == 0


def test_files_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "not JSON" in refused(["run", str(tmp_path / "picture.png")], capsys)
    assert "cannot be read" in refused(["run", str(tmp_path / "none.json")], capsys)
    assert "cannot be read" in refused(["run", str(tmp_path)], capsys)
    said = refused(["render", str(tmp_path / "none.json"), "-o", str(tmp_path / "a.png")], capsys)
    assert said.count("none.json") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--over", "data.nois=0"], "data.nois"),
        (["--over", "data.noise"], "--over"),
        (["--over", "data.noise="], "--over"),
        (["--over", "data.noise=-1"], "data.noise"),
        (["--over", "data.noise=NaN"], "data.noise"),
        (["--over", "data.noise=loud"], "data.noise"),
        (["--over", "data=1"], "data"),
        (["--over", "data.noise=0", "--over", "data.noise=1"], "data.noise"),
        (["--over", "training.seed=0,1", "--seeds", "2"], "training.seed"),
        (["--over", "data.noise=0", "--seeds", "0"], "--seeds"),
        (["--over", "data.noise=0", "--seeds", "two"], "--seeds"),
        (["--over", "data.noise=0", "--seeds", "100000000"], "100000000"),
        ([], "--over"),
    ],
)
def test_a_bad_sweep_is_refused_in_one_sentence(
    arguments: list[str], named: str, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in refused(["sweep", spec, *arguments], capsys)


@pytest.mark.parametrize(
    "arguments",
    [["swep"], ["run"], ["run", "a", "b"], ["run", "a", "--fast"], ["serve", "--port", "x"]],
)
def test_bad_arguments_are_refused_in_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refused(arguments, capsys)


def test_a_result_that_cannot_be_written_is_refused_before_training(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = write(tmp_path / "long.json", {"training": {"epochs": 100_000}})
    for target in (tmp_path / "none" / "r.json", tmp_path, Path(spec) / "r.json"):
        assert "cannot be written" in refused(["run", long, "-o", str(target)], capsys)


def test_a_refused_run_leaves_the_old_result_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    out.write_text("old")
    bad = write(tmp_path / "bad.json", {"data": {"noise": -1}})
    refused(["run", bad, "-o", str(out)], capsys)
    assert out.read_text() == "old"


def test_a_device_file_is_written_and_not_replaced(spec: str) -> None:
    before = os.stat(os.devnull).st_rdev
    assert main(["run", spec, "-o", os.devnull]) == 0
    assert os.stat(os.devnull).st_rdev == before


def test_a_full_disk_is_said_in_one_sentence(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    assert "cannot be written" in refused(["run", spec, "-o", "/dev/full"], capsys)


# --- what was meant ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        ({"data": {"nois": 0.1}}, "data.noise"),
        ({"data": {"kind": "moon"}}, "moons"),
        ({"training": {"optimizer": "AdamW"}}, "adamw"),
        ({"dropout": 0.5}, "regularization.dropout"),
        ({"data": {"l2": 0.5}}, "regularization.l2"),
        ({"model": {"n_samples": 50}}, "data.n_samples"),
        ({"Training": {}}, "training"),
        ({"training": {"learning_rate": 0.1}}, "training.lr"),
        ({"regularization": {"early_stopping": {"min-delta": 1}}},
         "regularization.early_stopping.min_delta"),
        ({"data": {"xyzzy": 1}}, None),
        ({"data": {"kind": "x" * 5000}}, None),
    ],
)  # fmt: skip
def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(
    document: Any, meant: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(["run", write(tmp_path / "s.json", document)], capsys)
    assert f"(did you mean {meant}?)" in said if meant else "did you mean" not in said


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["swepe", "s.json"], "sweep"),
        (["run", "s.json", "--devise", "cpu"], "--device"),
        (["run", "s.json", "--device", "gpu"], None),
        (["render", "s.json", "-o", "a.png", "--titel", "x"], "--title"),
        (["render", "SPEC", "-o", "a.png", "--figure", "boundry"], "boundary"),
        (["render", "SPEC", "-o", "a.png", "--theme", "Dark"], "dark"),
        (["render", "SPEC", "-o", "a.png", "--layout", "gird"], "grid"),
        (["sweep", "SPEC", "--over", "data.nois=1"], "data.noise"),
        (["sweep", "SPEC", "--over", "weightdecay=1"], "regularization.weight_decay"),
        (["sweep", "SPEC", "--over", "data.kind=moons,circle"], "circles"),
    ],
)
def test_a_mistyped_command_option_or_field_too(
    arguments: list[str], meant: str | None, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused([spec if part == "SPEC" else part for part in arguments], capsys)
    assert f"(did you mean {meant}?)" in said if meant else "did you mean" not in said


# --- nonsense ----------------------------------------------------------------------------------

NUMBERS = ("-1", "0", "1e9", "1e999", "nan", "", "x", "1,000", "99999999999999999999")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("sweep", [["--seeds", n] for n in NUMBERS]),
        ("sweep", [["--over", f"training.seed={n}"] for n in ("-1", "1e9", "nan", "2147483648")]),
        ("sweep", [["--over", "=1"], ["--over", ","], ["--over", "data.noise=0,,1"]]),
        ("render", [["--epoch", n] for n in NUMBERS]),
        ("render", [["--frames", n] for n in NUMBERS]),
        ("render", [["--seconds", n] for n in NUMBERS]),
        ("render", [["--scale", n] for n in NUMBERS]),
        ("render", [["--font-size", n] for n in NUMBERS]),
        ("render", [["--runs", n] for n in NUMBERS]),
        ("render", [["--layout", "three"], ["--theme", "dim"], ["--figure", "pie"]]),
        ("render", [["--link", "javascript:alert(1)"], ["--measure", "val_loss"]]),
        ("render", [["-o", "a.bmp"], ["-o", "-"], ["-o", ""], ["--label", "a", "--label", "b"]]),
        ("run", [["--device", "cuda"], ["--device", ""], ["-o", ""]]),
        ("serve", [["--port", n] for n in NUMBERS if n != "0"]),
    ],
)
def test_nonsense_is_refused_in_one_sentence(
    command: str, options: list[list[str]], spec: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    needed = {
        "run": [spec],
        "sweep": [spec, *([] if "--over" in options[0] else ["--over", "data.noise=0.1"])],
        "render": [spec, "-o", "a.png"],
        "serve": [],
    }[command]
    for option in options:
        refused([command, *needed, *option], capsys)
    assert sorted(os.listdir(tmp_path)) == ["spec.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"  ", b"\x00\x01\xff", b"[" * 100_000, b'{"data":' * 5000, b"null", b"1",
        b'"x"', b"[1]",
        b'{"data": {"noise": NaN}}', b'{"data": {"noise": -Infinity}}',
        b'{"data": {"noise": 1e999}}',
        b'{"data": {"n_samples": ' + b"9" * 10_000 + b"}}", b'{"data": {}, "data": {}}',
        b'{"data": {"seed": -1}}', b'{"experiments": []}', b'{"experiments": {}}', b'{"runs": []}',
        b"{'data': {}}", b'{"data": {"noise": "0.1"}}', b'{"data": {"noise": true}}', b"{}{}",
        b'{"model": {"hidden": 8}}', b'{"training": {"epochs": 1.5}}',
        '{"dätä": 1}'.encode("latin-1"),
        b'{"data": {"kind": "\\ud800"}}', b"\xff\xfe{\x00}\x00",
    ],
)  # fmt: skip
def test_a_file_of_nonsense_is_refused_in_one_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content)
    for command in (["run", str(path)], ["render", str(path), "-o", str(tmp_path / "a.png")]):
        assert len(refused(command, capsys)) < 500
    assert os.listdir(tmp_path) == ["s.json"]


def test_a_byte_order_mark_is_no_nonsense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SMALL).encode())
    assert main(["run", str(path)]) == 0
    assert len(strict_json(capsys.readouterr().out)["runs"]) == 1


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_file_without_an_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("regviz.cli._MOST_BYTES", 1 << 20)
    assert "more than 1 MiB" in refused(["run", "/dev/zero"], capsys)


# --- where the result goes ---------------------------------------------------------------------


def test_the_experiment_is_not_written_over(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link.json").symlink_to(spec)
    for target in (spec, str(tmp_path / "link.json")):
        assert "experiment file itself" in refused(["run", spec, "-o", target], capsys)
    twice = ["render", spec, "-o", "a.png", "-o", "./a.png"]
    assert "given twice" in refused(twice, capsys)
    assert json.loads(Path(spec).read_text()) == SMALL


def test_what_killed_runs_have_left_is_removed_and_nothing_else(spec: str, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out = tmp_path / "r.json"
    mine, other = f".r.json.{dead.pid}.part", f".other.json.{dead.pid}.part"
    kept = [
        f".r.json.{os.getppid()}.part",
        other,
        ".r.json.part",
        ".r.json.x1.part",
        "r.json.1.part",
    ]
    for name in (mine, *kept):
        (tmp_path / name).write_text("half")
    assert main(["run", spec, "-o", str(out)]) == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "r.json", "spec.json"])


def test_a_part_that_somebody_holds_is_left_alone(spec: str, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    part = tmp_path / f".r.json.{dead.pid}.part"
    with part.open(
        "wb"
    ) as file:  # as a process of another container does, whose number says nothing
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert main(["run", spec, "-o", str(tmp_path / "r.json")]) == 0
        assert part.exists()


def test_a_long_name_is_written_and_one_too_long_refused(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / f"{'ä' * 124}.json"  # 253 bytes of the 255 that a file system has
    assert main(["run", spec, "-o", str(long)]) == 0
    assert long.exists()
    capsys.readouterr()
    assert "cannot be written" in refused(["run", spec, "-o", str(tmp_path / ("a" * 300))], capsys)


def test_a_write_protected_result_is_not_replaced(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.json"
    out.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert "Permission denied" in refused(["run", spec, "-o", str(out)], capsys)
    assert out.read_text() == "old"


def test_a_result_that_cannot_be_written_after_all_is_kept(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(part: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(Path, "replace", full)
    said = refused(["run", spec, "-o", str(tmp_path / "r.json")], capsys)
    assert "No space left" in said
    (kept,) = work.iterdir()
    assert str(kept) in said
    assert len(strict_json(kept.read_text())["runs"]) == 1
    assert sorted(os.listdir(tmp_path)) == ["spec.json", "work"]


def test_what_can_be_kept_nowhere_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cwd", "home"):
        monkeypatch.setattr(Path, name, lambda: tmp_path / "none")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/dev/null")
    assert outputs.keep(b"x", ".json") is None
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    kept = outputs.keep(b"x", ".json")
    assert kept is not None
    assert kept.parent == tmp_path


# --- as a process ------------------------------------------------------------------------------


def python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_no_arguments_give_the_help() -> None:
    done = python("-m", "regviz")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("run", "sweep", "serve"))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["sweep", "--help"], ["run", "missing.json"], ["run", "pyproject.toml"]],
)
def test_help_and_bad_input_do_not_import_torch(arguments: list[str]) -> None:
    done = python("-X", "importtime", "-m", "regviz", *arguments)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "regviz.cli" in imported
    assert not imported & {"torch", "numpy", "streamlit", "sklearn", "plotly"}


def test_an_interrupted_run_keeps_what_is_trained(tmp_path: Path) -> None:
    quick = {**SMALL, "training": {"epochs": 1}}
    endless = {**SMALL, "training": {"epochs": 100_000}}
    spec = write(tmp_path / "s.json", {"experiments": [quick, endless]})
    out = tmp_path / "result.json"
    master, slave = pty.openpty()  # a terminal, so that there is a bar to wait for
    process = subprocess.Popen(
        [sys.executable, "-m", "regviz", "run", spec, "-o", str(out)],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        while not re.search(rb"epoch ([2-9]|\d\d+)/100000", shown):
            shown += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            shown += piece
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
        os.close(master)
    runs = strict_json(out.read_text())["runs"]
    assert [run["status"] for run in runs] == ["finished", "cancelled"]
    assert 1 <= len(runs[1]["history"]["epoch"]) < 100_000
    assert "Traceback" not in shown.decode()
    assert sorted(os.listdir(tmp_path)) == ["result.json", "s.json"]


def shell(command: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a shell command with ``regviz`` on the path; return the exit code of ``regviz``."""
    program = f'regviz() {{ {shlex.quote(sys.executable)} -m regviz "$@"; }}\n{command}'
    return subprocess.run(
        ["bash", "-c", f"{program}\nexit ${{PIPESTATUS[0]}}"], cwd=cwd, input=stdin,
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "No space left"), (">&-", "closed"), ("-o /dev/full", "No space left"),
     ("-o - >/dev/full", "No space left"), ("-o none/r.json", "No such file")],
)  # fmt: skip
def test_a_place_that_takes_nothing_is_said_before_the_training(
    redirection: str, reason: str, tmp_path: Path
) -> None:
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    write(tmp_path / "long.json", {"training": {"epochs": 100_000}})
    done = shell(f"regviz run long.json {redirection}", tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["long.json"]


def test_a_result_whose_reader_has_left_is_kept(tmp_path: Path) -> None:
    # the document is longer than a pipe holds, so that its end meets nobody
    write(tmp_path / "s.json", {**SMALL, "training": {"epochs": 400}})
    command = "regviz sweep s.json --over data.noise=0.1,0.2 --seeds 4 | head -c 10"
    # unbuffered, Python itself drops what a pipe does not take, without an error
    done = shell(f"export PYTHONUNBUFFERED=1\n{command}", tmp_path)
    assert done.stdout == '{"runs": ['
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    (kept,) = tmp_path.glob("regviz-result-*.json")
    assert str(kept) in done.stderr
    assert len(strict_json(kept.read_text())["runs"]) == 8


def test_closed_streams_harm_no_result(tmp_path: Path) -> None:
    write(tmp_path / "s.json", SMALL)
    done = shell("regviz run s.json -o r.json <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert len(strict_json((tmp_path / "r.json").read_text())["runs"]) == 1
    assert shell("regviz run - <&-", tmp_path).stderr.startswith("standard input: it is closed")
    done = shell("regviz --help | true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_minus_is_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given(json.dumps(SMALL))
    assert main(["sweep", "-", "--over", "data.noise=0.1", "-o", "-"]) == 0
    result = capsys.readouterr().out
    assert strict_json(result)["runs"][0]["experiment"]["data"]["n_samples"] == 60
    given(result)
    assert main(["render", "-", "-o", str(tmp_path / "a.svg")]) == 0
    assert os.listdir(tmp_path) == ["a.svg"]
    capsys.readouterr()
    given('{"data": 1}')
    assert refused(["run", "-"], capsys).startswith("standard input: data: got 1")


def test_the_version_is_told() -> None:
    assert python("-m", "regviz", "--version").stdout == f"regviz {__version__}\n"


def test_a_run_whose_terminal_is_closed_keeps_what_is_trained(tmp_path: Path) -> None:
    spec = write(tmp_path / "s.json", {**SMALL, "training": {"epochs": 100_000}})
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "regviz", "run", spec, "-o", str(tmp_path / "r.json")],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # also under nohup
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        while not re.search(rb"epoch ([2-9]|\d\d+)/100000", shown):
            shown += os.read(master, 4096)
        os.close(master)  # and what is drawn from now on meets nobody
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    (run,) = strict_json((tmp_path / "r.json").read_text())["runs"]
    assert run["status"] == "cancelled"
