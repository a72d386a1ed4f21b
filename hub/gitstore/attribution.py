"""Which commit last changed each child of a folder, worked out once and carried on.

The commit of a name is that of the first parent which holds the name unchanged, and the commit
itself where no parent does: the answer for a commit never changes, and the answer for the next
commit begins from the kept one. No git process is started.
"""

import bisect
import hashlib
import heapq
import posixpath
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pygit2

from hub.errors import EntryNotFoundError
from hub.gitstore.derived import Derived
from hub.gitstore.moments import moment_of
from hub.gitstore.reading import find_entry
from hub.gitstore.values import LastCommit

# A folder's listing is worth this much of a reader's patience; what is not found stays unknown.
PATIENCE_SECONDS = 5.0
_CHECKED_EVERY = 64
_ENTRY = re.compile(rb"[0-7]+ ([^\0]+)\0.{20}", re.DOTALL)
_OID_BYTES = 20
Names = set[bytes]


def last_commits(
    repository: pygit2.Repository,
    commit: str,
    path: str,
    *,
    patience_seconds: float | None = None,
) -> dict[str, LastCommit]:
    """The commit that last changed each direct child of the folder `path`, by full path.

    The same answer as `git log -1 -- CHILD` for each. A child that the time did not suffice for
    is absent. Raises: EntryNotFoundError.
    """
    folder = find_entry(repository, commit, path)
    if folder.kind != "directory":
        raise EntryNotFoundError(f"{path!r} is a file, not a folder.")
    path = folder.path
    kept = _Kept(Derived(Path(repository.path)), path)
    found = kept.of(commit)
    if found is None:
        patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        search = _Search(repository, path, kept, time.monotonic() + patience)
        found = search.run(commit)
        if search.is_complete:
            kept.keep(commit, found)
    return _by_path(path, found)


def kept_commit(repository: pygit2.Repository, commit: str, path: str) -> str | None:
    """The commit that `last_commits` has found for the file `path`; None where it was not asked."""
    folder, name = posixpath.split(path)
    return _Kept(Derived(Path(repository.path)), folder).one(commit, name)


def _by_path(folder: str, found: Mapping[bytes, LastCommit]) -> dict[str, LastCommit]:
    above = f"{folder}/" if folder else ""
    return {above + name.decode("utf-8", "replace"): each for name, each in found.items()}


class _Kept:
    """Whole answers for one folder, each under the commit that it was asked for."""

    def __init__(self, derived: Derived, path: str) -> None:
        self._derived = derived
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._prefix = f"last-{digest}-"

    def commits(self) -> set[str]:
        return self._derived.keys(self._prefix)

    def of(self, commit: str) -> dict[bytes, LastCommit] | None:
        value = self._derived.get(f"{self._prefix}{commit}")
        if value is None:
            return None
        commits = [LastCommit(oid, subject, moment_of(at)) for oid, subject, at in value["commits"]]
        names = value["names"].items()
        return {name.encode("utf-8", "surrogateescape"): commits[place] for name, place in names}

    def one(self, commit: str, name: str) -> str | None:
        """`of` for one name: the id of its commit, None where it is not known."""
        value = self._derived.get(f"{self._prefix}{commit}")
        at = None if value is None else value["names"].get(name)
        return None if at is None else str(value["commits"][at][0])

    def keep(self, commit: str, found: Mapping[bytes, LastCommit]) -> None:
        places = {one.oid: (place, one) for place, one in enumerate(_distinct(found))}
        commits = [
            (oid, one.subject, int(one.committed_at.timestamp()))
            for oid, (_, one) in places.items()
        ]
        names = {
            name.decode("utf-8", "surrogateescape"): places[one.oid][0]
            for name, one in found.items()
        }
        self._derived.put(f"{self._prefix}{commit}", {"commits": commits, "names": names})


def _distinct(found: Mapping[bytes, LastCommit]) -> list[LastCommit]:
    return list({one.oid: one for one in found.values()}.values())


