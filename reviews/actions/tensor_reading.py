"""Asking for the numbers of one tensor, which a worker reads once."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from hub.errors import ThrottledError
from hub.extensions import TensorPlace, TensorStatistics
from hub.gitstore import Entry
from hub.jobs.doorbell import ring
from hub.models import Repository, User
from hub.models.work import WorkState
from reviews.actions.weights_said import problem_sentence
from reviews.actions.weights_work import hold_turn
from reviews.jobs.weight_files import WeightFile
from reviews.models import TensorReading
from reviews.tasks import read_tensor
from reviews.weights.tensor_numbers import VERSION, TensorNumbers


def tensor_statistics(
    repository: Repository, place: TensorPlace, asked_by: User | None
) -> TensorStatistics | None:
    """What is known of a tensor of a file that the reader may read; with `asked_by`, a worker
    reads what nobody has asked for yet, or what failed.

    Raises: ThrottledError: as many as one person may ask for are unfinished.
    """
    row = _known(place)
    if asked_by is not None and (row is None or row.state == WorkState.FAILED):
        row = _ask(repository, place, asked_by)
    if row is None:
        return None
    told = TensorNumbers.from_dict(row.numbers) if row.numbers else None
    error = ""
    if row.state == WorkState.FAILED:
        about = row.error.get("parameters") or {}
        error = problem_sentence(row.error.get("code", "internal"), place.name, about).text
    return TensorStatistics(row.state, row.is_settled, told, error)


def _known(place: TensorPlace) -> TensorReading | None:
    return TensorReading.objects.filter(
        digest=_digest(place.entry), tensor=place.name, version=VERSION
    ).first()


@transaction.atomic
def _ask(repository: Repository, place: TensorPlace, by: User) -> TensorReading:
    hold_turn(by)
    unfinished = TensorReading.objects.filter(asked_by=by).live().count()
    if unfinished >= settings.TENSOR_READINGS_LIMIT:
        raise ThrottledError(
            f"You have asked for the numbers of {unfinished} tensors that are not read yet, as "
            "many as you may: wait for one."
        )
    entry = place.entry
    sha256 = entry.lfs.sha256 if entry.lfs else ""
    asked = {
        "repository": repository,
        "asked_by": by,
        "file": WeightFile(entry.path, entry.oid, sha256, entry.size).to_json(),
    }
    row, created = TensorReading.objects.get_or_create(
        digest=_digest(entry), tensor=place.name, version=VERSION, defaults=asked
    )
    failed = TensorReading.objects.filter(pk=row.pk, state=WorkState.FAILED)
    if created or failed.ask_again(**asked):
        ring(read_tensor, row.pk)
        row.refresh_from_db()
    return row


def _digest(entry: Entry) -> str:
    """What names the bytes: SHA-256 of a large file, git's oid of one that lies in git."""
    return entry.lfs.sha256 if entry.lfs else f"git:{entry.oid}"
