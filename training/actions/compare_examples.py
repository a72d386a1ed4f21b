"""Items that two models did differently, with both answers: for readers who may see the texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.actions.compare_pairs import KINDS
from training.actions.comparing import Pair
from training.jobs.items import ROWS_A_GROUP, margin_of, open_table
from training.jobs.questions import Question, questions_at
from training.models import Benchmark, Evaluation


@dataclass(frozen=True)
class Answer:
    """What one model made of an item; `margin` is how far the right choice is ahead (nats)."""

    answer: str
    score: float | None
    margin: float | None
    likelihoods: tuple[float, ...] = ()
    is_binary: bool = True

    @property
    def is_correct(self) -> bool | None:
        return None if self.score is None or not self.is_binary else self.score >= 1.0


@dataclass(frozen=True)
class Example:
    """One item; `likelihoods` has (choice, first, second) rows."""

    item: str
    group: str
    prompt: str
    expected: str
    first: Answer
    second: Answer
    likelihoods: tuple[tuple[str, float, float], ...] = ()

    @property
    def short(self) -> str:
        return self.item[:8]


def examples_of(
    benchmark: Benchmark,
    pair: Pair,
    metric: dict[str, Any],
    kind: str,
    *,
    start: int = 0,
    count: int = 10,
) -> list[Example]:
    """A page of the items of one kind, those that differ most first."""
    if kind not in KINDS or not pair.facts:
        return []
    places = pair.facts["examples"][kind][start : start + count]
    firsts = _rows(pair.first.evaluation, [place[0] for place in places])
    seconds = _rows(pair.second.evaluation, [place[1] for place in places])
    asked = questions_at(benchmark, [place[2] for place in places if place[2] >= 0])
    return [
        _example(firsts[a], seconds[b], asked.get(q), metric["name"])
        for a, b, q in places
        if a in firsts and b in seconds
    ]


def _rows(evaluation: Evaluation | None, wanted: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Whole rows by number; only the parts of the file that hold them are read."""
    if evaluation is None or not wanted:
        return {}
    found: dict[int, dict[str, Any]] = {}
    with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
        for part in sorted({row // ROWS_A_GROUP for row in wanted}):
            inside = [row for row in wanted if row // ROWS_A_GROUP == part]
            table = file.read_row_group(part).take([row % ROWS_A_GROUP for row in inside])
            found |= dict(zip(inside, table.to_pylist(), strict=True))
    return found


def _example(
    first: dict[str, Any], second: dict[str, Any], asked: Question | None, metric: str
) -> Example:
    asked = asked or Question(first["id"])
    one, other = (_answer(row, asked, metric) for row in (first, second))
    names = asked.choices or tuple(f"#{place + 1}" for place in range(len(one.likelihoods)))
    return Example(
        item=first["id"],
        group=first["group"] or "",
        prompt=asked.prompt or ("" if len(asked.choices) > 4 else " / ".join(asked.choices)),
        expected=asked.expected or asked.choice(first["target"]),
        first=one,
        second=other,
        likelihoods=tuple(zip(names, one.likelihoods, other.likelihoods, strict=False))
        if len(one.likelihoods) > 1
        else (),
    )


def _answer(row: dict[str, Any], asked: Question, metric: str) -> Answer:
    likelihoods = tuple(row["loglikelihoods"] or ())
    said = row["extracted"] if row["extracted"] is not None else row["output"]
    score = row.get(f"metric.{metric}")
    return Answer(
        answer=said if said is not None else asked.choice(row["prediction"]),
        score=score,
        margin=margin_of(row["target"], likelihoods),
        likelihoods=likelihoods,
        is_binary=score in (0.0, 1.0),
    )
