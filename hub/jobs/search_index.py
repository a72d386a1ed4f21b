"""Words and filters of a repository, as search keeps them; written with what they come from."""

from __future__ import annotations

from django.db import connection

from hub.formats import facets, search_words
from hub.models import Repository

# Tags that say what has a place of its own, or nothing that people look for.
_SILENT = ("license:", "region:", "base_model:", "size_categories:")


def record(*repositories: Repository) -> None:
    """Bring the entries up to the repositories' columns, within the caller's transaction."""
    rows = [(_document(row), _facets(row), row.pk) for row in repositories]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE hub_searchentry SET document = %s::tsvector, facets = %s"
            " WHERE repository_id = %s",
            rows,
        )


def _document(repository: Repository) -> str:
    return search_words.document(_texts(repository))


def _facets(repository: Repository) -> list[str]:
    return facets.facets_of(
        repository.kind,
        card=repository.card_data,
        tags=repository.tags,
        task=repository.pipeline_tag,
        library=repository.library_name,
        parameters=(repository.parameters or {}).get("total"),
    )


def _texts(repository: Repository) -> list[tuple[str, str]]:
    card = repository.card_data or {}
    titles = (card.get("pretty_name"), card.get("title"))
    title = " ".join(each[:200] for each in titles if isinstance(each, str))
    tags = " ".join(tag for tag in repository.tags if not tag.startswith(_SILENT))
    joined = "".join(search_words.runs(repository.name))
    return [
        (search_words.NAME, f"{repository.name} {joined}"),
        (search_words.ABOUT, f"{repository.namespace.slug} {title} {repository.pipeline_tag}"),
        (search_words.ABOUT, tags),
        (search_words.PROSE, repository.summary),
    ]
