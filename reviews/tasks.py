"""Celery envelopes."""

from celery import shared_task

from reviews.jobs import full_weights, reconcile, weight_merging, weights_writing, working
from reviews.jobs.comparing import carry_out
from reviews.models import FullWeights, WeightMerge, WeightsComparison, WeightsWriting

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


@shared_task
def merge_weights(merge_id: int) -> None:
    """Merge weights into a proposal, unless that is done or somebody is at it."""
    weight_merging.carry_out(merge_id)


@shared_task
def sweep_full_weights() -> None:
    """Ring again for full weights that wait or were abandoned, and forget what nobody uses."""
    full_weights.forget()
    for row_id in working.due(FullWeights.objects.all()):
        make_full_weights.apply_async((row_id,), expires=RING_LIFETIME_SECONDS)
    for writing_id in working.due(WeightsWriting.objects.all()):
        write_full_weights.apply_async((writing_id,), expires=RING_LIFETIME_SECONDS)


@shared_task
def make_full_weights(row_id: int) -> None:
    """Write out the full weights of a revision, unless that is done or somebody is at it."""
    full_weights.carry_out(row_id)


@shared_task
def write_full_weights(writing_id: int) -> None:
    """Put full weights in place of a proposal's patch, unless that is done or under way."""
    weights_writing.carry_out(writing_id)
