"""Merging the weights that a proposal and its target have both moved, into the proposal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from hub.actions import large_files, refs
from hub.actions.commits import author_of
from hub.gitstore import AddFile, AddPointer, CopyPath, DeleteFile, Operation
from hub.models import Repository
from hub.policies import Actor
from reviews.jobs import working
from reviews.jobs.weight_files import WeightFile, lay_out, weight_files
from reviews.jobs.working import Claim
from reviews.models import WeightMerge
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import WeightsError
from reviews.weights.merging.carry_out import merge
from reviews.weights.merging.conditions import Condition, conditions
from reviews.weights.merging.methods import METHODS
from reviews.weights.merging.parents import require_parents, weights_digest
from reviews.weights.merging.recipe import RECIPE_PATH, MergeRecipe
from reviews.weights.merging.recipe_file import read_recipe

SIDES = ("base", "ours", "theirs")


@dataclass(frozen=True)
class _Side:
    oid: str
    files: list[WeightFile]
    checkpoint: Checkpoint
    digest: str


def carry_out(merge_id: int) -> None:
    """Merge, unless that is done or somebody is at it. Safe to repeat and to kill: the head of the
    proposal moves last, and only from where it was when this was asked for."""
    working.carry_out(
        WeightMerge.objects.all(),
        merge_id,
        lambda claim, scratch, kept: _Merging(claim, scratch, kept).run(),
    )


class _Merging:
    """The work of one merge."""

    def __init__(self, claim: Claim[WeightMerge], scratch: Path, kept: ExitStack) -> None:
        self.claim, self.row, self.scratch, self.kept = claim, claim.row, scratch, kept
        self.pull_request = self.row.pull_request
        self.repository: Repository = self.pull_request.repository
        self.store = self.repository.store()
        self.threads = settings.RUN_THREADS or len(os.sched_getaffinity(0))

    def run(self) -> None:
        if self._has_landed():
            return
        base, ours, theirs = (self._open(name) for name in SIDES)
        recipe = recipe_of(self.row.choice, base, ours, theirs)
        found = self._conditions(recipe, base, ours, theirs)
        self.claim.tell(conditions=[asdict(each) for each in found])
        _require(found, confirmed=bool(self.row.choice.get("confirmed")))
        made = merge(
            recipe,
            base.checkpoint,
            [ours.checkpoint, theirs.checkpoint],
            self.scratch / "merged",
            threads=self.threads,
            progress=lambda *args: self.claim.keep(),
        )
        pointers = [self._stored(path, place) for path, place in sorted(made.files.items())]
        self._land(recipe, pointers, ours, theirs)

    def _has_landed(self) -> bool:
        """Settle a merge whose worker died between moving the head and settling the row.

        Only the very commit that this wrote counts: anybody who may push can make one that has
        its parents.
        """
        if self.store.ref_oid(self.pull_request.ref) != self.row.result_oid:
            return False
        self.claim.finish()
        return True

    def _open(self, name: str) -> _Side:
        oid = getattr(self.row, f"{name}_oid")
        files = weight_files(self.store, oid)
        placed = lay_out(self.repository, files, self.scratch / name)
        checkpoint = self.kept.enter_context(open_checkpoint(placed))
        if checkpoint.problems:
            problem = checkpoint.problems[0]
            raise WeightsError(problem.code, tensor=problem.tensor, **problem.parameters)
        if checkpoint.format != "safetensors" or checkpoint.adapter is not None:
            raise WeightsError("only_whole_weights", revision=oid[:12])
        digests = {}
        for tensor in checkpoint.tensors.values():
            digests[tensor.name] = tensor_digest(tensor)
            self.claim.keep()
        return _Side(oid, files, checkpoint, weights_digest(digests))

    def _conditions(self, recipe: MergeRecipe, *sides: _Side) -> list[Condition]:
        """What averaging asks for; nothing is asked of a recipe that only copies."""
        methods = {recipe.method, *(rule.method for rule in recipe.rules)}
        if all(METHODS[method].copies for method in methods):
            return []
        base, *models = (side.checkpoint for side in sides)
        return conditions(base, models, same_ancestor=True, threads=self.threads)

    def _stored(self, path: str, place: Path) -> AddPointer:
        with place.open("rb") as stream:
            stored = large_files.store(self.repository, stream)
        self.claim.keep()
        return AddPointer(path, stored.sha256, stored.size_bytes)

    # The commit --------------------------------------------------------------------------------

    def _land(
        self, recipe: MergeRecipe, pointers: list[AddPointer], ours: _Side, theirs: _Side
    ) -> None:
        """Commit the merged weights on both parents and let the proposal's head be that.

        Raises: BranchMovedError: somebody pushed meanwhile; MergeConflictError: other files too.
        """
        tree = self.store.merge_tree(ours.oid, self._without_conflict(ours, theirs))
        text = recipe.dump().encode()
        tree = self.store.write_tree_on(tree, [*pointers, AddFile(RECIPE_PATH, text)])
        by = self.row.by
        oid = self.store.commit_tree(
            tree,
            parents=[theirs.oid, ours.oid],
            message=f"Merge the weights of {self.pull_request.target_branch}: {recipe.method}",
            author=author_of(Actor(by)),
        )
        self.claim.tell(result_oid=oid)
        with transaction.atomic():
            self.claim.finish()
            refs.move_ref(
                self.repository, Actor(by), self.pull_request.ref, old=theirs.oid, new=oid
            )

    def _without_conflict(self, ours: _Side, theirs: _Side) -> str:
        """A commit of the proposal whose weights are the target's, so that git merges the rest."""
        kept = {file.path for file in ours.files if file.is_weights or file.is_index}
        gone = {file.path for file in theirs.files if file.is_weights or file.is_index} - kept
        operations: list[Operation] = [DeleteFile(path) for path in sorted(gone)]
        operations += [CopyPath(path, ours.oid, path) for path in sorted(kept)]
        tree = self.store.write_tree_on(theirs.oid, operations)
        return self.store.commit_tree(
            tree,
            parents=[theirs.oid],
            message="Weights of the target",
            author=author_of(Actor(self.row.by)),
        )


