"""People make their own account, where the operator lets them, or get a new password."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode

from hub.actions import people
from hub.errors import ForbiddenError
from hub.jobs.doorbell import ask
from hub.models import PasswordReset, SignUpInvitation, User
from hub.tasks import send_password_resets

RESETS_WAITING = 1000


@transaction.atomic
def sign_up(
    username: str, *, email: str, full_name: str, password: str, invitation: str = ""
) -> User:
    """Make an account for whoever asks, as `SIGN_UP` allows; an invitation works once.

    Raises: ForbiddenError (closed, no invitation), BadInputError, ConflictError (name taken).
    """
    if settings.SIGN_UP == "closed":
        raise ForbiddenError("Accounts are made by the administrator of this server.")
    user = people.create_user(username, email=email, full_name=full_name, password=password)
    if settings.SIGN_UP == "invite":
        taken = SignUpInvitation.open(invitation).update(used_at=timezone.now(), used_by=user)
        if not taken:
            raise ForbiddenError("This invitation was used or has ended: ask for another.")
    return user


def invite_somebody(lifetime: timedelta) -> str:
    """The address where one person may make an account."""
    return f"{settings.PUBLIC_URL}/-/sign-up?invitation={SignUpInvitation.issue(lifetime)}"


def ask_for_password(address: str) -> None:
    """Have a link sent to whoever has this mail address, if anybody has.

    The same work for every address (threat A2): who has it is looked up by a worker.
    """
    if PasswordReset.objects.count() < RESETS_WAITING:
        with transaction.atomic():
            PasswordReset.objects.create(address=address)
            ask(send_password_resets)


def person_of_link(uid: str, token: str) -> User | None:
    """Whose link this is; None when it was used, has ended or was never given."""
    try:
        key = int(urlsafe_base64_decode(uid))
    except ValueError:
        return None
    user = User.objects.filter(pk=key, is_active=True).first() if key < 2**63 else None
    return user if default_token_generator.check_token(user, token) else None


@transaction.atomic
def choose_password(uid: str, token: str, password: str) -> User:
    """Set the password that a link allows; the link works once, also for two at the same moment.

    Raises: ForbiddenError (the link), BadInputError (weak password).
    """
    found = person_of_link(uid, token)
    if found is not None:
        User.objects.select_for_update().get(pk=found.pk)
        found = person_of_link(uid, token)
    if found is None:
        raise ForbiddenError("This link was used or has ended: ask for another.")
    return people.update_user(found, password=password)
