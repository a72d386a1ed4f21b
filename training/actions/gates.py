"""Starting the gate: by itself for people with write access, by a maintainer for everyone else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import structlog
from django.db import transaction

from hub.errors import (
    BadInputError,
    ConflictError,
    EntryNotFoundError,
    HubError,
    NotFoundError,
    TooLargeError,
)
from hub.extensions import Change, registries
from hub.models import Access, Repository, StatusState, User
from hub.policies import Actor, access_of
from training.actions.submitting import given, submit
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES, Benchmark
from training.jobs.environment import library_versions, thread_count
from training.jobs.gate import set_status
from training.jobs.inputs import (
    PinnedFile,
    model_digest,
    model_files,
    open_pinned,
    other_weights,
    pin_file,
)
from training.models import Run, RunKind
from training.policies import get_data, require_gate
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.gate import GATE_PATH, GateBenchmark, GateConfig, parse_gate
from training.specs.schema import digest_of

log = structlog.get_logger(__name__)
GATE_LIMIT_BYTES = 64 * 1024
BATCH_TOKENS = 2048


def rule_at(repository: Repository, base_oid: str) -> bytes | None:
    """The gate's rule on the base commit, as it is written there; None when there is none.

    One that is too large is empty: a rule that cannot be read is no leave to merge.
    """
    try:
        return repository.store().read(base_oid, GATE_PATH, limit_bytes=GATE_LIMIT_BYTES)
    except EntryNotFoundError:
        return None
    except TooLargeError:
        return b""


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
    """Queue the gate for exactly this change; the run that weighs it already comes back.

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
        if (live := live_gate(repository, change)) is not None:
            return live
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


def _changes_model(repository: Repository, change: Change) -> bool:
    store, tree = repository.store(), change.merge_tree or ""
    base, candidate = model_files(store, change.base_oid), model_files(store, tree)
    return model_digest(base) != model_digest(candidate)


def _spec(repository: Repository, change: Change, rule: bytes, actor: Actor) -> dict[str, Any]:
    store, tree = repository.store(), change.merge_tree or ""
    base, candidate = model_files(store, change.base_oid), model_files(store, tree)
    base_digest, candidate_digest = model_digest(base), model_digest(candidate)
    settings = {
        "threads": thread_count(),
        "device": "cpu",
        "dtype": _dtype(repository, base),
        "batch_tokens": BATCH_TOKENS,
    }
    versions = library_versions()
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
        "inputs": [
            given("base", repository, change.base_oid, base, digest=base_digest),
            given("candidate", repository, tree, candidate, digest=candidate_digest),
        ],
        "benchmarks": [],
        "unweighed": _unweighed(repository, change.base_oid, tree),
        "settings": settings,
        "settings_digest": digest_of([settings, versions]),
        "versions": versions,
    }
    if base_digest != candidate_digest:
        _require_own_base(repository, candidate)
        # Only now: a rule that cannot be read must not stop the change that mends it.
        _pin_benchmarks(repository, parse_gate(rule), actor, spec)
    return spec


def _require_own_base(repository: Repository, files: list[PinnedFile]) -> None:
    """Refuse an adapter on another base: loaders follow that name, the gate weighs this model.

    Raises: BadInputError.
    """
    named = _json(repository, files, "adapter_config.json").get("base_model_name_or_path")
    if named and str(named).lower() != repository.repo_id.lower():
        raise BadInputError(
            f"adapter_config.json names the base {str(named)[:100]!r}, which would be loaded in "
            f"place of what is weighed: set base_model_name_or_path to {repository.repo_id}."
        )


def _dtype(repository: Repository, files: list[PinnedFile]) -> str:
    """The precision the base's weights are stored in, by its config."""
    values = _json(repository, files, "config.json")
    said = values.get("dtype") or values.get("torch_dtype")
    return "bfloat16" if said == "bfloat16" else "float32"


def _json(repository: Repository, files: list[PinnedFile], path: str) -> dict[str, Any]:
    """The object in a small JSON file of a model; empty when there is none to be read."""
    file = next((file for file in files if file.path == path), None)
    if file is None or file.size_bytes > DEFINITION_LIMIT_BYTES:
        return {}
    with open_pinned(repository, file) as stream:
        try:
            values = json.loads(stream.read())
        except (ValueError, RecursionError):
            return {}
    return values if isinstance(values, dict) else {}


def _unweighed(repository: Repository, base_oid: str, tree: str) -> list[str]:
    """Weights in forms that the gate does not load, where the change touches them."""
    store = repository.store()
    before, after = other_weights(store, base_oid), other_weights(store, tree)
    paths = before.keys() | after.keys()
    return sorted(path for path in paths if before.get(path) != after.get(path))


def _pin_benchmarks(
    repository: Repository, gate: GateConfig, actor: Actor, spec: dict[str, Any]
) -> None:
    """Add every benchmark of the rule to `spec`, with the files it is made of."""
    keys: set[str] = set()
    for number, wanted in enumerate(gate.benchmarks):
        data, commit, file, text = _definition(repository, wanted, actor)
        definition = parse_benchmark(text, place=str(wanted.reference)).limited(wanted.limit)
        items = _items(repository, definition, data, commit, actor)
        key = definition.task if definition.task not in keys else f"{definition.task}-{number}"
        keys.add(key)
        benchmark = Benchmark(
            key=key,
            label=definition.task,
            role=wanted.role.value,
            reference=str(wanted.reference),
            margin=wanted.margin,
            definition=definition,
            items_file=items[2],
            items_repository_id=items[0].pk,
            items_commit=items[1],
            seed=gate.seeds[0],
        )
        spec["inputs"].append(given("benchmark", data, commit, [file]))
        spec["inputs"].append(given("items", items[0], items[1], [items[2]]))
        spec["benchmarks"].append(benchmark.to_json() | {"definition_text": text})


def _definition(
    repository: Repository, wanted: GateBenchmark, actor: Actor
) -> tuple[Repository, str, PinnedFile, str]:
    """Where a benchmark's definition lies, and what it says."""
    reference = wanted.reference
    data = get_data(actor, reference.repo_id, named_by=repository)
    store = data.store()
    commit = store.resolve(reference.revision or data.default_branch)
    try:
        content = store.read(commit, reference.path, limit_bytes=DEFINITION_LIMIT_BYTES)
    except EntryNotFoundError:
        raise EntryNotFoundError(
            f"The gate names {reference}, which is not there: correct {GATE_PATH}."
        ) from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BadInputError(f"{reference} is not UTF-8: save it as UTF-8.") from None
    return data, commit, pin_file(store, commit, reference.path), text


def _items(
    repository: Repository,
    definition: BenchmarkDefinition,
    data: Repository,
    commit: str,
    actor: Actor,
) -> tuple[Repository, str, PinnedFile]:
    """Where a benchmark's items lie: beside the definition, unless it names another place."""
    if definition.repo_id is not None and definition.repo_id != data.repo_id:
        data = get_data(actor, definition.repo_id, named_by=repository)
        commit = data.store().resolve(definition.revision or data.default_branch)
    elif definition.revision is not None:
        commit = data.store().resolve(definition.revision)
    return data, commit, pin_file(data.store(), commit, definition.file)
