"""New repositories: made aside, synced, then moved into place, so none is ever half there."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import git

from hub.errors import ConflictError
from hub.gitstore.paths import check_short_name

PACK_LIMIT_BYTES = 512 * 1024**2

# Threats G2, G6, G7, G8. A key with several values is given as a list.
SETTINGS: dict[str, dict[str, str | list[str]]] = {
    "core": {
        "fsync": "all",
        "fsyncMethod": "fsync",
        "bigFileThreshold": "4m",
        "hooksPath": os.devnull,
        "filesRefLockTimeout": "5000",
        "packedRefsTimeout": "5000",
        "logAllRefUpdates": "false",
    },
    "gc": {"auto": "0"},
    "pack": {"threads": "2", "windowMemory": "64m"},
    "merge": {"renameLimit": "1000"},
    "diff": {"renameLimit": "1000"},
    "transfer": {
        "fsckObjects": "true",
        # The later entry wins: everything is hidden but what people work with.
        "hideRefs": ["refs/", "!refs/heads/", "!refs/tags/", "!refs/pr/", "!refs/convert/"],
    },
    "receive": {
        "unpackLimit": "1",
        "autogc": "false",
        "maxInputSize": str(PACK_LIMIT_BYTES),
        "advertisePushOptions": "false",
        "denyDeleteCurrent": "refuse",
    },
    "uploadpack": {
        "allowFilter": "true",
        "allowAnySHA1InWant": "false",
        "allowTipSHA1InWant": "false",
        "allowReachableSHA1InWant": "false",
    },
}


@contextlib.contextmanager
def new_repository(path: Path, *, default_branch: str) -> Iterator[Path]:
    """An empty bare repository to fill; when the block ends well, it is what `path` holds.

    Raises: ConflictError when the path is taken; BadInputError for the branch's name.
    """
    check_short_name(default_branch)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".new-{path.name}-", dir=path.parent))
    try:
        # An empty template: no sample hooks. GitPython wants to hear that this is meant.
        options: dict[str, Any] = {"template": "", "initial_branch": default_branch}
        with git.Repo.init(aside, bare=True, allow_unsafe_options=True, **options) as made:
            _configure(made)
        yield aside
        _sync_tree(aside)
        try:
            aside.rename(path)
        except OSError as error:
            raise ConflictError(f"There is a repository at {path.name} already.") from error
        sync_folder(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _configure(repository: git.Repo) -> None:
    with repository.config_writer() as config:
        for section, values in SETTINGS.items():
            for key, value in values.items():
                for one in value if isinstance(value, list) else [value]:
                    config.add_value(section, key, one)


def sync_folder(folder: Path) -> None:
    """What was named in `folder` stays named after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for inner in [folder, *folder.rglob("*")]:
        sync_folder(inner)  # a file is synced by the same call
