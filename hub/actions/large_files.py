"""Large files of a repository: a link row is the only right to read one (threats D1 to D3)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from hub.blobstore import Blob
from hub.blobstore.landing import ByteStream
from hub.blobstore.xet import XetStore
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    GatedRepositoryError,
    StorageUnavailableError,
    UnauthenticatedError,
)
from hub.gitstore import Pointer
from hub.models import ObjectLink, RemovedObject, Repository, StoredObject
from hub.policies import Actor, require_files, require_proposer


def require_uploader(repository: Repository, actor: Actor) -> None:
    """Refuse whoever may not send large files: those who may propose a change send its files.

    Raises: UnauthenticatedError, ForbiddenError.
    """
    require_proposer(actor, repository)


@transaction.atomic
def link(repository: Repository, blob: Blob, *, xet_hash: str = "") -> StoredObject:
    """Give `repository` the right to `blob`, whose bytes the caller has just put into its scope.

    Raises:
        EntryNotFoundError: the scope does not hold it.
        StorageUnavailableError: the visibility changed while the bytes arrived; retry.
    """
    stored = kept_row(repository, blob, xet_hash)
    ObjectLink.objects.get_or_create(repository=repository, stored_object=stored)
    RemovedObject.objects.filter(repository=repository, sha256=blob.sha256).delete()
    return stored


def kept_row(repository: Repository, blob: Blob, xet_hash: str = "") -> StoredObject:
    """The row of a blob in the scope of `repository`, which nobody collects meanwhile."""
    _require_same_scope(repository)
    # Whoever collects what nobody links to passes by what was used just now.
    if repository.blobs().keep(blob.sha256) is None:
        raise EntryNotFoundError(f"No file with sha256 {blob.sha256} is stored. Upload it first.")
    stored = _held_row(repository.scope, blob)
    stored.xet_hash, stored.unlinked_at = stored.xet_hash or xet_hash, None
    stored.save(update_fields=["xet_hash", "unlinked_at"])
    return stored


def _held_row(scope: str, blob: Blob) -> StoredObject:
    """The row of a blob, made where missing, locked so that nobody collects it meanwhile."""
    while True:
        made, _created = StoredObject.objects.get_or_create(
            scope=scope, sha256=blob.sha256, defaults={"size_bytes": blob.size_bytes}
        )
        if row := StoredObject.objects.select_for_update(no_key=True).filter(pk=made.pk).first():
            return row


def _require_same_scope(repository: Repository) -> None:
    """Hold the repository's row: its visibility cannot change until the link stands."""
    row = Repository.objects.locked(repository.pk)
    if row.scope != repository.scope:
        raise StorageUnavailableError("The visibility of this repository changed: send it again.")


def store(
    repository: Repository,
    stream: ByteStream,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
) -> StoredObject:
    """Store what `stream` holds and link it. Raises: what `BlobStore.put` raises."""
    limit_bytes = settings.LARGE_FILE_LIMIT_BYTES
    blob = repository.blobs().put(
        stream, sha256=sha256, size_bytes=size_bytes, limit_bytes=limit_bytes
    )
    return link(repository, blob)


def adopt(
    repository: Repository,
    path: Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
) -> StoredObject:
    """Store the file at `path`, without a copy where possible, and link it."""
    blob = repository.blobs().adopt(
        path, sha256=sha256, size_bytes=size_bytes, limit_bytes=settings.LARGE_FILE_LIMIT_BYTES
    )
    return link(repository, blob)


def copy_link(
    source: Repository, target: Repository, sha256: str, *, xet_hash: str = ""
) -> StoredObject:
    """Let `target` read a large file of `source`; the caller may read one and write the other.

    Raises: EntryNotFoundError when `source` has no link to it, or not under that `xet_hash`.
    """
    found = require_link(source, sha256)
    if xet_hash and found.xet_hash and xet_hash != found.xet_hash:
        raise EntryNotFoundError(f"The file with sha256 {sha256[:64]} has another Xet hash.")
    if source.scope == target.scope:
        return link(target, Blob(sha256, found.size_bytes), xet_hash=found.xet_hash)
    blob = target.blobs().link_from(source.blobs(), sha256)
    return link(target, blob, xet_hash=_carried(source, target, found.xet_hash))


