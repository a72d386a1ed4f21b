"""What a card says of itself beside its text: the front matter as a panel of links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import gettext as _

from hub.models import Kind, Repository
from hub.web.field_words import language_name, size_name, task_name
from hub.web.licence_words import licence_words

SHOWN, NAME_CHARACTERS = 12, 96


def card_facts(repository: Repository, data: dict[str, Any]) -> dict[str, Any]:
    """Licence, languages, library, task, data sets and tags; {} where the card says nothing."""
    prefix = "" if repository.kind == Kind.MODEL else "{}:"
    tasks = _texts(data.get("pipeline_tag")) or _texts(data.get("task_categories"))
    languages, sizes = _texts(data.get("language")), _texts(data.get("size_categories"))
    rows = [
        (_("Task"), _links(repository, tasks, prefix.format("task_categories"), task_name)),
        (_("Library"), _links(repository, _texts(data.get("library_name")), "")),
        (_("Languages"), _links(repository, languages, prefix.format("language"), language_name)),
        (_("Size"), _links(repository, sizes, "size_categories:", size_name)),
        (_("Metrics"), [(text, "") for text in _texts(data.get("metrics"))]),
        (_("Tags"), _links(repository, _texts(data.get("tags")), "")),
    ]
    facts: dict[str, Any] = {
        "licence": _licence(repository, data),
        "rows": [
            (label, found[:SHOWN], max(0, len(found) - SHOWN)) for label, found in rows if found
        ],
    }
    return facts if facts["licence"] or facts["rows"] else {}


def _licence(repository: Repository, data: dict[str, Any]) -> dict[str, Any] | None:
    named = _texts(data.get("license"))
    if not named:
        return None
    own = _texts(data.get("license_name"))
    link = next(iter(_texts(data.get("license_link"))), "")
    return {
        "name": own[0] if named[0] == "other" and own else named[0],
        "url": _explore(repository, f"license:{named[0]}"),
        "words": licence_words(named[0]),
        "link": link if link.startswith(("https://", "http://")) else _file(repository, link),
    }


def _file(repository: Repository, path: str) -> str:
    """The page of a licence's text in the repository; a card may say LICENSE or ./LICENSE."""
    name = path.removeprefix("./")
    if not name or name.startswith(("/", ".", "#")) or ":" in name or "\\" in name:
        return ""
    return f"{repository.get_absolute_url()}/blob/{repository.default_branch}/{quote(name)}"


def _links(
    repository: Repository, texts: Sequence[str], prefix: str, name: Callable[[str], str] = str
) -> list[tuple[str, str]]:
    return [(name(text), _explore(repository, prefix + text)) for text in texts]


def _explore(repository: Repository, tag: str) -> str:
    return f"/-/explore?{urlencode({'kind': repository.kind, 'tag': tag})}"


def _texts(value: Any) -> list[str]:
    """The short texts in a value that may be one text or a list of them."""
    found = value if isinstance(value, list) else [value]
    texts = [text.strip() for text in found if isinstance(text, str)]
    return list(dict.fromkeys(text for text in texts if 0 < len(text) <= NAME_CHARACTERS))
