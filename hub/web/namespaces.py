"""The page of a person or an organisation: what is theirs, what they like, who follows whom."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from hub.actions import likes
from hub.extensions import Tab
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Access, Follow, Kind, Membership, Namespace, NamespaceKind, Repository
from hub.policies import (
    Actor,
    visible_collections,
    visible_repositories,
    with_items,
)
from hub.web.calendar import calendar_of
from hub.web.feed import cursor_of, of_namespace, of_person

FIRST, PAGE_SIZE, FACES = 10, 30, 6
ACTIVITY = "activity"
HEADINGS = {
    Kind.MODEL: gettext_lazy("Models"),
    Kind.DATASET: gettext_lazy("Data sets"),
    Kind.SPACE: gettext_lazy("Spaces"),
    Kind.KERNEL: gettext_lazy("Kernels"),
}
_ALWAYS = {Kind.MODEL, Kind.DATASET}


def namespace(request: HttpRequest, slug: str) -> HttpResponse:
    """An overview, or with `view` one of its lists, a page at a time."""
    found = Namespace.objects.filter(slug__iexact=slug).select_related("owner").first()
    if found is None:
        raise Http404
    actor, view = actor_of(request), request.GET.get("view", "")
    lists = _lists(actor, found)
    if view and view not in {*lists, ACTIVITY}:
        raise Http404
    context = _frame(actor, found, lists) | {"view": view, "tabs": _tabs(found, lists)}
    if view == ACTIVITY:
        before = cursor_of(request)
        owner = found.owner
        feed = of_person(actor, owner, before) if owner else of_namespace(actor, found, before)
        context |= {"feed": feed, "is_older": before is not None}
    elif view:
        label, kind, rows = lists[view]
        page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
        if kind == "collection":
            page.object_list = with_items(actor, list(page.object_list), most=4)
        context |= {"page": page, "list_kind": kind, "heading": label, "keep": f"view={view}"}
    else:
        context["groups"] = _groups(lists)
        if found.owner is not None:
            context["calendar"] = calendar_of(actor, found.owner)
    return render(request, "hub/namespace.html", context)


def _lists(actor: Actor, found: Namespace) -> dict[str, tuple[Any, str, Any]]:
    """What there is to list, by the `view` that shows it: label, kind of row, rows."""
    mine = visible_repositories(actor).filter(namespace=found).order_by("-last_modified_at", "pk")
    lists: dict[str, tuple[Any, str, Any]] = {
        f"{kind}s": (HEADINGS[kind], "repository", mine.filter(kind=kind)) for kind in Kind
    }
    kept = visible_collections(actor).with_upvotes().filter(namespace=found).order_by("position")
    lists["collections"] = (gettext_lazy("Collections"), "collection", kept)
    if found.owner is not None:
        rows = visible_repositories(actor).filter(like_rows__user=found.owner)
        rows = rows.order_by("-like_rows__pk")  # the latest like first
        lists["likes"] = (gettext_lazy("Likes"), "repository", rows)
        followed = Follow.objects.filter(follower=found.owner).select_related("namespace")
        lists["following"] = (gettext_lazy("Following"), "namespace", followed.order_by("-pk"))
    else:
        held = Membership.objects.filter(namespace=found, access__gt=Access.NONE)
        held = held.select_related("user").order_by("-access", "user__username")
        lists["members"] = (gettext_lazy("Members"), "member", held)
    followers = Follow.objects.followers_of(found).select_related("follower").order_by("-pk")
    lists["followers"] = (gettext_lazy("Followers"), "follower", followers)
    return lists


def _tabs(found: Namespace, lists: dict[str, tuple[Any, str, Any]]) -> list[Tab]:
    """One tab a list; kinds that few know appear when there is something to show."""
    url = found.get_absolute_url()
    tabs = [Tab("", gettext_lazy("Overview"), url)]
    rare = {f"{kind}s" for kind in Kind if kind not in _ALWAYS}
    for view, (label, _kind, rows) in lists.items():
        count = rows.count()
        if count or view not in rare:
            tabs.append(Tab(view, label, f"{url}?view={view}", count))
    tabs.insert(1, Tab(ACTIVITY, gettext_lazy("Activity"), f"{url}?view={ACTIVITY}"))
    return tabs


def _groups(lists: dict[str, tuple[Any, str, Any]]) -> list[dict[str, Any]]:
    """The newest of each kind of repository, with a link to the others when there are more."""
    groups = []
    for kind in Kind:
        label, _kind, rows = lists[f"{kind}s"]
        first = list(rows[: FIRST + 1])
        if first or kind in _ALWAYS:
            more = f"?view={kind}s" if len(first) > FIRST else ""
            groups.append({"label": label, "rows": first[:FIRST], "more": more})
    return groups


def _frame(
    actor: Actor, found: Namespace, lists: dict[str, tuple[Any, str, Any]]
) -> dict[str, Any]:
    """The head of the page and what stands beside it."""
    person = actor.person
    access = Membership.objects.filter(namespace=found, user=person) if person else None
    organizations = Membership.objects.filter(
        user=found.owner, namespace__kind=NamespaceKind.ORGANIZATION, access__gt=Access.NONE
    )
    held = access.values_list("access", flat=True).first() if access is not None else None
    return {
        "namespace": found,
        "may_create": (held or Access.NONE) >= Access.WRITE,
        "may_govern": (held or Access.NONE) >= Access.ADMIN,
        "may_follow": found.owner_id is None or person is None or found.owner_id != person.pk,
        "follow": _follow_facts(actor, found),
        "members": lists["members"][2][:FACES] if "members" in lists else [],
        "organizations": organizations.select_related("namespace").order_by("namespace__slug")
        if found.owner
        else [],
    }


def _follow_facts(actor: Actor, found: Namespace) -> dict[str, Any]:
    followers = Follow.objects.followers_of(found)
    count = followers.count()
    return {
        "slug": found.slug,
        "is_on": bool(actor.person) and followers.filter(follower=actor.person).exists(),
        "words": ngettext("%(count)d follower", "%(count)d followers", count) % {"count": count},
    }


@require_POST
def follow(request: HttpRequest, slug: str) -> HttpResponse:
    """The button of a page: `on` is 1 or 0."""
    found = Namespace.objects.filter(slug__iexact=slug).select_related("owner").first()
    if found is None:
        raise Http404
    actor = actor_of(request)
    likes.set_follow(found, actor, following=request.POST.get("on") == "1")
    if request.headers.get("HX-Request"):
        context = {"follow": _follow_facts(actor, found)}
        return render(request, "components/follow_button.html", context)
    return redirect(found)


@require_POST
@repository_page()
def like(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The button of a repository's pages: `on` is 1 or 0."""
    is_liked = request.POST.get("on") == "1"
    likes.set_like(repository, actor_of(request), liked=is_liked)
    if request.headers.get("HX-Request"):
        context = {"repository": repository, "is_liked": is_liked}
        return render(request, "components/like_button.html", context)
    return redirect(repository)
