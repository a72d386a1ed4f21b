"""What happened to each tensor between two checkpoints: structure first, statistics streaming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from reviews.weights.adapters import AdaptedTensor
from reviews.weights.checks import check_values
from reviews.weights.digests import tensor_digest
from reviews.weights.dtypes import Codes, Floats
from reviews.weights.errors import WeightsError
from reviews.weights.pairing import TensorPair
from reviews.weights.spectrum import Factors, Spectrum, spectrum
from reviews.weights.tensor_stats import VERSION, TensorStats, compare_many
from reviews.weights.tensors import Tensor


@dataclass(frozen=True)
class TensorChange:
    """One TensorPair in words of JSON; `stats` and `spectrum` are None until computed, and where
    there is nothing to compare. With `rows_added` they are of the rows that both sides have.
    `alone`: how many numbers are NaN (`nan`) and infinite (`inf`) in a tensor that no comparison
    reads whole; None until it was read, and for all others."""

    name: str
    kind: str
    shapes: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    dtypes: tuple[str | None, str | None]
    renamed_from: str | None
    swapped_with: str | None
    rows_added: int | None
    moved_file: bool
    stats: TensorStats | None = None
    spectrum: Spectrum | None = None
    alone: dict[str, int] | None = None

    @property
    def not_finite(self) -> dict[str, int] | None:
        """NaN and infinite numbers of the candidate's tensor; None while nobody has read it all."""
        if _is_alone(self):
            return self.alone
        if self.stats is None:
            return None
        return {"nan": self.stats.candidate.nan, "inf": self.stats.candidate.inf}

    @property
    def is_touched(self) -> bool:
        """Whether any value, the shape, the dtype or the place of the tensor is another."""
        return self.kind not in {"same", "unread"}

    def to_dict(self) -> dict[str, Any]:
        """JSON with VERSION inside."""
        told = {"version": VERSION, **vars(self)}
        for part in ("stats", "spectrum"):
            told[part] = told[part] and told[part].to_dict()
        return told

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> TensorChange:
        """Raises: WeightsError "another_version" for what an older or newer program wrote."""
        if told.get("version") != VERSION:
            raise WeightsError("another_version", version=told.get("version"))
        known = {field.name: told[field.name] for field in fields(cls)}
        known["shapes"] = tuple(shape and tuple(shape) for shape in known["shapes"])
        known["dtypes"] = tuple(known["dtypes"])
        known["stats"] = known["stats"] and TensorStats.from_dict(known["stats"])
        known["spectrum"] = known["spectrum"] and Spectrum.from_dict(known["spectrum"])
        return cls(**known)


def structure(pair: TensorPair) -> TensorChange:
    """What the headers alone tell."""
    base, candidate = pair.base, pair.candidate
    return TensorChange(
        name=pair.name,
        kind=pair.kind,
        shapes=(base.shape if base else None, candidate.shape if candidate else None),
        dtypes=(base.dtype if base else None, candidate.dtype if candidate else None),
        renamed_from=pair.renamed_from,
        swapped_with=pair.swapped_with,
        rows_added=pair.rows_added,
        moved_file=pair.moved_file,
    )


def diff(pairs: Iterable[TensorPair], *, threads: int = 2) -> Iterator[TensorChange]:
    """Each pair with its statistics, in order, as they are computed.

    Memory: some pieces a thread, whatever the sizes of tensors.
    Raises: WeightsError: a file cannot be read to its end.
    """
    ordered = list(pairs)
    compared = [comparable(pair) for pair in ordered]
    stats = compare_many((both for both in compared if both is not None), threads=threads)
    for pair, both in zip(ordered, compared, strict=True):
        found = read_alone(structure(pair), pair)
        yield found if both is None else replace(found, stats=next(stats))


def with_spectrum(
    change: TensorChange, pair: TensorPair, *, budget_seconds: float = 10.0
) -> TensorChange:
    """`change` with the spectrum of its matrix; as it is where there is none to take."""
    both = comparable(pair)
    if both is None or min(both[0].matrix) < 2 or not _has_changed(change):
        return change
    found = spectrum(*both, budget_seconds=budget_seconds, factors=_factors(*both))
    return replace(change, spectrum=found)


def _factors(base: Tensor, candidate: Tensor) -> Factors | None:
    """The factors of an adapter on this very base: they are the whole change."""
    if not isinstance(candidate, AdaptedTensor):
        return None
    inner = candidate.inner
    if inner is not base and tensor_digest(inner) != tensor_digest(base):
        return None
    left, right, scaling = candidate.delta_factors
    return left.astype(np.float64), right.astype(np.float64), scaling


def comparable(pair: TensorPair) -> tuple[Tensor, Tensor] | None:
    """The two tensors of one shape whose values are worth comparing; None for equal ones."""
    base, candidate = pair.base, pair.candidate
    if base is None or candidate is None or pair.kind in {"same", "renamed"}:
        return None
    if base.shape == candidate.shape:
        return base, candidate
    if pair.rows_added is None:
        return None
    rows = min(base.shape[0], candidate.shape[0])
    return FirstRows(base, rows), FirstRows(candidate, rows)


def read_alone(change: TensorChange, pair: TensorPair) -> TensorChange:
    """`change` with what is not finite in a candidate's tensor that no comparison reads whole."""
    if pair.candidate is None or not _is_alone(pair):
        return change
    alone = {"nan": 0, "inf": 0}
    for problem in check_values(pair.candidate):
        if problem.code not in alone:
            return change  # it could not be read
        alone[problem.code] = int(str(problem.parameters["count"]))
    return replace(change, alone=alone)


def _is_alone(told: TensorPair | TensorChange) -> bool:
    """Whether it holds numbers that have no counterpart in the base: it was added, or has another
    shape or more rows."""
    grown = told.kind == "reshaped" and (told.rows_added is None or told.rows_added > 0)
    return told.kind in {"added", "unread"} or grown


def _has_changed(change: TensorChange) -> bool:
    return change.stats is None or (change.stats.changed > 0 and not change.stats.is_cast)


class FirstRows(Tensor):
    """The first rows of a tensor."""

    def __init__(self, whole: Tensor, rows: int) -> None:
        self.whole = whole
        self.name, self.dtype, self.file = whole.name, whole.dtype, whole.file
        self.shape = (rows, *whole.shape[1:])

    @property
    def has_codes(self) -> bool:
        return self.whole.has_codes

    def codes(self, start: int, stop: int) -> Codes:
        return self.whole.codes(start, stop)

    def values(self, start: int, stop: int) -> Floats:
        return self.whole.values(start, stop)
