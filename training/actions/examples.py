"""Examples of a gate: what base and candidate made of each item, those that changed first.

Filters look at a few small columns of the stored comparison; texts are read for one page alone,
from the data sets that the reader may read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.models import Repository
from hub.policies import Actor
from training.jobs.comparisons import DIRECTIONS, FILTERS, ROWS_A_GROUP, open_comparison
from training.jobs.items import margin_of
from training.jobs.questions import Question, questions_at
from training.models import Benchmark, GateRecord
from training.policies import readable_repositories

LENGTHS = {"short": (0, 100), "medium": (100, 500), "long": (500, 1 << 30)}


@dataclass(frozen=True)
class Query:
    """What a reader looks for; empty texts ask for nothing. `direction` empty: what changed."""

    benchmark: str = ""
    direction: str = ""
    group: str = ""
    length: str = ""
    item: str = ""


@dataclass(frozen=True)
class SideAnswer:
    """One model's answer; `margin` is how far the right choice's log-likelihood is ahead."""

    answer: str
    score: float | None
    margin: float | None
    loglikelihoods: tuple[float, ...] = ()
    output: str | None = None
    tie: bool = False

    @property
    def is_correct(self) -> bool:
        return self.score is not None and self.score >= 1.0


@dataclass(frozen=True)
class Example:
    """One item with both answers; `likelihoods` has (choice, base, candidate) rows.

    `key` names the benchmark in the gate, `benchmark` for people; `item` is the whole id.
    """

    key: str
    benchmark: str
    benchmark_id: int
    item: str
    group: str
    direction: str
    expected: str
    prompt: str
    base: SideAnswer
    candidate: SideAnswer
    change: float
    is_binary: bool
    is_excluded: bool = False
    likelihoods: tuple[tuple[str, float, float], ...] = ()

    @property
    def item_id(self) -> str:
        """Short, for people."""
        return self.item[:8]


@dataclass(frozen=True)
class Found:
    """One page of examples, and what there is in all."""

    examples: list[Example] = field(default_factory=list)
    total: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    groups: Sequence[str] = ()
    hidden: Sequence[str] = ()


def readable_results(record: GateRecord, actor: Actor) -> tuple[list[dict[str, Any]], list[str]]:
    """The results whose items `actor` may see, and the names of the others (threat M5).

    The items of a hidden benchmark are for whoever may read its data set, and never for the
    author of the proposal.
    """
    wanted = {r["items_repository_id"] for r in record.results}
    wanted |= {r["repository_id"] for r in record.results}
    readable = readable_repositories(actor, wanted)
    author_id = record.run.spec["change"]["author_id"]
    is_author = actor.person is not None and actor.person.pk == author_id
    seen, hidden = [], []
    for result in record.results:
        needed = {result["items_repository_id"], result["repository_id"]}
        if needed <= readable and not (result.get("hidden") and is_author):
            seen.append(result)
        else:
            hidden.append(result["label_text"])
    return seen, hidden


def find_examples(
    repository: Repository,
    record: GateRecord,
    actor: Actor,
    query: Query,
    *,
    start: int = 0,
    count: int = 20,
) -> Found:
    """The examples that match, those of failing benchmarks first, then lost, gained, same."""
    results, hidden = readable_results(record, actor)
    if not record.comparison_sha256 or not results:
        return Found(hidden=hidden)
    with open_comparison(repository.blobs(), record.comparison_sha256) as file:
        table = file.read(list(FILTERS))
        rows, counts, groups = _matching(table, {r["key"] for r in results}, query)
        page = _rows_at(file, rows[start : start + count])
    return Found(
        examples=_with_texts(page, {result["key"]: result for result in results}),
        total=len(rows),
        counts=counts,
        groups=groups,
        hidden=hidden,
    )


def _matching(
    table: Any, keys: set[str], query: Query
) -> tuple[list[int], dict[str, int], list[str]]:
    """The numbers of the rows that match, how many lie in each direction, and all groups."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = [query.benchmark] if query.benchmark in keys else sorted(keys)
    mask = pc.is_in(_plain(table, "benchmark"), pa.array(wanted))
    groups = sorted(set(pc.unique(_plain(table, "group").filter(mask)).to_pylist()) - {"", None})
    if query.item:
        mask = pc.and_(mask, pc.starts_with(table.column("item"), query.item))
    if query.group:
        mask = pc.and_(mask, pc.equal(_plain(table, "group"), query.group))
    if query.length in LENGTHS:
        low, high = LENGTHS[query.length]
        length = table.column("length")
        inside = pc.and_(pc.greater_equal(length, low), pc.less(length, high))
        mask = pc.and_(mask, inside)
    directions = _plain(table, "direction")
    told = pc.value_counts(directions.filter(mask)).to_pylist()
    counts = {row["values"]: row["counts"] for row in told}
    shown = [query.direction] if query.direction in DIRECTIONS else list(DIRECTIONS[:2])
    if query.item:
        shown = list(DIRECTIONS)
    mask = pc.and_(mask, pc.is_in(directions, pa.array(shown)))
    return pc.indices_nonzero(mask).to_pylist(), counts, groups


