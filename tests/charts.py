"""The charts that a page sends, for tests without a browser."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from regviz.frames.messages import MAGIC, unpack


def charts(at: AppTest) -> list[dict[str, Any]]:
    """Return the figures of finished runs on a page, in order, as Plotly's JSON."""
    found = []
    for element in at.get("bidi_component"):
        data: bytes = element.proto.bytes
        if data[:4] != MAGIC:
            continue
        header, arrays = unpack(data)
        if header.get("figures") == ["chart"]:
            found.append(json.loads(arrays["light0"].tobytes()))
    return found


def titles(at: AppTest) -> str:
    """Return the titles of these figures."""
    return " ".join(figure["layout"]["title"]["text"] for figure in charts(at))
