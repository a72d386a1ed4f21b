"""The card of a repository at a commit: its text as HTML, its contents, what its head says."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import get_language

from hub.errors import EntryNotFoundError, HubError
from hub.formats.card import parse_card
from hub.http.mentions import alert_words
from hub.models import Repository
from hub.policies import people_named
from hub.rendering import Document, Heading, SanitisedHtml, names_in, render_document
from hub.web.card_facts import card_facts

# Part of a kept card's key: raise it when the same text is to be rendered otherwise.
RENDERING = 5
KEPT_SECONDS = 7 * 24 * 3600
CONTENTS_FROM, CONTENTS_LEVELS, CONTENTS_LIMIT = 4, 3, 60


def card_at(repository: Repository, oid: str, revision: str) -> dict[str, Any] | None:
    """The README of a commit, and what is wrong with it. None when there is none."""
    try:
        content = repository.store().read(oid, "README.md", limit_bytes=settings.CARD_LIMIT_BYTES)
    except EntryNotFoundError:
        return None
    except HubError as error:
        return {"html": "", "broken": str(error), "contents": [], "facts": {}}
    card = parse_card(content, repository.kind)
    document = _rendered(repository, card.body, revision)
    return {
        "html": document.html,
        "broken": card.broken,
        "contents": _contents(document),
        "has_diagrams": document.has_diagrams,
        "facts": card_facts(repository, card.data),
    }


def _contents(document: Document) -> list[tuple[Heading, int]]:
    """The headings of a long card with their depth; none of a short one."""
    found = [each for each in document.headings if each.level <= CONTENTS_LEVELS and each.text]
    if len(found) < CONTENTS_FROM:
        return []
    top = min(each.level for each in found)
    return [(each, each.level - top) for each in found[:CONTENTS_LIMIT]]


def _rendered(repository: Repository, body: str, revision: str) -> Document:
    """A card's text as HTML, kept by all that it depends on: formulas and code take their time."""
    people = people_named(names_in(body))
    base = f"/{repository.path}", revision, get_language() or "", " ".join(sorted(people))
    named = "\0".join([str(RENDERING), *base, body]).encode("utf-8", "replace")
    key = f"card:{hashlib.sha256(named).hexdigest()}"
    if kept := cache.get(key):
        html, headings, has_diagrams = kept
        told = tuple(Heading(*each) for each in headings)
        return Document(SanitisedHtml(html), told, has_diagrams)
    made = render_document(
        body, link=_linker(repository, revision), people=people, alert_words=alert_words()
    )
    headings = [(each.level, each.text, each.anchor) for each in made.headings]
    cache.set(key, (str(made.html), headings, made.has_diagrams), KEPT_SECONDS)
    return made


def _linker(repository: Repository, revision: str) -> Any:
    def link(path: str, is_image: bool) -> str:
        """Relative links lead to the file's page, pictures to its bytes: of this revision."""
        view = "resolve" if is_image else "blob"
        return f"/{repository.path}/{view}/{quote(revision, safe='')}/{quote(path)}"

    return link
