"""Listens to what features above the hub say, and to browsers that sign in and out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.http import HttpRequest

from hub import events
from hub.actions import outbox
from hub.http import sessions
from hub.models import Repository, User


def connect() -> None:
    """Called once, when Django has loaded every app."""
    user_logged_in.connect(tell_sign_in, dispatch_uid="hub.sessions.begin")
    user_logged_out.connect(tell_sign_out, dispatch_uid="hub.sessions.end")
    events.discussion_changed.connect(tell_discussion, dispatch_uid="hub.webhooks.discussion")


def tell_sign_in(sender: Any, request: HttpRequest, user: User, **_more: Any) -> None:
    sessions.begin(request, user.pk)


def tell_sign_out(sender: Any, request: HttpRequest, **_more: Any) -> None:
    sessions.end(request)


def tell_discussion(
    sender: Any,
    repository: Repository,
    scope: str,
    action: str,
    discussion: dict[str, Any],
    comment: dict[str, Any] | None,
    **_more: Any,
) -> None:
    outbox.discussed(repository, scope, action, discussion, comment)
