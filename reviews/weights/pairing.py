"""Which tensor of one checkpoint is which of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.tensors import Tensor
from reviews.weights.ties import stand_in

Kind = Literal["same", "changed", "dtype", "reshaped", "renamed", "added", "removed", "unread"]
Digests = Callable[[Tensor], str]

_MOST_PARTS = 24


@dataclass(frozen=True)
class TensorPair:
    """A tensor before and after; one side is None where it was added or removed.

    - "same": equal in every bit. "changed": equal dtype and shape.
    - "dtype": another storage dtype, the shape equal; values may have changed as well.
    - "reshaped": another shape. `rows_added` counts rows appended (below 0: cut off) where all
      other dimensions are equal; the rows that both have are worth comparing.
    - "unread": not found, where the header of a file cannot be read: it may be there.
    - "renamed": the candidate's tensor holds what `renamed_from` named in the base;
      `swapped_with` is the same name where the two changed places.

    `renamed_from` on any other kind: the base's tensor has that name, and is its counterpart by
    a prefix of the name, or because a tied embedding is not stored.
    """

    name: str
    kind: Kind
    base: Tensor | None
    candidate: Tensor | None
    renamed_from: str | None = None
    swapped_with: str | None = None
    rows_added: int | None = None

    @property
    def moved_file(self) -> bool:
        """Whether the tensor lies in another file (shard) than before."""
        if self.base is None or self.candidate is None:
            return False
        return self.base.file != self.candidate.file


def pair_tensors(
    base: Checkpoint, candidate: Checkpoint, digests: Digests = tensor_digest
) -> list[TensorPair]:
    """Each tensor of both checkpoints, in one pair, in the candidate's order; removed ones last.

    `digests` gives a tensor's digest, from a cache where the caller has one.
    """
    pairs = {
        name: _pair(name, base.tensors[name], tensor, digests)
        for name, tensor in candidate.tensors.items()
        if name in base.tensors
    }
    _find_moved(pairs, digests)
    removed = {name: held for name, held in base.tensors.items() if name not in candidate.tensors}
    added = {name: held for name, held in candidate.tensors.items() if name not in base.tensors}
    for name, source in _renamed(removed, added, digests).items():
        held = added.pop(name)
        pairs[name] = TensorPair(name, "renamed", removed.pop(source), held, source)
    for name, source in _by_prefix(removed, added).items():
        pair = _pair(name, removed.pop(source), added.pop(name), digests)
        pairs[name] = replace(pair, renamed_from=source)
    gone = []
    for name, held in added.items():
        pair = _untied(name, stand_in(base, name), held, digests)
        pairs[name] = replace(pair, kind="unread") if _is_unsure(pair, base) else pair
    for name, held in removed.items():
        pair = _untied(name, held, stand_in(candidate, name), digests)
        gone.append(replace(pair, kind="unread") if _is_unsure(pair, candidate) else pair)
    return [pairs[name] for name in candidate.tensors] + gone


def _pair(name: str, before: Tensor, after: Tensor, digests: Digests) -> TensorPair:
    if before.shape != after.shape:
        rows_added = None
        if len(before.shape) == len(after.shape) > 0 and before.shape[1:] == after.shape[1:]:
            rows_added = after.shape[0] - before.shape[0]
        return TensorPair(name, "reshaped", before, after, rows_added=rows_added)
    if before.dtype != after.dtype:
        return TensorPair(name, "dtype", before, after)
    kind: Kind = "same" if digests(before) == digests(after) else "changed"
    return TensorPair(name, kind, before, after)


def _untied(name: str, before: Tensor | None, after: Tensor | None, digests: Digests) -> TensorPair:
    """A pair whose one side may be the embedding that stands in for a tied one."""
    if before is None or after is None:
        return TensorPair(name, "added" if before is None else "removed", before, after)
    return replace(_pair(name, before, after, digests), renamed_from=before.name)


def _is_unsure(pair: TensorPair, other: Checkpoint) -> bool:
    """Whether the side on which the tensor seems to be missing has not been read whole."""
    return bool(other.unread) and pair.kind in {"added", "removed"}


def _find_moved(pairs: dict[str, TensorPair], digests: Digests) -> None:
    """Tell tensors that changed places among themselves from tensors that changed.

    Only whole cycles count: each of them holds what another one held before, nothing is lost.
    """
    moved = {name: pair for name, pair in pairs.items() if pair.kind in {"changed", "reshaped"}}
    holders: dict[str, list[str]] = defaultdict(list)
    for name, pair in moved.items():
        if pair.base is not None:
            holders[digests(pair.base)].append(name)
    source: dict[str, str] = {}
    for name, pair in moved.items():
        if pair.candidate is not None and (found := holders.get(digests(pair.candidate))):
            source[name] = found.pop(0)
    loose = list(source.keys() - set(source.values()))  # what they held before is lost
    while loose:
        origin = source.pop(loose.pop())
        if origin in source:
            loose.append(origin)
    for name, origin in source.items():
        before, after = moved[origin].base, moved[name].candidate
        other = origin if source[origin] == name else None
        pairs[name] = TensorPair(name, "renamed", before, after, origin, other)


def _renamed(
    removed: dict[str, Tensor], added: dict[str, Tensor], digests: Digests
) -> dict[str, str]:
    """New names by old names of equal content; the name that ends most alike is taken first."""
    shapes = {(held.dtype, held.shape) for held in added.values()}
    by_end: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, held in removed.items():
        if (held.dtype, held.shape) in shapes:
            digest = digests(held)
            for end in _ends(name):
                by_end[digest, end].append(name)
    shapes = {(held.dtype, held.shape) for held in removed.values()}
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name, held in added.items():
        if (held.dtype, held.shape) not in shapes:
            continue
        digest = digests(held)
        for end in _ends(name):
            names = by_end.get((digest, end), [])
            while names and names[-1] in taken:
                names.pop()
            if names:
                found[name] = names.pop()
                taken.add(found[name])
                break
    return found


def _ends(name: str) -> list[str]:
    """The name, and what is left of it without its first parts, down to nothing."""
    parts = name.split(".")[-_MOST_PARTS:]
    return [".".join(parts[cut:]) for cut in range(len(parts) + 1)]


def _by_prefix(removed: dict[str, Tensor], added: dict[str, Tensor]) -> dict[str, str]:
    """New names by old ones of equal shape that differ by one prefix, the same for all of them."""
    rules: dict[tuple[bool, str], dict[str, str]] = defaultdict(dict)
    for longer, shorter, is_new in ((added, removed, True), (removed, added, False)):
        for name, held in longer.items():
            for rest in _ends(name)[1:-1]:
                if rest in shorter and shorter[rest].shape == held.shape:
                    new, old = (name, rest) if is_new else (rest, name)
                    rules[is_new, name.removesuffix(rest)][new] = old
    return max(rules.values(), key=len, default={})
