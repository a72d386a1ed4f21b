"""`manage.py diff_weights BASE CANDIDATE`: what lies between two checkpoints, in words."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.models import Kind, Repository
from reviews.actions.weights_said import fact_sentence, problem_sentence
from reviews.jobs.comparing import open_effective
from reviews.jobs.weight_files import lay_out, weight_files
from reviews.management.faults import in_words
from reviews.weights.checkpoint import Checkpoint
from reviews.weights.checks import blocks, check_checkpoint, check_ties
from reviews.weights.diff import TensorChange, diff, with_spectrum
from reviews.weights.digests import tensor_digest
from reviews.weights.pairing import pair_tensors
from reviews.weights.summary import summarise
from reviews.weights.ties import tie_change


class Command(BaseCommand):
    help = "Compare two checkpoints: folders, files, or models here as NAMESPACE/NAME[@REVISION]."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("base")
        parser.add_argument("candidate")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--no-ranks", action="store_true", help="leave out spectra")

    def handle(self, *args: Any, base: str, candidate: str, **options: Any) -> None:
        with in_words(), tempfile.TemporaryDirectory() as scratch, ExitStack() as kept:
            sides = [
                open_effective(placed(name, Path(scratch) / str(number)), kept)
                for number, name in enumerate((base, candidate))
            ]
            changes = list(compared(*sides, ranks=not options["no_ranks"]))
            tie = tie_change(sides[0], sides[1], tensor_digest)
            found = check_checkpoint(sides[1], values=False) + check_ties(sides[1])
            problems = [problem for problem in found if blocks(problem)]
        summary = summarise(changes, sides[1].config, sides[1].tensors, tie)
        if options["json"]:
            told = {
                "summary": summary.to_dict(),
                "problems": [asdict(problem) for problem in problems],
                "tensors": [change.to_dict() for change in changes if change.is_touched],
            }
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(f"{summary.touched} of {summary.tensors} tensors changed.")
        for problem in problems:
            said = problem_sentence(problem.code, problem.tensor, problem.parameters)
            self.stdout.write(f"- must not be merged: {said.text}")
        for fact in summary.facts:
            self.stdout.write(f"- {fact_sentence(asdict(fact)).text}")


def placed(name: str, scratch: Path) -> Mapping[str, Path]:
    """The files of what `name` names, by path. Raises: CommandError: there is no such thing."""
    path = Path(name)
    if path.is_dir():
        return {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()}
    if path.is_file():
        return {path.name: path}
    repo_id, _at, revision = name.partition("@")
    namespace, slash, short = repo_id.partition("/")
    rows = Repository.objects.filter(
        kind=Kind.MODEL, namespace__slug=namespace, name__iexact=short
    ).select_related("namespace")
    repository = rows.first() if slash else None
    if repository is None:
        raise CommandError(f"{name} is no folder, no file and no model here.")
    store = repository.store()
    oid = store.resolve(revision or repository.default_branch)
    return lay_out(repository, weight_files(store, oid), scratch)


def compared(base: Checkpoint, candidate: Checkpoint, *, ranks: bool) -> Iterator[TensorChange]:
    pairs = pair_tensors(base, candidate)
    for pair, change in zip(pairs, diff(pairs), strict=True):
        yield with_spectrum(change, pair) if ranks else change