@dataclass
class _Search:
    """Hands each name down the history until a commit is found that changed it."""

    repository: pygit2.Repository
    path: str
    kept: _Kept
    ends_at: float
    is_complete: bool = True
    _pending: dict[pygit2.Oid, Names] = field(default_factory=dict)
    # Newest first: all heirs of a commit come before it, but for clocks that disagree. Those
    # cost a second visit and no more, for a name's answer does not depend on the order.
    _queue: list[tuple[int, bytes, pygit2.Commit]] = field(default_factory=list)
    _listings: dict[pygit2.Oid, "_Listing"] = field(default_factory=dict)

    def run(self, oid: str) -> dict[bytes, LastCommit]:
        start = self.repository[oid].peel(pygit2.Commit)
        listing = self._listing(start)
        found: dict[bytes, LastCommit] = {}
        known = self.kept.commits()
        self._push(start, set(listing.names) if listing else set())
        visited = 0
        while self._queue:
            visited += 1
            if visited % _CHECKED_EVERY == 0 and time.monotonic() > self.ends_at:
                self.is_complete = False
                break
            _, _, commit = heapq.heappop(self._queue)
            wanted = self._pending.pop(commit.id, None)
            if not wanted:
                continue
            kept = self.kept.of(str(commit.id)) if str(commit.id) in known else None
            if kept is not None and wanted <= kept.keys():
                found.update((name, kept[name]) for name in wanted)
            elif changed := self._hand_on(commit, wanted):
                one = _described(commit)
                found.update(dict.fromkeys(changed, one))
        return found

    def _hand_on(self, commit: pygit2.Commit, wanted: Names) -> Names:
        """The names that `commit` changed itself; the others now wait at its parents."""
        here = self._folder(commit)
        for oid in commit.parent_ids:
            parent = self.repository.get(oid)
            if not isinstance(parent, pygit2.Commit):
                continue  # a shallow import: history ends here
            there = self._folder(parent)
            if here == there:
                self._push(parent, wanted)
                return set()
            changed = self._changed(here, there, wanted)
            if len(changed) < len(wanted):
                self._push(parent, wanted - changed)
            wanted = changed
            if not wanted:
                break
        return wanted

    def _push(self, commit: pygit2.Commit, names: Names) -> None:
        """Let `names`, from now on this commit's own set, wait at `commit`."""
        waiting = self._pending.get(commit.id)
        if waiting is None:
            self._pending[commit.id] = names
            heapq.heappush(self._queue, (-commit.commit_time, commit.id.raw, commit))
        else:
            waiting |= names

    def _folder(self, commit: pygit2.Commit) -> pygit2.Oid | None:
        """The tree of the folder at `commit`."""
        if not self.path:
            return commit.tree_id
        try:
            folder = commit.tree[self.path]
        except KeyError:
            return None
        return folder.id if isinstance(folder, pygit2.Tree) else None

    def _listing(self, commit: pygit2.Commit) -> "_Listing | None":
        folder = self._folder(commit)
        return self._read(folder) if folder else None

    def _read(self, tree: pygit2.Oid) -> "_Listing":
        # Going down a history, each folder is looked at twice in a row: as parent, then as child.
        if tree not in self._listings:
            if len(self._listings) > 8:
                self._listings.pop(next(iter(self._listings)))
            self._listings[tree] = _Listing(self.repository.odb.read(tree)[1])
        return self._listings[tree]

    def _changed(self, here: pygit2.Oid | None, there: pygit2.Oid | None, wanted: Names) -> Names:
        if here is None or there is None:
            return wanted
        return self._read(here).changed(self._read(there)) & wanted


class _Listing:
    """The raw entries of one folder, taken apart only when they must be."""

    def __init__(self, raw: bytes, layout: "_Layout | None" = None) -> None:
        self.raw = raw
        self._layout = layout

    @property
    def layout(self) -> "_Layout":
        if self._layout is None:
            self._layout = _Layout.of(self.raw)
        return self._layout

    @property
    def names(self) -> list[bytes]:
        return self.layout.names

    def changed(self, other: "_Listing") -> Names:
        """The names whose entries differ, those that one side lacks among them."""
        if len(self.raw) == len(other.raw) and (changed := self._changed_in_place(other)):
            return changed
        mine, theirs = (set(_whole_entries(each.raw)) for each in (self, other))
        return {_name(entry) for entry in mine ^ theirs}

    def _changed_in_place(self, other: "_Listing") -> Names | None:
        """The quick answer when all entries keep their places and names; None when not."""
        size = len(self.raw)
        differing = int.from_bytes(self.raw, "big") ^ int.from_bytes(other.raw, "big")
        if not differing:
            return None
        first = size - (differing.bit_length() + 7) // 8
        last = size - 1 - ((differing & -differing).bit_length() - 1) // 8
        layout = other._layout or self.layout
        begin, end = layout.place_of(first), layout.place_of(last)
        changed = set()
        for place in range(begin, end + 1):
            start, oid, stop = layout.span(place)
            if self.raw[start:oid] != other.raw[start:oid]:
                return None
            if self.raw[oid:stop] != other.raw[oid:stop]:
                changed.add(layout.names[place])
        # Modes and names are the same bytes on both sides, so one layout describes both.
        self._layout = other._layout = layout
        return changed


@dataclass(frozen=True)
class _Layout:
    """Where each entry begins. Two folders that differ in contents only share one."""

    names: list[bytes]
    starts: list[int]
    size: int

    @classmethod
    def of(cls, raw: bytes) -> "_Layout":
        found = [(match[1], match.start()) for match in _ENTRY.finditer(raw)]
        return cls([name for name, _ in found], [start for _, start in found], len(raw))

    def place_of(self, offset: int) -> int:
        return bisect.bisect_right(self.starts, offset) - 1

    def span(self, place: int) -> tuple[int, int, int]:
        """Where an entry begins, where its oid begins, where it ends."""
        stop = self.starts[place + 1] if place + 1 < len(self.starts) else self.size
        return self.starts[place], stop - _OID_BYTES, stop


def _whole_entries(raw: bytes) -> list[bytes]:
    return [match[0] for match in _ENTRY.finditer(raw)]


def _name(entry: bytes) -> bytes:
    return entry[entry.index(b" ") + 1 : -_OID_BYTES - 1]


def _described(commit: pygit2.Commit) -> LastCommit:
    message = commit.raw_message.decode("utf-8", "replace").strip()
    subject = message.partition("\n")[0].strip()
    return LastCommit(str(commit.id), subject, moment_of(commit.commit_time))
