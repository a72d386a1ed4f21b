"""What one evaluation says, as one reader may see it: scores, groups, items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from hub.errors import ForbiddenError, NotFoundError
from hub.models import Repository
from hub.policies import Actor
from training.jobs.disclosure import readable_benchmarks
from training.jobs.items import ROWS_A_GROUP, margin_of, open_table
from training.jobs.questions import Question, question_columns, questions_at
from training.jobs.summaries import estimate_of
from training.models import Evaluation
from training.policies import readable_repositories
from training.statistics.metrics import METRICS, Kind
from training.statistics.pairing import ItemScore

GROUPS_LIMIT = 200


@dataclass(frozen=True)
class Wanted:
    """Which items a reader looks for. `answer`: right, wrong or empty; `order`: worst or empty."""

    answer: str = ""
    group: str = ""
    order: str = ""
    item: str = ""


@dataclass(frozen=True)
class Answered:
    """One item: what was asked, what the model made of it, and what it scored."""

    id: str
    group: str
    prompt: str
    expected: str
    answer: str
    score: float | None
    is_right: bool | None
    margin: float | None
    tie: bool
    likelihoods: tuple[tuple[str, float], ...] = ()
    output: str | None = None

    @property
    def short(self) -> str:
        return self.id[:8]


@dataclass(frozen=True)
class Items:
    """One page of items, and how many there are of each kind."""

    rows: list[Answered] = field(default_factory=list)
    total: int = 0
    right: int | None = None
    groups: Sequence[str] = ()


@dataclass(frozen=True)
class GroupScore:
    """The items of one group by themselves, with a two-sided 95 % interval."""

    group: str
    n: int
    value: float
    lower: float | None
    upper: float | None


def evaluations_of(repository: Repository) -> QuerySet[Evaluation]:
    """The evaluations of a model with their benchmarks, the newest first."""
    rows = Evaluation.objects.filter(repository=repository.pk).order_by("-pk")
    rows = rows.annotate(
        merge_tree=KeyTextTransform("merge_tree", KeyTransform("change", "run__spec"))
    )
    places = ("benchmark__repository__namespace", "benchmark__items_repository__namespace")
    return rows.select_related(*places, "run", "reported_by").defer("run__spec", "run__result")


def get_evaluation(repository: Repository, pk: int) -> Evaluation:
    """One evaluation of a repository that the reader holds already. Raises: NotFoundError."""
    if pk > 2**62 or (found := evaluations_of(repository).filter(pk=pk).first()) is None:
        raise NotFoundError(f"There is no measurement {pk} of {repository.repo_id}.")
    found.repository = repository
    if found.run is not None:
        found.run.repository = repository
    return found


def may_see_items(actor: Actor, evaluation: Evaluation) -> bool:
    """Whether `actor` may see what the model made of single items: whoever may read the data sets
    of the benchmark and the files of the model."""
    within = evaluation.repository_id
    if evaluation.benchmark_id not in readable_benchmarks(
        actor, [evaluation.benchmark], within=within
    ):
        return False
    return bool(readable_repositories(actor, [evaluation.repository_id]))


def require_items(actor: Actor, evaluation: Evaluation) -> None:
    """Raise ForbiddenError unless `actor` may see items; NotFoundError when none are kept."""
    if not may_see_items(actor, evaluation):
        raise ForbiddenError("The items of this benchmark are for those who may read its data set.")
    if not evaluation.items_sha256:
        raise NotFoundError("No items are kept of this measurement.")


def group_scores(evaluation: Evaluation, metric: str) -> list[GroupScore]:
    """Every group by itself, the worst first where less is worse; none where there are too many."""
    columns = _columns(evaluation, ["group", "cluster", f"metric.{metric}", f"sums.{metric}"])
    names = columns.get("group") or []
    if not any(names) or len(set(names)) > GROUPS_LIMIT:
        return []
    nothing: list[Any] = [None] * len(names)
    scores = columns.get(f"metric.{metric}") or nothing
    sums = columns.get(f"sums.{metric}") or nothing
    clusters = columns.get("cluster") or nothing
    groups: dict[str, list[ItemScore]] = {}
    for name, score, vector, cluster in zip(names, scores, sums, clusters, strict=True):
        item = ItemScore("", score, cluster=cluster, sums=tuple(vector or ()))
        groups.setdefault(name or "", []).append(item)
    return sorted((_group(n, items, metric) for n, items in groups.items()), key=lambda g: g.value)


def _group(name: str, items: list[ItemScore], metric: str) -> GroupScore:
    found = estimate_of(items, metric)
    return GroupScore(name, len(items), found.value, found.lower, found.upper)


def find_items(
    evaluation: Evaluation, metric: str, wanted: Wanted, *, start: int = 0, count: int = 20
) -> Items:
    """The items that match, one page of them with their texts: for readers who may see them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = f"metric.{metric}"
    with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
        names = set(file.schema_arrow.names)
        table = file.read([n for n in ("id", "group", column) if n in names])
        everything = pa.array([True] * table.num_rows)
        mask, right = everything, None
        groups = sorted(set(pc.unique(table.column("group")).to_pylist()) - {"", None})
        if wanted.group in groups:
            mask = pc.and_(mask, pc.equal(table.column("group"), wanted.group))
        if wanted.item:
            mask = pc.and_(mask, pc.starts_with(table.column("id"), wanted.item))
        mask = pc.fill_null(mask, False)
        if column in names and METRICS[metric].binary:
            is_right = pc.fill_null(pc.greater_equal(table.column(column), 1.0), False)
            right = pc.sum(pc.and_(mask, is_right).cast(pa.int64())).as_py() or 0
            if wanted.answer in ("right", "wrong"):
                kept = is_right if wanted.answer == "right" else pc.invert(is_right)
                mask = pc.and_(mask, kept)
        rows = pc.indices_nonzero(mask).to_pylist()
        if wanted.order == "worst" and column in names:
            rows = _worst_first(rows, table.column(column).to_pylist(), metric)
        page = _rows_at(file, rows[start : start + count])
    asked = _questions(evaluation, page)
    answered = [_answered(row, asked.get(row["id"]), metric) for row in page.values()]
    return Items(answered, len(rows), right, groups)


