"""Collections in the words that clients read, and the shapes of their requests."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from hub.api.people_shapes import avatar_url
from hub.api.wire import moment
from hub.models import Collection, CollectionItem, Kind, Repository, Theme
from hub.models.collections import DESCRIPTION_LIMIT, NOTE_LIMIT, TITLE_LIMIT
from hub.policies import Actor, visible_collections

_ITEM_KINDS = [*Kind.values, "collection"]


def item(row: CollectionItem) -> dict[str, Any]:
    """One item; a nested collection is known to clients by its slug."""
    thing = row.thing
    shape: dict[str, Any] = {
        "_id": row.key,
        "id": thing.repo_id if isinstance(thing, Repository) else thing.key,
        "type": row.kind,
        "position": row.place,
        "author": thing.namespace.slug,
        "private": thing.is_private,
        "lastModified": moment(thing.last_modified_at),
    }
    if isinstance(thing, Repository):
        shape |= {"downloads": thing.downloads, "likes": thing.likes, "gated": thing.gated or False}
    else:
        shape |= {"slug": thing.slug, "title": thing.title}
    if row.note:
        shape["note"] = {"text": row.note}
    return shape


def owner(row: Collection) -> dict[str, Any]:
    namespace = row.namespace
    return {
        "_id": str(namespace.pk),
        "name": namespace.slug,
        "fullname": namespace.full_name or namespace.slug,
        "type": namespace.kind,
        "avatarUrl": avatar_url(namespace),
    }


def collection(row: Collection) -> dict[str, Any]:
    """What a list shows. Without `position`: the client counts lists itself and refuses another."""
    shape: dict[str, Any] = {
        "slug": row.slug,
        "title": row.title,
        "owner": owner(row),
        "items": [item(one) for one in row.shown],
        "numItems": row.shown_count,
        "lastUpdated": moment(row.last_modified_at),
        "private": row.is_private,
        "theme": row.theme,
        "upvotes": row.upvotes,
    }
    return shape | ({"description": row.description} if row.description else {})


def details(row: Collection, actor: Actor) -> dict[str, Any]:
    """One collection with all its visible items and its place among the owner's visible ones."""
    before = visible_collections(actor).filter(
        namespace=row.namespace_id, position__lt=row.position
    )
    return collection(row) | {"position": before.count()}


class NoteSerializer(serializers.Serializer):
    text = serializers.CharField()


class ItemSerializer(serializers.Serializer):
    _id = serializers.CharField()
    id = serializers.CharField()
    type = serializers.ChoiceField(choices=_ITEM_KINDS)
    position = serializers.IntegerField()
    author = serializers.CharField()
    private = serializers.BooleanField()
    lastModified = serializers.CharField()
    downloads = serializers.IntegerField(required=False)
    likes = serializers.IntegerField(required=False)
    gated = serializers.JSONField(required=False, help_text="false, auto or manual")
    slug = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    note = NoteSerializer(required=False)


class OwnerSerializer(serializers.Serializer):
    _id = serializers.CharField()
    name = serializers.CharField()
    fullname = serializers.CharField()
    type = serializers.ChoiceField(choices=["user", "org"])
    avatarUrl = serializers.CharField()


class CollectionLineSerializer(serializers.Serializer):
    """A line of the list: at most four items."""

    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField(required=False)
    owner = OwnerSerializer()
    items = ItemSerializer(many=True)
    numItems = serializers.IntegerField()
    lastUpdated = serializers.CharField()
    private = serializers.BooleanField()
    theme = serializers.ChoiceField(choices=Theme.choices)
    upvotes = serializers.IntegerField()


class CollectionSerializer(CollectionLineSerializer):
    position = serializers.IntegerField()


class CollectionDataSerializer(serializers.Serializer):
    data = CollectionSerializer()  # type: ignore[assignment]


class CreateSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=TITLE_LIMIT)
    namespace = serializers.CharField(required=False, help_text="Without: the caller's own.")
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=DESCRIPTION_LIMIT
    )
    private = serializers.BooleanField(default=False)


class ChangeSerializer(serializers.Serializer):
    title = serializers.CharField(required=False, max_length=TITLE_LIMIT)
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=DESCRIPTION_LIMIT
    )
    private = serializers.BooleanField(required=False)
    theme = serializers.ChoiceField(required=False, choices=Theme.choices)
    position = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)


class ThingSerializer(serializers.Serializer):
    id = serializers.CharField(max_length=300)
    type = serializers.CharField(max_length=32)


class AddItemSerializer(serializers.Serializer):
    item = ThingSerializer()
    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_LIMIT)


class ChangeItemSerializer(serializers.Serializer):
    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_LIMIT)
    position = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)


class UpvotesSerializer(serializers.Serializer):
    upvotes = serializers.IntegerField()
