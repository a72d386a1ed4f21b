"""What a fetch may ask for: commits that some ref reaches (threat D5).

Protocol version 2 gives any object to whoever knows its id; without this, commits of a deleted
branch could still be fetched by theirs.
"""

import re

import pygit2
from pygit2.enums import ObjectType

from hub.errors import TooLargeError
from hub.gitstore.packets import ByteStream, packet, read_exactly
from hub.gitstore.process import run_git
from hub.gitstore.store import GitStore

REQUEST_LIMIT_BYTES = 8 * 1024**2

_WANT = re.compile(rb"want ([0-9a-fA-F]{40})")


def read_request(stream: ByteStream) -> bytes:
    """The whole upload-pack request; it only lists ids. Raises TooLargeError."""
    body = read_exactly(stream, REQUEST_LIMIT_BYTES + 1)
    if len(body) > REQUEST_LIMIT_BYTES:
        raise TooLargeError("This fetch lists too many commits; clone afresh instead.")
    return body


def refused_want(store: GitStore, request: bytes) -> bytes | None:
    """git's error line when the request wants a commit that no ref reaches; else None.

    Single files and folders, which partial clones ask for later, are given by their id.
    """
    wanted = {found.decode().lower() for found in _WANT.findall(request)}
    repository = store.repository
    wanted -= {str(repository.lookup_reference(ref).target) for ref in repository.references}
    commits = sorted(oid for oid in wanted if _is_commit(repository, oid))
    if not commits:
        return None
    asked = "".join(f"{oid}\n" for oid in commits).encode()
    arguments = ["--max-count=1", "--stdin", "--not", "--all"]
    if not run_git(store.path, "rev-list", *arguments, stdin=asked).stdout:
        return None
    return packet(b"ERR upload-pack: no ref of this repository reaches what was asked for\n")


def _is_commit(repository: pygit2.Repository, oid: str) -> bool:
    try:
        return repository.odb.read_header(oid)[0] in (ObjectType.COMMIT, ObjectType.TAG)
    except KeyError:
        return False  # git says itself that it has no such object
