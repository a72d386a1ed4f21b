"""What reviewers say about single items of a pull request: comments, and that a change will do.

Notes never change a verdict. They show only to those who may see the item they are about, and
what is refused reads alike whether an item is missing or may not be known (threat M5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hub.actions import audit
from hub.errors import BadInputError, ForbiddenError, NotFoundError
from hub.models import Access, Repository
from hub.policies import Actor
from training.actions.disclosure import Disclosed, may_see_items
from training.actions.examples import locate
from training.models import Benchmark, GateRecord, ItemNote, NoteKind, Pin
from training.policies import require_comment, require_maintainer

NOTE_LIMIT_BYTES = 16 * 1024
_NO_SUCH = "There is no such note in this pull request."
# The data set's key, the benchmark's path in it, the item: an item outlives a new digest.
Place = tuple[int, str, str]


@dataclass(frozen=True)
class Thread:
    """What was said about one item."""

    notes: Sequence[ItemNote] = ()
    pin: Pin | None = None

    @property
    def comments(self) -> list[ItemNote]:
        return [note for note in self.notes if note.kind == NoteKind.COMMENT]

    @property
    def acceptance(self) -> ItemNote | None:
        return next((note for note in self.notes if note.kind == NoteKind.ACCEPTABLE), None)


@dataclass(frozen=True)
class Talk:
    """Everything said about the items of a pull request that one reader may see."""

    threads: dict[tuple[str, str], Thread]

    def on(self, key: str, item: str) -> Thread:
        return self.threads.get((key, item)) or Thread()

    def _items(self, wanted: str) -> frozenset[str]:
        return frozenset(item for (_key, item), each in self.threads.items() if _has(each, wanted))

    @property
    def counts(self) -> dict[str, int]:
        """How many items have each kind of remark."""
        return {kind: len(self._items(kind)) for kind in REMARKS}

    def items(self, wanted: str) -> frozenset[str]:
        """The items with a remark of this kind: comment, acceptable or pin."""
        return self._items(wanted)


REMARKS = ("comment", "acceptable", "pin")


def _has(thread: Thread, wanted: str) -> bool:
    if wanted == "pin":
        return thread.pin is not None
    return bool(thread.comments) if wanted == "comment" else thread.acceptance is not None


def talk_of(repository: Repository, number: int, told: Disclosed) -> Talk:
    """Notes and pins on the items that the reader of `told` may see, and on no others."""
    ids = {result["benchmark"] for result in told.readable if result.get("benchmark")}
    rows = Benchmark.objects.filter(pk__in=ids).values_list("pk", "repository_id", "path")
    places = {pk: (repository_id, path) for pk, repository_id, path in rows}
    keys = {
        places[result["benchmark"]]: result["key"]
        for result in told.readable
        if result.get("benchmark") in places
    }
    notes: defaultdict[tuple[str, str], list[ItemNote]] = defaultdict(list)
    written = ItemNote.objects.filter(repository=repository.pk, pull_request_number=number)
    for note in written.select_related("author", "benchmark").defer("benchmark__spec"):
        place = (note.benchmark.repository_id, note.benchmark.path)
        if place in keys:
            notes[keys[place], note.item_id].append(note)
    pins: dict[tuple[str, str], Pin] = {}
    for pin in Pin.objects.filter(repository=repository.pk).select_related(
        "benchmark", "pinned_by"
    ):
        place = (pin.benchmark.repository_id, pin.benchmark.path)
        if place in keys:
            pins[keys[place], pin.item_id] = pin
    return Talk({at: Thread(notes.get(at, ()), pins.get(at)) for at in notes.keys() | pins.keys()})


@transaction.atomic
def comment_on_item(
    repository: Repository, number: int, actor: Actor, *, benchmark: str, item: str, body: str
) -> ItemNote:
    """Say something about an item of the newest verdict; `benchmark` is its key in the gate.

    Raises: UnauthenticatedError, ForbiddenError; NotFoundError; BadInputError.
    """
    user = require_comment(actor, repository)
    result = _locate(repository, number, actor, benchmark, item)
    note = ItemNote.objects.create(
        repository=repository,
        pull_request_number=number,
        benchmark_id=result["benchmark"],
        item_id=item,
        kind=NoteKind.COMMENT,
        body=_body(body),
        author=user,
    )
    announce_remark(repository, number, actor, "gate.item_commented", result["label_text"])
    return note


@transaction.atomic
def accept_item(
    repository: Repository, number: int, actor: Actor, *, benchmark: str, item: str, body: str = ""
) -> ItemNote:
    """Say for everybody that this item's change is acceptable; once said it stays as it was said.

    Raises: UnauthenticatedError, ForbiddenError without write access; NotFoundError;
    BadInputError.
    """
    user = require_maintainer(actor, repository, "Calling an example acceptable")
    result = _locate(repository, number, actor, benchmark, item)
    note, is_new = ItemNote.objects.get_or_create(
        repository=repository,
        pull_request_number=number,
        benchmark_id=result["benchmark"],
        item_id=item,
        kind=NoteKind.ACCEPTABLE,
        defaults={"author": user, "body": _body(body) if body.strip() else ""},
    )
    if is_new:
        announce_remark(repository, number, actor, "gate.item_accepted", result["label_text"])
    return note


@transaction.atomic
def remove_note(repository: Repository, number: int, actor: Actor, pk: int) -> None:
    """Take a note back: one's own comment, any as an administrator, an acceptance with write
    access.

    Raises: UnauthenticatedError, ForbiddenError; NotFoundError.
    """
    user = require_comment(actor, repository)
    rows = ItemNote.objects.filter(repository=repository.pk, pull_request_number=number, pk=pk)
    note = rows.select_related("benchmark").first()
    record = newest_record(repository, number)
    if note is None or not may_see_items(note.benchmark, record, actor):
        raise NotFoundError(_NO_SUCH)
    if note.kind == NoteKind.ACCEPTABLE:
        require_maintainer(actor, repository, "Taking that back")
    elif note.author_id != user.pk and not repository.may(Access.ADMIN):
        raise ForbiddenError("Only the person who wrote a comment may take it back.")
    note.delete()


def newest_record(repository: Repository, number: int) -> GateRecord | None:
    """The newest verdict on a pull request: what notes are about."""
    return GateRecord.objects.of(repository.pk, number).select_related("run").first()


def _locate(
    repository: Repository, number: int, actor: Actor, key: str, item: str
) -> dict[str, Any]:
    return locate(repository, newest_record(repository, number), actor, key, item)


def _body(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise BadInputError("The comment is empty: write something first.")
    if len(text.encode()) > NOTE_LIMIT_BYTES:
        raise BadInputError(f"The comment is longer than {NOTE_LIMIT_BYTES // 1024} KiB.")
    return text


def announce_remark(
    repository: Repository, number: int, actor: Actor, kind: str, benchmark: object
) -> None:
    """A line in the activity: it names the benchmark, never the item, which not all may know."""
    path = f"{repository.get_absolute_url()}/discussions/{number}"
    audit.announce(repository, actor, kind, path=path, number=number, benchmark=benchmark)
