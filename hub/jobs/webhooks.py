"""Sending what webhooks are owed: claimed by lease, tried again with longer and longer waits."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from hub.models import (
    Access,
    DeliveryState,
    DisabledReason,
    Membership,
    Repository,
    User,
    Webhook,
    WebhookDelivery,
)
from hub.models.leases import wait_after
from hub.models.webhooks import BACKOFF, FAILURES_LIMIT, LONGEST_HOLD
from hub.outgoing import Allowed, Answer, OutgoingError, send

log = structlog.get_logger(__name__)

# One task works for so long at one webhook; then others have their turn.
TURN_SECONDS = 30
EXCERPT_CHARACTERS = 2000
KEPT = timedelta(days=30)
KEY_PREFIX = "whsec_"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; no answer when nothing came back."""

    answer: Answer | None = None
    problem: str = ""
    seconds: float = 0.0

    @property
    def delivered(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300


def deliver(webhook_id: int) -> bool:
    """Send what is due for one webhook, in order. True when its turn ended with more to send.

    Safe to repeat and to kill: a delivery whose worker died is taken over when its lease ends,
    and is then sent again under the same id.
    """
    ends_at = time.monotonic() + TURN_SECONDS
    while (row := WebhookDelivery.objects.claim_next(webhook_id)) is not None:
        _attempt(row)
        if time.monotonic() >= ends_at:
            return True
    return False


def due() -> Iterable[int]:
    """Webhooks whose doorbell should ring: lost messages, waits that ended, leases that ran out.
    A delivery whose worker died at the last attempt has failed."""
    if count := WebhookDelivery.objects.give_up():
        log.warning("webhook.given_up", count=count)
    return Webhook.objects.due().values_list("pk", flat=True)[:1000]


def forget_old() -> int:
    """Drop the history that nobody reads any more; returns how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=timezone.now() - KEPT)
    return old.delete()[0]


def _attempt(row: WebhookDelivery) -> None:
    webhook = row.webhook
    if not webhook.owner.is_active:
        # It waits, as it did before.
        WebhookDelivery.objects.settle(row, attempts_left=row.attempts_left + 1)
        _switch_off(webhook, DisabledReason.ACCOUNT)
    elif row.pk not in readable(webhook.owner, [row]):
        problem = "The owner of the webhook may no longer read this repository."
        WebhookDelivery.objects.settle(row, state=DeliveryState.WITHHELD, problem=problem)
    else:
        _settle(row, _send(row))


def readable(owner: User, rows: Iterable[WebhookDelivery]) -> set[int]:
    """The keys of those deliveries whose repository their owner may read now (threat D6).

    Of a repository that is gone, what was private is for those who are still in its namespace.
    """
    rows = list(rows)
    asked = {row.repository_id for row in rows if row.repository_id is not None}
    visible = Repository.objects.visible_to(owner).filter(pk__in=asked).values_list("pk", flat=True)
    repositories = set(visible)
    held = Membership.objects.filter(user=owner, access__gte=Access.READ)
    namespaces = set(held.values_list("namespace", flat=True))

    def is_readable(row: WebhookDelivery) -> bool:
        if row.repository_id is not None:
            return row.repository_id in repositories
        return not row.was_private or row.namespace_id in namespaces

    return {row.pk for row in rows if is_readable(row)}


def _send(row: WebhookDelivery) -> Outcome:
    started = time.monotonic()
    try:
        answer = send(
            "POST",
            row.webhook.url,
            body=row.body.encode(),
            headers=headers_of(row, timestamp=int(time.time())),
            allowed=Allowed.parse(settings.OUTGOING_ALLOWED),
        )
    except (OutgoingError, ValueError) as error:
        return Outcome(problem=str(error)[:300], seconds=time.monotonic() - started)
    problem = "" if 200 <= answer.status < 300 else f"The server answered {answer.status}."
    if 300 <= answer.status < 400:
        problem += " Redirects are not followed: enter the final address."
    return Outcome(answer, problem, answer.seconds)


def headers_of(row: WebhookDelivery, *, timestamp: int) -> dict[str, str]:
    """The headers of one attempt (see decision 15). Raises: ValueError for an unreadable secret."""
    secret = row.webhook.secret
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Weighbridge/{settings.VERSION} (webhooks)",
        "webhook-id": row.message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secret is not None:
        headers["X-Webhook-Secret"] = secret
        signature = signature_of(secret, row.message_id, timestamp, row.body.encode())
        headers["webhook-signature"] = signature
    return headers


def signature_of(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and HMAC-SHA256 over `id.timestamp.body` in base64.

    Source: Standard Webhooks, "Signature scheme". A secret that starts with `whsec_` is base64.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if secret.startswith(KEY_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except binascii.Error:
            pass  # somebody's own words that happen to start so
    return secret.encode()


def _settle(row: WebhookDelivery, outcome: Outcome) -> None:
    answer = outcome.answer
    columns: dict[str, Any] = {
        "status_code": None if answer is None else answer.status,
        "seconds": outcome.seconds,
        "response": "" if answer is None else _excerpt(answer.body),
        "problem": outcome.problem,
    }
    if outcome.delivered:
        columns |= {"state": DeliveryState.DELIVERED}
    elif not row.attempts_left:
        columns |= {"state": DeliveryState.FAILED}
    else:
        columns |= {"due_at": timezone.now() + wait_after(BACKOFF, row.attempt)}
    if not WebhookDelivery.objects.settle(row, **columns):
        return  # another worker has it now; its word counts
    log.info(
        "webhook.attempted",
        webhook_id=row.webhook_id,
        delivery=row.message_id,
        attempt=row.attempt,
        status=columns["status_code"],
        delivered=outcome.delivered,
    )
    if outcome.delivered:
        Webhook.objects.filter(pk=row.webhook_id).update(failures=0, held_until=None)
    else:
        _count_failure(row.webhook)


def _excerpt(body: bytes) -> str:
    text = body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
    clean = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return clean[:EXCERPT_CHARACTERS]


def _count_failure(webhook: Webhook) -> None:
    """Hold the webhook back a while, and switch it off after too many failures in a row."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    rows.update(failures=F("failures") + 1)
    failures = rows.values_list("failures", flat=True).first() or 1
    wait = min(wait_after(BACKOFF, failures), LONGEST_HOLD)
    rows.update(held_until=timezone.now() + wait)
    if failures >= FAILURES_LIMIT:
        _switch_off(webhook, DisabledReason.FAILURES)


def _switch_off(webhook: Webhook, reason: DisabledReason) -> None:
    live = Webhook.objects.filter(pk=webhook.pk, disabled_reason=DisabledReason.NONE)
    if live.update(disabled_reason=reason):
        log.warning("webhook.switched_off", webhook_id=webhook.pk, reason=str(reason))
