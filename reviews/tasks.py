"""Celery envelopes."""

from celery import shared_task

from reviews.jobs import model_merging, reconcile, weight_merging, working
from reviews.jobs.comparing import carry_out
from reviews.models import ModelMerge, WeightMerge, WeightsComparison

# A doorbell that nobody heard for so long is rung anew by the sweeper.
RING_LIFETIME_SECONDS = 60


@shared_task
def reconcile_merges() -> None:
    """Settle merges and pushes that a crash interrupted."""
    reconcile.reconcile_merges()
    reconcile.reconcile_heads()


@shared_task
def compare_weights(comparison_id: int) -> None:
    """Compare two checkpoints, unless that is done or somebody is at it."""
    carry_out(comparison_id)


@shared_task
def sweep_comparisons() -> None:
    """Ring again for every comparison and merge that waits or was abandoned."""
    for comparison_id in working.due(WeightsComparison.objects.all()):
        compare_weights.apply_async((comparison_id,), expires=RING_LIFETIME_SECONDS)
    for merge_id in working.due(WeightMerge.objects.all()):
        merge_weights.apply_async((merge_id,), expires=RING_LIFETIME_SECONDS)
    for merge_id in working.due(ModelMerge.objects.all()):
        merge_models.apply_async((merge_id,), expires=RING_LIFETIME_SECONDS)


@shared_task
def merge_weights(merge_id: int) -> None:
    """Merge weights into a proposal, unless that is done or somebody is at it."""
    weight_merging.carry_out(merge_id)


@shared_task
def merge_models(merge_id: int) -> None:
    """Merge models into a proposal, unless that is done or somebody is at it."""
    model_merging.carry_out(merge_id)
