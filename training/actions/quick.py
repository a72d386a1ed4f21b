"""Having several commits of a model answer a few items each, to choose between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from hub.errors import BadInputError, ConflictError
from hub.extensions import Change
from hub.models import Repository
from hub.policies import Actor
from training.actions.gate_rules import rule_at
from training.actions.gates import rule_digest
from training.actions.models import files_at, how_to_run, model_input
from training.actions.pinning import pin_all
from training.actions.submitting import submit
from training.models import Run, RunKind, RunStatus
from training.models.runs import RunQuerySet
from training.policies import require_evaluation
from training.specs.gate import GateBenchmark, parse_gate

QUICK_ITEMS = 100


def quick_benchmarks(repository: Repository, oid: str) -> list[GateBenchmark]:
    """What the rule at `oid` asks openly: hidden benchmarks are the gate's alone."""
    rule = rule_at(repository, oid)
    try:
        wanted = parse_gate(rule).benchmarks if rule else ()
    except BadInputError:
        return []
    return [each for each in wanted if not each.hidden]


def quick_labels(repository: Repository, oid: str) -> list[str]:
    """The names of `quick_benchmarks` as the rule writes them."""
    return [str(each.reference) for each in quick_benchmarks(repository, oid)]


def measure_quickly(
    repository: Repository, actor: Actor, change: Change, oids: Iterable[str]
) -> str:
    """Queue a quick look at commits of a proposal, the first to compare with; the run's path.

    All answer the same items, from the end of the gate's order; what is known is not asked again,
    and the same look that is under way comes back.
    Raises: ConflictError: the target's rule names no open benchmark; what `submit_evaluation`
        raises, write access above all: the commits are a proposal's.
    """
    user = require_evaluation(actor, repository, is_proposal=True)
    wanted = quick_benchmarks(repository, change.base_oid)
    if not wanted:
        raise ConflictError(f"The gate of {change.target_branch} names no open benchmark.")
    pinned, inputs = pin_all([(each.reference, each.metric) for each in wanted], actor)
    if any(each.definition.hidden for each in pinned):
        raise ConflictError("A benchmark of this gate is hidden: the gate alone may ask it.")
    models, sides = _sides(repository, oids)
    spec = {
        "kind": "quick",
        "is_proposal": True,
        "quick": {
            "limit": QUICK_ITEMS,
            "seed": rule_digest(rule_at(repository, change.base_oid) or b""),
            "base_oid": change.base_oid,
            "sides": sides,
        },
        "inputs": [*models, *inputs],
        "benchmarks": [each.to_json() for each in pinned],
        **how_to_run(repository, files_at(repository, change.base_oid)),
    }
    with transaction.atomic():
        Repository.objects.select_for_update(no_key=True).only("pk").get(pk=repository.pk)
        same = looks_at(repository, change).filter(spec__quick=spec["quick"])
        run = same.live().first() or submit(
            repository,
            kind=RunKind.QUICK,
            by=user,
            title=f"Quick look at ways of merging pull request {change.number}",
            spec=spec,
            pull_request_number=change.number,
        )
    run.repository = repository
    return run.get_absolute_url()


def _sides(
    repository: Repository, oids: Iterable[str]
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """An input for each different model, and by its role the commits that hold that model."""
    inputs: dict[str, dict[str, Any]] = {}
    sides: dict[str, list[str]] = {}
    for oid in dict.fromkeys(oids):
        given, digest = model_input(f"side-{len(inputs)}", repository, oid)
        role = inputs.setdefault(digest, given)["role"]
        sides.setdefault(role, []).append(oid)
    return list(inputs.values()), sides


def looks_at(repository: Repository, change: Change) -> RunQuerySet:
    """The quick looks at a proposal on the target of now, the newest first."""
    return Run.objects.filter(
        repository=repository.pk,
        kind=RunKind.QUICK,
        pull_request_number=change.number,
        spec__quick__base_oid=change.base_oid,
    ).order_by("-number")


def newest_looks(repository: Repository, change: Change) -> tuple[Run | None, Run | None]:
    """The newest quick look, and the newest that ended well."""
    rows = looks_at(repository, change)
    newest = rows.first()
    if newest is None or newest.status == RunStatus.SUCCEEDED:
        return newest, newest
    return newest, rows.filter(status=RunStatus.SUCCEEDED).first()
