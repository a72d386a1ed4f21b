"""`manage.py rerun_merge MODEL --as USER`: the recipe of a weight merge, carried out once more."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub.errors import EntryNotFoundError
from hub.models import Kind, RepoId, Repository, User
from hub.policies import Actor, get_repository
from reviews.jobs.model_sources import rerun_sources
from reviews.management.faults import in_words
from reviews.weights.merging.recipe import RECIPE_PATH
from reviews.weights.merging.recipe_file import parse_recipe

RECIPE_LIMIT_BYTES = 1 << 20
_READ = 1 << 20


class Command(BaseCommand):
    help = (
        "Carry out the recipe in .weighbridge/merge.yaml of NAMESPACE/NAME[@REVISION] again, and "
        "say of each file whether it is the one of that revision."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model")
        parser.add_argument(
            "--as", dest="user", required=True, help="whose right to read the sources counts"
        )
        parser.add_argument("--out", type=Path, help="a folder in which the files are left")

    def handle(self, *args: Any, model: str, user: str, out: Path | None, **options: Any) -> None:
        person = User.objects.filter(username=user).first()
        if person is None:
            raise CommandError(f"There is nobody called {user}.")
        name, _at, revision = model.partition("@")
        with in_words(), tempfile.TemporaryDirectory() as scratch:
            repository = get_repository(Actor(person), RepoId.parse(Kind.MODEL, name))
            oid = repository.store().resolve(revision or repository.default_branch)
            made = _made(Actor(person), repository, oid, out or Path(scratch))
            unlike = [path for path, place in made.items() if not _is(repository, oid, path, place)]
        for path in made:
            self.stdout.write(f"{path}: {'another file' if path in unlike else 'the same bytes'}")
        if unlike:
            raise CommandError("The recipe does not give the files of this revision.")


def _made(actor: Actor, repository: Repository, oid: str, folder: Path) -> Mapping[str, Path]:
    text = repository.store().read(oid, RECIPE_PATH, limit_bytes=RECIPE_LIMIT_BYTES)
    return rerun_sources(actor, repository, parse_recipe(text), folder)


def _is(repository: Repository, oid: str, path: str, place: Path) -> bool:
    """Whether a file is the large file `path` of a commit."""
    try:
        lfs = repository.store().entry(oid, path).lfs
    except EntryNotFoundError:
        return False
    digest = hashlib.sha256()
    with place.open("rb") as file:
        while chunk := file.read(_READ):
            digest.update(chunk)
    return lfs is not None and lfs.sha256 == digest.hexdigest()
