"""What the server needs of the system before it serves: a place to listen, and descriptors for
the connections of a class."""

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
"""More than any class needs; a system may allow millions, and some tools try them all."""
IDLE_SECONDS = 60.0
"""For so long a client may say nothing before it has had its first answer."""
NEARLY, AGAIN = 0.8, 0.6
"""Shares of the limit: above the first it is said, and said anew after it fell below the second."""

_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT)


# --- where to listen ---------------------------------------------------------------------------


def check_place(
    port: int | str | None,
    address: str | None,
    environment: Mapping[str, str] = os.environ,
    names: Sequence[str] = ("--port", "--address"),
) -> None:
    """Refuse a port or an address on which nothing can listen, before anything is started.

    Parameters
    ----------
    port, address
        As given on the command line; ``None`` where they are not.
    environment
        Holds Streamlit's own variables, which count where nothing is given.
    names
        What port and address are called where they were given.

    Raises
    ------
    SpecError
        If the port is no port, in use or not allowed, or the address is not this machine's.
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
    """Bind as Streamlit will: to all addresses, of both kinds where there are two, by default."""
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
        if os.name != "nt":  # there it would let two listen on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind((address, port))


# --- descriptors -------------------------------------------------------------------------------


def raise_descriptor_limit() -> int:
    """Let this process have as many files and sockets open as the system allows it, and return
    how many; 0 where the system does not tell.

    A session takes about six. At the usual limit of 1,024 the server is full with 160 of them,
    idle ones too, and then answers nobody, not even the health check.
    """
    if sys.platform == "win32":
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    wanted = MOST_DESCRIPTORS if hard == endless else min(hard, MOST_DESCRIPTORS)
    # macOS names no limit and refuses more than another setting of it allows
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
    """Return how many descriptors this process has open; None where that cannot be looked up."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError as error:  # to look takes one itself
        return MOST_DESCRIPTORS if error.errno == errno.EMFILE else None


def close_idle(seconds: float) -> int:
    """Cut off connections that this process has accepted and never answered, and on which the
    client has sent nothing for so long; return how many. Linux only: elsewhere it is 0.

    uvicorn bounds the time between two requests of a connection (5 s), not the wait for the first
    one or for its end. A WebSocket is answered at once, and is no such connection.
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0
    connections: list[socket.socket] = []
    ports: set[int] = set()
    closed = 0
    try:
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError, ValueError):
                # a descriptor of our own, which stays that socket's, whoever closes the other
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
    except OSError:  # not even one descriptor is left to look with
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
    """Ask the kernel (struct tcp_info): established, nothing received lately, nothing ever sent."""
    told = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    if len(told) < 160:
        return False
    established = told[0] == 1
    (last_received,) = struct.unpack_from("I", told, 52)  # milliseconds ago, or since the start
    (sent,) = struct.unpack_from("I", told, 156)  # segments with data
    return established and not sent and last_received > 1000 * seconds


class DescriptorWatch:
    """A thread that says in the log when the descriptors run out, and when they no longer do, and
    that cuts off connections on which nothing is asked.

    Parameters
    ----------
    limit
        How many there are; 0 where that is not known.
    every
        Seconds between two looks.
    """

    def __init__(self, limit: int, every: float = 10.0) -> None:
        self._limit, self._every = limit, every
        self._over = threading.Event()
        self._scarce = False
        self._thread = threading.Thread(target=self._watch, name="regviz-descriptors", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()

    def look(self) -> None:
        """Look once."""
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
            self.look()
