"""The viewer of a `tokenizer.json`: what kind it is, and its vocabulary to search in."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from hub.actions.readings import Reading, reading
from hub.errors import EntryNotFoundError
from hub.formats.tokenizer import spelled
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.web.places import crumbs, file_url

NAME = "tokenizer.json"
TOKENS_A_PAGE = 60
WORD_CHARACTERS = 100


def is_shown(entry: Entry) -> bool:
    return entry.name == NAME


def file_context(place: Any) -> dict[str, Any]:
    """Facts and a page of the vocabulary (`?q=`, `?page=`)."""
    url = file_url(place.repository, "vocabulary", place.revision, place.entry.path)
    found = reading(place.repository, place.oid, place.entry, "tokenizer")
    return explained(found, url, place.request.GET)


def explained(found: Reading, url: str, query: QueryDict) -> dict[str, Any]:
    """What the tokenizer's reading tells, with the tokens that a search asks for."""
    context: dict[str, Any] = {"reading": found, "url": url, "facts": None}
    if found.told is None:
        return context
    word = query.get("q", "")[:WORD_CHARACTERS]
    facts = found.told["facts"]
    rows = _matching(found.told["tokens"], word, facts["is_byte_level"])
    page = Paginator(rows, TOKENS_A_PAGE).get_page(query.get("page"))
    special = {each["id"] for each in facts["added"] if each["special"]}
    return context | {
        "facts": facts,
        "parts": [
            (name.replace("_", " "), steps) for name, steps in facts["parts"].items() if steps
        ],
        "word": word,
        "page": page,
        "tokens": [
            (number, token, _text(token, facts["is_byte_level"]), number in special)
            for number, token in page.object_list
        ],
    }


def _text(token: str, is_byte_level: bool) -> str:
    """A token as the text it stands for, where that reads otherwise."""
    text = spelled(token) if is_byte_level else token.replace("\N{LOWER ONE EIGHTH BLOCK}", " ")
    return "" if text == token else text


def _matching(tokens: list[Any], word: str, is_byte_level: bool) -> list[Any]:
    """Tokens whose spelling or text holds `word`, and the one whose id it is."""
    if not word:
        return tokens
    wanted = word.casefold()
    number = int(word) if word.isascii() and word.isdecimal() and len(word) < 10 else None
    return [
        row
        for row in tokens
        if row[0] == number
        or wanted in row[1].casefold()
        or (is_byte_level and wanted in spelled(row[1]).casefold())
    ]


@require_safe
@vary_on_headers("HX-Request")
@repository_page()
def vocabulary(
    request: HttpRequest, repository: Repository, revision: str, path: str
) -> HttpResponse:
    """The vocabulary of a tokenizer, searched and paged."""
    require_files(actor_of(request), repository)
    store = repository.store()
    oid = store.resolve(revision)
    entry = store.entry(oid, path)
    if not is_shown(entry):
        raise EntryNotFoundError(f"{path[:200]} is no tokenizer.json.")
    url = file_url(repository, "vocabulary", revision, path)
    shown = explained(reading(repository, oid, entry, "tokenizer"), url, request.GET)
    if request.headers.get("HX-Request"):
        name = "hub/vocabulary.html" if "q" in request.GET or "page" in request.GET else None
        return render(request, name or "hub/tokenizer_file.html", {"shown": shown, **shown})
    context = frame(repository, "files") | {
        "shown": shown,
        "path": path,
        "file_crumbs": crumbs(repository, revision, path),
        "file_url": file_url(repository, "blob", revision, path),
    }
    return render(request, "hub/vocabulary_page.html", context)
