"""The command palette: one text, and everything it may mean, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from hub.actions.exploring import Explorer, Wish
from hub.extensions import registries
from hub.formats.search_words import QUERY_LENGTH
from hub.http.authentication import actor_of
from hub.models import Kind, Namespace, NamespaceKind, Repository
from hub.policies import Actor, visible_collections, visible_repositories
from hub.web.field_words import task_name

MOST, MINE = 5, 6


@dataclass(frozen=True)
class Hit:
    """One line. `act` names a button of the page that is pressed, where there is no address."""

    label: Any
    path: str = ""
    note: Any = ""
    icon: str = "compass"
    act: str = ""


_PAGES = (
    Hit(_("Explore"), "/-/explore"),
    Hit(_("Models"), "/-/explore?kind=model", icon="model"),
    Hit(_("Data sets"), "/-/explore?kind=dataset", icon="dataset"),
    Hit(_("Collections"), "/collections", icon="layers"),
    Hit(_("Benchmarks"), "/-/benchmarks", icon="gauge-wait"),
    Hit(_("Leaderboards"), "/-/leaderboards", icon="gauge-pass"),
    Hit(_("Compare"), "/-/compare", icon="branch"),
    Hit(_("Runs"), "/-/runs", icon="runs"),
    Hit(_("Documentation"), "/-/docs", icon="file"),
    Hit("API", "/-/docs/api", icon="file"),
    Hit(_("Health"), "/readyz", icon="shield"),
)
_OWN_PAGES = (
    Hit(_("Inbox"), "/-/inbox", icon="bell"),
    Hit(_("Settings"), "/-/settings/profile", icon="gear"),
    Hit(_("Password"), "/-/settings/password", icon="lock"),
    Hit(_("Sessions"), "/-/settings/sessions", icon="cpu"),
    Hit(_("Notifications"), "/-/settings/notifications", icon="bell"),
    Hit(_("Organisations"), "/-/settings/organizations", icon="people"),
    Hit(_("Access tokens"), "/-/settings/tokens", icon="key"),
    Hit(_("Webhooks"), "/-/settings/webhooks", icon="external"),
)
_DEEDS = (
    Hit(_("Change the theme"), icon="auto", act="theme"),
    Hit(_("Change the language"), icon="auto", act="language"),
)
_OWN_DEEDS = (
    Hit(_("New model"), "/-/new?kind=model", icon="plus"),
    Hit(_("New data set"), "/-/new?kind=dataset", icon="plus"),
    Hit(_("New collection"), "/-/collections/new", icon="plus"),
    Hit(_("Sign out"), icon="exit", act="sign-out"),
)
_STRANGER_DEEDS = (Hit(_("Sign in"), "/-/sign-in", icon="person"),)


def palette(request: HttpRequest) -> HttpResponse:
    """What `q` may mean, as options of a list; all of it is reachable in other ways too."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:QUERY_LENGTH]
    actor = actor_of(request)
    groups = [(label, hits) for label, hits in _groups(actor, text) if hits]
    return render(request, "hub/palette.html", {"groups": groups, "query": text})


def _groups(actor: Actor, text: str) -> list[tuple[Any, list[Hit]]]:
    person = actor.person
    own: tuple[Hit, ...] = _PAGES
    if person:
        own += (Hit(_("Profile"), f"/{person.username}", icon="person"), *_OWN_PAGES)
    deeds = (*(_OWN_DEEDS if person else _STRANGER_DEEDS), *_DEEDS)
    pulls = registries.my_pull_requests(actor, text, MOST) if person else []
    mine = _mine(actor, text)
    groups: list[tuple[Any, list[Hit]]] = [(_("Mine"), mine)]
    groups.append(
        (_("My pull requests"), [Hit(p.title, p.path, p.repo_id, icon="pull") for p in pulls])
    )
    if text:
        groups += [*_found(actor, text, {hit.path for hit in mine}), *_namespaces(text)]
        groups.append((_("Collections"), _collections(actor, text)))
    groups.append((_("Pages"), [hit for hit in own if _is_called(hit, text)]))
    groups.append((_("Do"), [hit for hit in deeds if _is_called(hit, text)]))
    return groups


def _is_called(hit: Hit, text: str) -> bool:
    """Whether `text` means the line in any language that the hub has, whichever it shows."""
    return any(is_subsequence(text, name) for name in _names(hit.label))


@cache
def _names(label: Any) -> frozenset[str]:
    found = set()
    for language, _name in settings.LANGUAGES:
        with override(language):
            found.add(str(label))
    return frozenset(found)


def is_subsequence(text: str, label: str) -> bool:
    """Whether the letters of `text` stand in `label` in this order: `dsets` finds Data sets."""
    letters = iter(label.casefold())
    return all(letter in letters for letter in text.casefold() if not letter.isspace())


def _mine(actor: Actor, text: str) -> list[Hit]:
    if actor.person is None:
        return []
    rows = visible_repositories(actor).filter(namespace__owner=actor.person.pk)
    if text:
        rows = rows.filter(name__icontains=text)
    return [_repository(row) for row in rows.order_by("-last_modified_at")[:MINE]]


def _found(actor: Actor, text: str, shown: set[str]) -> list[tuple[Any, list[Hit]]]:
    """What search finds but for what is `shown` already."""
    groups = []
    for kind, label in ((Kind.MODEL, _("Models")), (Kind.DATASET, _("Data sets"))):
        explorer = Explorer(actor, Wish(query=text, kind=kind))
        rows = explorer.rows_of(explorer.first(MOST + len(shown)))
        hits = [hit for hit in map(_repository, rows) if hit.path not in shown]
        groups.append((label, hits[:MOST]))
    return groups


def _repository(row: Repository) -> Hit:
    icon = "dataset" if row.kind == Kind.DATASET else "model"
    return Hit(row.repo_id, row.get_absolute_url(), task_name(row.pipeline_tag), icon=icon)


def _namespaces(text: str) -> list[tuple[Any, list[Hit]]]:
    rows = Namespace.objects.filter(Q(slug__icontains=text) | Q(full_name__icontains=text))
    rows = rows.exclude(owner__is_active=False).order_by("slug")
    kinds = ((NamespaceKind.USER, _("People")), (NamespaceKind.ORGANIZATION, _("Organisations")))
    return [
        (
            label,
            [
                Hit(row.full_name or row.slug, f"/{row.slug}", row.slug, icon="people")
                for row in rows.filter(kind=kind)[:MOST]
            ],
        )
        for kind, label in kinds
    ]


def _collections(actor: Actor, text: str) -> list[Hit]:
    rows = visible_collections(actor).filter(title__icontains=text).order_by("-pk")[:MOST]
    return [
        Hit(row.title, row.get_absolute_url(), row.namespace.slug, icon="layers") for row in rows
    ]
