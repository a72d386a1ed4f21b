"""Asking for the full weights of a revision that holds an adapter or a sparse patch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from hub.actions.derived import NOTED_EVERY, derived, let_go, note_use, require_room
from hub.errors import (
    AlreadyDecidedError,
    ConflictError,
    EntryNotFoundError,
    ForbiddenError,
    ThrottledError,
)
from hub.jobs.doorbell import ring
from hub.models import Access, Kind, Repository, StoredObject
from hub.models.work import WorkState
from hub.policies import Actor, require_files
from reviews.actions.weights import Side, side_at
from reviews.actions.weights_work import hold_turn, require_turn
from reviews.jobs.weight_files import WeightFile
from reviews.models import Discussion, FullWeights, WeightsWriting
from reviews.policies import get_pull_request, may_push, require_commenter
from reviews.tasks import make_full_weights, write_full_weights
from reviews.weights.full import VERSION

# Full weights that nobody has asked for or downloaded for so long make place for others.
IDLE_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """What is known of the full weights of one revision; `row` None: nobody has asked.

    `made` are files by path that differ from those committed; empty until all are there.
    """

    side: Side
    row: FullWeights | None
    made: dict[str, StoredObject]

    @property
    def state(self) -> str:
        """absent, waiting, running, done or failed."""
        if self.row is None or (self.row.state == WorkState.DONE and self.is_gone):
            return "absent"
        return self.row.state

    @property
    def is_gone(self) -> bool:
        """Whether what was made has been let go of since."""
        return self.row is not None and len(self.made) < len(self.row.results)

    @property
    def is_live(self) -> bool:
        return self.state in (WorkState.WAITING, WorkState.RUNNING)

    @property
    def unchanged(self) -> list[WeightFile]:
        """Files of the base that are part of the full weights as they were committed."""
        return [file for file in base_files(self.side) if file.path not in self.made]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in base_files(self.side))

    @property
    def beside_bytes(self) -> int:
        return sum(file.size_bytes for file in self.side.files if file.is_beside_base)

    @property
    def has_patch(self) -> bool:
        return has_patch(self.side)


def has_patch(side: Side) -> bool:
    return any(file.is_patch for file in side.files)


def base_files(side: Side) -> list[WeightFile]:
    """The safetensors files that an adapter or a patch changes, and their index."""
    return [
        file
        for file in side.files
        if (file.path.endswith(".safetensors") and not file.is_beside_base) or file.is_index
    ]


def has_full_weights(side: Side) -> bool:
    """Whether a revision's weights are other than its files hold: base, and what changes it."""
    return (
        side.repository.kind == Kind.MODEL
        and any(file.is_beside_base for file in side.files)
        and bool(base_files(side))
    )


def full_weights_of(side: Side) -> Standing:
    """How the full weights of a revision stand. Raises: EntryNotFoundError: it has no others."""
    _require_any(side)
    row = FullWeights.objects.filter(
        repository=side.repository, digest=side.digest, version=VERSION
    ).first()
    if row is None or row.state != WorkState.DONE:
        return Standing(side, row, {})
    stored = derived(side.repository, (each["sha256"] for each in row.results))
    made = {e["path"]: stored[e["sha256"]] for e in row.results if e["sha256"] in stored}
    return Standing(side, row, made)


def request_full_weights(side: Side, actor: Actor) -> Standing:
    """Have a worker write the full weights of a revision, unless they are there or under way.

    Raises: EntryNotFoundError; StorageFullError; UnauthenticatedError, ForbiddenError;
        ThrottledError: the person has too much under way, or the repository too many.
    """
    user = require_commenter(actor)
    require_files(actor, side.repository)
    _require_any(side)
    require_room(sum(file.size_bytes for file in base_files(side)))
    with transaction.atomic():
        hold_turn(user)
        if full_weights_of(side).state in ("absent", WorkState.FAILED):
            require_turn(user)
            make_place(side)
        row, created = FullWeights.objects.get_or_create(
            repository=side.repository,
            digest=side.digest,
            version=VERSION,
            defaults={
                "files": [file.to_json() for file in side.files],
                "asked_at": timezone.now(),
                "asked_by": user,
            },
        )
        found = full_weights_of(side)
        rows = FullWeights.objects.filter(pk=row.pk)
        again = Q(state=WorkState.FAILED)
        if found.state == "absent":
            again |= Q(state=WorkState.DONE, finished_at=row.finished_at)
        anew = rows.filter(again).ask_again(results=[], asked_by=user)
        rows.update(asked_at=timezone.now())
        note_use(side.repository, (stored.sha256 for stored in found.made.values()))
        if created or anew:
            ring(make_full_weights, row.pk)
    return full_weights_of(side)


