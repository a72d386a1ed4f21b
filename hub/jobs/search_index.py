"""Words and filters of a repository, as search keeps them; written with what they come from."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db import connection

from hub.errors import EntryNotFoundError, TooLargeError
from hub.formats import facets, search_words
from hub.formats.card import parse_card
from hub.models import Repository
from hub.rendering.summary import prose

# Tags that say what has a place of its own, or nothing that people look for.
_SILENT = ("license:", "region:", "base_model:", "size_categories:")

# Columns that an entry is made of beside name and namespace.
READ = ("head_oid", "card_data", "tags", "pipeline_tag", "library_name", "parameters")


def record(repository: Repository) -> None:
    """Bring the entry up to the row and the card of its head, within the caller's transaction."""
    record_said([(repository, _prose(repository))])


def record_said(rows: Iterable[tuple[Repository, str]]) -> None:
    """The same of many, each with the prose of its card."""
    written = [_entry(repository, said) for repository, said in rows]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE hub_searchentry"
            " SET heading = %s::tsvector, document = %s::tsvector, facets = %s"
            " WHERE repository_id = %s",
            written,
        )


def _entry(repository: Repository, said: str) -> tuple[str, str, list[str], int]:
    heads = _heads(repository)
    return (
        search_words.heading(heads),
        search_words.document([*(text for _weight, text in heads), said]),
        _facets(repository),
        repository.pk,
    )


def _facets(repository: Repository) -> list[str]:
    return facets.facets_of(
        repository.kind,
        card=repository.card_data,
        tags=repository.tags,
        task=repository.pipeline_tag,
        library=repository.library_name,
        parameters=(repository.parameters or {}).get("total"),
    )


def _heads(repository: Repository) -> list[tuple[str, str]]:
    card = repository.card_data or {}
    titles = (card.get("pretty_name"), card.get("title"))
    title = " ".join(each[:200] for each in titles if isinstance(each, str))
    tags = " ".join(tag for tag in repository.tags if not tag.startswith(_SILENT))
    joined = "".join(search_words.runs(repository.name))
    return [
        (search_words.NAME, f"{repository.name} {joined}"),
        (search_words.ABOUT, f"{repository.namespace.slug} {title} {repository.pipeline_tag}"),
        (search_words.ABOUT, tags),
    ]


def _prose(repository: Repository) -> str:
    """What the card of the head says: read there, for the row keeps its first words only."""
    if not repository.head_oid:
        return ""
    store, limit = repository.store(), settings.CARD_LIMIT_BYTES
    try:
        if store.entry(repository.head_oid, "README.md").lfs:
            return ""
        content = store.read(repository.head_oid, "README.md", limit_bytes=limit)
    except (EntryNotFoundError, TooLargeError):
        return ""
    return prose(parse_card(content, repository.kind).body)