def _plain(table: Any, name: str) -> Any:
    """A dictionary column as its texts."""
    import pyarrow as pa

    return table.column(name).cast(pa.string())


def _rows_at(file: Any, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Whole rows by number; only the parts of the file that hold them are read."""
    parts: dict[int, list[int]] = {}
    for row in rows:
        parts.setdefault(row // ROWS_A_GROUP, []).append(row)
    found: dict[int, dict[str, Any]] = {}
    for part, inside in parts.items():
        taken = file.read_row_group(part).take([row % ROWS_A_GROUP for row in inside])
        found |= dict(zip(inside, taken.to_pylist(), strict=True))
    return [found[row] for row in rows]


def _with_texts(
    rows: Sequence[dict[str, Any]], results: Mapping[str, dict[str, Any]]
) -> list[Example]:
    ids = {results[row["benchmark"]]["benchmark"] for row in rows}
    benchmarks = Benchmark.objects.select_related("items_repository__namespace").in_bulk(ids)
    texts: dict[tuple[str, int], Question] = {}
    for key in {row["benchmark"] for row in rows}:
        benchmark = benchmarks.get(results[key]["benchmark"])
        if benchmark is not None:
            places = [row["question"] for row in rows if row["benchmark"] == key]
            asked = questions_at(benchmark, [place for place in places if place >= 0])
            texts |= {(key, place): question for place, question in asked.items()}
    return [
        _example(row, results[row["benchmark"]], texts.get((row["benchmark"], row["question"])))
        for row in rows
    ]


def _example(row: dict[str, Any], result: dict[str, Any], asked: Question | None) -> Example:
    asked = asked or Question(row["item"])
    base, candidate = (_side(row, name, asked) for name in ("base", "candidate"))
    names = asked.choices or tuple(f"#{i + 1}" for i in range(len(base.loglikelihoods)))
    pairs = zip(names, base.loglikelihoods, candidate.loglikelihoods, strict=False)
    scores = {base.score, candidate.score}
    return Example(
        key=row["benchmark"],
        benchmark=result["label_text"],
        benchmark_id=result["benchmark"],
        item=row["item"],
        group=row["group"] or "",
        direction=row["direction"],
        expected=asked.expected or asked.choice(row["target"]),
        prompt=asked.prompt or " / ".join(asked.choices),
        base=base,
        candidate=candidate,
        change=row["change"],
        is_binary=scores <= {0.0, 1.0},
        is_excluded=row["excluded"],
        likelihoods=tuple(pairs),
    )


def _side(row: dict[str, Any], name: str, asked: Question) -> SideAnswer:
    likelihoods = tuple(row[f"{name}_loglikelihoods"] or ())
    said = row[f"{name}_extracted"] or row[f"{name}_output"]
    return SideAnswer(
        answer=said if said is not None else asked.choice(row[f"{name}_prediction"]),
        score=row[f"{name}_score"],
        margin=margin_of(row["target"], likelihoods),
        loglikelihoods=likelihoods,
        output=row[f"{name}_output"],
        tie=bool(row[f"{name}_tie"]),
    )
