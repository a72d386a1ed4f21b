"""Asking what lies between the weights of two revisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from hub.errors import NotFoundError, ThrottledError
from hub.extensions import Change
from hub.jobs.doorbell import ring
from hub.models import Kind, RepoId, Repository, User
from hub.models.work import WorkState
from hub.policies import Actor, get_repository, require_files
from reviews.actions.timeline import add_comment
from reviews.actions.weights_work import hold_turn
from reviews.changes import change_of
from reviews.jobs.weight_files import WeightFile, files_digest, weight_files
from reviews.models import (
    Discussion,
    TensorComparison,
    TimelineEvent,
    WeightsComparison,
)
from reviews.tasks import compare_weights
from reviews.weights.places import place_of
from reviews.weights.tensor_stats import VERSION

# Commits and trees are named by content: their files stay the same for ever.
_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Side:
    """The weights of one commit or tree."""

    repository: Repository
    oid: str
    files: tuple[WeightFile, ...]
    digest: str

    @property
    def has_weights(self) -> bool:
        return any(file.is_weights for file in self.files)


def side_at(repository: Repository, oid: str) -> Side:
    """The weights of `oid`, a commit or tree that is there."""
    key = f"weight-files:{repository.pk}:{oid}"
    kept: list[dict[str, Any]] | None = cache.get(key)
    if kept is None:
        kept = [file.to_json() for file in weight_files(repository.store(), oid)]
        cache.set(key, kept, _KEPT_SECONDS)
    files = tuple(WeightFile(**each) for each in kept)
    return Side(repository, oid, files, files_digest(files))


def side_named(repository: Repository, actor: Actor, name: str) -> Side:
    """A revision of `repository`, or NAMESPACE/NAME@REVISION: one of another model.

    Raises: RepositoryNotFoundError, GatedRepositoryError: the reader may not see it, or not its
        files; RevisionNotFoundError.
    """
    repo_id, at, revision = name.partition("@")
    if at and repo_id.count("/") == 1:
        repository = get_repository(actor, RepoId.parse(Kind.MODEL, repo_id))
        require_files(actor, repository)
        name = revision or repository.default_branch
    return side_at(repository, repository.store().resolve(name))


def sides_of(repository: Repository, change: Change) -> tuple[Side, Side] | None:
    """Base and what would land (the head, where that conflicts); None where no weights change, or
    in a repository of another kind, whose files of such names are data."""
    if repository.kind != Kind.MODEL:
        return None
    found = change.memo.get("weights")
    if found is None:
        base = side_at(repository, change.base_oid)
        candidate = side_at(repository, change.merge_tree or change.head_oid)
        differ = base.digest != candidate.digest and (base.has_weights or candidate.has_weights)
        found = change.memo["weights"] = (base, candidate) if differ else ()
    return found or None


def comparison_of(base: Side, candidate: Side) -> WeightsComparison | None:
    """What is known of two sides so far; None when nobody has asked."""
    return WeightsComparison.objects.filter(
        base_digest=base.digest, candidate_digest=candidate.digest, version=VERSION
    ).first()


def tensor_comparison(row: WeightsComparison, tensor: str) -> TensorComparison | None:
    """All numbers of one tensor; None where there are none."""
    key = next((each["key"] for each in row.structure if each["name"] == tensor), None)
    if key is None:
        return None
    return TensorComparison.objects.filter(
        base_digest=key[0], candidate_digest=key[1], version=row.version
    ).first()


@transaction.atomic
def request_comparison(base: Side, candidate: Side, *, by: User | None = None) -> WeightsComparison:
    """The comparison of two sides, given to a worker unless somebody has asked before."""
    row, created = WeightsComparison.objects.get_or_create(
        base_digest=base.digest,
        candidate_digest=candidate.digest,
        version=VERSION,
        defaults={
            "asked_by": by,
            "base_repository": base.repository,
            "candidate_repository": candidate.repository,
            "base_files": [file.to_json() for file in base.files],
            "candidate_files": [file.to_json() for file in candidate.files],
        },
    )
    if created:
        ring(compare_weights, row.pk)
    return row


@transaction.atomic
def ask_comparison(base: Side, candidate: Side, *, by: User) -> WeightsComparison:
    """What somebody asks for, anew where it failed; files are read where this caller has them.

    Raises: ThrottledError: as many as one person may ask for are unfinished.
    """
    hold_turn(by)
    known = comparison_of(base, candidate)
    if known is None or known.state == WorkState.FAILED:
        _require_room(by)
    row = request_comparison(base, candidate, by=by)
    failed = WeightsComparison.objects.filter(pk=row.pk, state=WorkState.FAILED)
    again = failed.ask_again(
        asked_by=by,
        base_repository=base.repository,
        candidate_repository=candidate.repository,
    )
    if again:
        ring(compare_weights, row.pk)
        row.refresh_from_db()
    return row


def _require_room(user: User) -> None:
    unfinished = WeightsComparison.objects.filter(asked_by=user).live().count()
    if unfinished >= settings.WEIGHTS_COMPARISONS_LIMIT:
        raise ThrottledError(
            f"You have asked for {unfinished} comparisons of weights that are not finished, as "
            "many as you may: wait for one."
        )


def comment_on_tensor(
    discussion: Discussion, actor: Actor, *, tensor: str, text: str
) -> TimelineEvent:
    """Say something about one tensor of a proposal.

    Raises: NotFoundError: neither side of the proposal has such a tensor.
    """
    if tensor not in _tensors_of(discussion):
        raise NotFoundError(f"There is no tensor {tensor[:200]} in this pull request.")
    return add_comment(discussion, actor, text, about={"tensor": tensor})


def comment_on_layer(
    discussion: Discussion, actor: Actor, *, layer: str, text: str
) -> TimelineEvent:
    """Say something about one layer of a proposal.

    Raises: NotFoundError: neither side of the proposal has such a layer.
    """
    layers = {place_of(name).layer for name in _tensors_of(discussion)} - {None}
    if layer not in {str(each) for each in layers}:
        raise NotFoundError(f"There is no layer {layer[:20]} in this pull request.")
    return add_comment(discussion, actor, text, about={"layer": layer})


def _tensors_of(discussion: Discussion) -> set[str]:
    """The names of a proposal's tensors, of both sides, as far as a worker has told them."""
    sides = sides_of(discussion.repository, change_of(discussion))
    row = None if sides is None else comparison_of(*sides)
    return set() if row is None else {each["name"] for each in row.structure}
