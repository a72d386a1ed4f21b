"""Large files over HTTP: beside the same nginx without a hub, and beside the disk itself."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bench.hub import MB, BenchHub
from bench.peers.nginx import plain_nginx
from bench.rows import Absent, Bar, Row

FILE_BYTES = 1024**3
CHUNK_BYTES = 1024**2
UPLOADS, DOWNLOADS = 2, 5
ROOM_BYTES = 6 * FILE_BYTES
REPO_ID = "bench/big"


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Up, down, and what that costs a web process."""
    if _free_bytes(hub.folder) < ROOM_BYTES:
        yield Absent("wire", "1 GiB up and down", f"needs {ROOM_BYTES / MB:,.0f} MB of free disk")
        return
    source = hub.folder / "big.bin"
    hub.session.post(f"{hub.url}/api/repos/create", json={"name": "big"}).raise_for_status()
    # Turn by turn, so that both sides meet the same moods of the machine; the best one counts.
    up, disk, down, direct = [], [], [], []
    with hub.watched_web_memory() as growth, plain_nginx(hub.folder) as plain:
        for _ in range(UPLOADS):
            sha256 = write_random(source)
            up.append(FILE_BYTES / MB / put(hub, source, sha256))
            disk.append(FILE_BYTES / MB / plain_write(source, hub.folder / "copy.bin"))
        commit(hub, sha256)
        address = resolved(hub)
        for _ in range(DOWNLOADS):
            down.append(FILE_BYTES / MB / get(address))
            direct.append(FILE_BYTES / MB / get(f"{plain}/big.bin"))
    yield Row(
        "wire", "GET of 1 GiB", "MB/s", max(down), Bar("ratio", ">=", 0.9),
        max(direct), "the same nginx, serving the file without a hub",
    )  # fmt: skip
    yield Row(
        "wire", "LFS PUT of 1 GiB, verified and durable", "MB/s", max(up),
        Bar("ratio", ">=", 0.5), max(disk), "write + sha256 + fsync, no HTTP",
    )  # fmt: skip
    yield Row(
        "wire", "growth of a web process, 1 GiB up and down", "MB", growth[0] / MB,
        Bar("ours", "<=", 100),
    )  # fmt: skip


def _free_bytes(folder: Path) -> int:
    return os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize


def write_random(path: Path) -> str:
    """A file that nothing can compress or share; its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // CHUNK_BYTES):
            chunk = os.urandom(CHUNK_BYTES)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def put(hub: BenchHub, source: Path, sha256: str) -> float:
    """Seconds from the first byte sent to the answer that the file is stored."""
    objects = [{"oid": sha256, "size": FILE_BYTES}]
    batch = hub.session.post(
        f"{hub.url}/{REPO_ID}.git/info/lfs/objects/batch",
        data=json.dumps({"operation": "upload", "transfers": ["basic"], "objects": objects}),
        headers={"Content-Type": "application/vnd.git-lfs+json"},
    )
    batch.raise_for_status()
    address = urlsplit(batch.json()["objects"][0]["actions"]["upload"]["href"])
    connection = http.client.HTTPConnection(address.netloc, timeout=300)
    began = time.perf_counter()
    connection.putrequest("PUT", f"{address.path}?{address.query}")
    connection.putheader("Content-Length", str(FILE_BYTES))
    connection.endheaders()
    with source.open("rb") as file:
        connection.sock.sendfile(file)
    answer = connection.getresponse()
    seconds = time.perf_counter() - began
    said = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"The upload was answered with {answer.status}: {said[:300]!r}")
    return seconds


def commit(hub: BenchHub, sha256: str) -> None:
    file = {"path": "big.bin", "algo": "sha256", "oid": sha256, "size": FILE_BYTES}
    lines = [
        {"key": "header", "value": {"summary": "A big file", "description": ""}},
        {"key": "lfsFile", "value": file},
    ]
    answer = hub.session.post(
        f"{hub.url}/api/models/{REPO_ID}/commit/main",
        data="\n".join(map(json.dumps, lines)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    answer.raise_for_status()


def resolved(hub: BenchHub) -> str:
    """The address that `resolve` leads to; the way there is no part of the transfer."""
    address = f"{hub.url}/{REPO_ID}/resolve/main/big.bin"
    with hub.session.get(address, stream=True) as answer:
        answer.raise_for_status()
        return answer.url


def get(address: str) -> float:
    """Seconds from the request to the last byte."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=300)
    buffer = bytearray(CHUNK_BYTES)
    began = time.perf_counter()
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer, received = connection.getresponse(), 0
    while count := answer.readinto(buffer):
        received += count
    seconds = time.perf_counter() - began
    connection.close()
    if received != FILE_BYTES:
        raise RuntimeError(f"{received} bytes came of {FILE_BYTES}, status {answer.status}.")
    return seconds


def plain_write(source: Path, target: Path) -> float:
    """Seconds to copy a file with its sha256 and to have it on the disk."""
    digest, buffer = hashlib.sha256(), bytearray(CHUNK_BYTES)
    began = time.perf_counter()
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while count := reader.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
            writer.write(memoryview(buffer)[:count])
        os.fsync(writer.fileno())
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds
