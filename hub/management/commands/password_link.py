"""`manage.py password_link NAME`: prints an address where that person chooses a new password."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.jobs.passwords import reset_link
from hub.models import User


class Command(BaseCommand):
    help = "Print an address where a person chooses a new password, once, within a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = User.objects.filter(username__iexact=name, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no person “{name}”.")
        self.stdout.write(reset_link(user))
