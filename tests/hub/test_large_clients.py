"""hf_xet, hf and git-lfs with large files, as people run them against a whole hub."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.hub.machines import MIB, Machine, random_file
from tests.server import HubServer

pytestmark = pytest.mark.stack
UPLOAD = "api.upload_file(path_or_fileobj=args[0], path_in_repo=args[1], repo_id=args[2])"
DOWNLOAD = "print(hf_hub_download(args[0], args[1]))"


@pytest.fixture(scope="module")
def ann(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(hub_server, tmp_path_factory.mktemp("ann-large"), hub_server.person("ann"))
    machine.python("api.create_repo('ann/large', exist_ok=True, private=True)")
    return machine


@pytest.fixture
def elsewhere(ann: Machine, tmp_path: Path) -> Machine:
    """The same person at a computer that has never seen the hub."""
    return Machine(ann.server, tmp_path / "elsewhere", ann.token)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored_bytes(ann: Machine, kind: str) -> int:
    folder = ann.server.data_dir / "objects"
    return sum(path.stat().st_size for path in folder.glob(f"*/{kind}/**/*") if path.is_file())


def fetched(machine: Machine, repo_id: str, name: str, **environment: str) -> str:
    return digest_of(Path(machine.python(DOWNLOAD, repo_id, name, **environment)))


def test_a_slightly_changed_file_from_another_machine_costs_little(ann, elsewhere, tmp_path):
    first = random_file(tmp_path / "first.safetensors", 24 * MIB)
    ann.python(UPLOAD, first, "w.safetensors", "ann/large")
    content = first.read_bytes()
    changed = tmp_path / "changed.safetensors"
    middle = len(content) // 2
    changed.write_bytes(b"head" + content[:middle] + os.urandom(1000) + content[middle:])
    before = stored_bytes(ann, "xorbs")
    elsewhere.python(UPLOAD, changed, "w.safetensors", "ann/large")
    received = stored_bytes(ann, "xorbs") - before
    assert 0 < received < 0.2 * changed.stat().st_size
    assert fetched(elsewhere, "ann/large", "w.safetensors") == digest_of(changed)
