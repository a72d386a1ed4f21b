"""What the operator does to accounts: each act is one line of the audit trail."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from hub.actions import audit, sessions
from hub.errors import ConflictError, ForbiddenError
from hub.jobs.passwords import reset_link
from hub.models import Namespace, User
from hub.policies import Actor, require_operator


@transaction.atomic
def switch_account(user: User, *, to_active: bool, by: Actor) -> None:
    """Keep a person out, or let them in again. Their data stays; done twice, it does nothing.

    Raises: ConflictError (oneself, a closed account), ForbiddenError, what `require_operator` does.
    """
    row = _locked(user, by)
    if row.pk == by.user.pk:
        raise ConflictError(_("Another operator has to do this to your own account."))
    if row.is_active == to_active:
        return
    if not Namespace.objects.filter(owner=row).exists():
        raise ConflictError(_("This account was deleted by its person: it cannot come back."))
    row.is_active = to_active
    row.save(update_fields=["is_active"])
    audit.record(by, "person.reactivate" if to_active else "person.deactivate", row.username)
    if not to_active:
        sessions.end_all_sessions(row, by=by)


@transaction.atomic
def password_link(user: User, *, by: Actor) -> str:
    """The address where a person chooses a new password: once, within a day.

    Raises: ConflictError (a deactivated account), ForbiddenError, what `require_operator` does.
    """
    row = _locked(user, by)
    if not row.is_active:
        raise ConflictError(_("This account is deactivated: reactivate it first."))
    audit.record(by, "person.password_link", row.username)
    return reset_link(row)


def _locked(user: User, by: Actor) -> User:
    """The person's row. Of two operators who act on each other, the first one is right."""
    operator = require_operator(by)
    keys = {user.pk, operator.pk}
    rows = {
        one.pk: one for one in User.objects.filter(pk__in=keys).order_by("pk").select_for_update()
    }
    if not (rows[operator.pk].is_active and rows[operator.pk].is_staff):
        raise ForbiddenError(_("You are no operator any more."))
    return rows[user.pk]
