"""What a push asks for, read before git starts: which refs, from where to where.

Rules about names and numbers of refs are here; who may move which is the caller's to say.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.errors import BadInputError, HubError, TooLargeError
from hub.gitstore.packets import FLUSH, ByteStream, packet, read_packet, sideband
from hub.gitstore.paths import VISIBLE, check_ref_name

if TYPE_CHECKING:
    from hub.gitstore.store import GitStore

COMMANDS_LIMIT_BYTES = 1024**2
REFS_PER_PUSH_LIMIT = 100
REFS_LIMIT = 10_000
DRAIN_LIMIT_BYTES = 1024**3
ZERO_OID = "0" * 40

_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) (.+)", re.DOTALL)
_PUSHABLE = ("refs/heads/", "refs/tags/", "refs/pr/")


@dataclass(frozen=True)
class RefUpdate:
    """One line of a push. `old` None: the ref is to be made; `new` None: to be deleted."""

    ref: str
    old: str | None
    new: str | None


class ReplayedStream:
    """The request again from its start: what was read of it, then the rest as it comes."""

    def __init__(self, seen: bytes, rest: ByteStream, capabilities: frozenset[bytes]) -> None:
        self._seen, self._rest = seen, rest
        self.capabilities = capabilities

    def read(self, size: int, /) -> bytes:
        if self._seen:
            chunk, self._seen = self._seen[:size], self._seen[size:]
            return chunk
        return self._rest.read(size)


def read_commands(stream: ByteStream) -> tuple[list[RefUpdate], ReplayedStream]:
    """The ref updates at the head of a receive-pack request, and the request to hand to git.

    No updates at all is git's probe of its rights. Raises: BadInputError, TooLargeError.
    """
    seen, updates = bytearray(), list[RefUpdate]()
    capabilities = frozenset[bytes]()
    while True:
        raw, line = read_packet(stream)
        seen += raw
        if line is None:
            return updates, ReplayedStream(bytes(seen), stream, capabilities)
        if len(seen) > COMMANDS_LIMIT_BYTES:
            raise TooLargeError("This push names too many refs; push fewer at a time.")
        if line.startswith(b"shallow "):
            continue
        command, nul, rest = line.partition(b"\0")
        if nul:
            capabilities = frozenset(rest.split())
        updates.append(_parse(command.removesuffix(b"\n")))


def _parse(command: bytes) -> RefUpdate:
    found = _COMMAND.fullmatch(command)
    if found is None:
        raise BadInputError("This push has a line that names no ref update.")
    old, new, ref = (part.decode("utf-8", "replace") for part in found.groups())
    return RefUpdate(ref, old if old != ZERO_OID else None, new if new != ZERO_OID else None)


def check_updates(store: "GitStore", updates: list[RefUpdate]) -> dict[str, str]:
    """Why each refused ref is refused, by its name; empty when all names are fine."""
    if len(updates) > REFS_PER_PUSH_LIMIT:
        reason = f"one push moves at most {REFS_PER_PUSH_LIMIT} refs"
        return dict.fromkeys((update.ref for update in updates), reason)
    taken = {ref.casefold(): ref for ref in store.repository.references if ref.startswith(VISIBLE)}
    named = Counter(update.ref.casefold() for update in updates)
    reasons = {
        # git would carry out one after the other, the deletion of a ref before its new beginning.
        update.ref: "one push names each ref once, in whatever case"
        if named[update.ref.casefold()] > 1
        else _problem(update, taken)
        for update in updates
    }
    made = sum(update.ref.casefold() not in taken for update in updates)
    if made and len(taken) + made > REFS_LIMIT:
        full = f"a repository holds at most {REFS_LIMIT} refs"
        reasons = {update.ref: full for update in updates}
    return {ref: reason for ref, reason in reasons.items() if reason}


def _problem(update: RefUpdate, taken: Mapping[str, str]) -> str | None:
    same = taken.get(update.ref.casefold())
    if update.new is None and same == update.ref and update.ref.startswith(_PUSHABLE[:2]):
        return None  # whatever its name, it may go
    try:
        check_ref_name(update.ref)
    except HubError as error:
        return str(error)
    if not update.ref.startswith(_PUSHABLE):
        return "only branches, tags and refs/pr/N are pushed to"
    if update.ref.startswith("refs/pr/") and update.new is None:
        return "pull requests keep their heads; close it instead"
    if same is not None and same != update.ref:
        return f"{same} differs from it only in upper and lower case"
    return None


def refusal(updates: list[RefUpdate], body: ReplayedStream, reasons: Mapping[str, str]) -> bytes:
    """The answer to a push that nothing came of: git shows each ref's reason.

    The pack is read to its end first, else the client would see a broken connection instead.
    """
    drain(body, DRAIN_LIMIT_BYTES)
    general = next(iter(reasons.values()), "refused")
    report = [packet(b"unpack ok\n")]
    for update in updates:
        reason = " ".join(reasons.get(update.ref, f"refused with the others: {general}").split())
        report.append(packet(f"ng {update.ref} {reason}\n".encode()[:60_000]))
    status = b"".join(report) + FLUSH
    if not body.capabilities & {b"report-status", b"report-status-v2"}:
        status = b""
    if b"side-band-64k" in body.capabilities:
        words = "".join(f"{reason}\n" for reason in dict.fromkeys(reasons.values()))
        return sideband(2, words.encode()) + sideband(1, status) + FLUSH
    return status


def drain(stream: ByteStream, limit_bytes: int) -> None:
    while limit_bytes > 0 and (chunk := stream.read(64 * 1024)):
        limit_bytes -= len(chunk)
