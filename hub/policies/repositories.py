"""Repositories: the one way to fetch one on somebody's behalf, and who may change it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hub.errors import (
    ForbiddenError,
    InvalidCredentialsError,
    RepositoryMovedError,
    RepositoryNotFoundError,
    UnauthenticatedError,
)
from hub.extensions import registries
from hub.models import Access, AccessToken, Kind, RepoId, Repository, TokenScope, User
from hub.models.prepared import Prepared, each_of
from hub.policies.actors import Actor, asker, keys_of, require_person

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.models.repositories import Person, RepositoryQuerySet


def visible_repositories(actor: Actor) -> RepositoryQuerySet:
    """Every repository that `actor` may read, each with its `access`."""
    rows = Repository.objects.visible_to(actor.user).select_related("namespace")
    if actor.token is not None and actor.is_limited:
        rows = rows.filter(pk__in=actor.token.repositories.values("pk"))
    return rows


# The first question of every page and call about a repository, and that of every list of them.
_NAMED = Prepared(
    lambda kind, namespace, name, **who: with_numbers(visible_repositories(asker(**who))).named(
        RepoId(kind, namespace, name)
    )
)
_LINES = Prepared(
    lambda keys, **who: (
        visible_repositories(asker(**who)).as_lines().filter(pk__in=each_of(keys)).order_by()
    )
)


def with_numbers(rows: RepositoryQuerySet) -> RepositoryQuerySet:
    """Each with what the frame of its pages counts (`registries.repository_numbers`)."""
    numbers = registries.repository_numbers
    return rows.annotate(**{f"number_of_{name}": make() for name, make in numbers.items()})


def visible_lines(actor: Actor, keys: Sequence[int]) -> dict[int, Repository]:
    """Those of `keys` that `actor` may read, by key, each with what a line of a list shows."""
    return {row.pk: row for row in _LINES(keys=keys, **keys_of(actor))} if keys else {}


def seen_repositories(actor: Actor) -> RepositoryQuerySet:
    """The same as a condition of other tables: no `access`, no namespace, in no order."""
    rows = Repository.objects.readable_by(actor.user).order_by()
    if actor.token is not None and actor.is_limited:
        rows = rows.filter(pk__in=actor.token.repositories.values("pk"))
    return rows


def children_of(actor: Actor, repo_ids: Iterable[str]) -> Counter[str]:
    """How many models that `actor` may see name each of these as what they were made from."""
    wanted = {f"base_model:{repo_id}": repo_id for repo_id in repo_ids}
    made = visible_repositories(actor).filter(kind=Kind.MODEL, tags__overlap=list(wanted))
    found = (tag for tags in made.values_list("tags", flat=True) for tag in tags)
    return Counter(wanted[tag] for tag in found if tag in wanted)


def get_repository(
    actor: Actor,
    repo: RepoId,
    *,
    need: Access = Access.READ,
    follow: bool = False,
    storage: bool = False,
) -> Repository:
    """The repository that `repo` names, for an actor who holds at least `need` on it.

    `follow`: an earlier name will do. `storage`: with `large_bytes`.
    Raises:
        RepositoryMovedError: it had this name before; only for those who may see it.
        RepositoryNotFoundError: hidden and missing read alike.
        UnauthenticatedError: nobody is signed in and more than reading was asked for.
        ForbiddenError: it is visible, but the access or the token's scope is too small.
    """
    if follow or storage:
        visible = with_numbers(visible_repositories(actor))
        visible = visible.with_storage() if storage else visible
        repository = (visible.known_as(repo) if follow else visible.named(repo)).first()
    else:
        repository = _named(actor, repo)
    if repository is None:
        _require_no_move(actor, repo)
        raise RepositoryNotFoundError(f"There is no {repo}, or you may not see it.")
    repository.access = min(repository.access, max(actor.ceiling, Access.READ))
    if repository.access >= need:
        return repository
    if not actor.is_signed_in:
        raise UnauthenticatedError(f"Sign in to change {repo}.")
    raise ForbiddenError(f"This needs {Access(need).label.lower()} access to {repo}.")


def _named(actor: Actor, repo: RepoId) -> Repository | None:
    """What has this name now, if `actor` may see it."""
    found = _NAMED(kind=repo.kind, namespace=repo.namespace, name=repo.name, **keys_of(actor))
    return next(iter(found), None)


def _require_no_move(actor: Actor, repo: RepoId) -> None:
    """Raises: RepositoryMovedError when `repo` is the earlier name of what `actor` may see."""
    moved = visible_repositories(actor).known_as(repo).first()
    if moved is not None:
        paths = {repo.path: moved.path, repo.api_path: moved.api_path}
        raise RepositoryMovedError(f"The {repo} is called {moved.repo_id} now.", paths)


def asked_again(actor: Actor, repository: Repository) -> Repository:
    """`repository` as `actor` may use it now: a body takes its time, and rights end meanwhile.

    Raises: InvalidCredentialsError when the token or the account ended, RepositoryNotFoundError.
    """
    token, person = actor.token, actor.person
    if token is not None and not AccessToken.objects.live().filter(pk=token.pk).exists():
        raise InvalidCredentialsError("The access token was revoked: sign in again.")
    if person is not None and not User.objects.filter(pk=person.pk, is_active=True).exists():
        raise InvalidCredentialsError("This account is closed.")
    row = visible_repositories(actor).filter(pk=repository.pk).first()
    if row is None:
        raise RepositoryNotFoundError(f"There is no {repository.named_by}, or you may not see it.")
    row.access = min(row.access, max(actor.ceiling, Access.READ))
    return row


def repository_by_key(actor: Actor, key: int) -> Repository | None:
    """`get_repository` by primary key: None when it is gone or `actor` may not see it."""
    repository = visible_repositories(actor).filter(pk=key).first()
    if repository is not None:
        repository.access = min(repository.access, max(actor.ceiling, Access.READ))
    return repository


def access_of(user: Person, repository: Repository) -> Access:
    """The access a person holds on a repository now, in the browser."""
    row = Repository.objects.with_access(user).filter(pk=repository.pk).first()
    return Access(row.access) if row else Access.NONE


def may_take_part(actor: Actor, repository: Repository) -> bool:
    """Whoever reads it and is signed in: says something, has it measured, asks it something."""
    return actor.is_signed_in and actor.ceiling >= Access.WRITE and repository.may(Access.READ)


def proposing_needs(repository: Repository) -> Access:
    """What one must hold to propose a change: reading a public repository is enough."""
    return Access.CONTRIBUTE if repository.is_private else Access.READ


def may_propose(actor: Actor, repository: Repository) -> bool:
    """Whether `actor` may open a pull request and send its files."""
    return may_take_part(actor, repository) and repository.may(proposing_needs(repository))


def require_proposer(actor: Actor, repository: Repository) -> Any:
    """The person who may propose a change. Raises: UnauthenticatedError, ForbiddenError."""
    user = require_person(actor, scope=TokenScope.WRITE)
    if not may_propose(actor, repository):
        raise ForbiddenError(
            f"Proposing a change to {repository.repo_id} needs contribute access: ask those who "
            "administer it."
        )
    return user


def may_write_ref(actor: Actor, repository: Repository, ref: str) -> bool:
    """Whether `actor` may move `ref`; protection is asked about in `actions.refs`."""
    if ref.startswith("refs/pr/"):
        number = ref.removeprefix("refs/pr/")
        return (
            actor.ceiling >= Access.WRITE
            and number.isdecimal()
            and registries.may_push_proposal(repository, int(number), actor.user)
        )
    return repository.may(Access.WRITE)
