"""Where a file or folder was before the commit that brought it to its path."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator

import pygit2
from pygit2.enums import DeltaStatus, DiffFind

from hub.gitstore.pointers import LIMIT_BYTES, parse_pointer
from hub.gitstore.reading import tree_of
from hub.gitstore.values import Origin

# Comparing all with all is quadratic: where more changed, only the same content is found again.
SIMILAR_LIMIT = 400


def moved_from(repository: pygit2.Repository, oid: str, path: str) -> Origin | None:
    """What lay elsewhere before `oid` and is at `path` since; None when it is new there.

    A folder comes from where the first of its files comes from, with the same name below it.
    """
    parents = repository[oid].peel(pygit2.Commit).parent_ids
    if not parents:
        return None
    parent = str(parents[0])
    for old, new in _renames(repository, parent, oid):
        if new == path:
            return Origin(parent, old)
        below = new.removeprefix(f"{path}/")
        if below != new and old.endswith(f"/{below}"):
            return Origin(parent, old.removesuffix(f"/{below}"))
    return None


def _renames(repository: pygit2.Repository, parent: str, oid: str) -> Iterator[tuple[str, str]]:
    """(old path, new path) of what changed its place: the same first, then what is alike."""
    difference = tree_of(repository, parent).diff_to_tree(tree_of(repository, oid))
    gone = defaultdict(list)
    for delta in difference.deltas:
        if delta.status == DeltaStatus.DELETED:
            gone[delta.old_file.id].append(_path(delta.old_file))
    for delta in difference.deltas:
        if delta.status == DeltaStatus.ADDED and (olds := gone.get(delta.new_file.id)):
            new = _path(delta.new_file)
            named = posixpath.basename(new)
            yield next((old for old in olds if posixpath.basename(old) == named), olds[0]), new
    if gone and len(difference) <= SIMILAR_LIMIT:
        difference.find_similar(DiffFind.FIND_RENAMES, rename_limit=SIMILAR_LIMIT)
        for delta in difference.deltas:
            # Pointers to two large files look alike, whatever those hold.
            if delta.status == DeltaStatus.RENAMED and not _is_pointer(repository, delta.new_file):
                yield _path(delta.old_file), _path(delta.new_file)


def _path(side: pygit2.DiffFile) -> str:
    return side.raw_path.decode("utf-8", "replace")


def _is_pointer(repository: pygit2.Repository, side: pygit2.DiffFile) -> bool:
    blob = repository.get(side.id)
    if not isinstance(blob, pygit2.Blob) or blob.size >= LIMIT_BYTES:
        return False
    return parse_pointer(blob.data) is not None
