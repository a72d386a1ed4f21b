"""Who may start, see and stop runs; what a run may read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db.models import Q

from hub.errors import (
    ForbiddenError,
    GatedRepositoryError,
    NotFoundError,
    RepositoryNotFoundError,
)
from hub.models import Access, Kind, RepoId, Repository, TokenScope
from hub.policies import (
    Actor,
    access_of,
    file_access,
    may_propose,
    may_take_part,
    proposing_needs,
    require_files,
    require_person,
    require_proposer,
    seen_repositories,
    visible_repositories,
)
from training.models import Run, RunKind, Try

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
    """Whoever reads its files and may propose a change may have the hub work one out."""
    is_theirs = repository.kind == Kind.MODEL and may_propose(actor, repository)
    return is_theirs and file_access(actor, repository).allows


def require_finetune(actor: Actor, repository: Repository) -> User:
    """The person who may start a fine-tune here.

    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError.
    """
    user: User = require_proposer(actor, repository)
    if repository.kind != Kind.MODEL:
        raise ForbiddenError("Only models can be fine-tuned: open a model and start there.")
    require_files(actor, repository)
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
    Raises: RepositoryNotFoundError, GatedRepositoryError, BadInputError.
    """
    rows = Repository.objects.with_access(actor.user).known_as(RepoId.parse(Kind.DATASET, repo_id))
    allowed = Q(pk__in=seen_repositories(actor).values("pk"))
    if named_by is not None:
        allowed |= Q(namespace=named_by.namespace_id)
    found = rows.filter(allowed).select_related("namespace").first()
    if found is None:
        raise RepositoryNotFoundError(
            f"There is no data set {repo_id}, or you may not see it. Create it or correct the name."
        )
    if named_by is None or found.namespace_id != named_by.namespace_id:
        require_files(actor, found)
    return found


def still_allowed(run: Run) -> bool:
    """Whether the person who asked for `run` may still have it: asked again when it starts.

    That holds for every repository it reads, and for running somebody's files (threats D6, J3).
    """
    if not run.created_by.is_active:
        return False
    need = proposing_needs(run.repository) if run.kind == RunKind.FINETUNE else Access.READ
    if _runs_a_proposal(run):
        need = Access.WRITE
    return access_of(run.created_by, run.repository) >= need and _may_read_inputs(run)


def _runs_a_proposal(run: Run) -> bool:
    """Whether it runs files that nobody with write access has taken in yet (threat J3)."""
    if run.spec.get("is_proposal"):
        return True
    sides = {given["digest"] for role in ("base", "candidate") for given in run.inputs(role)}
    return len(sides) > 1


def _may_read_inputs(run: Run) -> bool:
    wanted = {given["repository_id"] for given in run.spec["inputs"]}
    readable = readable_repositories(Actor(run.created_by), wanted)
    if run.kind == RunKind.COMPARE:  # named by the model's own rule: see `get_data`
        own = Repository.objects.filter(pk__in=wanted, namespace=run.repository.namespace_id)
        readable |= set(own.values_list("pk", flat=True))
    return wanted <= readable


def readable_repositories(actor: Actor, wanted: Iterable[int]) -> set[int]:
    """Those of the repositories `wanted` whose files `actor` may read."""
    rows = visible_repositories(actor).filter(pk__in=set(wanted))
    return {row.pk for row in rows if _may_read_files(actor, row)}


def _may_read_files(actor: Actor, repository: Repository) -> bool:
    try:
        require_files(actor, repository)
    except GatedRepositoryError:
        return False
    return True


def may_read_items(actor: Actor, repository_id: int) -> bool:
    """Whether `actor` may see the items of a benchmark that lies in this data set."""
    return bool(readable_repositories(actor, [repository_id]))


def access_to_data(user: User, wanted: Iterable[int]) -> set[str]:
    """The names of those of the data sets `wanted` whose files `user` may read."""
    actor = Actor(user)
    rows = visible_repositories(actor).filter(pk__in=set(wanted))
    return {row.repo_id for row in rows if _may_read_files(actor, row)}


