"""What a password must not be, beside Django's rules."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from hub.models import User

NAME_LENGTH = 3
OWN_LENGTH = 9


class NamesAsideValidator:
    """Refuses a password that is little more than the names of its person.

    Django compares the whole password with the whole name: `wren12345678` and `wren` are unlike.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Raises: ValidationError."""
        if user is None:
            return
        names = {user.username, user.full_name, user.email.partition("@")[0]}
        parts = {part for name in names for part in [name, *re.split(r"[\W_]+", name)]}
        rest = password.lower()
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= NAME_LENGTH:
                rest = rest.replace(part.lower(), "")
        if rest != password.lower() and len(re.findall(r"[^\W_]", rest)) < OWN_LENGTH:
            raise ValidationError(
                _("The password is little more than your name: add words of another kind."),
                code="password_is_name",
            )

    def get_help_text(self) -> str:
        return _("Not your name with a few signs added.")
