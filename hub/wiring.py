"""Listens to features above the hub and to browsers that sign in and out, and tells people."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import user_logged_in, user_logged_out
from django.db.models.signals import post_save
from django.http import HttpRequest

from hub import events
from hub.actions import outbox
from hub.extensions import registries
from hub.http import sessions
from hub.jobs.doorbell import ask
from hub.models import Event, Repository, User
from hub.tasks import tell_people
from hub.web.tables import viewer_tab


def connect() -> None:
    """Called once, when Django has loaded every app."""
    user_logged_in.connect(tell_sign_in, dispatch_uid="hub.sessions.begin")
    user_logged_out.connect(tell_sign_out, dispatch_uid="hub.sessions.end")
    events.discussion_changed.connect(tell_discussion, dispatch_uid="hub.webhooks.discussion")
    registries.repository_tabs.append(viewer_tab)
    post_save.connect(ring_for_people, sender=Event, dispatch_uid="hub.inbox.ring")


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


def ring_for_people(sender: Any, instance: Event, created: bool, **_more: Any) -> None:
    """Something happened that people are told of: a worker does, or the sweeper's later."""
    if created and instance.kind in registries.notable:
        ask(tell_people)
