"""What a result depends on beside its inputs: libraries, threads, precision."""

from __future__ import annotations

import os
import re
from importlib import metadata
from typing import Any

from django.conf import settings

from training.jobs.errors import RunFailedError

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors")
_PIN = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;#]+)")


def library_versions() -> dict[str, str]:
    """The versions a run will use: installed here, or pinned where only the web is installed."""
    return _pinned() | installed_versions()


def installed_versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def require_same_libraries(spec: dict[str, Any]) -> None:
    """Refuse to work with other libraries than those the run was specified for.

    Raises: RunFailedError.
    """
    have = installed_versions()
    for name, wanted in spec["versions"].items():
        if have.get(name) != wanted:
            raise RunFailedError(
                f"This run was made for {name} {wanted}, but this worker has "
                f"{have.get(name, 'none')}: run it again, or install the pinned requirements."
            )


def thread_count() -> int:
    return settings.RUN_THREADS or len(os.sched_getaffinity(0))


def _pinned() -> dict[str, str]:
    lines = (settings.BASE_DIR / "requirements.txt").read_text().splitlines()
    pins = {match[1]: match[2] for line in lines if (match := _PIN.match(line))}
    return {name: pins[name] for name in LIBRARIES if name in pins}
