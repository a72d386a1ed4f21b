"""The content check of a push, run by git as its pre-receive hook in a process of its own.

New objects lie in git's quarantine until every hook agrees; a refusal leaves nothing behind.
Only the standard library and the light modules of this package: it starts with every push.
"""

import base64
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
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
LAYOUTS_PER_LENGTH = 4
LAYOUTS_LIMIT_BYTES = 64 * 1024**2
ZERO_OID = "0" * 40

_TREE_ENTRY = re.compile(rb"([0-7]+ [^\0]+)\0(.{20})", re.DOTALL)
_FOLDER_MODE = b"40000"
_OID_BYTES = 20
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
        cards = look_up(lines)
        pointers = inspect_push([new for _, new, _ in lines if new != ZERO_OID])
        left = [(ref, old) for old, new, ref in lines if _leaves(old, new)]
        problem = _ask_hub(pointers, left, _contents(cards))
    except BadInputError as error:
        problem = str(error)
    if problem:
        sys.stderr.write(f"\n{problem}\n\n")
    return 1 if problem else 0


def inspect_push(tips: list[str]) -> list[Pointer]:
    """The large files that objects point to which `tips` reach and no ref does yet.

    Raises: BadInputError with the first rule that is broken and how to mend it.
    """
    commits, trees, small = _classify(tips)
    roots, folders, found = set[str](), dict[str, _Folder](), set[Pointer | None]()
    checked = _Checked()
    for oid, kind, content in _read([*commits, *trees, *small]):
        if kind == "commit":
            roots.add(content[5:45].decode())
        elif kind == "tree":
            folders[oid] = _folder(content, checked)
        else:
            found.add(parse_pointer(content))
    below = {oid for folder in folders.values() for _, oid in folder.children}
    while missing := (roots | below) - folders.keys():
        for oid, _, content in _read(missing):
            folders[oid] = _folder(content, checked)
            below.update(inner for _, inner in folders[oid].children)
        if len(folders) > FILES_LIMIT:
            raise BadInputError(f"This push has over {FILES_LIMIT} folders to look at; split it.")
    _check_shape(roots, folders)
    return sorted((one for one in found if one), key=lambda one: one.sha256)


def look_up(moved: list[list[str]]) -> list[str]:
    """The README.md of each pushed branch that has another one than before, as oids of blobs.

    `moved` are [old oid, new oid, ref]. A new branch is compared with the default one.
    Raises: BadInputError for a ref that would lead to no commit.
    """
    coming = [(old, new, ref) for old, new, ref in moved if new != ZERO_OID]
    tips = [f"{new}^{{commit}}" for _, new, _ in coming]
    pairs = [
        (new, old if old != ZERO_OID else "HEAD")
        for old, new, ref in coming
        if not ref.startswith("refs/tags/")
    ]
    asked = [*tips, *(f"{tip}:README.md" for pair in pairs for tip in pair)]
    answers = [line.decode() for line in _lines(_ask(["cat-file", "--batch-check"], asked))]
    for (_, _, ref), answer in zip(coming, answers, strict=False):
        if " commit " not in answer:
            raise BadInputError(f"{ref} must lead to a commit.")
    found = [line.split()[0] if " blob " in line else "" for line in answers[len(tips) :]]
    changed = {new for new, old in zip(found[::2], found[1::2], strict=True) if new != old}
    return sorted(changed - {""})


def _contents(cards: list[str]) -> Iterator[bytes]:
    """Each card, cut above the limit."""
    for _, _, content in _read(cards) if cards else ():
        yield content[: CARD_LIMIT_BYTES + 1]


def _classify(tips: list[str]) -> tuple[list[str], list[str], list[str]]:
    """New (commits, trees, blobs small enough to be pointers), once each was found not too big."""
    found: dict[str, list[str]] = {"commit": [], "tree": [], "blob": []}
    for count, line in enumerate(_lines(_new_objects(tips))):
        if count >= OBJECTS_LIMIT:
            raise BadInputError(f"This push has over {OBJECTS_LIMIT} new objects; split it.")
        kind, oid, size, *rest = line.decode("utf-8", "replace").split(" ", 3)
        _check_size(kind, int(size), rest[0] if rest else "")
        if kind in found and (kind != "blob" or int(size) < LIMIT_BYTES):
            found[kind].append(oid)
    return found["commit"], found["tree"], found["blob"]


def _new_objects(tips: list[str]) -> Iterator[bytes]:
    """What git prints of all that `tips` reach and no ref does: kind, oid, size, a path.

    One git walks while the other one measures.
    """
    walk = ["rev-list", "--objects", "--stdin", "--not", "--all"]
    wanted = "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)"
    with _start(walk, subprocess.PIPE) as walking:
        _hand_in(walking, tips)
        with _start(["cat-file", "--buffer", wanted], walking.stdout) as git:
            assert walking.stdout is not None  # noqa: S101, _start asks for a pipe
            walking.stdout.close()  # the other git has it
            yield from _chunks(git)
            _require_success(git, walking)


