"""What a number was computed with."""

import platform
from importlib import metadata

PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a result, and the kind of machine."""
    found = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}
