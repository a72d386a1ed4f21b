"""Call 34: copies within the hub."""

from __future__ import annotations

import hashlib
import os

from tests.golden.person import Person
from tests.golden.traffic import watching


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_call_34_a_duplicate_has_the_same_files(ann: Person):
    name, weights = ann.repo("m2", {"config.json": b"{}"}), os.urandom(100_000)
    ann.call("upload", name, "w.bin", str(ann.file("w", weights)))
    copy = ann.new_name("m3")
    with watching(ann.server) as seen:
        ann.hf("repos", "duplicate", name, copy)
    assert seen.contents == []
    found = ann.call("snapshot", copy)
    assert (found["w.bin"], found["config.json"]) == (sha256(weights), sha256(b"{}"))


def test_call_34_a_file_is_copied_between_repositories(ann: Person):
    source, target, weights = ann.repo("m2", {"f.txt": b"f"}), ann.repo("m3"), os.urandom(100_000)
    ann.call("upload", source, "w.bin", str(ann.file("w", weights)))
    with watching(ann.server) as seen:
        ann.hf("cp", f"hf://{source}/w.bin", f"hf://{target}/copied.bin")
    assert seen.contents == []
    ann.hf("cp", f"hf://{source}/f.txt", f"hf://{target}/f.txt")
    assert ann.call("download", target, "copied.bin")["sha256"] == sha256(weights)
    assert ann.call("download", target, "f.txt")["sha256"] == sha256(b"f")


def test_call_34_nobody_copies_what_they_may_not_read(ann: Person, ben: Person):
    source, target = ann.repo("m2", private=True), ben.repo("m3")
    ann.call("upload", source, "w.bin", str(ann.file("w", os.urandom(100_000))))
    ben.hf("cp", f"hf://{source}/w.bin", f"hf://{target}/w.bin", ok=False)
    assert "w.bin" not in ben.api.list_repo_files(target)