def _worst_first(rows: list[int], scores: list[float | None], metric: str) -> list[int]:
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    return sorted(rows, key=lambda row: sign * (scores[row] if scores[row] is not None else 0.0))  # type: ignore[operator]


def _rows_at(file: Any, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Whole rows by number, in this order; only the parts of the file that hold them are read."""
    parts: dict[int, list[int]] = {}
    for row in rows:
        parts.setdefault(row // ROWS_A_GROUP, []).append(row)
    found: dict[int, dict[str, Any]] = {}
    for part, inside in parts.items():
        taken = file.read_row_group(part).take([row % ROWS_A_GROUP for row in inside])
        found |= dict(zip(inside, taken.to_pylist(), strict=True))
    return {row: found[row] for row in rows}


def _questions(evaluation: Evaluation, rows: dict[int, dict[str, Any]]) -> dict[str, Question]:
    """What the items asked, by id. Both files are in canonical order, so that of a whole
    evaluation the places are the same."""
    benchmark = evaluation.benchmark
    asked = questions_at(benchmark, rows) if evaluation.is_whole else {}
    found = {question.id: question for question in asked.values()}
    if missing := {row["id"] for row in rows.values()} - found.keys():
        ids = question_columns(benchmark, ["id"])["id"]
        places = [place for place, name in enumerate(ids) if name in missing]
        found |= {q.id: q for q in questions_at(benchmark, places).values()}
    return found


def _answered(row: dict[str, Any], asked: Question | None, metric: str) -> Answered:
    asked = asked or Question(row["id"])
    likelihoods = tuple(row["loglikelihoods"] or ())
    said = row["extracted"] if row["extracted"] is not None else row["output"]
    score = row.get(f"metric.{metric}")
    names = asked.choices or tuple(f"#{place + 1}" for place in range(len(likelihoods)))
    return Answered(
        id=row["id"],
        group=row["group"] or "",
        prompt=asked.prompt or ("" if len(asked.choices) > 4 else " / ".join(asked.choices)),
        expected=asked.expected or asked.choice(row["target"]),
        answer=said if said is not None else asked.choice(row["prediction"]),
        score=score,
        is_right=None if score is None or not METRICS[metric].binary else score >= 1.0,
        margin=margin_of(row["target"], likelihoods),
        tie=bool(row["tie"]),
        likelihoods=tuple(zip(names, likelihoods, strict=False)),
        output=row["output"],
    )


def all_items(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Every item with its texts as plain values, a part of the file at a time."""
    with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
        place = 0
        for batch in file.iter_batches(batch_size=ROWS_A_GROUP):
            rows = dict(enumerate(batch.to_pylist(), start=place))
            place += len(rows)
            asked = _questions(evaluation, rows)
            for row in rows.values():
                question = asked.get(row["id"]) or Question(row["id"])
                texts = {
                    "prompt": question.prompt,
                    "choices": list(question.choices),
                    "expected": question.expected,
                    "doc_hash": question.doc_hash,
                }
                yield row | texts


def _columns(evaluation: Evaluation, wanted: Sequence[str]) -> dict[str, list[Any]]:
    """Some columns of the stored items; none of an evaluation that keeps no items."""
    if not evaluation.items_sha256:
        return {}
    with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
        names = set(file.schema_arrow.names)
        table = file.read([name for name in wanted if name in names])
    return {name: table.column(name).to_pylist() for name in table.column_names}


def has_item_scores(metric: str) -> bool:
    """Whether single items have a score that says right or wrong by itself."""
    return METRICS[metric].kind is Kind.MEAN
