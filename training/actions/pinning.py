"""Resolving what a rule, a recipe or a person names to exact files: everything a run will read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hub.errors import BadInputError, EntryNotFoundError, HubError, TooLargeError
from hub.extensions import Change
from hub.formats.card import parse_card
from hub.models import Repository
from hub.policies import Actor
from training.actions.submitting import given
from training.jobs.benchmarks import DEFINITION_LIMIT_BYTES, PinnedBenchmark
from training.jobs.inputs import PinnedFile, model_digest, model_files, pin, pin_file
from training.models import Run, RunKind, RunStatus
from training.policies import get_data
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.gate import BenchmarkReference

if TYPE_CHECKING:
    from django.db.models import QuerySet

CARD_LIMIT_BYTES = 1024**2
DECLARED_LIMIT = 20
FILES_LIMIT = 200
_NO_DATA = ("README.md", ".gitattributes", ".gitignore", "LICENSE")
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


def declared_data(repository: Repository, change: Change, actor: Actor) -> tuple[Inputs, list[str]]:
    """The training data that a proposal declares, as inputs, and what of it cannot be read.

    Of a fine-tune of this hub they are known exactly, as long as its model files are those that
    it wrote; otherwise the card of the merge result names data sets (`datasets:`), of which every
    file counts: whatever its name, what a benchmark asks too. Who declares it has trained on it.
    """
    run = _finetunes(repository).filter(pull_request_number=change.number).first()
    exact = [] if run is None else _data_of(run)
    if run is not None and _is_as_written(repository, run, change.head_oid):
        return exact, []
    known = _known_before(repository, change)
    inputs, unreadable = exact, []
    names = _named_datasets(repository, change.merge_tree or change.head_oid)
    for name in names[:DECLARED_LIMIT]:
        if name.lower() in known:
            inputs += known[name.lower()]
            continue
        try:
            inputs.append(_whole_data_set(get_data(actor, name)))
        except HubError:
            unreadable.append(name)
    return inputs, unreadable + names[DECLARED_LIMIT:]


def _finetunes(repository: Repository) -> QuerySet[Run]:
    rows = Run.objects.filter(repository=repository, kind=RunKind.FINETUNE)
    return rows.order_by("-number")


def _data_of(run: Run) -> Inputs:
    """What a fine-tune was given to train on."""
    sample = run.spec["recipe"]["dataset"].get("sample")
    return [data | {"role": "declared", "sample": sample} for data in run.inputs("data")]


def _is_as_written(repository: Repository, run: Run, head_oid: str) -> bool:
    """Whether the model at `head_oid` is the one that `run` wrote, and nobody's since."""
    written = run.result.get("commit", head_oid)
    store = repository.store()
    return model_digest(model_files(store, written)) == model_digest(model_files(store, head_oid))


def _known_before(repository: Repository, change: Change) -> dict[str, Inputs]:
    """By name, the data sets that the base's card names because fine-tunes here that were merged
    into it read them: of those the files are known, whoever changes the model next."""
    named = {name.lower() for name in _named_datasets(repository, change.base_oid)}
    store, known = repository.store(), dict[str, Inputs]()
    for run in _finetunes(repository).filter(status=RunStatus.SUCCEEDED):
        written = run.result.get("commit")
        if not written or not store.is_ancestor(written, change.base_oid):
            continue
        for data in _data_of(run):
            if data["source"].lower() in named:
                known.setdefault(data["source"].lower(), []).append(data)
    return known


def _named_datasets(repository: Repository, oid: str) -> list[str]:
    """The `datasets:` of the card of a commit or tree, each once."""
    try:
        content = repository.store().read(oid, "README.md", limit_bytes=CARD_LIMIT_BYTES)
        named = parse_card(content, "model").data.get("datasets") or []
    except (EntryNotFoundError, TooLargeError):
        return []
    listed = named if isinstance(named, list) else [named]
    return list(dict.fromkeys(name for name in listed if isinstance(name, str) and name))


def _whole_data_set(data: Repository) -> dict[str, Any]:
    """Every file of a data set but its card; `left_out` counts those beyond the limit."""
    store = data.store()
    commit = store.resolve(data.default_branch)
    entries = [
        entry
        for entry in store.tree(commit, "", recursive=True)
        if entry.kind == "file" and entry.path not in _NO_DATA
    ]
    files = [pin(store, entry) for entry in entries[:FILES_LIMIT]]
    return given("declared", data, commit, files, left_out=max(0, len(entries) - FILES_LIMIT))
