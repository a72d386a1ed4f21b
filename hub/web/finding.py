"""Go to a file: the paths of a revision that fit what somebody types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from hub.errors import TooLargeError
from hub.gitstore import GitStore
from hub.http.pages import repository_page
from hub.models import Repository
from hub.web.places import file_url, place

RESULTS_SHOWN = 50
WORD_LIMIT_CHARACTERS = 100


@dataclass(frozen=True)
class Piece:
    """A part of a path, marked where it is what was typed."""

    text: str
    is_hit: bool


@dataclass(frozen=True)
class FoundPath:
    pieces: list[Piece]
    url: str


def paths_of(store: GitStore, oid: str) -> list[str]:
    """The paths of a revision's files, kept by its tree. Raises: TooLargeError."""
    tree = store.tree_oid(oid)
    # A line feed in a name would be two names here; git forbids none, so such files are left out.
    kept = store.kept(
        f"paths-{tree}",
        lambda: "\n".join(p for p in store.paths(oid) if "\n" not in p).encode(),
    )
    return kept.decode().split("\n") if kept else []


def best(paths: Iterable[str], word: str) -> list[tuple[str, list[int]]]:
    """The paths that hold the letters of `word` in order, the best first, each with the places
    of the letters."""
    letters = "".join(word[:WORD_LIMIT_CHARACTERS].casefold().split())
    ranked = nlargest(RESULTS_SHOWN, _ranked(paths, letters))
    return [(path, list(places)) for _score, path, places in ranked]


def _ranked(paths: Iterable[str], letters: str) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    for path in paths:
        lower = path.lower()
        name_at = lower.rfind("/") + 1
        if (at := lower.find(letters, name_at)) >= 0:  # in its name
            score = 4000 if at == name_at else 3000
        elif (at := lower.find(letters)) >= 0:
            score = 2000
        elif (scattered := _scattered(lower, letters, name_at)) is not None:
            yield scattered[0] - len(path), path, scattered[1]
            continue
        else:
            continue
        yield score - min(len(path), 900), path, tuple(range(at, at + len(letters)))


def _scattered(lower: str, letters: str, name_at: int) -> tuple[int, tuple[int, ...]] | None:
    """Letters one after the other, from the name if they are there, with what that is worth."""
    for start, worth in ((name_at, 1500), (0, 1000)):
        places: list[int] = []
        at = start - 1
        for letter in letters:
            at = lower.find(letter, at + 1)
            if at < 0:
                break
            places.append(at)
        else:
            gaps = places[-1] - places[0] - len(places) if places else 0
            return worth - min(gaps, 500), tuple(places)
    return None


def _pieces(path: str, places: list[int]) -> list[Piece]:
    pieces: list[Piece] = []
    hits, start = set(places), 0
    for at in range(1, len(path) + 1):
        if at == len(path) or (at in hits) != (start in hits):
            pieces.append(Piece(path[start:at], start in hits))
            start = at
    return pieces


@repository_page()
def find(request: HttpRequest, repository: Repository, revision: str) -> HttpResponse:
    """Files of a revision by what their paths hold; a fragment for whoever types."""
    context = place(repository, revision, "", view="find")
    word = request.GET.get("q", "").strip()[:WORD_LIMIT_CHARACTERS]
    try:
        paths = paths_of(repository.store(), context["oid"])
    except TooLargeError as error:
        paths, context["problem"] = [], str(error)
    context |= {
        "q": word,
        "total": len(paths),
        "results": [
            FoundPath(_pieces(path, places), file_url(repository, "blob", revision, path))
            for path, places in best(paths, word)
        ],
    }
    is_fragment = bool(request.headers.get("HX-Request"))
    response = render(request, f"hub/find.html{'#results' if is_fragment else ''}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response
