"""Comparing the weights of two revisions: headers first, then numbers, then spectra."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import Repository
from reviews.jobs.weight_files import WeightFile, lay_out
from reviews.models import TensorComparison, WeightsComparison
from reviews.weights.adapters import with_adapter
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.checks import blocks, check_checkpoint, check_ties, check_values
from reviews.weights.diff import (
    TensorChange,
    comparable,
    diff,
    read_alone,
    structure,
    with_spectrum,
)
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.pairing import TensorPair, pair_tensors
from reviews.weights.patches import with_patch
from reviews.weights.places import place_of
from reviews.weights.spectrum import Spectrum
from reviews.weights.summary import summarise
from reviews.weights.tensor_stats import VERSION, TensorStats
from reviews.weights.tensors import Tensor
from reviews.weights.ties import TieChange, tie_change

# All spectra of one comparison together; what is left is said not to have been computed.
SPECTRA_SECONDS = 120.0
PROBLEMS_KEPT = 200
# What a check could not look at, which is no news to a reviewer.
QUIET = frozenset({"config_not_checked"})


def carry_out(comparison_id: int) -> None:
    """Compare, unless that is done or somebody is at it. Safe to repeat and to kill."""
    working.carry_out(
        WeightsComparison.objects.all(),
        comparison_id,
        lambda claim, scratch, kept: Comparing(claim, scratch, kept).run(),
    )


def open_effective(
    placed: Mapping[str, Path], kept: ExitStack, keep: Callable[[], None] = lambda: None
) -> Checkpoint:
    """The checkpoint that is meant: a patch or an adapter beside its base changes the base."""
    return effective(kept.enter_context(open_checkpoint(placed)), keep)


def effective(stored: Checkpoint, keep: Callable[[], None] = lambda: None) -> Checkpoint:
    """What a checkpoint's patch and adapter make of its base, in that order.

    An adapter of a kind that is not read here leaves the base alone; its problem is told.
    """
    found = with_patch(stored, keep)
    adapter = found.adapter
    if adapter is None or adapter.config.refused is not None or found.format == "adapter":
        return found
    try:
        return with_adapter(found, found)
    except WeightsError as error:
        problem = Problem(error.code, None, error.parameters)
        return replace(found, adapter=None, problems=(*found.problems, problem))


class Comparing:
    """The work of one comparison."""

    def __init__(self, claim: Claim[WeightsComparison], scratch: Path, kept: ExitStack) -> None:
        self.claim, self.row, self.scratch, self.kept = claim, claim.row, scratch, kept
        self.changes: dict[str, TensorChange] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.digests: dict[int, str] = {}
        self.tokens: Sequence[str] = ()
        self.tie: TieChange | None = None

    def run(self) -> None:
        base, candidate = self._open("base"), self._open("candidate")
        self.tokens = candidate.tokens or ()
        self._from_headers(base, candidate)
        pairs = pair_tensors(base, candidate, self._digest)
        self.changes = {pair.name: structure(pair) for pair in pairs}
        self.tie = tie_change(base, candidate, self._digest)
        self._take_known(pairs)
        self._compare(pairs)
        self._read_alone(pairs)
        self._tell(
            problems=self._problems(base, candidate, pairs),
            summary=self._summary(candidate),
        )
        self._take_spectra(pairs)
        self.claim.finish(structure=self._rows(), summary=self._summary(candidate), progress={})

    def _open(self, side: str) -> Checkpoint:
        repository: Repository = getattr(self.row, f"{side}_repository")
        files = [WeightFile(**each) for each in getattr(self.row, f"{side}_files")]
        placed = lay_out(repository, files, self.scratch / side)
        return open_effective(placed, self.kept, self.claim.keep)

    # What is known when ------------------------------------------------------------------------

    def _from_headers(self, base: Checkpoint, candidate: Checkpoint) -> None:
        """Names and shapes, for a page that is looked at while the rest is computed."""
        pairs = pair_tensors(base, candidate, lambda tensor: f"{tensor.dtype}{tensor.shape}")
        self.changes = {pair.name: structure(pair) for pair in pairs}
        self._tell(progress={"step": "reading"})

    def _digest(self, tensor: Tensor) -> str:
        """A tensor's digest, computed once; checkpoints keep their tensors until the end."""
        found = self.digests.get(id(tensor))
        if found is None:
            found = self.digests[id(tensor)] = tensor_digest(tensor)
            self._keep(progress={"step": "reading", "done": len(self.digests)})
        return found

    def _take_known(self, pairs: Sequence[TensorPair]) -> None:
        """Take over the numbers of pairs of tensors that were compared before, anywhere."""
        for pair in pairs:
            both = comparable(pair)
            if both is not None:
                # Not by _digest: the first rows of a tensor are made anew each time.
                self.keys[pair.name] = tensor_digest(both[0]), tensor_digest(both[1])
                self._keep()
        rows = TensorComparison.objects.filter(
            version=VERSION, base_digest__in={base for base, _candidate in self.keys.values()}
        )
        known = {(row.base_digest, row.candidate_digest): row for row in rows}
        for name, key in self.keys.items():
            if (row := known.get(key)) is not None:
                self.changes[name] = replace(
                    self.changes[name],
                    stats=TensorStats.from_dict(row.stats),
                    spectrum=row.spectrum and Spectrum.from_dict(row.spectrum),
                )

    def _compare(self, pairs: Sequence[TensorPair]) -> None:
        open_ones = [
            pair
            for pair in pairs
            if pair.name in self.keys and self.changes[pair.name].stats is None
        ]
        threads = settings.RUN_THREADS or len(os.sched_getaffinity(0))
        for number, change in enumerate(diff(open_ones, threads=threads), 1):
            self.changes[change.name] = change
            if change.stats is not None:
                base_digest, candidate_digest = self.keys[change.name]
                TensorComparison.objects.get_or_create(
                    base_digest=base_digest,
                    candidate_digest=candidate_digest,
                    version=VERSION,
                    defaults={"stats": change.stats.to_dict()},
                )
            self._keep(progress={"step": "comparing", "done": number, "total": len(open_ones)})

    def _read_alone(self, pairs: Sequence[TensorPair]) -> None:
        """Look at numbers that have no counterpart: they may be NaN as any other."""
        for pair in pairs:
            self.changes[pair.name] = read_alone(self.changes[pair.name], pair)
            self._keep()

    def _take_spectra(self, pairs: Sequence[TensorPair]) -> None:
        began = time.monotonic()
        open_ones = [
            pair
            for pair in pairs
            if pair.name in self.keys and self.changes[pair.name].spectrum is None
        ]
        for number, pair in enumerate(open_ones, 1):
            if time.monotonic() - began > SPECTRA_SECONDS:
                break
            change = with_spectrum(self.changes[pair.name], pair)
            self.changes[pair.name] = change
            if change.spectrum is not None:
                base_digest, candidate_digest = self.keys[pair.name]
                TensorComparison.objects.filter(
                    base_digest=base_digest, candidate_digest=candidate_digest, version=VERSION
                ).update(spectrum=change.spectrum.to_dict())
            self._keep(progress={"step": "spectra", "done": number, "total": len(open_ones)})

    # What is kept ------------------------------------------------------------------------------

    def _keep(self, **progress: Any) -> None:
        """Tell what is there by now, from time to time. Raises: ClaimLostError."""
        if self.claim.is_due:
            self._tell(**progress)

    def _tell(self, **values: Any) -> None:
        self.claim.tell(structure=self._rows(), **values)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            told_change(change, self.keys.get(name), self.tokens)
            for name, change in self.changes.items()
        ]

    def _summary(self, candidate: Checkpoint) -> dict[str, Any]:
        changes = list(self.changes.values())
        return summarise(changes, candidate.config, candidate.tensors, self.tie).to_dict()

    def _problems(
        self, base: Checkpoint, candidate: Checkpoint, pairs: Sequence[TensorPair]
    ) -> list[dict[str, Any]]:
        """Problems of the candidate that the base has not, and which of them block."""
        known = check_checkpoint(base, values=False) + check_ties(base, self._digest)
        before = set(map(_key, known))
        found = check_checkpoint(candidate, values=False) + check_ties(candidate, self._digest)
        for pair in pairs:
            change = self.changes[pair.name]
            is_alone = pair.kind in {"added", "reshaped", "unread"}
            if change.not_finite is None and is_alone and pair.candidate:
                found += check_values(pair.candidate)
            for code, count in (change.not_finite or {}).items():
                if count:
                    found.append(Problem(code, pair.name, {"count": count}))
                if change.stats is not None and getattr(change.stats.base, code):
                    before.add((code, pair.name))
        return [
            {
                "code": each.code,
                "tensor": each.tensor,
                "parameters": each.parameters,
                "blocks": blocks(each),
            }
            for each in found
            if each.code not in QUIET and _key(each) not in before
        ][:PROBLEMS_KEPT]


