"""What changed between two commits, file by file and line by line, within limits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pygit2
from pygit2.enums import DeltaStatus, DiffFind, DiffFlag, FileMode

from hub.gitstore.libgit import open_repository
from hub.gitstore.process import read_chunks, spawn_git
from hub.gitstore.reading import blob_entry, tree_of
from hub.gitstore.values import Entry, FileDiff, Hunk, HunkLine

RENAME_LIMIT = 400
PATCH_SECONDS = 30.0
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # known to every git without being stored

UTF_8 = "UTF-8"
# One version of a file, and the bytes that git holds of it: None for a large file.
Side = tuple[Entry, bytes | None]
# The texts of both sides of a change (or of the only one), each with its encoding; None for none.
TextOf = Callable[[Sequence[Side]], list[tuple[str, str]] | None]

_SIGNS = {"=": "\\", ">": "\\", "<": "\\"}


def diff_commits(
    repository: pygit2.Repository,
    base: str | None,
    head: str,
    *,
    limit_files: int,
    limit_bytes: int,
    text_of: TextOf | None = None,
) -> list[FileDiff]:
    """The first `limit_files` changed files between two commits (None: from nothing).

    Lines are shown until the files compared add up to `limit_bytes`; those after are `truncated`.
    `text_of` tells what files say whose bytes git cannot compare as UTF-8.
    """
    found: list[FileDiff] = []
    for index, delta, difference in _deltas(repository, base, head, limit_files):
        for old, new in _sides(repository, delta):
            shown = _without_lines(old, new)
            is_large = any(entry.lfs for entry in (old, new) if entry)
            cost = sum(entry.size for entry in (old, new) if entry)
            if cost > limit_bytes:
                found.append(shown if is_large else replace(shown, truncated=True))
                continue
            told = _as_texts(repository, shown, text_of) if text_of else None
            if told or not is_large:
                limit_bytes -= cost
            found.append(told or (shown if is_large else _with_lines(shown, difference[index])))
        if len(found) >= limit_files:
            break
    return found[:limit_files]


@contextmanager
def seeing(here: Path, there: Path) -> Iterator[pygit2.Repository]:
    """The repository at `here`, which also finds the objects of the one at `there`.

    Only this handle does: nothing is written, and it is closed at the end.
    """
    repository = open_repository(here)
    try:
        if here != there:
            repository.odb.add_disk_alternate(str(there / "objects"))
        yield repository
    finally:
        repository.free()


def changed_paths(repository: pygit2.Repository, base: str | None, head: str) -> list[str]:
    """Every path that was added, changed or removed, sorted; a rename counts for both names."""
    difference = _tree_diff(repository, base, head)
    paths = {
        side.raw_path.decode("utf-8", "replace")
        for delta in difference.deltas
        for side in (delta.old_file, delta.new_file)
    }
    return sorted(paths)


def diff_texts(path: str, old: bytes | None, new: bytes) -> FileDiff:
    """What `new` changes of `old`, line by line; None where there is no file yet."""
    patch = pygit2.Patch.create_from(old or b"", new, old_as_path=path, new_as_path=path)
    shown = FileDiff(path, None, "added" if old is None else "modified", None, None)
    return _with_lines(shown, patch)


def patch_text(git_dir: Path, base: str | None, head: str, *, limit_bytes: int) -> str:
    """A unified diff, cut at a line's end with a closing remark when it passes `limit_bytes`."""
    arguments = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames"]
    text = bytearray()
    with spawn_git(git_dir, [*arguments, "--end-of-options", base or EMPTY_TREE, head, "--"]) as it:
        for chunk in read_chunks(it, total_seconds=PATCH_SECONDS):
            text += chunk
            if len(text) > limit_bytes:
                del text[text.rfind(b"\n", 0, limit_bytes) + 1 :]
                text += b"(The rest of this diff is too long to show.)\n"
                break
    return text.decode("utf-8", "replace")


def _tree_diff(repository: pygit2.Repository, base: str | None, head: str) -> pygit2.Diff:
    new = tree_of(repository, head)
    if base is None:
        return new.diff_to_tree(swap=True)
    return tree_of(repository, base).diff_to_tree(new)


