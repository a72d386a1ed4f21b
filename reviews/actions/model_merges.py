"""Asking for several models to be made one, as a proposal on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from hub.errors import BadInputError, ConflictError
from hub.jobs.doorbell import ring
from hub.models import Kind, RepoId, Repository
from hub.policies import Actor, get_repository, require_files, require_proposer
from reviews.actions.model_family import common_bases
from reviews.actions.timeline import check_title
from reviews.actions.weights import side_at
from reviews.actions.weights_work import require_turn
from reviews.jobs.model_merging import recipe_values
from reviews.models import ModelMerge
from reviews.tasks import merge_models
from reviews.weights.merging.methods import Method
from reviews.weights.merging.recipe_file import read_recipe

LEAST, MOST = 2, 8
OFFERED = (
    Method.LINEAR, Method.SLERP, Method.TASK_ARITHMETIC, Method.TIES, Method.DARE_LINEAR,
    Method.DARE_TIES, Method.MODEL_STOCK,
)  # fmt: skip
# What a recipe is tried with before the weights have been read.
_ANY = "0" * 64


@dataclass(frozen=True)
class Part:
    """One model by its text `namespace/name[@revision]`, with its numbers."""

    model: str
    weight: Any = 1.0
    density: Any = 1.0


@dataclass(frozen=True)
class Wanted:
    """What somebody wants merged. `base` "": the nearest that all cards lead to."""

    method: str
    parts: Sequence[Part]
    base: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    rules: list[Any] = field(default_factory=list)
    seed: Any = 0
    confirmed: bool = False
    title: str = ""


@dataclass(frozen=True)
class Found:
    """One source as it is now."""

    repository: Repository
    oid: str

    def to_json(self, **numbers: Any) -> dict[str, Any]:
        told = {"key": self.repository.pk, "repo_id": self.repository.repo_id, "oid": self.oid}
        return told | numbers


@dataclass(frozen=True)
class Prepared:
    """A merge that may be asked for. `recorded`: the cards lead to the base."""

    base: Found
    models: list[Found]
    recorded: bool


def require_merger(actor: Actor, repository: Repository) -> Any:
    """Who may open proposals on a model and read its files.

    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError; BadInputError for what is
        no model.
    """
    user = require_proposer(actor, repository)
    if repository.kind != Kind.MODEL:
        raise BadInputError("Only models are merged.")
    require_files(actor, repository)
    return user


def prepare(repository: Repository, actor: Actor, wanted: Wanted) -> Prepared:
    """Look at everything that can be known before weights are read.

    Raises: BadInputError with what to change; GatedRepositoryError, RevisionNotFoundError and
        RepositoryNotFoundError of a source.
    """
    if not LEAST <= len(wanted.parts) <= MOST:
        raise BadInputError(f"Choose {LEAST} to {MOST} models; {len(wanted.parts)} are named.")
    models = [find_source(actor, part.model) for part in wanted.parts]
    if repository.pk not in {each.repository.pk for each in models}:
        raise BadInputError(f"{repository.repo_id} must be one of the models: the result is its.")
    if len({(each.repository.pk, each.oid) for each in models}) < len(models):
        raise BadInputError("The same model at the same revision is named twice.")
    bases = common_bases(actor, [each.repository for each in models])
    if wanted.base:
        base = find_source(actor, wanted.base)
    elif bases:
        base = find_source(actor, bases[0].repo_id)
    else:
        raise BadInputError(
            "The cards of these models name no common base that is here: choose the base."
        )
    recorded = base.repository.pk in {each.pk for each in bases}
    prepared = Prepared(base, models, recorded)
    _require_recipe(prepared, wanted)
    return prepared


def find_source(actor: Actor, text: str) -> Found:
    """The model and commit that `namespace/name[@revision]` names, for who may read its files."""
    name, _at, revision = text.strip().partition("@")
    repository = get_repository(actor, RepoId.parse(Kind.MODEL, name), follow=True)
    require_files(actor, repository)
    oid = repository.store().resolve(revision or repository.default_branch)
    if not side_at(repository, oid).has_weights:
        raise BadInputError(f"{repository.repo_id} has no weights at {revision or oid[:12]}.")
    return Found(repository, oid)


def start_model_merge(repository: Repository, actor: Actor, wanted: Wanted) -> ModelMerge:
    """Have a worker merge models into a proposal on `repository`.

    Raises: see `require_merger` and `prepare`; ConflictError while another merge of this person
        here is under way; ThrottledError: they have too much under way.
    """
    user = require_merger(actor, repository)
    prepared = prepare(repository, actor, wanted)
    title = check_title(wanted.title.strip() or f"Merge {len(wanted.parts)} models")
    try:
        with transaction.atomic():
            require_turn(user)
            row = ModelMerge.objects.create(
                repository=repository,
                by=user,
                title=title,
                target_branch=repository.default_branch,
                base=prepared.base.to_json(),
                parts=_parts(prepared, wanted),
                choice=_choice(wanted, prepared),
            )
            ring(merge_models, row.pk)
    except IntegrityError:
        raise ConflictError("Your last merge here is still under way: wait for it.") from None
    return row


def _require_recipe(prepared: Prepared, wanted: Wanted) -> None:
    if wanted.method not in OFFERED:
        raise BadInputError(f"There is no way of merging called {wanted.method[:40]!r}.")
    sources = [prepared.base.to_json(), *_parts(prepared, wanted)]
    values = recipe_values(_choice(wanted, prepared), sources, [_ANY] * len(sources))
    read_recipe(values, place="The recipe")


def _parts(prepared: Prepared, wanted: Wanted) -> list[dict[str, Any]]:
    return [
        each.to_json(weight=part.weight, density=part.density)
        for each, part in zip(prepared.models, wanted.parts, strict=True)
    ]


def _choice(wanted: Wanted, prepared: Prepared) -> dict[str, Any]:
    return {
        "method": wanted.method,
        "parameters": wanted.parameters,
        "rules": wanted.rules,
        "seed": wanted.seed,
        "confirmed": wanted.confirmed,
        "recorded": prepared.recorded,
    }