def make_place(side: Side) -> None:
    """Let the full weights go that nobody has used for longest, where a repository has as many as
    it may: idle ones, for who may write there any. Its row is locked until the transaction ends.

    Raises: ThrottledError: none may go.
    """
    repository = Repository.objects.locked(side.repository.pk)
    rows = FullWeights.objects.filter(repository=repository).exclude(digest=side.digest)
    done = list(rows.filter(state=WorkState.DONE).order_by("asked_at"))
    kept = derived(repository, (each["sha256"] for row in done for each in row.results)).keys()
    held = [row for row in done if kept & row.sha256s]
    over = rows.live().count() + len(held) + 1 - settings.FULL_WEIGHTS_LIMIT
    if over <= 0:
        return
    idle = [row for row in held if row.asked_at < timezone.now() - IDLE_AFTER]
    going = (held if side.repository.may(Access.WRITE) else idle)[:over]
    if over > len(going):
        raise ThrottledError(
            f"Full weights of at most {settings.FULL_WEIGHTS_LIMIT} revisions are kept here at "
            "once, and those that are here were used lately: try again in a day, or ask somebody "
            "who may write here."
        )
    for row in going:
        held.remove(row)
        row.delete()
    staying = {sha256 for row in held for sha256 in row.sha256s}
    let_go(repository, {sha256 for row in going for sha256 in row.sha256s} - staying)


def full_file(repository: Repository, oid: str, path: str) -> StoredObject:
    """One file of the full weights of a commit, noted as used.

    Raises: EntryNotFoundError: it is not there, or is the file that was committed.
    """
    found = full_weights_of(side_at(repository, oid))
    stored = found.made.get(path)
    if found.row is None or found.state != WorkState.DONE or stored is None:
        raise EntryNotFoundError(
            f"There is no {path[:1024]!r} among the full weights of {oid[:8]}: ask for them, or "
            "download the file that was committed."
        )
    note_use(repository, [stored.sha256])
    now = timezone.now()
    rows = FullWeights.objects.filter(pk=found.row.pk, asked_at__lt=now - NOTED_EVERY)
    rows.update(asked_at=now)
    return stored


def _require_any(side: Side) -> None:
    if not has_full_weights(side):
        raise EntryNotFoundError(
            "This revision has no adapter or patch beside its weights: its files are whole."
        )


def last_writing(repository: Repository, number: int) -> WeightsWriting | None:
    """The last time that full weights were to stand in place of a proposal's patch."""
    rows = WeightsWriting.objects.filter(
        pull_request__repository=repository, pull_request__number=number
    )
    return rows.order_by("-pk").first()


def start_writing(pull_request: Discussion, actor: Actor) -> WeightsWriting:
    """Have a worker commit full weights onto a proposal in place of its sparse patch.

    Raises: AlreadyDecidedError; ConflictError: there is no patch, or it is under way;
        ForbiddenError for whoever may not push to the proposal.
    """
    user = require_commenter(actor)
    repository = pull_request.repository
    require_files(actor, repository)
    if not may_push(repository, pull_request.number, user):
        raise ForbiddenError("Only its author and people with write access may change this.")
    try:
        with transaction.atomic():
            row = get_pull_request(repository, pull_request.number, lock=True)
            if row.is_decided:
                raise AlreadyDecidedError(f"Pull request {row.number} is already {row.status}.")
            side = side_at(repository, row.head_oid)
            if not has_patch(side):
                raise ConflictError("This proposal holds no sparse patch: nothing to write.")
            require_room(sum(file.size_bytes for file in base_files(side)))
            made = WeightsWriting.objects.create(pull_request=row, by=user, head_oid=row.head_oid)
            ring(write_full_weights, made.pk)
            return made
    except IntegrityError:
        raise ConflictError("Full weights are being written already.") from None
