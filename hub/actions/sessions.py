"""Signed-in browsers: ended one at a time or all at once."""

from __future__ import annotations

from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import transaction
from django.db.models import F

from hub.actions import audit
from hub.errors import NotFoundError
from hub.models import BrowserSession, User
from hub.policies import Actor


def end_session(user: User, pk: int) -> None:
    """Sign one of a person's browsers out. Raises: NotFoundError for nobody's or another's."""
    row = BrowserSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        raise NotFoundError("There is no such session among yours: it may have just ended.")
    SessionStore(row.session_key).delete()  # first: a row without a session is only tidied away
    row.delete()


@transaction.atomic
def end_all_sessions(user: User, *, by: Actor | None = None) -> None:
    """End every session of a person, those without a row too; `user` knows the new epoch."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    BrowserSession.objects.filter(user=user).delete()
    audit.record(by, "person.sign_out", user.username)
