"""What the hub found out about files that could hold code, in words."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from hub.gitstore import Entry
from hub.jobs import scans
from hub.models import FileScan, Repository, ScanFormat, ScanVerdict
from hub.tasks import scan_files

ASKED_AGAIN_SECONDS = 30


@dataclass(frozen=True)
class Badge:
    """`word` is shown, `tone` and `icon` go with it, `text` says what was checked. `problem` and
    `imports` tell of the file's content: they are for those who may read it."""

    word: str
    tone: str
    icon: str
    text: str
    problem: str = ""
    imports: list[tuple[str, list[str]]] = field(default_factory=list)


def badges(
    repository: Repository, oid: str, folder: str, entries: Iterable[Entry]
) -> dict[str, Badge]:
    """The badge of each of a folder's `entries` that has one, by path; a worker is asked for
    what nobody has looked into."""
    keys = {entry.path: key for entry in entries if (key := scans.key_of(entry))}
    if not keys:
        return {}
    found = scans.known(repository, [entry for entry in entries if entry.path in keys])
    if set(keys.values()) - set(found):
        _ask(repository, oid, folder)
    return {path: _badge(key[0], found.get(key)) for path, key in keys.items()}


def _ask(repository: Repository, oid: str, folder: str) -> None:
    if cache.add(f"scan-files-{repository.pk}", 1, ASKED_AGAIN_SECONDS):
        with suppress(OperationalError):  # without a broker a later reader tries again
            scan_files.delay(repository.pk, oid, folder)


def _badge(file_format: str, scan: FileScan | None) -> Badge:
    if scan is None:
        return Badge(
            _("not scanned"),
            "plain",
            "ring",
            _("A worker has not looked into this file yet. Reload the page in a moment."),
        )
    if scan.verdict == ScanVerdict.UNREADABLE:
        text = _("The hub could not read it to its end, so nothing is known about it.")
        return Badge(_("not readable"), "wait", "warn", text, scan.problem)
    if file_format == ScanFormat.SAFETENSORS:
        text = _("safetensors: names, shapes and places fit together. The format holds no code.")
        return Badge(_("safe"), "pass", "shield", text)
    if scan.verdict == ScanVerdict.SUSPICIOUS:
        reaching = scan.imports.get("reaching")
        text = (
            _("Loading this pickle can run commands. Do not load it unless you trust its author.")
            if reaching
            else _("This pickle imports names that the hub does not know as harmless.")
        )
        return Badge(_("suspicious"), "fail", "warn", text, scan.problem, _imports(scan.imports))
    text = _("This pickle imports only what puts tensors and plain values together.")
    return Badge(_("safe"), "pass", "shield", text, scan.problem, _imports(scan.imports))


def _imports(imports: dict[str, Any]) -> list[tuple[str, list[str]]]:
    labels = [
        ("reaching", _("Can run commands or code")),
        ("unknown", _("Unknown to the hub")),
        ("known", _("Puts tensors and values together")),
    ]
    return [(label, imports[key]) for key, label in labels if imports.get(key)]
