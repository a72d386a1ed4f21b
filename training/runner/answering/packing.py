"""Pieces laid out in rows of equal width: token ids, positions, and who sees whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.runner.answering.pieces import Piece

# With a prefix, a row should hold enough to be worth attending to the prefix once.
WIDE = 256


@dataclass(frozen=True)
class Rows:
    """A batch for a causal model.

    Shapes: ids and positions [rows, width]; mask [rows, 1, width, prefix + width], added to the
    attention's scores, or None where every row is one text, padded on the right: there nothing
    sees the padding anyway, and the fast attention kernel runs.
    `places` holds row and column of the first node of each piece.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor | None
    places: tuple[tuple[int, int], ...]


def pack(pieces: Sequence[Piece], *, prefix: int, dtype: torch.dtype) -> Rows:
    """`pieces` in rows: each in the first row that has room, or one a row where none branches.

    `prefix` is how many tokens the model has read already; all pieces skip them, or none does.
    """
    width = max(piece.size for piece in pieces)
    plain = not prefix and not any(piece.branches for piece in pieces)
    if prefix:
        width = max(width, min(prefix, WIDE, sum(piece.size for piece in pieces)))
    places, used = _places([piece.size for piece in pieces], width, apart=plain)
    ids = torch.zeros(len(used), width, dtype=torch.long)
    positions = torch.zeros(len(used), width, dtype=torch.long)
    for piece, (row, column) in zip(pieces, places, strict=True):
        end = column + piece.size
        ids[row, column:end] = torch.tensor(piece.ids)
        positions[row, column:end] = torch.tensor(list(piece.positions))
    mask = None if plain else _mask(pieces, places, (len(used), width), prefix, dtype)
    return Rows(ids, positions, mask, tuple(places))


def _places(
    sizes: Sequence[int], width: int, *, apart: bool
) -> tuple[list[tuple[int, int]], list[int]]:
    """Row and column of each piece, and how much of each row is used. Longest pieces first."""
    used: list[int] = []
    places: list[tuple[int, int]] = [(0, 0)] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        size = sizes[number]
        row = next((r for r, full in enumerate(used) if not apart and full + size <= width), None)
        if row is None:
            row = len(used)
            used.append(0)
        places[number] = (row, used[row])
        used[row] += size
    return places, used


def _mask(
    pieces: Sequence[Piece],
    places: Sequence[tuple[int, int]],
    shape: tuple[int, int],
    prefix: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """0 where a node sees another one, the least number elsewhere. Padding sees itself."""
    rows, width = shape
    seen = torch.eye(width, prefix + width, dtype=torch.bool).roll(prefix, 1).repeat(rows, 1, 1)
    seen[:, :, :prefix] = True
    lower = torch.ones(width, width, dtype=torch.bool).tril()
    for piece, (row, start) in zip(pieces, places, strict=True):
        stem = len(piece.stem) - piece.skipped
        view = seen[row, start : start + piece.size, prefix + start : prefix + start + piece.size]
        view[:, :stem] = True
        view[:stem, :stem] = lower[:stem, :stem]
        place = stem
        for branch in piece.branches:
            end = place + len(branch)
            view[place:end, place:end] = lower[: len(branch), : len(branch)]
            place = end
    mask = torch.zeros(seen.shape, dtype=dtype)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min).unsqueeze(1)
