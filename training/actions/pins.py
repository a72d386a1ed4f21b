"""Examples that no later proposal may lose: pinned from a pull request, looked at in every gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hub.actions import audit
from hub.errors import BadInputError, NotFoundError
from hub.models import Repository
from hub.policies import Actor
from training.actions.examples import locate
from training.actions.notes import announce_remark, newest_record
from training.jobs.pins import place_of
from training.jobs.questions import Question, question_columns, questions_at
from training.models import Benchmark, GateRecord, Pin
from training.policies import readable_repositories, require_maintainer
from training.statistics.metrics import METRICS

NOTE_LIMIT = 300
RECORDS_LOOKED_AT = 20


@dataclass(frozen=True)
class PinnedExample:
    """A pin with the text of its item, and how it fared in the newest gate that looked at it."""

    pin: Pin
    question: Question | None
    state: str = ""
    seen_in: int | None = None

    @property
    def is_asked(self) -> bool:
        """Whether its benchmark still has the item."""
        return self.question is not None


@transaction.atomic
def pin_item(
    repository: Repository, number: int, actor: Actor, *, benchmark: str, item: str, note: str = ""
) -> Pin:
    """Keep an item of the newest verdict as a regression test; one that is pinned stays as it is.

    Raises: UnauthenticatedError, ForbiddenError without write access; NotFoundError;
    BadInputError.
    """
    user = require_maintainer(actor, repository, "Pinning an example")
    result = locate(repository, newest_record(repository, number), actor, benchmark, item)
    if not is_pinnable(result):
        raise BadInputError(
            "Only examples that are right or wrong can be pinned: those of "
            f"{result['label_text']} have scores that move a little with every change."
        )
    text = " ".join(note.replace("\x00", "").split())
    if len(text) > NOTE_LIMIT:
        raise BadInputError(f"The note is longer than {NOTE_LIMIT} characters: shorten it.")
    values = {
        "benchmark_id": result["benchmark"],
        "note": text,
        "pull_request_number": number,
        "pinned_by": user,
    }
    place = place_of(result["reference"])
    pin, is_new = Pin.objects.get_or_create(
        repository=repository, reference=place, item_id=item, defaults=values
    )
    if is_new:
        _audit(repository, actor, "pin", pin)
        announce_remark(repository, number, actor, "gate.item_pinned", result["label_text"])
    return pin


def is_pinnable(result: Mapping[str, Any]) -> bool:
    """Whether the items of a result are right or wrong, so that one can be lost."""
    return METRICS[str(result["metric"])].binary


@transaction.atomic
def unpin(repository: Repository, actor: Actor, pk: int) -> None:
    """Let an example go. Raises: UnauthenticatedError, ForbiddenError, NotFoundError."""
    require_maintainer(actor, repository, "Unpinning an example")
    rows = Pin.objects.filter(repository=repository.pk, pk=pk).select_related("benchmark")
    pin = rows.first()
    if pin is None or not _may_see(actor, pin):
        raise NotFoundError("There is no such pinned example here.")
    _audit(repository, actor, "unpin", pin)
    path = f"{repository.get_absolute_url()}/runs/pins"
    audit.announce(
        repository, actor, "gate.item_unpinned", path=path, benchmark=pin.benchmark.label
    )
    pin.delete()


def pins_of(repository: Repository, actor: Actor) -> tuple[list[Pin], int]:
    """The pins that `actor` may see, the newest first, and how many there are beside them."""
    rows = Pin.objects.filter(repository=repository.pk).select_related(
        "pinned_by", "benchmark__repository__namespace", "benchmark__items_repository__namespace"
    )
    pins = list(rows.defer("benchmark__spec").order_by("-pk"))
    places = {place for pin in pins for place in _places(pin)}
    readable = readable_repositories(actor, places) if places else set()
    seen = [pin for pin in pins if _places(pin) <= readable]
    return seen, len(pins) - len(seen)


def with_texts(repository: Repository, pins: Sequence[Pin]) -> list[PinnedExample]:
    """`pins` with what they ask and how they last fared."""
    questions = _questions(pins)
    fared = _fared(repository)
    return [
        PinnedExample(pin, questions.get(pin.pk), *fared.get(pin.pk, ("", None))) for pin in pins
    ]


def _questions(pins: Sequence[Pin]) -> dict[int, Question]:
    """The text of each pin's item, from the newest digest of its benchmark that has texts."""
    by_place: defaultdict[tuple[int, str], list[Pin]] = defaultdict(list)
    for pin in pins:
        by_place[pin.benchmark.repository_id, pin.benchmark.path].append(pin)
    found: dict[int, Question] = {}
    for (repository_id, path), some in by_place.items():
        rows = Benchmark.objects.at(repository_id, path).exclude(questions_sha256="")
        newest = rows.select_related("items_repository__namespace").defer("spec").first()
        if newest is None:
            continue
        wanted = {pin.item_id for pin in some}
        ids = question_columns(newest, ["id"])["id"]
        places = {item: row for row, item in enumerate(ids) if item in wanted}
        texts = questions_at(newest, places.values())
        found |= {p.pk: texts[places[p.item_id]] for p in some if p.item_id in places}
    return found


def _fared(repository: Repository) -> dict[int, tuple[str, int]]:
    """The state of each pin, and the pull request it was seen in, by the newest records."""
    rows = GateRecord.objects.filter(repository=repository.pk).exclude(sentence__pins=[])
    newest = rows.order_by("-pk").values_list("sentence__pins", "pull_request_number")
    found: dict[int, tuple[str, int]] = {}
    for pins, number in newest[:RECORDS_LOOKED_AT]:
        for told in pins or ():
            found.setdefault(told["pin"], (told["state"], number))
    return found


def _places(pin: Pin) -> set[int]:
    return {pin.benchmark.repository_id, pin.benchmark.items_repository_id}


def _may_see(actor: Actor, pin: Pin) -> bool:
    return _places(pin) <= readable_repositories(actor, _places(pin))


def _audit(repository: Repository, actor: Actor, verb: str, pin: Pin) -> None:
    """What later proposals are judged by has changed."""
    subject = f"{repository.path}: {pin.item_id} of {pin.reference}"
    audit.record(actor, f"gate.{verb}", subject)
