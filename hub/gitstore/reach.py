"""Whether a commit lies in what some ref names: only such commits may be asked for by oid."""

import threading
from collections import OrderedDict
from collections.abc import Iterator

import pygit2
from pygit2.enums import SortMode

REMEMBERED_LIMIT = 4096


class _Witnesses:
    """Which ref, at which tip, was seen to reach a commit. A tip's history never changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, pygit2.Oid], tuple[str, pygit2.Oid]] = OrderedDict()

    def get(self, repository: pygit2.Repository, oid: pygit2.Oid) -> tuple[str, pygit2.Oid] | None:
        with self._lock:
            return self._seen.get((repository.path, oid))

    def put(
        self, repository: pygit2.Repository, oid: pygit2.Oid, ref: str, tip: pygit2.Oid
    ) -> None:
        with self._lock:
            self._seen[repository.path, oid] = (ref, tip)
            self._seen.move_to_end((repository.path, oid))
            while len(self._seen) > REMEMBERED_LIMIT:
                self._seen.popitem(last=False)


_witnesses = _Witnesses()


def is_reachable(repository: pygit2.Repository, oid: pygit2.Oid) -> bool:
    """Whether some ref reaches the commit `oid` now. No git process is started."""
    if witness := _witnesses.get(repository, oid):
        ref, seen = witness
        if _reaches(repository, ref, seen, also=oid):
            return True
    if _reaches(repository, "HEAD", oid):
        return True
    tips = dict(_tips(repository))
    for ref, tip in tips.items():
        if tip == oid:
            _witnesses.put(repository, oid, ref, tip)
            return True
    if not _is_below(repository, set(tips.values()), oid):
        return False
    return any(_reaches(repository, ref, oid) for ref in tips)


def _reaches(
    repository: pygit2.Repository,
    ref: str,
    oid: pygit2.Oid,
    *,
    also: pygit2.Oid | None = None,
) -> bool:
    """Whether `ref` reaches `oid` now, and with it `also`, which `oid` is known to reach."""
    tip = tip_of(repository, ref)
    if tip is None or not (tip == oid or repository.descendant_of(tip, oid)):
        return False
    _witnesses.put(repository, also or oid, ref, tip)
    return True


def tip_of(repository: pygit2.Repository, ref: str) -> pygit2.Oid | None:
    """The commit that `ref` leads to, through an annotated tag if need be."""
    try:
        return repository.lookup_reference(ref).peel(pygit2.Commit).id
    except (KeyError, ValueError, pygit2.GitError):
        return None


def _tips(repository: pygit2.Repository) -> Iterator[tuple[str, pygit2.Oid]]:
    for ref in repository.references:
        if (tip := tip_of(repository, ref)) is not None:
            yield ref, tip


def _is_below(repository: pygit2.Repository, tips: set[pygit2.Oid], oid: pygit2.Oid) -> bool:
    """One walk from all refs at once: a commit that none reaches costs no walk for each."""
    if not tips:
        return False
    walk = repository.walk(next(iter(tips)), SortMode.NONE)
    for tip in tips:
        walk.push(tip)
    return any(commit.id == oid for commit in walk)
