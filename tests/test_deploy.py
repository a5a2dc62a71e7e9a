"""The image and the compose files, as docs/deploy.md describes them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from regviz.cli import _parser
from regviz.engine import limits
from regviz.engine.settings import TRAINER_MEMORY
from regviz.ui.sockets import MOST_DESCRIPTORS
from tests.app_server import ROOT

SERVER = "deploy/server.yaml"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def services(name: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file, with ``extends`` resolved."""
    found = yaml.safe_load(text(name))["services"]
    for service in found.values():
        base = service.pop("extends", None)
        if base is not None:
            assert base["file"] == SERVER
            for key, value in services(SERVER)[base["service"]].items():
                service.setdefault(key, value)
    return found


def health_check() -> tuple[dict[str, str], list[str]]:
    found = re.search(r"^HEALTHCHECK (.*?)CMD (\[.*?\])$", text("Dockerfile"), re.S | re.M)
    assert found is not None
    return dict(re.findall(r"--([\w-]+)=(\w+)", found[1])), json.loads(found[2])


ALL = [
    (name, *s) for name in ("compose.yaml", "compose.replicas.yaml") for s in services(name).items()
]


@pytest.mark.parametrize(("file", "name", "service"), ALL, ids=[f"{n}" for _, n, _ in ALL])
def test_every_container_is_closed_in(file: str, name: str, service: dict[str, Any]) -> None:
    assert service["read_only"] is service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(entry.split(":")[0] == "/tmp" for entry in service["tmpfs"])
    for bound in ("cpus", "mem_limit", "pids_limit", "stop_grace_period"):
        assert service[bound]
    assert not {"privileged", "network_mode", "devices", "pid", "ipc"} & set(service)
    if name == "caddy":
        assert service["cap_add"] == ["NET_BIND_SERVICE"]
    else:
        assert "cap_add" not in service
        assert "volumes" not in service
        assert service["user"] == re.search(r"^USER (\S+)$", text("Dockerfile"), re.M)[1]  # type: ignore[index]
        assert not service["user"].startswith("0")


def gibibytes(text: str) -> float:
    found = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([gm])\}?", text)
    assert found is not None
    return int(found[1]) / (1 if found[2] == "g" else 1024)


def test_the_trainers_of_a_container_fit_into_its_memory() -> None:
    server = services(SERVER)["server"]
    memory = gibibytes(server["mem_limit"])
    trainers = int(re.search(r"(\d+)", server["cpus"])[1])  # type: ignore[index]  # one per core
    most = TRAINER_MEMORY["cpu"] >> 30
    assert memory >= limits.SERVER_MEMORY / (1 << 30) + trainers * most
    page = text("docs/deploy.md")
    assert f"| 8501, {trainers}, {memory:g}g |" in page
    assert f"replaced above {most} GiB (8 GiB with CUDA)" in page
    assert f"{memory:g}g for two trainers" in page
    assert f"raise `REGVIZ_MEMORY` by {most}g for each more" in page
    assert f"not below {limits.LEAST_MEMORY >> 20} MiB" in page
    assert f"more than {most} GiB (with CUDA 8 GiB)" in text("docs/security.md")


