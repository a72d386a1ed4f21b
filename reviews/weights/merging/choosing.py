"""Which elements of a task vector stay: the largest ones (TIES), or ones drawn by lot (DARE).

Both are decided for a whole tensor and answered for any piece of it, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from reviews.weights.merging.formulas import Block, Mask

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

    The k-th magnitude is exact, found digit by digit as floats of one sign sort like their bits:
    two readings of float32 (four of float64), and one more where equal ones must be told apart.
    The memory is that of one piece, whatever the size of the vector.
    """
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
    cut = _cut(pieces, magnitude, left) if left < equal else np.iinfo(np.int64).max
    return Largest(magnitude, int(cut))


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
