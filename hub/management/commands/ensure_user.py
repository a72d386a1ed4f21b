"""`manage.py ensure_user NAME`: creates or updates a person; `--token` prints a new token alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hub.actions import people, tokens
from hub.errors import HubError
from hub.models import TokenScope, User


class Command(BaseCommand):
    help = "Create or update a person. With --token, print a new token and nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--email")
        parser.add_argument("--full-name")
        parser.add_argument("--password")
        parser.add_argument("--admin", action="store_true", help="make them an administrator")
        parser.add_argument("--token", metavar="SCOPE", choices=TokenScope.values)

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            user = self._ensure(name, options)
            if scope := options["token"]:
                label = f"ensure_user {timezone.now():%Y-%m-%d %H:%M:%S}"
                _token, secret = tokens.issue_token(user, name=label, scope=scope)
                self.stdout.write(secret)
        except HubError as error:
            raise CommandError(str(error)) from error

    def _ensure(self, name: str, options: dict[str, Any]) -> User:
        given = {key: options[key] for key in ("email", "full_name", "password")}
        user = User.objects.filter(username__iexact=name).first()
        if user is None:
            values = {key: value for key, value in given.items() if value is not None}
            return people.create_user(name, is_admin=options["admin"], **values)
        return people.update_user(user, is_admin=True if options["admin"] else None, **given)
