"""Calls 35 and 36: git and git-lfs."""

from __future__ import annotations

import hashlib
import os

import pytest

from tests.golden.person import Person


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("ending", ["", ".git"])
def test_call_35_clone_edit_and_push(ann: Person, ending: str):
    name, weights = ann.repo("m2", {"a.txt": b"a\n"}), os.urandom(200_000)
    ann.call("upload", name, "w.safetensors", str(ann.file("w", weights)))
    git = ann.git()
    work = git.home / name.partition("/")[2]
    git("clone", "--quiet", f"{git.url}/{name}{ending}", str(work))
    assert sha256((work / "w.safetensors").read_bytes()) == sha256(weights)
    (work / "w.safetensors").write_bytes(weights[::-1])
    oid = git.commit(work, "a.txt", b"b\n")
    oid = git.commit(work, "w.safetensors", weights[::-1])
    git("-C", str(work), "push", "--quiet")
    assert ann.call("model_info", name, {})["sha"] == oid
    found = ann.call("snapshot", name)
    assert (found["w.safetensors"], found["a.txt"]) == (sha256(weights[::-1]), sha256(b"b\n"))


def test_call_36_a_push_the_hub_cannot_keep_is_refused(ann: Person):
    name = ann.repo("m2", {"a.txt": b"a\n"})
    git = ann.git()
    work = git.home / name.partition("/")[2]
    git("clone", "--quiet", f"{git.url}/{name}", str(work))
    head = git("-C", str(work), "rev-parse", "HEAD").strip()
    git.commit(work, "big.dat", os.urandom(20_000_000))
    said = git("-C", str(work), "push", ok=False)
    assert "big.dat" in said and "10 MiB" in said
    git("-C", str(work), "reset", "--quiet", "--hard", head)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n"
    git.commit(work, "lost.txt", pointer.encode())
    said = git("-C", str(work), "push", "--no-verify", ok=False)
    assert "lost.txt" in said or "abab" in said
    assert ann.api.model_info(name).sha == head
