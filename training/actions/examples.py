"""Examples of a gate: what base and candidate made of each item, those that changed first.

Filters look at a few small columns of the stored comparison; whole rows and texts are read for one
page alone, the texts from the data sets that the reader may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.errors import EntryNotFoundError, NotFoundError
from hub.models import Repository
from hub.policies import Actor
from training.actions.disclosure import Disclosed, disclose, readable_results
from training.jobs.comparisons import DIRECTIONS, open_comparison
from training.jobs.items import margin_of
from training.jobs.questions import SHOWN, Question, questions_at
from training.models import Benchmark, GateRecord

__all__ = ["Example", "Found", "Query", "find_examples", "locate", "readable_results"]

LENGTHS = {"short": (0, 100), "medium": (100, 500), "long": (500, 1 << 30)}
# What the verdict was not made of: contaminated items, and those asked beyond its last look.
OUT = "out"
_ALWAYS = ("benchmark", "direction", "group", "counted")
_NEVER_SHOWN = {"cluster", "length"}
# Some bytes an item: half a megabyte for 50 000.
FILES_KEPT = 8
_kept: dict[str, Any] = {}


@dataclass(frozen=True)
class Query:
    """What a reader looks for; empty texts ask for nothing. `direction` empty: what changed.

    `item` is the beginning of an item's id. `items`, where given, are the only ones that count.
    """

    benchmark: str = ""
    direction: str = ""
    group: str = ""
    length: str = ""
    item: str = ""
    items: frozenset[str] | None = None


@dataclass(frozen=True)
class SideAnswer:
    """One model's answer; `margin` is how far the right choice's log-likelihood is ahead (nats)."""

    answer: str
    score: float | None
    margin: float | None
    loglikelihoods: tuple[float, ...] = ()
    output: str | None = None
    tie: bool = False
    nll: float | None = None
    tokens: int | None = None

    @property
    def is_correct(self) -> bool:
        return self.score is not None and self.score >= 1.0

    @property
    def nll_a_token(self) -> float | None:
        """Nats a token of a text that was read."""
        return None if self.nll is None or not self.tokens else self.nll / self.tokens


@dataclass(frozen=True)
class Choice:
    """One choice with both log-likelihoods (nats), and who picked it."""

    text: str
    base: float
    candidate: float
    is_expected: bool
    base_picks: bool
    candidate_picks: bool


@dataclass(frozen=True)
class Example:
    """One item with both answers.

    `key` names the benchmark in the gate, `benchmark` for people; `item` is the whole id.
    `is_beyond`: it was asked beyond the look that decided, and is in no number.
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
    is_beyond: bool = False
    size_bytes: int | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def item_id(self) -> str:
        """Short, for people."""
        return self.item[:8]

    @property
    def is_generated(self) -> bool:
        return self.base.output is not None or self.candidate.output is not None


@dataclass(frozen=True)
class Found:
    """One page of examples, and what there is in all.

    `counts` are of the items that match all but the direction; `is_lost` says that the stored
    results are gone.
    """

    examples: list[Example] = field(default_factory=list)
    total: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    groups: Sequence[str] = ()
    hidden: Sequence[str] = ()
    is_lost: bool = False


def find_examples(
    repository: Repository,
    record: GateRecord,
    actor: Actor,
    query: Query,
    *,
    start: int = 0,
    count: int = 20,
    told: Disclosed | None = None,
) -> Found:
    """The examples that match, those of failing benchmarks first, then lost, gained, same.

    `told` is what `disclose` said of the record, where that is known already.
    """
    told = told or disclose(record, actor)
    if not record.comparison_sha256 or not told.readable:
        return Found(hidden=told.hidden)
    try:
        with open_comparison(repository.blobs(), record.comparison_sha256) as file:
            columns = _columns_for(file, record.comparison_sha256, query)
            rows, counts, groups = _matching(columns, told.keys, query)
            page = _rows_at(file, rows[start : start + count].to_pylist())
    except EntryNotFoundError:
        return Found(hidden=told.hidden, is_lost=True)
    return Found(
        examples=_with_texts(page, {result["key"]: result for result in told.readable}),
        total=len(rows),
        counts=counts,
        groups=groups,
        hidden=told.hidden,
    )


def locate(
    repository: Repository, record: GateRecord | None, actor: Actor, key: str, item: str
) -> dict[str, Any]:
    """The result of the benchmark `key` whose item is `item`, both of which `actor` may see.

    Raises: NotFoundError, alike for what is not there and for what may not be known.
    """
    missing = NotFoundError("There is no such item in what the gate has weighed here.")
    if record is None or not record.comparison_sha256:
        raise missing
    readable, _hidden = readable_results(record, actor)
    result = next((each for each in readable if each["key"] == key), None)
    if result is None:
        raise missing
    with open_comparison(repository.blobs(), record.comparison_sha256) as file:
        only = Query(items=frozenset([item]))
        columns = _columns_for(file, record.comparison_sha256, only)
        rows, _counts, _groups = _matching(columns, {key}, only)
    if not len(rows):
        raise missing
    return result


def _columns_for(file: Any, sha256: str, query: Query) -> Any:
    """The columns that a query looks at, as a table. Small ones of the files that were read last
    are kept: a file never changes under its name."""
    table = _kept.get(sha256)
    if table is None:
        table = _kept[sha256] = file.read([*_ALWAYS, "length"])
        while len(_kept) > FILES_KEPT:
            _kept.pop(next(iter(_kept)), None)
    if query.item or query.items is not None:
        table = table.append_column("item", file.read(["item"]).column("item"))
    return table


