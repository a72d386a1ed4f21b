"""What may be told of a benchmark whose items are hidden: its verdict, and scores in coarse steps.

Whoever proposes again and again could else climb the hidden set by its last digits. Steps of half
the margin are what the Ladder mechanism allows (Blum & Hardt 2015, arXiv:1502.04585;
gate-methods, section 7). This is the one place that decides it: for the gate and for everything
else that was measured with the same benchmark, in pages, API, boards, sentences and statuses.

A benchmark is hidden when its own file says so, or a rule that names it: everywhere, if who wrote
the rule may write to the data set, else `within` the repository of the rule's model alone. That is
kept on its rows and stays: what was once hidden is not told later, of whatever digest the file has
then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log10
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from hub.policies import Actor
from training.models import Benchmark, Evaluation, HiddenFile, Run, RunKind
from training.policies import readable_repositories

Result = dict[str, Any]
# Of a benchmark that advises no margin.
COARSE_STEP = 0.01
# What a result says of its benchmark and of the rule, whatever came out. How many items counted is
# not among it, nor the level and boundary made of that: declared data lower it by those of their
# texts that are items, so that it would answer any guess at an item.
_OPEN = (
    "key", "label_text", "role", "reference", "repository_id", "items_repository_id", "benchmark",
    "benchmark_digest", "metric", "metric_label", "unit", "margin_written", "hidden", "direction",
    "target", "verdict", "look", "n_max",
)  # fmt: skip
_ROUNDED = ("base_score", "candidate_score", "delta")


def coarse(result: Result) -> Result:
    """A result for those who may not know its items: no interval, no counts, no groups."""
    told: Result = {key: result[key] for key in _OPEN if key in result}
    step = step_of(result)
    told |= {
        key: None if result.get(key) is None else rounded(result[key], step) for key in _ROUNDED
    }
    reason = {"reason": result["reason"]} if result["verdict"] == "error" else {}
    return told | reason | {"margin": 2 * step, "label": None, "is_coarse": True}


def step_of(result: Result) -> float:
    """Half the margin. One that is a share of the base's score would tell that score, so only its
    size is taken: its first digit."""
    step = float(result["margin"]) / 2
    if "%" not in str(result.get("margin_written", "")):
        return step
    size: float = 10.0 ** floor(log10(step))
    return round(step / size) * size


def rounded(value: float, step: float) -> float:
    """The nearest multiple of `step`, without the dust of the division."""
    return round(round(value / step) * step, 10)


def for_everyone(results: Iterable[Result]) -> list[Result]:
    """Results as they may stand where anybody reads them, hidden ones coarse."""
    return [coarse(result) if result.get("hidden") else result for result in results]


def coarse_look(look: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """A look in which the benchmarks `keys` say no more than their verdict."""
    hidden = set(keys)
    told = {
        key: {"verdict": said["verdict"]} if key in hidden else said
        for key, said in look["benchmarks"].items()
    }
    return {**look, "benchmarks": told}


def coarse_progress(progress: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """How far a gate's run is, or was, with looks that say no more of the benchmarks `keys`."""
    looks = progress.get("looks", [])
    return {**progress, **({"looks": [coarse_look(look, keys) for look in looks]} if looks else {})}


# Which benchmarks are hidden, and from whom -----------------------------------------------------


def readable_benchmarks(
    actor: Actor, benchmarks: Sequence[Benchmark], *, within: int | None = None
) -> set[int]:
    """The keys of those benchmarks whose items and exact numbers are open to `actor`, in the
    repository of the model `within`.

    That is: who may read both of their data sets (threat M5), and has no proposal that a hidden
    one judges.
    """
    needed = {b.pk: {b.repository_id, b.items_repository_id} for b in benchmarks}
    wanted = set().union(*needed.values()) if needed else set()
    readable = readable_repositories(actor, wanted) if wanted else set()
    found = {pk for pk, places in needed.items() if places <= readable}
    hidden = [row for row in benchmarks if row.pk in found and row.is_hidden_in(within)]
    return found - _judging(actor, hidden, within) if hidden else found


def _judging(actor: Actor, hidden: Sequence[Benchmark], within: int | None) -> set[int]:
    """Those of the benchmarks that a proposal of the reader's is or was weighed with: anywhere,
    or where alone they are hidden."""
    if actor.person is None:
        return set()
    asked = Q()
    for row in hidden:
        place = {"repository_id": row.repository_id, "path": row.path}
        where = Q() if row.is_hidden else Q(repository=within)
        asked |= Q(spec__benchmarks__contains=[place]) & where
    runs = Run.objects.filter(
        asked, kind=RunKind.COMPARE, spec__change__author_id=actor.person.pk
    ).order_by()
    places = {
        (each["repository_id"], each["path"])
        for benchmarks in runs.values_list("spec__benchmarks", flat=True)
        for each in benchmarks
    }
    return {row.pk for row in hidden if (row.repository_id, row.path) in places}


def hidden_already(repository_id: int, path: str) -> dict[str, Any]:
    """What a new digest of a file takes over from the earlier ones, as a part of its spec."""
    by_file = Benchmark.objects.at(repository_id, path).filter(spec__hidden=True).exists()
    spec: dict[str, Any] = {"hidden": True} if by_file else {}
    for row in HiddenFile.objects.filter(repository=repository_id, path=path):
        spec = row.mark(spec)
    return spec


