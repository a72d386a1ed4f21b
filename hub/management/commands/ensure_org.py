"""`manage.py ensure_org NAME`: creates or updates an organisation and its members."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.actions import organizations
from hub.errors import HubError
from hub.models import Namespace, NamespaceKind, User


class Command(BaseCommand):
    help = "Create or update an organisation. Roles: read, contribute, write, admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--full-name")
        parser.add_argument("--member", metavar="USER:ROLE", action="append", default=[])
        parser.add_argument("--private-by-default", action="store_true")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            namespace = self._ensure(name, options)
            for member in options["member"]:
                username, _, role = member.partition(":")
                user = User.objects.filter(username__iexact=username).first()
                if user is None:
                    raise CommandError(f"There is no person “{username}”: create them first.")
                access = organizations.role(role or "write")
                organizations.set_member(namespace, user, access)
        except HubError as error:
            raise CommandError(str(error)) from error

    def _ensure(self, name: str, options: dict[str, Any]) -> Namespace:
        found = Namespace.objects.filter(slug__iexact=name).first()
        if found is None:
            return organizations.create_organization(
                name,
                full_name=options["full_name"] or "",
                private_by_default=options["private_by_default"],
            )
        if found.kind != NamespaceKind.ORGANIZATION:
            raise CommandError(f"“{name}” is a person, not an organisation: choose another name.")
        private = True if options["private_by_default"] else None
        return organizations.update_organization(
            found, full_name=options["full_name"], private_by_default=private
        )
