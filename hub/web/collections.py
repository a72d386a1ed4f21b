"""Pages of collections: the list, one of them, making and editing, adding from a repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import collections
from hub.actions.repositories import namespaces_to_create_in
from hub.errors import BadInputError, HubError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, Collection, CollectionUpvote, Repository, Theme
from hub.models.collections import DESCRIPTION_LIMIT, NOTE_LIMIT, TITLE_LIMIT
from hub.policies import Actor, get_collection, require_person, visible_collections, with_items

PAGE_SIZE, ITEMS_IN_LISTS = 20, 4
SORTS = {"recent": "-last_modified_at", "upvotes": "-upvotes"}


class CollectionForm(forms.Form):
    title = forms.CharField(label=gettext_lazy("Title"), max_length=TITLE_LIMIT)
    description = forms.CharField(
        label=gettext_lazy("What do these have in common?"),
        max_length=DESCRIPTION_LIMIT,
        required=False,
    )
    theme = forms.ChoiceField(label=gettext_lazy("Colour"), choices=Theme.choices)
    private = forms.BooleanField(
        label=gettext_lazy("Only members of its owner see it"), required=False
    )


class NewCollectionForm(CollectionForm):
    owner = forms.ChoiceField(label=gettext_lazy("Owner"))
    field_order = ["owner"]

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = [found.slug for found in namespaces_to_create_in(actor)]
        self.fields["owner"].choices = [(slug, slug) for slug in slugs]  # type: ignore[attr-defined]


def collection_list(request: HttpRequest) -> HttpResponse:
    """Find a collection: `q`, `owner`, `sort`; every state has its own address."""
    actor, query = actor_of(request), request.GET.get("q", "").strip()[:256]
    sort = request.GET.get("sort", "recent")
    rows = visible_collections(actor).with_upvotes()
    for word in query.split()[:8]:
        own = Q(namespace__slug__icontains=word)
        rows = rows.filter(own | Q(title__icontains=word) | Q(description__icontains=word))
    if owner := request.GET.get("owner", "")[:96]:
        rows = rows.filter(namespace__slug__iexact=owner)
    rows = rows.order_by(SORTS.get(sort, SORTS["recent"]), "-pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    page.object_list = with_items(actor, list(page.object_list), most=ITEMS_IN_LISTS)
    keep = request.GET.copy()
    keep.pop("page", None)
    context = {"page": page, "query": query, "owner": owner, "sort": sort}
    return render(request, "hub/collections.html", context | {"keep": keep.urlencode()})


def collection_new(request: HttpRequest) -> HttpResponse:
    """An empty collection, or one with the thing that `kind` and `name` say."""
    actor = actor_of(request)
    user = require_person(actor)
    kind, name = request.GET.get("kind", ""), request.GET.get("name", "")
    initial = {"owner": request.GET.get("owner", user.username), "theme": Theme.BLUE}
    form = NewCollectionForm(actor, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        try:
            thing = collections.find_thing(actor, kind, name) if name else None
            made = collections.create_collection(actor, values.pop("owner"), **values)
            if thing is not None:
                collections.add_item(made, actor, thing)
            return redirect(made.get_absolute_url())
        except HubError as error:
            form.add_error("title", str(error))
    status = 422 if form.errors else 200
    return render(request, "hub/collection_new.html", {"form": form, "name": name}, status=status)


def collection_page(request: HttpRequest, namespace: str, slug: str) -> HttpResponse:
    """One collection; every button is a form that says what it does and to which item."""
    actor = actor_of(request)
    collection = get_collection(actor, f"{namespace}/{slug}")
    if request.method == "POST":
        return _act(request, actor, collection)
    if f"{namespace}/{slug}" != collection.slug:  # renamed since the link was written
        return redirect(collection.get_absolute_url())
    with_items(actor, [collection])
    person = actor.person
    votes = CollectionUpvote.objects.filter(collection=collection, user=person)
    context = {
        "collection": collection,
        "may_write": collection.may(Access.WRITE),
        "is_upvoted": person is not None and votes.exists(),
        "note_limit": NOTE_LIMIT,
    }
    return render(request, "hub/collection.html", context)


def _act(request: HttpRequest, actor: Actor, collection: Collection) -> HttpResponse:
    require_person(actor)
    key, anchor = request.POST.get("item", ""), ""
    try:
        act = _ACTS.get(request.POST.get("do", ""), _unknown)
        act(collection, actor, key, request)
        anchor = f"#item-{key}" if request.POST.get("do") in {"up", "down", "note"} else ""
    except HubError as error:
        messages.error(request, str(error))
    return redirect(f"{collection.get_absolute_url()}{anchor}")


def _step(by: int) -> Callable[..., None]:
    def act(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
        with_items(actor, [collection])
        place = next((item.place for item in collection.shown if item.key == key), 0)
        collections.update_item(collection, actor, key, position=max(place + by, 0))

    return act


def _note(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    collections.update_item(collection, actor, key, note=request.POST.get("note", ""))


def _remove(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    collections.remove_item(collection, actor, key)


def _vote(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    collections.upvote(collection, actor)


def _unvote(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    collections.take_upvote_back(collection, actor)


def _add(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    kind, _space, name = request.POST.get("thing", "").strip().rpartition(" ")
    name = name.removeprefix("/")
    first, _slash, rest = name.partition("/")
    if "/" in rest and first.endswith("s"):  # datasets/x/y, as addresses have it
        kind, name = first.removesuffix("s"), rest
    thing = collections.find_thing(actor, kind or "model", name)
    collections.add_item(collection, actor, thing, note=request.POST.get("note", ""))


def _unknown(collection: Collection, actor: Actor, key: str, request: HttpRequest) -> None:
    raise BadInputError(_("This form is not known here: reload the page and retry."))


_ACTS = {
    "up": _step(-1),
    "down": _step(1),
    "note": _note,
    "remove": _remove,
    "upvote": _vote,
    "unvote": _unvote,
    "add": _add,
}


def collection_edit(request: HttpRequest, namespace: str, slug: str) -> HttpResponse:
    """Title, description, colour, who sees it; and its end."""
    actor = actor_of(request)
    require_person(actor)
    collection = get_collection(actor, f"{namespace}/{slug}", need=Access.WRITE)
    initial = {
        "title": collection.title,
        "description": collection.description,
        "theme": collection.theme,
        "private": collection.is_private,
    }
    if request.method == "POST" and request.POST.get("do") == "delete":
        collections.delete_collection(collection, actor)
        messages.success(request, _("%(title)s is deleted.") % {"title": collection.title})
        return redirect(f"{collection.namespace.get_absolute_url()}?view=collections")
    form = CollectionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            changed = collections.update_collection(collection, actor, **form.cleaned_data)
            return redirect(changed.get_absolute_url())
        except HubError as error:
            form.add_error("title", str(error))
    context = {"collection": collection, "form": form}
    return render(request, "hub/collection_edit.html", context, status=422 if form.errors else 200)


@repository_page()
def repository_collections(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Put a repository into one's collections, or take it out."""
    actor = actor_of(request)
    require_person(actor)
    url = f"{repository.get_absolute_url()}/collections"
    if request.method == "POST":
        try:
            collection = get_collection(actor, request.POST.get("collection", ""))
            if request.POST.get("do") == "remove":
                item = collection.items.filter(repository=repository).first()
                collections.remove_item(collection, actor, item.key if item else "")
            else:
                note = request.POST.get("note", "")
                collections.add_item(collection, actor, repository, note=note)
        except HubError as error:
            messages.error(request, str(error))
        return redirect(url)
    mine = Collection.objects.writable_by(actor.user).select_related("namespace")
    held = set(repository.collection_items.values_list("collection_id", flat=True))
    rows = [
        {"collection": one, "is_in": one.pk in held}
        for one in mine.order_by("-last_modified_at")[:200]
    ]
    context = frame(repository, "collections") | {"rows": rows}
    return render(request, "hub/repository_collections.html", context)


def collections_of(actor: Actor, repository: Repository) -> list[Collection]:
    """The newest collections with it that the reader sees, for its page."""
    rows = visible_collections(actor).filter(items__repository=repository)
    return list(rows.order_by("-last_modified_at")[:ITEMS_IN_LISTS])