def open_evaluations(actor: Actor, rows: Iterable[Evaluation]) -> list[Evaluation]:
    """Those whose exact scores `actor` may know, as far as the rules of their own models say."""
    rows = list(rows)
    found = {row.pk for row in rows if not row.benchmark.is_hidden_in(row.repository_id)}
    closed = [row for row in rows if row.pk not in found]
    for model in {row.repository_id for row in closed}:
        theirs = [row for row in closed if row.repository_id == model]
        readable = readable_benchmarks(actor, [row.benchmark for row in theirs], within=model)
        found |= {row.pk for row in theirs if row.benchmark_id in readable}
    return [row for row in rows if row.pk in found]


def not_hidden_in_their_models(rows: QuerySet[Evaluation]) -> QuerySet[Evaluation]:
    """Without those whose own model's rule hides the benchmark: boards stand outside of it."""
    hidden = HiddenFile.objects.filter(
        model=OuterRef("repository"),
        repository=OuterRef("benchmark__repository"),
        path=OuterRef("benchmark__path"),
    )
    return rows.exclude(Exists(hidden))


# What is told of them ---------------------------------------------------------------------------


def told_metrics(
    benchmark: Benchmark, *, may_read: bool, within: int | None
) -> list[dict[str, Any]]:
    """The metrics whose scores are told in the repository of the model `within`; of a hidden
    benchmark the one that the gate looks at."""
    if may_read or not benchmark.is_hidden_in(within):
        return benchmark.metrics
    named = _rule_within(benchmark, within).get("metric") or benchmark.spec.get("told_metric")
    first = benchmark.metric_named(named or benchmark.metric)
    return [first] if first else []


def told_score(evaluation: Evaluation, metric: str, *, may_read: bool) -> dict[str, Any]:
    """{"value", "lower", "upper"} of a metric; of a hidden benchmark in coarse steps, and without
    the interval, which its items could be told from (gate-methods, section 7).

    `may_read`: whether it is one of the reader's `readable_benchmarks`.
    """
    benchmark, within = evaluation.benchmark, evaluation.repository_id
    found = evaluation.score_of(metric)
    value = found.get("value")
    if may_read or value is None or not benchmark.is_hidden_in(within):
        return found
    told = told_metrics(benchmark, may_read=False, within=within)
    if all(metric != each["name"] for each in told):
        return {"value": None, "is_coarse": True}
    return {"value": rounded(value, _step(benchmark, value, within)), "is_coarse": True}


def _rule_within(benchmark: Benchmark, within: int | None) -> dict[str, Any]:
    found: dict[str, Any] = benchmark.spec.get("hidden_in", {}).get(str(within), {})
    return found


def _step(benchmark: Benchmark, value: float, within: int | None) -> float:
    """The coarsest of the steps that the benchmark and the rules that hide it here give."""
    margins = [benchmark.margin, *benchmark.spec.get("rule_margins", [])]
    margins += _rule_within(benchmark, within).get("margins", [])
    steps = [_step_of_margin(margin, value) for margin in margins if margin]
    return max(steps, default=0.0) or COARSE_STEP


def _step_of_margin(margin: str, value: float) -> float:
    try:
        size = float(margin.removesuffix("%"))
    except ValueError:
        return 0.0
    if margin.endswith("%"):
        size *= abs(value) / 100
    return step_of({"margin": size, "margin_written": margin}) if size else 0.0


def shown_result(run: Run) -> Result:
    """What a measurement or a search came to, as it may stand on a page that anybody reads.

    A run writes down no number of a benchmark that is hidden; one that was hidden later keeps
    none either.
    """
    result: Result = run.result
    if run.kind == RunKind.EVALUATE:
        told = result.get("evaluations", [])
        hidden = hidden_among({each["benchmark"] for each in told}, within=run.repository_id)
        rows = [
            each | {"hidden": True, "score": None, "scores": {}}
            if each["benchmark"] in hidden
            else each
            for each in told
        ]
        return result | {"evaluations": rows} if hidden else result
    if run.kind == RunKind.QUICK:
        told = result.get("quick", [])
        hidden = hidden_among({each["benchmark"] for each in told}, within=run.repository_id)
        rows = [
            each | {"hidden": True, "sides": {}} if each["benchmark"] in hidden else each
            for each in told
        ]
        return result | {"quick": rows} if hidden else result
    if run.kind == RunKind.BISECT and not result.get("hidden") and "benchmark" in result:
        hidden = hidden_among({result["benchmark"]}, within=run.repository_id)
        return without_numbers(result) if hidden else result
    return result


def hidden_among(keys: Iterable[int], *, within: int) -> set[int]:
    """Those of the benchmarks, by key, that are hidden in the repository of a model."""
    return {
        row.pk for row in Benchmark.objects.filter(pk__in=set(keys)) if row.is_hidden_in(within)
    }


def hidden_now(keys: Iterable[int], *, within: int) -> set[int]:
    """The same for whoever writes down what they scored: none becomes hidden before the
    transaction ends, and then `retelling` finds what was written."""
    rows = Benchmark.objects.select_for_update(no_key=True).filter(pk__in=set(keys)).order_by("pk")
    return {row.pk for row in rows if row.is_hidden_in(within)}


def without_numbers(result: Result) -> Result:
    """What a search came to, of a benchmark that is hidden."""
    nothing = {"score": None, "lower": None, "upper": None}
    ends = {key: result["ends"][key] for key in ("comparable", "reason", "n", "alpha")}
    said = {"hidden": True, "ends": ends, "sentence": ""}
    return result | said | {"steps": [step | nothing for step in result["steps"]]}
