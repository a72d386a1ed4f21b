"""python manage.py check_translations [--update] [--compile]"""

from __future__ import annotations

from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub.management.catalogues import (
    faults,
    mo_bytes,
    po_bytes,
    read_catalogue,
    updated,
    used_messages,
)

LOCALES = ("zh_Hans",)


class Command(BaseCommand):
    help = "Fails when a word of a page is not translated, or a translation is no longer used."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--update", action="store_true", help="add new messages, empty, and drop unused ones"
        )
        parser.add_argument("--compile", action="store_true", help="write the .mo files")

    def handle(self, *args: Any, update: bool, compile: bool, **options: Any) -> None:
        if find_spec("babel") is None:
            raise CommandError("Babel is missing: pip install -r requirements-dev.txt")
        used = used_messages(Path(settings.BASE_DIR))
        for locale in LOCALES:
            found = self._check(locale, used, update=update, compile=compile)
            if found:
                raise CommandError("\n".join([*found, f"{locale}: {len(found)} faults."]))
            self.stdout.write(f"{locale}: {len(used)} messages, all translated.")

    def _check(self, locale: str, used: Any, *, update: bool, compile: bool) -> list[str]:
        po = Path(settings.LOCALE_PATHS[0]) / locale / "LC_MESSAGES" / "django.po"
        catalogue = read_catalogue(po, locale)
        if update:
            catalogue = updated(catalogue, used, locale)
            po.parent.mkdir(parents=True, exist_ok=True)
            po.write_bytes(po_bytes(catalogue))
        found = faults(catalogue, used)
        mo, compiled = po.with_suffix(".mo"), mo_bytes(read_catalogue(po, locale))
        if compile:
            mo.write_bytes(compiled)
        elif not found and (not mo.exists() or mo.read_bytes() != compiled):
            found.append("django.mo is older than django.po: run check_translations --compile")
        return found
