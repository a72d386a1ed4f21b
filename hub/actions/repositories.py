"""Repositories: created, shown to more or fewer people, removed."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from hub import events
from hub.actions import audit, large_files, outbox
from hub.actions.commits import CARD, author_of, check_card
from hub.actions.room import require_room
from hub.actions.tokens import end_tokens_limited_to
from hub.errors import BadInputError, ConflictError, ForbiddenError
from hub.gitstore import GitStore
from hub.jobs import lineage
from hub.jobs.refresh import apply, derive
from hub.models import (
    Access,
    Kind,
    Namespace,
    RepoId,
    Repository,
    RepositoryRedirect,
    Visibility,
)
from hub.models.repositories import check_name
from hub.policies import Actor, get_namespace

_SUFFIXES = (
    "7z arrow avro bin bz2 ckpt ftz gguf gz h5 joblib lz4 mds mlmodel model msgpack npy npz onnx "
    "ot parquet pb pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst"
)
LARGE_PATTERNS = [
    *(f"*.{suffix}" for suffix in _SUFFIXES.split()),
    "*.tar.*",
    "*tfevents*",
    "saved_model/**/*",
]
GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE_PATTERNS
).encode()
GATES = {False: "", "auto": "auto", "manual": "manual"}


Fill = Callable[[Repository, Actor], GitStore]


def create_repository(
    actor: Actor,
    repo: RepoId,
    *,
    visibility: str | None = None,
    like: Repository | None = None,
    fill: Fill | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Repository:
    """Create a repository whose first commit holds `.gitattributes`, `files`, a Space's card.

    The row and the folder stand together: the folder is made before the row is committed, and
    one without a row is tidied away. `like`: a repository whose settings it takes, `fill`: what
    makes its folder in place of the first commit. `visibility` None takes the namespace's default,
    and is private where that of `like` is.
    Raises: BadInputError, ForbiddenError; ConflictError with its URL when the name is taken.
    """
    check_name(repo.name)
    namespace = get_namespace(actor, repo.namespace, need=Access.WRITE)
    if actor.is_limited:
        raise ForbiddenError("This token is limited to some repositories and cannot create others.")
    is_private = namespace.private_by_default or (like is not None and like.is_private)
    default = Visibility.PRIVATE if is_private else Visibility.PUBLIC
    repository = Repository(
        kind=repo.kind,
        namespace=namespace,
        name=repo.name,
        visibility=_known_visibility(visibility or default),
        created_by=actor.person,
        default_branch=like.default_branch if like else "main",
        gated=like.gated if like else "",
    )
    _require_free(repo)
    _check_card(repository, files)
    require_room()
    try:
        with transaction.atomic():
            _save_with_folder(repository, actor, fill or partial(_first_commit, files or {}))
    except IntegrityError:
        _require_free(repo)
        raise
    return repository


def _known_visibility(visibility: str) -> str:
    if visibility not in Visibility.values:
        raise BadInputError(f"Visibility is one of {', '.join(Visibility.values)}.")
    return visibility


def require_free_name(repo: RepoId) -> None:
    """Refuse a name that cannot be one, or is taken. Raises: BadInputError, ConflictError."""
    check_name(repo.name)
    _require_free(repo)


def _require_free(repo: RepoId) -> None:
    taken = Repository.objects.named(repo).select_related("namespace").first()
    if taken is not None:
        error = ConflictError(f"You already have a {taken.kind} called {taken.repo_id}.")
        error.extra = {"url": taken.public_url()}
        raise error


def end_redirects(repo: RepoId) -> None:
    """Whoever takes a name ends the redirect from it. Call it once the name is taken."""
    RepositoryRedirect.objects.named(repo).delete()


def _save_with_folder(repository: Repository, actor: Actor, fill: Fill) -> None:
    repository.save()
    end_redirects(repository.named_by)
    audit.record(
        actor, "repository.create", f"{repository.kind} {repository.repo_id}", about=repository
    )
    audit.announce(repository, actor, "repository.created", path=f"/{repository.path}")
    head = fill(repository, actor).branch_head(repository.default_branch)
    columns = derive(repository, head) if head else {}
    lineage.hold_new(repository, columns)
    if columns:
        apply(repository, columns)
    lineage.resolve({(repository.kind, repository.repo_id)})
    repository.access = Access.ADMIN
    outbox.created(repository)
    told = {"repository": repository, "actor": actor.user}
    transaction.on_commit(partial(events.repository_created.send_robust, Repository, **told))


def _first_commit(files: Mapping[str, bytes], repository: Repository, actor: Actor) -> GitStore:
    return GitStore.create(
        repository.store().path,
        default_branch=repository.default_branch,
        files={".gitattributes": GITATTRIBUTES} | _first_files(repository) | dict(files),
        author=author_of(actor),
    )


def _check_card(repository: Repository, files: Mapping[str, bytes] | None) -> None:
    if files and CARD in files:
        check_card(repository, files[CARD])


def _first_files(repository: Repository) -> dict[str, bytes]:
    """Clients expect a card in a new Space, and in nothing else."""
    if repository.kind != Kind.SPACE:
        return {}
    return {"README.md": f"---\ntitle: {json.dumps(repository.name)}\n---\n".encode()}


@transaction.atomic
def delete_repository(repository: Repository, actor: Actor) -> None:
    """Remove a repository for good. Its large files stay while other repositories link them.

    Raises: ConflictError when something that must be kept stands on it.
    """
    gone = copy.copy(repository)
    end_tokens_limited_to(repository, actor)
    audit.record(
        actor, "repository.delete", f"{gone.kind} {gone.repo_id}", old=gone.head_oid, about=gone
    )
    outbox.removed(repository)
    lineage.hold(lineage.names_of(repository))
    repository.multipart_uploads.all().end()
    try:
        repository.delete()
    except ProtectedError as error:
        kept = {type(row)._meta.verbose_name_plural for row in error.protected_objects}
        names = ", ".join(sorted(map(str, kept)))
        raise ConflictError(f"{gone.repo_id} is still used by {names}: end those first.") from None
    transaction.on_commit(partial(remove_folder, gone.store().path))
    told = {"repository": gone, "actor": actor.user}
    transaction.on_commit(partial(events.repository_removed.send_robust, Repository, **told))


def remove_folder(path: Path) -> None:
    """Make a repository's folder vanish at once, then free its space."""
    aside = path.with_name(f".gone-{path.name}")
    with suppress(FileNotFoundError):
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


