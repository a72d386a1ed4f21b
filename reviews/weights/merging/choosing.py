"""Which elements of a task vector stay: the largest ones (TIES), or ones drawn by lot (DARE).

Both are decided for a whole tensor and answered for any piece of it, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from reviews.weights.merging.formulas import Block, Mask

# One element in so many is looked at first; a prime, so that not every one is of the same column.
_SPARSE = 61
# Vectors of so few elements are looked at whole.
_FEW = 1 << 14
# Elements that are held at most to find the k-th among them: 8 MB.
_MOST_BETWEEN = 1 << 21
_DIGIT = 16  # bits counted at once: 65,536 counters


@dataclass(frozen=True, slots=True)
class Largest:
    """The k elements of largest magnitude; of those equal to the smallest kept, the first ones.

    `magnitude` is that smallest one; elements equal to it stay before position `cut` only.
    """

    magnitude: float
    cut: int

    def kept(self, delta: Block, start: int) -> Mask:
        """Which elements of the piece that begins at position `start` stay."""
        size = np.abs(delta)
        if start + len(delta) <= self.cut:
            return size >= self.magnitude
        kept = size > self.magnitude
        before = max(0, self.cut - start)
        kept[:before] |= size[:before] == self.magnitude
        return kept


def largest(pieces: Callable[[], Iterator[Block]], keep: int) -> Largest:
    """Choose `keep` (at least 1) elements of a vector that `pieces` reads anew, from its start.

    The k-th magnitude is exact: a sample tells between which two it lies, and those between are
    looked at one by one; where they are too many, or the sample was wrong, digits are counted.
    Either takes two readings, or three where equal ones must be told apart, and little memory.
    """
    found = _between(pieces, keep) or _by_digits(pieces, keep)
    magnitude, left, equal = found
    cut = _cut(pieces, magnitude, left) if left < equal else np.iinfo(np.int64).max
    return Largest(magnitude, int(cut))


def _between(pieces: Callable[[], Iterator[Block]], keep: int) -> tuple[float, int, int] | None:
    """The k-th magnitude, how many of the elements equal to it are kept, and how many there are."""
    low, high = _bounds(pieces, keep)
    above, inside, count = 0, [], 0
    for piece in pieces():
        size = np.abs(piece)
        above += int(np.count_nonzero(size > high))
        inside.append(size[(size >= low) & (size <= high)])
        count += len(inside[-1])
        if count > _MOST_BETWEEN:
            return None
    if not above < keep <= above + count:
        return None
    between = np.concatenate(inside)
    magnitude = np.partition(between, above + count - keep)[above + count - keep]
    left = keep - above - int(np.count_nonzero(between > magnitude))
    return magnitude.item(), left, int(np.count_nonzero(between == magnitude))


def _bounds(pieces: Callable[[], Iterator[Block]], keep: int) -> tuple[float, float]:
    """Two magnitudes between which the k-th lies, but for one vector in many thousands."""
    sample, count = [], 0
    for piece in pieces():
        sample.append(np.abs(piece[::_SPARSE]))
        count += len(piece)
    if count <= _FEW:
        return 0.0, np.inf
    drawn = np.sort(np.concatenate(sample))[::-1]
    share = keep / count
    place, slack = share * len(drawn), 4 * sqrt(share * (1 - share) * len(drawn)) + 2
    first, last = int(place - slack), int(place + slack)
    low = drawn[last].item() if last < len(drawn) else 0.0
    return low, drawn[first].item() if first >= 0 else np.inf


def _by_digits(pieces: Callable[[], Iterator[Block]], keep: int) -> tuple[float, int, int]:
    """The same from counts of bits, digit by digit: floats of one sign sort as their bits do."""
    prefix, left, equal, floats = 0, keep, 0, np.dtype(np.float32)
    shift = None
    while shift is None or shift > 0:
        counts = np.zeros(1 << _DIGIT, dtype=np.int64)
        for piece in pieces():
            floats = piece.dtype
            top = floats.itemsize * 8 - _DIGIT
            at = top if shift is None else shift - _DIGIT
            bits = np.abs(piece).view(f"u{floats.itemsize}")
            if at < top:
                bits = bits[bits >> (at + _DIGIT) == prefix]
            counts += np.bincount((bits >> at) & 0xFFFF, minlength=1 << _DIGIT)
        shift = at
        at_least = counts[::-1].cumsum()
        place = int(np.searchsorted(at_least, left))
        left -= int(at_least[place] - counts[::-1][place])
        prefix = prefix << _DIGIT | ((1 << _DIGIT) - 1 - place)
        equal = int(counts[::-1][place])
    magnitude = np.array([prefix], dtype=f"u{floats.itemsize}").view(floats)[0].item()
    return magnitude, left, equal


def _cut(pieces: Callable[[], Iterator[Block]], magnitude: float, keep: int) -> int:
    """The position behind the `keep`-th element of this magnitude."""
    start = 0
    for piece in pieces():
        places = np.flatnonzero(np.abs(piece) == magnitude)
        if len(places) >= keep:
            return start + int(places[keep - 1]) + 1
        keep -= len(places)
        start += len(piece)
    return start


@dataclass(frozen=True, slots=True)
class Drawn:
    """Elements kept with probability `density`, each by its own number of a counted sequence.

    The numbers are Philox4x64-10's (Salmon et al. 2011, doi:10.1145/2063384.2063405) under a key
    made of the recipe's seed, the weights' digest and the tensor's name: any piece can be drawn
    by itself, and the order of models, tensors and pieces changes nothing.
    """

    density: float
    key: int

    @classmethod
    def of(cls, density: float, *parts: str | int) -> Drawn:
        digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest()
        return cls(density, int.from_bytes(digest, "little"))

    def kept(self, delta: Block, start: int) -> Mask:
        """Which elements of the piece that begins at position `start` stay."""
        return self.numbers(start, start + len(delta)) < round(self.density * 2**32)

    def numbers(self, start: int, stop: int) -> npt.NDArray[Any]:
        """32 random bits of each position."""
        block, before = divmod(start, 8)  # one count gives four numbers of 64 bits
        needed = -(-(stop - start + before) // 2)
        raw = np.random.Philox(key=self.key, counter=block).random_raw(needed)
        words = raw.astype("<u8", copy=False).view("<u4")
        return words[before : before + stop - start]
