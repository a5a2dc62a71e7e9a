"""Plotly's JavaScript as a file that the web server hands out."""

from __future__ import annotations

import filecmp
import functools
import os
import shutil
import tempfile
from pathlib import Path

import plotly
from streamlit.runtime.scriptrunner import get_script_run_ctx


def ensure_plotly_js(folder: Path) -> Path:
    """Put the installed Plotly's JavaScript into ``folder`` and return where it lies.

    Nothing is written where an identical file is there already, so a read-only disk that was
    prepared beforehand is fine. It must be a real file: links that leave the folder are not
    served.

    Raises
    ------
    OSError
        If the file is missing or of another version, and ``folder`` cannot be written.
    """
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = folder / "plotly.min.js"
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    # several sessions may do this at the same moment, each with its own partial file
    descriptor, partial = tempfile.mkstemp(prefix=target.name + ".", dir=folder)
    os.close(descriptor)
    try:
        shutil.copyfile(source, partial)
        Path(partial).chmod(0o644)
        Path(partial).replace(target)  # at once: a browser never gets half a file
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    return target


@functools.cache
def ensure_plotly_js_once() -> None:
    """Put it beside the main script of this process."""
    context = get_script_run_ctx()
    if context is not None:
        ensure_plotly_js(Path(context.main_script_path).parent / "static")
