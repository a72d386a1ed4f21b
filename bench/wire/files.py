"""Large files over HTTP: beside the same nginx without a hub, the disk itself, and giftless."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import requests

from bench.hub import MB, BenchHub
from bench.peers.giftless import Giftless, giftless
from bench.peers.nginx import plain_nginx
from bench.rows import Absent, Bar, Row

FILE_BYTES = 1024**3
CHUNK_BYTES = 1024**2
UPLOADS, DOWNLOADS = 3, 6
RANGES, RANGE_BYTES, CONNECTIONS, RANGE_TURNS = 2000, 64 * 1024, 4, 2
ROOM_BYTES = 8 * FILE_BYTES
REPO_ID = "bench/big"
SAME_NGINX = "the same nginx, serving the same file without a hub"


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Up, down and in parts. Each side takes its turn."""
    if _free_bytes(hub.folder) < ROOM_BYTES:
        yield Absent("wire", "1 GiB up and down", f"needs {ROOM_BYTES / MB:,.0f} MB of free disk")
        return
    hub.create("big")
    source = hub.folder / "big.bin"
    with giftless(hub.folder) as peer:
        yield from _uploads(hub, source, peer)
    yield from _downloads(hub)


def _uploads(hub: BenchHub, source: Path, peer: Giftless | str) -> Iterator[Row | Absent]:
    up, hashed, written, beside, equal = [], [], [], [], []
    for _ in range(UPLOADS):
        sha256 = write_random(source)
        up.append(rate(put(hub, source, sha256)))
        hashed.append(rate(plain_hash(source)))
        written.append(rate(plain_write(source, hub.folder / "copy.bin")))
        if isinstance(peer, Giftless):
            seconds = upload(source, *peer.ask(sha256, FILE_BYTES))
            beside.append(rate(seconds))
            equal.append(rate(seconds + settle(peer.stored(sha256))))
            peer.stored(sha256).unlink()
    commit(hub, sha256)
    # Medians: the best turn of a disk is one in which it had little to do.
    ours = median(up)
    slower, name = min((median(hashed), "sha256"), (median(written), "a write with fsync"))
    title = "LFS PUT of 1 GiB, verified and durable"
    yield Row(
        "wire", title, "MB/s", ours, Bar("ratio", ">=", 0.9), slower,
        f"{name} of this machine, the slower of the two",
    )  # fmt: skip
    if not isinstance(peer, Giftless):
        yield Absent("wire", f"{title}, beside giftless", peer)
        return
    yield Row(
        "wire", f"{title}, beside as much work", "MB/s", ours, Bar("ratio", ">=", 1.0),
        median(equal), "giftless, then sha256 and fsync of what it stored",
    )  # fmt: skip
    yield Row(
        "wire", f"{title}, beside giftless as it is", "MB/s", ours, Bar("ratio", ">=", 1.0),
        median(beside), "giftless behind uWSGI, which checks no hash and syncs nothing",
    )  # fmt: skip


def _downloads(hub: BenchHub) -> Iterator[Row | Absent]:
    address, token = resolved(hub), {"Authorization": f"Bearer {hub.token}"}
    down, direct, parts, plain_parts = [], [], [], []
    with plain_nginx(stored_folder(hub)) as plain:
        beside = f"{plain}/{stored(hub).name}"
        for _ in range(DOWNLOADS):
            down.append(rate(get(address)))
            direct.append(rate(get(beside)))
        for turn in range(RANGE_TURNS):
            parts.append(RANGES / ranges(address, token, turn))
            plain_parts.append(RANGES / ranges(beside, {}, turn))
    yield Row(
        "wire", "GET of 1 GiB", "MB/s", max(down), Bar("ratio", ">=", 0.9), max(direct), SAME_NGINX
    )
    yield Row(
        "wire", f"Range reads of 64 KiB, {CONNECTIONS} connections", "reads/s", max(parts),
        Bar("ratio", ">=", 0.9), max(plain_parts), SAME_NGINX,
    )  # fmt: skip


def rate(seconds: float) -> float:
    """MB a second of the whole file."""
    return FILE_BYTES / MB / seconds


def ranges(address: str, headers: dict[str, str], seed: int) -> float:
    """Seconds for all random ranges, shared out among the connections."""
    dice = random.Random(seed)  # noqa: S311, places to read at
    starts = [dice.randrange(FILE_BYTES - RANGE_BYTES) for _ in range(RANGES)]

    def read(mine: list[int]) -> None:
        with requests.Session() as session:
            for start in mine:
                wanted = {"Range": f"bytes={start}-{start + RANGE_BYTES - 1}"}
                answer = session.get(address, headers=headers | wanted, timeout=60)
                if answer.status_code != 206 or len(answer.content) != RANGE_BYTES:
                    raise RuntimeError(f"A range came with status {answer.status_code}.")

    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [starts[number::CONNECTIONS] for number in range(CONNECTIONS)]
        for done in [pool.submit(read, share) for share in shares]:
            done.result()
    return time.perf_counter() - began


def stored(hub: BenchHub) -> Path:
    """Where the hub keeps the large file."""
    blobs = (hub.server.data_dir / "objects").glob("*/blobs/??/??/*")
    return max(blobs, key=lambda path: (path.stat().st_size, path.stat().st_mtime_ns))


def stored_folder(hub: BenchHub) -> Path:
    """A folder of the peer's own with that very file in it."""
    folder = hub.folder / "same"
    folder.mkdir()
    (folder / stored(hub).name).hardlink_to(stored(hub))
    return folder


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
    return upload(source, batch.json()["objects"][0]["actions"]["upload"]["href"], {})


def upload(source: Path, href: str, headers: dict[str, str]) -> float:
    """Seconds from the first byte sent to the answer."""
    address = urlsplit(href)
    connection = http.client.HTTPConnection(address.netloc, timeout=300)
    began = time.perf_counter()
    connection.putrequest("PUT", f"{address.path}?{address.query}")
    for name, value in {"Content-Length": str(FILE_BYTES), **headers}.items():
        connection.putheader(name, value)
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


def plain_hash(source: Path) -> float:
    """Seconds to hash a file that is in memory."""
    began = time.perf_counter()
    with source.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.perf_counter() - began


def plain_write(source: Path, target: Path) -> float:
    """Seconds to write a file anew and have it on the disk."""
    buffer = bytearray(CHUNK_BYTES)
    began = time.perf_counter()
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while count := reader.readinto(buffer):
            writer.write(memoryview(buffer)[:count])
        os.fsync(writer.fileno())
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def settle(path: Path) -> float:
    """Seconds until a stored file is verified and on the disk."""
    began = time.perf_counter()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
        os.fsync(file.fileno())
    return time.perf_counter() - began
