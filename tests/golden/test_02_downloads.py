"""Calls 9-13: snapshots, filters, absent files, absent repositories, a download that is killed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.clients import HubClient
from tests.golden.front import https_front
from tests.golden.person import CallError, Person
from tests.golden.traffic import watching
from tests.server import HubServer, free_port, running_hub

CONFIG = b'{"hidden_size": 8}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="session")
def filled(ann: Person) -> tuple[str, dict[str, str]]:
    """A repository with a large file, and the sha256 of each file."""
    weights = os.urandom(3_000_000)
    name = ann.repo("m1", {"config.json": CONFIG, "sub folder/to?/my$file%20x": b"odd"})
    ann.call("upload", name, "model.safetensors", str(ann.file("weights", weights)))
    files = {"config.json": CONFIG, "sub folder/to?/my$file%20x": b"odd"}
    return name, {path: sha256(content) for path, content in files.items()} | {
        "model.safetensors": sha256(weights)
    }


def test_call_9_a_snapshot_works_offline_afterwards(ann: Person, filled):
    name, files = filled
    home = ann.home / "call-9"
    found = ann.call("snapshot", name, home=home)
    assert found | files == found
    assert set(found) - set(files) <= {".gitattributes", "README.md"}
    assert ann.call("snapshot", name, home=home, HF_HUB_OFFLINE="1") == found


def test_call_10_only_what_matches_and_verified(ann: Person, filled):
    name, _ = filled
    ann.hf("download", name, "--local-dir", "out", "--include", "*.json")
    out = ann.home / "out"
    found = [path for path in out.rglob("*") if path.is_file() and ".cache" not in path.parts]
    assert [path.name for path in found] == ["config.json"]
    ann.hf("download", name)
    assert "All checksums match" in ann.hf("cache", "verify", name)


def test_call_11_an_absent_file_is_remembered(ann: Person, filled):
    name, _ = filled
    with pytest.raises(CallError, match=r"\bEntryNotFoundError\b"):
        ann.call("download", name, "nope.json")
    assert ann.call("known_absence", name, "nope.json") == "absent"


def refuses_what_is_not_there(person: Person) -> None:
    for options in ({}, {"token": False}):
        with pytest.raises(CallError, match=r"\bRepositoryNotFoundError\b"):
            person.call("download", f"{person.name}/none", "x", options)


def test_call_12_an_absent_repository(ann: Person):
    refuses_what_is_not_there(ann)


@pytest.fixture(scope="session")
def secure_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubServer, Path]]:
    """A hub that is reached by https, and the certificate it has signed itself."""
    folder, port = tmp_path_factory.mktemp("https"), free_port()
    with (
        running_hub(folder / "data", PUBLIC_URL=f"https://127.0.0.1:{port}") as server,
        https_front(folder, port=port, behind=server.url) as certificate,
    ):
        yield server, certificate


@pytest.fixture(scope="session")
def secure(client: HubClient, secure_hub: tuple[HubServer, Path], tmp_path_factory) -> Person:
    """Somebody whose computer trusts that certificate."""
    (server, certificate), name = secure_hub, f"eve-{client.name}"
    more = {"SSL_CERT_FILE": str(certificate)}
    home, url = tmp_path_factory.mktemp(name), server.environment["PUBLIC_URL"]
    return Person(server, client, name, server.person(name), home, url, more)


def test_call_12_over_https(secure: Person):
    refuses_what_is_not_there(secure)


def test_call_12_https_carries_files_both_ways(secure: Person):
    """Beside the page: addresses the hub hands out are https too, or bytes would not travel."""
    weights = os.urandom(2_000_000)
    name = secure.new_name("m1")
    assert secure.call("create_repo", name, {}) == f"{secure.endpoint}/{name}"
    path = secure.file("weights", weights)
    secure.call("upload", name, "model.safetensors", str(path))
    secure.call("upload_stream", name, "stream.bin", str(path))
    found = secure.call("snapshot", name)
    assert found["model.safetensors"] == found["stream.bin"] == sha256(weights)
    plain = {"SSL_CERT_FILE": str(Path(os.devnull))}
    with pytest.raises(CallError):
        secure.call("download", name, "stream.bin", home=secure.home / "other", **plain)


@pytest.mark.drill
def test_call_13_a_killed_download_is_taken_up_again(ann: Person):
    name, size = ann.repo("m1"), 200_000_000
    weights = os.urandom(size)
    ann.call("upload", name, "model.safetensors", str(ann.file("weights", weights)))
    (ann.home / "weights").unlink()
    home = ann.home / "call-13"
    blobs = home / "hub" / f"models--{name.replace('/', '--')}" / "blobs"
    command = [ann.client.hf, "download", name, "model.safetensors"]
    with ann.start(command, HF_HOME=str(home)) as process:
        while not (got := bytes_on_disk(blobs)):
            assert process.poll() is None, "it ended before it began"
            time.sleep(0.001)
        process.kill()
    assert 0 < got < size
    with watching(ann.server) as seen:
        found = ann.call("download", name, "model.safetensors", home=home)
    assert found["sha256"] == sha256(weights)
    assert seen.lines


def bytes_on_disk(blobs: Path) -> int:
    """What has arrived; a sparse file counts for what it holds."""
    found = blobs.glob("*.incomplete") if blobs.exists() else ()
    return sum(path.stat().st_blocks * 512 for path in found)
