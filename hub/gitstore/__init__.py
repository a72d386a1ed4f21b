"""Bare git repositories on disk: what they hold, how they change, how they travel over HTTP.

`GitStore` is imported when first asked for: the pre-receive hook needs only the light modules
of this package, and pygit2 with GitPython would add 0.16 s to every push.
"""

from typing import TYPE_CHECKING, Any

from hub.gitstore.operations import (
    AddFile,
    AddPointer,
    CopyPath,
    DeleteFile,
    DeleteFolder,
    KeptContent,
    Operation,
    pointers_named,
)
from hub.gitstore.paths import check_path, check_ref_name
from hub.gitstore.pointers import Pointer
from hub.gitstore.values import (
    Author,
    CommitInfo,
    Entry,
    FileDiff,
    Hunk,
    HunkLine,
    LastCommit,
    Ref,
)

if TYPE_CHECKING:
    from hub.gitstore.store import GitStore
    from hub.gitstore.writing import check_message

__all__ = [
    "AddFile",
    "AddPointer",
    "Author",
    "CommitInfo",
    "CopyPath",
    "DeleteFile",
    "DeleteFolder",
    "Entry",
    "FileDiff",
    "GitStore",
    "Hunk",
    "HunkLine",
    "KeptContent",
    "LastCommit",
    "Operation",
    "Pointer",
    "Ref",
    "check_message",
    "check_path",
    "check_ref_name",
    "pointers_named",
]


def __getattr__(name: str) -> Any:
    if name == "GitStore":
        from hub.gitstore.store import GitStore

        return GitStore
    if name == "check_message":
        from hub.gitstore.writing import check_message

        return check_message
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
