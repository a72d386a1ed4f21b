"""Celery envelopes of the platform."""

from __future__ import annotations

from dataclasses import asdict

import structlog
from celery import shared_task

from hub.errors import StorageUnavailableError
from hub.jobs import garbage, heat, history, refresh, webhooks
from hub.jobs import tidy as tidying

log = structlog.get_logger(__name__)
# A doorbell that nobody heard for so long is rung anew by the sweeper.
RING_LIFETIME_SECONDS = 60


@shared_task(acks_late=True, autoretry_for=(StorageUnavailableError,), retry_backoff=True)
def refresh_repository(repository_id: int) -> None:
    """Bring what lists show of one repository up to its head."""
    refresh.refresh(repository_id)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=1800)
def index_history(repository_id: int, revision: str = "", folder: str | None = None) -> None:
    """Work out which commit last changed each file, before or instead of a reader's wait."""
    history.index(repository_id, revision, folder)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=6 * 3600)
def collect_garbage() -> None:
    """Remove large files that no repository links to."""
    log.info("hub.collected", **asdict(garbage.collect()))


@shared_task(acks_late=True, ignore_result=True)
def deliver_webhook(webhook_id: int) -> None:
    """Send what one webhook is owed, unless somebody is at it."""
    if webhooks.deliver(webhook_id):
        deliver_webhook.apply_async((webhook_id,), expires=RING_LIFETIME_SECONDS)


@shared_task(ignore_result=True)
def sweep_webhooks() -> None:
    """Ring again for every webhook that has something to send and nobody at it."""
    for webhook_id in webhooks.due():
        deliver_webhook.apply_async((webhook_id,), expires=RING_LIFETIME_SECONDS)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=600)
def count_heat() -> None:
    """Bring trends and the totals of filters up to now."""
    log.info("hub.heat_counted", warmed=heat.count())


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=1800)
def tidy() -> None:
    """Remove what killed requests left, and refresh rows that fell behind git."""
    log.info(
        "hub.tidied",
        uploads=tidying.remove_stray_uploads(),
        abandoned=tidying.end_abandoned_uploads(),
        device_logins=tidying.remove_ended_device_logins(),
        folders=tidying.remove_stray_folders(),
        refreshed=refresh.refresh_stale(),
        deliveries=webhooks.forget_old(),
    )
