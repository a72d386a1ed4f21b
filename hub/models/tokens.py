"""Access tokens: what a client sends in place of a password."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.namespaces import Access

if TYPE_CHECKING:
    from hub.models.devices import DeviceSession
    from hub.models.people import User

PREFIX = "wb_"


class TokenScope(models.TextChoices):
    READ = "read", _("read")
    WRITE = "write", _("write")
    ADMIN = "admin", _("admin")

    @property
    def ceiling(self) -> Access:
        """The most access to repositories that it gives, whatever its person holds."""
        return Access.READ if self is TokenScope.READ else Access.ADMIN

    def includes(self, other: TokenScope) -> bool:
        """Whether a token of this scope may do all that one of `other` may."""
        order = list(TokenScope)
        return order.index(self) >= order.index(other)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


class AccessTokenManager(models.Manager["AccessToken"]):
    def issue(
        self,
        user: User,
        *,
        name: str,
        scope: str,
        expires_at: datetime | None = None,
        session: DeviceSession | None = None,
    ) -> tuple[AccessToken, str]:
        """Create a token and return it with its secret, which is shown this once only.

        The secret holds 256 random bits, a prefix for secret scanners and a checksum.
        """
        body = secrets.token_urlsafe(32).replace("-", "A").replace("_", "B")
        secret = f"{PREFIX}{body}{_checksum(body)}"
        token = self.create(
            user=user,
            name=name,
            scope=scope,
            digest=digest_of(secret),
            hint=secret[-4:],
            session=session,
            expires_at=expires_at or timezone.now() + settings.TOKEN_LIFETIME,
        )
        return token, secret

    def for_secret(self, secret: str) -> AccessToken | None:
        """The live token whose secret this is; None when unknown, expired or revoked."""
        body = secret.removeprefix(PREFIX)
        if not secret.startswith(PREFIX) or _checksum(body[:-8]) != body[-8:]:
            return None
        return next(iter(self.live().filter(digest=digest_of(secret))), None)

    def live(self) -> models.QuerySet[AccessToken]:
        """Tokens of active people that are neither expired nor revoked.

        Each comes with its person, and knows whether it is for some repositories only.
        """
        listed = AccessToken.repositories.through.objects.filter(accesstoken=OuterRef("pk"))
        return (
            self.select_related("user")
            .annotate(has_list=Exists(listed))
            .filter(expires_at__gt=timezone.now(), revoked_at__isnull=True, user__is_active=True)
        )


def digest_of(secret: str) -> bytes:
    """SHA-256 of a token's secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


class AccessToken(models.Model):
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens"
    )
    name = models.CharField(max_length=96)
    scope = models.CharField(max_length=8, choices=TokenScope)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=4, help_text="The last characters, to tell tokens apart.")
    repositories = models.ManyToManyField(
        "hub.Repository", blank=True, help_text="Only these repositories; empty means all."
    )
    session = models.ForeignKey(
        "hub.DeviceSession",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="access_tokens",
        help_text="The sign-in from a device that renews it; empty for one made by hand.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_address = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: AccessTokenManager = AccessTokenManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=TokenScope.values), name="token_scope_known"
            )
        ]

    @property
    def is_for_some_only(self) -> bool:
        """Whether only the repositories on its list can be reached with it."""
        known: bool | None = self.__dict__.get("has_list")
        return self.repositories.exists() if known is None else known

    @property
    def ceiling(self) -> Access:
        return TokenScope(self.scope).ceiling
