"""git as a child process: an environment from an allow-list, no shell, limits, no leftovers."""

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hub.errors import StorageUnavailableError, TooLargeError

GIB = 1024**3
MIB = 1024**2
HOOKS = Path(__file__).parent / "hooks"
CHUNK_BYTES = 64 * 1024

# Command-scope settings: they win over what a repository's own config says.
_SETTINGS = {
    "safe.directory": "*",
    "safe.bareRepository": "explicit",
    "core.hooksPath": str(HOOKS),
    "core.attributesFile": os.devnull,
    "protocol.allow": "never",
}


@dataclass(frozen=True)
class Limits:
    """What one git child may use. The idle time counts from its last byte, in or out."""

    idle_seconds: float = 120
    cpu_seconds: int = 60
    memory_bytes: int = GIB
    input_bytes: int = 513 * MIB
    output_bytes: int = 64 * GIB


DEFAULT_LIMITS = Limits()


class GitFailedError(StorageUnavailableError):
    """git ended with an error that no rule of ours foresaw, or passed a limit."""

    def __init__(self, message: str, stderr: str = "") -> None:
        self.stderr = stderr
        super().__init__(f"{message} {stderr}".strip())


@dataclass(frozen=True)
class Completed:
    returncode: int
    stdout: bytes
    stderr: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that a git child sees: nothing of the server's own environment but TMPDIR."""
    # The hooks run under this very interpreter, so its folder comes first.
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    values = {
        "PATH": os.pathsep.join(folders),
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    }
    for number, (key, value) in enumerate(_SETTINGS.items()):
        values[f"GIT_CONFIG_KEY_{number}"] = key
        values[f"GIT_CONFIG_VALUE_{number}"] = value
    if "TMPDIR" in os.environ:
        values["TMPDIR"] = os.environ["TMPDIR"]
    return values | dict(extra or {})


@contextlib.contextmanager
def spawn_git(
    git_dir: Path,
    args: Sequence[str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    limits: Limits = DEFAULT_LIMITS,
    extra: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A running git; when the block is left, it and all it started are gone.

    A pipe to its stdin is closed by whoever writes to it.
    """
    process = subprocess.Popen(
        ["git", f"--git-dir={git_dir}", *args],
        cwd=git_dir,
        env=environment(extra),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
        pass_fds=pass_fds,
        bufsize=0,
    )
    try:
        _restrict(process.pid, limits)
        yield process
    finally:
        _end(process)


def run_git(
    git_dir: Path,
    *args: str,
    stdin: bytes = b"",
    accepted: Sequence[int] = (0,),
    total_seconds: float = 120,
    output_bytes: int = 256 * MIB,
    extra: Mapping[str, str] | None = None,
) -> Completed:
    """What git printed. Its exit status is one of `accepted`, else GitFailedError."""
    # Files on both sides: a pipe could fill while we write the other.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        with spawn_git(git_dir, args, stdin=given, stderr=errors, extra=extra) as process:
            output = bytearray()
            for chunk in read_chunks(process, total_seconds=total_seconds):
                output += chunk
                if len(output) > output_bytes:
                    raise TooLargeError(f"git {args[0]} answered more than {output_bytes} bytes.")
            returncode = process.wait()
        errors.seek(0)
        stderr = errors.read(4096).decode("utf-8", "replace").strip()
    if returncode not in accepted:
        raise GitFailedError(f"git {args[0]} failed with status {returncode}.", stderr)
    return Completed(returncode, bytes(output), stderr)


def read_chunks(process: subprocess.Popen[bytes], *, total_seconds: float) -> Iterator[bytes]:
    """What the child prints, as it comes. Raises GitFailedError when the time is over."""
    assert process.stdout is not None  # noqa: S101, spawn_git always asks for a pipe
    ends_at = time.monotonic() + total_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, ends_at - time.monotonic())):
                raise GitFailedError(f"git did not finish within {total_seconds:.0f} seconds.")
            chunk = process.stdout.read(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk


def _restrict(pid: int, limits: Limits) -> None:
    if not hasattr(resource, "prlimit"):
        return  # macOS: time and output limits still hold
    # DATA and not AS: git maps whole packs, which costs address space but no memory.
    wanted = {resource.RLIMIT_CPU: limits.cpu_seconds, resource.RLIMIT_DATA: limits.memory_bytes}
    with contextlib.suppress(ProcessLookupError):
        for kind, value in wanted.items():
            resource.prlimit(pid, kind, (value, value))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:  # not reaped yet, so the group's number is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
