"""Repositories get other names; the old ones lead to them."""

from __future__ import annotations

from functools import partial

from django.db import IntegrityError, OperationalError, transaction

from hub import events
from hub.actions import audit, large_files, outbox
from hub.actions.repositories import end_redirects
from hub.errors import ConflictError, ForbiddenError
from hub.jobs import lineage, search_index
from hub.models import Access, RepoId, Repository, RepositoryRedirect
from hub.models.repositories import check_name
from hub.policies import Actor, get_namespace

DEADLOCK = "40P01"


def move_repository(repository: Repository, actor: Actor, to: RepoId) -> Repository:
    """Rename a repository, within its namespace or into another one; the caller may administer it.

    Its large files follow in the same transaction, and the old name becomes a redirect. To move
    it where it is already is no fault, so that a request may be repeated.
    Raises: BadInputError, ForbiddenError; ConflictError when the name is taken or another moved it.
    """
    check_name(to.name)
    namespace = get_namespace(actor, to.namespace, need=Access.WRITE)
    if actor.is_limited and namespace.pk != repository.namespace_id:
        raise ForbiddenError("This token is limited to some repositories: it moves none away.")
    try:
        with transaction.atomic():
            row = Repository.objects.locked(repository.pk)
            if (row.namespace_id, row.name) == (namespace.pk, to.name):
                return row
            if (row.namespace_id, row.name) != (repository.namespace_id, repository.name):
                raise ConflictError(
                    f"{repository.repo_id} is called {row.repo_id} now: look again."
                )
            repository.refresh_from_db(fields=["visibility", *search_index.READ])
            repository.namespace, repository.name = namespace, to.name
            _carry_over(repository, row, actor)
    except IntegrityError:
        raise _taken(to) from None
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != DEADLOCK:
            raise
        raise ConflictError("Two repositories took each other's name at once: try again.") from None
    return repository


def _carry_over(repository: Repository, row: Repository, actor: Actor) -> None:
    repository.save(update_fields=["namespace", "name"])
    search_index.record(repository)
    large_files.move_scope(repository, source=row)
    end_redirects(repository.named_by)
    old = row.named_by
    if not Repository.objects.named(old).exists():  # only the case of letters may have changed
        RepositoryRedirect.objects.create(
            kind=row.kind, namespace=row.namespace, name=row.name, repository=repository
        )
    lineage.resolve({(old.kind, row.repo_id), (old.kind, repository.repo_id)})
    audit.record(actor, "repository.move", f"{old} → {repository.repo_id}", about=repository)
    audit.announce(
        repository, actor, "repository.moved", path=f"/{repository.path}", old=row.repo_id
    )
    outbox.moved(repository, row.repo_id)
    told = {"repository": repository, "old_repo_id": row.repo_id, "actor": actor.user}
    transaction.on_commit(partial(events.repository_moved.send_robust, Repository, **told))


def _taken(to: RepoId) -> ConflictError:
    taken = Repository.objects.named(to).select_related("namespace").first()
    # huggingface_hub's tests look for these words.
    name = taken.repo_id if taken else f"{to.namespace}/{to.name}"
    error = ConflictError(f"A {to.kind.value} repository called {name} already exists.")
    if taken:
        error.extra = {"url": taken.public_url()}
    return error