def may_evaluate(actor: Actor, repository: Repository) -> bool:
    """Whoever may read a model's files may have it measured, within their quota."""
    is_theirs = repository.kind == Kind.MODEL and may_take_part(actor, repository)
    return is_theirs and file_access(actor, repository).allows


def require_evaluation(actor: Actor, repository: Repository, *, is_proposal: bool) -> User:
    """The person who may have a revision measured.

    What lies on a branch or tag was taken in by somebody with write access; the files of a
    proposal run only at such a person's word (threat J3).
    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if repository.kind != Kind.MODEL:
        raise ForbiddenError("Only models can be measured: open a model and start there.")
    if not may_take_part(actor, repository):
        raise ForbiddenError(f"You may not have {repository.repo_id} measured.")
    require_files(actor, repository)
    if is_proposal and not repository.may(Access.WRITE):
        raise ForbiddenError(
            f"Running the files of a proposal needs write access to {repository.repo_id}: ask a "
            "maintainer."
        )
    return user


def require_try(actor: Actor, repository: Repository, *, is_proposal: bool) -> User:
    """The person who may ask a revision something: whoever may have it measured.

    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if repository.kind != Kind.MODEL:
        raise ForbiddenError("Only models can be tried: open a model and ask it there.")
    if not may_take_part(actor, repository):
        raise ForbiddenError(f"You may not try {repository.repo_id}.")
    require_files(actor, repository)
    if is_proposal and not repository.may(Access.WRITE):
        raise ForbiddenError(
            f"Running the files of a proposal needs write access to {repository.repo_id}: ask a "
            "maintainer."
        )
    return user


def get_try(actor: Actor, repository: Repository, pk: int) -> Try:
    """A person's own try; nobody else's is ever found. Raises: NotFoundError."""
    rows = Try.objects.filter(repository=repository.pk, created_by=actor.user.pk, pk=pk)
    if (found := rows.first()) is None:
        raise NotFoundError(f"You have no try {pk} of {repository.repo_id}.")
    found.repository = repository
    return found


def running_of(user_id: int) -> int:
    """How many runs a person has at work."""
    return Run.objects.filter(created_by=user_id, status="running").count()


def may_comment(actor: Actor, repository: Repository) -> bool:
    """Anyone who reads the repository and is signed in may say something about an item."""
    return actor.is_signed_in and actor.ceiling >= Access.WRITE and repository.may(Access.READ)


def require_comment(actor: Actor, repository: Repository) -> User:
    """The person who may comment. Raises: UnauthenticatedError, ForbiddenError."""
    user: User = require_person(actor, scope=TokenScope.WRITE)
    return user


def require_maintainer(actor: Actor, repository: Repository, what: str) -> User:
    """The person with write access who may do `what`.

    Raises: UnauthenticatedError, ForbiddenError.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if not repository.may(Access.WRITE):
        raise ForbiddenError(f"{what} needs write access to {repository.repo_id}.")
    return user


def may_override(actor: Actor, repository: Repository, author_id: int) -> bool:
    """An administrator of the repository who is not the author of the proposal."""
    return (
        actor.person is not None
        and repository.may(Access.ADMIN)
        and actor.person.pk != author_id
        and actor.ceiling >= Access.WRITE
    )


def require_override(actor: Actor, repository: Repository, author_id: int) -> User:
    """The person who may let an inconclusive change through (gate-methods, section 1).

    Raises: UnauthenticatedError, ForbiddenError.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if not repository.may(Access.ADMIN):
        raise ForbiddenError(
            f"Letting a change through without a verdict needs admin access to "
            f"{repository.repo_id}."
        )
    if user.pk == author_id:
        raise ForbiddenError(
            "Nobody lets their own change through: ask another administrator of "
            f"{repository.repo_id}."
        )
    return user
