"""Who may do what; the one way to fetch an object on someone's behalf."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Q, Window
from django.db.models.functions import Lower, RowNumber

from hub.errors import (
    ForbiddenError,
    GatedRepositoryError,
    InvalidCredentialsError,
    NotFoundError,
    RepositoryMovedError,
    RepositoryNotFoundError,
    UnauthenticatedError,
)
from hub.extensions import registries
from hub.models import (
    Access,
    AccessRequest,
    AccessToken,
    Collaborator,
    Collection,
    CollectionItem,
    Kind,
    Like,
    Membership,
    Namespace,
    Notification,
    RepoId,
    Repository,
    TokenScope,
    User,
)
from hub.models.collections import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

    from hub.models.collections import CollectionQuerySet
    from hub.models.inbox import NotificationQuerySet
    from hub.models.repositories import Person, RepositoryQuerySet


NAMES_LIMIT = 50


@dataclass(frozen=True)
class Actor:
    """Who asks: a person, and the token they sent, whose scope and list limit them."""

    user: Person
    token: AccessToken | None = None

    @property
    def is_signed_in(self) -> bool:
        return bool(self.user.is_authenticated)

    @property
    def person(self) -> User | None:
        """The signed-in person."""
        return self.user if isinstance(self.user, User) else None

    @property
    def ceiling(self) -> Access:
        """The most that it may do to a repository; see decision 11."""
        return Access.ADMIN if self.token is None else self.token.ceiling

    @property
    def is_limited(self) -> bool:
        """Whether the token is for some repositories only: it creates and governs nothing."""
        return self.token is not None and self.token.is_for_some_only

    def has_scope(self, scope: TokenScope) -> bool:
        """Whether the token reaches this far; a browser reaches as far as its person."""
        return self.token is None or TokenScope(self.token.scope).includes(scope)


ANONYMOUS = Actor(AnonymousUser())


def visible_repositories(actor: Actor) -> RepositoryQuerySet:
    """Every repository that `actor` may read, each with its `access`."""
    rows = Repository.objects.visible_to(actor.user).select_related("namespace")
    if actor.token is not None and actor.is_limited:
        rows = rows.filter(pk__in=actor.token.repositories.values("pk"))
    return rows


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


def visible_likes(actor: Actor, user: User) -> QuerySet[Like]:
    """What `user` likes among the repositories that `actor` may see."""
    seen = seen_repositories(actor).values("pk")
    return Like.objects.filter(user=user, repository__in=seen)


def holders(repository: Repository, need: Access) -> set[int]:
    """The keys of those who hold `need` on a repository by name, not as everybody does."""
    held = Membership.objects.filter(namespace=repository.namespace_id, access__gte=need)
    return set(held.values_list("user", flat=True))


def readers(repository: Repository, keys: Iterable[int]) -> set[int]:
    """Those of these people who may read the repository now."""
    asked = set(keys)
    if repository.is_private:
        asked &= holders(repository, Access.READ)
    return set(User.objects.filter(pk__in=asked, is_active=True).values_list("pk", flat=True))


def people_named(names: Iterable[str]) -> dict[str, int]:
    """Those of these names that somebody bears who may sign in: in lower case, with their key.

    Of a text that names very many people, the first ones count.
    """
    asked = list(dict.fromkeys(name.lower() for name in names))[:NAMES_LIMIT]
    if not asked:
        return {}
    found = User.objects.annotate(lower=Lower("username")).filter(lower__in=asked, is_active=True)
    return dict(found.values_list("lower", "pk"))


def visible_notifications(actor: Actor) -> NotificationQuerySet:
    """What the one who asks was told, of what they may still read."""
    return Notification.objects.of(actor.user, seen_repositories(actor))


def visible_likers(repository: Repository) -> QuerySet[Like]:
    """Who likes a repository: people who may still sign in."""
    return Like.objects.filter(repository=repository, user__is_active=True)


def has_liked(actor: Actor, repository: Repository) -> bool:
    """Whether the one who looks likes it."""
    if actor.person is None:
        return False
    return Like.objects.filter(repository=repository, user=actor.person).exists()


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
    visible = visible_repositories(actor)
    if storage:
        visible = visible.with_storage()
    # A name belongs to one at most, and the order that `first` adds has its cost.
    repository = visible.known_as(repo).first() if follow else next(iter(visible.named(repo)), None)
    if repository is None:
        _require_no_move(actor, repo)
        raise RepositoryNotFoundError(f"There is no {repo}, or you may not see it.")
    repository.access = min(repository.access, max(actor.ceiling, Access.READ))
    if repository.access >= need:
        return repository
    if not actor.is_signed_in:
        raise UnauthenticatedError(f"Sign in to change {repo}.")
    raise ForbiddenError(f"This needs {Access(need).label.lower()} access to {repo}.")


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


class FileAccess(StrEnum):
    """Where somebody stands with the files of a repository that they may see."""

    OPEN = "open"  # not gated, or theirs as a member of the namespace
    ACCEPTED = "accepted"
    SIGN_IN = "sign in"
    ASK = "ask"
    PENDING = "pending"
    REJECTED = "rejected"

    @property
    def allows(self) -> bool:
        return self in {FileAccess.OPEN, FileAccess.ACCEPTED}


def file_access(actor: Actor, repository: Repository) -> FileAccess:
    """Where `actor` stands with the files now: asked afresh, so that a decision acts at once."""
    if not repository.gated or repository.access > Access.READ:
        return FileAccess.OPEN
    if not actor.is_signed_in:
        return FileAccess.SIGN_IN
    if is_member(actor.user, repository):
        return FileAccess.OPEN
    asked = AccessRequest.objects.filter(repository=repository, user=actor.user.pk)
    status = asked.values_list("status", flat=True).first()
    return FileAccess(status) if status else FileAccess.ASK


def is_member(user: Person, repository: Repository) -> bool:
    """Whether a person belongs to the repository or its namespace: its gate is open to them."""
    held = {"user": user.pk, "access__gte": Access.READ}
    members = Membership.objects.filter(namespace=repository.namespace_id, **held)
    return members.exists() or Collaborator.objects.filter(repository=repository, **held).exists()


def maintainers_of(repository: Repository) -> QuerySet[User]:
    """The people who hold at least write access now: their approvals count."""
    held = {"access__gte": Access.WRITE}
    members = Membership.objects.filter(namespace=repository.namespace_id, **held)
    invited = Collaborator.objects.filter(repository=repository, **held)
    return User.objects.filter(Q(pk__in=members.values("user")) | Q(pk__in=invited.values("user")))


# The sentences of the public Hub: clients show them, and some look for a part of them.
_CLOSED = {
    FileAccess.SIGN_IN: "Access to {it} is restricted. You must have access to it and be "
    "authenticated to access it. Please log in.",
    FileAccess.ASK: "Access to {it} is restricted and you are not in the authorized list. "
    "Visit {page} to ask for access.",
    FileAccess.PENDING: "Your request to access {it} is awaiting a review from the repo authors. "
    "Access to {it} is restricted and you are not in the authorized list.",
    FileAccess.REJECTED: "Your request to access {it} has been rejected by the repo's authors. "
    "Access to {it} is restricted and you are not in the authorized list.",
}


def _require_no_move(actor: Actor, repo: RepoId) -> None:
    """Raises: RepositoryMovedError when `repo` is the earlier name of what `actor` may see."""
    moved = visible_repositories(actor).known_as(repo).first()
    if moved is not None:
        paths = {repo.path: moved.path, repo.api_path: moved.api_path}
        raise RepositoryMovedError(f"The {repo} is called {moved.repo_id} now.", paths)


def require_files(actor: Actor, repository: Repository) -> None:
    """Refuse the files of a gated repository to all but its namespace and those it accepted.

    Raises: GatedRepositoryError.
    """
    standing = file_access(actor, repository)
    if standing.allows:
        return
    it, page = f"{repository.kind} {repository.repo_id}", repository.public_url()
    ask_path = f"/{repository.path}/access"
    raise GatedRepositoryError(_CLOSED[standing].format(it=it, page=page), ask_path=ask_path)


def require_person(actor: Actor, *, scope: TokenScope = TokenScope.READ) -> Any:
    """The signed-in person, acting with a token of at least `scope` or in the browser.

    Raises: UnauthenticatedError, ForbiddenError.
    """
    if not actor.is_signed_in:
        raise UnauthenticatedError("Sign in first: this needs an account on this server.")
    require_scope(actor, scope)
    return actor.user


def require_scope(actor: Actor, scope: TokenScope) -> None:
    """Refuse a token whose scope is too small. Raises: ForbiddenError."""
    if not actor.has_scope(scope):
        raise ForbiddenError(f"This needs a token with {scope.label} scope.")


def may_propose(actor: Actor, repository: Repository) -> bool:
    """Anyone who is signed in and reads it may open a pull request, with a write token."""
    return actor.is_signed_in and actor.ceiling >= Access.WRITE and repository.may(Access.READ)


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


def get_namespace(actor: Actor, slug: str, *, need: Access) -> Namespace:
    """The namespace `slug`, for an actor who holds `need` in it.

    Administering one needs a token with admin scope, what is less one with write scope.
    Raises: UnauthenticatedError, ForbiddenError (also when there is no such namespace).
    """
    scope = TokenScope.ADMIN if need >= Access.ADMIN else TokenScope.WRITE
    user = require_person(actor, scope=scope)
    if scope is TokenScope.ADMIN and actor.is_limited:
        raise ForbiddenError("This token is limited to some repositories.")
    held = Membership.objects.filter(namespace__slug__iexact=slug, user=user.pk, access__gte=need)
    membership = held.select_related("namespace").first()
    if membership is None:
        raise ForbiddenError(f"You have no {Access(need).label.lower()} access to “{slug}”.")
    return membership.namespace


def get_shared_namespace(actor: Actor, slug: str) -> Namespace:
    """The namespace `slug`, for somebody who belongs to it.

    Raises: UnauthenticatedError, ForbiddenError (also when there is no such namespace).
    """
    user = require_person(actor)
    held = Membership.objects.filter(namespace__slug__iexact=slug, user=user.pk)
    membership = held.filter(access__gte=Access.READ).select_related("namespace").first()
    if membership is None:
        raise ForbiddenError(f"You do not belong to “{slug}”.")
    return membership.namespace


def access_of(user: Person, repository: Repository) -> Access:
    """The access a person holds on a repository now, in the browser."""
    row = Repository.objects.with_access(user).filter(pk=repository.pk).first()
    return Access(row.access) if row else Access.NONE


def visible_collections(actor: Actor) -> CollectionQuerySet:
    """Every collection that `actor` may read, each with its `access`.

    A token that is limited to some repositories reads what everybody does.
    """
    user = AnonymousUser() if actor.is_limited else actor.user
    return Collection.objects.visible_to(user).select_related("namespace")


def get_collection(actor: Actor, slug: str, *, need: Access = Access.READ) -> Collection:
    """The collection whose id ends `slug`, for an actor who holds at least `need` on it.

    Raises:
        NotFoundError: hidden and missing read alike.
        UnauthenticatedError, ForbiddenError: it is visible, but more is needed.
    """
    key = key_of(slug)
    found = visible_collections(actor).with_upvotes().filter(key=key).first() if key else None
    if found is None:
        raise NotFoundError("There is no such collection, or you may not see it.")
    if need > Access.READ:
        require_person(actor, scope=TokenScope.WRITE)
        if not found.may(need):
            raise ForbiddenError(f"This needs {Access(need).label.lower()} access to {found.slug}.")
    return found


def visible_items(actor: Actor) -> QuerySet[CollectionItem]:
    """Items of any collection whose thing `actor` may see."""
    seen = Q(repository__in=seen_repositories(actor).values("pk"))
    seen |= Q(target__in=visible_collections(actor).values("pk"))
    return CollectionItem.objects.filter(seen)


def with_items(
    actor: Actor, collections: Sequence[Collection], *, most: int | None = None
) -> Sequence[Collection]:
    """`collections`, each with `shown`, its first visible items, and their `shown_count`."""
    found = {one.pk: one for one in collections}
    items = visible_items(actor).filter(collection__in=found)
    counts = items.values("collection").annotate(count=Count("pk"))
    counted = dict(counts.values_list("collection", "count"))
    for one in collections:
        one.shown, one.shown_count = [], counted.get(one.pk, 0)
    place = Window(RowNumber(), partition_by=F("collection"), order_by="position")
    placed = items.annotate(**{"place": place - 1}).order_by("position")
    placed = placed.select_related("repository__namespace", "target__namespace")
    for item in placed if most is None else placed.filter(**{"place__lt": most}):
        found[item.collection_id].shown.append(item)
    return collections
