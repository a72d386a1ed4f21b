"""Activity as a list: events of the reader's own choice, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from hub.models import Event, Follow, Listening, Repository, Subscription, User
from hub.models.prepared import Prepared
from hub.policies import Actor, asker, keys_of, seen_repositories, visible_collections

if TYPE_CHECKING:
    from django.db.models import QuerySet

PAGE_SIZE = 20


@dataclass
class Feed:
    """Lines, and the cursor of what is older; None at the end."""

    rows: list[Event]
    older: int | None = None


def cursor_of(request: HttpRequest) -> int | None:
    """The `before` of an address."""
    text = request.GET.get("before", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def everything(actor: Actor, before: int | None = None) -> Feed:
    """What happened in all that the reader may see."""
    older = {} if before is None else {"before": before}
    return _merged(actor, [_EVERYTHING(**older, **keys_of(actor))])


def of_person(actor: Actor, person: User, before: int | None = None) -> Feed:
    """What a person did where the reader may see it."""
    return _page(actor, [Event.objects.feed().filter(actor=person)], before)


def of_namespace(actor: Actor, namespace: Any, before: int | None = None) -> Feed:
    """What happened in the repositories of an organisation."""
    own = Repository.objects.filter(namespace=namespace).values("pk")
    return _page(actor, [Event.objects.feed().filter(repository__in=own)], before)


def followed(actor: Actor, before: int | None = None) -> Feed | None:
    """What people did whom the reader follows, and what happened in what they follow or watch.

    None for whoever follows and watches nothing.
    """
    follows = Follow.objects.filter(follower=actor.person).values_list(
        "namespace", "namespace__owner"
    )
    spaces, people = _split(follows)
    watched = Subscription.objects.filter(
        user=actor.person, thread="", level=Listening.WATCHING
    ).values_list("repository", flat=True)
    places = [*watched]
    if not spaces and not people and not places:
        return None
    sources = []
    if people:
        sources.append(Event.objects.feed().filter(actor__in=people))
    if spaces or places:
        own = Repository.objects.filter(namespace__in=spaces).values("pk")
        inside = Event.objects.feed().filter(repository__in=own)
        sources.append(inside)
    if places:
        sources.append(Event.objects.feed().filter(repository__in=places))
    others = [rows.exclude(actor=actor.person) for rows in sources]
    return _page(actor, others, before)


def _split(follows: Iterable[tuple[int, int | None]]) -> tuple[list[int], list[int]]:
    spaces, people = [], []
    for space, owner in follows:
        spaces.append(space)
        if owner is not None:
            people.append(owner)
    return spaces, people


def _page(actor: Actor, sources: Sequence[QuerySet[Event]], before: int | None) -> Feed:
    """One page of several lists at once: each gives its first, so that each can use its index."""
    return _merged(actor, [list(_shown(actor, rows, before)) for rows in sources])


def _shown(actor: Actor, rows: QuerySet[Event], before: int | None) -> QuerySet[Event]:
    shown = rows.filter(repository__in=seen_repositories(actor).values("pk"))
    return (shown if before is None else shown.filter(pk__lt=before))[: PAGE_SIZE + 1]


# Home asks it for whoever follows nobody.
_EVERYTHING = Prepared(
    lambda before=None, **who: _shown(asker(**who), Event.objects.feed(), before)
)


def _merged(actor: Actor, found: Sequence[list[Event]]) -> Feed:
    merged = merge(*found, key=lambda event: -event.pk)
    distinct = list(islice({event.pk: event for event in merged}.values(), PAGE_SIZE + 1))
    older = distinct[PAGE_SIZE - 1].pk if len(distinct) > PAGE_SIZE else None
    return Feed(_named(actor, distinct[:PAGE_SIZE]), older)


def _named(actor: Actor, rows: list[Event]) -> list[Event]:
    """Lines about collections name them, where the reader sees them; other lines stand."""
    keys = {event.data.get("collection") for event in rows} - {None}
    if not keys:
        return rows
    found = visible_collections(actor).in_bulk(keys)
    shown = []
    for event in rows:
        key = event.data.get("collection")
        if key is None:
            shown.append(event)
        elif key in found:
            event.collection = found[key]  # type: ignore[attr-defined]
            shown.append(event)
    return shown
