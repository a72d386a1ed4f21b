"""Taking what a process left behind: plain files of expected names and bounded size only."""

import os
import stat
from pathlib import Path

from training.sandbox.errors import OutputRefusedError


def collect(out: Path, wanted: dict[str, int]) -> dict[str, Path]:
    """The files named in `wanted` (relative path: limit in bytes) that are there.

    A missing file is left out. Links are never followed, on no part of the path.
    Raises: OutputRefusedError when something else stands there, or more than the limit.
    """
    found = {}
    for name, limit_bytes in wanted.items():
        descriptor = _open(out, name)
        if descriptor is None:
            continue
        try:
            _check(os.fstat(descriptor), name, limit_bytes)
        finally:
            os.close(descriptor)
        found[name] = out / name
    return found


def open_output(out: Path, name: str, limit_bytes: int) -> int:
    """A descriptor to read the plain file `name` under `out`, checked after it was opened."""
    descriptor = _open(out, name)
    if descriptor is None:
        raise OutputRefusedError(f"The run left no {name}; look at its log.")
    try:
        _check(os.fstat(descriptor), name, limit_bytes)
    except OutputRefusedError:
        os.close(descriptor)
        raise
    return descriptor


def _open(out: Path, name: str) -> int | None:
    """Open `name` part by part; None when it is absent."""
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise OutputRefusedError(f"{name} is no plain relative path; name files below out.")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(out, flags | os.O_DIRECTORY)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        try:
            inner = os.open(part, flags | (0 if last else os.O_DIRECTORY), dir_fd=descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputRefusedError(
                f"The run left {name} as a link or a special file; it must be a plain file."
            ) from error
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _check(status: os.stat_result, name: str, limit_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise OutputRefusedError(f"The run left {name} as no plain file of its own.")
    if status.st_size > limit_bytes:
        raise OutputRefusedError(
            f"The run left {name} with {status.st_size} bytes, over the limit of {limit_bytes}."
        )
