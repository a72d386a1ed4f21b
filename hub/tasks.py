"""Celery envelopes of the platform."""

from __future__ import annotations

from dataclasses import asdict

import structlog
from celery import shared_task

from hub.errors import StorageUnavailableError
from hub.jobs import (
    garbage,
    heat,
    history,
    letters,
    passwords,
    readings,
    refresh,
    scans,
    tables,
    telling,
    webhooks,
    working,
)
from hub.jobs import tidy as tidying
from hub.jobs.doorbell import ring_again
from hub.models import TableFacts

log = structlog.get_logger(__name__)


@shared_task(acks_late=True, autoretry_for=(StorageUnavailableError,), retry_backoff=True)
def refresh_repository(repository_id: int) -> None:
    """Bring what lists show of one repository up to its head."""
    refresh.refresh(repository_id)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=1800)
def index_history(repository_id: int, revision: str = "", folder: str | None = None) -> None:
    """Work out which commit last changed each file, before or instead of a reader's wait."""
    history.index(repository_id, revision, folder)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=1800)
def scan_files(repository_id: int, revision: str = "", folder: str | None = None) -> None:
    """Look into the pickles and safetensors of a revision that nobody has looked into."""
    scans.scan(repository_id, revision, folder)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=600)
def read_file(repository_id: int, kind: str, oid: str, path: str) -> None:
    """Tell what is in a file that is too large to be read while somebody waits."""
    readings.carry_out(repository_id, kind, oid, path)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=6 * 3600)
def collect_garbage() -> None:
    """Remove large files that no repository links to."""
    log.info("hub.collected", **asdict(garbage.collect()))


@shared_task(acks_late=True, ignore_result=True)
def deliver_webhook(webhook_id: int) -> None:
    """Send what one webhook is owed, unless somebody is at it."""
    if webhooks.deliver(webhook_id):
        ring_again(deliver_webhook, [webhook_id])


@shared_task(ignore_result=True)
def sweep_webhooks() -> None:
    """Ring again for every webhook that has something to send and nobody at it."""
    ring_again(deliver_webhook, webhooks.due())


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=600)
def send_password_resets() -> None:
    """Send the links to new passwords that people asked for."""
    passwords.send_all()


@shared_task(acks_late=True, ignore_result=True)
def tell_people() -> None:
    """Write into inboxes what has happened and is not told yet."""
    telling.tell_pending()


@shared_task(ignore_result=True)
def write_letters() -> None:
    """Write the letters that are due, and ring for each that waits."""
    ring_again(send_letter, letters.write())


@shared_task(acks_late=True, ignore_result=True)
def send_letter(pk: int) -> None:
    """Send one letter, unless somebody has taken it."""
    letters.send(pk)


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=3600)
def work_out_table(facts_id: int) -> None:
    """Go through a table once, unless that is done or somebody is at it."""
    tables.work_out(facts_id)


@shared_task(ignore_result=True)
def sweep_tables() -> None:
    """Ring again for tables that wait or whose worker is gone."""
    ring_again(work_out_table, working.due(TableFacts.objects.all()))


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
        sessions=tidying.remove_ended_sessions(),
        folders=tidying.remove_stray_folders(),
        refreshed=refresh.refresh_stale(),
        deliveries=webhooks.forget_old(),
        letters=letters.forget_old(),
        tables=tables.forget(),
    )
