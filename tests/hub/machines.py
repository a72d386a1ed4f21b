"""The unmodified clients of a person, each in a process and a home folder of its own."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import psutil

from tests.gitstore.conftest import Client as Git
from tests.golden.clients import NEW
from tests.server import HubServer

MIB = 1024**2


def environment_without_hub() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HF_")}


def hf(endpoint: str, token: str, home: Path, *arguments: str) -> str:
    """What the command line `hf` prints for the person of `token`."""
    own = {"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(home)}
    environment = environment_without_hub() | own
    done = NEW.warm.run(NEW.hf, *arguments, environment=environment, folder=Path(), seconds=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Machine:
    """One person at one computer: `home` holds their caches, `token` is theirs."""

    server: HubServer
    home: Path
    token: str

    def python(self, script: str, *arguments: object, ok: bool = True, **environment: str) -> str:
        """What `script` prints. `api` is an HfApi of this person, `args` the arguments."""
        head = (
            "import io, os, sys\nfrom huggingface_hub import *\napi, args = HfApi(), sys.argv[1:]\n"
        )
        own = {
            "HF_ENDPOINT": self.server.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.home / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HOME": str(self.home),
        }
        everything = environment_without_hub() | own | environment
        self.home.mkdir(exist_ok=True)
        script = ["-c", head + script, *arguments]
        done = NEW.warm.run(*script, environment=everything, folder=Path(), seconds=280)
        assert (done.returncode == 0) == ok, done.stderr[-3000:]
        return (done.stdout if ok else done.stderr).strip()

    def git(self) -> Git:
        """git with git-lfs set up, and this person's token in the address it clones from."""
        git = Git(self.home, self.server.url.replace("://", f"://person:{self.token}@"))
        git("lfs", "install", "--skip-repo")
        return git

    def ask(self, method: str, address: str, body: Any = None, **headers: str) -> Answer:
        """One request, with this person's token unless `headers` say otherwise."""
        return ask(address, method, body, {"Authorization": f"Bearer {self.token}", **headers})


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes


def ask(address: str, method: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One request over a connection of its own. A file or iterator is sent as it is read."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=280)
    try:
        target = address.split(parts.netloc, 1)[1]
        connection.request(
            method, target, body, headers or {}, encode_chunked=isinstance(body, Iterator)
        )
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def signed_upload(machine: Machine, digest: str, size: int, repo_id: str = "ann/home") -> str:
    body = {"operation": "upload", "objects": [{"oid": digest, "size": size}]}
    answer = machine.ask(
        "POST",
        f"{machine.server.url}/{repo_id}.git/info/lfs/objects/batch",
        json.dumps(body),
        **{"Content-Type": "application/vnd.git-lfs+json"},
    )
    (found,) = json.loads(answer.body)["objects"]
    return found["actions"]["upload"]["href"]


def drain(address: str, headers: dict[str, str]) -> int:
    """Fetch `address` and forget it; the number of bytes."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=280)
    try:
        connection.request("GET", address.split(parts.netloc, 1)[1], headers=headers)
        response, count = connection.getresponse(), 0
        assert response.status == 200, response.read(500)
        while chunk := response.read(MIB):
            count += len(chunk)
        return count
    finally:
        connection.close()


def web_processes(server: HubServer) -> list[psutil.Process]:
    """The workers of gunicorn, without their arbiter."""
    gunicorns = named(server, "web")
    numbers = {one.pid for one in gunicorns}
    return [one for one in gunicorns if one.ppid() in numbers]


def named(server: HubServer, name: str) -> list[psutil.Process]:
    """All processes of one of the hub's services, the first one first."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if child.name() == name]


def peak_bytes(process: psutil.Process) -> int:
    """The most memory that `process` had resident since `forget_peak`."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this system does not count peaks")


def forget_peak(process: psutil.Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def random_file(path: Path, size_bytes: int) -> Path:
    """A file that no compression makes smaller."""
    with path.open("wb") as file:
        _fill(file, size_bytes)
    return path


def _fill(file: BinaryIO, size_bytes: int) -> None:
    for start in range(0, size_bytes, MIB):
        file.write(os.urandom(min(MIB, size_bytes - start)))
