"""Large files that come in parts: begun, filled, finished, given up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import transaction

from hub.actions import large_files
from hub.blobstore.landing import MIB, ByteStream
from hub.blobstore.parts import PartialFiles
from hub.errors import (
    BadInputError,
    EntryNotFoundError,
    StorageUnavailableError,
    ThrottledError,
    UnprocessableError,
)
from hub.models import MultipartUpload, Repository, StoredObject, UploadedPart, User
from hub.models.objects import MultipartUploadQuerySet
from hub.policies import Actor

PARTS_LIMIT = 1000
ENDED = "This upload has ended: ask for new addresses."


def begin(
    repository: Repository,
    actor: Actor,
    *,
    sha256: str,
    size_bytes: int,
    part_bytes: int | None = None,
) -> MultipartUpload:
    """The upload of this file by this person; one that was begun before goes on as it began.

    Raises: ThrottledError when they have too many unfinished ones.
    """
    assert isinstance(actor.user, User)  # noqa: S101, the caller asked `require_uploader`
    uploads = MultipartUpload.objects.filter(user=actor.user)
    named = {"scope": repository.scope, "sha256": sha256, "size_bytes": size_bytes}
    if upload := uploads.filter(repository=repository, **named).first():
        upload.save(update_fields=["touched_at"])
        return upload
    if uploads.count() >= settings.MULTIPART_UPLOADS_LIMIT:
        raise ThrottledError("You have too many unfinished uploads: finish some, or wait a day.")
    upload, _made = MultipartUpload.objects.get_or_create(
        repository=repository,
        user=actor.user,
        **named,
        defaults={"part_bytes": part_bytes_for(size_bytes, part_bytes)},
    )
    return upload


def part_bytes_for(size_bytes: int, wanted: int | None = None) -> int:
    """The length of each part but the last: at most a thousand parts, in whole MiB if possible."""
    part_bytes: int = wanted or settings.MULTIPART_PART_BYTES
    if part_bytes * PARTS_LIMIT >= size_bytes:
        return part_bytes
    return -(-size_bytes // (PARTS_LIMIT * MIB)) * MIB


def find(repository: Repository, actor: Actor, pk: int) -> MultipartUpload:
    """The upload `pk`, which this person began here. Raises: EntryNotFoundError."""
    rows = MultipartUpload.objects.filter(repository=repository, user=actor.user.pk, pk=pk)
    upload = rows.first()
    if upload is None:
        raise EntryNotFoundError(ENDED)
    if upload.scope != repository.scope:
        raise StorageUnavailableError("The visibility of this repository changed: send it again.")
    return upload


def partial_files(repository: Repository) -> PartialFiles:
    blobs = repository.blobs()
    return PartialFiles(blobs.root, blobs.landing)


def store_part(upload: MultipartUpload, number: int, source: ByteStream | Path) -> str:
    """Put part `number` into place and return its ETag. Safe to repeat. Raises: BadInputError."""
    if not 1 <= number <= upload.part_count:
        raise BadInputError(f"This upload has the parts 1 to {upload.part_count}.")
    start, end = upload.part_span(number)
    etag = partial_files(upload.repository).write(
        str(upload.pk), source, size_bytes=upload.size_bytes, start=start, end=end
    )
    with transaction.atomic():
        if _rows(upload).select_for_update(no_key=True).exists():
            UploadedPart.objects.update_or_create(
                upload=upload, number=number, defaults={"etag": etag}
            )
            upload.save(update_fields=["touched_at"])
            return etag
    raise _ended(upload)


def _rows(upload: MultipartUpload) -> MultipartUploadQuerySet:
    return MultipartUpload.objects.filter(pk=upload.pk)


def _ended(upload: MultipartUpload) -> EntryNotFoundError:
    """It was finished or given up while the caller worked at it, who may have made its file anew:
    that one goes, too."""
    partial_files(upload.repository).drop(str(upload.pk))
    return EntryNotFoundError(ENDED)


def landed(upload: MultipartUpload) -> list[tuple[int, str]]:
    """The parts that are here, each with its ETag, so that none of them is sent again."""
    return list(upload.parts.order_by("number").values_list("number", "etag"))


def give_up(upload: MultipartUpload) -> None:
    """Forget an upload and what came of it. A part that is on its way finds no upload."""
    _rows(upload).end()
    partial_files(upload.repository).drop(str(upload.pk))


def finish(upload: MultipartUpload, etags: Mapping[int, str]) -> StoredObject:
    """Make the parts one file, once it has the sha256 that was announced, and link it.

    Parts that make another file are dropped, all of them. Safe to repeat.
    Raises: BadInputError when parts are missing or not the ones that came last;
        EntryNotFoundError when it was given up meanwhile.
    """
    held = large_files.links(upload.repository, [upload.sha256]).get(upload.sha256)
    files, name = partial_files(upload.repository), str(upload.pk)
    if held and held.size_bytes == upload.size_bytes:
        files.drop(name)
        _rows(upload).end()
        return held
    came = dict(upload.parts.values_list("number", "etag"))
    for number in range(1, upload.part_count + 1):
        if number not in etags or number not in came:
            raise BadInputError(f"Part {number} is missing: send it, then finish.")
        if etags[number] != came[number]:
            raise BadInputError(f"Part {number} was sent again with other bytes: send it again.")
    if len(etags) != upload.part_count:
        raise BadInputError(f"This upload has the parts 1 to {upload.part_count}.")
    with files.finishing(name, upload.size_bytes) as path:
        if not _rows(upload).exists():
            raise _ended(upload)
        try:
            stored = large_files.adopt(
                upload.repository, path, sha256=upload.sha256, size_bytes=upload.size_bytes
            )
        except UnprocessableError as error:
            files.drop(name)
            _rows(upload).end()
            raise BadInputError(str(error)) from None
        except FileNotFoundError:  # it was given up a moment ago
            raise _ended(upload) from None
        _rows(upload).end()
    return stored
