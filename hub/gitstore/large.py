"""The pointers in a repository's whole history, and a history without some of them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from hub.gitstore.pointers import LIMIT_BYTES, Pointer, parse_pointer
from hub.gitstore.process import run_git
from hub.gitstore.writing import landed

HISTORY_SECONDS = 120
_TREE_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_FOLDER_MODES = {b"40000", b"040000"}


@dataclass(frozen=True)
class PointerFile:
    """A pointer as git holds it: the blob's oid, and one of the paths it has had."""

    oid: str
    path: str
    pointer: Pointer


def pointer_files(repository: pygit2.Repository) -> Iterator[PointerFile]:
    """Every pointer that any ref reaches, hidden ones included; each blob once.

    Raises: GitFailedError when two minutes do not suffice.
    """
    arguments = ["--objects", "--all", f"--filter=blob:limit={LIMIT_BYTES}"]
    listed = run_git(Path(repository.path), "rev-list", *arguments, total_seconds=HISTORY_SECONDS)
    for line in listed.stdout.splitlines():
        oid, _, path = line.decode("utf-8", "replace").partition(" ")
        # Paths of trees are listed too; commits have none.
        if not path or repository.odb.read_header(oid)[0] != ObjectType.BLOB:
            continue
        if pointer := parse_pointer(repository.odb.read(oid)[1]):
            yield PointerFile(oid, path, pointer)


def rewritten(
    repository: pygit2.Repository, tips: Iterable[str], doomed: set[str]
) -> dict[str, str]:
    """The new oid of every commit below `tips` that changes when the blobs `doomed` are gone.

    Authors, moments and messages stay; folders left empty go; signatures, which would be wrong,
    go too. No ref moves.
    """
    order = run_git(
        Path(repository.path),
        "rev-list",
        *("--topo-order", "--reverse", "--stdin"),
        stdin="\n".join(tips).encode(),
        total_seconds=HISTORY_SECONDS,
    )
    trees = _Trees(repository, {bytes.fromhex(oid) for oid in doomed})
    moved: dict[str, str] = {}
    for oid in order.stdout.decode().split():
        content = _rewritten_commit(repository.odb.read(oid)[1], trees, moved)
        if content is not None:
            made = repository.odb.write(ObjectType.COMMIT, content)
            moved[oid] = str(landed(repository, made))
    return moved


class _Trees:
    """Trees without some blobs; each is looked at once."""

    def __init__(self, repository: pygit2.Repository, doomed: set[bytes]) -> None:
        self._repository, self._doomed = repository, doomed
        self._known: dict[bytes, bytes] = {}
        self._empty = b""

    def without(self, tree: bytes) -> bytes:
        """The raw oid of the tree; empty bytes when nothing is left in it."""
        if tree not in self._known:
            self._known[tree] = self._rewrite(tree)
        return self._known[tree]

    def root_without(self, tree: bytes) -> bytes:
        return self.without(tree) or self._write(b"")

    def _rewrite(self, tree: bytes) -> bytes:
        content = self._repository.odb.read(pygit2.Oid(raw=tree))[1]
        kept = bytearray()
        for mode, name, oid in _TREE_ENTRY.findall(content):
            new = self.without(oid) if mode in _FOLDER_MODES else oid
            if new and new not in self._doomed:
                kept += b"%s %s\0%s" % (mode, name, new)
        if bytes(kept) == content:
            return tree
        return self._write(bytes(kept)) if kept else b""

    def _write(self, content: bytes) -> bytes:
        oid = landed(self._repository, self._repository.odb.write(ObjectType.TREE, content))
        return bytes(oid.raw)


def _rewritten_commit(content: bytes, trees: _Trees, moved: dict[str, str]) -> bytes | None:
    """The commit with its new tree and parents; None when they are the old ones."""
    header, _, message = content.partition(b"\n\n")
    lines: list[bytes] = []
    changed = in_signature = False
    for line in header.split(b"\n"):
        if in_signature and line.startswith(b" "):
            continue
        in_signature = line.startswith(b"gpgsig")
        if in_signature:
            continue
        word, _, value = line.partition(b" ")
        if word == b"tree":
            new = trees.root_without(bytes.fromhex(value.decode())).hex()
        elif word == b"parent":
            new = moved.get(value.decode(), value.decode())
        else:
            lines.append(line)
            continue
        changed |= new != value.decode()
        lines.append(word + b" " + new.encode())
    return b"\n".join(lines) + b"\n\n" + message if changed else None
