"""Viewers of what models are made of: tensors, settings, tokenizers, event files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from hub.gitstore import Entry
from hub.models import Repository
from hub.web import config_page, events_page, tensor_page, tokenizer_page


@dataclass(frozen=True)
class Place:
    """The file that is looked at, and who looks at it."""

    request: HttpRequest
    repository: Repository
    revision: str
    oid: str
    entry: Entry


@dataclass(frozen=True)
class Viewer:
    """`template` is rendered with what `context` returns as `shown`."""

    matches: Callable[[Entry], bool]
    template: str
    context: Callable[[Any], dict[str, Any]]
    has_source: bool = True


VIEWERS = (
    Viewer(tensor_page.is_shown, "hub/tensor_file.html", tensor_page.file_context, False),
    Viewer(config_page.is_shown, "hub/config_file.html", config_page.file_context),
    Viewer(tokenizer_page.is_shown, "hub/tokenizer_file.html", tokenizer_page.file_context),
    Viewer(events_page.is_shown, "hub/events_file.html", events_page.file_context, False),
)


def viewed(place: Place) -> dict[str, Any] | None:
    """What the page of a file needs to show it by its viewer; None for a file without one."""
    viewer = next((each for each in VIEWERS if each.matches(place.entry)), None)
    if viewer is None:
        return None
    return {
        "view": "viewer",
        "viewer": viewer.template,
        "shown": viewer.context(place),
        "has_source": viewer.has_source and place.entry.lfs is None,
    }
