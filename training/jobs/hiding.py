"""Hiding a benchmark: from now on, and in what machines have written of it.

Records, statuses and comments that name its scores are written anew in coarse steps; what people
wrote, and what git holds, stays.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import override

from hub.errors import BadInputError, HubError
from hub.extensions import registries
from hub.models import CommitStatus, Kind, RepoId, Repository
from training.jobs import culprits
from training.jobs.disclosure import coarse_progress, without_numbers
from training.jobs.sentences import sentence_of
from training.models import Benchmark, GateRecord, Run, RunKind
from training.specs.gate import GATE_PATH, GateBenchmark, parse_gate

RULE_LIMIT_BYTES = 64 * 1024
DESCRIPTION_LIMIT = 300


@transaction.atomic
def hide(repository_id: int, path: str, *, margin: str = "", metric: str = "") -> None:
    """From now on the benchmark in the file `path` of a data set is hidden, of every digest.

    `margin` and `metric` are those of the rule that says so: no finer step is told, and no other
    metric. What machines wrote of it before is written anew, without its numbers.
    """
    changed = []
    rows = Benchmark.objects.select_for_update(no_key=True).at(repository_id, path)
    for row in rows.order_by("pk"):
        margins = sorted({*row.spec.get("rule_margins", []), *([margin] if margin else [])})
        said = {"hidden": True, "rule_margins": margins}
        spec = row.spec | said | ({"told_metric": metric} if metric else {})
        if spec != row.spec:
            row.spec = spec
            row.save(update_fields=["spec"])
            changed.append(row.pk)
    for key in changed:
        _tell_less(key)


def hide_by_rule(repository: Repository, revision: str = "") -> None:
    """Hide what the gate of a model hides, as its rule at `revision` (else its head) says."""
    try:
        store = repository.store()
        oid = store.resolve(revision or repository.default_branch)
        gate = parse_gate(store.read(oid, GATE_PATH, limit_bytes=RULE_LIMIT_BYTES))
    except (HubError, BadInputError):
        return
    for wanted in gate.benchmarks:
        if wanted.hidden:
            name = RepoId.parse(Kind.DATASET, wanted.reference.repo_id)
            for key in Repository.objects.known_as(name).values_list("pk", flat=True):
                _hide_wanted(key, wanted)


def hide_as_asked(run: Run) -> None:
    """Hide what the rule hides that `run` works by: a gate's own, else that of the model's head."""
    if run.kind != RunKind.COMPARE:
        return hide_by_rule(run.repository)
    try:
        gate = parse_gate(run.spec["gate"]["text"])
    except BadInputError:
        return None
    pinned = run.spec["benchmarks"]
    for each, wanted in zip(pinned, gate.benchmarks, strict=False):
        if wanted.hidden:
            _hide_wanted(each["repository_id"], wanted)
    return None


def _hide_wanted(repository_id: int, wanted: GateBenchmark) -> None:
    margin = "" if wanted.margin is None else str(wanted.margin)
    hide(repository_id, wanted.reference.path, margin=margin, metric=wanted.metric or "")


# What was written before ------------------------------------------------------------------------


def _tell_less(benchmark: int) -> None:
    with override("en"):  # as runs write it
        for record in GateRecord.objects.select_related("run").filter(
            results__contains=[{"benchmark": benchmark}]
        ):
            _weighed(record, benchmark)
        for run in Run.objects.select_related("repository__namespace", "created_by").filter(
            kind=RunKind.BISECT, result__benchmark=benchmark
        ):
            _searched(run)


def _weighed(record: GateRecord, benchmark: int) -> None:
    """The verdict stands; its sentence is made anew of results that are hidden."""
    before = sentence_of(record.verdict, record.results, record.sentence)
    record.results = [
        each | {"hidden": True} if each.get("benchmark") == benchmark else each
        for each in record.results
    ]
    record.save(update_fields=["results"])
    after, run = sentence_of(record.verdict, record.results, record.sentence), record.run
    hidden = [each["key"] for each in record.results if each.get("hidden")]
    run.result = run.result | {"sentence": after}
    run.progress = coarse_progress(run.progress, hidden)
    run.save(update_fields=["result", "progress"])
    _describe(run, before, after)


def _searched(run: Run) -> None:
    """What was found stands, without scores: on the run, its commit and its pull request."""
    if run.result.get("hidden"):
        return
    before, found = run.result, without_numbers(run.result)
    said = culprits.sentence_of(found)
    run.result = found | {"sentence": said}
    run.progress = {key: value for key, value in run.progress.items() if key != "search"}
    run.save(update_fields=["result", "progress"])
    _describe(run, culprits.sentence_of(before), said)
    number = (found.get("culprit") or {}).get("pull_request")
    if number is not None:
        old, new = (culprits.comment_of(run, each) for each in (before, found))
        registries.comment_rewriter(run.repository, number, old, new)


def _describe(run: Run, before: str, after: str) -> None:
    """On the commit, unless something else is said there by now."""
    CommitStatus.objects.filter(
        repository=run.repository_id,
        target_path=run.get_absolute_url(),
        description=before[:DESCRIPTION_LIMIT],
    ).update(description=after[:DESCRIPTION_LIMIT])
