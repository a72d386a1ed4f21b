"""`manage.py collect_garbage`: removes large files that no repository links to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hub.jobs import garbage


class Command(BaseCommand):
    help = (
        "Remove large files whose quarantine is over, and xorbs that no file needs. "
        "The hub does so by itself every six hours."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--xorbs-at-once",
            action="store_true",
            help="do not wait until clients have forgotten the xorbs; gives new epochs",
        )

    def handle(self, *args: Any, xorbs_at_once: bool, **options: Any) -> None:
        done = garbage.collect(xorbs_at_once=xorbs_at_once)
        self.stdout.write(", ".join(f"{count} {name}" for name, count in asdict(done).items()))
