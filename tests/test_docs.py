"""README, settings and pinned versions agree with the project."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from regviz._version import __version__
from regviz.cli import _parser
from regviz.engine.limits import Limits

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
USE = (ROOT / "docs/use.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README + USE, re.DOTALL)


def project_files() -> list[str]:
    """Return the project's files, without git, which a fresh machine lacks."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    skipped = {".git", *(line.strip("/") for line in ignored if line.endswith("/"))}
    folders = ["regviz", "pages", "tests", "docs", "benchmarks", "static", "deploy"]
    folders += [".ci", ".github", ".streamlit"]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found += list(ROOT.glob("*"))
    names = [path.relative_to(ROOT) for path in found if path.is_file()]
    return sorted(
        str(name)
        for name in names
        if not skipped & set(name.parts) and f"/{name}" not in ignored and name.suffix != ".pyc"
    )


def pins(name: str) -> dict[str, str]:
    """Return the exact versions in a requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    named = (line.split(";")[0].strip() for line in lines if not line.startswith("-"))
    return dict(line.split("==") for line in named)


# --- README ------------------------------------------------------------------------------------


def test_both_commands_are_on_the_first_screen() -> None:
    first = README.splitlines()[:30]
    assert any("requirements.txt" in line and "regviz serve" in line for line in first)
    assert "tests/run" in first


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))],
)
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    document = ROOT / name
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = set(re.findall(r"`([\w./-]+(?:\.(?:py|txt|json|toml|js|css)|/))`", text))
    own = {"spec.json", "result.json"} | {path for path in named if path.endswith("secrets.toml")}
    for path in named - own:
        places = (ROOT, ROOT / "regviz", ROOT / "tests")
        assert any((place / path.lstrip("/")).exists() for place in places), path
    for path in set(re.findall(r"\]\(([\w./-]+)\)", text)):
        assert (document.parent / path).exists(), path


def test_the_tour_names_what_is_in_the_code() -> None:
    tour = (DOCS / "tour.md").read_text(encoding="utf-8")
    source = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in project_files()
        if name.startswith(("regviz/", "pages/")) and name.endswith((".py", ".js"))
    )
    named = re.findall(r"`(?:\w+\.)*(\w+)\(\)`|`(?:\w+\.)*?([A-Z]\w+)(?:\.\w+)?`", tour)
    assert len(named) > 20
    for name in {function or kind for function, kind in named}:
        assert re.search(rf"(?:def|class|function) {name}\b", source), name


def test_every_folder_has_its_line_in_the_architecture() -> None:
    folders = {path.parent.name for path in (ROOT / "regviz").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^- `(\w+)/`", section("Architecture"), re.MULTILINE))


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_command_lines_are_accepted() -> None:
    shell = "\n".join(code for language, code in BLOCKS if language == "sh")
    commands = re.findall(r"python -m regviz (.*)$", shell, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        assert _parser().parse_args(shlex.split(command)).command is not None


def test_the_python_example_runs() -> None:
    (code,) = [code for language, code in BLOCKS if language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(finished \d\.\d+\n){2}", done.stdout)


def test_the_settings_are_the_ones_that_are_read() -> None:
    source = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in project_files()
        if name.startswith("regviz/") and name.endswith(".py")
    )
    read = set(re.findall(r'"(REGVIZ_[A-Z_]+)"', source))
    rows = dict(re.findall(r"^\| `(REGVIZ_[A-Z_]+)` \|.*\| (.*) \|$", USE, re.MULTILINE))
    assert set(rows) == read
    defaults = {field.name: field.default for field in fields(Limits)}
    for name in ("epochs", "parameters", "seconds"):
        assert float(rows[f"REGVIZ_MAX_{name.upper()}"]) == defaults[name]


# --- versions ----------------------------------------------------------------------------------


def test_every_pin_is_exact_and_agrees_with_the_constraints() -> None:
    held = dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    direct = {**pins("requirements.txt"), **pins("requirements-dev.txt")}
    assert set(direct.items()) <= set(held.items())
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert (ROOT / name).read_text().startswith("-c constraints.txt\n")


def test_the_package_asks_for_what_is_pinned_or_newer() -> None:
    asked = {}
    for line in PYPROJECT["project"]["dependencies"]:
        found = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?(?: ;.*)?", line)
        assert found is not None, line
        asked[found[1]] = found[2]
    pinned = pins("requirements.txt")
    assert set(asked) == set(pinned)
    for name, bound in asked.items():  # the oldest that the tests have seen
        assert pinned[name].startswith(bound), name


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt", "pyproject.toml"])
def test_windows_is_not_asked_for_what_it_cannot_have(name: str) -> None:
    (line,) = [text for text in (ROOT / name).read_text().splitlines() if "uvloop" in text]
    assert re.search(r"uvloop\S* ; sys_platform != 'win32'", line)


def test_everything_that_is_imported_is_pinned() -> None:
    distributions = {
        "PIL": "pillow",
        "dateutil": "python-dateutil",
        "pptx": "python-pptx",
        "python_calamine": "python-calamine",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
    ours = {"regviz", "tests", "conftest", "benchmarks"}
    ours |= {Path(name).stem for name in project_files()}
    allowed = {"requirements.txt": ("regviz/", "pages/", "app.py"), "requirements-dev.txt": ("",)}
    for name, folders in allowed.items():
        pinned = {**pins("requirements.txt"), **pins(name)}
        for path in project_files():
            if path.endswith(".py") and path.startswith(folders):
                for package in imported(ROOT / path) - ours - sys.stdlib_module_names:
                    assert distributions.get(package, package) in pinned, (path, package)


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


# --- image and commands ------------------------------------------------------------------------


def test_the_image_gets_what_runs_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert all((ROOT / name).exists() for name in kept)
    apart = {"tests", "docs", "benchmarks", ".ci", "README.md", "Dockerfile", "pyproject.toml"}
    apart |= {".github", "CHANGELOG.md", "CONTRIBUTING.md"}
    apart |= {"requirements-dev.txt", "deploy", "compose.yaml", "compose.replicas.yaml"}
    assert kept == {name.split("/")[0] for name in project_files()} - apart - {
        name for name in project_files() if name.startswith(".") and "/" not in name
    }


@pytest.mark.parametrize("name", ["tests/run", ".ci/run"])
def test_the_test_commands_can_be_called(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    subprocess.run(["bash", "-n", name], cwd=ROOT, check=True)


def test_a_commit_is_checked_as_the_tests_check_it() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = set(re.findall(r"entry: \.venv/bin/(.*)", hooks))
    run = (ROOT / "tests/run").read_text(encoding="utf-8").replace(" --no-cache", "")
    tools = "|".join({entry.split()[0] for entry in entries} | {"oxlint"})
    assert entries == set(re.findall(rf'^ *"?((?:{tools})\b[^"\n]*)', run, re.MULTILINE))


def test_a_release_has_its_section_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.*?)\]", changelog, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert __version__ in sections


def test_no_file_names_a_package_index() -> None:
    hosts = re.compile(r"pypi\.org|pythonhosted|download\.pytorch|conda\.|://[\w.]*/simple")
    pictures = (".png", ".svg", ".gif", ".webp", ".pptx")
    for name in project_files():
        path = ROOT / name
        if path.suffix not in pictures and name != "tests/test_docs.py":
            assert not hosts.search(path.read_text(encoding="utf-8")), name
