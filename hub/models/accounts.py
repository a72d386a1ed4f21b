"""Accounts: signed-in browsers, links that let somebody in, wishes for a new password."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone


class BrowserSessionQuerySet(models.QuerySet["BrowserSession"]):
    def live(self) -> Self:
        """Those whose cookie is not too old to be believed."""
        age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        return self.filter(last_seen_at__gt=timezone.now() - age)


class BrowserSession(models.Model):
    """What a person is told about one of their signed-in browsers."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="browser_sessions"
    )
    session_key = models.CharField(max_length=40, unique=True)
    agent = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(default=timezone.now)

    objects = BrowserSessionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["last_seen_at"], name="browser_session_seen")]


class SignUpInvitation(models.Model):
    """A link that lets one person make an account."""

    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    @classmethod
    def issue(cls, lifetime: timedelta) -> str:
        """The secret of a new one, which nobody can read again."""
        secret = secrets.token_urlsafe(32)
        cls.objects.create(digest=cls.digest_of(secret), expires_at=timezone.now() + lifetime)
        return secret

    @staticmethod
    def digest_of(secret: str) -> bytes:
        """256 random bits need no slow hash."""
        return hashlib.sha256(secret.encode()).digest()

    @classmethod
    def open(cls, secret: str) -> models.QuerySet[SignUpInvitation]:
        """The one with this secret, unless it was used or has ended."""
        return cls.objects.filter(
            digest=cls.digest_of(secret), used_at__isnull=True, expires_at__gt=timezone.now()
        )


class PasswordReset(models.Model):
    """Somebody asked for a new password. The row is made whether the address is known or not."""

    address = models.EmailField()
    created_at = models.DateTimeField(auto_now_add=True)
