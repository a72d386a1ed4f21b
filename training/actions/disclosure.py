"""A verdict as one reader may see it: the one gate between the record and pages, API and errors.

Numbers of a benchmark are for whoever reads the model's repository; its items, and the names that
its rows give to groups, for whoever may read its data sets; those of a hidden benchmark never for
the author of the proposal, who sees a verdict and coarse scores (threat M5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from hub.models import Kind
from hub.policies import Actor, visible_repositories
from training.jobs.disclosure import coarse, coarse_look
from training.models import Benchmark, GateRecord
from training.policies import readable_repositories
from training.statistics.contamination import ERROR_SHARE

Result = dict[str, Any]


@dataclass(frozen=True)
class Disclosed:
    """What may be told of `record`.

    `results` are all of them, coarse where they have to be; `readable` those whose items may be
    seen, with every number. `unnamed_data` counts declared data sets whose names are withheld,
    `unseen_pins` pinned items whose data sets the reader may not read.
    """

    record: GateRecord
    results: list[Result]
    readable: list[Result] = field(default_factory=list)
    looks: list[dict[str, Any]] = field(default_factory=list)
    contamination: dict[str, Any] = field(default_factory=dict)
    pins: list[dict[str, Any]] = field(default_factory=list)
    unseen_pins: int = 0
    unreadable_data: list[str] = field(default_factory=list)
    unnamed_data: int = 0

    @property
    def keys(self) -> set[str]:
        """Benchmarks whose items the reader may see."""
        return {result["key"] for result in self.readable}

    @property
    def hidden(self) -> list[str]:
        """The names of the others, for people."""
        keys = self.keys
        return [result["label_text"] for result in self.results if result["key"] not in keys]


def disclose(record: GateRecord, actor: Actor) -> Disclosed:
    """`record` as `actor` may see it."""
    readable, _names = readable_results(record, actor)
    keys = {result["key"] for result in readable}
    results = [_told(result, result["key"] in keys) for result in record.results]
    vague = [result["key"] for result in results if result.get("is_coarse")]
    pins = record.sentence.get("pins", [])
    data = record.sentence.get("unreadable_data", [])
    contamination = record.contamination
    named = _visible_names([*data, *contamination.get("sources", [])], actor)
    return Disclosed(
        record=record,
        results=results,
        readable=readable,
        looks=[coarse_look(look, vague) for look in record.looks],
        contamination=_clean(contamination, keys, named, vague),
        pins=[pin for pin in pins if pin["benchmark"] in keys],
        unseen_pins=sum(pin["benchmark"] not in keys for pin in pins),
        unreadable_data=[name for name in data if name.lower() in named],
        unnamed_data=sum(name.lower() not in named for name in data),
    )


def readable_results(record: GateRecord, actor: Actor) -> tuple[list[Result], list[str]]:
    """The results whose items `actor` may see, and the names of the others (threat M5)."""
    wanted = {r["items_repository_id"] for r in record.results}
    wanted |= {r["repository_id"] for r in record.results}
    readable = readable_repositories(actor, wanted) if wanted else set()
    is_author = actor.person is not None and actor.person.pk == author_of(record)
    seen, hidden = [], []
    for result in record.results:
        needed = {result["items_repository_id"], result["repository_id"]}
        if needed <= readable and not (result.get("hidden") and is_author):
            seen.append(result)
        else:
            hidden.append(result["label_text"])
    return seen, hidden


def may_see_items(benchmark: Benchmark, record: GateRecord | None, actor: Actor) -> bool:
    """Whether `actor` may see items of `benchmark` in the pull request that `record` is about."""
    needed = {benchmark.repository_id, benchmark.items_repository_id}
    if not needed <= readable_repositories(actor, needed):
        return False
    if record is None or actor.person is None or actor.person.pk != author_of(record):
        return True
    asked = (r for r in record.results if r["repository_id"] == benchmark.repository_id)
    is_hidden = benchmark.is_hidden_in(record.repository_id)
    return not is_hidden and not any(result.get("hidden") for result in asked)


def author_of(record: GateRecord) -> int | None:
    """The person who proposes what the record is about."""
    found = getattr(record, "author_id", None)
    return found if found is not None else record.run.spec["change"].get("author_id")


def _told(result: Result, is_readable: bool) -> Result:
    if is_readable:
        return result
    return coarse(result) if result.get("hidden") else result | {"groups": []}


def _clean(
    contamination: dict[str, Any], keys: set[str], named: set[str], vague: Iterable[str]
) -> dict[str, Any]:
    """The report without item ids of other data sets, and without names that may not be known.

    Of a hidden benchmark, `vague`, nothing is told of what was found: whoever declares a text could
    else ask whether it is one of its items.
    """
    if not contamination:
        return {}
    sources = contamination.get("sources", [])
    seen = [source for source in sources if source.lower() in named]
    return contamination | {
        "sources": seen,
        "unnamed": len(sources) - len(seen),
        "unread": [
            line for line in contamination.get("unread", []) if line.partition(": ")[0] in seen
        ],
        "benchmarks": {
            key: found if key in keys else found | {"examples": []} | dict.fromkeys(untold)
            for key, found in contamination.get("benchmarks", {}).items()
            for untold in [("count", "share", "is_warning") if key in vague else ()]
        },
    }


def why_not_checked(told: Disclosed, key: str) -> str:
    """Why "nothing found" says little about a benchmark: "" where its items were looked for.

    hidden: what was found is not told. no_texts: nothing was compared. unread: not all that is
    declared could be read. too_short: more items than may be contaminated have too few words to be
    looked for in a longer text.
    """
    facts, record = told.contamination, told.record.sentence
    found = facts.get("benchmarks", {}).get(key, {})
    if found.get("count", 0) is None:
        return "hidden"
    if not facts.get("documents"):
        return "no_texts"
    if told.record.contamination.get("unread") or record.get("unreadable_data"):
        return "unread"
    count = found.get("n") or 0
    return "too_short" if found.get("too_short", 0) > ERROR_SHARE * count else ""


def _visible_names(names: Iterable[str], actor: Actor) -> set[str]:
    """Which of the data sets `names` the reader may know of, in lower case."""
    pairs = {tuple(name.lower().split("/", 1)) for name in names if name.count("/") == 1}
    if not pairs:
        return set()
    wanted = reduce(
        or_, (Q(namespace__slug__iexact=owner, name__iexact=name) for owner, name in pairs)
    )
    rows = visible_repositories(actor).filter(wanted, kind=Kind.DATASET)
    return {row.repo_id.lower() for row in rows}
