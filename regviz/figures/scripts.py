"""JavaScript in several files, joined to one script.

Streamlit hands a component's script to the browser as text, in which an import of another file has
no address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Any

_SUBJECT = re.compile(r"\A/\*.*?\*/\s*", re.DOTALL)  # the comment at the head of a file
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./[\w.]+\"\n+", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async |)(?:function|class|const|let) \w)", re.MULTILINE)


def joined(
    folder: Traversable, names: Iterable[str], shared: Mapping[str, Any] | None = None
) -> str:
    """Return the files of a folder as one script: all their names share one scope.

    Parameters
    ----------
    folder, names
        The files, each after those that it imports from. Imports are of names, from files of the
        same folder; what a file exports are its declarations, and the last one's default.
    shared
        Constants from Python, which the script has as ``SHARED``.
    """
    parts = [] if shared is None else [f"const SHARED = {json.dumps(shared)}\n"]
    for name in names:
        source = folder.joinpath(name).read_text(encoding="utf-8")
        parts.append(_EXPORT.sub("", _IMPORT.sub("", _SUBJECT.sub("", source))))
    return "\n".join(parts)
