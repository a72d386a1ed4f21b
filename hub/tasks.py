"""Celery envelopes of the platform."""

from __future__ import annotations

from dataclasses import asdict

import structlog
from celery import shared_task

from hub.errors import StorageUnavailableError
from hub.jobs import garbage, refresh
from hub.jobs import tidy as tidying

log = structlog.get_logger(__name__)


@shared_task(acks_late=True, autoretry_for=(StorageUnavailableError,), retry_backoff=True)
def refresh_repository(repository_id: int) -> None:
    """Bring what lists show of one repository up to its head."""
    refresh.refresh(repository_id)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=6 * 3600)
def collect_garbage() -> None:
    """Remove large files that no repository links to."""
    log.info("hub.collected", **asdict(garbage.collect()))


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=1800)
def tidy() -> None:
    """Remove what killed requests left, and refresh rows that fell behind git."""
    log.info(
        "hub.tidied",
        uploads=tidying.remove_stray_uploads(),
        device_logins=tidying.remove_ended_device_logins(),
        folders=tidying.remove_stray_folders(),
        refreshed=refresh.refresh_stale(),
    )
