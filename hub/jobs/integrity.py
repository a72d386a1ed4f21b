"""Whether database, git and object store agree (threats section 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db.models import Count, F
from django.utils import timezone

from hub.blobstore.xet import XetStore
from hub.errors import HubError
from hub.extensions import Finding, registries
from hub.gitstore import Entry, GitStore, Pointer
from hub.jobs.garbage import scopes, store_of
from hub.jobs.tidy import stray_folders
from hub.models import ObjectLink, Repository, StoredObject

STRAY_AFTER = timedelta(hours=24)
READ_BYTES = 1024**2


def check(*, deep: bool = False) -> Iterator[Finding]:
    """Every disagreement found. `deep` also reads all large files and compares their hashes."""
    yield from _objects(deep)
    yield from _likes()
    for repository in Repository.objects.select_related("namespace").iterator():
        yield from _repository(repository)
        for registered in registries.integrity_checks:
            yield from registered(repository, deep)
    yield from _strays()


def _objects(deep: bool) -> Iterator[Finding]:
    """Row, file, size and hash of every stored object."""
    for row in StoredObject.objects.iterator():
        subject = f"{row.scope}/{row.sha256}"
        blob = store_of(row.scope).stat(row.sha256)
        if blob is None:
            yield Finding("object", subject, "the row has no file")
        elif blob.size_bytes != row.size_bytes:
            problem = f"the file has {blob.size_bytes} bytes, the row says {row.size_bytes}"
            yield Finding("object", subject, problem)
        elif row.xet_hash and not _is_served_by(row):
            yield Finding("object", subject, "Xet cannot serve it by the hash that the row has")
        elif deep and _sha256(row) != row.sha256:
            yield Finding("object", subject, "the bytes hash to something else")
    for scope in scopes():
        for name, problem in _xet_store(scope).problems():
            yield Finding("xet", f"{scope}/{name}", problem)
    yield from _links_across_scopes()


def _xet_store(scope: str) -> XetStore:
    blobs = store_of(scope)
    return XetStore(blobs.root, blobs)


def _is_served_by(row: StoredObject) -> bool:
    file = _xet_store(row.scope).file(row.xet_hash)
    return file is not None and file.sha256 == row.sha256


def _sha256(row: StoredObject) -> str:
    hasher = hashlib.sha256()
    with store_of(row.scope).open(row.sha256) as file:
        for chunk in iter(partial(file.read, READ_BYTES), b""):
            hasher.update(chunk)
    return hasher.hexdigest()


def _links_across_scopes() -> Iterator[Finding]:
    links = ObjectLink.objects.select_related("repository__namespace", "stored_object")
    for link in links.iterator():
        if link.stored_object.scope != link.repository.scope:
            problem = f"links to {link.stored_object.scope}, its files lie in another scope"
            yield Finding("link", str(link.repository), problem)


def _likes() -> Iterator[Finding]:
    """Counters that are not what they count; both change in one transaction."""
    wrong = Repository.objects.annotate(counted=Count("like_rows")).exclude(likes=F("counted"))
    for row in wrong.select_related("namespace"):
        problem = f"the row says {row.likes}, {row.counted} people like it"
        yield Finding("likes", f"{row.kind} {row.repo_id}", problem)


def _repository(repository: Repository) -> Iterator[Finding]:
    subject = f"{repository.kind} {repository.repo_id}"
    store = repository.store()
    try:
        head = store.branch_head(repository.default_branch)
        if head != (repository.head_oid or None):
            repository.refresh_from_db(fields=["head_oid"])  # it may just have moved
            head = store.branch_head(repository.default_branch)
        if head != (repository.head_oid or None):
            problem = f"the row says {repository.head_oid or 'nothing'}, git says {head}"
            yield Finding("head", subject, problem)
        yield from _pointers(repository, store, subject)
    except HubError as error:
        yield Finding("repository", subject, str(error))


def _pointers(repository: Repository, store: GitStore, subject: str) -> Iterator[Finding]:
    """Large files that a branch, tag or proposal names and the repository may not read."""
    linked = dict(
        repository.object_links.values_list("stored_object__sha256", "stored_object__size_bytes")
    )
    removed = set(repository.removed_objects.values_list("sha256", flat=True))
    seen: set[str] = set()
    for ref in store.refs():
        if ref.oid in seen:
            continue
        seen.add(ref.oid)
        for entry in store.tree(ref.oid, recursive=True):
            if entry.lfs and entry.lfs.sha256 not in removed:
                yield from _pointer(entry, entry.lfs, linked, f"{subject} {ref.name}")


def _pointer(
    entry: Entry, pointer: Pointer, linked: dict[str, int], subject: str
) -> Iterator[Finding]:
    if pointer.sha256 not in linked:
        yield Finding("pointer", subject, f"{entry.path} names {pointer.sha256}, not linked")
    elif linked[pointer.sha256] != pointer.size_bytes:
        yield Finding("pointer", subject, f"{entry.path} claims another size")


def _strays() -> Iterator[Finding]:
    for folder in stray_folders(STRAY_AFTER):
        yield Finding("stray", folder.name, "a repository folder without a row")
    known = set(StoredObject.objects.values_list("scope", "sha256"))
    recent = timezone.now() - STRAY_AFTER
    for root in sorted(settings.OBJECTS_DIR.glob("*")):
        store = store_of(root.name)
        for path in store.stray_files(STRAY_AFTER):
            yield Finding("stray", f"{root.name}/{path.name}", "left behind by a killed upload")
        for blob in store.iter_blobs():
            place = store.path(blob.sha256)
            is_new = place is None or place.stat().st_ctime > recent.timestamp()
            if (root.name, blob.sha256) not in known and not is_new:
                yield Finding("stray", f"{root.name}/{blob.sha256}", "a file without a row")
