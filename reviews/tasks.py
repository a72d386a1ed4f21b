"""Celery envelopes."""

from celery import shared_task

from reviews.jobs import reconcile


@shared_task
def reconcile_merges() -> None:
    """Settle merges and pushes that a crash interrupted."""
    reconcile.reconcile_merges()
    reconcile.reconcile_heads()