def test_trainers_share_what_memory_there_is() -> None:
    gib = 1 << 30
    share = limits.trainer_memory
    assert share(2 * gib, 2, None) == share(2 * gib, 2, 5 * gib) == share(2 * gib, 2, 64 * gib)
    assert share(2 * gib, 2, 5 * gib) == 2 * gib
    assert share(2 * gib, 2, 3 * gib) == gib
    assert share(2 * gib, 7, 5 * gib) == 4 * gib // 7
    assert share(2 * gib, 2, gib // 2) == limits.LEAST_MEMORY
    for trainers in (1, 2, 3, 5):  # whatever there is: all of them and the server fit
        for available in (3 * gib, 4 * gib, 8 * gib):
            least = trainers * limits.LEAST_MEMORY + gib
            whole = trainers * share(2 * gib, trainers, available) + gib
            assert whole <= max(available, least)


def test_the_memory_of_the_container_counts(tmp_path: Path) -> None:
    def put(name: str, content: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    assert limits.available_memory(str(tmp_path)) is None
    put("proc/meminfo", "MemFree:  1 kB\nMemTotal:       8388608 kB\n")
    assert limits.available_memory(str(tmp_path)) == 8 << 30
    put("sys/fs/cgroup/memory.max", "max\n")
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert limits.available_memory(str(tmp_path)) == 8 << 30
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{6 << 30}\n")
    assert limits.available_memory(str(tmp_path)) == 6 << 30
    put("sys/fs/cgroup/memory.max", f"{5 << 30}\n")
    assert limits.available_memory(str(tmp_path)) == 5 << 30
    put("proc/self/cgroup", "0::/system.slice/regviz.service\n")
    put("sys/fs/cgroup/system.slice/memory.max", f"{4 << 30}\n")
    assert limits.available_memory(str(tmp_path)) == 4 << 30
    put("sys/fs/cgroup/system.slice/regviz.service/memory.max", f"{3 << 30}\n")
    assert limits.available_memory(str(tmp_path)) == 3 << 30


def test_descriptors_are_bounded_in_the_compose_files_as_in_the_server() -> None:
    for _, _, service in ALL:
        assert service["ulimits"] == {"nofile": dict.fromkeys(("soft", "hard"), MOST_DESCRIPTORS)}
    assert f"{MOST_DESCRIPTORS:,}" in text("docs/deploy.md")


def test_the_health_check_of_the_compose_files_is_the_image_s() -> None:
    options, command = health_check()
    check = services(SERVER)["server"]["healthcheck"]
    assert check["test"] == ["CMD", *command]
    assert {k.replace("_", "-"): str(v) for k, v in check.items() if k != "test"} == options


def test_only_the_proxy_can_be_reached_and_only_it_reaches_out() -> None:
    compose = yaml.safe_load(text("compose.replicas.yaml"))
    found = services("compose.replicas.yaml")
    proxy = found.pop("caddy")
    assert compose["networks"]["inside"] == {"internal": True}
    assert set(proxy["networks"]) == {"inside", "outside"}
    assert len(found) >= 2
    for service in found.values():
        assert service["networks"] == ["inside"]
        assert "ports" not in service
    upstreams = " ".join(f"{name}:8501" for name in found)
    assert proxy["environment"]["REGVIZ_UPSTREAMS"] == upstreams
    assert set(proxy["depends_on"]) == set(found)
    caddyfile = text("deploy/Caddyfile")
    assert f"{{$REGVIZ_UPSTREAMS:{upstreams}}}" in caddyfile
    assert "lb_policy cookie" in caddyfile
    assert "ip_hash" not in caddyfile
    assert "header_up" not in caddyfile  # Host as it comes, or the WebSocket is refused


def test_one_cookie_secret_for_all_and_none_in_the_project() -> None:
    found = services("compose.replicas.yaml")
    found.pop("caddy")
    (secret,) = {s["environment"]["STREAMLIT_SERVER_COOKIE_SECRET"] for s in found.values()}
    assert secret.startswith("${STREAMLIT_SERVER_COOKIE_SECRET:?")  # refuses to start without
    assert {"/.env", "/.streamlit/secrets.toml"} <= set(text(".gitignore").split())
    into_the_image = text(".dockerignore").splitlines()
    assert into_the_image.index("!.streamlit") < into_the_image.index(".streamlit/secrets.toml")
    assert not any(line.startswith("!.env") for line in into_the_image)


def test_the_image_s_settings() -> None:
    env = dict(
        re.findall(r"^(?:ENV|   ) (\w+)=(\S+)", text("Dockerfile").split("\nFROM")[-1], re.M)
    )
    assert env["STREAMLIT_CLIENT_SHOW_ERROR_DETAILS"] == "none"
    assert env["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] == "false"
    assert env["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0"
    assert env["OMP_NUM_THREADS"] == "1"
    assert env["HOME"] == "/tmp"
    assert env["REGVIZ_LOG"] == "json"
    assert env["STREAMLIT_SERVER_PORT"] == "8501"


def test_the_page_for_schools_names_what_there_is() -> None:
    page = text("docs/deploy.md")
    read = set(re.findall(r'"(REGVIZ_[A-Z_]+)"', "".join(p.read_text() for p in _modules())))
    in_files = set(re.findall(r"REGVIZ_[A-Z_]+", text(SERVER) + text("compose.yaml")))
    in_files |= set(re.findall(r"REGVIZ_[A-Z_]+", text("compose.replicas.yaml")))
    named = set(re.findall(r"REGVIZ_[A-Z_]+", page))
    assert named == read | in_files
    for name in re.findall(r"\]\(([^)#]+)", page):
        assert (ROOT / "docs" / name).exists(), name
    for name in re.findall(r"-f (\S+\.yaml)", page):
        assert (ROOT / name).exists(), name
    commands = re.findall(r"python -m regviz (.*?)(?:$| &&)", page, re.M)
    assert commands
    for command in commands:
        assert _parser().parse_args(shlex.split(command)).command is not None


def _modules() -> list[Any]:
    return [p for p in (ROOT / "regviz").rglob("*.py") if p.is_file()]
