"""`manage.py check_integrity`: compares database, git and objects; exit 1 if anything differs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hub.jobs import integrity


class Command(BaseCommand):
    help = "Compare database, git and object store. Exit status 1 if anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deep", action="store_true", help="read and hash every large file")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, deep: bool, **options: Any) -> None:
        findings = list(integrity.check(deep=deep))
        if options["json"]:
            rows = [asdict(finding) for finding in findings]
            self.stdout.write(json.dumps({"ok": not rows, "findings": rows}, indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.check}: {finding.subject}: {finding.problem}")
            self.stdout.write(f"{len(findings)} differences." if findings else "All agrees.")
        if findings:
            sys.exit(1)
