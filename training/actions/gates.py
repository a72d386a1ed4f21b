"""Starting the gate: by itself for people with write access, by a maintainer for everyone else."""

from __future__ import annotations

import hashlib
from typing import Any

import structlog
from django.db import transaction

from hub.errors import (
    BadInputError,
    ConflictError,
    ForbiddenError,
    HubError,
    NotFoundError,
)
from hub.extensions import Change, registries
from hub.models import Access, BranchProtection, Repository, StatusState, User
from hub.policies import Actor, access_of
from training.actions.gate_rules import rule_at, rule_change
from training.actions.models import files_at, how_to_run, model_input, small_json
from training.actions.pinning import declared_data, pin_all
from training.actions.submitting import submit
from training.jobs.gate import BLIND_KEY, set_status
from training.jobs.inputs import (
    PinnedFile,
    changed_files,
    is_loadable,
    model_digest,
    unloaded_changes,
    unloaded_files,
)
from training.models import GateRecord, GateVerdict, Pin, Run, RunKind
from training.policies import access_to_data, require_gate
from training.specs.gate import GATE_PATH, GateConfig, parse_gate
from training.specs.schema import digest_of
from training.statistics.looks import strict_alpha

log = structlog.get_logger(__name__)


def rule_digest(rule: bytes) -> str:
    """What records and merges name the rule by."""
    return hashlib.sha256(rule).hexdigest()


def start_gate(
    repository: Repository, number: int, actor: Actor, *, expected_head: str = ""
) -> Run:
    """Weigh pull request `number` as it is now, at a maintainer's word (threat J3).

    Raises: NotFoundError, UnauthenticatedError, ForbiddenError; ConflictError when the head is
    not `expected_head`; what `submit_gate` raises.
    """
    require_gate(actor, repository)
    change = registries.find_change(repository, number)
    if change is None:
        raise NotFoundError(f"There is no open pull request {number} in {repository.repo_id}.")
    if expected_head not in ("", change.head_oid):
        raise ConflictError("The pull request has changed since you looked: look at it again.")
    return submit_gate(repository, change, actor)


def submit_gate(repository: Repository, change: Change, actor: Actor) -> Run:
    """Queue the gate for exactly this change; the run that weighs it already comes back, or the
    one that has decided it: asking the same again shows nothing new, and spends nothing.

    Everything but the candidate's files is read from the base commit and pinned (threat M3).
    Raises:
        ConflictError: it does not merge cleanly, or the base has no rule.
        BadInputError and the not-found errors: the rule or a benchmark cannot be used.
        ThrottledError: too many runs are waiting.
    """
    if change.merge_tree is None:
        raise ConflictError("Both sides changed the same files: resolve that, then weigh it.")
    rule = rule_at(repository, change.base_oid)
    if rule is None:
        raise ConflictError(f"{change.target_branch} has no {GATE_PATH}: add one to weigh changes.")
    spec = _spec(repository, change, rule, actor)
    with transaction.atomic():
        Repository.objects.select_for_update(no_key=True).only("pk").get(pk=repository.pk)
        if (known := live_gate(repository, change) or _decided(repository, spec)) is not None:
            return known
        run = submit(
            repository,
            kind=RunKind.COMPARE,
            by=actor.user,  # type: ignore[arg-type]
            title=f"Gate of pull request {change.number}",
            spec=spec,
            pull_request_number=change.number,
        )
        set_status(run, StatusState.PENDING, "The gate waits for a worker.")
        return run


def live_gate(repository: Repository, change: Change) -> Run | None:
    """The run that is weighing exactly this head on exactly this base."""
    exactly = {
        "spec__change__head_oid": change.head_oid,
        "spec__change__base_oid": change.base_oid,
    }
    runs = Run.objects.filter(repository=repository, pull_request_number=change.number)
    return runs.live().filter(kind=RunKind.COMPARE, **exactly).first()


def _decided(repository: Repository, spec: dict[str, Any]) -> Run | None:
    """The run that has passed, failed or left open exactly what `spec` would weigh again.

    An error is no decision, and a pin that came or went since asks another question.
    """
    change = spec["change"]
    exactly = {key: change[key] for key in ("head_oid", "base_oid", "merge_tree")}
    rows = GateRecord.objects.of(repository.pk, change["number"]).select_related("run__created_by")
    record = rows.filter(config_digest=spec["gate"]["digest"], **exactly).first()
    if record is None or record.verdict == GateVerdict.ERROR:
        return None
    if record.run.spec["gate"].get("subject") != spec["gate"]["subject"]:
        return None
    recorded = {pin["pin"] for pin in record.sentence.get("pins", ())}
    pins = Pin.objects.filter(repository=repository)
    if pins.filter(created_at__gt=record.run.created_at).exists():
        return None
    if pins.filter(pk__in=recorded).count() < len(recorded):
        return None
    record.run.repository = repository
    return record.run


def _subject(spec: dict[str, Any]) -> str:
    """What is weighed by what, as a digest: the same subject is the same attempt."""
    change = {key: spec["change"][key] for key in ("head_oid", "base_oid", "merge_tree")}
    asked = {key: spec.get(key) for key in ("inputs", "benchmarks", "blind")}
    return digest_of([change, spec["gate"]["digest"], asked])


def _attempt(repository: Repository, number: int, subject: str) -> int:
    """How many different versions of a proposal were weighed by now, this one among them."""
    rows = GateRecord.objects.of(repository.pk, number).exclude(results=[])
    fields = ("run__spec__gate__subject", "head_oid", "base_oid", "config_digest")
    earlier = {own or tuple(exactly) for own, *exactly in rows.values_list(*fields)}
    return len(earlier - {subject}) + 1