def _deltas(
    repository: pygit2.Repository, base: str | None, head: str, limit_files: int
) -> Iterator[tuple[int, pygit2.DiffDelta, pygit2.Diff]]:
    difference = _tree_diff(repository, base, head)
    if len(difference) <= RENAME_LIMIT:  # comparing all with all is quadratic
        difference.find_similar(DiffFind.FIND_RENAMES, rename_limit=RENAME_LIMIT)
    for index, delta in enumerate(difference.deltas):
        if index >= limit_files:
            return
        yield index, delta, difference


def _sides(
    repository: pygit2.Repository, delta: pygit2.DiffDelta
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """(old, new) of a delta. Two different large files are never a rename of each other:
    their pointers look alike, their content need not."""
    old, new = _entry(repository, delta.old_file), _entry(repository, delta.new_file)
    if delta.status == DeltaStatus.ADDED:
        old = None
    if delta.status == DeltaStatus.DELETED:
        new = None
    renamed = old is not None and new is not None and old.path != new.path
    if renamed and old and new and (old.lfs or new.lfs) and old.oid != new.oid:
        yield old, None
        yield None, new
    else:
        yield old, new


def _entry(repository: pygit2.Repository, side: pygit2.DiffFile) -> Entry | None:
    path = side.raw_path.decode("utf-8", "replace")
    if side.mode in (FileMode.UNREADABLE, FileMode.COMMIT):
        return None
    return blob_entry(repository, side.id, f"{side.mode:06o}", path)


def _without_lines(old: Entry | None, new: Entry | None) -> FileDiff:
    path = new.path if new else old.path if old else ""
    old_path = old.path if old and new and old.path != new.path else None
    if old is None or new is None:
        return FileDiff(path, None, "added" if old is None else "deleted", old, new)
    return FileDiff(path, old_path, "renamed" if old_path else "modified", old, new)


def _with_lines(shown: FileDiff, patch: pygit2.Patch | None) -> FileDiff:
    if patch is None:
        return shown
    if patch.delta.flags & DiffFlag.BINARY:
        return replace(shown, binary=True)
    return replace(shown, hunks=[_hunk(hunk) for hunk in patch.hunks])


def _as_texts(repository: pygit2.Repository, shown: FileDiff, text_of: TextOf) -> FileDiff | None:
    """The change between what both sides say; None where git's own comparison does, or none can."""
    sides = [each for each in (shown.old, shown.new) if each is not None]
    if len({each.oid for each in sides}) < len(sides):
        return None
    contents = [None if each.lfs else _bytes(repository, each.oid) for each in sides]
    if all(content is not None and _is_utf_8(content) for content in contents):
        return None
    told = text_of(list(zip(sides, contents, strict=True)))
    if told is None:
        return None
    written = [text.encode("utf-8", "replace") for text, _encoding in told]
    old = b"" if shown.old is None else written[0]
    new = b"" if shown.new is None else written[-1]
    names = list(dict.fromkeys(encoding for _text, encoding in told))
    patch = pygit2.Patch.create_from(old, new, old_as_path=shown.path, new_as_path=shown.path)
    is_usual = names == [UTF_8]
    return replace(_with_lines(shown, patch), encoding="" if is_usual else " → ".join(names))


def _bytes(repository: pygit2.Repository, oid: str) -> bytes:
    blob = repository[oid]
    return blob.data if isinstance(blob, pygit2.Blob) else b""


def _is_utf_8(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _hunk(hunk: pygit2.DiffHunk) -> Hunk:
    return Hunk(hunk.header.rstrip("\n"), [_line(line) for line in hunk.lines])


def _line(line: pygit2.DiffLine) -> HunkLine:
    text = line.raw_content.decode("utf-8", "replace").removesuffix("\n")
    sign = _SIGNS.get(line.origin, line.origin)
    if sign == "\\":  # a note on the line before, which has the numbers
        return HunkLine(sign, None, None, "No newline at end of file")
    old_no = line.old_lineno if line.old_lineno > 0 else None
    return HunkLine(sign, old_no, line.new_lineno if line.new_lineno > 0 else None, text)
