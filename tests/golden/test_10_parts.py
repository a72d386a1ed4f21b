"""Call 37: large files in parts, by git-lfs and by the client."""

from __future__ import annotations

import hashlib
import os

from tests.golden.person import Person
from tests.golden.traffic import watching


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_call_37_large_files_go_in_parts(ann: Person):
    """The hub of these tests asks for parts above 6 MB, where a real one does above 5 GiB."""
    name, weights = ann.repo("m2"), os.urandom(17_000_000)
    git = ann.git()
    work = git.home / name.partition("/")[2]
    git("clone", "--quiet", f"{git.url}/{name}", str(work))
    ann.hf("lfs-enable-largefiles", work)
    git.commit(work, "w.safetensors", weights)
    # `hf`, which git-lfs starts for each transfer, is this person's.
    with watching(ann.server) as seen:
        git("-C", str(work), "push", "--quiet", PATH=ann.environment["PATH"])
    puts = [one for one in seen.to("/-/lfs/") if one[0] == "PUT"]
    assert len(puts) == 4 and {status for _, status in puts} == {200}
    (entry,) = ann.api.get_paths_info(name, "w.safetensors")
    assert entry.lfs.sha256 == sha256(weights)
    assert ann.call("download", name, "w.safetensors")["sha256"] == sha256(weights)


def test_call_37_the_python_client_sends_parts_too(ann: Person):
    name, weights = ann.repo("m2"), os.urandom(17_000_000)
    with watching(ann.server) as seen:
        ann.call("upload_stream", name, "w.bin", str(ann.file("w", weights)))
    assert len([one for one in seen.to("/-/lfs/") if one[0] == "PUT"]) == 4
    assert ann.call("download", name, "w.bin")["sha256"] == sha256(weights)
