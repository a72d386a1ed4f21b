"""git over smart HTTP, for any web framework: bytes in, an iterator of bytes out.

Source: gitprotocol-http(5). The caller decides who may; the service comes from the path (G6).
"""

import contextlib
import io
import logging
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping

from hub.errors import BadInputError, StorageUnavailableError
from hub.gitstore.bodies import Feeder, request_body
from hub.gitstore.conversation import CheckCard, CheckPointers, Conversation, OnMoved
from hub.gitstore.fetch import read_request, refused_want
from hub.gitstore.inspection import CHANNEL_VARIABLE
from hub.gitstore.packets import FLUSH, ByteStream, packet
from hub.gitstore.pointers import Pointer
from hub.gitstore.process import (
    CHUNK_BYTES,
    DEFAULT_LIMITS,
    HOOKS,
    GitFailedError,
    Limits,
    run_git,
    spawn_git,
)
from hub.gitstore.store import GitStore

__all__ = ["SERVICES", "Limits", "advertise", "request_body", "serve"]

SERVICES = ("git-upload-pack", "git-receive-pack")

_PROTOCOL = re.compile(r"version=[0-2]")
_log = logging.getLogger(__name__)


def advertise(store: GitStore, service: str, git_protocol: str | None) -> bytes:
    """The answer to `info/refs?service=…`, of type application/x-SERVICE-advertisement."""
    version = _version(service, git_protocol)
    arguments = [_program(service), "--stateless-rpc", "--http-backend-info-refs", str(store.path)]
    extra = {"GIT_PROTOCOL": version} if version else {}
    refs = run_git(store.path, *arguments, extra=extra).stdout
    if version == "version=2":
        return refs
    return packet(f"# service={service}\n".encode()) + FLUSH + refs


def serve(
    store: GitStore,
    service: str,
    stdin_stream: ByteStream,
    git_protocol: str | None,
    env: Mapping[str, str] | None = None,
    *,
    check_pointers: CheckPointers | None = None,
    check_card: CheckCard | None = None,
    on_moved: OnMoved | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[bytes]:
    """The answer to one RPC, of type application/x-SERVICE-result, as git makes it.

    For a push, `check_pointers` is asked, in the thread that iterates, before any ref moves: it
    returns why these large files are refused, or None (without it none are taken). `check_card`
    is asked the same about each README.md that changes. `on_moved` hears what moved before the
    answer ends. Closing the iterator ends git and all it started.
    Raises, at once: BadInputError, TooLargeError for the request of a fetch. While iterated:
    GitFailedError when nothing moves for `limits.idle_seconds`.
    """
    version = _version(service, git_protocol)
    extra = dict(env or {}) | ({"GIT_PROTOCOL": version} if version else {})
    arguments = [_program(service), "--stateless-rpc", str(store.path)]
    if service == "git-upload-pack":
        request = read_request(stdin_stream)
        if error := refused_want(store, request):
            return iter([error])
        return _exchange(store, arguments, io.BytesIO(request), extra, limits, None)
    _check_hooks()
    conversation = Conversation(store, check_pointers or _no_large_files, check_card, on_moved)
    return _exchange(store, arguments, stdin_stream, extra, limits, conversation)


def _program(service: str) -> str:
    if service not in SERVICES:
        raise BadInputError("The service is git-upload-pack or git-receive-pack.")
    return service.removeprefix("git-")


def _version(service: str, git_protocol: str | None) -> str | None:
    if service == "git-receive-pack" or not _PROTOCOL.fullmatch(git_protocol or ""):
        return None
    return git_protocol


def _no_large_files(pointers: list[Pointer]) -> str | None:
    return "Large files are not taken here." if pointers else None


def _check_hooks() -> None:
    # git passes over a hook it cannot execute without a word; then no push may run at all.
    for name in ("pre-receive", "post-receive"):
        if not os.access(HOOKS / name, os.X_OK):
            raise StorageUnavailableError(f"The hub's {name} hook is not executable: chmod +x it.")


def _exchange(
    store: GitStore,
    arguments: list[str],
    source: ByteStream,
    extra: dict[str, str],
    limits: Limits,
    talk: Conversation | None,
) -> Iterator[bytes]:
    descriptors = []
    if talk:
        descriptors = [talk.theirs.fileno()]
        extra = extra | {CHANNEL_VARIABLE: str(descriptors[0])}
    with tempfile.TemporaryFile() as errors:
        try:
            with spawn_git(
                store.path,
                arguments,
                stdin=subprocess.PIPE,
                stderr=errors,
                limits=limits,
                extra=extra,
                pass_fds=descriptors,
            ) as process:
                if talk:
                    talk.theirs.close()
                yield from _pump(process, Feeder(source, process.stdin, limits), limits, talk)
        finally:
            if talk:
                talk.close()
        if process.returncode:
            errors.seek(0)
            _log.info("git %s: %s", arguments[0], errors.read(2000).decode("utf-8", "replace"))


def _pump(
    process: subprocess.Popen[bytes],
    feeder: Feeder,
    limits: Limits,
    talk: Conversation | None,
) -> Iterator[bytes]:
    """What git answers, while its input is fed and its hooks are heard."""
    assert process.stdout is not None  # noqa: S101, spawn_git always asks for a pipe
    sent, moved_at = 0, time.monotonic()
    feeder.start()
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if talk:
                selector.register(talk.ours, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(1.0):
                    moved_at = time.monotonic()
                    if talk and key.fileobj is talk.ours:
                        if not talk.hear():
                            selector.unregister(talk.ours)
                    elif chunk := process.stdout.read(CHUNK_BYTES):
                        sent += len(chunk)
                        if sent > limits.output_bytes:
                            raise GitFailedError("This answer is too large to send.")
                        yield chunk
                        moved_at = time.monotonic()
                    else:
                        selector.unregister(process.stdout)
                if time.monotonic() - max(moved_at, feeder.moved_at) > limits.idle_seconds:
                    raise GitFailedError(f"Nothing moved for {limits.idle_seconds:.0f} seconds.")
        if talk:
            talk.finish()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limits.idle_seconds)
        feeder.join(limits.idle_seconds)  # the next request on this connection begins after it
    finally:
        feeder.stopped = True
