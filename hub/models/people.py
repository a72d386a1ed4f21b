"""People who sign in."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac


class User(AbstractUser):
    """A person. `username` is also the slug of the namespace that is theirs."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    full_name = models.CharField(max_length=150, blank=True)
    language = models.CharField(
        max_length=10, blank=True, help_text="Of pages and mails; empty: the browser's."
    )
    picture = models.ForeignKey(
        "hub.Picture",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="people",
        help_text="As in their namespace.",
    )
    session_epoch = models.PositiveIntegerField(
        default=0, help_text="One more ends every session of this person."
    )

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="user_name_unique")]

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.username

    def get_absolute_url(self) -> str:
        return f"/{self.username}"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """As Django's, but it changes with `session_epoch` too."""
        value = f"{self.password}:{self.session_epoch}" if self.session_epoch else self.password
        salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()
