"""The wheel: what is in it, and that the installed app does what the repository's does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import plotly
import pytest
from playwright.sync_api import Browser, expect

from regviz._version import __version__
from regviz.ui import place
from tests.app_server import ROOT, running_app

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="serve needs POSIX")

# the test environment has no pip: the Python that made it has one (tests/run)
PIP = (getattr(sys, "_base_executable", sys.executable), "-m", "pip", "--python")
# readers of tables and drawers of slides are started from the package, wherever it is
PROCESSES = """
import json
from regviz.slides import Chart, Runs, Slide, process
from regviz.tables import process as tables

assert len(tables.read("a,b\\n1,2\\n3,4\\n").columns) == 2
line = {"type": "scatter", "mode": "lines", "x": [1, 2], "y": [1, 2]}
axes = {axis: {"title": {"text": axis[0]}} for axis in ("xaxis", "yaxis")}
chart = Chart("line", "A line", json.dumps({"data": [line], "layout": axes}), "A line")
drawn = process.render(Runs((), (), charts=(chart,)), Slide(figures=("line",)), "svg")
assert drawn.endswith(b"</svg>\\n")
"""
CURVE = """() => [...document.querySelectorAll('.st-key-loss-curves .rv-gd')].some(
    (chart) => chart.querySelector('.main-svg') && chart.data?.[1]?.x?.length > 1)"""
DATA = (".css", ".html", ".js", ".svg", ".toml")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed; return what it prints."""
    outside = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=outside, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel in it, and an empty folder to start it from."""

    wheel: Path
    bin: Path
    packages: Path
    empty: Path

    def run(self, *arguments: str) -> str:
        return run(self.bin / "regviz", *arguments, cwd=self.empty)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel as ``pip install .`` does, and install it beside the tests' packages."""
    folder = tmp_path_factory.mktemp("install")
    run(*PIP, sys.executable, "wheel", "--no-deps", "--no-index", "--no-build-isolation",
        "--wheel-dir", folder, ROOT)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    fresh = folder / "venv"
    venv.create(fresh, symlinks=True)
    python = fresh / "bin" / "python"
    run(*PIP, python, "install", "--no-deps", "--no-index", "--no-compile", wheel)
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[:-1]
    )
    # torch and the others: installed anew they would take minutes
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = folder / "empty"
    empty.mkdir()
    return Installed(wheel, fresh / "bin", packages, empty)


def shipped() -> set[str]:
    """Return what an installed package must have, as named in the wheel."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "regviz").rglob("*")
        if path.suffix in (".py", *DATA)
    }
    pages = {f"regviz/app/pages/{path.name}" for path in (ROOT / "pages").glob("*.py")}
    beside = ("app.py", "static/icon.svg", ".streamlit/config.toml")
    return package | pages | {f"regviz/app/{name}" for name in beside}


def test_the_wheel_holds_the_app_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == shipped()
    assert {Path(name).suffix for name in names} == {".py", *DATA}


def test_a_wheel_can_be_built_from_the_source_archive(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        assert shipped() <= set(built.namelist())


def test_commands_work_in_an_empty_folder(installed: Installed) -> None:
    assert installed.run("--version") == f"regviz {__version__}\n"
    spec, table = installed.empty / "spec.json", installed.empty / "table.csv"
    spec.write_text('{"training": {"epochs": 3}}')
    table.write_text("a,b,label\n" + "".join(f"{k},{k * k % 7},{k % 2}\n" for k in range(40)))
    installed.run("run", "spec.json", "-o", "result.json")
    installed.run("table", "table.csv", "-o", "own.json")
    run(installed.bin / "python", "-c", PROCESSES, cwd=installed.empty)
    made = {path.name: path for path in installed.empty.iterdir()}
    result, own = (json.loads(made[name].read_text()) for name in ("result.json", "own.json"))
    assert result["runs"][0]["status"] == "finished"
    assert own["data"]["kind"] == "csv"
    for path in made.values():
        path.unlink()


def test_the_app_is_served_from_an_empty_folder_and_writes_nothing(
    installed: Installed, browser: Browser, tmp_path: Path
) -> None:
    before = files(installed)
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with running_app(
        ("serve",),
        program=installed.bin / "regviz",
        environment={"TMPDIR": str(tmp_path), "PYTHONPATH": ""},
        cwd=installed.empty,
    ) as server:
        assert b"<title>" in server.get("")
        assert server.get("app/static/plotly.min.js") == script.read_bytes()
        page = browser.new_page()
        # the first visitor comes in by a page's own address, before navigation has run
        page.goto(f"{server.url}/dropout", timeout=180_000)
        expect(page).to_have_title("Dropout · regviz", timeout=180_000)
        page.wait_for_function(CURVE, timeout=180_000)  # Plotly draws what a trainer trained
        page.close()
        server.process.terminate()
        assert server.process.wait(20) == 0
    log = "".join(server.output)
    assert "Traceback" not in log
    assert "WARNING" not in log
    assert "config option" not in log  # Streamlit's, where its settings vanish under it
    assert list(tmp_path.iterdir()) == []
    assert list(installed.empty.iterdir()) == []
    assert files(installed) == before


def files(installed: Installed) -> set[Path]:
    """Return the package's files; what Python compiles is not counted."""
    found = (installed.packages / "regviz").rglob("*")
    return {path for path in found if path.suffix != ".pyc" and path.name != "__pycache__"}


def test_the_repository_runs_its_own_files() -> None:
    assert place.folder() == ROOT
    assert place.entry_point() == ROOT / "app.py"
