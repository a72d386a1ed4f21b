"""Making a run of resolved inputs: its number, its frozen spec, its doorbell."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from hub.errors import ThrottledError
from hub.jobs.doorbell import ring
from hub.models import Event, Repository, User
from training.jobs.inputs import PinnedFile
from training.models import Run, RunKind, RunStatus
from training.specs.schema import digest_of
from training.tasks import execute_run

log = structlog.get_logger(__name__)


def given(
    role: str, repository: Repository, commit: str, files: list[PinnedFile], **more: Any
) -> dict[str, Any]:
    """One input of a spec: files of a repository at a commit."""
    return {
        "role": role,
        "repository_id": repository.pk,
        "source": repository.repo_id,
        "commit": commit,
        "files": [file.to_json() for file in files],
        **more,
    }


def require_room(user: User) -> None:
    """Raise ThrottledError when the person has as many runs waiting as they may have."""
    waiting = Run.objects.filter(created_by=user, status=RunStatus.QUEUED).count()
    if waiting >= settings.RUN_QUEUED_LIMIT_PER_USER:
        raise ThrottledError(
            f"You have {waiting} runs waiting, as many as you may: cancel one, or wait for one."
        )


@transaction.atomic
def submit(
    repository: Repository,
    *,
    kind: RunKind,
    by: User,
    title: str,
    spec: dict[str, Any],
    pull_request_number: int | None = None,
) -> Run:
    """Queue a run and ring for a worker once it is committed.

    Raises: ThrottledError.
    """
    User.objects.select_for_update().only("pk").get(pk=by.pk)  # one count at a time
    require_room(by)
    run = Run.objects.create(
        repository=repository,
        number=Repository.objects.next_number(repository.pk, "last_run_number"),
        kind=kind,
        status=RunStatus.QUEUED,
        title=title[:256],
        spec=spec,
        spec_digest=digest_of(spec),
        pull_request_number=pull_request_number,
        created_by=by,
    )
    Event.objects.create(
        repository=repository,
        actor=by,
        kind="run.queued",
        path=run.get_absolute_url(),
        data={"number": run.number, "kind": str(kind), "title": run.title},
    )
    ring(execute_run, run.pk)
    log.info("run.queued", run_id=run.pk, number=run.number, kind=str(kind))
    return run
