"""What a pickle would import if somebody loaded it, read from its opcodes and never carried out.

A pickle is a program: loading one calls whatever it names. This walk lists the names. It knows a
name only when both its halves are texts that stand right before it, as every honest writer puts
them; anything cleverer is told as a name that is put together while loading. `torch.save` files
are zips of pickles: each member is checked against its own checksum and walked.
"""

import io
import pickletools
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from hub.formats.errors import FormatError

PICKLES_LIMIT = 16  # one after the other in a stream, or members of a zip
OPCODES_LIMIT = 2_000_000
ARGUMENT_LIMIT_BYTES = 16 * 1024**2
PICKLE_LIMIT_BYTES = 64 * 1024**2
MEMBERS_LIMIT = 20_000
IMPORTS_LIMIT = 500
NAME_LIMIT_CHARACTERS = 200
TIME_LIMIT_SECONDS = 20.0
PUT_TOGETHER = "a name that is put together while loading"
SCRIPT = "TorchScript code"
ZIP_MAGIC = b"PK\x03\x04"

_KEEPS_TOP = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "FRAME", "PROTO"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING",
          "SHORT_BINSTRING"}  # fmt: skip
_EXTENSIONS = {"EXT1", "EXT2", "EXT4"}


class PickleError(FormatError):
    """Not a pickle that can be read to its end."""


class PickleTooLargeError(PickleError):
    """More than is read here."""


@dataclass
class Walk:
    """The imports found so far; it ends when one of its limits is passed."""

    imports: dict[str, None] = field(default_factory=dict)
    opcodes: int = 0
    ends_at: float = field(default_factory=lambda: time.monotonic() + TIME_LIMIT_SECONDS)

    def found(self, name: str) -> None:
        if len(self.imports) >= IMPORTS_LIMIT and name not in self.imports:
            raise PickleTooLargeError(f"It imports more than {IMPORTS_LIMIT} names.")
        self.imports[name[:NAME_LIMIT_CHARACTERS]] = None

    def step(self) -> None:
        self.opcodes += 1
        if self.opcodes > OPCODES_LIMIT:
            raise PickleTooLargeError(f"It holds more than {OPCODES_LIMIT} steps.")
        if self.opcodes % 1024 == 0 and time.monotonic() > self.ends_at:
            raise PickleTooLargeError("It takes too long to read.")


def walk(file: IO[bytes], found: Walk) -> None:
    """Note in `found` what loading `file`, a pickle or a zip of pickles, would import.

    What was found before an error stays noted. Raises: PickleError.
    """
    start = file.read(4)
    file.seek(0)
    if start == ZIP_MAGIC:
        _walk_zip(file, found)
    elif start[:1] == b"\x80" or start[:1] in b"(]}cl":
        _walk_stream(_Bounded(file), found)
    else:
        raise PickleError("It is neither a pickle nor a zip of pickles.")


class _Bounded:
    """Reads on; refuses one long argument, and a long whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
        self._left = PICKLE_LIMIT_BYTES

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > ARGUMENT_LIMIT_BYTES:
            raise PickleTooLargeError(f"A part is longer than {ARGUMENT_LIMIT_BYTES} bytes.")
        return self._counted(self._file.read(size))

    def readline(self) -> bytes:
        return self._counted(self._file.readline(ARGUMENT_LIMIT_BYTES))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise PickleTooLargeError(f"More than {PICKLE_LIMIT_BYTES} bytes are not read.")
        return data


def _walk_stream(file: Any, found: Walk) -> None:
    """The pickles that stand one after the other; older torch files end in plain numbers."""
    for number in range(PICKLES_LIMIT):
        try:
            _walk_pickle(file, found)
        except PickleTooLargeError:
            if number:
                return
            raise
        except PickleError:
            if number:
                return
            raise


def _walk_pickle(file: Any, found: Walk) -> None:
    texts: list[str | None] = []  # what the last two values are; None for no text
    memo: dict[int, str | None] = {}
    for name, argument in _opcodes(file):
        found.step()
        if name in _KEEPS_TOP:
            if name not in {"FRAME", "PROTO"}:
                place = len(memo) if name == "MEMOIZE" else int(argument)
                memo[place] = texts[-1] if texts else None
        elif name in _TEXTS:
            texts = [*texts[-1:], _text(argument)]
        elif name in _GETS:
            texts = [*texts[-1:], memo.get(int(argument))]
        elif name in {"GLOBAL", "INST"}:
            found.found(str(argument).replace(" ", ".", 1))
            texts = []
        elif name == "STACK_GLOBAL":
            known = len(texts) == 2 and None not in texts
            found.found(f"{texts[0]}.{texts[1]}" if known else PUT_TOGETHER)
            texts = []
        elif name in _EXTENSIONS:
            found.found(PUT_TOGETHER)
            texts = []
        else:
            texts = []


def _opcodes(file: Any) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _place in pickletools.genops(file):
            yield opcode.name, argument
    except FormatError:
        raise
    except Exception as error:
        # genops raises whatever its readers of arguments do: ValueError, struct.error, …
        raise PickleError(f"It is no whole pickle: {str(error)[:120]}") from error


def _text(argument: Any) -> str:
    return argument.decode("latin-1") if isinstance(argument, bytes) else str(argument)


def _walk_zip(file: IO[bytes], found: Walk) -> None:
    try:
        with zipfile.ZipFile(_Guarded(file)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_LIMIT:
                raise PickleTooLargeError(f"It holds more than {MEMBERS_LIMIT} members.")
            pickles = [one for one in members if one.filename.endswith((".pkl", ".pickle"))]
            if len(pickles) > PICKLES_LIMIT:
                raise PickleTooLargeError(f"It holds more than {PICKLES_LIMIT} pickles.")
            if not pickles:
                raise PickleError("This zip holds no pickle.")
            if len({one.filename for one in members}) != len(members):
                raise PickleError("This zip holds two members of one name.")
            if any("/code/" in one.filename for one in members):
                found.found(SCRIPT)
            for member in pickles:
                if member.file_size > PICKLE_LIMIT_BYTES:
                    limit = PICKLE_LIMIT_BYTES
                    raise PickleTooLargeError(f"A pickle of more than {limit} bytes is not read.")
                # Whole: its checksum is checked at its end.
                _walk_stream(_Bounded(io.BytesIO(archive.read(member))), found)
    except FormatError:
        raise
    except Exception as error:
        # zipfile raises BadZipFile, zlib.error, RuntimeError (encrypted), NotImplementedError, …
        raise PickleError(f"It is no whole zip: {str(error)[:120]}") from error


class _Guarded:
    """A file for zipfile, which reads a whole directory of members at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seekable, self.seek, self.tell = file.seekable, file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if size > ARGUMENT_LIMIT_BYTES:
            raise PickleTooLargeError("A part of this zip is too long to be read.")
        return self._file.read(size if size >= 0 else ARGUMENT_LIMIT_BYTES)
