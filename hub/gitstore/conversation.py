"""The hub's side of the talk with the hooks of one push, over a socket that they inherit."""

import base64
import socket
from collections.abc import Callable

from hub.gitstore.pointers import Pointer
from hub.gitstore.process import CHUNK_BYTES
from hub.gitstore.receive import ZERO_OID, RefUpdate
from hub.gitstore.refs import keep_head, sync_ref
from hub.gitstore.store import GitStore

CheckPointers = Callable[[list[Pointer]], str | None]
CheckCard = Callable[[bytes], str | None]
OnMoved = Callable[[list[RefUpdate]], None]

POINTERS_LIMIT = 200_000


class Conversation:
    """What the hooks say is gathered; they are answered once, when the content is known."""

    def __init__(
        self,
        store: GitStore,
        check_pointers: CheckPointers,
        check_card: CheckCard | None,
        on_moved: OnMoved | None,
    ) -> None:
        self.ours, self.theirs = socket.socketpair()
        self._store, self._check, self._on_moved = store, check_pointers, on_moved
        self._check_card, self._problem = check_card, ""
        self._rest = b""
        self._pointers: list[Pointer] = []
        self._left: list[tuple[str, str]] = []
        self._moved: list[RefUpdate] = []

    def hear(self) -> bool:
        """Take in what the hooks said and answer. False when they have all gone."""
        data = self.ours.recv(CHUNK_BYTES)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace").split(" ", 3))
        return bool(data)

    def _take(self, words: list[str]) -> None:
        match words:
            case ["pointer", sha256, size, pointer_size]:
                self._pointers.append(Pointer(sha256, int(size), int(pointer_size)))
            case ["card", content] if self._check_card and not self._problem:
                self._problem = self._check_card(base64.b64decode(content)) or ""
            case ["moved", old, new, ref]:
                old_oid, new_oid = (oid if oid != ZERO_OID else None for oid in (old, new))
                self._moved.append(RefUpdate(ref, old_oid, new_oid))
            case ["leaves", oid, ref]:
                self._left.append((ref, oid))
            case ["end"]:
                self._answer()

    def _answer(self) -> None:
        if self._problem:
            problem: str | None = self._problem
        elif len(self._pointers) > POINTERS_LIMIT:
            problem = f"One push names at most {POINTERS_LIMIT} large files."
        else:
            problem = self._check(self._pointers)
        for ref, oid in self._left:
            if ref.startswith("refs/pr/") and not problem:
                keep_head(self._store.path, ref, oid)
        text = "refuse " + " ".join(problem.split()) if problem else "ok"
        self.ours.sendall(text.encode() + b"\n")

    def finish(self) -> None:
        """Make what moved durable, then say so."""
        for update in self._moved:
            sync_ref(self._store.path, update.ref)
        if self._moved and self._on_moved:
            self._on_moved(self._moved)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
