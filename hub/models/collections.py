"""Collections: things that somebody put together on one page, with notes, in an order."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest, Lower
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from hub.models.namespaces import Access, Membership, Namespace
from hub.models.repositories import Kind, Repository, Visibility

if TYPE_CHECKING:
    from hub.models.repositories import Person

TITLE_LIMIT = 60
DESCRIPTION_LIMIT = 150
NOTE_LIMIT = 500
_KEY = re.compile(r"(?:^|-)([0-9a-f]{24})$")


def new_key() -> str:
    """An id as the Hub's clients know them: 24 hex digits."""
    return secrets.token_hex(12)


def key_of(slug: str) -> str:
    """The id at the end of a slug, whatever stands before it; empty when there is none."""
    found = _KEY.search(slug[-200:])
    return found[1] if found else ""


class Theme(models.TextChoices):
    BLUE = "blue", _("blue")
    GREEN = "green", _("green")
    ORANGE = "orange", _("orange")
    PINK = "pink", _("pink")
    PURPLE = "purple", _("purple")
    INDIGO = "indigo", _("indigo")


class CollectionQuerySet(models.QuerySet["Collection"]):
    def with_access(self, user: Person) -> Self:
        """Annotate each row with `access`, the level `user`, signed in or not, holds on it."""
        granted = Membership.objects.filter(namespace=OuterRef("namespace"), user=user.pk)
        held = Subquery(granted.values("access")[:1], output_field=models.IntegerField())
        public = When(visibility=Visibility.PUBLIC, then=Value(Access.READ))
        everyone = Case(public, default=Value(Access.NONE))
        return self.annotate(access=Greatest(everyone, Coalesce(held, Value(Access.NONE))))

    def visible_to(self, user: Person) -> Self:
        return self.with_access(user).filter(access__gte=Access.READ)

    def writable_by(self, user: Person) -> Self:
        return self.with_access(user).filter(access__gte=Access.WRITE)

    def with_upvotes(self) -> Self:
        votes = CollectionUpvote.objects.filter(collection=OuterRef("pk")).order_by()
        counted = votes.values("collection").annotate(count=Count("pk")).values("count")
        return self.annotate(
            upvotes=Coalesce(Subquery(counted, output_field=models.IntegerField()), Value(0))
        )


class Collection(models.Model):
    """A page of things. Its slug follows from owner, title and key; only the key counts."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="collections")
    title = models.CharField(max_length=TITLE_LIMIT)
    description = models.CharField(max_length=DESCRIPTION_LIMIT, blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.BLUE)
    position = models.PositiveIntegerField(help_text="Among its owner's; gaps mean nothing.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now_add=True)

    objects = CollectionQuerySet.as_manager()
    access: int  # annotated by `with_access`
    upvotes: int  # annotated by `with_upvotes`
    shown: list[CollectionItem]  # what the reader sees of it, set by `policies.with_items`
    shown_count: int

    class Meta:
        constraints = [
            models.UniqueConstraint("namespace", Lower("title"), name="collection_title_unique"),
            models.UniqueConstraint(
                fields=["namespace", "position"],
                name="collection_position_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=Q(visibility__in=Visibility.values), name="collection_visibility_known"
            ),
            models.CheckConstraint(
                condition=Q(theme__in=Theme.values), name="collection_theme_known"
            ),
        ]
        indexes = [models.Index(fields=["-last_modified_at"], name="collection_recent")]

    def __str__(self) -> str:
        return self.slug

    @property
    def slug(self) -> str:
        """`namespace/title-key`"""
        title = slugify(self.title)
        return f"{self.namespace.slug}/{title}-{self.key}" if title else self.bare_slug

    @property
    def bare_slug(self) -> str:
        return f"{self.namespace.slug}/{self.key}"

    @property
    def is_private(self) -> bool:
        return self.visibility == Visibility.PRIVATE

    def get_absolute_url(self) -> str:
        return f"/collections/{self.slug}"

    def may(self, need: Access) -> bool:
        """Whether the person it was fetched for holds `need` on it (see `policies`)."""
        return self.access >= need


class CollectionItem(models.Model):
    """One thing in a collection: a repository, or another collection."""

    key = models.CharField(max_length=24, unique=True, default=new_key)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="items")
    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, null=True, related_name="collection_items"
    )
    target = models.ForeignKey(
        Collection, on_delete=models.CASCADE, null=True, related_name="in_collections"
    )
    note = models.CharField(max_length=NOTE_LIMIT, blank=True)
    position = models.PositiveIntegerField(help_text="In its collection; gaps mean nothing.")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    place: int  # among the items that the reader sees, from 0; annotated by `policies`

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "repository"], name="collection_repository_unique"
            ),
            models.UniqueConstraint(
                fields=["collection", "target"], name="collection_target_unique"
            ),
            models.UniqueConstraint(
                fields=["collection", "position"],
                name="collection_item_position_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=Q(repository__isnull=False, target__isnull=True)
                | Q(repository__isnull=True, target__isnull=False),
                name="collection_item_is_one_thing",
            ),
        ]

    @property
    def thing(self) -> Any:
        """The repository or the collection."""
        return self.repository or self.target

    @property
    def kind(self) -> str:
        return str(self.repository.kind) if self.repository is not None else "collection"

    @property
    def kind_word(self) -> str:
        return str(Kind(self.kind).label if self.repository is not None else _("collection"))

    @property
    def name(self) -> str:
        """What a page calls it."""
        return self.repository.repo_id if self.repository is not None else self.thing.title

    @property
    def icon(self) -> str:
        return {"model": "model", "dataset": "dataset"}.get(self.kind, "layers")


class CollectionUpvote(models.Model):
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="collection_upvotes"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["collection", "user"], name="collection_upvote_unique")
        ]
