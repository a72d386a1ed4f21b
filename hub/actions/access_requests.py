"""Asking for the files of a gated repository, and answering those who ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.actions import audit
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    ForbiddenError,
    NotFoundError,
    RevisionNotFoundError,
    TooLargeError,
)
from hub.formats.access_form import AccessForm, access_form
from hub.formats.card import parse_card
from hub.jobs import inbox
from hub.models import Access, AccessRequest, Reason, Repository, RequestStatus, TokenScope, User
from hub.policies import holders, is_member, require_person

if TYPE_CHECKING:
    from hub.policies import Actor

CARD, REASON_LIMIT = "README.md", 200


def form_of(repository: Repository) -> AccessForm:
    """What the card on the default branch asks, in its order, which the database does not keep."""
    store = repository.store()
    try:
        oid = store.resolve(repository.default_branch)
        content = store.read(oid, CARD, limit_bytes=settings.CARD_LIMIT_BYTES)
    except (RevisionNotFoundError, EntryNotFoundError, TooLargeError):
        return access_form(None)  # no card that can be read: nothing is asked
    return access_form(parse_card(content, repository.kind).data)


def ask(
    repository: Repository, actor: Actor, given: Mapping[str, Any], *, by_key: bool = False
) -> AccessRequest:
    """Ask for the files; asking again changes nothing, unless the gate has become automatic.

    `given`: answers to `form_of(repository)` by label, or by the fields' keys.
    Raises: BadInputError (not gated, a member already, an answer missing), ForbiddenError
    (rejected before).
    """
    user: User = require_person(actor, scope=TokenScope.WRITE)
    _require_gated(repository)
    if is_member(user, repository):
        raise BadInputError(f"You already have access to {repository.repo_id} as a member.")
    answers = form_of(repository).read(given, by_key=by_key)
    is_open = repository.gated == "auto"
    status = RequestStatus.ACCEPTED if is_open else RequestStatus.PENDING
    with transaction.atomic():
        Repository.objects.only("pk").locked(repository.pk)
        row, is_new = AccessRequest.objects.get_or_create(
            repository=repository,
            user=user,
            defaults={"status": status, "fields": answers, "asked_at": timezone.now()},
        )
        if not is_new and is_open:
            waiting = AccessRequest.objects.filter(pk=row.pk, status=RequestStatus.PENDING)
            waiting.update(status=RequestStatus.ACCEPTED, decided_at=timezone.now())
            row.refresh_from_db()
        if is_new:
            _record(actor, "access.ask", repository, user, new=row.status)
            if row.status == RequestStatus.PENDING:
                _tell(repository, holders(repository, Access.WRITE), "settings/access", "ask", user)
    if row.status == RequestStatus.REJECTED:
        raise ForbiddenError(f"Your request to access {repository.repo_id} has been rejected.")
    return row


def decide(
    repository: Repository,
    actor: Actor,
    *,
    status: str,
    user: str | None = None,
    request_id: str | None = None,
    reason: str = "",
) -> None:
    """Move a request to the list `status`, at once for every address that was given out.

    Raises: BadInputError (not gated, unknown status, a reason that is too long or out of place),
    NotFoundError (no such person or request, or it is in that list already).
    """
    _require_gated(repository)
    if status not in RequestStatus.values:
        raise BadInputError(f"“status” is one of {', '.join(RequestStatus.values)}.")
    reason = _clean_reason(reason, status)
    rows = AccessRequest.objects.filter(repository=repository)
    rows = rows.filter(**_who(user, request_id))
    found = rows.select_related("user").first()
    if found is None:
        raise NotFoundError(f"There is no such access request to {repository.repo_id}.")
    with transaction.atomic():
        moved = rows.filter(pk=found.pk).exclude(status=status)
        is_open = status == RequestStatus.PENDING
        changed = moved.update(
            status=status,
            rejection_reason=reason,
            decided_by=None if is_open else actor.person,
            decided_at=None if is_open else timezone.now(),
        )
        if not changed:
            raise NotFoundError(f"The request of {found.user.username} is already {status}.")
        _record(actor, "access.decide", repository, found.user, old=found.status, new=status)
        if not is_open:
            _tell(repository, {found.user_id}, "", str(status), actor.person)


def grant(repository: Repository, actor: Actor, username: str) -> AccessRequest:
    """Let a person in, whether they asked or not.

    Raises: BadInputError (not gated, they have access already), NotFoundError (no such person).
    """
    _require_gated(repository)
    user = _person(username)
    if is_member(user, repository):
        raise BadInputError(f"{user.username} already has access as a member of the namespace.")
    decision = {
        "status": RequestStatus.ACCEPTED,
        "rejection_reason": "",
        "decided_by": actor.person,
        "decided_at": timezone.now(),
    }
    with transaction.atomic():
        Repository.objects.only("pk").locked(repository.pk)
        row, is_new = AccessRequest.objects.get_or_create(
            repository=repository, user=user, defaults=decision
        )
        others = AccessRequest.objects.filter(pk=row.pk).exclude(status=RequestStatus.ACCEPTED)
        if not is_new and not others.update(**decision):
            raise BadInputError(f"{user.username} already has access to {repository.repo_id}.")
        _record(actor, "access.grant", repository, user, new=RequestStatus.ACCEPTED)
        _tell(repository, {user.pk}, "", str(RequestStatus.ACCEPTED), actor.person)
    return row


def _require_gated(repository: Repository) -> None:
    if not repository.gated:
        raise BadInputError(f"{repository.repo_id} is not gated: its files need no request.")


def _clean_reason(reason: str, status: str) -> str:
    if reason and status != RequestStatus.REJECTED:
        raise BadInputError("A reason is given with a rejection only.")
    if len(reason) > REASON_LIMIT:
        raise BadInputError(f"A reason has at most {REASON_LIMIT} characters.")
    return "".join(c if c.isprintable() else " " for c in reason).strip()


def _who(user: str | None, request_id: str | None) -> dict[str, Any]:
    if (user is None) == (request_id is None):
        raise BadInputError("Name the person (“user”) or the request (“requestId”), not both.")
    if user is not None:
        return {"user": _person(user)}
    if not request_id or not request_id.isdecimal() or len(request_id) > 18:
        raise NotFoundError("There is no such access request.")
    return {"pk": int(request_id)}


def _person(username: str) -> User:
    found = User.objects.filter(username__iexact=username[:150], is_active=True).first()
    if found is None:
        raise NotFoundError(f"There is no person “{username[:100]}”.")
    return found


def _record(actor: Actor, act: str, repository: Repository, user: User, **change: str) -> None:
    subject = f"{repository.kind} {repository.repo_id}: {user.username}"
    audit.record(actor, act, subject, **change, about=repository)


def _tell(
    repository: Repository, people: set[int], thread: str, what: str, by: User | None
) -> None:
    """Those who decide hear of a request, and who asked hears of the decision."""
    reasons = dict.fromkeys(people, str(Reason.ACCESS))
    inbox.tell_about(
        repository, thread, reasons, kind=f"access.{what}", actor=by, title=repository.repo_id
    )
