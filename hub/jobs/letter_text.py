"""What a letter says, in its reader's language: plain text, and the same as simple HTML."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formataddr

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import ngettext, override

from hub.models import Letter, Notification

SALT = "hub.letters.unsubscribe"
KINDS = ("urgent", "digest")


def unsubscribe_token(user_pk: int, kind: str) -> str:
    """What lets a letter's reader end letters of its kind without signing in, and nothing else."""
    return signing.dumps([user_pk, kind], salt=SALT)


def read_token(token: str) -> tuple[int, str] | None:
    """Whose letters of which kind a link ends; None when the hub did not sign it."""
    try:
        user_pk, kind = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return (user_pk, kind) if isinstance(user_pk, int) and kind in KINDS else None


def compose(letter: Letter, rows: Sequence[Notification]) -> EmailMultiAlternatives:
    """The message, complete with the headers that mail programs use."""
    user, kind = letter.user, "digest" if letter.is_digest else "urgent"
    choice = getattr(user, "mail_choice", None)
    token = unsubscribe_token(user.pk, kind)
    leave = f"{settings.PUBLIC_URL}/-/unsubscribe/{token}"
    with override(choice.language if choice else settings.LANGUAGE_CODE):
        context = {
            "letter": letter,
            "rows": [(row, f"{settings.PUBLIC_URL}{row.get_absolute_url()}") for row in rows],
            "inbox": f"{settings.PUBLIC_URL}/-/inbox",
            "choices": f"{settings.PUBLIC_URL}/-/settings/notifications",
            "leave": leave,
            "name": user.get_full_name(),
        }
        message = EmailMultiAlternatives(
            subject=_subject(letter, rows),
            body=render_to_string("hub/mail/letter.txt", context),
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[formataddr((_plain(user.get_full_name()), user.email))],
            headers=_headers(letter, rows, leave),
        )
        message.attach_alternative(render_to_string("hub/mail/letter.html", context), "text/html")
    return message


def _plain(text: str) -> str:
    """One line of printable characters, as headers need."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _subject(letter: Letter, rows: Sequence[Notification]) -> str:
    first = rows[0]
    if letter.is_digest or len(rows) > 1:
        words = ngettext("%(count)d thing for you", "%(count)d things for you", len(rows))
        return f"[Weighbridge] {words % {'count': len(rows)}}"
    number = f" #{first.number}" if first.number else ""
    return _plain(f"[{first.place}] {first.title}{number}")


def _headers(letter: Letter, rows: Sequence[Notification], leave: str) -> dict[str, str]:
    """A Message-ID of the letter; letters about one thread alone belong together."""
    headers = {
        "Message-ID": f"<letter-{letter.uid.hex}@{settings.PUBLIC_HOST}>",
        "List-Unsubscribe": f"<{leave}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
    }
    if not letter.is_digest and len(rows) == 1:
        row = rows[0]
        thread = f"<thread-{row.repository_id or 0}-{row.thread.replace('/', '-')}"
        headers["References"] = headers["In-Reply-To"] = f"{thread}@{settings.PUBLIC_HOST}>"
    return headers
