"""A disk that is full while git writes: said as what it is, whatever the library says."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import git
import pygit2

from hub.errors import StorageFullError
from hub.gitstore.process import GitFailedError

FULL_MESSAGE = "The hub's disk is full. Ask its operator to free space, then try again."
# libgit2 says "no error" when a write found no room: so little left is the cause.
NOTHING_LEFT_BYTES = 1024**2


@contextmanager
def full_disk_refused(folder: Path) -> Iterator[None]:
    """Turn a failed write below `folder` into StorageFullError where the disk is the cause."""
    try:
        yield
    except (OSError, pygit2.GitError, git.GitError, GitFailedError) as fault:
        is_full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
        if is_full or shutil.disk_usage(folder).free < NOTHING_LEFT_BYTES:
            raise StorageFullError(FULL_MESSAGE) from fault
        raise
