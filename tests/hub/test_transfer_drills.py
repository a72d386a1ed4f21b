"""A gigabyte through the hub, and a disk that is full: what it costs and what is left behind."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hub.machines import (
    MIB,
    Machine,
    ask,
    drain,
    forget_peak,
    peak_bytes,
    random_file,
    signed_upload,
    web_processes,
)
from tests.hub.transfers import LFS_JSON
from tests.server import running_hub, wait_until_ready

pytestmark = [pytest.mark.drill, pytest.mark.stack, pytest.mark.timeout(900)]
GROWTH_LIMIT_BYTES = 100 * MIB
XET_UPLOAD = "api.upload_file(path_or_fileobj=args[0], path_in_repo='xet.bin', repo_id='ann/home')"


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def hub_of(folder: Path, **environment: str) -> Iterator[Machine]:
    """A hub with one person and their repository."""
    with running_hub(folder / "data", **environment) as server:
        machine = Machine(server, folder / "ann", server.person("ann"))
        machine.python("api.create_repo('ann/home')")
        yield machine


def test_a_gigabyte_each_way_leaves_the_web_processes_small(tmp_path, capsys):
    """As people run it, with nginx in front; without it with three times the allowed growth."""
    grown: dict[str, int] = {}
    for front, size in (("nginx", 1024 * MIB), ("none", 3 * GROWTH_LIMIT_BYTES)):
        (tmp_path / front).mkdir()
        big = random_file(tmp_path / front / "big.bin", size)
        digest = digest_of(big)
        with hub_of(tmp_path / front, FRONT=front) as ann:
            measure = Meter(ann, front, grown, capsys)
            measure("PUT by LFS", partial(send, ann, big, digest))
            measure("GET by LFS", partial(fetch, ann, digest, big.stat().st_size))
            measure("PUT by Xet", partial(ann.python, XET_UPLOAD, big))
            measure("resolve", partial(resolve, ann))
    assert max(grown.values()) < GROWTH_LIMIT_BYTES, grown


class Meter:
    """Runs one transfer and prints its speed and what the web processes grew by."""

    def __init__(self, ann: Machine, front: str, grown: dict[str, int], capsys) -> None:
        self._ann, self._front, self._grown, self._capsys = ann, front, grown, capsys

    def __call__(self, name: str, transfer: Callable[[], object]) -> None:
        workers = web_processes(self._ann.server)
        assert len(workers) == 2
        before = {one.pid: one.memory_info().rss for one in workers}
        for one in workers:
            forget_peak(one)
        started = time.monotonic()
        transfer()
        seconds = time.monotonic() - started
        most = max(peak_bytes(one) - before[one.pid] for one in workers)
        self._grown[f"{self._front}: {name}"] = most
        with self._capsys.disabled():
            print(  # noqa: T201 the numbers are what the drill is for
                f"\n  FRONT={self._front:5} {name:11} {seconds:6.1f} s, "
                f"a web process grew by at most {most / MIB:.0f} MiB"
            )


def send(ann: Machine, path: Path, digest: str) -> None:
    href = signed_upload(ann, digest, path.stat().st_size)
    with path.open("rb") as file:
        answer = ask(href, "PUT", file, {"Content-Length": str(path.stat().st_size)})
    assert answer.status == 200, answer.body


def fetch(ann: Machine, digest: str, size_bytes: int) -> None:
    body = {"operation": "download", "objects": [{"oid": digest, "size": size_bytes}]}
    address = f"{ann.server.url}/ann/home.git/info/lfs/objects/batch"
    kind = {"Content-Type": "application/vnd.git-lfs+json"}
    answer = ann.ask("POST", address, json.dumps(body), **kind)
    (found,) = json.loads(answer.body)["objects"]
    assert drain(found["actions"]["download"]["href"], {}) == size_bytes


def resolve(ann: Machine) -> int:
    return drain(f"{ann.server.url}/ann/home/resolve/main/xet.bin", {})


def test_an_upload_in_parts_outlives_kills_of_the_web_processes(tmp_path):
    with hub_of(tmp_path) as ann:
        big = random_file(tmp_path / "big.bin", 20 * MIB)
        content, digest = big.read_bytes(), digest_of(big)
        etags: dict[int, str] = {}
        for number in range(1, 4):
            upload = begun(ann, digest, len(content))
            came = json.loads(ask(upload["href"], "GET").body)["parts"]
            assert {one["partNumber"]: one["etag"] for one in came} == etags
            part = content[(number - 1) * 8 * MIB : number * 8 * MIB]
            sent = ask(upload["header"][f"{number:05d}"], "PUT", part)
            assert sent.status == 200
            etags[number] = sent.headers["ETag"].strip('"')
            kill_web(ann)
        parts = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
        body = json.dumps({"oid": digest, "parts": parts})
        href = begun(ann, digest, len(content))["href"]
        for _again in range(2):
            assert ask(href, "POST", body, {"Content-Type": LFS_JSON}).status == 200
            kill_web(ann)
        fetch(ann, digest, len(content))


def begun(ann: Machine, digest: str, size_bytes: int) -> dict[str, Any]:
    """Where a browser sends the parts of a file, and finishes it."""
    objects = [{"oid": digest, "size": size_bytes}]
    body = {"operation": "upload", "transfers": ["multipart"], "objects": objects}
    address = f"{ann.server.url}/ann/home.git/info/lfs/objects/batch"
    answer = ann.ask("POST", address, json.dumps(body), **{"Content-Type": LFS_JSON})
    (found,) = json.loads(answer.body)["objects"]
    return found["actions"]["upload"]


def kill_web(ann: Machine) -> None:
    """The workers end at once and come again by themselves."""
    killed = web_processes(ann.server)
    for one in killed:
        one.kill()
    psutil.wait_procs(killed, timeout=30)
    wait_until_ready(ann.server.url, ann.server.process)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The object store of a hub, with room for 64 MiB."""
    objects = tmp_path / "data" / "objects"
    objects.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(objects)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    try:
        yield objects
    finally:
        subprocess.run(["umount", "--lazy", str(objects)], check=True)


