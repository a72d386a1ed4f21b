"""Knows whether the static files laid out for the proxy are still those of the code."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

MARK = ".collected"


def is_collected(static_root: Path, project: Path) -> bool:
    mark = static_root / MARK
    return mark.is_file() and mark.read_text() == _fingerprint(project)


def mark_collected(static_root: Path, project: Path) -> None:
    static_root.mkdir(parents=True, exist_ok=True)
    (static_root / MARK).write_text(_fingerprint(project))


def _fingerprint(project: Path) -> str:
    """Names, sizes and times of the sources; of the libraries' own files, their pins."""
    digest = hashlib.sha256()
    for path in sorted(_sources(project)):
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources(project: Path) -> Iterator[Path]:
    yield from project.glob("requirements*.txt")
    for folder in (project / "static", *project.glob("*/static")):
        yield from (path for path in folder.rglob("*") if path.is_file())
