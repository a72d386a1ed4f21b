"""What is hot: the first lines of explore, as they stand on home."""

from __future__ import annotations

from hub.models import Kind, Repository, SearchEntry
from hub.models.prepared import Prepared
from hub.policies import Actor, visible_lines

COUNT = 6
_HOTTEST = Prepared(
    lambda one, other: SearchEntry.objects.hottest(one)[:COUNT].union(
        SearchEntry.objects.hottest(other)[:COUNT], all=True
    )
)


def trending(actor: Actor) -> dict[str, list[Repository]]:
    """The hottest public models and data sets; a token that is limited sees its own among them."""
    keys = _HOTTEST(one=Kind.MODEL, other=Kind.DATASET)
    rows = visible_lines(actor, keys)
    found: dict[str, list[Repository]] = {Kind.MODEL: [], Kind.DATASET: []}
    for key in keys:
        if key in rows:
            found[rows[key].kind].append(rows[key])
    return found
