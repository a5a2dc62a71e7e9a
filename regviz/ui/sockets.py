"""System resources of the server: a free port, and enough file descriptors for the connections of a
class."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
import sys
import threading
from collections.abc import Mapping, Sequence

from regviz.engine import log
from regviz.specs import SpecError

if sys.platform != "win32":
    import resource

_log = logging.getLogger(__name__)

MOST_DESCRIPTORS = 65_536
"""Upper bound of the limit: more than any class needs. A system may allow millions, and some tools
loop over all descriptors up to the limit."""
IDLE_SECONDS = 60.0
"""Seconds that a client may stay silent before its first response; then it is disconnected."""
NEARLY, AGAIN = 0.8, 0.6
"""Shares of the limit: use above the first logs a warning; use below the second re-arms it."""

_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


# --- where to listen ---------------------------------------------------------------------------


def check_place(
    port: int | str | None,
    address: str | None,
    environment: Mapping[str, str] = os.environ,
    names: Sequence[str] = ("--port", "--address"),
) -> None:
    """Check that the server can listen at a port and address, before anything starts.

    Parameters
    ----------
    port, address
        The command line's values; ``None`` if not given.
    environment
        Holds Streamlit's variables, which count if a value is not given.
    names
        The option names of port and address, for the error.

    Raises
    ------
    SpecError
        If the port is invalid, in use or not permitted, or the address is not this machine's.
    """
    port_name, address_name = names
    if port is None:
        port_name, port = "STREAMLIT_SERVER_PORT", environment.get("STREAMLIT_SERVER_PORT") or None
    if address is None:
        address_name = "STREAMLIT_SERVER_ADDRESS"
        address = environment.get("STREAMLIT_SERVER_ADDRESS") or None
    number = None if port is None else _port(port_name, port)
    if address is not None and (not address.strip() or "/" in address):
        raise SpecError(
            f"{address_name}: got {address[:60]!r}; give an address of this machine, such as "
            "127.0.0.1 or 0.0.0.0."
        )
    try:
        _try_to_listen(address, number or 0)
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)
        if number and code == errno.EADDRINUSE:
            why = f"Port {number} is not available: another program listens there"
            raise SpecError(f"{port_name}: {why}; choose another port.") from None
        if number and code in (errno.EACCES, errno.EPERM):
            why = f"Port {number} is not available: this user may not listen there"
            raise SpecError(f"{port_name}: {why}; choose one above 1023.") from None
        raise SpecError(
            f"{address_name}: got {(address or '')[:60]!r}, which is no address of this machine "
            f"({getattr(error, 'strerror', None) or 'not a name'}); give one, such as 127.0.0.1, "
            "or leave it out."
        ) from None


def _port(name: str, value: int | str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = -1
    if not 0 <= number <= 65_535:
        got = value if isinstance(value, int) else repr(value[:40])
        raise SpecError(
            f"{name}: got {got}; give a whole number from 1 to 65535, or 0 for any free port."
        )
    return number


def _try_to_listen(address: str | None, port: int) -> None:
    """Bind as Streamlit does: by default to all addresses, IPv6 and IPv4 where both exist."""
    if address is None:
        try:
            _bind("::", port)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
            _bind("0.0.0.0", port)
    else:
        _bind(address, port)


def _bind(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name != "nt":  # on Windows the option lets two processes share one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind((address, port))


# --- descriptors -------------------------------------------------------------------------------


def raise_descriptor_limit() -> int:
    """Raise the soft limit of descriptors up to the hard one; return the limit, 0 on Windows.

    A session takes about six descriptors. At the usual limit of 1,024 the server is full with 160
    sessions, idle ones included, and then answers no request, not even the health check.
    """
    if sys.platform == "win32":
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    wanted = MOST_DESCRIPTORS if hard == endless else min(hard, MOST_DESCRIPTORS)
    # macOS reports no hard limit but refuses values above another kernel setting
    for limit in (wanted, 10_240, 4_096):
        if soft == endless or limit <= soft:
            break
        if hard != endless and limit > hard:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):
            continue
        break
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == endless else soft


def open_descriptors() -> int | None:
    """Return this process's number of open descriptors; None where the system does not show it."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError as error:  # listing the folder takes a descriptor itself
        return MOST_DESCRIPTORS if error.errno == errno.EMFILE else None


def close_idle(seconds: float) -> int:
    """Close accepted connections without any response whose client has been silent for ``seconds``.

    Return how many were closed. Linux only: elsewhere 0. uvicorn limits the time between two
    requests of a connection (5 s), but not the wait for the first request to begin or end. A
    WebSocket gets its response at once, so it is never closed here.
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0
    connections: list[socket.socket] = []
    ports: set[int] = set()
    closed = 0
    try:
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError, ValueError):
                # a duplicate still refers to this socket if the server closes the original
                one = _tcp_socket(int(name))
                if one is not None and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    ports.add(one.getsockname()[1])
                if one is not None:
                    connections.append(one)
        for one in connections:
            with contextlib.suppress(OSError):
                if one.getsockname()[1] in ports and _is_idle(one, seconds):
                    one.shutdown(socket.SHUT_RDWR)
                    closed += 1
    except OSError:  # no descriptor is left to list the folder
        pass
    finally:
        for one in connections:
            one.close()
    return closed


def _tcp_socket(descriptor: int) -> socket.socket | None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return None
    one = socket.socket(fileno=os.dup(descriptor))
    if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
        return one
    one.close()
    return None


def _is_idle(one: socket.socket, seconds: float) -> bool:
    """Whether a connection is established, received nothing lately and never sent data, by the
    kernel's struct tcp_info."""
    info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    if len(info) < 160:
        return False
    established = info[0] == 1
    (last_received,) = struct.unpack_from("I", info, 52)  # milliseconds ago, or since the start
    (sent,) = struct.unpack_from("I", info, 156)  # segments with data
    return established and not sent and last_received > 1000 * seconds


class DescriptorWatch:
    """A thread that logs when descriptors become scarce or free again, and closes idle connections.

    Parameters
    ----------
    limit
        The limit of descriptors; 0 if it is not known.
    every
        Seconds between two checks.
    """

    def __init__(self, limit: int, every: float = 10.0) -> None:
        self._limit, self._every = limit, every
        self._over = threading.Event()
        self._scarce = False
        self._thread = threading.Thread(target=self._watch, name="regviz-descriptors", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()

    def check(self) -> None:
        """Close idle connections and log a change of scarcity, once."""
        closed = close_idle(IDLE_SECONDS)
        if closed:
            log.event(_log, "idle connections closed", connections=closed)
        used = open_descriptors()
        if used is None or not self._limit:
            return
        facts = {"open": min(used, self._limit), "limit": self._limit}
        if not self._scarce and used > NEARLY * self._limit:
            self._scarce = True
            log.event(_log, "descriptors nearly used up", logging.WARNING, **facts)
        elif self._scarce and used < AGAIN * self._limit:
            self._scarce = False
            log.event(_log, "descriptors free again", **facts)

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self.check()
