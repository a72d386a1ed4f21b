"""Hiding a benchmark: from now on, and everywhere only by who may write to its data set.

What machines wrote of it before is written anew by a worker, see `retelling`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.errors import BadInputError, HubError
from hub.models import Access, Kind, RepoId, Repository, User
from hub.policies import access_of
from training.models import Benchmark, HiddenFile, Run, RunKind
from training.specs.gate import GATE_PATH, GateBenchmark, parse_gate

RULE_LIMIT_BYTES = 64 * 1024
MARGINS_KEPT = 20  # of the rules that a file was hidden by


@transaction.atomic
def hide(
    repository_id: int, path: str, *, within: int | None = None, margin: str = "", metric: str = ""
) -> None:
    """From now on the benchmark in the file `path` of a data set is hidden, of every digest.

    `within`: in the repository of this model alone; else everywhere. `margin` and `metric` are
    those of the rule that says so: no finer step is told, and no other metric.
    """
    place: dict[str, Any] = {"repository_id": repository_id, "path": path, "model_id": within}
    rows = Benchmark.objects.at(repository_id, path).order_by("pk")
    known = HiddenFile.objects.filter(**place).first()
    # As almost always: then nobody waits for anybody.
    if known is not None and not _differs(known, margin, metric) and not _unlike(known, rows):
        return
    HiddenFile.objects.get_or_create(**place)
    hidden = HiddenFile.objects.select_for_update().get(**place)
    if _differs(hidden, margin, metric):
        hidden.margins = sorted({*hidden.margins, *filter(None, [margin])})[:MARGINS_KEPT]
        hidden.metric = metric or hidden.metric
    for row in _unlike(hidden, rows.select_for_update(no_key=True)):
        row.spec = hidden.mark(row.spec)
        row.save(update_fields=["spec"])
    hidden.asked_at, hidden.done_at = timezone.now(), None
    hidden.save()


def _differs(hidden: HiddenFile, margin: str, metric: str) -> bool:
    """Whether a rule says more than is known of a hidden file."""
    is_full = len(hidden.margins) >= MARGINS_KEPT
    return bool(margin and margin not in hidden.margins and not is_full) or (
        bool(metric) and metric != hidden.metric
    )


def _unlike(hidden: HiddenFile, rows: Iterable[Benchmark]) -> list[Benchmark]:
    """The digests that do not say yet what is known of their file."""
    return [row for row in rows if hidden.mark(row.spec) != row.spec]


def hide_by_rule(repository: Repository, revision: str = "", *, by: User | None = None) -> None:
    """Hide what the gate of a model hides, as its rule at `revision` (else its head) says.

    Everywhere what lies in data sets that `by`, who put the rule there, may write to; what a
    stranger to a data set hides is hidden in the repository of the model.
    """
    try:
        store = repository.store()
        oid = store.resolve(revision or repository.default_branch)
        gate = parse_gate(store.read(oid, GATE_PATH, limit_bytes=RULE_LIMIT_BYTES))
    except (HubError, BadInputError):
        return
    for wanted in gate.benchmarks:
        if not wanted.hidden:
            continue
        name = RepoId.parse(Kind.DATASET, wanted.reference.repo_id)
        for data in Repository.objects.known_as(name):
            may_write = by is not None and by.is_active and access_of(by, data) >= Access.WRITE
            _hide_wanted(data.pk, wanted, within=None if may_write else repository.pk)


def hide_as_asked(run: Run) -> None:
    """Hide where it runs what the rule hides that `run` works by: a gate's own, else that of the
    model's head. Who wrote the rule is not known here."""
    for each in run.spec.get("benchmarks", []):
        # A digest that was pinned in the moment in which its file was hidden.
        if HiddenFile.objects.filter(
            repository=each["repository_id"], path=each["path"], model=None
        ).exists():
            hide(each["repository_id"], each["path"])
    if run.kind != RunKind.COMPARE:
        return hide_by_rule(run.repository)
    try:
        gate = parse_gate(run.spec["gate"]["text"])
    except BadInputError:
        return None
    pinned = run.spec["benchmarks"]
    for each, wanted in zip(pinned, gate.benchmarks, strict=False):
        if wanted.hidden:
            _hide_wanted(each["repository_id"], wanted, within=run.repository_id)
    return None


def _hide_wanted(repository_id: int, wanted: GateBenchmark, *, within: int | None) -> None:
    margin = "" if wanted.margin is None else str(wanted.margin)
    path, metric = wanted.reference.path, wanted.metric or ""
    hide(repository_id, path, within=within, margin=margin, metric=metric)
