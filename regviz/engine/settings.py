"""Settings of the engine: the environment's variables, read once, and the defaults.

``REGVIZ_TRAINERS`` and ``REGVIZ_DEVICE`` are read here, ``REGVIZ_MAX_...`` by
:class:`regviz.engine.limits.Limits`. A wrong value is a :class:`SpecError` of one sentence.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regviz.engine.limits import Limits, available_memory, trainer_memory
from regviz.specs import SpecError

TRAINER_MEMORY = {"cpu": 2 << 30, "auto": 8 << 30, "cuda": 8 << 30}
"""Bytes of each device's trainer at most; CUDA alone maps gigabytes."""
MAX_TRAINERS = 1024


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an engine runs its trainers. :meth:`from_environment` makes one.

    Attributes
    ----------
    trainers
        Number of trainer processes (``REGVIZ_TRAINERS``). Default: one per GPU with CUDA, else one
        per core, and one less from three cores on, which is left to the server.
    device
        ``auto``, ``cpu`` or ``cuda`` (``REGVIZ_DEVICE``). ``cpu`` is the fastest for models of
        this size.
    gpus
        The GPUs that trainers take in turn, as ``CUDA_VISIBLE_DEVICES`` names them.
    limits
        The most that a request may ask for.
    memory_bytes
        Resident memory above which a trainer is replaced. Default: 2 GiB, with CUDA 8 GiB, or less
        where the container or the machine has no room for that.
    cache_bytes
        Bytes of frames of finished runs that are kept for equal requests.
    hang_seconds
        Silence after which a trainer is taken for hung and replaced. Between slices it sends a
        message twice a second; its longest slices, making and drawing a stack of a thousand lanes,
        took 1.6 s on a machine with three times more to do than cores.
    start_seconds
        The same while a trainer starts: importing torch from a cold disk is slow.
    starvation
        How many times longer a silence may be while other processes keep a trainer from the
        processor.
    watch_seconds
        Time between two checks of the trainers.
    short_life_seconds
        A trainer that ends this soon after it was ready counts as one that could not start.
    start_failures
        Failed starts in a row after which waiting jobs fail.
    losses, moves
        A run fails after so many trainers lost in a slice of its own, or lost at all.
    labs_per_owner
        Labs that a session may have in progress, besides its runs.
    reuse_from
        Jobs in progress from which on lanes of finished runs are not trained again.
    crowd_requesters, crowd_seconds
        Recent requesters per trainer at which crowd mode starts, and how long a request is recent.
    """

    trainers: int
    device: str = "cpu"
    gpus: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    memory_bytes: int = TRAINER_MEMORY["cpu"]
    cache_bytes: int = 32 << 20
    hang_seconds: float = 10.0
    start_seconds: float = 60.0
    starvation: float = 5.0
    watch_seconds: float = 0.25
    short_life_seconds: float = 2.0
    start_failures: int = 3
    losses: int = 2
    moves: int = 4
    labs_per_owner: int = 16
    reuse_from: int = 4
    crowd_requesters: int = 4
    crowd_seconds: float = 3.0

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        *,
        trainers: int | None = None,
        device: str | None = None,
        limits: Limits | None = None,
        memory_bytes: int | None = None,
        **others: Any,
    ) -> Settings:
        """Return the environment's settings; what is given here takes precedence.

        Raises
        ------
        SpecError
            If the device or a variable has a wrong value.
        """
        device = _device(device, environment)
        gpus = () if device == "cpu" else visible_gpus(environment)
        limits = Limits.from_environment(environment) if limits is None else limits
        count = trainer_count(environment, len(gpus)) if trainers is None else max(1, trainers)
        if memory_bytes is None:
            memory_bytes = trainer_memory(TRAINER_MEMORY[device], count, available_memory())
        return cls(
            trainers=count,
            device=device,
            gpus=gpus,
            limits=limits,
            memory_bytes=memory_bytes,
            **others,
        )


def _device(name: str | None, environment: Mapping[str, str]) -> str:
    device = name or environment.get("REGVIZ_DEVICE", "").strip() or "cpu"
    if device not in TRAINER_MEMORY:
        source = "device" if name else "REGVIZ_DEVICE"
        raise SpecError(f"{source}: got {device[:40]!r}; choose one of auto, cpu, cuda.")
    return device


def trainer_count(environment: Mapping[str, str], gpus: int) -> int:
    """Return the number of trainers: the environment's, else one per GPU, else by the cores."""
    text = environment.get("REGVIZ_TRAINERS", "").strip()
    if not text:
        cores = available_cores()
        return gpus or max(min(cores, 2), cores - 1)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_TRAINERS):
        raise SpecError(
            f"REGVIZ_TRAINERS: got {text[:40]!r}; give a whole number from 1 to {MAX_TRAINERS}."
        )
    return int(text)


def available_cores() -> int:
    """Return how many cores this process may use; a container's quota counts, too."""
    cores = float(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, float(quota) / float(period))  # ValueError where it is "max"
    return max(1, int(cores))


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs as ``CUDA_VISIBLE_DEVICES`` names them, without importing torch."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name.strip() not in ("", "-1"))
    nodes = Path("/dev").glob("nvidia*")
    count = sum(bool(re.fullmatch(r"nvidia\d+", n.name)) for n in nodes)
    return tuple(str(i) for i in range(count))
