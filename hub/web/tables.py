"""The data set viewer: rows of a split with search and filters, columns, pictures inside rows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from hub.actions.table_pages import read_media
from hub.actions.tables import Splits, Table, facts_of, split_table, splits_at, table_at
from hub.errors import EntryNotFoundError, RevisionNotFoundError
from hub.extensions import Tab
from hub.formats.tables.pictures import LIMIT_BYTES, media_type
from hub.formats.tables.splits import Split
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page, with_players
from hub.jobs.table_files import TablePart
from hub.models import Kind, Repository
from hub.policies import require_files
from hub.web.places import file_url
from hub.web.table_asked import Place
from hub.web.table_facts import facts_context
from hub.web.table_view import shown_or_problem, step_context, table_context

MEDIA_POLICY = "default-src 'none'; sandbox"


def viewer_tab(repository: Repository) -> list[Tab]:
    """The viewer of a data set."""
    if repository.kind != Kind.DATASET:
        return []
    return [Tab("viewer", _("Viewer"), f"{repository.get_absolute_url()}/viewer")]


@require_safe
@repository_page()
@with_players
def viewer(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The rows of one split."""
    require_files(actor_of(request), repository)
    context = frame(repository, "viewer")
    try:
        oid = repository.store().resolve(_revision(request, repository))
    except RevisionNotFoundError:
        return render(request, "hub/viewer.html", context | {"splits": Splits(), "configs": []})
    splits = splits_at(repository, oid)
    chosen = splits.named(request.GET.get("config", ""), request.GET.get("split", ""))
    context |= _choice(request, repository, splits, chosen)
    if chosen:
        place = _place_of_split(request, repository, chosen)
        table = shown_or_problem(
            lambda: table_context(request, table_at(repository, oid, chosen.paths), place)
        )
        context |= {"table": table, "snippet": _snippet(repository, splits, chosen)}
    elif splits.found:
        raise EntryNotFoundError("This data set has no such split.")
    return render(request, "hub/viewer.html", context)


def _choice(
    request: HttpRequest, repository: Repository, splits: Splits, chosen: Split | None
) -> dict[str, Any]:
    """What leads to the other splits."""
    at = _fixed_revision(request, repository)
    url = f"{repository.get_absolute_url()}/viewer"
    config = chosen.config if chosen else ""
    return {
        "splits": splits,
        "split": chosen,
        "configs": splits.configs(),
        "siblings": [
            (
                each,
                Place(
                    url, {**at, "config": each.config, "split": each.name}, "", "", "", {}
                ).link(),
            )
            for each in splits.found
            if each.config == config
        ],
        "revision_fixed": list(at.items()),
        "viewer_url": url,
    }


def _snippet(repository: Repository, splits: Splits, chosen: Split) -> str:
    """Python that loads this split from this server."""
    config = f', "{chosen.config}"' if len(splits.configs()) > 1 else ""
    # What people copy into a program holds nothing that an author could have made up.
    safe = all(word.replace("-", "").replace("_", "").replace(".", "").isalnum()
               for word in (chosen.config, chosen.name))  # fmt: skip
    split = f'{config}, split="{chosen.name}"' if safe else ""
    return (
        f'import os\nos.environ["HF_ENDPOINT"] = "{settings.PUBLIC_URL}"\n'
        "from datasets import load_dataset\n"
        f'rows = load_dataset("{repository.repo_id}"{split})'
    )


def _revision(request: HttpRequest, repository: Repository) -> str:
    return request.GET.get("revision", "") or repository.default_branch


def _fixed_revision(request: HttpRequest, repository: Repository) -> dict[str, str]:
    """The revision where it is not the usual one."""
    revision = _revision(request, repository)
    return {} if revision == repository.default_branch else {"revision": revision}


def _place_of_split(request: HttpRequest, repository: Repository, split: Split) -> Place:
    fixed = _fixed_revision(request, repository) | {"config": split.config, "split": split.name}
    url = f"{repository.get_absolute_url()}/viewer"
    return Place(url, fixed, f"{url}/columns", f"{url}/media", f"{url}/search", fixed)


def _asked_table(request: HttpRequest, repository: Repository) -> tuple[Table, Place]:
    """The table that the query names: a split, or one file. Raises: HubError."""
    # Steps of one search read one commit, wherever the branch has gone meanwhile.
    revision = _revision(request, repository)
    oid = repository.store().resolve(request.GET.get("commit", "") or revision)
    if path := request.GET.get("path", ""):
        url = file_url(repository, "blob", revision, path)
        return table_at(repository, oid, [path]), _place_of_file(repository, url, revision, path)
    config, split = request.GET.get("config", ""), request.GET.get("split", "")
    found = splits_at(repository, oid).named(config, split)
    if found is None:
        raise EntryNotFoundError("This data set has no such split.")
    place = _place_of_split(request, repository, found)
    return split_table(repository, oid, found.config, found.name), place


@require_safe
@repository_page()
def columns(request: HttpRequest, repository: Repository) -> HttpResponse:
    """What the columns hold, as far as it is known: the page asks again until it is."""
    require_files(actor_of(request), repository)
    table, place = _asked_table(request, repository)
    is_awaited = "awaited" in request.GET
    context = {"facts": facts_context(facts_of(table), place, is_awaited=is_awaited)}
    return render(request, "hub/table_facts.html", context)


def _place_of_file(repository: Repository, url: str, revision: str, path: str) -> Place:
    base = f"{repository.get_absolute_url()}/viewer"
    fixed = {"revision": revision, "path": path}
    return Place(url, {}, f"{base}/columns", f"{base}/media", f"{base}/search", fixed)


@require_safe
@repository_page()
def search(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The next step of a search that goes on by itself: rows for below the others, and the foot."""
    require_files(actor_of(request), repository)
    table, place = _asked_table(request, repository)
    return render(request, "hub/table_step.html", step_context(request, table, place))


@require_safe
@repository_page()
def media(request: HttpRequest, repository: Repository) -> HttpResponse:
    """A picture or sound inside a row, told by its bytes; anything else is not sent."""
    require_files(actor_of(request), repository)
    table, _place = _asked_table(request, repository)
    number = request.GET.get("row", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise EntryNotFoundError("There is no such row.")
    column = request.GET.get("column", "")
    content = read_media(table, facts_of(table), int(number), column).content or b""
    kind = media_type(content)
    if not kind or len(content) > LIMIT_BYTES:
        raise EntryNotFoundError("There is no picture and no sound here.")
    response = HttpResponse(content, content_type=kind)
    response["Content-Security-Policy"] = MEDIA_POLICY
    response["Content-Disposition"] = "inline"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    return response


def file_table(
    request: HttpRequest, repository: Repository, revision: str, oid: str, entry: Entry
) -> dict[str, Any] | None:
    """A file as a table; None where it is none."""
    part = TablePart.of(entry)
    if part is None:
        return None
    # A model's JSON files are settings: people read them as text.
    if part.format.partition("+")[0] == "json" and repository.kind != Kind.DATASET:
        return None
    place = _place_of_file(repository, request.path, revision, entry.path)
    table = shown_or_problem(
        lambda: table_context(request, table_at(repository, oid, [entry.path]), place)
    )
    return {"view": "table", "table": table, "has_source": entry.lfs is None}
