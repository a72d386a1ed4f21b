"""Large repositories, made in seconds by `git fast-import`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

FLAT_FILES = 1000
FIRST_AT = 1_600_000_000
STRIDE = 7919  # a prime: every file gets its turn


def import_history(git_dir: Path, *, files: int, commits: int) -> None:
    """`main` gets `commits` commits: the first adds `files` files, each other one changes one."""
    process = subprocess.Popen(
        ["git", f"--git-dir={git_dir}", "fast-import", "--quiet", "--force"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101, asked for above
    with process.stdin as stdin:
        stdin.writelines(_stream(files, commits))
    if process.wait():
        raise RuntimeError("git fast-import failed.")


def path_of(number: int) -> str:
    """The first thousand in one folder, the others fifty a folder."""
    if number < FLAT_FILES:
        return f"flat/{number:03}.txt"
    return f"deep/{number // 2500:03}/{number // 50 % 50:02}/{number:06}.txt"


def _stream(files: int, commits: int) -> Iterator[bytes]:
    for number in range(commits):
        message = b"Change %d" % number
        who = b"Bench <bench@example.org> %d +0000" % (FIRST_AT + number)
        yield b"commit refs/heads/main\ncommitter %s\ndata %d\n%s\n" % (who, len(message), message)
        changed = range(files) if number == 0 else [number * STRIDE % files]
        for file in changed:
            content = b"file %d, change %d\n" % (file, number)
            path = path_of(file).encode()
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(content), content)
