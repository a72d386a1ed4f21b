"""The models of a merge, wherever they lie: fetched for a person, opened, named for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import GatedRepositoryError
from hub.models import Kind, RepoId, Repository
from hub.policies import Actor, get_repository, repository_by_key, require_files
from reviews.jobs.weight_files import WeightFile, lay_out, weight_files
from reviews.weights.adapter_config import CONFIG
from reviews.weights.adapters import with_adapter
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.merging.adapters import merge_adapters
from reviews.weights.merging.carry_out import MergedFiles, merge
from reviews.weights.merging.conditions import Condition, conditions
from reviews.weights.merging.methods import METHODS
from reviews.weights.merging.parents import require_parents, weights_digest
from reviews.weights.merging.recipe import MergeRecipe
from reviews.weights.opening import read_json
from reviews.weights.tensors import Tensor

Keep = Callable[[], None]


@dataclass(frozen=True)
class Opened:
    """The weights of one commit. `digest` names its tensors, `adapter_digest` its adapter's."""

    repository: Repository
    oid: str
    files: list[WeightFile]
    placed: Mapping[str, Path]
    checkpoint: Checkpoint
    digest: str
    adapter_digest: str

    @property
    def has_whole(self) -> bool:
        return self.checkpoint.format == "safetensors"


def require_source(actor: Actor, key: int, place: int) -> Repository:
    """The repository with this key, whose files `actor` may read now.

    Raises: WeightsError "source_gone" with the place of the source: removed, hidden or closed.
    """
    repository = repository_by_key(actor, key)
    if repository is None:
        raise WeightsError("source_gone", place=place)
    try:
        require_files(actor, repository)
    except GatedRepositoryError:
        raise WeightsError("source_gone", place=place) from None
    return repository


def open_source(
    repository: Repository, oid: str, folder: Path, kept: ExitStack, keep: Keep = lambda: None
) -> Opened:
    """Open the weights of a commit; `keep` is called between tensors.

    Raises: WeightsError: a problem of the files; UnprocessableError; RevisionNotFoundError.
    """
    files = weight_files(repository.store(), oid)
    placed = lay_out(repository, files, folder)
    checkpoint = kept.enter_context(open_checkpoint(placed))
    for problem in checkpoint.problems:
        if problem.code != "not_readable":  # a pickle beside safetensors is no part of the model
            raise WeightsError(problem.code, tensor=problem.tensor, **problem.parameters)
    if checkpoint.format == "gguf":
        raise WeightsError("only_safetensors", source=repository.repo_id)
    adapter = checkpoint.adapter
    return Opened(
        repository,
        oid,
        files,
        placed,
        checkpoint,
        digest=_digest(checkpoint.tensors, keep),
        adapter_digest=_digest(adapter.tensors, keep) if adapter else "",
    )


def _digest(tensors: Mapping[str, Tensor], keep: Keep) -> str:
    digests = {}
    for tensor in tensors.values():
        digests[tensor.name] = tensor_digest(tensor)
        keep()
    return weights_digest(digests)


@dataclass(frozen=True)
class Family:
    """A base and models, all of them whole or all of them adapters of it."""

    base: Opened
    models: Sequence[Opened]

    @property
    def are_adapters(self) -> bool:
        return all(each.checkpoint.adapter is not None for each in self.models)

    def digest_of(self, model: Opened) -> str:
        return model.adapter_digest if self.are_adapters else model.digest

    def require_alike(self) -> None:
        """Raises: WeightsError: adapters beside whole weights; other weights than the base's under
        an adapter; a base that is none."""
        if not self.base.has_whole:
            raise WeightsError("base_not_whole", source=self.base.repository.repo_id)
        if self.are_adapters:
            for each in self.models:
                if each.has_whole and each.digest != self.base.digest:
                    raise WeightsError("adapter_of_another", source=each.repository.repo_id)
            return
        for each in (self.base, *self.models):
            if each.checkpoint.adapter is not None:
                raise WeightsError("adapters_and_whole", source=each.repository.repo_id)

    def conditions(
        self, recipe: MergeRecipe, *, recorded: bool, threads: int, keep: Keep
    ) -> list[Condition]:
        """What averaging asks for; nothing is asked of a recipe that only copies.

        `recorded`: whether the cards name the base, or only the one who asks does.
        """
        methods = {recipe.method, *(rule.method for rule in recipe.rules)}
        if all(METHODS[method].copies for method in methods):
            return []
        base = self.base.checkpoint
        models = [each.checkpoint for each in self.models]
        if self.are_adapters:
            models = [with_adapter(base, each) for each in models]
        ancestor, *found = conditions(base, models, same_ancestor=True, threads=threads, keep=keep)
        return [Condition(ancestor.code, True, {"recorded": recorded}), *found]

    def merge(
        self, recipe: MergeRecipe, folder: Path, *, threads: int = 2, keep: Keep = lambda: None
    ) -> MergedFiles:
        """The merged files below `folder`. Raises: see `merge` and `merge_adapters`."""
        models = [each.checkpoint for each in self.models]
        if self.are_adapters:
            settings = _settings(self.models[0])
            return merge_adapters(recipe, models, folder, settings=settings, threads=threads)
        base = self.base.checkpoint
        return merge(recipe, base, models, folder, threads=threads, progress=lambda *args: keep())


def _settings(model: Opened) -> dict[str, Any]:
    """The adapter_config.json at the root of a model."""
    path = model.placed.get(CONFIG)
    values = Problem("adapter_config_missing") if path is None else read_json(CONFIG, path)
    if isinstance(values, Problem):
        raise WeightsError(values.code, **values.parameters)
    return values


def rerun_sources(
    actor: Actor, repository: Repository, recipe: MergeRecipe, folder: Path
) -> Mapping[str, Path]:
    """Carry out the recipe that lies in `repository` again, from the sources it names.

    Raises: WeightsError: parents_changed and others; RepositoryNotFoundError for a source that
        `actor` may not see, GatedRepositoryError, RevisionNotFoundError.
    """
    with ExitStack() as kept:
        opened = []
        sources = [recipe.base, *(model.source for model in recipe.models)]
        for number, source in enumerate(sources):
            found = repository
            if source.repo_id is not None:
                name = RepoId.parse(Kind.MODEL, source.repo_id)
                found = get_repository(actor, name, follow=True)
            require_files(actor, found)
            oid = found.store().resolve(source.revision)
            opened.append(open_source(found, oid, folder / f"source-{number}", kept))
        family = Family(opened[0], opened[1:])
        family.require_alike()
        digests = [family.digest_of(each) for each in family.models]
        require_parents(recipe, family.base.digest, digests)
        return family.merge(recipe, folder / "merged").files
