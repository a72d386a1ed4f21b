"""Which tensor of one checkpoint is which of another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reviews.weights.tensors import Tensor

Kind = Literal["same", "changed", "dtype", "reshaped", "renamed", "added", "removed"]


@dataclass(frozen=True)
class TensorPair:
    """A tensor before and after; one side is None where it was added or removed.

    - "same": equal digest and name. "changed": equal dtype and shape.
    - "dtype": another storage dtype, the shape equal; values may have changed as well.
    - "reshaped": another shape. `rows_added` counts rows appended (below 0: cut off) where all
      other dimensions are equal; the rows that both have are worth comparing.
    - "renamed": the candidate's tensor holds the bytes that `renamed_from` named in the base.
      `swapped_with`: the other name of two that changed places.
    """

    name: str
    kind: Kind
    base: Tensor | None
    candidate: Tensor | None
    renamed_from: str | None = None
    swapped_with: str | None = None
    rows_added: int | None = None
    moved_file: bool = field(default=False)
