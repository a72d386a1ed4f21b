"""Answers that are dear to work out, kept beside a repository's objects.

Each key names commits and trees by their oids, so an answer is true for ever: pushes, forced ones
too, renames and deletions ask under other keys. All processes share the files; losing any of them
costs time only. What is kept is bounded per repository, the oldest goes first.
"""

import contextlib
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

FOLDER = "derived"
FILES_LIMIT = 1024
TOTAL_LIMIT_BYTES = 64 * 1024**2
_CHECKSUM_BYTES = 4


class Derived:
    """The kept answers of the repository at `git_dir`."""

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / FOLDER

    def get(self, key: str) -> Any:
        """What was kept under `key`; None when nothing was, or a crash tore it."""
        text = self.get_bytes(key)
        return None if text is None else json.loads(text)

    def get_bytes(self, key: str) -> bytes | None:
        """The same of what `put_bytes` kept."""
        try:
            content = (self._folder / key).read_bytes()
        except OSError:
            return None
        checksum, text = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        return text if checksum == _checksum(text) else None

    def keys(self, prefix: str) -> set[str]:
        """What follows `prefix` in each key that begins with it."""
        try:
            names = {path.name for path in self._folder.iterdir()}
        except OSError:
            return set()
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def put(self, key: str, value: Any) -> None:
        """Keep `value`. Where there is no room to write, nothing is kept and nobody is told."""
        self.put_bytes(key, json.dumps(value, separators=(",", ":")).encode())

    def put_bytes(self, key: str, text: bytes) -> None:
        """The same with bytes that are ready to be sent."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
                try:
                    file.write(_checksum(text) + text)
                    file.flush()
                    Path(file.name).replace(self._folder / key)
                except OSError:
                    Path(file.name).unlink()
                    raise
            self._prune()

    def _prune(self) -> None:
        """Remove the oldest files until the limits hold, down to three quarters of them."""
        found = [(path.stat(), path) for path in self._folder.iterdir()]
        total = sum(status.st_size for status, _ in found)
        if len(found) <= FILES_LIMIT and total <= TOTAL_LIMIT_BYTES:
            return
        count = len(found)
        for status, path in sorted(found, key=lambda each: each[0].st_mtime_ns):
            if count <= FILES_LIMIT * 3 // 4 and total <= TOTAL_LIMIT_BYTES * 3 // 4:
                return
            path.unlink(missing_ok=True)
            count, total = count - 1, total - status.st_size


def _checksum(text: bytes) -> bytes:
    return zlib.crc32(text).to_bytes(_CHECKSUM_BYTES, "big")
