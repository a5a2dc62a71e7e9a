"""Links: an experiment as the value of a query parameter, and back."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from regviz.specs.checks import SpecError
from regviz.specs.experiment import Experiment, parse_json
from regviz.specs.fields import OWN_FIELDS, OWN_KIND, DataSpec
from regviz.specs.own import NOT_IN_LINKS

_LIMIT = 20_000
"""Most characters of a link that are read, and most bytes it may unpack to: a longer one is
refused, so that a small text cannot fill the memory."""


def pack_link(value: object) -> str:
    """Return a JSON value as the value of a query parameter: deflated, in URL-safe base64.

    The deflate stream ends in a checksum, so a link that lost its end is refused, never misread.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    packed = zlib.compress(text.encode(), 9)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def unpack_link(link: str, what: str = "experiment") -> Any:
    """Read the value that :func:`pack_link` wrote; ``what`` names it in the error.

    Raises
    ------
    SpecError
        If the text is too long, was cut or changed, or unpacks to something other than JSON.
    """
    broken = f"the link does not hold a whole {what} (was it cut off?); copy it again in full."
    if len(link) > _LIMIT:
        raise SpecError(broken)
    try:
        raw = link.encode("ascii")
        packed = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
        unpack = zlib.decompressobj()
        text = unpack.decompress(packed, _LIMIT)
    except (UnicodeEncodeError, binascii.Error, zlib.error):
        raise SpecError(broken) from None
    if not unpack.eof or unpack.unused_data:
        raise SpecError(broken)
    return parse_json(text)


def to_small(experiment: Experiment) -> dict[str, Any]:
    """Return what differs from the defaults, as a link holds it.

    Own data stays on the computer: a link holds its fingerprint only.
    """
    mapping = experiment.to_dict()
    if experiment.data.points is not None:
        data = mapping["data"]
        for name in (*OWN_FIELDS, "n_samples", "noise"):
            data.pop(name, None)
        data["points"] = experiment.data.fingerprint
    return _difference(mapping, Experiment().to_dict())


def _difference(mapping: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            inner = _difference(value, base[key])
            if inner:
                out[key] = inner
        elif key not in base or value != base[key]:
            out[key] = value
    return out


def to_link(experiment: Experiment) -> str:
    """Return the experiment as the value of a query parameter."""
    return pack_link(to_small(experiment))


class OwnDataGone(SpecError):
    """The link's experiment is on own data that this session does not have.

    ``rest`` is the same experiment on the default data.
    """

    def __init__(self, text: str, rest: Experiment) -> None:
        super().__init__(text)
        self.rest = rest


def from_link(link: str, own: Mapping[str, DataSpec] | None = None) -> Experiment:
    """Read the experiment that :func:`to_link` wrote.

    Parameters
    ----------
    link
        The value of the query parameter.
    own
        The session's own data, by fingerprint.

    Raises
    ------
    SpecError
        If the text was cut, changed, or holds something that is not an experiment;
        :class:`OwnDataGone` if it is one on own data that is not in ``own``.
    """
    value = unpack_link(link)
    data = value.get("data") if isinstance(value, dict) else None
    mark = data.get("points") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(mark, str) or data.get("kind") != OWN_KIND:
        return Experiment.from_dict(value)
    kept = (own or {}).get(mark)
    if kept is not None:
        data |= {name: getattr(kept, name) for name in OWN_FIELDS}
        return Experiment.from_dict(value)
    del data["kind"], data["points"]
    raise OwnDataGone(f"data.points: {NOT_IN_LINKS}.", Experiment.from_dict(value))
