"""The architecture: who may import what. ``lint-imports`` checks the layers of the package; these
tests check the pages too, and what a process really loads.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
PACKAGE = sorted((ROOT / "regviz").rglob("*.py"))
UI = [path for path in PACKAGE if path.is_relative_to(ROOT / "regviz" / "ui")]

WHERE_TRAINED = ("data", "labs", "nn", "render.py", "trainer", "training", "wrong")
TRAINING_SIDE = [
    path
    for path in PACKAGE
    if path.relative_to(ROOT / "regviz").parts[0] in WHERE_TRAINED
    and path.relative_to(ROOT / "regviz").as_posix()
    not in (
        "data/own.py",
        "labs/__init__.py",
        "labs/audio.py",
        "labs/text.py",
        "nn/shapes.py",
    )
]
"""Files that may import torch and scikit-learn; the web process never loads them."""

ENTRIES = ("__init__", "__main__")
WEB_SIDE = [p for p in PACKAGE if p not in TRAINING_SIDE and p.stem not in ENTRIES]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{a.name}" for a in node.names)


def importers(package: str) -> set[Path]:
    """Return the project's files that import ``package``."""
    return {
        path
        for path in (*APP, *PACKAGE)
        if any(name.split(".")[0] == package for name in imports(path))
    }


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that a new Python process has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_search_sees_the_imports() -> None:
    assert ROOT / "app.py" in importers("streamlit")
    assert ROOT / "regviz" / "training" / "run.py" in importers("torch")
    assert ROOT / "regviz" / "data" / "datasets.py" in importers("sklearn")  # inside functions


def test_only_pages_app_and_ui_import_streamlit() -> None:
    assert importers("streamlit") <= {*APP, *UI}


def test_only_the_training_side_imports_torch_and_scikit_learn() -> None:
    assert importers("torch") | importers("sklearn") <= set(TRAINING_SIDE)


def test_pages_reach_training_only_through_the_engine() -> None:
    # a page shows the source of regviz.wrong, whose functions import torch when they are called
    trained = [path for path in TRAINING_SIDE if path.parent.name != "wrong"]
    closed = {module_name(path) for path in trained if path.stem not in ENTRIES}
    for path in (*APP, *UI):
        for name in imports(path):
            assert not {name, name.rpartition(".")[0]} & closed, (path, name)
            assert name not in ("regviz.fit", "regviz.train"), (path, name)


def test_nothing_is_pickled() -> None:
    for package in ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"):
        assert importers(package) == set()
    for path in (*APP, *PACKAGE):
        text = path.read_text(encoding="utf-8")
        assert "torch.load(" not in text
        assert "allow_pickle=True" not in text
        assert ".recv()" not in text  # multiprocessing's, which unpickles


def test_fragments_get_a_place_of_their_own() -> None:
    # a bare one can make what stands below it disappear; see fragments.fragment
    bare = {path.name for path in [*APP, *UI] if "@st.fragment" in path.read_text()}
    assert bare == set()


def test_a_function_lives_with_its_subject() -> None:
    assert not {path.stem for path in (*APP, *PACKAGE)} & {"utils", "util", "helpers", "common"}


@pytest.mark.parametrize("path", WEB_SIDE, ids=module_name)
def test_the_web_side_loads_without_torch_and_scikit_learn(path: Path) -> None:
    loaded = loaded_by(f"import {module_name(path)}")
    assert "regviz" in loaded
    assert not loaded & {"torch", "sklearn", "scipy"}


def test_the_training_side_loads_without_streamlit_and_plotly() -> None:
    loaded = loaded_by("import regviz.trainer.process; from regviz import fit, train")
    assert "torch" in loaded
    assert not loaded & {"streamlit", "plotly", "pandas", "torch._dynamo"}


def test_describing_an_experiment_loads_the_standard_library_only() -> None:
    loaded = loaded_by("from regviz import Experiment; Experiment().canonical_json()")
    assert not loaded & {"torch", "numpy", "streamlit", "plotly", "sklearn"}


# --- circles -----------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """Return the files of the package by the names of their modules."""
    return {module_name(path).removesuffix(".__init__"): path for path in PACKAGE}


def run_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all parts of a tree that run, which ``if TYPE_CHECKING:`` does not."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from run_parts(child)


def needed(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that a file imports, also within its functions."""
    for node in run_parts(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            prefixes = (".".join(parts[:k]) for k in range(len(parts), 0, -1))
            yield from [prefix for prefix in prefixes if prefix in known][:1]


def test_no_module_needs_itself_in_a_circle() -> None:
    known = modules()
    graph = {name: set(needed(path, known)) - {name} for name, path in known.items()}
    assert sum(map(len, graph.values())) > len(graph), "the graph has lost its arrows"
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle
