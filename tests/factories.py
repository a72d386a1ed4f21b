"""Rows and repositories for tests: functions with keyword overrides."""

from __future__ import annotations

import itertools
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from hub.gitstore import AddFile, Author, GitStore
from hub.models import (
    Access,
    AccessToken,
    Kind,
    Membership,
    Namespace,
    NamespaceKind,
    Repository,
    TokenScope,
    User,
)
from hub.policies import Actor

_numbers = itertools.count(1)
PASSWORD = "correct horse battery"
TESTER = Author("tester", "tester@example.org")


def make_user(username: str | None = None, **overrides: Any) -> User:
    """A person with a namespace of their own."""
    name = username or f"person{next(_numbers)}"
    user = User.objects.create_user(name, password=PASSWORD, **overrides)
    namespace = Namespace.objects.create(slug=name, kind=NamespaceKind.USER, owner=user)
    Membership.objects.create(namespace=namespace, user=user, access=Access.ADMIN)
    return user


def make_organization(slug: str | None = None, **overrides: Any) -> Namespace:
    slug = slug or f"org{next(_numbers)}"
    return Namespace.objects.create(slug=slug, kind=NamespaceKind.ORGANIZATION, **overrides)


def make_member(namespace: Namespace, *, access: Access | None, **overrides: Any) -> User:
    """A person who holds `access` in `namespace`; None for a stranger."""
    user = make_user(**overrides)
    if access is not None:
        Membership.objects.create(namespace=namespace, user=user, access=access)
    return user


@cache
def _template() -> Path:
    path = settings.DATA_DIR / "template.git"
    GitStore.create(
        path,
        files={
            "README.md": b"---\nlicense: mit\n---\n# A model\n",
            ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        },
        author=TESTER,
    )
    return path


def lay_template(repository: Repository) -> None:
    """Give `repository` the template's commits, in place of those it may have."""
    path = repository.store().path
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_template(), path)


def make_repository(
    namespace: Namespace | None = None, *, files: dict[str, bytes] | None = None, **overrides: Any
) -> Repository:
    """A repository with a card on `main`; `files` are committed on top."""
    namespace = namespace or make_organization()
    values = {"kind": Kind.MODEL, "name": f"repo{next(_numbers)}"} | overrides
    repository = Repository.objects.create(namespace=namespace, **values)
    lay_template(repository)
    if files:
        commit_files(repository, files)
    repository.head_oid = repository.store().resolve("main")
    repository.save(update_fields=["head_oid"])
    repository.access = Access.ADMIN
    return repository


def commit_files(
    repository: Repository,
    files: dict[str, bytes],
    *,
    ref: str = "refs/heads/main",
    message: str = "Change files",
) -> str:
    """Put `files` on `ref`, past every check, and return the commit's oid."""
    store = repository.store()
    parent = store.resolve(ref)
    operations = [AddFile(path, content) for path, content in files.items()]
    return store.commit(
        ref=ref,
        parent=parent,
        operations=operations,
        message=message,
        author=TESTER,
        expect=parent,
    )


def make_token(user: User, *, scope: str = TokenScope.WRITE, **overrides: Any) -> str:
    """The secret of a new token."""
    _token, secret = AccessToken.objects.issue(user, name="test", scope=scope, **overrides)
    return secret


def actor(user: User | None = None) -> Actor:
    return Actor(user or AnonymousUser())
