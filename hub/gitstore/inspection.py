"""The content check of a push, run by git as its pre-receive hook in a process of its own.

New objects lie in git's quarantine until every hook agrees; a refusal leaves nothing behind.
Only the standard library and the light modules of this package: it starts with every push.
"""

import base64
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO

from hub.errors import BadInputError
from hub.gitstore.paths import DEPTH_LIMIT, PATH_LIMIT_BYTES, part_problem
from hub.gitstore.pointers import LIMIT_BYTES, Pointer, parse_pointer

CHANNEL_VARIABLE = "WEIGHBRIDGE_CHANNEL"
BLOB_LIMIT_BYTES = 10 * 1024**2
CARD_LIMIT_BYTES = 1024**2
META_LIMIT_BYTES = 4 * 1024**2
OBJECTS_LIMIT = 1_000_000
FILES_LIMIT = 100_000
FOLDER_LIMIT = 10_000
ZERO_OID = "0" * 40

_TREE_ENTRY = re.compile(rb"([0-7]+ [^\0]+)\0(.{20})", re.DOTALL)
_FOLDER_MODE = b"40000"
_MODES = {b"100644", b"100755", _FOLDER_MODE}
_WRONG_MODES = {b"120000": "a symbolic link", b"160000": "a submodule"}


@dataclass(frozen=True)
class _Folder:
    """What the limits need to know of a tree: `longest` and `children` count name bytes."""

    files: int
    longest: int
    begins_with_dots: bool
    children: tuple[tuple[int, str], ...]


def main() -> int:
    """git's answer: 0 lets the push in. What is printed to stderr reaches the person."""
    lines = [line.split(" ", 2) for line in sys.stdin.read().splitlines()]
    try:
        pointers = inspect_push([(new, ref) for _, new, ref in lines if new != ZERO_OID])
        left = [(ref, old) for old, new, ref in lines if _leaves(old, new)]
        problem = _ask_hub(pointers, left, changed_cards(lines))
    except BadInputError as error:
        problem = str(error)
    if problem:
        sys.stderr.write(f"\n{problem}\n\n")
    return 1 if problem else 0


def inspect_push(moved: list[tuple[str, str]]) -> list[Pointer]:
    """The large files that new objects point to. `moved` is (new oid, ref).

    Raises: BadInputError with the first rule that is broken and how to mend it.
    """
    _check_tips(moved)
    commits, trees, small = _classify([oid for oid, _ in moved])
    roots = {content[5:45].decode() for _, content in _read(commits)}
    folders: dict[str, _Folder] = {}
    checked = _Checked()
    missing = roots.union(trees)
    while missing:
        for oid, content in _read(sorted(missing)):
            folders[oid] = _folder(content, checked)
        inner = {oid for tree in missing for _, oid in folders[tree].children}
        missing = inner - folders.keys()
        if len(folders) > FILES_LIMIT:
            raise BadInputError(f"This push has over {FILES_LIMIT} folders to look at; split it.")
    _check_shape(roots, folders)
    found = {parse_pointer(content) for _, content in _read(small)}
    return sorted((one for one in found if one), key=lambda one: one.sha256)


def changed_cards(moved: list[list[str]]) -> Iterator[bytes]:
    """The README.md of each pushed branch that has another one than before, cut above the limit.

    `moved` are [old oid, new oid, ref]. A new branch is compared with the default one.
    """
    pairs = [
        (new, old if old != ZERO_OID else "HEAD")
        for old, new, ref in moved
        if new != ZERO_OID and not ref.startswith("refs/tags/")
    ]
    asked = "".join(f"{tip}:README.md\n" for pair in pairs for tip in pair)
    answers = b"".join(_git(["cat-file", "--batch-check"], asked)).decode().splitlines()
    found = [line.split()[0] if " blob " in line else None for line in answers]
    changed = {new for new, old in zip(found[::2], found[1::2], strict=True) if new != old}
    for _, content in _read(sorted(oid for oid in changed if oid)):
        yield content[: CARD_LIMIT_BYTES + 1]


def _check_tips(moved: list[tuple[str, str]]) -> None:
    asked = "".join(f"{oid}^{{commit}}\n" for oid, _ in moved)
    answers = b"".join(_git(["cat-file", "--batch-check"], asked)).decode().splitlines()
    for (_, ref), answer in zip(moved, answers, strict=True):
        if " commit " not in answer:
            raise BadInputError(f"{ref} must lead to a commit.")


