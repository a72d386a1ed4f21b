"""Resolving what a rule, a recipe or a person names to exact files: everything a run will read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hub.errors import BadInputError, EntryNotFoundError, HubError, TooLargeError
from hub.extensions import Change
from hub.formats.card import parse_card
from hub.models import Repository
from hub.policies import Actor
from training.actions.submitting import given
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES, PinnedBenchmark
from training.jobs.inputs import PinnedFile, pin, pin_file
from training.models import Run, RunKind
from training.policies import get_data
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.gate import BenchmarkReference
from training.specs.row_files import SUFFIXES

CARD_LIMIT_BYTES = 1024**2
DECLARED_LIMIT = 20
FILES_LIMIT = 50
# A data set that is named as training data also holds what it is tested on.
_HELD_OUT = re.compile(r"(^|[/._-])(test|valid|validation|dev|eval)([/._-]|$)", re.IGNORECASE)
Inputs = list[dict[str, Any]]


def pin_benchmark(
    reference: BenchmarkReference,
    actor: Actor,
    *,
    key: str = "",
    metric: str | None = None,
    named_by: Repository | None = None,
) -> tuple[PinnedBenchmark, Inputs]:
    """The benchmark behind a reference as it is now, and the inputs that a run names for it.

    `named_by` is a repository whose own rule names it: see `policies.get_data`.
    Raises: BadInputError and the not-found errors, each naming what is wrong with the reference.
    """
    data = get_data(actor, reference.repo_id, named_by=named_by)
    store = data.store()
    commit = store.resolve(reference.revision or data.default_branch)
    try:
        content = store.read(commit, reference.path, limit_bytes=DEFINITION_LIMIT_BYTES)
        file = pin_file(store, commit, reference.path)
    except EntryNotFoundError:
        raise EntryNotFoundError(f"There is no benchmark {reference}: correct its name.") from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BadInputError(f"{reference} is not UTF-8: save it as UTF-8.") from None
    definition = parse_benchmark(text, place=str(reference))
    place, at = _items_place(definition, data, commit, actor, named_by)
    items = pin_file(place.store(), at, definition.file)
    shots = _shots(definition, place, at)
    words = pin_file(store, commit, definition.words) if definition.words else None
    pinned = PinnedBenchmark(
        key=key or definition.task,
        label=definition.label,
        reference=str(reference),
        path=reference.path,
        repository_id=data.pk,
        commit=commit,
        definition_text=text,
        definition=definition,
        metric=definition.metric_named(metric).name if definition.metrics else "",
        items_repository_id=place.pk,
        items_commit=at,
        items_file=items,
        shots_file=shots,
        words_file=words,
    )
    inputs = [
        given("benchmark", data, commit, [file, *([words] if words else [])]),
        given("items", place, at, [items, *([shots] if shots else [])]),
    ]
    return pinned, inputs


def pin_all(
    references: Sequence[tuple[BenchmarkReference, str | None]],
    actor: Actor,
    *,
    named_by: Repository | None = None,
) -> tuple[list[PinnedBenchmark], Inputs]:
    """Every (reference, metric) pinned, each under a key of its own, and the inputs of all."""
    found: list[PinnedBenchmark] = []
    inputs: Inputs = []
    for number, (reference, metric) in enumerate(references):
        pinned, more = pin_benchmark(reference, actor, metric=metric, named_by=named_by)
        if pinned.key in {each.key for each in found}:
            key = f"{pinned.key[:58]}-{number}"
            pinned, more = pin_benchmark(
                reference, actor, metric=metric, named_by=named_by, key=key
            )
        found.append(pinned)
        inputs += more
    return found, inputs


def _items_place(
    definition: BenchmarkDefinition,
    data: Repository,
    commit: str,
    actor: Actor,
    named_by: Repository | None,
) -> tuple[Repository, str]:
    """Where a benchmark's items lie: beside the definition, unless it names another place."""
    if definition.repo_id is not None and definition.repo_id != data.repo_id:
        data = get_data(actor, definition.repo_id, named_by=named_by)
        return data, data.store().resolve(definition.revision or data.default_branch)
    if definition.revision is not None:
        return data, data.store().resolve(definition.revision)
    return data, commit


def _shots(definition: BenchmarkDefinition, place: Repository, at: str) -> PinnedFile | None:
    wanted = definition.fewshot
    if wanted is None or wanted.file is None:
        return None
    return pin_file(place.store(), at, wanted.file)


def declared_data(
    repository: Repository, change: Change, actor: Actor, tested_on: Iterable[PinnedBenchmark]
) -> tuple[Inputs, list[str]]:
    """The training data that a proposal declares, as inputs, and what of it cannot be read.

    Of a fine-tune of this hub it is known exactly; otherwise the card of the merge result names
    data sets (`datasets:`), of which every file counts that is not held out by its name and is
    not what a benchmark of the gate asks.
    """
    run = Run.objects.filter(
        repository=repository, kind=RunKind.FINETUNE, pull_request_number=change.number
    ).order_by("-number").first()  # fmt: skip
    if run is not None:
        sample = run.spec["recipe"]["dataset"].get("sample")
        more = {"role": "declared", "sample": sample}
        return [data | more for data in run.inputs("data")], []
    asked = {pinned.items_file.sha256 for pinned in tested_on}
    inputs, unreadable = [], []
    for name in _named_datasets(repository, change)[:DECLARED_LIMIT]:
        try:
            data = get_data(actor, name)
            commit = data.store().resolve(data.default_branch)
            files = _training_files(data, commit, asked)
        except HubError:
            unreadable.append(name)
            continue
        inputs.append(given("declared", data, commit, files))
    return inputs, unreadable


def _named_datasets(repository: Repository, change: Change) -> list[str]:
    """The `datasets:` of the card of the merge result."""
    try:
        content = repository.store().read(
            change.merge_tree or change.head_oid, "README.md", limit_bytes=CARD_LIMIT_BYTES
        )
        named = parse_card(content, "model").data.get("datasets") or []
    except (EntryNotFoundError, TooLargeError):
        return []
    listed = named if isinstance(named, list) else [named]
    return [name for name in listed if isinstance(name, str) and name.count("/") == 1]


def _training_files(data: Repository, commit: str, asked: set[str]) -> list[PinnedFile]:
    store = data.store()
    paths = [
        entry
        for entry in store.tree(commit, "", recursive=True)
        if entry.kind == "file"
        and entry.path.lower().endswith(SUFFIXES)
        and not _HELD_OUT.search(entry.path)
    ]
    pinned = [pin(store, entry) for entry in paths[:FILES_LIMIT]]
    return [file for file in pinned if file.sha256 not in asked]
