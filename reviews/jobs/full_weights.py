"""Full weights of a revision with an adapter or a patch, written out for those who ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from hub.actions.derived import keep_derived, require_room
from hub.jobs import working
from hub.jobs.working import Claim
from hub.models import Repository
from reviews.jobs.comparing import effective
from reviews.jobs.weight_files import WeightFile, lay_out
from reviews.models import FullWeights
from reviews.weights.checkpoint import Checkpoint, open_checkpoint
from reviews.weights.full import changed_tensors, write_full

Meaning = Callable[[Checkpoint, Callable[[], None]], Checkpoint]


def carry_out(row_id: int) -> None:
    """Write them, unless that is done or somebody is at it. Safe to repeat and to kill: the same
    revision gives the same bytes."""
    working.carry_out(FullWeights.objects.all(), row_id, _write)


def _write(claim: Claim[FullWeights], scratch: Path, kept: ExitStack) -> None:
    repository: Repository = claim.row.repository
    files = [WeightFile(**each) for each in claim.row.files]
    written, _stored = written_full(repository, files, effective, scratch, kept, claim.keep)
    results = []
    for path, place in sorted(written.items()):
        made = keep_derived(repository, place)
        results.append({"path": path, "sha256": made.sha256, "size_bytes": made.size_bytes})
        claim.keep()
    claim.finish(results=results)


def written_full(
    repository: Repository,
    files: Sequence[WeightFile],
    meaning: Meaning,
    scratch: Path,
    kept: ExitStack,
    keep: Callable[[], None],
) -> tuple[dict[str, Path], Checkpoint]:
    """The files that `meaning` makes others of, whole, by path; and the checkpoint as it lies.

    Raises: WeightsError; StorageFullError before anything is written.
    """
    placed = lay_out(repository, files, scratch / "base")
    stored = kept.enter_context(open_checkpoint(placed))
    changed = changed_tensors(stored, meaning(stored, keep))
    require_room(sum(placed[path].stat().st_size for path in changed), scratch)
    return write_full(changed, placed, scratch / "full", keep), stored


def forget() -> int:
    """Drop rows of what nobody has used for so long that its files are gone. Returns how many."""
    ended = timezone.now() - 2 * settings.DERIVED_LIFETIME
    return FullWeights.objects.filter(asked_at__lt=ended).settled().delete()[0]