@transaction.atomic
def update_settings(
    repository: Repository,
    actor: Actor,
    *,
    visibility: str | None = None,
    gated: str | bool | None = None,
) -> Repository:
    """Change who may see a repository, at once; what is None stays.

    Its large files move to the store of the new visibility before anything is committed.
    Raises: BadInputError; ConflictError when it has just moved to another namespace.
    """
    row = Repository.objects.locked(repository.pk)
    if row.namespace_id != repository.namespace_id:  # whose store and whose people are others
        raise ConflictError(f"{repository.repo_id} is called {row.repo_id} now: look again.")
    # What this request has fetched may be older than another's change.
    repository.visibility, repository.gated = row.visibility, row.gated
    if visibility is not None and _known_visibility(visibility) != row.visibility:
        repository.visibility = visibility
        large_files.move_scope(repository, source=row)
        audit.record(
            actor,
            "repository.visibility",
            f"{repository.kind} {repository.repo_id}",
            old=row.visibility,
            new=visibility,
            about=repository,
        )
    if gated is not None:
        if gated not in GATES:
            raise BadInputError("“gated” is “auto”, “manual” or false.")
        repository.gated = GATES[gated]
        subject = f"{repository.kind} {repository.repo_id}"
        audit.record(
            actor,
            "repository.gated",
            subject,
            old=row.gated,
            new=repository.gated,
            about=repository,
        )
    repository.save(update_fields=["visibility", "gated"])
    changes = {
        name: getattr(repository, name)
        for name in ("visibility", "gated")
        if getattr(repository, name) != getattr(row, name)
    }
    if changes:
        outbox.changed(repository)
        told = {"repository": repository, "changes": changes, "actor": actor.user}
        transaction.on_commit(partial(events.repository_changed.send_robust, Repository, **told))
    return repository


def namespaces_to_create_in(actor: Actor) -> list[Namespace]:
    """Where a person may create repositories: their own namespace first."""
    found = Namespace.objects.filter(
        memberships__user=actor.user.pk, memberships__access__gte=Access.WRITE
    )
    return sorted(found, key=lambda namespace: (namespace.owner_id is None, namespace.slug))