@pytest.mark.parametrize("front", ["nginx", "none"])
def test_a_full_disk_refuses_plainly_and_keeps_nothing(tmp_path, small_disk, front):
    with hub_of(tmp_path, FRONT=front) as ann:
        first = random_file(tmp_path / "first.bin", 5 * MIB)
        ann.python(XET_UPLOAD, first)  # 5 MiB of xorb and 5 MiB of file
        big = random_file(tmp_path / "big.bin", 100 * MIB).read_bytes()
        digest = hashlib.sha256(big).hexdigest()
        href = signed_upload(ann, digest, len(big))
        pieces = (big[at : at + MIB] for at in range(0, len(big), MIB))
        for answer in (
            ask(href, "PUT", big, {"Content-Length": str(len(big))}),
            ask(href, "PUT", pieces, {"Transfer-Encoding": "chunked"}),
        ):
            assert (answer.status, answer.headers["X-Error-Code"]) == (507, "StorageFull")
            assert "disk is full" in json.loads(answer.body)["message"]
        assert files_of(small_disk) == ["blob", "recipe", "xorb"]
        assert list((tmp_path / "data" / "spool").iterdir()) == []
        # Reads go on, what fits is taken, and nobody restarts anything.
        assert resolve(ann) == 5 * MIB
        small = b"small" * 1000
        href = signed_upload(ann, hashlib.sha256(small).hexdigest(), len(small))
        assert ask(href, "PUT", small).status == 200
        assert json.loads(ann.server.manage("check_integrity", "--json"))


def files_of(objects: Path) -> list[str]:
    """What lies in the store, drafts included, by kind."""
    kinds = {"blobs": "blob", "xet-files": "recipe", "xorbs": "xorb", "tmp": "draft"}
    found = (path.relative_to(objects).parts[1] for path in objects.rglob("*") if path.is_file())
    return sorted(kinds[one] for one in found if one not in {"xet-epoch", "lock"})
