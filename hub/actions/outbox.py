"""What webhooks are told, written in the transaction of the change itself.

A row that is committed is delivered, a change that is rolled back is told to nobody; the doorbell
rings once the transaction is committed. Payloads are those of the Hub, version 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import transaction

from hub.jobs.doorbell import ring
from hub.models import Access, Namespace, Repository, Webhook, WebhookDelivery
from hub.models.webhooks import keys_of
from hub.policies import access_of
from hub.tasks import deliver_webhook

VERSION = 3


def created(repository: Repository) -> None:
    _tell(repository, "repo", "create")


def removed(repository: Repository) -> None:
    """Call it while the row still stands: later only these rows say who could read it."""
    _tell(repository, "repo", "delete")
    earlier = WebhookDelivery.objects.filter(repository=repository)
    # Not those of a namespace that it has left since: they lost it when it moved.
    earlier.update(was_private=repository.is_private, namespace=repository.namespace)


def moved(repository: Repository, old_repo_id: str) -> None:
    """Those who watch the old name hear of it, and those who watch the new one."""
    to = {"name": repository.repo_id, "owner": {"id": _owner_id(repository.namespace)}}
    more: dict[str, Any] = {
        "repo": repository_facts(repository) | {"name": old_repo_id},
        "movedTo": to,
    }
    _tell(repository, "repo", "move", moved_from=old_repo_id, **more)


def changed(repository: Repository) -> None:
    """Its settings are others now."""
    _tell(repository, "repo.config", "update")


def refs_moved(repository: Repository, moves: Iterable[tuple[str, str | None, str | None]]) -> None:
    """Refs name other commits: each with its old and new oid, None where there was or is none."""
    updated = [{"ref": ref, "oldSha": old, "newSha": new} for ref, old, new in moves]
    if updated:
        _tell(repository, "repo.content", "update", updatedRefs=updated)


def discussed(
    repository: Repository,
    scope: str,
    action: str,
    discussion: dict[str, Any],
    comment: dict[str, Any] | None,
) -> None:
    """Somebody opened, changed or commented on a discussion or pull request."""
    said: dict[str, Any] = {} if comment is None else {"comment": comment}
    _tell(repository, scope, action, discussion=discussion, **said)


def send_test(webhook: Webhook) -> WebhookDelivery:
    """A delivery that tells of nothing, to see whether the other side listens."""
    owner = webhook.owner
    example = {
        "type": "model",
        "name": f"{owner.username}/example",
        "id": "0",
        "private": False,
        "owner": {"id": str(owner.pk)},
        "url": {"web": settings.PUBLIC_URL, "api": f"{settings.PUBLIC_URL}/api/models"},
        "tags": [],
    }
    payload = {"event": {"action": "update", "scope": "ping"}, "repo": example}
    row = _delivery(webhook, "ping", "update", payload)
    row.save()
    ring(deliver_webhook, webhook.pk)
    return row


def _owner_id(namespace: Namespace) -> str:
    """A person's id as `whoami` says it, or that of an organisation."""
    return str(namespace.owner_id or namespace.pk)


def repository_facts(repository: Repository) -> dict[str, Any]:
    api = f"{settings.PUBLIC_URL}/{repository.api_path}"
    return {
        "type": repository.kind,
        "name": repository.repo_id,
        "id": str(repository.pk),
        "private": repository.is_private,
        "owner": {"id": _owner_id(repository.namespace)},
        "url": {"web": repository.public_url(), "api": api},
        "headSha": repository.head_oid or None,
        "tags": [*repository.tags],
    }


@transaction.atomic
def _tell(
    repository: Repository, scope: str, action: str, *, moved_from: str = "", **more: Any
) -> None:
    """Write a delivery for everyone who listens and may read the repository now."""
    domain = scope.partition(".")[0]
    rows: list[WebhookDelivery] = []
    payload: dict[str, Any] = {"event": {"action": action, "scope": scope}}
    for webhook in Webhook.objects.listening(keys_of(repository, moved_from=moved_from), domain):
        if repository.is_private and access_of(webhook.owner, repository) < Access.READ:
            continue
        if not rows:
            payload = payload | {"repo": repository_facts(repository)} | more
        row = _delivery(webhook, scope, action, payload)
        row.repository, row.namespace = repository, repository.namespace
        row.repo_id, row.was_private = repository.repo_id, repository.is_private
        rows.append(row)
    WebhookDelivery.objects.bulk_create(rows)
    ring(deliver_webhook, *(row.webhook_id for row in rows))


def _delivery(
    webhook: Webhook, scope: str, action: str, payload: dict[str, Any]
) -> WebhookDelivery:
    addressed = payload | {"webhook": {"id": webhook.public_id, "version": VERSION}}
    body = json.dumps(addressed, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair cannot be sent, and NUL cannot be stored.
    body = body.encode("utf-8", "replace").decode()
    return WebhookDelivery(webhook=webhook, scope=scope, action=action, body=body)
