"""The files of a revision that make up its weights, and where their bytes are read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hub.errors import UnprocessableError
from hub.gitstore import GitStore
from hub.models import Repository
from reviews.weights.adapter_config import WEIGHTS as ADAPTER
from reviews.weights.patches import PATCH

# Pickles are named by the checks and never opened.
WEIGHTS = ("*.safetensors", "*.gguf", "*.bin", "*.pt", "*.pth", "*.ckpt")
BESIDE = (
    "*.safetensors.index.json", "config.json", "adapter_config.json", "tokenizer.json",
)  # fmt: skip


@dataclass(frozen=True)
class WeightFile:
    """One file by git's blob `oid`; `sha256` names a large file's bytes and is "" for others."""

    path: str
    oid: str
    sha256: str
    size_bytes: int

    @property
    def is_weights(self) -> bool:
        return _matches(self.path, WEIGHTS)

    @property
    def is_index(self) -> bool:
        return _matches(self.path, BESIDE[:1])

    @property
    def is_patch(self) -> bool:
        return _matches(self.path, (PATCH,))

    @property
    def is_beside_base(self) -> bool:
        """Whether it says how the weights beside it change: an adapter's, or a sparse patch."""
        return _matches(self.path, (ADAPTER, PATCH))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def weight_files(store: GitStore, oid: str) -> list[WeightFile]:
    """The weights of a commit or tree and what is needed to understand them, by path."""
    return [
        WeightFile(
            path=entry.path,
            oid=entry.oid,
            sha256=entry.lfs.sha256 if entry.lfs else "",
            size_bytes=entry.size,
        )
        for entry in store.tree(oid, "", recursive=True)
        if entry.kind == "file" and _matches(entry.path, (*WEIGHTS, *BESIDE))
    ]


def files_digest(files: Iterable[WeightFile]) -> str:
    """SHA-256 over the sorted (path, oid): git's oid stands for a large file's bytes too."""
    named = sorted((file.path, file.oid) for file in files)
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def lay_out(
    repository: Repository, files: Iterable[WeightFile], folder: Path
) -> Mapping[str, Path]:
    """Where each file's bytes lie: large ones in the object store, others copied to `folder`.

    Raises: UnprocessableError when a large file's bytes are gone.
    """
    store, blobs = repository.store(), repository.blobs()
    placed: dict[str, Path] = {}
    for number, file in enumerate(files):
        if file.sha256:
            path = blobs.path(file.sha256)
            if path is None:
                raise UnprocessableError(
                    f"The bytes of {file.path} are not in the store: upload the file again."
                )
            placed[file.path] = path
            continue
        folder.mkdir(parents=True, exist_ok=True)
        placed[file.path] = folder / str(number)
        with store.open_blob(file.oid) as source, placed[file.path].open("wb") as out:
            shutil.copyfileobj(source, out)
    return placed


def _matches(path: str, patterns: Iterable[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in patterns)