def weigh_proposed(repository: Repository, change: Change, user: User | None) -> Run | None:
    """Start the gate by itself, where the change may run without anyone's leave (threat J3).

    That is: the person who pushed has write access, or no model file changed, so that nothing
    of theirs is run. None when a maintainer has to start it, or it cannot start.
    """
    if user is None or change.merge_tree is None:
        return None
    if rule_at(repository, change.base_oid) is None:
        return None
    store = repository.store()
    if store.is_ancestor(change.head_oid, change.base_oid):
        return None
    trusted = access_of(user, repository) >= Access.WRITE
    if not trusted and _changes_model(repository, change):
        return None
    try:
        return submit_gate(repository, change, Actor(user))
    except HubError as error:
        log.info("gate.not_started", number=change.number, reason=str(error))
        return None


def weigh_queued(repository: Repository, change: Change, user: User) -> None:
    """Start the gate for a change whose turn in the merge queue has come, at the word of `user`,
    who put it there; nothing where the base has no rule.

    Raises: ForbiddenError; what `submit_gate` raises.
    """
    actor = Actor(user)
    require_gate(actor, repository)
    if rule_at(repository, change.base_oid) is not None:
        submit_gate(repository, change, actor)


def _changes_model(repository: Repository, change: Change) -> bool:
    base = files_at(repository, change.base_oid)
    candidate = files_at(repository, change.merge_tree or "")
    return model_digest(base) != model_digest(candidate)


def _spec(repository: Repository, change: Change, rule: bytes, actor: Actor) -> dict[str, Any]:
    tree = change.merge_tree or ""
    base_files, candidate_files = files_at(repository, change.base_oid), files_at(repository, tree)
    base, base_digest = model_input("base", repository, change.base_oid)
    candidate, candidate_digest = model_input("candidate", repository, tree)
    unweighed = unloaded_changes(repository.store(), change.base_oid, tree)
    is_weighable = is_loadable(candidate_files) or not unloaded_files(repository.store(), tree)
    if not is_weighable:  # configuration and tokenizer go with weights that the gate cannot load
        unweighed += changed_files(base_files, candidate_files)
    spec: dict[str, Any] = {
        "kind": "compare",
        "change": {
            "number": change.number,
            "path": change.path,
            "head_oid": change.head_oid,
            "base_oid": change.base_oid,
            "merge_tree": tree,
            "target_branch": change.target_branch,
            "author_id": change.author_id,
        },
        "gate": {
            "path": GATE_PATH,
            "digest": rule_digest(rule),
            "text": rule.decode("utf-8", "replace"),
        },
        "inputs": [base, candidate],
        "benchmarks": [],
        "unweighed": unweighed,
        "is_weighable": is_weighable,
        "rule_change": rule_change(repository, change),
        **how_to_run(repository, base_files),
    }
    if base_digest != candidate_digest and is_weighable:
        _require_own_base(repository, candidate_files)
        # Only now: a rule that cannot be read must not stop the change that mends it.
        _pin(repository, change, parse_gate(rule), actor, spec)
    else:
        spec["gate"]["subject"] = _subject(spec)
    return spec


def _pin(
    repository: Repository, change: Change, gate: GateConfig, actor: Actor, spec: dict[str, Any]
) -> None:
    """Add every benchmark of the rule, the declared data and the level to `spec`."""
    pinned, inputs = pin_all(
        [(wanted.reference, wanted.metric) for wanted in gate.benchmarks],
        actor,
        named_by=repository,
    )
    for benchmark, wanted in zip(pinned, gate.benchmarks, strict=True):
        if wanted.hidden or benchmark.definition.hidden:
            _require_unread(change, {benchmark.repository_id, benchmark.items_repository_id})
    declared, unreadable = declared_data(repository, change, actor)
    spec["inputs"] += inputs
    spec["benchmarks"] = [each.to_json() for each in pinned]
    if gate.blind is not None:
        (prompts,), more = pin_all([(gate.blind.reference, None)], actor, named_by=repository)
        spec["blind"] = prompts.to_json() | {"key": BLIND_KEY}
        spec["inputs"] += [each | {"role": f"blind-{each['role']}"} for each in more]
    if gate.contamination:
        spec["inputs"] += declared
    subject = _subject(spec)
    attempt = _attempt(repository, change.number, subject)
    level = gate.level(is_protected=_is_protected(repository, change.target_branch))
    spec["gate"] |= {
        "alpha": strict_alpha(level, attempt) if gate.strict else level,
        "attempt": attempt,
        "subject": subject,
        "strict": gate.strict,
        "undeclared": not declared and not unreadable,
        "unreadable_data": unreadable,
    }


def _is_protected(repository: Repository, branch: str) -> bool:
    return BranchProtection.objects.of_branch(repository, branch) is not None


def _require_unread(change: Change, data_sets: set[int]) -> None:
    """Refuse a hidden benchmark that the author of the proposal can read (threat M5).

    Raises: ForbiddenError.
    """
    author = User.objects.get(pk=change.author_id)
    readable = access_to_data(author, data_sets)
    if readable:
        raise ForbiddenError(
            f"{author.username} proposes this and can read the hidden benchmark "
            f"{', '.join(sorted(readable))}: take the right away, or name another benchmark."
        )


def _require_own_base(repository: Repository, files: list[PinnedFile]) -> None:
    """Refuse an adapter on another base: loaders follow that name, the gate weighs this model.

    Raises: BadInputError.
    """
    named = small_json(repository, files, "adapter_config.json").get("base_model_name_or_path")
    if named and str(named).lower() != repository.repo_id.lower():
        raise BadInputError(
            f"adapter_config.json names the base {str(named)[:100]!r}, which would be loaded in "
            f"place of what is weighed: set base_model_name_or_path to {repository.repo_id}."
        )
