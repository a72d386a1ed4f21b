"""`manage.py seed_large --repositories N`: rows of a large hub, to measure pages on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.models import User
from reviews.management.seeding import seed


class Command(BaseCommand):
    help = "Fill an empty hub with repositories that have rows and no files; for measuring only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repositories", type=int, default=100_000)
        parser.add_argument("--seed", type=int, default=7)

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(username="seed-0000").exists():
            raise CommandError("This hub was seeded before: take a fresh data folder.")
        if options["repositories"] < 1:
            raise CommandError("Seed at least one repository.")
        self.stdout.write(str(seed(options["repositories"], seed=options["seed"])))