def recipe_of(choice: Mapping[str, Any], base: _Side, *models: _Side) -> MergeRecipe:
    """The recipe of a choice on exactly these weights. Raises: BadInputError."""
    shares = choice.get("weights") or [1.0] * len(models)
    densities = choice.get("densities") or [1.0] * len(models)
    values: dict[str, Any] = {
        "merge_method": choice["method"],
        "base_model": {"revision": base.oid, "weights": base.digest},
        "models": [
            {
                "model": {"revision": side.oid, "weights": side.digest},
                "parameters": {"weight": share, "density": density},
            }
            for side, share, density in zip(models, shares, densities, strict=True)
        ],
        "seed": choice.get("seed", 0),
    }
    for name in ("parameters", "rules"):
        if choice.get(name):
            values[name] = choice[name]
    return read_recipe(values)


def _require(found: list[Condition], *, confirmed: bool) -> None:
    """Raises: WeightsError "not_to_be_averaged" with the first condition that does not hold."""
    for each in found:
        if not each.holds and not (each.confirmable and confirmed):
            raise WeightsError("not_to_be_averaged", condition=each.code, **each.parameters)


def rerun(repository: Repository, recipe: MergeRecipe, folder: Path) -> Mapping[str, Path]:
    """Carry out a recipe again from the commits it names; the files below `folder` by path.

    Raises: WeightsError: parents_changed and others; RevisionNotFoundError.
    """
    sources = [recipe.base, *(model.source for model in recipe.models)]
    with ExitStack() as kept:
        opened = []
        for number, source in enumerate(sources):
            files = weight_files(repository.store(), source.revision)
            placed = lay_out(repository, files, folder / f"source-{number}")
            opened.append(kept.enter_context(open_checkpoint(placed)))
        base, *models = [weights_digest(_digests(each)) for each in opened]
        require_parents(recipe, base, models)
        return merge(recipe, opened[0], opened[1:], folder / "merged").files


def _digests(checkpoint: Checkpoint) -> dict[str, str]:
    return {tensor.name: tensor_digest(tensor) for tensor in checkpoint.tensors.values()}