def _classify(tips: list[str]) -> tuple[list[str], list[str], list[str]]:
    """New (commits, trees, blobs small enough to be pointers), once each was found not too big."""
    asked = "".join(f"{tip}\n" for tip in tips)
    walk = _lines(_git(["rev-list", "--objects", "--stdin", "--not", "--all"], asked))
    wanted = "%(objecttype) %(objectname) %(objectsize) %(rest)"
    with tempfile.TemporaryFile() as listed:
        for count, line in enumerate(walk):
            if count >= OBJECTS_LIMIT:
                raise BadInputError(f"This push has over {OBJECTS_LIMIT} new objects; split it.")
            listed.write(line + b"\n")
        listed.seek(0)
        commits, trees, small = list[str](), list[str](), list[str]()
        for line in _lines(_git(["cat-file", f"--batch-check={wanted}"], listed)):
            kind, oid, size, *rest = line.decode("utf-8", "replace").split(" ", 3)
            _check_size(kind, int(size), rest[0] if rest else "")
            if kind == "commit":
                commits.append(oid)
            elif kind == "tree":
                trees.append(oid)
            elif kind == "blob" and int(size) < LIMIT_BYTES:
                small.append(oid)
    return commits, trees, small


def _check_size(kind: str, size: int, path: str) -> None:
    if kind == "blob" and size > BLOB_LIMIT_BYTES:
        raise BadInputError(
            f"{path[:200] or 'A file'} is {size / 1024**2:.1f} MiB. Files above "
            f"{BLOB_LIMIT_BYTES // 1024**2} MiB belong in LFS: run 'git lfs migrate import "
            f'--include="{path[:200]}"\' and push again.'
        )
    if kind != "blob" and size > META_LIMIT_BYTES:
        raise BadInputError(f"A {kind} of {size} bytes is too large; the limit is 4 MiB.")


class _Checked:
    """What was found in order: names, and measures of folders by all their modes and names."""

    def __init__(self) -> None:
        self.names: set[bytes] = set()
        self.folders: dict[bytes, _Folder] = {}


def _folder(content: bytes, checked: _Checked) -> _Folder:
    """The measure of one tree, whose entries are checked by the rules for paths and modes.

    Most trees of a push are versions of one folder: what only their names decide is kept for all.
    """
    entries = _TREE_ENTRY.findall(content)
    key = hashlib.blake2b(b"\0".join([head for head, _ in entries]), digest_size=32).digest()
    if key not in checked.folders:
        checked.folders[key] = _named([head.split(b" ", 1) for head, _ in entries], checked.names)
    same = checked.folders[key]
    if not same.children:
        return same
    folders = [oid.hex() for head, oid in entries if head.startswith(_FOLDER_MODE + b" ")]
    lengths = (length for length, _ in same.children)
    return replace(same, children=tuple(zip(lengths, folders, strict=True)))


def _named(entries: list[list[bytes]], checked: set[bytes]) -> _Folder:
    """The measure of a tree with these modes and names; the oids of its folders are left out."""
    names = {name for _, name in entries}
    if len(entries) > FOLDER_LIMIT:
        raise BadInputError(f"A folder holds at most {FOLDER_LIMIT} entries; use subfolders.")
    if not {mode for mode, _ in entries} <= _MODES:
        _refuse_mode(entries)
    for name in names - checked:
        _check_name(name)
    checked |= names
    children = tuple((len(name), "") for mode, name in entries if mode == _FOLDER_MODE)
    dots = any(name.startswith(b"..") for name in names)
    longest = max(map(len, names), default=0)
    return _Folder(len(entries) - len(children), longest, dots, children)


def _refuse_mode(entries: list[list[bytes]]) -> None:
    mode, name = next((mode, name) for mode, name in entries if mode not in _MODES)
    shown, what = name[:200].decode("utf-8", "replace"), _WRONG_MODES.get(mode, "of another kind")
    raise BadInputError(f"{shown!a} is {what}, which cannot be stored here.")


def _check_name(name: bytes) -> None:
    try:
        problem = part_problem(name.decode())
    except UnicodeDecodeError:
        problem = "is not UTF-8."
    if problem:
        shown = name[:200].decode("utf-8", "replace")
        raise BadInputError(f"The path {shown!a} {problem}")


