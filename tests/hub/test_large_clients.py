"""hf_xet, hf and git-lfs with large files, as people run them against a whole hub."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.machines import MIB, Machine, random_file
from tests.server import HubServer, running_hub

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("large")]
UPLOAD = "api.upload_file(path_or_fileobj=args[0], path_in_repo=args[1], repo_id=args[2])"
DOWNLOAD = "print(hf_hub_download(args[0], args[1]))"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub that asks for parts sooner and keeps nothing that nobody needs."""
    limits = {"MULTIPART_ABOVE_BYTES": MIB, "MULTIPART_PART_BYTES": MIB}
    keeps_nothing = {"GARBAGE_QUARANTINE_DAYS": 0, "UPLOAD_GRACE_SECONDS": 0}
    environment = {name: str(value) for name, value in (limits | keeps_nothing).items()}
    with running_hub(tmp_path_factory.mktemp("large-hub"), **environment) as server:
        yield server


@pytest.fixture(scope="module")
def ann(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(hub, tmp_path_factory.mktemp("ann-large"), hub.person("ann"))
    made = {"large": True, "public": False, "lfs": True}
    lines = (f"api.create_repo('ann/{name}', private={private})" for name, private in made.items())
    machine.python("\n".join(lines))
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


def requests_to(ann: Machine, part: str) -> list[dict]:
    lines = (ann.server.data_dir / "log" / "access.log").read_text().splitlines()
    return [one for one in map(json.loads, lines) if part in one["path"]]


def test_the_client_sends_parts_where_it_is_told_to(ann, tmp_path):
    weights = random_file(tmp_path / "parts.safetensors", 3 * MIB + 17)
    before = len(requests_to(ann, "/parts/"))
    ann.python(UPLOAD, weights, "parts.safetensors", "ann/lfs", HF_HUB_DISABLE_XET="1")
    assert len(requests_to(ann, "/parts/")) - before == 4
    assert fetched(ann, "ann/lfs", "parts.safetensors") == digest_of(weights)


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_git_lfs_sends_parts_with_hf_lfs_enable_largefiles(ann, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    git = ann.git()
    work = git.home / "parts"
    git("clone", "--quiet", f"{git.url}/ann/lfs", str(work))
    ann.python(
        "import subprocess; subprocess.run(['hf', 'lfs-enable-largefiles', args[0]], check=True)",
        work,
    )
    weights = random_file(work / "pushed.safetensors", 2 * MIB + 5)
    random_file(work / "small.safetensors", 1000)
    git("-C", str(work), "add", ".")
    git("-C", str(work), "commit", "--quiet", "-m", "Weights")
    before = len(requests_to(ann, "/parts/"))
    git("-C", str(work), "push", "--quiet", "origin", "main")
    assert len(requests_to(ann, "/parts/")) - before == 4  # 3 of the large one, 1 of the small
    assert fetched(ann, "ann/lfs", "pushed.safetensors") == digest_of(weights)


def test_a_snapshot_comes_by_xet(ann, elsewhere, tmp_path):
    weights = random_file(tmp_path / "snap.safetensors", 2 * MIB)
    ann.python(UPLOAD, weights, "snap.safetensors", "ann/public")
    before = len(requests_to(ann, "/reconstructions/"))
    folder = Path(elsewhere.python("print(snapshot_download('ann/public'))"))
    assert digest_of(folder / "snap.safetensors") == digest_of(weights)
    assert len(requests_to(ann, "/reconstructions/")) > before
    partly = "f = HfFileSystem().open('ann/public/snap.safetensors'); f.seek(1000000)"
    read = elsewhere.python(f"{partly}; print(f.read(16).hex())")
    assert read == weights.read_bytes()[1000000:1000016].hex()


COPY = """
source, target = args
copy = CommitOperationCopy(
    "snap.safetensors", "copied.safetensors", src_repo_id=source, src_repo_type="model"
)
api.create_commit(target, [copy], commit_message="Copy")
"""


def test_a_file_is_copied_across_repositories_unsent(ann, elsewhere, tmp_path):
    weights = random_file(tmp_path / "copy.safetensors", 2 * MIB)
    ann.python(UPLOAD, weights, "snap.safetensors", "ann/large")
    sent = len(requests_to(ann, "/xorbs/"))
    ann.python(COPY, "ann/large", "ann/public")  # from a private one to a public one
    assert len(requests_to(ann, "/xorbs/")) == sent
    assert fetched(elsewhere, "ann/public", "copied.safetensors") == digest_of(weights)


REMOVE = """
files = [f for f in api.list_lfs_files('ann/lfs') if f.filename == args[0]]
api.permanently_delete_lfs_files('ann/lfs', files)
print([f.filename for f in api.list_lfs_files('ann/lfs')])
"""


def test_a_file_is_removed_for_good_with_its_bytes(ann, tmp_path):
    doomed = random_file(tmp_path / "doomed.safetensors", 2 * MIB)
    ann.python(UPLOAD, doomed, "doomed.safetensors", "ann/lfs")
    before = stored_bytes(ann, "blobs")
    assert "doomed" not in ann.python(REMOVE, "doomed.safetensors")
    ann.server.manage("collect_garbage", "--xorbs-at-once")
    assert stored_bytes(ann, "blobs") <= before - 2 * MIB
    said = ann.python("hf_hub_download('ann/lfs', 'doomed.safetensors')", ok=False)
    assert "EntryNotFound" in said
    assert json.loads(ann.server.manage("check_integrity", "--deep", "--json"))["ok"]


def test_a_client_sends_again_what_was_lost_once_the_epoch_is_new(ann, elsewhere, tmp_path):
    weights = random_file(tmp_path / "lost.safetensors", 2 * MIB)
    ann.python(UPLOAD, weights, "lost.safetensors", "ann/large")
    for shelf in (ann.server.data_dir / "objects").glob("private-*/xorbs"):
        shutil.rmtree(shelf)
    weights.write_bytes(weights.read_bytes() + b"more")
    said = ann.python(UPLOAD, weights, "lost.safetensors", "ann/large", ok=False)
    assert "is not stored here" in said  # the cache of this machine says that it is
    ann.server.manage("renew_xet_epoch")
    ann.python(UPLOAD, weights, "lost.safetensors", "ann/large")
    assert fetched(elsewhere, "ann/large", "lost.safetensors") == digest_of(weights)
