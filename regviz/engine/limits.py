"""Limits: how much one visitor may ask of a server that many share.

They are checked where work is handed to the engine, not in pages, so that no page can forget
them. A person's own computer is served by the same defaults; the environment raises them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from regviz.nn.shapes import Shape, parameter_count
from regviz.specs import MAX_LANES, Experiment, SpecError


@dataclass(frozen=True)
class Limits:
    """The most that one request may ask for, and one owner at a time.

    Attributes
    ----------
    epochs
        Epochs of one experiment (``REGVIZ_MAX_EPOCHS``).
    parameters
        Weights and biases of one model (``REGVIZ_MAX_PARAMETERS``).
    seconds
        Processor time that a trainer may spend on one job (``REGVIZ_MAX_SECONDS``). A trainer
        checks this one while it trains: past it the job fails and keeps its picture.
    lanes
        Models of one job.
    total_parameters
        Weights and biases of all models of one job together; it bounds a trainer's memory.
    jobs_per_owner
        Jobs that one session may have in progress.
    """

    epochs: int = 5_000
    parameters: int = 2_000_000
    seconds: float = 120.0
    lanes: int = MAX_LANES
    total_parameters: int = 10_000_000
    jobs_per_owner: int = 4

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """Return the defaults, changed by what the environment sets.

        Raises
        ------
        SpecError
            If a variable does not hold a number above zero.
        """
        limits = cls()
        parameters = int(
            _positive(environment, "REGVIZ_MAX_PARAMETERS", limits.parameters, whole=True)
        )
        return cls(
            epochs=int(_positive(environment, "REGVIZ_MAX_EPOCHS", limits.epochs, whole=True)),
            parameters=parameters,
            seconds=_positive(environment, "REGVIZ_MAX_SECONDS", limits.seconds),
            # a limit that allows one such model must allow its twin as well
            total_parameters=max(limits.total_parameters, 2 * parameters),
        )

    def check(self, experiments: Sequence[Experiment]) -> None:
        """Raise where a job would exceed a limit.

        Raises
        ------
        SpecError
            One sentence that names the field, the value asked for and the limit.
        """
        if not 1 <= len(experiments) <= self.lanes:
            raise SpecError(
                f"experiments: got {len(experiments)} in one job; give 1 to {self.lanes:,}."
            )
        total = 0
        sizes: dict[Shape, int] = {}
        for e in experiments:
            if e.training.epochs > self.epochs:
                raise SpecError(
                    f"training.epochs: got {e.training.epochs:,}; this server trains at most "
                    f"{self.epochs:,} epochs."
                )
            shape = Shape.of(e)
            if shape not in sizes:
                sizes[shape] = parameter_count(shape)
            if sizes[shape] > self.parameters:
                raise SpecError(
                    f"model.hidden: got {list(e.model.hidden)}, which gives {sizes[shape]:,} "
                    f"parameters; this server trains models of at most {self.parameters:,}."
                )
            total += sizes[shape]
        if total > self.total_parameters:
            raise SpecError(
                f"experiments: got {len(experiments)} models with {total:,} parameters in total; "
                f"one job may have at most {self.total_parameters:,}, so give fewer or smaller "
                "ones."
            )


# --- memory ------------------------------------------------------------------------------------

SERVER_MEMORY = 1 << 30
"""Bytes left to the web process, its sessions and ``/tmp`` where the memory is bounded."""
LEAST_MEMORY = 512 << 20
"""Bytes that a trainer may take in any case: it needs 330 MB at rest."""


def trainer_memory(most: int, trainers: int, available: int | None) -> int:
    """Return the bytes above which a trainer is replaced: ``most``, or an equal share of what is
    left beside the server.

    Otherwise the kernel would kill a process of its choice first, without a message.
    """
    if available is None:
        return most
    return min(most, max(LEAST_MEMORY, (available - SERVER_MEMORY) // trainers))


def available_memory(root: str = "/") -> int | None:
    """Return the bytes that this container, or else this machine, has; None where the system
    does not tell (Linux does)."""
    bounds = []
    groups = {"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"}
    with contextlib.suppress(OSError):
        for line in Path(root, "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):  # as services of systemd are; a container sees "/"
                path = PurePosixPath(line[len("0::") :])
                groups |= {f"sys/fs/cgroup{at}/memory.max" for at in (path, *path.parents)}
    for group in groups:
        with contextlib.suppress(OSError, ValueError):  # "max" is no bound
            bounds.append(int(Path(root, group).read_text()))
    with contextlib.suppress(OSError):
        total = re.search(r"^MemTotal: +(\d+) kB", Path(root, "proc/meminfo").read_text(), re.M)
        bounds += [int(total[1]) << 10] if total else []
    return min(bounds, default=None)


def _positive(
    environment: Mapping[str, str], name: str, default: float, *, whole: bool = False
) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value: float = int(text) if whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise SpecError(
            f"{name}: got {text[:40]!r}; give a {'whole ' if whole else ''}number above 0."
        )
    return value
