"""Who may start, see and stop runs; what a run may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from hub.errors import ForbiddenError, NotFoundError, RepositoryNotFoundError
from hub.models import Access, Kind, RepoId, Repository, TokenScope
from hub.policies import Actor, access_of, may_propose, require_person, visible_repositories
from training.models import Run

if TYPE_CHECKING:
    from hub.models import User


def get_run(repository: Repository, number: int) -> Run:
    """Run `number` of a repository that the reader holds already.

    Raises: NotFoundError.
    """
    run = Run.objects.filter(repository=repository.pk, number=number).select_related("created_by")
    if (found := run.first()) is None:
        raise NotFoundError(f"There is no run {number} in {repository.repo_id}.")
    found.repository = repository
    return found


def may_finetune(actor: Actor, repository: Repository) -> bool:
    """Whoever may propose a change may have the hub work one out, within their quota."""
    return repository.kind == Kind.MODEL and may_propose(actor, repository)


def require_finetune(actor: Actor, repository: Repository) -> User:
    """The person who may start a fine-tune here. Raises: UnauthenticatedError, ForbiddenError."""
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if repository.kind != Kind.MODEL:
        raise ForbiddenError("Only models can be fine-tuned: open a model and start there.")
    if not may_finetune(actor, repository):
        raise ForbiddenError(f"You may not propose changes to {repository.repo_id}.")
    return user


def require_gate(actor: Actor, repository: Repository) -> User:
    """The person who may have a proposal's files run: only those with write access (threat J3).

    Raises: UnauthenticatedError, ForbiddenError.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if not repository.may(Access.WRITE):
        raise ForbiddenError(
            f"Starting the gate needs write access to {repository.repo_id}: ask a maintainer."
        )
    return user


def may_stop(actor: Actor, run: Run) -> bool:
    """The person who started it, and whoever may write to the repository."""
    if not actor.is_signed_in or actor.ceiling < Access.WRITE:
        return False
    return run.created_by_id == actor.user.pk or run.repository.may(Access.WRITE)


def require_stop(actor: Actor, run: Run) -> None:
    """Raise UnauthenticatedError or ForbiddenError unless `actor` may stop `run`."""
    require_person(actor)
    if not may_stop(actor, run):
        raise ForbiddenError("Only the person who started a run, or a maintainer, may stop it.")


def get_data(actor: Actor, repo_id: str, *, named_by: Repository | None = None) -> Repository:
    """The data set `repo_id` that a run reads on behalf of `actor`, who must see it.

    `named_by`: a repository whose own rule names the data set. Its maintainers may then use
    those of their namespace, although the author of a proposal cannot read them (threat M5).
    Raises: RepositoryNotFoundError, BadInputError.
    """
    rows = Repository.objects.named(RepoId.parse(Kind.DATASET, repo_id))
    allowed = Q(pk__in=visible_repositories(actor).values("pk"))
    if named_by is not None:
        allowed |= Q(namespace=named_by.namespace_id)
    found = rows.filter(allowed).select_related("namespace").first()
    if found is None:
        raise RepositoryNotFoundError(
            f"There is no data set {repo_id}, or you may not see it. Create it or correct the name."
        )
    return found


def still_allowed(run: Run) -> bool:
    """Whether the person who asked for `run` may still have it: asked again when it starts."""
    if not run.created_by.is_active:
        return False
    return access_of(run.created_by, run.repository) >= Access.READ


def may_read_items(actor: Actor, repository_id: int) -> bool:
    """Whether `actor` may see the items of a benchmark that lies in this data set."""
    return visible_repositories(actor).filter(pk=repository_id).exists()


def running_of(user_id: int) -> int:
    """How many runs a person has at work."""
    return Run.objects.filter(created_by=user_id, status="running").count()
