"""The list of a repository's pull requests and discussions, by kind, state, author and words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Case, Count, Value, When
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from hub.http.pages import frame, repository_page
from hub.models import Repository
from reviews.models import Discussion, QueueEntry
from reviews.models.discussions import UNDECIDED, DiscussionQuerySet

PAGE_SIZE = 25
WORDS_LIMIT = 200
KINDS = {
    "": _("All"),
    "pull_request": _("Pull requests"),
    "discussion": _("Discussions"),
}
STATES = {"open": _("Still open"), "closed": _("Settled")}


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see. Kinds are named as the API names them."""

    kind: str = ""
    state: str = "open"
    author: str = ""
    words: str = ""

    @classmethod
    def of(cls, asked: QueryDict) -> Wish:
        kind, state = asked.get("kind", ""), asked.get("state", "")
        return cls(
            kind if kind in KINDS else "",
            state if state in STATES else "open",
            _words(asked.get("author", "")),
            _words(asked.get("q", "")),
        )

    @property
    def query(self) -> str:
        named = {"kind": self.kind, "state": self.state, "author": self.author, "q": self.words}
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return bool(self.author or self.words)


def _words(text: str) -> str:
    return " ".join(text.split())[:WORDS_LIMIT]


@require_safe
@repository_page()
def discussion_list(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Open ones first; each choice tells how many it leads to."""
    wish = Wish.of(request.GET)
    every = Discussion.objects.filter(repository=repository)
    found = _narrowed(every, wish)
    counts = _counts(found)
    paginator = Paginator(_chosen(found, wish), PAGE_SIZE)
    paginator.count = _count(counts, wish)
    page = paginator.get_page(request.GET.get("page"))
    for row in page:
        row.repository = repository
    context = {
        "page": page,
        "wish": wish,
        "kinds": _choices(counts, wish, "kind", KINDS),
        "states": _choices(counts, wish, "state", STATES),
        "queue_count": QueueEntry.objects.live().filter(pull_request__in=every).count(),
    }
    return render(
        request, "reviews/discussion_list.html", frame(repository, "discussions") | context
    )


def _narrowed(rows: DiscussionQuerySet, wish: Wish) -> DiscussionQuerySet:
    if wish.author:
        rows = rows.filter(author__username__iexact=wish.author)
    return rows.filter(title__icontains=wish.words) if wish.words else rows


def _chosen(rows: DiscussionQuerySet, wish: Wish) -> DiscussionQuerySet:
    rows = rows.open() if wish.state == "open" else rows.settled()
    if wish.kind:
        rows = rows.filter(is_pull_request=wish.kind == "pull_request")
    return rows.select_related("author").order_by("-number")


def _counts(rows: DiscussionQuerySet) -> dict[tuple[str, str], int]:
    """How many there are of each kind and state, in one query."""
    kind = Case(When(is_pull_request=True, then=Value("pull_request")), default=Value("discussion"))
    state = Case(When(status__in=UNDECIDED, then=Value("open")), default=Value("closed"))
    groups = rows.order_by().values_list(kind, state).annotate(Count("pk"))
    return {(kind, state): count for kind, state, count in groups}


def _count(counts: dict[tuple[str, str], int], wish: Wish) -> int:
    return sum(
        count
        for (kind, state), count in counts.items()
        if state == wish.state and wish.kind in ("", kind)
    )


def _choices(
    counts: dict[tuple[str, str], int], wish: Wish, name: str, labels: dict[str, Any]
) -> list[dict[str, Any]]:
    """What else could be shown, with how many there would be."""
    others = [(value, replace(wish, **{name: value})) for value in labels]
    return [
        {
            "label": labels[value],
            "query": other.query,
            "count": _count(counts, other),
            "is_current": other == wish,
        }
        for value, other in others
    ]
