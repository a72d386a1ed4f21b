"""Two texts side by side with the words marked in which they differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

# Words with the space behind them; a Han character or kana by itself, as those scripts have no
# spaces.
_PIECES = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|\w+\s*|[^\w\s]\s*|\s+")
# Beyond this a comparison takes longer than a page may.
PIECES_LIMIT = 400


@dataclass(frozen=True)
class Piece:
    """A run of text that the other side has too, or has not."""

    text: str
    differs: bool


def side_by_side(base: str, candidate: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces; joined, the pieces of a side are its text again.

    What differs in texts that are too long to compare word by word is everything between their
    common beginning and their common end.
    """
    left, right = _PIECES.findall(base), _PIECES.findall(candidate)
    ours, theirs = _words(left), _words(right)
    start = _common(ours, theirs)
    end = _common(ours[start:][::-1], theirs[start:][::-1])
    marks = _marks(ours[start : len(ours) - end], theirs[start : len(theirs) - end])
    return (
        _joined(left, start, end, marks[0]),
        _joined(right, start, end, marks[1]),
    )


def _words(pieces: Sequence[str]) -> list[str]:
    """What is compared: a last word is the same word with and without a space behind it."""
    return [piece.rstrip() or piece for piece in pieces]


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many pieces both begin with."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count


def _marks(left: Sequence[str], right: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Which pieces of each side the other one has not."""
    marks = [True] * len(left), [True] * len(right)
    if max(len(left), len(right)) > PIECES_LIMIT:
        return marks
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for a, b, size in matcher.get_matching_blocks():
        marks[0][a : a + size] = [False] * size
        marks[1][b : b + size] = [False] * size
    return marks


def _joined(pieces: Sequence[str], start: int, end: int, marks: Iterable[bool]) -> list[Piece]:
    every = [False] * start + list(marks) + [False] * end
    return list(_runs(zip(pieces, every, strict=True)))


def _runs(marked: Iterable[tuple[str, bool]]) -> Iterator[Piece]:
    """Runs of pieces that are alike; the space behind a marked run stays unmarked."""
    space = ""
    for differs, run in groupby(marked, key=lambda each: each[1]):
        text = space + "".join(piece for piece, _ in run)
        kept = text.rstrip() if differs else text
        space = text[len(kept) :]
        if kept:
            yield Piece(kept, differs)
    if space:
        yield Piece(space, False)