def _key(problem: Problem) -> tuple[str, str]:
    """By what a problem of the candidate is known as one that the base has."""
    return problem.code, problem.tensor or str(problem.parameters.get("file"))


def told_change(
    change: TensorChange, key: tuple[str, str] | None, tokens: Sequence[str]
) -> dict[str, Any]:
    """A row of the table: what the headers tell, and numbers where they are known; of tensors
    with a row a token the texts of those that changed most."""
    told: dict[str, Any] = {
        "name": change.name,
        "kind": change.kind,
        "shapes": change.shapes,
        "dtypes": change.dtypes,
        "renamed_from": change.renamed_from,
        "swapped_with": change.swapped_with,
        "rows_added": change.rows_added,
        "moved_file": change.moved_file,
        "key": key,
    }
    if (stats := change.stats) is not None:
        told |= {
            "relative": stats.relative,
            "base_norm": stats.base.norm,
            "change_norm": stats.change_norm,
            "cosine": stats.cosine,
            "max_change": stats.max_change,
            "changed_share": stats.changed_share,
            "is_cast": stats.is_cast,
            "outliers": (stats.base.outlier, stats.candidate.outlier),
        }
        if tokens and place_of(change.name).role in {"embedding", "head"}:
            told["tokens"] = [tokens[r.index] for r in stats.rows if r.index < len(tokens)]
    if change.not_finite is not None:
        told["not_finite"] = sum(change.not_finite.values())
    if (spectrum := change.spectrum) is not None:
        told |= {
            "rank": spectrum.rank,
            "undecidable": spectrum.undecidable,
            "at_least": spectrum.at_least,
            "low_rank": spectrum.low_rank,
            "stable_rank": spectrum.stable_rank,
        }
    return told
