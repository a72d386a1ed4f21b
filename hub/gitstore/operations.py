"""What a commit does to the files of its parent, in the order given."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from hub.gitstore.pointers import LIMIT_BYTES, Pointer, format_pointer, parse_pointer


@dataclass(frozen=True)
class KeptContent:
    """Content that lies in an open file until git takes it: a commit may be larger than memory."""

    file: IO[bytes]
    start: int
    size_bytes: int

    def __len__(self) -> int:
        return self.size_bytes

    def read(self) -> bytes:
        return os.pread(self.file.fileno(), self.size_bytes, self.start)


@dataclass(frozen=True)
class AddFile:
    path: str
    content: bytes | KeptContent

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    def read(self) -> bytes:
        """The content, in memory."""
        return self.content if isinstance(self.content, bytes) else self.content.read()


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
        case AddFile() as file:
            return parse_pointer(file.read()) if file.size_bytes < LIMIT_BYTES else None
        case AddPointer(sha256=sha256, size_bytes=size_bytes):
            return parse_pointer(format_pointer(sha256, size_bytes))
        case _:
            return None
