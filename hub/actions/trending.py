"""What is hot: the first lines of explore, as they stand on home."""

from __future__ import annotations

from hub.models import Kind, Repository, SearchEntry
from hub.policies import Actor, visible_repositories

COUNT = 6


def trending(actor: Actor) -> dict[str, list[Repository]]:
    """The hottest public models and data sets; a token that is limited sees its own among them."""
    hottest = {
        kind: SearchEntry.objects.hottest(kind)[:COUNT] for kind in (Kind.MODEL, Kind.DATASET)
    }
    keys = list(hottest[Kind.MODEL].union(hottest[Kind.DATASET], all=True))
    rows = {row.pk: row for row in visible_repositories(actor).as_lines().filter(pk__in=keys)}
    found: dict[str, list[Repository]] = {kind: [] for kind in hottest}
    for key in keys:
        if key in rows:
            found[rows[key].kind].append(rows[key])
    return found
