"""The interpreter, its packages and our runner, as inputs of a sandbox."""

import os
import sys
from pathlib import Path

from training.sandbox.values import ReadOnly

APP = "/app"


def python_inputs() -> list[ReadOnly]:
    """This interpreter and its environment at their own paths, and the runner's code under /app.

    Nothing else of the application is shown: no settings, no data.
    """
    prefixes = [Path(sys.base_prefix), Path(sys.prefix)]
    places = {str(path): Path(os.path.realpath(path)) for path in prefixes}
    for path in prefixes:
        places.setdefault(os.path.realpath(path), Path(os.path.realpath(path)))
    shown = {
        target: source for target, source in places.items() if not _is_below(source, Path("/usr"))
    }
    training = Path(__file__).parents[1]
    return [
        *(ReadOnly(source, target) for target, source in sorted(shown.items())),
        ReadOnly(training / "__init__.py", f"{APP}/training/__init__.py"),
        ReadOnly(training / "runner", f"{APP}/training/runner"),
    ]


def runner_argv(job: str = "/in/job.json") -> list[str]:
    """The command that carries out the job file which lies at `job` inside."""
    return [sys.executable, "-m", "training.runner", job]


def runner_env(threads: int) -> dict[str, str]:
    """All that the runner finds in its environment."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "nobody", "LANG": "C.UTF-8",  # noqa: S108
        "PYTHONPATH": APP, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": "0",
        "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
