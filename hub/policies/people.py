"""Who holds what on a repository, and who is meant by a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q
from django.db.models.functions import Lower

from hub.models import Access, Collaborator, Membership, Repository, User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from hub.models.repositories import Person


NAMES_LIMIT = 50


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


def people_named(names: Iterable[str]) -> dict[str, int]:
    """Those of these names that somebody bears who may sign in: in lower case, with their key.

    Of a text that names very many people, the first ones count.
    """
    asked = list(dict.fromkeys(name.lower() for name in names))[:NAMES_LIMIT]
    if not asked:
        return {}
    found = User.objects.annotate(lower=Lower("username")).filter(lower__in=asked, is_active=True)
    return dict(found.values_list("lower", "pk"))
