"""Sign-in from devices: a program asks, a person approves in the browser (RFC 8628)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.tokens import TokenScope, digest_of

if TYPE_CHECKING:
    from hub.models.people import User

# Letters that are hard to misread or to spell a word with: 20^8 codes of 34 bits.
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
REFRESH_PREFIX = "wbr_"


class DeviceLoginState(models.TextChoices):
    PENDING = "pending", _("waiting")
    APPROVED = "approved", _("approved")
    DENIED = "denied", _("denied")
    USED = "used", _("used")


def new_user_code() -> str:
    """`BCDF-GHJK`: what a person compares or types."""
    code = "".join(secrets.choice(ALPHABET) for _each in range(CODE_LENGTH))
    return f"{code[:4]}-{code[4:]}"


def plain_code(text: str) -> str:
    """A typed code without dash, space and case."""
    return "".join(letter for letter in text.upper() if letter.isalnum())


def digest_of_code(text: str) -> bytes:
    """A keyed digest: 34 bits are too few for a plain one."""
    key = settings.SECRET_KEY.encode()
    return hmac.digest(key, f"device-code:{plain_code(text)}".encode(), hashlib.sha256)


class DeviceLoginQuerySet(models.QuerySet["DeviceLogin"]):
    def waiting(self) -> DeviceLoginQuerySet:
        return self.filter(state=DeviceLoginState.PENDING, expires_at__gt=timezone.now())

    def with_code(self, text: str) -> DeviceLoginQuerySet:
        return self.filter(user_code_digest=digest_of_code(text[:64]))

    def decide(
        self, pk: int, state: DeviceLoginState, user: User, *, name: str, scope: str
    ) -> bool:
        """Settle a request that waits. False when it no longer does."""
        held = {"state": state, "user": user, "name": name, "scope": scope}
        return self.waiting().filter(pk=pk).update(**held) == 1

    def slow_down(self, pk: int) -> None:
        """The program asks too often: it must wait five seconds longer, up to a minute."""
        self.filter(pk=pk).update(interval_seconds=Least(F("interval_seconds") + 5, 60))


class DeviceLogin(models.Model):
    """One program's wish to act for somebody; both its codes are kept as digests only."""

    device_digest = models.BinaryField(max_length=32, unique=True)
    user_code_digest = models.BinaryField(max_length=32, unique=True)
    state = models.CharField(
        max_length=8, choices=DeviceLoginState, default=DeviceLoginState.PENDING
    )
    client_name = models.CharField(max_length=64)
    address = models.CharField(max_length=64, blank=True)
    # What was asked for, until somebody decides; then what they allow.
    scope = models.CharField(max_length=8, choices=TokenScope)
    name = models.CharField(max_length=96, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    interval_seconds = models.PositiveSmallIntegerField(default=5)
    last_polled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    objects = DeviceLoginQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=DeviceLoginState.values), name="device_login_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="pending", user__isnull=True)
                | ~Q(state="pending") & Q(user__isnull=False),
                name="device_login_decided_by_someone",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="device_login_expiry")]

    def asks_too_often(self, now: datetime) -> bool:
        """Whether less than its interval, with a second's grace, has passed since it last asked."""
        if self.last_polled_at is None:
            return False
        return now - self.last_polled_at < timedelta(seconds=self.interval_seconds - 1)


class DeviceSession(models.Model):
    """What an approved program holds: a line of tokens, each renewed by the one before."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="device_sessions"
    )
    name = models.CharField(max_length=96)
    scope = models.CharField(max_length=8, choices=TokenScope)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=TokenScope.values), name="device_session_scope_known"
            )
        ]


class RefreshTokenManager(models.Manager["RefreshToken"]):
    def issue(self, session: DeviceSession, *, expires_at: datetime) -> str:
        """The secret of the session's next refresh token, shown this once only."""
        secret = f"{REFRESH_PREFIX}{secrets.token_urlsafe(32)}"
        self.create(session=session, digest=digest_of(secret), expires_at=expires_at)
        return secret


class RefreshToken(models.Model):
    """Renews a session once. Used ones are kept: seeing one again means that it was stolen."""

    session = models.ForeignKey(
        DeviceSession, on_delete=models.CASCADE, related_name="refresh_tokens"
    )
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects: RefreshTokenManager = RefreshTokenManager()
