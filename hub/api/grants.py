"""Leave to do one thing in one repository, sealed so that it can travel in a URL or a header.

A grant names the person and token it was given to; whoever shows it may do no more than they may
at that moment: a revoked token or a repository made private ends it at once (threats D4, D6).
"""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from django.utils.crypto import constant_time_compare, salted_hmac

from hub.errors import InvalidCredentialsError, RepositoryNotFoundError
from hub.models import AccessToken, Kind, RepoId, Repository, User
from hub.policies import ANONYMOUS, Actor, get_repository, repository_by_key

_SEAL = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,18})\.(\d{1,12})\.([0-9a-f]{64})", re.ASCII)


class Act(StrEnum):
    """What a grant is for."""

    LFS_PUT = "PUT large file"
    LFS_GET = "GET large file"
    LFS_VERIFY = "POST large file verify"
    LFS_PART = "PUT part of large file"
    LFS_FINISH = "POST finish large file"
    XET_READ = "xet read"
    XET_WRITE = "xet write"
    XET_FETCH = "GET xorb"


@dataclass(frozen=True)
class Grant:
    """`subject` is what it is about: an object's id and size, or the store a token opens.

    `user_id` and `token_id` are 0 where there is none; `expires_at` is in Unix seconds.
    """

    act: Act
    repository_id: int
    user_id: int
    token_id: int
    expires_at: int
    subject: tuple[str, ...] = ()

    @classmethod
    def give(
        cls, act: Act, actor: Actor, repository: Repository, *subject: str, lifetime: timedelta
    ) -> Grant:
        """A grant for `actor`, who was found to have the right to `act`."""
        user_id = actor.user.pk if actor.is_signed_in else 0
        token_id = actor.token.pk if actor.token else 0
        expires_at = int(time.time() + lifetime.total_seconds())
        return cls(act, repository.pk, user_id or 0, token_id, expires_at, subject)

    @classmethod
    def open(cls, seal: str, act: Act, *subject: str) -> Grant:
        """The grant that was sealed for this very act and subject and has not expired.

        Raises: InvalidCredentialsError.
        """
        found = _SEAL.fullmatch(seal)
        if found is None:
            raise InvalidCredentialsError("This address or token is not one that the hub gave out.")
        repository_id, user_id, token_id, expires_at = map(int, found.groups()[:4])
        grant = cls(act, repository_id, user_id, token_id, expires_at, subject)
        if not constant_time_compare(found[5], grant._mac()):
            raise InvalidCredentialsError("This address or token was changed: ask for a new one.")
        if grant.expires_at < time.time():
            raise InvalidCredentialsError("This address or token has expired: ask for a new one.")
        return grant

    def seal(self) -> str:
        """The grant as text. What it is about is not in it and must travel beside it."""
        numbers = (self.repository_id, self.user_id, self.token_id, self.expires_at)
        return f"{'.'.join(map(str, numbers))}.{self._mac()}"

    def also(self, act: Act, *subject: str) -> Grant:
        """The same person's leave for another act, as long as this one lasts."""
        return replace(self, act=act, subject=subject)

    def _mac(self) -> str:
        numbers = (self.repository_id, self.user_id, self.token_id, self.expires_at)
        fields = [str(part).encode() for part in (self.act, *numbers, *self.subject)]
        # Each field after its length: no two lists of fields make the same message.
        message = b"".join(struct.pack(">I", len(field)) + field for field in fields)
        return salted_hmac("hub.api.grants", message, algorithm="sha256").hexdigest()

    def actor(self) -> Actor:
        """The person it was given to, looked up once a grant, which lives as long as a request.

        Raises: InvalidCredentialsError when they or it are gone.
        """
        return self._actor

    @cached_property
    def _actor(self) -> Actor:
        if not self.user_id:
            return ANONYMOUS
        if self.token_id:
            token = AccessToken.objects.live().filter(pk=self.token_id, user=self.user_id).first()
            if token is not None:
                return Actor(token.user, token)
        else:
            user = User.objects.filter(pk=self.user_id, is_active=True).first()
            if user is not None:
                return Actor(user)
        raise InvalidCredentialsError("The access token was revoked: sign in again.")

    def repository(self) -> Repository:
        """The repository, as its person may see it now. Raises: RepositoryNotFoundError."""
        if found := repository_by_key(self.actor(), self.repository_id):
            return found
        rows = Repository.objects.filter(pk=self.repository_id).select_related("namespace")
        row = rows.first()
        if row is None:
            raise RepositoryNotFoundError("The repository is gone.")
        return get_repository(self.actor(), RepoId(Kind(row.kind), row.namespace.slug, row.name))