def _check_size(kind: str, size: int, path: str) -> None:
    if kind == "blob" and size > BLOB_LIMIT_BYTES:
        raise BadInputError(
            f"{path[:200] or 'A file'} is {size / 1024**2:.1f} MiB. Files above "
            f"{BLOB_LIMIT_BYTES // 1024**2} MiB belong in LFS: run 'git lfs migrate import "
            f'--include="{path[:200]}"\' and push again.'
        )
    if kind != "blob" and size > META_LIMIT_BYTES:
        raise BadInputError(f"A {kind} of {size} bytes is too large; the limit is 4 MiB.")


@dataclass(frozen=True)
class _Layout:
    """A tree without its oids, as a number; `mask` has ones where they are not."""

    mask: int
    heads: int
    folder: _Folder
    places: tuple[int, ...]


class _Checked:
    """What was found in order: names, and measures of folders by all their modes and names.

    The layouts are looked for by the length of the tree, the newest first.
    """

    def __init__(self) -> None:
        self.names: set[bytes] = set()
        self.layouts: dict[int, list[_Layout]] = {}
        self.room_bytes = LAYOUTS_LIMIT_BYTES

    def keep(self, length: int, layout: _Layout) -> None:
        same = self.layouts.setdefault(length, [])
        if len(same) >= LAYOUTS_PER_LENGTH:
            same.pop()
        elif self.room_bytes < 2 * length:
            return
        else:
            self.room_bytes -= 2 * length
        same.insert(0, layout)


def _folder(content: bytes, checked: _Checked) -> _Folder:
    """The measure of one tree, whose entries are checked by the rules for paths and modes.

    Most trees of a push are versions of one folder: what only their modes and names decide is
    worked out once, and known again by one comparison of all bytes but the oids.
    """
    number = int.from_bytes(content, "big")
    for layout in checked.layouts.get(len(content), ()):
        if number & layout.mask == layout.heads:
            return _with_oids(layout, content)
    layout = _laid_out(content, number, checked)
    checked.keep(len(content), layout)
    return _with_oids(layout, content)


def _with_oids(layout: _Layout, content: bytes) -> _Folder:
    """The layout's measure with the oids of this very tree's folders."""
    if not layout.places:
        return layout.folder
    folders = [content[place : place + _OID_BYTES].hex() for place in layout.places]
    lengths = (length for length, _ in layout.folder.children)
    return replace(layout.folder, children=tuple(zip(lengths, folders, strict=True)))


def _laid_out(content: bytes, number: int, checked: _Checked) -> _Layout:
    mask, entries, places = bytearray(b"\xff" * len(content)), [], []
    for found in _TREE_ENTRY.finditer(content):
        place = found.end() - _OID_BYTES
        mask[place : found.end()] = bytes(_OID_BYTES)
        entries.append(found[1].split(b" ", 1))
        if entries[-1][0] == _FOLDER_MODE:
            places.append(place)
    kept = int.from_bytes(mask, "big")
    folder = _named(entries, checked.names)
    return _Layout(kept, number & kept, folder, tuple(places))


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
        rest = "is not UTF-8."
    else:
        if problem is None:
            return
        rest = problem.rest
    shown = name[:200].decode("utf-8", "replace")
    raise BadInputError(f"The path {shown!a} {rest}")


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


def _read(oids: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
    """(oid, kind, content) of each object, streamed out of one git."""
    with _start(["cat-file", "--buffer", "--batch"], subprocess.PIPE) as git:
        _hand_in(git, oids)
        assert git.stdout is not None  # noqa: S101, _start asks for a pipe
        while header := git.stdout.readline():
            oid, kind, size = header.decode().split()
            content = git.stdout.read(int(size) + 1)[:-1]
            yield oid, kind, content


def _ask(args: list[str], lines: Iterable[str]) -> Iterator[bytes]:
    """What git prints, as it comes; `lines` are its whole input."""
    with _start(args, subprocess.PIPE) as git:
        _hand_in(git, lines)
        yield from _chunks(git)
        _require_success(git)


def _chunks(git: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert git.stdout is not None  # noqa: S101, _start asks for a pipe
    while chunk := git.stdout.read(64 * 1024):
        yield chunk


def _require_success(*started: subprocess.Popen[bytes]) -> None:
    for git in started:
        if git.wait() != 0:
            raise BadInputError("git could not read this push.")


def _start(args: list[str], asked: IO[bytes] | int | None) -> subprocess.Popen[bytes]:
    # The environment is git's: it names the repository and the quarantine.
    return subprocess.Popen(["git", *args], stdin=asked, stdout=subprocess.PIPE)


def _hand_in(git: subprocess.Popen[bytes], lines: Iterable[str]) -> None:
    """Write git's whole input while its output is read."""
    sink, text = git.stdin, "".join(f"{line}\n" for line in lines).encode()
    git.stdin = None  # the thread closes it
    assert sink is not None  # noqa: S101, the caller asked for a pipe

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), sink:
            sink.write(text)

    threading.Thread(target=write, daemon=True).start()


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
