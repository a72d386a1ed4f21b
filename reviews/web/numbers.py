"""Where `#7` and `owner/name#7` in a conversation lead: only to what its reader may see."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from hub.models import Kind, RepoId, Repository
from hub.policies import Actor, seen_repositories
from hub.rendering import numbers_in
from reviews.models import Discussion

NUMBERS_LIMIT = 500
REPOSITORIES_LIMIT = 50


def addresses_of_numbers(
    texts: Iterable[str], repository: Repository, actor: Actor
) -> dict[str, str]:
    """The address of each that there is, by what is written in lower case.

    Of a conversation that names very many, the first ones count.
    """
    written = dict.fromkeys(each.lower() for text in texts for each in numbers_in(text))
    wanted = [each.rpartition("#")[::2] for each in list(written)[:NUMBERS_LIMIT]]
    paths = dict.fromkeys(path for path, _number in wanted if path)
    places = {"": repository, **_named(list(paths)[:REPOSITORIES_LIMIT], actor)}
    numbers = {int(number) for path, number in wanted if path in places}
    if not numbers:
        return {}
    known = Discussion.objects.filter(
        repository__in={place.pk for place in places.values()}, number__in=numbers
    )
    there = set(known.values_list("repository", "number"))
    return {
        f"{path}#{number}": f"{places[path].get_absolute_url()}/discussions/{number}"
        for path, number in wanted
        if path in places and (places[path].pk, int(number)) in there
    }


def _named(paths: list[str], actor: Actor) -> dict[str, Repository]:
    """Those repositories that `actor` may see, by the path of their pages."""
    if not paths:
        return {}
    names = Q()
    for path in paths:
        repo = _repo(path)
        names |= Q(kind=repo.kind, namespace__slug__iexact=repo.namespace, name__iexact=repo.name)
    rows = seen_repositories(actor).filter(names).select_related("namespace")
    return {row.path.lower(): row for row in rows}


def _repo(path: str) -> RepoId:
    kinds = {kind.web_prefix: kind for kind in Kind if kind.web_prefix}
    first, _slash, rest = path.partition("/")
    kind = kinds.get(f"{first}/") if "/" in rest else None
    namespace, _slash, name = (rest if kind else path).partition("/")
    return RepoId(kind or Kind.MODEL, namespace, name)
