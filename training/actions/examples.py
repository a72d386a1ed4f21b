"""Examples of a gate: what base and candidate made of each item, those that changed first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.models import Repository
from hub.policies import Actor
from training.jobs.items import Item, read_items
from training.models import Evaluation, GateRecord
from training.policies import may_read_items

DIRECTIONS = ("lost", "gained", "same")


@dataclass(frozen=True)
class SideAnswer:
    """One model's answer; `margin` is how far the right choice's log-likelihood is ahead."""

    answer: str
    is_correct: bool
    margin: float | None


@dataclass(frozen=True)
class Example:
    """One item with both answers; `likelihoods` has (choice, base, candidate) rows."""

    benchmark: str
    item_id: str
    group: str
    direction: str
    expected: str
    prompt: str
    base: SideAnswer
    candidate: SideAnswer
    likelihoods: list[tuple[str, float, float]]


def examples_of(
    repository: Repository, record: GateRecord, actor: Actor, *, benchmark: str, direction: str
) -> tuple[list[Example], list[str]]:
    """Examples, those of failing benchmarks first, then lost, gained, same; and the benchmarks
    whose items may not be seen.

    `direction` empty: those that changed.
    """
    found: list[Example] = []
    hidden: list[str] = []
    for result in record.results:
        if benchmark not in ("", result["key"]) or "base_evaluation" not in result:
            continue
        if not may_read_items(actor, result["items_repository_id"]):
            hidden.append(result["label_text"])
            continue
        wanted = (direction,) if direction else DIRECTIONS[:2]
        found += [e for e in _compared(repository, result) if e.direction in wanted]
    failing = {r["label_text"] for r in record.results if r["verdict"] == "fail"}
    found.sort(key=lambda e: (e.benchmark not in failing, DIRECTIONS.index(e.direction)))
    return found, hidden


def _compared(repository: Repository, result: dict[str, Any]) -> Iterator[Example]:
    keys = (result["base_evaluation"], result["candidate_evaluation"])
    rows = Evaluation.objects.filter(repository=repository.pk).in_bulk(keys)
    if len(rows) < len(set(keys)):
        return
    base, candidate = (read_items(repository.blobs(), rows[key].items_sha256) for key in keys)
    others = {item.id: item for item in candidate}
    for item in base:
        yield _example(result, item, others[item.id])


def _example(result: dict[str, Any], base: Item, candidate: Item) -> Example:
    change = candidate.score - base.score
    pairs = zip(base.choices, base.loglikelihoods, candidate.loglikelihoods, strict=False)
    return Example(
        benchmark=result["label_text"],
        item_id=base.id[:8],
        group=base.group or "",
        direction="same" if change == 0 else "gained" if change > 0 else "lost",
        expected=base.choice(base.target),
        prompt=base.prompt or " / ".join(base.choices),
        base=_side(base),
        candidate=_side(candidate),
        likelihoods=list(pairs),
    )


def _side(item: Item) -> SideAnswer:
    return SideAnswer(item.answer, item.score >= 1.0, item.margin)
