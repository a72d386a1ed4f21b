"""Mails with a link to a new password. The row is the job: sent once, or again after a fault."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from hub.models import PasswordReset, User

log = structlog.get_logger(__name__)
LIFETIME = timedelta(hours=1)
PEOPLE_LIMIT = 5  # who may share an address


def reset_link(user: User) -> str:
    """The address where a person chooses a new password: once, within a day."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return f"{settings.PUBLIC_URL}/-/password/{uid}/{default_token_generator.make_token(user)}"


def send_all() -> int:
    """Answer every wish that waits; the number of mails sent. One that fails is tried later."""
    PasswordReset.objects.filter(created_at__lt=timezone.now() - LIFETIME).delete()
    waiting = PasswordReset.objects.order_by("pk").values_list("pk", flat=True)
    return sum(_answer(pk) for pk in list(waiting))


@transaction.atomic
def _answer(pk: int) -> int:
    row = PasswordReset.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if row is None:
        return 0
    people = User.objects.filter(email__iexact=row.address, is_active=True).order_by("pk")
    chosen = list(people[:PEOPLE_LIMIT])
    try:
        for user in chosen:
            _send(user)
    except OSError as error:  # smtplib's errors among them
        log.warning("password_reset.unsent", error=str(error)[:200])
        return 0
    row.delete()
    return len(chosen)


def _send(user: User) -> None:
    with translation.override(user.language or settings.LANGUAGE_CODE):
        subject = _("A new password for %(name)s") % {"name": user.username}
        said = _(
            "Somebody asked for a new password for %(name)s on this Weighbridge server. "
            "Choose it here, once, within a day:"
        )
        words = said % {"name": user.username}
        ending = _("If it was not you, do nothing: the old password stays.")
    text = f"{words}\n\n{reset_link(user)}\n\n{ending}\n"
    EmailMessage(subject, text, to=[user.email]).send()
