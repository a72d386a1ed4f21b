"""The first page of a repository: its card, how to use it, what features add."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hub.errors import EntryNotFoundError, HubError, RevisionNotFoundError
from hub.extensions import registries
from hub.formats.card import parse_card
from hub.http.authentication import actor_of
from hub.http.mentions import render_card
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.web.access import access_panel
from hub.web.collections import collections_of
from hub.web.files import listing
from hub.web.lineage import aside

VERSIONS_SHOWN = 8


@repository_page()
def repository_detail(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Card, files at a glance, versions, snippets, panels of features."""
    store = repository.store()
    try:
        oid = store.resolve(repository.default_branch)
    except RevisionNotFoundError:
        return render(request, "hub/repository_empty.html", frame(repository, "card"))
    panels = [_panel(panel, repository, request) for panel in registries.repository_panels]
    context = frame(repository, "card") | {
        "oid": oid,
        "card": _card(repository, oid),
        "files": listing(repository, oid, ""),
        "versions": store.commits(oid, limit=VERSIONS_SHOWN),
        "tags": [ref for ref in store.refs() if ref.name.startswith("refs/tags/")],
        "panels": [panel for panel in panels if panel and not panel["is_aside"]],
        "side_panels": [panel for panel in panels if panel and panel["is_aside"]],
        "snippets": snippets(repository),
        "collections": collections_of(actor_of(request), repository),
        "lineage": aside(request, repository),
        "access": access_panel(request, repository) if repository.gated else None,
    }
    return render(request, "hub/repository_detail.html", context)


def _panel(panel: Any, repository: Repository, request: HttpRequest) -> dict[str, Any] | None:
    context = panel.context(repository, request)
    if not context:
        return None
    return {"template": panel.template, "is_aside": panel.is_aside, "context": context}


def _card(repository: Repository, oid: str) -> dict[str, Any] | None:
    """The README as HTML, and what is wrong with its front matter. None when there is none."""
    try:
        content = repository.store().read(oid, "README.md", limit_bytes=settings.CARD_LIMIT_BYTES)
    except EntryNotFoundError:
        return None
    except HubError as error:
        return {"html": "", "broken": str(error)}
    card = parse_card(content, repository.kind)
    return {"html": render_card(card.body, link=_linker(repository)), "broken": card.broken}


def _linker(repository: Repository) -> Any:
    def link(path: str, is_image: bool) -> str:
        """Relative links lead to the file's page, pictures to its bytes."""
        view = "resolve" if is_image else "blob"
        return f"/{repository.path}/{view}/{repository.default_branch}/{quote(path)}"

    return link


def snippets(repository: Repository) -> list[dict[str, str]]:
    """Commands that fetch it from this server, ready to copy."""
    endpoint = f"export HF_ENDPOINT={settings.PUBLIC_URL}"
    repo_id = repository.repo_id
    if repository.kind == Kind.DATASET:
        code = f'from datasets import load_dataset\nload_dataset("{repo_id}")'
        download = f"hf download --repo-type dataset {repo_id}"
    elif repository.kind != Kind.MODEL:
        kind = f'repo_type="{repository.kind}"'
        code = (
            f'from huggingface_hub import snapshot_download\nsnapshot_download("{repo_id}", {kind})'
        )
        download = f"hf download --repo-type {repository.kind} {repo_id}"
    else:
        # What people copy into a shell holds nothing that a card's author could have made up.
        is_task = re.fullmatch(r"[a-z0-9-]{1,64}", repository.pipeline_tag)
        task = repository.pipeline_tag if is_task else "text-generation"
        code = f'from transformers import pipeline\npipe = pipeline("{task}", "{repo_id}")'
        download = f"hf download {repo_id}"
    here = f'import os\nos.environ["HF_ENDPOINT"] = "{settings.PUBLIC_URL}"'
    return [
        {"key": "python", "label": "Python", "text": f"{here}\n{code}"},
        {"key": "hf", "label": "hf", "text": f"{endpoint}\n{download}"},
        {"key": "git", "label": "git", "text": f"git clone {repository.public_url()}"},
    ]
