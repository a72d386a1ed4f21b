"""What a commit does to the files of its parent, in the order given."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.gitstore.pointers import Pointer, format_pointer, parse_pointer


@dataclass(frozen=True)
class AddFile:
    path: str
    content: bytes


@dataclass(frozen=True)
class AddPointer:
    """A large file; its bytes lie in the object store."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class CopyPath:
    """The file at `source_path` of commit `source_oid` (None: the parent) again at `path`."""

    source_path: str
    source_oid: str | None
    path: str


@dataclass(frozen=True)
class DeleteFile:
    """Removes a file, or a whole folder: huggingface_hub sends this line for both."""

    path: str


@dataclass(frozen=True)
class DeleteFolder:
    path: str


Operation = AddFile | AddPointer | CopyPath | DeleteFile | DeleteFolder


def pointers_named(operations: Sequence[Operation]) -> list[Pointer]:
    """Every large file the operations would bring in, also by a pointer written as plain text.

    The caller checks that the repository holds a link to each before it commits (threat D2).
    """
    return [pointer for one in operations if (pointer := _pointer_of(one)) is not None]


def _pointer_of(operation: Operation) -> Pointer | None:
    match operation:
        case AddFile(content=content):
            return parse_pointer(content)
        case AddPointer(sha256=sha256, size_bytes=size_bytes):
            return parse_pointer(format_pointer(sha256, size_bytes))
        case _:
            return None