def _carried(source: Repository, target: Repository, xet_hash: str) -> str:
    """`xet_hash` when the scope of `target` can now serve the file by it too; else none."""
    carried = xet_hash and xet_store(target).carry(xet_store(source), xet_hash)
    return xet_hash if carried else ""


def move_scope(repository: Repository, *, source: Repository) -> None:
    """Carry the large files of a repository, with all that Xet knows of them, to another scope.

    `source` is the repository as it was; `repository` has its new visibility and namespace. Call
    it whenever either changes, in that transaction and with the row locked, before it is saved.
    """
    if source.scope == repository.scope:
        return
    links = repository.object_links.select_related("stored_object").order_by("pk")
    for one in links:
        found = one.stored_object
        blob = repository.blobs().link_from(source.blobs(), found.sha256)
        row = _held_row(repository.scope, blob)
        row.xet_hash = row.xet_hash or _carried(source, repository, found.xet_hash)
        row.unlinked_at = None
        row.save(update_fields=["xet_hash", "unlinked_at"])
        one.stored_object = row
        one.save(update_fields=["stored_object"])
    repository.multipart_uploads.all().end()  # their parts lie in the old scope
    repository.derived_objects.all().delete()  # made anew when somebody asks


def xet_store(repository: Repository) -> XetStore:
    """The xorbs and recipes beside the large files of `repository`."""
    blobs = repository.blobs()
    return XetStore(blobs.root, blobs)


def newest_xet_hashes(repository: Repository, limit: int = 1000) -> list[str]:
    """The Xet hashes of the large files of a repository, the newest first."""
    rows = ObjectLink.objects.filter(repository=repository).exclude(stored_object__xet_hash="")
    return list(rows.order_by("-pk").values_list("stored_object__xet_hash", flat=True)[:limit])


def xet_hashes(repository: Repository, actor: Actor, sha256s: Iterable[str]) -> dict[str, str]:
    """The Xet hash of each of `sha256s` that `actor` can fetch by it from here, in one query."""
    try:
        require_files(actor, repository)
    except (GatedRepositoryError, UnauthenticatedError):
        return {}
    rows = StoredObject.objects.filter(links__repository=repository, sha256__in=set(sha256s))
    return dict(rows.exclude(xet_hash="").values_list("sha256", "xet_hash"))


def links(repository: Repository, sha256s: Iterable[str]) -> dict[str, StoredObject]:
    """Those of `sha256s` that `repository` may read, in one query."""
    rows = StoredObject.objects.filter(links__repository=repository, sha256__in=set(sha256s))
    return {row.sha256: row for row in rows}


def require_link(repository: Repository, sha256: str) -> StoredObject:
    """The stored file, when `repository` may read it. Raises: EntryNotFoundError."""
    found = links(repository, [sha256]).get(sha256)
    if found is None:
        raise EntryNotFoundError(f"This repository holds no file with sha256 {sha256[:64]}.")
    return found


def require_pointers(repository: Repository, pointers: Iterable[Pointer]) -> None:
    """Refuse pointers to what was never uploaded here, or that lie about the size (threat D2).

    Raises: BadInputError.
    """
    wanted = {pointer.sha256: pointer for pointer in pointers}
    found = links(repository, wanted) if wanted else {}
    for sha256, pointer in wanted.items():
        if sha256 not in found:
            raise BadInputError(
                f"The content of the large file {sha256} was never uploaded to this repository: "
                "upload it, then commit."
            )
        if found[sha256].size_bytes != pointer.size_bytes:
            raise BadInputError(
                f"The large file {sha256} has {found[sha256].size_bytes} bytes, "
                f"not {pointer.size_bytes}."
            )
