"""Where the app's files are: the entry point, its pages, its settings and the files it serves.

In the repository they are at the top. In an installed package they are inside it, in
``regviz/app``, where pyproject.toml puts them when the wheel is built.
"""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import tempfile
from pathlib import Path

from regviz.specs import SpecError

_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder of ``app.py``: inside the package if that is installed, else the top of
    the repository."""
    # first: the folder that an installed package is in may hold a module app of another one
    inside = _PACKAGE / "app"
    return inside if inside.is_dir() else _PACKAGE.parent


def entry_point() -> Path:
    """Return the script that Streamlit is to run.

    Streamlit serves the files of ``static/`` beside that script, and the browser loads Plotly from
    there. The repository gets a copy of it (:func:`regviz.ui.live.ensure_plotly_js`). An installed
    package may be read-only, and its files are the installer's: the script is then run from a
    temporary folder of links, where ``static`` is the folder of the installed Plotly. The folder
    goes with the process.

    Raises
    ------
    SpecError
        If the app is not there, or no temporary folder can be made.
    """
    app = folder()
    if not (app / "app.py").is_file():
        raise SpecError(f"{app / 'app.py'}: not found; install regviz again.")
    if app == _PACKAGE.parent:
        return app / "app.py"
    try:
        stage = Path(tempfile.mkdtemp(prefix="regviz-"))
        # only then: Streamlit looks five times a second whether its settings there have changed
        atexit.register(shutil.rmtree, stage, ignore_errors=True)
        for name in ("app.py", "pages", ".streamlit"):
            (stage / name).symlink_to(app / name)
        (stage / "static").symlink_to(_plotly())
    except OSError as error:
        raise SpecError(
            f"serve: no temporary folder can be made ({error.strerror}); set TMPDIR to a folder "
            "that can be written."
        ) from None
    return stage / "app.py"


def _plotly() -> Path:
    """Return the folder with the installed Plotly's script, without the fifth of a second that
    importing Plotly takes."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise SpecError("serve: Plotly is not installed; install regviz again.")
    return Path(found.origin).parent / "package_data"