def _check_shape(roots: Iterable[str], folders: dict[str, _Folder]) -> None:
    """Depth, length and number of paths below each root, each distinct tree measured once."""
    memo: dict[str, tuple[int, int]] = {}
    for root in roots:
        if folders[root].begins_with_dots:
            raise BadInputError("A path begins with '..'.")
        files, longest = _measure(root, folders, memo, 1)
        if files > FILES_LIMIT:
            raise BadInputError(f"A repository holds at most {FILES_LIMIT} files.")
        if longest > PATH_LIMIT_BYTES:
            raise BadInputError(f"A path is longer than {PATH_LIMIT_BYTES} bytes.")


def _measure(
    oid: str, folders: dict[str, _Folder], memo: dict[str, tuple[int, int]], depth: int
) -> tuple[int, int]:
    """(files, bytes of the longest path) below a tree."""
    if oid in memo:
        return memo[oid]
    if depth > DEPTH_LIMIT:
        raise BadInputError(f"A path is nested deeper than {DEPTH_LIMIT} folders.")
    files, longest = folders[oid].files, folders[oid].longest
    for name_bytes, child in folders[oid].children:
        inner_files, inner_longest = _measure(child, folders, memo, depth + 1)
        files += inner_files
        longest = max(longest, name_bytes + 1 + inner_longest)
    memo[oid] = files, longest
    return memo[oid]


def _read(oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(oid, content) of each object, streamed out of one git."""
    with tempfile.TemporaryFile() as asked:
        asked.writelines(f"{oid}\n".encode() for oid in oids)
        asked.seek(0)
        with _start(["cat-file", "--batch"], asked) as git:
            assert git.stdout is not None  # noqa: S101, _start asks for a pipe
            while header := git.stdout.readline():
                oid, _, size = header.decode().split()
                content = git.stdout.read(int(size) + 1)[:-1]
                yield oid, content


def _git(args: list[str], given: str | IO[bytes]) -> Iterator[bytes]:
    """What git prints, as it comes; `given` is its whole input."""
    with tempfile.TemporaryFile() as asked:
        if isinstance(given, str):
            asked.write(given.encode())
            asked.seek(0)
        with _start(args, asked if isinstance(given, str) else given) as git:
            assert git.stdout is not None  # noqa: S101, _start asks for a pipe
            while chunk := git.stdout.read(64 * 1024):
                yield chunk
            if git.wait() != 0:
                raise BadInputError(f"git {args[0]} could not read this push.")


def _start(args: list[str], asked: IO[bytes]) -> subprocess.Popen[bytes]:
    # The environment is git's: it names the repository and the quarantine.
    return subprocess.Popen(["git", *args], stdin=asked, stdout=subprocess.PIPE)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _leaves(old: str, new: str) -> bool:
    """Whether a ref that moves so no longer leads to the commit it named."""
    if ZERO_OID in (old, new):
        return False
    return subprocess.run(["git", "merge-base", "--is-ancestor", old, new]).returncode != 0


def _ask_hub(
    pointers: list[Pointer], left: list[tuple[str, str]], cards: Iterable[bytes]
) -> str | None:
    """Why the hub refuses, or None. It knows large files and cards that may come here.

    `left` are (ref, oid) of heads about to be replaced: the hub keeps those of pull requests.
    """
    if CHANNEL_VARIABLE not in os.environ:
        return "This repository takes pushes through its hub only."
    with socket.socket(fileno=int(os.environ[CHANNEL_VARIABLE])) as channel:
        for card in cards:
            channel.sendall(b"card " + base64.b64encode(card) + b"\n")
        said = [f"leaves {oid} {ref}" for ref, oid in left]
        for one in pointers:
            said.append(f"pointer {one.sha256} {one.size_bytes} {one.pointer_size_bytes}")
        channel.sendall("".join(f"{line}\n" for line in [*said, "end"]).encode())
        with channel.makefile("r", encoding="utf-8") as answers:
            answer = answers.readline().strip()
    if answer == "ok":
        return None
    return answer.removeprefix("refuse ") or "The hub went away before it agreed; push again."


def forward_moves() -> int:
    """post-receive: tell the hub which refs git moved, as `moved OLD NEW REF` lines."""
    moves = "".join(f"moved {line}\n" for line in sys.stdin.read().splitlines())
    with socket.socket(fileno=int(os.environ[CHANNEL_VARIABLE])) as channel:
        channel.sendall(moves.encode())
    return 0
