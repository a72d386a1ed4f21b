"""Webhooks for tests."""

from __future__ import annotations

from typing import Any

from hub.actions import webhooks
from hub.models import User, Webhook
from hub.policies import Actor

SECRET = "a secret of the receiver"


def watching(
    user: User,
    url: str,
    *watched: str,
    domains: tuple[str, ...] = ("repo", "discussion"),
    secret: str | None = SECRET,
) -> Webhook:
    """A webhook of `user` that watches `type:name`, …"""
    pairs: list[Any] = [one.split(":") for one in watched]
    items = [{"type": kind, "name": name} for kind, name in pairs]
    return webhooks.create_webhook(
        Actor(user), url=url, watched=items, domains=[*domains], secret=secret
    )
