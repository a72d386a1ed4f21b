"""Making the commit in which a proposal's weights and its target's are one; no ref moves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings

from hub.actions.commits import author_of
from hub.actions.derived import require_room
from hub.gitstore import AddFile, AddPointer, CopyPath, DeleteFile, Operation
from hub.jobs.working import Claim
from hub.models import Repository
from hub.policies import Actor
from reviews.jobs.storing import sha256_of, store_result
from reviews.jobs.weight_files import WeightFile, lay_out, weight_files
from reviews.models import WeightMerge, WeightTrial
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import WeightsError
from reviews.weights.merging.carry_out import merge
from reviews.weights.merging.conditions import Condition, conditions
from reviews.weights.merging.methods import METHODS
from reviews.weights.merging.parents import weights_digest
from reviews.weights.merging.recipe import RECIPE_PATH, MergeRecipe
from reviews.weights.merging.recipe_file import read_recipe

SIDES = ("base", "ours", "theirs")
Row = TypeVar("Row", WeightMerge, WeightTrial)


@dataclass(frozen=True)
class Side:
    """One of the three checkpoints of a merge."""

    oid: str
    files: list[WeightFile]
    checkpoint: Checkpoint
    digest: str


@dataclass(frozen=True)
class Made:
    """The commit, where its merged files lie by path, and what it was made of."""

    oid: str
    files: Mapping[str, Path]
    ours: Side
    theirs: Side


def make(
    claim: Claim[Row],
    scratch: Path,
    kept: ExitStack,
    *,
    confirmed: bool,
    note: Callable[[list[str]], None] = lambda sha256s: None,
) -> Made:
    """Merge the weights that a row names into a commit on both heads.

    `confirmed`: whether a condition that people may waive is waived. `note` hears of the large
    files by which names they are about to be stored.
    Raises: WeightsError, StorageFullError, MergeConflictError: other files conflict too.
    """
    return _Making(claim, scratch, kept, confirmed).run(note)


class _Making:
    """The work of one merge."""

    def __init__(self, claim: Claim[Row], scratch: Path, kept: ExitStack, confirmed: bool) -> None:
        self.claim: Claim[Any] = claim
        self.row: WeightMerge | WeightTrial = claim.row
        self.scratch, self.kept, self.confirmed = scratch, kept, confirmed
        self.pull_request = self.row.pull_request
        self.repository: Repository = self.pull_request.repository
        self.store = self.repository.store()
        self.threads = threads()

    def run(self, note: Callable[[list[str]], None]) -> Made:
        base, ours, theirs = (self._open(name) for name in SIDES)
        # First, what may refuse: nothing is worked out or stored in vain.
        tree = self.store.merge_tree(ours.oid, self._without_conflict(ours, theirs))
        require_room(sum(file.size_bytes for file in ours.files if file.is_weights), self.scratch)
        recipe = recipe_of(self.row.choice, base, ours, theirs)
        found = self._conditions(recipe, base, ours, theirs)
        self.claim.tell(conditions=[asdict(each) for each in found])
        _require(found, confirmed=self.confirmed)
        made = merge(
            recipe,
            base.checkpoint,
            [ours.checkpoint, theirs.checkpoint],
            self.scratch / "merged",
            threads=self.threads,
            progress=lambda *args: self.claim.keep(),
        )
        keep = self.claim.keep
        files = sorted(made.files.items())
        note([sha256_of(place, keep) for _path, place in files])
        pointers = [store_result(self.repository, path, place, keep) for path, place in files]
        oid = self._commit(recipe, tree, pointers, (theirs.oid, ours.oid))
        return Made(oid, made.files, ours, theirs)

    def _open(self, name: str) -> Side:
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
        return Side(oid, files, checkpoint, weights_digest(digests))

    def _conditions(self, recipe: MergeRecipe, *sides: Side) -> list[Condition]:
        """What averaging asks for; nothing is asked of a recipe that only copies."""
        methods = {recipe.method, *(rule.method for rule in recipe.rules)}
        if all(METHODS[method].copies for method in methods):
            return []
        base, *models = (side.checkpoint for side in sides)
        return conditions(
            base, models, same_ancestor=True, threads=self.threads, keep=self.claim.keep
        )

    def _commit(
        self, recipe: MergeRecipe, tree: str, pointers: list[AddPointer], parents: tuple[str, str]
    ) -> str:
        """A commit of the merged `tree` with the merged weights and their recipe."""
        text = recipe.dump().encode()
        tree = self.store.write_tree_on(tree, [*pointers, AddFile(RECIPE_PATH, text)])
        return self.store.commit_tree(
            tree,
            parents=list(parents),
            message=f"Merge the weights of {self.pull_request.target_branch}: {recipe.method}",
            author=author_of(Actor(self.row.by)),
        )

    def _without_conflict(self, ours: Side, theirs: Side) -> str:
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


def threads() -> int:
    return settings.RUN_THREADS or len(os.sched_getaffinity(0))


def recipe_of(choice: Mapping[str, Any], base: Side, *models: Side) -> MergeRecipe:
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
