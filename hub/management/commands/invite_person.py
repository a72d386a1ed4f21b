"""`manage.py invite_person`: prints an address where one person may make an account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.actions import joining


class Command(BaseCommand):
    help = "Print an address where one person may make an account, while SIGN_UP is “invite”."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=7, choices=range(1, 91), metavar="1-90")

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        if settings.SIGN_UP != "invite":
            raise CommandError(f"SIGN_UP is “{settings.SIGN_UP}”: set it to “invite” first.")
        self.stdout.write(joining.invite_somebody(timedelta(days=days)))
