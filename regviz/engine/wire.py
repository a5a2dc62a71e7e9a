"""Messages between the web process and a trainer: a line of JSON, then raw bytes.

Nothing received is ever unpickled: use ``send_bytes`` and ``recv_bytes``.

To a trainer: ``start`` (with the experiments, or a lab and its parameters, as canonical JSON),
``pause_at`` and ``cancel``.
From a trainer: ``ready`` or ``unable`` once, ``beat`` twice a second, ``state`` with a frame or
without one.
"""

from __future__ import annotations

import json
from typing import Any


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Return the message of ``head`` and ``body``."""
    return b"\n".join((json.dumps(head, separators=(",", ":")).encode(), body))


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Return ``head`` and ``body`` of a message."""
    head, _, body = message.partition(b"\n")
    return json.loads(head), body
