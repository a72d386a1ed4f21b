"""What of a model a run reads, and how it is to be run."""

from __future__ import annotations

import json
from typing import Any

from hub.models import Repository
from training.actions.submitting import given
from training.jobs.environment import library_versions, thread_count
from training.jobs.evaluations import settings_digest
from training.jobs.inputs import PinnedFile, model_digest, model_files, open_pinned

BATCH_TOKENS = 2048
CONFIG_LIMIT_BYTES = 64 * 1024
# A thousand million parameters in bfloat16.
FLOAT32_LIMIT_BYTES = 2_000_000_000


def is_loadable(repository: Repository) -> bool:
    """Whether the default branch has what a runner can load, as far as is known of it."""
    return bool(repository.parameters or repository.config)


def model_input(role: str, repository: Repository, oid: str) -> tuple[dict[str, Any], str]:
    """The model at a commit or tree as an input of a run, and its digest."""
    files = model_files(repository.store(), oid)
    digest = model_digest(files)
    return given(role, repository, oid, files, digest=digest), digest


def files_at(repository: Repository, oid: str) -> list[PinnedFile]:
    return model_files(repository.store(), oid)


def how_to_run(repository: Repository, files: list[PinnedFile]) -> dict[str, Any]:
    """The parts of a spec that say with what precision, batches and libraries it is run."""
    settings = {
        "threads": thread_count(),
        "device": "cpu",
        "dtype": dtype_to_run(repository, files),
        "batch_tokens": BATCH_TOKENS,
    }
    versions = library_versions()
    return {
        "settings": settings,
        "settings_digest": settings_digest(settings, versions),
        "versions": versions,
    }


def dtype_to_run(repository: Repository, files: list[PinnedFile]) -> str:
    """The precision to compute in: float32, unless a model is large and stored in bfloat16.

    A small model's scores then depend neither on rounding nor on whether a worker's processor has
    bf16 instructions, without which bfloat16 is a hundred times slower.
    """
    values = small_json(repository, files, "config.json")
    said = values.get("dtype") or values.get("torch_dtype")
    size_bytes = sum(file.size_bytes for file in files)
    is_large = size_bytes > FLOAT32_LIMIT_BYTES
    return "bfloat16" if is_large and said == "bfloat16" else "float32"


def small_json(repository: Repository, files: list[PinnedFile], path: str) -> dict[str, Any]:
    """The object in a small JSON file of a model; empty when there is none to be read."""
    file = next((file for file in files if file.path == path), None)
    if file is None or file.size_bytes > CONFIG_LIMIT_BYTES:
        return {}
    with open_pinned(repository, file) as stream:
        try:
            values = json.loads(stream.read())
        except (ValueError, RecursionError):
            return {}
    return values if isinstance(values, dict) else {}
