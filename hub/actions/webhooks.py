"""A person's webhooks: made, changed, switched on and off, tested, their deliveries replayed."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.actions import audit, outbox
from hub.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError
from hub.jobs.doorbell import ring
from hub.models import (
    DeliveryState,
    DisabledReason,
    TokenScope,
    User,
    Webhook,
    WebhookDelivery,
)
from hub.models.webhooks import DOMAINS, WATCHED_TYPES
from hub.outgoing import Allowed, OutgoingError, check_url
from hub.policies import Actor, require_person
from hub.tasks import deliver_webhook

WATCHED_LIMIT = 100
SECRET_LIMIT = 256


def require_owner(actor: Actor) -> User:
    """The person whose webhooks `actor` may see and change: their URLs may hold secrets.

    Raises: UnauthenticatedError; ForbiddenError for a token that reads only, or one limited to
    some repositories, as a webhook may watch others.
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    if actor.token is not None and actor.token.repositories.exists():
        raise ForbiddenError("This token is limited to some repositories: webhooks watch others.")
    return user


def get_webhook(actor: Actor, pk: int) -> Webhook:
    """One of the actor's own webhooks. Raises: NotFoundError, and see `require_owner`."""
    mine = Webhook.objects.filter(owner=require_owner(actor)).select_related("owner")
    found = mine.filter(pk=pk).first()
    if found is None:
        raise NotFoundError("There is no such webhook among yours.")
    return found


def make_secret() -> str:
    """256 random bits in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@transaction.atomic
def create_webhook(
    actor: Actor,
    *,
    url: str,
    watched: list[dict[str, str]],
    domains: list[str],
    secret: str | None = None,
) -> Webhook:
    """Tell `url` from now on what happens to what is watched. Raises: BadInputError."""
    owner = require_owner(actor)
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # the count below holds
    if owner.webhooks.count() >= settings.WEBHOOKS_LIMIT_PER_USER:
        limit = settings.WEBHOOKS_LIMIT_PER_USER
        raise ConflictError(f"You have {limit} webhooks, the most there may be: remove one first.")
    if not watched:
        raise BadInputError("Name at least one user, organisation or repository to watch.")
    webhook = Webhook(owner=owner)
    _fill(webhook, url=url, watched=watched, domains=domains, secret=secret)
    webhook.save()
    _record(actor, "webhook.create", webhook)
    return webhook


@transaction.atomic
def update_webhook(webhook: Webhook, actor: Actor, **changes: Any) -> Webhook:
    """Change `url`, `watched`, `domains` or `secret`; what is None or an empty list stays.

    Raises: BadInputError.
    """
    row = _locked(webhook)
    _fill(row, **{name: value for name, value in changes.items() if value not in (None, [])})
    row.save()
    _record(actor, "webhook.update", row)
    return row


def _fill(
    webhook: Webhook,
    *,
    url: str | None = None,
    watched: list[dict[str, str]] | None = None,
    domains: list[str] | None = None,
    secret: str | None = None,
) -> None:
    if url is not None:
        try:
            check_url(url, Allowed.parse(settings.OUTGOING_ALLOWED))
        except OutgoingError as error:
            raise BadInputError(str(error)) from None
        webhook.url = url
    if watched is not None:
        webhook.watch(_checked_watched(watched))
    if domains is not None:
        unknown = set(domains) - set(DOMAINS)
        if unknown or not domains:
            raise BadInputError(f"A domain is one of {', '.join(DOMAINS)}.")
        webhook.domains = sorted(set(domains), key=DOMAINS.index)
    if secret is not None:
        if len(secret) > SECRET_LIMIT or not secret.isascii() or not (secret + " ").isprintable():
            raise BadInputError(f"A secret is one line of up to {SECRET_LIMIT} ASCII characters.")
        webhook.secret = secret.strip()


def _checked_watched(watched: list[dict[str, str]]) -> list[dict[str, str]]:
    if len(watched) > WATCHED_LIMIT:
        raise BadInputError(f"A webhook watches at most {WATCHED_LIMIT} names: make another one.")
    for one in watched:
        if one["type"] not in WATCHED_TYPES:
            raise BadInputError(
                f"“{one['type'][:50]}” cannot be watched: use {', '.join(WATCHED_TYPES)}."
            )
        owner, slash, name = one["name"].partition("/")
        of_repository = one["type"] not in {"user", "org"}
        # The public hub has a few models without an owner, such as `gpt2`.
        if not owner or len(one["name"]) > 200 or "/" in name or (slash and not name):
            raise BadInputError(f"“{one['name'][:200]}” is no name that can be watched.")
        if (slash and not of_repository) or not one["name"].isprintable():
            raise BadInputError(f"“{one['name'][:200]}” is no name of a {one['type']}.")
    return watched


@transaction.atomic
def set_enabled(webhook: Webhook, actor: Actor, *, enabled: bool) -> Webhook:
    """Switch a webhook on, with a clean slate, or off; twice is no fault.

    What was waiting when it went off is sent once it is on again.
    """
    row = _locked(webhook)
    if row.disabled != enabled:  # it is so already
        return row
    row.disabled_reason = DisabledReason.NONE if enabled else DisabledReason.OWNER
    row.failures, row.held_until = 0, None
    row.save()
    action = "webhook.enable" if enabled else "webhook.disable"
    _record(actor, action, row)
    if enabled:
        ring(deliver_webhook, row.pk)
    return row


@transaction.atomic
def delete_webhook(webhook: Webhook, actor: Actor) -> None:
    """Remove a webhook with its history; what is waiting is sent no more."""
    _record(actor, "webhook.delete", webhook)
    webhook.delete()


@transaction.atomic
def send_test(webhook: Webhook) -> WebhookDelivery:
    """Send a delivery of scope `ping`. Raises: ConflictError while it is switched off."""
    _require_on(webhook)
    if webhook.deliveries.filter(scope="ping", state=DeliveryState.WAITING).exists():
        raise ConflictError("A test is on its way already: look at the deliveries.")
    return outbox.send_test(webhook)


@transaction.atomic
def replay(webhook: Webhook, delivery_id: int) -> WebhookDelivery:
    """Send a delivery once more now, under the same id and with the same body.

    Raises: NotFoundError, ConflictError while the webhook is switched off.
    """
    _require_on(webhook)
    rows = webhook.deliveries.filter(pk=delivery_id)
    now = timezone.now()
    again = {"state": DeliveryState.WAITING, "due_at": now, "problem": "", "attempts_left": 1}
    ended = rows.exclude(state=DeliveryState.WAITING)
    if not ended.update(**again):
        rows.filter(state=DeliveryState.WAITING).update(due_at=now)
    row = rows.first()
    if row is None:
        raise NotFoundError("There is no such delivery of this webhook.")
    Webhook.objects.filter(pk=webhook.pk).update(held_until=None)
    ring(deliver_webhook, webhook.pk)
    return row


def _locked(webhook: Webhook) -> Webhook:
    row = Webhook.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
    found = row.filter(pk=webhook.pk).first()
    if found is None:
        raise NotFoundError("There is no such webhook among yours.")
    return found


def _require_on(webhook: Webhook) -> None:
    if webhook.disabled:
        raise ConflictError("The webhook is switched off: switch it on first.")


def _record(actor: Actor, action: str, webhook: Webhook) -> None:
    """The audit trail names the host only: the rest of a URL may hold a secret."""
    audit.record(actor, action, f"{webhook.public_id}: {urlsplit(webhook.url).netloc}")
