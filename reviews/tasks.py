"""Celery envelopes."""

from celery import shared_task

from hub.jobs import working
from hub.jobs.doorbell import ring, ring_again
from reviews.jobs import (
    full_weights,
    model_merging,
    queue,
    reconcile,
    tensor_reading,
    weight_merging,
    weight_trials,
    weights_writing,
)
from reviews.jobs.comparing import carry_out
from reviews.models import (
    FullWeights,
    ModelMerge,
    TensorReading,
    WeightMerge,
    WeightsComparison,
    WeightsWriting,
    WeightTrial,
)


@shared_task
def reconcile_merges() -> None:
    """Settle merges and pushes that a crash interrupted."""
    reconcile.reconcile_merges()
    reconcile.reconcile_heads()


@shared_task
def compare_weights(comparison_id: int) -> None:
    """Compare two checkpoints, unless that is done or somebody is at it."""
    carry_out(comparison_id)
    ring_queues(WeightsComparison.objects.filter(pk=comparison_id).values("candidate_repository"))


@shared_task
def read_tensor(reading_id: int) -> None:
    """Read the numbers of one tensor, unless that is done or somebody is at it."""
    tensor_reading.carry_out(reading_id)


@shared_task
def sweep_comparisons() -> None:
    """Ring again for every comparison, merge, trial and tensor that waits or was abandoned; let go
    of trials that nobody can use any more."""
    ring_again(read_tensor, working.due(TensorReading.objects.all()))
    ring_again(compare_weights, working.due(WeightsComparison.objects.all()))
    ring_again(merge_weights, working.due(WeightMerge.objects.all()))
    ring_again(merge_models, working.due(ModelMerge.objects.all()))
    ring_again(try_weights, working.due(WeightTrial.objects.kept()))
    weight_trials.let_go_of_stale()
    weight_trials.remove_gone()


@shared_task
def try_weights(trial_id: int) -> None:
    """Make what a way of merging would give, unless that is done or somebody is at it."""
    weight_trials.carry_out(trial_id)


@shared_task
def remove_gone_trials() -> None:
    """Remove what trials hold that were let go."""
    weight_trials.remove_gone()


@shared_task
def merge_weights(merge_id: int) -> None:
    """Merge weights into a proposal, unless that is done or somebody is at it."""
    weight_merging.carry_out(merge_id)
    ring_queues(WeightMerge.objects.filter(pk=merge_id).values("pull_request__repository"))


@shared_task
def advance_queue(entry_id: int) -> None:
    """Go through the merge queue in which an entry stands, until it has to wait."""
    queue.advance(entry_id)


@shared_task
def sweep_queues() -> None:
    """Ring again for every merge queue: what it waits for may be there by now."""
    ring_again(advance_queue, queue.first_ones())


def ring_queues(repositories: object) -> None:
    """Have the merge queues of some repositories looked at: what one waited for has ended."""
    ring(advance_queue, *queue.first_ones(pull_request__repository__in=repositories))


@shared_task
def sweep_full_weights() -> None:
    """Ring again for full weights that wait or were abandoned, and forget what nobody uses."""
    full_weights.forget()
    ring_again(make_full_weights, working.due(FullWeights.objects.all()))
    ring_again(write_full_weights, working.due(WeightsWriting.objects.all()))


@shared_task
def make_full_weights(row_id: int) -> None:
    """Write out the full weights of a revision, unless that is done or somebody is at it."""
    full_weights.carry_out(row_id)


@shared_task
def write_full_weights(writing_id: int) -> None:
    """Put full weights in place of a proposal's patch, unless that is done or under way."""
    weights_writing.carry_out(writing_id)


@shared_task
def merge_models(merge_id: int) -> None:
    """Merge models into a proposal, unless that is done or somebody is at it."""
    model_merging.carry_out(merge_id)
