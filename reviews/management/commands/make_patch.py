"""`manage.py make_patch BASE CANDIDATE OUT`: the sparse patch that makes one of the other."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hub.templatetags.hub_format import bytes_short
from reviews.jobs.comparing import open_effective
from reviews.management.commands.diff_weights import placed
from reviews.management.faults import in_words
from reviews.weights.patch_writing import make_patch


class Command(BaseCommand):
    help = (
        "Write the elements in which CANDIDATE differs from BASE as a sparse patch. Both are "
        "folders, files, or models here as NAMESPACE/NAME[@REVISION]."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("base")
        parser.add_argument("candidate")
        parser.add_argument("out", type=Path, help="weights_patch.safetensors, to be uploaded")

    def handle(self, *args: Any, base: str, candidate: str, out: Path, **options: Any) -> None:
        with in_words(), tempfile.TemporaryDirectory() as scratch, ExitStack() as kept:
            before, after = (
                open_effective(placed(name, Path(scratch) / str(number)), kept)
                for number, name in enumerate((base, candidate))
            )
            made = make_patch(before, after, out)
        self.stdout.write(
            f"{made.elements} elements in {made.tensors} tensors: {bytes_short(made.size_bytes)} "
            f"in place of {bytes_short(made.full_bytes)}."
        )
