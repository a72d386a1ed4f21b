"""Collections: made and kept by those who may write in the owner's namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from hub.actions import audit
from hub.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError
from hub.models import (
    Access,
    Collection,
    CollectionItem,
    CollectionUpvote,
    Event,
    Kind,
    Namespace,
    RepoId,
    Repository,
    Theme,
    TokenScope,
    Visibility,
)
from hub.models.collections import DESCRIPTION_LIMIT, NOTE_LIMIT, TITLE_LIMIT
from hub.policies import (
    Actor,
    get_collection,
    get_namespace,
    get_repository,
    require_person,
    visible_collections,
    visible_items,
)

ITEMS_LIMIT = 1000
COLLECTIONS_LIMIT = 1000


class TitleTakenError(ConflictError):
    """The owner has such a collection: its slug goes into the answer, for `exists_ok`."""

    def __init__(self, there: Collection) -> None:
        super().__init__(f"{there.namespace.slug} has a collection “{there.title}” already.")
        self.extra = {"slug": there.slug}


def find_thing(actor: Actor, kind: str, name: str) -> Repository | Collection:
    """The repository or collection that an item is to name, for someone who sees it.

    Raises: BadInputError for an unknown kind, NotFoundError.
    """
    if kind in Kind.values:
        return get_repository(actor, RepoId.parse(kind, name))
    if kind == "collection":
        return get_collection(actor, name)
    if kind in {"paper", "bucket"}:
        raise NotFoundError(f"This server keeps no {kind}s: add repositories or collections.")
    raise BadInputError(f"An item is one of {', '.join(Kind.values)}, collection.")


def _require_room(text: str, what: str, most: int, *, least: int = 0) -> str:
    text = text.strip()
    if not least <= len(text) <= most:
        raise BadInputError(f"The {what} of a collection has {least} to {most} characters.")
    return text


def create_collection(
    actor: Actor,
    owner: str,
    *,
    title: str,
    description: str = "",
    private: bool = False,
    theme: str = Theme.BLUE,
) -> Collection:
    """An empty collection, the last of its owner's.

    Raises: TitleTakenError, BadInputError, ForbiddenError.
    """
    namespace = get_namespace(actor, owner, need=Access.WRITE)
    _require_unlimited(actor)
    values = _cleaned(title=title, description=description, private=private, theme=theme)
    with transaction.atomic():
        Namespace.objects.select_for_update(no_key=True).get(pk=namespace.pk)
        mine = namespace.collections.all()
        _require_free_title(namespace, values["title"])
        if mine.count() >= COLLECTIONS_LIMIT:
            raise BadInputError(f"One owner has at most {COLLECTIONS_LIMIT} collections.")
        last = mine.aggregate(last=Max("position"))["last"]
        made = namespace.collections.create(
            **values, position=0 if last is None else last + 1, created_by=actor.person
        )
        audit.record(actor, "collection.create", made.slug)
    return get_collection(actor, made.slug)


def update_collection(
    collection: Collection, actor: Actor, *, position: int | None = None, **changes: Any
) -> Collection:
    """Change what is given: title, description, private, theme, the place among the owner's.

    Raises: TitleTakenError, BadInputError, ForbiddenError.
    """
    with transaction.atomic():
        # The owner first: whoever moves one of theirs touches its neighbours too.
        Namespace.objects.select_for_update(no_key=True).get(pk=collection.namespace_id)
        row, values = _locked(collection, actor), _cleaned(**changes)
        if "title" in values:
            _require_free_title(row.namespace, values["title"], besides=row)
        if "visibility" in values and values["visibility"] != row.visibility:
            audit.record(actor, "collection.visibility", row.slug, new=values["visibility"])
        Collection.objects.filter(pk=row.pk).update(**values, last_modified_at=timezone.now())
        if position is not None:
            mine = row.namespace.collections.order_by("position")
            _move(mine, visible_collections(actor), row.pk, position)
    return get_collection(actor, collection.slug)


def delete_collection(collection: Collection, actor: Actor) -> None:
    """Remove it; what it held stays. Raises: ForbiddenError, NotFoundError when it went before."""
    with transaction.atomic():
        row = _locked(collection, actor)
        audit.record(actor, "collection.delete", row.slug)
        row.delete()


def add_item(
    collection: Collection, actor: Actor, thing: Repository | Collection, *, note: str = ""
) -> CollectionItem:
    """Put `thing` at the end. Raises: ConflictError when it is there, BadInputError."""
    note = _require_room(note, "note", NOTE_LIMIT)
    try:
        with transaction.atomic():
            return _add(_locked(collection, actor), actor, thing, note)
    except IntegrityError:  # its row went while this one was written
        raise NotFoundError("What was to be added has just been removed.") from None


def _add(
    row: Collection, actor: Actor, thing: Repository | Collection, note: str
) -> CollectionItem:
    if thing == row:
        raise BadInputError("A collection cannot hold itself.")
    names: dict[str, Any] = {"repository" if isinstance(thing, Repository) else "target": thing}
    if row.items.filter(**names).exists():
        raise ConflictError("This is in the collection already.")
    if row.items.count() >= ITEMS_LIMIT:
        raise BadInputError(f"A collection holds at most {ITEMS_LIMIT} items.")
    last = row.items.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    item: CollectionItem = row.items.create(
        **names, note=note, position=position, added_by=actor.person
    )
    if isinstance(thing, Repository):
        # The row names the collection: a feed shows it to those who may see both.
        told = {"collection": row.pk}
        Event.objects.create(
            repository=thing, actor=actor.person, kind="collection.added", data=told
        )
    _touch(row)
    return item


def update_item(
    collection: Collection,
    actor: Actor,
    key: str,
    *,
    note: str | None = None,
    position: int | None = None,
) -> None:
    """Change an item's note, or its place among those that `actor` sees.

    Raises: NotFoundError, BadInputError, ForbiddenError.
    """
    with transaction.atomic():
        row = _locked(collection, actor)
        item = _item(row, actor, key)
        if note is not None:
            item.note = _require_room(note, "note", NOTE_LIMIT)
            item.save(update_fields=["note"])
        if position is not None:
            _move(row.items.order_by("position"), visible_items(actor), item.pk, position)
        _touch(row)


def remove_item(collection: Collection, actor: Actor, key: str) -> None:
    """Take an item out. Raises: NotFoundError, ForbiddenError."""
    with transaction.atomic():
        row = _locked(collection, actor)
        _item(row, actor, key).delete()
        _touch(row)


def upvote(collection: Collection, actor: Actor) -> None:
    """Say that it is good; saying so twice counts once."""
    user = require_person(actor, scope=TokenScope.WRITE)
    _require_unlimited(actor)
    try:
        CollectionUpvote.objects.get_or_create(collection=collection, user=user)
    except IntegrityError:
        raise NotFoundError("This collection has just been removed.") from None


def take_upvote_back(collection: Collection, actor: Actor) -> None:
    user = require_person(actor, scope=TokenScope.WRITE)
    _require_unlimited(actor)
    CollectionUpvote.objects.filter(collection=collection, user=user).delete()


def _require_unlimited(actor: Actor) -> None:
    if actor.is_limited:
        raise ForbiddenError("This token is for some repositories only: it keeps no collections.")


def _locked(collection: Collection, actor: Actor) -> Collection:
    """The row under a lock, if `actor` may write it now: changes of one collection take turns."""
    get_collection(actor, collection.slug, need=Access.WRITE)
    rows = Collection.objects.select_for_update(of=("self",), no_key=True)
    row = rows.select_related("namespace").filter(pk=collection.pk).first()
    if row is None:
        raise NotFoundError("There is no such collection, or you may not see it.")
    return row


def _item(row: Collection, actor: Actor, key: str) -> CollectionItem:
    found = visible_items(actor).filter(collection=row, key=key[:24].lower()).first()
    if found is None:
        raise NotFoundError("There is no such item in this collection.")
    return found


def _touch(row: Collection) -> None:
    Collection.objects.filter(pk=row.pk).update(last_modified_at=timezone.now())


def _require_free_title(
    namespace: Namespace, title: str, *, besides: Collection | None = None
) -> None:
    same = namespace.collections.filter(title__iexact=title).select_related("namespace")
    there = same.exclude(pk=besides.pk if besides else 0).first()
    if there is not None:
        raise TitleTakenError(there)


def _cleaned(**values: Any) -> dict[str, Any]:
    """Values of the columns, for those fields that are given and not None."""
    given = {name: value for name, value in values.items() if value is not None}
    cleaned: dict[str, Any] = {}
    if "title" in given:
        cleaned["title"] = _require_room(given["title"], "title", TITLE_LIMIT, least=1)
    if "description" in given:
        cleaned["description"] = _require_room(
            given["description"], "description", DESCRIPTION_LIMIT
        )
    if "private" in given:
        cleaned["visibility"] = Visibility.PRIVATE if given["private"] else Visibility.PUBLIC
    if "theme" in given:
        if given["theme"] not in Theme.values:
            raise BadInputError(f"The theme is one of {', '.join(Theme.values)}.")
        cleaned["theme"] = given["theme"]
    return cleaned


def _move(rows: Any, visible: Any, pk: int, place: int) -> None:
    """Renumber ordered `rows` so that `pk` is at `place` among those of them that are visible."""
    order = list(rows.values_list("pk", flat=True))
    seen = set(visible.filter(pk__in=order).values_list("pk", flat=True))
    moved = _reordered(order, seen, pk, place)
    places = {one: position for position, one in enumerate(moved)}
    changed = [
        one for one in rows.model.objects.filter(pk__in=order) if one.position != places[one.pk]
    ]
    for one in changed:
        one.position = places[one.pk]
    # One statement; the constraint on positions is checked at the end of the transaction.
    rows.model.objects.bulk_update(changed, ["position"])


def _reordered(order: Sequence[int], seen: set[int], pk: int, place: int) -> list[int]:
    rest = [one for one in order if one != pk]
    others = [one for one in rest if one in seen]
    if not others:
        return list(order)
    at = rest.index(others[place]) if place < len(others) else rest.index(others[-1]) + 1
    return [*rest[:at], pk, *rest[at:]]
