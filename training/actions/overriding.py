"""Letting a change through that the gate could not decide: by an administrator, with a reason.

Only `blocked`, which is no verdict, can be overridden; pass, fail and error stand. It counts for
exactly this head on this base, like the record that it is written into (gate-methods, section 1).
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import override

from hub.actions import audit
from hub.errors import AlreadyDecidedError, BadInputError, ConflictError, NotFoundError
from hub.extensions import registries
from hub.models import Repository, StatusState
from hub.policies import Actor
from training.actions.standing import override_of, standing_of
from training.jobs.gate import set_status
from training.models import GateRecord, GateVerdict
from training.policies import require_override

REASON_LIMIT = 2_000
_STANDS = {
    GateVerdict.PASS: "The gate has let this change pass: nothing stands in its way.",
    GateVerdict.FAIL: "The gate has shown this change to be worse than allowed: nobody may let it "
    "through. Mend it and propose again.",
    GateVerdict.ERROR: "The gate has no verdict on this change because something broke: run it "
    "again.",
}


@transaction.atomic
def override_gate(
    repository: Repository,
    number: int,
    actor: Actor,
    *,
    reason: str,
    expected_head: str = "",
    expected_base: str = "",
) -> GateRecord:
    """Let the inconclusive pull request `number` merge as it is now, and say why.

    Raises:
        UnauthenticatedError, ForbiddenError: not an administrator, or the author.
        NotFoundError: there is no such open pull request.
        BadInputError: no reason, or one that is too long.
        ConflictError: head or base are not those expected, or the gate has not left it undecided.
        AlreadyDecidedError: somebody has let it through already.
    """
    change = registries.find_change(repository, number)
    user = require_override(actor, repository, change.author_id if change else 0)
    if change is None:
        raise NotFoundError(f"There is no open pull request {number} in {repository.repo_id}.")
    text = _reason(reason)
    seen_head, seen_base = expected_head or change.head_oid, expected_base or change.base_oid
    if (seen_head, seen_base) != (change.head_oid, change.base_oid):
        raise ConflictError("The pull request has changed since you looked: look at it again.")
    standing = standing_of(repository, change)
    record = standing.record if standing else None
    if standing is None or record is None:
        raise ConflictError("The gate has not weighed exactly this version: run it first.")
    if standing.is_live:
        raise ConflictError("The gate is weighing this change: wait for what it says.")
    if record.verdict != GateVerdict.BLOCKED:
        raise ConflictError(_STANDS[GateVerdict(record.verdict)])
    now = timezone.now()
    said = {"overridden_by": user, "override_reason": text, "overridden_at": now}
    # One update decides who was first, and that no later weighing of it has been recorded.
    later = GateRecord.objects.filter(
        repository=OuterRef("repository"),
        pull_request_number=OuterRef("pull_request_number"),
        attempt__gt=OuterRef("attempt"),
    )
    open_one = GateRecord.objects.filter(
        ~Exists(later), pk=record.pk, verdict=GateVerdict.BLOCKED, overridden_at=None
    )
    if open_one.update(**said) != 1:
        raise AlreadyDecidedError("It was let through, or weighed again, in the meantime.")
    for name, value in said.items():
        setattr(record, name, value)
    audit.record(
        actor,
        "gate.override",
        f"{repository.path}#{number}, attempt {record.attempt}: {text}",
        old=record.head_oid,
        new=record.base_oid,
    )
    audit.announce(
        repository,
        actor,
        "gate.overridden",
        path=change.path,
        number=number,
        reason=text,
        attempt=record.attempt,
    )
    with override("en"):  # a status is read by everybody
        set_status(record.run, StatusState.SUCCESS, override_of(record))
    return record


def _reason(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise BadInputError("Write why it may be let through: the reason stays in the record.")
    if len(text) > REASON_LIMIT:
        raise BadInputError(f"The reason is longer than {REASON_LIMIT} characters: shorten it.")
    return text