def _matching(table: Any, keys: set[str], query: Query) -> tuple[Any, dict[str, int], list[str]]:
    """The numbers of the rows that match, how many lie in each direction, and all groups."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = {query.benchmark} if query.benchmark in keys else keys
    mask = _among(table, "benchmark", wanted)
    groups = sorted(set(pc.unique(table.column("group").filter(mask)).to_pylist()) - {"", None})
    if query.group:
        mask = pc.and_(mask, _among(table, "group", {query.group}))
    if query.length in LENGTHS:
        low, high = LENGTHS[query.length]
        length = table.column("length")
        mask = pc.and_(mask, pc.and_(pc.greater_equal(length, low), pc.less(length, high)))
    if query.item:
        mask = pc.and_(mask, pc.starts_with(table.column("item"), query.item))
    if query.items is not None:
        some = pa.array(sorted(query.items), pa.string())
        mask = pc.and_(mask, pc.is_in(table.column("item"), value_set=some))
    counted = table.column("counted")
    inside = pc.and_(mask, counted)
    counts = dict.fromkeys((*DIRECTIONS, OUT), 0)
    for row in pc.value_counts(table.column("direction").filter(inside)).to_pylist():
        counts[row["values"]] = row["counts"]
    counts[OUT] = pc.sum(mask).as_py() - sum(counts.values()) if len(mask) else 0
    if query.direction == OUT:
        mask = pc.and_(mask, pc.invert(counted))
    elif query.direction in DIRECTIONS:
        mask = pc.and_(inside, _among(table, "direction", {query.direction}))
    elif not query.item and query.items is None:
        mask = pc.and_(inside, _among(table, "direction", set(DIRECTIONS[:2])))
    return pc.indices_nonzero(mask), counts, groups


def _among(table: Any, name: str, wanted: Iterable[str]) -> Any:
    """Which rows of a dictionary column have one of some values: its few words are compared."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(name).unify_dictionaries()
    words = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    places = [place for place, word in enumerate(words) if word in set(wanted)]
    codes = pa.chunked_array([chunk.indices for chunk in column.chunks], column.type.index_type)
    return pc.is_in(codes, value_set=pa.array(places, codes.type))


def _rows_at(file: Any, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Whole rows by number, in that order; only the parts of the file that hold them are read."""
    if not rows:
        return []
    size = file.metadata.row_group(0).num_rows
    parts = sorted({row // size for row in rows})
    names = [name for name in file.schema_arrow.names if name not in _NEVER_SHOWN]
    table = file.read_row_groups(parts, columns=names)
    place = {part: number * size for number, part in enumerate(parts)}
    taken: list[dict[str, Any]] = table.take(
        [place[row // size] + row % size for row in rows]
    ).to_pylist()
    return taken


def _with_texts(
    rows: Sequence[dict[str, Any]], results: Mapping[str, dict[str, Any]]
) -> list[Example]:
    ids = {results[row["benchmark"]]["benchmark"] for row in rows}
    rows_of = Benchmark.objects.select_related("items_repository__namespace").defer("spec")
    benchmarks = rows_of.in_bulk(ids)
    texts: dict[tuple[str, int], Question] = {}
    for key in {row["benchmark"] for row in rows}:
        benchmark = benchmarks.get(results[key]["benchmark"])
        if benchmark is not None:
            places = [row["question"] for row in rows if row["benchmark"] == key]
            asked = questions_at(benchmark, [place for place in places if place >= 0], SHOWN)
            texts |= {(key, place): question for place, question in asked.items()}
    return [
        _example(row, results[row["benchmark"]], texts.get((row["benchmark"], row["question"])))
        for row in rows
    ]


def _example(row: dict[str, Any], result: dict[str, Any], asked: Question | None) -> Example:
    asked = asked or Question(row["item"])
    base, candidate = (_side(row, name, asked) for name in ("base", "candidate"))
    return Example(
        key=row["benchmark"],
        benchmark=result["label_text"],
        benchmark_id=result["benchmark"],
        item=row["item"],
        group=row["group"] or "",
        direction=row["direction"],
        expected=asked.expected or asked.choice(row["target"]),
        prompt=asked.prompt,
        base=base,
        candidate=candidate,
        change=row["change"],
        is_binary={base.score, candidate.score} <= {0.0, 1.0},
        is_excluded=row["excluded"],
        is_beyond=not row["counted"] and not row["excluded"],
        size_bytes=row["size_bytes"],
        choices=_choices(row, asked, base, candidate),
    )


def _choices(
    row: dict[str, Any], asked: Question, base: SideAnswer, candidate: SideAnswer
) -> tuple[Choice, ...]:
    pairs = list(zip(base.loglikelihoods, candidate.loglikelihoods, strict=False))
    names = asked.choices or tuple(f"#{number + 1}" for number in range(len(pairs)))
    return tuple(
        Choice(
            text=name,
            base=before,
            candidate=after,
            is_expected=number == row["target"],
            base_picks=number == row["base_prediction"],
            candidate_picks=number == row["candidate_prediction"],
        )
        for number, (name, (before, after)) in enumerate(zip(names, pairs, strict=False))
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
        nll=row[f"{name}_nll"],
        tokens=row[f"{name}_tokens"],
    )
